"""Operators written in Python: `mx.operator`.

`CustomOp` computes, `CustomOpProp` tells what inputs and outputs it has, `register` gives it the name under which
`nd.Custom`, `sym.Custom` and `F.Custom` find it. They run on torch, hybridized or not, and cannot be exported.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import torch

from gluonnx.context import Context, of_device
from gluonnx.errors import ArgumentError, InputError, MXNetError
from gluonnx.modes import MODES
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.ops.attributes import Attribute, to_text
from gluonnx.ops.custom import operator_of_call, own_code, register_kind
from gluonnx.ops.derivative import once_differentiable
from gluonnx.ops.dtypes import BY_NAME, BY_TORCH, as_dtype, torch_dtype
from gluonnx.ops.table import TABLE, Input

if TYPE_CHECKING:
    from gluonnx.python_operator import NDArrayOp, NumpyOp, PythonOp

__all__ = [
    "CustomOp",
    "CustomOpProp",
    "NDArrayOp",
    "NumpyOp",
    "OperatorArguments",
    "PythonOp",
    "get_all_registered_operators",
    "get_operator_arguments",
    "register",
]

Shape = Sequence[int]


class CustomOp:
    """The computation of an operator; subclasses override `forward` and `backward`.

    Examples:
        >>> from gluonnx import nd, operator
        >>> class Double(operator.CustomOp):
        ...     def forward(self, is_train, req, in_data, out_data, aux):
        ...         self.assign(out_data[0], req[0], in_data[0] * 2)
        >>> @operator.register("example_double")
        ... class DoubleProp(operator.CustomOpProp):
        ...     def create_operator(self, ctx, in_shapes, in_dtypes):
        ...         return Double()
        >>> nd.Custom(nd.array([1, 2]), op_type="example_double")
        <BLANKLINE>
        [2. 4.]
        <NDArray 2 @cpu(0)>
    """

    def forward(
        self, is_train: bool, req: list[str], in_data: list[NDArray], out_data: list[NDArray], aux: list[NDArray]
    ) -> None:
        """Compute the outputs; without an override they stay 0.

        Args:
            is_train: Whether operators behave as in training.
            req: How to assign to each output: `"null"`, `"write"` or `"add"`; `assign` does it.
            in_data: Arguments.
            out_data: Outputs, to be filled.
            aux: Auxiliary states, which may be changed.
        """

    def backward(
        self,
        req: list[str],
        out_grad: list[NDArray],
        in_data: list[NDArray],
        out_data: list[NDArray],
        in_grad: list[NDArray],
        aux: list[NDArray],
    ) -> None:
        """Compute the gradients; without an override they stay 0.

        Args:
            req: How to assign to each gradient; `"null"` where none is wanted.
            out_grad: Gradients of the outputs.
            in_data: Arguments, as `forward` saw them.
            out_data: Outputs that `forward` computed.
            in_grad: Gradients of the arguments, to be filled.
            aux: Auxiliary states, as `forward` left them.
        """

    def assign(self, dst: NDArray, req: str, src: Any) -> None:
        """Put `src` into `dst` as `req` says."""
        if req in ("write", "inplace"):
            dst[:] = src
        elif req == "add":
            dst[:] += src


class CustomOpProp:
    """What an operator is; subclasses override what differs from one input `data` and one output `output`.

    Args:
        need_top_grad: Whether the gradient depends on the gradients of the outputs (no: it is a loss).

    Differs: storage types are those of dense arrays; `infer_storage_type` and its backward are not called.
    """

    def __init__(self, need_top_grad: bool = True) -> None:
        self.need_top_grad_ = need_top_grad

    def infer_shape(self, in_shape: list[Shape]) -> tuple[Any, ...]:
        """Return the shapes of arguments, outputs and (optionally) auxiliary states; [] stands for an unknown one."""
        return in_shape, (in_shape[0],) * len(self.list_outputs()), ()

    def infer_type(self, in_type: list[Any]) -> tuple[Any, ...]:
        """Return the dtypes of arguments, outputs and (optionally) auxiliary states."""
        return in_type, [in_type[0]] * len(self.list_outputs()), [in_type[0]] * len(self.list_auxiliary_states())

    def infer_storage_type(self, in_stype: list[str]) -> tuple[list[str], list[str], list[str]]:
        """Return the storage types of arguments, outputs and auxiliary states: dense."""
        return (
            ["default"] * len(in_stype),
            ["default"] * len(self.list_outputs()),
            ["default"] * len(self.list_auxiliary_states()),
        )

    def infer_storage_type_backward(
        self,
        ograd_stype: list[str],
        in_stype: list[str],
        out_stype: list[str],
        igrad_stype: list[str],
        aux_stype: list[str],
    ) -> tuple[list[str], ...]:
        """Return the storage types of everything that the gradient reads and writes: dense."""
        return tuple(["default"] * len(s) for s in (ograd_stype, in_stype, out_stype, igrad_stype, aux_stype))

    def list_outputs(self) -> list[str]:
        """Return the names of the outputs."""
        return ["output"]

    def list_arguments(self) -> list[str]:
        """Return the names of the arguments."""
        return ["data"]

    def list_auxiliary_states(self) -> list[str]:
        """Return the names of the auxiliary states."""
        return []

    def declare_backward_dependency(self, out_grad: list[int], in_data: list[int], out_data: list[int]) -> list[int]:
        """Return which arrays the gradient depends on."""
        return [*(out_grad if self.need_top_grad_ else ()), *in_data, *out_data]

    def create_operator(self, ctx: Context, in_shapes: list[Shape], in_dtypes: list[Any]) -> CustomOp:
        """Return the operator for a context, shapes and dtypes."""
        return CustomOp()


PropClass = TypeVar("PropClass", bound=type[CustomOpProp])


def register(reg_name: str) -> Callable[[PropClass], PropClass]:
    """Register a `CustomOpProp` class under the name that `op_type=` gives; attributes reach its `__init__` as text.

    Raises:
        ArgumentError: What is decorated is not a subclass of CustomOpProp.
    """

    def decorate(prop_class: PropClass) -> PropClass:
        if not (isinstance(prop_class, type) and issubclass(prop_class, CustomOpProp)):
            raise ArgumentError(
                f"operator.register: wrong class for {reg_name!r}: expected a subclass of CustomOpProp, "
                f"got {prop_class!r}."
            )
        register_kind(reg_name, lambda attrs: _Kind(reg_name, prop_class, attrs))
        return prop_class

    return decorate


class OperatorArguments(NamedTuple):
    """Number, names and types of an operator's inputs and attributes."""

    narg: int
    names: list[str]
    types: list[str]


