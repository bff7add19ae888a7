"""Rows of projects without an item id beside items that would get a row: which of them look like one job."""

from __future__ import annotations

from typing import Any

import pytest

from models import Customer, Project, RowId
from reconcile.database_state import DatabaseState
from reconcile.identity import resolve
from reconcile.layout import ItemState
from reconcile.lookalikes import lookalikes
from reconcile.tables import TABLES
from tests.support.kit import LAYOUTS, state

ANN, BOB = RowId("ann"), RowId("bob")
ANNS = {"customers.email": "ann@x.co", "customers.name": "Ann Lee"}


def database(*projects: dict[str, Any]) -> DatabaseState:
    """Two customers, and rows of projects that were never synced: `p0`, `p1`…"""
    found = DatabaseState(
        keys={table: {} for table in TABLES} | {"customers": {"email:ann@x.co": ANN, "email:bob@x.co": BOB}}
    )
    for row, name in ((ANN, "Ann Lee"), (BOB, "Bob Roe")):
        found.rows["customers"][row] = Customer(row, name, f"{row}@x.co")
    for number, told in enumerate(projects):
        row = RowId(f"p{number}")
        found.rows["projects"][row] = Project(row, **told)
        found.unknown.add(row)
    return found


def pairs(known: DatabaseState, *items: ItemState) -> list[tuple[int, str]]:
    resolution = resolve(items, LAYOUTS, known)
    found = lookalikes(items, LAYOUTS, known, resolution)
    assert all(pair.row in resolution.new_rows for pair in found)
    return [(pair.item[1], str(pair.other)) for pair in found]


@pytest.mark.parametrize(
    ("row", "name", "cells", "alike"),
    [
        ({"name": "Lee, roof"}, "LEE  Roof", {}, True),
        ({"item_name": "Lee roof"}, "Lee roof", ANNS, True),
        ({"name": "Lee roof", "customer_id": ANN}, "Lee roof", ANNS, True),
        ({"name": "Lee roof", "customer_id": ANN}, "Lee roof", {}, True),
        ({"name": "Lee roof", "customer_id": ANN}, "Lee roof", {"customers.name": "ANN LEE"}, True),
        ({"name": "Lee roof", "customer_id": BOB}, "Lee roof", ANNS, False),
        ({"name": "Lee roof", "customer_id": RowId("not loaded")}, "Lee roof", ANNS, False),
        ({"name": "Lee roof"}, "Lee gutters", ANNS, False),
        ({"name": "Lee roof"}, "Job", {"projects.name": "lee roof"}, True),
        ({"name": "x", "claim_number": "C-1 7"}, "Job", {"projects.claim_number": "c17"}, True),
        ({"name": "x", "claim_number": "-"}, "Job", {"projects.claim_number": "-"}, False),
        ({"name": "Lee roof", "monday_item_id": 99}, "Lee roof", {}, False),
        ({"name": "Lee roof", "archived_at": "2026-01-01"}, "Lee roof", {}, False),
        ({}, "", {}, False),
    ],
)
def test_what_looks_like_one_job(row: dict[str, Any], name: str, cells: dict[str, str], alike: bool) -> None:
    assert pairs(database(row), state("master", 1, cells, name=name)) == ([(1, "p0")] if alike else [])


def test_the_stronger_likeness_wins_and_nobody_is_told_of_twice() -> None:
    known = database({"name": "Roof"}, {"name": "Roof", "customer_id": ANN}, {"name": "x", "claim_number": "C1"})
    items = [
        state("master", 1, name="Roof"),
        state("master", 2, ANNS, name="Roof"),
        state("master", 3, {**ANNS, "projects.claim_number": "C1"}, name="Roof"),
        state("master", 4, name="Roof"),
    ]
    assert pairs(known, *items) == pairs(known, *reversed(items)) == [(1, "p0"), (2, "p1"), (3, "p2")]


def test_items_that_have_a_row_and_rows_that_were_synced_look_like_nobody() -> None:
    known = database({"name": "Roof"})
    known.adopted["master", 1] = [RowId("p0"), *[None] * (len(LAYOUTS["master"].slots) - 1)]
    known.keys["projects"]["item:master:1"] = RowId("p0")
    assert pairs(known, state("master", 1, name="Roof")) == []
    known = database({"name": "Roof"})
    known.unknown.clear()
    assert pairs(known, state("master", 1, name="Roof")) == []


def test_people_are_no_jobs() -> None:
    rep = state("staff", 1, {"users.first_name/Sales Staff": "Roof"}, name="Roof")
    assert pairs(database({"name": "Roof"}), rep) == []
