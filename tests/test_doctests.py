"""Every example in a docstring runs and prints what it says."""

import doctest
import importlib
import pkgutil

import gluonnx_cli
import gluonnx_runtime
import pytest

import gluonnx

PACKAGES = (gluonnx, gluonnx_cli, gluonnx_runtime)
MODULES = sorted(
    name
    for package in PACKAGES
    for name in [package.__name__, *(m.name for m in pkgutil.walk_packages(package.__path__, package.__name__ + "."))]
    if not name.endswith("__main__")
)


def examples(name):
    return [t for t in doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(name)) if t.examples]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for test in examples(name):
        gluonnx.random.seed(0)
        with gluonnx.name.NameManager():
            said = []
            runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
            runner.run(test, out=said.append)
        assert runner.failures == 0, "".join(said)


def test_there_are_examples():
    assert sum(len(examples(name)) for name in MODULES) >= 20
