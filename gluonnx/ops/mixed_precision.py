"""What training in mixed precision asks of arrays: whether they are finite, and one dtype for several."""

import torch
from torch import Tensor

from gluonnx.errors import InputError, InputTypeError
from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.dtypes import BY_TORCH
from gluonnx.ops.table import Attrs, operator


def _finite(name: str, arrays: tuple[Tensor, ...], kept: Tensor | None) -> Tensor:
    for array in arrays:
        if not array.dtype.is_floating_point:
            raise InputTypeError(
                f"{name}: input `data` has a wrong dtype: expected floats, "
                f"got {str(array.dtype).removeprefix('torch.')}."
            )
    flags = [torch.isfinite(array).all() for array in arrays]
    found = torch.stack(flags).all().to(torch.float32).reshape(1)
    return found if kept is None else found * kept


@operator("all_finite", gradient="none", source="MXNet 1.9.1 src/operator/contrib/all_finite.cc")
def all_finite(data: Tensor, *, init_output: bool = True, into: Tensor | None = None) -> Tensor:
    """1 if every element is finite, otherwise 0, (1,) float32.

    With `init_output=False`, 1 only if the array to fill (`out`) holds 1 before, too.
    """
    return _finite("all_finite", (data,), None if init_output else into)


@operator("multi_all_finite", gradient="none", source="MXNet 1.9.1 src/operator/contrib/all_finite.cc")
def multi_all_finite(
    *data: Tensor, num_arrays: int = 1, init_output: bool = True, into: Tensor | None = None
) -> Tensor:
    """`all_finite` of several arrays.

    Raises:
        InputError: There are not `num_arrays` arrays.
    """
    if len(data) != num_arrays:
        raise InputError(
            f"multi_all_finite: wrong number of inputs: expected num_arrays={num_arrays}, got {len(data)}."
        )
    return _finite("multi_all_finite", data, None if init_output else into)


@all_finite.onnx
@multi_all_finite.onnx
def _(g: GraphBuilder, *data: Value) -> Value:
    flags = []
    for array in data:
        is_zero = g.op("Equal", g.op("Sub", array, array), g.scalar(0.0, array))  # inf - inf is not a number
        flags.append(g.op("Reshape", g.op("ReduceMin", g.cast(is_zero, "float32"), keepdims=0), g.ints([1])))
    return flags[0] if len(flags) == 1 else g.op("ReduceMin", g.op("Concat", *flags, axis=0), keepdims=1)


def _common(dtypes: list[torch.dtype], cast_narrow: bool) -> torch.dtype:
    """Return the dtype for float16, bfloat16 and float32 arrays among arrays of these."""
    if cast_narrow:
        return next((d for d in (torch.float16, torch.bfloat16) if d in dtypes), torch.float32)
    return torch.float32 if torch.float32 in dtypes else dtypes[0]


def _outputs(attrs: Attrs) -> list[str]:
    count = attrs["num_outputs"]
    return ["output"] if count == 1 else [f"output{i}" for i in range(count)]


@operator(
    "amp_multicast", outputs=_outputs, view=True, source="MXNet 1.9.1 src/operator/tensor/amp_cast.cc, AMPMultiCastType"
)
def amp_multicast(*data: Tensor, num_outputs: int, cast_narrow: bool = False) -> tuple[Tensor, ...]:
    """Arrays of float16, bfloat16 and float32 in one dtype; arrays of other dtypes as they are.

    The dtype is float32 if there is one of it, otherwise that of the first array; with `cast_narrow` it is float16 or
    bfloat16 if there is one of it, otherwise float32.

    Raises:
        InputError: There are not `num_outputs` arrays.
    """
    if len(data) != num_outputs:
        raise InputError(f"amp_multicast: wrong number of inputs: expected num_outputs={num_outputs}, got {len(data)}.")
    common = _common([a.dtype for a in data], cast_narrow)
    castable = (torch.float16, torch.bfloat16, torch.float32)
    return tuple(a.to(common) if a.dtype in castable else a for a in data)


@amp_multicast.onnx
def _(g: GraphBuilder, *data: Value, cast_narrow: bool) -> tuple[Value, ...]:
    dtypes = {d.name: d.torch for d in BY_TORCH.values()}
    common = BY_TORCH[_common([dtypes[g.dtype(a)] for a in data], cast_narrow)].name
    castable = ("float16", "bfloat16", "float32")
    return tuple(g.cast(a, common) if g.dtype(a) in castable else a for a in data)
