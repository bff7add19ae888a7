"""The plan of a push: which cells of which items have to change so that monday.com shows what people typed in
PostgreSQL, which rows become items, and which items go. Pure: the same plan is printed by a dry run and carried out.

It is made twice. First on what is remembered of every item, which tells the items that have to be looked at; then on
what monday shows of those right now. Nothing is sent to a place where an edit came from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import msgspec
from msgspec import UNSET

from models import UNREADABLE, Row, RowId
from reconcile.base import FORCE, BaseValue, ItemBase, as_remembered
from reconcile.boards import BOARD_SPECS
from reconcile.columns import STATUS, ColumnMap, Policy, Value
from reconcile.conflicts import Conflict, winner
from reconcile.database_state import ItemKey
from reconcile.decide import Verdict, agreed, decide, edited_in_postgres, edited_on_monday, same
from reconcile.derived import DEFAULT_STATUS, STAGES, STATUS_COLUMN, status_of
from reconcile.edits import Edits
from reconcile.encode import Labels, write_form
from reconcile.errors import CellError
from reconcile.fields import FieldValue, Unplaced, completed_value, whole_name
from reconcile.foretold import BoardRules, Held, foretell, missing, standing, written
from reconcile.items import Cell, decode_item
from reconcile.layout import Field, ItemState, Layout, Slot
from reconcile.plan_pull import Update
from reconcile.push_plan import CellEdit, ItemCreate, ItemPush, Push, Rejection, input_of
from reconcile.tables import NAME_OF, SPECS, TABLES, certain_keys

FAN_OUT = 25
"""Items that one changed row may rewrite without a person's leave."""


@dataclass(frozen=True, slots=True)
class CurrentItem:
    """An item as monday shows it right now: what it says, and the JSON of its cells, of which few are looked at."""

    state: ItemState
    raw: bytes

    def cells(self) -> dict[str, Cell]:
        item = decode_item(self.raw)
        return {"name": Cell("name", text=item.name)} | {cell.id: cell for cell in item.column_values}


@dataclass(frozen=True, slots=True)
class PushOptions:
    """What a person chose for this run; `columns` are those that it may write. Once they are known, `labels` are each
    board's status labels, `spelled` their texts by id, `rules` what the board itself asks of its items, and
    `titles` what it calls its columns.
    """

    columns: Mapping[str, ColumnMap]
    labels: Mapping[str, Mapping[str, Labels]] = field(default_factory=dict)
    policy: Policy | None = None
    create_labels: bool = False
    allow_fanout: bool = False
    propagate_deletes: bool = False
    stage_status: Mapping[str, str] = field(default_factory=dict)
    spelled: Mapping[str, Mapping[str, Mapping[int, str]]] = field(default_factory=dict)
    rules: Mapping[str, BoardRules] = field(default_factory=dict)
    titles: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def items_to_read(edits: Edits, layouts: Mapping[str, Layout], options: PushOptions) -> tuple[list[ItemKey], Push]:
    """The items that have something to say on what is remembered of them, in order, and the plan as far as that goes:
    what it settles without a look at monday, and which rows too many items show.
    """
    planner = _Planner(edits, layouts, options, {})
    planner.run(None)
    push = planner.push
    push.candidates = {(item.board, item.id): set(item.causes.values()) for item in push.items}
    push.items = []  # they are made anew, on what monday shows
    wanted = set(push.candidates)
    if options.propagate_deletes:
        wanted |= set(push.deleted)
    return sorted(wanted), push


