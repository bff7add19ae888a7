"""`query_params`: which items a page shows and in which order.

Comparing by `__last_updated__` and `__creation_log__` has the grain of a day in the zone of the token's user.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from sandbox.cells import Date, Dropdown, Numbers, Status, display
from sandbox.errors import ApiError
from sandbox.world import Board, Item, World

Test = Callable[[Item], bool]
Words = Callable[[Item], str]

LAST_UPDATED, CREATION_LOG = "__last_updated__", "__creation_log__"
_IDS_AT_MOST = 100
_NOT_FILTERABLE = ("mirror", "formula", "auto_number", "board_relation")
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "greater_than": lambda a, b: bool(a > b),
    "greater_than_or_equals": lambda a, b: bool(a >= b),
    "lower_than": lambda a, b: bool(a < b),
    "lower_than_or_equal": lambda a, b: bool(a <= b),
}


def select(world: World, board: Board, query: dict[str, Any] | None) -> list[Item]:
    """Active items of the board that the query asks for, in its order; the board's order without `order_by`.

    Raises ApiError for what monday does not filter by.
    """
    query = query or {}
    items = list(world.active(board))
    ids = query.get("ids")
    if ids:
        if len(ids) > _IDS_AT_MOST:
            raise _invalid("query_params.ids takes at most 100 ids")
        wanted = {int(i) for i in ids if str(i).isdigit()}
        items = [item for item in items if item.id in wanted]
    test = _group(world, board, query)
    if test is not None:
        items = [item for item in items if test(item)]
    for order in reversed(query.get("order_by") or []):
        items.sort(key=_order_key(world, board, order["column_id"]), reverse=order.get("direction") == "desc")
    return items


def matches_text(world: World, board: Board, column_id: str, values: list[str | None]) -> Test:
    """An item whose cell shows one of these texts (an e-mail: or has one of these addresses)."""
    wanted = {value or "" for value in values}
    if column_id == "name":
        return lambda item: item.name in wanted
    slot = board.slot(column_id)
    words = _words(world, board, column_id)
    return lambda item: words(item) in wanted or getattr(item.cells[slot], "email", None) in wanted


def _group(world: World, board: Board, group: dict[str, Any]) -> Test | None:
    tests = [_rule(world, board, rule) for rule in group.get("rules") or []]
    tests += [test for inner in group.get("groups") or [] if (test := _group(world, board, inner)) is not None]
    if not tests:
        return None
    if len(tests) == 1:
        return tests[0]
    if group.get("operator") == "or":
        return lambda item: any(test(item) for test in tests)
    return lambda item: all(test(item) for test in tests)


def _rule(world: World, board: Board, rule: dict[str, Any]) -> Test:
    column_id, operator, value = rule["column_id"], rule.get("operator") or "any_of", rule["compare_value"]
    values = value if isinstance(value, list) else [value]
    if operator == "ends_with":
        raise _invalid("The operator ends_with is not supported")
    if column_id in (LAST_UPDATED, CREATION_LOG):
        return _moment_rule(world, column_id, operator, values)
    if column_id == "group":
        return _any_of(operator, {str(v) for v in values}, lambda item: {item.group_id})
    if column_id == "name":
        return _text_rule(operator, values, lambda item: item.name)
    slot = board.slot(column_id)
    column = board.columns[slot]
    if column.type in _NOT_FILTERABLE:
        raise _invalid(f"Column {column_id} of type {column.type} cannot be filtered by")
    if operator == "is_empty":
        return lambda item: item.cells[slot] is None
    if operator == "is_not_empty":
        return lambda item: item.cells[slot] is not None
    if column.type in ("status", "dropdown") and operator in ("any_of", "not_any_of"):
        chosen = {str(v) for v in values if isinstance(v, int)}  # the text of a label finds nothing
        return _any_of(operator, chosen, lambda item: _label_ids(item.cells[slot]))
    if column.type == "numbers" and operator in _COMPARISONS:
        return _number_rule(operator, values, slot)
    if column.type == "date" and (operator in _COMPARISONS or operator == "between"):
        return _date_rule(world, operator, values, slot)
    return _text_rule(operator, values, _words(world, board, column_id))


def _words(world: World, board: Board, column_id: str) -> Words:
    slot = board.slot(column_id)
    column = board.columns[slot]
    return lambda item: display(item.cells[slot], column, world.zone, world.account.people) or ""


def _label_ids(cell: Any) -> set[str]:
    if isinstance(cell, Status):
        return {str(cell.index)}
    return {str(i) for i in cell.ids} if isinstance(cell, Dropdown) else set()


def _any_of(operator: str, wanted: set[str], of: Callable[[Item], set[str]]) -> Test:
    if operator == "any_of":
        return lambda item: not wanted.isdisjoint(of(item))
    if operator == "not_any_of":
        return lambda item: wanted.isdisjoint(of(item))
    raise _invalid(f"The operator {operator} does not fit this column")


def _text_rule(operator: str, values: list[Any], words: Words) -> Test:
    texts = [str(value) for value in values]
    folded = [text.casefold() for text in texts]
    match operator:
        case "any_of":
            return lambda item: words(item) in texts
        case "not_any_of":
            return lambda item: words(item) not in texts
        case "contains_text":
            return lambda item: any(text in words(item).casefold() for text in folded)
        case "not_contains_text":
            return lambda item: not any(text in words(item).casefold() for text in folded)
        case "starts_with":
            return lambda item: any(words(item).casefold().startswith(text) for text in folded)
        case "contains_terms":
            terms = " ".join(folded).split()
            return lambda item: all(term in words(item).casefold() for term in terms)
        case "is_empty":
            return lambda item: not words(item)
        case "is_not_empty":
            return lambda item: bool(words(item))
    raise _invalid(f"The operator {operator} does not fit this column")


def _number_rule(operator: str, values: list[Any], slot: int) -> Test:
    compare = _COMPARISONS[operator]
    try:
        limit = Decimal(str(values[0]))
    except (InvalidOperation, IndexError):
        raise _invalid("A number is compared with a number") from None

    def test(item: Item) -> bool:
        cell = item.cells[slot]
        return isinstance(cell, Numbers) and compare(Decimal(cell.text), limit)

    return test


def _date_rule(world: World, operator: str, values: list[Any], slot: int) -> Test:
    if operator == "between":
        first, last = (str(value) for value in [*values, "", ""][:2])
        return lambda item: isinstance(cell := item.cells[slot], Date) and first <= cell.date <= last
    compare, day = _COMPARISONS[operator], _days(world, values)[0].isoformat()
    return lambda item: isinstance(cell := item.cells[slot], Date) and compare(cell.date, day)


def _moment_rule(world: World, column_id: str, operator: str, values: list[Any]) -> Test:
    """Rules on when an item was created or last updated; the time part of a compare value does not count."""
    of: Callable[[Item], int] = (
        (lambda item: item.updated_at) if column_id == LAST_UPDATED else lambda item: item.created_at
    )
    if operator == "between":
        start, end = _start(world, _day(str(values[0]))), _start(world, _day(str(values[-1])) + timedelta(days=1))
        return lambda item: start <= of(item) < end
    first, last = _days(world, values)
    start, end = _start(world, first), _start(world, last + timedelta(days=1))
    tests: dict[str, Test] = {
        "any_of": lambda item: start <= of(item) < end,
        "not_any_of": lambda item: not start <= of(item) < end,
        "greater_than": lambda item: of(item) >= end,
        "greater_than_or_equals": lambda item: of(item) >= start,
        "lower_than": lambda item: of(item) < start,
        "lower_than_or_equal": lambda item: of(item) < end,
    }
    if operator not in tests:
        raise _invalid(f"The operator {operator} does not fit {column_id}")
    return tests[operator]


def _days(world: World, values: list[Any]) -> tuple[date, date]:
    """First and last day that a compare value names: `["EXACT", "2026-11-21"]`, or a keyword."""
    today = datetime.fromtimestamp(world.clock.now(), world.zone).date()
    monday = today - timedelta(days=today.weekday())
    month = today.replace(day=1)
    keyword = str(values[0]) if values else ""
    match keyword:
        case "EXACT":
            day = _day(str(values[1]) if len(values) > 1 else "")
            return day, day
        case "TODAY":
            return today, today
        case "YESTERDAY":
            return today - timedelta(days=1), today - timedelta(days=1)
        case "THIS_WEEK":
            return monday, monday + timedelta(days=6)
        case "LAST_WEEK":
            return monday - timedelta(days=7), monday - timedelta(days=1)
        case "THIS_MONTH":
            return month, (month + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        case "LAST_MONTH":
            return (month - timedelta(days=1)).replace(day=1), month - timedelta(days=1)
    day = _day(keyword)
    return day, day


def _day(raw: str) -> date:
    try:
        return date.fromisoformat(raw[:10])
    except ValueError:
        raise _invalid("The compare value is neither a date nor a keyword") from None


def _start(world: World, day: date) -> float:
    """The second at which the day begins for the token's user."""
    return datetime(day.year, day.month, day.day, tzinfo=world.zone).timestamp()


def _order_key(world: World, board: Board, column_id: str) -> Callable[[Item], Any]:
    if column_id == LAST_UPDATED:
        return lambda item: (item.updated_at, item.id)
    if column_id == CREATION_LOG:
        return lambda item: (item.created_at, item.id)
    if column_id == "name":
        return lambda item: item.name.casefold()
    slot = board.slot(column_id)
    if board.columns[slot].type == "numbers":
        return lambda item: (
            Decimal(cell.text) if isinstance(cell := item.cells[slot], Numbers) else Decimal("-Infinity")
        )
    if board.columns[slot].type == "date":
        return lambda item: cell.date if isinstance(cell := item.cells[slot], Date) else ""
    return _words(world, board, column_id)


def _invalid(message: str) -> ApiError:
    return ApiError("InvalidArgumentException", message)
