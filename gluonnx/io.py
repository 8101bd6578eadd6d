"""Data in batches for symbolic training: `mx.io`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from gluonnx.errors import ArgumentError
from gluonnx.ndarray import NDArray, array

__all__ = ["DataBatch", "DataDesc", "DataIter", "NDArrayIter", "ResizeIter"]

Given = Any
"""An array, a list of arrays, or arrays by name."""


class DataDesc(tuple[str, tuple[int, ...]]):
    """Name and shape of a batch, as a pair that also knows `dtype` and `layout`.

    Args:
        name: Name of the input.
        shape: Its shape, the batch axis included.
        dtype: Its element type.
        layout: A letter for each axis; N is the batch.
    """

    dtype: Any
    layout: str

    def __new__(cls, name: str, shape: Sequence[int], dtype: Any = np.float32, layout: str = "NCHW") -> "DataDesc":
        """Make the pair."""
        made = super().__new__(cls, (name, tuple(shape)))
        made.dtype = dtype
        made.layout = layout
        return made

    @property
    def name(self) -> str:
        """Name of the input."""
        return self[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""
        return self[1]

    def __repr__(self) -> str:
        return f"DataDesc[{self.name},{self.shape},{self.dtype},{self.layout}]"

    @staticmethod
    def get_batch_axis(layout: str | None) -> int:
        """Return the axis of the batch in a layout; the first if there is no layout."""
        return 0 if layout is None else layout.find("N")


class DataBatch:
    """One batch.

    Args:
        data: An array for each input.
        label: An array for each label.
        pad: How many samples at the end only fill the batch up.
        index: Numbers of the samples.
        bucket_key: Key of the bucket.
        provide_data: Descriptions of the inputs.
        provide_label: Descriptions of the labels.
    """

    def __init__(
        self,
        data: Sequence[NDArray],
        label: Sequence[NDArray] | None = None,
        pad: int | None = None,
        index: Any = None,
        bucket_key: Any = None,
        provide_data: Sequence[DataDesc] | None = None,
        provide_label: Sequence[DataDesc] | None = None,
    ) -> None:
        for name, given in (("data", data), ("label", label)):
            if given is not None and not isinstance(given, (list, tuple)):
                raise ArgumentError(f"DataBatch: {name.capitalize()} must be list of NDArrays: got {type(given)}.")
        self.data = data
        self.label = label
        self.pad = pad
        self.index = index
        self.bucket_key = bucket_key
        self.provide_data = provide_data
        self.provide_label = provide_label

    def __str__(self) -> str:
        labels = [v.shape for v in self.label] if self.label else None
        return f"{type(self).__name__}: data shapes: {[v.shape for v in self.data]} label shapes: {labels}"


class DataIter:
    """Base of what gives batches.

    Args:
        batch_size: Samples of a batch.
    """

    provide_data: Any = ()
    provide_label: Any = ()

    def __init__(self, batch_size: int = 0) -> None:
        self.batch_size = batch_size

    def __iter__(self) -> Iterator[DataBatch]:
        return self

    def __next__(self) -> DataBatch:
        return self.next()

    def reset(self) -> None:
        """Start again."""

    def next(self) -> DataBatch:
        """Return the next batch.

        Raises:
            StopIteration: There is none.
        """
        if not self.iter_next():
            raise StopIteration
        return DataBatch(self.getdata(), self.getlabel(), self.getpad(), self.getindex())

    def iter_next(self) -> bool:
        """Move to the next batch; whether there is one."""
        raise NotImplementedError

    def getdata(self) -> Any:
        """Return the inputs of the batch."""
        raise NotImplementedError

    def getlabel(self) -> Any:
        """Return the labels of the batch."""
        raise NotImplementedError

    def getindex(self) -> Any:
        """Return the numbers of the batch's samples, None if they have none."""
        return None

    def getpad(self) -> int | None:
        """Return how many samples only fill the batch up."""
        raise NotImplementedError


