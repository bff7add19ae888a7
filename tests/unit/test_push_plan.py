"""The records of a push: what is left out of an item when one of its cells is refused, and what is remembered of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from models import RowId
from reconcile.base import ItemBase
from reconcile.conflicts import Conflict
from reconcile.push_plan import CellEdit, ItemCreate, ItemPush, Push, input_of
from tests.support.kit import LAYOUTS, column_of, state

MASTER = LAYOUTS["master"]
ROLES = [slot.role for slot in MASTER.slots]
RECORD, ANN, BOB = RowId("record"), RowId("ann"), RowId("bob")


def number(target: str) -> int:
    """The number of a field, by its first column: "customers.name"."""
    return next(n for n, field in enumerate(MASTER.fields) if field.id.startswith(f"{target}/"))


def item(told: dict[str, Any], cause: RowId = ANN) -> ItemPush:
    """An item of which these fields are to be written."""
    shows = state("master", 1)
    base = ItemBase("master", 1, shows.updated_at, [None] * len(ROLES), shows.values, shows.values)
    made = ItemPush("master", 1, shows, base)
    for target, value in told.items():
        made.targets[number(target)], made.causes[number(target)] = value, cause
        made.cells[column_of("master", target)] = CellEdit(None, value, value)
    return made


def fields(made: ItemPush) -> set[str]:
    return {MASTER.fields[n].id.partition("/")[0] for n in made.targets}


def test_a_refused_cell_leaves_the_others() -> None:
    made = item({"customers.name": "Ann", "customers.phone": "1", "projects.link": "https://x.co"})
    made.drop(column_of("master", "customers.phone"), MASTER)
    assert fields(made) == {"customers.name", "projects.link"}
    assert made.values == {"text65__1": "Ann", "link__1": "https://x.co"}
    assert made.causes.keys() == made.targets.keys()


def test_a_slot_that_was_to_show_another_row_waits_as_a_whole() -> None:
    made = item({"customers.name": "Bob", "customers.email": "bob@x.co", "projects.link": "https://x.co"})
    place = ROLES.index("customer")
    made.base.links[place] = made.moved["customer"] = BOB
    made.left["customer"] = ANN
    made.drop(column_of("master", "customers.email"), MASTER)
    assert fields(made) == {"projects.link"}
    assert (made.base.links[place], made.moved, made.left) == (ANN, {}, {})


def test_a_name_of_two_cells_goes_as_one() -> None:
    made = item({})
    n = next(k for k, field in enumerate(MASTER.fields) if len(field.cells) == 2)
    made.targets[n], made.causes[n] = ("Ann Lee", "Ann", "Lee"), ANN
    made.cells = {column_id: CellEdit(None, "x", "x") for column_id in MASTER.fields[n].cells}
    made.drop(MASTER.fields[n].cells[1], MASTER)
    assert (made.targets, made.cells) == ({}, {})


def test_a_field_that_is_left_out_takes_its_conflict_with_it() -> None:
    made = item({"customers.name": "Ann", "customers.phone": "1"})
    places = {target: MASTER.fields[number(target)].id for target in ("customers.name", "customers.phone")}
    made.conflicts = [
        Conflict(("master", 1), "customer", place, "customers", ANN, "postgres", "x", "monday", "y")
        for place in places.values()
    ]
    made.forget(number("customers.phone"), MASTER)
    assert [lost.field for lost in made.conflicts] == [places["customers.name"]]


def test_a_field_that_has_no_write_is_left_out_without_its_cells() -> None:
    made = item({"customers.name": "Ann"})
    made.causes[number("customers.phone")] = ANN
    made.cells[column_of("master", "customers.phone")] = CellEdit(None, None, None)
    made.forget(number("customers.phone"), MASTER)
    assert column_of("master", "customers.phone") in made.cells, "another field may need the cell"


def test_equal_pushes_have_equal_digests() -> None:
    one, other, third = (Push(items=[item({"customers.name": "Ann"})]) for _ in range(3))
    other.pending_rows = {ANN}
    third.items[0].cells["text65__1"] = CellEdit(None, "Ann", "Anna")
    assert one.digest() == other.digest()
    made = Push(items=one.items, creates=[ItemCreate("master", ANN, "Job", [])])
    linked = Push(items=one.items, linked={("master", ANN): 7})
    assert len({push.digest() for push in (one, third, made, linked, Push())}) == 5
    assert (one.writes, made.writes, Push(archives=[("master", 1)]).writes, Push().writes) == (1, 2, 1, 0)


def test_a_refused_value_is_known_again() -> None:
    assert input_of("x") == input_of("x") != input_of("y")
    assert input_of(Decimal("1.0")) != input_of("1.0")
