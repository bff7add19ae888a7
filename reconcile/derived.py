"""What follows from something else, worked out here for both directions: the status of a stage, a person's roles, whose
policy it is, and the keys of a row. Loaders load what is asked for, writers write what comes out.

`TableSpec.derived` names the columns. One that is a foreign key follows the first item that shows the row.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from models import Row, RowId
from reconcile.layout import Layout, Slot
from reconcile.tables import PEOPLE, SPECS, link_column, row_keys

DEFAULT_STATUS = "pending"
STATUS_COLUMN, ROLES_COLUMN = "status", "roles"

STAGES: Mapping[str, str] = {
    table: spec.derived[STATUS_COLUMN][0] for table, spec in SPECS.items() if STATUS_COLUMN in spec.derived
}
"""Tables with a status → the column that it follows."""
FOLLOWING: tuple[tuple[str, str], ...] = tuple(
    (table, column) for table, spec in SPECS.items() for column in spec.derived if column in spec.foreign_keys
)
"""(table, column) of the foreign keys that follow the first item: `policies.customer_id`."""


# The status of a stage ------------------------------------------------------------------------------------------------


def status_of(stage: str | None, stage_status: Mapping[str, str]) -> str | None:
    """What a stage means, whatever its capitals; None for one that is not listed: it is `DEFAULT_STATUS`, and told of.

    >>> status_of("Approved", {"approved": "active"}), status_of(None, {}), status_of("On hold", {})
    ('active', 'pending', None)
    """
    return stage_status.get(stage.casefold()) if stage else DEFAULT_STATUS


# The roles of a person ------------------------------------------------------------------------------------------------


def roles_of(
    held: Collection[str] | None, shown: Collection[str], ours: Collection[str], *, has_item: bool
) -> list[str] | None:
    """The roles in which items show a person, and the words of the row that are not `ours`; sorted, distinct. The word
    by which somebody is to become an item of a board stays until that is done.

    >>> roles_of(["Estimator", "Roofer"], ["Partner"], ["Estimator", "Partner"], has_item=True)
    ['Partner', 'Roofer']
    """
    dropped = set(ours) - (frozenset() if has_item else PEOPLE)
    return sorted({*(held or ())} - dropped | {*shown}) or None


def has_roles(slot: Slot) -> bool:
    """Whether a slot holds a person, whose row lists in which roles items show it."""
    return slot.person is not None and ROLES_COLUMN in SPECS[slot.table].derived


# A foreign key that follows the first item ----------------------------------------------------------------------------


def following_slots(table: str, column: str, layout: Layout) -> tuple[int, int] | None:
    """(the slot of an item that shows a row, the slot that its foreign key means); None on a board without them."""
    places = {slot.link: place for place, slot in enumerate(layout.slots)}
    shown, beside = places.get(link_column(SPECS[table].role)), places.get(column)
    return None if shown is None or beside is None else (shown, beside)


class Showing(NamedTuple):
    """An item that shows a row: what it points at beside it, and whether one of the two links is new."""

    points_at: RowId | None
    moved: bool


def followed(held: RowId | None, first: Showing | None) -> RowId | None:
    """What the row points at: what its first item, the one with the smallest id, points at since that moved. An item
    that points at nothing takes nothing away. `first` is None where the item did not move, or is not known.

    >>> followed("ann", Showing("bob", moved=True)), followed("ann", Showing(None, moved=True))
    ('bob', 'ann')
    """
    return first.points_at if first is not None and first.moved and first.points_at is not None else held


# The keys of a row ----------------------------------------------------------------------------------------------------


class KeyMoves(NamedTuple):
    """Keys that a row takes, and those that it gives up."""

    claimed: set[str]
    released: set[str]


def key_moves(said: Collection[str], free: Collection[str], recorded: Collection[str]) -> KeyMoves:
    """How the keys of a row move once nothing of it waits: it has those that its content says, as far as nobody else
    has them, and no others. `free` are its own keys and those of nobody, `recorded` what is written down for it. A
    provisional key stays.

    >>> key_moves(["email:b@x.co"], ["email:b@x.co"], ["email:a@x.co", "slot:master:1:customer"])
    KeyMoves(claimed={'email:b@x.co'}, released={'email:a@x.co'})
    """
    natural = {key for key in recorded if is_natural(key)}
    return KeyMoves({*said} & {*free} - {*recorded}, natural - {*said})


def is_natural(key: str) -> bool:
    """Whether a key is made of what a row says, and not of the item that shows it."""
    return not key.startswith(("slot:", "item:"))


OwnedKey = tuple[str, str, RowId]
"""(table, key, row)"""


@dataclass(slots=True)
class KeysAfterPush:
    """What is written down of keys once monday was told of rows."""

    claimed: set[OwnedKey] = field(default_factory=set)
    released: set[OwnedKey] = field(default_factory=set)


def keys_after_push(
    told: Mapping[RowId, str],
    rows: Mapping[str, Mapping[RowId, Row]],
    owners: Mapping[str, Mapping[str, RowId]],
    outdated: Collection[OwnedKey],
) -> KeysAfterPush:
    """The keys of the rows that monday was told of (row → table). `owners` are the keys that rows have and say,
    `outdated` those that are written down and that their row says no longer: whoever says one now takes it.
    """
    moves = KeysAfterPush()
    recorded: dict[tuple[str, RowId], set[str]] = {}
    for table, key, row in (*((t, key, row) for t, keys in owners.items() for key, row in keys.items()), *outdated):
        recorded.setdefault((table, row), set()).add(key)
    for row, table in sorted(told.items()):
        content = rows[table].get(row)
        if content is None or SPECS[table].key is None:
            continue
        said = row_keys(table, content)
        free = [key for key in said if owners[table].get(key, row) == row]
        claimed, released = key_moves(said, free, recorded.get((table, row), ()))
        moves.claimed |= {(table, key, row) for key in claimed}
        moves.released |= {(table, key, row) for key in released}
    taken = {(table, key) for table, key, _row in moves.claimed}
    moves.released |= {entry for entry in outdated if entry[:2] in taken and entry not in moves.claimed}
    return moves
