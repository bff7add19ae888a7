"""One board's column mapping, compiled: which slots an item has, which fields each slot has, and how their cells are
read. How an item becomes its state with it stands in `decode.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter, itemgetter
from sys import intern
from typing import Any, NamedTuple, Protocol

from models import TABLES, Row
from reconcile.columns import Column, ColumnMap
from reconcile.fields import FieldValue, or_item_name, shape_of
from reconcile.tables import SPECS, refuse_incomplete, spec_of
from reconcile.types import Field, Slot

STAFF_ROLE = "user:Sales Staff"


class Limit(Protocol):
    """What one column of an existing database takes beyond its type."""

    def refusal(self, value: Any) -> str | None:
        """Why it would not take a value, in words without the value; None when it fits."""


Limits = Mapping[tuple[str, str], Limit]
"""(table, column) → its limit."""


class PlainCell(NamedTuple):
    """How a cell is read without a call, where its field is that cell's text: forty of them an item."""

    number: int
    """The place of its field in `Layout.fields`."""
    attribute: str
    """The attribute of the cell that holds the text."""
    meaning: Callable[[str], FieldValue] | None
    """What a text that is not empty means; None where it is the value itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """`layout`: one board, compiled."""

    board: str
    board_id: int
    fields: tuple[Field, ...]
    """Slot by slot, in the order of the mapping."""
    slots: tuple[Slot, ...]
    record: Slot
    """The slot whose row stands for the item itself: the project, or the staff member."""
    referenced: tuple[Slot, ...]
    """The slots whose rows the record's row points at, each by its column `Slot.link`."""
    limits: Limits
    plain: Mapping[str, PlainCell]
    """Column id → how its cell is read."""
    others: tuple[int, ...]
    """Fields, by their places, that take more than that."""
    limited: tuple[int, ...]
    """Fields, by their places, of which a column takes less than its type would."""

    def field(self, field_id: str) -> Field | None:
        """The field of that id; None where the mapping has none any more."""
        return next((field for field in self.fields if field.id == field_id), None)

    def slot(self, role: str) -> Slot:
        """The slot of a role that the board has. Raises KeyError for another."""
        return self.by_role[role]

    def slot_of(self, field: Field) -> Slot:
        """The slot that a field belongs to."""
        return self.by_role[field.role]

    @property
    def by_role(self) -> dict[str, Slot]:
        """Role → slot."""
        return {slot.role: slot for slot in self.slots}

    @property
    def field_ids(self) -> tuple[str, ...]:
        return tuple(field.id for field in self.fields)

    def without(self, column_ids: Collection[str]) -> Layout:
        """The same board with some columns left unread: their fields stay UNSET, whoever shows the cells."""
        plain = {column_id: cell for column_id, cell in self.plain.items() if column_id not in column_ids}
        others = tuple(number for number in self.others if not {*self.fields[number].cells} & {*column_ids})
        return replace(self, plain=plain, others=others)


_STAGE = ("current_stage", "status")


def together(table: str, column: str) -> tuple[str, ...]:
    """The columns that are written together with one, or not at all: the parts of a name or an address, and a stage
    with the status that follows from it."""
    group = SPECS[table].joint
    if table == "projects" and column in _STAGE:
        return _STAGE
    return group if column in group else (column,)


# Compiling the mapping ------------------------------------------------------------------------------------------------

_Member = tuple[tuple[str, ...], Column]
"""What becomes one field: the ids of its cells, and the column that the first of them is mapped to."""


def compile_layout(board: str, board_id: int, columns: ColumnMap, limits: Limits | None = None) -> Layout:
    """Compile one board's mapping; fields of one slot stand in the mapping's order. Raises ConfigError for a table that
    is not declared whole."""
    refuse_incomplete()
    limits = limits or {}
    fields: list[Field] = []
    slots: list[Slot] = []
    for (role, table), members in _members_by_slot(columns).items():
        slots.append(_slot(board, len(slots), role, table, members, len(fields)))
        fields += slots[-1].fields
    record = next(slot for slot in slots if slot.table == "projects" or slot.role == STAFF_ROLE)
    plain = _plain_cells(fields)
    return Layout(
        board=board,
        board_id=board_id,
        fields=tuple(fields),
        slots=tuple(slots),
        record=record,
        referenced=tuple(slot for slot in slots if slot.link in TABLES[record.table].__struct_fields__),
        limits=limits,
        plain=plain,
        others=tuple(number for number, field in enumerate(fields) if field.cells[0] not in plain),
        limited=tuple(
            number
            for number, field in enumerate(fields)
            if any((field.table, column) in limits for column in field.columns)
        ),
    )


