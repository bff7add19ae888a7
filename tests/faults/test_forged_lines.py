"""Names that come from boards, from a database or from a file are text: no terminal obeys them, no line is forged."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2 import sql

from reconcile.errors import Exit
from sandbox import MASTER_BOARD_ID, STAFF_BOARD_ID
from terminal.signs import one_line
from tests.support.company import PUSH, ROOT, Company
from tests.support.pushing import TEXT, jobs, project

PULL = "sync_monday_to_pg.py"
FORGED = "FORGED LINE"
HOSTILE = (
    f"x\x1b[31m\x1b]0;owned\x07\r\n{FORGED} 1\n{FORGED} 2\u2028{FORGED} 3\x85{FORGED} 4\x0b{FORGED}"
    "\x9b2J\u202e\u2066\u200f\x7f\t\x08"
)
COMMANDS = (
    *((PULL, *options) for options in (("--test", "-v"), ("-vv",), ("-q",), ("--json",), ("--list-cache",))),
    (PULL, "--use-cache", "--test"),
    *((PUSH, *options) for options in (("--test", "-v"), ("-vv",), ("-q",), ("--json",), ("--setup-marker",))),
    *(("test_sync.py", "-v"), ("test_sync.py", "--json"), ("monday_api.py",), ("db_connector.py",)),
)


def run(company: Company, *command: str, **environment: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=company.environment | environment, capture_output=True, check=False
    )
    out, err = done.stdout.decode(errors="surrogatepass"), done.stderr.decode(errors="surrogatepass")
    company.said += [out, err]
    return done.returncode, out, err


def assert_plain(text: str, where: Any = "") -> None:
    assert all(sign == "\n" or one_line(sign) == sign for sign in text), (where, text)
    assert not [line for line in text.split("\n") if line.strip().startswith(FORGED)], (where, text)


def make_hostile(company: Company) -> None:
    """Every name that somebody else chooses says something to a terminal."""
    sandbox = company.sandbox
    sandbox.world.account.name = HOSTILE
    for board in (MASTER_BOARD_ID, STAFF_BOARD_ID):
        sandbox.set_board(board, name=HOSTILE)
        sandbox.retitle_group(board, sandbox.world.boards[board].first_group.id, HOSTILE)
    for column in ("numbers0", "text95__1"):
        sandbox.retitle_column(MASTER_BOARD_ID, column, HOSTILE)
    first, second, third = jobs(company)[:3]
    sandbox.edit(first, {TEXT: HOSTILE, "text95__1": HOSTILE})
    sandbox.rename(second, "Roof\u202e\u2028" + FORGED)
    sandbox.edit(third, {"numbers0": "99999999999999"})
    project(company, second, description=HOSTILE)


def plant_in_database(company: Company) -> None:
    """A constraint, a trigger and an index of hostile names on the tables, which refuse what comes."""
    with psycopg2.connect(**company.direct) as connection, connection.cursor() as cursor:  # type: ignore[arg-type]
        name = sql.Identifier(HOSTILE[:40])
        cursor.execute(
            sql.SQL("ALTER TABLE projects ADD CONSTRAINT {} CHECK (claim_number NOT LIKE '%%bad%%')").format(name)
        )
        cursor.execute(
            "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN IF NEW.name LIKE '%Nasty%' THEN RAISE EXCEPTION E'x\\x1b[31m\\nFORGED LINE'; END IF; "
            "RETURN NEW; END $$"
        )
        cursor.execute(
            sql.SQL("CREATE TRIGGER {} BEFORE UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION refuse()").format(name)
        )
    connection.close()
    company.sandbox.edit(jobs(company)[4], {"claim_number__1": "bad"})
    company.sandbox.edit(jobs(company)[5], {"text65__1": "Nasty"})


def test_no_command_passes_on_what_a_name_says_to_a_terminal(synced: Company) -> None:
    make_hostile(synced)
    plant_in_database(synced)
    for command in COMMANDS:
        code, out, err = run(synced, *command)
        assert code != Exit.BUG, err
        assert_plain(out, command)
        assert_plain(err, command)
        if "--json" in command:
            json.loads(out)
            assert out.isascii()
    for path in Path(synced.settings["SYNC_LOG_DIR"]).iterdir():
        assert_plain(path.read_text(), path)


def test_an_error_that_names_it_is_one_line(synced: Company) -> None:
    synced.sandbox.retype_column(MASTER_BOARD_ID, TEXT, "numbers")
    synced.sandbox.set_board(STAFF_BOARD_ID, name=HOSTILE)
    synced.sandbox.world.boards[MASTER_BOARD_ID].state = HOSTILE  # type: ignore[assignment]
    for command in ((PULL,), (PUSH,), ("monday_api.py",), ("test_sync.py",), (PULL, "--json")):
        code, out, err = run(synced, *command)
        assert code != Exit.BUG
        assert_plain(out + err, command)


@pytest.mark.parametrize(
    "name", ["SYNC_CACHE_DIR", "MONDAY_API_VERSION", "SYNC_LIMIT", "PGHOST", "DATABASE_URL", "PG_BIN"]
)
def test_a_setting_that_says_something_to_a_terminal(synced: Company, name: str) -> None:
    for command in ((PULL, "--test"), ("test_sync.py",), ("db_connector.py",)):
        _code, out, err = run(
            synced, *command, **{name: f"/tmp\x1b[31m/{HOSTILE}" if name == "SYNC_CACHE_DIR" else HOSTILE}
        )
        assert_plain(out + err, command)


def test_a_database_of_hostile_names(synced: Company) -> None:
    """Its role, its schema and itself."""
    name = HOSTILE[:40]
    synced.sql(f'CREATE SCHEMA "{name}"')
    with psycopg2.connect(**synced.direct) as connection, connection.cursor() as cursor:  # type: ignore[arg-type]
        cursor.execute(sql.SQL("ALTER ROLE CURRENT_USER IN DATABASE {} SET search_path = {}").format(
            sql.Identifier(synced.direct["dbname"]), sql.Identifier(name)))  # type: ignore[index]  # fmt: skip
    connection.close()
    for command in (("db_connector.py",), ("test_sync.py", "-v"), (PULL, "--test"), (PUSH, "--test")):
        code, out, err = run(synced, *command)
        assert code != Exit.BUG, err
        assert_plain(out + err, command)


def test_a_saved_read_that_says_another_board(synced: Company) -> None:
    cache = Path(synced.settings["SYNC_CACHE_DIR"])
    made = sorted(cache.glob("master-*.jsonl"))[-1]
    head, rest = made.read_bytes().split(b"\n", 1)
    made.write_bytes(json.dumps({**json.loads(head), "board": HOSTILE}).encode() + b"\n" + rest)
    _code, out, err = run(synced, PULL, "--list-cache")
    assert made.name in out
    assert_plain(out + err)


def test_a_terminal_gets_colours_and_nothing_that_a_name_says(synced: Company) -> None:
    make_hostile(synced)
    for command in (("test_sync.py", "-v"), ("monday_api.py",), (PULL, "--test", "-v"), (PULL, "--limit", HOSTILE)):
        said = on_terminal(synced, *command)
        for forbidden in ("\x1b[31mx", "\x1b]0", "\x07", "\x9b", "\u202e", "\u2028", "\x7f", "\x08"):
            assert forbidden not in said, (command, forbidden)
        assert not [line for line in said.replace("\r", "\n").split("\n") if line.strip().startswith(FORGED)] or (
            "--limit" in command  # what somebody types himself
        )


def on_terminal(company: Company, *command: str) -> str:
    master, slave = pty.openpty()
    with subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, env=company.environment | {"TERM": "xterm"}, stdout=slave, stderr=slave
    ):
        os.close(slave)
        said = b""
        try:
            while piece := os.read(master, 1 << 16):
                said += piece
        except OSError:  # it has ended
            pass
    os.close(master)
    return said.decode(errors="surrogatepass")
