"""ONNX operators of linear algebra, normalization and losses."""

import functools
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from gluonnx.ops.foreign.table import dtype_of, onnx_operator


@onnx_operator("MatMul")
def matmul(a: Tensor, b: Tensor) -> Tensor:
    """Matrix product, as numpy's."""
    if not a.is_floating_point() and a.dtype not in (torch.int32, torch.int64):
        return (a.to(torch.int64) @ b.to(torch.int64)).to(a.dtype)
    return a @ b


@onnx_operator("Gemm")
def gemm(
    a: Tensor,
    b: Tensor,
    c: Tensor | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,  # noqa: N803
    transB: int = 0,  # noqa: N803
) -> Tensor:
    """`alpha` A B + beta C."""
    result = (a.T if transA else a) @ (b.T if transB else b)
    if alpha != 1:
        result = (alpha * result).to(a.dtype)
    if c is None:
        return result
    return result + (c if beta == 1 else (beta * c).to(a.dtype))


@onnx_operator("Einsum")
def einsum(*data: Tensor, equation: str) -> Tensor:
    """Sums of products, as an equation tells."""
    return torch.einsum(equation.replace(" ", ""), *data)


@onnx_operator("BatchNormalization")
def batch_normalization(
    data: Tensor,
    scale: Tensor,
    bias: Tensor,
    mean: Tensor,
    variance: Tensor,
    *,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    training_mode: int = 0,
    output_count: int,
) -> Tensor | tuple[Tensor, ...]:
    """Normalization of each channel by given statistics, or with `training_mode` by the batch's own."""
    shape = (1, -1, *[1] * (data.dim() - 2))
    if not training_mode:
        scaled = scale.to(data.dtype) / torch.sqrt(variance.to(data.dtype) + epsilon)
        return (data - mean.to(data.dtype).reshape(shape)) * scaled.reshape(shape) + bias.to(data.dtype).reshape(shape)
    axes = [0, *range(2, data.dim())]
    found, spread = data.mean(axes), data.var(axes, unbiased=False)
    factor = (scale / torch.sqrt(spread + epsilon)).reshape(shape)
    result = (data - found.reshape(shape)) * factor + bias.reshape(shape)
    updates = (
        mean * momentum + found * (1 - momentum),
        variance * momentum + spread * (1 - momentum),
    )
    return (result, *updates)[:output_count] if output_count > 1 else result


@onnx_operator("InstanceNormalization")
def instance_normalization(data: Tensor, scale: Tensor, bias: Tensor, *, epsilon: float = 1e-5) -> Tensor:
    """Normalization of each channel of each sample."""
    axes = list(range(2, data.dim()))
    shape = (1, -1, *[1] * (data.dim() - 2))
    centred = data - data.mean(axes, keepdim=True)
    spread = centred.square().mean(axes, keepdim=True)
    return centred / torch.sqrt(spread + epsilon) * scale.reshape(shape) + bias.reshape(shape)


@onnx_operator("LayerNormalization")
def layer_normalization(
    data: Tensor,
    scale: Tensor,
    bias: Tensor | None = None,
    *,
    axis: int = -1,
    epsilon: float = 1e-5,
    stash_type: int = 1,
    output_count: int,
) -> Tensor | tuple[Tensor, ...]:
    """Normalization over the axes from `axis` on; also the mean and the inverse deviation."""
    axes = list(range(axis % data.dim(), data.dim()))
    wide = data.to(dtype_of(stash_type)) if data.dtype in (torch.float16, torch.bfloat16) else data
    mean = wide.mean(axes, keepdim=True)
    centred = wide - mean
    inverse = torch.rsqrt(centred.square().mean(axes, keepdim=True) + epsilon)
    result = (centred * inverse).to(data.dtype) * scale
    return (result if bias is None else result + bias, mean, inverse)[:output_count]


@onnx_operator("RMSNormalization", opset=23)
def rms_normalization(
    data: Tensor, scale: Tensor, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1
) -> Tensor:
    """Division by the root of the mean square over the axes from `axis` on."""
    axes = list(range(axis % data.dim(), data.dim()))
    wide = data.to(dtype_of(stash_type)) if data.dtype in (torch.float16, torch.bfloat16) else data
    return (wide * torch.rsqrt(wide.square().mean(axes, keepdim=True) + epsilon)).to(data.dtype) * scale


