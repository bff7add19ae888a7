"""The three kinds of writes: what is sent of each subject, what the journal keeps of it, and what becomes of it.

A subject is an item whose cells change, a row that becomes an item, or an item that goes. How batches of them travel is
`push.send`'s business, and the same for all.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Generic, Literal, TypeVar

from models import RowId
from monday.errors import ApiFault
from monday.writing import ArchiveItem, ChangeItem, CreateItem, Kind, Op
from monday_api import MARKER
from postgres.write_push import Prepared
from push.record import WriteResult, state_of
from push.rejected import column_of, why
from reconcile.changes import item_changes
from reconcile.items import RawItem
from reconcile.journal_ops import JournalOp, OpenBatch, Sender, change_op, changed_base, create_op
from reconcile.layout import Layout
from reconcile.push_plan import ItemCreate, ItemPush, Rejection, input_of
from reconcile.types import ItemKey
from run.context import Run
from run.start import RunStart

S = TypeVar("S")


@dataclass(slots=True)
class Sent:
    """What one run sent. `undelivered` are rows that still have something to tell, `gone` items that vanished,
    `unsettled` whether the journal keeps something for the next run; `first_at` monday's time of the first write;
    `stopped` why the rest waits for another day."""

    updated: int = 0
    created: int = 0
    archived: int = 0
    cells: int = 0
    refused: list[Rejection] = field(default_factory=list)
    delivered: list[ItemPush] = field(default_factory=list)
    new: list[ItemCreate] = field(default_factory=list)
    undelivered: set[RowId] = field(default_factory=set)
    gone: list[ItemKey] = field(default_factory=list)
    prepared: Prepared = field(default_factory=Prepared)
    unsettled: bool = False
    first_at: datetime | None = None
    stopped: str = ""


class WriteKind(ABC, Generic[S]):
    """One kind of writes on one board. `first` is how many go in the first request, `most` in any."""

    kind: ClassVar[Kind]
    in_doubt: ClassVar[Literal["look", "leave", "repeat"]]
    """What to do about a request that may have run: read the items, leave it to a later run, or send it again."""
    first: ClassVar[int] = 25
    most: ClassVar[int] = 100

    def __init__(self, run: Run, start: RunStart, board: str, sent: Sent) -> None:
        self.run, self.start, self.board, self.sent = run, start, board, sent

    @property
    def layout(self) -> Layout:
        return self.run.layouts[self.board]

    @abstractmethod
    def op(self, subject: S) -> Op:
        """What is sent."""

    @abstractmethod
    def entry(self, subject: S, place: int) -> JournalOp:
        """What the journal keeps."""

    @abstractmethod
    def take(self, subject: S, item: RawItem, place: int, outcome: WriteResult) -> None:
        """It is done, and monday told what it shows."""

    @abstractmethod
    def hold(self, subject: S) -> None:
        """It goes on waiting: its rows still have something to tell."""

    @abstractmethod
    def set_aside(self, subject: S, fault: ApiFault, *, known: bool) -> None:
        """A person has to look at what monday refused. `known`: the value is to blame, and is not sent again."""

    def vanished(self, subject: S) -> bool:
        """The item is not there any more; False where there was none."""
        del subject
        return False

    def without(self, subject: S, fault: ApiFault) -> bool:
        """Leave out the cell that was refused, so that the others of its item land; False when that cannot be."""
        del subject, fault
        return False

    def seen(self, subject: S, written: Collection[int]) -> bool:
        """Count it as done if its item shows that."""
        del subject, written
        return False

    def left(self, subject: S) -> bool:
        """Whether anything of it is still to be sent after `without`."""
        del subject
        return True

    def _may_make_labels(self, subject: ItemPush | ItemCreate) -> bool:
        return self.run.options.create_labels and any("label" in (form or ()) for form in subject.values.values())


class Changes(WriteKind[ItemPush]):
    kind = "change"
    in_doubt = "look"

    def op(self, subject: ItemPush) -> ChangeItem:
        return ChangeItem(subject.id, subject.values, self._may_make_labels(subject))

    def entry(self, subject: ItemPush, place: int) -> JournalOp:
        return JournalOp(place, subject.id, None, change_op(subject, self.layout))

    def take(self, subject: ItemPush, item: RawItem, place: int, outcome: WriteResult) -> None:
        state = state_of(self.run, self.start, self.board, item, as_page=True)
        waits = subject.awaits_pull or subject.open
        op = change_op(subject, self.layout)
        outcome.places.append(place)
        outcome.bases.append(changed_base(op, subject.base, state, self.layout, waits=waits))
        outcome.conflicts += subject.conflicts
        outcome.changes += item_changes(subject, self.layout)
        self.sent.first_at = min(self.sent.first_at or state.updated_at, state.updated_at)
        self._delivered(subject)

    def seen(self, subject: ItemPush, written: Collection[int]) -> bool:
        if subject.id not in written:
            return False
        self._delivered(subject)
        return True

    def _delivered(self, subject: ItemPush) -> None:
        self.sent.updated += 1
        self.sent.cells += len(subject.cells)
        self.sent.delivered.append(subject)

    def hold(self, subject: ItemPush) -> None:
        self.sent.undelivered |= set(subject.causes.values())

    def set_aside(self, subject: ItemPush, fault: ApiFault, *, known: bool) -> None:
        self.sent.refused += [self._refused(subject, column_id, fault, known=known) for column_id in subject.cells]
        self.hold(subject)

    def vanished(self, subject: ItemPush) -> bool:
        self.sent.gone.append((self.board, subject.id))
        self.hold(subject)
        return True

    def without(self, subject: ItemPush, fault: ApiFault) -> bool:
        column_id = column_of(fault, subject.cells)
        if column_id is None:
            return False
        self.sent.refused.append(self._refused(subject, column_id, fault, known=True))
        self.hold(subject)
        subject.drop(column_id, self.layout)
        return True

    def left(self, subject: ItemPush) -> bool:
        return bool(subject.cells)

    def _refused(self, subject: ItemPush, column_id: str, fault: ApiFault, *, known: bool) -> Rejection:
        digest = input_of(subject.cells[column_id].after) if known else ""
        return Rejection(self.board, subject.id, column_id, why(fault, sticks=known), digest)


class Creates(WriteKind[ItemCreate]):
    """`marked`: the board has the column in which a new item carries its row's id. `made` are ops with the id of their
    new item, by the number of their batch."""

    kind = "create"
    in_doubt = "leave"  # nothing tells so soon whether it was made, and none may be made twice
    first = 10
    most = 50

    def __init__(self, run: Run, start: RunStart, board: str, sent: Sent, *, marked: bool) -> None:
        super().__init__(run, start, board, sent)
        self._marked = marked
        self.made: dict[int, OpenBatch] = {}

    def op(self, subject: ItemCreate) -> CreateItem:
        marker = {MARKER: subject.row} if self._marked else {}
        return CreateItem(subject.name, subject.values | marker, self._may_make_labels(subject))

    def entry(self, subject: ItemCreate, place: int) -> JournalOp:
        return JournalOp(place, None, subject.row, create_op(subject, self.layout))

    def take(self, subject: ItemCreate, item: RawItem, place: int, outcome: WriteResult) -> None:
        entry = self.entry(subject, place)
        outcome.table = self.layout.record.table
        outcome.created.append((place, subject.row, item.id))
        self.keep(outcome.number, JournalOp(place, item.id, entry.row, entry.content), subject)
        self.sent.refused += [
            Rejection(cell.board, item.id, cell.column_id, cell.reason, cell.input) for cell in subject.rejected
        ]

    def keep(self, number: int, op: JournalOp, subject: ItemCreate) -> None:
        """A new item, to be read before it is remembered. Cells that did not go with it are still to be told."""
        nothing = OpenBatch(number, self.layout.board_id, "create", "", "", None, 0.0, Sender(), [])
        self.made.setdefault(number, nothing).ops.append(op)
        self.sent.created += 1
        self.sent.cells += len(subject.cells)
        self.sent.new.append(subject)
        uncarried = (subject.links[self.layout.slot_of(field)] for field in subject.uncarried)
        self.sent.undelivered |= {row for row in uncarried if row is not None}

    def hold(self, subject: ItemCreate) -> None:
        self.sent.undelivered.add(subject.row)

    def set_aside(self, subject: ItemCreate, fault: ApiFault, *, known: bool) -> None:
        place = f"{self.layout.record.table}.{subject.row}"
        digest = input_of(sorted(subject.values.items())) if known else ""
        self.sent.refused.append(Rejection(self.board, 0, place, why(fault, sticks=known), digest))
        self.hold(subject)

    def without(self, subject: ItemCreate, fault: ApiFault) -> bool:
        column_id = column_of(fault, subject.cells)
        if column_id is None:
            return False
        digest = input_of(subject.cells[column_id].after)
        subject.rejected.append(Rejection(self.board, 0, column_id, why(fault, sticks=True), digest))
        subject.leave_out(column_id, self.layout)
        return True


class Archives(WriteKind[ItemKey]):
    kind = "archive"
    in_doubt = "repeat"  # which is harmless

    def op(self, subject: ItemKey) -> ArchiveItem:
        return ArchiveItem(subject[1])

    def entry(self, subject: ItemKey, place: int) -> JournalOp:
        return JournalOp(place, subject[1], None, None)

    def take(self, subject: ItemKey, item: RawItem, place: int, outcome: WriteResult) -> None:
        del item
        outcome.places.append(place)
        outcome.archived.append(subject)
        self.sent.archived += 1

    def hold(self, subject: ItemKey) -> None:
        """Its row is gone already: nothing waits but the item."""

    def set_aside(self, subject: ItemKey, fault: ApiFault, *, known: bool) -> None:
        del known
        self.sent.refused.append(Rejection(self.board, subject[1], "", why(fault, sticks=False), ""))

    def vanished(self, subject: ItemKey) -> bool:
        self.sent.gone.append(subject)
        return True
