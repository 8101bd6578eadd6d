"""What every symbolic cell does: variables by name, states to start from, unrolling, weights gate by gate."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gluonnx import ndarray, symbol
from gluonnx.errors import ArgumentError, NotSupportedError
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.symbol.symbol import Symbol

__all__ = ["BaseRNNCell", "RNNParams"]

Arrays = Mapping[str, NDArray]
StateInfo = dict[str, Any]


class RNNParams:
    """The variables of cells by name; cells that share one share weights.

    Args:
        prefix: Put before the names.
    """

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self._params: dict[str, Symbol] = {}

    def get(self, name: str, **kwargs: Any) -> Symbol:
        """Return the variable of this name, made with `sym.var(name, **kwargs)` the first time."""
        name = self._prefix + name
        if name not in self._params:
            self._params[name] = symbol.var(name, **kwargs)
        return self._params[name]


class BaseRNNCell:
    """A cell that adds one step of a sequence to a graph: `output, states = cell(inputs, states)`.

    Args:
        prefix: Put before the names of what the cell makes.
        params: Variables to share with another cell.
    """

    _num_hidden: int
    _cells: "list[BaseRNNCell]"

    def __init__(self, prefix: str = "", params: RNNParams | None = None) -> None:
        self._own_params = params is None
        self._prefix = prefix
        self._params = RNNParams(prefix) if params is None else params
        self._modified = False
        self.reset()

    def reset(self) -> None:
        """Forget the steps that were taken, before another graph."""
        self._init_counter = -1
        self._counter = -1
        for cell in getattr(self, "_cells", ()):
            cell.reset()

    def __call__(self, inputs: Symbol, states: Sequence[Symbol]) -> tuple[Any, list[Any]]:
        """Take one step; subclasses define it.

        Raises:
            NotImplementedError: The class does not.
        """
        raise NotSupportedError(f"{type(self).__name__}: no step: expected a subclass to define `__call__`.")

    @property
    def params(self) -> RNNParams:
        """The variables of the cell."""
        self._own_params = False
        return self._params

    @property
    def state_info(self) -> list[StateInfo]:
        """Shape and layout of each state, 0 for the size of the batch.

        Raises:
            NotImplementedError: The class does not define it.
        """
        raise NotSupportedError(f"{type(self).__name__}: no state_info: expected a subclass to define `state_info`.")

    @property
    def state_shape(self) -> list[tuple[int, ...]]:
        """Shape of each state."""
        return [info["shape"] for info in self.state_info]

    @property
    def _gate_names(self) -> Sequence[str]:
        return ()

    def begin_state(self, func: Callable[..., Any] = symbol.zeros, **kwargs: Any) -> list[Any]:
        """Return states to start from.

        Args:
            func: Makes a state, such as `sym.zeros`, `sym.var`.
            **kwargs: Further arguments of `func`.

        Raises:
            ArgumentError: The cell has been wrapped by a modifier.
        """
        self._check_unmodified()
        states = []
        for info in self.state_info:
            self._init_counter += 1
            states.append(func(name=f"{self._prefix}begin_state_{self._init_counter}", **{**kwargs, **info}))
        return states

    def _check_unmodified(self) -> None:
        if self._modified:
            raise ArgumentError(
                f"{type(self).__name__} `{self._prefix}`: wrapped by a modifier: After applying modifier cells (e.g. "
                "DropoutCell) the base cell cannot be called directly. Call the modifier cell instead."
            )

    def unpack_weights(self, args: Arrays) -> dict[str, NDArray]:
        """Return arrays by name with the cell's weights cut gate by gate: `lstm_i2h_f_weight`, ..."""
        found = dict(args)
        rows = getattr(self, "_num_hidden", 0)
        for name in self._packed_names():
            packed = found.pop(name)
            for i, gate in enumerate(self._gate_names):
                found[_gate_name(name, gate)] = packed[i * rows : (i + 1) * rows].copy()
        return found

    def pack_weights(self, args: Arrays) -> dict[str, NDArray]:
        """Return arrays by name with what `unpack_weights` cut joined again."""
        found = dict(args)
        for name in self._packed_names():
            found[name] = ndarray.concatenate([found.pop(_gate_name(name, gate)) for gate in self._gate_names])
        return found

    def _packed_names(self) -> list[str]:
        if not self._gate_names:
            return []
        return [f"{self._prefix}{group}_{kind}" for group in ("i2h", "h2h") for kind in ("weight", "bias")]

    def unroll(
        self,
        length: int,
        inputs: Any,
        begin_state: Sequence[Symbol] | None = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
    ) -> tuple[Any, list[Any]]:
        """Add a sequence to a graph.

        Args:
            length: Number of steps.
            inputs: A symbol of `layout`, or a list of `length` symbols (N, ...).
            begin_state: States to start from; zeros if None.
            layout: Layout of a merged sequence: `"NTC"` or `"TNC"`.
            merge_outputs: True: one symbol of `layout`; False: a list; None: whichever is at hand.

        Returns:
            (outputs, states).

        Raises:
            ArgumentError: `inputs` have another number of steps.
        """
        self.reset()
        steps, _ = normalize_sequence(length, inputs, layout, False)
        states: Any = self.begin_state() if begin_state is None else begin_state
        outputs = []
        for i in range(length):
            output, states = self(steps[i], states)
            outputs.append(output)
        merged, _ = normalize_sequence(length, outputs, layout, merge_outputs)
        return merged, states

    def _get_activation(self, inputs: Symbol, activation: Any, **kwargs: Any) -> Any:
        """Apply an activation, given by its name or as a function."""
        if isinstance(activation, str):
            return symbol.Activation(inputs, act_type=activation, **kwargs)
        return activation(inputs, **kwargs)


def _gate_name(name: str, gate: str) -> str:
    """The name of one gate's part: `lstm_i2h_weight` and `_f` give `lstm_i2h_f_weight`."""
    group, _, kind = name.rpartition("_")
    return f"{group}{gate}_{kind}"


def normalize_sequence(length: int | None, inputs: Any, layout: str, merge: bool | None) -> tuple[Any, int]:
    """Merge or split a sequence of symbols; return it and its axis of time.

    Raises:
        ArgumentError: No inputs, another number of steps than `length`, or a symbol of several outputs.
    """
    if inputs is None:
        raise ArgumentError(
            "unroll: no inputs: expected symbols, got inputs=None. Please create input variables outside unroll."
        )
    axis = layout.find("T")
    if isinstance(inputs, Symbol):
        if merge is False:
            if len(inputs) != 1:
                raise ArgumentError(
                    f"unroll: a group of symbols: expected one symbol, or a list of them, got {len(inputs)} outputs. "
                    "Pass list(inputs)."
                )
            inputs = list(symbol.split(inputs, axis=axis, num_outputs=length, squeeze_axis=1))
        return inputs, axis
    if length is not None and len(inputs) != length:
        raise ArgumentError(f"unroll: wrong number of steps: expected length={length}, got {len(inputs)} in inputs.")
    if merge is True:
        inputs = symbol.Concat(*(symbol.expand_dims(i, axis=axis) for i in inputs), dim=axis)
    return inputs, axis
