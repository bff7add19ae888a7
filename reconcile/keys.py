"""Natural keys: what makes two slots speak of one customer, property, policy, person, firm, company, team or storm.

A label is its text: blanks and case are folded, and nothing else. The name of a firm, an insurer or a person folds
`. ,` and quotes as well. What looks more alike than that (`loose`) is two rows, which a person is told of. No key is
empty: a name made of signs alone is found by its signs.

A slot says its keys strongest first; an empty tuple means that the slot names nothing that could be found again, and
gets a provisional `slot:` key of its own.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import Any

PLACEHOLDER_EMAILS = frozenset(
    {"none", "na", "n/a", "test", "noemail", "no", "nomail", "unknown", "x", "xx", "xxx", "fake"}
)
"""Local parts that people type where a form demands an e-mail and they have none."""

_KEY_LIMIT_BYTES = 512  # PostgreSQL refuses index entries of a third of a page
_NOT_WORD = re.compile(r"[\W_]+")
_NOT_ADDRESS = re.compile(r"(?:(?!(?<=\d)/(?=\d))[\W_])+")  # a slash between two digits makes a number of its own
_VULGAR = re.compile("[\u00bc-\u00be\u2150-\u215f\u2189]")
_QUOTES = (
    "\"'`\u00b4\u00ab\u00bb\u02b9\u02bb\u02bc\u02bd\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u2032\u2033\u2035\u2036"
    "\u2039\u203a\u275b\u275c\u275d\u275e\u300c\u300d\u300e\u300f\u301d\u301e\u301f"
)
_NO_DIFFERENCE = dict.fromkeys(map(ord, f".,{_QUOTES}"), " ")
_VARIANTS = frozenset(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0), 0x034F, 0x115F, 0x1160, 0x3164)))
_UNSEEN = (0xAD, 0x61C, 0x180E, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF)
_SAME_SIGN: dict[int, int | None] = dict.fromkeys(_UNSEEN) | {sign: sign - 0xFEE0 for sign in range(0xFF01, 0xFF5F)}
"""Signs that are not seen go, but for those that join others into one; a full-width sign is the usual one."""
_DASH_OR_BLANK = re.compile(r"[\s\-‐‑‒–—]+")

STREET_WORDS = {
    "street": "st", "str": "st", "avenue": "ave", "av": "ave", "boulevard": "blvd", "drive": "dr", "lane": "ln",
    "road": "rd", "court": "ct", "circle": "cir", "place": "pl", "terrace": "ter", "trail": "trl", "parkway": "pkwy",
    "highway": "hwy", "square": "sq", "way": "way", "north": "n", "south": "s", "east": "e", "west": "w",
    "northeast": "ne", "northwest": "nw", "southeast": "se", "southwest": "sw", "apartment": "apt", "suite": "ste",
    "unit": "unit", "building": "bldg", "floor": "fl", "usa": "", "crossing": "xing", "heights": "hts", "point": "pt",
}  # fmt: skip
"""USPS Publication 28 abbreviations of the words that people spell both ways."""


def normal(text: str) -> str:
    """One Unicode form, without invisible signs, trimmed, inner blanks collapsed, casefolded. A sign that can be seen
    stays, and so does what joins several into one; a text that cannot be seen at all is itself.

    >>> normal("  José  SMITH "), normal("B+\\u00a0Mutual")
    ('josé smith', 'b+ mutual')
    """
    if text.isascii():
        return " ".join(text.split()).casefold()
    seen = unicodedata.normalize("NFC", text.translate(_SAME_SIGN))
    return unicodedata.normalize("NFC", " ".join(seen.split()).casefold()) or " ".join(text.split())


def folded(name: str) -> str:
    """`normal` of the name of a firm, an insurer or a person, without `. ,` and quotes; `normal` where nothing else is
    in it.

    >>> folded("Allstate, Inc."), folded("O\u2019Brien"), folded("B+ Mutual"), folded("...")
    ('allstate inc', 'o brien', 'b+ mutual', '...')
    """
    text = normal(name)
    return " ".join(text.translate(_NO_DIFFERENCE).split()) or text


def loose(name: str) -> str:
    """What two names have in common that a person may take for one: letters and digits alone; "" of signs alone.

    >>> loose("B+ Mutual") == loose("B Mutual"), loose("**")
    (True, '')
    """
    text = unicodedata.normalize("NFKC", visible(name)).casefold()
    return " ".join(_NOT_WORD.sub(" ", text).split())


def visible(text: str) -> str:
    """A text without what nobody sees: format characters, joiners, marks of direction, and variants of a sign.

    >>> visible("ann\u200b@x.co")
    'ann@x.co'
    """
    if text.isascii():
        return text
    return "".join(sign for sign in text if unicodedata.category(sign) != "Cf" and sign not in _VARIANTS)


def bounded(key: str) -> str:
    """A key that fits an index entry: a longer one is replaced by its hash."""
    if len(key) <= _KEY_LIMIT_BYTES // 4 or len(key.encode()) <= _KEY_LIMIT_BYTES:
        return key
    kind = key.partition(":")[0] if ":" in key[:16] else "long"
    return f"{kind}:sha256:{hashlib.sha256(key.encode()).hexdigest()}"


def email_key(email: str | None) -> str | None:
    """`email:` key of an address, or None where it is empty or a placeholder. No dot- or plus-folding.

    >>> email_key("Ann@X.co"), email_key("ann\\u200b@x.co"), email_key("none@none.com")
    ('email:ann@x.co', 'email:ann@x.co', None)
    """
    address = _plain(email).casefold() if email else ""
    placeholder = not address or address.partition("@")[0] in PLACEHOLDER_EMAILS
    return None if placeholder else bounded(f"email:{address}")


def label_key(label: str | None) -> str | None:
    """`name:` key of a team: its label with every sign; None when there is none."""
    text = normal(label) if label else ""
    return bounded(f"name:{text}") if text else None


def name_key(name: str | None) -> str | None:
    """`name:` key of a person, a firm or an insurer; None when there is no name."""
    text = folded(name) if name else ""
    return bounded(f"name:{text}") if text else None


def address_key(customer: str | None, address: str | None) -> str | None:
    """Key of a property: its customer's row and the address, unit and fractions kept, punctuation dropped, street words
    folded.

    >>> address_key("c1", "12 North Main Street, Apt. 4") == address_key("c1", "12 N Main St Apt 4")
    True
    >>> address_key("c1", "12½ Elm"), address_key("c1", "**")
    ('c1|12 1/2 elm', 'c1|**')
    """
    if not address:
        return None
    if not address.isascii():
        address = _plain(_VULGAR.sub(r" \g<0>", address)).replace("\N{FRACTION SLASH}", "/")
    text = " ".join(address.split()).casefold()
    signs = _NOT_ADDRESS if "/" in text else _NOT_WORD
    words = [STREET_WORDS.get(word, word) for word in signs.sub(" ", text).split()]
    found = " ".join(word for word in words if word) or text
    return bounded(f"{customer or '-'}|{found}") if found else None


def policy_key(insurance: str | None, number: str | None) -> str | None:
    """Key of a policy: its insurance's row and the number, upper-cased, without blanks and dashes, unless it is nothing
    but dashes.

    >>> policy_key("i1", "a/1 - 2"), policy_key("i1", "--")
    ('i1|A/12', 'i1|--')
    """
    text = (bare(number) or _plain(number)) if number else ""
    return bounded(f"{insurance or '-'}|{text}") if text else None


def bare(number: str) -> str:
    """A policy's or claim's number, upper-cased, without blanks and dashes."""
    return _DASH_OR_BLANK.sub("", _plain(number)).upper()


def _plain(text: str) -> str:
    """Of addresses and numbers: forms of one letter or digit are the same, and what nobody sees is not there."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", visible(text))
    return " ".join(text.split())


