"""A small language for tests of the core: what people do on the two sides, what the two commands then do, what is seen.

A case is a name and a list of steps, which run the real planners over dictionaries. Items are called by their number:
below 900 they are jobs of the master board, from 900 on people of the staff board. A row is called by what shows it,
"customer of 1", "Estimator of 1", "project of 1", "staff of 901", or by a name that the script gave it. Every pull and
every push is planned a second time: what was carried out must leave nothing to do.

    case(
        "an edit on monday lands",
        given({1: {"customers.email": "ann@x.co", "customers.name": "Ann"}}),
        on_monday(1, {"customers.name": "Anna"}),
        pull(),
        expect(rows={"customer of 1": {"name": "Anna"}}),
    )
"""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
import pytest

from models import RowId
from monday_api import BOARDS
from reconcile.changes import Change, item_changes, op_changes, pull_changes, push_changes
from reconcile.database_state import ItemKey
from reconcile.errors import UnsafePlan
from reconcile.guards import Thresholds
from reconcile.items import Cell
from reconcile.journal_ops import ChangeOp, change_op
from reconcile.tables import TABLES
from tests.support.kit import FILLED, LAYOUTS, REFERENCES, column_of
from tests.unit import adapter

STAFF_FROM = 900
START = datetime(2026, 5, 1, 8, tzinfo=UTC)
DELETED: Final = "deleted"
ARCHIVED: Final = "archived"
MOVED: Final = "moved"
SILENT: Final = "silent"
"""An item that a whole read does not show, of which nobody says why."""
LABELS = {
    "master": {"job_division___1__1": {"Storm Team": 1, "Retail": 2, "retail": 3}},
    "staff": {"status_13": {"Storm Team": 1, "Retail": 2}},
}


@dataclass(frozen=True, slots=True)
class row:  # noqa: N801  it reads as a word of the language
    """Another row, as the value of a foreign key."""

    name: str


@dataclass(slots=True)
class Job:
    """One item as monday has it."""

    name: str
    at: int
    cells: dict[str, dict[str, Any]]
    state: str = "active"


def key_of(item_id: int) -> ItemKey:
    return ("staff" if item_id >= STAFF_FROM else "master"), item_id


