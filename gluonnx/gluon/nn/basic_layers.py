"""Dense, dropout, embedding, flattening and lambda layers; MXNet's home of containers and normalization too."""

from collections.abc import Callable
from typing import Any

from gluonnx import ndarray, symbol
from gluonnx.errors import ArgumentError
from gluonnx.gluon.block import Block, HybridBlock
from gluonnx.gluon.nn.activations import Activation
from gluonnx.gluon.nn.containers import HybridSequential, Sequential
from gluonnx.gluon.nn.normalization import BatchNorm, BatchNormReLU, GroupNorm, InstanceNorm, LayerNorm

__all__ = [
    "BatchNorm",
    "BatchNormReLU",
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "GroupNorm",
    "HybridLambda",
    "HybridSequential",
    "InstanceNorm",
    "Lambda",
    "LayerNorm",
    "Sequential",
]


class Dense(HybridBlock):
    """Fully connected layer: `activation(data . weight^T + bias)`.

    Data (N, ...) gives (N, units); with `flatten=False`, (..., in_units) gives (..., units). `weight` is
    (units, in_units), `bias` (units,).

    Args:
        units: Size of the output.
        activation: Name of an activation function (see `Activation`); None for none.
        use_bias: Whether `bias` is added.
        flatten: Whether all axes but the first count as one.
        dtype: Dtype of the parameters.
        weight_initializer: Initializer of `weight`.
        bias_initializer: Initializer of `bias`.
        in_units: Size of the input; 0 to learn it from the first data.
        kwargs: `prefix` and `params` of `Block`.
    """

    def __init__(
        self,
        units: int,
        activation: str | None = None,
        use_bias: bool = True,
        flatten: bool = True,
        dtype: Any = "float32",
        weight_initializer: Any = None,
        bias_initializer: Any = "zeros",
        in_units: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._flatten = flatten
        self._units = units
        self._in_units = in_units
        with self.name_scope():
            self.weight = self.params.get(
                "weight", shape=(units, in_units), init=weight_initializer, dtype=dtype, allow_deferred_init=True
            )
            self.bias = (
                self.params.get("bias", shape=(units,), init=bias_initializer, dtype=dtype, allow_deferred_init=True)
                if use_bias
                else None
            )
            self.act = None if activation is None else Activation(activation, prefix=f"{activation}_")

    def hybrid_forward(self, F: Any, x: Any, weight: Any, bias: Any = None) -> Any:
        """Return (N, units), or (..., units) with `flatten=False`."""
        out = F.FullyConnected(
            x, weight, bias, no_bias=bias is None, num_hidden=self._units, flatten=self._flatten, name="fwd"
        )
        return out if self.act is None else self.act(out)

    def __repr__(self) -> str:
        units, in_units = self.weight.shape or (self._units, 0)
        return f"{type(self).__name__}({in_units or None} -> {units}, {self.act or 'linear'})"


class Dropout(HybridBlock):
    """While training, set a random share of the values to 0 and scale the others by `1 / (1 - rate)`.

    Args:
        rate: Share of the values that are dropped, in [0, 1).
        axes: Axes along which the same values are dropped.
        kwargs: `prefix` and `params` of `Block`.

    Source: Srivastava et al., 2014, "Dropout".
    """

    def __init__(self, rate: float, axes: tuple[int, ...] = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._rate = rate
        self._axes = axes

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Return an array of the shape and dtype of `x`."""
        if self._rate > 0:
            return F.Dropout(x, p=self._rate, axes=self._axes, name="fwd", cudnn_off=False)
        return F.identity(x)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p = {self._rate}, axes={self._axes})"


class Embedding(HybridBlock):
    """Look up a row of `weight` (input_dim, output_dim) for each index.

    Data of any shape (...) with values in [0, input_dim) gives (..., output_dim).

    Args:
        input_dim: Number of rows.
        output_dim: Size of a row.
        dtype: Dtype of `weight` and of the output.
        weight_initializer: Initializer of `weight`.
        sparse_grad: Whether the gradient of `weight` is row-sparse.
        kwargs: `prefix` and `params` of `Block`.
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        dtype: Any = "float32",
        weight_initializer: Any = None,
        sparse_grad: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._kwargs = {"input_dim": input_dim, "output_dim": output_dim, "dtype": dtype, "sparse_grad": sparse_grad}
        self.weight = self.params.get(
            "weight",
            shape=(input_dim, output_dim),
            init=weight_initializer,
            dtype=dtype,
            allow_deferred_init=True,
            grad_stype="row_sparse" if sparse_grad else "default",
        )

    def hybrid_forward(self, F: Any, x: Any, weight: Any) -> Any:
        """Return (..., output_dim)."""
        return F.Embedding(x, weight, name="fwd", **self._kwargs)

    def __repr__(self) -> str:
        return "{name}({input_dim} -> {output_dim}, {dtype})".format(name=type(self).__name__, **self._kwargs)


class Flatten(HybridBlock):
    """Make one axis of all but the first: (N, ...) gives (N, product of the others)."""

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Return an array of two axes."""
        return F.flatten(x)

    def __repr__(self) -> str:
        return type(self).__name__


def _named_function(block: str, name: str, namespace: Any) -> Callable[..., Any]:
    found: Callable[..., Any] | None = getattr(namespace, name, None)
    if found is None:
        where = namespace.__name__.rpartition(".")[2]
        raise ArgumentError(
            f"{block}: no such operator: expected the name of a function in {where}, got function={name!r}. "
            "Pass its name or a Python function."
        )
    return found


def _not_a_function(block: str, function: Any) -> ArgumentError:
    return ArgumentError(
        f"{block}: Unrecognized function in lambda: expected a name or a function, "
        f"got function={function!r} of type {type(function)}. Pass something that can be called."
    )


class Lambda(Block):
    """A function as a block.

    Args:
        function: Name of a function of `nd`, or a function of the block's inputs.
        prefix: See `Block`.

    Raises:
        ArgumentError: `function` is neither.
    """

    def __init__(self, function: str | Callable[..., Any], prefix: str | None = None) -> None:
        super().__init__(prefix=prefix)
        if isinstance(function, str):
            function = _named_function("Lambda", function, ndarray)
        elif not callable(function):
            raise _not_a_function("Lambda", function)
        self._func_impl = function

    def forward(self, *args: Any) -> Any:
        """Return what the function returns."""
        return self._func_impl(*args)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._func_impl.__name__})"


class HybridLambda(HybridBlock):
    """A function as a hybrid block.

    Args:
        function: Name of a function of `nd` and `sym`, or a function of `F` and the block's inputs.
        prefix: See `Block`.

    Raises:
        ArgumentError: `function` is neither.
    """

    def __init__(self, function: str | Callable[..., Any], prefix: str | None = None) -> None:
        super().__init__(prefix=prefix)
        if isinstance(function, str):
            name = function
            functions = {space: _named_function("HybridLambda", name, space) for space in (symbol, ndarray)}
            self._func_name = name
            self._func: Callable[..., Any] = lambda F, *args: functions[F](*args)
        elif callable(function):
            self._func_name = function.__name__
            self._func = function
        else:
            raise _not_a_function("HybridLambda", function)

    def hybrid_forward(self, F: Any, x: Any, *args: Any) -> Any:
        """Return what the function returns."""
        return self._func(F, x, *args)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._func_name})"
