"""Rows of the database → what the report shows: pure, everything that is known comes in, and the time too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Final, Literal

from reconcile.columns import ColumnMap
from reconcile.errors import Exit
from status.report.days import (
    calls_by_day,
    calls_in_words,
    changes_by_day,
    changes_by_table,
    day_name,
    durations_by_day,
    failures_of,
    longest_run,
    runs_by_day,
    stages_of,
)
from status.report.facts import Facts
from status.report.holdings import coverage_of, tables_of
from status.report.picture import draw
from status.report.shown import Figures, Level, Tile, percent
from status.report.waiting import oldest_first, open_kinds, three_values, waiting_thing
from status.standing import DIRECTIONS, LONG_AGO, Direction, Standing, has_failed, outcome
from status.window import Words
from terminal.times import local, span

LISTED_RUNS: Final = 500
LISTED_THINGS: Final = 30
LISTED_CONFLICTS: Final = 24
_LISTED_FAILURES: Final = 16


def make_figures(facts: Facts, mappings: Mapping[str, ColumnMap], words: Words) -> Figures:
    """Everything that the page shows."""
    days = [day_name(edge) for edge in facts.edges]
    level, verdict = judge(facts.standing)
    conflicts = [three_values(conflict, facts) for conflict in facts.conflicts]
    things = [thing for thing in facts.things if thing.kind != "conflict"]
    tables = tuple(sorted(tables_of(facts.fill), key=lambda table: -len(table.columns)))
    weekly = len(facts.edges) > 1 and facts.edges[1] - facts.edges[0] > timedelta(days=2)
    calls = calls_by_day(facts, days, weekly=weekly)
    return Figures(
        made_at=local(facts.now),
        since=f"{facts.edges[0].day} {facts.edges[0]:%B %Y}",
        days=_counted((facts.now.astimezone().date() - facts.edges[0].date()).days + 1, "day"),
        by="week" if weekly else "day",
        level=level,
        verdict=verdict,
        verdict_more=tuple(_more(facts)),
        tiles=tuple(_tiles(facts)),
        runs=runs_by_day(facts, days),
        durations=durations_by_day(facts, days),
        longest=longest_run(facts, days),
        bad_runs=tuple(islice(failures_of(facts.bad_runs), _LISTED_FAILURES)),
        bad_count=facts.bad_count,
        changes_on={side: changes_by_day(facts, days, side) for side in ("postgres", "monday")},
        changes=tuple(changes_by_table(facts.changes)),
        calls=calls,
        calls_note=calls_in_words(facts),
        limit=None if facts.limit is None else facts.limit * (7 if weekly else 1),
        stages=tuple(stages_of(facts.stages)),
        kinds=tuple(open_kinds(facts.things, facts.now)),
        things=tuple(waiting_thing(thing, facts, words) for thing in oldest_first(things)[:LISTED_THINGS]),
        things_count=len(things),
        conflicts=tuple(conflicts[:LISTED_CONFLICTS]),
        conflicts_open=sum(conflict.open for conflict in facts.conflicts),
        conflicts_count=len(conflicts),
        tables=tables,
        pictures=draw({table.name: [column.name for column in table.columns] for table in tables}),
        coverage=tuple(coverage_of(facts, mappings)),
        words=words,
    )


# Whether everything is all right --------------------------------------------------------------------------------------


def judge(standing: Standing) -> tuple[Level, str]:
    """One sentence for a person who reads no further."""
    now = standing.about.now
    wrong = [problem for each in standing.directions if (problem := _wrong(each, standing, now))]
    waits = _waits(standing, now)
    if wrong:
        return "bad", f"Something is wrong: {'; '.join(wrong)}{f'; and {waits}' if waits else ''}."
    if all(each.good_at is None for each in standing.directions):
        return "open", "Nothing has been synced yet: no run has looked at everything."
    if waits:
        return "open", f"The sync works, and {waits}."
    ages = [now - each.good_at for each in standing.directions if each.good_at is not None]
    both = "both directions" if len(ages) > 1 else "the sync"
    return "good", (
        f"Everything is all right: {both} ended well, {span(max(ages))} ago at most, and nothing waits for a person."
    )


def _wrong(each: Direction, standing: Standing, now: datetime) -> str:
    """What is wrong with one direction; one that was never used is not wrong."""
    if each.last is not None and has_failed(each.last, standing.at_work):
        how = outcome(each.last, standing.at_work)
        ended = {"killed": "was killed", "stopped": "was stopped", "failed": "failed"}.get(how, f"failed ({how})")
        return f"the last run {DIRECTIONS[each.name]} {ended} {span(now - each.last.started_at)} ago"
    if each.good_at is not None and now - each.good_at > LONG_AGO:
        return f"{DIRECTIONS[each.name]} has not run for {span(now - each.good_at)}"
    return ""


def _waits(standing: Standing, now: datetime) -> str:
    count = standing.open_count
    if not count:
        return ""
    since = [oldest for _count, oldest in standing.open.values() if oldest is not None]
    age = f", the oldest for {span(now - min(since))}" if since else ""
    return f"{_counted(count, 'thing')} {'waits' if count == 1 else 'wait'} for a person{age}"


def _more(facts: Facts) -> Iterator[str]:
    """Why a direction failed, as its run said it."""
    for each in facts.standing.directions:
        if each.last is not None and has_failed(each.last, facts.standing.at_work) and each.last.reason:
            yield each.last.reason


def _tiles(facts: Facts) -> Iterator[Tile]:
    now = facts.now
    for each in facts.standing.directions:
        if each.good_at is None:
            yield Tile(DIRECTIONS[each.name], "never", "no run has ended well yet")
        else:
            level: Level | Literal[""] = "bad" if _wrong(each, facts.standing, now) else ""
            yield Tile(DIRECTIONS[each.name], f"{span(now - each.good_at)} ago", "the last run that ended well", level)
    reads = [read.whole_at for read in facts.standing.boards.values()]
    whole = [at for at in reads if at is not None]
    if whole:
        late: Level | Literal[""] = "bad" if now - min(whole) > LONG_AGO else ""
        yield Tile(
            "boards read whole", f"{span(now - min(whole))} ago", "only that proves that nothing is missing", late
        )
    written = {side: sum(row.number for row in facts.changes if row.wrote == side) for side in ("postgres", "monday")}
    runs = sum(row.number for row in facts.runs)
    well = sum(row.number for row in facts.runs if row.exit_code in (Exit.DONE, Exit.PERSON_NEEDED, Exit.LEASE_HELD))
    share = f"{percent(well / runs)} of them ended well" if runs else "none in this time"
    yield Tile("runs", f"{runs:,}", share, "bad" if runs and well / runs < _FEW else "")
    yield Tile("changes on PostgreSQL", f"{written['postgres']:,}", "that monday had")
    yield Tile("changes on monday", f"{written['monday']:,}", "that PostgreSQL had")
    used = facts.standing.about.calls
    yield Tile("calls today", f"{used:,.0f}", f"of {facts.limit:,}" if facts.limit else "no limit is set")
    count = facts.standing.open_count
    yield Tile("open", f"{count:,}", "waiting for a person", "open" if count else "")


_FEW: Final = 0.9
"""Where fewer runs than that ended well, it is marked."""


def _counted(number: int, one: str) -> str:
    return f"{number:,} {one if number == 1 else one + 's'}"
