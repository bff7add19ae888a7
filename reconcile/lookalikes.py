"""Rows of `projects` without an item id that look like the job of an item, which would get a second row. What they are
told by is declared: see `Lookalike`.

Which item a row stands for is never guessed: a project is found by its item's id alone. Where the ids were never
written into an older database, each job would be there twice after the first run, so that a person is told before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from models import Record, RowId
from reconcile.database_state import DatabaseState, ItemKey
from reconcile.identity import Resolution, WouldMerge
from reconcile.keys import bare, loose
from reconcile.layout import ItemState, Layout
from reconcile.tables import SPECS, Lookalike

_NOBODY, _SOMEBODY = "(nobody)", "(somebody)"  # no name, once it is folded

Mark = tuple[str, str]
"""What a row and an item may have in common: a claim number, or a name and whose job it is."""


def lookalikes(
    states: Sequence[ItemState], layouts: Mapping[str, Layout], database: DatabaseState, resolution: Resolution
) -> list[WouldMerge]:
    """Items that would get a new row, each with the row that looks like it: by claim number, else by name and customer,
    else by name where one of the two has no customer. An item and a row are in one pair at most."""
    pairs: dict[ItemKey, WouldMerge] = {}
    for board, layout in layouts.items():
        table = layout.slots[layout.record].table
        if (alike := SPECS[table].lookalike) is not None:
            items = [state for state in states if state.board == board]
            pairs |= _pairs(table, alike, items, layout, database, resolution)
    return [pair for _item, pair in sorted(pairs.items())]


def _pairs(
    table: str,
    alike: Lookalike,
    states: Sequence[ItemState],
    layout: Layout,
    database: DatabaseState,
    resolution: Resolution,
) -> dict[ItemKey, WouldMerge]:
    waiting = [row for row in database.records(table).values() if row.id in database.unknown and _waits(row)]
    if not waiting:
        return {}
    linked = {row for links in resolution.links.values() for row in links}
    waiting = [row for row in waiting if row.id not in linked]
    free: dict[Mark, list[RowId]] = defaultdict(list)
    for row in reversed(waiting):  # the first that was loaded is taken first
        for mark in _marks_of_row(table, alike, row, database):
            free[mark].append(row.id)
    pairs: dict[ItemKey, WouldMerge] = {}
    given: set[RowId] = set()
    said = [said for state in states for said in _said(alike, state, layout, resolution)]
    for _strength, item, new, mark in sorted(said):
        rows = free.get(mark, [])
        while rows and rows[-1] in given:
            rows.pop()
        if rows and item not in pairs:
            given.add(rows[-1])
            pairs[item] = WouldMerge(item, f"{table}.{rows[-1]}", table, new, rows.pop())
    return pairs


def _waits(row: Record) -> bool:
    return row.monday_item_id is None and row.archived_at is None


def _said(
    alike: Lookalike, state: ItemState, layout: Layout, resolution: Resolution
) -> Iterator[tuple[int, ItemKey, RowId, Mark]]:
    """(strength, item, its new row, mark) for an item that would get one, the strongest with the smallest number."""
    item, record = (state.board, state.id), layout.slots[layout.record]
    new = resolution.links[item][layout.record]
    if new is None or new not in resolution.new_rows:
        return
    place = next(number for number, slot in enumerate(layout.slots) if slot.link == alike.owner)
    called = layout.slots[place].at[_name_column(record.table, alike)]
    owner, name = resolution.links[item][place], state.values[called]
    owners = ((1, owner), (1, _text(name)), (2, _NOBODY)) if owner else ((2, _NOBODY), (2, _SOMEBODY))
    if claim := _claim(state.values[record.at[alike.number]]):
        yield 0, item, new, claim
    for called_so in {_text(state.values[record.at[column]]) for column in alike.names} - {""}:
        yield from ((strength, item, new, (called_so, whose)) for strength, whose in owners if whose)


def _marks_of_row(table: str, alike: Lookalike, row: Record, database: DatabaseState) -> Iterator[Mark]:
    if claim := _claim(getattr(row, alike.number)):
        yield claim
    owners = {_NOBODY}
    if owner := getattr(row, alike.owner):
        known = database.rows[SPECS[table].foreign_keys[alike.owner]].get(owner)
        name = getattr(known, _name_column(table, alike), None)
        owners = {owner, _SOMEBODY, _text(name)} - {""}
    for called in {_text(getattr(row, column)) for column in alike.names} - {""}:
        yield from ((called, whose) for whose in owners)


def _name_column(table: str, alike: Lookalike) -> str:
    """The column with the name of whose it is."""
    return SPECS[SPECS[table].foreign_keys[alike.owner]].names[0]


def _claim(value: object) -> Mark | None:
    number = bare(value) if isinstance(value, str) else ""
    return ("claim number", number) if number else None


def _text(value: object) -> str:
    return loose(value) if isinstance(value, str) else ""
