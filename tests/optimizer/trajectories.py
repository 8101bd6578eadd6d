"""Optimizer runs that MXNet 1.9.1 and gluonnx are compared on. Read by both, so it must run under Python 3.8."""

import numpy as np

STEPS = 10
SHAPES = [(4, 3), (3,), (2, 3, 2, 2)]
NAMES = ["a_weight", "a_bias", "b_gamma"]

# name -> (optimizer, arguments, extras); extras: dtype, lr_mult, wd_mult, scheduler (class name, arguments), names
RUNS = {
    "sgd": ("sgd", {"learning_rate": 0.1}, {}),
    "sgd_mom": ("sgd", {"learning_rate": 0.1, "momentum": 0.9}, {}),
    "sgd_mom_wd": ("sgd", {"learning_rate": 0.1, "momentum": 0.9, "wd": 0.01, "rescale_grad": 0.25}, {}),
    "sgd_clip": (
        "sgd",
        {"learning_rate": 0.1, "momentum": 0.5, "wd": 0.1, "clip_gradient": 0.3, "rescale_grad": 0.5},
        {},
    ),
    "sgd_clip_plain": ("sgd", {"learning_rate": 0.1, "wd": 0.1, "clip_gradient": 0.3, "rescale_grad": 0.5}, {}),
    "sgd_mult": (
        "sgd",
        {"learning_rate": 0.1, "momentum": 0.9, "wd": 0.05},
        {"lr_mult": {"a_weight": 0.5}, "wd_mult": {"b_gamma": 3.0}, "names": True},
    ),
    "sgd_names": ("sgd", {"learning_rate": 0.1, "wd": 0.5}, {"names": True}),
    "sgd_factor": (
        "sgd",
        {"momentum": 0.9},
        {"scheduler": ("FactorScheduler", {"step": 3, "factor": 0.5, "base_lr": 0.2})},
    ),
    "sgd_cosine": (
        "sgd",
        {"learning_rate": 0.3, "momentum": 0.9},
        {
            "scheduler": (
                "CosineScheduler",
                {"max_update": 8, "base_lr": 0.3, "warmup_steps": 2, "warmup_begin_lr": 0.1},
            )
        },
    ),
    "sgd_tiny_lr": ("sgd", {"learning_rate": 1e-7, "momentum": 0.9, "wd": 0.1}, {}),
    "sgd_double": ("sgd", {"learning_rate": 0.1, "momentum": 0.9, "wd": 0.01}, {"dtype": "float64"}),
    "sgd_mp": (
        "sgd",
        {"learning_rate": 0.1, "momentum": 0.9, "wd": 0.01, "multi_precision": True},
        {"dtype": "float16"},
    ),
    "sgd_mp_plain": ("sgd", {"learning_rate": 0.1, "wd": 0.01, "multi_precision": True}, {"dtype": "float16"}),
    "ccsgd": ("ccsgd", {"learning_rate": 0.1, "momentum": 0.9}, {}),
    "adam": ("adam", {"learning_rate": 0.05}, {}),
    "adam_wd": ("adam", {"learning_rate": 0.05, "wd": 0.1, "rescale_grad": 0.25}, {}),
    "adam_clip": (
        "adam",
        {"learning_rate": 0.05, "wd": 0.1, "clip_gradient": 0.2, "rescale_grad": 0.5, "epsilon": 1e-3},
        {},
    ),
    "adam_mult": ("adam", {"learning_rate": 0.05, "wd": 0.1}, {"lr_mult": {0: 0.5}, "wd_mult": {2: 2.0}}),
    "adam_mp": ("adam", {"learning_rate": 0.05, "wd": 0.1, "multi_precision": True}, {"dtype": "float16"}),
    "adam_double": ("adam", {"learning_rate": 0.05, "wd": 0.1, "beta1": 0.8, "beta2": 0.9}, {"dtype": "float64"}),
    "nag": ("nag", {"learning_rate": 0.1, "momentum": 0.9, "wd": 0.05, "rescale_grad": 0.5}, {}),
    "nag_clip": ("nag", {"learning_rate": 0.1, "momentum": 0.9, "wd": 0.05, "clip_gradient": 0.3}, {}),
    "nag_mp_wd": (
        "nag",
        {"learning_rate": 0.1, "momentum": 0.9, "wd": 0.3, "multi_precision": True},
        {"dtype": "float16"},
    ),
    "nag_mp_float32": ("nag", {"learning_rate": 0.1, "momentum": 0.9, "wd": 0.3, "multi_precision": True}, {}),
    "nag_plain": ("nag", {"learning_rate": 0.1, "wd": 0.05}, {}),
    "nag_mp": ("nag", {"learning_rate": 0.1, "momentum": 0.9, "multi_precision": True}, {"dtype": "float16"}),
    "rmsprop": ("rmsprop", {"learning_rate": 0.02, "wd": 0.1, "rescale_grad": 0.5}, {}),
    "rmsprop_clip": ("rmsprop", {"learning_rate": 0.02, "wd": 0.1, "clip_gradient": 0.3, "clip_weights": 0.8}, {}),
    "rmsprop_centered": (
        "rmsprop",
        {"learning_rate": 0.02, "centered": True, "wd": 0.1, "clip_gradient": 0.5, "epsilon": 1e-3},
        {},
    ),
    "adagrad": ("adagrad", {"learning_rate": 0.1, "wd": 0.1, "clip_gradient": 0.5}, {}),
    "adadelta": ("adadelta", {"wd": 0.01, "rescale_grad": 0.5, "clip_gradient": 0.4}, {}),
    "adamax": ("adamax", {"learning_rate": 0.02, "wd": 0.1, "clip_gradient": 0.6}, {}),
    "nadam": ("nadam", {"learning_rate": 0.02, "wd": 0.1, "clip_gradient": 0.6, "rescale_grad": 0.7}, {}),
    "ftrl": ("ftrl", {"learning_rate": 0.3, "wd": 0.1, "clip_gradient": 0.6, "lamda1": 0.05}, {}),
    "ftml": ("ftml", {"learning_rate": 0.05, "wd": 0.1, "clip_gradient": 0.6}, {}),
    "signum": (
        "signum",
        {"learning_rate": 0.02, "wd": 0.1, "clip_gradient": 0.6, "wd_lh": 0.05, "rescale_grad": 0.5},
        {},
    ),
    "signum_plain": ("signum", {"learning_rate": 0.02, "momentum": 0.0, "wd": 0.1}, {}),
    "dcasgd_plain": ("dcasgd", {"learning_rate": 0.1, "wd": 0.1}, {}),
    "lamb": ("lamb", {"learning_rate": 0.05, "wd": 0.1, "clip_gradient": 0.6, "rescale_grad": 0.5}, {}),
    "lamb_bounds": (
        "lamb",
        {"learning_rate": 0.05, "lower_bound": 0.5, "upper_bound": 1.5, "bias_correction": False},
        {},
    ),
    "lamb_mp": ("lamb", {"learning_rate": 0.05, "wd": 0.1, "multi_precision": True}, {"dtype": "float16"}),
    "lars": (
        "lars",
        {"learning_rate": 0.5, "momentum": 0.9, "wd": 0.1, "eta": 0.1, "rescale_grad": 0.5},
        {"names": True},
    ),
    "lars_factor": (
        "lars",
        {"momentum": 0.9, "eta": 0.1},
        {"scheduler": ("FactorScheduler", {"step": 3, "factor": 0.5, "base_lr": 0.5})},
    ),
    "lars_mp": (
        "lars",
        {"learning_rate": 0.5, "momentum": 0.9, "eta": 0.1, "multi_precision": True},
        {"dtype": "float16"},
    ),
    "lbsgd": (
        "lbsgd",
        {"learning_rate": 0.05, "momentum": 0.9, "batch_scale": 2, "warmup_epochs": 2, "updates_per_epoch": 3},
        {},
    ),
    "lbsgd_lars": ("lbsgd", {"learning_rate": 0.01, "wd": 0.1, "warmup_strategy": "lars", "clip_gradient": 0.5}, {}),
    "lbsgd_power2": (
        "lbsgd",
        {"learning_rate": 0.05, "batch_scale": 2, "warmup_strategy": "power2", "updates_per_epoch": 2},
        {},
    ),
    "lbsgd_sqrt": (
        "lbsgd",
        {"learning_rate": 0.05, "batch_scale": 3, "warmup_strategy": "sqrt", "updates_per_epoch": 2},
        {},
    ),
    "groupadagrad": ("groupadagrad", {"learning_rate": 0.1, "clip_gradient": 0.5}, {"shapes": [(4, 3), (2, 5)]}),
    "test": ("test", {"rescale_grad": 0.5}, {}),
}

