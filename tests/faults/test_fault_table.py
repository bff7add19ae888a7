"""The fault table of reliability.md §6.4, row by row: which test proves each row for each direction, and those tests of
the real commands, boards and servers that no other file has.
"""

from __future__ import annotations

import ast
import errno
import json
import os
import re
import resource
import shutil
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import psycopg2
import pytest
import tenacity
from psycopg2 import extensions

from db_connector import Database
from postgres.embedded import LocalPostgres
from postgres.folder import OwnFolder
from reconcile.plan_pull import plan_pull
from sandbox import MASTER_BOARD_ID, STAFF_BOARD_ID
from sandbox.faults import Reply
from tests.support.company import PUSH, ROOT, Company, small_world, url_of
from tests.support.copies import AT_COMMIT, PULLED, PUSHED, Copies, boards_of, counted_commits, ends, tables_of
from tests.support.killing import SOAK, Way
from tests.support.pushing import in_step, jobs, project, shows
from tests.support.servers import PGBOUNCER, BreakingLine, Keywords, Pooler, no_sleep

TEXT = "text40__1"
NOTE = "text43__1"
PRICE = "numbers0"


# The table ------------------------------------------------------------------------------------------------------------


class NotApplicable(NamedTuple):
    """Why a row says nothing about one direction."""

    reason: str


Proofs = tuple[str, ...] | NotApplicable


class Row(NamedTuple):
    """What goes wrong, and the tests that prove what comes of it: `file::test`, in this file `::test`."""

    fault: str
    pull: Proofs
    push: Proofs


NO_WRITES = NotApplicable("monday → PostgreSQL writes nothing to monday.com but what an unfinished push left")
_READ = ("tests/edges/test_monday_reading.py::test_one_broken_answer_changes_nothing", "::test_an_answer_that_is_none")
_LOOK = ("tests/edges/test_monday_looking.py::test_one_broken_answer_changes_nothing", "::test_an_answer_that_is_none")
_WRITE = (
    "tests/edges/test_monday_writing.py::test_whatever_goes_wrong_it_runs_once",
    "tests/machines/test_push_kills.py::test_a_fault_of_one_write",
    "tests/machines/test_push_kills.py::test_weather_that_stays_bad",
)
_LIMITS = ("tests/edges/test_monday_api.py::test_a_limit_waits_as_long_as_it_says", "::test_a_limit_is_waited_for")
_RECOVERS = ("tests/machines/test_push_kills.py::test_killed_at_every_request",)

