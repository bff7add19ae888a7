"""What a push writes to the database: rows made whole before it, and what is remembered of items and rows after it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import psycopg2
from psycopg2 import sql

from models import RowId
from postgres.bases import places, rows_by_id, write_items
from postgres.errors import is_rows_fault
from postgres.readable import READABLE_WORDS
from postgres.records import Present
from postgres.row_writer import CHANGED, SKIPPED, look_at_deferred
from postgres.rules import Rules, read_rules
from postgres.state import row_hash, tracked_columns
from postgres.told import NEWS_AGAIN
from postgres.transaction import Transaction
from postgres.updates import as_json, by_columns, unedited, update_statement
from reconcile.base import ItemBase
from reconcile.database_state import ItemKey
from reconcile.derived import KeysAfterPush, OwnedKey
from reconcile.layout import Layout
from reconcile.plan_pull import Update
from reconcile.push_plan import Rejection
from reconcile.tables import SPECS, TABLES

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Prepared:
    """Rows before anything of them is sent: their content now, those that a person edited since they were read, and
    those that the database would not complete, with the reason."""

    hashes: dict[RowId, str] = field(default_factory=dict)
    moved: set[RowId] = field(default_factory=set)
    refused: dict[RowId, str] = field(default_factory=dict)
    completed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TABLES, 0))


def prepare_rows(
    tx: Transaction,
    present: Present,
    tables: Mapping[RowId, str],
    hashes: Mapping[RowId, str],
    completed: Mapping[str, Sequence[Update]],
) -> Prepared:
    """Complete rows whose content is still what it was when the plan was made, and look at the others (`tables`)."""
    done = Prepared()
    rules = read_rules(tx) if any(completed.values()) else Rules()
    for table, updates in completed.items():
        for columns, group in by_columns(updates):
            written = _complete(tx, table, present, columns, group, hashes, done, rules)
            done.hashes |= written
            done.completed[table] += len(written)
    for table in TABLES:
        rest = sorted(row for row, of in tables.items() if of == table and row not in done.hashes)
        if not rest:
            continue
        now = _contents(tx, table, present, rest)
        done.moved |= {row for row in rest if now.get(row) != hashes[row]}
        done.hashes |= {row: content for row, content in now.items() if content == hashes[row]}
    return done


def _complete(
    tx: Transaction,
    table: str,
    present: Present,
    columns: tuple[str, ...],
    updates: Sequence[Update],
    hashes: Mapping[RowId, str],
    done: Prepared,
    rules: Rules,
) -> dict[RowId, str]:
    """Row → its content now, of those that were updated. One that the database refuses is left as it is, and so is one
    that its owner's triggers or rules would not have as it was sent: the next run looks at what it is then."""
    refused: dict[RowId, str] = {}
    try:
        with tx.savepoint() as part:
            written = _write_completed(tx, table, present, columns, updates, hashes, rules)
            look_at_deferred(tx, rules)
            if rules.rewriting:
                refused = _not_as_sent(tx, table, present, updates, hashes, written)
            part.kept = not refused
        if part.kept:
            return written
    except psycopg2.Error as error:
        if not is_rows_fault(error):
            raise
        refused = {updates[0].id: rules.reason(table, error)} if len(updates) == 1 else {}
    for row, reason in refused.items():
        logger.warning("row not completed table=%s row=%s reason=%s", table, row, reason)
    done.refused |= refused
    found: dict[RowId, str] = {}
    for update in updates:
        if update.id not in refused:
            found |= _complete(tx, table, present, columns, [update], hashes, done, rules)
    return found


def _write_completed(
    tx: Transaction,
    table: str,
    present: Present,
    columns: tuple[str, ...],
    updates: Sequence[Update],
    hashes: Mapping[RowId, str],
    rules: Rules,
) -> dict[RowId, str]:
    content = row_hash(table, present[table])
    statement, params = update_statement(tx, table, columns, content), unedited(table, updates, hashes)
    if not rules.rewrites_updates(table):
        told = sql.SQL("{} RETURNING t.id::pg_catalog.text, {}").format(statement, content)
        with tx.role_path():
            return dict(tx.rows(told, params))
    ids = [update.id for update in updates]
    there = _contents(tx, table, present, ids)  # a rewritten statement may have nothing to return
    with tx.role_path():
        tx.execute(statement, params)
    now = _contents(tx, table, present, ids)
    return {row: now[row] for row, was in there.items() if was == hashes[row] and row in now}


def _contents(tx: Transaction, table: str, present: Present, ids: Collection[RowId]) -> dict[RowId, str]:
    statement = sql.SQL("SELECT t.id::text, {hash} FROM {table} t WHERE t.id = ANY(%s::uuid[])")
    return dict(tx.rows(statement.format(hash=row_hash(table, present[table]), table=tx.table(table)), (sorted(ids),)))


