"""Loss functions.

Every loss gives one value for each sample, shape (N,), unless it says otherwise. All take

    weight        a number that the loss is multiplied by, or None
    batch_axis    the axis of samples; the mean is taken over the others
    sample_weight (an input) weights that broadcast to the loss before the mean, such as (N, 1)

and reshape `label` like `pred` where both have the same number of values.
"""

import math
from numbers import Number
from typing import Any

from gluonnx import ndarray
from gluonnx.errors import ArgumentError, InputError
from gluonnx.gluon.block import HybridBlock

__all__ = [
    "CTCLoss",
    "CosineEmbeddingLoss",
    "HingeLoss",
    "HuberLoss",
    "KLDivLoss",
    "L1Loss",
    "L2Loss",
    "LogisticLoss",
    "Loss",
    "PoissonNLLLoss",
    "SDMLLoss",
    "SigmoidBCELoss",
    "SigmoidBinaryCrossEntropyLoss",
    "SoftmaxCELoss",
    "SoftmaxCrossEntropyLoss",
    "SquaredHingeLoss",
    "TripletLoss",
]

LOG_EPSILON = 1e-12
"""Keeps logarithms and quotients finite, as in MXNet."""


def _weighted(F: Any, loss: Any, weight: float | None, sample_weight: Any = None) -> Any:
    """Multiply a loss by the weights of its samples and by a number."""
    if sample_weight is not None:
        loss = F.broadcast_mul(loss, sample_weight)
    if weight is None:
        return loss
    if not isinstance(weight, Number):
        raise ArgumentError(
            f"Loss: weight must be a number: expected a number, got weight={weight!r}. "
            "Pass weights of samples as the input `sample_weight`."
        )
    return loss * weight


_apply_weighting = _weighted
"""MXNet's name, which losses of programs import."""


def _reshape_like(F: Any, data: Any, like: Any) -> Any:
    return data.reshape(like.shape) if F is ndarray else F.reshape_like(data, like)


