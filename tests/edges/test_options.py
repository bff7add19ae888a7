"""The options of the commands, on the command line and in the environment."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from options import VERSION, Options, common_options, monday_to_pg_options


def run(*arguments: str, env: dict[str, str] | None = None, monday_to_pg: bool = True) -> tuple[Result, Options | None]:
    """What a command with these options would have been called with; None when it was not called."""
    called: list[Options] = []

    @common_options
    def body(options: Options) -> None:
        """Does the work."""
        called.append(options)

    command = click.command()(monday_to_pg_options(body) if monday_to_pg else body)
    result = CliRunner().invoke(command, arguments, env=env)
    return result, called[0] if called else None


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ("", Options()),
        ("--test --limit 10 -v", Options(test=True, limit=10, verbosity=1)),
        ("-vvvv --board staff", Options(boards=("staff",), verbosity=2)),
        ("-q --json --yes --demo", Options(verbosity=-1, json=True, yes=True, demo=True)),
        ("--use-cache --on-conflict manual", Options(use_cache=True, on_conflict="manual")),
        ("--cache-file a --cache-file b", Options(cache_files=(Path("a"), Path("b")))),
        ("--list-cache", Options(list_cache=True)),
        ("--full --resync --adopt pg", Options(full=True, resync=True, adopt="pg")),
        ("--max-change 0 --max-delete 7 --accept-shrink", Options(max_change=0, max_delete=7, accept_shrink=True)),
        ("--rebind-board --skip-column a --skip-column b", Options(rebind_board=True, skip_columns=("a", "b"))),
    ],
)
def test_options_become_one_value(arguments: str, options: Options) -> None:
    result, called = run(*arguments.split())
    assert called == options, result.output


@pytest.mark.parametrize(
    ("env", "options"),
    [
        (
            {"SYNC_TEST": "1", "SYNC_LIMIT": "3", "SYNC_BOARD": "master"},
            Options(test=True, limit=3, boards=("master",)),
        ),
        ({"SYNC_VERBOSE": "2", "SYNC_ON_CONFLICT": "pg"}, Options(verbosity=2, on_conflict="pg")),
        ({"SYNC_SKIP_COLUMN": "a b", "SYNC_QUIET": "true"}, Options(skip_columns=("a", "b"), verbosity=-1)),
        ({"SYNC_USE_CACHE": "yes", "SYNC_TEST": "0", "SYNC_LIMIT": ""}, Options(use_cache=True)),
    ],
)
def test_every_option_reads_the_environment(env: dict[str, str], options: Options) -> None:
    result, called = run(env=env)
    assert called == options, result.output


def test_the_command_line_wins_over_the_environment() -> None:
    assert run("--limit", "5", env={"SYNC_LIMIT": "3"})[1] == Options(limit=5)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("--use-cache --full", "choose one"),
        ("--cache-file a --full", "choose one"),
        ("--use-cache --rebind-board", "live board"),
        ("--board master --cache-file a --cache-file b", "more --cache-file than boards"),
        ("--resync --limit 5", "leave --limit out"),
        ("-q -v", "contradict"),
        ("--limit 0", "--limit"),
        ("--max-delete -1", "--max-delete"),
        ("--board both", "--board"),
        ("--unknown", "--unknown"),
    ],
)
def test_what_makes_no_sense_ends_with_2_before_anything_runs(arguments: str, reason: str) -> None:
    result, called = run(*arguments.split())
    assert (result.exit_code, called) == (2, None)
    assert reason in result.output


@pytest.mark.parametrize("arguments", ["--use-cache", "--full", "--cache-file x", "--list-cache"])
def test_the_other_direction_has_no_option_that_reads_boards(arguments: str) -> None:
    assert run(*arguments.split(), monday_to_pg=False)[0].exit_code == 2


def test_help_names_every_option_and_version_the_version() -> None:
    shown = run("--help")[0].output
    assert "Does the work." in shown
    for name in ("--test", "--limit N", "--board", "--on-conflict", "--json", "--demo", "-v, --verbose", "--version"):
        assert name in shown
    assert run("--version")[0].output == f"monday-pg-sync {VERSION}\n"
