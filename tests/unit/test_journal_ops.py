"""What the journal keeps of a write, and what is remembered once its outcome is known."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from models import RowId
from reconcile.decode import decode
from reconcile.items import decode_item
from reconcile.journal_ops import ChangeOp, CreateOp, Seen, change_op, changed_base, create_op, created_base, seen
from reconcile.push_plan import ItemCreate, ItemPush
from reconcile.types import FORCE, Conflict, Field, ItemBase, ItemState, Links, Pair
from tests.support.kit import LAYOUTS, raw_json, state, target_field

MASTER = LAYOUTS["master"]
CUSTOMER = MASTER.slot("customer")
ANN, BOB, RECORD = RowId("ann"), RowId("bob"), RowId("record")
VALUES = {
    "projects.estimated_value": Decimal("18250.50"),
    "storms.date_of_loss": date(2026, 4, 30),
    "properties.address": ("1 Oak St, Reno", "1 Oak St", "Reno", None, None),
    "customers.name": "Ann",
    "customers.notes": None,
}
"""A value of each form that a field may have."""


def named(target: str) -> Field:
    return target_field("master", target)


def sent(shows: ItemState, told: dict[str, Any]) -> ItemPush:
    made = ItemPush("master", 1, shows, remembered(shows))
    made.targets = {named(target): value for target, value in told.items()}
    return made


def kept(op: ChangeOp | CreateOp) -> Any:
    """Through the journal's JSON."""
    return msgspec.json.decode(msgspec.json.encode(op), type=type(op))


def remembered(shows: ItemState, **held: Any) -> ItemBase:
    return ItemBase(
        "master", 1, shows.updated_at, Links([None] * len(MASTER.slots)), shows.values, shows.values, **held
    )


@pytest.mark.parametrize("target", VALUES)
def test_a_value_comes_back_from_the_journal_as_it_was(target: str) -> None:
    op = kept(change_op(sent(state("master", 1), VALUES), MASTER))
    field = named(target)
    assert field.load(op.target[field.id]) == VALUES[target]


def test_an_op_speaks_by_names() -> None:
    made = sent(state("master", 1, {"customers.name": "Bob"}), {"customers.name": "Ann"})
    made.moved = {"customer": ANN, "estimator": None}
    place = (("master", 1), "customer", "customers.name/master:customer", "customers", ANN)
    made.conflicts = [Conflict(*place, "postgres", "Ann", "monday", "Bob")]
    op = kept(change_op(made, MASTER))
    assert op.expected == {"customers.name/master:customer": "Bob"}
    assert op.target == {"customers.name/master:customer": "Ann"}
    assert op.links == {"customer": ANN, "estimator": None}
    assert [(lost.item, lost.kept, lost.agreed) for lost in op.conflicts] == [(("master", 1), "Ann", UNSET)]


@pytest.mark.parametrize(
    ("shows", "outcome"),
    [
        ({"customers.name": "Anna", "customers.phone": "+13035550199"}, Seen.DONE),
        ({"customers.name": "Anna", "customers.phone": "(303) 555-0199"}, Seen.DONE),
        ({"customers.name": "Ann", "customers.phone": "2025550172"}, Seen.NOT_DONE),
        ({"customers.name": "Anna", "customers.phone": "2025550172"}, Seen.EDITED),
        ({"customers.name": "Eve", "customers.phone": "+13035550199"}, Seen.EDITED),
        ({"customers.name": "Anna", "customers.phone": "+13035550199", "customers.notes": "x"}, Seen.DONE),
    ],
    ids=["done", "done, spelled otherwise", "not done", "half", "edited since", "done, and another cell edited"],
)
def test_what_an_item_says_of_a_lost_answer(shows: dict[str, str], outcome: Seen) -> None:
    before = state("master", 1, {"customers.name": "Ann", "customers.phone": "+12025550172"})
    made = sent(before, {"customers.name": "Anna", "customers.phone": "+13035550199"})
    assert seen(kept(change_op(made, MASTER)), state("master", 1, shows), MASTER) is outcome


def test_a_column_that_is_mapped_no_more_has_no_say() -> None:
    op = ChangeOp({"gone": "1"}, {"gone": "2"})
    assert seen(op, state("master", 1), MASTER) is Seen.DONE


def test_a_cell_that_cannot_be_read_does_not_say_that_it_was_written() -> None:
    op = change_op(sent(state("master", 1), {"projects.estimated_value": Decimal(7)}), MASTER)
    assert seen(op, state("master", 1, {"projects.estimated_value": "seven"}), MASTER) is Seen.EDITED


# After a change -------------------------------------------------------------------------------------------------------


def test_what_was_sent_is_remembered_beside_what_monday_made_of_it() -> None:
    before = state("master", 1, {"customers.name": "Ann"})
    op = kept(change_op(sent(before, {"customers.phone": "3035550199"}), MASTER))
    now = state("master", 1, {"customers.name": "Ann", "customers.phone": "+13035550199"})
    base = changed_base(op, remembered(before), now, MASTER)
    assert base[named("customers.phone")] == Pair("+13035550199", "3035550199")
    assert [p for p, m in zip(base.postgres, base.monday, strict=True) if p != m] == ["3035550199"]
    assert (base.content_hash, base.tolerated) == ("hash", 0)


