"""The last word before anything is written: is this plan what people did, or what a broken read or mapping looks like?

A guard counts rows of one table, or items of one board, against a limit. It counts what is destroyed: a value that
gives way to another or to nothing, and what is archived. What is only filled is never counted. Each refusal names field
and kind, the option that overrides it, and how to put right what was not meant.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from reconcile.boards import BOARD_SPECS
from reconcile.derived import DEFAULT_STATUS
from reconcile.errors import UnsafePlan
from reconcile.losses import Loss, how_lost
from reconcile.plan_pull import Plan, Update
from reconcile.push_plan import ItemPush, Push

CHANGE_FLOOR, CHANGE_SHARE = 50, 0.30
DELETE_FLOOR, DELETE_SHARE = 5, 0.02
COLUMN_FLOOR, COLUMN_SHARE = 20, 0.60
SHRINK_SHARE = 0.50
CREATE_FLOOR, CREATE_SHARE = 50, 0.10
ADOPT_FLOOR, ADOPT_SHARE = 20, 0.05
ALL_CHANGED_FLOOR = 20
LOOKALIKE_FLOOR = 5
NAMED = 8
"""Fields that one refusal names, those with the most losses first."""

_OURS = frozenset({"archived_at", "monday_item_id"})
"""Columns in which nobody's value is lost: archived items have a guard of their own, and an id follows its item."""


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
                f"The {board} board shows {size.read:,} items, and {size.known:,} were known: nothing was written "
                f"({size.known - size.read:,} × {_record(board)}: item → not there). If the token's user lost sight "
                "of items, or they were removed by mistake, put that right and run again; if it is right, run with "
                "--accept-shrink."
            )


def guard_plan(plan: Plan, known_items: Mapping[str, int], thresholds: Thresholds) -> None:
    """Refuse a plan that destroys more than people do between two runs.

    `known_items` are the active items of each board before the run. Raises UnsafePlan with every reason.
    """
    reasons = list(_all_changed(plan, sum(known_items.values()), thresholds))
    reasons += _another_database(plan, thresholds)
    reasons += _second_rows(plan, known_items, thresholds)
    reasons += _too_many_changes(plan, thresholds)
    reasons += _too_many_gone(plan, known_items, thresholds)
    if reasons:
        raise UnsafePlan("Refused, nothing was written: " + " ".join(reasons))


def guard_push(
    push: Push, known_items: Mapping[str, int], thresholds: Thresholds, fields: Mapping[tuple[str, str], str]
) -> None:
    """Refuse a push that overwrites or archives more items of a board than people do between two runs, or makes more.

    `fields` names what (board, column id) shows. Raises UnsafePlan with every reason.
    """
    reasons = [
        reason
        for board, known in sorted(known_items.items())
        for reason in (
            *_too_many_overwritten(push, board, known, thresholds, fields),
            *_too_many_made(push, board, known, thresholds),
            *_too_many_archived(push, board, known, thresholds),
        )
    ]
    if reasons:
        raise UnsafePlan("Refused, nothing was sent: " + " ".join(reasons))


# What is destroyed ----------------------------------------------------------------------------------------------------


def lost_columns(table: str, update: Update) -> list[Loss]:
    """The values that one changed row loses. `status` follows the stage, and `roles` what the boards say: they lose
    only what was not made of that.

    >>> row = "0e0e0e0e-0000-4000-8000-000000000001"
    >>> lost_columns("customers", Update(row, {"name": (None, "Ann"), "phone": ("1", None), "email": ("a", "b")}))
    [('customers.phone', 'filled → empty'), ('customers.email', 'filled → something else')]
    """
    return [
        (f"{table}.{column}", kind)
        for column, (before, after) in update.changes.items()
        if column not in _OURS and not _derived(column, before, after, update)
        if (kind := how_lost(before, after))
    ]


def lost_cells(item: ItemPush, fields: Mapping[tuple[str, str], str]) -> list[Loss]:
    """The values that one written item loses."""
    return [
        (fields[item.board, column_id], kind)
        for column_id, cell in item.cells.items()
        if (kind := how_lost(cell.before, cell.after))
    ]


def _derived(column: str, before: Any, after: Any, update: Update) -> bool:
    if column == "roles":
        return set(before or ()) <= set(after or ())
    if column == "status":
        stage, _now = update.changes.get("current_stage", ("", ""))
        return bool(stage) or before == DEFAULT_STATUS
    return False


def _named(losses: Counter[Loss]) -> str:
    """As `435 × projects.estimated_value: filled → empty`."""
    ordered = sorted(losses.items(), key=lambda entry: (-entry[1], entry[0]))
    told = [f"{count:,} × {field}: {kind}" for (field, kind), count in ordered[:NAMED]]
    if len(ordered) > NAMED:
        told.append(f"and {len(ordered) - NAMED} more")
    return ", ".join(told)


# The guards of a pull -------------------------------------------------------------------------------------------------


def _all_changed(plan: Plan, known: int, thresholds: Thresholds) -> Iterator[str]:
    if known >= ALL_CHANGED_FLOOR and plan.edited_items >= known and not thresholds.resync:
        yield (
            f"every one of the {known:,} known items lost something since the last run ({_named(plan.edited_fields)}), "
            "which looks like a changed mapping, time zone or language and not like edits: put that right and run "
            "again; if it is right, run with --resync."
        )


def _another_database(plan: Plan, thresholds: Thresholds) -> Iterator[str]:
    known, differ = plan.adopted_fields, plan.adopted_differences.total()
    if differ > max(ADOPT_FLOOR, known * ADOPT_SHARE) and not thresholds.adopt_anyway:
        by_field = Counter({(field, "both filled, and different"): n for field, n in plan.adopted_differences.items()})
        yield (
            f"rows that were here before the first sync differ from the boards in {differ:,} of {known:,} fields "
            f"({_named(by_field)}): if it is the wrong database, correct DATABASE_URL; else look at --test -v, then "
            "run with --yes to leave both sides as they are, or with --adopt monday or pg."
        )


