"""The lease on a real server, direct and behind the pooler: one winner, no late writer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from db_connector import Database, Transaction
from postgres.lease import Holder, Lease
from reconcile.errors import LeaseHeld
from tests.support.servers import Keywords, no_sleep

ROOT = Path(__file__).parents[2]

# A run that takes the lease, says so, and never ends by itself.
HOLDING_RUN = """
import json, sys, time
from db_connector import Database
from postgres.lease import Lease
Database(json.loads(sys.stdin.readline())).transact(Lease().acquire, read_only=False, label="acquiring")
print("held", flush=True)
time.sleep(600)
"""


def do(database: Database, work: Callable[[Transaction], object]) -> object:
    return database.transact(work, read_only=False, label="testing the lease")


def held(database: Database, lease: Lease) -> Lease:
    do(database, lease.acquire)
    return lease


def expire(database: Database) -> None:
    do(database, lambda tx: tx.execute("UPDATE monday_sync.sync_lease SET expires_at = now() - interval '1 second'"))


def pretend(database: Database, holder: Holder) -> None:
    do(database, lambda tx: tx.execute("UPDATE monday_sync.sync_lease SET holder = %s", (str(holder),)))


def test_a_live_lease_turns_the_second_run_away(any_database: Database) -> None:
    lease = held(any_database, Lease())
    before = any_database.stats.retries
    with pytest.raises(LeaseHeld, match=r"pid \d+ on .+, renewed \d\d:\d\d:\d\d, until \d\d:\d\d:\d\d UTC"):
        do(any_database, Lease().acquire)
    assert any_database.stats.retries == before
    do(any_database, lease.check_fence)
    do(any_database, lease.acquire)  # its own lease, taken again when the transaction is repeated
    do(any_database, lease.check_fence)


def test_after_expiry_the_old_run_can_neither_commit_nor_renew(any_database: Database) -> None:
    old = held(any_database, Lease())
    expire(any_database)
    new = held(any_database, Lease())
    assert new.fence == (old.fence or 0) + 1

    def late(tx: Transaction) -> None:
        tx.execute("INSERT INTO public.storms DEFAULT VALUES")
        old.check_fence(tx)

    with pytest.raises(LeaseHeld, match="took the lease"):
        do(any_database, late)
    assert do(any_database, lambda tx: tx.one("SELECT count(*) FROM public.storms")) == (0,)
    assert not old.renew(any_database)
    assert old.remaining_s() == 0
    do(any_database, new.check_fence)


@pytest.mark.parametrize("expired", [False, True])
def test_of_many_racing_runs_one_wins(keywords: Keywords, database: Database, expired: bool) -> None:
    if expired:
        held(database, Lease())
        expire(database)
    together = threading.Barrier(8)

    def race(_: int) -> bool:
        with Database(keywords, sleep=no_sleep) as rival:
            do(rival, lambda tx: tx.one("SELECT 1"))
            together.wait(10)
            try:
                do(rival, Lease().acquire)
            except LeaseHeld:
                return False
            return True

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(race, range(8))) == [False] * 7 + [True]


def test_a_killed_run_of_this_machine_is_replaced_at_once(any_database: Database, keywords: Keywords) -> None:
    run = subprocess.Popen(
        [sys.executable, "-c", HOLDING_RUN], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert run.stdin is not None
    assert run.stdout is not None
    run.stdin.write(json.dumps(keywords) + "\n")
    run.stdin.flush()
    assert run.stdout.readline() == "held\n"
    with pytest.raises(LeaseHeld, match=f"pid {run.pid} "):
        do(any_database, Lease().acquire)
    run.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, run.pid, os.WEXITED | os.WNOWAIT)  # dead, and still a zombie
    held(any_database, Lease())
    run.communicate()


@pytest.mark.parametrize(
    ("change", "dead"),
    [
        ({}, False),
        ({"birth": "1"}, True),  # another process has its pid now
        ({"pid": 2**22 + 1}, True),  # above what Linux gives out
        ({"pid": 2**22 + 1, "place": "elsewhere"}, False),
        ({"pid": 2**22 + 1, "host": "elsewhere"}, False),
        ({"pid": 0}, False),
    ],
)
def test_only_a_process_of_this_very_machine_is_called_dead(
    database: Database, change: dict[str, str | int], dead: bool
) -> None:
    holder = replace(Holder.myself(), **change)  # type: ignore[arg-type]  # fields of the table above
    held(database, Lease())
    pretend(database, holder)
    if dead:
        held(database, Lease())
    else:
        with pytest.raises(LeaseHeld):
            do(database, Lease().acquire)


@pytest.mark.parametrize("text", ["", "x", "a:b:c", "::1:7:p.b.t", "host:12:"])
def test_a_holder_of_any_form_is_read(text: str) -> None:
    assert not Holder.parse(text).is_dead()
    assert Holder.parse(text).shown()
    assert Holder.parse(str(Holder.myself())) != Holder.myself()  # the random part


def test_an_expired_run_that_is_writing_is_not_waited_for(database: Database, keywords: Keywords) -> None:
    old = held(database, Lease())
    expire(database)

    def acquire(tx: Transaction) -> None:
        tx.execute("SET LOCAL lock_timeout = '20ms'")
        Lease().acquire(tx)

    def writing(tx: Transaction) -> None:
        old.check_fence(tx)
        with Database(keywords, sleep=no_sleep) as rival, pytest.raises(LeaseHeld, match="is writing"):
            do(rival, acquire)

    do(database, writing)


def test_a_released_lease_is_free_and_stays_released(any_database: Database) -> None:
    lease = held(any_database, Lease())
    do(any_database, lease.release)
    assert not lease.renew(any_database)
    other = held(any_database, Lease())
    with pytest.raises(LeaseHeld, match="took the lease"):
        do(any_database, lease.release)  # not ours any more: nothing happens
    do(any_database, other.check_fence)


def test_the_remaining_time_counts_from_before_the_last_renewal(database: Database) -> None:
    now = [1000.0]
    lease = Lease(clock=lambda: now[0])
    assert lease.remaining_s() == 0

    def slowly(tx: Transaction) -> None:
        lease.acquire(tx)
        now[0] += 20

    do(database, slowly)
    assert lease.remaining_s() == 100
    now[0] += 60
    lease.require(40)
    with pytest.raises(LeaseHeld, match="40 s left"):
        lease.require(41)
    assert lease.renew(database)
    assert lease.remaining_s() == 120
    now[0] += 500
    assert lease.remaining_s() == 0


def test_the_lease_is_renewed_in_the_background_until_released(database: Database) -> None:
    renewed = threading.Event()

    class Watched(Lease):
        def renew(self, database: object) -> bool:
            ours = super().renew(database)  # type: ignore[arg-type]  # the Database given to keep()
            renewed.set()
            return ours

    lease = Watched()
    do(database, lease.acquire)
    expire(database)
    renewals = database.sibling()
    lease.keep(renewals, every_s=0.01)
    assert renewed.wait(10)
    with pytest.raises(LeaseHeld):
        do(database, Lease().acquire)
    do(database, lease.release)
    lease.stop()
    held(database, Lease())
    assert renewals.stats.connects >= 1
