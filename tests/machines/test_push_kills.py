"""A push that is killed anywhere, or held up anywhere, and the runs that come after it: boards and tables end as if
nothing had happened, and nothing is there twice.

The boundaries are found from outside. A push that is left alone shows its requests and its commits; then one push is
killed in each of them: while it waits for the answer (of a write once carried out, once not), and at each COMMIT.
"""

from __future__ import annotations

import itertools
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
import tenacity
from psycopg2 import extensions

from sandbox import MASTER_BOARD_ID
from sandbox.world import API_USER
from tests.support.company import PUSH, Company
from tests.support.copies import PULLED, PUSHED, Copies, counted_commits, ends, history_of
from tests.support.killing import SOAK, Held, Killer, Way, sound_files
from tests.support.servers import Keywords

T = TypeVar("T")


@pytest.fixture
def copies(admin: extensions.connection, server: Keywords, keywords: Keywords, tmp_path: Path) -> Copies:
    return Copies(admin, server, keywords, tmp_path)


@contextmanager
def in_mid_change(company: Company, held: Held, *options: str) -> Iterator[subprocess.Popen[str]]:
    """A push in a process of its own that waits for the answer to its first change."""
    company.sandbox.fault("latency", match="Change", delay_s=1)
    with company.start(*options, *PUSHED, program=PUSH) as process:
        assert held.reached.wait(30)
        yield process


# Kills ----------------------------------------------------------------------------------------------------------------


def kill(process: subprocess.Popen[str], is_there: Callable[[], object]) -> None:
    """Kill a push as soon as it is there."""
    with process:
        deadline = time.monotonic() + 30
        while not is_there():
            assert process.poll() is None, f"it ended before it came there: {process.communicate()}"
            assert time.monotonic() < deadline
            time.sleep(0.002)
        process.kill()
        process.communicate()


def kill_at_request(company: Company, held: Held, nth: int, effect: bool) -> None:
    """Kill a push while it waits for the answer of its nth request, which is carried out (`effect`) or not."""
    company.sandbox.fault("latency" if effect else "timeout_before", nth=nth, delay_s=1)
    kill(company.start(*PUSHED, program=PUSH), held.reached.is_set)
    held.again()
    company.sandbox.clear_faults()


def kill_at_commit(company: Company, nth: int) -> None:
    """Kill a push whose nth COMMIT is on its way; it is lost."""
    waiting = "FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database ="
    waiting += " (SELECT oid FROM pg_database WHERE datname = current_database())"
    with company.connected() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(4711)")
        connection.commit()
        with counted_commits(company, nth):
            kill(company.start(*PUSHED, program=PUSH), lambda: company.sql(f"SELECT pid {waiting}"))
            assert company.sql(f"SELECT pg_terminate_backend(pid) {waiting}") == [(True,)]
            while company.sql(f"SELECT pid {waiting}"):
                time.sleep(0.002)


def recovered(company: Company, first: str) -> None:
    """The first run after a kill, in either direction: it needs nobody."""
    ended = company.push(*PUSHED) if first == "push" else company.sync(*PULLED)
    assert ended.outcome == 0, (ended.err, ended.out)


def shared(points: Sequence[T], first: str) -> Sequence[T]:
    """Each point is tried with one of the two commands that repair it; in a soak with both."""
    return points if SOAK else points[first == "pull" :: 2]


@pytest.mark.parametrize("first", ["push", "pull"])
def test_killed_at_every_request(copies: Copies, held: Held, first: str) -> None:
    with copies.another() as company:
        assert company.push(*PUSHED).outcome == 0
        writes = [request["mutation"] for request in company.sandbox.requests()]
        expected = ends(company), history_of(company)
    assert sum(writes) >= 4, "changes, new items of both boards, one that is archived"
    kills = [(nth, effect) for nth, write in enumerate(writes, 1) for effect in ((False, True) if write else (True,))]
    for nth, effect in shared(kills, first):
        with copies.another() as company:
            kill_at_request(company, held, nth, effect)
            recovered(company, first)
            assert (ends(company), history_of(company)) == expected, f"request {nth}, carried out: {effect}"


@pytest.mark.parametrize("first", ["push", "pull"])
def test_killed_at_every_commit(copies: Copies, first: str) -> None:
    with copies.another() as company:
        with counted_commits(company):
            assert company.push(*PUSHED).outcome == 0
            commits = company.value("SELECT last_value FROM public.commits")
        expected = ends(company), history_of(company)
    assert commits >= 8, "the lease, a journal entry for each batch, new items of two boards, the end"
    for nth in shared(range(1, commits + 1), first):
        with copies.another() as company:
            kill_at_commit(company, nth)
            recovered(company, first)
            assert (ends(company), history_of(company)) == expected, f"commit {nth}"


