"""A database that is older than the boards, as one from a backup is: what its rows were made into is known again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg2 import extensions, sql

from monday_api import MARKER
from sandbox import MASTER_BOARD_ID, STAFF_BOARD_ID
from sandbox.world import API_USER
from tests.support.company import PUSH, Company
from tests.support.pushing import jobs, new_project

pytestmark = (
    pytest.mark.own_role
)  # the database is replaced, which a pooler that holds its connections does not survive

STAFF = "INSERT INTO users (name, first_name, last_name, email, roles) VALUES ('Zoe Lee', 'Zoe', 'Lee', 'zoe@roofs.example', '{Sales Staff}')"  # noqa: E501


@pytest.fixture
def marked(synced: Company) -> Company:
    assert synced.run("--setup-marker", program=PUSH).code == 0
    assert synced.sync("--full").code == 0
    return synced


@contextmanager
def restored(company: Company, admin: extensions.connection, *, dump: bool = False) -> Iterator[None]:
    """What happens inside is forgotten by the database, and by nothing else. It is the same database then, as after the
    server was brought back to yesterday; a `dump` makes another one of that name."""
    if admin.server_version < 150000 and not dump:
        pytest.skip("this server does not give a database its number again")
    name, copy = (sql.Identifier(company.database["dbname"] + end) for end in ("", "_backup"))
    with admin.cursor() as cursor:
        cursor.execute("SELECT oid FROM pg_database WHERE datname = %s", (company.database["dbname"],))
        ((oid,),) = cursor.fetchall()
        number = sql.SQL("" if dump else f"OID = {oid}")
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (company.database["dbname"],)
        )
        cursor.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(copy, name))
        yield
        cursor.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
        cursor.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {} {}").format(name, copy, number))
        cursor.execute(sql.SQL("DROP DATABASE {}").format(copy))


def notes(report: dict[str, object]) -> str:
    found = report["notes"]
    assert isinstance(found, list)
    return " ".join(found)


def quiet(company: Company) -> None:
    """Neither direction finds anything to do, and nobody is needed."""
    pulled, pushed = company.sync("--full"), company.push()
    assert (pulled.code, pulled.writes, pushed.code, pushed.report["plan"]) == (0, 0, 0, ""), pulled.out


@pytest.mark.parametrize("first", ["push", "pull"])
@pytest.mark.parametrize("renamed", [False, True])
@pytest.mark.sampled(2)
def test_rows_from_a_backup_are_linked_to_their_items(
    marked: Company, admin: extensions.connection, first: str, renamed: bool
) -> None:
    new_project(marked, "New job", description="from SQL")
    marked.sql(STAFF)
    with restored(marked, admin):
        assert marked.push().report["items"]["create"] == 2
        assert marked.sync().code == 0
    (job,), (person,) = marked.sandbox.find(MASTER_BOARD_ID, "New job"), marked.sandbox.find(STAFF_BOARD_ID, "Zoe Lee")
    if renamed:
        marked.sandbox.rename(job, "Another name")
    marked.sandbox.reset_counters()
    before = marked.counts()
    if first == "push":
        rehearsed = marked.push("--test")
        ended = marked.push()
        assert (rehearsed.code, ended.code) == (0, 0), ended.err
        assert rehearsed.report["plan"] == ended.report["plan"] != ""
        assert "2 rows without an item" in notes(rehearsed.report)
        assert "2 rows without an item" in notes(ended.report)
        assert ended.report["items"]["create"] == rehearsed.report["items"]["create"] == 0
    pulled = marked.sync()
    assert pulled.code == 0, pulled.out
    assert marked.sandbox.counters()["mutations"] == 0
    assert marked.counts() == before, "nothing is there twice"
    assert marked.sql("SELECT monday_item_id FROM projects WHERE description = 'from SQL'") == [(job,)]
    assert marked.sql("SELECT monday_item_id FROM users WHERE name = 'Zoe Lee'") == [(person,)]
    quiet(marked)


def test_that_the_database_is_older_is_said_once_and_the_boards_are_read_whole(
    synced: Company, admin: extensions.connection
) -> None:
    item = jobs(synced)[0]
    time.sleep(1)  # ids of runs tell seconds
    with restored(synced, admin):
        synced.sql("UPDATE projects SET description = 'told' WHERE monday_item_id = %s", item)
        assert synced.push().code == 0
    rehearsed, ended = synced.sync("--test"), synced.sync()
    for run in (rehearsed, ended):
        assert "is older than that" in notes(run.report)
        assert {board["mode"] for board in run.report["boards"].values()} == {"full"}
    assert synced.project(item, "description") == "told", "the board remembers"
    for again in (synced.sync(), synced.push()):
        assert (again.code, "is older" in notes(again.report)) == (0, False)
    assert {board["mode"] for board in synced.sync().report["boards"].values()} == {"incremental"}


def test_a_dump_has_to_take_the_boards_over_and_knows_its_items_then(
    marked: Company, admin: extensions.connection
) -> None:
    """Nothing tells it from a copy that somebody else works with."""
    new_project(marked, "New job", description="from SQL")
    time.sleep(1)
    with restored(marked, admin, dump=True):
        assert marked.push().report["items"]["create"] == 1
    (job,) = marked.sandbox.find(MASTER_BOARD_ID, "New job")
    marked.sandbox.reset_counters()
    refused = marked.push()
    assert (refused.code, "Two databases claim" in refused.err) == (4, True), refused.err
    taken = marked.push("--rebind-db")
    assert taken.code == 0, taken.err
    assert "is older than that" in notes(taken.report)
    assert (taken.report["items"]["create"], marked.sandbox.counters()["by_operation"].get("Create", 0)) == (0, 0)
    assert marked.sql("SELECT monday_item_id FROM projects WHERE description = 'from SQL'") == [(job,)]
    assert marked.sync().code == 0
    quiet(marked)


@contextmanager
def copied(company: Company, admin: extensions.connection) -> Iterator[Company]:
    """The same folder and a copy of the database, which knows less: its own has seen a run since."""
    name, copy = company.database["dbname"], f"{company.database['dbname']}_copy"
    with admin.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        cursor.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(copy), sql.Identifier(name)))
        try:
            yield replace(company, database={**company.database, "dbname": copy}, said=[])
        finally:
            cursor.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(copy)))


def test_a_rehearsal_in_a_copy_makes_no_database_an_older_one(synced: Company, admin: extensions.connection) -> None:
    """A pull into a copy, from the same folder, is a run of the copy's."""
    with copied(synced, admin) as copy:
        time.sleep(1)
        assert synced.sync().code == 0
        for company in (copy, copy, synced):
            told = notes(company.sync().report)
            assert ("Two databases" in told, "is older" in told) == (company is copy, False)


