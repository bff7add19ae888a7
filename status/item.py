"""One item as both sides and the sync's memory have it: gathered for `explain`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any, Final

import msgspec
from msgspec import UNSET

from models import RowId
from monday_api import BOARDS
from postgres.bases import rows_by_id
from postgres.explain import SetAside, boards_of, is_in_doubt, keys_of, set_aside, shown_by
from postgres.names import row_names
from postgres.transaction import Transaction
from postgres.verify import (
    Outset,
    Remembered,
    deleted_rows,
    edited_rows,
    read_outset,
    read_portion,
    read_remembered,
)
from postgres.window_items import Items, known_items, read_items
from reconcile.base import ItemBase, as_remembered
from reconcile.change_filter import hash_key, hash_of
from reconcile.decide import agreed
from reconcile.errors import ConfigError, DriftError
from reconcile.explain import Around, Forecast, forecast
from reconcile.fields import FieldValue
from reconcile.identity import said_keys
from reconcile.items import RawItem, decode_item
from reconcile.keys import item_key
from reconcile.layout import Field, ItemState, Layout, Slot, compile_layout, folded_row
from reconcile.merge import selects_only
from reconcile.tables import SPECS
from status.picking import known_item
from status.window import Window

_PLACE: Final = b',"board":{'
"""Where in an item that was asked for by its id begins what a page does not show."""


@dataclass(frozen=True, slots=True)
class SlotTold:
    """Which row one slot of the item has: `keys` by which it is found, `shown_by` how many items show it, `note` what
    is odd about it."""

    role: str
    table: str
    row: RowId | None
    name: str | None = None
    keys: tuple[str, ...] = ()
    shown_by: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class CellTold:
    """One cell: what monday shows, what PostgreSQL holds, what both last agreed on, and what becomes of it."""

    field: str
    role: str
    column_id: str
    title: str
    monday: FieldValue
    postgres: Any
    agreed: FieldValue
    forecast: Forecast


@dataclass(slots=True)
class ItemTold:
    """All that is to be said of one item. `gone`: why it is not on its board; `state` as it is remembered, None for one
    that was never synced; `news`: the next pull looks at it; `changed_at`, on monday."""

    board: str
    item_id: int
    items: Items
    gone: str | None
    state: str | None
    news: bool
    changed_at: datetime | None
    slots: list[SlotTold] = field(default_factory=list)
    cells: list[CellTold] = field(default_factory=list)
    set_aside: list[SetAside] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Shown:
    """What monday shows of the item; None of what was not asked, or is not there."""

    board: str
    raw: RawItem | None = None
    gone: str | None = None


def look_at(window: Window, item_id: int, *, offline: bool) -> ItemTold:
    """Raises ConfigError for an item that neither side knows, with the nearest that is known."""
    boards = {board_id: board for board, board_id in window.board_ids.items()}
    on, known = window.read(lambda tx: (boards_of(tx, item_id), known_items(tx)), "looking for the item")
    last = [boards[board_id] for board_id in on if board_id in boards]
    if offline:
        known_item(item_id, known)
        if not last:
            raise ConfigError(f"Item {item_id} is not remembered on any board of the settings: leave --offline out.")
        shown = _Shown(last[0])
    else:
        shown = _ask(window, item_id, last)
        if shown.raw is None and not last:
            known_item(item_id, known - {item_id})
    return window.read(partial(_gather, window=window, item_id=item_id, shown=shown), "reading what is known of it")


def _ask(window: Window, item_id: int, last: Sequence[str]) -> _Shown:
    """The item on the board where it was last, else on the others."""
    asked = [*last, *(board for board in window.board_ids if board not in last)]
    missing: _Shown | None = None
    with window.client() as client:
        for board in asked:
            for answer in client.items_by_id(board, [item_id]):
                for raw in answer.alive:
                    return _Shown(board, raw)
                missing = missing or _Shown(board, gone=answer.gone[item_id].value)
    assert missing is not None
    return missing


def _gather(tx: Transaction, *, window: Window, item_id: int, shown: _Shown) -> ItemTold:
    empty = {board: compile_layout(board, board_id, BOARDS[board]) for board, board_id in window.board_ids.items()}
    outset = read_outset(tx, {board: layout.slots[layout.record].table for board, layout in empty.items()})
    board_id = window.board_ids[shown.board]
    layout = compile_layout(shown.board, board_id, BOARDS[shown.board], outset.limits)
    return _Gatherer(tx, outset, layout, item_id, shown).told(window)


class _Gatherer:
    """Reads what the database holds and remembers of one item, in one transaction."""

    def __init__(self, tx: Transaction, outset: Outset, layout: Layout, item_id: int, shown: _Shown) -> None:
        self._tx, self._outset, self._layout, self._item_id, self._shown = tx, outset, layout, item_id, shown
        portion = read_portion(tx, layout, outset.present, [item_id])
        self._remembered: Remembered = read_remembered(tx, layout, outset.present, [item_id])
        self._base: ItemBase | None = self._remembered.bases.get(item_id)
        records = portion.records.get(item_id)
        self._rows = portion.rows
        self._links = self._base.links if self._base is not None else [None] * len(layout.slots)
        self._record = records[0] if records else self._linked_record()
        self._ids = self._led_to()
        self._read_missing()
        self._wanted: dict[str, set[RowId]] = {slot.table: set() for slot in layout.slots}
        for slot, *rows in zip(layout.slots, self._ids, self._links, strict=True):
            self._wanted[slot.table] |= {row for row in rows if row is not None}
        self._all = {row for rows in self._wanted.values() for row in rows}
        self._edited = edited_rows(tx, outset, self._wanted)
        self._deleted = deleted_rows(tx, outset.present, self._wanted)
        self._shown_by = shown_by(tx, self._all)
        self._doubt = is_in_doubt(tx, item_id, self._all)
        self._letters = set_aside(tx, layout.board_id, item_id, self._all)

    def _linked_record(self) -> list[Any] | None:
        """The row that the item is remembered with, where none holds its id."""
        link, table = self._links[self._layout.record], self._layout.slots[self._layout.record].table
        found = rows_by_id(self._tx, table, self._outset.present, [link]) if link is not None else []
        return folded_row(table, found[0]) if found else None

    def _led_to(self) -> list[RowId | None]:
        ids: list[RowId | None] = [None] * len(self._layout.slots)
        if self._record is not None:
            ids[self._layout.record] = self._record[0]
            for place, at in self._layout.pointers:
                ids[place] = self._record[at]
        return ids

    def _read_missing(self) -> None:
        for slot, row in zip(self._layout.slots, self._ids, strict=True):
            if row is not None and row not in self._rows[slot.table]:
                for found in rows_by_id(self._tx, slot.table, self._outset.present, [row]):
                    self._rows[slot.table][row] = folded_row(slot.table, found)

    def told(self, window: Window) -> ItemTold:
        """Everything, in the order of the board."""
        tx, layout = self._tx, self._layout
        state = self._state()
        news = self._is_news()
        items = read_items(tx, self._outset.present, window.board_ids, [self._item_id])
        if name := self._name(state):
            items = replace(items, names={**items.names, self._item_id: name})
        found = ItemTold(
            layout.board,
            self._item_id,
            items,
            self._shown.gone,
            self._base.state if self._base is not None else None,
            news,
            state.updated_at if state is not None else None,
        )
        found.set_aside = self._letters
        names, keys = row_names(tx, self._outset.present, self._wanted), keys_of(tx, self._all)
        for place, slot in enumerate(layout.slots):
            found.slots.append(self._slot(place, slot, state, names, keys))
            found.cells += [self._cell(number, place, slot, state, news) for number in slot.fields]
        return found

    def _state(self) -> ItemState | None:
        """What the item says: now, or what it said last."""
        if self._shown.raw is not None:
            try:
                return self._layout.decode(decode_item(self._shown.raw.raw))
            except (msgspec.DecodeError, ValueError):
                raise DriftError(f"monday.com answered item {self._item_id} with something that is no item.") from None
        return as_remembered(self._base) if self._base is not None else None

    def _name(self, state: ItemState | None) -> str | None:
        if self._shown.raw is None:
            return None
        return decode_item(self._shown.raw.raw).name if state is not None else None

    def _is_news(self) -> bool:
        """Whether the next pull looks at the item: it shows something else, or something of it was left open."""
        if self._base is None or self._base.content_hash is None or self._base.state != "active":
            return True
        raw = self._shown.raw
        if raw is None:
            return False
        limits = sorted(map(repr, self._outset.limits.items()))
        key = hash_key(BOARDS[self._layout.board], limits)
        as_page = RawItem(raw.id, raw.updated_at, raw.raw[: raw.raw.rfind(_PLACE)] + b"}")
        return self._base.content_hash not in (hash_of(key, raw), hash_of(key, as_page))

    def _slot(
        self,
        place: int,
        slot: Slot,
        state: ItemState | None,
        names: Mapping[str, str],
        keys: Mapping[RowId, Sequence[str]],
    ) -> SlotTold:
        row, link = self._ids[place], self._links[place]
        if row is None:
            note = "its row was deleted in PostgreSQL" if link in self._deleted else ""
            note = note or ("the foreign key was emptied in PostgreSQL" if link is not None else "")
            return SlotTold(slot.role, slot.table, None, note=note)
        note = "" if row == link or self._base is None else self._elsewhere(place, row, link)
        note = note or (
            "" if row in self._rows[slot.table] or place == self._layout.record else "that row is not there"
        )
        return SlotTold(
            slot.role, slot.table, row, names.get(row), self._keys(place, slot, state, keys.get(row, ())),
            self._shown_by.get(row, 0), note,
        )  # fmt: skip

    def _elsewhere(self, place: int, row: RowId, link: RowId | None) -> str:
        assert self._base is not None
        if self._base.tolerated_links.get(place) == row:
            return "it differed when both sides first met"
        return f"changed since: both last met at {link}" if link is not None else "changed since: there was none"

    def _keys(self, place: int, slot: Slot, state: ItemState | None, owned: Sequence[str]) -> tuple[str, ...]:
        """By which of its keys the item means the row; all of them where it says none of them."""
        item = (self._layout.board, self._item_id)
        if place == self._layout.record and slot.table == "projects":
            return (item_key(*item),)
        if state is None:
            return tuple(owned)
        rule = SPECS[slot.table].key
        roles = [other.role for other in self._layout.slots]
        parent = self._ids[roles.index(rule.parent[0])] if rule and rule.parent and rule.parent[0] in roles else None
        said = said_keys(slot, state.values, item, parent, ())
        return tuple(key for key in owned if key in said) or tuple(owned)

    def _cell(self, number: int, place: int, slot: Slot, state: ItemState | None, news: bool) -> CellTold:
        one = self._layout.fields[number]
        row = (
            self._record if place == self._layout.record else self._rows[slot.table].get(self._ids[place] or RowId(""))
        )
        says: FieldValue = state.values[number] if state is not None else UNSET
        holds = None if row is None else row[one.at]
        was: FieldValue = self._base.monday[number] if self._base is not None else UNSET
        held: Any = self._base.postgres[number] if self._base is not None else UNSET
        around = self._around(one, place, slot, state, row, news)
        return CellTold(
            f"{slot.table}.{one.columns[0]}",
            slot.role,
            one.cells[0],
            BOARDS[self._layout.board][one.cells[0]].title,
            says,
            holds,
            UNSET if self._ids[place] != self._links[place] else agreed(one, was, held),
            forecast(one, says, holds, was, held, around),
        )

    def _row(self, place: int, slot: Slot) -> Sequence[Any] | None:
        """The row to which the item's own row leads; None where there is none."""
        row = self._ids[place]
        if place == self._layout.record:
            return self._record
        return None if row is None else self._rows[slot.table].get(row)

    def _around(
        self, one: Field, place: int, slot: Slot, state: ItemState | None, row: Sequence[Any] | None, news: bool
    ) -> Around:
        points, link = self._ids[place], self._links[place]
        letters = {letter.kind: letter.reason for letter in self._letters if letter.place in one.cells}
        column = f"{self._layout.slots[self._layout.record].table}.{slot.link}"
        bad = dict(state.bad) if state is not None else {}
        moved = self._base is not None and points != link and place != self._layout.record
        first = self._base is not None and moved and self._base.tolerated_links.get(place, link) == points
        record = self._record[0] if self._record is not None else None
        return Around(
            known=self._base is not None,
            news=news,
            edited=(record if moved else points) in self._edited,
            selects=row is not None and selects_only(slot, row),
            shown_by=self._shown_by.get(points, 0) if points is not None and not moved else 1,
            deleted=points is None and link in self._deleted,
            moved=column if moved and not first else None,
            led_elsewhere=column if first else None,
            refused=letters.get("op"),
            unstorable=letters.get("cell"),
            unreadable=next((bad[cell] for cell in one.cells if cell in bad), None),
            doubt=self._doubt,
        )
