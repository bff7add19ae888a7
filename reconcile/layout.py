"""One item ↔ its rows: which slots an item has, which fields each slot says, and how cells become field values.

A slot is a place in an item that holds one entity: `(board, item, role)`. A field is the unit of merge; first, last and
full name are one field, an address with its parts is another. All of it is compiled from the column mapping.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from operator import attrgetter, itemgetter
from sys import intern
from typing import Any, Literal, Protocol

import msgspec
from msgspec import UNSET

from models import Row, RowId
from reconcile.columns import MARKER, Codec, Column, ColumnMap, Policy, Value
from reconcile.errors import CellError
from reconcile.fields import Build, FieldValue, or_item_name, shape_of
from reconcile.items import Cell, Item, instant
from reconcile.tables import SPECS, TABLES, board_spec, link_column, record_role, refuse_incomplete, role_of

Cells = Mapping[str, Cell]


class Limit(Protocol):
    """What one column of an existing database takes beyond its type."""

    def refusal(self, value: Any) -> str | None:
        """Why it would not take a value, in words without the value; None when it fits."""


Limits = Mapping[tuple[str, str], Limit]
"""(table, column) → its limit."""


@dataclass(frozen=True, slots=True)
class Field:
    """The unit of merge: one or two cells on monday, one or several columns of one row.

    `from_cells` makes its value of those of its cells, `to_cells` those of its
    value. `compare_key` is what two values are compared by, `edit_key` what an edit on monday is seen by. `completed`
    makes a value whole again of which a part was edited in PostgreSQL, given what it was.
    """

    id: str
    slot: int
    cells: tuple[str, ...]
    columns: tuple[str, ...]
    codec: Codec
    from_cells: Build | None
    compare_key: Callable[[Any], Any]
    edit_key: Callable[[Any], Any]
    completed: Callable[[Any, Any], Any]
    to_cells: Callable[[Any], tuple[Value, ...]]
    policy: Policy
    two_way: bool

    def load(self, raw: Any) -> FieldValue:
        """A field value from its JSON form in the base snapshot."""
        if isinstance(raw, list):
            return tuple(raw)
        return self.codec.load(raw)


@dataclass(frozen=True, slots=True)
class Slot:
    """One place of an item that holds one entity. `link` is the column of the item's record that points at its row.
    `is_record`: its row stands for the item itself. `is_home`: and is found by keys too, so that other items may choose
    it; what this one says of it decides.

    `first` and `last` bound its fields in the layout; `values_of` gives what a row holds of them.
    `key_said` picks what its keys are made of from an item's values.
    """

    role: str
    table: str
    first: int
    last: int
    at: Mapping[str, int]
    key_said: Callable[[Sequence[Any]], tuple[Any, ...]]
    values_of: Callable[[Row], tuple[Any, ...]]
    link: str | None
    is_record: bool = False
    is_home: bool = False

    @property
    def fields(self) -> range:
        return range(self.first, self.last)

    @property
    def person(self) -> str | None:
        """The role of a person: "Estimator"; None for other slots."""
        return self.role.partition(":")[2] or None


_ROW_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class ItemState(msgspec.Struct):
    """What one item says: a value per field of its layout. `bad` lists (column id, reason) of quarantined cells.

    One that was not seen in this run speaks through its base, so that a partial view plans like the full one.
    """

    board: str
    id: int
    updated_at: datetime
    values: tuple[FieldValue, ...]
    bad: tuple[tuple[str, str], ...] = ()
    content_hash: str | None = None
    seen: bool = True
    marker: RowId | Literal[""] = ""
    """The id of a row that the item carries; "" for none, and where the board has no such column."""


@dataclass(frozen=True, slots=True)
class Layout:
    """One board, compiled: its fields in order, its slots in order."""

    board: str
    board_id: int
    fields: tuple[Field, ...]
    slots: tuple[Slot, ...]
    limits: Limits
    limited: tuple[int, ...]
    plain: Mapping[str, tuple[int, str, Callable[[str], FieldValue] | None]]
    """Column id → the number of its field, the cell's plain text field, and what a text that is not empty means, None
    where it is the value itself: read without a call, for forty cells an item."""
    others: tuple[int, ...]
    """Fields that take more than that."""

    @property
    def record(self) -> int:
        """The slot whose row stands for the item itself: the project, or the staff member."""
        return next(n for n, slot in enumerate(self.slots) if slot.is_record)

    @property
    def is_home(self) -> bool:
        """Whether the rows of its items are found by keys too, and other boards choose them."""
        return any(slot.is_home for slot in self.slots)

    @property
    def pointers(self) -> tuple[tuple[int, str], ...]:
        """(slot, the record's foreign key column to that slot's row), for each slot that it points at."""
        columns = TABLES[self.slots[self.record].table].__struct_fields__
        return tuple((n, slot.link) for n, slot in enumerate(self.slots) if slot.link and slot.link in columns)

    @property
    def field_ids(self) -> tuple[str, ...]:
        return tuple(field.id for field in self.fields)

    def without(self, column_ids: Collection[str]) -> Layout:
        """The same board with some columns left unread: their fields stay UNSET, whoever shows the cells."""
        plain = {column_id: reader for column_id, reader in self.plain.items() if column_id not in column_ids}
        others = tuple(number for number in self.others if not {*self.fields[number].cells} & {*column_ids})
        return replace(self, plain=plain, others=others)

    def decode(self, item: Item, content_hash: str | None = None) -> ItemState:
        """Cells → field values. A cell that cannot be decoded is UNSET and listed in `bad`.

        Raises msgspec.DecodeError for a time of change that is none, and nothing else.
        """
        cells = {"name": Cell("name", text=item.name)}
        bad: list[tuple[str, str]] = []
        values: list[FieldValue] = [UNSET] * len(self.fields)
        for cell in item.column_values:
            reader = self.plain.get(cell.id)
            if reader is None:
                cells[cell.id] = cell
                continue
            number, attribute, meaning = reader
            text = getattr(cell, attribute)
            if not text:
                values[number] = None if text is not UNSET else self._read(number, {cell.id: cell}, item.name, bad)
            elif "\0" in text:
                values[number] = self._read(number, {cell.id: cell}, item.name, bad)
            else:
                value = text.strip() or None
                try:
                    values[number] = value if meaning is None or value is None else meaning(value)
                except CellError as error:
                    bad.append((cell.id, str(error)))
        for number in self.others:
            values[number] = self._read(number, cells, item.name, bad)
        for number in self.limited:
            values[number] = self._storable(self.fields[number], values[number], bad)
        reasons = tuple(dict.fromkeys(bad))  # one cell may feed two fields
        marker = _row_id(cells[MARKER]) if MARKER in cells else ""
        return ItemState(
            self.board, int(item.id), instant(item.updated_at), tuple(values), reasons, content_hash, True, marker
        )

    def _read(self, number: int, cells: Cells, item_name: str, bad: list[tuple[str, str]]) -> FieldValue:
        field = self.fields[number]
        values: list[Value] = []
        for column_id in field.cells:
            cell = cells.get(column_id)
            if cell is None:
                return UNSET
            try:
                values.append(field.codec.decode(cell))
            except CellError as error:
                bad.append((column_id, str(error)))
                return UNSET
        return field.from_cells(values, item_name) if field.from_cells is not None else values[0]

    def _storable(self, field: Field, value: FieldValue, bad: list[tuple[str, str]]) -> FieldValue:
        table = self.slots[field.slot].table
        for column, part in zip(field.columns, value if isinstance(value, tuple) else (value,), strict=False):
            limit = self.limits.get((table, column))
            reason = limit.refusal(part) if limit is not None and part not in (None, UNSET) else None
            if reason is not None:
                bad.append((field.cells[0], f"does not fit {table}.{column}: {reason}"))
                return UNSET
        return value


def together(table: str, column: str) -> tuple[str, ...]:
    """The columns that are written together with one, or not at all: the parts of a name or an address, and a stage
    with the status that follows from it."""
    spec = SPECS[table]
    groups = [(*of, derived) for derived, of in spec.derived.items()]
    groups += [spec.joint.columns] if spec.joint is not None else []
    return next((group for group in groups if column in group), (column,))


# Compiling the mapping ----------------------------------------------------------------------------------------------


def compile_layout(board: str, board_id: int, columns: ColumnMap, limits: Limits | None = None) -> Layout:
    """Compile one board's mapping; fields of one slot stand in the mapping's order. Raises ConfigError for a board
    or a table that is not declared whole."""
    refuse_incomplete()
    spec = board_spec(board)
    fields: list[Field] = []
    slots: list[Slot] = []
    for (role, table), members in _by_slot(columns).items():
        is_record = role == record_role(spec)
        named = spec.named_by if is_record and "name" in columns and columns["name"].target else ()
        made = [
            _field(board, len(slots), cells, column, named=column.column in named and "name" not in cells)
            for cells, column in _merged_halves(table, members)
        ]
        slots.append(_slot(role, table, len(fields), made, is_record=is_record))
        fields += made
    limits = limits or {}
    limited = tuple(
        number
        for number, field in enumerate(fields)
        if any((slots[field.slot].table, column) in limits for column in field.columns)
    )
    read_of = [column_id for field in fields for column_id in field.cells]
    plain = {
        field.cells[0]: (number, field.codec.plain, _meaning(field, SPECS[slots[field.slot].table].repeats))
        for number, field in enumerate(fields)
        if field.codec.plain is not None and field.from_cells is not or_item_name and "name" not in field.cells
        if len(field.cells) == read_of.count(field.cells[0]) == 1
    }
    others = tuple(number for number, field in enumerate(fields) if field.cells[0] not in plain)
    return Layout(board, board_id, tuple(fields), tuple(slots), limits, limited, plain, others)


def _by_slot(columns: ColumnMap) -> dict[tuple[str, str], list[tuple[tuple[str, ...], Column]]]:
    """(role, table) → the cells of one slot, each with its column. What a cell tells beside that comes last."""
    told = [(column_id, column) for column_id, column in columns.items() if column.target]
    told += [(column_id, replace(column, target=column.also, role=None)) for column_id, column in told if column.also]
    found: dict[tuple[str, str], list[tuple[tuple[str, ...], Column]]] = {}
    for column_id, column in told:
        found.setdefault((role_of(column.table, column.role), column.table), []).append(((column_id,), column))
    return found


def _meaning(field: Field, repeats: bool) -> Callable[[str], FieldValue] | None:
    """What the text of a field's only cell means. Where few texts repeat on many items, one copy of each is kept."""
    if field.from_cells is not None:
        build = field.from_cells
        return lambda text: build((text,), "")
    return field.codec.parse or (intern if repeats else None)


