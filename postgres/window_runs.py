"""Runs as the window shows them: `monday_sync.sync_run` with the calls that each has used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from postgres.encoding import Encoding
from postgres.transaction import Row, Transaction

_COLUMNS: Final = """
SELECT r.run_id, r.direction, r.started_at, r.finished_at, r.exit_code, r.duration_s, r.reason, r.plan,
    r.options::text, r.os_user, r.host, r.summary::text,
    (SELECT sum(c.calls) FROM monday_sync.sync_calls c WHERE c.run_id = r.run_id)
"""
_FAILED: Final = "(r.exit_code IS NULL OR r.exit_code NOT IN (0, 5, 6))"
_LISTED: Final = f"""
{_COLUMNS}, count(*) OVER ()
FROM monday_sync.sync_run r
WHERE r.started_at >= coalesce(%(since)s, '-infinity'::timestamptz) AND (NOT %(failed)s OR {_FAILED})
ORDER BY r.started_at DESC, r.run_id DESC LIMIT %(limit)s
"""
_ONE: Final = f"{_COLUMNS} FROM monday_sync.sync_run r WHERE r.run_id = %s"
# One that found another run at work says nothing about its direction. One of a part, or of a saved read, may have ended
# well, and proves nothing about the age of the rest.
_NEWEST: Final = f"""
{_COLUMNS} FROM monday_sync.sync_run r
WHERE r.direction = %s AND r.exit_code IS DISTINCT FROM 6 ORDER BY r.started_at DESC LIMIT 1
"""
_GOOD: Final = f"""
{_COLUMNS} FROM monday_sync.sync_run r
WHERE r.direction = %s AND r.exit_code IN (0, 5) AND NOT EXISTS (
    SELECT FROM jsonb_object_keys(coalesce(r.options, '{{}}')) AS k (name)
    WHERE k.name IN ('limit', 'use_cache', 'cache_files', 'setup_marker'))
ORDER BY r.finished_at DESC LIMIT 1
"""
_FAILED_SINCE: Final = f"""
SELECT count(*), max(r.run_id) FROM monday_sync.sync_run r
WHERE r.direction = %s AND r.started_at > coalesce(%s, '-infinity'::timestamptz) AND {_FAILED}
    AND NOT (r.exit_code IS NULL AND r.run_id = %s)
"""  # noqa: S608  constants alone
_NOBODY: Final = ""


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run. `wrote` counts what it changed, by side: rows of PostgreSQL, items of monday. `new` counts what nobody
    had been told of. A run without an end is at work, or was killed."""

    run_id: str
    direction: str
    started_at: datetime
    finished_at: datetime | None
    exit_code: int | None
    duration_s: float | None
    reason: str | None
    plan: str | None
    options: Mapping[str, Any]
    os_user: str | None
    host: str | None
    wrote: Mapping[str, int]
    new: int
    calls: float


def list_runs(
    tx: Transaction, since: datetime | None = None, *, failed: bool = False, limit: int | None = None
) -> tuple[list[RunLine], int]:
    """The newest runs, and how many there are."""
    rows = tx.rows(_LISTED, {"since": since, "failed": failed, "limit": limit})
    return [_line(row[:-1], tx.encoding) for row in rows], rows[0][-1] if rows else 0


def read_run(tx: Transaction, run_id: str) -> RunLine | None:
    """One run by its whole id."""
    return _maybe(tx.one(_ONE, (run_id,)), tx.encoding)


def newest_run(tx: Transaction, direction: str) -> RunLine | None:
    """The newest run of a direction, but for those that found another one at work."""
    return _maybe(tx.one(_NEWEST, (direction,)), tx.encoding)


def good_run(tx: Transaction, direction: str) -> RunLine | None:
    """The newest run of a direction that ended well and looked at everything."""
    return _maybe(tx.one(_GOOD, (direction,)), tx.encoding)


def failed_since(
    tx: Transaction, direction: str, since: datetime | None, at_work: str | None
) -> tuple[int, str | None]:
    """How many runs of a direction failed since then, and the newest of them; `at_work` is one that goes on."""
    count, newest = tx.one(_FAILED_SINCE, (direction, since, at_work or _NOBODY)) or (0, None)
    return count, newest


def run_ids(tx: Transaction) -> list[str]:
    """All runs, the newest first, among them those of which only what they wrote is left."""
    rows = tx.rows(
        "SELECT run_id FROM monday_sync.sync_run UNION SELECT run_id FROM monday_sync.sync_change ORDER BY 1 DESC"
    )
    return [run_id for (run_id,) in rows]


def _maybe(row: Row | None, encoding: Encoding) -> RunLine | None:
    return None if row is None else _line(row, encoding)


def _line(row: Sequence[Any], encoding: Encoding) -> RunLine:
    *facts, options, os_user, host, summary, calls = row
    run_id, direction, started_at, finished_at, exit_code, duration_s, reason, plan = facts
    said = msgspec.json.decode(encoding.said(summary or "{}"))
    return RunLine(
        run_id,
        direction,
        started_at,
        finished_at,
        exit_code,
        duration_s,
        encoding.said(reason) if reason else None,
        plan,
        msgspec.json.decode(encoding.said(options or "{}")),
        encoding.said(os_user) if os_user else None,
        encoding.said(host) if host else None,
        _wrote(said, exit_code),
        sum(int(count) for count in (said.get("new") or {}).values()),
        float(calls if calls is not None else (said.get("calls") or {}).get("run") or 0),
    )


def _wrote(summary: Mapping[str, Any], exit_code: int | None) -> dict[str, int]:
    """What a run wrote. The tables of one that failed are those of its plan; the items of a push are what was sent."""
    ended_well = exit_code in (0, 5)
    tables = summary.get("tables") or {} if ended_well else {}
    items = (summary.get("items") or {}) if exit_code != 4 else {}
    return {
        "monday": sum(int(items.get(what, 0)) for what in ("create", "update", "archive")),
        "postgres": sum(int(table.get(what, 0)) for table in tables.values() for what in ("insert", "update")),
    }
