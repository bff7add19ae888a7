"""Everything that is open in this database, one by one: what the window's `todo` lists and everything else counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from psycopg2 import sql

from postgres.ids import IS_CLAIM
from postgres.lease import Holder
from postgres.readable import unreadable_in
from postgres.records import Present, becomes_item, boards_present, has_no_item
from postgres.state import LOOKALIKE, NAMESAKE, row_hash, still_alike
from postgres.told import ALIKE, FANNED
from postgres.transaction import Transaction
from reconcile.boards import BOARD_SPECS
from reconcile.tables import TABLES, record_role

Kind = Literal["conflict", "cell", "row", "claim", "value", "op", "would-merge", "fanned", "deleted", "doubt"]
KINDS: Final[tuple[Kind, ...]] = (
    "conflict", "cell", "value", "op", "row", "claim", "would-merge", "fanned", "deleted", "doubt",
)  # fmt: skip
"""In the order in which they are shown."""

RECORDS: Final[dict[str, str]] = {board.table: record_role(board) for board in BOARD_SPECS.values()}
"""Table whose rows stand for items → the role of such a row."""

_LETTERS: Final = f"""
SELECT CASE WHEN {IS_CLAIM} THEN 'claim' ELSE d.kind END, d.kind, d.board_id, d.item_id, d.place, d.reason, d.first_seen
FROM monday_sync.sync_dead d
"""  # noqa: S608  constants alone
_CONFLICTS: Final = """
SELECT c.id, c.board_id, c.item_id, c.field, c.table_name, c.row_id::text, c.monday, c.postgres, c.agreed,
    c.ever_agreed, c.at
FROM monday_sync.sync_conflict c WHERE c.state = 'open'
"""
_TOLD: Final = """
SELECT w.topic, w.place, w.told_at FROM monday_sync.sync_told w WHERE w.topic = ANY(%s)
"""
_DELETED: Final = """
SELECT i.board_id, i.item_id, {name}, n.row_id::text
FROM (SELECT s.row_id FROM monday_sync.sync_row s WHERE s.table_name = {name}
    AND NOT EXISTS (SELECT FROM {table} t WHERE t.id = s.row_id) OFFSET 0) g
JOIN (SELECT i.board_id, i.item_id, i.layout, u.row_id, u.position FROM monday_sync.sync_item i
    CROSS JOIN LATERAL unnest(i.links) WITH ORDINALITY AS u (row_id, position) WHERE i.state = 'active') n
    ON n.row_id = g.row_id
JOIN monday_sync.sync_layout l ON l.layout = n.layout AND l.slots[n.position] = {role}
JOIN monday_sync.sync_item i ON i.board_id = n.board_id AND i.item_id = n.item_id
"""
# A request of a run that is at work is no doubt: its answer is on the way.
_DOUBT: Final = """
SELECT o.batch_id, o.place, o.board_id, o.item_id, o.row_id::text, b.kind, b.sent_at
FROM monday_sync.sync_op o JOIN monday_sync.sync_batch b ON b.batch_id = o.batch_id
WHERE b.run_id IS DISTINCT FROM %s
"""
_AT_WORK: Final = """
SELECT l.holder, l.expires_at, (SELECT max(r.run_id) FROM monday_sync.sync_run r
    WHERE r.finished_at IS NULL AND r.reason IS NULL AND r.pid::text = split_part(l.holder, ':', 2)
    AND r.host = split_part(l.holder, ':', 1))
