"""The proof that a model computes what the graph computes; without it there is no export.

The structure is checked first (onnx.checker, strict shape inference), then ONNX Runtime runs the model, at the
optimization level that ships, against a reference at several batch sizes.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import onnx
from gluonnx_runtime import Session, SessionError

from gluonnx.errors import ExportError
from gluonnx.onnx.arrays import Array
from gluonnx.onnx.model import LoweredModel
from gluonnx.onnx.quantized import QUANTIZED_TOLERANCE
from gluonnx.onnx.samples import InputSpec, resized_samples, seeded_arrays

Reference: TypeAlias = Callable[[list[Array]], list[Array]]
"""From input arrays to output arrays, for any batch size."""

BATCH_SIZES = (1, 2, 7)
"""One, an even and an odd number; no two of them divide each other's neighbours."""
SCALES = (1, 2, 3)
"""How many times as long as given the other open axes are: multiples, because nets with strides take those."""

TOLERANCE = {"float64": 1e-10, "float32": 1e-5, "float16": 1e-2, "bfloat16": 5e-2}
"""Largest difference, relative to the largest magnitude of the output; other dtypes must be equal.

About a hundred rounding errors of float32 and ten of the half floats (whose intermediate results are rounded by torch
and kept in float32 by ONNX Runtime).
"""
LARGEST_BOUND = 0.05
"""Rounding that moves an output by more than this part of its range is no excuse: nothing could be told."""
NOTHING = 1e-5
"""An output below it, that rounding moves by more than its own size, is 0 up to rounding: a number less itself."""
SMALLEST_SCALE = 1e-37
"""Magnitude below which an output counts as this large: there float32 has no more digits."""

Exactly: TypeAlias = Callable[[list[Array]], tuple[list[Array], list[float]]]
"""From input arrays to the outputs in double precision, and how far rounding may move each; see `measure_rounding`."""


def prove(
    model: LoweredModel,
    reference: Reference,
    specs: Sequence[InputSpec],
    *,
    session: Session | None = None,
    sample_inputs: Sequence[Array] | None = None,
    seed: int = 0,
    exact: Exactly | None = None,
    drawn: Sequence[bool] = (),
    plain: Session | None = None,
) -> None:
    """Raise unless the model is sound and computes what the reference computes.

    A deep net may magnify the rounding of its operators beyond the tolerance. Where `exact` tells the true outputs and
    how far rounding moves them, the model passes too if it and the reference both lie within that distance of them;
    see `allowed_difference`.

    Args:
        model: The lowered model, with frozen parameters.
        reference: What the outputs must be.
        specs: The inputs, in the model's order.
        session: A session on the bytes that ship; `open_session(model)` if None.
        sample_inputs: Inputs to use instead of seeded ones; they are repeated to each size of the open axes.
        seed: Seed of the inputs.
        exact: The outputs in double precision and how far rounding moves them, for any batch size.
        drawn: Which outputs depend on random draws: of those only dtype, shape and that they are finite is compared.
        plain: For a graph that rounds to integers: a session that runs the model as ONNX defines it, without integer
            kernels. It is held to the tolerance, and the one that ships to a wider one.

    Raises:
        ExportError: The model is not valid ONNX, ONNX Runtime refuses it, or an output differs.
        InputError: `sample_inputs` do not fit.
    """
    check_structure(model)
    session = session or open_session(model)
    batches = batch_sizes(model, specs)
    scales = SCALES if model.open_axes else (1,)
    saw_numbers = False
    for step in range(max(len(batches), len(scales))):
        batch, scale = batches[step % len(batches)], scales[step % len(scales)]
        inputs = inputs_at(specs, batch, sample_inputs, seed, scale)
        expected = reference(inputs)
        truth: tuple[list[Array], list[float]] | None = None
        feeds = dict(zip(model.input_names, inputs, strict=True))
        try:
            got = session.run(feeds)
            unfused = None if plain is None else plain.run(feeds)
        except SessionError as err:
            raise ExportError(
                f"{model.proto.graph.name}: ONNX Runtime fails at batch size {batch}: expected outputs, got {err}"
            ) from err
        kinds = drawn or [False] * len(expected)
        for position, (name, wanted, is_drawn) in enumerate(zip(model.output_names, expected, kinds, strict=True)):
            if is_drawn:
                fault = difference_in_form(got[name], wanted)
            else:
                held = got if unfused is None else unfused
                fault = difference(held[name], wanted)
                if fault is not None and exact is not None:
                    truth = truth or exact(inputs)
                    fault = _fault_of_both(held[name], wanted, truth[0][position], truth[1][position])
                if fault is None and unfused is not None:
                    fault = difference(got[name], wanted, QUANTIZED_TOLERANCE)
            if fault is not None:
                raise ExportError(
                    f"{model.proto.graph.name}: the ONNX model computes something else: output `{name}` at batch size "
                    f"{batch}: {fault}. No file is kept. Pass `sample_inputs` that the net is made for; if it "
                    "differs on these too, report its operators."
                )
            saw_numbers = saw_numbers or not wanted.size or bool(np.isfinite(wanted.astype(np.float64)).any())
    if not saw_numbers:
        raise ExportError(
            f"{model.proto.graph.name}: the check saw no finite number: expected outputs to compare, got only NaN and "
            "infinity. Pass `sample_inputs` for which the net gives numbers."
        )


