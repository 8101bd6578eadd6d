"""Where a recorded graph begins: what stands for an array that no recorded operator has made."""

from typing import Any

VARIABLE = "var"
CONSTANT = "null"
OPAQUE = "opaque"
OUTPUT = "output"
"""Begins the record of one output of several: `(OUTPUT, record, index)`."""


class Origin:
    """An array that a graph begins at.

    Attributes:
        kind: `VARIABLE`; `CONSTANT`: an array in no graph; `OPAQUE`: one in torch's graph that no operator made.
        node: The variable of symbols that stands for it, once there is one.
    """

    __slots__ = ("kind", "node")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.node: Any = None
