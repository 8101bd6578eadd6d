"""Steps of optimizers on several parameters, and those of LAMB, LARS and AdamW."""

from .sample import Array, Sample

TRAINS = "a step of training"


def _arrays(shapes, kinds, master=False):
    inputs = []
    for shape in shapes:
        narrow = "float16" if master else "float32"
        inputs += [Array(shape, narrow), Array(shape, narrow), *(Array(shape, "float32", kind) for kind in kinds)]
        if master:
            inputs.append(Array(shape))
    return inputs


def _lists(op, id_, kinds, attrs, shapes=((2, 3), (4,)), master=False, extra=(), count="num_weights"):
    inputs = (*_arrays(shapes, kinds, master), *extra)
    stride = 2 + len(kinds) + master
    attrs = {**attrs, count: len(shapes)}
    out = tuple(i * stride for i in range(len(shapes)))
    return Sample(op, id_, inputs, attrs, grad=False, onnx=TRAINS, batch=(), out=out)


def _numbers(*values):
    return Array((len(values),), "float32", "values", values=values)


RATES = {"lrs": (0.1, 0.2), "wds": (0.05, 0.0)}
FACTORS = {"rescale_grad": 0.5, "clip_gradient": 0.3}
LOADED = (_numbers(0.1, 0.2), _numbers(0.05, 0.0))
LAMB = {"learning_rates": (0.1, 0.2), "wds": (0.05, 0.0), "step_count": (1, 3)}
MOMENTS = ("normal", "positive")
ADAMW = {**RATES, "etas": (1.0, 0.5)}

SAMPLES = [
    _lists("multi_sgd_update", "plain", (), RATES),
    _lists("multi_sgd_update", "factors", (), {**RATES, **FACTORS}),
    _lists("multi_sgd_update", "one", (), {"lrs": (0.1,), "wds": (0.05,)}, shapes=((2, 3),)),
    _lists("multi_sgd_mom_update", "plain", ("normal",), {**RATES, "momentum": 0.9}),
    _lists("multi_sgd_mom_update", "factors", ("normal",), {**RATES, **FACTORS, "momentum": 0.5}),
    _lists("multi_mp_sgd_update", "plain", (), RATES, master=True),
    _lists("multi_mp_sgd_mom_update", "factors", ("normal",), {**RATES, **FACTORS, "momentum": 0.9}, master=True),
    _lists("preloaded_multi_sgd_update", "plain", (), {}, extra=LOADED),
    _lists("preloaded_multi_sgd_mom_update", "factors", ("normal",), {**FACTORS, "momentum": 0.9}, extra=LOADED),
    _lists("preloaded_multi_mp_sgd_update", "factors", (), FACTORS, master=True, extra=LOADED),
    _lists("preloaded_multi_mp_sgd_mom_update", "plain", ("normal",), {"momentum": 0.9}, master=True, extra=LOADED),
    _lists("_multi_lamb_update", "plain", MOMENTS, LAMB, count="num_tensors"),
    _lists("_multi_lamb_update", "uncorrected", MOMENTS, {**LAMB, "bias_correction": False}, count="num_tensors"),
    _lists(
        "_multi_lamb_update",
        "bounds",
        MOMENTS,
        {**LAMB, **FACTORS, "lower_bound": 0.1, "upper_bound": 1.5},
        count="num_tensors",
    ),
    _lists("_multi_mp_lamb_update", "plain", MOMENTS, LAMB, master=True, count="num_tensors"),
    _lists("_multi_adamw_update", "plain", MOMENTS, ADAMW, extra=(_numbers(0.5),)),
    _lists("_multi_adamw_update", "clip", MOMENTS, {**ADAMW, "clip_gradient": 0.3}, extra=(_numbers(1.0),)),
    _lists("_multi_mp_adamw_update", "plain", MOMENTS, ADAMW, master=True, extra=(_numbers(0.5),)),
]


def _one(op, id_, inputs, attrs):
    return Sample(op, id_, inputs, attrs, grad=False, onnx=TRAINS, batch=())


_WEIGHT, _POSITIVE = Array((2, 3)), Array((2, 3), kind="positive")
_HALF = Array((2, 3), "float16")
SAMPLES += [
    _one("_adamw_update", "plain", (_WEIGHT, _WEIGHT, _WEIGHT, _POSITIVE, _numbers(1.0)), {"lr": 0.1, "eta": 1.0}),
    _one(
        "_adamw_update",
        "all",
        (_WEIGHT, _WEIGHT, _WEIGHT, _POSITIVE, _numbers(1.0)),
        {"lr": 0.1, "eta": 0.5, "wd": 0.05, "beta1": 0.5, "beta2": 0.9, "epsilon": 1e-3},
    ),
    _one(
        "_mp_adamw_update",
        "plain",
        (_HALF, _HALF, _WEIGHT, _POSITIVE, _WEIGHT, _numbers(0.5)),
        {"lr": 0.1, "eta": 0.5, "wd": 0.05},
    ),
    _one("lamb_update_phase2", "plain", (_WEIGHT, _WEIGHT, _numbers(2.0), _numbers(0.5)), {"lr": 0.1}),
    _one("lamb_update_phase2", "zero", (_WEIGHT, _WEIGHT, _numbers(0.0), _numbers(0.5)), {"lr": 0.1}),
    _one(
        "lamb_update_phase2",
        "lower",
        (_WEIGHT, _WEIGHT, _numbers(0.1), _numbers(0.5)),
        {"lr": 0.1, "lower_bound": 0.25, "upper_bound": 2.0},
    ),
    _one(
        "lamb_update_phase2",
        "upper",
        (_WEIGHT, _WEIGHT, _numbers(3.0), _numbers(0.5)),
        {"lr": 0.1, "lower_bound": 0.25, "upper_bound": 2.0},
    ),
    _one("mp_lamb_update_phase2", "plain", (_HALF, _WEIGHT, _numbers(2.0), _numbers(0.5), _WEIGHT), {"lr": 0.1}),
    _one(
        "multi_lars",
        "plain",
        (_numbers(0.1, 0.2, 0.3), _numbers(4.0, 0.0, 2.0), _numbers(9.0, 1.0, 0.5), _numbers(0.1, 0.1, 0.0)),
        {"eta": 0.01, "eps": 1e-3, "rescale_grad": 0.5},
    ),
    Sample("multi_sum_sq", "plain", (Array((2, 3)), Array((4,))), {"num_arrays": 2}, grad=False, batch=()),
    Sample("multi_sum_sq", "float16", (Array((2, 3), "float16"),), {"num_arrays": 1}, grad=False, batch=()),
    Sample("multi_sum_sq", "float64", (Array((5, 3), "float64"),), {"num_arrays": 1}, grad=False),
]
