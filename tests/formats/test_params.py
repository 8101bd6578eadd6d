import hashlib
import io
import os
import struct
import threading
import tracemalloc
import zipfile
from contextlib import suppress

import ml_dtypes
import numpy as np
import pytest
from formats.golden import FILES, SHARED, assert_same, dtype_of, load_json, needs_shared, parts_of, relaxed, stype_of
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gluonnx.errors import FileAccessError, FormatError, InputError
from gluonnx.formats import params
from gluonnx.formats.params import (
    Csr,
    RowSparse,
    parse_array,
    parse_params,
    read_params,
    serialize_params,
    write_params,
)

CONTEXT = struct.pack("<ii", 1, 0)
GOLDEN = load_json("params.json")
DTYPES = ["float32", "float64", "float16", "uint8", "int32", "int8", "int64", "bool", ml_dtypes.bfloat16]


def data_of(arrays, **options):
    return b"".join(bytes(chunk) for chunk in serialize_params(arrays, **options))


def file_of(*arrays, names=()):
    """A .params file made by hand of the bytes of its arrays."""
    data = struct.pack("<QQQ", 0x112, 0, len(arrays)) + b"".join(arrays) + struct.pack("<Q", len(names))
    return data + b"".join(struct.pack("<Q", len(name)) + name for name in names)


def v2(shape, flag, values, *, magic=0xF993FAC9, storage=0):
    return (
        struct.pack(f"<Iii{len(shape)}q", magic, storage, len(shape), *shape)
        + CONTEXT
        + struct.pack("<i", flag)
        + values
    )


def all_shared(suffix):
    return [path for path in sorted(SHARED.glob("*/*")) if path.suffix in suffix] if SHARED.is_dir() else []


@pytest.fixture(scope="module")
def values():
    """MXNet's values of every golden file, by `FILE/NUMBER/PART`."""
    with np.load(FILES / "params.npz") as archive:
        return dict(archive)


class TestGolden:
    @pytest.mark.parametrize("name", GOLDEN)
    def test_read_gives_mxnets_values(self, name, values):
        file = read_params(FILES / f"{name}.params")
        about = GOLDEN[name]
        assert list(file.names) == about["names"]
        assert len(file.arrays) == len(about["arrays"])
        for i, (array, expected) in enumerate(zip(file.arrays, about["arrays"], strict=True)):
            assert stype_of(array) == expected["stype"]
            assert list(array.shape) == expected["shape"]
            assert dtype_of(array).name == expected["dtype"]
            for part, got in parts_of(array).items():
                want = values[f"{name}/{i}/{part}"]
                if expected["stype"] == "csr" and part == "indptr" and got.size == 0:
                    # MXNet saves a never filled matrix without row starts and shows it with them.
                    assert not want.any()
                    continue
                got = got.view(np.uint16) if got.dtype == ml_dtypes.bfloat16 else got
                assert got.dtype == want.dtype
                assert got.shape == want.shape
                assert got.tobytes() == want.tobytes()

    @pytest.mark.parametrize("name", GOLDEN)
    def test_write_gives_mxnets_bytes(self, name, tmp_path):
        file = read_params(FILES / f"{name}.params")
        # A file without arrays does not tell under which semantics it was written.
        assert file.np_shape == GOLDEN[name]["np_shape"]
        content = file.as_dict() if file.names else file.arrays
        write_params(tmp_path / "again.params", content, np_shape=file.np_shape)
        assert (tmp_path / "again.params").read_bytes() == (FILES / f"{name}.params").read_bytes()

    def test_arrays_are_writable_and_own_their_memory(self):
        for array in read_params(FILES / "named.params").arrays:
            assert array.flags.writeable
            assert array.flags.owndata
            assert array.flags.aligned

    def test_exported_net(self):
        arrays = read_params(FILES / "convnet-0000.params").as_dict()
        assert arrays["arg:net_conv0_weight"].shape == (2, 1, 3, 3)
        np.testing.assert_array_equal(arrays["aux:net_batchnorm0_running_var"], np.ones(2, np.float32))


