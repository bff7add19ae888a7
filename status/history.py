"""`sync_status.py history`: the runs, what one of them wrote, or the life of an item, a row, a field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import click

from models import REFERENCES, TABLES
from options import CONTEXT_SETTINGS
from postgres.migrate import CHANGES
from postgres.transaction import Transaction
from postgres.window_changes import ChangeLine, list_changes, names_of_rows
from postgres.window_items import Items, known_items, known_rows, read_items, read_present
from postgres.window_open import AtWork, read_at_work
from postgres.window_runs import RunLine, list_runs, read_run, run_ids
from postgres.window_state import read_about
from reconcile.errors import Exit
from status.gaps import gaps
from status.lists import Format, ListColumn, Listing, list_options, rows_wanted, show_list
from status.picking import ItemId, Since, field_name, known_item, one_of, row_place
from status.standing import DIRECTIONS, outcome
from status.window import Window, ending, opened
from terminal.contrast import contrasted, shortened
from terminal.say import say
from terminal.times import iso, local, span, zone

_USUAL_RUNS: Final = 20
_USUAL_CHANGES: Final = 200
_VALUE: Final = 20
"""Signs of a value that a table shows."""
_SIDES: Final = {"monday": "monday", "postgres": "PostgreSQL"}


@click.command(context_settings=CONTEXT_SETTINGS)
@click.argument("run_id", metavar="[RUN]", required=False)
@click.option("--since", type=Since(), metavar="AGE", help="Not older than that, such as 7d, 12h or 2026-11-01.")
@click.option("--failed", is_flag=True, help="Only runs that failed or were killed.")
@click.option("--limit", type=click.IntRange(min=0), metavar="N", help="Show the newest N; 0 for all.")
@click.option("--item", type=ItemId(), metavar="ID", help="What happened to this item, on both sides.")
@click.option("--row", metavar="TABLE/ID", help="What happened to this row.")
@click.option("--field", metavar="TABLE.COLUMN", help="What happened to this field.")
@list_options
@ending
def command(
    *,
    run_id: str | None,
    since: datetime | None,
    failed: bool,
    limit: int | None,
    item: int | None,
    row: str | None,
    field: str | None,
    form: Format,
    as_json: bool,
    demo: bool,
) -> Exit:
    """Without more: one line a run, the newest first. RUN (its id, or the six signs at its end): every change of it.

    --item, --row and --field, alone or together: everything that was written of it, both sides in one line of time.
    """
    given = {"item": item, "row": row, "field": field}
    about_changes = run_id is not None or any(value is not None for value in given.values())
    if failed and about_changes:
        raise click.UsageError("--failed picks runs: it does not go with RUN, --item, --row or --field.")
    with opened(demo=demo) as window:
        if about_changes:
            show_changes(window, run_id, given, since, limit, form)
        else:
            show_runs(window, since, failed=failed, limit=limit, form=form)
    return Exit.DONE


# Runs -----------------------------------------------------------------------------------------------------------------


def show_runs(window: Window, since: datetime | None, *, failed: bool, limit: int | None, form: Format) -> None:
    most = rows_wanted(limit, form, _USUAL_RUNS)

    def read(tx: Transaction) -> tuple[list[RunLine], int, AtWork | None, datetime]:
        return *list_runs(tx, since, failed=failed, limit=most), read_at_work(tx), read_about(tx).now

    runs, total, at_work, now = window.read(read, "reading the runs", since=CHANGES)
    words = " ".join(
        ["history", "--limit 0", *(["--failed"] if failed else []), *([f"--since {iso(since)}"] if since else [])]
    )
    missing = {} if failed else missing_runs(runs, now)
    show_list(
        Listing(
            columns=_run_columns(runs),
            rows=[_run_row(run, at_work, missing.get(run.run_id)) for run in runs],
            total=total,
            more=window.command(words),
            empty="no run" + (" that failed" if failed else "") + (f" since {local(since)}" if since else ""),
            above={
                number: [f"--- no run {DIRECTIONS[run.direction]} for {span(missing[run.run_id])} ---"]
                for number, run in enumerate(runs)
                if run.run_id in missing
            },
        ),
        form,
    )


def missing_runs(runs: Sequence[RunLine], now: datetime) -> dict[str, timedelta]:
    """Run → how long no other one of its direction followed it, where that is unusual."""
    found: dict[str, timedelta] = {}
    for direction in DIRECTIONS:
        of_one = {run.started_at: run.run_id for run in reversed(runs) if run.direction == direction}
        found |= {of_one[begun]: length for begun, length in gaps(list(of_one), now)}
    return found


def _run_columns(runs: Sequence[RunLine]) -> list[ListColumn]:
    """The zone stands once over the times, unless it changes among them."""
    zones = {zone(run.started_at) for run in runs}
    one = len(zones) == 1
    head = f"begun ({zones.pop()})" if one else "begun"
    return [
        ListColumn("run_id", "run", lambda run_id: str(run_id)[-6:]),
        ListColumn("started_at", head, lambda at: local(at)[:16] if one else local(at), least=16),
        ListColumn("direction", "direction", lambda name: DIRECTIONS.get(name, name), least=9),
        ListColumn("took_s", "took", lambda took: "" if took is None else span(took), right=True),
        ListColumn("outcome", "outcome"),
        ListColumn("monday", "items", _count, right=True),
        ListColumn("postgres", "rows", _count, right=True),
        ListColumn("new", "new", _count, right=True),
        ListColumn("calls", "calls", lambda calls: f"{calls:,g}", right=True),
        ListColumn("exit_code"),
        ListColumn("finished_at"),
        ListColumn("reason"),
        ListColumn("plan"),
        ListColumn("options"),
        ListColumn("os_user"),
        ListColumn("host"),
        ListColumn("gap_s"),
    ]


def _count(number: int) -> str:
    return f"{number:,}"


def _run_row(run: RunLine, at_work: AtWork | None, gap: timedelta | None) -> list[Any]:
    return [
        run.run_id, run.started_at, run.direction, run.duration_s, outcome(run, at_work), run.wrote["monday"],
        run.wrote["postgres"], run.new, run.calls, run.exit_code, run.finished_at, run.reason, run.plan,
        dict(run.options), run.os_user, run.host, None if gap is None else int(gap.total_seconds()),
    ]  # fmt: skip


# Changes --------------------------------------------------------------------------------------------------------------


def show_changes(
    window: Window,
    run_id: str | None,
    given: Mapping[str, Any],
    since: datetime | None,
    limit: int | None,
    form: Format,
) -> None:
    most = rows_wanted(limit, form, _USUAL_CHANGES)

    def read(tx: Transaction) -> tuple[RunLine | None, AtWork | None, list[ChangeLine], int, Items, Mapping[str, str]]:
        present = read_present(tx)
        which: dict[str, Any] = {"since": since}
        if given["field"] is not None:
            which["field"] = field_name(given["field"])
        if given["row"] is not None:
            which["table_name"], begun = row_place(given["row"])
            which["row_id"] = one_of("row", begun, known_rows(tx, present, which["table_name"]))
        if given["item"] is not None:
            which["item_id"] = known_item(given["item"], known_items(tx))
        if run_id is not None:
            which["run_id"] = one_of("run", run_id, run_ids(tx), ends=True)
        changes, total = list_changes(tx, which, limit=most, newest=run_id is None)
        wanted = {change.item_id for change in changes} | {which.get("item_id")}
        items = read_items(tx, present, window.board_ids, wanted)
        run = read_run(tx, which["run_id"]) if run_id is not None else None
        return run, read_at_work(tx), changes, total, items, names_of_rows(tx, present, changes)

    run, at_work, changes, total, items, names = window.read(read, "reading the history", since=CHANGES)
    if form == "table" and run is not None:
        say(*_head(run, at_work), "")
    show_list(
        Listing(
            columns=_change_columns(changes, of_run=run_id is not None),
            rows=[_change_row(change, items, names) for change in changes],
            total=total,
            more=window.command(_again(run_id, given, since)),
            empty="nothing was written" if run_id is not None else "nothing was written of it since that is recorded",
            facts={"run": _run_facts(run, at_work)} if run is not None else {},
            above=_items_above(changes, items),
        ),
        form,
    )


def _again(run_id: str | None, given: Mapping[str, Any], since: datetime | None) -> str:
    """The same command for everything."""
    picked = [f"--{name} {value}" for name, value in given.items() if value is not None]
    picked += [f"--since {iso(since)}"] if since else []
    return " ".join(["history", *filter(None, (run_id,)), *picked, "--limit 0"])


def _head(run: RunLine, at_work: AtWork | None) -> Iterator[str]:
    """What there is to say of a run as a whole."""
    who = f" by {run.os_user} on {run.host}" if run.os_user else ""
    yield f"run {run.run_id}, {DIRECTIONS.get(run.direction, run.direction)}"
    took = f", took {span(run.duration_s)}" if run.duration_s is not None else ""
    yield f"  begun {local(run.started_at)}{who}{took}: {outcome(run, at_work)}"
    if run.options:
        yield "  options: " + ", ".join(f"{name}={_short(value)}" for name, value in run.options.items())
    if run.reason:
        yield f"  why: {run.reason}"
    wrote = " and ".join(
        f"{count:,} {'items of monday' if side == 'monday' else 'rows of PostgreSQL'}"
        for side, count in run.wrote.items()
        if count
    )
    yield f"  wrote {wrote or 'nothing'}; {run.new:,} new open things; {run.calls:,g} calls" + (
        f"; plan {run.plan}" if run.plan else ""
    )


def _run_facts(run: RunLine, at_work: AtWork | None) -> dict[str, Any]:
    columns = _run_columns([run])
    row = dict(zip((column.name for column in columns), _run_row(run, at_work, None), strict=True))
    return {name: iso(value) if isinstance(value, datetime) else value for name, value in row.items()}


def _change_columns(changes: Sequence[ChangeLine], *, of_run: bool) -> list[ListColumn]:
    zones = {zone(change.at) for change in changes}
    one = len(zones) == 1
    head = f"at ({zones.pop()})" if one else "at"
    return [
        ListColumn("at", "" if of_run else head, lambda at: local(at)[:16] if one else local(at)),
        ListColumn("run_id", "" if of_run else "run", lambda run_id: str(run_id)[-6:]),
        ListColumn("wrote", "wrote", lambda side: _SIDES.get(side, side)),
        ListColumn("place", "place", least=16),
        ListColumn("change", "before → after", str, least=30),
        ListColumn("reason", "reason", least=10),
        ListColumn("action"),
        ListColumn("board"),
        ListColumn("item_id"),
        ListColumn("item"),
        ListColumn("link"),
        ListColumn("table"),
        ListColumn("row"),
        ListColumn("field"),
        ListColumn("column_id"),
        ListColumn("before"),
        ListColumn("after"),
    ]


def _change_row(change: ChangeLine, items: Items, names: Mapping[str, str]) -> list[Any]:
    return [
        change.at, change.run_id, change.wrote, _place(change), change_text(change, names), change.reason,
        change.action, items.board(change.board_id), change.item_id, items.names.get(change.item_id or 0),
        items.link(change.board_id, change.item_id), change.table, change.row, change.field, change.column_id,
        change.before, change.after,
    ]  # fmt: skip


def _place(change: ChangeLine) -> str:
    """Where it was written: a field, a row, or an item as a whole."""
    if change.field is not None:
        return change.field
    return change.table if change.table and change.row else "the item"


def change_text(change: ChangeLine, names: Mapping[str, str]) -> str:
    """What was there → what is there, short; of a row or an item as a whole what became of it."""
    if change.field is None:
        return {"insert": "new row", "create": "new item", "archive": "archived", "restore": "restored"}.get(
            change.action, change.action
        )
    before, after = (_named(value, change.field, names) for value in (change.before, change.after))
    return " → ".join(contrasted(before, after, _VALUE))


def _named(value: Any, field: str, names: Mapping[str, str]) -> Any:
    """A value as a person reads it: of a foreign key the row's name, of a list its parts."""
    if isinstance(value, str) and field.rpartition(".")[2] in REFERENCES:
        return names.get(value, value)
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def _short(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else shortened(value)


def _items_above(changes: Sequence[ChangeLine], items: Items) -> dict[int, list[str]]:
    """The item, over the first of its changes in a row."""
    found, before = {}, None
    for number, change in enumerate(changes):
        here = (change.board_id, change.item_id, change.row if change.item_id is None else None)
        if here != before:
            row = f"{change.table} {change.row}" if change.table in TABLES and change.row else ""
            found[number] = [items.shown(change.board_id, change.item_id) if change.item_id else row or "-"]
        before = here
    return found
