"""An item as monday.com sends it, typed: the shape every codec reads and the cache keeps.

A field that was not asked for, or does not exist on the column's real type, stays `UNSET`: never an empty cell.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

T = TypeVar("T")

ItemId = Annotated[str, Meta(pattern=r"^[0-9]{1,18}\Z")]
"""Digits of a bigint."""


class Asset(msgspec.Struct, frozen=True, gc=False):
    url: str | None = None


class FileRef(msgspec.Struct, frozen=True):
    """One member of the union in `FileValue.files`; `name` is aliased `invalid_name` on an unreadable asset."""

    asset_id: str | None = None
    file_id: str | None = None
    name: str | None = None
    invalid_name: str | None = None
    url: str | None = None
    asset: Asset | None = None


class Cell(msgspec.Struct, frozen=True, gc=False):
    """One column value with the typed fields of every column type that the mapping uses.

    A read asks for what its codec decodes; the other fields are there for whoever asked for them.
    """

    id: str
    type: str = ""
    text: str | UnsetType | None = UNSET
    value: str | UnsetType | None = UNSET
    email: str | UnsetType | None = UNSET
    label: str | UnsetType | None = UNSET
    phone: str | UnsetType | None = UNSET
    country_short_name: str | UnsetType | None = UNSET
    url: str | UnsetType | None = UNSET
    url_text: str | UnsetType | None = UNSET
    index: int | UnsetType | None = UNSET
    date: str | UnsetType | None = UNSET
    time: str | UnsetType | None = UNSET
    files: list[FileRef] | UnsetType | None = UNSET


class Ref(msgspec.Struct, frozen=True):
    id: str


class Item(msgspec.Struct, frozen=True, gc=False):
    """One item; `board` is asked for only when items are read by id."""

    id: ItemId
    name: str
    updated_at: str
    column_values: list[Cell]
    state: str = "active"
    created_at: str | None = None
    board: Ref | None = None


class RawItem(msgspec.Struct, frozen=True):
    """An item's own JSON with the two facts needed before it is decoded."""

    id: int
    updated_at: str
    raw: bytes


class _Head(msgspec.Struct):
    id: ItemId
    updated_at: str


_item = msgspec.json.Decoder(Item)
_head = msgspec.json.Decoder(_Head)
_HEAD_FIRST = re.compile(rb'\{"id":"([0-9]{1,18})","updated_at":"([0-9TZ:.+-]{1,40})",')
"""How an item begins that was asked for by `monday.queries.row_fragment`: a tenth of the time of parsing it."""


def raw_item(raw: bytes) -> RawItem:
    """Wrap an item's JSON.

    Raises msgspec.DecodeError when it is not an item.
    """
    first = _HEAD_FIRST.match(raw)
    if first is not None:
        return RawItem(int(first[1]), first[2].decode(), raw)
    head = _decoded(_head, raw)
    return RawItem(int(head.id), head.updated_at, raw)


def decode_item(raw: bytes) -> Item:
    """Decode an item's JSON; a lone surrogate, which no strict parser takes, becomes NUL and is quarantined as such.

    Raises msgspec.DecodeError when it is not an item.
    """
    try:
        return _decoded(_item, raw)
    except msgspec.DecodeError:
        return _decoded(_item, without_lone_surrogates(raw))


def _decoded(decoder: msgspec.json.Decoder[T], raw: bytes) -> T:
    try:
        return decoder.decode(raw)
    except (UnicodeDecodeError, RecursionError):  # two that msgspec lets through; the first one quotes the bytes
        raise msgspec.DecodeError("is no UTF-8, or is nested too deeply") from None


def instant(text: str) -> datetime:
    """An ISO 8601 time as monday writes it, in UTC, which it also is where it names no zone.

    Raises msgspec.DecodeError when it is none, or is before the year 1 or after 9999 in UTC: PostgreSQL would keep it,
    and its driver could not read it back.
    """
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise msgspec.DecodeError("is no ISO 8601 time") from None


_SURROGATE = re.compile(
    rb"\\u[dD](?:[89abAB][0-9a-fA-F]{2}(\\u[dD][c-fC-F][0-9a-fA-F]{2})"  # a pair
    rb"|[89a-fA-F][0-9a-fA-F]{2})"  # half of one
)
_NUL = rb"\u0000"


def without_lone_surrogates(body: bytes) -> bytes:
    r"""JSON in which half a surrogate pair, which no strict parser takes, became `\u0000`: quarantined as such later.

    The other bytes stay as they are, so one hostile cell never costs a page.
    """
    return _SURROGATE.sub(_mended, body)


def _mended(found: re.Match[bytes]) -> bytes:
    first = found.start()
    while first and found.string[first - 1 : first] == b"\\":
        first -= 1
    is_escape = (found.start() - first) % 2 == 0  # else its own backslash is escaped: what looks like a half is text
    if found[1] is None:
        return _NUL if is_escape else found[0]
    return found[0] if is_escape else found[0][: -len(found[1])] + _NUL
