"""Names that look alike stay two rows, and a person is told of them once."""

from __future__ import annotations

import pytest

from reconcile.namesakes import NAMES
from reconcile.tables import TABLES
from tests.unit.script import Case, case, cases, expect, given, in_postgres, on_monday, pull

B, BPLUS = ({"insurances.company_name": name} for name in ("B Mutual", "B+ Mutual"))


@cases(
    case(
        "a new one beside one that is known",
        given({1: B}),
        on_monday(2, BPLUS),
        pull(),
        expect(count={"insurances": 2}, would_merge=[(2, "insurances.B+ Mutual")]),
        pull(),
        expect(would_merge=[]),
    ),
    case(
        "both new, with the first of them",
        given({1: B, 2: BPLUS}),
        expect(count={"insurances": 2}, would_merge=[(2, "insurances.B+ Mutual")]),
    ),
    case(
        "of three, each but the first",
        given({1: B}),
        on_monday(2, BPLUS),
        on_monday(3, {"insurances.company_name": "B & Mutual"}),
        pull(),
        expect(would_merge=[(2, "insurances.B+ Mutual"), (3, "insurances.B & Mutual")]),
    ),
    case(
        "dots, commas and quotes make no other name",
        given({1: {"insurances.company_name": "Mutual, Inc."}}),
        on_monday(2, {"insurances.company_name": "MUTUAL INC"}),
        pull(),
        expect(count={"insurances": 1}, would_merge=[]),
    ),
    case(
        "names of signs alone look like nothing",
        given({1: {"insurances.company_name": "**"}}),
        on_monday(2, {"insurances.company_name": "++"}),
        pull(),
        expect(count={"insurances": 2}, would_merge=[]),
    ),
    case(
        "a known one that a person renamed looks like it no more",
        given({1: B}),
        in_postgres("insurance of 1", {"company_name": "Acme"}),
        on_monday(2, BPLUS),
        pull(),
        expect(count={"insurances": 2}, would_merge=[]),
    ),
    case(
        "a team's label",
        given({1: {"sales_teams.name": "Retail"}}),
        on_monday(2, {"sales_teams.name": "Retail!"}),
        pull(),
        expect(count={"sales_teams": 2}, would_merge=[(2, "sales_teams.Retail!")]),
    ),
    case(
        "a person without an e-mail",
        given({1: {"users.name/Estimator": "Ann O Lee"}}),
        on_monday(2, {"users.name/Estimator": "Ann-O-Lee"}),
        pull(),
        expect(count={"users": 2}, would_merge=[(2, "users.Ann-O-Lee")]),
    ),
    case(
        "persons with e-mails are told apart by these",
        given({1: {"users.name/Estimator": "Ann Lee", "users.email/Estimator": "a@x.co"}}),
        on_monday(2, {"users.name/Estimator": "Ann-Lee", "users.email/Estimator": "b@x.co"}),
        pull(),
        expect(count={"users": 2}, would_merge=[]),
    ),
    case(
        "a customer never goes by a name",
        given({1: {"customers.name": "Ann Lee"}}),
        on_monday(2, {"customers.name": "Ann-Lee"}),
        pull(),
        expect(count={"customers": 2}, would_merge=[]),
    ),
)
def test_names_that_look_alike(case: Case) -> None:
    case.run()


@pytest.mark.parametrize("table", NAMES)
def test_every_table_that_goes_by_a_name_has_that_column(table: str) -> None:
    assert NAMES[table] in TABLES[table].__struct_fields__
