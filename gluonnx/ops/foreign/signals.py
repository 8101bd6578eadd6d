"""ONNX operators of signal processing: Fourier transforms, windows, mel filters."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from gluonnx.ops.foreign.table import dtype_of, onnx_operator


def _complex(data: Tensor) -> Tensor:
    """Real numbers (..., 1) or pairs (..., 2) as complex ones."""
    return data[..., 0] if data.shape[-1] == 1 else torch.view_as_complex(data.contiguous())


@onnx_operator("DFT", values="dft_length axis")
def dft(
    data: Tensor,
    dft_length: Tensor | None = None,
    axis: Tensor | None = None,
    *,
    inverse: int = 0,
    onesided: int = 0,
) -> Tensor:
    """The discrete Fourier transform along an axis; the last axis holds real or complex numbers."""
    place = (-2 if axis is None else int(axis)) % data.dim()
    length = None if dft_length is None else int(dft_length)
    given = _complex(data)
    if inverse and onesided:
        size = length if length is not None else 2 * (given.shape[place] - 1)
        real: Tensor = torch.fft.irfft(given, size, place)
        return real.unsqueeze(-1)
    if inverse:
        result = torch.fft.ifft(given, length, place)
    elif onesided:
        result = torch.fft.rfft(given.real if given.is_complex() else given, length, place)
    else:
        result = torch.fft.fft(given, length, place)
    return torch.view_as_real(result)


@onnx_operator("STFT", values="frame_step frame_length")
def stft(
    signal: Tensor,
    frame_step: Tensor,
    window: Tensor | None = None,
    frame_length: Tensor | None = None,
    *,
    onesided: int = 1,
) -> Tensor:
    """The Fourier transform of each frame of a signal, times a window."""
    given = _complex(signal if signal.dim() > 2 else signal.unsqueeze(-1))
    length = given.shape[1] if window is None else window.shape[0]
    if frame_length is not None:
        length = int(frame_length)
    frames = given.unfold(1, length, int(frame_step))
    if window is not None:
        frames = frames * window
    if onesided and not given.is_complex():
        return torch.view_as_real(torch.fft.rfft(frames, dim=-1))
    result = torch.view_as_real(torch.fft.fft(frames, dim=-1))
    return result[:, :, : length // 2 + 1] if onesided else result


def _window(size: Tensor, periodic: int, output_datatype: int, terms: tuple[float, ...]) -> Tensor:
    """Sum of cosines a0 - a1 cos(x) + a2 cos(2 x) over the window."""
    count = int(size)
    steps = count if periodic else count - 1
    x = torch.arange(count, dtype=torch.float64) * (2 * math.pi / steps)
    result = torch.zeros(count, dtype=torch.float64)
    for k, term in enumerate(terms):
        result = result + (-1) ** k * term * torch.cos(k * x)
    return result.to(dtype_of(output_datatype))


@onnx_operator("HannWindow", values="size")
def hann_window(size: Tensor, *, output_datatype: int = 1, periodic: int = 1) -> Tensor:
    """A Hann window."""
    return _window(size, periodic, output_datatype, (0.5, 0.5))


@onnx_operator("HammingWindow", values="size")
def hamming_window(size: Tensor, *, output_datatype: int = 1, periodic: int = 1) -> Tensor:
    """A Hamming window."""
    return _window(size, periodic, output_datatype, (25 / 46, 21 / 46))


@onnx_operator("BlackmanWindow", values="size")
def blackman_window(size: Tensor, *, output_datatype: int = 1, periodic: int = 1) -> Tensor:
    """A Blackman window."""
    return _window(size, periodic, output_datatype, (0.42, 0.5, 0.08))


@onnx_operator("MelWeightMatrix", values="bins dft_length sample_rate low high")
def mel_weight_matrix(
    bins: Tensor, dft_length: Tensor, sample_rate: Tensor, low: Tensor, high: Tensor, *, output_datatype: int = 1
) -> Tensor:
    """Weights (frequencies, bins) of triangular filters that are equally far apart in mels."""
    count, length, rate = int(bins), int(dft_length), int(sample_rate)
    low_mel, high_mel = (2595 * math.log10(1 + float(f) / 700) for f in (low, high))
    mels = low_mel + torch.arange(count + 2, dtype=torch.float64) * ((high_mel - low_mel) / (count + 2))
    hertz = 700 * (10 ** (mels / 2595) - 1)
    edges = torch.floor((length + 1) * hertz / rate)
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    place = torch.arange(length // 2 + 1, dtype=torch.float64)[:, None]
    rise = torch.where(centre > left, (place - left) / (centre - left).clamp(min=1), (place == centre).double())
    fall = (right - place) / (right - centre).clamp(min=1)
    is_rising = (place >= left) & (place <= centre)
    is_falling = (place >= centre) & (place < right) & (right > centre)
    result = torch.where(is_rising, rise, torch.zeros_like(rise))
    return torch.where(is_falling, fall, result).to(dtype_of(output_datatype))


@onnx_operator("CausalConvWithState", opset=27)
def causal_conv_with_state(
    data: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    past_state: Tensor | None = None,
    *,
    activation: str = "none",
    output_count: int,
) -> tuple[Tensor, ...]:
    """Convolution of each channel with what came before; also the end of the data, which the next call needs."""
    reach = weight.shape[-1] - 1
    zeros = data.new_zeros((*data.shape[:2], reach))
    before = zeros if past_state is None else past_state.to(data.dtype)
    whole = torch.cat([before, data], 2)
    result = F.conv1d(whole, weight, bias, groups=data.shape[1])
    if activation in ("silu", "swish"):
        result = F.silu(result)
    state = whole[:, :, whole.shape[2] - reach :]
    return (result, state if past_state is None else state.to(past_state.dtype))[:output_count]


@onnx_operator("LinearAttention", opset=27)
def linear_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    past_state: Tensor | None = None,
    decay: Tensor | None = None,
    beta: Tensor | None = None,
    *,
    chunk_size: int = 64,
    kv_num_heads: int,
    q_num_heads: int,
    scale: float = 0.0,
    update_rule: str = "gated_delta",
    output_count: int,
) -> tuple[Tensor, ...]:
    """Attention through a state that each step reads and changes; also the last state."""
    batch, length = query.shape[:2]

    def heads(data: Tensor, count: int) -> Tensor:
        return data.reshape(batch, length, count, -1).to(torch.float32)

    q, k, v = heads(query, q_num_heads), heads(key, kv_num_heads), heads(value, kv_num_heads)
    gate = None if decay is None else heads(decay, kv_num_heads).exp()
    rate = None if beta is None else heads(beta, beta.shape[-1])
    factor = scale or 1 / math.sqrt(q.shape[-1])
    if past_state is None:
        state = q.new_zeros((batch, kv_num_heads, k.shape[-1], v.shape[-1]))
    else:
        state = past_state.to(torch.float32)
    outputs = []
    for t in range(length):
        if gate is not None:
            state = state * gate[:, t].unsqueeze(-1)
        new = v[:, t]
        if rate is not None:
            new = rate[:, t] * (new - torch.einsum("bhdm,bhd->bhm", state, k[:, t]))
        state = state + k[:, t].unsqueeze(-1) * new.unsqueeze(-2)
        read = state.repeat_interleave(q_num_heads // kv_num_heads, 1)
        outputs.append(factor * torch.einsum("bhd,bhdm->bhm", q[:, t], read))
    result = torch.stack(outputs, 1).flatten(2).to(query.dtype)
    return (result, state.to(query.dtype if past_state is None else past_state.dtype))[:output_count]
