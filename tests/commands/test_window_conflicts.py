"""`sync_status.py conflicts`: three values of each, who won and why, and like ones together."""

from __future__ import annotations

import csv
import io

import pytest

from tests.support.company import PUSH, Company
from tests.support.pushing import jobs, project

TEXT = "text40__1"


def words(text: str) -> str:
    return " ".join(text.split())


def both_edit(company: Company, *items: int) -> None:
    for item in items:
        company.sandbox.edit(item, {TEXT: "on the board"})
        project(company, item, description="in SQL")


@pytest.fixture
def wide(synced: Company) -> Company:
    synced.overrides = {"COLUMNS": "160"}
    return synced


def test_there_is_none(synced: Company) -> None:
    ended = synced.window("conflicts")
    assert (ended.code, ended.out.strip()) == (0, "no conflict")


def test_an_open_one_shows_three_values(wide: Company) -> None:
    item = jobs(wide)[0]
    both_edit(wide, item)
    run = wide.sync("--on-conflict", "manual").report["run_id"]
    ended = wide.window("conflicts")
    assert ended.code == 5
    text = words(ended.out)
    number = wide.value("SELECT id FROM monday_sync.sync_conflict")
    assert f"c{number} " in text
    assert f'projects.description "Job 1" (master board, item {item}) open' in text
    assert 'monday: "on the board", PostgreSQL: "in SQL", agreed before: "Roof 1" (seen ' in text
    assert f"by run {run})" in text
    assert "open: nobody has decided" in text


WON = {
    ("sync_monday_to_pg.py", ()): 'monday won with "on the board", PostgreSQL lost "in SQL": the mapping says so, ',
    ("sync_monday_to_pg.py", ("--on-conflict", "monday")):
        'monday won with "on the board", PostgreSQL lost "in SQL": --on-conflict monday of that run, ',
    (PUSH, ("--on-conflict", "pg")):
        'PostgreSQL won with "in SQL", monday lost "on the board": --on-conflict pg of that run, ',
}  # fmt: skip


@pytest.mark.parametrize("how", WON, ids=str)
def test_a_settled_one_says_who_won_and_why(wide: Company, how: tuple[str, tuple[str, ...]]) -> None:
    program, arguments = how
    both_edit(wide, jobs(wide)[0])
    settled = wide.run("--json", *arguments, program=program)
    assert settled.code == 5
    ended = wide.window("conflicts")
    assert (ended.code, WON[how] in words(ended.out)) == (0, True), ended.out
    (row,) = wide.window("conflicts", "--json").report["rows"]
    assert (row["monday"], row["postgres"], row["agreed"], row["state"]) == (
        "on the board", "in SQL", "Roof 1", "settled",
    )  # fmt: skip
    assert row["settled_by"] == settled.report["run_id"]


def test_one_without_a_loser_is_shown_with_all(wide: Company) -> None:
    item = jobs(wide)[0]
    both_edit(wide, item)
    assert wide.sync("--on-conflict", "manual").code == 5
    project(wide, item, description="on the board")
    assert wide.sync().code == 0
    assert wide.window("conflicts").out.strip() == "no conflict"
    ended = wide.window("conflicts", "--all")
    assert (ended.code, "made equal" in ended.out) == (0, True)
    assert "somebody made both sides equal" in ended.out


def test_like_ones_stand_together(wide: Company) -> None:
    both_edit(wide, *jobs(wide)[:5])
    assert wide.sync("--on-conflict", "manual").code == 5
    ended = wide.window("conflicts")
    assert "5 of projects.description: open" in ended.out
    assert ended.out.count("agreed before") == 3
    assert "… 2 more like it: python sync_status.py conflicts --field projects.description" in ended.out
    assert "… 2 more of 5: python sync_status.py conflicts --all --limit 0" in ended.out
    for arguments in (("--all",), ("--field", "projects.description")):
        each = wide.window("conflicts", *arguments).out
        assert each.count("agreed before") == 5
        assert "more" not in each
    told = wide.window("conflicts", "--json").report
    assert told["patterns"] == [{"field": "projects.description", "outcome": "open", "count": 5}]
    assert (told["total"], told["shown"]) == (5, 5)


