"""`Block.save` and `Block.load`: graphs and names of a tree of blocks in `PREFIX-model.json`, beside its parameters."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gluonnx.errors import FormatError
from gluonnx.formats.files import FileSet, read_bytes
from gluonnx.gluon.base_block import Block, named_arrays
from gluonnx.gluon.hybrid_block import HybridBlock
from gluonnx.gluon.nesting import NOTHING
from gluonnx.gluon.parameter import Parameter
from gluonnx.gluon.tracing import Trace
from gluonnx.ndarray.files import write_into
from gluonnx.symbol.text import load_json

__all__ = ["load_model", "save_model"]

MAX_JSON_BYTES = 1 << 30
"""Of a model file: a symbol-json of every block, and no parameter."""


def save_model(block: Block, prefix: str | os.PathLike[str]) -> None:
    """Write `PREFIX-model.json` and `PREFIX-model.params`, both or neither.

    Source: MXNet 1.9.1 python/mxnet/gluon/block.py, Block.save (the layout of the json).
    """
    described: dict[str, Any] = {}
    numbers = iter(range(1 << 31))
    _describe(block, numbers, described)
    graphs, params = _paths(prefix)
    arrays = named_arrays(block, deduplicate=False)
    with FileSet() as files:
        files.create(graphs).write(json.dumps(described).encode())
        write_into(files.create(params), arrays, str(params))


def _describe(block: Block, numbers: Iterator[int], parent: dict[str, Any]) -> None:
    own: dict[str, Any] = {"orig_name": block.name}
    parent[f"{type(block).__name__.lower()}{next(numbers)}"] = own
    if isinstance(block, HybridBlock):
        trace = block._trace
        own["hybridized"] = block._active and trace is not None
        if own["hybridized"] and trace is not None:
            own["in_format"] = trace.in_structure
            own["out_format"] = trace.out_structure
            own["inputs"] = [s.tojson() for s in trace.inputs]
            own["symbol"] = trace.output.tojson()
    own["children"] = {child.name: key for key, child in block._children.items()}
    for child in block._children.values():
        _describe(child, numbers, own)


def load_model(block: Block, prefix: str | os.PathLike[str]) -> None:
    """Read what `save_model` wrote, here or in MXNet.

    Raises:
        FileAccessError: A file is missing.
        FormatError: A file is damaged, or describes another tree of blocks.
        ParameterFileError: The parameters do not fit.
    """
    graphs, params = _paths(prefix)
    try:
        described = json.loads(read_bytes(graphs, MAX_JSON_BYTES))
    except (ValueError, RecursionError) as err:
        raise FormatError(f"{graphs}: not a model file: expected the JSON that Block.save writes: {err}") from err
    plan = list(_plan(block, iter(range(1 << 31)), described, str(graphs)))
    before = [_State.of(step.block) for step in plan]
    try:
        _apply(plan)
        block.load_parameters(params)
    except BaseException:
        for state in before:
            state.restore()
        raise


def _paths(prefix: str | os.PathLike[str]) -> tuple[Path, Path]:
    start = os.fspath(prefix)
    return Path(f"{start}-model.json"), Path(f"{start}-model.params")


@dataclass(frozen=True, slots=True)
class _Step:
    """What the file says of one block."""

    block: Block
    name: str
    keys: dict[str, str]
    """Of the children, by their names in the file."""
    trace: Trace | None


@dataclass(frozen=True, slots=True)
class _State:
    """What loading changes in a block, to put it back."""

    block: Block
    attributes: dict[str, Any]
    children: dict[str, Block]
    prefix: str
    params: dict[str, Parameter]
    names: list[tuple[Parameter, str]] = field(default_factory=list)

    @staticmethod
    def of(block: Block) -> "_State":
        attributes: dict[str, Any] = {
            k: block.__dict__[k] for k in ("_name", "_prefix", "_active", "_trace") if k in block.__dict__
        }
        params = dict(block.params.items())
        names = [(p, p.name) for p in params.values()]
        return _State(block, attributes, dict(block._children), block.params.prefix, params, names)

    def restore(self) -> None:
        self.block.__dict__.update(self.attributes)
        _replace(self.block._children, self.children)
        self.block.params._prefix = self.prefix
        _replace(self.block.params._params, self.params)
        for param, name in self.names:
            param.rename(name)
        if isinstance(self.block, HybridBlock):
            self.block._uncompile()


def _plan(block: Block, numbers: Iterator[int], parent: Any, where: str) -> Iterator[_Step]:
    """Read the file along the tree of blocks, without changing a block."""
    key = f"{type(block).__name__.lower()}{next(numbers)}"
    entries = parent if isinstance(parent, dict) else {}
    own = entries.get(key)
    if not isinstance(own, dict):
        found = [k for k, v in entries.items() if isinstance(v, dict) and k != "children"]
        raise FormatError(
            f"{where}: another model: expected a block `{key}`, got {', '.join(found) or 'none'}. Create the blocks in "
            "the order in which they were created when the model was saved."
        )
    name, keys = own.get("orig_name"), own.get("children")
    if not isinstance(name, str) or not isinstance(keys, dict) or not all(isinstance(v, str) for v in keys.values()):
        raise FormatError(
            f"{where}: block `{key}`: damaged: expected a text orig_name and children by name, got "
            f"orig_name={name!r}, children={keys!r}."
        )
    yield _Step(block, name, keys, _trace(own, f"{where}: block `{key}`") if own.get("hybridized") is True else None)
    for child in block._children.values():
        yield from _plan(child, numbers, own, where)


def _trace(own: dict[str, Any], where: str) -> Trace:
    inputs, output = own.get("inputs"), own.get("symbol")
    structures = own.get("in_format"), own.get("out_format")
    if (
        not isinstance(output, str)
        or not isinstance(inputs, list)
        or not all(isinstance(i, str) for i in inputs)
        or not all(map(_is_structure, structures))
        or not isinstance(structures[0], list)
    ):
        raise FormatError(
            f"{where}: damaged: expected a graph as texts `symbol` and `inputs`, and `in_format` and `out_format` as "
            f"nested lists of integers, got in_format={structures[0]!r}, out_format={structures[1]!r}."
        )
    return Trace([load_json(i) for i in inputs], load_json(output), *structures)


def _is_structure(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_structure, value))
    return type(value) is int and value >= NOTHING


def _apply(plan: list[_Step]) -> None:
    for step in plan:
        _rename(step.block, step.name)
        if step.trace is not None and isinstance(step.block, HybridBlock):
            step.block._restore(step.trace)
    for step in plan:
        params = step.block.params
        _replace(params._params, {p.name: p for p in params.values()})
        keys = [step.keys.get(child.name, key) for key, child in step.block._children.items()]
        # A block that is twice a child has one key in the file.
        if len(set(keys)) == len(keys):
            _replace(step.block._children, dict(zip(keys, step.block._children.values(), strict=True)))


def _rename(block: Block, name: str) -> None:
    """Give a block and its own parameters the names they had; parameters shared from elsewhere follow their owner."""
    old = block.prefix
    block._name = name
    if not old:
        return
    new = f"{name}_" if old.endswith("_") else name
    block._prefix = new
    if block.params.prefix != old:
        return
    block.params._prefix = new
    for param in block.params.values():
        if param.name.startswith(old):
            param.rename(new + param.name[len(old) :])


def _replace(target: dict[str, Any], content: dict[str, Any]) -> None:
    kept = dict(content)
    target.clear()
    target.update(kept)
