"""Profiling on torch's profiler: `mx.profiler`.

    mx.profiler.set_config(filename="profile.json", aggregate_stats=True)
    mx.profiler.set_state("run")
    ...                                  # what is to be measured
    mx.profiler.set_state("stop")
    print(mx.profiler.dumps())           # a table
    mx.profiler.dump()                   # profile.json, for chrome://tracing or ui.perfetto.dev

Operators appear under torch's names (`aten::addmm`), tasks, frames, events, counters and markers under their own.
"""

import json
import os
import threading
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch

from gluonnx.errors import ArgumentError, MXNetError, NotSupportedError
from gluonnx.formats.files import write_bytes_atomic

__all__ = [
    "Counter",
    "Domain",
    "Event",
    "Frame",
    "Marker",
    "Task",
    "dump",
    "dump_profile",
    "dumps",
    "pause",
    "profiler_set_config",
    "profiler_set_state",
    "resume",
    "set_config",
    "set_state",
]

OPERATORS = "operator"
MEMORY = "Device Storage"
SETTINGS: dict[str, Any] = {
    "filename": "profile.json",
    "profile_all": False,
    "profile_symbolic": True,
    "profile_imperative": True,
    "profile_memory": True,
    "profile_api": True,
    "continuous_dump": True,
    "dump_period": 1.0,
    "aggregate_stats": False,
    "profile_process": "worker",
}
"""What `set_config` takes, with MXNet's defaults."""
SORT_KEYS = {"total": "Total", "avg": "Avg", "min": "Min", "max": "Max", "count": "Count"}
SCOPES = {"global": "g", "process": "p", "thread": "t", "task": "t", "marker": "t"}
COLUMN = 16
NAME_WIDTH = 28

Stats = dict[str, dict[str, dict[str, float]]]


@dataclass(slots=True)
class _Span:
    """A stretch of time, or (`duration_us` None) a point with a value."""

    name: str
    category: str
    start_us: float
    duration_us: float | None
    thread: int
    arguments: dict[str, float] = field(default_factory=dict)
    scope: str = ""


class _Recorder:
    """The one profiler of the process: its settings, torch's session while it runs, and what was recorded."""

    def __init__(self) -> None:
        self.settings = dict(SETTINGS)
        self.lock = threading.RLock()
        self.is_running = False
        self.is_paused = False
        self.spans: list[_Span] = []
        self._session: Any = None
        self._started_us = 0.0

    @property
    def is_recording(self) -> bool:
        """Whether what happens now is recorded."""
        return self.is_running and not self.is_paused

    def start(self) -> None:
        """Start torch's session."""
        activities = [torch.profiler.ProfilerActivity.CPU]
        if torch.cuda.is_available():
            activities.append(torch.profiler.ProfilerActivity.CUDA)
        self._session = torch.profiler.profile(
            activities=activities,
            profile_memory=bool(self.settings["profile_memory"] or self.settings["profile_all"]),
            acc_events=True,
        )
        self._started_us = time.time_ns() / 1e3
        self._session.start()

    def finish(self) -> None:
        """Stop torch's session and keep what it recorded."""
        session, self._session = self._session, None
        if session is None:
            return
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        session.stop()
        allocated_bytes = 0
        for event in session.events():
            start_us = self._started_us + event.time_range.start
            if event.name != "[memory]":  # torch's name for memory that no operator asked for
                span = _Span(event.name, OPERATORS, start_us, event.time_range.elapsed_us(), event.thread)
                self.spans.append(span)
            if event.self_cpu_memory_usage:
                allocated_bytes += event.self_cpu_memory_usage
                self.spans.append(
                    _Span("Memory: cpu/0", MEMORY, start_us, None, event.thread, {"Memory: cpu/0": allocated_bytes})
                )

    def collect(self) -> None:
        """Keep what was recorded until now; a session that runs goes on."""
        if self._session is not None:
            self.finish()
            self.start()

    def add(self, span: _Span) -> None:
        """Keep a span, if something is being recorded."""
        with self.lock:
            if self.is_recording:
                self.spans.append(span)


