"""What the database remembers at the start of a run, and what stays open at its end."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
from psycopg2 import sql

from models import TABLES
from postgres.transaction import Transaction

JSON_COLUMNS = frozenset({"measurements", "one_click_codes", "identification_files", "onboarding_files"})
_MONEY = frozenset({"estimated_value", "total_payment"})
_DERIVED = frozenset({"id", "status", "roles", "monday_item_id", "archived_at"}) | JSON_COLUMNS
"""Columns that people's edits are not looked for in: ours to derive, or read-only on monday."""


Present = Mapping[str, Collection[str]]
"""The tables that are there, with their columns: a dry run may find fewer than the models have."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is remembered of one item before it is read: enough to skip it when nothing changed."""

    m_hash: str | None
    updated_at: int
    state: str


class BoardState(msgspec.Struct, frozen=True):
    """What was proved about a board at its last read."""

    board: str
    account_id: str | None
    columns: list[str]
    mapping_hash: str
    watermark: datetime | None
    last_full_at: datetime | None


@dataclass(slots=True)
class Opening:
    """The state at the start of a run; empty for a database that was never synced. `hashed` are the columns that each
    table's row hashes were made of, `unfinished` requests of earlier runs whose outcome is not known, `last_run` the
    newest run on record."""

    boards: dict[int, BoardState] = field(default_factory=dict)
    known: dict[str, dict[int, Known]] = field(default_factory=dict)
    hashed: dict[str, list[str]] = field(default_factory=dict)
    now: datetime | None = None
    unfinished: int = 0
    last_run: str | None = None


class _Facts(msgspec.Struct):
    now: datetime
    unfinished: int
    last_run: str | None
    boards: dict[int, BoardState]
    hashed: dict[str, list[str]]


class DeadLetter(msgspec.Struct, frozen=True):
    """One thing that waits for a person: `place` is a column id, a role, or a row; `run_id` the run that found it."""

    kind: str
    board_id: int
    item_id: int
    place: str
    reason: str
    run_id: str


LOOKALIKE = "(d.kind = 'would-merge' AND left(d.place, 9) = 'projects.')"
"""SQL of a dead letter about a row that may be an item's: it stands as long as that row waits."""

LISTED = 100
"""Dead letters that a run lists, the newest first; the counts are always whole."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What stays open after any number of runs, until a person or the other direction settles it. `rows` is how many
    rows of each table the sync knows."""

    rows: Mapping[str, int] = field(default_factory=dict)
    quarantined: int = 0
    would_merge: int = 0
    conflicts: int = 0
    tolerated: int = 0
    outbound: int = 0
    dead: tuple[DeadLetter, ...] = ()


_OPENING = """
SELECT NULL, NULL, json_build_object(
    'now', now(),
    'unfinished', {unfinished},
    'last_run', (SELECT max(run_id) FROM monday_sync.sync_run),
    'boards', coalesce((SELECT json_object_agg(board_id, b) FROM monday_sync.sync_board b), '{{}}'),
    'hashed', coalesce((SELECT json_object_agg(table_name, columns) FROM monday_sync.sync_hash), '{{}}')
)::text, NULL, NULL
UNION ALL
SELECT board_id, item_id, m_hash, extract(epoch FROM updated_at)::bigint, state
FROM monday_sync.sync_item WHERE board_id = ANY(%s)
"""


def read_opening(tx: Transaction, boards: Mapping[int, str], *, journaled: bool = True) -> Opening:
    """Hash, time and state of every known item of these boards (board id → name), and what is known of the boards.

    Not `journaled`: an older program was here last, and left no journal of writes.
    """
    opening = Opening(known={name: {} for name in boards.values()})
    if not tx.has_state:
        return opening
    unfinished = "(SELECT count(*) FROM monday_sync.sync_batch)" if journaled else "0"
    for board_id, item_id, text, updated_at, state in tx.rows(_OPENING.format(unfinished=unfinished), (list(boards),)):
        if board_id is None:
            facts = msgspec.json.decode(text, type=_Facts)
            opening.now, opening.boards, opening.hashed = facts.now, facts.boards, facts.hashed
            opening.unfinished, opening.last_run = facts.unfinished, facts.last_run
        else:
            opening.known[boards[board_id]][item_id] = Known(text, updated_at, state)
    return opening


