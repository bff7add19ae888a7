"""What tests build their worlds from: items as monday.com would send them, and sync state kept in dictionaries."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from models import Row, RowId
from monday_api import BOARDS
from reconcile.base import ItemBase, as_remembered, pairs_from_json
from reconcile.columns import Policy
from reconcile.database_state import DatabaseState, Elsewhere, ItemKey
from reconcile.identity import resolve
from reconcile.items import decode_item
from reconcile.keys import email_key
from reconcile.layout import ItemState, Layout, compile_layout
from reconcile.plan_pull import Gone, Plan, is_archived, last_good, plan_pull
from reconcile.tables import SPECS, TABLES

BOARD_IDS = {"master": 6727219152, "staff": 5764059860}
LAYOUTS: dict[str, Layout] = {name: compile_layout(name, BOARD_IDS[name], BOARDS[name]) for name in BOARDS}
STAFF_ROLE = "user:Sales Staff"
REFERENCES = {column: target for spec in SPECS.values() for column, target in spec.foreign_keys.items()}
"""Foreign key, in whichever table → the table that it points at."""
EARLY = "2026-05-01T08:00:00Z"

FILLED: dict[str, Any] = {
    "text": lambda value: {"text": value},
    "numbers": lambda value: {"text": value},
    "email": lambda value: {"email": value or None, "label": value or None},
    "phone": lambda value: {"phone": value, "country_short_name": "US"},
    "link": lambda value: {"url": value or None, "url_text": ""},
    "status": lambda value: {"label": value or None, "index": 1},
    "date": lambda value: {"date": value, "time": "", "value": None},
    "file": lambda value: {"files": value or []},
}


def column_of(board: str, target: str) -> str:
    """Column id of "customers.email" or "users.name/Estimator"."""
    name, _, role = target.partition("/")
    return next(
        column_id
        for column_id, column in BOARDS[board].items()
        if column.target == name and (not role or column.role == role)
    )


def raw_json(
    board: str, item_id: int, cells: Mapping[str, Any] | None = None, *, name: str = "Job", at: str = EARLY
) -> bytes:
    """One item of the wire; `cells` maps "table.column" or "users.column/Role" to the value that a person typed."""
    said = {column_of(board, target): value for target, value in (cells or {}).items()}
    values = [
        {"id": column_id, "type": column.codec.monday_type} | FILLED[column.codec.monday_type](said.get(column_id, ""))
        for column_id, column in BOARDS[board].items()
        if column_id != "name"
    ]
    item = {"id": str(item_id), "name": name, "updated_at": at, "column_values": values}
    return json.dumps(item).encode()


def state(
    board: str, item_id: int, cells: Mapping[str, Any] | None = None, *, name: str = "Job", at: str = EARLY
) -> ItemState:
    return LAYOUTS[board].decode(decode_item(raw_json(board, item_id, cells, name=name, at=at)), "hash")


def rule_part(column_id: str, operator: str, *wanted: Any) -> dict[str, Any]:
    """A constraint of a board's validation rule on one column."""
    return {"column_id": column_id, "operator": operator, "compare_value": list(wanted)}


def board_rule(*then: dict[str, Any], given: dict[str, Any] | None = None, either: bool = False) -> dict[str, Any]:
    """A rule as `validations` tells it: without a condition it has no key of that name."""
    found: dict[str, Any] = {"then": {"operator": "OR" if either else "AND", "groups": list(then)}}
    return found | ({"if": {"operator": "AND", "groups": [given]}} if given else {})


