"""What the database remembers at the start of a run, and what stays open at its end."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from psycopg2 import sql

from models import FilesJson, RowId
from postgres import calls
from postgres.place import BOUND, ITSELF, Itself, read_itself, rows_with_system
from postgres.readable import MONEY_LIMIT, Unreadables, unreadable_in, unreadable_values
from postgres.records import Present, boards_present, has_no_item, one_of
from postgres.schema import fields_of
from postgres.told import UNSEEN, UNSENT, VALUE, Unseen, told_query, unseen_query
from postgres.transaction import Transaction
from reconcile.boards import BOARD_SPECS
from reconcile.ids import Claim
from reconcile.namesakes import NAMES
from reconcile.place import Bound
from reconcile.tables import HOMES, ITEM_ID, OURS, RECORDS, SPECS, TABLES, home_roles, pointing_at, record_role


@dataclass(frozen=True, slots=True)
class Known:
    """What is remembered of one item before it is read: enough to skip it when nothing changed."""

    content_hash: str | None
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
class SyncState:
    """The state at the start of a run; empty for a database that was never synced. `hashed` are the columns that each
    table's row hashes were made of, `unfinished` requests of earlier runs whose outcome is not known, `bound` whose
    boards are whose, `astray` (board, item id) of items whose row does not hold their id, `standing` the items of
    `standing_query` and what they showed, `last_run` the newest run on record that did not fail, `calls` what other
    runs have used of the daily calls."""

    boards: dict[int, BoardState] = field(default_factory=dict)
    known: dict[str, dict[int, Known]] = field(default_factory=dict)
    hashed: dict[str, list[str]] = field(default_factory=dict)
    now: datetime | None = None
    unfinished: int = 0
    itself: Itself | None = None
    bound: dict[int, Bound] = field(default_factory=dict)
    astray: list[tuple[str, int]] = field(default_factory=list)
    standing: dict[tuple[str, int], str] = field(default_factory=dict)
    last_run: str | None = None
    calls: float = 0.0


class _Facts(msgspec.Struct):
    itself: Itself
    bound: dict[int, Bound]
    now: datetime
    unfinished: int
    astray: list[tuple[int, int]]
    standing: list[tuple[int, int, str]]
    last_run: str | None
    calls: float
    boards: dict[int, BoardState]
    hashed: dict[str, list[str]]


class DeadLetter(msgspec.Struct, frozen=True):
    """One thing that waits for a person: `place` is a column id, a role, or a row; `run_id` the run that found it,
    `told` whether a run said so."""

    kind: str
    board_id: int
    item_id: int
    place: str
    reason: str
    run_id: str
    told: bool = False


class ConflictLine(msgspec.Struct, frozen=True):
    """A line of the conflict log, as a report needs it; `name` is the item's, `at` when it was written down, `told`
    whether a run said of an open one that it is."""

    run_id: str
    at: datetime
    board_id: int
    item_id: int
    role: str
    field: str
    table_name: str
    row_id: str | None
    kept_from: str
    kept: str | None
    lost_from: str
    lost: str | None
    monday: str | None
    postgres: str | None
    agreed: str | None
    ever_agreed: bool
    name: str | None
    told: bool = False


LOOKALIKE = f"(d.kind = 'would-merge' AND split_part(d.place, '.', 1) IN ({one_of(RECORDS)}))"
"""SQL of a dead letter about a row that may be an item's: it stands as long as that row waits."""

NAMESAKE = (
    f"(d.kind = 'would-merge' AND split_part(d.place, '.', 1) IN ({one_of(NAMES)})"
    " AND strpos(coalesce(to_jsonb(d) ->> 'input', ''), E'\\n') > 0)"
)
"""SQL of a dead letter about a row whose name looks like that of another one (`input`: its id, then both names)."""

LISTED = 100
"""Dead letters that a run lists, the newest first; the counts are always whole."""


