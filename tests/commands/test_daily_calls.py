"""SYNC_DAILY_CALLS: what both commands use in a day is counted in the database, and a run stops before it passes it."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from postgres.transaction import Transactor
from reconcile.errors import Unavailable
from run.calls import AT_ONCE, DailyCalls
from sandbox import MASTER_BOARD_ID
from tests.support.company import PUSH, Company, Ended, job_cells
from tests.support.killing import Line, replace_database
from tests.support.pushing import CLAIM, in_step, jobs, new_project, project, sent, shows

SETTING = "SYNC_DAILY_CALLS"


def counted(company: Company) -> float:
    """What the database says was used today."""
    return float(
        company.value(
            "SELECT coalesce(sum(calls), 0) FROM monday_sync.sync_calls WHERE day = (now() AT TIME ZONE 'UTC')::date"
        )
    )


def asked(company: Company) -> int:
    return int(company.sandbox.counters()["requests"])


def use_up(company: Company, calls: float, day: str = "now() AT TIME ZONE 'UTC'", run: str = "another host's") -> None:
    """Another run's calls."""
    company.sql(f"INSERT INTO monday_sync.sync_calls VALUES (({day})::date, %s, %s)", run, calls)


@contextmanager
def limited(company: Company, limit: Any) -> Iterator[None]:
    company.overrides[SETTING] = str(limit)
    yield
    del company.overrides[SETTING]


def test_every_run_is_counted_for_all_hosts(company: Company) -> None:
    """Without a limit too: first read, nothing new, a push, one that fails, and one that has nothing to do."""
    runs: list[tuple[Callable[..., Ended], tuple[str, ...], str | None]] = [
        (company.sync, (), None),
        (company.sync, (), None),
        (company.sync, ("--full",), None),
        (company.push, (), None),
        (company.push, (), "UPDATE projects SET claim_number = 'C-1' WHERE item_name = 'Job 1'"),
        (company.push, (), "INSERT INTO projects (item_name) VALUES ('New')"),
        (company.push, ("--setup-marker",), None),
    ]
    for run, options, edit in runs:
        before, requests = counted(company) if _is_synced(company) else 0.0, asked(company)
        if edit is not None:
            company.sql(edit)
        ended = run(*options)
        assert ended.code == 0, ended.err
        spent = asked(company) - requests
        assert counted(company) == before + spent
        if ended.out.startswith("{"):
            told = ended.report["calls"]
            assert (told["run"], told["today"], told["limit"]) == (spent, before + spent, None)
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT00:00:00Z", told["resets_at"])
    company.sandbox.fault("forbidden", times=0)
    before, requests = counted(company), asked(company)
    assert company.sync().code == 3
    assert counted(company) == before + asked(company) - requests > before
    assert company.value("SELECT count(*) FROM monday_sync.sync_calls WHERE day < current_date") == 0


def _is_synced(company: Company) -> bool:
    return bool(company.value("SELECT to_regclass('monday_sync.sync_calls') IS NOT NULL"))


def test_a_refused_call_counts_a_tenth_as_on_monday(synced: Company) -> None:
    before = counted(synced)
    synced.sandbox.fault("daily_limit", times=1)
    assert synced.sync().code == 7
    assert counted(synced) == pytest.approx(before + 0.1)


def test_a_run_where_nothing_changed_asks_the_database_no_more_often(synced: Company) -> None:
    for program, messages in (("sync_monday_to_pg.py", 10), (PUSH, 13)):
        with Line(synced.database) as line:
            other = replace_database(synced, line.keywords)
            assert other.run("--json", "--rebind-db", program=program).code in (0, 5)
            line.asked.clear()
            assert other.run("--json", program=program).code == 0
        told = [text for text in line.asked if "sync_calls" in text]
        assert len(line.asked) <= messages, line.asked
        assert len(told) == 2, "with what is read at the start anyway, and with the record of the run"


