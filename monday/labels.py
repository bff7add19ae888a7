"""The labels of a status column, from its settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from reconcile.items import without_lone_surrogates

Labels = Mapping[str, int]
"""Label text without outer blanks → label id; of active labels only."""


def spelled(settings: Any) -> dict[int, str]:
    """Label id → text as the board spells it, of active labels that have a text; empty for what is no settings.

    Besides the present list also the map of older versions is read, and JSON in a string (monday docs, "Status").

    >>> spelled({"labels": [{"id": 1, "label": "Done"}, {"id": 5, "label": ""}]})
    {1: 'Done'}
    >>> spelled('{"labels": {"0": "Stuck"}}')
    {0: 'Stuck'}
    """
    if isinstance(settings, str):
        try:
            settings = msgspec.json.decode(without_lone_surrogates(settings.encode(errors="replace")))
        except (ValueError, RecursionError):  # msgspec's own errors are ValueErrors
            return {}
    pairs = _pairs(settings.get("labels") if isinstance(settings, dict) else None)
    return {int(label_id): text for label_id, text in pairs if _is_label(label_id, text)}


def _pairs(labels: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(labels, dict):
        yield from labels.items()
    for label in labels if isinstance(labels, list) else ():
        if isinstance(label, dict) and not label.get("is_deactivated"):
            yield label.get("id"), label.get("label")


def _is_label(label_id: Any, text: Any) -> bool:
    numbered = isinstance(label_id, int) or (isinstance(label_id, str) and len(label_id) < 20 and label_id.isdecimal())
    return numbered and isinstance(text, str) and bool(text.strip())


def by_text(texts: Mapping[int, str]) -> dict[str, int]:
    """Of several labels that differ in outer blanks only, the first."""
    found: dict[str, int] = {}
    for label_id, text in texts.items():
        found.setdefault(text.strip(), label_id)
    return found
