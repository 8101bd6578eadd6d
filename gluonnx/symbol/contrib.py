"""`sym.contrib`: loops and branches, cut from the graph that a Python function makes.

The function runs once, in an `AttrScope` that marks the nodes it makes. What a marked node reads of an unmarked one is
cut: the subgraph gets a variable in its place, and the operator an input.

Source: MXNet 1.9.1 python/mxnet/symbol/contrib.py, and the symbol-json it writes (tests/golden/make_control_flow.py).
"""

from collections.abc import Callable, Sequence
from typing import Any

from gluonnx.attribute import SUBGRAPH_MARK as MARK
from gluonnx.attribute import AttrScope, subgraph_name
from gluonnx.errors import ArgumentError, InputError, InputTypeError
from gluonnx.structure import Format, flatten, regroup
from gluonnx.symbol.graph import Entry, Node, topological
from gluonnx.symbol.register import function
from gluonnx.symbol.symbol import Group, Symbol, var

__all__ = ["cond", "foreach", "while_loop"]


def foreach(body: Callable[..., Any], data: Any, init_states: Any, name: str = "foreach") -> tuple[Any, Any]:
    """Run a function on every slice of some symbols along axis 0.

    `body(slice, states)` returns the outputs of a step and the next states. It may read other symbols.

    Args:
        body: The function.
        data: A symbol (..., C), or a nested list of symbols of the same size of axis 0.
        init_states: The states of the first step: a symbol or a nested list of them.
        name: Prefix of the subgraph's name.

    Returns:
        The outputs of the steps, stacked along a new axis 0, and the last states; nested as the function nests them.

    Raises:
        InputTypeError: Something is no symbol, the states change their nesting, or data or a state is not used.

    Examples:
        >>> from gluonnx import sym
        >>> total = lambda x, states: (x + states[0], [x + states[0]])
        >>> outs, states = sym.contrib.foreach(total, sym.var("data"), [sym.var("start")])
        >>> outs.infer_shape(data=(5, 2), start=(2,))[1]
        [(5, 2)]
    """
    flat_data, data_form = _flatten_single(data, "foreach input")
    flat_states, state_form = _flatten_single(init_states, "foreach states")
    name = subgraph_name(name)
    with AttrScope(**{MARK: name}):
        elements, _ = regroup([var(_inner_name(s)) for s in flat_data], data_form)
        states, _ = regroup([var(_inner_name(s)) for s in flat_states], state_form)
        out, last = body(elements, states)
        flat_out, out_form = _flatten(out, "foreach output")
        flat_last, last_form = _flatten(last, "foreach loop_vars")
        if last_form != state_form:
            raise InputTypeError(
                "foreach: The input and output loop_vars have different format: expected states nested as "
                f"{state_form}, got {last_form}."
            )
        output_names = {s.name for s in flat_out}
        graph = _separate(flat_out, flat_last, name, lambda s: s.name in output_names)
    out_count = sum(len(s) for s in flat_out)
    cut = _Cut(graph, name)
    inner_names = graph.list_inputs()
    data_places = _places(inner_names, flat_data, "data arrays")
    state_places = _places(inner_names, flat_states, "state arrays")
    taken = {_inner_name(s) for s in (*flat_data, *flat_states)}
    remaining = [i for i, n in enumerate(inner_names) if n in cut.outer or n not in taken]
    result = function("_foreach")(
        graph,
        *flat_data,
        *flat_states,
        *(cut.outer_symbol(inner_names[i]) for i in remaining),
        num_outputs=len(graph),
        num_out_data=out_count,
        in_state_locs=state_places,
        in_data_locs=data_places,
        remain_locs=remaining,
    )
    parts = list(result)
    outs, _ = regroup(parts[:out_count], out_form)
    states, _ = regroup(parts[out_count:], last_form)
    return outs, states


