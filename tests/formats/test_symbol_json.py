import hashlib
import json
import tracemalloc
from dataclasses import replace
from itertools import accumulate

import pytest
from formats.golden import FILES, SHARED, load_json, needs_shared, relaxed
from hypothesis import given
from hypothesis import strategies as st

from gluonnx.errors import FileAccessError, FormatError, InputError
from gluonnx.formats.symbol_json import (
    EntryRecord,
    GraphRecord,
    NodeRecord,
    parse_symbol_json,
    read_symbol_json,
    write_symbol_json,
)
from gluonnx.formats.symbol_upgrade import upgrade_graph

SYMBOLS = sorted(path.name for path in FILES.glob("*-symbol.json"))
OLD = sorted(path.name for path in (FILES / "old").glob("*.json"))
VARIABLE = {"op": "null", "name": "x", "inputs": []}


def input_names(op, attrs):
    """MXNet's names of the inputs of the operators in the golden and real graphs."""
    weights = ["weight"] if attrs.get("no_bias") == "True" else ["weight", "bias"]
    return {
        "FullyConnected": ["data", *weights],
        "Convolution": ["data", *weights],
        "BatchNorm": ["data", "gamma", "beta", "moving_mean", "moving_var"],
        "LeakyReLU": ["data", "gamma"] if attrs.get("act_type") == "prelu" else ["data"],
        "SoftmaxOutput": ["data", "label"],
    }.get(op)


def graph_text(nodes, /, **fields):
    args = [i for i, node in enumerate(nodes) if node.get("op") == "null"]
    graph = {"nodes": nodes, "arg_nodes": args, "heads": [[len(nodes) - 1, 0, 0]], **fields}
    return json.dumps({name: value for name, value in graph.items() if value is not None})


def node(op="relu", name="r", inputs=((0, 0),), **fields):
    return {"op": op, "name": name, "inputs": [list(entry) for entry in inputs], **fields}


class TestGolden:
    @pytest.mark.parametrize("name", SYMBOLS)
    def test_written_again_with_mxnets_bytes(self, name):
        graph = read_symbol_json(FILES / name)
        assert write_symbol_json(graph).encode() == (FILES / name).read_bytes()
        assert graph.version == 10901

    def test_values(self):
        graph = read_symbol_json(FILES / "slices-symbol.json")
        assert graph == GraphRecord(
            nodes=(
                NodeRecord("null", "data", {"__lr_mult__": "2.0", "__shape__": "(1, 6)"}),
                NodeRecord("SliceChannel", "parts", {"num_outputs": "3"}, (EntryRecord(0),)),
            ),
            heads=(EntryRecord(1, 0), EntryRecord(1, 2), EntryRecord(0, 0)),
            arg_nodes=(0,),
            node_row_ptr=(0, 1, 4),
            attrs={"mxnet_version": ("int", 10901)},
        )

    def test_auxiliary_states_keep_their_version(self):
        graph = read_symbol_json(FILES / "convnet-symbol.json")
        norm = next(node for node in graph.nodes if node.op == "BatchNorm")
        assert [entry.version for entry in norm.inputs] == [0, 0, 0, 1, 1]

    def test_text_survives(self):
        text = read_symbol_json(FILES / "escapes-symbol.json").nodes[0].attrs["text"]
        assert text == 'quote " backslash \\ slash / line \n tab \t return \r bell \x07 \x7f é \u2028 \U0001f600'

    def test_subgraphs(self):
        graph = read_symbol_json(FILES / "foreach-symbol.json")
        (body,) = graph.nodes[-1].subgraphs
        ops = [node.op for node in body.nodes if not node.is_variable]
        assert ops == ["FullyConnected", "elemwise_add", "_mul_scalar"]
        assert body.attrs == {}

    def test_control_dependencies(self):
        assert read_symbol_json(FILES / "control_deps-symbol.json").nodes[2].control_deps == (1,)


