"""`install_as_mxnet`, each in a process of its own: it changes how a process imports."""

import subprocess
import sys

import pytest


def run(code: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *options, "-c", code], capture_output=True, text=True, check=False)


def check(code: str) -> None:
    done = run(f"import gluonnx\ngluonnx.install_as_mxnet()\n{code}")
    assert done.returncode == 0, done.stderr


def test_modules_are_the_same_objects():
    check(
        """
import sys
import mxnet as mx
import mxnet.ndarray as nd
import mxnet.gluon.nn
from mxnet import autograd, gluon, nd as nd2
from mxnet.base import MXNetError
from mxnet.gluon import nn
from mxnet.gluon.nn.basic_layers import Dense
import gluonnx.gluon.nn, gluonnx.gluon.nn.basic_layers, gluonnx.errors
assert mx is gluonnx and mx.nd is nd is nd2 is gluonnx.ndarray
assert gluon is gluonnx.gluon and autograd is gluonnx.autograd
assert nn is mxnet.gluon.nn is gluonnx.gluon.nn and Dense is gluonnx.gluon.nn.Dense
assert MXNetError is gluonnx.errors.MXNetError is mx.MXNetError
assert mx.__spec__.name == "gluonnx" and nn.__spec__.name == "gluonnx.gluon.nn"
twice = [name for name in sys.modules if name.startswith("mxnet") and sys.modules[name].__name__.startswith("mxnet")]
assert not twice, twice
"""
    )


def test_aliases_and_made_up_modules_are_importable():
    check(
        """
import mxnet.nd, mxnet.sym.linalg, mxnet.symbol.contrib
import mxnet.init as init
import gluonnx
assert init is gluonnx.initializer
assert mxnet.sym.linalg is gluonnx.symbol.linalg
"""
    )


def test_installing_again_changes_nothing():
    check(
        """
import sys
import mxnet
before = list(sys.meta_path), dict(sys.modules)
gluonnx.install_as_mxnet()
assert (list(sys.meta_path), dict(sys.modules)) == before
"""
    )


def test_unknown_module_is_named():
    check(
        """
from gluonnx.errors import MXNetError, NamespaceError
try:
    import mxnet.notebook
except ModuleNotFoundError as err:
    assert isinstance(err, NamespaceError) and isinstance(err, MXNetError)
    assert err.name == "mxnet.notebook"
    assert "gluonnx has no such part of MXNet: expected a module of gluonnx, got mxnet.notebook" in str(err)
else:
    raise SystemExit("imported")
try:
    from mxnet import no_such_thing
except ImportError as err:
    assert "no_such_thing" in str(err)
else:
    raise SystemExit("imported")
"""
    )


def test_refuses_when_real_mxnet_is_imported(tmp_path):
    package = tmp_path / "mxnet"
    package.mkdir()
    (package / "__init__.py").write_text("")
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
import mxnet
import gluonnx
try:
    gluonnx.install_as_mxnet()
except gluonnx.MXNetError as err:
    print(type(err).__name__, err)
import importlib
assert importlib.import_module("mxnet") is mxnet is not gluonnx
"""
    done = run(code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("NamespaceError install_as_mxnet: the name `mxnet` is taken")
    assert f"got mxnet={str(package / '__init__.py')!r}" in done.stdout


def test_real_mxnet_that_is_not_imported_is_hidden(tmp_path):
    package = tmp_path / "mxnet"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('the real one')")
    check(f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nimport mxnet\nassert mxnet is gluonnx")


@pytest.mark.parametrize(
    "path",
    [
        "nd",
        "ndarray",
        "sym",
        "symbol",
        "gluon",
        "init",
        "initializer",
        "optimizer",
        "opt",
        "metric",
        "lr_scheduler",
        "random",
        "rnd",
        "autograd",
        "kv",
        "kvstore",
        "context",
        "name",
        "attribute",
        "AttrScope",
        "base",
        "test_utils",
        "viz",
        "visualization",
        "util",
        "engine",
        "profiler",
        "runtime",
        "runtime.Features",
        "runtime.feature_list",
        "libinfo",
        "log",
        "registry",
        "model",
        "callback",
        "model.save_checkpoint",
        "model.load_checkpoint",
        "base.MXNetError",
        "base.py_str",
        "base.string_types",
        "base.numeric_types",
        "base.integer_types",
        "gluon.nn",
        "gluon.loss",
        "gluon.utils",
        "gluon.Trainer",
        "gluon.Parameter",
        "nd.NDArray",
        "sym.Symbol",
        "nd.contrib",
        "nd.linalg",
        "nd.random",
        "sym.random",
        "Context",
        "cpu",
        "gpu",
        "num_gpus",
        "current_context",
        "name.NameManager",
        "name.Prefix",
        "attribute.AttrScope",
        "test_utils.assert_almost_equal",
        "test_utils.check_numeric_gradient",
        "viz.print_summary",
        "viz.plot_network",
        "util.is_np_shape",
        "engine.bulk",
        "profiler.set_state",
        "random.seed",
        "np_shape",
        "is_np_array",
        "onnx",
    ],
)
def test_paths_of_mxnet_exist(path):
    import gluonnx

    found = gluonnx
    for part in path.split("."):
        found = getattr(found, part)
    assert found is not None
