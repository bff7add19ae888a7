"""The base snapshot: for every field of an item, the pair (what monday showed, what the row held) when they last met.

A pair rather than one agreed value: a lossy round trip must not echo, two values that differed at first contact have no
agreed value, and a value that lost must be able to say "seen, but the row's value is still to be delivered" (FORCE).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET

from models import RowId
from reconcile.fields import FieldValue
from reconcile.layout import ItemState, Layout


class Force(Enum):
    """A base value that equals nothing."""

    FORCE = "force"


FORCE: Final = Force.FORCE
BaseValue = FieldValue | Literal[Force.FORCE]


AGAIN: Final = "!"
"""Before the hash of an item of which something was refused: the next run tries again."""
AGAIN_LATER: Final = "~"
"""The same, when the next whole read comes by: there are too many for each run."""


def content_of(content_hash: str) -> str:
    """The hash of an item's content, without a mark."""
    return content_hash.lstrip(AGAIN + AGAIN_LATER)


def is_as_refused(content_hash: str | None, now: str | None) -> bool:
    """Whether something of an item was refused, and its content is still what it was then."""
    return (
        content_hash is not None and content_hash.startswith((AGAIN, AGAIN_LATER)) and content_of(content_hash) == now
    )


def is_open(content_hash: str | None) -> bool:
    """Whether an item is looked at in each run, changed or not."""
    return content_hash is None or content_hash.startswith(AGAIN)


class ItemBase(msgspec.Struct):
    """What is remembered of one item: for each field the pair of what monday showed and what its row held.

    A field that was never read is UNSET on both sides. `postgres` is `monday` itself where they do not differ at all.
    `links` holds the row of each slot; `tolerated_links`, by number of the slot, what the record's foreign key pointed
    at where that is not the slot's row: it differed at first contact, and is an edit only once it moves.
    `content_hash` is None while something of the item is open; `tolerated` counts the fields that differ and that
    nobody edited. `missing_count`: complete reads in a row in which it did not come.
    """

    board: str
    id: int
    updated_at: datetime
    links: list[RowId | None]
    monday: Sequence[FieldValue]
    postgres: Sequence[BaseValue]
    state: str = "active"
    missing_count: int = 0
    content_hash: str | None = None
    tolerated: int = 0
    tolerated_links: dict[int, RowId | None] = {}

    @property
    def key(self) -> tuple[str, int]:
        """(board, item id)"""
        return self.board, self.id

    def set_pair(self, number: int, monday: FieldValue, postgres: BaseValue) -> None:
        """Remember another pair of one field."""
        shared = self.postgres is self.monday
        if monday is not self.monday[number]:
            self.monday = [*self.monday[:number], monday, *self.monday[number + 1 :]]
            if shared:
                self.postgres = self.monday
        if postgres is not self.postgres[number]:
            self.postgres = [*self.postgres[:number], postgres, *self.postgres[number + 1 :]]

    def copy(self) -> ItemBase:
        """One of its own, to be changed."""
        return msgspec.structs.replace(self, links=list(self.links), tolerated_links=dict(self.tolerated_links))

    def count_tolerated(self, layout: Layout) -> int:
        """How many fields differ that nobody edited; it is remembered in `tolerated`."""
        self.tolerated = sum(
            held is not FORCE and shown is not UNSET and field.compare_key(shown) != field.compare_key(held)
            for field, shown, held in zip(layout.fields, self.monday, self.postgres, strict=True)
            if held is not shown
        )
        return self.tolerated

    def to_json(self) -> bytes:
        """Its pairs as they are stored: a value per field, and by number what the row held where that differs."""
        raw = _values(self.monday)
        if self.postgres is not self.monday:
            pairs = enumerate(zip(self.monday, self.postgres, strict=True))
            differing = {number: held for number, (shown, held) in pairs if held is FORCE or held != shown}
            raw.p = {number: held for number, held in differing.items() if held is not FORCE}
            raw.force = [number for number, held in differing.items() if held is FORCE]
        if self.tolerated_links:
            raw.held = self.tolerated_links
        return _encoder.encode(raw)


class _Json(msgspec.Struct, omit_defaults=True):
    """The stored form of a base; its short names are those of all versions. `m`: what monday showed; `p`: by number,
    what the row held where that differs; `held`: `ItemBase.tolerated_links`."""

    m: Sequence[Any]
    p: dict[int, Any] = {}
    force: list[int] = []
    unset: list[int] = []
    held: dict[int, Any] = {}


_decoder = msgspec.json.Decoder(_Json)
_encoder = msgspec.json.Encoder()


def _values(monday: Sequence[FieldValue]) -> _Json:
    if UNSET not in monday:
        return _Json(monday)
    unset = [number for number, value in enumerate(monday) if value is UNSET]
    return _Json([None if value is UNSET else value for value in monday], unset=unset)


def digest_of(monday: Sequence[FieldValue]) -> str:
    """What tells what an item shows, however it was read: two reads of one item may differ in their bytes."""
    return hashlib.sha256(_encoder.encode(_values(monday))).hexdigest()[:16]


def pairs_from_json(
    raw: bytes | str, field_ids: list[str], layout: Layout
) -> tuple[list[FieldValue], list[BaseValue], dict[int, RowId | None]]:
    """(monday, postgres, tolerated links) of a stored base, in the order of today's layout; a field that was mapped
    since is UNSET. The links are by the slot numbers of the layout that it was stored with.
    """
    stored = _decoder.decode(raw)
    numbers = {field_id: number for number, field_id in enumerate(field_ids)}
    monday: list[FieldValue] = []
    postgres: list[BaseValue] = []
    for field in layout.fields:
        number = numbers.get(field.id)
        if number is None or number in stored.unset:
            monday.append(UNSET)
            postgres.append(UNSET)
            continue
        shown = field.load(stored.m[number])
        monday.append(shown)
        if number in stored.force:
            postgres.append(FORCE)
        else:
            postgres.append(field.load(stored.p[number]) if number in stored.p else shown)
    return monday, postgres, stored.held


def as_remembered(base: ItemBase) -> ItemState:
    """What an item says that was not read: what it said last."""
    values = tuple(base.monday)
    return ItemState(base.board, base.id, base.updated_at, values, (), base.content_hash, seen=False)
