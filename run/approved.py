"""What a run has to do with a saved plan: it makes one, or carries one out and says what has moved since."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

import msgspec

from reconcile.approval import Moved, Subject
from reconcile.changes import Change
from reconcile.errors import UnsafePlan
from reconcile.types import ItemKey
from run.changes import line
from run.conflicts import Names
from run.context import Run
from run.report import counted
from run.runner import chosen
from run.saved_plan import KIND, VERSION, Belongs, SavedPlan, load_plan, refuse_foreign, save_plan
from run.start import RunStart

LISTED: Final = 20
_FREE: Final = frozenset(
    {
        "test", "json", "verbosity", "demo", "plan", "apply", "skip_moved", "detailed_exitcode", "boards", "max_change",
        "max_delete", "accept_shrink", "yes", "rebind_db", "rebind_board", "cache_files",
    }
)  # fmt: skip
"""Options that change nothing of what is planned, or that are compared otherwise."""


class MovedError(UnsafePlan):
    """The world is not as it was when a plan was approved."""

    listed = True


def approved_plan(run: Run, start: RunStart) -> SavedPlan | None:
    """The plan that this run is to carry out, if it is to. Raises ConfigError for one that is not of this place."""
    if run.options.apply is None:
        return None
    plan = load_plan(run.options.apply)
    refuse_foreign(run.options.apply, plan, _belongs(run, start), run.settings.plan_hours)
    return plan


def keep_plan(
    run: Run, start: RunStart, number: str, changes: Iterable[Change], items: Mapping[ItemKey, str], rows: Names
) -> None:
    """Save what a dry run would do, as it was told to. Raises ConfigError for a file that cannot be written."""
    if run.options.plan is None:
        return
    listed = list(changes)
    told = {change.address.item for change in listed}
    names = {f"{board}/{item_id}": name for (board, item_id), name in items.items() if item_id in told}
    belongs = _belongs(run, start)
    plan = SavedPlan(KIND, VERSION, run.run_id, datetime.now(UTC), number, belongs, names, dict(rows), listed)
    save_plan(run.options.plan, plan)
    run.report.notes.append(
        f"The plan is saved in {run.options.plan}, with {counted(len(listed), 'change')}. It holds personal data. "
        f"Carry it out with --apply {run.options.plan}, within {run.settings.plan_hours} hours."
    )


def _belongs(run: Run, start: RunStart) -> Belongs:
    state, place = start.sync_state, start.owned.place
    accounts = {
        board: state.boards[board_id].account_id or ""
        for board, board_id in run.board_ids.items()
        if board_id in state.boards
    }
    mapping = {board: key.hex() for board, key in start.hash_keys.items()}
    options = {name: value for name, value in chosen(run.options).items() if name not in _FREE}
    plain = msgspec.json.decode(msgspec.json.encode(options))
    return Belongs(
        run.report.direction, place.database, place.oid, place.system or "", accounts, run.board_ids, mapping, plain
    )


def moved_error(run: Run, plan: SavedPlan, moved: Moved) -> MovedError:
    """What to raise, with everything that is otherwise than it was; the report has all of it."""
    run.report.moved = _entries(moved)
    told = list(moved_lines(plan, moved))
    head = (
        f"The plan {plan.plan} is not what would be done now: {counted(len(told), 'change')} moved since it was "
        "approved, and nothing was written. Look at it anew with --test, or carry out the rest with --skip-moved."
    )
    more = [f"  … and {len(told) - LISTED:,} more: --json lists them all"] if len(told) > LISTED else []
    return MovedError("\n".join([head, *(f"  {text}" for text in islice(told, LISTED)), *more]))


def moved_lines(plan: SavedPlan, moved: Moved) -> Iterator[str]:
    """Each change that is new, gone or different, on a line, with both versions."""

    def text(change: Change) -> str:
        return "  ".join(change_columns(plan, change))

    yield from (f"new, not approved: {text(change)}" for change in moved.new)
    yield from (f"approved, and gone: {text(change)}" for change in moved.gone)
    yield from (f"different: approved {text(then)}, now {text(now)}" for then, now in moved.different)


def change_columns(plan: SavedPlan, change: Change) -> Sequence[str]:
    """A change of a plan as columns of a line: where, what of it, from what to what."""
    at = change.address
    key = f"{at.board}/{at.item}"
    items = {item_key(key): plan.items[key]} if key in plan.items else {}
    return line(change, items, plan.rows) if at.field else (*_whole(change, items), "")


def item_key(key: str) -> ItemKey:
    """`board/id` as a key of an item."""
    board, _, item_id = key.rpartition("/")
    return board, int(item_id)


def _whole(change: Change, items: Mapping[ItemKey, str]) -> Sequence[str]:
    at = change.address
    where = f"{at.board} item {at.item}" if at.item is not None else f"row {(at.row or '')[:8]}"
    name = items.get((at.board, at.item)) if at.board is not None and at.item is not None else None
    return (f"{change.action} {at.table or 'item'}", where + (f' "{name}"' if name else ""))


def _entries(moved: Moved) -> list[dict[str, Any]]:
    """The changes that moved, for `--json`."""
    return [
        *({"moved": "new", **msgspec.to_builtins(change)} for change in moved.new),
        *({"moved": "gone", **msgspec.to_builtins(change)} for change in moved.gone),
        *({"moved": "different", **msgspec.to_builtins(now), "approved": then.after} for then, now in moved.different),
    ]


def note_left(run: Run, plan: SavedPlan, moved: Moved, left: Iterable[Subject]) -> None:
    """Put into the report what was left out of a plan that is carried out otherwise."""
    told = list(moved_lines(plan, moved))
    subjects = counted(len(set(left)), "item or row", "items or rows")
    head = f"{subjects} left for the next run, since something of it has moved since the plan was approved:"
    run.report.moved = _entries(moved)
    notes = [head, *told[:LISTED], *([f"… and {len(told) - LISTED:,} more"] if len(told) > LISTED else [])]
    run.report.notes = list(dict.fromkeys([*run.report.notes, *notes]))