@dataclass(frozen=True, slots=True)
class OpenIssues:
    """What stays open after any number of runs, until a person or the other direction settles it. `rows` is how many
    rows of each table the sync knows; `open` are conflicts, `lost` edits that lost and that nobody was told of yet,
    `claims` ids of rows that have to be listed, `claims_over` to be no more. `new` counts what nobody was told of, by
    kind of dead letter or `conflicts`; `told` are (topic, place) of what else people were told of; `unseen` rows that
    no project shows, `unsent_new` those of the `awaiting_push` ones that nobody was told of. `pushed_h`: hours since a
    push ended well, None where none did. `unseen_over`, `unsent_over`: whether something of it that was told is over.
    """

    rows: Mapping[str, int] = field(default_factory=dict)
    quarantined: int = 0
    would_merge: int = 0
    conflicts: int = 0
    tolerated: int = 0
    awaiting_push: int = 0
    dead: tuple[DeadLetter, ...] = ()
    open: tuple[ConflictLine, ...] = ()
    lost: tuple[ConflictLine, ...] = ()
    lost_count: int = 0
    claims: tuple[Claim, ...] = ()
    claims_over: tuple[Claim, ...] = ()
    new: Mapping[str, int] = field(default_factory=dict)
    told: frozenset[tuple[str, str]] = frozenset()
    unseen: tuple[Unseen, ...] = ()
    unseen_over: bool = False
    unsent_new: int = 0
    unsent_over: bool = False
    pushed_h: float | None = None

    def new_of(self, kind: str) -> int:
        """How many of a kind nobody was told of."""
        return self.new.get(kind, 0)

    def letters(self, run_id: str) -> list[DeadLetter]:
        """What is listed, with what a dry run would list and without what it would not any more."""
        over = {(claim.board_id, claim.item_id, claim.place) for claim in self.claims_over}
        new = [DeadLetter("row", c.board_id, c.item_id, c.place, c.reason, run_id) for c in self.claims]  # untold
        known = [letter for letter in self.dead if (letter.board_id, letter.item_id, letter.place) not in over]
        return new + known


_OPENING = """
{counting}SELECT NULL, NULL, json_build_object(
    'now', now(),
    'itself', {itself},
    'bound', {bound},
    'unfinished', {unfinished},
    'astray', {astray},
    'standing', {standing},
    'last_run', (SELECT max(run_id) FROM monday_sync.sync_run
        WHERE finished_at IS NOT NULL AND summary ->> 'reason' IS NULL),
    'calls', {calls},
    'boards', coalesce((SELECT json_object_agg(board_id, b) FROM monday_sync.sync_board b), '{{}}'),
    'hashed', coalesce((SELECT json_object_agg(table_name, columns) FROM monday_sync.sync_hash), '{{}}')
)::text, NULL, NULL
UNION ALL
SELECT board_id, item_id, CASE WHEN (board_id, item_id) NOT IN (SELECT board_id, item_id FROM monday_sync.sync_dead
    WHERE kind = 'would-merge' AND place = ANY({homes})) THEN m_hash END,
    extract(epoch FROM updated_at)::bigint, state
FROM monday_sync.sync_item WHERE board_id = ANY(%s)
"""


