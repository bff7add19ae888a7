"""What a pull decides: edits that land, edits that wait, first contact, items that are gone, and what follows."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from models import UNREADABLE
from reconcile.plan_pull import Plan, Update
from tests.unit.adapter import AN_INSTANT
from tests.unit.script import (
    ARCHIVED,
    DELETED,
    MOVED,
    SILENT,
    Case,
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

ANN = {"customers.email": "ann@x.co", "customers.name": "Ann Lee", "customers.phone": "+12025550172"}
BOB = {"customers.email": "bob@x.co", "customers.name": "Bob Roe"}
PHONE = "customers.phone"
NEW_PHONE = "+13035550199"


@cases(
    case(
        "a first load makes a row for each thing",
        given({1: ANN, 2: ANN | {"projects.estimated_value": "18250.5"}}),
        expect(
            written={"customers": (1, 0), "projects": (2, 0)},
            items=[1, 2],
            rows={"project of 2": {"monday_item_id": 2, "estimated_value": Decimal("18250.50"), "status": "pending"}},
            linked={"customer of 1": "customer of 2"},
            told=["project of 1", "customer of 1"],
            tolerated=0,
        ),
    ),
    case("nothing changed", given({1: ANN}), pull(), expect(writes=0, items=[])),
    case(
        "an edit lands",
        given({1: ANN}),
        on_monday(1, {PHONE: NEW_PHONE}),
        pull(),
        expect(changed={"customers.phone": (ANN[PHONE], NEW_PHONE)}, edited_items=1, told=["customer of 1"]),
    ),
    case(
        "a cell that is emptied empties the row",
        given({1: ANN}),
        on_monday(1, {PHONE: ""}),
        pull(),
        expect(changed={"customers.phone": (ANN[PHONE], None)}, edited_items=1),
    ),
    case(
        "a cell that is filled is no loss",
        given({1: BOB}),
        on_monday(1, {PHONE: NEW_PHONE}),
        pull(),
        expect(changed={"customers.phone": (None, NEW_PHONE)}, edited_items=0),
    ),
    case(
        "the same value spelled otherwise is no edit, and is remembered",
        given({1: ANN}),
        on_monday(1, {PHONE: "(202) 555-0172"}),
        pull(),
        expect(writes=0, items=[1], edited_items=0, tolerated=0, rows={"customer of 1": {"phone": ANN[PHONE]}}),
    ),
    case(
        "a name that says the same with other blanks is an edit",
        given({1: ANN}),
        on_monday(1, {"customers.name": "Ann  Lee"}),
        pull(),
        expect(changed={"customers.name": ("Ann Lee", "Ann  Lee")}),
    ),
    case(
        "an edit in PostgreSQL is left alone, whatever else changes",
        given({1: ANN}),
        in_postgres("customer of 1", {"phone": NEW_PHONE}),
        on_monday(1, {"customers.notes": "call"}),
        pull(),
        expect(changed={"customers.notes": (None, "call")}, untold=["customer of 1"]),
    ),
    case(
        "an item that is older than what is known of it changes nothing",
        given({1: ANN}),
        on_monday(1, {PHONE: NEW_PHONE}, at=0),
        pull(),
        expect(writes=0, items=[]),
    ),
)
def test_edits_on_monday(case: Case) -> None:
    case.run()


OLD = {"monday_item_id": 1, "name": "Old", "description": "here"}
"""A project that was there before the first sync."""


@cases(
    case(
        "an empty field takes what the item says",
        in_postgres("projects: old", {"monday_item_id": 1, "name": "Roof"}),
        on_monday(1, {"projects.name": "Roof", "projects.description": "new"}),
        pull(),
        expect(rows={"old": {"item_name": "Job", "description": "new"}}, adopted=(1, {}), conflicts=[], told=["old"]),
    ),
    case(
        "what differs is tolerated, and stays so",
        in_postgres("projects: old", OLD),
        on_monday(1, {"projects.name": "New", "projects.description": "here"}),
        pull(),
        expect(
            rows={"old": {"name": "Old"}},
            cells={1: {"projects.name": "New"}},
            tolerated=1,
            told=["old"],
            adopted=(2, {"projects.name": 1}),
            conflicts=[],
        ),
        pull(),
        expect(writes=0, items=[]),
        on_monday(1, {"projects.claim_number": "C-1"}),
        pull(),
        expect(changed={"projects.claim_number": (None, "C-1")}, tolerated=1),
    ),
    case(
        "an empty cell empties nothing",
        in_postgres("projects: old", OLD),
        on_monday(1, {"projects.name": "Old"}),
        pull(),
        expect(rows={"old": {"description": "here"}}, tolerated=1),
        on_monday(1, {"projects.description": "there"}),
        pull(),
        expect(rows={"old": {"description": "there"}}, tolerated=0),
    ),
    case(
        "adopt monday: what differs is an edit of monday's",
        in_postgres("projects: old", OLD),
        on_monday(1, {"projects.name": "New"}),
        pull(adopt="monday"),
        expect(rows={"old": {"name": "New", "description": "here"}}, tolerated=1),
    ),
    case(
        "adopt pg: what differs waits for the push",
        in_postgres("projects: old", OLD),
        on_monday(1, {"projects.name": "New"}),
        pull(adopt="pg"),
        expect(rows={"old": {"name": "Old"}}, tolerated=0, untold=["old"]),
        push(),
        expect(sent={1: {"projects.name": "Old", "projects.description": "here"}}, told=["old"], tolerated=0),
    ),
    case(
        "adopt later, of what was tolerated at first",
        in_postgres("projects: old", OLD),
        on_monday(1, {"projects.name": "New", "projects.description": "here"}),
        pull(),
        on_monday(1, {"projects.claim_number": "C-1"}),
        pull(adopt="monday"),
        expect(rows={"old": {"name": "New"}}, tolerated=0),
    ),
    case(
        "a foreign key that is there links the item to its row",
        in_postgres("customers: ann", {"name": "Ann", "phone": "+12025550172"}),
        in_postgres("projects: old", OLD | {"customer_id": row("ann")}),
        on_monday(1, {"customers.name": "Ann", "customers.email": "ann@x.co"}),
        pull(),
        expect(linked={"customer of 1": "ann"}, rows={"ann": {"email": "ann@x.co"}}, count={"customers": 1}),
    ),
    case(
        "a row without an item id is found by its key",
        in_postgres("customers: ann", {"name": "Ann", "email": "ANN@x.co"}),
        on_monday(1, ANN),
        pull(),
        expect(
            linked={"customer of 1": "ann"}, rows={"ann": {"name": "Ann", "email": "ANN@x.co", "phone": ANN[PHONE]}}
        ),
    ),
    case(
        "a whole address gains its parts",
        in_postgres("properties: oak", {"address": "1 Oak St, Reno, NV 89501"}),
        in_postgres("projects: old", OLD | {"property_id": row("oak")}),
        on_monday(1, {"properties.address": "1 Oak St, Reno, NV 89501"}),
        pull(),
        expect(rows={"oak": {"street": "1 Oak St", "city": "Reno", "state": "NV", "zip": "89501"}}),
    ),
    case(
        "an item that is new to a row fills and overwrites nothing",
        given({1: ANN}),
        on_monday(2, {"customers.email": "ann@x.co", "customers.name": "Anna", "customers.notes": "call"}),
        pull(),
        expect(
            rows={"customer of 1": {"name": "Ann Lee", "notes": "call"}},
            tolerated=2,
            conflicts=[],
            untold=["customer of 1"],
        ),
        push(),
        expect(sent={1: {"customers.notes": "call"}}, told=["customer of 1"]),
    ),
)
def test_first_contact(case: Case) -> None:
    case.run()


@cases(
    case(
        "the newest of two items wins, and the other is told later",
        given({1: ANN, 2: ANN}),
        on_monday(2, {PHONE: "+14045550111"}, at=50),
        on_monday(1, {PHONE: NEW_PHONE}, at=60),
        pull(),
        expect(
            rows={"customer of 1": {"phone": NEW_PHONE}},
            conflicts=["customers.phone of 2: item 1 over item 2"],
            untold=["customer of 1"],
        ),
        push(),
        expect(sent={2: {PHONE: NEW_PHONE}}),
    ),
    case(
        "at the same time the greater number wins",
        given({1: ANN, 2: ANN}),
        on_monday(1, {PHONE: NEW_PHONE}, at=50),
        on_monday(2, {PHONE: "+14045550111"}, at=50),
        pull(),
        expect(
            rows={"customer of 1": {"phone": "+14045550111"}}, conflicts=["customers.phone of 1: item 2 over item 1"]
        ),
    ),
    case(
        "two items with one and the same edit",
        given({1: ANN, 2: ANN}),
        on_monday(1, {PHONE: NEW_PHONE}),
        on_monday(2, {PHONE: "(303) 555-0199"}),
        pull(),
        expect(changed={"customers.phone": (ANN[PHONE], "(303) 555-0199")}, conflicts=[], told=["customer of 1"]),
    ),
    case(
        "an item that does not speak has no say",
        given({1: ANN, 2: ANN}),
        on_monday(1, {PHONE: NEW_PHONE}, at=50),
        on_monday(2, {"projects.claim_number": "C-1"}, at=60),
        pull(),
        expect(rows={"customer of 1": {"phone": NEW_PHONE}}, conflicts=[], untold=["customer of 1"]),
    ),
    case(
        "a role cell selects a person of the staff board and never edits",
        given(
            {
                901: {
                    "users.first_name": "Ann",
                    "users.last_name": "Lee",
                    "users.email": "ann@wra.co",
                    "users.phone": "+12025550172",
                }
            }
        ),
        on_monday(1, {"users.email/Estimator": "ann@wra.co", "users.name/Estimator": "A. Lee"}),
        pull(),
        expect(linked={"Estimator of 1": "staff of 901"}, rows={"staff of 901": {"name": "Ann Lee"}}, tolerated=2),
        on_monday(1, {"users.phone/Estimator": NEW_PHONE}),
        pull(),
        expect(rows={"staff of 901": {"phone": "+12025550172"}}, conflicts=[]),
    ),
    case(
        "a role cell edits somebody who is on no board",
        given({1: {"users.email/Estimator": "ann@x.co", "users.name/Estimator": "Ann Lee"}}),
        on_monday(1, {"users.name/Estimator": "Anna Lee"}),
        pull(),
        expect(rows={"Estimator of 1": {"name": "Anna Lee", "first_name": "Anna", "last_name": "Lee"}}),
    ),
)
def test_shared_rows(case: Case) -> None:
    case.run()


@cases(
    case(
        "a cell that cannot be decoded keeps its last good value",
        given({1: {"projects.estimated_value": "10", "projects.claim_number": "C-1"}}),
        on_monday(1, {"projects.estimated_value": "ten", "projects.claim_number": "C-2"}),
        pull(),
        expect(
            quarantined=["projects.estimated_value of 1"],
            changed={"projects.claim_number": ("C-1", "C-2")},
            rows={"project of 1": {"estimated_value": Decimal("10.00")}},
        ),
        on_monday(1, {"projects.estimated_value": "12"}),
        pull(),
        expect(quarantined=[], changed={"projects.estimated_value": (Decimal("10.00"), Decimal("12.00"))}),
    ),
    case(
        "from the first day it leaves the column empty",
        on_monday(1, {"projects.estimated_value": "ten", "projects.claim_number": "C-1"}),
        pull(),
        expect(
            quarantined=["projects.estimated_value of 1"],
            rows={"project of 1": {"estimated_value": None, "claim_number": "C-1"}},
        ),
        in_postgres("project of 1", {"estimated_value": Decimal(5)}),
        on_monday(1, {"projects.estimated_value": "7"}),
        pull(),
        expect(rows={"project of 1": {"estimated_value": Decimal(5)}}, conflicts=[], tolerated=1),
    ),
    case(
        "a NUL in the item's name",
        given({1: {"projects.name": "Roof"}}, names={1: "Lee"}),
        on_monday(1, {}, name="Le\0e"),
        pull(),
        expect(quarantined=["projects.item_name of 1"], writes=0, rows={"project of 1": {"item_name": "Lee"}}),
    ),
    case(
        "an edit of a field that nobody can read in the row waits for a person",
        given({1: {"projects.estimated_value": "10"}}),
        in_postgres("project of 1", {"estimated_value": UNREADABLE}),
        on_monday(1, {"projects.estimated_value": "12"}),
        pull(),
        expect(writes=0, undecided=["projects.estimated_value of 1"], conflicts=[], untold=["project of 1"]),
        in_postgres("project of 1", {"estimated_value": Decimal("10.00")}),
        pull(),
        expect(changed={"projects.estimated_value": (Decimal("10.00"), Decimal("12.00"))}),
    ),
    case(
        "its other fields land",
        given({1: {"projects.estimated_value": "10"}}),
        in_postgres("project of 1", {"estimated_value": UNREADABLE}),
        on_monday(1, {"projects.claim_number": "C-1"}),
        pull(),
        expect(changed={"projects.claim_number": (None, "C-1")}, undecided=[], untold=["project of 1"]),
    ),
)
def test_values_that_nobody_can_read(case: Case) -> None:
    case.run()


@cases(
    *(
        case(
            f"{state}: its row is marked",
            given({1: ANN, 2: BOB}),
            on_monday(1, state),
            pull(),
            expect(departed={1: (state, True)}, changed={"projects.archived_at": (None, "now")}),
            pull(),
            expect(writes=0, departed={}),
        )
        for state in (ARCHIVED, DELETED)
    ),
    case(
        "moved to another board: nothing is marked",
        given({1: ANN, 2: BOB}),
        on_monday(1, MOVED),
        pull(),
        expect(departed={1: (MOVED, False)}, writes=0),
    ),
    case(
        "silent: marked at the second read in a row",
        given({1: ANN, 2: BOB}),
        on_monday(1, SILENT),
        pull(),
        expect(departed={1: (SILENT, False)}, writes=0),
        pull(),
        expect(departed={1: (SILENT, True)}, changed={"projects.archived_at": (None, "now")}),
    ),
    case(
        "silent once and back: the count begins anew",
        given({1: ANN, 2: BOB}),
        on_monday(1, SILENT),
        pull(),
        on_monday(1, "active"),
        pull(),
        expect(departed={}, writes=0, items=[1]),
        on_monday(1, SILENT),
        pull(),
        expect(departed={1: (SILENT, False)}, writes=0),
    ),
    case(
        "restored: the mark goes",
        given({1: ANN, 2: BOB}),
        on_monday(1, ARCHIVED),
        pull(),
        expect(rows={"project of 1": {"archived_at": AN_INSTANT}}),
        on_monday(1, "active"),
        pull(),
        expect(changed={"projects.archived_at": (AN_INSTANT, None)}),
    ),
    case(
        "one whose row a person gave to nobody",
        given({1: ANN}),
        in_postgres("project of 1", DELETED),
        on_monday(1, ARCHIVED),
        pull(),
        expect(departed={1: (ARCHIVED, True)}, writes=0),
    ),
    case(
        "while every row of every table was deleted",
        given({1: {}, 2: {}}),
        in_postgres("project of 1", DELETED),
        in_postgres("project of 2", DELETED),
        on_monday(1, ARCHIVED),
        on_monday(2, {"projects.claim_number": "C-1"}),
        pull(),
        expect(departed={1: (ARCHIVED, True)}, count={"projects": 1}, rows={"project of 2": {"claim_number": "C-1"}}),
    ),
    case(
        "a mark that a person set himself stays",
        given({1: ANN}),
        in_postgres("project of 1", {"archived_at": "then"}),
        on_monday(1, ARCHIVED),
        pull(),
        expect(writes=0, rows={"project of 1": {"archived_at": "then"}}),
    ),
    case(
        "a staff item that goes leaves the row to the other one of that person",
        given({901: {"users.first_name": "Ann", "users.email": "ann@wra.co"}}),
        call("ann", "staff of 901"),
        on_monday(901, ARCHIVED),
        on_monday(902, {"users.first_name": "Ann", "users.email": "ann@wra.co"}),
        pull(),
        expect(linked={"staff of 902": "ann"}, rows={"ann": {"monday_item_id": 902, "archived_at": None}}),
    ),
)
def test_items_that_are_gone(case: Case) -> None:
    case.run()


STAGE = "projects.current_stage"


@cases(
    case("a stage that is known", given({1: {STAGE: "Approved"}}), expect(rows={"project of 1": {"status": "active"}})),
    case(
        "in other capitals",
        given({1: {STAGE: "PAID in full"}}),
        expect(rows={"project of 1": {"status": "completed"}}, unknown_stages={}),
    ),
    case(
        "one that nobody knows is told of, and pending",
        given({1: {STAGE: "Lunch"}, 2: {STAGE: "Lunch"}}),
        expect(rows={"project of 1": {"status": "pending"}}, unknown_stages={"Lunch": 2}),
    ),
    case("none", given({1: {}}), expect(rows={"project of 1": {"status": "pending"}}, unknown_stages={})),
    case(
        "the status follows an edit of the stage",
        given({1: {STAGE: "Lead"}}),
        on_monday(1, {STAGE: "Closed"}),
        pull(),
        expect(changed={STAGE: ("Lead", "Closed"), "projects.status": ("pending", "completed")}),
    ),
    case(
        "a status that a person set stays while the stage does",
        given({1: {STAGE: "Lead"}}),
        in_postgres("project of 1", {"status": "cancelled"}),
        on_monday(1, {"projects.claim_number": "C-1"}),
        pull(),
        expect(rows={"project of 1": {"status": "cancelled", "claim_number": "C-1"}}),
    ),
)
def test_the_status_follows_the_stage(case: Case) -> None:
    case.run()


@cases(
    case(
        "an e-mail that both sides typed is the row's key, and the old one is free",
        given({1: ANN}),
        call("ann", "customer of 1"),
        in_postgres("customer of 1", {"email": "ann@y.co"}),
        on_monday(1, {"customers.email": "ann@y.co"}),
        pull(),
        expect(writes=0, told=["ann"], linked={"customer of 1": "ann"}),
        on_monday(2, {"customers.email": "ann@y.co"}),
        on_monday(3, {"customers.email": "ann@x.co"}),
        pull(),
        expect(linked={"customer of 2": "ann"}, count={"customers": 2}),
    ),
    case(
        "an item of which nothing moved is not remembered anew",
        given({1: ANN, 2: ANN}),
        on_monday(1, {"projects.claim_number": "C-1"}),
        pull(),
        expect(items=[1]),
        on_monday(1, {PHONE: NEW_PHONE}),
        pull(),
        expect(
            items=[1],
            rows={"customer of 2": {"phone": NEW_PHONE}},
            untold=["customer of 2"],
            remembered={"customers.phone of 2": (ANN[PHONE], ANN[PHONE])},
        ),
    ),
    case(
        "an address without parts is counted",
        given({1: {"properties.address": "ask Bob"}, 2: {"properties.address": "1 Oak St, Reno, NV 89501"}, 3: {}}),
        expect(unparsed_addresses=1, rows={"property of 1": {"address": "ask Bob", "city": None}}),
    ),
    case(
        "two items of one person are told of",
        given({901: {"users.first_name": "Ann", "users.email": "ann@wra.co"}}),
        on_monday(902, {"users.first_name": "Ann", "users.email": "ann@wra.co"}),
        pull(),
        expect(would_merge=[(902, "user:Sales Staff")], count={"users": 2}),
    ),
    case(
        "both sides typed the same: the row is in step again",
        given({1: ANN}),
        in_postgres("customer of 1", {"phone": NEW_PHONE}),
        on_monday(1, {PHONE: NEW_PHONE}),
        pull(),
        expect(writes=0, told=["customer of 1"], conflicts=[]),
    ),
    case(
        "an edit that waits leaves it pending",
        given({1: ANN}),
        in_postgres("customer of 1", {"phone": NEW_PHONE}),
        on_monday(1, {"projects.claim_number": "C-1"}),
        pull(),
        expect(untold=["customer of 1"]),
        push(),
        expect(sent={1: {PHONE: NEW_PHONE}}),
    ),
    case(
        "an e-mail that a person typed is a key once both sides say it",
        given({1: ANN}),
        in_postgres("customer of 1", {"email": "ann@y.co"}),
        push(),
        call("ann", "customer of 1"),
        on_monday(2, {"customers.email": "ann@y.co"}),
        on_monday(3, {"customers.email": "ann@x.co"}),
        pull(),
        expect(linked={"customer of 2": "ann"}, count={"customers": 2}),
    ),
)
def test_what_is_in_step_afterwards(case: Case) -> None:
    case.run()


def test_equal_plans_have_equal_digests() -> None:
    one, other = Plan(), Plan()
    for plan in (one, other):
        plan.updates["storms"].append(Update("r1", {"date_of_loss": (None, "x")}))  # type: ignore[arg-type]
    other.tolerated = Counter(master=3)
    assert one.digest() == other.digest() != Plan().digest()
    assert (one.writes, Plan().writes) == (1, 0)