TABLE: dict[int, Row] = {
    1: Row(
        "429 with Retry-After",
        (*_LIMITS, "tests/edges/test_monday_api.py::test_retry_after_is_a_number_or_a_date", *_READ),
        (*_LIMITS, "tests/edges/test_monday_writing.py::test_every_try_sends_the_same_bytes_and_key", *_WRITE),
    ),
    2: Row(
        "complexity exhausted, or one query too complex",
        (*_LIMITS, "tests/edges/test_monday_reading.py::test_pages_shrink_when_too_heavy"),
        (
            *_LIMITS,
            "tests/edges/test_monday_looking.py::test_a_look_that_is_too_heavy_asks_for_fewer_items",
            "::test_a_batch_too_complex_is_halved",
        ),
    ),
    3: Row(
        "minute, concurrency, field and IP limits, locked, still running",
        (*_LIMITS, "tests/edges/test_monday_api.py::test_too_many_at_once_halves_them_once_for_a_burst", *_READ),
        (
            *_LIMITS,
            "tests/edges/test_monday_writing.py::test_a_batch_that_still_runs_is_waited_for",
            "tests/faults/test_push_refused.py::test_a_locked_board_is_waited_for",
        ),
    ),
    4: Row(
        "the day's calls are spent",
        ("tests/faults/test_bad_input.py::test_no_daily_calls_left",),
        (
            "tests/faults/test_push_refused.py::test_the_day_is_spent_before_the_look",
            "tests/faults/test_push_refused.py::test_the_day_is_spent_at_the_second_batch",
        ),
    ),
    5: Row("5xx on a read", (*_READ, "tests/faults/test_bad_input.py::test_monday_fails_whatever_is_asked"), _LOOK),
    6: Row("5xx on a mutation", _RECOVERS, _WRITE),
    7: Row(
        "timeout or reset before any byte, or after the body was sent",
        (*_READ, "tests/faults/test_bad_input.py::test_monday_does_not_answer"),
        (*_LOOK, *_WRITE, "tests/edges/test_monday_writing.py::test_nothing_is_in_doubt_while_nobody_answers_the_port"),
    ),
    8: Row("reset in mid body, short Content-Length", _READ, (*_LOOK, *_WRITE)),
    9: Row("truncated JSON, wrong content type", _READ, (*_LOOK, *_WRITE)),
    10: Row(
        "HTML or nothing with 200",
        (*_READ, "::test_a_page_of_a_proxy_is_not_quoted"),
        (*_LOOK, *_WRITE, "::test_a_page_of_a_proxy_is_not_quoted"),
    ),
    11: Row(
        "200 with data and errors on a read",
        (*_READ, "tests/edges/test_monday_api.py::test_an_unusable_answer_is_asked_for_again_with_the_same_bytes"),
        _LOOK,
    ),
    12: Row(
        "200 with some of the aliases",
        NO_WRITES,
        (
            "tests/edges/test_monday_writing.py::test_each_op_is_settled_by_itself",
            "tests/edges/test_monday_writing.py::test_an_outcome_that_is_not_shown_is_to_be_read",
            "tests/faults/test_push_refused.py::test_a_cell_that_only_monday_refuses_takes_nothing_along",
        ),
    ),
    13: Row(
        "cursor expired",
        (
            "tests/faults/test_bad_input.py::test_monday_fails_once",
            "tests/edges/test_monday_reading.py::test_an_expired_cursor_begins_that_chain_again",
            "tests/edges/test_monday_api.py::test_a_cursor_that_keeps_expiring_is_given_up",
            "::test_a_listing_that_never_ends",
        ),
        NotApplicable("a push looks at items by their ids: it walks through no listing"),
    ),
    14: Row(
        "repeated cursor, endless pages",
        ("tests/edges/test_monday_api.py::test_a_walk_that_never_ends_is_drift", "::test_a_listing_that_never_ends"),
        NotApplicable("a push looks at items by their ids: it walks through no listing"),
    ),
    15: Row(
        "item deleted between read and write",
        (
            "tests/faults/test_push_refused.py::test_an_item_that_vanished",
            "test_sync.py::test_items_that_go_and_come_back",
        ),
        (
            "tests/faults/test_push_refused.py::test_an_item_that_vanished",
            "tests/edges/test_monday_writing.py::test_an_item_that_vanished_meanwhile_costs_only_itself",
        ),
    ),
    16: Row(
        "a person edits between read and write",
        ("::test_a_row_that_is_edited_while_the_boards_are_read",),
        (
            "tests/commands/test_push.py::test_a_conflict_is_settled_by_the_side_that_wins",
            "tests/commands/test_push.py::test_an_edit_made_in_the_moment_before_the_write_is_kept",
            "::test_a_row_that_is_edited_while_a_push_looks",
        ),
    ),
    17: Row(
        "column deleted or retyped in mid-run",
        (
            "tests/faults/test_bad_input.py::test_a_column_removed_while_the_board_is_read",
            "tests/edges/test_monday_reading.py::test_a_column_changed_meanwhile_voids_the_read",
        ),
        ("::test_a_column_that_goes_between_the_look_and_the_write",),
    ),
    18: Row(
        "unknown status label",
        NO_WRITES,
        ("tests/faults/test_push_refused.py::test_an_unknown_label_is_not_made_without_leave",),
    ),
    19: Row(
        "401, 403",
        (
            "tests/faults/test_bad_input.py::test_a_refused_token",
            "tests/faults/test_bad_input.py::test_a_token_without_rights",
            "tests/faults/test_bad_input.py::test_a_board_that_is_not_there",
        ),
        (
            "tests/faults/test_push_refused.py::test_a_revoked_token",
            "tests/faults/test_push_refused.py::test_a_user_who_may_only_look",
            "tests/faults/test_push_refused.py::test_a_board_that_is_not_there",
        ),
    ),
    20: Row(
        "database restarts, compute suspended",
        ("::test_the_server_restarts", "::test_backends_die_between_transactions", "::test_the_pooler_restarts"),
        ("::test_the_server_restarts", "::test_backends_die_between_transactions", "::test_the_pooler_restarts"),
    ),
    21: Row(
        "connection dies at COMMIT",
        (
            "tests/edges/test_db_connector.py::test_a_commit_whose_answer_is_lost_happens_once",
            "::test_the_line_breaks_at_commit",
        ),
        ("tests/machines/test_push_kills.py::test_killed_at_every_commit", "::test_the_line_breaks_at_commit"),
    ),
    22: Row(
        "serialization failure, deadlock, lock timeout",
        (
            "::test_the_database_fails_at_every_commit",
            "::test_somebody_holds_a_lock",
            "::test_somebody_writes_a_row_that_was_just_read",
        ),
        ("::test_the_database_fails_at_every_commit", "::test_somebody_holds_a_lock"),
    ),
    23: Row(
        "statement timeout",
        ("::test_a_statement_takes_too_long", "::test_the_database_fails_at_every_commit"),
        ("::test_a_statement_takes_too_long", "::test_the_database_fails_at_every_commit"),
    ),
    24: Row(
        "a constraint of the user's own",
        ("tests/faults/test_inbound_refused.py::test_a_refusal_costs_the_value_or_else_the_row_alone",),
        (
            "tests/commands/test_existing_database.py::test_a_house_that_cannot_be_made_whole_does_not_stop_the_others",
            "tests/commands/test_existing_database.py::test_a_name_that_cannot_be_made_whole_does_not_stop_the_others",
        ),
    ),
    25: Row(
        "disk full, read-only replica",
        (
            "::test_the_disk_of_the_database_is_full",
            "::test_a_read_only_replica",
            "::test_a_read_only_replica_is_named",
            "::test_the_database_fails_at_every_commit",
        ),
        (
            "::test_the_disk_of_the_database_is_full",
            "::test_a_read_only_replica",
            "::test_a_read_only_replica_is_named",
            "::test_the_database_fails_at_every_commit",
        ),
    ),
    26: Row(
        "disk full or EIO on cache and logs",
        (
            "tests/edges/test_data_cache.py::test_a_full_disk_costs_the_cache_and_not_the_run",
            "tests/faults/test_bad_input.py::test_folders_that_cannot_be_made_cost_a_warning",
            "::test_a_full_disk_costs_warnings",
            "::test_a_cache_that_cannot_be_made_sure_is_none",
        ),
        (
            "tests/edges/test_logs.py::test_a_disk_that_fills_up_costs_one_warning_a_file",
            "::test_a_full_disk_costs_warnings",
            "::test_a_log_on_a_full_disk_costs_a_warning",
        ),
    ),
    27: Row(
        "two runs at once",
        (
            "test_sync.py::test_a_second_run_at_the_same_time_ends_before_any_request",
            "tests/edges/test_lease.py::test_of_many_racing_runs_one_wins",
        ),
        (
            "tests/machines/test_push_kills.py::test_two_runs_at_once",
            "tests/faults/test_push_refused.py::test_another_run_is_at_work",
        ),
    ),
    28: Row(
        "suspended past the lease, then woken",
        ("::test_a_run_that_slept_through_its_lease_commits_nothing",),
        (
            "tests/machines/test_push_kills.py::test_a_run_that_slept_while_another_took_over_sends_nothing_more",
            "tests/commands/test_push.py::test_a_lease_that_does_not_outlast_a_request_sends_none",
        ),
    ),
    29: Row(
        "clock jumps, wrong time zone",
        ("::test_clocks_that_disagree", "::test_the_time_zone_changes_no_plan"),
        ("::test_clocks_that_disagree", "::test_the_time_zone_changes_no_plan"),
    ),
    30: Row(
        "a cache that is corrupted, old, of another board, linked",
        (
            "tests/faults/test_bad_input.py::test_a_bad_cache_is_refused_and_never_replaced_by_a_read",
            "tests/edges/test_data_cache.py::test_another_boards_or_an_old_cache_is_refused",
        ),
        NotApplicable("a push reads no cache"),
    ),
    31: Row(
        "base schema newer than the program",
        (
            "tests/faults/test_bad_input.py::test_a_database_of_a_newer_program",
            "::test_the_database_of_a_newer_program",
        ),
        ("::test_the_database_of_a_newer_program",),
    ),
    32: Row(
        "an id twice: across pages, on both boards",
        (
            "tests/unit/test_change_filter.py::test_of_two_states_of_one_item_the_newer_is_kept",
            "tests/edges/test_monday_api.py::test_items_that_came_twice_are_handed_out_once",
            "::test_an_item_twice_in_a_listing",
            "::test_an_id_on_both_boards",
        ),
        ("::test_an_id_on_both_boards",),
    ),
    33: Row(
        "a stale replica, or a cache older than the base",
        (
            "::test_a_stale_replica_after_our_own_write",
            "::test_a_cache_from_before_a_push",
            "test_sync.py::test_caches_are_listed_and_chosen",
        ),
        ("::test_a_stale_look_is_no_edit",),
    ),
}  # fmt: skip


