"""Where runs are missing: longer pauses of one direction than it usually makes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Final

LEAST: Final = timedelta(hours=1)
"""No shorter pause is ever one."""
UNUSUAL: Final = 1.5
"""So many times the usual pause is one: of runs that come by the hour, one that is left out."""
UNTOLD: Final = timedelta(hours=25)
"""What is unusual where there are too few runs to tell."""
_TELLING: Final = 3


def gaps(begun: Sequence[datetime], until: datetime) -> list[tuple[datetime, timedelta]]:
    """Of the runs of one direction, the oldest first: (the run before it, how long it was) of each gap, the one that
    goes on `until` now among them.

    >>> at = [datetime(2026, 11, day) for day in (1, 2, 3, 5)]
    >>> [(run.day, length.days) for run, length in gaps(at, datetime(2026, 11, 6))]
    [(3, 2)]
    """
    if not begun:
        return []
    pauses = [later - earlier for earlier, later in pairwise(begun)]
    usual = timedelta(seconds=median(pause.total_seconds() for pause in pauses)) if len(pauses) >= _TELLING else None
    most = max(LEAST, usual * UNUSUAL) if usual is not None else UNTOLD
    ends = [*begun[1:], until]
    return [(run, end - run) for run, end in zip(begun, ends, strict=True) if end - run > most]
