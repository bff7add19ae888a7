"""Answers of monday.com, typed. Items stay raw JSON here: they are decoded later, and only if they changed."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import msgspec

from reconcile.items import RawItem, Ref, raw_item, without_lone_surrogates

T = TypeVar("T")

_PIECE = 16 * 1024


class Complexity(msgspec.Struct, frozen=True):
    """Points this request took, and what is left of the minute."""

    query: int = 0
    after: int | None = None
    reset_in_x_seconds: float | None = None


class PageAnswer(msgspec.Struct, frozen=True):
    """One page; `cursor` None ends the walk, an empty page with a cursor does not."""

    cursor: str | None
    items: list[msgspec.Raw]


class Account(msgspec.Struct, frozen=True):
    id: str
    name: str | None = None
    slug: str | None = None


class Me(msgspec.Struct, frozen=True):
    account: Account
    name: str | None = None
    id: str | None = None


class LiveColumn(msgspec.Struct, frozen=True):
    id: str
    title: str
    type: str
    archived: bool | None = None
    revision: str | None = None


class Group(msgspec.Struct, frozen=True):
    id: str
    title: str
    archived: bool | None = None
    deleted: bool | None = None


class Choices(msgspec.Struct, frozen=True):
    """A column with labels; `settings` is JSON, or JSON in a string."""

    id: str
    settings: Any = None


class Marked(msgspec.Struct, frozen=True):
    """The marker column, asked for by its id."""

    id: str
    description: str | None = None


class LogEntry(msgspec.Struct, frozen=True):
    """One line of a board's activity log; `data` is JSON in a string, of a shape that is documented nowhere."""

    event: str = ""
    created_at: str = ""
    user_id: str = ""
    data: Any = None


class LogPage(msgspec.Struct, frozen=True):
    """Lines of an activity log from version 2027-01 on; `cursor` None ends them."""

    cursor: str | None = None
    logs: list[LogEntry | None] | None = None


class ApiVersion(msgspec.Struct, frozen=True):
    """A version of the API; `kind` is monday's word for its age."""

    value: str
    kind: str = ""


class Board(msgspec.Struct, frozen=True):
    """A board as far as it was asked for."""

    id: str
    name: str = ""
    state: str = "active"
    items_count: int | None = None
    columns: list[LiveColumn | None] | None = None
    groups: list[Group | None] | None = None
    items_page: PageAnswer | None = None
    choices: list[Choices | None] | None = None
    marked: list[Marked | None] | None = None
    activity_logs: list[LogEntry | None] | LogPage | None = None
    hierarchy_type: str | None = None


class BoardsAnswer(msgspec.Struct, frozen=True):
    boards: list[Board | None] | None
    me: Me | None = None
    complexity: Complexity | None = None


class NextPageAnswer(msgspec.Struct, frozen=True):
    next_items_page: PageAnswer
    complexity: Complexity | None = None


class ItemsAnswer(msgspec.Struct, frozen=True):
    """What an item that was asked for by id says about its place."""

    id: str
    state: str | None = None
    board: Board | None = None
    parent_item: Ref | None = None


class Envelope(msgspec.Struct, Generic[T], frozen=True):
    """The outside of every answer, with the legacy error shape of old versions and proxies."""

    data: T | None = None
    errors: Any = None
    error_code: Any = None
    error_message: Any = None
    status_code: Any = None


Aliases = dict[str, msgspec.Raw]
"""The data of an answer whose root fields are aliases."""


@dataclass(frozen=True, slots=True)
class Document(Generic[T]):
    """One GraphQL document, constant, with the type of its `data`."""

    name: str
    text: str
    shape: Any
    """The type T itself; `Any` because a generic alias is no `type[T]`."""
    decoder: msgspec.json.Decoder[Envelope[T]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        shape = Envelope[self.shape]  # type: ignore[name-defined]  # the shape is known at run time only
        object.__setattr__(self, "decoder", msgspec.json.Decoder(shape))


_loose = msgspec.json.Decoder(Envelope[msgspec.Raw])


def decode_answer(document: Document[T], body: bytes) -> Envelope[T]:
    """Decode a whole body, strictly; where only `data` has another shape and errors explain it, without the data.

    Raises ValueError (msgspec.DecodeError, UnicodeDecodeError) for a body that is no JSON or lacks what was asked for.
    """
    _check_utf8(body)
    try:
        return document.decoder.decode(body)
    except msgspec.DecodeError:
        body = without_lone_surrogates(body)
    try:
        return document.decoder.decode(body)
    except msgspec.ValidationError:
        loose = _loose.decode(body)
        if not (loose.errors or loose.error_code or loose.error_message):
            raise
        return Envelope(None, loose.errors, loose.error_code, loose.error_message, loose.status_code)


def _check_utf8(body: bytes) -> None:
    """Raises UnicodeDecodeError; msgspec does not look into the parts that it skips. Piece by piece, since the text
    of a whole page would take four times its bytes.
    """
    if body.isascii():
        return
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(body), _PIECE):
        decoder.decode(body[start : start + _PIECE])
    decoder.decode(b"", final=True)


def raw_items(items: Iterable[msgspec.Raw]) -> list[RawItem]:
    """Copy the items out of the page, so that its buffer can be freed; null entries are dropped.

    Raises msgspec.DecodeError when one of them is not an item.
    """
    return [raw_item(raw) for raw in map(bytes, items) if raw != b"null"]


def complexity_of(data: Any) -> Complexity | None:
    """What the answer says about its price, whether it is a struct or aliases; None when it does not."""
    if isinstance(data, dict):
        raw = data.get("complexity")
        return None if raw is None else msgspec.json.decode(raw, type=Complexity | None)
    found = getattr(data, "complexity", None)
    return found if isinstance(found, Complexity) else None
