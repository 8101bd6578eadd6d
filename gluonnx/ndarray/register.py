"""Imperative functions, made from the operator table.

A call takes the quick way when its inputs are plain NDArrays by position and its attributes were seen before; anything
else (inputs by name, `out=`, contexts like `cpu(1)`) goes through `_call`.
"""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gluonnx.context import Context, current_context
from gluonnx.errors import InputError, InputTypeError, MXNetError
from gluonnx.modes import MODES
from gluonnx.ndarray.arithmetic import check_same_context
from gluonnx.ndarray.generators import generator
from gluonnx.ndarray.ndarray import NDArray, on_context
from gluonnx.ndarray.provenance import note, note_outputs
from gluonnx.ndarray.sparse_array import BaseSparseNDArray, stored
from gluonnx.ops import storage
from gluonnx.ops.blocking import blocked
from gluonnx.ops.signature import (
    INPLACE_METHODS,
    arrange,
    document,
    signature,
    signature_with_inplace,
    split_inplace,
)
from gluonnx.ops.table import TABLE, DeclinedError, Operator

MAX_CACHED_CALLS = 512
"""Attribute combinations remembered per operator."""
ATTRIBUTE_TYPES = (str, int, float, tuple, type(None), np.generic, np.dtype, type)
"""What an attribute is that a call can be remembered by: it never changes."""
TORCH_ERRORS = (RuntimeError, IndexError, TypeError, ValueError, DeclinedError)
"""What torch, or a quick function, raises for inputs that it does not take."""

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
    return _run(op, list(inputs), op.parse(attrs), attrs, out, attrs.get("ctx"))


def attach_methods() -> None:
    """Give NDArray the methods that the table declares, and Python's unary operators."""
    for op in TABLE.operators():
        for name in op.method:
            if name not in NDArray.__dict__:
                fn = function(op.name)
                setattr(NDArray, name, _with_inplace(op, fn, name) if name in INPLACE_METHODS else fn)
    setattr(NDArray, "__neg__", function("negative"))  # noqa: B010
    setattr(NDArray, "__abs__", function("abs"))  # noqa: B010


def _with_inplace(op: Operator, fn: Function, name: str) -> Function:
    """Return a method that gives a copy or, with `inplace`, an array that shares memory."""

    def method(self: NDArray, *args: Any, inplace: bool = False, **kwargs: Any) -> Any:
        args, inplace = split_inplace(name, args, inplace)
        if not inplace:
            return fn(self, *args, **kwargs)
        _, attrs = arrange(op, (self, *args), kwargs, NDArray)
        tensor = self._active()
        parsed = op.parse(attrs)
        try:
            result = self._like(op.forward(tensor, **parsed))
        except TORCH_ERRORS as err:
            raise explain(op, [tensor], err) from err
        if result._t.requires_grad:
            note(result, Bound(op, parsed, attrs), (self,))
        return result

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"{fn.__doc__}\n\nWith `inplace=True` the result shares memory with the array."
    method.__signature__ = signature_with_inplace(op, name)  # type: ignore[attr-defined]
    return method


def _make(op: Operator, name: str) -> Function:
    if op.subgraphs:
        return _symbolic(op, name)
    is_plain = (
        not op.attributes
        and not op.runtime
        and op.is_single_output
        and not op.variadic
        and not op.view
        and not op.takes_dense
    )
    fn = {1: _unary, 2: _binary}.get(len(op.inputs), _general)(op) if is_plain else _general(op)
    fn.__name__ = fn.__qualname__ = name
    fn.__doc__ = document(op)
    fn.__signature__ = signature(op)  # type: ignore[attr-defined]
    return fn


def _symbolic(op: Operator, name: str) -> Function:
    """Stand in for an operator that runs subgraphs, which only symbols have."""

    def fn(*args: Any, **kwargs: Any) -> Any:
        raise InputTypeError(
            f"{name}: runs subgraphs: expected a call of `sym`, got one of `nd`. "
            "Use `nd.contrib.foreach`, `while_loop` or `cond`."
        )

    fn.__name__ = fn.__qualname__ = name
    fn.__doc__ = document(op)
    return fn


