"""Initial values of parameters (`mx.init`, `mx.initializer`).

Random values come from gluonnx's own generators (`mx.random.seed`) and are written into the array in place.

Source: MXNet 1.9.1 python/mxnet/initializer.py.
"""

import json
import logging
import math
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gluonnx import registry
from gluonnx.errors import ParameterError, RegistryError
from gluonnx.formats import read_params
from gluonnx.ndarray import random
from gluonnx.ndarray.creation import array
from gluonnx.ndarray.ndarray import NDArray

__all__ = [
    "Bilinear",
    "Constant",
    "FusedRNN",
    "InitDesc",
    "Initializer",
    "LSTMBias",
    "Load",
    "MSRAPrelu",
    "Mixed",
    "Normal",
    "One",
    "Orthogonal",
    "Uniform",
    "Xavier",
    "Zero",
    "alias",
    "create",
    "register",
]

FACTOR_TYPES = ("avg", "in", "out")
XAVIER_RANDOM = ("uniform", "gaussian")
ORTHOGONAL_RANDOM = ("uniform", "normal")
LSTM_GATES = 4
"""Gates of an LSTM cell, in the order in, forget, cell, out."""


class InitDesc(str):
    """The name of a parameter with what is known about it.

    Args:
        name: Name of the parameter.
        attrs: Its attributes, as `Symbol.attr_dict` gives them; `__init__` names an initializer of its own.
        global_init: The initializer of the whole model.
    """

    __slots__ = ("attrs", "global_init")

    attrs: dict[str, Any]
    global_init: "Initializer | None"

    def __new__(
        cls, name: str, attrs: dict[str, Any] | None = None, global_init: "Initializer | None" = None
    ) -> "InitDesc":
        """Make a str that carries attributes."""
        desc = super().__new__(cls, name)
        desc.attrs = attrs or {}
        desc.global_init = global_init
        return desc


class Initializer:
    """Base class: a callable that fills an array according to the name of its parameter.

    A subclass overrides `_init_weight(name, arr)`, and other `_init_...` methods where its rule differs.

    Args:
        **kwargs: The arguments of the subclass, for `dumps`.
    """

    def __init__(self, **kwargs: Any) -> None:
        self._kwargs = kwargs
        self._verbose = False
        self._print_func: Callable[[NDArray], str] | None = None

    def set_verbosity(self, verbose: bool = False, print_func: Callable[[NDArray], str] | None = None) -> "Initializer":
        """Switch on a log line for each array initialized.

        Args:
            verbose: Whether to log.
            print_func: What to say about an array; its root mean square if None.
        """
        self._verbose = verbose
        self._print_func = print_func or _root_mean_square
        return self

    def _verbose_print(self, desc: str, init: Any, arr: NDArray) -> None:
        if self._verbose and self._print_func:
            logging.info("Initialized %s as %s: %s", desc, init, self._print_func(arr))

    def dumps(self) -> str:
        """Return the description that `create` makes an equal initializer from.

        Examples:
            >>> Normal(0.5).dumps()
            '["normal", {"sigma": 0.5}]'
        """
        self._kwargs = {k: _plain(v) for k, v in self._kwargs.items()}
        return json.dumps([type(self).__name__.lower(), self._kwargs])

    def __call__(self, desc: str, arr: NDArray) -> None:
        """Fill an array.

        Args:
            desc: Name of the parameter as an InitDesc; a plain str is deprecated.
            arr: The array to fill, of any shape and float dtype.

        Raises:
            ValueError: The name says nothing about what kind of parameter it is.
        """
        if not isinstance(desc, InitDesc):
            self._legacy_init(desc, arr)
            return
        if desc.global_init is None:
            desc.global_init = self
        own = desc.attrs.get("__init__", "")
        if own:
            create(own)._init_weight(desc, arr)
            self._verbose_print(desc, own, arr)
            return
        for suffix, method in _BY_SUFFIX:
            if desc.endswith(suffix):
                getattr(self, method)(desc, arr)
                self._verbose_print(desc, suffix, arr)
                return
        self._init_default(desc, arr)

    def _legacy_init(self, name: str, arr: NDArray) -> None:
        warnings.warn(
            "Calling initializer with init(str, NDArray) has been deprecated. "
            "Please use init(mx.init.InitDesc(...), NDArray) instead.",
            DeprecationWarning,
            stacklevel=3,
        )
        if not isinstance(name, str):
            raise TypeError(f"Initializer: name must be string: got {type(name).__name__}.")
        if not isinstance(arr, NDArray):
            raise TypeError(f"Initializer: arr must be NDArray: got {type(arr).__name__}.")
        for prefix, suffix, method in _LEGACY:
            if name.startswith(prefix) and name.endswith(suffix):
                getattr(self, method)(name, arr)
                return
        self._init_default(name, arr)

    def _init_bilinear(self, _: str, arr: NDArray) -> None:
        arr[:] = _bilinear(arr.shape)

    def _init_loc_bias(self, name: str, arr: NDArray) -> None:
        if arr.shape[0] != 6:
            raise ParameterError(
                f"Initializer `{name}`: bias of an affine transformation: expected 6 values, got shape={arr.shape}."
            )
        arr[:] = np.array([1.0, 0, 0, 0, 1.0, 0])

    def _init_zero(self, _: str, arr: NDArray) -> None:
        arr[:] = 0.0

    def _init_one(self, _: str, arr: NDArray) -> None:
        arr[:] = 1.0

    def _init_bias(self, _: str, arr: NDArray) -> None:
        arr[:] = 0.0

    def _init_quantized_bias(self, _: str, arr: NDArray) -> None:
        arr[:] = 0

    def _init_gamma(self, _: str, arr: NDArray) -> None:
        arr[:] = 1.0

    def _init_beta(self, _: str, arr: NDArray) -> None:
        arr[:] = 0.0

    def _init_weight(self, name: str, arr: NDArray) -> None:
        raise NotImplementedError(f"{type(self).__name__}: an initializer must define _init_weight(name, arr).")

    def _init_quantized_weight(self, _: str, arr: NDArray) -> None:
        arr[:] = int(np.floor(random.uniform(-127, 127).asscalar()))

    def _init_default(self, name: str, _: NDArray) -> None:
        raise ParameterError(
            f"{type(self).__name__}: Unknown initialization pattern for {name}: expected a name that ends in weight, "
            f"bias, gamma or beta, got {str(name)!r}. Give the variable an initializer of its own: "
            "`mx.sym.Variable(init=mx.init.*)`."
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Initializer):
            return NotImplemented
        return type(self) is type(other) and self._kwargs == other._kwargs

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self._kwargs.items())})"


