"""Finding what to send: the rows that people changed, the items that show them, and what monday.com shows right now."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

import timing
from models import RowId
from monday.current import CurrentBoards as ShownBoards
from monday.queries import LARGEST_PAGE
from monday_api import MARKER, STAGE_STATUS, MondayClient
from postgres.load_push import read_edits
from postgres.parting import read_parting
from postgres.transaction import Transaction
from postgres.write_push import taken_items
from push.claim import refuse_claimed
from push.marker import has_marker
from push.record import state_of
from reconcile.change_filter import is_outdated
from reconcile.edits import Edits
from reconcile.errors import ConfigError
from reconcile.journal_ops import OpenBatch, Sender
from reconcile.layout import Layout
from reconcile.plan_push import CurrentItem, PushOptions, items_to_read, plan_push
from reconcile.push_plan import AMBIGUOUS, ItemCreate, Push, Rejection
from reconcile.types import ItemKey
from run.conflicts import item_name
from run.context import Run
from run.drift import refuse_drift
from run.report import BoardReport, counted
from run.start import RunStart
from run.version import heed_version

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class PreparedPush:
    """The plan of one push with what it was made from. `gone` are items that are not on their board any more, `looked`
    those that were seen, at `looked_at` (monotonic seconds) or `told_at` (monday's clock), `unseen` others that have
    something to tell, `names` what people call them."""

    edits: Edits
    push: Push = field(default_factory=Push)
    boards: ShownBoards | None = None
    gone: list[ItemKey] = field(default_factory=list)
    looked: set[ItemKey] = field(default_factory=set)
    unseen: set[ItemKey] = field(default_factory=set)
    looked_at: float = 0.0
    told_at: datetime | None = None
    outdated: int = 0
    names: dict[ItemKey, str] = field(default_factory=dict)

    def sender(self, client: MondayClient) -> Sender:
        """What the journal says of a request that is sent now."""
        return Sender(client.answered_at, self.boards.user_id if self.boards is not None else None)


def find_edits(run: Run, start: RunStart, unfinished: Sequence[OpenBatch], tx: Transaction) -> Edits:
    """Rows that people changed since they were last in step; nothing of an op that is still in doubt.

    Raises ConfigError before the first read of the boards: a push needs to know what they showed.
    """
    _refuse_unread(run, start)
    edits = read_edits(tx, run.layouts, start.present)
    if run.options.retry_dead:
        edits.rejected.clear()
    boards = {layout.board_id: board for board, layout in run.layouts.items()}
    for batch in unfinished:
        for op in batch.ops:
            if op.item_id is not None and batch.board_id in boards:
                edits.in_flight.add((boards[batch.board_id], op.item_id))
            if op.row is not None:
                edits.in_flight.add(op.row)
    edits.items = {board: len(start.active(board)) for board in run.board_ids}
    if start.every_board is not None and edits.changed:
        _leave_joined(run, start, edits, tx)
    return edits


def _leave_joined(run: Run, start: RunStart, edits: Edits, tx: Transaction) -> None:
    """A row that an older rule of keys gave to several things would be written to all of them: those items wait until
    sync_monday_to_pg.py has parted them."""
    _remembered, parting = read_parting(tx, start.every_board or {}, start.present)
    joined = parting.rows.keys() & edits.changed.keys()
    items = [key for key, base in edits.bases.items() if not joined.isdisjoint(base.links)]
    edits.in_flight.update(items)
    if items:
        run.report.notes.append(
            f"{counted(len(items), 'item')} of rows that stand for several things by the rules of an earlier version: "
            "nothing was sent to them until sync_monday_to_pg.py has given each a row of its own."
        )


def _refuse_unread(run: Run, start: RunStart) -> None:
    for board, board_id in run.board_ids.items():
        state = start.sync_state.boards.get(board_id)
        if state is None or state.last_full_at is None:
            raise ConfigError(
                f"The {board} board was never read whole into this database, so nothing can be compared with it: run "
                "sync_monday_to_pg.py first."
            )


@timing.timed("plan")
def prepare_push(run: Run, start: RunStart, edits: Edits) -> PreparedPush:
    """Decide what is sent, on what monday shows right now of the items concerned. No request where there are none.

    Raises DriftError for boards that are not as mapped; `push.guard` judges the plan.
    """
    options = PushOptions(
        run.mappings,
        policy=run.options.on_conflict,
        create_labels=run.options.create_labels,
        allow_fanout=run.options.allow_fanout,
        propagate_deletes=run.options.propagate_deletes,
        stage_status=STAGE_STATUS,
    )
    for board, board_id in run.board_ids.items():
        title, known = f"{board} board, not asked", edits.items[board]
        run.report.boards[board] = BoardReport(board_id, title, mode="incremental", items_count=known)
    wanted, first = items_to_read(edits, run.layouts, options)
    looked = _limited(run, wanted)
    found = PreparedPush(edits, unseen=set(wanted))
    if not looked and (not first.creates or run.options.max_create == 0):
        found.push = plan_push(edits, run.layouts, {}, first, options, not_looked_at=set(wanted) - set(looked))
        _put_off_creates(run, found.push, (), edits)
        return found
    current_items = _look(run, start, looked, found)
    assert found.boards is not None
    options = replace(
        options,
        labels=found.boards.labels,
        spelled=found.boards.spelled,
        rules=found.boards.rules,
        titles={
            board: {column_id: column.title for column_id, column in schema.columns.items()}
            for board, schema in found.boards.schemas.items()
        },
    )
    found.looked = set(current_items)
    found.unseen -= found.looked  # one that has gone, too: an old state may say so, and the next read will know
    found.push = plan_push(edits, run.layouts, current_items, first, options, not_looked_at=found.unseen)
    found.push.deferred = len(wanted) - len(looked)  # what was looked for and is not there goes with no other run
    edits.bases.clear()  # what is still needed of it is in the plan
    _put_off_creates(run, found.push, looked, edits)
    _know_again(run, found)
    return found


def _limited(run: Run, wanted: Sequence[ItemKey]) -> list[ItemKey]:
    if run.options.limit is None:
        return list(wanted)
    by_board: dict[str, list[ItemKey]] = defaultdict(list)
    for key in wanted:
        by_board[key[0]].append(key)
    return [key for keys in by_board.values() for key in keys[: run.options.limit]]


def _put_off_creates(run: Run, push: Push, looked: Iterable[ItemKey], edits: Edits) -> None:
    """New items count towards the limit of their board, after the items that are there; `--max-create 0` makes none."""
    every = push.creates
    if run.options.max_create == 0:
        push.suppressed, push.creates = len(every), []
    elif run.options.limit is not None:
        _keep_within(run.options.limit, run, push, looked)
    if len(push.creates) < len(every) or push.kept_back:
        _leave_as_they_are([*every, *push.kept_back], push, edits)


def _keep_within(limit: int, run: Run, push: Push, looked: Iterable[ItemKey]) -> None:
    left = dict.fromkeys(run.board_ids, limit)
    for board, _item in looked:
        left[board] -= 1
    kept = []
    for create in push.creates:
        if left[create.board] > 0:
            left[create.board] -= 1
            kept.append(create)
        else:
            push.deferred += 1
    push.creates = kept


def _leave_as_they_are(every: Iterable[ItemCreate], push: Push, edits: Edits) -> None:
    """A row of which no item is made now is not made whole either, unless it has something to tell another one."""
    links = [item.base.links for item in push.items] + [create.links for create in push.creates]
    kept = {row for linked in links for row in linked} | edits.changed.keys()
    left = {row for create in every for row in create.links} - kept
    for table, updates in push.completed.items():
        push.completed[table] = [update for update in updates if update.id not in left]


def _know_again(run: Run, found: PreparedPush) -> None:
    """New rows of which an item was made before, as its marker says: the database forgot it, or was restored from an
    older backup. The item is linked, and none is made; of several the oldest, since a copy is younger."""
    push, every = found.push, found.push.creates
    assert found.boards is not None
    made: dict[RowId, list[int]] = {}
    for board, layout in run.layouts.items():
        rows = [create.row for create in every if create.board == board]
        if not rows or not has_marker(found.boards.schemas[board]):
            continue
        marked = run.client.looker.by_marker(board, MARKER, rows)
        ids = {row: {item.id for item in marked[row]} for row in rows if marked[row]}
        work = partial(taken_items, layout=layout, ids=set().union(*ids.values()))
        taken = run.database.transact(work, read_only=True, label="looking for known items") if ids else set()
        made |= {row: sorted(of_row - taken) for row, of_row in ids.items()}
        push.linked |= {(board, row): made[row][0] for row in ids if made[row]}
        push.rejected += [_carried_by(layout, row, ids[row]) for row in ids if not made[row]]
    if made:
        push.creates = [create for create in every if create.row not in made]
        _leave_as_they_are(every, push, found.edits)


def _carried_by(layout: Layout, row: RowId, ids: Collection[int]) -> Rejection:
    table = layout.record.table
    reason = (
        f"its Sync ID stands on the board, on {', '.join(map(str, sorted(ids)))}, which has another row: if the two "
        "rows are one, delete this one; if not, clear the Sync ID of that item"
    )
    return Rejection(layout.board, 0, f"{table}.{row}", reason, AMBIGUOUS)


def _look(run: Run, start: RunStart, looked: Sequence[ItemKey], found: PreparedPush) -> dict[ItemKey, CurrentItem]:
    """What monday shows; an item in an older state than is remembered was not seen."""
    ids: dict[str, list[int]] = {board: [] for board in run.board_ids}
    for board, item_id in looked:
        ids[board].append(item_id)
    run.calls.need(max(1, -(-len(looked) // LARGEST_PAGE)), "nothing was sent")
    found.looked_at = time.monotonic()
    with timing.stage("look"):
        boards = found.boards = run.client.look(ids, rules=True)
    heed_version(run, run.client)
    refuse_drift(run, start, boards.schemas)
    refuse_claimed(run, start, boards.marked)
    for board, schema in boards.schemas.items():
        run.report.boards[board] = BoardReport(
            board_id=schema.id,
            title=schema.title,
            fetched=sum(key[0] == board for key in boards.items),
            mode="incremental",
            items_count=schema.items_count,
        )
    found.gone = sorted(boards.gone)
    current_items: dict[ItemKey, CurrentItem] = {}
    told = found.told_at = run.client.answered_at
    told_s = told.timestamp() if told is not None else None
    for item, raw in boards.items.items():
        state = state_of(run, start, item[0], raw, as_page=False)
        if is_outdated(state.updated_at.timestamp(), found.edits.bases[item].updated_at.timestamp(), told_s):
            found.outdated += 1
            continue
        current_items[item] = CurrentItem(state, raw.raw)
        if name := item_name(run.layouts[item[0]], state.values):
            found.names[item] = name
    boards.items.clear()  # they live on in `current_items`, as long as the plan is made
    if found.outdated:
        run.report.notes.append(
            f"{counted(found.outdated, 'item')} came in an older state than was synced before: nothing was sent to "
            "them, the next run looks again."
        )
    return current_items
