"""Reads what an older rule of keys has joined: every item that is remembered, once, at the first run of the new."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from models import TABLES, Row, RowId
from postgres.bases import BASES, base_of_row, rows_by_id
from postgres.state import Present
from postgres.transaction import Transaction
from reconcile.foreign_keys import foreign_key
from reconcile.layout import Layout
from reconcile.parting import Parting, part
from reconcile.types import ItemBase

_BY_TEXT = ("insurances", "sales_teams", "pa_law", "users", "properties")
"""Tables of which the text tells the key, and not the older key itself."""


@dataclass(slots=True)
class BeforeParting:
    """Every active item, every key as the older rule made it, and the rows of which the text tells what it is now."""

    bases: list[ItemBase] = field(default_factory=list)
    rows: dict[str, dict[RowId, Row]] = field(default_factory=lambda: {table: {} for table in TABLES})
    keys: dict[str, dict[str, RowId]] = field(default_factory=lambda: {table: {} for table in TABLES})


def read_parting(tx: Transaction, layouts: Mapping[str, Layout], present: Present) -> tuple[BeforeParting, Parting]:
    """What is remembered, and what of it has to be parted. A foreign key that a person moved decides for itself."""
    found = BeforeParting()
    boards = {layout.board_id: layout for layout in layouts.values()}
    for table, key, row in tx.rows("SELECT table_name, key, row_id FROM monday_sync.sync_key WHERE row_id IS NOT NULL"):
        found.keys[table][key] = row
    for table in _BY_TEXT:
        ids = set(found.keys[table].values())
        for known in rows_by_id(tx, table, present, ids) if ids and table in present else ():
            found.rows[table][known.id] = known
    for row in tx.rows(BASES + " WHERE i.state = 'active' AND i.board_id = ANY(%s)", (list(boards),)):
        found.bases.append(base_of_row(row, boards, tx.encoding))
    parting = part(found.bases, layouts, found.keys, found.rows)
    _leave_moved(tx, layouts, present, found, parting)
    return found, parting


def _leave_moved(
    tx: Transaction, layouts: Mapping[str, Layout], present: Present, found: BeforeParting, parting: Parting
) -> None:
    """A stranger's slot of which a person moved the foreign key is none: its row is the one that was chosen."""
    strange = {item for item, _slot in parting.strangers}
    for board, layout in layouts.items():
        bases = [base for base in found.bases if base.board == board and base.item in strange]
        ids = {row for base in bases if (row := base.links[layout.record])}
        records = {row.id: row for row in rows_by_id(tx, layout.record.table, present, ids)} if ids else {}
        for base in bases:
            record = records.get(base.links[layout.record] or RowId(""))
            for slot in layout.referenced if record is not None else ():
                if record is not None and foreign_key(record, slot) != base.links[slot]:
                    parting.strangers.discard((base.item, slot))
