"""What a caller may choose about an exported file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from gluonnx.errors import ExportError
from gluonnx.onnx.arrays import Array, as_array, dtype_name
from gluonnx.ops.dtypes import BY_NAME
from gluonnx.symbol.graph import Entry, Node, topological

DynamicAxes: TypeAlias = Mapping[str, Mapping[int, str] | Sequence[int]]
HALF_DTYPES = ("float16",)
RESERVED_PREFIX = "gluonnx."


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """Choices of an export.

    Attributes:
        dynamic_batch: Leave the batch size open.
        dynamic_axes: Other open axes: names by input and axis, or axes by input, named `INPUT_AXIS` then.
        opset: Opset of the file; the one that lowerings target if None.
        dtype: `"float16"`: parameters, inputs and outputs of float32 become float16; None leaves them.
        input_names: Names of the inputs in the file, in order or by their names in the graph.
        output_names: Names of the outputs in the file, in order.
        metadata: Texts to store with the model.
        external_data: Keep the parameters in a file of their own, `NAME.onnx.DIGEST.data`. None: if one file cannot
            hold them.
    """

    dynamic_batch: bool = True
    dynamic_axes: DynamicAxes | None = None
    opset: int | None = None
    dtype: str | None = None
    input_names: Sequence[str] | Mapping[str, str] | None = None
    output_names: Sequence[str] | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    external_data: bool | None = None

    def __post_init__(self) -> None:
        """Refuse what no export can do.

        Raises:
            ExportError: A dtype that there is no conversion to, or metadata of other things than texts.
        """
        if self.dtype not in (None, "float32", *HALF_DTYPES):
            raise ExportError(
                f"export: no conversion to this dtype: expected float16, or none, got dtype={self.dtype!r}. Cast the "
                "block with `cast` instead."
            )
        for key, text in self.metadata.items():
            if not isinstance(key, str) or not isinstance(text, str) or key.startswith(RESERVED_PREFIX):
                raise ExportError(
                    f"export: wrong metadata: expected texts under keys that do not begin with `{RESERVED_PREFIX}`, "
                    f"got {key!r}: {text!r}. Write it as text under another key."
                )

    def axes(self) -> dict[str, dict[int, str]]:
        """Return the names of the requested open axes by input and axis."""
        named: dict[str, dict[int, str]] = {}
        for name, axes in (self.dynamic_axes or {}).items():
            given = axes if isinstance(axes, Mapping) else {a: f"{name}_{a}" for a in axes}
            named[name] = {}
            for axis, axis_name in given.items():
                if type(axis) is not int or not isinstance(axis_name, str) or not axis_name:
                    raise ExportError(
                        f"export: wrong dynamic_axes of `{name}`: expected names by axis, as {{2: 'height'}}, got "
                        f"{axis!r}: {axis_name!r}."
                    )
                named[name][axis] = axis_name
        return named

    def new_names(self, names: Sequence[str]) -> dict[str, str]:
        """Return the names that inputs have in the file, by their names in the graph.

        Raises:
            ExportError: There are more or fewer names than inputs, or names of no input.
        """
        given = self.input_names or {}
        if not isinstance(given, Mapping):
            if len(given) != len(names):
                raise ExportError(
                    f"export: wrong number of input names: expected {len(names)}, for {', '.join(names)}, got "
                    f"input_names={list(given)}."
                )
            given = dict(zip(names, given, strict=True))
        if unknown := [n for n in given if n not in names]:
            raise ExportError(f"export: no such input: expected some of {', '.join(names)}, got {', '.join(unknown)}.")
        return {n: given.get(n, n) for n in names}


def renamed(heads: Sequence[Entry], names: Mapping[str, str]) -> list[Entry]:
    """Return the same graph with other names of variables; the heads themselves where nothing changes."""
    if all(old == new for old, new in names.items()):
        return list(heads)
    copies: dict[int, Node] = {}
    for node in topological(heads):
        inputs = [(copies[id(source)], index) for source, index in node.inputs]
        name = names.get(node.name, node.name) if node.is_variable else node.name
        copies[id(node)] = Node(
            node.op, name, inputs, dict(node.attrs), dict(node.annotations), node.versions, node.subgraphs
        )
    return [(copies[id(node)], index) for node, index in heads]


def half_parameters(heads: Sequence[Entry], parameters: Mapping[str, object]) -> dict[str, object]:
    """Return parameters with float32 made float16, as `Block.cast` does: those of normalizations with running
    statistics stay float32.

    Raises:
        ExportError: A value is beyond the range of float16; names every such parameter.
    """
    kept: set[str] = set()
    for node in topological(heads):
        if node.op is not None and node.op.auxiliary_positions(node.typed):
            kept.update(source.name for source, _ in node.inputs[1:] if source.is_variable)
    halves: dict[str, object] = {}
    beyond: list[str] = []
    for name, value in parameters.items():
        array = as_array(f"parameter `{name}`", value)
        if name in kept or dtype_name(array) != "float32":
            halves[name] = value
            continue
        halves[name] = half = _as_half(array)
        if not np.array_equal(np.isfinite(half), np.isfinite(array)):
            beyond.append(f"{name} (largest magnitude {np.nanmax(np.abs(array)):g})")
    if beyond:
        raise ExportError(
            f"export: beyond the range of float16: expected parameters of at most 65504, got {', '.join(beyond)}. "
            "Export without `dtype`."
        )
    return halves


def _as_half(array: Array) -> Array:
    with np.errstate(over="ignore"):
        return array.astype(BY_NAME["float16"].numpy)