def _not_as_sent(
    tx: Transaction,
    table: str,
    present: Present,
    updates: Sequence[Update],
    hashes: Mapping[RowId, str],
    written: Mapping[RowId, str],
) -> dict[RowId, str]:
    """Rows that a trigger or rule left out, or stored otherwise in a column that monday is told of, with the reason."""
    told, now = set(tracked_columns(table)), _contents(tx, table, present, [update.id for update in updates])
    stored = {row.id: row for row in rows_by_id(tx, table, present, written)}
    refused: dict[RowId, str] = {}
    for update in updates:
        if update.id not in written:
            if now.get(update.id) == hashes[update.id]:
                refused[update.id] = SKIPPED
            continue
        holds = {column: getattr(stored[update.id], column) for column in update.changes}
        if any(holds[column] != after for column, (_before, after) in update.changes.items() if column in told):
            same = all(holds[column] == before for column, (before, _after) in update.changes.items())
            refused[update.id] = SKIPPED if same else CHANGED
    return refused


def link_rows(tx: Transaction, table: str, items: Mapping[RowId, int]) -> dict[RowId, str]:
    """New items' ids into their rows; those that the database refused, with the reason."""
    statement = sql.SQL(
        "UPDATE {table} t SET monday_item_id = w.item_id, updated_at = pg_catalog.now()"
        " FROM ROWS FROM (pg_catalog.unnest(%s::pg_catalog.uuid[]), pg_catalog.unnest(%s::pg_catalog.int8[]))"
        " AS w (id, item_id) WHERE t.id OPERATOR(pg_catalog.=) w.id AND t.monday_item_id IS NULL"
    ).format(table=tx.table(table))

    def link(rows: Sequence[RowId]) -> None:
        with tx.role_path():
            tx.execute(statement, (list(rows), [items[row] for row in rows]))

    return _halved(tx, table, list(items), link)


def _halved(
    tx: Transaction, table: str, rows: Sequence[RowId], write: Callable[[Sequence[RowId]], object]
) -> dict[RowId, str]:
    """Write rows; those that the database refuses are found by halving, and left as they are: row → reason."""
    rules = read_rules(tx) if rows else Rules()

    def refused(part: Sequence[RowId]) -> dict[RowId, str]:
        try:
            with tx.savepoint():
                write(part)
                look_at_deferred(tx, rules)
        except psycopg2.Error as error:
            if not is_rows_fault(error):
                raise
            if len(part) == 1:
                reason = rules.reason(table, error)
                logger.warning("row not written table=%s row=%s reason=%s", table, part[0], reason)
                return {part[0]: reason}
            middle = len(part) // 2
            return refused(part[:middle]) | refused(part[middle:])
        return {}

    return refused(rows) if rows else {}


def note_refused_rows(
    tx: Transaction,
    run_id: str,
    table: str,
    refused: Mapping[RowId, str],
    board_id: int = 0,
    items: Mapping[RowId, int] | None = None,
) -> None:
    """Rows that would not take what follows from a push (row → reason), each with an item that shows it: the first that
    is known, else the one of `items`."""
    if not refused:
        return
    tx.execute(
        "INSERT INTO monday_sync.sync_dead (kind, board_id, item_id, place, reason, run_id)"  # noqa: S608  constants alone
        " SELECT 'row', coalesce(i.board_id, %s), coalesce(i.item_id, w.item_id), %s || '.' || w.id, w.reason, %s"
        " FROM unnest(%s::uuid[], %s::bigint[], %s::text[]) AS w (id, item_id, reason)"
        " LEFT JOIN LATERAL (SELECT board_id, item_id FROM monday_sync.sync_item WHERE w.id = ANY(links)"
        " ORDER BY state <> 'active', board_id, item_id LIMIT 1) i ON true"
        f" ON CONFLICT (kind, board_id, item_id, place) DO UPDATE SET reason = EXCLUDED.reason, {NEWS_AGAIN}",
        (
            board_id,
            table,
            run_id,
            list(refused),
            [(items or {}).get(row, 0) for row in refused],
            [f"the database refused it: {reason}" for reason in refused.values()],
        ),
    )


def taken_items(tx: Transaction, layout: Layout, ids: Collection[int]) -> set[int]:
    """Those of these items of a board that are somebody's: known to the sync, on their way, or a row's already."""
    if not ids:
        return set()
    statement = sql.SQL(
        "SELECT item_id FROM monday_sync.sync_item WHERE board_id = %s AND item_id = ANY(%s)"
        " UNION SELECT item_id FROM monday_sync.sync_op WHERE board_id = %s AND item_id = ANY(%s)"
        " UNION SELECT monday_item_id FROM {} WHERE monday_item_id = ANY(%s)"
    ).format(tx.table(layout.slots[layout.record].table))
    wanted = sorted(ids)
    return {item_id for (item_id,) in tx.rows(statement, (layout.board_id, wanted, layout.board_id, wanted, wanted))}


