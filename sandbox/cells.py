"""What a board's cells hold, one small struct per column type; an empty cell is None.

Texts are kept as typed. Dates with a time are kept in UTC, as monday keeps them, and shown in the user's zone.
`at` is the second at which the cell last changed, for the types that tell it.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from sandbox.clock import iso


class CellBase(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=True):
    """Frozen, so that two items may share one cell and a cell may be read while another thread writes the item."""


class Text(CellBase, tag="text", frozen=True, gc=False, array_like=True):
    text: str


class LongText(CellBase, tag="long_text", frozen=True, gc=False, array_like=True):
    text: str
    at: int = 0


class Numbers(CellBase, tag="numbers", frozen=True, gc=False, array_like=True):
    """A decimal number in plain digits, as monday stores it."""

    text: str


class Email(CellBase, tag="email", frozen=True, gc=False, array_like=True):
    email: str
    label: str
    at: int = 0


class Phone(CellBase, tag="phone", frozen=True, gc=False, array_like=True):
    phone: str
    country: str = "US"
    at: int = 0


class Link(CellBase, tag="link", frozen=True, gc=False, array_like=True):
    url: str
    text: str = ""
    at: int = 0


class Status(CellBase, tag="status", frozen=True, gc=False, array_like=True):
    """The label's id; 5 is the blank that a cleared cell may show."""

    index: int
    at: int = 0


class Date(CellBase, tag="date", frozen=True, gc=False, array_like=True):
    """`YYYY-MM-DD` and `HH:MM:SS` or "", in UTC when there is a time."""

    date: str
    time: str = ""
    at: int = 0


class Dropdown(CellBase, tag="dropdown", frozen=True, gc=False, array_like=True):
    ids: tuple[int, ...]


class People(CellBase, tag="people", frozen=True, gc=False, array_like=True):
    people: tuple[tuple[int, str], ...]
    at: int = 0


FileKind = Literal["asset", "link", "doc", "invalid"]