@dataclass(slots=True)
class Sides:
    """Both sides, the database as the program keeps it, and what the last command did."""

    items: dict[int, Job] = field(default_factory=dict)
    memory: adapter.Memory = field(default_factory=adapter.Memory)
    named: dict[str, RowId] = field(default_factory=dict)
    labels: dict[str, dict[str, dict[str, int | None]]] = field(default_factory=lambda: deepcopy(LABELS))  # type: ignore[arg-type]
    clock: int = 0
    last: Any = None
    refusal: str = ""
    left: dict[str, Any] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    """Those of the last plan."""

    # monday

    def edit_item(self, item_id: int, cells: Mapping[str, Any], name: str | None = None, at: int | None = None) -> None:
        board, _ = key_of(item_id)
        self.clock += 1
        there = self.items.get(item_id)
        if there is None:
            there = self.items[item_id] = Job(name or "Job", self.clock, {})
        there.name, there.at = name if name is not None else there.name, at if at is not None else self.clock
        for target, value in cells.items():
            column_id = column_of(board, target)
            if column_id == "name":
                there.name = value
                continue
            there.cells[column_id] = value if isinstance(value, dict) else self._typed(board, column_id, value)

    def _typed(self, board: str, column_id: str, value: Any) -> dict[str, Any]:
        kind = BOARDS[board][column_id].codec.monday_type
        cell: dict[str, Any] = FILLED[kind](value if value is not None else "")
        return cell | {"index": self.labels[board][column_id].get(value, 99)} if kind == "status" else cell

    def show(self, key: ItemKey) -> bytes:
        board, item_id = key
        job = self.items[item_id]
        values = [
            {"id": column_id, "type": column.codec.monday_type}
            | job.cells.get(column_id, self._typed(board, column_id, ""))
            for column_id, column in BOARDS[board].items()
            if column_id != "name"
        ]
        at = (START + timedelta(hours=job.at)).isoformat()
        return json.dumps({"id": str(item_id), "name": job.name, "updated_at": at, "column_values": values}).encode()

    def write(self, key: ItemKey, values: Mapping[str, Any]) -> None:
        """`change_multiple_column_values`: each cell from the form that was sent."""
        board, item_id = key
        self.clock += 1
        job = self.items[item_id]
        job.at = self.clock
        for column_id, form in values.items():
            if column_id == "name":
                job.name = form
            else:
                job.cells[column_id] = self._from_form(board, column_id, form)

    def _from_form(self, board: str, column_id: str, form: Any) -> dict[str, Any]:
        kind = BOARDS[board][column_id].codec.monday_type
        if form is None:
            return self._typed(board, column_id, "")
        if kind == "email":
            return {"email": form["email"], "label": form["text"]}
        if kind == "phone":
            return {"phone": form["phone"], "country_short_name": form["countryShortName"]}
        if kind == "link":
            return {"url": form["url"], "url_text": form["text"]}
        if kind == "date":
            return {"date": form["date"], "time": form.get("time", ""), "value": json.dumps(form)}
        if kind == "status":
            known = self.labels[board][column_id]
            if "label" in form:
                known.setdefault(form["label"], 50 + len(known))
                return {"label": form["label"], "index": known[form["label"]]}
            return {"label": next(text for text, n in known.items() if n == form["index"]), "index": form["index"]}
        return {"text": form}

    def create(self, board: str, name: str, values: Mapping[str, Any]) -> int:
        item_id = max([499 if board == "master" else 949, *(n for n in self.items if key_of(n)[0] == board)]) + 1
        self.items[item_id] = Job(name, self.clock, {})
        self.write((board, item_id), values)
        return item_id

    def archive(self, key: ItemKey) -> None:
        self.items[key[1]].state = ARCHIVED

    def cell(self, item_id: int, target: str) -> Any:
        """What a cell shows, decoded."""
        board, _ = key_of(item_id)
        column_id = column_of(board, target)
        job = self.items[item_id]
        if column_id == "name":
            return job.name
        fields = job.cells.get(column_id, self._typed(board, column_id, ""))
        return BOARDS[board][column_id].codec.decode(msgspec.convert({"id": column_id} | fields, Cell))

    # PostgreSQL

    def find(self, name: str) -> RowId:
        """The id of a row that is called so: at this moment, or when a step last named it."""
        role, of, number = name.rpartition(" of ")
        if name in self.named:
            return self.named[name]
        assert of, f"no row is called {name!r}"
        item = key_of(int(number))
        role = {"staff": "Sales Staff"}.get(role, role)
        found = self.memory.link(item, role)
        assert found is not None, f"item {number} has no {role}"
        return found

    def table_of(self, row_id: RowId) -> str:
        return next(table for table, rows in self.memory.rows.items() if row_id in rows)

    def held(self, row_id: RowId) -> dict[str, Any]:
        table = self.table_of(row_id)
        return msgspec.structs.asdict(self.memory.rows[table][row_id])

    def edit_row(self, name: str, values: Mapping[str, Any]) -> None:
        table, is_new, new = name.partition(": ")
        if is_new:
            row_id = self.named[new] = RowId(str(uuid.uuid5(uuid.NAMESPACE_OID, new)))
            held = dict.fromkeys(TABLES[table].__struct_fields__) | {"id": row_id}
        else:
            row_id = self.find(name)
            table, held = self.table_of(row_id), self.held(row_id)
        for column, value in values.items():
            assert column in held, f"{table} has no column {column}"
            held[column] = self.find(value.name) if isinstance(value, row) else value
        self.memory.rows[table][row_id] = msgspec.structs.replace(TABLES[table](row_id), **held)

    def delete_row(self, name: str) -> None:
        """With the foreign keys to it set to null, as the schema says."""
        row_id = self.find(name)
        del self.memory.rows[self.table_of(row_id)][row_id]
        for rows in self.memory.rows.values():
            for other, held in rows.items():
                pointing = [name for name, value in msgspec.structs.asdict(held).items() if value == row_id]
                lost = dict.fromkeys(REFERENCES.keys() & set(pointing))
                rows[other] = msgspec.structs.replace(held, **lost) if lost else held

    # The two commands

    def plan_pull(self, options: Mapping[str, Any]) -> tuple[Any, Any]:
        states = [
            state
            for board in BOARDS
            for state in adapter.read(
                self.memory, board, [self.show(key_of(n)) for n, job in self.items.items()
                                    if job.state == "active" and key_of(n)[0] == board]
            )
        ]  # fmt: skip
        gone = {
            key_of(n): job.state
            for n, job in self.items.items()
            if job.state not in ("active", "unseen") and key_of(n) in self.memory.items
            and self.memory.items[key_of(n)].state in ("active", "missing")
        }  # fmt: skip
        return adapter.pull(self.memory, states, gone, **options)  # type: ignore[arg-type]

    def pull(self, **options: Any) -> None:
        plan, database = self.plan_pull(options)
        self.last, self.changes = plan, list(pull_changes(plan, LAYOUTS))
        adapter.apply_pull(self.memory, plan, database)
        again = deepcopy(self)
        for job in again.items.values():
            if job.state == SILENT:  # which would be a second read that does not show it
                job.state = "unseen"
        next_plan, _world = again.plan_pull({"policy": options.get("policy")})
        assert next_plan.writes == 0, f"a second pull writes: {next_plan.inserts}, {next_plan.updates}"

    def prepare_push(self, options: Mapping[str, Any]) -> tuple[Any, Any]:
        chosen = dict(options)
        thresholds, later = chosen.pop("thresholds", None), {key_of(n) for n in chosen.pop("not_looked_at", ())}
        return adapter.push(self.memory, self.show, {"labels": self.labels, **chosen}, thresholds, later)

    def push(self, refuses: Mapping[int, str] | None = None, **options: Any) -> None:
        before = deepcopy(self.memory.items)
        planned, edits = self.prepare_push(options)
        self.last, self.changes = planned, list(push_changes(planned, LAYOUTS))
        for item in planned.items:
            layout = LAYOUTS[item.board]
            op = msgspec.json.decode(msgspec.json.encode(change_op(item, layout)), type=ChangeOp)
            told = list(item_changes(item, layout))
            assert list(op_changes(op, before[item.board, item.id], layout)) == told, "the journal tells it otherwise"
            assert {change.address.column for change in told if change.is_cell} == item.cells.keys()
        self.left = {"names": {(item.board, item.id): dict(item.cells) for item in planned.items}}
        monday = adapter.Monday(self.show, self.write, self.create, self.archive)
        columns = {(n, column_of(key_of(n)[0], target)) for n, target in (refuses or {}).items()}
        adapter.apply_push(self.memory, planned, edits, monday, columns)
        again, _edits = deepcopy(self).prepare_push(options)
        left = [key for item in again.items if (key := item.id) not in options.get("not_looked_at", ())]
        assert not left, f"a second push writes items {left}"
        assert not again.creates, "a second push makes items"


