"""What is measured against: a sandbox in a process of its own and a PostgreSQL on disk, in a temporary folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import extensions, sql

from bench.measure import PROJECT, Sample, cpu_s, ended_children_cpu_s, last_json, run
from monday.queries import LARGEST_PAGE, board_queries, oldest_first
from monday_api import BOARDS
from postgres.embedded import LocalPostgres
from reconcile.errors import Exit
from reconcile.tables import TABLES
from sandbox.control import Remote

STAFF = 500
GROUPS = 10
_OURS = ("MONDAY_", "SYNC_", "PG", "DATABASE_URL", "COVERAGE_")
_ENDED = (Exit.DONE, Exit.PERSON_NEEDED)  # the seeded boards hold cells that a person has to look at
_BACKEND_ENDS_S = 0.15
_HEADERS = {"API-Version": "2026-10"}
_EDITED_CELL = "text40__1"  # projects.description


@dataclass(slots=True)
class Rig:
    """One size of board, ready to be read, and a server for any number of databases."""

    items: int
    folder: Path
    keywords: dict[str, str]
    postgres_pid: int
    sandbox_pid: int
    api_url: str
    master_board_id: int
    staff_board_id: int
    database: str = "postgres"
    remote: Remote = field(init=False)

    def __post_init__(self) -> None:
        self.remote = Remote(self.api_url.removesuffix("/v2"))

    @property
    def all_items(self) -> int:
        return self.items + STAFF

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    def fresh_database(self) -> None:
        """An empty database for what runs from here on; the one before is dropped."""
        before, self.database = self.database, f"bench_{time.monotonic_ns()}"
        with self._admin("postgres") as admin, admin.cursor() as cursor:
            cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(self.database)))
            if before != "postgres":
                cursor.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(before)))
            cursor.execute("CHECKPOINT")  # else the first to write much pays for those before it

    def analyze(self) -> None:
        """What autovacuum does soon after a load: no figure may depend on whether it was there yet."""
        with self._admin(self.database) as admin, admin.cursor() as cursor:
            cursor.execute("ANALYZE")

    def latency(self, fixed_ms: float = 0.0, per_item_ms: float = 0.0) -> None:
        self.remote("set_latency", fixed_ms=fixed_ms, per_item_ms=per_item_ms)

    def sync(self, *options: str, port: int | None = None) -> Sample:
        """`sync_monday_to_pg.py --json` with these options; `port` leads it to PostgreSQL another way."""
        return self._command("sync_monday_to_pg.py", options, port)

    def push(self, *options: str, port: int | None = None) -> Sample:
        """`sync_pg_to_monday.py --json`, the other way round."""
        return self._command("sync_pg_to_monday.py", options, port)

    def _command(self, program: str, options: Sequence[str], port: int | None) -> Sample:
        rows = self._rows_written()
        sample, out = self._observed([sys.executable, program, "--json", *options], self.environment(port), _ENDED)
        summary = last_json(out)
        sample.rows_written = self._rows_written() - rows
        sample.stages = summary["stages"]
        sample.items_written = sum(summary.get("items", {}).get(how, 0) for how in ("update", "create", "archive"))
        return sample

    def light(self) -> Sample:
        """The yardstick, into the same database as the sync."""
        plan = self.folder / "light.json"
        plan.write_text(json.dumps(self._plan()), encoding="utf-8")
        return self._observed([sys.executable, "-m", "bench.yardstick", str(plan)], self.environment())[0]

    def fetch(self) -> Sample:
        """The sync's reader alone."""
        boards = (str(self.master_board_id), str(self.staff_board_id))
        return self._observed([sys.executable, "-m", "bench.fetch", self.api_url, *boards], self.environment())[0]

    def set_up_marker(self) -> None:
        run([sys.executable, "sync_pg_to_monday.py", "--setup-marker"], self.environment())

    def one_by_one(self, item_ids: Sequence[int], mark: str) -> Sample:
        """The push's yardstick: `edit_rows` of these items, written by one mutation a request."""
        plan = self.folder / "one_by_one.json"
        changes = [[item_id, {_EDITED_CELL: _edited(item_id, mark)}] for item_id in item_ids]
        told = {"url": self.api_url, "headers": _HEADERS, "board": self.master_board_id, "changes": changes}
        plan.write_text(json.dumps(told), encoding="utf-8")
        return self._observed([sys.executable, "-m", "bench.one_by_one", str(plan)], self.environment())[0]

    def help(self) -> Sample:
        return run([sys.executable, "sync_monday_to_pg.py", "--help"], self.environment())[0]

    def an_hour_later(self) -> None:
        """Somebody edits an item, which lets what was edited until now lie so far back that no sync looks there."""
        self.remote("advance", seconds=3600)
        self.edit(1, "an hour later")

    def edit(self, count: int, mark: str) -> None:
        """A person changes one text on each of the first `count` projects."""
        self.edit_items(self.remote("item_ids", board_id=self.master_board_id)[:count], mark)

    def edit_items(self, item_ids: Sequence[int], mark: str) -> None:
        for item_id in item_ids:
            self.remote("edit", item_id=item_id, cells={_EDITED_CELL: f"changed {mark}"})

    def board_length(self) -> int:
        return len(self.remote("item_ids", board_id=self.master_board_id))

    def projects(self) -> list[int]:
        """Ids of the items that were synced whole: what monday shows as no value cannot be edited from here."""
        with self._admin(self.database) as admin, admin.cursor() as cursor:
            cursor.execute(
                "SELECT monday_item_id FROM projects WHERE archived_at IS NULL AND monday_item_id IS NOT NULL"
                " AND monday_item_id NOT IN (SELECT item_id FROM monday_sync.sync_dead) ORDER BY 1"
            )
            return [item_id for (item_id,) in cursor.fetchall()]

    def edit_rows(self, item_ids: Sequence[int], mark: str) -> None:
        """A person changes the description of these items' projects in PostgreSQL."""
        with self._admin(self.database) as admin, admin.cursor() as cursor:
            cursor.execute(
                "UPDATE projects SET description = w.text FROM unnest(%s::bigint[], %s::text[]) AS w (item_id, text)"
                " WHERE monday_item_id = w.item_id",
                (list(item_ids), [_edited(item_id, mark) for item_id in item_ids]),
            )
            if cursor.rowcount != len(item_ids):
                raise RuntimeError(f"{cursor.rowcount} rows for {len(item_ids)} items")

    def add_projects(self, count: int, mark: str) -> None:
        """A person adds so many projects in PostgreSQL, none of which is on the board."""
        with self._admin(self.database) as admin, admin.cursor() as cursor:
            cursor.execute(
                "INSERT INTO projects (item_name, name, description, current_stage, estimated_value, claim_number,"
                " adjuster_phone, adjuster_email) SELECT format('New %%s %%s', %s, n), format('Job %%s', n),"
                " 'added in PostgreSQL', 'New Lead', 1000 + n, format('CL-%%s-%%s', %s, n), '(202) 555-0172',"
                " format('adjuster%%s@example.com', n) FROM generate_series(1, %s) AS n",
                (mark, mark, count),
            )

    def environment(self, port: int | None = None) -> dict[str, str]:
        keywords = {**self.keywords, "dbname": self.database, "port": str(port or self.keywords["port"])}
        address = "postgresql://{user}:{password}@{host}:{port}/{dbname}?sslmode={sslmode}".format(**keywords)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        return kept | {
            "MONDAY_API_KEY": "bench",
            "MONDAY_API_URL": self.api_url,
            "MONDAY_BOARD_ID_DATA": str(self.master_board_id),
            "MONDAY_BOARD_ID_USERS": str(self.staff_board_id),
            "DATABASE_URL": address,
            "SYNC_CACHE_DIR": str(self.cache),
            "SYNC_LOG_DIR": str(self.folder / "logs" / self.database),
            "SYNC_STATE_DIR": str(self.folder / "state" / self.database),
        }

    def _observed(
        self, command: list[str], env: Mapping[str, str], allowed: tuple[int, ...] = (0,)
    ) -> tuple[Sample, str]:
        """Run it and add what the servers did meanwhile."""
        before = self.remote("counters")
        sandbox, postgres = cpu_s(self.sandbox_pid), ended_children_cpu_s(self.postgres_pid)
        sample, out = run(command, env, allowed=allowed)
        sandbox_cpu_s = cpu_s(self.sandbox_pid) - sandbox
        time.sleep(_BACKEND_ENDS_S)
        after = self.remote("counters")
        found = replace(
            sample,
            requests=after["requests"] - before["requests"],
            mutations=after["mutations"] - before["mutations"],
            sandbox_cpu_s=sandbox_cpu_s,
            postgres_cpu_s=ended_children_cpu_s(self.postgres_pid) - postgres,
        )
        return found, out

    def _rows_written(self) -> int:
        """Rows inserted, updated and deleted in the nine tables since the database was made."""
        with self._admin(self.database) as admin, admin.cursor() as cursor:
            cursor.execute(
                "SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint FROM pg_stat_user_tables"
                " WHERE relname = ANY(%s) AND schemaname <> 'monday_sync'",
                (list(TABLES),),
            )
            row = cursor.fetchone()
            assert row is not None
            return int(row[0])

    @contextmanager
    def _admin(self, database: str) -> Iterator[extensions.connection]:
        connection = psycopg2.connect(**{**self.keywords, "dbname": database})  # type: ignore[call-overload]  # the stubs want a DSN
        connection.autocommit = True
        try:
            yield connection
        finally:
            connection.close()

    def _plan(self) -> dict[str, Any]:
        ids = {"master": self.master_board_id, "staff": self.staff_board_id}
        boards = [board_queries(name, ids[name], columns) for name, columns in BOARDS.items()]
        return {
            "url": self.api_url,
            "dsn": self.environment()["DATABASE_URL"],
            "headers": _HEADERS,
            "boards": [
                {
                    "first": board.first_page.text,
                    "first_variables": board.first_variables(LARGEST_PAGE, oldest_first()),
                    "next": board.next_page.text,
                    "next_variables": board.next_variables(LARGEST_PAGE, ""),
                }
                for board in boards
            ],
        }


