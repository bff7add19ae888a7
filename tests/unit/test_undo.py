"""Taking a run back: each change, the row as it is now, and what is given back or left."""

from __future__ import annotations

from typing import Any

import pytest

from models import UNREADABLE, RowId
from reconcile.changes import Address, Change
from reconcile.undo import ARCHIVED, EDITED, GONE, MADE, UNREAD, plan_undo
from tests.support.kit import LAYOUTS

ROW, CUSTOMER, OTHER = RowId("row-1"), RowId("row-2"), RowId("row-3")


def row_change(field: str, before: Any, after: Any, row: RowId = ROW, action: Any = "update") -> Change:
    table = field.partition(".")[0]
    return Change(Address("postgres", "master", 1, table, row, field), action, before, after, "edited on monday")


def cell(column: str, field: str, before: Any, after: Any, row: RowId = ROW) -> Change:
    table = field.partition(".")[0]
    place = Address("monday", "master", 1, table, row, field, column)
    return Change(place, "update", before, after, "edited in PostgreSQL")


CLAIM = ("claim_number__1", "projects.claim_number")


@pytest.mark.parametrize(
    ("changes", "row", "given", "why"),
    [
        ([row_change("projects.claim_number", "a", "b")], {"claim_number": "b"}, {"claim_number": "a"}, None),
        ([row_change("projects.claim_number", None, "b")], {"claim_number": "b"}, {"claim_number": None}, None),
        ([row_change("projects.claim_number", "a", "b")], {"claim_number": "a"}, {}, None),
        ([row_change("projects.claim_number", "a", "b")], {"claim_number": "c"}, {}, EDITED),
        ([row_change("projects.claim_number", "a", "b")], {"claim_number": UNREADABLE}, {}, UNREAD),
        ([row_change("projects.claim_number", "a", "b")], None, {}, GONE),
        ([row_change("projects.status", "pending", "done")], {"status": "done"}, {}, None),
        ([row_change("projects.archived_at", None, "now", action="archive")], {"archived_at": "now"}, {}, ARCHIVED),
        ([row_change("projects", None, None, action="insert")], {}, {}, MADE),
        ([cell(*CLAIM, "a", "b")], {"claim_number": "b"}, {"claim_number": "a"}, None),
        ([cell(*CLAIM, None, "b")], {"claim_number": "b"}, {"claim_number": None}, None),
        ([cell(*CLAIM, "a", "b")], {"claim_number": "c"}, {}, EDITED),
        (
            [row_change("projects.claim_number", "a", "b"), row_change("projects.claim_number", "b", "c")],
            {"claim_number": "c"},
            {"claim_number": "a"},
            None,
        ),
    ],
)
def test_a_change_is_given_back_or_left_with_the_reason(
    changes: list[Change], row: dict[str, Any] | None, given: dict[str, Any], why: str | None
) -> None:
    undo = plan_undo("R", changes, {} if row is None else {ROW: row}, LAYOUTS)
    assert {
        column: after for update in undo.updates["projects"] for column, (_, after) in update.changes.items()
    } == given
    assert {left.why for left in undo.left} == ({why} if why else set())
    assert {change.reason for change in undo.changes} <= {"undo of R"}


def test_a_name_goes_back_with_its_parts() -> None:
    held = {"name": "Ann Lee", "first_name": "Ann", "last_name": "Lee"}
    place = Address("monday", "staff", 1, "users", ROW, "users.name", "text25")
    undo = plan_undo("R", [Change(place, "update", "Anna", "Ann", "edited in PostgreSQL")], {ROW: held}, LAYOUTS)
    assert [update.changes for update in undo.updates["users"]] == [
        {"name": ("Ann Lee", "Anna Lee"), "first_name": ("Ann", "Anna")}
    ]


def test_cells_of_another_row_are_not_written_into_this_one() -> None:
    moved = Change(
        Address("monday", "master", 1, "projects", ROW, "projects.customer_id"), "update", CUSTOMER, OTHER, "edited"
    )
    beside = cell("email4__1", "customers.email", "ann@mail.example", "bob@mail.example", OTHER)
    rows: dict[RowId, Any] = {ROW: {"customer_id": OTHER}, OTHER: {"email": "bob@mail.example"}}
    undo = plan_undo("R", [moved, beside], rows, LAYOUTS)
    assert [update.changes for update in undo.updates["projects"]] == [{"customer_id": (OTHER, CUSTOMER)}]
    assert undo.updates["customers"] == []
    assert undo.left == []