def test_runs_in_another_database_make_none_an_older_one(
    synced: Company, admin: extensions.connection, tmp_path: Path
) -> None:
    """A folder that is led from one database to another, which a folder of its own has synced before."""
    with copied(synced, admin) as copy:
        (tmp_path / "elsewhere").mkdir()
        assert replace(copy, folder=tmp_path / "elsewhere", said=[]).sync("--rebind-db").code == 0
        time.sleep(1)
        assert synced.sync().code == 0
        told = notes(copy.sync("--rebind-db").report)
        assert ("from now on belong" in told, "is older" in told) == (True, False)


def test_the_copy_of_an_item_is_a_twin_and_nobody_it_was_made_of(marked: Company) -> None:
    """A copy takes the marker along. It has a row of its own, and a person is told."""
    row = new_project(marked, "New job")
    assert marked.push().code == 0
    (job,) = marked.sandbox.find(MASTER_BOARD_ID, "New job")
    twin = marked.sandbox.create(MASTER_BOARD_ID, "New job (copy)", {MARKER: row})
    for arguments in (("--test",), ()):
        ended = marked.sync(*arguments)
        assert ended.code == 5, ended.err
        (pair,) = ended.report["details"]["would_merge"]
        assert (pair["item"], row in pair["reason"]) == (twin, True)
    assert marked.project(job, "id") == row
    assert marked.project(twin, "id") != row
    marked.sandbox.edit(twin, {"text40__1": "edited"})
    assert marked.sync().code == 5, "the twin still carries it"
    assert marked.push().code in (0, 5)
    assert marked.sandbox.counters()["by_operation"].get("Create", 0) == 1
    marked.sandbox.clear(twin, MARKER)
    assert marked.sync().code == 0
    quiet(marked)


