import numpy as np
import pytest
import torch
from gluonnx_runtime.dlpack import DLPACK_CPU, ELEMENT_TYPES, mark_bool, read_capsule
from hypothesis import given
from hypothesis import strategies as st

TORCH_TYPES = {
    "int8": torch.int8,
    "int16": torch.int16,
    "int32": torch.int32,
    "int64": torch.int64,
    "uint8": torch.uint8,
    "uint16": torch.uint16,
    "uint32": torch.uint32,
    "uint64": torch.uint64,
    "float16": torch.float16,
    "float": torch.float32,
    "double": torch.float64,
    "bfloat16": torch.bfloat16,
    "bool": torch.bool,
}


def test_every_element_type():
    assert set(ELEMENT_TYPES.values()) == set(TORCH_TYPES)
    for name, dtype in TORCH_TYPES.items():
        tensor = torch.zeros(3, dtype=dtype)
        read = read_capsule(tensor.__dlpack__())
        assert (read.element_type, read.pointer, read.shape) == (name, tensor.data_ptr(), (3,))
        assert (read.device_type, read.device_index) == (DLPACK_CPU, 0)


@given(st.lists(st.integers(0, 3), max_size=4), st.data())
def test_contiguity_agrees_with_torch(shape, data):
    axes = data.draw(st.permutations(range(len(shape))))
    tensor = torch.zeros(shape).permute(axes)
    if shape and data.draw(st.booleans()):
        tensor = tensor[..., ::2]
    read = read_capsule(tensor.__dlpack__())
    assert read.shape == tuple(tensor.shape)
    assert read.is_contiguous == tensor.is_contiguous()


def test_offset_is_part_of_the_pointer():
    tensor = torch.arange(6.0)[2:]
    assert read_capsule(tensor.__dlpack__()).pointer == tensor.data_ptr()


def test_reading_leaves_the_capsule_to_its_consumer():
    capsule = torch.arange(3.0).__dlpack__()
    read_capsule(capsule)
    assert torch.equal(torch.from_dlpack(capsule), torch.arange(3.0))
    with pytest.raises(ValueError, match=r"PyCapsule_GetPointer"):
        read_capsule(capsule)


def test_unknown_type_is_described():
    capsule = torch.zeros(1, dtype=torch.complex64).__dlpack__()
    assert read_capsule(capsule).element_type == "DLPack type (code 5, bits 64, lanes 1)"


def test_mark_bool():
    capsule = np.array([1, 0], np.uint8).__dlpack__()
    mark_bool(capsule)
    assert torch.equal(torch.from_dlpack(capsule), torch.tensor([True, False]))
