"""Edits that lost and edits that wait for a person, as entries of a report: which item, which field, what both sides
say."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import UNSET

from models import REFERENCES, RowId
from postgres.conflicts import shown
from postgres.state import ConflictLine
from reconcile.fields import FieldValue
from reconcile.layout import Layout
from reconcile.types import Conflict, PerField

Names = Mapping[str, str]
"""What people call a row, where a foreign key points at it."""


def as_line(conflict: Conflict, run_id: str, board_id: int, item_name: str | None) -> ConflictLine:
    """A conflict of a plan as the log would keep it."""
    return ConflictLine(
        run_id,
        datetime.now(UTC),
        board_id,
        conflict.item[1],
        conflict.role,
        conflict.field,
        conflict.table,
        conflict.row,
        conflict.kept_from,
        shown(conflict.kept),
        conflict.lost_from,
        shown(conflict.lost),
        shown(conflict.monday),
        shown(conflict.postgres),
        shown(conflict.agreed),
        conflict.agreed is not UNSET,
        item_name,
    )


def item_name(layout: Layout, values: PerField[FieldValue]) -> str | None:
    """What people call an item, from what it shows: its name, or the person's."""
    fields = layout.record.by_column
    field = fields.get("item_name", fields.get("name"))
    value = values[field] if field is not None else None
    value = value[0] if isinstance(value, tuple) else value
    return value if isinstance(value, str) and value else None


def pointed_at(lines: Iterable[ConflictLine]) -> dict[str, set[RowId]]:
    """Table → rows that these lines name by foreign key."""
    return named_rows((line.field, (line.kept, line.lost, line.monday, line.postgres, line.agreed)) for line in lines)


def named_rows(values: Iterable[tuple[str, Iterable[str | None]]]) -> dict[str, set[RowId]]:
    """Table → rows that values of these fields name; a field is `column`, `table.column` or `table.column/slot`.

    >>> named_rows([("projects.customer_id", ["c1", None]), ("users.email/master:Estimator", ["ann@x.co"])])
    {'customers': {'c1'}}
    """
    found: dict[str, set[RowId]] = {}
    for field, said in values:
        if table := REFERENCES.get(field.partition("/")[0].rpartition(".")[2]):
            found.setdefault(table, set()).update(RowId(value) for value in said if value)
    return found


def waiting(lines: Sequence[ConflictLine], boards: Mapping[int, str], names: Names) -> tuple[Mapping[str, Any], ...]:
    """Conflicts that are open: what monday says, what PostgreSQL says, what both agreed on before."""
    return tuple(
        _place(line, boards)
        | {
            "monday": _value(line.monday, line, names),
            "postgres": _value(line.postgres, line, names),
            "agreed": _value(line.agreed, line, names),
            "ever_agreed": line.ever_agreed,
            "since": line.at.isoformat(timespec="seconds"),
        }
        for line in lines
    )


def settled(lines: Sequence[ConflictLine], boards: Mapping[int, str], names: Names) -> tuple[Mapping[str, Any], ...]:
    """Edits that lost: which value stands and whose it is, and which one lost."""
    return tuple(
        _place(line, boards)
        | {"kept_value": _value(line.kept, line, names), "lost_value": _value(line.lost, line, names)}
        for line in lines
    )


def _place(line: ConflictLine, boards: Mapping[int, str]) -> dict[str, Any]:
    return {
        "board": boards.get(line.board_id, str(line.board_id)),
        "item": line.item_id,
        "field": line.field,
        "kept": line.kept_from,
        "lost": line.lost_from,
        "name": line.name,
        "table": line.table_name,
        "row": line.row_id,
    }


def _value(value: str | None, line: ConflictLine, names: Names) -> str | None:
    """A value as a person reads it: of a field of several parts the whole, of a foreign key the other row's name."""
    if value is None:
        return None
    if line.field in REFERENCES:
        return names.get(value, value)
    if value.startswith("["):
        try:
            parts: list[str | None] = json.loads(value)
        except ValueError:
            return value
        return parts[0] or " ".join(part for part in parts[1:] if part) or None
    return value
