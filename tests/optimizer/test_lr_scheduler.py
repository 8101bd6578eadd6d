import numpy as np
import pytest
from optimizer import trajectories
from optimizer.golden import recorded

import gluonnx as mx


@pytest.mark.parametrize("name", trajectories.SCHEDULES)
def test_schedule_is_mxnets(name):
    np.testing.assert_allclose(trajectories.schedule(mx, name), recorded("schedules")[name], rtol=1e-12)


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        (
            "FactorScheduler",
            {"step": 0},
            "FactorScheduler: Schedule step must be greater or equal than 1 round: got step=0",
        ),
        ("FactorScheduler", {"step": 1, "factor": 2}, "Factor must be no more than 1 to make lr reduce: got factor=2"),
        ("MultiFactorScheduler", {"step": [3, 3]}, r"must be an increasing integer list: got step=\[3, 3\]"),
        ("MultiFactorScheduler", {"step": [0]}, "MultiFactorScheduler: Schedule step must be greater .* got step=0"),
        ("PolyScheduler", {"max_update": 0}, "PolyScheduler: maximum number of updates must be .* got max_update=0"),
        ("CosineScheduler", {"max_update": -1}, "CosineScheduler: maximum .* got max_update=-1"),
        (
            "CosineScheduler",
            {"max_update": 9, "warmup_begin_lr": 1},
            "Base lr has to be higher than warmup_begin_lr.*=1",
        ),
        ("CosineScheduler", {"max_update": 9, "warmup_steps": -1}, "positive or 0: got warmup_steps=-1"),
        (
            "CosineScheduler",
            {"max_update": 9, "warmup_mode": "x"},
            "Supports only linear and constant .* got warmup_mode='x'",
        ),
    ],
)
def test_wrong_arguments(kind, arguments, message):
    with pytest.raises(ValueError, match=message):
        getattr(mx.lr_scheduler, kind)(**arguments)


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        ("MultiFactorScheduler", {"step": 3}, "expected a list of at least one update, got step=3"),
        ("PolyScheduler", {"max_update": 1.5}, "PolyScheduler: expected an int, got max_update=1.5"),
        ("FactorScheduler", {"step": 1, "warmup_steps": 1.5}, "FactorScheduler: expected an int, got warmup_steps=1.5"),
    ],
)
def test_wrong_types(kind, arguments, message):
    with pytest.raises(TypeError, match=message):
        getattr(mx.lr_scheduler, kind)(**arguments)


def test_warmup_after_its_end():
    with pytest.raises(ValueError, match="the warm-up is over: expected less than 2, got num_update=2"):
        mx.lr_scheduler.FactorScheduler(step=1, warmup_steps=2).get_warmup_lr(2)
    with pytest.raises(NotImplementedError, match="LRScheduler: a scheduler must define"):
        mx.lr_scheduler.LRScheduler()(1)