def test_open_ones_come_first(wide: Company) -> None:
    first, second = jobs(wide)[:2]
    both_edit(wide, first)
    assert wide.sync("--on-conflict", "manual").code == 5
    wide.sql("UPDATE monday_sync.sync_conflict SET at = at - interval '10 days'")
    wide.sandbox.edit(second, {"numbers0": "77"})
    project(wide, second, estimated_value=88)
    assert wide.push("--on-conflict", "pg", "--board", "master").code == 5
    wide.sql("UPDATE monday_sync.sync_conflict SET state = 'open' WHERE item_id = %s", first)
    states = [row["state"] for row in wide.window("conflicts", "--json").report["rows"]]
    assert states == ["open", "settled"]
    assert wide.window("conflicts", "--limit", "1").out.count("agreed before") == 1


def test_which_ones(wide: Company) -> None:
    first, second = jobs(wide)[:2]
    both_edit(wide, first)
    wide.sandbox.edit(second, {"numbers0": "77"})
    project(wide, second, estimated_value=88)
    assert wide.sync().code == 5
    wide.sql(
        "UPDATE monday_sync.sync_conflict SET at = at - interval '10 days',"
        " settled_at = settled_at - interval '10 days' WHERE item_id = %s",
        first,
    )

    def items(*arguments: str) -> list[int]:
        return [row["item_id"] for row in wide.window("conflicts", "--json", *arguments).report["rows"]]

    assert sorted(items()) == [first, second]
    assert items("--since", "7d") == [second]
    assert items("--item", str(first)) == [first]
    assert items("--field", "projects.estimated_value") == [second]
    assert items("--field", "projects.estimated_value", "--item", str(first)) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--item", "90000000021"), "Nothing is remembered of item 90000000021: did you mean 9000000002?"),
        (("--field", "projects.descriptio"), "did you mean projects.description?"),
        (("--since", "soon"), "is neither a length of time"),
    ],
)
def test_what_there_is_not(synced: Company, arguments: tuple[str, ...], says: str) -> None:
    ended = synced.window("conflicts", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert says in words(ended.err)


def test_a_person_is_shown_with_the_role_and_a_joint_field_whole(wide: Company) -> None:
    item = jobs(wide)[0]
    wide.sandbox.edit(item, {"job_est_1_name__1": "Ann Lee"})
    assert wide.sync().code == 0
    wide.sandbox.edit(item, {"phone_10__1": {"phone": "13035550111", "countryShortName": "US"}})
    wide.sql("UPDATE users SET phone = '13035550122' WHERE name = 'Ann Lee'")
    wide.sandbox.edit(item, {"dup__of_job_address0__1": "9 New St, Denver, CO 80202"})
    wide.sql("UPDATE properties SET city = 'Boulder' WHERE address LIKE '101 %'")
    assert wide.sync("--on-conflict", "manual").code == 5
    text = words(wide.window("conflicts").out)
    assert "users.phone (Estimator)" in text
    assert 'monday: "9 New St, Denver, CO 80202"' in text


def test_two_items_of_one_row(wide: Company) -> None:
    first, second = jobs(wide)[:2]
    wide.sandbox.edit(second, {"email4__1": {"email": "owner1@mail.example", "text": "owner1@mail.example"}})
    assert wide.sync().code in (0, 5)
    assert wide.sync().code == 0
    wide.sandbox.edit(first, {"text43__1": "call first"})
    wide.sandbox.advance(5)
    wide.sandbox.edit(second, {"text43__1": "never call"})
    assert wide.sync().code == 5
    text = words(wide.window("conflicts").out)
    assert f'another item won with "never call", item {first} lost "call first"' in text
    assert "two items show one row: the newest edit wins" in text


def test_a_formula_is_one_in_no_spreadsheet(wide: Company) -> None:
    item = jobs(wide)[0]
    wide.sandbox.edit(item, {TEXT: "=HYPERLINK(1)"})
    project(wide, item, description="@SUM(1)\x1b[2J" + "x" * 1_000)
    assert wide.sync("--on-conflict", "manual").code == 5
    (row,) = csv.DictReader(io.StringIO(wide.window("conflicts", "--format", "csv").out))
    assert row["monday"] == "'=HYPERLINK(1)"
    assert row["postgres"].startswith("'@SUM(1)\\u001b[2J")
    assert len(row["postgres"]) > 1_000
    assert "\x1b" not in wide.window("conflicts").out
