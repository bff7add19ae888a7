"""`--json` is one object in every ending, and the report fits the page that it is shown on."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

import pytest

from reconcile.errors import Exit
from run.report import BoardReport, IssueList, ItemsReport, Report, as_text
from tests.support.company import PUSH, ROOT, Company, Ended
from tests.support.pushing import jobs, project

PULL = "sync_monday_to_pg.py"
TEXT = "text40__1"


def one_object(ended: Ended, code: int) -> dict[str, object]:
    assert ended.code == code, (ended.out, ended.err)
    assert ended.out.count("\n") == 1
    report: dict[str, object] = json.loads(ended.out)
    assert (report["version"], report["exit_code"]) == (1, code)
    return report


ENDINGS: dict[str, tuple[dict[str, str], tuple[str, ...], int, str]] = {
    "no database": ({"DATABASE_URL": ""}, (), 2, "DATABASE_URL"),
    "no token": ({"MONDAY_API_KEY": ""}, (), 2, "MONDAY_API_KEY"),
    "no such option": ({}, ("--no-such-option",), 2, "--no-such-option"),
    "no number": ({}, ("--limit", "many"), 2, "--limit"),
    "a contradiction": ({}, ("-q", "-v"), 2, "contradict"),
    "an option in the environment": ({"SYNC_LIMIT": "many"}, (), 2, "many"),
}


@pytest.mark.parametrize("case", ENDINGS)
@pytest.mark.parametrize("program", [PULL, PUSH])
def test_each_failure_is_one_object_with_its_reason(synced: Company, case: str, program: str) -> None:
    settings, arguments, code, reason = ENDINGS[case]
    synced.overrides |= settings
    if program == PUSH:
        project(synced, jobs(synced)[0], description="in SQL")
    report = one_object(synced.run("--json", *arguments, program=program), code)
    assert reason in str(report["reason"])
    assert report["direction"] == ("pg_to_monday" if program == PUSH else "monday_to_pg")
    assert report.keys() >= {"boards", "tables", "details", "changes", "changes_count", "stages"}


def test_json_asked_for_in_the_environment(synced: Company) -> None:
    synced.overrides |= {"SYNC_JSON": "1", "SYNC_LIMIT": "0"}
    assert "limit" in str(one_object(synced.run(), 2)["reason"]).lower()


def test_a_bug_is_no_success(synced: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    import pull.apply

    def broken(*_args: object, **_kwargs: object) -> None:
        raise ZeroDivisionError("a cell's value")

    said: list[str] = []
    monkeypatch.setattr(pull.apply, "plan_pull", broken)
    monkeypatch.setattr("terminal.say.click.echo", said.append)
    synced.sandbox.edit(jobs(synced)[0], {TEXT: "edited"})
    with pytest.raises(ZeroDivisionError):
        synced.run("--json")
    report = json.loads(said[0])
    assert (report["exit_code"], report["reason"].split(":")[0]) == (1, "ZeroDivisionError")
    assert "a cell's value" not in said[0]


@pytest.mark.parametrize("saved", [True, False])
def test_list_cache(company: Company, saved: bool) -> None:
    if saved:
        assert company.sync("--full").code == 0
    report = one_object(company.run("--json", "--list-cache"), 0)
    caches = report["caches"]
    assert isinstance(caches, list)
    assert [entry["board"] for entry in caches] == (["master", "staff"] if saved else [])
    assert all(entry["complete"] and entry["items"] for entry in caches)


def test_changes_with_before_and_after(synced: Company) -> None:
    item = jobs(synced)[0]
    row = synced.project(item, "id::text")
    synced.sandbox.edit(item, {TEXT: "from the board"})
    for arguments in (("--test",), ()):
        report = synced.sync(*arguments).report
        assert report["changes_count"] == 1
        assert report["changes"] == [
            {"action": "update", "board": "master", "item": item, "table": "projects", "row": row,
             "field": "projects.description", "column": TEXT, "before": "Roof 1", "after": "from the board",
             "reason": "edited on monday"}
        ]  # fmt: skip
    assert synced.sync().report["changes"] == []
    project(synced, item, description="in SQL")
    for arguments in (("--test",), ()):
        report = synced.push(*arguments).report
        assert report["changes"] == [
            {"action": "update", "board": "master", "item": item, "table": "projects", "row": row,
             "field": "projects.description", "column": TEXT, "before": "from the board", "after": "in SQL",
             "reason": "edited in PostgreSQL"}
        ]  # fmt: skip
    assert synced.value("SELECT count(*) FROM monday_sync.sync_run WHERE summary::text LIKE '%in SQL%'") == 0


def test_new_rows_are_counted_and_listed(company: Company) -> None:
    report = company.sync().report
    assert report["changes_count"] == sum(table["insert"] for table in report["tables"].values())
    assert {change["action"] for change in report["changes"]} == {"insert"}


# On a terminal --------------------------------------------------------------------------------------------------------


def full_report(code: Exit = Exit.PERSON_NEEDED, *, push: bool = False) -> Report:
    direction = "pg_to_monday" if push else "monday_to_pg"
    report = Report("20261123T140924-ee9636", direction, True, items=ItemsReport(3, 1, 0, 2117) if push else None)
    report.boards = {
        "master": BoardReport(1, "MASTER PROJECT BOARD", 20_000, True, "full", 20_000, 20_000),
        "staff": BoardReport(2, "SALES STAFF BOARD", 120, True, "incremental", 120, 3),
    }
    for table in report.tables.values():
        table.insert, table.update, table.unchanged = 20_000, 12_345, 7
    report.notes = ["A sentence for a person that is long enough to be broken at every width that anybody has."]
    report.samples = ['projects.estimated_value  item 6727300555 "The Smith family roof…"  22,473.55 → 23,723.55'] * 3
    report.differences = ["projects.estimated_value  item 6727300555  what monday shows | what the row holds"]
    detail = {"board": "master", "item": 6727300555, "column": 'numbers0 ("Total price")', "reason": "no amount " * 12}
    report.quarantined = IssueList(9, 2, (detail,))
    place = {"board": "master", "item": 6727300555, "name": "Smith", "table": "projects", "field": "projects.name/m:p"}
    both = place | {"monday": "a " * 40, "postgres": "b " * 40, "agreed": None, "ever_agreed": True}
    report.conflicts = IssueList(1, 1, (both,))
    kept = {"kept": "monday", "kept_value": "a " * 40, "lost": "postgres", "lost_value": None}
    report.settled = IssueList(1, 1, (place | kept,))
    report.fanned = IssueList(1, 1, ({"row": "users.0e0e0e0e-0000-4000-8000-000000000001", "items": 30},))
    report.monday |= {"requests": 1, "complexity": 1_118_543, "mutations": 3}
    report.exit_code, report.digest, report.planned = code, "5b4a2048ecb7", True
    report.reason = "Refused, nothing was written: because of something that takes a line and a half to say here."
    return report


@pytest.mark.parametrize("push", [False, True])
@pytest.mark.parametrize("code", [Exit.DONE, Exit.REFUSED, Exit.PERSON_NEEDED, Exit.UNAVAILABLE])
@pytest.mark.parametrize("width", [100, 80, 60])
def test_a_report_fits_the_page_and_breaks_no_word(width: int, code: Exit, push: bool) -> None:
    wide = as_text(full_report(code, push=push), 1, 100)
    text = as_text(full_report(code, push=push), 1, width)
    assert max(map(len, text.splitlines())) <= width, text
    assert {*text.split()} - {"PROJECT…"} <= {*wide.split()}  # a board's title alone may be cut, after a word


def test_one_request_and_no_share_of_an_incremental_read() -> None:
    report = full_report()
    assert " 1 request " in as_text(report).replace("·", " ")
    report.boards["master"].mode = "incremental"
    assert "an item" not in as_text(report).split("Needs a person")[-1].split("exit")[0].splitlines()[-1]
    assert ", 55 an item" in as_text(full_report())


def terminal(company: Company, columns: int, *arguments: str, **more: str) -> str:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, PULL, *arguments], cwd=ROOT, stdout=theirs, stderr=subprocess.DEVNULL,
        env={**company.environment, "TERM": "xterm", "COLUMNS": str(columns), **more},
    ) as process:  # fmt: skip
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 65_536):
                shown += part
        except OSError:  # the other end is closed
            pass
        process.wait(timeout=60)
    os.close(ours)
    return shown.decode()


@pytest.mark.parametrize(("columns", "plain"), [(80, False), (60, True)])
def test_a_terminal_gets_colour_where_a_person_is_needed(synced: Company, columns: int, plain: bool) -> None:
    synced.sandbox.edit(jobs(synced)[0], {TEXT: "on the board"})
    project(synced, jobs(synced)[0], description="in SQL")
    more = {"NO_COLOR": "1"} if plain else {}
    text = terminal(synced, columns, "--on-conflict", "manual", **more)
    assert ("\x1b[33m" in text) is not plain
    assert max(len(line) for line in text.replace("\x1b[33m", "").replace("\x1b[1m", "").splitlines()) <= columns + 4
    assert "exit 5" in " ".join(text.split())
    assert "\x1b[33m" not in synced.run("--on-conflict", "manual").out
