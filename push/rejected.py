"""What monday.com would not do, in words for a person: without the value, and with what to do about it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from models import RowId
from monday.errors import Action, ApiFault
from push.plan import PreparedPush
from reconcile.push_plan import CellEdit, Rejection

_REMEDIES = {
    Action.VALUE_REFUSED: "correct the value in PostgreSQL, or the column on the board",
    Action.FATAL_ACCESS: "give the user access to the item and its columns",
    Action.BOARD_FULL: "make room on the board",
}


def why(fault: ApiFault, *, sticks: bool) -> str:
    """The reason of a dead letter; one that `sticks` is tried again only when the value changes, or on request."""
    code = fault.was or fault.code
    told = f" ({code})" if code and not code.startswith("x-") else ""
    remedy = _REMEDIES.get(fault.rule.action, "look at the item")
    again = "then run with --retry-dead" if sticks else "the next run tries again"
    return f"monday.com {fault.rule.says}{told}: {remedy}; {again}"


def column_of(fault: ApiFault, cells: Mapping[str, CellEdit]) -> str | None:
    """The column that monday's answer names, if it is one of those that were sent; the only one, if it names none."""
    details = fault.details if isinstance(fault.details, list) else [fault.details]
    for entry in details:
        if not isinstance(entry, Mapping):
            continue
        named = entry.get("column_id") or entry.get("columnId") or next(iter(entry.get("columnIds") or ()), None)
        if named in cells:
            return str(named)
    return next(iter(cells)) if len(cells) == 1 else None


def is_internal(fault: ApiFault) -> bool:
    """Whether monday failed inside, which may be one item's fault; it comes with HTTP 200 too (monday docs)."""
    return fault.status == 500 or fault.code.casefold() == "internal_server_error"


def cleared(found: PreparedPush, refused: Sequence[Rejection], made: Collection[RowId]) -> list[tuple[str, int, str]]:
    """Cells that a person was told of and that are not refused any more: taken, edited back, or of a gone item; and new
    rows that have become items (`made`), or are none any more. What was not looked at stays."""
    edits = found.edits
    standing = found.push.still_rejected | {(cell.board, cell.item_id, cell.column_id) for cell in refused}
    undone = {row for _board, row in edits.new_rows} - set(made) - {row for _board, row in found.push.linked}
    return [
        (board, item_id, place)
        for board, item_id, place in sorted(edits.letters - standing)
        if (board, item_id) not in edits.in_flight | found.unseen
        and not (item_id == 0 and RowId(place.partition(".")[2]) in undone | edits.in_flight)
    ]
