"""What rows say of each other: foreign keys on either side, a person's roles, whose policy it is, whose item a row."""

from __future__ import annotations

from msgspec import UNSET

from models import UNREADABLE
from tests.unit.adapter import AN_INSTANT
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

ANN = {"customers.email": "ann@x.co", "customers.name": "Ann Lee"}
BOB = {"customers.email": "bob@x.co", "customers.name": "Bob Roe"}
OAK = {"properties.address": "1 Oak St, Reno, NV 89501"}
POLICY = {"policies.policy_number": "P-1", "insurances.company_name": "Mutual"}
TO_BOB = (on_monday(1, BOB), pull())


@cases(
    case(
        "a new item points at its rows, and they at each other",
        given({1: ANN | OAK | POLICY | {"sales_teams.name": "Retail"}}),
        expect(
            rows={
                "project of 1": {
                    "customer_id": row("customer of 1"),
                    "property_id": row("property of 1"),
                    "policy_id": row("policy of 1"),
                    "insurance_id": row("insurance of 1"),
                    "sales_team_id": row("sales_team of 1"),
                    "partner_id": None,
                },
                "property of 1": {"customer_id": row("customer of 1")},
                "policy of 1": {"customer_id": row("customer of 1"), "insurance_id": row("insurance of 1")},
            }
        ),
    ),
    case(
        "a staff member's team",
        given({901: {"users.first_name": "Ann", "users.monday_team": "Retail"}}),
        expect(rows={"staff of 901": {"sales_team_id": row("sales_team of 901"), "monday_team": "Retail"}}),
        on_monday(901, {"users.monday_team": "Storm Team"}),
        pull(),
        expect(rows={"staff of 901": {"sales_team_id": row("sales_team of 901"), "monday_team": "Storm Team"}}),
    ),
    case(
        "the item names another customer",
        given({1: ANN, 2: ANN, 3: BOB}),
        *TO_BOB,
        expect(rows={"project of 1": {"customer_id": row("customer of 3")}}, conflicts=[], told=["project of 1"]),
    ),
    case(
        "the item names nobody any more",
        given({1: ANN, 2: ANN}),
        on_monday(1, {"customers.email": "", "customers.name": ""}),
        pull(),
        expect(rows={"project of 1": {"customer_id": None}, "customer of 2": {"name": "Ann Lee"}}),
    ),
    case(
        "a key that a person moved stays, whatever else the item says",
        given({1: ANN, 2: BOB}),
        in_postgres("project of 1", {"customer_id": row("customer of 2")}),
        on_monday(1, {"projects.claim_number": "C-1"}),
        pull(),
        expect(rows={"project of 1": {"customer_id": row("customer of 2")}}, untold=["project of 1"], conflicts=[]),
        push(),
        expect(cells={1: BOB}, told=["project of 1"]),
    ),
    case(
        "moved on both sides: monday wins and the other is kept",
        given({1: ANN, 2: ANN, 3: BOB}),
        in_postgres("customers: eve", {"name": "Eve", "email": "eve@x.co"}),
        in_postgres("project of 1", {"customer_id": row("eve")}),
        *TO_BOB,
        expect(
            rows={"project of 1": {"customer_id": row("customer of 3")}},
            conflicts=["customer_id of 1: monday over postgres"],
        ),
    ),
    case(
        "moved on both sides to the same row",
        given({1: ANN, 2: ANN, 3: BOB}),
        in_postgres("project of 1", {"customer_id": row("customer of 3")}),
        *TO_BOB,
        expect(writes=0, conflicts=[], told=["project of 1"]),
    ),
    case(
        "one that differed on the first day is no edit",
        in_postgres("customers: ann", {"name": "Ann Lee", "email": "ann@x.co"}),
        in_postgres("projects: old", {"monday_item_id": 1, "name": "Roof", "customer_id": row("ann")}),
        on_monday(1, {"projects.name": "Roof"} | BOB),
        pull(),
        expect(rows={"old": {"customer_id": row("ann")}}, conflicts=[]),
        push(),
        expect(sent={}, settled=[]),
        in_postgres("customers: eve", {"name": "Eve", "email": "eve@x.co"}),
        in_postgres("old", {"customer_id": row("eve")}),
        push(),
        expect(cells={1: {"customers.email": "eve@x.co", "customers.name": "Eve"}}),
    ),
    case(
        "of two items that share a property the newest moves it",
        given({1: ANN | OAK, 2: ANN | OAK}),
        expect(
            linked={"property of 1": "property of 2"}, rows={"property of 1": {"customer_id": row("customer of 1")}}
        ),
        on_monday(1, BOB),
        pull(),
        expect(
            rows={
                "property of 1": {"customer_id": row("customer of 1")},
                "property of 2": {"customer_id": row("customer of 2")},
            }
        ),
    ),
    case(
        "the row behind the key was deleted: it dangles until the item says something new",
        given({1: ANN}),
        in_postgres("customer of 1", DELETED),
        on_monday(1, {"projects.claim_number": "C-1"}),
        pull(),
        expect(rows={"project of 1": {"customer_id": None}}, count={"customers": 0}, conflicts=[]),
        push(),
        expect(sent={}, told=["project of 1"], cells={1: ANN}),
        on_monday(1, BOB),
        pull(),
        expect(rows={"project of 1": {"customer_id": row("customer of 1")}}, count={"customers": 1}),
    ),
    case(
        "a house that was there before belongs to whom it says",
        in_postgres("customers: ann", {"name": "Ann Lee", "email": "ann@x.co"}),
        in_postgres("customers: eve", {"name": "Eve", "email": "eve@x.co"}),
        in_postgres("properties: oak", {"address": OAK["properties.address"], "customer_id": row("eve")}),
        in_postgres("projects: old", {"monday_item_id": 1, "customer_id": row("ann"), "property_id": row("oak")}),
        on_monday(1, ANN | OAK),
        pull(),
        expect(linked={"property of 1": "oak"}, rows={"oak": {"customer_id": row("eve")}}, conflicts=[]),
    ),
    case(
        "a row that appears where the item points at nothing yet",
        given({1: {}}),
        on_monday(1, ANN),
        pull(),
        expect(rows={"project of 1": {"customer_id": row("customer of 1")}}, conflicts=[], told=["project of 1"]),
    ),
)
def test_foreign_keys(case: Case) -> None:
    case.run()


