"""Helpers for tests of programs and operators: `mx.test_utils`.

`tolerance` owns what counts as equal, `comparing` the assertions, `arrays` random shapes and arrays, `symbolic` checks
of symbols and their gradients, `training` comparisons of optimizers and hybridized blocks, `sampling` tests of random
numbers, `process` the process around a test: context, environment, files.

As with MXNet's module, `from mxnet.test_utils import *` gives `mx`, `np`, `os`, `sys` and `array` too.
"""

import os
import sys

import numpy as np

import gluonnx as mx
from gluonnx.context import Context, current_context
from gluonnx.ndarray import array
from gluonnx.symbol import Symbol
from gluonnx.test_utils import arrays, comparing, process, sampling, symbolic, tolerance, training
from gluonnx.test_utils.arrays import *  # noqa: F403
from gluonnx.test_utils.comparing import *  # noqa: F403
from gluonnx.test_utils.process import *  # noqa: F403
from gluonnx.test_utils.sampling import *  # noqa: F403
from gluonnx.test_utils.symbolic import *  # noqa: F403
from gluonnx.test_utils.tolerance import *  # noqa: F403
from gluonnx.test_utils.training import *  # noqa: F403
from gluonnx.util import use_np, use_np_array, use_np_shape

__all__ = [
    "Context",
    "Symbol",
    "array",
    "current_context",
    "mx",
    "np",
    "os",
    "sys",
    "use_np",
    "use_np_array",
    "use_np_shape",
    *arrays.__all__,
    *comparing.__all__,
    *process.__all__,
    *sampling.__all__,
    *symbolic.__all__,
    *tolerance.__all__,
    *training.__all__,
]
