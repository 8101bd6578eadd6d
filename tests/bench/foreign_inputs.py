"""Inputs for foreign ONNX models: what is known of some, seeded numbers for the others."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper

Arrays = dict[str, np.ndarray[Any, Any]]

OPEN_SIZE = 64
"""Size of an open axis of which nothing is known."""
BATCH = 2
SILERO = {"input": (BATCH, 576), "state": (2, BATCH, 128), "sr": 16000}
DETECTOR, LINE = {"x": (BATCH, 3, 96, 160)}, {"x": (BATCH, 3, 48, 192)}
KNOWN: dict[str, dict[str, tuple[int, ...] | int]] = {
    "silero_vad": SILERO,
    "silero_vad_16k_op15": SILERO,
    "silero_vad_half": SILERO,
    "silero_vad_op18_ifless": SILERO,
    "silero_vad_16k_sequence": {"input": (5, 576)},
    "PP-OCRv6_det_small": DETECTOR,
    "PP-OCRv6_rec_small": LINE,
    "ch_PP-OCRv4_det_infer": DETECTOR,
    "ch_PP-OCRv4_rec_infer": LINE,
    "ch_ppocr_mobile_v2.0_cls_infer": LINE,
    "ch_ppocr_mobile_v2.0_cls_mobile": LINE,
    "320n": {"images": (BATCH, 3, 320, 320)},
    "common": {"input1": (1, 1, 64, 160)},
    "rxnmap": {"atoms": (1, 16), "neighbors": (1, 16), "distances": (1, 16, 16), "roles": (1, 16)},
}
"""Shapes of inputs with open axes, and values of scalars, by the name of the file."""
WHOLE = {"rxnmap": (1, 3)}
"""Range of whole numbers [low, high) where 0 and 1 will not do."""


def inputs_of(path: Path) -> Arrays:
    """Return an array for each input of a model."""
    beside = path.with_suffix(".npz")
    if beside.exists():
        with np.load(beside) as file:
            return {name: file[name] for name in file.files}
    random = np.random.default_rng(0)
    known = KNOWN.get(path.stem, {})
    found: Arrays = {}
    described = _inputs(path)
    named: dict[str, int] = {}
    low, high = WHOLE.get(path.stem, (0, 2))
    for name, shape, code in described:
        dtype = helper.tensor_dtype_to_np_dtype(code)
        told = known.get(name)
        if isinstance(told, int):
            found[name] = np.array(told, dtype=dtype)
            continue
        for axis, size in enumerate(shape):
            if isinstance(size, str):
                named.setdefault(size, BATCH if not axis else OPEN_SIZE)
        sizes = told or tuple(d if isinstance(d, int) else named[d] for d in shape)
        if sizes[-3:-2] == (3,) and len(sizes) == 4 and dtype.kind == "f":
            found[name] = np.stack([_strokes(*sizes[1:], flip=bool(k % 2)) for k in range(sizes[0])]).astype(dtype)
        elif dtype.kind == "f":
            found[name] = random.uniform(-1, 1, size=sizes).astype(dtype)
        elif dtype.kind == "b":
            found[name] = np.ones(sizes, dtype=dtype)  # nothing is masked
        else:
            found[name] = random.integers(low, high, size=sizes).astype(dtype)
    return found


def _strokes(channels: int, height: int, width: int, *, flip: bool) -> np.ndarray[Any, Any]:
    """Lines of black strokes on white, which a text detector finds: noise tells it nothing."""
    random = np.random.default_rng(0)
    image = np.ones((height, width), dtype=np.float32)
    for top in range(8, height - 16, 24):
        for left in range(8, width - 10, 9):
            for _ in range(3):
                if random.random() < 0.5:
                    x = left + int(random.integers(0, 6))
                    image[top : top + 12, x : x + 2] = -1
                else:
                    y = top + int(random.integers(0, 10))
                    image[y : y + 2, left : left + 7] = -1
    return np.stack([image[:, ::-1] if flip else image] * channels)


def repeated(path: Path, feeds: Arrays) -> Arrays | None:
    """Return the inputs at another batch size: once more along what is open as the first axis of the first input is.

    None if that is not open.
    """
    described = _inputs(path)
    first = next((shape for _, shape, _ in described if shape), ())
    if not first or isinstance(first[0], int):
        return None
    size = next(feeds[name].shape[0] for name, shape, _ in described if shape)
    found = dict(feeds)
    for name, shape, _ in described:
        axes = [k for k, d in enumerate(shape) if d == first[0] and feeds[name].shape[k] == size]
        if axes:
            found[name] = np.concatenate([feeds[name], feeds[name].take([0], axis=axes[0])], axis=axes[0])
    return found


def _inputs(path: Path) -> list[tuple[str, tuple[int | str, ...], int]]:
    """Name, shape (text where it is open) and element type of each input."""
    model: ModelProto = onnx.load(path, load_external_data=False)
    given = {t.name for t in model.graph.initializer}
    found = []
    for info in model.graph.input:
        if info.name in given:
            continue
        tensor = info.type.tensor_type
        code = tensor.elem_type or TensorProto.FLOAT
        dims = [
            d.dim_value if d.dim_value > 0 else d.dim_param or ("?" if k == 0 else f"?{k}")
            for k, d in enumerate(tensor.shape.dim)
        ]
        found.append((info.name, tuple(dims), code))
    return found
