"""The last run of each direction, and how old what each side shows of the other is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from cli.doctor.finding import Finding, ok, warning
from postgres.boards import board_ages
from postgres.lease import held_by
from postgres.runs import LastRun, last_good_end, last_run
from postgres.transaction import Transaction
from reconcile.errors import Exit
from run.report import PROGRAMS
from terminal.page import shortened

_LONGEST: Final = 240
"""Signs of a reason that are shown."""
LONG_AGO: Final = timedelta(hours=48)
_WELL: Final = (Exit.DONE, Exit.PERSON_NEEDED)
_SHOWS: Final = {"monday_to_pg": "what PostgreSQL shows of monday.com", "pg_to_monday": "what monday.com shows of it"}


def examine_runs(tx: Transaction, now: Any) -> Iterator[Finding]:
    """Each direction by its own last run: that one command has nothing to do does not heal the other."""
    held = held_by(tx)
    at_work = held is not None and not held[0].is_dead()
    for direction, program in PROGRAMS.items():
        last = last_run(tx, direction)
        if last is None:
            yield ok("last run", f"{program}: none is recorded")
        else:
            yield _judged(direction, last, last_good_end(tx, direction), now, at_work=at_work)


def _judged(direction: str, last: LastRun, good_at: datetime | None, now: datetime, *, at_work: bool) -> Finding:
    """`good_at` is when the newest run ended that ended well and read everything."""
    program = PROGRAMS[direction]
    good = "none has ended well yet" if good_at is None else f"the last good one ended {age(now, good_at)} ago"
    begun = f"{program}: run {last.run_id}, begun {age(now, last.started_at)} ago,"
    if last.exit_code is None:
        if at_work and not last.reason:
            return ok("last run", f"{begun} is at work; {good}")
        return warning(
            "last run",
            f"{begun} never ended: it was killed, or its machine stopped; {good}",
            "run it again: what that one left is settled first",
        )
    ended = f"{program}: run {last.run_id} ended {age(now, last.finished_at)} ago with exit {last.exit_code}"
    if last.exit_code not in _WELL:
        reason = last.reason if len(last.reason) <= _LONGEST else shortened(last.reason, _LONGEST)
        why = f" ({reason})" if reason else ""
        fix = f"run {program} again, and put right what it names; the log folder has {last.run_id}"
        return warning("last run", f"{ended}{why}; {good}", fix)
    if good_at is None:
        return ok("last run", f"{ended}, of a part or of a saved read; none of everything has ended well yet")
    told = f"{ended}: {_SHOWS[direction]} is {age(now, good_at)} old"
    if now - good_at > LONG_AGO:
        return warning("last run", told, f"check that cron still starts {program}")
    return ok("last run", told)


def examine_boards(tx: Transaction, now: Any) -> Iterator[Finding]:
    """When each board was last read whole: only that proves that nothing is missing."""
    for board, watermark, last_full_at in board_ages(tx):
        known = f"the newest change known of it is {age(now, watermark)} old"
        if last_full_at is None:
            yield warning(
                "watermark",
                f"the {board} board was never read whole into this database; {known}",
                "run sync_monday_to_pg.py --full",
            )
        elif now - last_full_at > LONG_AGO:
            yield warning(
                "watermark",
                f"the {board} board was last read whole {age(now, last_full_at)} ago; {known}",
                "run sync_monday_to_pg.py, which reads it whole when a day has passed, and see why that was not done",
            )
        else:
            yield ok("watermark", f"the {board} board was last read whole {age(now, last_full_at)} ago; {known}")


def age(now: datetime, then: datetime | None) -> str:
    """How long ago something was, for a person."""
    if then is None:
        return "an unknown time"
    minutes = int((now - then).total_seconds() // 60)
    if minutes < 120:
        return f"{max(0, minutes)} min"
    return f"{minutes // 60} h" if minutes < 72 * 60 else f"{minutes // 1440} days"
