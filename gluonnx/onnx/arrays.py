"""Parameters of any library as numpy arrays, without a copy where there need not be one."""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
import torch.utils.dlpack

from gluonnx.errors import InputError
from gluonnx.ops.dtypes import BY_NAME, BY_NUMPY

Array: TypeAlias = npt.NDArray[Any]


def as_array(where: str, value: Any) -> Array:
    """Return `value` as a C-contiguous little-endian numpy array; memory is shared where it has that form already.

    Args:
        where: What the value is, for the message.
        value: A numpy array, a torch tensor on any device, or anything that speaks DLPack (an NDArray).

    Raises:
        InputError: Not an array, or of a dtype that MXNet does not have.
    """
    if not isinstance(value, (np.ndarray, np.generic, torch.Tensor)) and hasattr(value, "__dlpack__"):
        value = torch.utils.dlpack.from_dlpack(value)
    if isinstance(value, torch.Tensor):
        tensor = value.detach().cpu()
        if tensor.dtype is torch.bfloat16:  # numpy learns bfloat16 from ml_dtypes, which torch does not know
            value = tensor.contiguous().view(torch.int16).numpy().view(BY_NAME["bfloat16"].numpy)
        else:
            value = tensor.numpy()
    if not isinstance(value, (np.ndarray, np.generic)):
        raise InputError(f"{where}: not an array: expected a numpy array or torch tensor, got {type(value).__name__}.")
    array = np.asarray(value)
    native = array.dtype.newbyteorder("=")
    if native not in BY_NUMPY:
        raise InputError(f"{where}: unknown dtype: expected one of {', '.join(BY_NAME)}, got dtype={array.dtype}.")
    # On little-endian machines this is the native dtype, so nothing is copied there.
    return np.asarray(array, dtype=native.newbyteorder("<"), order="C")


def as_tensor(array: Array) -> torch.Tensor:
    """Return an array that `as_array` returned as a torch tensor, over the same memory unless that is read-only."""
    if not array.flags.writeable:
        array = array.copy()
    if array.dtype == BY_NAME["bfloat16"].numpy:
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def dtype_name(array: Array) -> str:
    """Return the canonical dtype name of an array that `as_array` returned."""
    return BY_NUMPY[array.dtype.newbyteorder("=")].name
