"""Bound memory: inputs and outputs given to ONNX Runtime by pointer, once or anew before each run.

Speaks to the C-level `SessionIOBinding`. tests/bench/bench_runtime.py measures what each call costs.
"""

import ctypes
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, TypeAlias

import numpy as np

from .backend import C, reason
from .devices import Device
from .errors import ExecutionError, SessionInputError
from .tensors import ArrayLike, Memory, OutputTensor, TensorInfo, element_type_of, memory_of

__all__ = ["Binding", "PointerCall"]

PointerCall: TypeAlias = Callable[[Sequence[int], Sequence[int]], None]
"""Runs a model on addresses of inputs and of outputs; made by `Binding.pointer_call`."""

NO_ELEMENTS = ctypes.create_string_buffer(1)
"""Something to point at; torch and numpy give 0 as the address of nothing."""


class Binding:
    """The memory of one caller's runs. Not for several threads at once: each makes its own with `Session.bind`.

    What was bound is kept alive until it is bound anew, cleared, or the binding is gone.
    """

    __slots__ = (
        "_captures",
        "_device",
        "_input_owners",
        "_inputs",
        "_io",
        "_is_captured",
        "_ort_device",
        "_output_owners",
        "_outputs",
        "_run",
        "_run_options",
        "_where",
    )

    def __init__(
        self,
        session: Any,
        where: str,
        *,
        inputs: Sequence[TensorInfo],
        outputs: Sequence[TensorInfo],
        device: Device,
        run_options: Any,
        has_cuda_graph: bool,
    ) -> None:
        """Made by `Session.bind`; `session` is ONNX Runtime's C-level InferenceSession."""
        self._where = where
        self._io = C.SessionIOBinding(session)
        self._run = session.run_with_iobinding
        self._run_options = run_options
        self._device = device
        self._ort_device = device.ort_device()
        self._inputs = {info.name: (info.type_code, info) for info in inputs}
        self._outputs = {info.name: (info.type_code, info) for info in outputs}
        self._input_owners: dict[str, object] = {}
        self._output_owners: dict[str, object] = {}
        self._captures = has_cuda_graph
        self._is_captured = False

    def bind_input(self, name: str, array: ArrayLike) -> None:
        """Read input `name` from the memory of `array` in every run: later writes to it are seen.

        Raises:
            SessionInputError: Unknown name; wrong dtype, rank or fixed size; memory that is not contiguous.
        """
        info = self._info(self._inputs, "input", name)
        memory = memory_of(f"input `{name}`", array)
        info.check("input", memory.element_type, memory.shape)
        self._bind_memory(self.bind_input_pointer, name, memory)

    def bind_output(self, name: str, array: ArrayLike) -> None:
        """Write output `name` to the memory of `array` in every run.

        Raises:
            SessionInputError: As `bind_input`; read-only memory.
        """
        info = self._info(self._outputs, "output", name)
        memory = memory_of(f"output `{name}`", array, writable=True)
        info.check("output", memory.element_type, memory.shape)
        self._bind_memory(self.bind_output_pointer, name, memory)

    def bind_input_pointer(
        self,
        name: str,
        pointer: int,
        shape: Sequence[int],
        *,
        dtype: np.dtype[Any] | None = None,
        device: Device | None = None,
        owner: object = None,
    ) -> None:
        """Read input `name` from raw memory, C-contiguous and of the dtype that the model declares.

        This is the fast way: the shape is checked by the run. The memory must be as large as `shape` says.

        Args:
            name: An input of the model.
            pointer: Address of the first element; may be 0 only for a tensor without elements.
            shape: Sizes of all axes.
            dtype: If given, refused unless it is the declared dtype.
            device: Where the memory lies; None means the session's device.
            owner: Kept alive while this memory is bound.

        Raises:
            SessionInputError: Unknown name, another dtype, a null pointer; a CUDA graph is captured already.
        """
        try:
            type_code, info = self._inputs[name]
        except KeyError:
            self._unknown(self._inputs, "input", name)
        if dtype is not None or not pointer or self._is_captured:
            pointer = self._checked_pointer("input", info, pointer, shape, dtype)
        place = self._ort_device if device is None else device.ort_device()
        try:
            self._io.bind_input(name, place, type_code, shape, pointer)
        except Exception as err:
            raise self._bind_error("input", name, shape, err) from err
        self._input_owners[name] = owner

    def bind_output_pointer(
        self,
        name: str,
        pointer: int,
        shape: Sequence[int],
        *,
        dtype: np.dtype[Any] | None = None,
        device: Device | None = None,
        owner: object = None,
    ) -> None:
        """Write output `name` to raw memory; arguments and errors as `bind_input_pointer`.

        `shape` must be the shape that the run computes; the run refuses another one.
        """
        try:
            type_code, info = self._outputs[name]
        except KeyError:
            self._unknown(self._outputs, "output", name)
        if dtype is not None or not pointer or self._is_captured:
            pointer = self._checked_pointer("output", info, pointer, shape, dtype)
        place = self._ort_device if device is None else device.ort_device()
        try:
            self._io.bind_output(name, place, type_code, shape, pointer)
        except Exception as err:
            raise self._bind_error("output", name, shape, err) from err
        self._output_owners[name] = owner

    def pointer_call(self, inputs: Mapping[str, Sequence[int]], outputs: Mapping[str, Sequence[int]]) -> PointerCall:
        """Return a function that binds memory of these shapes by pointer and runs, for the lowest cost per call.

        It takes the addresses of the inputs and those of the outputs, in the order given here, all on the session's
        device; as `bind_input_pointer`, it checks neither dtype nor size. The caller keeps the memory alive during the
        call. What it bound is remembered, so nothing else may bind on this binding afterwards.

        Args:
            inputs: The shape of each input, by name.
            outputs: The shape of each output, by name.

        Raises:
            SessionInputError: Unknown name; the session captures CUDA graphs, which need fixed memory. The function
                raises as `run` does.
        """
        if self._captures:
            raise SessionInputError(
                f"{self._where}: a CUDA graph uses fixed memory: expected `bind_input_pointer` once, got a call of "
                "`pointer_call`. Copy into bound memory."
            )
        self._input_owners.update(dict.fromkeys(inputs))
        self._output_owners.update(dict.fromkeys(outputs))
        return _pointer_call(
            [(name, self._info(self._inputs, "input", name), list(shape)) for name, shape in inputs.items()],
            [(name, self._info(self._outputs, "output", name), list(shape)) for name, shape in outputs.items()],
            self._ort_device,
            self._io,
            self._run,
            self._run_options,
            self._run_error,
        )

    def allocate_output(self, name: str, *, device: Device | None = None) -> None:
        """Let ONNX Runtime allocate output `name` in the next run; `output` then gives it.

        Later runs write to the same memory. To keep a result, call this again before the next run.

        Args:
            name: An output of the model.
            device: Where to; None means the session's device.

        Raises:
            SessionInputError: Unknown name; the session captures CUDA graphs, which need fixed memory.
        """
        self._info(self._outputs, "output", name)
        if self._captures:
            raise SessionInputError(
                f"{self._where}: a CUDA graph writes to fixed memory: expected `bind_output`, got an allocation for "
                f"output={name!r}. Bind memory of the output's size."
            )
        self._io.bind_output(name, self._ort_device if device is None else device.ort_device())
        self._output_owners[name] = None

    def run(self) -> None:
        """Run the model once on what is bound.

        Raises:
            SessionInputError: An input is not bound, or no output is.
            ExecutionError: ONNX Runtime failed, for example on a bound shape that the model does not accept.
        """
        try:
            self._run(self._io, self._run_options)
        except Exception as err:
            raise self._run_error(err) from err
        if self._captures:
            self._is_captured = True

    def output(self, name: str) -> OutputTensor:
        """Output `name` of the last run, in place.

        For memory of the caller's, the result does not keep it alive; use it directly instead.

        Raises:
            SessionInputError: It is not bound, or there was no run yet.
        """
        self._info(self._outputs, "output", name)
        values = self._io.get_outputs()
        position = list(self._output_owners).index(name) if name in self._output_owners else len(values)
        if position >= len(values) or not values[position].has_value():
            raise SessionInputError(
                f"{self._where}: no value of output `{name}`: expected a run after it was bound, got none. "
                "Call `allocate_output` or `bind_output`, then `run`."
            )
        return OutputTensor(values[position])

    def clear(self) -> None:
        """Unbind everything and let go of the memory.

        Raises:
            SessionInputError: A CUDA graph is captured, which keeps using the memory.
        """
        if self._is_captured:
            self._refuse_rebinding("everything")
        self._io.clear_binding_inputs()
        self._io.clear_binding_outputs()
        self._input_owners.clear()
        self._output_owners.clear()

    def _bind_memory(self, bind: Any, name: str, memory: Memory) -> None:
        bind(name, memory.pointer, memory.shape, device=memory.device, owner=memory.owner)

    def _checked_pointer(
        self, kind: str, info: TensorInfo, pointer: int, shape: Sequence[int], dtype: np.dtype[Any] | None
    ) -> int:
        """`pointer`, or an address for memory without elements, for which ONNX Runtime does not take 0."""
        if self._is_captured:
            self._refuse_rebinding(f"{kind} `{info.name}`")
        if dtype is not None:
            info.check(kind, element_type_of(np.dtype(dtype)), tuple(shape))
        if not pointer and 0 not in shape:
            raise SessionInputError(
                f"{kind} `{info.name}`: null pointer: expected the address of {tuple(shape)} elements, got pointer=0. "
                "Allocate the memory first."
            )
        return pointer or ctypes.addressof(NO_ELEMENTS)

    def _refuse_rebinding(self, what: str) -> NoReturn:
        raise SessionInputError(
            f"{self._where}: memory of a captured CUDA graph cannot change: expected the memory of the first run, "
            f"got a change of {what}. Copy into the bound memory, or make a new session."
        )

    def _info(self, infos: dict[str, tuple[int, TensorInfo]], kind: str, name: str) -> TensorInfo:
        if name not in infos:
            self._unknown(infos, kind, name)
        return infos[name][1]

    def _unknown(self, infos: dict[str, tuple[int, TensorInfo]], kind: str, name: str) -> NoReturn:
        known = ", ".join(f"`{known}`" for known in infos)
        raise SessionInputError(
            f"{self._where}: unknown {kind}: expected one of {known}, got {kind}={name!r}. Use the model's name for it."
        ) from None

    def _bind_error(self, kind: str, name: str, shape: Sequence[int], err: Exception) -> SessionInputError:
        return SessionInputError(
            f"{kind} `{name}`: cannot be bound: expected an address and sizes of memory on the session's device or "
            f"the CPU, got shape={shape} ({reason(err)}). Check the arguments."
        )

    def _run_error(self, err: Exception) -> ExecutionError | SessionInputError:
        for kind, infos, owners in (
            ("input", self._inputs, self._input_owners),
            ("output", self._outputs, self._output_owners),
        ):
            unbound = [f"`{name}`" for name in infos if name not in owners]
            if unbound and (kind == "input" or len(unbound) == len(infos)):
                return SessionInputError(
                    f"{self._where}: {kind} not bound: expected all inputs and at least one output, "
                    f"got nothing for {', '.join(unbound)}. Bind it before `run`."
                )
        return ExecutionError(
            f"{self._where}: ONNX Runtime failed: expected a run without errors, got error={reason(err)}. "
            "Check the bound shapes and dtypes."
        )


