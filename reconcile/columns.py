"""Columns and codecs: how one cell of monday.com becomes one value, and how a value becomes a cell again.

Law, for every codec: `decode(encode(v)) == v` for each canonical value `v`. Empty is None, outer blanks are trimmed,
the rest is kept as typed. What cannot be decoded or stored raises CellError, so the cell is skipped, never emptied.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from json.encoder import encode_basestring
from typing import Any, Literal

from msgspec import UnsetType

from reconcile import amounts, phones, rejections
from reconcile.errors import CellError
from reconcile.items import Cell, FileRef

Value = str | Decimal | date | None
Direction = Literal["two-way", "read-only", "create-only"]
Policy = Literal["monday", "pg", "manual"]

_SCHEME_AND_HOST = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)([^/?#\s]*@)?([^/?#\s@]*)")


@dataclass(frozen=True, slots=True)
class Codec:
    """One monday column type: its GraphQL fragment, and both ways between a cell and a value.

    The fragment asks for what `decode` needs, since monday prices every field; a write asks for what is `kept` too.
    `compare_key` is what two values are compared by; `load` restores a value that was kept as JSON.
    """

    monday_type: str
    fragment: str
    decode: Callable[[Cell], Value]
    encode: Callable[[Value, Cell | None], Any]
    compare_key: Callable[[Value], Any]
    examples: tuple[tuple[dict[str, Any], Value], ...]
    load: Callable[[Any], Value] = field(default=lambda raw: raw)
    refusal: Callable[[Value, Cell | None], str | None] = lambda _value, _was: None
    """Why monday would refuse a value that is not empty, in words without it: see `reconcile.rejections`."""
    kept: str = ""
    """The fragment of what a write must not lose and `encode` puts back: a label, a country, a link's text."""
    plain: str | None = None
    """The cell's field, where decoding is trimming and `parse`: see `Layout.plain`."""
    parse: Callable[[str], Value] | None = None
    """What a trimmed text that is not empty means; None where it is the value itself."""


@dataclass(frozen=True, slots=True)
class Column:
    """One mapped column of a board: the single declaration that reading, writing, checking and documents share.

    `target` is "table.column", or "" for a column that is only written when an item is created. `role` says which
    person of the item the column speaks of. `also` is the target of a second field that the same cell tells, of another
    table. `policy` settles a conflict.
    """

    title: str
    codec: Codec
    target: str
    role: str | None = None
    direction: Direction = "two-way"
    policy: Policy = "monday"
    also: str = ""

    @property
    def table(self) -> str:
        return self.target.partition(".")[0]

    @property
    def column(self) -> str:
        return self.target.partition(".")[2]


ColumnMap = dict[str, Column]
"""Column id → Column, in the order of the board."""


def _text(raw: str | UnsetType | None) -> str | None:
    """Trim; "" and null are one and the same empty.

    Raises CellError for a field that the answer lacks (the column has another type now), or a NUL.
    """
    if raw is None:
        return None
    if isinstance(raw, UnsetType):
        raise CellError("the answer lacks the field of this column type: was the column retyped?")
    if "\0" in raw:
        raise CellError("holds a NUL or a lone surrogate, which PostgreSQL cannot store: retype the cell")
    return raw.strip() or None


def _same(value: Value) -> Value:
    return value


def decode_text(cell: Cell) -> Value:
    return _text(cell.text)


def encode_text(value: Value, _was: Cell | None = None) -> Any:
    return value


def decode_money(cell: Cell) -> Value:
    """Dollars and cents from a numbers cell; None when empty. See `parse_money`."""
    raw = _text(cell.text)
    return None if raw is None else parse_money(raw)


def parse_money(raw: str) -> Value:
    """Half a cent is rounded up.

    Raises CellError on anything that is not a finite number that fits numeric(14,2): skipped, never zeroed.
    """
    try:
        amount = Decimal(raw)
    except InvalidOperation:
        raise CellError("is not a number: type digits and at most one decimal point") from None
    rounded = amounts.in_cents(amount)
    if rounded is None:
        raise CellError("is not an amount below 1,000,000,000,000: correct the number")
    return rounded


def encode_money(value: Value, _was: Cell | None = None) -> Any:
    if not isinstance(value, Decimal):
        return None
    rounded = amounts.in_cents(value)
    return f"{value if rounded is None else rounded:f}"