Step = Callable[[Sides], None]


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    steps: tuple[Step, ...]

    def run(self) -> Sides:
        sides = Sides()
        for number, step in enumerate(self.steps, 1):
            try:
                step(sides)
            except Exception as error:
                error.add_note(f"in step {number} of {len(self.steps)}, {step.__name__}, of {self.name!r}")
                raise
        return sides


def case(name: str, *steps: Step) -> Case:
    return Case(name, steps)


def cases(*every: Case) -> pytest.MarkDecorator:
    """A table of cases as the parameter `case` of a test, which runs it."""
    assert len({one.name for one in every}) == len(every), "two cases have one name"
    return pytest.mark.parametrize("case", every, ids=[one.name for one in every])


# The steps ------------------------------------------------------------------------------------------------------------


def given(items: Mapping[int, Mapping[str, Any]], names: Mapping[int, str] | None = None) -> Step:
    """Items that are on monday and have been pulled: both sides say the same."""

    def given(sides: Sides) -> None:
        for item_id, cells in items.items():
            sides.edit_item(item_id, cells, (names or {}).get(item_id))
        sides.pull()

    return given


def on_monday(item_id: int, cells: Mapping[str, Any] | str, *, name: str | None = None, at: int | None = None) -> Step:
    """Somebody edits cells of an item, or makes one. A cell is what a person types, or its fields as monday sends them.
    Instead of cells: ARCHIVED, DELETED, MOVED, SILENT, or "active" for one that is back."""

    def on_monday(sides: Sides) -> None:
        if isinstance(cells, str):
            sides.items[item_id].state = cells
        else:
            sides.edit_item(item_id, cells, name, at)

    return on_monday


def in_postgres(name: str, values: Mapping[str, Any] | str) -> Step:
    """Somebody edits a row, adds one ("customers: bob", called "bob" from then on), or deletes one (DELETED)."""

    def in_postgres(sides: Sides) -> None:
        if isinstance(values, str):
            sides.delete_row(name)
        else:
            sides.edit_row(name, values)

    return in_postgres


