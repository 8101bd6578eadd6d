import json
import struct

import ml_dtypes
import numpy as np
import pytest
from formats.golden import assert_same, relaxed
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import load

from gluonnx.errors import FileAccessError, FormatError, InputError
from gluonnx.formats import read_safetensors, serialize_safetensors, write_safetensors

DTYPES = ["f2", "f4", "f8", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "?"]


def data_of(arrays):
    return b"".join(bytes(chunk) for chunk in serialize_safetensors(arrays))


def file_of(header, values=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + values


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


@relaxed
@given(
    arrays=st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"])).filter(lambda n: n != "__metadata__"),
        hnp.arrays(st.sampled_from(DTYPES).map(np.dtype), hnp.array_shapes(min_dims=0, min_side=0, max_side=3)),
        max_size=5,
    )
)
def test_round_trip_here_and_in_the_reference(arrays, tmp_path_factory):
    path = tmp_path_factory.mktemp("s") / "x.safetensors"
    write_safetensors(path, arrays)
    again = read_safetensors(path)
    assert list(again) == list(arrays)
    for name, array in arrays.items():
        assert_same(again[name], np.ascontiguousarray(array).reshape(array.shape))
    assert {n: (a.shape, a.tobytes()) for n, a in load(path.read_bytes()).items()} == {
        n: (a.shape, a.tobytes()) for n, a in arrays.items()
    }


def test_bfloat16_and_big_endian(tmp_path):
    arrays = {"b": np.array([1.5, -2], ml_dtypes.bfloat16), "e": np.arange(3, dtype=">i4"), "t": np.ones((2, 3)).T}
    write_safetensors(tmp_path / "x", arrays)
    again = read_safetensors(tmp_path / "x")
    assert again["b"].dtype == ml_dtypes.bfloat16
    assert [again[n].tolist() for n in arrays] == [a.tolist() for a in arrays.values()]
    assert all(a.flags.writeable for a in again.values())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a safetensors file: .* got an empty file"),
        (b"<!DOCTYPE html>", "got an HTML or XML page"),
        (struct.pack("<Q", 1 << 40) + b"{}", f"header: expected at most 2 bytes at 0x8, got {1 << 40}"),
        (file_of(b"{]"), "header at 0x8: expected JSON"),
        (file_of(b'{"a": 1, "a": 2}'), "a name twice: 'a'"),
        (file_of(b'{"a": ' * 100_000 + b"1"), "header at 0x8: expected JSON"),
        (file_of({"a": 3}), "array `a`: expected dtype, shape and data_offsets, got 3"),
        (file_of({"a": entry("F8_E4M3")}), "array `a`: unknown dtype: .* got dtype='F8_E4M3'"),
        (file_of({"a": entry(shape=(-2,))}), r"got shape=\[-2\]"),
        (file_of({"a": entry(shape=(2.0,))}), r"got shape=\[2\.0\]"),
        (file_of({"a": entry(offsets=(0, 7))}, bytes(7)), r"array `a`: expected 8 bytes, got data_offsets=\[0, 7\]"),
        (file_of({"a": entry(offsets=(8, 0))}), "array `a`: expected 8 bytes"),
        (file_of({"a": entry()}, bytes(7)), "values: expected 8 bytes at .*, got 7. The file is truncated"),
        (file_of({"a": entry()}, bytes(9)), "values: expected 8 bytes at .*, got 9. The file is damaged"),
        (file_of({"a": entry(offsets=(1, 9))}, bytes(9)), "array `a`: expected its values at"),
        (file_of({"a": entry(), "b": entry(offsets=(4, 12))}, bytes(12)), "array `b`: expected its values at"),
        (file_of({"a": entry(shape=(1 << 40, 0), offsets=(0, 0))}), None),
        (file_of({"a": entry(shape=(1 << 61, 1 << 61, 0), offsets=(0, 0))}), r"fewer than 2\*\*62 bytes"),
        (file_of({"a": entry(shape=(1 << 60,), offsets=(0, 1 << 62))}), "expected .* bytes, got data_offsets"),
        (file_of({"a": entry("BOOL", (2,), (0, 2))}, b"\x00\x02"), "expected booleans of 0 or 1, got 2"),
    ],
)
def test_damage_names_the_place(data, message, tmp_path):
    (tmp_path / "x.safetensors").write_bytes(data)
    if message is None:
        assert read_safetensors(tmp_path / "x.safetensors")["a"].shape == (1 << 40, 0)
        return
    with pytest.raises(FormatError, match=message) as caught:
        read_safetensors(tmp_path / "x.safetensors")
    assert str(caught.value).startswith(str(tmp_path / "x.safetensors"))


def test_every_byte_flipped_and_every_end(tmp_path):
    data = data_of({"a": np.arange(3, dtype="f4"), "b": np.array([True])})
    path = tmp_path / "x"
    changed = [data[:i] + bytes([data[i] ^ bit]) + data[i + 1 :] for i in range(len(data)) for bit in (1, 64, 128)]
    for content in [*changed, *(data[:i] for i in range(len(data)))]:
        path.write_bytes(content)
        try:
            read_safetensors(path)
        except FormatError as err:
            assert str(err).startswith(str(path))  # noqa: PT017


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.zeros(2, complex)}, "`x`: expected a dtype of .*, got dtype=complex128"),
        ({"x": [1]}, "`x`: expected a dense array, got list"),
        ({"__metadata__": np.zeros(1)}, "expected a name of type str other than __metadata__"),
        ({"\ud800": np.zeros(1)}, "half a surrogate pair"),
    ],
)
def test_what_cannot_be_held_is_not_written(arrays, message, tmp_path):
    with pytest.raises(InputError, match=message):
        write_safetensors(tmp_path / "x", arrays)
    assert list(tmp_path.iterdir()) == []


def test_missing_file(tmp_path):
    with pytest.raises(
        FileAccessError, match=r"none: cannot be read: expected a file .*none, got none\. Check the path"
    ):
        read_safetensors(tmp_path / "none")
