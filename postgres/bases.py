"""What is remembered of items, to and from `monday_sync.sync_item`, and how a row of a model is read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from psycopg2 import sql

from models import Row, RowId
from postgres.copy import CopyText, uuid_array
from postgres.encoding import Encoding
from postgres.records import Present
from postgres.state import read_column
from postgres.transaction import Transaction
from reconcile.base import ItemBase, pairs_from_json
from reconcile.database_state import ItemKey
from reconcile.layout import Layout
from reconcile.tables import TABLES

BASES = (
    "SELECT i.board_id, i.item_id, i.updated_at, i.links::text[], i.base::text, l.fields, l.slots, i.state,"
    " i.missing_count, i.m_hash, i.tolerated"
    " FROM monday_sync.sync_item i JOIN monday_sync.sync_layout l USING (layout)"
)
"""The rows that `base_of_row` takes; more of a WHERE may follow."""


def base_of_row(row: Sequence[Any], layouts: Mapping[int, Layout], encoding: Encoding) -> ItemBase:
    """One row of `BASES` in the order of today's layout of its board (board id → layout)."""
    board_id, item_id, updated_at, links, base, fields, slots, state, *rest = row
    layout = layouts[board_id]
    monday, postgres, tolerated_links = pairs_from_json(encoding.said(base), fields, layout)
    by_role = dict(zip(slots, links, strict=True))
    now_links = [by_role.get(slot.role) for slot in layout.slots]
    numbers = {slot.role: number for number, slot in enumerate(layout.slots)}
    moved = {numbers[slots[number]]: row_id for number, row_id in tolerated_links.items() if slots[number] in numbers}
    missing_count, content_hash, tolerated = rest
    return ItemBase(
        layout.board,
        item_id,
        updated_at,
        now_links,
        monday,
        postgres,
        state,
        missing_count,
        content_hash,
        tolerated,
        tolerated_links=moved,
    )


def read_bases(tx: Transaction, layouts: Mapping[str, Layout], items: Collection[ItemKey]) -> list[ItemBase]:
    """What is remembered of these items; one that is not known is left out."""
    by_id = {layout.board_id: layout for layout in layouts.values()}
    rows = tx.rows(
        BASES + " JOIN unnest(%s::bigint[], %s::bigint[]) AS w (board_id, item_id) USING (board_id, item_id)",
        places(layouts, items),
    )
    return [base_of_row(row, by_id, tx.encoding) for row in rows]


def items_of_rows(tx: Transaction, table: str, ids: Collection[RowId]) -> dict[RowId, int | None]:
    """Those of the rows that are still there, and the item that each is linked to."""
    statement = sql.SQL("SELECT id::text, monday_item_id FROM {} WHERE id = ANY(%s::uuid[])")
    return dict(tx.rows(statement.format(tx.table(table)), (list(ids),)))


def model_columns(table: str, present: Present, alias: str = "t") -> sql.Composable:
    """The model's columns of a table; one that is not there yet reads as empty."""
    there = present[table]
    return sql.SQL(", ").join(
        read_column(table, column, alias) if column in there else sql.NULL for column in TABLES[table].__struct_fields__
    )


def rows_by_id(tx: Transaction, table: str, present: Present, ids: Collection[RowId]) -> list[Row]:
    """Rows of a table; an id without a row is left out."""
    statement = sql.SQL("SELECT {} FROM {} t WHERE t.id = ANY(%s::uuid[])")
    found = tx.rows(statement.format(model_columns(table, present), tx.table(table)), (sorted(ids),))
    return [TABLES[table](*values) for values in found]


def places(layouts: Mapping[str, Layout], items: Iterable[ItemKey]) -> tuple[list[int], list[int]]:
    """Board ids and item ids, in order, as parameters of `unnest`."""
    ordered = sorted(items)
    return [layouts[board].board_id for board, _ in ordered], [item_id for _, item_id in ordered]


def write_items(
    tx: Transaction, layouts: Mapping[str, Layout], items: Iterable[ItemBase], known: Collection[ItemKey]
) -> None:
    """Remember items anew, active all of them; `known` are those of them that may be remembered already."""
    if known:
        tx.execute(
            "DELETE FROM monday_sync.sync_item i USING unnest(%s::bigint[], %s::bigint[]) AS w (board_id, item_id)"
            " WHERE i.board_id = w.board_id AND i.item_id = w.item_id",
            places(layouts, known),
        )
    items, kept = list(items), tx.encoding.kept
    numbers = {board: _layout_number(tx, layouts[board]) for board in {item.board for item in items}}
    tx.copy_in(
        "COPY monday_sync.sync_item (board_id, item_id, layout, m_hash, updated_at, tolerated, base, links) FROM STDIN",
        CopyText(
            (
                layouts[item.board].board_id,
                item.id,
                numbers[item.board],
                item.content_hash,
                item.updated_at,
                item.tolerated,
                kept(item.to_json().decode()),
                uuid_array(item.links),
            )
            for item in items
        ),
    )


def _layout_number(tx: Transaction, layout: Layout) -> int:
    """The number under which the board's present order of fields and slots is kept; a new one where it is new."""
    shape = (layout.board, list(layout.field_ids), [slot.role for slot in layout.slots])
    found = tx.one("SELECT layout FROM monday_sync.sync_layout WHERE (board, fields, slots) = (%s, %s, %s)", shape)
    found = found or tx.one(
        "INSERT INTO monday_sync.sync_layout (board, fields, slots, slot_tables) VALUES (%s, %s, %s, %s)"
        " RETURNING layout",
        (*shape, [slot.table for slot in layout.slots]),
    )
    assert found is not None
    return int(found[0])
