"""What one check found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from reconcile.errors import Exit, SyncError

State = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report. `exit_code` counts for a problem only; a `detail` is shown with -v."""

    check: str
    state: State
    says: str
    fix: str = ""
    exit_code: Exit = Exit.DONE
    detail: bool = False


def ok(check: str, says: str, *, detail: bool = False) -> Finding:
    return Finding(check, "ok", says, detail=detail)


def warning(check: str, says: str, fix: str) -> Finding:
    return Finding(check, "warning", says, fix)


def problem(check: str, says: str, fix: str, exit_code: Exit) -> Finding:
    return Finding(check, "problem", says, fix, exit_code)


def from_error(check: str, error: SyncError) -> Finding:
    """An error's sentence as a problem: what and where, and behind the last colon what to do."""
    says, colon, fix = str(error).rpartition(": ")
    return problem(check, says if colon else str(error), fix if colon else "", Exit(error.exit_code))


def guarded(check: str, examine: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """The findings of a check; an error of ours ends it as a problem and lets the next check go on."""
    try:
        yield from examine()
    except SyncError as error:
        yield from_error(check, error)


def verdict(findings: Iterable[Finding]) -> Exit:
    """The exit code: what a person must set right (2, then 3) comes before what may pass by itself (7)."""
    found = {finding.exit_code for finding in findings if finding.state == "problem"}
    order = (Exit.USAGE, Exit.DRIFT, Exit.UNAVAILABLE, Exit.BUG)
    return next((code for code in order if code in found), Exit.DONE)