_BY_SUFFIX: Sequence[tuple[str, str]] = (
    ("weight", "_init_weight"),
    ("bias", "_init_bias"),
    ("gamma", "_init_gamma"),
    ("beta", "_init_beta"),
    ("min", "_init_zero"),
    ("max", "_init_one"),
    ("weight_quantize", "_init_quantized_weight"),
    ("bias_quantize", "_init_quantized_bias"),
)
"""How the end of a name chooses the method, in order."""

_LEGACY: Sequence[tuple[str, str, str]] = (
    ("upsampling", "", "_init_bilinear"),
    ("stn_loc", "weight", "_init_zero"),
    ("stn_loc", "bias", "_init_loc_bias"),
    ("", "bias", "_init_bias"),
    ("", "gamma", "_init_gamma"),
    ("", "beta", "_init_beta"),
    ("", "weight", "_init_weight"),
    ("", "moving_mean", "_init_zero"),
    ("", "moving_var", "_init_one"),
    ("", "moving_inv_var", "_init_zero"),
    ("", "moving_avg", "_init_zero"),
    ("", "min", "_init_zero"),
    ("", "max", "_init_one"),
)
"""The same for names given as plain str: prefix, suffix, method."""

_register = registry.get_register_func(Initializer, "initializer")
alias = registry.get_alias_func(Initializer, "initializer")
_create = registry.get_create_func(Initializer, "initializer")


def register(klass: type) -> type:
    """Register a subclass of Initializer under its lower-case name.

    Examples:
        >>> @register
        ... class Tenth(Initializer):
        ...     def _init_weight(self, name, arr):
        ...         arr[:] = 0.1
        >>> create("tenth").dumps()
        '["tenth", {}]'
    """
    registered: type = _register(klass)
    return registered


def create(*args: Any, **kwargs: Any) -> Any:
    """Return an initializer from its name and arguments, its description (`dumps`), or itself.

    Raises:
        RegistryError: No such initializer is registered.
    """
    if args and isinstance(args[0], (Load, Mixed)) and len(args) == 1 and not kwargs:
        return args[0]
    return _create(*args, **kwargs)


