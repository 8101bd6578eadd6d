"""Cases of every layer and loss, one module a group; `GROUPS` maps the module's name to its cases.

Readable by Python 3.8 with numpy alone, because MXNet 1.9.1 records its answers from the same data.
"""

import importlib
import pkgutil

from .case import Array, Case, digest

__all__ = ["GROUPS", "Array", "Case", "digest"]

GROUPS = {
    info.name: importlib.import_module(__name__ + "." + info.name).CASES
    for info in pkgutil.iter_modules(__path__)
    if info.name != "case"
}

_ids = [c.id for cases in GROUPS.values() for c in cases]
_twice = sorted({i for i in _ids if _ids.count(i) > 1})
if _twice:
    raise ValueError("cases with the same id: " + ", ".join(_twice))
