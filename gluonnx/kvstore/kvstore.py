"""The kvstore of one process: sums over its devices."""

from collections.abc import Callable, Mapping
from typing import Any

from gluonnx.errors import ArgumentError, MXNetError, StorageError
from gluonnx.formats import read_bytes, write_bytes_atomic
from gluonnx.kvstore.base import KVStoreBase, add_up, as_list, check_capability, copy_to
from gluonnx.kvstore.compression import TwoBit
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.ndarray.sparse_array import RowSparseNDArray
from gluonnx.optimizer import Optimizer, Updater, get_updater
from gluonnx.optimizer.updater import STATES_LIMIT

__all__ = ["KVStore", "create"]

LOCAL_TYPES = (
    "local",
    "device",
    "nccl",
    "local_allreduce_cpu",
    "local_allreduce_device",
    "local_update_cpu",
)

Key = int | str


class KVStore(KVStoreBase):
    """Arrays by key. A push replaces the stored array by the sum of what is pushed, or updates it with that sum.

    Made by `create`. Keys are all int or all str.

    Source: MXNet 1.9.1 src/kvstore/kvstore_local.h.
    """

    def __init__(self, kind: str) -> None:
        self._type = kind
        self._store: dict[Key, NDArray] = {}
        self._updater: Any = None
        self._compression: TwoBit | None = None

    @staticmethod
    def is_capable(capability: str) -> bool:
        """Return whether the kvstore can do what `capability` names: optimizers."""
        check_capability(capability)
        return True

    @property
    def type(self) -> str:
        """The name that it was created by."""
        return self._type

    def init(self, key: Any, value: Any) -> None:
        """Store a value, or one for each of several keys.

        Raises:
            ArgumentError: A key is already there, or of another type than the others.
        """
        for k, values in _pairs(key, value):
            if k in self._store:
                raise ArgumentError(
                    f"KVStore.init: duplicate init of key {k}: expected a new key, got key={k!r}. "
                    "Please double check if you called kv.init or kv.broadcast with this key multiple times."
                )
            known = next(iter(self._store), k)
            if type(known) is not type(k):
                raise ArgumentError(
                    f"KVStore.init: Mixed key types are not allowed: expected {type(known).__name__}, got key={k!r}."
                )
            self._store[k] = values[0].copy()

    def push(self, key: Any, value: Any, priority: int = 0) -> None:
        """Add up the arrays of each key, and store the sum or update the stored array with it.

        Args:
            key: A key, or several.
            value: An array, one on each device, or such for each key.
            priority: Accepted; everything is done at once.

        Raises:
            ArgumentError: A key was not initialized, or a shape differs.
        """
        keys, sums = [], []
        for k, values in _pairs(key, value):
            stored = self._stored(k)
            for i, array in enumerate(values):
                if array.shape != stored.shape:
                    raise ArgumentError(f"KVStore.push: key {k}: expected shape {stored.shape}, got {array.shape}.")
                if self._compression is not None and array.stype == "default":
                    values[i] = array._like(self._compression(k, i, array._plain()))
            keys.append(k)
            sums.append(add_up(values))
        if isinstance(self._updater, Updater):
            for context in dict.fromkeys(self._store[k].context for k in keys):
                here = [i for i, k in enumerate(keys) if self._store[k].context == context]
                grads = [sums[i].as_in_context(context) for i in here]
                self._updater([keys[i] for i in here], grads, [self._store[keys[i]] for i in here])
            return
        for k, total in zip(keys, sums, strict=True):
            if self._updater is not None:
                self._updater(k, total, self._store[k])
            else:
                self._replace(k, total)

    def pull(self, key: Any, out: Any = None, priority: int = 0, ignore_sparse: bool = True) -> None:
        """Copy the stored array of each key into every array of `out`.

        Args:
            key: A key, or several.
            out: An array, several, or such for each key.
            priority: Accepted; everything is done at once.
            ignore_sparse: Whether sparse arrays of `out` are left as they are.

        Raises:
            ArgumentError: A key was not initialized, a shape differs, or `out` is None.
        """
        if out is None:
            raise ArgumentError("KVStore.pull: expected an array or several, got out=None.")
        for k, targets in _pairs(key, out):
            copy_to(self._stored(k), [t for t in targets if not ignore_sparse or t.stype == "default"])

    def pushpull(self, key: Any, value: Any, out: Any = None, priority: int = 0) -> None:
        """Push `value`, then pull into `out`, or into `value` if None."""
        self.push(key, value, priority)
        self.pull(key, value if out is None else out, priority, ignore_sparse=False)

    def broadcast(self, key: Any, value: Any, out: Any, priority: int = 0) -> None:
        """Initialize keys and copy their values into every array of `out`."""
        self.init(key, value)
        self.pull(key, out, priority)

    def row_sparse_pull(self, key: Any, out: Any = None, priority: int = 0, row_ids: Any = None) -> None:
        """Copy rows of the stored row_sparse array of each key into every array of `out`; their other rows become 0.

        Args:
            key: A key, or several.
            out: A RowSparseNDArray, several, or such for each key.
            priority: Accepted; everything is done at once.
            row_ids: Rows, an NDArray of any shape: one for all arrays of `out`, or as many as there are.

        Raises:
            ArgumentError: `out` or `row_ids` is missing, or they do not pair up.
            StorageError: The stored array, or one of `out`, is not row_sparse.
        """
        if out is None or row_ids is None:
            raise ArgumentError("KVStore.row_sparse_pull: expected arrays and rows, got out=None or row_ids=None.")
        pairs = _pairs(key, out)
        rows = [row_ids] if len(pairs) == 1 else row_ids
        if len(pairs) > 1 and isinstance(row_ids, NDArray):
            rows = [row_ids] * len(pairs)
        for (k, targets), wanted in zip(pairs, rows, strict=True):
            stored = self._stored(k)
            each = as_list(wanted)
            if len(each) == 1:
                each = each * len(targets)
            if len(each) != len(targets):
                raise ArgumentError(
                    f"KVStore.row_sparse_pull: key {k}: expected rows for each of {len(targets)} arrays, got "
                    f"{len(each)}."
                )
            for target, ids in zip(targets, each, strict=True):
                if not isinstance(stored, RowSparseNDArray) or not isinstance(target, RowSparseNDArray):
                    raise StorageError(
                        f"KVStore.row_sparse_pull: key {k}: wrong storage type: expected row_sparse, got "
                        f"{stored.stype} stored and out {target.stype}. Use pull."
                    )
                stored.detach().retain(ids.as_in_context(stored.context)).copyto(target)

    def set_gradient_compression(self, compression_params: Mapping[str, Any]) -> None:
        """Compress what each device pushes.

        Args:
            compression_params: See `compression.TwoBit`.

        Raises:
            MXNetError: The type of the kvstore has none: expected `"device"`.
            ArgumentError: The parameters are wrong.
        """
        if "device" not in self._type:
            raise MXNetError(
                "Gradient compression is not supported for this type of kvstore: expected 'device', got "
                f"{self._type!r}."
            )
        self._compression = TwoBit(compression_params)

    def set_optimizer(self, optimizer: Optimizer) -> None:
        """Update stored arrays with an optimizer at each push."""
        self._updater = get_updater(optimizer)

    def _set_updater(self, updater: Callable[[Key, NDArray, NDArray], None]) -> None:
        """Call `updater(key, sum, stored)` at each push, which changes `stored` in place."""
        self._updater = updater

    def save_optimizer_states(self, fname: str, dump_optimizer: bool = False) -> None:
        """Write the optimizer's states to a safetensors file.

        Args:
            fname: The file.
            dump_optimizer: Whether to write the optimizer's settings too.

        Raises:
            ArgumentError: No optimizer is set.
        """
        write_bytes_atomic(fname, self._own_updater("save").get_states(dump_optimizer))

    def load_optimizer_states(self, fname: str) -> None:
        """Read the optimizer's states from a safetensors file.

        Raises:
            ArgumentError: No optimizer is set.
            FormatError: The file is no such file.
        """
        self._own_updater("load").set_states(read_bytes(fname, STATES_LIMIT), str(fname))

    def _own_updater(self, what: str) -> Updater:
        if not isinstance(self._updater, Updater):
            raise ArgumentError(f"KVStore: cannot {what} states: expected an optimizer, got none. Call set_optimizer.")
        return self._updater

    def _replace(self, key: Key, value: NDArray) -> None:
        """Store a copy in the storage type of what is stored."""
        stored = self._store[key]
        if stored.stype != value.stype:
            value.copyto(stored)
        else:
            self._store[key] = value.copy()

    def _stored(self, key: Key) -> NDArray:
        found = self._store.get(key)
        if found is None:
            raise ArgumentError(
                f"KVStore: key {key} has not been inited: expected one of {list(self._store)[:10]}, got key={key!r}."
            )
        return found


