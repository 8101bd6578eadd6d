"""The proof of a model that draws random numbers.

What depends on draws cannot be compared by value, because ONNX Runtime draws other numbers than torch. So the same
graph is lowered once more with the draws as inputs: fed with what torch has drawn, every output, and all that an
operator reads that draws, must be what torch computes from the same draws. What is left are the operators that draw,
each by itself: run many times by both, their results must have the same moments.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from gluonnx_runtime import SessionError

from gluonnx.errors import ExportError
from gluonnx.onnx.arrays import Array, as_array, as_tensor, dtype_name
from gluonnx.onnx.check import TOLERANCE, Reference, difference, open_session
from gluonnx.onnx.lowering import lower
from gluonnx.onnx.model import LoweredModel
from gluonnx.symbol.executor import GraphFunction
from gluonnx.symbol.graph import Entry, Node, draws, topological
from gluonnx.symbol.inference import wanted_shape

MOST_ERRORS = 10.0
"""Standard errors by which a moment of the draws of ONNX Runtime and of torch may differ: chance never does that."""
_NUMBERS = 20_000
"""Numbers to draw of each output, in a run or in many."""
_RUNS = (48, 500)
"""Fewest and most runs."""


def drawn_heads(heads: Sequence[Entry]) -> tuple[bool, ...]:
    """Tell which outputs of a graph depend on random draws."""
    drawn: set[int] = set()
    for node in topological(heads):
        if draws(node) or any(id(source) in drawn for source, _ in node.inputs):
            drawn.add(id(node))
    return tuple(id(node) in drawn for node, _ in heads)


def prove_draws(
    heads: Sequence[Entry],
    lowered: Callable[[Sequence[Entry]], LoweredModel],
    reference_of: Callable[[Sequence[Entry]], Reference],
    inputs_at: Callable[[int], list[Array]],
    batches: Sequence[int],
    name: str,
) -> None:
    """Raise unless a graph with draws computes in ONNX Runtime what it computes on torch from the same draws.

    Args:
        heads: Outputs of the graph.
        lowered: Lowers some of its values to a model that takes the draws as inputs.
        reference_of: Gives the function, run on torch, that computes some of its values.
        inputs_at: Gives the inputs at a batch size.
        batches: Batch sizes to try.
        name: The graph, for messages.

    Raises:
        ExportError: A value differs, or the distribution of what an operator draws.
    """
    nodes = [node for node in topological(heads) if draws(node)]
    read = list(dict.fromkeys(e for node in nodes for e in node.inputs if not e[0].is_variable))
    given = [(node, i) for node in nodes for i in range(node.output_count)]
    compared = [*heads, *read]
    model = lowered(compared)
    labels = [source.output_name(index) for source, index in compared]
    session = open_session(model)
    variables = [e for node in nodes for e in node.inputs if e[0].is_variable]
    entries = [*compared, *given, *variables]
    reference = reference_of(entries)
    values: list[Array] = []
    for batch in batches:
        inputs = inputs_at(batch)
        values = reference(inputs)
        expected, drawn = values[: len(compared)], values[len(compared) : len(compared) + len(given)]
        feeds = dict(zip((*model.input_names, *model.drawn_names), (*inputs, *drawn), strict=True))
        try:
            got = session.run(feeds)
        except SessionError as err:
            raise ExportError(
                f"{name}: ONNX Runtime fails at batch size {batch}, given torch's draws: expected outputs, got {err}"
            ) from err
        for label, output, wanted in zip(labels, model.output_names, expected, strict=True):
            fault = difference(got[output], wanted)
            if fault is not None:
                raise ExportError(
                    f"{name}: the ONNX model computes something else from the same draws: `{label}` at batch size "
                    f"{batch}: {fault}. No file is kept. Report the operators of this net."
                )
    found = {(id(node), index): value for (node, index), value in zip(entries, values, strict=True)}
    for node in nodes:
        outputs = [found[id(node), i] for i in range(node.output_count)]
        fault = _compare_draws(node, [found[id(source), index] for source, index in node.inputs], outputs)
        if fault is not None:
            raise ExportError(
                f"{name}: ONNX Runtime draws from another distribution: "
                f"{node.op.name if node.op else 'variable'} `{node.name}`: {fault}. No file is kept. Report it."
            )


def _compare_draws(node: Node, inputs: Sequence[Array], outputs: Sequence[Array]) -> str | None:
    """Say how the draws of an operator in ONNX Runtime and on torch differ, None if they do not."""
    names = [f"in{i}" for i in range(len(inputs))]
    attrs = dict(node.attrs)
    if wanted_shape(node) is not None:
        attrs["shape"] = str(outputs[0].shape)
    copy = Node(
        node.op, node.name, [(Node(None, n), 0) for n in names], attrs, node.annotations, subgraphs=node.subgraphs
    )
    heads = [(copy, i) for i in range(copy.visible_count)]
    dtypes = [dtype_name(a) for a in inputs]
    model = lower(heads, names, [a.shape for a in inputs], dtypes, {}, dynamic_batch=False, name=node.name)
    session = open_session(model)
    function, tensors = GraphFunction(heads, names), [as_tensor(a) for a in inputs]
    feeds = dict(zip(names, inputs, strict=True))
    generators: dict[torch.device, torch.Generator] = {}
    smallest = max(min((a.size for a in outputs), default=1), 1)
    runs = min(max(_NUMBERS // smallest, _RUNS[0]), _RUNS[1])
    measures = _Measures([a.shape for a in outputs[: len(heads)]])
    torchs, ours = [], []
    for _ in range(runs):
        with torch.no_grad():
            results, _ = function(tensors, generator=lambda device: _generator(generators, device))
        torchs.append(measures([as_array("draw", r) for r in results]))
        found = session.run(feeds)
        ours.append(measures([found[n] for n in model.output_names]))
    return _compare_measures(np.array(ours), np.array(torchs), [dtype_name(o) for o in outputs[: len(heads)]])


def _generator(known: dict[torch.device, torch.Generator], device: torch.device) -> torch.Generator:
    if device not in known:
        known[device] = torch.Generator(device).manual_seed(0)
    return known[device]


class _Measures:
    """Three numbers of each array: mean, mean square, and a weighted mean that sees where the values are."""

    def __init__(self, shapes: Sequence[tuple[int, ...]]) -> None:
        random = np.random.RandomState(0)
        self._weights = [random.uniform(0.5, 1.5, size=shape) * random.choice([-1, 1], size=shape) for shape in shapes]

    def __call__(self, arrays: Sequence[Array]) -> npt.NDArray[np.float64]:
        found = []
        for array, weights in zip(arrays, self._weights, strict=True):
            values = np.nan_to_num(array.astype(np.float64)).reshape(-1)
            size = max(values.size, 1)
            found.append(
                [values.sum() / size, np.dot(values, values) / size, np.dot(values, weights.reshape(-1)) / size]
            )
        return np.array(found)


_LABELS = ("mean", "mean square", "weighted mean")


def _compare_measures(
    ours: npt.NDArray[np.float64], torchs: npt.NDArray[np.float64], dtypes: Sequence[str]
) -> str | None:
    """Compare (runs, outputs, measures); see `MOST_ERRORS`."""
    runs = len(ours)
    error = np.sqrt((ours.var(0, ddof=1) + torchs.var(0, ddof=1)) / runs)
    means, wanted = ours.mean(0), torchs.mean(0)
    for output, dtype in enumerate(dtypes):
        rounding = TOLERANCE.get(dtype, 1e-6)
        for measure, label in enumerate(_LABELS):
            place = (output, measure)
            allowed = MOST_ERRORS * error[place] + rounding * max(abs(wanted[place]), 1.0)
            if not abs(means[place] - wanted[place]) <= allowed:
                return (
                    f"output {output}: expected a {label} of {wanted[place]:.6g} over {runs} runs, got "
                    f"{means[place]:.6g} (tolerance {allowed:.3g})"
                )
        distinct, expected = (len(np.unique(m[:, output, 2])) for m in (ours, torchs))
        if distinct == 1 and expected > runs // 2:
            return f"output {output}: expected other numbers in every run, got the same in all {runs}"
    return None
