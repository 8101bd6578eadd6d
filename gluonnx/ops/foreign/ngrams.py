"""ONNX operators on sequences of tokens: TfIdfVectorizer."""

from itertools import pairwise

import torch
from torch import Tensor

from gluonnx.errors import InputError
from gluonnx.ops.foreign.table import onnx_operator


@onnx_operator("TfIdfVectorizer")
def tf_idf_vectorizer(
    data: Tensor,
    *,
    max_gram_length: int,
    max_skip_count: int,
    min_gram_length: int,
    mode: str,
    ngram_counts: list[int],
    ngram_indexes: list[int],
    pool_int64s: list[int] | None = None,
    weights: list[float] | None = None,
) -> Tensor:
    """How often each n-gram of a pool is found in sequences (C,) or (N, C) of integers: (K,) or (N, K) of float32.

    The pool lists the 1-grams, then the 2-grams and so on, each from its place in `ngram_counts`. An n-gram is n tokens
    with up to `max_skip_count` others between each two. `mode` is TF (counts), IDF (weights of what is found) or TFIDF
    (counts times weights).

    Raises:
        InputError: The pool is of strings, or the attributes do not fit each other.
    """
    if pool_int64s is None:
        raise InputError(
            "TfIdfVectorizer: the pool is of strings: expected pool_int64s, got pool_strings. Arrays hold numbers."
        )
    rows = data.reshape(1, -1) if data.dim() < 2 else data
    size = max(ngram_indexes, default=-1) + 1
    counts = torch.zeros(rows.shape[0] * size, dtype=torch.float32, device=data.device)
    if data.device.type != "meta":
        targets = torch.tensor(ngram_indexes, dtype=torch.int64, device=data.device)
        pool = torch.tensor(pool_int64s, dtype=torch.int64, device=data.device)
        bounds = [*ngram_counts, len(pool_int64s)]
        first = 0
        for length, (begin, end) in enumerate(pairwise(bounds), start=1):
            if not 0 <= begin <= end <= len(pool_int64s) or (end - begin) % length:
                raise InputError(
                    f"TfIdfVectorizer: wrong ngram_counts: expected places that part a pool of {len(pool_int64s)} "
                    f"in n-grams, got ngram_counts={ngram_counts}."
                )
            grams = pool[begin:end].reshape(-1, length)
            own = targets[first : first + len(grams)]
            first += len(grams)
            if min_gram_length <= length <= max_gram_length and len(grams):
                for step in range(1, 2 if length == 1 else max_skip_count + 2):
                    _count(counts, rows.to(torch.int64), grams, own, step, size)
    found = counts.reshape(rows.shape[0], size)
    if mode != "TF" and weights is not None:
        scale = torch.zeros(size, dtype=torch.float32, device=data.device)
        scale[ngram_indexes] = torch.tensor(weights, dtype=torch.float32, device=data.device)
        found = (found if mode == "TFIDF" else (found > 0).to(torch.float32)) * scale
    elif mode == "IDF":
        found = (found > 0).to(torch.float32)
    return found.reshape(size) if data.dim() < 2 else found


def _count(counts: Tensor, rows: Tensor, grams: Tensor, targets: Tensor, step: int, size: int) -> None:
    """Add to the counts of each row the n-grams whose tokens are `step` apart."""
    length = grams.shape[1]
    places = rows.shape[1] - (length - 1) * step
    if places <= 0:
        return
    windows = torch.stack([rows[:, k * step : k * step + places] for k in range(length)], -1).reshape(-1, length)
    _, number = torch.unique(torch.cat([grams, windows]), dim=0, return_inverse=True)
    pooled, seen = number[: len(grams)], number[len(grams) :]
    target = torch.full((int(number.max()) + 1,), -1, dtype=torch.int64, device=rows.device)
    target[pooled] = targets
    hits = target[seen]
    row = torch.arange(rows.shape[0], device=rows.device).repeat_interleave(places)
    is_hit = hits >= 0
    counts.index_add_(0, (row * size + hits)[is_hit], torch.ones_like(hits[is_hit], dtype=counts.dtype))