def _unary(op: Operator) -> Function:
    forward = op.forward

    def fn(*args: Any, **kwargs: Any) -> Any:
        if not kwargs and len(args) == 1:
            data = args[0]
            if type(data) is NDArray:
                t = data._t
                if t.requires_grad:
                    source = data._active()
                    try:
                        t = forward(source)
                    except TORCH_ERRORS as err:
                        raise explain(op, (source,), err) from err
                    if source.requires_grad and not t.requires_grad:
                        t = blocked(t, (source,))
                    result = NDArray(t)
                    if t.requires_grad:
                        try:
                            result._made = (op, data._made)
                        except AttributeError:
                            note(result, op, (data,))
                    return result
                try:
                    return NDArray(forward(t))
                except TORCH_ERRORS as err:
                    raise explain(op, (t,), err) from err
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
                        t = forward(a, b)
                    except TORCH_ERRORS as err:
                        raise explain(op, (a, b), err) from err
                    if not t.requires_grad:
                        t = blocked(t, (a, b))
                    result = NDArray(t)
                    if t.requires_grad:
                        note(result, op, (lhs, rhs))
                    return result
                try:
                    return NDArray(forward(a, b))
                except TORCH_ERRORS as err:
                    raise explain(op, (a, b), err) from err
        return _call(op, args, kwargs)

    return fn


def _general(op: Operator) -> Function:
    cache: dict[Any, Bound] = {}
    find = cache.get
    is_training = op.runtime == {"training"}
    runtime = op.runtime
    has_modes = "training" in runtime
    # The call before is the likeliest one: its number of arrays and of arguments, its attributes, what it came to.
    # One tuple, so that threads see one call. An array among the attributes is never in a key: it is not found.
    last: tuple[int, int, Any, Any, Any, Any] = (-1, -1, None, None, None, None)

    def fn(*args: Any, **kwargs: Any) -> Any:
        nonlocal last
        count, length, given, rest, bound, plain = last
        try:
            is_known = len(args) == length and kwargs == given and (count == length or args[count:] == rest)
        except (TypeError, ValueError):  # numpy arrays among the attributes
            return _call(op, args, kwargs, cache)
        if is_known and plain is not None and not (has_modes and MODES.training):
            # Arrays that are in no graph; what goes wrong goes wrong again below, which says why.
            try:
                if count == 1:
                    data = args[0]
                    if type(data) is NDArray:
                        t = data._t
                        if not t.requires_grad:
                            result = plain(t)
                            return NDArray(result) if isinstance(result, Tensor) else [NDArray(r) for r in result]
                elif count == 2:
                    data, other = args[:2]
                    if type(data) is NDArray and type(other) is NDArray:
                        t, u = data._t, other._t
                        if not (t.requires_grad or u.requires_grad):
                            result = plain(t, u)
                            return NDArray(result) if isinstance(result, Tensor) else [NDArray(r) for r in result]
                else:
                    tensors = []
                    for data in args if count == length else args[:count]:
                        if type(data) is not NDArray:
                            break
                        t = data._t
                        if t.requires_grad:
                            break
                        tensors.append(t)
                    else:
                        result = plain(*tensors)
                        return NDArray(result) if isinstance(result, Tensor) else [NDArray(r) for r in result]
            except TORCH_ERRORS:
                pass
        tensors = []
        is_tracked = False
        for data in args:
            if type(data) is not NDArray:
                break
            t = data._t
            if t.requires_grad:
                t = data._active()
                is_tracked = True
            tensors.append(t)
        if not is_known or len(tensors) != count:
            count = len(tensors)
            rest = args[count:]
            try:
                bound = find((count, rest, *kwargs.items()) if rest else (count, *kwargs.items()))
                if bound is None:
                    return _call(op, args, kwargs, cache)
            except (TypeError, ValueError):  # a list or numpy array among the attributes
                return _call(op, args, kwargs, cache)
            last = count, len(args), kwargs, rest, bound, bound.plain
        try:
            if not runtime:
                result = bound.call(*tensors)
            elif is_training:
                result = bound.call(*tensors, training=MODES.training)
            else:
                result = bound.call(*tensors, **runtime_arguments(op, tensors[0].device))
        except TORCH_ERRORS as err:
            result = _again(bound, tensors, err)
        if bound.is_simple:
            if is_tracked:
                if not result.requires_grad:
                    result = _blocked(bound, tensors, result)
                if result.requires_grad:
                    array = NDArray(result)
                    note(array, bound, args if count == len(args) else args[:count])
                    return array
            return NDArray(result)
        return _finish(bound, args if count == len(args) else args[:count], tensors, result)

    return fn


