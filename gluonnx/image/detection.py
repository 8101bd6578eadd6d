"""Augmenters and iterator for object detection: images with labels (objects, 5 or more).

A row of a label is class, left, top, right and bottom as shares of the image, and whatever follows. Draws are as those
of `augmenters`. Source: MXNet 1.9.1 python/mxnet/image/detection.py.
"""

import json
import math
import random
import warnings
from collections.abc import Iterator, Sequence
from numbers import Number
from typing import Any

import numpy as np
import numpy.typing as npt

from gluonnx import ndarray as nd
from gluonnx.errors import ArgumentError, InputTypeError, MXNetError
from gluonnx.image.augmenters import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Augmenter,
    CastAug,
    ForceResizeAug,
    ResizeAug,
    channel_values,
    colour_augmenters,
    plain,
)
from gluonnx.image.functions import copyMakeBorder, fixed_crop
from gluonnx.image.image_iter import ImageIter, LastBatch, logger
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.ops.opencv import opencv

Label = npt.NDArray[Any]
Box = tuple[int, int, int, int, Label]
"""Left, top, width and height of a window in pixels, and the label in it."""

CONSTANT_BORDER = 16
"""The border code that MXNet pads with; OpenCV takes it for a constant one."""


class DetAugmenter:
    """A change of an image and its label: call it with both. Its arguments are what `dumps` shows."""

    def __init__(self, **kwargs: Any) -> None:
        self._kwargs = plain(kwargs)

    def dumps(self) -> Any:
        """Return name and arguments as JSON."""
        return json.dumps([type(self).__name__.lower(), self._kwargs])

    def __call__(self, src: NDArray, label: Label) -> tuple[NDArray, Label]:
        """Return the changed image and label."""
        raise NotImplementedError(f"{type(self).__name__}: expected `__call__` to be overridden.")


class DetBorrowAug(DetAugmenter):
    """An `Augmenter` that leaves the label as it is.

    Raises:
        InputTypeError: `augmenter` is none.
    """

    def __init__(self, augmenter: Augmenter) -> None:
        if not isinstance(augmenter, Augmenter):
            raise InputTypeError(f"DetBorrowAug: expected an Augmenter, got {type(augmenter).__name__}.")
        super().__init__(augmenter=augmenter.dumps())
        self.augmenter = augmenter

    def dumps(self) -> Any:
        """Return the name and what the augmenter dumps."""
        return [type(self).__name__.lower(), self.augmenter.dumps()]

    def __call__(self, src: NDArray, label: Label) -> tuple[NDArray, Label]:
        return self.augmenter(src), label


class DetRandomSelectAug(DetAugmenter):
    """One of several augmenters, or with probability `skip_prob` none.

    Raises:
        ArgumentError: One of them is no `DetAugmenter`.
    """

    def __init__(self, aug_list: Any, skip_prob: float = 0) -> None:
        super().__init__(skip_prob=skip_prob)
        self.aug_list = list(aug_list) if isinstance(aug_list, (list, tuple)) else [aug_list]
        for augmenter in self.aug_list:
            if not isinstance(augmenter, DetAugmenter):
                raise ArgumentError(
                    f"DetRandomSelectAug: Allow DetAugmenter in list only: got {type(augmenter).__name__}."
                )
        self.skip_prob = skip_prob if self.aug_list else 1

    def dumps(self) -> Any:
        """Return the name and what each augmenter dumps."""
        return [type(self).__name__.lower(), [a.dumps() for a in self.aug_list]]

    def __call__(self, src: NDArray, label: Label) -> tuple[NDArray, Label]:
        if random.random() < self.skip_prob:
            return src, label
        random.shuffle(self.aug_list)
        chosen: tuple[NDArray, Label] = self.aug_list[0](src, label)
        return chosen


class DetHorizontalFlipAug(DetAugmenter):
    """With probability `p`, put the columns into reverse order; writes into the label."""

    def __init__(self, p: float) -> None:
        super().__init__(p=p)
        self.p = p

    def __call__(self, src: NDArray, label: Label) -> tuple[NDArray, Label]:
        if random.random() < self.p:
            src = nd.flip(src, axis=1)
            label[:, (1, 3)] = 1.0 - label[:, (3, 1)]
        return src, label


