"""The rows of one plan while it is made: copies of what there is, new ones, and what of them changed."""

from __future__ import annotations

import pytest

from models import Customer, RowId, Storm, User
from reconcile.database_state import DatabaseState
from reconcile.tables import TABLES
from reconcile.working_rows import WorkingRows
from tests.support.kit import LAYOUTS

ANN, NEW, LOST = RowId("ann"), RowId("new"), RowId("lost")


def known() -> DatabaseState:
    database = DatabaseState()
    database.rows["customers"][ANN] = Customer(ANN, "Ann", "ann@x.co")
    database.rows["users"][ANN] = User(ANN, "Ann Lee", "Ann", "Lee")
    return database


def test_a_row_is_copied_once_and_what_it_was_stays() -> None:
    database = known()
    working = WorkingRows(database, {})
    row = working.row("customers", ANN)
    assert isinstance(row, Customer)
    row.name = "Anna"
    assert working.row("customers", ANN) is row
    assert database.table(Customer)[ANN].name == "Ann"


@pytest.mark.parametrize(("table", "row"), [("customers", None), ("customers", LOST), ("projects", ANN)])
def test_a_row_that_is_not_there(table: str, row: RowId | None) -> None:
    assert WorkingRows(known(), {}).row(table, row) is None


def test_a_new_row_is_empty_but_for_its_id() -> None:
    assert WorkingRows(known(), {NEW: ("storms", "2026-04-30")}).row("storms", NEW) == Storm(NEW)


@pytest.mark.parametrize("first_load", [True, False])
def test_the_rows_of_an_item(first_load: bool) -> None:
    slots = LAYOUTS["master"].slots
    working = WorkingRows(DatabaseState() if first_load else known(), {NEW: ("projects", "item:master:1")})
    links = [NEW if slot.role == "project" else LOST if slot.role == "customer" else None for slot in slots]
    rows = working.rows_of(slots, links)
    assert [row and row.id for row in rows] == [NEW if slot.role == "project" else None for slot in slots]


def test_the_rows_of_a_table_that_were_asked_for() -> None:
    working = WorkingRows(known(), {NEW: ("users", "email:eve@x.co")})
    assert list(working.touched("users")) == [User(NEW)]
    record = working.record("users", ANN)
    assert record is not None
    assert [user.id for user in working.touched("users")] == [NEW, record.id]
    assert list(working.touched("customers")) == []


def test_only_what_changed_comes_out_by_id() -> None:
    database = known()
    database.rows["customers"][LOST] = Customer(LOST, "Bob")
    working = WorkingRows(database, {NEW: ("customers", "email:eve@x.co")})
    assert working.row("customers", LOST) == Customer(LOST, "Bob")
    row, person = working.row("customers", ANN), working.row("users", ANN)
    assert isinstance(row, Customer)
    row.name = "Anna"
    assert isinstance(person, User)
    person.name, person.first_name = "Anna Lee", "Anna"
    assert list(working.changed("customers")) == [
        (Customer(ANN, "Ann", "ann@x.co"), Customer(ANN, "Anna", "ann@x.co")),
        (None, Customer(NEW)),
    ]
    [(before, after)] = working.changed("users")
    assert before is not None
    assert before.changes_to(after) == {"name": ("Ann Lee", "Anna Lee"), "first_name": ("Ann", "Anna")}


@pytest.mark.parametrize("table", TABLES)
def test_a_row_that_nobody_touched_is_unchanged_after_all(table: str) -> None:
    columns = TABLES[table].__struct_fields__
    for row in (TABLES[table](ANN), TABLES[table](ANN, *(f"v{n}" for n in range(1, len(columns))))):
        database = DatabaseState()
        database.rows[table][ANN] = row
        working = WorkingRows(database, {})
        assert working.row(table, ANN) == row
        assert list(working.changed(table)) == []
