"""What a database's own encoding can hold. Text travels as UTF-8, and the server turns it into its encoding: one sign
that this lacks ends the whole statement.

A cell with such a sign is set aside like any other that a column does not take. What the sync itself remembers (keys,
reasons, values that lost) is written with a mark in the sign's place, and read back whole.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from psycopg2 import extensions

from models import FilesJson

_WHOLE: Final = frozenset({"UTF8", "SQL_ASCII"})
"""Encodings that hold every text: the second one keeps bytes as they come."""
_MARK: Final = re.compile(r"<U\+([0-9A-F]{4,6})>")
_DIFFERENT: Final = {"EUC_JP": "¢£¥¬‖‾−〜", "EUC_JIS_2004": "―⦅⦆￣￥"}
"""Signs that Python has there and PostgreSQL has not."""
_LONGEST: Final = 2
"""Bytes of a sign in which Python and PostgreSQL agree about the encodings of several bytes."""


@dataclass(frozen=True)
class Encoding:
    """A server's encoding, by PostgreSQL's name for it.

    >>> Encoding("LATIN1").kept("1 \\u2192 2"), Encoding("LATIN1").said("1 <U+2192> 2") == "1 \\u2192 2"
    ('1 <U+2192> 2', True)
    """

    name: str

    @cached_property
    def is_whole(self) -> bool:
        """Whether there is no text that it lacks."""
        return self.name in _WHOLE

    @cached_property
    def _codec(self) -> str:
        return extensions.encodings.get(self.name, "ascii")  # of one that Python does not know, what is common to all

    def fits(self, text: str) -> bool:
        """Whether it has every sign of a text."""
        return self.is_whole or text.isascii() or all(map(self._has, text))

    def _has(self, sign: str) -> bool:
        try:
            encoded = sign.encode(self._codec)
        except UnicodeEncodeError:
            return False
        return len(encoded) <= _LONGEST and sign not in _DIFFERENT.get(self.name, "")

    def kept(self, text: str) -> str:
        """A text of the sync's own as it is stored: a mark stands for a sign that there is not."""
        if self.is_whole:
            return text
        marked = text.replace("<U+", "<U+003C>U+")
        if marked.isascii():
            return marked
        return "".join(sign if self._has(sign) else f"<U+{ord(sign):04X}>" for sign in marked)

    def said(self, text: str) -> str:
        """A stored text as it was."""
        return text if self.is_whole or "<U+" not in text else _MARK.sub(lambda mark: chr(int(mark[1], 16)), text)

    def refusal(self, value: Any) -> str | None:
        """Why a value cannot be stored, in words without it; None when it can."""
        if not isinstance(value, str) or self.fits(value):
            return None
        return (
            f"the database's encoding {self.name} lacks a sign of it: correct the cell, or move to a database in UTF8"
        )


@dataclass(frozen=True)
class Narrow:
    """A column of a database that lacks signs: `limit` is what the column itself refuses."""

    encoding: Encoding
    limit: Any = None

    def refusal(self, value: Any) -> str | None:
        """Why it would not take a value, in words without the value; None when it fits."""
        refused = self.limit.refusal(value) if self.limit is not None else None
        return refused or self.encoding.refusal(value)


def narrowed(
    limits: Mapping[tuple[str, str], Any], encoding: Encoding, fields: Mapping[str, Mapping[str, Any]]
) -> Mapping[tuple[str, str], Any]:
    """The limits of columns (table → column → type) and, where signs are lacking, one for each column of text."""
    if encoding.is_whole:
        return limits
    return {**limits, **{place: Narrow(encoding, limits.get(place)) for place in _texts(fields)}}


def storable(text: str) -> str:
    """A text of the system as a database can hold it: its bytes may be no text."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")


def _texts(fields: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    kinds: Collection[Any] = (str, FilesJson)
    for table, columns in fields.items():
        yield from ((table, column) for column, kind in columns.items() if kind in kinds)
