"""Imperative functions, made from the operator table.

A call takes the quick way when every input is a plain NDArray and its attributes were seen before; anything else (names
for inputs, positional attributes, `out=`, other contexts) goes through `_call`.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from gluonnx.context import Context, current_context
from gluonnx.errors import InputError, MXNetError
from gluonnx.modes import MODES
from gluonnx.ndarray.generators import generator
from gluonnx.ndarray.ndarray import NDArray, check_same_context, on_context
from gluonnx.ops.signature import arrange, document, signature
from gluonnx.ops.table import TABLE, Operator

MAX_CACHED_CALLS = 512
"""Attribute combinations remembered per operator."""

Function = Callable[..., Any]

_functions: dict[str, Function] = {}


def function(name: str) -> Function:
    """Return the imperative function of an operator, by any registered name."""
    found = _functions.get(name)
    if found is None:
        found = _functions[name] = _make(TABLE[name], name)
    return found


def call(op: Operator, inputs: Sequence[NDArray], attrs: Mapping[str, Any], out: Any = None) -> Any:
    """Call an operator on arrays with attributes that are not parsed yet."""
    return _run(op, list(inputs), op.parse(attrs), out, attrs.get("ctx"))


def attach_methods() -> None:
    """Give NDArray the methods that the table declares."""
    for op in TABLE.operators():
        for name in op.method:
            if name not in NDArray.__dict__:
                setattr(NDArray, name, _method(function(op.name), name))


def _method(fn: Function, name: str) -> Function:
    def method(self: NDArray, *args: Any, **kwargs: Any) -> Any:
        return fn(self, *args, **kwargs)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = fn.__doc__
    return method


def _make(op: Operator, name: str) -> Function:
    if not op.attributes and not op.runtime and op.is_single_output and not op.variadic and not op.view:
        fn = {1: _unary, 2: _binary}.get(len(op.inputs), _general)(op)
    else:
        fn = _general(op)
    fn.__name__ = fn.__qualname__ = name
    fn.__doc__ = document(op)
    fn.__signature__ = signature(op)  # type: ignore[attr-defined]
    return fn


def _unary(op: Operator) -> Function:
    forward = op.forward

    def fn(*args: Any, **kwargs: Any) -> Any:
        if not kwargs and len(args) == 1:
            data = args[0]
            if type(data) is NDArray:
                t = data._t
                if t.requires_grad:
                    t = data._active()
                return NDArray(forward(t))
        return _call(op, args, kwargs)

    return fn


def _binary(op: Operator) -> Function:
    forward = op.forward

    def fn(*args: Any, **kwargs: Any) -> Any:
        if not kwargs and len(args) == 2:
            lhs, rhs = args
            if type(lhs) is NDArray and type(rhs) is NDArray:
                a, b = lhs._t, rhs._t
                if a.requires_grad or b.requires_grad:
                    a, b = lhs._active(), rhs._active()
                try:
                    return NDArray(forward(a, b))
                except RuntimeError as err:
                    raise explain(op, (a, b), err) from err
        return _call(op, args, kwargs)

    return fn


def _general(op: Operator) -> Function:
    cache: dict[Any, Callable[..., Any]] = {}
    quick = not op.runtime and op.is_single_output and not op.view

    def fn(*args: Any, **kwargs: Any) -> Any:
        if not quick:
            return _call(op, args, kwargs)
        try:
            bound = cache.get(tuple(kwargs.items()))
        except TypeError:  # a list among the attributes
            bound = None
        if bound is None:
            return _call(op, args, kwargs, cache)
        tensors = []
        for data in args:
            if type(data) is not NDArray:
                return _call(op, args, kwargs)
            t = data._t
            tensors.append(data._active() if t.requires_grad else t)
        try:
            return NDArray(bound(*tensors))
        except (RuntimeError, IndexError, TypeError) as err:
            raise explain(op, tensors, err) from err

    return fn


def _call(op: Operator, args: Sequence[Any], kwargs: dict[str, Any], cache: dict[Any, Any] | None = None) -> Any:
    """Sort arguments into inputs, attributes, `out` and `name`, then run."""
    out = kwargs.pop("out", None)
    kwargs.pop("name", None)
    slots, attrs = arrange(op, args, kwargs, NDArray)
    inputs = [s for s in slots if s is not None]
    ctx = attrs.get("ctx")
    if "ctx" in attrs:
        attrs["ctx"] = "" if ctx is None else str(ctx)
        if "ctx" not in op.attributes:
            del attrs["ctx"]
    parsed = op.parse(attrs)
    if cache is not None and len(attrs) == len(kwargs) and len(inputs) == len(args):
        try:
            key = tuple(kwargs.items())
            if len(cache) >= MAX_CACHED_CALLS:
                cache.clear()
            cache[key] = functools.partial(op.forward, **parsed)
        except TypeError:  # an attribute that cannot be a key
            pass
    return _run(op, inputs, parsed, out, ctx)


def _run(op: Operator, inputs: list[NDArray], parsed: dict[str, Any], out: Any, ctx: Any) -> Any:
    op.check_count(len(inputs), parsed)
    home = inputs[0].context if inputs else _context(ctx)
    for other in inputs[1:]:
        check_same_context(op.name, inputs[0], other)
    tensors = [a._active() for a in inputs]
    if op.runtime:
        if not inputs:
            home.check_available()
        parsed = {**parsed, **runtime_arguments(op, home.torch_device)}
    try:
        result = op.forward(*tensors, **parsed)
    except MXNetError:
        raise
    except (RuntimeError, IndexError, TypeError) as err:
        raise explain(op, tensors, err) from err
    if isinstance(result, torch.Tensor):
        if op.view and not MODES.recording and inputs and _shares_memory(result, tensors):
            result = result.clone()
        return _deliver(on_context(result, home), out)
    count = len(op.output_names(parsed))
    for position, update in zip(op.auxiliary, result[count:], strict=True):
        if update is not None:
            with torch.no_grad():
                inputs[position]._writable().copy_(update)
    visible = result[: op.visible_outputs(parsed)]
    if op.view and not MODES.recording:
        visible = [r.clone() if _shares_memory(r, tensors) else r for r in visible]
    if len(visible) == 1:
        return _deliver(on_context(visible[0], home), out)
    if out is None:
        return [on_context(r, home) for r in visible]
    return [_deliver(on_context(r, home), o) for r, o in zip(visible, out, strict=True)]


def runtime_arguments(op: Operator, device: torch.device) -> dict[str, Any]:
    """Return what an operator asks of its caller."""
    given: dict[str, Any] = {}
    if "training" in op.runtime:
        given["training"] = MODES.training
    if "generator" in op.runtime:
        given["generator"] = generator(device)
    if "device" in op.runtime:
        given["device"] = device
    return given


def _context(ctx: Any) -> Context:
    if ctx is None or ctx == "":
        return current_context()
    if isinstance(ctx, Context):
        return ctx
    kind, _, index = str(ctx).rstrip(")").partition("(")
    return Context(kind, int(index or 0))


def _shares_memory(result: torch.Tensor, inputs: Sequence[torch.Tensor]) -> bool:
    storage = result.untyped_storage().data_ptr()
    return any(t.untyped_storage().data_ptr() == storage for t in inputs)


def _deliver(result: NDArray, out: Any) -> NDArray:
    if out is None:
        return result
    if isinstance(out, (list, tuple)):
        (out,) = out
    if out.shape != result.shape:
        raise InputError(f"out: does not fit the result: expected shape {result.shape}, got out={out.shape}.")
    out._write(result._t)
    return out


def explain(op: Operator, tensors: Sequence[torch.Tensor], err: Exception) -> Exception:
    """Return the error for inputs that an operator does not take."""
    if isinstance(err, MXNetError):
        return err
    given = ", ".join(f"{tuple(t.shape)} {str(t.dtype).removeprefix('torch.')}" for t in tensors)
    return InputError(f"{op.name}: does not take these inputs: got {given or 'none'}: {err}")
