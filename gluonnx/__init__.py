"""The MXNet 1.x Gluon API on PyTorch tensors, deployed through ONNX Runtime.

    import gluonnx as mx

`nd` owns arrays, `autograd` gradients, `sym` graphs, `gluon` blocks and training, `onnx` the way to ONNX and back,
`init`, `optimizer`, `lr_scheduler`, `metric` and `kvstore` what training needs, `executor` bound
graphs, `context` devices, `random` random state.
"""

from gluonnx import (
    attribute,
    autograd,
    binding,
    context,
    executor,
    gluon,
    initializer,
    kvstore,
    lr_scheduler,
    metric,
    name,
    ndarray,
    onnx,
    optimizer,
    random,
    symbol,
)
from gluonnx import initializer as init
from gluonnx import kvstore as kv
from gluonnx import ndarray as nd
from gluonnx import symbol as sym
from gluonnx._version import __version__
from gluonnx.attribute import AttrScope
from gluonnx.context import Context, cpu, cpu_pinned, cpu_shared, current_context, gpu, gpu_memory_info, num_gpus
from gluonnx.errors import MXNetError

binding.install()

__all__ = [
    "AttrScope",
    "Context",
    "MXNetError",
    "__version__",
    "attribute",
    "autograd",
    "context",
    "cpu",
    "cpu_pinned",
    "cpu_shared",
    "current_context",
    "executor",
    "gluon",
    "gpu",
    "gpu_memory_info",
    "init",
    "initializer",
    "kv",
    "kvstore",
    "lr_scheduler",
    "metric",
    "name",
    "nd",
    "ndarray",
    "num_gpus",
    "onnx",
    "optimizer",
    "random",
    "sym",
    "symbol",
]
