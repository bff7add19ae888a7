"""Shows how far the reading of each board is: a live line on a terminal, now and then a plain one elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, Self

from terminal.signs import one_line

if TYPE_CHECKING:
    from rich.progress import TaskID

PLAIN_EVERY_S: Final = 10.0


class _Display(Protocol):
    def show(self, board: str, seen: BoardProgress) -> None: ...
    def note(self, text: str) -> None: ...
    def close(self) -> None: ...


@dataclass(slots=True)
class BoardProgress:
    """How far one board is; `total` is None until the board's own count is known."""

    items: int = 0
    total: int | None = None
    requests: int = 0
    budget_left: int | None = None

    def text(self) -> str:
        """As `1,500 of 20,000 items, 3 requests, 4,999,000 points left`."""
        of = "" if self.total is None else f" of {self.total:,}"
        budget = "" if self.budget_left is None else f", {self.budget_left:,} points left"
        requests = "1 request" if self.requests == 1 else f"{self.requests:,} requests"
        items = "1 item" if (self.items, of) == (1, "") else f"{self.items:,}{of} items"
        return f"{items}, {requests}{budget}"


class Progress:
    """Progress on stderr, for use in a `with`; its methods may be called from several threads.

    Live only on a terminal and not with `plain`; `quiet` shows nothing at all. `clock` gives seconds.
    """

    def __init__(
        self, *, quiet: bool = False, plain: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._lock = threading.Lock()
        self._boards: dict[str, BoardProgress] = {}
        self._display: _Display
        if quiet:
            self._display = _Silent()
        elif plain or not sys.stderr.isatty():
            self._display = _Plain(clock)
        else:
            self._display = _Live()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._display.close()

    def board_total(self, board: str, items: int) -> None:
        """Say how many items the board itself counts."""
        with self._lock:
            seen = self._boards.setdefault(board, BoardProgress())
            seen.total = items
            self._display.show(board, seen)

    def advance(self, board: str, items: int, *, requests: int = 1, budget_left: int | None = None) -> None:
        """Add a page's items, the requests it took and, where known, the complexity points left of this minute."""
        with self._lock:
            seen = self._boards.setdefault(board, BoardProgress())
            seen.items += items
            seen.requests += requests
            seen.budget_left = seen.budget_left if budget_left is None else budget_left
            self._display.show(board, seen)

    def note(self, text: str) -> None:
        """One line of its own, as for a long wait."""
        with self._lock:
            self._display.note(text)


class _Silent:
    def show(self, board: str, seen: BoardProgress) -> None:
        """Show nothing."""

    def note(self, text: str) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Nothing to close."""


class _Plain:
    """A line per board every ten seconds: a short run shows none, a log of a long one stays short."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._begun = clock()
        self._shown: dict[str, float] = {}

    def show(self, board: str, seen: BoardProgress) -> None:
        now = self._clock()
        if now - self._shown.get(board, self._begun) >= PLAIN_EVERY_S:
            self._shown[board] = now
            self.note(f"{board}: {seen.text()}")

    def note(self, text: str) -> None:
        sys.stderr.write(one_line(text) + "\n")

    def close(self) -> None:
        sys.stderr.flush()


class _Live:
    """A bar per board, drawn by rich, which also keeps log lines above the bars."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self._progress = Progress(
            TextColumn("{task.fields[board]}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[state]}", markup=False),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            redirect_stdout=False,
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}
        self._progress.start()

    def show(self, board: str, seen: BoardProgress) -> None:
        if board not in self._tasks:
            self._tasks[board] = self._progress.add_task("", total=None, board=board, state="")
        self._progress.update(self._tasks[board], completed=seen.items, total=seen.total, state=seen.text())

    def note(self, text: str) -> None:
        self._progress.console.print(one_line(text), markup=False, highlight=False)

    def close(self) -> None:
        self._progress.stop()
