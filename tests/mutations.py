"""Changes of files that keep to their grammar: fields of messages and values of JSON, not bytes."""

import copy
import json
import math
import random
from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

__all__ = ["mutated_json", "mutated_message"]

INTEGERS = (
    0,
    1,
    -1,
    2,
    3,
    7,
    64,
    255,
    1 << 16,
    10**6,
    10**9,
    2**31 - 1,
    -(2**31),
    1 << 40,
    1 << 62,
    2**63 - 1,
    -(2**63),
)
FLOATS = (0.0, -0.0, 1.0, -1.0, 1e-38, 1e38, math.inf, -math.inf, math.nan, 0.5)
TEXTS = (
    "",
    "x",
    "../x",
    "/etc/passwd",
    "a\0b",
    "data",
    "é",
    "_",
    "1",
    "-1",
    "(1e12,)",
    "NaN",
    "ai.onnx",
    "Relu",
    "f" * 300,
)
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2**31, 2**63, 10**30, 1.5, 1e308, "", "x", "null", "\0", "\ud800", [], {},
    [0, 0, 0], [[0, 0, 0]], {"a": 1},
)  # fmt: skip

_INTEGER_TYPES = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
    FieldDescriptor.CPPTYPE_ENUM: (-(2**31), 2**31 - 1),
}


def mutated_message(message: Message, draws: random.Random, count: int = 3) -> bytes:
    """Change a copy of a message in up to `count` places, and return its bytes."""
    changed = type(message)()
    changed.CopyFrom(message)
    for _ in range(draws.randint(1, count)):
        places = list(_messages(changed))
        place = draws.choice(places)
        try:
            _change(place, [p for p in places if p.DESCRIPTOR is place.DESCRIPTOR], _texts(changed), draws)
        except (ValueError, TypeError):  # an enum of two's syntax takes no other number
            continue
    data = bytearray(changed.SerializeToString())
    if data and draws.random() < 0.15:
        data[draws.randrange(len(data))] = draws.randrange(256)
    return bytes(data)


def _messages(message: Message) -> Iterator[Message]:
    yield message
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            for item in value if field.is_repeated else (value,):
                yield from _messages(item)


def _texts(message: Message) -> list[str]:
    """The names of a message, so that one may stand in the place of another."""
    found = set()
    for place in _messages(message):
        for field, value in place.ListFields():
            if field.type == FieldDescriptor.TYPE_STRING:
                found.update(value if field.is_repeated else (value,))
    return sorted(found)[:200]


def _change(place: Message, alike: list[Message], texts: list[str], draws: random.Random) -> None:
    field = draws.choice(place.DESCRIPTOR.fields)
    if draws.random() < 0.75 and (given := [f for f, _ in place.ListFields()]):
        field = draws.choice(given)
    if draws.random() < 0.15:
        place.ClearField(field.name)
        return
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        _change_message(place, field, alike, draws)
        return
    value: Any
    if field.cpp_type in _INTEGER_TYPES:
        low, high = _INTEGER_TYPES[field.cpp_type]
        value = max(low, min(high, draws.choice(INTEGERS) + draws.choice((0, 0, 0, 1, -1))))
    elif field.cpp_type in (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE):
        value = draws.choice(FLOATS)
    elif field.type == FieldDescriptor.TYPE_BYTES:
        old = getattr(place, field.name)
        old = (old[0] if old else b"") if field.is_repeated else old
        value = draws.choice((old[:-1], old + b"\0", old[: len(old) // 2], b"", b"\xff" * 9, old * 2))
    else:
        value = draws.choice(texts) if texts and draws.random() < 0.7 else draws.choice(TEXTS)
    if not field.is_repeated:
        setattr(place, field.name, value)
        return
    items = getattr(place, field.name)
    choice = draws.randrange(4)
    if items and choice == 0:
        del items[draws.randrange(len(items))]
    elif items and choice < 3:
        items[draws.randrange(len(items))] = value
    else:
        items.append(value)


def _change_message(place: Message, field: Any, alike: list[Message], draws: random.Random) -> None:
    other = getattr(draws.choice(alike), field.name)
    if not field.is_repeated:
        made = type(other)()
        made.CopyFrom(other)
        getattr(place, field.name).CopyFrom(made)
        return
    items = getattr(place, field.name)
    choice = draws.randrange(4)
    if items and choice == 0:
        del items[draws.randrange(len(items))]
    elif other and choice < 3:
        made = type(other[0])()
        made.CopyFrom(draws.choice(other))
        items.append(made)
    elif len(items) > 1:
        kept = [type(i)() for i in items]
        for new, old in zip(kept, items, strict=True):
            new.CopyFrom(old)
        draws.shuffle(kept)
        del items[:]
        items.extend(kept)


def mutated_json(text: str | bytes, draws: random.Random, count: int = 3, extra: tuple[Any, ...] = ()) -> str:
    """Change JSON in up to `count` places: values replaced, taken away, doubled or exchanged.

    Args:
        text: The JSON.
        draws: Where choices come from.
        count: Most changes.
        extra: Values that may stand anywhere.
    """
    value = json.loads(text)
    for _ in range(draws.randint(1, count)):
        value = _change_value(value, draws, VALUES + extra)
    return json.dumps(value)


def _change_value(value: Any, draws: random.Random, values: tuple[Any, ...]) -> Any:
    places = list(_places(value))
    if not places:
        return copy.deepcopy(draws.choice(values))
    holder, key = draws.choice(places)
    choice = draws.randrange(6)
    if choice == 0:
        del holder[key]
    elif choice == 1:
        other, other_key = draws.choice(places)
        if not _holds(other[other_key], holder):
            holder[key] = json.loads(json.dumps(other[other_key]))
    elif choice == 2 and isinstance(holder, list):
        holder.insert(key, json.loads(json.dumps(holder[key])))
    elif choice == 3 and isinstance(holder, dict):
        holder[draws.choice(("x", "attrs", "inputs", "op", "", "num_outputs", "_wiring"))] = holder.pop(key)
    else:
        holder[key] = copy.deepcopy(draws.choice(values))
    return value


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    keys: Any = range(len(value)) if isinstance(value, list) else list(value) if isinstance(value, dict) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])


def _holds(value: Any, holder: Any) -> bool:
    return value is holder or any(inner is holder for inner, _ in _places(value))
