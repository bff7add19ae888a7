"""What counts as an edit in PostgreSQL, and which of them a push leaves alone."""

from __future__ import annotations

from models import Customer, RowId
from reconcile.edits import Edits
from reconcile.tables import TABLES
from tests.unit import adapter
from tests.unit.script import Case, Sides, case, cases, expect, given, in_postgres, push

ANN = {"customers.email": "ann@x.co", "customers.name": "Ann Lee"}


@cases(
    case(
        "what is ours to derive is no edit",
        given({1: ANN, 901: {"users.first_name": "Pam"}}),
        in_postgres("project of 1", {"status": "cancelled", "archived_at": "then"}),
        in_postgres("staff of 901", {"roles": ["boss"]}),
        expect(told=["project of 1", "staff of 901"]),
        push(),
        expect(sent={}, settled=[]),
    ),
    case(
        "files are read-only on monday, so that an edit of them is none",
        given({1: {"properties.address": "1 Oak St"}}),
        in_postgres("property of 1", {"measurements": "[1]"}),
        expect(told=["property of 1"]),
    ),
    case(
        "a column that nobody sees on monday is in step after the next push",
        given({1: {"properties.address": "1 Oak St"}, 2: ANN}),
        in_postgres("property of 1", {"customer_id": None}),
        push(),
        expect(sent={}, settled=[], told=["property of 1"]),
    ),
)
def test_what_is_an_edit(case: Case) -> None:
    case.run()


def sides() -> tuple[Sides, Edits]:
    """An edited customer of two items, and a row that is to become one."""
    both = case(
        "an edit and a new row",
        given({1: ANN, 2: ANN}),
        in_postgres("customer of 1", {"name": "Anna"}),
        in_postgres("projects: new", {"name": "Oak"}),
    ).run()
    return both, adapter.edits_of(both.memory)


def test_nothing_is_sent_to_an_item_of_which_the_journal_speaks() -> None:
    both, edits = sides()
    edits.in_flight = {("master", 1)}
    planned = adapter.plan_of(edits, both.show, {})
    assert [item.id for item in planned.items] == [2]
    assert both.find("customer of 1") in planned.pending_rows


def test_no_item_is_made_of_a_row_of_which_the_journal_speaks() -> None:
    both, edits = sides()
    edits.in_flight = {both.find("new")}
    assert adapter.plan_of(edits, both.show, {}).creates == []


def test_a_row_that_another_board_shows_has_still_something_to_tell() -> None:
    both, edits = sides()
    ann = both.find("customer of 1")
    edits.elsewhere = {ann}
    planned = adapter.plan_of(edits, both.show, {})
    assert [item.id for item in planned.items] == [1, 2]
    assert ann in planned.pending_rows


def test_nothing_to_say_plans_nothing() -> None:
    planned = adapter.plan_of(Edits(), lambda _key: b"", {})
    assert planned.writes == 0
    assert planned.digest() == adapter.plan_of(Edits(), lambda _key: b"", {}).digest()


def test_each_has_containers_of_its_own() -> None:
    one, other = Edits(), Edits()
    one.rows["customers"][RowId("r")] = Customer(RowId("r"))
    one.owners["customers"]["email:x"] = RowId("r")
    assert set(one.rows) == set(other.rows) == set(other.owners) == set(TABLES)
    assert not any(other.rows.values())
    assert not any(other.owners.values())
