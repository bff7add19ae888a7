"""What an unfinished request in the journal means, and what is done about it, given what was read: each decision has
its reason. `push.recover` reads and writes.

A request was written down and no answer is remembered, so it ran, or did not, or still runs. A young one is sent again,
the same bytes under the same key: monday repeats its answer, or carries it out now. An older one is settled by what the
board shows. Nothing here can write twice, so that recovery may itself be killed anywhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final, NamedTuple

from models import RowId
from reconcile.journal_ops import CreateOp, JournalOp, OpenBatch, Seen

RESEND_S: Final = 25 * 60  # monday keeps an answer for 30 minutes (monday docs, "Idempotency")
LOOK_UP_S: Final = 35 * 60
LATEST_S: Final = 120  # a request is cut at 60 s (monday docs); one that was sent earlier does not run any more
SKEW: Final = timedelta(minutes=5)
UNTOLD: Final = timedelta(days=1)  # where monday tells no time: two clocks that people set differ by hours at most


class Step(Enum):
    """What is done next about a batch."""

    LEAVE = auto()
    """It is not for this run to settle."""
    WAIT = auto()
    """Nothing: time tells, and until then its items are left alone."""
    SEND_AGAIN = auto()
    LOOK = auto()
    """Look on the board for what it made."""
    SETTLE = auto()
    """Each op by what is known."""


class WriteState(Enum):
    """What became of one op."""

    DONE = auto()
    """monday carried it out: it is remembered."""
    NOT_DONE = auto()
    """It is dropped, and what it told is planned anew."""
    IN_DOUBT = auto()
    """The answer left it open."""
    AMBIGUOUS = auto()
    """Several items may be the new one, or one that nothing proves to be it: a person decides."""


class StepChoice(NamedTuple):
    """The next step of a batch, and why."""

    step: Step
    reason: str


@dataclass(frozen=True, slots=True)
class OpDecision:
    """What became of one op, and why. `items`: the item that a new row became, or those that it may be."""

    op: JournalOp
    verdict: WriteState
    reason: str
    items: tuple[int, ...] = ()


class Age(NamedTuple):
    """Seconds since a request was written down, by monday's clock and by the database's."""

    monday_s: float
    postgres_s: float


class Answer(NamedTuple):
    """What monday says of one op: `item_id` where it carried it out, `unread` where it leaves that open."""

    item_id: int | None = None
    unread: bool = False


class Candidates(NamedTuple):
    """Items that may be the one a request made. `sure`: one that stands alone here is it, for that `reason`."""

    ids: list[int]
    sure: bool
    reason: str


# A batch --------------------------------------------------------------------------------------------------------------


def first_step(
    batch: OpenBatch,
    boards: Collection[int],
    *,
    reads_only: bool,
    claimed: Collection[int] = (),
    version_known: bool = True,
) -> StepChoice:
    """Whether this run settles a batch. `boards` are the ids of those that are synced, `claimed` of those that another
    database has taken over since."""
    if reads_only:
        return StepChoice(Step.LEAVE, "this run only reads, or the journal is another's")
    if batch.board_id not in boards:
        return StepChoice(Step.LEAVE, "its board is none of this run's")
    if batch.board_id in claimed:
        return StepChoice(Step.LEAVE, "another database has taken its board over")
    if not version_known:
        return StepChoice(Step.LEAVE, "monday answers in a version that nobody tried")
    return StepChoice(Step.SETTLE, "it is this run's to settle")


def change_step(shown: Collection[Seen], age_s: float) -> StepChoice:
    """Cells on their way, given what their items show. An item that somebody edited since is not written again: monday
    may have forgotten that it carried the request out, and the edit would be overwritten."""
    if Seen.NOT_DONE in shown and Seen.EDITED not in shown and age_s < RESEND_S:
        return StepChoice(Step.SEND_AGAIN, "its items are as before: monday repeats its answer, or carries it out now")
    if any(seen is not Seen.DONE for seen in shown):
        return unanswered_change_step(age_s)
    return StepChoice(Step.SETTLE, "its items tell")


def unanswered_change_step(age_s: float) -> StepChoice:
    """The same, where what the items show is not enough and no answer is to be had."""
    if age_s < LATEST_S:
        return StepChoice(Step.WAIT, "it may still be running")
    return StepChoice(Step.SETTLE, "it does not run any more: its items tell")


def archive_step(age_s: float) -> StepChoice:
    """Items to be archived: to do it again is harmless."""
    if age_s < RESEND_S:
        return StepChoice(Step.SEND_AGAIN, "monday repeats its answer, or carries it out now")
    return StepChoice(Step.LOOK, "its items tell")


def create_step(age: Age) -> StepChoice:
    """New items. Sent again only while both clocks say that monday has its answer still: else they were made twice."""
    if max(age) < RESEND_S:
        return StepChoice(Step.SEND_AGAIN, "monday repeats its answer, or carries it out now")
    return unanswered_create_step(age)


def unanswered_create_step(age: Age) -> StepChoice:
    """The same, where no answer is to be had."""
    if age.monday_s < LOOK_UP_S:
        return StepChoice(Step.WAIT, "it may still be carried out: what is looked for now could be made later")
    return StepChoice(Step.LOOK, "monday has forgotten it: what it made is there")


def job_step(batch: OpenBatch, made: Mapping[int, int] | None) -> StepChoice:
    """A bulk job, given what its report tells (place → item id), None where nothing does."""
    if batch.job_id is None:
        return StepChoice(Step.SETTLE, "its job was never started: nothing was uploaded")
    if made is not None:
        return StepChoice(Step.SETTLE, "its job tells")
    if batch.age_s < LATEST_S:
        return StepChoice(Step.WAIT, "its file may be on the way, and new items not be found yet")
    return StepChoice(Step.LOOK, "its job tells nothing: the marker does")


# Its ops --------------------------------------------------------------------------------------------------------------


def answered(ops: Iterable[JournalOp], answers: Sequence[Answer]) -> list[OpDecision]:
    """Ops of any kind, by the answer; `answers` by place."""
    return [_answered(op, answers[op.place]) for op in ops]


def _answered(op: JournalOp, answer: Answer) -> OpDecision:
    if answer.item_id is not None:
        return OpDecision(op, WriteState.DONE, "monday answered so", (answer.item_id,))
    if answer.unread:
        return OpDecision(op, WriteState.IN_DOUBT, "the answer leaves it open")
    return OpDecision(op, WriteState.NOT_DONE, "monday refused it")


def changes_shown(ops: Iterable[JournalOp], shown: Mapping[int, Seen]) -> list[OpDecision]:
    """Cells, by what their items show; `shown` by item id, without those that are gone."""
    return [_change_shown(op, shown.get(op.item_id) if op.item_id is not None else None) for op in ops]


def _change_shown(op: JournalOp, shown: Seen | None) -> OpDecision:
    match shown:
        case Seen.DONE:
            return OpDecision(op, WriteState.DONE, "the item shows what was sent")
        case Seen.NOT_DONE:
            return OpDecision(op, WriteState.NOT_DONE, "the item is as before")
        case Seen.EDITED:
            return OpDecision(op, WriteState.NOT_DONE, "the item shows something else")
        case None:
            return OpDecision(op, WriteState.NOT_DONE, "the item is gone from its board")


def archives_answered(ops: Iterable[JournalOp], answers: Sequence[Answer]) -> list[OpDecision]:
    """Items to be archived, by the answer; one that it leaves open is archived again, which is harmless."""
    return [
        OpDecision(op, WriteState.DONE, "monday answered so")
        if answers[op.place].item_id is not None
        else OpDecision(op, WriteState.NOT_DONE, "monday did not say that it is archived")
        for op in ops
    ]


def archives_shown(ops: Iterable[JournalOp], archived: Collection[int]) -> list[OpDecision]:
    """Items to be archived, by whether they are."""
    return [
        OpDecision(op, WriteState.DONE, "the item is archived")
        if op.item_id in archived
        else OpDecision(op, WriteState.NOT_DONE, "the item is still there")
        for op in ops
    ]


def creates_told(ops: Iterable[JournalOp], made: Mapping[int, int]) -> list[OpDecision]:
    """New items of a bulk job, by its report or by the marker: place → item id."""
    return [
        OpDecision(op, WriteState.DONE, "it is told which item it became", (made[op.place],))
        if op.place in made
        else OpDecision(op, WriteState.NOT_DONE, "no item was made of it")
        for op in ops
    ]


def unlinked(ops: Iterable[JournalOp], rows: Mapping[RowId, int | None]) -> list[JournalOp]:
    """New items that no person has linked meanwhile: `rows` are those that are still there, with their item."""
    return [op for op in ops if op.row is None or not rows.get(op.row)]


def creates_found(
    ops: Iterable[JournalOp],
    rows: Mapping[RowId, int | None],
    candidates: Mapping[int, Candidates],
    doubtful: Collection[int] = (),
) -> list[OpDecision]:
    """New items that were looked for: by what a person wrote, else by the one item that can be it.

    `rows` as in `unlinked`, `candidates` by place; `doubtful` are items that another request may have made, too. What
    cannot be told apart stays, so that nobody doubles it.
    """
    claims = Counter([*doubtful, *(item_id for found in candidates.values() for item_id in found.ids)])
    contested = {item_id for item_id, times in claims.items() if times > 1}
    return [_found(op, rows, candidates.get(op.place), contested) for op in ops]


def _found(
    op: JournalOp, rows: Mapping[RowId, int | None], candidates: Candidates | None, contested: Collection[int]
) -> OpDecision:
    linked = rows.get(op.row) if op.row is not None else None
    if linked:
        return OpDecision(op, WriteState.DONE, "a person wrote the item's id into the row", (linked,))
    if candidates is None or not candidates.ids:
        return OpDecision(op, WriteState.NOT_DONE, "no item can be it")
    if candidates.sure and len(candidates.ids) == 1 and candidates.ids[0] not in contested:
        return OpDecision(op, WriteState.DONE, candidates.reason, tuple(candidates.ids))
    if op.row not in rows:
        return OpDecision(op, WriteState.NOT_DONE, "its row was deleted")
    return OpDecision(op, WriteState.AMBIGUOUS, candidates.reason, tuple(candidates.ids))


# Which items may be new ones of a request -----------------------------------------------------------------------------


def marked_candidates(marked: Mapping[int, Iterable[int]], taken: Collection[int]) -> dict[int, Candidates]:
    """Place → items whose marker names the row. `taken` are somebody's already."""
    reason = "its marker names the row"
    return {
        place: Candidates(sorted(item for item in set(ids) if item not in taken), True, reason)
        for place, ids in marked.items()
    }


