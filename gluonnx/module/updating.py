"""How a module updates its parameters: the optimizer, and the kvstore that it runs on, if any."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gluonnx import optimizer as opt
from gluonnx.errors import InputTypeError
from gluonnx.formats import read_bytes, write_bytes_atomic
from gluonnx.kvstore.training import choose_kvstore, initialize_kvstore, update_params, update_params_on_kvstore
from gluonnx.module.executor_group import ExecutorGroup
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.optimizer.updater import STATES_LIMIT
from gluonnx.symbol import Symbol

__all__ = ["Updates"]


@dataclass(frozen=True, slots=True)
class Updates:
    """An optimizer with its states.

    Attributes:
        optimizer: The optimizer; None before `Module.init_optimizer`.
        kvstore: Adds up the gradients of several contexts; None where one context needs none.
        on_kvstore: Whether the kvstore runs the optimizer.
        updater: Runs the optimizer where the kvstore does not.
    """

    optimizer: Any = None
    kvstore: Any = None
    on_kvstore: bool = False
    updater: Any = None

    @classmethod
    def begin(
        cls,
        kvstore: Any,
        optimizer: Any,
        optimizer_params: Any,
        *,
        symbol: Symbol,
        group: ExecutorGroup,
        arg_params: dict[str, NDArray],
        compression_params: Mapping[str, Any] | None,
    ) -> "Updates":
        """Return the updates of a module whose parameters have their values.

        Args:
            kvstore: See `Module.init_optimizer`.
            optimizer: See `Module.init_optimizer`.
            optimizer_params: See `Module.init_optimizer`.
            symbol: The module's symbol.
            group: Its executors.
            arg_params: Its parameters.
            compression_params: Gradient compression of the kvstore.

        Raises:
            InputTypeError: `kvstore` is neither a name nor a kvstore, or `optimizer` neither a name nor an optimizer.
        """
        store, on_store = choose_kvstore(kvstore, len(group.contexts), arg_params)
        chosen = _make_optimizer(optimizer, optimizer_params, symbol, group, on_store)
        if store is not None:
            if compression_params:
                store.set_gradient_compression(compression_params)
            if on_store:
                store.set_optimizer(chosen)
            initialize_kvstore(store, group.param_arrays, arg_params, group.param_names, on_store)
        return cls(chosen, store, on_store, None if on_store else opt.get_updater(chosen))

    def save_states(self, fname: str) -> None:
        """Write the optimizer's states to a safetensors file."""
        if self.on_kvstore:
            self.kvstore.save_optimizer_states(fname)
        else:
            write_bytes_atomic(fname, self.updater.get_states())

    def load_states(self, fname: str) -> None:
        """Read the optimizer's states from such a file.

        Raises:
            FormatError: It is none, or of another optimizer.
        """
        if self.on_kvstore:
            self.kvstore.load_optimizer_states(fname)
        else:
            self.updater.set_states(read_bytes(fname, STATES_LIMIT), str(fname))

    def pull_rows(self, group: ExecutorGroup, rows_of: Callable[[], Mapping[str, Any]]) -> None:
        """Pull rows of row_sparse parameters from the kvstore.

        Args:
            group: The executors.
            rows_of: Returns the row numbers by parameter name; not called where the kvstore does not hold them.
        """
        if not self.on_kvstore:
            warnings.warn(
                "Parameters are not updated in the KVStore. No need to call sparse_row_id_fn.",
                UserWarning,
                stacklevel=3,
            )
            return
        arrays = dict(zip(group.param_names, group.param_arrays, strict=True))
        for name, rows in rows_of().items():
            if arrays[name][0].stype != "row_sparse":
                warnings.warn(
                    f"{name}.stype is not 'row_sparse'. No need to perform row_sparse_pull.", UserWarning, stacklevel=3
                )
            else:
                self.kvstore.row_sparse_pull(name, arrays[name], row_ids=rows)

    def apply(self, group: ExecutorGroup) -> None:
        """Update the parameters from the gradients of the last batch."""
        weights, grads, names = group.param_arrays, group.grad_arrays, group.param_names
        if self.on_kvstore:
            update_params_on_kvstore(weights, grads, self.kvstore, names)
        else:
            update_params(weights, grads, self.updater, len(group.contexts), self.kvstore, names)


def _make_optimizer(given: Any, arguments: Any, symbol: Symbol, group: ExecutorGroup, on_store: bool) -> Any:
    rescale_grad = 1.0 / group.batch_size
    copies = 1 if on_store else len(group.contexts)
    names = {i * copies + k: n for i, n in enumerate(group.param_names) for k in range(copies)}
    if isinstance(given, str):
        settings = {"rescale_grad": rescale_grad, **dict(arguments)}
        return opt.create(given, sym=symbol, param_idx2name=names, **settings)
    if not isinstance(given, opt.Optimizer):
        raise InputTypeError(
            f"Module.init_optimizer: expected the name of an optimizer or an Optimizer, got optimizer={given!r}."
        )
    if given.rescale_grad != rescale_grad:
        warnings.warn(
            "Optimizer created manually outside Module but rescale_grad is not normalized to "
            f"1.0/batch_size/num_workers ({given.rescale_grad} vs. {rescale_grad}). Is this intended?",
            UserWarning,
            stacklevel=4,
        )
    if not given.idx2name:
        given.idx2name = names
    return given