def read_sync_state(
    tx: Transaction,
    boards: Mapping[int, str],
    *,
    journaled: bool = True,
    placed: bool = True,
    astray: sql.Composable | None = None,
    standing: sql.Composable | None = None,
    run_id: str = "",
    counted: bool = False,
    reserve: float | None = None,
) -> SyncState:
    """Hash, time and state of every known item of these boards (board id → name), and what is known of the boards. An
    item of the staff board that claims another one's e-mail is looked at until it does not.

    Not `journaled` or `placed`: an older program was here last, and left no journal of writes, or no `sync_place`.
    `run_id` is the run that asks, in a database where calls are `counted`; `reserve` are those of it that are counted
    beforehand, in the same statement. `astray` is the query of `postgres.ids`, `standing` that of `standing_query`.
    """
    sync_state = SyncState(known={name: {} for name in boards.values()})
    if not tx.has_state:
        sync_state.itself = read_itself(tx)
        return sync_state
    query = sql.SQL(_OPENING).format(
        itself=sql.SQL(ITSELF),
        bound=sql.SQL(BOUND if placed else "'{}'::json"),
        unfinished=sql.SQL("(SELECT count(*) FROM monday_sync.sync_batch)" if journaled else "0"),
        astray=_told_of(astray, "board_id", "item_id"),
        standing=_told_of(standing, "board_id", "item_id", "shown"),
        counting=sql.SQL(f"WITH reserved AS ({calls.RESERVED}) " if reserve is not None else ""),
        calls=sql.SQL(calls.USED if counted else "0"),
        homes=sql.Literal(home_roles()),
    )
    params: list[Any] = [run_id, reserve] if reserve is not None else []
    params += [run_id] if counted else []
    for board_id, item_id, text, updated_at, state in rows_with_system(
        tx, query.as_string(tx.connection), (*params, list(boards))
    ):
        if board_id is None:
            facts = msgspec.json.decode(text, type=_Facts)
            sync_state.now, sync_state.boards, sync_state.hashed = facts.now, facts.boards, facts.hashed
            sync_state.unfinished, sync_state.itself, sync_state.bound = facts.unfinished, facts.itself, facts.bound
            sync_state.astray = [(boards[board_id], item_id) for board_id, item_id in facts.astray]
            sync_state.standing = {(boards[board_id], item_id): shown for board_id, item_id, shown in facts.standing}
            sync_state.last_run, sync_state.calls = facts.last_run, facts.calls
        else:
            sync_state.known[boards[board_id]][item_id] = Known(text, updated_at, state)
    return sync_state


def _told_of(query: sql.Composable | None, *columns: str) -> sql.Composable:
    """SQL of some columns of a query as JSON."""
    if query is None:
        return sql.SQL("'[]'::json")
    return sql.SQL("(SELECT coalesce(json_agg(DISTINCT jsonb_build_array({})), '[]') FROM ({}) a)").format(
        sql.SQL(", ").join(map(sql.Identifier, columns)), query
    )


_STANDING = """
(WITH d AS MATERIALIZED (
    SELECT board_id, item_id, split_part(input, E'\\n', 2) AS shown, (string_to_array(input, E'\\n'))[3:] AS contested,
        CASE WHEN input ~ '^[0-9]{{1,18}}\\n' THEN split_part(input, E'\\n', 1)::bigint END AS rival
    FROM monday_sync.sync_dead
    WHERE kind = 'would-merge' AND place = {role} AND board_id = ANY({boards}::bigint[])
)
SELECT d.board_id, d.item_id, d.shown FROM d
JOIN {table} t ON t.monday_item_id = d.rival AND t.archived_at IS NULL AND starts_with(d.contested[1], t.id || ' ')
JOIN monday_sync.sync_row s ON s.table_name = {name} AND s.row_id = t.id AND s.p_hash = {hash}
JOIN monday_sync.sync_item r ON r.board_id = d.board_id AND r.item_id = d.rival AND r.state = 'active'
WHERE NOT EXISTS (
    SELECT FROM unnest(d.contested) AS c (line) WHERE NOT EXISTS (
        SELECT FROM monday_sync.sync_key k
        WHERE k.table_name = {name} AND k.key = substr(c.line, 38) AND k.row_id::text = left(c.line, 36)
    )
))
"""


def standing_query(tx: Transaction, boards: Collection[int], present: Present) -> sql.Composable | None:
    """SQL of the items of the staff board that claim another one's e-mail, and of which PostgreSQL tells nothing new:
    the other one's row is home to it and unedited, and each key that both say belongs to whom it did. With what they
    showed (`digest_of`)."""
    parts = [
        sql.SQL(_STANDING).format(
            boards=sql.Literal(sorted(boards)),
            role=sql.Literal(record_role(BOARD_SPECS[board])),
            name=sql.Literal(table),
            table=tx.table(table),
            hash=row_hash(table, present[table]),
        )
        for board, table in boards_present(present).items()
        if table in HOMES
    ]
    return sql.SQL(" UNION ALL ").join(parts) if parts else None


