"""What each field of a query answers, by type and field; what is not here is an attribute or key of its owner."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sandbox.cells import Column
from sandbox.clock import epoch, iso
from sandbox.errors import ApiError
from sandbox.execute import Context, Resolver
from sandbox.filters import select
from sandbox.pages import Page
from sandbox.schema import edition
from sandbox.world import API_USER, Board, Group, Item, LogEntry, log_data

Args = dict[str, Any]

ITEMS_BY_ID_AT_MOST = 100
_LOG_ENTRIES_REACHABLE = 10_000
_LOGS_BY_CURSOR = "2027-01"
_LOG_CURSOR = "log-"
_ROOT = "Query"


def _me(context: Context, _owner: Any, _args: Args) -> dict[str, Any]:
    return user(context, API_USER)


def user(context: Context, user_id: int) -> dict[str, Any]:
    account = context.world.account
    offset = datetime.fromtimestamp(context.world.clock.now(), context.world.zone).utcoffset()
    name = account.people.get(user_id, "")
    return {
        "id": user_id,
        "name": name,
        "email": f"{name.split(' ')[0].lower()}@summitroofing.example",
        "title": "",
        "status": account.status if user_id == API_USER else "ACTIVE",
        "kind": account.kind if user_id == API_USER else "member",
        "time_zone_identifier": account.zone,
        "utc_hours_diff": offset.total_seconds() / 3600 if offset else 0.0,
        "account": _account(context, None, {}),
    }


def _account(context: Context, _owner: Any, _args: Args) -> dict[str, Any]:
    account = context.world.account
    plan = {"max_users": 200, "period": "yearly", "tier": account.tier, "version": 1}
    members = len(account.people)
    return {
        "id": account.id,
        "name": account.name,
        "slug": account.slug,
        "tier": account.tier,
        "plan": plan,
        "active_members_count": members,
    }


def _access(context: Context, _owner: Any, _args: Args) -> str:
    return context.world.account.access


def _boards(context: Context, _owner: Any, args: Args) -> list[Board]:
    """What the token may not see, or is in another state, is absent without an error."""
    ids, state = args.get("ids"), args.get("state") or "active"
    found = [
        board
        for board in context.world.boards.values()
        if board.visible and (ids is None or str(board.id) in ids) and state in ("all", board.state)
    ]
    return _paged(found, args)


def _items(context: Context, _owner: Any, args: Args) -> list[Item]:
    """By id, archived and deleted ones too; at most 100 ids, and `limit` of them, in the order of creation."""
    ids = args.get("ids") or []
    limit = args.get("limit") or 25
    if len(ids) > ITEMS_BY_ID_AT_MOST or limit > ITEMS_BY_ID_AT_MOST:
        raise ApiError("InvalidArgumentException", "items takes at most 100 ids and a limit of at most 100")
    world = context.world
    found = [world.items[number] for raw in set(ids) if str(raw).isdigit() and (number := int(raw)) in world.items]
    found = [item for item in found if world.boards[item.board_id].visible]
    if args.get("exclude_nonactive"):
        found = [item for item in found if item.state == "active"]
    found.sort(key=lambda item: item.id, reverse=bool(args.get("newest_first")))
    return _paged(found, args)


def _paged(found: list[Any], args: Args) -> list[Any]:
    limit, page = args.get("limit") or 25, args.get("page") or 1
    return found[limit * (page - 1) : limit * page]


def _board_page(context: Context, board: Board, args: Args) -> Page:
    return _items_page(context, board, args, None)


def _items_page(context: Context, board: Board, args: Args, rule: dict[str, Any] | None) -> Page:
    cursor, query = args.get("cursor"), args.get("query_params")
    if cursor is not None and query is not None:
        raise ApiError("InvalidArgumentException", "cursor and query_params cannot be sent together")
    if cursor is not None:
        return _following(context, cursor, args["limit"])
    if rule is not None:
        query = {"rules": [rule], "groups": [query] if query else [], "order_by": (query or {}).get("order_by")}
    return context.pager.first(board, args["limit"], query, endless="endless_pages" in context.flags)


def _following(context: Context, cursor: str, limit: int) -> Page:
    flags = context.flags
    return context.pager.following(cursor, limit, "endless_pages" in flags, "repeated_cursor" in flags)


def _root_page(context: Context, _owner: Any, args: Args) -> Page:
    asked = args["input"]
    return _items_page(context, context.world.board(asked["board_id"]), asked, None)


def _next_items_page(context: Context, _owner: Any, args: Args) -> Page:
    return _following(context, args["cursor"], args["limit"])


def _by_column_values(context: Context, _owner: Any, args: Args) -> Page:
    if args.get("cursor") is not None:
        return _following(context, args["cursor"], args["limit"])
    board = context.world.board(args["board_id"])
    columns = [(pair["column_id"], pair["column_values"]) for pair in args.get("columns") or []]
    return context.pager.first(board, args["limit"], columns=columns, endless="endless_pages" in context.flags)


def _aggregate(context: Context, _owner: Any, args: Args) -> dict[str, Any]:
    """COUNT_ITEMS, all or by group; the rest of monday's functions is refused."""
    query = args["query"]
    board = context.world.board(query["from"]["id"])
    items = select(context.world, board, query.get("query"))
    selects = query["select"]
    groups = {element["column_id"] for element in query.get("group_by") or []}
    if not groups:
        return {"results": [{"entries": [_count(element, items, "") for element in selects]}]}
    aliases = {element["as"] for element in selects if (element.get("column") or {}).get("column_id") == "group"}
    if not groups <= {"group", *aliases}:
        raise ApiError("InvalidArgumentException", "The sandbox groups by group only")
    by_group: dict[str, list[Item]] = {}
    for item in items:
        by_group.setdefault(item.group_id, []).append(item)
    results = [
        {"entries": [_count(element, members, group_id) for element in selects]}
        for group_id, members in by_group.items()
    ]
    return {"results": results[: query.get("limit") or 1000]}


