"""PostgreSQL → monday.com from end to end: the real command, boards that behave like monday's, a real database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox import MASTER_BOARD_ID, STAFF_BOARD_ID
from tests.support.company import Company

CUSTOMER = "(SELECT customer_id FROM projects WHERE monday_item_id = %s)"
PROPERTY = "(SELECT property_id FROM projects WHERE monday_item_id = %s)"


def text(company: Company, item: int, column: str) -> str:
    cell = company.sandbox.item(item)["cells"].get(column)
    return "" if cell is None else str(cell["text"])


def quiet(company: Company) -> None:
    """Both directions have nothing more to say."""
    company.sandbox.reset_counters()
    again, back = company.push(), company.sync()
    assert (again.code, back.code) == (0, 0), again.err + back.err
    assert again.report["monday"]["requests"] == 0
    assert company.sandbox.counters()["mutations"] == 0
    assert back.writes == 0
    assert company.value("SELECT count(*) FROM monday_sync.sync_batch") == 0


def test_an_edit_in_sql_reaches_its_item_and_only_that(synced: Company) -> None:
    item, *others = synced.sandbox.item_ids()
    before = [synced.sandbox.item(other) for other in others]
    synced.sql("UPDATE projects SET description = 'New roof' WHERE monday_item_id = %s", item)
    ended = synced.push()
    assert ended.code == 0, ended.err
    assert ended.report["items"] == {"create": 0, "update": 1, "archive": 0, "unchanged": 7}
    assert text(synced, item, "text40__1") == "New roof"
    assert [synced.sandbox.item(other) for other in others] == before
    sent = [call for call in synced.sandbox.requests(10) if call["mutation"]]
    assert len(sent) == 1
    quiet(synced)


def test_the_second_edit_of_a_value_is_sent_like_the_first(synced: Company) -> None:
    """What monday answered to the first is what the second is compared with: it is no edit of somebody's there."""
    item = synced.sandbox.item_ids()[0]
    for amount in ("1234.50", "99", "1234.50"):
        synced.sql("UPDATE projects SET estimated_value = %s WHERE monday_item_id = %s", amount, item)
        assert synced.push().report["items"]["update"] == 1
    assert text(synced, item, "numbers0") == "1234.5"
    quiet(synced)


