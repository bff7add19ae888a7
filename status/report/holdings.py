"""What there is: the nine tables and how full they are, the boards and what of them is mapped."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from models import REFERENCES, TABLES
from postgres.report import BoardMemory, TableFill
from reconcile.columns import ColumnMap
from status.report.facts import Facts
from status.report.shown import ColumnFill, Coverage, MappedColumn, Table, percent
from terminal.times import local

_LISTED_COLUMNS: Final = 60
"""Columns of a board that are named though nothing maps them; the others are counted."""


def tables_of(fill: Mapping[str, TableFill]) -> Iterator[Table]:
    """The tables that are there, parents before children."""
    for name in TABLES:
        if name not in fill:
            continue
        found = fill[name]
        columns = tuple(
            ColumnFill(
                column,
                filled,
                filled / found.rows if found.rows else 0.0,
                REFERENCES.get(column, ""),
            )
            for column, filled in found.filled.items()
            if column != "id"
        )
        yield Table(name, found.rows, columns, _shown_by(name, fill.get("projects")))


def _shown_by(table: str, hub: TableFill | None) -> str:
    """In how many projects a table is named."""
    if hub is None or not hub.rows:
        return ""
    links = [filled for column, filled in hub.filled.items() if REFERENCES.get(column) == table]
    if not links:
        return ""
    if len(links) == 1:
        return f"{percent(links[0] / hub.rows)} of projects"
    return f"{len(links)} places in projects"


def coverage_of(facts: Facts, mappings: Mapping[str, ColumnMap]) -> Iterator[Coverage]:
    """Each board of the mapping."""
    known = {board.board: board for board in facts.boards}
    for name, columns in mappings.items():
        board = known.get(name)
        read = facts.standing.boards.get(name)
        others = None if board is None else board.others
        yield Coverage(
            name,
            (board.title if board is not None else None) or f"{name} board",
            tuple(_mapped(columns, board)),
            None if others is None else tuple((title, kind) for _id, title, kind in others[:_LISTED_COLUMNS]),
            max(0, len(others or ()) - _LISTED_COLUMNS),
            "" if read is None or read.whole_at is None else local(read.whole_at),
        )


def _mapped(columns: ColumnMap, board: BoardMemory | None) -> Iterator[MappedColumn]:
    there: Collection[str] | None = set(board.columns) if board is not None and board.columns else None
    for column_id, column in columns.items():
        known = None if there is None else column_id in there
        yield MappedColumn(column.title, column_id, column.target, column.direction, known)
