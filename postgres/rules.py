"""The owner's own rules on the nine tables: constraints, triggers and rewrite rules. What no plan can foretell is named
beforehand, and where a row is refused they tell which of its columns are to blame.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import psycopg2
from psycopg2 import sql

from postgres.transaction import Transaction
from reconcile.tables import SPECS, TABLES

_NOT_NULL = "23502"

# A trigger counts for what it does to inserts and updates; one that fires on replicas alone does not. The children of a
# partitioned table count as the table. `tied` are columns that a constraint or an index depends on, whatever it is made
# of. A check of a domain stands once for each column of that type.
_RULES = """
WITH ours AS MATERIALIZED (
    SELECT c.oid, c.relname, c.relnamespace FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %s AND c.relname = ANY(%s) AND c.relkind IN ('r', 'p')
), family AS MATERIALIZED (
    SELECT oid, relname FROM ours
    UNION SELECT p.relid, o.relname FROM ours o CROSS JOIN LATERAL pg_partition_tree(o.oid) p
), tied AS MATERIALIZED (
    SELECT d.classid, d.objid, f.relname, array_agg(DISTINCT a.attname::text) AS columns
    FROM family f JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = f.oid AND d.refobjsubid > 0
    JOIN pg_attribute a ON a.attrelid = f.oid AND a.attnum = d.refobjsubid
    WHERE d.classid IN ('pg_constraint'::regclass, 'pg_class'::regclass) GROUP BY 1, 2, 3
)
SELECT f.relname::text, 'trigger', g.tgname::text, NULL::text[], p.proname::text, false, ''
FROM family f JOIN pg_trigger g ON g.tgrelid = f.oid JOIN pg_proc p ON p.oid = g.tgfoid
WHERE NOT g.tgisinternal AND g.tgenabled IN ('O', 'A') AND g.tgtype & 20 <> 0
UNION SELECT f.relname, CASE w.ev_type WHEN '3' THEN 'insert rule' ELSE 'update rule' END, w.rulename, NULL, NULL,
    false, ''
FROM family f JOIN pg_rewrite w ON w.ev_class = f.oid
WHERE w.rulename <> '_RETURN' AND w.ev_enabled IN ('O', 'A') AND w.ev_type IN ('2', '3')
UNION SELECT f.relname, CASE c.contype WHEN 'c' THEN 'check' WHEN 'f' THEN 'foreign key' WHEN 'x' THEN 'exclusion'
    WHEN 't' THEN 'constraint trigger' ELSE 'unique' END, c.conname, t.columns,
    CASE c.contype WHEN 'c' THEN pg_get_expr(c.conbin, c.conrelid)
        WHEN 'f' THEN (SELECT r.relname::text FROM pg_class r WHERE r.oid = c.confrelid) END,
    c.condeferrable AND c.condeferred, n.nspname
