"""What is declared of each table: whole, and refused by name where it is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from models import TABLES
from reconcile.errors import ConfigError
from reconcile.keys import name_keys
from reconcile.tables import SPECS, KeyRule, TableSpec, refuse_incomplete, spec_of


def test_the_nine_tables_are_declared_whole() -> None:
    refuse_incomplete()
    assert list(SPECS) == list(TABLES)


LACKING: dict[str, tuple[dict[str, TableSpec | None], str]] = {
    "a table without a declaration": ({"storms": None}, "models.py has storms"),
    "one without a model": ({"crews": TableSpec(role="crew", key=None, names=("name",))}, "crews, which has no model"),
    "a key of a column that is not there": (
        {"storms": replace(SPECS["storms"], key=KeyRule(("day",), name_keys))},
        "storms is declared with day",
    ),
    "a name that is not there": (
        {"storms": replace(SPECS["storms"], names=("title",))},
        "storms is declared with t",
    ),
    "a role that no table has": ({"storms": replace(SPECS["storms"], points_at=("crew",))}, "point at a crew"),
    "a foreign key that is not there": (
        {"storms": replace(SPECS["storms"], points_at=("customer",))},
        "customer_id is missing",
    ),
}


@pytest.mark.parametrize("case", LACKING)
def test_what_a_declaration_lacks_is_named(case: str) -> None:
    changed, says = LACKING[case]
    specs: dict[str, Any] = {table: spec for table, spec in (SPECS | changed).items() if spec is not None}
    with pytest.raises(ConfigError, match=says):
        refuse_incomplete(specs)


def test_a_mapped_table_that_nobody_declared_is_named() -> None:
    with pytest.raises(ConfigError, match="the mapping names the table crews"):
        spec_of("crews")
