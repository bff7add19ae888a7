"""Phone numbers as libphonenumber knows them: which texts are one number, and in which country monday takes a text.

The library's parser is lenient: it drops what stands around a number. So a text is a number only where nothing but
digits, one plus at the front, the signs that people space digits with, an extension, or the letters of a keypad are in
it; everything else is compared as the text that it is.
"""

from __future__ import annotations

import re
from functools import lru_cache

HOME_COUNTRY = "US"

_BLANKS_AND_BRACKETS = re.compile(r"[\s().-]+")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+")
"""What address books and messengers copy along with a number."""
_SIGNS = r"\s().\[\]/~\-\u2010-\u2015\u2212\uff08\uff09\uff0d\uff0f\uff3b\uff3d\u30fc\u2053\u223c\uff5e\uff0e"
_DIGITS = re.compile(rf"[{_SIGNS}]*[+\uff0b]?[{_SIGNS}]*(?:\d[{_SIGNS}]*)+")
_KEYPAD = re.compile(rf"[{_SIGNS}]*\+?[{_SIGNS}]*(?:[0-9][{_SIGNS}]*){{3,}}[A-Za-z0-9{_SIGNS}]*")
_EXTENSION = re.compile(
    r"(?<=[\s\d).])(?:;\s*ext\s*=|,|\#|ext(?:ensio)?n?\.?|x\.?)[\s:.]*([0-9]{1,7})\#?\Z", re.IGNORECASE
)
_LONGEST = 250  # the library's own limit
_HOME_CODES = ("", "1", "+1")
_FEWEST_LETTERS = 3  # fewer are no word on a keypad, and the library drops them


def canonical(text: str) -> str:
    """What two phones are compared by: country, number and extension, or else the text without blanks and `()-.`.

    A number without a country is the company's own.

    >>> canonical("(202) 555-0172"), canonical("+1 202.555.0172 ext. 7"), canonical("1-800-PLUMBER")
    ('+12025550172', '+12025550172;ext=7', '+18007586237')
    >>> canonical("202-555-0172 ask for Bob")
    '2025550172askforBob'
    """
    digits = _BLANKS_AND_BRACKETS.sub("", text)
    code, national = digits[:-10], digits[-10:]
    if code in _HOME_CODES and len(national) == 10 and national.isascii() and national.isdigit() and national[0] > "1":
        return "+1" + national  # what nearly every number is; the library says the same, and takes its time
    return _parsed(text) or digits


@lru_cache(maxsize=16_384)
def _parsed(text: str) -> str | None:
    """The number of a text that is one as a whole, and has the digits that its country's numbers have."""
    import phonenumbers  # late: its tables are needed for few numbers

    if len(text) > _LONGEST:
        return None
    number, extension = _split(text)
    spelled = _DIGITS.fullmatch(number) is None
    if spelled and not _is_keypad(number):
        return None
    try:
        found = phonenumbers.parse(number, HOME_COUNTRY)
    except phonenumbers.NumberParseException:
        return None
    if phonenumbers.is_possible_number_with_reason(found) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    if spelled and not phonenumbers.is_valid_number(found):
        return None
    return f"+{found.country_code}{phonenumbers.national_significant_number(found)}" + (
        f";ext={extension}" if extension else ""
    )


def _split(text: str) -> tuple[str, str]:
    """(number, extension) of a text, without what nobody sees."""
    text = " ".join(_INVISIBLE.sub("", text[: _LONGEST + 1]).split())
    found = _EXTENSION.search(text)
    return (text[: found.start()].rstrip(), found[1]) if found else (text, "")


def _is_keypad(number: str) -> bool:
    letters = sum(sign.isalpha() for sign in number)
    return letters >= _FEWEST_LETTERS and _KEYPAD.fullmatch(number) is not None


def country_for(text: str, named: object) -> str | None:
    """The country in which monday takes a text as a number; None where it takes it in none.

    `named` is the country that the cell has now, which stays where the number is valid there. A number without a
    country that is not valid there is the company's own. Letters and extensions are valid nowhere (monday docs).
    """
    import phonenumbers

    number, extension = _split(text)
    if extension or len(text) > _LONGEST or _DIGITS.fullmatch(number) is None:
        return None
    region = region_of(named)
    for country in dict.fromkeys((region, HOME_COUNTRY)):
        try:
            found = phonenumbers.parse(number, country)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number_for_region(found, region):
            return region
        home = phonenumbers.region_code_for_number(found)
        if home in phonenumbers.SUPPORTED_REGIONS and phonenumbers.is_valid_number(found):
            return str(home)
    return None


def region_of(named: object) -> str:
    """The country that a cell names, if there is such a country, or else the company's own."""
    import phonenumbers

    country = named.strip().upper() if isinstance(named, str) else ""
    return country if country in phonenumbers.SUPPORTED_REGIONS else HOME_COUNTRY
