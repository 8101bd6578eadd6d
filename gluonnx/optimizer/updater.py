"""The updater: an optimizer together with the states of the parameters that it has seen."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from gluonnx.context import Context
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.optimizer.optimizer import Optimizer
from gluonnx.optimizer.states_file import pack_states, unpack_states

__all__ = ["STATES_LIMIT", "Updater", "get_updater"]

STATES_LIMIT = 1 << 40
"""Largest states file that is read, in bytes."""


class Updater:
    """Calls an optimizer on parameters, and makes the state of each at its first update.

    Args:
        optimizer: The optimizer.

    Attributes:
        states: State of each index, in the form that `optimizer.create_state_multi_precision` gives.
        states_synced: For each index, whether its state is known to be on the context of its weight.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        self.states: dict[Any, Any] = {}
        self.states_synced: dict[Any, bool] = {}
        self.aggregate_updates = optimizer.aggregate_num > 0

    def __call__(self, index: Any, grad: Any, weight: Any) -> None:
        """Update one parameter, or each of several given as lists.

        Args:
            index: Index or name, or a list of them.
            grad: Gradient, or a list of them.
            weight: Value, changed in place, or a list of them.
        """
        if not isinstance(index, (list, tuple)):
            index, grad, weight = [index], [grad], [weight]
        if not weight:
            return
        optimizer = self.optimizer
        optimizer._set_current_context(weight[0].context.device_id)
        synced = self.states_synced
        for i, idx in enumerate(index):
            if not synced.get(idx, False):
                self._prepare(idx, weight[i])
        if optimizer.aggregate_num <= 0:
            for idx, w, g in zip(index, weight, grad, strict=True):
                optimizer.update_multi_precision(idx, w, g, self.states[idx])
            return
        count = optimizer.aggregate_num
        update: Callable[..., None] = optimizer.update_multi_precision
        for positions in _alike(weight):
            for start in range(0, len(positions), count):
                part = positions[start : start + count]
                indices = [index[i] for i in part]
                states = [self.states[i] for i in indices]
                update(indices, [weight[i] for i in part], [grad[i] for i in part], states)

    def _prepare(self, index: Any, weight: NDArray) -> None:
        if index not in self.states:
            self.states[index] = self.optimizer.create_state_multi_precision(index, weight)
        else:
            self.states[index] = self.sync_state_context(self.states[index], weight.context)
        self.states_synced[index] = True

    def sync_state_context(self, state: Any, context: Context) -> Any:
        """Return a state with its arrays on a context."""
        if isinstance(state, NDArray):
            return state.as_in_context(context)
        if isinstance(state, (tuple, list)):
            return type(state)(self.sync_state_context(part, context) for part in state)
        return state

    def get_states(self, dump_optimizer: bool = False) -> bytes:
        """Return the states as the bytes of a safetensors file.

        Args:
            dump_optimizer: Whether the optimizer's settings, counts and scheduler go with them.

        Differs: MXNet returns a pickle.
        """
        return pack_states(self.states, self.optimizer if dump_optimizer else None)

    def set_states(self, states: bytes, where: str = "Updater.set_states") -> None:
        """Take states that `get_states` returned, and the optimizer's settings if they are with them.

        If those are of another class, `optimizer` is a new one of that class from then on.

        Args:
            states: The bytes.
            where: What messages call them.

        Raises:
            FormatError: The bytes are no such states, are a pickle, or are of an optimizer that is not known here.
        """
        self.states, self.optimizer = unpack_states(states, self.optimizer, where)
        self.aggregate_updates = self.optimizer.aggregate_num > 0
        self.states_synced = dict.fromkeys(self.states, False)


def _alike(weights: Sequence[NDArray]) -> Sequence[Sequence[int]]:
    """Return the positions of the weights, those of one dtype and device together."""
    first = weights[0]._t
    dtype, device = first.dtype, first.device
    for weight in weights:
        if weight._t.dtype is not dtype or weight._t.device != device:
            break
    else:
        return (range(len(weights)),)
    groups: dict[Any, list[int]] = defaultdict(list)
    for i, weight in enumerate(weights):
        groups[weight._t.dtype, weight._t.device].append(i)
    return list(groups.values())


def get_updater(optimizer: Optimizer) -> Updater:
    """Return an updater for an optimizer."""
    return Updater(optimizer)
