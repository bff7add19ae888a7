"""What people changed in PostgreSQL, as far as one push needs it: the input of `reconcile.plan_push`."""

from __future__ import annotations

from dataclasses import dataclass, field

from models import TABLES, Row, RowId
from reconcile.ids import LeftBehind
from reconcile.types import ItemBase, ItemKey


@dataclass(slots=True)
class Edits:
    """What people changed in PostgreSQL, and what of both sides a plan of it needs."""

    rows: dict[str, dict[RowId, Row]] = field(default_factory=lambda: {table: {} for table in TABLES})
    """All rows of the items in `bases` and of `new_rows`, by table."""
    changed: dict[RowId, str] = field(default_factory=dict)
    """Known rows whose content changed since monday.com last showed all of it → their table."""
    hashes: dict[RowId, str] = field(default_factory=dict)
    """Changed and new rows → the hash of their content as it was read, which is remembered once monday shows it."""
    bases: dict[ItemKey, ItemBase] = field(default_factory=dict)
    """The bases of active items that show a changed row."""
    new_rows: list[tuple[str, RowId]] = field(default_factory=list)
    """(board, row) of rows that have no item yet."""
    owners: dict[str, dict[str, RowId]] = field(default_factory=lambda: {table: {} for table in TABLES})
    """By table: natural key → its row, as long as the row's content has the key."""
    outdated: set[tuple[str, str, RowId]] = field(default_factory=set)
    """(table, key, row) of keys that the content of their row has no longer."""
    staff: dict[str, RowId] = field(default_factory=dict)
    """E-mail key of a new person → the row on the staff board that has the e-mail, as its key or not."""
    rejected: dict[tuple[str, int, str], str] = field(default_factory=dict)
    """What monday would not take: (board, item, column) → a hash of the value."""
    letters: set[tuple[str, int, str]] = field(default_factory=set)
    """(board, item, column) of every value of a push that is listed as refused."""
    in_flight: set[ItemKey | RowId] = field(default_factory=set)
    """Items and rows of requests whose outcome is not known yet: they wait."""
    elsewhere: set[RowId] = field(default_factory=set)
    """Changed rows that items of a board outside this run show."""
    items: dict[str, int] = field(default_factory=dict)
    """How many known items each board has."""
    moved: set[ItemKey] = field(default_factory=set)
    """Items that the ids in rows link to another row than the one they are remembered with: see `reconcile.ids`."""
    left_behind: list[LeftBehind] = field(default_factory=list)
    """Rows that no longer stand for their item, since another row holds its id now."""
    lost: set[RowId] = field(default_factory=set)
    """Rows that items were linked to and that are deleted, where another row holds the item's id."""
