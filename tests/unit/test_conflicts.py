"""Who wins a conflict, and what is kept of one that waits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from models import RowId
from reconcile.columns import Policy
from reconcile.conflicts import winner
from reconcile.types import Conflict, Winner
from tests.support.kit import LAYOUTS

FIELD = LAYOUTS["master"].fields[0]


@pytest.mark.parametrize("chosen", [None, "monday", "pg", "manual"])
@pytest.mark.parametrize("mapped", ["monday", "pg", "manual"])
def test_what_was_chosen_for_the_run_overrides_the_mapping(mapped: Policy, chosen: Policy | None) -> None:
    wins: dict[Policy, Winner] = {"monday": "monday", "pg": "postgres", "manual": "nobody"}
    assert winner(replace(FIELD, policy=mapped), chosen) == wins[chosen or mapped]


def test_one_that_is_left_open_keeps_both_sides_and_has_no_winner() -> None:
    lost = Conflict(
        ("master", 1), "customer", "customers.phone/master:customer", "customers", RowId("r"), "postgres", "2",
        "monday", "3", monday="3", postgres="2", agreed="1",
    )  # fmt: skip
    left = lost.left_open()
    assert (left.open, left.kept_from, left.kept, left.lost_from, left.lost) == (True, "nobody", None, "monday", "3")
    assert (left.monday, left.postgres, left.agreed, left.place) == ("3", "2", "1", lost.place)