def place_of(company: Company, operation: str, *, after: int = 0) -> int:
    """Which request of the log it is, the first being 1."""
    names = [request["operation"] for request in company.sandbox.requests()]
    return names.index(operation, after) + 1


def test_killed_while_it_settles_what_an_earlier_kill_left(copies: Copies, held: Held) -> None:
    with copies.another() as company:
        assert company.push(*PUSHED).outcome == 0
        create = place_of(company, "Create")
        expected = ends(company)
    for effect, second in itertools.product((False, True), (False, True)):
        with copies.another() as company:
            kill_at_request(company, held, create, effect)
            for again in itertools.count(1):
                kill_at_request(company, held, again, second)
                if "Look" in company.sandbox.counters()["by_operation"] and again > 2:
                    break
            recovered(company, "push")
            assert ends(company) == expected


def test_killed_anywhere_and_the_runs_that_repair_it_too(copies: Copies, killer: Killer) -> None:
    """At its files, requests and messages to the database, up to three times, by either command."""
    ways = (Way(PUSH, PUSHED), Way("sync_monday_to_pg.py", PULLED))
    with copies.another() as company:
        points = killer.points(company, ways[0])
        expected = ends(company)
    dice = random.Random(1)
    sample = [[point] for point in (points if SOAK else dice.sample(points, 4))]
    sample += [dice.sample(points, dice.choice((2, 2, 3))) for _ in range(60 if SOAK else 6)]
    for first, *more in sample:
        with copies.another() as company:
            killer.kill(company, ways[0], first)
            for point in more:
                killer.kill(company, dice.choice(ways), point, certain=False)
            recovered(company, dice.choice(("push", "pull")))
            assert ends(company) == expected, (first, *more)
            sound_files(company)
    print(f"\npush: {killer.kills} kills at {len(points)} points")  # noqa: T201  for -s


# Journals that lay for a while ----------------------------------------------------------------------------------------


def passes(company: Company, minutes: int) -> None:
    """Time goes by, here and there."""
    company.sandbox.advance(60 * minutes)
    company.sql("UPDATE monday_sync.sync_batch SET sent_at = sent_at - make_interval(mins => %s)", minutes)


@pytest.fixture
def requests(copies: Copies) -> list[str]:
    """What a push that is left alone asks for, in its order."""
    with copies.another() as company:
        assert company.push(*PUSHED).outcome == 0
        return [request["operation"] for request in company.sandbox.requests()]


@pytest.fixture
def expected(copies: Copies) -> Any:
    with copies.another() as company:
        return ends(company)


@pytest.mark.parametrize("marker", [True, False], ids=["marker", "no marker"])
@pytest.mark.parametrize("effect", [True, False], ids=["made", "not made"])
@pytest.mark.sampled(2)
def test_new_items_in_doubt(
    copies: Copies, held: Held, requests: list[str], expected: Any, marker: bool, effect: bool
) -> None:
    """Too old for the same request again, too young to be looked up: they wait. Then they are looked up."""
    with copies.another(marker=marker) as company:
        looked_up = 2 * marker  # new rows of both boards, first of all
        kill_at_request(company, held, requests.index("Create") + 1 + looked_up, effect)
        passes(company, 26)
        projects = company.counts()["projects"]
        for _ in range(2):
            ended = company.push(*PUSHED)
            assert ended.outcome == 7, (ended.err, ended.out)
            assert any("may or may not have been carried out" in note for note in ended.report["notes"])
            pulled = company.sync("--full", *PULLED)
            assert pulled.outcome == 0, pulled.err
            assert company.counts()["projects"] == projects
        assert company.sandbox.counters()["by_operation"].get("Create", 0) == 2, "the lost one, and the staff board's"
        passes(company, 14)
        recovered(company, "push")
        assert ends(company) == expected


@pytest.mark.parametrize("minutes", [3, 26, 40])
@pytest.mark.parametrize("effect", [True, False], ids=["written", "not written"])
@pytest.mark.sampled(2)
def test_changes_in_doubt(
    copies: Copies, held: Held, requests: list[str], expected: Any, minutes: int, effect: bool
) -> None:
    """What an item shows tells, at any age."""
    with copies.another() as company:
        kill_at_request(company, held, requests.index("Change") + 1, effect)
        passes(company, minutes)
        recovered(company, "push")
        assert ends(company) == expected


