"""Who is who: the rules of keys, renames, re-pointing and sharing, as cases and as properties over random worlds."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import Property, RowId
from reconcile.database_state import DatabaseState
from reconcile.identity import resolve, row_id
from reconcile.layout import ItemState
from reconcile.tables import TABLES
from tests.support.kit import LAYOUTS, Memory, state

LATER = "2026-06-01T08:00:00Z"


def customers(*emails_and_names: tuple[str, str]) -> list[ItemState]:
    return [
        state("master", number, {"customers.email": email, "customers.name": name})
        for number, (email, name) in enumerate(emails_and_names, 1)
    ]


def test_one_email_is_one_customer_whatever_its_case_and_blanks() -> None:
    memory = Memory()
    memory.sync(customers(("ann@x.co", "Ann"), (" ANN@X.CO ", "Ann"), ("bob@x.co", "Bob")))
    assert len(memory.rows["customers"]) == 2
    assert memory.linked("master", 1, "customer") == memory.linked("master", 2, "customer")


def test_customers_are_never_joined_by_name() -> None:
    memory = Memory()
    memory.sync(customers(("", "John Smith"), ("", "John Smith")))
    assert len(memory.rows["customers"]) == 2


@pytest.mark.parametrize("email", ["none@none.com", "NA@na.com", "test@test.com", "noemail@x.co"])
def test_placeholder_emails_name_nobody(email: str) -> None:
    memory = Memory()
    memory.sync(customers((email, "Ann"), (email, "Bob")))
    assert sorted(row["name"] for row in memory.table("customers")) == ["Ann", "Bob"]


def test_the_companys_own_address_in_a_customer_cell_names_nobody() -> None:
    memory = Memory()
    staff = state("staff", 9, {"users.email/Sales Staff": "pm@wra.co", "users.first_name/Sales Staff": "Pam"})
    memory.sync([staff, *customers(("pm@wra.co", "Ann"), ("pm@wra.co", "Bob"))])
    assert len(memory.rows["customers"]) == 2


def test_an_email_shared_by_many_names_becomes_nobodys_for_good() -> None:
    memory = Memory()
    memory.sync(customers(*[("office@x.co", f"Name {n % 3}") for n in range(11)]))
    assert len(memory.rows["customers"]) == 1, "three names are still one customer"
    plan = memory.sync([state("master", 50, {"customers.email": "office@x.co", "customers.name": "Another"})])
    assert plan.placeholders == {"email:office@x.co"}
    assert len({row for item in memory.base.values() for row in item.links if row in memory.rows["customers"]}) == 12
    again = memory.sync([state("master", 60, {"customers.email": "office@x.co", "customers.name": "Ann"})])
    assert again.placeholders == set(), "the decision is remembered, not taken again"
    assert memory.linked("master", 60, "customer") != memory.linked("master", 50, "customer")


def test_a_house_from_before_the_sync_that_is_nobodys_goes_to_the_first_who_lives_there() -> None:
    """A row with an owner of its own, or one that was synced, never does."""
    house, key = RowId("house"), "-|1 oak st"
    said = {"customers.email": "ann@x.co", "properties.address": "1 Oak Street"}
    states = [state("master", 1, said), state("master", 2, {**said, "customers.email": "bob@x.co"})]
    number = next(n for n, slot in enumerate(LAYOUTS["master"].slots) if slot.role == "property")
    for owner, unknown in ((None, True), (None, False), (RowId("ann"), True)):
        database = DatabaseState(unknown={house} if unknown else set())
        database.rows["properties"][house] = Property(house, owner, "1 Oak St")
        database.keys["properties"][key if owner is None else f"{owner}|1 oak st"] = house
        for order in (states, states[::-1]):
            links = resolve(order, LAYOUTS, database).links
            found = [links["master", item][number] for item in (1, 2)]
            assert (found[0] == house) is (owner is None and unknown)
            assert found[1] not in (house, found[0], None)


def test_a_changed_email_renames_the_customer_of_its_only_item() -> None:
    memory = Memory()
    memory.sync(customers(("ann@x.co", "Ann")))
    [before] = memory.table("customers")
    memory.sync([state("master", 1, {"customers.email": "ann@new.co", "customers.name": "Ann"}, at=LATER)])
    assert memory.table("customers") == [{**before, "email": "ann@new.co"}]


def test_another_person_is_another_row() -> None:
    memory = Memory()
    memory.sync(customers(("ann@x.co", "Ann")))
    memory.sync([state("master", 1, {"customers.email": "bob@y.co", "customers.name": "Bob"}, at=LATER)])
    assert sorted(row["name"] for row in memory.table("customers")) == ["Ann", "Bob"]


def test_one_of_two_items_that_changes_its_email_leaves_the_shared_customer() -> None:
    memory = Memory()
    memory.sync(customers(("ann@x.co", "Ann"), ("ann@x.co", "Ann")))
    memory.sync([state("master", 1, {"customers.email": "ann@new.co", "customers.name": "Ann"}, at=LATER)])
    assert [row["email"] for row in (memory.linked("master", n, "customer") or {} for n in (1, 2))] == [
        "ann@new.co",
        "ann@x.co",
    ]


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ({1: "b@x.co", 2: "a@x.co"}, {1: "b@x.co", 2: "a@x.co"}),
        ({1: "b@x.co", 2: "c@x.co"}, {1: "b@x.co", 2: "c@x.co"}),
    ],
    ids=["swap", "chain"],
)
def test_swaps_and_chains_rename_in_place(edits: dict[int, str], expected: dict[int, str]) -> None:
    memory = Memory()
    memory.sync(customers(("a@x.co", "Ann"), ("b@x.co", "Bob")))
    rows = {n: (memory.linked("master", n, "customer") or {})["id"] for n in (1, 2)}
    names = {1: "Ann", 2: "Bob"}
    memory.sync(
        [
            state("master", n, {"customers.email": email, "customers.name": names[n]}, at=LATER)
            for n, email in edits.items()
        ]
    )
    for number in (1, 2):
        found = memory.linked("master", number, "customer") or {}
        assert (found["id"], found["email"], found["name"]) == (rows[number], expected[number], names[number])


def test_a_chain_that_ends_at_somebody_elses_key_renames_nobody() -> None:
    """The last rename is not possible, hence not the one before it, hence not the first."""
    memory = Memory()
    memory.sync(customers(("a@x.co", "Ann"), ("b@x.co", "Bob"), ("c@x.co", "Cem"), ("d@x.co", "Dee")))
    rows = {n: (memory.linked("master", n, "customer") or {})["id"] for n in (1, 2, 3, 4)}
    names = {1: "Ann", 2: "Bob", 3: "Cem"}
    emails = {1: "b@x.co", 2: "c@x.co", 3: "d@x.co"}
    memory.sync(
        [state("master", n, {"customers.email": emails[n], "customers.name": names[n]}, at=LATER) for n in (1, 2, 3)]
    )
    linked = {n: (memory.linked("master", n, "customer") or {})["id"] for n in (1, 2, 3)}
    assert linked == {1: rows[2], 2: rows[3], 3: rows[4]}
    emails_now = {row["id"]: row["email"] for row in memory.table("customers")}
    assert emails_now == dict(zip(rows.values(), ("a@x.co", "b@x.co", "c@x.co", "d@x.co"), strict=True))


def test_choosing_another_insurance_never_renames_the_first() -> None:
    memory = Memory()
    memory.sync([state("master", 1, {"insurances.company_name": "Allstate"})])
    memory.sync([state("master", 1, {"insurances.company_name": "State Farm"}, at=LATER)])
    assert sorted(row["company_name"] for row in memory.table("insurances")) == ["Allstate", "State Farm"]
    assert memory.table("projects")[0]["insurance_id"] == (memory.linked("master", 1, "insurance") or {})["id"]


def test_a_person_known_by_name_is_upgraded_by_an_email() -> None:
    memory = Memory()
    memory.sync([state("master", 1, {"users.name/Estimator": "Eve Stone"})])
    [before] = memory.table("users")
    memory.sync(
        [state("master", 1, {"users.name/Estimator": "Eve Stone", "users.email/Estimator": "eve@x.co"}, at=LATER)]
    )
    assert memory.table("users") == [{**before, "email": "eve@x.co"}]


def test_a_staff_member_is_found_by_either_company_address() -> None:
    memory = Memory()
    staff = state(
        "staff",
        7,
        {
            "users.first_name/Sales Staff": "Sam",
            "users.last_name/Sales Staff": "Poe",
            "users.email/Sales Staff": "sam@wra.co",
            "users.rm_email/Sales Staff": "sam@rm.co",
        },
    )
    jobs = [
        state("master", 1, {"users.email/Estimator": "SAM@rm.co"}),
        state("master", 2, {"users.email/Project Manager": "sam@wra.co", "users.name/Project Manager": "Sammy"}),
    ]
    memory.sync([*jobs, staff])
    [user] = memory.table("users")
    assert user["roles"] == ["Estimator", "Project Manager", "Sales Staff"]
    assert (user["name"], user["monday_item_id"]) == ("Sam Poe", 7), "role cells select a person, they edit none"


def test_two_rows_that_one_staff_record_says_are_one_are_reported_and_never_merged() -> None:
    memory = Memory()
    memory.sync(
        [state("master", 1, {"users.email/Estimator": "a@x.co"}), state("master", 2, {"users.email/Partner": "b@x.co"})]
    )
    plan = memory.sync(
        [state("staff", 7, {"users.email/Sales Staff": "a@x.co", "users.rm_email/Sales Staff": "b@x.co"})]
    )
    assert len(memory.rows["users"]) == 2
    assert [(found.table, found.role) for found in plan.would_merge] == [("users", "user:Sales Staff")]


def test_a_property_belongs_to_its_customer_and_spelling_does_not_matter() -> None:
    memory = Memory()
    same = {"customers.email": "ann@x.co", "customers.name": "Ann"}
    memory.sync(
        [
            state("master", 1, {**same, "properties.address": "12 North Main Street, Denver, CO 80202"}),
            state("master", 2, {**same, "properties.address": "12 N. Main St., Denver, CO 80202"}),
            state("master", 3, {**same, "properties.address": "12 N. Main St., Apt 4, Denver, CO 80202"}),
            state("master", 4, {"customers.email": "b@x.co", "properties.address": "12 N Main St, Denver, CO 80202"}),
        ]
    )
    assert len(memory.rows["properties"]) == 3
    assert memory.linked("master", 1, "property") == memory.linked("master", 2, "property")


def test_nothing_said_is_no_row_and_a_note_alone_is_one() -> None:
    memory = Memory()
    memory.sync([state("master", 1), state("master", 2, {"customers.notes": "call first"})])
    assert [row["notes"] for row in memory.table("customers")] == ["call first"]
    assert {table: len(memory.rows[table]) for table in TABLES if memory.rows[table]} == {"customers": 1, "projects": 2}


def test_a_row_that_a_person_deleted_stays_deleted_until_its_item_says_something_new() -> None:
    memory = Memory()
    memory.sync(customers(("ann@x.co", "Ann")))
    [project] = memory.table("projects")
    del memory.rows["projects"][project["id"]]
    assert memory.sync(customers(("ann@x.co", "Ann"))).writes == 0
    memory.sync(
        [state("master", 1, {"customers.email": "ann@x.co", "customers.name": "Ann", "projects.description": "x"})]
    )
    assert [row["description"] for row in memory.table("projects")] == ["x"], "edit beats delete"


def test_new_ids_are_the_same_for_every_run_that_chooses_one() -> None:
    assert row_id("customers", "email:a@x.co") == row_id("customers", "email:a@x.co")
    assert len({row_id("customers", "a"), row_id("customers", "a", 1), row_id("users", "a")}) == 3


# Properties ---------------------------------------------------------------------------------------------------------

EMAIL = st.sampled_from(["", "a@x.co", "b@x.co", "c@x.co", "d@x.co", "none@x.co"])
NAME = st.sampled_from(["", "Ann", "Bob", "Cy"])
CELLS = st.fixed_dictionaries(
    {},
    optional={
        "customers.email": EMAIL,
        "customers.name": NAME,
        "customers.phone": st.sampled_from(["", "+13035550101", "+13035550102"]),
        "properties.address": st.sampled_from(["", "1 Elm St, Denver, CO 80202", "2 Oak Ave, Denver, CO 80202"]),
        "policies.policy_number": st.sampled_from(["", "P-1", "p 1", "P2"]),
        "insurances.company_name": st.sampled_from(["", "Allstate", "State Farm"]),
        "users.email/Estimator": EMAIL,
        "users.name/Estimator": NAME,
        "users.email/Partner": EMAIL,
        "storms.date_of_loss": st.sampled_from(["", "2026-04-30"]),
    },
)
STAFF = st.fixed_dictionaries(
    {},
    optional={
        "users.email/Sales Staff": EMAIL,
        "users.rm_email/Sales Staff": EMAIL,
        "users.first_name/Sales Staff": NAME,
    },
)
ITEMS = st.dictionaries(
    st.one_of(st.tuples(st.just("master"), st.integers(1, 6)), st.tuples(st.just("staff"), st.integers(91, 93))),
    CELLS,
    min_size=1,
    max_size=7,
)


def views_of(edit: dict[tuple[str, int], dict[str, Any]], minute: int) -> list[ItemState]:
    allowed = {"staff": "/Sales Staff"}
    return [
        state(
            board,
            item_id,
            {target: value for target, value in cells.items() if board != "staff" or target.endswith(allowed["staff"])},
            at=f"2026-05-01T08:{minute:02d}:00Z",
        )
        for (board, item_id), cells in edit.items()
    ]


def facts(memory: Memory) -> Any:
    return memory.rows, memory.keys, {key: (s.links, s.monday, s.postgres) for key, s in memory.base.items()}


@settings(max_examples=150, deadline=None)
@given(st.lists(ITEMS, min_size=1, max_size=4), st.dictionaries(st.integers(91, 93), STAFF), st.randoms())
def test_any_history_is_order_independent_and_settles_at_once(
    edits: list[dict[tuple[str, int], dict[str, Any]]], staff: dict[int, dict[str, str]], rnd: random.Random
) -> None:
    memory = Memory()
    latest: dict[tuple[str, int], ItemState] = {}
    for minute, edit in enumerate([{**edits[0], **{("staff", n): cells for n, cells in staff.items()}}, *edits[1:]]):
        states = views_of(edit, minute)
        shuffled = views_of(edit, minute)
        rnd.shuffle(shuffled)
        latest.update({(entry.board, entry.id): entry for entry in views_of(edit, minute)})
        plan, other = memory.plan(states), memory.plan(shuffled)
        assert plan.digest() == other.digest(), "the plan depends on the order of pages"
        assert (plan.claimed, plan.released) == (other.claimed, other.released)
        memory.apply(plan)

        again = memory.plan(list(latest.values()))
        assert again.writes == 0, "a second run writes rows"
        assert not any(again.claimed[table] or again.released[table] for table in TABLES), "a second run moves keys"
        for table in TABLES:
            owners = list(memory.keys[table].items())
            assert all(row in memory.rows[table] for _key, row in owners)
        for item, base in memory.base.items():
            linked = [row for row in base.links if row is not None]
            assert all(any(row in memory.rows[table] for table in TABLES) for row in linked), item


@settings(max_examples=100, deadline=None)
@given(ITEMS, ITEMS)
def test_a_partial_view_plans_what_the_full_view_plans(
    first: dict[tuple[str, int], dict[str, Any]], second: dict[tuple[str, int], dict[str, Any]]
) -> None:
    memory, whole = Memory(), Memory()
    for target in (memory, whole):
        target.sync(views_of(first, 0))
    unchanged = {key: entry for entry in views_of(first, 0) if (key := (entry.board, entry.id)) not in second}
    memory.sync(views_of(second, 1))
    whole.sync([*views_of(second, 1), *unchanged.values()])
    assert memory.rows == whole.rows
    assert memory.keys == whole.keys
