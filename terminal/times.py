"""Instants and spans of time as people read them: local, with the zone, and how long ago."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

_UNITS: Final = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_SPAN: Final = re.compile(r"([0-9]{1,6})\s*(s|min|m|h|d|w)")


def local(at: datetime) -> str:
    """An instant with this machine's zone, to the minute: `2026-11-28 12:25 +01:00`."""
    there = at.astimezone()
    return f"{there:%Y-%m-%d %H:%M} {zone(at)}"


def zone(at: datetime) -> str:
    """How far this machine's clock is from UTC at that time: `+01:00`."""
    sign, minutes = "+", round((at.astimezone().utcoffset() or timedelta()).total_seconds() / 60)
    if minutes < 0:
        sign, minutes = "-", -minutes
    return f"{sign}{minutes // 60:02}:{minutes % 60:02}"


def iso(at: datetime) -> str:
    """The same for a program, to the second: `2026-11-28T12:25:03+01:00`."""
    return at.astimezone().isoformat(timespec="seconds")


def span(length: timedelta | float) -> str:
    """A length of time (in seconds, if it is a number) in one unit, rounded down.

    >>> span(0.25), span(42), span(timedelta(minutes=7)), span(7_300), span(200_000), span(timedelta(days=9))
    ('0.2 s', '42 s', '7 min', '2 h', '55 h', '9 days')
    """
    seconds = length.total_seconds() if isinstance(length, timedelta) else float(length)
    if seconds < 10:
        return f"{int(max(0.0, seconds) * 10) / 10:g} s"
    if seconds < 60:
        return f"{int(seconds)} s"
    if seconds < 7_200:
        return f"{int(seconds // 60)} min"
    return f"{int(seconds // 3_600)} h" if seconds < 72 * 3_600 else f"{int(seconds // 86_400)} days"


def parse_span(text: str) -> timedelta | None:
    """What a person calls a length of time; None for what is none.

    >>> parse_span("2h"), parse_span("90 min"), parse_span("1w"), parse_span("soon")
    (datetime.timedelta(seconds=7200), datetime.timedelta(seconds=5400), datetime.timedelta(days=7), None)
    """
    found = _SPAN.fullmatch(text.strip().lower())
    return None if found is None else timedelta(seconds=int(found[1]) * _UNITS[found[2]])
