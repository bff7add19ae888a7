"""What an edit is, on either side, and what two of them ask for."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import UNSET

from reconcile.decide import agreed, decide, edited_in_postgres, edited_on_monday, same
from reconcile.types import FORCE, Decision, Pair, Verdict
from tests.support.kit import LAYOUTS

PHONE = next(field for field in LAYOUTS["master"].fields if field.id == "customers.phone/master:customer")
ADDRESS = next(field for field in LAYOUTS["master"].fields if field.id == "properties.address/master:property")


@pytest.mark.parametrize(
    ("m", "p", "bm", "bp", "expected"),
    [
        ("2025550172", "(202) 555-0172", None, None, Verdict.SAME),
        ("1", "2", "1", "2", Verdict.TOLERATED),
        ("3", "2", "1", "2", Verdict.TO_POSTGRES),
        (None, "2", "1", "2", Verdict.TO_POSTGRES),
        ("1", "3", "1", "2", Verdict.TO_MONDAY),
        ("1", None, "1", "2", Verdict.TO_MONDAY),
        ("1", "2", "1", FORCE, Verdict.TO_MONDAY),
        ("3", "4", "1", "2", Verdict.CONFLICT),
        ("3", "2", "1", FORCE, Verdict.CONFLICT),
    ],
)
def test_the_verdict_table(m: Any, p: Any, bm: Any, bp: Any, expected: Verdict) -> None:
    assert decide(PHONE, m, p, Pair(bm, bp)).verdict is expected


@pytest.mark.parametrize(
    ("now", "before", "edited"),
    [
        ("1", "1", False),
        ("2", "1", True),
        (None, "1", True),
        ("1", None, True),
        ("1", UNSET, False),
        (UNSET, "1", False),
    ],
)
def test_what_was_not_read_tells_of_no_edit_on_monday(now: Any, before: Any, edited: bool) -> None:
    assert edited_on_monday(PHONE, now, before) is edited


@pytest.mark.parametrize(("now", "before", "edited"), [("1", "1", False), ("2", "1", True), ("1", FORCE, True)])
def test_what_won_and_is_still_to_be_told_counts_as_an_edit_in_postgres(now: Any, before: Any, edited: bool) -> None:
    assert edited_in_postgres(PHONE, now, before) is edited


def test_a_better_parser_is_no_edit_on_monday() -> None:
    read_better = ("5 Elm St, Reno", "5 Elm St", "Reno", None, None)
    assert not edited_on_monday(ADDRESS, read_better, ("5 Elm St, Reno", None, None, None, None))


@pytest.mark.parametrize(
    ("monday", "postgres", "met"),
    [("2025550172", "(202) 555-0172", "2025550172"), ("1", "2", UNSET), ("1", FORCE, UNSET), (UNSET, "1", UNSET)],
)
def test_what_both_agreed_on(monday: Any, postgres: Any, met: Any) -> None:
    assert agreed(PHONE, Pair(monday, postgres)) == met


def test_a_decision_holds_what_it_was_made_of() -> None:
    assert decide(PHONE, "3", "4", Pair("1", "1")) == Decision(Verdict.CONFLICT, "3", "4", "1")
    assert same(PHONE, "3", "3")
