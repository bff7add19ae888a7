"""What a read gives and what it proves: its pages, the items counted once, and the verdict on each board."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from itertools import pairwise
from typing import Literal

import msgspec

from monday.boards import BoardSchema
from monday.pagination import Page
from reconcile import items
from reconcile.errors import DriftError
from reconcile.items import RawItem


class Gone(Enum):
    """Why a known item is not among the active items of its board."""

    ARCHIVED = "archived"
    DELETED = "deleted"
    MOVED = "moved"
    """It lives on another board, or as a subitem under another item."""
    SILENT = "silent"
    """Not answered at all: purged, or no longer visible to the token."""


Mode = Literal["full", "incremental", "limited"]


@dataclass(frozen=True, slots=True)
class ReadResult:
    """What one read proves about one board. `why` says in a sentence what is missing when it is not complete."""

    board: str
    mode: Mode
    complete: bool
    items_count: int
    """Active items as monday counts them, the smaller of before and after the read."""
    seen: int
    """Distinct active items that came."""
    gone: Mapping[int, Gone] = field(default_factory=dict)
    why: str = ""


@dataclass(frozen=True, slots=True)
class ById:
    """The answer to up to 500 ids: active items of the board, and what became of every other id."""

    alive: list[RawItem]
    gone: dict[int, Gone]


Known = Mapping[str, Collection[int]]
"""Board name → ids of the items that were active when the sync last looked."""


class Read:
    """One read under way: iterate `pages` once to its end, then look at `outcome`.

    An item that changed while it was read may come twice; the later one is the newer.
    """

    def __init__(
        self, schemas: dict[str, BoardSchema], pages: Callable[[dict[str, ReadResult]], Iterator[Page]]
    ) -> None:
        self.schemas = schemas
        self.outcome: dict[str, ReadResult] = {}
        self._pages = pages

    def pages(self) -> Iterator[Page]:
        """Raises SyncError when the boards cannot be read, SchemaMoved when their columns changed meanwhile."""
        return self._pages(self.outcome)


@dataclass(slots=True)
class Tally:
    """The distinct items of one board that came so far."""

    seen: dict[int, str] = field(default_factory=dict)

    def new(self, items: Sequence[RawItem]) -> list[RawItem]:
        """Those that did not come before, or are newer than when they did."""
        fresh = []
        for item in items:
            before = self.seen.get(item.id)
            if before is None or (before != item.updated_at and instant(before) < instant(item.updated_at)):
                self.seen[item.id] = item.updated_at
                fresh.append(item)
        return fresh


def instant(text: str) -> datetime:
    """See `reconcile.items.instant`. Raises DriftError when it is none."""
    try:
        return items.instant(text)
    except msgspec.DecodeError:
        raise DriftError("monday.com sent an item with a time that is no ISO 8601 time: report it") from None


def full_outcome(board: str, items_count: int, seen: int, gone: Mapping[int, Gone]) -> ReadResult:
    if seen >= items_count:
        return ReadResult(board, "full", True, items_count, seen, gone)
    why = f"monday.com counts {items_count} items on the {board} board but let {seen} of them be read, twice"
    return ReadResult(board, "full", False, items_count, seen, gone, why)


def changed_outcome(schema: BoardSchema, active: int, seen: int, gone: Mapping[int, Gone]) -> ReadResult:
    board, items_count = schema.board, schema.items_count
    if active == items_count:
        return ReadResult(board, "incremental", True, items_count, seen, gone)
    why = f"monday.com counts {items_count} items on the {board} board, and {active} are known or changed"
    return ReadResult(board, "incremental", False, items_count, seen, gone, why)


def changed_at(item: RawItem) -> datetime:
    return instant(item.updated_at)


def back_to(floor: datetime, of: Callable[[RawItem], datetime] = changed_at) -> Callable[[Sequence[RawItem]], bool]:
    """Whether a page reaches back past `floor`; only if it really is sorted, the latest first."""

    def enough(items: Sequence[RawItem]) -> bool:
        instants = [of(item) for item in items]
        falling = all(later >= earlier for later, earlier in pairwise(instants))
        return falling and bool(instants) and instants[-1] < floor

    return enough
