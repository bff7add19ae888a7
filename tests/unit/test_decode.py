"""What cells mean, what is set aside, and what an item carries."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from monday_api import BOARDS
from reconcile.decode import decode
from reconcile.items import decode_item
from reconcile.layout import compile_layout
from tests.support.kit import LAYOUTS, column_of, raw_json, state, target_field

MASTER = LAYOUTS["master"]


@pytest.mark.parametrize(
    ("target", "typed", "value", "bad"),
    [
        ("customers.name", "  Ann ", "Ann", False),
        ("customers.name", "", None, False),
        ("customers.name", "  ", None, False),
        ("customers.name", "a\0b", UNSET, True),
        ("projects.estimated_value", "18250.5", Decimal("18250.50"), False),
        ("projects.estimated_value", "ten", UNSET, True),
        ("projects.estimated_value", "1e12", UNSET, True),
        ("storms.date_of_loss", "yesterday", UNSET, True),
        (
            "properties.address",
            "1 Oak St, Reno, NV 89501",
            ("1 Oak St, Reno, NV 89501", "1 Oak St", "Reno", "NV", "89501"),
            False,
        ),
    ],
)
def test_what_a_cell_means(target: str, typed: str, value: Any, bad: bool) -> None:
    shows = state("master", 1, {target: typed})
    assert shows[target_field("master", target)] == value
    assert [column for column, _reason in shows.bad] == ([column_of("master", target)] if bad else [])
    assert shows[target_field("master", "projects.item_name")] == "Job", "the others are as they were"


def test_a_column_that_is_left_unread_says_nothing_whoever_shows_it() -> None:
    raw = raw_json("master", 1, {"customers.name": "Ann", "users.first_name/Sales Representative": "Bob"})
    shows = decode(MASTER.without({"text65__1", "text22__1"}), decode_item(raw))
    assert shows[target_field("master", "customers.name")] is UNSET
    assert shows[next(field for field in MASTER.fields if "text22__1" in field.cells)] is UNSET
    assert shows.bad == ()


def test_a_column_that_the_answer_lacks_says_nothing() -> None:
    item = decode_item(raw_json("master", 1, {"customers.name": "Ann"}))
    less = msgspec.structs.replace(item, column_values=[cell for cell in item.column_values if cell.id != "text65__1"])
    assert decode(MASTER, less)[target_field("master", "customers.name")] is UNSET


class ShorterThan:
    def __init__(self, length: int) -> None:
        self.length = length

    def refusal(self, value: Any) -> str | None:
        return f"longer than {self.length}" if len(value) > self.length else None


@pytest.mark.parametrize(
    ("column", "target", "typed", "fits"),
    [
        (("customers", "name"), "customers.name", "Ann", True),
        (("customers", "name"), "customers.name", "Annabel", False),
        (("properties", "city"), "properties.address", "1 Oak St, Reno, NV 89501", True),
        (("properties", "city"), "properties.address", "1 Oak St, Sparks, NV 89431", False),
    ],
    ids=["fits", "does not", "a part that fits", "a part that does not"],
)
def test_a_column_of_an_existing_database_that_takes_less(
    column: tuple[str, str], target: str, typed: str, fits: bool
) -> None:
    layout = compile_layout("master", 1, BOARDS["master"], {column: ShorterThan(4)})
    shows = decode(layout, decode_item(raw_json("master", 1, {target: typed})))
    assert (shows[target_field("master", target)] is not UNSET) is fits
    assert [reason for _column, reason in shows.bad] == (
        [] if fits else [f"does not fit {'.'.join(column)}: longer than 4"]
    )


@pytest.mark.parametrize(
    ("text", "marker"),
    [
        ("0E0E0E0E-0000-4000-8000-000000000001", "0e0e0e0e-0000-4000-8000-000000000001"),
        (" 0e0e0e0e-0000-4000-8000-000000000001 ", "0e0e0e0e-0000-4000-8000-000000000001"),
        ("0e0e0e0e", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_the_id_of_a_row_that_an_item_carries(text: str | None, marker: str) -> None:
    item = msgspec.json.decode(raw_json("master", 1))
    item["column_values"].append({"id": "pg_sync_id", "type": "text", "text": text})
    assert decode(MASTER, decode_item(msgspec.json.encode(item))).marker == marker