def test_dry_runs_and_replays_are_not_counted(synced: Company) -> None:
    before = synced.contents()
    project(synced, jobs(synced)[0], claim_number="C-1")
    used = counted(synced)
    ended = synced.push("--test")
    assert (ended.report["calls"]["run"], ended.report["calls"]["today"]) == (1.0, used + 1)
    assert synced.sync("--test").code == 0
    assert synced.contents()["monday_sync.sync_calls"] == before["monday_sync.sync_calls"]
    with limited(synced, 1):
        assert synced.sync("--use-cache").code == 0
        assert counted(synced) == used


# A limit --------------------------------------------------------------------------------------------------------------


def stopped(ended: Ended, used: float, limit: int) -> str:
    assert ended.code == 7, (ended.out, ended.err)
    said = ended.report["reason"]
    assert f"{SETTING}={limit} would be passed: both commands have used {used:g} calls today" in said
    assert said in ended.err
    return str(said)


@pytest.mark.parametrize("command", ["sync", "push"])
@pytest.mark.parametrize("dry", [(), ("--test",)])
def test_nothing_is_asked_once_the_limit_is_reached(synced: Company, command: str, dry: tuple[str, ...]) -> None:
    project(synced, jobs(synced)[0], claim_number="C-1")
    synced.sandbox.edit(jobs(synced)[1], {CLAIM: "C-2"})
    use_up(synced, 30 - counted(synced))
    before = synced.contents(only="public")
    with limited(synced, 30):
        said = stopped(getattr(synced, command)(*dry), 30, 30)
        assert "1 more is needed" in said
        assert "00:00 UTC" in said
        assert asked(synced) == 0
        assert synced.contents(only="public") == before
        assert counted(synced) == 30
        _tomorrow(synced)
        assert getattr(synced, command)(*dry).code == 0
        assert 0 < counted(synced) < 30 or dry
    assert synced.sync().code == 0
    assert synced.push().code == 0
    in_step(synced)


def _tomorrow(company: Company) -> None:
    """All that was used was used yesterday."""
    company.sql("UPDATE monday_sync.sync_calls SET day = day - 1")


def test_a_whole_read_begins_only_if_it_can_end(company: Company) -> None:
    assert company.sync().code == 0
    company.sandbox.reset_counters()
    needs = asked(company) or 4
    left = needs - 1
    use_up(company, 100 - counted(company) - left)
    with limited(company, 100):
        before = company.contents(only="public|monday_sync")["monday_sync.sync_board"]
        said = stopped(company.sync("--full"), 100 - left, 100)
        assert "4 more are needed" in said
        assert asked(company) == 0, "no call is spent on a read that cannot come to its end"
        assert company.contents()["monday_sync.sync_board"] == before
        assert company.sync().code == 0, "what changed costs one"


def test_a_first_read_that_does_not_fit_says_what_it_needs(company: Company) -> None:
    for number in range(7, 1207):
        company.sandbox.create(MASTER_BOARD_ID, f"Job {number}", {})
    with limited(company, 4):
        said = company.sync().report["reason"]
        assert "more than a whole day has: set SYNC_DAILY_CALLS higher" in said
        assert "nothing was written" in said
        assert asked(company) <= 1
        assert company.value("SELECT count(*) FROM projects") == 0
    with limited(company, 20):
        assert company.sync().code == 0
        assert counted(company) <= 20
    assert company.value("SELECT count(*) FROM projects") == 1206


def test_a_read_that_turns_out_to_need_more_writes_nothing(synced: Company) -> None:
    """Further pages of changes are not foretold: the read is whole or it is nothing, and its watermark stays."""
    for number in range(7, 707):
        synced.sandbox.create(MASTER_BOARD_ID, f"Job {number}", job_cells(number))
    synced.sandbox.advance(60)
    use_up(synced, 100 - counted(synced) - 1)
    with limited(synced, 100):
        stopped(synced.sync(), 100, 100)
        assert asked(synced) == 1
        assert counted(synced) == 100
        assert synced.value("SELECT count(*) FROM projects") == 6
        _tomorrow(synced)
        assert synced.sync().code == 0
    assert synced.value("SELECT count(*) FROM projects") == 706


