"""Names and addresses lie in several cells and columns: what they mean together, and a part that a person edited."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import UNSET

from monday_api import BOARDS
from reconcile import fields
from reconcile.errors import CellError
from reconcile.fields import (
    Shape,
    Unplaced,
    completed_address,
    completed_name,
    completed_value,
    or_item_name,
    person_name,
    shape_of,
    whole_name,
)

PARTNER = shape_of(BOARDS["master"]["partner_name__1"], 1, fields.PERSON_NAME)
SALES_REP = shape_of(BOARDS["master"]["text22__1"], 2, fields.PERSON_NAME)
ADDRESS = shape_of(BOARDS["master"]["dup__of_job_address0__1"], 1, fields.ADDRESS)
NOTES = shape_of(BOARDS["master"]["text43__1"], 1)
OAK = ("1 Oak St, Reno, NV 89501", "1 Oak St", "Reno", "NV", "89501")


@pytest.mark.parametrize(
    ("cells", "name"),
    [
        (["Ann Lee"], ("Ann Lee", "Ann", "Lee")),
        (["Ann de la Cruz"], ("Ann de la Cruz", "Ann", "de la Cruz")),
        (["Ann\u00a0Lee"], ("Ann\u00a0Lee", "Ann", "Lee")),
        (["Ann"], ("Ann", "Ann", None)),
        ([None], None),
        (["Ann", "Lee"], ("Ann Lee", "Ann", "Lee")),
        ([None, "Lee"], ("Lee", None, "Lee")),
        ([None, None], None),
    ],
)
def test_a_name_from_its_cells(cells: list[Any], name: Any) -> None:
    assert person_name(cells) == name


@pytest.mark.parametrize(
    ("values", "item_name", "name"),
    [
        (["Roof"], "Job", "Roof"),
        ([None], " Job ", "Job"),
        ([None], " ", None),
        ([None], "a\0b", UNSET),
        (["Roof"], "a\0b", "Roof"),
    ],
)
def test_a_project_without_a_name_takes_its_items(values: list[Any], item_name: str, name: Any) -> None:
    assert or_item_name(values, item_name) == name


@pytest.mark.parametrize(
    ("now", "was", "after"),
    [
        (("Ann Lee", "Anna", "Lee"), ("Ann Lee", "Ann", "Lee"), ("Anna Lee", "Anna", "Lee")),
        (("Bob Roe", "Ann", "Lee"), ("Ann Lee", "Ann", "Lee"), ("Bob Roe", "Bob", "Roe")),
        (("Dr. Ann Lee", "Anna", "Lee"), ("Ann Lee", "Ann", "Lee"), ("Dr. Ann Lee", "Anna", "Lee")),
        ((None, "Ann", "Lee"), ("Ann Lee", "Ann", "Lee"), None),
        ((None, "Anna", "Lee"), ("Ann Lee", "Ann", "Lee"), ("Anna Lee", "Anna", "Lee")),
        (("Ann Lee", None, None), None, ("Ann Lee", "Ann", "Lee")),
        ((None, "Ann", "Lee"), None, ("Ann Lee", "Ann", "Lee")),
        ((" Ann  Lee ", "Ann", "Lee"), None, ("Ann  Lee", "Ann", "Lee")),
        (("Ann Lee", None, None), ("Ann Lee", "Ann", "Lee"), ("Ann Lee", "Ann", "Lee")),
        ((None, None, " "), None, None),
        (None, ("Ann Lee", "Ann", "Lee"), None),
    ],
)
def test_a_name_of_which_a_part_was_edited(now: Any, was: Any, after: Any) -> None:
    assert completed_name(now, was) == after


@pytest.mark.parametrize(
    ("now", "was", "after"),
    [
        (OAK, OAK, OAK),
        (
            (OAK[0], "1 Oak St", "Elko", "NV", "89501"),
            OAK,
            ("1 Oak St, Elko, NV 89501", "1 Oak St", "Elko", "NV", "89501"),
        ),
        (("2 Elm St, Elko, NV 89801", *OAK[1:]), OAK, ("2 Elm St, Elko, NV 89801", "2 Elm St", "Elko", "NV", "89801")),
        ((None, *OAK[1:]), OAK, None),
        ((None, *OAK[1:]), None, OAK),
        ((OAK[0], None, None, None, None), OAK, (OAK[0], None, None, None, None)),
        ((None, None, "Elko", "NV", None), None, Unplaced((None, None, "Elko", "NV", None))),
        (
            ("ask Bob", None, "Elko", None, None),
            ("ask Bob", None, None, None, None),
            Unplaced(("ask Bob", None, "Elko", None, None)),
        ),
    ],
    ids=[
        "as it was",
        "the city",
        "the whole",
        "the whole emptied",
        "parts alone, new",
        "the parts emptied",
        "too few parts",
        "no certain place",
    ],
)
def test_an_address_of_which_a_part_was_edited(now: Any, was: Any, after: Any) -> None:
    found = completed_address(now, was)
    assert found == after
    assert isinstance(found, Unplaced) is isinstance(after, Unplaced)


@pytest.mark.parametrize(
    ("now", "was", "after"), [(" a ", None, "a"), (" a ", " a ", " a "), ("  ", "x", None), (7, None, 7)]
)
def test_outer_blanks_of_an_edit(now: Any, was: Any, after: Any) -> None:
    assert completed_value(now, was) == after


@pytest.mark.parametrize(
    ("shape", "value", "cells"),
    [
        (NOTES, "x", ("x",)),
        (PARTNER, ("Ann Lee", "Ann", "Lee"), ("Ann Lee",)),
        (PARTNER, (None, "Ann", "Lee"), ("Ann Lee",)),
        (SALES_REP, ("Ann Lee", "Ann", "Lee"), ("Ann", "Lee")),
        (SALES_REP, ("Ann Lee", None, None), ("Ann", "Lee")),
        (SALES_REP, None, (None, None)),
        (ADDRESS, OAK, (OAK[0],)),
        (ADDRESS, None, (None,)),
    ],
)
def test_what_the_cells_show(shape: Shape, value: Any, cells: tuple[Any, ...]) -> None:
    assert shape.to_cells(value) == cells


def test_no_cell_can_show_a_part_without_a_place() -> None:
    with pytest.raises(CellError, match="no certain place"):
        ADDRESS.to_cells(Unplaced(OAK))


@pytest.mark.parametrize(
    ("shape", "one", "other", "same"),
    [
        (PARTNER, ("Ann Lee", None, None), ("Ann Lee", "Ann", "Lee"), True),
        (PARTNER, ("Ann Lee", "Anna", "Lee"), ("Ann Lee", "Ann", "Lee"), False),
        (PARTNER, (None, "Ann", "Lee"), ("Ann Lee", "Ann", "Lee"), True),
        (ADDRESS, (OAK[0], None, None, None, None), OAK, True),
        (ADDRESS, (OAK[0], "1 Oak St", "Elko", "NV", "89501"), OAK, False),
        (ADDRESS, ("1 Oak\u00a0St, Reno, NV 89501", *OAK[1:]), OAK, True),
        (NOTES, "a", "A", False),
    ],
)
def test_what_two_values_are_compared_by(shape: Shape, one: Any, other: Any, same: bool) -> None:
    assert (shape.compare_key(one) == shape.compare_key(other)) is same


def test_an_edit_of_an_address_on_monday_is_seen_by_its_text() -> None:
    better = (OAK[0], "One Oak St", "Reno", "NV", "89501")
    assert ADDRESS.edit_key(better) == ADDRESS.edit_key(OAK), "the parts are ours: a better parser is no edit"
    assert whole_name((None, "Ann", "Lee")) == "Ann Lee"
