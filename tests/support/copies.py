"""Companies that are all alike, and what they look like in the end, without ids and times."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from psycopg2 import extensions

from monday_api import MARKER
from reconcile.tables import TABLES
from sandbox import MASTER_BOARD_ID, STAFF_BOARD_ID
from tests.support.company import Company
from tests.support.killing import Companies
from tests.support.kit import REFERENCES
from tests.support.servers import Keywords

PUSHED = ("--propagate-deletes", "--on-conflict", "pg")
PULLED = ("--on-conflict", "pg")
EDITS = """
UPDATE projects SET description = 'Edited' WHERE item_name = 'Job 1';
UPDATE projects SET item_name = 'Job 2b', claim_number = 'C-2', current_stage = 'completed' WHERE item_name = 'Job 2';
UPDATE customers SET notes = 'ring twice' WHERE name = 'Owner 3';
UPDATE projects SET customer_id = (SELECT id FROM customers WHERE name = 'Owner 1') WHERE item_name = 'Job 4';
UPDATE projects SET description = 'from PostgreSQL' WHERE item_name = 'Job 5';
DELETE FROM projects WHERE item_name = 'Job 6';
INSERT INTO customers (name, email) VALUES ('Owner 7', 'owner7@mail.example');
INSERT INTO projects (item_name, description, customer_id) SELECT 'Job 7', 'New', id FROM customers WHERE name = 'Owner 7';
INSERT INTO projects (item_name, claim_number, customer_id) SELECT 'Job 8', 'C-8', id FROM customers WHERE name = 'Owner 2';
INSERT INTO users (name, first_name, last_name, email, roles) VALUES ('Rep 3 Green', 'Rep 3', 'Green', 'rep3@roofs.example', '{Sales Staff}');
"""  # noqa: E501  a statement a line


class Copies(Companies):
    """Companies that are all alike: synced, and edited on both sides since."""

    def __init__(self, admin: extensions.connection, server: Keywords, keywords: Keywords, folder: Path) -> None:
        super().__init__(admin, server, keywords, folder, edited)


def edited(company: Company) -> None:
    assert company.sync().outcome == 0
    company.sql(EDITS)
    company.sandbox.advance(60)
    (item,) = company.sandbox.find(MASTER_BOARD_ID, "Job 5")
    company.sandbox.edit(item, {"text40__1": "from monday"})


def boards_of(company: Company) -> list[str]:
    """Every item of both boards, gone ones too, without ids and times."""
    items = [
        (board, item["name"], item["state"], sorted((n, c["text"]) for n, c in item["cells"].items() if n != MARKER))
        for board in (MASTER_BOARD_ID, STAFF_BOARD_ID)
        for state in ("active", "archived", "deleted")
        for item in map(company.sandbox.item, company.sandbox.item_ids(board, state))
    ]
    return sorted(json.dumps(item, sort_keys=True) for item in items)


def tables_of(company: Company) -> dict[str, list[str]]:
    """Every row of the nine tables, ids replaced by what they stand for, without times."""
    rows = {table: {row["id"]: row for (row,) in company.sql(f"SELECT to_jsonb(t) FROM {table} t")} for table in TABLES}

    def told(row: dict[str, Any]) -> dict[str, Any]:
        return {name: _stands_for(company, rows, name, value) for name, value in row.items() if name not in _PASSING}

    return {table: sorted(json.dumps(told(row), sort_keys=True) for row in rows[table].values()) for table in TABLES}


_PASSING = ("id", "created_at", "updated_at", "archived_at")


def _stands_for(company: Company, rows: dict[str, dict[str, dict[str, Any]]], name: str, value: Any) -> Any:
    if value is None:
        return None
    if name == "monday_item_id":
        return company.sandbox.item(value)["name"]
    if name in REFERENCES:
        row = rows[REFERENCES[name]][value]
        return {column: row[column] for column in row if column not in (*_PASSING, *REFERENCES, "monday_item_id")}
    return value


def ends(company: Company) -> tuple[list[str], dict[str, list[str]], int]:
    """How everything is once both directions find nothing more to do."""
    for ended in (company.push(*PUSHED), company.sync("--full", *PULLED)):
        assert ended.outcome == 0, (ended.err, ended.out)
    company.sandbox.reset_counters()
    pushed = company.push(*PUSHED)
    assert (pushed.outcome, pushed.report["plan"], pushed.report["waiting"]) == (0, "", 0)
    assert company.sandbox.counters()["requests"] == 0
    pulled = company.sync("--full", *PULLED)
    assert (pulled.outcome, pulled.writes, pulled.report["waiting"]) == (0, 0, 0)
    for table in ("sync_batch", "sync_op", "sync_dead"):
        assert company.value(f"SELECT count(*) FROM monday_sync.{table}") == 0, table
    return boards_of(company), tables_of(company), company.value("SELECT count(*) FROM monday_sync.sync_conflict")


AT_COMMIT = """
CREATE SEQUENCE public.commits;
CREATE FUNCTION public.at_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF current_setting('kills.seen', true) IS DISTINCT FROM pg_current_xact_id()::text THEN
        PERFORM set_config('kills.seen', pg_current_xact_id()::text, true);
        IF nextval('public.commits') = %s THEN PERFORM pg_advisory_xact_lock(4711); END IF;
    END IF;
    RETURN NULL;
END $$;
DO $$ DECLARE t regclass; BEGIN
    FOR t IN SELECT c.oid FROM pg_class c WHERE relkind = 'r' AND relnamespace IN ('public'::regnamespace, 'monday_sync'::regnamespace) LOOP
        EXECUTE format('CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT OR UPDATE OR DELETE ON %%s DEFERRABLE INITIALLY DEFERRED'
            ' FOR EACH ROW EXECUTE FUNCTION public.at_commit()', t);
    END LOOP;
END $$
"""  # noqa: E501


@contextmanager
def counted_commits(company: Company, stop_at: int = 0) -> Iterator[None]:
    """Count the transactions that write, and hold one of them up when it commits."""
    company.sql(AT_COMMIT, stop_at)
    yield
    company.sql("DROP FUNCTION public.at_commit CASCADE; DROP SEQUENCE public.commits")