class Bound:
    """An operator with attributes.

    Attributes:
        whole: The torch function, its attributes bound.
        call: The same, by the operator's `quick` rule where that serves inside a graph too.
        plain: What gives the visible outputs from tensors in no graph, as memory of their own; None: `call` and
            `_finish` do.
        is_simple: Whether `call` gives one new tensor and nothing else.
        count: Number of outputs, hidden ones included.
        visible: Number of outputs that the caller gets.
        auxiliary: Positions of the inputs that hold state.
        view: Whether a result may share memory with an input.
        op: The operator.
        parsed: Its typed attributes.
        given: Names of those that the caller gave.
    """

    __slots__ = (
        "auxiliary",
        "call",
        "count",
        "given",
        "is_simple",
        "op",
        "parsed",
        "plain",
        "view",
        "visible",
        "whole",
    )

    def __init__(self, op: Operator, parsed: dict[str, Any], given: Iterable[str]) -> None:
        self.op = op
        self.parsed = parsed
        self.given = tuple(given)
        self.whole = functools.partial(op.forward, **parsed) if parsed else op.forward
        self.is_simple = op.is_single_output and not op.view
        quick = op.quick_call(parsed)
        self.call = self.whole if quick is None or op.view or op.runtime else quick
        self.plain = self.whole if quick is None and self.is_simple and not op.runtime else quick
        self.count = len(op.output_names(parsed))
        self.visible = op.visible_outputs(parsed)
        self.auxiliary = op.auxiliary_positions(parsed)
        self.view = op.view


def _again(bound: Bound, tensors: Sequence[Tensor], err: Exception) -> Any:
    """Return what the torch function gives for tensors that `bound.call` raised for, or raise what it says."""
    if bound.call is not bound.whole:
        try:
            return bound.whole(*tensors)
        except TORCH_ERRORS as told:
            err = told
    raise explain(bound.op, tensors, err) from err


def _finish(bound: Bound, inputs: Sequence[NDArray], tensors: Sequence[torch.Tensor], result: Any) -> Any:
    """Store new auxiliary states and return the visible outputs of a call."""
    if isinstance(result, torch.Tensor):
        if not result.requires_grad:
            result = _blocked(bound, tensors, result)
        array = NDArray(_own(result, tensors) if bound.view else result)
        if result.requires_grad:
            note(array, bound, inputs)
        return array
    if not any(r.requires_grad for r in result[: bound.visible]):
        result = [*(_blocked(bound, tensors, r) for r in result[: bound.visible]), *result[bound.visible :]]
    place = bound.count
    for position in bound.auxiliary:
        update = result[place]
        if update is not None:
            inputs[position]._writable().copy_(update.detach())
        place += 1
    arrays = [NDArray(_own(r, tensors) if bound.view else r) for r in result[: bound.visible]]
    for r in result[: bound.visible]:
        if r.requires_grad:
            note_outputs(arrays, bound, inputs)
            break
    return arrays[0] if bound.visible == 1 else arrays


def _blocked(bound: Bound, tensors: Sequence[torch.Tensor], result: torch.Tensor) -> torch.Tensor:
    """Put a result without gradients into the graph of its inputs, if they are in one and the operator lets it."""
    for t in tensors:
        if t.requires_grad:
            return result if bound.op.refuses_gradient(bound.parsed) else blocked(result, tensors)
    return result


