"""`undo RUN`: gives every value that a run changed back what it was before, by way of PostgreSQL."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import click
import msgspec

from models import TABLES, RowId
from monday_api import BOARDS
from options import CONTEXT_SETTINGS
from postgres import migrate, runs, schema
from postgres.changes import add_changes
from postgres.encoding import narrowed
from postgres.lease import Lease
from postgres.runs import RunBegun, RunEnded
from postgres.state import Present
from postgres.transaction import Transaction
from postgres.undo import changes_of_run, touched_rows
from postgres.window_runs import run_ids
from postgres.write_push import prepare_rows
from reconcile.changes import Change
from reconcile.errors import ConfigError, Exit
from reconcile.guards import Thresholds, guard_plan
from reconcile.layout import Layout, compile_layout
from reconcile.plan_pull import Plan
from reconcile.undo import Left, Undo, plan_undo
from run.changes import line
from run.context import new_run_id
from run.report import counted
from run.runner import Runner
from status.picking import ItemId, field_name, one_of, row_place
from status.window import Window, common_options, ending, opened, refuse_older
from terminal.page import aligned
from terminal.say import say, say_json

DIRECTION: Final = "undo"


@dataclass(slots=True)
class _Undone:
    """What one undo did, or would do. `refused` are rows that the database would not change, with the reason."""

    run_id: str
    undone: str
    plan: str
    undo: Undo
    refused: Mapping[RowId, str] = field(default_factory=dict)


@click.command("undo", context_settings=CONTEXT_SETTINGS)
@click.argument("run")
@click.option("--test", is_flag=True, help="Show what would be given back, and write nothing.")
@click.option("--item", type=ItemId(), metavar="ID", help="Only what belongs to this item.")
@click.option("--row", metavar="TABLE/ID", help="Only this row.")
@click.option("--field", metavar="TABLE.COLUMN", help="Only this field.")
@click.option("--max-change", type=click.IntRange(min=0), metavar="N", help="Allow up to N rows to change.")
@common_options
@ending
def command(run: str, *, test: bool, as_json: bool, demo: bool, max_change: int | None, **only: Any) -> Exit:
    """Take back what a run changed, on both sides.

    The rows get back what they held before, as edits; the next sync_pg_to_monday.py tells monday.com. What was edited
    since is left and listed, and so are rows and items that the run made. An undo is a run too, and can be undone.
    """
    started = time.monotonic()
    with opened(demo=demo) as window:

        def work(tx: Transaction) -> _Undone:
            return _undo(window, tx, run, only, max_change=max_change, test=test, started=started)

        done = window.database.transact(work, read_only=test, label="taking a run back")
        changes = msgspec.to_builtins(done.undo.changes)
        left = [{"why": each.why, "now": each.now, **msgspec.to_builtins(each.change)} for each in done.undo.left]
        code = Exit.PERSON_NEEDED if done.undo.left or done.refused else Exit.DONE
        if as_json:
            say_json(
                {
                    "version": 1, "exit_code": int(code), "run_id": done.run_id, "dry_run": test, "undone": done.undone,
                    "plan": done.plan, "changes": changes, "left": left, "refused": dict(done.refused),
                }
            )  # fmt: skip
        else:
            say(*_told(window, done, test=test))
    return code


def _undo(
    window: Window,
    tx: Transaction,
    run: str,
    only: Mapping[str, Any],
    *,
    max_change: int | None,
    test: bool,
    started: float,
) -> _Undone:
    refuse_older(tx, migrate.CHANGES)
    run = one_of("run", run, run_ids(tx), ends=True)
    run_id, lease = new_run_id(), Lease()
    if not test:
        lease.acquire(tx)
    shapes = schema.read_shapes(tx)
    present: Present = {table: frozenset(shape.columns) for table, shape in shapes.items()}
    layouts = _layouts(window, tx, shapes)
    boards = {board_id: name for name, board_id in window.board_ids.items()}
    every = changes_of_run(tx, run, boards, BOARDS)
    changes = _chosen(every, only)
    wanted: dict[str, set[Any]] = {}
    for change in changes:
        if change.address.row is not None and change.address.table is not None and change.address.field is not None:
            wanted.setdefault(change.address.table, set()).add(change.address.row)
    touched = touched_rows(tx, present, wanted)
    undo = plan_undo(run, changes, touched.rows, layouts)
    _guard(tx, undo, max_change)
    done = _Undone(run_id, run, _number(undo), undo)
    if test:
        return done
    hashes = {update.id: touched.hashes[update.id] for updates in undo.updates.values() for update in updates}
    prepared = prepare_rows(tx, present, {}, hashes, undo.updates)
    done.refused = prepared.refused
    landed = [change for change in undo.changes if change.address.row not in prepared.refused]
    add_changes(tx, layouts, run_id, landed)
    lease.release(tx, [_record(tx, done, only, time.monotonic() - started)])
    return replace(done, undo=replace(undo, changes=landed))


def _layouts(window: Window, tx: Transaction, shapes: Mapping[str, schema.TableShape]) -> dict[str, Layout]:
    limits = narrowed(schema.Limits(shapes).columns, tx.encoding, {table: schema.fields_of(table) for table in TABLES})
    return {name: compile_layout(name, board_id, BOARDS[name], limits) for name, board_id in window.board_ids.items()}


def _chosen(changes: Sequence[Change], only: Mapping[str, Any]) -> list[Change]:
    """The changes that the options name. Raises ConfigError for a row or field that there is not, and where they name
    none of the run's."""
    item, row, field_id = only["item"], None, None
    if only["field"] is not None:
        field_id = field_name(only["field"])
    if only["row"] is not None:
        table, begun = row_place(only["row"])
        row = table, one_of("row", begun, {change.address.row or "" for change in changes})
    found = [
        change
        for change in changes
        if item in (None, change.address.item)
        and row in (None, (change.address.table, change.address.row))
        and field_id in (None, change.address.field)
    ]
    if changes and not found:
        fields = sorted({change.address.field for change in changes if change.address.field})
        raise ConfigError(
            f"The run changed nothing of that: of its {len(changes):,} changes are fields {', '.join(fields[:8])}."
        )
    return found


