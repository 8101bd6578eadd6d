"""Steps of optimizers on one parameter. States of squares are positive."""

from .sample import Array, Sample

TRAINS = "a step of training"
NORMAL, POSITIVE = "normal", "positive"

# operator: (kinds of its states, attributes it must have)
STEPS = {
    "sgd_update": ((), {}),
    "sgd_mom_update": ((NORMAL,), {"momentum": 0.9}),
    "nag_mom_update": ((NORMAL,), {"momentum": 0.9}),
    "signsgd_update": ((), {}),
    "signum_update": ((NORMAL,), {"momentum": 0.9}),
    "adam_update": ((NORMAL, POSITIVE), {}),
    "ftml_update": ((POSITIVE, POSITIVE, NORMAL), {"t": 3}),
    "ftrl_update": ((NORMAL, POSITIVE), {}),
    "rmsprop_update": ((POSITIVE,), {}),
    "rmspropalex_update": ((POSITIVE, "unit", NORMAL), {}),
    "lamb_update_phase1": ((NORMAL, POSITIVE), {"t": 3}),
}
NO_RATE = {"lamb_update_phase1"}
MASTERS = {"sgd_update": "mp_sgd_update", "sgd_mom_update": "mp_sgd_mom_update", "nag_mom_update": "mp_nag_mom_update"}


def _arrays(kinds, shape=(3, 4), dtype="float32", master=False):
    narrow = "float16" if master else dtype
    states = [Array(shape, dtype, kind) for kind in kinds]
    copies = [Array(shape, dtype)] if master else []
    return (Array(shape, narrow), Array(shape, narrow), *states, *copies)


def _sample(op, id_, kinds, attrs, **kwargs):
    rest = {k: kwargs.pop(k) for k in ("rtol", "atol", "why", "batch") if k in kwargs}
    inputs = _arrays(kinds, **kwargs)
    return Sample(op, id_, inputs, attrs, grad=False, onnx=TRAINS, batch=(), **rest)


SAMPLES = []
for _op, (_kinds, _attrs) in STEPS.items():
    _rate = {"wd": 0.1} if _op in NO_RATE else {"lr": 0.1}
    _clip = "clip_grad" if _op == "ftml_update" else "clip_gradient"
    _mild = {} if _op in NO_RATE else {"wd": 0.05}
    SAMPLES += [
        _sample(_op, "plain", _kinds, {**_rate, **_attrs}),
        _sample(_op, "all", _kinds, {**_rate, **_attrs, **_mild, "rescale_grad": 0.5, _clip: 0.3}),
        _sample(_op, "clip_to_zero", _kinds, {**_rate, **_attrs, **_mild, _clip: 0.0}),
        _sample(_op, "float64", _kinds, {**_rate, **_attrs, **_mild, "rescale_grad": 0.25}, dtype="float64"),
        _sample(_op, "one", _kinds, {**_rate, **_attrs}, shape=(1,)),
    ]
    if _op in MASTERS:
        SAMPLES += [
            _sample(MASTERS[_op], "plain", _kinds, {**_rate, **_attrs}, master=True),
            _sample(
                MASTERS[_op],
                "all",
                _kinds,
                {**_rate, **_attrs, "wd": 0.05, "rescale_grad": 0.5, "clip_gradient": 0.3},
                master=True,
            ),
        ]
SAMPLES += [
    _sample("sgd_update", "float16", (), {"lr": 0.1, "wd": 0.05}, dtype="float16"),
    _sample("sgd_mom_update", "float16", (NORMAL,), {"lr": 0.1, "momentum": 0.5}, dtype="float16"),
    _sample("sgd_mom_update", "no_momentum", (NORMAL,), {"lr": 0.1}),
    _sample("sgd_mom_update", "negative_rate", (NORMAL,), {"lr": -0.1, "momentum": 0.9, "wd": 0.05}),
    _sample("signum_update", "wd_lh", (NORMAL,), {"lr": 0.1, "momentum": 0.9, "wd_lh": 0.05}),
    _sample("signum_update", "no_momentum", (NORMAL,), {"lr": 0.1, "wd": 0.05}),
    _sample("adam_update", "betas", (NORMAL, POSITIVE), {"lr": 0.1, "beta1": 0.5, "beta2": 0.25, "epsilon": 1e-3}),
    _sample("adam_update", "no_lazy", (NORMAL, POSITIVE), {"lr": 0.1, "lazy_update": False}),
    _sample("ftml_update", "first", (POSITIVE, POSITIVE, NORMAL), {"lr": 0.1, "t": 1, "beta1": 0.5, "beta2": 0.9}),
    _sample("ftrl_update", "sparse", (NORMAL, POSITIVE), {"lr": 0.1, "lamda1": 1.0, "beta": 0.5}),
    _sample("rmsprop_update", "clip_weights", (POSITIVE,), {"lr": 0.1, "clip_weights": 0.5, "gamma1": 0.5}),
    _sample(
        "rmspropalex_update",
        "clip_weights",
        (POSITIVE, "unit", NORMAL),
        {"lr": 0.1, "clip_weights": 0.5, "gamma2": 0.5},
    ),
    _sample("lamb_update_phase1", "uncorrected", (NORMAL, POSITIVE), {"wd": 0.1, "t": 3, "bias_correction": False}),
    _sample("mp_lamb_update_phase1", "plain", (NORMAL, POSITIVE), {"wd": 0.1, "t": 3}, master=True),
    _sample(
        "mp_lamb_update_phase1", "clip", (NORMAL, POSITIVE), {"wd": 0.1, "t": 1, "clip_gradient": 0.3}, master=True
    ),
    Sample(
        "_sparse_adagrad_update",
        "rows",
        (Array((3, 4)), Array((3, 4), stype="row_sparse"), Array((3, 4), kind=POSITIVE)),
        {"lr": 0.1, "rescale_grad": 0.5, "clip_gradient": 0.3},
        grad=False,
        onnx=TRAINS,
        batch=(),
        out=(0,),
        in_place=True,
    ),
    Sample(
        "_contrib_group_adagrad_update",
        "rows",
        (Array((3, 4)), Array((3, 4), stype="row_sparse"), Array((3, 1), kind=POSITIVE)),
        {"lr": 0.1, "rescale_grad": 0.5, "clip_gradient": 0.3},
        grad=False,
        onnx=TRAINS,
        batch=(),
        out=(0,),
        in_place=True,
    ),
]
