"""Carries a push out: journal, send, record, one batch after the other and one writer a board.

Between two batches a signal may stop the run, and a kill anywhere leaves a journal that the next run settles.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import timing
from cli.main import StopSignal
from cli.run import Run
from models import RowId
from monday.errors import RETRIED, Action, Doubtful, Fault, sentence
from monday.writing import Answered, Archive, Batch, BatchSize, Change, Create, Op, Result, TooLarge
from monday_api import MARKER
from opening.begin import Start
from outbound.bulk import BULK_FROM, Bulk
from outbound.find import Found
from outbound.record import Outcome, fenced, gate, view_of, write_outcome
from outbound.recover import Recovered, Settler, in_doubt, meet
from postgres import journal
from postgres.journal import OpenBatch
from postgres.push import Prepared, prepare_rows
from postgres.transaction import Transaction
from reconcile.errors import SyncError
from reconcile.ops import change_op, changed_base, create_op
from reconcile.push import ItemCreate, ItemPush, Refused, input_of
from reconcile.world import ItemKey

logger = logging.getLogger(__name__)

TRIES = 3
CHANGES_AT_FIRST, MOST_CHANGES = 25, 100
CREATES_AT_FIRST, MOST_CREATES = 10, 50


@dataclass(slots=True)
class Sent:
    """What one run sent. `undelivered` are rows that still have something to tell, `gone` items that vanished,
    `unsettled` whether the journal keeps something for the next run; `first_at` monday's time of the first write."""

    updated: int = 0
    created: int = 0
    archived: int = 0
    cells: int = 0
    refused: list[Refused] = field(default_factory=list)
    delivered: list[ItemPush] = field(default_factory=list)
    new: list[ItemCreate] = field(default_factory=list)
    undelivered: set[RowId] = field(default_factory=set)
    gone: list[ItemKey] = field(default_factory=list)
    prepared: Prepared = field(default_factory=Prepared)
    unsettled: bool = False
    first_at: datetime | None = None


@dataclass(slots=True)
class _Task:
    """One op on its way, and how often monday failed to carry it out."""

    op: Op
    content: journal.Content
    row: RowId | None
    item: ItemPush | ItemCreate | ItemKey
    tries: int = 0


@timing.timed("push")
def send(run: Run, start: Start, found: Found, stop: StopSignal) -> Sent:
    """Everything of a plan; what cannot be sent is in the result. Raises SyncError when the rest cannot go on."""
    sender = _Sender(run, start, found, stop)
    sender.prepare()
    try:
        for board in run.board_ids:
            sender.changes(board)
            sender.creates(board)
            sender.archives(board)
        sender.settle()
    finally:
        with suppress(SyncError):  # a lease that was lost, or a database that is away: the journal tells the next run
            sender.flush()
    return sender.sent