@cache
def _tests_of(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / (file or Path(__file__).relative_to(ROOT))).read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


def test_every_row_is_proved_for_each_direction() -> None:
    assert list(TABLE) == list(range(1, 34))
    named: set[str] = set()
    for number, row in TABLE.items():
        for proofs in (row.pull, row.push):
            assert proofs, number
            if isinstance(proofs, NotApplicable):
                assert proofs.reason
                continue
            for proof in proofs:
                file, _, name = proof.partition("::")
                assert name in _tests_of(file), f"row {number}: there is no test {proof}"
                named.add(proof)
    here = {f"::{name}" for name in _tests_of("") if name.startswith("test_")}
    assert here - named == {"::test_every_row_is_proved_for_each_direction", "::test_the_table_is_that_of_the_rules"}


def test_the_table_is_that_of_the_rules() -> None:
    rules = ROOT.parent / "shared" / "reliability.md"
    if not rules.exists():
        pytest.skip("the rules are not beside this project")
    rows = re.findall(r"^\| (\d+) \| [^|]+ \| [^|]+ \|$", rules.read_text(encoding="utf-8"), re.MULTILINE)
    assert [int(number) for number in rows] == list(TABLE)


# Companies, commands and what is waited for ---------------------------------------------------------------------------


WAYS = {"pull": Way("sync_monday_to_pg.py", PULLED), "push": Way(PUSH, PUSHED)}
Now = tuple[list[str], dict[str, list[str]], int]


@pytest.fixture(params=WAYS)
def command(request: pytest.FixtureRequest) -> Way:
    """Both commands."""
    return WAYS[request.param]


class Worlds:
    """Copies of one company that was edited on both sides, and how a copy has to end after each command."""

    def __init__(self, admin: Any, server: Keywords, dbname: str, folder: Path) -> None:
        self._copies = Copies(admin, server, {**server, "dbname": dbname}, folder)
        self._expected: dict[str, Now] = {}
        self._items: dict[str, set[str]] = {}

    @contextmanager
    def another(self) -> Iterator[Company]:
        with self._copies.another() as company:
            first, second, third, *_ = jobs(company)
            company.sandbox.edit(first, {PRICE: "77", NOTE: "call first"})
            company.sandbox.edit(second, {NOTE: "beware of the dog"})
            company.sandbox.edit(third, {"dup__of_job_address0__1": "9 Oak St, Denver, CO 80203"})
            company.sandbox.create(MASTER_BOARD_ID, "Job 9", {"text65__1": "Owner 9", TEXT: "Roof 9"})
            company.sandbox.advance(60)
            company.sandbox.reset_counters()
            yield company

    def expected(self, command: Way) -> Now:
        """How everything is in the end when nothing goes wrong."""
        if command.program not in self._expected:
            with self.another() as company:
                items = {*boards_of(company)}
                assert command.run(company).outcome == 0
                self._items[command.program] = items | {*boards_of(company)}
                self._expected[command.program] = at_last(company)
        return self._expected[command.program]

    def whole(self, company: Company, command: Way) -> bool:
        """Whether each item is as it was or as the command leaves it."""
        self.expected(command)
        return {*boards_of(company)} <= self._items[command.program]


@pytest.fixture(scope="module")
def worlds(
    admin: extensions.connection, server: Keywords, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Worlds]:
    name = f"faults_{uuid.uuid4().hex}"
    with admin.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE blank STRATEGY file_copy")
        yield Worlds(admin, server, name, tmp_path_factory.mktemp("worlds"))
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


def briefly(seconds: float) -> None:
    time.sleep(min(seconds, 0.1))


def wait_with(monkeypatch: pytest.MonkeyPatch, sleep: Callable[[float], None]) -> None:
    """How the commands wait for the database between two tries."""
    monkeypatch.setattr("run.context.Database", partial(Database, sleep=sleep))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """All tries, without the seconds between them."""
    monkeypatch.setattr("monday.transport._backoff", tenacity.wait_none())
    monkeypatch.setattr("monday.transport._jitter", tenacity.wait_none())
    wait_with(monkeypatch, no_sleep)


def limit_statements(monkeypatch: pytest.MonkeyPatch, name: str, usual: str, limit: str) -> None:
    """Another `lock_timeout` or `statement_timeout` than the usual one."""
    for begin in ("_READING", "_WRITING"):
        text = getattr(__import__("postgres.transaction", fromlist=[begin]), begin)
        assert f"{name} = '{usual}'" in text
        monkeypatch.setattr(f"postgres.transaction.{begin}", text.replace(f"{name} = '{usual}'", f"{name} = '{limit}'"))


def let_go(company: Company) -> None:
    """What the end of the failed run's process does: this process goes on, so that its lease would count as alive."""
    company.sql("UPDATE monday_sync.sync_lease SET expires_at = '-infinity'")


@contextmanager
def on_request(company: Company, act: Callable[[int, str], object], *, after: bool = False) -> Iterator[list[str]]:
    """Call `act` with the number and the operation of each request: before it runs, or before its answer goes out."""
    service, seen = company.sandbox.service, list[str]()
    answer = service.answer

    def answering(headers: dict[str, str], body: bytes) -> Reply:
        found = re.match(r"\s*(?:query|mutation) (\w+)", str(json.loads(body)["query"]))
        seen.append(found[1] if found else "")
        number, name = len(seen), seen[-1]
        if after:
            reply = answer(headers, body)
            act(number, name)
            return reply
        act(number, name)
        return answer(headers, body)

    service.answer = answering  # type: ignore[method-assign]  # every request passes here
    try:
        yield seen
    finally:
        service.answer = answer  # type: ignore[method-assign]


def requests_of(worlds: Worlds, command: Way) -> list[str]:
    """What the command asks monday.com for when nothing goes wrong."""
    with worlds.another() as company, on_request(company, lambda *_: None) as seen:
        assert command.run(company).outcome == 0
    return seen


def only_on_request(nth: int, act: Callable[[], object]) -> Callable[[int, str], object]:
    return lambda number, _name: act() if number == nth else None


def at_last(company: Company) -> Now:
    """How everything is when each side has told the other what it has to tell: as if nothing had gone wrong."""
    pulled = company.sync(*PULLED)
    assert pulled.outcome == 0, (pulled.err, pulled.out)
    return ends(company)


