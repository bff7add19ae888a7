"""What is remembered of an item, to and from the JSON in which the database keeps it, and the marks on its hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import UNSET

from models import RowId
from reconcile.fields import FieldValue
from reconcile.layout import Layout
from reconcile.types import FORCE, BaseValue, ItemBase, ItemState, PerField

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


def as_remembered(base: ItemBase) -> ItemState:
    """The state of an item that was not read: what it showed last."""
    return ItemState(base.board, base.id, base.updated_at, base.monday, content_hash=base.content_hash, seen=False)


# As JSON --------------------------------------------------------------------------------------------------------------


class _Json(msgspec.Struct, omit_defaults=True):
    """The stored form of a base; its short names are those of all versions. Fields and slots go by the places that they
    have in the layout with which it was stored."""

    m: Sequence[Any]
    """What monday showed of each field; None where it was not read."""
    p: dict[int, Any] = {}
    """What the row held, where that differs."""
    force: list[int] = []
    """Fields of which the row's value is still to be sent."""
    unset: list[int] = []
    """Fields that were not read."""
    held: dict[int, Any] = {}
    """`ItemBase.tolerated_links`, by slot."""


_decoder = msgspec.json.Decoder(_Json)
_encoder = msgspec.json.Encoder()


def to_json(base: ItemBase, layout: Layout) -> bytes:
    """The pairs of a base as they are stored."""
    raw = _shown(base.monday)
    if base.postgres is not base.monday:
        pairs = enumerate(zip(base.monday, base.postgres, strict=True))
        differing = {number: held for number, (shown, held) in pairs if held is FORCE or held != shown}
        raw.p = {number: held for number, held in differing.items() if held is not FORCE}
        raw.force = [number for number, held in differing.items() if held is FORCE]
    if base.tolerated_links:
        roles = [slot.role for slot in layout.slots]
        raw.held = {roles.index(role): row for role, row in base.tolerated_links.items()}
    return _encoder.encode(raw)


def digest_of(monday: PerField[FieldValue]) -> str:
    """What tells what an item shows, however it was read: two reads of one item may differ in their bytes."""
    return hashlib.sha256(_encoder.encode(_shown(monday))).hexdigest()[:16]


def _shown(monday: Iterable[FieldValue]) -> _Json:
    values = list(monday)
    if UNSET not in values:
        return _Json(values)
    unset = [number for number, value in enumerate(values) if value is UNSET]
    return _Json([None if value is UNSET else value for value in values], unset=unset)


class Remembered(NamedTuple):
    """What a stored base says, in the order of today's layout: see `ItemBase`."""

    monday: PerField[FieldValue]
    postgres: PerField[BaseValue]
    tolerated_links: dict[str, RowId | None]


def from_json(raw: bytes | str, field_ids: Sequence[str], roles: Sequence[str], layout: Layout) -> Remembered:
    """A stored base, read with the field ids and roles of the layout with which it was stored. A field that was mapped
    since is UNSET on both sides; one that is mapped no longer, and a slot that is not there any more, are left out.
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
        monday.append(field.load(stored.m[number]))
        if number in stored.force:
            postgres.append(FORCE)
        else:
            postgres.append(field.load(stored.p[number]) if number in stored.p else monday[-1])
    tolerated_links = {roles[number]: row for number, row in stored.held.items() if roles[number] in layout.by_role}
    return Remembered(PerField(monday), PerField(postgres), tolerated_links)
