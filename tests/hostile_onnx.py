"""ONNX models that were made to do harm, as `hostile_files`."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from hostile_files import HUGE, Case
from onnx import (
    AttributeProto,
    GraphProto,
    ModelProto,
    SparseTensorProto,
    StringStringEntryProto,
    TensorProto,
    helper,
    numpy_helper,
)


def _info(name: str, shape: object = (2, 3), elem: int = TensorProto.FLOAT) -> object:
    return helper.make_tensor_value_info(name, elem, ["a", "b"] if shape is None else shape)


def _onnx(
    nodes: list[object] = (),  # type: ignore[assignment]
    tensors: object = (),
    inputs: object = None,
    outputs: object = None,
    opset: int = 20,
    **fields: object,
) -> ModelProto:
    nodes = nodes or [helper.make_node("Relu", ["x"], ["y"])]
    graph = helper.make_graph(nodes, "g", inputs or [_info("x")], outputs or [_info("y", None)], tensors)
    imports = fields.pop("opset_imports", None) or [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=imports, **{"ir_version": 8, **fields})


def _tensor(name: str = "w", dims: object = (2, 3), code: int = TensorProto.FLOAT, **fields: object) -> TensorProto:
    return TensorProto(name=name, dims=dims, data_type=code, **fields)


def _reads(tensor: TensorProto) -> ModelProto:
    """A model that adds an initializer."""
    return _onnx([helper.make_node("Add", ["x", "w"], ["y"])], [tensor])


def _external(location: str, dims: object = (2, 3), /, **entries: object) -> TensorProto:
    tensor = _tensor(dims=dims)
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.append(StringStringEntryProto(key=key, value=str(value)))
    return tensor


def _one(
    op: str, inputs: int = 1, outputs: int = 1, opset: int = 20, shape: object = (2, 3), /, **attrs: object
) -> ModelProto:
    names = [f"x{i}" for i in range(inputs)]
    results = [f"y{i}" for i in range(outputs)]
    node = helper.make_node(op, names, results, **attrs)
    return _onnx(
        [node], inputs=[_info(n, shape) for n in names], outputs=[_info(n, _open(shape)) for n in results], opset=opset
    )


def _fed(
    op: str, values: dict[int, object], inputs: int, opset: int = 20, shape: object = (2, 3), /, **attrs: object
) -> ModelProto:
    """A model of one operator of which some inputs are constants of int64 (or as the arrays are)."""
    names = [f"x{i}" for i in range(inputs)]
    tensors = [
        numpy_helper.from_array(np.asarray(v) if isinstance(v, np.ndarray) else np.array(v, np.int64), f"x{i}")
        for i, v in values.items()
    ]
    free = [_info(n, shape) for i, n in enumerate(names) if i not in values] or [_info("unused")]
    return _onnx([helper.make_node(op, names, ["y"], **attrs)], tensors, free, [_info("y", _open(shape))], opset)


def _open(shape: object) -> list[str]:
    return [f"d{i}" for i, _ in enumerate(shape)]  # type: ignore[arg-type]


def _int(*values: int) -> object:
    return np.array(values, np.int64)


def _nested_ifs(depth: int) -> ModelProto:
    def branch(level: int) -> GraphProto:
        node = helper.make_node("Identity", ["x"], [f"r{level}"])
        if level < depth:
            inner = branch(level + 1)
            node = helper.make_node("If", ["c"], [f"r{level}"], then_branch=inner, else_branch=inner)
            if depth > 15:
                del node.attribute[1:]
                node.attribute.append(helper.make_attribute("else_branch", branch(depth)))
        return helper.make_graph([node], f"b{level}", [], [_info(f"r{level}", None)])

    inner = branch(0)
    nodes = [helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)]
    return _onnx(nodes, inputs=[_info("x"), _info("c", (), TensorProto.BOOL)])


def _wire(number: int, payload: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _deep_wire(depth: int) -> bytes:
    """Graphs in attributes in graphs, as deep as asked; written as bytes, because messages are not made so deep."""
    graph = b""
    for _ in range(depth):
        attribute = _wire(1, b"then_branch") + _wire(6, graph) + b"\xa0\x01\x05"
        graph = _wire(1, _wire(1, b"c") + _wire(2, b"y") + _wire(4, b"If") + _wire(5, attribute))
    return b"\x08\x08" + _wire(8, b"\x10\x14") + _wire(7, graph)


def _functions(bodies: dict[str, list[str]], main: str) -> ModelProto:
    """Functions of one input, each calling others in a row."""
    imports = [helper.make_opsetid("", 20), helper.make_opsetid("f", 1)]
    made = []
    for name, calls in bodies.items():
        nodes = []
        for i, called in enumerate(calls):
            result = "o" if i == len(calls) - 1 else f"t{i}"
            source = "i" if i == 0 else f"t{i - 1}"
            nodes.append(helper.make_node(called, [source], [result], domain="f" if called in bodies else ""))
        made.append(helper.make_function("f", name, ["i"], ["o"], nodes, imports))
    return _onnx([helper.make_node(main, ["x"], ["y"], domain="f")], functions=made, opset_imports=imports)


def _laughs(levels: int, width: int) -> ModelProto:
    bodies = {f"f{i}": [f"f{i + 1}"] * width for i in range(levels)}
    return _functions({**bodies, f"f{levels}": ["Relu"]}, "f0")


def _sparse(dims: object, values: object, indices: object, value_dims: object = None) -> ModelProto:
    model = _reads(_tensor())
    del model.graph.initializer[:]
    kept = numpy_helper.from_array(np.array(values, np.float32), "w")
    if value_dims is not None:
        kept.dims[:] = value_dims
    model.graph.sparse_initializer.append(
        SparseTensorProto(dims=dims, values=kept, indices=numpy_helper.from_array(np.array(indices, np.int64), "i"))
    )
    return model


def _edit(change: Callable[[ModelProto], object], model: ModelProto | None = None) -> ModelProto:
    model = model or _reads(numpy_helper.from_array(np.ones((2, 3), np.float32), "w"))
    change(model)
    return model


def _sequence_type(kind: object, depth: int) -> None:
    kind.Clear()  # type: ignore[attr-defined]
    for _ in range(depth):
        kind = kind.sequence_type.elem_type  # type: ignore[attr-defined]
    kind.tensor_type.elem_type = 1  # type: ignore[attr-defined]


def _loop_model(steps: int) -> ModelProto:
    """A loop that would run for ever, with nothing to do."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["d"]), helper.make_node("Identity", ["v"], ["u"])],
        "b",
        [_info("i", (), TensorProto.INT64), _info("c", (), TensorProto.BOOL), _info("v", None)],
        [_info("d", (), TensorProto.BOOL), _info("u", None)],
    )
    trips = numpy_helper.from_array(np.array(steps, np.int64), "n")
    return _onnx([helper.make_node("Loop", ["n", "", "x"], ["y"], body=body)], [trips])


