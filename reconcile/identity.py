"""Which row each slot of each item belongs to: one pure pass over the whole set, so order and paging cannot matter.

A link, once made, is kept while the slot shows the same keys. A slot that shows another key renames its row where the
rules allow it, and is re-pointed to the key's owner, or to one new row for that key, where they do not.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from msgspec import UNSET

from models import TABLES, Row, RowId, User
from reconcile.columns import MARKER
from reconcile.database_state import DatabaseState
from reconcile.decide import edited_on_monday
from reconcile.fields import FieldValue
from reconcile.keys import email_key, item_key, normal, slot_key
from reconcile.layout import STAFF_ROLE, Layout
from reconcile.tables import SPECS
from reconcile.types import ItemBase, ItemKey, ItemState, Links, PerField, Slot

NAMESPACE = UUID("6d6f6e64-6179-5f73-796e-635f726f7773")
_NAMED = hashlib.sha1(NAMESPACE.bytes, usedforsecurity=False)
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
SHARED_EMAIL_ITEMS = 10
SHARED_EMAIL_NAMES = 3
_STRENGTH = {"slot": 0, "name": 1, "email": 2}


@dataclass(slots=True)
class KnownSlot:
    """A slot that was linked before, or in which a staff member is at home: see `_Table.homes`."""

    state: ItemState
    slot: Slot
    keys: tuple[str, ...]
    """The natural keys that it shows now, strongest first."""
    row_before: RowId | None
    """The row that it was linked to, where that is there."""
    keeps_keys: bool = False
    """It shows the keys of its base: the link stays."""
    same_thing: bool = False
    """Another identifying field is as it was: it means the same thing by another key."""
    given_up: tuple[str, ...] = ()
    """The keys that a home showed at its base and shows no longer."""
    is_home: bool = False
    is_adopted: bool = False
    """Linked by a foreign key that was there before the first sync."""
    row: RowId | None = None
    """The row that it is linked to from now on."""

    @property
    def item(self) -> ItemKey:
        return self.state.item


@dataclass(frozen=True, slots=True)
class WouldMerge:
    """Two rows that may be one. They are never merged: a person decides."""

    item: ItemKey
    role: str
    """The role of the slot that shows the keys of both. Of two rows that look alike it is `table.row` of one of them;
    where the item carries the id of another row, the marker's column."""
    table: str
    row: RowId
    other: RowId
    rival: int | None = None
    """The item of the staff board whose row the other one is."""
    names: tuple[str, str] | None = None
    """The two names, of rows that look alike."""
    contested: tuple[tuple[str, RowId], ...] = ()
    """The keys that the slot shows and another row has, each with that row."""


@dataclass(slots=True)
class Resolution:
    """Which row each slot of each item belongs to, and what follows for the keys."""

    links: dict[ItemKey, Links]
    new_rows: dict[RowId, tuple[str, str]] = dataclasses.field(default_factory=dict)
    """Id → (table, its key) of rows that are not there yet."""
    claimed: dict[str, dict[str, RowId]] = dataclasses.field(default_factory=dict)
    """By table: natural keys that rows take."""
    released: dict[str, set[str]] = dataclasses.field(default_factory=dict)
    """By table: natural keys that nobody owns any more."""
    placeholders: set[str] = dataclasses.field(default_factory=set)
    """Customers' e-mails that name nobody from now on."""
    would_merge: list[WouldMerge] = dataclasses.field(default_factory=list)


def row_id(table: str, key: str, n: int = 0) -> RowId:
    """uuid5 of the namespace and `table|key|n`: two runs that race choose the same id.

    Written out, since `uuid.uuid5` costs three times as much and a first load makes one for each row.
    """
    digest = _NAMED.copy()
    digest.update(f"{table}|{key}|{n}".encode())
    text = digest.hexdigest()
    return RowId(f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:32]}")


