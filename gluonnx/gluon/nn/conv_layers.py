"""Convolution layers and their transposes; MXNet's home of pooling and padding too."""

from collections.abc import Sequence
from typing import Any

from gluonnx.errors import ArgumentError
from gluonnx.gluon.block import HybridBlock
from gluonnx.gluon.nn.activations import Activation
from gluonnx.gluon.nn.padding import ReflectionPad2D
from gluonnx.gluon.nn.pooling import (
    AvgPool1D,
    AvgPool2D,
    AvgPool3D,
    GlobalAvgPool1D,
    GlobalAvgPool2D,
    GlobalAvgPool3D,
    GlobalMaxPool1D,
    GlobalMaxPool2D,
    GlobalMaxPool3D,
    MaxPool1D,
    MaxPool2D,
    MaxPool3D,
)
from gluonnx.gluon.nn.sizes import CONVOLUTION_LAYOUTS, Size, check_layout, check_rank
from gluonnx.ops.table import TABLE

__all__ = [
    "AvgPool1D",
    "AvgPool2D",
    "AvgPool3D",
    "Conv1D",
    "Conv1DTranspose",
    "Conv2D",
    "Conv2DTranspose",
    "Conv3D",
    "Conv3DTranspose",
    "GlobalAvgPool1D",
    "GlobalAvgPool2D",
    "GlobalAvgPool3D",
    "GlobalMaxPool1D",
    "GlobalMaxPool2D",
    "GlobalMaxPool3D",
    "MaxPool1D",
    "MaxPool2D",
    "MaxPool3D",
    "ReflectionPad2D",
]


class _Conv(HybridBlock):
    """What all convolutions share.

    Args:
        channels: Number of output channels.
        kernel_size: Size of the kernel along each spatial axis. Here and below, a number stands for every axis.
        strides: Step of the kernel.
        padding: Zeros added at both ends.
        dilation: Distance between the kernel's taps.
        groups: Number of groups of channels that do not see each other.
        layout: Order of the data's axes; `weight` follows it.
        in_channels: Number of input channels; 0 to learn it from the first data.
        activation: Name of an activation function (see `Activation`); None for none.
        use_bias: Whether `bias` (channels,) is added.
        weight_initializer: Initializer of `weight`.
        bias_initializer: Initializer of `bias`.
        op_name: Operator that is called: `Convolution`, or `Deconvolution` for a transpose.
        adj: For a transpose, what is added to one side of the output.
        prefix: See `Block`.
        params: See `Block`.

    Raises:
        ArgumentError: A size has the wrong number of entries, or the channels cannot be put into groups.
    """

    def __init__(
        self,
        channels: int,
        kernel_size: Sequence[int],
        strides: Size,
        padding: Size,
        dilation: Size,
        groups: int,
        layout: str,
        in_channels: int = 0,
        activation: str | None = None,
        use_bias: bool = True,
        weight_initializer: Any = None,
        bias_initializer: Any = "zeros",
        op_name: str = "Convolution",
        adj: Sequence[int] | None = None,
        prefix: str | None = None,
        params: Any = None,
    ) -> None:
        super().__init__(prefix=prefix, params=params)
        self._check_groups(channels, in_channels, groups)
        rank = len(kernel_size)
        layer = type(self).__name__
        self._channels = channels
        self._in_channels = in_channels
        self._op_name = op_name
        self._kwargs: dict[str, Any] = {
            "kernel": kernel_size,
            "stride": check_rank(layer, "strides", strides, rank),
            "dilate": check_rank(layer, "dilation", dilation, rank),
            "pad": check_rank(layer, "padding", padding, rank),
            "num_filter": channels,
            "num_group": groups,
            "no_bias": not use_bias,
            "layout": layout,
        }
        if adj is not None:
            self._kwargs["adj"] = adj
        shapes = self._parameter_shapes(rank)
        with self.name_scope():
            self.weight = self.params.get(
                "weight", shape=shapes["weight"], init=weight_initializer, allow_deferred_init=True
            )
            self.bias = (
                self.params.get("bias", shape=shapes["bias"], init=bias_initializer, allow_deferred_init=True)
                if use_bias
                else None
            )
            self.act = None if activation is None else Activation(activation, prefix=f"{activation}_")

    def _check_groups(self, channels: int, in_channels: int, groups: int) -> None:
        if channels < 1:
            raise ArgumentError(
                f"{type(self).__name__}: no output channels: expected at least 1, got channels={channels}. "
                "Pass the number of filters."
            )
        if groups < 1 or channels % groups or in_channels % groups:
            raise ArgumentError(
                f"{type(self).__name__}: channels do not divide into groups: expected multiples of groups, "
                f"got channels={channels}, in_channels={in_channels}, groups={groups}. Change one of them."
            )

    def _parameter_shapes(self, rank: int) -> dict[str, tuple[int, ...]]:
        """Ask the operator's own rule, for data of which at most the channels are known."""
        data = [0] * (rank + 2)
        data[self._kwargs["layout"].index("N")] = 1
        data[self._kwargs["layout"].index("C")] = self._in_channels
        operator = TABLE[self._op_name]
        return operator.parameter_shapes({"data": tuple(data)}, operator.parse(operator.to_text(self._kwargs)))

    def _alias(self) -> str:
        return "conv"

    def hybrid_forward(self, F: Any, x: Any, weight: Any, bias: Any = None) -> Any:
        """Return the convolved data, with the activation applied."""
        inputs = (x, weight) if bias is None else (x, weight, bias)
        out = getattr(F, self._op_name)(*inputs, name="fwd", **self._kwargs)
        return out if self.act is None else self.act(out)

    def __repr__(self) -> str:
        kernel, rank = self._kwargs["kernel"], len(self._kwargs["kernel"])
        first, second = (self.weight.shape or (0, 0))[:2]
        parts = [f"{second or None} -> {first}", f"kernel_size={kernel}", f"stride={self._kwargs['stride']}"]
        if self._kwargs["pad"] != (0,) * rank:
            parts.append(f"padding={self._kwargs['pad']}")
        if self._kwargs["dilate"] != (1,) * rank:
            parts.append(f"dilation={self._kwargs['dilate']}")
        if self._kwargs["num_group"] != 1:
            parts.append(f"groups={self._kwargs['num_group']}")
        if self.bias is None:
            parts.append("bias=False")
        if self.act is not None:
            parts.append(repr(self.act))
        return f"{type(self).__name__}({', '.join(parts)})"


