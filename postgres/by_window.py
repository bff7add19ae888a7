"""Statements that the window gives a person to run: the program runs none of them."""

from __future__ import annotations

from typing import Final

_LETTER: Final = "kind = {} AND board_id = {} AND item_id = {} AND place = {}"


def look_at_row(table: str, row: str) -> str:
    """Show one row of the nine tables.

    >>> look_at_row("projects", "7f1c")
    "SELECT * FROM projects WHERE id = '7f1c';"
    """
    return f"SELECT * FROM {table} WHERE id = {_quoted(row)};"  # noqa: S608  for a person


def look_at_shared(kind: str, board_id: int, item_id: int, place: str) -> str:
    """Show one line of what is set aside."""
    return f"SELECT * FROM monday_sync.sync_dead WHERE {_where(kind, board_id, item_id, place)};"  # noqa: S608


def forget_letter(kind: str, board_id: int, item_id: int, place: str) -> str:
    """Take one line off what is set aside.

    >>> forget_letter("would-merge", 7, 8, "it's")
    "DELETE FROM monday_sync.sync_dead WHERE kind = 'would-merge' AND board_id = 7 AND item_id = 8 AND place = 'it''s';"
    """
    return f"DELETE FROM monday_sync.sync_dead WHERE {_where(kind, board_id, item_id, place)};"  # noqa: S608


def _where(kind: str, board_id: int, item_id: int, place: str) -> str:
    return _LETTER.format(_quoted(kind), board_id, item_id, _quoted(place))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
