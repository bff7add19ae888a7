"""What the nine tables really look like, whether they fit, and which values they would refuse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from types import MappingProxyType
from typing import Any, Final, get_args, get_type_hints

from models import FilesJson, RowId
from postgres.transaction import Transaction
from reconcile.errors import ConfigError
from reconcile.tables import TABLES

INSTANTS: Final = ("created_at", "updated_at")
"""The columns that every table has and no model: the database's own business."""

PRIVILEGES: Final = ("SELECT", "INSERT", "UPDATE")

# The types a field may live in, the usual one first. Not char(n): its padding would look like an edit for ever.
FAMILIES: Final[dict[Any, tuple[str, ...]]] = {
    str: ("text", "varchar", "citext"),
    RowId: ("uuid",),
    int: ("int8",),
    Decimal: ("numeric",),
    date: ("date",),
    datetime: ("timestamptz",),
    FilesJson: ("jsonb",),
    list[str]: ("_text", "_varchar"),
}
CENTS: Final = 2
_LARGEST_MONEY: Final = Decimal("999999999999.99")  # what numeric(14,2) holds, and decoding lets through

_SHAPES = """
SELECT c.relname, CASE WHEN c.relispartition OR c.reloftype <> 0 THEN 'fixed' ELSE c.relkind::text END,
    row_security_active(c.oid),
    ARRAY(SELECT p FROM unnest(%s) p WHERE has_table_privilege(c.oid, p)),
    EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal AND g.tgenabled <> 'D'
            AND g.tgtype & 7 = 7),
    a.attname, COALESCE(base.typname, t.typname), CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END,
    a.attnotnull OR t.typnotnull, a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL,
    a.attgenerated <> '' OR a.attidentity = 'a',
    EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
            AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum),
    CASE WHEN COALESCE(base.typtype, t.typtype) = 'e' THEN
        ARRAY(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = COALESCE(base.oid, t.oid)
              ORDER BY e.enumsortorder) END
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_type base ON t.typtype = 'd' AND base.oid = t.typbasetype
WHERE n.nspname = %s AND c.relname = ANY(%s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
ORDER BY c.relname, a.attnum
"""


@dataclass(frozen=True, slots=True)
class ColumnShape:
    """One column as it is. `type` is PostgreSQL's own name (`int8`, `_text`); a domain counts as its base type."""

    name: str
    type: str
    modifier: int
    not_null: bool
    has_default: bool
    generated: bool
    unique: bool
    labels: list[str] | None

    @property
    def max_length(self) -> int | None:
        """The n of varchar(n), in characters."""
        return self.modifier - 4 if self.type == "varchar" and self.modifier >= 4 else None

    @property
    def precision(self) -> tuple[int, int] | None:
        """The (p, s) of numeric(p, s): digits in all, and after the point."""
        if self.type != "numeric" or self.modifier < 4:
            return None
        packed = self.modifier - 4
        return packed >> 16 & 0xFFFF, (packed & 0x7FF ^ 1024) - 1024

    def refusal(self, value: Any) -> str | None:
        """Why the column would not take a value that its field can hold, without the value; None when it fits."""
        if value is None:
            return "it must not be empty there" if self.not_null else None
        if self.labels is not None and value not in self.labels:
            return "it is not one of the values of the enum"
        if self.max_length is not None and len(value) > self.max_length:
            return f"it is longer than {self.max_length} characters"
        if self.precision is not None and _overflows(value, *self.precision):
            return f"it has more digits than numeric({self.precision[0]}, {self.precision[1]})"
        return None

    @property
    def is_limited(self) -> bool:
        """Whether there is any value of its type that it refuses."""
        narrow = self.precision is not None and _overflows(_LARGEST_MONEY, *self.precision)
        return self.not_null or self.labels is not None or bool(self.max_length) or narrow


@dataclass(frozen=True, slots=True)
class TableShape:
    """One table as it is. `kind` is PostgreSQL's letter, or "fixed" where another one decides about the columns;
    `fills_itself` when a BEFORE INSERT trigger may fill columns that we do not know."""

    name: str
    kind: str
    hides_rows: bool
    privileges: frozenset[str]
    fills_itself: bool
    columns: Mapping[str, ColumnShape]


class Limits:
    """Which values the tables refuse beyond their types: varchar lengths, enum labels, numeric digits, NOT NULL."""

    def __init__(self, shapes: Mapping[str, TableShape]) -> None:
        self.columns: dict[tuple[str, str], ColumnShape] = {
            (table, name): column
            for table, shape in shapes.items()
            for name, column in shape.columns.items()
            if name in fields_of(table) and column.is_limited
        }

    def refusal(self, table: str, column: str, value: Any) -> str | None:
        """Why `table.column` would not take `value`, in words without it; None when it fits."""
        shape = self.columns.get((table, column))
        return shape.refusal(value) if shape else None


