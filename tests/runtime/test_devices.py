import ctypes
import types

import pytest
from gluonnx_runtime import Device, SessionDeviceError, SessionInputError, devices


class FakeDriver:
    """The part of the CUDA driver that counts devices and waits for them."""

    def __init__(self, count, status=0):
        self.count = count
        self.status = status
        self.calls = []

    def cuInit(self, flags):
        return self.status

    def cuDeviceGetCount(self, pointer):
        pointer._obj.value = self.count
        return 0

    def cuDeviceGet(self, pointer, index):
        self.calls.append(("cuDeviceGet", index))
        return 0

    def cuDevicePrimaryCtxRetain(self, pointer, device):
        return 0

    def __getattr__(self, name):
        def call(*args):
            self.calls.append(name)
            return self.status if name == "cuCtxSynchronize" else 0

        return call


@pytest.fixture
def machine(monkeypatch):
    """Pretend that the CUDA provider is listed and the driver answers as asked."""

    def pretend(driver, providers=("CUDAExecutionProvider", "CPUExecutionProvider")):
        ort = types.SimpleNamespace(get_available_providers=lambda: list(providers), __version__="1.2.3")
        monkeypatch.setattr(devices, "ort", ort)
        monkeypatch.setattr(devices, "_cuda_driver", lambda: driver)
        devices.cuda_device_count.cache_clear()

    yield pretend
    devices.cuda_device_count.cache_clear()


@pytest.mark.parametrize(
    ("text", "device"),
    [("cpu", Device("cpu")), ("cuda", Device("cuda", 0)), ("cuda:3", Device("cuda", 3)), ("auto", None)],
)
def test_parse(text, device):
    assert devices.parse_device(text) == device


@pytest.mark.parametrize("text", ["", "CPU", "cpu:0", "cuda:", "cuda:-1", "cuda:1234", "auto ", "gpu(0)"])
def test_parse_refuses(text):
    with pytest.raises(SessionInputError, match=r"unknown device: expected `auto`, .* got device="):
        devices.parse_device(text)


def test_text():
    assert str(Device("cuda", 2)) == "cuda:2"
    assert devices.parse_device(str(Device("cuda", 2))) == Device("cuda", 2)


def test_auto_takes_cuda_where_there_is_one(machine):
    machine(FakeDriver(2))
    assert devices.resolve_device("auto") == Device("cuda", 0)
    assert devices.resolve_device("cuda:1") == Device("cuda", 1)
    with pytest.raises(SessionDeviceError, match=r"expected device `cuda:2`, got a machine with 2 CUDA device\(s\)"):
        devices.resolve_device("cuda:2")


@pytest.mark.parametrize("driver", [None, FakeDriver(0), FakeDriver(1, status=100)])
def test_no_device(machine, driver):
    machine(driver)
    assert devices.resolve_device("auto") == Device("cpu")
    with pytest.raises(SessionDeviceError, match=r"expected device `cuda:0`, got a machine without CUDA devices"):
        devices.resolve_device("cuda")


def test_build_without_cuda(machine):
    machine(FakeDriver(1), providers=("CPUExecutionProvider",))
    assert devices.resolve_device("auto") == Device("cpu")
    with pytest.raises(SessionDeviceError, match=r"got an onnxruntime 1\.2\.3 that was built without CUDA"):
        devices.resolve_device("cuda")


def test_synchronize_uses_and_leaves_the_primary_context(machine):
    driver = FakeDriver(2)
    machine(driver)
    devices.synchronize_cuda(1)
    assert driver.calls == [
        ("cuDeviceGet", 1),
        "cuCtxPushCurrent_v2",
        "cuCtxSynchronize",
        "cuCtxPopCurrent_v2",
        "cuDevicePrimaryCtxRelease_v2",
    ]


def test_synchronize_reports_the_status(machine):
    machine(FakeDriver(1, status=700))
    with pytest.raises(SessionDeviceError, match=r"cuda:0: synchronizing failed: expected CUresult 0, got status=700"):
        devices.synchronize_cuda(0)
    machine(None)
    with pytest.raises(SessionDeviceError, match=r"cuda:0: no CUDA driver"):
        devices.synchronize_cuda(0)


def test_missing_libraries(monkeypatch):
    monkeypatch.setattr(devices, "ort", types.SimpleNamespace(cuda_version="13.0"))
    monkeypatch.setattr(devices.sys, "platform", "linux")
    monkeypatch.setattr(devices, "_load_library", lambda name: None if "cublasLt" in name else ctypes.CDLL(None))
    assert devices.missing_cuda_libraries() == ("libcublasLt.so.13",)
    monkeypatch.setattr(devices, "ort", types.SimpleNamespace())
    assert devices.missing_cuda_libraries() == ()
