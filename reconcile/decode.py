"""One item as monday.com sent it → its state: a value per field of its board's layout."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from msgspec import UNSET

from models import RowId
from reconcile.columns import MARKER, Value
from reconcile.errors import CellError
from reconcile.fields import FieldValue
from reconcile.items import Cell, Item, instant
from reconcile.layout import Layout
from reconcile.types import Field, ItemState, PerField

_ROW_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

_Bad = list[tuple[str, str]]
"""(column id, reason) of cells that could not be read."""


def decode(layout: Layout, item: Item, content_hash: str | None = None) -> ItemState:
    """Cells → field values. A field of which a cell cannot be read is UNSET, and the cell is listed in `bad`.

    Raises msgspec.DecodeError for a time of change that is none, and nothing else.
    """
    cells = {"name": Cell("name", text=item.name)}
    bad: _Bad = []
    values: list[FieldValue] = [UNSET] * len(layout.fields)
    for cell in item.column_values:
        plain = layout.plain.get(cell.id)
        if plain is None:
            cells[cell.id] = cell
            continue
        number, attribute, meaning = plain
        text = getattr(cell, attribute)
        if not text:
            values[number] = (
                None if text is not UNSET else _read(layout.fields[number], {cell.id: cell}, item.name, bad)
            )
        elif "\0" in text:
            values[number] = _read(layout.fields[number], {cell.id: cell}, item.name, bad)
        else:
            value = text.strip() or None
            try:
                values[number] = value if meaning is None or value is None else meaning(value)
            except CellError as error:
                bad.append((cell.id, str(error)))
    for number in layout.others:
        values[number] = _read(layout.fields[number], cells, item.name, bad)
    for number in layout.limited:
        values[number] = _storable(layout, layout.fields[number], values[number], bad)
    return ItemState(
        board=layout.board,
        id=int(item.id),
        updated_at=instant(item.updated_at),
        values=PerField(values),
        bad=tuple(dict.fromkeys(bad)),  # one cell may be read for two fields
        content_hash=content_hash,
        marker=_row_id(cells[MARKER]) if MARKER in cells else "",
    )


def _read(field: Field, cells: Mapping[str, Cell], item_name: str, bad: _Bad) -> FieldValue:
    """The value of one field; UNSET where a cell of it did not come, or cannot be read."""
    values: list[Value] = []
    for column_id in field.cells:
        cell = cells.get(column_id)
        if cell is None:
            return UNSET
        try:
            values.append(field.codec.decode(cell))
        except CellError as error:
            bad.append((column_id, str(error)))
            return UNSET
    return field.from_cells(values, item_name) if field.from_cells is not None else values[0]


def _storable(layout: Layout, field: Field, value: FieldValue, bad: _Bad) -> FieldValue:
    """The value, or UNSET where a column of an existing database would not take it."""
    for column, part in zip(field.columns, value if isinstance(value, tuple) else (value,), strict=False):
        limit = layout.limits.get((field.table, column))
        reason = limit.refusal(part) if limit is not None and part not in (None, UNSET) else None
        if reason is not None:
            bad.append((field.cells[0], f"does not fit {field.table}.{column}: {reason}"))
            return UNSET
    return value


def _row_id(cell: Cell) -> RowId | Literal[""]:
    """What the marker's cell holds, if it is a row's id at all."""
    text = cell.text.strip().lower() if cell.text else ""
    return RowId(text) if _ROW_ID.fullmatch(text) else ""
