"""The plan of a push: which cells of which items have to change so that monday.com shows what people typed in
PostgreSQL, which rows become items, and which items go. Pure: the same plan is printed by a dry run and carried out.

It is made twice. First on what is remembered of every item, which tells the items that have to be looked at; then on
what monday shows of those right now. Nothing is sent to a place where an edit came from.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec
from msgspec import UNSET

from models import TABLES, UNREADABLE, Project, Row, RowId, User
from reconcile.base import as_remembered
from reconcile.columns import STATUS, ColumnMap, Policy, Value
from reconcile.conflicts import winner
from reconcile.decide import agreed, decide, edited_in_postgres, edited_on_monday, same
from reconcile.edits import Edits
from reconcile.encode import Labels, write_form
from reconcile.errors import CellError
from reconcile.fields import FieldValue, Unplaced, completed_value, whole_name
from reconcile.foreign_keys import foreign_key
from reconcile.foretold import BoardRules, Held, foretell, missing, standing, written
from reconcile.items import Cell, decode_item
from reconcile.layout import Layout
from reconcile.plan_pull import DEFAULT_STATUS, Update
from reconcile.push_plan import CellEdit, ItemCreate, ItemPush, Push, Rejection, input_of
from reconcile.tables import row_keys
from reconcile.types import FORCE, BaseValue, Conflict, Field, ItemBase, ItemKey, ItemState, Links, Pair, Slot, Verdict

FAN_OUT = 25
"""Items that one changed row may rewrite without a person's leave."""


@dataclass(frozen=True, slots=True)
class CurrentItem:
    """`current`: an item as monday shows it right now."""

    state: ItemState
    raw: bytes
    """Its JSON, of which few cells are looked at."""

    def cells(self) -> dict[str, Cell]:
        """Its cells by column id, the name among them."""
        item = decode_item(self.raw)
        return {"name": Cell("name", text=item.name)} | {cell.id: cell for cell in item.column_values}


@dataclass(frozen=True, slots=True)
class PushOptions:
    """What a person chose for this run, and what is known of each board once it was looked at."""

    columns: Mapping[str, ColumnMap]
    """Those that it may write."""
    labels: Mapping[str, Mapping[str, Labels]] = dataclasses.field(default_factory=dict)
    """The labels of its status columns."""
    policy: Policy | None = None
    create_labels: bool = False
    allow_fanout: bool = False
    propagate_deletes: bool = False
    stage_status: Mapping[str, str] = dataclasses.field(default_factory=dict)
    spelled: Mapping[str, Mapping[str, Mapping[int, str]]] = dataclasses.field(default_factory=dict)
    """The texts of those labels by id."""
    rules: Mapping[str, BoardRules] = dataclasses.field(default_factory=dict)
    """What the board itself asks of its items."""
    titles: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)
    """What it calls its columns."""


def items_to_read(edits: Edits, layouts: Mapping[str, Layout], options: PushOptions) -> tuple[list[ItemKey], Push]:
    """The items of which something is to be sent, on what is remembered of them, in order; and the plan as far as that
    goes: what it settles without a look at monday, and which rows too many items show.
    """
    planner = _Planner(edits, layouts, options, {})
    planner.run(None)
    push = planner.push
    push.candidates = {item_push.item: set(item_push.causes.values()) for item_push in push.items}
    push.items = []  # they are made anew, on what monday shows
    wanted = set(push.candidates)
    if options.propagate_deletes:
        wanted |= set(push.deleted)
    return sorted(wanted), push


def plan_push(
    edits: Edits,
    layouts: Mapping[str, Layout],
    current_items: dict[ItemKey, CurrentItem],
    first: Push,
    options: PushOptions,
    *,
    not_looked_at: Collection[ItemKey] = (),
) -> Push:
    """The plan, on what monday shows of the items that `items_to_read` named. `first` is the plan it gave.

    Rows of items in `not_looked_at` go on waiting: beyond the limit, or in an older state than is remembered.
    `current_items` is used up, so that memory never holds all of it beside all of the plan.
    """
    looked = frozenset(current_items)
    planner = _Planner(edits, layouts, options, first.over_fan_out)
    planner.run(current_items)
    push = planner.push
    push.pending_rows |= first.pending_rows
    push.set_aside |= first.set_aside
    push.still_rejected |= first.still_rejected
    push.deleted = sorted({*first.deleted, *push.deleted})
    push.settled += [base for base in first.settled if base.item not in looked]
    for item, causes in first.candidates.items():
        if item in not_looked_at:
            push.pending_rows |= causes
            push.deferred += 1
    push.completed = planner.completed()
    return push


