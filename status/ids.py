"""The IDs of open things: one letter and what tells the thing from every other, so that a person can name it.

| ID | what |
| --- | --- |
| `c12` | conflict 12 of `monday_sync.sync_conflict`: its number |
| `d…` | a line of `monday_sync.sync_dead`, by kind, board, item and place |
| `v…` | a value that PostgreSQL holds and no run can read, by table, row and column |
| `r…` | a row that was deleted and whose item is still there, by board and item |
| `w…` | a row that waits for a person, by topic and place of `monday_sync.sync_told` |
| `o3.1` | an item whose outcome is in doubt: batch and place of `monday_sync.sync_op` |

The letters after `d`, `v`, `r` and `w` are 40 bits of a hash: the same thing has the same ID in every run, on every
machine, for as long as it is open, and again when it comes back. None of them depends on its reason or on a value.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from difflib import get_close_matches
from typing import Final

_SIGNS: Final = "0123456789abcdefghjkmnpqrstvwxyz"
"""No i, l, o and u, which are taken for others, or make words."""
_LENGTH: Final = 8
_ID: Final = re.compile(rf"c[1-9][0-9]{{0,18}}|o[1-9][0-9]{{0,18}}\.[0-9]{{1,9}}|[drvw][{_SIGNS}]{{{_LENGTH}}}")


def conflict_id(number: int) -> str:
    """Of a line of the log of conflicts.

    >>> conflict_id(12)
    'c12'
    """
    return f"c{number}"


def conflict_number(text: str) -> int | None:
    """The number of a conflict's ID; None for another ID.

    >>> conflict_number("c12"), conflict_number("d12")
    (12, None)
    """
    return int(text[1:]) if is_id(text) and text.startswith("c") else None


def letter_id(kind: str, board_id: int, item_id: int, place: str) -> str:
    """Of a line of `sync_dead`, by its primary key."""
    return _hashed("d", kind, board_id, item_id, place)


def value_id(place: str) -> str:
    """Of a value ("table.row.column") that cannot be read."""
    return _hashed("v", place)


def deleted_id(board_id: int, item_id: int) -> str:
    """Of an item whose row was deleted."""
    return _hashed("r", board_id, item_id)


def waiting_id(topic: str, place: str) -> str:
    """Of a row that waits, by the primary key of `sync_told`."""
    return _hashed("w", topic, place)


def doubt_id(batch_id: int, place: int) -> str:
    """Of an item of a request whose answer never came.

    >>> doubt_id(3, 1)
    'o3.1'
    """
    return f"o{batch_id}.{place}"


def is_id(text: str) -> bool:
    """Whether a text has the form of an ID.

    >>> is_id("c12"), is_id(value_id("projects.7.total_payment")), is_id("c0"), is_id("x12")
    (True, True, False, False)
    """
    return _ID.fullmatch(text) is not None


def nearest(text: str, known: Collection[str]) -> str | None:
    """Of those that there are, the one that a person most likely meant; None where none is like it."""
    return next(iter(get_close_matches(text.lower(), sorted(known), 1, 0.5)), None)


def _hashed(letter: str, *parts: object) -> str:
    digest = hashlib.sha256("\n".join(map(str, parts)).encode("utf-8", "surrogatepass")).digest()
    bits = int.from_bytes(digest[:5], "big")
    return letter + "".join(_SIGNS[bits >> shift & 31] for shift in range(35, -1, -5))
