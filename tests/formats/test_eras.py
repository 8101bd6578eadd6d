"""Files that MXNet 0.9.5 to 1.8.0 wrote: the arrays and graphs in them, and what they compute."""

import hashlib
import json

import ml_dtypes
import numpy as np
import pytest
from formats.eras import VERSIONS, load_era
from formats.golden import dtype_of, parts_of, stype_of

import gluonnx as mx
from gluonnx.errors import FormatError
from gluonnx.formats.params import read_params
from gluonnx.ndarray.files import serialize

NAMES = (
    *("attributes", "states", "outputs", "internals", "layers", "tensors", "contrib", "custom", "loops", "fused"),
    *("module", "feedforward", "bucket", "block"),
    *("convolutional-export", "embedded-export", "shared-export", "recurrent-export"),
)
SINCE = {
    "loops": "1.3.1",
    "block": "0.11.0",
    "convolutional-export": "0.12.1",
    "embedded-export": "0.12.1",
    "shared-export": "0.12.1",
    "recurrent-export": "1.3.1",
}
"""Of the others every version has a graph."""


def number(version):
    return tuple(map(int, version.split(".")))


@pytest.fixture(scope="module", params=VERSIONS)
def era(request):
    return load_era(request.param)


@pytest.fixture(scope="module")
def folder(era, tmp_path_factory):
    path = tmp_path_factory.mktemp("era")
    era.unpack(path)
    return path


@pytest.fixture(scope="module", autouse=True)
def doubled():
    """The operator that the graphs `custom` call by name."""

    class Doubled(mx.operator.CustomOp):
        def forward(self, is_train, req, in_data, out_data, aux):
            self.assign(out_data[0], req[0], in_data[0] * 2 + in_data[1])

    class DoubledProp(mx.operator.CustomOpProp):
        def __init__(self, scale="1"):
            super().__init__(need_top_grad=True)
            assert scale == "2"

        def list_arguments(self):
            return ["data", "shift"]

        def infer_shape(self, in_shape):
            return [in_shape[0], in_shape[0]], [in_shape[0]], []

        def create_operator(self, ctx, shapes, dtypes):
            return Doubled()

    mx.operator.register("era_doubled")(DoubledProp)


def described(name, array):
    parts = b"".join(part.tobytes() for _, part in sorted(parts_of(array).items()))
    return [name, stype_of(array), list(array.shape), dtype_of(array).name, hashlib.sha256(parts).hexdigest()]


def bound(symbol, arguments, states, inputs):
    """Bind a graph; what has no value (labels, states that begin as zeros) is zeros."""
    known = arguments | {n: mx.nd.array(v, dtype=v.dtype) for n, v in inputs.items()}
    shapes, _, _ = symbol.infer_shape_partial(**{n: v.shape for n, v in known.items()})
    arrays = {
        n: known[n] if n in known else mx.nd.zeros(s) for n, s in zip(symbol.list_arguments(), shapes, strict=True)
    }
    return symbol.bind(mx.cpu(), arrays, grad_req="null", aux_states=states)


def agree(outputs, expected):
    assert len(outputs) == len(expected)
    for output, value in zip(outputs, expected, strict=True):
        assert output.dtype == value.dtype
        np.testing.assert_allclose(output.asnumpy(), value, 1e-5, 1e-5)


def test_there_are_files_of_thirteen_versions():
    assert len(VERSIONS) == 13
    assert (VERSIONS[0], VERSIONS[-1]) == ("0.9.5", "1.8.0")


class TestArrays:
    def test_are_bit_for_bit_what_that_mxnet_held(self, era, folder):
        assert len(era.about["arrays"]) >= 20
        for name, expected in era.about["arrays"].items():
            file = read_params(folder / name)
            assert bool(file.names) == (expected["named"] and bool(file.arrays)), name
            items = sorted(file.as_dict().items()) if file.names else [("", array) for array in file.arrays]
            assert [described(*item) for item in items] == expected["arrays"], name

    def test_saved_again_are_the_bytes_of_1_9_1(self, era, folder, tmp_path):
        """Each file is loaded by 1.9.1."""
        assert not [name for name in era.reread["errors"] if name.endswith(".params")]
        assert len(era.reread["params"]) >= 20
        for name, digest in era.reread["params"].items():
            if "np_shape" in name or name == "named.params":
                with mx.util.np_shape("np_shape" in name):
                    mx.nd.save(tmp_path / "again.params", mx.nd.load(folder / name))
                content = (tmp_path / "again.params").read_bytes()
            else:
                content = serialize(mx.nd.load(folder / name))  # the same bytes, which need not reach the disk
            assert hashlib.sha256(content).hexdigest() == digest, name

    def test_begin_as_their_version_wrote_arrays(self, era, folder):
        """A rank before 0.11, V1 in 0.11, V2 since."""
        begin = (folder / "dtype_float32.params").read_bytes()[24:28]
        if number(era.version) < (0, 11):
            assert begin == b"\2\0\0\0"
        else:
            assert begin == (b"\xc8" if era.version == "0.11.0" else b"\xc9") + b"\xfa\x93\xf9"
        if (folder / "np_shape.params").exists():
            assert (folder / "np_shape.params").read_bytes()[24:28] == b"\xca\xfa\x93\xf9"

    def test_have_every_dtype_and_storage_of_the_time(self, era, folder):
        has = {path.stem.removeprefix("dtype_") for path in folder.glob("dtype_*.params")}
        expected = {"float32", "float64", "float16", "uint8", "int32"}
        expected |= {"int8", "int64"} if number(era.version) >= (0, 11) else set()
        expected |= {"bool"} if number(era.version) >= (1, 6) else set()
        expected |= {"bfloat16"} if number(era.version) >= (1, 7) else set()
        assert has == expected
        assert (folder / "sparse.params").exists() == (number(era.version) >= (0, 12))
        assert (folder / "np_shape.params").exists() == (number(era.version) >= (1, 5))

    def test_bfloat16_by_value(self, era, folder):
        if number(era.version) < (1, 7):
            assert "KeyError" in era.about["left_out"]["dtype bfloat16"]
            return
        values = read_params(folder / "dtype_bfloat16.params").arrays[0]
        assert values.dtype == ml_dtypes.bfloat16
        assert values.astype("float32").tolist() == [1.0, -2.5, 3.0]


