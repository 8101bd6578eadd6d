"""Files that appear whole or not at all, and reads with a limit."""

import errno
import io
import os
import re
import stat
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from gluonnx.errors import FileAccessError, FormatError
from gluonnx.formats.journal import (
    Journal,
    folder_lock,
    is_abandoned,
    lock_file,
    random_name,
    settle,
    staging_name,
    sweep,
    sync_folder,
)

__all__ = ["FileSet", "atomic_write", "publish", "read_bytes", "write_bytes_atomic"]

CANNOT_READ = "cannot be read"
"""What an error says of a file to be read."""


class FileSet:
    """Several files that are published together, or not at all.

    Each file is written beside its target under a hidden name. Leaving the `with` block normally flushes them all to
    the disk and renames them; leaving it by an exception removes them. If a rename fails, the files renamed before it
    get their old content back. If the process is killed between two renames, whoever reads or writes one of the files
    next does the others (`gluonnx.formats.journal`). What a killed process leaves under a hidden name before that, the
    next writer of the same file removes.

        with FileSet() as files:
            files.create("net-symbol.json").write(text)
            files.create("net-0000.params").write(data)

    A target that is a symbolic link is followed; the permissions of a file that is replaced are kept.
    """

    __slots__ = ("_outdated", "_staged")

    def __init__(self) -> None:
        self._staged: dict[Path, _Staged] = {}
        self._outdated: list[tuple[Path, re.Pattern[str]]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._publish()
        finally:
            self._discard()

    def create(self, path: str | os.PathLike[str]) -> BinaryIO:
        """Open a new file that will become `path`.

        Raises:
            FileAccessError: The folder is missing or not writable, or `path` is a folder or a device. A failing write
                to the returned file (a full disk) raises it too.
            ValueError: `path` is already in the set.
        """
        target = _target(Path(path))
        if target in self._staged:
            raise ValueError(f"{path}: written twice in one set: expected each path once.")
        staged = _open_beside(target)
        self._staged[target] = staged
        return staged.file

    def retarget(self, path: str | os.PathLike[str], name: str) -> Path:
        """Give the file created for `path` another name in the same folder, where its content decides the name.

        Returns:
            The new path.

        Raises:
            KeyError: No file was created for `path`.
            FileAccessError: The new path is a folder or a device, or a protected file.
        """
        target = _target(Path(path))
        renamed = target.with_name(name)
        _check_replaceable(renamed)
        self._staged[renamed] = self._staged.pop(target)
        return Path(path).with_name(name)

    def outdate(self, folder: str | os.PathLike[str], names: re.Pattern[str]) -> None:
        """Remove the files of a folder whose whole names match once the set is published, but those of the set."""
        self._outdated.append((_target(Path(folder)), names))

    def staged_path(self, path: str | os.PathLike[str]) -> Path:
        """Flush the file created for `path` and tell where its bytes are now, to check them before they are published.

        Raises:
            KeyError: No file was created for `path`.
        """
        staged = self._staged[_target(Path(path))]
        if not staged.file.closed:
            staged.file.flush()
        return staged.path

    def _publish(self) -> None:
        for target, staged in self._staged.items():
            with failing(target, "cannot be written"):
                staged.sync()
        folders = list(dict.fromkeys(target.parent for target in self._staged))
        with ExitStack() as locks:
            # In one order, so that two processes never wait for each other.
            is_locked = [locks.enter_context(folder_lock(folder)) for folder in sorted(folders)]
            if len(self._staged) == 1:
                self._rename(None)
            else:
                self._rename_together(has_journal=len(folders) == 1 and all(is_locked))
            for folder, names in self._outdated:
                _remove_matching(folder, names, set(self._staged))
        for folder in folders:
            sync_folder(folder)

    def _rename_together(self, *, has_journal: bool) -> None:
        journal: Journal | None = None
        for target, staged in self._staged.items():
            with failing(target, "cannot be replaced"):
                staged.path = staged.path.replace(target.parent / random_name())
        if has_journal:
            folder = next(iter(self._staged)).parent
            with failing(folder, CANNOT_READ):
                sweep(folder, {staged.path for staged in self._staged.values()})
        published: list[tuple[Path, Path | None]] = []
        try:
            if has_journal:
                with failing(next(iter(self._staged)), "cannot be replaced"):
                    journal = Journal({target: staged.path for target, staged in self._staged.items()})
            self._rename(published)
        except BaseException:
            for target, old in reversed(published):
                _put_back(target, old, is_new=not self._staged[target].path.exists())
            raise
        finally:
            if journal is not None:
                journal.remove()
        for _, old in published:
            if old is not None:
                old.unlink()

    def _rename(self, published: list[tuple[Path, Path | None]] | None) -> None:
        """Rename every file; keep the old content of those before in `published`, if it is given."""
        for target, staged in self._staged.items():
            with failing(target, "cannot be replaced"):
                if published is not None:
                    published.append((target, _keep_old(target)))
                staged.path.replace(target)

    def _discard(self) -> None:
        for staged in self._staged.values():
            staged.discard()
        self._staged.clear()


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Give a binary file that becomes `path` when the block ends, and vanishes if the block raises.

    Raises:
        FileAccessError: As `FileSet.create`.
    """
    with FileSet() as files:
        yield files.create(path)


def write_bytes_atomic(path: str | os.PathLike[str], data: bytes | bytearray | memoryview) -> None:
    """Make `path` hold exactly `data`, or leave it as it was and raise `FileAccessError`."""
    with atomic_write(path) as file:
        file.write(data)


def publish(writers: Mapping[Path, Callable[[BinaryIO], object]]) -> None:
    """Write every path with its writer; all the files appear, or none.

    Raises:
        FileAccessError: As `FileSet.create`. Whatever a writer raises passes through.
    """
    with FileSet() as files:
        for path, write in writers.items():
            write(files.create(path))


def read_bytes(path: str | os.PathLike[str], limit: int) -> bytes:
    """Read a whole file of at most `limit` bytes.

    Raises:
        FileAccessError: The file is missing, a folder, or not readable.
        FormatError: The file is larger than `limit`.
    """
    settle(Path(path))
    with failing(Path(path), CANNOT_READ), Path(path).open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        chunks: list[bytes] = []
        if size <= limit:
            size = 0
            while chunk := file.read(min(1 << 20, limit + 1 - size)):
                chunks.append(chunk)
                size += len(chunk)
    if size > limit:
        raise FormatError(f"{path}: file too large: expected at most {limit} bytes, got size_bytes={size}.")
    return b"".join(chunks)


class _CheckedFile(io.FileIO):
    """A raw file whose failing writes name the file the user asked for."""

    def __init__(self, descriptor: int, target: Path) -> None:
        super().__init__(descriptor, "wb")
        self._target = target

    def write(self, data: object, /) -> int:
        with failing(self._target, "cannot be written"):
            return super().write(data)  # type: ignore[arg-type]


@dataclass(slots=True)
class _Staged:
    """A file on its way to a target: the open file, the hidden path it has until then, and the lock on it."""

    file: BinaryIO
    path: Path
    lock: int | None

    def sync(self) -> None:
        if self.file.closed:
            descriptor = os.open(self.path, os.O_RDWR)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        else:
            self.file.flush()
            os.fsync(self.file.fileno())
            self.file.close()

    def discard(self) -> None:
        """Close the file, remove it if it still has its hidden path, let go of the lock."""
        with suppress(OSError):
            self.file.close()
        with suppress(OSError):
            self.path.unlink()
        if self.lock is not None:
            os.close(self.lock)
            self.lock = None


def _target(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _open_beside(target: Path) -> _Staged:
    """Create a new hidden file in the folder of `target`, with the permissions `target` has or would get."""
    with failing(target, "cannot be written"):
        settle(target)
        mode = _check_replaceable(target)
        path, descriptor, lock = _create(target)
        staged = _Staged(io.BufferedWriter(_CheckedFile(descriptor, target)), path, lock)
        try:
            if mode is not None:
                path.chmod(stat.S_IMODE(mode))
        except BaseException:
            staged.discard()
            raise
        return staged


def _check_replaceable(target: Path) -> int | None:
    """Return the mode of the file that is to be replaced, None if there is none.

    Raises:
        FileAccessError: There is something that is no file, or a protected one.
    """
    with failing(target, "cannot be written"):
        try:
            mode = target.stat().st_mode
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(mode):
            kind = "a folder" if stat.S_ISDIR(mode) else "a device or pipe"
            raise FileAccessError(f"{target}: cannot be replaced: expected a file, got {kind}. Choose another path.")
        if not os.access(target, os.W_OK):
            raise FileAccessError(
                f"{target}: cannot be replaced: expected a writable file, got mode={stat.filemode(mode)}. "
                f"Change its permissions or choose another path.",
                errno.EACCES,
            )
        return mode


def _create(target: Path) -> tuple[Path, int, int | None]:
    """Create a new hidden file beside `target` and lock it; one that a killed writer of `target` left makes way."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    while True:
        path = target.parent / staging_name(target)
        if is_abandoned(path):
            path.unlink(missing_ok=True)
        try:
            descriptor = os.open(path, flags, 0o666)
        except FileExistsError:  # another process writes the same file at this moment
            path = target.parent / random_name()
            descriptor = os.open(path, flags, 0o666)
        lock = lock_file(descriptor)
        if lock is None or os.fstat(descriptor).st_nlink:
            return path, descriptor, lock
        os.close(lock)  # another process took it for abandoned, before it was locked
        os.close(descriptor)


def _remove_matching(folder: Path, names: re.Pattern[str], kept: Collection[Path]) -> None:
    with suppress(OSError):  # what is left over takes space, no more
        for path in folder.iterdir():
            if names.fullmatch(path.name) and path not in kept:
                path.unlink()


def _keep_old(target: Path) -> Path | None:
    """Give the present content of `target` a second name, if there is any."""
    if not target.exists():
        return None
    old = target.parent / random_name()
    try:
        old.hardlink_to(target)
    except OSError:  # a file system without hard links: the target is missing until its replacement arrives
        target.rename(old)
    return old


def _put_back(target: Path, old: Path | None, *, is_new: bool) -> None:
    """Undo one publication: the old content returns, or the new file goes."""
    with suppress(OSError):  # the error that brought us here is the one to report
        if old is not None:
            if is_new or not target.exists():
                old.replace(target)
            else:
                old.unlink()
        elif is_new:
            target.unlink()


@contextmanager
def failing(path: Path, what: str) -> Iterator[None]:
    """Turn an OSError into a FileAccessError that says which file and what to do."""
    try:
        yield
    except FileAccessError:
        raise
    except FileNotFoundError as err:
        missing = path if path.parent.is_dir() else path.parent
        kind = "file" if missing == path else "folder"
        remedy = "Create the folder first" if kind == "folder" and what != CANNOT_READ else "Check the path"
        raise FileAccessError(f"{path}: {what}: expected a {kind} {missing}, got none. {remedy}.", err.errno) from err
    except OSError as err:
        reason = err.strerror or str(err)
        checks = "permissions" if what == CANNOT_READ else "permissions and free space"
        remedy = "Name a file in it" if isinstance(err, IsADirectoryError) else f"Check the {checks} of {path.parent}"
        raise FileAccessError(f"{path}: {what}: the system says `{reason}`. {remedy}.", err.errno) from err
