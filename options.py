"""The options of both commands, declared once: click in, a frozen `Options` out.

Every option also reads `SYNC_<OPTION>` from the environment, for cron. Nothing but click is imported here, so that
`--help` answers at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Any, Final, Literal, get_args

import click

VERSION: Final = "1.5.0"

Board = Literal["master", "staff"]
Side = Literal["monday", "pg"]
ConflictPolicy = Literal["monday", "pg", "manual"]

BOARDS: Final[tuple[Board, ...]] = get_args(Board)

Command = Callable[..., None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the person asked for. An option that one of the commands does not have keeps its default there.

    `limit` is items per board; `max_change`, `max_delete` and `max_create` are counts of rows or items; `boards` is
    never empty; `cache_files` is empty unless chosen caches are replayed; `verbosity` is -1 (quiet), 0, 1 (-v) or
    2 (-vv).
    """

    test: bool = False
    detailed_exitcode: bool = False
    plan: Path | None = None
    apply: Path | None = None
    skip_moved: bool = False
    limit: int | None = None
    boards: tuple[Board, ...] = BOARDS
    full: bool = False
    use_cache: bool = False
    cache_files: tuple[Path, ...] = ()
    list_cache: bool = False
    on_conflict: ConflictPolicy | None = None
    adopt: Side | None = None
    max_change: int | None = None
    max_delete: int | None = None
    max_create: int | None = None
    propagate_deletes: bool = False
    allow_fanout: bool = False
    create_labels: bool = False
    retry_dead: bool = False
    setup_marker: bool = False
    accept_shrink: bool = False
    resync: bool = False
    rebind_board: bool = False
    rebind_db: bool = False
    skip_columns: tuple[str, ...] = ()
    yes: bool = False
    json: bool = False
    demo: bool = False
    verbosity: int = 0

    @property
    def replays(self) -> bool:
        """Whether the boards come from the cache and monday.com is not contacted."""
        return self.use_cache or bool(self.cache_files)


def _option(flag: str, *names: str, **settings: Any) -> Callable[[Command], Command]:
    """A click option that also reads SYNC_<OPTION>; the help says so once, at the end, not on every line."""
    envvar = "SYNC_" + flag.removeprefix("--").replace("-", "_").upper()
    return click.option(flag, *names, envvar=envvar, **settings)


