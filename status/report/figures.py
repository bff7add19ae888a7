"""Rows of the database → what the report shows: pure, everything that is known comes in, and the time too."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import Final, Literal

from models import REFERENCES, TABLES
from postgres.report import BadRun, BoardMemory, DayOfChanges, DayOfDurations, DayOfRuns, StageTime, TableFill
from postgres.window_conflicts import LoggedConflict
from postgres.window_items import Items
from postgres.window_open import KINDS, Kind, OpenThing
from reconcile.columns import ColumnMap
from reconcile.errors import Exit
from status.conflicts import outcome as conflict_outcome
from status.ids import conflict_id
from status.report.picture import Picture, draw
from status.standing import DIRECTIONS, LONG_AGO, OUTCOMES, Direction, Standing, has_failed, outcome
from status.things import NAMES, column_of, field_shown, tell, value_shown
from status.window import Words
from terminal.times import local, span

MOST_BARS: Final = 92
"""Days of which each has its bar; of a longer time each week has one."""
LISTED_RUNS: Final = 500
LISTED_THINGS: Final = 30
LISTED_CONFLICTS: Final = 24
_LISTED_COLUMNS: Final = 60
_LISTED_FAILURES: Final = 16
_TABLES_APART: Final = 5
"""Tables that have a colour of their own in a chart; the others share one."""

Level = Literal["good", "open", "bad"]
Hue = str
"""A class of the style sheet."""


@dataclass(frozen=True, slots=True)
class Series:
    """One colour of a chart; None stands for a day without a value."""

    name: str
    hue: Hue
    values: Sequence[float | None]

    @property
    def total(self) -> float:
        return sum(filter(None, self.values))


@dataclass(frozen=True, slots=True)
class Chart:
    """Days, and values of each day by series. `title` is what a screen reader calls it."""

    title: str
    days: Sequence[str]
    series: Sequence[Series]

    @property
    def by_day(self) -> Iterator[tuple[float | None, ...]]:
        return zip(*(each.values for each in self.series), strict=True)

    @property
    def empty(self) -> bool:
        return not any(each.total for each in self.series)


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that was read, in one transaction. `names` are those of rows that foreign keys point at, `limit` is
    that of the calls of a day."""

    standing: Standing
    edges: Sequence[datetime]
    runs: Sequence[DayOfRuns]
    durations: Sequence[DayOfDurations]
    bad_runs: Sequence[BadRun]
    bad_count: int
    stages: Sequence[StageTime]
    changes: Sequence[DayOfChanges]
    calls: Mapping[date, float]
    limit: int | None
    things: Sequence[OpenThing]
    conflicts: Sequence[LoggedConflict]
    items: Items
    names: Mapping[str, str]
    fill: Mapping[str, TableFill]
    boards: Sequence[BoardMemory]

    @property
    def now(self) -> datetime:
        return self.standing.about.now


@dataclass(frozen=True, slots=True)
class Tile:
    """A number that stands alone: what it is, and a word about it."""

    title: str
    value: str
    note: str = ""
    level: Level | Literal[""] = ""


@dataclass(frozen=True, slots=True)
class Item:
    """An item as a person finds it; `link` is None where the account's name in addresses is not known."""

    name: str
    where: str
    link: str | None


@dataclass(frozen=True, slots=True)
class FailedRun:
    """Runs that did not end well, for the same reason: so many, the newest of them."""

    run_id: str
    count: int
    direction: str
    at: str
    took: str
    ended: str
    reason: str


@dataclass(frozen=True, slots=True)
class StageShare:
    """One stage of an average run; `share` is of the whole, 0 to 1."""

    name: str
    seconds: str
    share: float
    hue: Hue


@dataclass(frozen=True, slots=True)
class Stages:
    """Where the time of one direction goes."""

    direction: str
    runs: int
    average: str
    parts: tuple[StageShare, ...]


@dataclass(frozen=True, slots=True)
class TableChanges:
    """What was written in one table, or of the items that have no row: counts by side and action."""

    table: str
    hue: Hue
    postgres: Mapping[str, int]
    monday: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class OpenKind:
    """One kind of open thing: how many in all, of the last day, of the last week, and before; `oldest` as an age."""

    name: str
    count: int
    day: int
    week: int
    older: int
    undated: int
    oldest: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """One open thing."""

    id: str
    kind: str
    item: Item | None
    place: str
    says: str
    settle: str
    age: str