class TestUpgrade:
    @pytest.mark.parametrize("name", OLD)
    def test_gives_what_mxnet_gives(self, name):
        upgraded = upgrade_graph(read_symbol_json(FILES / "old" / name), input_names)
        expected = read_symbol_json(FILES / "upgraded" / name)
        # Old graphs do not say how many outputs their nodes have.
        assert upgraded == replace(expected, node_row_ptr=None)

    @needs_shared
    @pytest.mark.shared
    @pytest.mark.parametrize(
        "path", sorted(SHARED.glob("*/*.json")) if SHARED.is_dir() else [], ids=lambda path: path.name
    )
    def test_real_graphs_give_mxnets_bytes(self, path):
        upgraded = upgrade_graph(read_symbol_json(path), input_names)
        about = load_json("shared.json")["symbols"][f"{path.parent.name}/{path.name}"]
        # How many outputs a node has, with the hidden ones, is the operator table's to know.
        row_ptr = (0, *accumulate(about["outputs"]))
        text = write_symbol_json(replace(upgraded, node_row_ptr=row_ptr))
        assert hashlib.sha256(text.encode()).hexdigest() == about["sha256"]

    def test_a_present_graph_is_kept(self):
        graph = read_symbol_json(FILES / "convnet-symbol.json")
        assert upgrade_graph(graph, input_names) is graph

    def test_output_ids_follow_added_variables(self):
        norm = node("BatchNorm", "bn", [(0, 0)])
        text = graph_text([VARIABLE, norm, node("relu", "r", [(1, 0)], control_deps=[1])], node_row_ptr=[0, 1, 4, 5])
        graph = upgrade_graph(parse_symbol_json(text, "t"), input_names)
        assert [node.name for node in graph.nodes] == [
            "x",
            "bn_gamma",
            "bn_beta",
            "bn_moving_mean",
            "bn_moving_var",
            "bn",
            "r",
        ]
        assert graph.node_row_ptr == (0, 1, 2, 3, 4, 5, 8, 9)
        assert graph.nodes[6].inputs == (EntryRecord(5),)
        assert graph.nodes[6].control_deps == (5,)
        assert graph.heads == (EntryRecord(6),)

    def test_the_parsed_graph_is_not_changed(self):
        graph = parse_symbol_json(graph_text([VARIABLE | {"attr": {"lr_mult": "2"}}]), "t")
        assert upgrade_graph(graph, input_names).nodes[0].attrs == {"__lr_mult__": "2"}
        assert graph.nodes[0].attrs == {"lr_mult": "2"}

    def test_operators_that_are_not_known_are_left_alone(self):
        text = graph_text([VARIABLE, node("Mystery", "m", attr={"weight_lr_mult": "2", "lr_mult": "3"})])
        graph = upgrade_graph(parse_symbol_json(text, "t"), input_names)
        assert graph.nodes[1].attrs == {"weight_lr_mult": "2", "__lr_mult__": "3"}

    def test_a_record_with_a_version_that_is_no_integer(self):
        with pytest.raises(InputError, match="expected mxnet_version of type int, got str='x'"):
            upgrade_graph(GraphRecord((), (), (), attrs={"mxnet_version": ("str", "x")}), input_names)


class TestSpellings:
    def test_attr_wins_over_param(self):
        text = graph_text([VARIABLE | {"param": {"a": "1", "b": "2"}, "attr": {"a": "3"}, "backward_source_id": -1}])
        assert parse_symbol_json(text, "t").nodes[0].attrs == {"a": "3", "b": "2"}

    @pytest.mark.parametrize("field", ["param", "attr", "attrs"])
    def test_each_field_of_attributes(self, field):
        assert parse_symbol_json(graph_text([VARIABLE | {field: {"a": "1"}}]), "t").nodes[0].attrs == {"a": "1"}

    def test_entries_without_version(self):
        graph = parse_symbol_json(graph_text([VARIABLE, node(inputs=[(0, 3)])], heads=[[1, 2]]), "t")
        assert graph.nodes[1].inputs == (EntryRecord(0, 3, 0),)
        assert graph.heads == (EntryRecord(1, 2, 0),)

    def test_version(self):
        assert parse_symbol_json(graph_text([VARIABLE]), "t").version == 800
        text = graph_text(
            [VARIABLE], attrs={"mxnet_version": ["int", 10300], "l": ["list_int", [1, 2]], "s": ["str", "x"]}
        )
        graph = parse_symbol_json(text, "t")
        assert graph.version == 10300
        assert graph.attrs["l"] == ("list_int", (1, 2))
        assert parse_symbol_json(write_symbol_json(graph), "again") == graph

    def test_byte_order_mark_and_escapes(self):
        text = graph_text([VARIABLE | {"name": "é\u4e2d"}])
        assert "\\u00e9" in text
        assert parse_symbol_json(b"\xef\xbb\xbf" + text.encode(), "t").nodes[0].name == "é中"
        assert parse_symbol_json("\ufeff" + text, "t").nodes[0].name == "é中"

    def test_attribute_names_are_escaped(self):
        graph = GraphRecord((NodeRecord("null", "x", {'a"b\\': "1"}),), (EntryRecord(0),), (0,))
        text = write_symbol_json(graph)
        assert '"attrs": {"a\\"b\\\\": "1"}' in text
        assert parse_symbol_json(text, "t") == graph


