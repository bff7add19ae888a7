"""The nouns of the core, and the one name that a variable of each has.

| noun | variable | what it is |
|---|---|---|
| `Item`, `Cell` (items) | `item`, `cell` | what monday.com sent, as it came |
| `ItemKey` | `item` | which item: (board, item id) |
| `Layout` (layout) | `layout` | one board's mapping, compiled: its slots and fields |
| `Slot` | `slot` | the place of an item that shows one row of a table |
| `Field` | `field` | the unit of merge: one or two cells, one or several columns |
| `ItemState` | `state` | what an item shows: `state[field]` |
| `ItemBase` | `base` | what is remembered of an item: `base[field].monday`, `base[field].postgres` |
| `Pair` | `pair` | of one field of it |
| `Links` | `links` | the row that each slot of an item is linked to: `links[slot]` |
| `Row` (models) | `row` | one row, as its table's model: `row.phone`, `row[field]` |
| `DatabaseState` (database_state) | `database` | what PostgreSQL holds around the items of a plan |
| `WorkingRows` (working_rows) | `working` | the rows as the plan makes them |
| `ItemRows` (working_rows) | `rows` | those of one item: `rows[slot]` |
| `Resolution` (identity) | `resolution` | which row each slot of each item belongs to |
| `Decision`, `Verdict` | `decision` | what one field of one item asks for |
| `Conflict` | `conflict` | two edits of one field |
| `Plan` (plan_pull), `Push` (push_plan) | `plan`, `push` | everything that one run would write, by direction |
| `Edits` (edits) | `edits` | what people changed in PostgreSQL |
| `CurrentItem` (plan_push) | `current` | an item as monday.com shows it right now |
| `ItemPush`, `ItemCreate` (push_plan) | `item_push`, `create` | one item that a push writes, or makes |

The two sides are `monday` and `postgres`, in that order. A field value is a value, a tuple of several columns, None
when empty, and UNSET where it was not read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum, auto
from typing import Any, Final, Generic, Literal, NamedTuple, TypeVar

import msgspec
from msgspec import UNSET

from models import Row, RowId
from reconcile.columns import Codec, Policy, Value
from reconcile.fields import Build, FieldValue

ItemKey = tuple[str, int]
"""`item`: (board, item id)."""

SlotPlace = tuple[ItemKey, "Slot"]
"""(item, slot): one slot of one item."""

T = TypeVar("T")
V_co = TypeVar("V_co", covariant=True)


class Force(Enum):
    """A base value that equals nothing: see `ItemBase`."""

    FORCE = "force"


FORCE: Final = Force.FORCE
BaseValue = FieldValue | Literal[Force.FORCE]
"""A field value, or FORCE: the row's value is still to be sent, whatever monday shows."""