def compare_money(value: Value) -> Any:
    """Cents; what is no amount is its text, since a NaN does not even equal itself."""
    if not isinstance(value, Decimal):
        return value
    rounded = amounts.in_cents(value)
    return str(value) if rounded is None else rounded


def load_money(raw: Any) -> Value:
    return None if raw is None else Decimal(raw)


def decode_email(cell: Cell) -> Value:
    return _text(cell.email)


def encode_email(value: Value, was: Cell | None = None) -> Any:
    """Both keys, as monday demands; a label that a person typed survives a change of the address."""
    if value is None:
        return None
    label = was.label if was is not None and isinstance(was.label, str) and was.label != was.email else None
    return {"email": value, "text": label or value}


def compare_email(value: Value) -> Any:
    return value.casefold() if isinstance(value, str) else value


def decode_phone(cell: Cell) -> Value:
    return _text(cell.phone)


def encode_phone(value: Value, was: Cell | None = None) -> Any:
    if value is None:
        return None
    return {"phone": value, "countryShortName": rejections.phone_country(str(value), was)}


def compare_phone(value: Value) -> Any:
    """The number, so that "+1 (202) 555-0172" equals "2025550172": see `reconcile.phones`."""
    return phones.canonical(value) if isinstance(value, str) else value


def decode_link(cell: Cell) -> Value:
    return _text(cell.url)


def encode_link(value: Value, was: Cell | None = None) -> Any:
    if value is None:
        return None
    text = was.url_text if was is not None and isinstance(was.url_text, str) else ""
    return {"url": plain_link(str(value)), "text": text}


def plain_link(address: str) -> str:
    """With the scheme in small letters, the only form that monday is documented to take.

    >>> plain_link("HTTPS://Jobs.example/A")
    'https://Jobs.example/A'
    """
    found = _SCHEME_AND_HOST.match(address)
    return address if found is None else found[1].lower() + address[found.end(1) :]


def canon_link(value: Value) -> Any:
    """Scheme and host in small letters, in which capitals mean nothing; the rest as it is."""
    found = _SCHEME_AND_HOST.match(value) if isinstance(value, str) else None
    if found is None or not isinstance(value, str):
        return value
    return found[1].lower() + (found[2] or "") + found[3].lower() + value[found.end() :]


def decode_status(cell: Cell) -> Value:
    return _text(cell.label)


def encode_status(value: Value, _was: Cell | None = None) -> Any:
    return None if value is None else {"label": value}


def decode_date(cell: Cell) -> Value:
    """The calendar day. With a time set, `date` is in the zone of the token's user and shifts with it, so the day is
    taken from `value`, which is UTC; a plain date has no zone and is the same in both.

    Raises CellError when it is no date.
    """
    raw = _text(cell.date)
    if raw is None:
        return None
    try:
        if cell.time and isinstance(cell.value, str):
            raw = json.loads(cell.value)["date"]
        return date.fromisoformat(raw)
    except (ValueError, TypeError, KeyError):
        raise CellError("is not a date: pick one from the calendar") from None


def encode_date(value: Value, was: Cell | None = None) -> Any:
    """A time of day that is in the cell stays there: day and time are both in UTC, as in `value`."""
    if value is None:
        return None
    time = _time_of(was) if was is not None else None
    return {"date": str(value)} | ({"time": time} if time else {})


def _time_of(cell: Cell) -> str | None:
    """The time of a date cell in UTC; None where it has none."""
    if not cell.time or not isinstance(cell.value, str):
        return None
    try:
        told = json.loads(cell.value)
    except ValueError:
        return None
    time = told.get("time") if isinstance(told, dict) else None
    return time if isinstance(time, str) else None


def load_date(raw: Any) -> Value:
    return None if raw is None else date.fromisoformat(raw)


def decode_files(cell: Cell) -> Value:
    """`[{"url","name","asset_id"}]` as PostgreSQL prints the jsonb, or None for no files.

    The stable `url`, never `public_url`, which is signed and dies within the hour.
    """
    if isinstance(cell.files, UnsetType):
        raise CellError("the answer lacks the list of files: was the column retyped?")
    if not cell.files:
        return None
    return _text("[" + ", ".join([_file(ref) for ref in cell.files]) + "]")