def person(role: str, email: str = "pam@x.co") -> dict[str, str]:
    return {f"users.email/{role}": email, f"users.name/{role}": "Pam Poe"}


@cases(
    case(
        "sorted, each once",
        given({1: person("Partner") | person("Estimator"), 2: person("Estimator")}),
        expect(rows={"Partner of 1": {"roles": ["Estimator", "Partner"]}}),
    ),
    case(
        "one more",
        given({1: person("Partner")}),
        on_monday(2, person("Estimator")),
        pull(),
        expect(rows={"Partner of 1": {"roles": ["Estimator", "Partner"]}}),
    ),
    case(
        "one is lost, the last of them leaves none",
        given({1: person("Partner"), 2: person("Estimator")}),
        call("pam", "Partner of 1"),
        on_monday(2, person("Estimator", "pat@x.co")),
        pull(),
        expect(rows={"pam": {"roles": ["Partner"]}, "Estimator of 2": {"roles": ["Estimator"]}}),
        on_monday(1, person("Partner", "pat@x.co")),
        pull(),
        expect(rows={"pam": {"roles": None}, "Estimator of 2": {"roles": ["Estimator", "Partner"]}}),
    ),
    case(
        "still held elsewhere, by an item that is not read",
        given({1: person("Partner"), 2: person("Partner")}),
        call("pam", "Partner of 1"),
        on_monday(1, person("Partner", "pat@x.co")),
        pull(),
        expect(rows={"pam": {"roles": ["Partner"]}}),
    ),
    case(
        "words of somebody else's are kept",
        given({1: person("Partner")}),
        in_postgres("Partner of 1", {"roles": ["Partner", "boss"]}),
        on_monday(2, person("Estimator")),
        pull(),
        expect(rows={"Partner of 1": {"roles": ["Estimator", "Partner", "boss"]}}),
    ),
    case(
        "one of ours that no item says goes with the next change, and not before",
        given({1: person("Partner")}),
        in_postgres("Partner of 1", {"roles": ["Partner", "Superintendent"]}),
        on_monday(1, {"projects.claim_number": "C-1"}),
        pull(),
        expect(rows={"Partner of 1": {"roles": ["Partner", "Superintendent"]}}),
        on_monday(2, person("Estimator")),
        pull(),
        expect(rows={"Partner of 1": {"roles": ["Estimator", "Partner"]}}),
    ),
    case(
        "whoever is to become an item of the staff board stays so",
        given({1: person("Partner")}),
        in_postgres("Partner of 1", {"roles": ["Partner", "Sales Staff"]}),
        on_monday(2, person("Estimator")),
        pull(),
        expect(rows={"Partner of 1": {"roles": ["Estimator", "Partner", "Sales Staff"]}}),
    ),
    case(
        "what cannot be read is left alone",
        given({1: person("Partner")}),
        in_postgres("Partner of 1", {"roles": UNREADABLE}),
        on_monday(2, person("Estimator")),
        pull(),
        expect(rows={"Partner of 1": {"roles": UNREADABLE}}),
    ),
    case(
        "an item of the staff board gives its own",
        given({901: {"users.first_name": "Pam", "users.email": "pam@x.co"}, 1: person("Estimator")}),
        expect(
            linked={"Estimator of 1": "staff of 901"}, rows={"staff of 901": {"roles": ["Estimator", "Sales Staff"]}}
        ),
    ),
)
def test_the_roles_of_a_person(case: Case) -> None:
    case.run()


