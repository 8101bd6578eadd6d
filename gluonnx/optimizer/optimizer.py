"""What every optimizer shares: the registry, learning rates, multipliers, counts, and the batched update."""

import logging
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from torch import Tensor

from gluonnx.errors import ArgumentError, RegistryError
from gluonnx.moved import names_of
from gluonnx.ndarray.leaf import SPARSE_TYPES
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.ndarray.sparse_array import CSRNDArray, RowSparseNDArray
from gluonnx.ops.updates import Batch
from gluonnx.util import getenv_int

__all__ = ["Batch", "BatchOptimizer", "Optimizer", "create", "register"]

AGGREGATE_NUM = 1 << 20
"""Parameters that the optimizers of this package update in one call: all of them, unless the environment variable
`MXNET_OPTIMIZER_AGGREGATION_SIZE` says how many."""

FLOAT16_WARNING = (
    "Accumulating with float16 in optimizer can lead to poor accuracy or slow convergence. "
    "Consider using multi_precision=True option of the optimizer"
)

Klass = TypeVar("Klass", bound="type[Optimizer]")


class Optimizer:
    """Base class. A subclass defines `create_state` and `update`.

    Args:
        rescale_grad: Factor of every gradient; a Trainer sets it to 1 / batch_size.
        param_idx2name: Name of the parameter of each index. With names, weight decay applies only to those that end
            in `_weight` or `_gamma`.
        wd: Weight decay.
        clip_gradient: Bound of the absolute value of each element of a gradient, None for no bound.
        learning_rate: Learning rate, or the scheduler's `base_lr`; 0.01 if None and there is no scheduler.
        lr_scheduler: Gives the learning rate from the number of updates.
        sym: Symbol whose variables may carry `__lr_mult__` and `__wd_mult__`.
        begin_num_update: Number of updates to count from.
        multi_precision: Keep a float32 copy of float16 weights and update that.
        param_dict: Parameter of each index; its `lr_mult` and `wd_mult` win over the other multipliers.

    Attributes:
        num_update: Largest number of updates that any parameter has had.
        aggregate_num: Most parameters for one call of `update_multi_precision`; 0 for one at a time without lists.

    Source: MXNet 1.9.1 python/mxnet/optimizer/optimizer.py.
    """

    opt_registry: ClassVar[dict[str, "type[Optimizer]"]] = {}

    def __init__(
        self,
        rescale_grad: float = 1.0,
        param_idx2name: dict[int, str] | None = None,
        wd: float = 0.0,
        clip_gradient: float | None = None,
        learning_rate: float | None = None,
        lr_scheduler: Any = None,
        sym: Any = None,
        begin_num_update: int = 0,
        multi_precision: bool = False,
        param_dict: Mapping[int, Any] | None = None,
    ) -> None:
        where = type(self).__name__
        if param_idx2name is not None and not isinstance(param_idx2name, dict):
            raise ArgumentError(
                f"{where}: param_idx2name should be a dict of param indexes to names: "
                f"got {type(param_idx2name).__name__}."
            )
        if lr_scheduler is None and learning_rate is None:
            learning_rate = 0.01
        if lr_scheduler is not None and learning_rate is not None and lr_scheduler.base_lr != learning_rate:
            logging.getLogger(__name__).info(
                "%s: base_lr of lr_scheduler is overwritten by learning_rate=%s", where, learning_rate
            )
            lr_scheduler.base_lr = learning_rate
        self.rescale_grad = rescale_grad
        self.lr_scheduler = lr_scheduler
        self.lr = learning_rate
        self.wd = wd
        self.lr_mult: dict[Any, float] = {}
        self.wd_mult: dict[Any, float] = {}
        self.begin_num_update = begin_num_update
        self.num_update = begin_num_update
        self._all_index_update_counts: dict[int, dict[Any, int]] = {0: {}}
        self._index_update_count = self._all_index_update_counts[0]
        self.clip_gradient = clip_gradient
        self.multi_precision = multi_precision
        self.aggregate_num = 0
        self.idx2name: dict[Any, str] = dict(param_idx2name or {})
        self.sym_info: tuple[Any, ...] = (sym.attr_dict(), sym.list_arguments()) if sym is not None else ()
        self.param_dict: Mapping[Any, Any] = param_dict or {}
        self.set_lr_mult({})
        self.set_wd_mult({})

    @staticmethod
    def register(klass: Klass) -> Klass:
        """Register a class under its lower-case name; a name registered before is replaced with a warning.

        Examples:
            >>> @Optimizer.register
            ... class Plain(Optimizer):
            ...     def update(self, index, weight, grad, state):
            ...         weight[:] = weight - self._get_lr(index) * grad
            >>> type(Optimizer.create_optimizer("plain")).__name__
            'Plain'
        """
        if not isinstance(klass, type):
            raise RegistryError(f"Optimizer.register: expected a class, got {klass!r}.")
        name = klass.__name__.lower()
        known = Optimizer.opt_registry.get(name)
        if known is not None:
            warnings.warn(
                f"WARNING: New optimizer {klass.__module__}.{klass.__name__} is overriding existing optimizer "
                f"{known.__module__}.{known.__name__}",
                UserWarning,
                stacklevel=2,
            )
        Optimizer.opt_registry[name] = klass
        return klass

    @staticmethod
    def create_optimizer(name: str, **kwargs: Any) -> "Optimizer":
        """Return an optimizer by name, whatever its case.

        Raises:
            ValueError: No such optimizer is registered.
            TypeError: The optimizer has no such argument.
        """
        found = Optimizer.opt_registry.get(name.lower()) if isinstance(name, str) else None
        if found is None:
            raise RegistryError(
                f"Cannot find optimizer {name}: expected one of {', '.join(sorted(Optimizer.opt_registry))}, "
                f"got name={name!r}. Register your own class with `mx.optimizer.register`."
            )
        return found(**kwargs)

    @property
    def learning_rate(self) -> float:
        """The learning rate now, without multipliers."""
        if self.lr_scheduler is not None:
            rate: float = self.lr_scheduler(self.num_update)
            return rate
        assert self.lr is not None
        return self.lr

    def create_state(self, index: Any, weight: NDArray) -> Any:
        """Return what the update keeps for a parameter: None, an array, or a tuple of such.

        Args:
            index: Index of the parameter.
            weight: Its value.
        """
        return None

    def create_state_multi_precision(self, index: Any, weight: NDArray) -> Any:
        """Return the state, with a float32 copy of a float16 weight if `multi_precision`."""
        if weight.dtype == np.float16:
            if self.multi_precision:
                return self._master_state(index, weight.astype(np.float32))
            warnings.warn(FLOAT16_WARNING, UserWarning, stacklevel=2)
        return self.create_state(index, weight)

    def _master_state(self, index: Any, master: NDArray) -> Any:
        return (master, self.create_state(index, master))

    def update(self, index: Any, weight: NDArray, grad: NDArray, state: Any) -> None:
        """Update a parameter in place.

        Args:
            index: Index of the parameter.
            weight: Its value.
            grad: Its gradient, same shape; not changed.
            state: What `create_state` returned.
        """
        raise NotImplementedError(
            f"{type(self).__name__}: an optimizer must define update(index, weight, grad, state)."
        )

    def update_multi_precision(self, index: Any, weight: NDArray, grad: NDArray, state: Any) -> None:
        """Update a parameter through its float32 copy if it has one."""
        if self.multi_precision and weight.dtype == np.float16:
            master, inner = state
            self.update(index, master, grad.astype(np.float32), inner)
            weight._write(master._plain())
        else:
            self.update(index, weight, grad, state)

    def set_learning_rate(self, lr: float) -> None:
        """Set the learning rate.

        Raises:
            UserWarning: A scheduler decides the learning rate.
        """
        if self.lr_scheduler is not None:
            raise UserWarning(
                "LRScheduler of the optimizer has already been defined. Note that set_learning_rate can mutate the "
                "value of the learning rate of the optimizer only when the LRScheduler of the optimizer is undefined."
            )
        self.lr = lr

    def set_lr_scale(self, args_lrscale: Any) -> None:
        """Raise DeprecationWarning: use `set_lr_mult`."""
        raise DeprecationWarning("Optimizer.set_lr_scale: removed. Use set_lr_mult.")

    def set_lr_mult(self, args_lr_mult: Mapping[Any, float]) -> None:
        """Set factors of the learning rate by name or index; the symbol's `__lr_mult__` stay below them."""
        self.lr_mult = {**self._symbol_multipliers("__lr_mult__"), **args_lr_mult}

    def set_wd_mult(self, args_wd_mult: Mapping[Any, float]) -> None:
        """Set factors of the weight decay by name or index.

        Names in `param_idx2name` that do not end in `_weight` or `_gamma` get 0 unless given here or by the symbol.
        """
        undecayed = {n: 0.0 for n in self.idx2name.values() if not n.endswith(self._decayed_suffixes)}
        self.wd_mult = {**undecayed, **self._symbol_multipliers("__wd_mult__"), **args_wd_mult}

    _decayed_suffixes: ClassVar[tuple[str, ...]] = ("_weight", "_gamma")

    def _symbol_multipliers(self, attribute: str) -> dict[Any, float]:
        if not self.sym_info:
            return {}
        attributes, names = self.sym_info
        return {n: float(attributes[n][attribute]) for n in names if attribute in attributes.get(n, {})}

    def _set_current_context(self, device_id: int) -> None:
        """Count the updates of this device from now on."""
        self._index_update_count = self._all_index_update_counts.setdefault(device_id, {})

    def _update_count(self, index: Any) -> None:
        """Count an update of one index, or of each in a list."""
        counts = self._index_update_count
        for i in index if isinstance(index, (list, tuple)) else (index,):
            count = counts.get(i, self.begin_num_update) + 1
            counts[i] = count
            if count > self.num_update:
                self.num_update = count

    def _get_lrs(self, indices: Sequence[Any]) -> list[float]:
        """Return the learning rate of each index, with multipliers."""
        return self._multiplied(indices, self.learning_rate, "lr_mult")

    def _get_lr(self, index: Any) -> float:
        """Return the learning rate of an index."""
        return self._get_lrs([index])[0]

    def _get_wds(self, indices: Sequence[Any]) -> list[float]:
        """Return the weight decay of each index, with multipliers."""
        return self._multiplied(indices, self.wd, "wd_mult")

    def _get_wd(self, index: Any) -> float:
        """Return the weight decay of an index."""
        return self._get_wds([index])[0]

    def _multiplied(self, indices: Sequence[Any], value: float, kind: str) -> list[float]:
        multipliers: dict[Any, float] = getattr(self, kind)
        parameters = self.param_dict
        result = []
        for i in indices:
            parameter = parameters.get(i)
            if parameter is not None:
                result.append(value * getattr(parameter, kind))
            elif i in multipliers:
                result.append(value * multipliers[i])
            elif i in self.idx2name:
                result.append(value * multipliers.get(self.idx2name[i], 1.0))
            else:
                result.append(value)
        return result

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        state["param_dict"] = {}
        return state


