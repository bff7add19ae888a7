"""What a proof that both sides agree asks the database: the rows to which the tables' own foreign keys lead, a portion
of the items at a time, and of what differs what is remembered of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg2 import sql

from models import REFERENCES, TABLES, Row, RowId
from postgres import calls
from postgres.bases import BASES, base_of_row, model_columns, places, read_bases, rows_by_id
from postgres.conflicts import open_conflicts
from postgres.encoding import narrowed
from postgres.ids import IS_CLAIM, record_tables
from postgres.schema import Limits as ColumnLimits
from postgres.schema import fields_of, misfits, missing, read_shapes
from postgres.state import Present, row_hash
from postgres.transaction import Transaction
from reconcile.columns import MARKER
from reconcile.errors import DriftError
from reconcile.layout import STAFF_ROLE, Layout, Limits
from reconcile.types import ItemBase, ItemKey
from reconcile.verify import Doubled, Holder, Stray, points_at

Rows = dict[str, dict[RowId, Row]]
"""Table → id → row."""

_IDENTIFYING: Mapping[str, tuple[str | None, tuple[tuple[str, ...], ...]]] = {
    "insurances": (None, (("company_name",),)),
    "sales_teams": (None, (("name",),)),
    "storms": (None, (("date_of_loss",),)),
    "pa_law": (None, (("email",), ("name",))),
    "users": (None, (("email", "rm_email"), ("name",))),
    "customers": (None, (("email",),)),
    "properties": ("customer_id", (("address",),)),
    "policies": ("insurance_id", (("policy_number",),)),
}
"""Table → the column of its parent, and the columns by which its rows are told apart, the stronger before those that
count where they are empty. Written down a second time, and compared as typed but for case and blanks: a proof that
asked the program's keys would believe them."""


@dataclass(frozen=True, slots=True)
class BoardMemory:
    """What is remembered of a board as a whole."""

    account_id: str | None
    last_full_at: datetime | None


@dataclass(frozen=True, slots=True)
class Outset:
    """What has to be known before the boards are asked. `records` are the ids of items that rows stand for, by board;
    `hashed` the columns that each table's hashes were made of; `calls` those of today, of all runs."""

    now: datetime
    present: Present
    limits: Limits
    hashed: Mapping[str, Collection[str]]
    boards: Mapping[int, BoardMemory]
    records: Mapping[str, Collection[int]]
    calls: float


def read_outset(tx: Transaction, tables: Mapping[str, str]) -> Outset:
    """`tables` are those of the records, by board. Raises DriftError for tables that are not as the models are."""
    shapes = read_shapes(tx)
    if problems := misfits(shapes) + missing(shapes):
        raise DriftError("The tables are not what the mapping needs: " + " ".join(problems))
    limits = narrowed(ColumnLimits(shapes).columns, tx.encoding, {table: fields_of(table) for table in TABLES})
    now = tx.one("SELECT now()")
    assert now is not None
    boards = tx.rows("SELECT board_id, account_id, last_full_at FROM monday_sync.sync_board")
    statement = sql.SQL("SELECT monday_item_id FROM {} WHERE monday_item_id IS NOT NULL AND archived_at IS NULL")
    return Outset(
        now[0],
        {table: frozenset(shape.columns) for table, shape in shapes.items()},
        limits,
        dict(tx.rows("SELECT table_name, columns FROM monday_sync.sync_hash")),
        {board_id: BoardMemory(account, read_at) for board_id, account, read_at in boards},
        {board: [item for (item,) in tx.rows(statement.format(tx.table(table)))] for board, table in tables.items()},
        calls.used_today(tx),
    )


@dataclass(slots=True)
class Portion:
    """Some items' own rows, by item id, and all rows to which their foreign keys lead."""

    records: dict[int, list[Row]] = field(default_factory=lambda: defaultdict(list))
    rows: Rows = field(default_factory=lambda: {table: {} for table in TABLES})


def read_portion(tx: Transaction, layout: Layout, present: Present, item_ids: Sequence[int]) -> Portion:
    """The rows of these items: nothing that is remembered is asked."""
    table, found = layout.record.table, Portion()
    statement = sql.SQL("SELECT {} FROM {} t WHERE t.monday_item_id = ANY(%s) ORDER BY t.id").format(
        model_columns(table, present), tx.table(table)
    )
    wanted: dict[str, set[RowId]] = defaultdict(set)
    for values in tx.rows(statement, (list(item_ids),)):
        record = TABLES[table](*values)
        found.records[getattr(record, "monday_item_id")].append(record)  # noqa: B009  of either record
        for slot in layout.referenced:
            if (points := points_at(record, slot)) is not None:
                wanted[slot.table].add(points)
    for target, ids in wanted.items():
        found.rows[target] |= {row.id: row for row in rows_by_id(tx, target, present, ids)}
    return found


