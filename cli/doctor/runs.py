"""The last run of each direction, and how old what each side shows of the other is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from cli.doctor.finding import Finding, ok, warning
from postgres.lease import Holder
from postgres.transaction import Transaction
from reconcile.errors import Exit
from run.report import PROGRAMS
from terminal.page import shortened

_LONGEST: Final = 240
"""Signs of a reason that are shown."""
LONG_AGO: Final = timedelta(hours=48)
_WELL: Final = (Exit.DONE, Exit.PERSON_NEEDED)
_SHOWS: Final = {"monday_to_pg": "what PostgreSQL shows of monday.com", "pg_to_monday": "what monday.com shows of it"}

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
_HOLDER: Final = "SELECT holder FROM monday_sync.sync_lease WHERE holder <> '' AND expires_at >= clock_timestamp()"


@dataclass(frozen=True, slots=True)
class _Last:
    """The newest run of a direction; `good_at` is when the newest ended that ended well and read everything."""

    program: str
    run_id: str
    started_at: datetime
    finished_at: datetime | None
    exit_code: int | None
    reason: str
    good_at: datetime | None
    at_work: bool


def examine_runs(tx: Transaction, now: Any) -> Iterator[Finding]:
    """Each direction by its own last run: that one command has nothing to do does not heal the other."""
    held = tx.one(_HOLDER)
    at_work = held is not None and not Holder.parse(held[0]).is_dead()
    for direction, program in PROGRAMS.items():
        last, good = tx.one(_LAST, (direction,)), tx.one(_GOOD, (direction,))
        if last is None:
            yield ok("last run", f"{program}: none is recorded")
            continue
        run_id, started_at, finished_at, exit_code, reason = last
        found = _Last(
            program,
            run_id,
            started_at,
            finished_at,
            exit_code,
            tx.encoding.said(reason or ""),
            good[0] if good else None,
            at_work,
        )
        yield _judged(found, now, _SHOWS[direction])


def _judged(last: _Last, now: datetime, shows: str) -> Finding:
    good = (
        "none has ended well yet" if last.good_at is None else f"the last good one ended {age(now, last.good_at)} ago"
    )
    begun = f"{last.program}: run {last.run_id}, begun {age(now, last.started_at)} ago,"
    if last.exit_code is None:
        if last.at_work and not last.reason:
            return ok("last run", f"{begun} is at work; {good}")
        return warning(
            "last run",
            f"{begun} never ended: it was killed, or its machine stopped; {good}",
            "run it again: what that one left is settled first",
        )
    ended = f"{last.program}: run {last.run_id} ended {age(now, last.finished_at)} ago with exit {last.exit_code}"
    if last.exit_code not in _WELL:
        reason = last.reason if len(last.reason) <= _LONGEST else shortened(last.reason, _LONGEST)
        why = f" ({reason})" if reason else ""
        fix = f"run {last.program} again, and put right what it names; the log folder has {last.run_id}"
        return warning("last run", f"{ended}{why}; {good}", fix)
    if last.good_at is None:
        return ok("last run", f"{ended}, of a part or of a saved read; none of everything has ended well yet")
    told = f"{ended}: {shows} is {age(now, last.good_at)} old"
    if now - last.good_at > LONG_AGO:
        return warning("last run", told, f"check that cron still starts {last.program}")
    return ok("last run", told)


def examine_boards(tx: Transaction, now: Any) -> Iterator[Finding]:
    """When each board was last read whole: only that proves that nothing is missing."""
    for board, watermark, last_full_at in tx.rows(
        "SELECT board, watermark, last_full_at FROM monday_sync.sync_board ORDER BY board"
    ):
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
