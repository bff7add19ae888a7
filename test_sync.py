"""The doctor, run as a script: `python test_sync.py [--demo] [--json] [-v]` looks at everything and changes nothing.

Collected by pytest: the command from end to end, over HTTP against a sandbox and on a real PostgreSQL.
"""

from __future__ import annotations

from cli.doctor.command import command
from terminal.streams import make_streams_safe

if __name__ == "__main__":
    make_streams_safe()
    command()  # ends the process: the doctor must work where pytest is not installed

import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reconcile.tables import TABLES
from sandbox import MASTER_BOARD_ID, STAFF_BOARD_ID, Sandbox, seed_world
from tests.support.company import Company, Ended
from tests.support.servers import Keywords

CONTRACT = {
    "version", "run_id", "direction", "dry_run", "exit_code", "duration_s", "boards", "tables", "conflicts",
    "quarantined", "would_merge", "waiting", "tolerated", "details", "notes", "plan", "monday", "stages", "calls",
    "reason", "settled", "changes", "changes_count", "unseen", "new",
}  # fmt: skip
BOARD_KEYS = {"board_id", "fetched", "complete", "mode", "items_count", "changed"}
MONDAY_KEYS = {"requests", "mutations", "complexity", "retries", "waited_s", "daily_calls"}
NOTE = "text43__1"
PRICE = "numbers0"


def wait_until(true: Callable[[], object]) -> None:
    """Poll until something another process does has happened."""
    for _ in range(1000):
        if true():
            return
        time.sleep(0.01)
    pytest.fail("waited ten seconds in vain")


def jobs(company: Company) -> list[int]:
    return company.sandbox.item_ids(MASTER_BOARD_ID)


@pytest.fixture(params=["direct", pytest.param("pooler", marks=pytest.mark.pooler)])
def firm(request: pytest.FixtureRequest, blank: Keywords, tmp_path: Path) -> Iterator[Company]:
    """150 projects and 20 people as a real company has them; its database directly and behind PgBouncer."""
    keywords = blank if request.param == "direct" else request.getfixturevalue("pooler").before(blank)
    with Sandbox(seed_world(items=150, staff=20, groups=4)) as sandbox:
        yield Company(sandbox, keywords, tmp_path)


# The main flow --------------------------------------------------------------------------------------------------------


def test_a_quiet_run_reads_no_burst_of_changes_again(blank: Keywords, tmp_path: Path) -> None:
    """The watermark follows monday's clock, where that agrees with ours, and not the last change alone."""
    with Sandbox(seed_world(items=0, staff=1)) as sandbox:
        sandbox.freeze(f"{datetime.now(UTC) - timedelta(minutes=20):%Y-%m-%dT%H:%M:%SZ}")
        for number in range(150):
            sandbox.create(MASTER_BOARD_ID, f"Job {number}")
        sandbox.advance(20 * 60)
        sandbox.thaw()
        company = Company(sandbox, blank, tmp_path)
        assert company.sync().code == 0
        quiet = company.sync()
        assert (quiet.writes, quiet.report["monday"]["requests"]) == (0, 1)


