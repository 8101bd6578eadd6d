"""Record what real MXNet 1.9.1 gives for lifted ONNX models: run it with the oracle's Python.

    python tests/golden/make_lifting.py FOLDER

FOLDER is what `tests/lifted_cases.py FOLDER` wrote. Writes tests/golden/lifting.npz: for each case NAME the outputs
as `NAME/0`, ...; `names`, and `graphs` with the SHA-256 of the symbol-json that MXNet ran for each.
"""

import glob
import hashlib
import os
import sys
import warnings

import mxnet as mx
import numpy as np

TARGET = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lifting.npz")


def main():
    records, names, graphs = {}, [], []
    for path in sorted(glob.glob(os.path.join(sys.argv[1], "*-call.npz"))):
        prefix = path[: -len("-call.npz")]
        name = os.path.basename(prefix)
        with np.load(path) as call:
            inputs = {n: mx.nd.array(call[n], dtype=call[n].dtype) for n in call.files if not n.startswith("output")}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            block = mx.gluon.SymbolBlock.imports(prefix + "-symbol.json", list(inputs), prefix + "-0000.params")
            outputs = block(*inputs.values())
        for i, output in enumerate(outputs if isinstance(outputs, (list, tuple)) else [outputs]):
            records["%s/%d" % (name, i)] = output.asnumpy()
        with open(prefix + "-symbol.json", "rb") as file:
            graphs.append(np.frombuffer(hashlib.sha256(file.read()).digest(), np.uint8))
        names.append(name)
    records.update(names=np.array(names), graphs=np.stack(graphs))
    np.savez_compressed(TARGET, **records)
    print("%d arrays, %d bytes" % (len(records), os.path.getsize(TARGET)))


if __name__ == "__main__":
    main()
