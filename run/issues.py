"""What waits for a person, as a report of either direction lists it: what the run found, beside what stands already."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from postgres.state import ConflictLine, DeadLetter, OpenIssues
from run.conflicts import Names, settled, waiting
from run.context import Run
from run.news import opened
from run.report import IssueList

Entry = dict[str, Any]
CellEntry = Callable[[str, int, str, str], Entry]
"""Makes the entry of a value, of its board, item, place and reason."""
_CELLS = ("cell", "row", "op")
"""Kinds of dead letters about a value that could not be carried to the other side."""


@dataclass(slots=True)
class Entries:
    """One list of a report in the making: all entries, and those that nobody was told of."""

    listed: list[Entry] = field(default_factory=list)
    untold: list[Entry] = field(default_factory=list)

    @classmethod
    def of_new(cls, found: Iterable[Entry]) -> Entries:
        """What this run has found, all of it news."""
        entries = list(found)
        return cls(entries, list(entries))

    def add(self, entry: Entry, *, told: bool, listed: bool = True) -> None:
        """One entry more; not `listed` where it is there in other words."""
        if listed and entry not in self.listed:
            self.listed.append(entry)
        if not told:
            self.untold.append(entry)


def pair_entry(board: str, item_id: int, role: str, reason: str) -> Entry:
    """Two rows that may be one."""
    return {"board": board, "item": item_id, "role": role, "reason": reason}


def place_of(entry: Mapping[str, object]) -> tuple[object, ...]:
    """Where a value stands that was set aside: two entries of one place speak of the same value."""
    return tuple(entry.get(name) for name in ("board", "item", "column", "row"))


def board_names(run: Run) -> dict[int, str]:
    return {board_id: board for board, board_id in run.board_ids.items()}


def letters(
    run: Run, standing: OpenIssues, over: Collection[tuple[str, int, str]] = ()
) -> Iterator[tuple[str, DeadLetter]]:
    """Board → what was set aside and is so still. `over` are writes to (board, item, place) that monday refuses no
    more."""
    boards = board_names(run)
    for letter in standing.letters(run.run_id):
        board = "PostgreSQL" if letter.kind == "value" else boards.get(letter.board_id, str(letter.board_id))
        if letter.kind != "op" or (board, letter.item_id, letter.place) not in over:
            yield board, letter


def add_letters(
    told: Iterable[tuple[str, DeadLetter]],
    cells: Entries,
    pairs: Entries,
    cell_entry: CellEntry,
    anew: Collection[tuple[object, ...]] = (),
) -> None:
    """Put what stands already behind what the run found. `anew` are places of writes that monday refused in this run:
    what an earlier one said of them is not listed too."""
    for board, letter in told:
        if letter.kind == "would-merge":
            pairs.add(pair_entry(board, letter.item_id, letter.place, letter.reason), told=letter.told)
        else:
            entry = cell_entry(board, letter.item_id, letter.place, letter.reason)
            cells.add(entry, told=letter.told, listed=letter.kind != "op" or place_of(entry) not in anew)


def quarantined(count: int, cells: Entries, standing: OpenIssues) -> IssueList:
    """Values that could not be carried to the other side, `count` of them."""
    return opened(count, cells.listed, cells.untold, sum(map(standing.new_of, _CELLS)))


def would_merge(found: int, pairs: Entries, standing: OpenIssues) -> IssueList:
    """Rows that may be one: so many that this run found, and those that stand."""
    return opened(standing.would_merge + found, pairs.listed, pairs.untold, standing.new_of("would-merge"))


def conflicts(run: Run, planned: Sequence[ConflictLine], standing: OpenIssues, names: Names) -> IssueList:
    """Fields that were edited on both sides, those first that a plan would add to the ones that stand."""
    known = {(line.board_id, line.item_id, line.field): line for line in standing.open}
    added = {place: line for line in planned if (place := (line.board_id, line.item_id, line.field)) not in known}
    lines = [*added.values(), *known.values()]
    entries = waiting(lines, board_names(run), names)
    untold = tuple(entry for entry, line in zip(entries, lines, strict=True) if not line.told)
    new = max(len(untold), standing.new_of("conflicts") + len(added))
    return IssueList(standing.conflicts + len(added), new, entries, untold)


def lost_edits(run: Run, planned: Sequence[ConflictLine], standing: OpenIssues, names: Names) -> IssueList:
    """Edits that lost, all of them news: those of a plan, and those that nobody was told of yet."""
    count, entries = standing.lost_count + len(planned), settled([*planned, *standing.lost], board_names(run), names)
    return IssueList(count, count, entries, entries)