class File(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One entry of a file cell; `invalid` stands for an asset that was deleted or cannot be read."""

    id: int
    name: str
    kind: FileKind = "asset"
    size: int = 0
    at: int = 0

    @property
    def extension(self) -> str:
        return "." + self.name.rpartition(".")[2] if "." in self.name else ""

    @property
    def url(self) -> str:
        if self.kind == "link":
            return f"https://drive.google.com/file/d/{self.id:x}"
        if self.kind == "doc":
            return f"https://roofing.monday.com/docs/{self.id}"
        return (
            f"https://roofing.monday.com/protected_static/7654321/resources/{self.id}/{self.name.replace(' ', '%20')}"
        )


class Files(CellBase, tag="file", frozen=True, gc=False, array_like=True):
    files: tuple[File, ...]


class Checkbox(CellBase, tag="checkbox", frozen=True, gc=False, array_like=True):
    at: int = 0


class Mirror(CellBase, tag="mirror", frozen=True, gc=False, array_like=True):
    display: str


class Relation(CellBase, tag="board_relation", frozen=True, gc=False, array_like=True):
    display: str
    ids: tuple[int, ...]
    at: int = 0


class Formula(CellBase, tag="formula", frozen=True, gc=False, array_like=True):
    display: str


Cell = (
    Text
    | LongText
    | Numbers
    | Email
    | Phone
    | Link
    | Status
    | Date
    | Dropdown
    | People
    | Files
    | Checkbox
    | Mirror
    | Relation
    | Formula
)

TYPES: dict[str, type[Cell]] = {
    "text": Text,
    "long_text": LongText,
    "numbers": Numbers,
    "email": Email,
    "phone": Phone,
    "link": Link,
    "status": Status,
    "date": Date,
    "dropdown": Dropdown,
    "people": People,
    "file": Files,
    "checkbox": Checkbox,
    "mirror": Mirror,
    "board_relation": Relation,
    "formula": Formula,
}
"""monday's column type → what its cells hold. A column of any other type cannot be added to a sandbox board."""


class Label(msgspec.Struct):
    """A choice of a status or dropdown column."""

    id: int
    label: str
    color: str = "#c4c4c4"
    is_done: bool = False
    is_deactivated: bool = False


class Column(msgspec.Struct):
    """A column of a board; `labels` for status and dropdown. A removed column keeps its place in the items' cells."""

    id: str
    title: str
    type: str
    labels: list[Label] = []
    archived: bool = False
    removed: bool = False
    revision: int = 1
    description: str | None = None

    def label(self, label_id: int) -> str | None:
        return next((label.label for label in self.labels if label.id == label_id), None)


def local_time(cell: Date, zone: ZoneInfo) -> tuple[str, str]:
    """Day and time as the token's user sees them; a plain date has no zone."""
    if not cell.time:
        return cell.date, ""
    moment = datetime.fromisoformat(f"{cell.date}T{cell.time}").replace(tzinfo=UTC).astimezone(zone)
    return moment.strftime("%Y-%m-%d"), moment.strftime("%H:%M:%S")


def display(cell: Cell | None, column: Column, zone: ZoneInfo, people: dict[int, str]) -> str | None:
    """The `text` of a cell. Mirrors, relations and formulas have none, an empty status or dropdown neither."""
    match cell:
        case None:
            return None if column.type in ("status", "dropdown", "mirror", "board_relation", "formula") else ""
        case Text(text=text) | LongText(text=text) | Numbers(text=text):
            return text
        case Email(email=address, label=label):
            return address if label in ("", address) else f"{label} - {address}"
        case Phone(phone=phone):
            return phone
        case Link(url=url, text=text):
            return f"{text} - {url}"
        case Status(index=index):
            return column.label(index)
        case Date():
            day, time = local_time(cell, zone)
            return f"{day} {time[:5]}" if time else day
        case Dropdown(ids=ids):
            return ", ".join(column.label(label_id) or "" for label_id in ids)
        case People(people=chosen):
            return ", ".join(people.get(person, "") for person, _kind in chosen)
        case Files(files=files):
            return ", ".join(file.url for file in files)
        case Checkbox():
            return "v"
        case Mirror() | Relation() | Formula():
            return None


def value_of(cell: Cell) -> Any:
    """What `value` holds as JSON text; None for the types whose `value` is always null."""
    match cell:
        case Text(text=text) | Numbers(text=text):
            return text
        case LongText(text=text, at=at):
            return {"text": text, "changed_at": _instant(at)}
        case Email(email=address, label=label, at=at):
            return {"email": address, "text": label, "changed_at": _instant(at)}
        case Phone(phone=phone, country=country):
            return {"phone": phone, "countryShortName": country}
        case Link(url=url, text=text, at=at):
            return {"url": url, "text": text, "changed_at": _instant(at)}
        case Status(index=index, at=at):
            return {"index": index, "post_id": None, "changed_at": _instant(at)}
        case Date(date=date, time=time, at=at):
            return {"date": date, **({"time": time} if time else {}), "icon": None, "changed_at": _instant(at)}
        case Dropdown(ids=ids):
            return {"ids": list(ids)}
        case People(people=chosen, at=at):
            entries = [{"id": person, "kind": kind} for person, kind in chosen]
            return {"personsAndTeams": entries, "changed_at": _instant(at)}
        case Files(files=files):
            return {"files": [_file_value(file) for file in files]}
        case Checkbox(at=at):
            return {"checked": True, "changed_at": _instant(at)}
        case Mirror() | Relation() | Formula():
            return None


def value_text(cell: Cell | None) -> str | None:
    """`value` as sent: JSON in a string, or None."""
    value = None if cell is None else value_of(cell)
    return None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def retyped(cell: Cell | None, old: Column, new_type: str, zone: ZoneInfo, people: dict[int, str]) -> Cell | None:
    """What is left of a cell when its column becomes another type: its text for a text column, else nothing."""
    text = display(cell, old, zone, people)
    if not text:
        return None
    if new_type == "text":
        return Text(text)
    return LongText(text) if new_type == "long_text" else None


def _instant(at: int) -> str:
    return iso(at)[:-1] + ".000Z"


def _file_value(file: File) -> dict[str, Any]:
    if file.kind in ("asset", "invalid"):
        image = file.extension in (".jpg", ".png")
        return {"name": file.name, "fileType": "ASSET", "assetId": file.id, "isImage": str(image).lower()}
    return {"name": file.name, "fileType": file.kind.upper(), "fileId": str(file.id), "linkToFile": file.url}
