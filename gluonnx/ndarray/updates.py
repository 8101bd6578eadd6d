"""`nd.contrib`'s functions over the update operators: a number for `rescale_grad`, lists for several parameters.

Source: MXNet 1.9.1 python/mxnet/ndarray/contrib.py.
"""

from collections.abc import Sequence
from typing import Any

from gluonnx.errors import ArgumentError
from gluonnx.ndarray.creation import full
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.ndarray.register import function

__all__ = [
    "adamw_update",
    "mp_adamw_update",
    "multi_adamw_update",
    "multi_lamb_update",
    "multi_mp_adamw_update",
    "multi_mp_lamb_update",
]

Arrays = Sequence[NDArray]


def adamw_update(
    weight: NDArray,
    grad: NDArray,
    mean: NDArray,
    var: NDArray,
    rescale_grad: NDArray | float,
    lr: float,
    eta: float,
    **kwargs: Any,
) -> NDArray:
    """Take a step of AdamW; see the operator `_adamw_update`.

    Args:
        weight: The weight.
        grad: Its gradient.
        mean: The mean of the gradients, updated in place.
        var: The mean of their squares, updated in place.
        rescale_grad: Factor of the gradient, a number or an array of one element; 0, infinity and NaN skip the step.
        lr: Learning rate.
        eta: Factor of the whole step.
        **kwargs: `beta1`, `beta2`, `epsilon`, `wd`, `clip_gradient`, `out`, `name`.

    Examples:
        >>> from gluonnx import nd
        >>> weight, mean, var = nd.ones(2), nd.zeros(2), nd.zeros(2)
        >>> _ = nd.contrib.adamw_update(weight, nd.ones(2), mean, var, 1.0, lr=0.1, eta=1.0, beta1=0.5, out=weight)
        >>> mean.asnumpy().tolist()
        [0.5, 0.5]
    """
    scale = _as_array(rescale_grad, weight)
    result: NDArray = function("_adamw_update")(weight, grad, mean, var, scale, lr=lr, eta=eta, **kwargs)
    return result


def mp_adamw_update(
    weight: NDArray,
    grad: NDArray,
    mean: NDArray,
    var: NDArray,
    weight32: NDArray,
    rescale_grad: NDArray | float,
    lr: float,
    eta: float,
    **kwargs: Any,
) -> NDArray:
    """Take a step of AdamW on the float32 copy `weight32`, updated in place; see `adamw_update`."""
    scale = _as_array(rescale_grad, weight)
    fn = function("_mp_adamw_update")
    result: NDArray = fn(weight, grad, mean, var, weight32, scale, lr=lr, eta=eta, **kwargs)
    return result


def multi_adamw_update(
    weights: Arrays,
    grads: Arrays,
    mean: Arrays,
    var: Arrays,
    rescale_grad: NDArray | float,
    lrs: Sequence[float],
    wds: Sequence[float],
    etas: Sequence[float],
    out: Any = None,
    name: str | None = None,
    size: int = 0,
    **kwargs: Any,
) -> Any:
    """Take a step of AdamW on several weights; see `adamw_update`. `size` is their number."""
    scale = _as_array(rescale_grad, weights[0])
    arrays = [*_interleaved("multi_adamw_update", weights, grads, mean, var), scale]
    rates = {"lrs": lrs, "wds": wds, "etas": etas}
    return function("_multi_adamw_update")(
        *arrays, out=out, name=name, num_weights=size or len(weights), **rates, **kwargs
    )


def multi_mp_adamw_update(
    weights: Arrays,
    grads: Arrays,
    mean: Arrays,
    var: Arrays,
    weights32: Arrays,
    rescale_grad: NDArray | float,
    lrs: Sequence[float],
    wds: Sequence[float],
    etas: Sequence[float],
    out: Any = None,
    name: str | None = None,
    size: int = 0,
    **kwargs: Any,
) -> Any:
    """Take a step of AdamW on the float32 copies `weights32` of several weights; see `multi_adamw_update`."""
    scale = _as_array(rescale_grad, weights[0])
    arrays = [*_interleaved("multi_mp_adamw_update", weights, grads, mean, var, weights32), scale]
    rates = {"lrs": lrs, "wds": wds, "etas": etas}
    return function("_multi_mp_adamw_update")(
        *arrays, out=out, name=name, num_weights=size or len(weights), **rates, **kwargs
    )


def multi_lamb_update(
    weights: Arrays,
    grads: Arrays,
    mean: Arrays,
    var: Arrays,
    step_count: Sequence[int],
    lrs: Sequence[float],
    wds: Sequence[float],
    out: Any = None,
    num_tensors: int = 0,
    **kwargs: Any,
) -> Any:
    """Take a step of LAMB on several weights, of which each has its count of steps; see `_multi_lamb_update`."""
    arrays = _interleaved("multi_lamb_update", weights, grads, mean, var)
    rates = {"learning_rates": lrs, "wds": wds, "step_count": step_count}
    return function("_multi_lamb_update")(*arrays, out=out, num_tensors=num_tensors or len(weights), **rates, **kwargs)


def multi_mp_lamb_update(
    weights: Arrays,
    grads: Arrays,
    mean: Arrays,
    var: Arrays,
    weights32: Arrays,
    step_count: Sequence[int],
    lrs: Sequence[float],
    wds: Sequence[float],
    out: Any = None,
    num_tensors: int = 0,
    **kwargs: Any,
) -> Any:
    """Take a step of LAMB on the float32 copies `weights32` of several weights; see `multi_lamb_update`."""
    arrays = _interleaved("multi_mp_lamb_update", weights, grads, mean, var, weights32)
    rates = {"learning_rates": lrs, "wds": wds, "step_count": step_count}
    return function("_multi_mp_lamb_update")(
        *arrays, out=out, num_tensors=num_tensors or len(weights), **rates, **kwargs
    )


def _as_array(rescale_grad: NDArray | float, weight: NDArray) -> NDArray:
    if isinstance(rescale_grad, NDArray):
        return rescale_grad.as_in_context(weight.context)
    return full((1,), rescale_grad, ctx=weight.context)


def _interleaved(name: str, *columns: Arrays) -> list[NDArray]:
    """Return the arrays of the first parameter, then of the second, and so on."""
    counts = [len(column) for column in columns]
    if len(set(counts)) != 1:
        raise ArgumentError(f"nd.contrib.{name}: lists differ: expected equal lengths, got {counts}.")
    return [array for parameter in zip(*columns, strict=True) for array in parameter]
