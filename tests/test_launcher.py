"""`python -m gluonnx.mxnet` against `python` itself."""

import subprocess
import sys
import zipfile

import pytest

PROGRAM = """
import sys
print(sys.argv, sys.path[0], __name__, globals().get("__file__"), sys.modules["__main__"].__dict__ is globals())
"""


def python(*arguments, cwd, stdin=None):
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, input=stdin, capture_output=True, text=True, check=False
    )


def both(*arguments, cwd, stdin=None):
    """Run as python does and as we do; return ours, after comparing all that a caller sees."""
    plain = python(*arguments, cwd=cwd, stdin=stdin)
    ours = python("-m", "gluonnx.mxnet", *arguments, cwd=cwd, stdin=stdin)
    assert (ours.returncode, ours.stdout, ours.stderr) == (plain.returncode, plain.stdout, plain.stderr)
    return ours


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "program.py").write_text(PROGRAM)
    return tmp_path


def test_script(folder):
    done = both("sub/program.py", "a", "-b", cwd=folder)
    assert done.stdout.startswith("['sub/program.py', 'a', '-b']")
    assert str(folder / "sub") in done.stdout


def test_module_and_package(folder):
    (folder / "pack").mkdir()
    (folder / "pack" / "__init__.py").write_text("")
    (folder / "pack" / "__main__.py").write_text(PROGRAM + "print(__package__, __spec__.name)")
    both("-m", "sub.program", "a", cwd=folder)
    assert "pack pack.__main__" in both("-m", "pack", "x", cwd=folder).stdout


def test_code_and_stdin(folder):
    both("-c", PROGRAM, "a", "b", cwd=folder)
    both("-", "a", cwd=folder, stdin=PROGRAM)


def test_folder_and_zip(folder):
    (folder / "sub" / "__main__.py").write_text(PROGRAM + "import program")
    both("sub", "a", cwd=folder)
    with zipfile.ZipFile(folder / "app.zip", "w") as archive:
        archive.writestr("__main__.py", PROGRAM)
    both("app.zip", "a", cwd=folder)


def test_exit_codes(folder):
    for code, expected in (("raise SystemExit(7)", 7), ("raise SystemExit('why')", 1), ("raise SystemExit", 0)):
        assert both("-c", code, cwd=folder).returncode == expected


def test_tracebacks_are_the_programs_own(folder):
    (folder / "fails.py").write_text(
        "def f():\n    raise ValueError('wrong')\n\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n    f()\n"
    )
    done = both("fails.py", cwd=folder)
    assert done.returncode == 1
    assert f'File "{folder / "fails.py"}", line 2, in f' in done.stderr
    assert "launcher" not in done.stderr
    assert both("-c", "raise KeyboardInterrupt", cwd=folder).returncode != 0


def test_syntax_errors(folder):
    (folder / "broken.py").write_text("x = (\n")
    done = both("broken.py", cwd=folder)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_programs_that_are_not_there(folder):
    both("nothing.py", cwd=folder)
    assert python("-m", "gluonnx.mxnet", "-m", "no_such_module", cwd=folder).stderr.endswith(
        "No module named no_such_module\n"
    )
    (folder / "empty").mkdir()
    both("empty", cwd=folder)


def test_wrong_command_lines(folder):
    for arguments, message in (
        ((), "usage: python -m gluonnx.mxnet"),
        (("-c",), "Argument expected for the -c option"),
        (("-m",), "Argument expected for the -m option"),
        (("-q", "x.py"), "unknown option -q: Python's own options go before -m gluonnx.mxnet"),
    ):
        done = python("-m", "gluonnx.mxnet", *arguments, cwd=folder)
        assert done.returncode == 2
        assert message in done.stderr
    done = python("-m", "gluonnx.mxnet", "--help", cwd=folder)
    assert done.returncode == 0
    assert "usage:" in done.stdout


def test_program_written_for_mxnet(folder):
    (folder / "train.py").write_text(
        """
import mxnet as mx
from mxnet import autograd, gluon, nd
from mxnet.gluon import nn

mx.random.seed(1)
net = nn.Dense(1)
net.initialize(mx.init.Zero())
trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.5})
x, y = nd.array([[1], [2]]), nd.array([[2], [4]])
for _ in range(500):
    with autograd.record():
        loss = gluon.loss.L2Loss()(net(x), y)
    loss.backward()
    trainer.step(2)
print(round(float(net(nd.array([[3]])).asscalar()), 2))
"""
    )
    done = python("-m", "gluonnx.mxnet", "train.py", cwd=folder)
    assert done.stderr == ""
    assert done.stdout == "6.0\n"
