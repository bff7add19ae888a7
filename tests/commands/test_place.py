"""One board belongs to one database: copies, moved servers and changed settings are told from the database itself."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import pytest
from psycopg2 import extensions, sql

from monday_api import MARKER
from postgres.url import host_of, parse_database_url
from reconcile.place import Local, Place, bind, judge
from sandbox import MASTER_BOARD_ID, STAFF_BOARD_ID
from tests.support.company import PUSH, Company, Ended, small_world
from tests.support.pushing import TEXT, jobs, project, shows
from tests.support.servers import Keywords

Copying = Callable[[Company], Company]

NEON = "ep-cool-name-123456.us-east-2.aws.neon.tech"


# Pure -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("postgres://u@localhost/d", "localhost"),
        ("postgres://u@127.0.0.1:6432/d", "localhost"),
        ("postgres://u@[::1]/d", "localhost"),
        ("postgres:///d", "localhost"),
        ("postgres://u@%2Fvar%2Frun%2Fpostgresql/d", "localhost"),
        ("postgres://u@DB.Example.com./d", "db.example.com"),
        ("postgres://u@10.0.0.5/d", "10.0.0.5"),
        ("postgres://u@[2001:DB8:0::1]/d", "2001:db8::1"),
        (f"postgres://u@{NEON}/d", "ep-cool-name-123456"),
        (f"postgres://u@{NEON.replace('456.', '456-pooler.')}/d", "ep-cool-name-123456"),
        (f"postgres://u@{NEON.upper()}/d", "ep-cool-name-123456"),
        ("postgres://postgres@db.abcd.supabase.co/postgres", "abcd.supabase.co"),
        ("postgres://postgres.abcd@aws-0-us-east-1.pooler.supabase.com:6543/postgres", "abcd.supabase.co"),
    ],
)
def test_every_way_to_one_server_is_one_address(url: str, host: str) -> None:
    assert host_of(parse_database_url(url)) == host


def test_an_endpoint_that_is_named_by_an_option() -> None:
    assert host_of({"host": "us-east-2.aws.neon.tech", "options": "endpoint=ep-a-1-pooler"}) == "ep-a-1"


HOME = Place("db.example.com", "5432", "wra", 16400, "7300")


@pytest.mark.parametrize(
    ("place", "same"),
    [
        (HOME, True),
        (Place("db.example.com", "6432", "wra", 16400, "7300"), True),
        (Place("db.example.com", "5432", "staging", 16401, "7300"), False),
        (Place("db.example.com", "5432", "wra", 16999, "7300"), False),
        (Place("db.example.com", "5432", "wra", 16400, "9999"), False),
        (Place("other.example.com", "5432", "wra", 16400, "7300"), False),
        (Place("db.example.com", "5432", "wra", 16400, None), True),
        (Place("db.example.com", "6432", "wra", 16400, None), False),
    ],
    ids=[
        "same",
        "pooler",
        "template copy",
        "restored",
        "other server",
        "other address",
        "untold",
        "untold, other port",
    ],
)
def test_what_tells_a_copy(place: Place, same: bool) -> None:
    bound = bind(HOME)
    assert bound.is_at(place) is same
    assert bool(judge(place, bound, None).rivals) is not same
    taken = judge(place, bound, None).bound
    assert taken.is_at(place)
    assert not judge(place, taken, None).rivals, "a take-over is remembered"


def test_another_address_of_the_same_database_is_accepted_once_and_both_stay() -> None:
    away = Place("standby.example.com", "5432", "wra", 16400, "7300")
    taken = judge(away, bind(HOME), None).bound
    assert taken.is_at(HOME)
    assert taken.is_at(away)
    assert bind(HOME).claim in taken.replaced


def test_a_branch_that_took_over_is_not_its_origin() -> None:
    origin, branch = (Place(f"ep-{name}", "5432", "neondb", 16400, "7300") for name in ("a", "b"))
    taken = judge(branch, bind(origin), None).bound
    assert taken.is_at(branch)
    assert not taken.is_at(origin)


def test_a_folder_that_worked_with_another_database_objects() -> None:
    other = Place("localhost", "5432", "other", 1, "1")
    verdict = judge(HOME, bind(HOME), Local(other.claim, other.shown))
    assert [rival.shown for rival in verdict.rivals] == [other.shown]
    assert other.claim in verdict.bound.replaced
    assert not judge(HOME, bind(HOME), Local(HOME.claim, "")).rivals


# Commands -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def copied(request: pytest.FixtureRequest, admin: extensions.connection, server: Keywords) -> Iterator[Copying]:
    """Makes `CREATE DATABASE … TEMPLATE` copies of a company's database, with the company's folder or one's own."""
    if request.config.getoption("--pooled"):
        pytest.skip("a database is not copied while the stranger is connected to it")
    with ExitStack() as stack:

        def copy(company: Company) -> Company:
            name = f"copy_{uuid.uuid4().hex}"
            template = company.database["dbname"]
            with admin.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (template,))
                cursor.execute(
                    sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
                        sql.Identifier(name), sql.Identifier(template)
                    )
                )
            stack.callback(_drop, admin, name)
            return replace(
                company, database={**company.database, "dbname": name}, direct={**server, "dbname": name}, said=[]
            )

        yield copy


