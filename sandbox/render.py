"""Items as JSON bytes. A selection is compiled once into a renderer, and the renderer keeps what it rendered.

Rendered bytes are kept per item and revision, so a page that was read before is a join of ready pieces.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from json import encoder
from typing import Any

from sandbox.cells import Cell, Column, display, local_time, value_text
from sandbox.clock import iso
from sandbox.selection import Field, Selection, collect
from sandbox.world import Item, World

Write = Callable[[Any], str]
"""A value of one known kind → its JSON text."""

quote: Callable[[str], str] = encoder.encode_basestring  # written in C

TYPENAMES = {
    "text": "TextValue",
    "long_text": "LongTextValue",
    "numbers": "NumbersValue",
    "email": "EmailValue",
    "phone": "PhoneValue",
    "link": "LinkValue",
    "status": "StatusValue",
    "date": "DateValue",
    "dropdown": "DropdownValue",
    "people": "PeopleValue",
    "file": "FileValue",
    "checkbox": "CheckboxValue",
    "mirror": "MirrorValue",
    "board_relation": "BoardRelationValue",
    "formula": "FormulaValue",
}
_FILE_TYPENAMES = {
    "asset": "FileAssetValue",
    "link": "FileLinkValue",
    "doc": "FileDocValue",
    "invalid": "FileAssetInvalidValue",
}
_EMPTY_TEXT_NULL = ("status", "dropdown", "mirror", "board_relation", "formula")
_EMPTY_STRING = {("date", "date"), ("date", "time"), ("mirror", "display_value"), ("formula", "display_value")}
_EMPTY_STRING |= {("board_relation", "display_value")}
_EMPTY_LIST = {("dropdown", "values"), ("people", "persons_and_teams"), ("file", "files")}
_EMPTY_LIST |= {("board_relation", "linked_item_ids"), ("board_relation", "linked_items")}


def encode(text: str) -> bytes:
    """UTF-8; a lone surrogate, which UTF-8 cannot hold, goes out as the JSON escape it came in as."""
    return text.encode("utf-8", "backslashreplace")


def dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class ItemRenderer:
    """One compiled selection on Item and the bytes it made.

    `nested` renders an object field (board, group, creator, column) that the item only points at.
    """

    def __init__(
        self, world: World, selections: tuple[Selection, ...], nested: Callable[[Field, str, Any], bytes]
    ) -> None:
        self._world = world
        self._fields = collect(selections, "Item")
        self._nested = nested
        self._boards: dict[int, Write] = {}
        self._kept: dict[int, tuple[int, bytes]] = {}
        self._keeps = not any(_is_volatile(field) for field in self._fields)
        self.kept_bytes = 0

    def many(self, items: Iterable[Item]) -> list[bytes]:
        if not self._keeps:
            self._boards.clear()
        return [self.one(item) for item in items]

    def one(self, item: Item) -> bytes:
        kept = self._kept.get(item.id)
        if kept is not None and kept[0] == item.revision:
            return kept[1]
        write = self._boards.get(item.board_id)
        if write is None:
            write = self._boards[item.board_id] = self._compile(item.board_id)
        rendered = encode(write(item))
        if self._keeps:
            self._kept[item.id] = (item.revision, rendered)
            self.kept_bytes += len(rendered)
        return rendered

    def forget(self) -> None:
        self._boards.clear()
        self._kept.clear()
        self.kept_bytes = 0

    def _compile(self, board_id: int) -> Write:
        return _object([(field.key, self._item_field(field, board_id)) for field in self._fields])

    def _item_field(self, field: Field, board_id: int) -> Write | str:
        world = self._world
        match field.name:
            case "__typename":
                return '"Item"'
            case "id":
                return lambda item: f'"{item.id}"'
            case "name":
                return lambda item: quote(item.name)
            case "state":
                return lambda item: f'"{item.state}"'
            case "created_at":
                return lambda item: f'"{iso(item.created_at)}"'
            case "updated_at":
                return lambda item: f'"{iso(item.updated_at)}"'
            case "creator_id":
                return lambda item: f'"{item.creator_id}"'
            case "relative_link":
                return lambda item: f'"/boards/{item.board_id}/pulses/{item.id}"'
            case "url":
                slug = world.account.slug
                return lambda item: f'"https://{slug}.monday.com/boards/{item.board_id}/pulses/{item.id}"'
            case "parent_item":
                return lambda item: (
                    "null" if item.parent_id is None else self._nested(field, "Item", item.parent_id).decode()
                )
            case "subitems":
                return "[]"
            case "column_values":
                return self._column_values(field, board_id)
            case "board":
                return self._nested(field, "Board", world.boards[board_id]).decode()
            case "group":
                return self._memo(field, "Group", lambda item: (item.board_id, item.group_id))
        return self._memo(field, "User", lambda item: item.creator_id)

    def _memo(self, field: Field, type_name: str, key_of: Callable[[Item], Any]) -> Write:
        known: dict[Any, str] = {}

        def write(item: Item) -> str:
            key = key_of(item)
            if key not in known:
                known[key] = self._nested(field, type_name, key).decode()
            return known[key]

        return write

    def _column_values(self, field: Field, board_id: int) -> Write:
        """Every asked column of the board in the board's order; an id that the board lacks is simply not there."""
        ids, types = field.args.get("ids"), field.args.get("types")
        plan: list[tuple[int, Write, str]] = []
        for slot, column in enumerate(self._world.boards[board_id].columns):
            if column.removed or column.archived:
                continue
            if (ids is None or column.id in ids) and (types is None or column.type in types):
                plan.append((slot, *self._cell(field, column)))

        def write(item: Item) -> str:
            cells = item.cells
            entries = [empty if (cell := cells[slot]) is None else full(cell) for slot, full, empty in plan]
            return "[" + ",".join(entries) + "]"

        return write

    def _cell(self, field: Field, column: Column) -> tuple[Write, str]:
        """How a filled cell is written, and what an empty one is."""
        full: list[tuple[str, Write | str]] = []
        empty: list[tuple[str, Write | str]] = []
        for sub in collect(field.subs, TYPENAMES[column.type]):
            fixed = self._fixed(sub, column)
            full.append((sub.key, fixed if fixed is not None else self._cell_field(sub, column)))
            empty.append((sub.key, fixed if fixed is not None else empty_json(column.type, sub.name)))
        return _object(full), _object(empty)(None)

    def _fixed(self, sub: Field, column: Column) -> str | None:
        """What is the same for every cell of the column."""
        match sub.name:
            case "__typename":
                return f'"{TYPENAMES[column.type]}"'
            case "id":
                return quote(column.id)
            case "type":
                return f'"{column.type}"'
            case "is_leaf":
                return "true"
            case "column":
                return self._nested(sub, "Column", column).decode()
        return None

    def _cell_field(self, sub: Field, column: Column) -> Write:
        if sub.name == "files":
            writers = {kind: _file_object(sub, kind) for kind in _FILE_TYPENAMES}
            return lambda cell: "[" + ",".join(writers[file.kind](file) for file in cell.files) + "]"
        if sub.name in ("values", "persons_and_teams", "label_style", "linked_items"):
            return _small_objects(sub, column)
        return _leaf(column, sub.name, self._world)


