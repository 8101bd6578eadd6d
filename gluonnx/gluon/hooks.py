"""Handles on registered hooks."""

import itertools
from collections.abc import Callable, MutableMapping
from typing import Any, Self

from gluonnx.errors import ArgumentError

__all__ = ["HookHandle"]

Hook = Callable[..., Any]

_ids = itertools.count()


class HookHandle:
    """Removes a hook again: with `detach()`, or at the end of a `with`.

    Args:
        hooks: Mapping to put the hook into, by id; None to `attach` later.
        hook: The hook.
    """

    def __init__(self, hooks: MutableMapping[int, Hook] | None = None, hook: Hook | None = None) -> None:
        self.id = next(_ids)
        self._registered: MutableMapping[int, Hook] | None = None
        self._was_attached = False
        if hooks is not None and hook is not None:
            self.attach(hooks, hook)

    def attach(self, hooks_dict: MutableMapping[int, Hook], hook: Hook) -> None:
        """Put a hook into a mapping of hooks.

        Raises:
            ArgumentError: The handle was attached before.
        """
        if self._was_attached:
            raise ArgumentError(
                "HookHandle: The same handle cannot be attached twice: expected a new handle, "
                f"got one that was attached when it came to hook={hook!r}. Make another one."
            )
        self._was_attached = True
        hooks_dict[self.id] = hook
        self._registered = hooks_dict

    def detach(self) -> None:
        """Remove the hook; a second call does nothing."""
        if self._registered is not None:
            self._registered.pop(self.id, None)
            self._registered = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.detach()
