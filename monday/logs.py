"""The pages of a board's activity log: by number, or from version 2027-01 on by a cursor."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from monday import queries
from monday.errors import Action, ApiFault, Refusal
from monday.responses import LogEntry, LogPage
from monday.transport import Transport
from monday.versions import LOGS_BY_CURSOR

logger = logging.getLogger(__name__)

_PAGE: Final = 1_000
_PAGES: Final = 10  # 10,000 entries of one window can be reached by number (monday docs)
_PAGES_BY_CURSOR: Final = 100  # as many where pages are smaller than was asked for: no largest size is documented

Entries = list[LogEntry | None]


class LogPages:
    """Reads a log in the form that the version which answers has, and in the other one where that is refused."""

    def __init__(self, transport: Transport, settle: Collection[Action]) -> None:
        self._transport = transport
        self._settle = settle
        self._by_cursor: bool | None = None

    def read(self, board_id: int, wanted: Mapping[str, Any]) -> Iterator[Entries]:
        """The pages, the newest entries first; `wanted` are the filters. After a change of form they begin anew, so
        that entries may come twice. Raises Refusal where the token may not read the log, or no form is understood.
        """
        by_cursor = self._by_cursor
        if by_cursor is None:
            by_cursor = (self._transport.answered_version or self._transport.version) >= LOGS_BY_CURSOR
        try:
            yield from self._pages(by_cursor, board_id, wanted)
        except Refusal as refusal:
            if refusal.action is not Action.FATAL_BUG:
                raise
            logger.info("activity log asked for in its other form code=%s", refusal.fault.code)
            yield from self._pages(not by_cursor, board_id, wanted)

    def _pages(self, by_cursor: bool, board_id: int, wanted: Mapping[str, Any]) -> Iterator[Entries]:
        document = queries.ACTIVITY_BY_CURSOR if by_cursor else queries.ACTIVITY
        variables: dict[str, Any] = {"board": [str(board_id)], "limit": _PAGE, **wanted}
        cursor: str | None = None
        for number in range(1, (_PAGES_BY_CURSOR if by_cursor else _PAGES) + 1):
            place = {"cursor": cursor} if by_cursor else {"page": number}
            answer = self._transport.execute(document, variables | place, settle=self._settle)
            self._by_cursor = by_cursor
            live = next(iter(answer.data.boards or ()), None)
            if live is None:
                raise Refusal(Action.FATAL_ACCESS, ApiFault(200, request_id=answer.request_id))
            found = live.activity_logs
            if isinstance(found, LogPage):
                yield found.logs or []
                if found.cursor in (None, cursor):
                    return
                cursor = found.cursor
            else:
                yield found or []
                if len(found or ()) < _PAGE:
                    return
        logger.warning("activity log cut board=%d pages=%d: older entries were not read", board_id, number)
