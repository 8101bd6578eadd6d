"""Which kind of file is this? Told from its first bytes, to say what was given where something else was expected."""

__all__ = ["HEAD_BYTES", "JSON", "ONNX", "PICKLE", "SAFETENSORS", "describe_kind"]

HEAD_BYTES = 512
"""How many first bytes `describe_kind` looks at."""

SAFETENSORS = "a safetensors file"
PICKLE = "a Python pickle"
ONNX = "an ONNX model"
JSON = "a JSON text"

MXNET_LIST_MAGIC = b"\x12\x01\x00\x00\x00\x00\x00\x00"

# Source: each format's own specification; the first match wins.
_PREFIXES = (
    (MXNET_LIST_MAGIC, "an MXNet .params file"),
    (b"PK\x03\x04", "a zip archive (a PyTorch checkpoint or an .npz file is one)"),
    (b"\x93NUMPY", "a .npy file"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file (a Keras model is one)"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"\x0a\x23\xd7\xce", "a RecordIO file"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"version https://git-lfs", "a Git LFS pointer (the file itself was not downloaded)"),
)
# Field numbers that may follow `ir_version` in an ONNX ModelProto, as protobuf tags.
_ONNX_SECOND_TAGS = frozenset({0x12, 0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42, 0x72})


def describe_kind(head: bytes) -> str | None:
    """Name the kind of file that starts with `head`, with its article; None if it is not one that we know.

    Args:
        head: The first bytes of the file, `HEAD_BYTES` of them or all there are.
    """
    if not head:
        return "an empty file"
    for prefix, kind in _PREFIXES:
        if head.startswith(prefix):
            return kind
    if head[257:262] == b"ustar":
        return "a tar archive"
    if len(head) > 8 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 1 << 32:
        return SAFETENSORS
    if len(head) > 1 and head[0] == 0x80 and 2 <= head[1] <= 5:
        return PICKLE
    if len(head) > 2 and head[0] == 0x08 and 1 <= head[1] <= 0x20 and head[2] in _ONNX_SECOND_TAGS:
        return ONNX
    return _describe_text(head)


def _describe_text(head: bytes) -> str | None:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head", b"<body", b"<!--")):
        return "an HTML or XML page (a download that failed?)"
    if any(byte < 0x20 and byte not in b"\t\n\r\f" for byte in text) or b"\x7f" in text:
        return None
    if text.startswith((b"{", b"[")):
        return JSON
    try:
        # A multi-byte character may be cut by the end of the head.
        head[: max(1, len(head) - 3)].decode("utf-8")
    except UnicodeDecodeError:
        return None
    return "a text file"
