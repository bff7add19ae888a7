"""What a run may ask of monday.com today: counted for all hosts in the database, and kept within a limit of one's own.

A call is counted before it is made, some at a time, and corrected at the end: a run that is killed may have counted a
few more than it made, never fewer. A day begins at midnight UTC, where monday.com's own begins (monday docs), by the
clock of the database.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any, Final

from monday.errors import next_reset
from postgres import calls
from postgres.transaction import Params, Transactor
from reconcile.errors import Unavailable

SETTING: Final = "SYNC_DAILY_CALLS"
AT_ONCE: Final = 5
"""Calls that are counted beforehand where it is not known how many a run will need."""


class DailyCalls:
    """The calls of one run. `limit` is that of all runs of a day together, None for none; `counts` is whether they are
    written down, which a dry run does not do. `take` may be called from any thread."""

    def __init__(
        self,
        run_id: str,
        limit: int | None,
        database: Callable[[], Transactor],
        *,
        counts: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run_id, self.limit, self._database, self._clock = run_id, limit, database, clock
        self._counts = counts
        self._lock = threading.RLock()
        self._opened = clock()
        self._now = datetime.now(UTC)
        self._others = 0.0
        self._day = self._today()
        self._reserved: dict[date, float] = {}
        self._made: dict[date, float] = {}

    @property
    def first(self) -> float:
        """What is counted with the lease, before anything is asked."""
        return max(1.0, self.made)

    def open(self, now: datetime, others: float, *, counts: bool) -> None:
        """What the database knows: its time, and what other runs have used today. `counts`: it has counted `first`."""
        with self._lock:
            self._opened, self._now, self._others = self._clock(), now, others
            self._counts = counts
            self._day = self._today()
            if counts:
                self._reserved[self._day] = self.first

    @property
    def made(self) -> float:
        """Calls of this run today."""
        return self._made.get(self._day, 0.0)

    @property
    def used(self) -> float:
        """Calls of all runs today, this one included."""
        return round(self._others + self.made, 1)

    def fits(self, number: int) -> bool:
        """Whether so many more calls stay within the limit."""
        with self._lock:
            self._roll()
            return self.limit is None or self.used + number <= self.limit

    def need(self, number: int, nothing: str = "nothing was written") -> None:
        """Count so many calls beforehand. Raises Unavailable where they do not fit into this day any more."""
        with self._lock:
            if not self.fits(number):
                raise Unavailable(self.refusal(number, nothing))
            self._reserve(number, at_once=number)

    def take(self) -> None:
        """One call is about to be made. Raises Unavailable where it would pass the limit."""
        with self._lock:
            if not self.fits(1):
                raise Unavailable(self.refusal(1, "what was done before is kept"))
            self._reserve(1, at_once=AT_ONCE)
            self._made[self._day] = self.made + 1

    def give_back(self, calls: float) -> None:
        """A call cost less than a whole one: monday refused it for a limit."""
        with self._lock:
            self._made[self._day] = max(0.0, round(self.made - calls, 1))

    def refusal(self, number: int, nothing: str) -> str:
        """The sentence that ends a run: what is used, what is needed, and when it goes on."""
        now = self._time()
        if self.limit is not None and number > self.limit:
            todo = f"that is more than a whole day has: set {SETTING} higher"
        else:
            todo = f"it starts anew at {next_reset(now)}: run it again after that, or set {SETTING} higher"
        needed = f"{number:,} more {'is' if number == 1 else 'are'} needed"
        return (
            f"{SETTING}={self.limit} would be passed: both commands have used {self.used:,g} calls today and {needed}; "
            f"{nothing}; {todo}"
        )

    def statements(self) -> Iterator[tuple[str, Params]]:
        """What corrects the count at the end of a run, in the transaction that records it."""
        with self._lock:
            if self._counts:
                yield from calls.counted(self._run_id, dict.fromkeys(self._reserved, 0.0) | self._made)

    def summary(self) -> dict[str, Any]:
        """The part `calls` of `--json`."""
        reset = (self._time() + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        return {
            "run": round(sum(self._made.values()), 1),
            "today": self.used,
            "limit": self.limit,
            "resets_at": f"{reset:%Y-%m-%dT%H:%M:%SZ}",
        }

    def _reserve(self, number: int, *, at_once: int) -> None:
        """Let the database count `number` more calls, if it has not yet: as many as may follow, within the limit."""
        reserved = self._reserved.get(self._day, 0.0)
        if not self._counts or self.made + number <= reserved:
            return
        wanted = self.made + max(number, at_once)
        if self.limit is not None:
            wanted = max(self.made + number, min(wanted, self.limit - self._others))
        database = self._database()
        work = partial(calls.reserve, run_id=self._run_id, day=self._day, calls=wanted)
        try:
            self._others = database.transact(work, read_only=False, label="counting the calls of today")
        finally:
            database.close()  # never an idle connection
        self._reserved[self._day] = wanted

    def _roll(self) -> None:
        """At midnight another day's count begins."""
        today = self._today()
        if today != self._day:
            self._day, self._others = today, 0.0

    def _today(self) -> date:
        return self._time().date()

    def _time(self) -> datetime:
        return (self._now + timedelta(seconds=self._clock() - self._opened)).astimezone(UTC)