class Loss(HybridBlock):
    """Base of all losses; see the module for its arguments.

    Subclasses define `hybrid_forward`.
    """

    def __init__(self, weight: float | None, batch_axis: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._weight = weight
        self._batch_axis = batch_axis

    def __repr__(self) -> str:
        return f"{type(self).__name__}(batch_axis={self._batch_axis}, w={self._weight})"

    def _mean(self, F: Any, loss: Any, sample_weight: Any) -> Any:
        """Weight a loss and take the mean of each sample."""
        return F.mean(_weighted(F, loss, self._weight, sample_weight), axis=self._batch_axis, exclude=True)


class L2Loss(Loss):
    """Half the mean squared error: `weight / 2 * (label - pred)^2`. See `Loss`."""

    def __init__(self, weight: float = 1.0, batch_axis: int = 0, **kwargs: Any) -> None:
        super().__init__(weight, batch_axis, **kwargs)

    def hybrid_forward(self, F: Any, pred: Any, label: Any, sample_weight: Any = None) -> Any:
        """Return (N,)."""
        label = _reshape_like(F, label, pred)
        loss = _weighted(F, F.square(label - pred), None if self._weight is None else self._weight / 2, sample_weight)
        return F.mean(loss, axis=self._batch_axis, exclude=True)


class L1Loss(Loss):
    """Mean absolute error: `|label - pred|`. See `Loss`."""

    def __init__(self, weight: float | None = None, batch_axis: int = 0, **kwargs: Any) -> None:
        super().__init__(weight, batch_axis, **kwargs)

    def hybrid_forward(self, F: Any, pred: Any, label: Any, sample_weight: Any = None) -> Any:
        """Return (N,)."""
        label = _reshape_like(F, label, pred)
        return self._mean(F, F.abs(label - pred), sample_weight)


class SigmoidBinaryCrossEntropyLoss(Loss):
    """Cross entropy of independent yes-or-no labels. See `Loss`.

    With `prob = sigmoid(pred)`: `-(pos_weight * label * log(prob) + (1 - label) * log(1 - prob))`.

    Args:
        from_sigmoid: Whether `pred` is `prob` already.
        weight: See `Loss`.
        batch_axis: See `Loss`.
        kwargs: `prefix` and `params` of `Block`.
    """

    def __init__(
        self, from_sigmoid: bool = False, weight: float | None = None, batch_axis: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(weight, batch_axis, **kwargs)
        self._from_sigmoid = from_sigmoid

    def hybrid_forward(self, F: Any, pred: Any, label: Any, sample_weight: Any = None, pos_weight: Any = None) -> Any:
        """Return (N,); `pos_weight` broadcasts to `label` and weighs the positive ones."""
        label = _reshape_like(F, label, pred)
        entropy = self._of_probabilities if self._from_sigmoid else self._of_logits
        return self._mean(F, entropy(F, pred, label, pos_weight), sample_weight)

    @staticmethod
    def _of_logits(F: Any, pred: Any, label: Any, pos_weight: Any) -> Any:
        if pos_weight is None:
            return F.relu(pred) - pred * label + F.Activation(-F.abs(pred), act_type="softrelu")
        log_weight = 1 + F.broadcast_mul(pos_weight - 1, label)
        softplus = F.Activation(-F.abs(pred), act_type="softrelu") + F.relu(-pred)
        return pred - pred * label + log_weight * softplus

    @staticmethod
    def _of_probabilities(F: Any, pred: Any, label: Any, pos_weight: Any) -> Any:
        positive = F.log(pred + LOG_EPSILON) * label
        if pos_weight is not None:
            positive = F.broadcast_mul(positive, pos_weight)
        return -(positive + F.log(1.0 - pred + LOG_EPSILON) * (1.0 - label))


SigmoidBCELoss = SigmoidBinaryCrossEntropyLoss


class SoftmaxCrossEntropyLoss(Loss):
    """Cross entropy of classes: `-log(softmax(pred))` at the label. See `Loss`.

    Args:
        axis: Axis of the classes.
        sparse_label: Whether `label` holds indices, in the shape of `pred` without `axis`; otherwise it holds
            probabilities in the shape of `pred`.
        from_logits: Whether `pred` is `log(softmax(...))` already.
        weight: See `Loss`.
        batch_axis: See `Loss`.
        kwargs: `prefix` and `params` of `Block`.
    """

    def __init__(
        self,
        axis: int = -1,
        sparse_label: bool = True,
        from_logits: bool = False,
        weight: float | None = None,
        batch_axis: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(weight, batch_axis, **kwargs)
        self._axis = axis
        self._sparse_label = sparse_label
        self._from_logits = from_logits

    def hybrid_forward(self, F: Any, pred: Any, label: Any, sample_weight: Any = None) -> Any:
        """Return (N,)."""
        if not self._from_logits:
            pred = F.log_softmax(pred, self._axis)
        if self._sparse_label:
            loss = -F.pick(pred, label, axis=self._axis, keepdims=True)
        else:
            label = _reshape_like(F, label, pred)
            loss = -(pred * label).sum(axis=self._axis, keepdims=True)
        return self._mean(F, loss, sample_weight)


SoftmaxCELoss = SoftmaxCrossEntropyLoss


class KLDivLoss(Loss):
    """Divergence of `pred` from the distribution `label`: `label * (log(label) - log(softmax(pred)))`. See `Loss`.

    The sum is taken, not the mean.

    Args:
        from_logits: Whether `pred` is `log(softmax(...))` already.
        axis: Axis of the distribution.
        weight: See `Loss`.
        batch_axis: See `Loss`.
        kwargs: `prefix` and `params` of `Block`.
    """

    def __init__(
        self,
        from_logits: bool = True,
        axis: int = -1,
        weight: float | None = None,
        batch_axis: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(weight, batch_axis, **kwargs)
        self._from_logits = from_logits
        self._axis = axis

    def hybrid_forward(self, F: Any, pred: Any, label: Any, sample_weight: Any = None) -> Any:
        """Return (N,)."""
        if not self._from_logits:
            pred = F.log_softmax(pred, self._axis)
        loss = label * (F.log(label + LOG_EPSILON) - pred)
        return F.sum(_weighted(F, loss, self._weight, sample_weight), axis=self._batch_axis, exclude=True)


class CTCLoss(Loss):
    """Connectionist temporal classification: the likelihood of a label sequence over all alignments. See `Loss`.

    Args:
        layout: `NTC` or `TNC`, order of the axes of `pred`; the last class is the blank.
        label_layout: `NT` or `TN`, order of the axes of `label`; shorter sequences are padded with -1.
        weight: See `Loss`.
        kwargs: `prefix` and `params` of `Block`.

    Raises:
        ArgumentError: Another layout.

    Source: Graves et al., 2006, "Connectionist Temporal Classification".
    """

    def __init__(
        self, layout: str = "NTC", label_layout: str = "NT", weight: float | None = None, **kwargs: Any
    ) -> None:
        for name, value, allowed in (("layout", layout, ("NTC", "TNC")), ("label_layout", label_layout, ("NT", "TN"))):
            if value not in allowed:
                raise ArgumentError(
                    f"CTCLoss: unsupported layout: expected {allowed[0]!r} or {allowed[1]!r}, got {name}={value!r}. "
                    "Swap the axes."
                )
        super().__init__(weight, label_layout.find("N"), **kwargs)
        self._layout = layout
        self._label_layout = label_layout

    def hybrid_forward(
        self,
        F: Any,
        pred: Any,
        label: Any,
        pred_lengths: Any = None,
        label_lengths: Any = None,
        sample_weight: Any = None,
    ) -> Any:
        """Return (N,); the lengths, of shape (N,), tell where the sequences end."""
        if self._layout == "NTC":
            pred = F.swapaxes(pred, 0, 1)
        if self._batch_axis == 1:
            label = F.swapaxes(label, 0, 1)
        loss = F.CTCLoss(
            pred,
            label,
            pred_lengths,
            label_lengths,
            use_data_lengths=pred_lengths is not None,
            use_label_lengths=label_lengths is not None,
            blank_label="last",
        )
        return _weighted(F, loss, self._weight, sample_weight)


class HuberLoss(Loss):
    """Squared error near 0, absolute error further off. See `Loss`.

    With `d = |label - pred|`: `d^2 / (2 rho)` up to `rho`, `d - rho / 2` beyond.
    """

    def __init__(self, rho: float = 1, weight: float | None = None, batch_axis: int = 0, **kwargs: Any) -> None:
        super().__init__(weight, batch_axis, **kwargs)
        self._rho = rho

    def hybrid_forward(self, F: Any, pred: Any, label: Any, sample_weight: Any = None) -> Any:
        """Return (N,)."""
        label = _reshape_like(F, label, pred)
        distance = F.abs(label - pred)
        is_far = distance > self._rho
        loss = F.where(is_far, distance - 0.5 * self._rho, 0.5 / self._rho * F.square(distance))
        return self._mean(F, loss, sample_weight)


class HingeLoss(Loss):
    """`max(0, margin - pred * label)`, labels -1 or 1. See `Loss`."""

    def __init__(self, margin: float = 1, weight: float | None = None, batch_axis: int = 0, **kwargs: Any) -> None:
        super().__init__(weight, batch_axis, **kwargs)
        self._margin = margin

    def hybrid_forward(self, F: Any, pred: Any, label: Any, sample_weight: Any = None) -> Any:
        """Return (N,)."""
        label = _reshape_like(F, label, pred)
        return self._mean(F, F.relu(self._margin - pred * label), sample_weight)


class SquaredHingeLoss(Loss):
    """`max(0, margin - pred * label)^2`, labels -1 or 1. See `Loss`."""

    def __init__(self, margin: float = 1, weight: float | None = None, batch_axis: int = 0, **kwargs: Any) -> None:
        super().__init__(weight, batch_axis, **kwargs)
        self._margin = margin

    def hybrid_forward(self, F: Any, pred: Any, label: Any, sample_weight: Any = None) -> Any:
        """Return (N,)."""
        label = _reshape_like(F, label, pred)
        return self._mean(F, F.square(F.relu(self._margin - pred * label)), sample_weight)


class LogisticLoss(Loss):
    """`log(1 + exp(-pred * label))`, labels -1 or 1. See `Loss`.

    Args:
        weight: See `Loss`.
        batch_axis: See `Loss`.
        label_format: `signed` for labels -1 or 1, `binary` for 0 or 1.
        kwargs: `prefix` and `params` of `Block`.

    Raises:
        ArgumentError: Another label format.
    """

    def __init__(
        self, weight: float | None = None, batch_axis: int = 0, label_format: str = "signed", **kwargs: Any
    ) -> None:
        super().__init__(weight, batch_axis, **kwargs)
        if label_format not in ("signed", "binary"):
            raise ArgumentError(
                "LogisticLoss: label_format can only be signed or binary: expected one of these, "
                f"got label_format={label_format!r}. Pass `binary` for labels 0 or 1."
            )
        self._label_format = label_format

    def hybrid_forward(self, F: Any, pred: Any, label: Any, sample_weight: Any = None) -> Any:
        """Return (N,)."""
        label = _reshape_like(F, label, pred)
        if self._label_format == "signed":
            label = (label + 1.0) / 2.0
        loss = F.relu(pred) - pred * label + F.Activation(-F.abs(pred), act_type="softrelu")
        return self._mean(F, loss, sample_weight)


class TripletLoss(Loss):
    """`max(0, |positive - pred|^2 - |negative - pred|^2 + margin)`. See `Loss`."""

    def __init__(self, margin: float = 1, weight: float | None = None, batch_axis: int = 0, **kwargs: Any) -> None:
        super().__init__(weight, batch_axis, **kwargs)
        self._margin = margin

    def hybrid_forward(self, F: Any, pred: Any, positive: Any, negative: Any) -> Any:
        """Return (N,) for three arrays of one shape."""
        positive = _reshape_like(F, positive, pred)
        negative = _reshape_like(F, negative, pred)
        difference = F.square(positive - pred) - F.square(negative - pred)
        distance = F.sum(difference, axis=self._batch_axis, exclude=True)
        return _weighted(F, F.relu(distance + self._margin), self._weight)


class PoissonNLLLoss(Loss):
    """Negative log likelihood of counts under a Poisson distribution: `pred - target * log(pred)`. See `Loss`.

    Differs: MXNet 1.9.1 cannot record or hybridize it with `compute_full` (it changes arrays in place).

    Args:
        weight: See `Loss`.
        from_logits: Whether `pred` is the logarithm of the rate: `exp(pred) - target * pred`.
        batch_axis: See `Loss`.
        compute_full: Whether to add Stirling's approximation of `log(target!)` where `target > 1`.
        kwargs: `prefix` and `params` of `Block`.
    """

    def __init__(
        self,
        weight: float | None = None,
        from_logits: bool = True,
        batch_axis: int = 0,
        compute_full: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(weight, batch_axis, **kwargs)
        self._from_logits = from_logits
        self._compute_full = compute_full

    def hybrid_forward(self, F: Any, pred: Any, target: Any, sample_weight: Any = None, epsilon: float = 1e-08) -> Any:
        """Return the mean over everything, samples too: (1,)."""
        target = _reshape_like(F, target, pred)
        loss = F.exp(pred) - target * pred if self._from_logits else pred - target * F.log(pred + epsilon)
        if self._compute_full:
            stirling = target * F.log(target) - target + 0.5 * F.log(2 * target * math.pi)
            loss = loss + F.where(target > 1, stirling, F.zeros_like(target))
        return F.mean(_weighted(F, loss, self._weight, sample_weight))


class CosineEmbeddingLoss(Loss):
    """`1 - cos(input1, input2)` for labels 1, `max(0, cos(input1, input2) - margin)` for labels -1. See `Loss`."""

    def __init__(self, weight: float | None = None, batch_axis: int = 0, margin: float = 0, **kwargs: Any) -> None:
        super().__init__(weight, batch_axis, **kwargs)
        self._margin = margin

    def hybrid_forward(self, F: Any, input1: Any, input2: Any, label: Any, sample_weight: Any = None) -> Any:
        """Return (N, 1) for two arrays (N, D) and labels (N,)."""
        input1 = _reshape_like(F, input1, input2)
        label = label.reshape((-1, 1))
        cosine = self._cosine(F, input1, input2)
        is_same, is_other = label == 1, label == -1
        same = (1 - cosine) * is_same
        zero = F.array([0]) if F is ndarray else F.zeros((1, 1))
        other = F.broadcast_maximum(zero, is_other * (cosine - self._margin), axis=1)
        return _weighted(F, same + other, self._weight, sample_weight)

    @staticmethod
    def _cosine(F: Any, x: Any, y: Any) -> Any:
        x_norm = F.norm(x, axis=-1).reshape((-1, 1))
        y_norm = F.norm(y, axis=-1).reshape((-1, 1))
        product = F.sum(x * y, axis=-1).reshape((-1, 1))
        least = F.array([LOG_EPSILON]) if F is ndarray else F.full((1, 1), LOG_EPSILON)
        return product / F.broadcast_maximum(x_norm * y_norm, least)


class SDMLLoss(Loss):
    """Smoothed deep metric learning: pairs of a batch belong together, everything else does not. See `Loss`.

    Cannot be hybridized: it reads the batch size.

    Args:
        smoothing_parameter: Share of the probability that goes to the other samples.
        weight: See `Loss`.
        batch_axis: See `Loss`.
        kwargs: `prefix` and `params` of `Block`.

    Source: Bonadiman et al., 2019, "Large Scale Question Paraphrase Retrieval with Smoothed Deep Metric Learning".
    """

    def __init__(
        self, smoothing_parameter: float = 0.3, weight: float = 1.0, batch_axis: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(weight, batch_axis, **kwargs)
        self.kl_loss = KLDivLoss(from_logits=True)
        self.smoothing_parameter = smoothing_parameter

    def hybrid_forward(self, F: Any, x1: Any, x2: Any) -> Any:
        """Return (N,) for two arrays (N, D).

        Raises:
            InputError: Their shapes differ.
        """
        if x1.shape != x2.shape:
            raise InputError(f"SDMLLoss: shapes differ: expected two of one shape, got x1={x1.shape}, x2={x2.shape}.")
        size = x1.shape[0]
        same = F.eye(size, ctx=x1.context)
        labels = same * (1 - self.smoothing_parameter) + (1 - same) * self.smoothing_parameter / (size - 1)
        distances = F.square(F.broadcast_sub(x1.expand_dims(1), x2.expand_dims(0))).sum(axis=2)
        return self.kl_loss(F.log_softmax(-distances, axis=1), labels)
