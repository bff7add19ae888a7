"""Whether a plan is the one that was approved, change by change, and which items have to be left out where not."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from models import RowId
from reconcile.changes import Address, Change, pull_changes, push_changes
from reconcile.layout import Layout
from reconcile.plan_pull import Plan
from reconcile.push_plan import Push
from reconcile.types import ItemKey

Subject = ItemKey | RowId
"""Whose change it is: an item or, where it is of none that has an id, a row."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What is otherwise than it was when the plan was approved."""

    new: list[Change] = field(default_factory=list)
    """Changes that were not approved."""
    gone: list[Change] = field(default_factory=list)
    """Changes that were approved, and that there is no reason for any more."""
    different: list[tuple[Change, Change]] = field(default_factory=list)
    """(as approved, as it would be now)."""

    def __bool__(self) -> bool:
        return bool(self.new or self.gone or self.different)

    @property
    def unapproved(self) -> list[Change]:
        """What would be written and was not approved."""
        return [*self.new, *(now for _approved, now in self.different)]

    def subjects(self) -> set[Subject]:
        """Whose changes they are."""
        return {subject_of(change) for change in (*self.unapproved, *self.gone)}


def subject_of(change: Change) -> Subject:
    """Whose change it is. Raises ValueError for one of nobody."""
    at = change.address
    if at.board is not None and at.item is not None:
        return at.board, at.item
    if at.row is None:
        raise ValueError(f"a change of nobody: {at}")
    return at.row


def moved(approved: Iterable[Change], planned: Iterable[Change]) -> Moved:
    """Compare by address and action, then by value; the reason is for people. Values are those of JSON."""
    then, now = _by_place(approved), _by_place(planned)
    return Moved(
        [change for place, change in now.items() if place not in then],
        [change for place, change in then.items() if place not in now],
        [
            (then[place], change)
            for place, change in now.items()
            if place in then and (then[place].before, then[place].after) != (change.before, change.after)
        ],
    )


def _by_place(changes: Iterable[Change]) -> dict[tuple[Address, str], Change]:
    return {(change.address, change.action): change for change in changes}


def without(changes: Sequence[Change], left: Collection[Subject]) -> list[Change]:
    """The changes of everybody else."""
    return [change for change in changes if subject_of(change) not in left]


def pull_as_approved(plan: Plan, layouts: Mapping[str, Layout]) -> Iterator[Change]:
    """The changes of a pull as a saved plan has them: with what new rows hold."""
    rows = {row.id: row for inserts in plan.inserts.values() for row in inserts}
    for change in pull_changes(plan, layouts):
        if change.action == "insert" and change.address.row is not None:
            row = msgspec.structs.asdict(rows[change.address.row])
            filled = {column: value for column, value in row.items() if value}
            change = msgspec.structs.replace(change, after=filled)
        yield as_json(change)


def push_as_approved(push: Push, layouts: Mapping[str, Layout]) -> Iterator[Change]:
    """The changes of a push as a saved plan has them: with what new items show."""
    creates = {create.row: create for create in push.creates}
    for change in push_changes(push, layouts):
        if change.action == "create" and change.address.row is not None:
            create = creates[change.address.row]
            change = msgspec.structs.replace(change, after={"name": create.name, **create.values})
        yield as_json(change)


def as_json(change: Change) -> Change:
    """The change with values as JSON has them, so that it equals the one that was saved."""
    return msgspec.structs.replace(change, before=_plain(change.before), after=_plain(change.after))


def _plain(value: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))