register = Optimizer.register
create = Optimizer.create_optimizer


class BatchOptimizer(Optimizer):
    """An optimizer whose update works on lists of tensors, so that all parameters take a few kernel calls.

    A subclass defines `_apply(batch)`. `update` and `update_multi_precision` take one parameter or lists of them. A
    subclass of these that overrides one of the two gets its parameters one at a time.
    """

    _master_last: ClassVar[bool] = False
    """Whether the state of a float16 weight is (state, copy) and not (copy, state)."""
    _clips_zero: ClassVar[bool] = False
    """Whether a `clip_gradient` of 0 clips everything away rather than nothing."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        own = (type(self).update, type(self).update_multi_precision)
        if own == (BatchOptimizer.update, BatchOptimizer.update_multi_precision):
            self.aggregate_num = getenv_int("MXNET_OPTIMIZER_AGGREGATION_SIZE", AGGREGATE_NUM)

    def _master_state(self, index: Any, master: NDArray) -> Any:
        inner = self.create_state(index, master)
        return (inner, master) if self._master_last else (master, inner)

    def update(self, index: Any, weight: Any, grad: Any, state: Any) -> None:
        """Update one parameter in place, or each of several given as lists."""
        if not isinstance(index, (list, tuple)):
            index, weight, grad, state = [index], [weight], [grad], [state]
        self._update_lists(index, weight, grad, state, has_master=False)

    def update_multi_precision(self, index: Any, weight: Any, grad: Any, state: Any) -> None:
        """Update one parameter or several, float16 ones through their float32 copies if `multi_precision`."""
        if not isinstance(index, (list, tuple)):
            if type(self).update is not BatchOptimizer.update:
                self._update_one(index, weight, grad, state)
                return
            index, weight, grad, state = [index], [weight], [grad], [state]
        has_master = self.multi_precision and weight[0].dtype == np.float16
        self._update_lists(index, weight, grad, state, has_master=has_master)

    def _update_one(self, index: Any, weight: NDArray, grad: NDArray, state: Any) -> None:
        """Update a parameter by the `update` of a subclass."""
        if self.multi_precision and weight.dtype == np.float16:
            master, inner = reversed(state) if self._master_last else state
            self.update(index, master, grad.astype(np.float32), inner)
            weight._write(master._plain())
        else:
            self.update(index, weight, grad, state)

    def _update_lists(
        self,
        indices: Sequence[Any],
        weights: Sequence[NDArray],
        grads: Sequence[NDArray],
        states: Sequence[Any],
        *,
        has_master: bool,
    ) -> None:
        if not SPARSE_TYPES.isdisjoint(map(type, grads)) or CSRNDArray in map(type, weights):
            self._update_with_rows(indices, weights, grads, states, has_master=has_master)
            return
        self._update_count(indices)
        lrs, wds = self._get_lrs(indices), self._get_wds(indices)
        counts = [self._index_update_count[i] for i in indices]
        targets = [w._writable() for w in weights]
        sources = [g._t.detach() if g._t.requires_grad else g._t for g in grads]
        if has_master:
            masters = [s[1] if self._master_last else s[0] for s in states]
            states = [s[0] if self._master_last else s[1] for s in states]
            values = [m._writable() for m in masters]
            sources = [g.float() for g in sources]
        else:
            values = targets
        with torch.no_grad():
            columns = _columns(states)
            scale, bound = self.rescale_grad, self._bound
            self._apply(Batch(list(indices), values, sources, columns, lrs, wds, counts, scale, bound))
            if has_master:
                torch._foreach_copy_(targets, values)

    def _updates_rows(self, weight: NDArray) -> bool:
        """Whether only the rows that a row_sparse gradient holds are updated, with their states."""
        return False

    def _update_with_rows(
        self,
        indices: Sequence[Any],
        weights: Sequence[NDArray],
        grads: Sequence[NDArray],
        states: Sequence[Any],
        *,
        has_master: bool,
    ) -> None:
        """Update parameters of which some have sparse weights or row_sparse gradients."""
        dense = []
        for i, (index, weight, grad, state) in enumerate(zip(indices, weights, grads, states, strict=True)):
            if type(grad) is not RowSparseNDArray or not self._updates_rows(weight):
                dense.append(i)
            elif has_master:
                master, inner = reversed(state) if self._master_last else state
                self._update_rows(index, master, grad.astype(np.float32), inner)
                weight._write(master._plain())
            else:
                self._update_rows(index, weight, grad, state)
        if not dense:
            return
        values = [NDArray(w._plain()) if type(w) is CSRNDArray else w for w in (weights[i] for i in dense)]
        gradients = [NDArray(grads[i]._plain()) for i in dense]
        kept = [states[i] for i in dense]
        self._update_lists([indices[i] for i in dense], values, gradients, kept, has_master=has_master)
        for i, value in zip(dense, values, strict=True):
            if value is not weights[i]:
                weights[i]._write(value._t)

    def _update_rows(self, index: Any, weight: NDArray, grad: NDArray, state: Any) -> None:
        """Update the rows of one parameter that its gradient holds."""
        assert isinstance(grad, RowSparseNDArray)
        self._update_count(index)
        lr, wd, count = self._get_lr(index), self._get_wd(index), self._index_update_count[index]
        target, rows, values = weight._writable(), grad._s.indices, grad._s.values
        if not len(rows):
            return
        columns = [column[0] for column in _columns([state])]
        held = [t.index_select(0, rows) for t in (target, *columns)]
        with torch.no_grad():
            states = [[t] for t in held[1:]]
            scale, bound = self.rescale_grad, self._bound
            self._apply(Batch([index], held[:1], [values], states, [lr], [wd], [count], scale, bound))
            for whole, part in zip((target, *columns), held, strict=True):
                whole.index_copy_(0, rows, part)

    def _apply(self, batch: Batch) -> None:
        """Update `batch.weights` and `batch.states` in place."""
        raise NotImplementedError(f"{type(self).__name__}: a batch optimizer must define _apply(batch).")

    @property
    def _bound(self) -> float | None:
        """Bound of the elements of a gradient; where `_clips_zero` is not set, 0 means none."""
        bound = self.clip_gradient
        return bound if bound or self._clips_zero else None


def _columns(states: Sequence[Any]) -> list[list[Tensor]]:
    """Return the arrays of the states, transposed: for each array of a state, that array of every parameter."""
    first = states[0]
    if first is None:
        return []
    if isinstance(first, NDArray):
        return [[s._t for s in states]]
    return [[a._t for a in column] for column in zip(*states, strict=True) if column[0] is not None]


__getattr__ = names_of(__name__, "gluonnx.optimizer")
