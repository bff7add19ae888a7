"""What tests, demos and other processes do to the sandbox behind the API's back.

The same commands are methods here and, over HTTP, `POST /_sandbox/<command>` with the arguments as a JSON object;
the answer is `{"result": …}`, or 400 with `{"error": …}`. Edits made here are edits of a person at the board: they
move `updated_at` and are logged under a user of their own.
"""

from __future__ import annotations

import hashlib
import json
import urllib.error
import urllib.request
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from sandbox.boards import MASTER_BOARD_ID
from sandbox.cells import (
    Cell,
    Column,
    Email,
    File,
    Files,
    Formula,
    Label,
    Link,
    Mirror,
    Numbers,
    Phone,
    Text,
    display,
    value_text,
)
from sandbox.clock import iso
from sandbox.faults import FaultRule
from sandbox.jobs import JobTrouble
from sandbox.service import Service
from sandbox.state import save
from sandbox.versions import Versions
from sandbox.world import Board, Group, Item, LogForm, Rule, World
from sandbox.writes import Target, item_name, read_value

Values = dict[str, Any]
"""Column id → value in the form that `column_values` takes."""


class Control:
    """Every command. Raises ApiError or ValueError for what the boards cannot do."""

    def __init__(self, world: World, service: Service, state_file: Path | None = None) -> None:
        self.world = world
        self.state_file = state_file
        self.service = service
        self.clock = world.clock

    # looking

    def item(self, item_id: int) -> dict[str, Any]:
        """State, place, name and each filled cell of an item as `{"text", "value"}`, deleted ones too.

        Raises KeyError when there never was one.
        """
        with self.world.lock:
            item = self.world.items[int(item_id)]
            return {
                "id": item.id,
                "name": item.name,
                "state": item.state,
                "board_id": item.board_id,
                "group_id": item.group_id,
                "created_at": iso(item.created_at),
                "updated_at": iso(item.updated_at),
                "cells": self._cells(item),
            }

    def item_ids(self, board_id: int = MASTER_BOARD_ID, state: str = "active") -> list[int]:
        """Ids in the board's order; of archived or deleted items by id."""
        with self.world.lock:
            if state == "active":
                return list(self.world.boards[int(board_id)].order)
            found = (i.id for i in self.world.items.values() if i.board_id == int(board_id) and i.state == state)
            return sorted(found)

    def find(self, board_id: int, name: str) -> list[int]:
        """Active items of that exact name."""
        with self.world.lock:
            return [item.id for item in self.world.active(self._board(board_id)) if item.name == name]

    def digest(self) -> str:
        """A hash over every item's state, place, name, times and cells: equal when nothing at all was changed."""
        with self.world.lock:
            items = (msgspec.structs.replace(i, previous=None, revision=0) for i in self.world.items.values())
            text = json.dumps([msgspec.to_builtins(i) for i in sorted(items, key=lambda i: i.id)])
        return hashlib.sha256(text.encode()).hexdigest()

    # editing as a person

    def edit(self, item_id: int, cells: Values, force: bool = False) -> None:
        """Set cells, null clears: `{"email4__1": {"email": …, "text": …}}`; `force` skips the validation of a write.

        Cells that the API cannot write are set in these forms: file `{"files": [{"id", "name", "kind"?}]}`, mirror and
        formula `{"display": …}`.
        """
        with self.world.lock:
            item = self.world.item(item_id)
            board = self.world.boards[item.board_id]
            self.world.write(item, self._read(board, cells, force))

    def clear(self, item_id: int, *column_ids: str, columns: list[str] | None = None) -> None:
        self.edit(item_id, dict.fromkeys([*column_ids, *(columns or [])]))

    def rename(self, item_id: int, name: str) -> None:
        with self.world.lock:
            self.world.write(self.world.item(item_id), {}, item_name(name))

    def create(
        self,
        board_id: int,
        name: str,
        cells: Values | None = None,
        group_id: str | None = None,
        force: bool = False,
    ) -> int:
        """A new item, in the first group if none is named; returns its id. `force` as in `edit`."""
        with self.world.lock:
            board = self._board(board_id)
            group = board.group(group_id) if group_id else board.first_group
            return self.world.create_item(board, group, item_name(name), self._read(board, cells or {}, force)).id

    def archive(self, item_id: int) -> None:
        with self.world.lock:
            self.world.set_state(self.world.item(item_id), "archived")

    def delete(self, item_id: int) -> None:
        with self.world.lock:
            self.world.set_state(self.world.item(item_id), "deleted")

    def protect(self, item_id: int, protected: bool = True) -> None:
        """Whether the token's user is refused when he writes this item."""
        with self.world.lock:
            (self.world.protected.add if protected else self.world.protected.discard)(int(item_id))

    def restore(self, item_id: int) -> None:
        """Bring back an archived or deleted item."""
        with self.world.lock:
            self.world.set_state(self.world.items[int(item_id)], "active")

    def purge(self, item_id: int) -> None:
        """Delete for good: no query answers the id any more."""
        with self.world.lock:
            self.world.set_state(self.world.items[int(item_id)], "deleted")
            del self.world.items[int(item_id)]

    def move_to_group(self, item_id: int, group_id: str) -> None:
        with self.world.lock:
            item = self.world.item(item_id)
            self.world.move_to_group(item, self.world.boards[item.board_id].group(group_id))

    def move_to_board(self, item_id: int, board_id: int, group_id: str | None = None) -> None:
        with self.world.lock:
            board = self._board(board_id)
            group = board.group(group_id) if group_id else board.first_group
            self.world.move_to_board(self.world.item(item_id), board, group)

    def move_to_subitem(self, item_id: int, parent_id: int, at_home: bool = False) -> None:
        """Make an item a subitem of another one, on the board of that one's subitems; with `at_home` on that one's own
        board, as on a board of several levels."""
        with self.world.lock:
            self.world.make_subitem(self.world.item(item_id), self.world.item(parent_id), at_home=at_home)

    def duplicate(self, item_id: int, name: str | None = None) -> int:
        """A copy with all cells, hidden ones among them; returns its id."""
        with self.world.lock:
            return self.world.duplicate_item(self.world.item(item_id), name=item_name(name) if name else None).id

    # changing the boards themselves

    def add_board(self, board_id: int, name: str, groups: list[str] | None = None) -> None:
        """Another board, without columns and items. `groups` are titles; one group where none is named."""
        with self.world.lock:
            if board_id in self.world.boards:
                raise ValueError(f"there is a board {board_id}")
            made = [Group(f"group_{number}", title) for number, title in enumerate(groups or ["Items"], 1)]
            board = self.world.boards[board_id] = Board(board_id, name, [], made)
            self.world.restructured(board)

    def add_column(
        self, board_id: int, column_id: str, title: str, column_type: str, labels: list[str] | None = None
    ) -> None:
        with self.world.lock:
            choices = [Label(i if i < 5 else i + 1, text) for i, text in enumerate(labels or [], 1)]
            self.world.add_column(self._board(board_id), Column(column_id, title, column_type, choices))

    def remove_column(self, board_id: int, column_id: str) -> None:
        with self.world.lock:
            self.world.remove_column(self._board(board_id), column_id)

    def archive_column(self, board_id: int, column_id: str) -> None:
        with self.world.lock:
            board = self._board(board_id)
            board.column(column_id).archived = True
            self.world.restructured(board)

    def restore_column(self, board_id: int, column_id: str) -> None:
        """Bring back a removed or archived column, with its cells as they were."""
        with self.world.lock:
            board = self._board(board_id)
            column = next(column for column in board.columns if column.id == column_id)
            column.removed = column.archived = False
            self.world.restructured(board)

    def retype_column(self, board_id: int, column_id: str, column_type: str) -> None:
        with self.world.lock:
            self.world.retype_column(self._board(board_id), column_id, column_type)

    def retitle_column(self, board_id: int, column_id: str, title: str) -> None:
        with self.world.lock:
            board = self._board(board_id)
            column = board.column(column_id)
            column.title, column.revision = title, column.revision + 1
            self.world.restructured(board)

    def rename_label(self, board_id: int, column_id: str, old: str, new: str) -> None:
        """Every cell of that label shows the new text, and no item's `updated_at` moves."""
        with self.world.lock:
            board = self._board(board_id)
            _label(board, column_id, old).label = new
            board.column(column_id).revision += 1
            self.world.restructured(board)

    def deactivate_label(self, board_id: int, column_id: str, label: str) -> None:
        with self.world.lock:
            board = self._board(board_id)
            _label(board, column_id, label).is_deactivated = True
            self.world.restructured(board)

    def add_group(self, board_id: int, group_id: str, title: str) -> None:
        with self.world.lock:
            board = self._board(board_id)
            board.groups.append(Group(group_id, title))
            self.world.restructured(board)

    def retitle_group(self, board_id: int, group_id: str, title: str) -> None:
        with self.world.lock:
            board = self._board(board_id)
            board.group(group_id).title = title
            self.world.restructured(board)

    def archive_group(self, board_id: int, group_id: str) -> None:
        """With all its items."""
        with self.world.lock:
            board = self._board(board_id)
            for item in [item for item in self.world.active(board) if item.group_id == group_id]:
                self.world.set_state(item, "archived")
            board.group(group_id).archived = True
            self.world.restructured(board)

    def set_board(
        self,
        board_id: int,
        visible: bool | None = None,
        state: str | None = None,
        hierarchy: str | None = None,
        items_limit: int | None = None,
        name: str | None = None,
    ) -> None:
        """Hide a board from the token, archive it, and so on; what is left out stays."""
        with self.world.lock:
            board = self._board(board_id)
            changes = {"visible": visible, "state": state, "hierarchy": hierarchy, "items_limit": items_limit}
            for attribute, value in {**changes, "name": name}.items():
                if value is not None:
                    setattr(board, attribute, value)
            self.world.restructured(board)

    def set_rule(self, board_id: int, column_id: str, forbidden: str | None, tells: bool = True) -> None:
        """Let the API refuse values of a column, or of `name`, that hold this text; null lifts the rule.

        `tells` whether the error names the column. People at the board are not bound by it.
        """
        with self.world.lock:
            self.world.rules.pop((int(board_id), column_id), None)
            if forbidden is not None:
                self.world.rules[int(board_id), column_id] = Rule(forbidden, tells)

    def set_validations(
        self,
        board_id: int,
        required: list[str] | None = None,
        rules: dict[str, Any] | None = None,
        hidden: bool | None = None,
        whole: bool | None = None,
        failing: bool | None = None,
    ) -> None:
        """Required columns and validation rules of a board, in monday's form; what is left out stays, `[]` and `{}`
        lift all. `hidden`: the token's user may not read them; `failing`: monday fails when it is asked; `whole`: each
        write is checked against all that the item then holds. People at the board are not bound by them.
        """
        with self.world.lock:
            board = self._board(board_id)
            changes = {"required": required, "rules": rules, "rules_hidden": hidden, "rules_whole": whole}
            for attribute, value in {**changes, "rules_failing": failing}.items():
                if value is not None:
                    setattr(board, attribute, value)

    def set_items_count(self, board_id: int, count: int | None) -> None:
        """Let `items_count` lag: it says `count` until it is set to null."""
        with self.world.lock:
            self._board(board_id).shown_count = count

    def shuffle(self, board_id: int, seed: int = 0) -> None:
        """Another order of the items in a walk without `order_by`."""
        with self.world.lock:
            self.world.shuffle(self._board(board_id), seed)

    # faults, time, limits

    def fault(self, kind: str, **rule: Any) -> None:
        """Add a rule; see `sandbox.faults.FaultRule` for its fields and `FAULTS` for the kinds."""
        self.service.faults.add(msgspec.convert({"kind": kind, **rule}, FaultRule))

    def clear_faults(self) -> None:
        self.service.faults.clear()

    def freeze(self, moment: str | None = None) -> None:
        self.clock.freeze(moment)

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def thaw(self) -> None:
        self.clock.thaw()

    def now(self) -> str:
        return iso(self.clock.seconds())

    def set_latency(self, fixed_ms: float = 0.0, per_item_ms: float = 0.0) -> None:
        self.service.latency.fixed_ms = fixed_ms
        self.service.latency.per_item_ms = per_item_ms

    def set_limits(self, **limits: int) -> None:
        """Any of `sandbox.limits.Limits`; what is left out stays."""
        self.service.meter.limits = msgspec.structs.replace(self.service.meter.limits, **limits)

    def set_token(self, token: str | None) -> None:
        """The only token taken from now on; null takes any."""
        self.service.token = token

    def set_versions(self, **versions: Any) -> None:
        """Any of `sandbox.versions.Versions`; what is left out is as usual."""
        self.service.versions = msgspec.convert(versions, Versions)

    def set_user(self, kind: str = "member", status: str = "ACTIVE", access: str = "edit") -> None:
        """Who the token's user is, as `me` tells it, and what it may do with the boards, as they tell it."""
        with self.world.lock:
            account = self.world.account
            account.kind, account.status, account.access = kind, status, access

    def set_idempotency(self, enabled: bool = True, stores_errors: bool = True) -> None:
        """What monday leaves open: whether replay happens at all, and whether answers with errors are stored."""
        self.service.idempotency.enabled = enabled
        self.service.idempotency.stores_errors = stores_errors

    def set_log(self, form: str) -> None:
        """The form in which the activity log holds cells from now on: see `sandbox.world.LogForm`."""
        self.world.log_form = msgspec.convert(form, LogForm)

    def set_jobs(self, **trouble: Any) -> None:
        """Any of `sandbox.jobs.JobTrouble`; what is left out is as usual."""
        self.service.jobs.trouble(msgspec.convert(trouble, JobTrouble))

    # counting

    def counters(self) -> dict[str, Any]:
        """Requests, reads, mutations, items, bytes, points since the last reset, the most at once, calls of the day."""
        meter = self.service.meter
        return {
            **asdict(self.service.counters),
            "max_in_flight": meter.max_in_flight,
            "daily_calls": meter.daily_spent,
        }

    def reset_counters(self) -> None:
        self.service.reset_counters()

    def requests(self, last: int = 0) -> list[dict[str, Any]]:
        """The log of requests, oldest first; `last` of them, 0 for all."""
        return [asdict(entry) for entry in list(self.service.log)[-last:]]

    def save(self) -> None:
        """Write the boards to the state file now, not only at the end. Raises ValueError where there is none."""
        if self.state_file is None:
            raise ValueError("the sandbox has no state file: start it with --state")
        save(self.world, self.state_file)

    def command(self, name: str, arguments: dict[str, Any]) -> Any:
        """Run a command by its name, as HTTP does.

        Raises ValueError for a name that is none.
        """
        if name not in COMMANDS:
            raise ValueError(f"unknown command {name}: one of {', '.join(COMMANDS)}")
        return getattr(self, name)(**arguments)

    def _board(self, board_id: int) -> Board:
        return self.world.boards[int(board_id)]

    def _cells(self, item: Item) -> dict[str, dict[str, str | None]]:
        found = {}
        for column, cell in zip(self.world.boards[item.board_id].columns, item.cells, strict=True):
            if cell is not None and not column.removed:
                text = display(cell, column, self.world.zone, self.world.account.people)
                found[column.id] = {"text": text, "value": value_text(cell)}
        return found

    def _read(self, board: Board, cells: Values, force: bool) -> dict[int, Cell | None]:
        found: dict[int, Cell | None] = {}
        for column_id, raw in cells.items():
            slot = board.slot(column_id)
            target = Target(self.world, board, board.columns[slot], False, self.clock.seconds())
            found[slot] = _person_reads(target, raw, force)
        return found


