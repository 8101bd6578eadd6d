"""Nets of spatial operators, exported and run by ONNX Runtime alone, at batch sizes of which they have seen one."""

import numpy as np
import onnx
import onnxruntime
import pytest

import gluonnx as mx
from gluonnx import gluon, nd
from gluonnx.gluon import nn


class Segmenter(gluon.HybridBlock):
    """A fully convolutional net: the ways up are a learned bilinear one, a nearest one and one to the image's size."""

    def __init__(self, classes=4, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.first = nn.Conv2D(6, 3, padding=1, activation="relu", in_channels=3)
            self.second = nn.Conv2D(8, 3, strides=2, padding=1, activation="relu", in_channels=6)
            self.third = nn.Conv2D(classes, 3, strides=2, padding=1, in_channels=8)
            self.side = nn.Conv2D(classes, 1, in_channels=8)
            self.up_weight = self.params.get("up_weight", shape=(classes, 1, 4, 4), init=mx.init.Bilinear())

    def hybrid_forward(self, F, x, up_weight):
        half = self.second(self.first(x))
        quarter = self.third(half)
        up = F.UpSampling(quarter, up_weight, scale=2, sample_type="bilinear", num_filter=4)
        side = self.side(half)
        both = F.Crop(up, side) + side
        many = F.UpSampling(both, side, scale=2, sample_type="nearest", multi_input_mode="sum")
        odd = F.contrib.BilinearResize2D(many, mode="to_odd_down")
        return F.contrib.BilinearResize2D(odd, x, mode="like", align_corners=False)


class Pyramid(gluon.HybridBlock):
    """Pyramid pooling: means over grids of several sizes, which do not divide the maps, brought back to their size."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.features = nn.Conv2D(4, 3, in_channels=3, activation="relu")
            self.head = nn.Conv2D(5, 1, in_channels=16)

    def hybrid_forward(self, F, x):
        maps = self.features(x)
        grids = [F.contrib.AdaptiveAvgPooling2D(maps, output_size=n) for n in (1, 3, (2, 6))]
        back = [F.contrib.BilinearResize2D(grid, maps, mode="like") for grid in grids]
        return F.contrib.AdaptiveAvgPooling2D(self.head(F.concat(maps, *back, dim=1)), output_size=(1, 2))


class Straightener(gluon.HybridBlock):
    """A spatial transformer whose localisation net sees what it straightens, and a correlation with the original."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.where = nn.Dense(6, in_units=3 * 13 * 10, weight_initializer=mx.init.Normal(0.003))
            self.where.bias.init = mx.init.Constant(mx.nd.array([1, 0.1, 0, -0.1, 0.9, 0.05]))

    def hybrid_forward(self, F, x):
        straight = F.SpatialTransformer(
            x, self.where(x), target_shape=(13, 10), transform_type="affine", sampler_type="bilinear"
        )
        grid = F.GridGenerator(F.slice_axis(straight, axis=1, begin=0, end=2), transform_type="warp")
        return F.Correlation(F.BilinearSampler(x, grid), x, max_displacement=2, stride2=2, pad_size=2)


@pytest.mark.parametrize("net", [Segmenter, Pyramid, Straightener])
def test_exported_nets_run_in_onnx_runtime(net, tmp_path):
    mx.random.seed(3)
    block = net(prefix="net_")
    block.initialize()
    images = np.random.RandomState(0).normal(size=(5, 3, 13, 10)).astype(np.float32)
    expected = block(nd.array(images)).asnumpy()
    block.hybridize()
    np.testing.assert_allclose(block(nd.array(images)).asnumpy(), expected, rtol=1e-4, atol=1e-5)
    block.export(tmp_path / "net")
    session = onnxruntime.InferenceSession(tmp_path / "net-0000.onnx", providers=["CPUExecutionProvider"])
    (name,) = (i.name for i in session.get_inputs())
    for count in (1, 2, 5):
        (found,) = session.run(None, {name: images[:count]})
        np.testing.assert_allclose(found, expected[:count], rtol=1e-4, atol=1e-5)
    assert {node.domain for node in onnx.load(tmp_path / "net-0000.onnx").graph.node} == {""}


@pytest.mark.parametrize("net", [Segmenter, Pyramid, Straightener])
def test_hybridized_nets_train_as_imperative_ones(net):
    images = nd.array(np.random.RandomState(1).normal(size=(2, 3, 13, 10)))
    results = []
    for is_hybrid in (False, True):
        mx.random.seed(3)
        block = net(prefix="net_")
        block.initialize()
        if is_hybrid:
            block.hybridize()
        trainer = gluon.Trainer(block.collect_params(), "sgd", {"learning_rate": 0.01})
        for _ in range(2):
            with mx.autograd.record():
                loss = (block(images) ** 2).sum()
            loss.backward()
            trainer.step(2)
        results.append({name: p.data().asnumpy() for name, p in block.collect_params().items()})
    for name, value in results[0].items():
        np.testing.assert_allclose(results[1][name], value, rtol=1e-6, atol=1e-7, err_msg=name)