@cases(
    case(
        "the customer of the job with the smallest number",
        given({1: ANN | POLICY, 2: BOB | POLICY}),
        expect(linked={"policy of 1": "policy of 2"}, rows={"policy of 1": {"customer_id": row("customer of 1")}}),
    ),
    case(
        "a later job changes nothing",
        given({2: ANN | POLICY}),
        on_monday(3, BOB | POLICY),
        pull(),
        expect(rows={"policy of 2": {"customer_id": row("customer of 2")}}),
    ),
    case(
        "an earlier one does",
        given({2: ANN | POLICY}),
        on_monday(1, BOB | POLICY),
        pull(),
        expect(rows={"policy of 2": {"customer_id": row("customer of 1")}}),
    ),
    case(
        "it follows the job to another customer",
        given({1: ANN | POLICY, 2: ANN, 3: BOB}),
        *TO_BOB,
        expect(rows={"policy of 1": {"customer_id": row("customer of 3")}}),
    ),
    case(
        "a customer that a person gave it stays while the job does",
        given({1: ANN | POLICY, 2: BOB}),
        in_postgres("policy of 1", {"customer_id": row("customer of 2")}),
        on_monday(1, {"projects.claim_number": "C-1"}),
        pull(),
        expect(rows={"policy of 1": {"customer_id": row("customer of 2")}}),
    ),
    case(
        "an earlier job joins a policy that is there",
        given({1: ANN | POLICY, 2: BOB | POLICY | {"policies.policy_number": "P-2"}}),
        expect(rows={"policy of 2": {"customer_id": row("customer of 2")}}),
        on_monday(1, {"policies.policy_number": "P-2"}),
        pull(),
        expect(linked={"policy of 1": "policy of 2"}, rows={"policy of 2": {"customer_id": row("customer of 1")}}),
    ),
    case(
        "a job without a customer takes nobody away",
        given({1: ANN | POLICY, 2: ANN}),
        on_monday(1, {"customers.email": "", "customers.name": ""}),
        pull(),
        expect(rows={"policy of 1": {"customer_id": row("customer of 2")}}),
    ),
)
def test_whose_policy_it_is(case: Case) -> None:
    case.run()


STAFF = {"users.first_name": "Pam", "users.email": "pam@x.co"}


@cases(
    case(
        "a project and a person hold their item's number",
        given({1: {}, 901: STAFF}),
        expect(rows={"project of 1": {"monday_item_id": 1}, "staff of 901": {"monday_item_id": 901}}),
    ),
    case(
        "of two items of one person the first is his",
        given({901: STAFF, 902: STAFF}),
        expect(
            count={"users": 2}, rows={"staff of 901": {"monday_item_id": 901}, "staff of 902": {"monday_item_id": 902}}
        ),
    ),
    case(
        "an item of the staff board that names somebody else, who is known",
        given({901: STAFF, 1: {"users.email/Partner": "bob@x.co", "users.name/Partner": "Bob"}}),
        call("pam", "staff of 901"),
        on_monday(901, {"users.email": "bob@x.co"}),
        pull(),
        expect(linked={"staff of 901": "Partner of 1"}, rows={"pam": {"monday_item_id": None, "roles": None}}),
        expect(rows={"Partner of 1": {"monday_item_id": 901, "roles": ["Partner", "Sales Staff"]}}),
    ),
    case(
        "an item that comes in the stead of one that is gone",
        given({900: {"users.first_name": "Al"}, 901: STAFF}),
        call("pam", "staff of 901"),
        on_monday(901, ARCHIVED),
        pull(),
        expect(rows={"pam": {"monday_item_id": 901, "archived_at": AN_INSTANT}}),
        on_monday(902, STAFF),
        pull(),
        expect(linked={"staff of 902": "pam"}, rows={"pam": {"monday_item_id": 902, "archived_at": None}}),
    ),
    case(
        "an id that a person cleared is put back",
        given({1: ANN}),
        in_postgres("project of 1", {"monday_item_id": None}),
        on_monday(1, {"projects.claim_number": "C-1"}),
        pull(),
        expect(rows={"project of 1": {"monday_item_id": 1, "claim_number": "C-1"}}, count={"projects": 1}),
    ),
    case(
        "a project that was archived and whose item is back",
        given({1: ANN, 2: BOB}),
        on_monday(1, ARCHIVED),
        pull(),
        on_monday(1, "active"),
        pull(),
        expect(rows={"project of 1": {"archived_at": None, "monday_item_id": 1}}),
    ),
    case(
        "a mark that cannot be read stays",
        given({1: ANN}),
        in_postgres("project of 1", {"archived_at": UNREADABLE}),
        on_monday(1, {"projects.claim_number": "C-1"}),
        pull(),
        expect(rows={"project of 1": {"archived_at": UNREADABLE, "claim_number": "C-1"}}),
    ),
)
def test_whose_item_a_row_is(case: Case) -> None:
    case.run()