def _fault_of_both(got: Array, wanted: Array, exact: Array, rounding: float) -> str | None:
    """Say how the model's output, or the reference's, lies farther from the exact one than rounding can move it."""
    if got.dtype != wanted.dtype or wanted.dtype.name not in TOLERANCE:
        return difference(got, wanted)
    allowed = allowed_difference(wanted.dtype.name, exact, rounding)
    fault = distance(got, exact, allowed) or distance(wanted, exact, allowed)
    if fault is not None and rounding > allowed:
        fault += (
            f"; rounding alone moves it by {rounding:.3g}, which is more than {LARGEST_BOUND:g} of its range, so that "
            "the check shows nothing: pass `sample_inputs` for which the net gives larger numbers"
        )
    return fault


def allowed_difference(dtype: str, exact: Array, rounding: float) -> float:
    """Return how far an output may lie from its exact value.

    That is the tolerance of its dtype, or what rounding was measured to do to it if that is more: then no two ways to
    compute the net can be expected to agree better. Rounding beyond `LARGEST_BOUND` of the output's range, from its
    least to its largest number (of the number, where there is one), does not count, unless all is `NOTHING`.

    Args:
        dtype: Name of the output's dtype, a float.
        exact: The output in double precision.
        rounding: How far rounding moves it.
    """
    numbers = exact[np.isfinite(exact)]
    scale = _scale(exact)
    tolerance = TOLERANCE[dtype] * scale
    extent = float(np.ptp(numbers)) if numbers.size > 1 else scale
    is_told = rounding <= LARGEST_BOUND * extent or scale <= rounding <= NOTHING
    return max(tolerance, rounding) if is_told else tolerance


def distance(got: Array, exact: Array, allowed: float) -> str | None:
    """Return in words how an output lies farther from its exact value than is allowed, None if it does not."""
    if got.shape != exact.shape:
        return f"expected {exact.shape}, got {got.shape}"
    a = got.astype(np.float64)
    finite = np.isfinite(exact)
    if not np.array_equal(a[~finite], exact[~finite], equal_nan=True):
        return "expected NaN and infinity in the same places, got them elsewhere"
    largest = float(np.abs(a[finite] - exact[finite]).max(initial=0))
    return (
        None if largest <= allowed else f"largest difference {largest:.3g}, tolerance {allowed:.3g}"
    )  # false for NaN too


def _scale(array: Array) -> float:
    finite = np.abs(array[np.isfinite(array)])
    return max(float(finite.max(initial=0)), SMALLEST_SCALE)


def batch_sizes(model: LoweredModel, specs: Sequence[InputSpec]) -> tuple[int, ...]:
    """Return the batch sizes at which a model is run."""
    return BATCH_SIZES if model.is_batch_dynamic else tuple(s.shape[0] for s in specs[:1] if s.shape) or (1,)