def _range(value: Any) -> Any:
    return value if isinstance(value, (tuple, list)) else (value, value)


def _areas(boxes: Label) -> Label:
    """Areas of boxes (left, top, right, bottom, ...)."""
    area: Label = np.maximum(0, boxes[:, 3] - boxes[:, 1]) * np.maximum(0, boxes[:, 2] - boxes[:, 0])
    return area


def _enabled(name: str, area_range: Any, aspect_ratio_range: Any, *, is_area_valid: bool) -> bool:
    """Return whether the ranges can be drawn from; warn if not."""
    for label, values, is_valid in (
        ("area_range", area_range, is_area_valid and area_range[0] <= area_range[1]),
        ("aspect_ratio_range", aspect_ratio_range, 0 < aspect_ratio_range[0] <= aspect_ratio_range[1]),
    ):
        if not is_valid:
            warnings.warn(f"Skip {name} due to invalid {label}: {values}", stacklevel=3)
            return False
    return True


class DetRandomCropAug(DetAugmenter):
    """Crop at random so that every object that is still seen is seen well enough.

    Args:
        min_object_covered: Each object in the crop has more than this share of its area in it.
        aspect_ratio_range: Least and greatest width / height, or one number.
        area_range: Least and greatest share of the image's area, or one number.
        min_eject_coverage: Objects with no more than this share of their area in the crop are dropped.
        max_attempts: After so many the image stays as it is.
    """

    def __init__(
        self,
        min_object_covered: float = 0.1,
        aspect_ratio_range: Any = (0.75, 1.33),
        area_range: Any = (0.05, 1.0),
        min_eject_coverage: float = 0.3,
        max_attempts: int = 50,
    ) -> None:
        aspect_ratio_range, area_range = _range(aspect_ratio_range), _range(area_range)
        super().__init__(
            min_object_covered=min_object_covered,
            aspect_ratio_range=aspect_ratio_range,
            area_range=area_range,
            min_eject_coverage=min_eject_coverage,
            max_attempts=max_attempts,
        )
        self.min_object_covered, self.min_eject_coverage = min_object_covered, min_eject_coverage
        self.aspect_ratio_range, self.area_range = aspect_ratio_range, area_range
        self.max_attempts = max_attempts
        self.enabled = _enabled("DetRandomCropAug", area_range, aspect_ratio_range, is_area_valid=area_range[1] > 0)

    def __call__(self, src: NDArray, label: Label) -> tuple[NDArray, Label]:
        found = self._propose(label, src.shape[0], src.shape[1])
        if found is None:
            return src, label
        x, y, width, height, label = found
        return fixed_crop(src, x, y, width, height, None), label

    def _propose(self, label: Label, height: int, width: int) -> Box | None:
        if not self.enabled or height <= 0 or width <= 0:
            return None
        least, most = (share * height * width for share in self.area_range)
        for _ in range(self.max_attempts):
            ratio = random.uniform(*self.aspect_ratio_range)
            if ratio <= 0:
                continue
            size = self._size(ratio, least, most, height, width)
            if size is None:
                continue
            wide, tall = size
            y, x = random.randint(0, max(0, height - tall)), random.randint(0, max(0, width - wide))
            if self._is_seen_well(label, x, y, wide, tall, height, width):
                cropped = self._cropped(label, x / width, y / height, wide / width, tall / height)
                if cropped is not None:
                    return x, y, wide, tall, cropped
        return None

    @staticmethod
    def _size(ratio: float, least: float, most: float, height: int, width: int) -> tuple[int, int] | None:
        """Draw width and height of a window of this aspect ratio, None if none fits."""
        tall, tallest = round(math.sqrt(least / ratio)), round(math.sqrt(most / ratio))
        if round(tallest * ratio) > width:
            tallest = int((width + 0.4999999) / ratio)
        tallest = min(tallest, height)
        tall = min(tall, tallest)
        if tall < tallest:
            tall = random.randint(tall, tallest)
        wide = round(tall * ratio)
        # Rounding may have led out of the range by one row.
        if wide * tall < least:
            tall += 1
            wide = round(tall * ratio)
        if wide * tall > most:
            tall -= 1
            wide = round(tall * ratio)
        is_inside = least <= wide * tall <= most and 0 <= wide <= width and 0 <= tall <= height
        return (wide, tall) if is_inside else None

    def _is_seen_well(self, label: Label, x: int, y: int, wide: int, tall: int, height: int, width: int) -> bool:
        if wide * tall < 2:
            return False
        areas = _areas(label[:, 1:])
        large = areas * width * height > 2
        if not large.any():
            return False
        boxes = label[large, 1:5]
        lower, upper = (x / width, y / height), ((x + wide) / width, (y + tall) / height)
        seen = np.concatenate([np.maximum(boxes[:, :2], lower), np.minimum(boxes[:, 2:], upper)], 1)
        seen[(seen[:, 0] >= seen[:, 2]) | (seen[:, 1] >= seen[:, 3])] = 0
        coverage = _areas(seen) / areas[large]
        coverage = coverage[coverage > 0]
        return coverage.size > 0 and bool(coverage.min() > self.min_object_covered)

    def _cropped(self, label: Label, x: float, y: float, wide: float, tall: float) -> Label | None:
        """Return the label in the window, without the objects that are too little in it; None if none is left."""
        out = label.copy()
        out[:, (1, 3)] = np.clip((out[:, (1, 3)] - x) / wide, 0, 1)
        out[:, (2, 4)] = np.clip((out[:, (2, 4)] - y) / tall, 0, 1)
        coverage = _areas(out[:, 1:]) * wide * tall / _areas(label[:, 1:])
        kept = (out[:, 3] > out[:, 1]) & (out[:, 4] > out[:, 2]) & (coverage > self.min_eject_coverage)
        return out[kept] if kept.any() else None


