"""Handles on registered hooks."""

from collections.abc import Callable
from types import TracebackType
from typing import Any

__all__ = ["HookHandle"]


class HookHandle:
    """Removes a hook again: with `detach()`, or at the end of a `with`.

    Args:
        hooks: The hooks of a block, by id.
        hook: The hook to add.
    """

    _next_id = 0

    def __init__(self, hooks: dict[int, Callable[..., Any]], hook: Callable[..., Any]) -> None:
        self.id = HookHandle._next_id
        HookHandle._next_id += 1
        hooks[self.id] = hook
        self._registered: dict[int, Callable[..., Any]] | None = hooks

    def detach(self) -> None:
        """Remove the hook; a second call does nothing."""
        if self._registered is not None:
            self._registered.pop(self.id, None)
            self._registered = None

    def __enter__(self) -> "HookHandle":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.detach()