def read_shapes(tx: Transaction) -> dict[str, TableShape]:
    """The shapes of those of the nine tables that exist, in one query."""
    shapes: dict[str, TableShape] = {}
    columns: dict[str, dict[str, ColumnShape]] = {}
    for row in tx.rows(_SHAPES, (list(PRIVILEGES), tx.schema, list(TABLES))):
        table, kind, hides_rows, privileges, fills_itself, *column = row
        if table not in shapes:
            columns[table] = {}
            shapes[table] = TableShape(table, kind, hides_rows, frozenset(privileges), fills_itself, columns[table])
        columns[table][column[0]] = ColumnShape(*column)
    return shapes


def withheld(shapes: Mapping[str, TableShape]) -> list[str]:
    """What the role lacks on the tables: "INSERT on projects"."""
    return [
        f"{privilege} on {table}"
        for table, shape in shapes.items()
        for privilege in PRIVILEGES
        if privilege not in shape.privileges
    ]


def check(shapes: Mapping[str, TableShape]) -> list[str]:
    """Everything that does not fit the models, a sentence each; empty when the tables can be used as they are."""
    return missing(shapes) + misfits(shapes)


def missing(shapes: Mapping[str, TableShape]) -> list[str]:
    """The tables and columns that are not there: what a migration adds."""
    tables = [f"Table {table} is missing." for table in TABLES if table not in shapes]
    columns = [
        f"Column {table}.{name} is missing."
        for table, shape in shapes.items()
        for name in (*fields_of(table), *INSTANTS)
        if name not in shape.columns and name != "id"
    ]
    return tables + columns


def misfits(shapes: Mapping[str, TableShape]) -> list[str]:
    """What is there and does not fit: only a person can change that."""
    return [problem for shape in shapes.values() for problem in _misfits(shape)]


@cache
def fields_of(table: str) -> Mapping[str, Any]:
    """Column → Python type of a table's model, None aside: `{"id": RowId, "name": str, …}`.

    Raises ConfigError for a type that is not among `FAMILIES`.
    """
    kinds = {name: _without_none(hint) for name, hint in get_type_hints(TABLES[table]).items()}
    if unknown := [name for name, kind in kinds.items() if kind not in FAMILIES]:
        raise ConfigError(f"models.py gives {table}.{unknown[0]} a type that no column of PostgreSQL is known for")
    return MappingProxyType(kinds)


def _without_none(hint: Any) -> Any:
    given = [option for option in get_args(hint) if option is not type(None)]
    return given[0] if type(None) in get_args(hint) else hint


def _misfits(shape: TableShape) -> Iterator[str]:
    known = fields_of(shape.name)
    absent = [name for name in (*known, *INSTANTS) if name not in shape.columns and name != "id"]
    if shape.kind == "fixed" and absent:
        yield (
            f"Table {shape.name} is a partition, or made of a type, and lacks {', '.join(absent)}: add them to the "
            "table or type that it belongs to."
        )
    if shape.kind not in ("r", "p", "fixed"):
        yield f"{shape.name} is a view or a foreign table: a table is needed."
    if "id" not in shape.columns:
        yield f"Table {shape.name} has no column id of type uuid: add one as its primary key."
    if shape.hides_rows:
        yield f"Table {shape.name} has row-level security that hides rows from this role: give the role BYPASSRLS."
    for column in shape.columns.values():
        place = f"{shape.name}.{column.name}"
        if column.name in known:
            yield from _column_misfits(place, column, known[column.name], divided=shape.kind == "p")
        elif column.not_null and not (column.has_default or column.generated or shape.fills_itself):
            yield f"Column {place} is NOT NULL without a default, and not one this program fills: give it a default."


def _column_misfits(place: str, column: ColumnShape, kind: Any, *, divided: bool) -> Iterator[str]:
    family = FAMILIES[kind]
    if column.type not in family and not (kind is str and column.labels is not None):
        yield f"Column {place} has the type {column.type}: {family[0]} is needed."
    elif kind is Decimal and column.precision is not None and column.precision[1] < CENTS:
        yield f"Column {place} keeps {column.precision[1]} digits after the point: two are needed for cents."
    if column.generated:
        yield f"Column {place} is generated by the database: it cannot be written."
    if column.name == "id" and not column.unique:
        yield f"Column {place} has no primary key or unique index: " + (
            "a table is needed that is not partitioned, or by id alone." if divided else "add one."
        )


def _overflows(value: Decimal, precision: int, scale: int) -> bool:
    """Whether numeric(precision, scale) is out of range, after the rounding that the server does first."""
    return abs(value) >= Decimal(10) ** (precision - scale) - Decimal(5) / Decimal(10) ** (scale + 1)
