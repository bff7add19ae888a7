"""Budgets: calls a minute, calls at once, points a minute, calls a day. Far away unless set."""

from __future__ import annotations

import threading

import msgspec

from sandbox.clock import DAY_S, MINUTE_S, Clock
from sandbox.errors import refusal

REFUSED_TENTHS = 1
CALL_TENTHS = 10


class Limits(msgspec.Struct):
    """What the account may do. `complexity_query` is monday's own limit for one request."""

    minute_calls: int = 1_000_000
    concurrency: int = 1_000
    complexity_minute: int = 2_000_000_000
    complexity_query: int = 5_000_000
    daily_calls: int = 1_000_000


class Meter:
    """How much of the limits is spent. Safe for threads."""

    def __init__(self, clock: Clock, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._clock = clock
        self._lock = threading.Lock()
        self._window = 0.0
        self._calls = 0
        self._points = 0
        self._day = 0
        self._tenths = 0
        self._in_flight = 0
        self.max_in_flight = 0

    def enter(self) -> None:
        with self._lock:
            self._in_flight += 1
            self.max_in_flight = max(self.max_in_flight, self._in_flight)

    def leave(self) -> None:
        with self._lock:
            self._in_flight -= 1

    def admit(self, points: int, only_complexity: bool) -> dict[str, int]:
        """Spend the request's points and calls; returns what the `complexity` field tells.

        Raises Refused when a limit is reached; that too costs a tenth of a daily call.
        """
        with self._lock:
            self._roll()
            self._tenths += REFUSED_TENTHS
            self._calls += 1
            self._check(points)
            before = self._points_left()
            self._points += points
            self._tenths += 0 if only_complexity else CALL_TENTHS - REFUSED_TENTHS
            return {
                "before": before,
                "query": points,
                "after": self._points_left(),
                "reset_in_x_seconds": self._reset_in(),
            }

    def headers(self) -> dict[str, str]:
        """monday's rate-limit headers; they do not tell the daily budget."""
        with self._lock:
            self._roll()
            limits = self.limits
            policy = (
                f'"minuteRate";q={limits.minute_calls};w=60, '
                f'"concurrency";q={limits.concurrency};qu="concurrent-requests", '
                f'"complexityMinute";q={limits.complexity_minute};w=60;qu="content-bytes"'
            )
            calls = max(0, limits.minute_calls - self._calls)
            at_once = max(0, limits.concurrency - self._in_flight)
            left = (
                f'"minuteRate";r={calls}{"" if calls else f";t={self._reset_in()}"}, '
                f'"concurrency";r={at_once}, "complexityMinute";r={self._points_left()};t={self._reset_in()}'
            )
            return {"RateLimit-Policy": policy, "RateLimit": left}

    @property
    def daily_spent(self) -> float:
        return self._tenths / 10

    def reset(self) -> None:
        with self._lock:
            self._window, self._calls, self._points, self._tenths = 0.0, 0, 0, 0
            self.max_in_flight = self._in_flight

    def _roll(self) -> None:
        """The minute's window begins with its first call; the day ends at midnight UTC."""
        now = self._clock.now()
        if now - self._window >= MINUTE_S:
            self._window, self._calls, self._points = now, 0, 0
        if int(now // DAY_S) != self._day:
            self._day, self._tenths = int(now // DAY_S), 0

    def _check(self, points: int) -> None:
        limits = self.limits
        if points > limits.complexity_query:
            message = f"Query has complexity of {points}, which exceeds max complexity of {limits.complexity_query}"
            raise refusal(200, None, message)
        if self._tenths > limits.daily_calls * 10:
            raise refusal(429, "DAILY_LIMIT_EXCEEDED", "Daily limit exceeded", retry_in_s=3599)
        if self._calls > limits.minute_calls:
            raise refusal(429, "MINUTE_RATE_LIMIT_EXCEEDED", "Minute rate limit exceeded", retry_in_s=self._reset_in())
        if self._in_flight > limits.concurrency:
            raise refusal(429, "MAX_CONCURRENCY_EXCEEDED", "Max concurrency exceeded", retry_in_s=1)
        if points > self._points_left():
            message = f"Complexity budget exhausted, query cost {points} budget remaining {self._points_left()}"
            raise refusal(429, "COMPLEXITY_BUDGET_EXHAUSTED", message, retry_in_s=self._reset_in())

    def _points_left(self) -> int:
        return max(0, self.limits.complexity_minute - self._points)

    def _reset_in(self) -> int:
        return max(1, int(self._window + MINUTE_S - self._clock.now() + 0.999))
