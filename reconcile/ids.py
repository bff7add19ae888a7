"""Which row is an item's: the one that holds its `monday_item_id`, whichever row it was before.

A row's own id (uuid) may change when a table is loaded anew, and a person may write an item's id into another row. What
the item was remembered with goes on to count, so that only what the other row holds differently is an edit.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from enum import Enum, auto

import msgspec

from models import RowId
from reconcile.layout import Layout
from reconcile.types import ItemBase, ItemKey


class IdPlace(Enum):
    """Where the row of an item is whose remembered row does not hold its id."""

    MOVED = auto()
    """Another row holds its id."""
    ANEW = auto()
    """So it is, and that row was listed before as one that looks like another job: the two are compared as at first
    contact."""
    EMPTIED = auto()
    """Its row's id was cleared."""
    LEFT = auto()
    """Its row is another item's now, and no row holds its own id."""
    UNSURE = auto()
    """Its row holds an id that no known item has."""


@dataclass(frozen=True, slots=True)
class Astray:
    """An active item whose remembered row does not hold its id."""

    item: ItemKey
    link: RowId | None
    """The row that it is remembered with."""
    there: bool
    """Whether that row is there."""
    holds: int | None
    """The item id in that row."""
    others: bool
    """Whether an active item has that id."""
    waits: bool
    """Whether that row would become a new item."""
    holder: RowId | None
    """The row that holds the item's own id."""
    alike: bool
    """Whether that one was listed as a row that looks like an item."""

    def place(self, known: Container[ItemKey] = ()) -> IdPlace:
        """`known` are items that are about to become known."""
        if self.holder is not None:
            return IdPlace.ANEW if self.alike else IdPlace.MOVED
        if self.holds is None:
            return IdPlace.EMPTIED
        return IdPlace.LEFT if self.others or (self.item[0], self.holds) in known else IdPlace.UNSURE


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """A row that was an item's until its id was written into another one (`holder`): nobody said what it is now."""

    item: ItemKey
    table: str
    row: RowId
    holder: RowId

    @property
    def where(self) -> str:
        return f"{self.table}.{self.row}"

    @property
    def reason(self) -> str:
        return (
            f"{self.where} was the item's row until its monday_item_id was written into {self.table}.{self.holder}: "
            "delete it if they are one, or else delete this line of monday_sync.sync_dead, which keeps it from "
            "becoming an item"
        )


def follow(base: ItemBase, astray: Astray, place: IdPlace, layout: Layout) -> LeftBehind | None:
    """Link an item to the row that is its own, or to none; the row that it leaves, if that would become an item."""
    if place is IdPlace.MOVED:
        base.links[layout.record] = astray.holder
    elif place is IdPlace.LEFT:
        base.links[layout.record] = None
    return left_behind(astray, place, layout)


def left_behind(astray: Astray, place: IdPlace, layout: Layout) -> LeftBehind | None:
    """The row that an item leaves for another one, if it would become an item."""
    moved = place in (IdPlace.MOVED, IdPlace.ANEW)
    if not moved or not astray.waits or astray.link is None or astray.holder is None:
        return None
    return LeftBehind(astray.item, layout.record.table, astray.link, astray.holder)


CLAIMS = {
    "unknown": "no item of the board has this monday_item_id: correct it, or empty it if the row is to become an item, "
    "or set archived_at if its item is gone",
    "gone": "the item of this monday_item_id is archived or deleted on monday.com: restore it there, or empty the "
    "monday_item_id if the row is to become an item again, or set archived_at",
    "twice": "another row has this monday_item_id too, and is the item's: empty it or correct it",
    "emptied": "its item is archived or deleted on monday.com, and its monday_item_id was emptied: clear archived_at "
    "if the row is to become an item again, or write the id back",
}
"""Why a row's `monday_item_id` waits for a person, by kind."""


class Claim(msgspec.Struct, frozen=True):
    """A row whose `monday_item_id` waits for a person, or does so no longer; `kind` is one of `CLAIMS`."""

    board_id: int
    item_id: int
    place: str
    kind: str = ""

    @property
    def reason(self) -> str:
        return CLAIMS[self.kind]
