"""A cell's value as the activity log of a board tells it: undocumented, near the `value` of the cell itself.

Seen are the value in an object, alone, as JSON in a text, and of a status the label, its number, or both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from msgspec import UNSET, UnsetType

from reconcile.columns import MONEY, STATUS, Codec, Value, parse_money
from reconcile.errors import CellError

_WHERE: dict[str, tuple[str, ...]] = {
    "text": ("value", "text"),
    "numbers": ("value",),
    "email": ("email", "value"),
    "phone": ("phone", "value"),
    "link": ("url", "value"),
    "date": ("date", "value"),
    "status": ("label", "text", "value"),
    "name": ("name", "value"),
}
"""Where the value stands in an object, the first that is there."""

_ALONE: dict[str, re.Pattern[str]] = {
    "email": re.compile(r"\S+@\S+"),
    "link": re.compile(r"\S+"),
    "date": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"),
}
"""What a value must look like that stands alone: the text that a person sees may be something else."""

_DEEPEST = 4
_NO_LABEL = 5  # the grey label, which is none as long as nobody named it


def logged_value(
    codec: Codec, raw: Any, shown: Any = UNSET, labels: Mapping[int, str] | None = None
) -> Value | UnsetType:
    """The value of a log entry; None for an empty cell, UNSET for what cannot be read.

    `shown` is the text that some entries tell beside it, `labels` those of the column by their number.

    >>> from reconcile.columns import EMAIL, TEXT
    >>> logged_value(EMAIL, {"email": "a@b.co", "text": "Ann"}), logged_value(TEXT, None), logged_value(TEXT, 7)
    ('a@b.co', None, '7')
    >>> logged_value(EMAIL, {"v2": 1}), logged_value(EMAIL, {"v2": 1}, "a@b.co")
    (UNSET, 'a@b.co')
    """
    found = _value(codec, raw, labels or {})
    return _value(codec, shown, labels or {}) if found is UNSET and isinstance(shown, str) else found


def _value(codec: Codec, raw: Any, labels: Mapping[int, str]) -> Value | UnsetType:
    bare = _bare(codec.monday_type, raw, labels)
    if bare is None or isinstance(bare, bool) or not isinstance(bare, str | int | float):
        return None if bare is None else UNSET
    text = str(bare).strip()
    if not text:
        return None
    looks = _ALONE.get(codec.monday_type)
    if looks is not None and not looks.fullmatch(text):
        return UNSET
    try:
        return parse_money(text) if codec is MONEY else codec.load(text)
    except (CellError, ValueError):
        return UNSET


def _bare(kind: str, raw: Any, labels: Mapping[int, str]) -> Any:
    """What stands in the objects around it; UNSET where nothing that is known does."""
    for _ in range(_DEEPEST):
        raw = _unpacked(kind, raw)
        if raw in ({}, []):
            return None
        if not isinstance(raw, dict):
            break
        key = next((key for key in _WHERE.get(kind, ()) if key in raw), None)
        if key is None:
            raw = raw["index"] if kind == STATUS.monday_type and "index" in raw else UNSET
            break
        raw = raw[key]
    if kind == STATUS.monday_type and isinstance(raw, int) and not isinstance(raw, bool):
        return labels.get(raw, None if raw == _NO_LABEL else UNSET)
    return raw


def _unpacked(kind: str, raw: Any) -> Any:
    """JSON in a text, as some entries hold it; no text that looks like it in general."""
    if not isinstance(raw, str) or not raw.startswith("{"):
        return raw
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return raw
    is_value = kind not in ("text", "name") or (len(found) == 1 and not found.keys().isdisjoint(_WHERE[kind]))
    return found if is_value else raw