def test_an_edit_after_a_write_in_doubt_is_kept(copies: Copies, held: Held, requests: list[str]) -> None:
    """It is neither overwritten by sending again what was lost, nor taken for what was sent."""
    with copies.another() as company:
        kill_at_request(company, held, requests.index("Change") + 1, effect=False)
        passes(company, 1)
        (item,) = company.sandbox.find(MASTER_BOARD_ID, "Job 1")
        company.sandbox.edit(item, {"text40__1": "by hand"})
        left = company.push("--propagate-deletes")
        assert left.outcome == 7, "a request of a minute ago may still be running"
        assert company.sandbox.item(item)["cells"]["text40__1"]["text"] == "by hand"
        passes(company, 2)
        assert company.push("--propagate-deletes").outcome == 0
        assert company.sandbox.item(item)["cells"]["text40__1"]["text"] == "by hand"
        assert company.sync().outcome == 0
        assert company.project(item, "description") == "by hand"
        assert company.sql("SELECT kept, lost FROM monday_sync.sync_conflict WHERE item_id = %s", item) == [
            ("by hand", "Edited")
        ]


@pytest.mark.parametrize("decision", ["write", "archive"])
def test_several_items_may_be_the_lost_one(copies: Copies, held: Held, requests: list[str], decision: str) -> None:
    """A person decides, by writing the right one's id or by archiving the wrong one; until then nothing is doubled."""
    with copies.another() as company:
        kill_at_request(company, held, requests.index("Create") + 1, effect=True)
        world = company.sandbox.world
        board = world.boards[MASTER_BOARD_ID]
        (first,) = company.sandbox.find(MASTER_BOARD_ID, "Job 7")
        second = world.create_item(board, board.first_group, "Job 7", {}, API_USER).id
        passes(company, 40)
        row = company.value("SELECT id::text FROM projects WHERE item_name = 'Job 7'")
        ended = company.push(*PUSHED)
        assert ended.code == 5, (ended.err, ended.out)
        (cell,) = ended.report["details"]["quarantined"]
        assert (cell["item"], cell["column"]) == ("new", f"projects.{row}")
        assert f"{first}, {second}" in cell["reason"]
        assert "monday_item_id" in cell["reason"]
        assert company.value("SELECT monday_item_id IS NOT NULL FROM projects WHERE item_name = 'Job 8'")
        company.sandbox.reset_counters()
        for again in (company.push(*PUSHED), company.sync("--full", *PULLED), company.push("--retry-dead", *PUSHED)):
            assert again.code in (0, 5), again.err
        assert company.sandbox.counters()["mutations"] == 0
        assert company.value("SELECT count(*) FROM projects WHERE item_name = 'Job 7'") == 1, (
            "none is doubled meanwhile"
        )
        if decision == "write":
            company.sql("UPDATE projects SET monday_item_id = %s WHERE id = %s", first, row)
            assert company.push(*PUSHED).outcome == 0
            assert company.sync(*PULLED).outcome == 0
            assert company.value("SELECT count(*) FROM projects WHERE item_name = 'Job 7'") == 2, (
                "the other is somebody's"
            )
        else:
            company.sandbox.archive(first)
            assert company.push(*PUSHED).outcome == 0
            assert company.value("SELECT monday_item_id FROM projects WHERE id = %s", row) == second
        ends(company)


# Runs that meet, and runs that are held up ----------------------------------------------------------------------------


def test_two_runs_at_once(copies: Copies, held: Held, expected: Any) -> None:
    with copies.another() as company:
        with in_mid_change(company, held, "--json") as process:
            before = company.sandbox.counters()["requests"]
            assert (company.push(*PUSHED).outcome, company.sync(*PULLED).outcome) == (6, 6)
            assert company.sandbox.counters()["requests"] == before
            held.free.set()
            out, err = process.communicate(timeout=30)
        assert process.returncode == 5, (out, err)  # an edit of the board's loses, which is news
        assert ends(company) == expected


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_the_batch_in_flight_end(
    copies: Copies, held: Held, expected: Any, number: signal.Signals
) -> None:
    with copies.another() as company:
        with in_mid_change(company, held) as process:
            process.send_signal(number)
            time.sleep(0.1)
            held.free.set()
            _out, err = process.communicate(timeout=30)
        assert process.returncode == 130, err
        assert "run it again" in err
        assert company.value("SELECT count(*) FROM monday_sync.sync_batch") == 0
        assert company.sandbox.counters()["by_operation"].get("Create", 0) == 0
        company.sandbox.reset_counters()
        assert company.push(*PUSHED).outcome == 0
        assert "Change" not in company.sandbox.counters()["by_operation"]
        assert ends(company) == expected


