"""A month, or a longer time, of a made-up past: runs, what they wrote, conflicts, calls and things that are open.

It is written straight into the tables, and is the same past whenever it is made, but for the time, which ends now.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

from psycopg2.extras import execute_values

from monday_api import BOARDS
from sandbox import MASTER_BOARD_ID, STAFF_BOARD_ID
from tests.support.company import Company

STAGES = {
    "monday_to_pg": {"fetch": 0.62, "plan": 0.16, "apply": 0.14, "look": 0.08},
    "pg_to_monday": {"look": 0.2, "plan": 0.12, "push": 0.6, "recover": 0.08},
}
_TABLES = {"projects": 60, "customers": 18, "properties": 8, "users": 6, "policies": 5, "insurances": 2, "storms": 1}
"""Table → its share of what changes, in percent."""
_FIELDS = {
    "projects": "projects.current_stage",
    "customers": "customers.notes",
    "properties": "properties.address",
    "users": "users.phone",
    "policies": "policies.policy_number",
    "insurances": "insurances.company_phone",
    "storms": "storms.date_of_loss",
}
_FAILED = (
    (
        7,
        "monday.com cannot be reached (HTTP 502), and could not be reached each time it was tried: run it again later.",
    ),
    (3, "The column numbers0 (Total price) of the master board is a text column now: correct the mapping."),
    (4, "The plan would archive 812 of 1,040 projects, which is more than 10 %: see --max-delete."),
    (None, "ended without a word: it was killed, or its machine stopped"),
)


def fill_tables(company: Company, items: int) -> None:
    """So many projects with everything that they show, as a first run would have left them."""
    company.sql(
        """
        INSERT INTO sales_teams (name) SELECT 'Team ' || n FROM generate_series(1, 12) n;
        INSERT INTO insurances (company_name, company_phone)
            SELECT 'Insurer ' || n, CASE WHEN n % 3 > 0 THEN '+1 303 555 01' || n END FROM generate_series(10, 60) n;
        INSERT INTO storms (date_of_loss) SELECT date '2026-01-01' + n FROM generate_series(1, 90) n;
        INSERT INTO pa_law (name, email) SELECT 'Law ' || n, 'law' || n || '@law.example' FROM generate_series(1, 40) n;
        INSERT INTO users (name, first_name, last_name, email, roles, monday_item_id, sales_team_id, phone)
            SELECT 'Rep ' || n, 'Rep', n::text, 'rep' || n || '@roofs.example', '{Sales Staff}',
                CASE WHEN n % 2 = 0 THEN 900000 + n END,
                CASE WHEN n % 8 > 0 THEN (SELECT id FROM sales_teams LIMIT 1) END,
                CASE WHEN n % 3 > 0 THEN '+1 303 555 0' || n END
            FROM generate_series(1, 160) n;
        """
    )
    company.sql(
        """
        INSERT INTO customers (name, email, phone, notes) SELECT 'Owner ' || n, 'owner' || n || '@mail.example',
            CASE WHEN n %% 5 > 0 THEN '+1 720 555 ' || n END, CASE WHEN n %% 4 = 0 THEN 'ring twice' END
        FROM generate_series(1, %s) n;
        INSERT INTO properties (customer_id, address, street, city, state, zip)
            SELECT id, '1 Main St, Denver, CO 80202', '1 Main St', 'Denver', 'CO', '80202' FROM customers;
        INSERT INTO policies (policy_number, insurance_id, customer_id)
            SELECT 'P-' || n, (SELECT id FROM insurances LIMIT 1),
                CASE WHEN n %% 9 > 0 THEN (SELECT id FROM customers LIMIT 1) END FROM generate_series(1, %s) n;
        INSERT INTO projects (monday_item_id, item_name, name, current_stage, status, estimated_value, claim_number,
            customer_id, property_id, sales_team_id, estimator_id, project_manager_id, policy_id, insurance_id,
            storm_id, pa_law_id, description)
        SELECT 500000 + row_number() OVER (), 'Job ' || c.name, c.name, 'Approved', 'active', 18250.5,
            CASE WHEN c.phone IS NOT NULL THEN 'C-1' END, c.id, p.id, (SELECT id FROM sales_teams LIMIT 1),
            (SELECT id FROM users LIMIT 1), CASE WHEN c.notes IS NULL THEN (SELECT id FROM users LIMIT 1) END,
            CASE WHEN c.notes IS NOT NULL THEN (SELECT id FROM policies LIMIT 1) END,
            (SELECT id FROM insurances LIMIT 1),
            CASE WHEN c.email LIKE '%%1@%%' THEN NULL ELSE (SELECT id FROM storms LIMIT 1) END,
            CASE WHEN c.email LIKE '%%7@%%' THEN (SELECT id FROM pa_law LIMIT 1) END,
            CASE WHEN c.email LIKE '%%3@%%' THEN NULL ELSE 'Roof' END
        FROM customers c JOIN properties p ON p.customer_id = c.id;
        ANALYZE;
        """,
        items, items // 2,
    )  # fmt: skip


def make_past(
    company: Company, *, days: int = 30, changes: int = 4_000, hourly: int = 1, failures: bool = True
) -> None:
    """Both commands `hourly` times an hour, for so many days until now; so many changes are spread over their runs."""
    random = Random(4711)
    now: datetime = company.value("SELECT now()")
    items = [item for (item,) in company.sql("SELECT monday_item_id FROM projects WHERE monday_item_id IS NOT NULL")]
    runs = _runs(random, now, days, hourly, failures)
    _insert(company, "sync_run", _RUN, runs)
    well = [run for run in runs if run[4] in (0, 5)]
    calls: dict[tuple[Any, str], float] = {
        (run[2].date(), run[0]): float(random.randint(1, 4) + (40 if (run[5] or 0) > 20 else 0)) for run in runs
    }
    _insert(company, "sync_calls", ("day", "run_id", "calls"), [(*key, made) for key, made in calls.items()])
    _insert(company, "sync_change", _CHANGE, [_change(random, random.choice(well), items) for _ in range(changes)])
    _remember_boards(company, now)
    if failures:
        _insert(company, "sync_conflict", _CONFLICT, _conflicts(random, now, items[:40]))
        _insert(company, "sync_dead", _DEAD, _dead(random, now, items))


_RUN = (
    "run_id", "direction", "started_at", "finished_at", "exit_code", "duration_s", "stages", "reason", "summary",
    "options", "os_user", "host", "pid",
)  # fmt: skip
_CHANGE = ("run_id", "at", "wrote", "action", "board_id", "item_id", "table_name", "field", "before", "after", "reason")
_CONFLICT = (
    "at", "run_id", "state", "board_id", "item_id", "role", "field", "table_name", "kept_from", "kept", "lost_from",
    "lost", "monday", "postgres", "agreed", "ever_agreed", "settled_at", "settled_by", "winner",
)  # fmt: skip
_DEAD = ("kind", "board_id", "item_id", "place", "reason", "run_id", "first_seen")


def _runs(random: Random, now: datetime, days: int, hourly: int, failures: bool) -> list[tuple[Any, ...]]:
    found = []
    for step in range(days * 24 * hourly):
        at = now - timedelta(hours=step / hourly, minutes=9)
        for direction, stages in STAGES.items():
            whole = direction == "monday_to_pg" and step % (24 * hourly) == 5
            took = round(random.uniform(24, 31) if whole else random.lognormvariate(0.6, 0.35), 3)
            code: int | None = 5 if random.random() < 0.12 else 0
            reason = None
            if failures and step and random.random() < 0.012:
                code, reason = random.choice(_FAILED)
            begun = at + timedelta(minutes=4 if direction == "pg_to_monday" else 0)
            parts = {name: round(took * share, 3) for name, share in stages.items()} | {"apply/rows": 0.01}
            found.append(
                (
                    f"{begun:%Y%m%dT%H%M%S}-{step:04x}{'ab'[direction == 'pg_to_monday']}", direction, begun,
                    None if code is None else begun + timedelta(seconds=took), code, None if code is None else took,
                    json.dumps(parts), reason, json.dumps({"calls": {"limit": None}, "new": {}}), "{}", "cron",
                    "sync-host", 4711,
                )
            )  # fmt: skip
    return found


def _change(random: Random, run: Sequence[Any], items: Sequence[int]) -> tuple[Any, ...]:
    table = random.choices(list(_TABLES), list(_TABLES.values()))[0]
    wrote = "postgres" if run[1] == "monday_to_pg" else "monday"
    kind = random.random()
    new = "insert" if wrote == "postgres" else "create"
    action = "update" if kind < 0.93 else new if kind < 0.98 else "archive"
    told = action == "update"
    return (
        run[0], run[2] + timedelta(seconds=1), wrote, action, MASTER_BOARD_ID, random.choice(items) if items else None,
        table, _FIELDS[table] if told else None, '"before"' if told else None, '"after"' if told else None,
        "edited on monday" if wrote == "postgres" else "edited in PostgreSQL",
    )  # fmt: skip


def _conflicts(random: Random, now: datetime, items: Sequence[int]) -> list[tuple[Any, ...]]:
    said = (("Approved", "Contract signed", "Estimate sent"), ("+1 303 555 0101", "+1 303 555 0199", None))
    found = []
    for number, item in enumerate(items):
        at = now - timedelta(hours=7 * number + 2)
        monday, postgres, agreed = said[number % 2]
        field = ("projects.current_stage", "customers.phone")[number % 2]
        winner = None if number < 4 else random.choice(("monday", "postgres"))
        ended = (None, None) if winner is None else (at + timedelta(hours=1), "20261101T000000-0001a")
        kept, lost = (postgres, monday) if winner == "postgres" else (monday, postgres)
        sides = ("nobody", "monday") if winner is None else (winner, {"monday": "postgres"}.get(winner, "monday"))
        found.append(
            (
                at, "20261101T000000-0000a", "open" if winner is None else "settled", MASTER_BOARD_ID, item, "project",
                field, field.partition(".")[0], sides[0], kept, sides[1], lost, monday, postgres, agreed,
                agreed is not None, *ended, winner,
            )
        )  # fmt: skip
    return found


def _dead(random: Random, now: datetime, items: Sequence[int]) -> list[tuple[Any, ...]]:
    reasons = (
        ("cell", "numbers0", "is not a number: type digits and at most one decimal point"),
        ("op", "phone_1__1", "monday.com takes no phone that has letters or an extension"),
        ("cell", "text40__1", "holds a NUL or a lone surrogate, which PostgreSQL cannot store: retype the cell"),
    )
    picked = random.sample(list(items), min(9, len(items)))
    return [
        (kind, MASTER_BOARD_ID, item, place, reason, "20261101T000000-0000a", now - timedelta(hours=30 * number + 3))
        for number, item in enumerate(picked)
        for kind, place, reason in [reasons[number % 3]]
    ]


def _remember_boards(company: Company, now: datetime) -> None:
    company.sql("DELETE FROM monday_sync.sync_board")
    rows = [
        (board_id, board, [f"{column} 1" for column in BOARDS[board]], "hash", now, now - timedelta(hours=5))
        for board, board_id in (("master", MASTER_BOARD_ID), ("staff", STAFF_BOARD_ID))
    ]
    _insert(company, "sync_board", ("board_id", "board", "columns", "mapping_hash", "watermark", "last_full_at"), rows)


def _insert(company: Company, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    with company.connected() as connection, connection, connection.cursor() as cursor:
        execute_values(
            cursor, f"INSERT INTO monday_sync.{table} ({', '.join(columns)}) VALUES %s", rows, page_size=1_000
        )
