"""When a value is lost: it was filled, and gives way to another or to nothing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from models import UNREADABLE
from reconcile.losses import how_lost, is_empty

EMPTIED, CHANGED = "filled → empty", "filled → something else"


@pytest.mark.parametrize(
    ("before", "after", "how"),
    [
        (None, None, ""),
        (None, "Ann", ""),
        ("", "Ann", ""),
        (" ", "Ann", ""),
        ("[]", "[1]", ""),
        ([], ["Estimator"], ""),
        ("Ann", "Ann", ""),
        ("Ann", None, EMPTIED),
        ("Ann", " ", EMPTIED),
        (["Estimator"], None, EMPTIED),
        ("[1]", "[]", EMPTIED),
        ("Ann", "ann", CHANGED),
        (Decimal(0), Decimal(1), CHANGED),
        (False, None, EMPTIED),
        (0, 1, CHANGED),
        (("Ann Lee", "Ann", "Lee"), None, EMPTIED),
        (UNREADABLE, None, EMPTIED),
    ],
)
def test_how_a_value_is_lost(before: Any, after: Any, how: str) -> None:
    assert how_lost(before, after) == how


@pytest.mark.parametrize(
    ("value", "empty"),
    [(None, True), ("", True), ("\t\n", True), ("\xa0", True), ([], True), ((), True), ("[]", True), (" [] ", True),
     ("0", False), (0, False), (Decimal(0), False), ("None", False), ([""], False), (UNREADABLE, False)],
)  # fmt: skip
def test_what_is_empty(value: Any, empty: bool) -> None:
    assert is_empty(value) is empty
