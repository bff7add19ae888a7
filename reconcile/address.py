"""US addresses in one cell, as people type them, and their four parts.

The plain form `number street, city, ST zip`, with or without commas, is read by a pattern; everything else goes to
`usaddress`, a trained parser that costs some hundred times as much. A test holds the two against each other.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
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
_UNIT_LABELS = ("OccupancyType", "OccupancyIdentifier")
_ANY_BLANK = re.compile(r"[^\S\n]")
_WORD = re.compile(r"\w+|#")
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


def spaced(text: str) -> str:
    r"""The text without outer blanks, and with plain spaces for all others: no-break ones, tabs.

    >>> spaced("12\u00a0Main St,\tDenver ")
    '12 Main St, Denver'
    """
    text = text.strip()
    return text if text.isascii() and text.isprintable() else _ANY_BLANK.sub(" ", text.replace("\r\n", "\n"))


@lru_cache(maxsize=16_384)
def parse(address: str) -> Parts:
    """Street, city, state and zip of an address; `UNPARSED` when it is not one.

    >>> parse("12 Main St, Denver, CO 80202")
    Parts(street='12 Main St', city='Denver', state='CO', zip='80202')
    >>> parse("ask the neighbour")
    Parts(street=None, city=None, state=None, zip=None)
    """
    address = spaced(address)
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
    """The text before the city, as typed: joining the parser's words would lose commas and order. A unit that stands
    behind the city belongs to it too."""
    labels = list(tagged)
    place = tagged.get("PlaceName")
    if not place or all(label in _STREET_LABELS for label in labels):
        return None
    city = labels.index("PlaceName")
    end = address.find(place, _end_of(address, [tagged[label] for label in labels[:city]]))
    street = address[:end].strip(" ,\n\r\t") if end > 0 else ""
    unit = [tagged[label] for label in labels[city:] if label in _UNIT_LABELS]
    behind = re.search(r"\s*".join(map(re.escape, " ".join(unit).split())), address[max(end, 0) :]) if unit else None
    return f"{street} {behind[0]}" if street and behind else street or None


def _end_of(address: str, texts: list[str]) -> int:
    """Where the words of these texts end, one after the other, as far as they are found."""
    end = 0
    for word in " ".join(texts).split():
        at = address.find(word, end)
        end = at + len(word) if at >= 0 else end
    return end


# One part exchanged ---------------------------------------------------------------------------------------------------


def exchanged(address: str, old: Parts, new: Parts) -> str | None:
    """The address with the parts that changed from `old` to `new` exchanged where they stand, and all else as it was.

    None where that is not certain: what the text then says has to be read from it again.

    >>> exchanged("5 Elm St, Reno, NV 89501 Apt 2", Parts("5 Elm St Apt 2", "Reno", "NV", "89501"),
    ...           Parts("5 Elm St Apt 2", "Reno", "NV", "89502"))
    '5 Elm St, Reno, NV 89502 Apt 2'
    """
    text: str | None = address
    for field in reversed(Parts._fields):  # from the right, where each part is found by what follows it
        was, now = (spaced(getattr(parts, field) or "") for parts in (old, new))
        if text is not None and was != now:
            text = next(_exchanges(text, field, was, now), None)
    if text is not None:
        return text
    read = parse(address)
    if read != UNPARSED and _same(read, old) and _words(address) == _words(composed(read)):
        return composed(new)  # there is nothing else in the text that could be lost
    return None


def _exchanges(text: str, field: str, was: str, now: str) -> Iterator[str]:
    """Each text with that one part changed from which exactly this is read."""
    read = parse(text)
    if read == UNPARSED:
        return
    says = getattr(read, field) or ""
    if spaced(says) == now:  # it is the row that had said something else
        yield text
    for sought in dict.fromkeys((says, was)):
        if sought and sought not in says:
            continue
        wanted = read._replace(**{field: (says.replace(sought, now, 1) if sought else now) or None})
        for changed in _candidates(text, field, read, sought, now):
            if _same(parse(changed), wanted):
                yield changed


def _candidates(text: str, field: str, read: Parts, was: str, now: str) -> Iterator[str]:
    """Where the part may stand: a street as far to the left as it goes, all others as far to the right."""
    if was:
        places = list(_places(text, was))
        for start, end in places if field == "street" else reversed(places):
            before, after = text[:start], text[end:]
            yield before + now + after if now else before.rstrip(" ,") + after
    elif field == "zip" and read.state:
        for _start, end in reversed(list(_places(text, read.state))):
            yield f"{text[:end]} {now}{text[end:]}"


def _places(text: str, part: str) -> Iterator[tuple[int, int]]:
    """Where a part stands in a text, whatever blanks are in it."""
    pattern = r"\s+".join(map(re.escape, part.split()))
    for found in re.finditer(rf"(?<!\w){pattern}(?!\w)", text):
        yield found.span()


def _same(one: Parts, other: Parts) -> bool:
    return all(spaced(a or "") == spaced(b or "") for a, b in zip(one, other, strict=True))


def _words(text: str) -> Counter[str]:
    return Counter(_WORD.findall(text.casefold()))
