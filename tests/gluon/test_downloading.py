"""Downloads from a server on this machine: whole and right, or not there."""

import hashlib
import http.server
import io
import threading
import time

import pytest

from gluonnx.errors import ArgumentError, DownloadError, FileAccessError
from gluonnx.gluon import downloading
from gluonnx.gluon.utils import check_sha1, download

CONTENT = bytes(range(256)) * 40
SHA1 = hashlib.sha1(CONTENT).hexdigest()
OTHER_SHA1 = hashlib.sha1(b"other").hexdigest()


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.requests.append(self.path)
        if len(server.requests) <= server.failures:
            self.send_error(503)
            return
        if self.path.startswith("/missing"):
            self.send_error(404)
            return
        self.send_response(200)
        if server.promised is not None:
            self.send_header("Content-Length", str(server.promised))
        self.end_headers()
        self.wfile.write(CONTENT)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.requests, server.failures, server.promised = [], 0, len(CONTENT)
        server.url = f"http://127.0.0.1:{server.server_port}/"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_file_is_downloaded_into_a_folder(server, tmp_path):
    path = download(server.url + "net.params", tmp_path)
    assert path == str(tmp_path / "net.params")
    assert (tmp_path / "net.params").read_bytes() == CONTENT
    assert [p.name for p in tmp_path.iterdir()] == ["net.params"]


def test_a_file_is_downloaded_into_the_working_folder(server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert download(server.url + "net.params") == "net.params"
    assert (tmp_path / "net.params").read_bytes() == CONTENT


def test_folders_are_made_and_home_is_expanded(server, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert download(server.url + "a", "~/new/folder/b", sha1_hash=SHA1) == str(tmp_path / "new/folder/b")
    assert (tmp_path / "new/folder/b").read_bytes() == CONTENT


def test_files_come_from_file_addresses(tmp_path):
    (tmp_path / "source").write_bytes(CONTENT)
    download((tmp_path / "source").as_uri(), tmp_path / "target", sha1_hash=SHA1)
    assert (tmp_path / "target").read_bytes() == CONTENT


@pytest.mark.parametrize("sha1_hash", [None, hashlib.sha1(b"mine").hexdigest()])
def test_a_file_that_is_there_is_kept(server, tmp_path, sha1_hash):
    (tmp_path / "a").write_bytes(b"mine")
    download(server.url + "a", tmp_path, sha1_hash=sha1_hash)
    assert (tmp_path / "a").read_bytes() == b"mine"
    assert server.requests == []


@pytest.mark.parametrize("kwargs", [{"overwrite": True}, {"sha1_hash": SHA1}])
def test_a_file_that_is_there_is_replaced(server, tmp_path, kwargs):
    (tmp_path / "a").write_bytes(b"old")
    download(server.url + "a", tmp_path, **kwargs)
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_a_failure_is_retried(server, tmp_path):
    server.failures = 2
    download(server.url + "a", tmp_path, retries=3)
    assert len(server.requests) == 3
    assert (tmp_path / "a").read_bytes() == CONTENT


@pytest.mark.parametrize(("retries", "attempts"), [(0, 1), (1, 1), (3, 3)])
def test_the_last_failure_is_raised(server, tmp_path, retries, attempts):
    with pytest.raises(DownloadError, match=r"/missing: Failed downloading url: .* HTTP Error 404"):
        download(server.url + "missing", tmp_path, retries=retries)
    assert len(server.requests) == attempts
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_digest_leaves_the_old_file(server, tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(
        DownloadError, match=f"content hash does not match: expected {OTHER_SHA1}, got sha1_hash={SHA1}"
    ):
        download(server.url + "a", tmp_path, sha1_hash=OTHER_SHA1, retries=1)
    assert (tmp_path / "a").read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_download_that_breaks_off_is_an_error(server, tmp_path):
    server.promised = len(CONTENT) + 1
    with pytest.raises(DownloadError, match=r"IncompleteRead|is incomplete"):
        download(server.url + "a", tmp_path, retries=1)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_does_not_say_the_length(server, tmp_path):
    server.promised = None
    download(server.url + "a", tmp_path)
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_a_server_that_is_not_there(server, tmp_path):
    server.shutdown()
    server.server_close()
    with pytest.raises(DownloadError, match="Failed downloading url"):
        download(server.url + "a", tmp_path, retries=2)


def test_a_folder_that_cannot_be_written_is_not_retried(server, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises((FileAccessError, NotADirectoryError, FileExistsError), match="file"):
        download(server.url + "a", tmp_path / "file" / "a")
    assert server.requests == []


def test_an_address_that_names_no_file(tmp_path):
    with pytest.raises(AssertionError, match=r"Can't construct file-name from this URL.*url='http://127.0.0.1/'"):
        download("http://127.0.0.1/", tmp_path)


def test_negative_retries():
    with pytest.raises(AssertionError, match="retries=-1"):
        download("http://127.0.0.1/a", retries=-1)


@pytest.mark.parametrize("url", ["ftp://host/a", "a", "data:,a"])
def test_other_addresses_are_refused(url):
    with pytest.raises(ArgumentError, match=rf"unsupported address.*{url}"):
        download(url)


def test_an_unverified_download_warns(server, tmp_path):
    with pytest.warns(UserWarning, match="Unverified HTTPS request"):
        download(server.url + "a", tmp_path, verify_ssl=False)


def test_check_sha1(tmp_path):
    (tmp_path / "a").write_bytes(CONTENT)
    assert check_sha1(tmp_path / "a", SHA1)
    assert not check_sha1(str(tmp_path / "a"), OTHER_SHA1)


class _Terminal(io.StringIO):
    def __init__(self, is_terminal):
        super().__init__()
        self.is_terminal = is_terminal

    def isatty(self):
        return self.is_terminal


@pytest.mark.parametrize(
    ("total_bytes", "text"), [(4_000_000, "[" + "#" * 10 + " " * 30 + "] 1.0 MB of 4.0 MB"), (None, "1.0 MB")]
)
def test_a_long_download_shows_a_bar(monkeypatch, total_bytes, text):
    clock = iter([0.0, 0.5, 1.5, 1.6])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    stream = _Terminal(True)
    with downloading._progress("net.params", total_bytes, stream) as bar:
        bar.show(10)
        assert stream.getvalue() == ""
        bar.show(1_000_000)
        assert stream.getvalue() == f"\rnet.params {text}"
        bar.show(2_000_000)
    assert stream.getvalue() == f"\rnet.params {text}\n"


def test_nothing_is_shown_where_there_is_no_terminal(monkeypatch, server, tmp_path, capfd):
    monkeypatch.setattr(downloading, "PROGRESS_AFTER_S", -1.0)
    download(server.url + "a", tmp_path)
    assert capfd.readouterr() == ("", "")
