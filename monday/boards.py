"""What a board looks like right now: its columns, its groups and how many items it holds."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

import msgspec

from monday.responses import Aliases, Board, Group, LiveColumn, Me
from reconcile.columns import ColumnMap
from reconcile.errors import DriftError

CLASSIC = "classic"


class SchemaMoved(DriftError):
    """The mapped columns changed while the board was read: what was read is void, and one new try is worth it."""


Difference = Literal["missing", "archived", "retyped", "retitled"]


@dataclass(frozen=True, slots=True)
class BoardColumn:
    """`revision` moves with the column's own settings: a renamed label shows in every cell, and no item's time of
    change moves with it.
    """

    title: str
    type: str
    archived: bool = False
    revision: str = ""


@dataclass(frozen=True, slots=True)
class BoardGroup:
    """`items` is None when the server did not tell how many items the group holds."""

    id: str
    title: str
    items: int | None = None


@dataclass(frozen=True, slots=True)
class ColumnDrift:
    """One mapped column that the board has not, or not as the mapping says; `found` is its type or title there."""

    column_id: str
    difference: Difference
    found: str = ""

    @property
    def fatal(self) -> bool:
        """Whether its cells cannot be read; another title alone changes nothing."""
        return self.difference != "retitled"


@dataclass(frozen=True, slots=True)
class BoardSchema:
    """One board as it was when asked. `groups` is empty where they were not asked for."""

    board: str
    """The name in `monday_api.BOARDS`."""
    id: int
    title: str
    items_count: int
    account_id: str
    account_name: str
    columns: Mapping[str, BoardColumn]
    """Column id → column, all that the token may see."""
    groups: tuple[BoardGroup, ...] = ()
    account_slug: str = ""
    """The account's name in addresses: `https://SLUG.monday.com`. Empty where it was not told, or is no such name."""

    def beside(self, column_ids: Collection[str]) -> list[tuple[str, str, str]]:
        """Id, title and type of the columns that are there and are none of these, in the order of the board."""
        return [
            (column_id, column.title, column.type)
            for column_id, column in self.columns.items()
            if column_id not in column_ids and not column.archived
        ]

    def fingerprint(self, column_ids: Collection[str]) -> str:
        """A digest of the ids and types of the mapped columns: it moves when reading them would mean something else."""
        live = self.columns
        parts = [f"{column_id}:{live[column_id].type}" for column_id in sorted(column_ids) if self._has(column_id)]
        return sha256("\n".join(parts).encode()).hexdigest()

    def _has(self, column_id: str) -> bool:
        return column_id in self.columns and not self.columns[column_id].archived

    def drift(self, mapping: ColumnMap) -> tuple[ColumnDrift, ...]:
        """How the board differs from the mapping, in the mapping's order; empty when it does not."""
        found = (_drift(column_id, self.columns.get(column_id), mapping) for column_id in mapping)
        return tuple(drift for drift in found if drift is not None)


def _drift(column_id: str, live: BoardColumn | None, mapping: ColumnMap) -> ColumnDrift | None:
    column = mapping[column_id]
    if column_id == "name":
        return None  # every board has it
    if live is None:
        return ColumnDrift(column_id, "missing")
    if live.archived:
        return ColumnDrift(column_id, "archived")
    if live.type != column.codec.monday_type:
        return ColumnDrift(column_id, "retyped", live.type)
    if live.title.strip() != column.title:
        return ColumnDrift(column_id, "retitled", live.title)
    return None


def schemas_of(
    boards: Mapping[str, int], answered: list[Board | None] | None, me: Me | None, counts: Mapping[str, dict[str, int]]
) -> dict[str, BoardSchema]:
    """Board name → schema, in the order of `boards`; `counts` holds items per group where they are known.

    Raises DriftError for a board that is absent or not active: a token without access sees an empty list, not an error.
    """
    live = {int(board.id): board for board in answered or () if board is not None}
    return {name: _schema(name, board_id, live.get(board_id), me, counts) for name, board_id in boards.items()}


def _schema(
    name: str, board_id: int, board: Board | None, me: Me | None, counts: Mapping[str, dict[str, int]]
) -> BoardSchema:
    if board is None:
        raise absent(name, board_id)
    if board.state != "active":
        raise DriftError(
            f"the {name} board {board_id} is {board.state}: restore it on monday.com, or name another board"
        )
    if board.hierarchy_type not in (None, CLASSIC):
        raise DriftError(
            f"the {name} board {board_id} is a {board.hierarchy_type.replace('_', '-')} board, and this program reads "
            "and writes classic ones alone, since on others calculated cells are left out of what is read, and are not "
            "changed by what is written: move its items to a classic board, and name that one in .env"
        )
    if board.items_count is None or not board.columns:
        raise DriftError(f"the {name} board {board_id} shows no columns to the token: check the rights of its user")
    return BoardSchema(
        name,
        board_id,
        board.name,
        board.items_count,
        me.account.id if me else "",
        (me.account.name if me else None) or "",
        {column.id: _column(column) for column in board.columns if column is not None},
        _groups(board.groups, counts.get(name, {}), board.items_count),
        _slug(me),
    )


def _slug(me: Me | None) -> str:
    """It becomes a part of links: what is not the name of a host is none."""
    slug = (me.account.slug if me else None) or ""
    return slug if re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", slug) else ""


def absent(name: str, board_id: int) -> DriftError:
    return DriftError(
        f"the {name} board {board_id} is not among those that the token may see: "
        "check the board id, and that the token's user is a member of the board"
    )


def _column(live: LiveColumn) -> BoardColumn:
    return BoardColumn(live.title, live.type, bool(live.archived), live.revision or "")


def _groups(live: list[Group | None] | None, counted: dict[str, int], items_count: int) -> tuple[BoardGroup, ...]:
    """The groups that may hold active items; their counts only when they explain every item of the board."""
    groups = [group for group in live or () if group is not None and not group.archived and not group.deleted]
    by_id = {group.id: counted.get(group.id, 0) for group in groups}
    known = bool(counted) and sum(by_id.values()) == items_count
    return tuple(BoardGroup(group.id, group.title, by_id[group.id] if known else None) for group in groups)


class _Value(msgspec.Struct):
    result: float | None = None
    value: Any = None


class _Entry(msgspec.Struct):
    alias: str | None = None
    value: _Value | None = None


class _Set(msgspec.Struct):
    entries: list[_Entry] | None = None


class _Counts(msgspec.Struct):
    results: list[_Set] | None = None


def group_counts(aliases: Aliases, boards: Collection[str]) -> dict[str, dict[str, int]]:
    """Items per group id for each board, from the aliases `g0`, `g1`…; empty for a board without an answer."""
    return {name: _counted(aliases.get(f"g{n}")) for n, name in enumerate(boards)}


def _counted(raw: msgspec.Raw | None) -> dict[str, int]:
    try:
        counts = msgspec.json.decode(raw, type=_Counts | None) if raw is not None else None
    except msgspec.DecodeError:
        return {}  # a help for speed, not a fact anything rests on
    found = {}
    for results in (counts.results if counts else None) or ():
        cells = {entry.alias: entry.value for entry in results.entries or () if entry.value is not None}
        if "group" in cells and "items" in cells:
            found[str(cells["group"].value)] = int(cells["items"].result or 0)
    return found
