"""Statistics of the arrays of executors while they run: `mx.mon.Monitor`."""

import logging
import math
import re
from collections.abc import Callable
from typing import Any

from gluonnx.errors import InputTypeError
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.ndarray.register import function

__all__ = ["Monitor"]


class Monitor:
    """Collects a statistic of outputs, parameters and states of executors, every `interval` batches.

    Args:
        interval: How many batches lie between two collections.
        stat_func: Returns an NDArray or a list of them for an array; the norm divided by the root of the size if None.
        pattern: Regular expression that the beginning of a name must match.
        sort: Whether the results are in the order of the names.
        monitor_all: Whether inputs of operators are watched too.

    Examples:
        >>> import gluonnx as mx
        >>> net = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=1, no_bias=True, name="fc")
        >>> exe = net.bind(mx.cpu(), {"data": mx.nd.ones((1, 2)), "fc_weight": mx.nd.ones((1, 2))})
        >>> monitor = Monitor(1, stat_func=lambda x: x.max(), pattern="fc_output")
        >>> monitor.install(exe)
        >>> monitor.tic()
        >>> outputs = exe.forward()
        >>> [(name, text.strip()) for step, name, text in monitor.toc()]
        [('fc_output', '2.0')]

    Differs: what the backward pass computes on the way is not watched.

    Source: MXNet 1.9.1 python/mxnet/monitor.py.
    """

    def __init__(
        self,
        interval: int,
        stat_func: Callable[[NDArray], Any] | None = None,
        pattern: str = ".*",
        sort: bool = False,
        monitor_all: bool = False,
    ) -> None:
        self.stat_func = _scaled_norm if stat_func is None else stat_func
        self.interval = interval
        self.activated = False
        self.queue: list[tuple[int, str, Any]] = []
        self.step = 0
        self.exes: list[Any] = []
        self.re_prog = re.compile(pattern)
        self.sort = sort
        self.monitor_all = monitor_all

    def stat_helper(self, name: str, array: NDArray) -> None:
        """Note the statistic of an array; executors call it."""
        if self.activated:
            self._note(name, array)

    def _note(self, name: str, array: NDArray) -> None:
        if self.re_prog.match(name):
            self.queue.append((self.step, name, self.stat_func(array)))

    def install(self, exe: Any) -> None:
        """Watch an executor; there can be several."""
        exe.set_monitor_callback(self.stat_helper, self.monitor_all)
        self.exes.append(exe)

    def tic(self) -> None:
        """Begin a batch, before its forward."""
        if self.step % self.interval == 0:
            self.queue = []
            self.activated = True
        self.step += 1

    def toc(self) -> list[tuple[int, str, str]]:
        """End a batch, and return (number of the batch, name, text of the statistic) of what was collected.

        Raises:
            InputTypeError: The statistic is no NDArray or list of them.
        """
        if not self.activated:
            return []
        for exe in self.exes:
            graph = exe._symbol
            for names, arrays in (
                (graph.list_arguments(), exe.arg_arrays),
                (graph.list_auxiliary_states(), exe.aux_arrays),
            ):
                for name, array in zip(names, arrays, strict=True):
                    self._note(name, array)
        self.activated = False
        found, self.queue = self.queue, []
        if self.sort:
            found.sort(key=lambda row: row[1])
        return [(step, name, _text(name, statistic)) for step, name, statistic in found]

    def toc_print(self) -> None:
        """End a batch, and log what was collected."""
        for step, name, text in self.toc():
            logging.info("Batch: %7d %30s %s", step, name, text)


def _scaled_norm(array: NDArray) -> NDArray:
    norm: NDArray = function("norm")(array)
    return norm / math.sqrt(array.size)


def _text(name: str, statistic: Any) -> str:
    values = statistic if isinstance(statistic, list) else [statistic]
    for value in values:
        if not isinstance(value, NDArray):
            raise InputTypeError(
                f"Monitor: the statistic of `{name}`: expected an NDArray or a list of them, got "
                f"{type(value).__name__}. Return what operators of mx.nd give."
            )
    return "".join(str(v.asscalar() if v.shape == (1,) else v.asnumpy()) + "\t" for v in values)
