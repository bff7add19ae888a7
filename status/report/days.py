"""What happened, by day: runs, changes and calls, and where the time of a run goes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from postgres.report import BadRun, DayOfChanges, StageTime
from reconcile.errors import Exit
from status.report.facts import Facts
from status.report.shown import Chart, FailedRun, Hue, Series, Stages, StageShare, TableChanges, percent
from status.standing import DIRECTIONS, OUTCOMES
from terminal.times import local

_TABLES_APART: Final = 5
"""Tables that have a colour of their own in a chart; the others share one."""


def day_name(edge: datetime) -> str:
    """How a day is written under a chart."""
    return f"{edge.day} {edge:%b}"


def _by_day(days: int, pairs: Iterable[tuple[int, float]]) -> list[float | None]:
    values: list[float | None] = [None] * days
    for day, value in pairs:
        if 0 <= day < days:
            values[day] = (values[day] or 0) + value
    return values


def ending(exit_code: int | None) -> Hue:
    """The hue of how a run ended; None is one that never did.

    >>> ending(0), ending(5), ending(6), ending(4), ending(None)
    ('good', 'a1', 'idle', 'bad', 'bad')
    """
    return {int(Exit.DONE): "good", int(Exit.PERSON_NEEDED): "a1", int(Exit.LEASE_HELD): "idle"}.get(
        -1 if exit_code is None else exit_code, "bad"
    )


_ENDINGS: Final = {
    "good": "ended well",
    "a1": "ended well, something was open",
    "idle": "found another run at work",
    "bad": "did not end well",
}


def runs_by_day(facts: Facts, days: Sequence[str]) -> Chart:
    """How runs ended."""
    series = [
        Series(
            name, hue, _by_day(len(days), ((row.day, row.number) for row in facts.runs if ending(row.exit_code) == hue))
        )
        for hue, name in _ENDINGS.items()
    ]
    return Chart("Runs by day and outcome", days, [each for each in series if each.total])


def durations_by_day(facts: Facts, days: Sequence[str]) -> Chart:
    """What was usual: the longest run of a day is a complete read, ten times as long, and has a sentence of its own."""
    series = [
        Series(
            name,
            _SIDE_WRITTEN[direction],
            _by_day(len(days), ((row.day, row.median_s) for row in facts.durations if row.direction == direction)),
        )
        for direction, name in DIRECTIONS.items()
    ]
    return Chart("Usual duration of runs by day, in seconds", days, [each for each in series if each.total])


def longest_run(facts: Facts, days: Sequence[str]) -> str:
    """A sentence about the one that took longest; empty where none ran."""
    if not facts.durations:
        return ""
    row = max(facts.durations, key=lambda row: row.longest_s)
    longest = f"{seconds_shown(row.longest_s)}: {DIRECTIONS[row.direction]}, {days[row.day]}"
    return f"Half of the runs took longer. The longest took {longest}."


_SIDE_WRITTEN: Final = {"monday_to_pg": "postgres", "pg_to_monday": "monday"}
SIDES: Final = {"postgres": "PostgreSQL", "monday": "monday"}


def changes_by_day(facts: Facts, days: Sequence[str], side: str) -> Chart:
    """What was written on one side, by table."""
    hues = _table_hues(facts.changes)
    rows = [row for row in facts.changes if row.wrote == side]
    series = [
        Series(name, hue, _by_day(len(days), ((row.day, row.number) for row in rows if hues[row.table] == hue)))
        for hue, name in _hue_names(hues).items()
    ]
    return Chart(f"Changes on {SIDES[side]} by day and table", days, [each for each in series if each.total])


def _table_hues(changes: Sequence[DayOfChanges]) -> dict[str, Hue]:
    """Table → its hue, the same in every chart: those with most changes have one of their own."""
    totals: dict[str, int] = {}
    for row in changes:
        totals[row.table] = totals.get(row.table, 0) + row.number
    order = sorted(totals, key=lambda table: (-totals[table], table))
    apart = len(order) if len(order) <= _TABLES_APART + 1 else _TABLES_APART
    return {table: f"t{number + 1}" if number < apart else "t0" for number, table in enumerate(order)}


def _hue_names(hues: Mapping[str, Hue]) -> dict[Hue, str]:
    return {hue: "other tables" if hue == "t0" else table_name(table) for table, hue in hues.items()}


def table_name(table: str) -> str:
    """What a table is called; items without a row have none."""
    return table or "items"


def changes_by_table(changes: Sequence[DayOfChanges]) -> Iterator[TableChanges]:
    """The same by table, those with most changes first."""
    for table, hue in _table_hues(changes).items():
        sides: dict[str, dict[str, int]] = {"postgres": {}, "monday": {}}
        for row in changes:
            if row.table == table:
                counts = sides.setdefault(row.wrote, {})
                counts[row.action] = counts.get(row.action, 0) + row.number
        yield TableChanges(table_name(table), hue, *(_in_order(sides[side]) for side in ("postgres", "monday")))


def _in_order(counts: Mapping[str, int]) -> dict[str, int]:
    return {action: counts[action] for action in ACTIONS if action in counts}


ACTIONS: Final = {"insert": "new", "create": "new", "update": "changed", "archive": "archived", "restore": "restored"}
"""Action → what became of it, in a word."""


def calls_by_day(facts: Facts, days: Sequence[str], *, weekly: bool) -> Chart:
    """monday counts by days of UTC: each is shown at the day that it began with, or in its week."""
    first = facts.edges[0].date()
    pace = 7 if weekly else 1
    pairs = (((day - first).days // pace, calls) for day, calls in facts.calls.items())
    return Chart("Calls of monday's API by day", days, [Series("calls", "calls", _by_day(len(days), pairs))])


def calls_in_words(facts: Facts) -> str:
    """What of a day's calls is used, today and at most."""
    today = facts.now.astimezone(UTC).date()
    used = facts.calls.get(today, 0.0)
    most = max(facts.calls.items(), key=lambda pair: pair[1], default=(today, 0.0))
    highest = f"the most on one day were {most[1]:,.0f}, on {most[0].day} {most[0]:%B}"
    if facts.limit is None:
        return f"{used:,.0f} today; {highest}. No limit is set (SYNC_DAILY_CALLS)."
    return (
        f"{used:,.0f} of {facts.limit:,} today ({percent(used / facts.limit)}); {highest}, "
        f"{percent(most[1] / facts.limit)} of the limit of a day."
    )


