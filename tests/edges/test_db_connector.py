"""Connections and transactions against a real server: retries, lost answers, secrets, types, poolers."""

from __future__ import annotations

import ast
import io
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

import psycopg2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg2 import extensions

from db_connector import Database, Transaction, describe, parse_database_url
from postgres.connection import CONNECT_TRIES
from postgres.errors import reason_of
from postgres.url import connection_keywords
from reconcile.errors import ConfigError, DriftError, SyncError, Unavailable
from tests.support.servers import BreakingLine, IntrudedDatabase, Keywords, Pooler, free_port, no_sleep

SECRET = "t0p-s3cret"
PROGRAM = Path(__file__).parents[2] / "db_connector.py"


def write(database: Database, work: Callable[[Transaction], object]) -> object:
    return database.transact(work, read_only=False, label="testing")


def read_one(database: Database, query: str) -> object:
    row = database.transact(lambda tx: tx.one(query), read_only=True, label="testing")
    assert row is not None
    return row[0]


# The URL


@pytest.mark.parametrize(
    ("url", "keywords"),
    [
        (
            "postgresql://ann:pw@db.x.co:5433/wra",
            {"user": "ann", "password": "pw", "host": "db.x.co", "port": "5433", "dbname": "wra"},
        ),
        ("postgres://db.x.co", {"host": "db.x.co"}),
        ("  POSTGRESQL://ann@db.x.co/  ", {"user": "ann", "host": "db.x.co"}),
        ("postgresql://a:p%2Fq%40r%25@[2001:db8::1]:5432/d%20b", {
            "user": "a", "password": "p/q@r%", "host": "2001:db8::1", "port": "5432", "dbname": "d b",
        }),
        ("postgresql://ann:p@ss@db.x.co/wra", {"user": "ann", "password": "p@ss", "host": "db.x.co", "dbname": "wra"}),
        ("postgresql:///wra?host=/run/pg", {"dbname": "wra", "host": "/run/pg"}),
        (
            "postgresql://ann:pw@ep-x-pooler.neon.tech/wra?sslmode=require&channel_binding=require",
            {"user": "ann", "password": "pw", "host": "ep-x-pooler.neon.tech", "dbname": "wra", "sslmode": "require",
             "channel_binding": "require"},
        ),
    ],
)  # fmt: skip
def test_a_url_becomes_keywords(url: str, keywords: Keywords) -> None:
    assert parse_database_url(url) == keywords


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (f"mysql://ann:{SECRET}@h/d", "must start with"),
        (f"host=h password={SECRET}", "must start with"),
        (f"postgresql://ann:{SECRET}/x@h/d", "host and port"),
        (f"postgresql://ann:{SECRET}@[::1/d", "host and port"),
        (f"postgresql://ann:{SECRET}@h:port/d", "host and port"),
        (f"postgresql://ann:{SECRET}@h:70000/d", "port outside"),
        (f"postgresql://ann:{SECRET}%4@h/d", "broken percent code in its password"),
        (f"postgresql://ann:{SECRET}%ff@h/d", "not UTF-8"),
        (f"postgresql://ann:{SECRET}%00@h/d", "control character"),
        (f"postgresql://ann:{SECRET}\n@h/d", "control character"),
        (f"postgresql://ann:{SECRET}@h1,h2/d", "several hosts"),
        (f"postgresql://ann:{SECRET}@h/d?options=-c%20x%3Dy", "options is refused"),
        (f"postgresql://ann:{SECRET}@h/d?{SECRET}=1", "(unreadable)"),
        (f"postgresql://ann:{SECRET}@h/d?sslmode", "without a value"),
    ],
)
def test_a_bad_url_is_refused_without_showing_it(url: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason.replace("(", r"\(").replace(")", r"\)")) as refused:
        parse_database_url(url)
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None


_part = st.text(st.characters(min_codepoint=0x20, exclude_characters="\x7f", exclude_categories=["Cs"]), min_size=1)


@given(user=_part, password=_part, dbname=_part)
def test_what_is_percent_encoded_comes_back(user: str, password: str, dbname: str) -> None:
    url = f"postgresql://{quote(user, safe='')}:{quote(password, safe='')}@127.0.0.1:5432/{quote(dbname, safe='')}"
    assert parse_database_url(url) == {
        "user": user, "password": password, "host": "127.0.0.1", "port": "5432", "dbname": dbname,
    }  # fmt: skip


@given(st.text(max_size=20), st.text(max_size=20))
def test_no_url_at_all_shows_its_password_or_crashes(before: str, after: str) -> None:
    told = ""
    try:
        parse_database_url(f"postgresql://{before}{SECRET}{after}")
    except ConfigError as refused:
        told = str(refused)
    assert SECRET not in told


