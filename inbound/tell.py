"""What a run did, or would do, for its report: the counts, what waits for a person, and the first changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cli.report import Open, counted
from cli.run import Run
from models import TABLES, RowId
from monday_api import BOARDS
from postgres.apply import Applied, alike
from postgres.state import Standing
from reconcile.base import FORCE
from reconcile.errors import Exit
from reconcile.identity import WouldMerge
from reconcile.merge import Conflict
from reconcile.plan import Plan

_SAMPLES = 10
_LONGEST = 24


@dataclass(frozen=True, slots=True)
class Landed:
    """What one transaction did, or would do: the plan, what was written, and what stands open after it."""

    plan: Plan
    applied: Applied | None
    standing: Standing


def foretell(run: Run, plan: Plan) -> None:
    """What a person needs to see of a plan even if a guard refuses it."""
    run.report.samples = list(samples(plan, run.options.verbosity))
    run.report.second_rows = [_linking(pair) for pair in plan.lookalikes]
    if run.dry and run.options.verbosity > 0:
        run.report.differences = list(_differences(run, plan))


def _linking(pair: WouldMerge) -> str:
    """For a person to run."""
    return f"UPDATE projects SET monday_item_id = {pair.item[1]} WHERE id = '{pair.other}';"  # noqa: S608  printed only


def tell(run: Run, landed: Landed) -> None:
    """Fill the report, and with it the exit code."""
    report, plan, applied = run.report, landed.plan, landed.applied
    for table in TABLES:
        entry = report.tables[table]
        entry.insert = applied.inserted[table] if applied else len(plan.inserts[table])
        entry.update = applied.updated[table] if applied else len(plan.updates[table])
        known = landed.plan.known_rows.get(table, landed.standing.rows.get(table, 0))
        entry.unchanged = max(0, known - entry.update)
    _fill_open(run, landed)
    known = 0 if run.options.resync else landed.standing.tolerated  # as it was before this run
    report.tolerated = known + plan.tolerated.total()
    report.waiting = landed.standing.outbound
    report.digest = plan.digest() if plan.writes else ""
    report.notes = list(dict.fromkeys([*report.notes, *_notes(plan, landed.standing, report.tolerated)]))
    waiting = report.quarantined.count + report.conflicts.count + report.would_merge.count
    report.exit_code = Exit.PERSON_NEEDED if waiting else Exit.DONE


def _fill_open(run: Run, landed: Landed) -> None:
    """What is open, the new of this run first; a dry run adds what it found to what stands in the database already."""
    report, plan, standing = run.report, landed.plan, landed.standing
    boards = {board_id: board for board, board_id in run.board_ids.items()}
    found = plan if run.dry else Plan()  # what a real run found is in the database by now
    cells = [_cell(cell.board, cell.item_id, cell.column_id, cell.reason) for cell in found.quarantined]
    merges = [_pair(*pair.item, pair.role, alike(pair)) for pair in found.would_merge]
    merges += [_pair(*left.item, left.where, left.reason) for left in found.left_behind]
    new = {"cell": len(cells), "row": 0, "would-merge": len(merges)}
    for letter in standing.letters(run.run_id):
        board = "PostgreSQL" if letter.kind == "value" else boards.get(letter.board_id, str(letter.board_id))
        new[letter.kind] = new.get(letter.kind, 0) + (letter.run_id == run.run_id)
        if letter.kind == "would-merge":
            merges.append(_pair(board, letter.item_id, letter.place, letter.reason))
        else:
            cells.append(_cell(board, letter.item_id, letter.place, letter.reason))
    opened = [_edit(lost) for lost in plan.conflicts if lost.open]
    settled = [_edit(lost) for lost in plan.conflicts if not lost.open]
    bad = standing.quarantined + len(found.quarantined)
    alike_now = standing.would_merge + len(found.would_merge) + len(found.left_behind)
    report.quarantined = _open(bad, cells, new["cell"] + new["row"] + new.get("op", 0))
    report.would_merge = _open(alike_now, merges, new["would-merge"])
    report.conflicts = _open(standing.conflicts + sum(lost.open for lost in found.conflicts), opened, len(opened))
    report.settled = _open(len(settled), settled, len(settled))


def _open(standing: int, found: list[dict[str, Any]], new: int) -> Open:
    once = list({tuple(entry.items()): entry for entry in found}.values())
    return Open(max(standing, len(once)), min(new, len(once)), tuple(once))


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


def _edit(lost: Conflict) -> dict[str, Any]:
    board, item_id = lost.item
    return {"board": board, "item": item_id, "field": lost.field, "kept": lost.kept_from, "lost": lost.lost_from}


def _notes(plan: Plan, standing: Standing, tolerated: int) -> Iterable[str]:
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
    if plan.twins:
        found = ", ".join(f"{count:,} of {table}" for table, count in sorted(plan.twins.items()))
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
    settled = sum(not lost.open for lost in plan.conflicts)
    if settled:
        yield f"{counted(settled, 'value')} lost against another edit, and can be read in monday_sync.sync_conflict."
    if tolerated:
        yield (
            f"{counted(tolerated, 'cell differs', 'cells differ')} from the row behind since they first met, which "
            "other items share or which was there before: neither side was overwritten. --test --resync -v lists them."
        )
    if standing.outbound:
        yield (
            f"{counted(standing.outbound, 'row holds', 'rows hold')} something that monday.com does not show: edited "
            "in PostgreSQL, or through one of several items. sync_pg_to_monday.py sends that."
        )
    gone = sum(item.archive for item in plan.departed)
    if gone:
        yield f"{counted(gone, 'item')} left the board: archived_at is set, and no row is deleted."
    silent = [item for item in plan.departed if not item.archive]
    if silent:
        yield (
            f"{counted(len(silent), 'known item')} moved to another board or did not answer: the rows stay, and the "
            "next whole read looks again."
        )


def samples(plan: Plan, verbosity: int) -> Iterable[str]:
    """The first changes, before → after; all of them with -v."""
    changes = [
        (f"{table}.{column}", update.id, before, after)
        for table in TABLES
        for update in plan.updates[table]
        for column, (before, after) in update.changes.items()
    ]
    shown = changes if verbosity > 0 else changes[:_SAMPLES]
    items = _items_of(plan, {row for _column, row, _before, _after in shown})
    width = max((len(column) for column, *_rest in shown), default=0)
    for column, row, before, after in shown:
        where = f"item {items[row]}" if row in items else f"row {row[:8]}"
        yield f"{column:<{width}}  {where}  {_shown(before)} → {_shown(after)}"
    if len(changes) > len(shown):
        yield f"… and {counted(len(changes) - len(shown), 'more change')}: -v lists them all"


def _differences(run: Run, plan: Plan) -> Iterable[str]:
    """Cells that are left as they are although the row says something else: what monday shows, what the row holds."""
    for item in (item for item in plan.items if item.board in run.layouts):
        layout = run.layouts[item.board]
        for number, held in sorted(item.p.items()):
            field, says = layout.fields[number], item.m[number]
            if held is not FORCE and field.canon(says) != field.canon(held):
                name = f"{layout.slots[field.slot].table}.{field.columns[0]}"
                yield f"{name:<24}  item {item.id}  {_shown(_first(says))} | {_shown(_first(held))}"


def _first(value: Any) -> Any:
    """Of a field that holds its parts too, the whole."""
    return value[0] if isinstance(value, tuple) else value


def _items_of(plan: Plan, rows: set[RowId]) -> Mapping[RowId, int]:
    """An item that a person can open on the board, for each of these rows that one shows."""
    return {row: item.id for item in reversed(plan.items) for row in item.links if row is not None and row in rows}


def _shown(value: Any) -> str:
    text = "(empty)" if value is None else " ".join(str(value).split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