class TestErrors:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", r"net\.json: not JSON: expected value at line 1 column 1, got an empty file"),
            ("<!DOCTYPE html><html></html>", "got an HTML or XML page"),
            ("hello", "line 1 column 1, got a text file"),
            ('{\n "nodes": [,]}', "expected value at line 2 column 12, got damaged JSON"),
            ('{"nodes": []', "line 1 column 13, got damaged JSON"),
            (graph_text([VARIABLE]) + "x", "expected extra data at line 1"),
            (b"\x12\x01\0\0\0\0\0\0\0\0", "got an MXNet .params file"),
            (b"\x12\x01\0\0\0\0\0\0\0\xff", "expected UTF-8 text, got an MXNet .params file .byte 0x9 is 0xff"),
            (b"\x08\x07\x12\x07pytorch\xff", "got an ONNX model"),
            (b"\x80\x04\x95", "got a Python pickle"),
            ("[" * 200_000, "nested too deeply"),
            ('{"nodes":' * 100_000, "nested too deeply"),
            ('{"nodes": NaN}', "expected JSON, got NaN"),
            ('{"nodes": -Infinity}', "expected JSON, got -Infinity"),
            ('{"nodes": [' + "1" * 5000 + "]}", "expected small integers, got one of thousands of digits"),
            ('{"nodes": [], "nodes": []}', "expected every name of an object once, got `nodes` twice"),
            ("[]", r"net\.json: top level: expected an object, got \[\]"),
            ("{}", "top level: expected a field `nodes`, got none"),
            (graph_text([VARIABLE], heads=None), "expected a field `heads`"),
            (graph_text([VARIABLE], arg_nodes=None), "expected a field `arg_nodes`"),
            (graph_text([VARIABLE], extra=1), "top level: expected only the fields nodes, .*, got `extra`"),
            (graph_text([VARIABLE], nodes={}), "nodes: expected a list, got an object of 0 fields"),
            (graph_text([VARIABLE], nodes=[3]), r"nodes\[0\]: expected an object, got 3"),
            (graph_text([VARIABLE | {"zzz": 1}]), r"nodes\[0\]: expected only the fields op, .*, got `zzz`"),
            (graph_text([{"op": "null", "inputs": []}]), r"nodes\[0\]: expected a field `name`, got none"),
            (graph_text([VARIABLE | {"name": 3}]), r"nodes\[0\]\.name: expected a string, got 3"),
            (graph_text([VARIABLE | {"op": None}], arg_nodes=[]), r"nodes\[0\]\.op: expected a string, got null"),
            (graph_text([VARIABLE | {"attrs": []}]), r"nodes\[0\]\.attrs: expected an object, got \[\]"),
            (graph_text([VARIABLE | {"attr": {"a": 1}}]), r"nodes\[0\]\.attr\.a: expected a string, got 1"),
            (graph_text([VARIABLE | {"attr": {}, "attrs": {}}]), r"nodes\[0\]: .* one of `attr` and `attrs`, got both"),
            (graph_text([VARIABLE | {"name": "\ud800"}]), r"nodes\[0\]\.name: expected a string that UTF-8 can hold"),
            (graph_text([VARIABLE | {"backward_source_id": "x"}]), r"nodes\[0\]\.backward_source_id: .* got \"x\""),
            (graph_text([VARIABLE, node(inputs=[(1, 0)])]), r"nodes\[1\]\.inputs\[0\]: .* node of 0 to 0, got 1"),
            (graph_text([VARIABLE, node(inputs=[(-1, 0)])]), r"nodes\[1\]\.inputs\[0\]: .* got -1"),
            (graph_text([VARIABLE, node(inputs=[(0, -1)])]), r"nodes\[1\]\.inputs\[0\]: .* an output index of 0 to"),
            (graph_text([VARIABLE, node(inputs=[(0, 0, 1 << 40)])]), r"nodes\[1\]\.inputs\[0\]: .* a version of 0 to"),
            (graph_text([VARIABLE, node(inputs=[(0,)])]), r"nodes\[1\]\.inputs\[0\]: expected \[node id, .* got \[0\]"),
            (graph_text([VARIABLE, node(inputs=[(0, 0, 0, 0)])]), r"nodes\[1\]\.inputs\[0\]: .* got \[0, 0, 0, 0\]"),
            (graph_text([VARIABLE, node(inputs=[(True, 0)])]), r"nodes\[1\]\.inputs\[0\]: .* got true"),
            (graph_text([VARIABLE, node(inputs=[(0.0, 0)])]), r"nodes\[1\]\.inputs\[0\]: .* got 0\.0"),
            (graph_text([node(inputs=[(0, 0)])]), r"nodes\[0\]\.inputs\[0\]: .* of which there is none, got 0"),
            (graph_text([VARIABLE, node(control_deps=[1])]), r"nodes\[1\]\.control_deps\[0\]: .* got 1"),
            (graph_text([VARIABLE, node(subgraphs=[{}])]), r"nodes\[1\]\.subgraphs\[0\]: expected a field `nodes`"),
            (graph_text([VARIABLE], heads=[[1, 0, 0]]), r"heads\[0\]: .* of 0 to 0, got 1"),
            (graph_text([VARIABLE], arg_nodes=[1]), r"arg_nodes\[0\]: expected the id of a node of 0 to 0, got 1"),
            (graph_text([VARIABLE, node()], arg_nodes=[1]), r"arg_nodes\[0\]: .* got 1, a node of operator `relu`"),
            (graph_text([VARIABLE], node_row_ptr=["a"]), r"node_row_ptr\[0\]: .* got \"a\""),
            (graph_text([VARIABLE], attrs={"mxnet_version": 5}), r"attrs\.mxnet_version: .* \[type, value\], got 5"),
            (graph_text([VARIABLE], attrs={"mxnet_version": ["str", "x"]}), r'mxnet_version: .* \["int", version\]'),
            (graph_text([VARIABLE], attrs={"a": ["x", {}]}), r"attrs\.a: .* integers or strings, got an object"),
        ],
    )  # fmt: skip
    def test_message_names_the_place(self, text, message):
        with pytest.raises(FormatError, match=message) as caught:
            parse_symbol_json(text, "net.json")
        assert str(caught.value).startswith("net.json: ")
        assert len(str(caught.value)) < 400

    def test_subgraphs_in_subgraphs(self):
        graph = {"nodes": [VARIABLE], "arg_nodes": [0], "heads": [[0, 0, 0]]}
        for _ in range(40):
            graph = {"nodes": [VARIABLE, node(subgraphs=[graph])], "arg_nodes": [0], "heads": [[1, 0, 0]]}
        with pytest.raises(FormatError, match=r"subgraphs\[0\]: expected subgraphs at most 32 deep, got more"):
            parse_symbol_json(json.dumps(graph), "deep")

    @pytest.mark.parametrize("depth", [10, 500, *range(900, 1000, 7), 5000])
    def test_lists_in_lists(self, depth):
        deep = "[" * depth + "]" * depth
        with pytest.raises(FormatError, match=r"deep: .*(expected an object, got|nested too deeply)"):
            parse_symbol_json('{"nodes": [' + deep + '], "arg_nodes": [], "heads": []}', "deep")

    def test_missing_file(self, tmp_path):
        with pytest.raises(FileAccessError, match=r"none-symbol\.json: cannot be read"):
            read_symbol_json(tmp_path / "none-symbol.json")

    @pytest.mark.parametrize(
        ("graph", "message"),
        [
            (GraphRecord((NodeRecord("r", "r", {}, (EntryRecord(0),)),), (), ()), r"nodes\[0\]\.inputs: .* got node=0"),
            (GraphRecord((NodeRecord("r", "r", control_deps=(0,)),), (), ()), r"nodes\[0\]\.control_deps: "),
            (GraphRecord((), (EntryRecord(0),), ()), "heads: expected a node id of 0 to -1, got node=0"),
            (GraphRecord((), (), (0,)), "arg_nodes: expected"),
            (GraphRecord((NodeRecord("null", "\ud800"),), (), ()), r"nodes\[0\]: expected UTF-8"),
            (GraphRecord((NodeRecord("null", "x"),), (EntryRecord(0, -1),), ()), r"heads: .* got output=-1, version=0"),
            (
                GraphRecord((NodeRecord("null", "x"),), (EntryRecord(0, 0, 1 << 32),), ()),
                ".* version=4294967296",
            ),
            (GraphRecord((), (), (), (-1,)), "node_row_ptr: expected ids of 0 to 4294967295, got -1"),
            (
                GraphRecord((NodeRecord("f", "f", subgraphs=(GraphRecord((), (), (2,)),)),), (), ()),
                r"nodes\[0\]\.subgraphs\[0\]\.arg_nodes: ",
            ),
        ],
    )
    def test_a_record_that_is_no_graph_is_not_written(self, graph, message):
        with pytest.raises(InputError, match=message):
            write_symbol_json(graph)


