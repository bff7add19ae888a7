"""A past that never was: runs, changes and conflicts written straight into the sync's own tables."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.company import Company

MASTER = 6727219152


def ran(
    company: Company,
    ago: timedelta,
    *,
    direction: str = "monday_to_pg",
    code: int | None = 0,
    reason: str | None = None,
    summary: dict[str, Any] | None = None,
    options: dict[str, Any] | None = None,
    took_s: float = 2.5,
    calls: float = 0,
) -> str:
    """A run that began so long ago; its id."""
    begun = datetime.now(UTC) - ago
    run_id = f"{begun:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"
    ended = begun + timedelta(seconds=took_s) if code is not None else None
    company.sql(
        "INSERT INTO monday_sync.sync_run (run_id, direction, started_at, finished_at, exit_code, duration_s, reason,"
        " summary, options, os_user, host, pid) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, 'cron', 'sync-host', 4711)",
        run_id, direction, begun, ended, code, took_s if code is not None else None, reason,
        json.dumps(summary or {}), json.dumps(options or {}),
    )  # fmt: skip
    if calls:
        company.sql("INSERT INTO monday_sync.sync_calls VALUES (%s, %s, %s)", begun.date(), run_id, calls)
    return run_id


def changed(company: Company, run_id: str, **given: Any) -> int:
    """A line of the history; its number."""
    line: dict[str, Any] = {
        "run_id": run_id, "wrote": "postgres", "action": "update", "board_id": MASTER, "item_id": None,
        "table_name": "projects", "row_id": None, "field": None, "column_id": None, "before": None, "after": None,
        "reason": "edited on monday",
    } | given  # fmt: skip
    for name in ("before", "after"):
        line[name] = None if line[name] is None else json.dumps(line[name])
    names = ", ".join(line)
    places = ", ".join(["%s"] * len(line))
    number: int = company.value(
        f"INSERT INTO monday_sync.sync_change ({names}) VALUES ({places}) RETURNING id", *line.values()
    )
    return number
