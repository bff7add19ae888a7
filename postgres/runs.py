"""The rows of runs in `monday_sync.sync_run`: written when a run begins, completed by its last transaction, and read by
the doctor.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from psycopg2 import sql

from postgres.encoding import Encoding, storable
from postgres.transaction import Params, Transaction

_BEGUN: Final = """
INSERT INTO monday_sync.sync_run (run_id, direction, started_at, options, os_user, host, pid)
VALUES (%(run_id)s, %(direction)s, clock_timestamp() - make_interval(secs => %(seconds)s), %(options)s, %(os_user)s,
    %(host)s, %(pid)s)
ON CONFLICT (run_id) DO NOTHING
"""
# Nobody else can be at work while this run has the lease: what has not ended by now was killed.
_ENDED: Final = """
INSERT INTO monday_sync.sync_run (run_id, direction, started_at, finished_at, exit_code, summary, duration_s, stages,
    reason, plan, options, os_user, host, pid)
VALUES (%(run_id)s, %(direction)s, clock_timestamp() - make_interval(secs => %(seconds)s), clock_timestamp(),
    %(exit_code)s, %(summary)s, %(duration_s)s, %(stages)s, %(reason)s, %(plan)s, %(options)s, %(os_user)s, %(host)s,
    %(pid)s)
ON CONFLICT (run_id) DO UPDATE SET finished_at = EXCLUDED.finished_at, exit_code = EXCLUDED.exit_code,
    summary = EXCLUDED.summary, duration_s = EXCLUDED.duration_s, stages = EXCLUDED.stages, reason = EXCLUDED.reason,
    plan = EXCLUDED.plan
"""
KILLED: Final = "ended without a word: it was killed, or its machine stopped"
_KILLED: Final = """
UPDATE monday_sync.sync_run SET reason = %s WHERE finished_at IS NULL AND reason IS NULL AND run_id <> %s
"""

# A run that found another one at work says nothing about its direction. One of a part, or of a saved read, may have
# ended well, and proves nothing about the age of the rest.
_LAST: Final = """
SELECT run_id, started_at, finished_at, exit_code, coalesce(to_jsonb(r) ->> 'reason', r.summary ->> 'reason')
FROM monday_sync.sync_run r
WHERE direction = %s AND exit_code IS DISTINCT FROM 6 ORDER BY started_at DESC LIMIT 1
"""
_GOOD: Final = """
SELECT finished_at FROM monday_sync.sync_run r
WHERE direction = %s AND exit_code IN (0, 5) AND NOT EXISTS (
    SELECT FROM jsonb_object_keys(coalesce(to_jsonb(r) -> 'options', '{}')) AS k (name)
    WHERE k.name IN ('limit', 'use_cache', 'cache_files', 'setup_marker'))
ORDER BY finished_at DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class RunBegun:
    """Who began a run, where and how, `seconds` ago."""

    run_id: str
    direction: str
    seconds: float
    options: Mapping[str, Any]
    os_user: str
    host: str
    pid: int


@dataclass(frozen=True, slots=True)
class RunEnded:
    """How a run ended. `summary` is what its `--json` says, but for values of cells; `stages` are its timings."""

    exit_code: int
    summary: Mapping[str, Any]
    duration_s: float
    stages: Any
    reason: str
    plan: str
    """The digest of its plan, "" where it made none."""


@dataclass(frozen=True, slots=True)
class LastRun:
    """The newest run of a direction, of which one that found another at work is none. Nothing at its end: it is at
    work, or was killed."""

    run_id: str
    started_at: datetime
    finished_at: datetime | None
    exit_code: int | None
    reason: str


def begun(encoding: Encoding, run: RunBegun) -> tuple[str, Params]:
    """The statement that writes the row of a run that begins."""
    return _BEGUN, _of_runner(encoding, run)


def ended(encoding: Encoding, run: RunBegun, end: RunEnded) -> tuple[str, Params]:
    """The statement that completes the row, and makes it where the run never wrote it."""
    return _ENDED, _of_runner(encoding, run) | {
        "exit_code": end.exit_code,
        "summary": _json(end.summary, encoding),
        "duration_s": end.duration_s,
        "stages": _json(end.stages, encoding),
        "reason": encoding.kept(storable(end.reason)) or None,
        "plan": end.plan or None,
    }


def killed(run_id: str) -> tuple[str, Params]:
    """The statement that marks runs which never ended; for one that has the lease."""
    return _KILLED, (KILLED, run_id)


def last_run(tx: Transaction, direction: str) -> LastRun | None:
    """The newest run of a direction."""
    found = tx.one(_LAST, (direction,))
    if found is None:
        return None
    run_id, started_at, finished_at, exit_code, reason = found
    return LastRun(run_id, started_at, finished_at, exit_code, tx.encoding.said(reason or ""))


def last_good_end(tx: Transaction, direction: str) -> datetime | None:
    """When the newest run ended that ended well and read everything."""
    found = tx.one(_GOOD, (direction,))
    return found[0] if found is not None else None


def _of_runner(encoding: Encoding, run: RunBegun) -> dict[str, Any]:
    return asdict(run) | {
        "options": _json(run.options, encoding),
        "os_user": encoding.kept(run.os_user),
        "host": encoding.kept(run.host),
    }


def _json(value: Any, encoding: Encoding) -> str:
    plain = _plain(value)
    return json.dumps(plain) if encoding.is_whole else encoding.kept(json.dumps(plain, ensure_ascii=False))


def _plain(value: Any) -> Any:
    """What JSON has a form for and a database can hold."""
    if isinstance(value, Mapping):
        return {storable(name): _plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value if isinstance(value, int | float | None) else storable(str(value))


def count_rows(tx: Transaction, table: str) -> int:
    """How many rows a table has."""
    found = tx.one(sql.SQL("SELECT count(*) FROM {}").format(tx.table(table)))
    return int(found[0]) if found is not None else 0
