"""Record what MXNet 1.9.1 answers for the real checkpoints beside the checkout: run it with the oracle's Python.

    python tests/golden/make_shared.py

tests/golden/shared/NAME.npz holds one input `data` and the outputs `output0`, ... of `../shared/checkpoints/*/NAME`
at inference. `save_000800` is a graph without a file of parameters: its own are in the npz too, as `arg:NAME` and
`aux:NAME`.

Made with MXNet 1.9.1, numpy 1.23.5, Python 3.8.
"""

import os

import mxnet as mx
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "shared")
CHECKPOINTS = os.path.join(HERE, "..", "..", "..", "shared", "checkpoints")
SHAPES = {"det1": (2, 3, 25, 31), "det2": (2, 3, 24, 24), "det3": (2, 3, 48, 48), "det4": (2, 15, 24, 24)}


def run(symbol, args, auxs, data):
    shapes = {"data": data.shape}
    executor = symbol.simple_bind(mx.cpu(), grad_req="null", **shapes)
    executor.copy_params_from(args, auxs, allow_extra_params=False)
    outputs = executor.forward(is_train=False, data=mx.nd.array(data))
    return {"output%d" % i: o.asnumpy() for i, o in enumerate(outputs)}


def main():
    os.makedirs(OUT, exist_ok=True)
    rng = np.random.RandomState(5)
    for name, shape in sorted(SHAPES.items()):
        symbol, args, auxs = mx.model.load_checkpoint(os.path.join(CHECKPOINTS, "mtcnn", name), 1)
        data = rng.uniform(-1, 1, shape).astype(np.float32)
        np.savez_compressed(os.path.join(OUT, name + ".npz"), data=data, **run(symbol, args, auxs, data))
    symbol = mx.sym.load(os.path.join(CHECKPOINTS, "legacy", "save_000800.json"))
    data = rng.uniform(-1, 1, (3, 20)).astype(np.float32)
    args, _, auxs = symbol.infer_shape(data=data.shape)
    names = dict(zip(symbol.list_arguments(), args))
    arg = {n: rng.uniform(-0.3, 0.3, s) for n, s in names.items() if n != "data" and not n.endswith("label")}
    aux = {n: rng.uniform(0.5, 1.5, s) for n, s in zip(symbol.list_auxiliary_states(), auxs)}
    content = {"arg:" + n: v.astype(np.float32) for n, v in arg.items()}
    content.update({"aux:" + n: v.astype(np.float32) for n, v in aux.items()})
    arrays = [{n: mx.nd.array(content[k + n]) for n in v} for k, v in (("arg:", arg), ("aux:", aux))]
    content.update(run(symbol, arrays[0], arrays[1], data))
    np.savez_compressed(os.path.join(OUT, "save_000800.npz"), data=data, **content)


if __name__ == "__main__":
    assert mx.__version__ == "1.9.1", mx.__version__
    main()
