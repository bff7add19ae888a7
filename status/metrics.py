"""`sync_status.py metrics`: gauges in Prometheus's text format, on stdout or for node_exporter's textfile collector."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

import click

from options import CONTEXT_SETTINGS, VERSION
from postgres.migrate import CHANGES
from postgres.window_open import KINDS
from reconcile.errors import ConfigError, Exit
from status.standing import Standing, read_all
from status.window import common_options, ending, opened
from terminal.say import say, say_json

PREFIX: Final = "monday_pg_sync"
MODE: Final = 0o644
"""node_exporter reads the file as a user of its own. There is nothing personal in it: counts, times and exit codes."""

Labels = Mapping[str, str]
Sample = tuple[str, Labels, float]

HELP: Final[Mapping[str, str]] = {
    "info": "Always 1: the versions of the program and of its schema.",
    "read_timestamp_seconds": "When these numbers were read from the database.",
    "last_success_timestamp_seconds": "When the last run ended that ended well and looked at everything.",
    "last_success_age_seconds": "How long ago that was when these numbers were read.",
    "last_success_duration_seconds": "How long that run took.",
    "last_run_timestamp_seconds": "When the newest run began.",
    "last_run_exit_code": "How the newest run ended; -1 while it is at work, or if it was killed.",
    "last_run_duration_seconds": "How long the newest run took.",
    "last_run_changes": "What the newest run wrote: items of monday, rows of PostgreSQL.",
    "failed_runs": "Runs that failed or were killed since the last good one.",
    "complete_read_timestamp_seconds": "When a board was last read so that nothing of it can be missing.",
    "complete_read_age_seconds": "How long ago that was when these numbers were read.",
    "edits_waiting": "Edits on their way from a side: monday as of the last read, PostgreSQL now.",
    "open": "Things that wait for a person, by kind.",
    "open_oldest_age_seconds": "How long the oldest of them has been open.",
    "calls_today": "Calls of the API that all runs have used since midnight UTC.",
    "calls_limit": "The limit of SYNC_DAILY_CALLS, where one is set.",
    "lease_held": "Whether a run is at work.",
}
"""Name, without the prefix → what it says; in the order of the file."""


@click.command(context_settings=CONTEXT_SETTINGS)
@click.option(
    "-o",
    "--output",
    "path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write them into this file, at once and readable by all, such as /var/lib/node_exporter/monday_pg_sync.prom.",
)
@common_options
@ending
def command(*, path: Path | None, as_json: bool, demo: bool) -> Exit:
    """How things stand, as gauges. Ends with 0 whatever they say; where they cannot be read the file stays as it is."""
    with opened(demo=demo) as window:
        limit = window.settings.daily_calls
        read = partial(read_all, board_ids=window.board_ids, calls_limit=limit)
        standing = window.read(read, "reading the gauges", since=CHANGES)
    if path is not None:
        write_whole(path, "\n".join(as_text(standing)) + "\n")
    if as_json:
        found = [
            {"name": f"{PREFIX}_{name}", "labels": labels, "value": value} for name, labels, value in samples(standing)
        ]
        say_json({"version": 1, "exit_code": 0, "file": None if path is None else str(path), "gauges": found})
    elif path is None:
        say(*as_text(standing))
    return Exit.DONE


def as_text(standing: Standing) -> Iterator[str]:
    """The lines of the exposition format, each gauge under its help and type."""
    before = ""
    for name, labels, value in samples(standing):
        if name != before:
            yield f"# HELP {PREFIX}_{name} {HELP[name]}"
            yield f"# TYPE {PREFIX}_{name} gauge"
        before = name
        shown = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        yield f"{PREFIX}_{name}{f'{{{shown}}}' if shown else ''} {value!r}"


def samples(standing: Standing) -> list[Sample]:
    """Every gauge that has a value, in the order of `HELP`."""
    order = list(HELP)
    return sorted(_samples(standing), key=lambda sample: order.index(sample[0]))


def _samples(standing: Standing) -> Iterator[Sample]:
    about = standing.about
    yield "info", {"version": VERSION, "schema": str(about.schema)}, 1.0
    yield "read_timestamp_seconds", {}, about.now.timestamp()
    yield from _directions(standing)
    for board, read in sorted(standing.boards.items()):
        yield from _at("complete_read", {"board": board}, read.complete_at, about.now)
    yield "edits_waiting", {"side": "monday"}, float(standing.waiting.monday)
    yield "edits_waiting", {"side": "postgres"}, float(standing.waiting.postgres)
    for kind in KINDS:
        count, since = standing.open.get(kind, (0, None))
        yield "open", {"kind": kind}, float(count)
        if since is not None:
            yield "open_oldest_age_seconds", {"kind": kind}, (about.now - since).total_seconds()
    yield "calls_today", {}, float(about.calls)
    if standing.calls_limit is not None:
        yield "calls_limit", {}, float(standing.calls_limit)
    yield "lease_held", {}, float(standing.at_work is not None)


def _directions(standing: Standing) -> Iterator[Sample]:
    now = standing.about.now
    for each in standing.directions:
        labels = {"direction": each.name}
        yield from _at("last_success", labels, each.good_at, now)
        if each.good is not None and each.good.duration_s is not None:
            yield "last_success_duration_seconds", labels, float(each.good.duration_s)
        yield "failed_runs", labels, float(each.failed)
        if each.last is None:
            continue
        yield "last_run_timestamp_seconds", labels, each.last.started_at.timestamp()
        yield "last_run_exit_code", labels, float(-1 if each.last.exit_code is None else each.last.exit_code)
        if each.last.duration_s is not None:
            yield "last_run_duration_seconds", labels, float(each.last.duration_s)
        for side, count in each.last.wrote.items():
            yield "last_run_changes", labels | {"side": side}, float(count)


def _at(name: str, labels: Labels, at: datetime | None, now: datetime) -> Iterator[Sample]:
    if at is not None:
        yield f"{name}_timestamp_seconds", labels, at.timestamp()
        yield f"{name}_age_seconds", labels, (now - at).total_seconds()


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def write_whole(path: Path, text: str) -> None:
    """Put a file in place at once, so that nobody ever reads half of it. Raises ConfigError where that cannot be done,
    and for a file that is there and was not made by this command."""
    _refuse_foreign(path)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")  # no *.prom: nobody collects it
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), MODE)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
                if hasattr(os, "fchmod"):
                    os.fchmod(file.fileno(), MODE)  # whatever the umask of cron is
                file.write(text)
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written ({error.strerror}): name a file in a folder that this user may write to."
        ) from None


def _refuse_foreign(path: Path) -> None:
    try:
        if path.exists() and not path.is_file():  # reading a pipe would wait for its writer
            raise ConfigError(f"{path} is no file: name one, or leave -o out to print on stdout.")
        with path.open("rb") as file:
            begins = file.read(len(_OURS))
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigError(f"{path} cannot be written ({error.strerror}): name another file.") from None
    if begins and begins != _OURS:
        raise ConfigError(f"{path} is there and holds something else than these gauges: name another file.")


_OURS: Final = f"# HELP {PREFIX}_".encode()
