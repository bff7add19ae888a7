"""Carries a push out: journal, send, record, one batch after the other and one writer a board.

Between two batches a signal may stop the run, and a kill anywhere leaves a journal that the next run settles.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

import timing
from models import RowId
from monday.errors import RETRIED, Action, ApiFault, Doubtful, sentence
from monday.queries import LARGEST_PAGE
from monday.writing import Answered, BatchSize, Result, TooLarge
from monday_api import BOARDS
from postgres import journal
from postgres.bases import items_of_rows
from postgres.changes import add_changes
from postgres.transaction import Transaction
from postgres.write_push import Prepared, link_rows, prepare_rows
from push.bulk import BULK_FROM, Bulk
from push.claim import claim, refuse_claimed
from push.marker import has_marker
from push.operations import Archives, Changes, Creates, Sent, WriteKind
from push.plan import PreparedPush
from push.record import WriteResult, in_fenced_transaction, require_lease, write_outcome
from push.recover import JournalRecovery, Recovered, in_doubt, record_created
from push.rejected import is_internal
from reconcile import changes
from reconcile.errors import SyncError, Unavailable
from reconcile.journal_ops import OpenBatch
from reconcile.push_plan import ItemCreate, Push, Rejection
from run.command import StopSignal
from run.context import Run
from run.drift import refuse_drift
from run.start import RunStart

logger = logging.getLogger(__name__)
S = TypeVar("S")

TRIES = 3
LEAST = 3
"""Calls with which it is worth to begin: the board's claim, a batch, and the log of what it replaced."""
JOB = 10
"""Calls of a bulk job: its start, and asking until it has ended."""


@timing.timed("push")
def send(run: Run, start: RunStart, found: PreparedPush, stop: StopSignal) -> Sent:
    """Everything of a plan; what cannot be sent is in the result. Raises SyncError when the rest cannot go on."""
    _count_beforehand(run, found.push)
    _claim(run, start, found)
    sender = _Sender(run, start, found, stop)
    sender.link()
    sender.prepare()
    push = found.push
    try:
        for board in run.board_ids:
            lane = (run, start, board, sender.sent)
            sender.send(Changes(*lane), [item for item in push.items if item.board == board])
            sender.create(board, [create for create in push.creates if create.board == board])
            sender.send(Archives(*lane), [key for key in push.archives if key[0] == board])
        sender.settle()
    finally:
        with suppress(SyncError):  # a lease that was lost, or a database that is away: the journal tells the next run
            sender.flush()
    return sender.sent


def _count_beforehand(run: Run, push: Push) -> None:
    """Count what the plan will need; where today has not that many left, as many whole batches are sent as fit.

    Raises Unavailable where not even one does.
    """
    needed = writing_calls(push)
    if run.calls.fits(needed):
        run.calls.need(needed)
    elif not run.calls.fits(LEAST):
        raise Unavailable(run.calls.refusal(needed, "nothing was sent"))