def test_a_push_sends_whole_batches_and_goes_on_tomorrow(company: Company) -> None:
    for number in range(7, 121):
        company.sandbox.create(MASTER_BOARD_ID, f"Job {number}", job_cells(number))
    assert company.sync().code == 0
    company.sandbox.reset_counters()
    items = jobs(company)
    company.sql("UPDATE projects SET claim_number = 'C-' || monday_item_id")
    use_up(company, 100 - counted(company) - 4)
    with limited(company, 100):
        rehearsed = company.push("--test")
        assert rehearsed.code == 0, rehearsed.err
        assert "more than today's limit leaves" in company.run("--test", program=PUSH).out
        company.sandbox.reset_counters()
        ended = company.push()
        said = stopped(ended, 99, 100)
        assert "what was sent before is kept" in said
        assert asked(company) <= 4
        assert counted(company) <= 100
        done = [item for item in items if shows(company, item, CLAIM) == f"C-{item}"]
        assert len(done) == ended.report["items"]["update"] == len(sent(company))
        assert 0 < len(done) < len(items)
        assert company.value("SELECT count(*) FROM monday_sync.sync_batch") == 0
        assert "already" not in ended.err
        assert company.sandbox.counters()["by_operation"]["Activity"] == 1, "what the writes replaced is looked up"

        _tomorrow(company)
        company.sandbox.reset_counters()
        assert company.push().code == 0
        assert sorted(int(item) for item, _cells in sent(company)) == sorted(set(items) - set(done))
    assert all(shows(company, item, CLAIM) == f"C-{item}" for item in items)
    in_step(company)


def test_new_items_wait_for_tomorrow_too(synced: Company) -> None:
    for number in range(45):
        new_project(synced, f"New {number}")
    use_up(synced, 100 - counted(synced) - 4)
    with limited(synced, 100):
        ended = synced.push()
        stopped(ended, 99, 100)
        made = ended.report["items"]["create"]
        assert 0 < made < 45
        assert counted(synced) == 100
        _tomorrow(synced)
        rest = synced.push()
        assert (rest.code, rest.report["items"]["create"]) == (0, 45 - made), rest.err
    assert len(jobs(synced)) == 51
    in_step(synced)


def test_too_little_is_left_to_begin_a_push(synced: Company) -> None:
    project(synced, jobs(synced)[0], claim_number="C-1")
    use_up(synced, 100 - counted(synced) - 2)
    with limited(synced, 100):
        ended = synced.push()
        assert "nothing was sent" in stopped(ended, 99, 100)
        assert sent(synced) == []
        assert synced.value("SELECT count(*) FROM monday_sync.sync_batch") == 0


def test_yesterdays_calls_and_a_plain_report(synced: Company) -> None:
    use_up(synced, 5000, "now() AT TIME ZONE 'UTC' - interval '1 day'")
    use_up(synced, 5000, "now() AT TIME ZONE 'UTC' - interval '200 days'", "long ago")
    with limited(synced, 30):
        used = counted(synced)
        ended = synced.run()
        assert ended.code == 0
        assert f"{used + 1:g} of 30 calls of today used" in " ".join(ended.out.split())
    assert synced.value("SELECT count(*) FROM monday_sync.sync_calls WHERE run_id = 'long ago'") == 0
    assert "calls of today" not in synced.run().out


@pytest.mark.parametrize("wrong", ["0", "-1", "many", "1.5", "1e3", "300 calls"])
def test_a_limit_that_is_none(synced: Company, wrong: str) -> None:
    with limited(synced, wrong):
        for program in ("sync_monday_to_pg.py", PUSH):
            ended = synced.run(program=program)
            assert ended.code == 2
            assert f"{SETTING} is not a number of calls" in ended.err
        assert synced.run(program="test_sync.py").code == 2
    assert asked(synced) == 0
    with limited(synced, ""):
        assert synced.sync().code == 0