def inputs_at(
    specs: Sequence[InputSpec],
    batch: int,
    sample_inputs: Sequence[Array] | None,
    seed: int,
    scale: int = 1,
) -> list[Array]:
    """Return the inputs at a batch size: seeded ones, other open axes times `scale`, or a caller's samples."""
    if sample_inputs is None:
        return seeded_arrays(specs, seed, batch, scale)
    return resized_samples(specs, sample_inputs, batch, scale)


def check_structure(model: LoweredModel) -> None:
    """Raise unless the model is valid ONNX and strict shape inference confirms its declared outputs.

    Weights take part by type and shape, without their values.

    Raises:
        ExportError: Says what the checker says.
    """
    skeleton = model.typed_skeleton()
    try:
        onnx.checker.check_model(skeleton, full_check=True)
        try:
            onnx.shape_inference.infer_shapes(skeleton, check_type=True, strict_mode=True, data_prop=True)
        except onnx.shape_inference.InferenceError:
            # onnx takes every array of rank 1 for a shape, and refuses two of different lengths.
            onnx.shape_inference.infer_shapes(skeleton, check_type=True, strict_mode=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as err:
        raise ExportError(
            f"{model.proto.graph.name}: not valid ONNX: expected a model that onnx.checker accepts, got {err}. "
            "Report the operators of this net."
        ) from err


def open_session(
    model: LoweredModel,
    source: Path | None = None,
    *,
    initializers: Mapping[str, Array] | None = None,
    is_plain: bool = False,
) -> Session:
    """Return a session on the CPU, at the optimization level that ships.

    Args:
        model: Names the model in messages.
        source: A file; the model itself if None.
        initializers: Weights that are read where they are, without a second, packed copy.
        is_plain: Run quantized operators as ONNX defines them, without integer kernels.

    Raises:
        ExportError: ONNX Runtime refuses the model.
    """
    try:
        return Session(
            model.serialize() if source is None else source,
            device="cpu",
            prepacking=initializers is None,
            initializers=initializers,
            optimization="basic" if is_plain else "all",
        )
    except SessionError as err:
        said = str(err).replace(str(source), "the file") if isinstance(source, Path) else str(err)
        opset = next(o.version for o in model.proto.opset_import if not o.domain)
        raise ExportError(f"{model.proto.graph.name}: ONNX Runtime refuses the model in opset {opset}: {said}") from err


def difference(got: Array, expected: Array, tolerance: float | None = None) -> str | None:
    """Return in words how an output differs from what it should be, None if it does not.

    Args:
        got: The output.
        expected: What it should be.
        tolerance: Largest difference relative to the largest magnitude, instead of the dtype's; integers, which follow
            from numbers that may differ by as much, are not compared then.
    """
    if got.dtype != expected.dtype or got.shape != expected.shape:
        return f"expected {expected.dtype} {expected.shape}, got {got.dtype} {got.shape}"
    plain = TOLERANCE.get(expected.dtype.name)
    if plain is None and tolerance is not None:
        return None
    tolerance = tolerance or plain
    if tolerance is None:
        unequal = int((got != expected).sum())
        return f"expected equal values, got {unequal} of {got.size} different" if unequal else None
    a, b = got.astype(np.float64), expected.astype(np.float64)
    finite = np.isfinite(b)
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return "expected NaN and infinity in the same places, got them elsewhere"
    if not finite.any():
        return None
    scale = _scale(b)
    largest = float(np.abs(a[finite] - b[finite]).max())
    if largest <= tolerance * scale:  # false for NaN too
        return None
    return f"largest difference {largest:.3g}, tolerance {tolerance * scale:.3g} ({tolerance:g} of {scale:.3g})"


def difference_in_form(got: Array, expected: Array) -> str | None:
    """Return in words how an output differs in dtype, shape or being finite from what it should be, None if not."""
    if got.dtype != expected.dtype or got.shape != expected.shape:
        return f"expected {expected.dtype} {expected.shape}, got {got.dtype} {got.shape}"
    finite = [bool(np.isfinite(a.astype(np.float64)).all()) for a in (got, expected)]
    return "expected finite numbers, got NaN or infinity" if finite == [False, True] else None
