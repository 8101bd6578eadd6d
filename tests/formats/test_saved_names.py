"""Names in files of parameters: their styles, and how they fit a network's."""

import pytest
from formats.golden import relaxed
from hypothesis import given
from hypothesis import strategies as st

from gluonnx.formats.saved_names import fit_names, hint, missing_prefix, style_of, without_scope

NET = ["net_dense0_weight", "net_dense0_bias", "net_dense1_weight"]
names = st.sets(st.text("ab_", min_size=1, max_size=6), min_size=1, max_size=6)


def values(*given_names):
    return {name: i for i, name in enumerate(given_names)}


@pytest.mark.parametrize(
    ("given_names", "style"),
    [
        (["arg:w", "aux:m"], "scoped"),
        (["arg:0.w"], "scoped"),
        (["0.weight", "0.bias"], "paths"),
        (["weight"], "plain"),
        ([], "plain"),
    ],
)
def test_styles(given_names, style):
    assert style_of(given_names) == style


def test_scopes_are_left_out():
    assert [without_scope(name) for name in ("arg:w", "aux:m", "w", "argument")] == ["w", "m", "w", "argument"]


class TestFitting:
    def test_the_names_themselves_with_or_without_scope(self):
        assert fit_names(NET, values("arg:net_dense0_weight", "aux:x")) == {"net_dense0_weight": 0, "x": 1}
        assert fit_names(NET, values(*NET)) == values(*NET)

    def test_a_prefix_that_all_lack(self):
        assert fit_names(NET, values("dense0_weight", "dense0_bias", "dense1_weight")) == values(*NET)
        assert fit_names(NET, values("0_weight", "0_bias", "1_weight")) == values(*NET)

    def test_a_prefix_that_some_lack_is_put_before_them_only_if_it_is_the_network_s(self):
        assert fit_names(NET, values("dense0_weight")) is None
        assert fit_names(NET, values("dense0_weight"), "net_") == {"net_dense0_weight": 0}

    def test_another_prefix(self):
        theirs = [name.replace("net_", "other7_") for name in NET]
        assert fit_names(NET, values(*theirs)) == values(*NET)

    @pytest.mark.parametrize("given_names", [[], ["x"], ["other_dense0_weight"], ["a_b", "a_c", "a_d"], ["0.weight"]])
    def test_nothing_is_guessed(self, given_names):
        assert fit_names(NET, values(*given_names)) is None

    def test_equal_counts_are_no_proof(self):
        assert fit_names(["net_a_weight", "net_b_weight"], values("x_c_weight", "x_d_weight")) is None

    @relaxed
    @given(names, st.text("ab_", min_size=1, max_size=4))
    def test_a_missing_prefix_is_found_whatever_it_is(self, found, prefix):
        whole = {prefix + name for name in found}
        assert missing_prefix(found, whole) == prefix

    @relaxed
    @given(names, names)
    def test_what_is_found_is_right(self, found, whole):
        prefix = missing_prefix(found, whole)
        if prefix is not None:
            assert {prefix + name for name in found} == whole
        fitted = fit_names(whole, {name: name for name in found})
        if fitted is not None:
            assert sorted(fitted.values()) == sorted(found)
            assert set(fitted) == whole or set(found) & whole


class TestHints:
    def test_paths_for_a_graph(self):
        assert "call net.load_parameters('p.params')" in hint(["0.weight"], NET, "p.params")

    def test_a_file_of_a_graph(self):
        told = hint(["arg:w"], ["0.weight"], "p.params")
        assert "read it with its graph, SymbolBlock.imports('...-symbol.json', ['data'], 'p.params')" in told

    def test_a_missing_prefix(self):
        told = hint(["dense0_weight", "dense0_bias", "dense1_weight"], NET, "p.params")
        assert "lack the prefix 'net_': call net.load_parameters('p.params')" in told
        assert "pass restore_prefix='net_'" in told

    @pytest.mark.parametrize(("found", "params"), [(["0.weight"], ["1.weight"]), (["a"], ["b"]), ([], NET)])
    def test_none(self, found, params):
        assert hint(found, params, "p.params") == ""
