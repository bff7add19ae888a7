"""Databases with settings, kinds of tables, indexes and triggers of their own: they work as any other, or are named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox import MASTER_BOARD_ID, STAFF_BOARD_ID
from tests.support.company import PUSH, Company, small_world
from tests.support.pushing import shows
from tests.support.servers import Keywords

TEXT, MAIL, NAME, PRICE, DAY = "text40__1", "email4__1", "text65__1", "numbers0", "date_19__1"
BACKSLASHES = "C:\\new\\table 'quoted' \\' \\\\ \u2192"


def jobs(company: Company) -> list[int]:
    return sorted(company.sandbox.item_ids(MASTER_BOARD_ID))


@pytest.fixture
def fresh(blank: Keywords, tmp_path: Path) -> Iterator[Company]:
    """A company before any run, direct to its database."""
    with small_world() as sandbox:
        yield Company(sandbox, blank, tmp_path)


SETTINGS = {
    "array_nulls": "off",
    "standard_conforming_strings": "off",
    "datestyle": "'German, DMY'",
    "intervalstyle": "'iso_8601'",
    "timezone": "'Pacific/Kiritimati'",
    "bytea_output": "'escape'",
    "extra_float_digits": "-15",
    "default_transaction_read_only": "on",
    "default_transaction_deferrable": "on",
    "default_transaction_isolation": "'serializable'",
    "transform_null_equals": "on",
    "row_security": "off",
    "check_function_bodies": "off",
    "escape_string_warning": "on",
    "quote_all_identifiers": "on",
    "statement_timeout": "'250ms'",
    "session_replication_role": "'replica'",
    "client_encoding": "'LATIN1'",
    "xmloption": "'document'",
    "lc_messages": "'C'",
    "search_path": "'$user', 'public', 'pg_catalog'",
    "plan_cache_mode": "'force_generic_plan'",
}


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.sampled(2)
def test_a_setting_of_the_database_changes_nothing(fresh: Company, name: str) -> None:
    database = fresh.database["dbname"]
    fresh.direct = {**fresh.database, "client_encoding": "UTF8"}
    fresh.sql(f'ALTER DATABASE "{database}" SET {name} = {SETTINGS[name]}')

    def edit(statement: str, *params: Any) -> None:
        fresh.sql("SET default_transaction_read_only = off; SET statement_timeout = 0")
        with fresh.connected() as connection, connection.cursor() as cursor:
            cursor.execute("SET default_transaction_read_only = off")
            cursor.execute("SET statement_timeout = 0")
            cursor.execute("SET client_encoding = 'UTF8'")
            cursor.execute("COMMIT; BEGIN READ WRITE")
            cursor.execute(statement, params)
            connection.commit()

    first, second, third, *_ = jobs(fresh)
    fresh.sandbox.edit(first, {TEXT: BACKSLASHES, DAY: {"date": "2023-02-03"}, NAME: "Zo\u00eb \u2192 NULL"})
    fresh.sandbox.edit(second, {TEXT: "NULL"})
    assert (fresh.sync("--test").code, fresh.sync().code) == (0, 0)
    assert fresh.project(first, "description") == BACKSLASHES
    assert fresh.value("SELECT to_char(date_of_loss, 'YYYY-MM-DD') FROM storms") == "2023-02-03"
    assert fresh.value("SELECT count(*) FROM users WHERE roles @> ARRAY['Sales Staff']") == 2
    edit("UPDATE projects SET description = %s WHERE monday_item_id = %s", BACKSLASHES + " in SQL", third)
    edit("UPDATE storms SET date_of_loss = DATE '2024-11-12'")
    edit("UPDATE projects SET customer_id = NULL WHERE monday_item_id = %s", second)
    edit("INSERT INTO projects (name, item_name) VALUES ('New job', 'New job')")
    assert fresh.push().code == 0
    assert (shows(fresh, third, TEXT), shows(fresh, first, DAY)) == (BACKSLASHES + " in SQL", "2024-11-12")
    assert not shows(fresh, second, MAIL)
    quiet = [fresh.sync("--full"), fresh.push()]
    assert [(ended.code, ended.writes) for ended in quiet] == [(0, 0), (0, 0)]
    assert quiet[1].report["items"]["update"] == 0


# What a unique index of theirs stands in the way of -------------------------------------------------------------------


def staff(company: Company) -> list[int]:
    return sorted(company.sandbox.item_ids(STAFF_BOARD_ID))


def mail(company: Company, item_id: int, address: str, **more: Any) -> None:
    company.sandbox.edit(item_id, {"email__1": {"email": address, "text": address}, **more})


@pytest.mark.parametrize("not_null", [False, True], ids=["may be empty", "NOT NULL"])
def test_two_people_exchange_their_emails(synced: Company, not_null: bool) -> None:
    """A statement that changes both rows meets the index row by row."""
    one, two = staff(synced)
    synced.sql("CREATE UNIQUE INDEX ON users (lower(email))")
    if not_null:
        synced.sql("ALTER TABLE users ALTER email SET NOT NULL")
    mail(synced, one, "rep2@roofs.example", text6="XL")
    mail(synced, two, "rep1@roofs.example")
    ended = synced.sync()
    found = synced.sql("SELECT email FROM users WHERE monday_item_id = ANY(%s) ORDER BY monday_item_id", [one, two])
    if not_null:  # neither can let go of its own: both stay as they were, and are listed
        assert (ended.code, ended.report["quarantined"]) == (5, 2)
        assert found == [("rep1@roofs.example",), ("rep2@roofs.example",)]
        return
    assert ended.code == 0, ended.err + ended.out
    assert found == [("rep2@roofs.example",), ("rep1@roofs.example",)]
    assert [synced.sync("--full").writes, synced.push().report["items"]["update"]] == [0, 0]


def test_an_email_is_handed_on_to_somebody_new(synced: Company) -> None:
    one, two = staff(synced)
    synced.sql("CREATE UNIQUE INDEX ON users (lower(email))")
    mail(synced, one, "other@roofs.example")
    synced.sandbox.create(
        STAFF_BOARD_ID,
        "New Green",
        {"text25": "New", "email__1": {"email": "rep1@roofs.example", "text": "rep1@roofs.example"}},
    )
    assert synced.sync().code == 0
    assert synced.sql("SELECT email FROM users ORDER BY email") == [
        ("other@roofs.example",), ("rep1@roofs.example",), ("rep2@roofs.example",)
    ]  # fmt: skip
    assert two


def test_who_is_really_in_the_way_is_refused_alone(synced: Company) -> None:
    one, two = staff(synced)
    third = synced.sandbox.create(STAFF_BOARD_ID, "Rep 3", {"text25": "Rep", "text1": "Three", "text6": "3"})
    synced.sandbox.edit(one, {"text6": "1"})
    synced.sandbox.edit(two, {"text6": "2"})
    synced.sql("CREATE UNIQUE INDEX ON users (lower(shirt_size)); INSERT INTO users (shirt_size) VALUES ('Taken')")
    assert synced.sync().code == 0
    for item_id, size in ((one, "2"), (two, "1"), (third, "TAKEN")):
        synced.sandbox.edit(item_id, {"text6": size})
    ended = synced.sync()
    held = dict(synced.sql("SELECT monday_item_id, shirt_size FROM users WHERE monday_item_id IS NOT NULL"))
    assert (ended.code, ended.report["quarantined"]) == (5, 1)
    assert held == {one: "2", two: "1", third: "3"}
    synced.sandbox.edit(third, {"text6": "4"})
    assert (synced.sync().code, synced.sync("--full").writes) == (0, 0)


# Kinds of tables, and who forbids to change them ----------------------------------------------------------------------


def test_tables_that_are_partitioned_by_id_work(fresh: Company) -> None:
    fresh.sql(
        "CREATE TABLE projects (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), monday_item_id bigint, name text)"
        " PARTITION BY HASH (id);"
        "CREATE TABLE projects_0 PARTITION OF projects FOR VALUES WITH (MODULUS 2, REMAINDER 0);"
        "CREATE TABLE projects_1 PARTITION OF projects FOR VALUES WITH (MODULUS 2, REMAINDER 1);"
        "CREATE TABLE customers (id uuid PRIMARY KEY DEFAULT gen_random_uuid()) PARTITION BY HASH (id);"
        "CREATE TABLE customers_0 PARTITION OF customers FOR VALUES WITH (MODULUS 1, REMAINDER 0)"
    )
    assert [fresh.sync("--test").code, fresh.sync().code] == [0, 0]
    fresh.sql("UPDATE projects SET description = 'typed in SQL' WHERE monday_item_id = %s", jobs(fresh)[0])
    fresh.sandbox.edit(jobs(fresh)[1], {TEXT: "typed on the board"})
    assert [fresh.sync().code, fresh.push().code] == [0, 0]
    assert shows(fresh, jobs(fresh)[0], TEXT) == "typed in SQL"
    assert fresh.project(jobs(fresh)[1], "description") == "typed on the board"
    assert fresh.run(program="test_sync.py").code == 0


MISFITS = {
    "partitioned by another column": (
        "CREATE TABLE projects (id uuid NOT NULL, monday_item_id bigint, region text) PARTITION BY LIST (region)",
        "projects.id",
    ),
    "a partition": (
        "CREATE TABLE w (id uuid) PARTITION BY LIST (id); CREATE TABLE storms PARTITION OF w (PRIMARY KEY(id)) DEFAULT",
        "storms is a partition",
    ),
    "made of a type": (
        "CREATE TYPE storm AS (id uuid); CREATE TABLE storms OF storm (PRIMARY KEY (id))",
        "storms is a partition, or made of a type",
    ),
    "a view": ("CREATE VIEW storms AS SELECT gen_random_uuid() AS id", "storms is a view"),
    "a computed column": (
        "CREATE TABLE storms (id uuid PRIMARY KEY, date_of_loss date GENERATED ALWAYS AS ('2020-01-01') STORED)",
        "storms.date_of_loss is generated",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", MISFITS)
def test_a_table_that_cannot_do_what_is_needed_is_named(fresh: Company, kind: str) -> None:
    made, named = MISFITS[kind]
    fresh.sql(made)
    before = fresh.contents()
    for program, arguments in (("sync_monday_to_pg.py", ("--test",)), ("sync_monday_to_pg.py", ()), (PUSH, ())):
        ended = fresh.run(*arguments, program=program)
        assert (ended.code, named in ended.err) == (3, True), ended.err
    doctor = fresh.run(program="test_sync.py")
    assert (doctor.code, named in doctor.out) == (3, True), doctor.out
    assert fresh.contents() == before


@pytest.mark.parametrize("code", ["", " USING ERRCODE = 'XX123'", " USING ERRCODE = 'insufficient_privilege'"])
def test_an_event_trigger_that_forbids_new_tables_is_named(fresh: Company, code: str) -> None:
    fresh.sql(
        "CREATE FUNCTION no_ddl() RETURNS event_trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION 'tables are made by the owner'{code}; END $$;"
        "CREATE EVENT TRIGGER guardian ON ddl_command_start EXECUTE FUNCTION no_ddl()"
    )
    try:
        assert "guardian" in fresh.run("--test").out
        assert "guardian" in fresh.run("-v", program="test_sync.py").out
        ended = fresh.run()
        assert ended.code == (2 if "privilege" in code else 3), ended.err
        assert "Traceback" not in ended.err
        assert ("test_sync.py" if "privilege" in code else "tables are made by the owner") in ended.err
    finally:
        fresh.sql("DROP EVENT TRIGGER guardian")


def test_a_table_with_a_rule_is_no_bug(synced: Company) -> None:
    item_id = jobs(synced)[0]
    synced.sql("CREATE RULE elsewhere AS ON UPDATE TO projects DO INSTEAD NOTHING")
    synced.sandbox.edit(item_id, {TEXT: "typed on the board"})
    synced.sql("UPDATE users SET first_name = 'Ann'")
    for ended in (synced.sync(), synced.push()):
        assert ended.code not in (1, 7), ended.err