def test_first_load_second_run_and_edits(firm: Company) -> None:
    sandbox = firm.sandbox
    first = firm.landed()
    assert {name: board["fetched"] for name, board in first["boards"].items()} == {"master": 150, "staff": 20}
    assert all(board["complete"] and board["mode"] == "full" for board in first["boards"].values())
    assert firm.counts() == {table: entry["insert"] for table, entry in first["tables"].items()}
    assert all(firm.counts().values())
    assert dict(firm.sql("SELECT monday_item_id, item_name FROM projects")) == {
        item_id: sandbox.item(item_id)["name"].strip() for item_id in jobs(firm)
    }
    linked = firm.sql(
        "SELECT count(DISTINCT c.id), count(DISTINCT h.id), count(DISTINCT i.id), count(DISTINCT s.id), count(DISTINCT"
        " l.id), count(DISTINCT t.id), count(DISTINCT w.id) FROM projects p LEFT JOIN customers c ON c.id ="
        " p.customer_id LEFT JOIN properties h ON h.id = p.property_id LEFT JOIN insurances i ON i.id = p.insurance_id"
        " LEFT JOIN storms s ON s.id = p.storm_id LEFT JOIN policies l ON l.id = p.policy_id LEFT JOIN sales_teams t"
        " ON t.id = p.sales_team_id LEFT JOIN pa_law w ON w.id = p.pa_law_id"
    )[0]
    tables = ("customers", "properties", "insurances", "storms", "policies", "sales_teams", "pa_law")
    assert dict(zip(tables, linked, strict=True)) == {table: firm.counts()[table] for table in tables}
    assert sandbox.counters()["mutation_requests"] == 0

    before = firm.contents()
    sandbox.reset_counters()
    second = firm.sync()
    assert (second.code, second.writes) == (first["exit_code"], 0)
    assert sandbox.counters()["requests"] == second.report["monday"]["requests"] == 1
    after = firm.contents()
    moved = {table for table in after if after[table] != before[table]}
    assert moved <= {
        "monday_sync.sync_run",
        "monday_sync.sync_lease",
        "monday_sync.sync_board",
        "monday_sync.sync_calls",
    }

    sandbox.advance(60)
    edited = jobs(firm)[::30]
    for number, item_id in enumerate(edited):
        sandbox.edit(item_id, {PRICE: str(70 + number)})
    sandbox.reset_counters()
    third = firm.landed()
    assert third["tables"]["projects"] == {"insert": 0, "update": 5, "delete": 0, "unchanged": 145}
    assert sandbox.counters()["requests"] == 1
    assert [firm.project(item_id, "estimated_value") for item_id in edited] == [70, 71, 72, 73, 74]
    assert firm.value("SELECT count(*) FROM projects WHERE updated_at > created_at") == 5


@pytest.mark.parametrize("later", [False, True], ids=["on an empty database", "after edits"])
def test_a_dry_run_writes_nothing_and_tells_what_the_real_one_does(company: Company, later: bool) -> None:
    if later:
        company.landed()
        company.sandbox.edit(jobs(company)[0], {PRICE: "1"})
        company.sandbox.create(MASTER_BOARD_ID, "A new job", {"text65__1": "A new owner"})
    rows, boards = company.contents(), company.sandbox.digest()
    dry = company.landed("--test")
    assert (company.contents(), company.sandbox.digest()) == (rows, boards)
    assert company.sandbox.counters()["mutations"] == 0
    real = company.landed()
    assert dry["dry_run"]
    assert dry["plan"] == real["plan"] != ""
    counted = ("insert", "update", "delete")
    assert [[dry["tables"][table][key] for key in counted] for table in TABLES] == [
        [real["tables"][table][key] for key in counted] for table in TABLES
    ]
    assert bool(dry["notes"]) is not later  # what it would create


def test_a_process_of_its_own_prints_one_json_object(company: Company) -> None:
    ended = company.process("--json")
    report = ended.report
    assert (ended.code, ended.err) == (0, "")
    assert report.keys() == CONTRACT
    assert report["boards"]["master"].keys() == report["boards"]["staff"].keys() == BOARD_KEYS
    assert list(report["tables"]) == list(TABLES)
    assert all(table.keys() == {"insert", "update", "delete", "unchanged"} for table in report["tables"].values())
    assert report["monday"].keys() == MONDAY_KEYS
    assert report["stages"].keys() >= {"fetch", "plan", "apply"}
    assert (report["version"], report["direction"], report["dry_run"], report["exit_code"]) == (
        1, "monday_to_pg", False, 0,
    )  # fmt: skip


@pytest.mark.parametrize("arguments", [("--board", "staff"), ("--use-cache",), ("--limit", "1")])
def test_every_run_has_all_keys_of_the_json(synced: Company, arguments: tuple[str, ...]) -> None:
    report = synced.landed(*arguments)
    assert report.keys() == CONTRACT
    assert report["monday"].keys() >= MONDAY_KEYS - {"daily_calls"}


# Parts of the boards --------------------------------------------------------------------------------------------------


def test_a_limit_fetches_no_more_and_removes_nothing(synced: Company) -> None:
    gone, *rest = jobs(synced)
    synced.sandbox.archive(gone)
    report = synced.landed("--limit", "2")
    assert {name: board["fetched"] for name, board in report["boards"].items()} == {"master": 2, "staff": 2}
    assert not any(board["complete"] for board in report["boards"].values())
    assert synced.sandbox.counters()["items"] == 4
    assert synced.project(gone, "archived_at") is None
    assert len(rest) == 5
    synced.overrides["SYNC_LIMIT"] = "1"
    assert synced.landed()["boards"]["master"]["fetched"] == 1