def test_the_doctor_says_what_is_used(synced: Company) -> None:
    used = counted(synced)
    assert f"{used:g} used by both commands, without a limit" in synced.run(program="test_sync.py").out
    with limited(synced, 30):
        ended = synced.run(program="test_sync.py")
        assert (ended.code, f"{used:g} of 30 used by both commands" in ended.out) == (0, True)
    use_up(synced, 30 - used)
    with limited(synced, 30):
        assert "no run asks monday.com any more today" in synced.run(program="test_sync.py").out
    synced.sandbox.set_limits(daily_calls=200)
    with limited(synced, 300):
        assert "SYNC_DAILY_CALLS=300 is more than the account's 200" in synced.run(program="test_sync.py").out


def test_a_database_of_an_older_version_is_counted_from_its_next_run_on(synced: Company) -> None:
    synced.sql("DROP TABLE monday_sync.sync_calls")
    synced.sql("UPDATE monday_sync.sync_schema SET version = 9")
    ended = synced.sync("--test")
    assert (ended.code, ended.report["calls"]["today"]) == (0, 1.0)
    assert "not counted yet" in synced.run(program="test_sync.py").out
    assert synced.sync().code == 0
    assert counted(synced) == 1


@pytest.mark.parametrize("command", ["sync_monday_to_pg.py", PUSH])
def test_a_killed_run_has_used_its_calls(synced: Company, command: str) -> None:
    """Calls are counted before they are made: at whatever request it dies, no fewer are counted than were made."""
    items = jobs(synced)
    for nth in range(1, 4):
        for item in items:
            project(synced, item, claim_number=f"{nth}-{item}")
        before, requests = counted(synced), asked(synced)
        process = synced.start("--full" if command != PUSH else "--json", program=command)
        _kill_at(synced, process, requests + nth)
        made = asked(synced) - requests
        assert made <= counted(synced) - before <= made + 2 * AT_ONCE
        synced.sql("UPDATE monday_sync.sync_lease SET expires_at = '-infinity'")
        assert synced.push().code in (0, 7)


def _kill_at(company: Company, process: Any, requests: int) -> None:
    while process.poll() is None:
        if asked(company) >= requests:
            process.send_signal(signal.SIGKILL)
            break
    process.communicate()


# The count alone ------------------------------------------------------------------------------------------------------


class Nowhere:
    """A database that must not be asked."""

    def transact(self, *_work: Any, **_how: Any) -> Any:
        raise AssertionError("it was asked")

    def close(self) -> None:
        """Nothing is open."""


def nowhere() -> Transactor:
    return Nowhere()


def test_a_day_ends_at_midnight_utc_while_a_run_is_at_work() -> None:
    now = [0.0]
    calls = DailyCalls("run", 10, nowhere, counts=False, clock=lambda: now[0])
    calls.open(datetime(2026, 11, 28, 23, 59, 58, tzinfo=UTC), 9, counts=False)
    calls.take()
    with pytest.raises(Unavailable, match=r"2026-11-29 00:00 UTC, in 0 h 00 min"):
        calls.take()
    now[0] = 3.0
    calls.take()
    assert (calls.used, calls.fits(9), calls.fits(10)) == (1, True, False)
    assert calls.summary() == {"run": 2, "today": 1, "limit": 10, "resets_at": "2026-11-30T00:00:00Z"}


def test_another_zone_is_no_other_day() -> None:
    calls = DailyCalls("run", None, nowhere, counts=True, clock=lambda: 0.0)
    calls.open(datetime.fromisoformat("2026-11-28T20:00:00-07:00"), 0, counts=True)
    calls.take()
    (statement, params), _forget = calls.statements()
    assert list(params)[:2] == [date(2026, 11, 29), "run"]
    assert "sync_calls" in statement


def test_what_was_counted_beforehand_is_not_counted_again() -> None:
    calls = DailyCalls("run", 100, nowhere, counts=False, clock=lambda: 0.0)
    calls.open(datetime.now(UTC) + timedelta(0), 0, counts=True)
    calls.take()  # the first is counted with the lease
    with pytest.raises(AssertionError):
        calls.take()
    assert json.loads(json.dumps(calls.summary()))["run"] == 1
