"""What monday is known to refuse, said in words without the value before a request is spent on it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from reconcile import rejections
from reconcile.items import Cell

US, DE = (Cell("phone", country_short_name=country) for country in ("US", "DE"))


@pytest.mark.parametrize(
    ("kind", "value", "was", "word"),
    [
        (rejections.text, "x" * 2_000, None, None),
        (rejections.text, "x" * 2_001, None, "2,001 bytes"),
        (rejections.text, "é" * 1_001, None, "2,002 bytes"),
        (rejections.item_name, "é" * 255, None, None),
        (rejections.item_name, "x" * 256, None, "255 characters"),
        (rejections.email, "ann@x.co", None, None),
        (rejections.email, "ann.o'hara+roof@mail.x.co", None, None),
        (rejections.email, "ann@x", None, "no e-mail"),
        (rejections.email, "ann x@x.co", None, "no e-mail"),
        (rejections.email, "ann@x.co bob@x.co", None, "no e-mail"),
        (rejections.link, "https://x.co/1", None, None),
        (rejections.link, "HTTP://x.co", None, None),
        (rejections.link, "x.co/1", None, "no link"),
        (rejections.link, "ftp://x.co", None, "no link"),
        (rejections.link, "https://x.co/a b", None, "no link"),
        (rejections.link, "https://x.co/" + "x" * 2_000, None, "bytes"),
        (rejections.phone, "+12025550172", None, None),
        (rejections.phone, "(202) 555-0172", None, None),
        (rejections.phone, "030 901820", DE, None),
        (rejections.phone, "030 901820", US, "no valid phone"),
        (rejections.phone, "+12025550172 ext. 7", None, "no valid phone"),
        (rejections.phone, "1-800-PLUMBER", None, "no valid phone"),
        (rejections.phone, "12", None, "no valid phone"),
        (rejections.money, Decimal("999999999999.99"), None, None),
        (rejections.money, Decimal("-5"), None, None),
        (rejections.money, Decimal("1e12"), None, "1,000,000,000,000"),
        (rejections.money, Decimal("NaN"), None, "1,000,000,000,000"),
        (rejections.money, Decimal("Infinity"), None, "1,000,000,000,000"),
        (rejections.money, "12", None, "1,000,000,000,000"),
    ],
)
def test_what_is_refused(
    kind: Callable[[Any, Cell | None], str | None], value: Any, was: Cell | None, word: str | None
) -> None:
    reason = kind(value, was)
    if word is None:
        assert reason is None
        return
    assert reason is not None
    assert word in reason
    assert str(value) not in reason, "a value is nobody's business in a log"


@pytest.mark.parametrize(
    ("value", "was", "country"),
    [
        ("2025550172", None, "US"),
        ("+49 30 901820", None, "DE"),
        ("030 901820", DE, "DE"),
        ("+1 202 555 0172", DE, "US"),
        ("no number", DE, "DE"),
        ("no number", Cell("phone", country_short_name="XX"), "US"),
        ("no number", None, "US"),
    ],
)
def test_the_country_that_a_number_is_sent_with(value: str, was: Cell | None, country: str) -> None:
    assert rejections.phone_country(value, was) == country
