"""What a run writes, as the records that are printed, saved and kept: where, from what to what, and why."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal

import pytest

from models import Customer, RowId
from monday_api import BOARDS
from reconcile.changes import Address, Change, count_pull_changes, from_json, op_changes, pull_changes, to_json
from reconcile.journal_ops import ChangeOp
from reconcile.plan_pull import Plan, Update
from reconcile.tables import TABLES
from tests.support.kit import LAYOUTS, column_of
from tests.unit.script import (
    ARCHIVED,
    DELETED,
    Case,
    Sides,
    call,
    case,
    cases,
    expect,
    given,
    in_postgres,
    on_monday,
    pull,
    push,
    row,
)

ANN = {"customers.email": "ann@x.co", "customers.name": "Ann"}
BOB = {"customers.email": "bob@x.co", "customers.name": "Bob"}
PAM = {"users.email/Estimator": "pam@x.co", "users.name/Estimator": "Pam Poe"}
MASTER = LAYOUTS["master"]


@cases(
    case(
        "a first load is a line for each row",
        given({1: ANN, 2: ANN}),
        expect(
            changes=[
                "postgres insert customers of 1 (first contact)",
                "postgres insert projects of 1 (first contact)",
                "postgres insert projects of 2 (first contact)",
            ]
        ),
    ),
    case("nothing changed", given({1: ANN}), pull(), expect(changes=[])),
    case(
        "an edit, and what follows from it",
        given({1: ANN}),
        on_monday(1, {"customers.name": "Anna", "projects.current_stage": "Approved"}),
        pull(),
        expect(
            changes=[
                "postgres update customers.name of 1: Ann → Anna (edited on monday)",
                "postgres update projects.current_stage of 1: None → Approved (edited on monday)",
                "postgres update projects.status of 1: pending → active (derived)",
            ]
        ),
    ),
    case(
        "an edit that monday wins",
        given({1: ANN}),
        on_monday(1, {"customers.name": "Anna"}),
        in_postgres("customer of 1", {"name": "Anne"}),
        pull(policy="monday"),
        expect(changes=["postgres update customers.name of 1: Anne → Anna (conflict, monday won)"]),
    ),
    case(
        "an edit that two items make is the newer one's",
        given({1: ANN, 2: ANN}),
        on_monday(1, {"customers.name": "Anna"}),
        on_monday(2, {"customers.name": "Anne"}),
        pull(),
        expect(changes=["postgres update customers.name of 2: Ann → Anne (edited on monday)"]),
    ),
    case(
        "first contact with a row that was there",
        in_postgres("customers: ann", {"email": "ann@x.co"}),
        in_postgres("projects: roof", {"monday_item_id": 1, "customer_id": row("ann"), "archived_at": None}),
        on_monday(1, ANN),
        pull(),
        expect(
            changes=[
                "postgres update customers.name of 1: None → Ann (first contact)",
                "postgres update projects.item_name of 1: None → Job (first contact)",
                "postgres update projects.name of 1: None → Job (first contact)",
            ]
        ),
    ),
    case(
        "a tolerated difference that monday settles",
        in_postgres("customers: ann", {"email": "ann@x.co", "name": "Anne"}),
        on_monday(1, ANN),
        pull(),
        pull(adopt="monday"),
        expect(changes=[]),
        on_monday(2, ANN),
        pull(adopt="monday"),
        expect(
            changes=[
                "postgres update customers.name of 2: Anne → Ann (first contact)",
                "postgres insert projects of 2 (first contact)",
            ]
        ),
    ),
    case(
        "an item that goes, and comes back",
        given({1: ANN}),
        on_monday(1, ARCHIVED),
        pull(),
        expect(changes=["postgres archive projects.archived_at of 1: None → now (edited on monday)"]),
        on_monday(1, "active"),
        on_monday(1, {"customers.name": "Ann"}),
        pull(),
        expect(
            changes=["postgres restore projects.archived_at of 1: 2026-07-01 00:00:00+00:00 → None (edited on monday)"]
        ),
    ),
)
def test_a_pull(case: Case) -> None:
    case.run()


@cases(
    case("nothing to say", given({1: ANN}), push(), expect(changes=[])),
    case(
        "an edit that every item shows",
        given({1: ANN, 2: ANN}),
        in_postgres("customer of 1", {"name": "Anna"}),
        push(),
        expect(
            changes=[
                "monday update customers.name of 1: Ann → Anna (edited in PostgreSQL)",
                "monday update customers.name of 2: Ann → Anna (edited in PostgreSQL)",
            ]
        ),
    ),
    case(
        "an edit that PostgreSQL wins",
        given({1: ANN}),
        on_monday(1, {"customers.name": "Anna"}),
        in_postgres("customer of 1", {"name": "Anne"}),
        push(policy="pg"),
        expect(changes=["monday update customers.name of 1: Anna → Anne (conflict, PostgreSQL won)"]),
    ),
    case(
        "what follows from an edit is written to the row first",
        given({901: {"users.first_name": "Ann", "users.last_name": "Lee", "users.email": "ann@x.co"}}),
        in_postgres("staff of 901", {"first_name": "Anna"}),
        push(),
        expect(
            changes=[
                "postgres update users.name of 901: Ann Lee → Anna Lee (derived)",
                "monday update users.name of 901: Ann → Anna (edited in PostgreSQL)",
            ]
        ),
    ),
    case(
        "a slot that shows another row, and its cells",
        given({1: ANN, 2: BOB}),
        in_postgres("project of 1", {"customer_id": row("customer of 2")}),
        push(),
        expect(sent={1: {"customers.email": "bob@x.co", "customers.name": "Bob"}}),
    ),
    case(
        "a new item, and one that goes",
        given({1: ANN, 2: BOB}),
        in_postgres("projects: roof", {"item_name": "Roof", "customer_id": row("customer of 1")}),
        in_postgres("project of 2", DELETED),
        push(propagate_deletes=True),
        expect(
            changes=[
                "postgres update projects.name of None: None → Roof (derived)",
                "postgres update projects.status of None: None → pending (derived)",
                "monday create projects of None (edited in PostgreSQL)",
                "monday archive projects of 2 (edited in PostgreSQL)",
            ]
        ),
    ),
)
def test_a_push(case: Case) -> None:
    case.run()


def test_a_slot_that_shows_another_row_is_told_with_both_rows() -> None:
    sides = Sides()
    for step in (
        given({1: ANN, 2: BOB}),
        call("ann", "customer of 1"),
        in_postgres("project of 1", {"customer_id": row("customer of 2")}),
        push(),
    ):
        step(sides)
    project, ann, bob = (sides.find(name) for name in ("project of 1", "ann", "customer of 2"))
    place: tuple[Literal["monday"], str, int] = ("monday", "master", 1)
    assert sides.changes == [
        Change(
            Address(*place, "projects", project, "projects.customer_id"), "update", ann, bob, "edited in PostgreSQL"
        ),
        *(
            Change(
                Address(*place, "customers", bob, f"customers.{name}", column_of("master", f"customers.{name}")),
                "update",
                ANN[f"customers.{name}"],
                BOB[f"customers.{name}"],
                "edited in PostgreSQL",
            )
            for name in ("email", "name")
        ),
    ]
    assert [change.is_cell for change in sides.changes] == [False, True, True]


def test_whose_policy_it_is_follows_from_another_customer() -> None:
    sides = Sides()
    for step in (given({1: ANN | {"policies.policy_number": "P-1"}, 2: BOB}), on_monday(1, BOB), pull()):
        step(sides)
    told = {(change.address.field, change.address.item, change.reason) for change in sides.changes}
    assert told == {
        ("policies.customer_id", 1, "derived"),
        ("projects.customer_id", 1, "edited on monday"),
    }


def test_what_became_of_a_plan_is_told_in_its_place() -> None:
    roof, ann, bob = RowId("roof"), RowId("ann"), RowId("bob")
    plan = Plan()
    plan.inserts["customers"] = [Customer(ann, "Ann"), Customer(bob, "Bob")]
    plan.updates["projects"] = [Update(roof, {"link": ("a", "b"), "name": (None, "Roof")})]
    assert count_pull_changes(plan) == len(list(pull_changes(plan, LAYOUTS))) == 4
    landed = {table: list[Update]() for table in TABLES} | {"projects": [Update(roof, {"link": ("a", "B")})]}
    told = [
        (change.address.field, change.address.row, change.after)
        for change in pull_changes(plan, LAYOUTS, landed, {bob})
    ]
    assert told == [("projects.link", roof, "B"), (None, ann, None)]


def test_an_op_of_an_older_journal_is_told_by_what_is_remembered() -> None:
    sides = Sides()
    given({1: ANN})(sides)
    base = sides.memory.items["master", 1]
    field = next(one for one in MASTER.fields if one.id.startswith("customers.name/"))
    op = ChangeOp({field.id: "Ann", "a field of then": 1}, {field.id: "Anna", "a field of then": 2})
    [told] = op_changes(op, base, MASTER)
    assert (told.address.row, told.before, told.after) == (sides.find("customer of 1"), "Ann", "Anna")


VALUES: dict[str, Any] = {
    "projects.monday_item_id": 6727300555,
    "projects.estimated_value": Decimal("18250.50"),
    "projects.customer_id": RowId("4a1f"),
    "projects.archived_at": datetime(2026, 7, 1, 8, 30, 0, 123456, tzinfo=UTC),
    "storms.date_of_loss": date(2026, 4, 30),
    "users.roles": ["Estimator", 'a "b", {c}'],
    "users.identification_files": '[{"url": "https://f.co/7", "name": "é → \\" ", "asset_id": "7"}]',
    "customers.notes": "two\nlines, a tab\t, <U+2192> and \U0001f3e0",
}


@pytest.mark.parametrize("field", VALUES)
def test_a_value_of_a_row_comes_back_as_it_was(field: str) -> None:
    address = Address("postgres", "master", 1, field.partition(".")[0], RowId("r"), field)
    for value in (VALUES[field], None):
        back = from_json(address, to_json(value), BOARDS["master"])
        assert (back, type(back)) == (value, type(value))


@pytest.mark.parametrize("board", BOARDS)
def test_a_value_of_a_cell_comes_back_as_it_was(board: str) -> None:
    for column_id, column in BOARDS[board].items():
        address = Address("monday", board, 1, column.table, RowId("r"), column.target or "x.y", column_id)
        for _cell, value in column.codec.examples:
            back = from_json(address, to_json(value), BOARDS[board])
            assert (back, type(back)) == (value, type(value))


def test_a_slot_that_showed_nothing_comes_back_as_nothing() -> None:
    address = Address("monday", "master", 1, "projects", RowId("r"), "projects.customer_id")
    assert from_json(address, to_json("4a1f"), BOARDS["master"]) == "4a1f"
    assert from_json(address, to_json(None), BOARDS["master"]) is None


def test_every_column_of_every_table_has_a_type_to_come_back_as() -> None:
    for table, model in TABLES.items():
        for column in model.__struct_fields__:
            address = Address("postgres", None, None, table, RowId("r"), f"{table}.{column}")
            assert from_json(address, None, {}) is None