def _file(ref: FileRef) -> str:
    url, asset_id = ref.asset.url if ref.asset else ref.url, ref.asset_id or ref.file_id
    name = ref.name if ref.name is not None else ref.invalid_name
    return f'{{"url": {_json(url)}, "name": {_json(name)}, "asset_id": {_json(asset_id)}}}'


def _json(text: str | None) -> str:
    text = _text(text)
    return "null" if text is None else encode_basestring(text)


def encode_files(_value: Value, _was: Cell | None = None) -> Any:
    raise CellError("files cannot be written through column values")


TEXT = Codec(
    "text",
    "... on TextValue { text }",
    decode_text,
    encode_text,
    _same,
    (({"text": "Roof inspection"}, "Roof inspection"), ({"text": ""}, None), ({"text": "  07001 "}, "07001")),
    refusal=rejections.text,
    plain="text",
)
MONEY = Codec(
    "numbers",
    "... on NumbersValue { text }",
    decode_money,
    encode_money,
    compare_money,
    (({"text": "18250.5"}, Decimal("18250.50")), ({"text": ""}, None), ({"text": "-0.005"}, Decimal("-0.01"))),
    load_money,
    refusal=rejections.money,
    plain="text",
    parse=parse_money,
)
EMAIL = Codec(
    "email",
    "... on EmailValue { email }",
    decode_email,
    encode_email,
    compare_email,
    (({"email": "Ann@x.co", "label": "Ann"}, "Ann@x.co"), ({"email": None, "label": None}, None)),
    refusal=rejections.email,
    kept="... on EmailValue { label }",
    plain="email",
)
PHONE = Codec(
    "phone",
    "... on PhoneValue { phone }",
    decode_phone,
    encode_phone,
    compare_phone,
    (({"phone": "+12025550172", "country_short_name": "US"}, "+12025550172"), ({"phone": ""}, None)),
    refusal=rejections.phone,
    kept="... on PhoneValue { country_short_name }",
    plain="phone",
)
LINK = Codec(
    "link",
    "... on LinkValue { url }",
    decode_link,
    encode_link,
    canon_link,
    (({"url": "https://x.co/1", "url_text": "Job"}, "https://x.co/1"), ({"url": None, "url_text": None}, None)),
    refusal=rejections.link,
    kept="... on LinkValue { url_text }",
    plain="url",
)
STATUS = Codec(
    "status",
    "... on StatusValue { label }",
    decode_status,
    encode_status,
    _same,
    (({"label": "Storm Team", "index": 3}, "Storm Team"), ({"label": None, "index": 5}, None)),
    plain="label",
)
DATE = Codec(
    "date",
    "... on DateValue { date time value }",
    decode_date,
    encode_date,
    _same,
    (
        ({"date": "2026-04-30", "time": "", "value": '{"date":"2026-04-30"}'}, date(2026, 4, 30)),
        (
            {"date": "2026-04-30", "time": "20:00:00", "value": '{"date":"2026-05-01","time":"01:00:00"}'},
            date(2026, 5, 1),
        ),
        ({"date": "", "time": "", "value": None}, None),
    ),
    load_date,
)
FILES = Codec(
    "file",
    "... on FileValue { files { ... on FileAssetValue { asset_id name asset { url } } "
    "... on FileLinkValue { file_id name url } ... on FileDocValue { file_id url } "
    "... on FileAssetInvalidValue { asset_id invalid_name: name } } }",
    decode_files,
    encode_files,
    _same,
    (
        (
            {"files": [{"asset_id": "7", "name": "roof.pdf", "asset": {"url": "https://f.co/7"}}]},
            '[{"url": "https://f.co/7", "name": "roof.pdf", "asset_id": "7"}]',
        ),
        ({"files": []}, None),
    ),
)
NAME = Codec("name", "", decode_text, encode_text, _same, TEXT.examples, refusal=rejections.item_name, plain="text")
"""The item's own name: not a column value, but read and written like one."""

MARKER = "pg_sync_id"
"""The text column, added on demand, in which a new item carries the id of its row. No field: it is read beside them."""

CODECS = (TEXT, MONEY, EMAIL, PHONE, LINK, STATUS, DATE, FILES)