@dataclass(slots=True)
class Remembered:
    """What is remembered of items, by id: their bases; what was set aside of them and of the ids in their rows, by
    place; the fields of open conflicts; and where an item's row does not hold its id, what that one is."""

    bases: dict[int, ItemBase] = field(default_factory=dict)
    letters: dict[int, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    claims: dict[int, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    conflicts: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    holders: dict[int, Holder] = field(default_factory=dict)


def read_remembered(tx: Transaction, layout: Layout, present: Present, item_ids: Collection[int]) -> Remembered:
    """What is remembered of some items of one board."""
    layouts, found = {layout.board: layout}, Remembered()
    keys: list[ItemKey] = [(layout.board, item_id) for item_id in sorted(item_ids)]
    for base in read_bases(tx, layouts, keys):
        found.bases[base.id] = base
    letters = tx.rows(
        f"SELECT d.item_id, d.place, d.reason, {IS_CLAIM} FROM monday_sync.sync_dead d"  # noqa: S608  constants alone
        " JOIN unnest(%s::bigint[], %s::bigint[]) AS w (board_id, item_id)"
        " ON d.board_id = w.board_id AND d.item_id = w.item_id WHERE d.kind <> 'would-merge'",
        places(layouts, keys),
    )
    for item_id, place, reason, is_claim in letters:
        (found.claims if is_claim else found.letters)[item_id][place] = tx.encoding.said(reason)
    for entry in open_conflicts(tx, layouts, keys):
        (_board, item_id), field_id = entry.place
        found.conflicts[item_id].add(field_id)
    _read_holders(tx, layout, found)
    return found


def _read_holders(tx: Transaction, layout: Layout, found: Remembered) -> None:
    table = layout.record.table
    links = {row: item_id for item_id, base in found.bases.items() if (row := base.links[layout.record]) is not None}
    found.holders = {item_id: Holder(row) for row, item_id in links.items()}
    statement = sql.SQL("SELECT t.id::text, t.monday_item_id FROM {} t WHERE t.id = ANY(%s::uuid[])")
    for row, holds in tx.rows(statement.format(tx.table(table)), (sorted(links),)):
        found.holders[links[row]] = Holder(row, there=True, holds=holds)


def edited_rows(tx: Transaction, outset: Outset, wanted: Mapping[str, Collection[RowId]]) -> set[RowId]:
    """Those of the rows (table → ids) whose content is not what is remembered, or of which monday is to be told."""
    found: set[RowId] = set()
    for table, ids in wanted.items():
        columns = outset.hashed.get(table, outset.present.get(table, ()))
        statement = sql.SQL(
            "SELECT t.id::text FROM {table} t LEFT JOIN monday_sync.sync_row s ON s.table_name = {name}"
            " AND s.row_id = t.id WHERE t.id = ANY(%s::uuid[]) AND s.p_hash IS DISTINCT FROM {hash}"
        ).format(
            table=tx.table(table),
            name=sql.Literal(table),
            hash=row_hash(table, [column for column in columns if column in outset.present[table]]),
        )
        found |= {row for (row,) in tx.rows(statement, (sorted(ids),))} if ids else set()
    return found


def deleted_rows(tx: Transaction, present: Present, wanted: Mapping[str, Collection[RowId]]) -> set[RowId]:
    """Those of the rows that the sync knew and that are not there any more."""
    found: set[RowId] = set()
    for table, ids in ((table, ids) for table, ids in wanted.items() if ids and table in present):
        statement = sql.SQL(
            "SELECT s.row_id::text FROM monday_sync.sync_row s WHERE s.table_name = {} AND s.row_id = ANY(%s::uuid[])"
            " AND NOT EXISTS (SELECT FROM {} t WHERE t.id = s.row_id)"
        ).format(sql.Literal(table), tx.table(table))
        found |= {row for (row,) in tx.rows(statement, (sorted(ids),))}
    return found


_SHOWING = BASES + (
    " WHERE i.state = 'active' AND i.board_id = %s"
    " AND EXISTS (SELECT FROM unnest(i.links) AS n (row_id) WHERE n.row_id = ANY(%s::uuid[]))"
)


def said_of(tx: Transaction, layout: Layout, rows: Collection[RowId]) -> dict[tuple[RowId, str], list[Any]]:
    """What the items of a board that show these rows say of them: (row, `table.column`) → values."""
    found: dict[tuple[RowId, str], list[Any]] = defaultdict(list)
    for row in tx.rows(_SHOWING, (layout.board_id, sorted(rows))) if rows else ():
        base = base_of_row(row, {layout.board_id: layout}, tx.encoding)
        for slot, link in zip(layout.slots, base.links, strict=True):
            if link in rows:
                assert link is not None
                for one in slot.fields:
                    found[link, one.target].append(base.monday[one])
    return found


# Once for whole boards ------------------------------------------------------------------------------------------------


def read_strays(
    tx: Transaction, layout: Layout, item_ids: Collection[int], gone: Mapping[int, str]
) -> Iterator[tuple[Stray, datetime | None]]:
    """The rows of items that no board showed, and when the items were last edited as far as is known. `gone` is what
    monday says of them."""
    table = layout.record.table
    statement = sql.SQL(
        "SELECT t.monday_item_id, t.id::text, i.state, i.updated_at, (SELECT max(d.reason) FROM monday_sync.sync_dead d"
        " WHERE d.place = {name} || '.' || t.id),"
        " EXISTS (SELECT FROM monday_sync.sync_op o WHERE o.item_id = t.monday_item_id)"
        " FROM {table} t LEFT JOIN monday_sync.sync_item i ON i.board_id = %s AND i.item_id = t.monday_item_id"
        " WHERE t.monday_item_id = ANY(%s) AND t.archived_at IS NULL ORDER BY t.monday_item_id, t.id"
    ).format(name=sql.Literal(table), table=tx.table(table))
    for item_id, row, state, updated_at, told, sending in tx.rows(statement, (layout.board_id, sorted(item_ids))):
        reason = None if told is None else tx.encoding.said(told)
        yield Stray(layout.board, item_id, table, row, state, gone.get(item_id), reason, sending), updated_at


def read_new_rows(
    tx: Transaction, layouts: Mapping[str, Layout], present: Present
) -> Iterator[tuple[str, str, RowId, str | None, str | None]]:
    """(table, board, row, name, what a person was told of it) of rows that have no item, and are to become one."""
    for board, table in record_tables(layouts, present).items():
        role = sql.SQL("AND t.roles @> ARRAY[{}]").format(sql.Literal(STAFF_ROLE.partition(":")[2]))
        name = "coalesce(t.item_name, t.name)" if table == "projects" else "t.name"
        statement = sql.SQL(
            "SELECT t.id::text, {title}, (SELECT max(d.reason) FROM monday_sync.sync_dead d"
            " WHERE d.place = {name} || '.' || t.id) FROM {table} t"
            " WHERE t.monday_item_id IS NULL AND t.archived_at IS NULL {role} AND NOT EXISTS"
            " (SELECT FROM monday_sync.sync_link l JOIN monday_sync.sync_item i USING (board_id, item_id)"
            " WHERE l.row_id = t.id AND l.role = {record} AND i.state IN ('active', 'missing')) ORDER BY t.id"
        ).format(
            title=sql.SQL(name),
            name=sql.Literal(table),
            table=tx.table(table),
            role=role if table == "users" else sql.SQL(""),
            record=sql.Literal(layouts[board].record.role),
        )
        for row, title, told in tx.rows(statement):
            yield table, board, row, title, None if told is None else tx.encoding.said(told)


def read_doubled(tx: Transaction, present: Present) -> Iterator[Doubled]:
    """Rows that items show and that say the same identifying thing."""
    for table, (parent, groups) in _IDENTIFYING.items():
        said = [
            _saying(tx, table, columns[0], column, [c for group in groups[:number] for c in group], parent)
            for number, columns in enumerate(groups)
            for column in columns
        ]
        statement = sql.SQL(
            "WITH shown (id) AS ({shown}), said AS ({said})"
            " SELECT said_in, said, array_agg(DISTINCT id::text ORDER BY id::text) FROM said GROUP BY said_in, said,"
            " parent HAVING count(DISTINCT id) > 1 ORDER BY said_in, said"
        ).format(shown=_shown(tx, table, present), said=sql.SQL(" UNION ALL ").join(said))
        for column, text, rows in tx.rows(statement):
            yield Doubled(table, column, text, tuple(rows))


def _saying(
    tx: Transaction, table: str, told_as: str, column: str, stronger: Sequence[str], parent: str | None
) -> sql.Composable:
    """SQL of the rows that items show and what they say in a column, where the stronger ones are empty."""
    statement = (
        "SELECT t.id, {told_as} AS said_in, {said} AS said, {parent} AS parent FROM {table} t"
        " WHERE t.id IN (SELECT id FROM shown) AND {said} <> ''{empty}"
    )
    return sql.SQL(statement).format(
        told_as=sql.Literal(told_as),
        said=_plain(column),
        parent=sql.Identifier("t", parent) if parent else sql.SQL("NULL::uuid"),
        table=tx.table(table),
        empty=sql.SQL("").join(sql.SQL(" AND {} = ''").format(_plain(other)) for other in stronger),
    )


def _plain(column: str) -> sql.Composable:
    return sql.SQL("lower(btrim(regexp_replace(coalesce({}::text, ''), '\\s+', ' ', 'g')))").format(
        sql.Identifier("t", column)
    )


def _shown(tx: Transaction, table: str, present: Present) -> sql.Composable:
    """SQL of the rows that the rows of active items point at, and of those rows themselves."""
    parts = [
        sql.SQL("SELECT p.{column} FROM {table} p WHERE p.monday_item_id IS NOT NULL AND p.archived_at IS NULL").format(
            column=sql.Identifier(column), table=tx.table(other)
        )
        for other in ("projects", "users")
        for column, target in REFERENCES.items()
        if target == table and column in present[other] and column in TABLES[other].__struct_fields__
    ]
    if table == "users":
        parts.append(
            sql.SQL("SELECT u.id FROM {} u WHERE u.monday_item_id IS NOT NULL AND u.archived_at IS NULL").format(
                tx.table(table)
            )
        )
    return sql.SQL(" UNION ").join(parts)


def read_nobody(tx: Transaction) -> set[str]:
    """E-mail addresses that name no customer: those of the staff, and those that many items share."""
    staff = sql.SQL("SELECT unnest(ARRAY[email, rm_email])::text FROM {} WHERE monday_item_id IS NOT NULL")
    found = {email.strip().lower() for (email,) in tx.rows(staff.format(tx.table("users"))) if email}
    shared = tx.rows("SELECT key FROM monday_sync.sync_key WHERE placeholder")
    return found | {tx.encoding.said(key).removeprefix("email:") for (key,) in shared}


@dataclass(frozen=True, slots=True)
class Told:
    """What people were told of: rows that look alike, by row; Sync IDs, by (board id, item id)."""

    rows: Mapping[RowId, str]
    markers: Mapping[tuple[int, int], str]


def read_told(tx: Transaction, rows: Iterable[RowId]) -> Told:
    """What a person was told of rows that may be one, and of items that carry the id of another's row."""
    wanted = set(rows)
    of_rows: dict[RowId, str] = {}
    of_items: dict[tuple[int, int], str] = {}
    letters = tx.rows(
        "SELECT board_id, item_id, place, reason, input FROM monday_sync.sync_dead WHERE kind = 'would-merge'"
    )
    for board_id, item_id, place, kept, note in letters:
        reason = tx.encoding.said(kept)
        if place == MARKER:
            of_items[board_id, item_id] = reason
        for row in wanted:
            if row in reason or row in place or row in note:
                of_rows[row] = reason
    return Told(of_rows, of_items)


def known_items(tx: Transaction, layouts: Mapping[str, Layout], items: Iterable[ItemKey]) -> set[ItemKey]:
    """Those of the items that were ever synced."""
    boards = {layout.board_id: board for board, layout in layouts.items()}
    found = tx.rows(
        "SELECT i.board_id, i.item_id FROM monday_sync.sync_item i"
        " JOIN unnest(%s::bigint[], %s::bigint[]) AS w (board_id, item_id) USING (board_id, item_id)",
        places(layouts, items),
    )
    return {(boards[board_id], item_id) for board_id, item_id in found}


def was_at_work(tx: Transaction, since: datetime) -> bool:
    """Whether a run is at work, or has ended since then."""
    statement = (
        "SELECT EXISTS (SELECT FROM monday_sync.sync_run WHERE finished_at >= %s)"
        " OR EXISTS (SELECT FROM monday_sync.sync_lease WHERE expires_at >= clock_timestamp())"
    )
    return bool((tx.one(statement, (since,)) or (False,))[0])
