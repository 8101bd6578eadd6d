"""Wrong calls of spatial operators, and the two forms of UpSampling."""

import pytest

import gluonnx as mx
from gluonnx import nd


def test_bilinear_upsampling_makes_its_weight_up():
    data = mx.sym.var("data")
    up = mx.sym.UpSampling(data, scale=2, sample_type="bilinear", num_filter=3, name="up")
    assert up.list_arguments() == ["data", "up_weight"]
    assert up.attr_dict()["up_weight"]["__init__"] == '["bilinear", {}]'
    assert up.infer_shape(data=(1, 3, 4, 5)) == ([(1, 3, 4, 5), (3, 1, 4, 4)], [(1, 3, 8, 10)], [])
    again = mx.sym.load_json(up.tojson())
    assert again.list_arguments() == ["data", "up_weight"]
    named = mx.sym.UpSampling(weight=mx.sym.var("w"), data=data, scale=2, sample_type="bilinear", num_filter=3)
    assert named.list_arguments() == ["data", "w"]
    near = mx.sym.UpSampling(arg0=data, scale=2, sample_type="nearest", name="near")
    assert near.list_arguments() == ["data"]
    with pytest.raises(mx.MXNetError, match=r"UpSampling: wrong number of inputs: expected 2 \(data, weight\), got 1"):
        nd.UpSampling(nd.ones((1, 3, 4, 4)), scale=2, sample_type="bilinear", num_filter=3)
    with pytest.raises(mx.MXNetError, match=r"num_filter=3 and weight of shape \(3, 1, 4, 4\), got num_filter=2"):
        nd.UpSampling(nd.ones((1, 3, 4, 4)), nd.ones((3, 1, 4, 4)), scale=2, sample_type="bilinear", num_filter=2)


X = nd.ones((1, 2, 4, 6))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: nd.contrib.BilinearResize2D(nd.ones((1, 4, 6)), height=2),
            r"wrong rank of data: .*4, 6",
        ),
        (lambda: nd.contrib.BilinearResize2D(X, height=0), r"attribute `height` has a wrong value: .*height=0"),
        (lambda: nd.contrib.BilinearResize2D(X, scale_width=2.0), r"scales do not come alone: .*scale_width=2.0"),
        (lambda: nd.contrib.BilinearResize2D(X, mode="odd_scale"), "scales do not come alone"),
        (
            lambda: nd.contrib.BilinearResize2D(X, mode="like"),
            r"expected 2 \(data, like\), got 1",
        ),
        (lambda: nd.contrib.BilinearResize2D(X, X), r"wrong number of inputs: expected 1 \(data\), got 2"),
        (lambda: nd.contrib.BilinearResize2D(X[:, :, :1], mode="to_even_down"), r"nothing is left: .*\(0, 6\)"),
        (lambda: nd.UpSampling(X, nd.ones((1, 2, 3, 6)), scale=2, sample_type="nearest"), r"no whole fraction .*arg1="),
        (lambda: nd.UpSampling(X, X[:, :1], scale=2, sample_type="nearest", multi_input_mode="sum"), "fit each other"),
        (lambda: nd.UpSampling(nd.ones((2, 3)), scale=2, sample_type="nearest"), "wrong rank of arg0"),
        (lambda: nd.UpSampling(X, scale=0, sample_type="nearest"), r"attribute `scale` has a wrong value: .*scale=0"),
        (lambda: nd.contrib.AdaptiveAvgPooling2D(X, output_size=(1, 2, 3)), r"`output_size` .*\(1, 2, 3\)"),
        (lambda: nd.Crop(X, h_w=(5, 3)), r"Crop: window is not inside the maps: .*h_w=\(5, 3\)"),
        (lambda: nd.Crop(X), r"got h_w=\(0, 0\)"),
        (lambda: nd.Crop(X, h_w=(2, 3), offset=(3, 3)), r"expected an offset of 0 to \(2, 3\), got offset=\(3, 3\)"),
        (lambda: nd.Crop(X, X, X), "Crop: too many inputs: expected 1 or 2, got 3"),
        (lambda: nd.GridGenerator(nd.ones((1, 5)), transform_type="affine"), r"wrong shape of data: expected \(N, 6\)"),
        (lambda: nd.GridGenerator(nd.ones((1, 6)), transform_type="affine"), r"target_shape=\(0, 0\)"),
        (lambda: nd.GridGenerator(X[:, :1], transform_type="warp"), r"wrong shape of data: expected \(N, 2, H, W\)"),
        (lambda: nd.BilinearSampler(X, nd.ones((2, 2, 3, 3))), r"wrong shape of grid: expected \(1, 2, h, w\)"),
        (
            lambda: nd.SpatialTransformer(
                X, nd.ones((2, 6)), target_shape=(2, 2), transform_type="affine", sampler_type="bilinear"
            ),
            "SpatialTransformer: batch sizes differ",
        ),
        (lambda: nd.Correlation(X, X[:, :1]), "Correlation: shapes differ"),
        (lambda: nd.Correlation(X, X, kernel_size=2), "expected an odd number, got kernel_size=2"),
        (lambda: nd.Correlation(X, X, max_displacement=5), "no patch with its neighbourhood fits"),
        (lambda: nd.Correlation(X, X, stride2=0), r"attribute `stride2` has a wrong value: .*stride2=0"),
        (lambda: nd.im2col(X, kernel=(7, 7)), r"im2col: kernel is larger .*expected at most \(4, 6\)"),
        (lambda: nd.im2col(X, kernel=3), r"im2col: attribute `kernel` has a wrong value: .*kernel=\(3,\)"),
        (lambda: nd.col2im(nd.ones((1, 9, 5)), output_size=(4, 4), kernel=(3, 3)), r"expected \(N, C \* 9, 4\)"),
        (lambda: nd.Pooling_v1(X, kernel=(9, 9)), r"Pooling_v1: kernel is larger .*\(4, 6\)"),
        (lambda: nd.Pooling_v1(X, kernel=(2,)), "Pooling_v1: windows are not those of maps"),
        (
            lambda: nd.Convolution_v1(X, nd.ones((1, 3, 3, 3)), kernel=(3, 3), num_filter=1, no_bias=True),
            "Convolution_v1: inputs do not fit each other",
        ),
        (
            lambda: nd.BatchNorm_v1(X, nd.ones(3), nd.ones(2), nd.ones(2), nd.ones(2)),
            r"BatchNorm_v1: inputs do not fit each other: .*gamma=\(3,\)",
        ),
        (lambda: nd.contrib.fft(nd.ones((1, 2, 3))), "_contrib_fft: wrong rank of data: expected 2 or 4"),
        (lambda: nd.contrib.ifft(nd.ones(3)), "_contrib_ifft: wrong rank of data"),
        (lambda: nd.contrib.count_sketch(nd.ones((1, 3)), nd.ones((1, 2)), nd.ones((1, 3)), out_dim=2), r"h=\(1, 2\)"),
        (lambda: nd.contrib.count_sketch(nd.ones((1, 3)), nd.ones((1, 3)), nd.ones((1, 3)), out_dim=1), "got 1 to 1"),
        (lambda: nd.contrib.count_sketch(nd.ones((1, 3)), nd.ones((1, 3)), nd.ones((1, 3)), out_dim=0), "out_dim=0"),
    ],
)
def test_wrong_calls(call, message):
    with pytest.raises(mx.MXNetError, match=message):
        call()
