"""Wrong arguments of layers and losses, and what containers do beside calling their children."""

import numpy as np
import pytest

import gluonnx as mx
from gluonnx.errors import ArgumentError, AttributeValueError, InputError, MXNetError
from gluonnx.gluon import loss, nn

LAYOUTS = [
    (lambda: nn.Conv1D(2, 3, layout="NWC"), "Conv1D: unsupported layout: expected NCW, got layout='NWC'"),
    (lambda: nn.Conv2D(2, 3, layout="CHWN"), "Conv2D: .* expected NCHW or NHWC, got layout='CHWN'"),
    (lambda: nn.Conv3DTranspose(2, 3, layout="NCHW"), "Conv3DTranspose: .*NCDHW or NDHWC, got layout='NCHW'"),
    (lambda: nn.MaxPool1D(layout="NCHW"), "MaxPool1D: .*NCW or NWC, got layout='NCHW'"),
    (lambda: nn.AvgPool3D(layout="NCHW"), "AvgPool3D: .*got layout='NCHW'"),
    (lambda: nn.GlobalAvgPool2D(layout="NCW"), "GlobalAvgPool2D: .*got layout='NCW'"),
    (lambda: loss.CTCLoss(layout="NCT"), "CTCLoss: .*'NTC' or 'TNC', got layout='NCT'"),
    (lambda: loss.CTCLoss(label_layout="T"), "CTCLoss: .*'NT' or 'TN', got label_layout='T'"),
]

SIZES = [
    (lambda: nn.Conv2D(2, (3, 3, 3)), r"Conv2D: wrong number of sizes: .*2 of them, got kernel_size=\(3, 3, 3\)"),
    (lambda: nn.Conv2D(2, 3, strides=(1,)), r"Conv2D: .*got strides=\(1,\)"),
    (lambda: nn.Conv1D(2, 3, padding=(1, 1)), r"Conv1D: .*got padding=\(1, 1\)"),
    (lambda: nn.Conv3D(2, 3, dilation=[1]), r"Conv3D: .*got dilation=\[1\]"),
    (lambda: nn.Conv2DTranspose(2, 3, output_padding=(1,)), r"Conv2DTranspose: .*got output_padding=\(1,\)"),
    (lambda: nn.MaxPool2D((2, 2, 2)), r"MaxPool2D: .*got pool_size=\(2, 2, 2\)"),
    (lambda: nn.AvgPool1D(2, strides=(1, 2)), r"AvgPool1D: .*got strides=\(1, 2\)"),
    (lambda: nn.ReflectionPad2D((1, 2)), r"ReflectionPad2D: .*8 of them, got padding=\(1, 2\)"),
]

VALUES = [
    (lambda: nn.Conv2D(0, 3), "Conv2D: no output channels: .*channels=0"),
    (lambda: nn.Conv2D(3, 3, groups=2), "channels=3, in_channels=0, groups=2"),
    (lambda: nn.Conv2D(4, 3, groups=2, in_channels=3), "channels=4, in_channels=3, groups=2"),
    (lambda: nn.Conv2D(4, 3, groups=0), "groups=0"),
    (lambda: nn.LeakyReLU(-0.1), "LeakyReLU: negative slope: .*alpha=-0.1"),
    (lambda: nn.LeakyReLU(float("nan")), "alpha=nan"),
    (lambda: nn.Lambda("no_such"), "Lambda: no such operator: .* in ndarray, got function='no_such'"),
    (lambda: nn.HybridLambda("no_such"), "HybridLambda: no such operator: .*function='no_such'"),
    (lambda: nn.Lambda(3), "Unrecognized function in lambda: .*function=3"),
    (lambda: nn.HybridLambda(None), "Unrecognized function in lambda: .*function=None"),
    (lambda: loss.LogisticLoss(label_format="ones"), "label_format can only be signed or binary.*'ones'"),
]


@pytest.mark.parametrize(("make", "message"), LAYOUTS + SIZES + VALUES)
def test_a_wrong_argument_is_named(make, message):
    with pytest.raises(ArgumentError, match=message):
        make()


def test_what_mxnet_programs_catch_catches_it():
    for kind in (AssertionError, ValueError, MXNetError):
        with pytest.raises(kind, match=r"alpha=-1"):
            nn.LeakyReLU(-1)


