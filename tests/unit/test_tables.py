"""What is declared of each table: whole, and refused by name where it is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconcile.errors import ConfigError
from reconcile.fields import PERSON_NAME
from reconcile.keys import name_keys
from reconcile.tables import SPECS, TABLES, KeyRule, TableSpec, certain_keys, pointing_at, refuse_incomplete, spec_of


def test_the_nine_tables_are_declared_whole() -> None:
    refuse_incomplete()
    assert list(TABLES) == list(SPECS)


def test_what_no_two_rows_share() -> None:
    person = {"email": "Ann@x.co", "rm_email": None, "name": "Ann"}
    assert certain_keys("users", person) == ("email:ann@x.co",)
    assert (certain_keys("users", {"name": "Ann"}), certain_keys("customers", person)) == ((), ())


def test_what_points_at_a_table() -> None:
    assert list(pointing_at("sales_teams")) == [("users", "sales_team_id"), ("projects", "sales_team_id")]
    assert list(pointing_at("projects")) == []


LACKING: dict[str, tuple[dict[str, TableSpec | None], str]] = {
    "a model without a declaration": ({"projects": None}, "models.py has Project"),
    "a key of a column that is not there": (
        {"storms": replace(SPECS["storms"], key=KeyRule(("day",), name_keys))},
        "storms is not declared whole: Storm in models.py has no day",
    ),
    "a name that is not there": ({"storms": replace(SPECS["storms"], names=("title",))}, "has no title"),
    "what stays, and is not there": ({"storms": replace(SPECS["storms"], continuity=("phone",))}, "has no phone"),
    "what is derived, and not there": (
        {"storms": replace(SPECS["storms"], derived={"size": ("date_of_loss",)})},
        "has no size",
    ),
    "a key that begins with what no table holds": (
        {"policies": replace(SPECS["policies"], key=KeyRule(("policy_number",), name_keys, ("crew", "customer_id")))},
        "its keys begin with a crew, and customer_id is no foreign key to that",
    ),
    "a key that begins with no foreign key": (
        {
            "policies": replace(
                SPECS["policies"], key=KeyRule(("policy_number",), name_keys, ("storm", "policy_number"))
            )
        },
        "its keys begin with a storm, and policy_number is no foreign key to that",
    ),
    "a foreign key that is not there": (
        {"storms": replace(SPECS["storms"], foreign_keys={"customer_id": "customers"})},
        "Storm in models.py has no customer_id",
    ),
    "a foreign key that nobody declared": (
        {"policies": replace(SPECS["policies"], foreign_keys={"customer_id": "customers"})},
        "insurance_id is a RowId in models.py, and not among its foreign_keys",
    ),
    "a foreign key to nowhere": (
        {"users": replace(SPECS["users"], foreign_keys={"sales_team_id": "teams"})},
        "sales_team_id points at teams, and there is no such table",
    ),
    "a foreign key to a table behind": (
        {"users": replace(SPECS["users"], foreign_keys={"sales_team_id": "projects"})},
        "sales_team_id points at projects, which stands behind it",
    ),
    "a joint field in another order": (
        {"users": replace(SPECS["users"], joint=replace(PERSON_NAME, columns=("name", "last_name", "first_name")))},
        "name, last_name, first_name are one field",
    ),
    "two tables with one role": (
        {"storms": replace(SPECS["storms"], role="insurance")},
        "insurances and storms are both",
    ),
    "two tables with placeholders": (
        {"users": replace(SPECS["users"], fan_in=("email", "name"))},
        "users and customers are declared with fan_in",
    ),
}


@pytest.mark.parametrize("case", LACKING)
def test_what_a_declaration_lacks_is_named(case: str) -> None:
    changed, says = LACKING[case]
    specs: dict[str, Any] = {table: spec for table, spec in {**SPECS, **changed}.items() if spec is not None}
    with pytest.raises(ConfigError, match=says):
        refuse_incomplete(specs)


def test_a_mapped_table_that_nobody_declared_is_named() -> None:
    with pytest.raises(ConfigError, match="the mapping names the table crews"):
        spec_of("crews")