def _drop(admin: extensions.connection, name: str) -> None:
    with admin.cursor() as cursor:
        cursor.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def elsewhere(company: Company) -> Company:
    """The same company from a folder of its own: another machine."""
    folder = company.folder / "elsewhere"
    folder.mkdir(exist_ok=True)
    return replace(company, folder=folder, said=[])


def refused(company: Company, *arguments: str) -> Ended:
    """A push that is refused, dry and real, and changes nothing on either side."""
    board, rows = company.sandbox.digest(), company.contents()
    for dry in (("--test",), ()):
        ended = company.run(*arguments, *dry, program=PUSH)
        assert ended.code == 4, (ended.out, ended.err)
        assert "--rebind-db" in ended.err
        assert "Two databases claim" in ended.err
    assert company.sandbox.digest() == board
    after = company.contents()
    moved = {name for name in rows if after[name] != rows[name]}
    assert moved <= {"monday_sync.sync_run", "monday_sync.sync_lease", "monday_sync.sync_calls"}, (
        "a run that has seen the board is recorded"
    )
    return ended


def pushes(company: Company, text: str, *arguments: str) -> dict[str, Any]:
    item = jobs(company)[0]
    project(company, item, description=text)
    ended = company.push(*arguments)
    assert ended.code in ((0, 5) if "--on-conflict" in arguments else (0,)), ended.err
    assert shows(company, item, TEXT) == text
    return ended.report


@pytest.mark.parametrize("where", ["the same folder", "another machine", "the folder without its logs"])
def test_a_copy_of_the_database_does_not_push(synced: Company, copied: Copying, where: str) -> None:
    copy = copied(synced)
    if where == "another machine":
        copy = elsewhere(copy)
    if where == "the folder without its logs":
        shutil.rmtree(synced.folder / "logs")
        shutil.rmtree(synced.folder / "state")
    project(copy, jobs(copy)[0], description="staging")
    ended = refused(copy)
    for company in (synced, copy):
        assert company.database["dbname"] in ended.err, "both databases are named"

    told = copy.sync()
    assert told.code == 0
    assert any("Two databases claim" in note for note in told.report["notes"])
    refused(copy)
    pushes(synced, "from home")


def test_a_copy_that_takes_over_and_the_way_back(synced: Company, copied: Copying) -> None:
    copy = copied(synced)
    project(copy, jobs(copy)[0], description="staging")
    dry = copy.push("--test", "--rebind-db")
    assert dry.code == 0, dry.err
    assert any("would now belong" in note for note in dry.report["notes"])
    refused(copy)
    report = pushes(copy, "taken over", "--rebind-db")
    assert any(synced.database["dbname"] in note and "taken over" in note for note in report["notes"])
    assert not pushes(copy, "once")["notes"], "once, not for ever"
    assert not copy.sync().report["notes"]

    ended = refused(synced)
    assert copy.database["dbname"] in ended.err
    assert pushes(synced, "back", "--rebind-db", "--on-conflict", "pg")["notes"]
    refused(copy)


