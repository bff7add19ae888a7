"""Writes rows of the nine tables and finds what the database refuses of them: the columns where those are to blame,
else the row. All go in one statement where nothing is refused.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import psycopg2
from msgspec.structs import asdict, astuple
from psycopg2 import sql

from models import Row, RowId
from postgres.bases import rows_by_id
from postgres.copy import CopyText
from postgres.errors import is_rows_fault
from postgres.records import Present
from postgres.rules import Rules
from postgres.transaction import Transaction
from postgres.updates import as_json, by_columns, changed_values, update_statement
from reconcile.layout import together
from reconcile.plan_pull import Update
from reconcile.tables import OURS, SPECS, TABLES

logger = logging.getLogger(__name__)
T = TypeVar("T")

_ROWS_A_STATEMENT = 5_000
_NOT_NULL, _TAKEN = "23502", "23505"
_FRUITLESS = 3
"""Rows in a row of which no column is to blame for the same refusal, before nobody looks for one any more."""
EVERYTHING: Present = {table: model.__struct_fields__ for table, model in TABLES.items()}
"""Every table with every column of its model: what is there once the migrations are."""
SKIPPED = "a trigger or rule of the table left it out"
CHANGED = "a trigger or rule of the table stored something else"


@dataclass(frozen=True, slots=True)
class RowRejection:
    """A row that the database would not take, or those of its columns: the rule's name, and never a value."""

    table: str
    row: RowId
    reason: str
    columns: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Job(Generic[T]):
    """Rows of one table that set the same columns. `write` leaves some columns out; the number of rows it met."""

    table: str
    new: bool
    columns: tuple[str, ...]
    write: Callable[[Sequence[T], frozenset[str]], int]
    id_of: Callable[[T], RowId]
    values: Callable[[T], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[T]):
    """A row that cannot have what another row has; that one may be about to give it up."""

    job: _Job[T]
    row: T
    omit: frozenset[str]
    taken: frozenset[str]


