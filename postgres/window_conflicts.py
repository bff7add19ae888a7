"""The log of conflicts as the window shows it: open ones, and settled ones whose loser is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from psycopg2 import sql

from postgres.encoding import Encoding
from postgres.transaction import Row, Transaction

# run_id of a line is the run that wrote it down; what a person chose for the run that settled it stands in its options.
_LISTED: Final = """
SELECT c.id, c.at, c.run_id, c.state, c.board_id, c.item_id, c.role, c.field, c.table_name, c.row_id::text, c.kept_from,
    c.kept, c.lost_from, c.lost, c.monday, c.postgres, c.agreed, c.ever_agreed, c.settled_at, c.settled_by, c.winner,
    r.options ->> 'on_conflict'
FROM monday_sync.sync_conflict c LEFT JOIN monday_sync.sync_run r ON r.run_id = c.settled_by
WHERE {which}
ORDER BY c.state, c.id DESC
"""
_FILTERS: Final = {
    "item": "c.item_id = {}",
    "field": "split_part(CASE WHEN strpos(split_part(c.field, '/', 1), '.') > 0 THEN c.field"
    " ELSE c.table_name || '.' || c.field END, '/', 1) = {}",
    "since": "coalesce(c.settled_at, c.at) >= {}",
}
_KEPT: Final = "(c.state = 'open' OR c.lost_from <> 'nobody')"


@dataclass(frozen=True, slots=True)
class LoggedConflict:
    """One line of the log. `kept_from` and `lost_from` are sides, or the items whose edits these were; `chosen` is the
    `--on-conflict` of the run that settled it."""

    id: int
    at: datetime
    run_id: str
    state: str
    board_id: int
    item_id: int
    role: str
    field: str
    table: str
    row: str | None
    kept_from: str
    kept: str | None
    lost_from: str
    lost: str | None
    monday: str | None
    postgres: str | None
    agreed: str | None
    ever_agreed: bool
    settled_at: datetime | None
    settled_by: str | None
    winner: str | None
    chosen: str | None

    @property
    def open(self) -> bool:
        return self.state == "open"


def list_conflicts(tx: Transaction, which: Mapping[str, Any], *, every: bool = False) -> list[LoggedConflict]:
    """Open ones, then settled ones whose loser is kept (with `every` all that were settled), the newest first. `which`
    picks by `item`, `field` (`table.column`) and `since`."""
    parts: list[sql.Composable] = [
        sql.SQL(_FILTERS[name]).format(sql.Literal(value)) for name, value in which.items() if value is not None
    ]
    parts += [] if every else [sql.SQL(_KEPT)]
    rows = tx.rows(sql.SQL(_LISTED).format(which=sql.SQL(" AND ").join(parts or [sql.SQL("true")])))
    return [_line(row, tx.encoding) for row in rows]


def known_fields(tx: Transaction) -> set[str]:
    """Every field (`table.column`) that the log names."""
    rows = tx.rows("SELECT DISTINCT c.field, c.table_name FROM monday_sync.sync_conflict c")
    fields = ((field.partition("/")[0], table) for field, table in rows)
    return {field if "." in field else f"{table}.{field}" for field, table in fields}


def _line(row: Row, encoding: Encoding) -> LoggedConflict:
    found = LoggedConflict(*row)
    kept, lost, monday, postgres, agreed = (
        None if value is None else encoding.said(value)
        for value in (found.kept, found.lost, found.monday, found.postgres, found.agreed)
    )
    return replace(found, kept=kept, lost=lost, monday=monday, postgres=postgres, agreed=agreed)