FROM family f JOIN pg_constraint c ON c.conrelid = f.oid JOIN pg_namespace n ON n.oid = c.connamespace
LEFT JOIN tied t ON t.classid = 'pg_constraint'::regclass AND t.objid = c.oid AND t.relname = f.relname
WHERE c.contype IN ('c', 'f', 'x', 't', 'u', 'p')
UNION SELECT f.relname, 'unique', x.relname, t.columns, NULL, false, ''
FROM family f JOIN pg_index i ON i.indrelid = f.oid AND i.indisunique JOIN pg_class x ON x.oid = i.indexrelid
LEFT JOIN tied t ON t.classid = 'pg_class'::regclass AND t.objid = i.indexrelid AND t.relname = f.relname
WHERE NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid AND c.contype IN ('u', 'p', 'x'))
UNION SELECT o.relname, 'domain', c.conname, ARRAY[a.attname::text], NULL, false, ''
FROM ours o JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_constraint c ON c.contypid = a.atttypid AND c.contype = 'c'
ORDER BY 1, 2, 3
"""


@dataclass(frozen=True, slots=True)
class TableRule:
    """One rule of a table. `columns` are those it looks at, as far as the catalogue knows; `told` is the expression of
    a check, the function of a trigger, or the table that a foreign key points at; `schema` is where a deferred
    constraint is named."""

    table: str
    kind: str
    name: str
    columns: frozenset[str]
    told: str | None
    deferred: bool
    schema: str

    @property
    def ours(self) -> bool:
        """Whether the program made it, or could have: no surprise comes from it."""
        if self.kind == "unique":
            return self.columns in ({"id"}, {"monday_item_id"})
        return self.kind == "foreign key" and [
            SPECS[self.table].foreign_keys.get(column) for column in self.columns
        ] == [self.told]


@dataclass(frozen=True)
class Rules:
    """All rules of the nine tables."""

    found: tuple[TableRule, ...] = ()

    @cached_property
    def rewriting(self) -> bool:
        """Whether a row may be stored in another form than it was written in, or not at all."""
        return any(rule.kind in ("trigger", "insert rule", "update rule") for rule in self.found)

    def rewrites_inserts(self, table: str) -> bool:
        """Whether a rewrite rule waits for inserts: COPY would go past it."""
        return any(rule.table == table and rule.kind == "insert rule" for rule in self.found)

    def rewrites_updates(self, table: str) -> bool:
        return any(rule.table == table and rule.kind == "update rule" for rule in self.found)

    @cached_property
    def deferred(self) -> tuple[sql.Identifier, ...]:
        """Constraints that would be looked at no sooner than at COMMIT."""
        names = sorted({(rule.schema, rule.name) for rule in self.found if rule.deferred})
        return tuple(sql.Identifier(schema, name) for schema, name in names)

    def unforeseen(self) -> list[str]:
        """What a plan cannot foretell, by table: `users (check phone_format, trigger tidy)`."""
        named: dict[str, list[str]] = {}
        for rule in self.found:
            if not rule.ours:
                named.setdefault(rule.table, []).append(f"{rule.kind} {rule.name}")
        return [f"{table} ({', '.join(dict.fromkeys(names))})" for table, names in named.items()]

    def note(self) -> list[str]:
        """One sentence for a dry run; none where it foretells everything."""
        named = "; ".join(self.unforeseen())
        return [f"A dry run cannot foretell the tables' own rules: {named}."] if named else []

    def blamed(self, table: str, error: psycopg2.Error) -> list[frozenset[str]]:
        """The sets of columns of which one is to blame for a refusal, most likely first; none where nothing tells."""
        column, constraint = error.diag.column_name, error.diag.constraint_name
        if error.pgcode == _NOT_NULL or constraint is None:
            known = column is not None and column in TABLES[table].__struct_fields__
            return [frozenset((column,))] if known and column is not None else []
        return [rule.columns for rule in self._named(table, constraint) if rule.columns]

    def check(self, table: str, error: psycopg2.Error) -> str | None:
        """The expression of the check that was broken, if it is one of the table's."""
        found = (rule for rule in self._named(table, error.diag.constraint_name or "") if rule.kind == "check")
        return next((rule.told for rule in found), None)

    def reason(self, table: str, error: psycopg2.Error) -> str:
        """Why a row was refused, in names that the catalogue knows: what a trigger says for itself may be a value."""
        diag, names = error.diag, [f"SQLSTATE {error.pgcode}"]
        if diag.constraint_name and any(self._named(table, diag.constraint_name)):
            names.append(f"constraint={diag.constraint_name}")
        if functions := self._functions(table, diag.context or ""):
            names.append(f"trigger function={functions}")
        names.append(f"table={table}")
        if diag.column_name in TABLES[table].__struct_fields__:
            names.append(f"column={diag.column_name}")
        return " ".join(names)

    def _named(self, table: str, constraint: str) -> Iterator[TableRule]:
        return (rule for rule in self.found if rule.table == table and rule.name == constraint)

    def _functions(self, table: str, context: str) -> str:
        """Of the table's trigger functions, those that the server was in."""
        told = (rule.told for rule in self.found if rule.table == table and rule.kind == "trigger")
        return ",".join(dict.fromkeys(name for name in told if name and f"{name}(" in context))


def read_rules(tx: Transaction) -> Rules:
    """The rules of those of the nine tables that exist, in one query."""
    rows = tx.rows(_RULES, (tx.schema, list(TABLES)))
    return Rules(
        tuple(
            TableRule(table, kind, name, frozenset(columns or ()), told, deferred, schema)
            for table, kind, name, columns, told, deferred, schema in rows
        )
    )
