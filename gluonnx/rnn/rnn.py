"""Checkpoints of graphs with recurrent cells: weights gate by gate in the file, whichever cells wrote it."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from gluonnx.model import load_checkpoint, save_checkpoint
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.rnn.base_cell import Arrays, BaseRNNCell
from gluonnx.symbol.symbol import Symbol

__all__ = ["do_rnn_checkpoint", "load_rnn_checkpoint", "rnn_unroll", "save_rnn_checkpoint"]

Cells = BaseRNNCell | Sequence[BaseRNNCell]


def rnn_unroll(
    cell: BaseRNNCell,
    length: int,
    inputs: Any = None,
    begin_state: Sequence[Symbol] | None = None,
    input_prefix: str = "",
    layout: str = "NTC",
) -> tuple[Any, list[Any]]:
    """Deprecated: call `cell.unroll`. `input_prefix` is accepted."""
    warnings.warn("rnn_unroll is deprecated. Please call cell.unroll directly.", DeprecationWarning, stacklevel=2)
    return cell.unroll(length, inputs, begin_state=begin_state, layout=layout)


def save_rnn_checkpoint(
    cells: Cells, prefix: str, epoch: int, symbol: Symbol | None, arg_params: Arrays, aux_params: Arrays
) -> None:
    """Write a checkpoint with the weights of `cells` cut gate by gate; see `model.save_checkpoint`."""
    for cell in _listed(cells):
        arg_params = cell.unpack_weights(arg_params)
    save_checkpoint(prefix, epoch, symbol, arg_params, aux_params)


def load_rnn_checkpoint(cells: Cells, prefix: str, epoch: int) -> tuple[Symbol, dict[str, NDArray], dict[str, NDArray]]:
    """Read a checkpoint and join the weights as `cells` need them; see `model.load_checkpoint`."""
    symbol, arg_params, aux_params = load_checkpoint(prefix, epoch)
    joined = dict(arg_params)
    for cell in _listed(cells):
        joined = cell.pack_weights(joined)
    return symbol, joined, dict(aux_params)


def do_rnn_checkpoint(cells: Cells, prefix: str, period: int = 1) -> Callable[..., None]:
    """Return a callback for the end of an epoch that writes a checkpoint every `period` epochs."""
    period = int(max(1, period))

    def callback(iter_no: int, sym: Any = None, arg: Any = None, aux: Any = None) -> None:
        """Write the checkpoint of an epoch."""
        if (iter_no + 1) % period == 0:
            save_rnn_checkpoint(cells, prefix, iter_no + 1, sym, arg, aux)

    return callback


def _listed(cells: Cells) -> Sequence[BaseRNNCell]:
    return [cells] if isinstance(cells, BaseRNNCell) else cells
