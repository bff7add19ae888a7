"""What people were told of, so that it is said once: by which run, and until it is over.

A thing that is listed anyway (`sync_dead`, `sync_conflict`) says in its own row which run told of it; everything else
has a row in `sync_told`, by topic and place.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec
from psycopg2 import sql

from models import RowId
from postgres.records import Present, becomes_item, boards_present, has_no_item
from postgres.transaction import Params, Transaction
from reconcile.tables import HOMES, RECORDS, TABLES, pointing_at

UNSEEN: Final = "unseen"
"""Rows that no project shows, so that nothing of them travels; place: `table.row`."""
UNSENT: Final = "unsent"
"""Rows that wait for a push while none is made; place: `table.row`."""
VALUE: Final = "value"
"""Values that PostgreSQL holds and that no run can read; place: `table.row.column`."""
ALIKE: Final = "alike"
"""New persons with the e-mail of one who is on the staff board; place: `table.row`."""
FANNED: Final = "fanned"
"""Rows that too many items show; place: `table.row`."""
WAITING: Final = "waiting"
"""Rows that a push could not send; place: `table.row`."""
FOLDER: Final = "folder"
"""Folders that cannot be written; place: the machine, a blank, the folder."""
SETTING: Final = "setting"
"""Settings that others can read or change; place: the machine, a blank, the sentence."""
NEWS_AGAIN: Final = "told_by = CASE WHEN sync_dead.reason = EXCLUDED.reason THEN sync_dead.told_by END"
"""SQL of an upsert into `sync_dead`: what is set aside for another reason than before is news."""
_LISTED: Final = 100
"""Rows that are named of one table; the counts are always whole."""
_BY_QUERY: Final = (UNSEEN, UNSENT)
"""Topics of which the current places are a query; of all others the caller knows them."""


class Notice(NamedTuple):
    """Something to be said once; the same topic and place is the same thing."""

    topic: str
    place: str
    text: str


class Unseen(msgspec.Struct, frozen=True):
    """Rows of one table that no project shows: how many, how many of them are news, and the first of these."""

    table: str
    count: int
    new: int
    rows: list[str]


@dataclass(frozen=True, slots=True)
class Judged:
    """What a run has found out about topics of its own: `notices` are so, and of the `topics` nothing else is (of those
    places that begin with `here`, where the topic is about a machine)."""

    notices: Sequence[Notice]
    topics: Collection[str]
    here: str = ""

    def over(self, told: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """What people were told of and is so no more."""
        now = {(notice.topic, notice.place) for notice in self.notices}
        return sorted(
            entry for entry in told if entry[0] in self.topics and entry not in now and entry[1].startswith(self.here)
        )


def told_query() -> sql.Composable:
    """SQL of everything in `sync_told`: by place, and by number where the places are a query."""
    return sql.SQL(
        "SELECT 'told', 0, json_build_array(topic, place)::text FROM monday_sync.sync_told"
        " WHERE topic <> ALL ({topics}) UNION ALL SELECT 'told ' || topic, count(*), NULL FROM monday_sync.sync_told"
        " WHERE topic = ANY ({topics}) GROUP BY topic"
    ).format(topics=sql.Literal(list(_BY_QUERY)))


def unseen_query(
    tx: Transaction, present: Present, *, remembers: bool, linked: Collection[RowId] = ()
) -> sql.Composable | None:
    """SQL of the rows that no project shows, by table; None where there is no table of projects. `linked` ones would be
    shown. Not `remembers`: nothing is known of what people were told of."""
    rows = unseen_rows(tx, present)
    if rows is None:
        return None
    told = "LEFT JOIN monday_sync.sync_told w ON w.topic = u.topic AND w.place = u.place" if remembers else ""
    new = "w.place IS NULL" if remembers else "true"
    return sql.SQL(
        "SELECT 'unseen', count(*), json_build_object('table', split_part(u.place, '.', 1), 'count', count(*),"
        " 'new', count(*) FILTER (WHERE {new}), 'rows', coalesce((array_agg(split_part(u.place, '.', 2)"
        " ORDER BY u.place) FILTER (WHERE {new}))[1:{listed}], '{{}}'))::text FROM ({rows}) u {told}"
        " WHERE {linked} GROUP BY split_part(u.place, '.', 1)"
    ).format(
        new=sql.SQL(new),
        rows=rows,
        told=sql.SQL(told),
        listed=sql.Literal(_LISTED),
        linked=sql.SQL("split_part(u.place, '.', 2) <> ALL ({})").format(sql.Literal(sorted(linked)))
        if linked
        else sql.SQL("true"),
    )


def unseen_rows(tx: Transaction, present: Present) -> sql.Composable | None:
    """SQL (topic, place) of rows that no item was ever linked to, that no project points at, and that will be no item
    themselves."""
    boards, parts = boards_present(present), []
    board_of = {table: board for board, table in boards.items()}
    for table in TABLES:
        shown = [
            _not_pointed_at(tx, board_of[other], other, column)
            for other, column in pointing_at(table)
            if other in board_of and column in present[other]
        ]
        if table not in present or not shown or (table in RECORDS and table not in board_of):
            continue
        if table in board_of:
            shown.append(sql.SQL("{} AND NOT {}").format(has_no_item("t"), becomes_item(board_of[table], "t")))
        parts.append(
            sql.SQL(
                "SELECT {topic}::text AS topic, {name} || '.' || t.id AS place FROM (SELECT t.* FROM {table} t"
                " WHERE NOT EXISTS (SELECT FROM monday_sync.sync_row s WHERE s.table_name = {name}"
                " AND s.row_id = t.id) OFFSET 0) t WHERE {shown}"
            ).format(
                topic=sql.Literal(UNSEEN),
                name=sql.Literal(table),
                table=tx.table(table),
                shown=sql.SQL(" AND ").join(shown),
            )
        )
    return sql.SQL(" UNION ALL ").join(parts) if parts else None


def _not_pointed_at(tx: Transaction, board: str, table: str, column: str) -> sql.Composable:
    """SQL of whether no row of a board's records points at the row `t`. Where those are found by keys, most rows may be
    no item's."""
    item: sql.Composable = sql.SQL("true")
    if table in HOMES:
        item = sql.SQL("(r.monday_item_id IS NOT NULL OR {})").format(becomes_item(board, "r"))
    return sql.SQL("t.id NOT IN (SELECT {0} FROM {1} r WHERE {0} IS NOT NULL AND {2})").format(
        sql.Identifier("r", column), tx.table(table), item
    )


