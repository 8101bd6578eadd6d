"""Activation layers."""

from typing import Any

from gluonnx import initializer
from gluonnx.errors import ArgumentError
from gluonnx.gluon.block import HybridBlock

__all__ = ["ELU", "GELU", "SELU", "Activation", "LeakyReLU", "PReLU", "Swish"]

DEFAULT_PRELU_SLOPE = 0.25  # He et al., 2015, section 2.1


class Activation(HybridBlock):
    """Apply an activation function, elementwise.

    Args:
        activation: `relu`, `sigmoid`, `tanh`, `softrelu` or `softsign`. The operator checks it, at the first call.
    """

    def __init__(self, activation: str, **kwargs: Any) -> None:
        self._act_type = activation  # before the base class: the automatic prefix is made from it
        super().__init__(**kwargs)

    def _alias(self) -> str:
        return self._act_type

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Return an array of the shape and dtype of `x`."""
        return F.Activation(x, act_type=self._act_type, name="fwd")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._act_type})"


class LeakyReLU(HybridBlock):
    """`x` where positive, `alpha * x` elsewhere.

    Raises:
        ArgumentError: `alpha` is negative.
    """

    def __init__(self, alpha: float, **kwargs: Any) -> None:
        if not alpha >= 0:
            raise ArgumentError(
                f"LeakyReLU: negative slope: expected alpha >= 0, got alpha={alpha}. Pass a positive slope."
            )
        super().__init__(**kwargs)
        self._alpha = alpha

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Return an array of the shape and dtype of `x`."""
        return F.LeakyReLU(x, act_type="leaky", slope=self._alpha, name="fwd")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._alpha})"


class PReLU(HybridBlock):
    """Leaky ReLU whose slope `alpha` is learned.

    Args:
        alpha_initializer: Initializer of `alpha`, of shape (in_channels,).
        in_channels: 1 for one slope, or the size of axis 1 of the data for one slope per channel.

    Source: He et al., 2015, "Delving Deep into Rectifiers".
    """

    def __init__(
        self,
        alpha_initializer: Any = initializer.Constant(DEFAULT_PRELU_SLOPE),  # noqa: B008 - it holds no state
        in_channels: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        with self.name_scope():
            self.alpha = self.params.get("alpha", shape=(in_channels,), init=alpha_initializer)

    def hybrid_forward(self, F: Any, x: Any, alpha: Any) -> Any:
        """Return an array of the shape and dtype of `x`."""
        return F.LeakyReLU(x, gamma=alpha, act_type="prelu", name="fwd")


class ELU(HybridBlock):
    """`x` where positive, `alpha * (exp(x) - 1)` elsewhere.

    Source: Clevert et al., 2016, "Fast and Accurate Deep Network Learning by Exponential Linear Units".
    """

    def __init__(self, alpha: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._alpha = alpha

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Return an array of the shape and dtype of `x`."""
        return F.LeakyReLU(x, act_type="elu", slope=self._alpha)


class SELU(HybridBlock):
    """Scaled ELU, with the two constants that keep the variance of activations.

    Source: Klambauer et al., 2017, "Self-Normalizing Neural Networks".
    """

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Return an array of the shape and dtype of `x`."""
        return F.LeakyReLU(x, act_type="selu", name="fwd")


class GELU(HybridBlock):
    """`x` times the standard normal distribution function of `x`.

    Source: Hendrycks and Gimpel, 2016, "Gaussian Error Linear Units".
    """

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Return an array of the shape and dtype of `x`."""
        return F.LeakyReLU(x, act_type="gelu", name="fwd")


class Swish(HybridBlock):
    """`x * sigmoid(beta * x)`; with `beta` 1 also known as SiLU.

    Source: Ramachandran et al., 2017, "Searching for Activation Functions".
    """

    def __init__(self, beta: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._beta = beta

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """Return an array of the shape and dtype of `x`."""
        return x * F.sigmoid(self._beta * x, name="fwd")
