"""Convolutions whose taps are moved by what another convolution finds."""

from typing import Any, ClassVar

from gluonnx.errors import ArgumentError
from gluonnx.gluon.block import HybridBlock
from gluonnx.gluon.nn import Activation
from gluonnx.gluon.nn.sizes import Size, check_layout, check_rank
from gluonnx.ops.table import TABLE

__all__ = ["DeformableConvolution", "ModulatedDeformableConvolution"]


class _Deformable(HybridBlock):
    """What both layers share.

    Args:
        channels: Number of output channels.
        kernel_size: Size of the kernel along each spatial axis. Here and below, a number stands for both axes.
        strides: Step of the kernel.
        padding: Zeros added at both ends.
        dilation: Distance between the kernel's taps.
        groups: Number of groups of channels that do not see each other.
        num_deformable_group: Number of groups of channels with offsets of their own.
        layout: NCHW, the only order of axes that the operator takes.
        use_bias: Whether `deformable_conv_bias` (channels,) is added.
        in_channels: Number of input channels; 0 to learn it from the first data.
        activation: Name of an activation function (see `Activation`); None for none.
        weight_initializer: Initializer of `deformable_conv_weight`.
        bias_initializer: Initializer of `deformable_conv_bias`.
        offset_weight_initializer: Initializer of `offset_weight`.
        offset_bias_initializer: Initializer of `offset_bias`.
        offset_use_bias: Whether the convolution that finds the offsets has a bias.
        op_name: Operator that is called.
        adj: Only None, as no operator takes it.
        prefix: See `Block`.
        params: See `Block`.

    Raises:
        ArgumentError: A size has the wrong number of entries, or `layout` or `adj` is none that an operator takes.
    """

    _numbers_a_tap: ClassVar[int]
    _is_offset_first: ClassVar[bool]
    offset_weight: Any
    offset_bias: Any
    deformable_conv_weight: Any
    deformable_conv_bias: Any

    def __init__(
        self,
        channels: int,
        kernel_size: Size = (1, 1),
        strides: Size = (1, 1),
        padding: Size = (0, 0),
        dilation: Size = (1, 1),
        groups: int = 1,
        num_deformable_group: int = 1,
        layout: str = "NCHW",
        use_bias: bool = True,
        in_channels: int = 0,
        activation: str | None = None,
        weight_initializer: Any = None,
        bias_initializer: Any = "zeros",
        offset_weight_initializer: Any = "zeros",
        offset_bias_initializer: Any = "zeros",
        offset_use_bias: bool = True,
        op_name: str = "",
        adj: Any = None,
        prefix: str | None = None,
        params: Any = None,
    ) -> None:
        super().__init__(prefix=prefix, params=params)
        layer = type(self).__name__
        if adj is not None:
            raise ArgumentError(f"{layer}: adj is of no use: expected None, got adj={adj!r}. Leave it out.")
        self._channels = channels
        self._in_channels = in_channels
        self._op_name = op_name
        kernel = tuple(check_rank(layer, "kernel_size", kernel_size, 2))
        shared = {
            "kernel": kernel,
            "stride": tuple(check_rank(layer, "strides", strides, 2)),
            "dilate": tuple(check_rank(layer, "dilation", dilation, 2)),
            "pad": tuple(check_rank(layer, "padding", padding, 2)),
            "num_group": groups,
            "layout": check_layout(layer, layout, ("NCHW",)),
        }
        taps = kernel[0] * kernel[1] * num_deformable_group
        self.offset_split_index = 2 * taps
        self._kwargs_offset: dict[str, Any] = {
            **shared,
            "num_filter": self._numbers_a_tap * taps,
            "no_bias": not offset_use_bias,
        }
        self._kwargs_deformable_conv: dict[str, Any] = {
            **shared,
            "num_filter": channels,
            "num_deformable_group": num_deformable_group,
            "no_bias": not use_bias,
        }
        offset = self._offset_shapes(in_channels)
        own = {"weight": (channels, 0, *kernel), "bias": (channels,)}
        wanted = [
            ("offset", offset, offset_weight_initializer, offset_bias_initializer if offset_use_bias else None),
            ("deformable_conv", own, weight_initializer, bias_initializer if use_bias else None),
        ]
        with self.name_scope():
            for name, shapes, weight, bias in wanted if self._is_offset_first else reversed(wanted):
                self._add(f"{name}_weight", shapes["weight"], weight)
                has_bias = offset_use_bias if name == "offset" else use_bias
                if has_bias:
                    self._add(f"{name}_bias", shapes["bias"], bias)
                else:
                    setattr(self, f"{name}_bias", None)
            self.act = Activation(activation, prefix=f"{activation}_") if activation else None

    def _add(self, name: str, shape: tuple[int, ...], init: Any) -> None:
        setattr(self, name, self.params.get(name, shape=shape, init=init, allow_deferred_init=True))

    def _offset_shapes(self, in_channels: int) -> dict[str, tuple[int, ...]]:
        operator = TABLE["Convolution"]
        attrs = operator.parse(operator.to_text(self._kwargs_offset))
        return operator.parameter_shapes({"data": (1, in_channels, 0, 0)}, attrs)

    def _find_offsets(self, F: Any, x: Any, weight: Any, bias: Any) -> Any:
        inputs = (x, weight) if bias is None else (x, weight, bias)
        return F.Convolution(*inputs, cudnn_off=True, **self._kwargs_offset)

    def _convolve(self, F: Any, bias: Any, **inputs: Any) -> Any:
        if bias is not None:
            inputs["bias"] = bias
        out = getattr(F.contrib, self._op_name)(**inputs, name="fwd", **self._kwargs_deformable_conv)
        return out if self.act is None else self.act(out)


