"""Every error of gluonnx_runtime, in one tree of its own (the package stands alone: neither gluonnx nor torch).

Messages have one form:

    <where>: <what is wrong>: expected <X>, got <name>=<value>. <What to do>.
"""

__all__ = ["ExecutionError", "ModelFileError", "SessionDeviceError", "SessionError", "SessionInputError"]


class SessionError(RuntimeError):
    """Base of every error that gluonnx_runtime raises on purpose."""


class ModelFileError(SessionError, ValueError, OSError):
    """The model is missing, unreadable, truncated, not ONNX, or not a model that ONNX Runtime can run."""


class SessionInputError(SessionError, ValueError):
    """An input, an output name or an option is missing, unknown, or of the wrong kind, dtype or shape."""


class SessionDeviceError(SessionError):
    """A session asks for a device that this machine, or this build of ONNX Runtime, does not have."""


class ExecutionError(SessionError):
    """ONNX Runtime failed while it ran the model, on inputs that fit the model's declared types."""
