"""Exports: three files that compute the same, the same bytes each time, and nothing at all when anything fails."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from gluon.nets import convnet, images, initialized, mlp, near, rows
from gluonnx_runtime import Session

import gluonnx as mx
from gluonnx import gluon, nd
from gluonnx.errors import ExportError, FileAccessError, FixedBatchError, LoweringError
from gluonnx.gluon import SymbolBlock, nn
from gluonnx.ops.table import TABLE, Unsupported

HERE = Path(__file__).parent
PACKAGES = os.pathsep.join(str(HERE.parents[1] / p) for p in (".", "cli", "runtime", "tests"))


def exported(net, folder, *inputs, name="net"):
    net.hybridize()
    net(*inputs)
    return [Path(p) for p in net.export(folder / name)]


class Two(gluon.HybridBlock):
    """Two inputs and two outputs."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.dense = nn.Dense(3, in_units=3)

    def hybrid_forward(self, F, x, y):
        return self.dense(x), F.tanh(x + y)


def test_three_files_under_their_names(tmp_path):
    paths = exported(mlp(), tmp_path, rows())
    assert [p.name for p in paths] == ["net-symbol.json", "net-0000.params", "net-0000.onnx"]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(p.name for p in paths)
    net = mlp()
    net.hybridize()
    net(rows())
    assert Path(net.export(str(tmp_path / "net"), epoch=12)[2]).name == "net-0012.onnx"


def test_arrays_are_named_as_arguments_and_auxiliary_states(tmp_path):
    net = convnet(prefix="net_")
    _, params, _ = exported(net, tmp_path, images())
    arrays = nd.load(str(params))
    assert list(arrays)[:6] == [
        "arg:net_conv0_weight",
        "arg:net_conv0_bias",
        "arg:net_batchnorm0_gamma",
        "arg:net_batchnorm0_beta",
        "aux:net_batchnorm0_running_mean",
        "aux:net_batchnorm0_running_var",
    ]
    for name, param in net.collect_params().items():
        found = arrays.get(f"arg:{name}", arrays.get(f"aux:{name}"))
        near(found, param.data())


def test_every_way_back_gives_the_same_outputs(tmp_path):
    net, x = convnet(), images(3)
    expected = net(x)
    symbol, params, onnx = exported(net, tmp_path, x)
    blocks = [SymbolBlock.imports(symbol, ["data"], params), SymbolBlock.imports(onnx)]
    for block in blocks:
        near(block(x), expected)
        block.hybridize()
        near(block(x), expected)
        near(block(images(5)), net(images(5)))
    near(Session(onnx, device="cpu")(x.asnumpy()), expected)


def test_fixed_gamma_counts_as_one_everywhere(tmp_path):
    net = nn.HybridSequential()
    net.add(nn.BatchNorm(scale=False, in_channels=3))
    initialized(net)
    gamma = next(p for n, p in net.collect_params().items() if n.endswith("gamma"))
    gamma.set_data(nd.array([2, 3, 4]))
    x = rows(4)
    expected = net(x)
    np.testing.assert_allclose(expected.asnumpy(), x.asnumpy(), rtol=1e-5)  # apart by epsilon, 1e-5
    symbol, params, onnx = exported(net, tmp_path, x)
    for block in (SymbolBlock.imports(symbol, "data", params), SymbolBlock.imports(onnx)):
        near(block(x), expected)
        restored = next(p for n, p in block.collect_params().items() if n.endswith("gamma"))
        np.testing.assert_array_equal(restored.data().asnumpy(), [2, 3, 4])


def test_several_inputs_and_outputs(tmp_path):
    net, x, y = initialized(Two()), rows(), rows(seed=2)
    expected = net(x, y)
    symbol, params, onnx = exported(net, tmp_path, x, y)
    assert [i.name for i in Session(onnx, device="cpu").inputs] == ["data0", "data1"]
    for block in (SymbolBlock.imports(symbol, ["data0", "data1"], params), SymbolBlock.imports(onnx)):
        for got, want in zip(block(x, y), expected, strict=True):
            near(got, want)


def test_an_imported_block_can_be_exported_again(tmp_path):
    net, x = convnet(), images()
    first = exported(net, tmp_path, x)
    block = SymbolBlock.imports(first[2])
    (tmp_path / "again").mkdir()
    second = exported(block, tmp_path / "again", x)
    assert [p.read_bytes() for p in second] == [p.read_bytes() for p in first]


def test_several_contexts_export_their_mean(tmp_path):
    net = mlp()
    net.initialize(ctx=[mx.cpu(0), mx.cpu(1)], force_reinit=True)
    weight = next(iter(net.collect_params().values()))
    weight.data(mx.cpu(0))[:] = 1
    weight.data(mx.cpu(1))[:] = 3
    _, params, _ = exported(net, tmp_path, rows())
    np.testing.assert_array_equal(nd.load(str(params))[f"arg:{weight.name}"].asnumpy(), 2)


