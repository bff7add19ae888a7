"""A world as one JSON file, so that the next run of the sandbox sees what this one left."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import msgspec

from sandbox.clock import Clock
from sandbox.world import Account, Board, Item, World

FORMAT = 1


class _Saved(msgspec.Struct):
    format: int
    account: Account
    boards: list[Board]
    items: list[Item]
    order: dict[int, list[int]]
    next_item_id: int


def save(world: World, path: Path) -> None:
    """Write the whole world, or leave the file as it was. The activity log is not kept."""
    with world.lock:
        order = {board_id: board.order for board_id, board in world.boards.items()}
        boards = [msgspec.structs.replace(board, order=[]) for board in world.boards.values()]
        items = [msgspec.structs.replace(item, previous=None) for item in world.items.values()]
        saved = _Saved(FORMAT, world.account, boards, items, order, world.next_item_id)
        text = json.dumps(msgspec.to_builtins(saved, str_keys=True), separators=(",", ":"))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    with temporary.open("x", encoding="ascii") as file:  # never through a link that somebody put there
        file.write(text)
    temporary.replace(path)


def load(path: Path) -> World:
    """Read a world back.

    Raises ValueError when the file is none, OSError when it cannot be read.
    """
    raw: Any = json.loads(path.read_text(encoding="ascii"))
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise ValueError(f"{path} is not a saved sandbox of format {FORMAT}: delete it to begin anew")
    saved = msgspec.convert(raw, _Saved, strict=False)
    world = World(saved.account, Clock(max((item.updated_at for item in saved.items), default=0)))
    for board in saved.boards:
        world.boards[board.id] = board
    for item in saved.items:
        world.adopt(item)
    for board_id, order in saved.order.items():
        world.boards[board_id].order = order
    world.next_item_id = saved.next_item_id
    return world
