"""What MXNet recorded (tests/golden/make_optim.py)."""

import functools
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parent.parent / "golden" / "optim"


@functools.cache
def recorded(name):
    with np.load(FOLDER / f"{name}.npz") as file:
        return dict(file)
