"""Which memory was handed to other libraries, whose writes torch does not count."""

import threading

import torch
from torch.multiprocessing.reductions import StorageWeakRef

PRUNE_AT = 1024
"""Number of entries from which those of freed memory are dropped."""

_shared: dict[int, StorageWeakRef] = {}
_lock = threading.Lock()


def share(tensor: torch.Tensor) -> None:
    """Note that others may write to a tensor's memory from now on."""
    storage = tensor.untyped_storage()
    with _lock:
        if len(_shared) >= PRUNE_AT:
            for pointer in [p for p, reference in _shared.items() if _is_gone(reference)]:
                del _shared[pointer]
        _shared[storage.data_ptr()] = StorageWeakRef(storage)  # type: ignore[no-untyped-call]
    # What was computed from the values so far no longer tells what they are.
    torch.autograd.graph.increment_version(tensor)


def is_shared(tensor: torch.Tensor) -> bool:
    """Whether others may write to a tensor's memory."""
    reference = _shared.get(tensor.untyped_storage().data_ptr())
    return reference is not None and not _is_gone(reference)


def _is_gone(reference: StorageWeakRef) -> bool:
    return bool(reference.expired())  # type: ignore[no-untyped-call]
