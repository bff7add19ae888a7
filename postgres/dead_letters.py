"""What waits for a person in this database, as the doctor counts it."""

from __future__ import annotations

from typing import NamedTuple

from postgres.ids import IS_CLAIM
from postgres.transaction import Transaction


class NobodysId(NamedTuple):
    """A row ("table.row") whose `monday_item_id` is no item's, or another row's too."""

    place: str
    item_id: int
    reason: str


def count_open(tx: Transaction) -> dict[str, int]:
    """Kind of dead letter → how many there are, but for rows with nobody's id; `conflict` → edits that wait."""
    rows = tx.rows(
        f"SELECT kind, count(*) FROM monday_sync.sync_dead d WHERE NOT {IS_CLAIM} GROUP BY kind UNION ALL"  # noqa: S608  constants alone
        " SELECT 'conflict', count(*) FROM monday_sync.sync_conflict WHERE state = 'open'"
    )
    return dict(rows)


def nobodys_ids(tx: Transaction, most: int) -> tuple[list[NobodysId], int]:
    """The newest rows with nobody's id, and how many there are."""
    rows = tx.rows(
        f"SELECT place, item_id, reason, count(*) OVER () FROM monday_sync.sync_dead d WHERE {IS_CLAIM}"  # noqa: S608  constants alone
        " ORDER BY first_seen DESC, place LIMIT %s",
        (most,),
    )
    said = tx.encoding.said
    found = [NobodysId(said(place), item_id, said(reason)) for place, item_id, reason, _count in rows]
    return found, rows[0][3] if rows else 0