def read_standing(
    tx: Transaction,
    present: Present,
    *,
    outbound: bool = True,
    planned: Collection[tuple[int, int]] = (),
    gone: Collection[tuple[int, int]] = (),
    undecided: Collection[tuple[int, int, str]] = (),
    told: bool = True,
    forgets: bool = False,
    claims: tuple[sql.Composable, sql.Composable] | None = None,
    remembers: bool = True,
    linked: Collection[RowId] = (),
) -> OpenIssues:
    """Counts of what is open; with `outbound` also of rows that have something to tell monday: all are hashed anew.

    Without what a plan would close that a dry run does not carry out: the plan says itself what stays open of its
    `planned` items (board id, item id), and nobody can correct a cell of those that are `gone`; of `undecided` fields
    (board id, item id, field) a conflict that is open stays so. One that `forgets` finds names that look alike anew.
    Not `told`: the log of conflicts is an older program's. `claims` is the query of `postgres.ids`. Not `remembers`: an
    older program was here last, which did not write down what it told. `linked` rows would be shown.
    """
    if not tx.has_state:
        found = unreadable_in(tx, present)
        values = tuple(letter for column in found for letter in _letters(column))
        return OpenIssues(quarantined=sum(column.count for column in found), dead=values)
    counts: list[sql.Composable] = [
        sql.SQL(
            "SELECT 'outbound', count(*), {told} FROM {table} t JOIN monday_sync.sync_row s"
            " ON s.table_name = {name} AND s.row_id = t.id WHERE s.p_hash IS DISTINCT FROM {hash}"
        ).format(
            table=tx.table(table),
            name=sql.Literal(table),
            hash=row_hash(table, present[table]),
            told=_told_unsent(table) if remembers else sql.SQL("'0'"),
        )
        for table in (TABLES if outbound else ())
        if table in present
    ]
    if outbound and remembers:
        counts.append(sql.SQL(_PUSHED))
    if remembers:
        counts.append(told_query())
    if (unseen := unseen_query(tx, present, remembers=remembers, linked=linked)) is not None:
        counts.append(unseen)
    waits = [
        sql.SQL(
            "WHEN {name} THEN EXISTS (SELECT FROM {table} p WHERE p.id = split_part(d.place, '.', 2)::uuid AND {waits})"
        ).format(name=sql.Literal(table), table=tx.table(table), waits=has_no_item("p"))
        for table in boards_present(present).values()
    ]
    others = sql.SQL(
        "WITH planned AS (SELECT * FROM unnest(%s::bigint[], %s::bigint[]) AS w (board_id, item_id)),"
        " gone AS (SELECT * FROM unnest(%s::bigint[], %s::bigint[]) AS w (board_id, item_id)),"
        " undecided AS (SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS w (board_id, item_id, field)),"
        " dead AS (SELECT * FROM monday_sync.sync_dead d WHERE CASE WHEN {namesake} THEN {stands} WHEN {lookalike} THEN"
        " CASE split_part(d.place, '.', 1) {waits} ELSE false END ELSE d.kind = 'op'"
        " OR coalesce(left(to_jsonb(d) ->> 'input', 3), '') = 'id:'"
        " OR (d.board_id, d.item_id) NOT IN (SELECT * FROM planned UNION ALL SELECT * FROM gone) END){claims}"
        " SELECT kind, count(*), NULL FROM dead d GROUP BY kind"
        " UNION ALL SELECT 'new ' || kind, count(*), NULL FROM dead d WHERE NOT {told} GROUP BY kind"
        " UNION ALL SELECT 'dead', 0, row_to_json(d)::text FROM (SELECT kind, board_id, item_id, place, reason, run_id,"
        " {told} AS told FROM dead d ORDER BY {told}, first_seen DESC, board_id, item_id, place LIMIT {listed}) d"
        " {conflicts}"
        " UNION ALL SELECT 'tolerated', coalesce(sum(tolerated), 0), NULL FROM monday_sync.sync_board"
        " UNION ALL SELECT 'rows ' || table_name, count(*), NULL FROM monday_sync.sync_row GROUP BY table_name"
    ).format(
        listed=sql.Literal(LISTED),
        lookalike=sql.SQL(LOOKALIKE),
        namesake=sql.SQL(NAMESAKE),
        stands=sql.SQL("false") if forgets else still_alike(tx, present),
        waits=sql.SQL(" ").join(waits or [sql.SQL("WHEN NULL THEN false")]),
        told=sql.SQL("(d.told_by IS NOT NULL)" if remembers else "(d.kind IS NOT NULL)"),
        conflicts=_conflicts(tx, present, told=told, remembers=remembers),
        claims=sql.SQL(", {}").format(claims[0]) if claims is not None else sql.SQL(""),
    )
    if claims is not None:
        counts.append(claims[1])
    total: dict[str, int] = dict.fromkeys(("claim", "claim over"), 0)
    dead: list[DeadLetter] = []
    unreadable: list[DeadLetter] = []
    moves: dict[str, list[Claim]] = {"claim": [], "claim over": []}
    lines: dict[str, list[ConflictLine]] = {"open": [], "lost": []}
    told_of: set[tuple[str, str]] = set()
    unseen_rows_of: list[Unseen] = []
    unsent_told, pushed_h = 0, None
    closed: list[list[Any]] = [[key[part] for key in keys] for keys in (planned, gone) for part in (0, 1)]
    closed += [[place[part] for place in undecided] for part in (0, 1, 2)]
    for kind, count, letter in tx.rows(
        sql.SQL(" UNION ALL ").join([others, *counts, *unreadable_values(tx, present)]), closed
    ):
        total[kind] = total.get(kind, 0) + int(count)
        if kind == "outbound":
            unsent_told += int(letter)
        elif kind == "pushed":
            pushed_h = None if letter is None else float(letter)
        elif kind == "told":
            told_of.add(msgspec.json.decode(tx.encoding.said(letter), type=tuple[str, str]))
        elif kind == "unseen":
            unseen_rows_of.append(msgspec.json.decode(letter, type=Unseen))
        elif kind in moves:
            moves[kind].append(msgspec.json.decode(letter, type=Claim))
            total[kind] += 1
        elif kind == "unreadable":
            unreadable += _letters(msgspec.json.decode(letter, type=Unreadables))
        elif letter is not None and kind in lines:
            lines[kind].append(msgspec.json.decode(tx.encoding.said(letter), type=ConflictLine))
        elif letter is not None:
            dead.append(msgspec.json.decode(tx.encoding.said(letter), type=DeadLetter))
    unseen_told = sum(found.count - found.new for found in unseen_rows_of)
    return OpenIssues(
        rows={table: total.get(f"rows {table}", 0) for table in TABLES},
        quarantined=sum(total.get(kind, 0) for kind in ("cell", "row", "op", "unreadable", "claim"))
        - total["claim over"],
        would_merge=total.get("would-merge", 0),
        conflicts=total.get("conflicts", 0),
        tolerated=total.get("tolerated", 0),
        awaiting_push=total.get("outbound", 0),
        dead=(
            *dead,
            *(msgspec.structs.replace(letter, told=(VALUE, letter.place) in told_of) for letter in unreadable),
        ),
        open=tuple(lines["open"]),
        lost=tuple(lines["lost"]),
        lost_count=total.get("losses", 0),
        claims=tuple(moves["claim"]),
        claims_over=tuple(moves["claim over"]),
        new={kind.removeprefix("new "): count for kind, count in total.items() if kind.startswith("new ")},
        told=frozenset(told_of),
        unseen=tuple(sorted(unseen_rows_of, key=lambda found: list(TABLES).index(found.table))),
        unseen_over=total.get(f"told {UNSEEN}", 0) > unseen_told,
        unsent_new=total.get("outbound", 0) - unsent_told,
        unsent_over=outbound and total.get(f"told {UNSENT}", 0) > unsent_told,
        pushed_h=pushed_h,
    )


