"""Record MXNet 1.9.1's answer to every sample of tests/ops/samples: outputs, new auxiliary states, gradients.

Run by a Python that has MXNet (3.8, `pip install mxnet==1.9.1 numpy==1.23.5`):

    python tests/golden/make_ops.py [FAMILY ...]

Writes tests/golden/ops/FAMILY.npz with the keys `<sample key>/out0`, `/aux0`, `/grad0`.
"""

import pathlib
import sys

import mxnet as mx
import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "ops"))

from samples import FAMILIES, Sample  # noqa: E402

NAMESPACES = (
    ("_contrib_", mx.nd.contrib),
    ("_linalg_", mx.nd.linalg),
    ("_image_", mx.nd.image),
    ("_sparse_", mx.nd.sparse),
)


def function(op):
    for prefix, module in NAMESPACES:
        if op.startswith(prefix):
            return getattr(module, op[len(prefix) :])
    for module in (mx.nd.op, mx.nd, mx.nd._internal):
        if hasattr(module, op):
            return getattr(module, op)
    raise KeyError(op)


def record(sample):
    arrays = [mx.nd.array(a, dtype=a.dtype).tostype(spec.stype) for a, spec in zip(sample.arrays(), sample.inputs)]
    wants_grad = [sample.grad and spec.has_grad for spec in sample.inputs]
    for array, wanted in zip(arrays, wants_grad):
        if wanted:
            array.attach_grad()
    before = [a.asnumpy() for a in arrays]
    fn = function(sample.op)
    mode = mx.autograd.train_mode() if sample.train else mx.autograd.predict_mode()
    with mx.autograd.record(train_mode=sample.train) if any(wants_grad) else mode:
        result = fn(*arrays, **sample.attrs)
    outputs = list(result) if isinstance(result, (list, tuple)) else [result]
    answer = {}
    for i, out in enumerate(outputs):
        answer["out%d" % i] = out.asnumpy()
    if any(wants_grad):
        heads = sample.head_gradients([o.asnumpy() for o in outputs])
        mx.autograd.backward(outputs, [mx.nd.array(h, dtype=h.dtype) for h in heads], train_mode=sample.train)
        for i, (array, wanted) in enumerate(zip(arrays, wants_grad)):
            if wanted:
                answer["grad%d" % i] = array.grad.asnumpy()
    for i, array in enumerate(arrays):
        if not np.array_equal(array.asnumpy(), before[i], equal_nan=True):
            answer["aux%d" % i] = array.asnumpy()
    return answer


def main():
    for family in sys.argv[1:] or sorted(FAMILIES):
        answers = {}
        for sample in FAMILIES[family]:
            if isinstance(sample, Sample):
                for name, value in record(sample).items():
                    answers[sample.key + "/" + name] = value
        path = HERE / "ops" / (family + ".npz")
        np.savez_compressed(str(path), **answers)
        size = path.stat().st_size
        print(
            "%s: %d arrays, %d bytes, MXNet %s, numpy %s"
            % (path.name, len(answers), size, mx.__version__, np.__version__)
        )
        assert size < 100000, "a golden file stays under 100 KB: split the family"


main()
