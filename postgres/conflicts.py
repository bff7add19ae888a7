"""The log of values that lost against another edit, for good, and of edits that wait for a person."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from postgres.copy import CopyText
from postgres.encoding import Encoding
from postgres.items import places
from postgres.transaction import Transaction
from reconcile.merge import Conflict
from reconcile.rows import Layout
from reconcile.world import ItemKey


def settle_open(tx: Transaction, layouts: Mapping[str, Layout], items: Sequence[ItemKey]) -> None:
    """What was open about items that are decided about again; what is still open is added anew."""
    if items:
        tx.execute(
            "UPDATE monday_sync.sync_conflict c SET state = 'settled'"
            " FROM unnest(%s::bigint[], %s::bigint[]) AS w (board_id, item_id)"
            " WHERE c.board_id = w.board_id AND c.item_id = w.item_id AND c.state = 'open'",
            places(layouts, items),
        )


def add_conflicts(tx: Transaction, layouts: Mapping[str, Layout], run_id: str, conflicts: Sequence[Conflict]) -> None:
    rows = [
        (
            run_id,
            "open" if lost.open else "settled",
            layouts[lost.item[0]].board_id,
            lost.item[1],
            lost.role,
            lost.field,
            lost.table,
            lost.row,
            lost.kept_from,
            _shown(lost.kept, tx.encoding),
            lost.lost_from,
            _shown(lost.lost, tx.encoding),
        )
        for lost in conflicts
    ]
    if rows:
        tx.copy_in(
            "COPY monday_sync.sync_conflict (run_id, state, board_id, item_id, role, field, table_name, row_id,"
            " kept_from, kept, lost_from, lost) FROM STDIN",
            CopyText(rows),
        )


def _shown(value: Any, encoding: Encoding) -> str | None:
    """A field's value as the log keeps it."""
    if value is None:
        return None
    return encoding.kept(value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False))