def test_one_board_alone(company: Company) -> None:
    report = company.landed("--board", "staff")
    assert list(report["boards"]) == ["staff"]
    assert {table for table, count in company.counts().items() if count} == {"users"}
    assert company.landed("--board", "master")["tables"]["projects"]["insert"] == 6
    assert company.landed()["plan"] == ""


def test_full_reads_everything_again(synced: Company) -> None:
    report = synced.landed("--full")
    assert report["boards"]["master"]["mode"] == "full"
    assert report["plan"] == ""


def test_a_renamed_label_is_seen_although_no_item_changed(company: Company) -> None:
    team, sandbox = "job_division___1__1", company.sandbox
    sandbox.edit(jobs(company)[0], {team: {"label": "Storm Team"}})
    sandbox.advance(5 * 24 * 3600)
    sandbox.edit(jobs(company)[1], {PRICE: "5"})
    company.landed()
    sandbox.rename_label(MASTER_BOARD_ID, team, "Storm Team", "Wind Team")
    company.landed()
    of_project = "SELECT t.name FROM projects p JOIN sales_teams t ON t.id = p.sales_team_id WHERE monday_item_id = %s"
    assert company.value(of_project, jobs(company)[0]) == "Wind Team"
    assert company.landed()["boards"]["master"]["mode"] == "incremental"


def test_a_verbose_dry_run_lists_what_is_left_as_it_is(synced: Company) -> None:
    item_id = jobs(synced)[0]
    before = synced.project(item_id, "description")
    synced.sql("UPDATE projects SET description = 'typed in SQL' WHERE monday_item_id = %s", item_id)
    listed = synced.run("--test", "--resync", "-v").out
    assert f"item {item_id}  {before} | typed in SQL" in listed
    assert "Left as they are" not in synced.run("--test", "--resync").out


# The cache ------------------------------------------------------------------------------------------------------------


def test_a_cache_replays_without_monday_into_a_fresh_database(synced: Company) -> None:
    count, project = synced.counts(), synced.project(jobs(synced)[0], "id")
    synced.sandbox.stop()
    again = synced.landed("--use-cache")
    assert again["boards"]["master"]["mode"] == "cache"
    assert again["plan"] == ""
    synced.forget_everything()
    replayed = synced.landed("--use-cache")
    assert synced.counts() == count
    assert replayed["monday"]["requests"] == 0
    assert "saved" in synced.run("--use-cache", "--test").out
    assert synced.project(jobs(synced)[0], "id") == project
    synced.sandbox.start()
    synced.api_url = synced.sandbox.api_url
    for mode in ("full", "incremental"):  # the replay proved nothing about the boards, the read after it does
        report = synced.landed()
        assert (report["boards"]["master"]["mode"], report["plan"]) == (mode, "")


def test_caches_are_listed_and_chosen(synced: Company) -> None:
    old = sorted((synced.folder / "cache").glob("*.jsonl"))
    item_id = jobs(synced)[0]
    synced.sandbox.advance(60)
    synced.sandbox.edit(item_id, {PRICE: "5"})
    synced.landed("--full")
    listed = synced.run("--list-cache")
    assert listed.code == 0
    assert [line.split()[:4] for line in listed.out.splitlines()] == [
        ["master", "6", "items", "complete"], ["master", "6", "items", "complete"],
        ["staff", "2", "items", "complete"], ["staff", "2", "items", "complete"],
    ]  # fmt: skip
    synced.forget_everything()
    chosen = [part for path in old for part in ("--cache-file", str(path))]
    assert synced.landed(*chosen)["tables"]["projects"]["insert"] == 6
    assert synced.project(item_id, "estimated_value") == 1001
    assert synced.landed("--use-cache")["tables"]["projects"]["update"] == 1
    assert synced.project(item_id, "estimated_value") == 5
    older = synced.sync(*chosen)
    assert older.writes == 0
    assert any("older" in note for note in older.report["notes"])


