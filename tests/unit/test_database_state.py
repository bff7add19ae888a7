"""What a plan is given of the database: every table is there, and no two share a container."""

from __future__ import annotations

from dataclasses import fields

import pytest

from reconcile.database_state import DatabaseState
from reconcile.tables import TABLES
from tests.unit.script import Case, call, case, cases, expect, given, in_postgres, on_monday, pull

ANN = {"customers.email": "ann@x.co", "customers.name": "Ann Lee"}


@pytest.mark.parametrize("name", ["rows", "keys", "contested_keys", "unrecorded_keys", "names"])
def test_every_table_is_there(name: str) -> None:
    assert set(getattr(DatabaseState(), name)) == set(TABLES)


@pytest.mark.parametrize("name", [field.name for field in fields(DatabaseState)])
def test_each_has_containers_of_its_own(name: str) -> None:
    one, other = getattr(DatabaseState(), name), getattr(DatabaseState(), name)
    assert one == other
    if isinstance(one, dict | set):
        assert one is not other
    if isinstance(one, dict):
        assert all(one[table] is not other[table] for table in one)


@cases(
    case(
        "a key that a person typed belongs to its row before anybody else asks for it",
        given({1: ANN}),
        in_postgres("customers: bob", {"name": "Bob", "email": "bob@x.co"}),
        on_monday(2, {"customers.email": "bob@x.co", "customers.name": "Robert"}),
        pull(),
        expect(linked={"customer of 2": "bob"}, rows={"bob": {"name": "Bob"}}, count={"customers": 2}),
    ),
    case(
        "a key that was written down is its owner's, whatever another row says",
        given({1: ANN}),
        call("ann", "customer of 1"),
        in_postgres("customers: other", {"name": "Other", "email": "ann@x.co"}),
        on_monday(2, ANN),
        pull(),
        expect(linked={"customer of 2": "ann"}, count={"customers": 2}),
    ),
    case(
        "the key of a deleted row is free",
        given({1: ANN}),
        in_postgres("customer of 1", "deleted"),
        on_monday(2, ANN),
        pull(),
        expect(count={"customers": 1}, rows={"customer of 2": {"name": "Ann Lee"}}),
    ),
    case(
        "a field that a person emptied is no empty field for an item that is new to the row",
        given({1: ANN | {"customers.notes": "call"}}),
        in_postgres("customer of 1", {"notes": None}),
        on_monday(2, ANN | {"customers.notes": "ring"}),
        pull(),
        expect(
            rows={"customer of 1": {"notes": "ring"}},
            conflicts=["customers.notes of 2: monday over postgres"],
        ),
    ),
    case(
        "it stays empty where PostgreSQL wins",
        given({1: ANN | {"customers.notes": "call"}}),
        in_postgres("customer of 1", {"notes": None}),
        on_monday(2, ANN | {"customers.notes": "ring"}),
        pull(policy="pg"),
        expect(rows={"customer of 1": {"notes": None}}, conflicts=[]),
    ),
    case(
        "an item that is not in the plan counts all the same",
        given({1: ANN | {"users.name/Partner": "Pam"}, 2: {"users.name/Partner": "Pam"}}),
        on_monday(1, {"users.name/Partner": "Pat"}),
        pull(),
        expect(rows={"Partner of 2": {"name": "Pam", "roles": ["Partner"]}, "Partner of 1": {"name": "Pat"}}),
    ),
)
def test_what_is_known_of_rows(case: Case) -> None:
    case.run()
