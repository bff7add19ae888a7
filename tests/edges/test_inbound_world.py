"""What a run loads around the items that changed, and rows that were there before the sync: on a real PostgreSQL."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any

import pytest

from sandbox import MASTER_BOARD_ID, STAFF_BOARD_ID
from tests.support.company import Company, job_cells

EMAIL, NAME, PHONE, NOTE = "email4__1", "text65__1", "phone_1__1", "text43__1"
ADDRESS, TEXT = "dup__of_job_address0__1", "text40__1"


def email(address: str) -> dict[str, str]:
    return {"email": address, "text": address}


def phone(number: str) -> dict[str, str]:
    return {"phone": number, "countryShortName": "US"}


def jobs(company: Company) -> list[int]:
    return sorted(company.sandbox.item_ids(MASTER_BOARD_ID))


def edit(company: Company, item_id: int, cells: Mapping[str, Any]) -> None:
    company.sandbox.advance(5)
    company.sandbox.edit(item_id, dict(cells))


def create(company: Company, name: str, cells: Mapping[str, Any], board: int = MASTER_BOARD_ID) -> int:
    company.sandbox.advance(5)
    return company.sandbox.create(board, name, dict(cells))


def customer_of(company: Company, item_id: int) -> dict[str, Any]:
    return company.value(  # type: ignore[no-any-return]  # jsonb
        "SELECT to_jsonb(c) FROM customers c JOIN projects p ON p.customer_id = c.id WHERE p.monday_item_id = %s",
        item_id,
    )


def settled(company: Company, *arguments: str) -> None:
    """Another run of whatever kind finds nothing to write."""
    for kind in ((), ("--full",)):
        assert company.sync(*kind, *arguments).writes == 0


# Rows that several items share ----------------------------------------------------------------------------------------


@pytest.fixture
def family(synced: Company) -> list[int]:
    """Four jobs of one customer."""
    cells = {NAME: "Ann Lee", EMAIL: email("ann@mail.example"), PHONE: phone("2025550101")}
    ids = [create(synced, f"Roof {n}", {**cells, ADDRESS: f"{n} Oak Ave, Denver, CO 80202"}) for n in range(4)]
    assert synced.sync().code == 0
    return ids


def test_one_of_several_items_edits_the_row_that_they_share(synced: Company, family: list[int]) -> None:
    edit(synced, family[2], {PHONE: phone("2025550999")})
    report = synced.landed()
    assert report["tables"]["customers"] == {"insert": 0, "update": 1, "delete": 0, "unchanged": 6}
    assert {customer_of(synced, item)["phone"] for item in family} == {"2025550999"}
    assert report["waiting"] == 1  # the other three items still show the old number
    settled(synced)


def test_one_item_that_names_another_person_leaves_the_family_alone(synced: Company, family: list[int]) -> None:
    edit(synced, family[0], {EMAIL: email("bob@mail.example")})
    assert synced.landed()["tables"]["customers"]["insert"] == 1
    assert customer_of(synced, family[0])["email"] == "bob@mail.example"
    assert {customer_of(synced, item)["email"] for item in family[1:]} == {"ann@mail.example"}
    settled(synced)


def test_all_items_that_say_the_new_key_rename_the_row(synced: Company, family: list[int]) -> None:
    before = customer_of(synced, family[0])["id"]
    for item in family:
        edit(synced, item, {EMAIL: email("lee@mail.example")})
    assert synced.landed()["tables"]["customers"] == {"insert": 0, "update": 1, "delete": 0, "unchanged": 6}
    for item in family:
        assert (customer_of(synced, item)["id"], customer_of(synced, item)["email"]) == (before, "lee@mail.example")
    settled(synced)


def test_a_run_of_one_board_leaves_the_items_of_the_other_alone(synced: Company, family: list[int]) -> None:
    """Also those whose customer somebody edited in SQL in the meantime: the push tells their items."""
    synced.sql("UPDATE customers SET name = 'Ann Roe' WHERE email = 'ann@mail.example'")
    edit(synced, synced.sandbox.item_ids(STAFF_BOARD_ID)[0], {"text2": "Boulder"})
    report = synced.landed("--board", "staff")
    assert {table: counts["update"] for table, counts in report["tables"].items() if counts["update"]} == {"users": 1}
    assert {customer_of(synced, item)["name"] for item in family} == {"Ann Roe"}
    assert synced.push().code == 0
    assert {synced.sandbox.item(item)["cells"][NAME]["text"] for item in family} == {"Ann Roe"}
    settled(synced)


def test_forty_items_share_one_customer(synced: Company) -> None:
    same = {NAME: "Ann Lee", EMAIL: email("ann@mail.example")}
    ids = [create(synced, f"Unit {n}", {**same, ADDRESS: f"Unit {n}, 1 Oak Ave, Denver, CO 80202"}) for n in range(40)]
    report = synced.landed()
    assert [report["tables"][table]["insert"] for table in ("customers", "properties", "projects")] == [1, 40, 40]
    row = customer_of(synced, ids[0])["id"]
    edit(synced, ids[17], {NOTE: "ring twice"})
    assert synced.landed()["tables"]["customers"]["update"] == 1
    for item in ids:
        edit(synced, item, {EMAIL: email("lee@mail.example")})
    synced.landed("--max-change", "100")
    renamed = synced.sql("SELECT id::text, email, notes FROM customers WHERE name = 'Ann Lee'")
    assert renamed == [(row, "lee@mail.example", "ring twice")]
    settled(synced)


# Rows that a person made ----------------------------------------------------------------------------------------------

BY_HAND: dict[str, tuple[str, dict[str, Any], str]] = {
    "customers": (
        "INSERT INTO customers (email) VALUES ('Zoe@mail.example')",
        {EMAIL: email("zoe@mail.example"), NAME: "Zoe"},
        "customer_id",
    ),
    "insurances": (
        "INSERT INTO insurances (company_name) VALUES ('Allstate, Inc.')",
        {"text31__1": "ALLSTATE INC", "phone_132__1": phone("2025550888")},
        "insurance_id",
    ),
    "pa_law": ("INSERT INTO pa_law (name) VALUES ('Firm  One')", {"jp_pa_law_name__1": "firm one"}, "pa_law_id"),
    "sales_teams": (
        "INSERT INTO sales_teams (name) VALUES ('Retail')",
        {"job_division___1__1": {"label": "Retail"}},
        "sales_team_id",
    ),
    "storms": (
        "INSERT INTO storms (date_of_loss) VALUES ('2026-05-01')",
        {"date_19__1": {"date": "2026-05-01"}},
        "storm_id",
    ),
    "users": (
        "INSERT INTO users (name, rm_email) VALUES ('P Roe', 'Roe@mail.example')",
        {"text19__1": "Pat Roe", "email6__1": email("roe@mail.example")},
        "project_manager_id",
    ),
    "policies": ("INSERT INTO policies (policy_number) VALUES ('p-77')", {"dup__of_text0__1": "P 77"}, "policy_id"),
    "properties": (
        "INSERT INTO properties (customer_id, address) SELECT id, '9 Elm Street' FROM customers WHERE name = 'Owner 1'",
        {EMAIL: email("owner1@mail.example"), ADDRESS: "9 Elm St."},
        "property_id",
    ),
}


@pytest.mark.parametrize("table", BY_HAND)
def test_a_row_made_by_hand_is_linked_and_not_doubled(synced: Company, table: str) -> None:
    statement, cells, pointer = BY_HAND[table]
    ((row,),) = synced.sql(f"{statement} RETURNING id::text")
    before = synced.counts()[table]
    item = create(synced, "By hand", cells)
    synced.landed()
    assert synced.counts()[table] == before
    assert synced.project(item, f"{pointer}::text") == row
    settled(synced)


@pytest.mark.parametrize("speaker", ["edited", "new"])
def test_a_key_that_was_edited_in_sql_is_found_by_it(synced: Company, speaker: str) -> None:
    one, two = jobs(synced)[:2]
    row = customer_of(synced, one)["id"]
    synced.sql("UPDATE customers SET email = 'moved@mail.example' WHERE id = %s", row)
    if speaker == "edited":
        edit(synced, two, {EMAIL: email("moved@mail.example")})
        item = two
    else:
        item = create(synced, "Next", {EMAIL: email("moved@mail.example")})
    synced.landed()
    assert customer_of(synced, item)["id"] == row
    assert customer_of(synced, one) == customer_of(synced, item)
    assert customer_of(synced, one)["email"] == "moved@mail.example"
    settled(synced)


def test_the_old_key_still_finds_a_row_whose_key_was_edited_in_sql(synced: Company) -> None:
    """Its item still says the old address: a second row for it would split one person in two."""
    one = jobs(synced)[0]
    row = customer_of(synced, one)["id"]
    synced.sql("UPDATE customers SET email = 'moved@mail.example' WHERE id = %s", row)
    item = create(synced, "Next", {EMAIL: email("owner1@mail.example"), NAME: "Owner 1"})
    synced.landed()
    assert customer_of(synced, item)["id"] == row
    assert customer_of(synced, one)["email"] == "moved@mail.example"
    settled(synced)


# Trouble in the middle ------------------------------------------------------------------------------------------------

_ONCE = """
CREATE SEQUENCE once;
CREATE FUNCTION once() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN IF nextval('once') = 1 THEN {how}; END IF; RETURN NEW; END $$;
CREATE TRIGGER once BEFORE INSERT OR UPDATE ON projects FOR EACH ROW EXECUTE FUNCTION once()
"""


@pytest.mark.parametrize(
    "how",
    [
        "RAISE EXCEPTION 'too late' USING ERRCODE = '40001'",
        "RAISE EXCEPTION 'in each other''s way' USING ERRCODE = '40P01'",
        "PERFORM pg_terminate_backend(pg_backend_pid())",
    ],
    ids=["serialization", "deadlock", "connection"],
)
def test_a_lost_transaction_is_planned_again_with_the_same_result(synced: Company, how: str) -> None:
    first, second = jobs(synced)[:2]
    edit(synced, first, {EMAIL: email("owner2@mail.example"), TEXT: "swapped"})
    edit(synced, second, {EMAIL: email("owner1@mail.example")})
    item = create(synced, "New", {**job_cells(1), NOTE: "after the swap"})
    rehearsed = synced.sync("--test").report
    synced.sql(_ONCE.format(how=how))
    report = synced.landed()
    assert synced.value("SELECT last_value > 1 FROM once")
    assert (report["plan"], report["tables"]) == (rehearsed["plan"], rehearsed["tables"])
    assert synced.project(item, "name") == "New"
    assert synced.project(first, "description") == "swapped"
    settled(synced)


# Databases that were there before the sync ----------------------------------------------------------------------------


def forget_state(company: Company) -> None:
    company.sql("DROP SCHEMA monday_sync CASCADE")


def test_without_its_memory_a_run_finds_every_row_again(synced: Company) -> None:
    before = synced.contents(only="public")
    forget_state(synced)
    assert synced.sync().code == 0
    assert synced.contents(only="public") == before
    settled(synced)


@pytest.fixture
def older(synced: Company) -> Company:
    """A database of another program: 200 customers, the jobs' own among them, four projects of which two know their
    item, and nothing of ours."""
    synced.sql("TRUNCATE projects, properties, customers, users, policies CASCADE")
    forget_state(synced)
    shutil.rmtree(synced.folder)
    synced.folder.mkdir()
    synced.sql(
        "INSERT INTO customers (name, email, notes)"
        " SELECT 'Owner ' || n, 'Owner' || n || '@Mail.example', 'old file ' || n FROM generate_series(1, 200) n"
    )
    for number, item in enumerate(jobs(synced)[:2], 1):
        synced.sql(
            "INSERT INTO projects (monday_item_id, name, customer_id)"
            " SELECT %s, 'Roof', id FROM customers WHERE name = %s",
            item, f"Owner {number}",
        )  # fmt: skip
    synced.sql("INSERT INTO projects (name) VALUES ('Job 3'), ('somebody else''s')")
    return synced


def test_an_older_database_is_adopted_without_doubles(older: Company) -> None:
    report = older.landed("--yes")
    assert report["tables"]["customers"]["insert"] == 0
    assert report["tables"]["projects"]["insert"] == 4  # a project is known by its item, never by its name
    assert older.counts()["customers"] == 200
    for number, item in enumerate(jobs(older), 1):
        assert customer_of(older, item)["notes"] == f"old file {number}"
        assert older.project(item, "description") == f"Roof {number}"
    assert older.value("SELECT count(*) FROM projects WHERE monday_item_id IS NULL") == 2
    settled(older)


@pytest.mark.parametrize(
    ("arguments", "name", "tolerated"),
    [
        (("--yes",), "Roof", 2 + 6),  # two names, and six notes that only the rows have
        (("--adopt", "monday", "--yes"), "Job 1", 6),  # an empty cell takes nothing away
        (("--adopt", "pg", "--yes"), "Roof", 0),
    ],
)
def test_what_differed_before_is_left_or_settled_as_asked(
    older: Company, arguments: tuple[str, ...], name: str, tolerated: int
) -> None:
    report = older.landed(*arguments)
    assert older.project(jobs(older)[0], "name") == name
    assert report["tolerated"] == tolerated
    settled(older)


def test_a_database_that_differs_in_much_is_refused_until_somebody_says_yes(older: Company) -> None:
    for number in range(7, 41):
        create(older, f"Job {number}", {**job_cells(number), NOTE: "new file"})
    before = older.contents(only="public")
    for arguments in (("--test",), ()):
        ended = older.sync(*arguments)
        assert ended.code == 4
        assert "--adopt" in ended.err
    assert older.contents(only="public") == before
    older.landed("--yes")
    assert older.value("SELECT notes FROM customers WHERE name = 'Owner 20'") == "old file 20"
    older.landed("--adopt", "monday")
    assert older.value("SELECT notes FROM customers WHERE name = 'Owner 20'") == "new file"
    assert older.counts()["customers"] == 200


@pytest.mark.parametrize("canonical", ["referenced", "oldest"])
def test_of_two_rows_with_one_key_the_canonical_one_is_linked(older: Company, canonical: str) -> None:
    ((younger,),) = older.sql(
        "INSERT INTO customers (name, email, created_at)"
        " VALUES ('Twin', 'owner5@mail.example', now() + interval '1 day') RETURNING id::text"
    )
    oldest = older.value("SELECT id::text FROM customers WHERE name = 'Owner 5'")
    if canonical == "referenced":
        older.sql("INSERT INTO projects (name, customer_id) VALUES ('of the twin', %s)", younger)
    older.landed("--yes")
    assert customer_of(older, jobs(older)[4])["id"] == (younger if canonical == "referenced" else oldest)
    assert older.counts()["customers"] == 201
    settled(older)


def test_staff_rows_are_found_by_item_and_by_address(older: Company) -> None:
    one, two = sorted(older.sandbox.item_ids(STAFF_BOARD_ID))
    older.sql("INSERT INTO users (name, monday_item_id) VALUES ('Somebody', %s)", one)
    older.sql("INSERT INTO users (name, email) VALUES ('Rep 2 Green', 'REP2@roofs.example')")
    older.landed("--yes")
    people = older.sql("SELECT monday_item_id, name, lower(email) FROM users ORDER BY monday_item_id")
    assert people == [(one, "Somebody", "rep1@roofs.example"), (two, "Rep 2 Green", "rep2@roofs.example")]
    settled(older)