# SQL of one edit, the item's cells afterwards, and what the row has become where the push made it whole.
EDITS: dict[str, tuple[str, dict[str, str], tuple[str, Any] | None]] = {
    "money": ("UPDATE projects SET estimated_value = 1234.5 WHERE monday_item_id = %s", {"numbers0": "1234.5"}, None),
    "emptied": ("UPDATE projects SET description = NULL WHERE monday_item_id = %s", {"text40__1": ""}, None),
    "blanks": (
        "UPDATE projects SET description = '  roof  ' WHERE monday_item_id = %s",
        {"text40__1": "roof"},
        ("SELECT description FROM projects WHERE monday_item_id = %s", "roof"),
    ),
    "stage": (
        "UPDATE projects SET current_stage = 'Completed' WHERE monday_item_id = %s",
        {"text95__1": "Completed"},
        ("SELECT status FROM projects WHERE monday_item_id = %s", "completed"),
    ),
    "item's name": (
        "UPDATE projects SET item_name = 'Another' WHERE monday_item_id = %s",
        {},
        ("SELECT item_name FROM projects WHERE monday_item_id = %s", "Another"),
    ),
    "link": (
        "UPDATE projects SET link = 'https://jobs.example/1' WHERE monday_item_id = %s",
        {"link__1": " - https://jobs.example/1"},
        None,
    ),
    "phone as typed": (
        f"UPDATE customers SET phone = '(303) 555-0142' WHERE id = {CUSTOMER}",
        {"phone_1__1": "(303) 555-0142"},
        None,
    ),
    "part of an address": (
        f"UPDATE properties SET city = 'Boulder' WHERE id = {PROPERTY}",
        {"dup__of_job_address0__1": "101 Main St, Boulder, CO 80202"},
        (f"SELECT address FROM properties WHERE id = {PROPERTY}", "101 Main St, Boulder, CO 80202"),
    ),
    "whole address": (
        f"UPDATE properties SET address = '7 Elm St, Reno, NV 89501' WHERE id = {PROPERTY}",
        {"dup__of_job_address0__1": "7 Elm St, Reno, NV 89501"},
        (f"SELECT city FROM properties WHERE id = {PROPERTY}", "Reno"),
    ),
    "address that does not parse": (
        f"UPDATE properties SET address = 'ask the neighbour' WHERE id = {PROPERTY}",
        {"dup__of_job_address0__1": "ask the neighbour"},
        (f"SELECT city FROM properties WHERE id = {PROPERTY}", None),
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_what_a_cell_shows_after_an_edit(synced: Company, name: str) -> None:
    statement, cells, whole = EDITS[name]
    item = synced.sandbox.item_ids()[0]
    synced.sql(statement, item)
    ended = synced.push()
    assert ended.code == 0, ended.err
    assert ended.report["items"]["update"] == 1
    assert {column: text(synced, item, column) for column in cells} == cells
    if name == "item's name":
        assert synced.sandbox.item(item)["name"] == "Another"
        assert synced.sync().code == 0  # the empty name of the job follows the item's
    if whole is not None:
        assert synced.value(whole[0], item) == whole[1]
    quiet(synced)


def test_a_label_a_country_and_a_link_text_are_kept(synced: Company) -> None:
    item = synced.sandbox.item_ids()[0]
    synced.sandbox.edit(item, {"email4__1": {"email": "owner0@mail.example", "text": "The boss"}})
    synced.sandbox.edit(item, {"link__1": {"url": "https://a.example", "text": "Job"}})
    synced.sandbox.edit(item, {"phone_17__1": {"phone": "5512345678", "countryShortName": "MX"}}, force=True)
    assert synced.sync().code == 0
    synced.sql("UPDATE projects SET link = 'https://b.example' WHERE monday_item_id = %s", item)
    synced.sql("UPDATE projects SET adjuster_phone = '5598765432' WHERE monday_item_id = %s", item)
    synced.sql(f"UPDATE customers SET email = 'boss@mail.example' WHERE id = {CUSTOMER}", item)
    ended = synced.push()
    assert ended.code == 0, ended.out
    cells = synced.sandbox.item(item)["cells"]
    assert cells["email4__1"]["text"] == "The boss - boss@mail.example"
    assert cells["link__1"]["text"] == "Job - https://b.example"
    assert '"MX"' in cells["phone_17__1"]["value"]
    quiet(synced)


def test_a_person_edited_on_the_staff_board_or_in_sql_shows_on_every_project(synced: Company) -> None:
    jobs = synced.sandbox.item_ids()[:3]
    rep = synced.sandbox.item_ids(STAFF_BOARD_ID)[0]
    email = synced.value("SELECT email FROM users WHERE monday_item_id = %s", rep)
    for job in jobs:
        synced.sandbox.edit(job, {"email6__1": {"email": email, "text": email}, "text19__1": "Rep"})
    assert synced.sync().code == 0
    synced.sql("UPDATE users SET phone = '3035550111', first_name = 'Zoe' WHERE monday_item_id = %s", rep)
    ended = synced.push()
    assert ended.code == 0, ended.err
    assert [text(synced, job, "phone_13__1") for job in jobs] == ["3035550111"] * 3
    assert text(synced, rep, "text25") == "Zoe"
    assert synced.value("SELECT name FROM users WHERE monday_item_id = %s", rep).startswith("Zoe ")
    assert len({text(synced, job, "text19__1") for job in jobs}) == 1
    quiet(synced)


def test_a_moved_foreign_key_shows_the_other_row_and_an_emptied_one_clears(synced: Company) -> None:
    one, other = synced.sandbox.item_ids()[:2]
    synced.sql(f"UPDATE projects SET customer_id = {CUSTOMER} WHERE monday_item_id = %s", other, one)
    assert synced.push().code == 0
    for column in ("text65__1", "email4__1"):
        assert text(synced, one, column) == text(synced, other, column)
    quiet(synced)
    synced.sql("UPDATE projects SET customer_id = NULL WHERE monday_item_id = %s", one)
    assert synced.push().code == 0
    assert text(synced, one, "text65__1") == text(synced, one, "email4__1") == ""
    quiet(synced)
    assert synced.counts()["customers"] == 6


def test_a_role_is_given_to_somebody_else(synced: Company) -> None:
    job = synced.sandbox.item_ids()[0]
    one, other = synced.sandbox.item_ids(STAFF_BOARD_ID)[:2]
    person = "(SELECT id FROM users WHERE monday_item_id = %s)"
    synced.sql(f"UPDATE projects SET estimator_id = {person} WHERE monday_item_id = %s", one, job)
    assert synced.push().code == 0
    synced.sql(f"UPDATE projects SET estimator_id = {person} WHERE monday_item_id = %s", other, job)
    assert synced.push().code == 0
    assert text(synced, job, "job_est_1_name__1") == synced.value(f"SELECT name FROM users WHERE id = {person}", other)
    assert synced.value(f"SELECT roles FROM users WHERE id = {person}", one) == ["Sales Staff"]
    assert synced.value(f"SELECT roles FROM users WHERE id = {person}", other) == ["Estimator", "Sales Staff"]
    quiet(synced)


@pytest.mark.parametrize("policy", ["monday", "pg", "manual"])
def test_a_conflict_is_settled_by_the_side_that_wins(synced: Company, policy: str) -> None:
    item = synced.sandbox.item_ids()[0]
    synced.sandbox.edit(item, {"text40__1": "from the board"})
    synced.sql("UPDATE projects SET description = 'from sql' WHERE monday_item_id = %s", item)
    pushed = synced.push("--on-conflict", policy)
    assert pushed.code == (0 if policy == "monday" else 5), pushed.out
    assert text(synced, item, "text40__1") == ("from sql" if policy == "pg" else "from the board")
    assert synced.project(item, "description") == "from sql"
    if policy == "manual":
        assert synced.push("--on-conflict", "manual").report["conflicts"] == 1  # it is listed once, however often
        assert synced.sync("--on-conflict", "manual").code == 5
    assert synced.sync().code == (0 if policy == "pg" else 5)  # the run that settles it says so, once
    winner = "from sql" if policy == "pg" else "from the board"
    loser = "from the board" if policy == "pg" else "from sql"
    assert (text(synced, item, "text40__1"), synced.project(item, "description")) == (winner, winner)
    assert (loser,) in synced.sql("SELECT lost FROM monday_sync.sync_conflict WHERE state = 'settled'")
    quiet(synced)


def test_what_waits_for_the_other_direction_is_left_alone(synced: Company) -> None:
    item = synced.sandbox.item_ids()[0]
    synced.sandbox.edit(item, {"text40__1": "from the board"})
    synced.sql("UPDATE projects SET claim_number = 'C-9' WHERE monday_item_id = %s", item)
    assert synced.push().code == 0
    assert text(synced, item, "claim_number__1") == "C-9"
    assert text(synced, item, "text40__1") == "from the board"
    assert synced.sync().writes == 1
    assert synced.project(item, "description") == "from the board"
    quiet(synced)


def test_a_new_project_becomes_an_item_once(synced: Company) -> None:
    item = synced.sandbox.item_ids()[0]
    synced.sql(
        f"INSERT INTO projects (item_name, customer_id, estimated_value, current_stage) VALUES ('Fresh', {CUSTOMER},"
        " 99.5, 'Approved')", item,
    )  # fmt: skip
    ended = synced.push()
    assert ended.code == 0, ended.err
    assert ended.report["items"]["create"] == 1
    (new,) = synced.sandbox.find(MASTER_BOARD_ID, "Fresh")
    assert text(synced, new, "numbers0") == "99.5"
    assert text(synced, new, "email4__1") == text(synced, item, "email4__1")
    assert synced.sql("SELECT status, name FROM projects WHERE monday_item_id = %s", new) == [("active", "Fresh")]
    quiet(synced)
    synced.sql("UPDATE projects SET description = 'later' WHERE monday_item_id = %s", new)
    assert synced.push().code == 0
    assert text(synced, new, "text40__1") == "later"
    quiet(synced)


def test_a_new_person_of_the_sales_staff_becomes_an_item_and_a_known_one_does_not(synced: Company) -> None:
    rep = synced.sandbox.item_ids(STAFF_BOARD_ID)[0]
    known = synced.value("SELECT email FROM users WHERE monday_item_id = %s", rep)
    insert = "INSERT INTO users (first_name, last_name, email, roles) VALUES ('Zoe', 'New', %s, '{Sales Staff}')"
    synced.sql(insert, "zoe@roofs.example")
    assert synced.push().code == 0
    (new,) = synced.sandbox.find(STAFF_BOARD_ID, "Zoe New")
    assert (text(synced, new, "text25"), text(synced, new, "text1")) == ("Zoe", "New")
    quiet(synced)
    synced.sql(insert, known.upper())
    ended = synced.push()
    assert (ended.code, ended.report["items"]["create"], ended.report["would_merge"]) == (5, 0, 1)


def test_a_deleted_project_is_told_of_and_archived_only_on_demand(synced: Company) -> None:
    item, edited = synced.sandbox.item_ids()[:2]
    synced.sql("DELETE FROM projects WHERE monday_item_id = ANY(%s)", [item, edited])
    ended = synced.push()
    assert ended.code == 0
    assert "2 projects or people deleted" in " ".join(ended.report["notes"])
    assert synced.sandbox.item(item)["state"] == "active"
    synced.sandbox.edit(edited, {"text40__1": "still wanted"})
    ended = synced.push("--propagate-deletes")
    assert (ended.code, ended.report["items"]["archive"]) == (0, 1)
    assert synced.sandbox.item(item)["state"] == "archived"
    assert synced.sandbox.item(edited)["state"] == "active"  # an edit beats a delete
    assert synced.sync().code == 0
    assert synced.project(edited, "description") == "still wanted"
    quiet(synced)


def test_a_restored_item_takes_what_was_edited_meanwhile(synced: Company) -> None:
    item = synced.sandbox.item_ids()[0]
    synced.sandbox.archive(item)
    assert synced.sync().code == 0
    synced.sql("UPDATE projects SET description = 'meanwhile' WHERE monday_item_id = %s", item)
    assert synced.push().report["monday"]["requests"] == 0
    synced.sandbox.restore(item)
    assert synced.sync().code == 0
    assert synced.push().code == 0
    assert text(synced, item, "text40__1") == "meanwhile"
    quiet(synced)


def test_a_dry_run_is_the_truth_and_writes_nothing(synced: Company) -> None:
    item = synced.sandbox.item_ids()[0]
    synced.sql("UPDATE projects SET description = 'x', current_stage = 'Lost' WHERE monday_item_id = %s", item)
    synced.sql(f"UPDATE properties SET city = 'Boulder' WHERE id = {PROPERTY}", item)
    synced.sql("INSERT INTO projects (item_name) VALUES ('Fresh')")
    boards, tables = synced.sandbox.digest(), synced.contents()
    dry = synced.push("--test")
    assert (synced.sandbox.digest(), synced.contents()) == (boards, tables)
    assert synced.sandbox.counters()["mutations"] == 0
    real = synced.push()
    assert (dry.code, real.code) == (0, 0)
    for key in ("items", "tables", "plan"):
        assert dry.report[key] == real.report[key], key


def test_only_columns_of_our_own_count_as_edits(synced: Company) -> None:
    synced.sql("ALTER TABLE projects ADD COLUMN theirs text")
    synced.sql("UPDATE projects SET theirs = 'x', updated_at = now()")
    synced.sql("INSERT INTO customers (name) VALUES ('nobody''s')")
    quiet(synced)


def test_a_limit_sends_some_and_the_next_run_the_rest(synced: Company) -> None:
    synced.sql("UPDATE projects SET description = 'all'")
    synced.sql("INSERT INTO projects (item_name) VALUES ('Fresh')")
    assert synced.push("--limit", "2").report["items"]["update"] == 2
    rest = synced.push("--board", "master").report["items"]
    assert (rest["update"], rest["create"]) == (4, 1)
    quiet(synced)


def test_first_contact_is_no_edit_even_where_a_foreign_key_differs(company: Company) -> None:
    """Rows that were there before keep what they say, and monday what it shows, until a person edits."""
    item = company.sandbox.item_ids()[0]
    company.sandbox.clear(item, "text65__1", "email4__1", "dup__of_job_address0__1")
    assert company.run("--json", "--test").code == 0
    company.sync("--limit", "1")
    company.sql("DELETE FROM monday_sync.sync_item; DELETE FROM monday_sync.sync_row; DELETE FROM monday_sync.sync_key")
    company.sql("INSERT INTO customers (name) VALUES ('From before')")
    customer = company.value("SELECT id FROM customers WHERE name = 'From before'")
    company.sql(
        "UPDATE projects SET customer_id = %s, description = 'before' WHERE monday_item_id = %s", customer, item
    )
    assert company.sync("--full").code in (0, 5)
    assert company.push().report["items"]["update"] == 0
    company.sql("UPDATE projects SET claim_number = 'C-1' WHERE monday_item_id = %s", item)
    assert company.push().report["items"]["update"] == 1
    assert text(company, item, "claim_number__1") == "C-1"
    assert text(company, item, "text65__1") == ""


def test_an_edit_made_in_the_moment_before_the_write_is_kept(synced: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """monday has no compare-and-set; its activity log tells what our write replaced."""
    item = synced.sandbox.item_ids()[0]
    synced.sandbox.advance(120)
    synced.sql("UPDATE projects SET description = 'from sql' WHERE monday_item_id = %s", item)
    from monday.writing import Writer

    send: Callable[..., Any] = Writer.send

    def edited_first(self: Writer, *args: Any, **kwargs: Any) -> Any:
        synced.sandbox.edit(item, {"text40__1": "a second earlier"})
        return send(self, *args, **kwargs)

    monkeypatch.setattr(Writer, "send", edited_first)
    ended = synced.push()
    assert ended.code == 5, ended.err
    assert synced.sql("SELECT lost FROM monday_sync.sync_conflict") == [("a second earlier",)]
    assert [lost["lost_value"] for lost in ended.report["details"]["settled"]] == ["a second earlier"]
    assert "overwritten" in " ".join(ended.report["notes"])


def test_a_lease_that_does_not_outlast_a_request_sends_none(synced: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that was asleep wakes up with little of its lease left: somebody else may be at work before an answer."""
    from postgres.lease import Lease

    item = synced.sandbox.item_ids()[0]
    synced.sql("UPDATE projects SET description = 'x' WHERE monday_item_id = %s", item)
    defaults: dict[str, Any] | None = Lease.__init__.__kwdefaults__
    assert defaults is not None
    with monkeypatch.context() as short:
        short.setitem(defaults, "ttl_s", 60)
        ended = synced.push()
    assert ended.code == 6, ended.err
    assert synced.sandbox.counters()["mutations"] == 0
    assert synced.push().code == 0
    quiet(synced)