COMMANDS = tuple(
    name
    for name, member in vars(Control).items()
    if callable(member) and not name.startswith("_") and name != "command"
)
"""What `/_sandbox/<command>` takes."""


class Remote:
    """The same commands on a sandbox in another process: `Remote(url)("edit", item_id=1, cells={…})`.

    `token` is needed where the sandbox takes one only.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        self._url = url
        self._headers = {"Connection": "close", "Content-Type": "application/json"}
        if token is not None:
            self._headers["Authorization"] = token

    def __call__(self, command: str, /, **arguments: Any) -> Any:
        """Raises ValueError with what the sandbox says when it refuses."""
        body = json.dumps(arguments).encode()
        request = urllib.request.Request(f"{self._url}/_sandbox/{command}", body, self._headers)  # noqa: S310  # a loopback address
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  # a loopback address
                return json.load(answer)["result"]
        except urllib.error.HTTPError as refused:
            with refused:
                raise ValueError(json.load(refused)["error"]) from None


def _label(board: Board, column_id: str, text: str) -> Label:
    for label in board.column(column_id).labels:
        if label.label == text:
            return label
    raise ValueError(f"column {column_id} has no label {text}")


def _person_reads(target: Target, raw: Any, force: bool) -> Cell | None:
    """What a person at the board may put into a cell: more than the API takes."""
    if raw is None:
        return None
    match target.column.type:
        case "file":
            return Files(tuple(msgspec.convert(_file(entry, target.at), File) for entry in raw["files"]))
        case "mirror":
            return Mirror(raw["display"])
        case "formula":
            return Formula(raw["display"])
    return _unchecked(target, raw) if force else read_value(target, raw)


def _file(entry: dict[str, Any], at: int) -> list[Any]:
    return [entry["id"], entry["name"], entry.get("kind", "asset"), entry.get("size", 1000), entry.get("at", at)]


def _unchecked(target: Target, raw: Any) -> Cell | None:
    """The cell without the checks of a write, for boards that hold what today's rules refuse."""
    match target.column.type:
        case "text":
            return Text(raw)
        case "numbers":
            return Numbers(raw)
        case "email":
            return Email(raw["email"], raw["text"], target.at)
        case "phone":
            return Phone(raw["phone"], raw["countryShortName"], target.at)
        case "link":
            return Link(raw["url"], raw["text"], target.at)
    return read_value(target, raw)
