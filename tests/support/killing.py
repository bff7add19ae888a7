"""Runs that are killed or stopped where one chooses, all found from outside by a run that is left alone: the calls to
the system that touch its files or send to monday.com, the requests that wait for an answer, and every message to the
database.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from psycopg2 import extensions

from data_cache import list_caches, open_cache
from sandbox import Sandbox
from sandbox.state import load, save
from tests.support.company import BOARD_IDS, PUSH, ROOT, Company, Ended, small_world
from tests.support.servers import Keywords, LoopbackProxy

SOAK = "SOAK_EXAMPLES" in os.environ
"""Whether everything is tried, and not a sample where everything takes long."""


_ITS_OWN = """DO $$ BEGIN
    IF to_regclass('monday_sync.sync_place') IS NOT NULL THEN DELETE FROM monday_sync.sync_place; END IF;
END $$"""
"""Lets a copy of a database forget that its boards are the other one's: each company has boards of its own."""


class Companies:
    """Companies that are all alike: each with a copy of the boards, the database and the folders of a first one."""

    def __init__(
        self,
        admin: extensions.connection,
        server: Keywords,
        keywords: Keywords,
        folder: Path,
        prepare: Callable[[Company], object],
    ) -> None:
        self._admin, self._server, self._template, self._folder = admin, server, keywords["dbname"], folder
        self._world, self._first = folder / "world.json", folder / "first"
        self._numbers = itertools.count(1)
        self._first.mkdir()
        with small_world() as sandbox:
            prepare(Company(sandbox, keywords, self._first))
            save(sandbox.world, self._world)

    @contextmanager
    def another(self, *, marker: bool = False) -> Iterator[Company]:
        number = next(self._numbers)
        name, folder = f"{self._template}_{number}", self._folder / str(number)
        shutil.copytree(self._first, folder)
        with self._admin.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name} TEMPLATE {self._template} STRATEGY file_copy")
        try:
            with Sandbox(load(self._world)) as sandbox:
                company = Company(sandbox, {**self._server, "dbname": name}, folder)
                company.sql(_ITS_OWN)
                if marker:
                    assert company.run("--setup-marker", program=PUSH).code == 0
                sandbox.advance(60)
                sandbox.reset_counters()
                yield company
            assert company.told_secrets() == []
        finally:
            shutil.rmtree(folder)
            with self._admin.cursor() as cursor:
                cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


# Processes ------------------------------------------------------------------------------------------------------------


class Launcher:
    """Makes the runs (see `tests/support/launcher.py`)."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.launcher"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._numbers = itertools.count(1)

    def start(self, company: Company, *arguments: str, program: str, **machine: Any) -> Forked:
        out = company.folder / "out" / str(next(self._numbers))
        out.parent.mkdir(exist_ok=True)
        pid = self.order(
            "start",
            out=str(out), environment=company.environment, program=program, arguments=arguments, **machine,
        )  # fmt: skip
        return Forked(self, pid, out)

    def order(self, do: str, **order: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **order}) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def stop(self) -> None:
        self._process.communicate()


class Forked:
    """One run, as `subprocess.Popen` would show it."""

    def __init__(self, launcher: Launcher, pid: int, out: Path) -> None:
        self._launcher, self.pid, self._out = launcher, pid, out
        self._code: int | None = None

    def poll(self) -> int | None:
        return self._ended(wait=False)

    def ended(self) -> Ended:
        """Wait for its end."""
        code = self._ended(wait=True)
        assert code is not None
        said = (self._out.with_suffix(f".{stream}").read_text(encoding="utf-8") for stream in ("out", "err"))
        return Ended(code, *said)

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def stop(self) -> None:
        """Stop it (SIGSTOP) and wait until it stands still."""
        self.send_signal(signal.SIGSTOP)
        self.wait_stopped()

    def go_on(self) -> None:
        self.send_signal(signal.SIGCONT)

    def wait_stopped(self) -> None:
        wait_until(lambda: Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")

    def comes_to(self, reached: threading.Event) -> bool:
        """Wait until it is held up there; False when it ends instead."""
        for _ in range(300):
            if reached.wait(0.1):
                return True
            if self.poll() is not None:
                return reached.is_set()
        raise AssertionError("waited thirty seconds in vain")

    def kill_when(self, reached: threading.Event) -> Ended:
        if self.comes_to(reached):
            self.send_signal(signal.SIGKILL)
        return self.ended()

    @property
    def calls(self) -> list[str]:
        """The calls to the system that it made, as far as they are watched."""
        return self._out.with_suffix(".calls").read_text(encoding="utf-8").splitlines()

    def _ended(self, *, wait: bool) -> int | None:
        if self._code is None:
            self._code = self._launcher.order("ended", pid=self.pid, wait=wait)
        return self._code


def wait_until(is_there: Callable[[], object]) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + 30
    while not is_there():
        assert time.monotonic() < deadline, "waited thirty seconds in vain"
        time.sleep(0.005)


# What holds a run up --------------------------------------------------------------------------------------------------


class Held:
    """Stands for the sandbox's clock: the request of a rule with `delay_s` waits until it is let go."""

    def __init__(self) -> None:
        self.reached, self.free = threading.Event(), threading.Event()

    def sleep(self, seconds: float) -> None:
        if seconds:
            self.reached.set()
            self.free.wait(30)

    def again(self) -> None:
        """Let go of what waits, and be ready for another."""
        self.free.set()
        self.reached.clear()
        self.free = threading.Event()


