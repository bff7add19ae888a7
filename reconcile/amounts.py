"""Amounts of money: dollars and cents that numeric(14,2) holds."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

_CENT = Decimal("0.01")
_LIMIT = Decimal(10) ** 12
_DIGITS_BEFORE_THE_POINT = 12


def in_cents(amount: Decimal) -> Decimal | None:
    """Rounded, half a cent up, and only then held against the limit; None for what is no number or does not fit.

    >>> in_cents(Decimal("18250.5")), in_cents(Decimal("999999999999.996")), in_cents(Decimal("NaN"))
    (Decimal('18250.50'), None, None)
    """
    if not amount.is_finite() or (amount and amount.adjusted() > _DIGITS_BEFORE_THE_POINT):
        return None  # of an exponent without end nothing can be rounded
    rounded = amount.quantize(_CENT, ROUND_HALF_UP) if amount else Decimal("0.00")
    return rounded if rounded.copy_abs() < _LIMIT else None
