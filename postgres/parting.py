"""Reads what an older rule of keys has joined: every item that is remembered, once, at the first run of the new."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from models import Row, RowId
from postgres.bases import BASES, base_of_row, rows_by_id
from postgres.records import Present
from postgres.transaction import Transaction
from reconcile.base import ItemBase
from reconcile.layout import Layout
from reconcile.parting import BY_TEXT, Parting, part
from reconcile.tables import TABLES


@dataclass(slots=True)
class BeforeParting:
    """Every active item, every key as the older rule made it, and the rows of which the text tells what it is now."""

    base: list[ItemBase] = field(default_factory=list)
    rows: dict[str, dict[RowId, Row]] = field(default_factory=lambda: {table: {} for table in TABLES})
    keys: dict[str, dict[str, RowId]] = field(default_factory=lambda: {table: {} for table in TABLES})


def read_parting(tx: Transaction, layouts: Mapping[str, Layout], present: Present) -> tuple[BeforeParting, Parting]:
    """What is remembered, and what of it has to be parted. A foreign key that a person moved decides for itself."""
    found = BeforeParting()
    boards = {layout.board_id: layout for layout in layouts.values()}
    for table, key, row in tx.rows("SELECT table_name, key, row_id FROM monday_sync.sync_key WHERE row_id IS NOT NULL"):
        found.keys[table][key] = row
    for table in BY_TEXT:
        ids = set(found.keys[table].values())
        for known in rows_by_id(tx, table, present, ids) if ids and table in present else ():
            found.rows[table][known.id] = known
    for row in tx.rows(BASES + " WHERE i.state = 'active' AND i.board_id = ANY(%s)", (list(boards),)):
        found.base.append(base_of_row(row, boards, tx.encoding))
    parting = part(found.base, layouts, found.keys, found.rows)
    _leave_moved(tx, layouts, present, found, parting)
    return found, parting


def _leave_moved(
    tx: Transaction, layouts: Mapping[str, Layout], present: Present, found: BeforeParting, parting: Parting
) -> None:
    strange = {item for item, _number in parting.strangers}
    by_item = {key: base for base in found.base if (key := (base.board, base.id)) in strange}
    for board, layout in layouts.items():
        table = layout.slots[layout.record].table
        ids = {row for key, base in by_item.items() if key[0] == board and (row := base.links[layout.record])}
        records = {row.id: row for row in rows_by_id(tx, table, present, ids)} if ids else {}
        for place, column in layout.pointers:
            for key, base in by_item.items():
                record = records.get(base.links[layout.record] or RowId("")) if key[0] == board else None
                if record is not None and getattr(record, column) != base.links[place]:
                    parting.strangers.discard((key, place))
