"""Many new items at once: a CSV file that monday.com takes in by itself, matched on the marker, so that a file that is
uploaded twice makes nothing twice. What a file cannot carry follows as an update.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from models import RowId
from monday.jobs import CSV_ROWS, Jobs, JobStatus, as_csv, csv_text
from monday_api import BOARDS, MARKER
from postgres import journal
from push.plan import PreparedPush
from push.record import WriteResult, in_fenced_transaction, write_outcome
from reconcile.columns import STATUS
from reconcile.errors import Unavailable
from reconcile.journal_ops import JournalOp, create_op
from reconcile.push_plan import CellEdit, ItemCreate
from run.context import Run
from run.start import RunStart

logger = logging.getLogger(__name__)

BULK_FROM: Final = 500
"""New items of a board from which on a job costs less than requests of many aliases."""


def made_by(jobs: Jobs, status: JobStatus) -> dict[int, int] | None:
    """Place in the file → item id, of a job that has ended; None where nothing tells. A rejected file made nothing."""
    if status.state == "REJECTED":
        return {}
    if status.state != "COMPLETED" or status.report_url is None:
        return None
    try:
        lines = jobs.report(status.report_url)
    except Unavailable as error:  # its address lives for 10 minutes
        logger.warning("no report of a bulk job reason=%s", error)
        return None
    return {line.serial - 1: line.item_id for line in lines if line.item_id is not None}


class Bulk:
    """Creates items by jobs. `require_lease` refuses to go on when the lease is not certainly ours."""

    def __init__(self, run: Run, start: RunStart, found: PreparedPush, require_lease: Callable[[], None]) -> None:
        self._run, self._start, self._found, self._gate = run, start, found, require_lease
        self.made: list[tuple[int, JournalOp, ItemCreate]] = []
        """Batch number, op with the new item's id, and what was created."""
        self.doubtful: list[tuple[int, ItemCreate]] = []
        """Batch number and what may have been created: the journal keeps it until that is certain."""

    def create(self, board: str, new: Sequence[ItemCreate]) -> list[ItemCreate]:
        """Those that a job refused, or that it could not take, come back: they go one by one. The others are `made`, or
        `doubtful` where a job ended without saying what it did."""
        assert self._found.boards is not None
        schema = self._found.boards.schemas[board]
        group = next((group.id for group in schema.groups), None)
        if group is None:
            return list(new)
        left: list[ItemCreate] = []
        for first in range(0, len(new), CSV_ROWS):
            left += self._job(board, schema.id, group, new[first : first + CSV_ROWS])
        return left

    def _job(self, board: str, board_id: int, group: str, part: Sequence[ItemCreate]) -> list[ItemCreate]:
        run, jobs, layout = self._run, self._run.client.jobs, self._run.layouts[board]
        columns = sorted({column_id for create in part for column_id in create.cells})
        rows = [(create.name, {MARKER: str(create.row)} | self._cells(board, create)) for create in part]
        file = as_csv([MARKER, *columns], rows)
        ops = [JournalOp(place, None, create.row, create_op(create, layout)) for place, create in enumerate(part)]
        keep = partial(
            journal.keep_batch, run_id=run.run_id, board_id=board_id, kind="ingest", key="", body="", ops=ops
        )
        number = in_fenced_transaction(run, partial(keep, sender=self._found.sender(run.client)), "keeping the journal")
        self._gate()
        started = jobs.start(board_id, group, MARKER)
        in_fenced_transaction(
            run, partial(journal.keep_job, number=number, job_id=started.job_id), "keeping the journal"
        )
        self._gate()
        jobs.upload(started.upload_url, file)
        status = jobs.wait(started.job_id, gate=self._gate)
        found = made_by(jobs, status)
        if found is None:
            logger.warning("bulk job in doubt board=%s rows=%d failure=%s", board, len(part), status.failure)
            self.doubtful += [(number, create) for create in part]
            return []
        logger.info("bulk job board=%s rows=%d made=%d state=%s", board, len(part), len(found), status.state)
        created: list[tuple[int, RowId, int]] = [(n, part[n].row, item_id) for n, item_id in sorted(found.items())]
        rest = [place for place in range(len(part)) if place not in found]
        outcome = WriteResult(number, rest, created=created, table=layout.record.table)
        in_fenced_transaction(run, partial(write_outcome, run, outcome=outcome), "recording the new items")
        for place, item_id in sorted(found.items()):
            op = ops[place]
            self.made.append((number, JournalOp(place, item_id, op.row, op.content), part[place]))
        return [part[place] for place in rest]

    def _cells(self, board: str, create: ItemCreate) -> dict[str, str]:
        """The cells that a file can carry; the fields of the others are marked as uncarried."""
        layout, carried = self._run.layouts[board], dict[str, str]()
        for column_id, cell in create.cells.items():
            text = self._text(board, column_id, cell)
            if text is not None:
                carried[column_id] = text
                continue
            create.uncarried |= {field for field in layout.fields if column_id in field.cells}
        return carried

    def _text(self, board: str, column_id: str, cell: CellEdit) -> str | None:
        """A cell in the form of the file; a status as the board spells its label."""
        codec = BOARDS[board][column_id].codec
        if codec is not STATUS:
            return csv_text(codec, cell.after)
        assert self._found.boards is not None
        spelled = self._found.boards.spelled[board].get(column_id, {}).get(cell.form.get("index"))
        return None if spelled is None else csv_text(codec, spelled)
