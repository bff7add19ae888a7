"""Loads the `DatabaseState` of a plan: rows, keys, links and bases around the items that changed, and no more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import UNSET
from psycopg2 import sql

from models import RowId
from postgres.bases import BASES, base_of_row, model_columns, places, read_bases, rows_by_id
from postgres.ids import read_astray
from postgres.parting import read_parting
from postgres.records import Present
from postgres.state import row_hash
from postgres.transaction import Transaction
from reconcile.base import FORCE, ItemBase, as_remembered
from reconcile.columns import MARKER
from reconcile.database_state import DatabaseState, Elsewhere, ItemKey
from reconcile.identity import Resolution, adopted_links, resolve
from reconcile.ids import Astray, IdPlace, LeftBehind, follow
from reconcile.keys import item_key
from reconcile.layout import ItemState, Layout, Slot, folded_row
from reconcile.namesakes import NAMES
from reconcile.plan_pull import Gone, is_archived, last_good
from reconcile.tables import HOMES, ITEM_ID, SPECS, TABLES, certain_columns, certain_keys, pointing_at, row_keys
from reconcile.working_rows import POSITION

_SHARED = frozenset(table for table, spec in SPECS.items() if spec.owned and spec.key is not None)
"""Owned tables whose rows several items may show: each of those items has a say in a rename."""
_OUR_OWN = sorted({spec.strangers for spec in SPECS.values() if spec.strangers is not None})
"""Tables of our own people, whose e-mails find no row of another one."""
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
    """Asks the database, resolves, and asks again while identity turns up keys that it had not asked for."""

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
        that has gone is remembered, since nothing is compared with it. `part` loads the items, of any board, that an
        older rule of keys has joined with others, to be parted.
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
        self._asked_ids: set[RowId] = set()
        self._asked_siblings: set[RowId] = set()
        self._astray: dict[ItemKey, Astray] = {}
        self._seen: set[ItemKey] = set()
        self.world = DatabaseState()
        self.left_behind: list[LeftBehind] = []

    @property
    def lost(self) -> set[RowId]:
        """Rows that items were linked to, that are not there any more, and that other rows stand in for."""
        moved = (self._astray[item] for item in self.world.moved)
        return {astray.link for astray in moved if astray.link is not None and not astray.there}

    def load(
        self,
        views: Sequence[ItemState],
        gone: Mapping[ItemKey, Gone] | None = None,
        astray: Collection[ItemKey] = (),
    ) -> tuple[DatabaseState, Resolution, list[ItemState]]:
        """The world, who is who in it, and the views together with those that speak through their base.

        `astray` are items that are to be looked at because of the ids in rows, whether they were read or not.
        """
        gone = gone or {}
        everyone = list(views)
        self.world.staff_emails = self._emails_of(views)
        self.world.counts = self._count_rows()
        if not any(self.world.counts.values()) and not self.world.remembers:  # a first load has nothing to ask
            return self.world, resolve(everyone, self._layouts, self.world), everyone
        self._read_reference_facts()
        if self.parts:
            everyone += self._parted(everyone)
        self._read_pending()
        compared = {} if self._forget else {(view.board, view.id): None for view in everyone}
        self._seen = {(view.board, view.id) for view in views}
        if self._has_state:
            self._astray = read_astray(self._tx, self._layouts, self._present, self._seen)
        unread = [] if self._forget else sorted((set(astray) & self._astray.keys()) - compared.keys() - gone.keys())
        self._read_stored([*compared, *gone, *unread])
        self.world.gone = frozenset(key for key, state in gone.items() if is_archived(state, self.world.bases[key]))
        everyone = [view for view in everyone if (view.board, view.id) not in self.world.unsure]
        everyone += [as_remembered(stored) for item in unread if (stored := self.world.bases.get(item))]
        for item in self.world.anew.keys() - gone.keys():
            del self.world.bases[item]
        self._read_adopted(everyone)
        self._read_rows(self._linked())
        self._own_items()
        while True:
            everyone += self._siblings(everyone)
            self._read_rows(self._linked())
            last_good(everyone, self.world)
            resolution = resolve(everyone, self._layouts, self.world)
            if not self._answer(resolution):
                break
        self._read_elsewhere(everyone)
        resolution = resolve(everyone, self._layouts, self.world)
        self._read_emptied(resolution)
        self._read_names(resolution)
        return self.world, resolution, everyone

    # Facts about the whole database

    def _emails_of(self, views: Iterable[ItemState]) -> frozenset[str]:
        """The company's own addresses: a customer cell that holds one names nobody."""
        said = (
            (slot.table, {column: view.values[slot.at[column]] for column in certain_columns(slot.table)})
            for view in views
            for slot in self._layouts[view.board].slots
            if slot.is_home and slot.table in _OUR_OWN
        )
        return frozenset(key for table, values in said for key in certain_keys(table, values))

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
        self.world.remembers = bool(counts.pop("", 0))
        return dict.fromkeys(TABLES, 0) | counts

    def _read_reference_facts(self) -> None:
        for table in _OUR_OWN:
            columns = certain_columns(table)
            if {*columns, ITEM_ID} <= set(self._present.get(table, ())):
                statement = sql.SQL("SELECT {} FROM {} WHERE monday_item_id IS NOT NULL").format(
                    sql.SQL(", ").join(map(sql.Identifier, columns)), self._tx.table(table)
                )
                said = (dict(zip(columns, row, strict=True)) for row in self._tx.rows(statement))
                self.world.staff_emails |= {key for values in said for key in certain_keys(table, values)}
        if self._has_state:
            placeholders = self._tx.rows("SELECT key FROM monday_sync.sync_key WHERE placeholder")
            self.world.placeholders = frozenset(self._tx.encoding.said(key) for (key,) in placeholders)

    def _read_pending(self) -> None:
        """Rows that people changed or added: their present content owns its keys, unless an older row does."""
        said: set[tuple[str, str]] = set()
        for table in (table for table in TABLES if table in self._present):
            for known, *values in self._tx.rows(self._pending_query(table)):
                row = tuple(values)
                self.world.rows[table][row[0]] = row
                self.world.pending.add(row[0])
                if not known:
                    self.world.unknown.add(row[0])
                keys = row_keys(table, row)
                for key in keys:
                    if self.world.keys[table].setdefault(key, row[0]) != row[0]:
                        self.world.contested_keys[table].setdefault(key, row[0])
                    self.world.unrecorded_keys[table].add(key)
                    said.add((table, key))
                if self._first_contact and keys and row[0] not in map(self.world.keys[table].get, keys):
                    self.world.duplicate_keys[table] += 1
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
            for other, column in pointing_at(table)
            if column in self._present.get(other, ())
        ]
        return sql.SQL(" UNION ALL ").join(pointing or [sql.SQL("SELECT NULL::uuid")])

    # Items

    def _read_stored(self, items: Collection[ItemKey]) -> None:
        if not items or not self._tx.has_state:
            return
        for base in read_bases(self._tx, self._layouts, items):
            self._remember(base)

    def _remember(self, stored: ItemBase) -> ItemBase:
        item = stored.key
        self.world.bases[item] = stored
        if (astray := self._astray.get(item)) is not None:
            self._follow(stored, astray)
        return stored

    def _follow(self, stored: ItemBase, astray: Astray) -> None:
        """The item's row is the one that holds its id."""
        place = astray.place(self._seen)
        if place is IdPlace.UNSURE:
            self.world.unsure |= {astray.item} & self._seen
            return
        if place is IdPlace.ANEW:
            self.world.anew[astray.item] = stored.tolerated
            return
        left = follow(stored, astray, place, self._layouts[stored.board])
        self.left_behind += [left] if left is not None else []
        if place is not IdPlace.EMPTIED:
            self.world.moved.add(astray.item)

    def _own_items(self) -> None:
        """The key of an item is its row's, also where a person wrote its id there."""
        for board, item_id in self.world.moved:
            layout = self._layouts[board]
            table, row = layout.slots[layout.record].table, self.world.bases[board, item_id].links[layout.record]
            if row in self.world.rows[table]:
                self.world.keys[table][item_key(board, item_id)] = row

    def _read_adopted(self, views: Sequence[ItemState]) -> None:
        """Rows with an item id that the sync has no memory of: they are linked by it, and by their foreign keys."""
        for layout in self._layouts.values():
            new = [v for v in views if v.board == layout.board and (v.board, v.id) not in self.world.bases]
            found = self._rows_of_items(layout, [view.id for view in new])
            for view in new:
                if view.id in found:
                    links = adopted_links(view, layout, self.world.rows, found[view.id])
                    self.world.adopted[view.board, view.id] = links
            self._read_marked(layout, views)

    def _read_marked(self, layout: Layout, views: Sequence[ItemState]) -> None:
        """Rows whose ids items carry that do not stand for them. One that has no item is such an item's, which was
        made of it: the database forgot that. Of several the oldest is it, since a copy is younger."""
        table = layout.slots[layout.record].table
        marked = [v for v in views if v.board == layout.board and v.marker and v.marker != self._record_of(v)]
        if not marked or ITEM_ID not in self._present.get(table, ()):
            return
        self._read_rows({table: {view.marker for view in marked if view.marker}})
        place = TABLES[table].__struct_fields__.index(ITEM_ID)
        known = {row for row in self.world.rows[table] if self.world.rows[table][row][place] is not None}
        if self._has_state:
            known |= self._held_rows(layout, [view.marker for view in marked])
            listed = (
                "SELECT item_id FROM monday_sync.sync_dead WHERE kind = 'would-merge' AND (board_id, place) = (%s, %s)"
            )
            self.world.copies |= {(layout.board, item) for (item,) in self._tx.rows(listed, (layout.board_id, MARKER))}
        for view in sorted(marked, key=lambda view: view.id):
            item, row = (view.board, view.id), view.marker
            if not row or row not in self.world.rows[table] or row in known or self._record_of(view) is not None:
                continue
            known.add(row)
            self.world.marked.add(item)
            self.world.adopted[item] = adopted_links(view, layout, self.world.rows, row)
            self.world.keys[table][item_key(*item)] = row

    def _record_of(self, view: ItemState) -> RowId | None:
        """The row that stands for an item, as far as it is known before anything is resolved."""
        item, place = (view.board, view.id), self._layouts[view.board].record
        stored = self.world.bases.get(item)
        links = stored.links if stored is not None else self.world.adopted.get(item)
        return links[place] if links is not None else None

    def _held_rows(self, layout: Layout, rows: Sequence[str]) -> set[RowId]:
        """Those of the rows that stand for an item which was on its board at the last look."""
        statement = (
            "SELECT l.row_id::text FROM monday_sync.sync_link l JOIN monday_sync.sync_item i USING (board_id, item_id)"
            " WHERE l.role = %s AND l.row_id = ANY(%s::uuid[]) AND i.state IN ('active', 'missing')"
        )
        return {row for (row,) in self._tx.rows(statement, (layout.slots[layout.record].role, sorted(set(rows))))}

    def _rows_of_items(self, layout: Layout, ids: Sequence[int]) -> dict[int, RowId]:
        """Item id → the row that holds it, which is read and owns the item's key."""
        table = layout.slots[layout.record].table
        if not ids or ITEM_ID not in self._present.get(table, ()):
            return {}
        statement = sql.SQL("SELECT {} FROM {} t WHERE t.monday_item_id = ANY(%s) ORDER BY t.id")
        query = statement.format(model_columns(table, self._present), self._tx.table(table))
        place = TABLES[table].__struct_fields__.index(ITEM_ID)
        found: dict[int, RowId] = {}
        for row in self._tx.rows(query, (list(ids),)):
            self.world.rows[table][row[0]] = row
            found.setdefault(row[place], row[0])
        for item_id, row_id in found.items():
            self.world.keys[table][item_key(layout.board, item_id)] = row_id
        return found

    def _siblings(self, everyone: Sequence[ItemState]) -> list[ItemState]:
        """Items of the run's boards that share an owned row with these, and with those in turn, until none is left."""
        present = {(view.board, view.id) for view in everyone}
        found: list[ItemState] = []
        while shared := self._shared_rows() - self._asked_siblings:
            self._asked_siblings |= shared
            if not self._has_state:
                break
            for row in self._tx.rows(_SHARING, (list(self._by_id), sorted(shared))):
                if (self._by_id[row[0]].board, row[1]) in present:
                    continue
                stored = self._remember(base_of_row(row, self._by_id, self._tx.encoding))
                present.add((stored.board, stored.id))
                found.append(as_remembered(stored))
        return found

    def _shared_rows(self) -> set[RowId]:
        linked = {row for slot, row in self._links() if slot.table in _SHARED}
        asked = ((table, key) for table, key in self._asked_keys if table in _SHARED)
        by_key = {row for table, key in asked if (row := self.world.keys[table].get(key))}
        return linked | by_key

    def _links(self) -> Iterator[tuple[Slot, RowId]]:
        for item, stored in self.world.bases.items():
            yield from self._pairs(item, stored.links)
        for item, links in self.world.adopted.items():
            yield from self._pairs(item, links)

    def _pairs(self, item: ItemKey, links: Sequence[RowId | None]) -> Iterator[tuple[Slot, RowId]]:
        for slot, row in zip(self._layouts[item[0]].slots, links, strict=True):
            if row is not None:
                yield slot, row

    def _parted(self, everyone: Sequence[ItemState]) -> list[ItemState]:
        """Items that share a row which an older rule of keys gave to several things; the keys are those of today."""
        items, parting = read_parting(self._tx, self._layouts, self._present)
        self.world.outdated, self.world.rekeyed = items.keys, parting.keys
        self.world.strangers, self._rekeyed = parting.strangers, parting.keys
        for table, keys in parting.keys.items():
            for key, row in keys.items():
                self._new_keys[row].append((table, key, row))
        for table, name in NAMES.items():
            for key, row in parting.keys[table].items():
                if (values := items.rows[table].get(row)) is not None:
                    self.world.names[table][key] = (row, str(values[POSITION[table][name]] or ""))
        read = {(view.board, view.id) for view in everyone}
        return [
            as_remembered(stored)
            for stored in items.stored
            if (stored.board, stored.id) not in read and not parting.rows.keys().isdisjoint(stored.links)
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
            missing = ids - self.world.rows[table].keys() - self._asked_ids
            if not missing:
                continue
            for row in rows_by_id(self._tx, table, self._present, missing):
                self.world.rows[table][row[0]] = row
            fresh |= ids - self._asked_ids
        self._asked_ids |= fresh
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
            if row in self.world.rows[table]:
                pending = self.world.keys[table].get(key, row)
                if pending != row:
                    self.world.contested_keys[table].setdefault(key, pending)
                self.world.keys[table][key] = row
                self.world.unrecorded_keys[table].discard(key)
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
        found = self._read_keys([entry for entry in claimed if SPECS[entry[0]].key is not None])
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
        self.world.taken |= taken
        return found or bool(taken)

    def _read_elsewhere(self, everyone: Sequence[ItemState]) -> None:
        """How many other items show each row, by role: for the roles of a person and for what monday must be told."""
        ids = sorted({row for rows in self.world.rows.values() for row in rows})
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
            (*places(self._layouts, {(view.board, view.id) for view in everyone} | set(self.world.bases)), ids),
        )
        for row, role, count, first_item in rows:
            self.world.elsewhere.setdefault(row, {})[role] = Elsewhere(count, first_item)

    def _read_names(self, resolution: Resolution) -> None:
        """Every name of tables in which one may be written down: two that look alike are told of."""
        written = {table: {*resolution.claimed.get(table, ()), *self.world.unrecorded_keys[table]} for table in NAMES}
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
            self.world.names[table][key] = (row, name or "")

    def _read_emptied(self, resolution: Resolution) -> None:
        """What rows held that a person edited and an item is new to, or only selects: as other items know it."""
        edited = self.world.pending - self.world.unknown
        asked: set[RowId] = set()
        for item, links in resolution.links.items() if edited else ():
            stored = self.world.bases.get(item)
            for place, slot in enumerate(self._layouts[item[0]].slots):
                if stored is None or slot.table in HOMES or links[place] != stored.links[place]:
                    asked |= edited & {links[place]}
        if not asked:
            return
        rows = sorted(asked)
        for found in self._tx.rows(_SHOWING, (list(self._by_id), rows, rows, _WITNESSES)):
            stored = base_of_row(found, self._by_id, self._tx.encoding)
            for slot, link in zip(self._layouts[stored.board].slots, stored.links, strict=True):
                if link in asked:
                    held = folded_row(slot.table, self.world.rows[slot.table][link])
                    before = stored.postgres[slot.first : slot.last]
                    self.world.cleared_fields |= {
                        (link, at)
                        for at, was in zip(slot.row_at, before, strict=True)
                        if held[at] is None and was not in (None, UNSET, FORCE)
                    }
