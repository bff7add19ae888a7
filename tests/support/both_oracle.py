"""What both commands together may do to two boards and nine tables, judged from outside: no line of the program is
used.

A ledger of edits: each with its place (an item's field, or a row's column), its time and its value. After every run,
everything that the run changed is held against it. A change without an edit that asks for it is an echo; an edit whose
value vanished without a newer one, or a line in the conflict log, is lost. In the end both sides have to agree.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Container, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg2 import extensions

from sandbox import Sandbox
from tests.support.oracle import (
    BOARD_IDS,
    POINTERS,
    TABLES,
    Database,
    Line,
    Shown,
    doubled,
    like,
    line_of,
    look,
    shared_homes,
    text_of,
)
from tests.support.oracle import FIELDS as INBOUND_FIELDS

FIELDS = {
    "master": [
        *INBOUND_FIELDS["master"],
        Shown("project", "projects", "link", ("link__1",), "link"),
        Shown("user:Partner", "users", "name", ("partner_name__1",)),
        Shown("user:Partner", "users", "email", ("partner_email__1",), "email"),
        Shown("user:Partner", "users", "phone", ("partner_phone____1",), "phone"),
        Shown("user:Estimator", "users", "phone", ("phone_10__1",), "phone"),
        Shown("user:Sales Representative", "users", "name", ("text22__1", "text49__1")),
        Shown("user:Sales Representative", "users", "email", ("email5__1",), "email"),
        Shown("user:Sales Representative", "users", "phone", ("sales_rep_phone____1",), "phone"),
        Shown("pa_law", "pa_law", "email", ("jp_pa_law_email__1",), "email"),
        Shown("insurance", "insurances", "company_email", ("email05__1",), "email"),
    ],
    "staff": INBOUND_FIELDS["staff"],
}
RECORDS = {"master": ("project", "projects"), "staff": ("user:Sales Staff", "users")}
LINKS = {
    "master": POINTERS | {"user:Partner": "partner_id", "user:Sales Representative": "sales_representative_id"},
    "staff": {"sales_team": "sales_team_id"},
}
JOINT = {
    ("users", "name"): ("name", "first_name", "last_name"),
    ("properties", "address"): ("address", "street", "city", "state", "zip"),
}
"""Columns that are one field, under the first of them."""
HEAD = {(table, part): head for (table, head), parts in JOINT.items() for part in parts}

Values = frozenset[Any]
"""What a place may be taken to say, as a person would compare it."""


def plain(kind: str, value: str | None) -> Any:
    """A value without outer blanks; empty is None."""
    value = (value.strip() or None) if value is not None else None
    return like(kind, value)


def kind_of(table: str, column: str) -> str:
    """How values of a column are compared."""
    return next((f.kind for fs in FIELDS.values() for f in fs if (f.table, f.column) == (table, column)), "text")


@dataclass(frozen=True, slots=True)
class Seen:
    """One item as the board shows it."""

    board: str
    state: str
    name: str
    updated_at: str
    cells: dict[str, str]

    def says(self, entry: Shown) -> Values:
        value = plain(entry.kind, entry.of(self.cells, self.name))
        if (entry.table, entry.column) == ("projects", "name") and not self.cells.get(entry.cells[0]):
            return frozenset({None, value})
        return frozenset({value})


@dataclass(slots=True)
class Scene:
    """Both sides at one moment. `unfinished`: the journal has something in it that a run may send again first;
    `blind`: columns that the commands leave alone.
    """

    rows: Database
    items: dict[int, Seen]
    held: set[tuple[int, str]]
    up_to_date: set[int]
    created: dict[int, str]
    unfinished: bool
    blind: frozenset[str]

    def link(self, item: int, role: str) -> str | None:
        return self.rows.links.get((BOARD_IDS[self.items[item].board], item, role))

    def row(self, item: int, entry: Shown) -> dict[str, str | None] | None:
        return self.rows.row(entry.table, self.link(item, entry.role))

    def pointed(self, item: int, entry: Shown) -> dict[str, str | None] | None:
        """The row that the item's record points at, whatever its slot is linked to."""
        board = self.items[item].board
        role, table = RECORDS[board]
        record = self.rows.row(table, self.link(item, role))
        if record is None or entry.role not in LINKS[board]:
            return self.row(item, entry)
        return self.rows.row(entry.table, record[LINKS[board][entry.role]])

    def fields(self, item: int) -> list[Shown]:
        return [entry for entry in FIELDS[self.items[item].board] if not self.blind & {*entry.cells}]


