"""Optimizer states as a safetensors file: arrays, with their structure and the optimizer's settings as metadata.

The metadata has one key, `gluonnx`, whose JSON text holds

    version     1
    states      list of [index, structure]; a structure is null, the name of an array, or a list of structures
    optimizer   null, or {"name", "attributes", "counts": [[device, [[index, count], ...]], ...], "scheduler"}
    scheduler   null, or {"name", "attributes"}

Source: the safetensors format, https://github.com/huggingface/safetensors: 8 bytes little-endian header length, a JSON
header, the arrays.
"""

import json
import struct
from collections.abc import Mapping
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from gluonnx import lr_scheduler
from gluonnx.errors import ArgumentError, FormatError
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.ops.attributes import shortened
from gluonnx.ops.dtypes import BY_NAME, BY_TORCH
from gluonnx.optimizer.optimizer import Optimizer

__all__ = ["pack_states", "unpack_states"]

VERSION = 1
METADATA_KEY = "gluonnx"
HEADER_LENGTH = struct.Struct("<Q")
PICKLE_STARTS = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"(dp", b"(lp", b"((d")
"""First bytes of pickles of Python dicts and tuples, protocols 0 and 2 to 5."""

NOT_SAVED = frozenset(
    {"lr_scheduler", "lr_mult", "wd_mult", "idx2name", "sym_info", "param_dict", "aggregate_num", "cumgrads"}
    | {"_all_index_update_counts", "_index_update_count", "weight_previous"}
)
"""Attributes of an optimizer that belong to the program, not to the state of the training."""

SCHEDULERS: dict[str, tuple[type[lr_scheduler.LRScheduler], tuple[Any, ...]]] = {
    "FactorScheduler": (lr_scheduler.FactorScheduler, (1,)),
    "MultiFactorScheduler": (lr_scheduler.MultiFactorScheduler, ([1],)),
    "PolyScheduler": (lr_scheduler.PolyScheduler, (1,)),
    "CosineScheduler": (lr_scheduler.CosineScheduler, (1,)),
}
"""Schedulers that are made from a file, with arguments that its attributes then replace."""

MAX_DEPTH = 32
"""Of lists in a state; optimizers have at most 3."""

Plain = int | float | bool | str | None


def pack_states(states: Mapping[Any, Any], optimizer: Optimizer | None) -> bytes:
    """Return states, and the optimizer's settings unless None, as the bytes of a safetensors file.

    Args:
        states: For each index (int or str) None, an NDArray, or nested tuples or lists of them.
        optimizer: The optimizer.

    Raises:
        ArgumentError: A state holds something else.
    """
    arrays: dict[str, torch.Tensor] = {}

    def describe(state: Any, name: str) -> Any:
        if state is None:
            return None
        if isinstance(state, NDArray):
            arrays[name] = state._plain().contiguous().clone()
            return name
        if isinstance(state, (tuple, list)):
            return [describe(part, f"{name}.{i}") for i, part in enumerate(state)]
        raise ArgumentError(
            f"save_states: state {name}: expected None, an NDArray or a tuple of them, got {type(state).__name__}. "
            "Keep other things in attributes of the optimizer."
        )

    described = [[index, describe(state, str(index))] for index, state in states.items()]
    content = {
        "version": VERSION,
        "states": described,
        "optimizer": None if optimizer is None else _describe_optimizer(optimizer),
    }
    return save(arrays, metadata={METADATA_KEY: json.dumps(content, sort_keys=True)})


