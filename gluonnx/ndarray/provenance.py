"""What an array of a recorded graph was made by: the operator and what it read, for `autograd.get_symbol`.

Each array that an operator gives inside `record` holds a tuple, `_made`: what made it, and the same of its inputs. It
lives as long as the array, and holds no other array.
"""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from gluonnx.ndarray.ndarray import NDArray
from gluonnx.ndarray.origin import OUTPUT

__all__ = ["note", "note_outputs"]

_made_of = attrgetter("_made")


def note(result: NDArray, maker: Any, inputs: Sequence[NDArray]) -> None:
    """Let an array that is in a graph know its maker: an Operator, or what `gluonnx.recorded` can read."""
    try:
        result._made = (maker, inputs[0]._made) if len(inputs) == 1 else (maker, *map(_made_of, inputs))
    except AttributeError:  # an input that is in no graph, for the first time
        result._made = (maker, *(a._origin() for a in inputs))


def note_outputs(results: Sequence[NDArray], maker: Any, inputs: Sequence[NDArray]) -> None:
    """The same for the outputs of one call, where any is in a graph."""
    made = (maker, *[a._origin() for a in inputs])
    for index, result in enumerate(results):
        if result._t.requires_grad:
            result._made = (OUTPUT, made, index)
