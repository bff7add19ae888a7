"""What the random histories of both machines have in common: people who change the boards themselves, the weather,
and a company that is made and taken away for each history.
"""

from __future__ import annotations

import os
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
import psycopg2
import pytest
import tenacity
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from psycopg2 import extensions

from sandbox import Sandbox, seed_world
from tests.support.company import BOARD_IDS, Company
from tests.support.oracle import BAD, LOUD, TABLES
from tests.support.servers import Keywords

SOAK = int(os.environ.get("SOAK_EXAMPLES", "0"))
"""So many histories, and longer ones, instead of the few that every test run has time for."""

EMAILS = ["ann@mail.example", "ANN@mail.example", "bob@mail.example", "cem@mail.example"]
STAFF_EMAILS = ["rep1@roofs.example", "rep2@roofs.example", "rep3@roofs.example"]
ANYBODYS = {*STAFF_EMAILS, "none@none.example", "no address"}
"""What says nothing of whose cell it stands in, as an e-mail of a customer."""
NAMES = ["Ann Lee", "Bob Roe", "Cem Kaya"]
PHONES = ["2025550101", "2025550102", "2025550103", "(202) 555-0101", "+442079460958"]
ODD_PHONES = ["1-800-PLUMBER", "1-800-PLASTER", "2025550101 x7", "1 (800) 758-6237"]
"""What stands in cells and rows, and mostly cannot be written by the API."""
TEAMS = ["Retail", "Commercial"]
NOTES = ["call first", "gate code 7"]
LABELS = {"master": "job_division___1__1", "staff": "status_13"}
"""The columns of the teams."""

Pools = Mapping[str, Mapping[str, tuple[str, list[str]]]]
"""Board → column id → what kind of value it takes, and which."""

STAFF_POOL = {
    "text25": ("text", ["Ann", "Bob", "Rep"]),
    "text1": ("text", ["Lee", "Roe", "Green"]),
    "email__1": ("email", STAFF_EMAILS),
    "email7": ("email", STAFF_EMAILS),
    "phone": ("phone", PHONES),
    "text6": ("text", ["M", "XL"]),
    "status_13": ("status", TEAMS),
}

boards = st.sampled_from(["master", "master", "master", "staff"])
picks = st.integers(0, 1_000)

_TYPES = {"text": "text", "money": "numbers", "email": "email", "phone": "phone", "link": "link", "date": "date"}


def cell(kind: str, value: str | None) -> Any:
    """A value in the form in which a board takes it."""
    if value is None or kind in ("text", "money"):
        return "1" + "0" * 20 if kind == "money" and value == BAD else value
    forms: dict[str, Any] = {
        "email": {"email": value, "text": value},
        "phone": {"phone": value, "countryShortName": "GB" if value.startswith("+44") else "US"},
        "link": {"url": value, "text": ""},
        "status": {"label": value},
        "date": {"date": value},
    }
    return forms[kind]


