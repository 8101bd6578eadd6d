import os
import subprocess
import sys

import pytest
from gluonnx_cli import main as main_module
from gluonnx_cli import run as run_module
from gluonnx_cli.errors import CommandError, one_line
from gluonnx_runtime import ModelFileError

from gluonnx import errors
from gluonnx._version import __version__

COMMANDS = ("run", "info", "export", "import", "verify")
HEAVY = ("numpy", "onnx", "onnxruntime", "torch", "gluonnx", "gluonnx_runtime")


def test_version(gluonnx):
    result = gluonnx("--version")
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"gluonnx {__version__}\n", "")


def test_no_arguments_print_the_help(gluonnx):
    result = gluonnx()
    assert result.exit_code == 2
    for command in COMMANDS:
        assert f"\n  {command} " in result.stdout + result.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_help_ends_with_two_examples(gluonnx, command):
    result = gluonnx(command, "--help")
    assert result.exit_code == 0
    *_, title, first, second = result.stdout.rstrip().splitlines()
    assert title.strip() == "Examples:"
    assert first.startswith(f"    gluonnx {command} ")
    assert second.startswith(f"    gluonnx {command} ")
    assert "Raises" not in result.stdout


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(fresh_python, arguments):
    code = (
        "import sys; from gluonnx_cli.main import app\n"
        f"app({arguments!r}, standalone_mode=False)\n"
        f"sys.exit(repr([name for name in {HEAVY!r} if name in sys.modules]))"
    )
    done = fresh_python("-c", code)
    assert done.stderr == "[]\n"


def test_unknown_command_is_a_usage_error(gluonnx):
    result = gluonnx("fly")
    assert result.exit_code == 2
    assert "No such command 'fly'" in result.stderr


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (CommandError("a: b"), "a: b"),
        (ModelFileError("net.onnx: no model file"), "net.onnx: no model file"),
        (errors.ParameterFileError("two\n  lines"), "two lines"),
        (errors.ExportError("refused"), "refused"),
        (FileNotFoundError(2, "No such file or directory", "x.npy"), "x.npy: No such file or directory"),
        (OSError(18, "Invalid cross-device link", "a", None, "b"), "a -> b: Invalid cross-device link"),
        (OSError("no number"), "no number"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (ValueError("a bug"), None),
        (KeyError("a bug"), None),
    ],
)
def test_error_table(error, message):
    assert one_line(error) == message


@pytest.fixture
def failing(monkeypatch):
    """A command whose body raises what the test asks for."""

    def command_raises(error):
        def target(session, outputs):
            raise error

        monkeypatch.setattr(run_module, "_targets", target)

    return command_raises


def test_known_error_is_one_line(gluonnx, folder, failing):
    failing(errors.ExportError("net: refused:\nexpected less"))
    result = gluonnx("run", "net.onnx", "--input", "data=x.npy")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "error: net: refused: expected less\n")


def test_debug_adds_the_traceback(gluonnx, folder, failing):
    failing(errors.ExportError("refused"))
    result = gluonnx("--debug", "run", "net.onnx", "--input", "data=x.npy")
    assert result.exit_code == 1
    assert result.stderr.startswith("Traceback (most recent call last):\n")
    assert "gluonnx.errors.ExportError: refused\n" in result.stderr
    assert result.stderr.endswith("\nerror: refused\n")


def test_a_bug_keeps_its_traceback(gluonnx, folder, failing):
    failing(ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError, match=r"a bug"):
        gluonnx("run", "net.onnx", "--input", "data=x.npy")


def test_interrupt_exits_130_and_says_nothing(gluonnx, folder, failing):
    failing(KeyboardInterrupt())
    result = gluonnx("run", "net.onnx", "--input", "data=x.npy")
    assert (result.exit_code, result.stdout, result.stderr) == (130, "", "")


def test_interrupt_outside_a_command(monkeypatch):
    def interrupted(**_):
        raise KeyboardInterrupt

    monkeypatch.setattr(main_module, "app", interrupted)
    with pytest.raises(SystemExit) as caught:
        main_module.main()
    assert caught.value.code == 130


def test_closed_pipe_prints_no_traceback(folder, fresh_python):
    code = "import sys; sys.argv[0] = 'gluonnx'; from gluonnx_cli.main import main; main()"
    reader = "import sys; sys.stdin.close()"
    command = f'"{sys.executable}" -c "{code}" info net.onnx --json | "{sys.executable}" -c "{reader}"'
    done = fresh_python("-c", f"import subprocess; subprocess.run({command!r}, shell=True, check=True)")
    assert "Traceback" not in done.stderr


def test_interrupt_signal(folder):
    """A real SIGINT in the middle of the runs."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"}
    code = (
        "import os, signal; from gluonnx_cli.main import main; from gluonnx_runtime import Session\n"
        # A job in the background starts with SIGINT ignored, and hands that on.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "run = Session.run\n"
        "def first_run(self, *args):\n"
        "    Session.run = run\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    return run(self, *args)\n"
        "Session.run = first_run\n"
        "main()"
    )
    arguments = ["run", "net.onnx", "--input", "data=x.npy", "--output", "o.npy", "--repeat", "1000000000"]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], env=environment, capture_output=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")
    assert not (folder / "o.npy").exists()
