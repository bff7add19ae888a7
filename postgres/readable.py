"""Values that a column holds and this program cannot: found where they are loaded, and listed where they stand.

PostgreSQL's dates reach from 4713 BC to the year 294276 and to infinity, its numbers to NaN, and a list may hold lists.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import msgspec
import psycopg2
from psycopg2 import extensions, sql

from models import UNREADABLE, Unreadable
from postgres.schema import fields_of
from postgres.transaction import Transaction
from reconcile.tables import TABLES

MONEY_LIMIT: Final = Decimal("999999999999.995")
"""From here on numeric(14,2) rounds to more than it holds."""

LISTED: Final = 100
"""Rows that are named of one column; the count is always whole."""

_DAYS = ("{0} BETWEEN '0001-01-01' AND '9999-12-31'", "a date outside of the years 1 to 9999")
_INSTANTS = (
    "{0} BETWEEN '0001-01-01 00:00:00+00' AND '9999-12-31 23:59:59.999999+00'",
    "a time outside of the years 1 to 9999",
)
_MONEY = (f"abs({{0}}) < {MONEY_LIMIT}", "an amount that is no number below 1,000,000,000,000")
READABLE_WORDS: Final = "CASE WHEN array_ndims({0}) > 1 THEN false ELSE array_position({0}::text[], NULL) IS NULL END"
"""SQL that says whether a column's list can be read."""
_WORDS = (READABLE_WORDS, "a list with an empty entry, or with lists in it")
_READABLE: Final[Mapping[Any, tuple[str, str]]] = {date: _DAYS, datetime: _INSTANTS, list[str]: _WORDS, Decimal: _MONEY}
"""A column's type → SQL that says whether its value can be read, and what it is where it cannot."""


class Unreadables(msgspec.Struct, frozen=True):
    """Values of one column ("table.column") that cannot be read: what they are, how many, and the first rows."""

    place: str
    what: str
    count: int
    rows: list[str]


def register(connection: extensions.connection) -> None:
    """Let what cannot be read come out as UNREADABLE, where psycopg2 would raise, or make it another date."""
    for caster in _CASTERS:
        extensions.register_type(caster, connection)


def _guarded(cast: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def read(text: Any, cursor: Any) -> Any:
        if text is None:
            return None
        if text.endswith("infinity"):
            return UNREADABLE
        try:
            return cast(text, cursor)
        except (ValueError, OverflowError, psycopg2.Error):
            return UNREADABLE

    return read


def _amount(text: Any, _cursor: Any) -> Decimal | Unreadable | None:
    if text is None:
        return None
    value = Decimal(text)
    return value if value.is_finite() and abs(value) < MONEY_LIMIT else UNREADABLE


def _words(text: Any, cursor: Any) -> list[str] | Unreadable | None:
    words = extensions.UNICODEARRAY(text, cursor)
    return words if words is None or all(isinstance(word, str) for word in words) else UNREADABLE


# https://www.postgresql.org/docs/current/catalog-pg-type.html: date, timestamptz, numeric and varchar[] by their fixed
# type ids. Models read their lists of words as varchar[] (`state.read_column`), since text[] carries the state's own.
_CASTERS = (
    extensions.new_type((1082,), "DAY", _guarded(extensions.PYDATE)),
    extensions.new_type((1184,), "INSTANT", _guarded(extensions.PYDATETIMETZ)),
    extensions.new_type((1700,), "AMOUNT", _amount),
    extensions.new_type((1015,), "WORDS", _words),
)


def unreadable_values(tx: Transaction, present: Mapping[str, Collection[str]]) -> Iterator[sql.Composable]:
    """Queries, one a column, each with one row where there is such a value: 'unreadable', how many, and an
    `Unreadables` as JSON."""
    for table in TABLES:
        for column, kind in fields_of(table).items():
            if kind not in _READABLE or column not in present.get(table, ()):
                continue
            readable, what = _READABLE[kind]
            yield sql.SQL(
                "SELECT 'unreadable', count(*), json_build_object('place', {place}, 'what', {what}, 'count', count(*),"
                " 'rows', (array_agg(t.id::text ORDER BY t.id))[1:{listed}])::text FROM {table} t"
                " WHERE NOT ({readable}) HAVING count(*) > 0"
            ).format(
                place=sql.Literal(f"{table}.{column}"),
                what=sql.Literal(what),
                listed=sql.Literal(LISTED),
                table=tx.table(table),
                readable=sql.SQL(readable).format(sql.Identifier("t", column)),
            )


def unreadable_in(tx: Transaction, present: Mapping[str, Collection[str]]) -> list[Unreadables]:
    """Such values of all columns, in one query."""
    queries = list(unreadable_values(tx, present))
    rows = tx.rows(sql.SQL(" UNION ALL ").join(queries)) if queries else []
    return [msgspec.json.decode(found, type=Unreadables) for _, _, found in rows]
