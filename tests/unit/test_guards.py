"""What a guard counts, where its limit is, what it names, and the option that says otherwise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from models import RowId
from reconcile.base import ItemBase
from reconcile.errors import UnsafePlan
from reconcile.guards import (
    CHANGE_FLOOR,
    COLUMN_FLOOR,
    DELETE_FLOOR,
    LOOKALIKE_FLOOR,
    NAMED,
    BoardSize,
    Thresholds,
    guard_plan,
    guard_read,
    lost_cells,
    lost_columns,
)
from reconcile.identity import WouldMerge
from reconcile.plan_pull import Departed, Plan, Update
from reconcile.push_plan import CellEdit, ItemPush
from reconcile.tables import TABLES
from tests.support.kit import state
from tests.unit.script import (
    ARCHIVED,
    DELETED,
    Case,
    Step,
    case,
    cases,
    expect,
    given,
    in_postgres,
    on_monday,
    pull,
    push,
    refused_by_guard,
)

ROW = RowId("0e0e0e0e-0000-4000-8000-000000000001")


@pytest.mark.parametrize(
    ("read", "known", "complete", "refused"),
    [
        (0, 0, True, True),
        (0, 10, True, True),
        (4, 10, True, True),
        (5, 10, True, False),
        (10, 10, True, False),
        (0, 10, False, False),
        (1, 10, False, False),
    ],
    ids=["nothing at all", "suddenly empty", "less than half", "half", "all", "partial and empty", "partial"],
)
def test_a_board_that_shrank(read: int, known: int, complete: bool, refused: bool) -> None:
    boards = {"master": BoardSize(read, known, complete)}
    if not refused:
        guard_read(boards, Thresholds())
        return
    with pytest.raises(UnsafePlan, match="accept-shrink"):
        guard_read(boards, Thresholds())
    guard_read(boards, Thresholds(accept_shrink=True))


EMPTY, ELSE = "filled → empty", "filled → something else"


@pytest.mark.parametrize(
    ("table", "changes", "lost"),
    [
        ("customers", {"name": (None, "Ann")}, {}),
        ("customers", {"name": ("Ann", None)}, {"name": EMPTY}),
        ("customers", {"name": ("Ann", "  ")}, {"name": EMPTY}),
        ("customers", {"name": ("Ann", "Bob")}, {"name": ELSE}),
        ("projects", {"customer_id": (ROW, None)}, {"customer_id": EMPTY}),
        ("projects", {"archived_at": (None, "now"), "monday_item_id": (1, 2)}, {}),
        ("projects", {"current_stage": ("A", "B"), "status": ("pending", "active")}, {"current_stage": ELSE}),
        ("projects", {"current_stage": (None, "B"), "status": ("cancelled", "active")}, {"status": ELSE}),
        ("projects", {"status": ("pending", "active")}, {}),
        ("users", {"roles": (["A"], ["A", "B"])}, {}),
        ("users", {"roles": (["A", "C"], ["A", "B"])}, {"roles": ELSE}),
        ("properties", {"measurements": ("[]", None)}, {}),
        ("projects", {"estimated_value": (Decimal(0), Decimal(1))}, {"estimated_value": ELSE}),
    ],
)
def test_what_a_row_loses(table: str, changes: dict[str, tuple[Any, Any]], lost: dict[str, str]) -> None:
    found = lost_columns(table, Update(ROW, changes))
    assert found == [(f"{table}.{column}", how) for column, how in lost.items()]


def updates(count: int, changes: dict[str, tuple[Any, Any]]) -> list[Update]:
    return [Update(RowId(f"r{n}"), changes) for n in range(count)]


def plan(known: int = 100, **tables: list[Update]) -> Plan:
    made = Plan(known_rows=dict.fromkeys(TABLES, known))
    made.updates |= tables
    return made


def refusal(made: Plan, known: int = 100, thresholds: Thresholds | None = None) -> str:
    try:
        guard_plan(made, {"master": known}, thresholds or Thresholds())
    except UnsafePlan as error:
        return str(error)
    return ""


GONE = {"name": ("Ann", None)}


@pytest.mark.parametrize(
    ("count", "known", "refused"),
    [(CHANGE_FLOOR, 60, False), (CHANGE_FLOOR + 1, 60, True), (300, 1_000, False), (301, 1_000, True)],
    ids=["the floor", "above the floor", "the share", "above the share"],
)
def test_rows_that_lose_something(count: int, known: int, refused: bool) -> None:
    other = {"name": ("Ann", "Bob"), "notes": ("x", "y")}
    halves = updates(count // 2, other) + updates(count - count // 2, {"phone": ("1", None)})
    made = plan(known, customers=halves)
    assert bool(refusal(made, known)) is refused
    assert not refusal(made, known, Thresholds(max_change=count))
    if refused:
        told = refusal(made, known)
        assert f"{count:,} of {known:,} rows of customers" in told
        assert "× customers.phone: filled → empty" in told
        assert f"--max-change {count}" in told


@pytest.mark.parametrize(
    ("changes", "counted"),
    [(GONE, True), ({"name": (None, "Ann")}, False), ({"name": ("Ann", "Bob")}, True)],
    ids=["emptied", "filled", "changed"],
)
def test_one_column_that_most_rows_lose(changes: dict[str, tuple[Any, Any]], counted: bool) -> None:
    assert bool(refusal(plan(30, customers=updates(COLUMN_FLOOR + 1, changes)), 30)) is counted
    assert not refusal(plan(30, customers=updates(COLUMN_FLOOR, changes)), 30)
    if counted:
        assert "customers.name would lose its value in 21 of 30 rows" in refusal(
            plan(30, customers=updates(21, changes)), 30
        )


def test_what_is_tried_again_and_what_was_parted_is_no_loss() -> None:
    made = plan(60, customers=updates(55, GONE))
    assert refusal(made, 60)
    made.again = {update.id for update in made.updates["customers"]}
    assert not refusal(made, 60)
    parted = plan(60, projects=updates(55, {"insurance_id": ("old", "new")}))
    assert refusal(parted, 60)
    parted.new_rows = frozenset({RowId("new")})
    assert not refusal(parted, 60)


def test_a_refusal_names_the_most_frequent_losses_first() -> None:
    columns = [name for name in TABLES["projects"].__struct_fields__ if name not in ("id", "status")][: NAMED + 4]
    made = plan(
        60,
        projects=[
            Update(RowId(f"{n}.{k}"), {name: ("x", None)}) for n, name in enumerate(columns) for k in range(n + 1)
        ],
    )
    told = refusal(made, 60)
    assert f"{NAMED + 4} × projects.{columns[-1]}: filled → empty" in told
    assert "and " in told
    assert f"projects.{columns[0]}:" not in told


@pytest.mark.parametrize(
    ("gone", "known", "refused"),
    [(DELETE_FLOOR, 100, False), (DELETE_FLOOR + 1, 100, True), (20, 1_000, False), (21, 1_000, True)],
)
def test_items_that_are_gone(gone: int, known: int, refused: bool) -> None:
    made = Plan(departed=[Departed("master", n, "deleted", archive=True) for n in range(gone)])
    made.departed += [Departed("master", 5_000 + n, "silent", archive=False) for n in range(100)]
    assert bool(refusal(made, known)) is refused
    assert not refusal(made, known, Thresholds(max_delete=gone))
    if refused:
        assert f"--max-delete {gone}" in refusal(made, known)


def pairs(count: int) -> list[WouldMerge]:
    return [
        WouldMerge(("master", n), f"projects.p{n}", "projects", RowId(f"n{n}"), RowId(f"p{n}")) for n in range(count)
    ]


@pytest.mark.parametrize(
    ("count", "known", "refused"),
    [(1, 0, True), (0, 0, False), (LOOKALIKE_FLOOR, 10, False), (LOOKALIKE_FLOOR + 1, 10, True)],
    ids=["one on the first run", "none", "a few later", "many later"],
)
def test_jobs_that_would_be_there_twice(count: int, known: int, refused: bool) -> None:
    made = Plan(lookalikes=pairs(count))
    assert bool(refusal(made, known)) is refused
    assert not refusal(made, known, Thresholds(second_rows=True))


@pytest.mark.parametrize(
    ("differ", "of", "refused"), [(20, 20, False), (21, 30, True), (50, 1_000, False), (51, 1_000, True)]
)
def test_another_database(differ: int, of: int, refused: bool) -> None:
    made = Plan(adopted_fields=of, adopted_differences=Counter({"customers.name": differ}))
    assert bool(refusal(made)) is refused
    assert not refusal(made, thresholds=Thresholds(adopt_anyway=True))
    if refused:
        assert f"{differ} × customers.name: both filled, and different" in refusal(made)


@pytest.mark.parametrize(
    ("edited", "known", "refused"), [(20, 20, True), (19, 20, False), (19, 19, False), (25, 20, True)]
)
def test_every_item_lost_something(edited: int, known: int, refused: bool) -> None:
    made = Plan(edited_items=edited, edited_fields=Counter({("projects.name", "filled → empty"): edited}))
    assert ("--resync" in refusal(made, known)) is refused
    assert not refusal(made, known, Thresholds(resync=True))


def test_all_reasons_are_told_at_once() -> None:
    made = plan(60, customers=updates(55, GONE))
    made.departed = [Departed("master", n, "archived", archive=True) for n in range(9)]
    told = refusal(made, 60)
    assert "--max-change 55" in told
    assert "--max-delete 9" in told


MANY = 60
JOBS = {n: {"customers.email": f"c{n}@x.co", "customers.notes": "call"} for n in range(1, MANY + 1)}


def emptied() -> Sequence[Step]:
    return [in_postgres(f"customer of {n}", {"notes": None}) for n in JOBS]


@cases(
    case(
        "a pull that empties a column",
        given(JOBS),
        *(on_monday(n, {"customers.notes": ""}) for n in JOBS),
        refused_by_guard("pull", f"{MANY} × customers.notes: filled → empty", f"--max-change {MANY}", "--resync"),
        expect(rows={"customer of 1": {"notes": "call"}}),
    ),
    case(
        "a pull that fills one",
        given({n: {"customers.email": f"c{n}@x.co"} for n in JOBS}),
        *(on_monday(n, {"customers.notes": "call"}) for n in JOBS),
        pull(thresholds=Thresholds()),
        expect(written={"customers": (0, MANY)}),
    ),
    case(
        "a push that empties a column",
        given(JOBS),
        *emptied(),
        refused_by_guard("push", f"{MANY} × customers.notes: filled → empty", f"--max-change {MANY}", "would lose"),
        push(thresholds=Thresholds(max_change=MANY)),
        expect(cells={1: {"customers.notes": None}}),
    ),
    case(
        "a push that makes many items",
        given({1: {}}),
        *(in_postgres(f"projects: p{n}", {"name": f"P{n}"}) for n in range(51)),
        refused_by_guard("push", "51 items of the master board", "--max-create 51"),
        push(thresholds=Thresholds(max_create=51)),
        expect(count={"projects": 52}),
    ),
    case(
        "a push that archives many items",
        given(JOBS),
        *(in_postgres(f"project of {n}", DELETED) for n in range(1, 8)),
        refused_by_guard("push", "7 items of the master board", "--max-delete 7", propagate_deletes=True),
        push(),
        expect(archived=[]),
    ),
    case(
        "a pull of many archived items",
        given(JOBS),
        *(on_monday(n, ARCHIVED) for n in range(1, 8)),
        refused_by_guard("pull", "7 × projects.archived_at: item → archived", "--max-delete 7"),
    ),
)
def test_from_the_plan_to_the_refusal(case: Case) -> None:
    case.run()


def test_what_an_item_loses() -> None:
    cells = {
        "text40__1": CellEdit("old", None, None),
        "text01__1": CellEdit(None, "new", "new"),
        "text95__1": CellEdit("Lead", "Paid", "Paid"),
    }
    shows = state("master", 1)
    item = ItemPush("master", 1, shows, ItemBase("master", 1, shows.updated_at, [], (), ()), cells)
    fields = {("master", name): name for name in cells}
    assert lost_cells(item, fields) == [("text40__1", "filled → empty"), ("text95__1", "filled → something else")]