class DetRandomPadAug(DetAugmenter):
    """Put the image at a random place of a larger one.

    Args:
        aspect_ratio_range: Least and greatest width / height, or one number.
        area_range: Least and greatest area as a multiple of the image's, or one number.
        max_attempts: After so many the image stays as it is.
        pad_val: Colour of the rest, or one number.
    """

    def __init__(
        self,
        aspect_ratio_range: Any = (0.75, 1.33),
        area_range: Any = (1.0, 3.0),
        max_attempts: int = 50,
        pad_val: Any = (128, 128, 128),
    ) -> None:
        pad_val = (pad_val,) if isinstance(pad_val, Number) else pad_val
        aspect_ratio_range, area_range = _range(aspect_ratio_range), _range(area_range)
        super().__init__(
            aspect_ratio_range=aspect_ratio_range, area_range=area_range, max_attempts=max_attempts, pad_val=pad_val
        )
        self.pad_val = pad_val
        self.aspect_ratio_range, self.area_range = aspect_ratio_range, area_range
        self.max_attempts = max_attempts
        self.enabled = _enabled("DetRandomPadAug", area_range, aspect_ratio_range, is_area_valid=area_range[1] > 1.0)

    def __call__(self, src: NDArray, label: Label) -> tuple[NDArray, Label]:
        height, width, _ = src.shape
        found = self._propose(label, height, width)
        if found is None:
            return src, label
        x, y, wide, tall, label = found
        sides = (y, tall - y - height, x, wide - x - width)
        return copyMakeBorder(src, *sides, CONSTANT_BORDER, values=self.pad_val), label

    def _propose(self, label: Label, height: int, width: int) -> Box | None:
        if not self.enabled or height <= 0 or width <= 0:
            return None
        least, most = (share * height * width for share in self.area_range)
        for _ in range(self.max_attempts):
            ratio = random.uniform(*self.aspect_ratio_range)
            if ratio <= 0:
                continue
            tall, tallest = round(math.sqrt(least / ratio)), round(math.sqrt(most / ratio))
            if round(tall * ratio) < width:
                tall = int((width + 0.499999) / ratio)
            tall = min(max(tall, height), tallest)
            if tall < tallest:
                tall = random.randint(tall, tallest)
            wide = round(tall * ratio)
            if tall - height < 2 or wide - width < 2:
                continue
            y, x = random.randint(0, max(0, tall - height)), random.randint(0, max(0, wide - width))
            out = label.copy()
            out[:, (1, 3)] = (out[:, (1, 3)] * width + x) / wide
            out[:, (2, 4)] = (out[:, (2, 4)] * height + y) / tall
            return x, y, wide, tall, out
        return None


