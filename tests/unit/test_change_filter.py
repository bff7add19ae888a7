"""What is kept of a page: new and changed items, items that came back, and none that is older than what is known."""

from __future__ import annotations

import pytest

from reconcile.change_filter import ChangeFilter, hash_key
from reconcile.items import raw_item
from tests.support.kit import EARLY, LAYOUTS, raw_json
from tests.unit.adapter import Known

KEY = hash_key({})
AT = 1_777_622_400  # EARLY, in seconds


def content_hash(raw: bytes, key: bytes = KEY) -> str | None:
    change_filter = ChangeFilter(LAYOUTS["master"], key, {})
    change_filter.take([raw_item(raw)])
    return change_filter.states[1].content_hash


SAME = content_hash(raw_json("master", 1))


@pytest.mark.parametrize(
    ("known", "kept", "unchanged", "outdated"),
    [
        (None, True, 0, 0),
        (Known(SAME, AT, "active"), False, 1, 0),
        (Known("other", AT, "active"), True, 0, 0),
        (Known("other", AT + 1, "active"), False, 0, 1),
        (Known(None, AT, "active"), True, 0, 0),
        (Known(SAME, AT, "archived"), True, 0, 0),
        (Known(SAME, AT, "missing"), True, 0, 0),
    ],
    ids=["new", "same", "changed", "older", "open", "restored", "back"],
)
def test_what_is_kept(known: Known | None, kept: bool, unchanged: int, outdated: int) -> None:
    change_filter = ChangeFilter(LAYOUTS["master"], KEY, {} if known is None else {1: known})
    change_filter.take([raw_item(raw_json("master", 1, at=EARLY))])
    assert (1 in change_filter.states, change_filter.unchanged, change_filter.outdated, change_filter.seen) == (
        kept,
        unchanged,
        outdated,
        1,
    )


def test_another_mapping_makes_every_item_worth_a_look() -> None:
    assert content_hash(raw_json("master", 1), hash_key({}, "a narrower column")) != SAME


def test_of_two_states_of_one_item_the_newer_is_kept() -> None:
    old, new = raw_json("master", 1, name="old"), raw_json("master", 1, name="new", at="2026-05-02T08:00:00Z")
    for order in ([old, new], [new, old]):
        change_filter = ChangeFilter(LAYOUTS["master"], KEY, {})
        change_filter.take([raw_item(raw) for raw in order])
        assert "new" in change_filter.states[1].values
