"""The JSON object of a command that ended before a run began: a wrong option, or a list instead of a run."""

from __future__ import annotations

from typing import Any

from reconcile.errors import Exit
from run.report import ItemsReport, Report
from terminal.say import say_json


def print_unmade(direction: str, reason: str = "", *, code: Exit = Exit.USAGE, **more: Any) -> None:
    """The object of `--json` with everything zero: there was no run. `more` are keys beside those of every run."""
    report = Report("", direction, dry_run=False, items=ItemsReport() if direction == "pg_to_monday" else None)
    report.fail(code, reason)
    say_json(report.as_json() | more)
