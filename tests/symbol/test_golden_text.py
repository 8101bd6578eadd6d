"""Graphs that MXNet 1.9.1 wrote, of any version, through our graphs and back: the same bytes."""

import pytest
from formats.golden import FILES

import gluonnx as mx
from gluonnx import nd
from gluonnx.gluon import SymbolBlock, nn

WRITTEN = sorted(path.name for path in FILES.glob("*-symbol.json"))
OLD = sorted(path.name for path in (FILES / "old").glob("*.json"))
# Hand-made texts for the format, whose nodes are no calls that the operators take.
NO_CALLS = {"control_deps-symbol.json", "empty-symbol.json"}


@pytest.mark.parametrize("name", [n for n in WRITTEN if n not in NO_CALLS])
def test_what_mxnet_wrote_is_written_again(name):
    assert mx.sym.load(str(FILES / name)).tojson() == (FILES / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [n for n in OLD if n.startswith("spelling")])
def test_each_eras_spelling_is_read_as_mxnet_reads_it(name):
    text = mx.sym.load(str(FILES / "old" / name)).tojson()
    assert text == (FILES / "upgraded" / name).read_text(encoding="utf-8")


def net_of(prefix):
    net = nn.HybridSequential(prefix=prefix)
    with net.name_scope():
        net.add(nn.Dense(2, in_units=3), nn.BatchNorm(in_channels=2))
    return net


@pytest.mark.parametrize("style", ["structural", "full", "stripped", "model-0003"])
def test_each_style_of_saving_loads_and_is_written_again(style, tmp_path):
    path = FILES / f"style_{style}.params"
    again = tmp_path / path.name
    net = net_of("net_")
    if style == "structural":
        net.load_parameters(path)
        net.save_parameters(again)
    elif style == "full":
        net.collect_params().load(path)
        net.collect_params().save(again)
    elif style == "stripped":
        net.load_parameters(path)
        net.collect_params().save(again, strip_prefix="net_")
    else:
        net.load_parameters(path)
        graph, arg, aux = mx.model.load_checkpoint(str(FILES / "style_model"), 3)
        mx.model.save_checkpoint(str(tmp_path / "style_model"), 3, graph, arg, aux)
        assert (tmp_path / "style_model-symbol.json").read_bytes() == (FILES / "style_model-symbol.json").read_bytes()
        block = SymbolBlock.imports(FILES / "style_model-symbol.json", "data", path)
        assert block(nd.ones((1, 3))).shape == (1, 2)
    assert again.read_bytes() == path.read_bytes()
    assert (net[0].weight.data().asnumpy() == 1).all()


def test_a_file_of_structural_names_needs_its_network():
    with pytest.raises(
        ValueError, match=r"written by `save_parameters`: .* and call net\.load_parameters\('.*structural\.params'\)\."
    ):
        SymbolBlock.imports(FILES / "style_model-symbol.json", "data", FILES / "style_structural.params")
