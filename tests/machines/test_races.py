"""Two runs at once, on one host and on two, and a run that stood still for longer than its lease while another one took
over: one of them writes, the other says so with exit code 6, and nothing is there twice.
"""

from __future__ import annotations

import json
import signal
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from psycopg2 import extensions

from tests.faults.test_fault_table import WAYS, on_request, only_on_request
from tests.support.company import Company
from tests.support.copies import Copies, boards_of, ends
from tests.support.killing import SOAK, Forked, Held, Launcher, Line, everything, replace_database, wait_until
from tests.support.launcher import NOT_ALLOWED
from tests.support.servers import Keywords

PAIRS = [(first, second) for first in WAYS for second in WAYS]


class Field:
    """Copies of one company, processes to run on them, and how everything is in the end."""

    def __init__(self, copies: Copies, launcher: Launcher) -> None:
        self.another, self._launcher = copies.another, launcher
        with self.another() as company:
            self.expected = ends(company)

    def start(self, company: Company, name: str, **machine: Any) -> Forked:
        way = WAYS[name]
        return self._launcher.start(company, "--json", *way.arguments, program=way.program, **machine)

    def taken_over(self, company: Company, name: str) -> tuple[Any, Any]:
        """The lease runs out, and another run does everything; what it leaves."""
        company.sql("UPDATE monday_sync.sync_lease SET expires_at = clock_timestamp() - interval '1 second'")
        ended = WAYS[name].run(company)
        assert ended.outcome == 0, (ended.err, ended.out)
        return everything(company), boards_of(company)

    def woken(self, company: Company, run: Forked, left: tuple[Any, Any], *, code: int = 6) -> None:
        """It goes on, and neither side is any different for it."""
        run.go_on()
        ended = run.ended()
        assert ended.outcome == code, (ended.err, ended.out)
        found = everything(company)
        assert {table: rows for table, rows in found.items() if rows != left[0][table]} == {}
        assert boards_of(company) == left[1]
        assert ends(company) == self.expected


@pytest.fixture(scope="module")
def field(
    admin: extensions.connection, server: Keywords, launcher: Launcher, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Field]:
    name = f"races_{uuid.uuid4().hex}"
    with admin.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE migrated STRATEGY file_copy")
        yield Field(Copies(admin, server, {**server, "dbname": name}, tmp_path_factory.mktemp("races")), launcher)
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


# At once --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", [None, "elsewhere"], ids=["one host", "two hosts"])
@pytest.mark.parametrize("pair", PAIRS, ids="+".join)
@pytest.mark.sampled(2)
def test_two_runs_that_start_at_once(field: Field, held: Held, pair: tuple[str, str], host: str | None) -> None:
    """The one that comes second ends while the other still waits for its first answer, and asked monday.com nothing."""
    with field.another() as company:
        company.sandbox.fault("latency", nth=1, delay_s=1)
        runs = [field.start(company, pair[0]), field.start(company, pair[1], host=host)]
        wait_until(lambda: any(run.poll() is not None for run in runs))
        if any(run.poll() == NOT_ALLOWED for run in runs):
            held.free.set()
            pytest.skip("no process may have another host's name here")
        assert held.reached.wait(30)
        held.free.set()
        lost, won = sorted(runs, key=lambda run: -run.ended().outcome)
        loser, winner = lost.ended(), won.ended()
        assert (loser.outcome, winner.outcome) == (6, 0), (loser, winner)
        assert json.loads(loser.out)["monday"]["requests"] == 0
        assert f"(pid {won.pid} on {host if host and won is runs[1] else socket.gethostname()}, " in loser.err
        assert ends(company) == field.expected


@pytest.mark.parametrize("pair", PAIRS, ids="+".join)
def test_two_runs_that_nothing_holds_up(field: Field, pair: tuple[str, str]) -> None:
    """As it falls: one after the other, or one of them ends with 6."""
    for _ in range(20 if SOAK else 1):
        with field.another() as company:
            runs = [field.start(company, name) for name in pair]
            codes = sorted(run.ended().outcome for run in runs)
            assert codes in ([0, 0], [0, 6])
            assert ends(company) == field.expected


def test_a_run_that_was_killed_on_another_host_is_waited_for(field: Field, held: Held) -> None:
    """Nobody here can know that it is dead before its lease ends."""
    with field.another() as company:
        company.sandbox.fault("latency", nth=1, delay_s=1)
        run = field.start(company, "pull", host="elsewhere")
        if run.kill_when(held.reached).code == NOT_ALLOWED:
            pytest.skip("no process may have another host's name here")
        held.again()
        for way in WAYS.values():
            ended = way.run(company)
            assert (ended.outcome, f"(pid {run.pid} on elsewhere, " in ended.err) == (6, True), ended.err
        field.taken_over(company, "pull")
        assert ends(company) == field.expected


