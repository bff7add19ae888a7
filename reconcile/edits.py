"""What people changed in PostgreSQL, as far as one push needs it: the input of `reconcile.plan_push`."""

from __future__ import annotations

from dataclasses import dataclass, field

from models import Row, RowId
from reconcile.base import ItemBase
from reconcile.database_state import ItemKey
from reconcile.ids import LeftBehind
from reconcile.tables import TABLES


@dataclass(slots=True)
class Edits:
    """What people changed in PostgreSQL, and what of both sides a plan of it needs."""

    rows: dict[str, dict[RowId, Row]] = field(default_factory=lambda: {table: {} for table in TABLES})
    """All rows of the items in `bases` and of `new_rows`, by table."""
    changed: dict[RowId, str] = field(default_factory=dict)
    """Known rows whose content is not what it was when both sides last agreed, with their table."""
    hashes: dict[RowId, str] = field(default_factory=dict)
    """The content of changed and new rows as it was read: what is remembered once monday was told."""
    bases: dict[ItemKey, ItemBase] = field(default_factory=dict)
    """The active items that show a changed row."""
    new_rows: list[tuple[str, RowId]] = field(default_factory=list)
    """(board, row) of rows that have no item yet."""
    owners: dict[str, dict[str, RowId]] = field(default_factory=lambda: {table: {} for table in TABLES})
    """Which row a natural key belongs to, by table, as long as the row says it."""
    outdated: set[tuple[str, str, RowId]] = field(default_factory=set)
    """(table, key, row) of keys whose row does not say them any more."""
    known_records: dict[tuple[str, str], RowId] = field(default_factory=dict)
    """(table, key) → who is on a board with an e-mail of a new person, be it his key or not: see `KeyRule.certain`."""
    rejected: dict[tuple[str, int, str], str] = field(default_factory=dict)
    """What monday would not take: (board, item, column) → a hash of the value."""
    letters: set[tuple[str, int, str]] = field(default_factory=set)
    """The places of all of those that a person was told of."""
    in_flight: set[ItemKey | RowId] = field(default_factory=set)
    """Items and rows that an unfinished journal still speaks of."""
    elsewhere: set[RowId] = field(default_factory=set)
    """Changed rows that a board outside this run shows."""
    items: dict[str, int] = field(default_factory=dict)
    """Known items of each board."""
    moved: set[ItemKey] = field(default_factory=set)
    """Items that the ids in rows link to another row than the one they are remembered with: see `reconcile.ids`."""
    left_behind: list[LeftBehind] = field(default_factory=list)
    """Rows that lost their item so."""
    lost: set[RowId] = field(default_factory=set)
    """Rows of items that are there no more."""
