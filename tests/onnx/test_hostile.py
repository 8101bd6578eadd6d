"""ONNX files that were made to do harm are refused with the cause, or read; never anything else."""

import json
import tracemalloc
from pathlib import Path

import hostile_onnx
import numpy as np
import onnx
import pytest
from gluonnx_cli.errors import CommandError
from gluonnx_cli.model_info import read_model_info
from gluonnx_cli.npy import read_array
from isolation import attempt
from onnx import TensorProto

import gluonnx as mx
from gluonnx.errors import EditedModelError, ExportError, FileAccessError, FormatError, InputError, MXNetError
from gluonnx.gluon import SymbolBlock
from gluonnx.onnx import export_model, verify
from gluonnx.onnx.convert import read_graph
from gluonnx.onnx.metadata import DIGEST_KEY, _digest
from gluonnx.onnx.reading import _read_external

LIMIT_BYTES = 48 << 20  # the first use of some meta kernels loads 35 MB of torch


def is_small(model):
    return isinstance(model, bytes) or (not callable(model) and model.ByteSize() < 10_000)


def test_every_small_hostile_model_is_read_or_refused(tmp_path):
    """The large ones are read by tests/bench/fuzz_files.py."""
    small = {label: model for label, model in hostile_onnx.ONNX.items() if is_small(model)}
    assert len(small) > 250
    for label, model in small.items():
        path = hostile_onnx.onnx_case(model)(tmp_path)
        message, peak_bytes = attempt(lambda path=path: SymbolBlock.imports(path), MXNetError, label)
        assert len(message) < 3000, label
        assert peak_bytes < LIMIT_BYTES, label


def test_every_hostile_model_is_described(tmp_path):
    for label, model in hostile_onnx.ONNX.items():
        if is_small(model):
            path = hostile_onnx.onnx_case(model)(tmp_path)
            attempt(lambda path=path: read_model_info(path), CommandError, label)


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("function calls itself", "function `f` calls itself: expected functions without recursion"),
        (
            "functions call each other",
            "function `.` calls itself: expected functions without recursion, got a call of it",
        ),
        (
            "functions that double 40 times",
            r"functions call too much: expected at most 262144 nodes .*, got \d+ nodes",
        ),
        ("functions of 10 calls, 9 deep", r"functions call too much: .*, got \d{10} nodes and \d+ bytes"),
        ("Split by 10^9", "Split `y0`: expected num_outputs=1, as many as it has, got num_outputs=1000000000"),
        ("Split by -1", "Split `y0`: expected num_outputs=1, as many as it has, got num_outputs=-1"),
        (
            "sparse of 2^30 elements",
            "sparse initializer `w`: damaged: expected ascending indices within the shape, got",
        ),
        ("sparse of 2^62 elements", "sparse initializer `w`: damaged: .*18446744073709551616 bytes for 1 values"),
        ("sparse index negative", "sparse initializer `w`: damaged: .* got index -1"),
        ("sparse indices unsorted", "sparse initializer `w`: damaged: .* got indices out of order, or one twice"),
        ("sparse indices twice", "sparse initializer `w`: damaged: .* got indices out of order, or one twice"),
        ("sparse index of rank 3", r"sparse initializer `w`: damaged: .* at indices of shape \(1, 1, 1\)"),
        ("GroupNormalization 0 groups, old", "not valid ONNX|damaged: expected nodes in the form of their opset"),
    ],
)
def test_a_hostile_model_is_refused(label, message, tmp_path):
    path = hostile_onnx.onnx_case(hostile_onnx.ONNX[label])(tmp_path)
    with pytest.raises(FormatError, match=message):
        SymbolBlock.imports(path)


def test_functions_chained_too_deeply(tmp_path):
    path = hostile_onnx.onnx_case(hostile_onnx._laughs(100, 1))(tmp_path)
    with pytest.raises(FormatError, match="functions call functions too deeply: expected at most 64 in each other"):
        SymbolBlock.imports(path)


