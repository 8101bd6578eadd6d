"""Training a symbol on batches: `mx.mod`, `mx.module`.

`base_module` owns the loops (fit, score, predict), `module` a symbol with its parameters and optimizer,
`executor_group` the executors of a symbol, one on each context, and `naming` what inputs are called.
"""

from gluonnx.module.base_module import BaseModule
from gluonnx.module.module import Module

__all__ = ["BaseModule", "Module"]