def comes_to(company: Company) -> Now:
    """The same without the two runs that find nothing to do: for what is tried at every boundary."""
    for ended in (company.sync(*PULLED), company.push(*PUSHED), company.sync("--full", *PULLED)):
        assert ended.outcome == 0, (ended.err, ended.out)
    for table in ("sync_batch", "sync_op", "sync_dead"):
        assert company.value(f"SELECT count(*) FROM monday_sync.{table}") == 0, table
    return boards_of(company), tables_of(company), company.value("SELECT count(*) FROM monday_sync.sync_conflict")


# The database ---------------------------------------------------------------------------------------------------------

KILL = "PERFORM pg_terminate_backend(pg_backend_pid()), pg_sleep(1)"
TROUBLES = {
    "serialization failure": "RAISE 'no' USING ERRCODE = '40001'",
    "killed": KILL,
    "deadlock": "RAISE 'no' USING ERRCODE = '40P01'",
    "disk full": "RAISE 'no' USING ERRCODE = '53100'",
    "lock timeout": "RAISE 'no' USING ERRCODE = '55P03'",
    "read-only": "RAISE 'no' USING ERRCODE = '25006'",
    "statement timeout": "RAISE 'no' USING ERRCODE = '57014'",
}
ENDS_AT_ONCE = ("disk full", "read-only")


@contextmanager
def trouble_at_commit(company: Company, nth: int, how: str, *, lasts: bool) -> Iterator[None]:
    """What happens at the nth COMMIT that writes, and if it `lasts` at each one after it."""
    text = AT_COMMIT.replace("= %s THEN PERFORM pg_advisory_xact_lock(4711)", f"{'>=' if lasts else '='} %s THEN {how}")
    assert text != AT_COMMIT
    company.sql(text, nth)
    yield
    company.sql("DROP FUNCTION public.at_commit CASCADE; DROP SEQUENCE public.commits")