def test_functions_that_double_are_put_where_they_are_called(tmp_path):
    path = hostile_onnx.onnx_case(hostile_onnx._laughs(4, 2))(tmp_path)
    block = SymbolBlock.imports(path)
    assert json.loads(block._graph.tojson())["nodes"][-1]["op"] == "relu"
    assert len(json.loads(block._graph.tojson())["nodes"]) == 1 + 2**4


def test_many_sparse_arrays_are_one_large_one(tmp_path):
    path = hostile_onnx.onnx_case(hostile_onnx._many_sparse(3, 8_000_000))(tmp_path)
    with pytest.raises(
        FormatError, match=r"sparse initializer `w2`: damaged: .*32000000 bytes for 1 values, beyond 671"
    ):
        SymbolBlock.imports(path)


def test_names_that_are_the_same_are_numbered_in_one_pass(tmp_path):
    path = hostile_onnx.onnx_case(hostile_onnx._nested_ifs(5))(tmp_path)
    names = [n["name"] for n in json.loads(SymbolBlock.imports(path)._graph.tojson())["nodes"]]
    assert names == ["c", "x", "y"]


@pytest.mark.parametrize(
    ("label", "kind", "message"),
    [
        ("hard link outside", FormatError, "more than one hard link: .* got l.data with links=2. Copy the file"),
        ("symbolic link outside", FormatError, "data outside of the model's folder: .* got location='l.data'"),
        ("symbolic link to a folder", FormatError, "data outside of the model's folder"),
        ("symbolic link to itself", FormatError, "external data: expected a file in .*, got Symlink loop"),
        ("pipe", FileAccessError, r"p\.data: cannot be read: expected a file, got a device, pipe or socket"),
        ("pipe in a nested graph", FileAccessError, r"p\.data: cannot be read: expected a file, got a device, pipe or"),
        ("link to /dev/zero", FormatError, "data outside of the model's folder"),
        ("offset negative", FormatError, "expected offset as a number of bytes, got offset='-24'"),
        ("offset with underscores", FormatError, "expected offset as a number of bytes, got offset='0_0'"),
        ("offset of other digits", FormatError, "expected offset as a number of bytes, got offset="),
        ("length negative", FormatError, "expected length as a number of bytes, got length='-24'"),
        ("location twice", FormatError, "external data is damaged: expected each key once, got one twice"),
        ("location with NUL", FormatError, "data outside of the model's folder"),
        ("location absolute", FormatError, "data outside of the model's folder"),
        ("location ../", FormatError, r"data outside of the model's folder: .* got location='\.\./"),
        ("missing", FileAccessError, "nothing: cannot be read: the system says `No such file .*Keep it beside m.onnx"),
    ],
)
def test_external_data_that_is_refused(label, kind, message, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    with pytest.raises(kind, match=message):
        SymbolBlock.imports(hostile_onnx.EXTERNAL[label](folder))


def test_external_data_that_overlaps(tmp_path):
    path = hostile_onnx._write_external(tmp_path, hostile_onnx._many_external(100), bytes(10**6))
    with pytest.raises(
        FormatError, match="external data overlaps: expected at most 83108864 bytes of tensors in files of"
    ):
        SymbolBlock.imports(path)


def test_a_tensor_outside_of_the_model_has_the_shape_that_is_told(tmp_path):
    (tmp_path / "w.data").write_bytes(bytes(24))
    for dims in ((5,), (1 << 32, (1 << 32) + 6), [1] * 99 + [6], (-2, -3), [1 << 62] * 1000):
        with pytest.raises(FormatError, match="external data does not fit: expected"):
            _read_external(tmp_path / "m.onnx", hostile_onnx._external("w.data", dims))
    assert _read_external(tmp_path / "m.onnx", hostile_onnx._external("w.data", (2, 3))).shape == (2, 3)


@pytest.mark.parametrize("label", ["sound", "sound, with offset and length", "symbolic link inside", "overlapping"])
def test_external_data_that_is_read(label, tmp_path):
    block = SymbolBlock.imports(hostile_onnx.EXTERNAL[label](tmp_path))
    np.testing.assert_array_equal(block(mx.nd.ones((2, 3))).asnumpy(), np.ones((2, 3), np.float32))


def test_operators_that_divide_by_zero_say_which(tmp_path):
    block = SymbolBlock.imports(hostile_onnx.onnx_case(hostile_onnx.ONNX["MaxPool strides=[0, 0]"])(tmp_path))
    with pytest.raises(InputError, match=r"MaxPool|Pooling.* `y0`: does not take inputs of shapes"):
        block(mx.nd.ones((1, 2, 4, 4)))


def test_a_split_that_gives_fewer_parts_than_the_node_has(tmp_path):
    model = hostile_onnx._fed("Split", {1: [2]}, 2)
    model.graph.node[0].output.append("z")
    model.graph.output.append(hostile_onnx._info("z", None))
    block = SymbolBlock.imports(hostile_onnx.onnx_case(model)(tmp_path))
    with pytest.raises(InputError, match="gives 1 outputs where the node has 2"):
        block(mx.nd.ones((2, 3)))


class TestForged:
    """Whoever makes the digests new may write anything into the metadata."""

    @pytest.fixture
    def path(self, tmp_path):
        graph = mx.sym.softmax(mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=2, name="fc"), name="out")
        params = {"fc_weight": mx.nd.array([[1, 2, 3], [4, 5, 6]]), "fc_bias": mx.nd.ones((2,))}
        export_model(graph, params, [(2, 3)], onnx_file_path=tmp_path / "x.onnx", dynamic=True)
        assert verify(tmp_path / "x.onnx").version
        return tmp_path / "x.onnx"

    def change(self, path, **texts):
        """Put texts into the metadata, and digests that agree."""
        model = onnx.load(path)
        metadata = {p.key: p.value for p in model.metadata_props}
        for key, change in texts.items():
            metadata[f"gluonnx.{key}"] = change(metadata[f"gluonnx.{key}"])
        del metadata[DIGEST_KEY]
        metadata[DIGEST_KEY] = _digest(model, model.graph.initializer, metadata)
        onnx.helper.set_model_props(model, metadata)
        onnx.save(model, path)

    def test_another_graph(self, path):
        self.change(path, symbol=lambda text: text.replace('"softmax"', '"log_softmax"'))
        with pytest.raises(
            EditedModelError, match=r"the proof fails: output .*the Gluon graph in its metadata does not"
        ):
            verify(path)

    def test_a_graph_of_other_outputs(self, path):
        self.change(path, symbol=lambda text: text.replace('"heads": [[', '"heads": [[0, 0, 0], ['))
        with pytest.raises(FormatError, match=r"the Gluon graph in the metadata cannot be run: .*2 outputs where"):
            verify(path)

    def test_another_proof(self, path):
        def change(text):
            record = json.loads(text)
            record["outputs"][0]["values"][0] += 1000
            return json.dumps(record)

        self.change(path, proof=change)
        with pytest.raises(ExportError, match="the proof fails: output `out_output`: expected"):
            verify(path)

    @pytest.mark.parametrize(
        ("key", "text", "message"),
        [
            ("inputs", '["nothing"]', r"metadata is damaged: .* inputs \['nothing'\]"),
            ("inputs", "[1.5]", r"metadata is damaged: .* inputs \[1\.5\]"),
            ("inputs", "[" * 5000, "metadata is damaged: .*RecursionError"),
            (
                "parameters",
                '{"a": {"dtype": "float32", "shape": [1099511627776], "values": ""}}',
                "metadata is damaged",
            ),
            ("proof", "[]", "proof in the model is damaged: expected a record"),
            ("proof", "[" * 5000, "proof in the model is damaged: .*RecursionError"),
        ],
    )
    def test_metadata_that_is_none(self, path, key, text, message):
        self.change(path, **{key: lambda _: text})
        with pytest.raises(FormatError, match=message):
            verify(path)

    def test_a_proof_that_asks_for_all_memory(self, path):
        def change(text):
            record = json.loads(text)
            record["inputs"][0]["shape"] = [2, 1 << 40]
            return json.dumps(record)

        self.change(path, proof=change)
        with pytest.raises(FormatError, match=r"proof in the model is damaged: .*inputs of more than 1073741824 bytes"):
            verify(path)


