"""Runs a program as `python` would, with `mxnet` resolved to gluonnx."""

import importlib.util
import linecache
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.abc import InspectLoader
from importlib.machinery import PathFinder
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, NoReturn

from gluonnx.compat import install_as_mxnet

__all__ = ["launch"]

USAGE = "usage: python -m gluonnx.mxnet (script.py | folder | -m module | -c code | -) [arguments ...]"
WRONG_USAGE = 2  # exit code of Python for a wrong command line and for a file that it cannot open
STDIN = {"__file__": "<stdin>"}
NO_MODULE = 1  # exit code of Python for a module that it cannot find


@dataclass(frozen=True, slots=True)
class _Program:
    """What is to be run as `__main__`.

    Attributes:
        code: The compiled program.
        arguments: Its `sys.argv`.
        path: Its `sys.path[0]`, None to leave it.
        names: What its `__main__` holds from the start, beside what every module holds.
    """

    code: CodeType
    arguments: list[str]
    path: str | None
    names: dict[str, Any] = field(default_factory=dict)


class _Compiled(InspectLoader):
    """A loader of code that is compiled already: it executes a module and leaves no file behind."""

    def __init__(self, code: CodeType) -> None:
        self._code = code

    def get_code(self, fullname: str) -> CodeType:
        """Return the code."""
        return self._code

    def get_source(self, fullname: str) -> None:
        """Return None: tracebacks read the program's file."""


def launch(arguments: Sequence[str]) -> None:
    """Run the program that a command line names.

    `sys.argv`, `sys.path[0]`, `__main__`, exit codes and tracebacks are those of the program run by `python`.

    Args:
        arguments: The command line after `python -m gluonnx.mxnet`.

    Raises:
        SystemExit: The program ended so, there is no such program, or the command line names none.
        BaseException: What the program raised, after its traceback was shown.
    """
    if not arguments or arguments[0] in ("-h", "--help"):
        sys.stdout.write(f"{__doc__}\n\n{USAGE}\n") if arguments else sys.stderr.write(f"{USAGE}\n")
        raise SystemExit(0 if arguments else WRONG_USAGE)
    install_as_mxnet()
    try:
        program = _load(arguments[0], list(arguments[1:]))
    except SyntaxError as err:
        sys.excepthook(type(err), err.with_traceback(None), None)
        raise SystemExit(1) from None
    main = ModuleType("__main__")
    main.__dict__.update(program.names)
    sys.modules["__main__"] = main
    sys.argv[:] = program.arguments
    if program.path is not None:
        sys.path[0] = program.path
    try:
        _Compiled(program.code).exec_module(main)
    except SystemExit:
        raise
    except BaseException as err:
        _show(err, program.code)
        raise


def _show(err: BaseException, program: CodeType) -> None:
    """Show an exception from the program's own frame on, and keep Python from showing it again when it ends."""
    frames = err.__traceback__
    while frames is not None and frames.tb_frame.f_code is not program:
        frames = frames.tb_next
    sys.excepthook(type(err), err.with_traceback(frames), frames)
    sys.excepthook = lambda *_: None


def _load(first: str, rest: list[str]) -> _Program:
    safe = sys.flags.safe_path
    if first in ("-c", "-m"):
        if not rest:
            _refuse(f"Argument expected for the {first} option", WRONG_USAGE)
        if first == "-m":
            return _load_module(rest[0], rest[1:])
        if sys.version_info >= (3, 13):  # whose tracebacks show the lines of `-c`, too
            linecache.cache["<string>"] = (len(rest[0]), None, rest[0].splitlines(keepends=True), "<string>")
        return _Program(compile(rest[0], "<string>", "exec"), ["-c", *rest[1:]], None if safe else "")
    if first == "-":
        return _Program(compile(sys.stdin.read(), "<stdin>", "exec"), [first, *rest], None if safe else "", STDIN)
    if first.startswith("-"):
        _refuse(f"unknown option {first}: Python's own options go before -m gluonnx.mxnet", WRONG_USAGE)
    return _load_path(first, rest)


def _load_path(path: str, rest: list[str]) -> _Program:
    file = Path(path).absolute()
    packed = PathFinder.find_spec("__main__", [str(file)])  # a folder or a zip file with a __main__.py
    code = None if packed is None else _code(packed.loader, "__main__")
    if packed is not None and code is not None:
        names = {"__file__": packed.origin, "__loader__": packed.loader, "__package__": "", "__spec__": packed}
        if sys.flags.safe_path:
            sys.path.insert(0, str(file))
        return _Program(code, [path, *rest], str(file), names)
    if file.is_dir():
        _refuse(f"can't find '__main__' module in {str(file)!r}", NO_MODULE)
    try:
        source = file.read_bytes()
    except OSError as err:
        _refuse(f"can't open file {str(file)!r}: [Errno {err.errno}] {err.strerror}", WRONG_USAGE)
    folder = None if sys.flags.safe_path else str(file.resolve().parent)
    names = {"__file__": str(file), "__cached__": None}
    return _Program(compile(source, str(file), "exec"), [path, *rest], folder, names)


def _load_module(name: str, rest: list[str]) -> _Program:
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = importlib.util.find_spec(f"{name}.__main__")
            if spec is None:
                _refuse(
                    f"No module named {name}.__main__; {name!r} is a package and cannot be directly executed", NO_MODULE
                )
    except ModuleNotFoundError as err:
        _refuse(f"Error while finding module specification for {name!r} ({type(err).__name__}: {err})", NO_MODULE)
    if spec is None:
        _refuse(f"No module named {name}", NO_MODULE)
    code = _code(spec.loader, spec.name)
    if code is None:
        _refuse(f"No code object available for {name}", NO_MODULE)
    names = {
        "__cached__": spec.cached,
        "__file__": spec.origin,
        "__loader__": spec.loader,
        "__package__": spec.parent,
        "__spec__": spec,
    }
    return _Program(code, [spec.origin or name, *rest], None, names)


def _code(loader: Any, name: str) -> CodeType | None:
    """The code of a module, None if its loader does not tell (an extension, a namespace package)."""
    get_code = getattr(loader, "get_code", None)
    return None if get_code is None else get_code(name)


def _refuse(problem: str, code: int) -> NoReturn:
    sys.stderr.write(f"{sys.executable}: {problem}\n")
    raise SystemExit(code)