def plan_push(
    edits: Edits,
    layouts: Mapping[str, Layout],
    shown: dict[ItemKey, CurrentItem],
    first: Push,
    options: PushOptions,
    *,
    not_looked_at: Collection[ItemKey] = (),
) -> Push:
    """The plan, on what monday shows of the items that `items_to_read` named. `first` is the plan it gave.

    Rows of items in `not_looked_at` go on waiting: beyond the limit, or in an older state than is remembered. `shown`
    is used up, so that memory never holds all of it beside all of the plan.
    """
    looked = frozenset(shown)
    planner = _Planner(edits, layouts, options, first.over_fan_out)
    planner.run(shown)
    push = planner.push
    push.pending_rows |= first.pending_rows
    push.set_aside |= first.set_aside
    push.still_rejected |= first.still_rejected
    push.deleted = sorted({*first.deleted, *push.deleted})
    push.settled += [base for base in first.settled if (base.board, base.id) not in looked]
    for key, causes in first.candidates.items():
        if key in not_looked_at:
            push.pending_rows |= causes
            push.deferred += 1
    push.completed = planner.completed()
    return push


class _Planner:
    """One pass over the items. In the first one `shown` is None, and every item says what it said last."""

    def __init__(
        self, edits: Edits, layouts: Mapping[str, Layout], options: PushOptions, fanned: Mapping[RowId, int]
    ) -> None:
        self._edits, self._layouts, self._options = edits, layouts, options
        self._whole: dict[RowId, Row] = {}
        self._settled: set[tuple[RowId, str]] = set()
        self._unplaced: dict[tuple[RowId, str], Unplaced] = {}
        self._new_records: dict[tuple[str, str], RowId] = {}
        self._labels: dict[str, dict[str, dict[str, int | None]]] = {
            board: {column_id: dict(known) for column_id, known in columns.items()}
            for board, columns in options.labels.items()
        }
        self.push = Push(over_fan_out=dict(fanned))

    def run(self, shown: dict[ItemKey, CurrentItem] | None) -> None:
        self.push.pending_rows |= self._edits.elsewhere
        for key, base in sorted(self._edits.bases.items()):
            if key in self._edits.in_flight or key[0] not in self._layouts:
                self.push.pending_rows |= {row for row in base.links if row in self._edits.changed}
                continue
            if shown is None or key in shown:
                self._item(base, self._layouts[base.board], None if shown is None else shown.pop(key))
        for board, row in sorted(self._edits.new_rows):
            if row not in self._edits.in_flight and board in self._layouts:
                self._create(self._layouts[board], row)
        if shown is None:
            self._cap_fan_out()

    def completed(self) -> dict[str, list[Update]]:
        """What the edited rows lack to be whole again: a joint field of which one part was edited, the status."""
        found: dict[str, list[Update]] = {table: [] for table in TABLES}
        for table in TABLES:
            for row_id in sorted(self._whole.keys() & self._edits.rows[table].keys()):
                if changes := self._edits.rows[table][row_id].changes_to(self._whole[row_id]):
                    found[table].append(Update(row_id, changes))
        return found

    # One item

    def _item(self, base: ItemBase, layout: Layout, shown: CurrentItem | None) -> None:
        if base.links[layout.record] is None:  # the database refused its row: it was never there to be deleted
            return
        record = self._row(layout.slots[layout.record].table, base.links[layout.record])
        key = (base.board, base.id)
        if record is None:
            self._deleted(key, base, layout, shown)
            return
        state = shown.state if shown else as_remembered(base)
        item = ItemPush(base.board, base.id, state, base.copy())
        item.settles = key in self._edits.moved
        pointers = dict(layout.pointers)
        for place, slot in enumerate(layout.slots):
            points = getattr(record, pointers[place]) if place in pointers else None
            if place in pointers and self._moved(base, place, points):
                self._moved_slot(item, base, layout, place, points, shown)
                continue
            if place in pointers and points == base.links[place]:
                item.base.tolerated_links.pop(place, None)
            row = self._row(slot.table, base.links[place])
            if row is not None:
                self._standing_slot(item, base, layout, slot, row, shown)
        if shown is not None and item.cells and self._options.rules.get(base.board):
            self._heed_rules(item, base, layout, shown)
        self._finish(item, base, layout, looked=shown is not None)

    def _moved(self, base: ItemBase, place: int, points: RowId | None) -> bool:
        """Whether a person moved a foreign key; one that is empty because its row was deleted was not."""
        link = base.links[place]
        if points == link or points == base.tolerated_links.get(place, link):
            return False
        table = self._layouts[base.board].slots[place].table
        if points is None:
            return link in self._edits.rows[table]
        return points in self._edits.rows[table]

    def _standing_slot(
        self, item: ItemPush, base: ItemBase, layout: Layout, slot: Slot, row: Row, shown: CurrentItem | None
    ) -> None:
        changed = row.id in self._edits.changed
        for number in slot.fields:
            field, monday = layout.fields[number], item.state.values[number]
            base_monday, base_postgres = base.monday[number], base.postgres[number]
            if base_monday is UNSET:
                continue
            if not changed and base_postgres is not FORCE and monday == base_monday and row[field] == base_postgres:
                continue
            postgres = self._held(row, field, base_postgres)
            if postgres is UNREADABLE:
                self._set_aside(row.id)
                continue
            if monday is UNSET:  # the cell holds something that nobody can read: what the row has to tell waits
                if field.two_way and edited_in_postgres(field, postgres, base_postgres):
                    self._set_aside(row.id)
                continue
            decision = decide(field, monday, postgres, base_monday, base_postgres)
            match decision.verdict:
                case Verdict.SAME:
                    self._agree(item, number, monday, postgres)
                case Verdict.TO_POSTGRES:
                    item.awaits_pull = True
                case Verdict.TO_MONDAY if field.two_way:
                    self._write(item, layout, number, postgres, row.id, shown)
                case Verdict.CONFLICT if field.two_way:
                    conflict = self._conflict(item, layout, number, row.id, monday, postgres)
                    if not self._wins(item, field, conflict):
                        self.push.pending_rows.add(row.id)
                    elif self._write(item, layout, number, postgres, row.id, shown):
                        item.conflicts.append(conflict)

    def _write(
        self,
        item: ItemPush,
        layout: Layout,
        number: int,
        postgres: FieldValue,
        row: RowId,
        shown: CurrentItem | None,
    ) -> bool:
        """Let the cells of one field show what its row holds; False where that waits, or where they show it."""
        if row in self.push.over_fan_out:
            self.push.pending_rows.add(row)
            return False
        return self._tell(item, layout, number, postgres, row, shown) and number in item.targets

    def _moved_slot(
        self,
        item: ItemPush,
        base: ItemBase,
        layout: Layout,
        place: int,
        points: RowId | None,
        shown: CurrentItem | None,
    ) -> None:
        """The slot shows another row from now on, or nothing: all of its cells or none, so that they never speak of two
        rows at once."""
        slot, record = layout.slots[place], base.links[layout.record]
        assert record is not None
        row = self._row(slot.table, points)
        edited = [
            number
            for number in slot.fields
            if edited_on_monday(layout.fields[number], item.state.values[number], base.monday[number])
        ]
        wanted = {
            number: None if row is None else self._held(row, layout.fields[number], FORCE) for number in slot.fields
        }
        if UNREADABLE in wanted.values():
            self._set_aside(record)
            return
        conflicts = {
            number: self._conflict(item, layout, number, points or record, item.state.values[number], wanted[number])
            for number in edited
        }
        wins = [self._wins(item, layout.fields[number], conflict) for number, conflict in conflicts.items()]
        if not all(wins):
            self.push.pending_rows.add(record)
            return
        if all(self._show(item, layout, number, target, record, shown) for number, target in wanted.items()):
            item.conflicts += [conflict for number, conflict in conflicts.items() if number in item.targets]
            item.left[slot.role] = item.base.links[place]
            item.base.links[place] = item.moved[slot.role] = points
            item.base.tolerated_links.pop(place, None)
            item.settles = True
            return
        self.push.pending_rows.add(record)
        for number in slot.fields:  # one cell cannot be written: the others would speak of another row than it
            item.base.set_pair(number, base.monday[number], base.postgres[number])
            item.forget(number, layout)

    def _show(
        self, item: ItemPush, layout: Layout, number: int, target: FieldValue, cause: RowId, shown: CurrentItem | None
    ) -> bool:
        """Let one field of a slot show another row's value; False when it cannot."""
        field, says = layout.fields[number], item.state.values[number]
        if says is UNSET and field.two_way:
            return False
        if not field.two_way or same(field, says, target):
            self._agree(item, number, says, target)
            return True
        return self._tell(item, layout, number, target, cause, shown)

    def _conflict(
        self, item: ItemPush, layout: Layout, number: int, row: RowId, says: FieldValue, holds: FieldValue
    ) -> Conflict:
        """Both sides' edits of one field, of which PostgreSQL's is sent."""
        field = layout.fields[number]
        slot = layout.slots[field.slot]
        place = ((item.board, item.id), slot.role, field.id, slot.table, row)
        met = agreed(field, item.base.monday[number], item.base.postgres[number])
        return Conflict(*place, "postgres", holds, "monday", says, monday=says, postgres=holds, agreed=met)

    def _wins(self, item: ItemPush, field: Field, conflict: Conflict) -> bool:
        """Whether PostgreSQL's side of a conflict is sent; each direction settles only what it wins."""
        wins = winner(field, self._options.policy)
        if wins == "nobody":
            item.open = True
            item.conflicts.append(conflict.left_open())
        elif wins == "monday":
            item.awaits_pull = True
        return wins == "postgres"

    def _tell(
        self, item: ItemPush, layout: Layout, number: int, target: FieldValue, cause: RowId, shown: CurrentItem | None
    ) -> bool:
        """Write the cells of one field that show something else: all of them or, when one is refused, none (False)."""
        field = layout.fields[number]
        edits: dict[str, CellEdit] = {}
        cells = shown.cells() if shown is not None else {}
        try:
            told = field.to_cells(target)
        except CellError as error:
            return self._untold(item, number, target, cause, str(error), looked=shown is not None)
        for column_id, value in zip(field.cells, told, strict=True):
            edit = self._edit(item.board, item.id, column_id, value, cells.get(column_id), looked=shown is not None)
            if isinstance(edit, Rejection):
                self._set_aside(cause)
                if edit.reason:
                    self.push.rejected.append(edit)
                else:
                    self.push.still_rejected.add((item.board, item.id, column_id))
                return False
            if edit is not None:
                edits[column_id] = edit
        if not edits and shown is not None:
            self._agree(item, number, item.state.values[number], target)
            return True
        if any(column_id in item.cells and item.cells[column_id] != edit for column_id, edit in edits.items()):
            self.push.pending_rows.add(
                cause
            )  # two fields of one cell: the first is told, the other hears of it from monday
            return False
        item.cells |= edits
        item.targets[number] = target
        item.causes[number] = cause
        return True

    def _untold(
        self, item: ItemPush, number: int, target: FieldValue, cause: RowId, reason: str, *, looked: bool
    ) -> bool:
        """No cell can show what the field holds: it is set aside, and listed with the first of its cells."""
        place, digest = (item.board, item.id, self._layouts[item.board].fields[number].cells[0]), input_of(target)
        if self._edits.rejected.get(place) == digest:
            self.push.still_rejected.add(place)
        elif looked:
            self.push.rejected.append(Rejection(*place, reason, digest))
        else:  # the item has to be looked at before anything is said about it
            item.cells.setdefault(place[2], CellEdit(None, None, None))
            item.causes[number] = cause
            return False
        self._set_aside(cause)
        return False

    def _set_aside(self, row: RowId) -> None:
        """The row waits, for a value that a person is told of."""
        self.push.pending_rows.add(row)
        self.push.set_aside.add(row)

    def _edit(
        self, board: str, item_id: int, column_id: str, value: Value, was: Cell | None, *, looked: bool
    ) -> CellEdit | Rejection | None:
        """The write of one cell; None when it shows the value already; without a reason, what was refused before."""
        column = self._options.columns[board].get(column_id)
        if column is None:  # it is left alone: a look shows no value of it, and the row waits
            return CellEdit(None, value, None)
        digest = input_of(value)
        told_before = self._edits.rejected.get((board, item_id, column_id)) == digest
        if told_before and not (column.codec is STATUS and self._options.create_labels):
            return Rejection(board, item_id, column_id, "", digest)
        if not looked:
            return CellEdit(None, value, None)
        try:
            before = column.codec.decode(was) if was is not None else None
        except CellError:
            before = None
        if was is not None and column.codec.compare_key(before) == column.codec.compare_key(value):
            return None
        try:
            form = self._form(board, column_id, value, was)
        except CellError as error:
            return Rejection(board, item_id, column_id, str(error), digest)
        if column.codec is STATUS and self._is_shown(board, column_id, before, form):
            return None
        return CellEdit(before, value, form)

    def _form(self, board: str, column_id: str, value: Value, was: Cell | None) -> Any:
        """`write_form` of a cell. A label that is to be made is known from then on, so that a second spelling of it
        makes no other."""
        column, labels = self._options.columns[board][column_id], self._labels.get(board, {}).get(column_id)
        form = write_form(column, value, was, labels, create_labels=self._options.create_labels)
        if column.codec is STATUS and labels is not None and isinstance(form, dict) and "label" in form:
            labels.setdefault(form["label"], None)
        return form

    def _is_shown(self, board: str, column_id: str, shows: Value, form: Any) -> bool:
        """Whether a status shows the label already that a row spells in another way."""
        labels = self._labels.get(board, {}).get(column_id, {})
        return isinstance(form, dict) and "index" in form and labels.get(str(shows)) == form["index"]

    def _heed_rules(self, item: ItemPush, base: ItemBase, layout: Layout, shown: CurrentItem) -> None:
        """Leave out what the board's own rules would refuse. They may change: the cell is tried again each time."""
        board, columns = item.board, self._options.columns[item.board]
        was, labels = shown.cells(), self._labels.get(board, {})
        holds = {
            column_id: standing(column, was.get(column_id), labels.get(column_id, {}))
            for column_id, column in columns.items()
        }
        while item.cells:
            writes = {column_id: written(columns[column_id], edit) for column_id, edit in item.cells.items()}
            found = foretell(self._options.rules[board], writes, holds, columns, self._options.spelled.get(board, {}))
            if not found:
                return
            for column_id, reason in found:
                self.push.rejected.append(Rejection(board, item.id, column_id, reason, ""))
                self._withdraw(item, base, layout, column_id)

    def _withdraw(self, item: ItemPush, base: ItemBase, layout: Layout, column_id: str) -> None:
        """Leave a cell out: its field goes on waiting, and a slot that was to show another row shows the one it did."""
        numbers = [number for number in item.targets if column_id in layout.fields[number].cells]
        moved = {place for n in numbers if layout.slots[place := layout.fields[n].slot].role in item.moved}
        self.push.pending_rows |= {item.causes[number] for number in numbers}
        item.drop(column_id, layout)
        for place in moved:
            for number in layout.slots[place].fields:
                item.base.set_pair(number, base.monday[number], base.postgres[number])
            if place in base.tolerated_links:
                item.base.tolerated_links[place] = base.tolerated_links[place]

    def _agree(self, item: ItemPush, number: int, says: FieldValue, holds: FieldValue) -> None:
        self.push.agreed[(item.board, item.id), self._layouts[item.board].fields[number].id] = says
        base = item.base
        if base.monday[number] != says or base.postgres[number] is FORCE or base.postgres[number] != holds:
            base.set_pair(number, says, holds)
            item.settles = True

    def _finish(self, item: ItemPush, base: ItemBase, layout: Layout, *, looked: bool) -> None:
        self.push.awaiting_pull += item.awaits_pull
        if item.base.tolerated_links != base.tolerated_links:
            item.settles = True
        self.push.conflicts += [lost for lost in item.conflicts if lost.open]
        item.conflicts = [lost for lost in item.conflicts if not lost.open]
        if item.cells:
            self.push.items.append(item)
            return
        if item.settles or item.open:
            waits = looked and (item.open or item.awaits_pull)
            settled = item.base
            settled.updated_at, settled.content_hash = item.state.updated_at, None if waits else base.content_hash
            settled.count_tolerated(layout)
            self.push.settled.append(settled)

    def _deleted(self, key: ItemKey, base: ItemBase, layout: Layout, shown: CurrentItem | None) -> None:
        """A person deleted the row of the item: the item stays, unless deletes are to be propagated and nobody edited
        it since: an edit beats a delete."""
        self.push.deleted.append(key)
        if shown is None or not self._options.propagate_deletes:
            return
        edited = any(
            edited_on_monday(field, now, was)
            for field, now, was in zip(layout.fields, shown.state.values, base.monday, strict=True)
        )
        if edited:
            self.push.edited_since += 1
        else:
            self.push.archives.append(key)

    # Rows

    def _row(self, table: str, row_id: RowId | None) -> Row | None:
        """A row as it becomes; None when there is none, or a person deleted it."""
        if row_id is None:
            return None
        known = self._whole.get(row_id)
        if known is None and row_id in self._edits.rows[table]:
            known = self._whole[row_id] = msgspec.structs.replace(self._edits.rows[table][row_id])
        return known

    def _held(self, row: Row, field: Field, was: BaseValue) -> Any:
        """What a row holds, made whole if a person edited a part of it."""
        place = (row.id, field.columns[0])
        if place not in self._settled and (row.id in self._edits.changed or row.id in self._edits.hashes):
            self._settled.add(place)
            if was is FORCE or was is UNSET:
                was = self._met(place)
            row[field] = whole = field.completed(row[field], None if was is FORCE else was)
            if isinstance(whole, Unplaced):
                self._unplaced[place] = whole
            table = NAME_OF[type(row)]
            if field.columns == (STAGES.get(table),):
                self._derive_status(table, row, edited=was is not FORCE and not same(field, whole, was))
        return self._unplaced[place] if place in self._unplaced else row[field]

    def _met(self, place: tuple[RowId, str]) -> BaseValue:
        """What a row held when another item met it; FORCE when none did."""
        return self._met_values.get(place, FORCE)

    @cached_property
    def _met_values(self) -> dict[tuple[RowId, str], BaseValue]:
        """The same of every changed row; of several items the first one counts."""
        found: dict[tuple[RowId, str], BaseValue] = {}
        for _key, base in sorted(self._edits.bases.items()):
            layout = self._layouts.get(base.board)
            if layout is None:
                continue
            for slot, link in zip(layout.slots, base.links, strict=True):
                if link is None or link not in self._edits.hashes:
                    continue
                for number in slot.fields:
                    if base.postgres[number] is not UNSET and base.postgres[number] is not FORCE:
                        found.setdefault((link, layout.fields[number].columns[0]), base.postgres[number])
        return found

    def _derive_status(self, table: str, row: Row, *, edited: bool) -> None:
        """`projects.status` follows the stage that a person typed; nobody types it."""
        if edited or getattr(row, STATUS_COLUMN) is None:
            status = status_of(getattr(row, STAGES[table]), self._options.stage_status)
            setattr(row, STATUS_COLUMN, status or DEFAULT_STATUS)

    def _cap_fan_out(self) -> None:
        if self._options.allow_fanout:
            return
        shown_by = Counter(row for item in self.push.items for row in set(item.causes.values()))
        self.push.over_fan_out = {row: items for row, items in shown_by.items() if items > FAN_OUT}
        for item in self.push.items:
            for number in [n for n, cause in item.causes.items() if cause in self.push.over_fan_out]:
                self.push.pending_rows.add(item.causes.pop(number))
                item.targets.pop(number, None)
        self.push.items = [item for item in self.push.items if item.causes]

    # New items

    def _create(self, layout: Layout, row_id: RowId) -> None:
        table = layout.slots[layout.record].table
        record = self._row(table, row_id)
        if record is None:
            return
        if (other := self._known_record(table, row_id)) is not None:
            self.push.duplicate_people.append((layout.board, row_id, other))
            return
        pointers = dict(layout.pointers)
        links = [
            row_id if place == layout.record else getattr(record, pointers[place]) if place in pointers else None
            for place in range(len(layout.slots))
        ]
        create = ItemCreate(layout.board, row_id, self._name(layout.board, record, table), links)
        if not create.name:
            return
        for place, slot in enumerate(layout.slots):
            row = self._row(slot.table, links[place])
            if row is None:
                continue
            for number in slot.fields:
                holds = self._held(row, layout.fields[number], FORCE)
                if holds is UNREADABLE:  # it is told once a person has corrected it
                    create.uncarried.add(number)
                    continue
                create.targets[number] = holds
                if layout.fields[number].two_way:
                    self._new_cells(create, layout, number)
        letter = (layout.board, 0, f"{table}.{row_id}")
        if self._edits.rejected.get(letter) == input_of(sorted(create.values.items())):
            self.push.still_rejected.add(letter)
        elif reason := self._foretold_of(create, layout):
            self.push.rejected.append(Rejection(*letter, reason, ""))
            self.push.kept_back.append(create)
        else:
            self.push.creates.append(create)

    def _foretold_of(self, create: ItemCreate, layout: Layout) -> str:
        """Why the board would not take a new item; "" where it would, without the cells that its rules refuse."""
        rules, columns = self._options.rules.get(create.board), self._options.columns[create.board]
        if not rules:
            return ""
        holds = dict.fromkeys(columns, Held(None))
        while True:
            writes = {column_id: written(columns[column_id], edit) for column_id, edit in create.cells.items()}
            found = foretell(rules, writes, holds, columns, self._options.spelled.get(create.board, {}))
            if not found:
                return missing(rules, create.cells, columns, self._options.titles.get(create.board, {}))
            for column_id, reason in found:
                create.rejected.append(Rejection(create.board, 0, column_id, reason, ""))
                create.leave_out(column_id, layout)

    def _new_cells(self, create: ItemCreate, layout: Layout, number: int) -> None:
        field = layout.fields[number]
        try:
            told = field.to_cells(create.targets[number])
        except CellError as error:
            place = (create.board, 0, field.cells[0])
            create.rejected.append(Rejection(*place, str(error), input_of(create.targets[number])))
            create.uncarried.add(number)
            return
        for column_id, value in zip(field.cells, told, strict=True):
            if value is None or column_id in create.cells or column_id == "name":
                continue
            column = self._options.columns[create.board].get(column_id)
            if column is None:
                create.uncarried.add(number)
                continue
            try:
                form = self._form(create.board, column_id, value, None)
            except CellError as error:
                digest = input_of(value)
                create.rejected.append(Rejection(create.board, 0, column_id, str(error), digest))
                create.uncarried.add(number)
            else:
                create.cells[column_id] = CellEdit(None, value, form)

    def _name(self, board: str, record: Row, table: str) -> str:
        """The item's name; "" when the row has none, which is listed. An empty name of the row takes it at once, as it
        would from the board."""
        joint, called = SPECS[table].joint, BOARD_SPECS[board].named_by
        values = (
            whole_name(record[joint]) if joint is not None and of == joint.columns[0] else getattr(record, of)
            for of in called
        )
        name = completed_value(next((value for value in values if value), None))
        column = self._options.columns[board]["name"]
        try:
            write_form(column, name)
        except CellError as error:
            self.push.rejected.append(Rejection(board, 0, f"{table}.{record.id}", str(error), ""))
            return ""
        if column.target:
            for of in called:
                setattr(record, of, getattr(record, of) or name)
        return str(name)

    def _known_record(self, table: str, row_id: RowId) -> RowId | None:
        """A record on its board, or on the way there, that has what no two share: one of a new person's e-mails."""
        row = msgspec.structs.asdict(self._edits.rows[table][row_id])
        keys = [(table, key) for key in certain_keys(table, row)]
        for key in keys:
            if (other := self._edits.known_records.get(key, self._new_records.get(key))) is not None:
                return other
        self._new_records |= dict.fromkeys(keys, row_id)
        return None
