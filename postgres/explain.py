"""What the database knows around one item: who else shows its rows, by which keys they are found, and what was set
aside."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from models import RowId
from postgres.transaction import Transaction


@dataclass(frozen=True, slots=True)
class SetAside:
    """One thing that waits for a person: `kind` and `place` as `monday_sync.sync_dead` has them."""

    kind: str
    place: str
    reason: str
    since: datetime


def boards_of(tx: Transaction, item_id: int) -> list[int]:
    """Ids of the boards on which an item was last seen; the active one first."""
    found = tx.rows(
        "SELECT board_id FROM monday_sync.sync_item WHERE item_id = %s ORDER BY state <> 'active', updated_at DESC",
        (item_id,),
    )
    return [board_id for (board_id,) in found]


def keys_of(tx: Transaction, rows: Collection[RowId]) -> dict[RowId, list[str]]:
    """The natural keys by which rows are found."""
    found: dict[RowId, list[str]] = defaultdict(list)
    statement = "SELECT row_id::text, key FROM monday_sync.sync_key WHERE row_id = ANY(%s::uuid[]) ORDER BY key"
    for row, key in tx.rows(statement, (sorted(rows),)):
        found[row].append(tx.encoding.said(key))
    return found


def shown_by(tx: Transaction, rows: Collection[RowId]) -> dict[RowId, int]:
    """How many active items show each of the rows."""
    return dict(
        tx.rows(
            "SELECT n.row_id::text, count(DISTINCT (i.board_id, i.item_id)) FROM monday_sync.sync_item i"
            " CROSS JOIN LATERAL unnest(i.links) AS n (row_id)"
            " WHERE i.state = 'active' AND n.row_id = ANY(%s::uuid[]) GROUP BY 1",
            (sorted(rows),),
        )
    )


def set_aside(tx: Transaction, board_id: int, item_id: int, rows: Collection[RowId]) -> list[SetAside]:
    """What a person was told of an item, and of its rows by whatever item."""
    found = tx.rows(
        "SELECT kind, place, reason, first_seen FROM monday_sync.sync_dead WHERE (board_id, item_id) = (%s, %s)"
        " OR split_part(place, '.', 2) = ANY(%s) ORDER BY first_seen, kind, place",
        (board_id, item_id, sorted(rows)),
    )
    return [SetAside(kind, place, tx.encoding.said(reason), since) for kind, place, reason, since in found]


def is_in_doubt(tx: Transaction, item_id: int, rows: Collection[RowId]) -> bool:
    """Whether a request of an earlier push that speaks of the item, or of one of the rows, has no answer yet."""
    statement = "SELECT EXISTS (SELECT FROM monday_sync.sync_op WHERE item_id = %s OR row_id = ANY(%s::uuid[]))"
    return bool((tx.one(statement, (item_id, sorted(rows))) or (False,))[0])
