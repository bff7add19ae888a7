"""How a field lies in cells and in a row's columns: what cells mean together, and how a value shows in them again.

Most fields are one cell and one column. A person's first, last and full name are one field, and an address with its
parts is another: each has its own named functions here, for both ways.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from msgspec import UNSET, UnsetType

from reconcile import address
from reconcile.columns import Column, Value
from reconcile.errors import CellError

FieldValue = Value | tuple[Value, ...] | UnsetType
"""One field: a value, a tuple of several columns, None when empty, UNSET when it was not read."""

Build = Callable[[Sequence[Value], str], FieldValue]
"""(values of the cells, item's name) → the field's value."""

NAME_COLUMNS = ("name", "first_name", "last_name")
ADDRESS_COLUMNS = ("address", *address.Parts._fields)


@dataclass(frozen=True, slots=True)
class Shape:
    """How a field lies in the row's columns and in the item's cells: see `Field`."""

    columns: tuple[str, ...]
    from_cells: Build | None
    compare_key: Callable[[Any], Any]
    edit_key: Callable[[Any], Any]
    completed: Callable[[Any, Any], Any]
    to_cells: Callable[[Any], tuple[Value, ...]]


@dataclass(frozen=True, slots=True)
class Joint:
    """Columns of one row that are one field: the whole, then its parts. `shape` is that of a field of so many cells;
    `halves` are the parts that two cells tell instead of the whole."""

    columns: tuple[str, ...]
    shape: Callable[[int], Shape]
    halves: tuple[str, ...] = ()


def shape_of(column: Column, cells: int, joint: Joint | None = None, *, named: bool = False) -> Shape:
    """The shape of a field of so many cells, of which this is the first column. `joint` is that of its table; `named`,
    whether it takes the item's name where its cell is empty."""
    if joint is not None and (cells > 1 or column.column == joint.columns[0]):
        return joint.shape(cells)
    of_one = column.codec.compare_key
    return Shape((column.column,), or_item_name if named else None, of_one, of_one, completed_value, _cells_of_value)


def _shape_of_name(cells: int) -> Shape:
    told = _cells_of_halves if cells == 2 else _cells_of_name
    return Shape(NAME_COLUMNS, person_name, _compare_name, _compare_name, completed_name, told)


def _shape_of_address(_cells: int) -> Shape:
    return Shape(ADDRESS_COLUMNS, _address, _compare_address, _typed_address, completed_address, _cells_of_address)


PERSON_NAME = Joint(NAME_COLUMNS, _shape_of_name, NAME_COLUMNS[1:])
ADDRESS = Joint(ADDRESS_COLUMNS, _shape_of_address)


# How cells become a field value: one named function each ------------------------------------------------------------


def or_item_name(values: Sequence[Value], item_name: str) -> FieldValue:
    """A text that falls back to the item's name; UNSET where that holds a NUL, which the cell "name" reports."""
    return values[0] or (UNSET if "\0" in item_name else item_name.strip() or None)


def person_name(values: Sequence[Value], _item_name: str = "") -> FieldValue:
    """(full, first, last) from one cell with the full name, or from two with first and last."""
    if len(values) == 2:
        return _joined_name(*values)
    return _split_name(values[0]) if isinstance(values[0], str) else None


@lru_cache(maxsize=16_384)
def _split_name(full: str) -> FieldValue:
    first_word, *rest = full.split(maxsplit=1)  # at any white space: a no-break space separates names too
    return full, first_word, rest[0].rstrip() if rest else None


@lru_cache(maxsize=16_384)
def _joined_name(first: Value, last: Value) -> FieldValue:
    full = " ".join(str(part) for part in (first, last) if part)
    return (full, first, last) if full else None


def _address(values: Sequence[Value], _item_name: str) -> FieldValue:
    """(raw, street, city, state, zip)."""
    raw = values[0]
    return (raw, *address.parse(raw)) if isinstance(raw, str) else None


def _same(value: Any) -> Any:
    return value


def _compare_name(value: Any) -> Any:
    """Full name and joined parts, each standing in for the other: a row that holds only the full name is equal to one
    that holds its parts too, but an edit of a single part is seen."""
    if not isinstance(value, tuple):
        return value
    full, first, last = value
    joined = " ".join(part for part in (first, last) if part)
    if not full:
        return joined, joined
    return address.spaced(full), joined or " ".join(full.split())


def _compare_address(value: Any) -> Any:
    """A row that holds only the whole address is equal to one that holds the parts that are read from it too. What
    kind of blanks stand in it is no difference."""
    if not isinstance(value, tuple):
        return value
    if value[0] is not None and not any(value[1:]):
        value = (value[0], *address.parse(value[0]))
    return tuple([_as_spaced(part) for part in value])


def _as_spaced(text: Any) -> Any:
    """What a text is compared by where its blanks do not count; empty is None."""
    return (address.spaced(text) or None) if isinstance(text, str) else text


def _typed_address(value: Any) -> Any:
    """What a person typed: the parts are ours, and a better parser is no edit."""
    return _as_spaced(value[0]) if isinstance(value, tuple) else value


# How a value that was edited in PostgreSQL becomes whole again, and how its cells show it ---------------------------


def completed_value(now: Any, was: Any = None) -> Any:
    """A text without outer blanks, as a cell would give it; empty is None. What nobody edited keeps its blanks."""
    return (now.strip() or None) if isinstance(now, str) and now != was else now


def completed_name(now: Any, was: Any) -> Any:
    """(full, first, last) of which a person edited some: the part that was edited decides about the others.

    >>> completed_name(("Ann Lee", "Anna", "Lee"), ("Ann Lee", "Ann", "Lee"))
    ('Anna Lee', 'Anna', 'Lee')
    >>> completed_name(("Bob Roe", "Ann", "Lee"), ("Ann Lee", "Ann", "Lee"))
    ('Bob Roe', 'Bob', 'Roe')
    """
    if not isinstance(now, tuple) or now == was:
        return now
    full, *parts = map(completed_value, now)
    old_full, *old_parts = map(completed_value, was if isinstance(was, tuple) else (None, None, None))
    joined = " ".join(part for part in parts if part) or None
    if joined is None:
        return None if full is None else _split_name(full)
    alike = full is not None and full.split() == joined.split()
    if alike or (full is not None and full != old_full and parts != old_parts):
        return (full, *parts)
    if full != old_full and parts == old_parts:
        return None if full is None else _split_name(full)
    return (joined, *parts)


class Unplaced(tuple[Value, ...]):
    """An address of which a part was edited that has no place in its text: no cell can show it."""

    __slots__ = ()


def completed_address(now: Any, was: Any) -> Any:
    """(raw, street, city, state, zip) of which a person edited some. An edited part is exchanged inside the raw text,
    so that nothing else of it changes; `Unplaced` where that cannot be done for certain.

    >>> was = ("1 A St, Reno, NV (ask Bob)", "1 A St", "Reno", "NV", None)
    >>> completed_address(("1 A St, Reno, NV (ask Bob)", "1 A St", "Elko", "NV", None), was)
    ('1 A St, Elko, NV (ask Bob)', '1 A St', 'Elko', 'NV', None)
    """
    if not isinstance(now, tuple) or now == was:
        return now
    raw, *parts = map(completed_value, now)
    old_raw, *old_parts = was if isinstance(was, tuple) else (None,) * 5
    if old_raw is not None and not any(old_parts):
        old_parts = list(address.parse(old_raw))
    edited = [_as_spaced(part) != _as_spaced(old) for part, old in zip(parts, old_parts, strict=True)]
    if raw is None:
        if not any(edited) or not any(parts):
            return None
        whole = address.composed(address.Parts(*parts)) if parts[0] and parts[1] else None
        return Unplaced((None, *parts)) if whole is None else (whole, *parts)
    if _as_spaced(raw) != _as_spaced(old_raw):
        return raw, *_parts_of_new(raw, parts, edited)
    if not any(edited) or not any(parts):
        return raw, *parts
    text = address.exchanged(raw, address.Parts(*old_parts), address.Parts(*parts))
    return Unplaced((raw, *parts)) if text is None else (text, *parts)


def _parts_of_new(raw: str, parts: Sequence[Value], edited: Sequence[bool]) -> Sequence[Value]:
    """The parts of an address that was typed anew: those that were typed with it stay, the others are read from it."""
    read = address.parse(raw)
    if not any(parts) or not any(edited):
        return read
    if read == address.UNPARSED:
        return parts
    return [part if typed else now for part, now, typed in zip(parts, read, edited, strict=True)]


def _cells_of_value(value: Any) -> tuple[Value, ...]:
    return (value,)


def _cells_of_address(value: Any) -> tuple[Value, ...]:
    if isinstance(value, Unplaced):
        raise CellError(
            "was edited in a part that has no certain place in the address: write the whole into the column address "
            "in PostgreSQL, or set the part back"
        )
    return (value[0] if isinstance(value, tuple) else value,)


def whole_name(value: Any) -> Any:
    """A person's full name, or its parts joined."""
    if not isinstance(value, tuple):
        return value
    full, *parts = value
    return full or " ".join(part for part in parts if part)


def _cells_of_name(value: Any) -> tuple[Value, ...]:
    return (whole_name(value),)


def _cells_of_halves(value: Any) -> tuple[Value, ...]:
    if not isinstance(value, tuple):
        return (None, None)
    full, first, last = value
    if first or last or not full:
        return (first, last)
    return tuple(_split_name(full)[1:])  # type: ignore[index]  # a name that is not empty splits in three
