"""The account that the sandbox plays: boards, items, people, and what happened to them. Kept in memory.

Every change goes through `World`, which moves the item's `updated_at`, logs the activity and gives the item a new
revision, the mark by which rendered answers are known to be stale. Callers hold `World.lock`.
"""

from __future__ import annotations

import itertools
import json
import random
import threading
from collections.abc import Iterable
from functools import cached_property
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from sandbox.cells import (
    TYPES,
    Cell,
    Column,
    Email,
    Label,
    Link,
    Numbers,
    Status,
    Text,
    display,
    retyped,
    value_of,
)
from sandbox.clock import Clock
from sandbox.errors import ApiError

State = Literal["active", "archived", "deleted"]

API_USER = 41000001
"""The user whose token the client uses."""
_SUBITEMS_BOARD_OFFSET = 10**10
HUMAN = 41000002
"""The user whose edits come through the control interface: somebody at the board."""


class Item(msgspec.Struct, gc=False):
    """One item; `cells` is aligned with its board's columns, `previous` is the item before its last change."""

    id: int
    board_id: int
    group_id: str
    name: str
    created_at: int
    updated_at: int
    cells: list[Cell | None]
    state: State = "active"
    creator_id: int = HUMAN
    revision: int = 0
    previous: Item | None = None
    parent_id: int | None = None
    """The item that it is a subitem of: then its board does not list it."""


class Group(msgspec.Struct):
    id: str
    title: str
    color: str = "#579bfc"
    archived: bool = False
    deleted: bool = False


class Board(msgspec.Struct):
    """`order` holds the ids of active items as the board lists them; `shown_count` overrides items_count when set."""

    id: int
    name: str
    columns: list[Column]
    groups: list[Group]
    order: list[int] = []
    state: State = "active"
    visible: bool = True
    hierarchy: Literal["classic", "multi_level"] = "classic"
    items_limit: int = 200_000
    updated_at: int = 0
    shown_count: int | None = None
    version: int = 0
    kind: Literal["board", "sub_items_board"] = "board"
    required: list[str] = []
    """Ids of the columns without which the API makes no item."""
    rules: dict[str, Any] = {}
    """Validation rules by id, in monday's own form: see `sandbox.validations`."""
    rules_hidden: bool = False
    """Whether the token's user may not read them: he may not edit the columns' settings."""
    rules_failing: bool = False
    """Whether monday fails inside when it is asked for them."""
    rules_whole: bool = False
    """Whether a write is checked against all that the item then holds, written by it or not."""

    @property
    def live_columns(self) -> list[Column]:
        return [column for column in self.columns if not column.removed and not column.archived]

    def slot(self, column_id: str) -> int:
        """Where the column's cell stands in `Item.cells`.

        Raises ApiError for a column that the board does not have.
        """
        for slot, column in enumerate(self.columns):
            if column.id == column_id and not column.removed and not column.archived:
                return slot
        raise ApiError("InvalidColumnIdException", f"This column ID doesn't exist for the board: {column_id}")

    def column(self, column_id: str) -> Column:
        return self.columns[self.slot(column_id)]

    def group(self, group_id: str) -> Group:
        """Raises ApiError for a group that the board does not have, or that was archived."""
        for group in self.groups:
            if group.id == group_id and not group.archived and not group.deleted:
                return group
        raise ApiError("InvalidGroupIdException", "Group not found on this board")

    @property
    def first_group(self) -> Group:
        """Raises ApiError when every group was archived."""
        for group in self.groups:
            if not group.archived and not group.deleted:
                return group
        raise ApiError("InvalidGroupIdException", "The board has no group")


LogForm = Literal["object", "bare", "index", "label", "json", "shown", "unreadable", "silent"]


class LogEntry(msgspec.Struct):
    """One line of a board's activity log; `at` in units of 100 ns since 1970."""

    id: int
    board_id: int
    event: str
    at: int
    user_id: int
    item_id: int | None
    column_id: str | None
    group_id: str | None
    data: dict[str, Any]


class Rule(msgspec.Struct, frozen=True):
    """A rule of a board: no value of a column may hold `forbidden`. Whether the refusal `tells` which column it is."""

    forbidden: str
    tells: bool = True


