"""Registries of classes that are created by name: initializers and metrics (`mx.registry`)."""

import json
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

from gluonnx.errors import RegistryError

__all__ = ["get_alias_func", "get_create_func", "get_register_func", "get_registry"]

Klass = TypeVar("Klass", bound=type)

_registries: dict[type, dict[str, type]] = {}


def get_registry(base_class: type) -> dict[str, type]:
    """Return a copy of the registry of a base class: lower-case name to class."""
    return _registries.setdefault(base_class, {}).copy()


def get_register_func(base_class: type, nickname: str) -> Callable[..., Any]:
    """Return the function that registers subclasses of `base_class` under their lower-case name.

    Args:
        base_class: What every registered class derives from.
        nickname: What messages call such a class.
    """
    registry = _registries.setdefault(base_class, {})

    def register(klass: Klass, name: str | None = None) -> Klass:
        if not issubclass(klass, base_class):
            raise RegistryError(
                f"register: not a {nickname} class: expected a subclass of {base_class.__name__}, got {klass!r}."
            )
        key = (name or klass.__name__).lower()
        known = registry.get(key)
        if known is not None:
            warnings.warn(
                f"New {nickname} {klass.__module__}.{klass.__name__} registered with name {key} is overriding "
                f"existing {nickname} {known.__module__}.{known.__name__}",
                UserWarning,
                stacklevel=2,
            )
        registry[key] = klass
        return klass

    register.__doc__ = f"Register a class as a {nickname}, under `name` or its own lower-case name."
    return register


def get_alias_func(base_class: type, nickname: str) -> Callable[..., Callable[[Klass], Klass]]:
    """Return the decorator factory that registers a class under further names."""
    register = get_register_func(base_class, nickname)

    def alias(*aliases: str) -> Callable[[Klass], Klass]:
        def decorate(klass: Klass) -> Klass:
            for name in aliases:
                register(klass, name)
            return klass

        return decorate

    alias.__doc__ = f"Register a {nickname} class under further names."
    return alias


def get_create_func(base_class: type, nickname: str) -> Callable[..., Any]:
    """Return the function that makes an instance from a name, a JSON description, a dict or an instance."""
    registry = _registries.setdefault(base_class, {})

    def create(*args: Any, **kwargs: Any) -> Any:
        if args:
            name, *rest = args
        elif nickname in kwargs:
            name, rest = kwargs.pop(nickname), []
        else:
            raise RegistryError(f"create: no {nickname} named: expected a name or an instance, got none.")
        if isinstance(name, base_class):
            if rest or kwargs:
                raise RegistryError(
                    f"create: `{name!r}` is already an instance of a {nickname}: expected no further arguments, "
                    f"got {[*rest, *kwargs]}."
                )
            return name
        if isinstance(name, dict):
            return create(**name)
        if not isinstance(name, str):
            raise RegistryError(
                f"create: wrong type of {nickname}: expected a name or an instance, got {type(name).__name__}."
            )
        if name.startswith(("[", "{")):
            return create_described(name)
        found = registry.get(name.lower())
        if found is None:
            raise RegistryError(
                f"create: unknown {nickname}: expected one of {', '.join(sorted(registry))}, got {name!r}. "
                f"Register your own class with `register`."
            )
        return found(*rest, **kwargs)

    def create_described(text: str) -> Any:
        try:
            described = json.loads(text)
        except json.JSONDecodeError as err:
            raise RegistryError(f"create: description of a {nickname} is not JSON: {err}, got {text!r}.") from None
        if isinstance(described, dict):
            return create(**described)
        if len(described) != 2 or not isinstance(described[0], str) or not isinstance(described[1], dict):
            raise RegistryError(f'create: description of a {nickname}: expected ["name", {{arguments}}], got {text!r}.')
        return create(described[0], **described[1])

    create.__doc__ = f"Return a {nickname} from its name and arguments, its JSON description, or itself."
    return create