class _Sender:
    def __init__(self, run: Run, start: Start, found: Found, stop: StopSignal) -> None:
        self._run, self._start, self._found, self._stop = run, start, found, stop
        self._later: list[Outcome] = []
        self._unmet: dict[int, OpenBatch] = {}
        self._unread: set[int] = set()
        self._writable: set[str] = set()
        self._gate = partial(gate, run)
        self.sent = Sent()

    def prepare(self) -> None:
        """Make the rows whole, and leave out what a person edited since it was read."""
        push, edits = self._found.push, self._found.edits
        tables = {
            row: edits.changed[row] for item in push.items for row in item.causes.values() if row in edits.changed
        }
        for create in push.creates:
            layout = self._run.layouts[create.board]
            tables[create.row] = layout.slots[layout.record].table
        if not tables and not any(push.completed.values()):
            return
        work = partial(
            prepare_rows,
            present=self._start.present,
            tables=tables,
            hashes=edits.hashes,
            completed=push.completed,
        )
        self.sent.prepared = prepared = fenced(self._run, work, "completing the edited rows")
        unsure = prepared.moved | prepared.refused.keys()
        if not unsure:
            return
        for item in push.items:
            why = next((prepared.refused[row] for row in item.causes.values() if row in prepared.refused), None)
            reason = f"the database would not take the row made whole ({why}): correct the row"
            self.sent.refused += [Refused(item.board, item.id, name, reason, "") for name in item.cells if why]
        self.sent.undelivered |= unsure
        for item in push.items:
            if unsure & set(item.causes.values()):
                self.sent.undelivered |= set(item.causes.values())
        push.items = [item for item in push.items if not unsure & set(item.causes.values())]
        push.creates = [create for create in push.creates if create.row not in unsure]

    def changes(self, board: str) -> None:
        layout = self._run.layouts[board]
        tasks = [
            _Task(self._change(item), change_op(item, layout), None, item)
            for item in self._found.push.items
            if item.board == board
        ]
        self._send_all(board, "change", tasks, BatchSize(CHANGES_AT_FIRST, MOST_CHANGES), self._changed)

    def creates(self, board: str) -> None:
        layout = self._run.layouts[board]
        new = [create for create in self._found.push.creates if create.board == board]
        marked = self._found.boards is not None and MARKER in self._found.boards.schemas[board].columns
        if marked and len(new) >= BULK_FROM:
            self.flush()
            bulk = Bulk(self._run, self._start, self._found, self._gate)
            new = bulk.create(board, new)
            for number, op, create in bulk.made:
                self._made(board, number, op)
                self._counted(create)
            for number, create in bulk.doubtful:
                self.sent.unsettled = True
                self._unread.add(number)
                self.sent.undelivered.add(create.row)
        tasks = [
            _Task(
                Create(create.name, create.values | ({MARKER: create.row} if marked else {}), self._labels(create)),
                create_op(create, layout),
                create.row,
                create,
            )
            for create in new
        ]
        self._send_all(board, "create", tasks, BatchSize(CREATES_AT_FIRST, MOST_CREATES), self._created)
        self._meet(board)

    def archives(self, board: str) -> None:
        tasks = [_Task(Archive(key[1]), None, None, key) for key in self._found.push.archives if key[0] == board]
        self._send_all(board, "archive", tasks, BatchSize(CHANGES_AT_FIRST, MOST_CHANGES), self._archived)

    def settle(self) -> None:
        """Read the items of which an answer did not show whether they were written: it came, so nothing runs late."""
        if not self.sent.unsettled:
            return
        self.flush()
        boards = {board_id: board for board, board_id in self._run.board_ids.items()}
        unread = self._open(self._unread)
        for batch in unread:
            if batch.kind == "change":
                self.sent.updated += len(self._settler().changes(boards[batch.board_id], batch, resend=False))
        left = [batch for batch in unread if batch.kind != "change"]
        self.sent.unsettled = bool(left)
        if left:
            self._run.report.notes.append(in_doubt(left, "this run"))

    def flush(self) -> None:
        """Record what is known and was to go with the next batch."""
        if self._later:
            fenced(self._run, self._write_later, "recording what was sent")
            self._later.clear()

    # Batches

    def _send_all(
        self,
        board: str,
        kind: Any,
        tasks: Sequence[_Task],
        size: BatchSize,
        take: Callable[[str, _Task, Result, Outcome, int], None],
    ) -> None:
        waiting, total, done = deque(tasks), len(tasks), 0
        self._run.progress.board_total(f"{board}: {kind}", total) if total else None
        while waiting:
            with self._stop.finishing():
                part = [waiting.popleft() for _ in range(min(size.now, len(waiting)))]
                outcome, answer = self._deliver(board, kind, part, size)
                if answer is None:  # nothing ran, or it is known what did
                    waiting.extendleft(reversed(part))
                    continue
                again: list[_Task] = []
                for place, (task, result) in enumerate(zip(part, answer.results, strict=True)):
                    if result.item is not None:
                        take(board, task, result, outcome, place)
                    elif self._failed(board, task, result.fault, outcome, place):
                        again.append(task)
                self._later.append(outcome)
                waiting.extend(again)
                done += len(part) - len(again)
                self._stop_if_full(board, waiting, answer.results)
                self._run.progress.advance(f"{board}: {kind}", len(part) - len(again))
                self._refuse_denied(board, part, answer.results)

    def _deliver(self, board: str, kind: Any, part: list[_Task], size: BatchSize) -> tuple[Outcome, Answered | None]:
        client = self._run.client
        batch = client.writer.batch(board, [task.op for task in part], salt=self._run.run_id)
        number = self._write_down(board, batch, part)
        outcome = Outcome(number)
        try:
            answer = client.writer.send(batch, gate=self._gate)
        except TooLarge as error:
            self._forget(number)
            if len(part) == 1:
                raise SyncError(f"One item of the {board} board alone is too much for a request: report it.") from error
            size.too_large(len(part))
            return outcome, None
        except Doubtful as doubt:
            if doubt.fault is None or not _is_internal(doubt.fault):
                raise doubt.error from doubt
            self._narrow_down(board, kind, number, part, size, doubt.fault)
            return outcome, None
        except SyncError:
            self._forget(number)
            raise
        if not answer.replayed:
            size.took(len(part), answer.took_s, answer.points)
        return outcome, answer

    def _narrow_down(
        self, board: str, kind: Any, number: int, part: list[_Task], size: BatchSize, fault: Fault
    ) -> None:
        """monday fails inside, again and again: it may be one item's fault (monday docs), so fewer go at once, and one
        that fails alone is set aside. `part` keeps those that are to be sent again."""
        if kind == "create":  # made or not: nothing tells so soon, and none may be made twice
            self.sent.unsettled = True
            self._unread.add(number)
            while part:
                self._hold(part.pop())
            return
        if kind == "archive":  # harmless to repeat
            self._forget(number)
        else:
            written = self._settler().changes(board, self._open([number])[0], resend=False)
            done = [task for task in part if _item_id(task.item) in written]
            for task in done:
                assert isinstance(task.item, ItemPush)
                self._delivered(task.item)
            part[:] = [task for task in part if task not in done]
        if len(part) == 1:
            self._set_aside(board, part.pop(), fault, input_known=False)
        size.too_large(max(2, len(part)))

    def _settler(self) -> Settler:
        return Settler(self._run, self._start, self._run.client, Recovered())

    def _open(self, numbers: Collection[int]) -> list[OpenBatch]:
        """These batches, as the journal has them."""
        batches = self._run.database.transact(journal.open_batches, read_only=True, label="reading the journal")
        return [batch for batch in batches if batch.number in numbers]

    def _write_down(self, board: str, batch: Batch, part: Sequence[_Task]) -> int:
        """The journal entry, together with what the batch before made known: one transaction a batch."""
        layout = self._run.layouts[board]
        ops = [journal.Op(place, _item_id(task.item), task.row, task.content) for place, task in enumerate(part)]

        def work(tx: Transaction) -> int:
            self._write_later(tx)
            return journal.keep_batch(tx, self._run.run_id, layout.board_id, batch.kind, batch.key, batch.body, ops)

        number = fenced(self._run, work, "keeping the journal")
        self._later.clear()
        return number

    def _write_later(self, tx: Transaction) -> None:
        for outcome in self._later:
            write_outcome(self._run, tx, outcome)

    def _forget(self, number: int) -> None:
        """Nothing of a batch ran: the journal lets it go."""
        fenced(self._run, partial(journal.drop_ops, number=number), "clearing the journal")

    # What became of an op

    def _changed(self, board: str, task: _Task, result: Result, outcome: Outcome, place: int) -> None:
        item, layout = task.item, self._run.layouts[board]
        assert isinstance(item, ItemPush)
        assert result.item is not None
        view = view_of(self._run, self._start, board, result.item, as_page=True)
        op = change_op(item, layout)
        outcome.places.append(place)
        outcome.bases.append(changed_base(op, item.remembered(), view, layout, waits=item.inbound or item.open))
        outcome.conflicts += item.conflicts
        self.sent.first_at = min(self.sent.first_at or view.updated_at, view.updated_at)
        self._delivered(item)

    def _delivered(self, item: ItemPush) -> None:
        self.sent.updated += 1
        self.sent.cells += len(item.cells)
        self.sent.delivered.append(item)

    def _created(self, board: str, task: _Task, result: Result, outcome: Outcome, place: int) -> None:
        create, layout = task.item, self._run.layouts[board]
        assert isinstance(create, ItemCreate)
        assert result.item is not None
        outcome.table = layout.slots[layout.record].table
        outcome.created.append((place, create.row, result.item.id))
        self._made(board, outcome.number, journal.Op(place, result.item.id, create.row, task.content))
        self._counted(create)
        self.sent.refused += [_at(result.item.id, cell) for cell in create.refused]

    def _counted(self, create: ItemCreate) -> None:
        layout = self._run.layouts[create.board]
        self.sent.created += 1
        self.sent.cells += len(create.cells)
        self.sent.new.append(create)
        uncarried = (create.links[layout.fields[number].slot] for number in create.uncarried)
        self.sent.undelivered |= {row for row in uncarried if row is not None}

    def _made(self, board: str, number: int, op: journal.Op) -> None:
        nothing = OpenBatch(number, self._run.board_ids[board], "create", "", "", None, 0.0, None)
        self._unmet.setdefault(number, nothing).ops.append(op)

    def _meet(self, board: str) -> None:
        """Read the items that were made, and remember them."""
        if self._unmet:
            self.flush()
            meet(self._run, self._start, self._run.client, board, list(self._unmet.values()), late=False)
            self._unmet.clear()

    def _archived(self, board: str, task: _Task, result: Result, outcome: Outcome, place: int) -> None:
        assert result.item is not None
        outcome.places.append(place)
        outcome.archived.append((board, result.item.id))
        self.sent.archived += 1

    def _failed(self, board: str, task: _Task, fault: Fault | None, outcome: Outcome, place: int) -> bool:
        """Settle one op that monday did not carry out; True when it is to be tried again."""
        assert fault is not None
        action, item = fault.rule.action, task.item
        if action is Action.READ_BACK:  # written or not: the end of the run reads the item
            self.sent.unsettled = True
            self._unread.add(outcome.number)
            self._hold(task)
            return False
        outcome.places.append(place)
        task.tries += 1
        if action in RETRIED and task.tries < TRIES:
            self._run.client.transport.pace.pause(fault.told_wait_s or fault.rule.wait_s or 1)
            return True
        if action is Action.ITEM_GONE and not isinstance(item, ItemCreate):
            self.sent.gone.append((board, _item_id(item) or 0))
            self._hold(task)
            return False
        if action is Action.VALUE_REFUSED and isinstance(item, ItemPush | ItemCreate):
            column_id = _column_of(fault, item)
            if column_id is not None and self._without(board, task, column_id, fault):
                return True
        self._set_aside(board, task, fault, input_known=action not in RETRIED)
        return False

    def _without(self, board: str, task: _Task, column_id: str, fault: Fault) -> bool:
        """Leave one refused cell out, so that the others of its item land; False when nothing is left to send."""
        item, layout = task.item, self._run.layouts[board]
        self.sent.refused.append(_refused(board, item, column_id, fault))
        if isinstance(item, ItemCreate):
            numbers = [n for n, shape in enumerate(layout.fields) if column_id in shape.cells]
            item.uncarried |= set(numbers)
            for number in numbers:
                for cell in layout.fields[number].cells:
                    item.cells.pop(cell, None)
            item.refused.append(self.sent.refused.pop())
            assert isinstance(task.op, Create)
            values = {name: form for name, form in task.op.values.items() if name in item.cells or name == MARKER}
            task.op, task.content = Create(item.name, values, task.op.create_labels), create_op(item, layout)
            return True
        assert isinstance(item, ItemPush)
        causes = set(item.causes.values())
        item.drop(column_id, layout)
        self.sent.undelivered |= causes
        if not item.cells:
            return False
        task.op, task.content = self._change(item), change_op(item, layout)
        return True

    def _set_aside(self, board: str, task: _Task, fault: Fault, *, input_known: bool) -> None:
        """A person has to look at what monday refused; the other items go on."""
        item = task.item
        if isinstance(item, ItemPush):
            self.sent.refused += [_refused(board, item, name, fault, known=input_known) for name in item.cells]
        elif isinstance(item, ItemCreate):
            layout = self._run.layouts[board]
            place = f"{layout.slots[layout.record].table}.{item.row}"
            self.sent.refused.append(Refused(board, 0, place, _why(fault, sticks=False), ""))
        else:
            self.sent.refused.append(Refused(board, item[1], "", _why(fault, sticks=False), ""))
        self._hold(task)

    def _hold(self, task: _Task) -> None:
        if isinstance(task.item, ItemPush):
            self.sent.undelivered |= set(task.item.causes.values())
        elif isinstance(task.item, ItemCreate):
            self.sent.undelivered.add(task.item.row)

    def _stop_if_full(self, board: str, waiting: deque[_Task], results: Sequence[Result]) -> None:
        """Set aside the other new items of a board that takes none: each would be refused and paid for."""
        faults = (result.fault for result in results if result.fault is not None)
        full = next((fault for fault in faults if fault.rule.action is Action.BOARD_FULL), None)
        while full is not None and waiting:
            self._set_aside(board, waiting.popleft(), full, input_known=False)

    def _refuse_denied(self, board: str, part: Sequence[_Task], results: Sequence[Result]) -> None:
        """Raise where it is not one item's fault: the user may not write, or the board is not as mapped any more."""
        faults = [result.fault for result in results if result.fault is not None]
        drift = [fault for fault in faults if fault.rule.action is Action.FATAL_DRIFT]
        denied = [fault for fault in faults if fault.rule.action is Action.FATAL_ACCESS]
        if drift or (len(denied) == len(part) > 1 and board not in self._writable):
            raise sentence((drift or denied)[0], datetime.now(UTC))
        if len(faults) < len(part):
            self._writable.add(board)

    def _change(self, item: ItemPush) -> Change:
        return Change(item.id, item.values, self._labels(item))

    def _labels(self, item: ItemPush | ItemCreate) -> bool:
        """Whether a label may have to be made on the way."""
        return self._run.options.create_labels and any("label" in (form or ()) for form in item.values.values())


