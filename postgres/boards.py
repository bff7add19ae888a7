"""What is remembered of a board as a whole in `monday_sync.sync_board`: its watermark, and when it was read whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final, NamedTuple

from postgres.transaction import Params, Transaction

# A partial read proves nothing about the board, so that only the count of tolerated cells moves because of it.
_REMEMBER: Final = """
INSERT INTO monday_sync.sync_board AS b
    (board_id, board, account_id, columns, mapping_hash, watermark, last_full_at, tolerated)
VALUES (%(board_id)s, %(board)s, %(account_id)s, %(columns)s, %(mapping_hash)s, %(watermark)s,
    CASE WHEN %(full)s THEN now() END, %(tolerated)s)
ON CONFLICT (board_id) DO UPDATE SET
    tolerated = b.tolerated + EXCLUDED.tolerated,
    account_id = CASE WHEN %(complete)s THEN EXCLUDED.account_id ELSE b.account_id END,
    columns = CASE WHEN %(complete)s THEN EXCLUDED.columns ELSE b.columns END,
    mapping_hash = CASE WHEN %(complete)s THEN EXCLUDED.mapping_hash ELSE b.mapping_hash END,
    watermark = CASE WHEN %(complete)s THEN EXCLUDED.watermark ELSE b.watermark END,
    last_full_at = coalesce(EXCLUDED.last_full_at, b.last_full_at)
"""


@dataclass(frozen=True, slots=True)
class BoardRead:
    """What one read proves about a board: a `complete` one that nothing of it is missing, a `full` one came whole.

    `columns` are their revisions, `mapping_hash` says by which mapping it was read, `watermark` is the newest change
    that is known. `tolerated` cells more than before differ and were never edited.
    """

    board_id: int
    board: str
    account_id: str
    columns: Sequence[str]
    mapping_hash: str
    watermark: datetime | None
    complete: bool
    full: bool
    tolerated: int


class BoardAge(NamedTuple):
    """How old what is known of a board is; None where it was never read whole, or has no watermark."""

    board: str
    watermark: datetime | None
    last_full_at: datetime | None


def remember(read: BoardRead) -> tuple[str, Params]:
    """The statement that moves the watermark, for the transaction of the data."""
    return _REMEMBER, asdict(read)


def board_ages(tx: Transaction) -> list[BoardAge]:
    """All boards that this database knows."""
    rows = tx.rows("SELECT board, watermark, last_full_at FROM monday_sync.sync_board ORDER BY board")
    return [BoardAge(*row) for row in rows]
