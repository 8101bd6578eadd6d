"""The networks of the model zoo against MXNet's: names, graphs, shapes, outputs, files of weights."""

import hashlib
import importlib
import inspect
import json

import numpy as np
import pytest
from gluon import road, zoo_values

import gluonnx as mx
from gluonnx.gluon.model_zoo import model_store, vision

ANSWERS = json.loads((road.GOLDEN / "zoo.json").read_text())


def _build(name, **kwargs):
    with mx.name.NameManager():
        net = vision.get_model(name, prefix="net_", **kwargs)
        net.initialize(mx.init.Zero())
        net.infer_shape(mx.nd.zeros(zoo_values.shape_of(name)))
        return net


@pytest.mark.parametrize("name", zoo_values.NAMES)
def test_structure_is_mxnets(name):
    net = _build(name)
    expected = {k: v for k, v in ANSWERS[name].items() if k != "output"}
    assert zoo_values.describe(net, net._trace.output) == expected


@pytest.mark.parametrize("name", zoo_values.RUN)
def test_outputs_are_mxnets(name, tmp_path):
    net = _build(name, classes=10)
    for path, param in net._collect_params_with_prefix().items():
        param._finish_deferred_init()
        param.set_data(mx.nd.array(zoo_values.parameter(path, param.shape)))
    x = mx.nd.array(zoo_values.images(name))
    expected = np.array(ANSWERS[name]["output"], "float32").reshape(1, 10)
    # Dozens of convolutions, each summed in another order.
    close = {"rtol": 1e-4, "atol": 1e-5 * np.abs(expected).max()}
    np.testing.assert_allclose(net(x).asnumpy(), expected, **close)
    net.hybridize()
    np.testing.assert_allclose(net(x).asnumpy(), expected, **close)


def test_the_catalog_has_the_networks_with_weights():
    assert sorted(ANSWERS) == sorted(model_store.NAMES)
    assert sorted(zoo_values.NAMES) == sorted(model_store.NAMES)


def test_unknown_network():
    with pytest.raises(ValueError, match=r"Model resnet19 is not supported.*resnet18_v1.*got name='resnet19'"):
        vision.get_model("ResNet19")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: vision.get_resnet(1, 19), r"Invalid number of layers: 19: .*got num_layers=19"),
        (lambda: vision.get_resnet(3, 18), r"Invalid resnet version: 3\..*got version=3"),
        (lambda: vision.get_vgg(12), r"Invalid number of layers: 12: expected one of 11, 13, 16, 19"),
        (lambda: vision.densenet.get_densenet(9), r"Invalid number of layers: 9: expected one of 121, 161, 169, 201"),
        (lambda: vision.SqueezeNet("2.0"), r"Unsupported SqueezeNet version 2\.0:1\.0 or 1\.1 expected"),
        (lambda: vision.VGG([1, 2], [3]), r"as many of one as of the other, got 2 and 1"),
        (lambda: vision.ResNetV1(vision.BasicBlockV1, [1], [8]), r"ResNetV1: .*got 1 stages and 1 numbers"),
    ],
)
def test_wrong_arguments(call, message):
    with pytest.raises(AssertionError, match=message) as caught:
        call()
    assert isinstance(caught.value, mx.MXNetError)


def test_variants():
    x = mx.nd.zeros((2, 3, 32, 32))
    for version in (1, 2):
        net = vision.get_resnet(version, 18, classes=4, thumbnail=True)
        net.initialize()
        assert net(x).shape == (2, 4)
        assert net.features[version - 1].weight.shape == (64, 3, 3, 3)
    dense = vision.DenseNet(8, 4, [1, 1], dropout=0.5, classes=3)
    dense.initialize()
    assert dense(mx.nd.zeros((1, 3, 64, 64))).shape == (1, 3)
    assert "Dropout(p = 0.5" in repr(dense)


def test_networks_share_parameters():
    first = vision.mobilenet_v2_0_25(classes=3, prefix="m_")
    second = vision.mobilenet_v2_0_25(classes=3, prefix="m_", params=first.collect_params())
    assert all(p is first.collect_params()[n] for n, p in second.collect_params().items())


