"""What a terminal or a log would obey, made visible: a name from a board or a server is text and nothing else."""

from __future__ import annotations

import re
from typing import Final

_OBEYED: Final = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
"""Control signs, other ends of a line, signs that turn the direction of writing, halves of a sign."""
_UNPRINTABLE: Final = re.compile(f"[{_OBEYED}]")
_NOT_IN_A_LINE: Final = re.compile(rf"[{_OBEYED}\t\n]")


def printable(text: str) -> str:
    """The text with such signs as `\\u…`; tabs and line breaks stay."""
    return _UNPRINTABLE.sub(_spelled, text)


def one_line(text: str) -> str:
    """The text with such signs as `\\u…`, tabs and line breaks too.

    >>> one_line("a\\nb"), one_line("\\x1b[31mred")
    ('a\\\\u000ab', '\\\\u001b[31mred')
    """
    return text if text.isascii() and text.isprintable() else _NOT_IN_A_LINE.sub(_spelled, text)


def _spelled(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
