"""What `--demo` runs on: a sandbox that speaks monday.com's GraphQL and a database of its own, both under `.demo/`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Final

from postgres.embedded import LocalPostgres
from reconcile.errors import Unavailable
from settings import PROGRAM_DIR, DatabaseTarget, Settings, load_settings

FOLDER: Final = PROGRAM_DIR / ".demo"
ITEMS: Final = 2_000
STAFF: Final = 120
CACHE: Final = FOLDER / "cache"
NOWHERE: Final = "http://127.0.0.1:9/v2"

_BOARDS: Final = FOLDER / "monday.json"
POSTGRES: Final = FOLDER / "postgres"


def demo_postgres() -> LocalPostgres:
    """The demo's own server, which the first use makes."""
    return LocalPostgres(POSTGRES, bin_dir=load_settings(need_monday=False, need_database=False).pg_bin)


@contextmanager
def demo_settings(*, offline: bool = False) -> Iterator[Settings]:
    """Settings that lead to the sandbox and the database of the demo; both boards keep their state between runs.

    `offline` starts no sandbox: a replay from the cache never asks it.
    """
    FOLDER.mkdir(exist_ok=True)  # made-up data; the database's own account must be able to reach its part
    database = demo_postgres().start()
    with nullcontext(NOWHERE) if offline else demo_sandbox() as url:
        environment = {
            "MONDAY_API_KEY": "demo-token",
            "MONDAY_API_URL": url,
            "DATABASE_URL": "embedded",
            "SYNC_CACHE_DIR": str(CACHE),
            "SYNC_LOG_DIR": str(FOLDER / "logs"),
            "SYNC_STATE_DIR": str(FOLDER / "state"),
        }
        settings = load_settings(environment, root=FOLDER)
        yield replace(settings, database=DatabaseTarget(dict(database)))


@contextmanager
def demo_sandbox() -> Iterator[str]:
    """The URL of a sandbox in a process of its own, so that it takes its own core."""
    command = [sys.executable, "-m", "sandbox", "--items", str(ITEMS), "--staff", str(STAFF), "--state", str(_BOARDS)]
    with subprocess.Popen(  # noqa: S603  our own module with our own arguments
        command, cwd=PROGRAM_DIR, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            name, _, url = process.stdout.readline().strip().partition("=")
            if name != "url":
                raise Unavailable("The sandbox did not start: run `python -m sandbox` to see why.")
            yield url
        finally:
            process.terminate()
            process.wait(timeout=10)
