"""Results that share no memory with an input, for imperative calls."""

from torch import Tensor


def own_copy(data: Tensor) -> Tensor:
    """Return a contiguous copy, whatever the memory of `data` is like."""
    return data.clone() if data.is_contiguous() else data.contiguous()
