"""What a run did, or would do, for its report: the counts, what waits for a person, and the first changes."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from typing import Any

from models import REFERENCES, TABLES, RowId
from monday_api import BOARDS
from postgres.by_hand import link_project
from postgres.state import ConflictLine, OpenIssues
from postgres.write_pull import Applied, alike
from reconcile.changes import Change, count_pull_changes, pull_changes
from reconcile.decide import same
from reconcile.plan_pull import Plan
from reconcile.tables import SPECS
from reconcile.types import FORCE, Conflict
from run.changes import SAMPLES, entries, line, samples
from run.conflicts import Names, as_line, item_name, pointed_at
from run.context import Run
from run.issues import Entries, Entry, add_letters, conflicts, letters, lost_edits, pair_entry, quarantined, would_merge
from run.report import counted
from terminal.contrast import contrasted


@dataclass(frozen=True, slots=True)
class PullResult:
    """What one transaction did, or would do: the plan, what was written (None: nothing was carried out), what stands
    open after it, and the names of the rows that foreign keys point at."""

    plan: Plan
    applied: Applied | None
    standing: OpenIssues
    names: Names = dataclasses.field(default_factory=dict)


def named_rows(run: Run, plan: Plan, standing: OpenIssues) -> dict[str, set[RowId]]:
    """Table → rows that the report will name: those that foreign keys of shown changes and edits point at."""
    wanted = pointed_at([*_lines(run, plan, plan.conflicts), *standing.lost, *standing.open])
    for change in _shown_values(run, plan)[0]:
        if table := REFERENCES.get((change.address.field or "").partition(".")[2]):
            wanted.setdefault(table, set()).update(row for row in (change.before, change.after) if row is not None)
    return wanted


def new_names(plan: Plan, rows: Collection[str]) -> dict[str, str]:
    """Names of those of these rows that are not there yet."""
    if not rows:
        return {}
    return {
        row.id: str(name)
        for table, inserts in plan.inserts.items()
        for row in inserts
        if row.id in rows
        if (name := next(filter(None, (getattr(row, column) for column in SPECS[table].names)), None))
    }


def preview(run: Run, plan: Plan, names: Names) -> None:
    """What a person needs to see of a plan even if a guard refuses it."""
    run.report.samples = list(_samples(run, plan, names))
    run.report.changes, run.report.changes_count = entries(pull_changes(plan, run.layouts)), count_pull_changes(plan)
    run.report.second_rows = [link_project(pair.other, pair.item[1]) for pair in plan.lookalikes]
    if run.dry and run.options.verbosity > 0:
        run.report.differences = list(_differences(run, plan))


def fill_report(run: Run, result: PullResult) -> None:
    """Fill the report, and with it the exit code."""
    report, plan, applied = run.report, result.plan, result.applied
    for table in TABLES:
        entry = report.tables[table]
        entry.insert = applied.inserted[table] if applied else len(plan.inserts[table])
        entry.update = applied.updated[table] if applied else len(plan.updates[table])
        known = result.plan.known_rows.get(table, result.standing.rows.get(table, 0))
        entry.unchanged = max(0, known - entry.update)
    _fill_open(run, result)
    known = 0 if run.options.resync else result.standing.tolerated  # as it was before this run
    report.tolerated = known + plan.tolerated.total()
    report.waiting = result.standing.awaiting_push
    report.digest = plan.digest() if plan.writes else ""
    report.notes = list(dict.fromkeys([*report.notes, *_notes(plan, result.standing, report.tolerated)]))
    report.planned = True
    run.judge()


def _fill_open(run: Run, result: PullResult) -> None:
    """What is open, the new of this run first; a dry run adds what it found to what stands in the database already."""
    report, plan, standing = run.report, result.plan, result.standing
    found = plan if result.applied is None else Plan()  # what a real run found is in the database by now
    cells = Entries.of_new(_cell(cell.board, cell.item_id, cell.column_id, cell.reason) for cell in found.quarantined)
    pairs = Entries.of_new(
        [pair_entry(*pair.item, pair.role, alike(pair)) for pair in found.would_merge]
        + [pair_entry(*left.item, left.where, left.reason) for left in found.left_behind]
    )
    add_letters(letters(run, standing), cells, pairs, _cell)
    waits = _lines(run, plan, [lost for lost in found.conflicts if lost.open])
    losses = _lines(run, plan, [lost for lost in found.conflicts if not lost.open])
    report.quarantined = quarantined(standing.quarantined + len(found.quarantined), cells, standing)
    report.would_merge = would_merge(len(found.would_merge) + len(found.left_behind), pairs, standing)
    report.conflicts = conflicts(run, waits, standing, result.names)
    report.settled = lost_edits(run, losses, standing, result.names)


def _cell(board: str, item_id: int, place: str, reason: str) -> Entry:
    column = BOARDS.get(board, {}).get(place)
    return {
        "board": board,
        "item": item_id,
        "column": f'{place} ("{column.title}")' if column else place,
        "reason": reason,
    }


def _lines(run: Run, plan: Plan, conflicts: Sequence[Conflict]) -> list[ConflictLine]:
    if not conflicts:
        return []
    items = {lost.item for lost in conflicts}
    names = {
        base.item: item_name(run.layouts[base.board], base.monday)
        for base in plan.items
        if base.item in items and base.board in run.layouts
    }
    ids = run.every_board  # what an older rule had joined is parted on all boards
    return [as_line(lost, run.run_id, ids[lost.item[0]], names.get(lost.item)) for lost in conflicts]


def _notes(plan: Plan, standing: OpenIssues, tolerated: int) -> Iterable[str]:
    for stage, count in sorted(plan.unknown_stages.items()):
        yield (
            f'The stage "{stage}" of {counted(count, "project")} is not in STAGE_STATUS of monday_api.py: '
            "the status is pending."
        )
    if others := len(set(plan.lookalikes) - set(plan.would_merge)):
        yield (
            f"{counted(others, 'row')} of projects without monday_item_id looked like an item and stayed as they are: "
            "--yes says that they are other jobs."
        )
    if plan.duplicate_keys:
        found = ", ".join(f"{count:,} of {table}" for table, count in sorted(plan.duplicate_keys.items()))
        yield (
            f"Rows with the key of another row: {found}. Items are linked to the one that most rows point at, then to "
            "the older one; the others stay as they are. Merge them by hand if they are the same."
        )
    for table, count in sorted(plan.parted.items()):
        yield (
            f"{counted(count, 'row')} of {table} stood for several things by the rules of an earlier version: now each "
            "item has a row that says what it says, and nothing was changed on the board."
        )
    if plan.marked:
        yield (
            f"{counted(plan.marked, 'unknown item')} {'carries' if plan.marked == 1 else 'carry'} the id of a row that "
            "had none: made of it by an earlier push, and linked to it again."
        )
    if plan.unparsed_addresses:
        yield (
            f"{counted(plan.unparsed_addresses, 'address', 'addresses')} could not be split into street, city, state "
            "and zip: the cell's text is kept, the parts are empty."
        )
    if moved := len(plan.moved):
        yield (
            f"{counted(moved, 'item')} {'is' if moved == 1 else 'are'} linked to another row than before, or to a new "
            "one, since a monday_item_id was changed in PostgreSQL: what such a row holds differently is an edit made "
            "there."
        )
    if plan.placeholders:
        yield (
            f"{counted(len(plan.placeholders), 'customer e-mail')} stood beside many different names: from now on no "
            "customer is found by it."
        )
    if tolerated:
        yield (
            f"{counted(tolerated, 'cell has said', 'cells have said')} something else than the row in PostgreSQL ever "
            "since the sync first saw both (other items say something else about the same row, or the row was there "
            "before): neither was overwritten. --test --resync -v lists them; --resync with --adopt monday or pg takes "
            "one side."
        )
    if standing.awaiting_push:
        decided = " but those in conflict, which wait for a person" if standing.conflicts else ""
        yield (
            f"{counted(standing.awaiting_push, 'row holds', 'rows hold')} something that monday.com does not show yet "
            "(edited in PostgreSQL, or through another item): sync_pg_to_monday.py looks at each, and sends what can "
            f"be sent{decided}."
        )
    gone = sum(item.archive for item in plan.departed)
    if gone:
        yield f"{counted(gone, 'item')} left the board: archived_at is set, and no row is deleted."
    silent = [item for item in plan.departed if not item.archive]
    if silent:
        yield (
            f"{counted(len(silent), 'known item')} moved to another board, became a subitem or did not answer: the "
            "rows stay, and the next whole read looks again."
        )


def _shown_values(run: Run, plan: Plan) -> tuple[list[Change], int]:
    """The values that change of which the report shows each, and how many there are beside them."""
    every = sum(len(update.changes) for updates in plan.updates.values() for update in updates)
    shown = every if run.options.verbosity > 0 else min(every, SAMPLES)
    return list(islice(pull_changes(plan, run.layouts), shown)), every - shown


def _samples(run: Run, plan: Plan, names: Names) -> Iterable[str]:
    shown, others = _shown_values(run, plan)
    told = {(change.address.board, change.address.item) for change in shown}
    items = {
        base.item: item_name(run.layouts[base.board], base.monday) or ""
        for base in (plan.items if shown else ())
        if base.item in told and base.board in run.layouts
    }
    return samples([line(change, items, names) for change in shown], (), run.options.verbosity, others=others)


def _differences(run: Run, plan: Plan) -> Iterable[str]:
    """Cells that are left as they are although the row says something else: what monday shows, what the row holds."""
    for base in (base for base in plan.items if base.board in run.layouts):
        for field, monday, postgres in zip(run.layouts[base.board].fields, base.monday, base.postgres, strict=True):
            if postgres is not monday and postgres is not FORCE and not same(field, monday, postgres):
                on_board, in_row = contrasted(*_apart(monday, postgres))
                yield f"{field.target:<24}  item {base.id}  {on_board} | {in_row}"


def _apart(monday: Any, postgres: Any) -> tuple[Any, Any]:
    """Of a field that holds its parts too, the whole, or else the first part that differs."""
    both = [value if isinstance(value, tuple) else (value,) for value in (monday, postgres)]
    pairs = list(zip_longest(*both))
    return next((pair for pair in pairs if pair[0] != pair[1]), pairs[0])