_recorder = _Recorder()


def set_config(**kwargs: Any) -> None:
    """Set what is recorded, and where `dump` writes it.

    Args:
        **kwargs: `filename` (`"profile.json"`) and `profile_memory` (True) have an effect. `profile_all`,
            `profile_symbolic`, `profile_imperative`, `profile_api`, `aggregate_stats`, `continuous_dump` and
            `dump_period` are accepted: operators are always recorded, and nothing is written before `dump`.

    Raises:
        MXNetError: There is no such setting.
        NotSupportedError: `profile_process` is not `"worker"`.
    """
    for name in kwargs:
        if name not in SETTINGS:
            raise MXNetError(f"profiler.set_config: Cannot find argument '{name}': expected {', '.join(SETTINGS)}.")
    _check_process(kwargs.get("profile_process", "worker"))
    with _recorder.lock:
        _recorder.settings.update(kwargs)


def set_state(state: str = "stop", profile_process: str = "worker") -> None:
    """Start (`"run"`) or stop (`"stop"`) recording.

    Raises:
        ArgumentError: The state is another one.
        NotSupportedError: `profile_process` is not `"worker"`.
    """
    _check_process(profile_process)
    if state not in ("run", "stop"):
        raise ArgumentError(f"profiler.set_state: unknown state: expected 'run' or 'stop', got state={state!r}.")
    with _recorder.lock:
        should_run = state == "run"
        if should_run == _recorder.is_running:
            return
        _recorder.is_running = should_run
        if should_run and not _recorder.is_paused:
            _recorder.start()
        else:
            _recorder.finish()


def pause(profile_process: str = "worker") -> None:
    """Record nothing until `resume`."""
    _check_process(profile_process)
    with _recorder.lock:
        _recorder.is_paused = True
        _recorder.finish()


def resume(profile_process: str = "worker") -> None:
    """Record again, after `pause`."""
    _check_process(profile_process)
    with _recorder.lock:
        if _recorder.is_paused and _recorder.is_running:
            _recorder.start()
        _recorder.is_paused = False


def dump(finished: bool = True, profile_process: str = "worker") -> None:
    """Write what was recorded to the file of `set_config`, in the trace format of Chrome.

    Args:
        finished: Whether recording stops, too.
        profile_process: `"worker"`.
    """
    _check_process(profile_process)
    with _recorder.lock:
        if finished:
            set_state("stop")
        _recorder.collect()
        document = {"traceEvents": [_trace_event(s) for s in _recorder.spans], "displayTimeUnit": "ms"}
        write_bytes_atomic(_recorder.settings["filename"], json.dumps(document).encode())


def dumps(
    reset: bool = False,
    format: Literal["table", "json"] = "table",
    sort_by: Literal["total", "avg", "min", "max", "count"] = "total",
    ascending: bool = False,
) -> str:
    """Return statistics of what was recorded: count and times in milliseconds, by category and name.

    Args:
        reset: Whether to forget it.
        format: `"table"` or `"json"`.
        sort_by: Column that orders the names of a category.
        ascending: Whether the smallest comes first.

    Raises:
        ArgumentError: `format` or `sort_by` is another one.
    """
    if format not in ("table", "json"):
        raise ArgumentError(f"Invalid value provided for format: {format}. Support: 'table', 'json'")
    if sort_by not in SORT_KEYS:
        raise ArgumentError(f"Invalid value provided for sort_by: {sort_by}. Support: {', '.join(SORT_KEYS)}")
    with _recorder.lock:
        _recorder.collect()
        times, memory = _statistics(SORT_KEYS[sort_by], ascending)
        if reset:
            _recorder.spans.clear()
    if format == "json":
        return json.dumps({"Time": times, "Memory": memory, "Unit": {"Time": "ms", "Memory": "kB"}}, indent=4)
    lines = ["", "Profile Statistics:", "\tNote the difference in units for different entries."]
    lines += _table(memory, ("Min Use  (kB)", "Max Use  (kB)", "Avg Use  (kB)"), ("Min", "Max", "Avg"))
    columns = ("Time (ms)", "Min Time (ms)", "Max Time (ms)", "Avg Time (ms)")
    lines += _table(times, columns, ("Total", "Min", "Max", "Avg"))
    return "\n".join(lines) + "\n"


