"""Statements that a message gives a person to run: the program runs none of them."""

from __future__ import annotations

from typing import Final

from models import RowId

ADD_ITEM_ID: Final = "ALTER TABLE projects ADD COLUMN IF NOT EXISTS monday_item_id bigint;"
"""A table that the sync has not seen yet gets the column that links a row to its item."""

LIST_UNSEEN: Final = "SELECT place FROM monday_sync.sync_told WHERE topic = 'unseen'"
"""All rows that no project shows."""

_FORGET: Final = "DELETE FROM monday_sync.sync_op WHERE row_id = '{}'"
_LINK: Final = "UPDATE {} SET monday_item_id = {} WHERE id = '{}';"


def forget_created(row: RowId) -> str:
    """Let the journal forget a new row, so that an item is made of it."""
    return _FORGET.format(row)


def link_row(table: str, row: RowId, item_id: int) -> str:
    """Say that a row stands for this item."""
    return _LINK.format(table, item_id, row)


def set_for_role(role: str, setting: str, value: str) -> str:
    """Change a setting for one role."""
    name = role.replace('"', '""')
    return f'ALTER ROLE "{name}" SET {setting} = {value!r};'
