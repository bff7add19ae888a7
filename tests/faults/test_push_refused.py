"""What monday.com will not take, and boards, rights and plans that are not as they should be: each push with its exit
code, what lands all the same, and what the next run pays for.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monday_api import BOARDS
from reconcile.tables import TABLES
from sandbox import MASTER_BOARD_ID, STAFF_BOARD_ID, Sandbox
from tests.support.company import BOARD_IDS, PUSH, Company, job_cells, small_world
from tests.support.pushing import (
    CLAIM,
    EMAIL,
    ODD_EMAIL,
    TEXT,
    in_step,
    jobs,
    letters,
    new_project,
    person,
    project,
    sent,
    shows,
)
from tests.support.servers import Keywords

TEAM = "status_13"


def people(company: Company) -> list[int]:
    return sorted(company.sandbox.item_ids(STAFF_BOARD_ID))


def logged(company: Company) -> str:
    """All that was written to log files."""
    return "\n".join(path.read_text() for path in Path(company.folder / "logs").rglob("*") if path.is_file())


# Values that are known to be refused ----------------------------------------------------------------------------------

BAD: dict[str, tuple[str, str, Any, Any, str]] = {
    "phone": ("phone_17__1", "adjuster_phone", "12345", "2025550133", "no valid phone number"),
    "phone with an extension": (
        "phone_17__1", "adjuster_phone", "(202) 555-0133 ext. 7", "(202) 555-0133", "without an extension",
    ),
    "e-mail": (EMAIL, "adjuster_email", "ann at mail", "ann@mail.example", "no e-mail address"),
    "link": ("link__1", "link", "ftp://files.example/1", "https://files.example/1", "no link that begins with http"),
    "text": (TEXT, "description", "é" * 1001, "é" * 1000, "2,002 bytes long"),
    "long name": ("name", "item_name", "N" * 256, "N" * 255, "longer than the 255 characters"),
    "empty name": ("name", "item_name", None, "Job 1 again", "cannot be empty"),
}  # fmt: skip


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.sampled(2)
def test_a_value_that_monday_would_refuse_is_not_sent(synced: Company, bad: str) -> None:
    column_id, column, value, good, reason = BAD[bad]
    item, other = jobs(synced)[:2]
    before = shows(synced, item, column_id)
    project(synced, item, **{column: value, "claim_number": "C-1"})
    project(synced, other, claim_number="C-2")
    rehearsed = synced.push("--test")
    assert (rehearsed.code, rehearsed.report["quarantined"]) == (5, 1)
    ended = synced.push()
    assert ended.code == 5, ended.err
    assert ended.report["plan"] == rehearsed.report["plan"]
    assert sorted(sent(synced)) == [(str(item), {CLAIM: "C-1"}), (str(other), {CLAIM: "C-2"})]
    assert (shows(synced, item, column_id), shows(synced, other, CLAIM)) == (before, "C-2")
    assert ended.report["items"]["update"] == 2
    (cell,) = ended.report["details"]["quarantined"]
    title = BOARDS["master"][column_id].title
    assert (cell["board"], cell["item"], cell["column"]) == ("master", item, f'{column_id} ("{title}")')
    assert reason in cell["reason"]
    assert "in PostgreSQL" in cell["reason"]
    said = synced.run("--test", program=PUSH).out + ended.out + logged(synced)
    assert value is None or value not in said

    synced.sandbox.reset_counters()
    again = synced.push()
    assert (again.code, again.report["quarantined"], synced.sandbox.counters()["requests"]) == (5, 1, 0)
    assert again.report["details"]["quarantined"] == [cell]
    tried = synced.push("--retry-dead")
    assert (tried.code, tried.report["quarantined"], sent(synced)) == (5, 1, [])
    assert synced.sandbox.counters()["by_operation"]["Look"] == 1
    assert synced.sync("--full").writes == 0, "it is no edit of somebody at the board"

    project(synced, item, **{column: good})
    assert synced.push().code == 0
    assert shows(synced, item, column_id) == good
    in_step(synced)


@pytest.mark.parametrize("bad", ["phone", "empty name"])
def test_a_refused_value_that_is_edited_back_is_forgotten(synced: Company, bad: str) -> None:
    column_id, column, value, _good, _reason = BAD[bad]
    item = jobs(synced)[0]
    before = synced.project(item, column)
    project(synced, item, **{column: value})
    assert synced.push().code == 5
    assert letters(synced) == [(item, column_id)]
    project(synced, item, **{column: before})
    assert synced.push().code == 0
    assert sent(synced) == []
    in_step(synced)


def test_another_bad_value_is_told_anew(synced: Company) -> None:
    item = jobs(synced)[0]
    project(synced, item, adjuster_phone="12345")
    assert synced.push().code == 5
    project(synced, item, adjuster_phone="67890")
    ended = synced.push()
    assert (ended.code, ended.report["quarantined"], letters(synced)) == (5, 1, [(item, "phone_17__1")])
    synced.sandbox.reset_counters()
    assert synced.push().code == 5
    assert synced.sandbox.counters()["requests"] == 0


def test_another_edit_of_the_same_item_does_not_try_the_refused_cell_again(synced: Company) -> None:
    item = jobs(synced)[0]
    project(synced, item, adjuster_phone="12345")
    assert synced.push().code == 5
    project(synced, item, claim_number="C-1")
    assert synced.push().code == 5
    assert sent(synced) == [(str(item), {CLAIM: "C-1"})]
    project(synced, item, adjuster_phone=None)
    in_step(synced)


def test_a_refused_cell_of_an_item_that_went_away_is_forgotten(synced: Company) -> None:
    item = jobs(synced)[0]
    project(synced, item, adjuster_phone="12345")
    assert synced.push().code == 5
    synced.sandbox.archive(item)
    assert synced.sync("--full").code in (0, 5)
    assert synced.push().code == 0
    assert letters(synced) == []


# Status labels --------------------------------------------------------------------------------------------------------


def test_an_unknown_label_is_not_made_without_leave(synced: Company) -> None:
    one, other = people(synced)
    person(synced, one, monday_team="Night Shift", shirt_size="XL")
    person(synced, other, shirt_size="M")
    ended = synced.push()
    assert ended.code == 5
    (cell,) = ended.report["details"]["quarantined"]
    assert (cell["item"], cell["column"]) == (one, f'{TEAM} ("TEAM NAME")')
    assert "Night Shift" in cell["reason"]
    assert "--create-labels" in cell["reason"]
    assert sorted(sent(synced)) == [(str(one), {"text6": "XL"}), (str(other), {"text6": "M"})]
    synced.sandbox.reset_counters()
    assert synced.push().code == 5
    assert synced.sandbox.counters()["requests"] == 0


def test_an_unknown_label_is_made_with_leave(synced: Company) -> None:
    one = people(synced)[0]
    person(synced, one, monday_team="Night Shift")
    assert synced.push("--create-labels").code == 0
    assert shows(synced, one, TEAM) == "Night Shift"
    in_step(synced)


def test_a_label_that_was_deactivated(synced: Company) -> None:
    one = people(synced)[0]
    synced.sandbox.deactivate_label(STAFF_BOARD_ID, TEAM, "Retail")
    person(synced, one, monday_team="Retail")
    ended = synced.push()
    assert (ended.code, sent(synced)) == (5, [])
    assert '"Retail" is no active label' in ended.report["details"]["quarantined"][0]["reason"]


def test_a_label_is_found_whatever_its_case_and_goes_by_its_id(synced: Company) -> None:
    one = people(synced)[0]
    person(synced, one, monday_team="  storm TEAM ")
    assert synced.push().code == 0
    assert sent(synced) == [(str(one), {TEAM: {"index": 1}})]
    assert shows(synced, one, TEAM) == "Storm Team"
    in_step(synced)


def test_a_label_of_digits_is_never_taken_for_an_id(synced: Company) -> None:
    one, other = people(synced)
    person(synced, one, monday_team="3")
    assert synced.push().code == 5
    assert shows(synced, one, TEAM) is None
    synced.sandbox.rename_label(STAFF_BOARD_ID, TEAM, "Commercial", "1")
    person(synced, other, monday_team="1")
    assert synced.push().code == 5
    assert (shows(synced, one, TEAM), shows(synced, other, TEAM)) == (None, "1")


# Values that only monday refuses --------------------------------------------------------------------------------------

"""It passes what we check and not what the board checks."""


@pytest.mark.parametrize("shape", ["object", "list"])
def test_a_cell_that_only_monday_refuses_takes_nothing_along(synced: Company, shape: str) -> None:
    if shape == "list":
        synced.sandbox.set_rule(MASTER_BOARD_ID, EMAIL, "forbidden")
    value = ODD_EMAIL if shape == "object" else "forbidden@mail.example"
    item, other = jobs(synced)[:2]
    project(synced, item, adjuster_email=value, claim_number="C-1", description="New")
    project(synced, other, claim_number="C-2")
    ended = synced.push()
    assert ended.code == 5, ended.err
    assert [shows(synced, item, column) for column in (CLAIM, TEXT, EMAIL)] == ["C-1", "New", None]
    assert shows(synced, other, CLAIM) == "C-2"
    assert ended.report["items"]["update"] == 2
    (cell,) = ended.report["details"]["quarantined"]
    assert (cell["item"], cell["column"]) == (item, f'{EMAIL} ("Adjuster email")')
    assert "monday.com refused a value" in cell["reason"]
    assert "correct the value in PostgreSQL" in cell["reason"]
    assert value not in ended.out + logged(synced)

    synced.sandbox.reset_counters()
    again = synced.push()
    assert (again.code, again.report["quarantined"], synced.sandbox.counters()["requests"]) == (5, 1, 0)
    assert synced.push("--retry-dead").code == 5
    assert sent(synced) == [(str(item), {EMAIL: {"email": value, "text": value}})]
    project(synced, item, adjuster_email="ann@mail.example")
    in_step(synced)
    assert shows(synced, item, EMAIL) == "ann@mail.example"


def test_a_rule_that_was_lifted_is_tried_again_on_request(synced: Company) -> None:
    item = jobs(synced)[0]
    synced.sandbox.set_rule(MASTER_BOARD_ID, CLAIM, "X")
    project(synced, item, claim_number="X-1")
    assert synced.push().code == 5
    synced.sandbox.set_rule(MASTER_BOARD_ID, CLAIM, None)
    assert synced.push().code == 5
    assert synced.push("--retry-dead").code == 0
    assert shows(synced, item, CLAIM) == "X-1"
    in_step(synced)


def test_two_refused_cells_of_one_item(synced: Company) -> None:
    item = jobs(synced)[0]
    for column_id in (CLAIM, TEXT):
        synced.sandbox.set_rule(MASTER_BOARD_ID, column_id, "X")
    project(synced, item, claim_number="X-1", description="X", adjuster_email="ann@mail.example")
    ended = synced.push()
    assert (ended.code, letters(synced)) == (5, [(item, CLAIM), (item, TEXT)])
    assert shows(synced, item, EMAIL) == "ann@mail.example"


def test_a_refusal_that_names_no_column_sets_the_item_aside(synced: Company) -> None:
    item, other = jobs(synced)[:2]
    synced.sandbox.set_rule(MASTER_BOARD_ID, CLAIM, "X", tells=False)
    project(synced, item, claim_number="X-1", description="New")
    project(synced, other, claim_number="C-2")
    ended = synced.push()
    assert (ended.code, letters(synced)) == (5, [(item, CLAIM), (item, TEXT)])
    assert shows(synced, other, CLAIM) == "C-2"
    synced.sandbox.reset_counters()
    assert synced.push().code == 5
    assert synced.sandbox.counters()["requests"] == 0
    project(synced, item, claim_number="C-1")
    assert synced.push().code in (0, 5)
    assert synced.push("--retry-dead").code == 0
    assert [shows(synced, item, column) for column in (CLAIM, TEXT)] == ["C-1", "New"]
    in_step(synced)


@pytest.mark.parametrize("who", ["we", "monday"])
def test_a_new_item_is_made_without_its_refused_cell(synced: Company, who: str) -> None:
    value = ODD_EMAIL if who == "monday" else "ann at mail"
    row = new_project(synced, "Fresh", adjuster_email=value, claim_number="C-1")
    new_project(synced, "Other", claim_number="C-2")
    ended = synced.push()
    assert ended.code == 5, ended.err
    assert ended.report["items"]["create"] == 2
    (item,) = synced.sandbox.find(MASTER_BOARD_ID, "Fresh")
    (other,) = synced.sandbox.find(MASTER_BOARD_ID, "Other")
    assert [shows(synced, item, column) for column in (CLAIM, EMAIL)] == ["C-1", None]
    assert shows(synced, other, CLAIM) == "C-2"
    assert synced.value("SELECT monday_item_id FROM projects WHERE id = %s", row) == item
    assert letters(synced) == [(item, EMAIL)]
    assert ended.report["details"]["quarantined"][0]["item"] == item
    synced.sandbox.reset_counters()
    again = synced.push()
    assert (again.code, synced.sandbox.counters()["requests"], letters(synced)) == (5, 0, [(item, EMAIL)])
    assert synced.sync("--full").writes == 0
    synced.sql("UPDATE projects SET adjuster_email = 'ann@mail.example' WHERE id = %s", row)
    assert synced.push().code == 0
    assert shows(synced, item, EMAIL) == "ann@mail.example"
    in_step(synced)


def test_a_new_project_without_a_name_waits_for_one(synced: Company) -> None:
    synced.sql("INSERT INTO projects (claim_number) VALUES ('C-1')")
    (row,) = synced.sql("SELECT id::text FROM projects WHERE claim_number = 'C-1'")[0]
    ended = synced.push()
    assert (ended.code, sent(synced), letters(synced)) == (5, [], [(0, f"projects.{row}")])
    assert "give the row a name" in ended.report["details"]["quarantined"][0]["reason"]
    synced.sandbox.reset_counters()
    assert synced.push().code == 5
    assert synced.sandbox.counters()["mutations"] == 0
    synced.sql("UPDATE projects SET item_name = 'Named' WHERE id = %s", row)
    assert synced.push().report["items"]["create"] == 1
    assert len(synced.sandbox.find(MASTER_BOARD_ID, "Named")) == 1
    in_step(synced)


def test_a_new_project_that_a_person_deletes_again_is_forgotten(synced: Company) -> None:
    synced.sql("INSERT INTO projects (claim_number) VALUES ('C-1')")
    assert synced.push().code == 5
    synced.sql("DELETE FROM projects WHERE claim_number = 'C-1'")
    assert synced.push().code == 0
    assert letters(synced) == []


# Rights ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("match", ["read", "mutation"])
def test_a_revoked_token(synced: Company, match: str) -> None:
    project(synced, jobs(synced)[0], claim_number="C-1")
    synced.sandbox.fault("unauthorized", match=match, times=0)
    ended = synced.run(program=PUSH)
    assert (ended.code, "MONDAY_API_KEY" in ended.err) == (2, True)
    assert synced.sandbox.counters()["requests"] == (1 if match == "read" else 2)
    assert synced.value("SELECT count(*) FROM monday_sync.sync_batch") == 0
    synced.sandbox.clear_faults()
    in_step(synced)
    assert shows(synced, jobs(synced)[0], CLAIM) == "C-1"


@pytest.mark.parametrize("fault", ["forbidden", "user_unauthorized"])
def test_a_user_who_may_only_look(synced: Company, fault: str) -> None:
    project(synced, jobs(synced)[0], claim_number="C-1")
    synced.sandbox.fault(fault, match="mutation", times=0)
    ended = synced.run(program=PUSH)
    assert (ended.code, "make the user of MONDAY_API_KEY a member of the" in ended.err) == (3, True), ended.err
    assert synced.sandbox.counters()["mutation_requests"] == 1
    synced.sandbox.clear_faults()
    in_step(synced)


def test_no_right_on_any_item(synced: Company) -> None:
    """HTTP 200, and every alias refused: that is the user, and not the items."""
    for item in jobs(synced):
        synced.sandbox.protect(item)
        project(synced, item, claim_number="C-1")
    ended = synced.run(program=PUSH)
    assert (ended.code, "make the user of MONDAY_API_KEY a member of the" in ended.err) == (3, True), ended.err
    assert letters(synced) == []
    for item in jobs(synced):
        synced.sandbox.protect(item, False)
    in_step(synced)
    assert [shows(synced, item, CLAIM) for item in jobs(synced)] == ["C-1"] * 6


def test_no_right_on_the_only_item_that_changed(synced: Company) -> None:
    """It stops nothing that comes after it."""
    item = jobs(synced)[0]
    synced.sandbox.protect(item)
    project(synced, item, claim_number="C-1")
    new_project(synced, "Fresh")
    ended = synced.push()
    assert (ended.code, ended.report["items"]["create"], letters(synced)) == (5, 1, [(item, CLAIM)])
    reason = ended.report["details"]["quarantined"][0]["reason"]
    assert "give the user access" in reason
    assert "--retry-dead" in reason


def test_no_right_on_one_item(synced: Company) -> None:
    item, *others = jobs(synced)
    synced.sandbox.protect(item)
    for number, job in enumerate(jobs(synced)):
        project(synced, job, claim_number=f"C-{number}")
    ended = synced.push()
    assert ended.code == 5
    assert [shows(synced, job, CLAIM) for job in others] == [f"C-{number}" for number in range(1, 6)]
    (cell,) = ended.report["details"]["quarantined"]
    assert (cell["item"], cell["column"]) == (item, f'{CLAIM} ("Claim number")')
    assert "no right" in cell["reason"]
    synced.sandbox.reset_counters()
    assert synced.push().code == 5
    assert synced.sandbox.counters()["requests"] == 0
    synced.sandbox.protect(item, False)
    assert synced.push("--retry-dead").code == 0
    assert shows(synced, item, CLAIM) == "C-0"
    in_step(synced)


# Items, columns and boards that are not what they were ----------------------------------------------------------------


@pytest.mark.parametrize("when", ["before the look", "before the write"])
def test_an_item_that_vanished(synced: Company, when: str) -> None:
    item, other = jobs(synced)[:2]
    project(synced, item, claim_number="C-1")
    project(synced, other, claim_number="C-2")
    if when == "before the look":
        synced.sandbox.archive(item)
    else:
        synced.sandbox.fault("item_deleted", match="mutation")
    ended = synced.push()
    assert ended.code == 0, ended.err
    assert shows(synced, other, CLAIM) == "C-2"
    assert any("not on the board any more" in note for note in ended.report["notes"])
    assert synced.sync().code == 0
    assert synced.project(item, "archived_at") is not None
    in_step(synced)


COLUMNS: dict[str, Callable[[Sandbox], None]] = {
    "removed": lambda sandbox: sandbox.remove_column(MASTER_BOARD_ID, TEXT),
    "archived": lambda sandbox: sandbox.archive_column(MASTER_BOARD_ID, TEXT),
    "retyped": lambda sandbox: sandbox.retype_column(MASTER_BOARD_ID, TEXT, "numbers"),
}


@pytest.mark.parametrize("change", COLUMNS)
def test_a_mapped_column_that_is_not_what_it_was(synced: Company, change: str) -> None:
    item = jobs(synced)[0]
    project(synced, item, claim_number="C-1", description="New")
    COLUMNS[change](synced.sandbox)
    ended = synced.run(program=PUSH)
    assert (ended.code, f"--skip-column {TEXT}" in ended.err, sent(synced)) == (3, True, []), ended.err
    ended = synced.push("--skip-column", TEXT)
    assert ended.code == 0, ended.err
    assert sent(synced) == [(str(item), {CLAIM: "C-1"})]
    assert shows(synced, item, CLAIM) == "C-1"


@pytest.mark.parametrize("board", BOARD_IDS)
@pytest.mark.parametrize("change", [{"visible": False}, {"state": "archived"}])
def test_a_board_that_is_not_there(synced: Company, board: str, change: dict[str, Any]) -> None:
    project(synced, jobs(synced)[0], claim_number="C-1")
    synced.sandbox.set_board(BOARD_IDS[board], **change)
    ended = synced.run(program=PUSH)
    assert (ended.code, f"{board} board {BOARD_IDS[board]}" in ended.err, sent(synced)) == (3, True, [])


def test_a_board_that_is_empty_all_of_a_sudden(synced: Company) -> None:
    project(synced, jobs(synced)[0], claim_number="C-1")
    for item in jobs(synced)[1:]:
        synced.sandbox.archive(item)
    ended = synced.run(program=PUSH)
    assert (ended.code, "--accept-shrink" in ended.err, sent(synced)) == (4, True, [])
    assert synced.push("--accept-shrink").code == 0
    assert shows(synced, jobs(synced)[0], CLAIM) == "C-1"


def test_a_full_board_takes_no_new_item_and_all_changes(synced: Company) -> None:
    item = jobs(synced)[0]
    synced.sandbox.set_board(MASTER_BOARD_ID, items_limit=7)
    project(synced, item, claim_number="C-1")
    for number in range(13):
        new_project(synced, f"Fresh {number}")
    ended = synced.push()
    assert ended.code == 5, ended.err
    assert (ended.report["items"]["create"], ended.report["quarantined"]) == (1, 12)
    for cell in ended.report["details"]["quarantined"]:
        assert "takes no further item" in cell["reason"]
        assert "make room on the board; the next run tries again" in cell["reason"]
    assert synced.sandbox.counters()["by_operation"]["Create"] == 1, "the next batch would be refused as well"
    assert shows(synced, item, CLAIM) == "C-1"
    synced.sandbox.set_board(MASTER_BOARD_ID, items_limit=100)
    assert synced.push().report["items"]["create"] == 12
    assert [len(synced.sandbox.find(MASTER_BOARD_ID, f"Fresh {number}")) for number in range(13)] == [1] * 13
    in_step(synced)


def test_an_answer_that_may_be_wrong_about_rights_is_not_believed(synced: Company) -> None:
    """monday refuses the whole request with HTTP 200, and repeats that under its key: what the item shows decides."""
    item = jobs(synced)[0]
    project(synced, item, claim_number="C-1")
    synced.sandbox.fault("user_unauthorized", match="mutation", stored=True)
    assert synced.push().code == 3
    left = synced.push()
    assert (left.code, shows(synced, item, CLAIM)) == (7, None)
    assert any("within 40 minutes" in note for note in left.report["notes"])
    assert synced.sync().code == 0, "the other direction does not depend on it"
    synced.sql("UPDATE monday_sync.sync_batch SET sent_at = sent_at - interval '3 minutes'")
    assert synced.push().code == 0
    assert shows(synced, item, CLAIM) == "C-1"
    in_step(synced)


# Limits ---------------------------------------------------------------------------------------------------------------


def test_a_locked_board_is_waited_for(synced: Company) -> None:
    item = jobs(synced)[0]
    project(synced, item, claim_number="C-1")
    synced.sandbox.fault("locked", match="mutation", times=2, retry_after=0)
    ended = synced.push()
    assert ended.code == 0, ended.err
    assert ended.report["monday"]["retries"] == 2
    assert shows(synced, item, CLAIM) == "C-1"
    in_step(synced)


@pytest.fixture
def crowd(blank: Keywords, tmp_path: Path) -> Any:
    """Seventy synced jobs, of which thirty belong to one owner, and a database that somebody works in."""
    with small_world(items=0) as sandbox:
        for number in range(1, 71):
            cells = job_cells(1 if number <= 30 else number)
            sandbox.create(MASTER_BOARD_ID, f"Job {number}", cells | {"dup__of_job_address0__1": f"{number} Elm St"})
        sandbox.advance(60)
        company = Company(sandbox, blank, tmp_path)
        assert company.sync().code == 0
        sandbox.reset_counters()
        yield company
        assert company.told_secrets() == []


def claims(company: Company) -> int:
    return sum(shows(company, item, CLAIM) is not None for item in jobs(company))


def test_the_day_is_spent_before_the_look(crowd: Company) -> None:
    crowd.sql("UPDATE projects SET claim_number = 'C' || monday_item_id WHERE monday_item_id IS NOT NULL")
    crowd.sandbox.fault("daily_limit", times=0)
    ended = crowd.run("--max-change", "70", program=PUSH)
    assert (ended.code, "daily calls" in ended.err, "UTC" in ended.err) == (7, True, True)
    assert crowd.sandbox.counters()["requests"] == 1


def test_the_day_is_spent_at_the_second_batch(crowd: Company) -> None:
    crowd.sql("UPDATE projects SET claim_number = 'C' || monday_item_id WHERE monday_item_id IS NOT NULL")
    crowd.sandbox.fault("daily_limit", match="mutation", nth=2, times=0)
    ended = crowd.run("--max-change", "70", program=PUSH)
    assert (ended.code, "daily calls" in ended.err) == (7, True)
    first = {item for item, _cells in sent(crowd)[:25]}
    assert claims(crowd) == 25
    crowd.sandbox.clear_faults()
    crowd.sandbox.reset_counters()
    assert crowd.push("--max-change", "70").code == 0
    assert (claims(crowd), len(sent(crowd))) == (70, 45)
    assert first & {item for item, _cells in sent(crowd)} == set()
    in_step(crowd)


# Plans that no person would make --------------------------------------------------------------------------------------


def test_too_many_changes(crowd: Company) -> None:
    crowd.sql("UPDATE projects SET claim_number = 'C-1', description = 'new' WHERE monday_item_id IS NOT NULL")
    for arguments in (("--test",), ()):
        ended = crowd.run(*arguments, program=PUSH)
        assert (ended.code, "run with --max-change 70" in ended.err) == (4, True), ended.err
    assert sent(crowd) == []
    assert crowd.push("--max-change", "70").code == 0
    assert claims(crowd) == 70
    in_step(crowd)


def test_too_many_new_items(crowd: Company) -> None:
    crowd.sql("INSERT INTO projects (item_name) SELECT 'Fresh ' || n FROM generate_series(1, 51) n")
    ended = crowd.run(program=PUSH)
    assert (ended.code, "run with --max-create 51" in ended.err, sent(crowd)) == (4, True, [])
    ended = crowd.push("--max-create", "51")
    assert (ended.code, ended.report["items"]["create"]) == (0, 51), ended.err
    assert len(jobs(crowd)) == 121
    in_step(crowd)


def test_deleted_rows_go_only_with_leave_and_not_too_many(crowd: Company) -> None:
    crowd.sql("DELETE FROM projects WHERE monday_item_id IN (SELECT monday_item_id FROM projects ORDER BY 1 LIMIT 6)")
    ended = crowd.push()
    assert ended.code == 0
    assert any("--propagate-deletes" in note for note in ended.report["notes"])
    ended = crowd.run("--propagate-deletes", program=PUSH)
    assert (ended.code, "run with --max-delete 6" in ended.err, len(jobs(crowd))) == (4, True, 70)
    ended = crowd.push("--propagate-deletes", "--max-delete", "6")
    assert (ended.code, ended.report["items"]["archive"], len(jobs(crowd))) == (0, 6, 64), ended.err
    in_step(crowd)


def test_a_row_that_too_many_items_show(crowd: Company) -> None:
    crowd.sql("UPDATE customers SET notes = 'ring twice' WHERE name = 'Owner 1'")
    crowd.sql("UPDATE customers SET notes = 'knock' WHERE name = 'Owner 40'")
    ended = crowd.push()
    assert ended.code == 5, ended.err
    (fanned,) = ended.report["details"]["fanned_out"]
    assert (fanned["row"].partition(".")[0], fanned["items"]) == ("customers", 30)
    assert [cells for _item, cells in sent(crowd)] == [{"text43__1": "knock"}]
    again = crowd.push()
    assert (again.code, again.report["waiting"], len(sent(crowd))) == (5, 1, 1)
    assert crowd.push("--allow-fanout").code == 0
    assert sum(shows(crowd, item, "text43__1") == "ring twice" for item in jobs(crowd)) == 30
    in_step(crowd)


# The other end --------------------------------------------------------------------------------------------------------


def test_another_run_is_at_work(synced: Company) -> None:
    project(synced, jobs(synced)[0], claim_number="C-1")
    synced.sql(
        "UPDATE monday_sync.sync_lease SET holder = 'elsewhere:1:x.1.x',"
        " expires_at = clock_timestamp() + interval '1 minute'"
    )
    ended = synced.run(program=PUSH)
    assert (ended.code, synced.sandbox.counters()["requests"]) == (6, 0)


@pytest.mark.parametrize("migrated", [False, True])
def test_a_database_that_was_never_synced(request: pytest.FixtureRequest, tmp_path: Path, migrated: bool) -> None:
    keywords: Keywords = request.getfixturevalue("keywords" if migrated else "blank")
    with small_world() as sandbox:
        company = Company(sandbox, keywords, tmp_path)
        for arguments in (("--test",), ()):
            ended = company.run(*arguments, program=PUSH)
            assert (ended.code, "run sync_monday_to_pg.py first" in ended.err) == (2, True), ended.err
        assert sandbox.counters()["requests"] == 0


def test_no_value_of_a_cell_is_logged(synced: Company) -> None:
    """Neither one that went, nor one that was refused, nor a name of a new item."""
    item, other = jobs(synced)[:2]
    synced.sandbox.set_rule(MASTER_BOARD_ID, TEXT, "canary")
    project(synced, item, claim_number="canary-1", adjuster_phone="canary-2")
    project(synced, other, description="canary-3", adjuster_email="canary-4@mail.example", item_name="canary-5")
    new_project(synced, "canary-6", description="canary-7", claim_number="canary-8")
    synced.sandbox.fault("internal_error_200", match="mutation", times=1)
    assert synced.run("-vv", program=PUSH).code == 5
    assert "canary" not in logged(synced)
    assert "batch" in logged(synced)
    assert sorted(TABLES) == sorted(synced.counts())
