"""What monday.com is known to refuse, per column type, said before a request is spent on it.

Each function takes a value that is not empty and the cell that is there, and gives the reason in words without the
value, or None where nothing is known against it. What only monday knows it says itself, and that cell is set aside.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from reconcile import amounts, phones
from reconcile.items import Cell

LONGEST_TEXT_BYTES = 2_000
LONGEST_NAME = 255

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
    if not address.lower().startswith(("http://", "https://")) or _BLANK.search(address):
        return "is no link that begins with http:// or https://: correct the value in PostgreSQL"
    return text(value)


def phone(value: Any, was: Cell | None = None) -> str | None:
    """libphonenumber's rules, which are monday's (monday docs, "Phone"); letters and an extension are none of them."""
    if phones.country_for(str(value), was.country_short_name if was is not None else None) is None:
        return (
            "is no valid phone number of its country, in digits and without an extension: correct the value in "
            "PostgreSQL"
        )
    return None


def money(value: Any, _was: Cell | None = None) -> str | None:
    """PostgreSQL's numeric knows values that are no number, and a column may be wider than what is carried."""
    if not isinstance(value, Decimal) or amounts.in_cents(value) is None:
        return "is not an amount below 1,000,000,000,000: correct the value in PostgreSQL"
    return None


def phone_country(value: str, was: Cell | None) -> str:
    """The two letters that monday checks the number against: those for which it is valid, else the cell's own."""
    named = was.country_short_name if was is not None else None
    return phones.country_for(value, named) or phones.region_of(named)
