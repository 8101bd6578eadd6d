"""Record MXNet 1.9.1's answers of the detectors in tests/detection_cases.py.

Run by a Python that has MXNet (3.8, `pip install mxnet==1.9.1 numpy==1.23.5`):

    python tests/golden/make_detection.py

Writes tests/golden/detection.npz with the keys `<case>/<batch size>/out0`, ...
"""

import pathlib
import sys

import mxnet as mx
import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from detection_cases import BATCHES, CASES, prepared  # noqa: E402


def main():
    answers = {}
    for name, (_, inputs) in CASES.items():
        net = prepared(mx, name)
        for size in BATCHES:
            result = net(*(mx.nd.array(a) for a in inputs(size)))
            for i, out in enumerate(result if isinstance(result, (list, tuple)) else [result]):
                answers["%s/%d/out%d" % (name, size, i)] = out.asnumpy()
    path = HERE / "detection.npz"
    np.savez_compressed(str(path), **answers)
    print("%d arrays, %d bytes, MXNet %s" % (len(answers), path.stat().st_size, mx.__version__))


main()
