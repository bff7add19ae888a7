"""The base snapshot: for every field of an item, the pair (what monday showed, what the row held) when they last met.

A pair rather than one agreed value: a lossy round trip must not echo, two values that differed at first contact have no
agreed value, and a value that lost must be able to say "seen, but the row's value is still to be delivered" (FORCE).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET

from models import RowId
from reconcile.fields import FieldValue
from reconcile.layout import Layout


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


class Stored(msgspec.Struct):
    """What the database remembers of one item. A field that was never read is UNSET on both sides.

    `held`: by number of the slot, what the item's record pointed at when they last met, where that is not the slot's
    row: a foreign key that differed at first contact, and is an edit only once it moves.
    """

    board: str
    id: int
    updated_at: datetime
    links: list[RowId | None]
    monday: list[FieldValue]
    postgres: list[BaseValue]
    state: str = "active"
    missing_count: int = 0
    content_hash: str | None = None
    tolerated: int = 0
    tolerated_links: dict[int, RowId | None] = {}


class _Json(msgspec.Struct, omit_defaults=True):
    m: Sequence[Any]
    p: dict[int, Any] = {}
    force: list[int] = []
    unset: list[int] = []
    held: dict[int, Any] = {}


_decoder = msgspec.json.Decoder(_Json)
_encoder = msgspec.json.Encoder()


def dump_base(
    m: Sequence[FieldValue], p: Mapping[int, BaseValue], held: Mapping[int, RowId | None] | None = None
) -> bytes:
    """JSON of a base: a value per field, and by number what the row holds where that differs; `held` see `Stored`."""
    if UNSET not in m:
        raw = _Json(m)
    else:
        unset = [number for number, value in enumerate(m) if value is UNSET]
        raw = _Json([None if value is UNSET else value for value in m], unset=unset)
    if p:
        raw.p = {number: held for number, held in p.items() if held is not FORCE}
        raw.force = [number for number, held in p.items() if held is FORCE]
    if held:
        raw.held = dict(held)
    return _encoder.encode(raw)


def digest_of(m: Sequence[FieldValue]) -> str:
    """What tells what an item shows, however it was read: two reads of one item may differ in their bytes."""
    return hashlib.sha256(dump_base(m, {})).hexdigest()[:16]


def load_base(
    raw: bytes | str, field_ids: list[str], layout: Layout
) -> tuple[list[FieldValue], list[BaseValue], dict[int, RowId | None]]:
    """A stored base (m, p, held) in the order of today's layout; a field that was mapped since is UNSET.

    `held` is by the slot numbers of the layout that it was stored with.
    """
    stored = _decoder.decode(raw)
    places = {field_id: number for number, field_id in enumerate(field_ids)}
    m: list[FieldValue] = []
    p: list[BaseValue] = []
    for field in layout.fields:
        place = places.get(field.id)
        if place is None or place in stored.unset:
            m.append(UNSET)
            p.append(UNSET)
            continue
        said = field.load(stored.m[place])
        m.append(said)
        p.append(FORCE if place in stored.force else field.load(stored.p[place]) if place in stored.p else said)
    return m, p, stored.held
