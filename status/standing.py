"""How things stand, read in one transaction, and what follows from it: one sentence, what to do next, the exit code.

Judging is pure: everything that is known comes in, and the time too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from postgres.transaction import Transaction
from postgres.window_items import read_present
from postgres.window_open import AtWork, Kind, Waiting, read_at_work, read_open, read_waiting, summed
from postgres.window_runs import RunLine, failed_since, good_run, newest_run
from postgres.window_state import About, BoardAge, read_about, read_boards
from reconcile.errors import Exit
from run.report import PROGRAMS
from status.window import Words
from terminal.times import span

DIRECTIONS: Final[Mapping[str, str]] = {
    "monday_to_pg": "monday → PostgreSQL",
    "pg_to_monday": "PostgreSQL → monday",
}
LONG_AGO: Final = timedelta(hours=48)
_AGAIN: Final = (Exit.UNAVAILABLE, Exit.INTERRUPTED, None)
"""Ends after which running it again is all there is to do; None: it was killed."""

OUTCOMES: Final[Mapping[int, str]] = {
    Exit.DONE: "done",
    Exit.BUG: "bug",
    Exit.USAGE: "settings",
    Exit.DRIFT: "drift",
    Exit.REFUSED: "refused",
    Exit.PERSON_NEEDED: "open",
    Exit.LEASE_HELD: "held up",
    Exit.UNAVAILABLE: "failed",
    Exit.INTERRUPTED: "stopped",
}
"""Exit code → how a run ended, in a word."""


def outcome(run: RunLine, at_work: AtWork | None) -> str:
    """How a run ended, in a word."""
    if run.exit_code is not None:
        return OUTCOMES.get(run.exit_code, f"exit {run.exit_code}")
    return "at work" if is_at_work(run, at_work) else "killed"


def is_at_work(run: RunLine, at_work: AtWork | None) -> bool:
    """Whether a run goes on: it has no end, and the lease is its own."""
    return run.exit_code is None and at_work is not None and run.run_id == at_work.run_id


@dataclass(frozen=True, slots=True)
class Direction:
    """One direction: its newest run, its newest one that ended well and looked at everything, and how many failed since
    that one, with the newest of these."""

    name: str
    last: RunLine | None
    good: RunLine | None
    failed: int
    newest_failed: str | None

    @property
    def good_at(self) -> datetime | None:
        return self.good.finished_at if self.good is not None else None


@dataclass(frozen=True, slots=True)
class Standing:
    """Everything that the first screen says."""

    about: About
    directions: tuple[Direction, ...]
    boards: Mapping[str, BoardAge]
    waiting: Waiting
    open: Mapping[Kind, tuple[int, datetime | None]]
    at_work: AtWork | None
    calls_limit: int | None = None

    @property
    def open_count(self) -> int:
        return sum(count for count, _since in self.open.values())


def read_all(tx: Transaction, board_ids: Mapping[str, int], calls_limit: int | None = None) -> Standing:
    """How things stand now. A board of the settings that was never read is among the boards."""
    present, at_work = read_present(tx), read_at_work(tx)
    running = at_work.run_id if at_work else None
    directions = []
    for name in DIRECTIONS:
        good = good_run(tx, name)
        failed, newest = failed_since(tx, name, good.started_at if good else None, running)
        directions.append(Direction(name, newest_run(tx, name), good, failed, newest))
    return Standing(
        read_about(tx),
        tuple(directions),
        {board: BoardAge(None, None) for board in board_ids} | dict(read_boards(tx)),
        read_waiting(tx, present),
        summed(read_open(tx, present, at_work)),
        at_work,
        calls_limit,
    )


def too_old(standing: Standing, max_age: timedelta | None) -> list[str]:
    """What is older than it may be, a few words each."""
    if max_age is None:
        return []
    ages = {f"the last good run {DIRECTIONS[each.name]}": each.good_at for each in standing.directions}
    ages |= {
        f"the last complete read of the {board} board": read.complete_at for board, read in standing.boards.items()
    }
    now = standing.about.now
    return [
        f"{what} is {span(now - at)} old" if at is not None else f"there was never {what.replace('the last', 'a', 1)}"
        for what, at in ages.items()
        if at is None or now - at > max_age
    ]


def exit_code(standing: Standing, max_age: timedelta | None) -> Exit:
    """7 where something is too old, else 5 where something is open."""
    if too_old(standing, max_age):
        return Exit.UNAVAILABLE
    return Exit.PERSON_NEEDED if standing.open_count else Exit.DONE


def verdict(standing: Standing, max_age: timedelta | None = None) -> str:
    """Whether everything is all right, in one sentence."""
    said = [*too_old(standing, max_age), *_failures(standing)]
    if standing.open_count:
        said.append(f"{standing.open_count:,} {'thing is' if standing.open_count == 1 else 'things are'} open")
    if not said:
        return "Nothing failed and nothing is open."
    return "; ".join(said)[0].upper() + "; ".join(said)[1:] + "."


def _failures(standing: Standing) -> Iterator[str]:
    for each in standing.directions:
        if each.last is not None and has_failed(each.last, standing.at_work):
            how = outcome(each.last, standing.at_work)
            ended = {"killed": "was killed", "failed": "failed"}.get(how, f"failed ({how})")
            yield f"the last run {DIRECTIONS[each.name]} {ended}"


def has_failed(run: RunLine, at_work: AtWork | None) -> bool:
    return run.exit_code not in (Exit.DONE, Exit.PERSON_NEEDED) and not is_at_work(run, at_work)


def next_step(standing: Standing, words: Words, max_age: timedelta | None = None) -> tuple[str, str]:
    """(command, why): what a person does next."""
    for each in standing.directions:
        if each.last is not None and has_failed(each.last, standing.at_work):
            if each.last.exit_code in _AGAIN:
                return words.run(PROGRAMS[each.name]), "the last run did not come to its end: the next one goes on"
            return words.window(f"history {each.last.run_id}"), "why the last run failed"
    if standing.open_count:
        only = set(standing.open) == {"conflict"}
        return words.window("conflicts" if only else "todo"), "what is open, and how to settle it"
    for each in standing.directions:
        if each.good_at is None and each.name == "monday_to_pg":
            return words.run(PROGRAMS[each.name]), "no run has looked at everything yet"
        if each.good_at is not None and standing.about.now - each.good_at > (max_age or LONG_AGO):
            return words.run(PROGRAMS[each.name]), f"the last good run is {span(standing.about.now - each.good_at)} old"
    if max_age is not None and too_old(standing, max_age):
        return words.run(PROGRAMS["monday_to_pg"]), "a board was not read completely for too long"
    if standing.waiting.postgres:
        return words.run(PROGRAMS["pg_to_monday"], "--test"), "what would be sent to monday"
    if standing.waiting.monday:
        return words.run(PROGRAMS["monday_to_pg"], "--test"), "what would be taken from monday"
    return words.window("history"), "nothing has to be done; what the runs did"
