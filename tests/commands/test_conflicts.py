"""Edits that lost and edits that wait: which run says so, what it says, and what the log keeps of them."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.support.company import PUSH, Company, Ended
from tests.support.pushing import jobs, project

TEXT = "text40__1"
LOG = (
    "SELECT state, winner, kept_from, kept, lost_from, lost, monday, postgres, agreed, ever_agreed FROM"
    " monday_sync.sync_conflict ORDER BY id"
)


def both_edit(company: Company, item: int) -> None:
    company.sandbox.edit(item, {TEXT: "on the board"})
    project(company, item, description="in SQL")


def settling(company: Company, policy: str, *arguments: str) -> Ended:
    """The run of the direction that settles under this policy."""
    if policy == "pg":
        return company.run("--on-conflict", "pg", *arguments, program=PUSH)
    return company.run("--on-conflict", "monday", *arguments)


@pytest.mark.parametrize("policy", ["monday", "pg"])
def test_an_edit_that_lost_is_news_of_one_run(synced: Company, policy: str) -> None:
    item = jobs(synced)[0]
    both_edit(synced, item)
    won, lost = (("monday", "on the board"), ("PostgreSQL", "in SQL"))
    if policy == "pg":
        won, lost = lost, won
    expected = f'item {item} "Job 1", projects.description'
    says = f'{won[0]} won with "{won[1]}", {lost[0]} lost "{lost[1]}"'
    for rehearsal in range(2):
        dry = settling(synced, policy, "--test")
        assert dry.code == 5, (rehearsal, dry.err)
        assert expected in dry.out
        assert says in dry.out
        assert "1 edit would lose" in dry.out
    ended = settling(synced, policy)
    assert ended.code == 5, ended.err
    assert expected in ended.out
    assert says in ended.out
    for again in (settling(synced, policy), synced.run(), synced.run(program=PUSH)):
        assert (again.code, says in again.out) == (0, False)


@pytest.mark.parametrize("policy", ["monday", "pg"])
def test_the_same_in_json(synced: Company, policy: str) -> None:
    item = jobs(synced)[0]
    both_edit(synced, item)
    ended = settling(synced, policy, "--json")
    report = ended.report
    assert (ended.code, report["exit_code"], report["settled"], report["conflicts"]) == (5, 5, 1, 0)
    (entry,) = report["details"]["settled"]
    kept, lost = ("monday", "on the board"), ("postgres", "in SQL")
    if policy == "pg":
        kept, lost = lost, kept
    assert (entry["board"], entry["item"], entry["name"]) == ("master", item, "Job 1")
    assert entry["field"].startswith("projects.description/")
    assert (entry["kept"], entry["kept_value"]) == kept
    assert (entry["lost"], entry["lost_value"]) == lost


@pytest.mark.parametrize("policy", ["monday", "pg"])
def test_a_quiet_run_says_it_once_with_command_run_and_time(synced: Company, policy: str) -> None:
    item = jobs(synced)[0]
    both_edit(synced, item)
    ended = settling(synced, policy, "-q")
    (line,) = ended.out.splitlines()
    program = PUSH if policy == "pg" else "sync_monday_to_pg.py"
    assert re.match(
        rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\S+ {re.escape(program)} run \d{{8}}T\d{{6}}-[0-9a-f]{{6}}: ", line
    )
    assert f'item {item} "Job 1", projects.description' in line
    assert "on the board" in line
    assert "in SQL" in line
    assert settling(synced, policy, "-q").out == ""


def test_of_two_items_that_show_one_row_the_loser_is_news(synced: Company) -> None:
    first, second = jobs(synced)[:2]
    synced.sandbox.edit(second, {"email4__1": {"email": "owner1@mail.example", "text": "owner1@mail.example"}})
    assert synced.sync().code in (0, 5)
    assert synced.sync().code == 0
    synced.sandbox.edit(first, {"text43__1": "call first"})
    synced.sandbox.advance(5)
    synced.sandbox.edit(second, {"text43__1": "never call"})
    ended = synced.run()
    assert ended.code == 5
    assert f'item {first} "Job 1", customers.notes' in ended.out
    assert f'item {second} won with "never call", item {first} lost "call first"' in " ".join(ended.out.split())
    assert synced.run().code == 0


def test_a_foreign_key_that_lost_is_shown_by_name(synced: Company) -> None:
    item, other = jobs(synced)[:2]
    synced.sandbox.edit(item, {"email4__1": {"email": "new@mail.example", "text": "x"}, "text65__1": "New Owner"})
    project(synced, item, customer_id=synced.project(other, "customer_id"))
    ended = synced.run()
    assert ended.code == 5, ended.err
    assert "projects.customer_id" in ended.out
    assert 'monday won with "New Owner", PostgreSQL lost "Owner 2"' in " ".join(ended.out.split())
    assert synced.run().code in (0, 5)


# Open conflicts -------------------------------------------------------------------------------------------------------


def test_an_open_conflict_shows_both_sides_and_what_they_agreed_on(synced: Company) -> None:
    item = jobs(synced)[0]
    both_edit(synced, item)
    for program in ("sync_monday_to_pg.py", PUSH):
        for arguments in (("--test",), ()):
            shown = synced.run("--on-conflict", "manual", *arguments, program=program)
            assert shown.code == 5
            text = " ".join(shown.out.split())
            assert f'item {item} "Job 1", projects.description' in text
            assert 'monday: "on the board", PostgreSQL: "in SQL", agreed before: "Roof 1"' in text
            report = synced.run("--on-conflict", "manual", "--json", *arguments, program=program).report
            (entry,) = report["details"]["conflicts"]
            assert report["conflicts"] == 1
            told = [entry[key] for key in ("monday", "postgres", "agreed", "ever_agreed", "name")]
            assert told == ["on the board", "in SQL", "Roof 1", True, "Job 1"]
    assert synced.sql(LOG) == [
        ("open", None, "nobody", None, "monday", "on the board", "on the board", "in SQL", "Roof 1", True)
    ]


def test_it_stays_one_row_however_often_it_is_looked_at(synced: Company) -> None:
    item = jobs(synced)[0]
    both_edit(synced, item)
    first = synced.sync("--on-conflict", "manual").report
    (number,) = synced.sql("SELECT id, at, run_id FROM monday_sync.sync_conflict")
    for run in (synced.sync, synced.push, synced.sync, synced.push):
        assert run("--on-conflict", "manual").code == 5
    assert synced.sql("SELECT id, at, run_id FROM monday_sync.sync_conflict") == [number]
    assert first["run_id"] == number[2]
    project(synced, item, description="in SQL, again")
    assert synced.sync("--on-conflict", "manual").code == 5
    assert synced.sql("SELECT id, at, run_id FROM monday_sync.sync_conflict") == [number]
    assert synced.value("SELECT postgres FROM monday_sync.sync_conflict") == "in SQL, again"


def test_a_direction_that_may_not_decide_leaves_it_open(synced: Company) -> None:
    item = jobs(synced)[0]
    both_edit(synced, item)
    assert synced.sync("--on-conflict", "manual").code == 5
    for program, policy in (("sync_monday_to_pg.py", "pg"), (PUSH, "monday")):
        for arguments in (("--test",), ()):
            ended = synced.run("--json", "--on-conflict", policy, *arguments, program=program)
            assert (ended.code, ended.report["conflicts"]) == (5, 1), (program, arguments)
    assert synced.sql("SELECT state, count(*) FROM monday_sync.sync_conflict GROUP BY 1") == [("open", 1)]


def put_back_on_monday(company: Company, item: int) -> None:
    company.sandbox.edit(item, {TEXT: "Roof 1"})


def put_back_in_sql(company: Company, item: int) -> None:
    project(company, item, description="Roof 1")


def made_equal(company: Company, item: int) -> None:
    project(company, item, description="on the board")


def taken_back(company: Company, item: int) -> None:
    put_back_on_monday(company, item)
    put_back_in_sql(company, item)


def left_alone(company: Company, item: int) -> None:
    """The option alone decides."""


def archived(company: Company, item: int) -> None:
    company.sandbox.archive(item)


IN_SQL = ("postgres", "postgres", "in SQL", "nobody", None)
SETTLED: dict[str, tuple[Callable[[Company, int], None], tuple[str, ...], str, tuple[object, ...], int]] = {
    "monday wins": (left_alone, ("--on-conflict", "monday"), "pull",
                    ("monday", "monday", "on the board", "postgres", "in SQL"), 5),
    "PostgreSQL wins": (left_alone, ("--on-conflict", "pg"), "push",
                        ("postgres", "postgres", "in SQL", "monday", "on the board"), 5),
    "made equal, seen by the pull": (made_equal, (), "pull", ("both", "both", "on the board", "nobody", None), 0),
    "made equal, seen by the push": (made_equal, (), "push, pull", ("both", "both", "on the board", "nobody", None), 0),
    "taken back in SQL": (put_back_in_sql, (), "pull", ("monday", "monday", "on the board", "nobody", None), 0),
    "taken back on monday, pull": (put_back_on_monday, (), "pull", IN_SQL, 0),
    "taken back on monday, push": (put_back_on_monday, (), "push", IN_SQL, 0),
    "taken back on both": (taken_back, (), "pull", ("both", "both", "Roof 1", "nobody", None), 0),
    "item left": (archived, (), "pull", ("nobody", "nobody", None, "monday", "on the board"), 0),
}  # fmt: skip


@pytest.mark.parametrize("how", SETTLED)
@pytest.mark.parametrize("opened_by", ["pull", "push"])
@pytest.mark.sampled(2)
def test_the_log_tells_how_it_ended(synced: Company, how: str, opened_by: str) -> None:
    do, arguments, runs, ending, code = SETTLED[how]
    item = jobs(synced)[0]
    both_edit(synced, item)
    sync_state = synced.push if opened_by == "push" else synced.sync
    assert sync_state("--on-conflict", "manual").code == 5
    do(synced, item)
    for run in runs.split(", "):
        ended = synced.push(*arguments) if run == "push" else synced.sync(*arguments)
    assert (ended.code, ended.report["conflicts"]) == (code, 0), ended.out
    (line,) = synced.sql(
        "SELECT winner, kept_from, kept, lost_from, lost, state, settled_by, settled_at >= at, monday, postgres, agreed"
        " FROM monday_sync.sync_conflict"
    )
    assert line[:5] == ending
    assert line[5] == "settled"
    assert line[7] is True
    assert line[8] == "on the board"
    assert line[10] == "Roof 1"
    assert [run().code for run in (synced.sync, synced.push, synced.sync)] == [0, 0, 0]
    assert synced.value("SELECT count(*) FROM monday_sync.sync_conflict") == 1


def test_what_a_killed_run_settled_is_told_by_the_next(synced: Company) -> None:
    """It was written down before the run ended: whoever ends next says it."""
    item = jobs(synced)[0]
    both_edit(synced, item)
    assert synced.push("--on-conflict", "pg").code == 5
    synced.sql("UPDATE monday_sync.sync_conflict SET told_by = NULL")
    ended = synced.run("-q")
    assert (ended.code, "in SQL" in ended.out) == (5, True)
    assert (synced.run("-q").code, synced.run("-q", program=PUSH).code) == (0, 0)


def test_a_cell_that_was_not_sent_has_not_lost(synced: Company) -> None:
    """PostgreSQL wins, but monday does not take its value: the conflict waits, and nothing is called lost."""
    item = jobs(synced)[0]
    phone = {"phone": "13035550199", "countryShortName": "US"}
    synced.sandbox.edit(item, {"email57__1": {"email": "board@mail.example", "text": "x"}, "phone_17__1": phone})
    project(synced, item, adjuster_email="no address", description="in SQL")
    ended = synced.push("--on-conflict", "pg")
    assert ended.code == 5
    assert (ended.report["settled"], ended.report["quarantined"], ended.report["items"]["update"]) == (0, 1, 1)
    assert synced.value("SELECT count(*) FROM monday_sync.sync_conflict") == 0


def test_the_name_and_the_role_of_a_person(synced: Company) -> None:
    item = jobs(synced)[0]
    synced.sandbox.edit(item, {"job_est_1_name__1": "Ann Lee"})
    assert synced.sync().code == 0
    synced.sandbox.edit(item, {"phone_10__1": {"phone": "13035550111", "countryShortName": "US"}})
    synced.sql("UPDATE users SET phone = '13035550122' WHERE name = 'Ann Lee'")
    ended = synced.run()
    assert ended.code == 5
    assert "users.phone (Estimator)" in ended.out


def test_a_joint_field_is_shown_whole(synced: Company) -> None:
    """Of an address of which one part was edited in SQL: as it would be written."""
    item = jobs(synced)[0]
    synced.sandbox.edit(item, {"dup__of_job_address0__1": "9 New St, Denver, CO 80202"})
    synced.sql("UPDATE properties SET city = 'Boulder' WHERE address LIKE '101 %'")
    ended = synced.run("--on-conflict", "manual", "--json")
    (entry,) = ended.report["details"]["conflicts"]
    assert entry["monday"] == "9 New St, Denver, CO 80202"
    assert "Boulder" in entry["postgres"]
    assert entry["agreed"] == "101 Main St, Denver, CO 80202"


def test_an_older_log_goes_on(synced: Company) -> None:
    """What lost under an earlier version is no news; what was open stays one row and is completed."""
    item, other = jobs(synced)[:2]
    synced.sandbox.edit(other, {TEXT: "later"})
    project(synced, other, description="SQL")
    assert synced.sync().code == 5
    both_edit(synced, item)
    assert synced.sync("--on-conflict", "manual").code == 5
    synced.sql(
        "ALTER TABLE monday_sync.sync_conflict DROP COLUMN monday, DROP COLUMN postgres, DROP COLUMN agreed,"
        " DROP COLUMN ever_agreed, DROP COLUMN settled_at, DROP COLUMN settled_by, DROP COLUMN winner,"
        " DROP COLUMN told_by; UPDATE monday_sync.sync_schema SET version = 5"
    )
    assert synced.sync("--test", "--on-conflict", "manual").code == 5
    assert synced.push("--test", "--on-conflict", "manual").code == 5
    assert synced.sync("--on-conflict", "manual").report["settled"] == 0
    opened = synced.sql("SELECT postgres, agreed FROM monday_sync.sync_conflict WHERE state = 'open'")
    assert opened == [("in SQL", "Roof 1")]
    assert synced.value("SELECT winner FROM monday_sync.sync_conflict WHERE state = 'settled'") == "monday"