def scene(connection: extensions.connection, sandbox: Sandbox, blind: Collection[str] = ()) -> Scene:
    """Look at everything."""
    rows = look(connection)
    items = {}
    for board, board_id in BOARD_IDS.items():
        for state in ("active", "archived", "deleted"):
            for item_id in sandbox.item_ids(board_id, state):
                items[item_id] = seen(sandbox, board, item_id)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT i.item_id, l.slots[n.place::int + 1] FROM monday_sync.sync_item i"
            " JOIN monday_sync.sync_layout l USING (layout)"
            " CROSS JOIN LATERAL jsonb_object_keys(coalesce(i.base::jsonb -> 'held', '{}')) AS n (place)"
        )
        held = set(cursor.fetchall())
        cursor.execute("SELECT item_id, updated_at FROM monday_sync.sync_item WHERE m_hash IS NOT NULL")
        known = dict(cursor.fetchall())
        cursor.execute("SELECT FROM monday_sync.sync_batch")
        unfinished = cursor.rowcount > 0
        up_to_date = {
            item for item, at in known.items() if item in items and at >= datetime.fromisoformat(items[item].updated_at)
        }
    created = {
        int(str(row["monday_item_id"])): row_id
        for table in ("projects", "users")
        for row_id, row in rows.rows[table].items()
        if row["monday_item_id"] is not None
    }
    _follow_ids(rows)
    return Scene(rows, items, held, up_to_date, created, unfinished, frozenset(blind))


def _follow_ids(rows: Database) -> None:
    """A project is the row that holds its item's id, whichever it is remembered with."""
    board, role = BOARD_IDS["master"], RECORDS["master"][0]
    for row_id, row in rows.rows["projects"].items():
        item = row["monday_item_id"]
        if item is not None and (board, int(item)) in rows.items:
            rows.links[board, int(item), role] = row_id


def seen(sandbox: Sandbox, board: str, item_id: int) -> Seen:
    item = sandbox.item(item_id)
    cells = {name: text for name, cell in item["cells"].items() if (text := text_of(cell))}
    return Seen(board, item["state"], item["name"], item["updated_at"], cells)


HALF = object()
"""What an address or a name says of which a part, or the whole, was edited and the rest does not tell it yet."""


def holds(row: dict[str, str | None], entry: Shown) -> Values:
    """What a row says of a field; a name may stand in its parts, in its whole, or differ between them."""
    value = plain(entry.kind, row[entry.column])
    if entry.kind == "address" and value and row["street"] and row["city"]:
        parts = " ".join(row[part] or "" for part in ("street", "city", "state", "zip"))
        if {*parts.replace(",", " ").split()} - {*value.replace(",", " ").split()}:
            return frozenset({value, HALF})
    if (entry.table, entry.column) != ("users", "name"):
        return frozenset({value})
    parts = " ".join(part for part in (plain("text", row["first_name"]), plain("text", row["last_name"])) if part)
    if value is None and parts:
        return frozenset({parts, HALF})
    return frozenset({value, parts or None} - {None}) or frozenset({None})


@dataclass(slots=True)
class Edit:
    """A value that a person left at a place. `was` is what the sync last met there, `link` the row that the item's slot
    had, `shown` the items that showed the row; `met` are the items (of a cell: itself) at which both sides were seen to
    agree on it."""

    at: int
    value: Any
    was: Any
    mark: frozenset[Line]
    link: str | None = None
    shown: frozenset[int] = frozenset()
    met: set[int] = field(default_factory=set)


ItemField = tuple[int, str, str]
RowField = tuple[str, str, str]


