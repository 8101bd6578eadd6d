"""Training of symbols: `mx.module`, `mx.mod`.

`base` owns the loops (fit, score, predict) over what `module` computes: a symbol bound to arrays on one context.
"""

from gluonnx.module.base import BaseModule
from gluonnx.module.module import Module

__all__ = ["BaseModule", "Module"]
