"""`sync_status.py` without a command: one screen that says how things stand, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import click

from options import VERSION
from postgres.migrate import CHANGES
from postgres.window_runs import RunLine
from reconcile.errors import Exit
from status.standing import DIRECTIONS, Direction, Standing, exit_code, next_step, outcome, read_all, verdict
from status.things import NAMES
from status.window import Window, Words, ending, opened
from terminal.page import page_width, wrapped
from terminal.say import say, say_json
from terminal.times import iso, local, parse_span, span

_LABEL: Final = "looking how things stand"


@ending
def show(*, as_json: bool, demo: bool, max_age: str | None) -> Exit:
    """Print the screen; the exit code is 5 where something is open, 7 where something is older than `max_age`."""
    oldest = _max_age(max_age)
    with opened(demo=demo) as window:
        limit = window.settings.daily_calls
        read = partial(read_all, board_ids=window.board_ids, calls_limit=limit)
        standing = window.read(read, _LABEL, since=CHANGES)
        code = exit_code(standing, oldest)
        if as_json:
            say_json(as_object(standing, window, code, oldest))
        else:
            say(*as_screen(standing, window.words, window.settings.monday_api_version, page_width(), oldest))
    return code


def _max_age(text: str | None) -> timedelta | None:
    if text is None:
        return None
    found = parse_span(text)
    if found is None:
        raise click.UsageError(f"--max-age {text!r} is no length of time: write 90m, 2h or 3d.")
    return found


def as_screen(
    standing: Standing, words: Words, api_version: str, width: int, max_age: timedelta | None = None
) -> Iterator[str]:
    """At most 24 lines of `width` columns, unless something is told in many words."""
    now = standing.about.now
    yield f"monday ↔ PostgreSQL, {local(now)}"
    yield from wrapped(verdict(standing, max_age), width, first="", rest="  ")
    yield ""
    yield from _pairs(width, {DIRECTIONS[each.name]: _direction(each, standing) for each in standing.directions})
    yield from _pairs(width, {f"{board} board": _board(standing, board) for board in sorted(standing.boards)})
    waiting = standing.waiting
    yield from _pairs(
        width,
        {
            "edits waiting": f"monday: {waiting.monday:,} (at the last read), PostgreSQL: {waiting.postgres:,} (now)",
            "open": _open(standing),
            "calls today": _calls(standing),
            "lease": _lease(standing),
            "versions": f"monday-pg-sync {VERSION}, schema {standing.about.schema}, API {api_version}, "
            f"PostgreSQL {standing.about.server}",
        },
    )
    yield ""
    command, why = next_step(standing, words, max_age)
    yield from wrapped(f"Next, {why}:", width, first="", rest="  ")
    yield f"  {command}"


_HEAD: Final = 21


def _pairs(width: int, told: Mapping[str, str]) -> Iterator[str]:
    for head, text in told.items():
        yield from wrapped(f"{head:<{_HEAD}}{text}" if len(head) < _HEAD else f"{head} {text}", width, "  ", " " * 23)


def _direction(each: Direction, standing: Standing) -> str:
    if each.last is None:
        return "no run yet"
    good = "no run of everything has ended well yet"
    if each.good is not None and each.good.finished_at is not None:
        good = f"last good run {_ago(standing, each.good.finished_at)} ({each.good.run_id})"
    since = f"; {each.failed:,} failed since" if each.failed else ""
    return f"{good}{since}{_newest(each, standing)}"


def _newest(each: Direction, standing: Standing) -> str:
    """What there is to say of the newest run, where it is not the last good one."""
    last = each.last
    if last is None or (each.good is not None and last.run_id == each.good.run_id):
        return ""
    return f"; the newest: {outcome(last, standing.at_work)}, begun {_ago(standing, last.started_at)} ({last.run_id})"


def _board(standing: Standing, board: str) -> str:
    read = standing.boards[board]
    complete = (
        f"last read completely {_ago(standing, read.complete_at)}" if read.complete_at else "never read completely"
    )
    return f"{complete}; whole {_ago(standing, read.whole_at)}" if read.whole_at else complete


def _open(standing: Standing) -> str:
    said = []
    for kind, (count, since) in standing.open.items():
        oldest = f" (the oldest {span(standing.about.now - since)})" if since is not None else ""
        said.append(f"{count:,} {NAMES[kind][count != 1]}{oldest}")
    return "; ".join(said) or "nothing"


def _calls(standing: Standing) -> str:
    limit = standing.calls_limit
    return f"{standing.about.calls:,g}" + (f" of {limit:,}" if limit else ", no limit set (SYNC_DAILY_CALLS)")


def _lease(standing: Standing) -> str:
    if standing.at_work is None:
        return "free"
    run = f"run {standing.at_work.run_id}, " if standing.at_work.run_id else ""
    return f"held by {run}{standing.at_work.holder.shown()}, until {local(standing.at_work.until)} at least"


def _ago(standing: Standing, at: datetime) -> str:
    return f"{span(standing.about.now - at)} ago"


def as_object(standing: Standing, window: Window, code: Exit, max_age: timedelta | None) -> dict[str, Any]:
    """The object of `--json`; ages are in seconds."""
    now = standing.about.now
    command, why = next_step(standing, window.words, max_age)
    return {
        "version": 1,
        "exit_code": int(code),
        "now": iso(now),
        "verdict": verdict(standing, max_age),
        "directions": {each.name: _direction_object(each, standing) for each in standing.directions},
        "boards": {
            board: {"complete": _at(now, read.complete_at), "whole": _at(now, read.whole_at)}
            for board, read in sorted(standing.boards.items())
        },
        "waiting": {"monday": standing.waiting.monday, "postgres": standing.waiting.postgres},
        "open": {kind: {"count": count, "oldest": _at(now, at)} for kind, (count, at) in standing.open.items()},
        "calls": {"today": standing.about.calls, "limit": standing.calls_limit},
        "lease": None
        if standing.at_work is None
        else {
            "holder": standing.at_work.holder.shown(),
            "run_id": standing.at_work.run_id,
            "until": iso(standing.at_work.until),
        },
        "versions": {
            "program": VERSION,
            "schema": standing.about.schema,
            "api": window.settings.monday_api_version,
            "server": standing.about.server,
        },
        "next": {"command": command, "why": why},
    }


def _direction_object(each: Direction, standing: Standing) -> dict[str, Any]:
    return {
        "last": _run_object(each.last, standing),
        "last_good": _run_object(each.good, standing),
        "failed_since": each.failed,
        "newest_failed": each.newest_failed,
    }


def _run_object(run: RunLine | None, standing: Standing) -> dict[str, Any] | None:
    if run is None:
        return None
    return {
        "run_id": run.run_id,
        "outcome": outcome(run, standing.at_work),
        "exit_code": run.exit_code,
        "reason": run.reason,
        "ended": _at(standing.about.now, run.finished_at),
    }


def _at(now: datetime, at: datetime | None) -> dict[str, Any] | None:
    return None if at is None else {"at": iso(at), "age_s": round((now - at).total_seconds(), 1)}
