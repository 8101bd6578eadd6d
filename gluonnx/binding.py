"""`Symbol.bind`, `Symbol.simple_bind` and `Symbol.eval`: executors from arrays, or from shapes."""

from collections.abc import Mapping, Sequence
from typing import Any

from gluonnx.context import Context, current_context
from gluonnx.errors import ArgumentError, InputError, InputTypeError, MXNetError
from gluonnx.executor import Executor
from gluonnx.ndarray.creation import zeros
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.ops.dtypes import as_dtype
from gluonnx.symbol.inference import infer
from gluonnx.symbol.symbol import Symbol

__all__ = ["bind", "evaluate", "install", "simple_bind"]

GRAD_REQS = ("null", "write", "add")

Arrays = Sequence[NDArray] | Mapping[str, NDArray]
GradReq = str | Sequence[str] | Mapping[str, str]


def bind(
    self: Symbol,
    ctx: Context,
    args: Arrays,
    args_grad: Sequence[NDArray | None] | Mapping[str, NDArray] | None = None,
    grad_req: GradReq = "write",
    aux_states: Arrays | None = None,
    group2ctx: Mapping[str, Context] | None = None,
    shared_exec: Executor | None = None,
) -> Executor:
    """Return an executor of the symbol over given arrays.

    Args:
        self: The symbol.
        ctx: Where it runs.
        args: The arguments, in the order of `list_arguments()` or by name.
        args_grad: Arrays that receive the gradients, likewise; None, or a name left out: no gradient.
        grad_req: `"write"`, `"add"` or `"null"`: for all, for each argument in order, or by name (others: null).
        aux_states: Auxiliary states, in the order of `list_auxiliary_states()` or by name.
        group2ctx: Accepted where every context is `ctx`: the graph runs in one place.
        shared_exec: Accepted; torch shares memory between executors by itself.

    Raises:
        TypeError: `ctx` is not a Context, or an array is not an NDArray.
        ArgumentError: An array is missing, or a `grad_req` is unknown.
        InputError: An operator does not take the shapes.
    """
    _check_context(ctx, group2ctx)
    names, states = self.list_arguments(), self.list_auxiliary_states()
    arguments = [a for a in _arrays("args", args, names, may_miss=False) if a is not None]
    gradients: list[NDArray | None] = [None] * len(names)
    if args_grad is not None:
        gradients = _arrays("args_grad", args_grad, names, may_miss=True)
    auxiliary = [a for a in _arrays("aux_states", aux_states or [], states, may_miss=False) if a is not None]
    return Executor(self, ctx, arguments, gradients, auxiliary, _requests(grad_req, names))


def simple_bind(
    self: Symbol,
    ctx: Context,
    grad_req: GradReq = "write",
    type_dict: Mapping[str, Any] | None = None,
    stype_dict: Mapping[str, str] | None = None,
    group2ctx: Mapping[str, Context] | None = None,
    shared_arg_names: Sequence[str] | None = None,
    shared_exec: Executor | None = None,
    shared_buffer: dict[str, NDArray] | None = None,
    **kwargs: Any,
) -> Executor:
    """Return an executor of the symbol over new arrays of zeros, from the shapes of some arguments.

    Args:
        self: The symbol.
        ctx: Where it runs.
        grad_req: `"write"`, `"add"` or `"null"`: for all, for each argument in order, or by name (others: null).
        type_dict: Dtypes by argument name.
        stype_dict: Accepted for dense storage.
        group2ctx: Accepted where every context is `ctx`: the graph runs in one place.
        shared_arg_names: Arguments whose arrays are taken from `shared_exec`, where shape and dtype are the same.
        shared_exec: An executor to take arrays from.
        shared_buffer: Arrays by name that arguments are taken from, and new ones added to.
        **kwargs: Shapes by argument name; other names are passed over.

    Raises:
        InputError: The shapes do not decide all others, or an operator does not take them.
        ArgumentError: A `grad_req` is unknown.
    """
    _check_context(ctx, group2ctx)
    names, states = self.list_arguments(), self.list_auxiliary_states()
    if isinstance(grad_req, (list, tuple, Mapping)) and not grad_req:
        kind = "dict" if isinstance(grad_req, Mapping) else "list"
        raise ArgumentError(f"simple_bind: grad_req cannot be an empty {kind}: expected a value for each argument.")
    requests = _requests(grad_req, names)
    for name, stype in (stype_dict or {}).items():
        if stype != "default":
            raise InputError(
                f"simple_bind: storage of `{name}`: expected 'default', got {stype!r}. Executors run on dense arrays."
            )
    inputs = set(self.list_inputs())
    shapes = {n: tuple(s) for n, s in kwargs.items() if isinstance(s, (tuple, list)) and n in inputs}
    dtypes = {n: as_dtype(t).name for n, t in (type_dict or {}).items()}
    given = "".join(f"\n  {name}: {shape}" for name, shape in kwargs.items())
    try:
        found = infer(self._heads, shapes, dtypes)
    except MXNetError as err:
        raise InputError(f"simple_bind: shapes do not fit: {err} Arguments:{given}") from err
    if found.unknown:
        raise InputError(
            f"simple_bind: shapes do not decide those of {', '.join(found.unknown)}: expected shapes that do, got:"
            f"{given or ' none'}. Consider providing them."
        )
    pool: dict[str, NDArray] = {}
    if shared_exec is not None:
        wanted = names if shared_arg_names is None else shared_arg_names
        pool = {n: a for n, a in shared_exec.arg_dict.items() if n in wanted}

    def make(name: str, node: Any, kind: str) -> NDArray:
        shape, dtype = found.shape((node, 0)), found.dtype((node, 0))
        assert shape is not None
        assert dtype is not None
        for source in (pool, shared_buffer or {}):
            known = source.get(name)
            if kind == "arg" and known is not None and known.shape == shape and known.dtype == as_dtype(dtype).numpy:
                return known
        made = zeros(shape, ctx=ctx, dtype=dtype)
        if kind == "arg" and shared_buffer is not None:
            shared_buffer[name] = made
        return made

    arguments, auxiliary = self._variables()
    arrays = [make(n, node, "arg") for n, node in zip(names, arguments, strict=True)]
    gradients = [
        None if request == "null" else make(n, node, "grad")
        for n, node, request in zip(names, arguments, requests, strict=True)
    ]
    updated = [make(n, node, "aux") for n, node in zip(states, auxiliary, strict=True)]
    return Executor(self, ctx, arrays, gradients, updated, requests)