# The mapping, compiled ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Field:
    """`field`: the unit of merge. Two of one id are the same field."""

    id: str
    """`projects.name/master:project`: its first column, its board, and whose it is."""
    table: str
    role: str
    """The role of its slot."""
    columns: tuple[str, ...]
    """Columns of the row that are one value: a name or an address with its parts, else one column."""
    cells: tuple[str, ...]
    """Ids of the columns on monday that show it: two for a person's first and last name, else one."""
    codec: Codec
    from_cells: Build | None
    """Makes its value of those of its cells; None where it is the value of its one cell."""
    to_cells: Callable[[Any], tuple[Value, ...]]
    """Its value, as those of its cells."""
    compare_key: Callable[[Any], Any]
    """What two values are compared by."""
    edit_key: Callable[[Any], Any]
    """What an edit on monday is seen by."""
    completed: Callable[[Any, Any], Any]
    """(value, what it was) → the value made whole, of which a part was edited in PostgreSQL."""
    policy: Policy
    """Who wins a conflict."""
    two_way: bool
    """Whether an edit in PostgreSQL is sent."""
    _number: int
    """Where a `PerField` holds it."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Field) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __lt__(self, other: Field) -> bool:
        """In the order of the layout."""
        return self._number < other._number

    @property
    def column(self) -> str:
        """The first of its columns, by which it is called."""
        return self.columns[0]

    @property
    def target(self) -> str:
        """`table.column`, as the mapping calls it."""
        return f"{self.table}.{self.columns[0]}"

    def load(self, raw: Any) -> FieldValue:
        """A value of it from its JSON form in a base or in the journal."""
        if isinstance(raw, list):
            return tuple(raw)
        return self.codec.load(raw)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Slot:
    """`slot`: the place of an item that shows one row of a table. Two of one board and role are the same slot."""

    board: str
    role: str
    """`customer`, or `user:Estimator` for a person."""
    table: str
    link: str | None
    """The column of the record's row that points at the slot's row; None for the record's own slot."""
    fields: tuple[Field, ...]
    by_column: Mapping[str, Field]
    """First column → field."""
    values_of: Callable[[Row], tuple[Any, ...]]
    """What a row holds of its fields, in their order: to be compared with `PerField.of`."""
    _key_values: Callable[[Sequence[Any]], tuple[Any, ...]]
    _number: int
    """Where a `PerSlot` holds it."""
    _span: slice
    """Where a `PerField` holds its fields."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Slot) and (self.board, self.role) == (other.board, other.role)

    def __hash__(self) -> int:
        return hash((self.board, self.role))

    def __lt__(self, other: Slot) -> bool:
        """In the order of the layout."""
        return self._number < other._number

    @property
    def person(self) -> str | None:
        """The role of a person: "Estimator"; None for other slots."""
        return self.role.partition(":")[2] or None

    def key_values(self, values: PerField[Any]) -> tuple[Any, ...]:
        """What its natural keys are made of, as `tables.KeyRule.keys` takes it."""
        return self._key_values(values._values)


# One item -------------------------------------------------------------------------------------------------------------


class PerField(Generic[V_co]):
    """A value per field of an item: `values[field]`, or all of them in the order of `Layout.fields`."""

    __slots__ = ("_values",)

    def __init__(self, values: Iterable[V_co]) -> None:
        self._values = tuple(values)

    def __getitem__(self, field: Field) -> V_co:
        return self._values[field._number]

    def of(self, slot: Slot) -> tuple[V_co, ...]:
        """Those of the fields of one slot."""
        return self._values[slot._span]

    def __iter__(self) -> Iterator[V_co]:
        return iter(self._values)

    def __contains__(self, value: object) -> bool:
        return value in self._values

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PerField) and self._values == other._values

    __hash__ = None  # type: ignore[assignment]  # a value may be a list of words

    def __repr__(self) -> str:
        return f"PerField({self._values!r})"


def _changed(values: PerField[Any], field: Field, value: Any) -> PerField[Any]:
    number = field._number
    return PerField((*values._values[:number], value, *values._values[number + 1 :]))


class PerSlot(Generic[T]):
    """A value per slot of an item: `links[slot]`, or all of them in the order of `Layout.slots`."""

    __slots__ = ("_values",)

    def __init__(self, values: Iterable[T]) -> None:
        self._values = list(values)

    def __getitem__(self, slot: Slot) -> T:
        return self._values[slot._number]

    def __setitem__(self, slot: Slot, value: T) -> None:
        self._values[slot._number] = value

    def __iter__(self) -> Iterator[T]:
        return iter(self._values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PerSlot) and self._values == other._values

    __hash__ = None  # type: ignore[assignment]  # it is changed

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._values!r})"


class Links(PerSlot[RowId | None]):
    """`links`: the id of the row that each slot is linked to; None where it shows none."""

    __slots__ = ()


class ItemState(msgspec.Struct):
    """`state`: what an item shows, a value per field of its layout: `state[field]`."""

    board: str
    id: int
    updated_at: datetime
    values: PerField[FieldValue]
    bad: tuple[tuple[str, str], ...] = ()
    """(column id, reason) of cells that could not be read: their fields are UNSET."""
    content_hash: str | None = None
    """What tells its content from what it was: see `change_filter.hash_of`."""
    seen: bool = True
    """Whether it was read in this run. Else it is what its base remembers, so that a partial read plans like a whole
    one."""
    marker: RowId | Literal[""] = ""
    """The id of a row that the item carries; "" for none, and where the board has no such column."""

    @property
    def item(self) -> ItemKey:
        return self.board, self.id

    def __getitem__(self, field: Field) -> FieldValue:
        return self.values._values[field._number]


class Pair(msgspec.Struct, frozen=True, gc=False):
    """`pair`: what monday showed of a field, and what the row held, when they were last reconciled.

    A pair and not one agreed value: a lossy round trip must not echo, two values that differed at first contact have no
    agreed value, and a value that won must be able to say that it is still to be sent (FORCE).
    """

    monday: FieldValue
    postgres: BaseValue


class ItemBase(msgspec.Struct):
    """`base`: what is remembered of one item, a pair per field: `base[field]`.

    A field that was never read is UNSET on both sides.
    """

    board: str
    id: int
    updated_at: datetime
    links: Links
    monday: PerField[FieldValue]
    """What monday showed."""
    postgres: PerField[BaseValue]
    """What the rows held; `monday` itself where they do not differ at all."""
    state: str = "active"
    """`active`, `missing`, or what became of it: `archived`, `deleted`, `moved`."""
    missing_count: int = 0
    """Complete reads in a row in which it did not come."""
    content_hash: str | None = None
    """Of its content when it was last read, with a mark where something was refused (`base.AGAIN`); None while
    something of the item is open."""
    tolerated: int = 0
    """How many fields differ that nobody edited."""
    tolerated_links: dict[str, RowId | None] = {}
    """Role → what the record's foreign key pointed at, where that is not the slot's row: it differed at first contact,
    and is an edit only once it moves."""

    @property
    def item(self) -> ItemKey:
        return self.board, self.id

    def __getitem__(self, field: Field) -> Pair:
        number = field._number
        return Pair(self.monday._values[number], self.postgres._values[number])

    def __setitem__(self, field: Field, pair: Pair) -> None:
        shared = self.postgres is self.monday
        if pair.monday is not self.monday[field]:
            self.monday = _changed(self.monday, field, pair.monday)
            if shared:
                self.postgres = self.monday
        if pair.postgres is not self.postgres[field]:
            self.postgres = _changed(self.postgres, field, pair.postgres)

    def copy(self) -> ItemBase:
        """One of its own, to be changed."""
        return msgspec.structs.replace(self, links=Links(self.links), tolerated_links=dict(self.tolerated_links))

    def count_tolerated(self, fields: Sequence[Field]) -> int:
        """How many fields differ that nobody edited; it is remembered in `tolerated`. `fields` are the layout's."""
        self.tolerated = sum(
            postgres is not FORCE and monday is not UNSET and field.compare_key(monday) != field.compare_key(postgres)
            for field, monday, postgres in zip(fields, self.monday, self.postgres, strict=True)
            if postgres is not monday
        )
        return self.tolerated


