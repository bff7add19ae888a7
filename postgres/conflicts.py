"""The log of values that lost against another edit, and of edits that wait for a person.

A conflict is one row from the moment it opens until it ends, however many runs look at it, and the row says how it
ended. A value that lost is told of by one run: the first that ends after it was written down.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from msgspec import UNSET

from models import RowId
from postgres.bases import places
from postgres.copy import CopyText
from postgres.transaction import Transaction
from reconcile.layout import Layout
from reconcile.types import Conflict, ConflictPlace, ItemKey

Winner = Literal["monday", "postgres", "both", "nobody"]
"""How a conflict ended: one side's value stands, somebody made both equal, or there is nothing to decide any more."""


class OpenConflict(NamedTuple):
    """A conflict that is open: its number, what it is about, and the row."""

    id: int
    place: ConflictPlace
    row: RowId | None


def open_conflicts(tx: Transaction, layouts: Mapping[str, Layout], items: Iterable[ItemKey]) -> list[OpenConflict]:
    """What is open about these items."""
    board_ids, item_ids = places(layouts, items)
    if not item_ids:
        return []
    boards = {layout.board_id: board for board, layout in layouts.items()}
    found = tx.rows(
        "SELECT c.id, c.board_id, c.item_id, c.field, c.row_id::text FROM monday_sync.sync_conflict c"
        " JOIN unnest(%s::bigint[], %s::bigint[]) AS w (board_id, item_id)"
        " ON c.board_id = w.board_id AND c.item_id = w.item_id WHERE c.state = 'open' ORDER BY c.id",
        (board_ids, item_ids),
    )
    return [OpenConflict(number, ((boards[board], item), field), row) for number, board, item, field, row in found]


def add_conflicts(
    tx: Transaction,
    layouts: Mapping[str, Layout],
    run_id: str,
    conflicts: Sequence[Conflict],
    standing: Sequence[OpenConflict] | None = None,
) -> None:
    """Write down edits that lost, and edits that wait. What is open already keeps its row: it is brought up to date, or
    settled with what became of it. `standing` is what is open about their items, where the caller knows."""
    if not conflicts:
        return
    if standing is None:
        standing = open_conflicts(tx, layouts, {conflict.item for conflict in conflicts})
    known = {entry.place: entry.id for entry in standing}
    new: list[Conflict] = []
    old: list[tuple[int, Conflict]] = []
    for conflict in conflicts:
        number = known.pop(conflict.place, None)
        if number is None:
            new.append(conflict)
        else:
            old.append((number, conflict))
    if old:
        _bring_up_to_date(tx, run_id, old)
    if new:
        _add(tx, layouts, run_id, new)


def settle(tx: Transaction, run_id: str, ended: Mapping[int, tuple[Winner, Any]]) -> None:
    """Conflicts, by number, that ended without an edit that lost: who stands, and with which value."""
    if ended:
        tx.execute(
            "UPDATE monday_sync.sync_conflict c SET state = 'settled', winner = w.winner, settled_at = now(),"
            " settled_by = %s, told_by = %s,"
            " kept_from = CASE w.winner WHEN 'nobody' THEN c.kept_from ELSE w.winner END,"
            " kept = CASE w.winner WHEN 'nobody' THEN c.kept ELSE w.kept END,"
            " lost_from = CASE w.winner WHEN 'nobody' THEN c.lost_from ELSE 'nobody' END,"
            " lost = CASE w.winner WHEN 'nobody' THEN c.lost END"
            " FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS w (id, winner, kept)"
            " WHERE c.id = w.id AND c.state = 'open'",
            (
                run_id,
                run_id,
                list(ended),
                [winner for winner, _value in ended.values()],
                [_kept(tx, value) for _winner, value in ended.values()],
            ),
        )


def _add(tx: Transaction, layouts: Mapping[str, Layout], run_id: str, conflicts: Sequence[Conflict]) -> None:
    now = "now"  # PostgreSQL's own word for the time of the transaction
    tx.copy_in(
        "COPY monday_sync.sync_conflict (run_id, state, board_id, item_id, role, field, table_name, row_id,"
        " kept_from, kept, lost_from, lost, monday, postgres, agreed, ever_agreed, winner, settled_at, settled_by)"
        " FROM STDIN",
        CopyText(
            (
                run_id,
                "open" if conflict.open else "settled",
                layouts[conflict.item[0]].board_id,
                conflict.item[1],
                conflict.role,
                conflict.field,
                conflict.table,
                conflict.row,
                conflict.kept_from,
                _kept(tx, conflict.kept),
                conflict.lost_from,
                _kept(tx, conflict.lost),
                _kept(tx, conflict.monday),
                _kept(tx, conflict.postgres),
                _kept(tx, conflict.agreed),
                "f" if conflict.agreed is UNSET else "t",
                *((None, None, None) if conflict.open else (_winner(conflict), now, run_id)),
            )
            for conflict in conflicts
        ),
    )


def _bring_up_to_date(tx: Transaction, run_id: str, conflicts: Sequence[tuple[int, Conflict]]) -> None:
    tx.execute(
        "UPDATE monday_sync.sync_conflict c SET kept_from = w.kept_from, kept = w.kept, lost_from = w.lost_from,"
        " lost = w.lost, monday = w.monday, postgres = w.postgres, row_id = w.row_id::uuid,"
        " agreed = CASE WHEN w.ever_agreed THEN w.agreed ELSE c.agreed END,"
        " ever_agreed = c.ever_agreed OR w.ever_agreed,"
        " state = CASE WHEN w.winner IS NULL THEN 'open' ELSE 'settled' END,"
        " winner = w.winner, settled_at = CASE WHEN w.winner IS NOT NULL THEN now() END,"
        " settled_by = CASE WHEN w.winner IS NOT NULL THEN %s END"
        " FROM jsonb_to_recordset(%s) AS w (id bigint, kept_from text, kept text, lost_from text, lost text,"
        " monday text, postgres text, agreed text, ever_agreed boolean, winner text, row_id text)"
        " WHERE c.id = w.id AND (w.winner IS NOT NULL OR (c.monday, c.postgres, c.row_id::text)"
        " IS DISTINCT FROM (w.monday, w.postgres, w.row_id))",
        (
            run_id,
            json.dumps(
                [
                    {
                        "id": number,
                        "kept_from": conflict.kept_from,
                        "kept": _kept(tx, conflict.kept),
                        "lost_from": conflict.lost_from,
                        "lost": _kept(tx, conflict.lost),
                        "monday": _kept(tx, conflict.monday),
                        "postgres": _kept(tx, conflict.postgres),
                        "agreed": _kept(tx, conflict.agreed),
                        "ever_agreed": conflict.agreed is not UNSET,
                        "winner": None if conflict.open else _winner(conflict),
                        "row_id": conflict.row,
                    }
                    for number, conflict in conflicts
                ],
                ensure_ascii=False,
            ),
        ),
    )


def _winner(conflict: Conflict) -> Winner:
    return "postgres" if conflict.kept_from == "postgres" else "monday"


def shown(value: Any) -> str | None:
    """A field's value as the log keeps it."""
    if value is None or isinstance(value, str):
        return value
    if value is UNSET:
        return None
    return json.dumps(value, default=str, ensure_ascii=False)


def _kept(tx: Transaction, value: Any) -> str | None:
    """The same, in the signs that the database has."""
    text = shown(value)
    return None if text is None else tx.encoding.kept(text)
