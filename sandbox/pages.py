"""Walks: what `items_page` starts and `next_items_page` goes on with.

A cursor carries filter, order and place, and lives 60 minutes from the first page of its walk. The list is looked at
afresh for each page, so that an item which moves in or out meanwhile shifts the rest, as on a real board.
"""

from __future__ import annotations

import json
import secrets
from collections import OrderedDict
from typing import Any

import msgspec

from sandbox.clock import MINUTE_S
from sandbox.errors import ApiError
from sandbox.filters import matches_text, select
from sandbox.world import Board, Item, World

CURSOR_LIFE_S = 60 * MINUTE_S
PAGE_LIMIT = 500
_CURSORS_KEPT = 20_000
_LISTS_KEPT = 32


class Walk(msgspec.Struct, frozen=True):
    """Where the next page begins. `columns` are the pairs of items_page_by_column_values, `query` its or the rules."""

    board_id: int
    query: dict[str, Any] | None
    columns: list[tuple[str, list[str | None]]] | None
    started: float
    offset: int = 0


class Page(msgspec.Struct):
    items: list[Item]
    cursor: str | None


class Pager:
    """Open cursors, and the lists they walk through as long as the board stays as it was."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._walks: OrderedDict[str, Walk] = OrderedDict()
        self._lists: OrderedDict[str, tuple[int, list[Item]]] = OrderedDict()

    def first(
        self,
        board: Board,
        limit: int,
        query: dict[str, Any] | None = None,
        columns: list[tuple[str, list[str | None]]] | None = None,
        endless: bool = False,
    ) -> Page:
        walk = Walk(board.id, query, columns, self._world.clock.now())
        return self._page(walk, limit, endless)

    def following(self, cursor: str, limit: int, endless: bool = False, repeat: bool = False) -> Page:
        """Raises ApiError when the cursor is unknown or its walk began over 60 minutes ago."""
        walk = self._walks.get(cursor)
        if walk is None:
            raise ApiError("CursorException", "The cursor is invalid")
        if self._world.clock.now() - walk.started > CURSOR_LIFE_S:
            raise ApiError("CursorException", "CursorExpiredError: The cursor provided for pagination has expired")
        page = self._page(walk, limit, endless)
        if repeat:
            page.cursor = cursor
        return page

    def _page(self, walk: Walk, limit: int, endless: bool) -> Page:
        if not 1 <= limit <= PAGE_LIMIT:
            raise ApiError("InvalidArgumentException", f"limit must be between 1 and {PAGE_LIMIT}")
        items = self._list(walk)
        end = walk.offset + limit
        if end < len(items):
            return Page(items[walk.offset : end], self._keep(msgspec.structs.replace(walk, offset=end)))
        cursor = self._keep(msgspec.structs.replace(walk, offset=0)) if endless else None
        return Page(items[walk.offset :], cursor)

    def _keep(self, walk: Walk) -> str:
        cursor = "MSw" + secrets.token_urlsafe(48)
        self._walks[cursor] = walk
        if len(self._walks) > _CURSORS_KEPT:
            self._walks.popitem(last=False)
        return cursor

    def _list(self, walk: Walk) -> list[Item]:
        board = self._world.board(walk.board_id)
        today = self._world.clock.seconds() // 3600 if walk.query else 0  # keywords such as TODAY move with the clock
        key = json.dumps([walk.board_id, walk.query, walk.columns, today])
        known = self._lists.get(key)
        if known is not None and known[0] == board.version:
            return known[1]
        items = select(self._world, board, walk.query)
        for column_id, values in walk.columns or []:
            test = matches_text(self._world, board, column_id, values)
            items = [item for item in items if test(item)]
        self._lists[key] = (board.version, items)
        if len(self._lists) > _LISTS_KEPT:
            self._lists.popitem(last=False)
        return items