def _second_rows(plan: Plan, known_items: Mapping[str, int], thresholds: Thresholds) -> Iterator[str]:
    """Jobs that would be there twice: on a first run one of them is too many, later a few are left to the person."""
    boards = Counter(pair.item[0] for pair in plan.lookalikes)
    for board, count in sorted(boards.items()):
        if count > (LOOKALIKE_FLOOR if known_items.get(board) else 0) and not thresholds.second_rows:
            yield (
                f"items that would get a new row look like rows of projects without monday_item_id, {count:,} of them "
                f"({count:,} × projects: item → second row): write the items' ids into those rows (--test -v prints "
                "the statements) and run again, or run with --yes if they are other jobs."
            )


def _too_many_changes(plan: Plan, thresholds: Thresholds) -> Iterator[str]:
    for table, updates in plan.updates.items():
        losses = [
            lost
            for update in updates
            if update.id not in plan.again  # what is tried again is no news
            and not _parts(update, plan)  # they were parted
            and (lost := lost_columns(table, update))
        ]
        known = plan.known_rows.get(table, 0)
        limit = _limit(thresholds.max_change, CHANGE_FLOOR, CHANGE_SHARE, known)
        by_field = Counter(loss for row in losses for loss in row)
        if len(losses) > limit:
            yield (
                f"{len(losses):,} of {known:,} rows of {table} would lose something, the limit is {limit:,} "
                f"({_named(by_field)}); {_RIGHT_OR_WRONG} --max-change {len(losses)}."
            )
        elif thresholds.max_change is None:
            yield from _lost_column(known, by_field)


def _parts(update: Update, plan: Plan) -> bool:
    """Whether a row does nothing but point at rows that were parted from others."""
    return all(isinstance(after, str) and after in plan.new_rows for _before, after in update.changes.values())


_RIGHT_OR_WRONG = (
    "if a column was cleared or overwritten on the board by mistake, undo it there and run again; if it is right, run "
    "with"
)


def _lost_column(known: int, by_field: Counter[Loss]) -> Iterator[str]:
    of_field: Counter[str] = Counter()
    for (field, _kind), count in by_field.items():
        of_field[field] += count
    for field, count in sorted(of_field.items()):
        if count > max(COLUMN_FLOOR, known * COLUMN_SHARE):
            kinds = Counter({loss: lost for loss, lost in by_field.items() if loss[0] == field})
            yield (
                f"{field} would lose its value in {count:,} of {known:,} rows ({_named(kinds)}); {_RIGHT_OR_WRONG} "
                f"--max-change {count}."
            )


def _too_many_gone(plan: Plan, known_items: Mapping[str, int], thresholds: Thresholds) -> Iterator[str]:
    gone = Counter(item.board for item in plan.departed if item.archive)
    for board, count in sorted(gone.items()):
        limit = _limit(thresholds.max_delete, DELETE_FLOOR, DELETE_SHARE, known_items.get(board, 0))
        if count > limit:
            yield (
                f"{count:,} items of the {board} board are archived or deleted, the limit is {limit:,} ({count:,} × "
                f"{_record(board)}.archived_at: item → archived); if they were removed by mistake, restore them on "
                f"the board and run again; if it is right, run with --max-delete {count}."
            )


def _record(board: str) -> str:
    """The table whose rows stand for the items of a board."""
    return BOARD_SPECS[board].table


# The guards of a push -------------------------------------------------------------------------------------------------


def _too_many_overwritten(
    push: Push, board: str, known: int, thresholds: Thresholds, fields: Mapping[tuple[str, str], str]
) -> Iterator[str]:
    losses = [lost for item in push.items if item.board == board and (lost := lost_cells(item, fields))]
    limit = _limit(thresholds.max_change, CHANGE_FLOOR, CHANGE_SHARE, known)
    if len(losses) > limit:
        yield (
            f"{len(losses):,} items of the {board} board ({known:,} known) would lose something, the limit is "
            f"{limit:,} ({_named(Counter(loss for item in losses for loss in item))}); if a column was cleared or "
            "overwritten in PostgreSQL by mistake, put it right there and run again; if it is right, run with "
            f"--max-change {len(losses)}."
        )


def _too_many_made(push: Push, board: str, known: int, thresholds: Thresholds) -> Iterator[str]:
    count = sum(new.board == board for new in push.creates)
    limit = _limit(thresholds.max_create, CREATE_FLOOR, CREATE_SHARE, known)
    if count > limit:
        yield (
            f"{count:,} items of the {board} board ({known:,} known) would be created, the limit is {limit:,} "
            f"({count:,} × {_record(board)}: row → new item); if these rows are no new ones, write the items' ids "
            f"into monday_item_id and run again; if it is right, run with --max-create {count}."
        )


def _too_many_archived(push: Push, board: str, known: int, thresholds: Thresholds) -> Iterator[str]:
    count = sum(key[0] == board for key in push.archives)
    limit = _limit(thresholds.max_delete, DELETE_FLOOR, DELETE_SHARE, known)
    if count > limit:
        yield (
            f"{count:,} items of the {board} board ({known:,} known) would be archived, the limit is {limit:,} "
            f"({count:,} × {_record(board)}: deleted row → archived item); if the rows were deleted by mistake, put "
            f"them back with their ids and run again; if it is right, run with --max-delete {count}."
        )


def _limit(asked: int | None, floor: int, share: float, known: int) -> int:
    return asked if asked is not None else max(floor, int(known * share))