class Line(LoopbackProxy):
    """Notes every message to the database, and holds the nth one up: before the server has it, or with `done` once the
    server has carried it out and before the answer goes back. Let `free`, it passes on; for a client that is dead by
    then it is lost.
    """

    def __init__(self, keywords: Mapping[str, str], stop_at: int = 0, *, done: bool = False) -> None:
        self._stop_at, self._done = stop_at, done
        self.asked: list[str] = []
        self.reached, self.free = threading.Event(), threading.Event()
        super().__init__(keywords)

    def __exit__(self, *exc: object) -> None:
        self.free.set()
        super().__exit__(*exc)

    def relay(self, client: socket.socket) -> None:
        muted = threading.Event()
        with client, socket.create_connection(self._target) as server:
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            back = threading.Thread(target=self._answers, args=(server, client, muted), daemon=True)
            back.start()
            with suppress(OSError), client.makefile("rb") as said:
                self._begin(said, server)
                while self._pass_on(said, client, server, muted):
                    pass
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)  # a client that is gone is gone for the server too, at once
            back.join(5)

    def _begin(self, said: BinaryIO, server: socket.socket) -> None:
        """What comes before the messages that name their type: TLS or not, and who it is."""
        asks = b"\x04\xd2\x16"
        while True:
            length = said.read(4)
            body = said.read(int.from_bytes(length, "big") - 4)
            server.sendall(length + body)
            if not body.startswith(asks):
                return

    def _pass_on(self, said: BinaryIO, client: socket.socket, server: socket.socket, muted: threading.Event) -> bool:
        head = said.read(5)
        if len(head) < 5:
            return False
        body = said.read(int.from_bytes(head[1:], "big") - 4)
        stops = head[:1] in _COUNTED and self._note(head[:1], body)
        if stops and self._done:
            muted.set()
        elif stops and not self._wait(client):
            return False
        server.sendall(head + body)
        return True

    def _note(self, kind: bytes, body: bytes) -> bool:
        self.asked.append(body.rstrip(b"\0").decode() if kind == b"Q" else _COUNTED[kind])
        return len(self.asked) == self._stop_at

    def _wait(self, client: socket.socket) -> bool:
        """Wait to be let go; whether the client still lives."""
        self.reached.set()
        self.free.wait(30)
        client.setblocking(False)
        try:
            return client.recv(1, socket.MSG_PEEK) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False
        finally:
            client.setblocking(True)

    def _answers(self, server: socket.socket, client: socket.socket, muted: threading.Event) -> None:
        with suppress(OSError):
            while answer := server.recv(1 << 16):
                if muted.is_set():
                    muted.clear()
                    if not self._wait(client):
                        return
                client.sendall(answer)
            client.shutdown(socket.SHUT_RDWR)


_COUNTED = {b"Q": "query", b"d": "COPY data", b"c": "COPY done"}


# Points ---------------------------------------------------------------------------------------------------------------


class Way(NamedTuple):
    """A command that has something to write."""

    program: str
    arguments: tuple[str, ...]

    def run(self, company: Company, *more: str) -> Ended:
        return company.run("--json", *more, *self.arguments, program=self.program)


class Point(NamedTuple):
    """Where a run is killed: the nth call, request (carried out or not), message to the database (arrived or not), or
    byte of a file."""

    kind: str
    nth: int
    arrived: bool = False

    def __str__(self) -> str:
        return f"{self.kind} {self.nth}{', arrived' if self.arrived else ''}"


