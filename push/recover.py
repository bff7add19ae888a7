"""Settles what an earlier run left unfinished, first of all and in both directions: reads what `reconcile.recovery`
decides on, and carries its decisions out.

Every step is a read, or a write that cannot happen twice, so that recovery can itself be killed anywhere.
"""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

import timing
from models import RowId
from monday.completeness import Gone
from monday.current import CurrentBoards
from monday.errors import Action
from monday.writing import Batch, Doubtful, Result, TooLarge
from monday_api import MARKER, MondayClient
from postgres import journal
from postgres.bases import items_of_rows, read_bases
from postgres.by_hand import forget_created
from postgres.transaction import Transaction
from postgres.write_push import note_refused, register_rows, taken_items
from push.bulk import made_by
from push.claim import is_anothers, refuse_claimed
from push.lost import made_since, marker_tells
from push.record import WriteResult, in_fenced_transaction, require_lease, state_of, write_outcome
from reconcile import recovery
from reconcile.changes import op_changes
from reconcile.errors import DriftError, LeaseHeld
from reconcile.journal_ops import ChangeOp, CreateOp, JournalOp, OpenBatch, Seen, changed_base, created_base, seen
from reconcile.push_plan import AMBIGUOUS, Rejection
from reconcile.recovery import Answer, Candidates, OpDecision, Step, StepChoice, WriteState
from reconcile.types import ItemBase, ItemKey, ItemState
from run.context import PUSH, Run
from run.report import counted
from run.start import RunStart
from run.version import heed_version

logger = logging.getLogger(__name__)

_NUMBERED: Final = re.compile(r"(item|name)\d+")  # one variable of every op of a batch


@dataclass(slots=True)
class Recovered:
    """What came of an unfinished journal: how many ops were found carried out, and how many not.

    `waiting` are requests that are certain in time, `undecided` those of which a person has to say what they made.
    """

    done: int = 0
    dropped: int = 0
    waiting: list[OpenBatch] = field(default_factory=list)
    undecided: list[OpenBatch] = field(default_factory=list)
    refused: list[Rejection] = field(default_factory=list)

    @property
    def unfinished(self) -> list[OpenBatch]:
        """All that the journal keeps: its items and rows are left alone."""
        return [*self.waiting, *self.undecided]


@timing.timed("recover")
def recover(run: Run, start: RunStart, *, again: bool = False) -> Recovered:
    """Settle the journal; nothing where it is empty, which costs nothing. A dry run, a replay and a
    pull into a database to which the boards do not belong only tell of it: what the journal holds is another's.

    `again`: at the end of a push that left something in it.
    """
    recovered = Recovered()
    if not start.sync_state.unfinished and not again:
        return recovered
    batches = run.database.transact(journal.open_batches, read_only=True, label="reading the journal")
    if not batches and not run.dry:
        in_fenced_transaction(run, journal.drop_empty, "clearing the journal")
    reads_only = run.dry or run.options.replays or bool(start.owned.foreign)
    first_step = partial(recovery.first_step, boards=run.board_ids.values(), reads_only=reads_only)
    if any(first_step(batch).step is Step.SETTLE for batch in batches):
        with run.writing_client() as client:
            claimed, version_known = _lost_boards(run, start, client), heed_version(run, client)
            first_step = partial(first_step, claimed=claimed, version_known=version_known)
            settler = JournalRecovery(run, start, client, recovered)
            for batch in batches:
                settler.settle(batch, first_step(batch))
            settler.record_created()
    else:
        recovered.waiting = batches
    _tell(run, recovered)
    return recovered


def _lost_boards(run: Run, start: RunStart, client: MondayClient) -> set[int]:
    """Boards that another database has taken over since: nothing of this one's journal is sent to them any more.

    Raises UnsafePlan in a push, which has no business there.
    """
    marked = client.look({}).marked
    if run.report.direction == PUSH:
        refuse_claimed(run, start, marked)
        return set()
    return {run.board_ids[board] for board, text in marked.items() if is_anothers(start, board, text)}


