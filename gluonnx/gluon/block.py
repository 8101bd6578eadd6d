"""Blocks under MXNet's module name: `Block`, `HybridBlock`, `SymbolBlock`, each in a module of its own."""

from gluonnx.gluon.base_block import Block
from gluonnx.gluon.hybrid_block import HybridBlock
from gluonnx.gluon.scope import BlockScope as _BlockScope  # noqa: F401 - MXNet's name
from gluonnx.gluon.symbol_block import SymbolBlock

__all__ = ["Block", "HybridBlock", "SymbolBlock"]