def _own(result: torch.Tensor, tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    """A copy of a result that shares memory with an input; inside a graph sharing saves the copy and is not seen."""
    if result.requires_grad:
        return result
    base = result._base
    if base is not None:
        # A view of an input, mostly; of what is not tracked as one (`detach`), and of other tensors, the memory tells.
        for t in tensors:
            if base is t or base is t._base:
                break
        else:
            storage = result.untyped_storage().data_ptr()
            if all(t.untyped_storage().data_ptr() != storage for t in tensors):
                return result
    else:
        start = result.data_ptr()
        for t in tensors:
            if t.data_ptr() == start:
                break
        else:
            return result
    return result.clone() if result.is_contiguous() else result.contiguous()


def _call(op: Operator, args: Sequence[Any], kwargs: dict[str, Any], cache: "dict[Any, Bound] | None" = None) -> Any:
    """Sort arguments into inputs, attributes, `out` and `name`, then run; remember a call that had no surprises."""
    # Notes such as `__layout__` are for graphs; MXNet takes and forgets them here.
    given = {k: v for k, v in kwargs.items() if not (k[:2] == "__" == k[-2:])}
    out = given.pop("out", None)
    given.pop("name", None)
    slots, attrs = arrange(op, args, given, NDArray)
    inputs = [s for s in slots if s is not None]
    ctx = attrs.get("ctx")
    if "ctx" in attrs:
        attrs["ctx"] = "" if ctx is None else str(ctx)
        if "ctx" not in op.attributes:
            del attrs["ctx"]
    parsed = op.parse(attrs)
    result = _run(op, inputs, parsed, attrs, out, ctx)
    if (
        cache is not None
        and not op.takes_dense
        and inputs
        and len(inputs) <= len(args)
        and all(a is b for a, b in zip(args, inputs, strict=False))
    ):
        _remember(op, args, kwargs, Bound(op, parsed, attrs), len(inputs), cache)
    return result


def _remember(
    op: Operator,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    bound: "Bound",
    count: int,
    cache: "dict[Any, Bound]",
) -> None:
    rest = tuple(args[count:])
    if not all(isinstance(value, ATTRIBUTE_TYPES) for value in (*rest, *kwargs.values())):
        return  # an input given by name, `out`, or something that may change
    if len(cache) >= MAX_CACHED_CALLS:
        cache.clear()
    try:
        cache[(count, rest, *kwargs.items()) if rest else (count, *kwargs.items())] = bound
    except TypeError:  # a tuple that holds a list
        return


def _run(op: Operator, inputs: list[NDArray], parsed: dict[str, Any], given: Iterable[str], out: Any, ctx: Any) -> Any:
    op.check_count(len(inputs), parsed)
    home = inputs[0].context if inputs else _context(ctx)
    if op.takes_dense or any(isinstance(a, BaseSparseNDArray) for a in inputs):
        result = _run_sparse(op, inputs, parsed)
        if isinstance(result, storage.RowUpdate):
            return _deliver_rows(op, inputs, parsed, result, out)
        if isinstance(result, storage.Results):
            return _deliver_results(Bound(op, parsed, given), inputs, result, out)
        if result is not NotImplemented:
            array = stored(result, home)
            if array._s.graph is not None if isinstance(array, BaseSparseNDArray) else array._t.requires_grad:
                note(array, Bound(op, parsed, given), inputs)
            return _deliver(array, out)
    for other in inputs[1:]:
        check_same_context(op.name, inputs[0], other)
    tensors = [a._active() for a in inputs]
    bound = Bound(op, parsed, given)
    if op.runtime and not inputs:
        home.check_available()
    try:
        given = runtime_arguments(op, home.torch_device)
        if "into" in op.runtime and isinstance(out, NDArray):
            given["into"] = out._plain()
        result = bound.call(*tensors, **given)
    except TORCH_ERRORS as err:
        result = _again(bound, tensors, err)
    found = _finish(bound, inputs, tensors, result)
    if isinstance(found, NDArray):
        return _deliver(_at(found, home), out)
    if out is None:
        return [_at(r, home) for r in found]
    if len(out) != len(found):
        raise InputError(f"{op.name}: wrong number of arrays to fill: expected {len(found)}, got out={len(out)}.")
    return [_deliver(_at(r, home), o) for r, o in zip(found, out, strict=True)]


def _at(array: NDArray, home: Context) -> NDArray:
    """The array as one of a context that its device does not tell."""
    result = on_context(array._t, home)
    if array._t.requires_grad:
        result._made = array._made
    return result


def _run_sparse(op: Operator, inputs: Sequence[NDArray], parsed: dict[str, Any]) -> Any:
    """Return what the operator's rule for sparse storage gives, NotImplemented if it has none for these inputs.

    A rule that does not look after gradients gives the storage; the dense form beside it carries the graph.
    """
    rule = op.sparse_rule
    if rule is None:
        return NotImplemented
    data = [a._s if isinstance(a, BaseSparseNDArray) else a._active() for a in inputs]
    is_recorded = MODES.recording and any(
        d.requires_grad if isinstance(d, torch.Tensor) else d.graph is not None for d in data
    )
    if is_recorded and rule.is_recorded:
        return rule(data, parsed)
    plain = [d.detach() if isinstance(d, torch.Tensor) else storage.without_graph(d) for d in data]
    result = rule(plain, parsed)
    if not is_recorded or result is NotImplemented:
        return result
    if isinstance(result, torch.Tensor):
        return NotImplemented  # dense forms give the same, with gradients
    dense = op.forward(*(d if isinstance(d, torch.Tensor) else storage.tracked_dense(d) for d in data), **parsed)
    return storage.with_graph(result, dense) if dense.requires_grad else result


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


def _deliver(result: NDArray, out: Any) -> NDArray:
    if out is None:
        return result
    if isinstance(out, (list, tuple)) and len(out) == 1:
        out = out[0]
    if not isinstance(out, NDArray):
        raise InputTypeError(f"out: is not an array to fill: expected an NDArray, got {type(out).__name__}.")
    if out.shape != result.shape:
        raise InputError(f"out: does not fit the result: expected shape {result.shape}, got out={out.shape}.")
    if isinstance(result, BaseSparseNDArray):
        result.copyto(out)
    else:
        out._write(result._t)
        if result._t.requires_grad and out._t.requires_grad:
            out._made = result._origin()
    return out


def _deliver_rows(
    op: Operator, inputs: Sequence[NDArray], parsed: Mapping[str, Any], update: storage.RowUpdate, out: Any
) -> NDArray:
    """Store the new rows of the states and fill `out`, in place where it is the first input."""
    for position, state in zip(op.auxiliary_positions(parsed), update.states, strict=True):
        inputs[position]._writable().index_copy_(0, update.rows, state)
    first = inputs[0]
    if out is first:
        first._writable().index_copy_(0, update.rows, update.values)
        return inputs[0]
    whole = first._plain().index_copy(0, update.rows, update.values)
    return _deliver(on_context(whole, first.context), out)


def _deliver_results(bound: Bound, inputs: Sequence[NDArray], results: storage.Results, out: Any) -> Any:
    """Store the new auxiliary states; return the outputs, or fill `out` with them."""
    home = inputs[0].context
    for position, state in zip(bound.auxiliary, results.states, strict=True):
        stored(state, home).copyto(inputs[position])
    arrays = [stored(d, home) for d in results.outputs]
    note_outputs(arrays, bound, inputs)
    targets = [None] * len(arrays) if out is None else [out] if isinstance(out, NDArray) else list(out)
    if len(targets) != len(arrays):
        raise InputError(
            f"{bound.op.name}: wrong number of arrays to fill: expected {len(arrays)}, got {len(targets)}."
        )
    delivered = [_deliver(a, t) for a, t in zip(arrays, targets, strict=True)]
    return delivered[0] if len(delivered) == 1 else delivered


def explain(op: Operator, tensors: Sequence[torch.Tensor], err: Exception) -> Exception:
    """Return the error for inputs that an operator does not take: it names the operator and their shapes.

    Raises:
        MXNetError: `err` itself, where it is one that is about something else.
    """
    if isinstance(err, InputError) and tensors:
        text, shapes = str(err), [str(tuple(t.shape)) for t in tensors]
        if not text.startswith(f"{op.name}:"):  # from an operator that this one is made of
            text = f"{op.name}: {text}"
        if not any(shape in text for shape in shapes):
            text = f"{text} The inputs have the shapes {', '.join(shapes)}."
        return err if text == str(err) else type(err)(text)
    if isinstance(err, MXNetError):
        raise err
    given = ", ".join(f"{tuple(t.shape)} {str(t.dtype).removeprefix('torch.')}" for t in tensors)
    return InputError(f"{op.name}: does not take these inputs: got {given or 'none'}: {err}")
