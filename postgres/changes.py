"""The history: each change that a run has made, a line each, in `monday_sync.sync_change`.

A line is written in the transaction of its row, or in the one that remembers what monday.com has taken: what stands
there has happened, and stands there once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final

from postgres.copy import CopyLines, copy_value
from postgres.encoding import Encoding
from postgres.transaction import Params, Transaction
from reconcile.changes import Address, Change, from_json, to_json
from reconcile.columns import ColumnMap
from reconcile.layout import Layout

COLUMNS: Final = (
    "run_id, wrote, action, board_id, item_id, table_name, row_id::text, field, column_id, before::text, after::text,"
    " reason"
)
"""What a query has to select for `change_of_row`."""
PRUNED_AT_ONCE: Final = 10_000
"""Lines of each kind that one run takes away at most."""

_COPY: Final = (
    "COPY monday_sync.sync_change (run_id, wrote, action, board_id, item_id, table_name, row_id, field, column_id,"
    " before, after, reason) FROM STDIN"
)
_NULL: Final = copy_value(None)
_OLD: Final = "now() - make_interval(days => %(days)s)"
# The oldest line is looked at first: where it is to stay, nothing else is read. Ids rise with time.
_CHANGES: Final = f"""
DELETE FROM monday_sync.sync_change WHERE at < {_OLD}
    AND id < (SELECT min(id) + %(most)s FROM monday_sync.sync_change)
    AND (SELECT c.at FROM monday_sync.sync_change c ORDER BY c.id LIMIT 1) < {_OLD}
"""  # noqa: S608  constants alone
_CONFLICTS: Final = f"""
DELETE FROM monday_sync.sync_conflict WHERE id IN (
    SELECT id FROM monday_sync.sync_conflict
    WHERE state = 'settled' AND settled_at < {_OLD} AND told_by IS NOT NULL ORDER BY settled_at LIMIT %(most)s)
"""  # noqa: S608  constants alone
# How old the last good run of each kind is stays known, and so does a run of which there may be changes.
_RUNS: Final = f"""
DELETE FROM monday_sync.sync_run WHERE run_id IN (
    SELECT r.run_id FROM monday_sync.sync_run r
    WHERE r.started_at < {_OLD} AND coalesce(r.finished_at < {_OLD}, r.reason IS NOT NULL)
        AND coalesce(r.finished_at, r.started_at) < coalesce(
            (SELECT c.at FROM monday_sync.sync_change c ORDER BY c.id LIMIT 1), 'infinity')
        AND (r.exit_code IS NULL OR r.exit_code NOT IN (0, 5) OR EXISTS (
            SELECT FROM monday_sync.sync_run l WHERE l.direction = r.direction AND l.exit_code IN (0, 5)
            AND l.options IS NOT DISTINCT FROM r.options AND l.finished_at > r.finished_at))
    ORDER BY r.started_at LIMIT %(most)s)
"""  # noqa: S608  constants alone


def add_changes(tx: Transaction, layouts: Mapping[str, Layout], run_id: str, changes: Iterable[Change]) -> None:
    """Write down what a run has changed, all of it at once; nothing is sent where there is nothing."""
    rest = iter(changes)
    first = next(rest, None)
    if first is not None:
        boards = {board: layout.board_id for board, layout in layouts.items()}
        lines = (_line(change, boards, run_id, tx.encoding) for change in chain([first], rest))
        tx.copy_in(_COPY, CopyLines(lines))


def _line(change: Change, boards: Mapping[str, int], run_id: str, encoding: Encoding) -> str:
    """A line of COPY text. Only values need an escape: there is one for each row of a first load, without."""
    at = change.address
    before, after = change.before, change.after
    parts = (
        run_id,
        at.wrote,
        change.action,
        None if at.board is None else boards.get(at.board),
        at.item,
        at.table,
        at.row,
        at.field,
        at.column,
        None if before is None else _kept(before, encoding),
        None if after is None else _kept(after, encoding),
        change.reason,
    )
    return "\t".join([part if part.__class__ is str else _NULL if part is None else str(part) for part in parts]) + "\n"


def _kept(value: Any, encoding: Encoding) -> str:
    text = to_json(value)
    return _NULL if text is None else copy_value(encoding.kept(text))


def change_of_row(
    row: Sequence[Any], boards: Mapping[int, str], columns: Mapping[str, ColumnMap], encoding: Encoding
) -> Change:
    """A line of the history, as `COLUMNS` selects it. `boards`: id → name; `columns`: the mapping of each board."""
    _run_id, wrote, action, board_id, item, table, row_id, field, column, before, after, reason = row
    board = boards.get(board_id)
    address = Address(wrote, board, item, table, row_id, field, column)
    was, now = (
        from_json(address, encoding.said(text) if text is not None else None, columns.get(board or "", {}))
        for text in (before, after)
    )
    return Change(address, action, was, now, reason)


def pruned(keep_days: int) -> Iterator[tuple[str, Params]]:
    """The statements that take away what is older than that, some of it at a time, and nothing that is open."""
    params = {"days": keep_days, "most": PRUNED_AT_ONCE}
    yield from ((statement, params) for statement in (_CHANGES, _CONFLICTS, _RUNS))
