"""The calls that runs have used of monday.com's daily budget, counted in the database for all hosts together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Final

from postgres.transaction import Params, Transaction

USED: Final = (
    "(SELECT coalesce(sum(calls), 0) FROM monday_sync.sync_calls"
    " WHERE day = (now() AT TIME ZONE 'UTC')::date AND run_id <> %s)"
)
"""SQL of what the other runs have used since midnight UTC."""

RESERVED: Final = (
    "INSERT INTO monday_sync.sync_calls (day, run_id, calls) VALUES ((now() AT TIME ZONE 'UTC')::date, %s, %s)"
    " ON CONFLICT (day, run_id) DO UPDATE SET calls = EXCLUDED.calls"
)
"""SQL that counts calls of a run before they are made: a run that is killed has not used them unseen."""

_COUNTED = (
    "INSERT INTO monday_sync.sync_calls (day, run_id, calls) VALUES (%s, %s, %s)"
    " ON CONFLICT (day, run_id) DO UPDATE SET calls = EXCLUDED.calls"
)
_FORGET = "DELETE FROM monday_sync.sync_calls WHERE day < (now() AT TIME ZONE 'UTC')::date - 90"


def reserve(tx: Transaction, run_id: str, day: date, calls: float) -> float:
    """Count that many calls for a run beforehand; what the other runs have used on that day."""
    tx.execute(_COUNTED, (day, run_id, Decimal(str(calls))))
    row = tx.one(
        "SELECT coalesce(sum(calls), 0) FROM monday_sync.sync_calls WHERE day = %s AND run_id <> %s", (day, run_id)
    )
    return float(row[0]) if row else 0.0


def counted(run_id: str, made: Mapping[date, float]) -> Iterator[tuple[str, Params]]:
    """The statements that write what a run did use, by day, and forget what was used long ago."""
    for day, calls in sorted(made.items()):
        yield _COUNTED, (day, run_id, Decimal(str(round(calls, 1))))
    yield _FORGET, ()


def used_today(tx: Transaction) -> float:
    """What all runs have used since midnight UTC."""
    row = tx.one("SELECT " + USED, ("",))
    return float(row[0]) if row else 0.0