def empty_json(column_type: str, name: str) -> str:
    """A field of an empty cell, by type, as JSON text."""
    if name == "text":
        return "null" if column_type in _EMPTY_TEXT_NULL else '""'
    if (column_type, name) in _EMPTY_STRING:
        return '""'
    return "[]" if (column_type, name) in _EMPTY_LIST else "null"


def _is_volatile(field: Field) -> bool:
    """Whether it shows something that changes without the item: of its board or group the counts and pages, of the
    item above it all but the id."""
    if field.name == "parent_item":
        return any(sub.name != "id" for sub in collect(field.subs, "Item"))
    moving = ("items_count", "updated_at", "items_page", "activity_logs", "state")
    return field.name in ("board", "group") and any(
        sub.name in moving for kind in ("Board", "Group") for sub in collect(field.subs, kind)
    )


def _object(fields: list[tuple[str, Write | str]]) -> Write:
    """A writer of one JSON object: what is constant is put together now, the rest is filled in."""
    pieces: list[str] = []
    writers: list[Write] = []
    for position, (key, field) in enumerate(fields):
        pieces.append(("," if position else "") + quote(key).replace("%", "%%") + ":")
        if isinstance(field, str):
            pieces.append(field.replace("%", "%%"))
        else:
            pieces.append("%s")
            writers.append(field)
    template = "{" + "".join(pieces) + "}"
    if not writers:
        constant = template % ()
        return lambda _value: constant
    if len(writers) == 1:
        before, _, after = template.partition("%s") if template.count("%") == 1 else ("", "", "")
        only = writers[0]
        if before:
            return lambda value: before + only(value) + after
        return lambda value: template % (only(value),)
    return lambda value: template % tuple([write(value) for write in writers])


