"""Whether both sides agree, by a way of its own: what a cell says is held against the column to which the tables' own
foreign keys lead. It shares with the planner how cells are decoded, and nothing else, so that it finds what the planner
cannot see: a value that was forged together with all that is remembered of it.

What is remembered only gives a difference its cause. A cause needs more than one witness: a cell waits to be taken when
it is not as it was *and* the next pull would look at its item; a value waits to be sent when it is not as it was *and*
its row tells of an edit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal

from msgspec import UNSET

from models import UNREADABLE, Row, RowId
from reconcile.columns import MARKER
from reconcile.fields import FieldValue
from reconcile.keys import PLACEHOLDER_EMAILS
from reconcile.layout import Layout
from reconcile.types import Field, ItemState, Links, PerField, PerSlot, Slot


class Cause(Enum):
    """Why two sides differ. Nothing that is remembered accounts for what is UNEXPLAINED."""

    TAKE = "waiting to be taken"
    SEND = "waiting to be sent"
    CONFLICT = "conflict"
    SET_ASIDE = "set aside"
    TOLERATED = "tolerated since first contact"
    UNEXPLAINED = "unexplained"


Kind = Literal[
    "cell", "no row", "two rows", "no item", "archived", "row lacks", "marker", "both boards", "key", "new row"
]
"""What differs: a cell and its column; an item that no row stands for, or two do; a row whose item is on no board, or
that says its item is gone, while it is there; a foreign key to a row that is not there; one Sync ID on two items; one
item on both boards; one key that two rows have; a row that is to become an item."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not the same on both sides. `field` is `table.column`, `name` what people call the item; `why`
    is for people."""

    kind: Kind
    cause: Cause
    why: str
    board: str = ""
    item_id: int | None = None
    field: str = ""
    column_id: str = ""
    table: str = ""
    row: RowId | None = None
    monday: Any = None
    postgres: Any = None
    name: str | None = None


Verdict = tuple[Cause, str]


@dataclass(frozen=True, slots=True)
class Walked:
    """Where the foreign keys of an item's own row lead, slot by slot: the ids, and the rows that are there; `dangling`
    where one of them is not."""

    record: Row
    ids: Links
    rows: PerSlot[Row | None]
    dangling: bool = False


@dataclass(slots=True)
class Memory:
    """What is remembered of one item. `monday` and `postgres` are the pair of each field when both last met, `links`
    the row of each slot; `tolerated` is how many fields were counted as different, and edited by nobody.

    `news`: the next pull looks at it, since it does not show what it showed. `letters` says by place which cells and
    rows were set aside, `claims` what a person was told of the ids in rows; `conflicts` are the fields of which one is
    open.
    """

    monday: PerField[FieldValue]
    postgres: PerField[Any]
    links: Links
    tolerated_links: Mapping[str, RowId | None]
    tolerated: int
    active: bool
    news: bool
    letters: Mapping[str, str] = field(default_factory=dict)
    claims: Mapping[str, str] = field(default_factory=dict)
    conflicts: Collection[str] = ()


@dataclass(slots=True)
class RowFacts:
    """What is remembered of rows. `edited`: their content is not what it was, or monday has to be told of it;
    `deleted`: they were known and are not there any more; `said`: what other items say, by row and `table.column`."""

    edited: Collection[RowId] = ()
    deleted: Collection[RowId] = ()
    said: Mapping[tuple[RowId, str], Collection[Any]] = field(default_factory=dict)


def walk(layout: Layout, record: Row, rows: Mapping[str, Mapping[RowId, Row]]) -> Walked:
    """Follow the foreign keys of an item's own row. `rows` are all that they may lead to, by table."""
    ids, reached = Links([None] * len(layout.slots)), PerSlot[Row | None]([None] * len(layout.slots))
    ids[layout.record], reached[layout.record] = record.id, record
    dangling = False
    for slot in layout.referenced:
        if (row_id := points_at(record, slot)) is not None:
            ids[slot], reached[slot] = row_id, rows[slot.table].get(row_id)
            dangling |= reached[slot] is None
    return Walked(record, ids, reached, dangling)


def points_at(record: Row, slot: Slot) -> RowId | None:
    """Where the foreign key of a slot leads in an item's own row."""
    found: RowId | None = getattr(record, slot.link or "id")
    return found


