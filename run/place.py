"""Refuses to push from a database to which the boards do not belong: a copy, or one that a changed setting leads to.

The database remembers where it was when it took a board, this folder which database that was; and the board's marker
column names it to everybody else (`push.claim`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from postgres.migrate import Installed
from postgres.place import Itself, keep_bound
from postgres.transaction import Transaction
from reconcile.errors import UnsafePlan
from reconcile.place import Bound, Local, Place, Rival, judge
from run.context import PUSH, Run
from run.place_file import keep, recall

TAKE_OVER: Final = (
    "They would overwrite each other's edits. Check DATABASE_URL; if this database is to have the board from now on, "
    "or is the same one at another address, run again with --rebind-db, once."
)


@dataclass(frozen=True, slots=True)
class Owned:
    """Which boards are this database's. `foreign` are boards that belong to another one as well, and were not taken
    over: a pull reads them, and nothing is sent to them. `runs` are the last ones from here that this database put on
    record, by board."""

    place: Place
    bound: Mapping[str, Bound] = field(default_factory=dict)
    foreign: Mapping[str, Sequence[Rival]] = field(default_factory=dict)
    runs: Mapping[str, str] = field(default_factory=dict)

    def forgotten_run(self, newest: str | None) -> str | None:
        """The last run from here, if the newest that the database knows is an older one: then it was restored from a
        backup. None where nothing was forgotten, or nothing is remembered here."""
        last = max(self.runs.values(), default="")
        return last if newest is not None and last > newest else None


def settle_owner(
    run: Run, tx: Transaction, itself: Itself, remembered: Mapping[int, Bound], before: Installed | None
) -> Owned:
    """Decide for each board of the run, and let the database remember what is new. `before` is how it was found.

    Raises UnsafePlan for a push from a database to which a board does not belong, unless that takes it over.
    """
    place = itself.at(run.database.host, run.database.port)
    bound: dict[str, Bound] = {}
    rivals: dict[str, Sequence[Rival]] = {}
    runs: dict[str, str] = {}
    for board, board_id in run.board_ids.items():
        known = remembered.get(board_id)
        local = recall(run.settings, board_id, before.instance if before else None)
        verdict = judge(place, known, local)
        bound[board] = verdict.bound
        if local is not None and local.claim == (known or place).claim:
            runs[board] = local.run
        if verdict.rivals:
            rivals[board] = verdict.rivals
        may_take = not verdict.rivals or known is None or run.options.rebind_db
        if not run.dry and may_take and verdict.bound != known:
            keep_bound(tx, board_id, verdict.bound)
    if not rivals:
        return Owned(place, bound, runs=runs)
    if run.options.rebind_db:
        run.report.notes += taken_over(run, place, rivals)
        return Owned(place, bound, runs=runs)
    if run.report.direction == PUSH:
        raise refusal(place, rivals)
    told = " ".join(_claims(place, rivals, "this run reads into. A push from there is refused"))
    run.report.notes.append(f"{told} {TAKE_OVER}")
    return Owned(place, bound, rivals, {board: last for board, last in runs.items() if board not in rivals})


def refusal(place: Place, rivals: Mapping[str, Sequence[Rival]]) -> UnsafePlan:
    """The error that names the databases which claim a board."""
    told = " ".join(_claims(place, rivals, "this run would push from"))
    return UnsafePlan(f"{told} Nothing was written. {TAKE_OVER}")


def remember(run: Run, owned: Owned, *, recorded: bool = False) -> None:
    """Keep in this folder which database the boards were synced with, once that is committed there; and that it was by
    this run, once that is on record there."""
    if not run.dry:
        ours = {
            run.board_ids[board]: Local(
                bound.claim, owned.place.shown, run.run_id if recorded else owned.runs.get(board, "")
            )
            for board, bound in owned.bound.items()
            if board not in owned.foreign
        }
        keep(run.settings, ours)


def _claims(place: Place, rivals: Mapping[str, Sequence[Rival]], what: str) -> Iterator[str]:
    for boards, rival in _together(rivals):
        yield f"Two databases claim the {boards}: {rival.shown}, {rival.says}, and {place.shown}, which {what}."


def taken_over(run: Run, place: Place, rivals: Mapping[str, Sequence[Rival]]) -> Iterator[str]:
    """What it means that this run takes the boards over."""
    for boards, rival in _together(rivals):
        yield (
            f"The {boards} {'would now belong' if run.dry else 'from now on belong'} to the database {place.shown}, "
            f"taken over from {rival.shown}: what this one holds counts. A push from the other is refused where the "
            "board has the column of --setup-marker; elsewhere see to it that there is none."
        )


def _together(rivals: Mapping[str, Sequence[Rival]]) -> Iterator[tuple[str, Rival]]:
    """`board master`, or both boards where the rival is the same."""
    boards: dict[Rival, list[str]] = defaultdict(list)
    for board, found in rivals.items():
        for rival in found:
            boards[rival].append(board)
    for rival, names in boards.items():
        yield f"board{'s' if len(names) > 1 else ''} {' and '.join(names)}", rival
