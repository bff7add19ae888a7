"""Rows of `projects` without an item id that look like the job of an item, which would get a second row.

Which item a row stands for is never guessed: a project is found by its item's id alone. Where the ids were never
written into an older database, each job would be there twice after the first run, so that a person is told before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from models import Customer, Project, RowId
from reconcile.database_state import DatabaseState
from reconcile.identity import Resolution, WouldMerge
from reconcile.keys import bare, loose
from reconcile.layout import Layout
from reconcile.types import ItemKey, ItemState

_NAMES = ("item_name", "name")
_NOBODY, _SOMEBODY = "(nobody)", "(somebody)"  # no name, once it is folded

Mark = tuple[str, str]
"""What a row and an item may have in common: a claim number, or a name and whose job it is."""


def lookalikes(
    states: Sequence[ItemState], layouts: Mapping[str, Layout], database: DatabaseState, resolution: Resolution
) -> list[WouldMerge]:
    """Items that would get a new row, each with the row that looks like it: by claim number, else by name and customer,
    else by name where one of the two has no customer. An item and a row are in one pair at most."""
    waiting = [row for row in database.table(Project).values() if row.id in database.unknown and _waits(row)]
    if not waiting:
        return []
    linked = {row for links in resolution.links.values() for row in links}
    waiting = [row for row in waiting if row.id not in linked]
    free: dict[Mark, list[RowId]] = defaultdict(list)
    for row in reversed(waiting):  # the first that was loaded is taken first
        for mark in _marks_of_row(row, database):
            free[mark].append(row.id)
    pairs: dict[ItemKey, WouldMerge] = {}
    given: set[RowId] = set()
    shown = [mark for state in states for mark in _marks_of_item(state, layouts[state.board], resolution)]
    for _strength, item, new, mark in sorted(shown):
        rows = free.get(mark, [])
        while rows and rows[-1] in given:
            rows.pop()
        if rows and item not in pairs:
            given.add(rows[-1])
            pairs[item] = WouldMerge(item, f"projects.{rows[-1]}", "projects", new, rows.pop())
    return [pair for _item, pair in sorted(pairs.items())]


def _waits(row: Project) -> bool:
    return row.monday_item_id is None and row.archived_at is None


def _marks_of_item(
    state: ItemState, layout: Layout, resolution: Resolution
) -> Iterator[tuple[int, ItemKey, RowId, Mark]]:
    """(strength, item, its new row, mark) for an item that would get one, the strongest with the smallest number."""
    record, links = layout.record, resolution.links[state.item]
    new = links[record]
    if record.table != "projects" or new is None or new not in resolution.new_rows:
        return
    slot = next(slot for slot in layout.slots if slot.table == "customers")
    customer, name = links[slot], state[slot.by_column["name"]]
    owners = ((1, customer), (1, _text(name)), (2, _NOBODY)) if customer else ((2, _NOBODY), (2, _SOMEBODY))
    if claim := _claim(state[record.by_column["claim_number"]]):
        yield 0, state.item, new, claim
    for called in {_text(state[record.by_column[column]]) for column in _NAMES} - {""}:
        yield from ((strength, state.item, new, (called, owner)) for strength, owner in owners if owner)


def _marks_of_row(row: Project, database: DatabaseState) -> Iterator[Mark]:
    if claim := _claim(row.claim_number):
        yield claim
    owners = {_NOBODY}
    if customer := row.customer_id:
        known = database.table(Customer).get(customer)
        owners = {customer, _SOMEBODY, _text(known and known.name)} - {""}
    for called in {_text(row.item_name), _text(row.name)} - {""}:
        yield from ((called, owner) for owner in owners)


def _claim(value: object) -> Mark | None:
    number = bare(value) if isinstance(value, str) else ""
    return ("claim number", number) if number else None


def _text(value: object) -> str:
    return loose(value) if isinstance(value, str) else ""
