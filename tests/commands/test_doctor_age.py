"""What the doctor says of each direction by its own last run, of the age of the data, and of the token's user."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from sandbox import MASTER_BOARD_ID
from tests.support.company import PUSH, Company
from tests.support.pushing import jobs, project

PULL = "sync_monday_to_pg.py"


def found(company: Company, check: str, code: int = 0) -> list[tuple[str, str, str]]:
    """(state, says, fix) of each line of a check; the doctor changes nothing."""
    before = company.contents()
    ended = company.run("--json", program="test_sync.py")
    assert company.contents() == before
    assert ended.code == code, ended.out
    lines = [line for line in json.loads(ended.out)["checks"] if line["check"] == check]
    return [(line["state"], line["says"], line["fix"]) for line in lines]


def last_run(company: Company, program: str, code: int = 0) -> tuple[str, str]:
    (line,) = [line for line in found(company, "last run", code) if line[1].startswith(program)]
    return line[:2]


def test_each_direction_has_its_own_line(synced: Company) -> None:
    state, says = last_run(synced, PULL)
    assert state == "ok"
    assert "with exit 0: what PostgreSQL shows of monday.com is 0 min old" in says
    assert last_run(synced, PUSH) == ("ok", f"{PUSH}: none is recorded")
    assert synced.push().code == 0
    assert last_run(synced, PUSH)[0] == "ok"


@pytest.mark.parametrize("failing", [PULL, PUSH])
def test_one_that_fails_is_not_healed_by_the_other(synced: Company, failing: str) -> None:
    assert synced.push().code == 0
    synced.sql("UPDATE monday_sync.sync_run SET finished_at = finished_at - interval '5 hours'")
    project(synced, jobs(synced)[0], description="so that the push asks monday")
    synced.sandbox.set_token("another")
    assert synced.run(program=failing).code == 2
    synced.sandbox.set_token(None)
    other = PUSH if failing == PULL else PULL
    if other == PUSH:
        project(synced, jobs(synced)[0], description="Roof 1")  # nothing to do: no request
    assert synced.run(program=other).code == 0
    state, says = last_run(synced, failing)
    assert state == "warning"
    assert "ended 0 min ago with exit 2 (monday.com refused the token" in says
    assert "the last good one ended 5 h ago" in says
    assert last_run(synced, other)[0] == "ok"


def test_one_that_found_another_at_work_says_nothing(synced: Company) -> None:
    synced.sql("UPDATE monday_sync.sync_lease SET holder = 'elsewhere:1:a.b.c', expires_at = now() + interval '1 min'")
    assert synced.sync().code == 6
    synced.sql("UPDATE monday_sync.sync_lease SET holder = ''")
    assert last_run(synced, PULL)[0] == "ok"


@pytest.mark.parametrize(
    ("change", "state", "says"),
    [
        ("finished_at = now() - interval '3 days'", "warning", "what PostgreSQL shows of monday.com is 3 days old"),
        ("finished_at = NULL, exit_code = NULL", "warning", "never ended: it was killed, or its machine stopped"),
        ("finished_at = NULL, exit_code = NULL, reason = 'ended without a word'", "warning", "never ended"),
        ("exit_code = 5", "ok", "with exit 5: what PostgreSQL shows"),
        ("exit_code = 130, reason = 'interrupted'", "warning", "exit 130 (interrupted); none has ended well yet"),
    ],
)
def test_how_it_ended(synced: Company, change: str, state: str, says: str) -> None:
    synced.sql(f"UPDATE monday_sync.sync_run SET {change}")
    told = last_run(synced, PULL)
    assert told[0] == state
    assert says in told[1]


def test_one_that_is_at_work(synced: Company) -> None:
    synced.sql("UPDATE monday_sync.sync_run SET finished_at = NULL, exit_code = NULL")
    synced.sql("UPDATE monday_sync.sync_lease SET holder = 'elsewhere:1:a.b.c', expires_at = now() + interval '1 min'")
    state, says = last_run(synced, PULL)
    assert (state, "is at work" in says) == ("ok", True)


@pytest.mark.parametrize("arguments", [("--limit", "2"), ("--use-cache",)])
def test_a_run_of_a_part_makes_nothing_fresh(synced: Company, arguments: tuple[str, ...]) -> None:
    synced.sql("UPDATE monday_sync.sync_run SET finished_at = now() - interval '3 days'")
    assert synced.sync(*arguments).code == 0
    state, says = last_run(synced, PULL)
    assert state == "warning"
    assert says.endswith("is 3 days old")


@pytest.mark.parametrize(
    ("change", "state", "says"),
    [
        ("last_full_at = now() - interval '3 hours'", "ok", "the master board was last read whole 3 h ago"),
        ("last_full_at = now() - interval '3 days'", "warning", "the master board was last read whole 3 days ago"),
        ("last_full_at = NULL", "warning", "the master board was never read whole"),
    ],
)
def test_when_each_board_was_read_whole(synced: Company, change: str, state: str, says: str) -> None:
    synced.sql(f"UPDATE monday_sync.sync_board SET {change} WHERE board_id = %s", MASTER_BOARD_ID)
    master, staff = found(synced, "watermark")
    assert (master[0], says in master[1], staff[0]) == (state, True, "ok")


def test_a_database_of_the_version_before_is_judged_too(synced: Company) -> None:
    synced.sql(
        "ALTER TABLE monday_sync.sync_run DROP reason, DROP plan, DROP host, DROP os_user, DROP pid, DROP options,"
        " DROP stages, DROP duration_s; UPDATE monday_sync.sync_schema SET version = 9"
    )
    assert last_run(synced, PULL)[0] == "ok"


# The token's user


USERS: dict[str, tuple[Callable[[Company], Any], int, str, str]] = {
    "a member": (lambda c: c.sandbox.set_user(), 0, "ok", "it belongs to Sync Service, a member of Summit Roofing"),
    "an admin": (lambda c: c.sandbox.set_user("admin"), 0, "ok", "Sync Service, an admin of"),
    "a guest": (lambda c: c.sandbox.set_user("guest"), 0, "warning", "a guest sees what somebody shares with it"),
    "a viewer": (lambda c: c.sandbox.set_user("view_only"), 0, "warning", "a viewer may change nothing"),
    "a viewer, in capitals": (lambda c: c.sandbox.set_user("VIEW_ONLY"), 0, "warning", "a viewer may change nothing"),
    "unconfirmed": (lambda c: c.sandbox.set_user(status="PENDING"), 2, "problem", "not confirmed the invitation yet"),
    "deactivated": (lambda c: c.sandbox.set_user(status="INACTIVE"), 2, "problem", "the token ended with its user"),
    "no right at all": (
        lambda c: c.sandbox.fault("forbidden", times=0),
        2,
        "problem",
        "it is taken, and then monday.com gives this token's user no right",
    ),
    "dead": (lambda c: c.sandbox.set_token("another"), 2, "problem", "monday.com refused the token"),
}


@pytest.mark.parametrize("case", USERS)
def test_whose_token_it_is_and_what_follows(synced: Company, case: str) -> None:
    happens, code, state, says = USERS[case]
    happens(synced)
    ended = synced.run("--json", program="test_sync.py")
    line = next(line for line in json.loads(ended.out)["checks"] if line["check"] == "token")
    assert line["state"] == state
    assert says in line["says"]
    if state == "problem":
        assert ended.code == code
    if state != "ok":
        assert line["fix"]


def test_what_is_said_of_a_token_that_works(synced: Company) -> None:
    ((state, says, _fix),) = found(synced, "token's user")
    assert state == "ok"
    assert "if it is a person, both commands stop on the day when that person leaves" in says
    synced.sandbox.set_token("another")
    ((_state, _says, fix),) = found(synced, "token", code=2)
    assert "also ends when its user is deactivated or deleted" in fix


def test_a_user_who_may_only_look(synced: Company) -> None:
    synced.sandbox.set_user(access="view")
    lines = found(synced, "rights")
    assert [line[0] for line in lines] == ["warning", "warning"]
