"""Iterators whose batches are recorded from MXNet 1.9.1 and compared with ours; Python 3.8 reads this."""

import numpy as np


def _rows(count, width=2, first=0):
    return np.arange(first, first + count * width).reshape(count, width)


CASES = {
    "pad": lambda mx: mx.io.NDArrayIter(_rows(7), np.arange(7), 3),
    "discard": lambda mx: mx.io.NDArrayIter(_rows(7), np.arange(7), 3, last_batch_handle="discard"),
    "roll_over": lambda mx: mx.io.NDArrayIter(_rows(7), np.arange(7), 3, last_batch_handle="roll_over"),
    "roll_over shuffled": lambda mx: mx.io.NDArrayIter(_rows(7), np.arange(7), 3, True, "roll_over"),
    "shuffled ints": lambda mx: mx.io.NDArrayIter(mx.nd.array(np.arange(5), dtype="int32"), None, 2, True),
    "ints": lambda mx: mx.io.NDArrayIter(mx.nd.array(np.arange(5), dtype="int32"), None, 2),
    "larger batch than data": lambda mx: mx.io.NDArrayIter(np.arange(3), np.arange(3), 8),
    "exact": lambda mx: mx.io.NDArrayIter(_rows(6), None, 3),
    "list": lambda mx: mx.io.NDArrayIter([_rows(4), _rows(4, 1, 50)], [np.arange(4)], 3, label_name="y"),
    "dict": lambda mx: mx.io.NDArrayIter({"b": _rows(4), "a": _rows(4, 1, 50)}, {"y": np.arange(4)}, 3),
    "layout": lambda mx: mx.io.NDArrayIter(np.arange(24).reshape(4, 6), None, 3, layout="TN"),
    "resized": lambda mx: mx.io.ResizeIter(mx.io.NDArrayIter(_rows(4), np.arange(4), 3), 3),
    "prefetched": lambda mx: mx.io.PrefetchingIter(mx.io.NDArrayIter(_rows(4), np.arange(4), 3)),
}


def _describe(descs):
    return [[d.name, list(d.shape), np.dtype(d.dtype).name, d.layout] for d in descs]


def answer(mx, case):
    """Return what three passes over an iterator give."""
    np.random.seed(3)
    batches = CASES[case](mx)
    found = {"data": _describe(batches.provide_data), "label": _describe(batches.provide_label), "passes": []}
    for _ in range(3):
        found["passes"].append(
            [
                {
                    "data": [a.asnumpy().tolist() for a in batch.data],
                    "label": [a.asnumpy().tolist() for a in batch.label],
                    "dtypes": [np.dtype(a.dtype).name for a in batch.data + batch.label],
                    "pad": batch.pad,
                    "index": batch.index,
                    "text": str(batch),
                }
                for batch in batches
            ]
        )
        batches.reset()
    return found


def answers(mx):
    """Return the answers to all cases."""
    return {case: answer(mx, case) for case in CASES}
