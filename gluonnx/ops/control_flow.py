"""Loops and branches: operators that run subgraphs.

What each subgraph reads of the operator's inputs and gives of its outputs is its `Wiring`; shapes and dtypes of what a
subgraph needs are found through it (`symbol/bodies.py`).
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from gluonnx.errors import InputError, LoweringError
from gluonnx.ops.attributes import Shape
from gluonnx.ops.builder import GraphBuilder, LoweredBody, Region, Value
from gluonnx.ops.table import Attrs, Body, Wiring, operator

__all__ = ["cond", "foreach", "while_loop"]

SOURCE = "MXNet 1.9.1 src/operator/control_flow.cc"


def _output_names(attrs: Attrs) -> list[str]:
    count = attrs["num_outputs"]
    return ["output"] if count == 1 else [f"output{i}" for i in range(count)]


def _foreach_wiring(attrs: Attrs) -> tuple[Wiring]:
    places = [*attrs["in_data_locs"], *attrs["in_state_locs"], *attrs["remain_locs"]]
    first_output, states = attrs["num_out_data"], attrs["in_state_locs"]
    return (
        Wiring(
            inputs=_inverse(places),
            outputs=tuple(range(attrs["num_outputs"])),
            sliced=frozenset(attrs["in_data_locs"]),
            stacked=frozenset(range(first_output)),
            states=tuple((first_output + k, place) for k, place in enumerate(states)),
        ),
    )


def _inverse(places: Sequence[int]) -> tuple[int, ...]:
    """Which operator input each subgraph input reads, from the subgraph input that each operator input goes to."""
    if sorted(places) != list(range(len(places))):
        raise InputError(
            f"_foreach: the inputs of the body are not all told: expected each of 0 to {len(places) - 1} once among "
            f"in_data_locs, in_state_locs and remain_locs, got {list(places)}."
        )
    readers = {place: position for position, place in enumerate(places)}
    return tuple(readers[i] for i in range(len(places)))


@operator(
    "_foreach",
    source=SOURCE,
    outputs=_output_names,
    count_attribute="num_args",
    subgraphs="body",
    wirings=_foreach_wiring,
)
def foreach(
    *data: Tensor,
    num_outputs: int,
    num_out_data: int,
    in_state_locs: Shape,
    in_data_locs: Shape,
    remain_locs: Shape,
    bodies: Sequence[Body],
) -> tuple[Tensor | None, ...]:
    """Run a subgraph on every slice of some inputs along axis 0, with states passed from one step to the next.

    Inputs are the sliced ones, first values of the states, then what every step reads as a whole. Outputs are those of
    the steps, stacked along a new axis 0, then the last states. `sym.contrib.foreach` makes it from a Python function.

    Differs: Data of length 0 gives outputs of length 0 and the first states. Running statistics of a BatchNorm in the
        body are updated in training, and gradients go through it, as in the imperative loop; MXNet does neither.
    """
    (body,) = bodies
    wiring = body.wiring
    values = [data[i] for i in wiring.inputs]
    lengths = {data[i].shape[0] if data[i].dim() else -1 for i in range(len(in_data_locs))}
    if len(lengths) != 1 or -1 in lengths:
        shapes = ", ".join(str(tuple(d.shape)) for d in data[: len(in_data_locs)])
        raise InputError(f"_foreach: data differs in length: expected one size of axis 0, got {shapes or 'no data'}.")
    (length,) = lengths
    if length == 0 or data[0].device.type == "meta":
        return _one_step(body, values, length, num_out_data)
    slices = [(place, _elements(values[place]).unbind(0)) for place in in_data_locs]
    steps: list[list[Tensor]] = []
    for step in range(length):
        for place, parts in slices:
            values[place] = parts[step]
        outputs = body(values)
        if not step:
            _check_states("_foreach", wiring, values, outputs)
        for output, place in wiring.states:
            values[place] = outputs[output]
        steps.append(outputs[:num_out_data])
    stacked = [torch.stack(items) for items in zip(*steps, strict=True)]
    states = [values[place] for _, place in wiring.states]
    return (*stacked, *states, *_updates((body,), (values,)))


def _elements(data: Tensor) -> Tensor:
    """Data whose slices along axis 0 have at least one axis."""
    return data.unsqueeze(1) if data.dim() == 1 else data


def _one_step(body: Body, values: list[Tensor], length: int, num_out_data: int) -> tuple[Tensor | None, ...]:
    """Outputs without values, or of length 0: one step on meta tensors tells their shapes."""
    wiring = body.wiring
    first = [
        torch.empty(wiring.inner_shape(i, tuple(v.shape)), dtype=v.dtype, device="meta") for i, v in enumerate(values)
    ]
    device = values[0].device
    outputs = body(list(first))
    _check_states("_foreach", wiring, first, outputs)
    stacked = [torch.empty((length, *o.shape), dtype=o.dtype, device=device) for o in outputs[:num_out_data]]
    states = [values[place] for _, place in wiring.states]
    return (*stacked, *states, *_updates((body,), (values,)))


def _while_wirings(attrs: Attrs) -> tuple[Wiring, Wiring]:
    first_state = attrs["num_out_data"]
    return (
        Wiring(inputs=attrs["cond_input_locs"], outputs=(-1,)),
        Wiring(
            inputs=attrs["func_input_locs"],
            outputs=tuple(range(attrs["num_outputs"])),
            stacked=frozenset(range(first_state)),
            states=tuple((first_state + k, place) for k, place in enumerate(attrs["func_var_locs"])),
            length=attrs["max_iterations"],
        ),
    )


@operator(
    "_while_loop",
    source=SOURCE,
    outputs=_output_names,
    count_attribute="num_args",
    subgraphs="cond func",
    wirings=_while_wirings,
)
def while_loop(
    *data: Tensor,
    num_outputs: int,
    num_out_data: int,
    max_iterations: int,
    cond_input_locs: Shape,
    func_input_locs: Shape,
    func_var_locs: Shape,
    bodies: Sequence[Body],
) -> tuple[Tensor | None, ...]:
    """Run a subgraph on loop variables as long as another one gives a value that is not zero.

    Outputs are those of the steps, stacked along a new axis 0 of size `max_iterations`, then the last loop variables.
    `sym.contrib.while_loop` makes it from Python functions.

    Differs: Outputs are zero after the last step; MXNet leaves there what the memory held. A loop that makes no step
        gives zeros and the first loop variables; MXNet raises. Shapes are inferred, where MXNet finds them only by
        running the loop.
    """
    if max_iterations < 0:
        raise InputError(f"_while_loop: wrong bound: expected at least 0, got max_iterations={max_iterations}.")
    test, func = bodies
    test_values, values = ([data[i] for i in body.wiring.inputs] for body in bodies)
    wiring = func.wiring
    is_meta = data[0].device.type == "meta"
    owners = {func_input_locs[place]: place for place in func_var_locs}
    tested = [(i, owners[source]) for i, source in enumerate(cond_input_locs) if source in owners]
    steps: list[list[Tensor]] = []
    while not is_meta and len(steps) < max_iterations and _truth("_while_loop", test(test_values)[0]):
        outputs = func(values)
        if not steps:
            _check_states("_while_loop", wiring, values, outputs)
        for output, place in wiring.states:
            values[place] = outputs[output]
        for i, place in tested:
            test_values[i] = values[place]
        steps.append(outputs[:num_out_data])
    if steps:
        stacked = [_padded(torch.stack(items), max_iterations) for items in zip(*steps, strict=True)]
    else:
        first = [torch.empty_like(v, device="meta") for v in values]
        shapes = func(list(first))
        _check_states("_while_loop", wiring, first, shapes)
        stacked = [
            torch.zeros((max_iterations, *o.shape), dtype=o.dtype, device=data[0].device) for o in shapes[:num_out_data]
        ]
    states = [values[place] for _, place in wiring.states]
    return (*stacked, *states, *_updates(bodies, (test_values, values)))


def _padded(stacked: Tensor, length: int) -> Tensor:
    missing = length - stacked.shape[0]
    return torch.cat([stacked, stacked.new_zeros((missing, *stacked.shape[1:]))]) if missing else stacked


def _cond_wirings(attrs: Attrs) -> tuple[Wiring, Wiring, Wiring]:
    outputs = tuple(range(attrs["num_outputs"]))
    return (
        Wiring(inputs=attrs["cond_input_locs"], outputs=(-1,)),
        Wiring(inputs=attrs["then_input_locs"], outputs=outputs),
        Wiring(inputs=attrs["else_input_locs"], outputs=outputs),
    )


@operator(
    "_cond",
    source=SOURCE,
    outputs=_output_names,
    count_attribute="num_args",
    subgraphs="cond then_branch else_branch",
    wirings=_cond_wirings,
)
def cond(
    *data: Tensor,
    num_outputs: int,
    cond_input_locs: Shape,
    then_input_locs: Shape,
    else_input_locs: Shape,
    bodies: Sequence[Body],
) -> tuple[Tensor | None, ...]:
    """Run one of two subgraphs, as a third one gives a value that is zero or not. Their outputs have the same shapes.

    `sym.contrib.cond` makes it from Python functions.
    """
    values: list[list[Tensor] | None] = [None, None, None]

    def run(k: int) -> list[Tensor]:
        held = values[k] = [data[i] for i in bodies[k].wiring.inputs]
        return bodies[k](held)

    if data[0].device.type == "meta":
        outputs, others = run(1), run(2)
        for i, (a, b) in enumerate(zip(outputs, others, strict=True)):
            if a.shape != b.shape or a.dtype != b.dtype:
                raise InputError(
                    f"_cond: the branches give different outputs: expected one shape and dtype, got output {i} of "
                    f"{tuple(a.shape)} {a.dtype} and {tuple(b.shape)} {b.dtype}."
                )
    else:
        outputs = run(1 if _truth("_cond", run(0)[0]) else 2)
    return (*outputs, *_updates(bodies, values))


def _truth(where: str, value: Tensor) -> bool:
    if value.numel() != 1:
        raise InputError(f"{where}: the condition is no scalar: expected one element, got shape {tuple(value.shape)}.")
    return bool(value)


def _check_states(where: str, wiring: Wiring, values: Sequence[Tensor], outputs: Sequence[Tensor]) -> None:
    """Raise unless a step leaves states of the shapes that it took."""
    for k, (output, place) in enumerate(wiring.states):
        if outputs[output].shape != values[place].shape:
            raise InputError(
                f"{where}: state {k} changes its shape: expected {tuple(values[place].shape)}, "
                f"got {tuple(outputs[output].shape)} after a step."
            )


def _updates(bodies: Sequence[Body], values: Sequence[Sequence[Tensor] | None]) -> list[Tensor | None]:
    """What the bodies left in the inputs that they update, in the order of the operator's inputs.

    `values` is None for a body that did not run.
    """
    found: dict[int, Tensor | None] = {}
    for body, held in zip(bodies, values, strict=True):
        for place in body.updated:
            position = body.wiring.inputs[place]
            found[position] = held[place] if held is not None else found.get(position)
    return [found[position] for position in sorted(found)]


# ONNX: Scan, Loop and If. A body reads what does not change from step to step from the graph around it.


@foreach.onnx
def _(
    g: GraphBuilder,
    *data: Value,
    bodies: Sequence[LoweredBody],
    num_out_data: int,
    in_data_locs: Shape,
    in_state_locs: Shape,
) -> tuple[Value, ...]:
    (body,) = bodies
    values = [data[i] for i in body.wiring.inputs]
    for place in in_data_locs:
        if g.rank(values[place]) == 1:
            values[place] = g.op("Unsqueeze", values[place], g.ints([1]))
    with g.region() as region:
        inner = list(values)
        for place in in_state_locs:
            inner[place] = region.input_like(values[place])
        for place in in_data_locs:
            inner[place] = region.input_like(values[place], is_element=True)
        outputs = body(inner)
        region.give([*outputs[num_out_data:], *outputs[:num_out_data]])
    results = g.op_outputs(
        "Scan",
        len(outputs),
        *(values[place] for place in (*in_state_locs, *in_data_locs)),
        body=region,
        num_scan_inputs=len(in_data_locs),
    )
    states = len(in_state_locs)
    return (*results[states:], *results[:states])


@while_loop.onnx
def _(
    g: GraphBuilder,
    *data: Value,
    bodies: Sequence[LoweredBody],
    num_out_data: int,
    max_iterations: int,
    func_var_locs: Shape,
    func_input_locs: Shape,
    cond_input_locs: Shape,
) -> tuple[Value, ...]:
    test, func = bodies
    sources = [func_input_locs[place] for place in func_var_locs]

    def is_true(values: Mapping[int, Value]) -> Value:
        (value,) = test([values[i] for i in cond_input_locs])
        return _as_condition(g, value)

    first = is_true(dict(enumerate(data)))
    with g.region() as region:
        region.input("int64", ())
        region.input("bool", ())
        inner = dict(enumerate(data)) | {source: region.input_like(data[source]) for source in sources}
        outputs = func([inner[i] for i in func_input_locs])
        last = inner | dict(zip(sources, outputs[num_out_data:], strict=True))
        region.give([is_true(last), *outputs[num_out_data:], *outputs[:num_out_data]])
    results = g.op_outputs(
        "Loop",
        len(outputs),
        g.const(max_iterations, "int64"),
        first,
        *(data[source] for source in sources),
        body=region,
    )
    states = len(sources)
    stacked = []
    for value, step in zip(results[states:], outputs[:num_out_data], strict=True):
        if None in g.dims(step):
            # A loop that makes no step does not tell sizes that are only known when it runs.
            value = _sized(g, value, step, data)
        stacked.append(_padded_value(g, value, max_iterations))
    return (*stacked, *results[:states])


def _sized(g: GraphBuilder, value: Value, step: Value, data: Sequence[Value]) -> Value:
    """Give the outputs of the steps their sizes, which are those of what the loop reads."""
    sizes = [g.op("Shape", value, start=0, end=1)]
    for axis, size in enumerate(g.dims(step)):
        if size is not None:
            sizes.append(g.ints([size]))
            continue
        places = [(d, k) for d in data for k in range(g.rank(d)) if g.is_same_size(step, axis, d, k)]
        if not places:
            raise LoweringError(
                f"size of axis {axis} of an output of a step depends on the batch size in a way that no input of the "
                "loop has, so that a loop without steps could not give it"
            )
        source, place = places[0]
        sizes.append(g.op("Shape", source, start=place, end=place + 1))
    return g.op("Reshape", value, g.op("Concat", *sizes, axis=0), allowzero=1)


def _padded_value(g: GraphBuilder, value: Value, length: int) -> Value:
    """The steps that were made, followed by zeros."""
    missing = g.op("Sub", g.ints([length]), g.op("Shape", value, start=0, end=1))
    rest = g.rank(value) - 1
    pads = g.op("Concat", g.ints([0] * (1 + rest)), missing, g.ints([0] * rest), axis=0)
    return g.op("Pad", value, pads, g.scalar(0, value))


@cond.onnx
def _(
    g: GraphBuilder,
    *data: Value,
    bodies: Sequence[LoweredBody],
    cond_input_locs: Shape,
    then_input_locs: Shape,
    else_input_locs: Shape,
    num_outputs: int,
) -> tuple[Value, ...]:
    (value,) = bodies[0]([data[i] for i in cond_input_locs])
    test = _as_condition(g, value)
    regions: list[Region] = []
    for body, places in ((bodies[1], then_input_locs), (bodies[2], else_input_locs)):
        with g.region() as region:
            region.give(body([data[i] for i in places]))
        regions.append(region)
    return g.op_outputs("If", num_outputs, test, then_branch=regions[0], else_branch=regions[1])


def _as_condition(g: GraphBuilder, value: Value) -> Value:
    """A bool without dimensions, from a value with one element."""
    value = g.cast(value, "bool")
    return value if g.rank(value) == 0 else g.op("Reshape", value, g.ints([]))
