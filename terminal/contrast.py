"""Two values side by side, short enough for a line and cut where they differ."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

LONGEST = 24
_BEFORE_THE_DIFFERENCE = 8
"""So much is shown of what both have in common, and of what differs at least as much."""
_NOTHING = "(empty)"
_BLANKS = re.compile(r"\s+")
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def contrasted(before: object, after: object, longest: int = LONGEST) -> tuple[str, str]:
    """Both values on one line each. Long ones are cut at the same place, so that what differs is in sight; where
    nothing differs that can be seen, what cannot (a blank of another kind, a mark of its own) is written as a number.

    >>> contrasted("call before you come, gate code 7", "call before you come, gate code 8")
    ('…e code 7', '…e code 8')
    >>> contrasted("Ann Lee", "Ann\\u00a0Lee")
    ('"Ann Lee"', '"Ann\\\\u00a0Lee"')
    """
    one: Sequence[str] = _line(before)
    other: Sequence[str] = _line(after)
    if before is not None and after is not None and _looks(before) == _looks(after) and str(before) != str(after):
        one, other = _spelled(str(before)), _spelled(str(after))
    shorter = min(len(one), len(other))
    at = next((n for n in range(shorter) if one[n] != other[n]), shorter)
    start, room = at, _BEFORE_THE_DIFFERENCE
    while start and (room := room - len(one[start - 1])) > 0:
        start -= 1
    if max(_size(one), _size(other)) <= longest or _size(one[:at]) + _BEFORE_THE_DIFFERENCE < longest:
        start = 0
    return _cut(one, start, longest), _cut(other, start, longest)


def shortened(value: object, longest: int = LONGEST) -> str:
    """One value alone."""
    return _cut(_line(value), 0, longest)


def _line(value: object) -> str:
    return _NOTHING if value is None else _BLANKS.sub(" ", str(value)).strip()


def _cut(signs: Sequence[str], start: int, longest: int) -> str:
    """What fits of a text from there on, with `…` where there is more."""
    head = "…" if start else ""
    text = head + "".join(signs[start:])
    if len(text) <= longest:
        return text
    end = start
    room = longest - len(head) - 1
    while end < len(signs) and (room := room - len(signs[end])) >= 0:
        end += 1
    return head + "".join(signs[start:end]) + "…"


def _size(signs: Sequence[str]) -> int:
    return sum(map(len, signs))


def _looks(value: object) -> str:
    """What of a value a person's eyes can tell apart."""
    text = unicodedata.normalize("NFKC", str(value))
    return " ".join("".join(sign for sign in text if sign.isspace() or unicodedata.category(sign)[0] != "C").split())


def _spelled(text: str) -> list[str]:
    """The signs of a text in quotes, each of them told from every other."""
    return ['"', *(sign if " " <= sign <= "~" else _number(sign) for sign in text), '"']


def _number(sign: str) -> str:
    code = ord(sign)
    return _NAMED.get(sign) or (f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}")
