"""Symbol-json, the text of a graph: parsed from any era, written as MXNet 1.9.1 writes it.

The text is one object: `nodes`, `arg_nodes` (the variables' ids), `heads` (the outputs), and since 0.9 `node_row_ptr`
(the id of each node's first output, and the number of outputs) and `attrs`. A node has `op` ("null" for a variable),
`name`, `inputs` ([node id, output index, version]; before 0.9 without the version), optional `control_deps` and
`subgraphs`, and its attributes as strings: in `attrs` since 1.0, in `attr` before, and up to 0.8 split into `param`
(the operator's own) and `attr` (the user's; it wins over `param`).

Parsing changes nothing but that spelling; `symbol_upgrade` does what an old graph needs beyond it.

Source: the texts MXNet 1.9.1 writes and accepts (tests/golden/make_files.py); nnvm's src/pass/saveload_json.cc defines
them.
"""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, TypeAlias

from gluonnx.errors import FormatError, InputError
from gluonnx.formats.files import read_bytes
from gluonnx.formats.signatures import HEAD_BYTES, JSON, describe_kind, remedy_for

__all__ = [
    "MXNET_VERSION",
    "VARIABLE",
    "EntryRecord",
    "GraphAttr",
    "GraphRecord",
    "NodeRecord",
    "parse_symbol_json",
    "read_symbol_json",
    "write_symbol_json",
]

VARIABLE = "null"
MXNET_VERSION = 10901
"""The version we write: 1.9.1, as major * 10000 + minor * 100 + patch."""

OLDEST_VERSION = 800
"""The version of a graph that tells none, as MXNet assumes."""

MAX_TEXT_BYTES = 1 << 28  # graphs of a thousand layers take about 1 MB
MAX_SUBGRAPH_DEPTH = 32
MAX_INDEX = (1 << 32) - 1  # MXNet keeps output indices and versions in 32 bits
WRITTEN_BY = "Pass the `-symbol.json` file that `export` or `Symbol.save` wrote"
INLINE_ITEMS = 10  # longer lists get one line per item