def slot_key(board: str, item_id: int, role: str) -> str:
    """The provisional key of a slot that names nothing: its own place."""
    return f"slot:{board}:{item_id}:{role}"


def item_key(board: str, item_id: int) -> str:
    """The key of a project, and of a staff member's record: the item itself."""
    return f"item:{board}:{item_id}"


# What each table's slots say ----------------------------------------------------------------------------------------


def person_keys(email: Any, rm_email: Any, name: Any) -> tuple[str, ...]:
    """Every e-mail, strongest first, or else the name."""
    emails = tuple(dict.fromkeys(key for key in (email_key(email), email_key(rm_email)) if key))
    return emails or _only(name_key(_whole(name)))


def firm_keys(email: Any, name: Any) -> tuple[str, ...]:
    """A firm's e-mail, or else its name."""
    return person_keys(email, None, name)


def customer_keys(email: Any) -> tuple[str, ...]:
    """A customer's e-mail."""
    return _only(email_key(email))


def name_keys(name: Any) -> tuple[str, ...]:
    """A name."""
    return _only(name_key(name))


def team_keys(label: Any) -> tuple[str, ...]:
    """A label, with every sign of it."""
    return _only(label_key(label))


def property_keys(customer: str | None, address: Any) -> tuple[str, ...]:
    """The customer's row and the address."""
    return _only(address_key(customer, _whole(address)))


def policy_keys(insurance: str | None, number: Any) -> tuple[str, ...]:
    """The insurance's row and the number."""
    return _only(policy_key(insurance, number))


def storm_keys(day: Any) -> tuple[str, ...]:
    """The day."""
    return _only(str(day) if day else None)


def _whole(value: Any) -> Any:
    """Of a field that holds its parts too, the whole."""
    return value[0] if isinstance(value, tuple) else value


def _only(key: str | None) -> tuple[str, ...]:
    return (key,) if key else ()