class DeformableConvolution(_Deformable):
    """2-D convolution whose taps are moved by what a convolution of the data finds; arguments as of `_Deformable`.

    Data (N, C, H, W) gives (N, channels, ...), of which each spatial size is
    `floor((size + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1`.

    Source: Dai et al. 2017, Deformable Convolutional Networks.
    """

    _numbers_a_tap = 2
    _is_offset_first = True

    def __init__(
        self,
        channels: int,
        kernel_size: Size = (1, 1),
        strides: Size = (1, 1),
        padding: Size = (0, 0),
        dilation: Size = (1, 1),
        groups: int = 1,
        num_deformable_group: int = 1,
        layout: str = "NCHW",
        use_bias: bool = True,
        in_channels: int = 0,
        activation: str | None = None,
        weight_initializer: Any = None,
        bias_initializer: Any = "zeros",
        offset_weight_initializer: Any = "zeros",
        offset_bias_initializer: Any = "zeros",
        offset_use_bias: bool = True,
        op_name: str = "DeformableConvolution",
        adj: Any = None,
        prefix: str | None = None,
        params: Any = None,
    ) -> None:
        super().__init__(
            channels,
            kernel_size,
            strides,
            padding,
            dilation,
            groups,
            num_deformable_group,
            layout,
            use_bias,
            in_channels,
            activation,
            weight_initializer,
            bias_initializer,
            offset_weight_initializer,
            offset_bias_initializer,
            offset_use_bias,
            op_name,
            adj,
            prefix,
            params,
        )

    def _alias(self) -> str:
        return "deformable_conv"

    def hybrid_forward(
        self,
        F: Any,
        x: Any,
        offset_weight: Any,
        deformable_conv_weight: Any,
        offset_bias: Any = None,
        deformable_conv_bias: Any = None,
    ) -> Any:
        """Return the convolved data, with the activation applied."""
        offset = self._find_offsets(F, x, offset_weight, offset_bias)
        return self._convolve(F, deformable_conv_bias, data=x, offset=offset, weight=deformable_conv_weight)

    def __repr__(self) -> str:
        attrs = self._kwargs_deformable_conv
        first, second = self.deformable_conv_weight.shape[:2]
        parts = [f"{second or None} -> {first}", f"kernel_size={attrs['kernel']}", f"stride={attrs['stride']}"]
        if attrs["pad"] != (0, 0):
            parts.append(f"padding={attrs['pad']}")
        if attrs["dilate"] != (1, 1):
            parts.append(f"dilation={attrs['dilate']}")
        if attrs["num_group"] != 1:
            parts.append(f"groups={attrs['num_group']}")
        if self.deformable_conv_bias is None:
            parts.append("bias=False")
        if self.act is not None:
            parts.append(repr(self.act))
        return f"{type(self).__name__}({', '.join(parts)})"


class ModulatedDeformableConvolution(_Deformable):
    """`DeformableConvolution` whose taps are also weighted, by twice the sigmoid of what is found.

    Differs: it has a gradient on the CPU, where MXNet has one on GPUs only.

    Source: Zhu et al. 2018, Deformable ConvNets v2.
    """

    _numbers_a_tap = 3
    _is_offset_first = False

    def __init__(
        self,
        channels: int,
        kernel_size: Size = (1, 1),
        strides: Size = (1, 1),
        padding: Size = (0, 0),
        dilation: Size = (1, 1),
        groups: int = 1,
        num_deformable_group: int = 1,
        layout: str = "NCHW",
        use_bias: bool = True,
        in_channels: int = 0,
        activation: str | None = None,
        weight_initializer: Any = None,
        bias_initializer: Any = "zeros",
        offset_weight_initializer: Any = "zeros",
        offset_bias_initializer: Any = "zeros",
        offset_use_bias: bool = True,
        op_name: str = "ModulatedDeformableConvolution",
        adj: Any = None,
        prefix: str | None = None,
        params: Any = None,
    ) -> None:
        super().__init__(
            channels,
            kernel_size,
            strides,
            padding,
            dilation,
            groups,
            num_deformable_group,
            layout,
            use_bias,
            in_channels,
            activation,
            weight_initializer,
            bias_initializer,
            offset_weight_initializer,
            offset_bias_initializer,
            offset_use_bias,
            op_name,
            adj,
            prefix,
            params,
        )

    def _alias(self) -> str:
        return "modulated_deformable_conv"

    def hybrid_forward(
        self,
        F: Any,
        x: Any,
        offset_weight: Any,
        deformable_conv_weight: Any,
        offset_bias: Any = None,
        deformable_conv_bias: Any = None,
    ) -> Any:
        """Return the convolved data, with the activation applied."""
        found = self._find_offsets(F, x, offset_weight, offset_bias)
        offset = F.slice_axis(found, axis=1, begin=0, end=self.offset_split_index)
        mask = F.sigmoid(F.slice_axis(found, axis=1, begin=self.offset_split_index, end=None)) * 2
        return self._convolve(F, deformable_conv_bias, data=x, offset=offset, mask=mask, weight=deformable_conv_weight)
