"""Block.save and Block.load: MXNet's files and our own."""

import json
from pathlib import Path

import numpy as np
import pytest

from gluonnx import nd
from gluonnx.errors import FileAccessError, FormatError, ParameterError, ParameterFileError
from gluonnx.gluon import nn

GOLDEN = Path(__file__).parents[1] / "golden" / "saved_block"


class Net(nn.Block):
    def __init__(self, units=2, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.body = nn.HybridSequential()
            with self.body.name_scope():
                self.body.add(nn.Dense(3, activation="tanh", in_units=2), nn.BatchNorm(in_channels=3))
            self.head = nn.Dense(units, in_units=3)

    def forward(self, x):
        return self.head(self.body(x))


def saved(folder):
    net = Net()
    net.initialize()
    net.body.hybridize()
    x = nd.array([[0.5, -1.0], [0.25, 2.0]])
    y = net(x)
    net.save(folder / "net")
    return net, x, y


def state(net):
    return [(b.name, b.prefix, list(b._children), [(k, p.name) for k, p in b.params.items()]) for b in blocks(net)]


def blocks(net):
    found = []
    net.apply(found.append)
    return found


def test_a_model_that_mxnet_saved(tmp_path):
    net = Net()
    net.load(GOLDEN / "net")
    with np.load(GOLDEN / "net-call.npz") as call:
        np.testing.assert_allclose(net(nd.array(call["data"])).asnumpy(), call["output0"], rtol=1e-5, atol=1e-6)
        described = json.loads((GOLDEN / "net-model.json").read_text())
        assert net.name == described["net0"]["orig_name"]
        assert net.head.weight.name == f"{net.name}_dense0_weight"
        assert net.body._active
        assert not net.head._active
        net.save(tmp_path / "again")
        assert json.loads((tmp_path / "again-model.json").read_text()) == described
        assert (tmp_path / "again-model.params").read_bytes() == (GOLDEN / "net-model.params").read_bytes()
        net.hybridize(False)
        np.testing.assert_allclose(net(nd.array(call["data"])).asnumpy(), call["output0"], rtol=1e-5, atol=1e-6)
        net.body.hybridize()  # traced anew, with the names of the file
        np.testing.assert_allclose(net(nd.array(call["data"])).asnumpy(), call["output0"], rtol=1e-5, atol=1e-6)


def test_the_saved_graph_runs_without_the_python_code(tmp_path):
    _, x, y = saved(tmp_path)
    other = Net()
    other.load(tmp_path / "net")
    other.body.__dict__["hybrid_forward"] = None
    np.testing.assert_allclose(other(x).asnumpy(), y.asnumpy(), rtol=1e-5, atol=1e-6)


def test_children_added_by_name_get_their_keys_back(tmp_path):
    def chain():
        net = nn.Sequential(prefix="")
        for _ in range(2):
            dense = nn.Dense(2, in_units=2)
            net._children[f"{dense.name}_x"] = dense
        return net

    net, other = chain(), chain()
    net.initialize()
    net.save(tmp_path / "net")
    assert list(net._children) != list(other._children)
    other.load(tmp_path / "net")
    assert list(net._children) == list(other._children)
    assert list(net.collect_params()) == list(other.collect_params())
    x = nd.array([[1.0, -2.0]])
    assert (net(x).asnumpy() == other(x).asnumpy()).all()


def test_a_shared_block_and_a_block_without_prefix(tmp_path):
    def twice():
        net = nn.HybridSequential(prefix="")
        dense = nn.Dense(2, in_units=2, prefix="same")
        net.add(dense, dense)
        return net

    net, other = twice(), twice()
    net.initialize()
    net.hybridize()
    x = nd.array([[1.0, -2.0]])
    y = net(x).asnumpy()
    net.save(tmp_path / "net")
    other.load(tmp_path / "net")
    assert (other(x).asnumpy() == y).all()
    assert list(other.collect_params()) == ["sameweight", "samebias"]


def test_nothing_is_written_for_parameters_without_values(tmp_path):
    with pytest.raises(ParameterError, match="dense0_weight' has not been initialized"):
        Net().save(tmp_path / "net")
    assert list(tmp_path.iterdir()) == []


def test_errors_leave_the_block_as_it_was(tmp_path):
    saved(tmp_path)
    other = Net(units=5)
    before = state(other)
    with pytest.raises(ParameterFileError, match=r"shape incompatible expected \(5, 3\) vs saved \(2, 3\)"):
        other.load(tmp_path / "net")
    assert state(other) == before
    assert not other.body._active
    with pytest.raises(FileAccessError, match=r"none-model\.json"):
        other.load(tmp_path / "none")


def test_another_model(tmp_path):
    saved(tmp_path)
    other = nn.Sequential()
    other.add(nn.Dense(2))
    with pytest.raises(FormatError, match="another model: expected a block `sequential0`, got net0"):
        other.load(tmp_path / "net")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a model file: expected the JSON"),
        ("[" * 100_000, "not a model file: expected the JSON"),
        ("[1]", "another model: expected a block `net0`, got none"),
        ('{"net0": {"orig_name": 3, "children": {}}}', "block `net0`: damaged: .* got orig_name=3"),
        ('{"net0": {"orig_name": "net0", "children": {}}}', "expected a block `hybridsequential1`, got none"),
        (
            '{"net0": {"orig_name": "net0", "children": {}, "hybridsequential1": '
            '{"orig_name": "a", "children": {}, "hybridized": true, "in_format": 4}}}',
            "block `hybridsequential1`: damaged: .* got in_format=4",
        ),
    ],
)
def test_damaged_files(tmp_path, text, message):
    saved(tmp_path)
    (tmp_path / "net-model.json").write_text(text)
    with pytest.raises(FormatError, match=message):
        Net().load(tmp_path / "net")
