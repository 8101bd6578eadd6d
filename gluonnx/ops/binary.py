"""Functions of two arrays of one dtype, each as an operator for equal shapes and one that broadcasts as NumPy does.

Comparisons and logical functions give 1 and 0 in the dtype of their inputs. Integer division truncates toward zero.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from gluonnx.errors import InputError
from gluonnx.ops import sparse_rules
from gluonnx.ops.attributes import Attribute
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.onnx_types import FLOATS, casting
from gluonnx.ops.table import TABLE, no_effect, operator

SOURCE = "MXNet 1.9.1 src/operator/tensor/elemwise_binary_op.h, src/operator/mshadow_op.h"

Function = Callable[[Tensor, Tensor], Tensor]
Lowering = Callable[[GraphBuilder, Value, Value], Value]


def binary(
    *, elemwise: str, broadcast: str, fn: Function, onnx: Lowering, doc: str, ignored: Sequence[Attribute] = ()
) -> None:
    """Declare a function of two arrays.

    Args:
        elemwise: Names of the operator for equal shapes, space-separated, MXNet's registered name first.
        broadcast: Names of the operator that broadcasts.
        fn: The torch function; its inputs have one dtype.
        onnx: The lowering, which broadcasts.
        doc: What it computes.
        ignored: Attributes that the broadcasting operator accepts and does not read.
    """
    for names in (elemwise.split(), broadcast.split()):
        forward = _equal_shapes(names[0], fn) if names[0] == elemwise.split()[0] else _broadcasting(names[0], fn)
        forward.__doc__ = doc
        accepted = ignored if names[0] == broadcast.split()[0] else ()
        is_elemwise = names[0] == elemwise.split()[0]
        declare = operator(*names, source=SOURCE, no_effect=accepted, shapes="same" if is_elemwise else "broadcast")
        declare(forward).onnx(_lowering(onnx))


def elementwise(name: str, *, fn: Function, onnx: Lowering, doc: str) -> None:
    """Declare a function of two arrays of one shape that has no form that broadcasts."""
    forward = _equal_shapes(name, fn)
    forward.__doc__ = doc
    operator(name, source=SOURCE, shapes="same")(forward).onnx(_lowering(onnx))


def _equal_shapes(name: str, fn: Function) -> Function:
    def forward(lhs: Tensor, rhs: Tensor) -> Tensor:
        if lhs.size() != rhs.size() or lhs.dtype != rhs.dtype:
            raise InputError(
                f"{name}: lhs and rhs differ: expected one shape and dtype, {_got(lhs, rhs)}. "
                "Use the broadcast_ form, or cast one of them."
            )
        return fn(lhs, rhs)

    return forward


def _broadcasting(name: str, fn: Function) -> Function:
    def forward(lhs: Tensor, rhs: Tensor) -> Tensor:
        if lhs.dtype != rhs.dtype:
            raise InputError(f"{name}: dtypes differ: expected one dtype, {_got(lhs, rhs)}. Cast one of them.")
        try:
            return fn(lhs, rhs)
        except RuntimeError as err:
            if _broadcasts(lhs, rhs):
                raise
            raise InputError(
                f"{name}: shapes do not broadcast: expected equal sizes or 1 on each axis, {_got(lhs, rhs)}. "
                "Reshape one of them."
            ) from err

    return forward


def _got(lhs: Tensor, rhs: Tensor) -> str:
    return f"got lhs={tuple(lhs.shape)} {lhs.dtype}, rhs={tuple(rhs.shape)} {rhs.dtype}"


def _broadcasts(lhs: Tensor, rhs: Tensor) -> bool:
    pairs = zip(reversed(lhs.shape), reversed(rhs.shape), strict=False)
    return all(a == b or a == 1 or b == 1 for a, b in pairs)


def _lowering(onnx: Lowering) -> Lowering:
    def lowering(g: GraphBuilder, lhs: Value, rhs: Value) -> Value:
        return onnx(g, lhs, rhs)

    return lowering


def _plain(op_type: str) -> Lowering:
    return lambda g, a, b: g.op(op_type, a, b)


# Arithmetic.


def _div(lhs: Tensor, rhs: Tensor) -> Tensor:
    if lhs.is_floating_point():
        return torch.div(lhs, rhs)
    return torch.div(lhs, rhs, rounding_mode="trunc")


def modulo(lhs: Tensor, rhs: Tensor) -> Tensor:
    """Remainder with the sign of `rhs`; 0 where `rhs` is 0."""
    is_zero = rhs == 0
    # The inner `where` keeps integers from dividing by 0, the outer one keeps the fraction of floats out.
    return torch.where(is_zero, torch.zeros_like(rhs), torch.remainder(lhs, torch.where(is_zero, 1, rhs)))


def onnx_modulo(g: GraphBuilder, lhs: Value, rhs: Value) -> Value:
    """`modulo` in ONNX; its integer `Mod` has the sign of the divisor already, its float one that of the dividend."""
    zero = g.scalar(0, rhs)
    is_zero = g.op("Equal", rhs, zero)
    safe = g.op("Where", is_zero, g.scalar(1, rhs), rhs)
    if g.dtype(lhs) in FLOATS:
        remainder = g.op("Mod", lhs, safe, fmod=1)
        is_flipped = g.op("Less", g.op("Mul", remainder, safe), zero)
        remainder = g.op("Add", remainder, g.op("Mul", g.cast(is_flipped, g.dtype(lhs)), safe))
    else:
        remainder = g.op("Mod", lhs, safe)
    return g.op("Where", is_zero, zero, remainder)


def _is_recorded(lhs: Tensor, rhs: Tensor) -> bool:
    return (lhs.requires_grad or rhs.requires_grad) and torch.is_grad_enabled()


def _maximum(lhs: Tensor, rhs: Tensor) -> Tensor:
    # Where both are equal the whole gradient is the left one's; torch.maximum would share it.
    if _is_recorded(lhs, rhs):
        return torch.where((lhs >= rhs) | lhs.isnan(), lhs, rhs)
    return torch.maximum(lhs, rhs)


def _minimum(lhs: Tensor, rhs: Tensor) -> Tensor:
    if _is_recorded(lhs, rhs):
        return torch.where((lhs <= rhs) | lhs.isnan(), lhs, rhs)
    return torch.minimum(lhs, rhs)


def hypotenuse(lhs: Tensor, rhs: Tensor) -> Tensor:
    """`sqrt(lhs ** 2 + rhs ** 2)`, truncated for integers."""
    if lhs.is_floating_point():
        return torch.hypot(lhs, rhs)
    return torch.hypot(lhs.to(torch.float32), rhs.to(torch.float32)).to(lhs.dtype)


def onnx_hypotenuse(g: GraphBuilder, lhs: Value, rhs: Value) -> Value:
    """`hypotenuse` in ONNX."""

    def rule(a: Value, b: Value) -> Value:
        return g.op("Sqrt", g.op("Add", g.op("Mul", a, a), g.op("Mul", b, b)))

    return casting(g, FLOATS, "float32", rule, lhs, rhs)


def onnx_power(g: GraphBuilder, lhs: Value, rhs: Value) -> Value:
    """Power in ONNX; integers are computed in float64, because a negative exponent gives a fraction."""
    return casting(g, FLOATS, "float64", lambda a, b: g.op("Pow", a, b), lhs, rhs)


binary(
    elemwise="elemwise_add _Plus _add _plus _sparse_elemwise_add",
    broadcast="broadcast_add _sparse_broadcast_add _sparse_broadcast_plus broadcast_plus",
    fn=torch.add,
    onnx=_plain("Add"),
    doc="`lhs + rhs`.",
)
binary(
    elemwise="elemwise_sub _Minus _minus _sparse_elemwise_sub _sub",
    broadcast="broadcast_sub _sparse_broadcast_minus _sparse_broadcast_sub broadcast_minus",
    fn=torch.sub,
    onnx=_plain("Sub"),
    doc="`lhs - rhs`.",
)
binary(
    elemwise="elemwise_mul _Mul _mul _sparse_elemwise_mul",
    broadcast="broadcast_mul _sparse_broadcast_mul",
    fn=torch.mul,
    onnx=_plain("Mul"),
    doc="`lhs * rhs`.",
)
binary(
    elemwise="elemwise_div _Div _div _sparse_elemwise_div",
    broadcast="broadcast_div _sparse_broadcast_div",
    fn=_div,
    onnx=_plain("Div"),
    doc="`lhs / rhs`, toward zero for integers.",
)
elementwise(
    "_grad_add",
    fn=torch.add,
    onnx=_plain("Add"),
    doc="`lhs + rhs`.\n\nDiffers: it has a gradient; MXNet refuses to differentiate it.",
)
elementwise(
    "_scatter_elemwise_div",
    fn=_div,
    onnx=_plain("Div"),
    doc="`lhs / rhs`, toward zero for integers; of a row_sparse `lhs` only the rows that it holds.",
)
binary(
    elemwise="_mod _Mod",
    broadcast="broadcast_mod",
    fn=modulo,
    onnx=onnx_modulo,
    doc="Remainder of `lhs / rhs` with the sign of `rhs`; 0 where `rhs` is 0.",
)
binary(
    elemwise="_power _Power",
    broadcast="broadcast_power",
    fn=torch.pow,
    onnx=onnx_power,
    doc="`lhs ** rhs`, truncated for integers.",
)
binary(
    elemwise="_maximum _Maximum",
    broadcast="broadcast_maximum",
    fn=_maximum,
    onnx=_plain("Max"),
    doc="The larger of the two; where they are equal the gradient goes to `lhs`.",
    ignored=(no_effect("axis", int | None, None),),  # MXNet's CosineEmbeddingLoss gives it
)
binary(
    elemwise="_minimum _Minimum",
    broadcast="broadcast_minimum",
    fn=_minimum,
    onnx=_plain("Min"),
    doc="The smaller of the two; where they are equal the gradient goes to `lhs`.",
)
binary(
    elemwise="_hypot _Hypot",
    broadcast="broadcast_hypot",
    fn=hypotenuse,
    onnx=onnx_hypotenuse,
    doc="`sqrt(lhs ** 2 + rhs ** 2)`.",
)

# Comparisons and logical functions.


def comparison(op_type: str, *, is_negated: bool = False) -> Lowering:
    """Lower a comparison (or its opposite): 1 and 0 in the dtype of the inputs."""

    def lowering(g: GraphBuilder, lhs: Value, rhs: Value) -> Value:
        claim = g.op(op_type, lhs, rhs)
        return g.cast(g.op("Not", claim) if is_negated else claim, g.dtype(lhs))

    return lowering


def logical(op_type: str) -> Lowering:
    """Lower a logical function: any number but 0 is true, the result 1 and 0 in the dtype of the inputs."""
    return lambda g, a, b: g.cast(g.op(op_type, g.cast(a, "bool"), g.cast(b, "bool")), g.dtype(a))


def _as_numbers(claim: Function) -> Function:
    return lambda lhs, rhs: claim(lhs, rhs).to(lhs.dtype)


_CLAIMS: tuple[tuple[str, str, Function, Lowering, str], ...] = (
    ("Equal", "equal", torch.eq, comparison("Equal"), "lhs == rhs"),
    ("Not_Equal", "not_equal", torch.ne, comparison("Equal", is_negated=True), "lhs != rhs"),
    ("Greater", "greater", torch.gt, comparison("Greater"), "lhs > rhs"),
    ("Greater_Equal", "greater_equal", torch.ge, comparison("GreaterOrEqual"), "lhs >= rhs"),
    ("Lesser", "lesser", torch.lt, comparison("Less"), "lhs < rhs"),
    ("Lesser_Equal", "lesser_equal", torch.le, comparison("LessOrEqual"), "lhs <= rhs"),
    ("Logical_And", "logical_and", torch.logical_and, logical("And"), "lhs and rhs"),
    ("Logical_Or", "logical_or", torch.logical_or, logical("Or"), "lhs or rhs"),
    ("Logical_Xor", "logical_xor", torch.logical_xor, logical("Xor"), "bool(lhs) != bool(rhs)"),
)

for _title, _name, _fn, _onnx, _claim in _CLAIMS:
    binary(
        elemwise=f"_{_name} _{_title}",
        broadcast=f"broadcast_{_name}",
        fn=_as_numbers(_fn),
        onnx=_onnx,
        doc=f"1 where `{_claim}`, else 0.",
    )


@operator(
    "add_n",
    "ElementWiseSum",
    "_sparse_ElementWiseSum",
    "_sparse_add_n",
    count_attribute="num_args",
    view=True,
    source="MXNet 1.9.1 src/operator/tensor/elemwise_sum.cc",
    shapes="same",
)
def add_n(*args: Tensor) -> Tensor:
    """The sum of any number of arrays of one shape and dtype."""
    first, *others = args
    total = first
    for other in others:
        if other.shape != first.shape or other.dtype != first.dtype:
            raise InputError(
                f"add_n: inputs differ: expected {tuple(first.shape)} {first.dtype} as the first one, "
                f"got {tuple(other.shape)} {other.dtype}. Broadcast or cast it first."
            )
        total = total + other
    return total


@add_n.onnx
def _(g: GraphBuilder, *args: Value) -> Value:
    total, *others = args
    if g.dtype(total) in FLOATS:
        return g.op("Sum", *args)
    for other in others:
        total = g.op("Add", total, other)
    return total


add_n.sparse(sparse_rules.add_n)
for _name, _fn in (
    ("elemwise_add", torch.add),
    ("elemwise_sub", torch.sub),
    ("_maximum", torch.maximum),
    ("_minimum", torch.minimum),
    ("_hypot", hypotenuse),
):
    TABLE[_name].sparse(sparse_rules.elementwise(_fn))
TABLE["elemwise_mul"].sparse(sparse_rules.multiply)
TABLE["broadcast_mul"].sparse(sparse_rules.broadcast_by_dense(torch.mul))
TABLE["broadcast_div"].sparse(sparse_rules.broadcast_by_dense(_div))
TABLE["_scatter_elemwise_div"].sparse(sparse_rules.divide_held)