def _count(element: dict[str, Any], items: list[Item], group_id: str) -> dict[str, Any]:
    """Zero rows are told as a group-by result of null, as monday does."""
    function = (element.get("function") or {}).get("function")
    if element["type"] == "COLUMN":
        value: dict[str, Any] = {"__typename": "AggregateGroupByResult", "value": group_id}
    elif function != "COUNT_ITEMS":
        raise ApiError("InvalidArgumentException", f"The sandbox has no aggregate function {function}")
    elif items:
        value = {"__typename": "AggregateBasicAggregationResult", "result": float(len(items))}
    else:
        value = {"__typename": "AggregateGroupByResult", "value": None}
    return {"alias": element["as"], "value": value}


def _activity_logs(context: Context, board: Board, args: Args) -> list[LogEntry] | dict[str, Any]:
    """Newest first. Before 2027-01 by numbered pages, of which only the newest 10,000 of the window can be reached;
    from then on by a cursor.
    """
    found = [entry for entry in reversed(context.world.log) if entry.board_id == board.id and _asked(entry, args)]
    if edition(context.version) < _LOGS_BY_CURSOR:
        return _paged(found[:_LOG_ENTRIES_REACHABLE], args)
    start, limit = _log_place(args.get("cursor")), args.get("limit") or 25
    end = start + limit
    return {"logs": found[start:end], "cursor": f"{_LOG_CURSOR}{end}" if end < len(found) else None}


def _log_place(cursor: str | None) -> int:
    if cursor is None:
        return 0
    place = cursor.removeprefix(_LOG_CURSOR)
    if place == cursor or not place.isdecimal():
        raise ApiError("CursorException", "The cursor is invalid")
    return int(place)


def _asked(entry: LogEntry, args: Args) -> bool:
    second = entry.at / 10_000_000
    chosen = (
        (args.get("item_ids"), entry.item_id),
        (args.get("column_ids"), entry.column_id),
        (args.get("group_ids"), entry.group_id),
        (args.get("user_ids"), entry.user_id),
        (args.get("event_types"), entry.event),
        (args.get("correlation_ids"), None),
    )
    if not str(entry.data.get("pulse_name", "")).startswith(args.get("search") or ""):
        return False
    if any(wanted is not None and str(found) not in wanted for wanted, found in chosen):
        return False
    return _instant(args.get("from"), 0.0) <= second <= _instant(args.get("to"), float("inf"))


def _instant(raw: str | None, default: float) -> float:
    if raw is None:
        return default
    try:
        return epoch(raw)
    except ValueError:
        raise ApiError("InvalidArgumentException", "from and to are ISO 8601 instants") from None


def settings(column: Column) -> dict[str, Any]:
    """The present form of `Column.settings`; a label's `index` is where it is shown, its `id` is what is written."""
    if column.type == "status":
        return {"labels": [{**_label(column, i), "index": i} for i in range(len(column.labels))]}
    if column.type == "dropdown":
        labels = [_label(column, i) for i in range(len(column.labels))]
        return {"labels": labels, "limit_select": False, "label_limit_count": None}
    return {}


def _label(column: Column, position: int) -> dict[str, Any]:
    label = column.labels[position]
    return {
        "id": label.id,
        "label": label.label,
        "color": label.color,
        "is_done": label.is_done,
        "is_deactivated": label.is_deactivated,
    }


def _columns(context: Context, board: Board, args: Args) -> list[tuple[Board, Column]]:
    ids, types = args.get("ids"), args.get("types")
    return [
        (board, column)
        for column in board.columns
        if not column.removed
        and not column.archived
        and (ids is None or column.id in ids)
        and (types is None or column.type in types)
    ]


def _groups(context: Context, board: Board, args: Args) -> list[tuple[Board, Group]]:
    ids = args.get("ids")
    return [(board, group) for group in board.groups if not group.deleted and (ids is None or group.id in ids)]


def _group_page(context: Context, owner: tuple[Board, Group], args: Args) -> Page:
    board, group = owner
    return _items_page(context, board, args, {"column_id": "group", "compare_value": [group.id]})


