"""The history as the window shows it: `monday_sync.sync_change`, by run, item, row and field."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec
from psycopg2 import sql

from models import RowId
from postgres.encoding import Encoding
from postgres.names import row_names
from postgres.records import Present
from postgres.transaction import Transaction
from reconcile.tables import target_of

_LISTED: Final = """
SELECT id, run_id, at, wrote, action, board_id, item_id, table_name, row_id::text, field, column_id, before::text,
    after::text, reason, count(*) OVER ()
FROM monday_sync.sync_change WHERE {which} ORDER BY id {order} LIMIT {limit}
"""
_FILTERS: Final = {
    "run_id": "run_id = {}",
    "item_id": "item_id = {}",
    "table_name": "table_name = {}",
    "row_id": "row_id = {}::uuid",
    "field": "field = {}",
    "since": "at >= {}",
}


@dataclass(frozen=True, slots=True)
class ChangeLine:
    """One thing that a run wrote; `before` and `after` are values as JSON has them."""

    id: int
    run_id: str
    at: datetime
    wrote: str
    action: str
    board_id: int | None
    item_id: int | None
    table: str | None
    row: str | None
    field: str | None
    column_id: str | None
    before: Any
    after: Any
    reason: str


def list_changes(
    tx: Transaction, which: Mapping[str, Any], *, limit: int | None, newest: bool = False
) -> tuple[list[ChangeLine], int]:
    """What `which` picks (`run_id`, `item_id`, `table_name`, `row_id`, `field`, `since`), in the order of time, and how
    much there is of it; with `newest` the last ones where there are too many."""
    parts = [sql.SQL(_FILTERS[name]).format(sql.Literal(value)) for name, value in which.items() if value is not None]
    rows = tx.rows(
        sql.SQL(_LISTED).format(
            which=sql.SQL(" AND ").join(parts or [sql.SQL("true")]),
            order=sql.SQL("DESC" if newest else "ASC"),
            limit=sql.Literal(limit),
        )
    )
    found = [_line(row[:-1], tx.encoding) for row in rows]
    return found[::-1] if newest else found, rows[0][-1] if rows else 0


def names_of_rows(tx: Transaction, present: Present, changes: Collection[ChangeLine]) -> dict[str, str]:
    """What people call the rows that foreign keys of these changes point at."""
    wanted: dict[str, set[RowId]] = {}
    for change in changes:
        for table, row in _pointed_at(change):
            wanted.setdefault(table, set()).add(row)
    return row_names(tx, present, wanted)


def _pointed_at(change: ChangeLine) -> Iterator[tuple[str, RowId]]:
    table = target_of(change.field or "")
    if table is not None:
        yield from ((table, RowId(value)) for value in (change.before, change.after) if _is_row(value))


def _is_row(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 36 and value.count("-") == 4


def _line(row: Any, encoding: Encoding) -> ChangeLine:
    *facts, before, after, reason = row
    values: tuple[Any, ...] = (*facts, _value(before, encoding), _value(after, encoding), encoding.said(reason))
    return ChangeLine(*values)


def _value(text: str | None, encoding: Encoding) -> Any:
    return None if text is None else _said(msgspec.json.decode(text), encoding)


def _said(value: Any, encoding: Encoding) -> Any:
    if isinstance(value, str):
        return encoding.said(value)
    return [_said(part, encoding) for part in value] if isinstance(value, list) else value
