"""Name scopes of blocks: the prefix that children and parameters get."""

import threading
from typing import TYPE_CHECKING, Any

from gluonnx import name as naming
from gluonnx.gluon.parameter import ParameterDict

if TYPE_CHECKING:
    from gluonnx.gluon.block import Block


class _Current(threading.local):
    scope: "BlockScope | None" = None


_current = _Current()


class BlockScope:
    """The scope of one block, entered by `with self.name_scope():`."""

    __slots__ = ("_block", "_counter", "_entered", "_has_prefix")

    def __init__(self, block: "Block", has_prefix: bool = True) -> None:
        self._block = block
        self._has_prefix = has_prefix
        self._counter: dict[str, int] = {}
        self._entered: list[tuple[BlockScope | None, naming.Prefix]] = []

    def __enter__(self) -> "BlockScope":
        if self._has_prefix:
            names = naming.Prefix(self._block.prefix)
            self._entered.append((_current.scope, names))
            _current.scope = self
            names.__enter__()
        return self

    def __exit__(self, *_: Any) -> None:
        if self._has_prefix:
            _current.scope, names = self._entered.pop()
            names.__exit__()

    @staticmethod
    def create(prefix: str | None, params: ParameterDict | None, hint: str) -> tuple[str, ParameterDict]:
        """Return what `open_scope` does."""
        return open_scope(prefix, params, hint)

    def _next(self, hint: str) -> str:
        count = self._counter.get(hint, 0)
        self._counter[hint] = count + 1
        return f"{hint}{count}_"


def open_scope(prefix: str | None, params: ParameterDict | None, hint: str) -> tuple[str, ParameterDict]:
    """Return the prefix and the parameter dictionary of a block that is being made in the current scope.

    Args:
        prefix: The prefix its maker asks for, None for one made from `hint`.
        params: Parameters to share.
        hint: Class name in lower case.
    """
    scope = _current.scope
    if scope is None:
        if prefix is None:
            prefix = naming.current().get(None, hint) + "_"
        own = ParameterDict(prefix) if params is None else ParameterDict(params.prefix, params)
        return prefix, own
    if prefix is None:
        prefix = scope._next(hint)
    parent = scope._block.params
    own = (
        ParameterDict(parent.prefix + prefix, parent._shared)
        if params is None
        else ParameterDict(params.prefix, params)
    )
    return scope._block.prefix + prefix, own