def call(name: str, meant: str) -> Step:
    """Give a row a name of its own, to speak of it after its item shows another one."""

    def call(sides: Sides) -> None:
        sides.named[name] = sides.find(meant)

    return call


def pull(**options: Any) -> Step:
    """`policy`, `adopt`, `thresholds` as the command's options."""

    def pull(sides: Sides) -> None:
        sides.pull(**options)

    return pull


def push(refuses: Mapping[int, str] | None = None, **options: Any) -> Step:
    """Options of `PushOptions`, `thresholds`, and items beyond a limit as `not_looked_at`. `refuses`: item → the field
    whose cell monday does not take."""

    def push(sides: Sides) -> None:
        sides.push(refuses, **options)

    return push


def refused_by_guard(command: str, *words: str, **options: Any) -> Step:
    """A pull or push that a guard refuses, with these words in the message; nothing is done."""

    def refused_by_guard(sides: Sides) -> None:
        options.setdefault("thresholds", Thresholds())
        with pytest.raises(UnsafePlan) as told:
            sides.plan_pull(options) if command == "pull" else sides.prepare_push(options)
        assert [word for word in words if word not in str(told.value)] == [], str(told.value)

    return refused_by_guard


def expect(
    rows: Mapping[str, Mapping[str, Any]] | None = None,
    cells: Mapping[int, Mapping[str, Any]] | None = None,
    linked: Mapping[str, str] | None = None,
    count: Mapping[str, int] | None = None,
    gone: Sequence[str] = (),
    told: Sequence[str] = (),
    untold: Sequence[str] = (),
    remembered: Mapping[str, tuple[Any, Any]] | None = None,
    differing: Mapping[int, Sequence[str]] | None = None,
    **facts: Any,
) -> Step:
    """What is seen now. `rows` and `cells` are compared in the columns that are named, `linked` says which slot shows
    which row, `count` how many rows a table has, `gone` which rows are not there. `told` rows are in step with monday,
    `untold` still have something to tell. `remembered`: "customers.name of 1" → what monday and PostgreSQL said when
    they last met; `differing`: the roles whose foreign key differed then. The others are facts of the last command: see
    `_FACTS`."""

    def expect(sides: Sides) -> None:
        for name, wanted in (rows or {}).items():
            held = sides.held(sides.find(name))
            wanted = {c: sides.find(v.name) if isinstance(v, row) else v for c, v in wanted.items()}
            assert {column: held[column] for column in wanted} == wanted, name
        for item_id, shown in (cells or {}).items():
            assert {target: sides.cell(item_id, target) for target in shown} == shown, f"item {item_id}"
        for name, other in (linked or {}).items():
            assert sides.find(name) == sides.find(other), f"{name} is not {other}"
        for table, number in (count or {}).items():
            assert len(sides.memory.rows[table]) == number, f"rows of {table}"
        for name in gone:
            assert all(sides.find(name) not in there for there in sides.memory.rows.values()), name
        edited = sides.memory.edited()
        for name in told:
            assert sides.find(name) not in edited, f"{name} has something to tell"
        for name in untold:
            assert sides.find(name) in edited, f"{name} has nothing to tell"
        for name, pair in (remembered or {}).items():
            target, _, of = name.partition(" of ")
            assert sides.memory.pair(key_of(int(of)), target) == pair, f"remembered: {name}"
        for item_id, roles in (differing or {}).items():
            assert sides.memory.differing(key_of(item_id)) == list(roles), f"foreign keys of {item_id}"
        for fact, value in facts.items():
            assert _FACTS[fact](sides) == value, fact

    return expect


def _conflicts(sides: Sides) -> list[str]:
    """As "customers.name of 1: monday over postgres", or "…: nobody, open"."""
    found = list(sides.last.conflicts)
    for item in getattr(sides.last, "items", ()):
        found += getattr(item, "conflicts", ())
    return sorted(
        f"{lost.field.partition('/')[0]} of {lost.item[1]}: "
        + ("nobody, open" if lost.open else f"{lost.kept_from} over {lost.lost_from}")
        for lost in found
    )


def _changes(sides: Sides) -> list[str]:
    """As "monday update customers.name of 1: Ann → Anna (edited in PostgreSQL)"; of a row or item as a whole, as
    "postgres insert customers of 1 (first contact)"."""
    found = []
    for change in sides.changes:
        at = change.address
        told = f": {change.before} → {change.after}" if at.field else ""
        found.append(f"{at.wrote} {change.action} {at.field or at.table} of {at.item}{told} ({change.reason})")
    return found