# Trained weights ------------------------------------------------------------------------------------------------------


def _saved(folder, name="squeezenet1.1"):
    net = vision.get_model(name, classes=2)
    net.initialize(mx.init.Normal(0.3))
    net.infer_shape(mx.nd.zeros((1, 3, 224, 224)))
    for param in net.collect_params().values():
        param._finish_deferred_init()
    path = folder / "saved"
    net.save_parameters(path)
    return net, path


def _rename_by_digest(path, name):
    digest = hashlib.sha1(path.read_bytes()).hexdigest()
    return path.rename(path.with_name(f"{name}-{digest[:8]}.params"))


def test_weights_come_from_the_folder(tmp_path):
    net, path = _saved(tmp_path)
    path = _rename_by_digest(path, "squeezenet1.1")
    assert model_store.get_model_file("squeezenet1.1", root=tmp_path) == str(path)
    again = vision.squeezenet1_1(pretrained=True, root=str(tmp_path), classes=2)
    for key, param in again._collect_params_with_prefix().items():
        np.testing.assert_array_equal(param.data().asnumpy(), net._collect_params_with_prefix()[key].data().asnumpy())


def test_weights_under_another_name_are_taken(tmp_path):
    _, path = _saved(tmp_path)
    mine = path.rename(tmp_path / "squeezenet1.1-mine.params")
    assert model_store.get_model_file("squeezenet1.1", root=str(tmp_path)) == str(mine)


def test_no_weights(tmp_path):
    with pytest.raises(
        mx.MXNetError, match=r"model_zoo `vgg11`: no trained weights: .*vgg11-\*\.params in .*gone.*`root=`"
    ) as caught:
        vision.vgg11(pretrained=True, root=tmp_path)
    assert isinstance(caught.value, OSError)
    (tmp_path / "vgg11_bn-1.params").touch()
    with pytest.raises(OSError, match="no trained weights"):
        model_store.get_model_file("vgg11", tmp_path)


def test_weights_of_nothing(tmp_path):
    with pytest.raises(ValueError, match=r"Pretrained model for lenet is not available: .*got name='lenet'"):
        model_store.get_model_file("lenet", tmp_path)


def test_several_weights(tmp_path):
    for end in ("a", "b"):
        (tmp_path / f"alexnet-{end}.params").touch()
    with pytest.raises(mx.MXNetError, match=r"got alexnet-a\.params, alexnet-b\.params\. Keep one"):
        model_store.get_model_file("alexnet", tmp_path)


def test_damaged_weights(tmp_path):
    (tmp_path / "alexnet-01234567.params").write_bytes(b"x")
    with pytest.raises(
        mx.MXNetError, match=r"alexnet-01234567\.params: not the file.*begins with 01234567, got 11f6ad8ec52a2984"
    ):
        vision.alexnet(pretrained=True, root=tmp_path)


def test_every_network_names_its_weights(tmp_path, monkeypatch):
    asked = []

    def note(net, name, root, ctx):
        asked.append((name, root, ctx))

    for module in ("alexnet", "densenet", "inception", "mobilenet", "resnet", "squeezenet", "vgg"):
        monkeypatch.setattr(
            importlib.import_module(f"gluonnx.gluon.model_zoo.vision.{module}"), "load_pretrained", note
        )
    for name in zoo_values.NAMES:
        vision.get_model(name, pretrained=True, root=tmp_path, ctx=mx.cpu(1))
    assert asked == [(name, tmp_path, mx.cpu(1)) for name in zoo_values.NAMES]


def test_purge(tmp_path):
    for name in ("alexnet-1.params", "b.params", "notes.txt"):
        (tmp_path / name).touch()
    model_store.purge(root=tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(FileNotFoundError, match="nowhere"):
        model_store.purge(tmp_path / "nowhere")


def test_arguments_of_the_constructors():
    for function in (vision.alexnet, vision.inception_v3):
        assert list(inspect.signature(function).parameters) == ["pretrained", "ctx", "root", "kwargs"]
    assert list(inspect.signature(vision.get_resnet).parameters) == [
        "version",
        "num_layers",
        "pretrained",
        "ctx",
        "root",
        "kwargs",
    ]
