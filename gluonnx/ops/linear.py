"""Matrix products."""

import math

from torch import Tensor
from torch.nn import functional as F

from gluonnx.ops.builder import GraphBuilder, Value
from gluonnx.ops.table import operator


@operator(
    "FullyConnected",
    "_npx_fully_connected",
    "_sparse_FullyConnected",
    when={"bias": lambda attrs: not attrs["no_bias"]},
    source="MXNet 1.9.1 src/operator/nn/fully_connected-inl.h",
)
def fully_connected(
    data: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    num_hidden: int,
    no_bias: bool = False,
    flatten: bool = True,
) -> Tensor:
    """Affine map `data @ weight.T + bias`.

    `data` (N, ...) gives (N, num_hidden); with `flatten=False`, (..., C) gives (..., num_hidden).
    `weight` (num_hidden, C), `bias` (num_hidden,).
    """
    return F.linear(data.flatten(1) if flatten and data.dim() != 2 else data, weight, bias)


@fully_connected.onnx
def _(g: GraphBuilder, data: Value, weight: Value, bias: Value | None = None, *, flatten: bool) -> Value:
    rank = g.rank(data)
    if flatten or rank == 2:
        flat = data if rank == 2 else g.op("Flatten", data, axis=1)
        return g.op("Gemm", flat, weight, bias, transB=1)
    product = g.op("MatMul", data, g.op("Transpose", weight, perm=[1, 0]))
    return product if bias is None else g.op("Add", product, bias)


@fully_connected.parameters
def _(data: tuple[int, ...], *, num_hidden: int, flatten: bool) -> dict[str, tuple[int, ...]]:
    units = math.prod(data[1:]) if flatten else data[-1]
    return {"weight": (num_hidden, units), "bias": (num_hidden,)}
