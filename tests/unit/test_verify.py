"""The proof in the core: what differs is decided by cell and row alone, and each cause needs its witnesses."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET

from models import TABLES, Row, RowId
from reconcile import verify
from reconcile.types import ItemState, Links, PerField, PerSlot
from reconcile.verify import Cause, Census, Doubled, Holder, Memory, RowFacts, Stray, Walked
from tests.support.kit import LAYOUTS
from tests.support.kit import state as item_state

MASTER = LAYOUTS["master"]
PROJECT, CUSTOMER, OTHER = RowId("p1"), RowId("c1"), RowId("c2")
SAYS = {"customers.name": "Ann", "customers.email": "ann@x.co"}
NOTES = next(field for field in MASTER.fields if field.id.startswith("customers.notes/"))
CUSTOMERS = next(slot for slot in MASTER.slots if slot.table == "customers")


def row(table: str, row_id: RowId, **values: Any) -> Row:
    return TABLES[table](row_id, **values)


def walked(customer: RowId | None = CUSTOMER, **values: Any) -> Walked:
    project = row("projects", PROJECT, item_name="Job", name="Job", monday_item_id=7, customer_id=customer)
    ann = row("customers", CUSTOMER, **({"name": "Ann", "email": "ann@x.co"} | values))
    bob = row("customers", OTHER, name="Bob", email="bob@x.co")
    return verify.walk(MASTER, project, {table: {} for table in TABLES} | {"customers": {CUSTOMER: ann, OTHER: bob}})


def memory(state: ItemState, **change: Any) -> Memory:
    links = Links([None] * len(MASTER.slots))
    links[MASTER.record], links[CUSTOMERS] = PROJECT, CUSTOMER
    return replace(Memory(state.values, state.values, links, {}, 0, active=True, news=False), **change)


def pair(state: ItemState, monday: Any, postgres: Any) -> dict[str, Any]:
    """What a field NOTES is remembered with."""
    return {
        side: PerField(value if field == NOTES else state[field] for field in MASTER.fields)
        for side, value in (("monday", monday), ("postgres", postgres))
    }


def cause(state: ItemState, seen: Walked, known: Memory | None, facts: RowFacts | None = None) -> set[Cause]:
    fields = verify.unlike(state, MASTER, seen)
    return {told.cause for told in verify.judged_cells(state, MASTER, seen, fields, known, facts or RowFacts())}


def test_what_agrees_needs_no_memory() -> None:
    state = item_state("master", 7, SAYS)
    assert verify.unlike(state, MASTER, walked()) == []
    assert verify.unlike(state, MASTER, walked(email="ANN@x.co")) == []  # an e-mail's case is no difference
    assert verify.unlike(state, MASTER, walked(notes="x")) == [NOTES]


SAID = item_state("master", 7, SAYS | {"customers.notes": "now"})
EDITED = RowFacts(edited={CUSTOMER})


@pytest.mark.parametrize(
    ("change", "facts", "wanted"),
    [
        (pair(SAID, "was", "held") | {"news": True}, RowFacts(), Cause.TAKE),
        (pair(SAID, "was", "held"), RowFacts(), Cause.UNEXPLAINED),  # the next pull would not look
        (pair(SAID, "now", "was"), EDITED, Cause.SEND),
        (pair(SAID, "now", "was"), RowFacts(), Cause.UNEXPLAINED),  # the next push would not look
        (pair(SAID, "was", "was") | {"news": True}, EDITED, Cause.CONFLICT),
        (pair(SAID, "now", "held") | {"tolerated": 1}, RowFacts(), Cause.TOLERATED),
        (pair(SAID, "now", "held"), RowFacts(), Cause.UNEXPLAINED),  # more than were counted
        (pair(SAID, "held", "held"), RowFacts(), Cause.UNEXPLAINED),
        (pair(SAID, "now", "now"), RowFacts(), Cause.UNEXPLAINED),
        (pair(SAID, UNSET, UNSET) | {"news": True}, RowFacts(), Cause.TAKE),
        (pair(SAID, UNSET, UNSET), RowFacts(), Cause.UNEXPLAINED),
        ({"active": False}, RowFacts(), Cause.TAKE),
        ({"conflicts": {NOTES.id}}, RowFacts(), Cause.CONFLICT),
        ({"letters": {"text43__1": "too long"}}, RowFacts(), Cause.SET_ASIDE),
        ({"letters": {"customers.c1.notes": "refused"}}, RowFacts(), Cause.SET_ASIDE),
        ({"letters": {"customers.c1.email": "refused"}}, RowFacts(), Cause.UNEXPLAINED),
        ({"letters": {"customers.c2": "refused"}}, RowFacts(), Cause.UNEXPLAINED),
    ],
)
def test_a_cause_needs_its_witnesses(change: dict[str, Any], facts: RowFacts, wanted: Cause) -> None:
    assert cause(SAID, walked(notes="held"), memory(SAID, **change), facts) == {wanted}


def test_an_item_that_was_never_synced_waits() -> None:
    assert cause(SAID, walked(notes="held"), None) == {Cause.TAKE}


@pytest.mark.parametrize(
    ("points", "change", "facts", "wanted"),
    [
        (OTHER, {}, RowFacts(), Cause.UNEXPLAINED),
        (OTHER, {}, RowFacts(edited={PROJECT}), Cause.SEND),
        (OTHER, {"tolerated_links": {CUSTOMERS.role: OTHER}}, RowFacts(), Cause.TOLERATED),
        (None, {}, RowFacts(), Cause.UNEXPLAINED),
        (None, {}, RowFacts(deleted={CUSTOMER}), Cause.SET_ASIDE),
    ],
)
def test_a_link_that_leads_elsewhere(
    points: RowId | None, change: dict[str, Any], facts: RowFacts, wanted: Cause
) -> None:
    state = item_state("master", 7, SAYS)
    assert cause(state, walked(points), memory(state, **change), facts) == {wanted}


def test_a_link_that_was_edited_on_both_sides_is_a_conflict() -> None:
    state = item_state("master", 7, SAYS)
    before = item_state("master", 7, {"customers.name": "Ann", "customers.email": "old@x.co"})
    known = memory(before, news=True)
    assert cause(state, walked(OTHER), known, RowFacts(edited={PROJECT})) == {Cause.CONFLICT}


def test_a_column_that_monday_alone_writes_is_sent_by_nobody() -> None:
    state = item_state("master", 7, SAYS | {"properties.address": "1 Elm"})
    slot = next(slot for slot in MASTER.slots if slot.table == "properties")
    field = next(field for field in MASTER.fields if field.id.startswith("properties.measurements/"))
    house = row("properties", RowId("h1"), address="1 Elm", measurements='[{"name": "roof"}]')
    seen = walked()
    links = Links(seen.ids)
    links[slot] = RowId("h1")
    rows = PerSlot(seen.rows)
    rows[slot] = house
    known = memory(state)
    known.links = links
    for said, wanted in (((), Cause.UNEXPLAINED), (('[{"name": "roof"}]',), Cause.TOLERATED)):
        facts = RowFacts({RowId("h1")}, (), {(RowId("h1"), field.target): said})
        (told,) = verify.judged_cells(state, MASTER, Walked(seen.record, links, rows), [field], known, facts)
        assert told.cause is wanted


@pytest.mark.parametrize(
    ("change", "holder", "facts", "wanted"),
    [
        (None, Holder(None), RowFacts(), Cause.TAKE),
        ({"active": False}, Holder(PROJECT), RowFacts(), Cause.TAKE),
        ({}, Holder(PROJECT), RowFacts(), Cause.UNEXPLAINED),
        ({}, Holder(PROJECT), RowFacts(deleted={PROJECT}), Cause.SET_ASIDE),
        ({}, Holder(PROJECT, there=True), RowFacts(), Cause.TAKE),
        ({}, Holder(PROJECT, there=True, holds=8), RowFacts(), Cause.UNEXPLAINED),
        ({"letters": {"projects.p1": "refused"}}, Holder(None), RowFacts(), Cause.SET_ASIDE),
        ({"claims": {"projects.p1": "emptied"}}, Holder(PROJECT), RowFacts(), Cause.SET_ASIDE),
        ({"news": True}, Holder(None), RowFacts(), Cause.TAKE),
        ({}, Holder(None), RowFacts(), Cause.UNEXPLAINED),
    ],
)
def test_an_item_without_a_row(change: dict[str, Any] | None, holder: Holder, facts: RowFacts, wanted: Cause) -> None:
    state = item_state("master", 7, SAYS)
    known = None if change is None else memory(state, **change)
    assert verify.no_row("master", 7, "projects", known, holder, facts).cause is wanted


def test_an_item_that_says_nothing_needs_no_row_unless_it_is_a_project() -> None:
    assert verify.needs_row(item_state("master", 7), MASTER)
    assert not verify.needs_row(item_state("staff", 8), LAYOUTS["staff"])
    assert verify.needs_row(item_state("staff", 8, {"users.email/Sales Staff": "a@x.co"}), LAYOUTS["staff"])


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({}, Cause.UNEXPLAINED),
        ({"told": "correct it"}, Cause.SET_ASIDE),
        ({"sending": True}, Cause.SEND),
        ({"state": "active", "gone": "archived"}, Cause.TAKE),
        ({"state": "missing"}, Cause.TAKE),
        ({"state": "moved"}, Cause.SET_ASIDE),
        ({"state": "archived"}, Cause.UNEXPLAINED),
    ],
)
def test_a_row_without_an_item(change: dict[str, Any], wanted: Cause) -> None:
    stray = replace(Stray("master", 7, "projects", PROJECT, None), **change)
    assert verify.no_item(stray).cause is wanted


def test_who_comes_by_is_counted_once_on_one_board_and_under_one_sync_id() -> None:
    census = Census()
    one, again, other = item_state("master", 7), item_state("master", 7), item_state("master", 9)
    one.marker = other.marker = PROJECT
    assert [census.take(state) for state in (one, again, other)] == [True, False, True]
    assert [*census.on_both()] == []
    (told,) = census.marked_twice({}, lambda _item: False)
    assert (told.kind, told.cause, told.item_id) == ("marker", Cause.UNEXPLAINED, 9)
    assert [told.cause for told in census.marked_twice({("master", 7): "a copy"}, bool)] == [Cause.SET_ASIDE]
    assert [told.cause for told in census.marked_twice({}, lambda item: item[1] == 9)] == [Cause.TAKE]
    census.take(item_state("staff", 7))
    assert [(told.kind, told.board, told.item_id) for told in census.on_both()] == [("both boards", "master", 7)]


def test_a_key_of_two_rows() -> None:
    double = Doubled("users", "email", "ann@x.co", (RowId("u1"), RowId("u2")))
    second = replace(double, said="ann@y.co")

    def causes(*found: Doubled, nobody: Any = (), told: Any = None, edited: Any = ()) -> list[Cause]:
        return [one.cause for one in verify.doubled_keys(found, nobody, lambda _row: told, edited)]

    assert causes(double) == causes(double, second) == [Cause.UNEXPLAINED]
    assert causes(double, told="look alike") == [Cause.SET_ASIDE]
    assert causes(double, edited={RowId("u2")}) == [Cause.SEND]
    assert causes(replace(double, said="none@none.com")) == []
    assert causes(double, nobody={"ann@x.co"}) == [Cause.UNEXPLAINED]  # a person is somebody
    assert causes(replace(double, table="customers"), nobody={"ann@x.co"}) == []


def test_it_asks_nobody_who_plans() -> None:
    """It shares the decoding of cells with the planner, and a list of words that people type where they have no
    e-mail."""
    tree = ast.parse(Path(verify.__file__).read_text(encoding="utf-8"))
    asked = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    ours = {module for module in asked if module and module.partition(".")[0] in ("models", "reconcile")}
    assert ours == {
        "models",
        "reconcile.columns",
        "reconcile.fields",
        "reconcile.keys",
        "reconcile.layout",
        "reconcile.types",
    }
    of_keys = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == "reconcile.keys"]
    assert [name.name for node in of_keys for name in node.names] == ["PLACEHOLDER_EMAILS"]
