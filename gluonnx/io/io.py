"""Batches, their descriptions, and iterators over them."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from gluonnx.errors import ArgumentError
from gluonnx.moved import names_of
from gluonnx.ndarray.ndarray import NDArray

__all__ = ["DataBatch", "DataDesc", "DataIter", "PrefetchingIter", "ResizeIter"]

DEFAULT_LAYOUT = "NCHW"
BATCH_AXIS = "N"


class _NameAndShape(NamedTuple):
    name: str
    shape: tuple[int, ...]


class DataDesc(_NameAndShape):
    """Name and shape of an array of a batch; it equals the plain tuple of the two.

    Args:
        name: Name of the argument that the array is for.
        shape: Shape of the array.
        dtype: Its element type.
        layout: What its axes are, a letter each; `N` is the axis of the samples. None: the first axis is.

    Examples:
        >>> DataDesc("data", (4, 3)) == ("data", (4, 3))
        True
    """

    dtype: Any
    layout: str | None

    def __new__(
        cls, name: str, shape: Sequence[int], dtype: Any = np.float32, layout: str | None = DEFAULT_LAYOUT
    ) -> "DataDesc":
        """Make a pair that also knows dtype and layout."""
        made = super().__new__(cls, name, tuple(shape))
        made.dtype = dtype
        made.layout = layout
        return made

    def __repr__(self) -> str:
        return f"DataDesc[{self.name},{self.shape},{self.dtype},{self.layout}]"

    @staticmethod
    def get_batch_axis(layout: str | None) -> int:
        """Return which axis counts the samples: 0 without a layout, -1 where the layout has none.

        Examples:
            >>> DataDesc.get_batch_axis("TNC"), DataDesc.get_batch_axis(None), DataDesc.get_batch_axis("C")
            (1, 0, -1)
        """
        return 0 if layout is None else layout.find(BATCH_AXIS)

    @staticmethod
    def get_list(
        shapes: Sequence[tuple[str, Sequence[int]]], types: Sequence[tuple[str, Any]] | None
    ) -> "list[DataDesc]":
        """Return descriptions from (name, shape) pairs and (name, dtype) pairs; float32 without the latter."""
        if types is None:
            return [DataDesc(name, shape) for name, shape in shapes]
        dtypes = dict(types)
        return [DataDesc(name, shape, dtypes[name]) for name, shape in shapes]


class DataBatch:
    """The arrays of a batch.

    Args:
        data: Arrays of samples.
        label: Arrays of labels, or None.
        pad: How many samples at the end only fill the batch up.
        index: Numbers of the samples.
        bucket_key: The bucket that the batch belongs to.
        provide_data: Descriptions of `data`, where they differ from the iterator's.
        provide_label: Descriptions of `label`, likewise.

    Raises:
        ArgumentError: `data` or `label` is neither a list nor a tuple.
    """

    def __init__(
        self,
        data: Sequence[NDArray] | None,
        label: Sequence[NDArray] | None = None,
        pad: int | None = None,
        index: Any = None,
        bucket_key: Any = None,
        provide_data: Sequence[DataDesc] | None = None,
        provide_label: Sequence[DataDesc] | None = None,
    ) -> None:
        for name, value in (("Data", data), ("Label", label)):
            if value is not None and not isinstance(value, (list, tuple)):
                raise ArgumentError(
                    f"DataBatch: {name} must be list of NDArrays: expected a list or a tuple, "
                    f"got {type(value).__name__}."
                )
        self.data = data
        self.label = label
        self.pad = pad
        self.index = index
        self.bucket_key = bucket_key
        self.provide_data = provide_data
        self.provide_label = provide_label

    def __str__(self) -> str:
        data = [array.shape for array in self.data or ()]
        label = [array.shape for array in self.label] if self.label else None
        return f"{type(self).__name__}: data shapes: {data} label shapes: {label}"


class DataIter:
    """Base class of iterators over batches: a subclass defines `iter_next` and the `get...` methods, or `next`.

    Args:
        batch_size: Samples of a batch.

    Attributes:
        provide_data: Descriptions of the data arrays; a subclass gives them.
        provide_label: Descriptions of the label arrays; a subclass gives them.
    """

    provide_data: Any
    provide_label: Any

    def __init__(self, batch_size: int = 0) -> None:
        self.batch_size = batch_size

    def __iter__(self) -> "DataIter":
        return self

    def __next__(self) -> DataBatch:
        return self.next()

    def reset(self) -> None:
        """Start anew; an iterator that has no start does nothing."""

    def next(self) -> DataBatch:
        """Return the next batch.

        Raises:
            StopIteration: There is none.
        """
        if not self.iter_next():
            raise StopIteration
        return DataBatch(self.getdata(), self.getlabel(), self.getpad(), self.getindex())

    def iter_next(self) -> bool:
        """Go on to the next batch and return whether there is one."""
        raise NotImplementedError(f"{type(self).__name__}: an iterator must define iter_next().")

    def getdata(self) -> Any:
        """Return the data arrays of the batch."""
        raise NotImplementedError(f"{type(self).__name__}: an iterator must define getdata().")

    def getlabel(self) -> Any:
        """Return the label arrays of the batch; None where a subclass has none."""

    def getindex(self) -> Any:
        """Return the numbers of the batch's samples; None where they are not known."""

    def getpad(self) -> int | None:
        """Return how many samples only fill the batch up; None where that is not known."""


