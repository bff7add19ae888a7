"""Settles what an earlier run left unfinished, first of all and in both directions: every step is a read, or a write
that cannot happen twice, so that recovery can itself be killed anywhere.

A request younger than the time for which monday keeps its answers is sent again, the same bytes under the same key. An
older one is looked up: an item that shows what was sent was written, a new item is found by its marker, or by who made
it, when and under which name.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from psycopg2 import sql

import timing
from models import RowId
from monday.completeness import Gone
from monday.current import CurrentBoards
from monday.errors import Action
from monday.jobs import JobStatus
from monday.writing import Batch, Doubtful, Result, TooLarge
from monday_api import MARKER, MondayClient
from postgres import journal
from postgres.bases import STORED, places, stored_item
from postgres.journal import OpenBatch
from postgres.transaction import Transaction
from postgres.write_push import note_refused, register_rows, taken_items
from push.bulk import made_by
from push.claim import is_anothers, refuse_claimed
from push.lost import AMBIGUOUS, Maybe, age_s, carried_marker, made_since, may_be
from push.marker import has_marker
from push.record import WriteResult, in_fenced_transaction, require_lease, view_of, write_outcome
from reconcile.base import Stored
from reconcile.database_state import ItemKey
from reconcile.errors import DriftError, LeaseHeld
from reconcile.journal_ops import ChangeOp, CreateOp, Seen, changed_base, created_base, seen
from reconcile.push_plan import Rejection
from run.context import PUSH, Run
from run.report import counted
from run.start import RunStart
from run.version import heed_version

logger = logging.getLogger(__name__)

RESEND_S: Final = 25 * 60  # monday keeps an answer for 30 minutes (monday docs, "Idempotency")
LOOK_UP_S: Final = 35 * 60
LATEST_S: Final = 120  # a request is cut at 60 s (monday docs); one that was sent earlier does not run any more
UNDECIDED: Final = ""  # in place of the kind of a batch that waits for a person, and not for time to pass
_FORGET: Final = "DELETE FROM monday_sync.sync_op WHERE row_id = '{}'"  # for a person to run
_NUMBERED = re.compile(r"(item|name)\d+")  # one variable of every op of a batch


@dataclass(slots=True)
class Recovered:
    """What came of an unfinished journal. `waiting` are requests that are still in doubt."""

    written: int = 0
    created: int = 0
    dropped: int = 0
    waiting: list[OpenBatch] = field(default_factory=list)
    refused: list[Rejection] = field(default_factory=list)


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
    ours = [batch for batch in batches if batch.board_id in run.board_ids.values()]
    recovered.waiting = [batch for batch in batches if batch not in ours]
    if run.dry or run.options.replays or start.owned.foreign:
        recovered.waiting = batches
    elif ours:
        with run.writing_client() as client:
            settler = JournalRecovery(run, start, client, recovered)
            lost, writable = _lost_boards(run, start, client), heed_version(run, client)
            for batch in ours:
                if batch.board_id in lost or not writable:
                    recovered.waiting.append(batch)
                else:
                    settler.settle(batch)
            settler.record_created()
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
    if settled := recovered.written + recovered.created + recovered.dropped:
        run.report.notes.append(
            f"An earlier run was cut short: {counted(settled, 'write')} of it "
            f"{'was' if settled == 1 else 'were'} settled first ({recovered.written + recovered.created:,} had been "
            f"carried out, {recovered.dropped:,} had not)."
        )
    boards = run.board_ids.values()
    waiting = [batch for batch in recovered.waiting if batch.kind != UNDECIDED and batch.board_id in boards]
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
        self._unmet: list[tuple[str, OpenBatch]] = []

    def settle(self, batch: OpenBatch) -> None:
        """Bring one batch to its end, or leave it where that is not certain yet."""
        board = self._boards[batch.board_id]
        steps: Mapping[str, Callable[[str, OpenBatch], object]] = {
            "change": self.changes,
            "create": self._creates,
            "archive": self._archives,
            "ingest": self._bulk,
        }
        steps[batch.kind](board, batch)

    def changes(self, board: str, batch: OpenBatch, *, resend: bool = True) -> set[int]:
        """Items of which the write is known to be done; the others are planned anew, unless all is still in doubt."""
        layout = self._run.layouts[board]
        ops = {op.item_id: op for op in batch.ops if op.item_id is not None}
        views = {
            raw.id: view_of(self._run, self._start, board, raw, as_page=False)
            for answer in self._client.looker.items(board, ops)
            for raw in answer.alive
        }
        states = {
            item_id: seen(op.content, views[item_id], layout)
            for item_id, op in ops.items()
            if item_id in views and isinstance(op.content, ChangeOp)
        }
        found = set(states.values())
        if resend and Seen.NOT_DONE in found and Seen.EDITED not in found and batch.age_s < RESEND_S:
            self._again(board, batch)
            return set()
        if resend and found - {Seen.DONE} and batch.age_s < LATEST_S:
            self.recovered.waiting.append(batch)
            return set()
        done = {item_id for item_id, state in states.items() if state is Seen.DONE}
        outcome = WriteResult(batch.number, [op.place for op in batch.ops])
        for item_id, stored in self._stored(board, done).items():
            op = ops[item_id].content
            assert isinstance(op, ChangeOp)
            outcome.bases.append(changed_base(op, stored, views[item_id], layout))
            outcome.conflicts += op.conflicts
        self._record(outcome, written=len(done), dropped=len(batch.ops) - len(done))
        return done

    def _again(self, board: str, batch: OpenBatch) -> None:
        """The same request once more: monday repeats its answer, or carries it out now. Then every item tells."""
        results = self._send(board, batch)
        if results is None:
            self._leave_or_read(board, batch)
            return
        layout = self._run.layouts[board]
        outcome = WriteResult(batch.number)
        stored = self._stored(board, [op.item_id for op in batch.ops if op.item_id is not None])
        for op in batch.ops:
            result = results[op.place]
            if _unread(result):
                continue
            outcome.places.append(op.place)
            if result.item is not None and isinstance(op.content, ChangeOp) and result.item.id in stored:
                view = view_of(self._run, self._start, board, result.item, as_page=True)
                outcome.bases.append(changed_base(op.content, stored[result.item.id], view, layout))
                outcome.conflicts += op.content.conflicts
        done = len(outcome.bases)
        self._record(outcome, written=done, dropped=len(outcome.places) - done)
        unread = [op for op in batch.ops if op.place not in outcome.places]
        if unread:  # the answer came, so that nothing of it runs any more
            self.changes(board, replace(batch, ops=unread), resend=False)

    def _leave_or_read(self, board: str, batch: OpenBatch) -> None:
        """No answer is to be had: what the items show decides, once the request cannot be running any more."""
        if batch.age_s < LATEST_S:
            self.recovered.waiting.append(batch)
        else:
            self.changes(board, batch, resend=False)

    def _archives(self, board: str, batch: OpenBatch) -> None:
        results = self._send(board, batch) if batch.age_s < RESEND_S else None
        if results is not None:
            done = {op.item_id for op in batch.ops if results[op.place].item is not None}
        else:
            ids = [op.item_id for op in batch.ops if op.item_id is not None]
            gone = [pair for answer in self._client.looker.items(board, ids) for pair in answer.gone.items()]
            done = {item_id for item_id, how in gone if how in (Gone.ARCHIVED, Gone.DELETED)}
        outcome = WriteResult(batch.number, [op.place for op in batch.ops])
        outcome.archived = [(board, item_id) for item_id in sorted(filter(None, done))]
        self._record(outcome, written=len(outcome.archived), dropped=len(batch.ops) - len(outcome.archived))

    # New items

    def _creates(self, board: str, batch: OpenBatch) -> None:
        unknown = [op for op in batch.ops if op.item_id is None]
        shown = self._client.look({}) if unknown else None  # which also tells monday's time
        age = age_s(self._client, batch)
        results = self._send(board, batch) if unknown and max(age, batch.age_s) < RESEND_S else None
        if results is not None:
            made = ((op.place, results[op.place].item) for op in unknown)
            found = {place: item.id for place, item in made if item is not None}
            unread = {op.place for op in unknown if _unread(results[op.place])}
            self._take_new(board, batch, found, [op.place for op in unknown if op.place not in found.keys() | unread])
            if unread:
                self.recovered.waiting.append(batch)
        elif unknown and age < LOOK_UP_S:
            self.recovered.waiting.append(batch)
        elif shown is not None:
            self._look_up(board, batch, unknown, shown)
        self._unmet.append((board, batch))

    def _look_up(self, board: str, batch: OpenBatch, unknown: Sequence[journal.Op], shown: CurrentBoards) -> None:
        """Which new items are there: by the marker where they carry it, else by their maker, time and name.

        What cannot be told apart stays in the journal, so that nobody doubles it, until a person has decided.
        """
        rows = self._rows(board, [op.row for op in unknown if op.row is not None])
        found = {op.place: item_id for op in unknown if op.row and (item_id := rows.get(op.row))}  # by a person
        left = [op for op in unknown if op.place not in found]
        free = self._candidates(board, batch, left, shown) if left else {}
        claims = [item_id for maybe in free.values() for item_id in maybe.ids]
        found |= {
            place: ids[0] for place, (ids, sure) in free.items() if sure and len(ids) == 1 == claims.count(ids[0])
        }
        unsure = [op for op in left if op.row in rows and op.place not in found and free[op.place].ids]
        self.recovered.refused += [self._ambiguous(board, op, free[op.place].ids) for op in unsure]
        if unsure:
            self.recovered.waiting.append(replace(batch, kind=UNDECIDED, ops=unsure))
        kept = found.keys() | {op.place for op in unsure}
        self._take_new(board, batch, found, [op.place for op in unknown if op.place not in kept])

    def _ambiguous(self, board: str, op: journal.Op, ids: Sequence[int]) -> Rejection:
        table = self._table(board)
        reason = (
            f"may be one of the items {', '.join(map(str, ids))}, which a lost request may have made: write the right "
            f"one's id into {table}.monday_item_id, or archive the wrong ones. If it is none of them, have a new one "
            f"made: {_FORGET.format(op.row)}"
        )
        return Rejection(board, 0, f"{table}.{op.row}", reason, AMBIGUOUS)

    def _candidates(
        self, board: str, batch: OpenBatch, unknown: Sequence[journal.Op], shown: CurrentBoards
    ) -> dict[int, Maybe]:
        """Place → items that may be the one, and are nobody's yet."""
        if has_marker(shown.schemas[board]) and carried_marker(batch):
            marked = self._client.looker.by_marker(board, MARKER, [str(op.row) for op in unknown])
            named = {op.place: [item.id for item in marked.get(str(op.row), ())] for op in unknown}
            taken = self._taken(board, {item_id for ids in named.values() for item_id in ids})
            return {place: Maybe(sorted(set(ids) - taken), sure=True) for place, ids in named.items()}
        made = made_since(self._client, board, batch, shown.user_id)
        taken = self._taken(board, {item.id for item in made})
        names = {op.place: op.content.name for op in unknown if isinstance(op.content, CreateOp)}
        return may_be(names, [item for item in made if item.id not in taken])

    def _bulk(self, board: str, batch: OpenBatch) -> None:
        """A bulk job by its report; where that is gone, by the marker. An upload that never came is planned anew."""
        unknown = [op for op in batch.ops if op.item_id is None]
        status = self._job(batch) if unknown and batch.job_id else None
        found = made_by(self._client.jobs, status) if status is not None else {}
        if found is None and batch.age_s < LATEST_S:  # the file may be on its way, new items not be found yet
            self.recovered.waiting.append(batch)
            return
        if found is None:
            marked = self._client.looker.by_marker(board, MARKER, [str(op.row) for op in unknown])
            found = {op.place: min(item.id for item in items) for op in unknown if (items := marked[str(op.row)])}
        if unknown:
            self._take_new(board, batch, found, [op.place for op in unknown if op.place not in found])
        self._unmet.append((board, batch))

    def _job(self, batch: OpenBatch) -> JobStatus:
        """How a job is; one that is at work is waited for."""
        assert batch.job_id is not None
        status = self._client.jobs.status(batch.job_id)
        return self._client.jobs.wait(batch.job_id, gate=self._gate) if status.state == "PROCESSING" else status

    def _take_new(self, board: str, batch: OpenBatch, found: Mapping[int, int], dropped: Sequence[int]) -> None:
        rows = {op.place: op.row for op in batch.ops}
        outcome = WriteResult(batch.number, list(dropped), table=self._table(board))
        outcome.created = [(place, row, item_id) for place, item_id in found.items() if (row := rows[place])]
        self._record(outcome, created=len(outcome.created), dropped=len(dropped))
        batch.ops[:] = [
            journal.Op(op.place, found.get(op.place, op.item_id), op.row, op.content)
            for op in batch.ops
            if op.place not in dropped
        ]

    def record_created(self) -> None:
        """Read the new items, and remember what they show beside what their rows held."""
        for board in self._run.board_ids:
            unmet = [batch for name, batch in self._unmet if name == board]
            record_created(self._run, self._start, self._client, board, unmet)
        if self.recovered.refused:
            note = partial(note_refused, layouts=self._run.layouts, run_id=self._run.run_id)
            in_fenced_transaction(
                self._run, partial(note, refused=self.recovered.refused, cleared=()), "noting what is ambiguous"
            )

    # The database and the wire

    def _record(self, outcome: WriteResult, *, written: int = 0, created: int = 0, dropped: int = 0) -> None:
        in_fenced_transaction(self._run, partial(write_outcome, self._run, outcome=outcome), "settling the journal")
        self.recovered.written += written
        self.recovered.created += created
        self.recovered.dropped += dropped

    def _send(self, board: str, batch: OpenBatch) -> Sequence[Result] | None:
        """The results by place; None when the answer, be it the stored one, leaves open what ran.

        Raises SyncError for a refused token, spent calls, or a lease that is not ours any more.
        """
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

    def _stored(self, board: str, ids: Iterable[int]) -> dict[int, Stored]:
        def read(tx: Transaction) -> dict[int, Stored]:
            wanted: list[ItemKey] = [(board, item_id) for item_id in ids]
            rows = tx.rows(
                STORED + " JOIN unnest(%s::bigint[], %s::bigint[]) AS w (board_id, item_id) USING (board_id, item_id)",
                places(self._run.layouts, wanted),
            )
            by_id = {layout.board_id: layout for layout in self._run.layouts.values()}
            return {stored.id: stored for stored in (stored_item(row, by_id, tx.encoding) for row in rows)}

        return self._run.database.transact(read, read_only=True, label="reading what is remembered")

    def _taken(self, board: str, ids: set[int]) -> set[int]:
        work = partial(taken_items, layout=self._run.layouts[board], ids=ids)
        return self._run.database.transact(work, read_only=True, label="looking for known items")

    def _rows(self, board: str, rows: Sequence[RowId]) -> dict[RowId, int | None]:
        """Those of the rows that are still there, and the item that each is linked to."""

        def read(tx: Transaction) -> dict[RowId, int | None]:
            statement = sql.SQL("SELECT id::text, monday_item_id FROM {} WHERE id = ANY(%s::uuid[])")
            return dict(tx.rows(statement.format(tx.table(self._table(board))), (list(rows),)))

        return self._run.database.transact(read, read_only=True, label="reading the new rows")

    def _table(self, board: str) -> str:
        layout = self._run.layouts[board]
        return layout.slots[layout.record].table


def _unread(result: Result) -> bool:
    """Whether the answer leaves open if this op was carried out: it stays in the journal."""
    return result.fault is not None and result.fault.rule.action is Action.READ_BACK


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
            view = view_of(run, start, board, raw, as_page=False)
            outcomes[number].bases.append(created_base(op.content, view, layout, late=late))
            linked = ((op.content.links.get(slot.role), slot.table) for slot in layout.slots)
            rows |= {row: table for row, table in linked if row is not None}

    def work(tx: Transaction) -> None:
        for outcome in outcomes.values():
            write_outcome(run, tx, outcome)
        register_rows(tx, rows)

    if ops:
        in_fenced_transaction(run, work, "remembering the new items")
