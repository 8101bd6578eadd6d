"""Record MXNet 1.9.1's batches of an NDArrayIter and its training of a Module.

Run by a Python that has MXNet (3.8, `pip install mxnet==1.9.1 numpy==1.23.5`):

    python tests/golden/make_module.py

Writes tests/golden/module/batches.json and training.json, from the cases in tests/io/iter_cases.py and
tests/module/training_cases.py.
"""

import json
import logging
import pathlib
import sys

import mxnet as mx
import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "io"), str(HERE.parent / "module")]

import iter_cases  # noqa: E402
import training_cases  # noqa: E402

logging.disable(logging.INFO)


def write(name, answers):
    path = HERE / "module" / name
    path.write_text(json.dumps({"mxnet": mx.__version__, "numpy": np.__version__, **answers}, sort_keys=True) + "\n")
    print(name, path.stat().st_size)


write("batches.json", iter_cases.answers(mx))
write("training.json", training_cases.answers(mx))