class ResizeIter(DataIter):
    """An iterator of another length: it starts its own iterator anew where that ends too early.

    Args:
        data_iter: The iterator.
        size: Number of batches.
        reset_internal: Whether `reset` resets `data_iter` too.

    Examples:
        >>> from gluonnx import nd
        >>> from gluonnx.io import NDArrayIter
        >>> len(list(ResizeIter(NDArrayIter(nd.ones((100, 10)), batch_size=25), 2)))
        2
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
        if hasattr(data_iter, "default_bucket_key"):
            self.default_bucket_key = data_iter.default_bucket_key

    def reset(self) -> None:
        """Start anew."""
        self.cur = 0
        if self.reset_internal:
            self.data_iter.reset()

    def iter_next(self) -> bool:
        """Go on to the next batch and return whether there is one."""
        if self.cur == self.size:
            return False
        try:
            self.current_batch = self.data_iter.next()
        except StopIteration:
            self.data_iter.reset()
            self.current_batch = self.data_iter.next()
        self.cur += 1
        return True

    def getdata(self) -> Any:
        """Return the data arrays of the batch."""
        return self._batch().data

    def getlabel(self) -> Any:
        """Return the label arrays of the batch."""
        return self._batch().label

    def getindex(self) -> Any:
        """Return the numbers of the batch's samples."""
        return self._batch().index

    def getpad(self) -> int | None:
        """Return how many samples only fill the batch up."""
        return self._batch().pad

    def _batch(self) -> DataBatch:
        if self.current_batch is None:
            raise ArgumentError("ResizeIter: no batch yet: expected `iter_next()` before, got none. Call `next()`.")
        return self.current_batch


Renames = Sequence[Mapping[str, str]]


class PrefetchingIter(DataIter):
    """Makes the next batch of one or more iterators in threads of their own while the last one is used.

    The batches of several iterators are joined: their data and label arrays stand one after the other.

    Args:
        iters: An iterator, or several.
        rename_data: New names of the data arrays by old name, a dict for each iterator.
        rename_label: New names of the label arrays, likewise.
    """

    def __init__(self, iters: Any, rename_data: Renames | None = None, rename_label: Renames | None = None) -> None:
        self.iters: list[DataIter] = list(iters) if isinstance(iters, (list, tuple)) else [iters]
        if not self.iters:
            raise ArgumentError("PrefetchingIter: expected an iterator or several, got iters=[].")
        self.n_iter = len(self.iters)
        self.rename_data = rename_data
        self.rename_label = rename_label
        super().__init__(self.provide_data[0].shape[0])
        self.current_batch: DataBatch | None = None
        self._pool = ThreadPoolExecutor(self.n_iter, thread_name_prefix="PrefetchingIter")
        self._coming = self._fetch()

    @property
    def provide_data(self) -> list[DataDesc]:
        """Descriptions of the data arrays of all iterators."""
        return self._described(self.rename_data, lambda it: it.provide_data)

    @property
    def provide_label(self) -> list[DataDesc]:
        """Descriptions of the label arrays of all iterators."""
        return self._described(self.rename_label, lambda it: it.provide_label)

    def reset(self) -> None:
        """Start every iterator anew."""
        for coming in self._coming:
            coming.result()
        for source in self.iters:
            source.reset()
        self._coming = self._fetch()

    def iter_next(self) -> bool:
        """Take the batches that were made, start on the next ones, and return whether there were any.

        Raises:
            ArgumentError: Some iterators ended and others did not, or their batches are padded differently.
        """
        batches = [coming.result() for coming in self._coming]
        if any(batch is None for batch in batches):
            if any(batch is not None for batch in batches):
                raise ArgumentError(
                    "PrefetchingIter: Number of entry mismatches between iterators: expected all to end together, "
                    f"got {sum(b is None for b in batches)} of {self.n_iter} at their end."
                )
            return False
        found = [batch for batch in batches if batch is not None]
        pads = {batch.pad for batch in found}
        if len(pads) > 1:
            raise ArgumentError(
                f"PrefetchingIter: Different pad number of iterators: expected the same, got {[b.pad for b in found]}."
            )
        self.current_batch = DataBatch(
            [array for batch in found for array in batch.data or ()],
            [array for batch in found for array in batch.label or ()],
            found[0].pad,
            found[0].index,
            provide_data=self.provide_data,
            provide_label=self.provide_label,
        )
        self._coming = self._fetch()
        return True

    def next(self) -> DataBatch:
        """Return the next batch.

        Raises:
            StopIteration: There is none.
        """
        if not self.iter_next():
            raise StopIteration
        return self._batch()

    def getdata(self) -> Any:
        """Return the data arrays of the batch."""
        return self._batch().data

    def getlabel(self) -> Any:
        """Return the label arrays of the batch."""
        return self._batch().label

    def getindex(self) -> Any:
        """Return the numbers of the batch's samples."""
        return self._batch().index

    def getpad(self) -> int | None:
        """Return how many samples only fill the batch up."""
        return self._batch().pad

    def _batch(self) -> DataBatch:
        if self.current_batch is None:
            raise ArgumentError("PrefetchingIter: no batch yet: expected `iter_next()` before, got none.")
        return self.current_batch

    def _fetch(self) -> list[Future[DataBatch | None]]:
        return [self._pool.submit(_next_or_none, source) for source in self.iters]

    def _described(self, renames: Renames | None, describe: Callable[[DataIter], Any]) -> list[DataDesc]:
        found = []
        for position, source in enumerate(self.iters):
            names = renames[position] if renames is not None else {}
            for given in describe(source):
                desc = given if isinstance(given, DataDesc) else DataDesc(*given)
                found.append(DataDesc(names.get(desc.name, desc.name), desc.shape, desc.dtype, desc.layout))
        return found


def _next_or_none(source: DataIter) -> DataBatch | None:
    try:
        return source.next()
    except StopIteration:
        return None


__getattr__ = names_of(__name__, "gluonnx.io")
