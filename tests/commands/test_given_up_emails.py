"""An e-mail that a person gives up is nobody's: whoever says it next has it, and nobody is told of two."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox import MASTER_BOARD_ID, STAFF_BOARD_ID
from tests.support.company import Company

OLD, NEW, OTHER = "rep1@roofs.example", "first@roofs.example", "second@roofs.example"
GIVEN_UP: dict[str, tuple[dict[str, str | None], dict[str, str | None]]] = {
    "the first is another": ({"email__1": OLD, "email7": OTHER}, {"email__1": NEW, "email7": OTHER}),
    "the first is empty": ({"email__1": OLD, "email7": OTHER}, {"email__1": None, "email7": OTHER}),
    "the second is another": ({"email__1": OTHER, "email7": OLD}, {"email__1": OTHER, "email7": NEW}),
    "the second is empty": ({"email__1": OTHER, "email7": OLD}, {"email__1": OTHER, "email7": None}),
    "the second takes its place": ({"email__1": OLD, "email7": OTHER}, {"email__1": OTHER, "email7": NEW}),
    "both are others": ({"email__1": OLD, "email7": OTHER}, {"email__1": NEW, "email7": "third@roofs.example"}),
    "the only one is another": ({"email__1": OLD, "email7": None}, {"email__1": NEW, "email7": None}),
}
AS_COLUMNS = {"email__1": "email", "email7": "rm_email"}


def email(address: str | None) -> dict[str, str] | None:
    return {"email": address, "text": address} if address else None


def say(company: Company, item: int, cells: dict[str, str | None]) -> None:
    company.sandbox.edit(item, {column: email(address) for column, address in cells.items()})
    company.sandbox.advance(60)


def first(company: Company, was: dict[str, str | None]) -> int:
    """A staff item that says these, as both sides know."""
    item = company.sandbox.item_ids(STAFF_BOARD_ID)[0]
    say(company, item, was)
    assert company.sync().code == 0
    return item


def insert(company: Company, address: str) -> None:
    company.sql(
        "INSERT INTO users (name, first_name, last_name, email, roles)"
        " VALUES ('Ann Lee', 'Ann', 'Lee', %s, '{Sales Staff}')", address,
    )  # fmt: skip


def owner(company: Company, table: str, address: str) -> Any:
    query = "SELECT row_id::text FROM monday_sync.sync_key WHERE table_name = %s AND key = %s"
    found = company.sql(query, table, f"email:{address}")
    return found[0][0] if found else None


def settled(company: Company) -> None:
    """Nobody is told of anything, and nothing moves any more."""
    for options in ((), ("--full",)):
        company.sandbox.advance(60)
        assert company.sync(*options).code == 0
        again = company.push()
        assert (again.code, again.report["monday"]["mutations"]) == (0, 0)


@pytest.mark.parametrize("case", GIVEN_UP)
def test_what_was_given_up_on_the_board_is_a_new_persons(synced: Company, case: str) -> None:
    was, now = GIVEN_UP[case]
    say(synced, first(synced, was), now)
    assert synced.sync().code == 0
    insert(synced, OLD)
    pushed = synced.push("--max-create", "1")
    assert (pushed.code, pushed.report["items"]["create"]) == (0, 1)
    settled(synced)
    assert owner(synced, "users", OLD) == synced.value("SELECT id::text FROM users WHERE email = %s", OLD)


@pytest.mark.parametrize("case", GIVEN_UP)
@pytest.mark.parametrize("same_run", [False, True])
def test_what_was_given_up_on_the_board_is_a_new_items(synced: Company, case: str, same_run: bool) -> None:
    was, now = GIVEN_UP[case]
    say(synced, first(synced, was), now)
    if not same_run:
        assert synced.sync().code == 0
    item = synced.sandbox.create(STAFF_BOARD_ID, "Ann", {"text25": "Ann", "email__1": email(OLD)})
    settled(synced)
    row = synced.value("SELECT id::text FROM users WHERE monday_item_id = %s", item)
    assert owner(synced, "users", OLD) == row
    assert synced.value("SELECT email FROM users WHERE id = %s", row) == OLD


@pytest.mark.parametrize("case", GIVEN_UP)
def test_what_was_given_up_in_sql_is_a_new_persons_in_the_same_push(synced: Company, case: str) -> None:
    was, now = GIVEN_UP[case]
    item = first(synced, was)
    for column, address in now.items():
        synced.sql(f"UPDATE users SET {AS_COLUMNS[column]} = %s WHERE monday_item_id = %s", address, item)
    insert(synced, OLD)
    dry, pushed = synced.push("--max-create", "1", "--test"), synced.push("--max-create", "1")
    assert (dry.code, pushed.code) == (0, 0)
    assert pushed.report["items"]["create"] == 1
    settled(synced)
    assert owner(synced, "users", OLD) == synced.value("SELECT id::text FROM users WHERE email = %s", OLD)


def test_an_email_that_is_said_by_the_other_cell_now_was_not_given_up(synced: Company) -> None:
    item = first(synced, {"email__1": OLD, "email7": OTHER})
    say(synced, item, {"email__1": OTHER, "email7": OLD})
    assert synced.sync().code == 0
    insert(synced, OLD)
    pushed = synced.push("--max-create", "1")
    assert (pushed.code, pushed.report["items"]["create"], pushed.report["would_merge"]) == (5, 0, 1)


def test_who_exchange_their_emails_in_sql_are_found_by_what_they_have_now(synced: Company) -> None:
    people = [row for (row,) in synced.sql("SELECT id::text FROM users WHERE monday_item_id IS NOT NULL ORDER BY 1")]
    owners = [row for (row,) in synced.sql("SELECT id::text FROM customers ORDER BY name LIMIT 2")]
    was = {}
    for table, rows in (("users", people[:2]), ("customers", owners)):
        was[table] = {row: synced.value(f"SELECT email FROM {table} WHERE id = %s", row) for row in rows}
        one, other = rows
        synced.sql(f"UPDATE {table} SET email = %s WHERE id = %s", was[table][other], one)
        synced.sql(f"UPDATE {table} SET email = %s WHERE id = %s", was[table][one], other)
    assert synced.push().code == 0
    settled(synced)
    for table, said in was.items():
        one, other = said
        assert (owner(synced, table, said[one]), owner(synced, table, said[other])) == (other, one)
    (one, other) = owners
    item = synced.sandbox.create(MASTER_BOARD_ID, "New", {"email4__1": email(was["customers"][one])})
    synced.sandbox.advance(60)
    assert synced.sync().code == 0
    assert synced.project(item, "customer_id") == other


def test_an_email_that_somebody_had_is_the_customers_who_has_it_now(synced: Company) -> None:
    """He had it together with the other one for a while, and somebody else gets what he had."""
    (one, had), (other, has) = synced.sql("SELECT id::text, email FROM customers ORDER BY name LIMIT 2")
    synced.sql("UPDATE customers SET email = %s WHERE id = %s", has, one)
    assert synced.push().code == 0
    synced.sql("UPDATE customers SET email = %s WHERE id = %s", had, other)
    assert synced.push().code == 0
    item = synced.sandbox.create(MASTER_BOARD_ID, "New", {"email4__1": email(had)})
    synced.sandbox.advance(60)
    assert synced.sync().code == 0
    assert synced.project(item, "customer_id") == other


HANDED_ON: dict[str, str | None] = {"another": "new@mail.example", "none": None}


@pytest.mark.parametrize("later", HANDED_ON)
@pytest.mark.parametrize(
    ("table", "where"),
    [
        *((table, way) for table in ("customers", "users", "pa_law") for way in ("sql, push", "sql, pull")),
        ("customers", "board"),  # whose cells edit their row; those of the others select one
    ],
)
def test_an_email_that_its_owner_gave_up_is_the_others_who_has_it(
    synced: Company, table: str, where: str, later: str
) -> None:
    """He had it beside the owner, and nothing of him has changed since."""
    column = {"customers": "email4__1", "users": "email6__1", "pa_law": "jp_pa_law_email__1"}[table]
    link = {"customers": "customer_id", "users": "project_manager_id", "pa_law": "pa_law_id"}[table]
    one, other = synced.sandbox.item_ids(MASTER_BOARD_ID)[:2]
    for item, address in ((one, "one@mail.example"), (other, "other@mail.example")):
        synced.sandbox.edit(item, {column: email(address)})
    synced.sandbox.advance(60)
    assert synced.sync().code == 0
    rows = synced.project(one, link), synced.project(other, link)
    synced.sql(f"UPDATE {table} SET email = 'Other@mail.example' WHERE id = %s", rows[0])
    assert synced.push().code == 0
    assert synced.sync().code in (0, 5)
    if where == "board":
        synced.sandbox.edit(other, {column: email(HANDED_ON[later])})
        synced.sandbox.advance(60)
    else:
        synced.sql(f"UPDATE {table} SET email = %s WHERE id = %s", HANDED_ON[later], rows[1])
    for run in (synced.push, synced.sync) if where == "sql, push" else (synced.sync, synced.push):
        assert run().code in (0, 5)
    before = synced.counts()
    item = synced.sandbox.create(MASTER_BOARD_ID, "New", {column: email("other@mail.example")})
    synced.sandbox.advance(60)
    assert synced.sync().code == 0
    assert synced.project(item, link) == rows[0]
    assert {**synced.counts(), "projects": 0} == {**before, "projects": 0}
    assert owner(synced, table, "other@mail.example") == rows[0]