# What is decided ------------------------------------------------------------------------------------------------------


class Verdict(Enum):
    """What one field asks for."""

    SAME = auto()
    TOLERATED = auto()
    """They differ, and nobody edited either since they were first compared."""
    TO_POSTGRES = auto()
    TO_MONDAY = auto()
    CONFLICT = auto()


class Decision(NamedTuple):
    """`decision`: the verdict on one field, and the three values that it was decided on."""

    verdict: Verdict
    monday: FieldValue
    postgres: FieldValue
    agreed: FieldValue
    """What both sides said when they were last reconciled; UNSET where they never agreed."""


ConflictPlace = tuple[ItemKey, str]
"""(item, field id): what a conflict is about, for as long as it stays open."""

Winner = Literal["monday", "postgres", "nobody"]


@dataclass(frozen=True, slots=True)
class Conflict:
    """`conflict`: two edits of one field."""

    item: ItemKey
    role: str
    field: str
    """The field's id, or the foreign key's column."""
    table: str
    row: RowId
    kept_from: str
    """`monday`, `postgres`, `nobody`, or `item 7` where two items of monday disagree."""
    kept: Any
    lost_from: str
    lost: Any
    open: bool = False
    """A person, or the other direction, has yet to decide."""
    monday: Any = None
    """What monday shows."""
    postgres: Any = None
    """What the row holds."""
    agreed: Any = UNSET
    """What they last agreed on; UNSET where they never did."""

    @property
    def place(self) -> ConflictPlace:
        return self.item, self.field

    def left_open(self) -> Conflict:
        """The same with nobody as its winner: a person decides, and until then monday's edit is the one that waits."""
        return replace(self, kept_from="nobody", kept=None, lost_from="monday", lost=self.monday, open=True)