def _leaf(column: Column, name: str, world: World) -> Write:
    """A scalar field of a filled cell."""
    key = (column.type, name)
    if key in _LEAVES:
        return _LEAVES[key]
    if name == "value":
        return lambda cell: _text_or_null(value_text(cell))
    if name == "text":
        return _text(column, world)
    if name == "updated_at":
        return lambda cell: f'"{iso(cell.at)}"'
    if key == ("status", "label"):
        labels = {label.id: quote(label.label) for label in column.labels}
        return lambda cell: labels.get(cell.index, "null")
    if key == ("status", "is_done"):
        done = {label.id for label in column.labels if label.is_done}
        return lambda cell: "true" if cell.index in done else "false"
    if key == ("date", "date"):
        return lambda cell: quote(local_time(cell, world.zone)[0])
    if key == ("date", "time"):
        return lambda cell: quote(local_time(cell, world.zone)[1])
    return lambda _cell: "null"


_LEAVES: dict[tuple[str, str], Write] = {
    ("text", "text"): lambda cell: quote(cell.text),
    ("long_text", "text"): lambda cell: quote(cell.text),
    ("numbers", "text"): lambda cell: quote(cell.text),
    ("numbers", "number"): lambda cell: json.dumps(float(cell.text)),
    ("email", "email"): lambda cell: quote(cell.email),
    ("email", "label"): lambda cell: quote(cell.label),
    ("phone", "text"): lambda cell: quote(cell.phone),
    ("phone", "phone"): lambda cell: quote(cell.phone),
    ("phone", "country_short_name"): lambda cell: quote(cell.country),
    ("phone", "updated_at"): lambda cell: f'"{iso(cell.at)}"' if cell.at else "null",
    ("link", "url"): lambda cell: quote(cell.url),
    ("link", "url_text"): lambda cell: quote(cell.text),
    ("status", "index"): lambda cell: str(cell.index),
    ("mirror", "display_value"): lambda cell: quote(cell.display),
    ("formula", "display_value"): lambda cell: quote(cell.display),
    ("board_relation", "display_value"): lambda cell: quote(cell.display),
    ("board_relation", "linked_item_ids"): lambda cell: dumps([str(linked) for linked in cell.ids]),
    ("checkbox", "checked"): lambda _cell: "true",
}


def _text(column: Column, world: World) -> Write:
    def write(cell: Cell) -> str:
        return _text_or_null(display(cell, column, world.zone, world.account.people))

    return write


def _text_or_null(text: str | None) -> str:
    return "null" if text is None else quote(text)


def _file_object(sub: Field, kind: str) -> Write:
    fields = collect(sub.subs, _FILE_TYPENAMES[kind])
    return _object([(field.key, _file_field(field, kind)) for field in fields])


def _file_field(field: Field, kind: str) -> Write | str:
    match field.name:
        case "__typename":
            return f'"{_FILE_TYPENAMES[kind]}"'
        case "asset_id" | "file_id" | "object_id" | "id":
            return lambda file: f'"{file.id}"'
        case "name":
            return lambda file: quote(file.name)
        case "url":
            return lambda file: quote(file.url)
        case "public_url":
            return lambda file: quote(f"https://files.example.com/{file.id}/{file.name}?signature={file.size}")
        case "created_at":
            return lambda file: f'"{iso(file.at)}"'
        case "is_image":
            return lambda file: "true" if file.extension in (".jpg", ".png") else "false"
        case "file_extension":
            return lambda file: quote(file.extension)
        case "file_size":
            return lambda file: str(file.size)
        case "kind":
            return '"link"'
        case "error":
            return '"asset not found"'
        case "asset":
            return _object([(sub.key, _file_field(sub, kind)) for sub in collect(field.subs, "Asset")])
    return "null"


def _small_objects(sub: Field, column: Column) -> Write:
    """Chosen dropdown values and people, and the colours of a status label."""
    match sub.name:
        case "values":
            rows = {label.id: {"id": str(label.id), "label": label.label} for label in column.labels}
            return lambda cell: dumps([_asked(sub, "DropdownValueOption", rows[i]) for i in cell.ids if i in rows])
        case "persons_and_teams":
            return lambda cell: dumps(
                [_asked(sub, "PeopleEntity", {"id": str(person), "kind": kind}) for person, kind in cell.people]
            )
        case "label_style":
            colors = {label.id: label.color for label in column.labels}
            return lambda cell: dumps(
                _asked(sub, "StatusLabelStyle", {"color": colors.get(cell.index, ""), "border": ""})
            )
    return lambda _cell: "[]"


def _asked(field: Field, type_name: str, row: dict[str, Any]) -> dict[str, Any]:
    full = {**row, "__typename": type_name}
    return {sub.key: full[sub.name] for sub in collect(field.subs, type_name)}
