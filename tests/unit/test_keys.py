"""What makes two slots speak of one customer, property, policy, person, firm, company, team or storm."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from msgspec import UNSET

from models import RowId
from reconcile.keys import (
    address_key,
    bare,
    bounded,
    email_key,
    item_key,
    label_key,
    loose,
    name_key,
    policy_key,
    slot_key,
)
from reconcile.tables import SPECS, TABLES, row_keys


@pytest.mark.parametrize(
    ("make", "one", "other", "same"),
    [
        (email_key, "Ann@X.co", " ann@x.CO ", True),
        (email_key, "ann\u200b@x.co", "ann@x.co", True),
        (email_key, "a.nn@x.co", "ann@x.co", False),
        (email_key, "ann+roof@x.co", "ann@x.co", False),
        (name_key, "Allstate, Inc.", "ALLSTATE INC", True),
        (name_key, "O\u2019Brien", "O'Brien", True),
        (name_key, "José", "Jose\u0301", True),
        (name_key, "José", "Jose", False),
        (name_key, "B+ Mutual", "B Mutual", False),
        (label_key, "Storm  Team", "storm team", True),
        (label_key, "Storm Team.", "Storm Team", False),
        (lambda text: address_key("c1", text), "12 North Main Street, Apt. 4", "12 N Main St Apt 4", True),
        (lambda text: address_key("c1", text), "12½ Elm", "12 1/2 Elm", True),
        (lambda text: address_key("c1", text), "1 1/2 Elm", "11 2 Elm", False),
        (lambda text: address_key("c1", text), "12 Elm Apt 4", "12 Elm Apt 5", False),
        (lambda text: policy_key("i1", text), "a/1 - 2", "A/12", True),
        (lambda text: policy_key("i1", text), "A12", "A-13", False),
    ],
)
def test_one_key_or_two(make: Callable[[str], str | None], one: str, other: str, same: bool) -> None:
    assert make(one) is not None
    assert (make(one) == make(other)) is same


@pytest.mark.parametrize(
    "make", [email_key, name_key, label_key, lambda text: address_key("c", text), lambda text: policy_key("i", text)]
)
@pytest.mark.parametrize("text", [None, "", " "])
def test_nothing_makes_no_key(make: Callable[[str | None], str | None], text: str | None) -> None:
    assert not make(text)


@pytest.mark.parametrize("local", ["none", "NA", "n/a", "test", "noemail", "fake"])
def test_a_placeholder_names_nobody(local: str) -> None:
    assert email_key(f"{local}@x.co") is None


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (lambda: name_key("..."), "name:..."),
        (lambda: label_key("**"), "name:**"),
        (lambda: address_key("c", "**"), "c|**"),
        (lambda: policy_key("i", "--"), "i|--"),
    ],
)
def test_signs_alone_are_found_by_their_signs(make: Callable[[], str | None], key: str) -> None:
    assert make() == key


def test_a_parent_is_part_of_the_key() -> None:
    assert address_key("c1", "1 Oak") != address_key("c2", "1 Oak")
    assert address_key(None, "1 Oak") == "-|1 oak"


@pytest.mark.parametrize(("length", "hashed"), [(500, False), (600, True)])
def test_a_key_fits_an_index(length: int, hashed: bool) -> None:
    key = bounded("name:" + "x" * length)
    assert key.startswith("name:")
    assert ("sha256" in key) is hashed
    assert len(bounded("name:" + "é" * 600).encode()) < 512


VALUES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "insurances": ({"company_name": "B+ Mutual"}, ("name:b+ mutual",)),
    "sales_teams": ({"name": "Storm Team"}, ("name:storm team",)),
    "storms": ({"date_of_loss": date(2026, 4, 30)}, ("2026-04-30",)),
    "pa_law": ({"name": "Firm", "email": "law@x.co"}, ("email:law@x.co",)),
    "users": ({"name": "Ann Lee", "email": "a@x.co", "rm_email": "b@x.co"}, ("email:a@x.co", "email:b@x.co")),
    "customers": ({"name": "Ann", "email": "ann@x.co"}, ("email:ann@x.co",)),
    "properties": ({"customer_id": "c1", "address": "1 Oak Street"}, ("c1|1 oak st",)),
    "policies": ({"insurance_id": "i1", "policy_number": "a-1"}, ("i1|A1",)),
    "projects": ({"name": "Roof"}, ()),
}


@pytest.mark.parametrize("table", TABLES)
def test_the_keys_of_a_row(table: str) -> None:
    values, keys = VALUES[table]
    model, row = TABLES[table], RowId("r")
    assert row_keys(table, model(row, **values)) == keys
    assert row_keys(table, model(row)) == ()


@pytest.mark.parametrize("table", [table for table, spec in SPECS.items() if spec.key is not None])
def test_fields_that_were_not_read_say_nothing(table: str) -> None:
    rule = SPECS[table].key
    assert rule is not None
    said = [UNSET] * len(rule.columns)
    assert (rule.keys(None, *said) if rule.parent else rule.keys(*said)) == ()


def test_a_person_goes_by_name_only_without_any_address() -> None:
    rule = SPECS["users"].key
    assert rule is not None
    person = rule.keys
    assert person(None, None, ("Ann Lee", "Ann", "Lee")) == ("name:ann lee",)
    assert person("A@x.co", "a@x.co", "Ann") == ("email:a@x.co",)
    assert person("none@x.co", None, "Ann") == ("name:ann",)


def test_keys_of_a_place() -> None:
    assert slot_key("master", 1, "customer") == "slot:master:1:customer"
    assert item_key("staff", 9) == "item:staff:9"


def test_what_a_person_may_take_for_one() -> None:
    assert loose("B+ Mutual") == loose("b-mutual.") == "b mutual"
    assert bare("ab 1-2") == "AB12"