def CreateMultiRandCropAugmenter(  # noqa: N802 - MXNet's name
    min_object_covered: Any = 0.1,
    aspect_ratio_range: Any = (0.75, 1.33),
    area_range: Any = (0.05, 1.0),
    min_eject_coverage: Any = 0.3,
    max_attempts: Any = 50,
    skip_prob: float = 0,
) -> DetRandomSelectAug:
    """Return one `DetRandomCropAug` at random of as many as the longest list among the arguments has.

    Raises:
        ArgumentError: Lists of different lengths.
    """
    given = [min_object_covered, aspect_ratio_range, area_range, min_eject_coverage, max_attempts]
    lists = [value if isinstance(value, list) else [value] for value in given]
    count = max(len(values) for values in lists)
    if any(len(values) not in (1, count) for values in lists):
        raise ArgumentError(
            f"CreateMultiRandCropAugmenter: lists of different lengths: expected 1 or {count}, got "
            f"{[len(values) for values in lists]}."
        )
    rows = zip(*(values if len(values) == count else values * count for values in lists), strict=True)
    return DetRandomSelectAug([DetRandomCropAug(*row) for row in rows], skip_prob=skip_prob)


def CreateDetAugmenter(  # noqa: N802 - MXNet's name
    data_shape: Sequence[int],
    resize: int = 0,
    rand_crop: float = 0,
    rand_pad: float = 0,
    rand_gray: float = 0,
    rand_mirror: bool = False,
    mean: Any = None,
    std: Any = None,
    brightness: float = 0,
    contrast: float = 0,
    saturation: float = 0,
    pca_noise: float = 0,
    hue: float = 0,
    inter_method: int = 2,
    min_object_covered: Any = 0.1,
    aspect_ratio_range: Any = (0.75, 1.33),
    area_range: Any = (0.05, 3.0),
    min_eject_coverage: Any = 0.3,
    max_attempts: Any = 50,
    pad_val: Any = (127, 127, 127),
) -> list[DetAugmenter]:
    """Return augmenters that make images of `data_shape` (C, H, W) with their labels.

    `rand_crop` and `rand_pad` are probabilities; the other arguments are those of `CreateAugmenter`,
    `DetRandomCropAug` and `DetRandomPadAug`.

    Raises:
        ArgumentError: A wrong `mean` or `std`.
    """
    found: list[DetAugmenter] = [DetBorrowAug(ResizeAug(resize, inter_method))] if resize > 0 else []
    if rand_crop > 0:
        found.append(
            CreateMultiRandCropAugmenter(
                min_object_covered,
                aspect_ratio_range,
                area_range,
                min_eject_coverage,
                max_attempts,
                skip_prob=1 - rand_crop,
            )
        )
    if rand_mirror > 0:
        found.append(DetHorizontalFlipAug(0.5))
    if rand_pad > 0:
        pad = DetRandomPadAug(aspect_ratio_range, (1.0, area_range[1]), max_attempts, pad_val)
        found.append(DetRandomSelectAug([pad], 1 - rand_pad))
    mean = channel_values("mean", mean, IMAGENET_MEAN, (np.ndarray,))
    std = channel_values("std", std, IMAGENET_STD, (np.ndarray,))
    last: list[Augmenter] = [ForceResizeAug((data_shape[2], data_shape[1]), inter_method), CastAug()]
    last += colour_augmenters(brightness, contrast, saturation, hue, pca_noise, rand_gray, mean, std)
    return found + [DetBorrowAug(augmenter) for augmenter in last]