class TestInfo:
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda m: setattr(m, "producer_name", "evil"), "names that are no UTF-8 text"),
            (
                lambda m: m.graph.initializer.append(TensorProto(data_type=1, dims=[1 << 40] * 1000)),
                "whose shape is damaged",
            ),
            (lambda m: m.graph.initializer.append(TensorProto(data_type=1, dims=[-5])), "whose shape is damaged"),
        ],
    )
    def test_what_is_no_model(self, change, message, tmp_path):
        model = hostile_onnx._onnx()
        change(model)
        data = model.SerializeToString().replace(b"evil", b"\xff\xfe\xfd\xfc")
        (tmp_path / "x.onnx").write_bytes(data)
        with pytest.raises(CommandError, match=message):
            read_model_info(tmp_path / "x.onnx")

    def test_a_type_that_onnx_does_not_have(self, tmp_path):
        path = hostile_onnx.onnx_case(hostile_onnx.ONNX["input of type 99"])(tmp_path)
        assert read_model_info(path).inputs[0].dtype == "type 99"

    def test_a_device(self):
        with pytest.raises(CommandError, match=r"/dev/zero: not an ONNX model: expected an .onnx file, got a device"):
            read_model_info(Path("/dev/zero"))


def test_an_array_of_the_command_line_is_no_larger_than_its_file(tmp_path):
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,), }"
    header += b" " * (118 - len(header) - 1) + b"\n"
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    with pytest.raises(CommandError, match="0 bytes of data where shape"):
        read_array(tmp_path / "x.npy")


