"""Puts a database back into the state in which an older rule of keys left it, with SQL alone."""

from __future__ import annotations

import json
from collections.abc import Sequence

from psycopg2 import sql

from postgres.state import row_hash
from tests.support.company import Company

ROLES = {"insurances": "insurance", "pa_law": "pa_law", "users": "user:Project Manager", "sales_teams": "sales_team"}


def join(company: Company, table: str, key: str, items: Sequence[int], role: str = "") -> str:
    """The rows of these items' slots become the one of the first item, under the older `key`: what the others say is
    tolerated, as it was when they met. The id of the row."""
    role = role or ROLES[table]
    rows = dict(
        company.sql(
            "SELECT item_id, row_id::text FROM monday_sync.sync_link WHERE role = %s AND item_id = ANY(%s)",
            role,
            list(items),
        )
    )
    kept = str(rows[items[0]])
    gone = sorted(set(rows.values()) - {kept})
    for item in items[1:]:
        _link(company, item, role, kept)
    if role == "user:Sales Staff":
        company.sql(
            "UPDATE projects SET project_manager_id = %s WHERE project_manager_id = ANY(%s::uuid[])", kept, gone
        )
    else:
        column = role.removeprefix("user:").lower().replace(" ", "_") + "_id"
        company.sql(f"UPDATE projects SET {column} = %s WHERE {column} = ANY(%s::uuid[])", kept, gone)
    company.sql(f"DELETE FROM {table} WHERE id = ANY(%s::uuid[])", gone)
    for state in ("sync_key", "sync_row"):
        company.sql(f"DELETE FROM monday_sync.{state} WHERE row_id = ANY(%s::uuid[])", gone)
    company.sql("DELETE FROM monday_sync.sync_key WHERE row_id = %s", kept)
    company.sql("INSERT INTO monday_sync.sync_key (table_name, key, row_id) VALUES (%s, %s, %s)", table, key, kept)
    company.sql("DELETE FROM monday_sync.sync_dead")
    in_step(company, "projects")
    return kept


def _link(company: Company, item: int, role: str, kept: str) -> None:
    """One item's slot shows that row from now on, and its base knows what the row holds."""
    base, fields, slots = company.sql(
        "SELECT base, fields, slots FROM monday_sync.sync_item JOIN monday_sync.sync_layout USING (layout)"
        " WHERE item_id = %s",
        item,
    )[0]
    said, place = json.loads(base), slots.index(role) + 1
    board_role = role.removeprefix("user:")
    for number, field in enumerate(fields):
        column, _, where = field.partition("/")
        if where.partition(":")[2] != board_role:
            continue
        table, _, name = column.partition(".")
        names = ["name", "first_name", "last_name"] if (table, name) == ("users", "name") else [name]
        if table == "users" and name == "first_name":
            continue
        [values] = company.sql(f"SELECT {', '.join(f'{n}::text' for n in names)} FROM {table} WHERE id = %s", kept)
        held = (list(values) if any(values) else None) if len(names) > 1 else values[0]
        if held != said["m"][number]:
            said.setdefault("p", {})[str(number)] = held
    company.sql(
        "UPDATE monday_sync.sync_item SET base = %s, links[%s] = %s WHERE item_id = %s",
        json.dumps(said),
        place,
        kept,
        item,
    )


def in_step(company: Company, table: str) -> None:
    """As if no person had touched these rows since the last run."""
    with company.connected() as connection, connection, connection.cursor() as cursor:
        cursor.execute(
            sql.SQL(
                "UPDATE monday_sync.sync_row s SET p_hash = {} FROM {} t WHERE s.table_name = {} AND s.row_id = t.id"
            ).format(row_hash(table), sql.Identifier(table), sql.Literal(table))
        )


def by_the_older_rule(company: Company) -> None:
    """The database says that an older program was here last."""
    company.sql("ALTER TABLE monday_sync.sync_schema DROP COLUMN key_rule")
    company.sql("UPDATE monday_sync.sync_schema SET version = 5")
