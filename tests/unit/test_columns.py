"""Codecs and the mapping: what a cell means, that encoding is undone by decoding, and that nothing is missing."""

from __future__ import annotations

import csv
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monday_api import BOARDS, MASTER_PROJECT_COLUMN_MAP
from reconcile.address import UNPARSED, _parse_freely, parse
from reconcile.columns import CODECS, DATE, EMAIL, FILES, LINK, MONEY, PHONE, STATUS, TEXT, Codec, Column, Value
from reconcile.errors import CellError
from reconcile.fields import person_name
from reconcile.items import Cell, decode_item
from reconcile.keys import address_key, email_key, name_key, policy_key
from reconcile.layout import compile_layout
from reconcile.tables import TABLES
from tests.support.kit import BOARD_IDS, raw_json

FACTS = Path(__file__).resolve().parents[3] / "shared" / "monday" / "columns.csv"
EVERY_COLUMN = [
    (board, column_id, column) for board, columns in BOARDS.items() for column_id, column in columns.items()
]


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.monday_type)
def test_examples_of_every_codec(codec: Codec) -> None:
    for fields, value in codec.examples:
        assert codec.decode(_cell(codec, fields)) == value


def _cell(codec: Codec, fields: dict[str, Any]) -> Cell:
    from msgspec import convert

    return convert({"id": "c", "type": codec.monday_type, **fields}, Cell)


# How monday.com shows what was written, per type (monday docs): the form that `encode` sends → typed fields.
_SHOWN: tuple[tuple[Codec, Any], ...] = (
    (TEXT, lambda sent: {"text": sent or ""}),
    (MONEY, lambda sent: {"text": "" if sent is None else format(Decimal(sent).normalize(), "f")}),
    (EMAIL, lambda sent: {"email": sent and sent["email"], "label": sent and sent["text"]}),
    (
        PHONE,
        lambda sent: {
            "phone": sent["phone"] if sent else "",
            "country_short_name": sent and sent["countryShortName"],
        },
    ),
    (LINK, lambda sent: {"url": sent and sent["url"], "url_text": sent and sent["text"]}),
    (STATUS, lambda sent: {"label": sent and sent["label"], "index": 1}),
    (DATE, lambda sent: {"date": sent["date"] if sent else "", "time": "", "value": None}),
)
_PLAIN_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=60)
_TEXT = _PLAIN_TEXT.map(str.strip).filter(bool)
_VALUES: dict[str, st.SearchStrategy[Value]] = {
    "numbers": st.decimals(Decimal("-999999999999.99"), Decimal("999999999999.99"), places=2),
    "date": st.dates(),
}


@pytest.mark.parametrize(("codec", "shown"), _SHOWN, ids=[codec.monday_type for codec, _ in _SHOWN])
def test_what_is_encoded_decodes_to_the_same(codec: Codec, shown: Any) -> None:
    @given(st.none() | _VALUES.get(codec.monday_type, _TEXT))
    def law(value: Value) -> None:
        assert codec.decode(_cell(codec, shown(codec.encode(value, None)))) == value

    law()


@pytest.mark.parametrize(
    ("codec", "fields"),
    [
        (MONEY, {"text": "12 dollars"}),
        (MONEY, {"text": "NaN"}),
        (MONEY, {"text": "1e15"}),
        (MONEY, {"text": "9e337203675808"}),
        (TEXT, {"text": "a\0b"}),
        (DATE, {"date": "30.04.2026", "time": ""}),
        (EMAIL, {"text": "a@x.co"}),
        (FILES, {"text": ""}),
    ],
)
def test_a_bad_cell_is_refused_without_its_value(codec: Codec, fields: dict[str, Any]) -> None:
    with pytest.raises(CellError) as caught:
        codec.decode(_cell(codec, fields))
    assert not any(str(value) in str(caught.value) for value in fields.values() if value and value != "NaN")


def test_a_label_survives_a_new_address_and_a_link_keeps_its_text() -> None:
    was = Cell("c", "email", email="old@x.co", label="The office")
    assert EMAIL.encode("new@x.co", was) == {"email": "new@x.co", "text": "The office"}
    assert LINK.encode("https://new", Cell("c", "link", url="https://old", url_text="Job")) == {
        "url": "https://new",
        "text": "Job",
    }


def test_a_lone_surrogate_is_quarantined_and_the_item_goes_on() -> None:
    raw = raw_json("master", 1, {"projects.description": "x", "customers.name": "Ann"}).replace(b'"x"', rb'"\ud800"')
    layout = compile_layout("master", BOARD_IDS["master"], MASTER_PROJECT_COLUMN_MAP)
    state = layout.decode(decode_item(raw))
    assert [column for column, _reason in state.bad] == ["text40__1"]
    assert "Ann" in state.values


