"""How an operator's function is called: inputs and attributes told apart, signature, docstring."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from gluonnx.errors import InputTypeError
from gluonnx.ops.table import Operator

Handle = TypeVar("Handle")


INPLACE_METHODS = {"squeeze": 1, "expand_dims": 1, "flatten": 0}
"""Methods that take `inplace` after so many attributes. Source: MXNet 1.9.1 python/mxnet/ndarray/ndarray.py."""


def arrange(
    op: Operator, args: Sequence[Any], kwargs: Mapping[str, Any], handle: type[Handle]
) -> tuple[list[Handle | None], dict[str, Any]]:
    """Return (inputs in the operator's order, None where left out; attributes as given) of a call.

    Args:
        op: The operator.
        args: Positional arguments: inputs, then attributes.
        kwargs: Keyword arguments: inputs by name, attributes.
        handle: What an input is: NDArray or Symbol.

    Raises:
        InputTypeError: An input is not a `handle`, or an argument is given twice or too many are given.
    """
    rest = dict(kwargs)
    if rest.get("dtype", "") is None and not _takes_none(op, "dtype"):
        del rest["dtype"]
    if op.is_open:
        return _arrange_open(op, args, rest, handle)
    if op.variadic:
        if len(args) == 1 and isinstance(args[0], (list, tuple)):
            args = args[0]
        slots = list(args)
        pattern = op.inputs[-1].name
        while f"{pattern}{len(slots)}" in rest:
            slots.append(rest.pop(f"{pattern}{len(slots)}"))
        slots += [rest.pop(name, None) for name in op.named(rest)[len(slots) :]]
        while slots and slots[-1] is None:
            slots.pop()
        if op.count_attribute is not None and all(isinstance(s, handle) for s in slots):
            rest.setdefault(op.count_attribute, sum(len(s) if hasattr(s, "_heads") else 1 for s in slots))
    else:
        slots = _arrange_fixed(op, list(args), rest, handle)
    for position, value in enumerate(slots):
        if value is not None and not isinstance(value, handle):
            label = op.inputs[min(position, len(op.inputs) - 1)].name
            remedy = " Make one with `nd.array()`." if handle.__name__ == "NDArray" else ""
            raise InputTypeError(
                f"{op.name}: input `{label}` is of the wrong type: expected {handle.__name__}, "
                f"got {type(value).__name__}.{remedy}"
            )
    return slots, rest


def _arrange_open(
    op: Operator, args: Sequence[Any], kwargs: Mapping[str, Any], handle: type[Handle]
) -> tuple[list[Handle | None], dict[str, Any]]:
    """Arrange a call whose inputs follow from its attributes: whatever is a handle is an input."""
    attrs = {name: value for name, value in kwargs.items() if not isinstance(value, handle)}
    names = [spec.name for spec in op.active_inputs(op.parse(op.to_text(attrs)))]
    wrong = [type(value).__name__ for value in args if value is not None and not isinstance(value, handle)]
    if wrong:
        raise InputTypeError(
            f"{op.name}: input is of the wrong type: expected {handle.__name__}, got {', '.join(wrong)}."
        )
    if len(args) > len(names):
        raise InputTypeError(
            f"{op.name}: too many inputs: expected at most {len(names)} ({', '.join(names)}), got {len(args)}."
        )
    slots: list[Handle | None] = [*args, *[None] * (len(names) - len(args))]
    for name, value in kwargs.items():
        if not isinstance(value, handle):
            continue
        if name not in names:
            raise InputTypeError(
                f"{op.name}: no such input: expected one of {', '.join(names) or 'none'}, got {name!r}."
            )
        if slots[names.index(name)] is not None:
            raise InputTypeError(f"{op.name}: argument `{name}` was given twice: expected it once.")
        slots[names.index(name)] = value
    return slots, attrs


def _arrange_fixed(op: Operator, args: list[Any], rest: dict[str, Any], handle: type[Handle]) -> list[Any]:
    names = [i.name for i in op.inputs]
    slots = args[: len(names)]
    # A positional argument after the inputs is an attribute: nd.expand_dims(x, 1), nd.clip(x, 0, 1).
    extra = args[len(names) :]
    required = sum(not i.optional for i in op.inputs)
    while len(slots) > required and slots[-1] is not None and not isinstance(slots[-1], handle):
        extra.insert(0, slots.pop())
    order = list(op.attributes)
    if len(extra) > len(order):
        raise InputTypeError(
            f"{op.name}: too many arguments: expected at most {len(names) + len(order)}, got {len(slots) + len(extra)}."
        )
    for value, attr in zip(extra, order, strict=False):
        if attr in rest:
            raise InputTypeError(f"{op.name}: argument `{attr}` was given twice: expected it once.")
        rest[attr] = value
    slots += [None] * (len(names) - len(slots))
    for position, name in enumerate(names):
        if name in rest and name not in op.attributes:
            if slots[position] is not None:
                raise InputTypeError(f"{op.name}: argument `{name}` was given twice: expected it once.")
            slots[position] = rest.pop(name)
    return slots


def _takes_none(op: Operator, name: str) -> bool:
    spec = op.attributes.get(name)
    if spec is None:
        return False
    try:
        spec.parse(None)
    except (ValueError, TypeError):
        return False
    return True


def signature(op: Operator) -> inspect.Signature:
    """Return the Python signature of an operator's function, as MXNet documents it."""
    parameter = inspect.Parameter
    parameters: list[inspect.Parameter] = []
    if op.variadic:
        parameters.append(parameter(op.inputs[-1].name, parameter.VAR_POSITIONAL))
    else:
        parameters += [parameter(i.name, parameter.POSITIONAL_OR_KEYWORD, default=None) for i in op.inputs]
    for attr in op.attributes.values():
        if not (op.variadic and attr.name == op.count_attribute):
            kind = parameter.KEYWORD_ONLY if op.variadic else parameter.POSITIONAL_OR_KEYWORD
            parameters.append(parameter(attr.name, kind, default=None if attr.required else attr.default))
    parameters += [parameter(n, parameter.KEYWORD_ONLY, default=None) for n in ("out", "name")]
    return inspect.Signature(parameters)


def document(op: Operator) -> str:
    """Return the docstring of an operator's function."""
    lines = [op.doc.rstrip(), "", "Args:"]
    for spec in op.inputs:
        notes = ", optional" if spec.optional else ", updated in training" if spec.auxiliary else ""
        lines.append(f"    {'*' if op.variadic else ''}{spec.name}: array{notes}.")
    for attr in op.attributes.values():
        default = "required" if attr.required else f"default {attr.default!r}"
        effect = "" if attr.has_effect else "; accepted, no effect"
        lines.append(f"    {attr.name}: {attr.describe}, {default}{effect}.")
    if op.source:
        lines += ["", f"Source: {op.source}"]
    return "\n".join(lines).strip()


def signature_with_inplace(op: Operator, name: str) -> inspect.Signature:
    """Return the signature of a method that takes `inplace` after its attributes."""
    known = list(signature(op).parameters.values())
    data, attributes = known[0], known[1 : 1 + INPLACE_METHODS[name]]
    needed = [p.replace(default=p.empty) if op.attributes[p.name].required else p for p in attributes]
    inplace = inspect.Parameter("inplace", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=False)
    return inspect.Signature([data.replace(name="self", default=data.empty), *needed, inplace, *known[-2:]])


def split_inplace(name: str, args: tuple[Any, ...], inplace: bool) -> tuple[tuple[Any, ...], bool]:
    """Return the attributes a method is given by position, and `inplace`, which may follow them."""
    count = INPLACE_METHODS[name]
    return (args[:count], bool(args[count])) if len(args) == count + 1 else (args, inplace)
