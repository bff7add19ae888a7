"""What follows from something else: the rules themselves, of which scripts show what they do in either direction."""

from __future__ import annotations

from typing import Any

import pytest

from models import Customer, Project, Row, RowId
from reconcile.derived import (
    FOLLOWING,
    STAGES,
    KeyMoves,
    Showing,
    followed,
    has_roles,
    is_natural,
    key_moves,
    keys_after_push,
    roles_of,
    status_of,
)
from reconcile.tables import TABLES
from tests.support.kit import LAYOUTS

ANN, BOB, JOB = RowId("ann"), RowId("bob"), RowId("job")


def test_what_is_derived() -> None:
    assert STAGES == {"projects": "current_stage"}
    assert FOLLOWING == (("policies", "customer_id"),)
    people = {slot.role for layout in LAYOUTS.values() for slot in layout.slots if has_roles(slot)}
    assert {"user:Estimator", "user:Sales Staff"} <= people
    assert not {"customer", "project"} & people


@pytest.mark.parametrize(
    ("stage", "status"),
    [("Approved", "active"), ("APPROVED", "active"), (None, "pending"), ("", "pending"), ("On hold", None)],
)
def test_the_status_of_a_stage(stage: str | None, status: str | None) -> None:
    assert status_of(stage, {"approved": "active"}) == status


@pytest.mark.parametrize(
    ("held", "shown", "has_item", "roles"),
    [
        (["Estimator"], ["Partner"], True, ["Partner"]),
        (["Estimator", "Roofer"], [], True, ["Roofer"]),
        (["Estimator"], [], True, None),
        (None, [], True, None),
        (None, ["Partner", "Estimator", "Partner"], False, ["Estimator", "Partner"]),
        (["Sales Staff"], ["Partner"], True, ["Partner"]),
        (["Sales Staff"], ["Partner"], False, ["Partner", "Sales Staff"]),
        (["Sales Staff"], ["Sales Staff"], True, ["Sales Staff"]),
    ],
    ids=[
        "another slot",
        "words of others stay",
        "none any more",
        "never any",
        "sorted and distinct",
        "whose item left the board",
        "who is to become an item",
        "who is one",
    ],
)
def test_the_roles_of_a_person(held: list[str] | None, shown: list[str], has_item: bool, roles: Any) -> None:
    assert roles_of(held, shown, ["Estimator", "Partner", "Sales Staff"], has_item=has_item) == roles


@pytest.mark.parametrize(
    ("first", "points_at"),
    [
        (None, ANN),
        (Showing(BOB, moved=False), ANN),
        (Showing(BOB, moved=True), BOB),
        (Showing(None, moved=True), ANN),
    ],
    ids=["unknown", "as it was", "moved", "moved to nobody"],
)
def test_what_follows_the_first_item(first: Showing | None, points_at: RowId | None) -> None:
    assert followed(ANN, first) == points_at


@pytest.mark.parametrize(
    ("said", "free", "recorded", "claimed", "released"),
    [
        (["a"], ["a"], [], {"a"}, set()),
        (["a"], [], [], set(), set()),
        (["a"], ["a"], ["a"], set(), set()),
        (["b"], ["b"], ["a"], {"b"}, {"a"}),
        (["b"], [], ["a"], set(), {"a"}),
        ([], [], ["a"], set(), {"a"}),
        ([], [], ["slot:master:1:customer"], set(), set()),
    ],
    ids=["a free one", "somebody else's", "its own", "another", "another one's", "none any more", "provisional"],
)
def test_how_the_keys_of_a_row_move(
    said: list[str], free: list[str], recorded: list[str], claimed: set[str], released: set[str]
) -> None:
    assert key_moves(said, free, recorded) == KeyMoves(claimed, released)


@pytest.mark.parametrize(
    ("key", "natural"),
    [
        ("email:ann@x.co", True),
        ("name:ann", True),
        ("-|1 oak st", True),
        ("slot:master:1:customer", False),
        ("item:staff:9", False),
    ],
)
def test_a_natural_key(key: str, natural: bool) -> None:
    assert is_natural(key) is natural


A, B = "email:a@x.co", "email:b@x.co"


@pytest.mark.parametrize(
    ("emails", "owners", "outdated", "claimed", "released"),
    [
        ({ANN: "a@x.co"}, {}, [], {(A, ANN)}, set()),
        ({ANN: "a@x.co"}, {A: ANN}, [], set(), set()),
        ({ANN: "a@x.co"}, {A: BOB}, [], set(), set()),
        ({ANN: "b@x.co"}, {}, [(A, ANN)], {(B, ANN)}, {(A, ANN)}),
        ({ANN: None}, {}, [(A, ANN)], set(), {(A, ANN)}),
        ({ANN: "a@x.co"}, {}, [(A, BOB)], {(A, ANN)}, {(A, BOB)}),
        ({ANN: "b@x.co", BOB: "a@x.co"}, {}, [(A, ANN), (B, BOB)], {(B, ANN), (A, BOB)}, {(A, ANN), (B, BOB)}),
        ({}, {}, [(A, BOB)], set(), set()),
    ],
    ids=["new", "its own", "somebody's", "another", "emptied", "given up by another", "exchanged", "not told"],
)
def test_the_keys_of_rows_that_monday_was_told_of(
    emails: dict[RowId, str | None], owners: dict[str, RowId], outdated: Any, claimed: Any, released: Any
) -> None:
    rows: dict[str, dict[RowId, Row]] = {table: {} for table in TABLES}
    rows["customers"] = {row: Customer(row, "Name", email) for row, email in emails.items()}
    rows["projects"][JOB] = Project(JOB)
    owned = {table: dict[str, RowId]() for table in TABLES} | {"customers": owners}
    told = dict.fromkeys(emails, "customers") | {JOB: "projects", RowId("deleted"): "customers"}
    moves = keys_after_push(told, rows, owned, {("customers", key, row) for key, row in outdated})
    assert moves.claimed == {("customers", key, row) for key, row in claimed}
    assert moves.released == {("customers", key, row) for key, row in released}
