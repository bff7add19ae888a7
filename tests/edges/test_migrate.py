"""Migrations on a real server: new databases, existing ones, and those that must be left alone."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from psycopg2 import extensions

from db_connector import Database, Transaction
from postgres.migrate import FOLDER, Installed, migrate, state, would_create
from postgres.schema import INSTANTS, check, fields_of, read_shapes
from reconcile.errors import ConfigError, DriftError
from reconcile.tables import TABLES
from tests.support.servers import Keywords, no_sleep

# What another program may have made: an enum, lengths, a table of its own, columns we do not know, and a lot missing.
EXISTING = """
CREATE TYPE stage AS ENUM ('pending', 'active', 'completed', 'cancelled');
CREATE TABLE customers (id uuid PRIMARY KEY, name varchar(40), email varchar(80) UNIQUE, vip boolean DEFAULT false);
CREATE TABLE projects (id uuid PRIMARY KEY, status stage DEFAULT 'pending', customer_id uuid REFERENCES customers (id));
CREATE TABLE invoices (id serial PRIMARY KEY);
CREATE VIEW vips AS SELECT * FROM customers WHERE vip;
INSERT INTO customers VALUES (gen_random_uuid(), 'Ann', 'ann@x.co', true);
"""
COUNTS = (
    "SELECT (SELECT count(*) FROM pg_constraint), (SELECT count(*) FROM pg_class), (SELECT count(*) FROM pg_attribute)"
)


@pytest.fixture
def empty(blank: Keywords) -> Iterator[Database]:
    with Database(blank, sleep=no_sleep) as database:
        yield database


def do(database: Database, work: Callable[[Transaction], object]) -> object:
    return database.transact(work, read_only=False, label="testing migrations")


def run(database: Database, statements: str) -> None:
    def work(tx: Transaction) -> None:
        with tx.role_path():
            tx.execute(statements)

    do(database, work)


def forecast(database: Database) -> list[str]:
    return database.transact(would_create, read_only=True, label="looking")


def test_a_new_database_gets_exactly_the_models_columns(database: Database) -> None:
    shapes = database.transact(read_shapes, read_only=True, label="looking")
    assert check(shapes) == []
    assert {table: set(shape.columns) for table, shape in shapes.items()} == {
        table: {*fields_of(table), *INSTANTS} for table in TABLES
    }


def test_a_dry_run_says_what_a_first_run_then_makes(empty: Database) -> None:
    told = forecast(empty)
    assert sum("Table" in sentence for sentence in told) == len(TABLES)
    assert told[-1].startswith("Schema monday_sync")
    assert empty.transact(state, read_only=True, label="looking") is None
    installed = do(empty, migrate)
    assert isinstance(installed, Installed)
    assert forecast(empty) == []
    assert empty.transact(state, read_only=True, label="looking") == installed


def test_a_second_run_changes_nothing(any_database: Database) -> None:
    installed = any_database.transact(state, read_only=True, label="looking")
    trips = any_database.stats.round_trips
    assert do(any_database, migrate) == installed
    assert any_database.stats.round_trips == trips + 3


def test_an_existing_database_is_added_to_and_otherwise_left_alone(empty: Database) -> None:
    run(empty, EXISTING)
    assert "Column customers.phone would be created." in forecast(empty)
    do(empty, migrate)
    shapes = empty.transact(read_shapes, read_only=True, label="looking")
    assert check(shapes) == []
    assert shapes["projects"].columns["status"].labels == ["pending", "active", "completed", "cancelled"]
    assert shapes["customers"].columns["name"].max_length == 40
    assert do(empty, lambda tx: tx.rows("SELECT name, email, vip FROM public.vips")) == [("Ann", "ann@x.co", True)]


def test_a_lost_bookkeeping_is_made_again_and_the_tables_are_not_touched(database: Database) -> None:
    before = do(database, lambda tx: tx.one(COUNTS))
    instance = database.transact(state, read_only=True, label="looking")
    run(database, "DROP SCHEMA monday_sync CASCADE")
    assert forecast(database) == ["Schema monday_sync would be created for the sync's own state."]
    again = do(database, migrate)
    assert again != instance
    assert do(database, lambda tx: tx.one(COUNTS)) == before


def test_running_the_tables_file_again_adds_no_constraint(database: Database) -> None:
    run(database, "ALTER TABLE public.users DROP COLUMN shirt_size; DROP SCHEMA monday_sync CASCADE")
    constraints = "SELECT count(*) FROM pg_constraint WHERE connamespace = 'public'::regnamespace"
    before = do(database, lambda tx: tx.one(constraints))
    do(database, migrate)
    assert do(database, lambda tx: tx.one(constraints)) == before
    assert check(database.transact(read_shapes, read_only=True, label="looking")) == []


@pytest.mark.parametrize("lacking", [False, True])
def test_a_later_file_about_the_tables_is_for_what_they_lack(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lacking: bool
) -> None:
    """So that a role that owns no table can use those which their owner has made complete."""
    later = shutil.copytree(FOLDER, tmp_path / "migrations") / "900_size.sql"
    later.write_text("ALTER TABLE {schema}.storms ADD COLUMN size integer;", encoding="utf-8")
    monkeypatch.setattr("postgres.migrate.FOLDER", later.parent)
    if lacking:
        run(database, "ALTER TABLE public.storms DROP COLUMN date_of_loss")
    installed = do(database, migrate)
    assert isinstance(installed, Installed)
    assert installed.version == 900
    size = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'storms' AND column_name = 'size'"
    assert do(database, lambda tx: tx.one(size)) == (int(lacking),)


def test_repeated_item_ids_are_counted_and_refused(empty: Database) -> None:
    run(empty, "CREATE TABLE projects (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), monday_item_id bigint)")
    run(empty, "INSERT INTO public.projects (monday_item_id) VALUES (1), (1), (2), (2), (3), (NULL), (NULL)")
    for attempt in (forecast, lambda database: do(database, migrate)):
        with pytest.raises(DriftError, match=r"^2 values of public\.projects\.monday_item_id"):
            attempt(empty)
    assert do(empty, lambda tx: tx.one("SELECT to_regclass('public.users')")) == (None,)


@pytest.mark.parametrize(
    ("made", "told"),
    [
        ("CREATE TABLE customers (id serial PRIMARY KEY)", "customers.id has the type int4: uuid is needed"),
        ("CREATE TABLE customers (no integer)", "customers has no column id"),
        ("CREATE TABLE projects (id uuid PRIMARY KEY, monday_item_id text)", "monday_item_id has the type text: int8"),
    ],
)
def test_tables_that_cannot_be_used_are_not_touched(empty: Database, made: str, told: str) -> None:
    run(empty, made)
    before = do(empty, lambda tx: tx.one(COUNTS))
    with pytest.raises(DriftError, match=told):
        do(empty, migrate)
    assert do(empty, lambda tx: tx.one(COUNTS)) == before


def test_a_newer_programs_database_is_refused(any_database: Database) -> None:
    run(any_database, "UPDATE monday_sync.sync_schema SET version = 99")
    for work in (migrate, state, would_create):
        with pytest.raises(ConfigError, match="version 99 by a newer program"):
            do(any_database, work)


def test_simultaneous_first_runs_agree(blank: Keywords) -> None:
    def first_run(_: int) -> object:
        with Database(blank, sleep=no_sleep) as database:
            return do(database, migrate)

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(first_run, range(4)))) == 1


@pytest.fixture
def role(admin: extensions.connection, blank: Keywords) -> Iterator[str]:
    """A role of this test's own, allowed to make schemas in the blank database."""
    name = f"role_{blank['dbname']}"
    with admin.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'x'; GRANT CREATE ON DATABASE {blank['dbname']} TO {name}")
        yield name
        with Database(blank) as database:
            run(database, f"DROP OWNED BY {name} CASCADE")
        cursor.execute(f"DROP ROLE {name}")


