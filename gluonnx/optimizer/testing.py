"""MXNet's `Test` optimizer, by which programs check that updates arrive."""

from typing import Any

from gluonnx.ndarray.ndarray import NDArray
from gluonnx.optimizer.optimizer import Optimizer, register
from gluonnx.optimizer.state import zeros_like

__all__ = ["Test"]


@register
class Test(Optimizer):
    """Add the rescaled gradient: `weight += rescale_grad * grad`; the state is a copy of the weight."""

    __test__ = False

    def create_state(self, index: Any, weight: NDArray) -> Any:
        """Return zeros of the weight's shape."""
        return zeros_like(weight)

    def update(self, index: Any, weight: NDArray, grad: NDArray, state: Any) -> None:
        """Update one parameter."""
        weight._writable().add_(grad._plain(), alpha=self.rescale_grad)
        state[:] = weight