def _stacked(options: tuple[Callable[[Command], Command], ...]) -> Callable[[Command], Command]:
    """Several options as one decorator; the help lists them in the order given."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


_COUNT: Final = click.IntRange(min=0)

monday_to_pg_options: Final = _stacked(
    (
        _option("--full", is_flag=True, help="Read both boards whole, not only what changed since the last run."),
        _option("--use-cache", is_flag=True, help="Replay each board's newest saved read; no network."),
        _option(
            "--cache-file",
            "cache_files",
            multiple=True,
            type=click.Path(path_type=Path),
            metavar="PATH",
            help="Replay this saved read; give it twice for two boards.",
        ),
        _option("--list-cache", is_flag=True, help="List the saved reads (board, items, complete, age) and stop."),
        _option(
            "--adopt",
            type=click.Choice(get_args(Side)),
            help="Settle the differences that were there from the beginning: take monday's values or PostgreSQL's.",
        ),
        _option("--resync", is_flag=True, help="Forget earlier runs and compare both sides afresh."),
        _option(
            "--yes",
            is_flag=True,
            help="Go on although rows that were here before differ in many fields, or look like items.",
        ),
    )
)
"""What only monday → PostgreSQL has; stands above `common_options`."""

pg_to_monday_options: Final = _stacked(
    (
        _option(
            "--max-create",
            type=_COUNT,
            metavar="N",
            help="Allow up to N new items on a board in this run; 0 makes none.",
        ),
        _option(
            "--propagate-deletes",
            is_flag=True,
            help="Archive the items whose rows were deleted in PostgreSQL; without it they are counted only.",
        ),
        _option(
            "--allow-fanout",
            is_flag=True,
            help="Let one changed row rewrite more than 25 items that show it.",
        ),
        _option("--create-labels", is_flag=True, help="Add status labels that a column does not have yet."),
        _option("--retry-dead", is_flag=True, help="Try again what monday.com refused before, changed or not."),
        _option(
            "--setup-marker",
            is_flag=True,
            help='Add the text column "Sync ID" to both boards and stop: with it no new item is ever made twice.',
        ),
    )
)
"""What only PostgreSQL → monday has; stands above `common_options`."""

_common: Final = _stacked(
    (
        _option("--test", is_flag=True, help="Dry run: read, plan, check and print the plan; write nothing anywhere."),
        _option(
            "--detailed-exitcode",
            is_flag=True,
            help="With --test: end with 10 where something would be written, and nothing else is wrong.",
        ),
        _option(
            "--plan",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="With --test: save the plan, to be looked at, approved and carried out with --apply.",
        ),
        _option(
            "--apply",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Carry out exactly this saved plan; nothing is written where something has moved since.",
        ),
        _option(
            "--skip-moved",
            is_flag=True,
            help="With --apply: carry out what is as approved, and leave the items of which something has moved.",
        ),
        _option(
            "--limit",
            type=click.IntRange(min=1),
            metavar="N",
            help="Fetch at most N items per board, to try things out. Nothing is ever removed in such a run.",
        ),
        _option("--board", type=click.Choice(BOARDS), help="Only this board (default: both)."),
        _option(
            "--on-conflict",
            type=click.Choice(get_args(ConflictPolicy)),
            help="Which side wins where both changed the same field, for this run; manual keeps both and asks you.",
        ),
        _option("--max-change", type=_COUNT, metavar="N", help="Allow up to N rows or items to change in this run."),
        _option("--max-delete", type=_COUNT, metavar="N", help="Allow up to N rows or items to be archived."),
        _option("--accept-shrink", is_flag=True, help="Go on although a board is suddenly empty or half its size."),
        _option("--rebind-db", is_flag=True, help="Accept a database that was synced before, but not from here."),
        _option("--rebind-board", is_flag=True, help="Accept that a board id now names another board than at first."),
        _option(
            "--skip-column",
            "skip_columns",
            multiple=True,
            metavar="ID",
            help="Leave this column alone in both directions, by its id; may be given several times.",
        ),
        _option("--demo", is_flag=True, help="Play with made-up boards and a local database; needs no credentials."),
        _option("--json", is_flag=True, help="Print one JSON object on stdout and nothing else; logs stay on stderr."),
        _option("--verbose", "-v", count=True, help="Say more; -vv says everything."),
        _option("--quiet", "-q", is_flag=True, help="Say only what failed, and what is new since earlier runs."),
        click.version_option(VERSION, message="monday-pg-sync %(version)s"),
    )
)


def _nothing() -> None: ...


OPTION_VARIABLES: Final = frozenset(
    option.envvar
    for option in monday_to_pg_options(pg_to_monday_options(_common(_nothing))).__click_params__  # type: ignore[attr-defined]  # where click keeps them
    if isinstance(option.envvar, str)
)
"""`SYNC_<OPTION>` of every option of either command: what cron sets for one of them, the other leaves alone."""


def common_options(command: Callable[[Options], None]) -> Command:
    """Give a command the options that both have; it is called with one `Options`.

    The innermost decorator: `@click.command()`, then the command's own options, then this one.
    A contradiction ends in click.UsageError, exit code 2, before anything is read.
    """

    @wraps(command)
    def collected(**given: Any) -> None:
        command(options_from(given))

    return _common(collected)


CONTEXT_SETTINGS: Final = {"help_option_names": ["--help", "-h"], "max_content_width": 120}
EPILOG: Final = (
    "Each option can also be set in the environment as SYNC_<OPTION>, for cron: SYNC_LIMIT=10, SYNC_TEST=1. "
    "Exit codes: 0 done, 1 a bug, 2 usage or settings, 3 a board or table is not what the mapping says, 4 a guard "
    "refused, 5 done but a person is needed, 6 another run is at work, 7 temporary trouble: run it again, "
    "10 a dry run with --detailed-exitcode would write, 130 interrupted."
)


def options_from(given: dict[str, Any]) -> Options:
    """Options from click's values; raises click.UsageError for a combination that contradicts itself."""
    board, verbose, quiet = given.pop("board"), given.pop("verbose"), given.pop("quiet")
    if quiet and verbose:
        raise click.UsageError("--quiet and --verbose contradict each other: choose one.")
    known = {entry.name for entry in fields(Options)}
    options = Options(
        **{name: value for name, value in given.items() if name in known},
        boards=(board,) if board else BOARDS,
        verbosity=-1 if quiet else min(verbose, 2),
    )
    _refuse_contradictions(options)
    return options


def _refuse_contradictions(options: Options) -> None:
    replays = options.replays
    contradictions = (
        (replays and options.full, "--full reads monday and a cache replaces reading it: choose one."),
        (replays and options.rebind_board, "--rebind-board needs the live board: leave the cache out."),
        (len(options.cache_files) > len(options.boards), "There are more --cache-file than boards: give one a board."),
        (options.resync and options.limit is not None, "--resync compares everything: leave --limit out."),
        (options.resync and len(options.boards) < len(BOARDS), "--resync compares everything: leave --board out."),
        (options.detailed_exitcode and not options.test, "--detailed-exitcode is for a dry run: add --test."),
        (options.plan is not None and not options.test, "--plan saves the plan of a dry run: add --test."),
        (options.apply is not None and options.test, "--apply carries out a plan: leave --test out."),
        (options.skip_moved and options.apply is None, "--skip-moved is for a saved plan: add --apply FILE."),
        (options.setup_marker and options.test, "--setup-marker changes the boards: leave --test out."),
        (options.resync and replays, "--resync compares with the live boards: leave the cache out."),
    )
    for wrong, message in contradictions:
        if wrong:
            raise click.UsageError(message)