def unlike(state: ItemState, layout: Layout, walked: Walked) -> list[Field]:
    """The fields whose cells do not say what their column holds, or cannot be read: decided by the two alone. What was
    not read is not compared."""
    found: list[Field] = []
    for slot in layout.slots:
        row, shown = walked.rows[slot], state.values.of(slot)
        held = slot.values_of(row) if row is not None else (None,) * len(shown)
        if held == shown:
            continue
        for one, says, holds in zip(slot.fields, shown, held, strict=True):
            if says is UNSET:
                if any(column_id in one.cells for column_id, _reason in state.bad):
                    found.append(one)
            elif says != holds and not _same(one, says, holds):
                found.append(one)
    return found


def judged_cells(
    state: ItemState, layout: Layout, walked: Walked, fields: Sequence[Field], memory: Memory | None, facts: RowFacts
) -> list[Difference]:
    """Each of the fields that differ, with its cause."""
    judge = _Judge(state, layout, walked, memory, facts)
    verdicts = [judge.verdict(one) for one in fields]
    tolerated = [one for one, found in zip(fields, verdicts, strict=True) if found[0] is Cause.TOLERATED]
    counted = [one for one in tolerated if judge.is_linked(layout.slot_of(one)) and one.two_way]
    if memory is not None and len(counted) > memory.tolerated:
        why = (
            f"it is remembered as different from the beginning, but of this item only {memory.tolerated} such are known"
        )
        verdicts = [
            (Cause.UNEXPLAINED, why) if one in counted else found for one, found in zip(fields, verdicts, strict=True)
        ]
    return [_cell(state, layout, walked, one, *found) for one, found in zip(fields, verdicts, strict=True)]