def test_a_pull_can_take_over_too(synced: Company, copied: Copying) -> None:
    copy = copied(synced)
    assert copy.sync("--rebind-db").code == 0
    assert not copy.sync().report["notes"]
    pushes(copy, "taken over")


def test_only_the_board_of_the_run_is_taken_over(synced: Company, copied: Copying) -> None:
    copy = copied(synced)
    assert copy.push("--rebind-db", "--board", "master").code == 0
    assert copy.push("--board", "master").code == 0
    ended = refused(copy, "--board", "staff")
    assert "board staff" in ended.err
    assert "master" not in ended.err


def test_a_folder_that_is_led_to_another_database_does_not_push(synced: Company, keywords: Keywords) -> None:
    """Not a copy, but a database of its own, filled from the same boards elsewhere; `logs/` was cleared."""
    other = elsewhere(replace(synced, database=keywords, direct=None))
    assert other.sync().code == 0
    shutil.rmtree(synced.folder / "logs")
    led = replace(synced, database=keywords, direct=None)
    told = led.sync()
    assert told.code == 0
    assert any("Two databases claim" in note for note in told.report["notes"])
    refused(led)
    pushes(led, "taken over", "--rebind-db")


def test_a_new_database_is_filled_with_a_note_and_not_pushed_from(synced: Company, keywords: Keywords) -> None:
    fresh = replace(synced, database=keywords, direct=None)
    first = fresh.sync()
    assert first.code == 0
    assert any("Two databases claim" in note for note in first.report["notes"])
    refused(fresh)
    pushes(synced, "from home")


def test_the_doctor_says_where_the_database_is_and_whose_the_boards_are(synced: Company, copied: Copying) -> None:
    ended = synced.run(program="test_sync.py")
    assert ended.code == 0, ended.out
    assert ended.out.count("board belongs to this database") == 2
    told = copied(synced).run(program="test_sync.py")
    assert told.code == 0
    assert told.out.count("a push is refused") == 2
    assert f"belongs to {synced.database['dbname']} at localhost" in told.out


def test_dropping_what_the_sync_remembers_is_no_other_database(synced: Company) -> None:
    synced.sql("DROP SCHEMA monday_sync CASCADE")
    ended = synced.sync()
    assert ended.code == 0, ended.err
    assert not any("Two databases" in note for note in ended.report["notes"])
    pushes(synced, "at home")


def test_a_rehearsal_leaves_the_folder_to_its_own_database(synced: Company, keywords: Keywords) -> None:
    """The same board ids at a server on this machine, another database, the same folder."""
    with small_world() as sandbox:
        rehearsal = replace(synced, sandbox=sandbox, database=keywords, direct=None)
        for _ in range(2):
            assert not [note for note in rehearsal.sync().report["notes"] if "Two databases" in note]
            assert rehearsal.push().code == 0
        pushes(rehearsal, "rehearsed")
    pushes(synced, "for real")


def test_ways_to_this_machine_are_one_place(synced: Company) -> None:
    for host in ("localhost", "127.0.0.1"):
        company = replace(synced, database={**synced.database, "host": host})
        assert not pushes(company, f"by {host}")["notes"]


def test_a_database_of_the_version_before_goes_on_without_a_flag(synced: Company) -> None:
    older(synced)
    (instance,) = synced.sql("SELECT instance::text FROM monday_sync.sync_schema")
    (synced.folder / "logs" / "database").write_text(f"{instance[0]}\n")
    assert not pushes(synced, "upgraded")["notes"]
    assert synced.value("SELECT count(*) FROM monday_sync.sync_place") == 2


@pytest.mark.parametrize("command", ["push", "sync"])
def test_what_the_version_before_remembered_still_counts(synced: Company, command: str) -> None:
    older(synced)
    (synced.folder / "logs" / "database").write_text(f"{uuid.uuid4()}\n")
    if command == "push":
        refused(synced)
    else:
        assert any("Two databases" in note for note in synced.sync().report["notes"])
    pushes(synced, "taken over", "--rebind-db")
    assert not pushes(synced, "once")["notes"]