def while_loop(
    cond: Callable[..., Any],
    func: Callable[..., Any],
    loop_vars: Any,
    max_iterations: int | None = None,
    name: str = "while_loop",
) -> tuple[Any, Any]:
    """Run a function on loop variables as long as a condition on them holds.

    Args:
        cond: `cond(*loop_vars)` returns a symbol with one element; zero ends the loop.
        func: `func(*loop_vars)` returns the outputs of a step (or None) and the next loop variables.
        loop_vars: The first loop variables: a symbol or a nested list of them.
        max_iterations: The most steps there may be.
        name: Prefix of the subgraphs' names.

    Returns:
        The outputs of the steps, stacked along a new axis 0 of size `max_iterations` with zeros last, and the last
        loop variables; nested as given.

    Raises:
        ArgumentError: `max_iterations` is missing or no number, there are no loop variables, their number changes, one
            is not used, or the condition is no symbol.
        InputTypeError: Something is no symbol.

    Examples:
        >>> from gluonnx import sym
        >>> i, total = sym.var("i"), sym.var("total")
        >>> outs, last = sym.contrib.while_loop(
        ...     lambda i, s: i <= 5, lambda i, s: ([i + s], [i + 1, s + i]), [i, total], max_iterations=10)
        >>> outs[0].infer_shape(i=(1,), total=(1,))[1]
        [(10, 1)]
    """
    limit = _limit(max_iterations)
    flat_vars, form = _flatten_single(loop_vars, "while loop_vars")
    if not flat_vars:
        raise ArgumentError("while_loop: loop_vars should contain at least one element: expected symbols, got none.")

    def run(
        fn: Callable[..., Any], label: str, outputs_of: Callable[[Any], tuple[list[Symbol], list[Symbol]]]
    ) -> Symbol:
        marked = subgraph_name(f"{name}_{label}")
        with AttrScope(**{MARK: marked}):
            inner, _ = regroup([var(_inner_name(s)) for s in flat_vars], form)
            # A single variable is given as such: iterating over a symbol would give its outputs.
            outputs, states = outputs_of(fn(*(inner if isinstance(inner, list) else [inner])))
            graph = _separate(outputs, states, marked)
        graphs.append((graph, _Cut(graph, marked)))
        return graph

    def condition_of(result: Any) -> tuple[list[Symbol], list[Symbol]]:
        if not isinstance(result, Symbol):
            raise ArgumentError(
                f"while_loop: Return of cond must be a Symbol: expected one, got {type(result).__name__}."
            )
        return [], [result]

    out_form: Format = []
    out_count = 0

    def step_of(result: Any) -> tuple[list[Symbol], list[Symbol]]:
        nonlocal out_form, out_count
        out, following = result
        flat_out, out_form = _flatten([] if out is None else out, "while output")
        flat_next, _ = _flatten([] if following is None else following, "while loop_vars")
        if len(flat_next) != len(flat_vars):
            raise ArgumentError(
                "while_loop: The number of loop_vars should be consistent during the loop: expected "
                f"{len(flat_vars)}, got {len(flat_next)}."
            )
        out_count = sum(len(s) for s in flat_out)
        return flat_out, flat_next

    graphs: list[tuple[Symbol, _Cut]] = []
    run(cond, "cond", condition_of)
    func_graph = run(func, "func", step_of)
    inputs, places = _union(graphs, {_inner_name(s): s for s in flat_vars})
    names = func_graph.list_inputs()
    for position, symbol in enumerate(flat_vars, 1):
        if _inner_name(symbol) not in names:
            raise ArgumentError(
                f"while_loop: The {position}-th loop_var doesn't involve into the computation: expected func to use "
                f"every variable, got `{symbol.name}` unused."
            )
    result = function("_while_loop")(
        *(graph for graph, _ in graphs),
        *inputs,
        max_iterations=limit,
        cond_input_locs=places[0],
        func_input_locs=places[1],
        func_var_locs=[names.index(_inner_name(s)) for s in flat_vars],
        num_out_data=out_count,
        num_outputs=len(func_graph),
    )
    parts = list(result)
    outs, _ = regroup(parts[:out_count], out_form)
    last, _ = regroup(parts[out_count:], form)
    return outs, last


def cond(pred: Symbol, then_func: Callable[[], Any], else_func: Callable[[], Any], name: str = "cond") -> Any:
    """Run one of two functions, as a condition holds or not.

    Args:
        pred: A symbol with one element.
        then_func: Returns symbols, computed where `pred` is not zero.
        else_func: Returns as many symbols, of the same shapes, computed where it is.
        name: Prefix of the subgraphs' names.

    Returns:
        The outputs, nested as `then_func` nests them.

    Raises:
        ArgumentError: `pred` has several outputs, or the functions give different numbers of outputs.
        InputTypeError: Something is no symbol.

    Examples:
        >>> from gluonnx import sym
        >>> a, b = sym.var("a"), sym.var("b")
        >>> out = sym.contrib.cond(a * b < 5, lambda: (a + 5) * (b + 5), lambda: (a - 5) * (b - 5))
        >>> out.infer_shape(a=(1,), b=(1,))[1]
        [(1,)]
    """
    graphs: list[tuple[Symbol, _Cut]] = []
    forms: list[Format] = []
    for label, fn in (("pred", lambda: pred), ("then", then_func), ("else", else_func)):
        marked = subgraph_name(f"{name}_{label}")
        with AttrScope(**{MARK: marked}):
            flat, form = _flatten(fn(), "cond outputs")
            forms.append(form)
            if label == "pred" and sum(len(s) for s in flat) != 1:
                raise ArgumentError(
                    f"cond: pred should always be a single output: expected one, got {sum(len(s) for s in flat)}."
                )
            graph = _separate(flat, [], marked)
        graphs.append((graph, _Cut(graph, marked)))
    counts = [len(graph) for graph, _ in graphs]
    if counts[1] != counts[2]:
        raise ArgumentError(
            "cond: Number of outputs differs between then-branch and else-branch: expected the same, got "
            f"{counts[1]} and {counts[2]}."
        )
    inputs, places = _union(graphs, {}, by_name=True)
    result = function("_cond")(
        *(graph for graph, _ in graphs),
        *inputs,
        cond_input_locs=places[0],
        then_input_locs=places[1],
        else_input_locs=places[2],
        num_outputs=counts[1],
    )
    outs, _ = regroup(list(result), forms[1])
    return outs