FROM monday_sync.sync_lease l WHERE l.holder <> '' AND l.expires_at >= clock_timestamp()
"""


@dataclass(frozen=True, slots=True)
class OpenThing:
    """One thing that waits. `key` is what tells it from every other of its kind; `place` says where it is: a column id,
    a role, `table.row`, or of a conflict `table.column`. `values` are what monday says, what PostgreSQL says, and what
    both agreed on, of a conflict. `since` is None where nobody wrote down when it began."""

    kind: Kind
    key: tuple[Any, ...]
    board_id: int | None
    item_id: int | None
    place: str
    table: str | None
    row: str | None
    reason: str
    since: datetime | None
    values: tuple[str | None, str | None, str | None] | None = None
    ever_agreed: bool = False


@dataclass(frozen=True, slots=True)
class AtWork:
    """Who has the lease, until when at least, and its run where the database knows it."""

    holder: Holder
    until: datetime
    run_id: str | None


def read_at_work(tx: Transaction) -> AtWork | None:
    """None where the lease is free, or was left by a run of this machine that died."""
    found = tx.one(_AT_WORK)
    if found is None or (holder := Holder.parse(found[0])).is_dead():
        return None
    return AtWork(holder, found[1], found[2])


def read_open(tx: Transaction, present: Present, at_work: AtWork | None = None) -> list[OpenThing]:
    """Everything that is open, the oldest of each kind first. `at_work` is the run whose requests are under way."""
    found = [*_conflicts(tx), *_letters(tx, present), *_unreadable(tx, present), *_told(tx), *_deleted(tx, present)]
    found += _in_doubt(tx, at_work)
    order = {kind: number for number, kind in enumerate(KINDS)}
    return sorted(found, key=lambda thing: (order[thing.kind], _oldest_first(thing.since), str(thing.key)))


def _oldest_first(since: datetime | None) -> float:
    return since.timestamp() if since is not None else float("inf")


def _conflicts(tx: Transaction) -> Iterator[OpenThing]:
    said = tx.encoding.said
    for number, board, item, field, table, row, monday, postgres, agreed, ever_agreed, at in tx.rows(_CONFLICTS):
        sides = [None if value is None else said(value) for value in (monday, postgres, agreed)]
        yield OpenThing(
            "conflict", (number,), board, item, field, table, row, "", at, (sides[0], sides[1], sides[2]), ever_agreed
        )


def _letters(tx: Transaction, present: Present) -> Iterator[OpenThing]:
    """What is set aside; a pair of names counts for as long as both are there."""
    said = tx.encoding.said
    query = sql.SQL(_LETTERS + " WHERE NOT ({namesake} AND NOT ({stands}))").format(
        namesake=sql.SQL(NAMESAKE), stands=still_alike(tx, present)
    )
    query += sql.SQL(" AND NOT ({lookalike} AND NOT ({waits}))").format(
        lookalike=sql.SQL(LOOKALIKE), waits=_waits(tx, present)
    )
    for shown, kind, board, item, place, reason, since in tx.rows(query):
        table, row = row_of(place)
        key = (kind, board, item, place)
        yield OpenThing(shown, key, board or None, item or None, place, table, row, said(reason), since)


def row_of(place: str) -> tuple[str | None, str | None]:
    """Table and row of a place that begins with them.

    >>> row_of("projects.7f1c"), row_of("numbers0")
    (('projects', '7f1c'), (None, None))
    """
    table, _, rest = place.partition(".")
    return (table, rest.partition(".")[0]) if table in TABLES and rest else (None, None)


def _unreadable(tx: Transaction, present: Present) -> Iterator[OpenThing]:
    for found in unreadable_in(tx, present):
        table, _, column = found.place.partition(".")
        for row in found.rows:
            place = f"{table}.{row}.{column}"
            reason = f"PostgreSQL holds {found.what} there: until it is corrected neither side's value moves"
            yield OpenThing("value", (place,), None, None, place, table, row, reason, None)


def _told(tx: Transaction) -> Iterator[OpenThing]:
    """What the last push said of rows that wait for a person."""
    reasons = {
        FANNED: "it was edited in PostgreSQL and more than 25 items show it: none of them was changed",
        ALIKE: "it has an e-mail of somebody who is on the staff board: no item was made of it",
    }
    for topic, place, at in tx.rows(_TOLD, (list(reasons),)):
        table, row = row_of(place)
        kind: Kind = "fanned" if topic == FANNED else "would-merge"
        yield OpenThing(kind, (topic, place), None, None, place, table, row, reasons[topic], at)


def _deleted(tx: Transaction, present: Present) -> Iterator[OpenThing]:
    parts = [
        sql.SQL(_DELETED).format(name=sql.Literal(table), table=tx.table(table), role=sql.Literal(role))
        for table, role in RECORDS.items()
        if table in present
    ]
    for board, item, table, row in tx.rows(sql.SQL(" UNION ALL ").join(parts)) if parts else ():
        reason = "the row was deleted in PostgreSQL and its item is still on the board"
        yield OpenThing("deleted", (board, item), board, item, f"{table}.{row}", table, row, reason, None)


def _in_doubt(tx: Transaction, at_work: AtWork | None) -> Iterator[OpenThing]:
    for batch, place, board, item, row, kind, at in tx.rows(_DOUBT, (at_work.run_id if at_work else None,)):
        table = "projects" if row else None
        reason = f"a request ({kind}) was sent and its answer never came: the next push finds out what it did"
        where = f"batch {batch}"
        yield OpenThing("doubt", (batch, place), board, item, where, table, row, reason, at)


def _waits(tx: Transaction, present: Present) -> sql.Composable:
    """SQL of whether the row of a dead letter would still become an item."""
    cases = [
        sql.SQL(
            " WHEN {name} THEN EXISTS (SELECT FROM {table} p WHERE p.id::text = split_part(d.place, '.', 2)"
            " AND {waits})"
        ).format(name=sql.Literal(table), table=tx.table(table), waits=has_no_item("p"))
        for table in boards_present(present).values()
    ]
    if not cases:
        return sql.SQL("true")
    return sql.SQL("CASE split_part(d.place, '.', 1){} ELSE true END").format(sql.SQL("").join(cases))


# What waits on either side --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Waiting:
    """Edits that are on their way: rows whose content monday was not told of, counted now, and items that the next read
    looks at again, as of the last read."""

    postgres: int
    monday: int


def read_waiting(tx: Transaction, present: Present) -> Waiting:
    """Hashes every row of the nine tables that is known."""
    parts = [
        sql.SQL(
            "SELECT count(*) FROM {table} t JOIN monday_sync.sync_row s ON s.table_name = {name} AND s.row_id = t.id"
            " WHERE s.p_hash IS DISTINCT FROM {hash}"
        ).format(table=tx.table(table), name=sql.Literal(table), hash=row_hash(table, present[table]))
        for table in TABLES
        if table in present
    ]
    parts += [
        sql.SQL(
            "SELECT count(*) FROM {table} t WHERE {waits} AND NOT EXISTS (SELECT FROM monday_sync.sync_dead d"
            " WHERE {lookalike} AND d.place = {name} || '.' || t.id)"
        ).format(
            table=tx.table(table),
            name=sql.Literal(table),
            lookalike=sql.SQL(LOOKALIKE),
            waits=becomes_item(board, "t"),
        )
        for board, table in boards_present(present).items()
    ]
    rows = sum(count for (count,) in tx.rows(sql.SQL(" UNION ALL ").join(parts))) if parts else 0
    again = tx.one("SELECT count(*) FROM monday_sync.sync_item WHERE state = 'active' AND m_hash IS NULL")
    return Waiting(int(rows), int(again[0]) if again else 0)


def summed(things: list[OpenThing]) -> Mapping[Kind, tuple[int, datetime | None]]:
    """Kind → how many of it are open, and since when the oldest is."""
    found: dict[Kind, tuple[int, datetime | None]] = {}
    for kind in KINDS:
        of_kind = [thing for thing in things if thing.kind == kind]
        if of_kind:
            since = [thing.since for thing in of_kind if thing.since is not None]
            found[kind] = (len(of_kind), min(since) if since else None)
    return found
