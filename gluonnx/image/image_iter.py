"""Iterator over images in files or in a record file. Source: MXNet 1.9.1 python/mxnet/image/image.py."""

import logging
import os
import random
from collections.abc import Sequence
from numbers import Number
from pathlib import Path
from typing import Any, Literal

from gluonnx import ndarray as nd
from gluonnx.errors import ArgumentError, MXNetError
from gluonnx.image.augmenters import CreateAugmenter
from gluonnx.image.functions import imdecode
from gluonnx.io.io import DataBatch, DataIter
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.recordio import MXIndexedRecordIO, MXRecordIO, unpack

LABEL_DTYPES = ("int32", "float32", "int64", "float64")
logger = logging.getLogger(__name__)

LastBatch = Literal["pad", "discard", "roll_over"]


class ImageIter(DataIter):
    """Batches of augmented images (N, 3, H, W) and their labels.

    Images come from a record file (`path_imgrec`, with `path_imgidx` in any order), or from files that a list names:
    `path_imglist`, lines of a number, labels and a path between tabs, or `imglist`, lists of labels and a path.

    Args:
        batch_size: Images of a batch.
        data_shape: (3, height, width) of each.
        label_width: Numbers of a label.
        path_imgrec: Record file.
        path_imglist: List of images; beside a record file its labels take the place of the records'.
        path_root: Folder that the paths start from.
        path_imgidx: Index of the record file.
        shuffle: Put the images into random order at each reset, by Python's `random`.
        part_index, num_parts: Take one of so many equal parts.
        aug_list: Augmenters; None: those of `CreateAugmenter(data_shape, **kwargs)`.
        imglist: The list of images itself.
        data_name, label_name: Names of the arrays.
        dtype: Of the labels that a list gives.
        last_batch_handle: What is left at the end becomes a batch with the first images (`pad`), is left out
            (`discard`), or begins the next epoch (`roll_over`).
        kwargs: Arguments of `CreateAugmenter`.

    Raises:
        ArgumentError: No source of images, an unknown dtype, or parts or shuffling without an index.
        ValueError: `data_shape` is not that of three-channel images.
    """

    def __init__(
        self,
        batch_size: int,
        data_shape: Sequence[int],
        label_width: int = 1,
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
        label_name: str = "softmax_label",
        dtype: str = "float32",
        last_batch_handle: LastBatch = "pad",
        **kwargs: Any,
    ) -> None:
        super().__init__(batch_size)
        name = type(self).__name__
        if not (path_imgrec or path_imglist or isinstance(imglist, list)):
            raise ArgumentError(f"{name}: no images: expected path_imgrec, path_imglist or imglist, got none.")
        if dtype not in LABEL_DTYPES:
            raise ArgumentError(f"{name}: unknown label dtype: expected one of {LABEL_DTYPES}, got dtype={dtype!r}.")
        if last_batch_handle not in ("pad", "discard", "roll_over"):
            raise ArgumentError(
                f"{name}: unknown last_batch_handle: expected 'pad', 'discard' or 'roll_over', got "
                f"{last_batch_handle!r}."
            )
        self.check_data_shape(data_shape)
        data_shape = tuple(data_shape)
        self.provide_data = [(data_name, (batch_size, *data_shape))]
        self.provide_label = [(label_name, (batch_size, label_width) if label_width > 1 else (batch_size,))]
        self.data_shape, self.label_width = data_shape, label_width
        self.path_root, self.shuffle, self.last_batch_handle = path_root, shuffle, last_batch_handle
        self.imgrec: Any = None
        self.imgidx: list[Any] | None = None
        if path_imgrec and path_imgidx:
            self.imgrec = MXIndexedRecordIO(path_imgidx, path_imgrec, "r")
            self.imgidx = list(self.imgrec.keys)
        elif path_imgrec:
            self.imgrec = MXRecordIO(path_imgrec, "r")
        self.imglist: dict[Any, tuple[NDArray, str]] | None = None
        if path_imglist:
            self.imglist = _read_list(path_imglist, dtype)
        elif isinstance(imglist, list):
            self.imglist = _list_of(imglist, dtype)
        self.seq = self._sequence(shuffle or num_parts > 1 or bool(path_imgidx))
        if num_parts > 1:
            self.seq = self._part(part_index, num_parts)
        self.auglist: list[Any] = CreateAugmenter(data_shape, **kwargs) if aug_list is None else aug_list
        self.num_image = None if self.seq is None else len(self.seq)
        self.cur = 0
        self._current: Any = None
        self._allow_read = True
        self._cached: tuple[NDArray, NDArray, int] | None = None
        self.reset()

    def _sequence(self, needs_index: bool) -> list[Any] | None:
        """Return the keys in the order in which images are read; None: one after another from the record file."""
        if self.imgrec is None:
            assert self.imglist is not None
            return list(self.imglist)
        if needs_index and self.imgidx is None:
            raise ArgumentError(
                f"{type(self).__name__}: a record file without index is read in one order only: expected path_imgidx "
                "beside shuffle or num_parts. Pass `path_imgidx=`."
            )
        return self.imgidx if needs_index else None

    def _part(self, part_index: int, num_parts: int) -> list[Any]:
        if not 0 <= part_index < num_parts:
            raise ArgumentError(
                f"{type(self).__name__}: no such part: expected part_index below {num_parts}, got {part_index}."
            )
        assert self.seq is not None
        size = len(self.seq) // num_parts
        return self.seq[part_index * size : (part_index + 1) * size]

    def reset(self) -> None:
        """Start an epoch; what was rolled over begins it."""
        if self.seq is not None and self.shuffle:
            random.shuffle(self.seq)
        if self.last_batch_handle != "roll_over" or self._cached is None:
            self._rewind()

    def hard_reset(self) -> None:
        """Start an epoch; what was rolled over is forgotten."""
        if self.seq is not None and self.shuffle:
            random.shuffle(self.seq)
        self._rewind()
        self._cached = None

    def _rewind(self) -> None:
        if self.imgrec is not None:
            self.imgrec.reset()
        self.cur = 0
        self._allow_read = True

    def next_sample(self) -> tuple[Any, bytes]:
        """Return the label and the bytes of the next image.

        Raises:
            StopIteration: The epoch is over.
        """
        if not self._allow_read:
            raise StopIteration
        if self.seq is None:
            record = self.imgrec.read()
            if record is None:
                if self.last_batch_handle != "discard":
                    self.imgrec.reset()
                self.cur = 0
                raise StopIteration
            self._current = self.cur
            self.cur += 1
            header, image = unpack(record)
            return header.label, image
        if self.cur >= len(self.seq):
            if self.last_batch_handle != "discard":
                self.cur = 0
            raise StopIteration
        self._current = self.seq[self.cur]
        self.cur += 1
        if self.imgrec is None:
            assert self.imglist is not None
            label, path = self.imglist[self._current]
            return label, self.read_image(path)
        header, image = unpack(self.imgrec.read_idx(self._current))
        return (header.label if self.imglist is None else self.imglist[self._current][0]), image

    def _new_batch(self) -> tuple[NDArray, NDArray]:
        return nd.zeros(self.provide_data[0][1]), nd.zeros(self.provide_label[0][1])

    def _batchify(self, batch_data: NDArray, batch_label: NDArray, start: int = 0) -> int:
        """Fill a batch from `start` on; return how many images it has then.

        Raises:
            StopIteration: There was no image for an empty batch.
        """
        count = start
        try:
            while count < self.batch_size:
                label, encoded = self.next_sample()
                count += self._add(batch_data, batch_label, count, label, self.imdecode(encoded))
        except StopIteration:
            if not count:
                raise
        return count

    def _add(self, batch_data: NDArray, batch_label: NDArray, place: int, label: Any, image: NDArray) -> int:
        """Put an image into a batch; return how many were put."""
        try:
            self.check_valid_image([image])
        except RuntimeError as err:
            logger.debug("image left out: %s", err)
            return 0
        batch_data[place] = self.postprocess_data(self.augmentation_transform(image))
        batch_label[place] = label
        return 1

    def next(self) -> DataBatch:
        """Return the next batch; its `pad` counts the images at its end that are there a second time."""
        if self._cached is not None:
            data, label, count = self._cached
        else:
            data, label = self._new_batch()
            count = self._batchify(data, label)
        pad = self.batch_size - count
        if pad:
            if self.last_batch_handle == "discard":
                raise StopIteration
            if self.last_batch_handle == "roll_over" and self._cached is None:
                self._cached = data, label, count
                raise StopIteration
            self._batchify(data, label, count)
            if self.last_batch_handle == "pad":
                self._allow_read = False
            else:
                self._cached = None
        return DataBatch([data], [label], pad=pad)

    def check_data_shape(self, data_shape: Sequence[int]) -> None:
        """Raise ValueError unless the shape is (3, height, width)."""
        if len(data_shape) != 3 or data_shape[0] != 3:
            raise ValueError(
                f"{type(self).__name__}: wrong data_shape: expected (3, height, width), got data_shape={data_shape}."
            )

    def check_valid_image(self, data: Sequence[NDArray]) -> None:
        """Raise RuntimeError for an image without pixels."""
        if len(data[0].shape) == 0:
            raise MXNetError("image: Data shape is wrong: expected (H, W, C), got ().")

    def imdecode(self, s: bytes) -> NDArray:
        """Decode an image.

        Raises:
            MXNetError: It is broken; the message names it.
        """
        try:
            return imdecode(s)
        except ImportError:
            raise
        except MXNetError as err:
            names = self.imglist
            known = names is not None and self._current in names
            label = f"filename: {names[self._current][1]}" if known and names is not None else f"index: {self._current}"
            raise MXNetError(f"{type(self).__name__}: Broken image {label}: {err}") from err

    def read_image(self, fname: str) -> bytes:
        """Return the bytes of an image file.

        Raises:
            OSError: It cannot be read.
        """
        return Path(os.path.join(self.path_root or "", fname)).read_bytes()  # noqa: PTH118 - an absolute name stays

    def augmentation_transform(self, data: NDArray) -> Any:
        """Apply the augmenters."""
        for augmenter in self.auglist:
            data = augmenter(data)
        return data

    def postprocess_data(self, datum: NDArray) -> NDArray:
        """Bring an image (H, W, C) into the batch's order, (C, H, W)."""
        moved: NDArray = datum.transpose((2, 0, 1))
        return moved


def _read_list(path: str, dtype: str) -> dict[Any, tuple[NDArray, str]]:
    """Read lines of a number, labels and a path between tabs."""
    found: dict[Any, tuple[NDArray, str]] = {}
    for number, line in enumerate(Path(path).read_text().splitlines(), 1):
        fields = line.strip().split("\t")
        try:
            found[int(fields[0])] = nd.array([float(f) for f in fields[1:-1]], dtype=dtype), fields[-1]
        except ValueError as err:
            raise ArgumentError(
                f"{path}: line {number}: expected a number, labels and a path between tabs, got {line!r}."
            ) from err
    return found


def _list_of(images: list[Any], dtype: str) -> dict[Any, tuple[NDArray, str]]:
    """Return {number as text: (label, path)}."""
    return {str(i): (nd.array(_label_of(image), dtype=dtype), image[-1]) for i, image in enumerate(images, 1)}


def _label_of(image: Any) -> Any:
    if len(image) > 2:
        return image[:-1]
    return [image[0]] if isinstance(image[0], Number) else image[0]
