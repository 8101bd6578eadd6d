"""Functions of an array and a number: `data + 2` and its kind.

The number takes the dtype of `data`: for integers it is truncated (`is_int`, the default) or, with `is_int=False`, the
integers become float64. Booleans become int64 first.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gluonnx.errors import AttributeValueError
from gluonnx.ops import binary, sparse_rules
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.dtypes import in_range, torch_dtype
from gluonnx.ops.onnx_types import FLOATS
from gluonnx.ops.table import TABLE, operator

SOURCE = "MXNet 1.9.1 src/operator/tensor/elemwise_binary_scalar_op.h"


Lowering = Callable[[GraphBuilder, Value, Value], Value]


def with_scalar(
    name: str,
    *aliases: str,
    fn: Callable[[Tensor, Any], Tensor],
    onnx: Lowering,
    doc: str,
    ints: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> None:
    """Declare a function of an array and a number.

    Args:
        name: MXNet's registered name.
        aliases: Further registered names.
        fn: The torch function of the array and the Python number, for floating point.
        onnx: The lowering of the array and the number as a 0-D tensor of its dtype.
        doc: What it computes.
        ints: The torch function of integers and a 0-D tensor of their dtype, where it is not `fn`.
    """
    of_ints = fn if ints is None else ints

    def forward(data: Tensor, *, scalar: float = 1.0, is_int: bool = True) -> Tensor:
        if data.is_floating_point():
            try:
                return fn(data, scalar)
            except RuntimeError:
                # torch refuses some numbers beyond the range of the dtype, which are infinite here.
                limited = in_range(scalar, data.dtype)
                if limited == scalar:
                    raise
                return fn(data, limited)
        if not is_int:
            return fn(data.to(torch.float64), scalar)
        if data.dtype == torch.bool:
            data = data.to(torch.int64)
        number = torch.full((), _wrap(name, scalar, data.dtype), dtype=data.dtype, device=data.device)
        return of_ints(data, number)

    forward.__doc__ = doc
    op = operator(name, *aliases, source=SOURCE, shapes="same")(forward)

    @op.dtypes
    def _(data: str | None, output: str | None, *, is_int: bool) -> dict[str, str | None]:
        if data is None or data in FLOATS:
            return {"data": output if is_int else None, "output": data}
        return {"output": "float64" if not is_int else "int64" if data == "bool" else data}

    @op.onnx
    def _(g: GraphBuilder, data: Value, *, scalar: float, is_int: bool) -> Value:
        dtype = g.dtype(data)
        if dtype in FLOATS:
            return onnx(g, data, g.scalar(scalar, data))
        if not is_int:
            data = g.cast(data, "float64")
            return onnx(g, data, g.scalar(scalar, data))
        if dtype == "bool":
            data, dtype = g.cast(data, "int64"), "int64"
        return onnx(g, data, g.scalar(_wrap(name, scalar, torch_dtype(dtype)), data))


def _wrap(name: str, scalar: float, dtype: torch.dtype) -> int:
    """`scalar` truncated to an integer of `dtype`, modulo its range."""
    if not math.isfinite(scalar):
        raise AttributeValueError(
            f"{name}: attribute `scalar` has a wrong value: expected a finite number for {dtype} data, "
            f"got scalar={scalar}. Cast the data to a float dtype first."
        )
    info = torch.iinfo(dtype)
    return (int(scalar) - info.min) % (info.max - info.min + 1) + info.min


def _reversed(lowering: Lowering) -> Lowering:
    return lambda g, x, s: lowering(g, s, x)


def _mod(data: Tensor, scalar: float) -> Tensor:
    # `data * 0` would turn infinities into NaN.
    return torch.remainder(data, scalar) if scalar != 0 else _through(data, torch.zeros_like(data))


def _through(data: Tensor, value: Tensor) -> Tensor:
    """`value`, with the gradient of `data` (that of a remainder is 1 even by 0)."""
    return value + (data - data.detach()) if data.requires_grad and torch.is_grad_enabled() else value


def _rmod(data: Tensor, scalar: float) -> Tensor:
    return binary.modulo(torch.full_like(data, scalar, requires_grad=False), data)


def _hypot(data: Tensor, scalar: float) -> Tensor:
    return torch.hypot(data, torch.full((), scalar, dtype=data.dtype, device=data.device))


def _trunc_div(lhs: Tensor, rhs: Tensor) -> Tensor:
    return torch.div(lhs, rhs, rounding_mode="trunc")


with_scalar("_plus_scalar", "_PlusScalar", fn=torch.add, onnx=lambda g, x, s: g.op("Add", x, s), doc="`data + scalar`.")
with_scalar(
    "_minus_scalar", "_MinusScalar", fn=torch.sub, onnx=lambda g, x, s: g.op("Sub", x, s), doc="`data - scalar`."
)
with_scalar(
    "_scatter_plus_scalar",
    fn=torch.add,
    onnx=lambda g, x, s: g.op("Add", x, s),
    doc="`data + scalar`; of a sparse array only the elements that it holds.",
)
with_scalar(
    "_scatter_minus_scalar",
    fn=torch.sub,
    onnx=lambda g, x, s: g.op("Sub", x, s),
    doc="`data - scalar`; of a sparse array only the elements that it holds.",
)
with_scalar(
    "_rminus_scalar", "_RMinusScalar", fn=torch.rsub, onnx=lambda g, x, s: g.op("Sub", s, x), doc="`scalar - data`."
)
with_scalar("_mul_scalar", "_MulScalar", fn=torch.mul, onnx=lambda g, x, s: g.op("Mul", x, s), doc="`data * scalar`.")
with_scalar(
    "_div_scalar",
    "_DivScalar",
    fn=torch.div,
    ints=_trunc_div,
    onnx=lambda g, x, s: g.op("Div", x, s),
    doc="`data / scalar`, toward zero for integers.",
)
with_scalar(
    "_rdiv_scalar",
    "_RDivScalar",
    fn=lambda data, scalar: scalar / data,
    ints=lambda data, number: _trunc_div(number, data),
    onnx=lambda g, x, s: g.op("Div", s, x),
    doc="`scalar / data`, toward zero for integers.",
)
with_scalar(
    "_mod_scalar",
    "_ModScalar",
    fn=_mod,
    ints=binary.modulo,
    onnx=binary.onnx_modulo,
    doc="Remainder of `data / scalar` with the sign of `scalar`; 0 if `scalar` is 0.",
)
with_scalar(
    "_rmod_scalar",
    "_RModScalar",
    fn=_rmod,
    ints=lambda data, number: binary.modulo(number, data),
    onnx=_reversed(binary.onnx_modulo),
    doc="Remainder of `scalar / data` with the sign of `data`; 0 where `data` is 0.",
)
with_scalar(
    "_power_scalar",
    "_PowerScalar",
    fn=torch.pow,
    onnx=binary.onnx_power,
    doc="`data ** scalar`, truncated for integers.",
)
with_scalar(
    "_rpower_scalar",
    "_RPowerScalar",
    fn=lambda data, scalar: torch.pow(scalar, data),
    ints=lambda data, number: torch.pow(number, data),
    onnx=_reversed(binary.onnx_power),
    doc="`scalar ** data`, truncated for integers.",
)
with_scalar(
    "_maximum_scalar",
    "_MaximumScalar",
    fn=torch.clamp_min,
    ints=torch.maximum,
    onnx=lambda g, x, s: g.op("Max", x, s),
    doc="The larger of `data` and `scalar`.",
)
with_scalar(
    "_minimum_scalar",
    "_MinimumScalar",
    fn=torch.clamp_max,
    ints=torch.minimum,
    onnx=lambda g, x, s: g.op("Min", x, s),
    doc="The smaller of `data` and `scalar`.",
)
with_scalar(
    "_hypot_scalar",
    "_HypotScalar",
    fn=_hypot,
    ints=binary.hypotenuse,
    onnx=binary.onnx_hypotenuse,
    doc="`sqrt(data ** 2 + scalar ** 2)`.",
)


def _claiming(claim: Callable[[Tensor, Any], Tensor]) -> Callable[[Tensor, Any], Tensor]:
    return lambda data, other: claim(data, other).to(data.dtype)


def _truth(claim: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Any], Tensor]:
    def logical(data: Tensor, other: float | Tensor) -> Tensor:
        if not isinstance(other, Tensor):
            other = torch.full((), other, dtype=data.dtype, device=data.device)
        return claim(data, other).to(data.dtype)

    return logical


_COMPARISONS: tuple[tuple[str, str, Callable[[Tensor, Any], Tensor], Lowering, str], ...] = (
    ("Equal", "equal", torch.eq, binary.comparison("Equal"), "data == scalar"),
    ("NotEqual", "not_equal", torch.ne, binary.comparison("Equal", is_negated=True), "data != scalar"),
    ("Greater", "greater", torch.gt, binary.comparison("Greater"), "data > scalar"),
    ("GreaterEqual", "greater_equal", torch.ge, binary.comparison("GreaterOrEqual"), "data >= scalar"),
    ("Lesser", "lesser", torch.lt, binary.comparison("Less"), "data < scalar"),
    ("LesserEqual", "lesser_equal", torch.le, binary.comparison("LessOrEqual"), "data <= scalar"),
)

for _title, _name, _fn, _onnx, _claim in _COMPARISONS:
    with_scalar(
        f"_{_name}_scalar", f"_{_title}Scalar", fn=_claiming(_fn), onnx=_onnx, doc=f"1 where `{_claim}`, else 0."
    )

_LOGICALS: tuple[tuple[str, str, Callable[[Tensor, Tensor], Tensor], Lowering, str], ...] = (
    ("And", "and", torch.logical_and, binary.logical("And"), "data and scalar"),
    ("Or", "or", torch.logical_or, binary.logical("Or"), "data or scalar"),
    ("Xor", "xor", torch.logical_xor, binary.logical("Xor"), "bool(data) != bool(scalar)"),
)

for _title, _name, _logical, _onnx, _claim in _LOGICALS:
    with_scalar(
        f"_logical_{_name}_scalar",
        f"_Logical{_title}Scalar",
        fn=_truth(_logical),
        onnx=_onnx,
        doc=f"1 where `{_claim}`, else 0.",
    )

for _name in ("_mul_scalar", "_div_scalar", "_scatter_plus_scalar", "_scatter_minus_scalar"):
    sparse_rules.on_values(TABLE[_name])
for _name in ("_plus_scalar", "_minus_scalar", *(f"_{name}_scalar" for _, name, *_ in _COMPARISONS)):
    sparse_rules.on_values(TABLE[_name], only_if=sparse_rules.keeps_zero(TABLE[_name]))
