"""Which texts are one phone number, and in which country monday takes a text."""

from __future__ import annotations

import pytest

from reconcile.phones import canonical, country_for, region_of

NUMBER = "+12025550172"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("2025550172", NUMBER),
        ("(202) 555-0172", NUMBER),
        ("1-202-555-0172", NUMBER),
        ("+1 202.555.0172", NUMBER),
        ("\u202a202 555 0172\u202c", NUMBER),
        ("202/555/0172", NUMBER),
        ("+1 202 555 0172 ext. 7", f"{NUMBER};ext=7"),
        ("202-555-0172 x7", f"{NUMBER};ext=7"),
        ("+49 30 901820", "+4930901820"),
        ("1-800-PLUMBER", "+18007586237"),
        ("202-555-0172 ask for Bob", "2025550172askforBob"),
        ("call Bob", "callBob"),
        ("12", "12"),
    ],
)
def test_what_a_number_is_compared_by(text: str, number: str) -> None:
    assert canonical(text) == number


@pytest.mark.parametrize(
    ("text", "named", "country"),
    [
        ("2025550172", None, "US"),
        ("2025550172", "US", "US"),
        ("030 901820", "DE", "DE"),
        ("030 901820", None, None),
        ("+49 30 901820", "US", "DE"),
        ("2025550172 x7", "US", None),
        ("call Bob", "US", None),
        ("1" * 300, "US", None),
    ],
)
def test_where_monday_takes_it(text: str, named: str | None, country: str | None) -> None:
    assert country_for(text, named) == country


@pytest.mark.parametrize(("named", "region"), [("de", "DE"), (" US ", "US"), ("XX", "US"), (None, "US"), (7, "US")])
def test_the_country_that_a_cell_names(named: object, region: str) -> None:
    assert region_of(named) == region