class TestOldEras:
    """Layouts before 1.0, put together by hand: MXNet 1.9.1 reads them and cannot write them."""

    values = np.arange(6, dtype="<f4").reshape(2, 3)

    def test_v0_has_its_rank_first_and_32_bit_sizes(self):
        array = struct.pack("<III", 2, 2, 3) + CONTEXT + struct.pack("<i", 0) + self.values.tobytes()
        file = parse_params(file_of(array, names=[b"arg:w"]), "old")
        assert_same(file.as_dict()["arg:w"], self.values)

    def test_v1_has_64_bit_sizes(self):
        array = struct.pack("<Ii2q", 0xF993FAC8, 2, 2, 3) + CONTEXT + struct.pack("<i", 0) + self.values.tobytes()
        assert_same(parse_params(file_of(array), "old").arrays[0], self.values)

    def test_eras_may_be_mixed(self):
        v0 = struct.pack("<II", 1, 2) + CONTEXT + struct.pack("<i", 3) + b"\x01\x02"
        v3 = v2((), 6, struct.pack("<q", 7), magic=0xF993FACA)
        file = parse_params(file_of(v0, v3, v2((1,), 7, b"\x01")), "mixed")
        assert [array.tolist() for array in file.arrays] == [[1, 2], 7, [True]]
        assert file.np_shape

    @pytest.mark.parametrize(
        "array",
        [
            struct.pack("<I", 0),
            struct.pack("<Ii", 0xF993FAC8, 0),
            struct.pack("<Iii", 0xF993FAC9, 0, 0),
            struct.pack("<Iii", 0xF993FACA, 0, -1),
            struct.pack("<Iii2q", 0xF993FACA, 0, 2, -1, 3),
        ],
        ids=["v0", "v1", "v2", "v3", "v3 unknown size"],
    )
    def test_an_array_without_shape_is_none(self, array):
        file = parse_params(file_of(array, v2((1,), 3, b"\x05"), names=[b"none", b"x"]), "none")
        assert file.as_dict()["none"] is None
        assert file.as_dict()["x"].tolist() == [5]

    @pytest.mark.parametrize(
        ("flag", "dtype"), list(enumerate(["f4", "f8", "f2", "u1", "i4", "i1", "i8", "?", "i2", "u2", "u4", "u8"]))
    )
    def test_dtype_flags(self, flag, dtype):
        values = np.array([1, 0, 1], dtype)
        assert_same(parse_params(file_of(v2((3,), flag, values.tobytes())), "flags").arrays[0], values)

    def test_context_and_reserved_word_are_ignored(self):
        array = struct.pack("<Iiiq", 0xF993FAC9, 0, 1, 1) + struct.pack("<iii", 2, 3, 0) + struct.pack("<f", 2.5)
        data = bytearray(file_of(array))
        data[8:16] = b"\xff" * 8
        assert parse_params(bytes(data), "gpu").arrays[0].tolist() == [2.5]

    @pytest.mark.parametrize("name", sorted(path.name for path in (FILES / "old").glob("*.params")))
    def test_every_dtype_in_every_era_is_rewritten_as_mxnet_rewrites_it(self, name, tmp_path):
        file = read_params(FILES / "old" / name)
        assert len(file.arrays) == 21
        write_params(tmp_path / name, file.as_dict() if file.names else file.arrays)
        assert (tmp_path / name).read_bytes() == (FILES / "upgraded" / name).read_bytes()

    @needs_shared
    @pytest.mark.shared
    @pytest.mark.parametrize("path", all_shared({".params", ".v0"}), ids=lambda path: path.name)
    def test_real_checkpoints_give_mxnets_values(self, path):
        file = read_params(path)
        about = load_json("shared.json")["params"][f"{path.parent.name}/{path.name}"]
        assert list(file.names) == about["names"]
        digests = [
            hashlib.sha256(f"{array.dtype.name} {array.shape} ".encode() + array.tobytes()).hexdigest()[:16]
            for array in file.arrays
        ]
        assert digests == about["digests"]


