"""The table of ONNX operators that a graph may keep: one torch function for each, in the newest form of the operator.

A node `_onnx.<OpType>` of a graph is an ONNX operator that no MXNet operator equals. Its lowering is the node itself;
its torch function makes it run imperatively, with gradients. Files of older opsets are brought to the newest form when
they are read (`gluonnx.onnx.lift`), so each operator has one function.

    @onnx_operator("Reshape", values="shape")
    def reshape(data, shape, *, allowzero: int = 0):
        ...

Positional parameters are the ONNX inputs in their order (None where one is left out, `*data`: any number), keywords the
ONNX attributes; `output_count`, `training`, `generator` and `bodies` are what a function may ask of its caller.
"""

import inspect
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from gluonnx.errors import AttributeValueError, InputError
from gluonnx.ops.attributes import shortened
from gluonnx.ops.dtypes import BY_NAME, BY_TORCH
from gluonnx.ops.table import Attrs, Input, Operator, Wiring

__all__ = ["PREFIX", "ROWS", "ForeignOperator", "Row", "decode", "encode", "onnx_operator"]

PREFIX = "_onnx."
SOURCE = "ONNX 1.23 docs/Operators.md"
MASK_KEY, COUNT_KEY, TYPES_KEY, WIRING_KEY = "_present", "_outputs", "_types", "_wiring"
"""What a node carries beside its attributes: which of the ONNX inputs are there ("101"), how many outputs it has, the
dtype name and rank of each output as far as the file tells them, and what each subgraph reads (see `wirings`)."""
BASE_OPSET = 20
"""The opset that files are written in where no node needs a later one."""
VALUE_LIMIT = 4096
"""Largest array that shape inference follows by value."""
MAX_OUTPUTS = 1 << 16
MAX_RANK = 64
"""Of an array; torch's and numpy's limit."""
SUBGRAPHS = {"If": ("then_branch", "else_branch"), "Loop": ("body",), "Scan": ("body",), "SequenceMap": ("body",)}
"""ONNX names of the subgraphs of operators that have any."""
_KEEPS = frozenset(
    {"CumSum", "Reshape", "Slice", "Split", "Squeeze", "TopK", "Transpose", "Unsqueeze"}
    | {f"Reduce{n}" for n in ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")}
)
"""Operators that give no more elements than they get, though inputs decide which."""
_GROWS = frozenset(
    {
        "AveragePool",
        "Conv",
        "ConvInteger",
        "ConvTranspose",
        "DeformConv",
        "LpPool",
        "MaxPool",
        "MaxRoiPool",
        "QLinearConv",
    }
    | {"MaxUnpool", "Multinomial", "RandomNormal", "RandomUniform", "RoiAlign"}
)
"""Operators whose attributes may ask for more elements than all inputs' elements in all combinations are."""
_CALLER = frozenset({"output_count", "training", "generator", "bodies", "device"})

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Row:
    """One ONNX operator.

    Attributes:
        op_type: Its ONNX name.
        forward: The torch function.
        inputs: Names of its inputs; the last one repeats if `variadic`.
        variadic: Whether the last input repeats.
        values: Positions of the inputs whose values decide shapes; they are read on the CPU.
        is_open: Whether output shapes depend on values of any input, so that nothing tells them without running it.
        asks: Which of the caller's keywords the function takes.
        attributes: The ONNX attributes that the function takes.
        required: Those without a default.
        opset: The least opset that has the operator in this form.
        formal: Adds the inputs of its subgraphs to a nested ONNX graph.
    """

    op_type: str
    forward: Callable[..., Any]
    inputs: tuple[str, ...]
    variadic: bool
    values: frozenset[int]
    is_open: bool
    asks: frozenset[str]
    attributes: frozenset[str]
    required: frozenset[str]
    opset: int
    formal: Callable[..., list[Any]] | None


ROWS: dict[str, Row] = {}
"""Every operator that can be kept, by its ONNX name."""


def onnx_operator(
    op_type: str,
    *,
    values: str = "",
    is_open: bool = False,
    opset: int = BASE_OPSET,
    formal: Callable[..., list[Any]] | None = None,
) -> Callable[[F], F]:
    """Decorator: declare the torch function of an ONNX operator.

    Args:
        op_type: The ONNX name.
        values: Inputs whose values decide shapes, space-separated.
        is_open: Whether output shapes depend on the values of other inputs.
        opset: The least opset that has the operator in the form of the function.
        formal: For an operator with subgraphs, adds their inputs to a nested ONNX graph.
    """

    def declare(forward: F) -> F:
        parameters = list(inspect.signature(forward).parameters.values())
        inputs = [p for p in parameters if p.kind is not p.KEYWORD_ONLY]
        names = tuple(p.name for p in inputs)
        keywords = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
        unknown = set(values.split()) - set(names)
        if op_type in ROWS or unknown:
            raise ValueError(f"{op_type}: declared twice, or reads values of no input: {sorted(unknown)}")
        ROWS[op_type] = Row(
            op_type,
            forward,
            names,
            any(p.kind is p.VAR_POSITIONAL for p in inputs),
            frozenset(names.index(n) for n in values.split()),
            is_open,
            frozenset(keywords & _CALLER),
            frozenset(keywords - _CALLER),
            frozenset(p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty) - _CALLER,
            opset,
            formal,
        )
        return forward

    return declare


def encode(value: Any) -> str:
    """Return an ONNX attribute as the text of a node's attribute: JSON, with arrays as dtype, shape and values."""
    if isinstance(value, np.ndarray):
        name = next(d.name for d in BY_NAME.values() if d.numpy == value.dtype)
        record = {"dtype": name, "shape": list(value.shape), "bytes": value.tobytes().hex()}
        return json.dumps(record, separators=(",", ":"))
    return json.dumps(value)


def decode(text: str) -> Any:
    """Return what `encode` was given.

    Raises:
        ValueError: It is no such text.
    """
    try:
        value = json.loads(text)
        if isinstance(value, dict):
            data = np.frombuffer(bytes.fromhex(value["bytes"]), dtype=BY_NAME[value["dtype"]].numpy)
            return data.reshape(tuple(value["shape"])).copy()
    except (TypeError, KeyError, AttributeError, RecursionError) as err:
        raise ValueError(text) from err
    return value


class ForeignOperator(Operator):
    """The row of one ONNX operator, as the graph sees it."""

    __slots__ = ("row",)

    is_open = True

    def __init__(self, row: Row) -> None:
        super().__init__(
            _runner(row),
            PREFIX + row.op_type,
            (),
            source=SOURCE,
            aux="",
            outputs=lambda attrs: _names(attrs[COUNT_KEY]),
            visible=None,
            unread=0,
            when={},
            count_attribute=None,
            no_effect=(),
            method=(),
            view=False,
            variable_init={},
            shapes="known",
        )
        self.row = row
        self.inputs = ()
        self.variadic = False
        self.doc = inspect.getdoc(row.forward) or ""
        self.runtime = row.asks - {"output_count"}
        self.subgraphs = self.subgraph_names

    @property
    def carries_values(self) -> bool:
        """True: shapes may follow from values that follow from shapes."""
        return True

    @property
    def is_branch(self) -> bool:
        """True for If."""
        return self.row.op_type == "If"

    @property
    def subgraph_names(self) -> tuple[str, ...]:
        """ONNX names of the attributes that are subgraphs, in the order of the node's subgraphs."""
        return SUBGRAPHS.get(self.row.op_type, ())

    def parse(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the attributes as ONNX types them."""
        parsed: dict[str, Any] = {MASK_KEY: "", COUNT_KEY: 1, TYPES_KEY: [], WIRING_KEY: []}
        for key, text in given.items():
            if key not in self.row.attributes and key not in parsed:
                listed = ", ".join(sorted(self.row.attributes)) or "none"
                raise AttributeValueError(f"{self.name}: unknown attribute: expected one of {listed}, got {key!r}.")
            try:
                parsed[key] = decode(text)
            except ValueError:
                raise AttributeValueError(
                    f"{self.name}: attribute `{key}` has a wrong value: expected JSON, got {key}={shortened(text)}."
                ) from None
        mask, count, types, wiring = (parsed[k] for k in (MASK_KEY, COUNT_KEY, TYPES_KEY, WIRING_KEY))
        is_sound = (
            isinstance(mask, str)
            and not set(mask) - {"0", "1"}
            and type(count) is int
            and 0 < count < MAX_OUTPUTS
            and isinstance(types, list)
            and all(map(_is_type, types))
            and isinstance(wiring, list)
            and all(map(_is_wiring, wiring))
        )
        if not is_sound:
            raise AttributeValueError(
                f"{self.name}: wrong inputs or outputs: expected what the import writes, got "
                f"{MASK_KEY}={shortened(mask)}, "
                f"{COUNT_KEY}={shortened(count)}, {TYPES_KEY}={shortened(types)}, {WIRING_KEY}={shortened(wiring)}."
            )
        missing = self.row.required - parsed.keys()
        if missing:
            raise AttributeValueError(f"{self.name}: attributes are missing: expected {', '.join(sorted(missing))}.")
        return parsed

    def to_text(self, given: Mapping[str, Any]) -> dict[str, str]:
        """Return attributes as JSON."""
        return {key: value if isinstance(value, str) else encode(value) for key, value in given.items()}

    def active_inputs(self, attrs: Attrs, count: int | None = None) -> tuple[Input, ...]:
        """Return the inputs that the node has; those that only subgraphs read come last."""
        mask = attrs[MASK_KEY]
        own = tuple(Input(self._input_name(i)) for i, there in enumerate(mask) if there == "1")
        return own + tuple(Input(f"captured{i}") for i in range((count or len(own)) - len(own)))

    def _input_name(self, position: int) -> str:
        names = self.row.inputs
        if self.row.variadic and position >= len(names) - 1:
            return f"{names[-1]}{position - len(names) + 1}"
        return names[position] if position < len(names) else f"input{position}"

    def check_count(self, given: int, attrs: Attrs) -> None:
        """Raise InputError unless `given` inputs fit the node."""
        mask, row = attrs[MASK_KEY], self.row
        own = mask.count("1")
        if given < own or (given > own and not attrs[WIRING_KEY]) or (len(mask) > len(row.inputs) and not row.variadic):
            raise InputError(f"{self.name}: wrong number of inputs: expected {own}, got {given}.")

    def wirings(self, attrs: Attrs) -> Sequence[Wiring]:
        """Return how each subgraph is joined to the node.

        Each of its variables reads a place: an input of the node, or -1 - k for what the operator gives as the k-th
        formal input (the number of an iteration, a state).
        """
        return tuple(Wiring(inputs=tuple(places), outputs=(-1,) * count) for places, count in attrs[WIRING_KEY])

    def infer_dtypes(self, known: Mapping[str, str | None], attrs: Attrs) -> dict[str, str | None]:
        """Return what is known, and what the file told of the outputs."""
        told = dict(zip(self.output_names(attrs), (t[0] for t in attrs[TYPES_KEY]), strict=False))
        return {name: dtype or told.get(name) for name, dtype in known.items()}

    def infer_outputs(self, inputs: Sequence[Tensor | None], attrs: Attrs) -> Sequence[Tensor | None]:
        """Return the outputs as meta tensors, as arrays where their values follow from shapes, None where unknown.

        Args:
            inputs: Each one likewise.
            attrs: Typed attributes.

        Raises:
            RuntimeError, ValueError, IndexError, TypeError: The operator does not take such inputs.
        """
        unknown: list[Tensor | None] = [None] * attrs[COUNT_KEY]
        own = inputs[: attrs[MASK_KEY].count("1")]
        given = spread(own, attrs[MASK_KEY])
        if any(t is None for t in own) or self.subgraph_names:
            return unknown
        is_real = [t is None or t.device.type != "meta" for t in given]
        if not all(is_real):
            if self.row.is_open or not all(is_real[i] for i in self.row.values if i < len(given)):
                return unknown
            own = [
                t if t is None or i in self.row.values else t.to("meta")
                for i, t in enumerate(given)
                if attrs[MASK_KEY][i] == "1"
            ]
        if "generator" in self.row.asks and all(is_real):
            return unknown
        if all(is_real) and (large := self._too_large(own, attrs)) is not None:
            return large
        runtime = {"training": False, "generator": None, "device": torch.device("meta")}
        with torch.no_grad():
            results = self.forward(*own, **attrs, **{k: v for k, v in runtime.items() if k in self.runtime})
        return [
            r if not isinstance(r, Tensor) or r.device.type == "meta" or r.numel() <= VALUE_LIMIT else r.to("meta")
            for r in results
        ]

    def _too_large(self, own: Sequence[Tensor | None], attrs: Attrs) -> Sequence[Tensor | None] | None:
        """Return the outputs without values where following these would take more memory than shapes ever need."""
        keywords = {k: v for k, v in attrs.items() if k in self.row.attributes}
        if "output_count" in self.row.asks:
            keywords["output_count"] = attrs[COUNT_KEY]
        given = spread(own, attrs[MASK_KEY])
        if not may_grow(self.row, given, VALUE_LIMIT):
            return None
        found = probe(self.row, given, keywords)
        if found is None or all(r.numel() <= VALUE_LIMIT for r in found if isinstance(r, Tensor)):
            return None
        return [r.to("meta") if isinstance(r, Tensor) else r for r in found]

    @property
    def unsupported_reason(self) -> str | None:
        """None: the lowering is the node itself."""
        return None

    @property
    def is_lowering_declared(self) -> bool:
        """True: the lowering is the node itself."""
        return True

    def lower(self, g: Any, inputs: Sequence[Any], attrs: Attrs) -> tuple[Any, ...]:
        """Add the node itself."""
        if self.row.op_type == "Constant":
            return (g.const(attrs["value"]),)
        rest = {k: v for k, v in attrs.items() if not k.startswith("_")}
        bodies = rest.pop("bodies", ())
        own = attrs[MASK_KEY].count("1")
        for name, body in zip(self.subgraph_names, bodies, strict=True):
            rest[name] = self._region(g, body, inputs, spread(inputs[:own], attrs[MASK_KEY]))
        outputs: tuple[Any, ...] = g.foreign(
            self.row.op_type,
            spread(inputs[:own], attrs[MASK_KEY]),
            rest,
            max(self.row.opset, BASE_OPSET),
            attrs[COUNT_KEY],
            attrs[TYPES_KEY],
        )
        return outputs

    def _region(self, g: Any, body: Any, inputs: Sequence[Any], own: Sequence[Any]) -> Any:
        """Return a subgraph as a nested ONNX graph."""
        with g.region() as region:
            formal = self.row.formal(g, region, own) if self.row.formal is not None else []
            region.give(body([inputs[p] if p >= 0 else formal[-1 - p] for p in body.wiring.inputs]))
        return region


def _is_type(value: Any) -> bool:
    """Whether it is what a node tells of an output: a dtype name or None, a rank or None."""
    if not isinstance(value, list) or len(value) != 2:
        return False
    dtype, rank = value
    return (dtype is None or (isinstance(dtype, str) and dtype in BY_NAME)) and (
        rank is None or (type(rank) is int and 0 <= rank <= MAX_RANK)
    )


def _is_wiring(value: Any) -> bool:
    """Whether it is what a subgraph reads, and how many outputs it gives."""
    if not isinstance(value, list) or len(value) != 2 or not isinstance(value[0], list):
        return False
    return all(type(place) is int for place in value[0]) and type(value[1]) is int and 0 <= value[1] < MAX_OUTPUTS


def may_grow(row: Row, given: Sequence[Tensor | None], limit: int) -> bool:
    """Whether an operator may give more than `limit` elements, for all that its inputs' sizes tell."""
    if row.op_type in _KEEPS:
        return False
    count = math.prod(max(t.numel(), 1) for t in given if isinstance(t, Tensor))
    return bool(row.values) or row.op_type in _GROWS or count > limit


def probe(row: Row, given: Sequence[Tensor | None], keywords: Attrs) -> tuple[Any, ...] | None:
    """Return the outputs of an ONNX operator as meta tensors, None where its function reads values to make them.

    A few numbers in a file may ask for an array of any size (`Range`, `Pad`): so it is known before it is made.

    Args:
        row: The operator.
        given: Its inputs, None where one is left out.
        keywords: Attributes, and what the function asks of its caller except `training`, `generator` and `device`.
    """
    runtime = {"training": False, "generator": None, "device": torch.device("meta")}
    last = len(row.inputs) - 1
    tensors = [
        t if t is None or min(i, last) in row.values or not isinstance(t, Tensor) else t.to("meta")
        for i, t in enumerate(given)
    ]
    try:
        with torch.no_grad(), torch.device("meta"):
            result = row.forward(*tensors, **keywords, **{k: v for k, v in runtime.items() if k in row.asks})
    except (RuntimeError, ValueError, IndexError, TypeError, ArithmeticError):
        return None
    return result if isinstance(result, tuple) else (result,)


def _names(count: int) -> list[str]:
    return ["output"] if count == 1 else [f"output{i}" for i in range(count)]


def spread(inputs: Sequence[Any], mask: str) -> list[Any]:
    """Return the inputs with None in place of those that are left out."""
    given = iter(inputs)
    return [next(given) if there == "1" else None for there in mask]


def _runner(row: Row) -> Callable[..., tuple[Any, ...]]:
    """Return the torch function as the executor calls it: inputs without gaps, a tuple of outputs."""
    forward, values, asks_count = row.forward, row.values, "output_count" in row.asks
    runs_subgraphs = "bodies" in row.asks

    def run(*data: Tensor, **attrs: Any) -> tuple[Any, ...]:
        mask, count = attrs.pop(MASK_KEY), attrs.pop(COUNT_KEY)
        del attrs[TYPES_KEY], attrs[WIRING_KEY]
        arguments: Sequence[Any] = data
        if runs_subgraphs:
            attrs["bodies"] = [_called(body, data) for body in attrs["bodies"]]
            arguments = data[: mask.count("1")]
        if "0" in mask:
            arguments = spread(arguments, mask)
        if asks_count:
            attrs["output_count"] = count
        result = forward(*on_one_device(arguments, values), **attrs)
        outputs = result if isinstance(result, tuple) else (result,)
        if len(outputs) < count:
            raise ValueError(f"gives {len(outputs)} outputs where the node has {count}")
        return outputs

    return run


def _called(body: Any, data: Sequence[Tensor]) -> Callable[..., list[Any]]:
    """Return a subgraph as a function of its formal inputs; what else it reads are inputs of the node."""

    def call(*formal: Any) -> list[Any]:
        outputs: list[Any] = body([data[p] if p >= 0 else formal[-1 - p] for p in body.wiring.inputs])
        return outputs

    return call


def on_one_device(arguments: Sequence[Any], values: frozenset[int]) -> Sequence[Any]:
    """Move what was computed from shapes, on the CPU, to the device of the other inputs."""
    devices = {t.device for i, t in enumerate(arguments) if isinstance(t, Tensor) and i not in values}
    if len(devices) < 2:
        return arguments
    target = next(d for d in devices if d.type != "cpu")
    return [
        t.to(target) if isinstance(t, Tensor) and i not in values and t.device != target else t
        for i, t in enumerate(arguments)
    ]


def dtype_of(number: int) -> torch.dtype:
    """Return the torch dtype of an ONNX element type.

    Raises:
        InputError: Arrays have no such dtype.
    """
    for dtype in BY_TORCH.values():
        if dtype.onnx == number:
            return dtype.torch
    raise InputError(f"ONNX element type: not supported: expected one of {', '.join(BY_NAME)}, got {number}.")


def integers(tensor: Tensor) -> list[int]:
    """Return the values of an integer tensor."""
    return [int(v) for v in tensor.reshape(-1).tolist()]