class Load:
    """Take values from a file or a dict of arrays, and initialize the rest by another initializer.

    Args:
        param: Path of a `.params` file, or name to array; a prefix `arg:` or `aux:` of a name is dropped.
        default_init: Initializer for names that `param` lacks.
        verbose: Whether to log where each value came from.

    Raises:
        FormatError: The file is not a `.params` file.
        TypeError: `param` is neither a path nor a dict.
    """

    def __init__(self, param: "str | Mapping[str, Any]", default_init: Any = None, verbose: bool = False) -> None:
        arrays: Mapping[str, Any] = _read(param) if isinstance(param, str) else param
        if not isinstance(arrays, Mapping):
            raise TypeError(f"Load: expected a path or a dict of arrays, got param of {type(param).__name__}.")
        self.param = {(n[4:] if n.startswith(("arg:", "aux:")) else n): a for n, a in arrays.items()}
        self.default_init = default_init
        self.verbose = verbose

    def __call__(self, name: str, arr: NDArray) -> None:
        """Fill the array of parameter `name`.

        Raises:
            ParameterError: The loaded value has another shape, or there is none and no default initializer.
        """
        value = self.param.get(str(name))
        if value is None:
            if self.default_init is None:
                raise ParameterError(
                    f"Load: Cannot Initialize {name}: not found in loaded param and no default Initializer is "
                    f"provided: expected one of {sorted(self.param)[:10]}, got name={str(name)!r}."
                )
            self.default_init(name, arr)
        elif tuple(arr.shape) != tuple(value.shape):
            raise ParameterError(
                f"Load: Parameter {name} cannot be initialized from loading: expected shape {tuple(arr.shape)}, "
                f"got shape={tuple(value.shape)}."
            )
        else:
            arr[:] = value
        if self.verbose:
            logging.info("Initialized %s by %s", name, "default" if value is None else "loading")


class Mixed:
    """Choose an initializer by the first regular expression that matches the start of the name.

    Args:
        patterns: Regular expressions.
        initializers: The initializer for each.

    Raises:
        ValueError: The lists have different lengths.
    """

    def __init__(self, patterns: Sequence[str], initializers: Sequence[Any]) -> None:
        if len(patterns) != len(initializers):
            raise RegistryError(
                f"Mixed: expected an initializer for each pattern, got {len(patterns)} patterns and "
                f"{len(initializers)} initializers."
            )
        self.map = [(re.compile(p), i) for p, i in zip(patterns, initializers, strict=True)]

    def __call__(self, name: str, arr: NDArray) -> None:
        """Fill the array of parameter `name`.

        Raises:
            ParameterError: No pattern matches.
        """
        for pattern, init in self.map:
            if pattern.match(name):
                init(name, arr)
                return
        raise ParameterError(
            f"Mixed: Parameter name {name} did not match any pattern: expected one of "
            f"{[p.pattern for p, _ in self.map]}, got name={str(name)!r}. "
            'Consider adding a ".*" pattern at the end with default Initializer.'
        )


@register
@alias("zeros")
class Zero(Initializer):
    """Fill with zeros."""

    def __init__(self) -> None:
        super().__init__()

    def _init_weight(self, name: str, arr: NDArray) -> None:
        arr[:] = 0


@register
@alias("ones")
class One(Initializer):
    """Fill with ones."""

    def __init__(self) -> None:
        super().__init__()

    def _init_weight(self, name: str, arr: NDArray) -> None:
        arr[:] = 1


@register
class Constant(Initializer):
    """Fill with a value.

    Args:
        value: A number, or an array (NDArray, numpy, nested lists) that broadcasts to the parameter's shape.
    """

    def __init__(self, value: Any) -> None:
        super().__init__(value=value)
        self.value = value

    def _init_weight(self, name: str, arr: NDArray) -> None:
        arr[:] = np.asarray(self.value, np.float64) if isinstance(self.value, (list, tuple)) else self.value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Initializer):
            return NotImplemented
        return type(self) is type(other) and self.dumps() == other.dumps()

    __hash__ = None


@register
class Uniform(Initializer):
    """Draw from the uniform distribution on [-scale, scale)."""

    def __init__(self, scale: float = 0.07) -> None:
        super().__init__(scale=scale)
        self.scale = scale

    def _init_weight(self, name: str, arr: NDArray) -> None:
        random.uniform(-self.scale, self.scale, arr.shape, out=arr)


