"""monday.com: the token and its rights, the version that answers, the day's budget, both boards column by column."""

from __future__ import annotations

import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, Final

import msgspec

from cli.doctor.finding import Finding, from_error, guarded, ok, problem, warning
from cli.doctor.machine import compare_clocks
from cli.doctor.refusals import examine_rules
from cli.settings import Settings
from monday.boards import BoardSchema, ColumnDrift
from monday.wire import Aliases, Document
from monday_api import BOARDS, MARKER, MARKER_TITLE, MondayClient
from reconcile.errors import ConfigError, Exit, SyncError, Unavailable

_PATIENCE_S: Final = 1.0
_RUNS_A_DAY: Final = 24
"""Hourly runs, at about four calls each, are what the day's calls are measured against."""
_WHO: Final[Document[Aliases]] = Document(
    "Who",
    "query Who($boards: [ID!]!) { me { name kind status account { name } } "
    "boards(ids: $boards, state: all, limit: 10) { id access_level } "
    "complexity { query after reset_in_x_seconds } }",
    Aliases,
)


class _Account(msgspec.Struct):
    name: str = ""


class _Who(msgspec.Struct):
    name: str = ""
    kind: str = ""
    status: str = ""
    account: _Account | None = None


class _Access(msgspec.Struct):
    id: str
    access_level: str = ""


def examine_monday(settings: Settings) -> Iterator[Finding]:
    """Everything about monday.com, in seven requests; it ends early when nothing could be asked any more."""
    boards = {"master": settings.board_id_data, "staff": settings.board_id_users}
    with _client(settings, boards) as client:
        try:
            yield from _examine_token(client)
        except SyncError as error:
            yield from_error("token", error)
            if isinstance(error, ConfigError | Unavailable):
                return
        yield from guarded("budget", partial(_examine_budget, client, settings.daily_calls))
    for name, board_id in boards.items():
        with _client(settings, {name: board_id}) as client:
            yield from guarded(f"{name} board", partial(_examine_board, client))


def _client(settings: Settings, boards: dict[str, int]) -> MondayClient:
    return MondayClient(
        settings.monday_api_key or "",
        boards,
        url=settings.monday_api_url,
        version=settings.monday_api_version,
        sleep=lambda wait_s: time.sleep(min(wait_s, _PATIENCE_S)),
    )


def _examine_token(client: MondayClient) -> Iterator[Finding]:
    variables = {"boards": [str(board_id) for board_id in client.boards.values()]}
    answer = client.transport.execute(_WHO, variables)
    who = _part(answer.data.get("me"), _Who)
    access = _part(answer.data.get("boards"), list[_Access]) or []
    account = who.account.name if who and who.account else "an account without a name"
    kind = who.kind if who and who.kind else "user"
    if who is not None and who.status not in ("", "ACTIVE"):
        yield problem("token", f"its user is {who.status.lower()}", "create a token of an active user", Exit.USAGE)
    else:
        yield ok("token", f"taken; it belongs to {who.name if who else 'somebody'}, a {kind} of {account}")
    yield from _examine_rights(client.boards, {int(board.id): board.access_level for board in access})
    told = client.transport.told_date
    yield from compare_clocks("clock", "monday.com's", parsedate_to_datetime(told) if told else None)
    answered, asked = client.answered_version, client.transport.version
    if answered in (None, asked):
        yield ok("API version", answered or f"not told; {asked} was asked for")
    else:
        yield warning(
            "API version", f"{asked} was asked for and {answered} answers", f"set MONDAY_API_VERSION to {answered}"
        )


def _examine_rights(boards: dict[str, int], access: dict[int, str]) -> Iterator[Finding]:
    for name, board_id in boards.items():
        if access.get(board_id) == "view":
            yield warning(
                "rights",
                f"the token's user may only look at the {name} board: PostgreSQL → monday will be refused",
                "let an owner of the board make that user an editor",
            )
        elif board_id in access:
            yield ok("rights", f"reads and edits the {name} board")


def _examine_budget(client: MondayClient, limit: int | None) -> Iterator[Finding]:
    daily, points = client.daily_limit(), client.stats.points_left
    left = "" if points is None else f"; {points:,} points left of this minute"
    if daily is None:
        yield ok("budget", f"the account does not tell its calls a day{left}")
    elif daily < 4 * _RUNS_A_DAY:
        yield warning(
            "budget",
            f"only {daily:,} calls a day{left}",
            "run less often: a run takes one call, a full read about four",
        )
    else:
        yield ok("budget", f"{daily:,} calls a day{left}")
    if daily is not None and limit is not None and limit > daily:
        yield warning(
            "budget",
            f"SYNC_DAILY_CALLS={limit} is more than the account's {daily:,} calls a day",
            "set it lower: it keeps nothing from being used up as it is",
        )


def _examine_board(client: MondayClient) -> Iterator[Finding]:
    for name, schema in client.preflight().items():
        if schema.items_count:
            yield ok(f"{name} board", f"{schema.title} ({schema.id}): {schema.items_count:,} items")
        else:
            yield warning(
                f"{name} board", f"{schema.title} ({schema.id}) is empty", "check the board id: a run will be refused"
            )
        yield from _examine_columns(name, schema)
    yield from examine_rules(client)


def _examine_columns(name: str, schema: BoardSchema) -> Iterator[Finding]:
    mapping, check = BOARDS[name], f"{name} columns"
    drifts = {drift.column_id: drift for drift in schema.drift(mapping)}
    good = len(mapping) - len(drifts)
    yield ok(check, f"{good} of {len(mapping)} mapped columns are as the mapping says")
    for column_id, column in mapping.items():
        if column_id in drifts:
            yield _drifted(check, column_id, column.title, drifts[column_id])
        else:
            yield ok(check, f'{column_id} ("{column.title}") → {column.target}', detail=True)
    yield ok(f"{name} marker", f'the column "{MARKER_TITLE}" is ' + _MARKED[MARKER in schema.columns])


_MARKED: Final = {
    True: "there: a new item is found again for certain",
    False: "not there: sync_pg_to_monday.py --setup-marker adds it, if rows are to become items",
}


def _drifted(check: str, column_id: str, title: str, drift: ColumnDrift) -> Finding:
    place = f'{column_id} ("{title}")'
    if drift.difference == "retitled":
        return warning(
            check,
            f'{place} is now called "{drift.found}" on the board',
            "nothing breaks; correct the title in monday_api.py if the meaning is the same",
        )
    what = f"has the type {drift.found}" if drift.difference == "retyped" else f"is {drift.difference}"
    return problem(
        check, f"{place} {what}", f"restore it on the board, or run with --skip-column {column_id}", Exit.DRIFT
    )


def _part(raw: msgspec.Raw | None, shape: Any) -> Any:
    try:
        return msgspec.json.decode(raw, type=shape) if raw is not None else None
    except msgspec.DecodeError:
        return None
