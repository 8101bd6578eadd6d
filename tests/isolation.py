"""Calls in a process of their own: a crash, a hang or a bomb is an outcome, not the end of the program.

A child is forked that makes one call after another and reports each. Dead children are told by their signal, and the
next child goes on behind the call that killed it. Linux only: the peak is the kernel's high-water mark.
"""

import json
import os
import resource
import signal
import sys
import time
import tracemalloc
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Outcome", "attempt", "isolated"]

ADDRESS_SPACE_BYTES = 6 << 30
"""What a call may map beyond what the process has: enough for anything sound, too little for a bomb."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a call.

    Attributes:
        result: `valid`, the name of the exception's class, `hang`, or the name of the signal that ended the process.
        kinds: Names of all classes of the exception.
        message: Of the exception.
        seconds: How long the call took.
        peak_bytes: Resident memory beyond what there was before the call.
    """

    result: str
    kinds: tuple[str, ...] = ()
    message: str = ""
    seconds: float = 0.0
    peak_bytes: int = 0


def attempt(call: Callable[[], object], known: type[Exception], label: str) -> tuple[str, int]:
    """Make a call in this process; return the message of a known error ("" if there is none) and the peak of memory.

    Raises:
        AssertionError: Any other error.
    """
    message = ""
    tracemalloc.start()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call()
    except known as err:
        message = str(err)
    except Exception as err:
        raise AssertionError(f"{label}: {err!r}") from err
    finally:
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return message, peak_bytes


def isolated(calls: Sequence[Callable[[], object]], *, limit_s: float = 20) -> Iterator[Outcome]:
    """Make the calls in forked children, and give the outcome of each.

    Args:
        calls: Each without arguments.
        limit_s: Seconds that one may take.
    """
    done = 0
    while done < len(calls):
        receiver, sender = os.pipe()
        child = os.fork()
        if not child:
            os.close(receiver)
            _serve(calls[done:], sender, limit_s)
        os.close(sender)
        with os.fdopen(receiver) as lines:
            for line in lines:
                yield Outcome(**{k: tuple(v) if isinstance(v, list) else v for k, v in json.loads(line).items()})
                done += 1
        _, status = os.waitpid(child, 0)
        if done < len(calls):
            number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
            name = signal.Signals(number).name if number else f"exit {os.waitstatus_to_exitcode(status)}"
            yield Outcome("hang" if number == signal.SIGALRM else name)
            done += 1


def _serve(calls: Sequence[Callable[[], object]], sender: int, limit_s: float) -> None:
    """Make the calls, write a line for each, and leave the process without what its parent does at its end."""
    warnings.simplefilter("ignore")
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    mapped = _status("VmSize")
    resource.setrlimit(resource.RLIMIT_AS, (mapped + ADDRESS_SPACE_BYTES,) * 2)
    for call in calls:
        Path("/proc/self/clear_refs").write_text("5")
        before, began = _status("VmRSS"), time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, limit_s)
        outcome: dict[str, Any] = {"result": "valid"}
        try:
            call()
        except BaseException as err:
            message = str(err)[:2000]
            outcome = {"result": type(err).__name__, "kinds": [k.__name__ for k in type(err).__mro__]}
            outcome["message"] = message.encode("utf-8", "replace").decode()
        signal.setitimer(signal.ITIMER_REAL, 0)
        outcome["seconds"] = time.monotonic() - began
        outcome["peak_bytes"] = max(0, _status("VmHWM") - before)
        os.write(sender, (json.dumps(outcome) + "\n").encode())
    sys.stdout.flush()
    os._exit(0)


def _status(name: str) -> int:
    """Return a size from the kernel's record of this process, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) << 10
    raise KeyError(name)
