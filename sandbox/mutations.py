"""What each mutation does. Aliases run one after the other; one that fails leaves the others alone."""

from __future__ import annotations

import re
from typing import Any

from sandbox.cells import Column, Label
from sandbox.errors import ApiError
from sandbox.execute import Context, Resolver
from sandbox.queries import RESOLVERS as QUERY_RESOLVERS
from sandbox.validations import obey
from sandbox.world import API_USER, Board, Item
from sandbox.writes import item_name, read_values

Args = dict[str, Any]

BULK_IDS_AT_MOST = 100


def _change(context: Context, _owner: Any, args: Args) -> Item:
    world = context.world
    board = world.board(args["board_id"])
    item = _writable(context, args.get("item_id"))
    if item.board_id != board.id:
        raise ApiError("InvalidItemIdException", f"Item {item.id} is not on board {board.id}")
    create_labels = bool(args.get("create_labels_if_missing"))
    cells, name = read_values(world, board, args["column_values"], create_labels)
    obey(world, board, item.cells, cells)
    world.write(item, cells, name, API_USER)
    return item


def _create(context: Context, _owner: Any, args: Args) -> Item:
    """Without a group, into the first one. A bad value refuses the whole item."""
    world = context.world
    board = world.board(args["board_id"])
    group = board.group(args["group_id"]) if args.get("group_id") else board.first_group
    name = item_name(args["item_name"])
    create_labels = bool(args.get("create_labels_if_missing"))
    cells, renamed = read_values(world, board, args.get("column_values") or {}, create_labels)
    obey(world, board, None, cells)
    return world.create_item(board, group, renamed or name, cells, API_USER)


def _archive(context: Context, _owner: Any, args: Args) -> Item:
    """Archiving again is harmless."""
    item = _permitted(context, args.get("item_id"))
    context.world.set_state(item, "archived", API_USER)
    return item


def _delete(context: Context, _owner: Any, args: Args) -> Item:
    """Deleting again finds nothing."""
    item = _permitted(context, args.get("item_id"))
    context.world.set_state(item, "deleted", API_USER)
    return item


def _move_to_group(context: Context, _owner: Any, args: Args) -> Item:
    item = _writable(context, args.get("item_id"))
    group = context.world.boards[item.board_id].group(args["group_id"])
    context.world.move_to_group(item, group, API_USER)
    return item


def _move_to_board(context: Context, _owner: Any, args: Args) -> Item:
    item = _writable(context, args["item_id"])
    board = context.world.board(args["board_id"])
    mapping = args.get("columns_mapping")
    pairs = None if mapping is None else {pair["source"]: pair.get("target") for pair in mapping}
    if args.get("parent_item_id") is not None:
        parent = context.world.item(args["parent_item_id"])
        if parent.board_id != board.id:
            raise ApiError("InvalidArgumentException", "board_id must be the board of the parent item")
        context.world.make_subitem(item, parent, pairs, API_USER)
        return item
    context.world.move_to_board(item, board, board.group(args["group_id"]), pairs, API_USER)
    return item


def _duplicate(context: Context, _owner: Any, args: Args) -> Item:
    item = _permitted(context, args.get("item_id"))
    board = context.world.board(args["board_id"])
    if item.board_id != board.id:
        raise ApiError("InvalidItemIdException", f"Item {item.id} is not on board {board.id}")
    group = board.group(args["group_id"]) if args.get("group_id") else None
    name = item_name(args["item_name"]) if args.get("item_name") else None
    return context.world.duplicate_item(item, group, name, API_USER)


def _create_column(context: Context, _owner: Any, args: Args) -> tuple[Board, Column]:
    board = context.world.board(args["board_id"])
    stem = re.sub(r"\W+", "_", args["title"].lower(), flags=re.ASCII).strip("_") or "column"
    taken = {column.id for column in board.columns}
    generated = next(name for i in range(len(taken) + 1) if (name := f"{stem}{i or ''}") not in taken)
    labels = [
        Label(number, str(text)) for number, text in enumerate(((args.get("defaults") or {}).get("labels")) or [], 1)
    ]
    column = Column(args.get("id") or generated, args["title"], args["column_type"], labels)
    column.description = args.get("description")
    context.world.add_column(board, column, API_USER)
    return board, column


def _change_column_metadata(context: Context, _owner: Any, args: Args) -> tuple[Board, Column]:
    board = context.world.board(args["board_id"])
    column = board.column(args["column_id"])
    context.world.describe_column(board, column, args.get("column_property") or "", args.get("value"), API_USER)
    return board, column


def _ingest(context: Context, _owner: Any, args: Args) -> dict[str, Any]:
    return context.jobs.start_import(args["board_id"], args["group_id"], args.get("on_match"), context.base_url)


def _bulk(state: str) -> Resolver:
    def resolve(context: Context, _owner: Any, args: Args) -> dict[str, Any]:
        if len(args["item_ids"]) > BULK_IDS_AT_MOST:
            raise ApiError("InvalidArgumentException", f"item_ids takes at most {BULK_IDS_AT_MOST} ids")
        return {"job_id": context.jobs.run_bulk(args["board_id"], args["item_ids"], state)}

    return resolve


def _writable(context: Context, raw: Any) -> Item:
    """An active item: an archived one is read-only."""
    item = _permitted(context, raw)
    if item.state != "active":
        raise ApiError("InvalidItemIdException", f"Item {item.id} is archived and cannot be changed")
    return item


def _permitted(context: Context, raw: Any) -> Item:
    """An item that the token's user may write."""
    item = context.world.item(_id(raw))
    if item.id in context.world.protected:
        raise ApiError("UserUnauthorizedException", "User unauthorized to perform action", 403)
    return item


def _id(raw: Any) -> str:
    if raw is None:
        raise ApiError("InvalidArgumentException", "item_id is missing")
    return str(raw)


RESOLVERS: dict[tuple[str, str], Resolver] = {
    **QUERY_RESOLVERS,
    ("Mutation", "complexity"): QUERY_RESOLVERS[("Query", "complexity")],
    ("Mutation", "change_multiple_column_values"): _change,
    ("Mutation", "create_item"): _create,
    ("Mutation", "archive_item"): _archive,
    ("Mutation", "delete_item"): _delete,
    ("Mutation", "move_item_to_group"): _move_to_group,
    ("Mutation", "move_item_to_board"): _move_to_board,
    ("Mutation", "duplicate_item"): _duplicate,
    ("Mutation", "create_column"): _create_column,
    ("Mutation", "change_column_metadata"): _change_column_metadata,
    ("Mutation", "ingest_items"): _ingest,
    ("Mutation", "bulk_archive_items"): _bulk("archived"),
    ("Mutation", "bulk_delete_items"): _bulk("deleted"),
}
