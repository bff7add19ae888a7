"""Versions of monday.com's API: the one that is asked for, those that this program knows, and how long one lives.

monday exchanges a version that it does not have any more for another one, silently; only a header of the answer says
which. What was written for one version may mean something else in another, so that nothing is sent to one that is not
known. Where no header says it (a proxy may drop it), a read goes on as asked, and a push is told by the first answer
itself, in which it asks for the version.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import date, timedelta
from enum import Enum, auto
from typing import Final

from reconcile.errors import DriftError

ASKED: Final = "2026-10"
KNOWN: Final = ("2026-10", "2027-01")
"""Those that this program was tried with."""
LOGS_BY_CURSOR: Final = "2027-01"
"""From then on the activity log has a cursor in place of numbered pages (monday changelog)."""

SOON: Final = timedelta(days=92)
_VERSION = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])")
_PLAIN = re.compile(r"[0-9A-Za-z.-]{1,20}")
_SUPPORTED_MONTHS = 6  # at least, of which the last three in maintenance (monday docs, "API versioning")


class Answered(Enum):
    """By which version a request was answered: the one asked for, another that is known, or a strange one."""

    AS_ASKED = auto()
    KNOWN = auto()
    UNKNOWN = auto()


def answered_by(asked: str, answered: str | None) -> Answered:
    """`answered` None: no answer has told."""
    if answered in (None, asked):
        return Answered.AS_ASKED
    return Answered.KNOWN if answered in KNOWN else Answered.UNKNOWN


def told(header: str | None) -> str | None:
    """The version in a header; a header that came twice through a proxy says it once. What is none is not repeated.

    >>> told("2026-10, 2026-10"), told(" "), told(None), told("Bearer of bad news")
    ('2026-10', None, None, 'unreadable')
    """
    version = (header or "").split(",")[0].strip()
    return None if not version else version if _PLAIN.fullmatch(version) else "unreadable"


def note(asked: str, answered: str) -> str:
    """What a person is told of another version that goes on."""
    if answered in KNOWN:
        return (
            f"monday.com answered by version {answered} of its API, not by {asked} as asked. This program knows both; "
            f"MONDAY_API_VERSION={answered} asks for the one that answers."
        )
    return (
        f"monday.com answered by version {answered} of its API, not by {asked} as asked, and this program does not "
        f"know it. The boards were read as always, but sync_pg_to_monday.py sends nothing there: {_remedy(asked)}."
    )


def refusal(asked: str, answered: str) -> DriftError:
    """Why nothing is sent any more."""
    return DriftError(
        f"monday.com answers by version {answered} of its API, not by {asked} as asked, and this program does not know "
        f"it: nothing is sent, since a write may mean something else there: {_remedy(asked)}"
    )


def misunderstood(version: str, request_id: str) -> DriftError:
    """For a request that was refused as none, by a version that this program does not know."""
    return DriftError(
        f"monday.com does not understand the request in version {version} of its API, which this program does not "
        f"know: {_remedy(version)}{f' (request {request_id})' if request_id else ''}"
    )


def _remedy(asked: str) -> str:
    others = " or ".join(version for version in KNOWN if version != asked)
    return f"get a newer version of this program, or set MONDAY_API_VERSION to {others}, if monday.com still has it"


def promised_until(version: str, kind: str, today: date) -> date | None:
    """The day until which monday promises to answer by this version; None where it promises nothing any more.

    `kind` is monday's own word for its age, empty where it is not told. One that is current has the three months of its
    maintenance before it, also where its successor is late.

    >>> promised_until("2026-10", "current", date(2026, 11, 28)), promised_until("2026-10", "current", date(2027, 3, 1))
    (datetime.date(2027, 4, 1), datetime.date(2027, 6, 1))
    """
    found = _VERSION.fullmatch(version)
    if found is None or kind not in ("", "current", "maintenance", "release_candidate"):
        return None
    until = _months_after(date(int(found[1]), int(found[2]), 1), _SUPPORTED_MONTHS)
    if kind == "current":
        until = max(until, _months_after(today, _SUPPORTED_MONTHS // 2))
    return until if until > today else None


def successor(version: str, released: Collection[str]) -> str | None:
    """The newest released version that this program knows, if that is a newer one."""
    newest = max((known for known in KNOWN if known in released), default="")
    return newest if newest > version else None


def _months_after(day: date, months: int) -> date:
    years, month = divmod(day.month - 1 + months, 12)
    return date(day.year + years, month + 1, min(day.day, 28))
