"""What a run puts into its row in `monday_sync.sync_run`: who began it, and how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from postgres import runs
from postgres.encoding import Encoding
from postgres.runs import RunBegun, RunEnded
from postgres.transaction import Params
from run.runner import Runner, chosen

if TYPE_CHECKING:
    from run.context import Run


def record_begun(run: Run, encoding: Encoding) -> tuple[str, Params]:
    """The statement that writes the row of a run that begins."""
    return runs.begun(encoding, _begun(run, run.elapsed_s()))


def killed_runs(run: Run) -> tuple[str, Params]:
    """The statement that marks runs which never ended; for one that has the lease."""
    return runs.killed(run.run_id)


def run_record(run: Run, encoding: Encoding) -> tuple[str, Params]:
    """The statement that completes the run's row with what its `--json` says, but for values of cells. From here on the
    report's numbers stand still."""
    run.measure()
    report = run.report
    report.recorded = True
    told = report.as_json() | {"details": {}, "changes": []}
    end = RunEnded(told["exit_code"], told, told["duration_s"], told["stages"], report.reason, report.digest)
    return runs.ended(encoding, _begun(run, report.duration_s), end)


def _begun(run: Run, seconds: float) -> RunBegun:
    runner = Runner.myself()
    options = chosen(run.options)
    return RunBegun(run.run_id, run.report.direction, seconds, options, runner.user, runner.host, runner.pid)