_PUSHED = (
    "SELECT 'pushed', 0, (extract(epoch FROM now() - max(finished_at)) / 3600)::text FROM monday_sync.sync_run"
    " WHERE direction = 'pg_to_monday' AND exit_code IN (0, 5)"
)


def _told_unsent(table: str) -> sql.Composable:
    """SQL of how many of the rows `t` people were told of, as text."""
    return sql.SQL(
        "(count(*) FILTER (WHERE EXISTS (SELECT FROM monday_sync.sync_told w WHERE w.topic = {topic}"
        " AND w.place = {name} || '.' || t.id)))::text"
    ).format(topic=sql.Literal(UNSENT), name=sql.Literal(table))


def unsent_rows(tx: Transaction, present: Present) -> sql.Composable:
    """SQL (topic, place) of the rows that have something to tell monday."""
    parts = [
        sql.SQL(
            "SELECT {topic}::text AS topic, {name} || '.' || t.id AS place FROM {table} t JOIN monday_sync.sync_row s"
            " ON s.table_name = {name} AND s.row_id = t.id WHERE s.p_hash IS DISTINCT FROM {hash}"
        ).format(
            topic=sql.Literal(UNSENT),
            name=sql.Literal(table),
            table=tx.table(table),
            hash=row_hash(table, present[table]),
        )
        for table in TABLES
        if table in present
    ]
    return sql.SQL(" UNION ALL ").join(parts)


