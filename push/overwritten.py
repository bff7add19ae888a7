"""Edits that somebody made on monday.com between the look and the write. monday has no compare-and-set, but its
activity log tells what each of our writes replaced: a value that we did not see is kept as one that lost.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from msgspec import UNSET

from monday.activity import LoggedWrite
from monday_api import BOARDS
from push.operations import Sent
from push.plan import PreparedPush
from reconcile.activity_values import logged_value
from reconcile.errors import SyncError
from reconcile.push_plan import ItemPush
from reconcile.types import Conflict
from run.context import Run
from run.report import counted

UNKNOWN: Final = "(unknown: monday.com's activity log does not say what it was)"
_A_SECOND = timedelta(seconds=1)  # an item tells its time of change in whole ones

CellPlace = tuple[int, str]
"""(item id, column id) of a cell that was written."""


@dataclass(slots=True)
class Overwritten:
    """`lost` are the values that were replaced unseen; `notes` say where the log did not tell."""

    lost: list[Conflict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def overwritten(run: Run, found: PreparedPush, sent: Sent) -> Overwritten:
    """What the writes of this run replaced that its look had not shown."""
    told = Overwritten()
    user = found.boards.user_id if found.boards is not None else None
    if user is None or sent.first_at is None:
        return told
    since = sent.first_at - timedelta(seconds=time.monotonic() - found.looked_at + 60)
    for board, items in _by_board(sent.delivered).items():
        log = _Log(run, found, board, items, since, user)
        try:
            told.lost += log.lost()
        except SyncError as error:
            told.notes.append(
                f"The activity log of the {board} board could not be read ({error}): whether somebody edited the "
                f"{counted(log.cells, 'cell')} in the moment before this run wrote them is not known."
            )
        told.notes += log.notes
    return told


class _Log:
    """The log of one board about the cells that were written there."""

    def __init__(
        self, run: Run, found: PreparedPush, board: str, items: Mapping[int, ItemPush], since: datetime, user: str
    ) -> None:
        self._run, self._found, self._board, self._items = run, found, board, items
        self._since, self._user = since, user
        self.cells = sum(len(item.cells) for item in items.values())
        self.notes: list[str] = []

    def lost(self) -> list[Conflict]:
        """Raises SyncError where the log cannot be read at all."""
        writes = self._run.client.looker.writes(self._board, list(self._items), self._since, self._user)
        ours = {(write.item_id, write.column_id): write for write in writes if self._after_the_look(write)}
        values = {place: self._value(write, write.previous, write.previous_shown) for place, write in ours.items()}
        untold = {place: write for place, write in ours.items() if values[place] is UNSET}
        values |= dict(self._from_others(untold)) if untold else {}
        if missing := self.cells - len(ours):
            self.notes.append(
                f"The activity log of the {self._board} board does not show {counted(missing, 'cell')} that this run "
                "wrote: whether somebody edited them in the moment before is not known."
            )
        return [
            self._conflict(place, value)
            for place, value in sorted(values.items())
            if value is not UNSET and not self._seen(place, value)
        ]

    def _after_the_look(self, write: LoggedWrite) -> bool:
        item = self._items.get(write.item_id)
        return item is not None and write.column_id in item.cells and write.at > self._floor(item)

    def _floor(self, item: ItemPush) -> datetime:
        """The time of what the look showed; of the look itself where the item's is in the future of monday's clock."""
        at = item.state.updated_at
        return at if self._found.told_at is None else min(at, self._found.told_at)

    def _from_others(self, untold: Mapping[CellPlace, LoggedWrite]) -> Iterator[tuple[CellPlace, Any]]:
        """What a cell held before, where our own entry cannot be read: what the edit before it made of it, if there
        was one. An edit that cannot be read either is one for all that."""
        try:
            writes = self._run.client.looker.writes(self._board, {item_id for item_id, _ in untold}, self._since)
        except SyncError:
            yield from ((place, UNKNOWN) for place in untold)
            return
        unedited = 0
        for place, ours in untold.items():
            before = [w for w in writes if (w.item_id, w.column_id) == place and self._after_the_look(w) and w != ours]
            before = [write for write in before if write.at <= ours.at]
            value = self._value(before[-1], before[-1].value) if before else UNSET
            if value is not UNSET:
                yield place, value
            elif before and before[-1].at >= self._floor(self._items[place[0]]) + _A_SECOND:
                yield place, UNKNOWN
            else:  # there is none, or it is the one that the look showed
                unedited += 1
        if unedited:
            self.notes.append(
                f"The activity log of the {self._board} board does not say what {counted(unedited, 'cell')} held "
                "before this run wrote there; it shows no other edit since the look."
            )

    def _value(self, write: LoggedWrite, raw: Any, shown: Any = UNSET) -> Any:
        assert self._found.boards is not None
        labels = self._found.boards.spelled[self._board].get(write.column_id)
        return logged_value(BOARDS[self._board][write.column_id].codec, raw, shown, labels)

    def _seen(self, place: CellPlace, value: Any) -> bool:
        """Whether the look showed it, or it is what was sent: then the write ran twice."""
        codec, cell = BOARDS[self._board][place[1]].codec, self._items[place[0]].cells[place[1]]
        return bool(codec.compare_key(value) in (codec.compare_key(cell.before), codec.compare_key(cell.after)))

    def _conflict(self, place: CellPlace, lost: Any) -> Conflict:
        item_id, column_id = place
        item_push = self._items[item_id]
        field = next(field for field in item_push.targets if column_id in field.cells)
        return Conflict(
            item_push.item,
            field.role,
            field.id,
            field.table,
            item_push.causes[field],
            kept_from="postgres",
            kept=item_push.cells[column_id].after,
            lost_from="monday",
            lost=lost,
        )


def _by_board(items: Sequence[ItemPush]) -> dict[str, dict[int, ItemPush]]:
    boards: dict[str, dict[int, ItemPush]] = {}
    for item in items:
        boards.setdefault(item.board, {})[item.id] = item
    return boards
