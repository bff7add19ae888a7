"""Where the boxes of the tables stand in the picture, and the lines of the foreign keys between them.

The table that points at most others stands in the middle. The others are in two columns, those beside each other that
point at each other, so that no line crosses a box. It is drawn twice: for a wide page, and for a telephone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from models import REFERENCES, TABLES

_TALL: Final = 84
_GAP: Final = 36


@dataclass(frozen=True, slots=True)
class Box:
    """One table: `hub` is the one in the middle."""

    table: str
    x: float
    y: float
    width: float
    height: float = _TALL
    hub: bool = False

    @property
    def middle(self) -> float:
        return self.y + self.height / 2

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def center(self) -> float:
        return self.x + self.width / 2


@dataclass(frozen=True, slots=True)
class Line:
    """A foreign key, or several to the same table: an SVG path that begins at the table that `points` and ends, with a
    dot at `end`, at the one that is pointed at. `said_at` is where there is room for a word about it."""

    points: str
    at: str
    path: str
    end: tuple[float, float]
    said_at: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """`form` is `wide` or `narrow`."""

    form: str
    width: float
    height: float
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


Links = Mapping[str, Sequence[str]]
"""Table → the tables that it points at, each once."""


def links_of(tables: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Of tables with their columns."""
    return {
        table: [
            target
            for target in dict.fromkeys(REFERENCES[column] for column in columns if column in REFERENCES)
            if target in tables and target != table
        ]
        for table, columns in tables.items()
    }


def draw(tables: Mapping[str, Sequence[str]]) -> tuple[Picture, ...]:
    """Both pictures of the tables that are there (each with its columns); none where there are no tables."""
    if not tables:
        return ()
    links = links_of(tables)
    hub = max(links, key=lambda table: (len(links[table]), -list(TABLES).index(table)))
    columns = _columns(hub, links)
    return _wide(hub, columns, links), _narrow(hub, columns, links)


def _columns(hub: str, links: Links) -> tuple[list[str], list[str]]:
    """Two columns of nearly the same height; what hangs together stays together, in the order of its links."""
    groups = sorted(_groups(hub, links), key=len, reverse=True)
    columns: tuple[list[str], list[str]] = ([], [])
    for group in groups:
        min(columns, key=len).extend(group)
    return columns


def _groups(hub: str, links: Links) -> list[list[str]]:
    """Tables that point at each other, each group as a walk along the links."""
    beside: dict[str, set[str]] = {table: set() for table in links if table != hub}
    for table, targets in links.items():
        for target in targets:
            if hub not in (table, target):
                beside[table].add(target)
                beside[target].add(table)
    groups: list[list[str]] = []
    left = sorted(beside, key=lambda table: (len(beside[table]), table))
    while left:
        group: list[str] = []
        ahead = [left[0]]
        while ahead:
            table = ahead.pop()
            if table in left:
                left.remove(table)
                group.append(table)
                ahead += sorted(beside[table] & set(left), key=lambda name: (-len(beside[name]), name))
        groups.append(group)
    return groups


def _wide(hub: str, columns: tuple[list[str], list[str]], links: Links) -> Picture:
    wide, side = 1000, 250
    height = max(map(len, columns)) * (_TALL + _GAP) - _GAP if any(columns) else _TALL
    leaves = _stacks(columns, (0, wide - side), side)
    tall = min(height, 170)
    middle = Box(hub, (wide - side) / 2, (height - tall) / 2, side, tall, hub=True)
    lines = []
    for column, out, into in ((columns[0], middle.x, side), (columns[1], middle.right, wide - side)):
        for number, table in enumerate(column):
            start = middle.y + tall * (number + 1) / (len(column) + 1)
            if table in links[hub]:
                lines.append(_curve(hub, table, (out, start), (into, leaves[table].middle)))
            elif hub in links[table]:
                lines.append(_curve(table, hub, (into, leaves[table].middle), (out, start)))
    lines += _between(columns, links, leaves, ("left", "right"))
    return Picture("wide", wide, height, (middle, *leaves.values()), tuple(lines))


def _narrow(hub: str, columns: tuple[list[str], list[str]], links: Links) -> Picture:
    wide, side, top = 340, 140, _TALL + _GAP
    leaves = _stacks(columns, (0, wide - side), side, top)
    middle = Box(hub, 0, 0, wide, hub=True)
    spine = wide / 2
    lines = []
    for column, into in ((columns[0], side), (columns[1], wide - side)):
        for table in column:
            at = leaves[table].middle
            if table in links[hub]:
                lines.append(Line(hub, table, f"M{spine:g} {middle.height:g}V{at:g}H{into:g}", (into, at)))
            elif hub in links[table]:
                end = (spine, middle.height)
                lines.append(Line(table, hub, f"M{into:g} {at:g}H{spine:g}V{middle.height:g}", end))
    lines += _between(columns, links, leaves, ("right", "left"))
    height = max((box.y + box.height for box in leaves.values()), default=_TALL)
    return Picture("narrow", wide, height, (middle, *leaves.values()), tuple(lines))


def _stacks(
    columns: tuple[list[str], list[str]], at: tuple[float, float], wide: float, top: float = 0
) -> dict[str, Box]:
    return {
        table: Box(table, x, top + number * (_TALL + _GAP), wide)
        for x, column in zip(at, columns, strict=True)
        for number, table in enumerate(column)
    }


def _between(
    columns: tuple[list[str], list[str]], links: Links, boxes: Mapping[str, Box], free: tuple[str, str]
) -> list[Line]:
    """Lines inside of a column: straight between neighbours, else around on the side that is `free`."""
    return [
        _down(boxes[table], boxes[target], side)
        for column, side in zip(columns, free, strict=True)
        for table in column
        for target in links[table]
        if target in column
    ]


def _down(box: Box, target: Box, side: str) -> Line:
    if abs(target.y - box.y) <= _TALL + _GAP:
        start, end = (box.y + box.height, target.y) if target.y > box.y else (box.y, target.y + target.height)
        said = (box.center + 10, (start + end) / 2 + 4)
        return Line(box.table, target.table, f"M{box.center:g} {start:g}V{end:g}", (box.center, end), said)
    edge, out = (box.right, box.right + _GAP / 2) if side == "right" else (box.x, box.x - _GAP / 2)
    return Line(
        box.table, target.table, f"M{edge:g} {box.middle:g}H{out:g}V{target.middle:g}H{edge:g}", (edge, target.middle)
    )


def _curve(points: str, at: str, start: tuple[float, float], end: tuple[float, float]) -> Line:
    bend = (start[0] + end[0]) / 2
    path = f"M{start[0]:g} {start[1]:g}C{bend:g} {start[1]:g} {bend:g} {end[1]:g} {end[0]:g} {end[1]:g}"
    return Line(points, at, path, end)
