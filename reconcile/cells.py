"""One value of a row as the cell that shows it: the form that a write takes, or why monday.com would refuse it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconcile.columns import NAME, STATUS, Column, Value
from reconcile.errors import CellError
from reconcile.wire import Cell

Labels = Mapping[str, int]
"""Text of an active label, trimmed and casefolded → its id."""


def write_form(
    column: Column, value: Value, was: Cell | None = None, labels: Labels | None = None, *, create_labels: bool = False
) -> Any:
    """A value in the form that `column_values` takes; None clears. `was` is the cell as it is, whose label, country
    and link text are kept.

    A status goes by the label's id: text that is all digits would be taken for one (monday docs). Raises CellError for
    what monday is known to refuse.
    """
    if value is None:
        if column.codec is NAME:
            raise CellError("an item's name cannot be empty: give the row a name in PostgreSQL")
        return None
    reason = column.codec.refusal(value, was)
    if reason is not None:
        raise CellError(reason)
    if column.codec is not STATUS or labels is None:
        return column.codec.encode(value, was)
    known = labels.get(str(value).strip().casefold())
    if known is not None:
        return {"index": known}
    if not create_labels:
        raise CellError(
            f'"{value}" is no active label of the column: correct the value in PostgreSQL, run with '
            "--create-labels, or add it on the board and run with --retry-dead"
        )
    if str(value).strip().isdecimal():
        raise CellError(f'"{value}" would be taken for the number of a label: add that label on the board by hand')
    return column.codec.encode(value, was)