def unpack_states(data: bytes, optimizer: Optimizer, where: str) -> tuple[dict[Any, Any], Optimizer]:
    """Return the states in the bytes of a file, and the optimizer with the settings that are with them.

    That is the optimizer given, if it is of the class that the states were saved from, else a new one of that class.
    Its scheduler likewise. Nothing is changed if the file is wrong.

    Args:
        data: What `pack_states` returned.
        optimizer: The optimizer so far.
        where: The path, for messages.

    Raises:
        FormatError: A pickle, not a safetensors file, not one of ours, or of an optimizer or scheduler that is not
            known here.
    """
    if data.startswith(PICKLE_STARTS) and not _has_header(data):
        raise FormatError(
            f"{where}: a pickled states file of MXNet: expected a safetensors file, got a Python pickle. Reading a "
            "pickle can run any code, so gluonnx does not; train on from the parameters, or convert the states with "
            "MXNet."
        )
    content = _metadata(data, where)
    try:
        arrays = load(data)
    except (SafetensorError, ValueError, KeyError, AttributeError) as err:
        raise FormatError(f"{where}: damaged safetensors file: {err}") from None

    def restore(structure: Any, depth: int = 0) -> Any:
        if depth > MAX_DEPTH:
            raise FormatError(f"{where}: states nested too deeply: expected at most {MAX_DEPTH} lists in each other.")
        if structure is None:
            return None
        if isinstance(structure, str):
            if structure not in arrays:
                raise FormatError(
                    f"{where}: array {shortened(structure)}: expected it in the file, got {sorted(arrays)[:10]}."
                )
            if arrays[structure].dtype not in BY_TORCH:
                raise FormatError(
                    f"{where}: array {structure!r}: unknown dtype: expected one of {', '.join(BY_NAME)}, got "
                    f"{arrays[structure].dtype}."
                )
            return NDArray(arrays[structure])
        if isinstance(structure, list):
            return tuple(restore(part, depth + 1) for part in structure)
        raise FormatError(f"{where}: expected null, a name or a list as a state, got {shortened(structure)}.")

    states: dict[Any, Any] = {}
    for entry in _typed(content.get("states"), list, "states", where):
        if not isinstance(entry, list) or len(entry) != 2 or not isinstance(entry[0], (int, str)):
            raise FormatError(f"{where}: expected [index, state] in states, got {shortened(entry)}.")
        states[entry[0]] = restore(entry[1])
    described = content.get("optimizer")
    if described is not None:
        optimizer = _restore_optimizer(optimizer, _typed(described, dict, "optimizer", where), where)
    return states, optimizer


def _describe_optimizer(optimizer: Optimizer) -> dict[str, Any]:
    return {
        "name": type(optimizer).__name__,
        "attributes": _plain_attributes(optimizer, NOT_SAVED),
        "counts": [[d, [[i, n] for i, n in c.items()]] for d, c in optimizer._all_index_update_counts.items()],
        "scheduler": None
        if optimizer.lr_scheduler is None
        else {"name": type(optimizer.lr_scheduler).__name__, "attributes": _plain_attributes(optimizer.lr_scheduler)},
    }


def _restore_optimizer(optimizer: Optimizer, described: dict[str, Any], where: str) -> Optimizer:
    if described.get("name") != type(optimizer).__name__:
        optimizer = _made_anew(optimizer, described.get("name"), where)
    attributes = _checked_attributes(optimizer, described, "optimizer", where)
    scheduler, of_scheduler = _described_scheduler(optimizer.lr_scheduler, described.get("scheduler"), where)
    counts: dict[int, dict[Any, int]] = {0: {}}
    try:
        for device, pairs in _typed(described.get("counts"), list, "counts", where):
            counts[int(device)] = {i: int(n) for i, n in pairs}
    except (TypeError, ValueError, OverflowError) as err:
        raise FormatError(f"{where}: expected counts as lists of pairs of numbers: {err}.") from None
    vars(optimizer).update(attributes)
    optimizer.lr_scheduler = scheduler
    if scheduler is not None:
        vars(scheduler).update(of_scheduler)
    optimizer._all_index_update_counts = counts
    optimizer._index_update_count = counts[0]
    return optimizer


def _made_anew(optimizer: Optimizer, name: Any, where: str) -> Optimizer:
    """Return an optimizer of a registered class by its name, for the parameters of another one."""
    klass = Optimizer.opt_registry.get(str(name).lower())
    if klass is None or klass.__name__ != name:
        raise FormatError(
            f"{where}: optimizer: expected states of {type(optimizer).__name__} or of a registered optimizer, got "
            f"name={shortened(name)}. Register its class before the states are read."
        )
    try:
        made = klass()
    except TypeError as err:
        raise FormatError(
            f"{where}: optimizer: {name} needs arguments: {err}. Create the Trainer with the optimizer that the states "
            "were saved from."
        ) from None
    for key in ("idx2name", "sym_info", "param_dict", "lr_mult", "wd_mult", "lr_scheduler"):
        setattr(made, key, getattr(optimizer, key))
    return made


