"""The nouns of the core: values and links by name, pairs that are set, and what counts as one and the same."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec import UNSET

from models import RowId
from monday_api import BOARDS
from reconcile.layout import compile_layout
from reconcile.types import FORCE, ItemBase, Links, Pair, PerField
from tests.support.kit import LAYOUTS, state, target_field

MASTER = LAYOUTS["master"]
NAME, PHONE = target_field("master", "customers.name"), target_field("master", "customers.phone")
CUSTOMER = MASTER.slot("customer")


def base() -> ItemBase:
    shows = state("master", 1, {"customers.name": "Ann"})
    links = Links(RowId(slot.role) for slot in MASTER.slots)
    return ItemBase("master", 1, datetime(2026, 6, 1, tzinfo=UTC), links, shows.values, shows.values)


def test_a_value_goes_by_its_field() -> None:
    shows = state("master", 7, {"customers.name": "Ann", "customers.phone": "+12025550172"})
    assert (shows[NAME], shows.values[PHONE], shows.item) == ("Ann", "+12025550172", ("master", 7))
    assert shows.values.of(CUSTOMER) == tuple(shows[field] for field in CUSTOMER.fields)
    assert CUSTOMER.key_values(shows.values) == (shows[CUSTOMER.by_column["email"]],)


def test_a_link_goes_by_its_slot() -> None:
    links = Links([None] * len(MASTER.slots))
    links[CUSTOMER] = RowId("ann")
    assert links[CUSTOMER] == "ann"
    assert dict(zip(MASTER.slots, links, strict=True)) == dict.fromkeys(MASTER.slots) | {CUSTOMER: "ann"}


def test_fields_and_slots_are_what_they_are_called() -> None:
    """Two compilations of one mapping are told apart by nobody."""
    again = compile_layout("master", MASTER.board_id, BOARDS["master"])
    assert (again.fields, again.slots) == (MASTER.fields, MASTER.slots)
    assert {*again.fields, *MASTER.fields} == set(MASTER.fields)
    assert {*again.slots, *MASTER.slots} == set(MASTER.slots)
    assert again.record != LAYOUTS["staff"].record
    assert sorted({*again.fields}) == list(MASTER.fields)
    assert sorted({*again.slots}) == list(MASTER.slots)


def test_values_are_equal_by_what_they_are() -> None:
    assert PerField(["a", UNSET]) == PerField(("a", UNSET)) != PerField(("a", None))
    assert UNSET in PerField(["a", UNSET])
    assert Links([None]) == Links((None,)) != Links([RowId("r")])


@pytest.mark.parametrize("pair", [Pair("Ann", "Bob"), Pair("Cem", "Cem"), Pair("Ann", FORCE), Pair(UNSET, UNSET)])
def test_a_pair_is_set_on_one_side_or_both_and_no_other_field_moves(pair: Pair) -> None:
    known = base()
    known[NAME] = pair
    assert known[NAME] == pair
    assert known[PHONE] == Pair(None, None)


def test_what_nobody_changed_is_shared_by_both_sides() -> None:
    known = base()
    known[NAME] = Pair("Ann", "Ann")
    assert known.postgres is known.monday


def test_a_copy_is_its_own() -> None:
    known = base()
    copy = known.copy()
    copy[NAME] = Pair("Bob", "Bob")
    copy.links[CUSTOMER] = None
    copy.tolerated_links["policy"] = None
    assert (known[NAME], known.links[CUSTOMER], known.tolerated_links) == (Pair("Ann", "Ann"), "customer", {})
