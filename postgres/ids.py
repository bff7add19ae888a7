"""Rows and items that do not agree on `monday_item_id`: found in the queries that each run makes anyway."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
from psycopg2 import sql

from models import RowId
from postgres.records import Present, becomes_item, boards_present
from postgres.told import NEWS_AGAIN
from postgres.transaction import Transaction
from reconcile.database_state import ItemKey
from reconcile.ids import Astray, Claim, LeftBehind
from reconcile.layout import Layout

_LEFT = "left"
_MARK = "id:"
"""`sync_dead.input` of a row that is listed because of its id begins with `_MARK`; of one that lost its item it is
`_LEFT`."""

IS_CLAIM = f"(d.kind = 'row' AND coalesce(left(to_jsonb(d) ->> 'input', 3), '') = '{_MARK}')"
"""SQL of a dead letter about the id in a row: it is looked at anew by each run."""

# One row of sync_item is compared with the row that it is linked to: that one has to hold the item's id. A person who
# deleted the row is no news here, nor are two items that share a row which is found by keys.
_ASTRAY = """
(WITH l AS MATERIALIZED (SELECT layout, array_position(slots, {role}) AS at FROM monday_sync.sync_layout),
a AS MATERIALIZED (SELECT i.board_id, i.item_id, i.links[l.at] AS link, t.id AS there, t.monday_item_id AS holds,
    {waits} AS waits
    FROM monday_sync.sync_item i JOIN l USING (layout) LEFT JOIN {table} t ON t.id = i.links[l.at]
    WHERE i.board_id = {board_id} AND {which} AND t.monday_item_id IS DISTINCT FROM i.item_id)
SELECT a.board_id, a.item_id, json_build_array(a.link, a.there IS NOT NULL, a.holds,
    EXISTS (SELECT FROM monday_sync.sync_item o WHERE o.board_id = a.board_id AND o.item_id = a.holds
    AND o.state = 'active'), a.waits, h.id, EXISTS (SELECT FROM monday_sync.sync_dead d
    WHERE d.kind = 'would-merge' AND d.place = {name} || '.' || h.id
    AND coalesce(to_jsonb(d) ->> 'input', '') = ''))::text AS found
FROM a LEFT JOIN {table} h ON h.monday_item_id = a.item_id
WHERE (a.there IS NOT NULL OR h.id IS NOT NULL) AND NOT ({home} AND h.id IS NULL AND EXISTS (SELECT
    FROM monday_sync.sync_item o JOIN l USING (layout)
    WHERE o.board_id = a.board_id AND o.item_id = a.holds AND o.state = 'active' AND o.links[l.at] = a.link)))
"""


def record_tables(layouts: Mapping[str, Layout], present: Present) -> dict[str, str]:
    """Board → the table of its records, of the run's boards whose table has what it takes."""
    return {board: table for board, table in boards_present(present).items() if board in layouts}


def astray_query(
    tx: Transaction, layouts: Mapping[str, Layout], present: Present, also: Collection[ItemKey] = ()
) -> sql.Composable | None:
    """SQL of the active items, and of those in `also`, whose remembered row does not hold their id; None where no table
    of records is there.
    """
    parts = []
    for board, table in record_tables(layouts, present).items():
        record = layouts[board].slots[layouts[board].record]
        extra = sorted(item_id for name, item_id in also if name == board)
        which = sql.SQL("(i.state = 'active' OR i.item_id = ANY({}::bigint[]))").format(sql.Literal(extra))
        parts.append(
            sql.SQL(_ASTRAY).format(
                table=tx.table(table),
                name=sql.Literal(table),
                board_id=sql.Literal(layouts[board].board_id),
                role=sql.Literal(record.role),
                home=sql.Literal(record.is_home),
                which=which if extra else sql.SQL("i.state = 'active'"),
                waits=sql.SQL("t.id IS NOT NULL AND {}").format(becomes_item(board, "t")),
            )
        )
    return sql.SQL(" UNION ALL ").join(parts) if parts else None


def astray_of(rows: Sequence[Sequence[Any]], layouts: Mapping[str, Layout]) -> dict[ItemKey, Astray]:
    """(board id, item id, found) of `astray_query`; of several rows with one item id the one with the smallest uuid is
    the item's."""
    boards = {layout.board_id: board for board, layout in layouts.items()}
    found: dict[ItemKey, Astray] = {}
    for board_id, item_id, text in rows:
        link, there, holds, others, waits, holder, alike = msgspec.json.decode(text)
        item = (boards[board_id], item_id)
        before = found.get(item)
        if before is None or (holder is not None and before.holder is not None and holder < before.holder):
            found[item] = Astray(item, _row(link), there, holds, others, bool(waits), _row(holder), alike)
    return found


def read_astray(
    tx: Transaction, layouts: Mapping[str, Layout], present: Present, also: Collection[ItemKey]
) -> dict[ItemKey, Astray]:
    query = astray_query(tx, layouts, present, also)
    return astray_of(tx.rows(query), layouts) if query is not None else {}


def _row(text: str | None) -> RowId | None:
    return None if text is None else RowId(text)


# What waits for a person ----------------------------------------------------------------------------------------------

