"""`sync_status.py report`: one HTML file for a person who never opens a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

import click

from models import RowId
from monday_api import BOARDS
from postgres import report as history
from postgres.migrate import CHANGES
from postgres.names import row_names
from postgres.state import Present
from postgres.transaction import Transaction
from postgres.window_conflicts import list_conflicts
from postgres.window_items import read_items, read_present
from postgres.window_open import read_open
from reconcile.errors import Exit
from status.files import OwnFile
from status.report.facts import Facts, day_edges
from status.report.figures import LISTED_RUNS, make_figures
from status.report.waiting import pointed_at
from status.standing import read_all
from status.window import Window, common_options, ending, opened
from terminal.say import say, say_json
from terminal.times import parse_span

_LABEL: Final = "reading what the report shows"
_LONGEST: Final = timedelta(days=3_660)


@click.command()
@click.option("-o", "--output", "target", metavar="FILE.html", required=True, type=click.Path(path_type=Path))
@click.option(
    "--since", metavar="AGE", default="30d", show_default=True, help="How far back it goes, such as 7d or 12w."
)
@common_options
@ending
def command(target: Path, since: str, *, as_json: bool, demo: bool) -> Exit:
    """Write a report to open in a browser: is everything all right, what happened, what is open.

    One file with everything in it: it asks nothing of any network and runs no script. It holds personal data, and only
    you can read it. An older report of that name is replaced, and nothing else.
    """
    length = _length(since)
    with opened(demo=demo) as window:
        facts = window.read(partial(read_facts, window=window, length=length), _LABEL, since=CHANGES)
        figures = make_figures(facts, BOARDS, window.words)
    from status.report.page import BEGINS, render

    size = OwnFile("a report", BEGINS.encode()).write(target, render(figures))
    if as_json:
        told = {"verdict": figures.level, "sentence": figures.verdict, "open": facts.standing.open_count}
        say_json({"version": 1, "exit_code": 0, "file": str(target), "bytes": size, **told})
    else:
        say(figures.verdict, f"{target} is written ({size / 1000:,.0f} kB): open it in a browser.")
    return Exit.DONE


def _length(text: str) -> timedelta:
    found = parse_span(text)
    if found is None or not timedelta() < found <= _LONGEST:
        raise click.UsageError(f"--since {text!r} is no length of time that a report can have: write 7d, 30d or 12w.")
    return found


def read_facts(tx: Transaction, window: Window, length: timedelta) -> Facts:
    """Everything that the report shows, as of one moment."""
    standing = read_all(tx, window.board_ids, window.settings.daily_calls)
    edges, present = day_edges(standing.about.now, length), read_present(tx)
    at_work = standing.at_work.run_id if standing.at_work is not None else None
    bad_runs, bad_count = history.read_bad_runs(tx, edges, at_work or "", LISTED_RUNS)
    things = read_open(tx, present, standing.at_work)
    conflicts = [each for each in list_conflicts(tx, {}) if each.open or (each.settled_at or each.at) >= edges[0]]
    about = [thing.item_id for thing in things] + [conflict.item_id for conflict in conflicts]
    return Facts(
        standing=standing,
        edges=edges,
        runs=history.read_runs(tx, edges, at_work or ""),
        durations=history.read_durations(tx, edges),
        bad_runs=bad_runs,
        bad_count=bad_count,
        stages=history.read_stages(tx, edges),
        changes=history.read_changes(tx, edges),
        calls=history.read_calls(tx, edges[0].date()),
        limit=window.settings.daily_calls or history.read_limit(tx),
        things=things,
        conflicts=conflicts,
        items=read_items(tx, present, window.board_ids, about),
        names=_names(tx, present, pointed_at(conflicts)),
        fill=history.read_fill(tx),
        boards=history.read_boards(tx),
    )


def _names(tx: Transaction, present: Present, pointed: Iterable[tuple[str, str]]) -> dict[str, str]:
    wanted: dict[str, set[RowId]] = {}
    for table, row in pointed:
        wanted.setdefault(table, set()).add(RowId(row))
    return row_names(tx, present, wanted)
