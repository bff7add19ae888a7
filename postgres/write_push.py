"""What a push writes to the database: rows made whole before it, and what is remembered of items and rows after it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import psycopg2
from psycopg2 import sql

from models import TABLES, UNREADABLE, RowId
from postgres.bases import places, rows_by_id, write_items
from postgres.errors import is_rows_fault
from postgres.readable import READABLE_WORDS
from postgres.row_writer import CHANGED, EVERYTHING, SKIPPED, look_at_deferred
from postgres.rules import Rules, read_rules
from postgres.state import Present, read_column, row_hash, tracked_columns
from postgres.told import NEWS_AGAIN
from postgres.transaction import Transaction
from postgres.updates import as_json, by_columns, changed_values, unedited, update_statement
from reconcile.layout import STAFF_ROLE, Layout
from reconcile.plan_pull import Update
from reconcile.push_plan import Rejection
from reconcile.types import ItemBase, ItemKey

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Prepared:
    """Rows before anything of them is sent: their content now, those that a person edited since they were read, those
    that the database would not complete, with the reason, and those that it did, by table."""

    hashes: dict[RowId, str] = field(default_factory=dict)
    moved: set[RowId] = field(default_factory=set)
    refused: dict[RowId, str] = field(default_factory=dict)
    completed: dict[str, list[Update]] = field(default_factory=lambda: {table: [] for table in TABLES})


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
            landed = [update for update in group if update.id in written]
            done.completed[table] += as_they_are(tx, table, landed) if rules.rewriting else landed
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
    statement, params = update_statement(tx, table, columns, content), unedited(updates, hashes)
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


def as_they_are(tx: Transaction, table: str, updates: Sequence[Update]) -> list[Update]:
    """Updates of rows, as the rows hold them now: a trigger or a rule may have had its way with them."""
    now = {row.id: row for row in rows_by_id(tx, table, EVERYTHING, [update.id for update in updates])}
    return [
        Update(
            update.id,
            {
                column: (before, held)
                for column, (before, _after) in update.changes.items()
                if (held := getattr(now[update.id], column)) != before and held is not UNREADABLE
            },
        )
        for update in updates
        if update.id in now
    ]


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
    ).format(tx.table(layout.record.table))
    wanted = sorted(ids)
    return {item_id for (item_id,) in tx.rows(statement, (layout.board_id, wanted, layout.board_id, wanted, wanted))}


def remember_items(tx: Transaction, layouts: Mapping[str, Layout], bases: Sequence[ItemBase]) -> None:
    if bases:
        write_items(tx, layouts, bases, {base.item for base in bases})


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


def move_keys(
    tx: Transaction, owned: Sequence[tuple[str, RowId, set[str]]], outdated: Collection[tuple[str, str, RowId]]
) -> None:
    """The natural keys of rows that were told are those of their content now; a provisional one stays beside them.
    Another row loses those of them that it says no longer (`outdated`)."""
    if not owned:
        return
    rows = [row for _, row, _ in owned]
    now = [(table, tx.encoding.kept(key), row) for table, row, keys in owned for key in sorted(keys)]
    taken = {(table, key) for table, _, keys in owned for key in keys}
    freed = [(table, tx.encoding.kept(key), row) for table, key, row in sorted(outdated) if (table, key) in taken]
    tx.execute(
        "DELETE FROM monday_sync.sync_key k WHERE row_id = ANY(%s::uuid[]) AND k.key NOT LIKE 'slot:%%'"
        " AND NOT (k.table_name, k.key, k.row_id) IN (SELECT * FROM unnest(%s::text[], %s::text[], %s::uuid[]))"
        " OR (k.table_name, k.key, k.row_id) IN (SELECT * FROM unnest(%s::text[], %s::text[], %s::uuid[]))",
        (rows, *([line[at] for line in lines] for lines in (now, freed) for at in range(3))),
    )
    tx.execute(
        "INSERT INTO monday_sync.sync_key (table_name, key, row_id) SELECT * FROM unnest(%s::text[], %s::text[],"
        " %s::uuid[]) ON CONFLICT (table_name, key) DO NOTHING",
        ([table for table, _, _ in now], [key for _, key, _ in now], [row for _, _, row in now]),
    )


@dataclass(slots=True)
class Followed:
    """What follows from what was sent, by the row from which it does: what the database refused, with the reason, and
    what was written."""

    refused: dict[RowId, str] = field(default_factory=dict)
    written: dict[RowId, Update] = field(default_factory=dict)


def recompute_roles(tx: Transaction, layouts: Mapping[str, Layout], people: Collection[RowId]) -> Followed:
    """`users.roles` of people who gained or lost a slot of an item; words that are not ours are kept."""
    ours = {slot.person for layout in layouts.values() for slot in layout.slots if slot.person}
    statement = sql.SQL(
        "SELECT u.id::text, {now}, n.roles FROM (SELECT w.id, nullif(array("
        " SELECT r FROM unnest(w.roles) AS r WHERE r <> ALL(%s) UNION"
        " SELECT split_part(k.role, ':', 2) FROM monday_sync.sync_link k JOIN monday_sync.sync_item i"
        " USING (board_id, item_id) WHERE k.row_id = w.id AND k.role LIKE 'user:%%' AND i.state = 'active'"
        " ORDER BY 1), '{{}}') AS roles FROM {users} w WHERE w.id = ANY(%s::uuid[])) n JOIN {users} u ON u.id = n.id"
        " WHERE u.roles IS DISTINCT FROM n.roles AND ({readable}) IS NOT FALSE"
    ).format(
        now=read_column("u", "roles"),
        users=tx.table("users"),
        readable=sql.SQL(READABLE_WORDS).format(sql.Identifier("u", "roles")),
    )
    words = sorted(ours - {STAFF_ROLE.partition(":")[2]})
    found = tx.rows(statement, (words, sorted(people))) if people else []
    changed = {row: Update(row, {"roles": (before, after)}) for row, before, after in found}

    def write(part: Sequence[RowId]) -> None:
        with tx.role_path():
            tx.execute(
                update_statement(tx, "users", ("roles",)), (as_json(changed_values(changed[row]) for row in part),)
            )

    return _followed(tx, "users", changed, _halved(tx, "users", sorted(changed), write))


def _followed(tx: Transaction, table: str, updates: Mapping[RowId, Update], refused: dict[RowId, str]) -> Followed:
    landed = {update.id: row for row, update in updates.items() if row not in refused}
    now = as_they_are(tx, table, [updates[row] for row in landed.values()]) if landed else []
    return Followed(refused, {landed[update.id]: update for update in now})


def follow_customers(tx: Transaction, present: Present, projects: Collection[RowId]) -> Followed:
    """`policies.customer_id` of projects that were moved to another customer: the customer of the linked project with
    the smallest item id. A policy that a person edited keeps what it has, and its edit."""
    names = {
        "policies": tx.table("policies"),
        "projects": tx.table("projects"),
        "hash": row_hash("policies", present["policies"]),
    }
    moved = sql.SQL(
        "WITH asked AS MATERIALIZED (SELECT DISTINCT policy_id FROM {projects}"
        " WHERE id = ANY(%s::uuid[]) AND policy_id IS NOT NULL),"
        " firsts AS MATERIALIZED (SELECT DISTINCT ON (q.policy_id) q.id, q.policy_id, q.customer_id"
        " FROM {projects} q JOIN asked USING (policy_id) WHERE q.monday_item_id IS NOT NULL"
        " ORDER BY q.policy_id, q.monday_item_id)"
        " SELECT p.id::text, t.id::text, t.customer_id::text, p.customer_id::text"
        " FROM firsts p JOIN {policies} t ON t.id = p.policy_id"
        " WHERE p.id = ANY(%s::uuid[]) AND t.customer_id IS DISTINCT FROM p.customer_id"
        " AND EXISTS (SELECT FROM monday_sync.sync_row s WHERE s.table_name = 'policies' AND s.row_id = t.id"
        " AND s.p_hash = {hash})"
    ).format(**names)
    in_step = sql.SQL(
        "UPDATE monday_sync.sync_row s SET p_hash = {hash} FROM {policies} t"
        " WHERE s.table_name = 'policies' AND s.row_id = t.id AND t.id = ANY(%s::uuid[])"
    ).format(**names)
    asked = sorted(projects)
    found = {
        row: Update(policy, {"customer_id": (before, after)})
        for row, policy, before, after in (tx.rows(moved, (asked, asked)) if asked else ())
    }

    def write(part: Sequence[RowId]) -> None:
        with tx.role_path():
            tx.execute(
                update_statement(tx, "policies", ("customer_id",)),
                (as_json(changed_values(found[row]) for row in part),),
            )
        tx.execute(in_step, ([found[row].id for row in part],))

    return _followed(tx, "policies", found, _halved(tx, "policies", sorted(found), write))


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
