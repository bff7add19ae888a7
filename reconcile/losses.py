"""When a value is lost: it was filled, and gives way to another or to nothing. What is only filled is no loss."""

from __future__ import annotations

from typing import Any

Loss = tuple[str, str]
"""(field, what its value gave way to)"""


def how_lost(before: Any, after: Any) -> str:
    """How a value gives way to another; "" where none is lost.

    >>> how_lost(None, "Ann"), how_lost("Ann", None), how_lost("Ann", "Bob"), how_lost(" ", "Ann")
    ('', 'filled → empty', 'filled → something else', '')
    """
    if is_empty(before) or before == after:
        return ""
    return "filled → empty" if is_empty(after) else "filled → something else"


def is_empty(value: Any) -> bool:
    """Nothing, blanks, an empty list, or a list of files without any."""
    return value in (None, [], ()) or (isinstance(value, str) and value.strip() in ("", "[]"))
