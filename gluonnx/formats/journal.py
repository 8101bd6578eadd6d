"""Publications of several files that survive a killed process: journals beside the files, and locks.

File systems rename one file at a time. Before the first rename of several, a journal that names all of them is put
beside each target; after the last one it is taken away. Whoever reads or writes one of the targets looks for its
journal first: if its writer is gone, the renames that are left are done then, because the new files are complete.

A journal is JSON: `renames`, the name of each target with the hidden name of its new content, all in one folder. It is
named after the target it belongs to. A journal may come with a folder from elsewhere, so only plain names are followed,
and only hidden files of ours are moved.
"""

import hashlib
import json
import os
import re
import secrets
import stat
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from gluonnx.errors import FileAccessError

try:
    import fcntl
except ImportError:  # Windows, where a file that is open cannot be renamed and there is nothing to lock
    fcntl = None  # type: ignore[assignment]

__all__ = [
    "Journal",
    "folder_lock",
    "is_abandoned",
    "lock_file",
    "random_name",
    "settle",
    "staging_name",
    "sweep",
    "sync_folder",
]

PREFIX = ".gluonnx-"
STAGED_SUFFIX, JOURNAL_SUFFIX = ".tmp", ".journal"
MAX_JOURNAL_BYTES = 1 << 16
_STAGED = re.compile(rf"{re.escape(PREFIX)}[0-9a-f]{{16}}{re.escape(STAGED_SUFFIX)}")


class Journal:
    """The journal of one publication: several targets in one folder.

    Args:
        renames: Targets with the paths of their new content, all in one folder.
    """

    __slots__ = ("_paths",)

    def __init__(self, renames: Mapping[Path, Path]) -> None:
        """Write the journal, once for each target, so that each leads to all.

        Raises:
            OSError: The folder is not writable, or full.
        """
        folder = next(iter(renames)).parent
        text = json.dumps({"renames": {target.name: staged.name for target, staged in renames.items()}})
        self._paths = [_journal_path(target) for target in renames]
        first, copy = folder / random_name(), folder / random_name()
        try:
            with first.open("xb") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
            for path in self._paths:
                try:
                    copy.hardlink_to(first)
                except OSError:  # a file system without hard links
                    copy.write_bytes(first.read_bytes())
                copy.replace(path)
        except BaseException:
            self.remove()
            raise
        finally:
            first.unlink(missing_ok=True)
            copy.unlink(missing_ok=True)
        sync_folder(folder)

    def remove(self) -> None:
        """Take the journal away: all is renamed, or all is undone."""
        for path in self._paths:
            path.unlink(missing_ok=True)


def settle(path: Path) -> None:
    """Finish the publication that `path` is part of, if the process that began it is gone.

    Waits while that process is still at it.

    Raises:
        FileAccessError: Some files of the publication are new and some old, and it cannot be finished here.
    """
    target = Path(os.path.realpath(path))
    if not target.name or not os.path.lexists(_journal_path(target)):
        return
    with folder_lock(target.parent) as is_locked:
        if is_locked:
            finish(_journal_path(target))


def finish(journal: Path) -> None:
    """Do the renames of a journal, for a caller that holds the folder's lock.

    Raises:
        FileAccessError: As `settle`.
    """
    renames = _read(journal)
    left = [(t, s) for t, s in renames.items() if _is_plain_file(s)]
    # Killed while the journals were written: nothing is renamed, and who reads a target without one sees the old file.
    is_begun = len(left) < len(renames) or all(_journal_path(t).exists() for t in renames)
    try:
        for other, staged in left:
            if is_begun:
                staged.replace(other)
            else:
                staged.unlink()
        for other in renames:
            _journal_path(other).unlink(missing_ok=True)
        journal.unlink(missing_ok=True)
    except OSError as err:
        left = [(t, s) for t, s in left if _is_plain_file(s)]
        if not left or len(left) == len(renames):
            return  # all are new, or all are old
        old = [t.name for t, _ in left]
        new = [t.name for t in renames if t.name not in old]
        raise FileAccessError(
            f"{journal.parent}: the writer of some files was stopped before all of them were in place: expected files "
            f"of one model, got new {', '.join(new)} and old {', '.join(old)}; the system says "
            f"`{err.strerror or err}`. Make the folder writable and read them again, or write the files again.",
            err.errno,
        ) from err


def sweep(folder: Path, kept: Collection[Path]) -> None:
    """Finish what killed processes left in a folder, and remove their hidden files; for who holds the folder's lock.

    Args:
        folder: The folder.
        kept: Hidden files that stay.

    Raises:
        FileAccessError: As `settle`.
    """
    hidden = [p for p in folder.iterdir() if p.name.startswith(PREFIX)]
    for path in hidden:
        if path.name.endswith(JOURNAL_SUFFIX):
            finish(path)
    for path in hidden:
        if _STAGED.fullmatch(path.name) and path not in kept and is_abandoned(path):
            path.unlink(missing_ok=True)


def staging_name(target: Path) -> str:
    """Return the hidden name under which `target` is written.

    It is the same each time, so that the next writer finds what a killed one left. A journal names files that have
    `random_name`, so that an old journal never means a newer file.
    """
    return f"{PREFIX}{_digest(target.name)}{STAGED_SUFFIX}"


def random_name() -> str:
    """Return a hidden name that no file has."""
    return f"{PREFIX}{secrets.token_hex(8)}{STAGED_SUFFIX}"


@contextmanager
def folder_lock(folder: Path) -> Iterator[bool]:
    """Let one process at a time publish in a folder; gives False where the system has no such lock."""
    descriptor = -1
    is_locked = False
    try:
        if fcntl is not None:
            with suppress(OSError):
                descriptor = os.open(folder, os.O_RDONLY)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                is_locked = True
        yield is_locked
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def lock_file(descriptor: int) -> int | None:
    """Mark an open file as being written, for as long as the descriptor that is returned is open; None without locks.

    A process that ends, however it does, lets go of it.
    """
    if fcntl is None:
        return None
    held = os.dup(descriptor)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        return None
    return held


def is_abandoned(path: Path) -> bool:
    """Whether a hidden file was left by a process that is gone."""
    if fcntl is None:
        return False
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.fstat(descriptor).st_ino == path.lstat().st_ino
    except OSError:
        return False
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    with suppress(OSError):  # Windows and some network file systems cannot sync a folder
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _read(journal: Path) -> dict[Path, Path]:
    """Return the renames of a journal; none if it is gone, or no journal of ours."""
    try:
        with journal.open("rb") as file:
            text = file.read(MAX_JOURNAL_BYTES)
        renames = json.loads(text)["renames"].items()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
    found: dict[Path, Path] = {}
    for target, staged in renames:
        if not (isinstance(staged, str) and _STAGED.fullmatch(staged)) or Path(target).name != target:
            return {}
        found[journal.with_name(target)] = journal.with_name(staged)
    return found


def _is_plain_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def _journal_path(target: Path) -> Path:
    return target.with_name(f"{PREFIX}{_digest(target.name)}{JOURNAL_SUFFIX}")


def _digest(name: str) -> str:
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
