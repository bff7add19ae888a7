"""monday.com: the token and its rights, the version that answers, the day's budget, both boards column by column."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, Final

import msgspec

from cli.doctor.finding import Finding, from_error, guarded, ok, problem, warning
from cli.doctor.machine import compare_clocks
from cli.doctor.refusals import examine_rules
from monday import versions
from monday.boards import BoardSchema, ColumnDrift
from monday.responses import Aliases, ApiVersion, Document
from monday.versions import Answered
from monday_api import BOARDS, MARKER, MARKER_TITLE, MondayClient
from reconcile.errors import ConfigError, DriftError, Exit, SyncError, Unavailable
from reconcile.tables import SPECS, refuse_incomplete, refuse_incomplete_boards
from settings import Settings

_PATIENCE_S: Final = 1.0
_RUNS_A_DAY: Final = 24
"""Hourly runs, at about four calls each, are what the day's calls are measured against."""
_WHO: Final[Document[Aliases]] = Document(
    "Who",
    "query Who($boards: [ID!]!) { me { name kind status account { name } } "
    "boards(ids: $boards, state: all, limit: 10) { id access_level } "
    "version { value kind } versions { value kind } "
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


def examine_mapping() -> Iterator[Finding]:
    """Whether every board and table is declared whole: else no run begins."""
    refuse_incomplete()
    refuse_incomplete_boards(BOARDS)
    yield ok("mapping", f"{len(BOARDS)} boards and {len(SPECS)} tables are declared whole")


def examine_monday(settings: Settings) -> Iterator[Finding]:
    """Everything about monday.com, in seven requests; it ends early when nothing could be asked any more."""
    with _client(settings, settings.board_ids) as client:
        try:
            yield from _examine_token(client)
        except DriftError as error:
            yield problem("token", f"it is taken, and then {_says(error)}", _NO_RIGHT, Exit.USAGE)
        except ConfigError as error:
            yield problem("token", _says(error), f"{_fix(error)}. {_ENDED}", Exit.USAGE)
            return
        except SyncError as error:
            yield from_error("token", error)
            if isinstance(error, Unavailable):
                return
        yield from guarded("budget", partial(_examine_budget, client, settings.daily_calls))
    for name, board_id in settings.board_ids.items():
        with _client(settings, {name: board_id}) as client:
            yield from guarded(f"{name} board", partial(_examine_board, client))


def _client(settings: Settings, boards: Mapping[str, int]) -> MondayClient:
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
    yield from _examine_user(who or _Who())
    yield from _examine_rights(client.boards, {int(board.id): board.access_level for board in access})
    told = client.transport.told_date
    yield from compare_clocks("clock", "monday.com's", parsedate_to_datetime(told) if told else None)
    version = _part(answer.data.get("version"), ApiVersion)
    if version is not None:
        client.transport.hear_version(version.value)
    answered, asked = client.answered_version, client.transport.version
    yield _examine_version(asked, answered)
    kind = version.kind if version is not None and version.value == (answered or asked) else ""
    listed = _part(answer.data.get("versions"), list[ApiVersion]) or []
    yield examine_life(answered or asked, kind, listed, (client.answered_at or datetime.now(UTC)).date())


def _examine_version(asked: str, answered: str | None) -> Finding:
    match versions.answered_by(asked, answered):
        case Answered.UNKNOWN:
            return problem(
                "API version",
                f"{asked} was asked for and {answered} answers, which this program does not know: it reads, and sends "
                "nothing",
                f"get a newer version of this program, or set MONDAY_API_VERSION to {' or '.join(versions.KNOWN)}, if "
                "monday.com still has it",
                Exit.DRIFT,
            )
        case Answered.KNOWN:
            return warning(
                "API version",
                f"{asked} was asked for and {answered} answers; this program knows both",
                f"set MONDAY_API_VERSION to {answered}",
            )
    if asked not in versions.KNOWN:
        return warning(
            "API version",
            f"{asked}, which this program was not tried with",
            f"set MONDAY_API_VERSION to {' or '.join(versions.KNOWN)}",
        )
    return ok("API version", answered or f"not told; {asked} was asked for")


_KINDS: Final = {
    "current": "is monday.com's current version",
    "maintenance": "is an older version, in maintenance",
    "release_candidate": "is not released yet, and may still change",
    "": "was asked for, and monday.com does not tell its age",
}


def examine_life(version: str, kind: str, listed: Sequence[ApiVersion], today: date) -> Finding:
    """Until when monday promises to answer by a version; a warning for the last three months, and for one that is not
    released."""
    check, says = "API support", f"{version} {_KINDS.get(kind, 'is supported by monday.com no more')}"
    until = versions.promised_until(version, kind, today)
    released = [other.value for other in listed if other.kind in ("current", "maintenance")]
    newer = versions.successor(version, released)
    fix = (
        f"set MONDAY_API_VERSION to {newer}, which this program knows too"
        if newer is not None
        else "get a newer version of this program by then"
    )
    if kind == "release_candidate":
        return warning(check, says, "leave MONDAY_API_VERSION out until that version is released")
    if until is None:
        return warning(check, f"{says}; another one may answer in its place any day", fix)
    says += f"; it answers until {until.day} {until:%B %Y} at least, {(until - today).days} more days"
    if kind == "maintenance" or (kind == "" and until - today < versions.SOON):
        return warning(check, says, fix)
    return ok(check, says)


def _examine_user(who: _Who) -> Iterator[Finding]:
    """Whose token it is, and what follows from that: it can do what its user can, and ends when that does."""
    account = who.account.name if who.account and who.account.name else "an account without a name"
    kind = who.kind.casefold().replace("_", " ")
    name = f"{who.name or 'somebody'}, {'an' if kind[:1] in tuple('aeiou') else 'a'} {kind or 'user'} of {account}"
    status = who.status.casefold()
    if status in _UNABLE:
        yield problem("token", f"it belongs to {name}, {_UNABLE[status][0]}", _UNABLE[status][1], Exit.USAGE)
    elif status not in ("", "active"):
        yield problem("token", f"it belongs to {name}, who is {status}", "create a token of an active user", Exit.USAGE)
    elif kind in _LESSER:
        yield warning("token", f"taken; it belongs to {name}: {_LESSER[kind]}", _OWN_USER)
    else:
        yield ok("token", f"taken; it belongs to {name}")
        yield ok("token's user", _A_PERSON)


_OWN_USER: Final = "make a user of its own for the sync, a member who may edit these two boards, and take its token"
_ENDED: Final = (
    "A personal token also ends when its user is deactivated or deleted, or makes a new one: then create one of an "
    "active user"
)
_NO_RIGHT: Final = (
    "see on monday.com whether its user has confirmed the invitation, is no viewer, and sees both boards: a viewer's "
    "token, and one of a user who is not confirmed, are taken and may do nothing"
)
_A_PERSON: Final = (
    "the token can do what that user can, and ends with it: if it is a person, both commands stop on the day when that "
    "person leaves; a user of its own for the sync, a member with these two boards alone, does not leave"
)
_UNABLE: Final = {
    "pending": (
        "who has not confirmed the invitation yet: monday.com refuses such a token (HTTP 403)",
        "have that user open the invitation's mail and confirm it",
    ),
    "inactive": (
        "who is deactivated: the token ended with its user",
        "create a token of an active user; best of one of its own for the sync, which does not leave",
    ),
}
"""Status of a user whose token does not work → what that means, and what to do."""
_LESSER: Final = {
    "guest": "a guest sees what somebody shares with it, and everything is gone from here when that ends",
    "view only": "a viewer may change nothing, so that sync_pg_to_monday.py will be refused (HTTP 403), and maybe both",
}
"""Kind of a user who may less than the sync needs → what follows."""


def _says(error: SyncError) -> str:
    return str(error).rpartition(": ")[0] or str(error)


def _fix(error: SyncError) -> str:
    return str(error).rpartition(": ")[2]


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
