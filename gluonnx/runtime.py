"""What this installation can do: `mx.runtime`."""

import importlib.util
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch

from gluonnx.errors import NotSupportedError

__all__ = ["Feature", "Features", "feature_list"]


class Feature(NamedTuple):
    """A feature of the libraries below: its name, and whether they have it."""

    name: str
    enabled: bool

    def __repr__(self) -> str:
        return f"{'✔' if self.enabled else '✖'} {self.name}"


def feature_list() -> list[Feature]:
    """Return MXNet's features in its order, as torch has them here.

    What only MXNet's own build has (TVM, OpenCV operators, Caffe, its signal handler and allocator) is not enabled.
    """
    backends: Any = torch.backends  # partly without annotations
    capability = backends.cpu.get_cpu_capability()
    has_avx2 = capability in ("AVX2", "AVX512")
    has_cuda = torch.cuda.is_available()
    has_distributed = torch.distributed.is_available()
    enabled = {
        "CUDA": has_cuda,
        "CUDNN": has_cuda and backends.cudnn.is_available(),
        "NCCL": has_cuda and has_distributed and torch.distributed.is_nccl_available(),
        "CUDA_RTC": False,
        "TENSORRT": False,
        "CPU_SSE": has_avx2,
        "CPU_SSE2": has_avx2,
        "CPU_SSE3": has_avx2,
        "CPU_SSE4_1": has_avx2,
        "CPU_SSE4_2": has_avx2,
        "CPU_SSE4A": False,
        "CPU_AVX": has_avx2,
        "CPU_AVX2": has_avx2,
        "OPENMP": backends.openmp.is_available(),
        "SSE": False,
        "F16C": has_avx2,
        "JEMALLOC": False,
        "BLAS_OPEN": not backends.mkl.is_available(),
        "BLAS_ATLAS": False,
        "BLAS_MKL": backends.mkl.is_available(),
        "BLAS_APPLE": False,
        "LAPACK": torch._C.has_lapack,
        "MKLDNN": backends.mkldnn.is_available(),
        "OPENCV": importlib.util.find_spec("cv2") is not None,
        "CAFFE": False,
        "PROFILER": True,
        "DIST_KVSTORE": has_distributed,
        "CXX14": True,
        "INT64_TENSOR_SIZE": True,
        "SIGNAL_HANDLER": False,
        "DEBUG": False,
        "TVM_OP": False,
    }
    return [Feature(name, bool(value)) for name, value in enabled.items()]


class Features(Mapping[str, Feature]):
    """The features by name.

    Examples:
        >>> Features().is_enabled("PROFILER")
        True
    """

    def __init__(self) -> None:
        self._features = {feature.name: feature for feature in feature_list()}

    def is_enabled(self, feature_name: str) -> bool:
        """Whether a feature is enabled; the case of its name does not matter.

        Raises:
            RuntimeError: There is no such feature.
        """
        feature = self._features.get(feature_name.upper())
        if feature is None:
            raise NotSupportedError(
                f"Feature '{feature_name.upper()}' is unknown, known features are: {list(self._features)}"
            )
        return feature.enabled

    def __getitem__(self, name: str) -> Feature:
        return self._features[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._features)

    def __len__(self) -> int:
        return len(self._features)

    def __repr__(self) -> str:
        return str(list(self._features.values()))
