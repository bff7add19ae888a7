"""Which row each slot of each item belongs to: one pure pass over the whole set, so order and paging cannot matter.

A link, once made, is kept while the slot says the same keys. A slot that says another key renames its row where the
rules allow it, and is re-pointed to the key's owner, or to one new row for that key, where they do not.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from msgspec import UNSET

from models import Row, RowId
from reconcile.base import ItemBase
from reconcile.columns import MARKER
from reconcile.database_state import DatabaseState, ItemKey
from reconcile.decide import edited_on_monday
from reconcile.fields import FieldValue
from reconcile.keys import email_key, item_key, normal, slot_key
from reconcile.layout import ItemState, Layout, Slot
from reconcile.tables import HOMES, SPECS, TABLES

NAMESPACE = UUID("6d6f6e64-6179-5f73-796e-635f726f7773")
_NAMED = hashlib.sha1(NAMESPACE.bytes, usedforsecurity=False)
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
SHARED_EMAIL_ITEMS = 10
SHARED_EMAIL_NAMES = 3
_STRENGTH = {"slot": 0, "name": 1, "email": 2}

Links = list[RowId | None]


@dataclass(slots=True)
class Said:
    """One slot that was linked before, or that is a person's home: the keys it says now and the row it had.

    `kept`: it says what it said at its base. `same_thing`: another identifying field is as it was. `given_up`: what a
    home said at its base and says no longer. `adopted`: linked by a foreign key that was there before the first sync.
    """

    state: ItemState
    slot: int
    keys: tuple[str, ...]
    old: RowId | None
    kept: bool = False
    same_thing: bool = False
    given_up: tuple[str, ...] = ()
    home: bool = False
    adopted: bool = False
    row: RowId | None = None


@dataclass(frozen=True, slots=True)
class WouldMerge:
    """Two rows that one slot says are the same. They are never merged: a person decides. `role` is the slot's, or of a
    project the row that may be the same job, of two names that look alike the row, or the marker's column where the
    item carries the id of another row. `rival` is the item of the staff board whose row the other one is, `contested`
    what both say, each key with the row that has it; `names` are the two names.
    """

    item: ItemKey
    role: str
    table: str
    row: RowId
    other: RowId
    rival: int | None = None
    names: tuple[str, str] | None = None
    contested: tuple[tuple[str, RowId], ...] = ()


@dataclass(slots=True)
class Resolution:
    """`links`: a row per slot of each item. `new_rows`: id → (table, key). `claimed`, `released`: changes of keys."""

    links: dict[ItemKey, Links]
    new_rows: dict[RowId, tuple[str, str]] = field(default_factory=dict)
    claimed: dict[str, dict[str, RowId]] = field(default_factory=dict)
    released: dict[str, set[str]] = field(default_factory=dict)
    placeholders: set[str] = field(default_factory=set)
    would_merge: list[WouldMerge] = field(default_factory=list)


def row_id(table: str, key: str, n: int = 0) -> RowId:
    """uuid5 of the namespace and `table|key|n`: two runs that race choose the same id.

    Written out, since `uuid.uuid5` costs three times as much and a first load makes one for each row.
    """
    digest = _NAMED.copy()
    digest.update(f"{table}|{key}|{n}".encode())
    said = digest.hexdigest()
    return RowId(f"{said[:8]}-{said[8:12]}-5{said[13:16]}-{_VARIANT[said[16]]}{said[17:20]}-{said[20:32]}")


def resolve(states: Iterable[ItemState], layouts: Mapping[str, Layout], database: DatabaseState) -> Resolution:
    """Link every slot of every state, parents first. A field that was never read counts as empty."""
    by_place = sorted(states, key=lambda state: (state.board, state.id))
    resolution = Resolution({(state.board, state.id): [None] * len(layouts[state.board].slots) for state in by_place})
    linked = database.bases.keys() | database.adopted.keys()
    met = [state for state in by_place if (state.board, state.id) in linked]
    fresh = [state for state in by_place if (state.board, state.id) not in linked]
    shared = _shared_emails(by_place, layouts) - database.placeholders
    for table in TABLES:
        spec = SPECS[table]
        nobody_before = database.placeholders if spec.fan_in else frozenset[str]()
        nobody_before |= database.staff_emails if spec.strangers else frozenset[str]()
        nobody = nobody_before | shared if spec.fan_in else nobody_before
        _Table(table, layouts, database, resolution, nobody_before, nobody).resolve(met, fresh)
    resolution.placeholders = shared
    resolution.would_merge += _copies(by_place, layouts, database, resolution)
    return resolution


def _copies(
    states: Sequence[ItemState], layouts: Mapping[str, Layout], database: DatabaseState, resolution: Resolution
) -> Iterator[WouldMerge]:
    """New items that carry the id of a row which is not theirs, as the copy of an item does, and those that were told
    of before. One that had that row until a person gave it another one is none."""
    for state in states:
        item, record = (state.board, state.id), layouts[state.board].record
        row, table = resolution.links[item][record], layouts[state.board].slots[record].table
        new = item not in database.bases or item in database.copies
        if new and state.marker and row is not None and state.marker != row and state.marker in database.rows[table]:
            yield WouldMerge(item, MARKER, table, row, state.marker)


def said_keys(
    slot: Slot, values: Sequence[FieldValue], item: ItemKey, parent: RowId | None, nobody: Container[str]
) -> tuple[str, ...]:
    """The keys a slot says, strongest first; its provisional key when it names nothing; () when all cells are empty."""
    rule = SPECS[slot.table].key
    if rule is None:
        return (item_key(*item),)
    said = slot.key_said(values)
    keys = rule.keys(parent, *said) if rule.parent else rule.keys(*said)
    if keys and keys[0] not in nobody:
        return keys
    if any(value is not None and value is not UNSET for value in values[slot.first : slot.last]):
        return (slot_key(*item, slot.role),)
    return ()


def _shared_emails(states: Sequence[ItemState], layouts: Mapping[str, Layout]) -> set[str]:
    """The fan-in guard: one customer e-mail on many items under many names is nobody's."""
    places = {
        board: (slot.at.get(spec.fan_in[0]), slot.at.get(spec.fan_in[1]))
        for board, layout in layouts.items()
        for slot in layout.slots
        if (spec := SPECS[slot.table]).fan_in is not None
    }
    said = [
        (key, None if called is None else state.values[called])
        for state in states
        for email_at, called in (places.get(state.board, (None, None)),)
        if email_at is not None and isinstance(email := state.values[email_at], str) and (key := email_key(email))
    ]
    often = {key for key, n in Counter(key for key, _name in said).items() if n > SHARED_EMAIL_ITEMS}
    names: dict[str, set[str]] = defaultdict(set)
    for key, name in said:
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
        self.rows = database.rows[table]
        self.owner = dict(database.keys[table])
        self.homes: dict[RowId, ItemKey] = {}
        """Rows that are home to an item of the staff board; each to one at most."""
        self.keys_of: dict[RowId, set[str]] = defaultdict(set)
        for key, row in self.owner.items():
            self.keys_of[row].add(key)
        self.places = {board: _places(table, layout) for board, layout in layouts.items()}
        held = {
            base.links[number]
            for (board, _id), base in database.bases.items()
            for number, _slot, _parent in self.places.get(board, ())
        }
        self.deleted = held - self.rows.keys() - {None}
        """Rows that a person deleted: their ids are not given away again."""

    def resolve(self, met: Sequence[ItemState], fresh: Sequence[ItemState]) -> None:
        """`met` are states of items that were linked before, `fresh` the others."""
        for key in [key for key in self.owner if key in self.nobody]:
            self._release(key)
        said = [*self._said(met), *self._homes(fresh)]
        self._part_homes(said)
        self._give_up(said)
        self._rename(said)
        self._link(said)
        self._link_fresh(fresh)
        before = self.database.keys[self.table]
        self.resolution.claimed[self.table] = {k: row for k, row in self.owner.items() if before.get(k) != row}
        self.resolution.released[self.table] = {key for key in before if key not in self.owner}

    def _said(self, met: Sequence[ItemState]) -> Iterator[Said]:
        for state in met:
            base = self.database.bases.get((state.board, state.id))
            for number, slot, parent in self.places[state.board]:
                keys = self._keys(state, slot, parent)
                if base is not None:
                    yield self._standing(state, number, slot, keys, base, parent)
                    continue
                old = self.database.adopted[state.board, state.id][number]
                home = slot.is_home
                known = old in self.rows and (home or bool(keys))
                yield Said(state, number, keys, old if known else None, kept=known, home=home, adopted=known)

    def _homes(self, fresh: Sequence[ItemState]) -> Iterator[Said]:
        homes = {board for board, places in self.places.items() for _n, slot, _p in places if slot.is_home}
        for state in (state for state in fresh if state.board in homes):
            for number, slot, parent in self.places[state.board]:
                if slot.is_home:
                    yield Said(state, number, self._keys(state, slot, parent), None, home=True)

    # What a slot says

    def _keys(self, state: ItemState, slot: Slot, parent: int | None) -> tuple[str, ...]:
        item = (state.board, state.id)
        row = None if parent is None else self.resolution.links[item][parent]
        return said_keys(slot, state.values, item, row, self.nobody)

    def _standing(
        self, state: ItemState, number: int, slot: Slot, keys: tuple[str, ...], base: ItemBase, parent: int | None
    ) -> Said:
        item, old, home = (state.board, state.id), base.links[number], slot.is_home
        said = Said(state, number, keys, old, home=home)
        if (item, number) in self.database.strangers:
            said.old = None
        if said.old is None:
            emptied = old is None and not slot.is_record
            if emptied and not _spoke(self.layouts[state.board], slot, state, base):
                said.keys = ()  # a person emptied the slot: what it says is what it said then
            return said
        was_parent = None if parent is None else base.links[parent]
        before = said_keys(slot, base.monday, item, was_parent, self.nobody_before)
        layout = self.layouts[state.board]
        if old not in self.rows:  # a person deleted the row: it stays deleted until the item says something new
            said.old = None
            if not _edited(layout, slot, state.values, base.monday):
                said.row = old
            return said
        said.kept = keys == before  # of an empty slot too: it shows a row that is empty itself
        said.given_up = tuple(key for key in before if key not in keys) if home else ()
        now_parent = None if parent is None else self.resolution.links[item][parent]
        said.same_thing = (
            before[:1] == ()
            or before[0].startswith("slot:")
            or (now_parent is not None and now_parent == was_parent)
            or any(
                _unchanged(layout, slot, state.values, base.monday, column) for column in SPECS[self.table].continuity
            )
        )
        return said

    # Homes

    def _part_homes(self, said: Sequence[Said]) -> None:
        """Of several items of the staff board with one row the one keeps it whose id the row holds, else the first;
        the others are looked up as if they had none yet."""
        at_home: dict[RowId, list[Said]] = defaultdict(list)
        for entry in said:
            if entry.home and entry.old in self.rows:
                at_home[entry.old].append(entry)
        records = self.database.records(self.table)
        for row, entries in at_home.items():
            holds = records[row].monday_item_id
            entries.sort(key=lambda entry: (entry.state.id != holds, entry.state.id))
            self.homes[row] = (entries[0].state.board, entries[0].state.id)
            for entry in entries[1:]:
                entry.old, entry.kept, entry.same_thing = None, False, False

    def _give_up(self, said: Sequence[Said]) -> None:
        """A person who changes one of two e-mails and is still found by the other has the old one no longer."""
        for entry in (entry for entry in said if entry.given_up):
            owners = (self.owner.get(key) for key in entry.keys)
            found = next((row for row in owners if row is not None and self._rival(row, entry) is None), None)
            if found is not None and found == entry.old:
                for key in [key for key in entry.given_up if self.owner.get(key) == found]:
                    self._release(key)

    def _rival(self, row: RowId | None, entry: Said) -> int | None:
        """The other item of the staff board that a row is home to; None for a row that this one may have."""
        item = (entry.state.board, entry.state.id)
        if row is None or not entry.home:
            return None
        if row in self.homes:
            return self.homes[row][1] if self.homes[row] != item else None
        if row not in self.rows:
            return None
        record = self.database.records(self.table)[row]
        holds = record.monday_item_id
        gone = record.archived_at is not None or (holds is not None and (item[0], holds) in self.database.gone)
        return None if gone or holds == item[1] else holds

    def _is_left(self, row: RowId) -> bool:
        """Whether a row was home to an item of the staff board that is gone."""
        if self.table not in HOMES or row not in self.rows:
            return False
        record = self.database.records(self.table)[row]
        gone = self.database.gone
        return record.archived_at is not None or any(item_id == record.monday_item_id for _board, item_id in gone)

    def _find_home(self, entry: Said) -> RowId | None:
        """The row of a staff item that has none yet, or says another e-mail: never one that is another item's home."""
        free = tuple(key for key in entry.keys if self._rival(self.owner.get(key), entry) is None)
        if free and (len(free) == len(entry.keys) or any(key in self.owner for key in free)):
            return self._owner_or_new(free)
        own = slot_key(entry.state.board, entry.state.id, self.layouts[entry.state.board].slots[entry.slot].role)
        if entry.old is None:
            return self._owner_or_new(free or (own,))
        for key in self.keys_of[entry.old] - {own, *entry.keys}:
            self._release(key)
        if not self.keys_of[entry.old] and not free:
            self._claim(own, entry.old)
        return entry.old

    # Links

    def _link(self, said: Sequence[Said]) -> None:
        for entry in said:
            if entry.kept:
                entry.row = entry.old
        for entry in said:  # homes take their keys before anybody else asks for one
            if entry.home and entry.keys and (entry.row is None or entry.row in self.rows):
                entry.row = entry.row or self._find_home(entry)
                if entry.row is not None:
                    self.homes.setdefault(entry.row, (entry.state.board, entry.state.id))
                self._claim_free(entry)
        for entry in said:
            if entry.row is None and entry.keys and not entry.home:
                entry.row = self._owner_or_new(entry.keys)
            elif entry.adopted and not entry.home:
                self._claim_free(entry)
        for entry in said:
            if entry.row in self.deleted and self.owner.get(next(iter(entry.keys), "")) in self.resolution.new_rows:
                entry.row = self.owner[entry.keys[0]]  # another item brought it back
            self.resolution.links[entry.state.board, entry.state.id][entry.slot] = entry.row

    def _link_fresh(self, fresh: Sequence[ItemState]) -> None:
        """Items that were never linked. References that say the very same thing are looked up once."""
        for board in self.layouts:
            states = [(state, self.resolution.links[board, state.id]) for state in fresh if state.board == board]
            for number, slot, parent in self.places[board]:
                if slot.is_home:
                    continue
                known: dict[tuple[object, ...], RowId] = {}
                repeats = not SPECS[self.table].owned
                nothing = (None,) * len(slot.fields)
                for state, links in states:
                    parent_row = None if parent is None else links[parent]
                    said = slot.key_said(state.values) if repeats else ()
                    row = known.get(said) if repeats else None
                    if row is None:
                        if state.values[slot.first : slot.last] == nothing and not slot.is_record:
                            continue
                        keys = said_keys(slot, state.values, (board, state.id), parent_row, self.nobody)
                        if not keys:
                            continue
                        row = self._owner_or_new(keys)
                        if repeats and not keys[0].startswith("slot:"):
                            known[said] = row
                    links[number] = row

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

    def _claim_free(self, entry: Said) -> None:
        """A slot's keys go to its row where they are free; two rows for one slot are reported, never merged: once for
        all of its keys."""
        contested: list[tuple[str, RowId]] = []
        for key in entry.keys:
            holder = self.owner.get(key)
            if entry.row is None or key in self.nobody or holder == entry.row:
                continue
            if holder is not None and entry.home and self._is_left(holder):
                self._release(key)
                holder = None
            if holder is None:
                self._claim(key, entry.row)
            else:
                contested.append((key, holder))
        if contested and entry.row is not None:
            item, holder = (entry.state.board, entry.state.id), contested[0][1]
            role = self.layouts[entry.state.board].slots[entry.slot].role
            pair = WouldMerge(item, role, self.table, entry.row, holder, self._rival(holder, entry))
            self.resolution.would_merge.append(replace(pair, contested=tuple(contested)))

    # Renames

    def _rename(self, said: list[Said]) -> None:
        """In-place renames: the greatest set whose targets are free, or vacated by a row that is itself renamed.

        Without the fixpoint a chain (a→b, b→c) would attach one item's project to another item's customer.
        """
        of_row: dict[RowId, list[Said]] = defaultdict(list)
        for entry in said:
            if entry.old is not None:
                of_row[entry.old].append(entry)
        target = {row: key for row, entries in of_row.items() if (key := self._new_key(row, entries)) is not None}
        while struck := self._struck(target):
            for row in struck:
                del target[row]
        for row in target:
            for key in list(self.keys_of[row]):
                self._release(key)
        for row, key in target.items():
            self._claim(key, row)
            for entry in of_row[row]:
                if entry.keys[:1] == (key,):
                    entry.row = row

    def _struck(self, target: dict[RowId, str]) -> list[RowId]:
        first: dict[str, RowId] = {}
        for row, key in target.items():
            first[key] = min(first.get(key, row), row)
        return [
            row
            for row, key in target.items()
            if first[key] != row or (key in self.owner and self.owner[key] != row and self.owner[key] not in target)
        ]

    def _new_key(self, row: RowId, entries: list[Said]) -> str | None:
        """The key that a row may be renamed to, or None: every slot linked to it must say it and still mean the thing.

        The staff board is a person's home: what it says decides, whatever the projects' cells still say.
        """
        homes = [entry for entry in entries if entry.home]
        voices = homes or entries
        said = {entry.keys[:1] for entry in voices}
        key = next(iter(next(iter(said))), None)
        if len(said) != 1 or key is None or key in self.keys_of[row] or any(entry.kept for entry in voices):
            return None
        if any(other in self.keys_of[row] for entry in homes for other in entry.keys):
            return None  # one of a person's addresses is as it was: the row is found by it, and gains the other
        if homes:
            return key
        if self.database.elsewhere.get(row) or not all(entry.same_thing for entry in voices):
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


