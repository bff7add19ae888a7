"""What looks alike is two rows, of which a person is told: names with other signs, and staff items with one e-mail."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox import MASTER_BOARD_ID, STAFF_BOARD_ID
from tests.support.company import Company
from tests.support.pushing import jobs, shows

INSURER, TEAM, FIRM, PM = "text31__1", "job_division___1__1", "jp_pa_law_name__1", "text19__1"
PLACES = {"insurances": (INSURER, "company_name"), "pa_law": (FIRM, "name"), "users": (PM, "name")}


def email(address: str) -> dict[str, str]:
    return {"email": address, "text": address}


def names(company: Company, table: str = "insurances") -> list[str]:
    column = PLACES[table][1] if table in PLACES else "name"
    return [name for (name,) in company.sql(f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL ORDER BY 1")]


def say(company: Company, column: str, *texts: str) -> list[int]:
    """The first items say these, one each."""
    items = jobs(company)[: len(texts)]
    for item, text in zip(items, texts, strict=True):
        company.sandbox.edit(item, {column: text})
    return items


# Names ----------------------------------------------------------------------------------------------------------------

MUTUALS = ("B Mutual", "B+ Mutual", "B# Mutual")


@pytest.mark.parametrize("table", ["insurances", "pa_law"])
def test_signs_make_another_firm_which_is_told_of_until_it_is_settled(synced: Company, table: str) -> None:
    column, name = PLACES[table]
    items = say(synced, column, *MUTUALS)
    dry = synced.sync("--test")
    landed = synced.sync()
    assert (dry.code, landed.code) == (5, 5)
    assert dry.report["plan"] == landed.report["plan"]
    assert dry.report["would_merge"] == landed.report["would_merge"] == 2, "once for each pair of rows"
    assert sorted(names(synced, table)) == sorted(MUTUALS)
    text = synced.run("--test").out
    assert all(f'"{mutual}"' in text for mutual in MUTUALS), "by name"
    assert (again := synced.sync()).code == 5
    assert again.writes == 0
    synced.sql(f"UPDATE {table} SET {name} = 'Bee Mutual' WHERE {name} = 'B Mutual'")
    assert synced.push().code == 0, "the name that both looked like is no more"
    assert [shows(synced, item, column) for item in items] == ["Bee Mutual", *MUTUALS[1:]]
    assert synced.sync().code == 0
    assert synced.sync("--full").code == 0


def test_a_look_alike_is_found_in_a_later_run_too_and_only_once(synced: Company) -> None:
    first, second, third = jobs(synced)[:3]
    synced.sandbox.edit(first, {INSURER: "A-1 Insurance"})
    assert synced.sync().code == 0
    synced.sandbox.edit(second, {INSURER: "A 1 Insurance"})
    assert synced.sync().report["would_merge"] == 1
    synced.sandbox.edit(third, {INSURER: "A 1 Insurance"})
    assert synced.sync().report["would_merge"] == 1
    synced.sandbox.edit(second, {INSURER: "A-1 Insurance"})
    assert synced.sync().report["would_merge"] == 1, "one item shows it still"
    synced.sandbox.edit(third, {INSURER: "A-1 Insurance"})
    assert synced.sync().code == 0, "nobody shows the other any more"


def test_a_person_says_that_two_are_two_and_is_not_told_again(synced: Company) -> None:
    say(synced, INSURER, *MUTUALS[:2])
    assert synced.sync().code == 5
    synced.sql("DELETE FROM monday_sync.sync_dead")
    assert synced.sync("--full").code == 0


@pytest.mark.parametrize(
    ("column", "texts", "rows"),
    [
        (INSURER, ("Allstate, Inc.", "ALLSTATE  INC", "\u201cAllstate\u201d Inc", "All\u00adstate\u200b Inc"), 1),
        (INSURER, ("O'Neil", "O\u2019Neil", "O\u02bcNeil"), 1),
        (INSURER, ("Caf\u00e9 Mutual", "Cafe\u0301 Mutual", "\uff23af\u00e9 Mutual"), 1),
        (INSURER, ("**", "**", "...", "..."), 2),
        (INSURER, ("B\u00b2 Mutual", "B2 Mutual"), 2),
        (PM, ("Ann Lee", "ann  LEE", "Ann. Lee"), 1),
        (PM, ("Ann Lee", "Ann Lee (2)"), 2),
        (PM, ("***", "***"), 1),
    ],
)
def test_what_is_one_name_and_what_is_not(synced: Company, column: str, texts: tuple[str, ...], rows: int) -> None:
    say(synced, column, *texts)
    assert synced.sync().code in (0, 5)
    table = "insurances" if column == INSURER else "users"
    where = "" if table == "insurances" else " WHERE monday_item_id IS NULL"
    assert synced.value(f"SELECT count(*) FROM {table}{where}") == rows
    assert synced.value("SELECT count(*) FROM monday_sync.sync_key WHERE key LIKE 'slot:%%'") == 0


TEAMS = (
    "\U0001f525",
    "\U0001f9ca",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\U0001f468\U0001f469\U0001f467",
    "**",
)


def test_a_team_is_its_label_with_every_sign(synced: Company) -> None:
    board = synced.sandbox.world.boards[MASTER_BOARD_ID]
    for label in TEAMS:
        synced.sandbox.world.add_label(board, board.column(TEAM), label)
    for item, label in zip(jobs(synced), (*TEAMS, "**"), strict=True):
        synced.sandbox.edit(item, {TEAM: {"label": label}})
    assert synced.sync().code == 0
    assert sorted(names(synced, "sales_teams")) == sorted(TEAMS)


@pytest.mark.parametrize("mark", ["\u200b", "\ufeff", "\u00ad", "\u200e", "\ufe0f", "\u2060"])
def test_what_nobody_sees_makes_no_second_customer(synced: Company, mark: str) -> None:
    first, second = jobs(synced)[:2]
    owner = shows(synced, first, "email4__1")
    synced.sandbox.edit(second, {"email4__1": email(owner.replace("@", f"{mark}@")), "text65__1": "Owner 1"})
    assert synced.sync().code == 0
    assert (
        synced.value("SELECT count(DISTINCT customer_id) FROM projects WHERE monday_item_id IN (%s, %s)", first, second)
        == 1
    )


# Staff ----------------------------------------------------------------------------------------------------------------


def staff(company: Company) -> list[tuple[int, str]]:
    return company.sql("SELECT monday_item_id, email FROM users WHERE monday_item_id IS NOT NULL ORDER BY 1")


def hire(company: Company, first: str, **cells: Any) -> int:
    return company.sandbox.create(STAFF_BOARD_ID, first, {"text25": first, "text1": "Lee", **cells})


def test_two_staff_items_with_one_email_are_two_persons(synced: Company) -> None:
    one = synced.sandbox.item_ids(STAFF_BOARD_ID)[0]
    other = hire(synced, "Ann", email__1=email("rep1@roofs.example"), text6="XL")
    job = jobs(synced)[0]
    synced.sandbox.edit(job, {"email6__1": email("Rep1@roofs.example"), PM: "Rep 1 Green"})
    dry, landed = synced.sync("--test"), synced.sync()
    assert (dry.code, landed.code) == (5, 5)
    assert (dry.report["would_merge"], landed.report["would_merge"]) == (1, 1)
    found = dict(synced.sql("SELECT monday_item_id, name FROM users WHERE email = 'rep1@roofs.example'"))
    assert found == {one: "Rep 1 Green", other: "Ann Lee"}
    assert str(one) in (text := synced.run("--test").out)
    assert str(other) in text
    manager = "SELECT u.monday_item_id FROM projects p JOIN users u ON u.id = project_manager_id"
    assert synced.value(f"{manager} WHERE p.monday_item_id = %s", job) == one, "who has the e-mail"
    for item, shirt in ((one, "S"), (other, "M")):
        synced.sandbox.edit(item, {"text6": shirt})
    assert synced.sync().code == 5
    assert synced.push().code == 5
    assert [shows(synced, item, "text6") for item in (one, other)] == ["S", "M"]
    synced.sandbox.edit(one, {"email__1": email("first@roofs.example")})
    assert synced.sync().code == 0, "the other one has the e-mail for himself now"
    assert synced.value(
        "SELECT row_id FROM monday_sync.sync_key WHERE key = 'email:rep1@roofs.example'"
    ) == synced.value("SELECT id::text FROM users WHERE monday_item_id = %s", other)
    assert synced.sync("--full").writes == 0


@pytest.mark.parametrize("cell", ["email__1", "email7"])
def test_a_mistyped_email_takes_nobodys_row(synced: Company, cell: str) -> None:
    one, other = synced.sandbox.item_ids(STAFF_BOARD_ID)
    rows = dict(synced.sql("SELECT monday_item_id, id::text FROM users WHERE monday_item_id IS NOT NULL"))
    synced.sandbox.edit(
        other, {cell: email("REP1@roofs.example"), "phone": {"phone": "+13035550199", "countryShortName": "US"}}
    )
    assert synced.sync().report["would_merge"] == 1
    assert synced.sync("--full").code == 5
    assert dict(synced.sql("SELECT monday_item_id, id::text FROM users WHERE monday_item_id IS NOT NULL")) == rows
    assert synced.push().report["items"]["update"] == 0
    assert [synced.value("SELECT name FROM users WHERE id = %s", rows[item]) for item in (one, other)] == [
        "Rep 1 Green",
        "Rep 2 Green",
    ]
    synced.sandbox.edit(other, {cell: email("rep2@roofs.example")})
    assert synced.sync().code == 0
    assert dict(synced.sql("SELECT monday_item_id, id::text FROM users WHERE monday_item_id IS NOT NULL")) == rows


def test_of_two_the_first_item_has_the_email_on_the_first_day(company: Company) -> None:
    ids = [hire(company, name, email__1=email("ann@roofs.example")) for name in ("Ann", "Bea")]
    ids.append(hire(company, "Cem", email__1=email("cem@roofs.example"), email7=email("ANN@roofs.example")))
    assert company.sync().report["would_merge"] == 2
    keys = company.sql("SELECT key, u.monday_item_id FROM monday_sync.sync_key k JOIN users u ON u.id = k.row_id")
    found = dict(keys)
    assert (found["email:ann@roofs.example"], found["email:cem@roofs.example"]) == (ids[0], ids[2])
    assert company.value("SELECT count(*) FROM users WHERE monday_item_id = ANY(%s)", ids) == 3
    assert company.sync("--full").writes == 0


def test_who_is_archived_leaves_the_email_to_the_other(synced: Company) -> None:
    one = synced.sandbox.item_ids(STAFF_BOARD_ID)[0]
    other = hire(synced, "Ann", email__1=email("rep1@roofs.example"))
    assert synced.sync().code == 5
    synced.sandbox.archive(one)
    assert synced.sync("--full").code == 0
    query = "SELECT u.monday_item_id FROM monday_sync.sync_key k JOIN users u ON u.id = k.row_id WHERE key = %s"
    assert synced.value(query, "email:rep1@roofs.example") == other
    assert synced.sync("--full").writes == 0


def test_a_new_person_with_an_email_of_the_staff_board_becomes_no_second_item(synced: Company) -> None:
    """Even if it holds a character that nobody sees, and is nobody's key yet."""
    hire(synced, "Ann", email__1=email("rep1@roofs.example"))
    assert synced.sync().code == 5
    synced.sql("DELETE FROM monday_sync.sync_key WHERE key = 'email:rep1@roofs.example'")
    synced.sql(
        "INSERT INTO users (name, email, roles) VALUES ('Ann Lee', %s, '{Sales Staff}')", "rep1\u200b@roofs.example"
    )
    pushed = synced.push()
    assert (pushed.code, pushed.report["items"]["create"]) == (5, 0)


