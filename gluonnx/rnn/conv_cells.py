"""Symbolic cells whose products are two-dimensional convolutions."""

from collections.abc import Sequence
from typing import Any

from gluonnx import symbol
from gluonnx.errors import ArgumentError
from gluonnx.rnn.base_cell import BaseRNNCell, RNNParams, StateInfo
from gluonnx.rnn.basic_cells import gru_step, lstm_step
from gluonnx.symbol.symbol import Symbol

__all__ = ["BaseConvRNNCell", "ConvGRUCell", "ConvLSTMCell", "ConvRNNCell"]

Pair = tuple[int, int]


def leaky_relu(inputs: Symbol, **kwargs: Any) -> Any:
    """Leaky ReLU with slope 0.2."""
    return symbol.LeakyReLU(inputs, act_type="leaky", slope=0.2, **kwargs)


class BaseConvRNNCell(BaseRNNCell):
    """What the cells share.

    Args:
        input_shape: Shape of the input of one step, with any batch size.
        num_hidden: Channels of the states.
        h2h_kernel: Kernel over the state; odd sizes, so that the state keeps its size.
        h2h_dilate: Dilation over the state.
        i2h_kernel: Kernel over the input.
        i2h_stride: Stride over the input.
        i2h_pad: Padding of the input.
        i2h_dilate: Dilation over the input.
        i2h_weight_initializer: Initializer of `i2h_weight`.
        h2h_weight_initializer: Initializer of `h2h_weight`.
        i2h_bias_initializer: Initializer of `i2h_bias`.
        h2h_bias_initializer: Initializer of `h2h_bias`.
        activation: Name of the activation, or a function of symbols; leaky ReLU with slope 0.2 without.
        prefix: Put before the names; the class name and an underscore without.
        params: Variables to share with another cell.
        conv_layout: Layout of inputs and states.

    Raises:
        ArgumentError: An `h2h_kernel` is even.
    """

    _default_prefix = ""
    _state_count = 1

    def __init__(
        self,
        input_shape: Sequence[int],
        num_hidden: int,
        h2h_kernel: Pair = (3, 3),
        h2h_dilate: Pair = (1, 1),
        i2h_kernel: Pair = (3, 3),
        i2h_stride: Pair = (1, 1),
        i2h_pad: Pair = (1, 1),
        i2h_dilate: Pair = (1, 1),
        i2h_weight_initializer: Any = None,
        h2h_weight_initializer: Any = None,
        i2h_bias_initializer: Any = "zeros",
        h2h_bias_initializer: Any = "zeros",
        activation: Any = leaky_relu,
        prefix: str | None = None,
        params: RNNParams | None = None,
        conv_layout: str = "NCHW",
    ) -> None:
        super().__init__(prefix=self._default_prefix if prefix is None else prefix, params=params)
        if any(size % 2 == 0 for size in h2h_kernel):
            raise ArgumentError(
                f"{type(self).__name__}: Only support odd number, get h2h_kernel= {h2h_kernel}: expected odd sizes, so "
                "that the state keeps its size."
            )
        pad = tuple(d * (k - 1) // 2 for d, k in zip(h2h_dilate, h2h_kernel, strict=True))
        self._num_hidden = num_hidden
        self._input_shape = input_shape
        self._activation = activation
        self._conv_layout = conv_layout
        self._i2h = {"kernel": i2h_kernel, "stride": i2h_stride, "pad": i2h_pad, "dilate": i2h_dilate}
        self._h2h = {"kernel": h2h_kernel, "dilate": h2h_dilate, "pad": pad, "stride": (1, 1)}
        probe = symbol.Convolution(data=symbol.var("data"), num_filter=num_hidden, layout=conv_layout, **self._i2h)
        shape = probe.infer_shape(data=tuple(input_shape))[1][0]
        self._state_shape = (0, *shape[1:])
        self._iW = self.params.get("i2h_weight", init=i2h_weight_initializer)
        self._hW = self.params.get("h2h_weight", init=h2h_weight_initializer)
        self._iB = self.params.get("i2h_bias", init=i2h_bias_initializer)
        self._hB = self.params.get("h2h_bias", init=h2h_bias_initializer)

    @property
    def state_info(self) -> list[StateInfo]:
        """Shape and layout of each state."""
        return [{"shape": self._state_shape, "__layout__": self._conv_layout} for _ in range(self._state_count)]

    def _products(self, inputs: Symbol, state: Symbol, name: str) -> tuple[Any, Any]:
        rows = self._num_hidden * len(self._gate_names)
        shared = {"num_filter": rows, "layout": self._conv_layout}
        i2h = symbol.Convolution(name=name + "i2h", data=inputs, weight=self._iW, bias=self._iB, **shared, **self._i2h)
        h2h = symbol.Convolution(name=name + "h2h", data=state, weight=self._hW, bias=self._hB, **shared, **self._h2h)
        return i2h, h2h

    def _activate(self, inputs: Symbol, **kwargs: Any) -> Any:
        return self._get_activation(inputs, self._activation, **kwargs)


class ConvRNNCell(BaseConvRNNCell):
    """Elman's cell with convolutions. See `BaseConvRNNCell` for the arguments."""

    _default_prefix = "ConvRNN_"

    @property
    def _gate_names(self) -> Sequence[str]:
        return ("",)

    def __call__(self, inputs: Symbol, states: Sequence[Symbol]) -> tuple[Any, list[Any]]:
        """Take one step."""
        self._counter += 1
        name = f"{self._prefix}t{self._counter}_"
        i2h, h2h = self._products(inputs, states[0], name)
        output = self._activate(i2h + h2h, name=name + "out")
        return output, [output]


class ConvLSTMCell(BaseConvRNNCell):
    """Long short-term memory with convolutions. See `BaseConvRNNCell` for the arguments."""

    _state_count = 2

    _default_prefix = "ConvLSTM_"

    @property
    def _gate_names(self) -> Sequence[str]:
        return ("_i", "_f", "_c", "_o")

    def __call__(self, inputs: Symbol, states: Sequence[Symbol]) -> tuple[Any, list[Any]]:
        """Take one step."""
        self._counter += 1
        name = f"{self._prefix}t{self._counter}_"
        i2h, h2h = self._products(inputs, states[0], name)
        return lstm_step(i2h + h2h, states[1], name, self._activate, self._conv_layout.find("C"))


class ConvGRUCell(BaseConvRNNCell):
    """Gated recurrent unit with convolutions. See `BaseConvRNNCell` for the arguments."""

    _default_prefix = "ConvGRU_"

    @property
    def _gate_names(self) -> Sequence[str]:
        return ("_r", "_z", "_o")

    def __call__(self, inputs: Symbol, states: Sequence[Symbol]) -> tuple[Any, list[Any]]:
        """Take one step."""
        self._counter += 1
        name = f"{self._prefix}t{self._counter}_"
        i2h, h2h = self._products(inputs, states[0], name)
        return gru_step(i2h, h2h, states[0], name, self._activate)
