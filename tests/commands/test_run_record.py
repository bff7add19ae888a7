"""The row of each run in `monday_sync.sync_run`: it says what `--json` says, who ran it where, and how it ended."""

from __future__ import annotations

import os
import pwd
import signal
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from postgres.runs import KILLED
from tests.support.company import PUSH, Company, Ended
from tests.support.killing import wait_until
from tests.support.pushing import jobs, project

pytestmark = pytest.mark.usefixtures("impatient")

PULL = "sync_monday_to_pg.py"
NOTE = "text43__1"
VALUES = {"details", "changes"}
"""What is not kept beside the run: it may hold values of cells."""


def row(company: Company, run_id: str) -> dict[str, Any]:
    (found,) = company.sql("SELECT to_jsonb(r) FROM monday_sync.sync_run r WHERE run_id = %s", run_id)
    told: dict[str, Any] = found[0]
    return told


def newest(company: Company) -> dict[str, Any]:
    return row(company, company.value("SELECT run_id FROM monday_sync.sync_run ORDER BY started_at DESC LIMIT 1"))


def agrees(company: Company, ended: Ended) -> dict[str, Any]:
    """The row of a run, which says key by key what its JSON said."""
    report = ended.report
    kept = row(company, report["run_id"])
    assert kept["summary"].keys() == report.keys()
    for key in report.keys() - VALUES:
        assert kept["summary"][key] == report[key], key
    for key in ("run_id", "direction", "exit_code", "reason", "duration_s", "stages"):
        assert kept[key] == report[key], key
    assert kept["plan"] == (report["plan"] or None)
    assert ended.code == kept["exit_code"]
    begun, finished = (datetime.fromisoformat(kept[name]) for name in ("started_at", "finished_at"))
    assert abs((finished - begun).total_seconds() - report["duration_s"]) < 1
    assert datetime.now(UTC) - finished < timedelta(minutes=1)
    return kept


def edit_both(company: Company) -> None:
    company.sandbox.edit(jobs(company)[0], {NOTE: "call first"})
    project(company, jobs(company)[1], description="typed in SQL")


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        (PULL, ()),
        (PULL, ("--full", "--limit", "3")),
        (PULL, ("--use-cache",)),
        (PULL, ("--resync",)),
        (PUSH, ()),
        (PUSH, ("--board", "master", "--max-create", "0")),
    ],
)
@pytest.mark.parametrize("edited", [False, True], ids=["nothing to do", "edits"])
def test_the_row_says_what_the_json_says(
    synced: Company, program: str, arguments: tuple[str, ...], edited: bool
) -> None:
    if edited:
        edit_both(synced)
    ended = synced.run("--json", *arguments, program=program)
    assert ended.code in (0, 5), ended.err
    kept = agrees(synced, ended)
    assert kept["duration_s"] > 0
    assert kept["stages"]
    assert kept["reason"] is None


def test_the_first_run_of_all_has_one_too(company: Company) -> None:
    kept = agrees(company, company.sync())
    assert {"fetch", "plan", "apply"} <= kept["stages"].keys()
    assert kept["duration_s"] >= sum(kept["stages"][name] for name in ("fetch", "plan", "apply")) > 0
    assert kept["plan"]


def test_who_ran_it_where_and_with_which_options(synced: Company) -> None:
    ended = synced.process("--json", "--full", "--on-conflict", "pg", "--skip-column", "numbers0")
    kept = agrees(synced, ended)
    assert kept["options"] == {"full": True, "on_conflict": "pg", "skip_columns": ["numbers0"], "json": True}
    assert (kept["host"], kept["os_user"]) == (socket.gethostname(), pwd.getpwuid(os.geteuid()).pw_name)
    assert kept["pid"] not in (None, os.getpid())
    assert agrees(synced, synced.sync())["options"] == {"json": True}


def test_what_is_no_text_can_be_kept(synced: Company) -> None:
    synced.run("--skip-column", "\udcff", "--json")
    assert newest(synced)["options"]["skip_columns"] == ["\\udcff"]


def _forget_caches(company: Company) -> None:
    for path in (company.folder / "cache").iterdir():
        path.unlink()


