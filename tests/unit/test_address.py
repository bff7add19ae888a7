"""Addresses in one cell: their four parts, and one part exchanged where it stands."""

from __future__ import annotations

import pytest

from reconcile.address import UNPARSED, Parts, composed, exchanged, parse, spaced

OAK = Parts("1 Oak St", "Reno", "NV", "89501")


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("1 Oak St, Reno, NV 89501", OAK),
        ("1 Oak St, Reno, NV 89501, USA", OAK),
        (" 1 Oak St,\tReno, NV\u00a089501 ", OAK),
        ("1 Oak St Reno NV 89501", OAK),
        ("1 Oak St, Reno, NV", OAK._replace(zip=None)),
        ("1 Oak St, Reno, NV 89501-1234", OAK._replace(zip="89501-1234")),
        ("1 Oak St, Apt 4, Reno, NV 89501", OAK._replace(street="1 Oak St, Apt 4")),
        ("12B Oak St, St. Paul, MN 55101", Parts("12B Oak St", "St. Paul", "MN", "55101")),
        ("ask the neighbour", UNPARSED),
        ("", UNPARSED),
        ("1 Oak St", UNPARSED),
        ("x" * 301, UNPARSED),
        ("1 Oak \ud800 St", UNPARSED),
    ],
)
def test_the_parts_of_an_address(address: str, parts: Parts) -> None:
    assert parse(address) == parts


@pytest.mark.parametrize(
    ("address", "change", "after"),
    [
        ("1 Oak St, Reno, NV 89501", {"city": "Elko"}, "1 Oak St, Elko, NV 89501"),
        ("1 Oak St, Reno, NV 89501 (ask Bob)", {"zip": "89502"}, "1 Oak St, Reno, NV 89502 (ask Bob)"),
        ("1 Oak St, Reno, NV 89501", {"zip": None}, "1 Oak St, Reno, NV"),
        ("1 Oak St, Reno, NV", {"zip": "89501"}, "1 Oak St, Reno, NV 89501"),
        ("1 Reno St, Reno, NV 89501", {"city": "Elko"}, "1 Reno St, Elko, NV 89501"),
        ("1 Reno St, Reno, NV 89501", {"street": "2 Reno St"}, "2 Reno St, Reno, NV 89501"),
        ("1 Oak St, Reno, NV 89501", {"street": "2 Elm Ave", "city": "Elko"}, "2 Elm Ave, Elko, NV 89501"),
        ("ask the neighbour", {"city": "Elko"}, None),
    ],
)
def test_one_part_exchanged(address: str, change: dict[str, str | None], after: str | None) -> None:
    was = parse(address)
    assert exchanged(address, was, was._replace(**change)) == after
    if after is not None:
        assert parse(after) == was._replace(**change)


def test_an_address_of_its_parts() -> None:
    assert composed(OAK) == "1 Oak St, Reno, NV 89501"
    assert parse(composed(OAK)) == OAK
    assert composed(UNPARSED) == ""


@pytest.mark.parametrize(
    ("text", "plain"), [(" a\u00a0b ", "a b"), ("a\r\nb", "a\nb"), ("a\tb", "a b"), ("a b", "a b")]
)
def test_blanks_of_any_kind(text: str, plain: str) -> None:
    assert spaced(text) == plain
