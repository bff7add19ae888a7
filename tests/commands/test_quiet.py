"""What `-q` prints: everything that is new, once, each line with the time, the command and the run; else nothing."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sandbox import MASTER_BOARD_ID
from tests.support.company import PUSH, Company, Ended
from tests.support.pushing import jobs, project

pytestmark = pytest.mark.usefixtures("impatient")

PULL = "sync_monday_to_pg.py"
LINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d (sync_\w+\.py) run (\d{8}T\d{6}-[0-9a-f]{6}|-): ( *\S.*)"
)
PRICE, TEXT, EMAIL = "numbers0", "text40__1", "email57__1"


def said(company: Company, *arguments: str, program: str = PULL, code: int | None = None) -> list[str]:
    """What a quiet run says, without what stands before each line; on stdout and stderr together."""
    ended = company.run("-q", *arguments, program=program)
    assert code in (None, ended.code), ended
    return signed(ended, program)


def signed(ended: Ended, program: str) -> list[str]:
    lines = [LINE.fullmatch(line) for line in (ended.out + ended.err).splitlines()]
    assert None not in lines, ended
    assert {line[1] for line in lines if line} <= {program}
    return [line[3] for line in lines if line]


def silent(company: Company, code: int = 5) -> None:
    """Nothing is new, for either command, twice over."""
    for program in (PULL, PUSH, PULL, PUSH):
        assert said(company, program=program, code=code) == []


# Things that become new: what happens, which command finds it, and what its line says


def _bad_price(company: Company) -> None:
    company.sandbox.edit(jobs(company)[0], {PRICE: "1000000000000"})


def _too_long(company: Company) -> None:
    company.sandbox.edit(jobs(company)[0], {TEXT: "more than eight signs"})


def _bad_email(company: Company) -> None:
    project(company, jobs(company)[0], adjuster_email="no address")


def _both(company: Company) -> None:
    company.sandbox.edit(jobs(company)[0], {TEXT: "on the board"})
    project(company, jobs(company)[0], description="in SQL")


def _astray(company: Company) -> None:
    company.sql("INSERT INTO projects (item_name, monday_item_id) VALUES ('nobody', 4711)")


def _unreadable(company: Company) -> None:
    company.sql("INSERT INTO storms (date_of_loss) VALUES ('infinity')")


def _namesakes(company: Company) -> None:
    for number, name in enumerate(("B Mutual", "B+ Mutual")):
        company.sandbox.edit(jobs(company)[number], {"text31__1": name})


NEWS: dict[str, tuple[Callable[[Company], object], tuple[str, ...], tuple[str, ...], str, int]] = {
    "a value that cannot be stored": (_bad_price, (PULL,), (), "set aside: master item", 5),
    "a value that monday refuses": (_bad_email, (PUSH,), (), "set aside: master item", 5),
    "an open conflict": (_both, (PULL, PUSH), ("--on-conflict", "manual"), "edited on both sides, and open: item", 5),
    "an id that is nobody's": (_astray, (PULL,), ("--full",), "set aside: master item 4711", 5),
    "a value that no run can read": (_unreadable, (PULL, PUSH), (), "set aside: PostgreSQL", 5),
}


@pytest.mark.parametrize(("case", "program"), [(case, program) for case, entry in NEWS.items() for program in entry[1]])
def test_what_is_new_is_said_once(synced: Company, case: str, program: str) -> None:
    happens, _programs, arguments, says, code = NEWS[case]
    happens(synced)
    for _rehearsal in range(2):  # which says it, and has not said it
        (line,) = [line for line in said(synced, "--test", *arguments, program=program) if line.startswith(says)]
    told = [line for line in said(synced, *arguments, program=program, code=code) if line.startswith(says)]
    assert len(told) == 1, (case, line)
    assert all(not line.startswith(says) for line in said(synced, *arguments, program=program, code=code))
    for again in (PULL, PUSH):
        assert said(synced, "--on-conflict", "manual", program=again, code=code) == []


@pytest.mark.parametrize("loud", [(), ("--json",), ("-v",)], ids=["a report", "--json", "-v"])
def test_a_run_that_is_not_quiet_says_it_too(synced: Company, loud: tuple[str, ...]) -> None:
    _bad_price(synced)
    _both_on_second(synced)
    assert synced.run("--on-conflict", "manual", *loud).code == 5
    assert said(synced, "--on-conflict", "manual", code=5) == []


def _both_on_second(company: Company) -> None:
    company.sandbox.edit(jobs(company)[1], {TEXT: "on the board"})
    project(company, jobs(company)[1], description="in SQL")


def test_a_thing_that_comes_back_is_news_again(synced: Company) -> None:
    for _time in range(2):
        _bad_price(synced)
        assert len(said(synced, code=5)) == 1
        silent(synced)
        synced.sandbox.edit(jobs(synced)[0], {PRICE: "77"})
        assert said(synced, code=0) == []


def test_another_bad_value_in_the_place_of_one_is_news(synced: Company) -> None:
    _bad_email(synced)
    assert len(said(synced, program=PUSH, code=5)) == 1
    silent(synced)
    assert said(synced, "--retry-dead", program=PUSH, code=5) == []
    project(synced, jobs(synced)[0], adjuster_email="still none")
    assert len(said(synced, program=PUSH, code=5)) == 1
    silent(synced)


def test_more_than_a_list_holds_are_counted_and_said_once(company: Company) -> None:
    for number in range(120):
        company.sandbox.create(MASTER_BOARD_ID, f"Bad {number}", {PRICE: "1000000000000"})
    lines = said(company, code=5)
    assert len([line for line in lines if line.startswith("set aside")]) == 100
    assert lines[-1].startswith("20 more values set aside")
    assert said(company, "--full", code=5) == []


@pytest.mark.parametrize("program", [PULL, PUSH])
def test_a_quiet_day_is_silent(synced: Company, program: str) -> None:
    assert said(synced, program=program, code=0) == []
    synced.sandbox.edit(jobs(synced)[0], {PRICE: "5"})
    assert said(synced, code=0) == []
    assert said(synced, program=PUSH, code=0) == []
    project(synced, jobs(synced)[0], description="typed in SQL")
    assert said(synced, code=0) == []  # a push was here lately: it will send it, or say why not
    assert said(synced, program=PUSH, code=0) == []


def test_rows_that_wait_while_nobody_pushes_are_said_once(synced: Company) -> None:
    project(synced, jobs(synced)[0], description="typed in SQL")
    (line,) = said(synced, code=0)
    assert "1 row holds something that monday.com does not show yet, and no sync_pg_to_monday.py has ended well" in line
    assert said(synced, code=0) == []
    project(synced, jobs(synced)[1], description="typed in SQL, too")
    (line,) = said(synced, code=0)
    assert "(1 of them new)" in line
    assert said(synced, program=PUSH, code=0) == []
    assert synced.value("SELECT count(*) FROM monday_sync.sync_told") == 2
    assert said(synced, code=0) == []
    assert synced.value("SELECT count(*) FROM monday_sync.sync_told") == 0
    synced.sql(
        "UPDATE monday_sync.sync_run SET finished_at = finished_at - interval '9 days' WHERE direction = 'pg_to_monday'"
    )
    project(synced, jobs(synced)[0], description="and again")
    (line,) = said(synced, code=0)
    assert "for 9 days" in line


def test_a_row_on_too_many_items_is_said_once(company: Company) -> None:
    for number in range(30):
        company.sandbox.create(MASTER_BOARD_ID, f"Job {number}", {"text31__1": "Big Mutual"})
    name = next(c for c in company.sandbox.item(jobs(company)[-1])["cells"] if c != "name")
    assert company.landed()["tables"]["insurances"]["insert"] == 1, name
    company.sql("UPDATE insurances SET company_name = 'Bigger Mutual'")
    (line,) = said(company, program=PUSH, code=5)
    assert line.startswith("waits: insurances.")
    assert "--allow-fanout" in line
    assert said(company, program=PUSH, code=5) == []
    assert said(company, "--allow-fanout", program=PUSH, code=0) == []
    company.sql("UPDATE insurances SET company_name = 'Biggest Mutual'")
    assert len(said(company, program=PUSH, code=5)) == 1


def test_what_waits_for_the_other_command_is_said_once(synced: Company) -> None:
    assert said(synced, program=PUSH, code=0) == []
    _both(synced)
    (line,) = said(synced, program=PUSH)
    assert line.startswith(f"waits: projects.{synced.project(jobs(synced)[0], 'id')}")
    assert said(synced, program=PUSH) == []
    (line,) = said(synced, code=5)
    assert line.startswith("an edit lost: item")
    silent(synced, code=0)


# The machine


def _no_folder(company: Company, name: str) -> Path:
    folder = company.folder / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.write_text("in the way")
    return folder


@pytest.mark.parametrize("name", ["logs", "cache", "state"])
def test_a_folder_that_cannot_be_written_is_said_once(synced: Company, name: str) -> None:
    folder = _no_folder(synced, name)
    arguments = ("--full",) if name == "cache" else ()
    (line,) = said(synced, *arguments, code=0)
    assert line.startswith(f"warning: the {name.rstrip('s')} folder {folder} cannot be written")
    for _time in range(2):
        assert said(synced, *arguments, code=0) == []
        assert said(synced, program=PUSH, code=0) == []
    folder.unlink()
    assert said(synced, *arguments, code=0) == []
    _no_folder(synced, name)
    assert len(said(synced, *arguments, code=0)) == 1


# What fails


FAILURES: dict[str, tuple[Callable[[Company], Any], int]] = {
    "the token died": (lambda c: c.sandbox.set_token("another"), 2),
    "a column is gone": (lambda c: c.sandbox.remove_column(MASTER_BOARD_ID, PRICE), 3),
    "monday is down": (lambda c: c.sandbox.stop(), 7),
    "the database is down": (lambda c: c.overrides.update(DATABASE_URL="postgresql://a:b@127.0.0.1:1/x"), 7),
    "a setting is wrong": (lambda c: c.overrides.update(MONDAY_BOARD_ID_DATA="x"), 2),
    "another run is at work": (
        lambda c: c.sql(
            "UPDATE monday_sync.sync_lease SET holder = 'elsewhere:1:a.b.c', expires_at = now() + interval '1 min'"
        ),
        6,
    ),
}


@pytest.mark.parametrize("case", FAILURES)
@pytest.mark.parametrize("program", [PULL, PUSH])
def test_a_failure_is_said_each_time(synced: Company, case: str, program: str) -> None:
    happens, code = FAILURES[case]
    happens(synced)
    project(synced, jobs(synced)[0], description="so that the push asks monday")
    for _time in range(2):
        lines = said(synced, program=program, code=code)
        assert [line for line in lines if line.startswith("error: ")], lines


@pytest.mark.parametrize("arguments", [("--limit", "0"), ("--nonsense",), ("--verbose",)])
@pytest.mark.parametrize("program", [PULL, PUSH])
def test_wrong_options_are_one_line(synced: Company, program: str, arguments: tuple[str, ...]) -> None:
    (line,) = said(synced, *arguments, program=program, code=2)
    assert line.startswith("error: ")


def test_every_line_of_a_bug_is_signed(synced: Company) -> None:
    synced.overrides["SYNC_QUIET"] = "1"
    synced.sql(
        "CREATE FUNCTION boom() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'x'; END $$;"
        "CREATE TRIGGER boom BEFORE UPDATE ON monday_sync.sync_lease FOR EACH ROW EXECUTE FUNCTION boom()"
    )
    ended = synced.process()
    assert ended.code == 1
    assert signed(ended, PULL)


def test_what_a_failed_run_has_set_aside_is_said_by_the_next(synced: Company) -> None:
    """A run tells of what it found with its last transaction: a list that was kept before is news until then."""
    synced.sql(
        "INSERT INTO monday_sync.sync_dead (kind, board_id, item_id, place, reason, run_id)"
        " VALUES ('op', %s, %s, %s, 'too odd', '20261101T000000-abcdef')",
        MASTER_BOARD_ID, jobs(synced)[0], EMAIL,
    )  # fmt: skip
    (line,) = said(synced, code=5)
    assert line.startswith(f"set aside: master item {jobs(synced)[0]}, {EMAIL}")
    assert said(synced, code=5) == []


def test_in_json_what_is_new_is_counted(synced: Company) -> None:
    _bad_price(synced)
    first, second = synced.sync().report, synced.sync().report
    assert (first["quarantined"], first["new"]["quarantined"]) == (1, 1)
    assert (second["quarantined"], second["new"]["quarantined"]) == (1, 0)


def test_a_database_of_the_version_before_is_told_nothing_again(synced: Company) -> None:
    _bad_price(synced)
    assert synced.sync("--on-conflict", "manual").code == 5
    synced.sql(
        "ALTER TABLE monday_sync.sync_dead DROP told_by; ALTER TABLE monday_sync.sync_conflict DROP open_told_by;"
        "DROP TABLE monday_sync.sync_told; ALTER TABLE monday_sync.sync_run DROP reason, DROP plan, DROP host,"
        " DROP os_user, DROP pid, DROP options, DROP stages, DROP duration_s;"
        "UPDATE monday_sync.sync_schema SET version = 9"
    )
    for program in (PULL, PUSH):
        assert said(synced, "--test", program=program, code=5) == []
    silent(synced)