def profiler_set_config(mode: str = "symbolic", filename: str = "profile.json") -> None:
    """Deprecated: `set_config`."""
    warnings.warn("profiler.profiler_set_config() is deprecated. Please use set_config().", FutureWarning, stacklevel=2)
    set_config(profile_symbolic=mode in ("symbolic", "all"), profile_all=mode == "all", filename=filename)


def profiler_set_state(state: str = "stop") -> None:
    """Deprecated: `set_state`."""
    warnings.warn("profiler.profiler_set_state() is deprecated. Please use set_state().", FutureWarning, stacklevel=2)
    set_state(state)


def dump_profile() -> None:
    """Deprecated: `dump`."""
    warnings.warn("profiler.dump_profile() is deprecated. Please use dump().", FutureWarning, stacklevel=2)
    dump(True)


class Domain:
    """A group of tasks, frames, counters and markers.

    Args:
        name: Its name, the category of what it holds.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __str__(self) -> str:
        return self.name

    def new_task(self, name: str) -> "Task":
        """Return a task of this domain."""
        return Task(self, name)

    def new_frame(self, name: str) -> "Frame":
        """Return a frame of this domain."""
        return Frame(self, name)

    def new_counter(self, name: str, value: float | None = None) -> "Counter":
        """Return a counter of this domain."""
        return Counter(self, name, value)

    def new_marker(self, name: str) -> "Marker":
        """Return a marker of this domain."""
        return Marker(self, name)


class _Timed:
    """Something that starts and stops; also a context manager."""

    def __init__(self, name: str, category: str) -> None:
        self.name = name
        self._category = category
        self._start_us: float | None = None

    def start(self) -> None:
        """Start the clock."""
        self._start_us = time.time_ns() / 1e3

    def stop(self) -> None:
        """Stop the clock and record the time since `start`; nothing if it was not started."""
        start_us, self._start_us = self._start_us, None
        if start_us is not None:
            now_us = time.time_ns() / 1e3
            _recorder.add(_Span(self.name, self._category, start_us, now_us - start_us, threading.get_ident()))

    def __enter__(self) -> "_Timed":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __str__(self) -> str:
        return self.name


class Task(_Timed):
    """A piece of work, which may start in one thread and stop in another."""

    def __init__(self, domain: Domain, name: str) -> None:
        super().__init__(name, domain.name)


class Frame(_Timed):
    """One of a series of like pieces of work, such as a batch."""

    def __init__(self, domain: Domain, name: str) -> None:
        super().__init__(name, f"{domain.name},frame")


class Event(_Timed):
    """A piece of work of one thread, outside any domain."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "event")


class Counter:
    """A number whose changes are recorded.

    Args:
        domain: Its domain.
        name: Its name.
        value: What it starts from, None for 0 that is not recorded.
    """

    def __init__(self, domain: Domain, name: str, value: float | None = None) -> None:
        self.name = name
        self._category = domain.name
        self._value: float = 0
        self._lock = threading.Lock()
        if value is not None:
            self.set_value(value)

    def set_value(self, value: float) -> None:
        """Give it a value."""
        with self._lock:
            self._put(value)

    def increment(self, delta: float = 1) -> None:
        """Add to it."""
        with self._lock:
            self._put(self._value + delta)

    def decrement(self, delta: float = 1) -> None:
        """Subtract from it."""
        self.increment(-delta)

    def _put(self, value: float) -> None:
        self._value = value
        now_us = time.time_ns() / 1e3
        _recorder.add(_Span(self.name, self._category, now_us, None, threading.get_ident(), {self.name: value}))

    def __iadd__(self, delta: float) -> "Counter":
        self.increment(delta)
        return self

    def __isub__(self, delta: float) -> "Counter":
        self.decrement(delta)
        return self

    def __str__(self) -> str:
        return self.name