# The mapping --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("board", "column_id", "column"), EVERY_COLUMN, ids=lambda part: str(part)[:20])
def test_every_column_has_a_place_in_a_model(board: str, column_id: str, column: Column) -> None:
    if column.target:
        assert column.column in TABLES[column.table].__struct_fields__
    else:
        assert column.direction == "create-only"


def test_the_mapping_is_the_list_of_facts() -> None:
    if not FACTS.exists():
        pytest.skip("the list of column facts is not beside the project")
    facts = {(row["board"], row["column_id"]): row for row in csv.DictReader(FACTS.read_text("utf-8").splitlines())}
    assert [(board, column_id) for board, column_id, _ in EVERY_COLUMN] == list(facts)
    for board, column_id, column in EVERY_COLUMN:
        row = facts[board, column_id]
        target = row["column"] if row["column"] != "street+city+state+zip" else "address"
        told = (row["title"], row["monday_type"], row["table"], target, row["role"] or None, row["direction"])
        said = (column.title, column.codec.monday_type, column.table, column.column, column.role, column.direction)
        assert said == told


def test_a_new_column_is_one_line() -> None:
    columns = {**MASTER_PROJECT_COLUMN_MAP, "text99": Column("Roof colour", TEXT, "customers.notes")}
    layout = compile_layout("master", 1, {**columns})
    from monday.queries import board_queries

    assert "text99" in board_queries("master", 1, columns).column_ids
    assert [field.cells for field in layout.fields if "text99" in field.cells] == [("text99",)]


# Names, addresses, keys -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["Ann Lee Poe"], ("Ann Lee Poe", "Ann", "Lee Poe")),
        (["Cher"], ("Cher", "Cher", None)),
        (["Ann", "Poe"], ("Ann Poe", "Ann", "Poe")),
        ([None, "Poe"], ("Poe", None, "Poe")),
        ([None], None),
        ([None, None], None),
    ],
)
def test_names(cells: list[Value], expected: Any) -> None:
    assert person_name(cells) == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("12 Main St, Denver, CO 80202", ("12 Main St", "Denver", "CO", "80202")),
        (
            "12 N Main Street, Apt 4, Denver, CO 80202-1234, USA",
            ("12 N Main Street, Apt 4", "Denver", "CO", "80202-1234"),
        ),
        ("12 Main St Denver CO 80202", ("12 Main St", "Denver", "CO", "80202")),
        ("PO Box 12, Aurora CO", ("PO Box 12", "Aurora", "CO", None)),
        ("12 Calle Sol, San Juan, PR 00907", ("12 Calle Sol", "San Juan", "PR", "00907")),
        ("ask the neighbour", tuple(UNPARSED)),
        ("x" * 5_000, tuple(UNPARSED)),
    ],
)
def test_addresses(address: str, expected: tuple[str | None, ...]) -> None:
    assert tuple(parse(address)) == expected


@pytest.mark.parametrize("street", ["12 Main St", "4512 W Ridge Road", "9 Sunset Blvd, Unit 2", "77 County Road 12"])
@pytest.mark.parametrize("city", ["Denver", "Fort Collins", "St. Paul"])
def test_the_plain_pattern_agrees_with_the_parser(street: str, city: str) -> None:
    for address in (f"{street}, {city}, CO 80202", f"{street} {city} CO 80202".replace(",", "")):
        assert parse(address) == _parse_freely(address)


@given(st.text(max_size=120))
def test_no_text_breaks_the_parsers(text: str) -> None:
    parse(text)
    assert email_key(text) == email_key(f" {text} ")
    assert name_key(text) == name_key(text.strip())
    assert address_key("c", text) == address_key("c", f"{text} ")
    if text.replace("-", " ").strip():  # a number of dashes alone is found by them
        assert policy_key("i", text) == policy_key("i", text.replace("-", " "))


def test_long_keys_fit_an_index() -> None:
    assert len((email_key("a" * 64_000 + "@x.co") or "").encode()) < 512
    assert email_key("a" * 64_000 + "@x.co") != email_key("a" * 64_001 + "@x.co")


def test_dates_with_a_time_are_utc() -> None:
    cell = Cell("c", "date", date="2026-04-30", time="20:00:00", value='{"date":"2026-05-01","time":"01:00:00"}')
    assert DATE.decode(cell) == date(2026, 5, 1)
