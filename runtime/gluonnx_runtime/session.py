"""A session: one ONNX model, loaded once, run by name with checked inputs."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from .backend import C, ort, reason
from .binding import Binding
from .devices import CPU, Device, resolve_device, synchronize_cuda
from .errors import ExecutionError, ModelFileError, SessionDeviceError, SessionInputError
from .providers import create_session
from .tensors import (
    ArrayLike,
    Memory,
    OutputTensor,
    TensorInfo,
    element_type_of,
    host_array,
    initializer_value,
    memory_of,
    tensor_info,
)

__all__ = ["Optimization", "Session"]

Optimization: TypeAlias = Literal["all", "extended", "basic", "none"]

SILENT = 4
"""ONNX Runtime's severity `fatal`. Its errors reach the caller as exceptions, so printing them too says them twice."""
LARGEST_SEVERITY = 4
DEVICE_SYNC_OPTION = "disable_synchronize_execution_providers"
"""Run option. Source: ONNX Runtime, onnxruntime_run_options_config_keys.h."""
PREPACKING_OPTION = "session.disable_prepacking"
"""Source: ONNX Runtime, onnxruntime_session_options_config_keys.h."""


class Session:
    """An ONNX model, ready to run.

    >>> session = Session("digits-0000.onnx")                        # doctest: +SKIP
    >>> session.run({"data": images})["output"]                      # doctest: +SKIP
    >>> output = session(images)                                     # doctest: +SKIP

    `run` and `run_dlpack` may be called from many threads at once.
    """

    __slots__ = (
        "_device",
        "_follows_stream",
        "_has_cuda_graph",
        "_initializers",
        "_inputs",
        "_inputs_by_name",
        "_metadata",
        "_output_names",
        "_outputs",
        "_run_options",
        "_session",
        "_where",
    )

    def __init__(
        self,
        model: str | os.PathLike[str] | bytes,
        *,
        device: str = "auto",
        intra_op_threads: int | None = None,
        inter_op_threads: int | None = None,
        spinning: bool = False,
        optimization: Optimization = "all",
        log_severity: int = SILENT,
        cuda_stream: int | None = None,
        cuda_graph: bool = False,
        prepacking: bool = True,
        initializers: Mapping[str, npt.NDArray[Any]] | None = None,
    ) -> None:
        """Load a model.

        Args:
            model: Path of an .onnx file, or the bytes of one.
            device: `cpu`, `cuda`, `cuda:N`, or `auto`: the first CUDA device if there is a usable one, else the CPU.
            intra_op_threads: Threads that share one operator; None lets ONNX Runtime take one per core.
            inter_op_threads: Threads that run independent operators at the same time; None or 1: none do.
            spinning: Let idle threads burn CPU time in wait of work: a little faster alone, and slower for everything
                else in the process and on the machine.
            optimization: How far ONNX Runtime rewrites the graph.
            log_severity: What ONNX Runtime prints to standard error: 0 everything, 1 info, 2 warnings, 3 errors,
                4 nothing short of fatal.
            cuda_stream: Handle of the CUDA stream to run on, for example `torch.cuda.current_stream().cuda_stream`.
            cuda_graph: Capture the first run of a binding as a CUDA graph. Only `bind` with fixed memory can run it.
            prepacking: Keep weights a second time in the layout of the kernels, which is faster and takes more memory.
            initializers: Values of initializers that the model has as external data, by name, contiguous. A model from
                a file (then on the CPU) reads them where they are, so they must stay as they are while the session
                lives, and the file of external data must be there; a model from bytes copies them and needs no file.

        Raises:
            ModelFileError: There is no such file, it is not an ONNX model, or not one that ONNX Runtime can run.
            SessionDeviceError: `device` is not usable on this machine.
            SessionInputError: An option has a value that is not one of the above.
        """
        source, self._where = _model_source(model)
        resolved = resolve_device(device)
        if resolved.kind == "cpu" and (cuda_stream is not None or cuda_graph):
            raise SessionDeviceError(
                f"{self._where}: CUDA option without a CUDA device: expected device `cuda`, got device={resolved}. "
                "Leave out `cuda_stream` and `cuda_graph`."
            )
        options = _session_options(intra_op_threads, inter_op_threads, spinning, optimization, log_severity)
        if not prepacking:
            options.add_session_config_entry(PREPACKING_OPTION, "1")
        self._initializers = _given_initializers(options, initializers or {}, is_copied=isinstance(source, bytes))
        try:
            self._session, self._device = create_session(
                source,
                options,
                resolved,
                falls_back=device == "auto" and cuda_stream is None and not cuda_graph,
                cuda_stream=cuda_stream,
                cuda_graph=cuda_graph,
            )
        except SessionDeviceError:
            raise
        except Exception as err:
            raise ModelFileError(
                f"{self._where}: not a model that can be run: expected an ONNX model for onnxruntime "
                f"{ort.__version__}, got error={reason(err)}. Check that the file is complete."
            ) from err
        self._inputs = self._tensor_infos("input", self._session.get_inputs())
        self._outputs = self._tensor_infos("output", self._session.get_outputs())
        self._inputs_by_name = {info.name: info for info in self._inputs}
        self._output_names = [info.name for info in self._outputs]
        self._metadata = dict(self._session.get_modelmeta().custom_metadata_map)
        self._run_options = _run_options(log_severity)
        self._has_cuda_graph = cuda_graph
        self._follows_stream = cuda_stream is not None

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        """The inputs that a call must give, in the model's order (initializers are not inputs)."""
        return self._inputs

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        """The outputs, in the model's order."""
        return self._outputs

    @property
    def metadata(self) -> dict[str, str]:
        """The model's own key-value metadata."""
        return dict(self._metadata)

    @property
    def device(self) -> Device:
        """Where the session runs."""
        return self._device

    @property
    def providers(self) -> tuple[str, ...]:
        """ONNX Runtime's execution providers in use, in order of preference."""
        return tuple(self._session.get_providers())

    @property
    def has_cuda_graph(self) -> bool:
        """Whether bindings of this session capture a CUDA graph."""
        return self._has_cuda_graph

    def __repr__(self) -> str:
        inputs = ", ".join(map(str, self._inputs))
        outputs = ", ".join(map(str, self._outputs))
        return f"Session({self._where} on {self._device}: {inputs} -> {outputs})"

    def run(self, inputs: Mapping[str, ArrayLike], outputs: Sequence[str] | None = None) -> dict[str, npt.NDArray[Any]]:
        """Run the model once.

        Args:
            inputs: Every input by name: numpy arrays, or any library's arrays on the CPU or the session's device. They
                are read in place where their memory is contiguous, never cast.
            outputs: Names of the wanted outputs; None means all.

        Returns:
            The wanted outputs by name, in the order asked for, each in memory of its own.

        Raises:
            SessionInputError: An input is missing, unknown, or of the wrong dtype, rank or fixed size; an unknown
                output; an output of a dtype that numpy lacks (then use `run_dlpack`).
            ExecutionError: ONNX Runtime failed on these inputs.
        """
        names = self._wanted_outputs(outputs)
        for info in self._outputs:
            if info.dtype is None and info.name in names:
                raise SessionInputError(
                    f"{self._where}: output `{info.name}` has no numpy dtype: expected a dtype that numpy has, "
                    f"got dtype={info.element_type}. Use `run_dlpack`."
                )
        feeds: dict[str, npt.NDArray[Any]] = {}
        for name, array in self._checked_names(inputs):
            host = array if type(array) is np.ndarray else host_array(f"input `{name}`", array)
            if host is None:
                results = self._run_bound(inputs, names, CPU)
                return {name: result.numpy() for name, result in results.items()}
            self._inputs_by_name[name].check("input", element_type_of(host.dtype), host.shape)
            feeds[name] = host
        self._refuse_cuda_graph()
        try:
            values = self._session._sess.run(names, feeds, self._run_options)
        except Exception as err:
            raise self._execution_error(err) from err
        return dict(zip(names, values, strict=True))

    def run_dlpack(
        self, inputs: Mapping[str, ArrayLike], outputs: Sequence[str] | None = None
    ) -> dict[str, OutputTensor]:
        """Like `run`, but results stay on the session's device, for `torch.from_dlpack` or any other DLPack consumer.

        Raises:
            SessionInputError: As `run`, and for memory on another CUDA device, or on a device and not contiguous.
            ExecutionError: As `run`.
        """
        return self._run_bound(inputs, self._wanted_outputs(outputs), self._device)

    def __call__(self, *args: ArrayLike, **kwargs: ArrayLike) -> npt.NDArray[Any] | tuple[npt.NDArray[Any], ...]:
        """Run with inputs in the model's order, or by name, or both.

        Returns:
            The output, or a tuple of all outputs if the model has several.

        Raises:
            SessionInputError: More positional inputs than the model has, one given twice, and as `run`.
            ExecutionError: As `run`.
        """
        if len(args) > len(self._inputs):
            raise SessionInputError(
                f"{self._where}: too many inputs: expected at most {len(self._inputs)} "
                f"({self._names(self._inputs)}), got count={len(args)}. Leave out the others."
            )
        positional = {info.name: array for info, array in zip(self._inputs, args, strict=False)}
        if twice := positional.keys() & kwargs.keys():
            raise SessionInputError(
                f"{self._where}: input given twice: expected it by position or by name, "
                f"got both for name={min(twice)!r}. Leave out one."
            )
        results = tuple(self.run({**positional, **kwargs}).values())
        return results[0] if len(results) == 1 else results

    def bind(self, *, synchronize: bool = True) -> Binding:
        """A new binding: fixed memory for inputs and outputs, for the lowest cost per call.

        Args:
            synchronize: Wait for the device at the end of each run. Without it, results are ordered behind the
                session's `cuda_stream`, and reading them elsewhere is the caller's to order.

        Raises:
            SessionInputError: `synchronize=False` on a session that has no stream of the caller's.
        """
        options = self._run_options
        if not synchronize:
            if not self._follows_stream:
                raise SessionInputError(
                    f"{self._where}: no stream to follow: expected a session with `cuda_stream`, "
                    "got synchronize=False. Pass `cuda_stream=` to the session."
                )
            options = _run_options(SILENT)
            options.add_run_config_entry(DEVICE_SYNC_OPTION, "1")
        return Binding(
            self._session._sess,
            self._where,
            inputs=self._inputs,
            outputs=self._outputs,
            device=self._device,
            run_options=options,
            has_cuda_graph=self._has_cuda_graph,
        )

    def _run_bound(
        self, inputs: Mapping[str, ArrayLike], names: Sequence[str], destination: Device
    ) -> dict[str, OutputTensor]:
        """Run with bound memory, for what cannot be fed as numpy arrays. Results are allocated on `destination`."""
        self._refuse_cuda_graph()
        binding = self.bind()
        is_device_memory = False
        for name, array in self._checked_names(inputs):
            memory = self._input_memory(name, array)
            self._inputs_by_name[name].check("input", memory.element_type, memory.shape)
            is_device_memory = is_device_memory or memory.device.kind == "cuda"
            binding.bind_input_pointer(name, memory.pointer, memory.shape, device=memory.device, owner=memory.owner)
        for name in names:
            binding.allocate_output(name, device=destination)
        if is_device_memory and not self._follows_stream:
            synchronize_cuda(self._device.index)
        binding.run()
        return {name: binding.output(name) for name in names}

    def _input_memory(self, name: str, array: ArrayLike) -> Memory:
        where = f"input `{name}`"
        host = host_array(where, array)
        return memory_of(where, array if host is None else np.ascontiguousarray(host).reshape(host.shape))

    def _checked_names(self, inputs: Mapping[str, ArrayLike]) -> Iterable[tuple[str, ArrayLike]]:
        if inputs.keys() != self._inputs_by_name.keys():
            missing = [info for info in self._inputs if info.name not in inputs]
            if missing:
                raise SessionInputError(
                    f"{self._where}: missing input: expected {self._names(self._inputs)}, "
                    f"got inputs={', '.join(map(repr, inputs)) or 'none'}. Pass {self._names(missing)}."
                )
            unknown = next(name for name in inputs if name not in self._inputs_by_name)
            raise SessionInputError(
                f"{self._where}: unknown input: expected {self._names(self._inputs)}, got input={unknown!r}. "
                "Leave it out, or use the model's name for it."
            )
        return inputs.items()

    def _wanted_outputs(self, outputs: Sequence[str] | None) -> list[str]:
        if outputs is None:
            return self._output_names
        for name in outputs:
            if name not in self._output_names:
                raise SessionInputError(
                    f"{self._where}: unknown output: expected {self._names(self._outputs)}, got output={name!r}. "
                    "Use the model's name for it."
                )
        if not outputs or isinstance(outputs, str) or len(set(outputs)) != len(outputs):
            raise SessionInputError(
                f"{self._where}: outputs are not a list of different names: expected some of "
                f"{self._names(self._outputs)}, got outputs={outputs!r}. Pass a list, or None for all."
            )
        return list(outputs)

    def _refuse_cuda_graph(self) -> None:
        if self._has_cuda_graph:
            raise SessionInputError(
                f"{self._where}: a CUDA graph replays fixed memory: expected a call of `bind`, got cuda_graph=True "
                "and a run with memory of its own. Use `Session.bind`, or leave out `cuda_graph`."
            )

    def _tensor_infos(self, kind: str, nodes: Iterable[Any]) -> tuple[TensorInfo, ...]:
        infos = []
        for node in nodes:
            info = tensor_info(node)
            if isinstance(info, str):
                raise ModelFileError(
                    f"{self._where}: {kind} `{node.name}` is not a tensor of numbers: expected tensor(float) or "
                    f"another numeric or bool tensor, got type={info}. Export the model without it."
                )
            infos.append(info)
        return tuple(infos)

    def _execution_error(self, err: Exception) -> ExecutionError:
        return ExecutionError(
            f"{self._where}: ONNX Runtime failed: expected a run without errors, got error={reason(err)}. "
            "Check the input shapes against each other and the values that the model computes with."
        )

    @staticmethod
    def _names(infos: Iterable[TensorInfo]) -> str:
        return ", ".join(f"`{info.name}`" for info in infos) or "none"