def older(company: Company) -> None:
    """State and folder as the version before left them."""
    company.sql("DROP TABLE monday_sync.sync_place; UPDATE monday_sync.sync_schema SET version = 5")
    shutil.rmtree(company.folder / "state")


@pytest.mark.parametrize("broken", ["", "[]", "{", '{"a": 1}', "\0" * 10])
def test_a_broken_file_costs_its_part_of_the_check_alone(synced: Company, copied: Copying, broken: str) -> None:
    (synced.folder / "state" / "boards.json").write_text(broken)
    pushes(synced, "at home")
    assert len(json.loads((synced.folder / "state" / "boards.json").read_text())) == 2
    refused(copied(synced))


def test_a_folder_that_cannot_be_written_is_warned_of(company: Company) -> None:
    (company.folder / "file").write_text("")
    company.overrides = {"SYNC_STATE_DIR": str(company.folder / "file" / "state")}
    ended = company.sync()
    assert ended.code == 0
    assert "not remembered" in ended.err


def test_the_file_is_private_and_shows_no_secret(synced: Company) -> None:
    folder = synced.folder / "state"
    assert folder.stat().st_mode & 0o777 == 0o700
    (file,) = folder.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert synced.database["password"] not in file.read_text()


@contextmanager
def plain_role(company: Company, name: str) -> Iterator[Company]:
    """The company by a role that may not ask for the server's identifier."""
    company.sql(f"CREATE ROLE {name} LOGIN PASSWORD 'canary-plain'")
    try:
        company.sql("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
        company.sql(
            f"GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO {name};"
            f"GRANT USAGE ON SCHEMA monday_sync TO {name};"
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA monday_sync TO {name};"
            f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA monday_sync TO {name}"
        )
        yield replace(company, database={**company.database, "user": name, "password": "canary-plain"})
    finally:
        company.sql(f"DROP OWNED BY {name}; DROP ROLE {name}")


@pytest.mark.own_role
def test_a_server_that_does_not_tell_its_identifier_to_everybody(synced: Company, copied: Copying) -> None:
    copy = copied(synced)
    with plain_role(synced, f"plain_{uuid.uuid4().hex[:8]}") as company:
        pushes(company, "by a plain role")
        assert company.sync().code == 0
    with plain_role(copy, f"plain_{uuid.uuid4().hex[:8]}") as company:
        refused(company)


def in_doubt(company: Company) -> int:
    """A push of one edit that ends before it has recorded the answer; the item."""
    item = jobs(company)[0]
    project(company, item, description="in doubt")
    company.sql(
        "CREATE FUNCTION public.ended() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION USING ERRCODE = '53100'; END $$;"
        "CREATE TRIGGER ended BEFORE INSERT OR UPDATE ON monday_sync.sync_item"
        " FOR EACH ROW EXECUTE FUNCTION public.ended()"
    )
    company.push()
    company.sql("DROP FUNCTION public.ended CASCADE")
    assert company.value("SELECT count(*) FROM monday_sync.sync_batch") == 1
    company.sandbox.reset_counters()
    return item


def test_a_pull_into_a_copy_leaves_the_journal_of_the_other_alone(synced: Company, copied: Copying) -> None:
    """A request whose answer was lost is settled by the database that sent it, and not by a copy of its journal."""
    in_doubt(synced)
    copy = copied(synced)
    assert copy.sync().code == 0
    assert synced.sandbox.counters()["mutations"] == 0
    assert copy.value("SELECT count(*) FROM monday_sync.sync_batch") == 1
    assert synced.sync().code == 0
    assert synced.value("SELECT count(*) FROM monday_sync.sync_batch") == 0


# The board itself -----------------------------------------------------------------------------------------------------


@pytest.fixture
def marked(synced: Company) -> Company:
    assert synced.push("--setup-marker").code == 0
    return synced


def described(company: Company, board: int = MASTER_BOARD_ID) -> str:
    return company.sandbox.world.boards[board].column(MARKER).description or ""


@pytest.fixture
def other(marked: Company, keywords: Keywords) -> Company:
    """Another machine with a database of its own, filled from the same boards: neither knows of the other."""
    other = elsewhere(replace(marked, database=keywords, direct=None))
    assert other.sync().code == 0
    return other


def test_two_databases_on_two_machines_never_push_to_one_board(marked: Company, other: Company) -> None:
    for board in (MASTER_BOARD_ID, STAFF_BOARD_ID):
        assert marked.database["dbname"] in described(marked, board)
    project(other, jobs(other)[0], description="from elsewhere")
    ended = refused(other)
    assert marked.database["dbname"] in ended.err
    assert "the board itself" in ended.err
    assert other.push("--setup-marker").code == 4
    pushes(marked, "from home")


def test_a_board_that_was_taken_over_refuses_its_former_database(marked: Company, other: Company) -> None:
    report = pushes(other, "taken over", "--rebind-db")
    assert any(marked.database["dbname"] in note for note in report["notes"])
    assert other.database["dbname"] in described(other)
    assert not pushes(other, "once")["notes"]
    project(marked, jobs(marked)[1], description="from home")
    assert other.database["dbname"] in refused(marked).err


def test_a_take_over_with_nothing_to_send_counts(marked: Company, other: Company) -> None:
    assert other.push("--rebind-db").code == 0
    assert other.database["dbname"] in described(other)
    pushes(other, "taken over")


def test_a_copy_that_took_over_by_a_pull_is_named_by_its_push(marked: Company, copied: Copying) -> None:
    copy = elsewhere(copied(marked))
    assert copy.sync("--rebind-db").code == 0
    pushes(copy, "taken over")
    assert copy.database["dbname"] in described(copy)
    assert copy.value("SELECT replaced FROM monday_sync.sync_place WHERE board_id = %s", MASTER_BOARD_ID) == []
    project(marked, jobs(marked)[1], description="from home")
    refused(marked)
    pushes(marked, "back", "--rebind-db", "--on-conflict", "pg")
    project(copy, jobs(marked)[2], description="late")
    refused(copy)


@pytest.mark.parametrize("text", ["", "Leave me alone", None])
def test_a_marker_that_names_nobody_is_given_a_name(marked: Company, text: str | None) -> None:
    for board in marked.sandbox.world.boards.values():
        board.column(MARKER).description = text
    marked.sandbox.reset_counters()
    assert marked.push("--test").code == 0
    assert described(marked) == (text or "")
    pushes(marked, "named")
    assert marked.database["dbname"] in described(marked)
    mutations = marked.sandbox.counters()["mutation_requests"]
    pushes(marked, "once")
    assert marked.sandbox.counters()["mutation_requests"] == mutations + 1


def test_what_people_write_around_the_name_does_not_matter(marked: Company) -> None:
    column = marked.sandbox.world.boards[MASTER_BOARD_ID].column(MARKER)
    column.description = f"Do not touch!\n{column.description}\nAsk Ann."
    marked.sandbox.reset_counters()
    pushes(marked, "named")
    assert (column.description or "").startswith("Do not touch!")


def test_a_token_that_may_not_describe_columns_still_pushes(marked: Company) -> None:
    for board in marked.sandbox.world.boards.values():
        board.column(MARKER).description = None
    marked.sandbox.fault("user_unauthorized", match="change_column_metadata", times=0)
    pushes(marked, "unnamed")
    assert described(marked) == ""


def test_a_journal_is_not_sent_to_a_board_that_was_taken_over(marked: Company, other: Company) -> None:
    in_doubt(marked)
    assert other.push("--rebind-db").code == 0
    marked.sandbox.reset_counters()
    assert marked.sync().code == 0
    assert marked.run(program=PUSH).code == 4
    assert marked.sandbox.counters()["mutations"] == 0


def test_the_board_tells_nothing_that_leads_to_the_database(marked: Company) -> None:
    text = described(marked)
    for secret in (marked.database["host"], marked.database["port"], marked.database["user"], "localhost"):
        assert secret not in text.replace(marked.database["dbname"], "")