def zipped(name):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, b"content")
    return stream.getvalue()


class TestErrors:
    good = v2((2,), 0, b"\0" * 8)

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"", "net.params: not an MXNet .params file: .* got an empty file"),
            (b"<!DOCTYPE html><html>", "got an HTML or XML page .* download it again"),
            (b"\n  <html>404", "got an HTML or XML page"),
            (b"Not found\n", "got a text file"),
            (b'{"nodes": []}', r"got a JSON text\. If it is a graph of MXNet, mx\.sym\.load .* read it"),
            (b"PK\x03\x04....", r"got a zip archive\. Unpack it first"),
            (zipped("model/data.pkl"), r"got a PyTorch checkpoint\. Load it with torch"),
            (zipped("arr_0.npy"), r"got an \.npz file of numpy\. Load it with numpy"),
            (zipped("net.params"), "got a zip archive"),
            (b"\x80\x04\x95\x00", r"got a Python pickle\. An optimizer's `\.states` file is one"),
            (struct.pack("<Q", 30) + b'{"weight":', r"got a safetensors file\. Give it a name that ends in"),
            (b"\x08\x08\x12\x07pytorch", r"got an ONNX model\. SymbolBlock\.imports\('model\.onnx'\)"),
            (b"\x1f\x8b\x08", r"got a gzip archive\. Unpack it first"),
            (b"BZh9", r"got a bzip2 archive\. Unpack it first"),
            (b"\x89HDF\r\n\x1a\n", r"got an HDF5 file .*\. Convert the network to ONNX"),
            (b"version https://git-lfs.github.com/spec/v1\n", r"got a Git LFS pointer .*\. Run `git lfs pull`"),
            (b"\x01\x02\x03\x04\xff", "got first bytes 01 02 03 04 ff"),
        ],
    )
    def test_another_kind_of_file(self, data, message, tmp_path):
        (tmp_path / "net.params").write_bytes(data)
        with pytest.raises(FormatError, match=message):
            read_params(tmp_path / "net.params")

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (struct.pack("<QQ", 0x112, 0), "header: expected 24 bytes at 0x0, got 16"),
            (
                struct.pack("<QQQ", 0x112, 0, 1 << 60),
                f"list of {1 << 60} arrays: expected {1 << 62} bytes at 0x18, got 0",
            ),
            (file_of(good)[:-10], "array 0 of 1: expected 8 bytes at 0x38, got 6. The file is truncated"),
            (file_of(good)[:-3], "names: expected 8 bytes at 0x40, got 5"),
            (file_of(good) + b"xyz", "end: expected the end of the file, got 3 more bytes at 0x48"),
            (file_of(struct.pack("<I", 0xF993FACB)), "expected an array of a known era, got magic=0xf993facb at 0x18"),
            (file_of(v2((2,), 13, b"")), "expected a dtype flag of 0 to 12, got flag=13 at 0x34"),
            (file_of(v2((2,), -1, b"")), "got flag=-1"),
            (file_of(v2((2,), 0, b"", storage=3)), "got storage=3 at 0x1c"),
            (file_of(v2((2,), 0, b"", storage=1, magic=0xF993FACA)), "got storage=1 at 0x1c"),
            (file_of(v2((1,) * 33, 0, b"")), "expected a rank of 0 to 32, got rank=33 at 0x20"),
            (file_of(struct.pack("<Iii", 0xF993FAC9, 0, -1)), "got rank=-1"),
            (file_of(v2((2, -5), 0, b"")), r"expected sizes of 0 or more, got shape=\(2, -5\) at 0x20"),
            (file_of(v2((1 << 40,), 0, b"")), f"array 0 of 1: expected {1 << 42} bytes at 0x38, got 8"),
            (file_of(v2((1 << 40, 1 << 40), 0, b"")), r"fewer than 2\*\*62 bytes"),
            (file_of(v2((0, 1 << 62), 0, b"")), r"fewer than 2\*\*62 bytes"),
            (file_of(v2((3,), 7, b"\0\x01\x02")), "expected booleans of 0 or 1, got 2 at 0x38"),
            (file_of(good, good, names=[b"a"]), "names: expected no name or 2, one for each array, got 1 at 0x68"),
            (file_of(good, names=[b"\xff"]), r"name 0 of 1: expected UTF-8, got b'\\xff' at 0x50"),
            (file_of(good, names=[b"a"])[:-1], "name 0 of 1: expected 1 bytes at 0x50, got 0"),
            (file_of(good, names=[b"a" * 65537]), "expected a name of at most 65536 bytes, got 65537"),
        ],
    )
    def test_damage_names_the_place(self, data, message):
        with pytest.raises(FormatError, match=message) as caught:
            parse_params(data, "net.params")
        assert str(caught.value).startswith("net.params: ")

    def test_sparse_parts_must_fit(self):
        data = bytearray((FILES / "sparse.params").read_bytes())
        at = data.index(struct.pack("<4q", 0, 2, 2, 3))
        data[at : at + 8] = struct.pack("<q", 1)
        with pytest.raises(FormatError, match=r"sparse: array 0 of 4: .*row starts ascending from 0 to 3, got 1\.\.3"):
            parse_params(bytes(data), "sparse")

    def test_missing_file(self, tmp_path):
        with pytest.raises(
            FileAccessError,
            match=r"none\.params: cannot be read: expected a file .*none\.params, got none\. Check the path",
        ) as caught:
            read_params(tmp_path / "none.params")
        assert caught.value.errno == 2

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
    def test_a_pipe_is_read_whole(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(file_of(self.good),))
        writer.start()
        file = read_params(tmp_path / "pipe")
        writer.join()
        assert file.arrays[0].tolist() == [0, 0]

    def test_names_twice(self):
        file = parse_params(file_of(self.good, self.good, names=[b"a", b"a"]), "net.params")
        with pytest.raises(FormatError, match="expected every name once, got twice: a"):
            file.as_dict()

    def test_no_names(self):
        with pytest.raises(FormatError, match=r"net\.params: no names: expected named arrays, got a list of 1"):
            parse_params(file_of(self.good), "net.params").as_dict()

    @pytest.mark.parametrize(
        ("arrays", "message"),
        [
            (
                {"x": np.zeros(2, "i2")},
                "array 0 `x`: expected a dtype that MXNet 1.9.1 has .*, got dtype=int16. Cast it",
            ),
            ({"x": np.zeros(2, complex)}, "got dtype=complex128"),
            ([np.zeros(())], r"array 0: expected at least one axis, got a scalar.*np_shape=True"),
            ([[1, 2]], "expected a numpy array, RowSparse or Csr, got list"),
            ({3: np.zeros(2)}, "array 0 `3`: expected a name of type str, got int"),
            ({"\ud800": np.zeros(2)}, "got half a surrogate pair"),
            ({"a": np.zeros(2, "u4"), "b": np.zeros(2), "c": np.zeros(2, "u8")}, "`a`.*uint32.*; array 2 `c`.*uint64"),
        ],
    )
    def test_what_mxnet_cannot_hold_is_not_written(self, arrays, message, tmp_path):
        with pytest.raises(InputError, match=message):
            write_params(tmp_path / "x.params", arrays)
        assert list(tmp_path.iterdir()) == []

    def test_sizes_of_zero_are_the_bytes_that_mxnet_writes(self):
        # What MXNet 1.9.1 wrote for zeros of shapes (2, 0, 1) and (0,).
        written = bytes.fromhex(
            "12010000000000000000000000000000"
            "0200000000000000"
            "c9fa93f9000000000300000002000000000000000000000000000000010000000000000001000000"
            "0000000000000000"
            "c9fa93f9000000000100000000000000000000000100000000000000"
            "00000000"
            "0000000000000000"
        )
        arrays = [np.zeros((2, 0, 1), "f4"), np.zeros(0, "f4")]
        assert data_of(arrays) == written
        assert [a.shape for a in parse_params(written, "x").arrays] == [(2, 0, 1), (0,)]

    def test_one_array_as_in_a_pickle_of_mxnet(self):
        data = data_of([np.float32([1, 2])])[24:-8]
        np.testing.assert_array_equal(parse_array(data), [1, 2])
        for size in range(len(data)):
            with pytest.raises(FormatError, match=r"array: |array is empty"):
                parse_array(data[:size])
        with pytest.raises(FormatError, match="expected the end, got 1 more bytes"):
            parse_array(data + b"x")
        with pytest.raises(FormatError, match="array is empty: expected values"):
            parse_array(bytes.fromhex("c9fa93f90000000000000000"))

    def test_sparse_under_numpy_semantics_is_not_written(self):
        rows = RowSparse((2, 1), np.array([1]), np.ones((1, 1)))
        with pytest.raises(InputError, match="expected a dense array under numpy shape semantics"):
            serialize_params([rows], np_shape=True)

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda: RowSparse((2, 1), np.array([2]), np.ones((1, 1))), r"expected indices in 0\.\.1, got 2\.\.2"),
            (lambda: RowSparse((3, 1), np.array([1, 0]), np.ones((2, 1))), "expected ascending indices"),
            (lambda: RowSparse((3, 1), np.array([1]), np.ones((1, 2))), r"expected data of shape \(1, 1\)"),
            (lambda: RowSparse((3, 1), np.array([1.0]), np.ones((1, 1))), "vector of integers"),
            (
                lambda: Csr((1, 2), np.array([0, 1]), np.array([2]), np.ones(1)),
                r"expected columns in 0\.\.1, got 2\.\.2",
            ),
            (lambda: Csr((2, 2), np.array([0, 1]), np.array([0]), np.ones(1)), "expected 3 row starts, got 2"),
            (lambda: Csr((2, 2), np.array([0, 2, 1]), np.array([0]), np.ones(1)), "row starts ascending from 0 to 1"),
            (lambda: Csr((2,), np.array([0, 1]), np.array([0]), np.ones(1)), "expected a shape of rank 2"),
            (lambda: Csr((1, 2), np.array([0, 1]), np.array([0]), np.ones(2)), "expected as many values as indices"),
            (lambda: Csr((1, 2), np.array([0.0, 1]), np.array([0]), np.ones(1)), "indptr to be a vector of integers"),
        ],
    )
    def test_sparse_records_check_their_parts(self, make, message):
        with pytest.raises(InputError, match=message):
            make()