@register
class Normal(Initializer):
    """Draw from the normal distribution with mean 0 and standard deviation `sigma`."""

    def __init__(self, sigma: float = 0.01) -> None:
        super().__init__(sigma=sigma)
        self.sigma = sigma

    def _init_weight(self, name: str, arr: NDArray) -> None:
        random.normal(0, self.sigma, arr.shape, out=arr)


@register
class Orthogonal(Initializer):
    """Fill with `scale` times a matrix of orthonormal rows or columns, from the SVD of a random (N, rest) matrix.

    Args:
        scale: Factor of the result.
        rand_type: `"uniform"` (on [-1, 1)) or `"normal"` for the random matrix.

    Source: Saxe et al., https://arxiv.org/abs/1312.6120.
    """

    def __init__(self, scale: float = 1.414, rand_type: str = "uniform") -> None:
        super().__init__(scale=scale, rand_type=rand_type)
        if rand_type not in ORTHOGONAL_RANDOM:
            raise RegistryError(f"Orthogonal: expected one of {ORTHOGONAL_RANDOM}, got rand_type={rand_type!r}.")
        self.scale = scale
        self.rand_type = rand_type

    def _init_weight(self, name: str, arr: NDArray) -> None:
        shape = (arr.shape[0], math.prod(arr.shape[1:]))
        draw = random.uniform(-1.0, 1.0, shape=shape) if self.rand_type == "uniform" else random.normal(shape=shape)
        drawn = draw.asnumpy()
        left, _, right = np.linalg.svd(drawn, full_matrices=False)
        basis = left if left.shape == drawn.shape else right
        arr[:] = self.scale * basis.reshape(arr.shape)


@register
class Xavier(Initializer):
    """Draw with a scale of `sqrt(magnitude / fan)`, which keeps the size of gradients alike in all layers.

    `fan_in` is `shape[1]` and `fan_out` `shape[0]`, each times the product of the other axes.

    Args:
        rnd_type: `"uniform"` on [-scale, scale) or `"gaussian"` with that standard deviation.
        factor_type: Which fan: `"avg"` of both, `"in"` or `"out"`.
        magnitude: See above.

    Source: Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks (2010).
    """

    def __init__(self, rnd_type: str = "uniform", factor_type: str = "avg", magnitude: float = 3) -> None:
        super().__init__(rnd_type=rnd_type, factor_type=factor_type, magnitude=magnitude)
        self.rnd_type = rnd_type
        self.factor_type = factor_type
        self.magnitude = float(magnitude)

    def _init_weight(self, name: str, arr: NDArray) -> None:
        shape = arr.shape
        if len(shape) < 2:
            raise ParameterError(
                f"Xavier initializer cannot be applied to vector {name}: expected at least 2 axes, got shape={shape}."
            )
        area = math.prod(shape[2:])
        fan_in, fan_out = shape[1] * area, shape[0] * area
        fans = {"avg": (fan_in + fan_out) / 2.0, "in": float(fan_in), "out": float(fan_out)}
        if self.factor_type not in fans:
            raise ParameterError(
                f"Xavier: Incorrect factor type: expected one of {FACTOR_TYPES}, got factor_type={self.factor_type!r}."
            )
        scale = math.sqrt(self.magnitude / fans[self.factor_type])
        if self.rnd_type == "uniform":
            random.uniform(-scale, scale, shape, out=arr)
        elif self.rnd_type == "gaussian":
            random.normal(0, scale, shape, out=arr)
        else:
            raise ParameterError(
                f"Xavier: Unknown random type: expected one of {XAVIER_RANDOM}, got rnd_type={self.rnd_type!r}."
            )


@register
class MSRAPrelu(Xavier):
    """Xavier's gaussian with magnitude `2 / (1 + slope ** 2)`, for nets of (leaky) rectifiers.

    Args:
        factor_type: Which fan: `"avg"`, `"in"` or `"out"`.
        slope: Initial slope of the rectifier for negative values.

    Source: He et al., https://arxiv.org/abs/1502.01852.
    """

    def __init__(self, factor_type: str = "avg", slope: float = 0.25) -> None:
        super().__init__("gaussian", factor_type, 2.0 / (1 + slope**2))
        self._kwargs = {"factor_type": factor_type, "slope": slope}