@pytest.mark.parametrize("first", ["push", "pull"])
def test_of_an_item_and_its_copy_the_older_one_is_known_again(
    marked: Company, admin: extensions.connection, first: str
) -> None:
    row = new_project(marked, "New job")
    with restored(marked, admin):
        assert marked.push().code == 0
    (job,) = marked.sandbox.find(MASTER_BOARD_ID, "New job")
    twin = marked.sandbox.create(MASTER_BOARD_ID, "A copy", {MARKER: row})
    if first == "push":
        assert marked.push().code == 0
    assert marked.sync().code == 5
    assert marked.project(job, "id") == row
    assert marked.project(twin, "id") != row
    assert marked.sandbox.counters()["by_operation"].get("Create", 0) == 1


def test_a_row_whose_item_was_given_a_row_of_its_own_is_not_made_again(
    marked: Company, admin: extensions.connection
) -> None:
    """As an older program did after a restore."""
    row = new_project(marked, "New job")
    with restored(marked, admin):
        assert marked.push().code == 0
    (job,) = marked.sandbox.find(MASTER_BOARD_ID, "New job")
    marked.sandbox.clear(job, MARKER)
    assert marked.sync().code in (0, 5)
    second = marked.project(job, "id")
    assert second != row
    marked.sql("DELETE FROM monday_sync.sync_dead")
    marked.sandbox.edit(job, {MARKER: row})
    marked.sandbox.reset_counters()
    for _ in range(2):
        ended = marked.push()
        assert (ended.code, marked.sandbox.counters()["mutations"]) == (5, 0), ended.out
        (cell,) = ended.report["details"]["quarantined"]
        assert str(job) in cell["reason"]
    marked.sql("DELETE FROM projects WHERE id = %s", row)
    assert marked.push().code == 0


@pytest.mark.parametrize("text", ["", "not an id", "00000000-0000-0000-0000-000000000000", "' OR 1=1 --"])
def test_what_is_no_rows_id_links_nothing(marked: Company, text: str) -> None:
    new_project(marked, "New job")
    marked.sandbox.create(MASTER_BOARD_ID, "By hand", {MARKER: text})
    before = marked.counts()["projects"]
    ended = marked.sync()
    assert ended.code == 0, ended.out
    assert marked.counts()["projects"] == before + 1
    assert marked.push().report["items"]["create"] == 1


def test_a_swap_of_ids_in_sql_makes_no_twins(marked: Company) -> None:
    """A person gave two items each the other's row: they carry the ids of before, and are copies of nothing."""
    rows = [new_project(marked, name) for name in ("One", "Two")]
    assert marked.push().code == 0
    assert marked.sync("--full").code == 0
    ids = [marked.value("SELECT monday_item_id FROM projects WHERE id = %s", row) for row in rows]
    marked.sql("UPDATE projects SET monday_item_id = NULL WHERE id = ANY(%s::uuid[])", rows)
    for row, item in zip(rows, reversed(ids), strict=True):
        marked.sql("UPDATE projects SET monday_item_id = %s WHERE id = %s", item, row)
    for item in ids:
        marked.sandbox.edit(item, {"text40__1": f"edited {item}"})
    assert marked.sync("--full").report["would_merge"] == 0


def test_a_saved_read_links_by_the_marker_too(marked: Company, admin: extensions.connection, tmp_path: Path) -> None:
    row = new_project(marked, "New job")
    with restored(marked, admin):
        assert marked.push().code == 0
        assert marked.sync("--full").code == 0
    before = marked.counts()
    replayed = marked.sync("--use-cache")
    assert replayed.code == 0, replayed.err
    assert marked.counts() == before
    assert marked.value("SELECT monday_item_id IS NOT NULL FROM projects WHERE id = %s", row)
    quiet(marked)


def test_a_push_without_new_rows_asks_for_no_marker(marked: Company) -> None:
    marked.sql("UPDATE projects SET description = 'x' WHERE monday_item_id = %s", jobs(marked)[0])
    marked.sandbox.reset_counters()
    assert marked.push().code == 0
    assert "ByValues" not in marked.sandbox.counters()["by_operation"]
    for name in ("One", "Two"):
        new_project(marked, name)
    marked.sandbox.reset_counters()
    assert marked.push().code == 0
    assert marked.sandbox.counters()["by_operation"]["ByValues"] == 1


def test_items_of_our_own_user_carry_it(marked: Company) -> None:
    """The marker is read, whoever made the item."""
    row = new_project(marked, "New job")
    world = marked.sandbox.world
    board = world.boards[MASTER_BOARD_ID]
    cells = marked.sandbox._read(board, {MARKER: row.upper()}, False)
    item = world.create_item(board, board.first_group, "Elsewhere", cells, API_USER).id
    assert marked.sync().code == 0
    assert marked.project(item, "id") == row
