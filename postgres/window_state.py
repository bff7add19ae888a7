"""How things stand as a whole: when each board was last read completely, and what this database is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from postgres import migrate
from postgres.calls import used_today
from postgres.transaction import Transaction

# A read of changes alone is complete too, where it proved that nothing is missing: the run says so.
_COMPLETE: Final = """
SELECT b.board, b.last_full_at, (SELECT max(r.finished_at) FROM monday_sync.sync_run r
    WHERE r.direction = 'monday_to_pg' AND r.exit_code IN (0, 5)
    AND r.summary #>> ARRAY['boards', b.board, 'complete'] = 'true'
    AND r.summary #>> ARRAY['boards', b.board, 'mode'] <> 'cache')
FROM monday_sync.sync_board b
"""


@dataclass(frozen=True, slots=True)
class BoardAge:
    """When a board was last read so that nothing of it can be missing, and when it last came whole."""

    complete_at: datetime | None
    whole_at: datetime | None


@dataclass(frozen=True, slots=True)
class About:
    """The database: its time, the version of its schema, its server's, and the calls of all runs since midnight UTC."""

    now: datetime
    schema: int
    server: str
    calls: float


def read_boards(tx: Transaction) -> Mapping[str, BoardAge]:
    """Board → its last reads."""
    return {
        board: BoardAge(max(filter(None, (whole, complete)), default=None), whole)
        for board, whole, complete in tx.rows(_COMPLETE)
    }


def read_about(tx: Transaction) -> About:
    installed = migrate.state(tx)
    found = tx.one("SELECT clock_timestamp(), current_setting('server_version')")
    assert found is not None
    return About(found[0], installed.version if installed else 0, found[1].split()[0], used_today(tx))
