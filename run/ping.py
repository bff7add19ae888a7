"""Tells a monitor of cron jobs that a run begins and how it ended, as such monitors take it: a POST to the check's
address, with `/start` or `/fail` behind it, and a few lines of plain text.

A ping is tried once and has ten seconds. Whatever becomes of it, the run is the same; the log says so.
"""

from __future__ import annotations

import logging
import threading
import urllib.request
from typing import Final

from reconcile.errors import Exit
from run.logs import event
from run.report import PROGRAMS, Report, counted

PATIENCE_S: Final = 10
_FINE: Final = frozenset({Exit.DONE, Exit.LEASE_HELD})
"""Beside these, a run that needs a person is fine as long as nothing new does."""


class Monitor:
    """One check of a monitor. `url` is its address without a slash at its end."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._first: threading.Thread | None = None

    def begun(self, report: Report) -> None:
        """Say that the run begins, while it does."""
        self._first = threading.Thread(
            target=_post, args=(f"{self._url}/start", f"{PROGRAMS[report.direction]} run {report.run_id}"), daemon=True
        )
        self._first.start()

    def ended(self, report: Report) -> None:
        """Say how the run ended, after its beginning was said."""
        if self._first is not None:
            self._first.join(PATIENCE_S)
        last = threading.Thread(
            target=_post, args=(self._url if ended_well(report) else f"{self._url}/fail", as_lines(report)), daemon=True
        )
        last.start()
        last.join(PATIENCE_S)


def ended_well(report: Report) -> bool:
    """Whether nobody has to be woken: another run at work is none of this one's faults, and what is open was told."""
    return report.exit_code in _FINE or (report.exit_code is Exit.PERSON_NEEDED and not report.attention(new=True))


def as_lines(report: Report) -> str:
    """Five lines, without a value and without a name that came from outside."""
    written = "items" if report.items is not None else "rows"
    return "\n".join(
        [
            f"{PROGRAMS[report.direction]} run {report.run_id}",
            f"exit {int(report.exit_code)} after {report.duration_s:.1f} s",
            f"{report.written:,} {written} written",
            f"{counted(report.attention(), 'thing')} open, {report.attention(new=True):,} of them new",
            f"{report.monday['requests']:,.0f} requests to monday.com",
        ]
    )


def _post(url: str, text: str) -> None:
    request = urllib.request.Request(  # noqa: S310  the settings take https, and http for this machine alone
        url, text.encode(), {"Content-Type": "text/plain; charset=utf-8"}, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:  # noqa: S310
            answer.read(1)
    except Exception as error:  # noqa: BLE001  whatever it is: the run is not the monitor's
        event("ping.failed", level=logging.WARNING, error=type(error).__name__)