@pytest.mark.parametrize(
    ("shows", "waits", "looked_at_again"),
    [({}, False, False), ({"customers.notes": "x"}, False, True), ({}, True, True)],
    ids=["nothing else", "another cell was edited", "something of it waits"],
)
def test_what_else_changed_is_an_edit_of_somebodys(shows: dict[str, str], waits: bool, looked_at_again: bool) -> None:
    before = state("master", 1, {"customers.name": "Ann"})
    op = kept(change_op(sent(before, {"customers.name": "Anna"}), MASTER))
    base = changed_base(
        op, remembered(before), state("master", 1, {"customers.name": "Anna"} | shows), MASTER, waits=waits
    )
    assert (base.content_hash is None) is looked_at_again
    assert base.monday[named("customers.name")] == "Anna"
    assert base.monday[named("customers.notes")] is None, "the edit stands against what was remembered"


def test_a_cell_that_cannot_be_read_right_after_shows_what_was_sent() -> None:
    before = state("master", 1)
    op = kept(change_op(sent(before, {"projects.estimated_value": Decimal("7.00")}), MASTER))
    base = changed_base(op, remembered(before), state("master", 1, {"projects.estimated_value": "seven"}), MASTER)
    assert base.monday[named("projects.estimated_value")] == Decimal("7.00")


def test_a_slot_that_shows_another_row_from_then_on() -> None:
    before = state("master", 1)
    made = sent(before, {"customers.name": "Bob"})
    made.moved = {"customer": BOB}
    known = remembered(before, tolerated_links={"customer": ANN, "policy": RECORD})
    base = changed_base(kept(change_op(made, MASTER)), known, before, MASTER)
    assert base.links[CUSTOMER] == BOB
    assert base.tolerated_links == {"policy": RECORD}


def test_what_a_loser_was_to_be_told_is_told() -> None:
    before = state("master", 1, {"customers.name": "Ann"})
    base, name = remembered(before), named("customers.name")
    base[name] = Pair(base.monday[name], FORCE)
    op = kept(change_op(sent(before, {"customers.name": "Anna"}), MASTER))
    base = changed_base(op, base, state("master", 1, {"customers.name": "Anna"}), MASTER)
    assert base.postgres == base.monday


# After an item was made -----------------------------------------------------------------------------------------------


def made(told: dict[str, Any], uncarried: set[str] = frozenset()) -> CreateOp:  # type: ignore[assignment]
    links = Links({"project": RECORD, "customer": ANN}.get(slot.role) for slot in MASTER.slots)
    create = ItemCreate("master", RECORD, "Job", links)
    create.targets = {named(target): value for target, value in told.items()}
    create.uncarried = {named(target) for target in uncarried}
    op: CreateOp = kept(create_op(create, MASTER))
    return op


def test_a_new_item_by_names() -> None:
    op = made({"customers.name": "Ann"}, {"customers.phone"})
    assert op.links == {"project": RECORD, "customer": ANN}
    assert (op.target, op.uncarried) == ({"customers.name/master:customer": "Ann"}, ["customers.phone/master:customer"])


@pytest.mark.parametrize(
    ("late", "shows", "differs", "edited"),
    [
        (False, "Ann", False, False),
        (False, "Eve", True, False),
        (True, "Ann", False, False),
        (True, "Eve", False, True),
    ],
    ids=["at once, as sent", "at once, otherwise: monday's way", "late, as sent", "late, otherwise: an edit"],
)
def test_what_is_remembered_of_a_new_item(late: bool, shows: str, differs: bool, edited: bool) -> None:
    base = created_base(
        made({"customers.name": "Ann"}), state("master", 1, {"customers.name": shows}), MASTER, late=late
    )
    pair = base[named("customers.name")]
    assert (pair.monday, pair.postgres != pair.monday) == ("Ann" if late else shows, differs)
    assert (base.content_hash is None) is edited
    assert list(base.links) == [{"project": RECORD, "customer": ANN}.get(slot.role) for slot in MASTER.slots]


def test_a_cell_that_did_not_go_with_it_is_told_later() -> None:
    base = created_base(made({}, {"customers.phone"}), state("master", 1), MASTER, late=False)
    assert base[named("customers.phone")] == Pair(None, FORCE)


def test_so_is_one_that_is_not_even_read() -> None:
    unread = MASTER.without({"phone_1__1"})
    op = made({}, {"customers.phone"})
    shows = decode(unread, decode_item(raw_json("master", 1)))
    assert shows[named("customers.phone")] is UNSET
    base = created_base(op, shows, MASTER, late=False)
    assert base[named("customers.phone")] == Pair(None, FORCE)
