"""The MXNet 1.x Gluon API on PyTorch tensors, deployed through ONNX Runtime.

    import gluonnx as mx

`nd` owns arrays, `autograd` gradients, `sym` graphs, `gluon` blocks and training, `onnx` the way to ONNX and back,
`init`, `optimizer`, `lr_scheduler`, `metric` and `kvstore` what training needs, `executor` bound graphs, `operator`
operators of one's own, `context` devices, `random` random state; `test_utils`, `viz`, `profiler`, `runtime`, `util`,
`engine`, `callback`, `monitor`, `io`, `module`, `rnn`, `model` and `log` are what MXNet has under these names.
`install_as_mxnet` lets programs that `import mxnet` run unchanged.
"""

from gluonnx import (
    attribute,
    autograd,
    base,
    binding,
    cached_op,
    callback,
    context,
    contrib,
    engine,
    executor,
    gluon,
    image,
    initializer,
    io,
    kvstore,
    libinfo,
    log,
    lr_scheduler,
    metric,
    model,
    module,
    monitor,
    name,
    ndarray,
    onnx,
    operator,
    optimizer,
    profiler,
    random,
    recordio,
    registry,
    rnn,
    runtime,
    symbol,
    test_utils,
    util,
    visualization,
)
from gluonnx import image as img
from gluonnx import initializer as init
from gluonnx import kvstore as kv
from gluonnx import module as mod
from gluonnx import monitor as mon
from gluonnx import ndarray as nd
from gluonnx import numpy as np
from gluonnx import numpy_extension as npx
from gluonnx import optimizer as opt
from gluonnx import random as rnd
from gluonnx import symbol as sym
from gluonnx import visualization as viz
from gluonnx._version import __version__
from gluonnx.attribute import AttrScope
from gluonnx.compat import install_as_mxnet
from gluonnx.context import Context, cpu, cpu_pinned, cpu_shared, current_context, gpu, gpu_memory_info, num_gpus
from gluonnx.errors import MXNetError
from gluonnx.util import (
    is_np_array,
    is_np_shape,
    np_array,
    np_shape,
    set_np_shape,
    use_np,
    use_np_array,
    use_np_shape,
)

binding.install()
cached_op.install()

__all__ = [
    "AttrScope",
    "Context",
    "MXNetError",
    "__version__",
    "attribute",
    "autograd",
    "base",
    "callback",
    "context",
    "contrib",
    "cpu",
    "cpu_pinned",
    "cpu_shared",
    "current_context",
    "engine",
    "executor",
    "gluon",
    "gpu",
    "gpu_memory_info",
    "image",
    "img",
    "init",
    "initializer",
    "install_as_mxnet",
    "io",
    "is_np_array",
    "is_np_shape",
    "kv",
    "kvstore",
    "libinfo",
    "log",
    "lr_scheduler",
    "metric",
    "mod",
    "model",
    "module",
    "mon",
    "monitor",
    "name",
    "nd",
    "ndarray",
    "np",
    "np_array",
    "np_shape",
    "npx",
    "num_gpus",
    "onnx",
    "operator",
    "opt",
    "optimizer",
    "profiler",
    "random",
    "recordio",
    "registry",
    "rnd",
    "rnn",
    "runtime",
    "set_np_shape",
    "sym",
    "symbol",
    "test_utils",
    "use_np",
    "use_np_array",
    "use_np_shape",
    "util",
    "visualization",
    "viz",
]
