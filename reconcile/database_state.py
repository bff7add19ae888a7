"""What PostgreSQL holds, as far as one plan needs it: the input of identity and merge beside the items themselves."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, TypeVar

from models import NAME_OF, TABLES, Record, Row, RowId
from reconcile.types import ItemBase, ItemKey, Links, SlotPlace

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
    """`database`: what PostgreSQL holds around the items of a plan, and those that share an owned row with one."""

    rows: dict[str, dict[RowId, Row]] = field(default_factory=_per_table)
    """By table: row id → the row."""
    keys: dict[str, dict[str, RowId]] = field(default_factory=_per_table)
    """By table: natural key → the row that owns it."""
    contested_keys: dict[str, dict[str, RowId]] = field(default_factory=_per_table)
    """By table: a key that a pending row has beside its owner → that row."""
    unrecorded_keys: dict[str, set[str]] = field(default_factory=lambda: {table: set() for table in TABLES})
    """By table: keys that the content of a pending row has and that no run has written down yet."""
    placeholders: frozenset[str] = frozenset()
    """Natural keys of e-mails that so many customers share that they name nobody."""
    bases: dict[ItemKey, ItemBase] = field(default_factory=dict)
    """What is remembered of each item, by (board, item id)."""
    elsewhere: dict[RowId, dict[str, Elsewhere]] = field(default_factory=dict)
    """By row: the slots of items outside this plan that are linked to it, by role."""
    pending: set[RowId] = field(default_factory=set)
    """Rows that people changed or added in PostgreSQL since the last sync."""
    unknown: set[RowId] = field(default_factory=set)
    """Rows that were never synced."""
    taken: set[RowId] = field(default_factory=set)
    """Ids that new rows may not use."""
    cleared_fields: set[tuple[RowId, str]] = field(default_factory=set)
    """(row, first column of the field) of what a person emptied in rows that a slot of the plan is new to."""
    adopted: dict[ItemKey, Links] = field(default_factory=dict)
    """Links of items whose rows were there before the first sync: what those rows' foreign keys point at."""
    staff_emails: frozenset[str] = frozenset()
    """E-mail keys of everybody on the staff board."""
    counts: dict[str, int] = field(default_factory=dict)
    """Rows of each table."""
    duplicate_keys: Counter[str] = field(default_factory=Counter)
    """How many rows of each table the first sync found beside another one with their key."""
    gone: frozenset[ItemKey] = frozenset()
    """Items that are archived or deleted, as far as this run knows."""
    names: dict[str, dict[str, tuple[RowId, str]]] = field(default_factory=_per_table)
    """By table: every key that is made of a name → (row, the name), where the plan may write such a key down."""
    strangers: set[SlotPlace] = field(default_factory=set)
    """Slots that an older rule of keys alone linked to their row."""
    rekeyed: dict[str, dict[str, RowId]] = field(default_factory=dict)
    """Where an older rule of keys made the stored ones, by table: all keys by the rule of today."""
    outdated: dict[str, dict[str, RowId]] = field(default_factory=dict)
    """The same by the older rule, as they are stored."""
    moved: set[ItemKey] = field(default_factory=set)
    """Items that the ids in rows link to another row than the one they are remembered with: see `reconcile.ids`."""
    anew: dict[ItemKey, int] = field(default_factory=dict)
    """Items that are compared with their row as at first contact → how many of their fields were tolerated before."""
    unsure: set[ItemKey] = field(default_factory=set)
    """Items that were read and whose row holds the id of no known item."""
    copies: set[ItemKey] = field(default_factory=set)
    """Items that carry the id of another item's row: they are listed as copies for a person."""
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