@dataclass(frozen=True, slots=True)
class ThreeValues:
    """A conflict: what both sides say, and what they agreed on before; None for an empty one. `ended` is empty while it
    is open."""

    id: str
    field: str
    item: Item | None
    monday: str | None
    postgres: str | None
    agreed: str | None
    ever_agreed: bool
    winner: str
    at: str
    ended: str


@dataclass(frozen=True, slots=True)
class ColumnFill:
    """How full one column is, 0 to 1; `target` is the table that it points at."""

    name: str
    filled: int
    share: float
    target: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """One of the nine tables. `shown_by` says where the table in the middle of the picture points at it."""

    name: str
    rows: int
    columns: tuple[ColumnFill, ...]
    shown_by: str = ""

    @property
    def share(self) -> float:
        """How full it is as a whole."""
        return sum(column.share for column in self.columns) / len(self.columns) if self.columns else 0.0

    def share_to(self, target: str) -> float:
        """How many of its rows point at a table: of several links the fullest."""
        return max((column.share for column in self.columns if column.target == target), default=0.0)


@dataclass(frozen=True, slots=True)
class MappedColumn:
    """A column of the mapping: where it goes, and whether the board had it at the last complete read (None: never)."""

    title: str
    id: str
    goes_to: str
    way: str
    there: bool | None


