"""What is remembered of an item: through its stored form, under a mapping that changed since, and in older forms."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from msgspec import UNSET

from models import RowId
from monday_api import BOARDS
from reconcile.base import (
    AGAIN,
    AGAIN_LATER,
    FORCE,
    BaseValue,
    ItemBase,
    content_of,
    digest_of,
    is_as_refused,
    is_open,
    pairs_from_json,
)
from reconcile.columns import TEXT, Column, ColumnMap
from reconcile.fields import FieldValue
from reconcile.layout import Layout, compile_layout
from tests.support.kit import LAYOUTS

MASTER = LAYOUTS["master"]
IDS = list(MASTER.field_ids)
ADDRESS = ("1 Oak St, Reno", "1 Oak St", "Reno", None, None)
SAID: dict[str, Any] = {
    "projects.estimated_value": Decimal("18250.50"),
    "storms.date_of_loss": date(2026, 4, 30),
    "properties.address": ADDRESS,
    "customers.name": "Ann",
}


def number(target: str, layout: Layout = MASTER) -> int:
    return next(n for n, field in enumerate(layout.fields) if field.id.startswith(f"{target}/"))


def filled(layout: Layout = MASTER) -> list[FieldValue]:
    m: list[FieldValue] = [None] * len(layout.fields)
    for target, value in SAID.items():
        m[number(target, layout)] = value
    return m


def base_of(monday: list[Any]) -> ItemBase:
    return ItemBase("master", 1, datetime(2026, 6, 1, tzinfo=UTC), [], monday, monday)


def base(monday: list[Any], differences: Mapping[int, Any], links: Mapping[int, RowId | None] | None = None) -> bytes:
    """The JSON of a base, from what monday showed and where the row differed."""
    base = ItemBase(
        "master", 1, datetime(2026, 6, 1, tzinfo=UTC), [], monday, monday, tolerated_links=dict(links or {})
    )
    for number_, value in differences.items():
        base.set_pair(number_, base.monday[number_], value)
    return base.to_json()


def by_id(layout: Layout, values: list[Any]) -> dict[str, Any]:
    return dict(zip(layout.field_ids, values, strict=True))


OTHER: dict[str, Any] = {
    "projects.estimated_value": Decimal("1.00"),
    "storms.date_of_loss": date(2026, 1, 1),
    "properties.address": ("2 Elm", None, None, None, None),
    "customers.name": "Bob",
}


@pytest.mark.parametrize("target", SAID)
@pytest.mark.parametrize(
    "kind", ["a row that is empty", "one that holds something else", "one that is still to be told"]
)
def test_a_pair_comes_back_as_it_was(kind: str, target: str) -> None:
    n = number(target)
    held: BaseValue = {"a row that is empty": None, "one that is still to be told": FORCE}.get(kind, OTHER[target])
    m, p, links = pairs_from_json(base(filled(), {n: held}, {3: None}), IDS, MASTER)
    assert m == filled()
    assert p == [held if place == n else value for place, value in enumerate(filled())]
    assert links == {3: None}


def test_a_field_that_was_never_read_is_so_on_both_sides() -> None:
    said = filled()
    n = number("customers.name")
    said[n] = UNSET
    m, p, _held = pairs_from_json(base(said, {}), IDS, MASTER)
    assert (m[n], p[n]) == (UNSET, UNSET)
    assert m.count(UNSET) == 1


def without(target: str) -> ColumnMap:
    return {column_id: column for column_id, column in BOARDS["master"].items() if column.target != target}


def layout_of(columns: ColumnMap) -> Layout:
    return compile_layout("master", 1, columns)


MORE = dict(BOARDS["master"]) | {"new": Column("New", TEXT, "projects.description2")}


@pytest.mark.parametrize(
    ("now", "unset"),
    [
        (dict(reversed(list(BOARDS["master"].items()))), set()),
        (without("customers.name"), set()),
        (without("customers.name") | {"renamed": BOARDS["master"]["text65__1"]}, set()),
    ],
    ids=["other order", "one field less", "a field at another column of the board"],
)
def test_a_base_is_read_by_names_under_another_mapping(now: ColumnMap, unset: set[str]) -> None:
    held = {number("customers.phone"): "+13035550199", number("customers.notes"): FORCE}
    today = layout_of(now)
    m, p, _ = pairs_from_json(base(filled(), held), IDS, today)
    was = by_id(MASTER, filled())
    assert by_id(today, m) == {field: was[field] for field in today.field_ids}
    there = by_id(today, p)
    assert there["customers.phone/master:customer"] == "+13035550199"
    assert there["customers.notes/master:customer"] is FORCE
    assert {field for field, value in by_id(today, m).items() if value is UNSET} == unset


def test_a_field_that_is_mapped_since_was_never_read() -> None:
    then = layout_of(without("customers.name"))
    m, p, _ = pairs_from_json(base([None] * len(then.fields), {0: "x"}), list(then.field_ids), MASTER)
    n = number("customers.name")
    assert (m[n], p[n]) == (UNSET, UNSET)
    assert (m.count(UNSET), p.count(UNSET)) == (1, 1)


def test_a_field_that_was_dropped_and_is_back_was_never_read() -> None:
    less = layout_of(without("customers.name"))
    m, _p, _ = pairs_from_json(base(filled(), {}), IDS, less)
    back, _p, _ = pairs_from_json(base(m, {}), list(less.field_ids), MASTER)
    assert back[number("customers.name")] is UNSET


SEVEN = Decimal("7.50")
STORED: dict[str, tuple[str, list[Any], list[Any], dict[int, Any]]] = {
    "alone": ('{"m":["Ann","7.50",null]}', ["Ann", SEVEN, None], ["Ann", SEVEN, None], {}),
    "with differences": (
        '{"m":["Ann","7.50",null],"p":{"0":"Bob","2":"2026-04-30"}}',
        ["Ann", SEVEN, None],
        ["Bob", SEVEN, date(2026, 4, 30)],
        {},
    ),
    "one to be told": ('{"m":["Ann",null,null],"force":[0]}', ["Ann", None, None], [FORCE, None, None], {}),
    "one to be told that holds something": (
        '{"m":["Ann",null,null],"p":{"0":"Bob"},"force":[0]}',
        ["Ann", None, None],
        [FORCE, None, None],
        {},
    ),
    "one never read": ('{"m":[null,"7.50",null],"unset":[0]}', [UNSET, SEVEN, None], [UNSET, SEVEN, None], {}),
    "foreign keys that differed": (
        '{"m":["Ann",null,null],"held":{"4":"r1","5":null}}',
        ["Ann", None, None],
        ["Ann", None, None],
        {4: "r1", 5: None},
    ),
    "what a later version adds": ('{"m":["Ann",null,null],"x":{"1":2}}', ["Ann", None, None], ["Ann", None, None], {}),
}
"""Forms that stand in databases: (JSON, monday's side, the row's side, foreign keys), of the fields below."""


@pytest.mark.parametrize("form", STORED)
def test_a_stored_form(form: str) -> None:
    raw, m, p, held = STORED[form]
    targets = ("customers.name", "projects.estimated_value", "storms.date_of_loss")
    ids = [IDS[number(target)] for target in targets]
    for text in (raw, raw.encode()):
        found_m, found_p, found_held = pairs_from_json(text, ids, MASTER)
        assert [found_m[number(target)] for target in targets] == m
        assert [found_p[number(target)] for target in targets] == p
        assert found_held == held


def test_the_form_is_as_short_as_it_can_be() -> None:
    assert base(["Ann", None], {}) == b'{"m":["Ann",null]}'
    assert base(["Ann", UNSET], {0: FORCE}, {}) == b'{"m":["Ann",null],"force":[0],"unset":[1]}'


@pytest.mark.parametrize(
    ("content_hash", "content", "open_now"),
    [(None, None, True), ("abc", "abc", False), (f"{AGAIN}abc", "abc", True), (f"{AGAIN_LATER}abc", "abc", False)],
    ids=["open", "in step", "tried again at once", "tried again at the next whole read"],
)
def test_a_hash_and_its_mark(content_hash: str | None, content: str | None, open_now: bool) -> None:
    assert is_open(content_hash) is open_now
    if content_hash is not None:
        assert content_of(content_hash) == content
    refused = content_hash is not None and content_hash != content
    assert is_as_refused(content_hash, content) is refused
    assert not is_as_refused(content_hash, "other")


def test_a_digest_is_of_what_an_item_shows() -> None:
    assert digest_of(filled()) == digest_of(tuple(filled()))
    assert digest_of(filled()) != digest_of([*filled()[:-1], "other"])


@pytest.mark.parametrize(
    ("monday", "postgres", "tolerated"),
    [("Ann", "Ann", 0), ("Ann", "Bob", 1), ("Ann", FORCE, 0), (UNSET, UNSET, 0), (None, "Ann", 1)],
    ids=["equal", "different", "to be told", "never read", "one side empty"],
)
def test_what_counts_as_tolerated(monday: Any, postgres: Any, tolerated: int) -> None:
    base = base_of(filled())
    base.set_pair(number("customers.name"), monday, postgres)
    assert base.count_tolerated(MASTER) == base.tolerated == tolerated


def test_a_value_that_monday_spells_otherwise_is_no_difference() -> None:
    base = base_of(filled())
    base.set_pair(number("customers.phone"), "(202) 555-0172", "+12025550172")
    assert base.count_tolerated(MASTER) == 0


def test_a_pair_is_set_on_one_side_or_both_and_a_copy_is_its_own() -> None:
    base, n = base_of(filled()), number("customers.name")
    copy = base.copy()
    copy.set_pair(n, "Ann", "Bob")
    assert (copy.monday, copy.postgres[n], base.postgres) == (base.monday, "Bob", base.monday)
    copy.set_pair(n, "Cem", "Cem")
    assert (copy.monday[n], copy.postgres[n], base.monday[n]) == ("Cem", "Cem", "Ann")
    copy.set_pair(number("customers.phone"), UNSET, UNSET)
    copy.links.append(None)
    assert (len(base.links), base.monday.count(UNSET)) == (0, 0)
