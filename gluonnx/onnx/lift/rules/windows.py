"""Convolution, pooling and resizing."""

import math
from collections.abc import Sequence
from typing import Any

from gluonnx.onnx.lift.rules.shaping import padded
from gluonnx.onnx.lift.rules.table import Call, Lifted, rule
from gluonnx.symbol.graph import Entry

Pads = tuple[tuple[int, ...], tuple[int, ...]]


def _pads(c: Call, kernel: Sequence[int]) -> Pads | None:
    """Padding before and after each axis, None where it is not known or less than 0."""
    rank = len(kernel)
    mode = c.attr("auto_pad", "NOTSET") or "NOTSET"
    zero = (0,) * rank
    if mode == "VALID":
        return zero, zero
    if mode == "NOTSET":
        given = c.attr("pads", zero + zero)
        return (given[:rank], given[rank:]) if min(given, default=0) >= 0 else None
    shape = c.shape(0)
    strides, dilations = c.attr("strides", (1,) * rank), c.attr("dilations", (1,) * rank)
    before, after = [], []
    for axis, (k, s, d) in enumerate(zip(kernel, strides, dilations, strict=True)):
        reach = (k - 1) * d + 1
        size = shape[2 + axis] if shape is not None else None
        if s == 1:
            total = reach - 1
        elif size is None:
            return None
        else:
            total = max((math.ceil(size / s) - 1) * s + reach - size, 0)
        small, large = total // 2, total - total // 2
        before.append(small if mode == "SAME_UPPER" else large)
        after.append(large if mode == "SAME_UPPER" else small)
    return tuple(before), tuple(after)


def _symmetric(c: Call, pads: Pads | None, value: float = 0.0) -> tuple[Entry, tuple[int, ...]] | None:
    """Return the input and the padding, the same on both sides, that is left for the window; None if there is none."""
    if pads is None:
        return None
    if pads[0] == pads[1]:
        return c.entry(0), pads[0]
    wider = padded(c, c.entry(0), (0, 0, *pads[0]), (0, 0, *pads[1]), value=value)
    return None if wider is None else (wider, (0,) * len(pads[0]))


@rule("Conv", stays="padding that is negative, or uneven where the shape is open")
def _convolution(c: Call) -> Lifted:
    weight = c.shape(1)
    if weight is None or None in weight or len(weight) not in (3, 4, 5) or not c.is_plain():
        return None
    kernel = tuple(d for d in weight[2:] if d is not None)
    given = _symmetric(c, _pads(c, kernel))
    if given is None:
        return None
    attrs = _window_attrs(c, kernel, given[1])
    attrs |= {"num_filter": weight[0], "num_group": c.attr("group", 1), "no_bias": not c.has(2)}
    return c.make("Convolution", [given[0], c.entry(1), *([c.entry(2)] if c.has(2) else [])], attrs)


def _window_attrs(c: Call, kernel: tuple[int, ...], pad: tuple[int, ...]) -> dict[str, Any]:
    one = (1,) * len(kernel)
    return {"kernel": kernel, "stride": c.attr("strides", one), "dilate": c.attr("dilations", one), "pad": pad}


@rule("ConvTranspose", stays="uneven padding, `output_shape`, `auto_pad` other than VALID")
def _deconvolution(c: Call) -> Lifted:
    weight = c.shape(1)
    if weight is None or None in weight or len(weight) not in (3, 4, 5) or not c.is_plain():
        return None
    kernel = tuple(d for d in weight[2:] if d is not None)
    zero = (0,) * len(kernel)
    if c.attr("auto_pad", "NOTSET") not in ("NOTSET", "VALID", "") or c.attr("output_shape") is not None:
        return None
    pads = _pads(c, kernel)
    if pads is None or pads[0] != pads[1]:
        return None
    attrs = _window_attrs(c, kernel, pads[0])
    extra, group = c.attr("output_padding", zero), c.attr("group", 1)
    if any(e >= s for e, s in zip(extra, attrs["stride"], strict=True)):
        return None
    channels = weight[1]
    assert channels is not None
    attrs |= {"adj": extra, "num_filter": channels * group, "num_group": group, "no_bias": not c.has(2)}
    return c.make("Deconvolution", [c.entry(i) for i in range(3 if c.has(2) else 2)], attrs)


