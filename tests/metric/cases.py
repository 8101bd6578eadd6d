"""Metrics that MXNet 1.9.1 and gluonnx are compared on. Must run under Python 3.8."""

import numpy as np

UPDATES = 3
RESET_LOCAL_AFTER = 1

# name -> (what create takes, arguments, kind of data)
METRICS = {
    "accuracy": ("acc", {}, "scores"),
    "accuracy_axis": ("accuracy", {"axis": 2}, "images"),
    "accuracy_classes": ("accuracy", {}, "classes"),
    "top_k": ("top_k_accuracy", {"top_k": 3}, "scores"),
    "f1": ("f1", {}, "binary"),
    "f1_micro": ("f1", {"average": "micro"}, "binary"),
    "mcc": ("mcc", {}, "binary"),
    "mcc_micro": ("mcc", {"average": "micro"}, "binary"),
    "perplexity": ("perplexity", {"ignore_label": None}, "scores"),
    "perplexity_ignore": ("perplexity", {"ignore_label": 2}, "scores"),
    "mae": ("mae", {}, "values"),
    "mse": ("mse", {}, "values"),
    "rmse": ("rmse", {}, "values"),
    "mae_vectors": ("mae", {}, "vectors"),
    "cross_entropy": ("ce", {}, "scores"),
    "nll": ("nll_loss", {"eps": 1e-3}, "scores"),
    "pearson": ("pearsonr", {}, "values"),
    "pcc": ("pcc", {}, "scores"),
    "pcc_binary": ("pcc", {}, "binary"),
    "loss": ("loss", {}, "values"),
    "torch": ("torch", {}, "values"),
    "composite": (["acc", "ce"], {}, "scores"),
}


def data(kind, rng):
    if kind in ("scores", "images"):
        shape = (8, 5) if kind == "scores" else (4, 3, 5)
        scores = rng.uniform(0, 1, shape)
        return rng.randint(0, 5, shape[:-1]), scores / scores.sum(-1, keepdims=True)
    if kind == "binary":
        scores = rng.uniform(0, 1, (9, 2))
        return rng.randint(0, 2, (9,)), scores
    if kind == "classes":
        return rng.randint(0, 3, (8,)), rng.randint(0, 3, (8,))
    shape = (6, 4) if kind == "values" else (7,)
    return rng.normal(size=shape), rng.normal(size=shape)


def measure(mx, name):
    """Return the local and the global values after each update, (UPDATES, values)."""
    what, arguments, kind = METRICS[name]
    metric = mx.metric.create(what, **arguments)
    rng = np.random.RandomState(4)
    rows = []
    for i in range(UPDATES):
        pairs = [data(kind, rng) for _ in range(2)]
        labels = [mx.nd.array(label, dtype="float32") for label, _ in pairs]
        preds = [mx.nd.array(pred, dtype="float32") for _, pred in pairs]
        metric.update(labels, preds)
        values = [v for _, v in metric.get_name_value()] + [v for _, v in metric.get_global_name_value()]
        rows.append(np.array(values, dtype=np.float64))
        if i == RESET_LOCAL_AFTER:
            metric.reset_local()
    return np.stack(rows)
