"""A company to sync: boards on loopback, a database and folders of its own, and the command run on all of them."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import quote

import psycopg2
from psycopg2 import extensions

import sync_monday_to_pg
import sync_pg_to_monday
import sync_status
from cli.doctor.command import command as doctor
from reconcile.tables import TABLES
from sandbox import MASTER_BOARD_ID, STAFF_BOARD_ID, Sandbox, seed_world
from tests.support.servers import Keywords

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "canary-token-4711"
BOARD_IDS = {"master": MASTER_BOARD_ID, "staff": STAFF_BOARD_ID}
PUSH = "sync_pg_to_monday.py"
STATUS = "sync_status.py"
COMMANDS = {
    "sync_monday_to_pg.py": sync_monday_to_pg.command,
    PUSH: sync_pg_to_monday.command,
    STATUS: sync_status.command,
    "test_sync.py": doctor,
}

_OURS = ("SYNC_", "MONDAY_", "PG", "DATABASE_URL", "NO_COLOR")


@dataclass(frozen=True, slots=True)
class Ended:
    """How one run of a command ended, and all that it said."""

    code: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        """The object of `--json`."""
        found: dict[str, Any] = json.loads(self.out)
        return found

    @property
    def outcome(self) -> int:
        """The exit code, and 0 where a run ended well that had an edit to tell of which lost, and nothing else."""
        if self.code != 5 or not self.out.startswith("{") or not self.report["settled"]:
            return self.code
        waits = any(self.report[kind] for kind in ("conflicts", "quarantined", "would_merge"))
        return 5 if waits or self.report["details"].get("fanned_out") else 0

    @property
    def writes(self) -> int:
        return sum(table[what] for table in self.report["tables"].values() for what in ("insert", "update", "delete"))


@dataclass(slots=True)
class Company:
    """Boards, database and folders; `run` runs the command in this process, `start` in one of its own."""

    sandbox: Sandbox
    database: Keywords
    folder: Path
    overrides: dict[str, str] = field(default_factory=dict)
    api_url: str = field(init=False)
    said: list[str] = field(default_factory=list)
    direct: Keywords | None = None
    """The way of people, who take none of the pooler's few connections; without it the program's."""

    def __post_init__(self) -> None:
        self.api_url = self.sandbox.api_url  # still named when nothing answers there any more

    @property
    def settings(self) -> dict[str, str]:
        """The settings of a run, as its environment."""
        return {
            "MONDAY_API_KEY": TOKEN,
            "MONDAY_API_URL": self.api_url,
            "MONDAY_BOARD_ID_DATA": str(MASTER_BOARD_ID),
            "MONDAY_BOARD_ID_USERS": str(STAFF_BOARD_ID),
            "MONDAY_API_VERSION": "",
            "DATABASE_URL": url_of(self.database),
            "SYNC_CACHE_DIR": str(self.folder / "cache"),
            "SYNC_LOG_DIR": str(self.folder / "logs"),
            "SYNC_STATE_DIR": str(self.folder / "state"),
            **self.overrides,
        }

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        return kept | self.settings

    def run(self, *arguments: str, program: str = "sync_monday_to_pg.py") -> Ended:
        """Run a command as its user would, without the cost of a new process. A bug comes out as its exception."""
        out, err, code = StringIO(), StringIO(), 0
        try:
            with mock.patch.dict(os.environ, self.environment, clear=True), redirect_stdout(out), redirect_stderr(err):
                COMMANDS[program].main(list(arguments))
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        finally:
            gc.enable()  # a run turns it off, since its process ends with it
        self.said += [out.getvalue(), err.getvalue()]
        return Ended(code, out.getvalue(), err.getvalue())

    def sync(self, *arguments: str) -> Ended:
        """`run --json`."""
        return self.run("--json", *arguments)

    def push(self, *arguments: str) -> Ended:
        """`run --json` of the other direction."""
        return self.run("--json", *arguments, program=PUSH)

    def window(self, *arguments: str) -> Ended:
        """A command of the operator's window."""
        return self.run(*arguments, program=STATUS)

    def landed(self, *arguments: str) -> dict[str, Any]:
        """The report of a run that has to end well, or with something open for a person."""
        ended = self.sync(*arguments)
        assert ended.code in (0, 5), ended.err
        return ended.report

    def start(self, *arguments: str, program: str = "sync_monday_to_pg.py") -> subprocess.Popen[str]:
        """The command in a process of its own."""
        return subprocess.Popen(
            [sys.executable, program, *arguments],
            cwd=ROOT, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def process(self, *arguments: str, program: str = "sync_monday_to_pg.py") -> Ended:
        """The same, to its end."""
        with self.start(*arguments, program=program) as process:
            out, err = process.communicate(timeout=60)
        return Ended(process.returncode, out, err)

    def told_secrets(self) -> list[str]:
        """Where the token or the password appears in anything that was printed or written; empty, one hopes."""
        secrets = (TOKEN, self.database["password"])
        written = {str(path): path.read_text(errors="replace") for path in self.folder.rglob("*") if path.is_file()}
        printed = {f"output {number}": text for number, text in enumerate(self.said)}
        return [place for place, text in (written | printed).items() if any(secret in text for secret in secrets)]

    # the database, behind the program's back

    @contextmanager
    def connected(self) -> Iterator[extensions.connection]:
        connection = psycopg2.connect(**(self.direct or self.database))  # type: ignore[call-overload]  # wants a DSN
        try:
            yield connection
        finally:
            connection.close()

    def sql(self, statement: str, *params: Any) -> list[tuple[Any, ...]]:
        """Run and commit a statement; its rows, if it has any."""
        with self.connected() as connection, connection, connection.cursor() as cursor:
            cursor.execute(statement, params or None)
            return cursor.fetchall() if cursor.description else []

    def value(self, statement: str, *params: Any) -> Any:
        return self.sql(statement, *params)[0][0]

    def project(self, item_id: int, column: str) -> Any:
        return self.value(f"SELECT {column} FROM projects WHERE monday_item_id = %s", item_id)

    def counts(self) -> dict[str, int]:
        return {table: self.value(f"SELECT count(*) FROM {table}") for table in TABLES}

    def contents(self, *, versions: bool = True, only: str = "public|monday_sync") -> dict[str, list[str]]:
        """Every row of every table; with `versions` the row version too, which any write moves."""
        tables = self.sql(
            "SELECT format('%%I.%%I', schemaname, tablename) FROM pg_tables WHERE schemaname ~ %s ORDER BY 1",
            f"^({only})$",
        )
        version = "t.xmin::text || ' ' || " if versions else ""
        return {
            table: [row for (row,) in self.sql(f"SELECT {version}t::text FROM {table} t ORDER BY 1")]
            for (table,) in tables
        }

    def forget_everything(self) -> None:
        """A database as on its first day."""
        self.sql("DROP SCHEMA IF EXISTS monday_sync CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public")


def url_of(keywords: Mapping[str, str]) -> str:
    """The keywords as DATABASE_URL."""
    user, password = (quote(keywords[name], safe="") for name in ("user", "password"))
    return f"postgresql://{user}:{password}@{keywords['host']}:{keywords['port']}/{keywords['dbname']}"


def small_world(items: int = 6, staff: int = 2) -> Sandbox:
    """Two boards of plain items, none of which needs a person: `Job 1`…, each with a customer, a house and a price."""
    sandbox = Sandbox(seed_world(items=0, staff=0, groups=2))
    for number in range(1, staff + 1):
        email = f"rep{number}@roofs.example"
        sandbox.create(
            STAFF_BOARD_ID,
            f"Rep {number} Green",
            {"text25": f"Rep {number}", "text1": "Green", "email__1": {"email": email, "text": email}},
        )
    for number in range(1, items + 1):
        sandbox.create(MASTER_BOARD_ID, f"Job {number}", job_cells(number))
    sandbox.advance(60)
    return sandbox


def job_cells(number: int) -> dict[str, Any]:
    email = f"owner{number}@mail.example"
    return {
        "text65__1": f"Owner {number}",
        "email4__1": {"email": email, "text": email},
        "dup__of_job_address0__1": f"{100 + number} Main St, Denver, CO 80202",
        "numbers0": str(1000 + number),
        "text40__1": f"Roof {number}",
        "text95__1": "Approved",
    }