def test_a_second_signal_ends_it_at_once(copies: Copies, held: Held, expected: Any) -> None:
    with copies.another() as company:
        with in_mid_change(company, held) as process:
            process.send_signal(signal.SIGINT)
            time.sleep(0.1)
            process.send_signal(signal.SIGINT)
            _out, err = process.communicate(timeout=30)
        assert (process.returncode, "Traceback" in err) == (130, False)
        held.free.set()
        assert company.value("SELECT count(*) FROM monday_sync.sync_batch") == 1
        recovered(company, "push")
        assert ends(company) == expected


def test_a_run_that_slept_while_another_took_over_sends_nothing_more(copies: Copies, held: Held, expected: Any) -> None:
    with copies.another() as company:
        with in_mid_change(company, held) as process:
            process.send_signal(signal.SIGSTOP)
            company.sql(
                "UPDATE monday_sync.sync_lease SET holder = 'elsewhere:1:x.1.x', fence = fence + 1,"
                " expires_at = clock_timestamp() + interval '1 minute'"
            )
            held.free.set()
            time.sleep(0.05)
            before = company.sandbox.counters()["mutation_requests"]
            process.send_signal(signal.SIGCONT)
            _out, err = process.communicate(timeout=30)
        assert process.returncode == 6, err
        assert company.sandbox.counters()["mutation_requests"] == before
        assert company.value("SELECT holder FROM monday_sync.sync_lease") == "elsewhere:1:x.1.x"
        company.sql("UPDATE monday_sync.sync_lease SET expires_at = clock_timestamp() - interval '1 second'")
        recovered(company, "push")
        assert ends(company) == expected


# Bad weather ----------------------------------------------------------------------------------------------------------

WEATHER = [
    *itertools.product(("gateway_timeout", "html_200"), (False, True)),
    *itertools.product(("reset_before", "reset_after", "truncated_json", "internal_error_200"), (False,)),
    *itertools.product(("too_many_requests", "cell_unread", "null_unexplained", "error_beside_data"), (False,)),
    *itertools.product(("rate_limited", "conflict", "locked"), (False,)),
]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """All tries, without the seconds between them."""
    monkeypatch.setattr("monday.transport._backoff", tenacity.wait_none())
    monkeypatch.setattr("monday.transport._jitter", tenacity.wait_none())


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("match", ["Change", "Create", "Archive"])
@pytest.mark.sampled(2)
def test_a_fault_of_one_write(copies: Copies, expected: Any, match: str) -> None:
    """In the end everything is there once, whatever came of the answer."""
    for kind, effect in WEATHER:
        with copies.another() as company:
            company.sandbox.fault(kind, match=match, effect=effect, retry_after=0)
            ended = company.push(*PUSHED)
            assert ended.outcome in (0, 7), (kind, effect, ended.err, ended.out)
            for minutes in (0, 40):  # what is in doubt is asked for again, and looked up at last
                if company.value("SELECT count(*) FROM monday_sync.sync_batch"):
                    passes(company, minutes)
                    assert company.push(*PUSHED).outcome in (0, 7), (kind, effect)
            assert ends(company) == expected, (kind, effect)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("kind", "effect"), [("gateway_timeout", True), ("html_200", False), ("reset_after", False)])
def test_weather_that_stays_bad(copies: Copies, expected: Any, kind: str, effect: bool) -> None:
    """No write is answered any more: exit 7, state kept, and nobody is told of items that nothing is wrong with."""
    with copies.another() as company:
        company.sandbox.fault(kind, match="mutation", effect=effect, times=0)
        for _ in range(2):
            ended = company.run(*PUSHED, program=PUSH)
            assert (ended.outcome, "run it again" in ended.err) == (7, True), (ended.err, ended.out)
        assert company.value("SELECT count(*) FROM monday_sync.sync_dead") == 0
        company.sandbox.clear_faults()
        recovered(company, "pull")
        assert ends(company) == expected


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("kind", ["internal_error", "internal_error_200"])
def test_an_item_that_makes_monday_fail_inside(copies: Copies, expected: Any, kind: str) -> None:
    """It is found by sending fewer at once, and set aside; all others land."""
    with copies.another() as company:
        (item,) = company.sandbox.find(MASTER_BOARD_ID, "Job 2")
        company.sandbox.fault(kind, match="mutation", item=item, times=0)
        ended = company.push(*PUSHED)
        assert ended.code == 5, (ended.err, ended.out)
        assert {cell["item"] for cell in ended.report["details"]["quarantined"]} == {item}
        assert all("failed inside" in cell["reason"] for cell in ended.report["details"]["quarantined"])
        items = ended.report["items"]
        assert (items["update"], items["create"], items["archive"]) == (4, 3, 1)
        assert company.push(*PUSHED).code == 5
        company.sandbox.clear_faults()
        recovered(company, "push")
        assert ends(company) == expected


