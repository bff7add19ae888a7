"""US addresses in one cell, as people type them, and their four parts.

The plain form `number street, city, ST zip`, with or without commas, is read by a pattern; everything else goes to
`usaddress`, a trained parser that costs some hundred times as much. A test holds the two against each other.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_STATES = """
    AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR
    PA RI SC SD TN TX UT VT VA WA WV WI WY PR VI GU AS MP
"""
STATES = frozenset(_STATES.split())
_PLAIN = re.compile(
    r"(?P<street>\d++[A-Za-z]? [^,\n]++(?:, (?:Apt|Apartment|Unit|Suite|Ste|#|Bldg|Lot)\b[^,\n]*+)?), "
    r"(?P<city>[A-Za-z][A-Za-z .'-]*), (?P<state>[A-Z]{2})(?: (?P<zip>\d{5}(?:-\d{4})?))?(?:, USA)?"
)
_RUN_ON = re.compile(
    r"(?P<street>\d+(?: [A-Za-z0-9]+){1,4} "
    r"(?:St|Street|Ave|Avenue|Blvd|Dr|Drive|Ln|Lane|Rd|Road|Ct|Cir|Pl|Ter|Trl|Pkwy|Hwy)"
    r"(?: (?:Apt|Unit|Ste|#) \w+)?) "
    r"(?P<city>[A-Z][a-z]+(?: [A-Z][a-z]+)?) (?P<state>[A-Z]{2}) (?P<zip>\d{5})"
)
"""Without commas: plain enough while there is one street word only, and not for a city that is one ("St Paul")."""
_STREET_WORD = re.compile(
    r"\b(?:St|Street|Ave|Avenue|Blvd|Dr|Drive|Ln|Lane|Rd|Road|Ct|Court|Cir|Pl|Place|Ter|Trl|Pkwy|Hwy|Way)\b"
)
_STREET_LABELS = ("PlaceName", "StateName", "ZipCode", "ZipPlus4", "CountryName", "Recipient", "NotAddress")
_LONGEST_WORTH_PARSING = 300
_HALF_A_SIGN = re.compile("[\ud800-\udfff]")


class Parts(NamedTuple):
    """The four columns; all None when the address does not parse."""

    street: str | None = None
    city: str | None = None
    state: str | None = None
    zip: str | None = None


UNPARSED = Parts()


def composed(parts: Parts) -> str:
    """The four parts in one line, as people type them.

    >>> composed(Parts("12 Main St", "Denver", "CO", "80202"))
    '12 Main St, Denver, CO 80202'
    """
    region = " ".join(part for part in (parts.state, parts.zip) if part)
    return ", ".join(part for part in (parts.street, parts.city, region) if part)


@lru_cache(maxsize=16_384)
def parse(address: str) -> Parts:
    """Street, city, state and zip of an address; `UNPARSED` when it is not one.

    >>> parse("12 Main St, Denver, CO 80202")
    Parts(street='12 Main St', city='Denver', state='CO', zip='80202')
    >>> parse("ask the neighbour")
    Parts(street=None, city=None, state=None, zip=None)
    """
    plain = _PLAIN.fullmatch(address)
    if plain is None and len(_STREET_WORD.findall(address)) == 1:
        plain = _RUN_ON.fullmatch(address)
    if plain and plain["state"] in STATES:
        return Parts(plain["street"], plain["city"], plain["state"], plain["zip"])
    if len(address) > _LONGEST_WORTH_PARSING or _HALF_A_SIGN.search(
        address
    ):  # the parser is C code and takes no halves
        return UNPARSED
    return _parse_freely(address)


def _parse_freely(address: str) -> Parts:
    import usaddress  # late: loading its model takes a tenth of a second, and most boards' addresses are plain

    try:
        tagged, kind = usaddress.tag(address)
    except usaddress.RepeatedLabelError:
        return UNPARSED
    street = _street(address, tagged)
    if kind not in {"Street Address", "PO Box", "Intersection"} or not street or "PlaceName" not in tagged:
        return UNPARSED
    zip_code = "-".join(part for part in (tagged.get("ZipCode"), tagged.get("ZipPlus4")) if part)
    return Parts(street, tagged["PlaceName"], tagged.get("StateName"), zip_code or None)


def _street(address: str, tagged: dict[str, str]) -> str | None:
    """The text before the city, as typed: joining the parser's words would lose commas and order."""
    words = [text for label, text in tagged.items() if label not in _STREET_LABELS]
    place = tagged.get("PlaceName")
    if not words or not place:
        return None
    end = address.rfind(place)
    return address[:end].strip(" ,\n\r\t") or None if end > 0 else None
