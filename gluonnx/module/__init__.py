"""Training a symbol on batches: `mx.mod`, `mx.module`.

`base_module` owns the loops (fit, score, predict), `module` a symbol with its parameters, `updating` their optimizer,
`executor_group` the executors of a symbol, one on each context, `naming` what inputs are called, `bucketing_module`
modules that share parameters, `sequential_module` modules in a chain, `python_module` modules in Python.
"""

from gluonnx.module.base_module import BaseModule
from gluonnx.module.bucketing_module import BucketingModule
from gluonnx.module.module import Module
from gluonnx.module.python_module import PythonLossModule, PythonModule
from gluonnx.module.sequential_module import SequentialModule

__all__ = ["BaseModule", "BucketingModule", "Module", "PythonLossModule", "PythonModule", "SequentialModule"]
