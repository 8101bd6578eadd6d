"""Record how many outputs MXNet 1.9.1's nodes have that no caller sees: run it with the oracle's Python.

    python tests/golden/make_hidden_outputs.py

Writes tests/golden/ops/hidden_outputs.json: `hidden`, by sample key, of the samples that have some; and `unknown`, the
samples whose call as a symbol MXNet does not take with all inputs given.

Made with MXNet 1.9.1, numpy 1.23.5, Python 3.8.
"""

import json
import os
import sys

import mxnet as mx

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "ops"))

from samples import FAMILIES  # noqa: E402

NAMESPACES = (
    ("_contrib_", mx.sym.contrib),
    ("_linalg_", mx.sym.linalg),
    ("_image_", mx.sym.image),
    ("_sparse_", mx.sym.sparse),
)


def function(op):
    for prefix, module in NAMESPACES:
        if op.startswith(prefix):
            return getattr(module, op[len(prefix) :])
    for module in (mx.sym.op, mx.sym, mx.sym._internal):
        if hasattr(module, op):
            return getattr(module, op)
    raise KeyError(op)


def hidden_outputs(sample):
    """Outputs of the node less those that its symbol lists."""
    variables = [mx.sym.var("x%d" % i) for i in range(len(sample.inputs))]
    symbol = function(sample.op)(*variables, name="n", **sample.attrs)
    start, end = json.loads(symbol.tojson())["node_row_ptr"][-2:]
    return end - start - len(symbol.list_outputs())


def main():
    hidden, unknown = {}, []
    for sample in (sample for samples in FAMILIES.values() for sample in samples):
        try:
            count = hidden_outputs(sample)
        except Exception:  # states that the call makes itself, arrays to fill, functions that are no operators
            unknown.append(sample.key)
            continue
        if count:
            hidden[sample.key] = count
    with open(os.path.join(HERE, "ops", "hidden_outputs.json"), "w", encoding="utf-8") as file:
        json.dump({"hidden": hidden, "unknown": sorted(unknown)}, file, sort_keys=True, indent=0)
        file.write("\n")


if __name__ == "__main__":
    assert mx.__version__ == "1.9.1", mx.__version__
    main()
