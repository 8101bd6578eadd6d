"""Recurrent cells whose products are convolutions.

`_ConvCell` owns parameters and shapes, `_RNNSteps`, `_LSTMSteps` and `_GRUSteps` what one step computes, `_Conv1D` to
`_Conv3D` the arguments for so many dimensions.
"""

from collections.abc import Sequence
from typing import Any

from gluonnx.errors import ArgumentError
from gluonnx.gluon.parameter import ParameterDict
from gluonnx.gluon.rnn.base_cell import HybridRecurrentCell, StateInfo

__all__ = [
    "Conv1DGRUCell",
    "Conv1DLSTMCell",
    "Conv1DRNNCell",
    "Conv2DGRUCell",
    "Conv2DLSTMCell",
    "Conv2DRNNCell",
    "Conv3DGRUCell",
    "Conv3DLSTMCell",
    "Conv3DRNNCell",
]

Sizes = int | Sequence[int]


class _ConvCell(HybridRecurrentCell):
    """What the cells share.

    Args of the cells:
        input_shape: Shape of one step of one sequence, such as (C, W); 0 channels to learn them from the first step.
        hidden_channels: Channels of the states.
        i2h_kernel: Kernel over the input.
        h2h_kernel: Kernel over the state; odd sizes, so that the state keeps its size.
        i2h_pad: Padding of the input.
        i2h_dilate: Dilation over the input.
        h2h_dilate: Dilation over the state.
        i2h_weight_initializer: Initializer of `i2h_weight`.
        h2h_weight_initializer: Initializer of `h2h_weight`.
        i2h_bias_initializer: Initializer of `i2h_bias`.
        h2h_bias_initializer: Initializer of `h2h_bias`.
        conv_layout: Layout of inputs, states and weights: `"NCW"`, `"NCHW"`, `"NCDHW"`, or with the channels last.
        activation: Name of the activation, or a block.
        prefix: See `Block`.
        params: Parameters to share with another cell.

    Raises:
        ArgumentError: A size has another number of dimensions, or an `h2h_kernel` is even.
    """

    _gate_count: int
    _state_count = 1

    def __init__(
        self,
        dims: int,
        input_shape: Sequence[int],
        hidden_channels: int,
        i2h_kernel: Sizes,
        h2h_kernel: Sizes,
        i2h_pad: Sizes,
        i2h_dilate: Sizes,
        h2h_dilate: Sizes,
        initializers: Sequence[Any],
        conv_layout: str,
        activation: Any,
        prefix: str | None,
        params: ParameterDict | None,
    ) -> None:
        super().__init__(prefix=prefix, params=params)
        self._hidden_channels = hidden_channels
        self._input_shape = input_shape
        self._conv_layout = conv_layout
        self._activation = activation
        self._stride = (1,) * dims
        self._i2h_kernel = self._sizes("i2h_kernel", i2h_kernel, dims)
        self._i2h_pad = self._sizes("i2h_pad", i2h_pad, dims)
        self._i2h_dilate = self._sizes("i2h_dilate", i2h_dilate, dims)
        self._h2h_kernel = self._sizes("h2h_kernel", h2h_kernel, dims)
        self._h2h_dilate = self._sizes("h2h_dilate", h2h_dilate, dims)
        if any(k % 2 == 0 for k in self._h2h_kernel):
            raise ArgumentError(
                f"{type(self).__name__}: Only support odd number, get h2h_kernel= {h2h_kernel}: expected odd sizes, so "
                "that the state keeps its size."
            )
        self._h2h_pad = tuple(d * (k - 1) // 2 for d, k in zip(self._h2h_dilate, self._h2h_kernel, strict=True))
        self._channel_axis = conv_layout.find("C")
        self._add_parameters(initializers)

    def _sizes(self, name: str, given: Sizes, dims: int) -> tuple[int, ...]:
        if isinstance(given, int):
            return (given,) * dims
        if len(given) != dims:
            raise ArgumentError(
                f"{type(self).__name__}: For {dims}D convolution, the convolution settings can only be either int or "
                f"list/tuple of length {dims}: expected one of these, got {name}={given!r}."
            )
        return tuple(given)

    def _add_parameters(self, initializers: Sequence[Any]) -> None:
        has_channels_first = self._channel_axis == 1
        shape = tuple(self._input_shape)
        channels, spatial = (shape[0], shape[1:]) if has_channels_first else (shape[-1], shape[:-1])
        rows = self._hidden_channels * self._gate_count
        spatial = tuple(
            x + 2 * p - d * (k - 1) if x else 0
            for x, k, p, d in zip(spatial, self._i2h_kernel, self._i2h_pad, self._i2h_dilate, strict=True)
        )
        if has_channels_first:
            self._state_shape = (self._hidden_channels, *spatial)
            i2h = (rows, channels, *self._i2h_kernel)
            h2h = (rows, self._hidden_channels, *self._h2h_kernel)
        else:
            self._state_shape = (*spatial, self._hidden_channels)
            i2h = (rows, *self._i2h_kernel, channels)
            h2h = (rows, *self._h2h_kernel, self._hidden_channels)
        shapes = {"i2h_weight": i2h, "h2h_weight": h2h, "i2h_bias": (rows,), "h2h_bias": (rows,)}
        for (name, size), init in zip(shapes.items(), initializers, strict=True):
            setattr(self, name, self.params.get(name, shape=size, init=init, allow_deferred_init=True))

    def state_info(self, batch_size: int = 0) -> list[StateInfo]:
        """Return shape and layout of each state."""
        shape = (batch_size, *self._state_shape)
        return [{"shape": shape, "__layout__": self._conv_layout} for _ in range(self._state_count)]

    def __repr__(self) -> str:
        shape = self._reg_params["i2h_weight"].shape or ()
        channels = shape[1 if self._channel_axis == 1 else -1]
        return f"{type(self).__name__}({channels or None} -> {shape[0]}, {self._activation}, {self._conv_layout})"

    def _convolutions(
        self,
        F: Any,
        inputs: Any,
        state: Any,
        weights: Sequence[Any],
    ) -> tuple[Any, Any]:
        """Return what goes from the input and from the state to the gates."""
        i2h_weight, h2h_weight, i2h_bias, h2h_bias = weights
        step = f"t{self._counter}_"
        rows = self._hidden_channels * self._gate_count
        i2h = F.Convolution(
            data=inputs,
            num_filter=rows,
            kernel=self._i2h_kernel,
            stride=self._stride,
            pad=self._i2h_pad,
            dilate=self._i2h_dilate,
            weight=i2h_weight,
            bias=i2h_bias,
            layout=self._conv_layout,
            name=step + "i2h",
        )
        h2h = F.Convolution(
            data=state,
            num_filter=rows,
            kernel=self._h2h_kernel,
            dilate=self._h2h_dilate,
            pad=self._h2h_pad,
            stride=self._stride,
            weight=h2h_weight,
            bias=h2h_bias,
            layout=self._conv_layout,
            name=step + "h2h",
        )
        return i2h, h2h


class _RNNSteps(_ConvCell):
    _gate_count = 1

    def _alias(self) -> str:
        return "conv_rnn"

    def hybrid_forward(
        self,
        F: Any,
        inputs: Any,
        states: Any,
        i2h_weight: Any,
        h2h_weight: Any,
        i2h_bias: Any,
        h2h_bias: Any,
    ) -> tuple[Any, list[Any]]:
        """Take one step: `h' = act(W_i * x + b_i + W_h * h + b_h)`."""
        weights = (i2h_weight, h2h_weight, i2h_bias, h2h_bias)
        i2h, h2h = self._convolutions(F, inputs, states[0], weights)
        output = self._get_activation(F, i2h + h2h, self._activation, name=f"t{self._counter}_out")
        return output, [output]


class _LSTMSteps(_ConvCell):
    _gate_count = 4
    _state_count = 2

    def _alias(self) -> str:
        return "conv_lstm"

    def hybrid_forward(
        self,
        F: Any,
        inputs: Any,
        states: Any,
        i2h_weight: Any,
        h2h_weight: Any,
        i2h_bias: Any,
        h2h_bias: Any,
    ) -> tuple[Any, list[Any]]:
        """Take one step; see `LSTMCell`."""
        step = f"t{self._counter}_"
        i2h, h2h = self._convolutions(F, inputs, states[0], (i2h_weight, h2h_weight, i2h_bias, h2h_bias))
        entry, forget, new, leave = F.SliceChannel(
            i2h + h2h, num_outputs=4, name=step + "slice", axis=self._channel_axis
        )
        entry = F.Activation(entry, act_type="sigmoid", name=step + "i")
        forget = F.Activation(forget, act_type="sigmoid", name=step + "f")
        new = self._get_activation(F, new, self._activation, name=step + "c")
        leave = F.Activation(leave, act_type="sigmoid", name=step + "o")
        next_c = F.elemwise_add(forget * states[1], entry * new, name=step + "state")
        next_h = F.elemwise_mul(leave, self._get_activation(F, next_c, self._activation), name=step + "out")
        return next_h, [next_h, next_c]


class _GRUSteps(_ConvCell):
    _gate_count = 3

    def _alias(self) -> str:
        return "conv_gru"

    def hybrid_forward(
        self,
        F: Any,
        inputs: Any,
        states: Any,
        i2h_weight: Any,
        h2h_weight: Any,
        i2h_bias: Any,
        h2h_bias: Any,
    ) -> tuple[Any, list[Any]]:
        """Take one step; see `GRUCell`."""
        step = f"t{self._counter}_"
        axis = self._channel_axis
        i2h, h2h = self._convolutions(F, inputs, states[0], (i2h_weight, h2h_weight, i2h_bias, h2h_bias))
        i2h_r, i2h_z, i2h_n = F.SliceChannel(i2h, num_outputs=3, name=step + "i2h_slice", axis=axis)
        h2h_r, h2h_z, h2h_n = F.SliceChannel(h2h, num_outputs=3, name=step + "h2h_slice", axis=axis)
        reset = F.Activation(i2h_r + h2h_r, act_type="sigmoid", name=step + "r_act")
        update = F.Activation(i2h_z + h2h_z, act_type="sigmoid", name=step + "z_act")
        new = self._get_activation(F, i2h_n + reset * h2h_n, self._activation, name=step + "h_act")
        next_h = F.elemwise_add((1.0 - update) * new, update * states[0], name=step + "out")
        return next_h, [next_h]


class _Conv1D(_ConvCell):
    """The arguments of cells over 1 dimension."""

    def __init__(
        self,
        input_shape: Sequence[int],
        hidden_channels: int,
        i2h_kernel: Sizes,
        h2h_kernel: Sizes,
        i2h_pad: Sizes = (0,),
        i2h_dilate: Sizes = (1,),
        h2h_dilate: Sizes = (1,),
        i2h_weight_initializer: Any = None,
        h2h_weight_initializer: Any = None,
        i2h_bias_initializer: Any = "zeros",
        h2h_bias_initializer: Any = "zeros",
        conv_layout: str = "NCW",
        activation: Any = "tanh",
        prefix: str | None = None,
        params: ParameterDict | None = None,
    ) -> None:
        super().__init__(
            1,
            input_shape,
            hidden_channels,
            i2h_kernel,
            h2h_kernel,
            i2h_pad,
            i2h_dilate,
            h2h_dilate,
            (i2h_weight_initializer, h2h_weight_initializer, i2h_bias_initializer, h2h_bias_initializer),
            conv_layout,
            activation,
            prefix,
            params,
        )


class _Conv2D(_ConvCell):
    """The arguments of cells over 2 dimensions."""

    def __init__(
        self,
        input_shape: Sequence[int],
        hidden_channels: int,
        i2h_kernel: Sizes,
        h2h_kernel: Sizes,
        i2h_pad: Sizes = (0, 0),
        i2h_dilate: Sizes = (1, 1),
        h2h_dilate: Sizes = (1, 1),
        i2h_weight_initializer: Any = None,
        h2h_weight_initializer: Any = None,
        i2h_bias_initializer: Any = "zeros",
        h2h_bias_initializer: Any = "zeros",
        conv_layout: str = "NCHW",
        activation: Any = "tanh",
        prefix: str | None = None,
        params: ParameterDict | None = None,
    ) -> None:
        super().__init__(
            2,
            input_shape,
            hidden_channels,
            i2h_kernel,
            h2h_kernel,
            i2h_pad,
            i2h_dilate,
            h2h_dilate,
            (i2h_weight_initializer, h2h_weight_initializer, i2h_bias_initializer, h2h_bias_initializer),
            conv_layout,
            activation,
            prefix,
            params,
        )


class _Conv3D(_ConvCell):
    """The arguments of cells over 3 dimensions."""

    def __init__(
        self,
        input_shape: Sequence[int],
        hidden_channels: int,
        i2h_kernel: Sizes,
        h2h_kernel: Sizes,
        i2h_pad: Sizes = (0, 0, 0),
        i2h_dilate: Sizes = (1, 1, 1),
        h2h_dilate: Sizes = (1, 1, 1),
        i2h_weight_initializer: Any = None,
        h2h_weight_initializer: Any = None,
        i2h_bias_initializer: Any = "zeros",
        h2h_bias_initializer: Any = "zeros",
        conv_layout: str = "NCDHW",
        activation: Any = "tanh",
        prefix: str | None = None,
        params: ParameterDict | None = None,
    ) -> None:
        super().__init__(
            3,
            input_shape,
            hidden_channels,
            i2h_kernel,
            h2h_kernel,
            i2h_pad,
            i2h_dilate,
            h2h_dilate,
            (i2h_weight_initializer, h2h_weight_initializer, i2h_bias_initializer, h2h_bias_initializer),
            conv_layout,
            activation,
            prefix,
            params,
        )


class Conv1DRNNCell(_Conv1D, _RNNSteps):
    """Elman's cell with convolutions over 1 dimension. See `_ConvCell` for the arguments."""


class Conv2DRNNCell(_Conv2D, _RNNSteps):
    """Elman's cell with convolutions over 2 dimensions. See `_ConvCell` for the arguments."""


class Conv3DRNNCell(_Conv3D, _RNNSteps):
    """Elman's cell with convolutions over 3 dimensions. See `_ConvCell` for the arguments."""


class Conv1DLSTMCell(_Conv1D, _LSTMSteps):
    """Long short-term memory with convolutions over 1 dimension. See `_ConvCell` for the arguments."""


class Conv2DLSTMCell(_Conv2D, _LSTMSteps):
    """Long short-term memory with convolutions over 2 dimensions. See `_ConvCell` for the arguments."""


class Conv3DLSTMCell(_Conv3D, _LSTMSteps):
    """Long short-term memory with convolutions over 3 dimensions. See `_ConvCell` for the arguments."""


class Conv1DGRUCell(_Conv1D, _GRUSteps):
    """Gated recurrent unit with convolutions over 1 dimension. See `_ConvCell` for the arguments."""


class Conv2DGRUCell(_Conv2D, _GRUSteps):
    """Gated recurrent unit with convolutions over 2 dimensions. See `_ConvCell` for the arguments."""


class Conv3DGRUCell(_Conv3D, _GRUSteps):
    """Gated recurrent unit with convolutions over 3 dimensions. See `_ConvCell` for the arguments."""
