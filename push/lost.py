"""New items of a request whose answer was lost: what tells them on monday.com."""

from __future__ import annotations

from datetime import UTC, datetime

from monday.current import Candidate, CurrentBoards
from monday_api import MARKER, MondayClient
from push.marker import has_marker
from reconcile import recovery
from reconcile.journal_ops import OpenBatch


def marker_tells(boards: CurrentBoards, board: str, batch: OpenBatch) -> bool:
    """Whether an item that this request made carries the id of its row."""
    return has_marker(boards.schemas[board]) and recovery.carried_marker(batch, MARKER)


def made_since(client: MondayClient, board: str, batch: OpenBatch, user_id: str | None) -> list[Candidate]:
    """Active items that the request's user made since it was sent, whatever they are called now. An older program's
    journal names no user: then it is today's."""
    since = recovery.made_since(batch, client.answered_at, datetime.now(UTC))
    return client.looker.made_since(board, batch.sender.user_id or user_id or "", since)
