"""Rows of `projects` without an item id that look like the job of an item, which would get a second row.

Which item a row stands for is never guessed: a project is found by its item's id alone. Where the ids were never
written into an older database, each job would be there twice after the first run, so that a person is told before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from models import RowId
from reconcile.database_state import DatabaseState, ItemKey, RowValues
from reconcile.identity import Resolution, WouldMerge
from reconcile.keys import bare, loose
from reconcile.layout import ItemState, Layout
from reconcile.working_rows import POSITION

_AT, _NAME_OF_CUSTOMER = POSITION["projects"], POSITION["customers"]["name"]
_NAMES = ("item_name", "name")
_NOBODY, _SOMEBODY = "(nobody)", "(somebody)"  # no name, once it is folded

Mark = tuple[str, str]
"""What a row and an item may have in common: a claim number, or a name and whose job it is."""


def lookalikes(
    views: Sequence[ItemState], layouts: Mapping[str, Layout], world: DatabaseState, resolution: Resolution
) -> list[WouldMerge]:
    """Items that would get a new row, each with the row that looks like it: by claim number, else by name and customer,
    else by name where one of the two has no customer. An item and a row are in one pair at most."""
    waiting = [row for row in world.rows["projects"].values() if row[0] in world.unknown and _waits(row)]
    if not waiting:
        return []
    linked = {row for links in resolution.links.values() for row in links}
    waiting = [row for row in waiting if row[0] not in linked]
    free: dict[Mark, list[RowId]] = defaultdict(list)
    for row in reversed(waiting):  # the first that was loaded is taken first
        for mark in _marks_of_row(row, world):
            free[mark].append(row[0])
    pairs: dict[ItemKey, WouldMerge] = {}
    given: set[RowId] = set()
    said = [said for view in views for said in _said(view, layouts[view.board], resolution)]
    for _strength, item, new, mark in sorted(said):
        rows = free.get(mark, [])
        while rows and rows[-1] in given:
            rows.pop()
        if rows and item not in pairs:
            given.add(rows[-1])
            pairs[item] = WouldMerge(item, f"projects.{rows[-1]}", "projects", new, rows.pop())
    return [pair for _item, pair in sorted(pairs.items())]


def _waits(row: RowValues) -> bool:
    return row[_AT["monday_item_id"]] is None and row[_AT["archived_at"]] is None


def _said(view: ItemState, layout: Layout, resolution: Resolution) -> Iterator[tuple[int, ItemKey, RowId, Mark]]:
    """(strength, item, its new row, mark) for an item that would get one, the strongest with the smallest number."""
    item, record = (view.board, view.id), layout.slots[layout.record]
    new = resolution.links[item][layout.record]
    if record.table != "projects" or new is None or new not in resolution.new_rows:
        return
    place = next(number for number, slot in enumerate(layout.slots) if slot.table == "customers")
    customer, name = resolution.links[item][place], view.values[layout.slots[place].at["name"]]
    owners = ((1, customer), (1, _text(name)), (2, _NOBODY)) if customer else ((2, _NOBODY), (2, _SOMEBODY))
    if claim := _claim(view.values[record.at["claim_number"]]):
        yield 0, item, new, claim
    for called in {_text(view.values[record.at[column]]) for column in _NAMES} - {""}:
        yield from ((strength, item, new, (called, owner)) for strength, owner in owners if owner)


def _marks_of_row(row: RowValues, world: DatabaseState) -> Iterator[Mark]:
    if claim := _claim(row[_AT["claim_number"]]):
        yield claim
    customer = row[_AT["customer_id"]]
    known = world.rows["customers"].get(customer)
    owners = {customer, _SOMEBODY, _text(known and known[_NAME_OF_CUSTOMER])} - {""} if customer else {_NOBODY}
    for called in {_text(row[_AT[column]]) for column in _NAMES} - {""}:
        yield from ((called, owner) for owner in owners)


def _claim(value: object) -> Mark | None:
    number = bare(value) if isinstance(value, str) else ""
    return ("claim number", number) if number else None


def _text(value: object) -> str:
    return loose(value) if isinstance(value, str) else ""
