"""Optimizers: `mx.optimizer`.

`optimizer` owns learning rates, multipliers, counts and the batched update; `sgd`, `adam`, `adaptive` and `large_batch`
the formulas; `updater` the states of the parameters; `states_file` those states as a file.
"""

from gluonnx.optimizer import contrib
from gluonnx.optimizer.adam import Adam, Adamax, Nadam
from gluonnx.optimizer.adaptive import FTML, AdaDelta, AdaGrad, Ftrl, GroupAdaGrad, RMSProp
from gluonnx.optimizer.large_batch import LAMB, LARS, LBSGD
from gluonnx.optimizer.optimizer import Batch, BatchOptimizer, Optimizer, create, register
from gluonnx.optimizer.sgd import DCASGD, NAG, SGD, SGLD, Signum, ccSGD
from gluonnx.optimizer.testing import Test
from gluonnx.optimizer.updater import Updater, get_updater

__all__ = [
    "DCASGD",
    "FTML",
    "LAMB",
    "LARS",
    "LBSGD",
    "NAG",
    "SGD",
    "SGLD",
    "AdaDelta",
    "AdaGrad",
    "Adam",
    "Adamax",
    "Batch",
    "BatchOptimizer",
    "Ftrl",
    "GroupAdaGrad",
    "Nadam",
    "Optimizer",
    "RMSProp",
    "Signum",
    "Test",
    "Updater",
    "ccSGD",
    "contrib",
    "create",
    "get_updater",
    "register",
]
