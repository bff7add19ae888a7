"""What is remembered of an item: through its stored form, under a mapping that changed since, and in older forms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    Remembered,
    content_of,
    digest_of,
    from_json,
    is_as_refused,
    is_open,
    to_json,
)
from reconcile.columns import TEXT, Column, ColumnMap
from reconcile.fields import FieldValue
from reconcile.layout import Layout, compile_layout
from reconcile.types import FORCE, BaseValue, Field, ItemBase, Links, Pair, PerField
from tests.support.kit import LAYOUTS

MASTER = LAYOUTS["master"]
IDS = MASTER.field_ids
ROLES = [slot.role for slot in MASTER.slots]
ADDRESS = ("1 Oak St, Reno", "1 Oak St", "Reno", None, None)
SAID: dict[str, Any] = {
    "projects.estimated_value": Decimal("18250.50"),
    "storms.date_of_loss": date(2026, 4, 30),
    "properties.address": ADDRESS,
    "customers.name": "Ann",
}


def named(target: str, layout: Layout = MASTER) -> Field:
    return next(field for field in layout.fields if field.target == target)


def filled(values: Mapping[str, Any] | None = None, layout: Layout = MASTER) -> PerField[FieldValue]:
    """A value per field: None but for those that are given, by target."""
    given = SAID | dict(values or {})
    return PerField(given.get(field.target) for field in layout.fields)


def base_of(monday: PerField[FieldValue], differences: Mapping[str, Any] | None = None) -> ItemBase:
    """A base, from what monday showed and, by target, where the row differed."""
    base = ItemBase("master", 1, datetime(2026, 6, 1, tzinfo=UTC), Links(()), monday, monday)
    for target, value in (differences or {}).items():
        field = named(target)
        base[field] = Pair(monday[field], value)
    return base


def stored(monday: PerField[FieldValue], differences: Mapping[str, Any] | None = None, **links: RowId | None) -> bytes:
    """The JSON of a base."""
    base = base_of(monday, differences)
    base.tolerated_links = links
    return to_json(base, MASTER)


def read(raw: bytes | str, ids: Sequence[str] = IDS, layout: Layout = MASTER) -> Remembered:
    return from_json(raw, ids, ROLES, layout)


def by_id(layout: Layout, values: PerField[Any]) -> dict[str, Any]:
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
    held: BaseValue = {"a row that is empty": None, "one that is still to be told": FORCE}.get(kind, OTHER[target])
    found = read(stored(filled(), {target: held}, customer=None, policy=RowId("p")))
    assert found.monday == filled()
    assert list(found.postgres) == [
        held if field.target == target else value for field, value in zip(MASTER.fields, filled(), strict=True)
    ]
    assert found.tolerated_links == {"customer": None, "policy": RowId("p")}


def test_a_field_that_was_never_read_is_so_on_both_sides() -> None:
    found, name = read(stored(filled({"customers.name": UNSET}))), named("customers.name")
    assert (found.monday[name], found.postgres[name]) == (UNSET, UNSET)
    assert list(found.monday).count(UNSET) == 1


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
    today = layout_of(now)
    found = read(stored(filled(), {"customers.phone": "+13035550199", "customers.notes": FORCE}), layout=today)
    was = by_id(MASTER, filled())
    assert by_id(today, found.monday) == {field: was[field] for field in today.field_ids}
    there = by_id(today, found.postgres)
    assert there["customers.phone/master:customer"] == "+13035550199"
    assert there["customers.notes/master:customer"] is FORCE
    assert {field for field, value in by_id(today, found.monday).items() if value is UNSET} == unset


def test_a_field_that_is_mapped_since_was_never_read() -> None:
    then, name = layout_of(without("customers.name")), named("customers.name")
    nothing = PerField[FieldValue](None for _ in then.fields)
    base = ItemBase("master", 1, datetime(2026, 6, 1, tzinfo=UTC), Links(()), nothing, nothing)
    base[then.fields[0]] = Pair(None, "x")
    found = read(to_json(base, then), then.field_ids)
    assert (found.monday[name], found.postgres[name]) == (UNSET, UNSET)
    assert (list(found.monday).count(UNSET), list(found.postgres).count(UNSET)) == (1, 1)


def test_a_field_that_was_dropped_and_is_back_was_never_read() -> None:
    less = layout_of(without("customers.name"))
    monday = read(stored(filled()), layout=less).monday
    base = ItemBase("master", 1, datetime(2026, 6, 1, tzinfo=UTC), Links(()), monday, monday)
    assert read(to_json(base, less), less.field_ids).monday[named("customers.name")] is UNSET


def test_a_slot_that_is_there_no_more_is_left_out() -> None:
    raw = '{"m":[],"held":{"0":"r1","1":null}}'
    assert from_json(raw, (), ("a role of then", "customer"), MASTER).tolerated_links == {"customer": None}


SEVEN = Decimal("7.50")
STORED: dict[str, tuple[str, list[Any], list[Any], dict[str, Any]]] = {
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
        {ROLES[4]: "r1", ROLES[5]: None},
    ),
    "what a later version adds": ('{"m":["Ann",null,null],"x":{"1":2}}', ["Ann", None, None], ["Ann", None, None], {}),
}
"""Forms that stand in databases: (JSON, monday's side, the row's side, foreign keys), of the fields below."""


@pytest.mark.parametrize("form", STORED)
def test_a_stored_form(form: str) -> None:
    raw, m, p, held = STORED[form]
    fields = [named(target) for target in ("customers.name", "projects.estimated_value", "storms.date_of_loss")]
    for text in (raw, raw.encode()):
        found = read(text, [field.id for field in fields])
        assert [found.monday[field] for field in fields] == m
        assert [found.postgres[field] for field in fields] == p
        assert found.tolerated_links == held


def test_the_form_is_as_short_as_it_can_be() -> None:
    first, second = MASTER.fields[:2]
    base = ItemBase("master", 1, datetime(2026, 6, 1, tzinfo=UTC), Links(()), (m := PerField(("Ann", None))), m)
    assert to_json(base, MASTER) == b'{"m":["Ann",null]}'
    base[first], base[second] = Pair("Ann", FORCE), Pair(UNSET, UNSET)
    assert to_json(base, MASTER) == b'{"m":["Ann",null],"force":[0],"unset":[1]}'


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
    assert digest_of(filled()) == digest_of(PerField(list(filled())))
    assert digest_of(filled()) != digest_of(filled({"customers.notes": "other"}))


@pytest.mark.parametrize(
    ("monday", "postgres", "tolerated"),
    [("Ann", "Ann", 0), ("Ann", "Bob", 1), ("Ann", FORCE, 0), (UNSET, UNSET, 0), (None, "Ann", 1)],
    ids=["equal", "different", "to be told", "never read", "one side empty"],
)
def test_what_counts_as_tolerated(monday: Any, postgres: Any, tolerated: int) -> None:
    base = base_of(filled())
    base[named("customers.name")] = Pair(monday, postgres)
    assert base.count_tolerated(MASTER.fields) == base.tolerated == tolerated


def test_a_value_that_monday_spells_otherwise_is_no_difference() -> None:
    base = base_of(filled())
    base[named("customers.phone")] = Pair("(202) 555-0172", "+12025550172")
    assert base.count_tolerated(MASTER.fields) == 0
