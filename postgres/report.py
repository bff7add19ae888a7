"""What the report shows of the time since a day: counts that PostgreSQL makes itself, so that a history of any length
costs as much as its days.

`edges` are the instants at which the days of the report begin, oldest first: what is counted by day carries the number
of its day, 0 for the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Final, NamedTuple

import msgspec
from psycopg2 import sql

from models import TABLES
from postgres.schema import read_shapes
from postgres.transaction import Transaction

Edges = Sequence[datetime]


class DayOfRuns(NamedTuple):
    """Runs of one day and direction that ended alike; `exit_code` is None for those without an end."""

    day: int
    direction: str
    exit_code: int | None
    number: int


class DayOfDurations(NamedTuple):
    """How long the runs of one day and direction took, in seconds."""

    day: int
    direction: str
    median_s: float
    longest_s: float


class BadRun(NamedTuple):
    """A run that did not end well; `exit_code` is None where it never ended."""

    run_id: str
    direction: str
    started_at: datetime
    duration_s: float | None
    exit_code: int | None
    reason: str


class StageTime(NamedTuple):
    """Seconds that the runs of a direction spent in one stage, all together, and how many runs had any stage."""

    direction: str
    stage: str
    seconds: float
    runs: int


class DayOfChanges(NamedTuple):
    """Changes of one day: `table` is empty where an item has no row."""

    day: int
    wrote: str
    table: str
    action: str
    number: int


class TableFill(NamedTuple):
    """How many rows a table has, and how many of them have a value in each column."""

    rows: int
    filled: Mapping[str, int]


class BoardMemory(NamedTuple):
    """What was proved about a board at its last read: the columns of the mapping that were there, and the other columns
    that it has, each an id, a title and a type; None where no run has written these down."""

    board: str
    board_id: int
    title: str | None
    columns: tuple[str, ...]
    others: tuple[tuple[str, str, str], ...] | None


_DAY: Final = "width_bucket({}, %(edges)s::timestamptz[]) - 1"
_SINCE: Final = "{} >= (%(edges)s::timestamptz[])[1]"
_TOOK: Final = "coalesce(r.duration_s, extract(epoch FROM r.finished_at - r.started_at)::float8)"
# One that found another run at work did nothing, and took as long as that.
_WORKED: Final = "r.finished_at IS NOT NULL AND r.exit_code IS DISTINCT FROM 6"

_RUNS: Final = f"""
SELECT {_DAY.format("r.started_at")}, r.direction, CASE WHEN r.finished_at IS NOT NULL THEN r.exit_code END, count(*)
FROM monday_sync.sync_run r WHERE {_SINCE.format("r.started_at")} AND r.run_id <> %(at_work)s
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""  # noqa: S608  constants alone
_DURATIONS: Final = f"""
SELECT {_DAY.format("r.started_at")}, r.direction, percentile_cont(0.5) WITHIN GROUP (ORDER BY {_TOOK}), max({_TOOK})
FROM monday_sync.sync_run r WHERE {_SINCE.format("r.started_at")} AND {_WORKED} AND {_TOOK} IS NOT NULL
GROUP BY 1, 2 ORDER BY 1, 2
"""  # noqa: S608  constants alone
_BAD: Final = f"""
SELECT r.run_id, r.direction, r.started_at, {_TOOK}, CASE WHEN r.finished_at IS NOT NULL THEN r.exit_code END,
    coalesce(r.reason, ''), count(*) OVER ()
FROM monday_sync.sync_run r
WHERE {_SINCE.format("r.started_at")} AND r.run_id <> %(at_work)s
    AND (r.finished_at IS NULL OR r.exit_code NOT IN (0, 5, 6))
ORDER BY r.started_at DESC, r.run_id DESC LIMIT %(limit)s
"""  # noqa: S608  constants alone
# A stage inside of another one is "outer/inner": its time is in the outer one's.
_STAGES: Final = f"""
WITH r AS MATERIALIZED (
    SELECT r.direction, r.stages FROM monday_sync.sync_run r
    WHERE {_SINCE.format("r.started_at")} AND {_WORKED} AND jsonb_typeof(r.stages) = 'object' AND r.stages <> '{{}}'
)
SELECT r.direction, s.key, sum(s.value::float8), (SELECT count(*) FROM r o WHERE o.direction = r.direction)
FROM r CROSS JOIN LATERAL jsonb_each(r.stages) AS s (key, value)
WHERE strpos(s.key, '/') = 0 AND jsonb_typeof(s.value) = 'number' GROUP BY 1, 2 ORDER BY 1, 3 DESC, 2
"""  # noqa: S608  constants alone
_CHANGES: Final = f"""
SELECT {_DAY.format("c.at")}, c.wrote, coalesce(c.table_name, ''), c.action, count(*)
FROM monday_sync.sync_change c WHERE {_SINCE.format("c.at")} GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
"""  # noqa: S608  constants alone
_CALLS: Final = """
SELECT day, sum(calls)::float8 FROM monday_sync.sync_calls WHERE day >= %s GROUP BY day ORDER BY day
"""
_LIMIT: Final = """
SELECT r.summary #>> '{calls,limit}' FROM monday_sync.sync_run r
WHERE r.summary #>> '{calls,limit}' IS NOT NULL ORDER BY r.started_at DESC LIMIT 1
"""
_BOARDS: Final = """
SELECT b.board, b.board_id, to_jsonb(b) ->> 'title', b.columns, to_jsonb(b) -> 'others'
FROM monday_sync.sync_board b ORDER BY b.board
"""


