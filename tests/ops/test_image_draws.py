"""What the random image operators draw; what they do with it is in the matrix."""

import pytest
import torch
from ops.matrix import call

from gluonnx.errors import AttributeValueError, InputError, MissingPackageError
from gluonnx.ops import TABLE, opencv

DRAWS = 400


def drawn(name, data, **attrs):
    """The operator's result for `DRAWS` seeds."""
    op = TABLE["_image_" + name]
    return torch.stack([call(op, [data], op.parse(attrs), seed=s).outputs[0] for s in range(DRAWS)])


def assert_uniform(values, low, high):
    assert low <= values.min() < low + 0.05 * (high - low)
    assert high >= values.max() > high - 0.05 * (high - low)
    assert values.mean().item() == pytest.approx((low + high) / 2, abs=4 * (high - low) / (12 * DRAWS) ** 0.5)


def test_factors_are_uniform():
    picture = torch.tensor([[[10.0, 20.0, 100.0]]])
    brightness = drawn("random_brightness", picture, min_factor=0.5, max_factor=1.5) / picture
    assert torch.allclose(brightness[..., :1], brightness)
    assert_uniform(brightness[..., 0], 0.5, 1.5)
    two = torch.tensor([[[0.0], [2.0]]])
    contrast = drawn("random_contrast", two, min_factor=0.2, max_factor=1.0)
    assert torch.allclose(contrast.mean(2), torch.ones(()))
    assert_uniform((contrast[:, 0, 1, 0] - contrast[:, 0, 0, 0]) / 2, 0.2, 1.0)
    saturation = drawn("random_saturation", torch.tensor([[[50.0, 20.0, 0.0]]]), min_factor=0.0, max_factor=2.0)
    assert_uniform(saturation[:, 0, 0, 0] / 50, 0.0, 2.0)


def test_hues_turn_around_the_circle():
    red = torch.tensor([[[255.0, 0.0, 0.0]]])
    turned = drawn("random_hue", red, min_factor=0.0, max_factor=1 / 3)[:, 0, 0]
    assert torch.allclose(turned.amax(1), torch.tensor(255.0))
    assert turned[:, 2].abs().max() < 1e-2  # between red and green there is no blue
    rising = turned[:, 0] > 254.99
    place = torch.where(rising, turned[:, 1] / 255, 2 - turned[:, 0] / 255)
    assert_uniform(place / 2, 0.0, 1.0)


@pytest.mark.parametrize(("name", "axis"), [("random_flip_left_right", 1), ("random_flip_top_bottom", 0)])
def test_flips_are_as_often_as_not(name, axis):
    picture = torch.arange(12.0).reshape(2, 2, 3)
    results = drawn(name, picture)
    flipped = torch.tensor([torch.equal(r, picture.flip(axis)) for r in results])
    same = torch.tensor([torch.equal(r, picture) for r in results])
    assert bool((flipped ^ same).all())
    assert 0.4 < flipped.double().mean() < 0.6


def test_lighting_follows_the_colours_of_imagenet():
    results = drawn("random_lighting", torch.zeros(1, 1, 3), alpha_std=0.1)[:, 0, 0].double()
    vectors = torch.tensor([[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]])
    values = torch.tensor([55.46, 4.794, 1.148])
    alpha = torch.linalg.solve(vectors.double() * values, results.T).T
    assert alpha.mean(0).abs().max() < 0.02
    assert torch.allclose(alpha.std(0), torch.tensor(0.1).double(), rtol=0.15)


def test_jitter_draws_order_and_factors():
    picture = torch.tensor([[[40.0, 80.0, 120.0], [10.0, 20.0, 200.0]]])
    only = drawn("random_color_jitter", picture, brightness=0.3, contrast=0, saturation=0, hue=0) / picture
    assert_uniform(only[:, 0, 0, 0], 0.7, 1.3)
    nothing = drawn("random_color_jitter", picture, brightness=0, contrast=0, saturation=0, hue=0)
    assert bool((nothing == picture).all())
    every = drawn("random_color_jitter", picture, brightness=0.3, contrast=0.3, saturation=0.3, hue=0.1)
    assert len({tuple(r.flatten().tolist()) for r in every}) == DRAWS


