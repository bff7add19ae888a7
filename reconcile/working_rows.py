"""The rows of one plan while it is made: what they were, and what they become. A row holds one value per field."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from models import RowId
from reconcile.database_state import DatabaseState, RowValues
from reconcile.layout import Slot, folded_row, unfolded_row
from reconcile.tables import TABLES

_EMPTY: dict[str, list[Any]] = {table: [None] * len(model.__struct_fields__) for table, model in TABLES.items()}
ItemRows = list[list[Any] | None]
"""The row of each slot of one item as it becomes; None where there is no link, or a person deleted the row."""

POSITION: dict[str, dict[str, int]] = {
    table: {column: number for number, column in enumerate(model.__struct_fields__)} for table, model in TABLES.items()
}
"""table → column → position in a row."""


class WorkingRows:
    """Existing rows are copied when first asked for; new rows start empty."""

    def __init__(self, world: DatabaseState, new_rows: dict[RowId, tuple[str, str]]) -> None:
        self._world = world
        self._rows: dict[str, dict[RowId, list[Any]]] = {table: {} for table in TABLES}
        self._new: dict[RowId | None, list[Any]] = {}
        for row_id, (table, _key) in new_rows.items():
            row = _EMPTY[table].copy()
            row[0] = row_id
            self._rows[table][row_id] = self._new[row_id] = row
        self._all_new = not any(world.rows.values())

    def row(self, table: str, row_id: RowId | None) -> list[Any] | None:
        """The row as it becomes; None when there is none (no link, or a person deleted it)."""
        if row_id is None:
            return None
        row = self._rows[table].get(row_id)
        if row is None:
            before = self._world.rows[table].get(row_id)
            if before is None:
                return None
            row = self._rows[table][row_id] = folded_row(table, before)
        return row

    def rows_of(self, slots: Sequence[Slot], links: Sequence[RowId | None]) -> ItemRows:
        """The row of each slot, or None: looked up once for an item and used by everything that is decided about it."""
        if self._all_new:
            return list(map(self._new.get, links))
        return [None if row is None else self.row(slot.table, row) for slot, row in zip(slots, links, strict=True)]

    def touched(self, table: str) -> Iterator[list[Any]]:
        """Every row that was asked for, in no order."""
        return iter(self._rows[table].values())

    def changed(self, table: str) -> Iterator[tuple[RowId, RowValues | None, RowValues]]:
        """(id, before, after) of new and of changed rows, in the columns of the model, by id: the order of locks.

        It uses the rows up: each is let go where it is yielded, so that memory never holds both forms of all.
        """
        rows = self._rows[table]
        self._new.clear()
        for row_id in sorted(rows):
            before = self._world.rows[table].get(row_id)
            after = unfolded_row(table, rows.pop(row_id))
            if before is None or before != after:
                yield row_id, before, after
