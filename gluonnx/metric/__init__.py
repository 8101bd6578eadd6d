"""Evaluation metrics (`mx.metric`).

A metric adds up a sum and a count over updates, once since `reset` (global) and once since `reset_local`; its value is
their quotient unless its docstring says otherwise. `labels` and `preds` are an array or a list of arrays.

`base` owns what all metrics share and metrics made of others, `classification` and `regression` what is measured.

Source: MXNet 1.9.1 python/mxnet/metric.py.
"""

from gluonnx.metric.base import (
    CompositeEvalMetric,
    CustomMetric,
    EvalMetric,
    alias,
    check_label_shapes,
    create,
    np,
    register,
)
from gluonnx.metric.classification import (
    F1,
    MCC,
    PCC,
    Accuracy,
    CrossEntropy,
    NegativeLogLikelihood,
    Perplexity,
    TopKAccuracy,
)
from gluonnx.metric.regression import MAE, MSE, RMSE, Caffe, Loss, PearsonCorrelation, Torch

__all__ = [
    "F1",
    "MAE",
    "MCC",
    "MSE",
    "PCC",
    "RMSE",
    "Accuracy",
    "Caffe",
    "CompositeEvalMetric",
    "CrossEntropy",
    "CustomMetric",
    "EvalMetric",
    "Loss",
    "NegativeLogLikelihood",
    "PearsonCorrelation",
    "Perplexity",
    "TopKAccuracy",
    "Torch",
    "alias",
    "check_label_shapes",
    "create",
    "np",
    "register",
]