# Both sides -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "kept", "code", "counts"),
    [
        ("monday", "typed on the board", 5, {"conflicts": 0, "recorded": ["typed in SQL"]}),
        ("pg", "typed in SQL", 0, {"conflicts": 0, "waiting": 1, "recorded": []}),  # the other direction settles it
        ("manual", "typed in SQL", 5, {"conflicts": 1, "waiting": 1, "recorded": ["typed on the board"]}),
    ],
)
def test_an_edit_on_both_sides(synced: Company, policy: str, kept: str, code: int, counts: dict[str, object]) -> None:
    item_id = jobs(synced)[0]
    synced.sandbox.edit(item_id, {"text40__1": "typed on the board"})
    synced.sql("UPDATE projects SET description = 'typed in SQL' WHERE monday_item_id = %s", item_id)
    for again in range(2):
        ended = synced.sync("--on-conflict", policy)
        news = 0 if again and policy == "monday" else code  # an edit that lost is news once
        assert (ended.code, synced.project(item_id, "description")) == (news, kept)
        recorded = [lost for (lost,) in synced.sql("SELECT DISTINCT lost FROM monday_sync.sync_conflict")]
        assert {name: ended.report.get(name, recorded) for name in counts} == counts


def test_an_edit_in_sql_waits_for_the_other_direction(synced: Company) -> None:
    item_id = jobs(synced)[0]
    synced.sql("UPDATE projects SET description = 'typed in SQL' WHERE monday_item_id = %s", item_id)
    report = synced.landed("--full")
    assert (report["waiting"], report["plan"]) == (1, "")
    assert synced.project(item_id, "description") == "typed in SQL"


def test_a_row_deleted_in_sql_stays_away_until_its_item_is_edited(synced: Company) -> None:
    item_id = jobs(synced)[0]
    owner = "(SELECT id FROM customers WHERE name = 'Owner 1')"
    synced.sql(
        "DELETE FROM projects WHERE monday_item_id = %s;"
        f"DELETE FROM properties WHERE customer_id = {owner}; DELETE FROM customers WHERE id = {owner}",
        item_id,
    )
    assert synced.landed("--full")["plan"] == ""
    synced.sandbox.edit(item_id, {PRICE: "77", NOTE: "call first"})
    assert synced.landed()["conflicts"] == 0
    whole = synced.sql(
        "SELECT p.estimated_value, p.description, p.current_stage, p.status, c.name, c.email, c.notes, p.property_id"
        " FROM projects p LEFT JOIN customers c ON c.id = p.customer_id WHERE p.monday_item_id = %s",
        item_id,
    )
    assert whole == [(77, "Roof 1", "Approved", "active", "Owner 1", "owner1@mail.example", "call first", None)]
    assert synced.landed("--full")["plan"] == ""


def test_items_that_go_and_come_back(company: Company) -> None:
    for number in range(4):
        company.sandbox.create(MASTER_BOARD_ID, f"One more {number}")
    company.landed()
    archived, deleted, moved, purged, *_ = jobs(company)
    sandbox = company.sandbox
    sandbox.archive(archived)
    sandbox.delete(deleted)
    sandbox.move_to_board(moved, STAFF_BOARD_ID)
    sandbox.purge(purged)
    everyone = (archived, deleted, moved, purged)
    company.landed()
    assert [company.project(item_id, "archived_at IS NOT NULL") for item_id in everyone] == [True, True, False, False]
    states = dict(company.sql("SELECT item_id, state FROM monday_sync.sync_item WHERE board_id = %s", MASTER_BOARD_ID))
    assert [states[item_id] for item_id in everyone] == ["archived", "deleted", "moved", "missing"]
    company.landed("--full")
    assert [company.project(item_id, "archived_at IS NOT NULL") for item_id in everyone] == [True, True, False, True]
    for item_id in (archived, deleted):
        sandbox.restore(item_id)
    company.landed()
    assert [company.project(item_id, "archived_at IS NOT NULL") for item_id in (archived, deleted)] == [False, False]
    assert company.counts()["projects"] == 10
    assert company.landed()["plan"] == ""


# A database that was there before ------------------------------------------------------------------------------------