class Killer:
    """Finds the points of a run, and kills runs at them."""

    def __init__(self, launcher: Launcher, held: Held) -> None:
        self._launcher, self._held = launcher, held
        self.kills = 0

    def points(self, company: Company, way: Way) -> list[Point]:
        """All of them, by a run that nothing happens to."""
        with Line(company.database) as line:
            run = self._start(replace_database(company, line.keywords), way, folder=str(company.folder))
            ended = run.ended()
        assert ended.outcome == 0, (ended.err, ended.out)
        requests = company.sandbox.requests()
        return [
            *(Point("call", nth) for nth in range(1, len(run.calls) + 1)),
            *(Point("request", nth, arrived) for nth in range(1, len(requests) + 1) for arrived in (False, True)),
            *(Point("message", nth) for nth in range(1, len(line.asked) + 1)),
            *(Point("message", nth, True) for nth, text in enumerate(line.asked, 1) if text.endswith("COMMIT")),
        ]

    def kill(self, company: Company, way: Way, point: Point, *, certain: bool = True) -> bool:
        """Kill a run there; False when it came to its end before, which only a run that is not `certain` may."""
        ended = {
            "call": self._at_call,
            "request": self._at_request,
            "message": self._at_message,
            "byte": self._at_byte,
        }[point.kind](company, way, point)
        died = ended.code in (-signal.SIGKILL, -signal.SIGXFSZ)
        assert died or not certain, (point, ended)
        self.kills += died
        return died

    def _start(self, company: Company, way: Way, **machine: Any) -> Forked:
        return self._launcher.start(company, "--json", *way.arguments, program=way.program, **machine)

    def _at_call(self, company: Company, way: Way, point: Point) -> Ended:
        return self._start(company, way, folder=str(company.folder), at_call=point.nth).ended()

    def _at_byte(self, company: Company, way: Way, point: Point) -> Ended:
        return self._start(company, way, bytes_written=point.nth).ended()

    def _at_request(self, company: Company, way: Way, point: Point) -> Ended:
        company.sandbox.fault("latency" if point.arrived else "timeout_before", nth=point.nth, delay_s=1)
        ended = self._start(company, way).kill_when(self._held.reached)
        self._held.again()
        company.sandbox.clear_faults()
        return ended

    def _at_message(self, company: Company, way: Way, point: Point) -> Ended:
        with Line(company.database, point.nth, done=point.arrived) as line:
            return self._start(replace_database(company, line.keywords), way).kill_when(line.reached)


def replace_database(company: Company, keywords: Keywords) -> Company:
    """The same company, its database reached another way."""
    return replace(company, database=keywords)


# What is left ---------------------------------------------------------------------------------------------------------

_TIMES = frozenset(("created_at", "updated_at", "archived_at", "at", "first_seen", "last_full_at", "run_id", "told_at"))
_TOLD = ("told_by", "open_told_by")
"""Which run told people of something: only whether one did is the same everywhere."""
_LEFT_OUT = ("monday_sync.sync_run", "monday_sync.sync_lease", "monday_sync.sync_calls")


def everything(company: Company) -> dict[str, list[str]]:
    """Both schemas whole, ids included, but for times and what tells of runs; the lease is free."""
    with company.connected() as connection, connection.cursor() as cursor:

        def rows(statement: str) -> list[Any]:
            cursor.execute(statement)
            return [row for (row,) in cursor.fetchall()]

        assert rows("SELECT holder FROM monday_sync.sync_lease") == [""]
        found = {table: rows(f"SELECT to_jsonb(t) FROM {table} t") for table in rows(_TABLES) if table not in _LEFT_OUT}
        layouts = {row["layout"]: row["board"] for row in found["monday_sync.sync_layout"]}
        return {
            table: sorted(json.dumps(_plain(table, row, layouts), sort_keys=True) for row in rows)
            for table, rows in found.items()
        } | {"constraints": rows(_CONSTRAINTS)}


_TABLES = """
SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('public', 'monday_sync')
"""
_CONSTRAINTS = """
SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace IN ('public'::regnamespace, 'monday_sync'::regnamespace) ORDER BY 1
"""


_OWN = {
    "monday_sync.sync_schema": {"instance"},
    "monday_sync.sync_change": {"id"},
    "monday_sync.sync_conflict": {"id"},
    "monday_sync.sync_place": {"claim", "database", "oid", "bound_at", "port"},
}
"""What no two databases have in common."""


def _plain(table: str, row: dict[str, Any], layouts: Mapping[int, str]) -> dict[str, Any]:
    passing = _TIMES | _OWN.get(table, set())
    kept = {name: value for name, value in row.items() if name not in passing}
    kept |= {name: row[name] is not None for name in _TOLD if name in row}
    if row.get("action") in ("archive", "restore"):  # the values are times
        kept |= {name: row[name] is not None for name in ("before", "after")}
    if "layout" in row:  # a number in the order of a moment
        kept["layout"] = layouts[row["layout"]]
    if table == "monday_sync.sync_item":
        kept["updated_at"] = row["updated_at"]  # monday's time, not the run's
    return kept


def sound_files(company: Company) -> None:
    """Every cache that shows itself is whole, and no run's unfinished file is left."""
    folder = company.folder / "cache"
    for cache in list_caches(folder):
        assert cache.problem is None, cache
        open_cache(cache.path, board_id=BOARD_IDS[cache.board])
    assert [path.name for path in folder.glob("*.part")] == []
