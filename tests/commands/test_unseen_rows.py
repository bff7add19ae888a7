"""Rows that people add in SQL and that no project shows: nothing of them travels, and that is said once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.company import PUSH, Company
from tests.support.pushing import jobs, project

PULL = "sync_monday_to_pg.py"
NEW = {
    "customers": "(name, email) VALUES ('Ann Lone', 'ann@mail.example')",
    "properties": "(address) VALUES ('1 Nowhere St')",
    "users": "(name, email) VALUES ('Bob Lone', 'bob@roofs.example')",
    "sales_teams": "(name) VALUES ('Lone Team')",
    "pa_law": "(name) VALUES ('Lone Law')",
    "policies": "(policy_number) VALUES ('L-1')",
    "insurances": "(company_name) VALUES ('Lone Mutual')",
    "storms": "(date_of_loss) VALUES ('2026-01-02')",
}
POINTING = {
    "customers": "customer_id", "properties": "property_id", "users": "estimator_id", "sales_teams": "sales_team_id",
    "pa_law": "pa_law_id", "policies": "policy_id", "insurances": "insurance_id", "storms": "storm_id",
}  # fmt: skip


def add(company: Company, table: str) -> str:
    row: str = company.value(f"INSERT INTO {table} {NEW[table]} RETURNING id")
    return row


def notes(report: dict[str, Any]) -> list[str]:
    return [note for note in report["notes"] if "shown by no project" in note]


@pytest.mark.parametrize("program", [PULL, PUSH])
@pytest.mark.parametrize("table", NEW)
def test_a_row_that_no_project_shows_is_said_once(synced: Company, table: str, program: str) -> None:
    row = add(synced, table)
    for _rehearsal in range(2):
        dry = synced.run("--json", "--test", program=program).report
        assert (dry["unseen"], len(notes(dry))) == ({table: 1}, 1)
    ended = synced.run("--json", program=program)
    assert (ended.code, ended.report["unseen"]) == (0, {table: 1})
    (note,) = notes(ended.report)
    assert note.startswith(f"1 new row of {table} is shown by no project ({table}.{row}): ")
    assert synced.sql(note.partition("all such rows: ")[2]) == [(f"{table}.{row}",)]
    for again in (PULL, PUSH):
        later = synced.run("--json", program=again)
        assert (later.code, later.report["unseen"], notes(later.report)) == (0, {table: 1}, [])
    project(synced, jobs(synced)[0], **{POINTING[table]: row})
    for again in (PUSH, PULL, PUSH):
        later = synced.run("--json", program=again)
        assert later.code in (0, 5), later.err
        assert later.report["unseen"].get(table, 0) == 0
    assert synced.value("SELECT count(*) FROM monday_sync.sync_told WHERE place LIKE %s", f"%{row}") == 0


@pytest.mark.parametrize("program", [PULL, PUSH])
def test_it_is_in_the_report_and_under_quiet(synced: Company, program: str) -> None:
    add(synced, "customers")
    assert synced.run("-q", "--test", program=program).out.count("shown by no project") == 1
    (line,) = synced.run("-q", program=program).out.splitlines()
    assert "1 new row of customers is shown by no project" in line
    assert synced.run("-q", program=program).out == ""
    add(synced, "storms")
    assert "1 new row of storms is shown by no project" in " ".join(synced.run(program=program).out.split())
    assert "shown by no project" not in " ".join(synced.run(program=program).out.split())


def test_another_row_in_place_of_one_that_went_is_news(synced: Company) -> None:
    first = add(synced, "customers")
    assert len(notes(synced.sync().report)) == 1
    synced.sql("DELETE FROM customers WHERE id = %s", first)
    second = add(synced, "customers")
    (note,) = notes(synced.sync().report)
    assert second in note
    assert synced.sql("SELECT place FROM monday_sync.sync_told") == [(f"customers.{second}",)]


def test_many_are_counted_by_table(synced: Company) -> None:
    synced.sql("INSERT INTO customers (name) SELECT 'Lone ' || n FROM generate_series(1, 150) n")
    add(synced, "insurances")
    report = synced.sync().report
    assert report["unseen"] == {"customers": 150, "insurances": 1}
    assert [note.split(" is ")[0].split(" are ")[0] for note in notes(report)] == [
        "1 new row of insurances", "150 new rows of customers",
    ]  # fmt: skip
    assert notes(synced.push().report) == []


def test_rows_that_will_be_items_or_that_a_project_shows_are_not_among_them(synced: Company) -> None:
    synced.sql(
        "INSERT INTO users (name, email, roles) VALUES ('Zoe Lee', 'zoe@roofs.example', '{Sales Staff}');"
        "INSERT INTO customers (id, name) VALUES ('00000000-0000-0000-0000-000000000001', 'Ann');"
        "INSERT INTO projects (item_name, customer_id) VALUES ('A job', '00000000-0000-0000-0000-000000000001')"
    )
    for program in (PULL, PUSH, PULL):
        assert synced.run("--json", program=program).report["unseen"] == {}


def test_rows_from_before_the_first_run(company: Company) -> None:
    """The first run links what its items say; the rest is said once, and no dry run counts what it would link."""
    company.sql(
        "CREATE TABLE customers (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text, email text);"
        "INSERT INTO customers (name, email) VALUES ('Owner 1', 'owner1@mail.example'), ('Ann', 'ann@mail.example')"
    )
    report = company.landed()
    assert report["unseen"] == {"customers": 1}
    assert len(notes(report)) == 1
    assert company.landed()["unseen"] == {"customers": 1}
    assert notes(company.landed()) == []
