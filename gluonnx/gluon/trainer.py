"""Trainer: an optimizer applied to parameters, on every context that they have copies on."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from gluonnx import kvstore as kvs
from gluonnx import optimizer as opt
from gluonnx.autograd import pause
from gluonnx.context import Context
from gluonnx.errors import ArgumentError, ParameterError, StaleGradientError
from gluonnx.formats import read_bytes, write_bytes_atomic
from gluonnx.gluon.parameter import Parameter, ParameterDict
from gluonnx.kvstore.training import choose_kvstore
from gluonnx.ndarray.creation import arange
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.optimizer.updater import STATES_LIMIT

__all__ = ["Trainer"]


class Trainer:
    """Applies an optimizer to parameters after each backward.

    Args:
        params: The parameters: a ParameterDict, a dict (taken in the order of its keys) or a list.
        optimizer: Name of an optimizer, or an instance.
        optimizer_params: Arguments of a named optimizer, such as `{"learning_rate": 0.1}`.
        kvstore: What adds gradients up over several contexts: a type, an instance, or None.
        compression_params: How gradients are compressed on the way: `{"type": "2bit", "threshold": 0.5}`.
        update_on_kvstore: Whether one copy is updated on the kvstore and copied to the contexts, rather than each
            context's; if None, the kvstore decides. With one context and a named kvstore there is no kvstore.

    Raises:
        ArgumentError: There are no parameters, one is not a Parameter, contexts differ, or `optimizer_params` come with
            an instance.
        RegistryError: No optimizer has this name.
        ParameterError: A parameter has not been initialized.

    Examples:
        >>> import gluonnx as mx
        >>> w = mx.gluon.Parameter("weight", shape=(2,), init=mx.init.One())
        >>> w.initialize()
        >>> trainer = mx.gluon.Trainer([w], "sgd", {"learning_rate": 0.5})
        >>> with mx.autograd.record():
        ...     loss = (w.data() * 2).sum()
        >>> loss.backward()
        >>> trainer.step(batch_size=1)
        >>> w.data()
        <BLANKLINE>
        [0. 0.]
        <NDArray 2 @cpu(0)>

    Source: MXNet 1.9.1 python/mxnet/gluon/trainer.py.
    """

    def __init__(
        self,
        params: "ParameterDict | Mapping[str, Parameter] | Sequence[Parameter]",
        optimizer: "str | opt.Optimizer",
        optimizer_params: Mapping[str, Any] | None = None,
        kvstore: "str | kvs.KVStoreBase | None" = "device",
        compression_params: Mapping[str, Any] | None = None,
        update_on_kvstore: bool | None = None,
    ) -> None:
        self._params = _parameter_list(params)
        self._param2idx = {param.name: i for i, param in enumerate(self._params)}
        self._compression_params = compression_params
        self._contexts = self._check_contexts()
        for param in self._params:
            param._set_trainer(self)
        self._init_optimizer(optimizer, optimizer_params)
        self._scale = self._optimizer.rescale_grad
        self._kvstore_params = {"kvstore": kvstore, "update_on_kvstore": update_on_kvstore}
        self._reset_kvstore()

    def _check_contexts(self) -> list[Context]:
        """Return the contexts that all parameters share."""
        first = self._params[0]
        contexts = first.list_ctx()
        for param in self._params[1:]:
            if param.list_ctx() != contexts:
                raise ArgumentError(
                    "Trainer: All Parameters must be initialized on the same set of contexts: expected "
                    f"{contexts} of Parameter {first.name}, got {param.list_ctx()} of Parameter {param.name}."
                )
        return contexts

    def _init_optimizer(self, optimizer: "str | opt.Optimizer", optimizer_params: Mapping[str, Any] | None) -> None:
        """Take an optimizer, with an updater for each context that has no states yet."""
        by_index = dict(enumerate(self._params))
        if not isinstance(optimizer, opt.Optimizer):
            optimizer = opt.create(optimizer, param_dict=by_index, **(optimizer_params or {}))
        elif optimizer_params:
            raise ArgumentError(
                "Trainer: optimizer_params must be None if optimizer is an instance of Optimizer instead of str: "
                f"got optimizer_params={dict(optimizer_params)}. Give them to the optimizer."
            )
        optimizer.param_dict = by_index
        self._optimizer = optimizer
        self._updaters = [opt.get_updater(optimizer) for _ in self._contexts]

    def _reset_kvstore(self) -> None:
        """Forget the kvstore: the next step makes it again from the parameters as they are."""
        self._kvstore: Any = None
        self._kv_initialized = False
        self._update_on_kvstore: bool | None = None
        self._params_to_init: list[Parameter] = list(self._params)

    def _note_new_data(self, param: Parameter) -> None:
        """Make the kvstore again if it holds an older value of a parameter that was set."""
        if self._kv_initialized and self._update_on_kvstore and param not in self._params_to_init:
            for other in self._params:
                if other._is_sparse and other is not param:
                    rows = arange(other._arrays[0].shape[0], dtype="int64")
                    self._row_sparse_pull(other, other._arrays, rows)
            self._reset_kvstore()

    def _prepare(self) -> None:
        """Create the kvstore if there is none yet, and store the parameters that it lacks."""
        if not self._kv_initialized:
            self._init_kvstore()
        if self._params_to_init:
            self._init_params()

    def _init_kvstore(self) -> None:
        wanted = self._kvstore_params["update_on_kvstore"]
        if any(param._is_sparse for param in self._params):
            if wanted is not None and not wanted:
                raise ArgumentError(
                    "Trainer: Cannot set update_on_kvstore=False when sparse weights are present: expected None or "
                    f"True, got {wanted}."
                )
            kvstore, on_kvstore = self._make_sparse_kvstore(self._kvstore_params["kvstore"]), True
        else:
            values = {param.name: param.list_data()[0] for param in self._params}
            kvstore, on_kvstore = choose_kvstore(self._kvstore_params["kvstore"], len(self._contexts), values)
            if any(param.grad_stype != "default" for param in self._params):
                on_kvstore = False
        if wanted is not None:
            on_kvstore = bool(wanted)
        if kvstore is not None:
            if on_kvstore and not kvstore.is_capable("optimizer"):
                if wanted:
                    raise ArgumentError(
                        f"Trainer: Please set update_on_kvstore=False when training with {type(kvstore)}: expected a "
                        "kvstore that takes an optimizer, got update_on_kvstore=True."
                    )
                on_kvstore = False
            if self._compression_params:
                kvstore.set_gradient_compression(self._compression_params)
            if on_kvstore:
                kvstore.set_optimizer(self._optimizer)
        self._kvstore = kvstore
        self._update_on_kvstore = on_kvstore if kvstore is not None else None
        self._kv_initialized = True

    def _make_sparse_kvstore(self, kvstore: Any) -> Any:
        """Return the kvstore that holds all rows of row_sparse parameters, whatever the number of contexts.

        Raises:
            TypeError: It is neither a name nor a KVStore.
        """
        if isinstance(kvstore, str):
            return kvs.create(kvstore)
        if isinstance(kvstore, kvs.KVStore):
            return kvstore
        raise TypeError(
            f"Trainer: Cannot create '{kvstore}' KVStore with row_sparse parameters: The type must be KVStore or str, "
            f"got {type(kvstore).__name__}."
        )

    def _row_sparse_pull(self, parameter: Parameter, out: Sequence[NDArray], row_id: NDArray) -> None:
        """Copy rows of a row_sparse parameter from the kvstore into arrays."""
        with pause():
            self._prepare()
            self._kvstore.row_sparse_pull(self._param2idx[parameter.name], out=list(out), row_ids=row_id)

    def _init_params(self) -> None:
        waiting = []
        if self._kvstore is not None:
            for param in self._params_to_init:
                if param._is_sparse and param._arrays:
                    self._kvstore.init(self._param2idx[param.name], param._arrays[0])
                elif param._arrays:
                    arrays = param.list_data()
                    if isinstance(self._kvstore, kvs.KVStore):  # copies that are equal may be in a recorded graph
                        first = arrays[0]._plain()
                        arrays = [arrays[0], *(a for a in arrays[1:] if not torch.equal(a._plain(), first))]
                    self._kvstore.broadcast(self._param2idx[param.name], arrays[0], arrays[1:])
                else:
                    waiting.append(param)
        self._params_to_init = waiting

    @property
    def learning_rate(self) -> float:
        """The optimizer's learning rate now."""
        return self._optimizer.learning_rate

    @property
    def optimizer(self) -> opt.Optimizer:
        """The optimizer."""
        return self._optimizer

    def set_learning_rate(self, lr: float) -> None:
        """Set the optimizer's learning rate.

        Raises:
            UserWarning: A scheduler decides the learning rate.
        """
        self._optimizer.set_learning_rate(lr)

    def step(self, batch_size: float, ignore_stale_grad: bool = False) -> None:
        """Add the gradients of all contexts up and update every parameter.

        To be called after `backward()`, outside `autograd.record()`.

        Args:
            batch_size: Gradients are divided by it; 1 if the loss is a mean already.
            ignore_stale_grad: Leave parameters alone whose gradient no backward has written since the last step.

        Raises:
            StaleGradientError: There is such a parameter, and `ignore_stale_grad` is False.
            DeferredInitializationError: A parameter's shape is not known yet.
        """
        self._optimizer.rescale_grad = self._scale / batch_size
        if not self._kv_initialized or self._params_to_init:
            self._prepare()
        if self._kvstore is not None:
            self._allreduce_grads()
        self._update(ignore_stale_grad)

    def allreduce_grads(self) -> None:
        """Replace each gradient by the sum over the contexts; `step` does this and `update` in one.

        Raises:
            ArgumentError: The kvstore updates the parameters.
        """
        self._prepare()
        self._refuse_update_on_kvstore("allreduce_grads")
        self._allreduce_grads()

    def update(self, batch_size: float, ignore_stale_grad: bool = False) -> None:
        """Update every parameter with its gradient as it is, after `allreduce_grads`; see `step` for the arguments.

        Raises:
            ArgumentError: The kvstore updates the parameters.
            StaleGradientError: See `step`.
        """
        self._prepare()
        self._refuse_update_on_kvstore("update")
        self._optimizer.rescale_grad = self._scale / batch_size
        self._update(ignore_stale_grad)

    def _refuse_update_on_kvstore(self, what: str) -> None:
        if self._kvstore is not None and self._update_on_kvstore:
            raise ArgumentError(
                f"Trainer: {what}() when parameters are updated on kvstore is not supported: expected "
                "update_on_kvstore=False, got True. Try setting `update_on_kvstore` to False when creating trainer."
            )

    def _allreduce_grads(self) -> None:
        if self._kvstore is None:
            return
        for i, param in enumerate(self._params):
            if param.grad_req == "null":
                continue
            grads = param.list_grad()
            if param._is_sparse:
                self._kvstore.push(i, grads, priority=-i)
            elif self._update_on_kvstore:
                self._kvstore.pushpull(i, grads, out=param.list_data(), priority=-i)
            else:
                self._kvstore.pushpull(i, grads, priority=-i)

    def _update(self, ignore_stale_grad: bool) -> None:
        updates: list[tuple[list[int], list[NDArray], list[NDArray]]] = [([], [], []) for _ in self._updaters]
        fresh = []
        for i, param in enumerate(self._params):
            if param._grad_req == "null":
                continue
            arrays = param._arrays or param.list_data()
            if len(arrays) != len(updates):
                raise ArgumentError(
                    f"Trainer: Parameter {param.name} was moved to other contexts after the Trainer was created: "
                    f"expected {self._contexts}, got {param.list_ctx()}. Create the Trainer after `reset_ctx`."
                )
            for (indices, grads, weights), array in zip(updates, arrays, strict=True):
                leaf = array._leaf
                if leaf.is_fresh:
                    fresh.append(leaf)
                elif ignore_stale_grad:
                    continue
                else:
                    raise _stale(param, array)
                assert leaf.grad is not None
                indices.append(i)
                grads.append(leaf.grad)
                weights.append(array)
        if self._update_on_kvstore:
            return
        for leaf in fresh:
            leaf.is_fresh = False
        for updater, (indices, grads, weights) in zip(self._updaters, updates, strict=True):
            updater(indices, grads, weights)

    def save_states(self, fname: "str | os.PathLike[str]") -> None:
        """Write the optimizer's states and settings to a safetensors file; multipliers of parameters are not in it.

        Args:
            fname: The file.

        Raises:
            FileAccessError: The file cannot be written.
            ParameterError: The kvstore updates the parameters, and some are not initialized yet.

        Differs: MXNet writes a pickle.
        """
        self._prepare()
        if self._update_on_kvstore:
            if self._params_to_init:
                raise ParameterError(
                    "Trainer: Cannot save trainer states when some parameters are not yet initialized in kvstore: "
                    f"got {[p.name for p in self._params_to_init]}. Run a forward first."
                )
            self._kvstore.save_optimizer_states(fname, dump_optimizer=True)
        else:
            write_bytes_atomic(fname, self._updaters[0].get_states(dump_optimizer=True))

    def load_states(self, fname: "str | os.PathLike[str]") -> None:
        """Read what `save_states` wrote, into the optimizer and the states.

        States of an optimizer or scheduler of another class bring a new one with them, as in MXNet.

        Args:
            fname: The file.

        Raises:
            FileAccessError: The file cannot be read.
            FormatError: The file is a pickle of MXNet, no states file, or of an optimizer or scheduler that is not
                known here.
        """
        self._prepare()
        if self._update_on_kvstore:
            self._kvstore.load_optimizer_states(fname)
            self._optimizer = self._kvstore._updater.optimizer
        else:
            data = read_bytes(fname, STATES_LIMIT)
            for updater in self._updaters:
                updater.set_states(data, str(fname))
                updater.optimizer = self._updaters[0].optimizer
            self._optimizer = self._updaters[0].optimizer
        self._optimizer.param_dict = dict(enumerate(self._params))


