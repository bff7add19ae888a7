"""Merging in a pull (`reconcile.merge`): edits land, edits that wait are left alone, losers are kept."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models import RowId
from reconcile.columns import Policy
from reconcile.layout import ItemState
from reconcile.tables import TABLES
from tests.support.kit import LAYOUTS, Memory, state

LATER = "2026-06-01T08:00:00Z"
LATEST = "2026-06-02T08:00:00Z"
PHONE = next(field for field in LAYOUTS["master"].fields if field.id == "customers.phone/master:customer")


def ann(item_id: int = 1, at: str = LATER, **cells: Any) -> ItemState:
    said = {"customers.email": "ann@x.co", "customers.name": "Ann"}
    return state("master", item_id, said | {key.replace("__", "."): value for key, value in cells.items()}, at=at)


def customer(memory: Memory) -> dict[str, Any]:
    [row] = memory.table("customers")
    return row


def test_an_edit_on_monday_lands_and_an_edit_in_postgres_waits() -> None:
    memory = Memory()
    memory.sync([ann(customers__notes="old")])
    memory.edit("customers", customer(memory)["id"], phone="+13035550199")
    plan = memory.sync([ann(customers__notes="new", at=LATEST)])
    assert [update.changes for update in plan.updates["customers"]] == [{"notes": ("old", "new")}]
    assert customer(memory)["phone"] == "+13035550199"


@pytest.mark.parametrize(
    ("table", "key", "held", "said", "filled"),
    [
        ("users", "name:ann lee", {"name": "Ann Lee"}, {"users.name/Estimator": "Ann Lee"}, {"last_name": "Lee"}),
        ("users", "name:ann lee", {"name": "ANN Lee"}, {"users.name/Estimator": "Ann Lee"}, {}),
        ("users", "name:ann lee", {"name": "Ann Lee", "last_name": "L"}, {"users.name/Estimator": "Ann Lee"}, {}),
        ("properties", "-|1 oak st reno nv 89501", {"address": "1 Oak St, Reno, NV 89501"},
         {"properties.address": "1 Oak St, Reno, NV 89501"}, {"city": "Reno", "zip": "89501"}),
        ("properties", "-|1 oak st reno nv 89501", {"address": "1 OAK ST, Reno, NV 89501"},
         {"properties.address": "1 Oak St, Reno, NV 89501"}, {}),
    ],
)  # fmt: skip
def test_a_row_from_before_that_holds_only_the_whole_gets_its_parts(
    table: str, key: str, held: dict[str, str], said: dict[str, str], filled: dict[str, str]
) -> None:
    memory, row = Memory(), RowId("old")
    memory.rows[table][row] = msgspec.structs.replace(TABLES[table](row), **held)
    memory.keys[table][key] = row
    plan = memory.plan([state("master", 1, said)])
    changes = {name: after for update in plan.updates[table] for name, (_before, after) in update.changes.items()}
    assert filled.items() <= changes.items()
    assert not held.keys() & changes.keys()
    assert bool(filled) is (plan.tolerated.total() == 0)


def test_an_address_without_its_parts_is_equal_to_the_same_with_them() -> None:
    field = next(field for field in LAYOUTS["master"].fields if field.columns[0] == "address")
    bare, whole = "1 Oak St, Reno, NV 89501", ("1 Oak St, Reno, NV 89501", "1 Oak St", "Reno", "NV", "89501")
    assert field.compare_key((bare, None, None, None, None)) == field.compare_key(whole)
    assert field.compare_key((bare, None, "Elko", None, None)) != field.compare_key(whole)
    assert field.compare_key(None) is None


def test_clearing_a_cell_is_an_edit() -> None:
    memory = Memory()
    memory.sync([ann(customers__notes="old")])
    memory.sync([ann(at=LATEST)])
    assert customer(memory)["notes"] is None


@pytest.mark.parametrize(
    ("policy", "held", "conflicts"),
    [
        ("monday", "from monday", [("monday", "from sql", False)]),
        ("pg", "from sql", []),
        ("manual", "from sql", [("nobody", "from monday", True)]),
    ],
)
def test_a_conflict_follows_the_policy_and_keeps_the_loser(
    policy: Policy, held: str, conflicts: list[tuple[str, str, bool]]
) -> None:
    memory = Memory()
    memory.sync([ann(customers__notes="base")])
    memory.edit("customers", customer(memory)["id"], notes="from sql")
    plan = memory.sync([ann(customers__notes="from monday", at=LATEST)], policy=policy)
    assert customer(memory)["notes"] == held
    assert [(lost.kept_from, lost.lost, lost.open) for lost in plan.conflicts] == conflicts
    assert (memory.base["master", 1].content_hash is None) is (policy != "monday"), "what waits is looked at again"


def test_the_same_edit_on_both_sides_is_no_conflict() -> None:
    memory = Memory()
    memory.sync([ann(customers__notes="base")])
    memory.edit("customers", customer(memory)["id"], notes="same")
    plan = memory.sync([ann(customers__notes="same", at=LATEST)])
    assert (plan.writes, plan.conflicts) == (0, [])


@pytest.mark.parametrize(
    ("edit", "says", "in_step"),
    [
        ({"notes": "from sql"}, "from monday", True),
        ({"notes": "same"}, "same", True),
        ({"phone": "+13035550199"}, "from monday", False),
    ],
    ids=["monday won", "both said the same", "another edit still waits"],
)
def test_an_edited_row_waits_no_longer_once_nothing_of_it_does(edit: dict[str, str], says: str, in_step: bool) -> None:
    memory = Memory()
    memory.sync([ann(customers__notes="base")])
    memory.edit("customers", customer(memory)["id"], **edit)
    plan = memory.plan([ann(customers__notes=says, at=LATEST)], pending={customer(memory)["id"]})
    assert (plan.clean == {customer(memory)["id"]}) is in_step


def test_the_newest_of_two_items_wins_and_the_other_is_kept_and_still_to_be_told() -> None:
    memory = Memory()
    memory.sync([ann(1, customers__phone="+13035550100"), ann(2, customers__phone="+13035550100")])
    plan = memory.sync(
        [ann(1, customers__phone="+13035550111", at=LATEST), ann(2, customers__phone="+13035550122", at=LATER)]
    )
    assert customer(memory)["phone"] == "+13035550111"
    assert [(lost.lost_from, lost.lost) for lost in plan.conflicts] == [("item 2", "+13035550122")]
    assert plan.dirty == {customer(memory)["id"]}, "monday still has to be told about item 2"
    memory.edit("customers", customer(memory)["id"], phone="+13035550100")  # back to where item 2's base was
    again = memory.plan([ann(2, customers__phone="+13035550122", at=LATER)])
    assert customer(memory)["id"] in again.dirty, "a value that lost is never mistaken for one in step"


def test_an_edit_of_a_shared_row_is_to_be_told_to_the_items_that_were_not_read() -> None:
    memory = Memory()
    memory.sync([ann(1), ann(2)])
    assert memory.sync([ann(1, customers__notes="new", at=LATEST)]).dirty == {customer(memory)["id"]}


def test_first_contact_takes_the_newest_value_and_tolerates_the_rest() -> None:
    memory = Memory()
    plan = memory.sync(
        [
            ann(1, customers__phone="+13035550101", at=LATER),
            ann(2, customers__phone="+13035550102", at=LATEST),
            ann(3, at="2026-07-01T00:00:00Z"),
        ]
    )
    assert customer(memory)["phone"] == "+13035550102"
    assert [item.tolerated for item in plan.items] == [1, 0, 1]
    assert (plan.conflicts, plan.dirty) == ([], set()), "a first run invents no edit"


def test_a_new_item_fills_an_empty_field_and_changes_no_filled_one() -> None:
    memory = Memory()
    memory.sync([ann(1, customers__notes="first")])
    memory.sync([ann(2, customers__notes="second", customers__phone="+13035550102", at=LATEST)])
    assert (customer(memory)["notes"], customer(memory)["phone"]) == ("first", "+13035550102")


def test_role_cells_fill_a_staff_record_and_never_change_it() -> None:
    memory = Memory()
    staff = {"users.first_name/Sales Staff": "Sam", "users.email/Sales Staff": "sam@wra.co"}
    memory.sync([state("staff", 7, staff), state("master", 1, {"users.email/Estimator": "sam@wra.co"})])
    job = {"users.email/Estimator": "sam@wra.co", "users.phone/Estimator": "+13035550101", "users.name/Estimator": "S."}
    memory.sync([state("master", 1, job, at=LATER)])
    memory.sync([state("master", 1, {**job, "users.phone/Estimator": "+13035550102"}, at=LATEST)])
    [user] = memory.table("users")
    assert (user["name"], user["phone"]) == ("Sam", "+13035550101")


def test_a_foreign_key_that_a_person_moved_is_left_for_the_other_direction() -> None:
    memory = Memory()
    memory.sync([ann(1), state("master", 2, {"customers.email": "bob@x.co", "customers.name": "Bob"})])
    project = next(row for row in memory.table("projects") if row["monday_item_id"] == 1)
    bob = next(row for row in memory.table("customers") if row["name"] == "Bob")
    memory.edit("projects", project["id"], customer_id=bob["id"])
    memory.sync([ann(1, projects__description="new", at=LATEST)])
    [now] = [row for row in memory.table("projects") if row["monday_item_id"] == 1]
    assert (now["customer_id"], now["description"]) == (bob["id"], "new")


def test_roles_follow_the_slots_and_words_of_the_companys_own_stay() -> None:
    memory = Memory()
    job = {"users.email/Estimator": "eve@x.co", "users.email/Partner": "eve@x.co"}
    memory.sync([state("master", 1, job)])
    [user] = memory.table("users")
    memory.edit("users", user["id"], roles=["Estimator", "Night watch", "Partner"])
    memory.sync([state("master", 1, {"users.email/Partner": "eve@x.co"}, at=LATER)])
    assert memory.table("users")[0]["roles"] == ["Night watch", "Partner"]


def test_a_policy_belongs_to_the_customer_of_its_first_project() -> None:
    memory = Memory()
    policy = {"policies.policy_number": "P-1"}
    memory.sync(
        [
            state("master", 2, {**policy, "customers.email": "b@x.co", "customers.name": "Bob"}, at=LATEST),
            state("master", 1, {**policy, "customers.email": "a@x.co", "customers.name": "Ann"}),
        ]
    )
    assert memory.table("policies")[0]["customer_id"] == (memory.linked("master", 1, "customer") or {})["id"]


def test_a_bad_cell_keeps_the_last_good_value_and_is_listed() -> None:
    memory = Memory()
    memory.sync([state("master", 1, {"projects.estimated_value": "100.50"})])
    plan = memory.sync(
        [state("master", 1, {"projects.estimated_value": "1e15", "projects.description": "x"}, at=LATER)]
    )
    [project] = memory.table("projects")
    assert (project["estimated_value"], project["description"]) == (Decimal("100.50"), "x")
    assert [(cell.item_id, cell.column_id) for cell in plan.quarantined] == [(1, "numbers0")]
    memory.sync([state("master", 1, {"projects.estimated_value": "100.50", "projects.description": "x"}, at=LATEST)])
    assert memory.table("projects")[0]["estimated_value"] == Decimal("100.50")


def test_a_bad_key_cell_does_not_unlink_its_customer() -> None:
    memory = Memory()
    memory.sync([ann(1)])
    memory.sync([ann(1, customers__email="an\0n@x.co", at=LATEST)])
    assert (memory.linked("master", 1, "customer") or {})["email"] == "ann@x.co"


def test_a_field_that_was_bad_from_the_start_meets_its_row_when_it_is_corrected() -> None:
    memory = Memory()
    memory.sync([ann(1, customers__notes="bad\0")])
    memory.edit("customers", customer(memory)["id"], notes="from sql")
    plan = memory.sync([ann(1, customers__notes="good", at=LATEST)])
    assert (customer(memory)["notes"], plan.conflicts) == ("from sql", []), "first contact of two values: tolerated"


@pytest.mark.parametrize(
    ("state", "marked"), [("archived", True), ("deleted", True), ("moved", False), ("silent", False)]
)
def test_items_that_are_gone(state: Any, marked: bool) -> None:
    memory = Memory()
    memory.sync([ann(1), ann(2)])
    plan = memory.sync([], gone={("master", 1): state})
    by_item = {row["monday_item_id"]: row["archived_at"] for row in memory.table("projects")}
    assert by_item == {1: "now" if marked else None, 2: None}
    assert len(plan.departed) == 1
    if marked:
        memory.sync([ann(1, customers__notes="restored", at=LATEST)])
        assert {row["archived_at"] for row in memory.table("projects")} == {None}


def test_status_follows_the_stage_and_an_unknown_stage_is_reported_once() -> None:
    memory = Memory()
    plan = memory.sync([state("master", n, {"projects.current_stage": "Dreaming"}) for n in (1, 2)])
    assert {row["status"] for row in memory.table("projects")} == {"pending"}
    assert plan.unknown_stages == {"Dreaming": 2}


# Property: whatever people do, an inbound run loses nothing and settles -----------------------------------------------

VALUE = st.sampled_from(["", "1", "2", "3"])
STEP = st.one_of(
    st.tuples(st.just("item"), st.integers(1, 3), VALUE),
    st.tuples(st.just("sql"), st.just(0), VALUE),
    st.tuples(st.just("run"), st.just(0), st.just("")),
)


RETURNED = [("item", 2, "3"), ("item", 3, "3"), ("run", 0, ""), ("item", 2, "1"), ("run", 0, ""), ("item", 2, ""),
            ("item", 3, "1"), ("sql", 0, "3"), ("run", 0, "")]  # fmt: skip
"""The row comes back to what an item knew, by the edit of another one."""


@settings(max_examples=200, deadline=None)
@example(RETURNED, "pg")
@example(RETURNED, "manual")
@given(st.lists(STEP, max_size=14), st.sampled_from(["monday", "pg", "manual"]))
def test_no_edit_is_lost_and_no_second_run_writes(steps: list[tuple[str, int, str]], policy: Policy) -> None:
    memory = Memory()
    notes = dict.fromkeys((1, 2, 3), "0")
    at = dict.fromkeys(notes, "2026-05-01T08:00:00Z")
    logged: list[Any] = []

    def run() -> None:
        plan = memory.sync([ann(n, customers__notes=notes[n], at=at[n]) for n in notes], policy=policy)
        logged.extend(lost.lost for lost in plan.conflicts)
        again = memory.plan([ann(n, customers__notes=notes[n], at=at[n]) for n in notes], policy=policy)
        assert again.writes == 0

    run()
    for minute, (kind, item, value) in enumerate(steps, 1):
        if kind == "item":
            if notes[item] != value:
                notes[item], at[item] = value, f"2026-05-02T08:{minute:02d}:00Z"
        elif kind == "sql":
            memory.edit("customers", customer(memory)["id"], notes=value or None)
        else:
            before = {n: memory.base["master", n] for n in notes}
            number = LAYOUTS["master"].slots[1].at["notes"]
            edits = [notes[n] or None for n in notes if (notes[n] or None) != before[n].monday[number]]
            held = customer(memory)["notes"]
            run()
            after = customer(memory)["notes"]
            open_items = {n for n in notes if memory.base["master", n].content_hash is None}
            for value_said in edits:
                waits = any((notes[n] or None) == value_said for n in open_items)
                assert value_said == after or value_said in logged or waits, "an edit on monday was lost"
            assert held == after or held in logged or held in {s.postgres[number] for s in before.values()}, (
                "an edit in SQL was lost"
            )


def test_a_slot_that_says_what_the_row_holds_has_a_vote() -> None:
    """Of two items the later one was edited to what a person typed in SQL: that is the last word, and the row stays."""
    customer = {"customers.email": "ann@x.co", "customers.name": "Ann", "customers.phone": "2025550101"}
    memory = Memory()
    memory.sync([state("master", 1, customer), state("master", 2, customer)])
    row = memory.linked("master", 1, "customer")
    assert row is not None
    memory.edit("customers", row["id"], phone="2025550102")
    later, earlier = "2026-05-03T08:00:00Z", "2026-05-02T08:00:00Z"
    memory.sync(
        [
            state("master", 1, customer | {"customers.phone": "2025550102"}, at=later),
            state("master", 2, customer | {"customers.phone": "2025550103"}, at=earlier),
        ],
        pending={row["id"]},
    )
    now = memory.linked("master", 1, "customer")
    assert now is not None
    assert now["phone"] == "2025550102"
