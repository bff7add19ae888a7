"""Rows → cells: what a field tells is what its cells say when they are read again, and what is known to be refused."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import convert

from monday_api import BOARDS
from reconcile.address import Parts, composed, parse
from reconcile.columns import DATE, EMAIL, LINK, MONEY, NAME, PHONE, STATUS, TEXT, Codec, Column
from reconcile.encode import write_form
from reconcile.errors import CellError
from reconcile.fields import completed_address, completed_name, completed_value
from reconcile.items import Cell
from reconcile.types import Field
from tests.support.kit import LAYOUTS
from tests.unit.test_columns import _SHOWN, _TEXT, _VALUES

SHOWN = {codec.monday_type: shown for codec, shown in _SHOWN}
TWO_WAY = [(board, field) for board, layout in LAYOUTS.items() for field in layout.fields if field.two_way]
_WORD = st.from_regex(r"[A-Z][a-z]{1,8}", fullmatch=True)


def _values(field: Field) -> st.SearchStrategy[Any]:
    if len(field.columns) == 3:
        return st.tuples(_WORD, _WORD | st.none()).map(lambda parts: completed_name((None, *parts), None))
    if len(field.columns) == 5:
        return _TEXT.map(lambda raw: completed_address((raw, None, None, None, None), None))
    return _VALUES.get(field.codec.monday_type, _TEXT)


@pytest.mark.parametrize(("board", "field"), TWO_WAY, ids=[field.id for _, field in TWO_WAY])
def test_what_is_told_is_what_is_read_again(board: str, field: Field) -> None:
    @given(_values(field))
    def law(value: Any) -> None:
        cells = [
            field.codec.decode(_shown(BOARDS[board][column_id].codec, field.codec.encode(told, None)))
            for column_id, told in zip(field.cells, field.to_cells(value), strict=True)
        ]
        again = field.from_cells(cells, "The item") if field.from_cells is not None else cells[0]
        assert field.compare_key(again) == field.compare_key(value)

    law()


def _shown(codec: Codec, sent: Any) -> Cell:
    shown = SHOWN[codec.monday_type if codec is not NAME else "text"](sent)
    return convert({"id": "c", "type": codec.monday_type, **shown}, Cell)


WAS = ("Ann Lee", "Ann", "Lee")


@pytest.mark.parametrize(
    ("now", "was", "whole"),
    [
        (WAS, WAS, WAS),
        (("Bob Roe", "Ann", "Lee"), WAS, ("Bob Roe", "Bob", "Roe")),
        (("Ann Lee", "Anna", "Lee"), WAS, ("Anna Lee", "Anna", "Lee")),
        (("Ann Lee", "Ann", None), WAS, ("Ann", "Ann", None)),
        (("Bob Roe", "Robert", "Roe"), WAS, ("Bob Roe", "Robert", "Roe")),
        ((None, "Ann", "Lee"), WAS, None),
        ((" Ann Lee ", None, None), None, ("Ann Lee", "Ann", "Lee")),
        ((None, "Zoe", "New"), None, ("Zoe New", "Zoe", "New")),
        (("Ann Lee", None, None), WAS, ("Ann Lee", "Ann", "Lee")),
        (None, WAS, None),
        (("", " ", None), None, None),
    ],
)
def test_a_name_is_made_whole_from_the_part_that_was_edited(now: Any, was: Any, whole: Any) -> None:
    assert completed_name(now, was) == whole
    assert completed_name(whole, was) in (whole, completed_name(now, was))


HOME = ("1 A St, Reno, NV 89501", "1 A St", "Reno", "NV", "89501")
NOWHERE = ("behind the church", None, None, None, None)


@pytest.mark.parametrize(
    ("now", "was", "whole"),
    [
        (HOME, HOME, HOME),
        ((HOME[0], "1 A St", "Elko", "NV", "89801"), HOME, ("1 A St, Elko, NV 89801", "1 A St", "Elko", "NV", "89801")),
        (("2 B St, Elko, NV 89801", *HOME[1:]), HOME, ("2 B St, Elko, NV 89801", "2 B St", "Elko", "NV", "89801")),
        (("behind the church", *HOME[1:]), HOME, NOWHERE),
        ((None, *HOME[1:]), HOME, None),
        ((HOME[0], None, None, None, None), HOME, (HOME[0], None, None, None, None)),
        (("behind the church", None, "Reno", None, None), NOWHERE, ("behind the church", None, "Reno", None, None)),
        ((None, "1 A St", "Reno", "NV", "89501"), None, HOME),
        (("5 Elm", "5 Elm St", "Reno", "NV", None), HOME, ("5 Elm", "5 Elm St", "Reno", "NV", None)),
    ],
)
def test_an_address_is_written_anew_only_where_that_says_no_less(now: Any, was: Any, whole: Any) -> None:
    assert completed_address(now, was) == whole


@given(
    st.integers(1, 9999),
    _WORD,
    _WORD,
    st.sampled_from(["NV", "CO"]),
    st.none() | st.from_regex(r"\d{5}", fullmatch=True),
)
def test_a_composed_address_has_the_parts_that_it_was_made_of(
    number: int, street: str, city: str, state: str, code: str | None
) -> None:
    parts = Parts(f"{number} {street} St", city, state, code)
    assert parse(composed(parts)) == parts


@given(st.text())
def test_outer_blanks_are_no_edit(text: str) -> None:
    once = completed_value(text)
    assert completed_value(once) == once
    assert once is None or once == once.strip()


LABELS = {"retail": 3, "2023": 9}


@pytest.mark.parametrize(
    ("codec", "value", "form"),
    [
        (STATUS, "  RETAIL ", {"index": 3}),
        (STATUS, "2023", {"index": 9}),  # as a text, monday would take it for an id
        (STATUS, None, None),
        (TEXT, "é" * 1000, "é" * 1000),
        (NAME, "x" * 255, "x" * 255),
        (MONEY, Decimal("3.10"), "3.10"),
        (DATE, date(2026, 4, 30), {"date": "2026-04-30"}),
        (LINK, "https://a.example/1", {"url": "https://a.example/1", "text": ""}),
        (EMAIL, "ann@x.co", {"email": "ann@x.co", "text": "ann@x.co"}),
        (PHONE, "(303) 555-0142", {"phone": "(303) 555-0142", "countryShortName": "US"}),
        (PHONE, "+52 55 1234 5678", {"phone": "+52 55 1234 5678", "countryShortName": "MX"}),
    ],
)
def test_the_form_of_a_write(codec: Codec, value: Any, form: Any) -> None:
    assert write_form(Column("c", codec, "t.c"), value, None, LABELS) == form


@pytest.mark.parametrize(
    ("codec", "value", "says"),
    [
        (STATUS, "Retial", '"Retial" is no active label'),
        (TEXT, "é" * 1001, "2,002 bytes"),
        (NAME, None, "cannot be empty"),
        (NAME, "x" * 256, "255 characters"),
        (LINK, "www.example.com", "http"),
        (LINK, "https://a b.example", "http"),
        (EMAIL, "ann at x.co", "no e-mail address"),
        (PHONE, "555-0100", "no valid phone"),
        (PHONE, "call the office", "no valid phone"),
        (PHONE, "303 555 0142 x12", "extension"),
    ],
)
def test_what_is_known_to_be_refused_is_said_before(codec: Codec, value: Any, says: str) -> None:
    with pytest.raises(CellError, match=says):
        write_form(Column("c", codec, "t.c"), value, None, LABELS)


def test_a_label_is_made_only_on_demand() -> None:
    column = Column("Team", STATUS, "sales_teams.name")
    assert write_form(column, "New team", None, LABELS, create_labels=True) == {"label": "New team"}
