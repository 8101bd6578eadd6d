"""Comparing the answers of gluonnx to cases with those of MXNet."""

import json
import math
import warnings
from pathlib import Path

import cases

import gluonnx as mx

GOLDEN = Path(__file__).parent / "golden" / "answers"
RTOL = {"float16": 1e-3, "float32": 1e-5, "float64": 1e-6}


def recorded(name):
    """MXNet's answers of a file of cases."""
    return json.loads((GOLDEN / f"{name}.json").read_text())


def check(case_list, name, expected):
    """Assert that gluonnx answers a case as MXNet does."""
    with warnings.catch_warnings(), mx.name.NameManager():
        warnings.simplefilter("ignore")
        found = json.loads(json.dumps(cases.answer(case_list.functions[name], mx)))
    assert _same(found, expected), f"{name}:\n  MXNet {expected}\n  ours  {found}"


def _same(found, expected):
    if isinstance(expected, dict) and "error" in expected:
        # An error that a caller of MXNet catches must be caught here too; ours may be of more kinds.
        return isinstance(found, dict) and "error" in found and _catches(found["error"], expected["error"])
    if isinstance(expected, dict):
        if not isinstance(found, dict) or found.keys() != expected.keys():
            return False
        dtype = expected.get("dtype")
        for key, value in expected.items():
            if key in ("values", "scalar"):
                ours = found[key] if key == "values" else [found[key]]
                theirs = value if key == "values" else [value]
                if len(ours) != len(theirs) or not all(_close(a, b, dtype) for a, b in zip(ours, theirs, strict=True)):
                    return False
            elif not _same(found[key], value):
                return False
        return True
    if isinstance(expected, list):
        return (
            isinstance(found, list)
            and len(found) == len(expected)
            and all(_same(a, b) for a, b in zip(found, expected, strict=True))
        )
    return type(found) is type(expected) and found == expected


def _catches(found, expected):
    return set(expected) <= set(found)


def _close(a, b, dtype):
    if isinstance(a, str) or isinstance(b, str):
        return a == b
    return math.isclose(a, b, rel_tol=RTOL.get(dtype, 0), abs_tol=RTOL.get(dtype, 0))
