"""A board's mapping, compiled: slots and fields, and how they lie in rows."""

from __future__ import annotations

import msgspec
import pytest

from models import TABLES, Property, RowId
from reconcile.layout import STAFF_ROLE, together
from tests.support.kit import LAYOUTS, target_field

MASTER, STAFF = LAYOUTS["master"], LAYOUTS["staff"]


@pytest.mark.parametrize("board", LAYOUTS)
def test_every_field_lies_in_one_slot_and_in_columns_of_its_row(board: str) -> None:
    layout = LAYOUTS[board]
    assert [field for slot in layout.slots for field in slot.fields] == list(layout.fields)
    assert len(set(layout.field_ids)) == len(layout.fields)
    for slot in layout.slots:
        columns = TABLES[slot.table].__struct_fields__
        assert {layout.slot_of(field) for field in slot.fields} == {slot} == {layout.slot(slot.role)}
        assert {column for field in slot.fields for column in field.columns} <= set(columns)
        assert all(slot.by_column[field.column] is field for field in slot.fields)
        assert [layout.field(field.id) for field in slot.fields] == list(slot.fields)


@pytest.mark.parametrize("board", LAYOUTS)
def test_what_a_row_holds_of_a_slot_is_what_it_holds_of_its_fields(board: str) -> None:
    for slot in LAYOUTS[board].slots:
        model = TABLES[slot.table]
        columns = model.__struct_fields__
        row = msgspec.structs.replace(model(RowId("id")), **dict(zip(columns, columns, strict=True)))
        assert slot.values_of(row) == tuple(row[field] for field in slot.fields)
        assert [row[field] for field in slot.fields] == [
            field.columns if len(field.columns) > 1 else field.column for field in slot.fields
        ]
        empty = model(RowId("r"))
        assert slot.values_of(empty) == (None,) * len(slot.fields) == tuple(empty[field] for field in slot.fields)


def test_an_id_that_the_mapping_has_no_more_is_no_field() -> None:
    assert MASTER.field("customers.name/another board") is None


@pytest.mark.parametrize(
    ("board", "role", "table"), [("master", "project", "projects"), ("staff", STAFF_ROLE, "users")]
)
def test_the_slot_that_stands_for_the_item(board: str, role: str, table: str) -> None:
    slot = LAYOUTS[board].record
    assert (slot.role, slot.table, slot.link) == (role, table, None)


@pytest.mark.parametrize("board", LAYOUTS)
def test_every_link_is_a_column_of_the_record(board: str) -> None:
    layout = LAYOUTS[board]
    columns = TABLES[layout.record.table].__struct_fields__
    assert list(layout.referenced) == [slot for slot in layout.slots if slot.link in columns]
    assert board == "staff" or len(layout.referenced) == len(layout.slots) - 1


@pytest.mark.parametrize(
    ("role", "person"),
    [("project", None), ("customer", None), ("user:Estimator", "Estimator"), (STAFF_ROLE, "Sales Staff")],
)
def test_the_person_of_a_slot(role: str, person: str | None) -> None:
    slots = [*MASTER.slots, *STAFF.slots]
    assert next(slot for slot in slots if slot.role == role).person == person


@pytest.mark.parametrize(
    ("table", "column", "columns"),
    [
        ("users", "first_name", ("name", "first_name", "last_name")),
        ("properties", "zip", ("address", "street", "city", "state", "zip")),
        ("projects", "status", ("current_stage", "status")),
        ("users", "city", ("city",)),
        ("customers", "name", ("name",)),
    ],
)
def test_what_is_written_together(table: str, column: str, columns: tuple[str, ...]) -> None:
    assert together(table, column) == columns


def test_a_joint_field_is_one_value_of_a_row() -> None:
    address, row = target_field("master", "properties.address"), Property(RowId("r"), address="1 Oak", street="1 Oak")
    assert row[address] == ("1 Oak", "1 Oak", None, None, None)
    row[address] = ("2 Elm, Reno", "2 Elm", "Reno", None, None)
    assert row == Property(RowId("r"), address="2 Elm, Reno", street="2 Elm", city="Reno")
    row[address] = None
    assert row == Property(RowId("r"))
    assert row[address] is None