def test_the_database_fails_at_every_commit(worlds: Worlds, command: Way) -> None:
    """Once: planned again, or ended where waiting does not help. For good: exit 7. Nothing is ever half done."""
    expected = worlds.expected(command)
    with worlds.another() as company, counted_commits(company):
        assert command.run(company).outcome == 0
        commits = company.value("SELECT last_value FROM public.commits")
    pulls = command is WAYS["pull"]
    kinds = [*TROUBLES]
    cases = [
        (nth, kinds[number % len(kinds)], lasts)
        for lasts in (False, True)
        for number, nth in enumerate([*range(1, commits + 1)] * (len(kinds) // commits + 1))
    ]
    assert {(kind, lasts) for _nth, kind, lasts in cases} == {
        (kind, lasts) for kind in kinds for lasts in (False, True)
    }
    for nth, kind, lasts in cases if SOAK else cases[command is WAYS["pull"] :: 2]:
        with worlds.another() as company:
            tables = company.contents(only="public")
            with trouble_at_commit(company, nth, TROUBLES[kind], lasts=lasts):
                ended = command.run(company)
            assert ended.outcome == (7 if lasts or kind in ENDS_AT_ONCE else 0), (nth, kind, lasts, ended.err)
            assert worlds.whole(company, command), (nth, kind, lasts)
            if pulls and ended.outcome:
                assert company.contents(only="public") == tables, (nth, kind, lasts)
            let_go(company)
            assert command.run(company).outcome == 0, (nth, kind, lasts)
            assert comes_to(company) == expected, (nth, kind, lasts)


_OTHERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"  # noqa: E501


def test_backends_die_between_transactions(worlds: Worlds, command: Way) -> None:
    """While each request is on its way every connection is lost: before the look, between batches, before the end."""
    expected = worlds.expected(command)
    killed: list[Any] = []
    for nth in range(1, len(requests_of(worlds, command)) + 1):
        with worlds.another() as company:
            with on_request(company, only_on_request(nth, lambda: killed.extend(company.sql(_OTHERS)))):
                ended = command.run(company)
            assert ended.outcome == 0, (nth, ended.err)
            assert comes_to(company) == expected, nth
    assert bool(killed) is (command is WAYS["push"]), "a pull holds no connection while it reads the boards"


@pytest.mark.parametrize("cut", ["request", "answer"])
def test_the_line_breaks_at_commit(worlds: Worlds, command: Way, cut: Any) -> None:
    """The first COMMIT after each request, and the first of all: lost, or carried out with its answer lost."""
    expected = worlds.expected(command)
    for nth in range(len(requests_of(worlds, command)) + 1):
        with worlds.another() as company, BreakingLine(company.database, cut) as line:
            line._cut = cut if nth == 0 else "nothing"
            company.overrides = {"DATABASE_URL": url_of(line.keywords)}
            with on_request(company, only_on_request(nth, lambda: setattr(line, "_cut", cut)), after=True):
                ended = command.run(company)
            company.overrides = {}
            assert (ended.outcome, line._cut) == (0, "nothing"), (nth, ended.err)
            assert comes_to(company) == expected, nth


@pytest.mark.pooler
@pytest.mark.skipif(PGBOUNCER is None, reason="pgbouncer is not installed")
def test_the_pooler_restarts(worlds: Worlds, command: Way, server: Keywords) -> None:
    expected = worlds.expected(command)
    with closing_pooler(server) as pooler:
        for nth in range(1, len(requests_of(worlds, command)) + 1, 2):
            with worlds.another() as company:
                company.overrides = {"DATABASE_URL": url_of(pooler.before(company.database))}
                with on_request(company, only_on_request(nth, lambda: restart(pooler))):
                    ended = command.run(company)
                company.overrides = {}
                assert ended.outcome == 0, (nth, ended.err)
                assert comes_to(company) == expected, nth


@contextmanager
def closing_pooler(server: Keywords) -> Iterator[Pooler]:
    pooler = Pooler(server)
    try:
        yield pooler
    finally:
        pooler.stop()


def restart(pooler: Pooler) -> None:
    pooler._process.kill()
    pooler._process.wait()
    account = pooler._give_away() if os.geteuid() == 0 else {}
    pooler._process = subprocess.Popen(pooler._process.args, cwd="/", **account)
    pooler._wait()


def test_somebody_holds_a_lock(worlds: Worlds, command: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waited for five times, then left to the next run; a lock that goes in time costs a retry."""
    limit_statements(monkeypatch, "lock_timeout", "5s", "20ms")
    for in_time in (False, True):
        with worlds.another() as company, company.connected() as other, other.cursor() as cursor:
            cursor.execute("LOCK TABLE public.projects IN SHARE MODE")
            tries: list[float] = []

            def waiting(seconds: float, tries: list[float] = tries, leaves: Any = in_time and other) -> None:
                tries.append(seconds)
                if leaves:
                    leaves.rollback()

            wait_with(monkeypatch, waiting)
            ended = command.run(company)
            assert (ended.outcome, len(tries) >= (1 if in_time else 4)) == (0 if in_time else 7, True), ended.err
            assert in_time or "55P03" in ended.err
            other.rollback()
            let_go(company)
            assert command.run(company).outcome == 0
            assert at_last(company) == worlds.expected(command)


def test_somebody_writes_a_row_that_was_just_read(worlds: Worlds, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real serialization failure: the plan is made again, and both edits are there."""
    with worlds.another() as company:
        planned: list[int] = []

        def meanwhile(*arguments: Any, **options: Any) -> Any:
            plan = plan_pull(*arguments, **options)
            if not planned:
                company.sql("UPDATE projects SET claim_number = 'C-1' WHERE item_name = 'Job 1'")
            planned.append(1)
            return plan

        monkeypatch.setattr("pull.apply.plan_pull", meanwhile)
        assert WAYS["pull"].run(company).outcome == 0
        assert len(planned) == 2
        first = jobs(company)[0]
        assert (company.project(first, "estimated_value"), company.project(first, "claim_number")) == (77, "C-1")
        at_last(company)
        assert shows(company, first, "claim_number__1") == "C-1"


def test_a_statement_takes_too_long(worlds: Worlds, command: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tried once more, then exit 7 with what it was at, and no value."""
    with worlds.another() as company:
        limit_statements(monkeypatch, "statement_timeout", "60s", "500ms")
        company.sql(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM pg_sleep(9); RETURN NEW; END $$;"
            "CREATE TRIGGER slow BEFORE UPDATE ON projects FOR EACH ROW EXECUTE FUNCTION slow()"
        )
        before = company.contents(only="public")
        ended = command.run(company)
        assert ended.outcome == 7, ended.err
        assert re.search(r"took too long twice while [a-z ]+: nothing was written; run it again", ended.err)
        assert "Job" not in ended.err
        assert company.contents(only="public") == before
        company.sql("DROP FUNCTION slow CASCADE")
        let_go(company)
        assert command.run(company).outcome == 0
        assert at_last(company) == worlds.expected(command)


# A server of their own, which may fall --------------------------------------------------------------------------------


class Fallible:
    """A server that can be restarted on its port, and a superuser's cursor on it that outlives that."""

    def __init__(self, home: Path) -> None:
        self.local = LocalPostgres(home, settings={"fsync": "off", "full_page_writes": "off"})
        self.keywords = self.local.start()

    @contextmanager
    def cursor(self) -> Iterator[extensions.cursor]:
        with closing(psycopg2.connect(**self.keywords)) as connection:  # type: ignore[call-overload]  # the stubs want a DSN
            connection.autocommit = True
            with connection.cursor() as cursor:
                yield cursor

    def control(self, how: str, mode: str = "fast") -> None:
        with OwnFolder(self.local.home, frozenset()) as folder:
            self.local._run(self.local._tools(folder), "pg_ctl", self.local._data, "-w", "-m", mode, how)


@pytest.fixture(scope="module")
def fallible() -> Iterator[Fallible]:
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="fallible-", dir=memory if memory.is_dir() else None))
    folder.chmod(0o711)
    server = Fallible(folder / "postgres")
    yield server
    server.local.stop()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def fallible_worlds(fallible: Fallible, tmp_path_factory: pytest.TempPathFactory) -> Worlds:
    with fallible.cursor() as cursor:
        cursor.execute("CREATE DATABASE worlds")
    return Worlds(fallible, fallible.keywords, "worlds", tmp_path_factory.mktemp("fallible"))


def test_the_server_restarts(
    fallible: Fallible, fallible_worlds: Worlds, command: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two batches, or in the middle of a transaction, in order or by a crash; or it stays away for a while."""
    expected = fallible_worlds.expected(command)
    count = len(requests_of(fallible_worlds, command))
    wait_with(monkeypatch, briefly)
    for nth in range(1, count + 1):
        with fallible_worlds.another() as company:
            mode = ("fast", "immediate")[nth % 2]
            with on_request(company, only_on_request(nth, partial(fallible.control, "restart", mode))):
                ended = command.run(company)
            assert ended.outcome == 0, (nth, ended.err)
            assert comes_to(company) == expected, nth
    for mode in ("fast", "immediate"):
        with fallible_worlds.another() as company:
            with trouble_at_commit(company, 2, "PERFORM pg_sleep(60)", lasts=False):
                thread = threading.Thread(target=_restart_in_mid_commit, args=(fallible, company, mode))
                thread.start()
                ended = command.run(company)
                thread.join()
            assert ended.outcome == 0, (mode, ended.err)
            assert comes_to(company) == expected, mode
    wait_with(monkeypatch, no_sleep)
    with fallible_worlds.another() as company:
        with on_request(company, only_on_request(count, partial(fallible.control, "stop")), after=True):
            ended = command.run(company)
        assert (ended.outcome, "run it again" in ended.err) == (7, True), ended.err
        fallible.control("restart")
        let_go(company)
        assert command.run(company).outcome == 0
        assert at_last(company) == expected


def _restart_in_mid_commit(fallible: Fallible, company: Company, mode: str) -> None:
    for _ in range(2000):
        if company.sql("SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'"):
            fallible.control("restart", mode)
            return
        time.sleep(0.005)


@contextmanager
def replica(fallible: Fallible) -> Iterator[None]:
    """The server as a real hot standby, for a while."""
    signal = fallible.local._data / "standby.signal"
    fallible.control("stop")
    signal.touch()
    fallible.control("restart")
    yield
    fallible.control("stop")
    signal.unlink()
    fallible.control("restart")


def test_a_read_only_replica(fallible: Fallible, fallible_worlds: Worlds, command: Way) -> None:
    """It takes nothing, a dry run needs no more than that, and the primary takes up where it stood."""
    with fallible_worlds.another() as company:
        before = boards_of(company), company.contents()
        rehearsed = command.run(company, "--test").report["plan"]
        with replica(fallible):
            assert company.value("SELECT pg_is_in_recovery()")
            ended = command.run(company)
            dry = command.run(company, "--test")
            after = boards_of(company), company.contents()
        assert (dry.outcome, dry.report["plan"], after) == (0, rehearsed, before), dry.err
        assert (ended.outcome != 0, company.sandbox.counters()["mutations"]) == (True, 0)
        assert command.run(company).outcome == 0
        assert at_last(company) == fallible_worlds.expected(command)


def test_a_read_only_replica_is_named(fallible: Fallible, fallible_worlds: Worlds) -> None:
    with fallible_worlds.another() as company:
        with replica(fallible):
            ended = [command.run(company) for command in WAYS.values()]
        assert [(run.outcome, "read-only" in run.err, "primary" in run.err) for run in ended] == [(7, True, True)] * 2


@contextmanager
def small_disk(fallible: Fallible) -> Iterator[None]:
    """A folder of 32 MB that the server may write to, as the table space `small`."""
    folder = fallible.local.home.parent / "small"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", folder], capture_output=True, check=False)
    if done.returncode:
        folder.rmdir()
        pytest.skip("only root may mount a small disk")
    try:
        data = folder / "data"
        data.mkdir()
        owner = fallible.local._data.stat()
        os.chown(data, owner.st_uid, owner.st_gid)
        with fallible.cursor() as cursor:
            cursor.execute(f"CREATE TABLESPACE small LOCATION '{data}'")
        yield
        with fallible.cursor() as cursor:
            cursor.execute("DROP TABLESPACE small")
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
        folder.rmdir()


def test_the_disk_of_the_database_is_full(fallible: Fallible, fallible_worlds: Worlds, command: Way) -> None:
    """A real one. With room again the next run does what this one could not."""
    expected = fallible_worlds.expected(command)
    with small_disk(fallible), fallible_worlds.another() as company:
        with fallible.cursor() as cursor:
            cursor.execute(f"ALTER DATABASE {company.database['dbname']} SET TABLESPACE small")
        tables = company.contents(only="public")
        with trouble_at_commit(
            company,
            2,
            "CREATE TABLE filled AS SELECT repeat(md5(n::text), 60) FROM generate_series(1, 20000) n",
            lasts=False,
        ):
            ended = command.run(company)
        assert (ended.outcome, "53100" in ended.err) == (7, True), ended.err
        assert "Job" not in ended.err
        assert fallible_worlds.whole(company, command)
        assert command is WAYS["push"] or company.contents(only="public") == tables
        let_go(company)
        assert command.run(company).outcome == 0
        assert at_last(company) == expected


# monday.com -----------------------------------------------------------------------------------------------------------

NO_ANSWERS = [
    "internal_error", "bad_gateway", "unavailable", "gateway_timeout", "internal_error_200", "reset_before",
    "reset_after", "timeout_before", "timeout_after", "reset_mid_body", "short_body", "short_content_length",
    "truncated_json", "empty_body", "html_200", "too_many_requests", "error_beside_data",
]  # fmt: skip
LIMITS = [
    "rate_limited", "rate_limited_date", "complexity_exhausted", "complexity_exhausted_200", "complexity_legacy",
    "complexity_in_text", "too_complex", "minute_limit", "concurrency_limit", "ip_limit", "locked", "conflict",
]  # fmt: skip


def edited(company: Company, command: Way, text: str) -> int:
    """Something for this command to write."""
    item = jobs(company)[0]
    if command is WAYS["push"]:
        project(company, item, description=text)
    else:
        company.sandbox.advance(5)
        company.sandbox.edit(item, {TEXT: text})
    company.sandbox.reset_counters()
    return item


def arrived(company: Company, command: Way, item: int) -> Any:
    return shows(company, item, TEXT) if command is WAYS["push"] else company.project(item, "description")


def test_an_answer_that_is_none(synced: Company, command: Way) -> None:
    """One is asked for again; if none comes at all: exit 7, nothing written, and the next run does the work."""
    for kind in NO_ANSWERS:
        item = edited(synced, command, f"for {kind}")
        boards, tables = synced.sandbox.digest(), synced.contents(only="public")
        synced.sandbox.fault(kind, match="read", times=0)
        ended = command.run(synced)
        assert (ended.outcome, "run it again" in ended.err) == (7, True), (kind, ended.err)
        assert (synced.sandbox.digest(), synced.contents(only="public")) == (boards, tables), kind
        synced.sandbox.clear_faults()
        synced.sandbox.fault(kind, match="read")
        ended = command.run(synced)
        assert (ended.outcome, arrived(synced, command, item)) == (0, f"for {kind}"), (kind, ended.err)
        synced.sandbox.clear_faults()
    in_step(synced)


def test_a_limit_is_waited_for(synced: Company, command: Way) -> None:
    """Nothing but a retry is told of it: on what is read, and on what is written."""
    for kind in LIMITS:
        for match in ("read", "mutation") if command is WAYS["push"] else ("read",):
            if (kind, match) == ("conflict", "read") or (kind == "too_complex" and command is WAYS["push"]):
                continue  # only what carries a key can be in conflict, and one item cannot be halved
            item = edited(synced, command, f"{match} {kind}")
            synced.sandbox.fault(kind, match=match, retry_after=0)
            ended = command.run(synced)
            assert (ended.outcome, arrived(synced, command, item)) == (0, f"{match} {kind}"), (kind, match, ended.err)
            assert synced.sandbox.counters()["faults"] == 1, (kind, match)
            synced.sandbox.clear_faults()
    in_step(synced)


def test_a_batch_too_complex_is_halved(synced: Company) -> None:
    for item in jobs(synced):
        project(synced, item, claim_number="C-1")
    synced.sandbox.fault("too_complex", match="mutation")
    assert synced.push().outcome == 0
    assert [shows(synced, item, "claim_number__1") for item in jobs(synced)] == ["C-1"] * 6
    assert synced.sandbox.counters()["by_operation"]["Change"] == 3
    in_step(synced)


def test_a_page_of_a_proxy_is_not_quoted(synced: Company, command: Way) -> None:
    edited(synced, command, "new")
    for kind in ("html_200", "bad_gateway"):
        synced.sandbox.fault(kind, match="read", times=0)
        ended = command.run(synced, "-vv")
        assert ended.outcome == 7
        assert not re.search(r"<html|<h1|DOCTYPE", ended.err), ended.err
        synced.sandbox.clear_faults()


@pytest.mark.parametrize(("kind", "code"), [("endless_pages", 3), ("repeated_cursor", 3), ("cursor_expired", 7)])
def test_a_listing_that_never_ends(synced: Company, kind: str, code: int) -> None:
    item = edited(synced, WAYS["pull"], "new")
    before = synced.contents(only="public")
    synced.sandbox.fault("endless_pages", match="FirstPage", times=0)  # so that there is a second page at all
    synced.sandbox.fault(kind, match="NextPage", times=0)
    ended = synced.sync("--full")
    assert (ended.outcome, synced.contents(only="public")) == (code, before), ended.err
    assert synced.sandbox.counters()["requests"] < 60
    synced.sandbox.clear_faults()
    assert synced.sync("--full").outcome == 0
    assert synced.project(item, "description") == "new"


def test_a_row_that_is_edited_while_the_boards_are_read(synced: Company) -> None:
    """It is met by the transaction that comes after the read: what nobody else edited waits, the rest is a conflict."""
    item = edited(synced, WAYS["pull"], "by hand")
    with on_request(synced, only_on_request(1, lambda: project(synced, item, description="SQL", claim_number="C-1"))):
        ended = synced.sync()
    assert (ended.outcome, ended.report["waiting"]) == (0, 1), ended.err
    assert (synced.project(item, "description"), synced.project(item, "claim_number")) == ("by hand", "C-1")
    assert synced.sql("SELECT kept, lost FROM monday_sync.sync_conflict") == [("by hand", "SQL")]
    assert synced.push().outcome == 0
    assert shows(synced, item, "claim_number__1") == "C-1"
    in_step(synced)


def test_a_row_that_is_edited_while_a_push_looks(synced: Company) -> None:
    """It is neither made whole nor sent by what it held before: the next run takes it as it is then."""
    item = jobs(synced)[0]
    project(synced, item, current_stage="Completed")
    again = partial(project, synced, item, current_stage="Lead", description="a minute later")
    with on_request(synced, only_on_request(1, again)):
        ended = synced.push()
    assert ended.outcome == 0, ended.err
    assert any("changed in PostgreSQL while this run was at work" in note for note in ended.report["notes"])
    assert synced.sandbox.counters()["mutation_requests"] == 0
    assert synced.project(item, "status") != "completed"
    assert synced.push().outcome == 0
    assert shows(synced, item, TEXT) == "a minute later"
    assert synced.project(item, "status") == "pending"
    in_step(synced)


@pytest.mark.parametrize("change", ["removed", "archived", "retyped"])
def test_a_column_that_goes_between_the_look_and_the_write(synced: Company, change: str) -> None:
    item, other = jobs(synced)[:2]
    project(synced, item, description="New")
    project(synced, other, claim_number="C-2")
    sandbox = synced.sandbox
    acts: dict[str, Callable[[], object]] = {
        "removed": lambda: sandbox.remove_column(MASTER_BOARD_ID, TEXT),
        "archived": lambda: sandbox.archive_column(MASTER_BOARD_ID, TEXT),
        "retyped": lambda: sandbox.retype_column(MASTER_BOARD_ID, TEXT, "numbers"),
    }
    with on_request(synced, lambda _number, name: acts[change]() if name == "Change" else None):
        ended = synced.push()
    assert ended.outcome == 3, (ended.outcome, ended.err, ended.out)
    assert synced.project(item, "description") == "New"
    assert (synced.push().outcome, synced.sync().outcome) == (3, 3)
    assert synced.push("--skip-column", TEXT).outcome == 0
    assert shows(synced, other, "claim_number__1") == "C-2"
    assert synced.value("SELECT count(*) FROM monday_sync.sync_batch") == 0


# Pages and replicas ---------------------------------------------------------------------------------------------------


@contextmanager
def bent(company: Company, bend: Callable[[str, dict[str, Any]], object]) -> Iterator[None]:
    """Let `bend` change the data of each answer, given the operation."""
    service = company.sandbox.service
    answer = service.answer

    def answering(headers: dict[str, str], body: bytes) -> Reply:
        reply = answer(headers, body)
        content = json.loads(reply.body)
        found = re.match(r"\s*(?:query|mutation) (\w+)", str(json.loads(body)["query"]))
        bend(found[1] if found else "", content["data"])
        reply.body = json.dumps(content).encode()
        return reply

    service.answer = answering  # type: ignore[method-assign]  # every request passes here
    try:
        yield
    finally:
        service.answer = answer  # type: ignore[method-assign]


@pytest.mark.parametrize("newer_first", [True, False])
def test_an_item_twice_in_a_listing(synced: Company, newer_first: bool) -> None:
    """The newest of the two counts, whichever comes first."""
    item = edited(synced, WAYS["pull"], "the newer")

    def doubled(operation: str, data: dict[str, Any]) -> None:
        if operation != "FirstPage":
            return
        items = data["boards"][0]["items_page"]["items"]
        for found in [found for found in items if found["id"] == str(item)]:
            older = json.loads(json.dumps(found).replace("the newer", "the older"))
            older["updated_at"] = "2026-01-01T00:00:00Z"
            items.insert(len(items) if newer_first else 0, older)

    with bent(synced, doubled):
        ended = synced.sync("--full")
    assert (ended.outcome, synced.project(item, "description")) == (0, "the newer"), ended.err
    assert synced.counts()["projects"] == 6
    in_step(synced)


def test_an_id_on_both_boards(company: Company) -> None:
    """The board is part of an item's identity: a person and a project, each with edits of its own."""
    item, person = jobs(company)[0], company.sandbox.item_ids(STAFF_BOARD_ID)[0]

    def renumbered(_operation: str, data: dict[str, Any]) -> None:
        text = json.dumps(data).replace(f'"id": "{person}"', f'"id": "{item}"')
        data.clear()
        data.update(json.loads(text))

    with bent(company, renumbered):
        assert company.sync().outcome == 0
        assert company.counts()["projects"] == 6
        assert company.value("SELECT count(*) FROM users WHERE monday_item_id = %s", item) == 1
        assert company.value("SELECT count(*) FROM monday_sync.sync_item WHERE item_id = %s", item) == 2
        assert company.sync("--full").writes == 0
        project(company, item, description="New")
        assert company.push("--board", "master").outcome == 0
        assert shows(company, item, TEXT) == "New"
        company.sandbox.advance(60)
        company.sandbox.edit(person, {"text6": "XL"})
        ended = company.sync("--full")
        assert (ended.outcome, ended.writes) == (0, 1), ended.err
        assert company.sql("SELECT shirt_size FROM users WHERE monday_item_id = %s", item) == [("XL",)]
        assert company.project(item, "description") == "New"


def test_a_stale_replica_after_our_own_write(synced: Company) -> None:
    """It is counted and ignored: it is no edit of somebody who put the old value back."""
    item = edited(synced, WAYS["push"], "New")
    synced.sandbox.advance(60)
    assert synced.push().outcome == 0
    before = synced.contents(only="public")
    synced.sandbox.fault("stale_read", match="read", times=0)
    for arguments in ((), ("--full",)):
        ended = synced.sync(*arguments)
        assert (ended.outcome, ended.writes) == (0, 0), ended.err
        assert any("came in an older state" in note for note in ended.report["notes"]), arguments
        assert synced.contents(only="public") == before
    synced.sandbox.clear_faults()
    assert shows(synced, item, TEXT) == "New"
    in_step(synced)


def test_a_cache_from_before_a_push(synced: Company) -> None:
    edited(synced, WAYS["push"], "New")
    synced.sandbox.advance(60)
    assert synced.push().outcome == 0
    before = synced.contents(only="public")
    ended = synced.sync("--use-cache")
    assert (ended.outcome, ended.writes, synced.contents(only="public")) == (0, 0, before)
    assert any("came in an older state" in note for note in ended.report["notes"])
    in_step(synced)


def test_a_stale_look_is_no_edit(synced: Company) -> None:
    """Nothing is sent to an item that the look shows as it was before our last write; the next run sends it."""
    item = edited(synced, WAYS["push"], "New")
    synced.sandbox.advance(60)
    assert synced.push().outcome == 0
    project(synced, item, description="Newer")
    synced.sandbox.reset_counters()
    synced.sandbox.fault("stale_read", match="Look", times=0)
    ended = synced.push()
    assert synced.sandbox.counters()["mutations"] == 0
    assert any("came in an older state" in note for note in ended.report["notes"]), ended.out
    assert synced.project(item, "description") == "Newer"
    assert synced.value("SELECT count(*) FROM monday_sync.sync_conflict") == 0
    synced.sandbox.clear_faults()
    assert synced.push().outcome == 0
    assert shows(synced, item, TEXT) == "Newer"
    in_step(synced)


# Disks, clocks, runs, versions ----------------------------------------------------------------------------------------


@contextmanager
def no_room(size: int) -> Iterator[None]:
    """What a full disk looks like: no file of this process can grow beyond that."""
    kept = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, kept[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, kept)


def test_a_full_disk_costs_warnings(synced: Company, command: Way) -> None:
    """No log file from the start, and a cache that stops in the middle."""
    shutil.rmtree(synced.folder / "cache")
    (synced.folder / "file").touch()
    synced.overrides = {"SYNC_LOG_DIR": str(synced.folder / "file")}
    for size in (0, 1000):
        item = edited(synced, command, f"with {size} bytes")
        arguments = ("--full",) if command is WAYS["pull"] else ()
        with no_room(size):
            ended = command.run(synced, *arguments)
        assert (ended.outcome, arrived(synced, command, item)) == (0, f"with {size} bytes"), ended.err
        assert "goes on without" in ended.err
        assert ended.err.count("cache given up") == (2 if command is WAYS["pull"] else 0)
        assert "Traceback" not in ended.err
        assert list((synced.folder / "cache").glob("*")) == []
    in_step(synced)


def test_a_log_on_a_full_disk_costs_a_warning(synced: Company, command: Way) -> None:
    item = edited(synced, command, "new")
    with synced.start(*command.arguments, program=command.program) as process:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        _out, err = process.communicate(timeout=60)
    assert arrived(synced, command, item) == "new"
    assert (process.returncode, "given up" in err, "Traceback" in err) == (0, True, False), err


def test_a_cache_that_cannot_be_made_sure_is_none(synced: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(synced.folder / "cache")
    item = edited(synced, WAYS["pull"], "new")

    def broken(_descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("os.fsync", broken)
    ended = synced.sync("--full")
    assert (ended.outcome, synced.project(item, "description")) == (0, "new")
    assert ended.err.count("cache given up") == 2
    assert list((synced.folder / "cache").glob("*")) == []


def test_a_run_that_slept_through_its_lease_commits_nothing(synced: Company) -> None:
    """Another one took over while the boards were read."""
    item = edited(synced, WAYS["pull"], "new")
    before = synced.contents(only="public")
    take = (
        "UPDATE monday_sync.sync_lease SET holder = 'elsewhere:1:x.1.x', fence = fence + 1,"
        " expires_at = clock_timestamp() + interval '1 minute'"
    )
    with on_request(synced, only_on_request(1, lambda: synced.sql(take))):
        ended = synced.sync()
    assert (ended.outcome, synced.contents(only="public")) == (6, before), ended.err
    assert synced.value("SELECT holder FROM monday_sync.sync_lease") == "elsewhere:1:x.1.x"
    let_go(synced)
    assert synced.sync().outcome == 0
    assert synced.project(item, "description") == "new"


@pytest.mark.parametrize("ahead_days", [400, 3, -3, -400])
def test_clocks_that_disagree(blank: Keywords, tmp_path: Path, ahead_days: int) -> None:
    """monday's clock is far from this machine's, and then jumps ahead: no edit is lost, and none is made up."""
    with small_world() as sandbox:
        sandbox.advance(86_400 * ahead_days)
        company = Company(sandbox, blank, tmp_path)
        for item in jobs(company):
            sandbox.edit(item, {NOTE: "seen"})
        for jump_s in (60, 86_400 * 40, 60):
            assert company.sync().outcome == 0
            sandbox.advance(jump_s)
            first, second = jobs(company)[:2]
            sandbox.edit(first, {TEXT: f"after {jump_s}"})
            project(company, second, description=f"SQL {jump_s}")
            assert (company.sync().outcome, company.push().outcome) == (0, 0)
            assert company.project(first, "description") == f"after {jump_s}"
            assert shows(company, second, TEXT) == f"SQL {jump_s}"
        in_step(company)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago", "No/Such_Zone"])
def test_the_time_zone_changes_no_plan(worlds: Worlds, command: Way, zone: str) -> None:
    """Neither the process's nor the database's, as its owner may have set it."""
    with worlds.another() as company:
        usual = command.run(company, "--test").report["plan"]
        if "Pacific" in zone:
            company.sql(f"ALTER DATABASE {company.database['dbname']} SET timezone = '{zone}'")
        company.overrides = {"TZ": zone}
        ended = company.process("--json", *command.arguments, program=command.program)
        assert (ended.outcome, ended.report["plan"]) == (0, usual), ended.err
        company.overrides = {}
        assert at_last(company) == worlds.expected(command)


def test_the_database_of_a_newer_program(synced: Company, command: Way) -> None:
    edited(synced, command, "new")
    synced.sql("UPDATE monday_sync.sync_schema SET version = 99")
    before = synced.contents()
    for arguments in ((), ("--test",)):
        ended = command.run(synced, *arguments)
        assert (ended.outcome, "newer program" in ended.err, "update" in ended.err) == (2, True, True)
    assert (synced.contents(), synced.sandbox.counters()["requests"]) == (before, 0)
    synced.sql("UPDATE monday_sync.sync_schema SET version = (SELECT 4)")
