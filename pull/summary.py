"""What a run did, or would do, for its report: the counts, what waits for a person, and the first changes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice, zip_longest
from typing import Any

from models import RowId
from monday_api import BOARDS
from postgres.by_hand import link_row
from postgres.state import ConflictLine, OpenIssues
from postgres.write_pull import Applied, alike
from reconcile.base import FORCE
from reconcile.changes import Change, count_pull_changes, pull_changes
from reconcile.conflicts import Conflict
from reconcile.decide import same
from reconcile.plan_pull import Plan
from reconcile.tables import SPECS, TABLES, target_of
from run.changes import SAMPLES, entries, line, samples
from run.conflicts import Names, as_line, item_name, pointed_at, settled, waiting
from run.context import Run
from run.news import opened
from run.report import IssueList, counted
from terminal.contrast import contrasted


@dataclass(frozen=True, slots=True)
class PullResult:
    """What one transaction did, or would do: the plan, what was written (None: nothing was carried out), what stands
    open after it, and the names of the rows that foreign keys point at."""

    plan: Plan
    applied: Applied | None
    standing: OpenIssues
    names: Names = field(default_factory=dict)


def named_rows(run: Run, plan: Plan, standing: OpenIssues) -> dict[str, set[RowId]]:
    """Table → rows that the report will name: those that foreign keys of shown changes and edits point at."""
    wanted = pointed_at([*_lines(run, plan, plan.conflicts), *standing.lost, *standing.open])
    for change in _shown_values(run, plan)[0]:
        if table := target_of(change.address.field or ""):
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
    run.report.second_rows = [link_row(pair.table, pair.other, pair.item[1]) for pair in plan.lookalikes]
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
    boards = {board_id: board for board, board_id in run.board_ids.items()}
    found = plan if result.applied is None else Plan()  # what a real run found is in the database by now
    cells = [_cell(cell.board, cell.item_id, cell.column_id, cell.reason) for cell in found.quarantined]
    merges = [_pair(*pair.item, pair.role, alike(pair)) for pair in found.would_merge]
    merges += [_pair(*left.item, left.where, left.reason) for left in found.left_behind]
    new_cells, new_merges = list(cells), list(merges)
    for letter in standing.letters(run.run_id):
        board = "PostgreSQL" if letter.kind == "value" else boards.get(letter.board_id, str(letter.board_id))
        if letter.kind == "would-merge":
            entry, listed, new = _pair(board, letter.item_id, letter.place, letter.reason), merges, new_merges
        else:
            entry, listed, new = _cell(board, letter.item_id, letter.place, letter.reason), cells, new_cells
        listed.append(entry)
        if not letter.told:
            new.append(entry)
    waits = [*_lines(run, plan, [lost for lost in found.conflicts if lost.open]), *standing.open]
    losses = [*_lines(run, plan, [lost for lost in found.conflicts if not lost.open]), *standing.lost]
    bad = standing.quarantined + len(found.quarantined)
    alike_now = standing.would_merge + len(found.would_merge) + len(found.left_behind)
    report.quarantined = opened(bad, cells, new_cells, sum(map(standing.new_of, ("cell", "row", "op"))))
    report.would_merge = opened(alike_now, merges, new_merges, standing.new_of("would-merge"))
    count, told = standing.conflicts + sum(lost.open for lost in found.conflicts), waiting(waits, boards, result.names)
    untold = tuple(entry for entry, line in zip(told, waits, strict=True) if not line.told)
    report.conflicts = IssueList(count, max(len(untold), standing.new_of("conflicts")), told, untold)
    lost, entries = (
        standing.lost_count + sum(not lost.open for lost in found.conflicts),
        settled(losses, boards, result.names),
    )
    report.settled = IssueList(lost, lost, entries, entries)


def _cell(board: str, item_id: int, place: str, reason: str) -> dict[str, Any]:
    column = BOARDS.get(board, {}).get(place)
    return {
        "board": board,
        "item": item_id,
        "column": f'{place} ("{column.title}")' if column else place,
        "reason": reason,
    }


def _pair(board: str, item_id: int, role: str, reason: str) -> dict[str, Any]:
    return {"board": board, "item": item_id, "role": role, "reason": reason}


def _lines(run: Run, plan: Plan, conflicts: Sequence[Conflict]) -> list[ConflictLine]:
    if not conflicts:
        return []
    items = {lost.item for lost in conflicts}
    names = {
        (base.board, base.id): item_name(run.layouts[base.board], base.monday)
        for base in plan.items
        if (base.board, base.id) in items and base.board in run.layouts
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
        item.key: item_name(run.layouts[item.board], item.monday) or ""
        for item in (plan.items if shown else ())
        if item.key in told and item.board in run.layouts
    }
    return samples([line(change, items, names) for change in shown], (), run.options.verbosity, others=others)


def _differences(run: Run, plan: Plan) -> Iterable[str]:
    """Cells that are left as they are although the row says something else: what monday shows, what the row holds."""
    for item in (item for item in plan.items if item.board in run.layouts):
        layout = run.layouts[item.board]
        for one, says, held in zip(layout.fields, item.monday, item.postgres, strict=True):
            if held is not says and held is not FORCE and not same(one, says, held):
                name = f"{layout.slots[one.slot].table}.{one.columns[0]}"
                on_board, in_row = contrasted(*_apart(says, held))
                yield f"{name:<24}  item {item.id}  {on_board} | {in_row}"


def _apart(says: Any, holds: Any) -> tuple[Any, Any]:
    """Of a field that holds its parts too, the whole, or else the first part that differs."""
    both = [value if isinstance(value, tuple) else (value,) for value in (says, holds)]
    pairs = list(zip_longest(*both))
    return next((pair for pair in pairs if pair[0] != pair[1]), pairs[0])
