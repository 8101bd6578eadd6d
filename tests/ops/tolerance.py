"""How far two answers may lie apart, by dtype: one table. A sample overrides it with the reason in its `why`."""

import numpy as np

# dtype: (rtol, atol)
FORWARD = {
    "bfloat16": (1.6e-2, 1.6e-2),
    "float16": (2e-3, 2e-3),
    "float32": (1e-5, 1e-6),
    "float64": (1e-10, 1e-10),
}
"""Another library's answer to the same inputs. Integers and booleans are exact."""

FINITE_DIFFERENCES = {"eps": 1e-6, "atol": 1e-5, "rtol": 1e-4}
"""float64 gradients against central differences."""


def tolerance(dtype, sample=None):
    """Return (rtol, atol) for arrays of `dtype`, exact for anything but floats."""
    rtol, atol = FORWARD.get(np.dtype(dtype).name, (0.0, 0.0))
    if sample is not None and np.dtype(dtype).name in FORWARD:
        rtol = sample.rtol if sample.rtol is not None else rtol
        atol = sample.atol if sample.atol is not None else atol
    return rtol, atol


def assert_same(actual, expected, sample=None, what="output"):
    """Assert equal shape and dtype, and values within the table; NaN equals NaN."""
    where = f"{sample.key if sample is not None else ''} {what}"
    assert actual.shape == expected.shape, f"{where}: shape {actual.shape}, expected {expected.shape}"
    assert actual.dtype == expected.dtype, f"{where}: dtype {actual.dtype}, expected {expected.dtype}"
    rtol, atol = tolerance(expected.dtype, sample)
    if expected.dtype.name == "bfloat16":  # numpy has no arithmetic for it
        actual, expected = actual.astype(np.float32), expected.astype(np.float32)
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=atol, equal_nan=True, err_msg=where)
