"""Natural keys: what makes two slots speak of one customer, property, policy, person, firm, company, team or storm.

Text is NFKC, trimmed, inner blanks collapsed, casefolded. A slot says its keys strongest first; an empty tuple means
that the slot names nothing that could be found again, and gets a provisional `slot:` key of its own.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from models import TABLES

PLACEHOLDER_EMAILS = frozenset(
    {"none", "na", "n/a", "test", "noemail", "no", "nomail", "unknown", "x", "xx", "xxx", "fake"}
)
"""Local parts that people type where a form demands an e-mail and they have none."""

_KEY_LIMIT_BYTES = 512  # PostgreSQL refuses index entries of a third of a page
_NOT_WORD = re.compile(r"[\W_]+")
_DASH_OR_BLANK = re.compile(r"[\s\-‐‑‒–—]+")

_STREET_WORDS = {
    "street": "st", "str": "st", "avenue": "ave", "av": "ave", "boulevard": "blvd", "drive": "dr", "lane": "ln",
    "road": "rd", "court": "ct", "circle": "cir", "place": "pl", "terrace": "ter", "trail": "trl", "parkway": "pkwy",
    "highway": "hwy", "square": "sq", "way": "way", "north": "n", "south": "s", "east": "e", "west": "w",
    "northeast": "ne", "northwest": "nw", "southeast": "se", "southwest": "sw", "apartment": "apt", "suite": "ste",
    "unit": "unit", "building": "bldg", "floor": "fl", "usa": "", "crossing": "xing", "heights": "hts", "point": "pt",
}  # fmt: skip
"""USPS Publication 28 abbreviations of the words that people spell both ways."""


def normal(text: str) -> str:
    """NFKC, trimmed, inner blanks collapsed, casefolded.

    >>> normal("  José  SMITH ")
    'josé smith'
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return " ".join(text.split()).casefold()


def folded(text: str) -> str:
    """`normal` with punctuation dropped: "Allstate, Inc." is "Allstate Inc", but not "Allstate"."""
    return " ".join(_NOT_WORD.sub(" ", normal(text)).split())


def bounded(key: str) -> str:
    """A key that fits an index entry: a longer one is replaced by its hash."""
    if len(key) <= _KEY_LIMIT_BYTES // 4 or len(key.encode()) <= _KEY_LIMIT_BYTES:
        return key
    kind = key.partition(":")[0] if ":" in key[:16] else "long"
    return f"{kind}:sha256:{hashlib.sha256(key.encode()).hexdigest()}"


def email_key(email: str | None) -> str | None:
    """`email:` key of an address, or None where it is empty or a placeholder. No dot- or plus-folding.

    >>> email_key("Ann@X.co"), email_key("none@none.com")
    ('email:ann@x.co', None)
    """
    address = normal(email) if email else ""
    placeholder = not address or address.partition("@")[0] in PLACEHOLDER_EMAILS
    return None if placeholder else bounded(f"email:{address}")


def name_key(name: str | None) -> str | None:
    """`name:` key of a person, firm, company or team; None when nothing is left of it."""
    text = folded(name) if name else ""
    return bounded(f"name:{text}") if text else None


def address_key(customer: str | None, address: str | None) -> str | None:
    """Key of a property: its customer's row and the address, unit kept, punctuation dropped, street words folded.

    >>> address_key("c1", "12 North Main Street, Apt. 4") == address_key("c1", "12 N Main St Apt 4")
    True
    """
    if not address:
        return None
    words = [_STREET_WORDS.get(word, word) for word in _NOT_WORD.sub(" ", normal(address)).split()]
    text = " ".join(word for word in words if word)
    return bounded(f"{customer or '-'}|{text}") if text else None


def policy_key(insurance: str | None, number: str | None) -> str | None:
    """Key of a policy: its insurance's row and the number, upper-cased, without blanks and dashes."""
    text = _DASH_OR_BLANK.sub("", unicodedata.normalize("NFKC", number)).upper() if number else ""
    return bounded(f"{insurance or '-'}|{text}") if text else None


def slot_key(board: str, item_id: int, role: str) -> str:
    """The provisional key of a slot that names nothing: its own place."""
    return f"slot:{board}:{item_id}:{role}"


def item_key(board: str, item_id: int) -> str:
    """The key of a project, and of a staff member's record: the item itself."""
    return f"item:{board}:{item_id}"


# What each table's slots say ----------------------------------------------------------------------------------------


def _person(email: Any, rm_email: Any, name: Any) -> tuple[str, ...]:
    """Every e-mail, strongest first, or else the name."""
    emails = tuple(dict.fromkeys(key for key in (email_key(email), email_key(rm_email)) if key))
    return emails or _only(name_key(_whole(name)))


def _firm(email: Any, name: Any) -> tuple[str, ...]:
    return _person(email, None, name)


def _customer(email: Any) -> tuple[str, ...]:
    return _only(email_key(email))


def _named(name: Any) -> tuple[str, ...]:
    return _only(name_key(name))


def _property(customer: str | None, address: Any) -> tuple[str, ...]:
    return _only(address_key(customer, _whole(address)))


def _policy(insurance: str | None, number: Any) -> tuple[str, ...]:
    return _only(policy_key(insurance, number))


def _storm(day: Any) -> tuple[str, ...]:
    return _only(str(day) if day else None)


def _whole(value: Any) -> Any:
    """Of a field that holds its parts too, the whole."""
    return value[0] if isinstance(value, tuple) else value


def _only(key: str | None) -> tuple[str, ...]:
    return (key,) if key else ()


@dataclass(frozen=True, slots=True)
class KeyRule:
    """Which columns of a slot make its keys. `parent` is the role whose row the key begins with, and its column."""

    columns: tuple[str, ...]
    keys: Callable[..., tuple[str, ...]]
    parent: tuple[str, str] | None = None


KEY_RULES: dict[str, KeyRule] = {
    "insurances": KeyRule(("company_name",), _named),
    "sales_teams": KeyRule(("name",), _named),
    "storms": KeyRule(("date_of_loss",), _storm),
    "pa_law": KeyRule(("email", "name"), _firm),
    "users": KeyRule(("email", "rm_email", "name"), _person),
    "customers": KeyRule(("email",), _customer),
    "properties": KeyRule(("address",), _property, ("customer", "customer_id")),
    "policies": KeyRule(("policy_number",), _policy, ("insurance", "insurance_id")),
}
"""Table → how its rows are found again; the key of `projects` is the item. The keys come strongest first.

The functions take field values as they are, empty and unread ones (None, UNSET: both falsy) among them.
"""


def row_keys(table: str, row: Sequence[Any]) -> tuple[str, ...]:
    """The keys that a row's present content owns; () for projects, whose key is the item."""
    rule = KEY_RULES.get(table)
    if rule is None:
        return ()
    values = dict(zip(TABLES[table].__struct_fields__, row, strict=True))
    said = [values.get(column) for column in rule.columns]
    return rule.keys(values[rule.parent[1]], *said) if rule.parent else rule.keys(*said)
