"""What all commands of the window share: who may look, at what, and that looking changes nothing."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator

import pytest
from psycopg2 import extensions

from models import TABLES
from tests.support.company import ROOT, Company
from tests.support.pushing import jobs, project
from tests.support.servers import Keywords, free_port

COMMANDS: tuple[tuple[str, ...], ...] = ((), ("history",), ("todo",), ("conflicts",), ("metrics",))
CODES = {"metrics": 0, "history": 0}
"""How a command ends where something is open; the others with 5."""


@pytest.fixture
def open_one(synced: Company) -> Company:
    """A company in which both sides edited one field."""
    item = jobs(synced)[0]
    synced.sandbox.edit(item, {"text40__1": "on the board"})
    project(synced, item, description="in SQL")
    assert synced.sync("--on-conflict", "manual").code == 5
    return synced


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_looking_changes_nothing_and_asks_monday_nothing(open_one: Company, arguments: tuple[str, ...]) -> None:
    before, asked = open_one.contents(), len(open_one.sandbox.requests())
    for form in ((), ("--json",)):
        ended = open_one.window(*arguments, *form)
        assert ended.code == CODES.get("".join(arguments), 5), ended.err
        assert ended.err == ""
    assert json.loads(ended.out)["version"] == 1
    assert json.loads(ended.out)["exit_code"] == ended.code
    assert (open_one.contents(), len(open_one.sandbox.requests())) == (before, asked)


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_database_that_was_never_synced(company: Company, arguments: tuple[str, ...]) -> None:
    ended = company.window(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert "was never synced: run python sync_monday_to_pg.py --test" in ended.err
    told = company.window(*arguments, "--json")
    assert (told.code, told.report["exit_code"]) == (2, 2)
    assert "was never synced" in told.report["reason"]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_an_older_schema(synced: Company, arguments: tuple[str, ...]) -> None:
    synced.sql("DROP TABLE monday_sync.sync_change; UPDATE monday_sync.sync_schema SET version = 11")
    ended = synced.window(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert "the next real run of either command brings it up to date" in ended.err
    assert synced.sync().code == 0
    assert synced.window(*arguments).code == 0


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_database_that_does_not_answer(
    company: Company, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("postgres.connection.CONNECT_TRIES", 1)
    company.overrides = {"DATABASE_URL": f"postgresql://nobody:x@127.0.0.1:{free_port()}/none"}
    ended = company.window(*arguments)
    assert (ended.code, ended.out) == (7, "")
    assert "cannot be reached (nothing listens there)" in ended.err


class Reader:
    """A role that may log in, and look at what it is granted."""

    def __init__(self, admin: extensions.connection, company: Company, blank: Keywords) -> None:
        self.admin, self.company = admin, company
        self.name = f"Reader {uuid.uuid4().hex[:8]}"  # a name that has to be quoted
        self._run(f"CREATE ROLE \"{self.name}\" LOGIN PASSWORD 'to look at it'")
        company.sql("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        self.looks = {**blank, "user": self.name, "password": "to look at it"}

    def _run(self, statement: str) -> None:
        with self.admin.cursor() as cursor:
            cursor.execute(statement)

    def leave(self) -> None:
        self.company.sql(f'DROP OWNED BY "{self.name}" CASCADE')
        self._run(f'DROP ROLE "{self.name}"')


@pytest.fixture
def reader(admin: extensions.connection, open_one: Company, blank: Keywords) -> Iterator[Reader]:
    reader = Reader(admin, open_one, blank)
    yield reader
    reader.leave()


@pytest.mark.own_role
@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_role_that_may_only_look_is_told_each_grant_and_needs_no_more(
    reader: Reader, arguments: tuple[str, ...]
) -> None:
    """What it is told, pasted by the owner, is enough: no right to write is among it."""
    company = reader.company
    usual = company.database
    company.sql(f'GRANT USAGE ON SCHEMA public TO "{reader.name}"')  # else there is no schema in its search_path
    said = []
    for _try in range(4):
        company.database = reader.looks
        ended = company.window(*arguments)
        company.database = usual
        if ended.code != 2:
            break
        said.append(ended.err)
        grant = ended.err[ended.err.index("GRANT") :].strip().removesuffix(".")
        company.sql(grant.replace("the role of DATABASE_URL", f'"{reader.name}"'))
    assert (ended.code, len(said)) == (CODES.get("".join(arguments), 5), 2), said
    assert "GRANT USAGE ON SCHEMA monday_sync TO" in said[0]
    assert f'"{reader.name}"' in said[1]
    for table in TABLES:
        assert f"public.{table}" in said[1]
    assert "monday_sync.sync_change" in said[1]
    assert not any(word in " ".join(said) for word in ("INSERT", "UPDATE", "CREATE"))


def test_one_that_lost_a_single_table_is_told_that_one(reader: Reader) -> None:
    company = reader.company
    name = f'"{reader.name}"'
    company.sql(
        f"GRANT USAGE ON SCHEMA public, monday_sync TO {name};"
        f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name};"
        f"GRANT SELECT ON ALL TABLES IN SCHEMA monday_sync TO {name}; REVOKE SELECT ON storms FROM {name}"
    )
    company.database = reader.looks
    ended = company.window("todo")
    assert ended.code == 2
    assert ended.err.rstrip().endswith(f"run: GRANT SELECT ON public.storms TO {name};")


@pytest.mark.parametrize(
    "arguments", [("--help",), ("history", "-h"), ("todo", "-h"), ("conflicts", "-h"), ("metrics", "-h")]
)
def test_help_answers(company: Company, arguments: tuple[str, ...]) -> None:
    ended = company.window(*arguments)
    assert ended.code == 0
    assert "Usage:" in ended.out
    if arguments == ("--help",):
        for (name,) in filter(None, COMMANDS):
            assert f"\n  {name}" in ended.out


def test_help_loads_no_command() -> None:
    """So it answers at once."""
    heavy = {"psycopg2", "requests", "msgspec", "status.window"}
    asked = (
        "import sys, sync_status; sync_status.command(['--help'], standalone_mode=False);"
        f" print(sorted(set(sys.modules) & {heavy}))"
    )
    ended = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, check=True, capture_output=True, text=True)
    assert "Usage:" in ended.stdout
    assert ended.stdout.endswith("\n[]\n")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("histroy",), "There is no command histroy: did you mean history?"),
        (("--json", "history"), "Options stand after the command"),
        (("todo", "--json", "--format", "csv"), "--json and --format csv contradict each other"),
        (("--max-age", "soon"), "is no length of time"),
        (("todo", "--limit", "-1"), "--limit"),
    ],
)
def test_what_makes_no_sense_ends_with_2(company: Company, arguments: tuple[str, ...], says: str) -> None:
    ended = company.window(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert says in ended.err