def read_runs(tx: Transaction, edges: Edges, at_work: str = "") -> list[DayOfRuns]:
    """How runs ended, by day and direction, without the one that is `at_work`."""
    return [DayOfRuns(*row) for row in tx.rows(_RUNS, {"edges": list(edges), "at_work": at_work})]


def read_durations(tx: Transaction, edges: Edges) -> list[DayOfDurations]:
    """How long they took, those that did something."""
    return [DayOfDurations(*row) for row in tx.rows(_DURATIONS, {"edges": list(edges)})]


def read_bad_runs(tx: Transaction, edges: Edges, at_work: str, limit: int) -> tuple[list[BadRun], int]:
    """The newest runs that did not end well, and how many there are in all."""
    rows = tx.rows(_BAD, {"edges": list(edges), "at_work": at_work, "limit": limit})
    found = [BadRun(*row[:-1])._replace(reason=tx.encoding.said(row[5])) for row in rows]
    return found, rows[0][-1] if rows else 0


def read_stages(tx: Transaction, edges: Edges) -> list[StageTime]:
    """Where the time went, the longest stage of each direction first."""
    return [StageTime(*row) for row in tx.rows(_STAGES, {"edges": list(edges)})]


def read_changes(tx: Transaction, edges: Edges) -> list[DayOfChanges]:
    """What was written, by day, side, table and action."""
    return [DayOfChanges(*row) for row in tx.rows(_CHANGES, {"edges": list(edges)})]


def read_calls(tx: Transaction, since: date) -> dict[date, float]:
    """Calls of monday.com's API, by its own day, which begins at midnight UTC."""
    return dict(tx.rows(_CALLS, (since,)))


def read_limit(tx: Transaction) -> int | None:
    """The daily limit that the newest run with one was given."""
    found = tx.one(_LIMIT)
    return int(found[0]) if found is not None else None


def read_boards(tx: Transaction) -> list[BoardMemory]:
    """What is remembered of each board."""
    return [
        BoardMemory(
            board,
            board_id,
            None if title is None else tx.encoding.said(title),
            tuple(entry.partition(" ")[0] for entry in columns),
            _others(tx, others),
        )
        for board, board_id, title, columns, others in tx.rows(_BOARDS)
    ]


def read_fill(tx: Transaction) -> dict[str, TableFill]:
    """Rows of each of the nine tables that is there, and how full its columns are, in one look at each."""
    shapes = read_shapes(tx)
    columns = {
        table: [name for name in model.__struct_fields__ if name in shapes[table].columns]
        for table, model in TABLES.items()
        if table in shapes
    }
    parts = [
        sql.SQL("SELECT {name}, count(*), ARRAY[{counts}] FROM {table}").format(
            name=sql.Literal(table),
            counts=sql.SQL(", ").join(sql.SQL("count({})").format(sql.Identifier(name)) for name in names),
            table=tx.table(table),
        )
        for table, names in columns.items()
    ]
    found = tx.rows(sql.SQL(" UNION ALL ").join(parts)) if parts else []
    return {table: TableFill(rows, dict(zip(columns[table], counts, strict=True))) for table, rows, counts in found}


def _others(tx: Transaction, kept: str | None) -> tuple[tuple[str, str, str], ...] | None:
    """The other columns as they were written down: a JSON list of lists, or null."""
    if kept is None:
        return None
    return msgspec.json.decode(tx.encoding.said(kept), type=tuple[tuple[str, str, str], ...] | None)
