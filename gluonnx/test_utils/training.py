"""Comparisons of optimizers, and of hybridized with imperative blocks."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gluonnx import autograd
from gluonnx.io import DataBatch, DataIter
from gluonnx.ndarray import NDArray, array
from gluonnx.test_utils.arrays import rand_ndarray
from gluonnx.test_utils.comparing import assert_almost_equal, compare_ndarray_tuple

__all__ = ["DummyIter", "check_gluon_hybridize_consistency", "compare_optimizer"]


class DummyIter(DataIter):
    """An iterator without end that gives the first batch of another one again and again.

    Args:
        real_iter: The other one.

    Attributes:
        real_iter: The same.
        the_batch: Its first batch.
    """

    def __init__(self, real_iter: DataIter) -> None:
        super().__init__(real_iter.batch_size)
        self.real_iter = real_iter
        self.provide_data = real_iter.provide_data
        self.provide_label = real_iter.provide_label
        self.the_batch = next(real_iter)

    def next(self) -> DataBatch:
        """Return the batch."""
        return self.the_batch


def compare_optimizer(
    opt1: Any,
    opt2: Any,
    shape: Any,
    dtype: Any,
    w_stype: str = "default",
    g_stype: str = "default",
    rtol: float = 1e-4,
    atol: float = 1e-5,
    compare_states: bool = True,
    ntensors: int = 1,
) -> None:
    """Assert that two optimizers make the same step from the same weights and gradients.

    Args:
        opt1: An optimizer; it is given dense arrays.
        opt2: Another one; it is given arrays in the storage types.
        shape: Shape of the weight, or a list of shapes with `ntensors` above 1.
        dtype: Element type of weights and gradients.
        w_stype: Storage type of weights.
        g_stype: Storage type of gradients.
        rtol: Relative tolerance.
        atol: Absolute tolerance.
        compare_states: Whether their states are compared too.
        ntensors: Number of weights that are updated together.

    Raises:
        AssertionError: Weights or states differ.
    """
    shapes = list(shape) if ntensors > 1 else [shape]
    weights2 = [rand_ndarray(s, w_stype, density=1, dtype=dtype) for s in shapes]
    grads2 = [rand_ndarray(s, g_stype, density=np.random.rand(), dtype=dtype) for s in shapes]
    weights1, grads1 = [w.tostype("default") for w in weights2], [g.tostype("default") for g in grads2]
    indices = list(range(len(shapes)))
    states1 = [opt1.create_state_multi_precision(i, w) for i, w in zip(indices, weights1, strict=True)]
    states2 = [opt2.create_state_multi_precision(i, w) for i, w in zip(indices, weights2, strict=True)]
    if compare_states:
        compare_ndarray_tuple(_nested(states1), _nested(states2))
    if ntensors == 1:
        opt1.update_multi_precision(0, weights1[0], grads1[0], states1[0])
        opt2.update_multi_precision(0, weights2[0], grads2[0], states2[0])
    else:
        opt1.update_multi_precision(indices, weights1, grads1, states1)
        opt2.update_multi_precision(indices, weights2, grads2, states2)
    if compare_states:
        compare_ndarray_tuple(_nested(states1), _nested(states2), rtol=rtol, atol=atol)
    for first, second in zip(weights1, weights2, strict=True):
        assert_almost_equal(first, second, rtol=rtol, atol=atol)


def check_gluon_hybridize_consistency(
    net_builder: Callable[[], Any],
    data_l: Sequence[NDArray],
    numpy_func: Callable[..., Any] | None = None,
    test_grad: bool = True,
    rtol: float = 1e-4,
    atol: float = 1e-4,
) -> None:
    """Assert that a block computes the same outputs and gradients imperatively and hybridized.

    Args:
        net_builder: Makes the block; both blocks get the same parameters.
        data_l: The inputs.
        numpy_func: The same computation on numpy arrays, compared with too.
        test_grad: Whether gradients of inputs and parameters are compared.
        rtol: Relative tolerance.
        atol: Absolute tolerance.

    Raises:
        AssertionError: They differ.
    """
    first: dict[str, Any] | None = None
    values: list[Any] | None = None
    for hybridize in (False, True):
        net = net_builder()
        net.initialize()
        inputs = [array(data, ctx=data.context, dtype=data.dtype) for data in data_l]
        for data in inputs:
            if test_grad:
                data.attach_grad()
        if hybridize:
            net.hybridize()
        net(*inputs)  # deferred shapes become known
        parameters = list(net.collect_params().values())
        if values is None:
            values = [p.data().asnumpy() for p in parameters]
        for parameter, value in zip(parameters, values, strict=True):
            parameter.set_data(array(value, dtype=value.dtype))
        if test_grad:
            with autograd.record():
                out = net(*inputs)
            out.backward()
        else:
            out = net(*inputs)
        found: dict[str, Any] = {"output": out.asnumpy()}
        if test_grad:
            found |= {f"gradient of input {i}": _gradient(data) for i, data in enumerate(inputs)}
            found |= {
                f"gradient of parameter {i}": p.grad().asnumpy()
                for i, p in enumerate(parameters)
                if p.grad_req != "null"
            }
        if numpy_func is not None:
            want = numpy_func(*(data.asnumpy() for data in data_l))
            assert_almost_equal(found["output"], want, rtol, atol, ("output", "numpy"))
        if first is None:
            first = found
        for name, value in found.items():
            assert_almost_equal(value, first[name], rtol, atol, (f"{name}, hybridized", "imperative"))


def _gradient(data: NDArray) -> Any:
    assert data.grad is not None  # it was attached
    return data.grad.asnumpy()


def _nested(states: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(_nested(s) if isinstance(s, (list, tuple)) else s for s in states)