def read_standing(
    tx: Transaction,
    present: Present,
    *,
    outbound: bool = True,
    planned: Collection[tuple[int, int]] = (),
    gone: Collection[tuple[int, int]] = (),
) -> Standing:
    """Counts of what is open; with `outbound` also of rows that have something to tell monday: all are hashed anew.

    Without what a plan would close that a dry run does not carry out: the plan says itself what stays open of its
    `planned` items (board id, item id), and nobody can correct a cell of those that are `gone`.
    """
    if not tx.has_state:
        return Standing()
    counts = [
        sql.SQL(
            "SELECT 'outbound', count(*), NULL FROM {table} t JOIN monday_sync.sync_row s"
            " ON s.table_name = {name} AND s.row_id = t.id WHERE s.p_hash IS DISTINCT FROM {hash}"
        ).format(table=tx.table(table), name=sql.Literal(table), hash=row_hash(table, present[table]))
        for table in (TABLES if outbound else ())
        if table in present
    ]
    others = sql.SQL(
        "WITH planned AS (SELECT * FROM unnest(%s::bigint[], %s::bigint[]) AS w (board_id, item_id)),"
        " gone AS (SELECT * FROM unnest(%s::bigint[], %s::bigint[]) AS w (board_id, item_id)),"
        " dead AS (SELECT * FROM monday_sync.sync_dead d WHERE CASE WHEN {lookalike} THEN EXISTS"
        " (SELECT FROM {projects} p WHERE p.id = split_part(d.place, '.', 2)::uuid AND p.monday_item_id IS NULL"
        " AND p.archived_at IS NULL) ELSE d.kind = 'op'"
        " OR (d.board_id, d.item_id) NOT IN (SELECT * FROM planned UNION ALL SELECT * FROM gone) END)"
        " SELECT kind, count(*), NULL FROM dead GROUP BY kind"
        " UNION ALL SELECT 'dead', 0, row_to_json(d)::text FROM (SELECT kind, board_id, item_id, place, reason, run_id"
        " FROM dead ORDER BY first_seen DESC, board_id, item_id, place LIMIT {listed}) d"
        " UNION ALL SELECT 'conflicts', count(*), NULL FROM monday_sync.sync_conflict WHERE state = 'open'"
        " AND (board_id, item_id) NOT IN (SELECT * FROM planned)"
        " UNION ALL SELECT 'tolerated', coalesce(sum(tolerated), 0), NULL FROM monday_sync.sync_board"
        " UNION ALL SELECT 'rows ' || table_name, count(*), NULL FROM monday_sync.sync_row GROUP BY table_name"
    ).format(listed=sql.Literal(LISTED), lookalike=sql.SQL(LOOKALIKE), projects=tx.table("projects"))
    total: dict[str, int] = {}
    dead: list[DeadLetter] = []
    closed = [[key[part] for key in keys] for keys in (planned, gone) for part in (0, 1)]
    for kind, count, letter in tx.rows(sql.SQL(" UNION ALL ").join([others, *counts]), closed):
        total[kind] = total.get(kind, 0) + int(count)
        if letter is not None:
            dead.append(msgspec.json.decode(letter, type=DeadLetter))
    return Standing(
        rows={table: total.get(f"rows {table}", 0) for table in TABLES},
        quarantined=total.get("cell", 0) + total.get("row", 0) + total.get("op", 0),
        would_merge=total.get("would-merge", 0),
        conflicts=total.get("conflicts", 0),
        tolerated=total.get("tolerated", 0),
        outbound=total.get("outbound", 0),
        dead=tuple(dead),
    )


def keep_hashes(tx: Transaction, recorded: Mapping[str, list[str]]) -> None:
    """When the mapping has grown, carry the rows' hashes over to the new columns, but not those of edited rows."""
    for table in TABLES:
        now = tracked_columns(table)
        if recorded.get(table) == list(now):
            continue
        if table in recorded:
            statement = sql.SQL(
                "UPDATE monday_sync.sync_row s SET p_hash = {new} FROM {table} t"
                " WHERE s.table_name = {name} AND s.row_id = t.id AND s.p_hash = {old}"
            )
            parts = {"new": row_hash(table, now), "old": row_hash(table, recorded[table]), "table": tx.table(table)}
            tx.execute(statement.format(**parts, name=sql.Literal(table)))
        tx.execute(
            "INSERT INTO monday_sync.sync_hash VALUES (%s, %s) ON CONFLICT (table_name)"
            " DO UPDATE SET columns = EXCLUDED.columns",
            (table, list(now)),
        )


def tracked_columns(table: str) -> tuple[str, ...]:
    """The columns in which a person's edit is looked for."""
    return tuple(column for column in TABLES[table].__struct_fields__ if column not in _DERIVED)


def row_hash(table: str, columns: Collection[str] | None = None, alias: str = "t") -> sql.Composable:
    """SQL of a row's content hash: how an edit in PostgreSQL is found without a trigger.

    Over the tracked columns, or those of them that are among `columns`.
    """
    wanted = [column for column in tracked_columns(table) if columns is None or column in columns]
    return sql.SQL("md5(jsonb_build_array({})::text)").format(
        sql.SQL(", ").join(read_column(alias, column) for column in wanted)
    )


def read_column(alias: str, column: str) -> sql.Composable:
    """SQL of a column as models declare it, whatever an older table's type is."""
    name = sql.Identifier(alias, column)
    if column in _MONEY:
        return sql.SQL("{}::numeric(14,2)").format(name)
    return sql.SQL("{}::text").format(name) if column in JSON_COLUMNS or column == "status" else name
