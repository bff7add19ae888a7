"""What the database says, as far as one plan needs it: the input of identity and merge beside the items themselves."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from models import TABLES, RowId
from reconcile.base import Stored

RowValues = tuple[Any, ...]
"""A row in its model's column order."""

ItemKey = tuple[str, int]
"""(board, item id)"""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Slots of items outside this plan that are linked to a row, by role: how many, and the smallest item id."""

    count: int
    first_item: int


def _per_table() -> dict[str, dict[Any, Any]]:
    return {table: {} for table in TABLES}


@dataclass(slots=True)
class DatabaseState:
    """Rows, keys, links and base of every item in the plan and of every item that shares an owned row with one.

    `pending` are rows that people changed or added since the last sync, `unknown` those that were never synced; `taken`
    are ids that new rows may not use; `adopted` the links of items whose rows were there before the first sync.
    `derived` are the keys that nobody wrote down: the present content of a pending row has them; `spares` are pending
    rows that have a key beside its owner.
    `emptied` are fields (row, where it holds them) that a person emptied, of rows that a slot of the plan is new to.
    `gone` are items that this run saw to be gone for good, `names` all that rows are known by in tables in which the
    plan may write one down: key → row and name.
    Where an older rule made the keys: `outdated` are those, all of them, `rekeyed` what they are today, and `strangers`
    the slots (item, number) that the older rule alone linked to their row.
    `twins` are how many rows of each table the first sync found beside another one with their key; `copies` are items
    that a person was told of, since they carry the id of another item's row; `marked` those of `adopted` that carry the
    id of theirs.
    `moved` are items that are linked to another row than the one they are remembered with, by the item ids in the rows;
    `anew` those that meet their row as on the first day, with how many of their cells were tolerated before;
    `unsure` those that were read and whose row holds an id that nobody knows; see `reconcile.ids`.
    `remembers`: items were synced before, so that their keys may be there although all rows were deleted.
    """

    rows: dict[str, dict[RowId, RowValues]] = field(default_factory=_per_table)
    keys: dict[str, dict[str, RowId]] = field(default_factory=_per_table)
    contested_keys: dict[str, dict[str, RowId]] = field(default_factory=_per_table)
    unrecorded_keys: dict[str, set[str]] = field(default_factory=lambda: {table: set() for table in TABLES})
    placeholders: frozenset[str] = frozenset()
    bases: dict[ItemKey, Stored] = field(default_factory=dict)
    elsewhere: dict[RowId, dict[str, Elsewhere]] = field(default_factory=dict)
    pending: set[RowId] = field(default_factory=set)
    unknown: set[RowId] = field(default_factory=set)
    taken: set[RowId] = field(default_factory=set)
    cleared_fields: set[tuple[RowId, int]] = field(default_factory=set)
    adopted: dict[ItemKey, list[RowId | None]] = field(default_factory=dict)
    staff_emails: frozenset[str] = frozenset()
    counts: dict[str, int] = field(default_factory=dict)
    duplicate_keys: Counter[str] = field(default_factory=Counter)
    gone: frozenset[ItemKey] = frozenset()
    names: dict[str, dict[str, tuple[RowId, str]]] = field(default_factory=_per_table)
    strangers: set[tuple[ItemKey, int]] = field(default_factory=set)
    rekeyed: dict[str, dict[str, RowId]] = field(default_factory=dict)
    outdated: dict[str, dict[str, RowId]] = field(default_factory=dict)
    moved: set[ItemKey] = field(default_factory=set)
    anew: dict[ItemKey, int] = field(default_factory=dict)
    unsure: set[ItemKey] = field(default_factory=set)
    copies: set[ItemKey] = field(default_factory=set)
    marked: set[ItemKey] = field(default_factory=set)
    remembers: bool = False
