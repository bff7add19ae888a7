"""What has moved since a plan was approved, and whose it is."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from models import RowId
from reconcile.approval import as_json, moved, subject_of, without
from reconcile.changes import Address, Change

PRICE = Address("postgres", "master", 1, "projects", RowId("row-1"), "projects.estimated_value", "numbers0")
NAME = Address("postgres", "master", 2, "customers", RowId("row-2"), "customers.name", "text")
NEW = Address("monday", "master", None, "projects", RowId("row-3"))


def change(address: Address, before: object, after: object, reason: str = "edited on monday") -> Change:
    return as_json(Change(address, "update", before, after, reason))


@pytest.mark.parametrize(
    ("approved", "planned", "new", "gone", "different"),
    [
        ([change(PRICE, 1, 2)], [change(PRICE, 1, 2)], 0, 0, 0),
        ([change(PRICE, 1, 2)], [change(PRICE, 1, 2, "derived")], 0, 0, 0),
        ([change(PRICE, Decimal("1.50"), 2)], [change(PRICE, Decimal("1.50"), 2)], 0, 0, 0),
        ([change(PRICE, 1, 2)], [change(PRICE, 1, 3)], 0, 0, 1),
        ([change(PRICE, 1, 2)], [change(PRICE, 0, 2)], 0, 0, 1),
        ([change(PRICE, 1, 2)], [], 0, 1, 0),
        ([], [change(PRICE, 1, 2)], 1, 0, 0),
        ([change(PRICE, 1, 2)], [change(NAME, "a", "b")], 1, 1, 0),
        ([change(PRICE, 1, 2), change(NAME, "a", "b")], [change(NAME, "a", "b"), change(PRICE, 1, 2)], 0, 0, 0),
    ],
)
def test_what_has_moved(approved: list[Change], planned: list[Change], new: int, gone: int, different: int) -> None:
    found = moved(approved, planned)
    assert (len(found.new), len(found.gone), len(found.different)) == (new, gone, different)
    assert bool(found) == bool(new or gone or different)


def test_a_change_is_its_items_or_its_rows() -> None:
    assert subject_of(change(PRICE, 1, 2)) == ("master", 1)
    assert subject_of(change(NEW, None, None)) == "row-3"
    with pytest.raises(ValueError, match="nobody"):
        subject_of(change(Address("postgres", None, None, "users", None), 1, 2))


def test_everybody_else_is_left() -> None:
    found = moved([change(PRICE, 1, 2), change(NAME, "a", "b")], [change(PRICE, 1, 3), change(NAME, "a", "b")])
    assert found.subjects() == {("master", 1)}
    assert without([change(PRICE, 1, 2), change(NAME, "a", "b")], found.subjects()) == [change(NAME, "a", "b")]


def test_a_change_comes_back_from_a_file_as_it_was() -> None:
    saved = change(PRICE, Decimal("1.50"), ("5 Elm St", None))
    assert msgspec.json.decode(msgspec.json.encode(saved), type=Change) == saved