def _parameter_list(params: Any) -> list[Parameter]:
    """Return the parameters, checked."""
    if isinstance(params, (dict, ParameterDict)):
        params = [params[key] for key in sorted(params.keys())]
    if not isinstance(params, (list, tuple)):
        raise ArgumentError(
            f"Trainer: First argument must be a list or dict of Parameters, got {type(params)}. "
            "Pass `net.collect_params()`."
        )
    for param in params:
        if not isinstance(param, Parameter):
            raise ArgumentError(
                f"Trainer: First argument must be a list or dict of Parameters, got list of {type(param)}. "
                "Pass `net.collect_params()`."
            )
    if not params:
        raise ArgumentError(
            "Trainer: no parameters to train: expected at least one Parameter, got none. "
            "Pass `net.collect_params()` of a block that has parameters."
        )
    return list(params)


def _stale(param: Parameter, array: NDArray) -> StaleGradientError:
    return StaleGradientError(
        f"Gradient of Parameter `{param.name}` on context {array.context} has not been updated by backward since last "
        "`step`. This could mean a bug in your model that made it only use a subset of the Parameters (Blocks) for "
        "this iteration. If you are intentionally only using a subset, call step with ignore_stale_grad=True to "
        "suppress this warning and skip updating of Parameters with stale gradient"
    )
