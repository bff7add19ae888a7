"""The last word before anything is written: is this plan what people did, or what a broken read or mapping looks like?

A guard counts rows of one table, or items of one board, against a limit, and names the option that overrides it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from reconcile.errors import UnsafePlan
from reconcile.plan import Plan, Update
from reconcile.push import Push

CHANGE_FLOOR, CHANGE_SHARE = 50, 0.30
DELETE_FLOOR, DELETE_SHARE = 5, 0.02
COLUMN_FLOOR, COLUMN_SHARE = 20, 0.60
SHRINK_SHARE = 0.50
CREATE_FLOOR, CREATE_SHARE = 50, 0.10
ADOPT_FLOOR, ADOPT_SHARE = 20, 0.05
ALL_CHANGED_FLOOR = 20
LOOKALIKE_FLOOR = 5


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What a person allowed for this run; None means the usual limit."""

    max_change: int | None = None
    max_delete: int | None = None
    accept_shrink: bool = False
    resync: bool = False
    adopt_anyway: bool = False
    second_rows: bool = False
    max_create: int | None = None


@dataclass(frozen=True, slots=True)
class BoardSize:
    """One board: items read, items that were active before this run, and whether the read was whole."""

    read: int
    known: int
    complete: bool


def guard_read(boards: Mapping[str, BoardSize], thresholds: Thresholds) -> None:
    """Refuse a board that is suddenly empty, or half of what it was.

    Raises UnsafePlan; partial reads are not looked at, since nothing is removed because of one.
    """
    if thresholds.accept_shrink:
        return
    for board, size in boards.items():
        if size.complete and (size.read == 0 or size.read < size.known * SHRINK_SHARE):
            raise UnsafePlan(
                f"The {board} board shows {size.read:,} items, and {size.known:,} were known: nothing was written. "
                "If that is right, run again with --accept-shrink."
            )


def guard_plan(plan: Plan, known_items: Mapping[str, int], thresholds: Thresholds) -> None:
    """Refuse a plan that changes or removes more than people do between two runs.

    `known_items` are the active items of each board before the run. Raises UnsafePlan with every reason.
    """
    reasons = list(_all_changed(plan, sum(known_items.values()), thresholds))
    reasons += _another_database(plan, thresholds)
    reasons += _second_rows(plan, known_items, thresholds)
    reasons += _too_many_changes(plan, thresholds)
    reasons += _too_many_gone(plan, known_items, thresholds)
    if reasons:
        raise UnsafePlan("Refused, nothing was written: " + " ".join(reasons))


def guard_push(push: Push, known_items: Mapping[str, int], thresholds: Thresholds) -> None:
    """Refuse a push that changes, creates or archives more items of a board than people do between two runs.

    Raises UnsafePlan with every reason.
    """
    kinds = (
        ("changed", Counter(item.board for item in push.items), thresholds.max_change, CHANGE_FLOOR, CHANGE_SHARE),
        ("created", Counter(new.board for new in push.creates), thresholds.max_create, CREATE_FLOOR, CREATE_SHARE),
        ("archived", Counter(board for board, _ in push.archives), thresholds.max_delete, DELETE_FLOOR, DELETE_SHARE),
    )
    options = {"changed": "--max-change", "created": "--max-create", "archived": "--max-delete"}
    reasons = [
        f"{count:,} items of the {board} board ({known_items.get(board, 0):,} known) would be {kind}, the limit is "
        f"{limit:,}; if that is right, run with {options[kind]} {count}."
        for kind, counts, asked, floor, share in kinds
        for board, count in sorted(counts.items())
        if count > (limit := _limit(asked, floor, share, known_items.get(board, 0)))
    ]
    if reasons:
        raise UnsafePlan("Refused, nothing was sent: " + " ".join(reasons))


def _all_changed(plan: Plan, known: int, thresholds: Thresholds) -> Iterator[str]:
    if known >= ALL_CHANGED_FLOOR and plan.edited_items >= known and not thresholds.resync:
        yield (
            f"every one of the {known:,} known items differs from the last run, which looks like a changed mapping, "
            "time zone or language and not like edits; if it is right, run with --resync."
        )


def _another_database(plan: Plan, thresholds: Thresholds) -> Iterator[str]:
    known, differ = plan.adopted_fields, plan.adopted_differences
    if differ > max(ADOPT_FLOOR, known * ADOPT_SHARE) and not thresholds.adopt_anyway:
        yield (
            f"rows that were here before the first sync differ from the boards in {differ:,} of {known:,} fields: "
            "look at --test -v, then run with --yes to leave both sides as they are, or with --adopt monday or pg."
        )


def _second_rows(plan: Plan, known_items: Mapping[str, int], thresholds: Thresholds) -> Iterator[str]:
    """Jobs that would be there twice: on a first run one of them is too many, later a few are left to the person."""
    boards = Counter(pair.item[0] for pair in plan.lookalikes)
    for board, count in sorted(boards.items()):
        if count > (LOOKALIKE_FLOOR if known_items.get(board) else 0) and not thresholds.second_rows:
            yield (
                f"items that would get a new row look like rows of projects without monday_item_id, {count:,} of them: "
                "write the items' ids into those rows (--test -v prints the statements), or run with --yes if they are "
                "other jobs."
            )


def _too_many_changes(plan: Plan, thresholds: Thresholds) -> Iterator[str]:
    for table, every_update in plan.updates.items():
        updates = [
            update
            for update in every_update
            if update.id not in plan.again
            and update.changes.keys() != {"archived_at"}  # see _too_many_gone
            and not _parts(update, plan)  # they were parted
        ]
        known = plan.known_rows.get(table, 0)
        limit = _limit(thresholds.max_change, CHANGE_FLOOR, CHANGE_SHARE, known)
        if len(updates) > limit:
            yield (
                f"{len(updates):,} of {known:,} rows of {table} would change, the limit is {limit:,}; "
                f"if that is right, run with --max-change {len(updates)}."
            )
        elif thresholds.max_change is None:
            yield from _cleared_columns(table, known, (update.changes for update in updates))


def _parts(update: Update, plan: Plan) -> bool:
    """Whether a row does nothing but point at rows that were parted from others."""
    return all(isinstance(after, str) and after in plan.new_rows for _before, after in update.changes.values())


def _cleared_columns(table: str, known: int, changes: Iterable[Mapping[str, object]]) -> Iterator[str]:
    by_column = Counter(column for change in changes for column in change)
    for column, count in sorted(by_column.items()):
        if count > max(COLUMN_FLOOR, known * COLUMN_SHARE):
            yield (
                f"{table}.{column} would change in {count:,} of {known:,} rows, as if somebody had cleared the column; "
                f"if that is right, run with --max-change {count}."
            )


def _too_many_gone(plan: Plan, known_items: Mapping[str, int], thresholds: Thresholds) -> Iterator[str]:
    gone = Counter(item.board for item in plan.departed if item.archive)
    for board, count in sorted(gone.items()):
        limit = _limit(thresholds.max_delete, DELETE_FLOOR, DELETE_SHARE, known_items.get(board, 0))
        if count > limit:
            yield (
                f"{count:,} items of the {board} board are archived or deleted, the limit is {limit:,}; "
                f"if that is right, run with --max-delete {count}."
            )


def _limit(asked: int | None, floor: int, share: float, known: int) -> int:
    return asked if asked is not None else max(floor, int(known * share))