def remember_items(tx: Transaction, layouts: Mapping[str, Layout], bases: Sequence[ItemBase]) -> None:
    if bases:
        write_items(tx, layouts, bases, {(base.board, base.id) for base in bases})


def mark_archived(tx: Transaction, layouts: Mapping[str, Layout], items: Collection[ItemKey]) -> None:
    tx.execute(
        "UPDATE monday_sync.sync_item i SET state = 'archived', missing_count = 0"
        " FROM unnest(%s::bigint[], %s::bigint[]) AS w (board_id, item_id)"
        " WHERE i.board_id = w.board_id AND i.item_id = w.item_id",
        places(layouts, items),
    )


def count_tolerated(tx: Transaction) -> None:
    """Each board's number of cells that are left different, after the bases of some items moved."""
    tx.execute(
        "UPDATE monday_sync.sync_board b SET tolerated = s.n FROM (SELECT board_id, sum(tolerated) AS n"
        " FROM monday_sync.sync_item GROUP BY board_id) s WHERE s.board_id = b.board_id AND b.tolerated <> s.n"
    )


def mark_told(tx: Transaction, rows: Mapping[RowId, tuple[str, str]]) -> None:
    """Rows of which monday shows everything: row → (table, content when it was read)."""
    if rows:
        tx.execute(
            "INSERT INTO monday_sync.sync_row (table_name, row_id, p_hash)"
            " SELECT * FROM unnest(%s::text[], %s::uuid[], %s::text[])"
            " ON CONFLICT (table_name, row_id) DO UPDATE SET p_hash = EXCLUDED.p_hash",
            (
                [table for table, _ in rows.values()],
                list(rows),
                [content for _, content in rows.values()],
            ),
        )


def register_rows(tx: Transaction, rows: Mapping[RowId, str]) -> None:
    """Rows (row → table) that an item shows and the sync did not know: the next look says whether they are in step."""
    tx.execute(
        "INSERT INTO monday_sync.sync_row (table_name, row_id) SELECT * FROM unnest(%s::text[], %s::uuid[])"
        " ON CONFLICT (table_name, row_id) DO NOTHING",
        (list(rows.values()), list(rows)),
    )


def move_keys(tx: Transaction, moves: KeysAfterPush) -> None:
    """Give up keys, and write down new ones. What another row has taken meanwhile stays that row's."""
    if moves.released:
        tx.execute(
            "DELETE FROM monday_sync.sync_key k USING unnest(%s::text[], %s::text[], %s::uuid[])"
            " AS w (table_name, key, row_id) WHERE k.table_name = w.table_name AND k.key = w.key"
            " AND k.row_id = w.row_id",
            _key_columns(tx, moves.released),
        )
    if moves.claimed:
        tx.execute(
            "INSERT INTO monday_sync.sync_key (table_name, key, row_id) SELECT * FROM unnest(%s::text[], %s::text[],"
            " %s::uuid[]) ON CONFLICT (table_name, key) DO NOTHING",
            _key_columns(tx, moves.claimed),
        )


def _key_columns(tx: Transaction, keys: Collection[OwnedKey]) -> tuple[list[str], list[str], list[RowId]]:
    ordered = sorted(keys)
    return (
        [table for table, _, _ in ordered],
        [tx.encoding.kept(key) for _, key, _ in ordered],
        [r for _, _, r in ordered],
    )


class HeldRoles(NamedTuple):
    """A person's roles as the row has them, whether it has an item, and the roles in which items show that person."""

    roles: list[str] | None
    has_item: bool
    shown: list[str]


def held_roles(tx: Transaction, table: str, people: Collection[RowId]) -> dict[RowId, HeldRoles]:
    """Those of the people whose roles can be read."""
    statement = sql.SQL(
        "SELECT u.id::text, u.roles::text[], u.monday_item_id IS NOT NULL, coalesce(s.shown, '{{}}')"
        " FROM {table} u LEFT JOIN (SELECT k.row_id, array_agg(DISTINCT split_part(k.role, ':', 2)) AS shown"
        " FROM monday_sync.sync_link k JOIN monday_sync.sync_item i USING (board_id, item_id)"
        " WHERE k.row_id = ANY(%s::uuid[]) AND k.role LIKE {roles} AND i.state = 'active' GROUP BY k.row_id) s"
        " ON s.row_id = u.id WHERE u.id = ANY(%s::uuid[]) AND ({readable}) IS NOT FALSE"
    ).format(
        table=tx.table(table),
        roles=sql.Literal(f"{SPECS[table].role}:%%"),
        readable=sql.SQL(READABLE_WORDS).format(sql.Identifier("u", "roles")),
    )
    ids = sorted(people)
    return {row: HeldRoles(*held) for row, *held in tx.rows(statement, (ids, ids))} if ids else {}


