"""Exports: lower, prove, and only then let the file appear."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gluonnx.errors import ExportError, FixedBatchError, InputError, LoweringError
from gluonnx.formats import FileSet
from gluonnx.onnx.arrays import Array, as_array, as_tensor, dtype_name
from gluonnx.onnx.check import Reference, batch_sizes, inputs_at, prove
from gluonnx.onnx.draws import drawn_heads, prove_draws
from gluonnx.onnx.exact import compute_exactly, measure_rounding
from gluonnx.onnx.files import needs_external_data, stage_external, stage_model
from gluonnx.onnx.labels import label_names, without_labels
from gluonnx.onnx.lowering import lower
from gluonnx.onnx.metadata import describe
from gluonnx.onnx.model import LoweredModel
from gluonnx.onnx.opset import at_opset
from gluonnx.onnx.options import HALF_DTYPES, ExportOptions, half_parameters, renamed
from gluonnx.onnx.probe import open_written
from gluonnx.onnx.proof import check_record, make_record
from gluonnx.onnx.quantized import is_quantized
from gluonnx.onnx.samples import InputSpec, Samples, input_specs, listed_samples
from gluonnx.ops.dtypes import torch_dtype
from gluonnx.symbol.executor import GraphFunction
from gluonnx.symbol.graph import Entry, topological
from gluonnx.symbol.inference import Inference, Shape, infer
from gluonnx.symbol.text import dumps


def export_graph(
    path: str | os.PathLike[str],
    heads: Sequence[Entry],
    input_names: Sequence[str],
    input_shapes: Sequence[Shape],
    input_dtypes: Sequence[str],
    parameters: Mapping[str, Any],
    *,
    dynamic_batch: bool = True,
    output_names: Sequence[str] | None = None,
    options: ExportOptions | None = None,
    name: str = "net",
    sample_inputs: Samples | None = None,
    files: FileSet | None = None,
) -> LoweredModel:
    """Write a graph as an ONNX file that is shown to compute what the graph computes, or raise and leave nothing.

    Inputs that are labels of losses, which no output depends on, are not in the file; its metadata tells them.

    Args:
        path: The file.
        heads: Outputs of the graph.
        input_names: As `lower`.
        input_shapes: As `lower`.
        input_dtypes: As `lower`.
        parameters: As `lower`.
        dynamic_batch: As `lower`; where there are no `options`.
        output_names: As `lower`; where there are no `options`.
        options: What else to choose.
        name: As `lower`.
        sample_inputs: Inputs for the proof, for graphs that take only certain values: those of the file in order, or
            by name. Without them, seeded numbers.
        files: The set to publish the file with; it is published at once without.

    Returns:
        The model as written.

    Raises:
        LoweringError: As `lower`.
        ExportError: The proof failed, or an option is not possible.
        FileAccessError: The folder is missing or not writable.
    """
    chosen = options or ExportOptions(dynamic_batch=dynamic_batch, output_names=output_names)
    names = chosen.new_names(input_names)
    given = _Given(
        renamed(heads, names), [names[n] for n in input_names], tuple(input_shapes), list(input_dtypes), parameters
    )
    if chosen.dtype in HALF_DTYPES:
        halves = half_parameters(heads, parameters)
        given = dataclasses.replace(
            given, parameters=halves, dtypes=["float16" if d == "float32" else d for d in given.dtypes]
        )
    shapes = dict(zip(input_names, input_shapes, strict=True))
    axes = {names.get(n, n): named for n, named in chosen.axes(shapes).items()}
    if files is not None:
        return _export(path, given, axes, chosen, name, sample_inputs, files)
    with FileSet() as own:
        return _export(path, given, axes, chosen, name, sample_inputs, own)


@dataclass(frozen=True, slots=True)
class _Given:
    """The graph as it is to be exported: heads, names, shapes and dtypes of inputs, parameters."""

    heads: list[Entry]
    names: list[str]
    shapes: tuple[Shape, ...]
    dtypes: list[str]
    parameters: Mapping[str, Any]


def _export(
    path: str | os.PathLike[str],
    given: _Given,
    axes: dict[str, dict[int, str]],
    options: ExportOptions,
    name: str,
    sample_inputs: Samples | None,
    files: FileSet,
) -> LoweredModel:
    heads = given.heads
    model = lower(
        heads,
        given.names,
        given.shapes,
        given.dtypes,
        given.parameters,
        dynamic_batch=options.dynamic_batch,
        dynamic_axes=axes,
        output_names=options.output_names,
        name=name,
    )
    # All inputs of the graph, so that it comes back whole: those of the model, and labels.
    labels = [n for n in label_names(heads) if n not in given.parameters and n not in given.names]
    model = at_opset(without_labels(model, heads), options.opset)
    kinds = {n: (s, d) for n, s, d in zip(given.names, given.shapes, given.dtypes, strict=True)}
    kept = [kinds[n] for n in model.input_names]
    graph = ReferenceGraph(heads, model, [s for s, _ in kept], [d for _, d in kept])
    samples = None if sample_inputs is None else listed_samples(model.input_names, sample_inputs)
    record = None if samples is not None else graph.record()
    proof, seed = record or (None, 0)
    is_external = needs_external_data(model) if options.external_data is None else options.external_data
    external = stage_external(files, path, model) if is_external else None
    metadata = describe(model, dumps(heads), proof, input_names=[*given.names, *labels], external=external)
    model = model.with_metadata({**options.metadata, **metadata})
    staged = stage_model(files, path, model, external)
    data = None if external is None else files.staged_path(Path(path).with_name(external.location))
    session = open_written(path, model, staged, data)
    plain = open_written(path, model, staged, data, is_plain=True) if is_quantized(heads) else None
    drawn = drawn_heads(heads)
    prove(
        model,
        graph.reference,
        graph.specs,
        session=session,
        sample_inputs=samples,
        seed=seed,
        exact=graph.exact,
        drawn=drawn,
        plain=plain,
    )
    if any(drawn):

        def lowered(entries: Sequence[Entry]) -> LoweredModel:
            lowered_model = lower(
                entries,
                given.names,
                given.shapes,
                given.dtypes,
                given.parameters,
                dynamic_batch=options.dynamic_batch,
                dynamic_axes=axes,
                name=name,
                draws_as_inputs=True,
            )
            return without_labels(lowered_model, entries)

        prove_draws(
            heads,
            lowered,
            graph.reference_of,
            lambda batch: inputs_at(graph.specs, batch, samples, seed),
            batch_sizes(model, graph.specs),
            name,
        )
    if proof is not None:
        check_record(proof, session.run, str(path))
    return model


class ReferenceGraph:
    """What a model is proven against: the graph, run on torch with the same parameters.

    Args:
        heads: Outputs of the graph.
        model: What the graph was lowered to, with frozen parameters.
        input_shapes: Shape of each of the model's inputs.
        input_dtypes: Canonical dtype name of each.
    """

    def __init__(
        self, heads: Sequence[Entry], model: LoweredModel, input_shapes: Sequence[Shape], input_dtypes: Sequence[str]
    ) -> None:
        self._heads = heads
        self._model = model
        self._parameters = {n: as_tensor(a) for n, a in {**model.weights, **model.unused}.items()}
        variables = [n.name for n in topological(heads) if n.is_variable]
        self._unread = [n for n in variables if n not in self._parameters and n not in model.input_names]
        self._dtypes = dict(zip(model.input_names, input_dtypes, strict=True))
        self._names = [*model.input_names, *self._parameters, *self._unread]
        specs = [
            InputSpec(name, dtype, tuple(shape), model.batch_axes.get(name, ()), None, model.open_axes.get(name, ()))
            for name, shape, dtype in zip(model.input_names, input_shapes, input_dtypes, strict=True)
        ]
        self.reference = self.reference_of(heads)
        """Computes the outputs in the graph's own precision.

        Raises:
            FixedBatchError: The graph itself does not take this batch size.
            InputError: The same for a model whose batch size is fixed.
        """
        inference = self._infer({s.name: s.shape for s in specs})
        self.specs = input_specs(heads, specs, inference)

    def reference_of(self, entries: Sequence[Entry]) -> Reference:
        """Return the function that computes some values of the graph, in its own precision; see `reference`."""
        function = GraphFunction(entries, self._names)
        return lambda inputs: self._run(function, inputs)

    def _run(self, function: GraphFunction, inputs: list[Array]) -> list[Array]:
        # One of its own for each call, so that a graph draws the same for the same inputs.
        generator = torch.Generator().manual_seed(0)
        try:
            values = self._values(inputs)
            with torch.no_grad():
                outputs, _ = function([values[n] for n in self._names], generator=lambda _: generator)
        except InputError as err:
            sizes = [a.shape[s.batch_axes[0]] for a, s in zip(inputs, self.specs, strict=True) if s.batch_axes]
            self._check_values(inputs, err)
            if not sizes and not self._model.open_axes:
                raise
            if any(a.shape[k] != s.shape[k] for a, s in zip(inputs, self.specs, strict=True) for k in s.open_axes):
                raise LoweringError(
                    f"{self._model.proto.graph.name}: the open axes are not free: expected a graph for any size of "
                    f"them, got one that does not take inputs of {', '.join(str(a.shape) for a in inputs)}: {err} "
                    "Leave the axis out of `dynamic_axes`."
                ) from err
            raise FixedBatchError(
                f"{self._model.proto.graph.name}: the batch axis is not free: expected a graph for any batch size, got "
                f"one that does not take {sizes[0]}: {err} Make the operator independent of the batch size, or fix the "
                "batch size."
            ) from err
        return [as_array("output", o) for o in outputs]

    def _check_values(self, inputs: list[Array], err: InputError) -> None:
        """Raise if the graph does not take such values at the sizes either that it was lowered for.

        Raises:
            ExportError: It does not; says how to choose the values.
        """
        given = [s.shape for s in self.specs]
        if [a.shape for a in inputs] != given:
            values = self._values([np.resize(a, shape) for a, shape in zip(inputs, given, strict=True)])
            generator = torch.Generator().manual_seed(0)
            try:
                with torch.no_grad():
                    GraphFunction(self._heads, self._names)(
                        [values[n] for n in self._names], generator=lambda _: generator
                    )
            except InputError:
                pass
            else:
                return
        raise ExportError(
            f"{self._model.proto.graph.name}: the net does not take the inputs of the check: expected values that its "
            f"operators take, got {err} Pass `sample_inputs` that it takes."
        ) from err

    def exact(self, inputs: list[Array]) -> tuple[list[Array], list[float]]:
        """Compute the outputs in double precision, and how far rounding moves them."""
        values = self._values(inputs)
        exact = compute_exactly(self._heads, values)
        return exact, measure_rounding(self._heads, values, exact)

    def record(self) -> tuple[str, int] | None:
        """Make the proof that travels with the model, and its seed; see `make_record`."""
        return make_record(
            self.specs,
            self._model.output_names,
            self.reference,
            self.exact,
            drawn_heads(self._heads),
            is_quantized(self._heads),
        )

    def _values(self, inputs: Sequence[Array]) -> dict[str, torch.Tensor]:
        values = {n: as_tensor(a) for n, a in zip(self._model.input_names, inputs, strict=True)}
        values.update(self._parameters)
        if self._unread:
            # Labels of losses: the lowering has shown that no output depends on them.
            found = self._infer({n: tuple(v.shape) for n, v in values.items()})
            for node in topological(self._heads):
                if node.is_variable and node.name in self._unread:
                    shape, dtype = found.shape((node, 0)), found.dtype((node, 0))
                    assert shape is not None
                    assert dtype is not None
                    values[node.name] = torch.zeros(shape, dtype=torch_dtype(dtype))
        return values

    def _infer(self, shapes: Mapping[str, Shape]) -> Inference:
        dtypes = {n: dtype_name(a) for n, a in {**self._model.weights, **self._model.unused}.items()} | self._dtypes
        fixed = {n: tuple(t.shape) for n, t in self._parameters.items()}
        return infer(self._heads, {**fixed, **shapes}, dtypes)
