"""Takes pages as they come and keeps only what a plan needs: items whose content differs from what was remembered."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Protocol

import msgspec

from reconcile.columns import ColumnMap
from reconcile.decode import decode
from reconcile.items import RawItem, decode_item
from reconcile.layout import Layout
from reconcile.types import ItemState

FORMAT = "1"
"""Raised when decoding changes so that unchanged items must be looked at again."""

HASH_DIGITS = 32
"""Of sha256, which processors have instructions for: half of it tells two versions of an item apart."""


LAG_S = 3_600
"""How far an answer may be behind the board: a replica is so by seconds."""

AHEAD_S = 60
"""How far two clocks of monday.com may differ."""


class KnownItem(Protocol):
    """What is known of an item before it is read: see `postgres.state.Known`."""

    @property
    def content_hash(self) -> str | None: ...
    @property
    def updated_at(self) -> int: ...
    @property
    def state(self) -> str: ...


@dataclass(slots=True)
class ChangeFilter:
    """`change_filter`: one board's share of a read."""

    layout: Layout
    hash_key: bytes
    """See `hash_key`."""
    known: Mapping[int, KnownItem]
    """What is remembered, by item id."""
    everything: bool = False
    """Whether unchanged items are kept too."""
    moved: bool = False
    """The board's columns were others when it was last read, so that an item as old as what is remembered of it may
    show old labels: it is left out as well."""
    monday_s: float | None = None
    """monday's own time of the read; None for a saved one."""
    states: dict[int, ItemState] = field(default_factory=dict)
    """New and changed items by id, and those that had left the board and are back."""
    seen: int = 0
    unchanged: int = 0
    outdated: int = 0
    """Items that are shown as they were before what is remembered: they are left out."""
    newest: datetime | None = None
    """The latest time of change among `states`."""

    def take(self, items: Iterable[RawItem]) -> None:
        """Take one page.

        Raises msgspec.DecodeError when an item is not one: the reader has checked them before.
        """
        for raw in items:
            self.seen += 1
            content_hash = hash_of(self.hash_key, raw)
            known = self.known.get(raw.id)
            unchanged = known is not None and known.content_hash == content_hash and known.state == "active"
            if unchanged and not self.everything:
                self.unchanged += 1
                continue
            state = decode(self.layout, decode_item(raw.raw), content_hash)
            shown_s = int(state.updated_at.timestamp())
            if known is not None and is_outdated(shown_s, known.updated_at + self.moved, self.monday_s):
                self.outdated += 1
                continue
            if self.newest is None or state.updated_at > self.newest:
                self.newest = state.updated_at
            earlier = self.states.get(state.id)  # an item may come twice where it moved between two pages
            if earlier is None or earlier.updated_at <= state.updated_at:
                self.states[state.id] = state


def is_outdated(shown_s: float, remembered_s: float, monday_s: float | None) -> bool:
    """Whether an item is shown as it was before what is remembered of it, and nothing may be concluded from it.

    A saved read may be as old as it likes. An answer is behind by little: where what is remembered is from long ago, or
    from the future, monday's clock was set back since, and the board is believed.

    >>> [is_outdated(100, 200, monday_s) for monday_s in (None, 300, 10_000, 110)]
    [True, True, False, False]
    """
    if shown_s >= remembered_s:
        return False
    return monday_s is None or monday_s - LAG_S < remembered_s <= monday_s + AHEAD_S


def hash_of(key: bytes, item: RawItem) -> str:
    """What tells an item's content, as a page shows it, from what it was: see `Known.content_hash`."""
    digest = _seeded(key).copy()
    digest.update(item.raw)
    return str(digest.hexdigest()[:HASH_DIGITS])


@lru_cache(maxsize=8)
def _seeded(key: bytes) -> Any:
    return hashlib.sha256(key)


def hash_key(columns: ColumnMap, limits: object = None) -> bytes:
    """A key that moves with the mapping and with what the tables take, so that then every item is worth a look."""
    shape = [(column_id, column.target, column.codec.monday_type, column.role) for column_id, column in columns.items()]
    text = msgspec.json.encode([FORMAT, shape, repr(limits)])
    return hashlib.blake2b(text, digest_size=32).digest()
