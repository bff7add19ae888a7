"""A cell's value as the activity log of a board tells it, and what cannot be read of it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from msgspec import UNSET

from reconcile.activity_values import logged_value
from reconcile.columns import DATE, EMAIL, LINK, MONEY, NAME, PHONE, STATUS, TEXT, Codec

LABELS = {1: "Storm Team", 5: "Grey"}


@pytest.mark.parametrize(
    ("codec", "raw", "value"),
    [
        (TEXT, "roof", "roof"),
        (TEXT, {"value": " roof "}, "roof"),
        (TEXT, '{"value": "roof"}', "roof"),
        (TEXT, '{"a note": 1}', '{"a note": 1}'),
        (TEXT, 7, "7"),
        (TEXT, True, UNSET),
        (NAME, {"name": "Lee"}, "Lee"),
        (MONEY, {"value": "7.5"}, Decimal("7.50")),
        (MONEY, "seven", UNSET),
        (EMAIL, {"email": "a@b.co", "text": "Ann"}, "a@b.co"),
        (EMAIL, "Ann", UNSET),
        (PHONE, {"phone": "2025550172", "countryShortName": "US"}, "2025550172"),
        (LINK, {"url": "https://x.co", "text": "Job"}, "https://x.co"),
        (DATE, {"date": "2026-04-30"}, date(2026, 4, 30)),
        (DATE, "30 Apr", UNSET),
        (STATUS, {"label": {"text": "Storm Team", "index": 1}}, "Storm Team"),
        (STATUS, {"index": 1}, "Storm Team"),
        (STATUS, 1, "Storm Team"),
        (STATUS, {"index": 9}, UNSET),
        (TEXT, None, None),
        (TEXT, {}, None),
        (TEXT, "", None),
        (EMAIL, {"v2": 1}, UNSET),
    ],
)
def test_what_a_log_entry_says(codec: Codec, raw: Any, value: Any) -> None:
    assert logged_value(codec, raw, labels=LABELS) == value


@pytest.mark.parametrize(("labels", "value"), [({}, None), (LABELS, "Grey")], ids=["nobody named it", "named"])
def test_the_grey_label(labels: dict[int, str], value: str | None) -> None:
    assert logged_value(STATUS, 5, labels=labels) == value


def test_the_text_beside_it_where_the_value_cannot_be_read() -> None:
    assert logged_value(EMAIL, {"v2": 1}, "a@b.co") == "a@b.co"
    assert logged_value(EMAIL, {"v2": 1}, 7) is UNSET