def test_a_role_without_ownership_uses_tables_that_are_complete(empty: Database, blank: Keywords, role: str) -> None:
    do(empty, migrate)
    run(empty, "DROP SCHEMA monday_sync CASCADE")
    run(empty, f"GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO {role}")
    with Database({**blank, "user": role, "password": "x"}, sleep=no_sleep) as guest:
        assert isinstance(do(guest, migrate), Installed)


def test_a_role_that_may_not_make_tables_is_told(blank: Keywords, role: str) -> None:
    with (
        Database({**blank, "user": role, "password": "x"}, sleep=no_sleep) as guest,
        pytest.raises(ConfigError, match="permission denied for schema public"),
    ):
        do(guest, migrate)


def test_the_roles_own_schema_is_used_and_never_the_bookkeepings(empty: Database, blank: Keywords, role: str) -> None:
    run(empty, f'CREATE SCHEMA "my ""tables" AUTHORIZATION {role}')
    run(empty, f'ALTER ROLE {role} SET search_path = monday_sync, "my ""tables", public')
    with Database({**blank, "user": role, "password": "x"}, sleep=no_sleep) as guest:
        do(guest, migrate)
        assert do(guest, lambda tx: tx.schema) == 'my "tables'
        assert check(guest.transact(read_shapes, read_only=True, label="looking")) == []
    assert do(empty, lambda tx: tx.one("SELECT to_regclass('public.projects')")) == (None,)
