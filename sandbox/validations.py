"""Required columns and validation rules of a board, as monday enforces them through the API.

A new item needs a value in each required column, and no write may empty one. A rule `{"then": group}` holds for every
value of its column, `{"if": group, "then": group}` where the condition is met; an empty cell breaks none but
IS_NOT_EMPTY. A rule with an operator that is not known here binds nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from sandbox.cells import Cell, Column, Date, Dropdown, Numbers, Status, display
from sandbox.errors import ApiError
from sandbox.world import Board, World

Cells = Mapping[int, Cell | None]
"""What a write sets, by slot."""


def obey(world: World, board: Board, before: Sequence[Cell | None] | None, written: Cells) -> None:
    """Raises ApiError, with every column that fails in a list, where a write breaks a rule; `before` is None for a new
    item."""
    found = [
        {"itemId": None, "columnIds": [column_id], "message": why}
        for column_id, why in failures(world, board, before, written)
    ]
    if found:
        raise ApiError("DATA_VALIDATIONS_ERROR", "data_validation_error", 422, data=found)


def failures(
    world: World, board: Board, before: Sequence[Cell | None] | None, written: Cells
) -> Iterator[tuple[str, str]]:
    """(column id, why) of each column that fails."""
    if not board.required and not board.rules:
        return
    item = _Item(world, board, before, written)
    for column_id in board.required:
        if item.is_concerned(column_id) and item.is_empty(column_id):
            yield column_id, f"'{item.title(column_id)}' is required"
    for rule in board.rules.values():
        condition, then = rule.get("if"), rule["then"]
        parts = then["groups"] + (condition["groups"] if condition else [])
        if any(part["operator"] not in _HOLDS for part in parts):
            continue
        if not any(item.is_concerned(part["column_id"]) for part in parts):
            continue
        if condition is not None and not item.meets(condition, empty=False):
            continue
        if not item.meets(then, empty=True):
            broken = next(part for part in then["groups"] if not item.holds(part, empty=True))
            column_id = broken["column_id"]
            yield column_id, f"'{item.title(column_id)}' must be {broken['operator']} {broken.get('compare_value')}"


class _Item:
    """An item as it will be after the write."""

    def __init__(self, world: World, board: Board, before: Sequence[Cell | None] | None, written: Cells) -> None:
        self._world, self._board, self._written = world, board, written
        self._new = before is None
        self._cells: list[Cell | None] = list(before) if before is not None else [None] * len(board.columns)
        for slot, cell in written.items():
            self._cells[slot] = cell

    def is_concerned(self, column_id: str) -> bool:
        return self._new or self._board.rules_whole or self._slot(column_id) in self._written

    def title(self, column_id: str) -> str:
        return self._column(column_id).title

    def is_empty(self, column_id: str) -> bool:
        return self._cells[self._slot(column_id)] is None

    def meets(self, group: dict[str, Any], *, empty: bool) -> bool:
        met = [self.holds(part, empty=empty) for part in group["groups"]]
        return any(met) if group.get("operator") == "OR" else all(met)

    def holds(self, part: dict[str, Any], *, empty: bool) -> bool:
        """Whether one constraint is met; `empty` is the answer of an empty cell."""
        operator, wanted = part["operator"], part.get("compare_value") or []
        column = self._column(part["column_id"])
        cell = self._cells[self._slot(column.id)]
        if operator in ("IS_EMPTY", "IS_NOT_EMPTY"):
            return bool((cell is None) == (operator == "IS_EMPTY"))
        if cell is None:
            return empty
        compared = [_alike(cell, raw) for raw in wanted if raw != "EXACT"]
        return _HOLDS[operator](self._value(cell, column), compared)

    def _value(self, cell: Cell, column: Column) -> Any:
        match cell:
            case Numbers(text):
                return Decimal(text)
            case Date():
                return date.fromisoformat(cell.date)
            case Status(index):
                return {index}
            case Dropdown(ids):
                return set(ids)
        return display(cell, column, self._world.zone, self._world.account.people) or ""

    def _slot(self, column_id: str) -> int:
        return self._board.slot(column_id)

    def _column(self, column_id: str) -> Column:
        return self._board.columns[self._slot(column_id)]


def _alike(cell: Cell, raw: Any) -> Any:
    """A value to compare with, of the kind that the cell holds."""
    match cell:
        case Numbers():
            return Decimal(str(raw))
        case Date():
            return date.fromisoformat(raw)
        case Status() | Dropdown():
            return int(raw)
    return str(raw)


_HOLDS: dict[str, Callable[[Any, list[Any]], bool]] = {
    "ANY_OF": lambda has, wanted: bool(has & set(wanted)),
    "NOT_ANY_OF": lambda has, wanted: not has & set(wanted),
    "EQUALS": lambda has, wanted: has == wanted[0],
    "NOT_EQUALS": lambda has, wanted: has != wanted[0],
    "GREATER_THAN": lambda has, wanted: has > wanted[0],
    "GREATER_THAN_OR_EQUALS": lambda has, wanted: has >= wanted[0],
    "LOWER_THAN": lambda has, wanted: has < wanted[0],
    "LOWER_THAN_OR_EQUAL": lambda has, wanted: has <= wanted[0],
    "CONTAINS_TEXT": lambda has, wanted: wanted[0].casefold() in has.casefold(),
    "NOT_CONTAINS_TEXT": lambda has, wanted: wanted[0].casefold() not in has.casefold(),
    "STARTS_WITH_TEXT": lambda has, wanted: has.casefold().startswith(wanted[0].casefold()),
    "BETWEEN": lambda has, wanted: wanted[0] <= has <= wanted[1],
    "IS_EMPTY": lambda _has, _wanted: True,
    "IS_NOT_EMPTY": lambda _has, _wanted: True,
}
"""Operator → whether a value that is there meets it."""
