"""What monday.com is known to refuse, per column type, said before a request is spent on it.

Each function takes a value that is not empty and the cell that is there, and gives the reason in words without the
value, or None where nothing is known against it. What only monday knows it says itself, and that cell is set aside.
"""

from __future__ import annotations

import re
from typing import Any

from reconcile.wire import Cell

LONGEST_TEXT_BYTES = 2_000
LONGEST_NAME = 255
HOME_COUNTRY = "US"

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_BLANK = re.compile(r"\s")


def text(value: Any, _was: Cell | None = None) -> str | None:
    size = len(str(value).encode())
    if size > LONGEST_TEXT_BYTES:
        return f"is {size:,} bytes long and monday.com takes {LONGEST_TEXT_BYTES:,}: shorten the value in PostgreSQL"
    return None


def item_name(value: Any, _was: Cell | None = None) -> str | None:
    if len(str(value)) > LONGEST_NAME:
        return f"is longer than the {LONGEST_NAME} characters of an item's name: shorten the value in PostgreSQL"
    return None


def email(value: Any, _was: Cell | None = None) -> str | None:
    if not _ADDRESS.fullmatch(str(value)):
        return "is no e-mail address: correct the value in PostgreSQL"
    return None


def link(value: Any, _was: Cell | None = None) -> str | None:
    address = str(value)
    if not address.startswith(("http://", "https://")) or _BLANK.search(address):
        return "is no link that begins with http:// or https://: correct the value in PostgreSQL"
    return text(value)


def phone(value: Any, was: Cell | None = None) -> str | None:
    """libphonenumber's rules, which are monday's (monday docs, "Phone"); an extension is none of them."""
    import phonenumbers  # late: nothing but a push needs its tables

    try:
        number = phonenumbers.parse(str(value), country_of(was))
    except phonenumbers.NumberParseException:
        number = None
    if number is None or number.extension or not phonenumbers.is_valid_number(number):
        return "is no valid phone number of its country, without an extension: correct the value in PostgreSQL"
    return None


def phone_country(value: str, was: Cell | None) -> str:
    """The two letters that monday checks the number against: those of an international number, else the cell's own."""
    if not value.startswith("+"):
        return country_of(was)
    import phonenumbers

    try:
        found = phonenumbers.region_code_for_number(phonenumbers.parse(value, None))
    except phonenumbers.NumberParseException:
        found = None
    return found or country_of(was)


def country_of(was: Cell | None) -> str:
    """The country that a phone cell names, or the company's own."""
    named = was.country_short_name if was is not None else None
    return named if isinstance(named, str) and len(named) == 2 else HOME_COUNTRY
