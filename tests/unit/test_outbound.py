"""What a push decides: which cells of which items are written, which rows become items, which items go, what waits."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from models import UNREADABLE
from reconcile.outbound import FAN_OUT
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
        expect(sent={}, settled=[1], told=["customer of 1"], cells={1: ANN}),
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