def _members_by_slot(columns: ColumnMap) -> dict[tuple[str, str], list[_Member]]:
    """(role, table) of each slot → what becomes its fields."""
    found: dict[tuple[str, str], list[_Member]] = {}
    readable = {column_id: column for column_id, column in columns.items() if column.target}
    for column_id, column in readable.items():
        found.setdefault((_role(column), column.table), []).append(((column_id,), column))
    team = next((column_id for column_id, column in readable.items() if column.target == "users.monday_team"), None)
    if team is not None:  # the staff member's team is a label on the user and a row of its own
        column = readable[team]
        shared = Column(column.title, column.codec, "sales_teams.name", direction=column.direction)
        found["sales_team", "sales_teams"] = [((team,), shared)]
    return {place: _with_joined_names(members) for place, members in found.items()}


def _role(column: Column) -> str:
    return f"user:{column.role}" if column.role else spec_of(column.table).role


def _with_joined_names(members: list[_Member]) -> list[_Member]:
    """First and last name are one field of two cells."""
    halves = {column.column: cells[0] for cells, column in members if column.column in {"first_name", "last_name"}}
    if len(halves) != 2:
        return members
    both = tuple(halves.values())
    return [
        (both if column.column == "first_name" else cells, column)
        for cells, column in members
        if column.column != "last_name"
    ]


def _slot(board: str, number: int, role: str, table: str, members: Sequence[_Member], first: int) -> Slot:
    """One slot, and its fields from the place `first` on."""
    fields = tuple(
        _field(board, role, table, cells, column, first + place) for place, (cells, column) in enumerate(members)
    )
    by_column = {field.column: field for field in fields}
    rule = SPECS[table].key
    keys = [by_column.get(column) for column in rule.columns] if rule is not None else []
    return Slot(
        board=board,
        role=role,
        table=table,
        link=_link_column(role),
        fields=fields,
        by_column=by_column,
        values_of=_values_of([field.columns for field in fields]),
        _key_values=_picker([None if field is None else first + fields.index(field) for field in keys]),
        _number=number,
        _span=slice(first, first + len(fields)),
    )


def _link_column(role: str) -> str | None:
    if role == "project" or role == STAFF_ROLE:
        return None
    return role.removeprefix("user:").lower().replace(" ", "_") + "_id"


def _field(board: str, role: str, table: str, cells: tuple[str, ...], column: Column, number: int) -> Field:
    shape = shape_of(column, len(cells))
    return Field(
        id=f"{table}.{shape.columns[0]}/{board}:{column.role or spec_of(table).role}",
        table=table,
        role=role,
        columns=shape.columns,
        cells=cells,
        codec=column.codec,
        from_cells=shape.from_cells,
        to_cells=shape.to_cells,
        compare_key=shape.compare_key,
        edit_key=shape.edit_key,
        completed=shape.completed,
        policy=column.policy,
        two_way=column.direction == "two-way",
        _number=number,
    )


def _plain_cells(fields: Sequence[Field]) -> dict[str, PlainCell]:
    """The cells that are the text of one field, and of no other."""
    every_cell = [column_id for field in fields for column_id in field.cells]
    return {
        field.cells[0]: PlainCell(number, field.codec.plain, _meaning(field))
        for number, field in enumerate(fields)
        if field.codec.plain is not None and field.from_cells is not or_item_name and "name" not in field.cells
        if len(field.cells) == every_cell.count(field.cells[0]) == 1
    }


def _meaning(field: Field) -> Callable[[str], FieldValue] | None:
    """What the text of a field's only cell means. Where few texts repeat on many items, one copy of each is kept."""
    if field.from_cells is not None:
        build = field.from_cells
        return lambda text: build((text,), "")
    return field.codec.parse or (intern if SPECS[field.table].repeats else None)


# What is asked for every slot of every item, without a call a field: a tenth of the time of a first load --------------


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


def _values_of(fields: Sequence[tuple[str, ...]]) -> Callable[[Row], tuple[Any, ...]]:
    """A function that gives what a row holds of some fields, each told by its columns: what `row[field]` gives."""
    if len(fields) > 1 and all(len(columns) == 1 for columns in fields):
        return attrgetter(*(columns[0] for columns in fields))
    getters = [_value_of(columns) for columns in fields]
    if len(getters) == 1:
        value = getters[0]
        return lambda row: (value(row),)
    return lambda row: tuple([value(row) for value in getters])


def _value_of(columns: tuple[str, ...]) -> Callable[[Row], Any]:
    if len(columns) == 1:
        return attrgetter(columns[0])
    parts_of, nothing = attrgetter(*columns), (None,) * len(columns)
    return lambda row: parts if (parts := parts_of(row)) != nothing else None