def _tell(run: Run, recovered: Recovered) -> None:
    if settled := recovered.done + recovered.dropped:
        run.report.notes.append(
            f"An earlier run was cut short: {counted(settled, 'write')} of it "
            f"{'was' if settled == 1 else 'were'} settled first ({recovered.done:,} had been "
            f"carried out, {recovered.dropped:,} had not)."
        )
    boards = run.board_ids.values()
    waiting = [batch for batch in recovered.waiting if batch.board_id in boards]
    if waiting:
        run.report.notes.append(in_doubt(waiting, "an earlier run"))


def in_doubt(batches: Sequence[OpenBatch], whose: str) -> str:
    """The sentence about writes that the journal keeps."""
    return (
        f"{counted(sum(len(batch.ops) for batch in batches), 'write')} of {whose} may or may not have been carried out "
        "by monday.com: the items concerned are left alone until that is certain, within 40 minutes."
    )


class JournalRecovery:
    """Settles batches one by one, on a connection that may write."""

    def __init__(self, run: Run, start: RunStart, client: MondayClient, recovered: Recovered) -> None:
        self._run, self._start, self._client, self.recovered = run, start, client, recovered
        self._boards = {board_id: board for board, board_id in run.board_ids.items()}
        self._gate = partial(require_lease, run)
        self._created: list[tuple[str, OpenBatch]] = []
        self._doubtful: set[int] = set()
        """Items that may be the new one of a request, or of several: a person has to say so."""

    def settle(self, batch: OpenBatch, first: StepChoice) -> None:
        """Bring one batch to its end, or leave it where that is not certain yet."""
        if first.step is Step.LEAVE:
            self._wait(batch, first)
            return
        steps: Mapping[str, Callable[[str, OpenBatch], object]] = {
            "change": self._changes,
            "create": self._creates,
            "archive": self._archives,
            "ingest": self._bulk,
        }
        steps[batch.kind](self._boards[batch.board_id], batch)

    def _wait(self, batch: OpenBatch, decision: StepChoice) -> None:
        _log(batch, decision.step.name, decision.reason, len(batch.ops))
        self.recovered.waiting.append(batch)

    # Cells of items

    def _changes(self, board: str, batch: OpenBatch) -> None:
        states = self._states(board, batch)
        decision = recovery.change_step(self._seen(board, batch, states).values(), batch.age_s)
        if decision.step is Step.SEND_AGAIN:
            results = self._send(board, batch, decision)
            if results is not None:
                self._take_answer(board, batch, results)
                return
            decision = recovery.unanswered_change_step(batch.age_s)
            states = self._states(board, batch) if decision.step is Step.SETTLE else {}
        if decision.step is Step.WAIT:
            self._wait(batch, decision)
        else:
            self._take_shown(board, batch, states)

    def _take_answer(self, board: str, batch: OpenBatch, results: Sequence[Result]) -> None:
        """monday repeated its answer, or carried the request out now; what that leaves open the items tell."""
        items = [result.item for result in results if result.item is not None]
        states = {raw.id: state_of(self._run, self._start, board, raw, as_page=True) for raw in items}
        decisions = recovery.answered(batch.ops, _answers(results))
        self._record_changes(board, batch, decisions, states)
        unread = [decision.op for decision in decisions if decision.verdict is WriteState.IN_DOUBT]
        if unread:  # the answer came, so that nothing of it runs any more
            self.read_changes(board, replace(batch, ops=unread))

    def read_changes(self, board: str, batch: OpenBatch) -> set[int]:
        """Settle by what the items show; nothing of the batch runs any more. Items of which the write is known to be
        done: the others are planned anew."""
        return self._take_shown(board, batch, self._states(board, batch))

    def _take_shown(self, board: str, batch: OpenBatch, states: Mapping[int, ItemState]) -> set[int]:
        decisions = recovery.changes_shown(batch.ops, self._seen(board, batch, states))
        return self._record_changes(board, batch, decisions, states)

    def _record_changes(
        self, board: str, batch: OpenBatch, decisions: Sequence[OpDecision], states: Mapping[int, ItemState]
    ) -> set[int]:
        layout = self._run.layouts[board]
        settled = [decision for decision in decisions if decision.verdict is not WriteState.IN_DOUBT]
        ops = _ops(settled, WriteState.DONE)
        done = {op.item_id: op.content for op in ops if op.item_id is not None and op.item_id in states}
        outcome = WriteResult(batch.number, [decision.op.place for decision in settled])
        for item_id, base in self._bases(board, done).items():
            op = done[item_id]
            assert isinstance(op, ChangeOp)
            outcome.bases.append(changed_base(op, base, states[item_id], layout))
            outcome.conflicts += op.conflicts
            outcome.changes += op_changes(op, base, layout)
        self._record(batch, outcome, settled)
        return set(done)

    def _states(self, board: str, batch: OpenBatch) -> dict[int, ItemState]:
        """What the items show that are still there, by id."""
        ids = [op.item_id for op in batch.ops if op.item_id is not None]
        shown = (raw for answer in self._client.looker.items(board, ids) for raw in answer.alive)
        return {raw.id: state_of(self._run, self._start, board, raw, as_page=False) for raw in shown}

    def _seen(self, board: str, batch: OpenBatch, states: Mapping[int, ItemState]) -> dict[int, Seen]:
        return {
            op.item_id: seen(op.content, states[op.item_id], self._run.layouts[board])
            for op in batch.ops
            if op.item_id is not None and op.item_id in states and isinstance(op.content, ChangeOp)
        }

    def _archives(self, board: str, batch: OpenBatch) -> None:
        decision = recovery.archive_step(batch.age_s)
        results = self._send(board, batch, decision) if decision.step is Step.SEND_AGAIN else None
        if results is not None:
            decisions = recovery.archives_answered(batch.ops, _answers(results))
        else:
            ids = [op.item_id for op in batch.ops if op.item_id is not None]
            gone = [pair for answer in self._client.looker.items(board, ids) for pair in answer.gone.items()]
            archived = {item_id for item_id, how in gone if how in (Gone.ARCHIVED, Gone.DELETED)}
            decisions = recovery.archives_shown(batch.ops, archived)
        outcome = WriteResult(batch.number, [op.place for op in batch.ops])
        done = (op.item_id for op in _ops(decisions, WriteState.DONE))
        outcome.archived = [(board, item_id) for item_id in done if item_id is not None]
        self._record(batch, outcome, decisions)

    # New items

    def _creates(self, board: str, batch: OpenBatch) -> None:
        if batch.unmade:
            batch = self._settle_unmade(board, batch)
        self._created.append((board, batch))

    def _settle_unmade(self, board: str, batch: OpenBatch) -> OpenBatch:
        """What is left of a batch of new items, some of which have no id yet."""
        boards = self._client.look({})  # which also tells monday's time
        age = recovery.age_of(batch, self._client.answered_at)
        decision = recovery.create_step(age)
        if decision.step is Step.SEND_AGAIN:
            results = self._send(board, batch, decision)
            if results is not None:
                return self._take_new(board, batch, recovery.answered(batch.unmade, _answers(results)))
            decision = recovery.unanswered_create_step(age)
        if decision.step is Step.WAIT:
            self._wait(batch, decision)
            return batch
        return self._take_new(board, batch, self._looked_up(board, batch, boards))

    def _looked_up(self, board: str, batch: OpenBatch, boards: CurrentBoards) -> list[OpDecision]:
        rows = self._rows(board, [op.row for op in batch.unmade if op.row is not None])
        left = recovery.unlinked(batch.unmade, rows)
        candidates = self._candidates(board, batch, left, boards) if left else {}
        return recovery.creates_found(batch.unmade, rows, candidates, self._doubtful)

    def _candidates(
        self, board: str, batch: OpenBatch, ops: Sequence[JournalOp], boards: CurrentBoards
    ) -> dict[int, Candidates]:
        """Place → items that may be the one, and are nobody's yet."""
        if marker_tells(boards, board, batch):
            marked = self._marked(board, ops)
            taken = self._taken(board, {item_id for ids in marked.values() for item_id in ids})
            return recovery.marked_candidates(marked, taken)
        made = {item.id: item.name for item in made_since(self._client, board, batch, boards.user_id)}
        return recovery.named_candidates(ops, made, self._taken(board, made.keys()))

    def _marked(self, board: str, ops: Sequence[JournalOp]) -> dict[int, list[int]]:
        """Place → items that carry the row's id."""
        found = self._client.looker.by_marker(board, MARKER, [str(op.row) for op in ops])
        return {op.place: [item.id for item in found[str(op.row)]] for op in ops}

    def _bulk(self, board: str, batch: OpenBatch) -> None:
        """A bulk job, by its report; where that is gone, by the marker."""
        if batch.unmade:
            made = self._told_by_job(batch)
            decision = recovery.job_step(batch, made)
            if decision.step is Step.WAIT:
                self._wait(batch, decision)
                return
            if decision.step is Step.LOOK:
                made = {place: min(ids) for place, ids in self._marked(board, batch.unmade).items() if ids}
            batch = self._take_new(board, batch, recovery.creates_told(batch.unmade, made or {}))
        self._created.append((board, batch))

    def _told_by_job(self, batch: OpenBatch) -> dict[int, int] | None:
        """Place → item id, of a job that is waited for while it is at work; None where nothing tells."""
        if batch.job_id is None:
            return None
        status = self._client.jobs.status(batch.job_id)
        if status.state == "PROCESSING":
            status = self._client.jobs.wait(batch.job_id, gate=self._gate)
        return made_by(self._client.jobs, status)

    def _take_new(self, board: str, batch: OpenBatch, decisions: Sequence[OpDecision]) -> OpenBatch:
        """Keep the ids of new items in the journal until the items are read, and drop what was not made; the rest."""
        made = {decision.op.place: decision.items[0] for decision in decisions if decision.verdict is WriteState.DONE}
        dropped = {op.place for op in _ops(decisions, WriteState.NOT_DONE)}
        outcome = WriteResult(batch.number, sorted(dropped), table=self._table(board))
        rows = {op.place: op.row for op in batch.ops}
        outcome.created = [(place, row, item_id) for place, item_id in made.items() if (row := rows[place])]
        self._record(batch, outcome, decisions)
        ops = [replace(op, item_id=made.get(op.place, op.item_id)) for op in batch.ops if op.place not in dropped]
        rest = replace(batch, ops=ops)
        if _ops(decisions, WriteState.IN_DOUBT):
            self.recovered.waiting.append(rest)
        if unsure := [decision for decision in decisions if decision.verdict is WriteState.AMBIGUOUS]:
            self._doubtful |= {item_id for decision in unsure for item_id in decision.items}
            self.recovered.refused += [self._ambiguous(board, decision) for decision in unsure]
            self.recovered.undecided.append(replace(batch, ops=[decision.op for decision in unsure]))
        return rest

    def _ambiguous(self, board: str, decision: OpDecision) -> Rejection:
        table, row = self._table(board), decision.op.row
        assert row is not None
        reason = (
            f"may be one of the items {', '.join(map(str, decision.items))}, which a lost request may have made: write "
            f"the right one's id into {table}.monday_item_id, or archive the wrong ones. If it is none of them, have a "
            f"new one made: {forget_created(row)}"
        )
        return Rejection(board, 0, f"{table}.{row}", reason, AMBIGUOUS)

    def record_created(self) -> None:
        """Read the new items, and remember what they show beside what their rows held."""
        for board in self._run.board_ids:
            created = [batch for name, batch in self._created if name == board]
            record_created(self._run, self._start, self._client, board, created)
        if self.recovered.refused:
            note = partial(note_refused, layouts=self._run.layouts, run_id=self._run.run_id)
            in_fenced_transaction(
                self._run, partial(note, refused=self.recovered.refused, cleared=()), "noting what is ambiguous"
            )

    # The database and the wire

    def _record(self, batch: OpenBatch, outcome: WriteResult, decisions: Sequence[OpDecision]) -> None:
        in_fenced_transaction(self._run, partial(write_outcome, self._run, outcome=outcome), "settling the journal")
        alike = Counter((decision.verdict, decision.reason) for decision in decisions)
        for (verdict, reason), ops in alike.items():
            _log(batch, verdict.name, reason, ops)
        verdicts = Counter(decision.verdict for decision in decisions)
        self.recovered.done += verdicts[WriteState.DONE]
        self.recovered.dropped += verdicts[WriteState.NOT_DONE]

    def _send(self, board: str, batch: OpenBatch, decision: StepChoice) -> Sequence[Result] | None:
        """The results by place; None when the answer, be it the stored one, leaves open what ran.

        Raises SyncError for a refused token, spent calls, or a lease that is not ours any more.
        """
        _log(batch, decision.step.name, decision.reason, len(batch.ops))
        size = sum(_NUMBERED.fullmatch(name) is not None for name in json.loads(batch.body)["variables"])
        again = Batch(board, batch.kind, size, batch.key, batch.body)  # type: ignore[arg-type]  # not a job
        try:
            return self._client.writer.send(again, gate=self._gate).results
        except Doubtful as doubt:
            if isinstance(doubt.error, LeaseHeld):
                raise doubt.error from doubt
        except (TooLarge, DriftError):  # nothing ran just now, but it may have the first time
            pass
        logger.warning("batch still in doubt board=%s kind=%s ops=%d", board, batch.kind, len(batch.ops))
        return None

    def _bases(self, board: str, ids: Iterable[int]) -> dict[int, ItemBase]:
        """What is remembered of these items, by id."""
        wanted: list[ItemKey] = [(board, item_id) for item_id in ids]
        work = partial(read_bases, layouts=self._run.layouts, items=wanted)
        found = self._run.database.transact(work, read_only=True, label="reading what is remembered")
        return {base.id: base for base in found}

    def _taken(self, board: str, ids: Collection[int]) -> set[int]:
        work = partial(taken_items, layout=self._run.layouts[board], ids=ids)
        return self._run.database.transact(work, read_only=True, label="looking for known items")

    def _rows(self, board: str, rows: Sequence[RowId]) -> dict[RowId, int | None]:
        """Those of the rows that are still there, and the item that each is linked to."""
        work = partial(items_of_rows, table=self._table(board), ids=rows)
        return self._run.database.transact(work, read_only=True, label="reading the new rows")

    def _table(self, board: str) -> str:
        layout = self._run.layouts[board]
        return layout.record.table


