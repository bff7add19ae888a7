"""Loads the `DatabaseState` of a plan: rows, keys, links and bases around the items that changed, and no more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import UNSET
from psycopg2 import sql

from models import REFERENCES, TABLES, RowId
from postgres.bases import BASES, base_of_row, model_columns, places, read_bases, rows_by_id
from postgres.ids import read_astray
from postgres.parting import read_parting
from postgres.state import Present, row_hash
from postgres.transaction import Transaction
from reconcile.base import as_remembered
from reconcile.columns import MARKER
from reconcile.database_state import DatabaseState, Elsewhere
from reconcile.identity import Resolution, adopted_links, resolve
from reconcile.ids import Astray, IdPlace, LeftBehind, follow, left_behind
from reconcile.keys import email_key, item_key
from reconcile.layout import STAFF_ROLE, Layout
from reconcile.namesakes import NAMES
from reconcile.plan_pull import Gone, is_archived, last_good
from reconcile.tables import EMAILS, SPECS, row_keys
from reconcile.types import FORCE, ItemBase, ItemKey, ItemState, Links, Slot

_SHARED = frozenset(table for table, spec in SPECS.items() if spec.owned and spec.key is not None)
"""Owned tables whose rows several items may show: each of those items has a say in a rename."""
_EMAIL = "email:"
_SHARING = BASES + (
    " WHERE i.state = 'active' AND i.board_id = ANY(%s)"
    " AND EXISTS (SELECT FROM unnest(i.links) AS n (row_id) WHERE n.row_id = ANY(%s::uuid[]))"
)
"""An array that is compared with is hashed, where two arrays would be compared one by one."""
_WITNESSES = 50
"""Items that are asked what a row held before a person edited it, the newest: some may not have heard of it yet."""
_SHOWING = BASES + (  # noqa: S608  constants alone
    " JOIN (SELECT DISTINCT board_id, item_id FROM (SELECT board_id, item_id, row_number() OVER"
    " (PARTITION BY n.row_id ORDER BY item_id DESC) AS nth FROM monday_sync.sync_item CROSS JOIN LATERAL"
    " unnest(links) AS n (row_id) WHERE state = 'active' AND board_id = ANY(%s) AND links && %s::uuid[]"
    " AND n.row_id = ANY(%s::uuid[])) AS showing WHERE nth <= %s) AS w USING (board_id, item_id)"
)


class PullLoader:
    """Asks the database, resolves, and asks again while identity needs keys that had not been asked for."""

    def __init__(
        self,
        tx: Transaction,
        layouts: Mapping[str, Layout],
        present: Present,
        *,
        forget: bool = False,
        part: bool = False,
    ) -> None:
        """`forget` loads rows and items as if they had never been synced: everything is adopted afresh. Only an item
        that has gone is remembered, since nothing is compared with it, and which row was whose where the ids in rows
        do not say so. `part` loads the items, of any board, that an older rule of keys has joined with others, to be
        parted.
        """
        self._tx = tx
        self._layouts = layouts
        self._present = present
        self._forget = forget
        self.parts = part
        self._rekeyed: dict[str, dict[str, RowId]] = {}
        self._new_keys: dict[RowId, list[tuple[str, str, RowId]]] = defaultdict(list)
        self._has_state = tx.has_state and not forget
        self._by_id = {layout.board_id: layout for layout in layouts.values()}
        self._first_contact = True
        self._asked_keys: set[tuple[str, str]] = set()
        self._asked_ids: dict[str, set[RowId]] = defaultdict(set)
        self._asked_siblings: set[RowId] = set()
        self._asked_holders: dict[str, set[str]] = defaultdict(set)
        self._astray: dict[ItemKey, Astray] = {}
        self._emptied: dict[ItemKey, RowId] = {}
        self._seen: set[ItemKey] = set()
        self.database = DatabaseState()
        self.left_behind: list[LeftBehind] = []

    @property
    def lost(self) -> set[RowId]:
        """Rows that items were linked to, that are not there any more, and that other rows stand in for."""
        moved = (self._astray[item] for item in self.database.moved)
        return {astray.link for astray in moved if astray.link is not None and not astray.there}

    def load(
        self,
        states: Sequence[ItemState],
        gone: Mapping[ItemKey, Gone] | None = None,
        astray: Collection[ItemKey] = (),
    ) -> tuple[DatabaseState, Resolution, list[ItemState]]:
        """What the database holds, which row each slot belongs to, and the items, also those known by their base alone.

        `astray` are items that are to be looked at because of the ids in rows, whether they were read or not.
        """
        gone = gone or {}
        everyone = list(states)
        self.database.staff_emails = self._emails_of(states)
        self.database.counts = self._count_rows()
        if not any(self.database.counts.values()) and not self.database.remembers:  # a first load has nothing to ask
            return self.database, resolve(everyone, self._layouts, self.database), everyone
        self._read_reference_facts()
        if self.parts:
            everyone += self._parted(everyone)
        self._read_pending()
        compared = {} if self._forget else {state.item: None for state in everyone}
        self._seen = {state.item for state in states}
        if self._tx.has_state:
            self._astray = read_astray(self._tx, self._layouts, self._present, self._seen)
        unread = [] if self._forget else sorted((set(astray) & self._astray.keys()) - compared.keys() - gone.keys())
        self._read_stored([*compared, *gone, *unread])
        if self._forget:
            self._keep_rows()
        self.database.gone = frozenset(key for key, how in gone.items() if is_archived(how, self.database.bases[key]))
        everyone = [state for state in everyone if state.item not in self.database.unsure]
        everyone += [as_remembered(base) for item in unread if (base := self.database.bases.get(item))]
        for item in self.database.anew.keys() - gone.keys():
            del self.database.bases[item]
        self._read_adopted(everyone)
        self._read_rows(self._linked())
        self._own_items()
        while True:
            everyone += self._siblings(everyone)
            self._read_rows(self._linked())
            last_good(everyone, self.database)
            resolution = resolve(everyone, self._layouts, self.database)
            if not self._answer(resolution):
                break
        self._read_elsewhere(everyone)
        resolution = resolve(everyone, self._layouts, self.database)
        self._read_emptied(resolution)
        self._read_names(resolution)
        return self.database, resolution, everyone

    # Facts about the whole database

    def _emails_of(self, states: Iterable[ItemState]) -> frozenset[str]:
        """The company's own addresses: a customer cell that holds one names nobody."""
        values = (
            state[slot.by_column[column]]
            for state in states
            for slot in self._layouts[state.board].slots
            if slot.role == STAFF_ROLE
            for column in ("email", "rm_email")
        )
        return frozenset(key for value in values if isinstance(value, str) and (key := email_key(value)))

    def _count_rows(self) -> dict[str, int]:
        if not self._present:
            return dict.fromkeys(TABLES, 0)
        counted: list[sql.Composable] = [
            sql.SQL("SELECT {}, count(*) FROM {}").format(sql.Literal(table), self._tx.table(table))
            for table in self._present
        ]
        if self._has_state:
            counted.append(sql.SQL("SELECT NULL, count(*) FROM (SELECT FROM monday_sync.sync_row LIMIT 1) AS known"))
        if self._tx.has_state:
            counted.append(sql.SQL("SELECT '', count(*) FROM (SELECT FROM monday_sync.sync_item LIMIT 1) AS known"))
        counts = {table: int(count) for table, count in self._tx.rows(sql.SQL(" UNION ALL ").join(counted))}
        self._first_contact = not counts.pop(None, 0)
        self.database.remembers = bool(counts.pop("", 0))
        return dict.fromkeys(TABLES, 0) | counts

    def _read_reference_facts(self) -> None:
        if {"email", "rm_email", "monday_item_id"} <= set(self._present.get("users", ())):
            statement = sql.SQL("SELECT email, rm_email FROM {} WHERE monday_item_id IS NOT NULL")
            rows = self._tx.rows(statement.format(self._tx.table("users")))
            self.database.staff_emails |= {key for row in rows for value in row if (key := email_key(value))}
        if self._has_state:
            placeholders = self._tx.rows("SELECT key FROM monday_sync.sync_key WHERE placeholder")
            self.database.placeholders = frozenset(self._tx.encoding.said(key) for (key,) in placeholders)

    def _read_pending(self) -> None:
        """Rows that people changed or added: their present content owns its keys, unless an older row does."""
        said: set[tuple[str, str]] = set()
        for table in (table for table in TABLES if table in self._present):
            for known, *values in self._tx.rows(self._pending_query(table)):
                row = TABLES[table](*values)
                self.database.rows[table][row.id] = row
                self.database.pending.add(row.id)
                if not known:
                    self.database.unknown.add(row.id)
                keys = row_keys(table, row)
                for key in keys:
                    if self.database.keys[table].setdefault(key, row.id) != row.id:
                        self.database.contested_keys[table].setdefault(key, row.id)
                    self.database.unrecorded_keys[table].add(key)
                    said.add((table, key))
                if self._first_contact and keys and row.id not in map(self.database.keys[table].get, keys):
                    self.database.duplicate_keys[table] += 1
        self._read_keys(said)

    def _pending_query(self, table: str) -> sql.Composable:
        """Rows in step are left out; with no state every row is news. Of two rows with one key the first owns it: at
        first contact the most referenced, then the oldest."""
        age = "t.created_at, t.id" if "created_at" in self._present[table] else "t.id"
        parts = {
            "table": self._tx.table(table),
            "columns": model_columns(table, self._present),
            "name": sql.Literal(table),
            "age": sql.SQL(age),
        }
        if self._first_contact:
            statement = (
                "SELECT false, {columns} FROM {table} t"
                " LEFT JOIN (SELECT id, count(*) AS n FROM ({references}) AS r (id) GROUP BY id) AS r ON r.id = t.id"
                " ORDER BY coalesce(r.n, 0) DESC, {age}"
            )
            return sql.SQL(statement).format(**parts, references=self._references(table))
        statement = (
            "SELECT s.row_id IS NOT NULL, {columns} FROM {table} t"
            " LEFT JOIN monday_sync.sync_row s ON s.table_name = {name} AND s.row_id = t.id"
            " WHERE s.p_hash IS DISTINCT FROM {hash} ORDER BY 1 DESC, {age}"
        )
        return sql.SQL(statement).format(**parts, hash=row_hash(table, self._present[table]))

    def _references(self, table: str) -> sql.Composable:
        """SQL of the ids of this table's rows that foreign keys hold, once for each."""
        pointing = [
            sql.SQL("SELECT {} FROM {}").format(sql.Identifier(column), self._tx.table(other))
            for other, columns in self._present.items()
            for column, target in REFERENCES.items()
            if target == table and column in columns
        ]
        return sql.SQL(" UNION ALL ").join(pointing or [sql.SQL("SELECT NULL::uuid")])

    # Items

    def _read_stored(self, items: Collection[ItemKey]) -> None:
        if not items or not self._tx.has_state:
            return
        for base in read_bases(self._tx, self._layouts, items):
            self._remember(base)

    def _remember(self, base: ItemBase) -> ItemBase:
        self.database.bases[base.item] = base
        if (astray := self._astray.get(base.item)) is not None:
            self._follow(base, astray)
        return base

    def _follow(self, base: ItemBase, astray: Astray) -> None:
        """The item's row is the one that holds its id."""
        place = astray.place(self._seen)
        if place is IdPlace.UNSURE:
            self.database.unsure |= {astray.item} & self._seen
            return
        left = follow(base, astray, place, self._layouts[base.board])
        self.left_behind += [left] if left is not None else []
        if place is IdPlace.ANEW:
            self.database.anew[astray.item] = base.tolerated
        elif place is not IdPlace.EMPTIED:
            self.database.moved.add(astray.item)

    def _keep_rows(self) -> None:
        """Whose row is whose is not forgotten: a row without its item's id would become a second item."""
        for item in sorted(self._astray.keys() & self._seen):
            astray, layout = self._astray[item], self._layouts[item[0]]
            place = astray.place(self._seen)
            if place is IdPlace.UNSURE:
                self.database.unsure.add(item)
            elif place is IdPlace.EMPTIED and astray.link is not None:
                self._emptied[item] = astray.link
            left = left_behind(astray, place, layout)
            self.left_behind += [left] if left is not None else []

    def _own_items(self) -> None:
        """The key of an item is its row's, also where a person wrote its id there."""
        for board, item_id in self.database.moved:
            layout = self._layouts[board]
            table, row = layout.record.table, self.database.bases[board, item_id].links[layout.record]
            if row in self.database.rows[table]:
                self.database.keys[table][item_key(board, item_id)] = row

    def _read_adopted(self, states: Sequence[ItemState]) -> None:
        """Rows with an item id that the sync has no memory of, or whose id a person emptied: they are linked by it, and
        by their foreign keys."""
        for layout in self._layouts.values():
            new = [v for v in states if v.board == layout.board and v.item not in self.database.bases]
            found = self._rows_of_items(layout, [state.id for state in new]) | self._rows_without_ids(layout)
            for state in new:
                if state.id in found:
                    self.database.adopted[state.item] = adopted_links(layout, self.database.rows, found[state.id])
            self._read_marked(layout, states)

    def _read_marked(self, layout: Layout, states: Sequence[ItemState]) -> None:
        """Rows whose ids items carry that do not stand for them. One that has no item is such an item's, which was
        made of it: the database forgot that. Of several the oldest is it, since a copy is younger."""
        table = layout.record.table
        marked = [v for v in states if v.board == layout.board and v.marker and v.marker != self._record_of(v)]
        if not marked or "monday_item_id" not in self._present.get(table, ()):
            return
        self._read_rows({table: {state.marker for state in marked if state.marker}})
        known = {row.id for row in self.database.records(table).values() if row.monday_item_id is not None}
        if self._tx.has_state:
            known |= self._held_rows(layout, [state.marker for state in marked])
            listed = (
                "SELECT item_id FROM monday_sync.sync_dead WHERE kind = 'would-merge' AND (board_id, place) = (%s, %s)"
            )
            self.database.copies |= {
                (layout.board, item) for (item,) in self._tx.rows(listed, (layout.board_id, MARKER))
            }
        for state in sorted(marked, key=lambda state: state.id):
            item, row = state.item, state.marker
            if not row or row not in self.database.rows[table] or row in known or self._record_of(state) is not None:
                continue
            known.add(row)
            self.database.marked.add(item)
            self.database.adopted[item] = adopted_links(layout, self.database.rows, row)
            self.database.keys[table][item_key(*item)] = row

    def _record_of(self, state: ItemState) -> RowId | None:
        """The row that stands for an item, as far as it is known before anything is resolved."""
        base = self.database.bases.get(state.item)
        links = base.links if base is not None else self.database.adopted.get(state.item)
        return links[self._layouts[state.board].record] if links is not None else None

    def _held_rows(self, layout: Layout, rows: Sequence[str]) -> set[RowId]:
        """Those of the rows that stand for an item which was on its board at the last look."""
        statement = (
            "SELECT l.row_id::text FROM monday_sync.sync_link l JOIN monday_sync.sync_item i USING (board_id, item_id)"
            " WHERE l.role = %s AND l.row_id = ANY(%s::uuid[]) AND i.state IN ('active', 'missing')"
        )
        return {row for (row,) in self._tx.rows(statement, (layout.record.role, sorted(set(rows))))}

    def _rows_of_items(self, layout: Layout, ids: Sequence[int]) -> dict[int, RowId]:
        """Item id → the row that holds it, which is read and owns the item's key."""
        table = layout.record.table
        if not ids or "monday_item_id" not in self._present.get(table, ()):
            return {}
        statement = sql.SQL("SELECT {} FROM {} t WHERE t.monday_item_id = ANY(%s) ORDER BY t.id")
        query = statement.format(model_columns(table, self._present), self._tx.table(table))
        found: dict[int, RowId] = {}
        for values in self._tx.rows(query, (list(ids),)):
            row = TABLES[table](*values)
            self.database.rows[table][row.id] = row
            item_id = self.database.records(table)[row.id].monday_item_id
            assert item_id is not None, "it was asked for"
            found.setdefault(item_id, row.id)
        for item_id, row_id in found.items():
            self.database.keys[table][item_key(layout.board, item_id)] = row_id
        return found

    def _rows_without_ids(self, layout: Layout) -> dict[int, RowId]:
        """Item id → its row, from which a person cleared it: it is read, and owns the item's key."""
        table = layout.record.table
        found = {item_id: row for (board, item_id), row in self._emptied.items() if board == layout.board}
        self._read_rows({table: {*found.values()}})
        self.database.keys[table] |= {item_key(layout.board, item_id): row for item_id, row in found.items()}
        return found

    def _siblings(self, everyone: Sequence[ItemState]) -> list[ItemState]:
        """Items of the run's boards that share an owned row with these, and with those in turn, until none is left."""
        present = {state.item for state in everyone}
        found: list[ItemState] = []
        while shared := self._shared_rows() - self._asked_siblings:
            self._asked_siblings |= shared
            if not self._has_state:
                break
            for row in self._tx.rows(_SHARING, (list(self._by_id), sorted(shared))):
                item = (self._by_id[row[0]].board, row[1])
                if item in present:
                    continue
                base = self.database.bases.get(item)  # of one that is gone
                if base is None:
                    base = self._remember(base_of_row(row, self._by_id, self._tx.encoding))
                present.add(item)
                found.append(as_remembered(base))
        return found

    def _shared_rows(self) -> set[RowId]:
        linked = {row for slot, row in self._links() if slot.table in _SHARED}
        asked = ((table, key) for table, key in self._asked_keys if table in _SHARED)
        by_key = {row for table, key in asked if (row := self.database.keys[table].get(key))}
        return linked | by_key

    def _links(self) -> Iterator[tuple[Slot, RowId]]:
        for item, base in self.database.bases.items():
            yield from self._pairs(item, base.links)
        for item, links in self.database.adopted.items():
            yield from self._pairs(item, links)

    def _pairs(self, item: ItemKey, links: Links) -> Iterator[tuple[Slot, RowId]]:
        for slot, row in zip(self._layouts[item[0]].slots, links, strict=True):
            if row is not None:
                yield slot, row

    def _parted(self, everyone: Sequence[ItemState]) -> list[ItemState]:
        """Items that share a row which an older rule of keys gave to several things; the keys are those of today."""
        items, parting = read_parting(self._tx, self._layouts, self._present)
        self.database.outdated, self.database.rekeyed = items.keys, parting.keys
        self.database.strangers, self._rekeyed = parting.strangers, parting.keys
        for table, keys in parting.keys.items():
            for key, row in keys.items():
                self._new_keys[row].append((table, key, row))
        for table, name in NAMES.items():
            for key, row in parting.keys[table].items():
                if (known := items.rows[table].get(row)) is not None:
                    self.database.names[table][key] = (row, str(getattr(known, name) or ""))
        read = {state.item for state in everyone}
        return [
            as_remembered(base)
            for base in items.bases
            if base.item not in read and not parting.rows.keys().isdisjoint(base.links)
        ]

    # Rows and keys

    def _linked(self) -> dict[str, set[RowId]]:
        wanted: dict[str, set[RowId]] = defaultdict(set)
        for slot, row in self._links():
            wanted[slot.table].add(row)
        return wanted

    def _read_rows(self, wanted: Mapping[str, set[RowId]]) -> None:
        """Rows by id, with all their keys; an id that is not answered was deleted by a person."""
        fresh: set[RowId] = set()
        for table, ids in ((table, ids) for table, ids in wanted.items() if table in self._present):
            asked = self._asked_ids[table]
            missing = ids - self.database.rows[table].keys() - asked
            if not missing:
                continue
            for row in rows_by_id(self._tx, table, self._present, missing):
                self.database.rows[table][row.id] = row
            fresh |= ids - asked
            asked |= ids
        if self.parts:
            self._own(entry for row in sorted(fresh) for entry in self._new_keys[row])
        elif fresh and self._has_state:
            keys = "SELECT table_name, key, row_id FROM monday_sync.sync_key WHERE row_id = ANY(%s::uuid[])"
            self._own(self._tx.rows(keys, (sorted(fresh),)))

    def _read_keys(self, said: Collection[tuple[str, str]]) -> bool:
        """Owners of keys, and their rows; true when one was found."""
        asked = sorted(set(said) - self._asked_keys)
        self._asked_keys |= set(asked)
        if not asked or not self._has_state:
            return False
        rows: Sequence[tuple[Any, ...]]
        if self.parts:
            rows = [(table, key, row) for table, key in asked if (row := self._rekeyed.get(table, {}).get(key))]
        else:
            rows = self._keys_asked(asked)
        wanted: dict[str, set[RowId]] = defaultdict(set)
        for table, _key, row in rows:
            wanted[table].add(row)
        self._read_rows(wanted)
        return self._own(rows)

    def _keys_asked(self, asked: Sequence[tuple[str, str]]) -> list[tuple[Any, ...]]:
        return self._tx.rows(
            "SELECT k.table_name, k.key, k.row_id FROM unnest(%s::text[], %s::text[]) AS w (table_name, key)"
            " JOIN monday_sync.sync_key k USING (table_name, key) WHERE k.row_id IS NOT NULL",
            ([table for table, _ in asked], [self._tx.encoding.kept(key) for _, key in asked]),
        )

    def _own(self, rows: Iterable[tuple[Any, ...]]) -> bool:
        """Register keys of rows that are there; the key of a deleted row is free again."""
        found = False
        for table, kept, row in rows:
            key = self._tx.encoding.said(kept)
            if row in self.database.rows[table]:
                pending = self.database.keys[table].get(key, row)
                if pending != row:
                    self.database.contested_keys[table].setdefault(key, pending)
                self.database.keys[table][key] = row
                self.database.unrecorded_keys[table].discard(key)
                found = True
        return found

    def _answer(self, resolution: Resolution) -> bool:
        """Was any key that identity would give away somebody's already, or any row that it would create there, or held
        by an item since before a person deleted it?
        """
        by_table: dict[str, list[RowId]] = defaultdict(list)
        for row, (table, _key) in resolution.new_rows.items():
            if table in self._present:
                by_table[table].append(row)
        claimed = ((table, key) for table, keys in resolution.claimed.items() for key in keys)
        found = self._read_keys([entry for entry in claimed if entry[0] != "projects"])
        found = self._read_holders(resolution) or found
        if not by_table:
            return found
        query = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT id FROM {} WHERE id = ANY(%s::uuid[])").format(self._tx.table(table)) for table in by_table
        )
        taken = {row for (row,) in self._tx.rows(query, list(by_table.values()))}
        if self._has_state:
            new = [row for rows in by_table.values() for row in rows]
            held = "SELECT DISTINCT n.row_id FROM monday_sync.sync_item CROSS JOIN LATERAL unnest(links) AS n (row_id)"
            taken |= {row for (row,) in self._tx.rows(held + " WHERE n.row_id = ANY(%s::uuid[])", (new,))}
        self.database.taken |= taken
        return found or bool(taken)

    def _read_holders(self, resolution: Resolution) -> bool:
        """Rows with an e-mail that a new row would have, although it is nobody's key: they had it beside its owner, who
        gave it up. True when there is one."""
        found = False
        for table, columns in EMAILS.items():
            claimed = resolution.claimed.get(table, {})
            keys = {key for key, row in claimed.items() if row in resolution.new_rows and key.startswith(_EMAIL)}
            keys -= self._asked_holders[table] | self.database.contested_keys[table].keys()
            self._asked_holders[table] |= keys
            there = [column for column in columns if column in self._present.get(table, ())]
            if (
                not self._has_state
                or not keys
                or not there
                or self.database.counts[table] == len(self.database.rows[table])
            ):
                continue
            says = sql.SQL(" OR ").join(
                sql.SQL("lower(btrim({}::text)) = ANY(%s)").format(sql.Identifier("t", column)) for column in there
            )
            statement = sql.SQL("SELECT t.id::text FROM {} t WHERE {} ORDER BY t.id").format(
                self._tx.table(table), says
            )
            addresses = [self._tx.encoding.kept(key.removeprefix(_EMAIL)) for key in sorted(keys)]
            rows = [row for (row,) in self._tx.rows(statement, [addresses] * len(there))]
            self._read_rows({table: set(rows)})
            for row in rows:
                for key in keys.intersection(row_keys(table, self.database.rows[table][row])):
                    self.database.contested_keys[table].setdefault(key, row)
                    found = True
        return found

    def _read_elsewhere(self, everyone: Sequence[ItemState]) -> None:
        """How many other items show each row, by role: for the roles of a person and for what monday must be told."""
        ids = sorted({row for rows in self.database.rows.values() for row in rows})
        if not ids or not self._has_state:
            return
        rows = self._tx.rows(
            "WITH here AS (SELECT * FROM unnest(%s::bigint[], %s::bigint[]) AS h (board_id, item_id))"
            " SELECT n.row_id, l.slots[n.position], count(*), min(i.item_id)"
            " FROM monday_sync.sync_item i JOIN monday_sync.sync_layout l USING (layout)"
            " CROSS JOIN LATERAL unnest(i.links) WITH ORDINALITY AS n (row_id, position)"
            " WHERE n.row_id = ANY(%s::uuid[]) AND i.state = 'active'"
            " AND NOT EXISTS (SELECT FROM here h WHERE h.board_id = i.board_id AND h.item_id = i.item_id)"
            " GROUP BY 1, 2",
            (*places(self._layouts, {state.item for state in everyone} | set(self.database.bases)), ids),
        )
        for row, role, count, first_item in rows:
            self.database.elsewhere.setdefault(row, {})[role] = Elsewhere(count, first_item)

    def _read_names(self, resolution: Resolution) -> None:
        """Every name of tables in which one may be written down: two that look alike are told of."""
        written = {
            table: {*resolution.claimed.get(table, ()), *self.database.unrecorded_keys[table]} for table in NAMES
        }
        tables = [table for table, keys in written.items() if any(key.startswith("name:") for key in keys)]
        if not tables or not self._has_state or self.parts:
            return
        known = [
            sql.SQL(
                "SELECT k.table_name, k.key, k.row_id, t.{name}::text FROM monday_sync.sync_key k JOIN {table} t"
                " ON t.id = k.row_id WHERE k.table_name = {literal} AND left(k.key, 5) = 'name:'"
            ).format(name=sql.Identifier(NAMES[table]), table=self._tx.table(table), literal=sql.Literal(table))
            for table in tables
            if NAMES[table] in self._present.get(table, ())
        ]
        for table, key, row, name in self._tx.rows(sql.SQL(" UNION ALL ").join(known)) if known else ():
            self.database.names[table][key] = (row, name or "")

    def _read_emptied(self, resolution: Resolution) -> None:
        """What rows held that a person edited and an item is new to, or only selects: as other items know it."""
        edited = self.database.pending - self.database.unknown
        asked: set[RowId] = set()
        for item, links in resolution.links.items() if edited else ():
            base = self.database.bases.get(item)
            for slot in self._layouts[item[0]].slots:
                if base is None or slot.table == "users" or links[slot] != base.links[slot]:
                    asked |= edited & {links[slot]}
        if not asked:
            return
        rows = sorted(asked)
        for found in self._tx.rows(_SHOWING, (list(self._by_id), rows, rows, _WITNESSES)):
            base = base_of_row(found, self._by_id, self._tx.encoding)
            for slot, link in zip(self._layouts[base.board].slots, base.links, strict=True):
                if link in asked:
                    row = self.database.rows[slot.table][link]
                    self.database.cleared_fields |= {
                        (link, field.column)
                        for field in slot.fields
                        if row[field] is None and base.postgres[field] not in (None, UNSET, FORCE)
                    }
