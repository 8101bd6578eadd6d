"""Have real MXNet 1.9.1 read files that gluonnx wrote: run it with the oracle's Python.

    python tests/golden/check_with_mxnet.py FOLDER

For each `NAME.params` in FOLDER: MXNet loads it, its arrays equal those in `NAME.npz` (`NUMBER/PART`, bfloat16 as its
bits) where there is one, and MXNet saves the same bytes again. For each `NAME-symbol.json`: MXNet loads it and its
`tojson()` is the same text. For each `NAME-call.npz`: `SymbolBlock.imports` of `NAME-symbol.json` and
`NAME-0000.params` gives, for the inputs in it, the outputs `output0`, ... in it, within 1e-5. Exit 0 if all agree and there was at least one file; 1, with one line per failure, if not.
"""

import os
import sys
import tempfile
import warnings

import mxnet as mx
import numpy as np

BFLOAT16 = np.dtype([("bfloat16", np.uint16)])
V3_MAGIC = b"\xca\xfa\x93\xf9"


def parts_of(array):
    """The stored numpy arrays of an NDArray, by name."""
    if array.stype == "csr":
        return {"indptr": array.indptr.asnumpy(), "indices": array.indices.asnumpy(), "data": array.data.asnumpy()}
    if array.stype == "row_sparse":
        return {"indices": array.indices.asnumpy(), "data": array.data.asnumpy()}
    values = array.asnumpy()
    return {"data": values.view(np.uint16).reshape(values.shape) if values.dtype == BFLOAT16 else values}


def check_params(path):
    """Faults of one .params file."""
    with open(path, "rb") as file:
        data = file.read()
    is_np_shape = data[24:28] == V3_MAGIC
    if is_np_shape:
        mx.npx.set_np()
    try:
        loaded = (mx.npx if is_np_shape else mx.nd).load(path)
        arrays = list(loaded.values()) if isinstance(loaded, dict) else loaded
        faults = compare(arrays, path[: -len(".params")] + ".npz")
        with tempfile.TemporaryDirectory() as folder:
            again = os.path.join(folder, "again.params")
            (mx.npx if is_np_shape else mx.nd).save(again, loaded)
            with open(again, "rb") as file:
                if file.read() != data:
                    faults.append("MXNet saves other bytes")
        return faults
    finally:
        if is_np_shape:
            mx.npx.reset_np()


def compare(arrays, expected_path):
    """Faults of loaded arrays against the values their writer had."""
    if not os.path.exists(expected_path):
        return []
    faults = []
    got = {"%d/%s" % (i, part): values for i, array in enumerate(arrays) for part, values in parts_of(array).items()}
    with np.load(expected_path) as expected:
        if set(got) != set(expected.files):
            faults.append("arrays %s instead of %s" % (sorted(got), sorted(expected.files)))
        for name in sorted(set(got) & set(expected.files)):
            want = expected[name]
            if got[name].dtype != want.dtype or got[name].shape != want.shape:
                faults.append("%s: %s %s" % (name, got[name].dtype, got[name].shape))
            elif got[name].tobytes() != want.tobytes():
                faults.append("%s: other values" % name)
    return faults


def check_symbol(path):
    """Faults of one symbol-json file."""
    with open(path, encoding="utf-8", newline="") as file:
        text = file.read()
    return [] if mx.sym.load_json(text).tojson() == text else ["MXNet writes another text"]


def check_call(path):
    """Faults of one model, run on the inputs of a call."""
    prefix = path[: -len("-call.npz")]
    with np.load(path) as call:
        values = {name: call[name] for name in call.files}
    count = sum(name.startswith("output") for name in values)
    inputs = {name: mx.nd.array(value, dtype=value.dtype) for name, value in values.items() if not name.startswith("output")}
    rows = next(iter(inputs.values())).shape[0]
    for name in mx.sym.load(prefix + "-symbol.json").list_arguments():
        if name.endswith("_label"):
            inputs[name] = mx.nd.zeros((rows,))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        block = mx.gluon.SymbolBlock.imports(prefix + "-symbol.json", list(inputs), prefix + "-0000.params")
        outputs = block(*inputs.values())
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    if len(outputs) != count:
        return ["%d outputs instead of %d" % (len(outputs), count)]
    faults = []
    for i, output in enumerate(outputs):
        want = values["output%d" % i]
        if output.shape != want.shape:
            faults.append("output%d: shape %s instead of %s" % (i, output.shape, want.shape))
        elif np.dtype(output.dtype) != want.dtype:
            faults.append("output%d: %s instead of %s" % (i, np.dtype(output.dtype), want.dtype))
        elif not np.abs(output.asnumpy() - want).max() <= 1e-5:
            faults.append("output%d: differs by %g" % (i, np.abs(output.asnumpy() - want).max()))
    return faults


CHECKS = [(".params", check_params), ("-symbol.json", check_symbol), ("-call.npz", check_call)]


def main(folder):
    count = bad = 0
    for name in sorted(os.listdir(folder)):
        for suffix, check in CHECKS:
            if not name.endswith(suffix):
                continue
            count += 1
            try:
                faults = check(os.path.join(folder, name))
            except (mx.MXNetError, ValueError, TypeError, AssertionError) as err:
                faults = ["MXNet refuses it: %s" % str(err).strip().splitlines()[-1]]
            bad += bool(faults)
            for fault in faults:
                print("%s: %s" % (name, fault))
    print("%d of %d files agree with MXNet %s" % (count - bad, count, mx.__version__))
    return 0 if count and not bad else 1


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