def _drop_link(company: Company) -> None:
    company.sql("ALTER TABLE projects DROP link CASCADE")


def _clear_all(company: Company) -> None:
    for item in jobs(company):
        company.sandbox.edit(item, {"numbers0": ""})


FAILURES: dict[str, tuple[str, tuple[str, ...], Callable[[Company], object], int, str]] = {
    "the token died": (PULL, (), lambda c: c.sandbox.set_token("another"), 2, "token"),
    "a column is gone": (PULL, (), lambda c: c.sandbox.remove_column(6727219152, "numbers0"), 3, "numbers0"),
    "the API is down": (PULL, (), lambda c: c.sandbox.stop(), 7, "could not be reached"),
    "a table lacks a column": (PULL, (), _drop_link, 3, "link"),
    "the same in a push": (PUSH, (), _drop_link, 3, "link"),
    "no cache": (PULL, ("--use-cache", "--board", "master"), _forget_caches, 2, "no cache"),
    "a guard": (PULL, ("--max-change", "0"), _clear_all, 4, "Refused"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_run_that_fails_says_when_how_and_why(synced: Company, case: str) -> None:
    program, arguments, happens, code, says = FAILURES[case]
    happens(synced)
    synced.sandbox.advance(60)
    ended = synced.run("--json", *arguments, program=program)
    assert ended.code == code, ended.err
    kept = agrees(synced, ended)
    assert says in kept["reason"]
    assert kept["duration_s"] > 0


def test_a_bug_has_its_end_on_record(synced: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_given: object, **_more: object) -> None:
        raise ZeroDivisionError("canary")

    with monkeypatch.context() as patched:
        patched.setattr("pull.read.exclude_unconfirmed_creates", broken)
        with pytest.raises(ZeroDivisionError):
            synced.run()
    kept = newest(synced)
    assert (kept["exit_code"], kept["finished_at"] is None) == (1, False)
    assert kept["reason"].startswith("ZeroDivisionError")
    assert "canary" not in str(kept)
    assert synced.sync().code == 0  # nobody waits for its lease


def test_a_run_that_finds_another_at_work_is_on_record(synced: Company) -> None:
    synced.sql("UPDATE monday_sync.sync_lease SET holder = 'elsewhere:1:a.b.c', expires_at = now() + interval '1 min'")
    kept = agrees(synced, synced.sync())
    assert kept["exit_code"] == 6
    assert synced.value("SELECT holder FROM monday_sync.sync_lease") == "elsewhere:1:a.b.c"


def test_a_dry_run_leaves_no_row(synced: Company) -> None:
    count = synced.value("SELECT count(*) FROM monday_sync.sync_run")
    for program in (PULL, PUSH):
        assert synced.run("--test", program=program).code == 0
    synced.sandbox.set_token("another")
    assert synced.run("--test").code == 2
    assert synced.value("SELECT count(*) FROM monday_sync.sync_run") == count


def test_a_killed_run_is_seen_to_be_unfinished_and_marked_by_the_next(synced: Company) -> None:
    synced.sandbox.fault("latency", match="Changed", delay_s=1.5)
    with synced.start() as process:
        wait_until(lambda: synced.value("SELECT count(*) FROM monday_sync.sync_lease WHERE holder <> ''"))
        running = newest(synced)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert running["pid"] == process.pid
    assert [running[key] for key in ("finished_at", "exit_code", "reason", "summary")] == [None] * 4
    assert newest(synced) == running
    agrees(synced, synced.sync())
    marked = row(synced, running["run_id"])
    assert (marked["reason"], marked["finished_at"], marked["exit_code"]) == (KILLED, None, None)


@pytest.mark.parametrize("program", [PULL, PUSH])
def test_the_record_costs_no_round_trip(synced: Company, program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It travels with the statements that take the lease and let it go."""
    trips: list[int] = []
    close = "db_connector.Database.close"
    from db_connector import Database

    before = Database.close

    def counted(self: Database) -> None:
        trips.append(self.stats.round_trips)
        before(self)

    monkeypatch.setattr(close, counted)
    assert synced.run("--json", program=program).code == 0
    assert max(trips) == {PULL: 10, PUSH: 13}[program]  # as before there was a record of its beginning
