"""The rows of one plan while it is made: what they were, and what they become.

A row is its table's model, read and written by name. A list by number, with a class around it for the names, was
measured beside it: a column 16 ns (84), a field 61 (66), a copy 130 (70), four values to be compared 104 (84), a row of
27 columns 248 bytes (280 and the class). And what is loaded, worked on and written is one and the same kind of thing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from models import Record, Row, RowId
from reconcile.changes import Cause
from reconcile.database_state import DatabaseState, ItemKey
from reconcile.layout import Slot
from reconcile.tables import TABLES

ItemRows = list[Row | None]
"""The row of each slot of one item as it becomes; None where there is no link, or a person deleted the row."""


class Causes:
    """Why fields of rows that were there before change: the last cause that was noted of each counts. A first load
    changes none, and notes nothing: `wanted` says whether to."""

    def __init__(self, *, wanted: bool = True) -> None:
        self.wanted = wanted
        self.found: dict[tuple[RowId, str], Cause] = {}
        """(row, column; of a joint field the first) → the cause."""

    def note(self, row: RowId, column: str, item: ItemKey | None, reason: str, cell: str | None = None) -> None:
        if self.wanted:
            self.found[row, column] = Cause(item, reason, cell)


class WorkingRows:
    """Existing rows are copied when first asked for; new rows start empty."""

    def __init__(self, database: DatabaseState, new_rows: dict[RowId, tuple[str, str]]) -> None:
        self._database = database
        self._rows: dict[str, dict[RowId, Row]] = {table: {} for table in TABLES}
        self._new: dict[RowId | None, Row] = {}
        for row_id, (table, _key) in new_rows.items():
            self._rows[table][row_id] = self._new[row_id] = TABLES[table](row_id)
        self._all_new = not any(database.rows.values())
        self.causes = Causes(wanted=not self._all_new)

    def row(self, table: str, row_id: RowId | None) -> Row | None:
        """The row as it becomes; None when there is none (no link, or a person deleted it)."""
        if row_id is None:
            return None
        row = self._rows[table].get(row_id)
        if row is None:
            before = self._database.rows[table].get(row_id)
            if before is None:
                return None
            row = self._rows[table][row_id] = msgspec.structs.replace(before)
        return row

    def rows_of(self, slots: Sequence[Slot], links: Sequence[RowId | None]) -> ItemRows:
        """The row of each slot, or None: looked up once for an item and used by everything that is decided about it."""
        if self._all_new:
            return list(map(self._new.get, links))
        return [None if row is None else self.row(slot.table, row) for slot, row in zip(slots, links, strict=True)]

    def record(self, table: str, row_id: RowId | None) -> Record | None:
        """The row that stands for an item."""
        return self.row(table, row_id)  # type: ignore[return-value]  # the tables of records have what a record has

    def touched(self, table: str) -> Iterator[Row]:
        """Every row of a table that was asked for, in no order."""
        return iter(self._rows[table].values())

    def changed(self, table: str) -> Iterator[tuple[Row | None, Row]]:
        """(before, after) of new and of changed rows, by id: the order of locks.

        It uses the rows up: each is let go where it is yielded, so that memory never holds what nobody needs any more.
        """
        rows = self._rows[table]
        self._new.clear()
        for row_id in sorted(rows):
            before, after = self._database.rows[table].get(row_id), rows.pop(row_id)
            if before is None or before != after:
                yield before, after
