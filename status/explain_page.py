"""What `explain` prints: the item, its slots with their rows, its cells, and what was set aside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from msgspec import UNSET

from models import UNREADABLE
from status.item import CellTold, ItemTold, SlotTold
from status.lists import Column, Format, Listing, plain, show_list
from status.window import Window
from terminal.contrast import shortened
from terminal.page import page_width, wrapped
from terminal.say import say
from terminal.times import iso, local

_VALUE: Final = 26
"""Signs of a value that a table shows."""


def show(told: ItemTold, window: Window, form: Format, *, every_one: bool, offline: bool) -> None:
    """Print it on stdout."""
    cells = [cell for cell in told.cells if every_one or form != "table" or not _is_empty(cell)]
    if form == "table":
        say(*_head(told, window, page_width(), offline=offline), "")
        show_list(_slots(told), form)
        say("")
    show_list(
        Listing(
            columns=_CELLS,
            rows=[_cell_row(cell) for cell in cells],
            total=len(told.cells),
            more=window.command(f"explain {told.item_id} --all"),
            facts=_facts(told, window, offline=offline),
            below={number: [_why(cell)] for number, cell in enumerate(cells) if cell.forecast.differs},
        ),
        form,
    )
    if form == "table" and told.set_aside:
        say("", *_letters(told, page_width()))


def _is_empty(cell: CellTold) -> bool:
    return cell.monday is None and cell.postgres is None and not cell.forecast.differs


def _value(value: Any) -> str:
    if isinstance(value, list):
        value = " | ".join("" if part is None else str(part) for part in value)
    return "" if value is None else shortened(str(value), _VALUE)


_CELLS: Final = (
    Column("field", "field", least=14),
    Column("role"),
    Column("column"),
    Column("title"),
    Column("monday", "monday", _value, least=8),
    Column("postgres", "PostgreSQL", _value, least=8),
    Column("agreed", "agreed before", _value, least=8),
    Column("ever_agreed"),
    Column("differs"),
    Column("pull"),
    Column("push"),
    Column("why"),
)


def _cell_row(cell: CellTold) -> list[Any]:
    told = cell.forecast
    return [
        cell.field if not cell.role.startswith("user:") else f"{cell.field} ({cell.role.partition(':')[2]})",
        cell.role, cell.column_id, cell.title, _read(cell.monday), _read(cell.postgres), _read(cell.agreed),
        cell.agreed is not UNSET, told.differs, told.pull, told.push, told.why,
    ]  # fmt: skip


def _read(value: Any) -> Any:
    if value is UNSET or value is UNREADABLE:
        return None
    return list(value) if isinstance(value, tuple) else value


def _why(cell: CellTold) -> str:
    told = cell.forecast
    return f"{told.why[:1].upper()}{told.why[1:]}. Next pull: {told.pull}. Next push: {told.push}."


_SLOTS: Final = (
    Column("role", "slot"),
    Column("table"),
    Column("name", "row", least=8),
    Column("row", "id", least=12),
    Column("keys", "found by", lambda keys: ", ".join(_key(key) for key in keys), least=10),
    Column("shown_by", "items", lambda count: f"{count:,}" if count else "", right=True),
    Column("note"),
)


def _key(key: str) -> str:
    """A key as people read it: one that begins with the id of another row without it."""
    if key.startswith("slot:"):
        return "its place alone"
    if key.startswith("item:"):
        return "the item"
    return key.partition("|")[2] or key


def _slots(told: ItemTold) -> Listing:
    slots = [slot for slot in told.slots if slot.row is not None or slot.note]
    return Listing(
        columns=_SLOTS,
        rows=[_slot_row(slot) for slot in slots],
        total=len(slots),
        empty="no slot of it has a row",
        below={number: [slot.note] for number, slot in enumerate(slots) if slot.note},
    )


def _slot_row(slot: SlotTold) -> list[Any]:
    return [
        slot.role.removeprefix("user:"), slot.table, slot.name, f"{slot.table}/{slot.row}" if slot.row else None,
        list(slot.keys), slot.shown_by, slot.note or None,
    ]  # fmt: skip


def _head(told: ItemTold, window: Window, width: int, *, offline: bool) -> Iterator[str]:
    yield from wrapped(told.items.shown(window.board_ids[told.board], told.item_id), width)
    if told.gone is not None:
        gone = f"It is not on the {told.board} board any more ({told.gone}): below is what it showed last."
        yield from wrapped(gone, width)
    elif offline:
        yield from wrapped("monday was not asked: below is what it showed last.", width)
    elif told.changed_at is not None:
        yield from wrapped(f"Last changed on monday {local(told.changed_at)}.", width)
    yield from wrapped(_reading(told, offline=offline), width)


def _reading(told: ItemTold, *, offline: bool) -> str:
    if told.state is None:
        return "It was never synced: the next pull lands it."
    if told.state != "active":
        return f"At the last look it was {told.state}."
    if told.news and not offline:
        return "It does not show what it showed, or something of it was left open: the next pull looks at it."
    return "It counts as unchanged since the last pull." if not offline else "It was active at the last look."


def _letters(told: ItemTold, width: int) -> Iterator[str]:
    yield "  set aside"
    for letter in told.set_aside:
        yield from wrapped(f"{letter.place}, since {local(letter.since)}: {letter.reason}", width, "    ", "      ")


def _facts(told: ItemTold, window: Window, *, offline: bool) -> dict[str, Any]:
    board_id = window.board_ids[told.board]
    return {
        "board": told.board,
        "item": told.item_id,
        "name": told.items.names.get(told.item_id),
        "link": told.items.link(board_id, told.item_id),
        "offline": offline,
        "gone": told.gone,
        "state": told.state,
        "looked_at": told.news,
        "changed_at": None if told.changed_at is None else iso(told.changed_at),
        "slots": [dict(zip([c.name for c in _SLOTS], map(plain, _slot_row(slot)), strict=True)) for slot in told.slots],
        "set_aside": [
            {"kind": letter.kind, "place": letter.place, "reason": letter.reason, "since": iso(letter.since)}
            for letter in told.set_aside
        ],
    }
