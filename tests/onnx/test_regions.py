"""Regions of images that there are not or whose numbers are no whole ones, and what else blocks take."""

import numpy as np
import onnxruntime
import pytest
from gluon.nets import near

import gluonnx as mx
from gluonnx import nd
from gluonnx.onnx import export_model

IMAGES = (0.0, 0.7, -0.7, 1.6, -1.0, 2.0, 9.0)
PLACE = (0.0, 0.0, 2.0, 2.0)
MXNETS = {"pool": (10, 10, 10, 26, 0, 0, 0)}
"""MXNet 1.9.1: the largest of the first nine pixels of image 0 or 1; 0 where there is no such image."""


def regions(width):
    rows = [[image, *PLACE, 30.0][:width] for image in IMAGES]
    return np.array(rows, np.float32)


@pytest.mark.parametrize(
    ("name", "make", "width"),
    [
        ("pool", lambda d, r: mx.sym.ROIPooling(d, r, pooled_size=(1, 1), spatial_scale=1.0), 5),
        ("align", lambda d, r: mx.sym.contrib.ROIAlign(d, r, pooled_size=(2, 2), spatial_scale=1.0), 5),
        ("rotated", lambda d, r: mx.sym.contrib.RROIAlign(d, r, pooled_size=(2, 2), spatial_scale=1.0), 6),
        (
            "sensitive",
            lambda d, r: mx.sym.contrib.PSROIPooling(d, r, output_dim=1, pooled_size=1, spatial_scale=1.0),
            5,
        ),
        (
            "deformable",
            lambda d, r: mx.sym.contrib.DeformablePSROIPooling(
                d, r, output_dim=1, pooled_size=1, group_size=1, sample_per_part=2, spatial_scale=1.0, no_trans=True
            )[0],
            5,
        ),
    ],
)
def test_image_numbers_are_cut_off(name, make, width, tmp_path):
    data = np.arange(2 * 1 * 4 * 4, dtype=np.float32).reshape(2, 1, 4, 4)
    symbol, rois = make(mx.sym.var("data"), mx.sym.var("rois")), regions(width)
    net = mx.gluon.SymbolBlock(symbol, [mx.sym.var("data"), mx.sym.var("rois")])
    expected = net(nd.array(data), nd.array(rois)).asnumpy()
    assert (expected[4:] == 0).all()
    near(expected[2], expected[0])
    near(expected[1], expected[0])
    if name in MXNETS:
        near(expected.reshape(-1), np.array(MXNETS[name], np.float32))
    path = export_model(symbol, {}, [data.shape, rois.shape], onnx_file_path=tmp_path / "net.onnx", dynamic=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    near(session.run(None, {"data": data, "rois": rois})[0], expected)


def test_states_that_are_inputs_are_updated():
    names = ["weight", "grad", "mom"]
    net = mx.gluon.SymbolBlock(
        mx.sym.sgd_mom_update(*(mx.sym.var(n) for n in names), lr=0.5, momentum=0.9), [mx.sym.var(n) for n in names]
    )
    momentum = nd.ones(3)
    near(net(nd.ones(3), nd.ones(3) * 2, momentum), np.full(3, 0.9, np.float32))
    near(momentum, np.full(3, -0.1, np.float32))


def test_windows_of_one_image():
    symbol = mx.sym.image.crop(mx.sym.var("data"), x=1, y=2, width=3, height=2)
    net = mx.gluon.SymbolBlock(symbol, mx.sym.var("data"))
    net.hybridize()
    image = np.arange(72, dtype=np.float32).reshape(4, 6, 3)
    near(net(nd.array(image)), image[2:4, 1:4])
