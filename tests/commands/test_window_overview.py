"""`sync_status.py` alone: one screen, and a last line that is a command which exists."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from options import VERSION
from sync_status import COMMANDS
from tests.support.company import PUSH, Company, Ended
from tests.support.past import changed, ran
from tests.support.pushing import jobs, project

PULL = "sync_monday_to_pg.py"
AGED = "UPDATE monday_sync.sync_run SET started_at = started_at - %s, finished_at = finished_at - %s"


def line(ended: Ended, head: str) -> str:
    (found,) = [line for line in ended.out.splitlines() if line.strip().startswith(head)]
    return found.strip().removeprefix(head).strip()


def next_command(ended: Ended) -> str:
    """The last line, which is a command that this program has."""
    command = ended.out.splitlines()[-1].strip()
    words = command.split()
    assert words[0] == "python"
    assert words[1] in (PULL, PUSH, "sync_status.py")
    assert words[1] != "sync_status.py" or words[2] in COMMANDS
    return command


def test_all_is_well(synced: Company) -> None:
    assert synced.push().code == 0
    ended = synced.window()
    assert (ended.code, ended.err) == (0, "")
    assert len(ended.out.splitlines()) <= 24
    assert max(map(len, ended.out.splitlines())) <= 100
    assert "Nothing failed and nothing is open." in ended.out
    for direction in ("monday → PostgreSQL", "PostgreSQL → monday"):
        assert line(ended, direction).startswith("last good run ")
    for board in ("master board", "staff board"):
        assert line(ended, board).startswith("last read completely ")
    assert line(ended, "edits waiting") == "monday: 0 (at the last read), PostgreSQL: 0 (now)"
    assert (line(ended, "open"), line(ended, "lease")) == ("nothing", "free")
    assert line(ended, "versions").startswith(f"monday-pg-sync {VERSION}, schema ")
    assert next_command(ended) == "python sync_status.py history"


def test_the_sides_are_named_in_order(synced: Company) -> None:
    out = synced.window().out
    assert out.index("monday → PostgreSQL") < out.index("PostgreSQL → monday")
    assert "local" not in out
    assert "remote" not in out


def test_the_same_in_json(synced: Company) -> None:
    told = synced.window("--json").report
    assert told["exit_code"] == 0
    assert told["directions"]["monday_to_pg"]["last_good"]["exit_code"] == 0
    assert told["directions"]["pg_to_monday"] == {
        "last": None, "last_good": None, "failed_since": 0, "newest_failed": None,
    }  # fmt: skip
    assert told["boards"].keys() == {"master", "staff"}
    assert told["boards"]["master"]["complete"]["age_s"] < 60
    assert (told["waiting"], told["open"], told["lease"]) == ({"monday": 0, "postgres": 0}, {}, None)
    assert told["next"]["command"] == "python sync_status.py history"
    assert told["calls"]["today"] > 0
    assert told["versions"]["program"] == VERSION


def test_edits_wait_in_each_direction(synced: Company) -> None:
    project(synced, jobs(synced)[0], description="typed in SQL")
    synced.sql("INSERT INTO projects (item_name) VALUES ('A job from SQL')")
    ended = synced.window()
    assert (ended.code, line(ended, "edits waiting")) == (0, "monday: 0 (at the last read), PostgreSQL: 2 (now)")
    assert next_command(ended) == f"python {PUSH} --test"
    assert synced.push().code == 0
    assert synced.sync().code == 0
    assert line(synced.window(), "edits waiting") == "monday: 0 (at the last read), PostgreSQL: 0 (now)"


def both_edited(company: Company, item: int) -> None:
    company.sandbox.edit(item, {"text40__1": "on the board"})
    project(company, item, description="in SQL")
    assert company.sync("--on-conflict", "manual").code == 5


def test_what_is_open_is_counted_by_kind_with_its_age(synced: Company) -> None:
    both_edited(synced, jobs(synced)[0])
    synced.sql("UPDATE monday_sync.sync_conflict SET at = at - interval '50 hours'")
    ended = synced.window()
    assert (ended.code, line(ended, "open")) == (5, "1 conflict (the oldest 50 h)")
    assert "1 thing is open." in ended.out
    assert next_command(ended) == "python sync_status.py conflicts"
    project(synced, jobs(synced)[1], adjuster_email="no address")
    assert synced.push("--on-conflict", "manual").code == 5
    ended = synced.window()
    assert "1 value that monday refused" in line(ended, "open")
    assert next_command(ended) == "python sync_status.py todo"
    told = synced.window("--json").report["open"]
    assert {kind: entry["count"] for kind, entry in told.items()} == {"conflict": 1, "op": 1}


@pytest.mark.parametrize(
    ("direction", "code", "says", "then"),
    [
        ("monday_to_pg", 7, "the last run monday → PostgreSQL failed.", f"python {PULL}"),
        ("pg_to_monday", 130, "the last run PostgreSQL → monday failed (stopped).", f"python {PUSH}"),
        ("pg_to_monday", None, "the last run PostgreSQL → monday was killed.", f"python {PUSH}"),
        (
            "monday_to_pg",
            4,
            "the last run monday → PostgreSQL failed (refused).",
            "python sync_status.py history {run}",
        ),
        (
            "pg_to_monday",
            2,
            "the last run PostgreSQL → monday failed (settings).",
            "python sync_status.py history {run}",
        ),
    ],
)
def test_a_run_that_failed(synced: Company, direction: str, code: int | None, says: str, then: str) -> None:
    assert synced.push().code == 0
    synced.sql(AGED, timedelta(hours=3), timedelta(hours=3))
    ran(synced, timedelta(hours=2), direction=direction, code=1, reason="a bug")
    run = ran(synced, timedelta(hours=1), direction=direction, code=code, reason="because")
    ended = synced.window()
    assert ended.code == 0
    assert says[1:] in " ".join(ended.out.split())
    assert "; 2 failed since; the newest: " in " ".join(ended.out.split())
    assert next_command(ended) == then.format(run=run)
    history = synced.window("history", run)
    assert (history.code, "why: because" in history.out) == (0, True)


def test_one_that_found_another_at_work_is_no_failure(synced: Company) -> None:
    ran(synced, timedelta(0), code=6)
    ended = synced.window()
    assert (ended.code, "Nothing failed" in ended.out) == (0, True)


def test_a_run_at_work(synced: Company) -> None:
    holder = "sync-host:4711:abc.1.token"
    run = ran(synced, timedelta(0), code=None)
    synced.sql("UPDATE monday_sync.sync_lease SET holder = %s, expires_at = now() + interval '1 minute'", holder)
    ended = synced.window()
    assert f"lease held by run {run}, pid 4711 on sync-host, until " in " ".join(ended.out.split())
    assert "the newest: at work" in " ".join(ended.out.split())
    assert "Nothing failed" in ended.out
    assert synced.window("--json").report["lease"]["run_id"] == run


@pytest.mark.parametrize(
    ("aged", "max_age", "code"),
    [("1 hour", None, 0), ("3 days", None, 0), ("1 hour", "2h", 0), ("3 hours", "2h", 7), ("3 hours", "1d", 0)],
)
def test_max_age(synced: Company, aged: str, max_age: str | None, code: int) -> None:
    assert synced.push().code == 0
    synced.sql(
        "UPDATE monday_sync.sync_run SET started_at = started_at - %s::interval,"
        " finished_at = finished_at - %s::interval;"
        " UPDATE monday_sync.sync_board SET last_full_at = last_full_at - %s::interval",
        aged, aged, aged,
    )  # fmt: skip
    ended = synced.window(*(("--max-age", max_age) if max_age else ()))
    assert ended.code == code, ended.out
    if code == 7:
        assert "the last complete read of the staff board is 3 h old" in " ".join(ended.out.split())
        assert next_command(ended) == f"python {PULL}"
    elif aged == "3 days":
        assert next_command(ended) == f"python {PULL}"


def test_a_direction_that_never_ran_is_too_old(synced: Company) -> None:
    ended = synced.window("--max-age", "9w")
    assert ended.code == 7
    assert "here was never a good run PostgreSQL → monday" in " ".join(ended.out.split())


@pytest.mark.parametrize("options", [{"limit": 5}, {"use_cache": True}])
def test_a_run_of_a_part_proves_nothing(synced: Company, options: dict[str, Any]) -> None:
    synced.sql(AGED, timedelta(hours=5), timedelta(hours=5))
    ran(synced, timedelta(minutes=5), options=options, summary={"boards": {"master": {"complete": False}}})
    assert synced.push().code == 0
    ended = synced.window("--max-age", "2h")
    assert ended.code == 7
    assert line(ended, "monday → PostgreSQL").startswith("last good run 5 h ago")


def test_calls_against_the_budget(synced: Company) -> None:
    used = float(synced.value("SELECT sum(calls) FROM monday_sync.sync_calls"))
    assert line(synced.window(), "calls today") == f"{used:g}, no limit set (SYNC_DAILY_CALLS)"
    synced.overrides = {"SYNC_DAILY_CALLS": "1000"}
    assert line(synced.window(), "calls today") == f"{used:g} of 1,000"


def test_a_row_that_was_deleted_is_open(synced: Company) -> None:
    synced.sql("DELETE FROM projects WHERE monday_item_id = %s", jobs(synced)[0])
    ended = synced.window()
    assert (ended.code, line(ended, "open")) == (5, "1 deleted row")


def test_a_history_changes_nothing_of_it(synced: Company) -> None:
    changed(synced, ran(synced, timedelta(days=1)), field="projects.name", before="a", after="b")
    assert synced.window().code == 0
