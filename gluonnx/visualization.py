"""Graphs as a table and as a picture: `mx.visualization`, `mx.viz`."""

import math
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from gluonnx.errors import InputError, NotSupportedError
from gluonnx.symbol import Symbol
from gluonnx.symbol.graph import Node, topological

__all__ = ["plot_network", "print_summary"]

Shapes = Mapping[str, tuple[int, ...]]

HIDDEN_SUFFIXES = (
    "_weight",
    "_bias",
    "_beta",
    "_gamma",
    "_moving_var",
    "_moving_mean",
    "_running_var",
    "_running_mean",
)
"""Ends of the names of variables that a picture leaves out."""

FILLS = {
    "Convolution": "#fb8072",
    "FullyConnected": "#fb8072",
    "BatchNorm": "#bebada",
    "Activation": "#ffffb3",
    "LeakyReLU": "#ffffb3",
    "Pooling": "#80b1d3",
    "Concat": "#fdb462",
    "Flatten": "#fdb462",
    "Reshape": "#fdb462",
    "Softmax": "#b3de69",
}
VARIABLE_FILL, OTHER_FILL = "#8dd3c7", "#fccde5"
"""Colors of nodes.

Source: the pictures that MXNet 1.9.1's mxnet.viz.plot_network makes.
"""


def print_summary(
    symbol: Symbol,
    shape: Shapes | None = None,
    line_length: int = 120,
    positions: Sequence[float] = (0.44, 0.64, 0.74, 1.0),
) -> None:
    """Print a table of a graph: a row for each operator with its output shape, parameters and inputs.

    Shapes are without the batch axis. Without `shape` only what the attributes alone tell is counted.

    Differs: counts the parameters of every operator; MXNet 1.9.1 counts those of Convolution, FullyConnected,
        BatchNorm and Embedding, and takes all others for operators without parameters.

    Args:
        symbol: The graph.
        shape: Shapes of inputs by name.
        line_length: Width of the table.
        positions: Where the columns end, as shares of the width.

    Raises:
        TypeError: `symbol` is not a Symbol.
        InputError: A shape is missing.
    """
    if not isinstance(symbol, Symbol):
        raise TypeError(f"symbol must be Symbol: expected a Symbol, got {type(symbol).__name__}.")
    known = {} if shape is None else _known_shapes(symbol, shape, "print_summary")
    ends = [int(line_length * p) if p <= 1 else int(p) for p in positions]
    nodes = topological(symbol._heads)
    lines = ["_" * line_length, _row(("Layer (type)", "Output Shape", "Param #", "Previous Layer"), ends)]
    lines.append("=" * line_length)
    total = 0
    rows = [node for i, node in enumerate(nodes) if i == 0 or not node.is_variable]
    for i, node in enumerate(rows):
        sizes = known.get(_output_key(node))
        count = _parameter_count(node, known)
        total += count
        before = [n.name for n, _ in node.inputs if not n.is_variable or n is nodes[0]]
        label = f"{node.name}({node.op.name if node.op else 'null'})"
        lines.append(_row((label, "x".join(map(str, sizes[1:])) if sizes else "", count, *before[:1]), ends))
        lines += [_row(("", "", "", name), ends) for name in before[1:]]
        lines.append(("=" if i == len(rows) - 1 else "_") * line_length)
    lines += [f"Total params: {total}", "_" * line_length]
    print("\n".join(lines))  # noqa: T201 - printing is what it is for


def plot_network(
    symbol: Symbol,
    title: str = "plot",
    save_format: str = "pdf",
    shape: Shapes | None = None,
    dtype: Mapping[str, Any] | None = None,
    node_attrs: Mapping[str, str] | None = None,
    hide_weights: bool = True,
) -> Any:
    """Return a picture of a graph.

    Args:
        symbol: The graph.
        title: Name of the picture and of its file.
        save_format: Format of its file (`pdf`, `png`, ...).
        shape: Shapes of inputs by name; edges then carry shapes without the batch axis.
        dtype: Element types of inputs by name, float32 if None.
        node_attrs: Graphviz attributes of nodes, which win over the defaults.
        hide_weights: Whether parameters are left out; else there are edges to them, and Graphviz draws plain ovals.

    Returns:
        A `graphviz.Digraph`: show it in a notebook, or call its `render()`.

    Raises:
        NotSupportedError: The `graphviz` package is not installed.
        TypeError: `symbol` is not a Symbol.
        InputError: A shape is missing.
    """
    try:
        from graphviz import Digraph
    except ImportError as err:
        raise NotSupportedError(
            "plot_network: no graphviz: expected the Python package `graphviz`, got none. Install it with "
            "`pip install 'gluonnx[viz]'`; rendering to a file also needs Graphviz's program `dot`."
        ) from err
    if not isinstance(symbol, Symbol):
        raise TypeError(f"symbol must be a Symbol: expected a Symbol, got {type(symbol).__name__}.")
    known = {} if shape is None else _known_shapes(symbol, shape, "plot_network", dtype)
    nodes = topological(symbol._heads)
    _warn_of_repeated_names(nodes)
    defaults = {"shape": "box", "fixedsize": "true", "width": "1.3", "height": "0.8034", "style": "filled"}
    defaults |= dict(node_attrs or {})
    picture = Digraph(name=title, format=save_format)
    weights = {node.name for node in nodes if node.is_variable and node.name.endswith(HIDDEN_SUFFIXES)}
    hidden = weights if hide_weights else set()
    for node in nodes:
        if node.name in weights:
            continue
        if node.op is None:
            picture.node(node.name, label=node.name, **{**defaults, "shape": "oval", "fillcolor": VARIABLE_FILL})
        else:
            fill = FILLS.get(node.op.name, OTHER_FILL)
            picture.node(node.name, label=_label(node), **{**defaults, "fillcolor": fill})
    for node in nodes:
        for source, index in node.inputs:
            if source.name in hidden:
                continue
            sizes = known.get(_output_key(source, index))
            label = "x".join(map(str, sizes[1:])) if sizes else ""
            picture.edge(tail_name=node.name, head_name=source.name, dir="back", arrowtail="open", label=label)
    return picture


