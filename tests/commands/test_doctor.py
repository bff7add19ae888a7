"""The doctor: what it says about a healthy company, what it finds in a sick one, and that it only looks."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import tenacity

from cli.doctor.finding import Finding, problem, verdict, warning
from cli.doctor.machine import compare_clocks, examine_folders
from monday_api import BOARDS
from reconcile.errors import Exit
from sandbox import MASTER_BOARD_ID, STAFF_BOARD_ID, Sandbox
from settings import load_settings
from tests.support.company import TOKEN, Company
from tests.support.servers import Keywords, Pooler, free_port

TEXT = "text40__1"


def examined(company: Company, code: int) -> dict[str, list[tuple[str, str, str]]]:
    """Check → (state, says, fix) of each of its lines; the doctor changes nothing and ends with this code."""
    rows, boards = company.contents(), company.sandbox.digest()
    ended = company.run("--json", program="test_sync.py")
    assert (company.contents(), company.sandbox.digest()) == (rows, boards)
    told = json.loads(ended.out)
    assert ended.code == told["exit_code"] == code, ended.out
    assert ended.err == ""
    found: dict[str, list[tuple[str, str, str]]] = {}
    for line in told["checks"]:
        assert line["state"] == "ok" or line["fix"], line
        found.setdefault(line["check"], []).append((line["state"], line["says"], line["fix"]))
    return found


def sick(found: dict[str, list[tuple[str, str, str]]]) -> dict[str, list[str]]:
    """What is not fine: check → sentences."""
    wrong = {check: [says for state, says, _fix in lines if state != "ok"] for check, lines in found.items()}
    return {check: lines for check, lines in wrong.items() if lines}


def test_a_healthy_company(synced: Company) -> None:
    found = examined(synced, 0)
    assert sick(found) == {}
    assert found.keys() >= {
        "settings", "cache", "logs", "token", "rights", "clock", "API version", "budget", "master board",
        "master columns", "staff board", "staff columns", "database", "server", "TLS", "pooler", "privileges",
        "tables", "models", "last run", "watermark", "open", "lease",
    }  # fmt: skip
    assert "6 items" in found["master board"][0][1]
    for board, columns in BOARDS.items():
        lines = [says for _state, says, _fix in found[f"{board} columns"]]
        assert [column_id for column_id in columns if not any(line.startswith(column_id) for line in lines)] == []
    assert synced.sandbox.counters()["mutations"] == 0


def test_before_the_first_run(company: Company) -> None:
    found = examined(company, 0)
    assert sick(found) == {}
    assert "0 of 9 are there; the first real run makes" in found["tables"][0][1]
    assert "nothing was ever synced" in found["sync state"][0][1]
    assert not any(company.folder.iterdir())


def test_text_for_a_person(synced: Company) -> None:
    short, long = synced.run(program="test_sync.py"), synced.run("-v", program="test_sync.py")
    assert (short.code, long.code) == (0, 0)
    assert TEXT not in short.out
    assert TEXT in long.out
    synced.sandbox.remove_column(MASTER_BOARD_ID, TEXT)
    ended = synced.run(program="test_sync.py")
    assert ended.code == 3
    assert f"--skip-column {TEXT}" in ended.out
    assert "1 with a problem" in ended.out


def test_a_process_of_its_own(company: Company) -> None:
    ended = company.process(program="test_sync.py")
    assert (ended.code, ended.err) == (0, "")
    assert "checks are fine" in ended.out
    assert company.process("--nonsense", program="test_sync.py").code == 2


def test_behind_a_pooler(synced: Company, pooler: Pooler) -> None:
    synced.database = pooler.before(synced.database)
    assert "yes" in examined(synced, 0)["pooler"][0][1]


@pytest.mark.parametrize(
    ("change", "code", "check", "says"),
    [
        (
            lambda s: s.remove_column(MASTER_BOARD_ID, TEXT),
            3,
            "master columns",
            f'{TEXT} ("Job Progress Job Description") is missing',
        ),
        (lambda s: s.retype_column(STAFF_BOARD_ID, "text2", "numbers"), 3, "staff columns", "has the type numbers"),
        (lambda s: s.retitle_column(MASTER_BOARD_ID, TEXT, "Work"), 0, "master columns", 'now called "Work"'),
        (lambda s: s.set_board(STAFF_BOARD_ID, visible=False), 3, "staff board", "not among those"),
        (lambda s: s.set_board(MASTER_BOARD_ID, state="archived"), 3, "master board", "is archived"),
        (lambda s: s.set_token("another"), 2, "token", "refused the token"),
        (lambda s: s.set_limits(daily_calls=50), 0, "budget", "only 50 calls a day"),
        (
            lambda s: s.set_versions(current="2027-01", oldest="2027-01", answers="2027-01"),
            0,
            "API version",
            "2027-01 answers; this program knows both",
        ),
        (lambda s: s.set_board(STAFF_BOARD_ID, hierarchy="multi_level"), 3, "staff board", "is a multi-level board"),
        (lambda s: [s.archive(i) for i in s.item_ids(MASTER_BOARD_ID)], 0, "master board", "is empty"),
    ],
)
def test_what_is_wrong_on_monday(
    synced: Company, change: Callable[[Sandbox], Any], code: int, check: str, says: str
) -> None:
    change(synced.sandbox)
    found = examined(synced, code)
    assert list(sick(found)) == [check]
    assert says in sick(found)[check][0]
    assert "database" in found  # the checks after it went on


@pytest.mark.parametrize(
    ("change", "code", "check", "says"),
    [
        ("ALTER TABLE storms ADD wind int NOT NULL", 3, "tables", "storms.wind is NOT NULL"),
        ("ALTER TABLE users ALTER roles TYPE text USING NULL", 3, "tables", "users.roles has the type text"),
        ("UPDATE monday_sync.sync_run SET finished_at = now() - interval '9 days'", 0, "last run", "9 days ago"),
        ("UPDATE monday_sync.sync_run SET exit_code = 7", 0, "last run", "exit 7"),
        (
            "INSERT INTO monday_sync.sync_dead VALUES ('cell', 1, 2, 'x', 'too long', 'run')",
            0,
            "open",
            "1 quarantined cells",
        ),
        (
            "UPDATE monday_sync.sync_lease SET holder = 'elsewhere:12:a.b.c', expires_at = now() + interval '1 min'",
            0,
            "lease",
            "pid 12 on elsewhere is at work",
        ),
    ],
)
def test_what_is_wrong_in_the_database(synced: Company, change: str, code: int, check: str, says: str) -> None:
    synced.sql(change)
    found = examined(synced, code)
    assert list(sick(found)) == [check]
    assert says in sick(found)[check][0]


@pytest.mark.own_role
def test_a_role_without_rights(synced: Company, server: Keywords) -> None:
    role = f"reader_{os.getpid()}"
    synced.sql(f"CREATE ROLE {role} LOGIN PASSWORD 'reads-4711'; GRANT USAGE ON SCHEMA monday_sync TO {role}")
    synced.sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA public, monday_sync TO {role}")
    reader = Company(synced.sandbox, {**synced.database, "user": role, "password": "reads-4711"}, synced.folder)
    try:
        ended = reader.run("--json", program="test_sync.py")
    finally:
        synced.sql(f"DROP OWNED BY {role}; DROP ROLE {role}")
    lines = {line["check"]: line for line in json.loads(ended.out)["checks"]}
    assert ended.code == 2
    assert f"{role} lacks INSERT on customers" in lines["privileges"]["says"]
    assert "reading and writing monday_sync.sync_item" in lines["privileges"]["says"]
    assert lines["tables"]["state"] == "ok"


def test_wrong_settings_do_not_stop_the_other_half(company: Company) -> None:
    company.overrides = {"DATABASE_URL": "postgresql://ann:hunter2-canary@[::1/wra"}
    found = examined(company, 2)
    assert sick(found).keys() == {"settings"}
    assert "master board" in found
    assert "hunter2-canary" not in str(found)
    company.overrides = {"MONDAY_API_KEY": f"{TOKEN}\n{TOKEN}"}
    found = examined(company, 2)
    assert sick(found).keys() == {"settings"}
    assert "server" in found


def test_nobody_answers(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monday.transport._backoff", tenacity.wait_none())
    monkeypatch.setattr("postgres.connection.CONNECT_TRIES", 2)
    company.sandbox.stop()
    company.overrides = {"DATABASE_URL": f"postgresql://ann:secret-4711@127.0.0.1:{free_port()}/wra"}
    found = examined(company, 7)
    assert sick(found).keys() == {"token", "database"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    settings = load_settings({"SYNC_CACHE_DIR": "closed/cache"}, need_monday=False, need_database=False, root=tmp_path)
    assert [finding.state for finding in examine_folders(settings) if finding.check == "cache"] == ["problem"]


def test_folders(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    (tmp_path / "file").write_text("")
    environment = {"SYNC_CACHE_DIR": "open", "SYNC_LOG_DIR": "file"}
    settings = load_settings(environment, need_monday=False, need_database=False, root=tmp_path)
    cache, logs, _state = examine_folders(settings)
    assert (cache.state, cache.fix) == ("warning", f"chmod 700 {tmp_path / 'open'}")
    assert (logs.state, logs.exit_code) == ("problem", Exit.USAGE)


@pytest.mark.parametrize(("off", "state"), [(timedelta(0), "ok"), (timedelta(hours=-1), "warning")])
def test_clocks(off: timedelta, state: str) -> None:
    (finding,) = compare_clocks("clock", "the database's", datetime.now(UTC) + off)
    assert finding.state == state
    assert list(compare_clocks("clock", "monday.com's", None)) == []


@pytest.mark.parametrize(
    ("codes", "expected"),
    [((), 0), ((Exit.UNAVAILABLE,), 7), ((Exit.UNAVAILABLE, Exit.DRIFT), 3), ((Exit.DRIFT, Exit.USAGE), 2)],
)
def test_the_worst_decides(codes: tuple[Exit, ...], expected: int) -> None:
    findings: list[Finding] = [problem("x", "says", "fix", code) for code in codes]
    assert verdict([*findings, warning("x", "says", "fix")]) == expected