class TestGraphs:
    def test_spell_attributes_as_their_version_did(self, era, folder):
        graph = json.loads((folder / "attributes-symbol.json").read_text(encoding="utf-8"))
        fields = {field for node in graph["nodes"] for field in node}
        assert fields == {"op", "name", "inputs", "attrs" if number(era.version) >= (1, 0) else "attr"}
        major, minor, patch = number(era.version)
        assert graph["attrs"] == {"mxnet_version": ["int", major * 10000 + minor * 100 + patch]}

    @pytest.mark.parametrize("name", NAMES)
    def test_is_there(self, era, folder, name):
        is_there = number(era.version) >= number(SINCE.get(name, "0.9.5"))
        assert (folder / f"{name}-symbol.json").exists() == is_there

    def test_written_again_are_the_bytes_of_1_9_1(self, era, folder):
        texts = {path.name: mx.sym.load(path).tojson() for path in sorted(folder.glob("*-symbol.json"))}
        assert texts.keys() == era.texts.keys()
        for name, text in texts.items():
            assert text == era.texts[name], name

    @pytest.mark.parametrize("name", [n for n in NAMES if n not in {"bucket", "block"} and not n.endswith("export")])
    def test_compute_what_they_did(self, era, folder, name):
        entry = era.about["graphs"].get(name)
        if entry is None:
            assert number(era.version) < number(SINCE[name])
            return
        symbol = mx.sym.load(folder / f"{name}-symbol.json")
        params = mx.model.read_params(str(folder / entry["params"])) if entry["params"] else ({}, {})
        agree(bound(symbol, *params, era.inputs(name)).forward(is_train=False), era.outputs(name))

    def test_hundreds_of_operators_compute_what_they_do_today(self, era):
        """Where a version computed otherwise (mistakes of the time), 1.9.1 says what is right."""
        heads = {name: len(era.about["graphs"][name]["outputs"]) for name in ("layers", "tensors", "contrib")}
        assert heads["layers"] >= 55
        assert heads["tensors"] >= 120
        others = sum(len(numbers) for name, numbers in era.reread["other"].items() if name != "fused")
        assert others <= 4

    def test_hidden_attributes(self, era, folder):
        found = mx.sym.load(folder / "attributes-symbol.json").attr_dict()
        assert found["own_weight"]["__lr_mult__"] == "2.0"
        assert found["own_weight"]["__shape__"] == "(4, 108)"
        assert found["own_weight"]["__init__"].startswith('["xavier"')
        assert found["own_weight"]["__ctx_group__"] == "dev1"
        assert found["fc1"]["__force_mirroring__"] == "True"
        assert found["fc1"]["__mood__"] == "good"
        assert found["fc1"]["__lr_mult__"] == "0.5"
        assert found["fc2"]["__wd_mult__"] == "0.25"
        assert found["fc2_bias"]["__lr_mult__"] == "3"
        assert found["fc2_bias"]["__mirror_stage__"] == "1"

    def test_auxiliary_states_and_their_start(self, era, folder):
        symbol = mx.sym.load(folder / "states-symbol.json")
        assert symbol.list_auxiliary_states() == [
            f"{name}_moving_{what}" for name in ("defaults", "free", "fixed") for what in ("mean", "var")
        ]
        assert symbol.attr_dict()["free"]["momentum"] == "0.8"


class TestPrograms:
    """The calls that programs of the time make."""

    def test_load_checkpoint(self, era, folder):
        symbol, arguments, states = mx.model.load_checkpoint(str(folder / "module"), 2)
        assert sorted(states) == ["bn1_moving_mean", "bn1_moving_var"]
        agree(bound(symbol, arguments, states, era.inputs("module")).forward(), era.outputs("module"))

    @pytest.mark.parametrize(("name", "epoch"), [("module", 2), ("feedforward", 1)])
    def test_module_load(self, era, folder, name, epoch):
        data = era.inputs(name)["data"]
        module = mx.mod.Module.load(str(folder / name), epoch, label_names=None)
        module.bind([("data", data.shape)], for_training=False)
        agree([module.predict(mx.io.NDArrayIter(data, batch_size=len(data)))], era.outputs(name))

    def test_optimizer_states_are_a_pickle(self, era, folder):
        module = mx.mod.Module.load(str(folder / "module"), 2, load_optimizer_states=True)
        module.bind([("data", (4, 5))], [("softmax_label", (4,))])
        with pytest.raises(
            FormatError, match=r"module-0002\.states: a pickled states file of MXNet: .* can run any code"
        ):
            module.init_optimizer(optimizer="sgd", optimizer_params={"momentum": 0.9})

    def test_load_rnn_checkpoint(self, era, folder):
        stack = mx.rnn.SequentialRNNCell()
        stack.add(mx.rnn.LSTMCell(4, prefix="lstm_"))
        stack.add(mx.rnn.GRUCell(4, prefix="gru_"))
        symbol, arguments, states = mx.rnn.load_rnn_checkpoint(stack, str(folder / "bucket"), 3)
        agree(bound(symbol, arguments, states, era.inputs("bucket")).forward(), era.outputs("bucket"))