def test_an_existing_database_is_used_as_it_is(company: Company) -> None:
    company.sql(
        "CREATE TYPE stage AS ENUM ('pending', 'active', 'completed', 'cancelled');"
        "CREATE TABLE projects (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), item_name varchar(255), status stage,"
        " description varchar(8), weather text);"
        "CREATE TABLE invoices (id int);"
        "INSERT INTO projects (item_name, weather) VALUES ('an older job', 'sunny')"
    )
    long_one = jobs(company)[0]
    company.sandbox.edit(long_one, {"text40__1": "more than eight characters"})
    ended = company.sync()
    assert ended.code == 5
    assert ended.report["quarantined"] == 1
    assert ended.report["details"]["quarantined"][0]["item"] == long_one
    assert company.project(long_one, "description") is None
    assert company.project(jobs(company)[1], "description") == "Roof 2"
    assert company.value("SELECT weather FROM projects WHERE item_name = 'an older job'") == "sunny"
    assert company.sql("SELECT DISTINCT status::text FROM projects WHERE weather IS NULL") == [("active",)]
    company.sandbox.edit(long_one, {"text40__1": "short"})
    assert company.sync().code == 0


def test_a_table_that_cannot_be_filled_is_named_and_left_alone(company: Company) -> None:
    company.sql("CREATE TABLE customers (id uuid PRIMARY KEY, loyalty int NOT NULL)")
    before = company.contents()
    for arguments in ((), ("--test",)):
        ended = company.sync(*arguments)
        assert ended.code == 3
        assert "customers.loyalty is NOT NULL" in ended.err
    assert company.contents() == before
    assert company.sandbox.counters()["requests"] == 0


# Accidents ------------------------------------------------------------------------------------------------------------


def test_killed_while_it_reads(company: Company) -> None:
    company.sandbox.fault("latency", match="FirstPage", times=2, delay_s=0.5)
    with company.start() as process:
        wait_until(lambda: "Preflight" in company.sandbox.counters()["by_operation"])
        process.kill()
    assert process.returncode == -9
    assert not any(company.counts().values())
    assert company.landed()["tables"]["projects"]["insert"] == 6
    assert company.value("SELECT fence FROM monday_sync.sync_lease") == 2  # taken from the dead at once


def test_killed_while_it_writes(synced: Company) -> None:
    item_id = jobs(synced)[0]
    synced.sandbox.edit(item_id, {NOTE: "a word", PRICE: "9"})  # customers are written before projects
    before = synced.contents()
    with synced.connected() as other, other.cursor() as cursor:
        cursor.execute("LOCK TABLE projects IN SHARE MODE")
        with synced.start() as process:
            wait_until(lambda: synced.value("SELECT count(*) FROM pg_locks WHERE NOT granted"))
            process.kill()
        after = synced.contents()
        moved = {table for table in after if after[table] != before[table]}
        assert moved <= {"monday_sync.sync_lease", "monday_sync.sync_run", "monday_sync.sync_calls"}
        other.rollback()
    report = synced.landed()
    assert (report["tables"]["projects"]["update"], report["tables"]["customers"]["update"]) == (1, 1)
    assert synced.project(item_id, "estimated_value") == 9


def test_a_second_run_at_the_same_time_ends_before_any_request(synced: Company) -> None:
    synced.sandbox.fault("latency", match="Changed", delay_s=1.5)
    with synced.start("--json") as process:
        wait_until(lambda: synced.value("SELECT count(*) FROM monday_sync.sync_lease WHERE holder <> ''"))
        second = synced.sync()
        out, _err = process.communicate(timeout=30)
    assert second.code == 6
    assert f"pid {process.pid}" in second.err
    assert second.report["monday"]["requests"] == 0
    assert Ended(process.returncode, out, "").report["exit_code"] == 0
    assert synced.sandbox.counters()["requests"] == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(synced: Company, number: signal.Signals) -> None:
    synced.sandbox.fault("latency", match="Changed", delay_s=1)
    with synced.start("--json") as process:
        wait_until(lambda: synced.value("SELECT count(*) FROM monday_sync.sync_lease WHERE holder <> ''"))
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert process.returncode == Ended(0, out, err).report["exit_code"] == 130
    assert "run it again" in err
    assert synced.landed()["plan"] == ""


def test_a_dry_run_needs_no_lease(synced: Company) -> None:
    synced.sql("UPDATE monday_sync.sync_lease SET holder = 'elsewhere:1:a.b.c', expires_at = now() + interval '1 min'")
    assert synced.sync("--test").code == 0
    assert synced.sync().code == 6