def _many_sparse(count: int, size: int) -> ModelProto:
    model = _sparse((size,), [1.0], [0])
    for i in range(1, count):
        model.graph.sparse_initializer.append(model.graph.sparse_initializer[0])
        model.graph.sparse_initializer[i].values.name = f"w{i}"
    return model


def _attribute(**fields: object) -> AttributeProto:
    return AttributeProto(**fields)


def _cyclic() -> ModelProto:
    nodes = [helper.make_node("Add", ["x", "b"], ["a"]), helper.make_node("Relu", ["a"], ["b"])]
    return _onnx(nodes, outputs=[_info("b", None)])


ONNX: dict[str, ModelProto | bytes | Callable[[], ModelProto | bytes]] = {
    "raw_data too short": _reads(_tensor(raw_data=bytes(20))),
    "raw_data too long": _reads(_tensor(raw_data=bytes(28))),
    "raw_data empty": _reads(_tensor(raw_data=b"")),
    "no data": _reads(_tensor()),
    "float_data and raw_data": _reads(_tensor(raw_data=bytes(24), float_data=[1] * 6)),
    "int64_data of floats": _reads(_tensor(int64_data=[1] * 6)),
    "float_data too short": _reads(_tensor(float_data=[1] * 5)),
    "string_data of floats": _reads(_tensor(string_data=[b"a"] * 6)),
    "dims negative": _reads(_tensor(dims=(-2, -3), raw_data=bytes(24))),
    "dims -1": _reads(_tensor(dims=(-1,), raw_data=bytes(24))),
    "dims 2^63-1": _reads(_tensor(dims=(HUGE,), raw_data=bytes(24))),
    "dims whose product wraps to 6": _reads(_tensor(dims=(1 << 32, (1 << 32) + 6), raw_data=bytes(24))),
    "dims whose product wraps to 0": _reads(_tensor(dims=(1 << 32, 1 << 32), raw_data=b"")),
    "dims 0 and 2^62": _reads(_tensor(dims=(0, 1 << 62), raw_data=b"")),
    "dims 0 and 2^63-1": _reads(_tensor(dims=(0, HUGE, HUGE), raw_data=b"")),
    "rank 100": _reads(_tensor(dims=[1] * 100, raw_data=bytes(4))),
    "rank 10^5 of 2^62": lambda: _reads(_tensor(dims=[1 << 62] * 100_000, raw_data=bytes(4))),
    "10^9 elements, no data": _reads(_tensor(dims=(10**9,))),
    "10^9 elements of a string": _reads(_tensor(dims=(10**9,), code=TensorProto.STRING)),
    "data_type 0": _reads(_tensor(code=0, raw_data=bytes(24))),
    "data_type 99": _reads(_tensor(code=99, raw_data=bytes(24))),
    "data_type -1": _reads(_tensor(code=-1, raw_data=bytes(24))),
    "data_type of strings": _reads(_tensor(code=TensorProto.STRING, string_data=[b"a"] * 6)),
    "data_type of complex numbers": _reads(_tensor(code=TensorProto.COMPLEX64, raw_data=bytes(48))),
    **{
        f"data_type {name}": _reads(_tensor(code=code, raw_data=bytes(size)))
        for name, code, size in [
            ("int4", TensorProto.INT4, 3),
            ("uint4", TensorProto.UINT4, 3),
            ("float8", TensorProto.FLOAT8E4M3FN, 6),
            ("int4, too short", TensorProto.INT4, 1),
            ("bool of 255", TensorProto.BOOL, 6),
        ]
    },
    "segment": _edit(lambda m: setattr(m.graph.initializer[0].segment, "end", 1 << 62)),
    "initializer twice": _onnx([helper.make_node("Add", ["x", "w"], ["y"])], [_tensor(raw_data=bytes(24))] * 2),
    "initializer without a name": _edit(lambda m: setattr(m.graph.initializer[0], "name", "")),
    "initializer that is an output": _edit(lambda m: setattr(m.graph.initializer[0], "name", "y")),
    "opset 2^62": _onnx(opset=1 << 62),
    "opset 0": _onnx(opset=0),
    "opset -1": _onnx(opset=-1),
    "opset 1": _onnx(opset=1),
    "opset missing": _edit(lambda m: m.ClearField("opset_import")),
    "opset twice": _onnx(opset_imports=[helper.make_opsetid("", 20), helper.make_opsetid("", 7)]),
    "opset twice, the last 2^62": _onnx(opset_imports=[helper.make_opsetid("", 20), helper.make_opsetid("", 1 << 62)]),
    "opset under both names": _onnx(opset_imports=[helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx", 7)]),
    "opset of another domain": _onnx(opset_imports=[helper.make_opsetid("com.x", 1)]),
    "opset version missing": _edit(lambda m: m.opset_import[0].ClearField("version")),
    "ir_version 0": _edit(lambda m: setattr(m, "ir_version", 0)),
    "ir_version 2^62": _onnx(ir_version=1 << 62),
    "ir_version -1": _onnx(ir_version=-1),
    "ir_version 1": _edit(lambda m: setattr(m, "ir_version", 1)),
    "graph missing": _edit(lambda m: m.ClearField("graph")),
    "no nodes": _edit(lambda m: m.graph.ClearField("node")),
    "no outputs": _edit(lambda m: m.graph.ClearField("output")),
    "output from nowhere": _onnx(outputs=[_info("nowhere", None)]),
    "output twice": _onnx(outputs=[_info("y", None)] * 2),
    "input twice": _onnx(inputs=[_info("x"), _info("x")]),
    "input without a type": _edit(lambda m: m.graph.input[0].ClearField("type")),
    "input without a name": _edit(lambda m: m.graph.input[0].ClearField("name")),
    "input of type 99": _edit(lambda m: setattr(m.graph.input[0].type.tensor_type, "elem_type", 99)),
    "input of 2^62 elements": _onnx(inputs=[_info("x", (1 << 31, 1 << 31))]),
    "input of negative size": _onnx(inputs=[_info("x", (-1, -5))]),
    "input of rank 10^4": _onnx(inputs=[_info("x", (2,) * 10_000)]),
    "input is a sequence": _onnx(inputs=[helper.make_tensor_sequence_value_info("x", 1, None)]),
    "a sequence of sequences, 60 deep": _edit(lambda m: _sequence_type(m.graph.input[0].type, 60)),
    "node without outputs": _onnx([helper.make_node("Relu", ["x"], [])], outputs=[_info("x", None)]),
    "node without inputs": _onnx([helper.make_node("Relu", [], ["y"])]),
    "node with 10^5 inputs": lambda: _onnx([helper.make_node("Max", ["x"] * 10**5, ["y"])]),
    "node with 10^5 outputs": lambda: _onnx(
        [helper.make_node("Split", ["x"], [f"y{i}" for i in range(10**5)], num_outputs=10**5)],
        outputs=[_info("y0", None)],
    ),
    "node of an empty output": _onnx([helper.make_node("Relu", ["x"], [""])], outputs=[_info("x", None)]),
    "node reads itself": _onnx([helper.make_node("Add", ["x", "y"], ["y"])]),
    "cycle": _cyclic(),
    "output written twice": _onnx([helper.make_node("Relu", ["x"], ["y"])] * 2),
    "operator unknown": _onnx([helper.make_node("Nothing", ["x"], ["y"])]),
    "domain unknown": _onnx([helper.make_node("Relu", ["x"], ["y"], domain="com.evil")]),
    "operator of a training domain": _onnx(
        [helper.make_node("Gradient", ["x"], ["y"], domain="ai.onnx.preview.training")]
    ),
    "name of 50 MB": lambda: _onnx([helper.make_node("Relu", ["x"], ["y"], name="n" * 50_000_000)]),
    "value named with 20 MB": lambda: _onnx(
        [helper.make_node("Relu", ["x"], ["y" * 20_000_000])], outputs=[_info("y" * 20_000_000, None)]
    ),
    "name with NUL": _onnx([helper.make_node("Relu", ["x"], ["y\0z"])], outputs=[_info("y\0z", None)]),
    "name no UTF-8": _onnx(producer_name="evil").SerializeToString().replace(b"evil", b"\xff\xfe\xfd\xfc"),
    "node name no UTF-8": _onnx([helper.make_node("Relu", ["x"], ["y"], name="evil")])
    .SerializeToString()
    .replace(b"evil", b"\xff\xfe\xfd\xfc"),
    "chain of 20000": lambda: _onnx(
        [helper.make_node("Relu", ["x" if i == 0 else f"t{i}"], [f"t{i + 1}"]) for i in range(20_000)],
        outputs=[_info("t20000", None)],
    ),
    "2^300 paths": _onnx(
        [helper.make_node("Add", [f"t{i}", f"t{i}"], [f"t{i + 1}"]) for i in range(300)],
        inputs=[_info("t0")],
        outputs=[_info("t300", None)],
    ),
    "Ifs nested 8, each twice": lambda: _nested_ifs(8),
    "Ifs nested 24": lambda: _nested_ifs(24),
    "graphs nested 90": _deep_wire(90),
    "graphs nested 10000": lambda: _deep_wire(10_000),
    "graphs nested 10^5": lambda: _deep_wire(100_000),
    "function calls itself": _functions({"f": ["f"]}, "f"),
    "functions call each other": _functions({"f": ["g"], "g": ["f"]}, "f"),
    "functions that double 8 times": _laughs(8, 2),
    "functions that double 40 times": _laughs(40, 2),
    "functions of 10 calls, 9 deep": _laughs(9, 10),
    "functions chained 3000": lambda: _laughs(3000, 1),
    "function twice": _edit(lambda m: m.functions.append(m.functions[0]), _functions({"f": ["Relu"]}, "f")),
    "function of more inputs": _edit(lambda m: m.functions[0].input.append("j"), _functions({"f": ["Relu"]}, "f")),
    "function named as an operator": _edit(
        lambda m: setattr(m.functions[0], "domain", ""), _functions({"Relu": ["Relu"]}, "Relu")
    ),
    "function without opset": _edit(
        lambda m: m.functions[0].ClearField("opset_import"), _functions({"f": ["Relu"]}, "f")
    ),
    "function of another opset": _edit(
        lambda m: setattr(m.functions[0].opset_import[0], "version", 1 << 40), _functions({"f": ["Relu"]}, "f")
    ),
    "attribute without a type": _edit(
        lambda m: m.graph.node[0].attribute.append(_attribute(name="alpha", f=1.0)), _one("Elu")
    ),
    "attribute of the wrong type": _one("Elu", alpha="x"),
    "attribute is a graph": _one("Elu", alpha=helper.make_graph([], "g", [], [])),
    "attribute twice": _edit(
        lambda m: m.graph.node[0].attribute.append(helper.make_attribute("alpha", 2.0)), _one("Elu", alpha=1.0)
    ),
    "attribute unknown": _one("Relu", nothing=5),
    "attribute refers to none": _edit(
        lambda m: m.graph.node[0].attribute.append(_attribute(name="alpha", ref_attr_name="a", type=1)), _one("Elu")
    ),
    "attribute of a type that lies": _edit(
        lambda m: m.graph.node[0].attribute.append(_attribute(name="alpha", i=5, type=AttributeProto.STRING)),
        _one("Elu"),
    ),
    "attribute type 99": _edit(
        lambda m: m.graph.node[0].attribute.append(_attribute(name="alpha", i=5, type=AttributeProto.GRAPHS)),
        _one("Elu"),
    ),
    "string attribute no UTF-8": _one("Gelu", approximate=b"\xff\xfe"),
    "string attribute of 20 MB": lambda: _one("Gelu", approximate=b"a" * 20_000_000),
    "Constant without a value": _onnx([helper.make_node("Constant", [], ["y"])]),
    "Constant of two values": _onnx([helper.make_node("Constant", [], ["y"], value_int=1, value_float=2.0)]),
    "Constant of strings": _onnx([helper.make_node("Constant", [], ["y"], value_string="a")]),
    "Constant with dims 2^62": _onnx([helper.make_node("Constant", [], ["y"], value=_tensor(dims=(1 << 62,)))]),
    "If with one branch": _onnx(
        [helper.make_node("If", ["x"], ["y"], then_branch=helper.make_graph([], "t", [], [_info("x", None)]))]
    ),
    "If with empty branches": _onnx(
        [helper.make_node("If", ["c"], ["y"], then_branch=GraphProto(name="t"), else_branch=GraphProto(name="e"))],
        inputs=[_info("c", (), TensorProto.BOOL)],
    ),
    "If whose branch gives two": _onnx(
        [
            helper.make_node(
                "If",
                ["c"],
                ["y"],
                then_branch=helper.make_graph([], "t", [], [_info("x", None)] * 2),
                else_branch=helper.make_graph([], "e", [], [_info("x", None)]),
            )
        ],
        inputs=[_info("c", (), TensorProto.BOOL), _info("x")],
    ),
    "Loop without a body": _onnx([helper.make_node("Loop", ["", "", "x"], ["y"])]),
    "Loop whose body has no inputs": _onnx(
        [helper.make_node("Loop", ["", "", "x"], ["y"], body=helper.make_graph([], "b", [], [_info("x", None)]))]
    ),
    "Loop of 2^62 steps": _loop_model(1 << 62),
    "Scan of 5 inputs told": _onnx(
        [
            helper.make_node(
                "Scan",
                ["x"],
                ["y"],
                num_scan_inputs=5,
                body=helper.make_graph([], "b", [_info("i")], [_info("i", None)]),
            )
        ]
    ),
    "Scan of -1 inputs told": _onnx(
        [
            helper.make_node(
                "Scan",
                ["x"],
                ["y"],
                num_scan_inputs=-1,
                body=helper.make_graph([], "b", [_info("i")], [_info("i", None)]),
            )
        ]
    ),
    "sparse index out of range": _sparse((2, 3), [1.0], [6]),
    "sparse index negative": _sparse((2, 3), [1.0], [-1]),
    "sparse index of rank 2 out of range": _sparse((2, 3), [1.0], [[0, 3]]),
    "sparse index of width 3": _sparse((2, 3), [1.0], [[0, 0, 0]]),
    "sparse index of rank 3": _sparse((2, 3), [1.0], [[[0]]]),
    "sparse indices fewer": _sparse((2, 3), [1.0, 2.0], [0]),
    "sparse indices unsorted": _sparse((2, 3), [1.0, 2.0], [3, 1]),
    "sparse indices twice": _sparse((2, 3), [1.0, 2.0], [3, 3]),
    "sparse of 2^30 elements": _sparse((1 << 29,), [1.0], [0]),
    "sparse of 2^62 elements": _sparse((1 << 62,), [1.0], [0]),
    "sparse whose product wraps": _sparse((1 << 32, 1 << 32), [1.0], [0]),
    "sparse of negative size": _sparse((-2, -3), [1.0], [0]),
    "sparse of 0 and 2^62": _sparse((0, 1 << 62), [], []),
    "sparse of rank 10^5": lambda: _sparse([1 << 62] * 100_000, [1.0], [0]),
    "sparse of rank 100": _sparse([1] * 100, [1.0], [0]),
    "20 sparse of 400 MB": lambda: _many_sparse(20, 100_000_000),
    "sparse values too short": _sparse((2, 3), [1.0], [0], (5,)),
    "quantization annotation": _edit(
        lambda m: setattr(m.graph.quantization_annotation.add(), "tensor_name", "x" * 1000)
    ),
    "training information": _edit(lambda m: m.training_info.add()),
    "metadata of ours, empty": _edit(
        lambda m: m.metadata_props.append(StringStringEntryProto(key="gluonnx.format", value="1"))
    ),
    "metadata of ours, format 2": _edit(
        lambda m: m.metadata_props.append(StringStringEntryProto(key="gluonnx.format", value="2"))
    ),
    "metadata of 10 MB keys": lambda: _edit(
        lambda m: m.metadata_props.append(StringStringEntryProto(key="k" * 10_000_000, value="v"))
    ),
    # What operators are told to make.
    "ConstantOfShape 2^62": _fed("ConstantOfShape", {0: [1 << 31, 1 << 31]}, 1),
    "ConstantOfShape 10^10": _fed("ConstantOfShape", {0: [10**10]}, 1),
    "ConstantOfShape 10^9": _fed("ConstantOfShape", {0: [10**9]}, 1),
    "ConstantOfShape negative": _fed("ConstantOfShape", {0: [-5]}, 1),
    "ConstantOfShape of rank 10^4": _fed("ConstantOfShape", {0: [1] * 10**4}, 1),
    "ConstantOfShape of an empty value": _fed("ConstantOfShape", {0: [2]}, 1, value=_tensor(dims=(0,))),
    "Range of 10^12": _fed("Range", {0: 0, 1: 10**12, 2: 1}, 3),
    "Range of 10^10": _fed("Range", {0: 0, 1: 10**10, 2: 1}, 3),
    "Range of 10^9": _fed("Range", {0: 0, 1: 10**9, 2: 1}, 3),
    "Range of step 0": _fed("Range", {0: 0, 1: 5, 2: 0}, 3),
    "Range to infinity": _fed(
        "Range", {0: np.array(0, np.float32), 1: np.array(np.inf, np.float32), 2: np.array(1, np.float32)}, 3
    ),
    "Range of NaN": _fed(
        "Range", {0: np.array(0, np.float32), 1: np.array(np.nan, np.float32), 2: np.array(1, np.float32)}, 3
    ),
    "Range of 1e-30": _fed(
        "Range", {0: np.array(0, np.float32), 1: np.array(1, np.float32), 2: np.array(1e-30, np.float32)}, 3
    ),
    "Range over int64": _fed("Range", {0: -HUGE, 1: HUGE, 2: 1}, 3),
    "Expand 2^62": _fed("Expand", {1: [1 << 31, 1 << 31, 1, 1]}, 2),
    "Expand a constant": _fed("Expand", {0: [1], 1: [10**10]}, 2),
    "Tile 2^62": _fed("Tile", {1: [1 << 31, 1 << 31]}, 2),
    "Tile a constant": _fed("Tile", {0: [1], 1: [10**10]}, 2),
    "Tile negative": _fed("Tile", {1: [-1, 2]}, 2),
    "Pad 2^62": _fed("Pad", {1: [1 << 61, 0, 1 << 61, 0]}, 2),
    "Pad a constant": _fed("Pad", {0: [1], 1: [10**10, 0]}, 2),
    "Pad by 10^9 reflected": _fed("Pad", {0: [1, 2], 1: [10**9, 10**9]}, 2, mode="reflect"),
    "Pad by negative": _fed("Pad", {1: [-9, -9, -9, -9]}, 2),
    "Pad wraps": _fed("Pad", {0: [1, 2], 1: [10**9, 10**9]}, 2, mode="wrap"),
    "Reshape to 2^62": _fed("Reshape", {1: [1 << 31, 1 << 31]}, 2),
    "Reshape to -1 twice": _fed("Reshape", {1: [-1, -1]}, 2),
    "Reshape to -7": _fed("Reshape", {1: [-7, 2]}, 2),
    "Reshape to rank 10^4": _fed("Reshape", {1: [1] * 10**4}, 2),
    "OneHot 10^12": _fed("OneHot", {0: [1, 2], 1: 10**12, 2: [0, 1]}, 3),
    "OneHot 10^10": _fed("OneHot", {0: [1, 2], 1: 10**10, 2: [0, 1]}, 3),
    "OneHot negative": _fed("OneHot", {0: [1, 2], 1: -5, 2: [0, 1]}, 3),
    "OneHot of one value": _fed("OneHot", {0: [1, 2], 1: 5, 2: [0]}, 3),
    "OneHot axis 10^9": _fed("OneHot", {0: [1, 2], 1: 5, 2: [0, 1]}, 3, axis=10**9),
    "EyeLike k 2^62": _one("EyeLike", k=1 << 62),
    "Resize 10^9 times": _fed(
        "Resize", {1: np.array([], np.float32), 2: np.array([1, 1, 1e9, 1e9], np.float32)}, 3, 20, (1, 1, 2, 2)
    ),
    "Resize NaN times": _fed(
        "Resize", {1: np.array([], np.float32), 2: np.array([1, 1, np.nan, np.inf], np.float32)}, 3, 20, (1, 1, 2, 2)
    ),
    "Resize 0 times": _fed(
        "Resize", {1: np.array([], np.float32), 2: np.array([1, 1, 0, -1], np.float32)}, 3, 20, (1, 1, 2, 2)
    ),
    "Resize to 2^62": _fed(
        "Resize",
        {1: np.array([], np.float32), 2: np.array([], np.float32), 3: [1, 1, 1 << 31, 1 << 31]},
        4,
        20,
        (1, 1, 2, 2),
    ),
    "Resize a constant to 10^5": _fed(
        "Resize",
        {
            0: np.ones((1, 1, 2, 2), np.float32),
            1: np.array([], np.float32),
            2: np.array([], np.float32),
            3: [1, 1, 10**5, 10**5],
        },
        4,
    ),
    "Upsample 10^9 times": _fed("Upsample", {1: np.array([1, 1, 1e9, 1e9], np.float32)}, 2, 9, (1, 1, 2, 2)),
    "TopK 2^62": _fed("TopK", {1: [1 << 62]}, 2),
    "TopK negative": _fed("TopK", {1: [-1]}, 2),
    "Split by 0": _edit(lambda m: m.graph.node[0].output.append("z"), _one("Split", num_outputs=0)),
    "Split by 10^9": _one("Split", num_outputs=10**9),
    "Split by -1": _one("Split", num_outputs=-1),
    "Split of sizes -1": _fed("Split", {1: [-1, 3]}, 2),
    "Slice of 2^63": _fed("Slice", {1: [-HUGE], 2: [HUGE], 3: [0], 4: [1]}, 5),
    "Slice of step 0": _fed("Slice", {1: [0], 2: [1], 3: [0], 4: [0]}, 5),
    "Slice of step -2^63": _fed("Slice", {1: [0], 2: [1], 3: [0], 4: [-HUGE - 1]}, 5),
    "Slice of axis 9": _fed("Slice", {1: [0], 2: [1], 3: [9], 4: [1]}, 5),
    "Slice of axis -2^63": _fed("Slice", {1: [0], 2: [1], 3: [-HUGE - 1], 4: [1]}, 5),
    "Slice of unequal lists": _fed("Slice", {1: [0, 0], 2: [1], 3: [0], 4: [1]}, 5),
    "Gather of 2^62": _fed("Gather", {1: [1 << 62]}, 2),
    "Gather of a constant": _fed("Gather", {0: [1, 2], 1: [1 << 62]}, 2),
    "Gather of axis 2^62": _one("Gather", 2, axis=1 << 62),
    "Squeeze axis 2^62": _fed("Squeeze", {1: [1 << 62]}, 2),
    "Unsqueeze axis 10^6": _fed("Unsqueeze", {1: [10**6]}, 2),
    "Unsqueeze axes twice": _fed("Unsqueeze", {1: [0, 0]}, 2),
    "Unsqueeze axis -2^63": _fed("Unsqueeze", {1: [-HUGE - 1]}, 2),
    "Transpose perm out of range": _one("Transpose", perm=[0, 9]),
    "Transpose perm twice": _one("Transpose", perm=[0, 0]),
    "Transpose perm of 10^5": _one("Transpose", perm=list(range(100_000))),
    "Concat axis 2^62": _one("Concat", 2, axis=1 << 62),
    "Flatten axis 99": _one("Flatten", axis=99),
    "Softmax axis 99": _one("Softmax", axis=99),
    "Softmax axis 99, old": _one("Softmax", 1, 1, 7, axis=99),
    "Softmax axis 0 of rank 0, old": _one("Softmax", 1, 1, 7, (), axis=0),
    "ReduceSum axis -2^63": _fed("ReduceSum", {1: [-HUGE - 1]}, 2),
    "ReduceSum old axes out of range": _one("ReduceSum", 1, 1, 11, axes=[7]),
    "CumSum axis 2^40": _fed("CumSum", {1: np.array(2**40, np.int64)}, 2),
    "Cast to 99": _one("Cast", to=99),
    "Cast to -1": _one("Cast", to=-1),
    "Cast to string": _one("Cast", to=TensorProto.STRING),
    **{
        f"{op} {key}={value}": _one(op, inputs, 1, 20, (1, 2, 4, 4), **{**given, key: value})
        for op, inputs, given in [
            ("Conv", 2, {}),
            ("ConvTranspose", 2, {}),
            ("MaxPool", 1, {"kernel_shape": [2, 2]}),
            ("AveragePool", 1, {"kernel_shape": [2, 2]}),
            ("LpPool", 1, {"kernel_shape": [2, 2]}),
        ]
        for key, value in [
            ("strides", [0, 0]),
            ("strides", [-1, -1]),
            ("strides", [1 << 62, 1 << 62]),
            ("strides", [1] * 9),
            ("dilations", [0, 0]),
            ("dilations", [1 << 62, 1 << 62]),
            ("dilations", [-1, -1]),
            ("pads", [1 << 62] * 4),
            ("pads", [-5] * 4),
            ("pads", [1]),
            ("kernel_shape", [0, 0]),
            ("kernel_shape", [-1, -1]),
            ("kernel_shape", [1 << 62, 1 << 62]),
            ("kernel_shape", [1] * 9),
            ("auto_pad", "SAME_SIDEWAYS"),
        ]
        if not (op == "LpPool" and key == "auto_pad")
    },
    **{
        f"{op} {key}={value}": _one(op, 2, 1, 20, (1, 2, 4, 4), **{key: value})
        for op in ("Conv", "ConvTranspose")
        for key, value in [
            ("group", 0),
            ("group", -1),
            ("group", 1 << 62),
            ("output_padding", [1 << 62, 1 << 62]),
            ("output_shape", [1 << 62, 1 << 62]),
            ("output_shape", [-1]),
        ]
        if op == "ConvTranspose" or not key.startswith("output")
    },
    "MaxPool without a kernel": _one("MaxPool", 1, 1, 20, (1, 2, 4, 4)),
    "AveragePool ceil of stride 0": _one(
        "AveragePool", 1, 1, 20, (1, 2, 4, 4), kernel_shape=[2, 2], strides=[0, 0], ceil_mode=1
    ),
    "MaxPool same of stride 0": _one(
        "MaxPool", 1, 1, 20, (1, 2, 4, 4), kernel_shape=[2, 2], strides=[0, 0], auto_pad="SAME_UPPER"
    ),
    "DepthToSpace 0": _one("DepthToSpace", 1, 1, 20, (1, 4, 2, 2), blocksize=0),
    "DepthToSpace -2": _one("DepthToSpace", 1, 1, 20, (1, 4, 2, 2), blocksize=-2),
    "DepthToSpace 2^40": _one("DepthToSpace", 1, 1, 20, (1, 4, 2, 2), blocksize=1 << 40),
    "SpaceToDepth 0": _one("SpaceToDepth", 1, 1, 20, (1, 4, 2, 2), blocksize=0),
    "GroupNormalization 0 groups, old": _one("GroupNormalization", 3, 1, 18, (1, 4, 2, 2), num_groups=0),
    "GroupNormalization 0 groups": _one("GroupNormalization", 3, 1, 21, (1, 4, 2, 2), num_groups=0),
    "GroupNormalization 3 of 4, old": _one("GroupNormalization", 3, 1, 18, (1, 4, 2, 2), num_groups=3),
    "LSTM hidden 10^9": _one("LSTM", 3, 1, 20, (1, 1, 4), hidden_size=10**9),
    "LSTM hidden -1": _one("LSTM", 3, 1, 20, (1, 1, 4), hidden_size=-1),
    "RNN of odd activations": _one("RNN", 3, 1, 20, (1, 1, 4), hidden_size=1, activations=["x", "y", "z"]),
    "GRU of one odd activation": _one("GRU", 3, 1, 20, (1, 1, 4), hidden_size=1, activations=["x"]),
    "Einsum of nonsense": _one("Einsum", 2, equation="...,,,->->"),
    "Einsum of 10^5 letters": _one("Einsum", 2, equation="a" * 10**5 + ",ab->b"),
    "DFT length 2^62": _fed("DFT", {1: np.array(1 << 62, np.int64), 2: np.array(1, np.int64)}, 3, 20, (1, 4, 1)),
    "HannWindow 2^62": _fed("HannWindow", {0: np.array(1 << 62, np.int64)}, 1),
    "HannWindow 10^10": _fed("HannWindow", {0: np.array(10**10, np.int64)}, 1),
    "MelWeightMatrix 10^9": _fed(
        "MelWeightMatrix",
        {
            0: np.array(10**9, np.int64),
            1: np.array(10**9, np.int64),
            2: np.array(8192, np.int64),
            3: np.array(0.0, np.float32),
            4: np.array(8192.0, np.float32),
        },
        5,
    ),
    "RandomNormal 2^62": _one("RandomNormal", 0, shape=[1 << 31, 1 << 31]),
    "RandomNormal 10^10": _one("RandomNormal", 0, shape=[10**10]),
    "Multinomial 10^12": _one("Multinomial", sample_size=10**12),
    "Bernoulli": _one("Bernoulli"),
    "NonMaxSuppression 2^62": _fed("NonMaxSuppression", {2: [1 << 62]}, 3, 20, (1, 1, 4)),
    "RoiAlign 10^9": _one("RoiAlign", 3, 1, 20, (1, 1, 4, 4), output_height=10**9, output_width=10**9),
    "GridSample of odd mode": _one("GridSample", 2, 1, 16, (1, 1, 4, 4), mode="x"),
    "Col2Im 2^62": _fed("Col2Im", {1: [1 << 31, 1 << 31], 2: [1, 1]}, 3, 20, (1, 1, 4)),
    "Col2Im block 0": _fed("Col2Im", {1: [4, 4], 2: [0, 0]}, 3, 20, (1, 1, 4)),
    "Shape of odd bounds": _one("Shape", start=1 << 62, end=-(1 << 62)),
    "SplitToSequence 0": _fed("SplitToSequence", {1: np.array(0, np.int64)}, 2),
    "BatchNormalization of statistics without shape": _one("BatchNormalization", 5),
    "Dropout ratio NaN": _fed("Dropout", {1: np.array(np.nan, np.float32)}, 2),
    "Clip bounds of rank 2": _fed("Clip", {1: np.ones((2, 3), np.float32), 2: np.ones((2, 3), np.float32)}, 3),
    "Scan of opset 8": _one(
        "Scan", 1, 1, 8, body=helper.make_graph([], "b", [_info("i")], [_info("i", None)]), num_scan_inputs=1
    ),
    "Upsample of opset 7 without scales": _one("Upsample", 1, 1, 7),
    "Slice of opset 9 without starts": _one("Slice", 1, 1, 9),
    "Pad of opset 2 without pads": _one("Pad", 1, 1, 10),
    "TopK of opset 9 without k": _one("TopK", 1, 2, 9),
}


def _write_external(folder: Path, model: ModelProto, data: bytes = bytes(24)) -> Path:
    (folder / "m.onnx").write_bytes(model.SerializeToString())
    (folder / "w.data").write_bytes(data)
    return folder / "m.onnx"


def _external_case(tensor: TensorProto, prepare: Callable[[Path], object] = lambda folder: None) -> Case:
    def write(folder: Path) -> Path:
        path = _write_external(folder, _reads(tensor))
        prepare(folder)
        return path

    return write


def _outside(folder: Path) -> Path:
    """A file beside the model's folder, which no model may read."""
    target = folder.parent / f"{folder.name}.secret"
    target.write_bytes(bytes(24))
    return target


EXTERNAL: dict[str, Case] = {
    "sound": _external_case(_external("w.data")),
    "sound, with offset and length": _external_case(_external("w.data", offset=0, length=24)),
    "offset negative": _external_case(_external("w.data", offset=-24, length=24)),
    "offset 2^63": _external_case(_external("w.data", offset=1 << 63, length=24)),
    "offset 2^64": _external_case(_external("w.data", offset=1 << 64, length=24)),
    "offset is a word": _external_case(_external("w.data", offset="x")),
    "offset of 10^5 digits": _external_case(_external("w.data", offset="9" * 10**5)),
    "offset of other digits": _external_case(_external("w.data", offset="\uff10", length="\uff12\uff14")),
    "offset with underscores": _external_case(_external("w.data", offset="0_0", length="2_4")),
    "length negative": _external_case(_external("w.data", length=-24)),
    "length 2^63": _external_case(_external("w.data", length=1 << 63)),
    "length too short": _external_case(_external("w.data", length=20)),
    "length empty": _external_case(_external("w.data", length="")),
    "10^9 elements told": _external_case(_external("w.data", (10**9,))),
    "2^62 elements told": _external_case(_external("w.data", (1 << 62,))),
    "product wraps to 6": _external_case(_external("w.data", (1 << 32, (1 << 32) + 6))),
    "rank 100": _external_case(_external("w.data", [1] * 99 + [6])),
    "rank 10^5 of 2^62": _external_case(_external("w.data", [1 << 62] * 10**5)),
    "sizes negative": _external_case(_external("w.data", (-2, -3))),
    "location twice": _external_case(
        TensorProto(
            name="w",
            dims=(2, 3),
            data_type=1,
            data_location=TensorProto.EXTERNAL,
            external_data=[StringStringEntryProto(key="location", value=v) for v in ("w.data", "../x")],
        )
    ),
    "no location": _external_case(TensorProto(name="w", dims=(2, 3), data_type=1, data_location=TensorProto.EXTERNAL)),
    "raw_data as well": _external_case(
        TensorProto(
            name="w",
            dims=(2, 3),
            data_type=1,
            data_location=TensorProto.EXTERNAL,
            raw_data=bytes(24),
            external_data=[StringStringEntryProto(key="location", value="w.data")],
        )
    ),
    "key unknown": _external_case(_external("w.data", evil="1")),
    "missing": _external_case(_external("nothing")),
    "the model itself": _external_case(_external("m.onnx")),
    "location empty": _external_case(_external("")),
    "location .": _external_case(_external(".")),
    "location ..": _external_case(_external("..")),
    "location a folder": _external_case(_external("sub"), lambda f: (f / "sub").mkdir()),
    "location in a folder": _external_case(
        _external("sub/w.data"), lambda f: ((f / "sub").mkdir(), (f / "sub/w.data").write_bytes(bytes(24)))
    ),
    "location with NUL": _external_case(_external("w.data\0.txt")),
    "location of 10^6 letters": _external_case(_external("a" * 10**6)),
    "location of 10^4 folders": _external_case(_external("a/" * 10**4 + "w.data")),
    "location no surrogate": _external_case(_external("w\uff0edata")),
    "location ../": _external_case(_external("../{name}.secret"), lambda f: _rename(f, "../{0}.secret")),
    "location sub/../../": _external_case(_external("x"), lambda f: _rename(f, "sub/../../{0}.secret")),
    "location absolute": _external_case(_external("x"), lambda f: _rename(f, "{1}")),
    "location absolute, of the folder": _external_case(_external("x"), lambda f: _relocate(f, str(f / "w.data"))),
    "location with a drive": _external_case(_external("C:\\w.data")),
    "location of a share": _external_case(_external("\\\\server\\share\\w.data")),
    "location with backslashes": _external_case(_external("..\\..\\w.data")),
    "location a file URL": _external_case(_external("file:///etc/passwd")),
    "location of look-alikes": _external_case(_external("\u2024\u2024/w.data")),
    "location of full-width dots": _external_case(_external("\uff0e\uff0e\uff0fw.data")),
    "symbolic link outside": _external_case(_external("l.data"), lambda f: (f / "l.data").symlink_to(_outside(f))),
    "symbolic link inside": _external_case(_external("l.data"), lambda f: (f / "l.data").symlink_to("w.data")),
    "symbolic link to itself": _external_case(_external("l.data"), lambda f: (f / "l.data").symlink_to("l.data")),
    "symbolic link to a folder": _external_case(
        _external("l/{0}.secret"), lambda f: ((f / "l").symlink_to(f.parent), _rename(f, "l/{0}.secret"))
    ),
    "hard link outside": _external_case(_external("l.data"), lambda f: (f / "l.data").hardlink_to(_outside(f))),
    "pipe": _external_case(_external("p.data"), lambda f: os.mkfifo(f / "p.data")),
    "link to /dev/zero": _external_case(_external("z.data"), lambda f: (f / "z.data").symlink_to("/dev/zero")),
    "link to /proc/self/mem": _external_case(
        _external("z.data"), lambda f: (f / "z.data").symlink_to("/proc/self/mem")
    ),
    "/dev/zero": _external_case(_external("/dev/zero")),
    "in a nested graph": lambda folder: _write_external(folder, _external_in_branch(_external("../x"))),
    "in a function": lambda folder: _write_external(folder, _external_in_function(_external("../x"))),
    "pipe in a nested graph": lambda folder: (
        os.mkfifo(folder / "p.data"),
        _write_external(folder, _external_in_branch(_external("p.data"))),
    )[1],
    "overlapping": lambda folder: _write_external(
        folder, _two(_external("w.data", length=24), _external("w.data", length=24))
    ),
    "10^4 tensors of one place": lambda folder: _write_external(folder, _many_external(10**4), bytes(10**6)),
}


def _rename(folder: Path, location: str) -> None:
    """Write the model again with a location that depends on where its folder is."""
    _relocate(folder, location.format(folder.name, _outside(folder)))


def _relocate(folder: Path, location: str) -> None:
    (folder / "m.onnx").write_bytes(_reads(_external(location)).SerializeToString())


def _constant(tensor: TensorProto) -> object:
    return helper.make_node("Constant", [], ["k"], value=tensor)


def _external_in_branch(tensor: TensorProto) -> ModelProto:
    branch = helper.make_graph([_constant(tensor)], "b", [], [_info("k", None)])
    node = helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)
    return _onnx([node], inputs=[_info("c", (), TensorProto.BOOL)])


def _external_in_function(tensor: TensorProto) -> ModelProto:
    model = _functions({"f": ["Relu"]}, "f")
    model.functions[0].node.insert(0, _constant(tensor))
    return model


def _two(first: TensorProto, second: TensorProto) -> ModelProto:
    second.name = "v"
    nodes = [helper.make_node("Add", ["x", "w"], ["t"]), helper.make_node("Add", ["t", "v"], ["y"])]
    return _onnx(nodes, [first, second])


def _many_external(count: int) -> ModelProto:
    tensors = []
    for i in range(count):
        tensor = _external("w.data", (250_000,), length=10**6)
        tensor.name = f"w{i}"
        tensors.append(tensor)
    return _onnx([helper.make_node("Add", ["x", "w0"], ["y"])], tensors, [_info("x", (250_000,))])


def onnx_case(model: ModelProto | bytes | Callable[[], ModelProto | bytes]) -> Case:
    def write(folder: Path) -> Path:
        made = model if isinstance(model, (ModelProto, bytes)) else model()
        path = folder / "m.onnx"
        path.write_bytes(made if isinstance(made, bytes) else made.SerializeToString())
        return path

    return write
