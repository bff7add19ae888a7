"""SQL about the rows that stand for items of a board, or are to."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from psycopg2 import sql

from reconcile.boards import BOARD_SPECS
from reconcile.tables import ARCHIVED_AT, ITEM_ID

Present = Mapping[str, Collection[str]]
"""The tables that are there, with their columns: a dry run may find fewer than the models have."""


def boards_present(present: Present) -> dict[str, str]:
    """Board → the table of its records, of the boards whose table has what that takes."""
    return {
        board: spec.table
        for board, spec in BOARD_SPECS.items()
        if {ITEM_ID, ARCHIVED_AT, *(("roles",) if spec.person else ())} <= set(present.get(spec.table, ()))
    }


def has_no_item(alias: str) -> sql.Composable:
    """SQL of whether no item stands for a row, and none that did has gone."""
    return sql.SQL("({0}.monday_item_id IS NULL AND {0}.archived_at IS NULL)").format(sql.Identifier(alias))


def becomes_item(board: str, alias: str) -> sql.Composable:
    """SQL of whether a row of a board's records is to become an item; of people those do who are on the board."""
    person = BOARD_SPECS[board].person
    if person is None:
        return has_no_item(alias)
    return sql.SQL("({waits} AND coalesce({alias}.roles @> ARRAY[{person}], false))").format(
        waits=has_no_item(alias), alias=sql.Identifier(alias), person=sql.Literal(person)
    )


def one_of(names: Collection[str]) -> str:
    """Names of tables as the list of an IN, for SQL that is put together as text."""
    return ", ".join(f"'{name}'" for name in sorted(names))
