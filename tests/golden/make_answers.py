"""Record MXNet 1.9.1's answers to the cases of tests/: what each returns or which error it raises.

Run by a Python that has MXNet (3.8, `pip install mxnet==1.9.1 numpy==1.23.5`):

    python tests/golden/make_answers.py [FILE ...]

Writes tests/golden/answers/FILE.json, a line a case.
"""

import importlib.util
import pathlib
import sys
import warnings

import mxnet as mx

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import cases  # noqa: E402

FILES = {
    "ndarray": "ndarray/ndarray_cases.py",
    "autograd": "autograd_cases.py",
    "sparse": "ndarray/sparse_cases.py",
    "symbol": "symbol/symbol_cases.py",
    "executor": "executor_cases.py",
    "custom": "custom_cases.py",
    "updates": "update_cases.py",
    "module": "module/module_cases.py",
    "control_flow": "control_flow_cases.py",
}


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, str(path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.CASES


def main():
    for name in sys.argv[1:] or sorted(FILES):
        answers = {}
        case_list = load(HERE.parent / FILES[name])
        for case, function in case_list.functions.items():
            if case in case_list.differs:
                continue
            with warnings.catch_warnings(), mx.name.NameManager():
                warnings.simplefilter("ignore")
                answers[case] = cases.answer(function, mx)
        path = HERE / "answers" / (name + ".json")
        path.write_text(cases.dumps(answers))
        print("%s: %d cases, %d bytes, MXNet %s" % (path.name, len(answers), path.stat().st_size, mx.__version__))


main()
