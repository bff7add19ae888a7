"""What a push decides: which cells of which items are written, which rows become items, which items go, what waits."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from msgspec import UNSET

from models import UNREADABLE
from reconcile.plan_push import FAN_OUT
from tests.unit.script import (
    ARCHIVED,
    DELETED,
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
OAK = {"properties.address": "1 Oak St, Reno, NV 89501"}
PHONE = "customers.phone"
NEW_PHONE = "+13035550199"


@cases(
    case("nothing to say", given({1: ANN}), push(), expect(sent={}, settled=[], cells={1: ANN})),
    case(
        "an edit is written and then remembered",
        given({1: ANN}),
        in_postgres("customer of 1", {"phone": NEW_PHONE}),
        expect(untold=["customer of 1"]),
        push(),
        expect(sent={1: {PHONE: NEW_PHONE}}, cells={1: {PHONE: NEW_PHONE}}, told=["customer of 1"], conflicts=[]),
        pull(),
        expect(writes=0, items=[]),
    ),
    case(
        "an emptied column clears the cell",
        given({1: ANN}),
        in_postgres("customer of 1", {"phone": None}),
        push(),
        expect(sent={1: {PHONE: None}}, cells={1: {PHONE: None}}),
    ),
    case(
        "blanks alone are nothing",
        given({1: ANN | {"customers.notes": "old"}}),
        in_postgres("customer of 1", {"notes": "  "}),
        push(),
        expect(sent={1: {"customers.notes": None}}, rows={"customer of 1": {"notes": None}}),
    ),
    case(
        "outer blanks do not go over, and leave the row",
        given({1: ANN}),
        in_postgres("customer of 1", {"notes": " call first "}),
        push(),
        expect(sent={1: {"customers.notes": "call first"}}, rows={"customer of 1": {"notes": "call first"}}),
    ),
    case(
        "an edit that monday spells otherwise is none",
        given({1: ANN}),
        in_postgres("customer of 1", {"phone": "(202) 555-0172", "email": "ANN@X.CO"}),
        push(),
        expect(
            sent={},
            settled=[1],
            told=["customer of 1"],
            cells={1: ANN},
            remembered={
                "customers.phone of 1": (ANN[PHONE], "(202) 555-0172"),
                "customers.email of 1": ("ann@x.co", "ANN@X.CO"),
            },
        ),
    ),
    case(
        "every item that shows the row is written",
        given({1: ANN, 2: ANN, 3: BOB}),
        in_postgres("customer of 1", {"name": "Anna"}),
        push(),
        expect(sent={1: {"customers.name": "Anna"}, 2: {"customers.name": "Anna"}}, told=["customer of 1"]),
    ),
    case(
        "each type of column",
        given({1: {}}),
        in_postgres(
            "project of 1",
            {
                "item_name": "Lee roof",
                "estimated_value": Decimal("18250.50"),
                "link": "https://x.co/1",
                "adjuster_email": "a@x.co",
            },
        ),
        push(),
        expect(
            sent={
                1: {
                    "projects.item_name": "Lee roof",
                    "projects.estimated_value": Decimal("18250.50"),
                    "projects.link": "https://x.co/1",
                    "projects.adjuster_email": "a@x.co",
                }
            },
            cells={1: {"projects.item_name": "Lee roof", "projects.estimated_value": Decimal("18250.50")}},
            told=["project of 1"],
        ),
    ),
    case(
        "files are never written",
        given({1: OAK}),
        in_postgres("property of 1", {"measurements": '[{"url": "https://f.co/7", "name": "a", "asset_id": "7"}]'}),
        push(),
        expect(sent={}, told=["property of 1"]),
    ),
    case(
        "a person on the staff board, by first and last name",
        given({901: {"users.first_name": "Ann", "users.last_name": "Lee", "users.email": "ann@wra.co"}}),
        in_postgres("staff of 901", {"name": "Anna Lee"}),
        push(),
        expect(
            sent={901: {"users.first_name": "Anna"}},
            rows={"staff of 901": {"name": "Anna Lee", "first_name": "Anna", "last_name": "Lee"}},
            told=["staff of 901"],
        ),
    ),
)
def test_edits_in_postgresql(case: Case) -> None:
    case.run()


BOTH = (
    given({1: ANN}),
    on_monday(1, {PHONE: "+14045550111"}),
    in_postgres("customer of 1", {"phone": NEW_PHONE}),
)
"""One field edited on both sides."""


@cases(
    case(
        "monday's policy: nothing is sent, the pull lets monday win and keeps the loser",
        *BOTH,
        push(),
        expect(sent={}, inbound=1, untold=["customer of 1"], cells={1: {PHONE: "+14045550111"}}),
        pull(),
        expect(
            rows={"customer of 1": {"phone": "+14045550111"}},
            conflicts=["customers.phone of 1: monday over postgres"],
            agreed={"customers.phone of 1": ANN[PHONE]},
            told=["customer of 1"],
        ),
    ),
    case(
        "pg: the row is sent and what it overwrites is kept",
        *BOTH,
        push(policy="pg"),
        expect(
            sent={1: {PHONE: NEW_PHONE}},
            conflicts=["customers.phone of 1: postgres over monday"],
            agreed={"customers.phone of 1": ANN[PHONE]},
            cells={1: {PHONE: NEW_PHONE}},
            told=["customer of 1"],
        ),
        pull(policy="pg"),
        expect(writes=0),
    ),
    case(
        "pg: the pull leaves it to the push",
        *BOTH,
        pull(policy="pg"),
        expect(writes=0, undecided=["customers.phone of 1"], conflicts=[], untold=["customer of 1"]),
        push(policy="pg"),
        expect(sent={1: {PHONE: NEW_PHONE}}),
    ),
    case(
        "manual: neither side is written, both directions tell of it",
        *BOTH,
        push(policy="manual"),
        expect(
            sent={},
            settled=[1],
            looked_at_again=[1],
            conflicts=["customers.phone of 1: nobody, open"],
            untold=["customer of 1"],
        ),
        pull(policy="manual"),
        expect(
            writes=0, conflicts=["customers.phone of 1: nobody, open"], untold=["customer of 1"], looked_at_again=[1]
        ),
        pull(policy="monday"),
        expect(rows={"customer of 1": {"phone": "+14045550111"}}, looked_at_again=[], told=["customer of 1"]),
    ),
    case(
        "manual: a person makes both equal, and it is over",
        *BOTH,
        push(policy="manual"),
        on_monday(1, {PHONE: NEW_PHONE}),
        push(policy="manual"),
        expect(sent={}, settled=[1], conflicts=[], told=["customer of 1"]),
        pull(policy="manual"),
        expect(writes=0, conflicts=[]),
    ),
    case(
        "manual: monday's edit is taken back, and the row's is sent",
        *BOTH,
        push(policy="manual"),
        on_monday(1, {PHONE: ANN[PHONE]}),
        push(policy="manual"),
        expect(sent={1: {PHONE: NEW_PHONE}}, conflicts=[]),
    ),
    case(
        "other fields of the item go all the same",
        *BOTH,
        in_postgres("customer of 1", {"notes": "call"}),
        push(),
        expect(sent={1: {"customers.notes": "call"}}, inbound=1, untold=["customer of 1"], looked_at_again=[1]),
        pull(),
        expect(rows={"customer of 1": {"phone": "+14045550111", "notes": "call"}}, told=["customer of 1"]),
    ),
    case(
        "the same edit on both sides is no conflict",
        given({1: ANN}),
        on_monday(1, {PHONE: "(303) 555-0199"}),
        in_postgres("customer of 1", {"phone": NEW_PHONE}),
        push(),
        expect(sent={}, conflicts=[], settled=[1], told=["customer of 1"], cells={1: {PHONE: "(303) 555-0199"}}),
        pull(),
        expect(writes=0, conflicts=[], rows={"customer of 1": {"phone": NEW_PHONE}}),
    ),
    case(
        "an edit on monday alone is left to the pull",
        given({1: ANN}),
        on_monday(1, {PHONE: NEW_PHONE}),
        in_postgres("customer of 1", {"notes": "call"}),
        push(),
        expect(sent={1: {"customers.notes": "call"}}, inbound=1, conflicts=[], told=["customer of 1"]),
        pull(),
        expect(rows={"customer of 1": {"phone": NEW_PHONE, "notes": "call"}}, conflicts=[]),
    ),
    case(
        "edits of different fields of one item cross",
        given({1: ANN}),
        on_monday(1, {"customers.name": "Anna"}),
        in_postgres("customer of 1", {"phone": NEW_PHONE}),
        pull(),
        expect(rows={"customer of 1": {"name": "Anna", "phone": NEW_PHONE}}, untold=["customer of 1"]),
        push(),
        expect(sent={1: {PHONE: NEW_PHONE}}, told=["customer of 1"], conflicts=[]),
    ),
    case(
        "a difference from the first day is tolerated, and not sent with another edit",
        in_postgres("projects: old", {"monday_item_id": 1, "name": "Old roof", "description": "here"}),
        on_monday(1, {"projects.name": "New roof", "projects.description": "there"}),
        pull(),
        expect(tolerated=2, rows={"old": {"name": "Old roof", "description": "here"}}, told=["old"]),
        in_postgres("old", {"claim_number": "C-1"}),
        push(),
        expect(sent={1: {"projects.claim_number": "C-1"}}, tolerated=2),
    ),
    case(
        "a tolerated difference that a person edits is an edit",
        in_postgres("projects: old", {"monday_item_id": 1, "name": "Old roof"}),
        on_monday(1, {"projects.name": "New roof"}),
        pull(),
        in_postgres("old", {"name": "Old roof 2"}),
        push(),
        expect(sent={1: {"projects.name": "Old roof 2"}}, tolerated=0, conflicts=[]),
    ),
    case(
        "a difference from the first day that both sides edit: they never agreed",
        in_postgres("projects: old", {"monday_item_id": 1, "name": "Old roof"}),
        on_monday(1, {"projects.name": "New roof"}),
        pull(),
        in_postgres("old", {"name": "Older roof"}),
        on_monday(1, {"projects.name": "Newer roof"}),
        pull(),
        expect(
            rows={"old": {"name": "Newer roof"}},
            conflicts=["projects.name of 1: monday over postgres"],
            agreed={"projects.name of 1": UNSET},
        ),
    ),
    case(
        "a loser that is edited before it was told: monday's policy takes the new edit",
        given({1: ANN, 2: ANN}),
        on_monday(1, {PHONE: "+14045550111"}, at=50),
        on_monday(2, {PHONE: NEW_PHONE}, at=60),
        pull(),
        on_monday(1, {PHONE: "+15055550123"}, at=70),
        push(),
        expect(sent={}, inbound=1, untold=["customer of 1"]),
        pull(),
        expect(
            rows={"customer of 1": {"phone": "+15055550123"}},
            conflicts=["customers.phone of 1: monday over postgres"],
            agreed={"customers.phone of 1": UNSET},
        ),
        push(),
        expect(sent={2: {PHONE: "+15055550123"}}, told=["customer of 1"]),
    ),
    case(
        "a loser is told of it later",
        given({1: ANN, 2: ANN}),
        on_monday(1, {PHONE: "+14045550111"}, at=50),
        on_monday(2, {PHONE: NEW_PHONE}, at=60),
        pull(),
        expect(
            rows={"customer of 1": {"phone": NEW_PHONE}},
            conflicts=["customers.phone of 1: item 2 over item 1"],
            untold=["customer of 1"],
        ),
        push(),
        expect(sent={1: {PHONE: NEW_PHONE}}, told=["customer of 1"]),
        pull(),
        expect(writes=0, conflicts=[]),
    ),
    case(
        "the other item that shows the row hears of an edit on monday",
        given({1: ANN, 2: ANN}),
        on_monday(1, {PHONE: NEW_PHONE}),
        pull(),
        expect(rows={"customer of 2": {"phone": NEW_PHONE}}, untold=["customer of 2"], conflicts=[]),
        push(),
        expect(sent={2: {PHONE: NEW_PHONE}}, told=["customer of 2"]),
    ),
)
def test_both_sides(case: Case) -> None:
    case.run()


@cases(
    case(
        "a value that cannot be read is told to nobody, and waits",
        given({1: {"storms.date_of_loss": "2026-04-30"}}),
        in_postgres("storm of 1", {"date_of_loss": UNREADABLE}),
        push(),
        expect(sent={}, refused=[], untold=["storm of 1"], cells={1: {"storms.date_of_loss": date(2026, 4, 30)}}),
    ),
    case(
        "its other fields go",
        given({1: ANN}),
        in_postgres("project of 1", {"estimated_value": UNREADABLE, "claim_number": "C-1"}),
        push(),
        expect(sent={1: {"projects.claim_number": "C-1"}}, untold=["project of 1"]),
        in_postgres("project of 1", {"estimated_value": None}),
        push(),
        expect(sent={}, told=["project of 1"]),
    ),
    case(
        "a cell that nobody could ever read has nothing to compare: the row's value is not sent",
        on_monday(1, {"projects.estimated_value": "ten"}),
        pull(),
        in_postgres("project of 1", {"estimated_value": Decimal("5.00"), "claim_number": "C-1"}),
        push(),
        expect(
            sent={1: {"projects.claim_number": "C-1"}}, remembered={"projects.estimated_value of 1": (UNSET, UNSET)}
        ),
    ),
    case(
        "a cell that cannot be read keeps what it shows, and the row waits",
        given({1: {"projects.estimated_value": "10"}}),
        on_monday(1, {"projects.estimated_value": "ten"}),
        pull(),
        expect(quarantined=["projects.estimated_value of 1"], writes=0),
        in_postgres("project of 1", {"estimated_value": Decimal("20.00")}),
        push(),
        expect(sent={}, untold=["project of 1"]),
        on_monday(1, {"projects.estimated_value": "10"}),
        push(),
        expect(sent={1: {"projects.estimated_value": Decimal("20.00")}}, told=["project of 1"]),
    ),
)
def test_values_that_nobody_can_read(case: Case) -> None:
    case.run()


TEAM = "sales_teams.name"


@cases(
    case(
        "no phone of its country",
        given({1: ANN}),
        in_postgres("customer of 1", {"phone": "call Bob", "notes": "x"}),
        push(),
        expect(
            sent={1: {"customers.notes": "x"}},
            refused=["customers.phone of 1"],
            untold=["customer of 1"],
            cells={1: {PHONE: ANN[PHONE]}},
        ),
        push(),
        expect(sent={}, refused=[], refused_still=["customers.phone of 1"], untold=["customer of 1"]),
        in_postgres("customer of 1", {"phone": NEW_PHONE}),
        push(),
        expect(sent={1: {PHONE: NEW_PHONE}}, refused_still=[], told=["customer of 1"]),
    ),
    case(
        "edited back, it is over",
        given({1: ANN}),
        in_postgres("customer of 1", {"phone": "call Bob"}),
        push(),
        in_postgres("customer of 1", {"phone": ANN[PHONE]}),
        push(),
        expect(sent={}, refused=[], refused_still=[], told=["customer of 1"]),
    ),
    case(
        "what monday alone refuses is not sent again",
        given({1: ANN}),
        in_postgres("customer of 1", {"phone": NEW_PHONE, "notes": "x"}),
        push(refuses={1: PHONE}),
        expect(cells={1: {PHONE: ANN[PHONE], "customers.notes": "x"}}, untold=["customer of 1"]),
        push(),
        expect(sent={}, refused_still=["customers.phone of 1"]),
    ),
    case(
        "an item's name cannot be emptied",
        given({1: {"projects.item_name": "Lee"}}),
        in_postgres("project of 1", {"item_name": None, "name": "Lee"}),
        push(),
        expect(
            sent={},
            refused=["projects.item_name of 1"],
            untold=["project of 1"],
            cells={1: {"projects.item_name": "Lee"}},
        ),
    ),
    case(
        "a status without such a label",
        given({1: {TEAM: "Retail"}}),
        in_postgres("sales_team of 1", {"name": "Hail Team"}),
        push(),
        expect(sent={}, refused=["sales_teams.name of 1"], untold=["sales_team of 1"], cells={1: {TEAM: "Retail"}}),
        push(create_labels=True),
        expect(sent={1: {TEAM: "Hail Team"}}, cells={1: {TEAM: "Hail Team"}}, told=["sales_team of 1"]),
    ),
    case(
        "a status in other capitals takes the label that is there",
        given({1: {TEAM: "Retail"}}),
        in_postgres("sales_team of 1", {"name": "STORM  team"}),
        push(create_labels=True),
        expect(sent={1: {TEAM: "STORM  team"}}, cells={1: {TEAM: "Storm Team"}}),
        pull(),
        expect(writes=0),
    ),
    case(
        "a status that the label shows already",
        given({1: {TEAM: "Storm Team"}}),
        in_postgres("sales_team of 1", {"name": "STORM TEAM"}),
        push(),
        expect(sent={}, cells={1: {TEAM: "Storm Team"}}, told=["sales_team of 1"]),
    ),
    case(
        "a label of digits is made by hand",
        given({1: {TEAM: "Retail"}}),
        in_postgres("sales_team of 1", {"name": "7"}),
        push(create_labels=True),
        expect(sent={}, refused=["sales_teams.name of 1"]),
    ),
)
def test_what_monday_would_refuse(case: Case) -> None:
    case.run()


MANY = dict.fromkeys(range(1, FAN_OUT + 2), ANN)


@cases(
    case(
        "as many items as are allowed",
        given(dict.fromkeys(range(1, FAN_OUT + 1), ANN)),
        in_postgres("customer of 1", {"phone": NEW_PHONE}),
        push(),
        expect(fanned=[], told=["customer of 1"], cells={FAN_OUT: {PHONE: NEW_PHONE}}),
    ),
    case(
        "one more: none is written, and the row waits",
        given(MANY),
        in_postgres("customer of 1", {"phone": NEW_PHONE}),
        push(),
        expect(fanned=[FAN_OUT + 1], sent={}, untold=["customer of 1"], cells={1: {PHONE: ANN[PHONE]}}),
        push(allow_fanout=True),
        expect(fanned=[], told=["customer of 1"], cells={1: {PHONE: NEW_PHONE}, FAN_OUT + 1: {PHONE: NEW_PHONE}}),
    ),
    case(
        "what the items say of other rows goes",
        given(MANY),
        in_postgres("customer of 1", {"phone": NEW_PHONE}),
        in_postgres("project of 3", {"claim_number": "C-1"}),
        push(),
        expect(
            fanned=[FAN_OUT + 1],
            sent={3: {"projects.claim_number": "C-1"}},
            told=["project of 3"],
            untold=["customer of 1"],
        ),
    ),
)
def test_a_row_that_many_items_show(case: Case) -> None:
    case.run()


@cases(
    case(
        "another customer: all of the slot's cells",
        given({1: ANN, 2: BOB}),
        in_postgres("project of 1", {"customer_id": row("customer of 2")}),
        push(),
        expect(
            sent={1: {"customers.email": "bob@x.co", "customers.name": "Bob Roe", PHONE: None}},
            linked={"customer of 1": "customer of 2"},
            told=["project of 1", "customer of 2"],
        ),
        pull(),
        expect(writes=0),
    ),
    case(
        "a customer that the sync never met",
        given({1: ANN}),
        in_postgres("customers: bob", {"name": "Bob", "email": "bob@x.co"}),
        in_postgres("project of 1", {"customer_id": row("bob")}),
        push(),
        expect(
            sent={1: {"customers.email": "bob@x.co", "customers.name": "Bob", PHONE: None}},
            linked={"customer of 1": "bob"},
            told=["bob"],
        ),
    ),
    case(
        "nobody any more",
        given({1: ANN}),
        call("ann", "customer of 1"),
        in_postgres("project of 1", {"customer_id": None}),
        push(),
        expect(
            cells={1: {"customers.email": None, "customers.name": None, PHONE: None}},
            rows={"ann": {"name": "Ann Lee"}},
            told=["project of 1"],
        ),
        pull(),
        expect(writes=0, rows={"project of 1": {"customer_id": None}}),
    ),
    case(
        "somebody, where there was nobody",
        given({1: {}, 2: ANN}),
        in_postgres("project of 1", {"customer_id": row("customer of 2")}),
        push(),
        expect(sent={1: ANN}, linked={"customer of 1": "customer of 2"}),
    ),
    case(
        "one cell cannot be written: none is",
        given({1: ANN}),
        in_postgres("customers: bob", {"name": "Bob", "email": "no address"}),
        in_postgres("project of 1", {"customer_id": row("bob")}),
        push(),
        expect(sent={}, refused=["customers.email of 1"], untold=["project of 1"], cells={1: ANN}),
    ),
    case(
        "one cell is refused by monday: none counts",
        given({1: ANN}),
        call("ann", "customer of 1"),
        in_postgres("customers: bob", {"name": "Bob", "email": "bob@x.co"}),
        in_postgres("project of 1", {"customer_id": row("bob"), "claim_number": "C-1"}),
        push(refuses={1: "customers.email"}),
        expect(
            cells={1: ANN | {"projects.claim_number": "C-1"}}, linked={"customer of 1": "ann"}, untold=["project of 1"]
        ),
    ),
    case(
        "a cell of the slot was edited on monday: monday's policy leaves all to the pull",
        given({1: ANN, 2: BOB}),
        in_postgres("project of 1", {"customer_id": row("customer of 2")}),
        on_monday(1, {"customers.name": "Anna"}),
        push(),
        expect(sent={}, inbound=1, untold=["project of 1"]),
    ),
    case(
        "the same, where PostgreSQL wins",
        given({1: ANN, 2: BOB}),
        in_postgres("project of 1", {"customer_id": row("customer of 2")}),
        on_monday(1, {"customers.name": "Anna"}),
        push(policy="pg"),
        expect(
            cells={1: {"customers.email": "bob@x.co", "customers.name": "Bob Roe"}},
            conflicts=["customers.name of 1: postgres over monday"],
            told=["project of 1"],
        ),
    ),
    case(
        "the new row holds something that nobody can read",
        given({1: {"storms.date_of_loss": "2026-04-30"}}),
        in_postgres("storms: odd", {"date_of_loss": UNREADABLE}),
        in_postgres("project of 1", {"storm_id": row("odd")}),
        push(),
        expect(sent={}, untold=["project of 1"]),
    ),
    case(
        "moved there and back",
        given({1: ANN, 2: BOB}),
        call("ann", "customer of 1"),
        in_postgres("project of 1", {"customer_id": row("customer of 2")}),
        in_postgres("project of 1", {"customer_id": row("ann")}),
        push(),
        expect(sent={}, settled=[]),
    ),
    case(
        "an edit of the row that the item shows no more is not its business",
        given({1: ANN, 2: BOB, 3: ANN}),
        call("ann", "customer of 1"),
        in_postgres("project of 1", {"customer_id": row("customer of 2")}),
        in_postgres("ann", {"phone": NEW_PHONE}),
        push(),
        expect(cells={1: {PHONE: None, "customers.name": "Bob Roe"}, 3: {PHONE: NEW_PHONE}}, told=["ann"]),
    ),
)
def test_foreign_keys(case: Case) -> None:
    case.run()


@cases(
    case(
        "the row of an item: it stays on monday",
        given({1: ANN}),
        in_postgres("project of 1", DELETED),
        push(),
        expect(deleted=[1], archived=[], sent={}),
        pull(),
        expect(writes=0, count={"projects": 0}),
    ),
    case(
        "deletes that are propagated",
        given({1: ANN, 2: BOB}),
        in_postgres("project of 1", DELETED),
        push(propagate_deletes=True),
        expect(deleted=[1], archived=[1], edited_since=0),
    ),
    case(
        "an edit beats a delete",
        given({1: ANN}),
        in_postgres("project of 1", DELETED),
        on_monday(1, {"customers.name": "Anna"}),
        push(propagate_deletes=True),
        expect(deleted=[1], archived=[], edited_since=1),
    ),
    case(
        "the row behind a foreign key: its cells stay as they are",
        given({1: ANN}),
        in_postgres("customer of 1", DELETED),
        push(),
        expect(sent={}, deleted=[], cells={1: ANN}),
        pull(),
        expect(writes=0, count={"customers": 0}),
    ),
    case(
        "it comes back when the item says something new of it",
        given({1: ANN}),
        in_postgres("customer of 1", DELETED),
        on_monday(1, {"customers.name": "Anna"}),
        pull(),
        expect(count={"customers": 1}, rows={"customer of 1": {"name": "Anna", "phone": ANN[PHONE]}}),
    ),
    case(
        "an item that is gone hears of nothing",
        given({1: ANN, 2: ANN}),
        on_monday(1, ARCHIVED),
        pull(),
        in_postgres("customer of 2", {"phone": NEW_PHONE}),
        push(),
        expect(sent={2: {PHONE: NEW_PHONE}}, told=["customer of 2"]),
    ),
)
def test_rows_that_a_person_deleted(case: Case) -> None:
    case.run()


@cases(
    case(
        "a project with its rows",
        given({1: ANN}),
        in_postgres(
            "projects: new", {"name": "Oak roof", "customer_id": row("customer of 1"), "estimated_value": Decimal(5)}
        ),
        push(),
        expect(
            made=["Oak roof"],
            rows={"new": {"monday_item_id": 500, "item_name": "Oak roof"}},
            cells={
                500: ANN
                | {
                    "projects.item_name": "Oak roof",
                    "projects.name": "Oak roof",
                    "projects.estimated_value": Decimal(5),
                }
            },
            told=["new", "customer of 1"],
        ),
        pull(),
        expect(writes=0),
    ),
    case(
        "the item's own name comes first",
        in_postgres("projects: new", {"item_name": "Lee", "name": "Oak roof"}),
        push(),
        expect(made=["Lee"], cells={500: {"projects.name": "Oak roof", "projects.item_name": "Lee"}}),
    ),
    case(
        "a project without a name",
        in_postgres("projects: new", {"description": "roof"}),
        push(),
        expect(made=[], refused=["projects: new of 0"]),
    ),
    case(
        "a cell that monday would refuse is told later",
        in_postgres("projects: new", {"name": "Oak", "adjuster_email": "nobody", "claim_number": "C-1"}),
        push(),
        expect(
            made=["Oak"], cells={500: {"projects.adjuster_email": None, "projects.claim_number": "C-1"}}, untold=["new"]
        ),
        push(),
        expect(made=[], sent={}, refused_still=["projects.adjuster_email of 500"]),
        in_postgres("new", {"adjuster_email": "bob@x.co"}),
        push(),
        expect(sent={500: {"projects.adjuster_email": "bob@x.co"}}, told=["new"]),
    ),
    case(
        "a value that nobody can read is told later",
        in_postgres("projects: new", {"name": "Oak", "estimated_value": UNREADABLE}),
        push(),
        expect(made=["Oak"], untold=["new"]),
        in_postgres("new", {"estimated_value": Decimal("7.00")}),
        push(),
        expect(sent={500: {"projects.estimated_value": Decimal("7.00")}}, told=["new"]),
    ),
    case(
        "an archived project becomes no item",
        in_postgres("projects: new", {"name": "Oak", "archived_at": "then"}),
        push(),
        expect(made=[]),
    ),
    case(
        "a new project's stage gives its status",
        in_postgres("projects: new", {"name": "Oak", "current_stage": " Approved "}),
        push(),
        expect(made=["Oak"], rows={"new": {"current_stage": "Approved", "status": "active"}}),
    ),
    case(
        "a new person of the staff board",
        in_postgres("users: pam", {"name": "Pam Poe", "email": "pam@wra.co", "roles": ["Sales Staff"]}),
        push(),
        expect(
            made=["Pam Poe"],
            cells={950: {"users.first_name": "Pam", "users.last_name": "Poe", "users.email": "pam@wra.co"}},
            rows={"pam": {"first_name": "Pam", "last_name": "Poe", "monday_item_id": 950}},
            told=["pam"],
        ),
    ),
    case(
        "a person without that role is none",
        in_postgres("users: pam", {"name": "Pam Poe", "email": "pam@wra.co", "roles": ["Estimator"]}),
        push(),
        expect(made=[]),
    ),
    case(
        "somebody on the staff board has that e-mail",
        given({901: {"users.first_name": "Pam", "users.email": "pam@wra.co"}}),
        in_postgres("users: pam", {"name": "Pam Poe", "rm_email": "PAM@wra.co", "roles": ["Sales Staff"]}),
        push(),
        expect(made=[], alike=1),
    ),
    case(
        "two new people with one e-mail",
        in_postgres("users: pam", {"name": "Pam Poe", "email": "pam@wra.co", "roles": ["Sales Staff"]}),
        in_postgres("users: pat", {"name": "Pat Poe", "rm_email": "pam@wra.co", "roles": ["Sales Staff"]}),
        push(),
        expect(made=["Pam Poe"], alike=1),
    ),
)
def test_rows_that_become_items(case: Case) -> None:
    case.run()


@cases(
    case(
        "a first name",
        given({901: {"users.first_name": "Ann", "users.last_name": "Lee"}}),
        in_postgres("staff of 901", {"first_name": "Anna"}),
        push(),
        expect(sent={901: {"users.first_name": "Anna"}}, completed={"users.name": "Anna Lee"}, told=["staff of 901"]),
    ),
    case(
        "the city of an address",
        given({1: OAK}),
        in_postgres("property of 1", {"city": "Elko"}),
        push(),
        expect(
            sent={1: {"properties.address": "1 Oak St, Elko, NV 89501"}},
            completed={"properties.address": "1 Oak St, Elko, NV 89501"},
        ),
    ),
    case(
        "a whole address gives its parts",
        given({1: OAK}),
        in_postgres("property of 1", {"address": "2 Elm St, Elko, NV 89801"}),
        push(),
        expect(completed={"properties.street": "2 Elm St", "properties.city": "Elko", "properties.zip": "89801"}),
    ),
    case(
        "a part that has no certain place",
        given({1: {"properties.address": "ask the neighbour"}}),
        in_postgres("property of 1", {"zip": "89501"}),
        push(),
        expect(sent={}, refused=["properties.address of 1"], completed={}, untold=["property of 1"]),
        push(),
        expect(sent={}, refused=[], refused_still=["properties.address of 1"]),
    ),
    case(
        "a stage gives the status",
        given({1: {"projects.current_stage": "Lead"}}),
        in_postgres("project of 1", {"current_stage": "Approved"}),
        push(),
        expect(sent={1: {"projects.current_stage": "Approved"}}, completed={"projects.status": "active"}),
        in_postgres("project of 1", {"current_stage": "Nobody knows"}),
        push(),
        expect(completed={"projects.status": "pending"}),
        in_postgres("project of 1", {"current_stage": None}),
        push(),
        expect(completed={}, rows={"project of 1": {"status": "pending"}}, cells={1: {"projects.current_stage": None}}),
    ),
)
def test_a_row_is_made_whole(case: Case) -> None:
    case.run()


@cases(
    case(
        "beyond the limit: the rest waits",
        given({1: ANN, 2: BOB}),
        in_postgres("customer of 1", {"phone": NEW_PHONE}),
        in_postgres("customer of 2", {"phone": NEW_PHONE}),
        push(not_looked_at=[2]),
        expect(sent={1: {PHONE: NEW_PHONE}}, put_off=1, told=["customer of 1"], untold=["customer of 2"]),
        push(),
        expect(sent={2: {PHONE: NEW_PHONE}}, put_off=0, told=["customer of 2"]),
    ),
    case(
        "a row of two items of which one waits has still something to tell",
        given({1: ANN, 2: ANN}),
        in_postgres("customer of 1", {"phone": NEW_PHONE}),
        push(not_looked_at=[2]),
        expect(sent={1: {PHONE: NEW_PHONE}}, untold=["customer of 1"]),
        push(),
        expect(sent={2: {PHONE: NEW_PHONE}}, told=["customer of 1"]),
    ),
)
def test_items_that_are_not_looked_at(case: Case) -> None:
    case.run()


@cases(
    case(
        "the new row says in part what the cells show already",
        given({1: ANN}),
        in_postgres("customers: twin", {"name": "Ann Lee", "email": "other@x.co", "phone": "(202) 555-0172"}),
        in_postgres("project of 1", {"customer_id": row("twin")}),
        push(),
        expect(
            sent={1: {"customers.email": "other@x.co"}},
            remembered={"customers.phone of 1": (ANN[PHONE], "(202) 555-0172")},
        ),
    ),
    case(
        "files of another property are not written, and do not keep it from being shown",
        given({1: OAK, 2: {"properties.address": "2 Elm St, Reno, NV 89501"}}),
        in_postgres("property of 2", {"measurements": "[1]"}),
        in_postgres("project of 1", {"property_id": row("property of 2")}),
        push(),
        expect(
            sent={1: {"properties.address": "2 Elm St, Reno, NV 89501"}},
            linked={"property of 1": "property of 2"},
            remembered={"properties.measurements of 1": (None, "[1]")},
        ),
    ),
    case(
        "a cell that cannot be read: the slot goes on showing what it shows",
        given({1: {"storms.date_of_loss": "2026-04-30"}, 2: {"storms.date_of_loss": "2026-05-01"}}),
        on_monday(1, {"storms.date_of_loss": {"date": "soon", "time": "", "value": None}}),
        in_postgres("project of 1", {"storm_id": row("storm of 2")}),
        push(),
        expect(sent={}, untold=["project of 1"]),
    ),
    case(
        "a kept label, country and link text survive a change of the value",
        given(
            {
                1: {
                    "projects.adjuster_email": {"email": "a@x.co", "label": "Adam"},
                    "projects.link": {"url": "https://x.co/1", "url_text": "Job"},
                }
            }
        ),
        in_postgres("project of 1", {"adjuster_email": "b@x.co", "link": "https://x.co/2"}),
        push(),
        expect(cells={1: {"projects.adjuster_email": "b@x.co", "projects.link": "https://x.co/2"}}),
    ),
)
def test_what_a_write_leaves_as_it_is(case: Case) -> None:
    sides = case.run()
    if "label" in case.name:
        cells = sides.items[1].cells
        assert (cells["email57__1"]["label"], cells["link__1"]["url_text"]) == ("Adam", "Job")