def get_all_registered_operators() -> list[str]:
    """Return every registered name of every operator."""
    return list(TABLE)


def get_operator_arguments(op_name: str) -> OperatorArguments:
    """Return the inputs and attributes of an operator.

    Raises:
        UnknownOperatorError: There is no such operator.
    """
    op = TABLE[op_name]
    names = [*(spec.name for spec in op.inputs), *op.attributes]
    kinds = [*("NDArray-or-Symbol" for _ in op.inputs), *map(_kind_text, op.attributes.values())]
    return OperatorArguments(len(names), names, kinds)


def _kind_text(spec: Attribute) -> str:
    """What an attribute accepts, in MXNet's form where it is a choice: {'a', 'b'}, and whether it is required."""
    kind = f"{{{spec.describe.removeprefix('one of ')}}}" if spec.describe.startswith("one of ") else spec.describe
    return f"{kind}, required" if spec.required else f"{kind}, optional, default={to_text(spec.default)!r}"


def __getattr__(name: str) -> Any:
    if name in ("NDArrayOp", "NumpyOp", "PythonOp"):  # written with what this module has
        from gluonnx import python_operator

        return getattr(python_operator, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _make(prop_class: Callable[..., CustomOpProp], attrs: Mapping[str, str]) -> CustomOpProp:
    return prop_class(**attrs)


class _Kind:
    """A registered operator with its attributes, as the table sees it."""

    def __init__(self, op_type: str, prop_class: type[CustomOpProp], attrs: Mapping[str, str]) -> None:
        self.op_type = op_type
        with self._explained("__init__"):
            self.prop = _make(prop_class, attrs)
        with self._explained("list_arguments"):
            self.arguments = tuple(self.prop.list_arguments())
        with self._explained("list_auxiliary_states"):
            self.auxiliary = tuple(self.prop.list_auxiliary_states())
        with self._explained("list_outputs"):
            self.outputs = tuple(self.prop.list_outputs())
        self.inputs = (
            *(Input(name) for name in self.arguments),
            *(Input(name, auxiliary=True) for name in self.auxiliary),
        )
        self.reads_gradient = bool(self.prop.need_top_grad_)

    def shapes(self, known: Sequence[tuple[int, ...] | None]) -> Sequence[tuple[int, ...]]:
        arguments, _, auxiliary = self._infer_shape(known[: len(self.arguments)])
        return [*arguments, *auxiliary]

    def dtypes(self, known: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
        with self._explained("infer_type"):
            told = self.prop.infer_type([BY_NAME[name].numpy.type for name in known])
        arguments, outputs, auxiliary = self._checked("infer_type", told)
        names = [[as_dtype(t).name for t in group] for group in (arguments, outputs, auxiliary)]
        return [*names[0], *names[2]], names[1]

    def run(self, tensors: Sequence[torch.Tensor], training: bool, device: torch.device) -> tuple[torch.Tensor, ...]:
        count = len(self.arguments)
        given, states = tensors[:count], tensors[count:]
        _, shapes, _ = self._infer_shape([tuple(t.shape) for t in given])
        _, dtypes = self.dtypes([BY_TORCH[t.dtype].name for t in given])
        outputs = [torch.zeros(s, dtype=torch_dtype(d), device=device) for s, d in zip(shapes, dtypes, strict=True)]
        if device.type == "meta":
            return (*outputs, *states)
        updated = [t.detach().clone() for t in states]
        call = _Call(self, given, outputs, updated, training)
        if torch.is_grad_enabled() and any(t.requires_grad for t in given):
            outputs = list(_Recorded.apply(call, *given))  # type: ignore[no-untyped-call]
        else:
            outputs = call.forward(given)
        return (*outputs, *updated)

    def _infer_shape(self, known: Sequence[tuple[int, ...] | None]) -> list[list[tuple[int, ...]]]:
        with self._explained("infer_shape"):
            told = self.prop.infer_shape([[] if s is None else list(s) for s in known])
        return [[tuple(int(d) for d in shape) for shape in group] for group in self._checked("infer_shape", told)]

    def _checked(self, method: str, told: Any) -> tuple[Sequence[Any], Sequence[Any], Sequence[Any]]:
        if not isinstance(told, (tuple, list)) or len(told) not in (2, 3):
            raise InputError(
                f"Custom `{self.op_type}`: {method} must return 2 or 3 lists: expected those, got {told!r}."
            )
        groups = (told[0], told[1], told[2] if len(told) == 3 else [])
        wanted = (("input", self.arguments), ("output", self.outputs), ("auxiliary state", self.auxiliary))
        for (label, names), group in zip(wanted, groups, strict=True):
            if len(group) != len(names) and not (method == "infer_shape" and not len(group) and label[0] == "a"):
                raise InputError(
                    f"Custom `{self.op_type}`: {method} returns the wrong number of {label} entries: expected "
                    f"{len(names)}, got {len(group)}."
                )
        return groups

    @contextlib.contextmanager
    def _explained(self, method: str) -> Iterator[None]:
        """Name the operator and method in what a user's code raises."""
        try:
            yield
        except Exception as err:
            raise MXNetError(f"Custom `{self.op_type}`: {method} raised {type(err).__name__}: {err}") from err


class _Call:
    """One call of an operator: what its `backward` gets to see again."""

    def __init__(
        self,
        kind: _Kind,
        given: Sequence[torch.Tensor],
        outputs: Sequence[torch.Tensor],
        states: Sequence[torch.Tensor],
        training: bool,
    ) -> None:
        self.kind = kind
        self.training = training
        self.outputs = [NDArray(t) for t in outputs]
        self.states = [NDArray(t) for t in states]
        self.ctx = of_device(outputs[0].device if outputs else torch.device("cpu"))
        with kind._explained("create_operator"):
            self.operator = operator_of_call(
                lambda: kind.prop.create_operator(
                    self.ctx, [list(t.shape) for t in given], [BY_TORCH[t.dtype].numpy.type for t in given]
                )
            )

    def forward(self, given: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        self.inputs = [NDArray(t.detach()) for t in given]
        with _outside_recording(self.training), self.ctx, self.kind._explained("CustomOp.forward"):
            self.operator.forward(
                is_train=self.training,
                req=["write"] * len(self.outputs),
                in_data=list(self.inputs),
                out_data=list(self.outputs),
                aux=list(self.states),
            )
        return [o._t for o in self.outputs]

    def backward(self, heads: Sequence[torch.Tensor], wanted: Sequence[bool]) -> list[torch.Tensor | None]:
        gradients = [NDArray(torch.zeros_like(a._t)) for a in self.inputs]
        with _outside_recording(self.training), self.ctx, self.kind._explained("CustomOp.backward"):
            self.operator.backward(
                req=["write" if w else "null" for w in wanted],
                out_grad=[NDArray(h) for h in heads],
                in_data=list(self.inputs),
                out_data=list(self.outputs),
                in_grad=list(gradients),
                aux=list(self.states),
            )
        return [g._t if w else None for g, w in zip(gradients, wanted, strict=True)]


class _Recorded(torch.autograd.Function):
    """A call in torch's graph."""

    @staticmethod
    def forward(ctx: Any, call: _Call, *given: torch.Tensor) -> tuple[torch.Tensor, ...]:
        ctx.call = call
        outputs = tuple(t.detach() for t in call.forward(given))
        ctx.mark_non_differentiable(*(t for t in outputs if not t.is_floating_point()))
        return outputs

    @staticmethod
    @once_differentiable("Custom")
    def backward(ctx: Any, *heads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        return (None, *ctx.call.backward(heads, ctx.needs_input_grad[1:]))


@contextlib.contextmanager
def _outside_recording(training: bool) -> Iterator[None]:
    before = MODES.recording, MODES.training
    MODES.recording, MODES.training = False, training
    try:
        with torch.no_grad(), own_code():
            yield
    finally:
        MODES.recording, MODES.training = before


register("custom_op")(CustomOpProp)
