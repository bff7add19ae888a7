"""Required columns and validation rules of a board: what they would refuse is said beforehand and not sent, everything
else goes on, and it goes once the rule or the value has changed.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import tenacity

from monday_api import BOARDS
from sandbox import MASTER_BOARD_ID, STAFF_BOARD_ID
from tests.support.company import PUSH, Company
from tests.support.kit import board_rule as rule
from tests.support.kit import rule_part as part
from tests.support.pushing import CLAIM, EMAIL, TEXT, in_step, jobs, letters, new_project, person, project, sent, shows

PRICE = "numbers0"
STAGE = "text95__1"
LOSS = "date_19__1"
TEAM = "status_13"
CUSTOMER_EMAIL = "email4__1"
OFFICE_NOTES = "long_text__1"
MASTER = BOARDS["master"]


def let(company: Company, *rules: dict[str, Any], board_id: int = MASTER_BOARD_ID, **more: Any) -> None:
    company.sandbox.set_validations(board_id, rules={f"rule-{n}": one for n, one in enumerate(rules)}, **more)


# Each operator, against what the sandbox enforces by a reading of its own ---------------------------------------------

CASES: dict[str, tuple[dict[str, Any], str, Any, Any]] = {
    "at least": (part(PRICE, "GREATER_THAN_OR_EQUALS", 5000), "estimated_value", Decimal("4999.99"), Decimal("5000")),
    "more than": (part(PRICE, "GREATER_THAN", "5000"), "estimated_value", Decimal("5000"), Decimal("5000.01")),
    "less than": (part(PRICE, "LOWER_THAN", 5000), "estimated_value", Decimal("5000"), Decimal("4999.99")),
    "at most": (part(PRICE, "LOWER_THAN_OR_EQUAL", 5000), "estimated_value", Decimal("5000.01"), Decimal("5000")),
    "anything but": (part(PRICE, "NOT_EQUALS", 5000), "estimated_value", Decimal("5000.00"), Decimal("5001")),
    "with a text": (part(CLAIM, "CONTAINS_TEXT", "REQ-"), "claim_number", "C-1", "a REQ-1"),
    "without a text": (part(CLAIM, "NOT_CONTAINS_TEXT", "#"), "claim_number", "C #1", "C 1"),
    "begins with": (part(CLAIM, "STARTS_WITH_TEXT", "REQ-"), "claim_number", "a REQ-1", "REQ-1"),
    "an e-mail": (part(EMAIL, "CONTAINS_TEXT", "@carrier"), "adjuster_email", "ann@x.example", "ann@carrier.example"),
    "a phone": (part("phone_17__1", "STARTS_WITH_TEXT", "+1303"), "adjuster_phone", "+12025550133", "+13035550199"),
    "a link": (part("link__1", "CONTAINS_TEXT", "jobs."), "link", "https://files.example/1", "https://jobs.example/1"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_value_that_a_rule_forbids_is_foretold_and_not_sent(synced: Company, case: str) -> None:
    constraint, column, bad, good = CASES[case]
    column_id = constraint["column_id"]
    let(synced, rule(constraint))
    item, other = jobs(synced)[:2]
    before = shows(synced, item, column_id)
    project(synced, item, **{column: bad, "description": "goes on"})
    project(synced, other, description="goes on too")
    rehearsed = synced.push("--test")
    assert (rehearsed.code, rehearsed.report["quarantined"]) == (5, 1)
    ended = synced.push()
    assert (ended.code, ended.report["plan"]) == (5, rehearsed.report["plan"]), ended.err
    assert sorted(sent(synced)) == [(str(item), {TEXT: "goes on"}), (str(other), {TEXT: "goes on too"})]
    assert (shows(synced, item, column_id), shows(synced, other, TEXT)) == (before, "goes on too")
    (cell,) = ended.report["details"]["quarantined"]
    assert rehearsed.report["details"]["quarantined"] == [cell]
    assert (cell["board"], cell["item"], cell["field"]) == ("master", item, f"projects.{column}")
    assert cell["column"] == f'{column_id} ("{MASTER[column_id].title}")'
    assert f"projects.{column} in PostgreSQL" in cell["reason"]
    assert str(bad) not in ended.out or bad in constraint["compare_value"] or "5000" in str(bad)

    synced.sandbox.reset_counters()
    again = synced.push()
    assert (again.code, again.report["quarantined"], sent(synced)) == (5, 1, [])
    assert synced.sandbox.counters()["requests"] == 1, "the rule may have changed: it is looked at, and nothing else"

    project(synced, item, **{column: good})
    assert synced.push().code == 0
    in_step(synced)


def test_a_value_goes_once_the_rule_is_lifted(synced: Company) -> None:
    item = jobs(synced)[0]
    let(synced, rule(part(PRICE, "GREATER_THAN", 5000)))
    project(synced, item, estimated_value=12)
    assert synced.push().code == 5
    assert letters(synced) == [(item, PRICE)]
    let(synced)
    rehearsed = synced.push("--test")
    assert (rehearsed.code, rehearsed.report["quarantined"], rehearsed.report["changes_count"]) == (0, 0, 1)
    assert synced.push().code == 0
    assert shows(synced, item, PRICE) == "12"
    in_step(synced)


def test_what_was_not_looked_at_stays_listed(synced: Company) -> None:
    let(synced, rule(part(PRICE, "GREATER_THAN", 5000)))
    for item in jobs(synced)[:2]:
        project(synced, item, estimated_value=12)
    assert synced.push().code == 5
    assert synced.push("--limit", "1").report["quarantined"] == 2
    assert letters(synced) == [(item, PRICE) for item in jobs(synced)[:2]]


def test_dates(synced: Company) -> None:
    items = jobs(synced)[:3]
    let(synced, rule(part(LOSS, "BETWEEN", "2026-01-01", "2026-12-31")))
    for item, day in zip(items, ("2025-12-31", "2026-12-31", "2027-01-01"), strict=True):
        storm = synced.value("INSERT INTO storms (date_of_loss) VALUES (%s) RETURNING id::text", day)
        project(synced, item, storm_id=storm)
    ended = synced.push()
    assert ended.code == 5
    assert [item for item, _cells in sent(synced)] == [str(items[1])]
    assert letters(synced) == [(items[0], LOSS), (items[2], LOSS)]
    let(synced, rule(part(LOSS, "GREATER_THAN", "EXACT", "2026-12-31")))
    assert synced.push().code == 5
    assert [item for item, _cells in sent(synced)] == [str(items[1]), str(items[2])]
    let(synced)
    assert synced.push().code == 0
    in_step(synced)


def test_a_status_outside_of_the_rule(synced: Company) -> None:
    one, other = sorted(synced.sandbox.item_ids(STAFF_BOARD_ID))
    let(synced, rule(part(TEAM, "ANY_OF", 2, 3)), board_id=STAFF_BOARD_ID)
    person(synced, one, monday_team="Storm Team", shirt_size="XL")
    person(synced, other, monday_team="Retail")
    ended = synced.push()
    assert ended.code == 5
    (cell,) = ended.report["details"]["quarantined"]
    assert (cell["item"], cell["field"]) == (one, "users.monday_team")
    assert 'one of "Front Range", "Retail" in "TEAM NAME"' in cell["reason"]
    assert (shows(synced, one, "text6"), shows(synced, other, TEAM)) == ("XL", "Retail")
    person(synced, one, monday_team="Front Range")
    assert synced.push().code == 0
    in_step(synced)


# Conditional rules ----------------------------------------------------------------------------------------------------

WHERE_APPROVED = part(STAGE, "CONTAINS_TEXT", "Completed")


def test_a_condition_concerns_the_item_as_it_will_be(synced: Company) -> None:
    item, other = jobs(synced)[:2]
    let(synced, rule(part(CLAIM, "IS_NOT_EMPTY"), given=WHERE_APPROVED))
    project(synced, item, current_stage="Completed", description="goes on")
    project(synced, other, current_stage="Completed", claim_number="C-2")
    ended = synced.push()
    assert ended.code == 5
    (cell,) = ended.report["details"]["quarantined"]
    assert (cell["item"], cell["field"]) == (item, "projects.current_stage")
    assert 'a value in "Claim number" where "Current Stage" holds' in cell["reason"]
    assert "projects.claim_number" in cell["reason"]
    assert dict(sent(synced))[str(item)] == {TEXT: "goes on"}
    assert shows(synced, other, STAGE) == "Completed"

    synced.sandbox.reset_counters()
    project(synced, other, claim_number=None)
    project(synced, item, claim_number="C-1")
    ended = synced.push()
    assert [(cell["item"], cell["field"]) for cell in ended.report["details"]["quarantined"]] == [
        (other, "projects.claim_number")
    ]
    assert sent(synced) == [(str(item), {STAGE: "Completed", CLAIM: "C-1"})]
    project(synced, other, claim_number="C-3")
    assert synced.push().code == 0
    in_step(synced)


def test_a_condition_on_a_column_that_is_not_mapped_foretells_nothing(synced: Company) -> None:
    item = jobs(synced)[0]
    let(synced, rule(part(PRICE, "GREATER_THAN", 5000), given=part("check__1", "IS_NOT_EMPTY")))
    project(synced, item, estimated_value=12)
    assert synced.push().code == 0
    assert shows(synced, item, PRICE) == "12"
    in_step(synced)


def test_any_one_constraint_may_be_enough(synced: Company) -> None:
    item, other = jobs(synced)[:2]
    either = rule(part(CLAIM, "STARTS_WITH_TEXT", "A"), part(CLAIM, "STARTS_WITH_TEXT", "B"), given=None, either=True)
    let(synced, either)
    project(synced, item, claim_number="C-1")
    project(synced, other, claim_number="B-1")
    assert synced.push().code == 5
    assert (letters(synced), sent(synced)) == ([(item, CLAIM)], [(str(other), {CLAIM: "B-1"})])


# Required columns -----------------------------------------------------------------------------------------------------


def test_a_required_cell_is_not_emptied(synced: Company) -> None:
    item = jobs(synced)[0]
    synced.sandbox.set_validations(MASTER_BOARD_ID, required=[TEXT])
    project(synced, item, description=None, claim_number="C-1")
    ended = synced.push()
    assert (ended.code, sent(synced)) == (5, [(str(item), {CLAIM: "C-1"})])
    (cell,) = ended.report["details"]["quarantined"]
    assert "the board requires a value there: give projects.description a value" in cell["reason"]
    synced.sandbox.set_validations(MASTER_BOARD_ID, required=[])
    assert synced.push().code == 0
    assert shows(synced, item, TEXT) is None
    in_step(synced)


def test_a_new_item_without_a_required_value_is_listed_and_not_made(synced: Company) -> None:
    synced.sandbox.set_validations(MASTER_BOARD_ID, required=[CUSTOMER_EMAIL, PRICE])
    lacks = new_project(synced, "Lacks both", description="x")
    whole = new_project(synced, "Has both", estimated_value=7000)
    customer = synced.value("SELECT id::text FROM customers WHERE email = 'owner1@mail.example'")
    synced.sql("UPDATE projects SET customer_id = %s WHERE id = %s", customer, whole)
    before = synced.contents(versions=False, only="public")["public.projects"]
    rehearsed = synced.push("--test")
    assert (rehearsed.code, rehearsed.report["items"]["create"]) == (5, 1)
    ended = synced.push()
    assert (ended.code, ended.report["items"]["create"]) == (5, 1), ended.err
    assert rehearsed.report["details"]["quarantined"] == ended.report["details"]["quarantined"]
    (row,) = ended.report["details"]["quarantined"]
    assert (row["item"], row["column"]) == ("new", f"projects.{lacks}")
    assert 'requires "JP Contact Email", "Total price" of a new item' in row["reason"]
    assert "give customers.email, projects.estimated_value a value" in row["reason"]
    assert [name for name, _cells in sent(synced)] == ["Has both"]
    after = synced.contents(versions=False, only="public")["public.projects"]
    assert [line for line in before if "Lacks both" in line] == [line for line in after if "Lacks both" in line]

    synced.sandbox.reset_counters()
    again = synced.push()
    assert (again.code, sent(synced), letters(synced)) == (5, [], [(0, f"projects.{lacks}")])
    synced.sql("UPDATE projects SET estimated_value = 5, customer_id = %s WHERE id = %s", customer, lacks)
    made = synced.push()
    assert (made.code, made.report["items"]["create"]) == (0, 1), made.out
    in_step(synced)


def test_a_required_column_that_nothing_fills(synced: Company) -> None:
    synced.sandbox.set_validations(MASTER_BOARD_ID, required=[OFFICE_NOTES])
    row = new_project(synced, "Cannot be made")
    ended = synced.push()
    assert (ended.code, sent(synced), letters(synced)) == (5, [], [(0, f"projects.{row}")])
    (cell,) = ended.report["details"]["quarantined"]
    assert 'requires "Office notes" of a new item: let the owner of the board make optional' in cell["reason"]
    synced.sandbox.set_validations(MASTER_BOARD_ID, required=[])
    assert synced.push().code == 0
    in_step(synced)


def test_a_new_item_goes_without_the_cell_that_a_rule_forbids(synced: Company) -> None:
    let(synced, rule(part(PRICE, "GREATER_THAN", 5000)))
    row = new_project(synced, "Cheap", estimated_value=12, claim_number="C-1")
    rehearsed = synced.push("--test")
    (cell,) = rehearsed.report["details"]["quarantined"]
    assert (rehearsed.code, cell["item"], cell["row"]) == (5, "new", f"projects.{row}")
    assert (cell["field"], rehearsed.report["items"]["create"]) == ("projects.estimated_value", 1)
    ended = synced.push()
    assert (ended.code, sent(synced)) == (5, [("Cheap", {"text01__1": "Cheap", CLAIM: "C-1"})]), ended.err
    item = synced.value("SELECT monday_item_id FROM projects WHERE id = %s", row)
    assert letters(synced) == [(item, PRICE)]
    let(synced)
    assert synced.push().code == 0
    assert shows(synced, item, PRICE) == "12"
    in_step(synced)


@pytest.mark.soak
def test_many_new_items_in_a_file_heed_the_rules_too(synced: Company) -> None:
    assert synced.push("--setup-marker").code == 0
    let(synced, rule(part(PRICE, "GREATER_THAN", 5000)), required=[PRICE])
    synced.sql(
        "INSERT INTO projects (item_name, estimated_value) SELECT 'New ' || n, 6000 FROM generate_series(1, 500) n"
    )
    synced.sql("INSERT INTO projects (item_name, estimated_value) SELECT 'Poor ' || n, 12 FROM generate_series(1, 3) n")
    ended = synced.push("--max-create", "600")
    assert (ended.code, ended.report["items"]["create"], ended.report["quarantined"]) == (5, 500, 3), ended.err
    assert (
        "IngestItems" in str(synced.sandbox.counters()["by_operation"]) or synced.sandbox.counters()["mutations"] < 60
    )


# What is not known ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hidden", [True, False])
def test_a_rule_that_cannot_be_read_leaves_the_refusal_to_monday(synced: Company, hidden: bool) -> None:
    """The user may not read the rules, or one has a form that is not known: monday refuses, and the rest lands."""
    let(synced, rule(part(PRICE, "GREATER_THAN", 5000)), hidden=hidden)
    if not hidden:
        synced.sandbox.set_rule(MASTER_BOARD_ID, PRICE, "12")
        let(synced, rule(part(PRICE, "DIVISIBLE_BY", 5)))
    item = jobs(synced)[0]
    project(synced, item, estimated_value=12, claim_number="C-1")
    ended = synced.push()
    assert ended.code == 5, ended.err
    assert (shows(synced, item, CLAIM), letters(synced)) == ("C-1", [(item, PRICE)])
    assert "DATA_VALIDATIONS_ERROR" in ended.report["details"]["quarantined"][0]["reason"]
    synced.sandbox.reset_counters()
    assert synced.push().code == 5
    assert synced.sandbox.counters()["requests"] == 0, "monday refused that value: it is not tried again"


def test_a_board_that_checks_the_whole_item_at_each_write(synced: Company) -> None:
    """Whether it does is not documented: an empty required cell that nobody writes is foretold by nobody."""
    item, other = jobs(synced)[:2]
    synced.sandbox.set_validations(MASTER_BOARD_ID, required=["text_7__1"], whole=True)
    project(synced, item, claim_number="C-1")
    project(synced, other, claim_number="C-2", company_cam_link="https://cam.example/2")
    ended = synced.push()
    assert ended.code == 5, ended.err
    assert (letters(synced), shows(synced, other, CLAIM)) == ([(item, CLAIM)], "C-2")


def test_rules_that_monday_fails_to_tell_stop_no_push(synced: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monday.transport._backoff", tenacity.wait_none())
    monkeypatch.setattr("monday.transport._jitter", tenacity.wait_none())
    synced.sandbox.set_validations(MASTER_BOARD_ID, failing=True)
    project(synced, jobs(synced)[0], claim_number="C-1")
    assert synced.push().code == 0
    assert sent(synced) == [(str(jobs(synced)[0]), {CLAIM: "C-1"})]


def test_no_rules_cost_nothing(synced: Company) -> None:
    let(synced, rule(part(PRICE, "GREATER_THAN", 5000)))
    assert synced.push().code == 0
    assert synced.sandbox.counters()["requests"] == 0, "the rules are read by a push that has something to send"
    project(synced, jobs(synced)[0], claim_number="C-1")
    assert synced.push().code == 0
    assert synced.sandbox.counters()["by_operation"] == {"Look": 1, "Change": 1, "Activity": 1}


def test_a_project_that_moves_to_a_forbidden_customer_shows_the_old_one_whole(synced: Company) -> None:
    item = jobs(synced)[0]
    let(synced, rule(part(CUSTOMER_EMAIL, "CONTAINS_TEXT", "@mail")))
    customer = synced.value("INSERT INTO customers (name, email) VALUES ('Odd', 'odd@else.example') RETURNING id::text")
    project(synced, item, customer_id=customer)
    ended = synced.push()
    assert (ended.code, sent(synced), letters(synced)) == (5, [], [(item, CUSTOMER_EMAIL)])
    assert shows(synced, item, "text65__1") == "Owner 1", "all cells of a slot, or none"
    let(synced)
    assert synced.push().code == 0
    assert (shows(synced, item, "text65__1"), shows(synced, item, CUSTOMER_EMAIL)) == ("Odd", "odd@else.example")
    in_step(synced)


def test_labels_that_a_column_would_not_take(synced: Company) -> None:
    one, other = sorted(synced.sandbox.item_ids(STAFF_BOARD_ID))
    person(synced, one, monday_team="L" * 31, shirt_size="XL")
    person(synced, other, monday_team="Night Shift")
    ended = synced.push("--create-labels")
    assert (ended.code, letters(synced)) == (5, [(one, TEAM)]), ended.err
    assert "30 characters" in ended.report["details"]["quarantined"][0]["reason"]
    assert (shows(synced, one, "text6"), shows(synced, other, TEAM)) == ("XL", "Night Shift")


# The doctor -----------------------------------------------------------------------------------------------------------


def test_the_doctor_names_rules_and_what_they_would_refuse(synced: Company) -> None:
    let(
        synced,
        rule(part(PRICE, "GREATER_THAN", 5000)),
        rule(part(PRICE, "DIVISIBLE_BY", 5)),
        required=[OFFICE_NOTES],
    )
    item = jobs(synced)[0]
    project(synced, item, estimated_value=12)
    before = synced.contents()
    ended = synced.run(program="test_sync.py")
    said = ended.out
    assert ended.code == 0, said
    assert '"Office notes"' in said
    assert "rule-1" in said
    assert "the operator DIVISIBLE_BY" in said
    assert f"master {item} {PRICE}" in " ".join(said.split())
    assert "more than 5000" in said
    assert synced.contents() == before
    synced.sandbox.set_validations(MASTER_BOARD_ID, hidden=True)
    assert "may not read" in synced.run(program="test_sync.py").out


def test_the_doctor_is_content_without_rules(synced: Company) -> None:
    ended = synced.run(program="test_sync.py")
    assert "would be refused" not in ended.out
    assert ended.code == 0


def test_a_quiet_and_a_written_report_name_the_field(synced: Company) -> None:
    let(synced, rule(part(PRICE, "GREATER_THAN", 5000)))
    project(synced, jobs(synced)[0], estimated_value=12)
    said = " ".join(synced.run("--test", program=PUSH).out.split())
    assert 'a rule of the board wants more than 5000 in "Total price"' in said
    assert f'{PRICE} ("Total price") projects.estimated_value' in said
