"""What a run has to leave behind, worked out in plain dictionaries: no line of the program is used or copied here.

`Ledger` knows what people typed, on the boards and in SQL, and what the last runs were shown. After a run it holds the
database against that: every edit has landed, or it stands where a person can find it.
"""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Container, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from psycopg2 import extensions

from sandbox import MASTER_BOARD_ID, STAFF_BOARD_ID

BOARD_IDS = {"master": MASTER_BOARD_ID, "staff": STAFF_BOARD_ID}
TABLES = ("insurances", "sales_teams", "storms", "pa_law", "users", "customers", "properties", "policies", "projects")
BAD = "\0 nobody can store this"

Cells = dict[str, str]
Columns = tuple[frozenset[str], int]
"""Which columns of a board cannot be seen, and how often columns were changed before."""
Slot = tuple[int, int, str]
"""(board id, item id, role)"""


@dataclass(frozen=True, slots=True)
class Shown:
    """One field of an item: whose row holds it, and in which cells it stands."""

    role: str
    table: str
    column: str
    cells: tuple[str, ...]
    kind: str = "text"

    def of(self, cells: Cells, name: str) -> str | None:
        """What the item says; BAD when a cell of it cannot be stored."""
        said = [cells[cell] for cell in self.cells if cells.get(cell)]
        if BAD in said:
            return BAD
        if self.column == "item_name" or (self.table == "projects" and self.column == "name" and not said):
            return name
        return " ".join(said) or None


def _fields(lines: str) -> list[Shown]:
    found = []
    for line in lines.strip().splitlines():
        role, target, cells, kind = (part.strip() for part in line.split("|"))
        table, column = target.split(".")
        found.append(Shown(role, table, column, tuple(cells.split()), kind))
    return found


FIELDS = {
    "master": _fields("""
        project              | projects.item_name         |                        | text
        project              | projects.name              | text01__1              | text
        project              | projects.current_stage     | text95__1              | text
        project              | projects.description       | text40__1              | text
        project              | projects.estimated_value   | numbers0               | money
        project              | projects.claim_number      | claim_number__1        | text
        customer             | customers.name             | text65__1              | text
        customer             | customers.email            | email4__1              | email
        customer             | customers.phone            | phone_1__1             | phone
        customer             | customers.notes            | text43__1              | loud
        property             | properties.address         | dup__of_job_address0__1| address
        sales_team           | sales_teams.name           | job_division___1__1    | status
        user:Project Manager | users.name                 | text19__1              | text
        user:Project Manager | users.email                | email6__1              | email
        user:Project Manager | users.phone                | phone_13__1            | phone
        user:Estimator       | users.name                 | job_est_1_name__1      | text
        user:Estimator       | users.email                | email0__1              | email
        pa_law               | pa_law.name                | jp_pa_law_name__1      | text
        pa_law               | pa_law.phone               | jp_pa_law_phone__1     | phone
        policy               | policies.policy_number     | dup__of_text0__1       | text
        insurance            | insurances.company_name    | text31__1              | text
        insurance            | insurances.company_phone   | phone_132__1           | phone
        storm                | storms.date_of_loss        | date_19__1             | date
    """),
    "staff": _fields("""
        user:Sales Staff     | users.name                 | text25 text1           | text
        user:Sales Staff     | users.email                | email__1               | email
        user:Sales Staff     | users.rm_email             | email7                 | email
        user:Sales Staff     | users.phone                | phone                  | phone
        user:Sales Staff     | users.shirt_size           | text6                  | text
        user:Sales Staff     | users.monday_team          | status_13              | status
        sales_team           | sales_teams.name           | status_13              | status
    """),
}
POINTERS = {
    "customer": "customer_id",
    "property": "property_id",
    "sales_team": "sales_team_id",
    "user:Project Manager": "project_manager_id",
    "user:Estimator": "estimator_id",
    "pa_law": "pa_law_id",
    "policy": "policy_id",
    "insurance": "insurance_id",
    "storm": "storm_id",
}


