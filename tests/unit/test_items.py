"""An item as monday sends it: typed, bounded, and never lost for one hostile sign."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from reconcile.items import decode_item, instant, raw_item, without_lone_surrogates

ITEM = b'{"id":"7","updated_at":"2026-05-01T08:00:00Z","name":"%s","column_values":[]}'


def test_an_item() -> None:
    head = raw_item(ITEM % b"Job")
    assert (head.id, head.updated_at, head.raw) == (7, "2026-05-01T08:00:00Z", ITEM % b"Job")
    assert decode_item(head.raw).name == "Job"


@pytest.mark.parametrize("order", ['{"updated_at":"x","id":"7"}', '{ "id": "7", "updated_at": "x" }'])
def test_its_head_in_any_order(order: str) -> None:
    assert raw_item(order.encode()).id == 7


@pytest.mark.parametrize(
    "raw",
    [
        b"{}",
        b"[]",
        b'{"id":7,"updated_at":"x"}',
        b'{"id":"7x","updated_at":"x"}',
        b'{"id":"1234567890123456789","updated_at":"x"}',
        b'{"id":"\xff","updated_at":"x"}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_item(raw: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        raw_item(raw)
    with pytest.raises(msgspec.DecodeError):
        decode_item(raw)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (rb"\ud83c\udfe0", "🏠"),
        (rb"a\ud83cb", "a\0b"),
        (rb"a\udfe0b", "a\0b"),
        (rb"\ud83c\ud83c\udfe0", "\0🏠"),
        (rb"\\ud83c", r"\ud83c"),
        (rb"\\\ud83c", "\\\0"),
        (rb"\\ud83c\udfe0", "\\ud83c\0"),
    ],
    ids=[
        "a pair",
        "a first half",
        "a second half",
        "a half before a pair",
        "text",
        "a backslash before",
        "text before a half",
    ],
)
def test_half_a_sign_costs_itself_alone(text: bytes, name: str) -> None:
    assert decode_item(ITEM % text).name == name
    assert without_lone_surrogates(ITEM % b"Job") == ITEM % b"Job"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-05-01T08:00:00Z", datetime(2026, 5, 1, 8, tzinfo=UTC)),
        ("2026-05-01T08:00:00", datetime(2026, 5, 1, 8, tzinfo=UTC)),
        ("2026-05-01T10:00:00+02:00", datetime(2026, 5, 1, 8, tzinfo=UTC)),
        ("2026-05-01T08:00:00.5Z", datetime(2026, 5, 1, 8, 0, 0, 500_000, tzinfo=UTC)),
    ],
)
def test_a_time(text: str, moment: datetime) -> None:
    assert instant(text) == moment


@pytest.mark.parametrize("text", ["", "now", "0001-01-01T00:00:00+02:00", "9999-12-31T23:59:59-02:00"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(msgspec.DecodeError):
        instant(text)