@pytest.mark.parametrize(
    ("name", "shape", "attrs", "message"),
    [
        ("to_tensor", (4, 6), {}, r"_image_to_tensor: wrong rank of data: .*got data=\(4, 6\)"),
        ("normalize", (2, 4, 6), {"mean": 1, "std": 1}, r"_image_normalize: wrong number of channels: .*got 2"),
        (
            "normalize",
            (3, 4, 6),
            {"mean": (1, 2)},
            r"attribute `mean` has a wrong length: expected 1 or 3.*\(1.0, 2.0\)",
        ),
        ("normalize", (3, 4, 6), {}, "attribute `mean` has a wrong length"),
        ("crop", (4, 6, 3), {"x": 4, "y": 0, "width": 3, "height": 2}, r"_image_crop: window is not inside.*width 6"),
        ("crop", (4, 6, 3), {"x": -1, "y": 0, "width": 3, "height": 2}, r"_image_crop: window is not inside.*x=-1"),
        ("resize", (4, 6, 3), {}, r"attribute `size` has a wrong value: .*got size=\(\)"),
        ("resize", (4, 6, 3), {"size": 2, "interp": 9}, r"attribute `interp` has a wrong value: .*got interp=9"),
        ("resize", (4, 6), {"size": 2}, r"_image_resize: wrong rank of data: .*\(4, 6\)"),
        ("random_brightness", (4, 6, 2), {"min_factor": 0, "max_factor": 1}, r"wrong number of channels: .*4, 6, 2"),
        ("random_hue", (4, 6, 3), {"min_factor": 2, "max_factor": 1}, "min_factor=2.0, max_factor=1.0"),
        ("random_color_jitter", (1, 1, 3), dict.fromkeys(("brightness", "contrast", "saturation", "hue"), -1), "-1.0"),
        ("random_lighting", (1, 1, 3), {"alpha_std": -1}, r"attribute `alpha_std` has a wrong value: .*-1.0"),
        ("adjust_lighting", (1, 1, 3), {"alpha": 1}, r"attribute `alpha` has a wrong length: .*\(1.0,\)"),
        ("flip_left_right", (2, 4, 6, 3), {}, r"wrong rank of data: expected \(H, W, C\), got data=\(2, 4, 6, 3\)"),
    ],
)
def test_wrong_calls(name, shape, attrs, message):
    op = TABLE["_image_" + name]
    with pytest.raises((InputError, AttributeValueError), match=message):
        call(op, [torch.zeros(shape)], op.parse(attrs))


def test_opencv_takes_some_dtypes_only():
    op = TABLE["_cvimresize"]
    with pytest.raises(InputError, match=r"_cvimresize: OpenCV does not take this dtype: expected one of uint8.*int64"):
        call(op, [torch.zeros(2, 2, 3, dtype=torch.int64)], op.parse({"w": 1, "h": 1}))
    with pytest.raises(AttributeValueError, match=r"nothing is left of the image: .*width=0, height=1"):
        call(op, [torch.zeros(2, 2, 3)], op.parse({"w": 0, "h": 1}))
    border = TABLE["_cvcopyMakeBorder"]
    sides = {"top": 1, "bot": 1, "left": 1, "right": 1}
    with pytest.raises(AttributeValueError, match=r"attribute `type` has a wrong value: .*type=5"):
        call(border, [torch.zeros(2, 2, 3)], border.parse({**sides, "type": 5}))
    with pytest.raises(AttributeValueError, match=r"wrong border: .*top=-1"):
        call(border, [torch.zeros(2, 2, 3)], border.parse({**sides, "top": -1}))


def test_without_opencv_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "cv2", None)
    opencv.opencv.cache_clear()
    try:
        with pytest.raises(MissingPackageError, match=r"opencv-python-headless.*Install `gluonnx\[image\]`"):
            opencv.opencv()
    finally:
        opencv.opencv.cache_clear()


def test_ipp_is_left_as_it_was():
    cv2 = opencv.opencv()
    before = cv2.ipp.useIPP()
    with opencv.plain_kernels():
        assert not cv2.ipp.useIPP()
    assert cv2.ipp.useIPP() == before