texts = st.text(st.characters(codec="utf-8"), max_size=12)


@st.composite
def graphs(draw, depth=0):
    nodes = []
    for i in range(draw(st.integers(0, 14 if depth == 0 else 2))):
        ids = st.integers(0, i - 1) if i else st.nothing()
        entries = st.builds(EntryRecord, ids, st.integers(0, 3), st.integers(0, 2))
        subgraphs = draw(st.lists(graphs(depth + 1), max_size=1)) if depth < 2 and draw(st.booleans()) else []
        nodes.append(
            NodeRecord(
                draw(st.sampled_from(["null", "relu", "Concat"]) | texts),
                draw(texts),
                draw(st.dictionaries(texts, texts, max_size=3)),
                tuple(draw(st.lists(entries, max_size=12))) if i else (),
                tuple(draw(st.lists(ids, max_size=2))) if i else (),
                tuple(subgraphs),
            )
        )
    heads = (
        st.builds(EntryRecord, st.integers(0, len(nodes) - 1), st.integers(0, 3), st.integers(0, 2))
        if nodes
        else st.nothing()
    )
    args = tuple(i for i, item in enumerate(nodes) if item.is_variable)
    row_ptr = draw(st.none() | st.just(tuple(range(len(nodes) + 1))))
    attrs = {"mxnet_version": ("int", 10901)} if depth == 0 else {}
    return GraphRecord(tuple(nodes), tuple(draw(st.lists(heads, max_size=12))) if nodes else (), args, row_ptr, attrs)