@pytest.mark.parametrize(
    ("op", "values", "attrs", "shape"),
    [
        ("Pad", {0: [1, 2], 1: [10**12, 10**12]}, {"mode": "reflect"}, (2 * 10**12 + 2,)),
        ("Pad", {0: [1, 2], 1: [10**12, 0]}, {}, (10**12 + 2,)),
        ("Range", {0: 0, 1: 10**12, 2: 1}, {}, (10**12,)),
        ("ConstantOfShape", {0: [10**12]}, {}, (10**12,)),
        ("Tile", {0: [1], 1: [10**12]}, {}, (10**12,)),
    ],
)
def test_shapes_are_inferred_without_making_the_array(op, values, attrs, shape, tmp_path):
    model = hostile_onnx._fed(op, values, len(values), 20, (1,), **attrs)
    graph = read_graph(hostile_onnx.onnx_case(model)(tmp_path)).symbol
    assert graph.infer_shape()[1] == [shape]


def test_a_flatten_of_an_axis_that_is_not_there(tmp_path):
    graph = read_graph(hostile_onnx.onnx_case(hostile_onnx._one("Flatten", axis=10**9))(tmp_path)).symbol
    assert json.loads(graph.tojson())["nodes"][-1]["op"] == "_onnx.Flatten"


def test_elements_of_a_long_vector_are_not_followed(tmp_path):
    model = hostile_onnx._fed("Add", {1: np.float32([1])}, 2, 20, (1 << 40,))
    tracemalloc.start()
    try:
        assert read_graph(hostile_onnx.onnx_case(model)(tmp_path)).input_names == ("x0",)
        assert tracemalloc.get_traced_memory()[1] < LIMIT_BYTES
    finally:
        tracemalloc.stop()
