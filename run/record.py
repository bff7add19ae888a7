"""The row of a run in `monday_sync.sync_run`: written when the run begins, completed by its last transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from postgres.encoding import Encoding
from postgres.transaction import Params
from run.runner import Runner, chosen, storable

if TYPE_CHECKING:
    from run.context import Run

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


def record_begun(run: Run, encoding: Encoding) -> tuple[str, Params]:
    """The statement that writes the row of a run that begins."""
    return _BEGUN, _runner(run, encoding) | {"seconds": run.elapsed_s()}


def killed_runs(run: Run) -> tuple[str, Params]:
    """The statement that marks runs which never ended; for one that has the lease."""
    return _KILLED, (KILLED, run.run_id)


def run_record(run: Run, encoding: Encoding) -> tuple[str, Params]:
    """The statement that completes the run's row with what its `--json` says, but for values of cells. From here on the
    report's numbers stand still."""
    run.measure()
    report = run.report
    report.recorded = True
    told = report.as_json() | {"details": {}, "changes": []}
    return _ENDED, _runner(run, encoding) | {
        "seconds": report.duration_s,
        "exit_code": told["exit_code"],
        "summary": _json(told, encoding),
        "duration_s": told["duration_s"],
        "stages": _json(told["stages"], encoding),
        "reason": encoding.kept(storable(report.reason)) or None,
        "plan": report.digest or None,
    }


def _runner(run: Run, encoding: Encoding) -> dict[str, Any]:
    runner = Runner.myself()
    return {
        "run_id": run.run_id,
        "direction": run.report.direction,
        "options": _json(chosen(run.options), encoding),
        "os_user": encoding.kept(runner.user),
        "host": encoding.kept(runner.host),
        "pid": runner.pid,
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
