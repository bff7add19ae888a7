"""What is open, by kind and age, and conflicts with their three values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from models import REFERENCES
from postgres.window_conflicts import LoggedConflict
from postgres.window_items import Items
from postgres.window_open import KINDS, Kind, OpenThing
from status.conflicts import outcome as conflict_outcome
from status.ids import conflict_id
from status.report.facts import Facts
from status.report.shown import Item, OpenKind, ThreeValues, Waiting
from status.things import NAMES, column_of, field_shown, tell, value_shown
from status.window import Words
from terminal.times import local, span


def oldest_first(things: Sequence[OpenThing]) -> list[OpenThing]:
    """Those of which nobody knows since when come last."""
    return sorted(things, key=lambda thing: (thing.since is None, thing.since.timestamp() if thing.since else 0.0))


def open_kinds(things: Sequence[OpenThing], now: datetime) -> Iterator[OpenKind]:
    """Each kind of which something is open."""
    for kind in KINDS:
        of_kind = [thing for thing in things if thing.kind == kind]
        if of_kind:
            yield _kind(kind, of_kind, now)


def _kind(kind: Kind, things: Sequence[OpenThing], now: datetime) -> OpenKind:
    ages = [now - thing.since for thing in things if thing.since is not None]
    day = sum(age < timedelta(days=1) for age in ages)
    week = sum(timedelta(days=1) <= age < timedelta(days=7) for age in ages)
    return OpenKind(
        NAMES[kind][0 if len(things) == 1 else 1],
        len(things),
        day,
        week,
        len(ages) - day - week,
        len(things) - len(ages),
        span(max(ages)) if ages else "",
    )


def waiting_thing(thing: OpenThing, facts: Facts, words: Words) -> Waiting:
    """An open thing in words."""
    told = tell(thing, facts.items, facts.names, words)
    age = span(facts.now - thing.since) if thing.since is not None else ""
    item = item_of(facts.items, thing.board_id, thing.item_id)
    return Waiting(told.id, told.kind, item, told.place, told.says, told.settle, age)


def item_of(items: Items, board_id: int | None, item_id: int | None) -> Item | None:
    """An item for the page; None where a thing is about none."""
    if not item_id:
        return None
    board = items.board(board_id)
    where = f"item {item_id}" + (f", {board} board" if board else "")
    return Item(items.names.get(item_id, ""), where, items.link(board_id, item_id))


def three_values(conflict: LoggedConflict, facts: Facts) -> ThreeValues:
    """A conflict in words."""
    monday, postgres, agreed = (
        value_shown(value, conflict.field, facts.names)
        for value in (conflict.monday, conflict.postgres, conflict.agreed)
    )
    return ThreeValues(
        conflict_id(conflict.id),
        field_shown(conflict.field, conflict.table),
        item_of(facts.items, conflict.board_id, conflict.item_id),
        monday,
        postgres,
        agreed,
        conflict.ever_agreed,
        "" if conflict.open else conflict_outcome(conflict),
        local(conflict.at),
        "" if conflict.settled_at is None else local(conflict.settled_at),
    )


def pointed_at(conflicts: Sequence[LoggedConflict]) -> Iterator[tuple[str, str]]:
    """(table, row) that the values of conflicts about foreign keys name."""
    for conflict in conflicts:
        target = REFERENCES.get(column_of(conflict.field, conflict.table).rpartition(".")[2])
        if target is not None:
            yield from ((target, value) for value in (conflict.monday, conflict.postgres, conflict.agreed) if value)
