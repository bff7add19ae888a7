"""What monday takes for each column type, and what it refuses. One bad value refuses the whole item."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, NoReturn

from sandbox.cells import (
    Cell,
    Checkbox,
    Column,
    Date,
    Dropdown,
    Email,
    Label,
    Link,
    LongText,
    Numbers,
    People,
    Phone,
    Relation,
    Status,
    Text,
)
from sandbox.errors import ApiError
from sandbox.world import Board, World

NAME_AT_MOST = 255
LONG_TEXT_AT_MOST = 2_000
LABELS_AT_MOST = 40
LABEL_LENGTH_AT_MOST = 30

_ADDRESS = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_NUMBER = re.compile(r"-?\d+(\.\d*)?|-?\.\d+")
_PHONE = re.compile(r"[\s().+/\d-]+")


@dataclass(frozen=True, slots=True)
class Target:
    """The column that is written, and what a value may have to be checked against."""

    world: World
    board: Board
    column: Column
    create_labels: bool
    at: int

    def refuse(self, why: str) -> NoReturn:
        message = f"invalid value, please check our API documentation for the correct data structure: {why}"
        data = {"column_id": self.column.id, "column_name": self.column.title, "column_type": self.column.type}
        raise ApiError("ColumnValueException", message, data=data)


def read_values(
    world: World, board: Board, values: Any, create_labels: bool
) -> tuple[dict[int, Cell | None], str | None]:
    """`column_values` of a mutation as cells by slot, and the new name if it holds one.

    Raises ApiError at the first value that is refused; labels that it created on the way stay, as on monday.
    """
    if not isinstance(values, dict):
        raise ApiError("ColumnValueException", "column_values must be a JSON object of column ids")
    cells: dict[int, Cell | None] = {}
    name: str | None = None
    for column_id, raw in values.items():
        _obey(world, board, column_id, raw)
        if column_id == "name":
            name = item_name(raw)
            continue
        slot = board.slot(column_id)
        target = Target(world, board, board.columns[slot], create_labels, world.clock.seconds())
        cells[slot] = read_value(target, raw)
    return cells, name


def _obey(world: World, board: Board, column_id: str, raw: Any) -> None:
    """Raises ApiError where a rule of the board forbids the value; its details are a list (monday's own clients)."""
    rule = world.rules.get((board.id, column_id))
    if rule is not None and rule.forbidden in json.dumps(raw, ensure_ascii=False):
        told = [{"itemId": None, "columnIds": [column_id], "message": "forbidden"}] if rule.tells else []
        raise ApiError("DATA_VALIDATIONS_ERROR", "A rule of the board forbids this value", 422, data=told)


def read_value(target: Target, raw: Any) -> Cell | None:
    """One value in its write form; null clears, except where nothing may be written at all."""
    read = _READERS.get(target.column.type)
    if read is None:
        if target.column.type == "file" and raw == {"clear_all": True}:
            return None
        target.refuse(f"column type {target.column.type} cannot be changed with this mutation")
    return None if raw is None else read(target, raw)


def item_name(raw: Any) -> str:
    """Raises ApiError unless it is a text of 1 to 255 characters."""
    if not isinstance(raw, str) or not raw.strip():
        raise ApiError("InvalidArgumentException", "An item's name cannot be empty")
    if len(raw) > NAME_AT_MOST:
        raise ApiError("ItemNameTooLongException", f"Item name is over {NAME_AT_MOST} characters")
    return raw


def _text(target: Target, raw: Any) -> Cell | None:
    if not isinstance(raw, str):
        target.refuse("a text column takes a string")
    return Text(raw) if raw else None


def _long_text(target: Target, raw: Any) -> Cell | None:
    text = raw.get("text") if isinstance(raw, dict) else raw
    if not isinstance(text, str):
        target.refuse('a long text column takes {"text": string}')
    if len(text) > LONG_TEXT_AT_MOST:
        target.refuse(f"text is over {LONG_TEXT_AT_MOST} characters")
    return LongText(text, target.at) if text else None


def _numbers(target: Target, raw: Any) -> Cell | None:
    """Plain digits in a string. monday keeps the number and not its form: `3.10` comes back as `3.1`."""
    if not isinstance(raw, str):
        target.refuse("a numbers column takes a string")
    if raw == "":
        return None
    if not _NUMBER.fullmatch(raw):
        target.refuse("not a number")
    return Numbers(plain_number(raw))


def plain_number(raw: str) -> str:
    try:
        number = Decimal(raw)
    except InvalidOperation:
        raise ValueError("not a number") from None
    text = f"{number:f}"
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text


def _email(target: Target, raw: Any) -> Cell | None:
    row = _object(target, raw, "email", "text")
    if row["email"] == "" and row["text"] == "":
        return None
    if not _ADDRESS.fullmatch(row["email"]):
        target.refuse("not an e-mail address")
    return Email(row["email"], row["text"], target.at)


def _phone(target: Target, raw: Any) -> Cell | None:
    """Digits that libphonenumber takes for a number of that country, with or without its code (monday docs)."""
    row = _object(target, raw, "phone", "countryShortName")
    if row["phone"] == "":
        return None
    country = row["countryShortName"]
    if not (len(country) == 2 and country.isascii() and country.isalpha() and country.isupper()):
        target.refuse("countryShortName must be two capital letters")
    if not _is_number(row["phone"], country):
        target.refuse("not a phone number of that country")
    return Phone(row["phone"], country, target.at)


@lru_cache(maxsize=4_096)
def _is_number(text: str, country: str) -> bool:
    import phonenumbers  # late: not every demo writes a phone

    if not _PHONE.fullmatch(text):
        return False
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return False
    ours = phonenumbers.country_code_for_valid_region(country) if country in phonenumbers.SUPPORTED_REGIONS else None
    return number.country_code == ours and phonenumbers.is_valid_number(number)


def _link(target: Target, raw: Any) -> Cell | None:
    row = _object(target, {"text": "", **raw} if isinstance(raw, dict) else raw, "url", "text")
    if row["url"] == "" and row["text"] == "":
        return None
    if not row["url"].startswith(("http://", "https://")):
        target.refuse("a link must start with http:// or https://")
    return Link(row["url"], row["text"], target.at)


def _status(target: Target, raw: Any) -> Cell | None:
    """By label or by label id; a label of digits only is taken for an id."""
    if not isinstance(raw, dict):
        target.refuse('a status column takes {"label": string} or {"index": label id}')
    if not raw:
        return None
    label = raw.get("label")
    index = raw.get("index", label)
    if isinstance(index, str) and index.isascii() and index.isdigit():
        index = int(index)
    if isinstance(index, int):
        found = next((known for known in target.column.labels if known.id == index), None)
        if found is None and index == 5:
            return None
    else:
        found = _label(target, label)
    if found is None or found.is_deactivated:
        target.refuse(f"this status label doesn't exist, possible statuses are: {_possible(target)}")
    return Status(found.id, target.at)


def _dropdown(target: Target, raw: Any) -> Cell | None:
    if not isinstance(raw, dict) or not isinstance(chosen := raw.get("ids", raw.get("labels")), list):
        target.refuse('a dropdown column takes {"labels": [string]} or {"ids": [number]}')
    known = {label.id for label in target.column.labels if not label.is_deactivated}
    ids: list[int] = []
    for choice in chosen:
        found = int(choice) if "ids" in raw and str(choice).isdigit() else None
        if "ids" not in raw and (label := _label(target, choice)) is not None:
            found = label.id
            known.add(found)
        if found not in known:
            target.refuse(f"this dropdown label doesn't exist, possible labels are: {_possible(target)}")
        ids.append(found)
    return Dropdown(tuple(dict.fromkeys(ids))) if ids else None


def _label(target: Target, text: Any) -> Label | None:
    """The active label of that exact text; a new one where labels are created on the way."""
    if not isinstance(text, str) or not text:
        return None
    for label in target.column.labels:
        if label.label == text and not label.is_deactivated:
            return label
    if not target.create_labels:
        return None
    if len(text) > LABEL_LENGTH_AT_MOST or len(target.column.labels) >= LABELS_AT_MOST:
        target.refuse(f"a column takes {LABELS_AT_MOST} labels of {LABEL_LENGTH_AT_MOST} characters")
    return target.world.add_label(target.board, target.column, text)


def _possible(target: Target) -> str:
    return ", ".join(f"{{{label.id}: {label.label}}}" for label in target.column.labels if not label.is_deactivated)


def _date(target: Target, raw: Any) -> Cell | None:
    """A day, or a day and a time of day in UTC."""
    if not isinstance(raw, dict) or not isinstance(day := raw.get("date"), str):
        target.refuse('a date column takes {"date": "YYYY-MM-DD"}')
    clock = raw.get("time") or ""
    if day == "":
        return None
    try:
        date.fromisoformat(day)
        time.fromisoformat(clock or "00:00:00")
        well_formed = len(day) == 10 and (not clock or len(clock) == 8)
    except (ValueError, TypeError):
        well_formed = False
    if not well_formed:
        target.refuse('the date must be "YYYY-MM-DD" and the time "HH:MM:SS"')
    return Date(day, clock, target.at)


def _people(target: Target, raw: Any) -> Cell | None:
    entries = raw.get("personsAndTeams") if isinstance(raw, dict) else None
    if not isinstance(entries, list):
        target.refuse('a people column takes {"personsAndTeams": [{"id", "kind"}]}')
    chosen: list[tuple[int, str]] = []
    for entry in entries:
        if not isinstance(entry, dict) or not str(entry.get("id")).isdigit():
            target.refuse("every person needs a numeric id and a kind")
        person = int(entry["id"])
        if person not in target.world.account.people:
            raise ApiError("InvalidUserIdException", f"User not found: {person}")
        chosen.append((person, str(entry.get("kind", "person"))))
    return People(tuple(chosen), target.at) if chosen else None


def _checkbox(target: Target, raw: Any) -> Cell | None:
    checked = raw.get("checked") if isinstance(raw, dict) else None
    if checked not in (True, False, "true", "false"):
        target.refuse('a checkbox column takes {"checked": "true"}')
    return Checkbox(target.at) if checked in (True, "true") else None


def _relation(target: Target, raw: Any) -> Cell | None:
    ids = raw.get("item_ids") if isinstance(raw, dict) else None
    if not isinstance(ids, list):
        target.refuse('a connected-boards column takes {"item_ids": [number]}')
    items = [target.world.item(item_id) for item_id in ids]
    display = ", ".join(item.name for item in items)
    return Relation(display, tuple(item.id for item in items), target.at) if items else None


def _object(target: Target, raw: Any, *keys: str) -> dict[str, str]:
    """All the keys, each a string."""
    if not isinstance(raw, dict) or not all(isinstance(raw.get(key), str) for key in keys):
        target.refuse("it takes an object with the keys " + " and ".join(keys))
    return {key: raw[key] for key in keys}


_READERS: dict[str, Callable[[Target, Any], Cell | None]] = {
    "text": _text,
    "long_text": _long_text,
    "numbers": _numbers,
    "email": _email,
    "phone": _phone,
    "link": _link,
    "status": _status,
    "date": _date,
    "dropdown": _dropdown,
    "people": _people,
    "checkbox": _checkbox,
    "board_relation": _relation,
}
