"""The rows of one plan while it is made: copies of what there is, new ones, and what of them changed."""

from __future__ import annotations

import pytest

from models import RowId
from reconcile.database_state import DatabaseState
from reconcile.layout import folded_row, unfolded_row
from reconcile.tables import TABLES
from reconcile.working_rows import POSITION, WorkingRows
from tests.support.kit import LAYOUTS

ANN, NEW, LOST = RowId("ann"), RowId("new"), RowId("lost")


def world() -> DatabaseState:
    known = DatabaseState()
    known.rows["customers"][ANN] = (ANN, "Ann", "ann@x.co", None, None)
    known.rows["users"][ANN] = (ANN, "Ann Lee", "Ann", "Lee", *[None] * 15)
    return known


def test_a_row_is_copied_once_and_what_it_was_stays() -> None:
    known = world()
    hub = WorkingRows(known, {})
    row = hub.row("customers", ANN)
    assert row is not None
    row[POSITION["customers"]["name"]] = "Anna"
    assert hub.row("customers", ANN) is row
    assert known.rows["customers"][ANN][1] == "Ann"


@pytest.mark.parametrize(("table", "row"), [("customers", None), ("customers", LOST), ("projects", ANN)])
def test_a_row_that_is_not_there(table: str, row: RowId | None) -> None:
    assert WorkingRows(world(), {}).row(table, row) is None


def test_a_new_row_is_empty_but_for_its_id() -> None:
    row = WorkingRows(world(), {NEW: ("storms", "2026-04-30")}).row("storms", NEW)
    assert row == [NEW, None]


@pytest.mark.parametrize("first_load", [True, False])
def test_the_rows_of_an_item(first_load: bool) -> None:
    slots = LAYOUTS["master"].slots
    hub = WorkingRows(DatabaseState() if first_load else world(), {NEW: ("projects", "item:master:1")})
    links = [NEW if slot.role == "project" else LOST if slot.role == "customer" else None for slot in slots]
    rows = hub.rows_of(slots, links)
    assert [row and row[0] for row in rows] == [NEW if slot.role == "project" else None for slot in slots]


def test_only_what_changed_comes_out_by_id_and_in_the_models_columns() -> None:
    known = world()
    known.rows["customers"][LOST] = (LOST, "Bob", None, None, None)
    hub = WorkingRows(known, {NEW: ("customers", "email:eve@x.co")})
    for row_id in (LOST, ANN):
        assert hub.row("customers", row_id) is not None
    hub.row("customers", ANN)[1] = "Anna"  # type: ignore[index]
    person = hub.row("users", ANN)
    assert person is not None
    person[POSITION["users"]["name"]] = ("Anna Lee", "Anna", "Lee")
    assert list(hub.changed("customers")) == [
        (ANN, (ANN, "Ann", "ann@x.co", None, None), (ANN, "Anna", "ann@x.co", None, None)),
        (NEW, None, (NEW, None, None, None, None)),
    ]
    [(_id, before, after)] = hub.changed("users")
    assert before is not None
    assert (before[1:4], after[1:4]) == (("Ann Lee", "Ann", "Lee"), ("Anna Lee", "Anna", "Lee"))


@pytest.mark.parametrize("table", TABLES)
def test_a_row_that_nobody_touched_is_unchanged_after_all(table: str) -> None:
    columns = TABLES[table].__struct_fields__
    for row in ((ANN, *[None] * (len(columns) - 1)), (ANN, *(f"v{n}" for n in range(1, len(columns))))):
        assert unfolded_row(table, folded_row(table, row)) == row