class TestWriting:
    def test_byte_order_and_strides_do_not_matter(self):
        values = np.arange(12, dtype="f4").reshape(3, 4)
        plain = data_of({"x": values})
        assert data_of({"x": values.astype(">f4")}) == plain
        assert data_of({"x": np.asfortranarray(values)}) == plain
        assert data_of({"x": values[::-1, ::-1].copy()[::-1, ::-1]}) == plain

    def test_big_arrays_are_borrowed(self):
        values = np.zeros(1 << 20, "f4")
        chunks = [chunk for chunk in serialize_params([values]) if isinstance(chunk, memoryview)]
        assert len(chunks) == 1
        assert np.shares_memory(np.frombuffer(chunks[0], np.uint8), values)

    def test_peak_memory_is_the_file(self, tmp_path):
        values = np.ones(1 << 21, "f4")
        tracemalloc.start()
        try:
            write_params(tmp_path / "big.params", {"a": values, "b": values})
            written = tracemalloc.get_traced_memory()[1]
            tracemalloc.reset_peak()
            file = read_params(tmp_path / "big.params")
            read = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert written < 1 << 19
        assert read < 2 * values.nbytes + (1 << 19)
        assert_same(file.as_dict()["b"], values)


arrays = st.sampled_from(DTYPES).flatmap(
    lambda dtype: hnp.arrays(np.uint8, hnp.array_shapes(max_dims=5, max_side=4)).map(
        lambda raw: (raw & 1).astype(dtype)
    )
)
any_shape = hnp.arrays(st.sampled_from(["f4", "f8", "i8", "?"]), hnp.array_shapes(min_dims=0, min_side=0, max_side=4))