class Followed(NamedTuple):
    """What a row points at, the record of the first item that shows it, and whether the row is in step."""

    held: RowId | None
    first: RowId | None
    in_step: bool


def followed_rows(
    tx: Transaction, present: Present, table: str, column: str, layouts: Mapping[str, Layout], rows: Collection[RowId]
) -> dict[RowId, Followed]:
    """Rows of which a foreign key follows the first item: see `reconcile.derived`."""
    records = [layout.slots[layout.record].role for layout in layouts.values()]
    statement = sql.SQL(
        "SELECT t.id::text, t.{column}::text, f.record::text, s.p_hash IS NOT DISTINCT FROM {hash} FROM {table} t"
        " LEFT JOIN monday_sync.sync_row s ON s.table_name = {name} AND s.row_id = t.id"
        " LEFT JOIN (SELECT DISTINCT ON (n.row_id) n.row_id, (SELECT i.links[array_position(l.slots, role)]"
        " FROM unnest(%s::text[]) AS role WHERE role = ANY(l.slots) LIMIT 1) AS record"
        " FROM monday_sync.sync_item i JOIN monday_sync.sync_layout l USING (layout)"
        " CROSS JOIN LATERAL unnest(i.links) AS n (row_id) WHERE n.row_id = ANY(%s::uuid[]) AND i.state = 'active'"
        " ORDER BY n.row_id, i.item_id) f ON f.row_id = t.id WHERE t.id = ANY(%s::uuid[])"
    ).format(
        column=sql.Identifier(column),
        hash=row_hash(table, present[table]),
        table=tx.table(table),
        name=sql.Literal(table),
    )
    ids = sorted(rows)
    return {row: Followed(*found) for row, *found in tx.rows(statement, (records, ids, ids))} if ids else {}


def write_column(tx: Transaction, table: str, column: str, values: Mapping[RowId, Any]) -> dict[RowId, str]:
    """One column of some rows; those that the database refused, with the reason."""

    def write(part: Sequence[RowId]) -> None:
        with tx.role_path():
            tx.execute(
                update_statement(tx, table, (column,)),
                (as_json(table, ({"id": row, column: values[row]} for row in part)),),
            )

    return _halved(tx, table, sorted(values), write)


def keep_in_step(tx: Transaction, present: Present, table: str, rows: Collection[RowId]) -> None:
    """Rows that were in step before a derived column of theirs was written stay it: that was nobody's edit."""
    if rows:
        statement = sql.SQL(
            "UPDATE monday_sync.sync_row s SET p_hash = {hash} FROM {table} t"
            " WHERE s.table_name = {name} AND s.row_id = t.id AND t.id = ANY(%s::uuid[])"
        ).format(hash=row_hash(table, present[table]), table=tx.table(table), name=sql.Literal(table))
        tx.execute(statement, (sorted(rows),))


def note_refused(
    tx: Transaction,
    layouts: Mapping[str, Layout],
    run_id: str,
    refused: Sequence[Rejection],
    cleared: Sequence[tuple[str, int, str]],
) -> None:
    """What monday would not take; `cleared` are (board, item, column) of cells that are not refused any more."""
    if cleared:
        tx.execute(
            "DELETE FROM monday_sync.sync_dead d USING unnest(%s::bigint[], %s::bigint[], %s::text[])"
            " AS w (board_id, item_id, place) WHERE d.kind = 'op' AND d.board_id = w.board_id"
            " AND d.item_id = w.item_id AND d.place = w.place",
            (
                [layouts[board].board_id for board, _, _ in cleared],
                [item_id for _, item_id, _ in cleared],
                [place for _, _, place in cleared],
            ),
        )
    once = {(cell.board, cell.item_id, cell.column_id): cell for cell in refused}
    if once:
        tx.execute(
            "INSERT INTO monday_sync.sync_dead (kind, board_id, item_id, place, reason, input, run_id)"
            " SELECT 'op', w.*, %s FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[])"
            " AS w (board_id, item_id, place, reason, input) ON CONFLICT (kind, board_id, item_id, place)"
            " DO UPDATE SET reason = EXCLUDED.reason, input = EXCLUDED.input,"
            " told_by = CASE WHEN sync_dead.input = EXCLUDED.input THEN sync_dead.told_by END",
            (
                run_id,
                [layouts[cell.board].board_id for cell in once.values()],
                [cell.item_id for cell in once.values()],
                [cell.column_id for cell in once.values()],
                [tx.encoding.kept(cell.reason) for cell in once.values()],
                [cell.input for cell in once.values()],
            ),
        )