def _flatten(data: Any, where: str) -> tuple[list[Symbol], Format]:
    return flatten(data, Symbol, where, len)


def _flatten_single(data: Any, where: str) -> tuple[list[Symbol], Format]:
    flat, form = _flatten(data, where)
    for symbol in flat:
        if len(symbol) != 1:
            raise InputTypeError(
                f"{where}: a symbol has several outputs: expected one each, got {symbol!r}. Index it: symbol[0]."
            )
    return flat, form


def _limit(max_iterations: Any) -> int:
    if max_iterations is None:
        raise ArgumentError("while_loop: max_iterations should be specified: expected an int, got None.")
    try:
        limit = int(max_iterations)
    except (TypeError, ValueError):
        raise ArgumentError(
            f"while_loop: Cannot convert max_iteration to python int: expected an int, got {max_iterations!r}."
        ) from None
    if limit < 0:
        raise InputError(f"while_loop: wrong bound: expected at least 0, got max_iterations={limit}.")
    return limit


def _inner_name(symbol: Symbol) -> str:
    """The name of the subgraph's variable that stands for a symbol; names of what is cut look different."""
    return f"{symbol.name}-{symbol.attr('_value_index')}"


def _separate(
    outputs: Sequence[Symbol],
    states: Sequence[Symbol],
    marked: str,
    is_taken: Callable[[Symbol], bool] = lambda _: False,
) -> Symbol:
    """Group outputs, with a copy of each that is an input or was made elsewhere.

    Args:
        outputs: Outputs of a step.
        states: States that follow.
        marked: The mark of the subgraph's nodes.
        is_taken: Which states need a copy besides.
    """
    if not outputs and not states:
        raise ArgumentError("subgraph: nothing to compute: expected an output or a state, got none.")
    names = set(Group([*outputs, *states]).list_inputs())
    identity = function("identity")

    def is_foreign(symbol: Symbol) -> bool:
        return symbol.name in names or symbol.list_attr().get(MARK, "") != marked

    flat = [identity(s) if is_foreign(s) else s for s in outputs]
    flat += [identity(s) if is_foreign(s) or is_taken(s) else s for s in states]
    return Group(flat)


class _Cut:
    """A subgraph cut from the graph that it was made in.

    Attributes:
        outer: What it reads from there, by the name of the variable that now stands for it.
    """

    def __init__(self, graph: Symbol, marked: str) -> None:
        self.outer: dict[str, Symbol] = {}
        self._symbols: dict[str, Symbol] = {}
        variables: dict[tuple[int, int], Entry] = {}
        for node in topological(graph._heads):
            if node.annotations.get(MARK) == marked:
                node.inputs = tuple(self._variable(entry, marked, variables) for entry in node.inputs)
        self._own = {n.name: n for n in topological(graph._heads) if n.is_variable}

    def _variable(self, entry: Entry, marked: str, variables: dict[tuple[int, int], Entry]) -> Entry:
        node, index = entry
        if node.annotations.get(MARK) == marked:
            return entry
        key = id(node), index
        if key not in variables:
            name = node.output_name(index)
            self.outer[name] = Symbol([entry])
            variables[key] = Node(None, name), 0
        return variables[key]

    def outer_symbol(self, name: str) -> Symbol:
        """What an input of the subgraph reads: what was cut there, or a copy of a variable made in the subgraph."""
        if name in self.outer:
            return self.outer[name]
        if name not in self._symbols:
            own = self._own[name]
            self._symbols[name] = Symbol([(Node(None, name, annotations=dict(own.annotations)), 0)])
        return self._symbols[name]


def _places(inner_names: Sequence[str], symbols: Sequence[Symbol], what: str) -> list[int]:
    for symbol in symbols:
        if _inner_name(symbol) not in inner_names:
            raise InputTypeError(
                f"foreach: the {what} have to be used in the loop body: expected it to read all of them, got "
                f"`{symbol.name}` unused."
            )
    return [inner_names.index(_inner_name(s)) for s in symbols]


def _union(
    graphs: Sequence[tuple[Symbol, _Cut]], given: dict[str, Symbol], by_name: bool = False
) -> tuple[list[Symbol], list[list[int]]]:
    """Return the inputs of several subgraphs, each once, and where each subgraph finds its own.

    Args:
        graphs: The subgraphs.
        given: Symbols that variables stand for, by the variable's name.
        by_name: Whether an input found before is the same one if it only has the same name.
    """
    inputs: list[Symbol] = []
    found: dict[Any, int] = {}
    places: list[list[int]] = []
    for graph, cut in graphs:
        own = []
        known = {s.name: s for s in inputs} if by_name else {}
        for name in graph.list_inputs():
            symbol = known.get(name, given.get(name))
            if symbol is None:
                symbol = cut.outer_symbol(name)
            if id(symbol) not in found:
                found[id(symbol)] = len(inputs)
                inputs.append(symbol)
            own.append(found[id(symbol)])
        places.append(own)
    return inputs, places
