"""Changes of cells as a board's activity log tells them.

Neither the events nor the `data` of an entry are documented: what cannot be read is left out, and nothing is raised.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec import UNSET

from monday.responses import LogEntry
from reconcile.items import without_lone_surrogates

_CELL_EVENTS = ("update_column_value", "batch_change_pulses_column_value")
_NAME_EVENT = "update_name"
_TICKS_PER_S = 10_000_000


@dataclass(frozen=True, slots=True)
class LoggedWrite:
    """One change of one cell by that user; `column_id` is "name" for a new name.

    `previous` is what the cell held before, as the log holds it, None when it was empty, UNSET where it does not say;
    `previous_shown` the text that a person saw, where it is told too; `value` what the cell held then.
    """

    item_id: int
    column_id: str
    at: datetime
    previous: Any
    previous_shown: Any = UNSET
    value: Any = UNSET
    user_id: str = ""


def logged_writes(entry: LogEntry) -> Iterator[LoggedWrite]:
    """The change that an entry tells, once for each of its items; nothing for another event.

    >>> data = '{"pulse_id": 7, "column_id": "text1", "value": {"value": "b"}, "previous_value": {"value": "a"}}'
    >>> list(logged_writes(LogEntry("update_column_value", "17955144005000000", "1", data)))[0].previous
    {'value': 'a'}
    """
    data, at = _decoded(entry.data), logged_at(entry.created_at)
    if at is None or not isinstance(data, dict):
        return
    column_id = "name" if entry.event == _NAME_EVENT else data.get("column_id")
    if entry.event not in (*_CELL_EVENTS, _NAME_EVENT) or not isinstance(column_id, str):
        return
    previous = data.get("previous_value", UNSET)
    previous = None if previous in ("", {}, []) else previous
    told = (data.get("previous_textual_value", UNSET), data.get("value", UNSET), entry.user_id)
    several = data.get("pulse_ids")
    for item_id in [data.get("pulse_id"), *(several if isinstance(several, list) else ())]:
        if _is_number(item_id):
            yield LoggedWrite(int(item_id), column_id, at, previous, *told)


def _is_number(raw: Any) -> bool:
    """Whether it can be an id or a time; Python refuses to read thousands of digits."""
    if isinstance(raw, int):
        return 0 <= raw < 10**20
    return isinstance(raw, str) and len(raw) < 20 and raw.isdecimal()


def logged_at(raw: str) -> datetime | None:
    """Units of 100 ns since 1970, in digits; in integers, since a float would lose the last of them.

    >>> logged_at("17955144005000000")
    datetime.datetime(2026, 11, 24, 10, 0, 0, 500000, tzinfo=datetime.timezone.utc)
    """
    if not _is_number(raw):
        return None
    seconds, ticks = divmod(int(raw), _TICKS_PER_S)
    try:
        return datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=ticks // 10)
    except (ValueError, OverflowError, OSError):
        return None


def _decoded(data: Any) -> Any:
    if not isinstance(data, str):
        return data
    try:
        return msgspec.json.decode(without_lone_surrogates(data.encode()))
    except (ValueError, RecursionError):
        return None
