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
from reconcile.items import RawItem, decode_item
from reconcile.layout import ItemState, Layout

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
    """One board's share of a read. `states` are new or changed items; an item older than what is known is left out.

    An item that had left the board is looked at although it says what it said; `everything` keeps all. `moved`: the
    columns were others than today, so that an item shows old labels and was yet not edited since: it is left out too.
    `monday_s` is monday's own time of the read; None for a saved one.
    """

    layout: Layout
    hash_key: bytes
    known: Mapping[int, KnownItem]
    everything: bool = False
    moved: bool = False
    monday_s: float | None = None
    states: dict[int, ItemState] = field(default_factory=dict)
    seen: int = 0
    unchanged: int = 0
    outdated: int = 0
    newest: datetime | None = None

    def take(self, items: Iterable[RawItem]) -> None:
        """Take one page.

        Raises msgspec.DecodeError when an item is not one: the reader has checked them before.
        """
        for raw in items:
            self.seen += 1
            content_hash = hash_of(self.hash_key, raw)
            was = self.known.get(raw.id)
            same = was is not None and was.content_hash == content_hash and was.state == "active"
            if same and not self.everything:
                self.unchanged += 1
                continue
            state = self.layout.decode(decode_item(raw.raw), content_hash)
            at = int(state.updated_at.timestamp())
            if was is not None and old_view(at, was.updated_at + self.moved, self.monday_s):
                self.outdated += 1
                continue
            if self.newest is None or state.updated_at > self.newest:
                self.newest = state.updated_at
            before = self.states.get(state.id)
            if before is None or before.updated_at <= state.updated_at:
                self.states[state.id] = state


def old_view(shown_s: float, remembered_s: float, monday_s: float | None) -> bool:
    """Whether an item is shown as it was before what is remembered of it, and nothing may be concluded from it.

    A saved read may be as old as it likes. An answer is behind by little: where what is remembered is from long ago, or
    from the future, monday's clock was set back since, and the board is believed.

    >>> old_view(100, 200, None), old_view(100, 200, 300), old_view(100, 200, 10_000), old_view(100, 200, 110)
    (True, True, False, False)
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