def _answers(results: Sequence[Result]) -> list[Answer]:
    """What the results say: one that leaves open whether it was carried out stays in the journal."""
    return [
        Answer(
            result.item.id if result.item is not None else None,
            unread=result.fault is not None and result.fault.rule.action is Action.READ_BACK,
        )
        for result in results
    ]


def _ops(decisions: Iterable[OpDecision], verdict: WriteState) -> list[JournalOp]:
    return [decision.op for decision in decisions if decision.verdict is verdict]


def _log(batch: OpenBatch, decided: str, reason: str, ops: int) -> None:
    facts = (batch.number, batch.board_id, batch.kind, ops, decided.lower(), reason)
    logger.info("journal batch=%d board_id=%d kind=%s ops=%d decided=%s reason=%s", *facts)


def record_created(
    run: Run, start: RunStart, client: MondayClient, board: str, batches: Sequence[OpenBatch], *, late: bool = True
) -> None:
    """Remember new items: what monday shows of them beside what their rows held when they were made."""
    layout = run.layouts[board]
    ops = {op.item_id: (batch.number, op) for batch in batches for op in batch.ops if op.item_id is not None}
    outcomes = {
        batch.number: WriteResult(batch.number, [op.place for op in batch.ops if op.item_id is not None])
        for batch in batches
    }
    rows: dict[RowId, str] = {}
    for answer in client.looker.items(board, ops):
        for raw in answer.alive:
            number, op = ops[raw.id]
            assert isinstance(op.content, CreateOp)
            state = state_of(run, start, board, raw, as_page=False)
            outcomes[number].bases.append(created_base(op.content, state, layout, late=late))
            linked = ((op.content.links.get(slot.role), slot.table) for slot in layout.slots)
            rows |= {row: table for row, table in linked if row is not None}

    def work(tx: Transaction) -> None:
        for outcome in outcomes.values():
            write_outcome(run, tx, outcome)
        register_rows(tx, rows)

    if ops:
        in_fenced_transaction(run, work, "remembering the new items")
