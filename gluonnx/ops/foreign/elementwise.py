"""ONNX operators that work element by element."""

import functools
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from gluonnx.ops.foreign.table import dtype_of, onnx_operator

_NARROW_KERNELS = frozenset({torch.uint16, torch.uint32, torch.uint64})
"""Dtypes for which torch has few kernels; int64 has the same bits."""


def _plain(name: str, function: Callable[..., Tensor]) -> None:
    def run(data: Tensor) -> Tensor:
        return function(data)

    run.__doc__ = f"ONNX `{name}`, element by element."
    onnx_operator(name)(run)


_UNARY: dict[str, Callable[..., Tensor]] = {
    "Abs": torch.abs,
    "Acos": torch.acos,
    "Acosh": torch.acosh,
    "Asin": torch.asin,
    "Asinh": torch.asinh,
    "Atan": torch.atan,
    "Atanh": torch.atanh,
    "Cos": torch.cos,
    "Cosh": torch.cosh,
    "Erf": torch.erf,
    "Exp": torch.exp,
    "HardSwish": F.hardswish,
    "IsNaN": torch.isnan,
    "Log": torch.log,
    "Mish": F.mish,
    "Neg": torch.neg,
    "Not": torch.logical_not,
    "Reciprocal": torch.reciprocal,
    "Relu": torch.relu,
    "Round": torch.round,
    "Sigmoid": torch.sigmoid,
    "Sign": torch.sign,
    "Sin": torch.sin,
    "Sinh": torch.sinh,
    "Softsign": F.softsign,
    "Sqrt": torch.sqrt,
    "Tan": torch.tan,
    "Tanh": torch.tanh,
}
for _name, _function in _UNARY.items():
    _plain(_name, _function)


@onnx_operator("BitwiseNot")
def bitwise_not(data: Tensor) -> Tensor:
    """Every bit turned."""
    return _wide(torch.bitwise_not, data)


@onnx_operator("BitCast", opset=26)
def bit_cast(data: Tensor, *, to: int) -> Tensor:
    """The same bits as another element type of the same size."""
    return data.view(dtype_of(to))


@onnx_operator("Identity")
def identity(data: Tensor) -> Tensor:
    """The input."""
    return data


@onnx_operator("Floor")
def floor(data: Tensor) -> Tensor:
    """The largest integer that is not larger."""
    return torch.floor(data)


@onnx_operator("Ceil")
def ceil(data: Tensor) -> Tensor:
    """The smallest integer that is not smaller."""
    return torch.ceil(data)


@onnx_operator("Softplus")
def softplus(data: Tensor) -> Tensor:
    """log(1 + exp(x))."""
    return torch.logaddexp(data, torch.zeros_like(data))


@onnx_operator("LeakyRelu")
def leaky_relu(data: Tensor, *, alpha: float = 0.01) -> Tensor:
    """Where negative, times `alpha`."""
    return torch.where(data < 0, alpha * data, data)


@onnx_operator("Elu")
def elu(data: Tensor, *, alpha: float = 1.0) -> Tensor:
    """Where negative, alpha (exp(x) - 1)."""
    return F.elu(data, alpha)


@onnx_operator("Selu")
def selu(data: Tensor, *, alpha: float = 1.6732632423543772, gamma: float = 1.0507009873554805) -> Tensor:
    """Scaled elu."""
    return gamma * F.elu(data, alpha)


@onnx_operator("Celu")
def celu(data: Tensor, *, alpha: float = 1.0) -> Tensor:
    """Where negative, alpha (exp(x / alpha) - 1)."""
    return F.celu(data, alpha)


@onnx_operator("ThresholdedRelu")
def thresholded_relu(data: Tensor, *, alpha: float = 1.0) -> Tensor:
    """Zero where not larger than `alpha`."""
    return torch.where(data > alpha, data, torch.zeros_like(data))


@onnx_operator("HardSigmoid")
def hard_sigmoid(data: Tensor, *, alpha: float = 0.2, beta: float = 0.5) -> Tensor:
    """`alpha` x + beta, between 0 and 1."""
    return torch.clamp(alpha * data + beta, 0, 1)


@onnx_operator("Gelu")
def gelu(data: Tensor, *, approximate: str = "none") -> Tensor:
    """The input times the normal distribution function of x."""
    return F.gelu(data, approximate=approximate)


@onnx_operator("Swish", opset=24)
def swish(data: Tensor, *, alpha: float = 1.0) -> Tensor:
    """The input times sigmoid(alpha x)."""
    return data * torch.sigmoid(alpha * data)