@pytest.mark.parametrize(
    ("given", "sslmode"),
    [
        ({"host": "127.0.0.1"}, "prefer"),
        ({"host": "/run/pg"}, "prefer"),
        ({}, "prefer"),
        ({"host": "::1", "sslmode": "disable"}, "disable"),
        ({"host": "db.x.co"}, "verify-full"),
        ({"host": "localhost", "hostaddr": "192.0.2.1"}, "verify-full"),
        ({"host": "db.x.co", "sslrootcert": "ca.pem"}, "verify-full"),
        ({"host": "db.x.co", "sslmode": "verify-ca"}, "verify-ca"),
    ],
)
def test_tls_is_on_wherever_the_server_is_elsewhere(given: Keywords, sslmode: str) -> None:
    assert connection_keywords(given)["sslmode"] == sslmode


@pytest.mark.parametrize(
    "given",
    [
        {"host": "db.x.co", "sslmode": "prefer"},
        {"host": "127.evil.co.", "sslmode": "disable"},
        {"host": "127.0.0.1", "sslmode": "x"},
        {"options": "-c x=y"},
    ],
)
def test_weak_or_unknown_keywords_are_refused(given: Keywords) -> None:
    with pytest.raises(ConfigError):
        connection_keywords(given)


# Connecting


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"password": SECRET}, "user or password"),
        ({"user": "nobody-here"}, "user or password"),
        ({"dbname": "no-such"}, "no such database"),
        ({"sslmode": "require"}, "TLS"),
    ],
)
def test_a_connection_that_cannot_succeed_is_refused_at_once(server: Keywords, change: Keywords, reason: str) -> None:
    waits: list[float] = []
    with pytest.raises(ConfigError, match=reason) as refused:
        read_one(Database({**server, **change}, sleep=waits.append), "SELECT 1")
    assert waits == []
    assert SECRET not in str(refused.value)


@pytest.mark.pooler
def test_the_poolers_refusal_is_understood_too(pooler: Pooler, server: Keywords) -> None:
    with pytest.raises(ConfigError, match="user or password"):
        read_one(Database(pooler.before({**server, "password": SECRET}), sleep=no_sleep), "SELECT 1")


def test_a_server_that_is_not_there_is_given_time_to_come_up() -> None:
    waits: list[float] = []
    nowhere = {"host": "127.0.0.1", "port": str(free_port()), "user": "u", "password": SECRET, "dbname": "d"}
    with pytest.raises(Unavailable, match="nothing listens there") as failed:
        read_one(Database(nowhere, sleep=waits.append), "SELECT 1")
    assert len(waits) == CONNECT_TRIES - 1
    assert SECRET not in str(failed.value)
    assert SECRET not in repr(Database(nowhere))


def test_nothing_is_connected_between_close_and_the_next_transaction(
    database: Database, admin: extensions.connection, keywords: Keywords
) -> None:
    read_one(database, "SELECT 1")
    database.close()
    with admin.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(0.05)")  # the backend notices the end of its client by itself
        cursor.execute("SELECT FROM pg_stat_activity WHERE datname = %s", (keywords["dbname"],))
        assert cursor.rowcount == 0
    read_one(database, "SELECT 1")
    assert database.stats.connects == 2


# Transactions


def test_a_transaction_costs_two_round_trips_and_sets_its_own_limits(any_database: Database) -> None:
    def look(tx: Transaction) -> object:
        assert any_database.stats.round_trips == 1
        return tx.one(
            """SELECT current_setting('lock_timeout'), current_setting('statement_timeout'),
            current_setting('timezone'), current_setting('idle_in_transaction_session_timeout'),
            current_setting('transaction_isolation')"""
        )

    assert write(any_database, look) == ("5s", "1min", "UTC", "2min", "repeatable read")
    assert any_database.stats.round_trips == 3


@pytest.mark.pooler
def test_behind_the_pooler_every_transaction_lands_elsewhere(
    request: pytest.FixtureRequest, keywords: Keywords
) -> None:
    pooler: Pooler = request.getfixturevalue("pooler")
    database = IntrudedDatabase(pooler.before(keywords))
    pids = [read_one(database, "SELECT pg_backend_pid()") for _ in range(6)]
    database.leave()
    assert all(before != after for before, after in pairwise(pids))
    assert database.stats.connects == 1


def test_a_dry_transaction_cannot_write_and_gets_no_transaction_id(any_database: Database) -> None:
    assert read_one(any_database, "SELECT pg_current_xact_id_if_assigned()") is None
    with pytest.raises(Unavailable, match="read-only"):
        any_database.transact(
            lambda tx: tx.execute("INSERT INTO public.storms DEFAULT VALUES"), read_only=True, label="testing"
        )
    write(any_database, lambda tx: tx.execute("INSERT INTO public.storms DEFAULT VALUES"))
    assert read_one(any_database, "SELECT count(*) FROM public.storms") == 1


