"""A cell's value as the activity log of a board tells it: undocumented JSON, near the `value` of the cell itself."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, UnsetType

from reconcile.columns import MONEY, Codec, Value, parse_money
from reconcile.errors import CellError

_WHERE: dict[str, tuple[str, ...]] = {
    "text": ("value",),
    "numbers": ("value",),
    "email": ("email",),
    "phone": ("phone",),
    "link": ("url",),
    "date": ("date",),
    "status": ("label", "text"),
    "name": ("name",),
}


def logged_value(codec: Codec, raw: Any) -> Value | UnsetType:
    """The value of a log entry; None for an empty cell, UNSET for what cannot be read.

    >>> from reconcile.columns import EMAIL, TEXT
    >>> logged_value(EMAIL, {"email": "a@b.co", "text": "Ann"}), logged_value(TEXT, None), logged_value(TEXT, 7)
    ('a@b.co', None, UNSET)
    """
    for key in _WHERE.get(codec.monday_type, ("",)) if raw is not None else ():
        if not isinstance(raw, dict) or key not in raw:
            return UNSET
        raw = raw[key]
    if raw is None:
        return None
    if not isinstance(raw, str | int | float):
        return UNSET
    text = str(raw).strip()
    try:
        if codec is MONEY:
            return parse_money(text) if text else None
        return codec.load(text) if text else None
    except (CellError, ValueError):
        return UNSET
