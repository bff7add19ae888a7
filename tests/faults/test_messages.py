"""Messages say what happened and what to do, in words that an administrator understands."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from db_connector import Database
from monday.errors import ApiFault, sentence
from postgres.transaction import Transaction
from reconcile.errors import SyncError
from sandbox import MASTER_BOARD_ID
from tests.support.company import PUSH, Company
from tests.support.pushing import jobs, project

TEXT = "text40__1"
NOW = datetime(2026, 11, 28, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "says", "says_not"),
    [
        (502, "is down or overloaded", "too long"),
        (503, "is down or overloaded", "too long"),
        (504, "did not finish the request in time", "itself"),
    ],
)
def test_a_server_on_the_way_is_told_from_a_slow_answer(status: int, says: str, says_not: str) -> None:
    text = str(sentence(ApiFault(status), NOW))
    assert says in text
    assert says_not not in text


@pytest.mark.parametrize("program", ["sync_monday_to_pg.py", PUSH])
def test_no_access_names_the_board(synced: Company, program: str) -> None:
    project(synced, jobs(synced)[0], description="in SQL")
    synced.sandbox.edit(jobs(synced)[0], {TEXT: "edited"})
    synced.sandbox.fault("forbidden", times=9)
    ended = synced.run(program=program)
    assert ended.code == 3, ended.err
    assert f"a member of the master board {MASTER_BOARD_ID}" in ended.err


def test_no_access_names_each_board_of_the_request() -> None:
    text = str(sentence(ApiFault(403), NOW, boards={"master": 1234, "staff": 5678}))
    assert "the master board 1234 and the staff board 5678" in text


def failing(database: Database, statement: str) -> SyncError:
    def work(tx: Transaction) -> None:
        tx.execute(statement)

    with pytest.raises(SyncError) as caught:
        database.transact(work, read_only=False, label="a test")
    return caught.value


def raised(code: str) -> str:
    return f"DO $$ BEGIN RAISE EXCEPTION 'a value' USING ERRCODE = '{code}'; END $$"


@pytest.mark.parametrize(
    ("code", "says"), [("53100", "disk of the database server is full"), ("53200", "out of memory")]
)
def test_a_full_server_says_that_another_run_does_not_help(database: Database, code: str, says: str) -> None:
    error = failing(database, raised(code))
    assert says in str(error)
    assert "Running again does not help" in str(error)
    assert "a value" not in str(error)
    assert error.exit_code == 7


def test_a_missing_right_comes_with_the_grant(database: Database) -> None:
    error = failing(
        database,
        "CREATE ROLE nobody_8; GRANT USAGE ON SCHEMA public TO nobody_8; SET LOCAL ROLE nobody_8;"
        " SELECT * FROM public.customers",
    )
    assert "GRANT SELECT, INSERT, UPDATE ON customers TO" in str(error)
    error = failing(database, "CREATE ROLE nobody_9; SET LOCAL ROLE nobody_9; SELECT * FROM monday_sync.sync_run")
    assert "GRANT USAGE, CREATE ON SCHEMA monday_sync TO" in str(error)
    assert error.exit_code == 2


def test_a_retyped_column_says_which_type_is_wanted(company: Company) -> None:
    company.sandbox.retype_column(MASTER_BOARD_ID, TEXT, "numbers")
    ended = company.run()
    assert ended.code == 3
    assert "has the type numbers, not text," in ended.err


def test_foreign_keys_are_shown_by_name_and_items_by_name_and_id(synced: Company) -> None:
    item = jobs(synced)[0]
    synced.sandbox.edit(item, {"email4__1": {"email": "new@mail.example", "text": "x"}, "text65__1": "New Owner"})
    ended = synced.run("--test")
    (line,) = (line for line in ended.out.splitlines() if "projects.customer_id" in line)
    assert line.split("  ", 3)[-1].strip() == f'item {item} "Job 1"  Owner 1 → New Owner'


def test_what_stands_in_conflict_is_not_said_to_be_sent(synced: Company) -> None:
    item = jobs(synced)[0]
    synced.sandbox.edit(item, {TEXT: "on the board"})
    project(synced, item, description="in SQL")
    text = " ".join(synced.run("--on-conflict", "manual").out.split())
    assert "but those in conflict, which wait for a person" in text
    assert "sends that" not in text