def evaluate(self: Symbol, ctx: Context | None = None, **kwargs: NDArray) -> list[NDArray]:
    """Return the outputs for given arguments, by name.

    Args:
        self: The symbol.
        ctx: Where it runs; the current context if None.
        **kwargs: Arrays by argument name; other names are passed over.

    Raises:
        ArgumentError: An argument is missing.

    Examples:
        >>> from gluonnx import nd, sym
        >>> (sym.var("a") + sym.var("b")).eval(a=nd.array([1, 2]), b=nd.array([3, 4]))
        [
        [4. 6.]
        <NDArray 2 @cpu(0)>]
    """
    return bind(self, current_context() if ctx is None else ctx, kwargs, grad_req="null").forward()


def install() -> None:
    """Give Symbol these functions as methods: graphs know nothing of arrays by themselves."""
    setattr(Symbol, "bind", bind)  # noqa: B010
    setattr(Symbol, "_bind", bind)  # noqa: B010
    setattr(Symbol, "simple_bind", simple_bind)  # noqa: B010
    setattr(Symbol, "_simple_bind", simple_bind)  # noqa: B010
    setattr(Symbol, "eval", evaluate)  # noqa: B010


def _check_context(ctx: Any, group2ctx: Mapping[str, Context] | None) -> None:
    if not isinstance(ctx, Context):
        raise InputTypeError(f"bind: wrong context: expected a Context, got {type(ctx).__name__}. Pass `mx.cpu()`.")
    for group, place in (group2ctx or {}).items():
        if place.torch_device != ctx.torch_device:
            raise ArgumentError(
                f"bind: group `{group}` is on another device: expected {ctx}, got {place}. A graph runs on one device."
            )


def _arrays(key: str, given: Any, names: Sequence[str], *, may_miss: bool) -> list[NDArray | None]:
    if isinstance(given, Mapping):
        missing = [name for name in names if name not in given]
        if missing and not may_miss:
            raise ArgumentError(
                f"bind: key `{missing[0]}` is missing in `{key}`: expected {', '.join(names)}, "
                f"got {', '.join(given) or 'none'}."
            )
        arrays = [given.get(name) for name in names]
    elif isinstance(given, (list, tuple)):
        if len(given) != len(names):
            raise ArgumentError(
                f"bind: length of {key} does not match the number of arguments: expected {len(names)} "
                f"({', '.join(names)}), got {len(given)}."
            )
        arrays = list(given)
    else:
        raise InputTypeError(
            f"bind: wrong `{key}`: expected a list of NDArrays or a dict of str to NDArray, got {type(given).__name__}."
        )
    for name, array in zip(names, arrays, strict=True):
        if not isinstance(array, NDArray) and not (may_miss and array is None):
            raise InputTypeError(
                f"bind: wrong array `{name}` in `{key}`: expected an NDArray, got {type(array).__name__}."
            )
    return arrays


def _requests(grad_req: Any, names: Sequence[str]) -> list[str]:
    if isinstance(grad_req, str):
        requests = [grad_req] * len(names)
    elif isinstance(grad_req, Mapping):
        requests = [grad_req.get(name, "null") for name in names]
        _check_requests(grad_req.values())
    elif isinstance(grad_req, (list, tuple)):
        requests = list(grad_req)
        if len(requests) != len(names):
            raise ArgumentError(
                f"bind: wrong length of grad_req: expected {len(names)} ({', '.join(names)}), got {len(requests)}."
            )
    else:
        raise InputTypeError(f"bind: wrong grad_req: expected a str, list or dict, got {type(grad_req).__name__}.")
    _check_requests(requests)
    return requests


def _check_requests(requests: Any) -> None:
    for request in requests:
        if request not in GRAD_REQS:
            raise ArgumentError(f"bind: grad_req must be in {', '.join(GRAD_REQS)}, got grad_req={request!r}.")