@dataclass(slots=True)
class Memory:
    """Both sides of the sync's state in dictionaries: rows, keys, and what is remembered of each item."""

    rows: dict[str, dict[RowId, Row]] = field(default_factory=lambda: {table: {} for table in TABLES})
    keys: dict[str, dict[str, RowId]] = field(default_factory=lambda: {table: {} for table in TABLES})
    base: dict[ItemKey, ItemBase] = field(default_factory=dict)
    placeholders: frozenset[str] = frozenset()

    def database(self, present: Iterable[ItemKey]) -> DatabaseState:
        """Everything that is known; items that are not present are counted as elsewhere."""
        here = set(present)
        elsewhere: dict[RowId, dict[str, Elsewhere]] = {}
        for (board, item_id), base in self.base.items():
            if (board, item_id) in here:
                continue
            for slot, row in zip(LAYOUTS[board].slots, base.links, strict=True):
                if row is not None:
                    was = elsewhere.setdefault(row, {}).get(slot.role, Elsewhere(0, item_id))
                    elsewhere[row][slot.role] = Elsewhere(was.count + 1, min(was.first_item, item_id))
        emails = {
            key
            for base in self.base.values()
            for slot in LAYOUTS[base.board].slots
            if slot.role == STAFF_ROLE
            for column in ("email", "rm_email")
            if isinstance(value := base.monday[slot.at[column]], str) and (key := email_key(value))
        }
        return DatabaseState(
            rows={table: dict(rows) for table, rows in self.rows.items()},
            keys={
                table: {key: row for key, row in keys.items() if row in self.rows[table]}
                for table, keys in self.keys.items()
            },
            placeholders=self.placeholders,
            bases=dict(self.base),
            elsewhere=elsewhere,
            staff_emails=frozenset(emails),
            counts={table: len(rows) for table, rows in self.rows.items()},
        )

    def plan(
        self,
        states: Sequence[ItemState],
        *,
        gone: Mapping[ItemKey, Gone] | None = None,
        policy: Policy | None = None,
        pending: Collection[RowId] = (),
        silent_present: bool = True,
    ) -> Plan:
        """Plan as a run does. Items that were not read speak through their base when `silent_present`."""
        everyone = list(states)
        read = {(entry.board, entry.id) for entry in states} | set(gone or {})
        if silent_present:
            everyone += [
                as_remembered(base) for key, base in self.base.items() if key not in read and base.state == "active"
            ]
        database = self.database({(entry.board, entry.id) for entry in everyone} | set(gone or {}))
        database.staff_emails |= frozenset(
            key
            for entry in states
            if entry.board == "staff"
            for number in (LAYOUTS["staff"].slots[0].at[column] for column in ("email", "rm_email"))
            if isinstance(value := entry.values[number], str) and (key := email_key(value))
        )
        database.pending = set(pending)
        database.gone = frozenset(key for key, state in (gone or {}).items() if is_archived(state, self.base[key]))
        last_good(everyone, database)
        resolution = resolve(everyone, LAYOUTS, database)
        return plan_pull(everyone, LAYOUTS, database, resolution, gone=gone or {}, stage_status={}, policy=policy)

    def apply(self, plan: Plan) -> None:
        """Carry a plan out, the base through its JSON as the database does."""
        for table in TABLES:
            for row in plan.inserts[table]:
                self.rows[table][row.id] = row
            for update in plan.updates[table]:
                before = self.rows[table][update.id]
                for column, (was, _now) in update.changes.items():
                    seen = getattr(before, column)
                    assert seen == was, f"{table}.{column}: the plan's before is not what the row holds"
                self.rows[table][update.id] = update.applied_to(before)
            for key in plan.released[table]:
                self.keys[table].pop(key, None)
            self.keys[table].update(plan.claimed[table])
        self.placeholders |= plan.placeholders
        for item in plan.items:
            layout = LAYOUTS[item.board]
            monday, postgres, tolerated_links = pairs_from_json(item.to_json(), list(layout.field_ids), layout)
            self.base[item.key] = ItemBase(
                item.board,
                item.id,
                item.updated_at,
                list(item.links),
                monday,
                postgres,
                content_hash=item.content_hash,
                tolerated_links=tolerated_links,
            )
        for departed in plan.departed:
            self.base[departed.board, departed.item_id].state = departed.state

    def sync(self, states: Sequence[ItemState], **options: Any) -> Plan:
        plan = self.plan(states, **options)
        self.apply(plan)
        return plan

    def edit(self, table: str, row: RowId, **values: Any) -> None:
        """A person changes a row in SQL."""
        self.rows[table][row] = msgspec.structs.replace(self.rows[table][row], **values)

    def table(self, table: str) -> list[dict[str, Any]]:
        """Rows as dictionaries, by id."""
        return [msgspec.structs.asdict(self.rows[table][row]) for row in sorted(self.rows[table])]

    def linked(self, board: str, item_id: int, role: str) -> dict[str, Any] | None:
        """The row that a slot is linked to."""
        for slot, row in zip(LAYOUTS[board].slots, self.base[board, item_id].links, strict=True):
            if slot.role == role and row is not None:
                return msgspec.structs.asdict(self.rows[slot.table][row])
        return None