def named_candidates(
    ops: Iterable[JournalOp], made: Mapping[int, str], taken: Collection[int] = ()
) -> dict[int, Candidates]:
    """Place → which items it may be, where no marker tells; `made`: id → name now, of those that the request's user
    made since. `taken` are somebody's already.

    Items of the very name, if there are any. If there is none, somebody may have renamed it: then it may be any item
    that bears no name of the request, or one that more items bear than were asked for, and a person has to say so.
    """
    names = {op.place: op.content.name.strip() for op in ops if isinstance(op.content, CreateOp)}
    free = {item: name.strip() for item, name in made.items() if item not in taken}
    asked, borne = Counter(names.values()), Counter(free.values())
    strangers = sorted(item for item, name in free.items() if borne[name] > asked[name])
    found: dict[int, Candidates] = {}
    for place, wanted in names.items():
        same = sorted(item for item, name in free.items() if name == wanted)
        if same:
            found[place] = Candidates(same, True, "our user made it since, under that name")
        else:
            found[place] = Candidates(strangers, False, "our user made it since, under another name")
    return found


def carried_marker(batch: OpenBatch, marker: str) -> bool:
    """Whether each new item of this request carries the id of its row; a file always does."""
    return not batch.body or marker in batch.body


def age_of(batch: OpenBatch, answered_at: datetime | None) -> Age:
    """By monday's own clock, which also says how long it keeps an answer; by the database's where it told no time."""
    if answered_at is None or batch.sender.at is None:
        return Age(batch.age_s, batch.age_s)
    return Age((answered_at - batch.sender.at).total_seconds(), batch.age_s)


def made_since(batch: OpenBatch, answered_at: datetime | None, here: datetime) -> datetime:
    """The time by monday's clock from which on an item may have been made by this request; `here` is ours.

    The database's clock has no say in it beyond how long ago that was, and that only where the journal is an older
    program's.
    """
    if batch.sender.at is not None:
        return batch.sender.at - SKEW
    age = timedelta(seconds=batch.age_s)
    return answered_at - age - SKEW if answered_at is not None else here - age - UNTOLD
