"""What a caller may choose about an exported file."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, TypeGuard

import numpy as np

from gluonnx.errors import DTypeError, ExportError
from gluonnx.onnx.arrays import Array, as_array, dtype_name
from gluonnx.ops.dtypes import BY_NAME, as_dtype
from gluonnx.symbol.graph import Entry, Node, topological
from gluonnx.symbol.inference import Shape

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
        input_names: Names of the inputs in the file, in order or by their names in the graph; one may stand alone.
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
        """Refuse what no export can do, and write down what was given in one form.

        Raises:
            ExportError: An option is not of the kind that it takes, there is no conversion to the dtype, or metadata
                are other things than texts.
        """
        object.__setattr__(self, "dtype", _dtype(self.dtype))
        object.__setattr__(self, "input_names", _names("input_names", self.input_names))
        object.__setattr__(self, "output_names", _names("output_names", self.output_names))
        if isinstance(self.output_names, Mapping):
            raise ExportError(
                f"export: wrong output_names: expected them in order, got {dict(self.output_names)}. Pass a list."
            )
        if self.opset is not None and type(self.opset) is not int:
            raise ExportError(f"export: wrong opset: expected a whole number, got opset={self.opset!r}.")
        if not (self.external_data is None or isinstance(self.external_data, bool)):
            raise ExportError(
                f"export: wrong external_data: expected True, False or None, got external_data={self.external_data!r}."
            )
        if not isinstance(self.metadata, Mapping):
            raise ExportError(f"export: wrong metadata: expected texts by key, got metadata={self.metadata!r}.")
        for key, text in self.metadata.items():
            if not (_is_text(key) and _is_text(text)) or key.startswith(RESERVED_PREFIX):
                raise ExportError(
                    f"export: wrong metadata: expected texts under keys that do not begin with `{RESERVED_PREFIX}`, "
                    f"got {key!r}: {text!r}. Write it as text under another key."
                )

    def axes(self, shapes: Mapping[str, Shape]) -> dict[str, dict[int, str]]:
        """Return the names of the requested open axes by input and axis, counted from the first.

        Args:
            shapes: The inputs' shapes by name.

        Raises:
            ExportError: They are not given as names by axis, or as axes; or one axis twice.
        """
        if not (self.dynamic_axes is None or isinstance(self.dynamic_axes, Mapping)):
            raise ExportError(
                "export: wrong dynamic_axes: expected axes by input, as {'data': {2: 'height'}}, got "
                f"dynamic_axes={self.dynamic_axes!r}."
            )
        named: dict[str, dict[int, str]] = {}
        for name, axes in (self.dynamic_axes or {}).items():
            if not isinstance(axes, (Mapping, list, tuple, set, frozenset)):
                raise ExportError(
                    f"export: wrong dynamic_axes of `{name}`: expected names by axis, as {{2: 'height'}}, got {axes!r}."
                )
            given = axes if isinstance(axes, Mapping) else dict.fromkeys(axes)
            rank = len(shapes.get(name, ()))
            named[name] = {}
            for axis, axis_name in given.items():
                place = axis + rank if type(axis) is int and -rank <= axis < 0 else axis
                label = f"{name}_{place}" if axes is not given else axis_name
                if type(axis) is not int or not _is_text(label) or not label:
                    raise ExportError(
                        f"export: wrong dynamic_axes of `{name}`: expected names by axis, as {{2: 'height'}}, got "
                        f"{axis!r}: {label!r}."
                    )
                if place in named[name]:
                    raise ExportError(
                        f"export: wrong dynamic_axes of `{name}`: expected each axis once, got {place} and {axis}, "
                        "which are the same."
                    )
                named[name][place] = label
        return named

    def new_names(self, names: Sequence[str]) -> dict[str, str]:
        """Return the names that inputs have in the file, by their names in the graph.

        Raises:
            ExportError: There are more or fewer names than inputs, or names of no input.
        """
        given = {} if self.input_names is None else self.input_names
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


def _dtype(given: object) -> str | None:
    """Return the canonical name of the dtype to convert to."""
    if given is None:
        return None
    try:
        name = as_dtype(given).name
    except DTypeError:
        name = ""
    if name not in ("float32", *HALF_DTYPES):
        remedy = f" Cast the block with `cast({name!r})` instead." if name and BY_NAME[name].is_float else ""
        raise ExportError(
            f"export: no conversion to this dtype: expected float16, or none, got dtype={given!r}.{remedy}"
        )
    return name


def _names(option: str, given: object) -> Sequence[str] | Mapping[str, str] | None:
    """Return names as a list or by name; one name may stand alone."""
    if given is None:
        return None
    by_name = dict(given) if isinstance(given, Mapping) else None
    listed = [given] if isinstance(given, str) else list(given) if isinstance(given, Iterable) else []
    names = listed if by_name is None else list(by_name.values())
    if not isinstance(given, Iterable) or not all(_is_text(n) and n for n in names):
        raise ExportError(f"export: wrong {option}: expected names, got {option}={given!r}.")
    return names if by_name is None else by_name


def _is_text(given: object) -> TypeGuard[str]:
    """Whether something is text that a file can hold: no half of a surrogate pair."""
    return isinstance(given, str) and not any("\ud800" <= c <= "\udfff" for c in given)


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
