"""What every metric is: its sums, its registry, several as one, and functions as metrics."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy.typing as npt

from gluonnx import registry
from gluonnx.errors import ArgumentError, InputError
from gluonnx.ndarray.ndarray import NDArray

__all__ = [
    "CompositeEvalMetric",
    "CustomMetric",
    "EvalMetric",
    "Pairwise",
    "alias",
    "check_average",
    "check_label_shapes",
    "create",
    "np",
    "register",
]

AVERAGES = ("macro", "micro")

Array = npt.NDArray[Any]


def check_label_shapes(labels: Any, preds: Any, wrap: bool = False, shape: bool = False) -> tuple[Any, Any]:
    """Check that labels and predictions have the same length, or shape.

    Args:
        labels: Labels.
        preds: Predictions.
        wrap: Return single arrays in a list.
        shape: Compare shapes and not lengths.

    Raises:
        InputError: They differ.
    """
    own, other = (labels.shape, preds.shape) if shape else (len(labels), len(preds))
    if own != other:
        raise InputError(f"Shape of labels {own} does not match shape of predictions {other}")
    if wrap:
        labels = [labels] if isinstance(labels, NDArray) else labels
        preds = [preds] if isinstance(preds, NDArray) else preds
    return labels, preds


class EvalMetric:
    """Base class: a subclass defines `update`.

    Args:
        name: Name for display.
        output_names: Predictions that `update_dict` uses; all if None.
        label_names: Labels that `update_dict` uses; all if None.
        **kwargs: Arguments of the subclass for `get_config`, and `has_global_stats`.
    """

    def __init__(
        self,
        name: str,
        output_names: Sequence[str] | None = None,
        label_names: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        self.name = str(name)
        self.output_names = output_names
        self.label_names = label_names
        self._has_global_stats = kwargs.pop("has_global_stats", False)
        self._kwargs = kwargs
        self.reset()

    def __str__(self) -> str:
        return f"EvalMetric: {dict(self.get_name_value())}"

    def get_config(self) -> dict[str, Any]:
        """Return what `create(**config)` makes an equal metric from."""
        return {
            **self._kwargs,
            "metric": type(self).__name__,
            "name": self.name,
            "output_names": self.output_names,
            "label_names": self.label_names,
        }

    def update_dict(self, label: Mapping[str, NDArray], pred: Mapping[str, NDArray]) -> None:
        """Update from arrays by name."""
        preds = list(pred.values()) if self.output_names is None else [pred[n] for n in self.output_names]
        labels = list(label.values()) if self.label_names is None else [label[n] for n in self.label_names]
        self.update(labels, preds)

    def update(self, labels: Any, preds: Any) -> None:
        """Take labels and predictions in."""
        raise NotImplementedError(f"{type(self).__name__}: a metric must define update(labels, preds).")

    def _add(self, total: float, count: float) -> None:
        self.sum_metric += total
        self.global_sum_metric += total
        self.num_inst += count
        self.global_num_inst += count

    def reset(self) -> None:
        """Forget everything."""
        self.global_num_inst: float = 0
        self.global_sum_metric: float = 0.0
        self.reset_local()

    def reset_local(self) -> None:
        """Forget what the local value is made of."""
        self.num_inst: float = 0
        self.sum_metric: float = 0.0

    def get(self) -> tuple[Any, Any]:
        """Return (name, value), lists for several; the value is NaN before the first update."""
        return self.name, self._value(self.sum_metric, self.num_inst)

    def get_global(self) -> tuple[Any, Any]:
        """Return (name, value) since `reset`."""
        if not self._has_global_stats:
            return self.get()
        return self.name, self._value(self.global_sum_metric, self.global_num_inst)

    def _value(self, total: float, count: float) -> float:
        return float("nan") if count == 0 else total / count

    def get_name_value(self) -> list[tuple[str, float]]:
        """Return the (name, value) pairs."""
        return _zipped(*self.get())

    def get_global_name_value(self) -> list[tuple[str, float]]:
        """Return the (name, value) pairs since `reset`."""
        return _zipped(*self.get_global())


register = registry.get_register_func(EvalMetric, "metric")
alias = registry.get_alias_func(EvalMetric, "metric")
_create = registry.get_create_func(EvalMetric, "metric")


def create(metric: Any, *args: Any, **kwargs: Any) -> EvalMetric:
    """Return a metric.

    Args:
        metric: A name, an instance, a function of (label, pred), a config, or a list of such for a composite.
        *args: Arguments of a named metric.
        **kwargs: Arguments of a named metric.

    Raises:
        RegistryError: No metric has this name.
    """
    if callable(metric):
        return CustomMetric(metric, *args, **kwargs)
    if isinstance(metric, list):
        composite = CompositeEvalMetric()
        for child in metric:
            composite.add(create(child, *args, **kwargs))
        return composite
    created: EvalMetric = _create(metric, *args, **kwargs)
    return created


@register
@alias("composite")
class CompositeEvalMetric(EvalMetric):
    """Several metrics as one: names and values are lists.

    Args:
        metrics: What `create` takes for each.
        name: See EvalMetric.
        output_names: See EvalMetric.
        label_names: See EvalMetric.
    """

    def __init__(
        self,
        metrics: Sequence[Any] | None = None,
        name: str = "composite",
        output_names: Sequence[str] | None = None,
        label_names: Sequence[str] | None = None,
    ) -> None:
        self.metrics: list[EvalMetric] = []
        super().__init__(name, output_names, label_names, has_global_stats=True)
        self.metrics = [create(m) for m in metrics or []]

    def add(self, metric: Any) -> None:
        """Add a metric, given as `create` takes it."""
        self.metrics.append(create(metric))

    def get_metric(self, index: int) -> EvalMetric:
        """Return a metric by position.

        Raises:
            ArgumentError: There is none. (Differs: MXNet returns the error.)
        """
        if not -len(self.metrics) <= index < len(self.metrics):
            raise ArgumentError(
                f"CompositeEvalMetric: Metric index {index} is out of range 0 and {len(self.metrics)}: got {index}."
            )
        return self.metrics[index]

    def update_dict(self, labels: Mapping[str, NDArray], preds: Mapping[str, NDArray]) -> None:
        """Update every metric from arrays by name."""
        if self.label_names is not None:
            labels = {n: a for n, a in labels.items() if n in self.label_names}
        if self.output_names is not None:
            preds = {n: a for n, a in preds.items() if n in self.output_names}
        for metric in self.metrics:
            metric.update_dict(labels, preds)

    def update(self, labels: Any, preds: Any) -> None:
        """Update every metric."""
        for metric in self.metrics:
            metric.update(labels, preds)

    def reset(self) -> None:
        """Reset every metric."""
        for metric in self.metrics:
            metric.reset()

    def reset_local(self) -> None:
        """Reset the local values of every metric."""
        for metric in self.metrics:
            metric.reset_local()

    def get(self) -> tuple[list[str], list[float]]:
        """Return the names and values of all metrics."""
        return _joined([m.get_name_value() for m in self.metrics])

    def get_global(self) -> tuple[list[str], list[float]]:
        """Return the names and values of all metrics since `reset`."""
        return _joined([m.get_global_name_value() for m in self.metrics])

    def get_config(self) -> dict[str, Any]:
        """Return what `create(**config)` makes an equal metric from."""
        return {**super().get_config(), "metrics": [m.get_config() for m in self.metrics]}


class Pairwise(EvalMetric):
    """A metric that is measured on each pair of a label and a prediction array."""

    def update(self, labels: Any, preds: Any) -> None:
        """Take labels and predictions in."""
        labels, preds = check_label_shapes(labels, preds, wrap=True)
        for label, pred in zip(labels, preds, strict=True):
            self._add(*self._measure(label, pred))

    def _measure(self, label: NDArray, pred: NDArray) -> tuple[float, float]:
        """Return the sum and the count of a pair."""
        raise NotImplementedError


@register
class CustomMetric(EvalMetric):
    """A function of numpy arrays as a metric.

    Args:
        feval: Called with (label, pred); returns a value, or (sum, count).
        name: Name for display; the function's if None.
        allow_extra_outputs: Whether there may be more predictions than labels; the rest is ignored.
        output_names: See EvalMetric.
        label_names: See EvalMetric.
    """

    def __init__(
        self,
        feval: Callable[[Array, Array], Any],
        name: str | None = None,
        allow_extra_outputs: bool = False,
        output_names: Sequence[str] | None = None,
        label_names: Sequence[str] | None = None,
    ) -> None:
        if name is None:
            name = getattr(feval, "__name__", type(feval).__name__)
            if "<" in name:
                name = f"custom({name})"
        super().__init__(
            name,
            output_names,
            label_names,
            feval=feval,
            allow_extra_outputs=allow_extra_outputs,
            has_global_stats=True,
        )
        self._feval = feval
        self._allow_extra_outputs = allow_extra_outputs

    def update(self, labels: Any, preds: Any) -> None:
        """Take labels and predictions in."""
        if not self._allow_extra_outputs:
            labels, preds = check_label_shapes(labels, preds, wrap=True)
        for pred, label in zip(preds, labels, strict=False):
            value = self._feval(label.asnumpy(), pred.asnumpy())
            if isinstance(value, tuple):
                self._add(*value)
            else:
                self._add(value, 1)

    def get_config(self) -> dict[str, Any]:
        """Raise NotImplementedError: a function has no description."""
        raise NotImplementedError("CustomMetric cannot be serialized")


def np(
    numpy_feval: Callable[[Array, Array], Any], name: str | None = None, allow_extra_outputs: bool = False
) -> CustomMetric:
    """Return a metric from a function of numpy arrays; see CustomMetric."""
    return CustomMetric(numpy_feval, name, allow_extra_outputs)


def check_average(where: str, average: str) -> None:
    """Raise ArgumentError unless `average` is a way of averaging."""
    if average not in AVERAGES:
        raise ArgumentError(f"{where}: expected one of {', '.join(AVERAGES)}, got average={average!r}.")


def _zipped(name: Any, value: Any) -> list[tuple[str, float]]:
    names = name if isinstance(name, list) else [name]
    values = value if isinstance(value, list) else [value]
    return list(zip(names, values, strict=True))


def _joined(pairs: Sequence[Sequence[tuple[str, float]]]) -> tuple[list[str], list[float]]:
    flat = [pair for some in pairs for pair in some]
    return [n for n, _ in flat], [v for _, v in flat]
