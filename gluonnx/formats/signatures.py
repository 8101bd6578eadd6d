"""Which kind of file is this? Told from its first bytes, to say what was given where something else was expected."""

__all__ = ["HEAD_BYTES", "JSON", "ONNX", "describe_kind", "remedy_for"]

HEAD_BYTES = 512
"""How many first bytes `describe_kind` looks at."""

PARAMS = "an MXNet .params file"
JSON = "a JSON text"
ONNX = "an ONNX model"
SAFETENSORS = "a safetensors file"
ZIP = "a zip archive"
NPZ = "an .npz file of numpy"
NPY = "a .npy file"
TORCH = "a PyTorch checkpoint"
PICKLE = "a Python pickle"
HDF5 = "an HDF5 file (a Keras model is one)"
HTML = "an HTML or XML page (a download that failed?)"
LFS = "a Git LFS pointer (the file itself was not downloaded)"
EMPTY = "an empty file"
GZIP, BZIP2, XZ, SEVEN_ZIP, TAR = (f"a {name} archive" for name in ("gzip", "bzip2", "xz", "7z", "tar"))

# Source: each format's own specification; the first match wins.
_PREFIXES = (
    (b"\x12\x01\x00\x00\x00\x00\x00\x00", PARAMS),
    (b"\x93NUMPY", NPY),
    (b"\x89HDF\r\n\x1a\n", HDF5),
    (b"\x1f\x8b", GZIP),
    (b"BZh", BZIP2),
    (b"\xfd7zXZ\x00", XZ),
    (b"7z\xbc\xaf\x27\x1c", SEVEN_ZIP),
    (b"\x0a\x23\xd7\xce", "a RecordIO file"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"version https://git-lfs", LFS),
)
# Field numbers that may follow `ir_version` in an ONNX ModelProto, as protobuf tags.
_ONNX_SECOND_TAGS = frozenset({0x12, 0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42, 0x72})
_ZIP_NAME_AT = 30  # of a local file header, which begins an archive
_TORCH_ENTRIES = (b"/data.pkl", b"/byteorder", b"/version", b"/.format_version", b"/.storage_alignment")

_UNPACK = "Unpack it first"
_REMEDIES = {
    PARAMS: "It holds parameters, which mx.nd.load and net.load_parameters read; SymbolBlock.imports and `gluonnx "
    "export` take it with its `-symbol.json`",
    JSON: "If it is a graph of MXNet, mx.sym.load and SymbolBlock.imports read it, and `gluonnx export` converts it to "
    "ONNX with the `.params` file beside it",
    ONNX: "SymbolBlock.imports('model.onnx') and `gluonnx import` read it, its parameters too",
    SAFETENSORS: "Give it a name that ends in `.safetensors`; then net.load_parameters, SymbolBlock.imports and "
    "mx.nd.load read it",
    NPZ: "Load it with numpy and write its arrays with mx.nd.save",
    NPY: "Load it with numpy and write it with mx.nd.save",
    TORCH: "Load it with torch and write its tensors with safetensors, which mx.nd.load reads",
    PICKLE: "An optimizer's `.states` file is one, and gluonnx reads none: a pickle can run any code. Pass the "
    "`.params` file beside it",
    HDF5: "Convert the network to ONNX where it came from; SymbolBlock.imports reads that",
    HTML: "It is what a server answered instead of the file: download it again",
    LFS: "Run `git lfs pull` in the repository it came from",
    EMPTY: "Copy or download it again",
    **dict.fromkeys((ZIP, GZIP, BZIP2, XZ, SEVEN_ZIP, TAR), _UNPACK),
}


def describe_kind(head: bytes) -> str | None:
    """Name the kind of file that starts with `head`, with its article; None if it is not one that we know.

    Args:
        head: The first bytes of the file, `HEAD_BYTES` of them or all there are.
    """
    if not head:
        return EMPTY
    for prefix, kind in _PREFIXES:
        if head.startswith(prefix):
            return kind
    if head.startswith(b"PK\x03\x04"):
        return _describe_zip(head)
    if head[257:262] == b"ustar":
        return TAR
    if len(head) > 8 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 1 << 32:
        return SAFETENSORS
    if len(head) > 1 and head[0] == 0x80 and 2 <= head[1] <= 5:
        return PICKLE
    if len(head) > 2 and head[0] == 0x08 and 1 <= head[1] <= 0x20 and head[2] in _ONNX_SECOND_TAGS:
        return ONNX
    return _describe_text(head)


def remedy_for(kind: str | None, otherwise: str) -> str:
    """What to do with a file of a kind that was not expected, without the full stop; `otherwise` if nothing is known.

    Args:
        kind: As `describe_kind` gives it.
        otherwise: What to say of other kinds.
    """
    return _REMEDIES.get(kind or "", otherwise)


def _describe_zip(head: bytes) -> str:
    """Tell archives apart by the name of their first entry."""
    size = int.from_bytes(head[_ZIP_NAME_AT - 4 : _ZIP_NAME_AT - 2], "little")
    name = head[_ZIP_NAME_AT : _ZIP_NAME_AT + size]
    if name.endswith(b".npy"):
        return NPZ
    return TORCH if name.endswith(_TORCH_ENTRIES) else ZIP


def _describe_text(head: bytes) -> str | None:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head", b"<body", b"<!--")):
        return HTML
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
