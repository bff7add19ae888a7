"""`sync_status.py history`: the runs and the gaps between them, one run's changes, the life of an item or a cell."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import pytest

from tests.support.company import PUSH, Company
from tests.support.past import changed, ran
from tests.support.pushing import jobs, project


def words(text: str) -> str:
    return " ".join(text.split())


def test_a_line_a_run(synced: Company) -> None:
    synced.overrides = {"COLUMNS": "100"}
    project(synced, jobs(synced)[0], description="typed in SQL")
    assert synced.push().code == 0
    ended = synced.window("history")
    assert (ended.code, ended.err) == (0, "")
    head, push, pull = ended.out.splitlines()
    assert words(head).startswith("run begun (")
    assert words(head).endswith("direction took outcome items rows new calls")
    newest, first = synced.sql("SELECT right(run_id, 6) FROM monday_sync.sync_run ORDER BY started_at DESC")
    assert push.split()[0] == newest[0]
    assert "PostgreSQL → monday" in push
    assert push.split()[-5:-3] == ["done", "1"]
    assert pull.split()[0] == first[0]
    assert "monday → PostgreSQL" in pull
    rows = synced.value("SELECT count(*) FROM monday_sync.sync_row")
    assert pull.split()[-5:-1] == ["done", "0", str(rows), "0"]


@pytest.mark.parametrize("columns", [80, 100, 160])
def test_a_line_a_run_on_any_terminal(synced: Company, columns: int) -> None:
    for _run in range(3):
        assert synced.push().code == 0
    synced.overrides = {"COLUMNS": str(columns)}
    lines = synced.window("history").out.splitlines()
    assert len(lines) == 5
    assert max(map(len, lines)) <= columns


def test_a_gap_is_named_where_it_was(synced: Company) -> None:
    synced.sql("DELETE FROM monday_sync.sync_run")
    runs = [ran(synced, timedelta(hours=hours)) for hours in (31, 30, 29, 3, 2, 1)]
    ran(synced, timedelta(hours=29.5), direction="pg_to_monday")
    lines = synced.window("history").out.splitlines()
    (gap,) = [number for number, line in enumerate(lines) if "no run monday → PostgreSQL for 26 h" in line]
    assert runs[2][-6:] in lines[gap + 1]
    assert runs[3][-6:] in lines[gap - 1]
    assert "no run PostgreSQL → monday for 29 h" in lines[gap + 2]  # it goes on until now
    rows = synced.window("history", "--json").report["rows"]
    assert {row["run_id"]: row["gap_s"] for row in rows}[runs[2]] == 26 * 3_600
    assert "---" not in synced.window("history", "--failed").out


def test_which_runs(synced: Company) -> None:
    ran(synced, timedelta(days=9), code=7, reason="temporary")
    killed = ran(synced, timedelta(days=2), code=None, direction="pg_to_monday")
    refused = ran(synced, timedelta(days=1), code=4, reason="too many rows would change")
    held = ran(synced, timedelta(days=1), code=6)

    def runs(*arguments: str) -> list[str]:
        return [row["run_id"] for row in synced.window("history", "--json", *arguments).report["rows"]]

    assert len(runs()) == 5
    assert runs("--failed", "--since", "7d") == [refused, killed]
    assert len(runs("--failed")) == 3
    assert held in runs("--since", "7d")
    assert len(runs("--limit", "2")) == 2
    outcomes = {row["run_id"]: row["outcome"] for row in synced.window("history", "--json").report["rows"]}
    assert (outcomes[killed], outcomes[refused], outcomes[held]) == ("killed", "refused", "held up")
    assert synced.window("history", "--failed", "--since", "1h").out.strip().startswith("no run that failed since ")


def test_it_says_how_many_more_there_are(synced: Company) -> None:
    for hours in range(1, 31):
        ran(synced, timedelta(hours=hours))
    out = synced.window("history").out
    assert "… 11 more of 31: python sync_status.py history --limit 0" in out
    assert synced.window("history", "--limit", "0").out.count("done") == 31
    assert "more of" not in synced.window("history", "--limit", "0").out
    ended = synced.window("history", "--format", "csv", "--limit", "1")
    assert "30 more of 31" in ended.err
    assert len(list(csv.DictReader(io.StringIO(ended.out)))) == 1
    assert synced.window("history", "--json").report["shown"] == 31


@pytest.fixture
def told(synced: Company) -> tuple[Company, str, int, str]:
    """A run that changed a description, a foreign key and an item's cell, and made a row."""
    item, other = jobs(synced)[:2]
    synced.overrides = {"COLUMNS": "100"}
    synced.sql("DELETE FROM monday_sync.sync_change")  # what the first run wrote
    row, run = synced.project(item, "id"), ran(synced, timedelta(hours=1), options={"on_conflict": "monday"})
    place: dict[str, Any] = {"item_id": item, "row_id": row}
    changed(
        synced, run, field="projects.description", before="Roof 1", after="Roof, red", column_id="text40__1", **place
    )
    changed(
        synced, run, field="projects.customer_id", before=synced.project(item, "customer_id"),
        after=synced.project(other, "customer_id"), reason="conflict, monday won", **place,
    )  # fmt: skip
    changed(synced, run, action="insert", item_id=other, row_id=synced.project(other, "id"), reason="first contact")
    cell: dict[str, Any] = {"wrote": "monday", "field": "projects.description", "reason": "edited in PostgreSQL"}
    changed(synced, run, before="x" * 5_000, after="=1+1\x1b[31m", column_id="text40__1", **cell, **place)
    return synced, run, item, row


