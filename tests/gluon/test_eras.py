"""Files that Gluon of MXNet 0.11 to 1.8 wrote, and graphs of 0.9.5 to 1.8 as blocks."""

import sys
from pathlib import Path

import numpy as np
import pytest
from formats.eras import VERSIONS, load_era

import gluonnx as mx
from gluonnx.errors import ParameterFileError
from gluonnx.gluon import SymbolBlock

sys.path.append(str(Path(__file__).parents[1] / "golden"))
from era_nets import BLOCKS

GLUON = [version for version in VERSIONS if version not in {"0.9.5", "0.10.0"}]
GRAPHS = ["attributes", "states", "outputs", "internals", "fused"]


class Unpacked:
    """What is known of the files of a version, and the folder that holds them."""

    def __init__(self, version, folder):
        self.era = load_era(version)
        self.folder = folder
        self.era.unpack(folder)

    def inputs(self, name):
        return [mx.nd.array(value) for _, value in sorted(self.era.inputs(name).items())]

    def agrees(self, name, outputs):
        outputs = outputs if isinstance(outputs, list | tuple) else [outputs]
        expected = self.era.outputs(name)
        assert len(outputs) == len(expected)
        for output, value in zip(outputs, expected, strict=True):
            assert output.shape == value.shape
            np.testing.assert_allclose(output.asnumpy(), value, 1e-5, 1e-5)


@pytest.fixture(scope="module", params=VERSIONS)
def every(request, tmp_path_factory):
    return Unpacked(request.param, tmp_path_factory.mktemp("era"))


@pytest.fixture(scope="module", params=GLUON)
def gluon(request, tmp_path_factory):
    return Unpacked(request.param, tmp_path_factory.mktemp("era"))


@pytest.mark.parametrize("name", GRAPHS)
def test_graphs_are_imported_and_hybridized(every, name):
    entry = every.era.about["graphs"][name]
    block = SymbolBlock.imports(
        every.folder / f"{name}-symbol.json", entry["inputs"], every.folder / entry["params"], ctx=mx.cpu()
    )
    every.agrees(name, block(*every.inputs(name)))
    block.hybridize()
    every.agrees(name, block(*every.inputs(name)))


@pytest.mark.parametrize(("name", "epoch"), [("module", 2), ("feedforward", 1)])
def test_a_loss_reads_its_label(every, name, epoch):
    files = every.folder / f"{name}-symbol.json", every.folder / f"{name}-000{epoch}.params"
    with pytest.raises(ParameterFileError, match=r"reads softmax_label: .*input_names=\['data', 'softmax_label'\]"):
        SymbolBlock.imports(files[0], ["data"], files[1])
    block = SymbolBlock.imports(files[0], ["data", "softmax_label"], files[1])
    every.agrees(name, block(*every.inputs(name), mx.nd.zeros((8,))))
    cut = mx.sym.load(files[0]).get_internals()["fc2_output"]
    block = SymbolBlock(mx.sym.softmax(cut), mx.sym.var("data"))
    block.load_parameters(files[1])
    every.agrees(name, block(*every.inputs(name)))


@pytest.mark.parametrize("is_fresh", [True, False], ids=["fresh", "initialized"])
@pytest.mark.parametrize("name", sorted(BLOCKS))
def test_every_file_of_a_network_loads_into_it(gluon, name, is_fresh):
    entry = gluon.era.about["blocks"][name]
    ways = {"save_params", "ParameterDict.save"}
    ways |= {"export"} if entry["graph"] else set()
    ways |= {"save_parameters"} if gluon.era.version not in {"0.11.0", "0.12.1", "1.0.0", "1.1.0"} else set()
    assert set(entry["files"]) == ways
    for file in entry["files"].values():
        net = BLOCKS[name](mx)
        if not is_fresh:
            net.initialize()
            net(*gluon.inputs(name))
        net.load_parameters(gluon.folder / file)
        gluon.agrees(name, net(*gluon.inputs(name)))


@pytest.mark.parametrize("name", sorted(BLOCKS))
def test_parameter_dictionaries(gluon, name):
    net = BLOCKS[name](mx)
    net.collect_params().load(gluon.folder / f"{name}-dict.params", mx.cpu())
    gluon.agrees(name, net(*gluon.inputs(name)))
    old = gluon.folder / f"{name}-save_params.params"
    if name != "recurrent":
        with pytest.raises(ParameterFileError, match=rf"lack the prefix '{net.prefix}': call net\.load_parameters"):
            net.collect_params().load(old)
        net.collect_params().load(old, restore_prefix=net.prefix)
        gluon.agrees(name, net(*gluon.inputs(name)))


@pytest.mark.parametrize("name", sorted(BLOCKS))
def test_files_of_export_and_what_else_fits_the_graph(gluon, name):
    entry = gluon.era.about["blocks"][name]
    if entry["graph"] is None:
        assert gluon.era.version == "0.11.0" or name == "recurrent"
        return
    graph = gluon.folder / f"{entry['graph']}-symbol.json"
    inputs = [n for n in mx.sym.load(graph).list_inputs() if n.startswith("data")]
    states = [mx.nd.zeros((4, 2, 3)) for _ in inputs[1:]]  # those of the layer, which MXNet makes inputs
    for way, file in entry["files"].items():
        if way == "save_parameters":
            with pytest.raises(
                ParameterFileError, match=r"paths in a network .*call net\.load_parameters\('.*params'\)"
            ):
                SymbolBlock.imports(graph, inputs, gluon.folder / file)
            continue
        block = SymbolBlock.imports(graph, inputs, gluon.folder / file)
        outputs = block(*gluon.inputs(name), *states)
        gluon.agrees(name, outputs[0] if isinstance(outputs, list) else outputs)


def test_files_of_a_symbol_block(gluon):
    graph = gluon.folder / "block-symbol.json"
    for file in gluon.era.about["graphs"]["block"]["files"]:
        if (gluon.era.version, file) == ("1.2.1", "block-save_parameters.params"):
            with pytest.raises(ParameterFileError, match=r"'pre_bn_moving_var' is missing .*parameters: none"):
                SymbolBlock.imports(graph, ["data"], gluon.folder / file)
            continue  # that version wrote a file without arrays
        gluon.agrees("block", SymbolBlock.imports(graph, ["data"], gluon.folder / file)(*gluon.inputs("block")))
        block = SymbolBlock(mx.sym.load(graph), mx.sym.var("data"))
        block.load_parameters(gluon.folder / file)
        gluon.agrees("block", block(*gluon.inputs("block")))


@pytest.mark.parametrize("name", sorted(BLOCKS))
def test_what_is_written_again_is_what_later_versions_wrote(gluon, name, tmp_path):
    net = BLOCKS[name](mx)
    net.load_parameters(gluon.folder / f"{name}-save_params.params")
    net.save_parameters(tmp_path / "new.params")
    net.collect_params().save(tmp_path / "dict.params")
    theirs = {"dict.params": f"{name}-dict.params", "new.params": f"{name}-save_parameters.params"}
    for own, file in theirs.items():
        if (gluon.folder / file).exists():
            assert arrays(tmp_path / own) == arrays(gluon.folder / file)


def arrays(path):
    return {n: (a.shape, a.asnumpy().tobytes()) for n, a in mx.nd.load(path).items()}