DIFFERS = (
    in_postgres("customers: ann", {"name": "Ann Lee", "email": "ann@x.co"}),
    in_postgres("customers: eve", {"name": "Eve", "email": "eve@x.co"}),
    in_postgres("projects: old", {"monday_item_id": 1, "name": "Roof", "customer_id": row("ann")}),
    on_monday(1, {"projects.name": "Roof"}),
    pull(),
)
"""The item names nobody, the project that was there before points at Ann."""


@cases(
    case(
        "it is no edit",
        *DIFFERS,
        expect(rows={"old": {"customer_id": row("ann")}}, differing={1: ["customer"]}, conflicts=[], told=["old"]),
        in_postgres("old", {"claim_number": "C-1"}),
        push(),
        expect(sent={1: {"projects.claim_number": "C-1"}}, differing={1: ["customer"]}),
        on_monday(1, {"projects.description": "x"}),
        pull(),
        expect(rows={"old": {"customer_id": row("ann")}}, differing={1: ["customer"]}),
    ),
    case(
        "once it moves it is one",
        *DIFFERS,
        in_postgres("old", {"customer_id": row("eve")}),
        push(),
        expect(
            sent={1: {"customers.email": "eve@x.co", "customers.name": "Eve"}},
            linked={"customer of 1": "eve"},
            differing={1: []},
            told=["old", "eve"],
        ),
    ),
    case(
        "a person makes it equal: nothing is sent, and the difference is forgotten",
        *DIFFERS,
        in_postgres("old", {"customer_id": None}),
        push(),
        expect(sent={}, settled=[1], differing={1: []}, told=["old"]),
        in_postgres("old", {"customer_id": row("ann")}),
        push(),
        expect(sent={1: {"customers.email": "ann@x.co", "customers.name": "Ann Lee"}}),
    ),
    case(
        "the item says somebody: monday wins, and what the row had is kept",
        *DIFFERS,
        on_monday(1, BOB),
        pull(),
        expect(
            rows={"old": {"customer_id": row("customer of 1")}, "customer of 1": {"name": "Bob Roe"}},
            conflicts=["customer_id of 1: monday over postgres"],
            differing={1: []},
        ),
    ),
    case(
        "a person makes it equal, and the item says somebody: they never agreed",
        *DIFFERS,
        in_postgres("old", {"customer_id": None}),
        on_monday(1, BOB),
        pull(),
        expect(
            rows={"old": {"customer_id": row("customer of 1")}},
            conflicts=["customer_id of 1: monday over postgres"],
            agreed={"customer_id of 1": UNSET},
        ),
    ),
    case(
        "a person of the same pull moved it: the edit waits",
        *DIFFERS,
        in_postgres("old", {"customer_id": row("eve")}),
        on_monday(1, {"projects.description": "x"}),
        pull(),
        expect(rows={"old": {"customer_id": row("eve")}}, differing={1: ["customer"]}, untold=["old"]),
        push(),
        expect(sent={1: {"customers.email": "eve@x.co", "customers.name": "Eve"}}, told=["old"]),
    ),
    case(
        "a project that gets another row by its number points elsewhere, which is an edit",
        given({1: {"projects.name": "Roof"} | ANN, 2: BOB}),
        in_postgres("projects: new", {"name": "Roof", "item_name": "Job", "customer_id": row("customer of 2")}),
        in_postgres("project of 1", {"monday_item_id": None, "archived_at": "then"}),
        in_postgres("new", {"monday_item_id": 1}),
        push(),
        expect(linked={"customer of 1": "customer of 2"}, cells={1: BOB}),
    ),
)
def test_a_foreign_key_that_differed_at_first(case: Case) -> None:
    case.run()