@st.composite
def row_sparse(draw):
    rows = draw(st.integers(1, 6))
    indices = np.array(sorted(draw(st.sets(st.integers(0, rows - 1)))), "i8")
    return RowSparse((rows, 2), indices, draw(hnp.arrays("f4", (len(indices), 2))))


@st.composite
def csr(draw):
    rows, columns = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    counts = draw(st.lists(st.integers(0, columns), min_size=rows, max_size=rows))
    indices = np.concatenate([np.arange(count) for count in counts]).astype("i8")
    return Csr((rows, columns), np.cumsum([0, *counts]), indices, draw(hnp.arrays("f8", len(indices))))


class TestRoundTrip:
    @relaxed
    @given(
        st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=20), arrays | row_sparse() | csr(), max_size=5)
    )
    def test_named(self, content):
        again = parse_params(data_of(content), "again")
        assert not again.np_shape
        if content:
            assert list(again.as_dict()) == list(content)
        for got, expected in zip(again.arrays, content.values(), strict=True):
            assert_same(got, expected)

    @relaxed
    @given(st.lists(any_shape, min_size=1, max_size=5))
    def test_numpy_shapes(self, content):
        again = parse_params(data_of(content, np_shape=True), "again")
        assert again.np_shape
        assert again.names == ()
        for got, expected in zip(again.arrays, content, strict=True):
            assert_same(got, expected)

    @relaxed
    @given(st.binary(max_size=200))
    def test_any_bytes_are_read_or_refused(self, data):
        for start in (b"", struct.pack("<Q", 0x112), struct.pack("<QQQI", 0x112, 0, 1, 0xF993FAC9)):
            with suppress(FormatError):
                parse_params(start + data, "fuzz")