def _item_id(item: ItemPush | ItemCreate | ItemKey) -> int | None:
    if isinstance(item, ItemPush):
        return item.id
    return None if isinstance(item, ItemCreate) else item[1]


def _column_of(fault: Fault, item: ItemPush | ItemCreate) -> str | None:
    """The column that monday's answer names, if it is one of those that were sent."""
    details = fault.details if isinstance(fault.details, list) else [fault.details]
    for entry in details:
        if not isinstance(entry, Mapping):
            continue
        named = entry.get("column_id") or entry.get("columnId") or next(iter(entry.get("columnIds") or ()), None)
        if named in item.cells:
            return str(named)
    only = list(item.cells)
    return only[0] if len(only) == 1 else None


def _refused(
    board: str, item: ItemPush | ItemCreate | ItemKey, column_id: str, fault: Fault, *, known: bool = True
) -> Refused:
    assert isinstance(item, ItemPush | ItemCreate)
    digest = input_of(item.cells[column_id].after) if known else ""
    return Refused(board, _item_id(item) or 0, column_id, _why(fault, sticks=known), digest)


def _is_internal(fault: Fault) -> bool:
    """Whether monday failed inside, which may be one item's fault; it comes with HTTP 200 too (monday docs)."""
    return fault.status == 500 or fault.code.casefold() == "internal_server_error"


_REMEDIES = {
    Action.VALUE_REFUSED: "correct the value in PostgreSQL, or the column on the board",
    Action.FATAL_ACCESS: "give the user access to the item and its columns",
    Action.BOARD_FULL: "make room on the board",
}


def _why(fault: Fault, *, sticks: bool) -> str:
    """Why monday would not, in words without the value, and what to do about it; a refusal that `sticks` is tried again
    only when the value changes, or on request."""
    code = fault.was or fault.code
    told = f" ({code})" if code and not code.startswith("x-") else ""
    remedy = _REMEDIES.get(fault.rule.action, "look at the item")
    again = "then run with --retry-dead" if sticks else "the next run tries again"
    return f"monday.com {fault.rule.says}{told}: {remedy}; {again}"


def _at(item_id: int, cell: Refused) -> Refused:
    return Refused(cell.board, item_id, cell.column_id, cell.reason, cell.input)