def writing_calls(push: Push) -> int:
    """What it takes to send a plan: its batches, and what is read after them."""
    requests = 0
    for board in BOARDS:
        changes = sum(item.board == board for item in push.items)
        creates = sum(create.board == board for create in push.creates)
        archives = sum(key[0] == board for key in push.archives)
        requests += -(-changes // Changes.first) + -(-creates // Creates.first) + -(-archives // Archives.first)
        requests += _reads(changes, creates)
    return requests


def _reads(changes: int, creates: int) -> int:
    """New items are read once, and what the writes replaced is looked up in the activity log."""
    return -(-creates // LARGEST_PAGE) + -(-changes // LARGEST_PAGE)


def _claim(run: Run, start: RunStart, found: PreparedPush) -> None:
    """Let the boards name this database, before the first write or because it was told to take them over."""
    push, shown = found.push, found.boards
    if shown is None and run.options.rebind_db:
        shown = run.client.look({})
        refuse_claimed(run, start, shown.marked)
    if shown is not None and (push.items or push.creates or push.archives or run.options.rebind_db):
        claim(run, start, shown.marked)


def _not_whole(why: str) -> str:
    return f"what follows from the edit in the rest of the row is refused by the database ({why}): correct the row"


class _Sender:
    def __init__(self, run: Run, start: RunStart, found: PreparedPush, stop: StopSignal) -> None:
        self._run, self._start, self._found, self._stop = run, start, found, stop
        self._later: list[WriteResult] = []
        self._unread: set[int] = set()
        self._writable: set[str] = set()
        self._seen_to_fit = False
        self._gate = partial(require_lease, run)
        self.sent = Sent()

    def link(self) -> None:
        """The ids of items that are there already into the rows they were made of: the next read takes them up."""
        linked: dict[str, dict[RowId, int]] = {}
        for (board, row), item_id in self._found.push.linked.items():
            layout = self._run.layouts[board]
            linked.setdefault(layout.record.table, {})[row] = item_id

        def work(tx: Transaction) -> None:
            for table, items in linked.items():
                link_rows(tx, table, items)
                now = items_of_rows(tx, table, items)  # a trigger may have had its way
                made = [
                    changes.linked_change(self._run.layouts[board], row, item_id)
                    for (board, row), item_id in sorted(self._found.push.linked.items())
                    if items.get(row) == now.get(row) == item_id
                ]
                add_changes(tx, self._run.layouts, self._run.run_id, made)

        if linked:
            in_fenced_transaction(self._run, work, "linking rows to their items")

    def prepare(self) -> None:
        """Make the rows whole, and leave out what a person edited since it was read."""
        push, edits = self._found.push, self._found.edits
        told = {row for item in push.items for row in item.causes.values()}
        tables = {row: table for row, table in edits.changed.items() if row in told}
        for create in push.creates:
            layout = self._run.layouts[create.board]
            tables[create.row] = layout.record.table
        if not tables and not any(push.completed.values()):
            return
        items = changes.items_of_rows(push.items)

        def work(tx: Transaction) -> Prepared:
            prepared = prepare_rows(tx, self._start.present, tables, edits.hashes, push.completed)
            made = changes.derived_changes(prepared.completed, items)
            add_changes(tx, self._run.layouts, self._run.run_id, made)
            return prepared

        self.sent.prepared = prepared = in_fenced_transaction(self._run, work, "completing the edited rows")
        self.sent.undelivered |= prepared.moved | prepared.refused.keys()
        self._leave_out()

    def _leave_out(self) -> None:
        """Items that tell of a row which is not what it was, or which the database would not make whole."""
        push, prepared, unsure = self._found.push, self.sent.prepared, self.sent.undelivered
        left = [item for item in push.items if unsure & set(item.causes.values())]
        for item in left:
            self.sent.undelivered = self.sent.undelivered | set(item.causes.values())
            why = next((prepared.refused[row] for row in item.causes.values() if row in prepared.refused), None)
            self.sent.refused += [
                Rejection(item.board, item.id, name, _not_whole(why), "") for name in item.cells if why
            ]
        push.items = [item for item in push.items if item not in left] if left else push.items
        for create in push.creates:
            if create.row in prepared.refused:
                layout = self._run.layouts[create.board]
                place = f"{layout.record.table}.{create.row}"
                self.sent.refused.append(
                    Rejection(create.board, 0, place, _not_whole(prepared.refused[create.row]), "")
                )
        push.creates = [create for create in push.creates if create.row not in unsure]

    def create(self, board: str, new: Sequence[ItemCreate]) -> None:
        """New items, many of them as a file where the board has the marker; then they are read and remembered."""
        marked = self._found.boards is not None and has_marker(self._found.boards.schemas[board])
        lane = Creates(self._run, self._start, board, self.sent, marked=marked)
        if marked and len(new) >= BULK_FROM and self._may_go_on(JOB, len(new), lane, new):
            self.flush()
            bulk = Bulk(self._run, self._start, self._found, self._gate)
            new = bulk.create(board, new)
            for number, op, create in bulk.made:
                lane.keep(number, op, create)
            for number, create in bulk.doubtful:
                self._leave_unread(lane, number, create)
        self.send(lane, new)
        if lane.made:
            self.flush()
            record_created(self._run, self._start, self._run.client, board, list(lane.made.values()), late=False)

    def settle(self) -> None:
        """Read the items of which an answer did not show whether they were written: it came, so nothing runs late."""
        if not self.sent.unsettled:
            return
        self.flush()
        boards = {board_id: board for board, board_id in self._run.board_ids.items()}
        unread = self._open(self._unread)
        for batch in unread:
            if batch.kind == "change":
                self.sent.updated += len(self._settler().read_changes(boards[batch.board_id], batch))
        left = [batch for batch in unread if batch.kind != "change"]
        self.sent.unsettled = bool(left)
        if left:
            self._run.report.notes.append(in_doubt(left, "this run"))

    def flush(self) -> None:
        """Record what is known and was to go with the next batch."""
        if self._later:
            in_fenced_transaction(self._run, self._write_later, "recording what was sent")
            self._later.clear()

    # Batches

    def send(self, lane: WriteKind[S], subjects: Sequence[S]) -> None:
        """All subjects of one lane, in as many batches as it takes."""
        if not subjects:
            return
        waiting, size = deque(subjects), BatchSize(lane.first, lane.most)
        tries: dict[int, int] = {}
        self._run.progress.board_total(f"{lane.board}: {lane.kind}", len(subjects))
        while waiting and self._may_go_on(1, min(size.now, len(waiting)), lane, waiting):
            with self._stop.finishing():
                part = [waiting.popleft() for _ in range(min(size.now, len(waiting)))]
                outcome, answer = self._deliver(lane, part, size)
                if answer is None:  # nothing ran, or it is known what did
                    waiting.extendleft(reversed(part))
                    continue
                again = self._take(lane, part, answer.results, outcome, tries)
                self._later.append(outcome)
                waiting.extend(again)
                self._stop_if_full(lane, waiting, answer.results)
                self._run.progress.advance(f"{lane.board}: {lane.kind}", len(part) - len(again))
                self._refuse_misfit(lane.board, part, answer.results)

    def _may_go_on(self, calls: int, items: int, lane: WriteKind[S], waiting: Collection[S]) -> bool:
        """Whether another request, and what has to be read after it, fits into the calls of today. Where it does not,
        the rest waits for another day."""
        if not self.sent.stopped:
            changes = Counter(item.board for item in self.sent.delivered)
            creates = Counter(create.board for create in self.sent.new)
            (creates if lane.kind == "create" else changes)[lane.board] += items
            after = sum(_reads(changes[board], creates[board]) for board in self._run.board_ids)
            if self._run.calls.fits(calls + after):
                return True
            self.sent.stopped = self._run.calls.refusal(calls + after, "what was sent before is kept")
        for subject in waiting:
            lane.hold(subject)
        return False

    def _deliver(self, lane: WriteKind[S], part: list[S], size: BatchSize) -> tuple[WriteResult, Answered | None]:
        """Journal and send one batch. Without an answer `part` keeps what is to be sent again."""
        client = self._run.client
        batch = client.writer.batch(lane.board, [lane.op(subject) for subject in part], salt=self._run.run_id)
        entries = [lane.entry(subject, place) for place, subject in enumerate(part)]
        place, sender = (self._run.run_id, lane.layout.board_id), self._found.sender(client)

        def write_down(tx: Transaction) -> int:  # with what the batch before made known: one transaction a batch
            self._write_later(tx)
            return journal.keep_batch(tx, *place, batch.kind, batch.key, batch.body, entries, sender)

        number = in_fenced_transaction(self._run, write_down, "keeping the journal")
        self._later.clear()
        try:
            answer = client.writer.send(batch, gate=self._gate)
        except TooLarge as error:
            self._forget(number)
            if len(part) == 1:
                raise SyncError(
                    f"One item of the {lane.board} board alone is too much for a request: report it."
                ) from error
            size.too_large(len(part))
            return WriteResult(number), None
        except Doubtful as doubt:
            if doubt.fault is None or not is_internal(doubt.fault):
                raise doubt.error from doubt
            self._narrow_down(lane, number, part, size, doubt.fault)
            return WriteResult(number), None
        except SyncError:
            self._forget(number)
            raise
        if not answer.replayed:
            size.took(len(part), answer.took_s, answer.points)
        return WriteResult(number), answer

    def _narrow_down(self, lane: WriteKind[S], number: int, part: list[S], size: BatchSize, fault: ApiFault) -> None:
        """monday fails inside, again and again: it may be one item's fault (monday docs), so fewer go at once, and one
        that fails alone is set aside."""
        if lane.in_doubt == "leave":
            while part:
                self._leave_unread(lane, number, part.pop())
            return
        if lane.in_doubt == "look":
            written = self._settler().read_changes(lane.board, self._open([number])[0])
            part[:] = [subject for subject in part if not lane.seen(subject, written)]
        else:
            self._forget(number)
        if len(part) == 1:
            lane.set_aside(part.pop(), fault, known=False)
        size.too_large(max(2, len(part)))

    def _leave_unread(self, lane: WriteKind[S], number: int, subject: S) -> None:
        """Written or not: the journal keeps it until that is certain."""
        self.sent.unsettled = True
        self._unread.add(number)
        lane.hold(subject)

    def _settler(self) -> JournalRecovery:
        return JournalRecovery(self._run, self._start, self._run.client, Recovered())

    def _open(self, numbers: Collection[int]) -> list[OpenBatch]:
        """These batches, as the journal has them."""
        batches = self._run.database.transact(journal.open_batches, read_only=True, label="reading the journal")
        return [batch for batch in batches if batch.number in numbers]

    def _write_later(self, tx: Transaction) -> None:
        for outcome in self._later:
            write_outcome(self._run, tx, outcome)

    def _forget(self, number: int) -> None:
        """Nothing of a batch ran: the journal lets it go."""
        in_fenced_transaction(self._run, partial(journal.drop_ops, number=number), "clearing the journal")

    # What became of each

    def _take(
        self,
        lane: WriteKind[S],
        part: Sequence[S],
        results: Sequence[Result],
        outcome: WriteResult,
        tries: dict[int, int],
    ) -> list[S]:
        """Settle what was answered; those that are to be tried again. `tries` counts by the subject's identity."""
        again: list[S] = []
        for place, (subject, result) in enumerate(zip(part, results, strict=True)):
            if result.item is not None:
                lane.take(subject, result.item, place, outcome)
                continue
            assert result.fault is not None
            tries[id(subject)] = tries.get(id(subject), 0) + 1
            if self._failed(lane, subject, result.fault, outcome, place, last=tries[id(subject)] >= TRIES):
                again.append(subject)
        return again

    def _failed(
        self, lane: WriteKind[S], subject: S, fault: ApiFault, outcome: WriteResult, place: int, *, last: bool
    ) -> bool:
        """Settle one that monday did not carry out; True when it is to be tried again."""
        action = fault.rule.action
        if action is Action.READ_BACK:
            self._leave_unread(lane, outcome.number, subject)
            return False
        outcome.places.append(place)
        if action in RETRIED and not last:
            self._run.client.transport.pace.pause(fault.told_wait_s or fault.rule.wait_s or 1)
            return True
        if action is Action.ITEM_GONE and lane.vanished(subject):
            return False
        if action is Action.VALUE_REFUSED and lane.without(subject, fault):
            return bool(lane.left(subject))
        lane.set_aside(subject, fault, known=action not in RETRIED and action is not Action.BOARD_FULL)
        return False

    def _stop_if_full(self, lane: WriteKind[S], waiting: deque[S], results: Sequence[Result]) -> None:
        """Set aside the other new items of a board that takes none: each would be refused and paid for."""
        faults = (result.fault for result in results if result.fault is not None)
        full = next((fault for fault in faults if fault.rule.action is Action.BOARD_FULL), None)
        while full is not None and waiting:
            lane.set_aside(waiting.popleft(), full, known=False)

    def _refuse_misfit(self, board: str, part: Sequence[S], results: Sequence[Result]) -> None:
        """Raise where it is not one item's fault: the user may not write, or the board is not as mapped any more."""
        faults = [result.fault for result in results if result.fault is not None]
        drift = [fault for fault in faults if fault.rule.action is Action.FATAL_DRIFT]
        denied = [fault for fault in faults if fault.rule.action is Action.FATAL_ACCESS]
        if drift or (len(denied) == len(part) > 1 and board not in self._writable):
            raise sentence((drift or denied)[0], datetime.now(UTC), boards={board: self._run.board_ids[board]})
        if len(faults) < len(part):
            self._writable.add(board)
        if not self._seen_to_fit and any(fault.rule.action is Action.VALUE_REFUSED for fault in faults):
            self._seen_to_fit = True  # a column of another type refuses each value: that is looked for once a run
            refuse_drift(self._run, self._start, self._run.client.look({}).schemas)
