"""`sync_status.py conflicts`: what both sides changed, what each of them says, who won and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import click

from models import RowId
from options import CONTEXT_SETTINGS
from postgres.migrate import CHANGES
from postgres.names import row_names
from postgres.transaction import Transaction
from postgres.window_conflicts import LoggedConflict, list_conflicts
from postgres.window_items import Items, known_items, read_items, read_present
from postgres.window_state import read_about
from reconcile.errors import Exit
from run.conflicts import named_rows
from run.edited import waiting_text
from status.ids import conflict_id
from status.lists import Format, ListColumn, Listing, list_options, rows_wanted, show_list
from status.picking import ItemId, Since, field_name, known_item
from status.things import column_of, field_shown, value_shown
from status.window import Window, ending, opened
from terminal.times import iso, local, span

_USUAL: Final = 40
_OF_ONE_PATTERN: Final = 3
"""Conflicts of one pattern that a table shows one by one."""

COLUMNS: Final = (
    ListColumn("id", "id"),
    ListColumn("age_s", "seen", lambda age: f"{span(age)} ago", right=True),
    ListColumn("state", "", str),
    ListColumn("field", "field", least=12),
    ListColumn("item", "item", str, least=20),
    ListColumn("outcome", "outcome", least=8),
    ListColumn("monday"),
    ListColumn("postgres"),
    ListColumn("agreed"),
    ListColumn("ever_agreed"),
    ListColumn("winner"),
    ListColumn("kept"),
    ListColumn("lost_from"),
    ListColumn("lost"),
    ListColumn("why"),
    ListColumn("seen_at"),
    ListColumn("seen_by"),
    ListColumn("settled_at"),
    ListColumn("settled_by"),
    ListColumn("board"),
    ListColumn("item_id"),
    ListColumn("name"),
    ListColumn("link"),
    ListColumn("table"),
    ListColumn("row"),
)


@dataclass(frozen=True, slots=True)
class Pattern:
    """Conflicts that are alike: one field, and one way in which they ended, or none of them did."""

    column: str
    outcome: str
    conflicts: tuple[LoggedConflict, ...]

    @property
    def head(self) -> str:
        return f"{len(self.conflicts):,} of {self.column}: {self.outcome}"


@click.command(context_settings=CONTEXT_SETTINGS)
@click.option("--all", "every", is_flag=True, help="Each one by itself, and those that ended without a loser too.")
@click.option("--since", type=Since(), metavar="AGE", help="Seen or settled since then, such as 7d or 2026-11-01.")
@click.option("--item", type=ItemId(), metavar="ID", help="Only of this item.")
@click.option("--field", metavar="TABLE.COLUMN", help="Only of this field, each one by itself.")
@click.option("--limit", type=click.IntRange(min=0), metavar="N", help=f"Show N; 0 for all. A table shows {_USUAL}.")
@list_options
@ending
def command(
    *,
    every: bool,
    since: datetime | None,
    item: int | None,
    field: str | None,
    limit: int | None,
    form: Format,
    as_json: bool,
    demo: bool,
) -> Exit:
    """Open ones first, then settled ones whose loser is kept, the newest first. Ends with 5 where one is open.

    Where many are alike, a table says how many, and shows the first of them.
    """
    with opened(demo=demo) as window:

        def read(tx: Transaction) -> tuple[list[LoggedConflict], Items, Mapping[str, str], datetime]:
            present = read_present(tx)
            which: dict[str, Any] = {"since": since}
            if field is not None:
                which["field"] = field_name(field)
            if item is not None:
                which["item"] = known_item(item, known_items(tx))
            found = list_conflicts(tx, which, every=every)
            items = read_items(tx, present, window.board_ids, {each.item_id for each in found})
            return found, items, row_names(tx, present, _named(found)), read_about(tx).now

        found, items, names, now = window.read(read, "reading the conflicts", since=CHANGES)
        grouped = form == "table" and not every and field is None
        most = rows_wanted(limit, form, _USUAL)
        again = _again(window, since, item, field)
        shown, above, below = _arranged(found, items, names, most, again if grouped else None)
        code = Exit.PERSON_NEEDED if any(each.open for each in found) else Exit.DONE
        show_list(
            Listing(
                columns=COLUMNS,
                rows=[_row(each, items, now) for each in shown],
                total=len(found),
                more=again("--all" if every or grouped else "", "--limit 0"),
                empty="no conflict",
                facts={"patterns": [_pattern_object(each) for each in patterns(found)]},
                above=above,
                below=below,
            ),
            form,
            code=code,
        )
    return code


def _named(conflicts: Sequence[LoggedConflict]) -> dict[str, set[RowId]]:
    return named_rows(
        (each.field, (each.kept, each.lost, each.monday, each.postgres, each.agreed)) for each in conflicts
    )


def patterns(conflicts: Sequence[LoggedConflict]) -> list[Pattern]:
    """The conflicts by pattern, in the order in which the first of each comes: open ones first."""
    found: dict[tuple[str, str], list[LoggedConflict]] = {}
    for each in conflicts:
        found.setdefault((column_of(each.field, each.table), outcome(each)), []).append(each)
    return [Pattern(column, how, tuple(alike)) for (column, how), alike in found.items()]


def outcome(conflict: LoggedConflict) -> str:
    """How it ended, in a word or two."""
    if conflict.open:
        return "open"
    ends = {"monday": "monday won", "postgres": "PostgreSQL won", "both": "made equal", "nobody": "nothing to decide"}
    if conflict.kept_from.startswith("item"):
        return "another item won"
    return ends.get(conflict.winner or "", "settled")


def why(conflict: LoggedConflict) -> str:
    """Why it ended so, for a person."""
    if conflict.open:
        return "nobody has decided: the mapping or --on-conflict leaves it to a person"
    if conflict.winner == "both":
        return "somebody made both sides equal"
    if conflict.winner == "nobody":
        return "the item or its row is gone, or both edits were taken back"
    if conflict.lost_from == "nobody":
        return "the other side's edit was taken back"
    if conflict.kept_from.startswith("item"):
        return "two items show one row: the newest edit wins"
    return f"--on-conflict {conflict.chosen} of that run" if conflict.chosen else "the mapping says so"


def _arranged(
    found: Sequence[LoggedConflict],
    items: Items,
    names: Mapping[str, str],
    most: int | None,
    again: Callable[..., str] | None,
) -> tuple[list[LoggedConflict], dict[int, list[str]], dict[int, list[str]]]:
    """What is shown, and the lines over and under each. With `again` (the command that shows more) like ones stand
    together, and of many the first."""
    if again is None:
        shown = list(found[:most])
        return shown, {}, {number: _told(each, names) for number, each in enumerate(shown)}
    shown, above, below = [], dict[int, list[str]](), dict[int, list[str]]()
    for pattern in patterns(found):
        room = len(pattern.conflicts) if most is None else max(0, most - len(shown))
        part = pattern.conflicts[: min(room, _OF_ONE_PATTERN)]
        if not part:
            break
        if len(pattern.conflicts) > 1:
            above[len(shown)] = [pattern.head]
        for each in part:
            below[len(shown)] = _told(each, names)
            shown.append(each)
        if hidden := len(pattern.conflicts) - len(part):
            below[len(shown) - 1].append(f"… {hidden:,} more like it: {again(f'--field {pattern.column}')}")
    return shown, above, below


def _told(conflict: LoggedConflict, names: Mapping[str, str]) -> list[str]:
    monday, postgres, agreed, lost = (
        value_shown(value, conflict.field, names)
        for value in (conflict.monday, conflict.postgres, conflict.agreed, conflict.lost)
    )
    said = waiting_text({"monday": monday, "postgres": postgres, "agreed": agreed, "ever_agreed": conflict.ever_agreed})
    lines = [f"{said} (seen {local(conflict.at)} by run {conflict.run_id})"]
    if conflict.open:
        return [*lines, f"open: {why(conflict)}"]
    kept = f' with "{value_shown(conflict.kept, conflict.field, names) or ""}"' if conflict.kept is not None else ""
    loser = {"postgres": "PostgreSQL"}.get(conflict.lost_from, conflict.lost_from)
    gone = "" if loser == "nobody" else f", {loser} lost {_quoted(lost)}"
    when = f", {local(conflict.settled_at)} by run {conflict.settled_by}" if conflict.settled_at else ""
    return [*lines, f"{outcome(conflict)}{kept}{gone}: {why(conflict)}{when}"]


def _quoted(value: str | None) -> str:
    return "(empty)" if value in (None, "") else f'"{value}"'


def _row(conflict: LoggedConflict, items: Items, now: datetime) -> list[Any]:
    board_id, item_id = conflict.board_id, conflict.item_id
    return [
        conflict_id(conflict.id), round((now - conflict.at).total_seconds(), 1), conflict.state,
        field_shown(conflict.field, conflict.table), items.shown(board_id, item_id), outcome(conflict),
        conflict.monday, conflict.postgres, conflict.agreed, conflict.ever_agreed, conflict.winner, conflict.kept,
        conflict.lost_from, conflict.lost, why(conflict), conflict.at, conflict.run_id, conflict.settled_at,
        conflict.settled_by, items.board(board_id), item_id, items.names.get(item_id), items.link(board_id, item_id),
        conflict.table, conflict.row,
    ]  # fmt: skip


def _pattern_object(pattern: Pattern) -> dict[str, Any]:
    return {"field": pattern.column, "outcome": pattern.outcome, "count": len(pattern.conflicts)}


def _again(window: Window, since: datetime | None, item: int | None, field: str | None) -> Callable[..., str]:
    picked = [f"--since {iso(since)}"] if since else []
    picked += [f"--item {item}"] if item else []

    def command(*also: str) -> str:
        fields = [f"--field {field}"] if field and not any(part.startswith("--field") for part in also) else []
        return window.command(" ".join(["conflicts", *picked, *fields, *filter(None, also)]))

    return command
