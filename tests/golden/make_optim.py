"""Record MXNet 1.9.1's optimizer trajectories, schedules, initial values and metrics (tests/optimizer).

Run by a Python that has MXNet (3.8, `pip install mxnet==1.9.1 numpy==1.23.5`):

    python tests/golden/make_optim.py

Writes tests/golden/optim/*.npz.
"""

import json
import pathlib
import sys

import mxnet as mx
import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "optimizer"), str(HERE.parent / "metric")]

import cases  # noqa: E402
import initial  # noqa: E402
import trajectories  # noqa: E402
import training  # noqa: E402


def main():
    out = HERE / "optim"
    out.mkdir(exist_ok=True)
    np.savez_compressed(out / "trajectories.npz", **{n: trajectories.run(mx, n) for n in trajectories.RUNS})
    np.savez_compressed(out / "schedules.npz", **{n: trajectories.schedule(mx, n) for n in trajectories.SCHEDULES})
    np.savez_compressed(out / "training.npz", **{n: training.train(mx, n) for n in training.TRAININGS})
    np.savez_compressed(out / "initial.npz", **{n: initial.exact(mx, n) for n in initial.EXACT})
    np.savez_compressed(out / "initial_random.npz", **{n: initial.statistics(mx, n) for n in initial.RANDOM})
    descriptions = {n: initial.dumps(mx, n) for n in initial.DUMPS}
    (out / "initial.json").write_text(json.dumps(descriptions, indent=1, sort_keys=True) + "\n")
    np.savez_compressed(out / "metrics.npz", **{n: cases.measure(mx, n) for n in cases.METRICS})
    np.savez_compressed(out / "compression.npz", **compression())


def compression():
    """What 2bit compression sends for each of several gradients."""
    store = mx.kv.create("device")
    store.set_gradient_compression({"type": "2bit", "threshold": 0.5})
    store.init(0, mx.nd.zeros((40,)))
    rng = np.random.RandomState(2)
    grads = rng.normal(0, 0.6, (6, 40)).astype("float32")
    sent = []
    for grad in grads:
        store.push(0, mx.nd.array(grad))
        out = mx.nd.zeros((40,))
        store.pull(0, out=out)
        sent.append(out.asnumpy())
    return {"grads": grads, "sent": np.stack(sent)}


main()