class Conv1D(_Conv):
    """1-D convolution; arguments as of `_Conv`.

    Data (N, C, W) in `layout` NCW gives (N, channels, ...) of which each spatial size is
    `floor((size + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1`. `weight` is
    (channels, in_channels / groups, kernel...).
    """

    def __init__(
        self,
        channels: int,
        kernel_size: Size,
        strides: Size = 1,
        padding: Size = 0,
        dilation: Size = 1,
        groups: int = 1,
        layout: str = "NCW",
        activation: str | None = None,
        use_bias: bool = True,
        weight_initializer: Any = None,
        bias_initializer: Any = "zeros",
        in_channels: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            channels,
            check_rank("Conv1D", "kernel_size", kernel_size, 1),
            strides,
            padding,
            dilation,
            groups,
            check_layout("Conv1D", layout, CONVOLUTION_LAYOUTS[1]),
            in_channels,
            activation,
            use_bias,
            weight_initializer,
            bias_initializer,
            **kwargs,
        )


class Conv2D(_Conv):
    """2-D convolution; arguments as of `_Conv`.

    Data (N, C, H, W) in `layout` NCHW or NHWC gives (N, channels, ...) of which each spatial size is
    `floor((size + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1`. `weight` is
    (channels, in_channels / groups, kernel...).
    """

    def __init__(
        self,
        channels: int,
        kernel_size: Size,
        strides: Size = (1, 1),
        padding: Size = (0, 0),
        dilation: Size = (1, 1),
        groups: int = 1,
        layout: str = "NCHW",
        activation: str | None = None,
        use_bias: bool = True,
        weight_initializer: Any = None,
        bias_initializer: Any = "zeros",
        in_channels: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            channels,
            check_rank("Conv2D", "kernel_size", kernel_size, 2),
            strides,
            padding,
            dilation,
            groups,
            check_layout("Conv2D", layout, CONVOLUTION_LAYOUTS[2]),
            in_channels,
            activation,
            use_bias,
            weight_initializer,
            bias_initializer,
            **kwargs,
        )


class Conv3D(_Conv):
    """3-D convolution; arguments as of `_Conv`.

    Data (N, C, D, H, W) in `layout` NCDHW or NDHWC gives (N, channels, ...) of which each spatial size is
    `floor((size + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1`. `weight` is
    (channels, in_channels / groups, kernel...).
    """

    def __init__(
        self,
        channels: int,
        kernel_size: Size,
        strides: Size = (1, 1, 1),
        padding: Size = (0, 0, 0),
        dilation: Size = (1, 1, 1),
        groups: int = 1,
        layout: str = "NCDHW",
        activation: str | None = None,
        use_bias: bool = True,
        weight_initializer: Any = None,
        bias_initializer: Any = "zeros",
        in_channels: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            channels,
            check_rank("Conv3D", "kernel_size", kernel_size, 3),
            strides,
            padding,
            dilation,
            groups,
            check_layout("Conv3D", layout, CONVOLUTION_LAYOUTS[3]),
            in_channels,
            activation,
            use_bias,
            weight_initializer,
            bias_initializer,
            **kwargs,
        )