SCRIPT = """
import sys
from pathlib import Path
from gluon.nets import convnet, images
net = convnet(prefix="net_")
net.hybridize()
net(images())
net.export(Path(sys.argv[1]) / "net")
"""


def test_bytes_are_the_same_in_any_process(tmp_path):
    digests = []
    for seed in ("0", "1234"):
        folder = tmp_path / seed
        folder.mkdir()
        env = {**os.environ, "PYTHONPATH": PACKAGES, "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", SCRIPT, str(folder)], env=env, check=True)
        digests.append({p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()})
    assert len(digests[0]) == 3
    assert digests[0] == digests[1]


# Failures leave nothing -----------------------------------------------------------------------------------------------


def test_before_a_call_there_is_nothing_to_export(tmp_path):
    net = mlp()
    with pytest.raises(RuntimeError, match=r"`hybridsequential.*nothing to export yet.*first call block.hybridize"):
        net.export(tmp_path / "net")
    net(rows())
    with pytest.raises(RuntimeError, match="nothing to export yet"):
        net.export(tmp_path / "net")
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_told(tmp_path):
    net = mlp()
    net.hybridize()
    net(rows())
    with pytest.raises(FileAccessError, match="nowhere"):
        net.export(tmp_path / "nowhere" / "net")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes anywhere")
def test_an_unwritable_folder_is_told(tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o500)
    net = mlp()
    net.hybridize()
    net(rows())
    with pytest.raises(FileAccessError, match="locked"):
        net.export(folder / "net")
    assert not list(folder.iterdir())


def test_a_file_in_place_of_the_folder_is_told(tmp_path):
    (tmp_path / "file").write_text("x")
    net = mlp()
    net.hybridize()
    net(rows())
    with pytest.raises(FileAccessError, match="file"):
        net.export(tmp_path / "file" / "net")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_wrong_lowering_leaves_the_files_of_before(tmp_path, monkeypatch):
    net = mlp()
    paths = exported(net, tmp_path, rows())
    before = [p.read_bytes() for p in paths]
    monkeypatch.setattr(TABLE["Activation"], "_lowering", (lambda g, data: g.op("Neg", data), frozenset()))
    with pytest.raises(ExportError, match="the ONNX model computes something else: output `hybridsequential"):
        net.export(tmp_path / "net")
    assert [p.read_bytes() for p in paths] == before
    assert len(list(tmp_path.iterdir())) == 3


def test_operators_without_lowering_are_all_named(tmp_path, monkeypatch):
    net = mlp()
    net.hybridize()
    net(rows())
    monkeypatch.setattr(TABLE["Activation"], "_lowering", Unsupported("it has moods"))
    monkeypatch.setattr(TABLE["FullyConnected"], "_lowering", Unsupported("it is too fully connected"))
    with pytest.raises(LoweringError, match="moods") as caught:
        net.export(tmp_path / "net")
    assert "too fully connected" in str(caught.value)
    assert "dense0_relu_fwd" in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_hybridized_net_without_lowering_runs_on_torch_and_says_so(monkeypatch):
    net, x = mlp(), rows()
    expected = net(x)
    monkeypatch.setattr(TABLE["Activation"], "_lowering", Unsupported("it has moods"))
    net.hybridize()
    with pytest.warns(UserWarning, match="(?s)runs on torch instead of ONNX Runtime.*Activation.*moods") as caught:
        near(net(x), expected)
    assert len(caught) == 1
    near(net(x), expected)


def test_a_net_for_one_batch_size_says_how_to_export_it(tmp_path):
    class Fixed(gluon.HybridBlock):
        def hybrid_forward(self, F, x):
            return F.broadcast_add(x, F.ones(shape=(4, 3)))

    net, x = Fixed(), rows(4)
    net.hybridize()
    net(x)
    with pytest.raises(FixedBatchError, match="`dynamic_batch=False`"):
        net.export(tmp_path / "net")
    assert not list(tmp_path.iterdir())
    onnx = net.export(tmp_path / "net", dynamic_batch=False)[2]
    near(Session(onnx, device="cpu")(x.asnumpy()), net(x))


def test_samples_for_a_net_that_means_something_for_them_alone(tmp_path):
    class Root(gluon.HybridBlock):
        def hybrid_forward(self, F, x):
            return F.log(x - 1000)

    net = Root()
    net.hybridize()
    values = nd.array([[1001.0, 1010.0]])
    net(values)
    with pytest.raises(ExportError, match=r"the check saw no finite number.*Pass `sample_inputs`"):
        net.export(str(tmp_path / "net"))
    assert list(tmp_path.iterdir()) == []
    files = net.export(str(tmp_path / "net"), sample_inputs=[values])
    near(Session(files[2], device="cpu")(values.asnumpy()), net(values))