_GRAPH_FIELDS = ("nodes", "arg_nodes", "node_row_ptr", "heads", "attrs")
_NODE_FIELDS = ("op", "param", "name", "inputs", "backward_source_id", "attr", "attrs", "control_deps", "subgraphs")
_ESCAPES = str.maketrans({'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})

GraphAttr: TypeAlias = tuple[str, int | str | tuple[int | str, ...]]
"""A graph attribute: the name of its C++ type (`int`, `str`, `list_int`, ...), and its value."""


class EntryRecord(NamedTuple):
    """One output of a node, as an input of another or as a head.

    `version` counts the writes to a mutable input, which MXNet records on the auxiliary states of traced blocks.
    """

    node: int
    output: int = 0
    version: int = 0


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """A node: `op` is `"null"` for a variable; `inputs` and `control_deps` refer to nodes before it."""

    op: str
    name: str
    attrs: dict[str, str] = field(default_factory=dict)
    inputs: tuple[EntryRecord, ...] = ()
    control_deps: tuple[int, ...] = ()
    subgraphs: tuple["GraphRecord", ...] = ()

    @property
    def is_variable(self) -> bool:
        return self.op == VARIABLE


@dataclass(frozen=True, slots=True)
class GraphRecord:
    """A graph, its nodes in an order in which every input comes before its user.

    Attributes:
        nodes: All of them; some may not be reachable from the heads.
        heads: The outputs.
        arg_nodes: The ids of the variables.
        node_row_ptr: The id of each node's first output, then the number of outputs; None where the text has none.
        attrs: Graph attributes, of which MXNet knows one: `mxnet_version`.
    """

    nodes: tuple[NodeRecord, ...]
    heads: tuple[EntryRecord, ...]
    arg_nodes: tuple[int, ...]
    node_row_ptr: tuple[int, ...] | None = None
    attrs: dict[str, GraphAttr] = field(default_factory=dict)

    @property
    def version(self) -> int:
        """The MXNet version that wrote the graph, `OLDEST_VERSION` if it does not tell.

        Raises:
            InputError: A record made by hand has a version that is no integer.
        """
        kind, value = self.attrs.get("mxnet_version", ("int", OLDEST_VERSION))
        if kind != "int" or not isinstance(value, int):
            raise InputError(f"GraphRecord: expected mxnet_version of type int, got {kind}={value!r}.")
        return value


def read_symbol_json(path: str | os.PathLike[str]) -> GraphRecord:
    """Read a symbol-json file of any era, without upgrading it.

    Raises:
        FileAccessError: The file is missing or not readable.
        FormatError: As `parse_symbol_json`, or the file is larger than `MAX_TEXT_BYTES`.
    """
    return parse_symbol_json(read_bytes(Path(path), MAX_TEXT_BYTES), str(path))


def parse_symbol_json(text: str | bytes, where: str) -> GraphRecord:
    """Parse symbol-json of any era; `where` names the text in messages.

    Raises:
        FormatError: Not JSON (with line and column), or not a graph (with the place, like `nodes[3].inputs[0]`): a
            field of the wrong type, unknown, missing or twice, a reference to a node that does not come before.
    """
    text = _decode(text, where)
    place = _Place(where)
    try:
        value = json.loads(text, strict=False, object_pairs_hook=place.unique, parse_constant=place.constant)
    except json.JSONDecodeError as err:
        kind = describe_kind(text[:HEAD_BYTES].encode("utf-8", "surrogatepass"))
        got = "damaged JSON" if kind == JSON else kind or "something else"
        remedy = WRITTEN_BY if kind == JSON else remedy_for(kind, WRITTEN_BY)
        raise FormatError(
            f"{where}: not JSON: expected {_lower_first(err.msg)} at line {err.lineno} column {err.colno}, got {got}. "
            f"{remedy}."
        ) from err
    except RecursionError as err:
        raise FormatError(f"{where}: nested too deeply: expected a graph, got lists in lists. It is damaged.") from err
    except FormatError:
        raise
    except ValueError as err:  # an integer with more digits than Python converts
        raise FormatError(f"{where}: not a graph: expected small integers, got one of thousands of digits.") from err
    return _graph(value, place, depth=0)


def write_symbol_json(graph: GraphRecord) -> str:
    """The text `Symbol.tojson()` of MXNet 1.9.1 gives for this graph, byte for byte.

    Differs: attribute names are escaped like their values. MXNet writes a quote or backslash in a name as it is, which
    no reader accepts, itself included.

    Raises:
        InputError: A reference to a node that does not come before, a number out of range, or a text that UTF-8 cannot
            hold.
    """
    _check(graph, "")
    return _graph_text(graph, depth=0)


class _Place:
    """Where in the text we are, for messages."""

    __slots__ = ("path", "where")

    def __init__(self, where: str, path: str = "") -> None:
        self.where = where
        self.path = path

    def at(self, step: str) -> "_Place":
        return _Place(
            self.where, f"{self.path}{step}" if step.startswith("[") or not self.path else f"{self.path}.{step}"
        )

    def fail(self, expected: str, got: object) -> NoReturn:
        raise FormatError(
            f"{self.where}: {self.path or 'top level'}: expected {expected}, got {_shown(got)}. "
            f"The file is not a symbol-json file, or it is damaged."
        )

    def unique(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        """Make an object of its pairs; a name that comes twice has no single meaning."""
        result = dict(pairs)
        if len(result) != len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            self.fail("every name of an object once", _Raw(f"`{twice[:40]}` twice"))
        return result

    def constant(self, name: str) -> NoReturn:
        self.fail("JSON", _Raw(name))

    def mapping(self, value: object) -> dict[str, Any]:
        return value if isinstance(value, dict) else self.fail("an object", value)

    def sequence(self, value: object) -> list[Any]:
        return value if isinstance(value, list) else self.fail("a list", value)

    def text(self, value: object) -> str:
        if not isinstance(value, str):
            self.fail("a string", value)
        return value if _is_utf8(value) else self.fail("a string that UTF-8 can hold", value)

    def integer(self, value: object, low: int, high: int, what: str) -> int:
        if type(value) is int and low <= value <= high:
            return value
        self.fail(f"{what} of {low} to {high}" if high >= low else f"{what}, of which there is none", value)

    def fields(self, value: object, known: tuple[str, ...], required: tuple[str, ...]) -> dict[str, Any]:
        result = self.mapping(value)
        for name in result:
            if name not in known:
                self.fail(f"only the fields {', '.join(known)}", _Raw(f"`{name[:40]}`"))
        for name in required:
            if name not in result:
                self.fail(f"a field `{name}`", _Raw("none"))
        return result


class _Raw(str):
    """A piece of a message that is shown as it is, not as JSON."""

    __slots__ = ()


def _shown(got: object) -> str:
    """A value of a message, shortened; never walks into it, however deep it is."""
    if isinstance(got, _Raw):
        return got
    if isinstance(got, dict):
        return f"an object of {len(got)} fields"
    if isinstance(got, list) and (len(got) > 4 or any(isinstance(item, dict | list) for item in got)):
        return f"a list of {len(got)} items"
    text = json.dumps(got[:60] if isinstance(got, str) else got)
    return text if len(text) <= 60 else text[:57] + "..."


def _decode(text: str | bytes, where: str) -> str:
    if isinstance(text, str):
        return text.removeprefix("\ufeff")
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        kind = describe_kind(text[:HEAD_BYTES])
        raise FormatError(
            f"{where}: not JSON: expected UTF-8 text, got {kind or 'other bytes'} (byte {err.start:#x} is "
            f"{text[err.start]:#04x}). {remedy_for(kind, WRITTEN_BY)}."
        ) from err


def _lower_first(text: str) -> str:
    text = text.removeprefix("Expecting ").removesuffix(" at")
    return text[:1].lower() + text[1:]


def _is_utf8(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)


def _graph(value: object, place: _Place, depth: int) -> GraphRecord:
    if depth > MAX_SUBGRAPH_DEPTH:
        place.fail(f"subgraphs at most {MAX_SUBGRAPH_DEPTH} deep", _Raw("more"))
    graph = place.fields(value, _GRAPH_FIELDS, ("nodes", "arg_nodes", "heads"))
    at = place.at("nodes")
    nodes = tuple(_node(node, i, at.at(f"[{i}]"), depth) for i, node in enumerate(at.sequence(graph["nodes"])))
    last = len(nodes) - 1
    at = place.at("arg_nodes")
    arg_nodes = tuple(
        at.at(f"[{i}]").integer(node, 0, last, "the id of a node")
        for i, node in enumerate(at.sequence(graph["arg_nodes"]))
    )
    for i, node in enumerate(arg_nodes):
        if not nodes[node].is_variable:
            at.at(f"[{i}]").fail("the id of a variable", _Raw(f"{node}, a node of operator `{nodes[node].op[:40]}`"))
    heads = _entries(graph["heads"], place.at("heads"), last)
    row_ptr = _row_ptr(graph["node_row_ptr"], place.at("node_row_ptr")) if "node_row_ptr" in graph else None
    return GraphRecord(nodes, heads, arg_nodes, row_ptr, _graph_attrs(graph.get("attrs", {}), place.at("attrs")))


def _node(value: object, number: int, place: _Place, depth: int) -> NodeRecord:
    node = place.fields(value, _NODE_FIELDS, ("op", "name", "inputs"))
    if "attr" in node and "attrs" in node:
        place.fail("one of `attr` and `attrs`", _Raw("both"))
    attrs = _texts(node.get("attrs", node.get("attr", {})), place.at("attrs" if "attrs" in node else "attr"))
    for name, text in _texts(node.get("param", {}), place.at("param")).items():
        attrs.setdefault(name, text)
    if "backward_source_id" in node:
        place.at("backward_source_id").integer(node["backward_source_id"], -1, MAX_INDEX, "a node id or -1")
    at = place.at("control_deps")
    control_deps = tuple(
        at.at(f"[{i}]").integer(dep, 0, number - 1, "the id of an earlier node")
        for i, dep in enumerate(at.sequence(node.get("control_deps", [])))
    )
    at = place.at("subgraphs")
    subgraphs = tuple(
        _graph(graph, at.at(f"[{i}]"), depth + 1) for i, graph in enumerate(at.sequence(node.get("subgraphs", [])))
    )
    return NodeRecord(
        op=place.at("op").text(node["op"]),
        name=place.at("name").text(node["name"]),
        attrs=attrs,
        inputs=_entries(node["inputs"], place.at("inputs"), number - 1),
        control_deps=control_deps,
        subgraphs=subgraphs,
    )


def _texts(value: object, place: _Place) -> dict[str, str]:
    return {place.text(name): place.at(name[:40]).text(text) for name, text in place.mapping(value).items()}


def _entries(value: object, place: _Place, last: int) -> tuple[EntryRecord, ...]:
    """Parse a list of entries that refer to the nodes 0 to `last`."""
    entries = []
    for i, item in enumerate(place.sequence(value)):
        at = place.at(f"[{i}]")
        if not isinstance(item, list) or not 2 <= len(item) <= 3:
            at.fail("[node id, output index] or [node id, output index, version]", item)
        node = at.integer(item[0], 0, last, "the id of an earlier node")
        output = at.integer(item[1], 0, MAX_INDEX, "an output index")
        version = at.integer(item[2], 0, MAX_INDEX, "a version") if len(item) == 3 else 0
        entries.append(EntryRecord(node, output, version))
    return tuple(entries)


def _row_ptr(value: object, place: _Place) -> tuple[int, ...]:
    return tuple(
        place.at(f"[{i}]").integer(start, 0, MAX_INDEX, "the id of an output")
        for i, start in enumerate(place.sequence(value))
    )


def _graph_attrs(value: object, place: _Place) -> dict[str, GraphAttr]:
    attrs: dict[str, GraphAttr] = {}
    for name, item in place.mapping(value).items():
        at = place.at(place.text(name)[:40])
        if not isinstance(item, list) or len(item) != 2:
            at.fail("[type, value]", item)
        kind = at.text(item[0])
        if name == "mxnet_version" and (kind != "int" or type(item[1]) is not int or not 0 <= item[1] <= MAX_INDEX):
            at.fail('["int", version]', item)
        attrs[name] = (kind, _graph_attr_value(item[1], at))
    return attrs


def _graph_attr_value(value: object, place: _Place) -> int | str | tuple[int | str, ...]:
    if isinstance(value, list):
        return tuple(_graph_attr_item(item, place) for item in value)
    return _graph_attr_item(value, place)


def _graph_attr_item(value: object, place: _Place) -> int | str:
    if type(value) is int:
        return value
    return place.text(value) if isinstance(value, str) else place.fail("integers or strings", value)


def _check(graph: GraphRecord, path: str) -> None:
    """Refuse a record that the reader would refuse as text."""
    last = len(graph.nodes) - 1
    for i, node in enumerate(graph.nodes):
        at = f"{path}nodes[{i}]"
        _check_entries(node.inputs, i - 1, f"{at}.inputs")
        _check_ids(node.control_deps, i - 1, f"{at}.control_deps")
        for text in (node.op, node.name, *node.attrs, *node.attrs.values()):
            if not _is_utf8(text):
                raise InputError(f"symbol-json: {at}: expected UTF-8, got half a surrogate pair in {text!r}.")
        for j, subgraph in enumerate(node.subgraphs):
            _check(subgraph, f"{at}.subgraphs[{j}].")
    _check_entries(graph.heads, last, f"{path}heads")
    _check_ids(graph.arg_nodes, last, f"{path}arg_nodes")
    for start in graph.node_row_ptr or ():
        if not 0 <= start <= MAX_INDEX:
            raise InputError(f"symbol-json: {path}node_row_ptr: expected ids of 0 to {MAX_INDEX}, got {start}.")


def _check_ids(ids: Iterable[int], last: int, path: str) -> None:
    for node in ids:
        if not 0 <= node <= last:
            raise InputError(f"symbol-json: {path}: expected a node id of 0 to {last}, got node={node}.")


def _check_entries(entries: Sequence[EntryRecord], last: int, path: str) -> None:
    _check_ids((entry.node for entry in entries), last, path)
    for _, output, version in entries:
        if not (0 <= output <= MAX_INDEX and 0 <= version <= MAX_INDEX):
            raise InputError(
                f"symbol-json: {path}: expected an output and a version of 0 to {MAX_INDEX}, "
                f"got output={output}, version={version}."
            )


def _graph_text(graph: GraphRecord, depth: int) -> str:
    fields = {
        "nodes": _list_text([_node_text(node, depth + 2) for node in graph.nodes], depth + 1, is_tall=True),
        "arg_nodes": _list_text([str(node) for node in graph.arg_nodes], depth + 1),
    }
    if graph.node_row_ptr is not None:
        fields["node_row_ptr"] = _list_text([str(start) for start in graph.node_row_ptr], depth + 1)
    fields["heads"] = _entries_text(graph.heads, depth + 1)
    if graph.attrs:
        attrs = {name: _list_text([_quoted(kind), _plain(value)], 0) for name, (kind, value) in graph.attrs.items()}
        fields["attrs"] = _object_text(dict(sorted(attrs.items())), depth + 1, is_tall=len(attrs) > 1)
    return _object_text(fields, depth, is_tall=True)


def _node_text(node: NodeRecord, depth: int) -> str:
    fields = {"op": _quoted(node.op), "name": _quoted(node.name)}
    if node.attrs:
        attrs = {name: _quoted(text) for name, text in sorted(node.attrs.items())}
        fields["attrs"] = _object_text(attrs, depth + 1, is_tall=len(attrs) > 1)
    fields["inputs"] = _entries_text(node.inputs, depth + 1)
    if node.control_deps:
        fields["control_deps"] = _list_text([str(dep) for dep in node.control_deps], depth + 1)
    if node.subgraphs:
        graphs = [_graph_text(graph, depth + 2) for graph in node.subgraphs]
        fields["subgraphs"] = _list_text(graphs, depth + 1, is_tall=True)
    return _object_text(fields, depth, is_tall=True)


def _entries_text(entries: Iterable[EntryRecord], depth: int) -> str:
    return _list_text([f"[{node}, {output}, {version}]" for node, output, version in entries], depth)


def _plain(value: int | str | tuple[int | str, ...]) -> str:
    if isinstance(value, tuple):
        return _list_text([_plain(item) for item in value], 0)
    return _quoted(value) if isinstance(value, str) else str(value)


def _list_text(items: list[str], depth: int, *, is_tall: bool = False) -> str:
    if items and (is_tall or len(items) > INLINE_ITEMS):
        return _tall("[", items, "]", depth)
    return f"[{', '.join(items)}]"


def _object_text(fields: dict[str, str], depth: int, *, is_tall: bool) -> str:
    items = [f"{_quoted(name)}: {text}" for name, text in fields.items()]
    return _tall("{", items, "}", depth) if is_tall else f"{{{', '.join(items)}}}"


def _tall(opening: str, items: list[str], closing: str, depth: int) -> str:
    """One line per item, two blanks deeper than `depth` levels; MXNet leaves a blank after each comma."""
    indent = "\n" + "  " * (depth + 1)
    return f"{opening}{indent}{f', {indent}'.join(items)}\n{'  ' * depth}{closing}"


def _quoted(text: str) -> str:
    """A JSON string with the escapes MXNet's reader knows; any other character stands for itself."""
    return f'"{text.translate(_ESCAPES)}"'