NUMBERS = {
    "(202) 555-0101": "2025550101",
    "+1 202 555 0102": "2025550102",
    "1 (800) 758-6237": "1-800-PLUMBER",
    "(+44) 20 7946 0958": "+442079460958",
}
"""Phones as people also spell them → the number; what is not here is a number, or a text, of its own."""


LOUD = """
CREATE FUNCTION public.loud() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN NEW.notes := upper(NEW.notes); RETURN NEW; END $$;
CREATE TRIGGER loud BEFORE INSERT OR UPDATE ON public.customers FOR EACH ROW EXECUTE FUNCTION public.loud()
"""
"""What the owners of some databases do to a value of the kind `loud`."""


def like(kind: str, value: str | None) -> Any:
    """The form in which two values of a kind are the same thing to a person."""
    if value is None or value == BAD:
        return value
    if kind == "email":
        return value.lower()
    if kind == "loud":
        return value.upper()
    if kind == "phone":
        return NUMBERS.get(value, value)
    if kind == "address":
        return value.replace("\u00a0", " ")
    return Decimal(value) if kind == "money" else value


def text_of(cell: dict[str, Any]) -> str:
    """A cell's own value, as the sandbox tells it: of an e-mail, a phone and a link not the label."""
    value = json.loads(cell["value"]) if cell["value"] else None
    if isinstance(value, dict):
        for name in ("email", "phone", "url"):
            if name in value:
                return str(value[name] or "")
    return cell["text"] or ""


def kind_of(table: str, column: str) -> str:
    return next((f.kind for fs in FIELDS.values() for f in fs if (f.table, f.column) == (table, column)), "text")


@dataclass(slots=True)
class Item:
    """An item as people left it. `revision` grows with each edit, as its time does; of what a run was shown, `blind`
    are the columns that it could not see, `unseen` those of which no run could see or store a value yet.
    """

    id: int
    board: str
    name: str
    cells: Cells = field(default_factory=dict)
    state: str = "active"
    moved: bool = False
    revision: int = 0
    blind: frozenset[str] = frozenset()
    unseen: frozenset[str] = frozenset()


Line = tuple[int, str, str, str | None]


def line_of(conflict: dict[str, Any]) -> Line:
    """What a line of the conflict log says of a value that lost."""
    return conflict["id"], conflict["state"], conflict["lost_from"], conflict["lost"]


@dataclass(slots=True)
class Database:
    """Everything in the nine tables and what the sync remembers, at one moment; values as text."""

    rows: dict[str, dict[str, dict[str, str | None]]]
    versions: list[tuple[str, str, str]]
    links: dict[Slot, str]
    items: dict[tuple[int, int], dict[str, Any]]
    conflicts: list[dict[str, Any]]
    dead: set[tuple[str, int, int, str]]
    waiting: set[str]
    keys: list[tuple[str, str, str]]

    @property
    def lines(self) -> frozenset[Line]:
        """The conflict log as it stands: a line that is settled later counts as a new one."""
        return frozenset(map(line_of, self.conflicts))

    def row(self, table: str, row: str | None) -> dict[str, str | None] | None:
        return self.rows[table].get(row) if row else None