@dataclass(slots=True)
class RowWriter:
    """`dropped` are columns of landed rows that were left out; `idle` rows of which nothing was left to be written."""

    tx: Transaction
    rules: Rules
    at_once: bool = False
    """Whether deferred constraints are looked at with each statement."""
    refused: list[RowRejection] = field(default_factory=list)
    dropped: dict[RowId, frozenset[str]] = field(default_factory=dict)
    idle: set[RowId] = field(default_factory=set)
    inserted: Counter[str] = field(default_factory=Counter)
    updated: Counter[str] = field(default_factory=Counter)
    _gone: set[RowId] = field(default_factory=set)
    _waiting: list[_Waiting[Any]] = field(default_factory=list)
    _may_wait: bool = False
    _learned: dict[tuple[str, str], list[frozenset[str]]] = field(default_factory=lambda: defaultdict(list))
    _fruitless: Counter[tuple[str, str]] = field(default_factory=Counter)

    def write(self, table: str, rows: Sequence[Row], updates: Sequence[Update]) -> None:
        """New and changed rows of one table. Values that rows hand on or exchange under a unique index are written once
        all of them have let go."""
        self._may_wait = bool(updates)
        self._insert(table, rows)
        for columns, group in by_columns(updates):
            self._update(table, columns, group)
        self._may_wait = False
        waiting, self._waiting = self._waiting, []
        while waiting:
            waiting = self._exchange(waiting)

    def _insert(self, table: str, rows: Sequence[Row]) -> None:
        """By COPY."""
        columns = TABLES[table].__struct_fields__

        def write(part: Sequence[Row], omit: frozenset[str]) -> int:
            kept = [column for column in columns if column not in omit]
            names = sql.SQL(", ").join(map(sql.Identifier, kept))
            if self.rules.rewrites_inserts(table):
                return self._insert_select(table, names, part)
            statement = sql.SQL("COPY {} ({}) FROM STDIN").format(self.tx.table(table), names)
            chosen = map(astuple, part) if not omit else ([getattr(row, column) for column in kept] for row in part)
            with self.tx.role_path():
                return self.tx.copy_in(statement, CopyText(chosen))

        if rows:
            self._land(_Job(table, True, columns, write, lambda row: row.id, asdict), rows, frozenset())

    def _insert_select(self, table: str, names: sql.Composable, rows: Sequence[Row]) -> int:
        """As people's own programs would, so that the table's rules see it."""
        statement = sql.SQL(
            "INSERT INTO {table} ({names}) SELECT {names}"
            " FROM pg_catalog.jsonb_populate_recordset(NULL::{table}, %s::pg_catalog.jsonb) AS s"
        ).format(table=self.tx.table(table), names=names)
        parts = (rows[start : start + _ROWS_A_STATEMENT] for start in range(0, len(rows), _ROWS_A_STATEMENT))
        with self.tx.role_path():
            return sum(self.tx.execute(statement, (as_json(table, map(asdict, part)),)) for part in parts)

    def _update(self, table: str, columns: tuple[str, ...], group: Sequence[Update]) -> None:
        """One UPDATE for all rows in which the same columns change."""

        def write(part: Sequence[Update], omit: frozenset[str]) -> int:
            kept = [column for column in columns if column not in omit]
            if not kept:
                self.idle |= {update.id for update in part}
                return len(part)
            statement = update_statement(self.tx, table, kept)
            parts = (part[start : start + _ROWS_A_STATEMENT] for start in range(0, len(part), _ROWS_A_STATEMENT))
            with self.tx.role_path():
                return sum(self.tx.execute(statement, (as_json(table, map(changed_values, some)),)) for some in parts)

        job = _Job(table, False, columns, write, lambda update: update.id, changed_values)
        self._land(job, group, frozenset())

    def _exchange(self, waiting: list[_Waiting[Any]]) -> list[_Waiting[Any]]:
        """Write rows after all of them have let go of what they are to change; those that stay where one of them is
        refused even then."""
        refused, gone = list(self.refused), set(self._gone)
        with self.tx.savepoint() as part:
            for each in waiting:
                self._let_go(each)
            failed = [each for each in waiting if self._attempt(each.job, [each.row], each.omit) is not None]
            part.kept = not failed
        if not part.kept:
            self.refused, self._gone = refused, gone
        for each in waiting if part.kept else failed:
            if part.kept:
                self._landed(each.job, [each.row], each.omit, "")
            else:
                self._land(each.job, [each.row], each.omit)
        return [each for each in waiting if each not in failed] if failed else []

    def _let_go(self, each: _Waiting[Any]) -> None:
        """Empty for the moment what a row is to change, if that may be."""
        columns = [] if each.job.new else sorted(each.taken.intersection(each.job.columns) - each.omit)
        if not columns:
            return
        empty = sql.SQL(", ").join(sql.SQL("{} = NULL").format(sql.Identifier(column)) for column in columns)
        statement = sql.SQL("UPDATE {} SET {} WHERE id OPERATOR(pg_catalog.=) %s::pg_catalog.uuid").format(
            self.tx.table(each.job.table), empty
        )
        try:
            with self.tx.savepoint(), self.tx.role_path():
                self.tx.execute(statement, (each.job.id_of(each.row),))
        except psycopg2.Error as error:
            if not is_rows_fault(error):
                raise

    # Finding what is refused

    def _land(self, job: _Job[T], rows: Sequence[T], omit: frozenset[str], why: str = "") -> None:
        """Write rows without the columns of `omit`, which were refused because of `why`."""
        error = self._attempt(job, rows, omit)
        if error is None:
            self._landed(job, rows, omit, why)
            return
        if len(rows) == 1:
            self._alone(job, rows[0], omit, error, why)
            return
        broken = self._broken(job, rows, omit, error)
        if broken and len(broken) < len(rows):
            parts = [[row for row in rows if job.id_of(row) in broken], [r for r in rows if job.id_of(r) not in broken]]
            for part in parts:
                self._land(job, part, omit, why)
            return
        blamed = self._droppable(job, self.rules.blamed(job.table, error), omit) if broken else []
        if blamed:
            self._land_without(job, rows, omit | blamed[0], why or self.rules.reason(job.table, error))
            return
        if broken and error.pgcode == _NOT_NULL:  # and there is nothing else that could stand there
            for row in rows:
                reason = why or self.rules.reason(job.table, error)
                self._refuse(job.table, job.id_of(row), f"the database refused it: {reason}")
            return
        middle = len(rows) // 2
        for half in (rows[:middle], rows[middle:]):
            self._land(job, half, omit, why)

    def _land_without(self, job: _Job[T], rows: Sequence[T], omit: frozenset[str], why: str) -> None:
        kept = [row for row in rows if self._substance(job, row, omit)]
        if kept:
            self._land(job, kept, omit, why)
        for row in rows:
            if not self._substance(job, row, omit):
                self._refuse(job.table, job.id_of(row), f"the database refused it: {why}")

    def _attempt(self, job: _Job[T], rows: Sequence[T], omit: frozenset[str]) -> psycopg2.Error | None:
        """Write rows, or leave everything as it was and give the reason. Raises what is no row's fault."""
        try:
            with self.tx.savepoint():
                met = job.write(rows, omit)
                if self.at_once:
                    look_at_deferred(self.tx, self.rules)
                if job.new and self.rules.rewriting:  # which may have given a row another id
                    met = min(met, self._there(job, rows))
        except psycopg2.Error as error:
            if not is_rows_fault(error):
                raise
            return error
        if met < len(rows):
            self._skipped(job, rows, omit)
        return None

    def _there(self, job: _Job[T], rows: Sequence[T]) -> int:
        statement = sql.SQL("SELECT count(*) FROM {} WHERE id = ANY(%s::uuid[])").format(self.tx.table(job.table))
        found = self.tx.one(statement, ([job.id_of(row) for row in rows],))
        return found[0] if found else 0

    def _alone(self, job: _Job[T], row: T, omit: frozenset[str], error: psycopg2.Error, why: str) -> None:
        """One row that is refused: without the columns that are to blame, else not at all."""
        reason = why or self.rules.reason(job.table, error)
        key = (job.table, reason)
        named = self.rules.blamed(job.table, error)
        if self._may_wait and error.pgcode == _TAKEN:
            self._waiting.append(_Waiting(job, row, omit, frozenset().union(*named)))
            return
        ways = self._droppable(job, named, omit)
        for columns in [*ways, *([frozenset().union(*ways)] if len(ways) > 1 else [])]:
            again = self._attempt(job, [row], omit | columns) if self._substance(job, row, omit | columns) else error
            if again is None:
                self._landed(job, [row], omit | columns, reason)
                return
            if self.rules.reason(job.table, again) != self.rules.reason(job.table, error):  # another rule stands behind
                self._alone(job, row, omit | columns, again, reason)
                return
        found = None if named else self._search(job, row, omit, key)
        if found is None:
            self._refuse(job.table, job.id_of(row), f"the database refused it: {reason}")
        else:
            self._landed(job, [row], found, reason)

    def _search(self, job: _Job[T], row: T, omit: frozenset[str], key: tuple[str, str]) -> frozenset[str] | None:
        """The columns without which a row lands that something unknown refuses: one of them, or else as few as can be
        found by adding one after the other. It lands here; None where nothing helps."""
        if self._fruitless[key] >= _FRUITLESS:
            return None
        values = job.values(row)
        singles = self._droppable(job, [frozenset((column,)) for column in values], omit)
        told = [columns for columns in singles if not job.new or any(values[column] is not None for column in columns)]
        for columns in dict.fromkeys([*self._learned[key], *told]):
            if self._substance(job, row, omit | columns) and self._attempt(job, [row], omit | columns) is None:
                self._learned[key] = list(dict.fromkeys([columns, *self._learned[key]]))
                return omit | columns
        if len(told) > 1 and (found := self._grown(job, row, omit, told)) is not None:
            return found
        self._fruitless[key] += 1
        return None

    def _grown(
        self, job: _Job[T], row: T, omit: frozenset[str], groups: Sequence[frozenset[str]]
    ) -> frozenset[str] | None:
        least = left = omit.union(*groups)
        if not self._fits(job, row, left):
            return None
        for columns in groups:
            if self._fits(job, row, left - columns):
                left -= columns
        if left == least or not self._substance(job, row, left) or self._attempt(job, [row], left) is not None:
            return None
        return left

    def _fits(self, job: _Job[T], row: T, omit: frozenset[str]) -> bool:
        """Whether a row would land; nothing is written."""
        try:
            with self.tx.savepoint() as trial:
                trial.kept = False
                met = job.write([row], omit)
                if self.at_once:
                    look_at_deferred(self.tx, self.rules)
        except psycopg2.Error as error:
            if not is_rows_fault(error):
                raise
            return False
        self.idle.discard(job.id_of(row))
        return met > 0

    def _substance(self, job: _Job[T], row: T, omit: frozenset[str]) -> bool:
        """Whether a row says anything of its own without these columns; an old one does."""
        if not job.new:
            return True
        spec = SPECS[job.table]
        nothing = {"id", *spec.derived, *spec.foreign_keys, *omit}
        return any(value is not None for column, value in job.values(row).items() if column not in nothing)

    def _droppable(self, job: _Job[T], blamed: Iterable[frozenset[str]], omit: frozenset[str]) -> list[frozenset[str]]:
        """Of the blamed columns those that are written and may be left out, each with what stands or falls with it."""
        found = []
        for columns in blamed:
            mine = {other for column in columns for other in together(job.table, column)} & set(job.columns)
            if not mine & _with_row(job.table) and (new := frozenset(mine - omit)):
                found.append(new)
        return list(dict.fromkeys(found))

    def _broken(self, job: _Job[T], rows: Sequence[T], omit: frozenset[str], error: psycopg2.Error) -> set[RowId]:
        """The rows that certainly break the rule which refused them all, where that can be told without trying each."""
        blamed = self.rules.blamed(job.table, error)
        if error.pgcode == _NOT_NULL:
            columns = [column for columns in blamed for column in columns]
            return {job.id_of(r) for r in rows if any(job.values(r).get(column, r) is None for column in columns)}
        check = self.rules.check(job.table, error)
        if check is None or (job.new and not all(columns <= set(job.columns) - omit for columns in blamed)):
            return set()
        written = [{c: value for c, value in job.values(row).items() if c not in omit} for row in rows]
        table = self.tx.table(job.table)
        statement = sql.SQL(
            "SELECT id::text FROM (SELECT s.* FROM jsonb_array_elements(%s::jsonb) AS w (patch)"
            " LEFT JOIN {table} t ON t.id = (w.patch->>'id')::uuid"
            " CROSS JOIN LATERAL jsonb_populate_record(t, w.patch) AS s) AS s WHERE NOT ({check})"
        ).format(table=table, check=sql.SQL(check.replace("%", "%%")))
        try:
            with self.tx.savepoint():
                return {row for (row,) in self.tx.rows(statement, (as_json(job.table, written),))}
        except psycopg2.Error as failed:
            if not is_rows_fault(failed):
                raise
            return set()

    def _skipped(self, job: _Job[T], rows: Sequence[T], omit: frozenset[str]) -> None:
        """Rows of which the database wrote nothing, and said nothing."""
        ids = [job.id_of(row) for row in rows]
        there = {row.id: row for row in rows_by_id(self.tx, job.table, EVERYTHING, ids)}
        for row in rows:
            stored = there.get(job.id_of(row))
            if stored is None or (isinstance(row, Update) and _is_as_before(row, stored, omit)):
                self._refuse(job.table, job.id_of(row), SKIPPED)

    # What became of them

    def _landed(self, job: _Job[T], rows: Sequence[T], omit: frozenset[str], why: str) -> None:
        there = [row for row in rows if job.id_of(row) not in self._gone] if self._gone else rows
        if not omit.issuperset(job.columns):
            (self.inserted if job.new else self.updated)[job.table] += len(there)
        for row in there if omit else ():
            row_id, values = job.id_of(row), job.values(row)
            self.dropped[row_id] = omit
            lost = frozenset(column for column in omit if not job.new or values[column] is not None)
            if lost:  # else the column's default stands for an empty cell
                logger.warning("columns refused table=%s row=%s columns=%s %s", job.table, row_id, sorted(lost), why)
                self.refused.append(RowRejection(job.table, row_id, why, lost))

    def _refuse(self, table: str, row: RowId, reason: str) -> None:
        logger.warning("row refused table=%s row=%s reason=%s", table, row, reason)
        self.refused.append(RowRejection(table, row, reason))
        self._gone.add(row)


def look_at_deferred(tx: Transaction, rules: Rules) -> None:
    """Let the deferred constraints say now what they would say at COMMIT, and be deferred again."""
    if rules.deferred:
        names = sql.SQL(", ").join(rules.deferred)
        with tx.role_path():
            tx.execute(sql.SQL("SET CONSTRAINTS {0} IMMEDIATE; SET CONSTRAINTS {0} DEFERRED").format(names))


def _is_as_before(update: Update, stored: Row, omit: frozenset[str]) -> bool:
    kept = [(column, before) for column, (before, _after) in update.changes.items() if column not in omit]
    return bool(kept) and all(getattr(stored, column) == before for column, before in kept)


def _with_row(table: str) -> frozenset[str]:
    """Columns that go with their row: without them it would not be what it is."""
    spec = SPECS[table]
    return OURS | {column for column, of in spec.derived.items() if not of and column not in spec.foreign_keys}


def pointers(table: str) -> list[str]:
    """The foreign key columns of a table."""
    return list(SPECS[table].foreign_keys)
