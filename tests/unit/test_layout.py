"""One item and its rows: slots, fields, what cells mean, and what is set aside."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from models import Property, RowId
from monday_api import BOARDS
from reconcile.items import decode_item
from reconcile.layout import compile_layout, together
from reconcile.tables import TABLES
from tests.support.kit import LAYOUTS, STAFF_ROLE, column_of, raw_json, state

MASTER, STAFF = LAYOUTS["master"], LAYOUTS["staff"]


def field(target: str) -> int:
    return next(n for n, one in enumerate(MASTER.fields) if one.id.startswith(f"{target}/"))


@pytest.mark.parametrize("board", LAYOUTS)
def test_every_field_lies_in_one_slot_and_one_place_of_a_row(board: str) -> None:
    layout = LAYOUTS[board]
    assert [n for slot in layout.slots for n in slot.fields] == list(range(len(layout.fields)))
    assert len(set(layout.field_ids)) == len(layout.fields)
    for number, slot in enumerate(layout.slots):
        columns = TABLES[slot.table].__struct_fields__
        assert {layout.fields[n].slot for n in slot.fields} == {number}
        fields = [layout.fields[n] for n in slot.fields]
        assert {column for one in fields for column in one.columns} <= set(columns)
        row = msgspec.structs.replace(TABLES[slot.table](RowId("id")), **dict(zip(columns, columns, strict=True)))
        assert slot.values_of(row) == tuple(row[one] for one in fields)
        assert [row[one] for one in fields] == [
            one.columns if len(one.columns) > 1 else one.columns[0] for one in fields
        ]
        empty = TABLES[slot.table](RowId("r"))
        assert slot.values_of(empty) == (None,) * len(fields) == tuple(empty[one] for one in fields)


@pytest.mark.parametrize(
    ("board", "role", "table"), [("master", "project", "projects"), ("staff", STAFF_ROLE, "users")]
)
def test_the_slot_that_stands_for_the_item(board: str, role: str, table: str) -> None:
    slot = LAYOUTS[board].slots[LAYOUTS[board].record]
    assert (slot.role, slot.table, slot.link) == (role, table, None)


@pytest.mark.parametrize("board", LAYOUTS)
def test_every_link_is_a_column_of_the_record(board: str) -> None:
    layout = LAYOUTS[board]
    columns = TABLES[layout.slots[layout.record].table].__struct_fields__
    pointed = {layout.slots[place].link: column for place, column in layout.pointers}
    assert pointed == {slot.link: slot.link for slot in layout.slots if slot.link in columns}
    assert board == "staff" or len(pointed) == len(layout.slots) - 1


@pytest.mark.parametrize(
    ("role", "person"),
    [("project", None), ("customer", None), ("user:Estimator", "Estimator"), (STAFF_ROLE, "Sales Staff")],
)
def test_the_person_of_a_slot(role: str, person: str | None) -> None:
    slots = [*MASTER.slots, *STAFF.slots]
    assert next(slot for slot in slots if slot.role == role).person == person


@pytest.mark.parametrize(
    ("target", "typed", "value", "bad"),
    [
        ("customers.name", "  Ann ", "Ann", False),
        ("customers.name", "", None, False),
        ("customers.name", "  ", None, False),
        ("customers.name", "a\0b", UNSET, True),
        ("projects.estimated_value", "18250.5", Decimal("18250.50"), False),
        ("projects.estimated_value", "ten", UNSET, True),
        ("projects.estimated_value", "1e12", UNSET, True),
        ("storms.date_of_loss", "yesterday", UNSET, True),
        (
            "properties.address",
            "1 Oak St, Reno, NV 89501",
            ("1 Oak St, Reno, NV 89501", "1 Oak St", "Reno", "NV", "89501"),
            False,
        ),
    ],
)
def test_what_a_cell_means(target: str, typed: str, value: Any, bad: bool) -> None:
    shows = state("master", 1, {target: typed})
    assert shows.values[field(target)] == value
    assert [column for column, _reason in shows.bad] == ([column_of("master", target)] if bad else [])
    assert shows.values[field("projects.item_name")] == "Job", "the others are as they were"


def test_a_column_that_is_left_unread_says_nothing_whoever_shows_it() -> None:
    raw = raw_json("master", 1, {"customers.name": "Ann", "users.first_name/Sales Representative": "Bob"})
    shows = MASTER.without({"text65__1", "text22__1"}).decode(decode_item(raw))
    assert shows.values[field("customers.name")] is UNSET
    assert shows.values[next(n for n, one in enumerate(MASTER.fields) if "text22__1" in one.cells)] is UNSET
    assert shows.bad == ()


def test_a_column_that_the_answer_lacks_says_nothing() -> None:
    item = decode_item(raw_json("master", 1, {"customers.name": "Ann"}))
    less = msgspec.structs.replace(item, column_values=[cell for cell in item.column_values if cell.id != "text65__1"])
    assert MASTER.decode(less).values[field("customers.name")] is UNSET


class ShorterThan:
    def __init__(self, length: int) -> None:
        self.length = length

    def refusal(self, value: Any) -> str | None:
        return f"longer than {self.length}" if len(value) > self.length else None


@pytest.mark.parametrize(
    ("column", "target", "typed", "fits"),
    [
        (("customers", "name"), "customers.name", "Ann", True),
        (("customers", "name"), "customers.name", "Annabel", False),
        (("properties", "city"), "properties.address", "1 Oak St, Reno, NV 89501", True),
        (("properties", "city"), "properties.address", "1 Oak St, Sparks, NV 89431", False),
    ],
    ids=["fits", "does not", "a part that fits", "a part that does not"],
)
def test_a_column_of_an_existing_database_that_takes_less(
    column: tuple[str, str], target: str, typed: str, fits: bool
) -> None:
    layout = compile_layout("master", 1, BOARDS["master"], {column: ShorterThan(4)})
    shows = layout.decode(decode_item(raw_json("master", 1, {target: typed})))
    assert (shows.values[field(target)] is not UNSET) is fits
    assert [reason for _column, reason in shows.bad] == (
        [] if fits else [f"does not fit {'.'.join(column)}: longer than 4"]
    )


@pytest.mark.parametrize(
    ("text", "marker"),
    [
        ("0E0E0E0E-0000-4000-8000-000000000001", "0e0e0e0e-0000-4000-8000-000000000001"),
        (" 0e0e0e0e-0000-4000-8000-000000000001 ", "0e0e0e0e-0000-4000-8000-000000000001"),
        ("0e0e0e0e", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_the_id_of_a_row_that_an_item_carries(text: str | None, marker: str) -> None:
    item = msgspec.json.decode(raw_json("master", 1))
    item["column_values"].append({"id": "pg_sync_id", "type": "text", "text": text})
    assert MASTER.decode(decode_item(msgspec.json.encode(item))).marker == marker


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
    address, row = MASTER.fields[field("properties.address")], Property(RowId("r"), address="1 Oak", street="1 Oak")
    assert row[address] == ("1 Oak", "1 Oak", None, None, None)
    row[address] = ("2 Elm, Reno", "2 Elm", "Reno", None, None)
    assert row == Property(RowId("r"), address="2 Elm, Reno", street="2 Elm", city="Reno")
    row[address] = None
    assert row == Property(RowId("r"))
    assert row[address] is None