def look(connection: extensions.connection) -> Database:
    """Read it all."""
    with connection.cursor() as cursor:

        def ask(query: str) -> list[tuple[Any, ...]]:
            cursor.execute(query)
            return cursor.fetchall()

        rows: dict[str, dict[str, dict[str, str | None]]] = {table: {} for table in TABLES}
        versions = []
        one = (
            "SELECT '{0}', t.id::text, t.xmin || ' ' || t.ctid::text,"
            " (SELECT jsonb_object_agg(key, value) FROM jsonb_each_text(to_jsonb(t))) FROM {0} t"
        )
        for table, row_id, version, values in ask(" UNION ALL ".join(one.format(table) for table in TABLES)):
            rows[table][row_id] = values
            versions.append((table, row_id, version))
        links = {
            (board, item, role): row
            for board, item, role, row in ask("SELECT board_id, item_id, role, row_id::text FROM monday_sync.sync_link")
        }
        items = {
            (board, item): {"state": state, "open": content_hash is None, "differs": _differing(base, fields)}
            for board, item, state, content_hash, base, fields in ask(
                "SELECT board_id, item_id, state, m_hash, base, fields FROM monday_sync.sync_item"
                " JOIN monday_sync.sync_layout USING (layout)"
            )
        }
        conflicts = [row for (row,) in ask("SELECT to_jsonb(c) FROM monday_sync.sync_conflict c ORDER BY id")]
        dead = set(ask("SELECT kind, board_id, item_id, place FROM monday_sync.sync_dead"))
        waiting = {row for (row,) in ask("SELECT row_id::text FROM monday_sync.sync_row WHERE p_hash IS NULL")}
        keys = ask("SELECT table_name, key, row_id::text FROM monday_sync.sync_key WHERE row_id IS NOT NULL")
        return Database(rows, sorted(versions), links, items, conflicts, dead, waiting, keys)


def _differing(base: str, fields: list[str]) -> set[str]:
    """Fields of which the sync remembers that the row holds something else than the item shows."""
    said = json.loads(base)
    numbers = {int(number) for number in said.get("p", {})} | set(said.get("force", ())) | set(said.get("unset", ()))
    return {fields[number] for number in numbers}


UNIQUE = {
    "customers": ("email", "email"),
    "insurances": ("company_name", "text"),
    "sales_teams": ("name", "text"),
    "storms": ("date_of_loss", "date"),
}
"""What rows are known by, and how it is compared."""


def doubled(before: Database, after: Database, anybodys: Container[str]) -> Iterator[str]:
    """Rows that a run made although there is an older one that is known by the same; `anybodys` name nobody."""
    for table, (column, kind) in UNIQUE.items():
        said = {row_id: like(kind, row[column]) for row_id, row in after.rows[table].items() if row[column]}
        known = {
            value: row_id
            for row_id, value in said.items()
            if row_id in before.rows[table] and like(kind, before.rows[table][row_id][column]) == value
        }
        for row_id, value in said.items():
            if row_id not in before.rows[table] and value in known and value not in anybodys:
                yield f"{table} {row_id} was made for {value!r}, which is {known[value]} already"


NAMED = {("insurances", "company_name"), ("pa_law", "name"), ("sales_teams", "name")}
NO_DIFFERENCE = str.maketrans(dict.fromkeys(".,'\"", " "))


def same_name(role: str, name: str) -> str:
    """The form in which two names are one: of a team its label, of anybody else without what makes no difference."""
    return " ".join((name if role == "sales_team" else name.translate(NO_DIFFERENCE)).lower().split()) or name


def joined(read: list[Item], after: Database) -> Iterator[str]:
    """Items of the same row that call it by names which a person can tell apart."""
    called: dict[tuple[str, str], dict[str, int]] = {}
    for item in read:
        for entry in FIELDS[item.board]:
            if (entry.table, entry.column) in NAMED and not item.blind & {*entry.cells}:
                link = after.links.get((BOARD_IDS[item.board], item.id, entry.role))
                value = entry.of(item.cells, item.name)
                if value and value != BAD and link in after.rows[entry.table]:
                    called.setdefault((entry.table, str(link)), {})[same_name(entry.role, value)] = item.id
    for (table, row), names in called.items():
        if len(names) > 1:
            yield f"{table} {row} is one row for {sorted(names)}, of items {sorted(names.values())}"


def shared_homes(after: Database) -> Iterator[str]:
    """Rows that are home to two active items of the staff board."""
    homes: dict[str, int] = {}
    for (board, item, role), row in sorted(after.links.items()):
        if role == "user:Sales Staff" and after.items[board, item]["state"] == "active" and row in after.rows["users"]:
            if row in homes:
                yield f"users {row} is home to the items {homes[row]} and {item}"
            homes[row] = item


