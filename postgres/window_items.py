"""What people call an item, and where it is on monday.com, as far as this database remembers it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from psycopg2 import sql

from postgres.records import Present
from postgres.schema import read_shapes
from postgres.transaction import Transaction
from reconcile.tables import TABLES

_NAMED: Final = (("projects", "item_name"), ("projects", "name"), ("users", "name"))
"""Columns that hold an item's name, the best one first."""
_ITEM: Final = "monday_item_id"


class ItemPlace(NamedTuple):
    """An item, by board and id."""

    board_id: int
    item_id: int


@dataclass(frozen=True, slots=True)
class Items:
    """How items are shown: `boards` by id, `names` by item, `slug` of the account where it is known."""

    boards: Mapping[int, str]
    names: Mapping[int, str]
    slug: str | None = None

    def board(self, board_id: int | None) -> str | None:
        """The name of a board: `master`, `staff`, or its number."""
        return None if not board_id else self.boards.get(board_id, str(board_id))

    def link(self, board_id: int | None, item_id: int | None) -> str | None:
        """Where the item is in a browser; None where the account's name in addresses is not known."""
        if not (self.slug and board_id and item_id):
            return None
        return f"https://{self.slug}.monday.com/boards/{board_id}/pulses/{item_id}"

    def shown(self, board_id: int | None, item_id: int | None) -> str:
        """An item in a line: its name, and its link or else board and number."""
        if not item_id:
            return f"a new item of the {self.board(board_id)} board" if board_id else ""
        name = self.names.get(item_id)
        where = self.link(board_id, item_id) or " ".join(
            filter(None, (f"{self.board(board_id)} board," if board_id else "", f"item {item_id}"))
        )
        return f'"{name}" ({where})' if name else where


def read_present(tx: Transaction) -> Present:
    """The tables that are there, with their columns."""
    return {table: frozenset(shape.columns) for table, shape in read_shapes(tx).items()}


def read_items(
    tx: Transaction, present: Present, board_ids: Mapping[str, int], wanted: Collection[int | None]
) -> Items:
    """Names of these items, and of all boards: those of the settings (name → id), and those that were synced before."""
    boards, slug = {}, None
    for board_id, board, known in tx.rows(
        "SELECT board_id, board, to_jsonb(b) ->> 'account_slug' FROM monday_sync.sync_board b"
    ):
        boards[board_id], slug = board, slug or known
    boards |= {board_id: board for board, board_id in board_ids.items()}
    return Items(boards, _names(tx, present, {item for item in wanted if item}), slug)


def _names(tx: Transaction, present: Present, wanted: Collection[int]) -> dict[int, str]:
    parts = [
        sql.SQL("SELECT {rank}, {item}, {name}::text FROM {table} WHERE {item} = ANY({wanted}::bigint[])").format(
            rank=sql.Literal(rank),
            item=sql.Identifier(_ITEM),
            name=sql.Identifier(name),
            table=tx.table(table),
            wanted=sql.Literal(sorted(wanted)),
        )
        for rank, (table, name) in enumerate(_NAMED)
        if wanted and {name, _ITEM} <= set(present.get(table, ()))
    ]
    found: list[tuple[Any, ...]] = tx.rows(sql.SQL(" UNION ALL ").join(parts)) if parts else []
    return {item: name for _rank, item, name in sorted(found, reverse=True, key=lambda row: row[0]) if name}


def known_items(tx: Transaction) -> set[int]:
    """Every item that is remembered, or that the history names."""
    rows = tx.rows(
        "SELECT item_id FROM monday_sync.sync_item UNION SELECT item_id FROM monday_sync.sync_change"
        " WHERE item_id IS NOT NULL UNION SELECT item_id FROM monday_sync.sync_conflict"
    )
    return {item for (item,) in rows}


def known_rows(tx: Transaction, present: Present, table: str) -> set[str]:
    """Ids of the rows of a table: those that are there, and those that the history names."""
    assert table in TABLES
    parts = [
        sql.SQL("SELECT row_id::text FROM monday_sync.sync_change WHERE table_name = {} AND row_id IS NOT NULL").format(
            sql.Literal(table)
        )
    ]
    if table in present:
        parts.append(sql.SQL("SELECT id::text FROM {}").format(tx.table(table)))
    return {row for (row,) in tx.rows(sql.SQL(" UNION ").join(parts))}