@contextmanager
def rig(items: int) -> Iterator[Rig]:
    """A warm rig: each item has been asked for by both readers once, so that rendering it is not measured."""
    with tempfile.TemporaryDirectory(prefix="monday-sync-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # the server runs under another account when this is root's
        server = LocalPostgres(folder / "postgres")
        keywords = server.start()
        try:
            pid = int((folder / "postgres/data/postmaster.pid").read_text(encoding="utf-8").split()[0])
            with _sandbox(items) as (sandbox_pid, facts):
                boards = (int(facts["master_board_id"]), int(facts["staff_board_id"]))
                made = Rig(items, folder, dict(keywords), pid, sandbox_pid, facts["url"], *boards)
                made.fresh_database()
                made.light()
                made.sync("--full")
                yield made
        finally:
            server.stop()


@contextmanager
def _sandbox(items: int) -> Iterator[tuple[int, dict[str, str]]]:
    """Its process id and what it says about itself."""
    command = [sys.executable, "-m", "sandbox", f"--items={items}", f"--staff={STAFF}", f"--groups={GROUPS}"]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            lines = [process.stdout.readline().strip().partition("=") for _ in range(3)]
            yield process.pid, {name: value for name, _, value in lines}
        finally:
            process.terminate()
            process.wait(timeout=30)


def _edited(item_id: int, mark: str) -> str:
    return f"changed {mark} {item_id}"


def postgres_version(rig: Rig) -> str:
    with rig._admin("postgres") as admin:
        return f"{admin.server_version // 10000}.{admin.server_version % 10000}"
