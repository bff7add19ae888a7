"""`verify` proves that both sides agree by a way of its own, gives each difference its cause, and finds what nobody
else can: what was forged together with all that is remembered of it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from sandbox import MASTER_BOARD_ID, STAFF_BOARD_ID
from tests.support.company import PUSH, Company, job_cells
from tests.support.forging import forge_base, forge_hash, forge_link, forge_value, row_of
from tests.support.pushing import jobs, project

NOTE, PRICE, EMAIL = "text43__1", "numbers0", "email4__1"


def verify(company: Company, *arguments: str) -> dict[str, Any]:
    ended = company.window("verify", "--json", *arguments)
    assert ended.code in (0, 5), ended.err
    assert ended.code == ended.report["exit_code"] == (5 if ended.report["causes"]["unexplained"] else 0)
    return ended.report


def causes(report: dict[str, Any]) -> dict[str, int]:
    return {cause: count for cause, count in report["causes"].items() if count}


def found(report: dict[str, Any], cause: str = "unexplained") -> set[tuple[str, int | None, str | None]]:
    """(kind, item, field) of what has a cause."""
    return {(told["kind"], told["item"], told["field"]) for told in report["rows"] if told["cause"] == cause}


def test_both_sides_agree_after_a_pull_and_nothing_is_written(synced: Company) -> None:
    full = synced.sync("--full").report["monday"]["requests"]
    synced.sandbox.reset_counters()
    before = synced.contents()
    report = verify(synced)
    assert causes(report) == {}
    assert {name: (board["items"], board["whole"]) for name, board in report["boards"].items()} == {
        "master": (6, True),
        "staff": (2, True),
    }
    assert report["boards"]["master"]["cells"] == 6 * 42
    assert report["requests"] == len(synced.sandbox.requests()) <= full
    assert synced.contents() == before


def test_it_says_beforehand_what_it_costs(synced: Company) -> None:
    ended = synced.window("verify")
    assert ended.code == 0
    assert "Reads 6 items of the master board and 2 items of the staff board: 4 requests" in ended.err
    assert "Nothing is unexplained." in ended.out


# What is explained ----------------------------------------------------------------------------------------------------


def taken(company: Company, item: int) -> None:
    company.sandbox.edit(item, {NOTE: "from the board"})


def sent(company: Company, item: int) -> None:
    company.sql("UPDATE customers SET notes = 'from SQL' WHERE id = %s", row_of(company, item, "customers"))


def conflicting(company: Company, item: int) -> None:
    taken(company, item)
    sent(company, item)


def moved(company: Company, item: int) -> None:
    project(company, item, customer_id=row_of(company, jobs(company)[-1], "customers"))


def bad(company: Company, item: int) -> None:
    company.sandbox.edit(item, {PRICE: "9" * 20}, force=True)
    company.landed()


def refused(company: Company, item: int) -> None:
    company.sql("UPDATE customers SET email = 'no address' WHERE id = %s", row_of(company, item, "customers"))
    assert company.push().code == 5


def deleted(company: Company, item: int) -> None:
    project(company, item, customer_id=None)
    company.sql("UPDATE properties SET customer_id = NULL; DELETE FROM customers WHERE name = 'Owner 1'")


def unread(company: Company, item: int) -> None:
    company.sql("UPDATE projects SET estimated_value = 'NaN' WHERE monday_item_id = %s", item)


@pytest.mark.parametrize(
    ("act", "cause", "fields"),
    [
        (taken, "waiting to be taken", {"customers.notes"}),
        (sent, "waiting to be sent", {"customers.notes"}),
        (conflicting, "conflict", {"customers.notes"}),
        (moved, "waiting to be sent", {"customers.name", "customers.email"}),
        (bad, "set aside", {"projects.estimated_value"}),
        (refused, "set aside", {"customers.email"}),
        (deleted, "set aside", {"customers.name", "customers.email"}),
        (unread, "set aside", {"projects.estimated_value"}),
    ],
    ids=lambda part: getattr(part, "__name__", None),
)
def test_a_difference_has_its_cause(
    synced: Company, act: Callable[[Company, int], None], cause: str, fields: set[str]
) -> None:
    item = jobs(synced)[0]
    act(synced, item)
    report = verify(synced)
    assert found(report, cause) == {("cell", item, field) for field in fields}
    assert set(causes(report)) == {cause}


def test_what_differed_at_first_contact_is_tolerated(company: Company) -> None:
    item = jobs(company)[0]
    company.landed()
    company.sql("DROP SCHEMA monday_sync CASCADE")
    project(company, item, description="typed long ago")
    company.landed()
    report = verify(company)
    assert found(report, "tolerated since first contact") == {("cell", item, "projects.description")}
    assert set(causes(report)) == {"tolerated since first contact"}
    assert "differed when they first met" in report["rows"][0]["why"]


def test_an_open_conflict_is_one(synced: Company) -> None:
    item = jobs(synced)[0]
    conflicting(synced, item)
    assert synced.sync("--on-conflict", "manual").code == 5
    assert found(verify(synced), "conflict") == {("cell", item, "customers.notes")}
    assert "nobody has decided" in verify(synced)["rows"][0]["why"]


def test_items_and_rows_that_wait_to_meet(synced: Company) -> None:
    new = synced.sandbox.create(MASTER_BOARD_ID, "A new job", job_cells(77))
    left = jobs(synced)[1]
    synced.sandbox.archive(left)
    synced.sql("INSERT INTO projects (item_name, name) VALUES ('From SQL', 'From SQL')")
    report = verify(synced)
    assert found(report, "waiting to be taken") == {("no row", new, None), ("no item", left, None)}
    assert found(report, "waiting to be sent") == {("new row", None, None)}
    assert causes(report) == {"waiting to be taken": 2, "waiting to be sent": 1}
    synced.landed()
    assert synced.push().outcome == 0
    assert causes(verify(synced)) == {}


def test_a_row_that_was_deleted_is_set_aside(synced: Company) -> None:
    item = jobs(synced)[0]
    synced.sql("DELETE FROM projects WHERE monday_item_id = %s", item)
    assert found(verify(synced), "set aside") == {("no row", item, None)}


# What nothing explains ------------------------------------------------------------------------------------------------


def all_forged(company: Company, item: int) -> None:
    forge_value(company, item, "customers.notes", "forged")


def part_of_an_address(company: Company, item: int) -> None:
    row, address = row_of(company, item, "properties"), "101 Main St, Denver, CO 80202"
    company.sql("UPDATE properties SET city = 'Elko' WHERE id = %s", row)
    forge_hash(company, "properties", row)
    forge_base(company, item, "properties.address", [address, "101 Main St", "Elko", "CO", "80202"])


def hash_forged(company: Company, item: int) -> None:
    row = row_of(company, item, "customers")
    company.sql("UPDATE customers SET notes = 'forged' WHERE id = %s", row)
    forge_hash(company, "customers", row)


def as_if_tolerated(company: Company, item: int) -> None:
    row = row_of(company, item, "projects")
    project(company, item, description="forged")
    forge_hash(company, "projects", row)
    forge_base(company, item, "projects.description", "Roof 1", "forged")


def base_forged(company: Company, item: int) -> None:
    company.sandbox.edit(item, {NOTE: "from the board"})
    company.landed()
    row = row_of(company, item, "customers")
    company.sql("UPDATE customers SET notes = NULL WHERE id = %s", row)
    forge_hash(company, "customers", row)
    forge_base(company, item, "customers.notes", None)


def link_bent(company: Company, item: int) -> None:
    forge_link(company, item, "customers", row_of(company, jobs(company)[-1], "customers"))


def link_bent_by_hand(company: Company, item: int) -> None:
    was = row_of(company, item, "projects")
    project(company, item, customer_id=row_of(company, jobs(company)[-1], "customers"))
    forge_hash(company, "projects", was)


def nobody_knows(company: Company, _item: int) -> None:
    company.sql("INSERT INTO projects (monday_item_id, item_name) VALUES (4711, 'A row that nobody knows')")


def archived_by_hand(company: Company, item: int) -> None:
    project(company, item, archived_at="2026-01-01")


def row_gone_and_forgotten(company: Company, item: int) -> None:
    row = row_of(company, item, "projects")
    company.sql("DELETE FROM projects WHERE id = %s", row)
    company.sql("DELETE FROM monday_sync.sync_row WHERE row_id = %s", row)


def two_rows(company: Company, item: int) -> None:
    company.sql("DROP INDEX projects_monday_item_id_key")
    company.sql("INSERT INTO projects (monday_item_id, item_name) VALUES (%s, 'Another')", item)


def pointing_nowhere(company: Company, item: int) -> None:
    for (name,) in company.sql(
        "SELECT conname FROM pg_constraint WHERE contype = 'f' AND conrelid = 'projects'::regclass"
    ):
        company.sql(f"ALTER TABLE projects DROP CONSTRAINT {name}")
    nowhere = "00000000-0000-4000-8000-000000000001"
    project(company, item, storm_id=nowhere)
    forge_hash(company, "projects", row_of(company, item, "projects"))


def files_in_sql(company: Company, item: int) -> None:
    row = row_of(company, item, "properties")
    company.sql("UPDATE properties SET measurements = '[]' WHERE id = %s", row)


@pytest.mark.parametrize(
    ("act", "kind", "fields"),
    [
        (all_forged, "cell", {"customers.notes"}),
        (part_of_an_address, "cell", {"properties.address"}),
        (hash_forged, "cell", {"customers.notes"}),
        (base_forged, "cell", {"customers.notes"}),
        (as_if_tolerated, "cell", {"projects.description"}),
        (link_bent, "cell", {"customers.name", "customers.email"}),
        (link_bent_by_hand, "cell", {"customers.name", "customers.email"}),
        (archived_by_hand, "archived", {"projects.archived_at"}),
        (row_gone_and_forgotten, "no row", {None}),
        (pointing_nowhere, "row lacks", {"projects.storm_id"}),
        (files_in_sql, "cell", {"properties.measurements"}),
    ],
    ids=lambda part: getattr(part, "__name__", None),
)
def test_what_was_done_past_the_program_is_found(
    synced: Company, act: Callable[[Company, int], None], kind: str, fields: set[str | None]
) -> None:
    item = jobs(synced)[0]
    act(synced, item)
    report = verify(synced)
    assert found(report) == {(kind, item, field) for field in fields}
    assert set(causes(report)) == {"unexplained"}
    if kind == "cell":  # which no run sees, however much it reads
        assert synced.sync("--full").writes == 0
        pushed = synced.push().report["items"]
        assert (pushed["create"], pushed["update"], pushed["archive"]) == (0, 0, 0)
        assert found(verify(synced)) == found(report)


def test_a_row_that_nobody_knows_is_found(synced: Company) -> None:
    nobody_knows(synced, 0)
    report = verify(synced)
    assert found(report) == {("no item", 4711, None)}
    assert synced.sync().code == 5  # then a person was told of it
    assert set(causes(verify(synced))) == {"set aside"}


def test_two_rows_of_one_item_are_found(synced: Company) -> None:
    item = jobs(synced)[0]
    two_rows(synced, item)
    assert ("two rows", item, None) in found(verify(synced))


def test_a_key_that_two_rows_have_is_found(synced: Company) -> None:
    one, other = jobs(synced)[:2]
    email = synced.value("SELECT email FROM customers WHERE id = %s", row_of(synced, one, "customers"))
    synced.sandbox.freeze(synced.sandbox.now())
    forge_value(synced, other, "customers.email", f" {email.upper()}")
    report = verify(synced)
    assert ("key", None, "customers.email") in found(report)
    (told,) = [told for told in report["rows"] if told["kind"] == "key"]
    assert all(row in told["why"] for row in (row_of(synced, one, "customers"), row_of(synced, other, "customers")))


def test_a_sync_id_on_two_items_is_found(synced: Company) -> None:
    assert synced.run("--setup-marker", program=PUSH).code == 0
    one, other = jobs(synced)[:2]
    row = row_of(synced, one, "projects")
    for item in (one, other):
        synced.sandbox.edit(item, {"pg_sync_id": row})
    synced.landed()
    assert found(verify(synced)) == {("marker", other, None)}


def test_an_e_mail_that_names_nobody_is_no_key(company: Company) -> None:
    rep = "rep1@roofs.example"
    for number, email in enumerate(("none@none.com", "none@none.com", rep, rep), 50):
        cells = job_cells(number) | {EMAIL: {"email": email, "text": email}}
        company.sandbox.create(MASTER_BOARD_ID, f"Job {number}", cells)
    company.landed()
    assert company.value("SELECT count(DISTINCT id) FROM customers WHERE email = %s", rep) == 2
    assert causes(verify(company)) == {}


@pytest.mark.own_role
def test_a_role_that_may_only_read_is_enough(synced: Company) -> None:
    role, before = f"reader_{uuid.uuid4().hex[:8]}", synced.database
    synced.sql(f"CREATE ROLE {role} LOGIN PASSWORD 'a long random one'")
    synced.sql(f"GRANT USAGE ON SCHEMA public, monday_sync TO {role}")
    synced.sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA public, monday_sync TO {role}")
    try:
        synced.database = {**before, "user": role, "password": "a long random one"}
        assert causes(verify(synced)) == {}
        synced.sql(f"REVOKE SELECT ON customers FROM {role}")
        ended = synced.window("verify")
        assert (ended.code, "GRANT" in ended.err, "customers" in ended.err) == (2, True, True), ended.err
    finally:
        synced.database = before
        synced.sql(f"DROP OWNED BY {role}; DROP ROLE {role}")


# What is asked for ----------------------------------------------------------------------------------------------------


def test_a_part_of_the_boards(synced: Company) -> None:
    nobody_knows(synced, 0)
    forge_value(synced, jobs(synced)[-1], "customers.notes", "forged")
    limited = verify(synced, "--limit", "2")
    assert (limited["boards"]["master"]["items"], limited["boards"]["master"]["whole"]) == (2, False)
    assert causes(limited) == {}  # rows without items are looked for on whole boards alone
    assert "was not read whole" in synced.window("verify", "--limit", "2").out
    assert causes(verify(synced, "--board", "staff")) == {}
    assert verify(synced, "--board", "staff")["boards"].keys() == {"staff"}


def test_a_saved_read_is_enough_and_judges_nothing_that_is_newer(synced: Company) -> None:
    one, other = jobs(synced)[:2]
    forge_value(synced, one, "customers.notes", "forged")
    synced.sandbox.advance(60)
    synced.sandbox.edit(other, {NOTE: "later"})
    synced.landed()
    synced.sandbox.reset_counters()
    report = verify(synced, "--use-cache")
    assert found(report) == {("cell", one, "customers.notes")}
    assert report["boards"]["master"]["outdated"] == 1
    assert synced.sandbox.requests() == []


def test_every_difference_is_counted_and_listed_on_demand(synced: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("status.proof.KEPT", 2)
    synced.sql("UPDATE customers SET notes = 'from SQL'")
    report = verify(synced)
    assert (report["shown"], report["total"]) == (2, 6)
    assert "4 more of 6: python sync_status.py verify --all" in synced.window("verify").out
    assert len(synced.window("verify", "--all", "--format", "csv").out.splitlines()) == 7
    assert len(verify(synced, "--all")["rows"]) == 6


def test_what_a_cell_holds_obeys_nobody(synced: Company) -> None:
    item = jobs(synced)[0]
    synced.sandbox.edit(item, {NOTE: "\x1b[31m" + "long " * 1000})
    shown = synced.window("verify").out
    assert "\\u001b[31m" in shown
    assert "\x1b" not in shown
    assert max(map(len, shown.splitlines())) <= 100
    (told,) = verify(synced)["rows"]
    assert len(told["monday"]) > 4_000


@pytest.mark.parametrize(
    ("act", "code", "sentence"),
    [
        (lambda company: company.forget_everything(), 2, "never synced"),
        (lambda company: company.sql("UPDATE monday_sync.sync_board SET last_full_at = NULL"), 2, "never read whole"),
        (lambda company: company.sql("UPDATE monday_sync.sync_board SET account_id = '1'"), 3, "account"),
        (lambda company: company.sandbox.remove_column(STAFF_BOARD_ID, "text6"), 3, "text6"),
        (lambda company: company.sql("ALTER TABLE customers DROP COLUMN notes"), 3, "customers.notes is missing"),
        (lambda company: company.overrides.update(SYNC_DAILY_CALLS="3"), 7, "SYNC_DAILY_CALLS=3 would be passed"),
        (lambda company: company.sandbox.set_token("another"), 2, "MONDAY_API_KEY"),
    ],
)
def test_what_cannot_be_compared(synced: Company, act: Callable[[Company], Any], code: int, sentence: str) -> None:
    act(synced)
    ended = synced.window("verify")
    assert ended.code == code, ended.out + ended.err
    assert sentence in ended.err
    as_json = synced.window("verify", "--json")
    assert (as_json.code, as_json.report["exit_code"]) == (code, code)
    assert sentence in as_json.report["reason"]