def _second(attribute: str) -> Resolver:
    """A field of the second of a pair: (board, column), (board, group)."""
    return lambda _context, owner, _args: getattr(owner[1], attribute)


def _fixed(value: Any) -> Resolver:
    return lambda _context, _owner, _args: value


def _versions(context: Context, _owner: Any, _args: Args) -> list[dict[str, str]]:
    return context.versions.shown()


def _version(context: Context, _owner: Any, _args: Args) -> dict[str, str]:
    return context.versions.one(context.version)


def _items_count(_context: Context, board: Board, _args: Args) -> int:
    return len(board.order) if board.shown_count is None else board.shown_count


def _daily(context: Context, _owner: Any, _args: Args) -> dict[str, Any]:
    return {"daily_limit": {"base": context.daily_limit, "total": context.daily_limit}}


def _complexity(context: Context, _owner: Any, _args: Args) -> dict[str, int]:
    return context.complexity


def _validations(context: Context, _owner: Any, args: Args) -> dict[str, Any]:
    board = context.world.board(args["id"])
    if board.rules_failing:
        raise ApiError("INTERNAL_SERVER_ERROR", "Internal Server Error", 500)
    if board.rules_hidden:
        raise ApiError("UserUnauthorizedException", "User unauthorized to perform action", 403)
    return {"required_column_ids": board.required or None, "rules": board.rules or None}


def _fetch_job(context: Context, _owner: Any, args: Args) -> dict[str, Any]:
    return context.jobs.import_status(args["job_id"], context.base_url)


def _job(context: Context, _owner: Any, args: Args) -> dict[str, Any]:
    return context.jobs.bulk_status(args["job_id"])


_LOG: dict[str, Resolver] = {
    "id": lambda _context, entry, _args: f"{entry.at:x}-{entry.id}",
    "account_id": lambda context, _entry, _args: str(context.world.account.id),
    "created_at": lambda _context, entry, _args: str(entry.at),
    "data": lambda _context, entry, _args: log_data(entry),
    "entity": lambda _context, entry, _args: "pulse" if entry.item_id else "board",
    "user_id": lambda _context, entry, _args: str(entry.user_id),
}

RESOLVERS: dict[tuple[str, str], Resolver] = {
    (_ROOT, "version"): _version,
    (_ROOT, "versions"): _versions,
    (_ROOT, "me"): _me,
    (_ROOT, "account"): _account,
    (_ROOT, "platform_api"): _daily,
    (_ROOT, "complexity"): _complexity,
    (_ROOT, "boards"): _boards,
    (_ROOT, "items"): _items,
    (_ROOT, "items_page"): _root_page,
    (_ROOT, "next_items_page"): _next_items_page,
    (_ROOT, "items_page_by_column_values"): _by_column_values,
    (_ROOT, "aggregate"): _aggregate,
    (_ROOT, "fetch_job_status"): _fetch_job,
    (_ROOT, "job_status"): _job,
    ("Board", "type"): lambda _context, board, _args: board.kind,
    (_ROOT, "validations"): _validations,
    ("Board", "board_kind"): _fixed("public"),
    ("Board", "hierarchy_type"): lambda _context, board, _args: board.hierarchy,
    ("Board", "permissions"): _fixed("everyone"),
    ("Board", "access_level"): _access,
    ("Board", "description"): _fixed(None),
    ("Board", "items_count"): _items_count,
    ("Board", "created_at"): _fixed("2022-03-01T09:00:00Z"),
    ("Board", "updated_at"): lambda _context, board, _args: iso(board.updated_at),
    ("Board", "url"): lambda context, b, _args: f"https://{context.world.account.slug}.monday.com/boards/{b.id}",
    ("Board", "workspace_id"): _fixed(1234567),
    ("Board", "groups"): _groups,
    ("Board", "columns"): _columns,
    ("Board", "items_page"): _board_page,
    ("Board", "activity_logs"): _activity_logs,
    ("Group", "items_page"): _group_page,
    ("Group", "position"): lambda _context, owner, _args: str(65536 * (1 + owner[0].groups.index(owner[1]))),
    **{("Group", name): _second(name) for name in ("id", "title", "color", "archived", "deleted")},
    **{("Column", name): _second(name) for name in ("id", "title", "type", "description", "archived")},
    ("Column", "width"): _fixed(None),
    ("Column", "revision"): lambda _context, owner, _args: str(owner[1].revision),
    ("Column", "settings"): lambda _context, owner, _args: settings(owner[1]),
    ("Column", "settings_str"): lambda _context, owner, _args: json.dumps(settings(owner[1])),
    ("Item", "creator"): lambda context, creator_id, _args: user(context, creator_id),
    **{
        (type_name, name): resolver
        for type_name in ("ActivityLogType", "ActivityLog")
        for name, resolver in _LOG.items()
    },
    **{("ActivityLog", f"triggering_flow_{name}"): _fixed(None) for name in ("id", "type")},
    ("ActivityLog", "correlation_id"): _fixed(None),
}
