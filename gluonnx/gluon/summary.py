"""The table that `Block.summary` prints."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gluonnx.errors import ParameterMismatchError
from gluonnx.gluon.hooks import HookHandle
from gluonnx.gluon.nesting import flatten, regroup
from gluonnx.symbol.symbol import Symbol

if TYPE_CHECKING:
    from gluonnx.gluon.block import Block

ROW = "{:>20}  {:>42} {:>15}"
WIDTH = 80


class _Layer:
    """One row: what is known of a layer after it has run."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.shape = ""
        self.count = 0
        self.trainable = 0
        self.shared = 0


def print_summary(block: "Block", inputs: Sequence[Any]) -> None:
    """Run a block once and print a row for each layer: name, output shape, number of parameters.

    Differs: MXNet also prints rows for what it traces when it has to find the shapes of parameters first.

    Raises:
        ParameterMismatchError: The block is hybridized: its layers do not run one by one.
    """
    rows = {"Input": _Layer("Input")}
    rows["Input"].shape = _shapes(list(inputs))
    seen: set[int] = set()
    handles: list[HookHandle] = []

    def observe(child: "Block") -> None:
        if getattr(child, "_active", False):
            raise ParameterMismatchError(
                f'"{child.name}" must not be hybridized to print summary: expected an imperative block. Call '
                "`hybridize(False)` first."
            )

        def hook(layer: "Block", _: Any, output: Any) -> None:
            if any(isinstance(v, Symbol) for v in flatten(output, "summary")[0]):
                return  # the trace that finds the shapes of parameters
            label = f"{type(layer).__name__}-{len(rows)}"
            row = rows[label] = _Layer(label)
            row.shape = _shapes(output)
            for param in layer.params.values():
                size = int(np.prod(param.shape)) if param.shape else 0
                row.count += size
                row.trainable += 0 if param.grad_req == "null" else size
                if id(param) in seen:
                    row.shared += size
                seen.add(id(param))

        if not child._children or child.params:
            handles.append(child.register_forward_hook(hook))

    block.apply(observe)
    try:
        block(*inputs)
    finally:
        for handle in handles:
            handle.detach()
    print(_table(list(rows.values())))  # noqa: T201 - printing is what it is for


def _table(rows: Sequence[_Layer]) -> str:
    lines = ["-" * WIDTH, ROW.format("Layer (type)", "Output Shape", "Param #"), "=" * WIDTH]
    lines += [ROW.format(r.label, r.shape, r.count) for r in rows]
    total, trainable, shared = (sum(getattr(r, key) for r in rows) for key in ("count", "trainable", "shared"))
    lines += [
        "=" * WIDTH,
        "Parameters in forward computation graph, duplicate included",
        f"   Total params: {total}",
        f"   Trainable params: {trainable}",
        f"   Non-trainable params: {total - trainable}",
        f"Shared params in forward computation graph: {shared}",
        f"Unique parameters in model: {total - shared}",
        "-" * WIDTH,
    ]
    return "\n".join(lines)


def _shapes(value: Any) -> str:
    """Shapes in the structure of the value, without the brackets around several."""
    flat, structure = flatten(value, "summary")
    shapes, _ = regroup([None if v is None else v.shape for v in flat], structure)
    if not isinstance(shapes, list):
        return str(shapes)
    return str(shapes[0]) if len(shapes) == 1 else str(shapes)[1:-1]
