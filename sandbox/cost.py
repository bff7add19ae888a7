"""Complexity points of a request, from what it asks and not from what it finds.

monday publishes no price list. The model meets its documented samples: 5,520 points for a page of 500 items with one
column (20 + 500 × (1 + 10)), 110 points for an aggregate of three functions (20 + 3 × 30), 10,000 for a create.
"""

from __future__ import annotations

from typing import Any

from sandbox.selection import Field, Selection, flat

COMPLEXITY_ONLY = 1
_ALL_COLUMNS = 50
_MUTATIONS = {
    "create_item": 10_000,
    "change_multiple_column_values": 5_000,
    "archive_item": 2_000,
    "delete_item": 2_000,
    "move_item_to_group": 2_000,
    "move_item_to_board": 5_000,
    "duplicate_item": 10_000,
    "create_column": 10_000,
    "change_column_metadata": 10_000,
    "ingest_items": 10_000,
    "bulk_archive_items": 10_000,
    "bulk_delete_items": 10_000,
}


def points(selections: tuple[Selection, ...]) -> int:
    """Points of everything asked at this level."""
    return sum(_field(field) for field in flat(selections))


def only_complexity(selections: tuple[Selection, ...]) -> bool:
    """Such a request costs a tenth of a daily call."""
    return all(field.name == "complexity" for field in flat(selections))


def _field(field: Field) -> int:
    match field.name:
        case "items_page" | "next_items_page" | "items_page_by_column_values":
            return 20 + _number(field.args.get("limit"), 25) * _item(field.subs)
        case "items":
            return 20 + len(field.args.get("ids") or ()) * _item(field.subs)
        case "aggregate":
            return 20 + 30 * len(field.args["query"].get("select") or ())
        case "activity_logs":
            return 20 + _number(field.args.get("limit"), 25)
        case "boards":
            return 10 + max(1, len(field.args.get("ids") or ())) * points(field.subs)
        case "columns" | "groups":
            return 20 + points(field.subs)
        case "complexity":
            return COMPLEXITY_ONLY
    return _MUTATIONS.get(field.name, 1 if not field.subs else 5)


def _item(selections: tuple[Selection, ...]) -> int:
    """Points of one item: one page entry, `items` within `ItemsResponse` included."""
    total = 1
    for field in flat(selections):
        if field.name == "column_values":
            ids = field.args.get("ids")
            total += 10 * (_ALL_COLUMNS if ids is None else len(ids))
        elif field.name == "items":
            return _item(field.subs)
    return total


def _number(raw: Any, default: int) -> int:
    return raw if isinstance(raw, int) else default
