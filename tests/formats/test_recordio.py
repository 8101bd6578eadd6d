"""Record files: the bytes that MXNet 1.9.1 wrote, and files that are damaged."""

import io
import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from image import image_cases

import gluonnx as mx
from gluonnx.errors import FileAccessError, FormatError, InputTypeError, MXNetError
from gluonnx.formats import recordio as format

FOLDER = Path(__file__).parents[1] / "golden" / "image"
MAGIC = struct.pack("<I", 0xCED7230A)
RECORDS = image_cases.records(MAGIC)


def read_all(data):
    file, found = io.BytesIO(data), []
    while (record := format.read_record(file, len(data), "file")) is not None:
        found.append(record)
    return found


def write_all(records):
    file = io.BytesIO()
    for record in records:
        format.write_record(file, record)
    return file.getvalue()


def test_bytes_are_mxnets(tmp_path):
    golden = (FOLDER / "bytes.rec").read_bytes()
    assert write_all(RECORDS) == golden
    assert read_all(golden) == RECORDS
    with mx.recordio.MXRecordIO(str(tmp_path / "a.rec"), "w") as file:
        for record in RECORDS:
            file.write(record)
    assert (tmp_path / "a.rec").read_bytes() == golden


def test_image_records_are_mxnets(tmp_path):
    names = tmp_path / "a.idx", tmp_path / "a.rec"
    with mx.recordio.MXIndexedRecordIO(*names, "w") as file:
        for key, (name, label) in enumerate(image_cases.LABELLED):
            header = mx.recordio.IRHeader(0, label, key, 0)
            file.write_idx(key, mx.recordio.pack(header, (FOLDER / name).read_bytes()))
    assert [n.read_bytes() for n in names] == [(FOLDER / n).read_bytes() for n in ("images.idx", "images.rec")]
    with mx.recordio.MXIndexedRecordIO(str(FOLDER / "images.idx"), str(FOLDER / "images.rec"), "r") as file:
        assert file.keys == [0, 1, 2, 3, 4]
        for key in (3, 0, 4):
            header, image = mx.recordio.unpack(file.read_idx(key))
            name, label = image_cases.LABELLED[key]
            assert (header.label, header.id, image) == (label, key, (FOLDER / name).read_bytes())
        with pytest.raises(KeyError, match="no such key: got idx=9"):
            file.read_idx(9)


@given(st.lists(st.lists(st.sampled_from([b"", b"a", b"abc", MAGIC, b"1234"])).map(b"".join)))
def test_records_come_back(records):
    assert read_all(write_all(records)) == records


@given(st.data())
def test_damage_is_an_error_or_other_records(data):
    golden = write_all(RECORDS)
    place = data.draw(st.integers(0, len(golden) - 1))
    damaged = golden[:place] + bytes([golden[place] ^ data.draw(st.integers(1, 255))]) + golden[place + 1 :]
    for changed in (golden[:place], damaged):
        try:
            found = read_all(changed)
        except FormatError:
            continue
        assert all(isinstance(record, bytes) for record in found)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"12345678", "record at 0x0: expected the magic number 0xced7230a, got 0x34333231"),
        (MAGIC, "record at 0x0: expected a part's header, got 4 bytes"),
        (MAGIC + struct.pack("<I", 5) + b"abcd", "record at 0x0: expected 8 bytes, got 4. The file is truncated"),
        (MAGIC + struct.pack("<I", 3 << 29), "parts are out of order: got kind=3"),
        (MAGIC + struct.pack("<I", 1 << 29), "expected a part's header, got 0 bytes"),
        (MAGIC + struct.pack("<I", 1 << 29) + MAGIC + struct.pack("<I", 0), "parts are out of order: got kind=0"),
    ],
)
def test_damaged_files(tmp_path, data, message):
    (tmp_path / "bad.rec").write_bytes(data)
    with (
        mx.recordio.MXRecordIO(str(tmp_path / "bad.rec"), "r") as file,
        pytest.raises(FormatError, match=rf"bad.rec: .*{message}"),
    ):
        file.read()


def test_a_record_longer_than_the_format(monkeypatch):
    monkeypatch.setattr(format, "MAX_RECORD_BYTES", 3)
    with pytest.raises(FormatError, match="record too long: expected at most 3 bytes, got 4"):
        format.write_record(io.BytesIO(), b"abcd")