@rule(
    "MaxPool",
    "AveragePool",
    stays="dilations; `ceil_mode` with padding or with strides beyond the window; means that do not count uneven "
    "padding; a second output",
)
def _pooling(c: Call) -> Lifted:
    kernel = c.attr("kernel_shape")
    rank = len(kernel)
    is_max = c.op_type == "MaxPool"
    if rank > 3 or not c.is_plain(0) or any(d != 1 for d in c.attr("dilations", (1,))):
        return None
    pads = _pads(c, kernel)
    counts_pad = bool(c.attr("count_include_pad", 0))
    is_ceiled = bool(c.attr("ceil_mode", 0)) and c.attr("auto_pad", "NOTSET") in ("NOTSET", "")
    if pads is None or (not is_max and (is_ceiled and (counts_pad or any(pads[0] + pads[1])))):
        return None
    if not is_max and pads[0] != pads[1] and not counts_pad:
        return None
    given = _symmetric(c, pads, -math.inf if is_max else 0.0)
    strides = c.attr("strides", (1,) * rank)
    # A last window that begins beyond the array is dropped by ONNX and kept by MXNet.
    if given is None or (is_ceiled and (any(pads[0] + pads[1]) or any(map(int.__gt__, strides, kernel)))):
        return None
    entry, pad = given
    if any(p >= k for p, k in zip(pad, kernel, strict=True)):
        return None
    attrs: dict[str, Any] = {
        "kernel": kernel,
        "stride": strides,
        "pad": pad,
        "pool_type": "max" if is_max else "avg",
        "pooling_convention": "full" if is_ceiled else "valid",
    }
    if not is_max:
        attrs["count_include_pad"] = counts_pad
    return c.make("Pooling", [entry], attrs)


@rule("GlobalMaxPool", "GlobalAveragePool", stays="more than 3 spatial axes")
def _global_pooling(c: Call) -> Lifted:
    shape = c.shape(0)
    if shape is None or not 3 <= len(shape) <= 5 or not c.is_plain(0):
        return None
    attrs = {
        "kernel": (1,) * (len(shape) - 2),
        "global_pool": True,
        "pool_type": "max" if c.op_type == "GlobalMaxPool" else "avg",
    }
    return c.make("Pooling", [c.entry(0)], attrs)


@rule("Resize", stays="scales that are no whole numbers, cubic, antialiased or cropped; ranks other than 4")
def _resize(c: Call) -> Lifted:
    shape = c.shape(0)
    if shape is None or len(shape) != 4 or not c.is_plain(0) or c.attr("antialias", 0) or c.attr("axes") is not None:
        return None
    scales, sizes = c.constant(2), c.value(3)
    if scales is not None and scales.size == 4:
        by = [float(s) for s in scales]
    elif sizes is not None and None not in shape and all(isinstance(d, int) for d in sizes.tolist()):
        if c.attr("keep_aspect_ratio_policy", "stretch") != "stretch":
            return None
        by = [int(n) / (d or 1) for n, d in zip(sizes, shape, strict=True)]
    else:
        return None
    place = c.attr("coordinate_transformation_mode", "half_pixel")
    if by[:2] != [1.0, 1.0]:
        return None
    if c.attr("mode", "nearest") == "nearest":
        return _repeated(c, by, place)
    if shape[2] is None or shape[3] is None or min(by) < 1:
        return None
    height, width = shape[2] * by[2], shape[3] * by[3]
    is_half = place == "half_pixel" or (place == "pytorch_half_pixel" and min(height, width) > 1)
    if c.attr("mode") != "linear" or not (is_half or place == "align_corners"):
        return None
    if height != int(height) or width != int(width):
        return None
    attrs = {"height": int(height), "width": int(width), "mode": "size", "align_corners": place == "align_corners"}
    return c.make("_contrib_BilinearResize2D", [c.entry(0)], attrs)


def _repeated(c: Call, by: Sequence[float], place: str) -> Lifted:
    """Each number several times: what nearest neighbours are under a whole scale."""
    mode = c.attr("nearest_mode", "round_prefer_floor")
    is_repeat = (place, mode) in (
        ("asymmetric", "floor"),
        ("half_pixel", "round_prefer_floor"),
        ("half_pixel", "round_prefer_ceil"),
        ("pytorch_half_pixel", "round_prefer_floor"),
        ("pytorch_half_pixel", "round_prefer_ceil"),
    )
    if not is_repeat or any(s != int(s) or s < 1 for s in by):
        return None
    if by[2] == by[3]:
        return c.make("UpSampling", [c.entry(0)], {"scale": int(by[2]), "sample_type": "nearest", "num_args": 1})
    entry = c.entry(0)
    for axis in (2, 3):
        if by[axis] != 1:
            entry = c.make("repeat", [entry], {"repeats": int(by[axis]), "axis": axis})
    return entry


@rule("LRN", stays="even sizes, ranks other than 4")
def _local_response(c: Call) -> Lifted:
    shape = c.shape(0)
    if shape is None or len(shape) != 4 or not c.is_plain(0) or c.attr("size") % 2 == 0:
        return None
    attrs = {
        "nsize": c.attr("size"),
        "alpha": c.attr("alpha", 1e-4),
        "beta": c.attr("beta", 0.75),
        "knorm": c.attr("bias", 1.0),
    }
    return c.make("LRN", [c.entry(0)], attrs)
