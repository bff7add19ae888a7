"""What nobody does by the program: values, links and what is remembered of them, changed past it so that all of it fits
together."""

from __future__ import annotations

import json
from typing import Any

from models import TABLES
from postgres.state import row_hash
from tests.support.company import Company


def forge_hash(company: Company, table: str, row: str) -> None:
    """Let a row count as in step, whatever it holds."""
    with company.connected() as connection, connection, connection.cursor() as cursor:
        hashed = row_hash(table).as_string(connection)
        cursor.execute(
            f"UPDATE monday_sync.sync_row s SET p_hash = {hashed} FROM {table} t"
            " WHERE s.table_name = %s AND s.row_id = t.id AND t.id = %s",
            (table, row),
        )


def forge_base(company: Company, item_id: int, field: str, monday: Any, postgres: Any = None) -> None:
    """Let an item be remembered with another pair of one field ("customers.email"); the same on both sides unless the
    row's own is given."""
    layout, base = company.sql("SELECT layout, base FROM monday_sync.sync_item WHERE item_id = %s", item_id)[0]
    fields = company.value("SELECT fields FROM monday_sync.sync_layout WHERE layout = %s", layout)
    number = next(n for n, name in enumerate(fields) if name.startswith(f"{field}/"))
    stored = json.loads(base)
    stored["m"][number] = monday
    if postgres is not None:
        stored.setdefault("p", {})[str(number)] = postgres
    company.sql("UPDATE monday_sync.sync_item SET base = %s WHERE item_id = %s", json.dumps(stored), item_id)


def forge_value(company: Company, item_id: int, field: str, value: str) -> None:
    """A wrong value in a row, and everything that is remembered of it."""
    table, _, column = field.partition(".")
    row = row_of(company, item_id, table)
    company.sql(f"UPDATE {table} SET {column} = %s WHERE id = %s", value, row)
    forge_hash(company, table, row)
    forge_base(company, item_id, field, value)


def forge_link(company: Company, item_id: int, table: str, row: str) -> None:
    """A project that points at another row, and an item that is remembered with that one."""
    column = {"customers": "customer_id", "properties": "property_id"}[table]
    was, project = row_of(company, item_id, table), row_of(company, item_id, "projects")
    company.sql(f"UPDATE projects SET {column} = %s WHERE id = %s", row, project)
    company.sql(
        "UPDATE monday_sync.sync_item SET links = array_replace(links, %s::uuid, %s::uuid) WHERE item_id = %s",
        was, row, item_id,
    )  # fmt: skip
    forge_hash(company, "projects", project)


def row_of(company: Company, item_id: int, table: str) -> str:
    """The row of a table that an item is linked to."""
    assert table in TABLES
    found: str = company.value(
        "SELECT row_id::text FROM monday_sync.sync_link WHERE item_id = %s AND table_name = %s", item_id, table
    )
    return found
