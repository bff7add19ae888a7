"""Which row is an item's: the one that holds its id, whichever row it was before."""

from __future__ import annotations

from typing import Any

import pytest

from models import RowId
from reconcile.ids import CLAIMS, Astray, Claim, IdPlace, LeftBehind, follow
from reconcile.types import ItemBase, Links
from tests.support.kit import LAYOUTS, state
from tests.unit.script import Case, call, case, cases, expect, given, in_postgres, on_monday, pull, push

ITEM = ("master", 1)
OLD, NEW = RowId("old"), RowId("new")


def astray(**facts: Any) -> Astray:
    usual = {"link": OLD, "there": True, "holds": None, "others": False, "waits": False, "holder": None, "alike": False}
    return Astray(ITEM, **usual | facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("facts", "known", "place"),
    [
        ({"holder": NEW}, (), IdPlace.MOVED),
        ({"holder": NEW, "there": False}, (), IdPlace.MOVED),
        ({"holder": NEW, "alike": True}, (), IdPlace.ANEW),
        ({}, (), IdPlace.EMPTIED),
        ({"holds": 2, "others": True}, (), IdPlace.LEFT),
        ({"holds": 2}, (), IdPlace.UNSURE),
        ({"holds": 2}, [("master", 2)], IdPlace.LEFT),
        ({"holds": 2}, [("staff", 2)], IdPlace.UNSURE),
    ],
    ids=[
        "another row holds its id",
        "its row is gone, another one holds its id",
        "that one was told of as another job",
        "its row's id was cleared",
        "its row is another item's",
        "its row holds an id that nobody knows",
        "an id that is about to be known",
        "an item of the other board is none",
    ],
)
def test_where_a_row_is(facts: dict[str, Any], known: Any, place: IdPlace) -> None:
    assert astray(**facts).place(known) is place


@pytest.mark.parametrize(
    ("place", "facts", "link", "left"),
    [
        (IdPlace.MOVED, {"holder": NEW}, NEW, False),
        (IdPlace.MOVED, {"holder": NEW, "waits": True}, NEW, True),
        (IdPlace.MOVED, {"holder": NEW, "waits": True, "link": None}, NEW, False),
        (IdPlace.LEFT, {"holds": 2}, None, False),
        (IdPlace.EMPTIED, {}, OLD, False),
        (IdPlace.UNSURE, {"holds": 3}, OLD, False),
    ],
    ids=["moved", "moved, and the old row would become an item", "moved from nowhere", "left", "emptied", "unsure"],
)
def test_an_item_follows_its_id(place: IdPlace, facts: dict[str, Any], link: RowId | None, left: bool) -> None:
    layout = LAYOUTS["master"]
    shows = state("master", 1)
    links = Links([OLD] * len(layout.slots))
    base = ItemBase("master", 1, shows.updated_at, links, shows.values, shows.values)
    found = follow(base, astray(**facts), place, layout)
    assert list(base.links) == [link if slot == layout.record else OLD for slot in layout.slots]
    assert (found == LeftBehind(ITEM, "projects", OLD, NEW)) is left


def test_a_person_is_told_what_to_do() -> None:
    left = LeftBehind(ITEM, "projects", OLD, NEW)
    assert left.where == "projects.old"
    assert "projects.new" in left.reason
    assert {Claim(1, 1, "projects.old", kind).reason for kind in CLAIMS} == set(CLAIMS.values())


ANN = {"customers.email": "ann@x.co", "customers.name": "Ann Lee"}
SAME = {"name": "Roof", "item_name": "Job", "claim_number": "C-1"}
JOB = {"projects.name": "Roof", "projects.claim_number": "C-1"}


@cases(
    case(
        "an id that is written into another row: what the item was remembered with counts",
        given({1: JOB}),
        in_postgres("projects: new", SAME | {"claim_number": "C-2"}),
        in_postgres("project of 1", {"monday_item_id": None, "archived_at": "then"}),
        in_postgres("new", {"monday_item_id": 1}),
        push(),
        expect(sent={1: {"projects.claim_number": "C-2"}}, made=[]),
        pull(),
        expect(linked={"project of 1": "new"}, count={"projects": 2}, conflicts=[]),
    ),
    case(
        "the same, met by the pull first",
        given({1: JOB}),
        call("old", "project of 1"),
        in_postgres("projects: new", SAME | {"monday_item_id": 1, "claim_number": "C-2"}),
        in_postgres("old", {"monday_item_id": None, "archived_at": "then"}),
        on_monday(1, {"projects.description": "x"}),
        pull(),
        expect(
            linked={"project of 1": "new"}, rows={"new": {"claim_number": "C-2", "description": "x"}}, untold=["new"]
        ),
        push(),
        expect(sent={1: {"projects.claim_number": "C-2"}}, told=["new"]),
    ),
    case(
        "the row it leaves becomes no item",
        given({1: JOB}),
        call("old", "project of 1"),
        in_postgres("projects: new", SAME | {"monday_item_id": 1}),
        in_postgres("old", {"monday_item_id": None}),
        push(),
        expect(made=[], sent={}),
    ),
    case(
        "an id that nobody knows: the item is left alone",
        given({1: JOB}),
        in_postgres("project of 1", {"monday_item_id": 77, "claim_number": "C-2"}),
        on_monday(1, {"projects.description": "x"}),
        pull(),
        expect(writes=0, items=[]),
        push(),
        expect(sent={}, untold=["project of 1"]),
    ),
    case(
        "two ids that were exchanged",
        given({1: JOB, 2: {"projects.name": "Other"}}),
        call("one", "project of 1"),
        call("two", "project of 2"),
        in_postgres("one", {"monday_item_id": 2}),
        in_postgres("two", {"monday_item_id": 1}),
        push(),
        expect(
            cells={1: {"projects.name": "Other", "projects.claim_number": None}, 2: JOB},
            linked={"project of 1": "two", "project of 2": "one"},
        ),
    ),
)
def test_ids_in_rows(case: Case) -> None:
    case.run()
