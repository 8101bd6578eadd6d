"""`nd.contrib`: loops and branches as Python runs them, recorded operator by operator.

Source: MXNet 1.9.1 python/mxnet/ndarray/contrib.py.
"""

from collections.abc import Callable, Sequence
from typing import Any

from gluonnx.errors import ArgumentError, InputError
from gluonnx.ndarray.creation import zeros
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.ndarray.register import function
from gluonnx.structure import Format, flatten, regroup

__all__ = ["cond", "foreach", "while_loop"]


def foreach(body: Callable[..., Any], data: Any, init_states: Any) -> tuple[Any, Any]:
    """Run a function on every slice of some arrays along axis 0.

    Args:
        body: `body(slice, states)` returns the outputs of a step and the next states.
        data: An array (T, ...), or a list of arrays with the same T.
        init_states: The states of the first step: an array or a nested list of them.

    Returns:
        The outputs of the steps, stacked along a new axis 0, and the last states; nested as the function nests them.

    Raises:
        InputTypeError: Something is no NDArray.
        InputError: There is no slice.

    Examples:
        >>> from gluonnx import nd
        >>> total = lambda x, states: (x + states[0], [x + states[0]])
        >>> outs, states = nd.contrib.foreach(total, nd.array([1, 2, 3]), [nd.array([10])])
        >>> outs.asnumpy().ravel().tolist(), float(states[0].asscalar())
        ([11.0, 13.0, 16.0], 16.0)
    """
    flat, _ = flatten(data, NDArray, "foreach input")
    flatten(init_states, NDArray, "foreach states")
    is_single = isinstance(data, NDArray)
    length = (data if is_single else data[0]).shape[0] if flat else 0
    if not length:
        raise InputError(f"foreach: no steps: expected data with a slice along axis 0, got {[a.shape for a in flat]}.")
    states, form = init_states, None
    steps = []
    for step in range(length):
        out, states = body(data[step] if is_single else [d[step] for d in data], states)
        outputs, form = flatten(out, NDArray, "foreach output")
        steps.append(outputs)
    return _stacked(steps, form), states


def while_loop(
    cond: Callable[..., Any], func: Callable[..., Any], loop_vars: Any, max_iterations: int | None = None
) -> tuple[Any, Any]:
    """Run a function on loop variables as long as a condition on them holds.

    Differs: Outputs are zero after the last step; MXNet leaves there what the memory held.

    Args:
        cond: `cond(*loop_vars)` returns a scalar; zero ends the loop.
        func: `func(*loop_vars)` returns the outputs of a step (or None) and the next loop variables.
        loop_vars: The first loop variables: an array or a list of them.
        max_iterations: The most steps there may be.

    Returns:
        The outputs of the steps, stacked along a new axis 0 of size `max_iterations`, and the last loop variables. A
        loop that makes no step gives no outputs: an empty list.

    Raises:
        ArgumentError: `max_iterations` is missing or no number, there are no loop variables, their number or that of
            the outputs changes, outputs change their shape, or the condition is no scalar.
        InputTypeError: An output is no NDArray.

    Examples:
        >>> from gluonnx import nd
        >>> outs, (i, total) = nd.contrib.while_loop(
        ...     lambda i, s: i <= 3, lambda i, s: ([i + s], [i + 1, s + i]), [nd.array([0]), nd.array([1])],
        ...     max_iterations=5)
        >>> outs[0].asnumpy().ravel().tolist(), float(i.asscalar()), float(total.asscalar())
        ([1.0, 2.0, 4.0, 7.0, 0.0], 4.0, 7.0)
    """
    if max_iterations is None:
        raise ArgumentError("while_loop: max_iterations should be specified: expected an int, got None.")
    limit = _python_scalar(max_iterations, int, "max_iteration")
    if len(loop_vars) == 0:
        raise ArgumentError("while_loop: loop_vars should contain at least one element: expected arrays, got none.")
    is_single = isinstance(loop_vars, NDArray)
    variables = _listed(loop_vars)
    form: Format | None = None
    steps: list[list[NDArray]] = []
    while len(steps) < limit and _python_scalar(cond(*variables), bool, "Return value of cond"):
        out, following = func(*variables)
        following = [] if following is None else _listed(following)
        if len(following) != len(variables):
            raise ArgumentError(
                "while_loop: The length of loop_vars should be consistent during the loop: expected "
                f"{len(variables)}, got {len(following)}."
            )
        variables = following
        outputs, form = flatten([] if out is None else out, NDArray, "while output")
        if steps and len(outputs) != len(steps[0]):
            raise ArgumentError(
                "while_loop: Number of elements in step_output should be the same in each step: expected "
                f"{len(steps[0])}, got {len(outputs)}."
            )
        steps.append(outputs)
    for position, items in enumerate(zip(*steps, strict=True), 1):
        if len({a.shape for a in items}) > 1:
            listed = "".join(f"\n  Step {k}, shape is {a.shape}" for k, a in enumerate(items))
            raise ArgumentError(
                f"while_loop: Shapes of {position}-th elements in step_outputs are inconsistent, which are:{listed}"
            )
    return _stacked(steps, form, limit), variables[0] if is_single else variables


def cond(pred: Any, then_func: Callable[[], Any], else_func: Callable[[], Any]) -> Any:
    """Return what one of two functions gives, as a condition holds or not.

    Args:
        pred: A scalar.
        then_func: Called where it is not zero.
        else_func: Called where it is.

    Raises:
        ArgumentError: `pred` is no scalar.

    Examples:
        >>> from gluonnx import nd
        >>> a, b = nd.array([1]), nd.array([2])
        >>> float(nd.contrib.cond(a * b < 5, lambda: (a + 5) * (b + 5), lambda: (a - 5) * (b - 5)).asscalar())
        42.0
    """
    return then_func() if _python_scalar(pred, bool, "pred") else else_func()


def _stacked(steps: Sequence[Sequence[NDArray]], form: Format | None, length: int | None = None) -> Any:
    """Stack the outputs of the steps, with zeros up to a length."""
    stack, concat = function("stack"), function("concat")
    stacked = [stack(*items) for items in zip(*steps, strict=True)]
    if length is not None and length > len(steps):
        rests = [zeros((length - len(steps), *a.shape[1:]), ctx=a.context, dtype=a.dtype) for a in stacked]
        stacked = [concat(a, rest, dim=0) for a, rest in zip(stacked, rests, strict=True)]
    return [] if form is None else regroup(stacked, form)[0]


def _listed(data: Any) -> list[Any]:
    return list(data) if isinstance(data, (list, tuple)) else [data]


def _python_scalar(value: Any, kind: type[Any], what: str) -> Any:
    """Return a scalar array, or something that Python can convert, as a Python number.

    Raises:
        ArgumentError: It is neither.
    """
    if isinstance(value, NDArray) and value.size != 1:
        raise ArgumentError(
            f"{what}: The current array is not a scalar: expected one element, got shape {value.shape}."
        )
    try:
        return kind(value.asscalar() if isinstance(value, NDArray) else value)
    except (TypeError, ValueError):
        raise ArgumentError(f"Cannot convert {what} to python {kind.__name__}: got {value!r}.") from None
