"""What the report is made of: everything that was read, and the days that it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from postgres.report import BadRun, BoardMemory, DayOfChanges, DayOfDurations, DayOfRuns, StageTime, TableFill
from postgres.window_conflicts import LoggedConflict
from postgres.window_items import Items
from postgres.window_open import OpenThing
from status.standing import Standing

MOST_BARS: Final = 92
"""Days of which each has its bar; of a longer time each week has one."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that was read, in one transaction. `names` are those of rows that foreign keys point at, `limit` is
    that of the calls of a day."""

    standing: Standing
    edges: Sequence[datetime]
    runs: Sequence[DayOfRuns]
    durations: Sequence[DayOfDurations]
    bad_runs: Sequence[BadRun]
    bad_count: int
    stages: Sequence[StageTime]
    changes: Sequence[DayOfChanges]
    calls: Mapping[date, float]
    limit: int | None
    things: Sequence[OpenThing]
    conflicts: Sequence[LoggedConflict]
    items: Items
    names: Mapping[str, str]
    fill: Mapping[str, TableFill]
    boards: Sequence[BoardMemory]

    @property
    def now(self) -> datetime:
        return self.standing.about.now


def day_edges(now: datetime, length: timedelta) -> list[datetime]:
    """When each day of the report begins by this machine's clock: today and as many before as make up the length; of a
    long time, each week."""
    days = max(1, -(-length // timedelta(days=1)))
    pace = 1 if days <= MOST_BARS else 7
    bars = -(-days // pace)
    today = now.astimezone().date()
    first = today - timedelta(days=bars * pace - 1)
    return [_midnight(first + timedelta(days=number * pace)) for number in range(bars)]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time()).astimezone()