@onnx_operator("Shrink")
def shrink(data: Tensor, *, bias: float = 0.0, lambd: float = 0.5) -> Tensor:
    """The input + bias below -lambd, x - bias above lambd, else 0."""
    low, high = (data + bias).to(data.dtype), (data - bias).to(data.dtype)
    return torch.where(data < -lambd, low, torch.where(data > lambd, high, torch.zeros_like(data)))


@onnx_operator("PRelu")
def prelu(data: Tensor, slope: Tensor) -> Tensor:
    """Where negative, times `slope`, which broadcasts to the data."""
    return torch.where(data < 0, data * slope, data)


@onnx_operator("IsInf")
def isinf(data: Tensor, *, detect_negative: int = 1, detect_positive: int = 1) -> Tensor:
    """Whether infinite, of the signs asked for."""
    found = torch.isinf(data)
    if not detect_negative:
        found = found & (data > 0)
    return found if detect_positive else found & (data < 0)


@onnx_operator("Clip")
def clip(data: Tensor, least: Tensor | None = None, most: Tensor | None = None) -> Tensor:
    """Between `least` and `most`; the upper bound wins."""
    result = data if least is None else _wide(torch.maximum, data, least)
    return result if most is None else _wide(torch.minimum, result, most)


@onnx_operator("Cast")
def cast(data: Tensor, *, to: int, saturate: int = 1, round_mode: str = "up") -> Tensor:
    """To an element type; floats become integers toward zero."""
    return data.to(dtype_of(to))


@onnx_operator("CastLike")
def cast_like(data: Tensor, like: Tensor, *, saturate: int = 1, round_mode: str = "up") -> Tensor:
    """To the element type of `like`."""
    return data.to(like.dtype)


def _wide(function: Callable[..., Tensor], *data: Tensor) -> Tensor:
    dtype = data[0].dtype
    if dtype not in _NARROW_KERNELS:
        return function(*data)
    result = function(*(t.to(torch.int64) for t in data))
    return result if result.dtype is torch.bool else result.to(dtype)


def _binary(name: str, function: Callable[..., Tensor]) -> None:
    def run(a: Tensor, b: Tensor) -> Tensor:
        return _wide(function, a, b)

    run.__doc__ = f"ONNX `{name}`, element by element, with broadcasting."
    onnx_operator(name)(run)


def _divide(a: Tensor, b: Tensor) -> Tensor:
    return a / b if a.is_floating_point() else torch.div(a, b, rounding_mode="trunc")


_BINARY: dict[str, Callable[..., Tensor]] = {
    "Add": torch.add,
    "And": torch.logical_and,
    "BitwiseAnd": torch.bitwise_and,
    "BitwiseOr": torch.bitwise_or,
    "BitwiseXor": torch.bitwise_xor,
    "Div": _divide,
    "Equal": torch.eq,
    "Greater": torch.gt,
    "GreaterOrEqual": torch.ge,
    "Less": torch.lt,
    "LessOrEqual": torch.le,
    "Mul": torch.mul,
    "Or": torch.logical_or,
    "Sub": torch.sub,
    "Xor": torch.logical_xor,
}
for _name, _rule in _BINARY.items():
    _binary(_name, _rule)


@onnx_operator("Pow")
def power(a: Tensor, b: Tensor) -> Tensor:
    """The first to the power of the second, in the dtype of the first."""
    if not a.is_floating_point() and b.is_floating_point():
        return torch.pow(a.to(torch.float64), b).to(a.dtype)
    return _wide(torch.pow, a, b.to(a.dtype))


@onnx_operator("Mod")
def mod(a: Tensor, b: Tensor, *, fmod: int = 0) -> Tensor:
    """Remainder of the sign of b; with `fmod` of the sign of a."""
    return _wide(torch.fmod if fmod else torch.remainder, a, b)


@onnx_operator("BitShift")
def bit_shift(data: Tensor, count: Tensor, *, direction: str) -> Tensor:
    """Shift bits; those that leave are lost, and zeros come in."""
    wide, shift = data.to(torch.int64), count.to(torch.int64)
    if data.dtype is torch.uint64:
        mask = torch.where(shift > 0, (1 << (64 - shift).clamp(1, 63)) - 1, torch.full_like(shift, -1))
        return (wide << shift if direction == "LEFT" else (wide >> shift) & mask).view(torch.uint64)
    return (wide << shift if direction == "LEFT" else wide >> shift).to(data.dtype)


def _fold(function: Callable[[Tensor, Tensor], Tensor], *data: Tensor) -> Tensor:
    return functools.reduce(functools.partial(_wide, function), data)