_STILL_OPEN = (
    "c.state = 'open' AND ((c.board_id, c.item_id) NOT IN (SELECT * FROM planned UNION ALL SELECT * FROM gone)"
    " OR (c.board_id, c.item_id, c.field) IN (SELECT * FROM undecided))"
)
_UNTOLD = "c.state = 'settled' AND c.told_by IS NULL AND c.lost_from <> 'nobody'"


def _conflicts(tx: Transaction, present: Present, *, told: bool, remembers: bool) -> sql.Composable:
    """SQL of the open conflicts and of the edits that lost and that nobody was told of: both counted, both listed."""
    counted = sql.SQL("UNION ALL SELECT 'conflicts', count(*), NULL FROM monday_sync.sync_conflict c WHERE {open}")
    if not told:
        return counted.format(open=sql.SQL(_STILL_OPEN))
    names = [
        sql.SQL("(SELECT max({name}) FROM {table} n WHERE n.monday_item_id = l.item_id)").format(
            name=sql.Identifier("n", name), table=tx.table(table)
        )
        for board, table in boards_present(present).items()
        for name in BOARD_SPECS[board].named_by
        if name in present[table]
    ]
    listed = sql.SQL(
        "UNION ALL SELECT {kind}, 0, row_to_json(l)::text FROM (SELECT l.*, coalesce({names}) AS name FROM (SELECT"
        " c.run_id, c.at, c.board_id, c.item_id, c.role, c.field, c.table_name, c.row_id, c.kept_from, c.kept,"
        " c.lost_from, c.lost, c.monday, c.postgres, c.agreed, c.ever_agreed, {said} AS told"
        " FROM monday_sync.sync_conflict c"
        " WHERE {which} ORDER BY c.id DESC LIMIT {listed}) l) l"
    )
    kinds = [
        listed.format(
            kind=sql.Literal(kind),
            names=sql.SQL(", ").join([*names, sql.SQL("NULL::text")]),
            which=sql.SQL(which),
            listed=sql.Literal(LISTED),
            said=sql.SQL("c.open_told_by IS NOT NULL" if remembers else "true"),
        )
        for kind, which in (("open", _STILL_OPEN), ("lost", _UNTOLD))
    ]
    losses = sql.SQL("UNION ALL SELECT 'losses', count(*), NULL FROM monday_sync.sync_conflict c WHERE {which}")
    new = sql.SQL("UNION ALL SELECT 'new conflicts', count(*), NULL FROM monday_sync.sync_conflict c WHERE {which}")
    untold = f"{_STILL_OPEN} AND {'c.open_told_by IS NULL' if remembers else 'false'}"
    kinds.append(new.format(which=sql.SQL(untold)))
    parts = [counted.format(open=sql.SQL(_STILL_OPEN)), losses.format(which=sql.SQL(_UNTOLD)), *kinds]
    return sql.SQL(" ").join(parts)


