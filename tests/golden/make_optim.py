"""Record MXNet 1.9.1's optimizer trajectories, schedules, initial values and metrics (tests/optimizer).

Run by a Python that has MXNet (3.8, `pip install mxnet==1.9.1 numpy==1.23.5`):

    python tests/golden/make_optim.py

Writes tests/golden/optim/*.npz.
"""

import pathlib
import sys

import mxnet as mx
import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "optimizer"))

import trajectories  # noqa: E402


def main():
    out = HERE / "optim"
    out.mkdir(exist_ok=True)
    np.savez_compressed(out / "trajectories.npz", **{n: trajectories.run(mx, n) for n in trajectories.RUNS})
    np.savez_compressed(out / "schedules.npz", **{n: trajectories.schedule(mx, n) for n in trajectories.SCHEDULES})


main()
