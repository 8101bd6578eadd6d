"""Every error gluonnx raises, in one tree.

Each class also inherits what callers of MXNet catch today (`MXNetError`, `ValueError`, ...), so existing `except`
clauses keep working. Messages have one form:

    <where>: <what is wrong>: expected <X>, got <name>=<value>. <What to do>.
"""

__all__ = [
    "ArgumentError",
    "AttributeValueError",
    "DTypeError",
    "DeferredInitializationError",
    "DeviceError",
    "DownloadError",
    "EditedModelError",
    "ExportError",
    "FileAccessError",
    "FixedBatchError",
    "FormatError",
    "GraphError",
    "InputError",
    "InputTypeError",
    "LoweringError",
    "MXNetError",
    "ModuleStateError",
    "NamespaceError",
    "NotImplementedForSymbol",
    "NotSupportedError",
    "NotSupportedForSparseNDArray",
    "ParameterError",
    "ParameterFileError",
    "ParameterMismatchError",
    "PositionError",
    "RegistryError",
    "StaleGradientError",
    "StorageError",
    "TraceError",
    "UnknownOperatorError",
]


class MXNetError(RuntimeError):
    """Base of every error, under the name that MXNet programs catch (`mx.base.MXNetError`)."""


class InputError(MXNetError, ValueError):
    """An operator or block was given the wrong number, rank, shape or dtype of inputs."""


class PositionError(InputError, IndexError):
    """An index lies outside the array that it reads."""


class InputTypeError(MXNetError, TypeError, AssertionError):
    """An operator was given something that is not an array (or not a symbol) as an input."""


class ArgumentError(MXNetError, ValueError, AssertionError):
    """A block or function was given an argument that it does not accept (where MXNet asserts)."""


class AttributeValueError(MXNetError, ValueError):
    """An operator attribute is unknown, missing or has a value that the operator does not accept."""


class DTypeError(AttributeValueError, TypeError):
    """No element type is meant by the value."""


class UnknownOperatorError(MXNetError, AttributeError):
    """No operator of this name is in the table."""


class DeviceError(MXNetError):
    """A context names a device that this machine does not have."""


class GraphError(MXNetError, ValueError):
    """A symbol graph is inconsistent: duplicate names, a missing argument, an output that does not exist."""


class NotImplementedForSymbol(MXNetError, TypeError):  # noqa: N818 - MXNet's name
    """A Python operation that needs values was used on a Symbol, which has none."""


class TraceError(NotImplementedForSymbol, AttributeError):
    """A hybridized block does what symbols cannot; the message names the line."""


class NotSupportedForSparseNDArray(MXNetError, TypeError):  # noqa: N818 - MXNet's name
    """An operation that sparse storage does not have was used on a sparse array."""


class NotSupportedError(MXNetError, NotImplementedError):
    """A part of MXNet that gluonnx does not have was asked for."""


class MissingPackageError(MXNetError, ImportError):
    """A package that is not installed is needed."""


class NamespaceError(MXNetError, ModuleNotFoundError):
    """The name `mxnet` is taken, or has no such module here; `name` is the module's."""

    def __init__(self, message: str, name: str | None = None) -> None:
        ModuleNotFoundError.__init__(self, message, name=name)


class ParameterError(MXNetError, ValueError):
    """A parameter is missing, not initialized, of the wrong shape or on another context."""


class ModuleStateError(MXNetError, AssertionError):
    """A module was used before it was bound, or before its parameters or optimizer were initialized."""


class DeferredInitializationError(ParameterError):
    """A parameter is used before its shape is known."""


class FormatError(MXNetError, ValueError):
    """A file is not what its reader expects; the message carries the path and, where there is one, the byte offset."""


class FileAccessError(MXNetError, OSError):
    """A file cannot be opened, read or written; `errno` keeps the system's code."""

    def __init__(self, message: str, errno: int | None = None) -> None:
        super().__init__(message)
        self.errno = errno


class EditedModelError(FormatError):
    """An ONNX model that gluonnx wrote was changed since, so what it carries about itself no longer holds."""


class ParameterMismatchError(ParameterError, AssertionError):
    """A parameter is asked to be something that it is not: another shape, dtype, value or name."""


class DownloadError(MXNetError, OSError):
    """A file could not be downloaded, or what came is not what was expected."""


class ParameterFileError(ParameterMismatchError):
    """Parameters in a file do not fit the block they are loaded into."""


class RegistryError(MXNetError, ValueError, AssertionError):
    """No class is registered under this name, or it cannot be made from what was given."""


class StaleGradientError(MXNetError, UserWarning):
    """A gradient was not computed since the last step (MXNet raises UserWarning)."""


class StorageError(MXNetError, ValueError, TypeError, NotImplementedError):
    """An array has a storage type (dense, row_sparse, csr) that the operation is not defined for."""


class LoweringError(MXNetError, NotImplementedError):
    """ONNX cannot express this operator (or this use of it); the message says which and why."""


class FixedBatchError(LoweringError):
    """The graph works for one batch size only, and a dynamic batch axis was asked for."""


class ExportError(MXNetError):
    """An export was refused: the written model could not be shown to compute what the net computes."""
