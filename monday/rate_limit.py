"""How fast the client goes: what the server's RateLimit headers say, one pause for all workers, and the counts.

monday sends `RateLimit-Policy` (quota `q`, window `w`) and `RateLimit` (remaining `r`, seconds to the reset `t`) with
every answer, names quoted, any of them absent (monday docs, "Rate limits").
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from monday.errors import LONGEST_WAIT_S

_POLICY = re.compile(r'"([^"]+)"((?:\s*;\s*\w+\s*=\s*"?[\w.-]+"?)*)')
_PARAMETER = re.compile(r'(\w+)\s*=\s*"?([\w.-]+)')
REFUSED_CALL = 0.1  # of a daily call (monday docs)
_MINUTE_PAUSE_S = 5.0  # when the minute's calls run out and no reset is named


@dataclass(frozen=True, slots=True)
class RateLimit:
    """What one answer's headers said; None where they were silent."""

    minute_left: int | None = None
    minute_reset_s: float | None = None
    points_left: int | None = None
    points_reset_s: float | None = None
    at_once: int | None = None
    exhausted_reset_s: float | None = None
    """Seconds to the reset of a policy that has nothing left."""

    @classmethod
    def read(cls, headers: Mapping[str, str]) -> RateLimit:
        left = _policies(headers.get("ratelimit", ""))
        quota = _policies(headers.get("ratelimit-policy", ""))
        minute, points = left.get("minuteRate", {}), left.get("complexityMinute", {})
        resets = [policy["t"] for policy in left.values() if policy.get("r") == 0 and "t" in policy]
        return cls(
            _whole(minute.get("r")),
            minute.get("t"),
            _whole(points.get("r")),
            points.get("t"),
            _whole(quota.get("concurrency", {}).get("q")),
            max(resets, default=None),
        )


def _policies(header: str) -> dict[str, dict[str, float]]:
    """Policy name → its numeric parameters; what cannot be read is left out."""
    found: dict[str, dict[str, float]] = {}
    for name, parameters in _POLICY.findall(header):
        numbers = {key: raw for key, raw in _PARAMETER.findall(parameters) if re.fullmatch(r"\d{1,18}(\.\d+)?", raw)}
        found[name] = {key: float(raw) for key, raw in numbers.items()}
    return found


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)


@dataclass(slots=True)
class ApiStats:
    """What the run has asked of monday so far. Every change goes through `add`, which is thread-safe."""

    requests: int = 0
    mutations: int = 0
    complexity: int = 0
    retries: int = 0
    waited_s: float = 0.0
    received_bytes: int = 0
    daily_calls: float = 0.0
    """A call refused by a rate limit counts a tenth (monday docs)."""
    points_left: int | None = None
    """Of this minute's complexity budget, as last heard."""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def add(
        self,
        *,
        requests: int = 0,
        mutations: int = 0,
        complexity: int = 0,
        retries: int = 0,
        waited_s: float = 0.0,
        received_bytes: int = 0,
        refused: bool = False,
        points_left: int | None = None,
    ) -> None:
        with self._lock:
            self.requests += requests
            self.mutations += mutations
            self.complexity += complexity
            self.retries += retries
            self.waited_s += waited_s
            self.received_bytes += received_bytes
            self.daily_calls = round(self.daily_calls + requests * (REFUSED_CALL if refused else 1), 1)
            if points_left is not None:
                self.points_left = points_left

    def summary(self) -> dict[str, float]:
        """The counts of the `monday` part of `--json`."""
        with self._lock:
            return {
                "requests": self.requests,
                "mutations": self.mutations,
                "complexity": self.complexity,
                "retries": self.retries,
                "waited_s": round(self.waited_s, 3),
            }


class Pace:
    """The gate that every request passes: at most `at_once` in flight, nobody during a pause.

    `sleep` and `clock` (monotonic seconds) are injectable.
    """

    def __init__(
        self, at_once: int, stats: ApiStats, sleep: Callable[[float], object], clock: Callable[[], float]
    ) -> None:
        self._at_once = at_once
        self._stats = stats
        self._sleep = sleep
        self._clock = clock
        self._in_flight = 0
        self._open_at = 0.0
        self._lowered_at = float("-inf")
        self._free = threading.Condition()

    @property
    def at_once(self) -> int:
        with self._free:
            return self._at_once

    @contextmanager
    def turn(self) -> Iterator[float]:
        """Wait for the pause to end and for a free place; gives the moment of entry."""
        self._enter()
        try:
            yield self._clock()
        finally:
            with self._free:
                self._in_flight -= 1
                self._free.notify()

    def _enter(self) -> None:
        while True:
            with self._free:
                pause_s = self._open_at - self._clock()
                if pause_s <= 0:
                    if self._in_flight < self._at_once:
                        self._in_flight += 1
                        return
                    self._free.wait()
                    continue
            self._sleep(pause_s)

    def pause(self, wait_s: float) -> None:
        """Nobody sends before `wait_s` from now; a longer pause that is already on stays."""
        with self._free:
            now = self._clock()
            until = now + min(wait_s, LONGEST_WAIT_S)
            if until > self._open_at:
                self._stats.add(waited_s=until - max(now, self._open_at))
                self._open_at = until

    def lower(self, sent_at: float) -> int:
        """Half as many at once, unless that was already done after the refused request was sent; gives the number."""
        with self._free:
            if sent_at > self._lowered_at:
                self._at_once = max(1, self._at_once // 2)
                self._lowered_at = self._clock()
            return self._at_once

    def heed(self, limits: RateLimit, cost: int | None) -> float:
        """Slow down before a limit is hit; gives the pause in seconds, 0 for none.

        `cost` is what the answered request took of the minute's complexity: the next one is taken to cost the same.
        """
        with self._free:
            if limits.at_once is not None:
                # Half of the account's quota: other programs use the same token's account.
                self._at_once = max(1, min(self._at_once, limits.at_once // 2))
            coming = self._in_flight  # the others that are under way, and the one that follows this
        wait_s = 0.0
        if cost and limits.points_left is not None and limits.points_left < cost * coming:
            wait_s = limits.points_reset_s or 0.0
        if limits.minute_left is not None and limits.minute_left < coming:
            wait_s = max(wait_s, limits.minute_reset_s or _MINUTE_PAUSE_S)
        if wait_s:
            self.pause(wait_s)
        return wait_s
