"""Watching the operators of a hybridized block: `HybridBlock.register_op_hook`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from gluonnx.errors import MXNetError
from gluonnx.modes import MODES
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.symbol.graph import Node

__all__ = ["OperatorHook"]

NAMED_INPUT = frozenset(
    {
        "Dropout",
        "L2Normalization",
        "LRN",
        "MakeLoss",
        "Pad",
        "Pooling",
        "SliceChannel",
        "SwapAxis",
        "depth_to_space",
        "diag",
        "log_softmax",
        "one_hot",
        "repeat",
        "reverse",
        "softmax",
        "space_to_depth",
        "squeeze",
        "tile",
    }
)
"""Operators of one input that tell MXNet its name; for the others it is `input0`. Recorded from MXNet 1.9.1."""

NAMED_OUTPUTS = frozenset(
    {
        "Activation",
        "BatchNorm",
        "Concat",
        "Convolution",
        "Deconvolution",
        "Dropout",
        "FullyConnected",
        "GroupNorm",
        "InstanceNorm",
        "L2Normalization",
        "LRN",
        "LayerNorm",
        "LeakyReLU",
        "MakeLoss",
        "Pad",
        "Pooling",
        "SequenceMask",
        "SliceChannel",
        "SoftmaxActivation",
        "SoftmaxOutput",
        "SwapAxis",
        "_contrib_BatchNormWithReLU",
        "elemwise_add",
        "softmax",
        "softmin",
    }
)
"""Operators that tell MXNet the names of their outputs; those of the others are numbered. Recorded from MXNet 1.9.1."""


@dataclass(frozen=True, slots=True)
class OperatorHook:
    """A callback and what it wants to see.

    Attributes:
        callback: Called with the name of an array (`<node>_<input or output>`) and the name of the operator, both as
            bytes, and the array.
        monitor_all: Whether it sees inputs too.
    """

    callback: Callable[[bytes, bytes, NDArray], Any]
    monitor_all: bool

    def before(self, node: Node, inputs: Sequence[torch.Tensor | None]) -> None:
        """Show the inputs of an operator that is about to run, if they are wanted."""
        if self.monitor_all:
            for index, tensor in enumerate(inputs):
                if tensor is not None:
                    self._show(node, _input_name(node, index), tensor)

    def after(self, node: Node, outputs: Sequence[torch.Tensor]) -> None:
        """Show the outputs of an operator that has run: those that a caller sees, all of them in training."""
        count = node.output_count if MODES.training else node.visible_count
        for index, tensor in enumerate(outputs[:count]):
            self._show(node, _output_name(node, index), tensor)

    def _show(self, node: Node, name: str, tensor: torch.Tensor) -> None:
        assert node.op is not None
        try:
            self.callback(f"{node.name}_{name}".encode(), node.op.name.encode(), NDArray(tensor.detach()))
        except Exception as err:
            raise MXNetError(
                f"register_op_hook: the callback failed at {node.op.name} `{node.name}`: {type(err).__name__}: {err}"
            ) from err


def _input_name(node: Node, index: int) -> str:
    op = node.op
    assert op is not None
    if op.variadic:
        return f"arg{index}"
    active = op.active_inputs(node.typed, len(node.inputs))
    if len(active) == 1 and len(op.inputs) == 1 and op.name not in NAMED_INPUT:
        return f"input{index}"
    return active[index].name


def _output_name(node: Node, index: int) -> str:
    assert node.op is not None
    if node.op.name not in NAMED_OUTPUTS:
        return str(index)
    return node.op.output_names(node.typed)[index]