def resolve(states: Iterable[ItemState], layouts: Mapping[str, Layout], database: DatabaseState) -> Resolution:
    """Link every slot of every item, parents first. A field that was never read counts as empty."""
    by_item = sorted(states, key=lambda state: state.item)
    resolution = Resolution({state.item: Links([None] * len(layouts[state.board].slots)) for state in by_item})
    known = database.bases.keys() | database.adopted.keys()
    linked = [state for state in by_item if state.item in known]
    new = [state for state in by_item if state.item not in known]
    shared = _shared_emails(by_item, layouts) - database.placeholders
    customers = database.placeholders | database.staff_emails
    for table in TABLES:
        nobody_before = customers if table == "customers" else frozenset[str]()
        nobody = nobody_before | shared if table == "customers" else nobody_before
        _Table(table, layouts, database, resolution, nobody_before, nobody).resolve(linked, new)
    resolution.placeholders = shared
    resolution.would_merge += _copies(by_item, layouts, database, resolution)
    return resolution


def _copies(
    states: Sequence[ItemState], layouts: Mapping[str, Layout], database: DatabaseState, resolution: Resolution
) -> Iterator[WouldMerge]:
    """New items that carry the id of a row which is not theirs, as the copy of an item does, and those that a person
    was told of as such. One that had that row until a person gave it another one is none."""
    for state in states:
        record = layouts[state.board].record
        row, table = resolution.links[state.item][record], record.table
        new = state.item not in database.bases or state.item in database.copies
        if new and state.marker and row is not None and state.marker != row and state.marker in database.rows[table]:
            yield WouldMerge(state.item, MARKER, table, row, state.marker)


def keys_shown(
    slot: Slot, values: PerField[FieldValue], item: ItemKey, parent: RowId | None, nobody: Container[str]
) -> tuple[str, ...]:
    """The keys that a slot shows, strongest first; its provisional key when it names nothing, or only what `nobody` has
    in it; () when all of its cells are empty. `parent` is the row that a key begins with."""
    rule = SPECS[slot.table].key
    if rule is None:
        return (item_key(*item),)
    keys = rule.keys_of(parent, slot.key_values(values))
    if keys and keys[0] not in nobody:
        return keys
    if any(value is not None and value is not UNSET for value in values.of(slot)):
        return (slot_key(*item, slot.role),)
    return ()


def _shared_emails(states: Sequence[ItemState], layouts: Mapping[str, Layout]) -> set[str]:
    """The fan-in guard: one customer e-mail on many items under many names is nobody's."""
    customers = {board: slot for board, layout in layouts.items() for slot in layout.slots if slot.table == "customers"}
    shown = [
        (key, state[slot.by_column["name"]])
        for state in states
        if (slot := customers.get(state.board))
        and isinstance(email := state[slot.by_column["email"]], str)
        and (key := email_key(email))
    ]
    often = {key for key, n in Counter(key for key, _name in shown).items() if n > SHARED_EMAIL_ITEMS}
    names: dict[str, set[str]] = defaultdict(set)
    for key, name in shown:
        if key in often and isinstance(name, str):
            names[key].add(normal(name))
    return {key for key in often if len(names[key]) > SHARED_EMAIL_NAMES}