@pytest.mark.usefixtures("impatient")
def test_an_archive_that_makes_monday_fail_inside(copies: Copies, expected: Any) -> None:
    with copies.another() as company:
        (item,) = company.sandbox.find(MASTER_BOARD_ID, "Job 6")
        company.sandbox.fault("internal_error", match="mutation", item=item, times=0)
        ended = company.push(*PUSHED)
        assert (ended.code, ended.report["items"]["create"]) == (5, 3), ended.err
        company.sandbox.clear_faults()
        recovered(company, "push")
        assert ends(company) == expected


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("effect", [False, True])
def test_new_items_that_make_monday_fail_inside(copies: Copies, expected: Any, effect: bool) -> None:
    """Made or not: they wait until that is certain, and hold up nothing that comes after them."""
    with copies.another() as company:
        company.sandbox.fault("internal_error", match="mutation", item="Job 7", times=0, effect=effect)
        ended = company.push(*PUSHED)
        assert (ended.report["items"]["create"], ended.report["items"]["archive"]) == (1, 1), ended.err
        assert any("2 writes of this run may or may not" in note for note in ended.report["notes"])
        assert company.push(*PUSHED).outcome == 7
        company.sandbox.clear_faults()
        passes(company, 40)
        recovered(company, "push")
        assert ends(company) == expected


# People who go on working meanwhile -----------------------------------------------------------------------------------


@pytest.mark.parametrize("effect", [True, False], ids=["written", "not written"])
@pytest.mark.parametrize("first", ["push", "pull"])
def test_a_row_that_is_edited_again_before_the_recovery(
    copies: Copies, held: Held, requests: list[str], effect: bool, first: str
) -> None:
    with copies.another() as company:
        kill_at_request(company, held, requests.index("Change") + 1, effect)
        company.sql("UPDATE projects SET description = 'Edited twice' WHERE item_name = 'Job 1'")
        recovered(company, first)
        ends(company)
        (item,) = company.sandbox.find(MASTER_BOARD_ID, "Job 1")
        assert company.sandbox.item(item)["cells"]["text40__1"]["text"] == "Edited twice"
        assert company.project(item, "description") == "Edited twice"


@pytest.mark.parametrize("effect", [True, False], ids=["made", "not made"])
@pytest.mark.parametrize("first", ["push", "pull"])
@pytest.mark.parametrize("minutes", [0, 40])
@pytest.mark.sampled(2)
def test_a_new_row_that_is_deleted_before_the_recovery(
    copies: Copies, held: Held, requests: list[str], effect: bool, first: str, minutes: int
) -> None:
    """An item that was made for nobody stays, as those do whose rows are deleted later; nothing comes back from it."""
    with copies.another() as company:
        kill_at_request(company, held, requests.index("Create") + 1, effect)
        company.sql("DELETE FROM projects WHERE item_name = 'Job 7'")
        passes(company, minutes)
        recovered(company, first)
        assert company.push(*PUSHED).outcome == 0
        ends(company)
        assert company.sandbox.find(MASTER_BOARD_ID, "Job 7") == []
        assert company.value("SELECT count(*) FROM projects WHERE item_name = 'Job 7'") == 0


@pytest.mark.parametrize("gone", ["archived", "deleted"])
def test_a_new_item_that_is_gone_before_the_recovery(
    copies: Copies, held: Held, requests: list[str], gone: str
) -> None:
    with copies.another() as company:
        kill_at_request(company, held, requests.index("Create") + 1, effect=True)
        (item,) = company.sandbox.find(MASTER_BOARD_ID, "Job 7")
        (company.sandbox.archive if gone == "archived" else company.sandbox.delete)(item)
        recovered(company, "push")
        listed = company.sync("--full", *PULLED)
        row = company.value("SELECT 'projects.' || id FROM projects WHERE item_name = 'Job 7'")
        assert [(entry["item"], entry["column"]) for entry in listed.report["details"]["quarantined"]] == [(item, row)]
        company.sql("UPDATE projects SET archived_at = now() WHERE monday_item_id = %s", item)  # a person has decided
        ends(company)
        assert company.sandbox.find(MASTER_BOARD_ID, "Job 7") == []
        assert company.value("SELECT monday_item_id FROM projects WHERE item_name = 'Job 7'") == item
