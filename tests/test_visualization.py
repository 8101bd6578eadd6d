"""`mx.viz` against the tables and pictures of MXNet 1.9.1."""

import sys

import pytest

import gluonnx as mx
from gluonnx.errors import InputError, NotSupportedError

TABLE = """\
____________________________________________________________________________________________________
Layer (type)                            Output Shape        Param #             Previous Layer
====================================================================================================
data(null)                              4x8x8               0
____________________________________________________________________________________________________
conv(Convolution)                       8x6x6               144                 data
____________________________________________________________________________________________________
bn(BatchNorm)                           8x6x6               16                  conv
____________________________________________________________________________________________________
cat(Concat)                             16x6x6              0                   bn
                                                                                bn
____________________________________________________________________________________________________
add(elemwise_add)                       16x6x6              0                   cat
____________________________________________________________________________________________________
fc(FullyConnected)                      10                  5770                add
====================================================================================================
Total params: 5930
____________________________________________________________________________________________________
"""
"""What MXNet 1.9.1 prints for `net()`, without the blanks at the ends of lines."""


def net():
    x = mx.sym.Convolution(mx.sym.Variable("data"), name="conv", num_filter=8, kernel=(3, 3), num_group=2, no_bias=True)
    x = mx.sym.BatchNorm(x, name="bn")
    x = mx.sym.concat(x, x, name="cat")
    x = mx.sym.elemwise_add(x, mx.sym.Variable("w"), name="add")
    return mx.sym.FullyConnected(x, num_hidden=10, name="fc")


def test_summary_is_mxnets_table(capsys):
    mx.viz.print_summary(net(), {"data": (1, 4, 8, 8)}, line_length=100, positions=[0.4, 0.6, 0.8, 1.0])
    printed = capsys.readouterr().out
    assert "\n".join(line.rstrip() for line in printed.splitlines()) + "\n" == TABLE
    assert all(len(line) == 100 for line in printed.splitlines() if "Total" not in line)


def test_summary_without_shapes_counts_what_attributes_tell(capsys):
    x = mx.sym.Embedding(mx.sym.Variable("data"), input_dim=100, output_dim=28, name="emb")
    mx.viz.print_summary(mx.sym.FullyConnected(x, num_hidden=10, name="fc"))
    printed = capsys.readouterr().out
    assert "emb(Embedding)                                                              2800        data" in printed
    assert "Total params: 2810" in printed


def test_wrong_arguments():
    with pytest.raises(TypeError, match="symbol must be Symbol: expected a Symbol, got int"):
        mx.viz.print_summary(3)


def test_incomplete_shapes():
    x = mx.sym.Variable("x") + mx.sym.Variable("y")
    with (
        pytest.warns(UserWarning, match="Cannot decide shape"),
        pytest.raises(InputError, match=r"print_summary: Input shape is incomplete: .* got shape=\{\}"),
    ):
        mx.viz.print_summary(x, {})


def test_plot_without_graphviz_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "graphviz", None)
    with pytest.raises(NotSupportedError, match=r"no graphviz: .*pip install 'gluonnx\[viz\]'"):
        mx.viz.plot_network(net())


class Digraph:
    """Stands in for graphviz.Digraph: keeps what it is told."""

    def __init__(self, name, format):
        self.head, self.nodes, self.edges = (name, format), {}, []

    def node(self, name, label, **attributes):
        self.nodes[name] = (label, attributes)

    def edge(self, tail_name, head_name, **attributes):
        self.edges.append((tail_name, head_name, attributes["label"]))


@pytest.fixture
def graphviz(monkeypatch):
    module = type(sys)("graphviz")
    module.Digraph = Digraph
    monkeypatch.setitem(sys.modules, "graphviz", module)


@pytest.mark.usefixtures("graphviz")
def test_plot():
    picture = mx.viz.plot_network(net(), title="T", save_format="png", shape={"data": (1, 4, 8, 8)})
    assert picture.head == ("T", "png")
    assert list(picture.nodes) == ["data", "conv", "bn", "cat", "w", "add", "fc"]
    assert picture.nodes["conv"][0] == "Convolution\n3x3/1, 8"
    assert picture.nodes["fc"] == (
        "FullyConnected\n10",
        {
            "shape": "box",
            "fixedsize": "true",
            "width": "1.3",
            "height": "0.8034",
            "style": "filled",
            "fillcolor": "#fb8072",
        },
    )
    assert picture.nodes["data"][1]["shape"] == "oval"
    assert picture.edges[:2] == [("conv", "data", "4x8x8"), ("bn", "conv", "8x6x6")]
    everything = mx.viz.plot_network(net(), hide_weights=False, node_attrs={"fixedsize": "false"})
    assert "conv_weight" not in everything.nodes  # as MXNet: an edge to it, and Graphviz makes the node
    assert ("conv", "conv_weight", "") in everything.edges
    assert everything.nodes["cat"][1]["fixedsize"] == "false"
    with pytest.raises(TypeError, match="symbol must be a Symbol"):
        mx.viz.plot_network(3)


@pytest.mark.usefixtures("graphviz")
def test_plot_warns_of_repeated_names():
    x = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=3, name="fc")
    x = mx.sym.FullyConnected(x, num_hidden=3, name="fc")
    with pytest.warns(UserWarning, match="There are multiple variables with the same name in your graph.*fc") as caught:
        mx.viz.plot_network(x)
    assert len(caught) == 1
