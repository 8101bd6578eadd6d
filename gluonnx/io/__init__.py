"""Data in batches: `mx.io`.

`io` owns batches, their descriptions and the iterators that wrap others; `array_iter` the iterator over arrays.
"""

from gluonnx.io.array_iter import NDArrayIter
from gluonnx.io.io import DataBatch, DataDesc, DataIter, PrefetchingIter, ResizeIter

__all__ = ["DataBatch", "DataDesc", "DataIter", "NDArrayIter", "PrefetchingIter", "ResizeIter"]
