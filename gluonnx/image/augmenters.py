"""Augmenters: changes of images (H, W, C) on their way into a batch.

They draw from Python's `random` and numpy's global generator, in MXNet's order. Those on colours expect float images
and, like MXNet's, write into the array that they are given. Source: MXNet 1.9.1 python/mxnet/image/image.py.
"""

import json
import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from gluonnx import ndarray as nd
from gluonnx.errors import ArgumentError
from gluonnx.image.functions import (
    _area,
    _get_interp_method,
    center_crop,
    color_normalize,
    imresize,
    random_crop,
    random_size_crop,
    resize_short,
)
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.ops.image import EIGENVALUES, EIGENVECTORS, GRAY

IMAGENET_MEAN = (123.68, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)
"""Mean and deviation of ImageNet's red, green and blue. Source: MXNet 1.9.1."""

YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.321], [0.211, -0.523, 0.311]])
FROM_YIQ = np.array([[1.0, 0.956, 0.621], [1.0, -0.272, -0.647], [1.0, -1.107, 1.705]])
"""To the colour space YIQ and back, in which a hue turns linearly. Source: NTSC, rounded as MXNet has it."""


def plain(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return arguments with arrays as lists, as `dumps` shows them."""
    arrays = {k: v.asnumpy() if isinstance(v, NDArray) else v for k, v in kwargs.items()}
    return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in arrays.items()}


class Augmenter:
    """A change of an image: call it with one. Its arguments are what `dumps` shows."""

    def __init__(self, **kwargs: Any) -> None:
        self._kwargs = plain(kwargs)

    def dumps(self) -> Any:
        """Return name and arguments as JSON."""
        return json.dumps([type(self).__name__.lower(), self._kwargs])

    def __call__(self, src: NDArray) -> NDArray:
        """Return the changed image."""
        raise NotImplementedError(f"{type(self).__name__}: expected `__call__` to be overridden.")


class SequentialAug(Augmenter):
    """Augmenters one after another."""

    def __init__(self, ts: Sequence[Augmenter]) -> None:
        super().__init__()
        self.ts = ts

    def dumps(self) -> Any:
        """Return the name and what each augmenter dumps."""
        return [type(self).__name__.lower(), [t.dumps() for t in self.ts]]

    def __call__(self, src: NDArray) -> NDArray:
        for t in self.ts:
            src = t(src)
        return src


class RandomOrderAug(Augmenter):
    """Augmenters in random order."""

    def __init__(self, ts: list[Augmenter]) -> None:
        super().__init__()
        self.ts = ts

    def dumps(self) -> Any:
        """Return the name and what each augmenter dumps."""
        return [type(self).__name__.lower(), [t.dumps() for t in self.ts]]

    def __call__(self, src: NDArray) -> NDArray:
        random.shuffle(self.ts)
        for t in self.ts:
            src = t(src)
        return src


class ResizeAug(Augmenter):
    """`resize_short`: the shorter side gets `size` pixels."""

    def __init__(self, size: int, interp: int = 2) -> None:
        super().__init__(size=size, interp=interp)
        self.size, self.interp = size, interp

    def __call__(self, src: NDArray) -> NDArray:
        return resize_short(src, self.size, self.interp)


class ForceResizeAug(Augmenter):
    """Resize to `size` (width, height) whatever the aspect ratio."""

    def __init__(self, size: Sequence[int], interp: int = 2) -> None:
        super().__init__(size=size, interp=interp)
        self.size, self.interp = size, interp

    def __call__(self, src: NDArray) -> NDArray:
        sizes = (src.shape[0], src.shape[1], self.size[1], self.size[0])
        return imresize(src, self.size[0], self.size[1], interp=_get_interp_method(self.interp, sizes))


class RandomCropAug(Augmenter):
    """`random_crop` to `size` (width, height)."""

    def __init__(self, size: Sequence[int], interp: int = 2) -> None:
        super().__init__(size=size, interp=interp)
        self.size, self.interp = size, interp

    def __call__(self, src: NDArray) -> NDArray:
        return random_crop(src, self.size, self.interp)[0]


class RandomSizedCropAug(Augmenter):
    """`random_size_crop` to `size` (width, height)."""

    def __init__(self, size: Sequence[int], area: Any, ratio: Sequence[float], interp: int = 2, **kwargs: Any) -> None:
        super().__init__(size=size, area=area, ratio=ratio, interp=interp)
        self.size, self.ratio, self.interp = size, ratio, interp
        self.area = _area(area, kwargs, "RandomSizedCropAug")

    def __call__(self, src: NDArray) -> NDArray:
        return random_size_crop(src, self.size, self.area, self.ratio, self.interp)[0]


class CenterCropAug(Augmenter):
    """`center_crop` to `size` (width, height)."""

    def __init__(self, size: Sequence[int], interp: int = 2) -> None:
        super().__init__(size=size, interp=interp)
        self.size, self.interp = size, interp

    def __call__(self, src: NDArray) -> NDArray:
        return center_crop(src, self.size, self.interp)[0]


def _factor(width: float) -> float:
    return 1.0 + random.uniform(-width, width)


class BrightnessJitterAug(Augmenter):
    """Multiply by a factor from 1 - `brightness` to 1 + `brightness`."""

    def __init__(self, brightness: float) -> None:
        super().__init__(brightness=brightness)
        self.brightness = brightness

    def __call__(self, src: NDArray) -> NDArray:
        src *= _factor(self.brightness)
        return src


class ContrastJitterAug(Augmenter):
    """Move towards or away from the mean brightness by a factor from 1 - `contrast` to 1 + `contrast`."""

    def __init__(self, contrast: float) -> None:
        super().__init__(contrast=contrast)
        self.contrast = contrast
        self.coef = nd.array([[GRAY]])

    def __call__(self, src: NDArray) -> NDArray:
        factor = _factor(self.contrast)
        gray = src * self.coef
        shift = (3.0 * (1.0 - factor) / gray.size) * gray.sum()
        src *= factor
        src += shift
        return src


class SaturationJitterAug(Augmenter):
    """Move towards or away from the gray image by a factor from 1 - `saturation` to 1 + `saturation`."""

    def __init__(self, saturation: float) -> None:
        super().__init__(saturation=saturation)
        self.saturation = saturation
        self.coef = nd.array([[GRAY]])

    def __call__(self, src: NDArray) -> NDArray:
        factor = _factor(self.saturation)
        gray = (src * self.coef).sum(axis=2, keepdims=True) * (1.0 - factor)
        src *= factor
        src += gray
        return src


class HueJitterAug(Augmenter):
    """Turn the hues by up to half a circle times `hue`, approximately: linearly in the colour space YIQ."""

    def __init__(self, hue: float) -> None:
        super().__init__(hue=hue)
        self.hue = hue
        self.tyiq, self.ityiq = YIQ, FROM_YIQ

    def __call__(self, src: NDArray) -> NDArray:
        angle = random.uniform(-self.hue, self.hue) * np.pi
        cosine, sine = np.cos(angle), np.sin(angle)
        turn = np.array([[1.0, 0.0, 0.0], [0.0, cosine, -sine], [0.0, sine, cosine]])
        return nd.dot(src, nd.array((self.ityiq @ turn @ self.tyiq).T))  # type: ignore[no-any-return]


class ColorJitterAug(RandomOrderAug):
    """Brightness, contrast and saturation jitter in random order; 0 leaves one out."""

    def __init__(self, brightness: float, contrast: float, saturation: float) -> None:
        ts: list[Augmenter] = []
        if brightness > 0:
            ts.append(BrightnessJitterAug(brightness))
        if contrast > 0:
            ts.append(ContrastJitterAug(contrast))
        if saturation > 0:
            ts.append(SaturationJitterAug(saturation))
        super().__init__(ts)


class LightingAug(Augmenter):
    """Add normally distributed shares, of deviation `alphastd`, of the principal components of colours."""

    def __init__(self, alphastd: float, eigval: Any, eigvec: Any) -> None:
        super().__init__(alphastd=alphastd, eigval=eigval, eigvec=eigvec)
        self.alphastd, self.eigval, self.eigvec = alphastd, eigval, eigvec

    def __call__(self, src: NDArray) -> NDArray:
        alpha = np.random.normal(0, self.alphastd, size=(3,))
        src += nd.array(np.dot(self.eigvec * alpha, self.eigval))
        return src


class ColorNormalizeAug(Augmenter):
    """`color_normalize` with `mean` and `std`, arrays or None."""

    def __init__(self, mean: Any, std: Any) -> None:
        super().__init__(mean=mean, std=std)
        self.mean = mean if mean is None or isinstance(mean, NDArray) else nd.array(mean)
        self.std = std if std is None or isinstance(std, NDArray) else nd.array(std)

    def __call__(self, src: NDArray) -> NDArray:
        return color_normalize(src, self.mean, self.std)


class RandomGrayAug(Augmenter):
    """With probability `p`, give all channels the image's brightness."""

    def __init__(self, p: float) -> None:
        super().__init__(p=p)
        self.p = p
        self.mat = nd.array([[0.21] * 3, [0.72] * 3, [0.07] * 3])

    def __call__(self, src: NDArray) -> NDArray:
        return nd.dot(src, self.mat) if random.random() < self.p else src


class HorizontalFlipAug(Augmenter):
    """With probability `p`, put the columns into reverse order."""

    def __init__(self, p: float) -> None:
        super().__init__(p=p)
        self.p = p

    def __call__(self, src: NDArray) -> NDArray:
        return nd.flip(src, axis=1) if random.random() < self.p else src


class CastAug(Augmenter):
    """Cast to the dtype `typ`."""

    def __init__(self, typ: str = "float32") -> None:
        super().__init__(type=typ)
        self.typ = typ

    def __call__(self, src: NDArray) -> NDArray:
        return src.astype(self.typ)


def channel_values(name: str, value: Any, imagenet: Sequence[float], kinds: tuple[type[Any], ...]) -> Any:
    """Return what `mean=` or `std=` stands for: True is ImageNet's, an array is itself.

    Raises:
        ArgumentError: Something else, or an array of other than 1 or 3 numbers.
    """
    if value is True:
        return np.array(imagenet)
    if value is not None and (not isinstance(value, kinds) or value.shape[0] not in (1, 3)):
        raise ArgumentError(
            f"augmenters: wrong {name}: expected True, None or an array of 1 or 3 numbers, got {name}={value!r}."
        )
    return value


def colour_augmenters(
    brightness: float,
    contrast: float,
    saturation: float,
    hue: float,
    pca_noise: float,
    rand_gray: float,
    mean: Any,
    std: Any,
) -> list[Augmenter]:
    """Return the augmenters of colours that are asked for, in MXNet's order."""
    found: list[Augmenter] = []
    if brightness or contrast or saturation:
        found.append(ColorJitterAug(brightness, contrast, saturation))
    if hue:
        found.append(HueJitterAug(hue))
    if pca_noise > 0:
        found.append(LightingAug(pca_noise, np.array(EIGENVALUES), np.array(EIGENVECTORS)))
    if rand_gray > 0:
        found.append(RandomGrayAug(rand_gray))
    if mean is not None or std is not None:
        found.append(ColorNormalizeAug(mean, std))
    return found


def CreateAugmenter(  # noqa: N802 - MXNet's name
    data_shape: Sequence[int],
    resize: int = 0,
    rand_crop: bool = False,
    rand_resize: bool = False,
    rand_mirror: bool = False,
    mean: Any = None,
    std: Any = None,
    brightness: float = 0,
    contrast: float = 0,
    saturation: float = 0,
    hue: float = 0,
    pca_noise: float = 0,
    rand_gray: float = 0,
    inter_method: int = 2,
) -> list[Augmenter]:
    """Return augmenters that make images of `data_shape` (C, H, W).

    Args:
        data_shape: Shape of the result.
        resize: Above 0: resize the shorter side to this first.
        rand_crop: Crop at a random place, not the middle.
        rand_resize: Crop 8% to 100% of the area at aspect ratios from 3/4 to 4/3; needs `rand_crop`.
        rand_mirror: Flip every other image.
        mean: Of the channels: an array, or True for ImageNet's.
        std: Deviations of the channels: an array, or True for ImageNet's.
        brightness: Width of its jitter.
        contrast: Width of its jitter.
        saturation: Width of its jitter.
        hue: Width of its jitter.
        pca_noise: Deviation of the noise of `LightingAug`.
        rand_gray: Probability of gray.
        inter_method: Interpolation, as `resize_short`.

    Raises:
        ArgumentError: `rand_resize` without `rand_crop`, or a wrong `mean` or `std`.

    Examples:
        >>> [type(a).__name__ for a in CreateAugmenter((3, 300, 300), rand_mirror=True, mean=True)]
        ['CenterCropAug', 'HorizontalFlipAug', 'CastAug', 'ColorNormalizeAug']
    """
    found: list[Augmenter] = [ResizeAug(resize, inter_method)] if resize > 0 else []
    size = (data_shape[2], data_shape[1])
    if rand_resize:
        if not rand_crop:
            raise ArgumentError("CreateAugmenter: rand_resize needs rand_crop: expected rand_crop=True, got False.")
        found.append(RandomSizedCropAug(size, 0.08, (3.0 / 4.0, 4.0 / 3.0), inter_method))
    else:
        found.append(RandomCropAug(size, inter_method) if rand_crop else CenterCropAug(size, inter_method))
    if rand_mirror:
        found.append(HorizontalFlipAug(0.5))
    found.append(CastAug())
    kinds = (np.ndarray, NDArray)
    mean = nd.array(IMAGENET_MEAN) if mean is True else channel_values("mean", mean, IMAGENET_MEAN, kinds)
    std = nd.array(IMAGENET_STD) if std is True else channel_values("std", std, IMAGENET_STD, kinds)
    return found + colour_augmenters(brightness, contrast, saturation, hue, pca_noise, rand_gray, mean, std)