class _Table:
    """The slots of one table: who is linked where. Keys are claimed and released here and nowhere else."""

    def __init__(
        self,
        table: str,
        layouts: Mapping[str, Layout],
        database: DatabaseState,
        resolution: Resolution,
        nobody_before: frozenset[str],
        nobody: frozenset[str],
    ) -> None:
        self.table, self.database, self.resolution = table, database, resolution
        self.layouts = layouts
        self.nobody_before, self.nobody = nobody_before, nobody
        """Keys that name nobody: as it was until now, and from now on."""
        self.rows = database.rows[table]
        self.owner = dict(database.keys[table])
        """Natural key → the row that has it."""
        self.keys_of: dict[RowId, set[str]] = defaultdict(set)
        """The same by row."""
        for key, row in self.owner.items():
            self.keys_of[row].add(key)
        self.homes: dict[RowId, ItemKey] = {}
        """Rows that are home to an item of the staff board, which means that person; each to one item at most."""
        self.slots = {board: _slots_of(table, layout) for board, layout in layouts.items()}
        linked = {
            base.links[slot] for base in database.bases.values() for slot, _parent in self.slots.get(base.board, ())
        }
        self.deleted = linked - self.rows.keys() - {None}
        """Rows that a person deleted: their ids are not given away again."""

    def resolve(self, linked: Sequence[ItemState], new: Sequence[ItemState]) -> None:
        """`linked` are the items that were linked before, `new` the others."""
        for key in [key for key in self.owner if key in self.nobody]:
            self._release(key)
        known = [*self._known_slots(linked), *self._new_homes(new)]
        self._part_homes(known)
        self._give_up(known)
        self._rename(known)
        self._link(known)
        self._link_new(new)
        before = self.database.keys[self.table]
        self.resolution.claimed[self.table] = {k: row for k, row in self.owner.items() if before.get(k) != row}
        self.resolution.released[self.table] = {key for key in before if key not in self.owner}

    def _known_slots(self, linked: Sequence[ItemState]) -> Iterator[KnownSlot]:
        for state in linked:
            base = self.database.bases.get(state.item)
            for slot, parent in self.slots[state.board]:
                keys = self._keys(state, slot, parent)
                if base is not None:
                    yield self._known_slot(state, slot, keys, base, parent)
                    continue
                row, is_home = self.database.adopted[state.item][slot], slot.role == STAFF_ROLE
                there = row in self.rows and (is_home or bool(keys))
                yield KnownSlot(
                    state, slot, keys, row if there else None, keeps_keys=there, is_home=is_home, is_adopted=there
                )

    def _new_homes(self, new: Sequence[ItemState]) -> Iterator[KnownSlot]:
        homes = {board: home for board, slots in self.slots.items() for home in slots if home[0].role == STAFF_ROLE}
        for state in new:
            if state.board in homes:
                slot, parent = homes[state.board]
                yield KnownSlot(state, slot, self._keys(state, slot, parent), None, is_home=True)

    # What a slot shows

    def _keys(self, state: ItemState, slot: Slot, parent: Slot | None) -> tuple[str, ...]:
        row = None if parent is None else self.resolution.links[state.item][parent]
        return keys_shown(slot, state.values, state.item, row, self.nobody)

    def _known_slot(
        self, state: ItemState, slot: Slot, keys: tuple[str, ...], base: ItemBase, parent: Slot | None
    ) -> KnownSlot:
        """A slot of an item that is remembered, beside its base."""
        linked = base.links[slot]
        known = KnownSlot(state, slot, keys, linked, is_home=slot.role == STAFF_ROLE)
        if (state.item, slot) in self.database.strangers:
            known.row_before = None
        if known.row_before is None:
            emptied = linked is None and not known.is_home and self.table != "projects"
            if emptied and not _shows_something_new(slot, state, base):
                known.keys = ()  # a person emptied it in PostgreSQL, and it shows what it showed then
            return known
        parent_before = None if parent is None else base.links[parent]
        keys_before = keys_shown(slot, base.monday, state.item, parent_before, self.nobody_before)
        if linked not in self.rows:  # a person deleted the row: it stays deleted until the item shows something else
            known.row_before = None
            if not _edited(slot, state, base):
                known.row = linked
            return known
        known.keeps_keys = keys == keys_before  # of an empty slot too: it shows a row that is empty itself
        known.given_up = tuple(key for key in keys_before if key not in keys) if known.is_home else ()
        parent_now = None if parent is None else self.resolution.links[state.item][parent]
        known.same_thing = (
            keys_before[:1] == ()
            or keys_before[0].startswith("slot:")
            or (parent_now is not None and parent_now == parent_before)
            or any(_unchanged(slot, state, base, column) for column in SPECS[self.table].continuity)
        )
        return known

    # Homes

    def _part_homes(self, slots: Sequence[KnownSlot]) -> None:
        """Of several items of the staff board with one row the one keeps it whose id the row holds, else the first;
        the others are looked up as if they had none yet."""
        at_home: dict[RowId, list[KnownSlot]] = defaultdict(list)
        for known in slots:
            if known.is_home and known.row_before in self.rows:
                at_home[known.row_before].append(known)
        for row, rivals in at_home.items():
            item_id = self.database.table(User)[row].monday_item_id
            first, *others = sorted(rivals, key=lambda known: (known.state.id != item_id, known.state.id))
            self.homes[row] = first.item
            for known in others:
                known.row_before, known.keeps_keys, known.same_thing = None, False, False

    def _give_up(self, slots: Sequence[KnownSlot]) -> None:
        """A person who changes one of two e-mails and is still found by the other has the old one no longer."""
        for known in (known for known in slots if known.given_up):
            owners = (self.owner.get(key) for key in known.keys)
            found = next((row for row in owners if row is not None and self._rival(row, known) is None), None)
            if found is not None and found == known.row_before:
                for key in [key for key in known.given_up if self.owner.get(key) == found]:
                    self._release(key)

    def _rival(self, row: RowId | None, known: KnownSlot) -> int | None:
        """The other item of the staff board that a row is home to; None for a row that this one may have."""
        board, item_id = known.item
        if row is None or not known.is_home:
            return None
        if row in self.homes:
            return self.homes[row][1] if self.homes[row] != known.item else None
        if row not in self.rows:
            return None
        user = self.database.table(User)[row]
        theirs = user.monday_item_id
        gone = user.archived_at is not None or (theirs is not None and (board, theirs) in self.database.gone)
        return None if gone or theirs == item_id else theirs

    def _is_left(self, row: RowId) -> bool:
        """Whether a row was home to an item of the staff board that is gone."""
        if self.table != "users" or row not in self.rows:
            return False
        user = self.database.table(User)[row]
        return user.archived_at is not None or any(item_id == user.monday_item_id for _, item_id in self.database.gone)

    def _find_home(self, known: KnownSlot) -> RowId | None:
        """The row of a staff item that has none yet, or shows another e-mail: never one that is another item's home."""
        spare = self.database.contested_keys[self.table]
        free = tuple(key for key in known.keys if self._rival(self.owner.get(key) or spare.get(key), known) is None)
        if free and (len(free) == len(known.keys) or any(key in self.owner for key in free)):
            return self._owner_or_new(free)
        own = slot_key(*known.item, STAFF_ROLE)
        if known.row_before is None:
            return self._owner_or_new(free or (own,))
        for key in self.keys_of[known.row_before] - {own, *known.keys}:
            self._release(key)
        if not self.keys_of[known.row_before] and not free:
            self._claim(own, known.row_before)
        return known.row_before

    # Links

    def _link(self, slots: Sequence[KnownSlot]) -> None:
        for known in slots:
            if known.keeps_keys:
                known.row = known.row_before
        for known in slots:  # homes take their keys before anybody else asks for one
            if known.is_home and known.keys and (known.row is None or known.row in self.rows):
                known.row = known.row or self._find_home(known)
                if known.row is not None:
                    self.homes.setdefault(known.row, known.item)
                self._claim_free(known)
        for known in slots:
            if known.row is None and known.keys and not known.is_home:
                known.row = self._owner_or_new(known.keys)
            elif known.is_adopted and not known.is_home:
                self._claim_free(known)
        for known in slots:
            if known.row in self.deleted and self.owner.get(next(iter(known.keys), "")) in self.resolution.new_rows:
                known.row = self.owner[known.keys[0]]  # another item brought it back
            self.resolution.links[known.item][known.slot] = known.row

    def _link_new(self, new: Sequence[ItemState]) -> None:
        """Items that were never linked. Slots that only select a row and show the very same are looked up once."""
        for board in self.layouts:
            states = [(state, self.resolution.links[state.item]) for state in new if state.board == board]
            for slot, parent in self.slots[board]:
                if slot.role != STAFF_ROLE:
                    self._link_new_slots(slot, parent, states)

    def _link_new_slots(self, slot: Slot, parent: Slot | None, states: Sequence[tuple[ItemState, Links]]) -> None:
        found: dict[tuple[object, ...], RowId] = {}
        selects = not SPECS[self.table].owned
        nothing = (None,) * len(slot.fields)
        for state, links in states:
            shown = slot.key_values(state.values) if selects else ()
            row = found.get(shown) if selects else None
            if row is None:
                if self.table != "projects" and state.values.of(slot) == nothing:
                    continue
                parent_row = None if parent is None else links[parent]
                keys = keys_shown(slot, state.values, state.item, parent_row, self.nobody)
                if not keys:
                    continue
                row = self._owner_or_new(keys)
                if selects and not keys[0].startswith("slot:"):
                    found[shown] = row
            links[slot] = row

    def _owner_or_new(self, keys: tuple[str, ...]) -> RowId:
        for key in keys:
            if key in self.owner:
                return self.owner[key]
        if self.database.unknown and (row := self._parentless(keys[0])) is not None:
            return row
        for key in keys:  # its owner gave it up
            if (spare := self.database.contested_keys[self.table].get(key)) is not None:
                self._claim(key, spare)
                return spare
        n = 0
        while (new := row_id(self.table, keys[0], n)) in self.database.taken or new in self.rows or new in self.deleted:
            n += 1
        self.resolution.new_rows[new] = (self.table, keys[0])
        self.owner[keys[0]] = new
        return new

    def _parentless(self, key: str) -> RowId | None:
        """A row from before the sync that lacks the parent with which this key begins: the rest of the key finds it,
        as long as nobody else did."""
        bare = f"-|{key.partition('|')[2]}"
        row = self.owner.get(bare)
        if row is None or row not in self.database.unknown or self.keys_of[row] != {bare}:
            return None
        self._release(bare)
        self._claim(key, row)
        return row

    def _claim_free(self, known: KnownSlot) -> None:
        """A slot's keys go to its row where they are free; two rows for one slot are reported, never merged: once for
        all of its keys."""
        contested: list[tuple[str, RowId]] = []
        for key in known.keys:
            holder = self.owner.get(key)
            if known.row is None or key in self.nobody or holder == known.row:
                continue
            if holder is not None and known.is_home and self._is_left(holder):
                self._release(key)
                holder = None
            if holder is None:
                self._claim(key, known.row)
            else:
                contested.append((key, holder))
        if contested and known.row is not None:
            other = contested[0][1]
            self.resolution.would_merge.append(
                WouldMerge(
                    known.item,
                    known.slot.role,
                    self.table,
                    known.row,
                    other,
                    rival=self._rival(other, known),
                    contested=tuple(contested),
                )
            )

    # Renames

    def _rename(self, slots: Sequence[KnownSlot]) -> None:
        """In-place renames: the greatest set whose targets are free, or vacated by a row that is itself renamed.

        Without the fixpoint a chain (a→b, b→c) would attach one item's project to another item's customer.
        """
        of_row: dict[RowId, list[KnownSlot]] = defaultdict(list)
        for known in slots:
            if known.row_before is not None:
                of_row[known.row_before].append(known)
        target = {row: key for row, linked in of_row.items() if (key := self._new_key(row, linked)) is not None}
        while struck := self._struck(target):
            for row in struck:
                del target[row]
        for row in target:
            for key in list(self.keys_of[row]):
                self._release(key)
        for row, key in target.items():
            self._claim(key, row)
            for known in of_row[row]:
                if known.keys[:1] == (key,):
                    known.row = row

    def _struck(self, target: dict[RowId, str]) -> list[RowId]:
        """The rows that cannot have the key: another one may have it first, or has it and keeps it."""
        first: dict[str, RowId] = {}
        for row, key in target.items():
            first[key] = min(first.get(key, row), row)
        return [
            row
            for row, key in target.items()
            if first[key] != row or (key in self.owner and self.owner[key] != row and self.owner[key] not in target)
        ]

    def _new_key(self, row: RowId, linked: list[KnownSlot]) -> str | None:
        """The key that a row may be renamed to, or None: every slot linked to it must show it and still mean the thing.

        The staff board is a person's home: what it shows decides, whatever the projects' cells still show.
        """
        homes = [known for known in linked if known.is_home]
        deciding = homes or linked
        shown = {known.keys[:1] for known in deciding}
        key = next(iter(next(iter(shown))), None)
        if len(shown) != 1 or key is None or key in self.keys_of[row] or any(known.keeps_keys for known in deciding):
            return None
        if any(other in self.keys_of[row] for known in homes for other in known.keys):
            return None  # one of a person's addresses is as it was: the row is found by it, and gains the other
        if homes:
            return key
        if self.database.elsewhere.get(row) or not all(known.same_thing for known in deciding):
            return None
        return key if SPECS[self.table].owned or self._is_upgrade(row, key) else None

    def _is_upgrade(self, row: RowId, key: str) -> bool:
        """A provisional row that gains a name, or a name that gains an e-mail: the same row with a better key."""
        kinds = {owned.partition(":")[0] for owned in self.keys_of[row]}
        new = _STRENGTH.get(key.partition(":")[0], -1)
        return all(_STRENGTH.get(kind, 9) < new for kind in kinds) or (kinds == {"slot"} and new < 0)

    def _claim(self, key: str, row: RowId) -> None:
        self.owner[key] = row
        self.keys_of[row].add(key)

    def _release(self, key: str) -> None:
        self.keys_of[self.owner.pop(key)].discard(key)


