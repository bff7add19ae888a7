"""The sandbox's own clock: it can be moved, and frozen, and every time that the sandbox tells comes from it."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

MINUTE_S = 60
DAY_S = 86_400


def iso(epoch_s: int) -> str:
    """Second-precision UTC, as monday writes it: `2026-03-21T08:47:10Z`."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch_s))


def epoch(moment: str) -> float:
    """Seconds since 1970 of an ISO 8601 instant; one without a zone is taken as UTC.

    Raises ValueError when it is none.
    """
    parsed = datetime.fromisoformat(moment)
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()


class Clock:
    """Real time plus an offset, or a frozen instant. Never starts before `not_before`, the newest time of a world."""

    def __init__(self, not_before: float = 0.0) -> None:
        self._lock = threading.Lock()
        self._offset = max(0.0, not_before - time.time())
        self._frozen: float | None = None

    def now(self) -> float:
        """Seconds since 1970."""
        with self._lock:
            return self._now()

    def seconds(self) -> int:
        return int(self.now())

    def freeze(self, moment: str | None = None) -> None:
        """Stop at `moment` (ISO 8601), or where the clock stands."""
        with self._lock:
            self._frozen = epoch(moment) if moment else self._now()

    def advance(self, seconds: float) -> None:
        """Jump; a frozen clock stays frozen at the new instant."""
        with self._lock:
            if self._frozen is None:
                self._offset += seconds
            else:
                self._frozen += seconds

    def thaw(self) -> None:
        """Go on from where the frozen clock stands."""
        with self._lock:
            if self._frozen is not None:
                self._offset = self._frozen - time.time()
                self._frozen = None

    def _now(self) -> float:
        return time.time() + self._offset if self._frozen is None else self._frozen