def _slot(role: str, table: str, first: int, fields: list[Field], *, is_record: bool) -> Slot:
    at = {field.columns[0]: first + number for number, field in enumerate(fields)}
    rule = SPECS[table].key
    key_said = _picker([at.get(column) for column in rule.columns] if rule else [])
    link = None if is_record else link_column(role)
    is_home = is_record and rule is not None
    last = first + len(fields)
    return Slot(role, table, first, last, at, key_said, _values_of(fields), link, is_record, is_home)


def _picker(places: Sequence[int | None]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """A function that picks some places of a sequence as a tuple; None for a place that there is not."""
    match places:
        case [int(only)]:
            return lambda values: (values[only],)
        case [int(first), None, int(last)]:
            return lambda values: (values[first], None, values[last])
    if len(places) > 1 and None not in places:
        return itemgetter(*places)
    return lambda values: tuple([None if place is None else values[place] for place in places])


def _values_of(fields: Sequence[Field]) -> Callable[[Row], tuple[Any, ...]]:
    """What a row holds of some fields, in their order. Asked for every slot of every item: an attribute a field, not a
    call of `row[field]` (a tenth of the time of a first load)."""
    if all(len(field.columns) == 1 for field in fields):
        columns = [field.columns[0] for field in fields]
        if len(columns) > 1:
            return attrgetter(*columns)
        value = attrgetter(*columns)
        return lambda row: (value(row),)
    getters = [_value_of(field.columns) for field in fields]
    return lambda row: tuple([value(row) for value in getters])


def _value_of(columns: tuple[str, ...]) -> Callable[[Row], Any]:
    parts_of = attrgetter(*columns)
    if len(columns) == 1:
        return parts_of
    nothing = (None,) * len(columns)
    return lambda row: parts if (parts := parts_of(row)) != nothing else None


def _merged_halves(table: str, members: list[tuple[tuple[str, ...], Column]]) -> list[tuple[tuple[str, ...], Column]]:
    """First and last name are one field of two cells."""
    joint = SPECS[table].joint
    first, last = joint.halves if joint is not None and joint.halves else ("", "")
    halves = [cells for cells, column in members if column.column in {first, last}]
    if len(halves) != 2:
        return members
    both = (halves[0][0], halves[1][0])
    return [(both if column.column == first else cells, column) for cells, column in members if column.column != last]


def _field(board: str, slot: int, cells: tuple[str, ...], column: Column, *, named: bool) -> Field:
    table = column.table
    shape = shape_of(column, len(cells), SPECS[table].joint, named=named)
    columns = shape.columns
    return Field(
        id=f"{table}.{columns[0]}/{board}:{column.role or SPECS[table].role}",
        slot=slot,
        cells=cells,
        columns=columns,
        codec=column.codec,
        from_cells=shape.from_cells,
        compare_key=shape.compare_key,
        edit_key=shape.edit_key,
        completed=shape.completed,
        to_cells=shape.to_cells,
        policy=column.policy,
        two_way=column.direction == "two-way",
    )


def _row_id(cell: Cell) -> RowId | Literal[""]:
    """What the marker's cell says, if it is a row's id at all."""
    text = cell.text.strip().lower() if cell.text else ""
    return RowId(text) if _ROW_ID.fullmatch(text) else ""
