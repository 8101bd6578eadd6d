"""What every recurrent cell does: states to start from, steps, and the unrolling of a sequence."""

from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

from gluonnx import ndarray
from gluonnx.errors import ArgumentError
from gluonnx.gluon.block import Block, HybridBlock
from gluonnx.gluon.nn import LeakyReLU
from gluonnx.gluon.parameter import ParameterDict
from gluonnx.gluon.rnn.sequences import format_sequence, mask_sequence, starting_states

__all__ = ["HybridRecurrentCell", "RecurrentCell"]

StateInfo = dict[str, Any]
_PLAIN_ACTIVATIONS = frozenset({"tanh", "relu", "sigmoid", "softsign"})


class RecurrentCell(Block):
    """A cell that computes one step of a sequence: `output, states = cell(inputs, states)`.

    Args:
        prefix: See `Block`.
        params: Parameters to share with another cell.
    """

    def __init__(self, prefix: str | None = None, params: ParameterDict | None = None) -> None:
        super().__init__(prefix=prefix, params=params)
        self._modified = False
        self.reset()

    def reset(self) -> None:
        """Forget the steps that were taken, before another sequence."""
        self._init_counter = -1
        self._counter = -1
        for cell in self._children.values():
            cell.reset()  # type: ignore[attr-defined]

    def state_info(self, batch_size: int = 0) -> list[StateInfo]:
        """Return shape and layout of each state.

        Raises:
            NotImplementedError: The class does not define it.
        """
        raise NotImplementedError(
            f"{type(self).__name__}: no state_info: expected a subclass to define `state_info(batch_size)`."
        )

    def begin_state(self, batch_size: int = 0, func: Callable[..., Any] = ndarray.zeros, **kwargs: Any) -> list[Any]:
        """Return states to start from.

        Args:
            batch_size: Size of the batch; 0 for symbols, whose size follows from the inputs.
            func: Makes a state, such as `nd.zeros`, `sym.zeros`, `sym.var`.
            **kwargs: Further arguments of `func`.

        Raises:
            ArgumentError: The cell has been wrapped by a modifier.
        """
        self._check_unmodified()
        states = []
        for info in self.state_info(batch_size):
            self._init_counter += 1
            states.append(func(name=f"{self._prefix}begin_state_{self._init_counter}", **{**(info or {}), **kwargs}))
        return states

    def _check_unmodified(self) -> None:
        if self._modified:
            raise ArgumentError(
                f"{type(self).__name__} `{self.name}`: wrapped by a modifier: After applying modifier cells (e.g. "
                "ZoneoutCell) the base cell cannot be called directly. Call the modifier cell instead."
            )

    def unroll(
        self,
        length: int,
        inputs: Any,
        begin_state: Any = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
        valid_length: Any = None,
    ) -> tuple[Any, list[Any]]:
        """Run the cell over a sequence.

        Args:
            length: Number of steps.
            inputs: An array or symbol of `layout`, or a list of `length` of shape (N, ...).
            begin_state: States to start from; zeros if None.
            layout: Layout of a merged sequence: `"NTC"` or `"TNC"`, further axes behind.
            merge_outputs: True: one array of `layout`; False: a list; None: whichever is at hand.
            valid_length: (N,) how many steps of each sequence count; outputs beyond are 0 and the states are those
                after the last step that counts.

        Returns:
            (outputs, states).

        Raises:
            ArgumentError: `inputs` have another number of steps.
        """
        self.reset()
        steps, axis, space, batch_size = format_sequence(length, inputs, layout, False)
        states = starting_states(self, space, begin_state, steps, batch_size)
        outputs: Any = []
        history = []
        for i in range(length):
            output, states = self(steps[i], states)
            outputs.append(output)
            if valid_length is not None:
                history.append(states)
        if valid_length is not None:
            states = [
                space.SequenceLast(
                    space.stack(*of_step, axis=0), sequence_length=valid_length, use_sequence_length=True, axis=0
                )
                for of_step in zip(*history, strict=True)
            ]
            outputs = mask_sequence(space, outputs, length, valid_length, axis, True)
        outputs, *_ = format_sequence(length, outputs, layout, merge_outputs)
        return outputs, states

    def _get_activation(self, F: ModuleType, inputs: Any, activation: Any, **kwargs: Any) -> Any:
        """Apply an activation, given by its name or as a block."""
        if isinstance(activation, str):
            if activation in _PLAIN_ACTIVATIONS:
                return getattr(F, activation)(inputs, **kwargs)
            return F.Activation(inputs, act_type=activation, **kwargs)
        if isinstance(activation, LeakyReLU):
            return F.LeakyReLU(inputs, act_type="leaky", slope=activation._alpha, **kwargs)
        return activation(inputs, **kwargs)

    def forward(self, inputs: Any, states: Any) -> Any:
        """Take one step.

        Args:
            inputs: (N, C).
            states: What the step before gave, or `begin_state()`.

        Returns:
            (output, states).
        """
        self._counter += 1
        return super().forward(inputs, states)


class HybridRecurrentCell(RecurrentCell, HybridBlock):
    """A recurrent cell that can be hybridized."""

    def hybrid_forward(self, F: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Take one step with operators of `F`; subclasses define it.

        Raises:
            NotImplementedError: The class does not.
        """
        raise NotImplementedError(
            f"{type(self).__name__}: no hybrid_forward: expected a subclass to define `hybrid_forward`."
        )


def states_of(cells: Iterable[Any], batch_size: int) -> list[StateInfo]:
    """Return the states of several cells, one after another."""
    return [info for cell in cells for info in cell.state_info(batch_size)]


def begin_states_of(cells: Iterable[Any], **kwargs: Any) -> list[Any]:
    """Return states to start from for several cells, one after another."""
    return [state for cell in cells for state in cell.begin_state(**kwargs)]
