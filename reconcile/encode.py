"""One value of a row as the cell that shows it: the form that a write takes, or why monday.com would refuse it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconcile.columns import NAME, STATUS, Column, Value
from reconcile.errors import CellError
from reconcile.items import Cell
from reconcile.keys import normal

MOST_LABELS = 40
LONGEST_LABEL = 30

Labels = Mapping[str, int | None]
"""Text of an active label without outer blanks → its id; None for one that this run is about to make."""


def write_form(
    column: Column, value: Value, was: Cell | None = None, labels: Labels | None = None, *, create_labels: bool = False
) -> Any:
    """A value in the form that `column_values` takes; None clears. `was` is the cell as it is, whose label, country,
    link text and time of day are kept.

    A status goes by the label's id: text that is all digits would be taken for one (monday docs). Raises CellError for
    what monday is known to refuse.
    """
    if isinstance(value, str):
        value = value.strip() or None  # before any check: what does not go over must not be what is too long
    if value is None:
        if column.codec is NAME:
            raise CellError("an item's name cannot be empty: give the row a name in PostgreSQL")
        return None
    reason = column.codec.refusal(value, was)
    if reason is not None:
        raise CellError(reason)
    if column.codec is not STATUS or labels is None:
        return column.codec.encode(value, was)
    known = label_meant(str(value), labels)
    if known is not None:
        label_id = labels[known]
        return {"index": label_id} if label_id is not None else column.codec.encode(known, was)
    if not create_labels:
        raise CellError(
            f'"{value}" is no active label of the column: correct the value in PostgreSQL, run with '
            "--create-labels, or add it on the board and run with --retry-dead"
        )
    if len(str(value)) > LONGEST_LABEL or len(labels) >= MOST_LABELS:
        raise CellError(
            f"would be a new label, and a column takes {MOST_LABELS} of them with {LONGEST_LABEL} characters each: "
            "correct the value in PostgreSQL, or make room on the board and run with --retry-dead"
        )
    if str(value).isdecimal():
        raise CellError(f'"{value}" would be taken for the number of a label: add that label on the board by hand')
    return column.codec.encode(value, was)


def label_meant(text: str, labels: Labels) -> str | None:
    """The label that a text stands for: the one that is spelled so, else the first that differs in capitals, else in
    its Unicode form or inner blanks.

    >>> label_meant("RETAIL", {"Retail": 1, "retail": 2}), label_meant("retail", {"Retail": 1, "retail": 2})
    ('Retail', 'retail')
    """
    for form in (str.strip, str.casefold, normal):
        wanted = form(text.strip())
        for label in labels:
            if form(label) == wanted:
                return label
    return None
