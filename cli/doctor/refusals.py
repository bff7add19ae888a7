"""What a board's own rules ask of its items, and what the next push would not send because of them, or of anything else
that monday.com is known to refuse.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import Final

from cli.doctor.database import keywords_of
from cli.doctor.finding import Finding, ok, warning
from db_connector import Database
from monday.boards import BoardSchema
from monday_api import BOARDS, MondayClient
from options import Options
from push.plan import PreparedPush, find_edits, prepare_push
from reconcile.errors import SyncError
from reconcile.foretold import BoardRules, fills
from reconcile.push_plan import Rejection
from run.context import PUSH, Run, new_run_id
from run.progress import Progress
from run.report import ItemsReport, Report, counted
from run.start import start_run
from settings import Settings

_PATIENCE_S: Final = 0.3
_SHOWN: Final = 10


def examine_rules(client: MondayClient) -> Iterator[Finding]:
    """The rules of the client's boards, as far as they are understood."""
    shown = client.look({}, rules=True)
    for name, schema in shown.schemas.items():
        yield from _rules(f"{name} rules", name, schema, shown.rules.get(name, BoardRules()))


def _rules(check: str, name: str, schema: BoardSchema, rules: BoardRules) -> Iterator[Finding]:
    if not rules.told:
        yield ok(
            check,
            "the token's user may not read which columns are required and what is validated: what the board refuses is "
            "known when it does",
        )
        return
    titles = {column_id: column.title for column_id, column in schema.columns.items()}
    if lacking := [
        column_id for column_id in rules.required if column_id != "name" and not fills(BOARDS[name].get(column_id))
    ]:
        named = ", ".join(f'{column_id} ("{titles.get(column_id, "?")}")' for column_id in lacking)
        yield warning(
            check,
            f"the board requires {named} of a new item, which no column of PostgreSQL fills: no row becomes an item",
            "let the owner of the board make it optional",
        )
    for rule, why in (rules.unread or {}).items():
        yield warning(
            check,
            f"rule {rule} is not understood, because of {why}: what it refuses is not foretold",
            "nothing breaks: what monday.com refuses because of it is set aside then",
        )
    what = f"{counted(len(rules.required), 'column is', 'columns are')} required"
    yield ok(check, f"{what}, {counted(len(rules.rules), 'validation rule is', 'validation rules are')} known")


def examine_refusals(settings: Settings) -> Iterator[Finding]:
    """The cells and new items that the next push would set aside, by its own plan."""
    keywords = keywords_of(settings)
    if keywords is None:
        return
    run_id = new_run_id()
    report = Report(run_id, PUSH, dry_run=True, items=ItemsReport())
    with Progress(quiet=True, plain=True) as progress:
        database = Database(keywords, sleep=lambda wait_s: time.sleep(min(wait_s, _PATIENCE_S)))
        run = Run(run_id, Options(test=True), settings, dict(settings.board_ids), database, report, progress)
        try:
            found = _planned(run)
        except SyncError as error:  # another check has said so, or there was no first run yet
            yield ok("refusals", f"what the next push would send is not known: {error}", detail=True)
            return
        finally:
            run.close()
    yield from _told(found)


def _planned(run: Run) -> PreparedPush:
    start = run.database.transact(partial(start_run, run), read_only=True, label="reading the sync state")
    edits = run.database.transact(partial(find_edits, run, start, ()), read_only=True, label="finding what changed")
    return prepare_push(run, start, edits)


def _told(found: PreparedPush) -> Iterator[Finding]:
    push = found.push
    left_out = [(cell, f"the row {create.row}") for create in push.creates for cell in create.rejected]
    refused = [(cell, str(cell.item_id or "a new item")) for cell in push.rejected] + left_out
    for cell, whose in refused[:_SHOWN]:
        says, _colon, fix = cell.reason.partition(": ")
        yield warning("refusals", f"{cell.board} {whose} {_named(cell)} would be refused: {says}", fix)
    if len(refused) > _SHOWN:
        yield warning("refusals", f"and {len(refused) - _SHOWN:,} more", "sync_pg_to_monday.py --test -v lists them")
    if still := len(push.still_rejected):
        yield warning(
            "refusals",
            f"{counted(still, 'value')} that monday.com would not take {'is' if still == 1 else 'are'} there still",
            "sync_pg_to_monday.py --test -v lists them: correct each one in PostgreSQL",
        )
    if not refused and not still:
        yield ok(
            "refusals", f"nothing of what the next push has to send is known to be refused ({push.writes:,} items)"
        )


def _named(cell: Rejection) -> str:
    column = BOARDS[cell.board].get(cell.column_id)
    return cell.column_id if column is None else f'{cell.column_id} ("{column.title}", {column.target or "its name"})'