def test_use_of_files(tmp_path):
    path = str(tmp_path / "a.rec")
    file = mx.recordio.MXRecordIO(path, "w")
    with pytest.raises(InputTypeError, match=r"MXRecordIO.write: .*expected bytes, got str"):
        file.write("text")
    with pytest.raises(MXNetError, match=r"is open the other way: expected flag='r', got 'w'"):
        file.read()
    file.write(b"first")
    file.reset()
    file.write(b"second")
    file.close()
    file.close()
    with pytest.raises(MXNetError, match=r"a.rec: record file is closed"):
        file.write(b"third")
    file = mx.recordio.MXRecordIO(path, "r")
    assert [file.read(), file.read(), file.read()] == [b"second", None, None]
    file.reset()
    assert file.read() == b"second"
    assert pickle.loads(pickle.dumps(file)).read() == b"second"
    del file
    with pytest.raises(FileAccessError, match=r"nope.rec: cannot be opened with flag='r': No such file"):
        mx.recordio.MXRecordIO(str(tmp_path / "nope.rec"), "r")
    with pytest.raises(ValueError, match="expected 'r' or 'w', got flag='a'"):
        mx.recordio.MXRecordIO(path, "a")
    with pytest.raises(FileAccessError, match=r"nope.idx: cannot be opened: No such file"):
        mx.recordio.MXIndexedRecordIO(str(tmp_path / "nope.idx"), path, "r")
    (tmp_path / "bad.idx").write_text("0\t0\nx\t1\n")
    with pytest.raises(FormatError, match=r"bad.idx: line 2: expected a key, a tab and a position, got 'x\\t1'"):
        mx.recordio.MXIndexedRecordIO(str(tmp_path / "bad.idx"), path, "r")


def test_positions(tmp_path):
    with mx.recordio.MXIndexedRecordIO(str(tmp_path / "a.idx"), str(tmp_path / "a.rec"), "w", key_type=str) as file:
        places = []
        for i in range(5):
            file.write_idx(f"k{i}", b"record_%d" % i)
            places.append(file.tell())
    assert places == [16, 32, 48, 64, 80]
    file = mx.recordio.MXIndexedRecordIO(str(tmp_path / "a.idx"), str(tmp_path / "a.rec"), "r", key_type=str)
    copy = pickle.loads(pickle.dumps(file))
    assert copy.read_idx("k3") == b"record_3"
    copy.close()


def test_in_another_process(tmp_path):
    path = str(tmp_path / "a.rec")
    with mx.recordio.MXIndexedRecordIO(str(tmp_path / "a.idx"), path, "w") as file:
        for i in range(3):
            file.write_idx(i, b"%d" % i)
    file = mx.recordio.MXIndexedRecordIO(str(tmp_path / "a.idx"), path, "r")
    file.pid = -1  # as a child finds it
    with pytest.raises(RuntimeError, match=r"opened in another process: expected pid=\d+, got pid=-1"):
        file.read()
    assert file.read_idx(2) == b"2"
    assert file.pid == os.getpid()
    file.close()


def test_labels():
    pack, unpack = mx.recordio.pack, mx.recordio.unpack
    one = pack(mx.recordio.IRHeader(0, 4, 2574, 0), b"x")
    assert one.hex() == "00000000000080400e0a000000000000000000000000000078"
    assert repr(unpack(one)) == "(HEADER(flag=0, label=4.0, id=2574, id2=0), b'x')"
    several = pack((7, [1, 2.5], 3, 1), b"xy")
    assert several.hex() == "0200000000000000030000000000000001000000000000000000803f000020407879"
    header, rest = unpack(several)
    assert (header.flag, header.label.tolist(), header.label.dtype, rest) == (2, [1.0, 2.5], np.float32, b"xy")
    with pytest.raises(FormatError, match="expected 24 bytes of header, got 3"):
        unpack(b"abc")
    with pytest.raises(FormatError, match="expected 8 bytes of labels, got 1"):
        unpack(several[:25])


def test_images():
    image = np.arange(300, dtype=np.uint8).reshape(10, 10, 3)
    header, found = mx.recordio.unpack_img(mx.recordio.pack_img((0, 3, 1, 0), image, quality=3, img_fmt=".png"))
    assert header.label == 3.0
    np.testing.assert_array_equal(found, image)
    _, lossy = mx.recordio.unpack_img(mx.recordio.pack_img((0, 3, 1, 0), image, quality=100))
    assert np.abs(lossy.astype(int) - image).mean() < 5
    _, gray = mx.recordio.unpack_img(mx.recordio.pack_img((0, 3, 1, 0), image), iscolor=0)
    assert gray.shape == (10, 10)
    with pytest.raises(MXNetError, match=r"image cannot be encoded as '\.nope'"):
        mx.recordio.pack_img((0, 3, 1, 0), image, img_fmt=".nope")
