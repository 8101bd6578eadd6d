"""Run ONNX models: numpy and onnxruntime, nothing else.

Session owns the loaded model and checks what a call passes; Binding owns the memory of one caller's repeated runs
(PointerCall is its fastest way);
TensorInfo is what the model declares, OutputTensor a result left in place; Device says where.
"""

from .binding import Binding, PointerCall
from .devices import Device
from .errors import ExecutionError, ModelFileError, SessionDeviceError, SessionError, SessionInputError
from .session import Session
from .tensors import OutputTensor, TensorInfo

__all__ = [
    "Binding",
    "Device",
    "ExecutionError",
    "ModelFileError",
    "OutputTensor",
    "PointerCall",
    "Session",
    "SessionDeviceError",
    "SessionError",
    "SessionInputError",
    "TensorInfo",
]
