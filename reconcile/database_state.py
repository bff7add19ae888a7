"""What the database says, as far as one plan needs it: the input of identity and merge beside the items themselves."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, TypeVar

from models import Record, Row, RowId
from reconcile.base import ItemBase
from reconcile.tables import NAME_OF, TABLES

ItemKey = tuple[str, int]
"""(board, item id)"""

R = TypeVar("R", bound=Row)


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Slots of items outside this plan that are linked to a row, by role: how many, and the smallest item id."""

    count: int
    first_item: int


def _per_table() -> dict[str, dict[Any, Any]]:
    return {table: {} for table in TABLES}


@dataclass(slots=True)
class DatabaseState:
    """What PostgreSQL holds around the items of a plan, and around those that share an owned row with one of them."""

    rows: dict[str, dict[RowId, Row]] = field(default_factory=_per_table)
    """By table: row id → the row."""
    keys: dict[str, dict[str, RowId]] = field(default_factory=_per_table)
    """By table: natural key → the row that owns it."""
    contested_keys: dict[str, dict[str, RowId]] = field(default_factory=_per_table)
    """By table: a key that a pending row has beside its owner → that row."""
    unrecorded_keys: dict[str, set[str]] = field(default_factory=lambda: {table: set() for table in TABLES})
    """Keys that nobody wrote down, by table: the present content of a pending row has them."""
    placeholders: frozenset[str] = frozenset()
    """E-mail addresses that so many customers share that they name nobody."""
    bases: dict[ItemKey, ItemBase] = field(default_factory=dict)
    """What is remembered of each item."""
    elsewhere: dict[RowId, dict[str, Elsewhere]] = field(default_factory=dict)
    """Slots of items outside this plan, by the row that they are linked to."""
    pending: set[RowId] = field(default_factory=set)
    """Rows that people changed or added since the last sync."""
    unknown: set[RowId] = field(default_factory=set)
    """Rows that were never synced."""
    taken: set[RowId] = field(default_factory=set)
    """Ids that new rows may not use."""
    cleared_fields: set[tuple[RowId, str]] = field(default_factory=set)
    """(row, its first column) of fields that a person emptied, of rows that a slot of the plan is new to."""
    adopted: dict[ItemKey, list[RowId | None]] = field(default_factory=dict)
    """Links of items whose rows were there before the first sync."""
    staff_emails: frozenset[str] = frozenset()
    """E-mail keys of everybody on the staff board."""
    counts: dict[str, int] = field(default_factory=dict)
    """Rows of each table."""
    duplicate_keys: Counter[str] = field(default_factory=Counter)
    """How many rows of each table the first sync found beside another one with their key."""
    gone: frozenset[ItemKey] = frozenset()
    """Items that this run saw to be gone for good."""
    names: dict[str, dict[str, tuple[RowId, str]]] = field(default_factory=_per_table)
    """By table: key → (row, name) of all that rows are known by, where the plan may write a key down."""
    strangers: set[tuple[ItemKey, int]] = field(default_factory=set)
    """Slots (item, number) that an older rule of keys alone linked to their row."""
    rekeyed: dict[str, dict[str, RowId]] = field(default_factory=dict)
    """Where an older rule made the keys, by table: all of them as they are today."""
    outdated: dict[str, dict[str, RowId]] = field(default_factory=dict)
    """The same as they were."""
    moved: set[ItemKey] = field(default_factory=set)
    """Items that the ids in rows link to another row than the one they are remembered with: see `reconcile.ids`."""
    anew: dict[ItemKey, int] = field(default_factory=dict)
    """Items that meet their row as on the first day, with how many of their cells were tolerated before."""
    unsure: set[ItemKey] = field(default_factory=set)
    """Items that were read and whose row holds an id that nobody knows."""
    copies: set[ItemKey] = field(default_factory=set)
    """Items that a person was told of, since they carry the id of another item's row."""
    marked: set[ItemKey] = field(default_factory=set)
    """Those of `adopted` that carry the id of their row."""
    remembers: bool = False
    """Whether items were synced before, so that their keys may be there although all rows were deleted."""

    def records(self, table: str) -> dict[RowId, Record]:
        """The rows of a table of which each stands for an item."""
        return self.rows[table]  # type: ignore[return-value]  # its model has what a record has

    def table(self, model: type[R]) -> dict[RowId, R]:
        """The rows of one table, as its model."""
        return self.rows[NAME_OF[model]]  # type: ignore[return-value]  # they are rows of that model