def test_types_arrive_as_the_models_hold_them(any_database: Database) -> None:
    row = any_database.transact(
        lambda tx: tx.one(
            """SELECT '6f1c4a2e-8a7b-4c53-9d9a-0d1f2e3a4b5c'::uuid, '{"b": 1, "a": "ü"}'::jsonb, 1.50::numeric(14, 2),
            '2026-11-23 10:00+02'::timestamptz::text, ARRAY['6f1c4a2e-8a7b-4c53-9d9a-0d1f2e3a4b5c'::uuid, NULL],
            ARRAY['PM'], 7::bigint"""
        ),
        read_only=True,
        label="testing",
    )
    uid = "6f1c4a2e-8a7b-4c53-9d9a-0d1f2e3a4b5c"
    assert row == (uid, '{"a": "ü", "b": 1}', Decimal("1.50"), "2026-11-23 08:00:00+00", [uid, None], ["PM"], 7)


def test_copy_into_a_stage_that_ends_with_the_transaction(any_database: Database) -> None:
    def load(tx: Transaction) -> object:
        tx.execute("CREATE TEMP TABLE stage (day date) ON COMMIT DROP")
        assert tx.copy_in("COPY pg_temp.stage FROM STDIN", io.StringIO("2026-01-01\n2026-01-02\n")) == 2
        return tx.rows("SELECT count(*) FROM pg_temp.stage")

    assert [write(any_database, load) for _ in range(3)] == [[(2,)]] * 3


def test_a_refused_row_costs_only_its_savepoint(any_database: Database) -> None:
    reasons = []

    def insert(tx: Transaction) -> None:
        for item in (1, 1, 2):
            try:
                with tx.savepoint():
                    tx.execute("INSERT INTO public.projects (monday_item_id) VALUES (%s)", (item,))
            except psycopg2.IntegrityError as error:
                reasons.append(reason_of(error))

    write(any_database, insert)
    assert reasons == ["SQLSTATE 23505 constraint=projects_monday_item_id_key table=projects"]
    assert read_one(any_database, "SELECT array_agg(monday_item_id ORDER BY 1) FROM public.projects") == [1, 2]


def test_what_the_work_raises_undoes_the_work(any_database: Database) -> None:
    def fail(tx: Transaction) -> None:
        tx.execute("INSERT INTO public.storms DEFAULT VALUES")
        raise DriftError("stop")

    with pytest.raises(DriftError, match=r"^stop$"):
        write(any_database, fail)
    assert read_one(any_database, "SELECT count(*) FROM public.storms") == 0


def test_a_swallowed_error_is_not_taken_for_a_commit(any_database: Database) -> None:
    def swallow(tx: Transaction) -> None:
        with pytest.raises(psycopg2.DataError):
            tx.execute("SELECT 1 / 0")

    with pytest.raises(RuntimeError, match="swallowed"):
        write(any_database, swallow)


@pytest.mark.parametrize(
    "habit",
    [
        r"set_session|readonly",
        r"pg_(try_)?advisory_lock",
        r"\bSET (?!LOCAL )\w+ *(=|TO )\s*['\d]",
        r"\bSET (SESSION\b|search_path *(=|TO\b))",
        r"\b(LISTEN|NOTIFY|PREPARE|DEALLOCATE|WITH HOLD)\b",
        r"options\s*=\s*f?['\"]-c",
        r"CREATE TEMP TABLE(?![^\"]*ON COMMIT DROP)",
    ],
)
def test_no_habit_that_breaks_behind_a_pooler_is_in_the_code(habit: str) -> None:
    folder = PROGRAM.parent
    modules = [PROGRAM, *sorted((folder / "postgres").rglob("*.py"))]  # a test of the walls: SQL is nowhere else
    code = [(path.name, line) for path in modules for line in _statements(path)]
    migrations = sorted((folder / "migrations").glob("*.sql"))
    assert len(modules) > 20
    assert migrations
    code += [(path.name, text) for path in migrations for text in path.read_text(encoding="ascii").split(";")]
    assert [(name, line) for name, line in code if re.search(habit, line) and not _is_row_update(line)] == []


