"""Samples of every operator, one module a family; `FAMILIES` maps the module's name to its samples.

Readable by Python 3.8 with numpy alone, because MXNet 1.9.1 records its answers from the same data.
"""

import importlib
import pkgutil

from .sample import Array, RandomSample, Sample

__all__ = ["FAMILIES", "Array", "RandomSample", "Sample"]

FAMILIES = {
    info.name: importlib.import_module(__name__ + "." + info.name).SAMPLES
    for info in pkgutil.iter_modules(__path__)
    if info.name not in ("sample", "variant")
}

_keys = [s.key for samples in FAMILIES.values() for s in samples]
_twice = sorted({k for k in _keys if _keys.count(k) > 1})
if _twice:
    raise ValueError("samples with the same key: " + ", ".join(_twice))