def _pointer_call(
    inputs: Sequence[tuple[str, TensorInfo, list[int]]],
    outputs: Sequence[tuple[str, TensorInfo, list[int]]],
    place: Any,
    io: Any,
    run: Any,
    options: Any,
    explain: Callable[[Exception], Exception],
) -> PointerCall:
    """A closure, because a closure reads its variables faster than a method reads attributes."""
    bind_input, bind_output = io.bind_input, io.bind_output
    fed = [(name, place, info.type_code, shape) for name, info, shape in inputs]
    given = [(name, place, info.type_code, shape) for name, info, shape in outputs]
    fed_before, given_before = [-1] * len(fed), [-1] * len(given)
    nothing = ctypes.addressof(NO_ELEMENTS)

    def call(input_pointers: Sequence[int], output_pointers: Sequence[int]) -> None:
        try:
            # Memory that is bound already is often given again: allocators hand out what was just freed.
            if input_pointers != fed_before:
                for i, pointer in enumerate(input_pointers):
                    if pointer != fed_before[i]:
                        bind_input(*fed[i], pointer or nothing)
                        fed_before[i] = pointer
            if output_pointers != given_before:
                for i, pointer in enumerate(output_pointers):
                    if pointer != given_before[i]:
                        bind_output(*given[i], pointer or nothing)
                        given_before[i] = pointer
            run(io, options)
        except Exception as err:
            raise explain(err) from err

    return call