def _places(table: str, layout: Layout) -> list[tuple[int, Slot, int | None]]:
    """(number, slot, number of the parent's slot) of a board's slots that speak of a table."""
    rule = SPECS[table].key
    role = rule.parent[0] if rule and rule.parent else None
    parent = next((number for number, slot in enumerate(layout.slots) if slot.role == role), None)
    return [(number, slot, parent) for number, slot in enumerate(layout.slots) if slot.table == table]


def _unchanged(layout: Layout, slot: Slot, now: Sequence[FieldValue], was: Sequence[FieldValue], column: str) -> bool:
    number = slot.at.get(column)
    if number is None or now[number] in (None, UNSET) or was[number] in (None, UNSET):
        return False
    return not edited_on_monday(layout.fields[number], now[number], was[number])


def _edited(layout: Layout, slot: Slot, now: Sequence[FieldValue], was: Sequence[FieldValue]) -> bool:
    """Did any field of the slot change on monday since its base?"""
    return any(
        edited_on_monday(layout.fields[number], now[number], was[number])
        or (was[number] is UNSET and now[number] is not UNSET)
        for number in slot.fields
    )


def _spoke(layout: Layout, slot: Slot, state: ItemState, base: ItemBase) -> bool:
    """Did any field of the slot say something that it had not said, and that could be read, at its base?"""
    return any(
        edited_on_monday(layout.fields[n], now, was) or (was is UNSET and now is not UNSET and now is not None)
        for n in slot.fields
        for now, was in ((state.values[n], base.monday[n]),)
    )


def adopted_links(state: ItemState, layout: Layout, rows: Mapping[str, Mapping[RowId, Row]], row: RowId) -> Links:
    """The links of an item whose row was there before the sync: what its foreign keys already say. A row that is found
    by keys too is met as any other that they choose."""
    record = layout.slots[layout.record]
    points = None if record.is_home else rows[record.table].get(row)
    links: Links = []
    for slot in layout.slots:
        if slot.is_record:
            links.append(row)
        else:
            links.append(getattr(points, slot.link, None) if slot.link is not None else None)
    return links
