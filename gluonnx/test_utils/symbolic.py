"""Checks of symbols: their outputs, their gradients, and that they agree on several contexts and element types."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gluonnx import symbol
from gluonnx.context import Context, current_context
from gluonnx.ndarray import NDArray, array, zeros
from gluonnx.symbol import Symbol
from gluonnx.test_utils.comparing import assert_almost_equal
from gluonnx.test_utils.tolerance import default_numeric_eps

__all__ = [
    "check_consistency",
    "check_numeric_gradient",
    "check_symbolic_backward",
    "check_symbolic_forward",
    "numeric_grad",
    "simple_forward",
]

Array = npt.NDArray[Any]
Given = Mapping[str, Any] | Sequence[Any]


def simple_forward(sym: Symbol, ctx: Context | None = None, is_train: bool = False, **inputs: Any) -> Any:
    """Run a symbol on numpy arrays.

    Args:
        sym: The symbol.
        ctx: Where it runs; the current context if None.
        is_train: Whether it runs as in training.
        **inputs: An array for each argument.

    Returns:
        The output as numpy, a list if there are several.
    """
    ctx = ctx or current_context()
    executor = sym.bind(ctx, args={name: array(value, ctx=ctx) for name, value in inputs.items()})
    executor.forward(is_train=is_train)
    outputs = [out.asnumpy() for out in executor.outputs]
    return outputs[0] if len(outputs) == 1 else outputs


def check_symbolic_forward(
    sym: Symbol,
    location: Given,
    expected: Given,
    rtol: float | None = None,
    atol: float | None = None,
    aux_states: Given | None = None,
    ctx: Context | None = None,
    equal_nan: bool = False,
    dtype: Any = np.float32,
) -> list[NDArray]:
    """Assert that a symbol's outputs are those expected.

    Args:
        sym: The symbol.
        location: An array for each argument, by name or in order.
        expected: An array for each output, by name or in order.
        rtol: Relative tolerance.
        atol: Absolute tolerance.
        aux_states: An array for each auxiliary state.
        ctx: Where it runs; the current context if None.
        equal_nan: Whether NaN equals NaN.
        dtype: Element type of numpy arrays in `location`; `"asnumpy"` keeps their own.

    Returns:
        The outputs.

    Raises:
        AssertionError: They differ.
        ValueError: Names do not match the symbol's arguments.
    """
    ctx = ctx or current_context()
    executor = sym.bind(
        ctx,
        args=_arguments(sym, location, ctx, dtype),
        args_grad={name: zeros(np.shape(value), ctx=ctx) for name, value in _named(sym, location).items()},
        aux_states=_states(sym, aux_states, ctx, dtype),
    )
    executor.forward(is_train=False)
    outputs: list[NDArray] = executor.outputs
    wanted = [expected[name] for name in sym.list_outputs()] if isinstance(expected, Mapping) else expected
    for name, want, out in zip(sym.list_outputs(), wanted, outputs, strict=True):
        names = (f"EXPECTED_{name}", f"FORWARD_{name}")
        assert_almost_equal(want, out, rtol, atol, names, equal_nan=equal_nan)
    return outputs


def check_symbolic_backward(
    sym: Symbol,
    location: Given,
    out_grads: Given | None,
    expected: Given,
    rtol: float | None = None,
    atol: float | None = None,
    aux_states: Given | None = None,
    grad_req: str | Mapping[str, str] | Sequence[str] = "write",
    ctx: Context | None = None,
    grad_stypes: Mapping[str, str] | None = None,
    equal_nan: bool = False,
    dtype: Any = np.float32,
) -> dict[str, NDArray]:
    """Assert that a symbol's gradients are those expected.

    The gradient arrays start with random values: `"write"` replaces them, `"add"` adds to them, `"null"` leaves them.

    Args:
        sym: The symbol.
        location: An array for each argument, by name or in order.
        out_grads: The gradient of each output, by name or in order; ones if None.
        expected: The gradient of each argument, by name (some may be left out) or in order.
        rtol: Relative tolerance.
        atol: Absolute tolerance.
        aux_states: An array for each auxiliary state.
        grad_req: What is done with a gradient, for all arguments or for each.
        ctx: Where it runs; the current context if None.
        grad_stypes: Storage types of gradients.
        equal_nan: Whether NaN equals NaN.
        dtype: Element type of numpy arrays in `location`; `"asnumpy"` keeps their own.

    Returns:
        The gradient arrays by argument.

    Raises:
        AssertionError: They differ.
        ValueError: Names do not match the symbol's arguments.
    """
    ctx = ctx or current_context()
    arguments = _arguments(sym, location, ctx, dtype)
    wanted = dict(expected) if isinstance(expected, Mapping) else dict(zip(sym.list_arguments(), expected, strict=True))
    before = {name: np.random.normal(size=np.shape(value)) for name, value in wanted.items()}
    grads = {name: array(value, ctx=ctx, dtype=arguments[name].dtype) for name, value in before.items()}
    for name, stype in (grad_stypes or {}).items():
        if name in grads:
            grads[name] = grads[name].tostype(stype)
    requests = _requests(sym, grad_req)
    executor = sym.bind(
        ctx, args=arguments, args_grad=grads, aux_states=_states(sym, aux_states, ctx, dtype), grad_req=requests
    )
    executor.forward(is_train=True)
    executor.backward(_output_gradients(sym, out_grads, executor.outputs, ctx))
    for name, want in wanted.items():
        value = want.asnumpy() if isinstance(want, NDArray) else np.asarray(want)
        request = requests[name]
        target = {"write": value, "add": value + before[name], "null": before[name]}[request]
        names = (f"EXPECTED_{name}", f"BACKWARD_{name}")
        assert_almost_equal(
            np.asarray(target, dtype=value.dtype), executor.grad_dict[name], rtol, atol, names, equal_nan=equal_nan
        )
    return {name: executor.grad_dict[name] for name in wanted}


def numeric_grad(
    executor: Any,
    location: Mapping[str, Any],
    aux_states: Mapping[str, Any] | None = None,
    eps: float = 1e-4,
    use_forward_train: bool = True,
    dtype: Any = np.float32,
) -> dict[str, Array]:
    """Return the gradients of the sum of an executor's first output by finite differences.

    Args:
        executor: A bound symbol; its argument arrays are changed, and put back.
        location: The point: an array for each argument that is to be differentiated.
        aux_states: The auxiliary states before each evaluation.
        eps: The step: f(x + eps/2) - f(x - eps/2) over eps.
        use_forward_train: Whether the symbol runs as in training.
        dtype: Element type of the gradients.
    """

    def output() -> Array:
        for name, value in (aux_states or {}).items():
            executor.aux_dict[name][:] = value
        executor.forward(is_train=use_forward_train)
        result: Array = executor.outputs[0].asnumpy().astype(np.float64)
        return result

    gradients: dict[str, Array] = {}
    for name, value in location.items():
        point = value.asnumpy() if isinstance(value, NDArray) else np.array(value)
        gradient = np.zeros(point.shape, dtype=dtype)
        if not np.issubdtype(point.dtype, np.floating):
            gradients[name] = gradient
            continue
        for place in np.ndindex(point.shape):
            kept = point[place]
            point[place] = kept + eps / 2
            executor.arg_dict[name][:] = point
            above = output()
            point[place] = kept - eps / 2
            executor.arg_dict[name][:] = point
            # Subtracted before they are added: what the sum would round away is the derivative.
            gradient[place] = (above - output()).sum() / eps
            point[place] = kept
        executor.arg_dict[name][:] = point
        gradients[name] = gradient
    return gradients


def check_numeric_gradient(
    sym: Symbol,
    location: Given,
    aux_states: Given | None = None,
    numeric_eps: float | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    grad_nodes: Sequence[str] | Mapping[str, str] | None = None,
    use_forward_train: bool = True,
    ctx: Context | None = None,
    grad_stype_dict: Mapping[str, str] | None = None,
    dtype: Any = np.float32,
) -> None:
    """Assert that a symbol's gradients are those of finite differences.

    What is differentiated is the sum of the (only) output, weighted with random numbers in [0.1, 1.1).

    Args:
        sym: The symbol.
        location: An array for each argument, by name or in order.
        aux_states: An array for each auxiliary state.
        numeric_eps: The step; that of the element type if None.
        rtol: Relative tolerance.
        atol: Absolute tolerance.
        grad_nodes: The arguments to check, or what is done with the gradient of each; all if None.
        use_forward_train: Whether the finite differences run as in training.
        ctx: Where it runs; the current context if None.
        grad_stype_dict: Storage types of gradients.
        dtype: Element type of the arithmetic.

    Raises:
        AssertionError: They differ.
        ValueError: Names do not match the symbol's arguments.
    """
    ctx = ctx or current_context()
    arguments = _arguments(sym, location, ctx, dtype)
    states = _states(sym, aux_states, ctx, dtype)
    requests = dict.fromkeys(sym.list_arguments(), "write") if grad_nodes is None else grad_nodes
    if not isinstance(requests, Mapping):
        requests = dict.fromkeys(requests, "write")
    _, out_shapes, _ = sym.infer_shape(**{name: value.shape for name, value in arguments.items()})
    weights = np.random.rand(*out_shapes[0]) + 0.1
    projection = symbol.Variable("__random_proj")
    weighted = symbol.make_loss(symbol.elemwise_mul(sym.astype(dtype), projection))
    everything = {**arguments, "__random_proj": array(weights, ctx=ctx, dtype=dtype)}
    before = {name: np.random.normal(0, 0.01, size=arguments[name].shape) for name in requests}
    grads = {name: array(value, ctx=ctx, dtype=arguments[name].dtype) for name, value in before.items()}
    for name, stype in (grad_stype_dict or {}).items():
        if name in grads:
            grads[name] = grads[name].tostype(stype)
    executor = weighted.bind(
        ctx,
        args=everything,
        args_grad=grads,
        grad_req={name: requests.get(name, "null") for name in weighted.list_arguments()},
        aux_states=states,
    )
    executor.forward(is_train=True)
    executor.backward()
    analytic = {name: executor.grad_dict[name].asnumpy() for name in requests}
    eps = default_numeric_eps()[np.dtype(dtype)] if numeric_eps is None else numeric_eps
    state_values = {name: value.asnumpy() for name, value in states.items()}
    numeric = numeric_grad(
        executor,
        {name: arguments[name].asnumpy() for name in requests},
        state_values,
        eps=eps,
        use_forward_train=use_forward_train,
        dtype=dtype,
    )
    for name, request in requests.items():
        target = {"write": numeric[name], "add": numeric[name] + before[name], "null": before[name]}[request]
        names = (f"NUMERICAL_{name}", f"BACKWARD_{name}")
        assert_almost_equal(np.asarray(target, dtype=dtype), analytic[name], rtol, atol, names)


def check_consistency(
    sym: Symbol | Sequence[Symbol],
    ctx_list: Sequence[Mapping[str, Any]],
    scale: float = 1.0,
    grad_req: str | Mapping[str, str] = "write",
    arg_params: Mapping[str, Any] | None = None,
    aux_params: Mapping[str, Any] | None = None,
    rtol: Any = None,
    atol: Any = None,
    raise_on_err: bool = True,
    ground_truth: Mapping[str, Any] | None = None,
    equal_nan: bool = False,
    use_uniform: bool = False,
    rand_type: Any = np.float64,
) -> dict[str, Any]:
    """Assert that symbols give the same outputs and gradients on several contexts and element types.

    Args:
        sym: A symbol, or one for each entry of `ctx_list`.
        ctx_list: For each run: `ctx`, a shape for each data argument, and `type_dict`.
        scale: Of the random parameters.
        grad_req: What is done with gradients; `"null"` compares outputs only.
        arg_params: Values of arguments, random otherwise.
        aux_params: Values of auxiliary states, 0 otherwise.
        rtol: Relative tolerance, as a number or by element type.
        atol: Absolute tolerance, likewise.
        raise_on_err: Whether a difference raises; otherwise it is a warning.
        ground_truth: Outputs and gradients to compare with; those of the most precise run if None.
        equal_nan: Whether NaN equals NaN.
        use_uniform: Whether random values are uniform in [-0.92, 0.92) instead of normal.
        rand_type: Element type in which random values are drawn.

    Returns:
        The outputs and gradients that the others were compared with, by name.

    Raises:
        AssertionError: Some run differs.
    """
    symbols = [sym] * len(ctx_list) if isinstance(sym, Symbol) else list(sym)
    executors = [one.simple_bind(grad_req=grad_req, **entry) for one, entry in zip(symbols, ctx_list, strict=True)]
    arg_values = dict(arg_params or {})
    for name, target in executors[0].arg_dict.items():
        if name not in arg_values:
            drawn = (
                np.random.uniform(-0.92 * scale, 0.92 * scale, size=target.shape)
                if use_uniform
                else np.random.normal(size=target.shape, scale=scale)
            )
            arg_values[name] = drawn.astype(rand_type)
    for executor in executors:
        for name, target in executor.arg_dict.items():
            target[:] = arg_values[name]
        for name, target in executor.aux_dict.items():
            target[:] = (aux_params or {}).get(name, 0)
    for executor in executors:
        executor.forward(is_train=False)
    sizes = [np.dtype(executor.outputs[0].dtype).itemsize for executor in executors]
    best = sizes.index(max(sizes))
    truth: dict[str, Any] = dict(ground_truth or {})
    for is_train in (False,) if grad_req == "null" else (False, True):
        for executor in executors:
            executor.forward(is_train=is_train)
            if is_train:
                executor.backward(executor.outputs)
        found = [_values(one, e, is_train) for one, e in zip(symbols, executors, strict=True)]
        if not ground_truth:
            truth = found[best]
        for run, values in enumerate(found):
            for name, value in values.items():
                try:
                    names = (f"{name} of run {run}", f"{name} of run {best}")
                    assert_almost_equal(value, truth[name], rtol, atol, names, equal_nan=equal_nan)
                except AssertionError as err:
                    if raise_on_err:
                        raise
                    warnings.warn(f"check_consistency: {err}", stacklevel=2)
    return truth


def _values(sym: Symbol, executor: Any, has_gradients: bool) -> dict[str, NDArray]:
    values = dict(zip(sym.list_outputs(), executor.outputs, strict=True))
    if has_gradients:
        values |= {name: grad for name, grad in executor.grad_dict.items() if grad is not None}
    return values


def _named(sym: Symbol, location: Given) -> dict[str, Any]:
    """The arguments by name.

    Raises:
        ValueError: Names are not those of the symbol.
    """
    names = sym.list_arguments()
    if not isinstance(location, Mapping):
        return dict(zip(names, location, strict=False))
    if set(names) != set(location):
        raise ValueError(
            "Symbol arguments and keys of the given location do not match. "
            f"symbol args:{set(names)}, location.keys():{set(location)}"
        )
    return dict(location)


def _arguments(sym: Symbol, location: Given, ctx: Context, dtype: Any) -> dict[str, NDArray]:
    return {name: _placed(value, ctx, dtype) for name, value in _named(sym, location).items()}


def _states(sym: Symbol, states: Given | None, ctx: Context, dtype: Any) -> dict[str, NDArray]:
    """The auxiliary states by name.

    Raises:
        ValueError: Names are not those of the symbol.
    """
    if states is None:
        return {}
    names = sym.list_auxiliary_states()
    named = states if isinstance(states, Mapping) else dict(zip(names, states, strict=True))
    if set(names) != set(named):
        raise ValueError(
            "Symbol aux_states names and given aux_states do not match. "
            f"symbol aux_names:{set(names)}, aux_states.keys:{set(named)}"
        )
    return {name: _placed(value, ctx, dtype) for name, value in named.items()}


def _placed(value: Any, ctx: Context, dtype: Any) -> NDArray:
    if isinstance(value, NDArray):
        return value if value.stype != "default" else value.as_in_context(ctx)
    value = np.asarray(value)
    return array(value, ctx=ctx, dtype=value.dtype if dtype == "asnumpy" else dtype)


def _requests(sym: Symbol, grad_req: str | Mapping[str, str] | Sequence[str]) -> dict[str, str]:
    names = sym.list_arguments()
    if isinstance(grad_req, str):
        return dict.fromkeys(names, grad_req)
    if isinstance(grad_req, Mapping):
        return {name: grad_req.get(name, "null") for name in names}
    return dict(zip(names, grad_req, strict=True))


def _output_gradients(sym: Symbol, out_grads: Given | None, outputs: Sequence[NDArray], ctx: Context) -> Any:
    if out_grads is None:
        return None
    given = [out_grads[name] for name in sym.list_outputs()] if isinstance(out_grads, Mapping) else list(out_grads)
    # MXNet takes more gradients than there are outputs, and leaves those aside.
    return [_placed(value, ctx, out.dtype) for value, out in zip(given, outputs, strict=False)]