def damaged(data):
    """Every truncation of `data`, and `data` with each byte changed in three ways."""
    for size in range(len(data)):
        yield data[:size]
    for i, byte in enumerate(data):
        for other in (byte ^ 0xFF, byte ^ 0x80, byte ^ 0x01):
            yield data[:i] + bytes([other]) + data[i + 1 :]


class TestDamage:
    @pytest.mark.parametrize("name", ["named", "sparse", "sparse_zeros", "np_shape", "dtype_bool"])
    def test_every_truncation_and_flip_is_refused_or_valid(self, name):
        data = (FILES / f"{name}.params").read_bytes()
        refused = accepted = 0
        tracemalloc.start()
        try:
            for bad in damaged(data):
                try:
                    file = parse_params(bad, "bad")
                except FormatError:
                    refused += 1
                else:
                    accepted += 1
                    for array in file.arrays:
                        assert array is None or repr(array)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert refused + accepted == 4 * len(data)
        assert refused > len(data)
        assert peak < 1 << 20, f"{peak} bytes for a file of {len(data)}"

    @pytest.mark.parametrize("size", [24, 60, 90, 200])
    def test_a_file_that_shrinks_while_it_is_read(self, size):
        data = (FILES / "named.params").read_bytes()
        source = params._Source(io.BytesIO(data[:size]), len(data), "shrunk")
        with pytest.raises(FormatError, match=r"shrunk: .*The file is truncated"):
            params._parse(source)
