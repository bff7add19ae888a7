"""What the page shows, each figure by its name. Nothing here knows where it came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from status.report.picture import Picture
from status.window import Words

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


def percent(share: float) -> str:
    """A share, 0 to 1, that is 0 % or 100 % only where it says so.

    >>> percent(0.9999), percent(0.25), percent(0.0001), percent(0)
    ('99 %', '25 %', '1 %', '0 %')
    """
    shown = round(100 * share)
    if shown in (0, 100) and 100 * share != shown:
        shown = 1 if shown == 0 else 99
    return f"{shown} %"
