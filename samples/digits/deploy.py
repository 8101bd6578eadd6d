"""Run an exported model with numpy and ONNX Runtime alone: no torch, no gluonnx.

    python deploy.py MODEL.onnx INPUT.npy OUTPUT.npy [REPEAT]

Writes the outputs of the whole input and prints the median latency of its first row, in milliseconds, as JSON.
"""

import json
import statistics
import sys
import time

for forbidden in ("torch", "gluonnx"):  # as on a server that has neither: an import of them would fail
    sys.modules[forbidden] = None  # type: ignore[assignment]

import numpy as np  # noqa: E402
from gluonnx_runtime import Session  # noqa: E402


def main() -> None:
    """Run what the command line names."""
    model, source, target = sys.argv[1:4]
    repeat = int(sys.argv[4]) if len(sys.argv) > 4 else 200
    session = Session(model, device="cpu", intra_op_threads=1)
    images = np.load(source)
    np.save(target, session(images))
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        session(images[:1])
        times.append(time.perf_counter() - start)
    print(json.dumps({"latency_ms": 1e3 * statistics.median(times)}))


if __name__ == "__main__":
    main()
