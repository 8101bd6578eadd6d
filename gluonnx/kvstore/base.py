"""What a Trainer needs of a kvstore, and the registry of kvstore classes."""

from typing import Any, ClassVar

from gluonnx.errors import ArgumentError
from gluonnx.moved import names_of
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.ndarray.register import function
from gluonnx.ndarray.sparse_array import BaseSparseNDArray

__all__ = ["KVStoreBase", "TestStore"]


class KVStoreBase:
    """Base class of kvstores: arrays by key, each with copies on several devices.

    Source: MXNet 1.9.1 python/mxnet/kvstore/base.py.
    """

    OPTIMIZER: ClassVar[str] = "optimizer"
    kv_registry: ClassVar[dict[str, "type[KVStoreBase]"]] = {}

    @staticmethod
    def register(klass: "type[KVStoreBase]") -> "type[KVStoreBase]":
        """Register a class for `create`, under its lower-case name."""
        KVStoreBase.kv_registry[klass.__name__.lower()] = klass
        return klass

    @staticmethod
    def is_capable(capability: str) -> bool:
        """Return whether the kvstore can do what `capability` names; the only name is `"optimizer"`.

        Raises:
            ValueError: The name is another.
        """
        check_capability(capability)
        return False

    def broadcast(self, key: Any, value: Any, out: Any, priority: int = 0) -> None:
        """Store a value and copy it into every array of `out`."""
        raise NotImplementedError(f"{type(self).__name__}: a kvstore must define broadcast.")

    def pushpull(self, key: Any, value: Any, out: Any = None, priority: int = 0) -> None:
        """Add the arrays of `value` up and copy the result into every array of `out`, or of `value` if None."""
        raise NotImplementedError(f"{type(self).__name__}: a kvstore must define pushpull.")

    def set_optimizer(self, optimizer: Any) -> None:
        """Update the stored values by an optimizer at each push."""
        raise NotImplementedError(f"{type(self).__name__}: a kvstore with optimizers must define set_optimizer.")

    def save_optimizer_states(self, fname: str, dump_optimizer: bool = False) -> None:
        """Write the states of the optimizer, and its settings too if asked for."""
        raise NotImplementedError(
            f"{type(self).__name__}: a kvstore with optimizers must define save_optimizer_states."
        )

    def load_optimizer_states(self, fname: str) -> None:
        """Read them."""
        raise NotImplementedError(
            f"{type(self).__name__}: a kvstore with optimizers must define load_optimizer_states."
        )

    @property
    def type(self) -> str:
        """Name of the kind of kvstore."""
        raise NotImplementedError(f"{type(self).__name__}: a kvstore must define type.")

    @property
    def rank(self) -> int:
        """Number of this worker."""
        return 0

    @property
    def num_workers(self) -> int:
        """Number of workers."""
        return 1


@KVStoreBase.register
class TestStore(KVStoreBase):
    """A kvstore that stores nothing: it adds up and copies."""

    __test__ = False

    def broadcast(self, key: Any, value: Any, out: Any, priority: int = 0) -> None:
        """Copy `value` into every array of `out`."""
        copy_to(value, as_list(out))

    def pushpull(self, key: Any, value: Any, out: Any = None, priority: int = 0) -> None:
        """Copy the sum of `value` into every array of `out`, or of `value` if None."""
        values = as_list(value)
        copy_to(add_up(values), values if out is None else as_list(out))

    @property
    def type(self) -> str:
        """`"teststore"`."""
        return "teststore"


def check_capability(capability: str) -> None:
    """Raise ArgumentError unless the name of a capability is known."""
    if capability.lower() != KVStoreBase.OPTIMIZER:
        raise ArgumentError(f"KVStore.is_capable: Unknown capability: expected 'optimizer', got {capability!r}.")


def as_list(value: Any) -> list[NDArray]:
    """Return one array or several as a list."""
    return list(value) if isinstance(value, (list, tuple)) else [value]


def add_up(values: list[NDArray]) -> NDArray:
    """Return the sum on the context of the first array; the array itself if it is the only one."""
    first = values[0]
    if len(values) == 1:
        return first
    if isinstance(first, BaseSparseNDArray):
        total: NDArray = function("add_n")(*(v.as_in_context(first.context) for v in values))
        return total
    tensor = first._plain().clone()
    for other in values[1:]:
        tensor.add_(other._plain().to(tensor.device))
    return first._like(tensor)


def copy_to(source: NDArray, targets: list[NDArray]) -> None:
    """Copy an array into others, on whatever context they are; itself among them is left alone."""
    for target in targets:
        if target is source:
            continue
        if target.shape != source.shape:
            raise ArgumentError(f"KVStore: shapes differ: expected {source.shape}, got out of shape {target.shape}.")
        if isinstance(source, BaseSparseNDArray):
            source.detach().copyto(target)
        else:
            target._write(source._plain())


__getattr__ = names_of(__name__, "gluonnx.kvstore")
