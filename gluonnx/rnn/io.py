"""Sentences as numbers, and batches of sentences of about one length."""

import bisect
import logging
import random
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from gluonnx import ndarray
from gluonnx.errors import ArgumentError
from gluonnx.io import DataBatch, DataDesc, DataIter

__all__ = ["BucketSentenceIter", "encode_sentences"]


def encode_sentences(
    sentences: Iterable[Iterable[str]],
    vocab: dict[str, int] | None = None,
    invalid_label: int = -1,
    invalid_key: str = "\n",
    start_label: int = 0,
    unknown_token: str | None = None,
) -> tuple[list[list[int]], dict[str, int]]:
    """Return sentences as lists of numbers, and the number of each word.

    Args:
        sentences: Lists of words.
        vocab: Numbers of words; made from the sentences if None.
        invalid_label: Number of `invalid_key` in a new vocabulary.
        invalid_key: What stands for the end of a sentence.
        start_label: Lowest number of a word.
        unknown_token: What stands for words that a given vocabulary does not have.

    Raises:
        ArgumentError: A word is not in the vocabulary and there is no `unknown_token`.
    """
    is_new = vocab is None
    numbers: dict[str, int] = {invalid_key: invalid_label} if vocab is None else vocab
    following = start_label
    encoded = []
    for sentence in sentences:
        coded = []
        for word in sentence:
            if word not in numbers:
                if not is_new and not unknown_token:
                    raise ArgumentError(
                        f"encode_sentences: Unknown token {word}: expected words of the vocabulary, got {word!r}. Pass "
                        "`unknown_token=`."
                    )
                if following == invalid_label:
                    following += 1
                word = unknown_token or word
                numbers[word] = following
                following += 1
            coded.append(numbers[word])
        encoded.append(coded)
    return encoded, numbers


class BucketSentenceIter(DataIter):
    """Batches of sentences from buckets by length; the label of a word is the word after it.

    The order of batches follows Python's `random`, the order of sentences numpy's global state.

    Args:
        sentences: Sentences as numbers.
        batch_size: Sentences in a batch.
        buckets: Lengths of the buckets; lengths that fill a batch if None. Longer sentences are left out.
        invalid_label: Stands behind the end of a sentence.
        data_name: Name of the data.
        label_name: Name of the label.
        dtype: Element type.
        layout: `"NT"`, or `"TN"` for batches of shape (length, batch_size).

    Raises:
        ArgumentError: `layout` is neither.
    """

    def __init__(
        self,
        sentences: Sequence[Sequence[int]],
        batch_size: int,
        buckets: list[int] | None = None,
        invalid_label: int = -1,
        data_name: str = "data",
        label_name: str = "softmax_label",
        dtype: str = "float32",
        layout: str = "NT",
    ) -> None:
        super().__init__(batch_size)
        if layout not in ("NT", "TN"):
            raise ArgumentError(
                f"BucketSentenceIter: Invalid layout {layout}: expected NT (batch major) or TN (time major), "
                f"got layout={layout!r}."
            )
        counts = np.bincount([len(s) for s in sentences])
        lengths = sorted(buckets or [length for length, count in enumerate(counts) if count >= batch_size])
        rows: list[list[Any]] = [[] for _ in lengths]
        discarded = 0
        for sentence in sentences:
            place = bisect.bisect_left(lengths, len(sentence))
            if place == len(lengths):
                discarded += 1
                continue
            row = np.full((lengths[place],), invalid_label, dtype=dtype)
            row[: len(sentence)] = sentence
            rows[place].append(row)
        if discarded:
            logging.warning("discarded %d sentences longer than the largest bucket.", discarded)
        self.buckets = [length for length, found in zip(lengths, rows, strict=True) if found]
        self.data = [np.asarray(found, dtype=dtype) for found in rows if found]
        self.data_name = data_name
        self.label_name = label_name
        self.dtype = dtype
        self.invalid_label = invalid_label
        self.major_axis = layout.find("N")
        self.layout = layout
        self.default_bucket_key = max(self.buckets)
        shape = (batch_size, self.default_bucket_key)
        shape = shape if self.major_axis == 0 else shape[::-1]
        self.provide_data = [DataDesc(name=data_name, shape=shape, layout=layout)]
        self.provide_label = [DataDesc(name=label_name, shape=shape, layout=layout)]
        self.idx = [
            (i, start)
            for i, found in enumerate(self.data)
            for start in range(0, len(found) - batch_size + 1, batch_size)
        ]
        self.reset()

    def reset(self) -> None:
        """Shuffle, and start over."""
        self.curr_idx = 0
        random.shuffle(self.idx)
        self.nddata, self.ndlabel = [], []
        for found in self.data:
            np.random.shuffle(found)
        for found in self.data:
            label = np.full_like(found, self.invalid_label)
            label[:, :-1] = found[:, 1:]
            self.nddata.append(ndarray.array(found, dtype=self.dtype))
            self.ndlabel.append(ndarray.array(label, dtype=self.dtype))

    def next(self) -> DataBatch:
        """Return the next batch.

        Raises:
            StopIteration: There is none.
        """
        if self.curr_idx == len(self.idx):
            raise StopIteration
        i, start = self.idx[self.curr_idx]
        self.curr_idx += 1
        data, label = (a[i][start : start + self.batch_size] for a in (self.nddata, self.ndlabel))
        if self.major_axis == 1:
            data, label = data.T, label.T
        return DataBatch(
            [data],
            [label],
            pad=0,
            bucket_key=self.buckets[i],
            provide_data=[DataDesc(name=self.data_name, shape=data.shape, layout=self.layout)],
            provide_label=[DataDesc(name=self.label_name, shape=label.shape, layout=self.layout)],
        )