def _model_source(model: str | os.PathLike[str] | bytes) -> tuple[Path | bytes, str]:
    if isinstance(model, bytes):
        return model, f"model of {len(model)} bytes"
    path = Path(model)
    if not path.is_file():
        found = "a folder" if path.is_dir() else "nothing there"
        raise ModelFileError(f"{path}: no model file: expected an .onnx file, got {found}. Check the path.")
    if not os.access(path, os.R_OK):
        raise ModelFileError(
            f"{path}: model file is not readable: expected read permission, got none. Change its mode."
        )
    return path, str(path)


def _session_options(
    intra_op_threads: int | None,
    inter_op_threads: int | None,
    spinning: bool,
    optimization: Optimization,
    log_severity: int,
) -> Any:
    levels = {
        "all": C.GraphOptimizationLevel.ORT_ENABLE_ALL,
        "extended": C.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
        "basic": C.GraphOptimizationLevel.ORT_ENABLE_BASIC,
        "none": C.GraphOptimizationLevel.ORT_DISABLE_ALL,
    }
    if optimization not in levels:
        choices = ", ".join(f"`{level}`" for level in get_args(Optimization))
        raise SessionInputError(
            f"Session: unknown optimization level: expected one of {choices}, got optimization={optimization!r}. "
            "Pass one of these."
        )
    for name, count in (("intra_op_threads", intra_op_threads), ("inter_op_threads", inter_op_threads)):
        if count is not None and count < 1:
            raise SessionInputError(
                f"Session: no threads to run on: expected at least 1 or None, got {name}={count}. "
                "Leave it out to let ONNX Runtime choose."
            )
    if not 0 <= log_severity <= LARGEST_SEVERITY:
        raise SessionInputError(
            f"Session: unknown log severity: expected 0 to {LARGEST_SEVERITY}, got log_severity={log_severity}. "
            "Pass 2 to see warnings."
        )
    options = C.SessionOptions()
    options.graph_optimization_level = levels[optimization]
    options.log_severity_level = log_severity
    if intra_op_threads is not None:
        options.intra_op_num_threads = intra_op_threads
    if inter_op_threads is not None and inter_op_threads > 1:
        options.inter_op_num_threads = inter_op_threads
        options.execution_mode = C.ExecutionMode.ORT_PARALLEL
    # Source: ONNX Runtime, onnxruntime_session_options_config_keys.h.
    for scope in ("intra_op", "inter_op"):
        options.add_session_config_entry(f"session.{scope}.allow_spinning", "1" if spinning else "0")
    return options


def _given_initializers(
    options: Any, arrays: Mapping[str, npt.NDArray[Any]], *, is_copied: bool
) -> list[tuple[Any, npt.NDArray[Any]]]:
    """Give ONNX Runtime the values of initializers, by pointer; return what must live as long as the session.

    Raises:
        SessionInputError: An array is not contiguous, or of a dtype that ONNX Runtime lacks.
    """
    values = {name: initializer_value(f"initializer `{name}`", array) for name, array in arrays.items()}
    if is_copied and values:
        options.add_external_initializers(list(values), list(values.values()))
        return []
    for name, value in values.items():
        options.add_initializer(name, value)
    return [(values[name], array) for name, array in arrays.items()]


def _run_options(log_severity: int) -> Any:
    """Made once per session: ONNX Runtime makes one for each call that brings none, which costs 0.7 us."""
    options = C.RunOptions()
    options.log_severity_level = log_severity
    return options
