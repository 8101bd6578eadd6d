"""Which call wrote a file of parameters, told by the names in it, and how they fit the parameters of a network.

    export, save_checkpoint     `arg:net_dense0_weight`, `aux:net_batchnorm0_running_mean`
    save_parameters             `0.weight`: the path of attributes and children
    collect_params().save       `net_dense0_weight`: the parameters' names
    save_params (before 1.2)    `dense0_weight`: their names without the network's prefix

Source: MXNet 0.11 to 1.9.1, the files that they write (tests/golden/make_eras.py).
"""

from collections.abc import Collection, Mapping
from typing import Literal, TypeAlias, TypeVar

__all__ = ["READ_BY", "WRITTEN_BY", "Style", "fit_names", "hint", "missing_prefix", "style_of", "without_scope"]

Style: TypeAlias = Literal["scoped", "paths", "plain"]

SCOPES = ("arg:", "aux:")

WRITTEN_BY: dict[Style, str] = {
    "scoped": "export, save_checkpoint",
    "paths": "save_parameters",
    "plain": "collect_params().save, save_params, nd.save",
}
"""The calls that write names of a style."""
READ_BY: dict[Style, str] = {
    "scoped": "SymbolBlock.imports, mx.model.load_checkpoint, mx.mod.Module.load, net.load_parameters",
    "paths": "net.load_parameters",
    "plain": "net.load_parameters, SymbolBlock.imports",
}
"""The calls that read them; `mx.nd.load` reads all."""

T = TypeVar("T")


def style_of(names: Collection[str]) -> Style:
    """Tell the style of the names of a file."""
    if any(name.startswith(SCOPES) for name in names):
        return "scoped"
    return "paths" if any("." in name for name in names) else "plain"


def without_scope(name: str) -> str:
    """Leave out `arg:` or `aux:`."""
    return name[len(SCOPES[0]) :] if name.startswith(SCOPES) else name


def fit_names(params: Collection[str], arrays: Mapping[str, T], prefix: str = "") -> dict[str, T] | None:
    """Rename the arrays of a file to the parameters' names.

    The arrays have those names already, perhaps with a scope, or lack the prefix of the network, or have another one in
    its place. A prefix is put before them or exchanged only if the whole file then has the whole network's names: there
    is one such prefix at most.

    Args:
        params: Names of the parameters.
        arrays: As in the file.
        prefix: The prefix of the network, which a file may lack that has only some of the parameters.

    Returns:
        The arrays under other names, or None if none of this makes them fit.
    """
    bare = {without_scope(name): array for name, array in arrays.items()}
    known = set(params)
    if known & set(bare):
        return bare
    if prefix and any(prefix + name in known for name in bare):
        return {prefix + name: array for name, array in bare.items()}
    if not bare or not known:
        return None
    lacking = missing_prefix(bare, known)
    if lacking is not None:
        return {lacking + name: array for name, array in bare.items()}
    ours, theirs = _first_part(known), _first_part(bare)
    changed = {ours + name[len(theirs) :]: array for name, array in bare.items()}
    return changed if set(changed) == known else None


def missing_prefix(names: Collection[str], params: Collection[str]) -> str | None:
    """Return what to put before all of `names` to get all of `params`, None if there is nothing such."""
    if not names or len(names) != len(params):
        return None
    length, remainder = divmod(sum(map(len, params)) - sum(map(len, names)), len(names))
    if length <= 0 or remainder:
        return None
    prefix = next(iter(params))[:length]
    return prefix if {prefix + name for name in names} == set(params) else None


def hint(names: Collection[str], params: Collection[str], where: str) -> str:
    """Say which call reads a file whose names do not fit; empty if that cannot be told from them.

    Args:
        names: In the file.
        params: Of what they were to be loaded into.
        where: The file.
    """
    match style_of(names), style_of(params):
        case "scoped", _:
            return (
                "The file was written by `export` or `save_checkpoint`: read it with its graph, "
                f"SymbolBlock.imports('...-symbol.json', ['data'], '{where}')."
            )
        case "paths", ("plain" | "scoped"):
            return (
                "The file was written by `save_parameters`, whose names are paths in a network of blocks: build that "
                f"network in Python and call net.load_parameters('{where}')."
            )
        case "plain", "plain" if lacking := missing_prefix(names, params):
            return (
                f"The names in the file lack the prefix {lacking!r}: call net.load_parameters('{where}') on the "
                f"network, or pass restore_prefix={lacking!r}."
            )
    return ""


def _first_part(names: Collection[str]) -> str:
    """What all names begin with, up to an underscore."""
    low, high = min(names), max(names)
    same = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
    return low[: low.rfind("_", 0, same) + 1]