def now_told(
    tx: Transaction, run_id: str, judged: Judged, told: Collection[tuple[str, str]]
) -> list[tuple[str, Params]]:
    """The statements by which this run has told of what is new, and by which what is over may be news again."""
    new, over = sorted({(notice.topic, notice.place) for notice in judged.notices} - set(told)), judged.over(told)
    statements: list[tuple[str, Params]] = []
    if new:
        statements.append((_TELL, (run_id, *_columns(tx, new))))
    if over:
        statements.append((_FORGET, _columns(tx, over)))
    return statements


_TELL: Final = """
INSERT INTO monday_sync.sync_told (topic, place, told_by)
SELECT w.topic, w.place, %s FROM unnest(%s::text[], %s::text[]) AS w (topic, place)
ON CONFLICT (topic, place) DO NOTHING
"""
_FORGET: Final = """
DELETE FROM monday_sync.sync_told t USING unnest(%s::text[], %s::text[]) AS w (topic, place)
WHERE t.topic = w.topic AND t.place = w.place
"""


def _columns(tx: Transaction, entries: Collection[tuple[str, str]]) -> tuple[list[str], list[str]]:
    return [topic for topic, _place in entries], [tx.encoding.kept(place) for _topic, place in entries]


def now_told_by_query(
    tx: Transaction, run_id: str, topic: str, rows: sql.Composable, *, new: bool, over: bool
) -> list[tuple[str, Params]]:
    """The same of a topic whose places are a query (topic, place)."""
    text = sql.SQL(rows.as_string(tx.connection).replace("%", "%%"))
    statements: list[tuple[str, Params]] = []
    if new:
        tell = sql.SQL(
            "INSERT INTO monday_sync.sync_told (topic, place, told_by) SELECT u.topic, u.place, %s FROM ({rows}) u"
            " ON CONFLICT (topic, place) DO NOTHING"
        )
        statements.append((tell.format(rows=text).as_string(tx.connection), (run_id,)))
    if over:
        forget = sql.SQL(
            "DELETE FROM monday_sync.sync_told t WHERE t.topic = %s AND t.place NOT IN (SELECT u.place FROM ({rows}) u)"
        )
        statements.append((forget.format(rows=text).as_string(tx.connection), (topic,)))
    return statements


def lists_told(run_id: str, *, dead: bool, opened: bool, lost: bool) -> list[tuple[str, Params]]:
    """The statements by which this run has told of what the lists hold: values set aside, edits that wait, edits that
    lost; each only where there is something new."""
    wanted = ((_DEAD, dead), (_OPEN, opened), (_LOST, lost))
    return [(statement, (run_id,)) for statement, is_wanted in wanted if is_wanted]


_DEAD: Final = "UPDATE monday_sync.sync_dead SET told_by = %s WHERE told_by IS NULL"
_OPEN: Final = "UPDATE monday_sync.sync_conflict SET open_told_by = %s WHERE state = 'open' AND open_told_by IS NULL"
_LOST: Final = "UPDATE monday_sync.sync_conflict SET told_by = %s WHERE state = 'settled' AND told_by IS NULL"