def test_every_change_of_a_run(told: tuple[Company, str, int, str]) -> None:
    company, run, item, _row = told
    for name in (run, run[-6:], run[:-3]):
        ended = company.window("history", name)
        assert ended.code == 0, ended.err
        lines = ended.out.splitlines()
        assert lines[0] == f"run {run}, monday → PostgreSQL"
        assert "by cron on sync-host, took 2.5 s: done" in lines[1]
        assert lines[2] == "  options: on_conflict=monday"
        shown = [words(line) for line in lines[5:]]
        assert shown[0] == "wrote place before → after reason"
        assert shown[1] == f'"Job 1" (master board, item {item})'
        assert shown[2] == "PostgreSQL projects.description Roof 1 → Roof, red edited on monday"
        assert shown[3].startswith("PostgreSQL projects.customer_id Owner 1 → Owner 2 conflict, monday")
        assert shown[4].startswith('"Job 2" (')
        assert shown[5] == "PostgreSQL projects new row first contact"
        assert shown[7].startswith("monday projects.description xxxxx")
        assert "=1+1\\u" in shown[7]
        assert max(map(len, lines)) <= 100


def test_the_same_for_a_program(told: tuple[Company, str, int, str]) -> None:
    company, run, item, row = told
    found = company.window("history", run, "--json").report
    assert (found["run"]["run_id"], found["run"]["outcome"], found["total"]) == (run, "done", 4)
    first, key, new, cell = found["rows"]
    assert (first["before"], first["after"], first["row"], first["item"]) == ("Roof 1", "Roof, red", row, "Job 1")
    assert (first["board"], first["item_id"], first["column_id"], first["link"]) == ("master", item, "text40__1", None)
    assert key["before"] == company.project(item, "customer_id")
    assert (new["action"], new["before"], new["after"]) == ("insert", None, None)
    assert (cell["wrote"], len(cell["before"]), cell["after"]) == ("monday", 5_000, "=1+1\x1b[31m")
    out = company.window("history", run, "--format", "csv").out
    assert "\x1b" not in out
    assert list(csv.DictReader(io.StringIO(out)))[3]["after"] == "'=1+1\\u001b[31m"