# name -> (class name, arguments)
SCHEDULES = {
    "factor": ("FactorScheduler", {"step": 4, "factor": 0.3, "base_lr": 1.0, "stop_factor_lr": 0.01}),
    "factor_warm": (
        "FactorScheduler",
        {"step": 4, "factor": 0.3, "base_lr": 1.0, "warmup_steps": 5, "warmup_begin_lr": 0.2},
    ),
    "multi": ("MultiFactorScheduler", {"step": [3, 7, 15], "factor": 0.1, "base_lr": 0.5}),
    "multi_warm": (
        "MultiFactorScheduler",
        {
            "step": [6, 9],
            "factor": 0.1,
            "base_lr": 0.5,
            "warmup_steps": 4,
            "warmup_begin_lr": 0.1,
            "warmup_mode": "constant",
        },
    ),
    "poly": ("PolyScheduler", {"max_update": 12, "base_lr": 0.7, "pwr": 3, "final_lr": 0.1}),
    "poly_warm": ("PolyScheduler", {"max_update": 12, "base_lr": 0.7, "warmup_steps": 3, "warmup_begin_lr": 0.1}),
    "cosine": ("CosineScheduler", {"max_update": 12, "base_lr": 0.7, "final_lr": 0.1}),
    "cosine_warm": (
        "CosineScheduler",
        {"max_update": 12, "base_lr": 0.7, "warmup_steps": 3, "warmup_mode": "constant"},
    ),
}
UPDATES = list(range(25))


