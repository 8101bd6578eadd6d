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

WRITE_INTO_FIRST = ("_scatter_set_nd",)
"""Operators that MXNet lets write into their first input only."""
FILL = ("_copyto",)
"""Operators that MXNet calls with an array to fill only."""

AS_SYMBOLS = ("IdentityAttachKLSparseReg",)
"""Operators that MXNet's imperative functions cannot call."""


def function(op, where=mx.nd):
    for prefix, module in NAMESPACES:
        if op.startswith(prefix):
            return getattr(module, op[len(prefix) :])
    for module in (where.op, where, where._internal):
        if hasattr(module, op):
            return getattr(module, op)
    raise KeyError(op)


def bound(sample):
    """Record an operator with states that MXNet 1.9.1 calls in graphs only."""
    symbol = getattr(mx.sym, sample.op)(*(mx.sym.var("x%d" % i) for i in range(3)), name="n", **sample.attrs)
    arrays = sample.arrays()
    names = symbol.list_arguments() + symbol.list_auxiliary_states()
    states = {n: mx.nd.array(a) for n, a in zip(names[3:], arrays[3:])}
    executor = symbol.bind(
        mx.cpu(),
        {n: mx.nd.array(a) for n, a in zip(names, arrays[:3])},
        {n: mx.nd.zeros(a.shape) for n, a in zip(names, arrays[:3])} if sample.grad else None,
        aux_states=states,
    )
    outputs = executor.forward(is_train=sample.train)
    answer = {"out%d" % i: o.asnumpy() for i, o in enumerate(outputs)}
    if sample.grad:
        executor.backward([mx.nd.array(h) for h in sample.head_gradients(outputs_of(answer))], sample.train)
        for i, n in enumerate(names[:3]):
            if sample.inputs[i].has_grad:
                answer["grad%d" % i] = executor.grad_dict[n].asnumpy()
    for i, n in enumerate(names):
        after = executor.arg_dict.get(n, executor.aux_dict.get(n)).asnumpy()
        if i >= 3 and not np.array_equal(after, arrays[i]):
            answer["aux%d" % i] = after
    return answer


def fft(data, compute_size=128):
    """The transform (..., 2 n) of real data by its definition, real and imaginary parts in turn."""
    n = data.shape[-1]
    wave = np.exp(-2j * np.pi * np.outer(np.arange(n), np.arange(n)) / n)
    result = data.astype(np.float64) @ wave
    return np.stack([result.real, result.imag], -1).reshape(data.shape[:-1] + (2 * n,)).astype(data.dtype)


def ifft(data, compute_size=128):
    """The real part of the inverse transform of (..., 2 n), not divided by n, by its definition."""
    n = data.shape[-1] // 2
    pairs = data[..., : 2 * n].astype(np.float64).reshape(data.shape[:-1] + (n, 2))
    wave = np.exp(2j * np.pi * np.outer(np.arange(n), np.arange(n)) / n)
    return ((pairs[..., 0] + 1j * pairs[..., 1]) @ wave).real.astype(data.dtype)


def count_sketch(data, h, s, out_dim, processing_batch_size=32):
    """Signed sums over the places h."""
    chosen = np.arange(out_dim) == h.reshape(-1, 1)
    return (data.astype(np.float64) * s.reshape(-1) @ chosen).astype(data.dtype)


# MXNet has these on GPUs only: their answers are numpy's, from the definitions, and the gradients the transposed ones.
GPU_ONLY = {
    "_contrib_fft": (fft, lambda head, data, **_: ifft(head)),
    "_contrib_ifft": (ifft, lambda head, data, **_: fft(head)),
    "_contrib_count_sketch": (
        count_sketch,
        lambda head, data, h, s, **_: (head[..., h.reshape(-1).astype(int)] * s.reshape(-1)).astype(data.dtype),
    ),
}


def defined(sample):
    """The answer to a sample of an operator that MXNet has on GPUs only."""
    forward, backward = GPU_ONLY[sample.op]
    arrays = sample.arrays()
    out = forward(*arrays, **sample.attrs)
    (head,) = sample.head_gradients([out])
    gradients = [backward(head, *arrays, **sample.attrs)] + [np.zeros_like(a) for a in arrays[1:]]
    found = {"grad%d" % i: g for i, (g, spec) in enumerate(zip(gradients, sample.inputs)) if sample.grad and spec.has_grad}
    return dict(found, out0=out)


def outputs_of(answer):
    return [answer["out%d" % i] for i in range(len(answer))]


def record(sample):
    if sample.op == "BatchNorm_v1":
        return bound(sample)
    if sample.op in GPU_ONLY:
        return defined(sample)
    arrays = [mx.nd.array(a, dtype=a.dtype).tostype(spec.stype) for a, spec in zip(sample.arrays(), sample.inputs)]
    wants_grad = [sample.grad and spec.has_grad for spec in sample.inputs]
    for array, wanted in zip(arrays, wants_grad):
        if wanted:
            array.attach_grad()
    before = [a.asnumpy() for a in arrays]
    fn = function(sample.op)
    mode = mx.autograd.train_mode() if sample.train else mx.autograd.predict_mode()
    with mx.autograd.record(train_mode=sample.train) if any(wants_grad) else mode:
        filled = {"out": [arrays[i] if sample.in_place else arrays[i].copy() for i in sample.out]} if sample.out else {}
        if sample.op in WRITE_INTO_FIRST:
            first = arrays[0].copy()
            result = fn(first, *arrays[1:], out=first, **sample.attrs)
        elif sample.op in FILL:
            result = mx.nd.zeros_like(arrays[0])
            fn(*arrays, out=result)
        else:
            result = fn(*arrays, **filled, **sample.attrs)
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
        if sample.in_place and i in sample.out:
            continue
        if not np.array_equal(array.asnumpy(), before[i], equal_nan=True):
            answer["aux%d" % i] = array.asnumpy()
    return answer


def record_symbol(sample):
    """The answer of a graph of one node, whose variables MXNet makes up."""
    symbol = function(sample.op, mx.sym)(name="s", **sample.attrs)
    arrays = [mx.nd.array(a, dtype=a.dtype) for a in sample.arrays()]
    count = len(symbol.list_arguments())
    grads = [mx.nd.zeros(a.shape, dtype=a.dtype) for a in arrays[:count]]
    bound = symbol.bind(mx.cpu(), arrays[:count], grads, aux_states=arrays[count:])
    before = [a.asnumpy() for a in arrays]
    outputs = bound.forward(is_train=sample.train)
    answer = {"out%d" % i: out.asnumpy() for i, out in enumerate(outputs)}
    if sample.grad and any(spec.has_grad for spec in sample.inputs):
        bound.backward([mx.nd.array(h, dtype=h.dtype) for h in sample.head_gradients([o.asnumpy() for o in outputs])])
        answer.update({"grad%d" % i: grad.asnumpy() for i, grad in enumerate(grads) if sample.inputs[i].has_grad})
    for i, array in enumerate(arrays):
        if not np.array_equal(array.asnumpy(), before[i], equal_nan=True):
            answer["aux%d" % i] = array.asnumpy()
    return answer


def main():
    for family in sys.argv[1:] or sorted(FAMILIES):
        answers = {}
        for sample in FAMILIES[family]:
            if isinstance(sample, Sample):
                made = record_symbol(sample) if sample.op in AS_SYMBOLS else record(sample)
                for name, value in made.items():
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