class Marker:
    """A point in time."""

    def __init__(self, domain: Domain, name: str) -> None:
        self.name = name
        self.domain = domain
        self._category = f"{domain.name},instant_marker"

    def mark(self, scope: str = "process") -> None:
        """Record now.

        Args:
            scope: How far it is drawn: `"global"`, `"process"`, `"thread"`, `"task"` or `"marker"`.

        Raises:
            ArgumentError: The scope is another one.
        """
        if scope not in SCOPES:
            raise ArgumentError(f"Marker.mark: unknown scope: expected one of {', '.join(SCOPES)}, got {scope!r}.")
        now_us = time.time_ns() / 1e3
        _recorder.add(_Span(self.name, self._category, now_us, None, threading.get_ident(), scope=SCOPES[scope]))


def _check_process(profile_process: str) -> None:
    if profile_process != "worker":
        raise NotSupportedError(
            "profiler: only this process is profiled: expected profile_process='worker', got "
            f"profile_process={profile_process!r}. Call the profiler in the other process."
        )


def _trace_event(span: _Span) -> dict[str, Any]:
    event: dict[str, Any] = {
        "name": span.name,
        "cat": span.category,
        "ts": round(span.start_us, 3),
        "pid": os.getpid(),
        "tid": span.thread,
    }
    if span.duration_us is not None:
        return {**event, "ph": "X", "dur": round(span.duration_us, 3)}
    if span.scope:
        return {**event, "ph": "i", "s": span.scope}
    return {**event, "ph": "C", "args": span.arguments}


def _statistics(key: str, ascending: bool) -> tuple[Stats, Stats]:
    """Times of everything that took time, and sizes of memory, by category and name."""
    times: dict[str, dict[str, list[float]]] = {}
    sizes: dict[str, dict[str, list[float]]] = {}
    for span in _recorder.spans:
        if span.duration_us is not None:
            times.setdefault(span.category, {}).setdefault(span.name, []).append(span.duration_us / 1e3)
        elif span.category == MEMORY:
            sizes.setdefault(span.category, {}).setdefault(span.name, []).append(span.arguments[span.name] / 1e3)
    memory_key = "Max" if key == "Total" else key
    return _described(times, key, ascending, True), _described(sizes, memory_key, ascending, False)


def _described(values: Mapping[str, Mapping[str, list[float]]], key: str, ascending: bool, has_total: bool) -> Stats:
    found: Stats = {}
    for category in sorted(values):
        rows = {}
        for name, numbers in values[category].items():
            total = {"Total": sum(numbers)} if has_total else {}
            rows[name] = {
                "Count": len(numbers),
                **total,
                "Min": min(numbers),
                "Max": max(numbers),
                "Avg": sum(numbers) / len(numbers),
            }
        ordered = sorted(rows, key=lambda name, rows=rows: rows[name][key], reverse=not ascending)  # type: ignore[misc]
        found[category] = {name: rows[name] for name in ordered}
    return found


def _table(stats: Stats, titles: tuple[str, ...], keys: tuple[str, ...]) -> list[str]:
    lines = []
    for category, rows in stats.items():
        heads = ("Total Count", *titles)
        lines += [category, "=" * (COLUMN + 1), f"{'Name':<{NAME_WIDTH}}" + "".join(f"{h:>{COLUMN}} " for h in heads)]
        lines.append(f"{'----':<{NAME_WIDTH}}" + "".join(f"{'-' * len(h):>{COLUMN}} " for h in heads))
        for name, row in rows.items():
            cells = [f"{int(row['Count']):>{COLUMN}} ", *(f"{row[k]:>{COLUMN}.4f} " for k in keys)]
            lines.append(f"{name[:NAME_WIDTH]:<{NAME_WIDTH}}" + "".join(cells))
        lines.append("")
    return lines