@register
class Bilinear(Initializer):
    """Fill (..., H, W) with the kernel of a bilinear upsampling, the same for every channel."""

    def __init__(self) -> None:
        super().__init__()

    def _init_weight(self, name: str, arr: NDArray) -> None:
        arr[:] = _bilinear(arr.shape)


@register
class LSTMBias(Initializer):
    """Fill the bias of an LSTM cell, (4 * hidden,), with zeros and its forget gate with `forget_bias`."""

    def __init__(self, forget_bias: float = 1.0) -> None:
        super().__init__(forget_bias=forget_bias)
        self.forget_bias = forget_bias

    def _init_weight(self, name: str, arr: NDArray) -> None:
        hidden = arr.shape[0] // LSTM_GATES
        values = np.zeros(arr.shape)
        values[hidden : 2 * hidden] = self.forget_bias
        arr[:] = values


@register
class FusedRNN(Initializer):
    """Fill the flat vector of `mx.rnn.FusedRNNCell`, each gate's weights and biases by their own names.

    Args:
        init: Initializer of the pieces, or its description; the one of the network if None.
        num_hidden: As the cell's, like the other arguments.
        num_layers: Number of layers.
        mode: Kind of the cells.
        bidirectional: Whether there are two directions.
        forget_bias: Value of the biases of the forget gates (lstm).
    """

    def __init__(
        self,
        init: "Initializer | str | None",
        num_hidden: int,
        num_layers: int,
        mode: str,
        bidirectional: bool = False,
        forget_bias: float = 1.0,
    ) -> None:
        inner = create(init) if isinstance(init, str) else init
        super().__init__(
            init=None if inner is None else inner.dumps(),
            num_hidden=num_hidden,
            num_layers=num_layers,
            mode=mode,
            bidirectional=bidirectional,
            forget_bias=forget_bias,
        )
        self._init = inner
        self._cell_arguments = (num_hidden, num_layers, mode, bidirectional)
        self._forget_bias = forget_bias

    def _init_weight(self, name: str, arr: NDArray) -> None:
        from gluonnx.rnn.fused_cell import FusedRNNCell

        cell = FusedRNNCell(*self._cell_arguments, prefix="")
        pieces = cell.unpack_weights({"parameters": arr})
        fill = self._init or (name.global_init if isinstance(name, InitDesc) else None)
        if fill is None:
            raise RegistryError(
                f"FusedRNN `{name}`: no initializer for its pieces: expected init= or one of the network, got None."
            )
        for piece, values in pieces.items():
            if self._cell_arguments[2] == "lstm" and piece.endswith("_f_bias"):
                values[:] = self._forget_bias
            else:
                fill(InitDesc(piece, global_init=fill), values)
        arr[:] = cell.pack_weights(pieces)["parameters"]


def _bilinear(shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Return the upsampling kernel: a tent in each of the last two axes, both with the width's scale.

    Source: MXNet 1.9.1 python/mxnet/initializer.py, Bilinear (which takes the factor from the last axis for both).
    """
    if len(shape) != 4:
        raise ParameterError(f"Bilinear: expected a weight of 4 axes (N, C, H, W), got shape={shape}.")
    factor = math.ceil(shape[3] / 2.0)
    center = (2 * factor - 1 - factor % 2) / (2.0 * factor)
    across = 1 - np.abs(np.arange(shape[3]) / factor - center)
    down = 1 - np.abs(np.arange(shape[2]) / factor - center)
    kernel = (down[:, None] * across[None, :]).astype(np.float32)
    return np.broadcast_to(kernel, shape).copy()


def _root_mean_square(arr: NDArray) -> str:
    values = arr.asnumpy().astype(np.float64)
    return str(np.float32(np.linalg.norm(values) / math.sqrt(values.size)))


def _plain(value: Any) -> Any:
    """Return an argument as JSON can hold it."""
    if isinstance(value, NDArray):
        return value.asnumpy().tolist()
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    return value


def _read(path: str) -> dict[str, NDArray]:
    """Return the dense arrays of a `.params` file by name."""
    found = read_params(path).as_dict()
    wrong = [name for name, value in found.items() if not isinstance(value, np.ndarray)]
    if wrong:
        raise ParameterError(
            f"Load: {path}: expected dense arrays, got sparse or empty ones: {', '.join(wrong[:5])}. "
            "Load the file with `nd.load` and pass a dict of dense arrays."
        )
    return {name: array(value, dtype=np.asarray(value).dtype) for name, value in found.items()}
