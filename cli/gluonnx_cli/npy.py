"""Arrays in `.npy` files: read without pickle and never beyond the end of the file, written whole or not at all.

Source: numpy.lib.format, the NPY format, versions 1.0 and 2.0.
"""

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.lib.format as npy_format
import numpy.typing as npt

from .errors import CommandError

__all__ = ["read_array", "write_arrays"]


def read_array(path: Path) -> npt.NDArray[Any]:
    """Read one `.npy` file of numbers or bools.

    Raises:
        CommandError: It is not one, or is shorter than its header says.
        OSError: It cannot be opened.
    """
    with path.open("rb") as file:
        try:
            _check_header(path, file)
            file.seek(0)
            array: npt.NDArray[Any] = np.load(file, allow_pickle=False)
        except OSError:
            raise
        except Exception as err:
            raise CommandError(
                f"{path}: not a .npy file of numbers: expected an array written by numpy.save, got: {err}. "
                "Write it with numpy.save(path, array)."
            ) from err
    return array


def write_arrays(arrays: Mapping[Path, npt.NDArray[Any]]) -> None:
    """Write `.npy` files: all of them, or none if one cannot be written.

    Each is written beside its target and renamed. A target that is there and is no regular file (a pipe, /dev/null) is
    written to directly.

    Raises:
        OSError: A folder is missing or cannot be written.
    """
    written: dict[Path, Path] = {}
    try:
        for path, array in arrays.items():
            if path.exists() and not path.is_file():
                with path.open("wb") as special:
                    np.save(special, array, allow_pickle=False)
                continue
            beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
            with _created(beside, path) as file:
                written[path] = beside
                np.save(file, array, allow_pickle=False)
        for path, beside in written.items():
            beside.replace(path)
    finally:
        for beside in written.values():
            beside.unlink(missing_ok=True)


def _created(beside: Path, target: Path) -> IO[bytes]:
    try:
        return beside.open("xb")
    except OSError as err:
        err.filename = str(target)
        raise


def _check_header(path: Path, file: IO[bytes]) -> None:
    version = npy_format.read_magic(file)
    if version == (1, 0):
        shape, _, dtype = npy_format.read_array_header_1_0(file)
    elif version == (2, 0):
        shape, _, dtype = npy_format.read_array_header_2_0(file)
    else:
        raise ValueError(f"version {version[0]}.{version[1]} of the format")
    if dtype.kind not in "biufc":
        raise ValueError(f"dtype {dtype}")
    size_bytes = math.prod(shape) * dtype.itemsize
    left = path.stat().st_size - file.tell()
    if size_bytes > left:
        raise ValueError(f"{left} bytes of data where shape {shape} needs {size_bytes}")