def test_an_unknown_activation_is_named_at_the_first_call():
    layer = nn.Activation("bogus")
    assert repr(layer) == "Activation(bogus)"
    with pytest.raises(AttributeValueError, match="bogus"):
        layer(mx.nd.ones((2,)))


def test_a_weight_that_is_no_number():
    with pytest.raises(AssertionError, match=r"weight must be a number: .*weight='2'"):
        loss.L1Loss(weight="2")(mx.nd.ones((2, 1)), mx.nd.ones((2, 1)))


def test_sdml_refuses_shapes_that_differ():
    with pytest.raises(InputError, match=r"SDMLLoss: shapes differ: .*x1=\(2, 3\), x2=\(3, 3\)"):
        loss.SDMLLoss()(mx.nd.ones((2, 3)), mx.nd.ones((3, 3)))


def test_a_loss_without_hybrid_forward():
    with pytest.raises(NotImplementedError, match="hybrid_forward"):
        loss.Loss(None, 0)(mx.nd.ones((2, 3)))


@pytest.mark.parametrize("kind", [nn.Sequential, nn.HybridSequential])
def test_containers_are_indexed_and_counted(kind):
    net = kind(prefix="net_")
    with net.name_scope():
        net.add(nn.Dense(4), nn.Dense(3), nn.Dense(2))
    assert len(net) == 3
    assert net[-1].name == "net_dense2"
    part = net[:2]
    assert type(part) is kind
    assert (part.prefix, len(part)) == ("net_", 2)
    assert part[0] is net[0]
    with pytest.raises(IndexError):
        net[3]


def test_hybridizing_a_sequential_of_hybrid_blocks_warns():
    net = nn.Sequential(prefix="net_")
    net.add(nn.Dense(3))
    with pytest.warns(UserWarning, match="All children of this Sequential layer 'net_' are HybridBlocks"):
        net.hybridize()


def test_hybridizing_a_mixed_sequential_does_not_warn():
    net = nn.Sequential()
    net.add(nn.Dense(3), nn.Lambda("tanh"))
    net.hybridize()
    net.initialize()
    assert net(mx.nd.ones((2, 4))).shape == (2, 3)


def test_a_hybrid_sequential_takes_hybrid_blocks_only():
    with pytest.raises(ValueError, match="Lambda"):
        nn.HybridSequential().add(nn.Lambda("tanh"))


def test_dropout_drops_while_training_only():
    layer, data = nn.Dropout(0.4), mx.nd.ones((200, 100))
    np.testing.assert_array_equal(layer(data).asnumpy(), data.asnumpy())
    with mx.autograd.record():
        out = layer(data).asnumpy()
    assert set(np.unique(out)) == {np.float32(0), np.float32(1 / 0.6)}
    assert (out == 0).mean() == pytest.approx(0.4, abs=0.02)


def test_dropout_shares_its_mask_along_axes():
    with mx.autograd.record():
        out = nn.Dropout(0.5, axes=(1,))(mx.nd.ones((50, 20))).asnumpy()
    assert all(len(set(row)) == 1 for row in out)
    assert set(out[:, 0]) == {0.0, 2.0}


def test_batch_norm_keeps_its_parameters_in_float32():
    layer = nn.BatchNorm(in_channels=3)
    layer.initialize()
    layer.cast("float16")
    assert {np.dtype(p.dtype) for p in layer.collect_params().values()} == {np.dtype("float32")}


def test_parameters_that_are_switched_off_get_no_gradient():
    layer = nn.BatchNorm(scale=False, center=False)
    assert (layer.gamma.grad_req, layer.beta.grad_req) == ("null", "null")
    layer = nn.LayerNorm(scale=False)
    assert (layer.gamma.grad_req, layer.beta.grad_req) == ("null", "write")


def test_poisson_adds_stirlings_term_while_recording():
    pred, target = mx.nd.array([[0.5, 1.0]]), mx.nd.array([[0.0, 5.0]])
    pred.attach_grad()
    with mx.autograd.record():
        value = loss.PoissonNLLLoss(compute_full=True)(pred, target)
    value.backward()
    stirling = 5 * np.log(5) - 5 + 0.5 * np.log(10 * np.pi)
    expected = (np.exp(0.5) + np.exp(1.0) - 5.0 + stirling) / 2
    assert value.asscalar() == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(pred.grad.asnumpy(), [[np.exp(0.5) / 2, (np.exp(1.0) - 5) / 2]], rtol=1e-6)
