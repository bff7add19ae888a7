"""Statements that a message or the window gives a person to run: the program runs none of them."""

from __future__ import annotations

from typing import Final

from models import RowId

ADD_ITEM_ID: Final = "ALTER TABLE projects ADD COLUMN IF NOT EXISTS monday_item_id bigint;"
"""A table that the sync has not seen yet gets the column that links a row to its item."""

LIST_UNSEEN: Final = "SELECT place FROM monday_sync.sync_told WHERE topic = 'unseen'"
"""All rows that no project shows."""

_FORGET: Final = "DELETE FROM monday_sync.sync_op WHERE row_id = '{}'"
_LINK: Final = "UPDATE projects SET monday_item_id = {} WHERE id = '{}';"
_LETTER: Final = "kind = {} AND board_id = {} AND item_id = {} AND place = {}"


def forget_created(row: RowId) -> str:
    """Let the journal forget a new row, so that an item is made of it."""
    return _FORGET.format(row)


def link_project(row: RowId, item_id: int) -> str:
    """Say that a project is this item."""
    return _LINK.format(item_id, row)


def set_for_role(role: str, setting: str, value: str) -> str:
    """Change a setting for one role."""
    name = role.replace('"', '""')
    return f'ALTER ROLE "{name}" SET {setting} = {value!r};'


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
