"""The description of the marker column names the database that a board belongs to: a second one is refused by it, from
whichever machine.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from functools import partial
from typing import Final

from monday_api import MARKER
from postgres.place import forget_replaced
from push.record import in_fenced_transaction
from reconcile.place import BOARD, Bound, Rival
from run.context import Run
from run.place import refusal, taken_over
from run.start import RunStart

logger = logging.getLogger(__name__)

_CLAIM: Final = re.compile(r"database (.{1,80}?), claim ([0-9a-f]{12})\b", re.DOTALL)


def description(bound: Bound) -> str:
    """What the marker column says of itself: nothing in it leads to the database."""
    return (
        f"The id of each item's row. This board is synced with the database {bound.database}, claim {bound.claim}. "
        "Leave this column and its description as they are."
    )


def refuse_claimed(run: Run, start: RunStart, marked: Mapping[str, str]) -> None:
    """Raise UnsafePlan for a board that names another database, unless this run takes it over."""
    rivals = {
        board: [claimed]
        for board, text in marked.items()
        if is_anothers(start, board, text) and (claimed := _claimed(text)) is not None
    }
    if rivals and not run.options.rebind_db:
        raise refusal(start.owned.place, rivals)
    told = run.report.notes
    told += [note for note in taken_over(run, start.owned.place, rivals) if note not in told]


def claim(run: Run, start: RunStart, marked: Mapping[str, str]) -> None:
    """Let the boards name this database, where they do not yet; before the first write to them.

    Where monday does not let us, the push goes on: the database and this folder still know whose the boards are.
    """
    for board, text in marked.items():
        bound, claimed = start.owned.bound[board], _claimed(text)
        if claimed is None or claimed.claim != bound.claim:
            fault = run.client.looker.describe(board, MARKER, description(bound))
            if fault is not None:
                logger.warning("the board does not name its database board=%s code=%s", board, fault.code)
                continue
        if bound.replaced:
            forget = partial(forget_replaced, board_id=run.board_ids[board])
            in_fenced_transaction(run, forget, "recording whose board it is")


def is_anothers(start: RunStart, board: str, text: str) -> bool:
    """Whether a marker column of this description names a database that this one did not take the board over from."""
    claimed, bound = _claimed(text), start.owned.bound[board]
    return claimed is not None and claimed.claim not in (bound.claim, *bound.replaced)


def _claimed(text: str) -> Rival | None:
    found = _CLAIM.findall(text)
    if not found:
        return None
    database, claimed = found[-1]
    return Rival(f"{database} ({claimed})", claimed, BOARD)
