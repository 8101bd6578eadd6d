"""Each way of saving parameters against each call that reads them, as docs/files.md has it."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from gluon.nets import convnet, images, initialized

import gluonnx as mx
from gluonnx.errors import MXNetError
from gluonnx.gluon import SymbolBlock

TEXT = (Path(__file__).parents[2] / "docs" / "files.md").read_text(encoding="utf-8")
TABLE = [[cell.strip() for cell in line.strip("|").split("|")] for line in TEXT.splitlines() if line.startswith("|")]


class Saved:
    """A network, its answer, its graph, and one file of its parameters in two places."""

    def __init__(self, folder, write):
        self.net = initialized(convnet(prefix="net_"), seed=3)
        self.net.hybridize()
        self.answer = self.net(images()).asnumpy()
        self.symbol, self.exported, _ = self.net.export(folder / "exported")
        self.path = write(self, folder)
        self.prefix = folder / "checkpoint"
        shutil.copy(self.path, f"{self.prefix}-0000.params")
        shutil.copy(self.symbol, f"{self.prefix}-symbol.json")

    def graph(self):
        return SymbolBlock(mx.sym.load(self.symbol), mx.sym.var("data"))

    def own(self):
        """The arrays by their parameters' names."""
        return {name: param.data() for name, param in self.net.collect_params().items()}


def written(name, save):
    def write(saved, folder):
        save(saved, folder / name)
        return folder / name

    return write


def save_checkpoint(saved, path):
    symbol, arguments, states = mx.model.load_checkpoint(str(saved.exported).removesuffix("-0000.params"), 0)
    mx.model.save_checkpoint(str(path).removesuffix("-0000.params"), 0, symbol, arguments, states)


def save_module(saved, path):
    module = mx.mod.Module.load(str(saved.exported).removesuffix("-0000.params"), 0, label_names=None)
    module.bind([("data", images().shape)], for_training=False)
    module.save_checkpoint(str(path).removesuffix("-0000.params"), 0)


WAYS = {
    "`net.export`, `mx.model.save_checkpoint`, `Module.save_checkpoint`": [
        lambda saved, folder: saved.exported,
        written("again-0000.params", save_checkpoint),
        written("module-0000.params", save_module),
    ],
    "`net.save_parameters`": [written("p.params", lambda s, p: s.net.save_parameters(p))],
    "`net.save_parameters`, to a name ending in `.safetensors`": [
        written("p.safetensors", lambda s, p: s.net.save_parameters(p))
    ],
    "`net.save_params`, before MXNet 1.2": [
        written("old.params", lambda s, p: s.net.collect_params().save(p, strip_prefix="net_"))
    ],
    "`net.collect_params().save`, `mx.nd.save` by name": [
        written("dict.params", lambda s, p: s.net.collect_params().save(p)),
        written("arrays.params", lambda s, p: mx.nd.save(p, s.own())),
        written("arrays.safetensors", lambda s, p: mx.nd.save(p, s.own())),
    ],
    "`SymbolBlock.save_parameters`": [
        written(
            "block.params",
            lambda s, p: SymbolBlock.imports(s.symbol, ["data"], s.exported).save_parameters(p),
        )
    ],
    "`mx.nd.save` of a list": [written("list.params", lambda s, p: mx.nd.save(p, list(s.own().values())))],
}


def load_parameters(saved):
    net = convnet(prefix="net_")
    net.load_parameters(saved.path)
    return net(images())


def load_parameters_of_another_prefix(saved):
    net = initialized(convnet(prefix="other_"), seed=99)
    net.load_parameters(saved.path)
    return net(images())


def imports(saved):
    return SymbolBlock.imports(saved.symbol, ["data"], saved.path)(images())


def load_parameters_of_a_graph(saved):
    block = saved.graph()
    block.load_parameters(saved.path)
    return block(images())


def load_checkpoint(saved):
    symbol, arguments, states = mx.model.load_checkpoint(str(saved.prefix), 0)
    return symbol.bind(mx.cpu(), arguments | {"data": images()}, aux_states=states).forward()[0]


def load_module(saved):
    module = mx.mod.Module.load(str(saved.prefix), 0, label_names=None)
    module.bind([("data", images().shape)], for_training=False)
    return module.predict(mx.io.NDArrayIter(images(), batch_size=len(images())))


def load_dict(saved):
    net = convnet(prefix="net_")
    net.collect_params().load_dict(mx.nd.load(saved.path), mx.cpu())
    return net(images())


def load(saved):
    net = convnet(prefix="net_")
    net.collect_params().load(saved.path, mx.cpu())
    return net(images())


CALLS = {
    "`net.load_parameters`": [load_parameters, load_parameters_of_another_prefix],
    "`SymbolBlock.imports`": [imports],
    "`SymbolBlock.load_parameters`": [load_parameters_of_a_graph],
    "`mx.model.load_checkpoint`, `mx.mod.Module.load`": [load_checkpoint, load_module],
    "`net.collect_params().load`, `load_dict`": [load, load_dict],
}


def test_the_table_has_these_rows_and_columns():
    assert TABLE[0][1:] == list(CALLS)
    assert [row[0] for row in TABLE[2:]] == list(WAYS)


@pytest.fixture(scope="module", params=range(len(WAYS)))
def row(request, tmp_path_factory):
    """A row of the table, and a network saved in each of its ways."""
    ways = list(WAYS.values())[request.param]
    return TABLE[2 + request.param], [Saved(tmp_path_factory.mktemp("saved"), write) for write in ways]


@pytest.mark.parametrize("column", range(len(CALLS)), ids=["net", "imports", "graph", "checkpoint", "dict"])
def test_each_cell(row, column):
    cells, files = row
    expected = cells[1 + column]
    for saved in files:
        for call in list(CALLS.values())[column]:
            if expected == "yes":
                np.testing.assert_allclose(call(saved).asnumpy(), saved.answer, 1e-5, 1e-6)
                continue
            with pytest.raises(MXNetError) as caught:
                call(saved)
            assert expected.strip("`") in str(caught.value), call.__name__