class History(RuleBasedStateMachine):
    """Two boards, a database, and people who rename, remove and retype columns while the commands are at work.

    A machine says what its people type (`pools`), and tells its ledger of what happens to a whole column.
    """

    admin: extensions.connection
    server: Keywords
    folder: Path
    pools: Pools
    tally: Counter[str]
    started: float

    def __init__(self) -> None:
        super().__init__()
        self.name = f"history_{uuid.uuid4().hex}"
        with self.admin.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {self.name} TEMPLATE migrated STRATEGY file_copy")
        keywords = {**self.server, "dbname": self.name}
        self.connection = psycopg2.connect(**keywords)  # type: ignore[call-overload]  # the stubs want a DSN
        self.connection.autocommit = True
        self.sandbox = Sandbox(seed_world(items=0, staff=0, groups=2)).start()
        self.company = Company(self.sandbox, keywords, self.folder / self.name)
        self.company.folder.mkdir()
        self.labels = {board: {team: team for team in TEAMS} for board in BOARD_IDS}
        self.spoiled: dict[str, tuple[str, str]] = {}
        """Column id → its board, and what became of it."""

    def own_rules(self, *, loud: bool) -> None:
        """Some databases have a trigger that changes what is written."""
        if loud:
            with self.connection.cursor() as cursor:
                cursor.execute(LOUD)

    def end(self) -> None:
        self.count("histories")
        if SOAK and self.tally["histories"] % 10 == 0:
            figures = ", ".join(f"{number} {what}" for what, number in self.tally.items())
            click.echo(f"{type(self).__module__}: {figures}, {time.monotonic() - self.started:.0f} s")
        self.sandbox.stop()
        self.connection.close()
        with self.admin.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {self.name} WITH (FORCE)")

    def count(self, what: str) -> None:
        self.tally[what] += 1

    @invariant()
    def _count_steps(self) -> None:
        self.count("steps")

    # What a machine has to say

    def column_changed(self, board: str, column: str, do: Callable[[], object]) -> None:
        """Do something that changes the cells of a column for all items at once; none of them is edited by that."""
        raise NotImplementedError

    def columns_seen(self, board: str) -> None:
        """The settings of a column moved, or it came or went."""

    # People who change the boards themselves

    @rule(board=boards, pick=picks, title=st.sampled_from(["A new title", "Another title"]))
    def retitle_column(self, board: str, pick: int, title: str) -> None:
        if column := self.pick(self.columns(board), pick):
            self.sandbox.retitle_column(BOARD_IDS[board], column, title)
            self._moved(board)

    @rule(board=st.sampled_from(sorted(LABELS)), team=st.sampled_from(TEAMS), name=st.sampled_from([*TEAMS, "Night"]))
    def rename_label(self, board: str, team: str, name: str) -> None:
        """Every cell shows it, and no item's time of change moves."""
        labels, column = self.labels[board], LABELS[board]
        if column not in self.spoiled and name not in labels.values():
            was, labels[team] = labels[team], name
            rename = self.sandbox.rename_label
            self.column_changed(board, column, lambda: rename(BOARD_IDS[board], column, was, name))
            self._moved(board)

    @precondition(lambda self: len(self.spoiled) < 2)
    @rule(board=boards, pick=picks, how=st.sampled_from(["removed", "archived", "retyped"]))
    def spoil_column(self, board: str, pick: int, how: str) -> None:
        """It goes or becomes another. A run that knows nothing of it is refused; all later ones leave it alone."""
        column = self.pick(self.columns(board), pick)
        if column is None or (how == "retyped" and self.pools[board][column][0] not in _TYPES):
            return
        place = BOARD_IDS[board], column
        if how == "retyped":
            kind = self.pools[board][column][0]
            self.column_changed(board, column, lambda: self.sandbox.retype_column(*place, _other_type(kind)))
        elif how == "removed":
            self.sandbox.remove_column(*place)
        else:
            self.sandbox.archive_column(*place)
        known = self.skips()
        self.spoiled[column] = board, how
        self._moved(board)
        if self.rows("SELECT FROM monday_sync.sync_batch"):
            return  # which the run would settle first
        before = self.row_versions()
        ended = self.company.sync(*known)
        assert ended.code == 3, (ended.code, ended.err)
        assert f"--skip-column {column}" in ended.err
        assert self.row_versions() == before

    @precondition(lambda self: bool(self.spoiled))
    @rule(pick=picks)
    def mend_column(self, pick: int) -> None:
        """What was removed comes back with its cells; what was retyped has lost what the other type cannot say."""
        column = self.pick(sorted(self.spoiled), pick)
        board, how = self.spoiled.pop(column)
        place = BOARD_IDS[board], column
        if how == "retyped":
            kind = self.pools[board][column][0]
            self.column_changed(board, column, lambda: self.sandbox.retype_column(*place, _TYPES[kind]))
        else:
            self.sandbox.restore_column(*place)
        self._moved(board)

    @rule(board=boards, seed=picks)
    def shuffle(self, board: str, seed: int) -> None:
        self.sandbox.shuffle(BOARD_IDS[board], seed)

    def _moved(self, board: str) -> None:
        self.columns_seen(board)
        self.count("columns changed")

    # What the commands need to know of that

    def skips(self) -> list[str]:
        return [part for column in sorted(self.spoiled) for part in ("--skip-column", column)]

    def columns(self, board: str) -> list[str]:
        """Those that people can type in."""
        return sorted(self.pools[board].keys() - self.spoiled.keys())

    def cells(self, board: str, values: Mapping[str, str | None]) -> dict[str, Any]:
        """What people type, in the forms of the board and with today's labels."""
        return {name: cell(self.pools[board][name][0], value) for name, value in self.called(board, values).items()}

    def called(self, board: str, values: Mapping[str, str | None]) -> dict[str, str | None]:
        """The same values, a team by the name that its label has now; without columns that nobody can type in."""
        labels, column = self.labels[board], LABELS[board]
        return {
            name: labels.get(value, value) if name == column and value is not None else value
            for name, value in values.items()
            if name not in self.spoiled
        }

    # Small things

    def row_versions(self) -> list[tuple[Any, ...]]:
        """Of the nine tables: any write moves one."""
        one = "SELECT '{0}', id::text, xmin::text, ctid::text FROM {0}"
        return sorted(self.rows(" UNION ALL ".join(one.format(table) for table in TABLES)))

    def terminate_others(self) -> None:
        self.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid()"
        )

    @staticmethod
    def pick(choices: list[Any], pick: int) -> Any:
        return choices[pick % len(choices)] if choices else None

    def sql(self, statement: str, *params: Any) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute(statement, params or None)

    def rows(self, statement: str, *params: Any) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(statement, params or None)
            found: list[tuple[Any, ...]] = cursor.fetchall()
            return found


def _other_type(kind: str) -> str:
    return "long_text" if kind == "text" else "text"


def run_histories(
    machine: type[History], steps: int, admin: extensions.connection, server: Keywords, folder: Path
) -> None:
    """Run a machine's histories of so many steps (30 in a soak), without waits and with pages of two items."""
    History.admin, History.server, History.folder = admin, server, folder
    machine.tally, machine.started = Counter(), time.monotonic()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("monday.transport._backoff", tenacity.wait_none())
        patch.setattr("monday.transport._jitter", tenacity.wait_none())
        patch.setattr("monday.pagination.PAGE_SIZES", (1, 2))
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=SOAK or 12,
                stateful_step_count=30 if SOAK else steps,
                deadline=None,
                database=None,
                derandomize=not SOAK,
                suppress_health_check=list(HealthCheck),
                phases=[Phase.generate],
                print_blob=True,
            ),
        )