def _described_scheduler(current: Any, described: Any, where: str) -> tuple[Any, dict[str, Any]]:
    """Return the scheduler that the states were saved with, and its attributes."""
    if described is None:
        return None, {}
    described = _typed(described, dict, "scheduler", where)
    name = described.get("name")
    if type(current).__name__ != name:
        if not isinstance(name, str) or name not in SCHEDULERS:
            raise FormatError(
                f"{where}: learning-rate scheduler: expected {type(current).__name__ if current else 'none'} as the "
                f"optimizer has, or one of {', '.join(SCHEDULERS)}, got {shortened(name)}. Create the Trainer with the "
                "same lr_scheduler."
            )
        klass, arguments = SCHEDULERS[name]
        current = klass(*arguments)
    return current, _checked_attributes(current, described, "lr_scheduler", where)


def _checked_attributes(target: Any, described: dict[str, Any], what: str, where: str) -> dict[str, Any]:
    """Return the stored attributes of an object, which must have each of them."""
    attributes: dict[str, Any] = _typed(described.get("attributes"), dict, "attributes", where)
    own = vars(target)
    for name, value in attributes.items():
        if name not in own or name in NOT_SAVED or not _is_plain(value):
            raise FormatError(
                f"{where}: {what}: expected settings of {type(target).__name__}, got "
                f"{shortened(name)}={shortened(value)}."
            )
        if not _is_alike(value, own[name]):
            raise FormatError(
                f"{where}: {what}: setting of the wrong type: expected {name} like {shortened(own[name])}, got "
                f"{name}={shortened(value)}."
            )
    return attributes


def _plain_attributes(target: Any, leave: frozenset[str] = frozenset()) -> dict[str, Any]:
    return {k: v for k, v in vars(target).items() if k not in leave and _is_plain(v)}


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(isinstance(v, (int, float)) for v in value)
    return isinstance(value, Plain)


def _is_alike(value: Any, current: Any) -> bool:
    """Whether a stored setting may stand for the present one: of its kind, or where one of them is not set."""
    if value is None or current is None or not _is_plain(current):
        return True
    kinds = [str if isinstance(v, str) else list if isinstance(v, list) else float for v in (value, current)]
    return kinds[0] is kinds[1]


def _has_header(data: bytes) -> bool:
    """Whether the first bytes can be those of a safetensors file; a header's length may look like a pickle's start."""
    if len(data) <= HEADER_LENGTH.size:
        return False
    (length,) = HEADER_LENGTH.unpack_from(data)
    return data[HEADER_LENGTH.size : HEADER_LENGTH.size + 1] == b"{" and length <= len(data) - HEADER_LENGTH.size


def _metadata(data: bytes, where: str) -> dict[str, Any]:
    """Return our metadata from the header."""
    fault = f"{where}: not a states file: expected a safetensors file written by save_states"
    if len(data) < HEADER_LENGTH.size:
        raise FormatError(f"{fault}, got {len(data)} bytes.")
    (length,) = HEADER_LENGTH.unpack_from(data)
    if length > len(data) - HEADER_LENGTH.size:
        raise FormatError(f"{fault}, got a header of {length} bytes in a file of {len(data)}.")
    try:
        header = json.loads(data[HEADER_LENGTH.size : HEADER_LENGTH.size + length])
        content = json.loads(header["__metadata__"][METADATA_KEY])
    except (ValueError, KeyError, TypeError, RecursionError) as err:
        raise FormatError(f"{fault}, got a header without our metadata ({type(err).__name__}).") from None
    if not isinstance(content, dict) or content.get("version") != VERSION:
        version = content.get("version") if isinstance(content, dict) else None
        raise FormatError(f"{fault} of version {VERSION}, got version={shortened(version)}. Update gluonnx.")
    return content


def _typed(value: Any, kind: type, name: str, where: str) -> Any:
    if not isinstance(value, kind):
        raise FormatError(f"{where}: {name}: expected a {kind.__name__}, got {type(value).__name__}.")
    return value
