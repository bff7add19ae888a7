"""`show FILE`: a saved plan as the dry run printed it. `diff FILE FILE`: what two plans differ in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from options import CONTEXT_SETTINGS
from reconcile.approval import moved
from reconcile.errors import Exit
from run.approved import change_columns, moved_lines
from run.report import PROGRAMS, counted
from run.saved_plan import SavedPlan, load_plan
from status.window import common_options, ending
from terminal.page import aligned
from terminal.say import say, say_json

_FILE = click.Path(path_type=Path)


@click.command("show", context_settings=CONTEXT_SETTINGS)
@click.argument("file", type=_FILE)
@click.option("--redact", is_flag=True, help="Values by kind and length alone, names left out: for a ticket.")
@common_options
@ending
def show(file: Path, *, redact: bool, as_json: bool, demo: bool) -> Exit:
    """Show a saved plan, every change of it. Neither monday.com nor the database is asked."""
    plan = load_plan(file)
    plan = redacted(plan) if redact else plan
    if as_json:
        say_json(msgspec.to_builtins(plan))
        return Exit.DONE
    say(*_head(plan), "")
    say(*aligned([change_columns(plan, change) for change in plan.changes]))
    return Exit.DONE


@click.command("diff", context_settings=CONTEXT_SETTINGS)
@click.argument("before", type=_FILE)
@click.argument("after", type=_FILE)
@common_options
@ending
def diff(before: Path, after: Path, *, as_json: bool, demo: bool) -> Exit:
    """Say what two saved plans differ in: changes that are new, gone or different. Ends with 5 where they do."""
    one, other = load_plan(before), load_plan(after)
    difference = moved(one.changes, other.changes)
    code = Exit.PERSON_NEEDED if difference else Exit.DONE
    if as_json:
        found = {"new": difference.new, "gone": difference.gone, "different": difference.different}
        say_json({"version": 1, "exit_code": int(code), **msgspec.to_builtins(found)})
        return code
    say(f"{before}: {_title(one)}", f"{after}: {_title(other)}", "")
    names = msgspec.structs.replace(other, items=one.items | other.items, rows=one.rows | other.rows)
    say(*(moved_lines(names, difference) if difference else ["Both plans are the same, change by change."]))
    return code


def _head(plan: SavedPlan) -> Iterator[str]:
    there = plan.belongs
    yield f"{_title(plan)} · {counted(len(plan.changes), 'change')}"
    boards = ", ".join(f"{name} {board_id}" for name, board_id in there.boards.items())
    yield f"database {there.database} · boards {boards}"
    if there.options:
        yield "options " + " ".join(f"{name}={value}" for name, value in sorted(there.options.items()))


def _title(plan: SavedPlan) -> str:
    made = f"{plan.made_at.astimezone():%Y-%m-%d %H:%M %Z}"
    program = PROGRAMS.get(plan.belongs.direction, plan.belongs.direction)
    return f"{program} · plan {plan.plan or 'of nothing'} · {made} · run {plan.run_id}"


def redacted(plan: SavedPlan) -> SavedPlan:
    """The plan without what is personal: values by kind and length, no names, no checksum that would fit."""
    changes = [
        msgspec.structs.replace(change, before=_kind(change.before), after=_kind(change.after))
        for change in plan.changes
    ]
    return msgspec.structs.replace(plan, changes=changes, items={}, rows={}, checksum="")


def _kind(value: Any) -> Any:
    """A value by kind and length.

    >>> _kind("Ann Lee"), _kind(12.5), _kind({"name": "Ann"}), _kind(None)
    ('text of 7', 'number', {'name': 'text of 3'}, None)
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return f"text of {len(value)}"
    if isinstance(value, Mapping):
        return {name: _kind(of_it) for name, of_it in value.items()}
    return f"list of {len(value)}" if isinstance(value, list) else "number"
