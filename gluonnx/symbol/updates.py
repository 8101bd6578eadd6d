"""`sym.contrib`'s functions over the update operators: a number for `rescale_grad`.

Source: MXNet 1.9.1 python/mxnet/symbol/contrib.py.
"""

from typing import Any

from gluonnx.symbol.creation import full
from gluonnx.symbol.register import function
from gluonnx.symbol.symbol import Symbol

__all__ = ["adamw_update", "mp_adamw_update"]


def adamw_update(
    weight: Symbol,
    grad: Symbol,
    mean: Symbol,
    var: Symbol,
    rescale_grad: Symbol | float,
    lr: float,
    eta: float,
    **kwargs: Any,
) -> Symbol:
    """A step of AdamW; see `nd.contrib.adamw_update`."""
    scale = _as_symbol(rescale_grad)
    result: Symbol = function("_adamw_update")(weight, grad, mean, var, scale, lr=lr, eta=eta, **kwargs)
    return result


def mp_adamw_update(
    weight: Symbol,
    grad: Symbol,
    mean: Symbol,
    var: Symbol,
    weight32: Symbol,
    rescale_grad: Symbol | float,
    lr: float,
    eta: float,
    **kwargs: Any,
) -> Symbol:
    """A step of AdamW on a float32 copy; see `nd.contrib.mp_adamw_update`."""
    scale = _as_symbol(rescale_grad)
    fn = function("_mp_adamw_update")
    result: Symbol = fn(weight, grad, mean, var, weight32, scale, lr=lr, eta=eta, **kwargs)
    return result


def _as_symbol(rescale_grad: Symbol | float) -> Symbol:
    return rescale_grad if isinstance(rescale_grad, Symbol) else full((1,), rescale_grad)