class TestRoundTrip:
    @relaxed
    @given(graphs())
    def test_record_to_text_and_back(self, graph):
        text = write_symbol_json(graph)
        assert parse_symbol_json(text, "again") == graph
        assert parse_symbol_json(text.encode(), "again") == graph

    @relaxed
    @given(graphs().filter(lambda graph: graph.nodes))
    def test_upgrading_twice_is_upgrading_once(self, graph):
        old = replace(graph, attrs={})
        once = upgrade_graph(old, input_names)
        assert upgrade_graph(once, input_names) is once
        write_symbol_json(once)

    @relaxed
    @given(st.binary(max_size=100) | texts)
    def test_anything_else_is_refused(self, text):
        with pytest.raises(FormatError, match=r"^fuzz: "):
            parse_symbol_json(text, "fuzz")

    @relaxed
    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["op", "name"]) | texts, inner),
        ),
        st.sampled_from(
            ["nodes", "arg_nodes", "heads", "node_row_ptr", "attrs", "op", "name", "inputs", "attr", "subgraphs"]
        ),
    )
    def test_any_json_in_any_field_is_read_or_refused(self, value, field):
        graph = json.loads(graph_text([VARIABLE, node()]))
        target = graph if field in {"nodes", "arg_nodes", "heads", "node_row_ptr", "attrs"} else graph["nodes"][1]
        target[field] = value
        try:
            result = parse_symbol_json(json.dumps(graph), "fuzz")
        except FormatError:
            return
        write_symbol_json(result)


class TestDamage:
    @pytest.mark.parametrize("name", ["attributes-symbol.json", "cond-symbol.json", "escapes-symbol.json"])
    def test_every_truncation_and_flip_is_refused_or_valid(self, name):
        data = (FILES / name).read_bytes()
        refused = accepted = 0
        tracemalloc.start()
        try:
            bad_texts = [data[:size] for size in range(len(data))]
            for i, byte in enumerate(data):
                bad_texts += [data[:i] + bytes([byte ^ mask]) + data[i + 1 :] for mask in (0xFF, 0x01)]
            before = tracemalloc.get_traced_memory()[0]
            tracemalloc.reset_peak()
            for bad in bad_texts:
                try:
                    graph = parse_symbol_json(bad, "bad")
                except FormatError:
                    refused += 1
                else:
                    accepted += 1
                    write_symbol_json(graph)
            peak = tracemalloc.get_traced_memory()[1] - before
        finally:
            tracemalloc.stop()
        assert refused + accepted == 3 * len(data)
        assert refused > len(data)
        assert peak < 1 << 20, f"{peak} bytes for a text of {len(data)}"