@dataclass(slots=True)
class Ledger:
    """`said` and `typed` are the newest edits of fields of items and of columns of rows that still stand; `touched`
    says when a person last did anything to a place at all. `agreed`: when a run last left both sides of a field equal;
    `landed`: when a run last changed a column of a row, which other items have to hear of. `blind` are columns that
    runs leave alone. `left`: what a run met last at an item on a board that it was moved away from. `once`: the uuids
    that a row had before, by which an item may still know it. `fresh`: the run at hand compares as on the first day;
    `adopted`: when that last made edits of all that differed, letters too. `spelled`: when a run last left both sides
    equal to the letter, where they also agree in other letters.
    """

    time: int = 0
    said: dict[ItemField, Edit] = field(default_factory=dict)
    typed: dict[RowField, Edit] = field(default_factory=dict)
    touched: dict[ItemField | RowField, int] = field(default_factory=dict)
    agreed: dict[ItemField, int] = field(default_factory=dict)
    spelled: dict[ItemField, int] = field(default_factory=dict)
    landed: dict[RowField, int] = field(default_factory=dict)
    people: set[int] = field(default_factory=set)
    inserted: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    once: dict[str, set[str]] = field(default_factory=dict)
    made: dict[int, str] = field(default_factory=dict)
    left: dict[tuple[str, ItemField], Values] = field(default_factory=dict)
    propagated: set[int] = field(default_factory=set)
    last: Scene | None = None
    blind: set[str] = field(default_factory=set)
    anybodys: Container[str] = ()
    fresh: bool = False
    adopted: int = 0

    # Edits

    def on_board(self, item: int, before: Seen | None, after: Seen) -> None:
        """A person did something to an item; `before` is None when it is new, or was brought back."""
        self.time += 1
        self.people |= {item} if before is None and item not in self.made else set()
        for entry in FIELDS[after.board]:
            if self.blind & {*entry.cells}:
                continue
            place = (item, entry.role, entry.column)
            now = after.says(entry)
            was = before.says(entry) if before is not None else frozenset({None})
            if before is None or before.state != after.state:
                self.touched[place] = self.time
            if now == was:
                continue
            self.touched[place] = self.time
            old = self.said.pop(place, None)
            origin = old.was if old is not None and not old.met else was
            if now != origin:
                known = self.last is not None and item in self.last.items
                link = self.last.link(item, entry.role) if known and self.last is not None else None
                self.said[place] = Edit(self.time, now, origin, self._mark(), link)

    def take(self, item: int) -> None:
        """A person put away, or without a marker renamed, an item that a lost request made: no one finds it again."""
        if item not in self.made:
            self.people.add(item)

    def moved(self, item: int, before: Seen, after: Seen) -> None:
        """A person moved an item to another board, where it says what it says for the first time, or once more: what a
        run met there before it left is no edit.
        """
        unmet = {place: edit.was for place, edit in self.said.items() if place[0] == item and not edit.met}
        for entry in FIELDS[before.board]:
            place = (item, entry.role, entry.column)
            self.left[before.board, place] = unmet.get(place, before.says(entry))
        self.said = {place: edit for place, edit in self.said.items() if place[0] != item}
        self.on_board(item, None, after)
        for place in [place for place in self.said if place[0] == item]:
            if self.left.get((after.board, place)) == self.said[place].value:
                del self.said[place]

    def forget(self, *, adopts: bool) -> None:
        """Both sides are about to be compared as on the first day; with `adopts`, one of them has edited all."""
        self.time += 1
        self.said.clear()
        self.typed.clear()
        self.left.clear()
        self.fresh, self.adopted = True, self.time if adopts else self.adopted

    def in_row(self, table: str, row: str, column: str, was: str | None, now: str | None) -> None:
        """A person set a column."""
        self.time += 1
        place, kind = (table, row, column), kind_of(table, column)
        self.touched[place] = self.time
        old = self.typed.pop(place, None)
        origin = old.was if old is not None and not old.met else plain(kind, was)
        if plain(kind, now) != origin:
            links = self.last.rows.links if self.last is not None else {}
            shown = frozenset(item for (_board, item, _role), link in links.items() if link == row)
            self.typed[place] = Edit(self.time, plain(kind, now), origin, self._mark(), shown=shown)

    def insert(self, table: str, row: str, values: dict[str, str | None]) -> None:
        for column, value in values.items():
            self.in_row(table, row, column, None, value)

    def exchange(self, rows: Mapping[str, Mapping[str, str | None]], items: Mapping[str, int]) -> None:
        """A person exchanged the item ids of two projects (row → its values, row → its item from now on): each item is
        compared with what the other row held before.
        """
        self.time += 1
        one, other = rows
        for column in self._columns("projects"):
            kind = kind_of("projects", column)
            now = {row: plain(kind, values[column]) for row, values in rows.items()}
            met = {}
            for row in rows:
                old = self.typed.pop(("projects", row, column), None)
                met[row] = old.was if old is not None and not old.met else now[row]
            for row, was in ((one, met[other]), (other, met[one])):
                if now[one] != now[other] or was != now[row]:
                    self.touched["projects", row, column] = self.time
                if now[row] != was:
                    shown = frozenset({items[row]})
                    self.typed["projects", row, column] = Edit(self.time, now[row], was, self._mark(), shown=shown)

    def renew(self, table: str, was: str, now: str) -> None:
        """A row came back with another uuid, and says what it said."""
        self.typed = {_renewed(place, table, was, now): edit for place, edit in self.typed.items()}
        self.landed = {_renewed(place, table, was, now): at for place, at in self.landed.items()}
        for place in [place for place in self.touched if place[:2] == (table, was)]:
            self.touched[table, now, str(place[2])] = self.touched.pop(place)
        for rows in (self.inserted, self.deleted):
            if was in rows:
                rows.remove(was)
                rows.add(now)
        self.once[now] = {was, *self.once.pop(was, ())}
        self.made = {item: now if row == was else row for item, row in self.made.items()}
        for edit in self.said.values():
            edit.link = now if edit.link == was else edit.link

    def bring_back(self, row: str) -> None:
        """The row of an item that is gone is to become an item again."""
        self.time += 1
        self.inserted.add(row)
        self.made = {item: made for item, made in self.made.items() if made != row} | {
            item: "" for item, made in self.made.items() if made == row
        }

    def delete(self, row: str) -> None:
        self.time += 1
        self.deleted |= {row, *self.once.get(row, ())}
        self.typed = {place: edit for place, edit in self.typed.items() if place[1] != row}

    def _mark(self) -> frozenset[Line]:
        return self.last.rows.lines if self.last is not None else frozenset()

    # What a run did

    def check(self, before: Scene, after: Scene, *, propagated: bool = False) -> list[str]:
        """Everything that is wrong with what a run did; then the ledger knows of it."""
        self.time += 1
        wrong = [
            *self._items(before, after, propagated),
            *self._rows(before, after),
            *self._structure(after),
            *doubled(before.rows, after.rows, self.anybodys),
            *shared_homes(after.rows),
        ]
        self._meet(after)
        self.last, self.fresh = after, False
        return wrong

    def _items(self, before: Scene, after: Scene, propagated: bool) -> Iterator[str]:
        for item, now in after.items.items():
            was = before.items.get(item)
            if was is None:
                continue
            if was.state != now.state:
                yield from self._archived(item, before, was, now, propagated)
            if (was.name, was.cells) == (now.name, now.cells):
                if was.updated_at != now.updated_at and was.state == now.state and not before.unfinished:
                    yield f"item {item} was written without a change"
                continue
            unmapped = {
                cell for cell in was.cells.keys() | now.cells.keys() if was.cells.get(cell) != now.cells.get(cell)
            } - {cell for entry in after.fields(item) for cell in entry.cells}
            if unmapped:
                yield f"item {item}: {sorted(unmapped)} changed, which nobody edits here"
            for entry in after.fields(item):
                alone = entry.cells and all(was.cells.get(cell) == now.cells.get(cell) for cell in entry.cells)
                if was.says(entry) != now.says(entry) and not alone:  # else it is called like its item
                    yield from self._written(item, entry, before, after)
                elif entry.kind == "loud" and not alone and not self._asks_for_letters(item, entry):
                    yield from self._unasked(item, entry, before, after, "was written in other letters")

    def _archived(self, item: int, before: Scene, was: Seen, now: Seen, propagated: bool) -> Iterator[str]:
        link = before.link(item, RECORDS[was.board][0])
        if now.state != "archived" or not propagated or link not in self.deleted:
            yield f"item {item} became {now.state}"
        edits = [e for (i, _r, _c), e in self.said.items() if i == item and not e.met]
        if edits and item not in before.up_to_date:
            yield f"item {item} was archived although somebody had edited it"
        self.propagated.add(item)

    def _written(self, item: int, entry: Shown, before: Scene, after: Scene) -> Iterator[str]:
        """A run changed what an item shows in one field."""
        place = (item, entry.role, entry.column)
        was, now = before.items[item].says(entry), after.items[item].says(entry)
        label = f"{after.items[item].board} item {item} {entry.role} {entry.column} went from {_s(was)} to {_s(now)}"
        edit = self.said.get(place)
        if edit is not None and edit.value == was:
            lost = self._lost_of_item(item, entry, edit.mark, after)
            if not edit.met and not edit.value & lost:
                yield f"{label}: the edit of time {edit.at} is lost"
            del self.said[place]
        told: Values = frozenset()
        for other in self._same_cells(item, entry, after):
            for row in (after.row(item, other), after.pointed(item, other)):  # not yet linked: the answer was lost
                told |= holds(row, other) if row is not None else frozenset({None})
        if not now & told:
            yield f"{label}, and its row {after.link(item, entry.role)} holds {_s(told)}"
        yield from self._unasked(item, entry, before, after, label)

    def _unasked(self, item: int, entry: Shown, before: Scene, after: Scene, label: str) -> Iterator[str]:
        place = (item, entry.role, entry.column)
        asked = max(self._asks(item, entry, before, after), default=0)
        if asked <= self.agreed.get(place, 0):
            yield f"{label} at time {self.time}: nobody asked for that (last {asked}, agreed {self.agreed.get(place)})"

    def _asks_for_letters(self, item: int, entry: Shown) -> bool:
        return self.adopted > self.spelled.get((item, entry.role, entry.column), 0)

    def _asks(self, item: int, entry: Shown, before: Scene, after: Scene) -> Iterator[int]:
        """When people did what may have to show in a field of an item."""
        yield self.adopted
        for other in self._same_cells(item, entry, after):
            yield from self._asks_of_row(item, other, before, after)
            if other is not entry:
                yield self.touched.get((item, other.role, other.column), 0)

    def _asks_of_row(self, item: int, entry: Shown, before: Scene, after: Scene) -> Iterator[int]:
        link = after.link(item, entry.role)
        board = after.items[item].board
        record, table = RECORDS[board]
        if entry.role in LINKS[board]:
            for scene_ in (before, after):
                if item in scene_.items:
                    yield self.touched.get((table, str(scene_.link(item, record)), LINKS[board][entry.role]), 0)
        if link is None:
            return
        for column in JOINT.get((entry.table, entry.column), (entry.column,)):
            yield self.touched.get((entry.table, link, column), 0)
            yield self.landed.get((entry.table, link, column), 0)

    def _spoken(self, item: int, entry: Shown, after: Scene) -> Iterator[int]:
        for other in self._same_cells(item, entry, after):
            yield self.touched.get((item, other.role, other.column), 0)

    @staticmethod
    def _same_cells(item: int, entry: Shown, after: Scene) -> list[Shown]:
        """The fields that stand in the same cells; a project without a name of its own is called like its item."""
        names = {"item_name", "name"} if entry.table == "projects" else set()
        return [
            other
            for other in after.fields(item)
            if other is entry
            or set(other.cells) & set(entry.cells)
            or (other.table == "projects" and {other.column, entry.column} == names)
        ]

    # Rows

    def _rows(self, before: Scene, after: Scene) -> Iterator[str]:
        for table in TABLES:
            for row_id, was in before.rows.rows[table].items():
                now = after.rows.rows[table].get(row_id)
                if now is None:
                    yield f"{table} {row_id} is gone"
                    continue
                for column in was.keys() & self._columns(table):
                    if plain(kind_of(table, column), was[column]) != plain(kind_of(table, column), now[column]):
                        yield from self._landed(table, row_id, column, before, after)

    @staticmethod
    def _columns(table: str) -> set[str]:
        mapped = {f.column for fs in FIELDS.values() for f in fs if f.table == table}
        parts = {part for (of, _head), columns in JOINT.items() if of == table for part in columns}
        board = next((board for board, (_role, of) in RECORDS.items() if of == table), None)
        return mapped | parts | (set(LINKS[board].values()) if board else set())

    def _landed(self, table: str, row_id: str, column: str, before: Scene, after: Scene) -> Iterator[str]:
        """A run changed a column of a row that was there."""
        kind = kind_of(table, column)
        self.landed[table, row_id, column] = self.time
        was = plain(kind, before.rows.rows[table][row_id][column])
        now = plain(kind, after.rows.rows[table][row_id][column])
        label = f"{table}.{column} of {row_id} went from {was!r} to {now!r}"
        head = HEAD.get((table, column), column)
        if self.fresh and was is None:
            return  # an empty field takes what monday says
        parts = JOINT.get((table, head), (column,))
        speakers = [
            (item, entry)
            for item in after.items
            for entry in after.fields(item)
            if self._speaks(item, entry, table, row_id, column, head, after)
        ]
        typed = self.typed.get((table, row_id, column))
        if typed is not None and typed.value == was:
            lost = self._lost_of_row(table, row_id, head, typed.mark, after)
            newer = any(
                item in typed.met and max(self._spoken(item, entry, after), default=0) > typed.at
                for item, entry in speakers
            )
            whole = any(self.touched.get((table, row_id, part), 0) > typed.at for part in parts if part != column)
            if typed.value is None and (typed.met or not typed.shown):  # an item that is new to the row fills it
                newer = newer or any(
                    item not in before.items or before.link(item, entry.role) != row_id for item, entry in speakers
                )
            gone = any(
                before.link(item, entry.role) in self.deleted for item, entry in speakers if item in before.items
            )
            if not (was in lost or newer or whole or gone):
                yield f"{label}: the edit of time {typed.at} is lost"
            del self.typed[table, row_id, column]
        if table == "projects" and row_id in self.inserted and {column} < {"item_name", "name"}:
            parts = ("item_name", "name")  # a new item has a name of its own
        if any(self.touched.get((table, row_id, part), 0) for part in parts if part != column):
            return  # a joint field is made whole
        for item, entry in speakers:
            place = (item, entry.role, entry.column)
            roles = (
                entry.role,
                RECORDS[after.items[item].board][0],
            )  # an item that is new to a row fills what is empty
            new = item not in before.items or any(before.link(item, r) != after.link(item, r) for r in roles)
            spoken = max([*self._spoken(item, entry, after), *self._asks(item, entry, before, after)], default=0)
            if new or spoken > self.agreed.get(place, 0):
                return
        yield f"{label} at time {self.time}: nobody asked for that"

    @staticmethod
    def _speaks(item: int, entry: Shown, table: str, row: str, column: str, head: str, after: Scene) -> bool:
        board = after.items[item].board
        record, of = RECORDS[board]
        if (entry.table, entry.column) == (table, head):
            return after.link(item, entry.role) == row
        return of == table and LINKS[board].get(entry.role) == column and after.link(item, record) == row

    # The conflict log

    @staticmethod
    def _lost_of_item(item: int, entry: Shown, mark: frozenset[Line], after: Scene) -> set[Any]:
        return {
            plain(entry.kind, value)
            for conflict in after.rows.conflicts
            if line_of(conflict) not in mark and conflict["item_id"] == item
            if conflict["field"].startswith(f"{entry.table}.{entry.column}/")
            or conflict["field"].rpartition("/")[0].partition(".")[2] in _shared(entry)
            for value in _values(conflict["lost"])
        }

    @staticmethod
    def _lost_of_row(table: str, row: str, column: str, mark: frozenset[Line], after: Scene) -> set[Any]:
        return {
            plain(kind_of(table, column), value)
            for conflict in after.rows.conflicts
            if line_of(conflict) not in mark and conflict["row_id"] == row
            if conflict["field"] == column or conflict["field"].startswith(f"{table}.{column}/")
            for value in _values(conflict["lost"])
        }

    # What is always so

    def _structure(self, after: Scene) -> Iterator[str]:
        for table in ("projects", "users"):
            ids = [row["monday_item_id"] for row in after.rows.rows[table].values() if row["monday_item_id"]]
            for twice in {i for i in ids if ids.count(i) > 1}:
                yield f"item {twice} has two rows in {table}"
        for item in after.items.keys() - self.people:
            row = after.created.get(item)
            link = after.link(item, RECORDS[after.items[item].board][0])
            if row is None and link in self.inserted & self.deleted:  # deleted while its item was in doubt
                row = link
            if item in self.made or row is None:
                continue
            if row not in self.inserted:
                yield f"item {item} was made for {row}, which nobody inserted"
            elif row in self.made.values():
                yield f"item {item} is the second one made for {row}"
            self.made[item] = row

    def _meet(self, after: Scene) -> None:
        """Where both sides agree now."""
        for item, now in after.items.items():
            if now.state != "active":
                continue
            for entry in after.fields(item):
                place, link = (item, entry.role, entry.column), after.link(item, entry.role)
                row = after.row(item, entry)
                edit = self.said.get(place)
                waits = any(self._waits(item, other, after) for other in self._same_cells(item, entry, after))
                if row is None:
                    if now.says(entry) <= {None} and link is None and not waits:
                        self.agreed[place] = self.time
                    continue
                if row[entry.column] == entry.of(now.cells, now.name):
                    self.spelled[place] = self.time
                if now.says(entry) & holds(row, entry) and HALF not in holds(row, entry):
                    if not waits:
                        self.agreed[place] = self.time
                    if edit is not None:
                        edit.met.add(item)
                    for column in JOINT.get((entry.table, entry.column), (entry.column,)):
                        if (typed := self.typed.get((entry.table, str(link), column))) is not None:
                            typed.met.add(item)
                elif (
                    edit is not None and self._may_differ(item, entry, edit, after) and self._listed(item, entry, after)
                ):
                    edit.met.add(item)
            record, table = RECORDS[now.board]
            for role, column in LINKS[now.board].items():
                row = after.rows.row(table, after.link(item, record))
                typed = self.typed.get((table, str(after.link(item, record)), column))
                if row is not None and typed is not None and row[column] == after.link(item, role):
                    typed.met.add(item)

    @staticmethod
    def _waits(item: int, entry: Shown, after: Scene) -> bool:
        """Whether the row says something that the item does not show, or points elsewhere than the slot is linked."""
        board, role = after.items[item].board, entry.role
        of = after.row(item, entry)
        if of is not None and not holds(of, entry) <= after.items[item].says(entry):
            return True
        record, table = RECORDS[board]
        row = after.rows.row(table, after.link(item, record))
        return row is not None and role in LINKS[board] and row[LINKS[board][role]] != after.link(item, role)

    def _may_differ(self, item: int, entry: Shown, edit: Edit, after: Scene) -> bool:
        """Cells that select a person never change his record, nor as his item goes over to another person; a slot that
        shows another row than before met it anew."""
        link = after.link(item, entry.role)
        if edit.link != link:
            return True
        people = [at.rows.row("users", link) for at in (self.last, after) if at is not None]
        anchored = any(person is not None and person["monday_item_id"] is not None for person in people)
        return entry.table == "users" and after.items[item].board == "master" and anchored

    @staticmethod
    def _listed(item: int, entry: Shown, after: Scene) -> bool:
        known = after.rows.items.get((BOARD_IDS[after.items[item].board], item))
        column, role = f"{entry.table}.{entry.column}/", ":" + entry.role.removeprefix("user:")
        return known is not None and any(n.startswith(column) and n.endswith(role) for n in known["differs"])

    # In the end

    def final(self, after: Scene) -> list[str]:
        """Everything that is wrong when nothing moves any more."""
        return [*self._apart(after), *self._unpointed(after), *self._unmade(after), *self._unnamed(after)]

    @staticmethod
    def _unnamed(after: Scene) -> Iterator[str]:
        """Every row of a live item has its id, and a row of one that is gone is marked, or listed."""
        gone = {item for item, seen in after.items.items() if seen.board == "master" and seen.state != "active"}
        for (board, item, role), link in after.rows.links.items():
            row = after.rows.row("projects", link)
            if (board, role) != (BOARD_IDS["master"], RECORDS["master"][0]) or row is None or row["monday_item_id"]:
                continue
            if item not in gone:
                yield f"project {link} has lost the id of item {item}"
            elif ("row", board, item, f"projects.{link}") not in after.rows.dead:
                yield f"project {link} has no id, its item {item} is gone, and nobody is told"
        for row_id, row in after.rows.rows["projects"].items():
            told = any(place == f"projects.{row_id}" for _k, _b, _i, place in after.rows.dead)
            if row["archived_at"] is None and int(row["monday_item_id"] or 0) in gone and not told:
                yield f"project {row_id} has the id of an item that is gone, and nobody is told"

    def _apart(self, after: Scene) -> Iterator[str]:
        for item, now in after.items.items():
            if now.state != "active":
                continue
            board_id = BOARD_IDS[now.board]
            record = after.link(item, RECORDS[now.board][0])
            if record is None:
                if any(now.says(entry) - {None} for entry in after.fields(item)):
                    yield f"item {item} is nobody's"
                continue
            if record not in after.rows.rows[RECORDS[now.board][1]]:
                if record not in self.deleted:
                    yield f"the row {record} of item {item} is not there"
                continue
            for entry in after.fields(item):
                row, link = after.row(item, entry), after.link(item, entry.role)
                says = now.says(entry)
                told = holds(row, entry) if row is not None else frozenset({None})
                if (says & told and HALF not in told) or (row is None and link in self.deleted):
                    continue
                label = f"{now.board} item {item} {entry.role} {entry.column} says {_s(says)}, {link} holds {_s(told)}"
                cells = entry.cells or ("name",)
                dead = any((kind, board_id, item, cell) in after.rows.dead for kind in ("cell", "op") for cell in cells)
                if dead:
                    continue
                if not self._listed(item, entry, after):
                    yield f"{label}, and this is nowhere to be found"
                said = self.said.get((item, entry.role, entry.column))
                fresh = said is not None and said.value == says and not said.met
                if said is not None and fresh and not says & self._lost_of_item(item, entry, said.mark, after):
                    yield f"{label}: the cell was edited at {said.at}"
                typed = self.typed.get((entry.table, str(link), entry.column))
                if typed is not None and typed.value in told and item in typed.shown - typed.met:
                    yield f"{label}: the row was edited at {typed.at}"

    def _unpointed(self, after: Scene) -> Iterator[str]:
        """A foreign key points where the item's slot is linked, but for what was so from the beginning or is dead."""
        for item, now in after.items.items():
            record, table = RECORDS[now.board]
            row = after.rows.row(table, after.link(item, record))
            if now.state != "active" or row is None:
                continue
            for role, column in LINKS[now.board].items():
                link, points = after.link(item, role), row[column]
                if link == points or (item, role) in after.held or link in self.deleted or points in self.deleted:
                    continue
                cells = {cell for entry in FIELDS[now.board] if entry.role == role for cell in entry.cells}
                if cells & after.blind:  # the slot shows another row as a whole, or not at all
                    continue
                if any(("op", BOARD_IDS[now.board], item, cell) in after.rows.dead for cell in cells):
                    continue
                yield f"{now.board} item {item}: {column} is {points} and its slot is linked to {link}"

    def _unmade(self, after: Scene) -> Iterator[str]:
        for item in after.items.keys() - self.people - self.made.keys():
            yield f"item {item} came from nowhere"
        for row_id in self.inserted - set(self.made.values()):  # whose item may be another person's by now
            for table in ("projects", "users"):
                row = after.rows.rows[table].get(row_id)
                if row is None or row["monday_item_id"] is not None or row["archived_at"] is not None:
                    continue
                refused = any(place == f"{table}.{row_id}" for _k, _b, _i, place in after.rows.dead)
                if not refused and not (table == "users" and self._alike(row_id, row, after)):
                    yield f"{table} {row_id} has no item"

    @staticmethod
    def _alike(row_id: str, row: dict[str, str | None], after: Scene) -> bool:
        """Whether somebody else is on the staff board with one of his e-mails."""
        emails = {plain("email", row[name]) for name in ("email", "rm_email")} - {None}
        shown = {
            plain("email", now.cells.get(cell))
            for item, now in after.items.items()
            if now.board == "staff" and after.link(item, RECORDS["staff"][0]) != row_id
            for cell in ("email__1", "email7")
        }
        return bool(emails & shown) or any(
            other["monday_item_id"] is not None and emails & {plain("email", other[n]) for n in ("email", "rm_email")}
            for other_id, other in after.rows.rows["users"].items()
            if other_id != row_id
        )


def _renewed(place: RowField, table: str, was: str, now: str) -> RowField:
    return (table, now, place[2]) if place[:2] == (table, was) else place


def _shared(entry: Shown) -> set[str]:
    """The column of the field that stands in the same cell, and the foreign key of the slot."""
    return {"name", "monday_team"} if entry.cells == ("status_13",) else set()


def _values(text: str | None) -> list[str | None]:
    """A value as the conflict log keeps it; of a joint field, the parts."""
    if text is None or not text.startswith("["):
        return [text.strip('"') if text else text]
    found: list[str | None] = json.loads(text)
    return found


def _s(values: Values) -> str:
    return "/".join(sorted("?" if value is HALF else repr(value) for value in values))
