"""`sync_status.py todo`: everything that is open, each with its ID and what settles it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import click

from options import CONTEXT_SETTINGS
from postgres.migrate import CHANGES
from postgres.names import row_names
from postgres.transaction import Transaction
from postgres.window_items import Items, read_items, read_present
from postgres.window_open import OpenThing, read_at_work, read_open
from postgres.window_state import read_about
from reconcile.errors import Exit
from run.conflicts import named_rows
from status.lists import Format, ListColumn, Listing, limited, list_options, show_list
from status.things import Told, tell
from status.window import ending, opened
from terminal.times import span

_USUAL: Final = 50

COLUMNS: Final = (
    ListColumn("id", "id"),
    ListColumn("age_s", "age", lambda age: "" if age is None else span(age), right=True),
    ListColumn("kind", "what", least=12),
    ListColumn("place", "place", least=12),
    ListColumn("item"),
    ListColumn("says"),
    ListColumn("settle"),
    ListColumn("since"),
    ListColumn("board"),
    ListColumn("item_id"),
    ListColumn("link"),
    ListColumn("table"),
    ListColumn("row"),
    ListColumn("monday"),
    ListColumn("postgres"),
    ListColumn("agreed"),
)


@click.command(context_settings=CONTEXT_SETTINGS)
@click.option("--limit", type=click.IntRange(min=0), metavar="N", help=f"Show N; 0 for all. A table shows {_USUAL}.")
@list_options
@ending
def command(*, limit: int | None, form: Format, as_json: bool, demo: bool) -> Exit:
    """Everything that is open, the oldest of each kind first. Ends with 5 where there is something."""
    with opened(demo=demo) as window:

        def read(tx: Transaction) -> tuple[list[OpenThing], Items, Mapping[str, str], datetime]:
            present = read_present(tx)
            things = read_open(tx, present, read_at_work(tx))
            items = read_items(tx, present, window.board_ids, {thing.item_id for thing in things})
            return (
                things,
                items,
                row_names(tx, present, named_rows((each.place, each.values or ()) for each in things)),
                read_about(tx).now,
            )

        things, items, names, now = window.read(read, "reading what is open", since=CHANGES)
        told = [tell(thing, items, names, window.words) for thing in things]
        shown = limited(told, limit, form, _USUAL)
        code = Exit.PERSON_NEEDED if told else Exit.DONE
        show_list(
            Listing(
                columns=COLUMNS,
                rows=[_row(each, items, now) for each in shown],
                total=len(told),
                more=window.command("todo --limit 0"),
                empty="nothing is open",
                below=_explained(shown),
            ),
            form,
            code=code,
        )
    return code


def _row(told: Told, items: Items, now: datetime) -> list[Any]:
    thing = told.thing
    age = None if thing.since is None else round((now - thing.since).total_seconds(), 1)
    monday, postgres, agreed = thing.values or (None, None, None)
    return [
        told.id, age, told.kind, told.place, told.item, told.says, told.settle, thing.since,
        items.board(thing.board_id), thing.item_id, items.link(thing.board_id, thing.item_id), thing.table, thing.row,
        monday, postgres, agreed,
    ]  # fmt: skip


def _explained(shown: Sequence[Told]) -> dict[int, list[str]]:
    """Under each the item, what it is about, and what to do."""
    return {number: [*filter(None, (each.item,)), each.says, f"→ {each.settle}"] for number, each in enumerate(shown)}