def _row(cells: Sequence[object], ends: Sequence[int]) -> str:
    line = ""
    for cell, end in zip(cells, ends, strict=False):
        line = (line + str(cell))[:end].ljust(end)
    return line.ljust(ends[-1])


def _output_key(node: Node, index: int = 0) -> str:
    """The name of an output in `list_outputs`. A node with several is looked up by MXNet as if it had one."""
    return node.name if node.op is None else node.output_name(index)


def _known_shapes(
    symbol: Symbol, shape: Shapes, where: str, dtype: Mapping[str, Any] | None = None
) -> dict[str, tuple[int, ...]]:
    """Shapes of every output and variable, by name."""
    inside = symbol.get_internals()
    arguments, outputs, auxiliary = inside.infer_shape(**shape)
    if outputs is None:
        raise InputError(
            f"{where}: Input shape is incomplete: expected the shape of every input, got shape={dict(shape)}. "
            f"The inputs are {', '.join(symbol.list_inputs())}."
        )
    known = dict(zip(inside.list_outputs(), outputs, strict=True))
    known |= dict(zip(inside.list_arguments(), arguments, strict=True))
    known |= dict(zip(inside.list_auxiliary_states(), auxiliary, strict=True))
    return known


def _parameter_count(node: Node, known: Shapes) -> int:
    op = node.op
    if op is None or not op.has_parameter_rule:
        return 0
    specs = op.active_inputs(node.typed, len(node.inputs))
    total = 0
    for spec, (source, _) in list(zip(specs, node.inputs, strict=False))[1:]:
        if source.is_variable and not spec.auxiliary and spec.name in PARAMETER_NAMES:
            total += math.prod(known[source.name]) if source.name in known else _count_from_attributes(node, spec.name)
    return total


PARAMETER_NAMES = frozenset({"weight", "bias", "gamma", "beta", "parameters"})


def _count_from_attributes(node: Node, name: str) -> int:
    """What the attributes alone tell of a parameter's size: that of a bias, and of an embedding."""
    units = node.typed.get("num_filter") or node.typed.get("num_hidden") or 0
    if name == "bias":
        return int(units)
    if "input_dim" in node.typed:
        return int(node.typed["input_dim"]) * int(node.typed["output_dim"])
    return 0


def _label(node: Node) -> str:
    op, attrs = node.op, node.typed
    assert op is not None
    if op.name == "Convolution":
        kernel, stride = _by(attrs["kernel"]), _by(attrs["stride"] or (1,))
        return f"Convolution\n{kernel}/{stride}, {attrs['num_filter']}"
    if op.name == "FullyConnected":
        return f"FullyConnected\n{attrs['num_hidden']}"
    if op.name in ("Activation", "LeakyReLU"):
        return f"{op.name}\n{attrs['act_type']}"
    if op.name == "Pooling":
        return f"Pooling\n{attrs['pool_type']}, {_by(attrs['kernel'])}/{_by(attrs['stride'] or (1,))}"
    return node.name


def _by(sizes: Sequence[int]) -> str:
    return "x".join(map(str, sizes))


def _warn_of_repeated_names(nodes: Sequence[Node]) -> None:
    counts = Counter(node.name for node in nodes)
    repeated = [name for name, count in counts.items() if count > 1]
    if repeated:
        warnings.warn(
            "There are multiple variables with the same name in your graph, this may result in cyclic graph. "
            f"Repeated names: {', '.join(repeated)}",
            stacklevel=3,
        )
