"""The iterator over arrays in memory."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from gluonnx.errors import ArgumentError, InputTypeError
from gluonnx.io.io import DEFAULT_LAYOUT, DataBatch, DataDesc, DataIter
from gluonnx.ndarray.creation import array
from gluonnx.ndarray.ndarray import NDArray

__all__ = ["NDArrayIter"]

LAST_BATCH = ("pad", "discard", "roll_over")

Named = list[tuple[str, NDArray]]


class NDArrayIter(DataIter):
    """Batches of arrays in memory.

    Args:
        data: An array (NDArray or numpy), a list of arrays, or a dict of arrays by name. A single array is named
            `data_name`; array `i` of a list `_i_` and that name; the arrays of a dict come in the order of their names.
        label: Labels, likewise; or None.
        batch_size: Samples of a batch.
        shuffle: Whether the samples are put in a random order, by numpy's global state, at the start and at each
            `reset`. Shuffled arrays are float32, as MXNet's are.
        last_batch_handle: What happens to samples that do not fill a batch: `"pad"` fills it up from the start,
            `"discard"` leaves them out, `"roll_over"` puts them before the first samples after the next `reset`.
        data_name: See `data`.
        label_name: See `data`.
        layout: Where `N` stands in it is the axis that batches are cut along.

    Raises:
        ArgumentError: There is no data, an array has fewer samples than the first, or `last_batch_handle` is unknown.
        InputTypeError: Something is not an array.

    Source: MXNet 1.9.1 python/mxnet/io/io.py, NDArrayIter.

    Examples:
        >>> batches = NDArrayIter(np.arange(10).reshape(5, 2), np.arange(5), batch_size=2)
        >>> [(batch.label[0].asnumpy().tolist(), batch.pad) for batch in batches]
        [([0.0, 1.0], 0), ([2.0, 3.0], 0), ([4.0, 0.0], 1)]
    """

    def __init__(
        self,
        data: Any,
        label: Any = None,
        batch_size: int = 1,
        shuffle: bool = False,
        last_batch_handle: str = "pad",
        data_name: str = "data",
        label_name: str = "softmax_label",
        layout: str = DEFAULT_LAYOUT,
    ) -> None:
        super().__init__(batch_size)
        if last_batch_handle not in LAST_BATCH:
            raise ArgumentError(
                f"NDArrayIter: unknown last_batch_handle: expected one of {', '.join(LAST_BATCH)}, "
                f"got last_batch_handle={last_batch_handle!r}."
            )
        if batch_size < 1:
            raise ArgumentError(f"NDArrayIter: expected at least one sample in a batch, got batch_size={batch_size}.")
        self.data = _named(data, data_name)
        self.label = _named(label, label_name)
        if not self.data:
            raise ArgumentError(f"NDArrayIter: no data: expected an array or several, got data={data!r}.")
        self.layout = layout
        self.idx = np.arange(self.data[0][1].shape[0])
        self.num_data = len(self.idx)
        short = {n: a.shape[self._axis] for n, a in self.data + self.label if a.shape[self._axis] < self.num_data}
        if short:
            raise ArgumentError(
                f"NDArrayIter: arrays with too few samples: expected at least {self.num_data} in every array, "
                f"got {short}."
            )
        self.shuffle = shuffle
        self.last_batch_handle = last_batch_handle
        self.cursor = -batch_size
        self._rest: tuple[list[torch.Tensor], list[torch.Tensor]] | None = None
        self.reset()

    @property
    def provide_data(self) -> list[DataDesc]:
        """Descriptions of the data arrays of a batch."""
        return self._described(self.data)

    @property
    def provide_label(self) -> list[DataDesc]:
        """Descriptions of the label arrays of a batch."""
        return self._described(self.label)

    @property
    def num_source(self) -> int:
        """Number of data and label arrays."""
        return len(self.data) + len(self.label)

    def hard_reset(self) -> None:
        """Start anew, without the samples left over."""
        if self.shuffle:
            self._shuffle()
        self.cursor = -self.batch_size
        self._rest = None

    def reset(self) -> None:
        """Start anew; with `"roll_over"`, after the samples left over."""
        if self.shuffle:
            self._shuffle()
        if self.last_batch_handle == "roll_over" and self.num_data - self.batch_size < self.cursor < self.num_data:
            self.cursor -= self.num_data + self.batch_size
        else:
            self.cursor = -self.batch_size

    def iter_next(self) -> bool:
        """Go on by a batch and return whether any sample is left."""
        self.cursor += self.batch_size
        return self.cursor < self.num_data

    def next(self) -> DataBatch:
        """Return the next batch.

        Raises:
            StopIteration: No samples are left, or too few to fill the batch and they are not to be padded.
        """
        if not self.iter_next():
            raise StopIteration
        data, label = self._tensors(self.data, 0), self._tensors(self.label, 1)
        if data[0].shape[self._axis] != self.batch_size:
            self._rest = (data, label)
            raise StopIteration
        return DataBatch(_wrapped(self.data, data), _wrapped(self.label, label), self.getpad())

    def getdata(self) -> list[NDArray]:
        """Return the data arrays of the batch."""
        return _wrapped(self.data, self._tensors(self.data, 0))

    def getlabel(self) -> list[NDArray]:
        """Return the label arrays of the batch."""
        return _wrapped(self.label, self._tensors(self.label, 1))

    def getpad(self) -> int:
        """Return how many samples only fill the batch up, or were left over from before."""
        if self.last_batch_handle == "pad":
            return max(0, self.cursor + self.batch_size - self.num_data)
        if self.last_batch_handle == "roll_over" and -self.batch_size < self.cursor < 0:
            return -self.cursor
        return 0

    @property
    def _axis(self) -> int:
        return DataDesc.get_batch_axis(self.layout)

    def _described(self, sources: Named) -> list[DataDesc]:
        axis = self._axis
        return [
            DataDesc(name, (*a.shape[:axis], self.batch_size, *a.shape[axis + 1 :]), a.dtype, self.layout)
            for name, a in sources
        ]

    def _tensors(self, sources: Named, kind: int) -> list[torch.Tensor]:
        """Return the rows of the batch at the cursor; `kind` 0 is data and 1 labels."""
        begin, end = self.cursor, self.cursor + self.batch_size
        if begin >= self.num_data:
            raise ArgumentError(
                f"NDArrayIter: DataIter needs reset: expected a sample below {self.num_data}, got cursor={begin}."
            )
        axis = self._axis
        if self.last_batch_handle == "pad" and end > self.num_data:
            wrapped = torch.arange(begin, end) % self.num_data
            return [a._plain().index_select(axis, wrapped.to(a._t.device)) for _, a in sources]
        length = min(end, self.num_data) - max(begin, 0)
        found = [a._plain().narrow(axis, max(begin, 0), length).clone() for _, a in sources]
        if begin < 0 and self._rest is not None:
            return [torch.cat(pair, axis) for pair in zip(self._rest[kind], found, strict=True)]
        return found

    def _shuffle(self) -> None:
        np.random.shuffle(self.idx)
        self.data = _reordered(self.data, self.idx)
        self.label = _reordered(self.label, self.idx)


def _named(given: Any, default_name: str) -> Named:
    """Return arrays with their names, sorted by name."""
    if given is None:
        given = []
    if isinstance(given, (np.ndarray, NDArray)):
        given = [given]
    if isinstance(given, list):
        names = [default_name] if len(given) == 1 else [f"_{i}_{default_name}" for i in range(len(given))]
        given = dict(zip(names, given, strict=True))
    if not isinstance(given, Mapping):
        raise InputTypeError(
            "NDArrayIter: wrong input: expected NDArray, numpy.ndarray, a list of them or dict with them as values, "
            f"got {type(given).__name__}."
        )
    return sorted((str(name), _as_array(str(name), value)) for name, value in given.items())


def _as_array(name: str, value: Any) -> NDArray:
    if isinstance(value, NDArray):
        return value
    try:
        return array(value)
    except (TypeError, ValueError) as err:
        raise InputTypeError(
            f"NDArrayIter: Invalid type of `{name}`: expected NDArray or numpy.ndarray, got {type(value).__name__}."
        ) from err


def _reordered(sources: Named, order: Any) -> Named:
    return [(name, array(a.asnumpy()[order], ctx=a.context)) for name, a in sources]


def _wrapped(sources: Named, tensors: list[torch.Tensor]) -> list[NDArray]:
    return [a._like(tensor) for (_, a), tensor in zip(sources, tensors, strict=True)]
