"""Refuses boards that are not what the mapping says, before anything of them is believed or written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from monday.boards import BoardSchema
from reconcile.errors import DriftError
from run.context import Run
from run.start import RunStart

SURELY_MAPPED = 0.6
"""With fewer of the mapped columns there it is another board, not a changed one."""


def refuse_drift(run: Run, start: RunStart, schemas: Mapping[str, BoardSchema]) -> None:
    """Raise DriftError for a column that is gone or has another type, and for a board that is another one."""
    problems: list[str] = []
    for name, schema in schemas.items():
        problems += _another_board(run, start, schema)
        mapping = run.mappings[name]
        drifts = schema.drift(mapping)
        fatal = [drift for drift in drifts if drift.fatal]
        if len(fatal) > (1 - SURELY_MAPPED) * len(mapping):
            problems.append(
                f"{len(fatal)} of {len(mapping)} mapped columns are not on the {name} board {schema.id}: "
                "is it the right board?"
            )
            continue
        for drift in fatal:
            column = mapping[drift.column_id]
            what = (
                f"has the type {drift.found}, not {column.codec.monday_type},"
                if drift.difference == "retyped"
                else f"is {drift.difference}"
            )
            problems.append(
                f'Column {drift.column_id} ("{column.title}") of the {name} board {what}: restore it on the board, or '
                f"run with --skip-column {drift.column_id}."
            )
        renamed = [
            f'The {name} board calls column {drift.column_id} "{drift.found}", the mapping calls it '
            f'"{mapping[drift.column_id].title}".'
            for drift in drifts
            if not drift.fatal
        ]
        run.report.notes += [note for note in renamed if note not in run.report.notes]
    if problems:
        raise DriftError("The boards are not what the mapping says. " + " ".join(problems))


def _another_board(run: Run, start: RunStart, schema: BoardSchema) -> Iterator[str]:
    state = start.sync_state.boards.get(schema.id)
    if state is not None and state.account_id not in (None, "", schema.account_id) and not run.options.rebind_board:
        yield (
            f"The {schema.board} board {schema.id} now belongs to account {schema.account_id}, "
            f"it was {state.account_id}: check MONDAY_API_KEY, or run with --rebind-board."
        )