def test_who_claims_an_email_is_no_news_until_something_is(synced: Company) -> None:
    one = synced.sandbox.item_ids(STAFF_BOARD_ID)[0]
    other = hire(synced, "Ann", email__1=email("rep1@roofs.example"), email7=email("ann@roofs.example"))
    assert synced.sync().code == 5
    keys = dict(synced.sql("SELECT key, u.monday_item_id FROM monday_sync.sync_key k JOIN users u ON u.id = k.row_id"))
    assert (keys["email:rep1@roofs.example"], keys["email:ann@roofs.example"]) == (one, other)
    before = synced.contents(only="monday_sync")
    for options in ((), ("--full",), ("--test",)):
        quiet = synced.sync(*options)
        assert (quiet.code, quiet.report["would_merge"], quiet.report["boards"]["staff"]["changed"]) == (5, 1, 0)
    after = synced.contents(only="monday_sync")
    assert {table for table in after if after[table] != before[table]} <= {
        f"monday_sync.sync_{table}" for table in ("run", "lease", "board", "calls")
    }
    synced.sql("UPDATE users SET email = 'first@roofs.example' WHERE monday_item_id = %s", one)
    assert synced.push().code == 5, "the other item was not looked at yet"
    synced.sandbox.advance(60)
    assert synced.sync().code == 0
    keys = dict(synced.sql("SELECT key, u.monday_item_id FROM monday_sync.sync_key k JOIN users u ON u.id = k.row_id"))
    assert (keys["email:rep1@roofs.example"], keys["email:first@roofs.example"]) == (other, one)