def _guard(tx: Transaction, undo: Undo, max_change: int | None) -> None:
    """Raises UnsafePlan for what no pull would do to the rows either."""
    known = {table: runs.count_rows(tx, table) for table, updates in undo.updates.items() if updates}
    guard_plan(Plan(updates=undo.updates, known_rows=known), {}, Thresholds(max_change=max_change))


def _number(undo: Undo) -> str:
    """The plan's number; nothing where nothing is to be written."""
    encoded = msgspec.json.Encoder(order="deterministic").encode(undo.updates)
    return hashlib.sha256(encoded).hexdigest()[:12] if undo.writes else ""


def _record(tx: Transaction, done: _Undone, only: Mapping[str, Any], took_s: float) -> Any:
    runner = Runner.myself()
    options = {"undone": done.undone, **{name: value for name, value in only.items() if value is not None}}
    begun = RunBegun(done.run_id, DIRECTION, took_s, options, runner.user, runner.host, runner.pid)
    code = Exit.PERSON_NEEDED if done.undo.left or done.refused else Exit.DONE
    summary = {"version": 1, "changes_count": len(done.undo.changes), "left": len(done.undo.left)}
    return runs.ended(tx.encoding, begun, RunEnded(int(code), summary, took_s, {}, "", done.plan))


def _told(window: Window, done: _Undone, *, test: bool) -> Iterator[str]:
    undo, run = done.undo, done.undone
    rows = {change.address.row for change in undo.changes}
    head = f"Undo of {run} · run {done.run_id}" if not test else f"Undo of {run} · DRY RUN, nothing was written"
    yield f"{head} · plan {done.plan}" if done.plan else head
    would = "would be" if test else "were"
    yield ""
    yield f"{counted(len(undo.changes), 'value')} of {counted(len(rows), 'row')} {would} given back (now → then):"
    yield from (f"  {text}" for text in aligned([line(change, {}, {}) for change in undo.changes]))
    for row, why in done.refused.items():
        yield f"  row {row[:8]} was refused by the database: {why}"
    for why in dict.fromkeys(each.why for each in undo.left):
        of_kind = [each for each in undo.left if each.why == why]
        yield ""
        yield f"Left, {len(of_kind):,}: {why}:"
        yield from (f"  {text}" for text in aligned([_place(each) for each in of_kind]))
    if undo.changes and not test:
        yield ""
        yield "monday.com is told by the next sync_pg_to_monday.py. Taken back in turn by:"
        yield f"  {window.command(f'undo {done.run_id}')}"


def _place(left: Left) -> Sequence[str]:
    change = left.change
    if change.address.field is None:
        where = f"item {change.address.item}" if change.address.item is not None else ""
        return change.action, f"{change.address.table}/{change.address.row}", where
    return line(_backwards(left), {}, {})


def _backwards(left: Left) -> Change:
    """The change that would have been made: from what is there now to what was there before the run."""
    return msgspec.structs.replace(left.change, before=left.now, after=left.change.before)