_CLAIMS = """
(WITH l AS MATERIALIZED (SELECT layout, array_position(slots, {role}) AS at FROM monday_sync.sync_layout)
SELECT {board_id}::bigint, t.monday_item_id, {name} || '.' || t.id, CASE WHEN i.item_id IS NULL THEN 'unknown'
    WHEN i.state = 'active' THEN 'twice' ELSE 'gone' END
FROM {table} t
LEFT JOIN monday_sync.sync_item i ON i.board_id = {board_id} AND i.item_id = t.monday_item_id
LEFT JOIN l ON l.layout = i.layout
WHERE t.monday_item_id IS NOT NULL AND t.archived_at IS NULL AND CASE
    WHEN i.item_id IS NULL THEN t.monday_item_id <> ALL ({planned}::bigint[])
        AND NOT EXISTS (SELECT FROM monday_sync.sync_op o WHERE o.item_id = t.monday_item_id)
        AND ({proved} OR EXISTS (SELECT FROM monday_sync.sync_dead d WHERE d.kind = 'row' AND d.board_id = {board_id}
            AND d.item_id = t.monday_item_id AND d.place = {name} || '.' || t.id))
    WHEN i.state = 'active' THEN i.links[l.at] <> t.id AND EXISTS (SELECT FROM {table} o
        WHERE o.id = i.links[l.at] AND o.monday_item_id = t.monday_item_id)
    ELSE i.state IN ('archived', 'deleted') AND t.monday_item_id <> ALL ({planned}::bigint[]) END
UNION ALL
SELECT i.board_id, i.item_id, {name} || '.' || t.id, 'emptied' FROM monday_sync.sync_item i
JOIN l USING (layout) JOIN {table} t ON t.id = i.links[l.at]
WHERE i.board_id = {board_id} AND i.state IN ('archived', 'deleted', 'missing')
AND t.monday_item_id IS NULL AND t.archived_at IS NOT NULL)
"""
_MOVES = """
SELECT 'claim', 0, row_to_json(c)::text FROM claims c WHERE NOT EXISTS (SELECT FROM monday_sync.sync_dead d
    WHERE d.kind = 'row' AND d.board_id = c.board_id AND d.item_id = c.item_id AND d.place = c.place
    AND d.input = {mark} || c.kind)
UNION ALL SELECT 'claim over', 0, row_to_json(d)::text FROM monday_sync.sync_dead d
    WHERE {is_claim} AND d.board_id = ANY({boards}::bigint[]) AND NOT EXISTS (SELECT FROM claims c
    WHERE d.board_id = c.board_id AND d.item_id = c.item_id AND d.place = c.place AND d.input = {mark} || c.kind)
"""


def claims_query(
    tx: Transaction,
    layouts: Mapping[str, Layout],
    present: Present,
    proved: Collection[str],
    planned: Collection[ItemKey] = (),
) -> tuple[sql.Composable, sql.Composable] | None:
    """SQL of what has to be listed anew and of what is listed and is over: a part of a WITH, and a query on it.

    That no item has an id is said only of boards in `proved`, of which every item is known; `planned` items will be
    known. None where there is nothing to compare.
    """
    tables = record_tables(layouts, present)
    if not tables:
        return None
    claims = [
        sql.SQL(_CLAIMS).format(
            board_id=sql.Literal(layouts[board].board_id),
            role=sql.Literal(layouts[board].slots[layouts[board].record].role),
            name=sql.Literal(table),
            table=tx.table(table),
            proved=sql.Literal(board in proved),
            planned=sql.Literal(sorted(item_id for name, item_id in planned if name == board)),
        )
        for board, table in tables.items()
    ]
    part = sql.SQL("claims (board_id, item_id, place, kind) AS MATERIALIZED ({})").format(
        sql.SQL(" UNION ALL ").join(claims)
    )
    return part, sql.SQL(_MOVES).format(
        mark=sql.Literal(_MARK),
        is_claim=sql.SQL(IS_CLAIM),
        boards=sql.Literal([layouts[board].board_id for board in tables]),
    )


def keep_claims(tx: Transaction, run_id: str, new: Sequence[Claim], over: Sequence[Claim]) -> None:
    """List rows because of their ids, and take off the list what is over."""
    if over:
        tx.execute(
            f"DELETE FROM monday_sync.sync_dead d USING unnest(%s::bigint[], %s::bigint[], %s::text[])"  # noqa: S608
            f" AS w (board_id, item_id, place) WHERE {IS_CLAIM} AND d.board_id = w.board_id AND d.item_id = w.item_id"
            " AND d.place = w.place",
            [list(column) for column in zip(*((c.board_id, c.item_id, c.place) for c in over), strict=True)],
        )
    if new:
        _list(
            tx,
            run_id,
            [("row", claim.board_id, claim.item_id, claim.place, claim.reason, _MARK + claim.kind) for claim in new],
        )


def list_left_behind(tx: Transaction, layouts: Mapping[str, Layout], run_id: str, left: Sequence[LeftBehind]) -> None:
    """Rows that lost their item to another row: until a person has decided, no item is made of them."""
    if left:
        _list(
            tx,
            run_id,
            [("would-merge", layouts[row.item[0]].board_id, row.item[1], row.where, row.reason, _LEFT) for row in left],
        )


def forget_rows(tx: Transaction, rows: Collection[RowId]) -> None:
    """Rows that are gone and that no item is linked to any more."""
    if rows:
        tx.execute("DELETE FROM monday_sync.sync_row WHERE row_id = ANY(%s::uuid[])", (sorted(rows),))


def _list(tx: Transaction, run_id: str, letters: Sequence[tuple[Any, ...]]) -> None:
    tx.execute(
        "INSERT INTO monday_sync.sync_dead (kind, board_id, item_id, place, reason, input, run_id)"  # noqa: S608  constants alone
        " SELECT *, %s FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[])"
        " ON CONFLICT (kind, board_id, item_id, place) DO UPDATE SET reason = EXCLUDED.reason, input = EXCLUDED.input,"
        f" {NEWS_AGAIN}",
        (run_id, *map(list, zip(*letters, strict=True))),
    )