def _cell(state: ItemState, layout: Layout, walked: Walked, one: Field, cause: Cause, why: str) -> Difference:
    slot = layout.slot_of(one)
    row = walked.rows[slot]
    return Difference(
        "cell", cause, why, state.board, state.id, one.target, one.cells[0], slot.table,
        walked.ids[slot], state[one], None if row is None else row[one],
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Judge:
    state: ItemState
    layout: Layout
    walked: Walked
    memory: Memory | None
    facts: RowFacts

    def is_linked(self, slot: Slot) -> bool:
        """Whether the foreign key leads to the row that the item is remembered with."""
        return self.memory is not None and self.walked.ids[slot] == self.memory.links[slot]

    def verdict(self, one: Field) -> Verdict:
        """The cause of a difference, the one that a person can do most about first."""
        memory, slot = self.memory, self.layout.slot_of(one)
        if memory is None:
            return Cause.TAKE, "the item was never synced"
        if not memory.active:
            return Cause.TAKE, "the item was not on its board at the last look"
        row = self.walked.rows[slot]
        if row is not None and row[one] is UNREADABLE:
            return Cause.SET_ASIDE, "PostgreSQL holds a value that cannot be read: correct it"
        if one.id in memory.conflicts:
            return Cause.CONFLICT, "both sides were edited, and nobody has decided"
        if (told := self._told(one)) is not None:
            return Cause.SET_ASIDE, told
        if self.state[one] is UNSET:
            reason = next(reason for column_id, reason in self.state.bad if column_id in one.cells)
            if memory.news:
                return Cause.TAKE, f"the cell cannot be read, of which the next pull tells: {reason}"
            return Cause.UNEXPLAINED, f"the cell cannot be read, and nobody was told: {reason}"
        return self._standing(slot, one, memory) if self.is_linked(slot) else self._led_away(slot, memory)

    def _told(self, one: Field) -> str | None:
        """What a person was told of a cell, or of the row behind it."""
        assert self.memory is not None
        letters, slot = self.memory.letters, self.layout.slot_of(one)
        for place in one.cells:
            if place in letters:
                return letters[place]
        rows = {self.walked.ids[slot], self.memory.links[slot]} - {None}
        for place, reason in letters.items():
            table, _, rest = place.partition(".")
            row, _, columns = rest.partition(".")
            about = not columns or not {*columns.split(",")}.isdisjoint(one.columns)
            if about and table == slot.table and (row in rows or not rows):
                return reason
        return None

    def _led_away(self, slot: Slot, memory: Memory) -> Verdict:
        """The foreign key leads elsewhere than the item is remembered to."""
        points, link = self.walked.ids[slot], memory.links[slot]
        if slot == self.layout.record:
            return Cause.SEND, f"another row of {slot.table} has the item's id now"
        if slot.role in memory.tolerated_links and memory.tolerated_links[slot.role] == points:
            return Cause.TOLERATED, f"the foreign key {slot.link} led elsewhere when both sides first met"
        if points is None and link in self.facts.deleted:
            return Cause.SET_ASIDE, "its row was deleted in PostgreSQL, and stays so until the item says something new"
        moved, news = self.walked.record.id in self.facts.edited, self._is_news(slot)
        if moved:
            return (
                (Cause.CONFLICT, f"cells and the foreign key {slot.link} were both edited")
                if news
                else (Cause.SEND, f"the foreign key {slot.link} was changed in PostgreSQL")
            )
        if news and link is None:
            return Cause.TAKE, "edited on monday"
        return (
            Cause.UNEXPLAINED,
            f"the foreign key {slot.link} does not lead where the item was linked to, and no edit tells why",
        )

    def _is_news(self, slot: Slot) -> bool:
        """Whether any cell of a slot was edited since both last met."""
        return any(map(self._taken, slot.fields))

    def _taken(self, one: Field) -> bool:
        """Whether the next pull finds another value in a cell than there was."""
        assert self.memory is not None
        says, was = self.state[one], self.memory.monday[one]
        if not self.memory.news or says is UNSET:
            return False
        return was is UNSET or one.edit_key(says) != one.edit_key(was) or not _same(one, says, was)

    def _standing(self, slot: Slot, one: Field, memory: Memory) -> Verdict:
        """A field whose slot has the row that it is remembered with, or none as before."""
        row, link = self.walked.rows[slot], memory.links[slot]
        if link is not None and row is None:
            return (
                (Cause.SET_ASIDE, "its row was deleted in PostgreSQL, and stays so until the item says something new")
                if link in self.facts.deleted
                else (Cause.UNEXPLAINED, "the foreign key leads to a row that is not there, and never was known")
            )
        says, holds = self.state[one], None if row is None else row[one]
        was, held = memory.monday[one], memory.postgres[one]
        moved = link is not None and link in self.facts.edited and not _same(one, holds, held)
        match self._taken(one), moved and one.two_way:
            case True, True:
                return Cause.CONFLICT, "both sides were edited since they last agreed"
            case True, False:
                return Cause.TAKE, "edited on monday"
            case False, True:
                return Cause.SEND, "edited in PostgreSQL"
        if not one.two_way:
            return self._read_only(one, holds, was, held)
        if _same(one, says, was) and _same(one, holds, held):
            return Cause.TOLERATED, "both sides differed when they first met, and nobody edited either since"
        return Cause.UNEXPLAINED, _lie(one, says, holds, was, held)

    def _read_only(self, one: Field, holds: Any, was: FieldValue, held: Any) -> Verdict:
        """A column that monday alone writes: of several items that show its row one has its way."""
        row = self.walked.ids[self.layout.slot_of(one)]
        if was is not UNSET and not _same(one, was, held):
            return Cause.TOLERATED, "both sides differed when they first met, and nothing is sent of this column"
        if row is not None and any(_same(one, holds, said) for said in self.facts.said.get((row, one.target), ())):
            return Cause.TOLERATED, "another item of this row says what it holds, and nothing is sent of this column"
        return Cause.UNEXPLAINED, "the row does not hold what monday shows, and nothing is sent of this column"


def _lie(one: Field, says: FieldValue, holds: Any, was: FieldValue, held: Any) -> str:
    """What is wrong with what is remembered of a difference."""
    if was is UNSET:
        return "nothing is remembered of it, and yet the item counts as known"
    if not _same(one, says, was) and not _same(one, holds, held):
        return "neither side holds what both are remembered with, and neither tells of an edit"
    if not _same(one, says, was):
        return "the cell is remembered with another value, and the item counts as unchanged"
    return "the row is remembered with another value, and counts as unchanged"


def _same(one: Field, this: Any, that: Any) -> bool:
    """Whether two values of a field are one and the same in this column's own terms: an e-mail's case, the form of a
    number. Of nothing that was not read."""
    if this is UNSET or that is UNSET:
        return this is that
    return bool(one.compare_key(this) == one.compare_key(that))


# Items and their rows -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Holder:
    """The row that an item is remembered with, where it does not hold the item's id: `holds` is what it does hold."""

    row: RowId | None
    there: bool = False
    holds: int | None = None


def needs_row(state: ItemState, layout: Layout) -> bool:
    """Whether a row has to stand for an item: a project always has one, a person who has anything to be told of."""
    slot = layout.record
    return slot.table == "projects" or any(value not in (None, UNSET) for value in state.values.of(slot))


def no_row(board: str, item_id: int, table: str, memory: Memory | None, holder: Holder, facts: RowFacts) -> Difference:
    """An active item that no row stands for."""
    cause, why = _no_row(table, memory, holder, facts)
    return Difference("no row", cause, why, board, item_id, table=table, row=holder.row)


def _no_row(table: str, memory: Memory | None, holder: Holder, facts: RowFacts) -> Verdict:
    if memory is None:
        return Cause.TAKE, "the item was never synced"
    if not memory.active:
        return Cause.TAKE, "the item was not on its board at the last look"
    listed = [*memory.letters.items(), *memory.claims.items()]
    told = [reason for place, reason in listed if place.startswith(f"{table}.")]
    if told:
        return Cause.SET_ASIDE, told[0]
    if holder.row in facts.deleted:
        return Cause.SET_ASIDE, "its row was deleted in PostgreSQL: --propagate-deletes archives the item"
    if holder.there and holder.holds is None:
        return Cause.TAKE, "its row lacks the item's id, which the next pull writes again"
    if holder.there:
        return Cause.UNEXPLAINED, f"its row holds the id of item {holder.holds}"
    if holder.row is None and memory.news:
        return Cause.TAKE, "its row is still to be made"
    return Cause.UNEXPLAINED, "the item counts as landed, and no row has its id"


def two_rows(board: str, item_id: int, table: str, rows: Sequence[RowId], letters: Mapping[str, str]) -> Difference:
    """One item's id in several rows. `letters` are what was told of rows, by `table.row`."""
    told = next((letters[place] for row in rows if (place := f"{table}.{row}") in letters), None)
    why = told or f"{len(rows)} rows have its id: {', '.join(rows)}"
    return Difference(
        "two rows",
        Cause.UNEXPLAINED if told is None else Cause.SET_ASIDE,
        why,
        board,
        item_id,
        table=table,
        row=rows[0],
    )


def archived(state: ItemState, table: str, row: RowId, memory: Memory | None) -> Difference:
    """A row that says its item is gone, of an item that is on its board."""
    cause, why = Cause.UNEXPLAINED, "archived_at is set, and the item is on its board"
    if memory is None or not memory.active or memory.news:
        cause, why = Cause.TAKE, "the item is back on its board: the next pull clears archived_at"
    return Difference("archived", cause, why, state.board, state.id, f"{table}.archived_at", "", table, row)


def lacking_rows(
    state: ItemState, layout: Layout, walked: Walked, memory: Memory | None, facts: RowFacts
) -> Iterator[Difference]:
    """Foreign keys to rows that are not there."""
    for slot in layout.referenced:
        points = points_at(walked.record, slot)
        if points is None or walked.rows[slot] is not None:
            continue
        known = points in facts.deleted
        why = "the row that it names was deleted in PostgreSQL" if known else "the row that it names is not there"
        cause = Cause.SET_ASIDE if known and memory is not None else Cause.UNEXPLAINED
        yield Difference(
            "row lacks", cause, why, state.board, state.id, f"{layout.record.table}.{slot.link}", "",
            slot.table, points,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stray:
    """A row with the id of an item that is on no board that was read. `state` is what is remembered of the item, None
    where it was never known; `gone` what monday says of it; `told` what a person was told of the row; `sending`: a push
    has just made it."""

    board: str
    item_id: int
    table: str
    row: RowId
    state: str | None
    gone: str | None = None
    told: str | None = None
    sending: bool = False


def no_item(stray: Stray) -> Difference:
    """A row whose item is on no board."""
    cause, why = _no_item(stray)
    return Difference("no item", cause, why, stray.board, stray.item_id, table=stray.table, row=stray.row)


def _no_item(stray: Stray) -> Verdict:
    if stray.told is not None:
        return Cause.SET_ASIDE, stray.told
    if stray.sending:
        return Cause.SEND, "a push that was cut short may have made it"
    if stray.state in ("active", "missing"):
        return Cause.TAKE, f"its item has left the board ({stray.gone or 'not seen'})"
    if stray.state == "moved":
        return Cause.SET_ASIDE, "its item is on another board, and keeps its row"
    if stray.state is not None:
        return Cause.UNEXPLAINED, f"its item is {stray.state}, and archived_at is not set"
    return Cause.UNEXPLAINED, "no board has its item, and no run knows of it"


def new_row(table: str, board: str, row: RowId, name: str | None, told: str | None) -> Difference:
    """A row that has no item yet."""
    cause = Cause.SEND if told is None else Cause.SET_ASIDE
    why = told or "it becomes an item with the next push"
    return Difference("new row", cause, why, board, None, "", "", table, row, None, name)


# Across items ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Census:
    """Who came by, whole boards at a time: ids, and the Sync IDs that items carry."""

    ids: dict[str, set[int]] = field(default_factory=dict)
    markers: dict[str, tuple[str, int]] = field(default_factory=dict)
    twice: list[tuple[str, tuple[str, int], tuple[str, int]]] = field(default_factory=list)

    def take(self, state: ItemState) -> bool:
        """Count an item; False for one that came before, as one that was edited meanwhile may."""
        ids = self.ids.setdefault(state.board, set())
        if state.id in ids:
            return False
        ids.add(state.id)
        if state.marker:
            item = (state.board, state.id)
            other = self.markers.setdefault(state.marker, item)
            if other != item:
                self.twice.append((state.marker, other, item))
        return True

    def on_both(self) -> Iterator[Difference]:
        """Items that are on two boards at once."""
        boards = list(self.ids)
        for number, board in enumerate(boards):
            for other in boards[number + 1 :]:
                for item_id in sorted(self.ids[board] & self.ids[other]):
                    yield Difference(
                        "both boards", Cause.UNEXPLAINED, f"the item is on the {other} board too", board, item_id
                    )

    def marked_twice(
        self, told: Mapping[tuple[str, int], str], new: Callable[[tuple[str, int]], bool]
    ) -> Iterator[Difference]:
        """Sync IDs that two items carry, as a copy does. `told` is what a person was told of an item's Sync ID, `new`
        whether an item was never synced."""
        for marker, one, other in self.twice:
            reason = told.get(one) or told.get(other)
            cause, why = Cause.UNEXPLAINED, f"item {one[1]} of the {one[0]} board carries the same Sync ID"
            if reason is not None:
                cause, why = Cause.SET_ASIDE, reason
            elif new(one) or new(other):
                cause = Cause.TAKE
            yield Difference("marker", cause, why, *other, column_id=MARKER, row=RowId(marker), monday=marker)


@dataclass(frozen=True, slots=True)
class Doubled:
    """Rows of one table that say one and the same identifying thing, blanks and case aside, and that items show."""

    table: str
    column: str
    said: str
    rows: tuple[RowId, ...]


def doubled_keys(
    found: Sequence[Doubled],
    nobody: Collection[str],
    told: Callable[[RowId], str | None],
    edited: Collection[RowId],
) -> Iterator[Difference]:
    """Keys that two rows have. `nobody` are e-mail addresses that name nobody; `told` is what a person was told of a
    row, `edited` are rows that people edited and of which the other side does not know yet."""
    seen: Counter[tuple[str, frozenset[RowId]]] = Counter()
    for double in found:
        if "email" in double.column and _names_nobody(double, nobody):
            continue
        pair = (double.table, frozenset(double.rows))
        seen[pair] += 1
        if seen[pair] > 1:
            continue  # a person's two addresses are one finding
        reason = next((told(row) for row in double.rows if told(row) is not None), None)
        cause, why = Cause.UNEXPLAINED, f"{len(double.rows)} rows have it: {', '.join(double.rows)}"
        if reason is not None:
            cause, why = Cause.SET_ASIDE, reason
        elif not {*double.rows}.isdisjoint(edited):
            cause = Cause.SEND
        yield Difference(
            "key", cause, why, field=f"{double.table}.{double.column}", table=double.table, row=double.rows[0],
            postgres=double.said,
        )  # fmt: skip


def _names_nobody(double: Doubled, nobody: Collection[str]) -> bool:
    if double.said.partition("@")[0] in PLACEHOLDER_EMAILS:
        return True
    return double.table == "customers" and double.said in nobody
