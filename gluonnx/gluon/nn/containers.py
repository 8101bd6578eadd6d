"""Containers: blocks that call their children one after the other."""

import warnings
from typing import Any

from gluonnx.gluon.block import Block, HybridBlock
from gluonnx.gluon.utils import indent

__all__ = ["HybridSequential", "Sequential"]


class _Stack(Block):
    """What both containers share: children in the order in which they were added."""

    def add(self, *blocks: Block) -> None:
        """Add blocks at the end."""
        for block in blocks:
            self.register_child(block)

    def __repr__(self) -> str:
        lines = "\n".join(f"  ({key}): {indent(repr(block), 2)}" for key, block in self._children.items())
        return f"{type(self).__name__}(\n{lines}\n)"

    def __getitem__(self, key: int | slice) -> Any:
        """Return a child, or for a slice a container of the same prefix that shares the children."""
        found = list(self._children.values())[key]
        if not isinstance(found, list):
            return found
        part = type(self)(prefix=self.prefix)
        with part.name_scope():
            part.add(*found)
        return part

    def __len__(self) -> int:
        return len(self._children)


class Sequential(_Stack):
    """Call blocks one after the other.

    Examples:
        >>> from gluonnx.gluon import nn
        >>> net = nn.Sequential()
        >>> with net.name_scope():
        ...     net.add(nn.Dense(10, activation="relu"), nn.Dense(20))
        >>> len(net), net[1]
        (2, Dense(None -> 20, linear))
    """

    def forward(self, x: Any) -> Any:
        """Return what the last block makes of what the others made of `x`."""
        for block in self._children.values():
            x = block(x)
        return x

    def hybridize(self, active: bool = True, **kwargs: Any) -> None:
        """Hybridize the children that can be; see `HybridBlock.hybridize` for the arguments.

        Warns if all of them can be: a `HybridSequential` would then be hybridized as one.
        """
        if self._children and all(isinstance(child, HybridBlock) for child in self._children.values()):
            warnings.warn(
                f"All children of this Sequential layer '{self.prefix}' are HybridBlocks. "
                "Consider using HybridSequential for the best performance.",
                stacklevel=2,
            )
        super().hybridize(active, **kwargs)


class HybridSequential(_Stack, HybridBlock):
    """Call hybrid blocks one after the other; hybridized, they become one graph.

    Examples:
        >>> from gluonnx.gluon import nn
        >>> net = nn.HybridSequential()
        >>> with net.name_scope():
        ...     net.add(nn.Dense(10, activation="relu"), nn.Dense(20))
        >>> net.hybridize()
    """

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Return what the last block makes of what the others made of `x`."""
        for block in self._children.values():
            x = block(x)
        return x