class NDArrayIter(DataIter):
    """Batches of arrays.

    Differs: with `"roll_over"`, the first batch of a pass has no padding; MXNet 1.9.1 reports rolled samples as such.

    Args:
        data: An array (NDArray or numpy), a list of arrays, or arrays by name; their first axis is the samples'.
        label: The labels, likewise; None for none.
        batch_size: Samples of a batch.
        shuffle: Whether samples are in random order, another one in every pass.
        last_batch_handle: What becomes of samples that do not fill a batch: `"pad"` fills it up from the start,
            `"discard"` leaves them out, `"roll_over"` puts them before the next pass.
        data_name: Name of the inputs; of several, `_0`, `_1`, ... is added.
        label_name: Name of the labels, likewise.
        layout: Layout that the descriptions have.

    Raises:
        ArgumentError: An array has fewer samples than the first input, or the input fewer than a batch.

    Examples:
        >>> it = NDArrayIter(np.arange(6).reshape(3, 2), np.arange(3), batch_size=2)
        >>> [(batch.label[0].asnumpy().tolist(), batch.pad) for batch in it]
        [([0.0, 1.0], 0), ([2.0, 0.0], 1)]
    """

    HANDLES: ClassVar[tuple[str, ...]] = ("pad", "discard", "roll_over")

    def __init__(
        self,
        data: Given,
        label: Given = None,
        batch_size: int = 1,
        shuffle: bool = False,
        last_batch_handle: str = "pad",
        data_name: str = "data",
        label_name: str = "softmax_label",
        layout: str = "NCHW",
    ) -> None:
        super().__init__(batch_size)
        if last_batch_handle not in self.HANDLES:
            raise ArgumentError(
                f"NDArrayIter: unknown last_batch_handle: expected one of {', '.join(self.HANDLES)}, "
                f"got last_batch_handle={last_batch_handle!r}."
            )
        self.data = _named_arrays(data, data_name, may_be_empty=False)
        self.label = _named_arrays(label, label_name, may_be_empty=True)
        counts = {name: values.shape[0] for name, values in (*self.data, *self.label)}
        self.num_data = self.data[0][1].shape[0]
        if min(counts.values()) < self.num_data:
            raise ArgumentError(
                f"NDArrayIter: samples are missing: expected {self.num_data} in every array, got {counts}."
            )
        if self.num_data < batch_size:
            raise ArgumentError(
                f"NDArrayIter: batch_size needs to be smaller than data size: expected at most {self.num_data}, got "
                f"batch_size={batch_size}."
            )
        self.shuffle = shuffle
        self.last_batch_handle = last_batch_handle
        self.layout = layout
        self._rolled = np.empty(0, dtype=np.int64)
        self._order = self._new_order()
        self._cursor = -batch_size

    @property
    def provide_data(self) -> list[DataDesc]:
        """Descriptions of the inputs."""
        return self._describe(self.data)

    @property
    def provide_label(self) -> list[DataDesc]:
        """Descriptions of the labels."""
        return self._describe(self.label)

    def hard_reset(self) -> None:
        """Start again, without samples that were left over."""
        self._rolled = np.empty(0, dtype=np.int64)
        self._order = self._new_order()
        self._cursor = -self.batch_size

    def reset(self) -> None:
        """Start again."""
        if self.last_batch_handle == "roll_over":
            used = max(self._cursor, 0)
            left = self._order[used:] if 0 < len(self._order) - used < self.batch_size else self._order[:0]
            self._rolled = left
        self._order = np.concatenate([self._rolled, self._new_order()])
        self._rolled = np.empty(0, dtype=np.int64)
        self._cursor = -self.batch_size

    def iter_next(self) -> bool:
        """Move to the next batch; whether there is one."""
        self._cursor += self.batch_size
        left = len(self._order) - self._cursor
        return left > 0 if self.last_batch_handle == "pad" else left >= self.batch_size

    def getdata(self) -> list[NDArray]:
        """Return the inputs of the batch."""
        return self._batch(self.data)

    def getlabel(self) -> list[NDArray]:
        """Return the labels of the batch."""
        return self._batch(self.label)

    def getpad(self) -> int:
        """Return how many samples only fill the batch up."""
        return max(0, self._cursor + self.batch_size - len(self._order))

    def _new_order(self) -> npt.NDArray[np.int64]:
        return np.random.permutation(self.num_data) if self.shuffle else np.arange(self.num_data)

    def _batch(self, arrays: Sequence[tuple[str, npt.NDArray[Any]]]) -> list[NDArray]:
        picked = self._order[self._cursor : self._cursor + self.batch_size]
        picked = np.concatenate([picked, self._order[: self.batch_size - len(picked)]])
        return [array(values[picked], dtype=values.dtype) for _, values in arrays]

    def _describe(self, arrays: Sequence[tuple[str, npt.NDArray[Any]]]) -> list[DataDesc]:
        size = self.batch_size
        return [DataDesc(n, (size, *v.shape[1:]), v.dtype.type, self.layout) for n, v in arrays]


class ResizeIter(DataIter):
    """Another iterator with a set number of batches in a pass.

    Args:
        data_iter: The iterator.
        size: Batches of a pass; the iterator starts again when it ends before.
        reset_internal: Whether `reset` starts the iterator again, too.
    """

    def __init__(self, data_iter: DataIter, size: int, reset_internal: bool = True) -> None:
        super().__init__(data_iter.batch_size)
        self.data_iter = data_iter
        self.size = size
        self.reset_internal = reset_internal
        self.cur = 0
        self.current_batch: DataBatch | None = None
        self.provide_data = data_iter.provide_data
        self.provide_label = data_iter.provide_label

    def reset(self) -> None:
        """Start again."""
        self.cur = 0
        if self.reset_internal:
            self.data_iter.reset()

    def iter_next(self) -> bool:
        """Move to the next batch; whether there is one."""
        if self.cur == self.size:
            return False
        try:
            self.current_batch = self.data_iter.next()
        except StopIteration:
            self.data_iter.reset()
            self.current_batch = self.data_iter.next()
        self.cur += 1
        return True

    def next(self) -> DataBatch:
        """Return the next batch."""
        if not self.iter_next():
            raise StopIteration
        assert self.current_batch is not None  # iter_next has set it
        return self.current_batch


def _named_arrays(given: Given, name: str, *, may_be_empty: bool) -> list[tuple[str, npt.NDArray[Any]]]:
    """The arrays by name, as numpy, float64 as float32.

    Raises:
        ArgumentError: There are none.
    """
    if given is None:
        given = []
    if not isinstance(given, (Mapping, list, tuple)):
        given = [given]
    if not given and not may_be_empty:
        raise ArgumentError("NDArrayIter: no data: expected an array, a list of arrays or arrays by name, got none.")
    if not isinstance(given, Mapping):
        given = {name if len(given) == 1 else f"_{i}_{name}": values for i, values in enumerate(given)}
    found = []
    for key, values in given.items():
        plain = values.asnumpy() if isinstance(values, NDArray) else np.asarray(values)
        keeps = isinstance(values, NDArray) and plain.dtype != np.float64
        found.append((key, plain if keeps else plain.astype(np.float32)))
    return found