def stages_of(times: Sequence[StageTime]) -> Iterator[Stages]:
    """Of each direction, where the time of an average run goes."""
    for direction, name in DIRECTIONS.items():
        found = [time for time in times if time.direction == direction]
        whole = sum(time.seconds for time in found)
        if whole:
            runs = found[0].runs
            parts = tuple(
                StageShare(time.stage, seconds_shown(time.seconds / runs), time.seconds / whole, f"t{number % 6 + 1}")
                for number, time in enumerate(found)
            )
            yield Stages(name, runs, seconds_shown(whole / runs), parts)


def seconds_shown(seconds: float) -> str:
    """
    >>> seconds_shown(0.0312), seconds_shown(4.27), seconds_shown(83.4)
    ('0.03 s', '4.3 s', '83 s')
    """
    return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s" if seconds < 60 else f"{seconds:,.0f} s"


def failures_of(runs: Sequence[BadRun]) -> Iterator[FailedRun]:
    """Runs that failed alike are told once, with the newest of them."""
    alike: dict[tuple[str, int | None, str], list[BadRun]] = {}
    for run in runs:
        alike.setdefault((run.direction, run.exit_code, run.reason), []).append(run)
    for (direction, exit_code, reason), found in alike.items():
        newest = found[0]
        yield FailedRun(
            newest.run_id,
            len(found),
            DIRECTIONS.get(direction, direction),
            local(newest.started_at),
            "" if newest.duration_s is None else seconds_shown(newest.duration_s),
            "killed" if exit_code is None else OUTCOMES.get(exit_code, f"exit {exit_code}"),
            reason,
        )
