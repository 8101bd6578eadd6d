"""ONNX files as blocks."""

import os
from collections.abc import Sequence

from gluonnx.context import Context
from gluonnx.gluon.block import SymbolBlock

__all__ = ["import_to_gluon"]


def import_to_gluon(model_file: str | os.PathLike[str], ctx: Context | Sequence[Context] | None) -> SymbolBlock:
    """Read an ONNX file as a block.

    Args:
        model_file: The file.
        ctx: Where its parameters go: a context, or several.

    Raises:
        FormatError: Not an ONNX file that can be imported.

    Source: MXNet 1.9.1 python/mxnet/contrib/onnx/onnx2mx/import_to_gluon.py.
    """
    return SymbolBlock.imports(model_file, ctx=ctx)