@onnx_operator("GroupNormalization", opset=21)
def group_normalization(
    data: Tensor, scale: Tensor, bias: Tensor, *, epsilon: float = 1e-5, num_groups: int, stash_type: int = 1
) -> Tensor:
    """Normalization of each group of channels; scale and bias are one a channel."""
    return F.group_norm(data, num_groups, scale, bias, epsilon)


@onnx_operator("LRN")
def lrn(data: Tensor, *, alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0, size: int) -> Tensor:
    """Normalization by neighbouring channels."""
    channels = data.shape[1]
    square = F.pad(data.square().movedim(1, -1), ((size - 1) // 2, size // 2))
    summed = square.unfold(-1, size, 1).sum(-1).movedim(-1, 1)
    assert summed.shape[1] == channels
    return data / (bias + alpha / size * summed) ** beta


@onnx_operator("NegativeLogLikelihoodLoss")
def negative_log_likelihood(
    data: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Minus the element of each target class, times the weight of the class; reduced."""
    index = target.to(torch.int64)
    is_read = torch.ones_like(index, dtype=torch.bool) if ignore_index is None else index != ignore_index
    safe = torch.where(is_read, index, torch.zeros_like(index))
    factor = (torch.ones_like(data[:, 0]) if weight is None else weight[safe]) * is_read.to(data.dtype)
    loss = -data.gather(1, safe.unsqueeze(1)).squeeze(1) * factor
    if reduction == "none":
        return loss
    return loss.sum() / factor.sum() if reduction == "mean" else loss.sum()


@onnx_operator("SoftmaxCrossEntropyLoss")
def softmax_cross_entropy(
    scores: Tensor,
    labels: Tensor,
    weights: Tensor | None = None,
    *,
    ignore_index: int | None = None,
    reduction: str = "mean",
    output_count: int,
) -> Tensor | tuple[Tensor, Tensor]:
    """The negative log likelihood of the softmax of scores, and the log of the softmax."""
    log_probability = torch.log_softmax(scores, 1)
    loss = negative_log_likelihood(log_probability, labels, weights, ignore_index=ignore_index, reduction=reduction)
    return (loss, log_probability) if output_count > 1 else loss


@onnx_operator("RotaryEmbedding", opset=23)
def rotary_embedding(
    data: Tensor,
    cos_cache: Tensor,
    sin_cache: Tensor,
    position_ids: Tensor | None = None,
    *,
    interleaved: int = 0,
    num_heads: int = 0,
    rotary_embedding_dim: int = 0,
) -> Tensor:
    """Pairs of elements of each head rotated by an angle that depends on the position."""
    heads = data if data.dim() == 4 else data.reshape(*data.shape[:2], num_heads, -1).transpose(1, 2)
    size = rotary_embedding_dim or heads.shape[-1]
    turned, rest = heads[..., :size], heads[..., size:]
    cos = cos_cache if position_ids is None else cos_cache[position_ids]
    sin = sin_cache if position_ids is None else sin_cache[position_ids]
    cos, sin = cos[..., : size // 2].unsqueeze(1), sin[..., : size // 2].unsqueeze(1)
    if interleaved:
        a, b = turned[..., 0::2], turned[..., 1::2]
    else:
        a, b = turned.chunk(2, -1)
    real, imaginary = cos * a - sin * b, sin * a + cos * b
    pair = (real, imaginary)
    both = torch.stack(pair, -1).flatten(-2) if interleaved else torch.cat(pair, -1)
    result = torch.cat([both, rest], -1) if rest.shape[-1] else both
    return result if data.dim() == 4 else result.transpose(1, 2).reshape(data.shape)


@onnx_operator("Attention", opset=23)
def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    past_key: Tensor | None = None,
    past_value: Tensor | None = None,
    nonpad_kv_seqlen: Tensor | None = None,
    *,
    is_causal: int = 0,
    kv_num_heads: int = 0,
    left_window_size: int = -1,
    q_num_heads: int = 0,
    qk_matmul_output_mode: int = 0,
    right_window_size: int = -1,
    scale: float | None = None,
    softcap: float = 0.0,
    softmax_precision: int | None = None,
    output_count: int,
) -> tuple[Tensor, ...]:
    """Scaled dot-product attention of several heads; also keys and values with the past, and the scores."""
    is_flat = query.dim() == 3
    q, k, v = (
        t.reshape(*t.shape[:2], n, -1).transpose(1, 2) if is_flat else t
        for t, n in ((query, q_num_heads), (key, kv_num_heads), (value, kv_num_heads))
    )
    past = 0 if past_key is None else past_key.shape[2]
    if past_key is not None and past_value is not None:
        k, v = torch.cat([past_key, k], 2), torch.cat([past_value, v], 2)
    present_key, present_value = k, v
    repeat = q.shape[1] // k.shape[1]
    if repeat > 1:
        k, v = k.repeat_interleave(repeat, 1), v.repeat_interleave(repeat, 1)
    root = math.sqrt(1 / math.sqrt(q.shape[-1]) if scale is None else scale)
    scores = (q * root) @ (k * root).transpose(-1, -2)
    steps = [scores]
    bias = _attention_bias(
        scores, attn_mask, past, nonpad_kv_seqlen, left_window_size, 0 if is_causal else right_window_size
    )
    if softcap:
        scores = softcap * torch.tanh(scores / softcap)
    capped = scores
    scores = scores if bias is None else scores + bias
    steps += [capped, scores]
    wide = scores if softmax_precision is None else scores.to(dtype_of(softmax_precision))
    weights = torch.softmax(wide, -1)
    if bias is not None:
        weights = torch.where(torch.isinf(bias).all(-1, keepdim=True), torch.zeros_like(weights), weights)
    weights = weights.to(q.dtype)
    steps.append(weights)
    result = weights @ v
    if is_flat:
        result = result.transpose(1, 2).flatten(2)
    return (result, present_key, present_value, steps[qk_matmul_output_mode])[:output_count]


def _attention_bias(
    scores: Tensor, mask: Tensor | None, past: int, lengths: Tensor | None, left: int, right: int
) -> Tensor | None:
    """What is added to scores: the mask, and minus infinity where a key is too far from its query (-1: no bound)."""
    total = scores.shape[-1]
    parts: list[Tensor] = []
    if mask is not None:
        if mask.dtype is torch.bool:
            mask = torch.zeros_like(mask, dtype=scores.dtype).masked_fill(~mask, -torch.inf)
        if mask.shape[-1] < total:
            mask = F.pad(mask, (0, total - mask.shape[-1]), value=-torch.inf)
        parts.append(mask)
    rows = torch.arange(scores.shape[-2], device=scores.device)[:, None]
    columns = torch.arange(total, device=scores.device)[None, :]
    offset: Tensor | int = past if lengths is None else lengths.reshape(-1, 1, 1, 1) - scores.shape[-2]
    ahead = columns - rows - offset
    hidden = [ahead > right] if right >= 0 else []
    hidden += [-ahead > left] if left >= 0 else []
    hidden += [columns >= lengths.reshape(-1, 1, 1, 1)] if lengths is not None else []
    parts += [torch.zeros_like(h, dtype=scores.dtype).masked_fill(h, -torch.inf) for h in hidden]
    return functools.reduce(torch.add, parts) if parts else None


@onnx_operator("MatMulInteger")
def matmul_integer(
    a: Tensor, b: Tensor, a_zero_point: Tensor | None = None, b_zero_point: Tensor | None = None
) -> Tensor:
    """Product of integer matrices less their zero points, int32."""
    left, right = a.to(torch.int64), b.to(torch.int64)
    if a_zero_point is not None:
        zero = a_zero_point.to(torch.int64)
        left = left - (zero.unsqueeze(-1) if zero.dim() else zero)
    if b_zero_point is not None:
        right = right - b_zero_point.to(torch.int64)
    return (left @ right).to(torch.int32)
