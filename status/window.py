"""What every command of the window works with: settings, a database that is only read, and how a command ends."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final, NoReturn, TypeVar

import click

from db_connector import Database, open_database
from monday_api import MondayClient
from postgres import migrate
from postgres.transaction import Transaction
from postgres.window_grants import missing_grants
from reconcile.errors import ConfigError, Exit, SyncError
from settings import PROGRAM_DIR, DatabaseTarget, Settings, load_settings
from terminal.say import say_error, say_json

T = TypeVar("T")

PROGRAM: Final = "sync_status.py"


@dataclass(frozen=True, slots=True)
class Words:
    """How a person types what the window names."""

    demo: bool = False

    def run(self, program: str, options: str = "") -> str:
        """A command: `python sync_pg_to_monday.py --test`."""
        return " ".join(filter(None, ("python", program, options, "--demo" if self.demo else "")))

    def window(self, words: str) -> str:
        """A command of the window."""
        return self.run(PROGRAM, words)


@dataclass(frozen=True, slots=True)
class Window:
    """What one command looks through."""

    settings: Settings
    database: Database
    demo: bool = False

    @property
    def board_ids(self) -> dict[str, int]:
        """Board → its id, of all boards."""
        return {"master": self.settings.board_id_data, "staff": self.settings.board_id_users}

    def read(self, work: Callable[[Transaction], T], label: str, *, since: int = 0) -> T:
        """Run `work` in one transaction that can write nothing. `since` is the version of the schema that it needs.

        Raises ConfigError for a database that was never synced, or that no run has brought to that version, and for a
        role that may not read everything.
        """

        def guarded(tx: Transaction) -> T:
            refuse_blind(tx)
            refuse_older(tx, since)
            return work(tx)

        return self.database.transact(guarded, read_only=True, label=label)

    @contextmanager
    def client(self) -> Iterator[MondayClient]:
        """A connection to monday.com that can write nothing."""
        with MondayClient(
            self.settings.monday_api_key or "",
            self.board_ids,
            url=self.settings.monday_api_url,
            version=self.settings.monday_api_version,
            read_only=True,
        ) as client:
            yield client

    def command(self, words: str) -> str:
        """A command of the window as a person types it."""
        return self.words.window(words)

    @property
    def words(self) -> Words:
        return Words(self.demo)


def refuse_blind(tx: Transaction) -> None:
    """Raises ConfigError, with the statements that are missing, for a role that may not read everything."""
    if lacking := missing_grants(tx):
        raise ConfigError(f"This role may not read everything: as the owner, run: {' '.join(lacking)}")


def refuse_older(tx: Transaction, since: int = 0) -> None:
    """Raises ConfigError where there is nothing to look at yet."""
    installed = migrate.state(tx)
    if installed is None or not installed.version:
        raise ConfigError(
            "This database was never synced: run python sync_monday_to_pg.py --test, then without --test."
        )
    if installed.version < since:
        raise ConfigError(
            "This database was last synced by an older version, which did not write that down: the next real run of "
            "either command brings it up to date."
        )


@contextmanager
def opened(*, demo: bool = False, monday: bool = False) -> Iterator[Window]:
    """The window; with `monday` the settings for it too. Raises ConfigError for settings that are missing or wrong."""
    with ExitStack() as stack:
        if demo:
            from run.demo import demo_settings

            settings = stack.enter_context(demo_settings(offline=not monday))
        else:
            settings = load_settings(need_monday=monday)
        target = settings.database
        keywords = target.keywords if isinstance(target, DatabaseTarget) else None
        database = open_database(keywords, home=PROGRAM_DIR / ".postgres", bin_dir=settings.pg_bin)
        stack.callback(database.close)
        yield Window(settings, database, demo)


def ending(work: Callable[..., Exit]) -> Callable[..., NoReturn]:
    """Make of the body of a command one that leaves the process with its exit code; what fails is one sentence on
    stderr, and with `--json` one object."""

    @wraps(work)
    def ended(*arguments: Any, as_json: bool = False, **given: Any) -> NoReturn:
        try:
            code = work(*arguments, as_json=as_json, **given)
        except SyncError as error:
            code = error.exit_code
            if as_json:
                say_json({"version": 1, "exit_code": int(code), "reason": str(error)})
            say_error(error)
        except KeyboardInterrupt:
            code = Exit.INTERRUPTED
        sys.exit(int(code))

    return ended


def common_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that every command has; its function takes `as_json` and `demo`."""
    command = click.option("--demo", is_flag=True, help="Look at the made-up boards and database of --demo.")(command)
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout and nothing else.")(
        command
    )