def digest(connection: extensions.connection) -> list[tuple[Any, ...]]:
    """A hash of every row version of every table, the sync's own among them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
            " WHERE schemaname IN ('public', 'monday_sync') ORDER BY 1"
        )
        one = (
            "SELECT '{0}', count(*), md5(coalesce(string_agg(t.xmin || ' ' || t.ctid || ' ' || t::text, E'\\n'"
            " ORDER BY t.ctid), '')) FROM {0} t"
        )
        cursor.execute(" UNION ALL ".join(one.format(table) for (table,) in cursor.fetchall()))
        return cursor.fetchall()


@dataclass(slots=True)
class Ledger:
    """`shown` is what the last run that read an item was shown of it; `typed` are values that a person set in SQL,
    in place of `originals`.

    `deleted` are rows that a person deleted, `cached` is what the newest saved read of each board holds. `blind` are
    columns that runs leave alone today, `moves` counts the changes of each board's columns. `columns` says with which
    of them each board was last read, `cached_columns` with which its saved read was made. `fresh`: the run at hand
    takes what differs as it is, as it did the foreign keys in `held`.
    """

    items: dict[int, Item] = field(default_factory=dict)
    shown: dict[tuple[str, int], Item] = field(default_factory=dict)
    typed: dict[tuple[str, str, str], str | None] = field(default_factory=dict)
    originals: dict[tuple[str, str, str], str | None] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    cached: dict[str, dict[int, Item] | None] = field(default_factory=lambda: {"master": None, "staff": None})
    blind: set[str] = field(default_factory=set)
    moves: Counter[str] = field(default_factory=Counter)
    columns: dict[str, Columns] = field(default_factory=dict)
    cached_columns: dict[str, Columns] = field(default_factory=dict)
    fresh: bool = False
    anybodys: Container[str] = ()
    held: set[tuple[str, str, str]] = field(default_factory=set)

    def typed_in_sql(self, table: str, row: str, column: str, was: str | None, now: str | None) -> None:
        """A person set a value; one that sets it back, or to what it was, has edited nothing."""
        place = (table, row, column)
        before = self.originals.setdefault(place, was) if place in self.typed else was
        self.originals[place] = before
        if like(kind_of(table, column), before) == like(kind_of(table, column), now):
            self.typed.pop(place, None)
        else:
            self.typed[place] = now

    def forget(self) -> None:
        """Both sides are compared as on the first day."""
        self.typed.clear()
        self.fresh = True

    def on(self, board: str, state: str = "active") -> list[Item]:
        return [item for item in self.items.values() if item.board == board and item.state == state]

    def today(self, board: str) -> Columns:
        return frozenset(self.blind), self.moves[board]

    def save(self, board: str) -> None:
        self.cached[board] = {item.id: item for item in self.read(board)}
        self.cached_columns[board] = self.today(board)

    def read(self, board: str) -> list[Item]:
        """Copies of the items on a board, as a run sees them now."""
        blind = frozenset(self.blind)
        return [replace(item, cells=dict(item.cells), blind=blind) for item in self.on(board)]

    def read_from_cache(self, board: str) -> list[Item]:
        """Items of the saved read that are not older than what was seen since; where the columns were others then, an
        item that was not edited since either shows what is over, or nothing new.
        """
        moved = board in self.columns and self.cached_columns[board] != self.columns[board]
        return [
            replace(item, cells=dict(item.cells), blind=item.blind | self.blind)
            for item in (self.cached[board] or {}).values()
            if (board, item.id) not in self.shown or item.revision >= self.shown[board, item.id].revision + moved
        ]

    def check(self, read: list[Item], before: Database, after: Database, policy: str | None) -> list[str]:
        """Everything that is wrong after a run that was shown these items; then they count as shown."""
        wrong = [*self._items(read, before, after, policy), *self._typed(before, after), *self._structure(after)]
        wrong += doubled(before, after, self.anybodys)
        wrong += [*(() if self.fresh else joined(read, after)), *shared_homes(after)]
        for item in read:
            self.shown[item.board, item.id] = self._as_landed(item, after)
        self.fresh = False
        return wrong

    def _as_landed(self, item: Item, after: Database) -> Item:
        """A cell that is bad, or whose edit waits, was not taken: the item still stands for what it said before."""
        was = self.shown.get((item.board, item.id))
        seen = copy.deepcopy(item)
        hidden = item.blind.union(cell for cell, value in item.cells.items() if value == BAD)
        seen.unseen = (hidden if was is None or self.fresh else was.unseen) & hidden
        for cell in hidden:
            seen.cells.pop(cell, None)
            if was is not None and cell in was.cells:
                seen.cells[cell] = was.cells[cell]
        if was is not None and after.items[BOARD_IDS[item.board], item.id]["open"]:
            seen.cells, seen.name = dict(was.cells), was.name
        return seen

    # What items say

    def _items(self, read: list[Item], before: Database, after: Database, policy: str | None) -> Iterator[str]:
        for item in read:
            place = (BOARD_IDS[item.board], item.id)
            known = after.items.get(place)
            if known is None or known["state"] != "active":
                yield f"item {item.id} of {item.board} was read and is not remembered as active"
                continue
            for entry in FIELDS[item.board]:
                if item.blind & {*entry.cells}:
                    continue
                value = entry.of(item.cells, item.name)
                dead = any(("cell", *place, cell) in after.dead for cell in entry.cells)
                if dead != (value == BAD):
                    yield f"{self._name(item, entry)} is {'' if dead else 'not '}listed as a bad cell"
                if value != BAD:
                    yield from self._field(item, entry, value, before, after, policy)

    def _field(
        self, item: Item, entry: Shown, value: str | None, before: Database, after: Database, policy: str | None
    ) -> Iterator[str]:
        slot = (BOARD_IDS[item.board], item.id, entry.role)
        link = after.links.get(slot)
        row = after.row(entry.table, link)
        shown = self.shown.get((item.board, item.id))
        was = entry.of(shown.cells, shown.name) if shown is not None else None
        edited = shown is None or like(entry.kind, value) != like(entry.kind, was)
        if row is None:
            if value is not None and (edited or link not in self.deleted):
                yield f"{self._name(item, entry)} says {value!r} and has no row"
            return
        holds = row[entry.column]
        if like(entry.kind, holds) == like(entry.kind, value):
            self.typed.pop((entry.table, str(link), entry.column), None)  # both sides have it: it is nobody's edit now
            return
        lost = self._lost(item, entry, before, after)
        if like(entry.kind, value) in lost:
            return
        known = after.items[slot[:2]]
        label = f"{self._name(item, entry)} says {value!r}, was {was!r}, the row {link} holds {holds!r}"
        column, role = f"{entry.table}.{entry.column}/", ":" + entry.role.removeprefix("user:")
        differs = any(name.startswith(column) and name.endswith(role) for name in known["differs"])
        typed = (entry.table, link, entry.column) in self.typed
        if not (differs or typed or link in after.waiting or known["open"]):
            yield f"{label}, and this is nowhere to be found"
        same_row = shown is not None and before.links.get(slot) == link and not shown.unseen & {*entry.cells}
        selects = entry.table == "users" and item.board == "master" and row["monday_item_id"] is not None
        if edited and same_row and not selects and not self.fresh:
            held = policy in ("pg", "manual") and known["open"] and (typed or link in before.waiting)
            if not held:
                yield f"{label}: the edit is lost"

    def _lost(self, item: Item, entry: Shown, before: Database, after: Database) -> list[Any]:
        """Values of this field that the run wrote down as lost, or as waiting for a person."""
        found, known = [], before.lines
        for conflict in after.conflicts:
            current = line_of(conflict) not in known or conflict["state"] == "open"
            ours = (conflict["item_id"], conflict["role"]) == (item.id, entry.role)
            if current and ours and conflict["field"].startswith(f"{entry.table}.{entry.column}/"):
                found.append(like(entry.kind, _first(conflict["lost"])))
        return found

    @staticmethod
    def _name(item: Item, entry: Shown) -> str:
        return f"{item.board} item {item.id} {entry.role} {entry.column}"

    # What was typed in SQL

    def _typed(self, before: Database, after: Database) -> Iterator[str]:
        """A value set in SQL stays, or a newer edit of the same field replaced it and it was written down."""
        for (table, row_id, column), value in list(self.typed.items()):
            row = after.row(table, row_id)
            kind = kind_of(table, column)
            if row is not None and like(kind, row[column]) == like(kind, value):
                continue
            del self.typed[table, row_id, column]
            if row is None:
                if row_id not in self.deleted:
                    yield f"{table} {row_id} is gone"
                continue
            losers = [
                like(kind, _first(entry["lost"]))
                for entry in after.conflicts
                if line_of(entry) not in before.lines
                and entry["row_id"] == row_id
                and (entry["field"] == column or entry["field"].startswith(f"{table}.{column}/"))
            ]
            if like(kind, value) not in losers:
                yield f"{table}.{column} of {row_id} was set to {value!r} in SQL, is {row[column]!r}: nobody was told"

    # What is always so

    def _structure(self, after: Database) -> Iterator[str]:
        for table, key, owner in after.keys:
            if owner not in after.rows[table] and owner not in self.deleted:
                yield f"the key {key} of {table} belongs to a row that is not there"
        for table in ("projects", "users"):
            seen: set[str | None] = set()
            for row in after.rows[table].values():
                if row["monday_item_id"] is not None and row["monday_item_id"] in seen:
                    yield f"item {row['monday_item_id']} has two rows"
                seen.add(row["monday_item_id"])
        for (board_id, item_id, role), link in after.links.items():
            if after.items[board_id, item_id]["state"] != "active":
                continue
            if not any(link in rows for rows in after.rows.values()) and link not in self.deleted:
                yield f"item {item_id} {role} is linked to a row that is not there"
        yield from self._pointers(after)

    def _pointers(self, after: Database) -> Iterator[str]:
        """A project points where its item's slots are linked, but for what a person moved or deleted."""
        for item in self.on("master"):
            project = after.row("projects", after.links.get((MASTER_BOARD_ID, item.id, "project")))
            if project is None or ("master", item.id) not in self.shown:
                continue
            for role, column in POINTERS.items():
                link = after.links.get((MASTER_BOARD_ID, item.id, role))
                place = "projects", str(project["id"]), column
                if project[column] == link or link in self.deleted:
                    continue
                if self.fresh:  # as on the first day, what it points at is nobody's edit
                    self.held.add(place)
                elif place not in self.typed and place not in self.held:
                    yield f"item {item.id} {column} is {project[column]} and its link is {link}"

    def check_archived(self, after: Database) -> list[str]:
        """After a complete read: the row of items that are all gone is marked, and no other. A person whose last item
        says now that it is somebody else has none any more.
        """
        states: dict[tuple[str, str], set[str]] = {}
        for board, item_id in self.shown:
            table, role = ("projects", "project") if board == "master" else ("users", "user:Sales Staff")
            link = after.links.get((BOARD_IDS[board], item_id, role))
            now = self.items[item_id]
            row = after.row(table, link)
            if row is not None and row["monday_item_id"] is not None:
                states.setdefault((table, str(link)), set()).add("moved" if now.moved else now.state)
        wrong = []
        for (table, link), found in states.items():
            archived = after.rows[table][link]["archived_at"]
            if "moved" not in found and (archived is None) != ("active" in found):
                wrong.append(f"{table} {link}: its items are {sorted(found)} and archived_at is {archived}")
        return wrong


def _first(text: str | None) -> str | None:
    """A value as the conflict log keeps it; of a joint field, the whole."""
    if text is None or not text.startswith("["):
        return text.strip('"') if text else text
    first: str | None = json.loads(text)[0]
    return first