class _Planner:
    """One pass over the items. In the first one nothing was looked at, and every item shows what it showed last."""

    def __init__(
        self, edits: Edits, layouts: Mapping[str, Layout], options: PushOptions, over_fan_out: Mapping[RowId, int]
    ) -> None:
        self._edits, self._layouts, self._options = edits, layouts, options
        self._referenced = {board: {slot.role for slot in layout.referenced} for board, layout in layouts.items()}
        """Board → the slots, by role, whose rows its records point at."""
        self._working: dict[RowId, Row] = {}
        """Rows that were asked for, as they become."""
        self._whole: set[tuple[RowId, str]] = set()
        """(row, first column) of fields of those that were made whole."""
        self._unplaced: dict[tuple[RowId, str], Unplaced] = {}
        """The same of addresses that no cell can show."""
        self._new_people: dict[str, RowId] = {}
        self._labels: dict[str, dict[str, dict[str, int | None]]] = {
            board: {column_id: dict(known) for column_id, known in columns.items()}
            for board, columns in options.labels.items()
        }
        self.push = Push(over_fan_out=dict(over_fan_out))

    def run(self, current_items: dict[ItemKey, CurrentItem] | None) -> None:
        self.push.pending_rows |= self._edits.elsewhere
        for item, base in sorted(self._edits.bases.items()):
            if item in self._edits.in_flight or base.board not in self._layouts:
                self.push.pending_rows |= {row for row in base.links if row in self._edits.changed}
                continue
            if current_items is None or item in current_items:
                current = None if current_items is None else current_items.pop(item)
                self._item(base, self._layouts[base.board], current)
        for board, row in sorted(self._edits.new_rows):
            if row not in self._edits.in_flight and board in self._layouts:
                self._create(self._layouts[board], row)
        if current_items is None:
            self._cap_fan_out()

    def completed(self) -> dict[str, list[Update]]:
        """What the edited rows lack to be whole again: a joint field of which one part was edited, the status."""
        found: dict[str, list[Update]] = {table: [] for table in TABLES}
        for table in TABLES:
            for row_id in sorted(self._working.keys() & self._edits.rows[table].keys()):
                if changes := self._edits.rows[table][row_id].changes_to(self._working[row_id]):
                    found[table].append(Update(row_id, changes))
        return found

    # One item

    def _item(self, base: ItemBase, layout: Layout, current: CurrentItem | None) -> None:
        record_id = base.links[layout.record]
        if record_id is None:  # the database refused its row: it was never there to be deleted
            return
        record = self._row(layout.record.table, record_id)
        if record is None:
            self._deleted(base, layout, current)
            return
        state = current.state if current else as_remembered(base)
        item_push = ItemPush(base.board, base.id, state, base.copy(), settles=base.item in self._edits.moved)
        for slot in layout.slots:
            if slot.role in self._referenced[base.board]:
                points = foreign_key(record, slot)
                if self._moved(base, slot, points):
                    self._moved_slot(item_push, base, record_id, slot, points, current)
                    continue
                if points == base.links[slot]:
                    item_push.base.tolerated_links.pop(slot.role, None)
            row = self._row(slot.table, base.links[slot])
            if row is not None:
                self._standing_slot(item_push, base, slot, row, current)
        if current is not None and item_push.cells and self._options.rules.get(base.board):
            self._heed_rules(item_push, base, layout, current)
        self._finish(item_push, base, layout, looked=current is not None)

    def _moved(self, base: ItemBase, slot: Slot, points: RowId | None) -> bool:
        """Whether a person moved a foreign key; one that is empty because its row was deleted was not."""
        link = base.links[slot]
        if points == link or points == base.tolerated_links.get(slot.role, link):
            return False
        return (link if points is None else points) in self._edits.rows[slot.table]

    def _standing_slot(
        self, item_push: ItemPush, base: ItemBase, slot: Slot, row: Row, current: CurrentItem | None
    ) -> None:
        """The slot goes on showing its row: each field that was edited, on either side, is decided."""
        changed = row.id in self._edits.changed
        if not changed and _is_as_remembered(item_push.state, base, slot, row):
            return
        for field in slot.fields:
            monday, pair = item_push.state[field], base[field]
            if pair.monday is UNSET:
                continue
            if not changed and monday == pair.monday and row[field] == pair.postgres:
                continue
            postgres = self._whole_value(row, field, pair.postgres)
            if postgres is UNREADABLE:
                self._set_aside(row.id)
                continue
            if monday is UNSET:  # the cell holds something that nobody can read: what the row has to tell waits
                if field.two_way and edited_in_postgres(field, postgres, pair.postgres):
                    self._set_aside(row.id)
                continue
            decision = decide(field, monday, postgres, pair)
            match decision.verdict:
                case Verdict.SAME:
                    self._agree(item_push, field, postgres)
                case Verdict.TO_POSTGRES:
                    item_push.awaits_pull = True
                case Verdict.TO_MONDAY if field.two_way:
                    self._write(item_push, field, postgres, row.id, current)
                case Verdict.CONFLICT if field.two_way:
                    conflict = _conflict(item_push, field, row.id, postgres)
                    if not self._wins(item_push, field, conflict):
                        self.push.pending_rows.add(row.id)
                    elif self._write(item_push, field, postgres, row.id, current):
                        item_push.conflicts.append(conflict)

    def _write(
        self, item_push: ItemPush, field: Field, postgres: FieldValue, row: RowId, current: CurrentItem | None
    ) -> bool:
        """Let the cells of one field show what its row holds; False where that waits, or where they show it."""
        if row in self.push.over_fan_out:
            self.push.pending_rows.add(row)
            return False
        return self._write_cells(item_push, field, postgres, row, current) and field in item_push.targets

    def _moved_slot(
        self,
        item_push: ItemPush,
        base: ItemBase,
        record: RowId,
        slot: Slot,
        points: RowId | None,
        current: CurrentItem | None,
    ) -> None:
        """The slot shows another row from now on, or nothing: all of its cells or none, so that they never show parts
        of two rows at once."""
        row = self._row(slot.table, points)
        edited = [field for field in slot.fields if edited_on_monday(field, item_push.state[field], base.monday[field])]
        targets = {field: None if row is None else self._whole_value(row, field, FORCE) for field in slot.fields}
        if UNREADABLE in targets.values():
            self._set_aside(record)
            return
        conflicts = {field: _conflict(item_push, field, points or record, targets[field]) for field in edited}
        wins = [self._wins(item_push, field, conflict) for field, conflict in conflicts.items()]
        if not all(wins):
            self.push.pending_rows.add(record)
            return
        if all(self._show(item_push, field, target, record, current) for field, target in targets.items()):
            item_push.conflicts += [conflict for field, conflict in conflicts.items() if field in item_push.targets]
            item_push.left[slot.role] = item_push.base.links[slot]
            item_push.base.links[slot] = item_push.moved[slot.role] = points
            item_push.base.tolerated_links.pop(slot.role, None)
            item_push.settles = True
            return
        self.push.pending_rows.add(record)
        for field in slot.fields:  # one cell cannot be written: the others would show another row than it
            item_push.base[field] = base[field]
            item_push.forget(field)

    def _show(
        self, item_push: ItemPush, field: Field, target: FieldValue, cause: RowId, current: CurrentItem | None
    ) -> bool:
        """Let one field of a slot show another row's value; False when it cannot."""
        monday = item_push.state[field]
        if monday is UNSET and field.two_way:
            return False
        if not field.two_way or same(field, monday, target):
            self._agree(item_push, field, target)
            return True
        return self._write_cells(item_push, field, target, cause, current)

    def _wins(self, item_push: ItemPush, field: Field, conflict: Conflict) -> bool:
        """Whether PostgreSQL's side of a conflict is sent; each direction settles only what it wins."""
        wins = winner(field, self._options.policy)
        if wins == "nobody":
            item_push.open = True
            item_push.conflicts.append(conflict.left_open())
        elif wins == "monday":
            item_push.awaits_pull = True
        return wins == "postgres"

    def _write_cells(
        self, item_push: ItemPush, field: Field, target: FieldValue, cause: RowId, current: CurrentItem | None
    ) -> bool:
        """Write the cells of one field that show something else: all of them or, when one is refused, none (False)."""
        edits: dict[str, CellEdit] = {}
        cells = current.cells() if current is not None else {}
        looked = current is not None
        try:
            values = field.to_cells(target)
        except CellError as error:
            return self._without_cells(item_push, field, target, cause, str(error), looked=looked)
        for column_id, value in zip(field.cells, values, strict=True):
            edit = self._edit(item_push.board, item_push.id, column_id, value, cells.get(column_id), looked=looked)
            if isinstance(edit, Rejection):
                self._set_aside(cause)
                if edit.reason:
                    self.push.rejected.append(edit)
                else:
                    self.push.still_rejected.add((item_push.board, item_push.id, column_id))
                return False
            if edit is not None:
                edits[column_id] = edit
        if not edits and looked:
            self._agree(item_push, field, target)
            return True
        if any(item_push.cells.get(column_id, edit) != edit for column_id, edit in edits.items()):
            self.push.pending_rows.add(cause)  # two fields of one cell: what the first one writes comes back by a pull
            return False
        item_push.cells |= edits
        item_push.targets[field] = target
        item_push.causes[field] = cause
        return True

    def _without_cells(
        self, item_push: ItemPush, field: Field, target: FieldValue, cause: RowId, reason: str, *, looked: bool
    ) -> bool:
        """No cell can show what the field holds: it is set aside, and listed with the first of its cells."""
        place, digest = (item_push.board, item_push.id, field.cells[0]), input_of(target)
        if self._edits.rejected.get(place) == digest:
            self.push.still_rejected.add(place)
        elif looked:
            self.push.rejected.append(Rejection(*place, reason, digest))
        else:  # the item has to be looked at before anything is said about it
            item_push.cells.setdefault(field.cells[0], CellEdit(None, None, None))
            item_push.causes[field] = cause
            return False
        self._set_aside(cause)
        return False

    def _set_aside(self, row: RowId) -> None:
        """The row waits, for a value that a person is told of."""
        self.push.pending_rows.add(row)
        self.push.set_aside.add(row)

    def _edit(
        self, board: str, item_id: int, column_id: str, value: Value, cell: Cell | None, *, looked: bool
    ) -> CellEdit | Rejection | None:
        """The write of one cell; None where the cell, as it is, shows the value already. What would be refused is a
        rejection, without a reason where it was refused before."""
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
            before = column.codec.decode(cell) if cell is not None else None
        except CellError:
            before = None
        if cell is not None and column.codec.compare_key(before) == column.codec.compare_key(value):
            return None
        try:
            form = self._form(board, column_id, value, cell)
        except CellError as error:
            return Rejection(board, item_id, column_id, str(error), digest)
        if column.codec is STATUS and self._is_shown(board, column_id, before, form):
            return None
        return CellEdit(before, value, form)

    def _form(self, board: str, column_id: str, value: Value, cell: Cell | None) -> Any:
        """`write_form` of a cell. A label that is to be made is known from then on, so that a second spelling of it
        makes no other."""
        column, labels = self._options.columns[board][column_id], self._labels.get(board, {}).get(column_id)
        form = write_form(column, value, cell, labels, create_labels=self._options.create_labels)
        if column.codec is STATUS and labels is not None and isinstance(form, dict) and "label" in form:
            labels.setdefault(form["label"], None)
        return form

    def _is_shown(self, board: str, column_id: str, shown: Value, form: Any) -> bool:
        """Whether a status shows the label already that a row spells in another way."""
        labels = self._labels.get(board, {}).get(column_id, {})
        return isinstance(form, dict) and "index" in form and labels.get(str(shown)) == form["index"]

    def _heed_rules(self, item_push: ItemPush, base: ItemBase, layout: Layout, current: CurrentItem) -> None:
        """Leave out what the board's own rules would refuse. They may change: the cell is tried again each time."""
        board, columns = item_push.board, self._options.columns[item_push.board]
        cells, labels = current.cells(), self._labels.get(board, {})
        holds = {
            column_id: standing(column, cells.get(column_id), labels.get(column_id, {}))
            for column_id, column in columns.items()
        }
        while item_push.cells:
            writes = {column_id: written(columns[column_id], edit) for column_id, edit in item_push.cells.items()}
            found = foretell(self._options.rules[board], writes, holds, columns, self._options.spelled.get(board, {}))
            if not found:
                return
            for column_id, reason in found:
                self.push.rejected.append(Rejection(board, item_push.id, column_id, reason, ""))
                self._withdraw(item_push, base, layout, column_id)

    def _withdraw(self, item_push: ItemPush, base: ItemBase, layout: Layout, column_id: str) -> None:
        """Leave a cell out: its field goes on waiting, and a slot that was to show another row shows the one it did."""
        fields = [field for field in item_push.targets if column_id in field.cells]
        moved = {layout.slot_of(field) for field in fields if field.role in item_push.moved}
        self.push.pending_rows |= {item_push.causes[field] for field in fields}
        item_push.drop(column_id, layout)
        for slot in moved:
            for field in slot.fields:
                item_push.base[field] = base[field]
            if slot.role in base.tolerated_links:
                item_push.base.tolerated_links[slot.role] = base.tolerated_links[slot.role]

    def _agree(self, item_push: ItemPush, field: Field, postgres: FieldValue) -> None:
        """Nothing is to be written: what monday shows and what the row holds are remembered as they are."""
        monday = item_push.state[field]
        self.push.agreed[item_push.item, field.id] = monday
        pair = item_push.base[field]
        if pair.monday != monday or pair.postgres is FORCE or pair.postgres != postgres:
            item_push.base[field] = Pair(monday, postgres)
            item_push.settles = True

    def _finish(self, item_push: ItemPush, base: ItemBase, layout: Layout, *, looked: bool) -> None:
        self.push.awaiting_pull += item_push.awaits_pull
        settled = item_push.base
        if settled.tolerated_links != base.tolerated_links:
            item_push.settles = True
        self.push.conflicts += [conflict for conflict in item_push.conflicts if conflict.open]
        item_push.conflicts = [conflict for conflict in item_push.conflicts if not conflict.open]
        if item_push.cells:
            self.push.items.append(item_push)
        elif item_push.settles or item_push.open:
            waits = looked and (item_push.open or item_push.awaits_pull)
            settled.updated_at = item_push.state.updated_at
            settled.content_hash = None if waits else base.content_hash
            settled.count_tolerated(layout.fields)
            self.push.settled.append(settled)

    def _deleted(self, base: ItemBase, layout: Layout, current: CurrentItem | None) -> None:
        """A person deleted the row of the item: the item stays, unless deletes are to be propagated and nobody edited
        it since: an edit beats a delete."""
        self.push.deleted.append(base.item)
        if current is None or not self._options.propagate_deletes:
            return
        if any(edited_on_monday(field, current.state[field], base.monday[field]) for field in layout.fields):
            self.push.edited_since += 1
        else:
            self.push.archives.append(base.item)

    # Rows

    def _row(self, table: str, row_id: RowId | None) -> Row | None:
        """A row as it becomes; None when there is none, or a person deleted it."""
        if row_id is None:
            return None
        row = self._working.get(row_id)
        if row is None and row_id in self._edits.rows[table]:
            row = self._working[row_id] = msgspec.structs.replace(self._edits.rows[table][row_id])
        return row

    def _whole_value(self, row: Row, field: Field, before: BaseValue) -> Any:
        """What a row holds of a field, made whole if a person edited a part of it since `before`."""
        place = (row.id, field.column)
        if place not in self._whole and (row.id in self._edits.changed or row.id in self._edits.hashes):
            self._whole.add(place)
            if before is FORCE or before is UNSET:
                before = self._last_held.get(place, FORCE)
            row[field] = whole = field.completed(row[field], None if before is FORCE else before)
            if isinstance(whole, Unplaced):
                self._unplaced[place] = whole
            if isinstance(row, Project) and field.columns == ("current_stage",):
                self._derive_status(row, edited=before is not FORCE and not same(field, whole, before))
        return self._unplaced[place] if place in self._unplaced else row[field]

    @cached_property
    def _last_held(self) -> dict[tuple[RowId, str], BaseValue]:
        """(row, first column) → what an edited row held of a field when an item was last compared with it; of several
        items the first one counts."""
        found: dict[tuple[RowId, str], BaseValue] = {}
        for _item, base in sorted(self._edits.bases.items()):
            layout = self._layouts.get(base.board)
            if layout is None:
                continue
            for slot, link in zip(layout.slots, base.links, strict=True):
                if link is None or link not in self._edits.hashes:
                    continue
                for field, postgres in zip(slot.fields, base.postgres.of(slot), strict=True):
                    if postgres is not UNSET and postgres is not FORCE:
                        found.setdefault((link, field.column), postgres)
        return found

    def _derive_status(self, row: Project, *, edited: bool) -> None:
        """`projects.status` follows the stage that a person typed; nobody types it."""
        if edited or row.status is None:
            row.status = self._options.stage_status.get((row.current_stage or "").casefold(), DEFAULT_STATUS)

    def _cap_fan_out(self) -> None:
        """Rows that too many items show wait for a person's leave."""
        if self._options.allow_fanout:
            return
        shown_by = Counter(row for item_push in self.push.items for row in set(item_push.causes.values()))
        self.push.over_fan_out = {row: items for row, items in shown_by.items() if items > FAN_OUT}
        for item_push in self.push.items:
            for field in [one for one, cause in item_push.causes.items() if cause in self.push.over_fan_out]:
                self.push.pending_rows.add(item_push.causes.pop(field))
                item_push.targets.pop(field, None)
        self.push.items = [item_push for item_push in self.push.items if item_push.causes]

    # New items

    def _create(self, layout: Layout, row_id: RowId) -> None:
        table = layout.record.table
        record = self._row(table, row_id)
        if record is None:
            return
        if table == "users" and (other := self._known_person(row_id)) is not None:
            self.push.duplicate_people.append((row_id, other))
            return
        links = Links([None] * len(layout.slots))
        links[layout.record] = row_id
        for slot in layout.referenced:
            links[slot] = foreign_key(record, slot)
        create = ItemCreate(layout.board, row_id, self._name(layout.board, record, table), links)
        if not create.name:
            return
        for slot in layout.slots:
            row = self._row(slot.table, links[slot])
            if row is None:
                continue
            for field in slot.fields:
                postgres = self._whole_value(row, field, FORCE)
                if postgres is UNREADABLE:  # it is sent once a person has corrected it
                    create.uncarried.add(field)
                    continue
                create.targets[field] = postgres
                if field.two_way:
                    self._new_cells(create, field, postgres)
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

    def _new_cells(self, create: ItemCreate, field: Field, postgres: FieldValue) -> None:
        """The cells of one field of a new item; what cannot be sent along is sent later."""
        try:
            values = field.to_cells(postgres)
        except CellError as error:
            create.rejected.append(Rejection(create.board, 0, field.cells[0], str(error), input_of(postgres)))
            create.uncarried.add(field)
            return
        for column_id, value in zip(field.cells, values, strict=True):
            if value is None or column_id in create.cells or column_id == "name":
                continue
            if column_id not in self._options.columns[create.board]:
                create.uncarried.add(field)
                continue
            try:
                form = self._form(create.board, column_id, value, None)
            except CellError as error:
                create.rejected.append(Rejection(create.board, 0, column_id, str(error), input_of(value)))
                create.uncarried.add(field)
            else:
                create.cells[column_id] = CellEdit(None, value, form)

    def _name(self, board: str, record: Row, table: str) -> str:
        """The item's name; "" when the row has none, which is listed. An empty name of the row takes it at once, as it
        would from the board."""
        values: Sequence[Any] = ()
        if isinstance(record, Project):
            values = (record.item_name, record.name)
        elif isinstance(record, User):
            values = (whole_name((record.name, record.first_name, record.last_name)),)
        name = completed_value(next((value for value in values if value), None))
        try:
            write_form(self._options.columns[board]["name"], name)
        except CellError as error:
            self.push.rejected.append(Rejection(board, 0, f"{table}.{record.id}", str(error), ""))
            return ""
        if isinstance(record, Project):
            record.item_name, record.name = record.item_name or name, record.name or name
        return str(name)

    def _known_person(self, row_id: RowId) -> RowId | None:
        """Somebody on the staff board, or on the way there, who has one of a new person's e-mails."""
        row = self._edits.rows["users"][row_id]
        emails = [key for key in row_keys("users", row) if key.startswith("email:")]
        for key in emails:
            if (other := self._edits.staff.get(key, self._new_people.get(key))) is not None:
                return other
        self._new_people |= dict.fromkeys(emails, row_id)
        return None


def _is_as_remembered(state: ItemState, base: ItemBase, slot: Slot, row: Row) -> bool:
    """Whether a slot shows and its row holds what they did when they were last reconciled."""
    return state.values.of(slot) == base.monday.of(slot) and slot.values_of(row) == base.postgres.of(slot)


def _conflict(item_push: ItemPush, field: Field, row: RowId, postgres: FieldValue) -> Conflict:
    """Both sides' edits of one field, of which PostgreSQL's is sent."""
    monday = item_push.state[field]
    return Conflict(
        item_push.item,
        field.role,
        field.id,
        field.table,
        row,
        kept_from="postgres",
        kept=postgres,
        lost_from="monday",
        lost=monday,
        monday=monday,
        postgres=postgres,
        agreed=agreed(field, item_push.base[field]),
    )
