"""How a kvstore takes part in training: which one is needed, whether it updates parameters, and the updates.

Source: MXNet 1.9.1 python/mxnet/model.py.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gluonnx.errors import InputTypeError
from gluonnx.kvstore.base import KVStoreBase
from gluonnx.kvstore.kvstore import create
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.util import getenv_int

__all__ = ["choose_kvstore", "initialize_kvstore", "update_params", "update_params_on_kvstore"]

LARGEST_ON_LOCAL = 16 << 20
"""Elements of the largest parameter that a "local" kvstore still updates itself."""

Arrays = Sequence[Sequence[Any]]
"""For each parameter its copies, or their gradients, on every context; None for no gradient."""


def choose_kvstore(kvstore: Any, num_device: int, arg_params: Mapping[Any, NDArray]) -> tuple[Any, bool]:
    """Return the kvstore, or None where one context needs none, and whether it is to update the parameters itself.

    With the environment variable `MXNET_UPDATE_ON_KVSTORE` 0 it is not, whatever it can do.

    Args:
        kvstore: Name of a kvstore, one, or None.
        num_device: Number of contexts.
        arg_params: The parameters.

    Raises:
        InputTypeError: `kvstore` is something else.
        ArgumentError: The environment variable is no whole number.
    """
    if kvstore is None:
        return None, False
    on_kvstore = getenv_int("MXNET_UPDATE_ON_KVSTORE", 1) != 0
    if isinstance(kvstore, KVStoreBase):
        return kvstore, on_kvstore and kvstore.is_capable(KVStoreBase.OPTIMIZER)
    if not isinstance(kvstore, str):
        raise InputTypeError(f"kvstore must be KVStore, str or None: got kvstore={kvstore!r}.")
    if num_device == 1 and "dist" not in kvstore:
        return None, False
    store = create(kvstore)
    if kvstore == "local" and max((math.prod(p.shape) for p in arg_params.values()), default=0) > LARGEST_ON_LOCAL:
        on_kvstore = False
    return store, on_kvstore and store.is_capable(KVStoreBase.OPTIMIZER)


def initialize_kvstore(
    kvstore: Any,
    param_arrays: Arrays,
    arg_params: Mapping[str, NDArray],
    param_names: Sequence[str],
    update_on_kvstore: bool,
) -> None:
    """Store the parameters in a kvstore, and copy them to the contexts if it updates them.

    Args:
        kvstore: The kvstore.
        param_arrays: The parameters on every context.
        arg_params: Their values by name.
        param_names: Their names.
        update_on_kvstore: Whether the kvstore updates them.
    """
    for name, arrays in zip(param_names, param_arrays, strict=True):
        if update_on_kvstore and arg_params[name].stype == "default":
            kvstore.broadcast(name, arg_params[name], out=arrays)
        else:
            kvstore.init(name, arg_params[name])


def update_params_on_kvstore(
    param_arrays: Arrays, grad_arrays: Arrays, kvstore: Any, param_names: Sequence[str]
) -> None:
    """Let a kvstore with an optimizer update the parameters.

    Args:
        param_arrays: The parameters on every context.
        grad_arrays: Their gradients; parameters with None are left alone.
        kvstore: The kvstore.
        param_names: Names of the parameters.
    """
    for position, (weights, grads) in enumerate(zip(param_arrays, grad_arrays, strict=True)):
        if grads[0] is not None:
            kvstore.pushpull(param_names[position], grads, out=weights, priority=-position)


def update_params(
    param_arrays: Arrays,
    grad_arrays: Arrays,
    updater: Callable[[Any, Any, Any], None],
    num_device: int,
    kvstore: Any = None,
    param_names: Sequence[str] | None = None,
) -> None:
    """Update the parameters on every context, after a kvstore, if any, has added up their gradients.

    Args:
        param_arrays: The parameters on every context.
        grad_arrays: Their gradients; parameters with None are left alone.
        updater: Called for each context with lists of indices, gradients and parameters; parameter i on context k
            has the index i * num_device + k.
        num_device: Number of contexts.
        kvstore: The kvstore.
        param_names: Names of the parameters, which the kvstore knows them by.
    """
    updates: list[tuple[list[int], list[NDArray], list[NDArray]]] = [([], [], []) for _ in range(num_device)]
    for position, (weights, grads) in enumerate(zip(param_arrays, grad_arrays, strict=True)):
        if grads[0] is None:
            continue
        if kvstore is not None:
            assert param_names is not None
            kvstore.pushpull(param_names[position], grads, out=grads, priority=-position)
        for k, (weight, grad) in enumerate(zip(weights, grads, strict=True)):
            indices, all_grads, all_weights = updates[k]
            indices.append(position * num_device + k)
            all_grads.append(grad)
            all_weights.append(weight)
    for indices, all_grads, all_weights in updates:
        if indices:
            updater(indices, all_grads, all_weights)
