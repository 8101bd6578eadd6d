"""The trace of a block, and what to say of one that cannot be traced."""

import linecache
from pathlib import Path
from types import TracebackType
from typing import Any

import gluonnx
from gluonnx.errors import NotImplementedForSymbol, TraceError
from gluonnx.symbol.symbol import Symbol

PACKAGE = Path(gluonnx.__file__).parent


class Tracing:
    """A `with` around the trace of a block: an operation that symbols do not have becomes an error with its line.

    Args:
        block: The block, for the message.
    """

    def __init__(self, block: str) -> None:
        self._block = block

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(err, TraceError) or not isinstance(err, (NotImplementedForSymbol, AttributeError, TypeError)):
            return
        raise TraceError(
            f"{self._block}: cannot be traced: {_user_line(trace)}: {err} A hybridized block may use operators of F "
            "and constants only: expected no shape, dtype, value or branch that depends on an input."
        ) from err


def _user_line(trace: TracebackType | None) -> str:
    """The innermost line outside of gluonnx, as `file:line: source`."""
    found = "unknown line"
    while trace is not None:
        code, line = trace.tb_frame.f_code, trace.tb_lineno
        if PACKAGE not in Path(code.co_filename).parents:
            source = linecache.getline(code.co_filename, line).strip()
            found = f"{code.co_filename}:{line}" + (f": `{source}`" if source else "")
        trace = trace.tb_next
    return found


class Trace:
    """The graph of a hybrid block and the structure of its inputs and outputs."""

    __slots__ = ("in_structure", "inputs", "out_structure", "output")

    def __init__(self, inputs: list[Symbol], output: Symbol, in_structure: Any, out_structure: Any) -> None:
        self.inputs = inputs
        self.output = output
        self.in_structure = in_structure
        self.out_structure = out_structure