# Stopped past its lease -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pair", PAIRS, ids="+".join)
def test_stopped_while_it_reads(field: Field, held: Held, pair: tuple[str, str]) -> None:
    with field.another() as company:
        company.sandbox.fault("latency", nth=1, delay_s=1)
        run = field.start(company, pair[0])
        assert run.comes_to(held.reached)
        run.stop()
        left = field.taken_over(company, pair[1])
        held.free.set()
        writes = company.sandbox.counters()["mutation_requests"]
        run.go_on()
        assert run.ended().outcome == 6
        assert company.sandbox.counters()["mutation_requests"] == writes
        found = everything(company)
        assert {table: rows for table, rows in found.items() if rows != left[0][table]} == {}
        assert boards_of(company) == left[1]
        assert ends(company) == field.expected


@contextmanager
def late(company: Company, nth: int, held: Held) -> Iterator[None]:
    """The nth request is on its way for a long time before it arrives."""
    with on_request(company, only_on_request(nth, lambda: held.sleep(1))):
        yield


@pytest.mark.parametrize("arrives", ["at once", "late"])
@pytest.mark.parametrize("second", WAYS)
@pytest.mark.sampled(2)
def test_stopped_between_the_journal_and_the_answer(field: Field, held: Held, second: str, arrives: str) -> None:
    """Each write is carried out before the other run takes over, or after that one has settled and sent it itself."""
    with field.another() as company:
        assert WAYS["push"].run(company).outcome == 0
        writes = [nth for nth, request in enumerate(company.sandbox.requests(), 1) if request["mutation"]]
    assert len(writes) >= 4
    for nth in writes:
        with field.another() as company:
            if arrives == "at once":
                company.sandbox.fault("latency", nth=nth, delay_s=1)
            with late(company, nth if arrives == "late" else 0, held):
                run = field.start(company, "push")
                assert run.comes_to(held.reached)
                run.stop()
                left = field.taken_over(company, second)
                held.again()
                field.woken(company, run, left)


def test_stopped_before_it_sends(field: Field) -> None:
    """No one can look at the lease and send in one step. What goes out late is known by its key, and not done again."""
    with field.another() as company:
        run = field.start(company, "push", folder=str(company.folder))
        assert run.ended().outcome == 0
        sends = [nth for nth, call in enumerate(run.calls, 1) if call.startswith("http.client.send")]
        requests = company.sandbox.requests()
    assert len(sends) == 2 * len(requests), "head and body"
    bodies = [nth for nth, request in zip(sends[1::2], requests, strict=True) if request["mutation"]]
    for nth in sends if SOAK else bodies:
        with field.another() as company:
            run = field.start(company, "push", folder=str(company.folder), at_call=nth, number=signal.SIGSTOP)
            run.wait_stopped()
            field.woken(company, run, field.taken_over(company, "push"))


@pytest.mark.parametrize("name", WAYS)
def test_stopped_at_its_commits(field: Field, name: str) -> None:
    """With its transaction open, which the server ends after two idle minutes; or with the COMMIT carried out."""
    with field.another() as company, Line(company.database) as line:
        assert field.start(replace_database(company, line.keywords), name).ended().outcome == 0
        commits = [nth for nth, text in enumerate(line.asked, 1) if text.endswith("COMMIT")]
    cases = [(number, nth, done) for number, nth in enumerate(commits) for done in (False, True)]
    for number, nth, done in cases if SOAK or len(cases) < 6 else cases[::4]:
        with field.another() as company, Line(company.database, nth, done=done) as line:
            run = field.start(replace_database(company, line.keywords), name)
            assert run.comes_to(line.reached)
            run.stop()
            company.sql(_END_IDLE)
            left = field.taken_over(company, name)
            line.free.set()
            had_no_lease = number == 0 and not done
            is_over = number == len(commits) - 1 and done
            field.woken(company, run, left, code=0 if had_no_lease or is_over else 6)


_END_IDLE = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND state = 'idle in transaction'
"""


def test_a_machine_that_slept_sends_nothing_although_nobody_took_over(field: Field, tmp_path: Path) -> None:
    """Its own clock tells, before it asks anybody."""
    slept = tmp_path / "slept"
    with field.another() as company, Line(company.database) as line:
        assert field.start(replace_database(company, line.keywords), "push").ended().outcome == 0
        journaled = [nth for nth, text in enumerate(line.asked, 1) if "INSERT INTO monday_sync.sync_op" in text]
        commit = next(nth for nth, text in enumerate(line.asked, 1) if nth > journaled[0] and text.endswith("COMMIT"))
    with field.another() as company, Line(company.database, commit, done=True) as line:
        run = field.start(replace_database(company, line.keywords), "push", slept=str(slept))
        assert run.comes_to(line.reached)
        run.stop()
        slept.write_text("300", encoding="ascii")
        line.free.set()
        run.go_on()
        ended = run.ended()
        assert (ended.outcome, "could not be renewed in time" in ended.err) == (6, True), ended.err
        assert company.sandbox.counters()["mutation_requests"] == 0
        assert ends(company) == field.expected