@onnx_operator("Max")
def maximum(*data: Tensor) -> Tensor:
    """The largest of any number of inputs, with broadcasting."""
    return _fold(torch.maximum, *data)


@onnx_operator("Min")
def minimum(*data: Tensor) -> Tensor:
    """The smallest of any number of inputs, with broadcasting."""
    return _fold(torch.minimum, *data)


@onnx_operator("Sum")
def total(*data: Tensor) -> Tensor:
    """The sum of any number of inputs, with broadcasting."""
    return _fold(torch.add, *data)


@onnx_operator("Mean")
def mean(*data: Tensor) -> Tensor:
    """The mean of any number of inputs, with broadcasting."""
    return _fold(torch.add, *data) / len(data)


@onnx_operator("Where")
def where(condition: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """`a` where the condition is true, else `b`, with broadcasting."""
    return torch.where(condition, a, b)


@onnx_operator("Dropout")
def dropout(
    data: Tensor,
    ratio: Tensor | None = None,
    training_mode: Tensor | None = None,
    *,
    seed: int = 0,
    output_count: int,
    training: bool,
    generator: torch.Generator | None,
) -> Tensor | tuple[Tensor, Tensor]:
    """Elements dropped in training, the others scaled up; and which are left. At inference all are, unless the model
    itself says `training_mode`.
    """
    kept = torch.ones_like(data, dtype=torch.bool)
    share = 0.5 if ratio is None or ratio.device.type == "meta" else float(ratio)
    is_told = training_mode is not None and training_mode.device.type != "meta" and bool(training_mode)
    if (training or is_told) and share and data.device.type != "meta":
        kept = torch.rand(data.shape, device=data.device, generator=generator) >= share
        data = torch.where(kept, data / (1 - share), torch.zeros_like(data))
    return (data, kept) if output_count > 1 else data


@onnx_operator("CumSum", values="axis")
def cumsum(data: Tensor, axis: Tensor, *, exclusive: int = 0, reverse: int = 0) -> Tensor:
    """Sums of the elements up to each one along an axis."""
    return _cumulative(torch.cumsum, data, int(axis), exclusive, reverse, 0)


@onnx_operator("CumProd", values="axis", opset=26)
def cumprod(data: Tensor, axis: Tensor, *, exclusive: int = 0, reverse: int = 0) -> Tensor:
    """Products of the elements up to each one along an axis."""
    return _cumulative(torch.cumprod, data, int(axis), exclusive, reverse, 1)


def _cumulative(
    function: Callable[..., Tensor], data: Tensor, axis: int, exclusive: int, reverse: int, neutral: int
) -> Tensor:
    size = data.shape[axis]
    given = data.flip(axis) if reverse else data
    if exclusive and size:
        first = torch.full_like(given.narrow(axis, 0, 1), neutral)
        given = torch.cat([first, given.narrow(axis, 0, size - 1)], axis)
    result = function(given, axis, dtype=data.dtype)
    return result.flip(axis) if reverse else result


@onnx_operator("Softmax")
def softmax(data: Tensor, *, axis: int = -1) -> Tensor:
    """exp(x), scaled so that sums along the axis are 1."""
    return torch.softmax(data, axis)


@onnx_operator("LogSoftmax")
def log_softmax(data: Tensor, *, axis: int = -1) -> Tensor:
    """The logarithm of softmax."""
    return torch.log_softmax(data, axis)


@onnx_operator("Hardmax")
def hardmax(data: Tensor, *, axis: int = -1) -> Tensor:
    """1 at the first largest element along the axis, else 0."""
    return torch.zeros_like(data).scatter(axis, data.argmax(axis, keepdim=True), 1.0)


@onnx_operator("LpNormalization")
def lp_normalization(data: Tensor, *, axis: int = -1, p: int = 2) -> Tensor:
    """Divided by the p-norm along the axis; 0 where that is 0."""
    norm = torch.linalg.vector_norm(data, p, dim=axis, keepdim=True)
    return torch.where(norm == 0, torch.zeros_like(data), data / torch.where(norm == 0, torch.ones_like(norm), norm))


@onnx_operator("MeanVarianceNormalization")
def mean_variance_normalization(data: Tensor, *, axes: list[int] | None = None) -> Tensor:
    """(x - mean) / (deviation + 1e-9) over the axes."""
    over = [0, 2, 3] if axes is None else axes
    centred = data - data.mean(over, keepdim=True)
    return centred / (torch.sqrt((data**2).mean(over, keepdim=True) - data.mean(over, keepdim=True) ** 2) + 1e-9)


@onnx_operator("Det")
def det(data: Tensor) -> Tensor:
    """The determinant of each matrix."""
    return torch.det(data)
