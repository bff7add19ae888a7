"""Dollars and cents that numeric(14,2) holds."""

from __future__ import annotations

from decimal import Decimal

import pytest

from reconcile.amounts import in_cents


@pytest.mark.parametrize(
    ("amount", "cents"),
    [
        ("18250.5", "18250.50"),
        ("0.005", "0.01"),
        ("-0.005", "-0.01"),
        ("0.0049", "0.00"),
        ("-0", "0.00"),
        ("0e50", "0.00"),
        ("1e3", "1000.00"),
        ("999999999999.994", "999999999999.99"),
        ("999999999999.995", None),
        ("-1000000000000", None),
        ("1e999999", None),
        ("NaN", None),
        ("sNaN", None),
        ("Infinity", None),
    ],
)
def test_an_amount_in_cents(amount: str, cents: str | None) -> None:
    found = in_cents(Decimal(amount))
    assert (None if found is None else str(found)) == cents