def _target(sides: Sides, board: str, column_id: str) -> str:
    """As "users.name/Estimator"; a row as "projects: bob"."""
    column = BOARDS[board].get(column_id)
    if column is None:
        table, _, row_id = column_id.partition(".")
        return f"{table}: {next((name for name, known in sides.named.items() if known == row_id), row_id)}"
    return column.target + (f"/{column.role}" if column.role and board == "master" else "")


def _sent(sides: Sides) -> dict[int, dict[str, Any]]:
    """Item → field → what the cell was to show."""
    return {
        item_id: {_target(sides, board, column_id): cell.after for column_id, cell in told.items()}
        for (board, item_id), told in sides.left["names"].items()
    }


def _archived(sides: Sides) -> list[int]:
    return [item_id for _board, item_id in sides.last.archives]


def _tolerated(sides: Sides) -> int:
    return sum(base.tolerated for base in sides.memory.active().values())


def _writes_by_table(sides: Sides) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for table in TABLES:
        made, changed = len(sides.last.inserts[table]), len(sides.last.updates[table])
        if made or changed:
            found[table] = (made, changed)
    return dict(found)


_FACTS: dict[str, Callable[[Sides], Any]] = {
    "writes": lambda sides: sides.last.writes,
    "written": _writes_by_table,
    "changed": lambda sides: {
        f"{table}.{column}": change
        for table in TABLES
        for update in sides.last.updates[table]
        for column, change in update.changes.items()
    },
    "changes": _changes,
    "items": lambda sides: sorted(item.id for item in sides.last.items),
    "conflicts": _conflicts,
    "agreed": lambda sides: {
        f"{lost.field.partition('/')[0]} of {lost.item[1]}": lost.agreed
        for lost in [*sides.last.conflicts, *(c for i in sides.last.items for c in getattr(i, "conflicts", ()))]
    },
    "undecided": lambda sides: sorted(f"{f.partition('/')[0]} of {item[1]}" for item, f in sides.last.undecided),
    "quarantined": lambda sides: sorted(
        f"{_target(sides, cell.board, cell.column_id)} of {cell.item_id}" for cell in sides.last.quarantined
    ),
    "would_merge": lambda sides: sorted(
        (pair.item[1], f"{pair.table}.{pair.names[0]}" if pair.names else pair.role) for pair in sides.last.would_merge
    ),
    "lookalikes": lambda sides: sorted(pair.item[1] for pair in sides.last.lookalikes),
    "departed": lambda sides: {left.item_id: (left.state, left.archive) for left in sides.last.departed},
    "unparsed_addresses": lambda sides: sides.last.unparsed_addresses,
    "unknown_stages": lambda sides: dict(sides.last.unknown_stages),
    "edited_items": lambda sides: sides.last.edited_items,
    "adopted": lambda sides: (sides.last.adopted_fields, dict(sides.last.adopted_differences)),
    "tolerated": _tolerated,
    "looked_at_again": lambda sides: sorted(
        base.id for base in sides.memory.active().values() if base.content_hash is None
    ),
    "sent": _sent,
    "made": lambda sides: [create.name for create in sides.last.creates],
    "archived": _archived,
    "settled": lambda sides: sorted(base.id for base in sides.last.settled),
    "rejected": lambda sides: sorted(
        f"{_target(sides, cell.board, cell.column_id)} of {cell.item_id}" for cell in sides.last.rejected
    ),
    "still_rejected": lambda sides: sorted(
        f"{_target(sides, board, place)} of {item_id}" for board, item_id, place in sides.last.still_rejected
    ),
    "over_fan_out": lambda sides: sorted(sides.last.over_fan_out.values()),
    "awaiting_pull": lambda sides: sides.last.awaiting_pull,
    "deleted": lambda sides: [item_id for _board, item_id in sides.last.deleted],
    "edited_since": lambda sides: sides.last.edited_since,
    "duplicate_people": lambda sides: len(sides.last.duplicate_people),
    "deferred": lambda sides: sides.last.deferred,
    "completed": lambda sides: {
        f"{table}.{column}": now
        for table in TABLES
        for update in sides.last.completed[table]
        for column, (_was, now) in update.changes.items()
    },
}
"""What `expect` asks of the last plan, by name."""
