"""Changed rows of the nine tables: one UPDATE for all in which the same columns change."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from psycopg2 import sql

from models import FilesJson, RowId
from postgres.schema import fields_of
from postgres.transaction import Transaction
from reconcile.plan_pull import Update

_PLANNED = sql.SQL(
    " JOIN ROWS FROM (pg_catalog.unnest(%s::pg_catalog.uuid[]), pg_catalog.unnest(%s::pg_catalog.text[]))"
    " AS h (id, content) ON h.id OPERATOR(pg_catalog.=) s.id"
)


def by_columns(updates: Iterable[Update]) -> Iterator[tuple[tuple[str, ...], list[Update]]]:
    """The updates of one table by the columns that they set, in the same order for every writer."""
    groups: dict[tuple[str, ...], list[Update]] = defaultdict(list)
    for update in updates:
        groups[tuple(update.changes)].append(update)
    yield from sorted(groups.items())


def update_statement(
    tx: Transaction, table: str, columns: Sequence[str], content: sql.Composable | None = None
) -> sql.Composable:
    """SQL that sets these columns of the rows in its parameter, for the role's path: see `as_json`.

    The record set is typed by the table itself, so an enum or a varchar of an older database fits as it is. With the
    `content` of a row, as SQL of `t`, only those are written that still have it: see `unedited`.
    """
    joined: sql.Composable = sql.SQL("")
    as_before: sql.Composable = sql.SQL("")
    if content is not None:
        joined, as_before = _PLANNED, sql.SQL(" AND {} OPERATOR(pg_catalog.=) h.content").format(content)
    return sql.SQL(
        "UPDATE {table} AS t SET {set}, updated_at = pg_catalog.now()"
        " FROM pg_catalog.jsonb_populate_recordset(NULL::{table}, %s::pg_catalog.jsonb) AS s{joined}"
        " WHERE t.id OPERATOR(pg_catalog.=) s.id{as_before}"
    ).format(
        table=tx.table(table),
        set=sql.SQL(", ").join(sql.SQL("{0} = s.{0}").format(sql.Identifier(name)) for name in columns),
        joined=joined,
        as_before=as_before,
    )


def unedited(
    table: str, updates: Sequence[Update], contents: Mapping[RowId, str]
) -> tuple[str, list[RowId], list[str]]:
    """The parameters of a statement with `content`: the updates, and what each row held when they were planned."""
    ids = [update.id for update in updates]
    return as_json(table, map(changed_values, updates)), ids, [contents[row] for row in ids]


def changed_values(update: Update) -> dict[str, Any]:
    """What an update writes, with the row's id."""
    return {"id": update.id} | {column: after for column, (_before, after) in update.changes.items()}


def as_json(table: str, rows: Iterable[dict[str, Any]]) -> str:
    """Rows as a JSON array; jsonb columns hold JSON themselves."""
    files = {column for column, kind in fields_of(table).items() if kind is FilesJson}
    records = [{column: _json_value(column in files, value) for column, value in row.items()} for row in rows]
    return json.dumps(records, default=str, ensure_ascii=False)


def _json_value(is_json: bool, value: Any) -> Any:
    return json.loads(value) if is_json and isinstance(value, str) else value
