"""Files that were made to do harm: for each kind of file, what an attacker would try at each place of its grammar.

No reader may crash, hang, take memory that the file does not justify, or touch another file; it gives a valid result or
an error of gluonnx. ONNX models are in `hostile_onnx`.
"""

import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np

Case = Callable[[Path], Path]

LIST_MAGIC, V1, V2, V3 = 0x112, 0xF993FAC8, 0xF993FAC9, 0xF993FACA
HUGE = (1 << 63) - 1


def bytes_case(name: str, data: bytes | Callable[[], bytes]) -> Case:
    def write(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(data if isinstance(data, bytes) else data())
        return path

    return write


# .params


def _params(*arrays: bytes, count: int | None = None, names: bytes | None = None) -> bytes:
    count = len(arrays) if count is None else count
    return struct.pack("<QQQ", LIST_MAGIC, 0, count) + b"".join(arrays) + (names or struct.pack("<Q", 0))


def _shape(*dims: int, rank: int | None = None) -> bytes:
    return struct.pack(f"<i{len(dims)}q", len(dims) if rank is None else rank, *dims)


def _dense(shape: bytes, flag: int = 0, values: bytes = b"", magic: int = V2, storage: int = 0) -> bytes:
    return struct.pack("<Ii", magic, storage) + shape + struct.pack("<iii", 1, 0, flag) + values


def _csr(
    shape: tuple[int, ...], indptr: list[int], indices: list[int], values: int, pointer_shape: bytes = b""
) -> bytes:
    head = struct.pack("<Ii", V2, 2) + _shape(values) + _shape(*shape) + struct.pack("<iii", 1, 0, 0)
    head += struct.pack("<i", 6) + (pointer_shape or _shape(len(indptr))) + struct.pack("<i", 6) + _shape(len(indices))
    return (
        head + bytes(4 * values) + struct.pack(f"<{len(indptr)}q", *indptr) + struct.pack(f"<{len(indices)}q", *indices)
    )


def _rows(shape: tuple[int, ...], indices: list[int], kept: tuple[int, ...]) -> bytes:
    head = struct.pack("<Ii", V2, 1) + _shape(*kept) + _shape(*shape) + struct.pack("<iii", 1, 0, 0)
    head += struct.pack("<i", 6) + _shape(len(indices))
    size = int(np.prod(kept)) if kept and min(kept) >= 0 and np.prod([float(k) for k in kept]) < 1e6 else 0
    return head + bytes(4 * size) + struct.pack(f"<{len(indices)}q", *indices)


def _names(*names: bytes, count: int | None = None) -> bytes:
    head = struct.pack("<Q", len(names) if count is None else count)
    return head + b"".join(struct.pack("<Q", len(n)) + n for n in names)


_ONE = _dense(_shape(1), values=bytes(4))
PARAMS: dict[str, bytes | Callable[[], bytes]] = {
    "count 2^64-1": _params(count=(1 << 64) - 1),
    "count 2^61": _params(_ONE, count=1 << 61),
    "count of the bytes": _params(bytes(4 << 12), count=1 << 12),
    "many empty arrays": lambda: _params(bytes(4 << 20), count=1 << 20),
    "shape 2^63": _params(_dense(_shape(HUGE))),
    "shape whose product overflows": _params(_dense(_shape(1 << 32, 1 << 32))),
    "shape whose product wraps to 4": _params(_dense(_shape(1 << 32, (1 << 32) + 1), values=bytes(4))),
    "shape of 0 and 2^62": _params(_dense(_shape(0, 1 << 62))),
    "negative size": _params(_dense(_shape(-1))),
    "rank 10^9": _params(_dense(_shape(rank=10**9))),
    "rank -5": _params(_dense(_shape(rank=-5))),
    "rank 33": _params(_dense(_shape(*[1] * 33), values=bytes(4))),
    "v1 rank 2^31-1": _params(struct.pack("<Ii", V1, 2**31 - 1)),
    "v0 rank 2^31": _params(struct.pack("<I", 1 << 31)),
    "v0 sizes 2^32": _params(struct.pack("<III", 2, (1 << 32) - 1, (1 << 32) - 1) + struct.pack("<iii", 1, 0, 0)),
    "storage 7": _params(_dense(_shape(1), values=bytes(4), storage=7)),
    "storage -1": _params(_dense(_shape(1), values=bytes(4), storage=-1)),
    "v3 sparse": _params(_dense(_shape(1), values=bytes(4), magic=V3, storage=1)),
    "dtype 99": _params(_dense(_shape(1), 99, bytes(4))),
    "dtype -1": _params(_dense(_shape(1), -1, bytes(4))),
    "csr without rows, 2^40 rows told": _params(_csr((1 << 40, 1), [], [], 0), names=_names(b"a")),
    "csr without rows, 2^62 rows told": _params(_csr((1 << 62, 1), [], [], 0), names=_names(b"a")),
    "csr rows descending": _params(_csr((2, 3), [0, 2, 1], [0, 1], 2)),
    "csr rows out of range": _params(_csr((2, 3), [0, 1, HUGE], [0, 1], 2)),
    "csr rows negative": _params(_csr((2, 3), [-1, 1, 2], [0, 1], 2)),
    "csr column out of range": _params(_csr((2, 3), [0, 1, 2], [0, 3], 2)),
    "csr column negative": _params(_csr((2, 3), [0, 1, 2], [0, -1], 2)),
    "csr pointers of rank 2": _params(_csr((2, 3), [0, 1, 2], [0, 1], 2, _shape(1, 3))),
    "csr of rank 3": _params(_csr((2, 3, 1), [0, 1, 2], [0, 1], 2)),
    "csr of too few pointers": _params(_csr((9, 3), [0, 1, 2], [0, 1], 2)),
    "row_sparse unsorted": _params(_rows((4, 2), [2, 1], (2, 2))),
    "row_sparse twice": _params(_rows((4, 2), [1, 1], (2, 2))),
    "row_sparse out of range": _params(_rows((4, 2), [1, 4], (2, 2))),
    "row_sparse negative": _params(_rows((4, 2), [-1, 2], (2, 2))),
    "row_sparse of 2^62 rows": _params(_rows((1 << 62, 2), [1, 1 << 61], (2, 2)), names=_names(b"a")),
    "row_sparse of 2^63 elements": _params(_rows((1 << 62, 1 << 62), [], (0, 1 << 62)), names=_names(b"a")),
    "row_sparse of another width": _params(_rows((4, 3), [1, 2], (2, 2))),
    "names longer": _params(_ONE, names=_names(b"a", b"b")),
    "names shorter": _params(_ONE, _ONE, names=_names(b"a")),
    "names 2^63": _params(_ONE, names=_names(count=1 << 63)),
    "name of 2^63 bytes": _params(_ONE, names=struct.pack("<QQ", 1, 1 << 63)),
    "name of 100 MB": lambda: _params(_ONE, names=_names(bytes(100_000_000))),
    "name no UTF-8": _params(_ONE, names=_names(b"\xff\xfe")),
    "name with a surrogate": _params(_ONE, names=_names(b"\xed\xa0\x80")),
    "names twice": _params(_ONE, _ONE, names=_names(b"a", b"a")),
    "30000 names, each twice": lambda: _params(
        *[_ONE] * 60_000, names=_names(*(b"%d" % (i // 2) for i in range(60_000)))
    ),
}

# safetensors


def _safe(header: object, values: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + values


def _entry(shape: object = (1,), begin: object = 0, end: object = 4, dtype: object = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


SAFETENSORS: dict[str, bytes | Callable[[], bytes]] = {
    "header of 2^63": _safe({"a": _entry()}, bytes(4), 1 << 63),
    "header of 2^64-1": _safe({"a": _entry()}, bytes(4), (1 << 64) - 1),
    "header of 200 MB told": _safe({"a": _entry()}, bytes(4), 200_000_000),
    "overlap": _safe({"a": _entry(), "b": _entry((1,), 2, 6)}, bytes(6)),
    "the same place twice": _safe({"a": _entry(), "b": _entry()}, bytes(4)),
    "a hole": _safe({"a": _entry(), "b": _entry((1,), 8, 12)}, bytes(12)),
    "values left": _safe({"a": _entry()}, bytes(8)),
    "values missing": _safe({"a": _entry()}, bytes(2)),
    "offsets backward": _safe({"a": _entry((1,), 4, 0)}, bytes(4)),
    "offsets negative": _safe({"a": _entry((1,), -4, 0)}, bytes(4)),
    "offsets 2^63": _safe({"a": _entry((1,), 1 << 63, (1 << 63) + 4)}, bytes(4)),
    "offsets are floats": _safe({"a": _entry((1,), 0.0, 4.0)}, bytes(4)),
    "offsets are booleans": _safe({"a": _entry((1,), False, 4)}, bytes(4)),
    "three offsets": _safe({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4, 4]}}, bytes(4)),
    "shape 2^63": _safe({"a": _entry((1 << 63,))}, bytes(4)),
    "shape whose product wraps": _safe({"a": _entry((1 << 32, (1 << 32) + 1))}, bytes(4)),
    "shape of 0 and 2^61": _safe({"a": _entry((0, 1 << 61), 0, 0)}),
    "rank 10^5": lambda: _safe({"a": _entry([1 << 61] * 100_000)}, bytes(4)),
    "rank 33": _safe({"a": _entry([1] * 33)}, bytes(4)),
    "negative size": _safe({"a": _entry((-1,))}, bytes(4)),
    "size of 10^5 digits": _safe(
        b'{"a":{"dtype":"F32","shape":[' + b"9" * 100_000 + b'],"data_offsets":[0,4]}}', bytes(4)
    ),
    "dtype unknown": _safe({"a": _entry(dtype="F8_E4M3")}, bytes(4)),
    "dtype is a list": _safe({"a": _entry(dtype=["F32"])}, bytes(4)),
    "entry is a list": _safe({"a": [1]}, bytes(4)),
    "header is a list": _safe(b"{" + b"[" * 9 + b"}", bytes(4)),
    "header nested 10^6": lambda: _safe(b'{"a":' + b"[" * 10**6 + b"]" * 10**6 + b"}"),
    "names twice": _safe(b'{"a":1,"a":2}'),
    "200000 names, the last twice": lambda: _safe(
        b"{" + b",".join(b'"%d":0' % i for i in [*range(200_000), 199_999]) + b"}"
    ),
    "NaN": _safe(b'{"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,Infinity]}}', bytes(4)),
    "no UTF-8": _safe(b'{"\xff":1}'),
    "lone surrogate": _safe(b'{"\\ud800":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', bytes(4)),
    "name of 50 MB": lambda: _safe(b'{"' + b"a" * 50_000_000 + b'":0}'),
    "metadata is a number": _safe({"__metadata__": 5, "a": _entry()}, bytes(4)),
}

# symbol-json


def _graph(nodes: list[object], heads: object = None, **fields: object) -> bytes:
    variables = [i for i, n in enumerate(nodes) if isinstance(n, dict) and n.get("op") == "null"]
    graph: dict[str, object] = {"nodes": nodes, "arg_nodes": variables}
    graph["heads"] = [[len(nodes) - 1, 0, 0]] if heads is None else heads
    graph["attrs"] = {"mxnet_version": ["int", 10901]}
    return json.dumps({**graph, **fields}).encode()


def _node(op: str = "null", name: str = "x", inputs: object = (), **fields: object) -> dict[str, object]:
    return {"op": op, "name": name, "inputs": inputs, **fields}


_X = _node()


def _with_attrs(op: str, inputs: int = 1, heads: object = None, **attrs: str) -> bytes:
    variables: list[object] = [_node(name=f"x{i}") for i in range(inputs)]
    return _graph([*variables, _node(op, "y", [[i, 0, 0] for i in range(inputs)], attrs=attrs)], heads)


def _chain(count: int, reads: int = 1) -> bytes:
    op = "relu" if reads == 1 else "elemwise_add"
    return _graph([_X, *(_node(op, f"n{i}", [[i, 0, 0]] * reads) for i in range(count))])


def _nested(depth: int) -> bytes:
    graph: dict[str, object] = {"nodes": [_X], "arg_nodes": [0], "heads": [[0, 0, 0]]}
    for _ in range(depth):
        node = _node("_foreach", "l", [[0, 0, 0]], subgraphs=[graph])
        graph = {"nodes": [_X, node], "arg_nodes": [0], "heads": [[1, 0, 0]]}
    return json.dumps(graph).encode()


SYMBOL: dict[str, bytes | Callable[[], bytes]] = {
    "nested 10^6": lambda: b"[" * 10**6,
    "objects nested 10^6": lambda: b'{"a":' * 10**6,
    "nested 10^6 in an attribute": lambda: (
        b'{"nodes":[],"heads":[],"arg_nodes":[],"attrs":' + b"[" * 10**6 + b"]" * 10**6 + b"}"
    ),
    "NaN": b'{"nodes":NaN}',
    "Infinity": b'{"nodes":[],"arg_nodes":[],"heads":[[Infinity,0,0]]}',
    "1e999": b'{"nodes":[],"arg_nodes":[1e999],"heads":[]}',
    "integer of 10^5 digits": b'{"nodes":[],"arg_nodes":[' + b"9" * 10**5 + b'],"heads":[]}',
    "integer of 10^7 digits": lambda: b'{"nodes":[],"arg_nodes":[' + b"9" * 10**7 + b'],"heads":[]}',
    "10^4 integers of 4000 digits": lambda: (
        b'{"nodes":[],"arg_nodes":[' + b",".join([b"9" * 4000] * 10**4) + b'],"heads":[]}'
    ),
    "200000 names, the last twice": lambda: b"{" + b",".join(b'"%d":0' % i for i in [*range(200_000), 199_999]) + b"}",
    "lone surrogate": _graph([_node(name="\ud800")]).replace(b"\xed", b"\\u"),
    "lone surrogate in an attribute": _graph([_node(attrs={"a": "\udfff"})]),
    "name with NUL": _graph([_node(name="a\0b")]),
    "name of 20 MB": lambda: _graph([_node(name="a" * 20_000_000)]),
    "no nodes": _graph([], []),
    "no heads": _graph([_X], []),
    "head out of range": _graph([_X], [[1, 0, 0]]),
    "head negative": _graph([_X], [[-1, 0, 0]]),
    "head of 2^64": _graph([_X], [[1 << 64, 0, 0]]),
    "head of output 2^31": _graph([_X], [[0, 1 << 31, 0]]),
    "head is a boolean": _graph([_X], [[False, 0, 0]]),
    "heads is an object": _graph([_X], {"0": 0}),
    "10^5 heads": lambda: _graph([_X], [[0, 0, 0]] * 10**5),
    "reads itself": _graph([_node("relu", "r", [[0, 0, 0]])]),
    "cycle": _graph([_node("relu", "r", [[1, 0, 0]]), _node("relu", "s", [[0, 0, 0]])]),
    "control dependency on itself": _graph([_X, _node("relu", "r", [[0, 0, 0]], control_deps=[1])]),
    "arg_nodes out of range": _graph([_X], arg_nodes=[5]),
    "arg_nodes negative": _graph([_X], arg_nodes=[-1]),
    "arg_nodes of an operator": _graph([_X, _node("relu", "r", [[0, 0, 0]])], arg_nodes=[1]),
    "node_row_ptr descending": _graph([_X], node_row_ptr=[9, 1]),
    "node_row_ptr 2^40": _graph([_X], node_row_ptr=[0, 1 << 40]),
    "node_row_ptr negative": _graph([_X], node_row_ptr=[0, -1]),
    "old graph, node_row_ptr lies": _graph([_X], node_row_ptr=[7, 3], attrs={}),
    "version is a text": _graph([_X], attrs={"mxnet_version": ["int", "1"]}),
    "version negative": _graph([_X], attrs={"mxnet_version": ["int", -5]}),
    "chain of 20000": lambda: _chain(20_000),
    "2^1000 paths": _chain(1000, 2),
    "subgraphs nested 31": lambda: _nested(31),
    "subgraphs nested 200": lambda: _nested(200),
    "subgraph of an operator without any": _graph(
        [_X, _node("relu", "r", [[0, 0, 0]], subgraphs=[{"nodes": [_X], "heads": [[0, 0, 0]], "arg_nodes": [0]}])]
    ),
    "10^5 inputs": lambda: _graph([_X, _node("Concat", "c", [[0, 0, 0]] * 10**5, attrs={"num_args": "100000"})]),
    "num_args 10^9": _with_attrs("Concat", 2, num_args="1000000000"),
    "old num_args 10^9": _graph([_X, _node("Concat", "c", [[0, 0, 0]], attrs={"num_args": "1000000000"})], attrs={}),
    "old num_args is a word": _graph([_X, _node("Concat", "c", [[0, 0, 0]], attrs={"num_args": "True"})], attrs={}),
    "old num_args is a list": _graph([_X, _node("add_n", "c", [[0, 0, 0]], attrs={"num_args": "[1]"})], attrs={}),
    "old attributes of Custom": _graph([_X, _node("Custom", "c", [[0, 0, 0]], attrs={"op_type": "nothing"})], attrs={}),
    "Custom without a type": _with_attrs("Custom"),
    "op is _onnx.Nothing": _with_attrs("_onnx.Nothing"),
    "op is a path": _with_attrs("../../etc/passwd"),
    "op is _onnx.Constant with a bomb": _with_attrs(
        "_onnx.Constant", 0, value='{"dtype":"float32","shape":[1000000000000],"bytes":""}'
    ),
    "op is _onnx.Constant of no value": _with_attrs("_onnx.Constant", 0, value="[" * 10_000),
    "op is _onnx.Split of 10^9 outputs": _with_attrs("_onnx.Split", _outputs="1000000000", _present='"1"'),
    "op is _onnx.If without branches": _with_attrs("_onnx.If", _present='"1"'),
    "op is _onnx.If that reads input 9": _with_attrs("_onnx.If", _present='"1"', _wiring="[[[9],1],[[9],1]]"),
    "op is _onnx.If of odd wiring": _with_attrs("_onnx.If", _present='"1"', _wiring='[[["a"],1],[[9],1e9]]'),
    "_onnx types are odd": _with_attrs("_onnx.Relu", _present='"1"', _types="[[[],{}]]"),
    "_onnx types of rank 10^9": _with_attrs("_onnx.Relu", _present='"1"', _types='[["float32",1000000000]]'),
    **{
        f"{op} {key}={value[:24]}": _with_attrs(op, inputs, **{key: value})
        for op, key, inputs in [
            ("Reshape", "shape", 1),
            ("transpose", "axes", 1),
            ("Pooling", "kernel", 1),
            ("_zeros", "shape", 0),
            ("tile", "reps", 1),
            ("SliceChannel", "num_outputs", 1),
            ("Dropout", "p", 1),
            ("Cast", "dtype", 1),
            ("softmax", "axis", 1),
            ("clip", "a_min", 1),
        ]
        for value in [
            "__import__('os').system('true')",
            "1e400",
            "inf",
            "nan",
            "-1",
            "9" * 5000,
            "(" * 10_000,
            "(1,)*1000000000",
            "None",
            "",
            "(1e12,)",
            "9223372036854775808",
            "[[1],[2]]",
            "True",
            "\0",
            "1_000",
            "\uff11",
            "O",
        ]
    },
    "attribute of 10^6 brackets": lambda: _with_attrs("Reshape", shape="(" * 10**6 + ")" * 10**6),
    "attribute of 10^6 sizes": lambda: _with_attrs("Reshape", shape="(" + "1," * 10**6 + ")"),
    **{
        f"outputs of {op} {i}": _with_attrs(op, inputs, **attrs)
        for i, (op, inputs, attrs) in enumerate(
            [
                ("SliceChannel", 1, {"num_outputs": "1000000000"}),
                ("SliceChannel", 1, {"num_outputs": "-1"}),
                ("_split_v2", 1, {"indices": "(1,)", "sections": "1000000000"}),
                ("amp_multicast", 1, {"num_outputs": "1000000000"}),
                ("multi_sgd_update", 2, {"num_weights": "1000000000", "lrs": "(1,)", "wds": "(1,)"}),
                ("multi_sgd_mom_update", 3, {"num_weights": "-5", "lrs": "(1,)", "wds": "(1,)"}),
                ("multi_sum_sq", 1, {"num_arrays": "1000000000"}),
                ("multi_all_finite", 1, {"num_arrays": "1000000000"}),
                ("reset_arrays", 1, {"num_arrays": "1000000000"}),
                ("_foreach", 1, {"num_args": "1000000000", "num_outputs": "1000000000", "num_out_data": "1000000000"}),
                ("_while_loop", 1, {"num_args": "1", "num_outputs": "1000000000", "max_iterations": "1000000000"}),
                ("_contrib_group_adagrad_update", 3, {"lr": "1"}),
                ("RNN", 3, {"state_size": "1000000000", "num_layers": "1000000000", "mode": "lstm"}),
                ("UpSampling", 1, {"num_args": "1000000000", "scale": "2", "sample_type": "nearest"}),
                ("Crop", 1, {"num_args": "1000000000"}),
                ("stack", 1, {"num_args": "1000000000"}),
                ("_contrib_interleaved_matmul_selfatt_qk", 1, {"heads": "1000000000"}),
                ("topk", 1, {"k": "1000000000", "ret_typ": "both"}),
                ("khatri_rao", 1, {"num_args": "1000000000"}),
            ]
        )
    },
    **{
        f"variable {key}={value[:24]}": _graph([_node(attrs={key: value}), _node("relu", "r", [[0, 0, 0]])])
        for key, values in {
            "__shape__": ["(1e12,)", "(-1,)", "9" * 5000, "(", "(1099511627776,1099511627776)", "abc", "None"],
            "__dtype__": ["99", "-1", "O", "9" * 5000, "float32", "1e9"],
            "__storage_type__": ["99", "-7", "x"],
            "__init__": [
                "[" * 10_000,
                '["nothing", {}]',
                "5",
                '["zero", 5]',
                '{"args": 1}',
                '["load", {"param": "/etc/passwd"}]',
            ],
            "__lr_mult__": ["inf", "x", "9" * 5000],
            "__ctx_group__": ["x" * 1000],
        }.items()
        for value in values
    },
}

# Trainer states

_STATE = b'{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'


def _states(content: object, arrays: bytes = b"", values: bytes = b"") -> bytes:
    text = content if isinstance(content, str) else json.dumps(content)
    header = b'{"__metadata__":' + json.dumps({"gluonnx": text}).encode() + arrays + b"}"
    return struct.pack("<Q", len(header)) + header + values


def _described(states: object = (), **fields: object) -> dict[str, object]:
    return {"version": 1, "states": states, "optimizer": None, **fields}


def _optimizer(**fields: object) -> dict[str, object]:
    given = {"name": "Adam", "attributes": {}, "counts": [], "scheduler": None, **fields}
    return _described(optimizer=given)


STATES: dict[str, bytes | Callable[[], bytes]] = {
    "pickle": b"\x80\x04cos\nsystem\n(S'true'\ntR.",
    "pickle of protocol 0": b"cos\nsystem\n(S'true'\ntR.",
    "pickle of protocol 1": b"}q\x00(K\x00Nu.",
    "pickle of 100 MB": lambda: b"\x80\x02" + bytes(100_000_000),
    "states nested 900": _states(json.dumps(_described()).replace("[]", "[[0," + "[" * 900 + "]" * 900 + "]]")),
    "states nested 10^5": lambda: _states(
        json.dumps(_described()).replace("[]", "[[0," + "[" * 10**5 + "]" * 10**5 + "]]")
    ),
    "index is a list": _states(_described([[[1], None]])),
    "index is a float": _states(_described([[1.5, None]])),
    "index of 4000 digits": _states(_described([[int("9" * 4000), None]])),
    "array missing": _states(_described([[0, "0"]])),
    "state is a number": _states(_described([[0, 5]])),
    "version 2": _states(_described(version=2)),
    "version is a list": _states(_described(version=[1])),
    "content is a list": _states([1]),
    "content is NaN": _states("NaN"),
    "counts are numbers": _states(_optimizer(counts=[1, 2])),
    "counts are infinite": _states(json.dumps(_optimizer(counts=[[0, [[0, 7]]]])).replace("7", "1e999")),
    "counts of an object": _states(_optimizer(counts=[[0, [[{}, 1]]]])),
    "counts for a device of 1e999": _states(json.dumps(_optimizer(counts=[[77, []]])).replace("77", "1e999")),
    "optimizer unknown": _states(_optimizer(name="os.system")),
    "optimizer name is a list": _states(_optimizer(name=["Adam"])),
    "attribute unknown": _states(_optimizer(attributes={"__class__": "x"})),
    "attribute is a method": _states(_optimizer(attributes={"update": 1})),
    "attribute is a list": _states(_optimizer(attributes={"lr": [[1]]})),
    "attribute of the wrong type": _states(_optimizer(attributes={"lr": "much"})),
    "attribute is null": _states(_optimizer(attributes={"beta1": None})),
    "attribute nested 900": _states(json.dumps(_optimizer(attributes={"lr": 7})).replace("7", "[" * 900 + "]" * 900)),
    "scheduler unknown": _states(_optimizer(scheduler={"name": "os", "attributes": {}})),
    "scheduler is a list": _states(_optimizer(scheduler=[1])),
    "scheduler of odd name": _states(_optimizer(scheduler={"name": [1], "attributes": {}})),
    "scheduler of odd attributes": _states(
        _optimizer(scheduler={"name": "FactorScheduler", "attributes": {"step": "x", "factor": []}})
    ),
    "array of an unknown dtype": _states(
        _described([[0, "0"]]), b',"0":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}', bytes(4)
    ),
    "array of complex numbers": _states(
        _described([[0, "0"]]), b',"0":{"dtype":"C64","shape":[1],"data_offsets":[0,8]}', bytes(8)
    ),
    "array of 2^40": _states(
        _described([[0, "0"]]), b',"0":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4]}', bytes(4)
    ),
    "header of 2^63": struct.pack("<Q", 1 << 63) + b"{}",
    "header nested 10^6": lambda: _safe(b'{"__metadata__":' + b"[" * 10**6 + b"]" * 10**6 + b"}"),
}

# RecordIO


def _part(kind: int, data: bytes, length: int | None = None, magic: int = 0xCED7230A) -> bytes:
    size = len(data) if length is None else length
    return struct.pack("<II", magic, kind << 29 | size) + data + bytes(-len(data) % 4)


RECORDS: dict[str, bytes | Callable[[], bytes]] = {
    "length 2^29-1": _part(0, b"abcd", (1 << 29) - 1),
    "kind 7": _part(7, b"abcd"),
    "middle first": _part(2, b"abcd"),
    "never ends": _part(1, b"abcd") + _part(2, b"abcd") * 10,
    "10^6 empty parts": lambda: _part(1, b"") + _part(2, b"") * 10**6 + _part(3, b""),
    "other magic": _part(0, b"abcd", magic=1),
    "header cut": _part(0, b"abcd")[:6],
    "padding missing": _part(0, b"abcde")[:-1],
    "image record of 2^32 labels": _part(0, struct.pack("<IfQQ", (1 << 32) - 1, 0, 0, 0)),
    "image record too short": _part(0, b"ab"),
    "image record of no image": _part(0, struct.pack("<IfQQ", 0, 0, 0, 0)),
    "image record of a broken image": _part(0, struct.pack("<IfQQ", 0, 0, 0, 0) + b"\xff\xd8\xff" + bytes(100)),
    "image record of a PNG of 2^31 pixels": lambda: _part(
        0,
        struct.pack("<IfQQ", 0, 0, 0, 0)
        + b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + b"IHDR"
        + struct.pack(">IIBBBBBI", 1 << 31, 1 << 31, 8, 2, 0, 0, 0, 0),
    ),
}
INDICES: dict[str, bytes | Callable[[], bytes]] = {
    "no UTF-8": b"0\t0\n\xff\xfe\t8\n",
    "position negative": b"0\t-5\n",
    "position of 2^70": b"0\t1180591620717411303424\n",
    "position of 10^5 digits": b"0\t" + b"9" * 10**5 + b"\n",
    "position behind the end": b"0\t1000000\n",
    "position in a record": b"0\t3\n",
    "position is a word": b"0\tx\n",
    "no tab": b"0 0\n",
    "keys twice": b"0\t0\n0\t0\n",
    "a line of 50 MB": lambda: b"0" * 50_000_000,
    "empty lines": b"\n\n\n",
    "NUL": b"\0\t\0\n",
}


def index_case(data: bytes | Callable[[], bytes]) -> Case:
    def write(folder: Path) -> Path:
        (folder / "x.rec").write_bytes(_part(0, b"abcd"))
        (folder / "x.idx").write_bytes(data if isinstance(data, bytes) else data())
        return folder / "x.rec"

    return write
