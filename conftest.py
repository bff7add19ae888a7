"""Fixtures shared by all tests: a real PostgreSQL, a real PgBouncer, and nothing beyond this machine."""

from __future__ import annotations

import shutil
import socket
import tempfile
import uuid
import zlib
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg2
import pytest
import tenacity
from psycopg2 import extensions, sql

from db_connector import Database
from postgres.embedded import LocalPostgres
from postgres.migrate import migrate
from tests.support.company import Company, small_world
from tests.support.killing import SOAK, Held, Killer, Launcher
from tests.support.servers import PGBOUNCER, IntrudedDatabase, Keywords, Pooler, intruding, no_sleep

_SERVERS = pytest.StashKey[Path]()
_POOLED = frozenset(
    [
        "test_sync",
        "test_adoption",
        "test_both_machine",
        "test_conflicts",
        "test_inbound_machine",
        "test_lost_creates",
        "test_place",
        "test_push",
        "test_push_bulk",
    ]
)
"""What speaks to the database in every way there is. All the others go through the pooler in a soak."""
_QUICK = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "max_connections": "150"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--pooled",
        action="store_true",
        help="Only end-to-end tests, their commands led through PgBouncer with an intruding client at work: those that"
        " use the database in every way there is, and in a soak all of them.",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of a test with many cases that is `sampled` keep some, unless in a soak. With --pooled, keep the tests of a
    company: they reach their database by `way`, as the user of the pooler."""
    if not SOAK:
        long = [item for item in items if item.get_closest_marker("soak")]
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in set(long)]
        _keep_samples(config, items)
    if config.getoption("--pooled"):
        kept = [i for i in items if "way" in getattr(i, "fixturenames", ()) and not i.get_closest_marker("own_role")]
        if not SOAK:
            kept = [item for item in kept if item.path.stem in _POOLED]
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept


def _keep_samples(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Every nth case, in an order that has nothing to do with what the cases are made of."""
    cases: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        if item.get_closest_marker("sampled") is not None:
            cases[item.nodeid.partition("[")[0]].append(item)
    left = set[pytest.Item]()
    for of_one in cases.values():
        marker = of_one[0].get_closest_marker("sampled")
        assert marker is not None
        of_one.sort(key=lambda item: zlib.crc32(item.nodeid.encode()))
        left.update(of_one[-(-len(of_one) // marker.args[0]) :])
    config.hook.pytest_deselected(items=list(left))
    items[:] = [item for item in items if item not in left]


def pytest_configure(config: pytest.Config) -> None:
    """Choose the folder of this test run's server: open enough for the account that replaces root."""
    folder = getattr(config, "workerinput", {}).get("servers")
    if folder is None:
        folder = tempfile.mkdtemp(prefix="monday-sync-tests-", dir=_quick_folder())
        Path(folder).chmod(0o711)
    config.stash[_SERVERS] = Path(folder)


def _quick_folder() -> Path | None:
    """Memory where there is plenty (a container may have 64 MB of it): a copy of a database costs 12 ms, not 250."""
    memory = Path("/dev/shm")  # noqa: S108  the kernel's own name for memory; the folder in it is made by mkdtemp
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > 2 << 30 else None


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist which folder: all workers share one server, whoever starts it."""
    node.workerinput["servers"] = str(node.config.stash[_SERVERS])


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        _server(config).stop()
        shutil.rmtree(config.stash[_SERVERS])


def _server(config: pytest.Config) -> LocalPostgres:
    return LocalPostgres(config.stash[_SERVERS] / "postgres", settings=_QUICK)


@pytest.fixture(scope="session")
def admin(request: pytest.FixtureRequest) -> Iterator[extensions.connection]:
    """A superuser's connection to the server, in autocommit: for what happens behind the program's back."""
    connection = psycopg2.connect(**_server(request.config).start())  # type: ignore[call-overload]  # the stubs want a DSN
    connection.autocommit = True
    yield connection
    connection.close()


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest, admin: extensions.connection) -> Keywords:
    """Keywords of the test run's server, where the databases `blank` and `migrated` wait to be copied."""
    keywords = _server(request.config).keywords()
    with admin.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(1)")
        cursor.execute("SELECT FROM pg_database WHERE datname = 'migrated'")
        if cursor.rowcount == 0:
            cursor.execute("CREATE DATABASE blank STRATEGY file_copy")
            cursor.execute("CREATE DATABASE half STRATEGY file_copy")
            with Database({**keywords, "dbname": "half"}) as half:
                half.transact(migrate, read_only=False, label="making the template")
            cursor.execute("ALTER DATABASE half RENAME TO migrated")
        cursor.execute("SELECT pg_advisory_unlock(1)")
    return keywords


@contextmanager
def _copy_of(template: str, admin: extensions.connection, server: Keywords) -> Iterator[Keywords]:
    name = f"test_{uuid.uuid4().hex}"
    with admin.cursor() as cursor:
        cursor.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        yield {**server, "dbname": name}
        cursor.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """All tries of both sides, without the seconds between them."""
    monkeypatch.setattr("monday.transport._backoff", tenacity.wait_none())
    monkeypatch.setattr("monday.transport._jitter", tenacity.wait_none())
    monkeypatch.setattr("run.context.Database", partial(Database, sleep=no_sleep))


@pytest.fixture
def blank(admin: extensions.connection, server: Keywords) -> Iterator[Keywords]:
    """Keywords of a new database with nothing in it."""
    with _copy_of("blank", admin, server) as keywords:
        yield keywords


@pytest.fixture
def keywords(admin: extensions.connection, server: Keywords) -> Iterator[Keywords]:
    """Keywords of a new database that has the nine tables and the sync's bookkeeping, all empty."""
    with _copy_of("migrated", admin, server) as keywords:
        yield keywords


@pytest.fixture
def database(keywords: Keywords) -> Iterator[Database]:
    """A new, migrated database, reached directly; retries do not wait."""
    with Database(keywords, sleep=no_sleep) as database:
        yield database


@pytest.fixture(scope="session")
def pooler(server: Keywords) -> Iterator[Pooler]:
    """A PgBouncer in transaction mode before the server."""
    if PGBOUNCER is None:
        pytest.skip("pgbouncer is not installed")
    pooler = Pooler(server)
    yield pooler
    pooler.stop()


@pytest.fixture(params=["direct", pytest.param("pooler", marks=pytest.mark.pooler)])
def any_database(request: pytest.FixtureRequest, keywords: Keywords) -> Iterator[Database]:
    """A new, migrated database, reached directly and, in a second run of the test, through the pooler."""
    if request.param == "direct":
        yield request.getfixturevalue("database")
        return
    pooler: Pooler = request.getfixturevalue("pooler")
    intruded = IntrudedDatabase(pooler.before(keywords))
    yield intruded
    intruded.leave()


@pytest.fixture
def way(request: pytest.FixtureRequest, blank: Keywords) -> Iterator[Keywords]:
    """Keywords of a new database, reached as the run of the tests says: directly, or with `--pooled` behind PgBouncer,
    where a stranger takes the connections between two transactions.
    """
    if not request.config.getoption("--pooled"):
        yield blank
        return
    pooler: Pooler = request.getfixturevalue("pooler")
    keywords = pooler.before(blank)
    with intruding(keywords):
        yield keywords


@pytest.fixture
def company(way: Keywords, blank: Keywords, tmp_path: Path) -> Iterator[Company]:
    """Two small boards and a database with nothing in it."""
    with small_world() as sandbox:
        company = Company(sandbox, way, tmp_path, direct=blank)
        yield company
        assert company.told_secrets() == []


@pytest.fixture
def synced(company: Company) -> Company:
    """The same after a first run that needs nobody."""
    first = company.sync()
    assert first.code == 0, first.err
    company.sandbox.reset_counters()
    return company


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    """Holds up the requests that a rule of the sandbox delays, until the test lets them go."""
    held = Held()
    monkeypatch.setattr("sandbox.service.time", SimpleNamespace(sleep=held.sleep))
    yield held
    held.free.set()


@pytest.fixture(scope="session")
def launcher() -> Iterator[Launcher]:
    launcher = Launcher()
    yield launcher
    launcher.stop()


@pytest.fixture
def killer(launcher: Launcher, held: Held) -> Killer:
    return Killer(launcher, held)


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a test that reaches for another machine, be it only to resolve a name."""
    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, _guarded(getattr(socket.socket, name)))
    resolve = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        _refuse_remote(host)
        return resolve(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def _guarded(connect: Any) -> Any:
    def guarded(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _refuse_remote(address[0])
        return connect(self, address)

    return guarded


def _refuse_remote(host: Any) -> None:
    host = host.decode() if isinstance(host, bytes) else host
    if host not in (None, "", "localhost", "::1") and not host.startswith("127."):
        pytest.fail(f"the test reached for {host}: only this machine is allowed")
