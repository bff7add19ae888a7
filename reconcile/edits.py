"""What people changed in PostgreSQL, as far as one push needs it: the input of `reconcile.prepare_push`."""

from __future__ import annotations

from dataclasses import dataclass, field

from models import TABLES, RowId
from reconcile.base import Stored
from reconcile.database_state import ItemKey, RowValues
from reconcile.ids import LeftBehind


@dataclass(slots=True)
class Edits:
    """`changed` are known rows whose content is not what it was when last in step, with their table; `stored` the
    active items that show one of them; `rows` all rows of those items and of `fresh` ones, which have no item yet.

    `hashes` is the content of changed and fresh rows as it was read: what is remembered once monday was told. `owners`
    says which row a natural key belongs to, as long as the row says it; (table, key, row) of the others are `outdated`.
    `staff`: who is on the staff board with an e-mail of a fresh person, be it his key or not. `refused`: what monday
    would not take at a place, by a hash of the value; `letters` the places of all of those that a person was told of.
    `busy` are items and rows that an unfinished journal still speaks of, `elsewhere` changed rows that a board outside
    this run shows. `items` counts each board's known items. `moved` are items that are linked to another row than the
    one they are remembered with, by the item ids in the rows: see `reconcile.ids`; `left_behind` are rows that lost
    their item so, `lost` rows of theirs that are there no more.
    """

    rows: dict[str, dict[RowId, RowValues]] = field(default_factory=lambda: {table: {} for table in TABLES})
    changed: dict[RowId, str] = field(default_factory=dict)
    hashes: dict[RowId, str] = field(default_factory=dict)
    bases: dict[ItemKey, Stored] = field(default_factory=dict)
    new_rows: list[tuple[str, RowId]] = field(default_factory=list)
    owners: dict[str, dict[str, RowId]] = field(default_factory=lambda: {table: {} for table in TABLES})
    outdated: set[tuple[str, str, RowId]] = field(default_factory=set)
    staff: dict[str, RowId] = field(default_factory=dict)
    rejected: dict[tuple[str, int, str], str] = field(default_factory=dict)
    letters: set[tuple[str, int, str]] = field(default_factory=set)
    in_flight: set[ItemKey | RowId] = field(default_factory=set)
    elsewhere: set[RowId] = field(default_factory=set)
    items: dict[str, int] = field(default_factory=dict)
    moved: set[ItemKey] = field(default_factory=set)
    left_behind: list[LeftBehind] = field(default_factory=list)
    lost: set[RowId] = field(default_factory=set)