def create(name: str = "local") -> KVStoreBase:
    """Return a kvstore of a type.

    Args:
        name: `"local"` or `"device"` (the same here: sums are made on the first device), or a registered class's name.

    Raises:
        TypeError: `name` is not a str.
        MXNetError: The type is unknown, or a distributed one.
    """
    if not isinstance(name, str):
        raise TypeError(f"kvstore.create: name must be a string: got {type(name).__name__}.")
    name = name.lower()
    if name in KVStoreBase.kv_registry:
        return KVStoreBase.kv_registry[name]()
    if name.startswith(("dist", "horovod", "byteps", "p3")):
        raise MXNetError(
            f"kvstore.create: training on several machines is not built yet: expected one of {', '.join(LOCAL_TYPES)}, "
            f"got name={name!r}. Use 'device' on one machine."
        )
    if name not in LOCAL_TYPES:
        raise MXNetError(f"kvstore.create: unknown type: expected one of {', '.join(LOCAL_TYPES)}, got name={name!r}.")
    return KVStore(name)


def _pairs(key: Any, value: Any) -> list[tuple[Key, list[NDArray]]]:
    """Return each key with the list of its arrays."""
    if not isinstance(key, (list, tuple)):
        return [(_checked(key), as_list(value))]
    if not isinstance(value, (list, tuple)) or len(value) % len(key):
        raise ArgumentError(
            f"KVStore: expected arrays for each of {len(key)} keys, got "
            f"{len(value) if isinstance(value, (list, tuple)) else type(value).__name__}."
        )
    return [(_checked(k), as_list(v)) for k, v in zip(key, value, strict=True)]


def _checked(key: Any) -> Key:
    if not isinstance(key, (int, str)):
        raise ArgumentError(f"KVStore: expected an int or a str, got key={key!r}.")
    return key