def still_alike(tx: Transaction, present: Present) -> sql.Composable:
    """SQL of whether two names that look alike are still there, both of them shown by somebody."""
    cases = [
        sql.SQL(
            " WHEN {literal} THEN EXISTS (SELECT FROM {table} t, {table} o"
            " WHERE t.id = split_part(d.place, '.', 2)::uuid"
            " AND o.id = split_part(to_jsonb(d) ->> 'input', E'\\n', 1)::uuid"
            " AND to_jsonb(d) ->> 'input' = o.id || E'\\n' || coalesce(t.{name}::text, '')"
            " || E'\\n' || coalesce(o.{name}::text, '')"
            " AND {shown} AND ({other_shown} OR NOT EXISTS (SELECT FROM monday_sync.sync_row s"
            " WHERE s.table_name = {literal} AND s.row_id = o.id)))"
        ).format(
            literal=sql.Literal(table),
            table=tx.table(table),
            name=sql.Identifier(name),
            shown=_shown(tx, present, table, "t"),
            other_shown=_shown(tx, present, table, "o"),
        )
        for table, name in NAMES.items()
        if name in present.get(table, ())
    ]
    if not cases:
        return sql.SQL("false")
    return sql.SQL("CASE split_part(d.place, '.', 1){} ELSE false END").format(sql.SQL("").join(cases))


def _shown(tx: Transaction, present: Present, table: str, alias: str) -> sql.Composable:
    """SQL of whether some row points at this one, or it stands for an item."""
    pointing = [
        sql.SQL("EXISTS (SELECT FROM {} p WHERE {} = {})").format(
            tx.table(other), sql.Identifier("p", column), sql.Identifier(alias, "id")
        )
        for other, column in pointing_at(table)
        if column in present.get(other, ())
    ]
    if ITEM_ID in present[table]:
        pointing.append(sql.SQL("{} IS NOT NULL").format(sql.Identifier(alias, ITEM_ID)))
    return sql.SQL("({})").format(sql.SQL(" OR ").join(pointing or [sql.SQL("false")]))


def _letters(found: Unreadables) -> Iterator[DeadLetter]:
    """Each value as a thing that waits for a person. It is no item's, and closes itself when the value is corrected."""
    table, _, column = found.place.partition(".")
    reason = f"PostgreSQL holds {found.what} there: correct it; until then neither side's value moves"
    for row in found.rows:
        yield DeadLetter("value", 0, 0, f"{table}.{row}.{column}", reason, "")


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
    """The columns in which a person's edit is looked for: not those that are ours to fill, nor files, which are
    read-only on monday. A foreign key that we derive is a person's to move all the same."""
    spec = SPECS[table]
    ours = OURS | (spec.derived.keys() - spec.foreign_keys.keys())
    return tuple(column for column, kind in fields_of(table).items() if column not in ours and kind is not FilesJson)


def row_hash(table: str, columns: Collection[str] | None = None, alias: str = "t") -> sql.Composable:
    """SQL of a row's content hash: how an edit in PostgreSQL is found without a trigger.

    Over the tracked columns, or those of them that are among `columns`. Named in full, as statements need it that write
    such a row: see `Transaction.role_path`.
    """
    wanted = [column for column in tracked_columns(table) if columns is None or column in columns]
    return sql.SQL("pg_catalog.md5(pg_catalog.jsonb_build_array({})::pg_catalog.text)").format(
        sql.SQL(", ").join(read_column(table, column, alias) for column in wanted)
    )


def read_column(table: str, column: str, alias: str = "t") -> sql.Composable:
    """SQL of a column as models declare it, whatever an older table's type is."""
    name, kind = sql.Identifier(alias, column), fields_of(table)[column]
    if kind is Decimal:  # what is too large, or no number, comes as it is: a cast would end every run
        whole = (
            "CASE WHEN pg_catalog.abs({0}) OPERATOR(pg_catalog.<) {1} THEN {0}::pg_catalog.numeric(14,2)"
            " ELSE {0}::pg_catalog.numeric END"
        )
        return sql.SQL(whole).format(name, sql.Literal(MONEY_LIMIT))
    if kind == list[str]:
        return sql.SQL("{}::pg_catalog.varchar[]").format(name)
    as_text = kind is FilesJson or (kind is str and column in SPECS[table].derived)
    return sql.SQL("{}::pg_catalog.text").format(name) if as_text else name
