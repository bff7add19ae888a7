"""Where a run's time goes: stages as a decorator or a context manager, and the table at the end.

    with collected() as timings, stage("fetch"):
        count(rows=500, requests=1)
    print(timings.table())

Without a collector a stage costs nothing and counts nowhere, so library code needs no switch.
"""

from __future__ import annotations

import contextvars
import inspect
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")
Path = tuple[str, ...]


@dataclass(slots=True)
class Stage:
    """One stage's totals. `seconds` is wall time during which at least one thread was in it: never counted twice."""

    seconds: float = 0.0
    calls: int = 0
    rows: int = 0
    requests: int = 0
    _running: int = 0
    _since: float = 0.0

    def enter(self, now: float) -> None:
        if not self._running:
            self._since = now
        self._running += 1
        self.calls += 1

    def leave(self, now: float) -> None:
        self._running -= 1
        if not self._running:
            self.seconds += now - self._since


class Timings:
    """The stages of one run, in the order they were first entered; safe to use from several threads.

    `clock` gives seconds and never goes back.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._stages: dict[Path, Stage] = {}
        self._begun = clock()

    def enter(self, path: Path) -> None:
        with self._lock:
            self._stages.setdefault(path, Stage()).enter(self._clock())

    def leave(self, path: Path) -> None:
        with self._lock:
            self._stages[path].leave(self._clock())

    def count(self, path: Path, rows: int, requests: int) -> None:
        with self._lock:
            stage = self._stages[path]
            stage.rows += rows
            stage.requests += requests

    def elapsed_s(self) -> float:
        """Seconds since the collector was made."""
        return self._clock() - self._begun

    def as_dict(self) -> dict[str, float]:
        """Seconds per stage to the millisecond, a nested stage as `outer/inner`; empty when no stage ran."""
        return {"/".join(path): round(stage.seconds, 3) for path, stage in self._ordered()}

    def table(self) -> str:
        """The stages with seconds, share of the whole run, rows, rows a second and requests, for a person to read."""
        elapsed_s = self.elapsed_s()
        lines = [_cells("stage", "seconds", "share", "rows", "rows/s", "requests")]
        lines += [_line(path, stage, elapsed_s) for path, stage in self._ordered()]
        lines.append(_cells("whole run", f"{elapsed_s:.2f}", "100 %", "", "", ""))
        return "\n".join(lines)

    def _ordered(self) -> list[tuple[Path, Stage]]:
        """Every stage behind the one that holds it; siblings in the order they were first entered."""
        with self._lock:
            rank = {path: position for position, path in enumerate(self._stages)}
            stages = dict(self._stages)

        def order(path: Path) -> tuple[int, ...]:
            return tuple(rank[path[: depth + 1]] for depth in range(len(path)))

        return [(path, stages[path]) for path in sorted(stages, key=order)]


def _line(path: Path, stage: Stage, elapsed_s: float) -> str:
    return _cells(
        "  " * (len(path) - 1) + path[-1],
        f"{stage.seconds:.2f}",
        f"{stage.seconds / elapsed_s:.0%}".replace("%", " %") if elapsed_s else "",
        f"{stage.rows:,}" if stage.rows else "",
        f"{stage.rows / stage.seconds:,.0f}" if stage.rows and stage.seconds else "",
        f"{stage.requests:,}" if stage.requests else "",
    )


def _cells(name: str, *numbers: str) -> str:
    return (f"{name:<24}" + "".join(f"{number:>10}" for number in numbers)).rstrip()


_current: ContextVar[Timings | None] = ContextVar("timings", default=None)
_path: ContextVar[Path] = ContextVar("stage", default=())


@contextmanager
def collected(timings: Timings | None = None) -> Iterator[Timings]:
    """Collect the stages of everything inside; threads started inside take part through `in_context`."""
    timings = timings or Timings()
    collector, path = _current.set(timings), _path.set(())
    try:
        yield timings
    finally:
        _path.reset(path)
        _current.reset(collector)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Time what is inside as `name`, nested in the stage around it. Do not keep one open over a `yield`."""
    timings = _current.get()
    if timings is None:
        yield
        return
    path = (*_path.get(), name)
    token = _path.set(path)
    timings.enter(path)
    try:
        yield
    finally:
        timings.leave(path)
        _path.reset(token)


def count(*, rows: int = 0, requests: int = 0) -> None:
    """Add rows or requests to the stage that is running here; outside every stage they are not counted."""
    timings, path = _current.get(), _path.get()
    if timings is not None and path:
        timings.count(path, rows, requests)


def timed(name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Time every call of a function as one stage; of a generator function only its own steps, not its reader's."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        if inspect.isgeneratorfunction(function):
            return cast(Callable[P, R], _timed_steps(name, function))

        @wraps(function)
        def timed_call(*args: P.args, **kwargs: P.kwargs) -> R:
            with stage(name):
                return function(*args, **kwargs)

        return timed_call

    return decorate


def _timed_steps(
    name: str, function: Callable[..., Generator[Any, None, None]]
) -> Callable[..., Generator[Any, None, None]]:
    @wraps(function)
    def timed_steps(*args: Any, **kwargs: Any) -> Generator[Any, None, None]:
        finished = object()
        with closing(function(*args, **kwargs)) as steps:
            while True:
                with stage(name):
                    step = next(steps, finished)
                if step is finished:
                    return
                yield step

    return timed_steps


def in_context(function: Callable[P, R]) -> Callable[P, R]:
    """Wrap a function for another thread, so that its stages count in this run: a new thread starts with no context."""
    context = contextvars.copy_context()

    def carried(*args: P.args, **kwargs: P.kwargs) -> R:
        return context.copy().run(function, *args, **kwargs)

    return carried
