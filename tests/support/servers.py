"""The real servers that tests talk to: PgBouncer, clients that get in the way, a line that breaks at COMMIT."""

from __future__ import annotations

import os
import pwd
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

import psycopg2

from db_connector import Database, Transaction

T = TypeVar("T")
Keywords = dict[str, str]

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def no_sleep(_seconds: float) -> None:
    """Retry at once."""


class Pooler:
    """PgBouncer in transaction mode, two connections for each database of the given server."""

    def __init__(self, server: Mapping[str, str]) -> None:
        assert PGBOUNCER is not None
        self._folder = Path(tempfile.mkdtemp(prefix="pooler-"))
        self._port = free_port()
        self._write_settings(server)
        account = self._give_away() if os.geteuid() == 0 else {}
        self._process = subprocess.Popen([PGBOUNCER, "-q", str(self._folder / "pooler.ini")], cwd="/", **account)
        self._wait()

    def before(self, keywords: Mapping[str, str]) -> Keywords:
        """The same database, reached through the pooler."""
        return {**keywords, "port": str(self._port)}

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(10)
        shutil.rmtree(self._folder)

    def _write_settings(self, server: Mapping[str, str]) -> None:
        (self._folder / "users.txt").write_text(f'"{server["user"]}" "{server["password"]}"\n')
        (self._folder / "pooler.ini").write_text(
            f"[databases]\n* = host={server['host']} port={server['port']}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {self._port}\nunix_socket_dir =\n"
            f"auth_type = scram-sha-256\nauth_file = {self._folder}/users.txt\n"
            "pool_mode = transaction\ndefault_pool_size = 2\nmax_client_conn = 200\n"
            "server_tls_sslmode = disable\nignore_startup_parameters = extra_float_digits\n"
            f"logfile = {self._folder}/log\n"
        )

    def _give_away(self) -> dict[str, Any]:
        """PgBouncer refuses to run as root."""
        account = pwd.getpwnam("nobody")
        for path in (self._folder, *self._folder.iterdir()):
            os.chown(path, account.pw_uid, account.pw_gid)
        return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}

    def _wait(self) -> None:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self._port), 1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise RuntimeError("PgBouncer did not start")


class Intruder:
    """Another client of the pooler that takes the connection we just left, looks for traces, and makes us hop."""

    TRACES = """
        SELECT current_setting('default_transaction_read_only'), current_setting('lock_timeout'),
            current_setting('statement_timeout'), current_setting('transaction_isolation'),
            (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),
            (SELECT count(*) FROM pg_class WHERE relpersistence = 't' AND pg_table_is_visible(oid)),
            (SELECT count(*) FROM pg_prepared_statements), (SELECT count(*) FROM pg_cursors WHERE is_holdable),
            (SELECT current_setting('search_path') = reset_val FROM pg_settings WHERE name = 'search_path')
    """
    CLEAN = ("off", "0", "0", "read committed", 0, 0, 0, 0, True)

    def __init__(self, keywords: Mapping[str, str]) -> None:
        self._clients = [psycopg2.connect(**keywords) for _ in range(2)]  # type: ignore[call-overload]  # the stubs want a DSN

    def step(self) -> None:
        """Hold both pooled connections at once and give ours back first: the pool hands out the last one returned."""
        for client in self._clients:
            with client.cursor() as cursor:
                cursor.execute(self.TRACES)
                assert cursor.fetchone() == self.CLEAN, "something of ours stayed on a pooled connection"
        for client in self._clients:
            client.rollback()

    def close(self) -> None:
        for client in self._clients:
            client.close()


@contextmanager
def intruding(keywords: Mapping[str, str]) -> Iterator[None]:
    """The intruder at work all the while, in a thread of its own. Raises what it found at the end."""
    intruder, done = Intruder(keywords), threading.Event()
    found: list[BaseException] = []

    def work() -> None:
        try:
            while not done.wait(0.005):
                intruder.step()
        except BaseException as error:  # noqa: BLE001  it is raised where the test ends
            found.append(error)

    thread = threading.Thread(target=work, name="intruder")
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        intruder.close()
    for error in found:
        raise error


class IntrudedDatabase(Database):
    """A Database behind the pooler with the intruder at work after every transaction."""

    def __init__(self, keywords: Mapping[str, str]) -> None:
        super().__init__(keywords, sleep=no_sleep)
        self._intruder = Intruder(keywords)

    def transact(self, work: Callable[[Transaction], T], *, read_only: bool, label: str) -> T:
        result = super().transact(work, read_only=read_only, label=label)
        self._intruder.step()
        return result

    def leave(self) -> None:
        self._intruder.close()
        self.close()


class LoopbackProxy:
    """Stands between a client and the database; `keywords` lead to it. A subclass says what it does with a line."""

    def __init__(self, keywords: Mapping[str, str]) -> None:
        self._target = (keywords["host"], int(keywords["port"]))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.keywords = {**keywords, "port": str(self._listener.getsockname()[1])}
        self._threads: list[threading.Thread] = []
        self._serve(self._accept)

    def relay(self, client: socket.socket) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)

    def _serve(self, work: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._serve(self.relay, client)


class BreakingLine(LoopbackProxy):
    """Cuts the line once, at COMMIT: before the server gets it or before we get its answer."""

    def __init__(self, keywords: Mapping[str, str], cut: Literal["request", "answer"]) -> None:
        self._cut: Literal["request", "answer", "nothing"] = cut
        super().__init__(keywords)

    def relay(self, client: socket.socket) -> None:
        """Query and answer take turns in the simple protocol, so one thread can carry both."""
        with client, socket.create_connection(self._target) as server:
            while self._pass_on(client, server):
                pass

    def _pass_on(self, client: socket.socket, server: socket.socket) -> bool:
        ready, _, _ = select.select([client, server], [], [])
        source, sink = (client, server) if client in ready else (server, client)
        message = source.recv(1 << 16)
        if not message:
            return False
        commit = source is client and b"COMMIT" in message
        if commit and self._cut == "request":
            self._cut = "nothing"
            return False
        sink.sendall(message)
        if commit and self._cut == "answer":
            self._cut = "nothing"
            server.recv(1 << 16)
            return False
        return True