def _statements(path: Path) -> list[str]:
    """Every string and name of a module that is not a docstring or a comment."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    strings = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and id(n) not in docs]
    names = [n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)]
    return [text for text in (*strings, *names) if isinstance(text, str)]


def _is_row_update(statement: str) -> bool:
    return re.search(r"\bUPDATE\b", statement) is not None


# Failures


def test_a_killed_backend_means_the_whole_work_again(any_database: Database, admin: extensions.connection) -> None:
    tries = []

    def work(tx: Transaction) -> None:
        tx.execute("INSERT INTO public.storms DEFAULT VALUES")
        tries.append(tx.one("SELECT pg_backend_pid()"))
        if len(tries) == 1:
            with admin.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(%s, 5000)", tries[0])
        tx.execute("INSERT INTO public.storms DEFAULT VALUES")

    write(any_database, work)
    assert len(tries) == 2
    assert any_database.stats.retries == 1
    assert read_one(any_database, "SELECT count(*) FROM public.storms") == 2


def test_a_conflict_with_another_writer_is_planned_anew(any_database: Database, keywords: Keywords) -> None:
    write(any_database, lambda tx: tx.execute("INSERT INTO public.customers (name) VALUES ('a')"))
    seen = []

    def work(tx: Transaction) -> None:
        seen.append((tx.one("SELECT name FROM public.customers") or ("",))[0])
        if len(seen) == 1:
            with Database(keywords) as rival:
                write(rival, lambda other: other.execute("UPDATE public.customers SET name = 'b'"))
        tx.execute("UPDATE public.customers SET name = name || '!'")

    write(any_database, work)
    assert seen == ["a", "b"]
    assert read_one(any_database, "SELECT name FROM public.customers") == "b!"


@pytest.mark.parametrize(("cut", "runs"), [("answer", 1), ("request", 2)])
def test_a_commit_whose_answer_is_lost_happens_once(keywords: Keywords, cut: str, runs: int) -> None:
    calls = []

    def work(tx: Transaction) -> int:
        calls.append(tx.execute("INSERT INTO public.storms DEFAULT VALUES"))
        return len(calls)

    with BreakingLine(keywords, cut) as line, Database(line.keywords, sleep=no_sleep) as database:  # type: ignore[arg-type]  # a literal of the table above
        assert write(database, work) == runs
        assert len(calls) == runs
        assert read_one(database, "SELECT count(*) FROM public.storms") == 1


def test_a_read_whose_commit_is_lost_still_has_its_answer(keywords: Keywords) -> None:
    with BreakingLine(keywords, "request") as line, Database(line.keywords, sleep=no_sleep) as database:
        assert read_one(database, "SELECT 7") == 7
        assert database.stats.retries == 0


@pytest.mark.parametrize(
    ("statement", "kind", "tries"),
    [
        ("SELECT * FROM public.no_such", DriftError, 1),
        ("SELECT no_such FROM public.users", DriftError, 1),
        ("SET LOCAL ROLE pg_monitor; SELECT * FROM public.users", ConfigError, 1),
        (f"SELECT '{SECRET}'::integer", SyncError, 1),
        (f"INSERT INTO public.no_mail VALUES ('{SECRET}')", SyncError, 1),
        (f"DO $$ BEGIN RAISE '{SECRET}' USING ERRCODE = '53100'; END $$", Unavailable, 1),
        (f"DO $$ BEGIN RAISE '{SECRET}' USING ERRCODE = '40P01'; END $$", Unavailable, 5),
        (f"DO $$ BEGIN RAISE '{SECRET}' USING ERRCODE = '08006'; END $$", Unavailable, 5),
        (f"SET LOCAL statement_timeout = 5; SELECT pg_sleep(9), '{SECRET}'", Unavailable, 2),
    ],
)
def test_an_error_is_classed_and_told_without_values(
    database: Database, caplog: pytest.LogCaptureFixture, statement: str, kind: type[SyncError], tries: int
) -> None:
    write(database, lambda tx: tx.execute("CREATE TABLE public.no_mail (mail text CHECK (mail = ''))"))
    runs = []

    def work(tx: Transaction) -> None:
        runs.append(1)
        tx.execute(statement)

    with caplog.at_level(logging.DEBUG), pytest.raises(kind, match="while testing") as failed:
        write(database, work)
    assert type(failed.value) is kind
    assert len(runs) == tries
    assert SECRET not in str(failed.value) + caplog.text
    assert failed.value.__suppress_context__


# What a person sees


def test_the_description_names_server_role_and_pooler(any_database: Database, request: pytest.FixtureRequest) -> None:
    lines = "\n".join(describe(any_database))
    assert "PostgreSQL" in lines
    assert "schema public, role postgres" in lines
    assert "tables      9 of 9" in lines
    assert ("pooler      yes" in lines) == ("[pooler]" in request.node.name)


@pytest.mark.parametrize(
    ("password", "code", "told"), [(None, 0, "connected   127.0.0.1"), (SECRET, 2, "DATABASE_URL")]
)
def test_the_connection_can_be_tested_from_the_command_line(
    keywords: Keywords, password: str | None, code: int, told: str
) -> None:
    password = password or keywords["password"]
    address = f"{keywords['host']}:{keywords['port']}/{keywords['dbname']}"
    ran = subprocess.run(
        [sys.executable, PROGRAM],
        env={**os.environ, "DATABASE_URL": f"postgresql://postgres:{password}@{address}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == code, ran.stderr
    assert told in ran.stdout + ran.stderr
    assert password not in ran.stdout + ran.stderr
