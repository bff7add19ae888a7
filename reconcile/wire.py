"""An item as monday.com sends it, typed: the shape every codec reads and the cache keeps.

A field that was not asked for, or does not exist on the column's real type, stays `UNSET`: never an empty cell.
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType


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

    id: str
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
    id: str
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
    head = _head.decode(raw)
    return RawItem(int(head.id), head.updated_at, raw)


def decode_item(raw: bytes) -> Item:
    """Decode an item's JSON; a lone surrogate, which no strict parser takes, becomes NUL and is quarantined as such.

    Raises msgspec.DecodeError when it is not an item.
    """
    try:
        return _item.decode(raw)
    except msgspec.DecodeError:
        return msgspec.convert(_without_lone_surrogates(json.loads(raw)), Item)


def _without_lone_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return "".join("\0" if "\ud800" <= char <= "\udfff" else char for char in value)
    if isinstance(value, list):
        return [_without_lone_surrogates(entry) for entry in value]
    if isinstance(value, dict):
        return {key: _without_lone_surrogates(entry) for key, entry in value.items()}
    return value
