"""What a push did, or would do, for its report: items and cells, what waits for a person, and what it would cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from models import RowId
from monday_api import BOARDS
from postgres.state import ConflictLine, OpenIssues
from postgres.told import ALIKE, FANNED, WAITING, Judged, Notice
from push.operations import Sent
from push.plan import PreparedPush
from push.recover import Recovered
from push.rejected import cleared
from push.send import writing_calls
from reconcile.boards import BOARD_SPECS
from reconcile.changes import Change, push_changes
from reconcile.conflicts import Conflict
from reconcile.database_state import ItemKey
from reconcile.errors import Exit
from reconcile.push_plan import Push
from reconcile.tables import SPECS, TABLES, certain_columns
from run.changes import entries, line, samples
from run.conflicts import as_line, settled, waiting
from run.context import Run
from run.news import opened
from run.report import IssueList, ItemsReport, counted
from terminal.contrast import shortened

_UNFINISHED = (
    "monday.com did not say of every write whether it was carried out: run it again, within 40 minutes that is certain"
)


def fill_report(
    run: Run,
    found: PreparedPush,
    sent: Sent,
    recovered: Recovered,
    overwritten: Sequence[Conflict],
    standing: OpenIssues,
    *,
    carried_out: bool,
) -> Judged:
    """Fill the report, and with it the exit code; of a plan that was not `carried_out`, what it would have done. Says
    which rows wait."""
    report, push = run.report, found.push
    known = sum(found.edits.items.values())
    items = ItemsReport(len(push.items), len(push.creates), len(push.archives))
    if carried_out:
        items = ItemsReport(sent.updated, sent.created, sent.archived)
    items.unchanged = max(0, known - items.update - items.archive)
    report.items = items
    for table in TABLES:
        entry = report.tables[table]
        completed = len(push.completed[table]) if not carried_out else sent.prepared.completed[table]
        entry.update = completed
        new = sum(_table_of(run, create.board) == table for create in sent.new)
        entry.unchanged = max(0, standing.rows.get(table, 0) - new - completed)
    for board, looked in report.boards.items():
        looked.changed = sum(item.board == board for item in (sent.delivered if carried_out else push.items))
    report.waiting = len(_waiting(found, sent))
    report.tolerated = standing.tolerated
    report.digest = push.digest() if push.writes or push.linked else ""
    report.samples = list(_samples(run, push, found.names))
    done = Push(sent.delivered, creates=sent.new, archives=push.archives[: sent.archived]) if carried_out else push
    changes = _on_monday(run, done)
    report.changes, report.changes_count = entries(changes), len(changes)
    report.notes += _notes(run, found, sent, overwritten)
    report.forecast = "" if carried_out else _forecast(run, push)
    report.planned = True
    rows = _rows_that_wait(run, found, sent, standing)
    _fill_open(run, found, sent, standing, carried_out=carried_out)
    run.judge()
    boards = run.board_ids.values()
    waits = any(batch.board_id in boards for batch in recovered.waiting)
    if (waits or sent.unsettled) and carried_out:
        report.exit_code = Exit.UNAVAILABLE
        report.unfinished = _UNFINISHED
    if sent.stopped:
        report.fail(Exit.UNAVAILABLE, sent.stopped)
    return rows


def _waiting(found: PreparedPush, sent: Sent) -> set[RowId]:
    return (found.push.pending_rows | sent.undelivered) & (
        found.edits.changed.keys() | {row for _board, row in found.edits.new_rows} | found.push.over_fan_out.keys()
    )


def _rows_that_wait(run: Run, found: PreparedPush, sent: Sent, standing: OpenIssues) -> Judged:
    """Rows of which nothing is sent until a person, or the other command, has done something. What waits for a reason
    that is told anyway is not among them; nor can a run that looks at a part say what waits no more."""
    edits, push = found.edits, found.push
    notices = [Notice(ALIKE, f"{_table_of(run, board)}.{row}", "") for board, row, _other in push.duplicate_people]
    notices += [
        Notice(
            FANNED,
            f"{edits.changed[row]}.{row}",
            f"waits: {edits.changed[row]}.{row} was edited in PostgreSQL and {counted(items, 'item')} show it: none "
            "was changed; if all are to be, run with --allow-fanout",
        )
        for row, items in sorted(push.over_fan_out.items())
    ]
    if run.options.limit is not None or len(run.board_ids) < len(run.every_board):
        return Judged(notices, ())
    tables = dict(edits.changed) | {row: _table_of(run, board) for board, row in edits.new_rows}
    for row in sorted(_waiting(found, sent) - _explained(found, sent, standing)):
        notices.append(
            Notice(
                WAITING,
                f"{tables.get(row, 'row')}.{row}",
                f"waits: {tables.get(row, 'row')}.{row} was edited in PostgreSQL, and an item that shows it was edited "
                "on monday.com too, or left its board: sync_monday_to_pg.py settles that first",
            )
        )
    return Judged(notices, (ALIKE, FANNED, WAITING))


def _explained(found: PreparedPush, sent: Sent, standing: OpenIssues) -> set[RowId]:
    """Rows that wait for a reason that people are told of, or for the next run of this command alone."""
    push = found.push
    rows = {conflict.row for conflict in push.conflicts if conflict.open} | {line.row_id for line in standing.open}
    explained = {RowId(row) for row in rows if row is not None} | push.over_fan_out.keys() | push.set_aside
    explained |= sent.prepared.moved | sent.prepared.refused.keys()
    explained |= {entry for entry in found.edits.in_flight if isinstance(entry, str)}
    refused = {(cell.board, cell.item_id) for cell in sent.refused}
    explained |= {row for item in push.items if (item.board, item.id) in refused for row in item.causes.values()}
    places = {cell.column_id for cell in (*push.rejected, *sent.refused) if not cell.item_id}
    places |= {place for _board, item, place in push.still_rejected if not item}
    return explained | {RowId(place.partition(".")[2]) for place in places}


def _fill_open(run: Run, found: PreparedPush, sent: Sent, standing: OpenIssues, *, carried_out: bool) -> None:
    report, push = run.report, found.push
    boards = {board_id: board for board, board_id in run.board_ids.items()}
    new = [*push.rejected, *sent.refused]
    cells = [_cell(cell.board, cell.item_id, cell.column_id, cell.reason) for cell in new]
    new_cells = [  # of a real run the list says it
        entry
        for cell, entry in zip(new, cells, strict=True)
        if not carried_out and (cell.board, cell.item_id, cell.column_id) not in found.edits.letters
    ]
    over = set[tuple[str, int, str]]()
    if not carried_out:  # a real run lists what does not go with a new item once it has an id
        left_out = [
            _cell(cell.board, 0, cell.column_id, cell.reason) | {"row": f"{_table_of(run, cell.board)}.{create.row}"}
            for create in push.creates
            for cell in create.rejected
        ]
        cells, new_cells = cells + left_out, new_cells + left_out
        over = set(cleared(found, new, {create.row for create in push.creates}))
    listed_places = {_place_of(cell) for cell in cells}
    left = [] if carried_out else found.edits.left_behind  # what a real run found is in the database by now
    merges = [_pair(*row.item, row.where, row.reason) for row in left]
    new_merges = list(merges)
    for letter in standing.letters(run.run_id):
        board = "PostgreSQL" if letter.kind == "value" else boards.get(letter.board_id, str(letter.board_id))
        if letter.kind == "op" and (board, letter.item_id, letter.place) in over:
            continue
        if letter.kind == "would-merge":
            entry, listed, untold = _pair(board, letter.item_id, letter.place, letter.reason), merges, new_merges
        else:
            entry, listed, untold = _cell(board, letter.item_id, letter.place, letter.reason), cells, new_cells
        if entry not in listed and (letter.kind != "op" or _place_of(entry) not in listed_places):
            listed.append(entry)
        if not letter.told:
            untold.append(entry)
    for board, row, other in push.duplicate_people:
        table, spec = _table_of(run, board), BOARD_SPECS[board]
        same = " or ".join(certain_columns(table))
        entry = {
            "board": board,
            "item": 0,
            "role": spec.person or SPECS[table].role,
            "reason": f"{table} {row} has the {same} of {table} {other}, which is on the {board} board: no item was "
            "made; correct it, or merge the rows",
        }
        merges.append(entry)
        new_merges += [] if (ALIKE, f"{table}.{row}") in standing.told else [entry]
    planned = [] if carried_out else _lines(run, found, push.conflicts)
    known = {(line.board_id, line.item_id, line.field): line for line in standing.open}
    fresh_ones = {place: line for line in planned if (place := (line.board_id, line.item_id, line.field)) not in known}
    waits = [*fresh_ones.values(), *known.values()]
    told = waiting(waits, boards, {})
    untold_ones = tuple(entry for entry, line in zip(told, waits, strict=True) if not line.told)
    untold_count = standing.new_of("conflicts") + len(fresh_ones)
    report.conflicts = IssueList(
        standing.conflicts + len(fresh_ones), max(len(untold_ones), untold_count), told, untold_ones
    )
    lost = [] if carried_out else _lines(run, found, [lost for item in push.items for lost in item.conflicts])
    losses, entries = standing.lost_count + len(lost), settled([*lost, *standing.lost], boards, {})
    report.settled = IssueList(losses, losses, entries, entries)
    quarantined = standing.quarantined if carried_out else max(standing.quarantined - len(over), len(cells))
    report.quarantined = opened(quarantined, cells, new_cells, sum(map(standing.new_of, ("cell", "row", "op"))))
    alike_now = standing.would_merge + len(push.duplicate_people) + len(left)
    report.would_merge = opened(alike_now, merges, new_merges, standing.new_of("would-merge"))
    fanned = tuple(
        {"row": f"{found.edits.changed[row]}.{row}", "items": n} for row, n in sorted(push.over_fan_out.items())
    )
    untold_rows = tuple(entry for entry in fanned if (FANNED, entry["row"]) not in standing.told)
    report.fanned = IssueList(len(fanned), len(untold_rows), fanned, untold_rows)


def _table_of(run: Run, board: str) -> str:
    """The table whose rows stand for the items of a board."""
    layout = run.layouts[board]
    return layout.slots[layout.record].table


def _cell(board: str, item_id: int, place: str, reason: str) -> dict[str, object]:
    column = BOARDS.get(board, {}).get(place)
    shown = f'{place} ("{column.title}")' if column else place
    field = {"field": column.target} if column and column.target else {}
    return {"board": board, "item": item_id or "new", "column": shown, **field, "reason": reason}


def _place_of(entry: Mapping[str, object]) -> tuple[object, ...]:
    return tuple(entry.get(name) for name in ("board", "item", "column", "row"))


def _pair(board: str, item_id: int, role: str, reason: str) -> dict[str, object]:
    return {"board": board, "item": item_id, "role": role, "reason": reason}


def _lines(run: Run, found: PreparedPush, conflicts: Sequence[Conflict]) -> list[ConflictLine]:
    return [
        as_line(lost, run.run_id, run.board_ids[lost.item[0]], found.names.get(lost.item))
        for lost in conflicts
        if lost.item[0] in run.board_ids
    ]


def _notes(run: Run, found: PreparedPush, sent: Sent, overwritten: Sequence[Conflict]) -> Iterator[str]:
    push = found.push
    if push.awaiting_pull:
        were = "was" if push.awaiting_pull == 1 else "were"
        yield (
            f"{counted(push.awaiting_pull, 'item')} of those looked at {were} edited on monday.com too: "
            "that waits for sync_monday_to_pg.py."
        )
    if moved := len(found.edits.moved):
        yield (
            f"{counted(moved, 'item')} {'is' if moved == 1 else 'are'} linked to another row than before, since a "
            "monday_item_id was changed in PostgreSQL: what such a row holds differently is an edit made there."
        )
    if push.deferred:
        yield f"{counted(push.deferred, 'item')} more would follow without --limit."
    if push.suppressed:
        yield f"{counted(push.suppressed, 'row')} without an item would become items without --max-create 0."
    if push.linked:
        yield (
            f"{counted(len(push.linked), 'row')} without an item {'has' if len(push.linked) == 1 else 'have'} one on "
            f"the board, by its Sync ID: {'it would be' if run.dry else 'it was'} linked, and none made. This database "
            "is older than the board, as one from a backup is: sync_monday_to_pg.py brings the rest."
        )
    deleted = len(push.deleted) - len(push.archives) - push.edited_since
    if deleted:
        yield (
            f"{counted(deleted, 'project or person', 'projects or people')} deleted in PostgreSQL: the items stay as "
            "they are; --propagate-deletes archives them."
        )
    if push.edited_since:
        yield (
            f"{counted(push.edited_since, 'deleted row')} had an item that was edited since: it is not archived, and "
            "sync_monday_to_pg.py brings the row back."
        )
    gone = len(found.gone) + len(sent.gone)
    if gone:
        yield (
            f"{counted(gone, 'item')} with something to tell {'is' if gone == 1 else 'are'} not on the board any more: "
            "sync_monday_to_pg.py finds out what became of them."
        )
    if sent.prepared.moved:
        yield (
            f"{counted(len(sent.prepared.moved), 'row')} changed in PostgreSQL while this run was at work: what they "
            "say now goes with the next run."
        )
    if overwritten:
        yield (
            f"{counted(len(overwritten), 'cell')} {'was' if len(overwritten) == 1 else 'were'} edited on monday.com in "
            "the moment before the write, and overwritten: monday_sync.sync_conflict keeps the values."
        )


def _samples(run: Run, push: Push, names: Mapping[ItemKey, str]) -> Iterator[str]:
    """Cells, item by item; then new items, items that go, and rows that are linked to an item that is there."""
    told = _on_monday(run, push)
    cells = {(change.address.item, change.address.column): change for change in told if change.is_cell}
    new = [
        ("new item", BOARDS[create.board][column_id].title, f"(new) → {shortened(cell.after)}")
        for create in push.creates
        for column_id, cell in sorted(create.cells.items())
        if cell is not None
    ]
    whole = [f"new item in the {create.board} board: {shortened(create.name)}" for create in push.creates]
    whole += [f"item {item_id} of the {board} board: archived" for board, item_id in push.archives]
    whole += [f"row {row[:8]}: linked to item {item_id}" for (_board, row), item_id in sorted(push.linked.items())]
    lines = [line(cell, names, {}) for cell in cells.values()]
    return samples(lines, whole, run.options.verbosity, cells=new)


def _on_monday(run: Run, push: Push) -> list[Change]:
    """What monday is given: cells, new items, and items that go."""
    changes = push_changes(push, run.layouts)
    return [change for change in changes if change.is_cell or change.action in ("create", "archive")]


def _forecast(run: Run, push: Push) -> str:
    """What the writes would cost."""
    requests = writing_calls(push)
    if not requests:
        return ""
    told = f"about {counted(requests, 'more request')} to write, as many daily calls"
    return told if run.calls.fits(requests) else f"{told}: more than today's limit leaves"
