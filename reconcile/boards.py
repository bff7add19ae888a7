"""The boards as the sync sees them, one declaration each: whose id each is, and which row stands for an item of it. A
new board is its declaration here and its columns in `monday_api.py`: see docs/extending.md.

Nothing is imported here but what is free: the options know the boards' names, and `--help` answers at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardSpec:
    """What the sync knows of one board beside its columns."""

    title: str
    """What people call it."""
    setting: str
    """The setting that holds its id."""
    default_id: int
    """Its id where nothing is set."""
    table: str
    """The table of its records: a row of it stands for the item itself, and holds the item's id."""
    person: str | None = None
    """Where the records are people, the role of those who are on the board: the slot of the record has it, and a row
    with it among its roles becomes an item. Else every row of the table does."""
    named_by: tuple[str, ...]
    """Columns of the record of which the first that is filled is a new item's name. Where the board's own name is one
    of them, the others take it as long as they are empty."""
    levels: int = 1
    """Levels of items. What hangs below an item is neither read nor written."""


BOARD_SPECS: Mapping[str, BoardSpec] = {
    "master": BoardSpec(
        title="Master project board",
        setting="MONDAY_BOARD_ID_DATA",
        default_id=6727219152,
        table="projects",
        named_by=("item_name", "name"),
    ),
    "staff": BoardSpec(
        title="Sales staff board",
        setting="MONDAY_BOARD_ID_USERS",
        default_id=5764059860,
        table="users",
        person="Sales Staff",
        named_by=("name",),
    ),
}
"""Board name, as `--board` takes it → what the sync knows of it."""