def test_the_life_of_an_item_a_row_a_cell(told: tuple[Company, str, int, str]) -> None:
    company, run, item, row = told
    later = ran(company, timedelta(minutes=1), direction="pg_to_monday")
    changed(company, later, item_id=item, row_id=row, field="projects.description", before="Roof, red", after="Roof")
    changed(company, later, item_id=jobs(company)[2], field="projects.description", before="a", after="b")

    def lines(*arguments: str) -> list[tuple[str, str]]:
        rows = company.window("history", "--json", *arguments).report["rows"]
        return [(entry["run_id"], entry["wrote"]) for entry in rows]

    of_item = [(run, "postgres"), (run, "postgres"), (run, "monday"), (later, "postgres")]
    address = f"https://acme.monday.com/boards/6727219152/pulses/{item}"
    for arguments in (("--item", str(item)), ("--item", address), ("--row", f"projects/{row}")):
        assert lines(*arguments) == of_item
    assert lines("--row", f"projects/{row[:13]}", "--field", "projects.customer_id") == [(run, "postgres")]
    assert lines("--field", "projects.description") == [
        (run, "postgres"), (run, "monday"), (later, "postgres"), (later, "postgres"),
    ]  # fmt: skip
    assert lines("--field", "projects.description", "--item", str(item), later[-6:]) == [(later, "postgres")]
    assert lines("--item", str(item), "--since", "0s") == []
    out = company.window("history", "--item", str(item), "--limit", "1").out
    assert "Roof, red → Roof" in words(out)  # the newest
    assert f"… 3 more of 4: python sync_status.py history --item {item} --limit 0" in out


def test_where_the_account_is_known_an_item_has_its_link(told: tuple[Company, str, int, str]) -> None:
    company, run, item, _row = told
    company.sql("ALTER TABLE monday_sync.sync_board ADD COLUMN IF NOT EXISTS account_slug text")
    company.sql("UPDATE monday_sync.sync_board SET account_slug = 'acme'")
    link = f"https://acme.monday.com/boards/6727219152/pulses/{item}"
    assert f'"Job 1" ({link})' in company.window("history", run).out
    assert company.window("history", run, "--json").report["rows"][0]["link"] == link


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nothing",), "There is no run nothing: did you mean 20"),
        (("--item", "90000000021"), "Nothing is remembered of item 90000000021: did you mean 9000000002?"),
        (("--row", "project/7"), "There is no table project: did you mean projects?"),
        (("--row", "projects/zz"), "There is no row zz: did you mean "),
        (
            ("--field", "projects.descriptio"),
            "There is no field projects.descriptio: did you mean projects.description?",
        ),
        (("--field", "description"), "There is no field description: did you mean "),
        (("--since", "yesterday"), "is neither a length of time"),
        (("--failed", "--item", "9000000002"), "--failed picks runs"),
    ],
)
def test_what_there_is_not(synced: Company, arguments: tuple[str, ...], says: str) -> None:
    ended = synced.window("history", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert says in words(ended.err)


def test_an_item_that_nothing_was_written_of(synced: Company) -> None:
    ended = synced.window("history", "--item", str(jobs(synced)[0]), "--since", "0s")
    assert (ended.code, ended.out.strip()) == (0, "nothing was written of it since that is recorded")


def test_a_run_of_which_the_record_is_gone(told: tuple[Company, str, int, str]) -> None:
    company, run, _item, _row = told
    company.sql("DELETE FROM monday_sync.sync_run WHERE run_id = %s", run)
    ended = company.window("history", run)
    assert (ended.code, "Roof 1 → Roof, red" in ended.out) == (0, True)


def test_it_is_the_same_behind_every_option_of_the_push(synced: Company) -> None:
    """What a run was told to do stands beside it."""
    run = synced.run("--json", "--max-create", "0", program=PUSH).report["run_id"]
    assert "max_create=0" in synced.window("history", run).out
