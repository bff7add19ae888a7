"""Rules of a board, read and judged alone: what is not certain foretells nothing."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from monday_api import BOARDS
from reconcile.columns import DATE, MONEY, STATUS, Value
from reconcile.foretold import Held, foretell, missing, read_rules, standing, written
from reconcile.items import Cell
from reconcile.push_plan import CellEdit
from tests.support.kit import board_rule as rule
from tests.support.kit import rule_part as part

CLAIM = "claim_number__1"
EMAIL = "email57__1"
PRICE = "numbers0"
LOSS = "date_19__1"
TEAM = "status_13"
OFFICE_NOTES = "long_text__1"
MASTER = BOARDS["master"]
TYPES = {column_id: column.codec.monday_type for board in BOARDS.values() for column_id, column in board.items()} | {
    OFFICE_NOTES: "long_text",
    "check__1": "checkbox",
}


ODD_RULES: dict[str, Any] = {
    "an operator": rule(part(PRICE, "DIVISIBLE_BY", 5)),
    "an operator of another type": rule(part(PRICE, "CONTAINS_TEXT", "5")),
    "a column that is not there": rule(part("gone__1", "IS_EMPTY")),
    "a nested group": {"then": {"groups": [{"operator": "AND", "groups": []}]}},
    "no constraint": {"then": {"groups": []}},
    "another joint": {"then": {"operator": "XOR", "groups": [part(CLAIM, "IS_EMPTY")]}},
    "a key of its own": rule(part(CLAIM, "CONTAINS_TEXT", "x")) | {"unless": {}},
    "an attribute": rule(part(CLAIM, "CONTAINS_TEXT", "x") | {"compare_attribute": "UPDATED_AT"}),
    "a day in words": rule(part(LOSS, "GREATER_THAN", "TODAY")),
    "no number": rule(part(PRICE, "GREATER_THAN", "much")),
    "too many numbers": rule(part(PRICE, "GREATER_THAN", 1, 2)),
    "nothing to compare with": rule(part(CLAIM, "CONTAINS_TEXT")),
    "a label in words": rule(part(TEAM, "ANY_OF", "Retail")),
    "no object": "x",
    "nothing": None,
}


@pytest.mark.parametrize("odd", ODD_RULES)
def test_a_rule_that_is_not_understood_is_named_and_foretells_nothing(odd: str) -> None:
    told = read_rules([], {"good": rule(part(CLAIM, "CONTAINS_TEXT", "x")), "odd": ODD_RULES[odd]}, TYPES)
    assert (list(told.unread or {}), len(told.rules)) == (["odd"], 1)


@pytest.mark.parametrize("rules", [None, {}, [], "{}", [rule(part(CLAIM, "CONTAINS_TEXT", "x")) | {"id": "1"}]])
def test_forms_in_which_rules_may_come(rules: Any) -> None:
    told = read_rules(None, rules, TYPES)
    assert (told.unread, bool(told)) == ({}, bool(rules and rules != "{}"))


UNSURE: list[tuple[dict[str, Any], str, Held | None]] = [
    (part(CLAIM, "CONTAINS_TEXT", "req"), CLAIM, Held("REQ-1", ("REQ-1",))),
    (part(CLAIM, "NOT_CONTAINS_TEXT", "req"), CLAIM, Held("REQ-1", ("REQ-1",))),
    (part(EMAIL, "STARTS_WITH_TEXT", "ann@"), EMAIL, Held("ann@x.co", ("ann@x.co", "Ann"))),
    (part(CLAIM, "CONTAINS_TEXT", "x"), CLAIM, Held(None)),
    (part(PRICE, "GREATER_THAN", 5), PRICE, Held(None)),
    (part(TEAM, "ANY_OF", 1), TEAM, Held("New label")),
    (part(CLAIM, "CONTAINS_TEXT", "x"), CLAIM, None),
]


@pytest.mark.parametrize(("constraint", "column_id", "held"), UNSURE)
def test_what_could_be_read_in_two_ways_is_left_to_monday(
    constraint: dict[str, Any], column_id: str, held: Held | None
) -> None:
    columns = {**MASTER, **BOARDS["staff"]}
    told = read_rules([], {"1": rule(constraint)}, TYPES)
    assert foretell(told, {column_id: held}, {}, columns, {}) == []


CELLS: list[tuple[str, Cell, Value, Any]] = [
    (CLAIM, Cell(CLAIM, text="A"), "B", "B"),
    (PRICE, Cell(PRICE, text="5"), Decimal("6"), "6"),
    (LOSS, Cell(LOSS, date="2026-01-02", time="", value=None), date(2026, 1, 3), {"date": "2026-01-03"}),
    (TEAM, Cell(TEAM, label="Retail"), "Commercial", {"index": 4}),
]


@pytest.mark.parametrize(("column_id", "cell", "value", "form"), CELLS)
def test_a_cell_says_the_same_before_and_after_it_is_written(
    column_id: str, cell: Cell, value: Value, form: Any
) -> None:
    column = {**MASTER, **BOARDS["staff"]}[column_id]
    after, before = written(column, CellEdit(None, value, form)), standing(column, cell, {"Retail": 3})
    assert after is not None
    assert before is not None
    assert after.value == value
    assert (before.label, after.label) == ((3, 4) if column.codec is STATUS else (None, None))
    assert written(column, CellEdit(value, None, None)) == Held(None)
    assert type(before.value) is type(after.value)
    assert column.codec in (MONEY, DATE, STATUS) or after.texts == (form,)


def test_a_cell_of_blanks_may_be_empty_or_not() -> None:
    assert standing(MASTER[CLAIM], Cell(CLAIM, text="  "), {}) is None
    assert standing(MASTER[CLAIM], Cell(CLAIM, text=""), {}) == Held(None)
    assert standing(MASTER[CLAIM], None, {}) is None


def test_nothing_is_missing_where_nothing_is_required() -> None:
    assert missing(read_rules(None, None, TYPES), {}, MASTER, {}) == ""
    assert missing(read_rules(["name"], None, TYPES), {}, MASTER, {}) == ""
