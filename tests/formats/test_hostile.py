"""Files that were made to do harm are refused with the place and the cause, or read; never anything else."""

import json
import os
import struct
import threading

import hostile_files
import numpy as np
import pytest
from isolation import attempt

import gluonnx as mx
from gluonnx import recordio
from gluonnx.errors import FileAccessError, FormatError, MXNetError
from gluonnx.formats import parse_symbol_json, read_params, read_safetensors
from gluonnx.gluon import nn

LIMIT_BYTES = 32 << 20


def load_states(path):
    net = nn.Dense(1, in_units=2)
    net.initialize()
    mx.gluon.Trainer(net.collect_params(), "adam").load_states(str(path))


def read_records(path):
    with recordio.MXRecordIO(str(path), "r") as file:
        while (record := file.read()) is not None:
            recordio.unpack(record)


def read_index(path):
    with recordio.MXIndexedRecordIO(str(path.with_suffix(".idx")), str(path), "r") as file:
        for key in file.keys:
            file.read_idx(key)


def read_symbol(path):
    graph = mx.sym.load(str(path))
    graph.list_arguments()
    graph.tojson()


def load_arrays(path):
    mx.nd.load(str(path))


KINDS = {
    "params": ("x.params", hostile_files.PARAMS, load_arrays),
    "safetensors": ("x.safetensors", hostile_files.SAFETENSORS, load_arrays),
    "symbol": ("x-symbol.json", hostile_files.SYMBOL, read_symbol),
    "states": ("x.states", hostile_files.STATES, load_states),
    "records": ("x.rec", hostile_files.RECORDS, read_records),
    "index": ("x.rec", hostile_files.INDICES, read_index),
}


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_small_hostile_file_is_read_or_refused(kind, tmp_path):
    """The large ones are read by tests/bench/fuzz_files.py."""
    name, cases, read = KINDS[kind]
    small = {label: data for label, data in cases.items() if isinstance(data, bytes)}
    assert len(small) > 8
    for number, (label, data) in enumerate(small.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        path = (hostile_files.index_case if kind == "index" else lambda d: hostile_files.bytes_case(name, d))(data)(
            folder
        )
        message, peak_bytes = attempt(lambda path=path: read(path), MXNetError, label)
        assert len(message) < 2000, label
        assert peak_bytes < LIMIT_BYTES, label


def written(tmp_path, kind, label):
    name, cases, _ = KINDS[kind]
    data = cases[label]
    return (hostile_files.index_case if kind == "index" else lambda d: hostile_files.bytes_case(name, d))(data)(
        tmp_path
    )


@pytest.mark.parametrize(
    ("kind", "label", "message"),
    [
        ("params", "rank 10^9", r"x\.params: array 0 of 1: expected a rank of 0 to 32, got rank=1000000000 at 0x20"),
        ("params", "shape 2^63", r"expected a shape of fewer than 2\*\*62 bytes, got shape=\(9223372036854775807,\)"),
        ("params", "csr rows descending", "expected row starts ascending from 0 to 2, got 0..1"),
        ("params", "row_sparse unsorted", "expected ascending indices, got some out of order"),
        ("safetensors", "header of 2^63", "header: expected at most .* bytes at 0x8, got 9223372036854775808"),
        ("safetensors", "overlap", "array `b`: expected its values at 0x.*, got 0x"),
        ("symbol", "_onnx types are odd", "wrong inputs or outputs: expected what the import writes"),
        (
            "symbol",
            "reads itself",
            r"nodes\[0\]\.inputs\[0\]: expected the id of an earlier node, of which there is none",
        ),
        ("states", "pickle", "a pickled states file of MXNet"),
        ("states", "states nested 900", "states nested too deeply: expected at most 32 lists in each other"),
        (
            "states",
            "counts are infinite",
            "expected counts as lists of pairs of numbers: cannot convert float infinity",
        ),
        ("states", "scheduler of odd name", r"learning-rate scheduler: expected none .*, got \[1\]"),
        ("states", "attribute of the wrong type", "setting of the wrong type: expected lr like 0.001, got lr='much'"),
        ("index", "no UTF-8", r"x\.idx: behind line \d: expected a text of keys and positions, got other bytes"),
        ("index", "position negative", r"key 0: expected a position in .*x\.rec, which has 12 bytes, got -5"),
        ("index", "position of 2^70", "got 1180591620717411303424. The index belongs to another file"),
        ("index", "position behind the end", "which has 12 bytes, got 1000000"),
    ],
)
def test_what_is_refused_says_why(kind, label, message, tmp_path):
    with pytest.raises((FormatError, MXNetError), match=message):
        KINDS[kind][2](written(tmp_path, kind, label))


@pytest.mark.parametrize(
    ("op", "attrs", "message"),
    [
        ("SliceChannel", {"num_outputs": "1000000000"}, "SliceChannel: attribute `num_outputs` is too large"),
        (
            "_split_v2",
            {"indices": "(1,)", "sections": "1000000000"},
            "attribute `sections` is too large: expected at most",
        ),
        ("amp_multicast", {"num_outputs": "1000000000"}, "amp_multicast: attribute `num_outputs` is too large"),
        ("multi_sgd_update", {"num_weights": "100000", "lrs": "(1,)", "wds": "(1,)"}, "got num_weights=100000"),
    ],
)
def test_a_number_of_outputs_that_no_graph_has(op, attrs, message):
    text = json.dumps(
        {
            "nodes": [
                {"op": "null", "name": "x", "inputs": []},
                {"op": op, "name": "y", "inputs": [[0, 0, 0]], "attrs": attrs},
            ],
            "arg_nodes": [0],
            "heads": [[1, 0, 0]],
            "attrs": {"mxnet_version": ["int", 10901]},
        }
    )
    with pytest.raises(FormatError, match=message):
        mx.sym.load_json(text)


def test_the_inputs_of_an_old_graph_are_not_made_up_by_the_billion():
    node = {"op": "Concat", "name": "c", "inputs": [[0, 0]], "attr": {"num_args": "1000000000"}}
    text = {"nodes": [{"op": "null", "name": "x", "inputs": []}, node], "arg_nodes": [0], "heads": [[1, 0]]}
    assert mx.sym.load_json(json.dumps(text)).list_arguments() == ["x"]


def test_a_long_value_is_told_in_part():
    with pytest.raises(MXNetError, match=r"got shape='\({200}'\.\.\.\.$"):
        mx.sym.Reshape(mx.sym.var("x"), shape="(" * 10**6)


def test_a_csr_matrix_without_values_takes_no_memory_for_its_rows(tmp_path):
    path = written(tmp_path, "params", "csr without rows, 2^40 rows told")
    found = mx.nd.load(str(path))["a"]
    assert (found.shape, found.stype) == ((1 << 40, 1), "csr")


def test_a_small_csr_matrix_without_values_is_one_of_zeros(tmp_path):
    (tmp_path / "x.params").write_bytes(hostile_files._params(hostile_files._csr((3, 2), [], [], 0)))
    (found,) = mx.nd.load(str(tmp_path / "x.params"))
    np.testing.assert_array_equal(found.asnumpy(), np.zeros((3, 2), np.float32))
    mx.nd.save(str(tmp_path / "y.params"), [found])
    np.testing.assert_array_equal(mx.nd.load(str(tmp_path / "y.params"))[0].asnumpy(), np.zeros((3, 2), np.float32))


class TestManyNames:
    """Which name comes twice is found in one pass: the square of 40,000 would be a minute."""

    NAMES = (*range(40_000), 39_999)

    def test_symbol_json(self):
        text = "{" + ",".join(f'"{i}":0' for i in self.NAMES) + "}"
        with pytest.raises(FormatError, match="expected every name of an object once, got `39999` twice"):
            parse_symbol_json(text, "x")

    def test_safetensors(self, tmp_path):
        header = ("{" + ",".join(f'"{i}":0' for i in self.NAMES) + "}").encode()
        (tmp_path / "x.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
        with pytest.raises(FormatError, match="a name twice: '39999'"):
            read_safetensors(tmp_path / "x.safetensors")

    def test_params(self, tmp_path):
        one = hostile_files._dense(hostile_files._shape(1), values=bytes(4))
        names = hostile_files._names(*(b"%d" % i for i in self.NAMES[-20_000:]))
        (tmp_path / "x.params").write_bytes(hostile_files._params(*[one] * 20_000, names=names))
        with pytest.raises(FormatError, match="expected every name once, got twice: 39999"):
            read_params(tmp_path / "x.params").as_dict()


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="no /dev/zero")  # noqa: PTH110 - before the test
@pytest.mark.parametrize("read", [mx.nd.load, mx.sym.load, load_states, read_safetensors])
def test_a_device_is_no_file(read):
    with pytest.raises(FileAccessError, match="/dev/zero: cannot be read: expected a file, got a device"):
        read("/dev/zero")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_pipe_of_something_else_is_not_read_to_its_end(tmp_path):
    os.mkfifo(tmp_path / "pipe")

    def write():
        with (tmp_path / "pipe").open("wb", buffering=0) as file:
            file.write(b"<html>" + bytes(1000))

    writer = threading.Thread(target=write)
    writer.start()
    with pytest.raises(FormatError, match="got an HTML or XML page"):
        read_params(tmp_path / "pipe")
    writer.join()


def test_an_image_record_without_an_image():
    pytest.importorskip("cv2")
    record = recordio.pack(recordio.IRHeader(0, 1, 2, 0), b"")
    with pytest.raises(
        FormatError, match=r"recordio\.unpack_img: image cannot be decoded: expected a picture, got 0 b"
    ):
        recordio.unpack_img(record)


def test_a_block_file_nested_deeply(tmp_path):
    net = nn.HybridSequential()
    net.add(nn.Dense(2, in_units=3))
    net.initialize()
    net.hybridize()
    net(mx.nd.ones((1, 3)))
    net.save(str(tmp_path / "net"))
    path = tmp_path / "net-model.json"
    described = json.loads(path.read_text())
    top = next(iter(described.values()))
    top["in_format"] = "HERE"
    path.write_text(json.dumps(described).replace('"HERE"', "[" * 800 + "]" * 800))
    with pytest.raises(FormatError, match="nested lists of integers, at most 32 deep"):
        net.load(str(tmp_path / "net"))