def run(mx, name):
    """Return the parameters after each step, (STEPS, all elements), float64."""
    kind, arguments, extras = RUNS[name]
    arguments = dict(arguments)
    shapes = extras.get("shapes", SHAPES)
    dtype = extras.get("dtype", "float32")
    if "scheduler" in extras:
        scheduler, options = extras["scheduler"]
        arguments["lr_scheduler"] = getattr(mx.lr_scheduler, scheduler)(**options)
    if extras.get("names"):
        arguments["param_idx2name"] = dict(enumerate(NAMES))
    optimizer = mx.optimizer.create(kind, **arguments)
    if "lr_mult" in extras:
        optimizer.set_lr_mult(extras["lr_mult"])
    if "wd_mult" in extras:
        optimizer.set_wd_mult(extras["wd_mult"])
    updater = mx.optimizer.get_updater(optimizer)
    rng = np.random.RandomState(3)
    weights = [mx.nd.array(rng.uniform(-1, 1, s), dtype=dtype) for s in shapes]
    rows = []
    for _ in range(STEPS):
        grads = [mx.nd.array(rng.uniform(-1, 1, s), dtype=dtype) for s in shapes]
        if optimizer.aggregate_num:
            updater(list(range(len(shapes))), grads, weights)
        else:
            for i, weight in enumerate(weights):
                updater(i, grads[i], weight)
        rows.append(np.concatenate([w.asnumpy().ravel() for w in weights]).astype(np.float64))
    return np.stack(rows)


def schedule(mx, name):
    """Return the learning rates at UPDATES."""
    kind, arguments = SCHEDULES[name]
    scheduler = getattr(mx.lr_scheduler, kind)(**arguments)
    return np.array([scheduler(n) for n in UPDATES])