class Account(msgspec.Struct):
    id: int = 7654321
    name: str = "Summit Roofing"
    slug: str = "roofing"
    tier: str = "pro"
    zone: str = "America/Denver"
    people: dict[int, str] = msgspec.field(default_factory=lambda: {API_USER: "Sync Service", HUMAN: "Dana Office"})
    kind: str = "member"
    status: str = "ACTIVE"
    access: str = "edit"


class World:
    """All boards and items of one account."""

    def __init__(self, account: Account | None = None, clock: Clock | None = None) -> None:
        self.account = account or Account()
        self.clock = clock or Clock()
        self.lock = threading.RLock()
        self.boards: dict[int, Board] = {}
        self.items: dict[int, Item] = {}
        self.log: list[LogEntry] = []
        self.protected: set[int] = set()
        """Items that the token's user may see and not write."""
        self.log_form: LogForm = "object"
        """How the log holds a cell: monday documents no form, and clients have met several."""
        self.rules: dict[tuple[int, str], Rule] = {}
        """What the API refuses although its type allows it, by board and column id, or `name`."""
        self.structure = 0
        """Moves with anything but items that an answer may show: a title, a label, a group, a column."""
        self._revision = itertools.count(1)
        self.next_item_id = 9_000_000_000

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.account.zone)

    def board(self, board_id: int | str) -> Board:
        """Raises ApiError when the token may not see the board, or when there is none."""
        board = self.boards.get(_number(board_id))
        if board is None or board.state == "deleted":
            raise ApiError("InvalidBoardIdException", "This board ID doesn't exist")
        if not board.visible:
            raise ApiError("UserUnauthorizedException", "User unauthorized to perform action", 403)
        return board

    def item(self, item_id: int | str) -> Item:
        """An active or archived item.

        Raises ApiError when it was deleted, never existed, or lies on a board that the token may not see.
        """
        item = self.items.get(_number(item_id))
        if item is None or item.state == "deleted" or not self.boards[item.board_id].visible:
            raise ApiError("ResourceNotFoundException", f"Item not found: {item_id}", 404)
        return item

    def newest(self) -> int:
        """The greatest `updated_at` of the world, 0 when it is empty."""
        return max((item.updated_at for item in self.items.values()), default=0)

    def adopt(self, item: Item) -> None:
        """Take in an item that exists already (seed, saved state): no log, no new time."""
        item.revision = next(self._revision)
        self.items[item.id] = item
        self.next_item_id = max(self.next_item_id, item.id + 1)
        if _is_listed(item):
            self.boards[item.board_id].order.append(item.id)

    def create_item(
        self, board: Board, group: Group, name: str, cells: dict[int, Cell | None], user: int = HUMAN
    ) -> Item:
        if len(board.order) >= board.items_limit:
            raise ApiError("ItemsLimitationException", "The board has reached its limit of items")
        now = self.clock.seconds()
        row: list[Cell | None] = [None] * len(board.columns)
        for slot, cell in cells.items():
            row[slot] = cell
        item = Item(self.next_item_id, board.id, group.id, name, now, now, row, creator_id=user)
        self.next_item_id += 1
        item.revision = next(self._revision)
        self.items[item.id] = item
        board.order.append(item.id)
        self._log("create_pulse", item, user, group_id=group.id, group_name=group.title)
        self._moved(board)
        return item

    def write(self, item: Item, cells: dict[int, Cell | None], name: str | None = None, user: int = HUMAN) -> None:
        """Set cells by slot, None clears. An identical rewrite moves `updated_at` too."""
        board = self.boards[item.board_id]
        before = self._change(item)
        row = list(item.cells)
        for slot, cell in cells.items():
            column = board.columns[slot]
            row[slot] = cell
            self._log(
                "update_column_value",
                item,
                user,
                column_id=column.id,
                column_type=column.type,
                column_title=column.title,
                **self._told(cell, column),
                **{f"previous_{name}": told for name, told in self._told(before.cells[slot], column).items()},
            )
        item.cells = row
        if name is not None:
            item.name = name
            was = before.name if self.log_form == "bare" else {"name": before.name}
            self._log("update_name", item, user, value={"name": name}, previous_value=was)

    def _told(self, cell: Cell | None, column: Column) -> dict[str, Any]:
        """`value` of a cell, and in one form also the text that a person sees; in another the log does not say it."""
        usual = _logged(cell, column)
        match self.log_form:
            case "silent":
                return {}
            case "unreadable":
                return {"value": {"v2": [usual]}}
            case "shown":
                shown = display(cell, column, self.zone, self.account.people)
                return {"value": {"v2": [usual]}, "textual_value": shown}
            case "json" if usual is not None:
                return {"value": json.dumps(usual)}
            case "index" if isinstance(cell, Status):
                return {"value": {"index": cell.index}}
            case "label" if isinstance(cell, Status):
                return {"value": {"label": column.label(cell.index)}}
            case "bare" if isinstance(cell, Numbers):
                return {"value": float(cell.text)}
            case "bare" if isinstance(cell, Email):
                return {"value": cell.email}
            case "bare" if isinstance(cell, Link):
                return {"value": cell.url}
            case "bare":
                return {"value": display(cell, column, self.zone, self.account.people) or ""}
        return {"value": usual}

    def set_state(self, item: Item, state: State, user: int = HUMAN) -> None:
        """Archive, delete or restore; the same state again changes nothing."""
        if item.state == state:
            return
        board = self.boards[item.board_id]
        self._change(item)
        if _is_listed(item):
            board.order.remove(item.id)
        item.state = state
        if _is_listed(item):
            board.order.append(item.id)
        event = {"active": "restore_pulse", "archived": "archive_pulse", "deleted": "delete_pulse"}[state]
        self._log(event, item, user)

    def move_to_group(self, item: Item, group: Group, user: int = HUMAN) -> None:
        self._change(item)
        self._log("move_pulse_from_group", item, user, group_id=item.group_id)
        item.group_id = group.id
        self._log("move_pulse_into_group", item, user, group_id=group.id)

    def move_to_board(
        self, item: Item, board: Board, group: Group, mapping: dict[str, str | None] | None = None, user: int = HUMAN
    ) -> None:
        """The id stays, and a subitem is none any more. Cells follow `mapping` (column id there → here, None drops),
        else equal column ids."""
        self._move(item, board, group, mapping, user, None)

    def make_subitem(
        self,
        item: Item,
        parent: Item,
        mapping: dict[str, str | None] | None = None,
        user: int = HUMAN,
        *,
        at_home: bool = False,
    ) -> None:
        """Move an item under another one: to the board that holds its board's subitems, or, where that has several
        levels or with `at_home`, to the other item's own board.
        """
        if parent is item or parent.parent_id is not None:
            raise ApiError("InvalidArgumentException", f"Item {parent.id} cannot be a parent of it")
        board = self.boards[parent.board_id]
        if board.hierarchy == "classic" and not at_home:
            board = self._subitems_board(board)
        self._move(item, board, board.first_group, mapping, user, parent.id)

    def duplicate_item(
        self, item: Item, group: Group | None = None, name: str | None = None, user: int = HUMAN
    ) -> Item:
        """A new item with every cell of another one."""
        board = self.boards[item.board_id]
        cells = dict(enumerate(item.cells))
        return self.create_item(board, group or board.group(item.group_id), name or f"{item.name} (copy)", cells, user)

    def _subitems_board(self, board: Board) -> Board:
        """The board of a board's subitems, made with the first of them."""
        own_id = _SUBITEMS_BOARD_OFFSET + board.id
        if own_id not in self.boards:
            columns = [Column("status", "Status", "status"), Column("date0", "Date", "date")]
            group = Group("topics", "Subitems")
            self.boards[own_id] = Board(own_id, f"Subitems of {board.name}", columns, [group], kind="sub_items_board")
        return self.boards[own_id]

    def _move(
        self,
        item: Item,
        board: Board,
        group: Group,
        mapping: dict[str, str | None] | None,
        user: int,
        parent_id: int | None,
    ) -> None:
        source = self.boards[item.board_id]
        self._change(item)
        self._log("move_pulse_from_board", item, user)
        row: list[Cell | None] = [None] * len(board.columns)
        for slot, column in enumerate(source.columns):
            target = mapping.get(column.id) if mapping is not None else column.id
            place = next((i for i, c in enumerate(board.columns) if c.id == target and c.type == column.type), None)
            if place is not None:
                row[place] = item.cells[slot]
        if _is_listed(item):
            source.order.remove(item.id)
        item.board_id, item.group_id, item.cells, item.parent_id = board.id, group.id, row, parent_id
        if _is_listed(item):
            board.order.append(item.id)
        self._log("move_pulse_into_board", item, user)
        self._moved(board)

    def add_column(self, board: Board, column: Column, user: int = HUMAN) -> None:
        if column.type not in TYPES:
            raise ApiError("InvalidArgumentException", f"The sandbox has no column of type {column.type}")
        if any(other.id == column.id and not other.removed for other in board.columns):
            raise ApiError("InvalidColumnIdException", f"A column with this ID exists: {column.id}")
        board.columns.append(column)
        for item in self.items.values():
            if item.board_id == board.id:
                item.cells = [*item.cells, None]
                if item.previous is not None and item.previous.board_id == board.id:
                    item.previous.cells = [*item.previous.cells, None]
        self._log_board(board, "create_column", user, column_id=column.id, column_title=column.title)

    def describe_column(self, board: Board, column: Column, what: str, text: str | None, user: int = HUMAN) -> None:
        """Change a column's `title` or `description`."""
        if what not in ("title", "description"):
            raise ApiError("InvalidArgumentException", f"No such property of a column: {what}")
        setattr(column, what, text)
        column.revision += 1
        self._log_board(board, "update_column_name", user, column_id=column.id, column_title=column.title)

    def remove_column(self, board: Board, column_id: str, user: int = HUMAN) -> None:
        column = board.column(column_id)
        column.removed = True
        self._log_board(board, "delete_column", user, column_id=column.id, column_title=column.title)

    def retype_column(self, board: Board, column_id: str, new_type: str) -> None:
        """Change the type in place; what cells cannot keep is lost."""
        slot = board.slot(column_id)
        old = board.columns[slot]
        board.columns[slot] = Column(old.id, old.title, new_type, revision=old.revision + 1)
        for item in self.items.values():
            if item.board_id == board.id:
                row = list(item.cells)
                row[slot] = retyped(row[slot], old, new_type, self.zone, self.account.people)
                item.cells, item.revision = row, next(self._revision)
        self.restructured(board)

    def add_label(self, board: Board, column: Column, label: str) -> Label:
        taken = {5, *(other.id for other in column.labels)}
        created = Label(next(number for number in itertools.count() if number not in taken), label)
        column.labels.append(created)
        column.revision += 1
        self.restructured(board)
        return created

    def shuffle(self, board: Board, seed: int) -> None:
        """Change the order in which a walk without `order_by` meets the items, which monday does not promise."""
        random.Random(seed).shuffle(board.order)
        self._moved(board)

    def restructured(self, board: Board) -> None:
        self.structure += 1
        self._moved(board)

    def active(self, board: Board) -> Iterable[Item]:
        return map(self.items.__getitem__, board.order)

    def _change(self, item: Item) -> Item:
        """Mark a change; returns the item as it was."""
        before = msgspec.structs.replace(item, previous=None)
        item.previous = before
        item.updated_at = self.clock.seconds()
        item.revision = next(self._revision)
        self._moved(self.boards[item.board_id])
        return before

    def _moved(self, board: Board) -> None:
        board.version += 1
        board.updated_at = self.clock.seconds()

    def _log(self, event: str, item: Item, user: int, **data: Any) -> None:
        full = {"board_id": item.board_id, "pulse_id": item.id, "pulse_name": item.name, **data}
        self._append(item.board_id, event, user, item.id, full)

    def _log_board(self, board: Board, event: str, user: int, **data: Any) -> None:
        self.restructured(board)
        self._append(board.id, event, user, None, {"board_id": board.id, **data})

    def _append(self, board_id: int, event: str, user: int, item_id: int | None, data: dict[str, Any]) -> None:
        at = int(self.clock.now() * 10_000_000)
        column_id, group_id = data.get("column_id"), data.get("group_id")
        self.log.append(LogEntry(len(self.log) + 1, board_id, event, at, user, item_id, column_id, group_id, data))


def _is_listed(item: Item) -> bool:
    return item.state == "active" and item.parent_id is None


def _logged(cell: Cell | None, column: Column) -> Any:
    """A cell as the log tells it: as its `value`, but texts and numbers in an object, and a status with its label.

    monday documents none of it.
    """
    match cell:
        case None:
            return None
        case Text(text=text) | Numbers(text=text):
            return {"value": text}
        case Status(index=index):
            return {"label": {"index": index, "text": column.label(index)}, "post_id": None}
    return value_of(cell)


def log_data(entry: LogEntry) -> str:
    return json.dumps(entry.data, separators=(",", ":"))


def _number(raw: int | str) -> int:
    """An id as an int; -1, which nothing has, for what is no number."""
    return int(raw) if str(raw).isascii() and str(raw).isdigit() else -1