def _slots_of(table: str, layout: Layout) -> list[tuple[Slot, Slot | None]]:
    """(slot, the slot of its parent) of a board's slots that show a row of a table."""
    rule = SPECS[table].key
    parent = layout.by_role.get(rule.parent[0]) if rule is not None and rule.parent is not None else None
    return [(slot, parent) for slot in layout.slots if slot.table == table]


def _unchanged(slot: Slot, state: ItemState, base: ItemBase, column: str) -> bool:
    """Whether a field was filled at the base of its slot, and nobody has edited it since."""
    field = slot.by_column.get(column)
    if field is None or state[field] in (None, UNSET) or base.monday[field] in (None, UNSET):
        return False
    return not edited_on_monday(field, state[field], base.monday[field])


def _edited(slot: Slot, state: ItemState, base: ItemBase) -> bool:
    """Whether any field of the slot changed on monday since its base, or was first read since."""
    return any(
        edited_on_monday(field, state[field], base.monday[field])
        or (base.monday[field] is UNSET and state[field] is not UNSET)
        for field in slot.fields
    )


def _shows_something_new(slot: Slot, state: ItemState, base: ItemBase) -> bool:
    """Whether any field of the slot was edited since its base, or is filled now that it is read for the first time."""
    return any(
        edited_on_monday(field, state[field], base.monday[field])
        or (base.monday[field] is UNSET and state[field] is not UNSET and state[field] is not None)
        for field in slot.fields
    )


def adopted_links(layout: Layout, rows: Mapping[str, Mapping[RowId, Row]], row: RowId) -> Links:
    """The links of an item whose row was there before the sync: what its foreign keys already point at."""
    project = rows["projects"].get(row)
    return Links(
        row if slot.table == "projects" or slot.role == STAFF_ROLE else getattr(project, slot.link or "", None)
        for slot in layout.slots
    )
