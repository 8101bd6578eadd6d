"""Blocks, parameters and training: `mx.gluon`.

`block` owns children, parameters and tracing, `parameter` values and gradients, `hybrid` the call of a hybridized
block, `exporting` and `importing` model files, `trainer` optimization steps, `nn` layers, `rnn` recurrent ones, `loss`
losses, `model_zoo` networks that are defined already, `utils` data splitting, clipping and downloads.
"""

from gluonnx.gluon import contrib, loss, model_zoo, nn, rnn, utils
from gluonnx.gluon.block import Block, HybridBlock, SymbolBlock
from gluonnx.gluon.parameter import Constant, DeferredInitializationError, Parameter, ParameterDict, tensor_types
from gluonnx.gluon.trainer import Trainer

__all__ = [
    "Block",
    "Constant",
    "DeferredInitializationError",
    "HybridBlock",
    "Parameter",
    "ParameterDict",
    "SymbolBlock",
    "Trainer",
    "contrib",
    "loss",
    "model_zoo",
    "nn",
    "rnn",
    "tensor_types",
    "utils",
]