@dataclass(frozen=True, slots=True)
class Coverage:
    """What of a board is mapped. `others` are (title, type) of its other columns, None where nobody wrote them down."""

    board: str
    title: str
    mapped: tuple[MappedColumn, ...]
    others: tuple[tuple[str, str], ...] | None
    more: int
    read: str

    @property
    def missing(self) -> tuple[MappedColumn, ...]:
        return tuple(column for column in self.mapped if column.there is False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The report, in the order of the page."""

    made_at: str
    since: str
    days: str
    by: str
    level: Level
    verdict: str
    verdict_more: tuple[str, ...]
    tiles: tuple[Tile, ...]
    runs: Chart
    durations: Chart
    longest: str
    bad_runs: tuple[FailedRun, ...]
    bad_count: int
    changes_on: Mapping[str, Chart]
    changes: tuple[TableChanges, ...]
    calls: Chart
    calls_note: str
    limit: int | None
    stages: tuple[Stages, ...]
    kinds: tuple[OpenKind, ...]
    things: tuple[Waiting, ...]
    things_count: int
    conflicts: tuple[ThreeValues, ...]
    conflicts_open: int
    conflicts_count: int
    tables: tuple[Table, ...]
    pictures: tuple[Picture, ...]
    coverage: tuple[Coverage, ...]
    words: Words = field(default_factory=Words)

    def table(self, name: str) -> Table:
        return next(table for table in self.tables if table.name == name)


def day_edges(now: datetime, length: timedelta) -> list[datetime]:
    """When each day of the report begins by this machine's clock: today and as many before as make up the length; of a
    long time, each week."""
    days = max(1, -(-length // timedelta(days=1)))
    pace = 1 if days <= MOST_BARS else 7
    bars = -(-days // pace)
    today = now.astimezone().date()
    first = today - timedelta(days=bars * pace - 1)
    return [_midnight(first + timedelta(days=number * pace)) for number in range(bars)]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time()).astimezone()


def make_figures(facts: Facts, mappings: Mapping[str, ColumnMap], words: Words) -> Figures:
    """Everything that the page shows."""
    days = [_day(edge) for edge in facts.edges]
    level, verdict = judge(facts.standing)
    conflicts = [_three(conflict, facts) for conflict in facts.conflicts]
    things = [thing for thing in facts.things if thing.kind != "conflict"]
    tables = tuple(sorted(_tables(facts.fill), key=lambda table: -len(table.columns)))
    weekly = len(facts.edges) > 1 and facts.edges[1] - facts.edges[0] > timedelta(days=2)
    calls = _calls(facts, days, weekly=weekly)
    return Figures(
        made_at=local(facts.now),
        since=f"{facts.edges[0]:%-d %B %Y}",
        days=_counted((facts.now.astimezone().date() - facts.edges[0].date()).days + 1, "day"),
        by="week" if weekly else "day",
        level=level,
        verdict=verdict,
        verdict_more=tuple(_more(facts)),
        tiles=tuple(_tiles(facts)),
        runs=_runs(facts, days),
        durations=_durations(facts, days),
        longest=_longest(facts, days),
        bad_runs=tuple(islice(_failures(facts.bad_runs), _LISTED_FAILURES)),
        bad_count=facts.bad_count,
        changes_on={side: _changes(facts, days, side) for side in ("postgres", "monday")},
        changes=tuple(_table_changes(facts.changes)),
        calls=calls,
        calls_note=_calls_note(facts),
        limit=None if facts.limit is None else facts.limit * (7 if weekly else 1),
        stages=tuple(_stages(facts.stages)),
        kinds=tuple(_kinds(facts.things, facts.now)),
        things=tuple(_waiting(thing, facts, words) for thing in _oldest_first(things)[:LISTED_THINGS]),
        things_count=len(things),
        conflicts=tuple(conflicts[:LISTED_CONFLICTS]),
        conflicts_open=sum(conflict.open for conflict in facts.conflicts),
        conflicts_count=len(conflicts),
        tables=tables,
        pictures=draw({table.name: [column.name for column in table.columns] for table in tables}),
        coverage=tuple(_coverage(facts, mappings)),
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


def percent(share: float) -> str:
    """A share, 0 to 1, that is 0 % or 100 % only where it says so.

    >>> percent(0.9999), percent(0.25), percent(0.0001), percent(0)
    ('99 %', '25 %', '1 %', '0 %')
    """
    shown = round(100 * share)
    if shown in (0, 100) and 100 * share != shown:
        shown = 1 if shown == 0 else 99
    return f"{shown} %"


# By day ---------------------------------------------------------------------------------------------------------------


def _day(edge: datetime) -> str:
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


def _runs(facts: Facts, days: Sequence[str]) -> Chart:
    series = [
        Series(
            name, hue, _by_day(len(days), ((row.day, row.number) for row in facts.runs if ending(row.exit_code) == hue))
        )
        for hue, name in _ENDINGS.items()
    ]
    return Chart("Runs by day and outcome", days, [each for each in series if each.total])


def _durations(facts: Facts, days: Sequence[str]) -> Chart:
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


def _longest(facts: Facts, days: Sequence[str]) -> str:
    if not facts.durations:
        return ""
    row = max(facts.durations, key=lambda row: row.longest_s)
    longest = f"{_seconds(row.longest_s)}: {DIRECTIONS[row.direction]}, {days[row.day]}"
    return f"Half of the runs took longer. The longest took {longest}."


_SIDE_WRITTEN: Final = {"monday_to_pg": "postgres", "pg_to_monday": "monday"}
SIDES: Final = {"postgres": "PostgreSQL", "monday": "monday"}


def _changes(facts: Facts, days: Sequence[str], side: str) -> Chart:
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


def _table_changes(changes: Sequence[DayOfChanges]) -> Iterator[TableChanges]:
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


def _calls(facts: Facts, days: Sequence[str], *, weekly: bool) -> Chart:
    """monday counts by days of UTC: each is shown at the day that it began with, or in its week."""
    first = facts.edges[0].date()
    pace = 7 if weekly else 1
    pairs = (((day - first).days // pace, calls) for day, calls in facts.calls.items())
    return Chart("Calls of monday's API by day", days, [Series("calls", "calls", _by_day(len(days), pairs))])


def _calls_note(facts: Facts) -> str:
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


def _stages(times: Sequence[StageTime]) -> Iterator[Stages]:
    for direction, name in DIRECTIONS.items():
        found = [time for time in times if time.direction == direction]
        whole = sum(time.seconds for time in found)
        if whole:
            runs = found[0].runs
            parts = tuple(
                StageShare(time.stage, _seconds(time.seconds / runs), time.seconds / whole, f"t{number % 6 + 1}")
                for number, time in enumerate(found)
            )
            yield Stages(name, runs, _seconds(whole / runs), parts)


def _seconds(seconds: float) -> str:
    """
    >>> _seconds(0.0312), _seconds(4.27), _seconds(83.4)
    ('0.03 s', '4.3 s', '83 s')
    """
    return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s" if seconds < 60 else f"{seconds:,.0f} s"


def _failures(runs: Sequence[BadRun]) -> Iterator[FailedRun]:
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
            "" if newest.duration_s is None else _seconds(newest.duration_s),
            "killed" if exit_code is None else OUTCOMES.get(exit_code, f"exit {exit_code}"),
            reason,
        )


# What is open ---------------------------------------------------------------------------------------------------------


def _oldest_first(things: Sequence[OpenThing]) -> list[OpenThing]:
    return sorted(things, key=lambda thing: (thing.since is None, thing.since.timestamp() if thing.since else 0.0))


def _kinds(things: Sequence[OpenThing], now: datetime) -> Iterator[OpenKind]:
    for kind in KINDS:
        of_kind = [thing for thing in things if thing.kind == kind]
        if of_kind:
            yield _kind(kind, of_kind, now)


def _kind(kind: Kind, things: Sequence[OpenThing], now: datetime) -> OpenKind:
    ages = [now - thing.since for thing in things if thing.since is not None]
    day = sum(age < timedelta(days=1) for age in ages)
    week = sum(timedelta(days=1) <= age < timedelta(days=7) for age in ages)
    return OpenKind(
        NAMES[kind][0 if len(things) == 1 else 1],
        len(things),
        day,
        week,
        len(ages) - day - week,
        len(things) - len(ages),
        span(max(ages)) if ages else "",
    )


def _waiting(thing: OpenThing, facts: Facts, words: Words) -> Waiting:
    told = tell(thing, facts.items, facts.names, words)
    age = span(facts.now - thing.since) if thing.since is not None else ""
    item = item_of(facts.items, thing.board_id, thing.item_id)
    return Waiting(told.id, told.kind, item, told.place, told.says, told.settle, age)


def item_of(items: Items, board_id: int | None, item_id: int | None) -> Item | None:
    """An item for the page; None where a thing is about none."""
    if not item_id:
        return None
    board = items.board(board_id)
    where = f"item {item_id}" + (f", {board} board" if board else "")
    return Item(items.names.get(item_id, ""), where, items.link(board_id, item_id))


def _three(conflict: LoggedConflict, facts: Facts) -> ThreeValues:
    monday, postgres, agreed = (
        value_shown(value, conflict.field, facts.names)
        for value in (conflict.monday, conflict.postgres, conflict.agreed)
    )
    return ThreeValues(
        conflict_id(conflict.id),
        field_shown(conflict.field, conflict.table),
        item_of(facts.items, conflict.board_id, conflict.item_id),
        monday,
        postgres,
        agreed,
        conflict.ever_agreed,
        "" if conflict.open else conflict_outcome(conflict),
        local(conflict.at),
        "" if conflict.settled_at is None else local(conflict.settled_at),
    )


def pointed_at(conflicts: Sequence[LoggedConflict]) -> Iterator[tuple[str, str]]:
    """(table, row) that the values of conflicts about foreign keys name."""
    for conflict in conflicts:
        target = REFERENCES.get(column_of(conflict.field, conflict.table).rpartition(".")[2])
        if target is not None:
            yield from ((target, value) for value in (conflict.monday, conflict.postgres, conflict.agreed) if value)


# The tables and the boards --------------------------------------------------------------------------------------------


def _tables(fill: Mapping[str, TableFill]) -> Iterator[Table]:
    hub = "projects"
    for name in TABLES:
        if name not in fill:
            continue
        found = fill[name]
        columns = tuple(
            ColumnFill(
                column,
                filled,
                filled / found.rows if found.rows else 0.0,
                REFERENCES.get(column, "") if REFERENCES.get(column, "") != name else "",
            )
            for column, filled in found.filled.items()
            if column != "id"
        )
        yield Table(name, found.rows, columns, _shown_by(name, fill.get(hub)))


def _shown_by(table: str, hub: TableFill | None) -> str:
    """In how many projects a table is named."""
    if hub is None or not hub.rows:
        return ""
    links = [filled for column, filled in hub.filled.items() if REFERENCES.get(column) == table]
    if not links:
        return ""
    if len(links) == 1:
        return f"{percent(links[0] / hub.rows)} of projects"
    return f"{len(links)} places in projects"


def _coverage(facts: Facts, mappings: Mapping[str, ColumnMap]) -> Iterator[Coverage]:
    known = {board.board: board for board in facts.boards}
    for name, columns in mappings.items():
        board = known.get(name)
        read = facts.standing.boards.get(name)
        others = None if board is None else board.others
        yield Coverage(
            name,
            (board.title if board is not None else None) or f"{name} board",
            tuple(_mapped(columns, board)),
            None if others is None else tuple((title, kind) for _id, title, kind in others[:_LISTED_COLUMNS]),
            max(0, len(others or ()) - _LISTED_COLUMNS),
            "" if read is None or read.whole_at is None else local(read.whole_at),
        )


def _mapped(columns: ColumnMap, board: BoardMemory | None) -> Iterator[MappedColumn]:
    there: Collection[str] | None = set(board.columns) if board is not None and board.columns else None
    for column_id, column in columns.items():
        known = None if there is None else column_id in there
        yield MappedColumn(column.title, column_id, column.target, column.direction, known)


def _counted(number: int, one: str) -> str:
    return f"{number:,} {one if number == 1 else one + 's'}"
