import errno
import os
import stat
import threading
from pathlib import Path

import pytest

from gluonnx.errors import FileAccessError, FormatError
from gluonnx.formats.files import FileSet, atomic_write, open_regular, publish, read_bytes, write_bytes_atomic

not_root = pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="permissions do not bind this user")


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class TestAtomicWrite:
    def test_appears_when_the_block_ends(self, tmp_path):
        with atomic_write(tmp_path / "a") as file:
            file.write(b"one")
            file.write(b"two")
            assert not (tmp_path / "a").exists()
        assert contents(tmp_path) == {"a": b"onetwo"}

    @pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
    @pytest.mark.parametrize("old", [{}, {"a": b"old"}])
    def test_an_error_leaves_the_old_file(self, tmp_path, error, old):
        def interrupted():
            with atomic_write(tmp_path / "a") as file:
                file.write(b"new")
                file.flush()
                raise error

        for name, data in old.items():
            (tmp_path / name).write_bytes(data)
        with pytest.raises(error):
            interrupted()
        assert contents(tmp_path) == old

    def test_a_file_closed_by_its_writer_is_kept(self, tmp_path):
        with atomic_write(tmp_path / "a") as file:
            file.write(b"done")
            file.close()
        assert contents(tmp_path) == {"a": b"done"}

    def test_permissions(self, tmp_path):
        old = os.umask(0o027)
        try:
            write_bytes_atomic(tmp_path / "new", b"x")
            write_bytes_atomic(tmp_path / "kept", b"x")
            (tmp_path / "kept").chmod(0o604)
            write_bytes_atomic(tmp_path / "kept", b"y")
        finally:
            os.umask(old)
        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640
        assert stat.S_IMODE((tmp_path / "kept").stat().st_mode) == 0o604

    def test_a_link_is_followed(self, tmp_path):
        (tmp_path / "folder").mkdir()
        (tmp_path / "link").symlink_to(tmp_path / "folder" / "real")
        write_bytes_atomic(tmp_path / "link", b"x")
        assert (tmp_path / "link").is_symlink()
        assert contents(tmp_path / "folder") == {"real": b"x"}

    def test_relative_path(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        write_bytes_atomic("a", b"x")
        assert contents(tmp_path) == {"a": b"x"}

    def test_missing_folder(self, tmp_path):
        with pytest.raises(FileAccessError, match=r"no/a: cannot .*: expected a folder .*/no, got none") as caught:
            write_bytes_atomic(tmp_path / "no" / "a", b"x")
        assert caught.value.errno == errno.ENOENT
        assert isinstance(caught.value, OSError)

    def test_folder_is_a_file(self, tmp_path):
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(FileAccessError, match=r"file/a: .*the system says `Not a directory`") as caught:
            write_bytes_atomic(tmp_path / "file" / "a", b"x")
        assert caught.value.errno == errno.ENOTDIR

    def test_target_is_a_folder(self, tmp_path):
        (tmp_path / "a").mkdir()
        with pytest.raises(FileAccessError, match=r"a: cannot be replaced: expected a file, got a folder"):
            write_bytes_atomic(tmp_path / "a", b"x")

    @pytest.mark.skipif(not Path(os.devnull).exists(), reason="no null device")
    def test_a_device_is_not_replaced(self):
        with pytest.raises(FileAccessError, match="got a device or pipe"):
            write_bytes_atomic(os.devnull, b"x")

    @not_root
    def test_folder_not_writable(self, tmp_path):
        (tmp_path / "locked").mkdir(mode=0o555)
        with pytest.raises(FileAccessError, match=r"Permission denied.*Check the permissions") as caught:
            write_bytes_atomic(tmp_path / "locked" / "a", b"x")
        assert caught.value.errno == errno.EACCES

    def test_a_failing_open_says_which_file(self, tmp_path, monkeypatch):
        def deny(*args):
            raise PermissionError(errno.EACCES, "Permission denied")

        monkeypatch.setattr(os, "open", deny)
        with pytest.raises(FileAccessError, match=r"a: cannot be written: .*`Permission denied`") as caught:
            write_bytes_atomic(tmp_path / "a", b"x")
        assert caught.value.errno == errno.EACCES
        assert contents(tmp_path) == {}

    def test_a_protected_file_is_not_replaced(self, tmp_path, monkeypatch):
        write_bytes_atomic(tmp_path / "a", b"old")
        monkeypatch.setattr(os, "access", lambda path, mode: False)
        with pytest.raises(FileAccessError, match=r"expected a writable file, got mode=-rw-"):
            write_bytes_atomic(tmp_path / "a", b"new")
        assert contents(tmp_path) == {"a": b"old"}

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
    def test_a_full_disk_names_the_file(self, tmp_path, monkeypatch):
        real_open = os.open

        def full(path, flags, mode=0o777):
            if str(path).endswith(".tmp"):
                real = real_open(path, flags, mode)
                os.close(real)
                return real_open("/dev/full", os.O_RDWR)
            return real_open(path, flags, mode)

        monkeypatch.setattr(os, "open", full)
        with pytest.raises(FileAccessError, match=r"a: cannot be written: .*No space left") as caught:
            write_bytes_atomic(tmp_path / "a", b"x" * 100_000)
        assert caught.value.errno == errno.ENOSPC
        with pytest.raises(FileAccessError, match=r"a: cannot be written: .*No space left"):
            write_bytes_atomic(tmp_path / "a", b"x")
        assert contents(tmp_path) == {}


class TestFileSet:
    def test_all_appear_together(self, tmp_path):
        with FileSet() as files:
            for name in "abc":
                files.create(tmp_path / name).write(name.encode())
            assert not {"a", "b", "c"} & set(contents(tmp_path))
        assert contents(tmp_path) == {"a": b"a", "b": b"b", "c": b"c"}

    def test_a_staged_file_can_be_checked_first(self, tmp_path):
        with FileSet() as files:
            files.create(tmp_path / "a").write(b"abc")
            assert files.staged_path(tmp_path / "a").read_bytes() == b"abc"
            with pytest.raises(KeyError):
                files.staged_path(tmp_path / "b")

    def test_a_failing_writer_leaves_nothing(self, tmp_path):
        (tmp_path / "a").write_bytes(b"old")

        def fail(file):
            file.write(b"partly")
            raise ValueError("no")

        with pytest.raises(ValueError, match="no"):
            publish({tmp_path / "a": lambda file: file.write(b"new"), tmp_path / "b": fail})
        assert contents(tmp_path) == {"a": b"old"}

    @pytest.mark.parametrize("has_links", [True, False])
    def test_a_failing_rename_restores_the_old_files(self, tmp_path, monkeypatch, has_links):
        (tmp_path / "a").write_bytes(b"old a")
        (tmp_path / "c").write_bytes(b"old c")
        replace = Path.replace
        failed = []

        def fail_once_on_c(self, target):
            if Path(target).name == "c" and not failed:
                failed.append(target)
                raise OSError(errno.EIO, "Input/output error")
            return replace(self, target)

        def no_links(self, target):
            raise OSError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(Path, "replace", fail_once_on_c)
        if not has_links:
            monkeypatch.setattr(Path, "hardlink_to", no_links)
        with pytest.raises(FileAccessError, match=r"c: cannot be replaced: the system says `Input/output error`"):
            publish({tmp_path / name: lambda file: file.write(b"new") for name in "abc"})
        assert contents(tmp_path) == {"a": b"old a", "c": b"old c"}

    def test_all_are_replaced(self, tmp_path):
        for _ in range(2):
            publish({tmp_path / name: lambda file: file.write(b"new") for name in "ab"})
            assert contents(tmp_path) == {"a": b"new", "b": b"new"}

    def test_a_path_twice(self, tmp_path):
        writers = {tmp_path / "a": lambda file: None, tmp_path / "x" / ".." / "a": lambda file: None}
        with pytest.raises(ValueError, match="written twice in one set"):
            publish(writers)
        assert contents(tmp_path) == {}


class TestReadBytes:
    def test_limit(self, tmp_path):
        (tmp_path / "a").write_bytes(b"x" * 10)
        assert read_bytes(tmp_path / "a", 10) == b"x" * 10
        with pytest.raises(FormatError, match=r"a: file too large: expected at most 9 bytes, got size_bytes=10"):
            read_bytes(tmp_path / "a", 9)

    @pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no /dev/zero")
    def test_an_endless_device_is_no_file(self):
        with pytest.raises(FileAccessError, match="/dev/zero: cannot be read: expected a file, got a device"):
            read_bytes("/dev/zero", 1000)

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
    def test_a_pipe_is_read_up_to_the_limit(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(bytes(1001),))
        writer.start()
        with pytest.raises(FormatError, match="expected at most 1000 bytes, got size_bytes=1001"):
            read_bytes(tmp_path / "pipe", 1000)
        writer.join()

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
    def test_a_pipe_that_nobody_writes_to_is_no_regular_file(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(FileAccessError, match=r"pipe: cannot be read: expected a file, got a device, pipe or"):
            open_regular(tmp_path / "pipe")

    def test_missing(self, tmp_path):
        with pytest.raises(FileAccessError, match=r"expected a file .*none, got none. Check the path") as caught:
            read_bytes(tmp_path / "none", 10)
        assert caught.value.errno == errno.ENOENT

    def test_folder(self, tmp_path):
        with pytest.raises(FileAccessError, match="Is a directory"):
            read_bytes(tmp_path, 10)