class ImageDetIter(ImageIter):
    """Batches of augmented images and of labels (N, objects, width), filled up with -1.

    The raw label of an image is: width of its header (2 or more), width of an object (5 or more), the rest of the
    header, and the objects. Arguments are those of `ImageIter`, and `CreateDetAugmenter`'s.
    """

    def __init__(
        self,
        batch_size: int,
        data_shape: Sequence[int],
        path_imgrec: str | None = None,
        path_imglist: str | None = None,
        path_root: str | None = None,
        path_imgidx: str | None = None,
        shuffle: bool = False,
        part_index: int = 0,
        num_parts: int = 1,
        aug_list: Any = None,
        imglist: list[Any] | None = None,
        data_name: str = "data",
        label_name: str = "label",
        last_batch_handle: LastBatch = "pad",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            batch_size=batch_size,
            data_shape=data_shape,
            path_imgrec=path_imgrec,
            path_imglist=path_imglist,
            path_root=path_root,
            path_imgidx=path_imgidx,
            shuffle=shuffle,
            part_index=part_index,
            num_parts=num_parts,
            aug_list=[],
            imglist=imglist,
            data_name=data_name,
            label_name=label_name,
            last_batch_handle=last_batch_handle,
        )
        self.auglist = CreateDetAugmenter(data_shape, **kwargs) if aug_list is None else aug_list
        self.label_shape = self._estimate_label_shape()
        self.provide_label = [(label_name, (batch_size, *self.label_shape))]

    def _estimate_label_shape(self) -> tuple[int, int]:
        """Return how many objects the fullest label has, and the width of one."""
        self.reset()
        count, width = 0, 0
        try:
            while True:
                label = self._parse_label(self.next_sample()[0])
                count, width = max(count, label.shape[0]), label.shape[1]
        except StopIteration:
            self.reset()
        return count, width

    def _parse_label(self, label: Any) -> Label:
        """Return the objects of a raw label whose boxes have an area.

        Raises:
            MXNetError: It is too short, its length does not fit its widths, or it has no such object.
        """
        raw = np.asarray(label.asnumpy() if isinstance(label, NDArray) else label).ravel()
        if raw.size < 7:
            raise MXNetError(f"ImageDetIter: Label shape is invalid: expected 7 numbers or more, got {raw.size}.")
        header, width = int(raw[0]), int(raw[1])
        if width < 5 or header < 2 or (raw.size - header) % width:
            raise MXNetError(
                f"ImageDetIter: label of {raw.size} numbers inconsistent with its widths: got header={header}, "
                f"object={width}."
            )
        out = raw[header:].reshape(-1, width)
        kept = (out[:, 3] > out[:, 1]) & (out[:, 4] > out[:, 2])
        if not kept.any():
            raise MXNetError(
                "ImageDetIter: no valid label in a sample: expected a box with right > left, bottom > top."
            )
        return out[kept]

    def _check_valid_label(self, label: Label) -> None:
        if label.ndim != 2 or label.shape[1] < 5:
            raise MXNetError(f"ImageDetIter: Label with shape (1+, 5+) required, {label.shape} received.")
        if not ((label[:, 0] >= 0) & (label[:, 3] > label[:, 1]) & (label[:, 4] > label[:, 2])).any():
            raise MXNetError("ImageDetIter: invalid label after augmentation: expected an object of a class from 0.")

    def reshape(self, data_shape: Sequence[int] | None = None, label_shape: Sequence[int] | None = None) -> None:
        """Give the batches another shape of images, of labels, or both."""
        if data_shape is not None:
            self.check_data_shape(data_shape)
            self.data_shape = tuple(data_shape)
            self.provide_data = [(self.provide_data[0][0], (self.batch_size, *data_shape))]
        if label_shape is not None:
            self.check_label_shape(label_shape)
            self.label_shape = (label_shape[0], label_shape[1])
            self.provide_label = [(self.provide_label[0][0], (self.batch_size, *label_shape))]

    def _new_batch(self) -> tuple[NDArray, NDArray]:
        return nd.zeros(self.provide_data[0][1]), nd.full(self.provide_label[0][1], -1.0)

    def _add(self, batch_data: NDArray, batch_label: NDArray, place: int, label: Any, image: NDArray) -> int:
        try:
            self.check_valid_image([image])
            image, objects = self.augmentation_transform(image, self._parse_label(label))
            self._check_valid_label(objects)
        except RuntimeError as err:
            logger.debug("image left out: %s", err)
            return 0
        batch_data[place] = self.postprocess_data(image)
        batch_label[place] = -1.0
        batch_label[place, : objects.shape[0]] = nd.array(objects)
        return 1

    def augmentation_transform(self, data: NDArray, label: Any = None) -> Any:
        """Apply the augmenters; return image and label."""
        for augmenter in self.auglist:
            data, label = augmenter(data, label)
        return data, label

    def check_label_shape(self, label_shape: Sequence[int]) -> None:
        """Raise ValueError unless labels of this shape hold what the images have."""
        if len(label_shape) != 2:
            raise ValueError(f"ImageDetIter: label_shape should have length 2: got label_shape={label_shape}.")
        if label_shape[0] < self.label_shape[0]:
            raise ValueError(
                f"ImageDetIter: Attempts to reduce label count from {self.label_shape[0]} to {label_shape[0]}, not "
                "allowed."
            )
        if label_shape[1] != self.label_shape[1]:
            raise ValueError(
                f"ImageDetIter: label_shape object width inconsistent: {self.label_shape[1]} vs {label_shape[1]}."
            )

    def draw_next(
        self,
        color: Sequence[float] | None = None,
        thickness: int = 2,
        mean: Any = None,
        std: Any = None,
        clip: bool = True,
        waitKey: int | None = None,  # noqa: N803 - MXNet's name
        window_name: str = "draw_next",
        id2labels: dict[int, str] | None = None,
    ) -> Iterator[npt.NDArray[np.uint8]]:
        """Yield the augmented images (H, W, BGR) with the boxes drawn.

        Args:
            color: Of the boxes, RGB; None: any.
            thickness: Of their lines.
            mean: What `color_normalize` subtracted, to be given back; True: ImageNet's.
            std: What it divided by, to be given back; True: ImageNet's.
            clip: Keep values from 0 to 255.
            waitKey: Show each image in a window for so many milliseconds; 0 until a key is pressed. Needs an OpenCV
                with windows.
            window_name: Title of the window.
            id2labels: Names of the classes, to be written into the boxes.
        """
        cv2 = opencv()
        std = channel_values("std", std, IMAGENET_STD, (np.ndarray,))
        mean = channel_values("mean", mean, IMAGENET_MEAN, (np.ndarray,))
        while True:
            try:
                raw, encoded = self.next_sample()
            except StopIteration:
                return
            try:
                data, label = self.imdecode(encoded), self._parse_label(raw)
            except MXNetError as err:
                logger.debug("image left out: %s", err)
                continue
            data, label = self.augmentation_transform(data, label)
            pixels = data.asnumpy().astype(np.float32)
            pixels = pixels * (1.0 if std is None else std) + (0.0 if mean is None else mean)
            pixels = np.clip(pixels, 0, 255) if clip else pixels
            image = np.ascontiguousarray(pixels[:, :, ::-1].astype(np.uint8))
            for row in label:
                self._draw(cv2, image, row, color, thickness, id2labels)
            if waitKey is not None:
                cv2.imshow(window_name, image)
                cv2.waitKey(waitKey)
            yield image

    @staticmethod
    def _draw(
        cv2: Any, image: npt.NDArray[np.uint8], row: Label, color: Any, thickness: int, names: dict[int, str] | None
    ) -> None:
        height, width, _ = image.shape
        left, top, right, bottom = (int(v * s) for v, s in zip(row[1:5], (width, height, width, height), strict=True))
        if left < 0:
            return
        line = tuple(np.random.rand(3) * 255) if color is None else tuple(color)[::-1]
        cv2.rectangle(image, (left, top), (right, bottom), line, thickness)
        if names is not None and int(row[0]) in names:
            text, font, scale = names[int(row[0])], cv2.FONT_HERSHEY_SIMPLEX, 0.5
            text_height = cv2.getTextSize(text, font, scale, 2)[0][1]
            cv2.putText(image, text, (left + 5, top + text_height + 5), font, scale, (255, 255, 255), 2)

    def sync_label_shape(self, it: "ImageDetIter", verbose: bool = False) -> "ImageDetIter":
        """Give this iterator and another one labels of the same shape; return the other one.

        Raises:
            ArgumentError: The other one is no `ImageDetIter`, or its objects have another width.
        """
        if not isinstance(it, ImageDetIter) or it.label_shape[1] != self.label_shape[1]:
            given = it.label_shape if isinstance(it, ImageDetIter) else type(it).__name__
            raise ArgumentError(
                "ImageDetIter: Synchronize with invalid iterator: expected one with objects of width "
                f"{self.label_shape[1]}, got {given}."
            )
        shape = (max(self.label_shape[0], it.label_shape[0]), self.label_shape[1])
        for one in (self, it):
            if one.label_shape != shape:
                one.reshape(None, shape)
                if verbose:
                    logger.info("Resized label_shape to (%d, %d).", *shape)
        return it