class Conv1DTranspose(_Conv):
    """Transposed 1-D convolution; arguments as of `_Conv`.

    Data (N, C, W) in `layout` NCW gives (N, channels, ...) of which each spatial size is
    `(size - 1) * stride + dilation * (kernel - 1) + 1 - 2 * padding + output_padding`. `weight` is
    (in_channels, channels / groups, kernel...).
    """

    def __init__(
        self,
        channels: int,
        kernel_size: Size,
        strides: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        dilation: Size = 1,
        groups: int = 1,
        layout: str = "NCW",
        activation: str | None = None,
        use_bias: bool = True,
        weight_initializer: Any = None,
        bias_initializer: Any = "zeros",
        in_channels: int = 0,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("op_name", "Deconvolution")
        outpad = check_rank("Conv1DTranspose", "output_padding", output_padding, 1)
        super().__init__(
            channels,
            check_rank("Conv1DTranspose", "kernel_size", kernel_size, 1),
            strides,
            padding,
            dilation,
            groups,
            check_layout("Conv1DTranspose", layout, CONVOLUTION_LAYOUTS[1]),
            in_channels,
            activation,
            use_bias,
            weight_initializer,
            bias_initializer,
            adj=outpad,
            **kwargs,
        )
        self.outpad = outpad


class Conv2DTranspose(_Conv):
    """Transposed 2-D convolution; arguments as of `_Conv`.

    Data (N, C, H, W) in `layout` NCHW or NHWC gives (N, channels, ...) of which each spatial size is
    `(size - 1) * stride + dilation * (kernel - 1) + 1 - 2 * padding + output_padding`. `weight` is
    (in_channels, channels / groups, kernel...).
    """

    def __init__(
        self,
        channels: int,
        kernel_size: Size,
        strides: Size = (1, 1),
        padding: Size = (0, 0),
        output_padding: Size = (0, 0),
        dilation: Size = (1, 1),
        groups: int = 1,
        layout: str = "NCHW",
        activation: str | None = None,
        use_bias: bool = True,
        weight_initializer: Any = None,
        bias_initializer: Any = "zeros",
        in_channels: int = 0,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("op_name", "Deconvolution")
        outpad = check_rank("Conv2DTranspose", "output_padding", output_padding, 2)
        super().__init__(
            channels,
            check_rank("Conv2DTranspose", "kernel_size", kernel_size, 2),
            strides,
            padding,
            dilation,
            groups,
            check_layout("Conv2DTranspose", layout, CONVOLUTION_LAYOUTS[2]),
            in_channels,
            activation,
            use_bias,
            weight_initializer,
            bias_initializer,
            adj=outpad,
            **kwargs,
        )
        self.outpad = outpad


class Conv3DTranspose(_Conv):
    """Transposed 3-D convolution; arguments as of `_Conv`.

    Data (N, C, D, H, W) in `layout` NCDHW or NDHWC gives (N, channels, ...) of which each spatial size is
    `(size - 1) * stride + dilation * (kernel - 1) + 1 - 2 * padding + output_padding`. `weight` is
    (in_channels, channels / groups, kernel...).
    """

    def __init__(
        self,
        channels: int,
        kernel_size: Size,
        strides: Size = (1, 1, 1),
        padding: Size = (0, 0, 0),
        output_padding: Size = (0, 0, 0),
        dilation: Size = (1, 1, 1),
        groups: int = 1,
        layout: str = "NCDHW",
        activation: str | None = None,
        use_bias: bool = True,
        weight_initializer: Any = None,
        bias_initializer: Any = "zeros",
        in_channels: int = 0,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("op_name", "Deconvolution")
        outpad = check_rank("Conv3DTranspose", "output_padding", output_padding, 3)
        super().__init__(
            channels,
            check_rank("Conv3DTranspose", "kernel_size", kernel_size, 3),
            strides,
            padding,
            dilation,
            groups,
            check_layout("Conv3DTranspose", layout, CONVOLUTION_LAYOUTS[3]),
            in_channels,
            activation,
            use_bias,
            weight_initializer,
            bias_initializer,
            adj=outpad,
            **kwargs,
        )
        self.outpad = outpad
