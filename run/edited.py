"""How an edit that lost, or that waits for a person, reads: item, field, both sides' values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconcile.tables import SPECS

_LONGEST = 300
_SIDES = {"postgres": "PostgreSQL"}


def place_text(detail: Mapping[str, Any]) -> str:
    """Where it is; of a person the role, too.

    >>> place_text({"item": 67273, "name": "Roof", "table": "users", "field": "users.email/master:Estimator"})
    'item 67273 "Roof", users.email (Estimator)'
    """
    field, _, place = str(detail["field"]).partition("/")
    role = place.partition(":")[2]
    person = role if role != SPECS[detail["table"]].role else ""
    name = f' "{_cut(detail["name"])}"' if detail["name"] else ""
    where = field if "." in field else f"{detail['table']}.{field}"
    return f"item {detail['item']}{name}, {where}{f' ({person})' if person else ''}"


def lost_text(detail: Mapping[str, Any]) -> str:
    """Who won and who lost.

    >>> lost_text({"kept": "monday", "kept_value": "A", "lost": "postgres", "lost_value": None})
    'monday won with "A", PostgreSQL lost (empty)'
    """
    won, lost = (_SIDES.get(str(detail[side]), str(detail[side])) for side in ("kept", "lost"))
    return f"{won} won with {_quoted(detail['kept_value'])}, {lost} lost {_quoted(detail['lost_value'])}"


def waiting_text(detail: Mapping[str, Any]) -> str:
    """What both sides say, and what they last agreed on.

    >>> waiting_text({"monday": "A", "postgres": "B", "agreed": "C", "ever_agreed": True})
    'monday: "A", PostgreSQL: "B", agreed before: "C"'
    """
    before = f"agreed before: {_quoted(detail['agreed'])}" if detail["ever_agreed"] else "they never agreed before"
    return f"monday: {_quoted(detail['monday'])}, PostgreSQL: {_quoted(detail['postgres'])}, {before}"


def _quoted(value: Any) -> str:
    return "(empty)" if value in (None, "") else f'"{_cut(value)}"'


def _cut(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
