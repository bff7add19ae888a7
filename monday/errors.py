"""What monday.com's errors mean and what the client does about each: one table, read by the transport.

Rows follow monday's error documentation and what its own clients were seen to meet. A row is chosen by
`extensions.code`, then by HTTP status, then by the message.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from types import MappingProxyType
from typing import Any

from reconcile.errors import ConfigError, DriftError, SyncError, Unavailable

LONGEST_WAIT_S = 120.0
"""A single wait is cut here; only the daily limit asks for more, and that one ends the run."""


class Action(Enum):
    """What the client does about an error, the gravest last: it decides when one answer holds several."""

    RETRY = 1
    """The same request again, after a wait of this worker alone."""
    WAIT_RETRY = 2
    """The same request again, after a pause of all workers."""
    LOWER_RETRY = 3
    """As WAIT_RETRY, with half as many requests at once from now on."""
    HALVE_PAGE = 4
    """Never again as it is: ask for fewer items at once."""
    RESTART_CURSOR = 5
    """The cursor is dead: begin that walk again at its first page."""
    READ_BACK = 6
    """It was written or not: only reading the item tells."""
    ITEM_GONE = 7
    """The item is not there any more; the others are not concerned."""
    VALUE_REFUSED = 8
    """One value or name is not acceptable; the others are not concerned."""
    BOARD_FULL = 9
    """No further item fits on the board."""
    FATAL_DRIFT = 10
    """A board, column or group of the mapping does not exist."""
    FATAL_ACCESS = 11
    """The token's user has no right on that board or column."""
    UNKNOWN = 12
    FATAL_BUG = 13
    """monday does not understand the request."""
    FATAL_ADDRESS = 14
    """The address does not belong to monday's API."""
    FATAL_AUTH = 15
    """The token is refused."""
    STOP_DAY = 16
    """The day's calls are spent: stop cleanly."""


class Ran(Enum):
    """What of a mutation may have been carried out although it was answered with an error."""

    NOTHING = 1
    """Nothing: it was refused before it began."""
    OTHERS = 2
    """Not the field that the error is about, but perhaps the others."""
    MAYBE = 3
    """All or part of it, or nothing."""


RETRIED = frozenset({Action.RETRY, Action.WAIT_RETRY, Action.LOWER_RETRY})
SHARED = frozenset({Action.WAIT_RETRY, Action.LOWER_RETRY})

BROKEN_BODY = "x-broken-body"
CONNECTION = "x-connection"
TOO_LARGE = "x-too-large"
NOT_TRUSTED = "x-not-trusted"
BAD_ADDRESS = "x-bad-address"
UNREAD = "x-unread"
"""Codes of our own: for what happened below GraphQL, and for a write whose outcome the answer does not show."""


@dataclass(frozen=True, slots=True)
class ErrorRule:
    """One row of the table. `codes` are compared without case; `also` narrows codes and statuses by the message;
    `message` alone decides when neither code nor status did.

    `attempts` counts the first one. `page_attempts`: after so many a page is asked for smaller (None: never).
    `wait_s` is used when the server names no wait (None: exponential backoff), with up to `spread_s` more at random.
    """

    action: Action
    says: str
    codes: tuple[str, ...] = ()
    statuses: tuple[int, ...] = ()
    also: str = ""
    message: str = ""
    attempts: int = 5
    page_attempts: int | None = None
    wait_s: float | None = None
    spread_s: float = 0.0
    ran: Ran = Ran.MAYBE


RULES: tuple[ErrorRule, ...] = (
    ErrorRule(
        Action.HALVE_PAGE,
        "finds the request too complex",
        codes=("complexityexception", "complexity_budget_exhausted", "complexitybudgetexhausted"),
        statuses=(400,),
        also="exceeds max(imum)? complexity",
        message="exceeds max(imum)? complexity",
        page_attempts=1,
        ran=Ran.NOTHING,
    ),
    ErrorRule(
        Action.HALVE_PAGE,
        "finds the request too long",
        codes=("payload_too_large",),
        statuses=(413,),
        page_attempts=1,
        ran=Ran.NOTHING,
    ),
    ErrorRule(
        Action.WAIT_RETRY,
        "has no complexity budget left for this minute",
        codes=("complexity_budget_exhausted", "complexityexception", "complexitybudgetexhausted"),
        message="complexity budget exhausted",
        ran=Ran.NOTHING,
    ),
    ErrorRule(
        Action.STOP_DAY,
        "has no daily calls left",
        codes=("daily_limit_exceeded",),
        message="daily limit",
        ran=Ran.NOTHING,
    ),
    ErrorRule(
        Action.LOWER_RETRY,
        "allows fewer requests at once",
        codes=("max_concurrency_exceeded", "maxconcurrencyexceeded", "concurrency_limit_exceeded"),
        message="concurrency",
        wait_s=15,
        ran=Ran.NOTHING,
    ),
    ErrorRule(
        Action.WAIT_RETRY,
        "allows fewer requests from this address",
        codes=("ip_rate_limit_exceeded",),
        wait_s=10,
        ran=Ran.NOTHING,
    ),
    ErrorRule(
        Action.WAIT_RETRY,
        "spares a field of the query",
        codes=("field_minute_rate_limit_exceeded", "field_limit_exceeded"),
        page_attempts=1,
        wait_s=15,
    ),
    ErrorRule(
        Action.WAIT_RETRY,
        "allows fewer requests a minute",
        codes=(
            "minute_rate_limit_exceeded",
            "rate_limit_exceeded",
            "ratelimitedexception",
            "ratelimitexceeded",
            "mutationcallsexceeded",
        ),
        statuses=(429,),
        message="rate limit exceeded|minute limit rate exceeded",
        wait_s=58,
        ran=Ran.NOTHING,
    ),
    ErrorRule(
        Action.RETRY,
        "protects one of its services",
        codes=("toomanyrequests",),
        page_attempts=3,
    ),
    ErrorRule(
        Action.RETRY,
        "is still carrying out the same request",
        codes=("idempotency_conflict",),
        statuses=(409,),
        wait_s=5,
    ),
    ErrorRule(
        Action.RETRY,
        "has the board locked for another writer",
        codes=("resource_locked",),
        statuses=(423,),
        message="currently locked",
        wait_s=2,
        spread_s=8,  # two writers that collided once do not wait the same time
        ran=Ran.OTHERS,
    ),
    ErrorRule(
        Action.RETRY,
        "is blocked by an incident of its own",
        codes=("api_temporarily_blocked",),
        attempts=4,
        wait_s=60,
    ),
    ErrorRule(
        Action.RETRY,
        "did not finish the request in time",
        codes=("timeout_exceeded",),
        statuses=(408, 504, 524),
        page_attempts=1,
    ),
    ErrorRule(
        Action.RETRY,
        "gave no answer: it, or a server on the way to it, is down or overloaded",
        statuses=(502, 503, 520, 521, 522, 523),
        page_attempts=1,
    ),
    ErrorRule(
        Action.RESTART_CURSOR,
        "no longer knows the cursor",
        codes=("cursorexception", "cursorexpirederror", "cursor_expired"),
        message=r"cursor\s?(exception|expired|is (expired|invalid))|cursor.{0,40}(has expired|not valid)",
    ),
    ErrorRule(Action.RESTART_CURSOR, "no longer knows the cursor", codes=("invalidargumentexception",), also="cursor"),
    ErrorRule(
        Action.FATAL_ACCESS,
        "gives this token's user no right on what was asked for",
        codes=("userunauthorizedexception", "user_access_denied", "missingrequiredpermissions", "forbidden"),
        statuses=(403,),
        ran=Ran.OTHERS,
    ),
    ErrorRule(
        Action.FATAL_AUTH,
        "refused the token",
        codes=("not_authenticated", "unauthenticated", "unauthorized"),
        statuses=(401,),
        message="not authenticated|unauthorized|your ip is restricted",
        ran=Ran.NOTHING,
    ),
    ErrorRule(
        Action.FATAL_DRIFT,
        "does not know a board, column, group or user that was named",
        codes=(
            "invalidboardidexception",
            "invalidcolumnidexception",
            "invalidgroupidexception",
            "invaliduseridexception",
        ),
        ran=Ran.OTHERS,
    ),
    ErrorRule(
        Action.ITEM_GONE,
        "no longer has the item",
        codes=("resourcenotfoundexception", "invaliditemidexception", "invaliditemid"),
        ran=Ran.OTHERS,
    ),
    ErrorRule(
        Action.VALUE_REFUSED,
        "refused a value",
        codes=(
            "columnvalueexception",
            "correctedvalueexception",
            "data_validations_error",
            "itemnametoolongexception",
            "recordinvalidexception",
        ),
        statuses=(422,),
        ran=Ran.OTHERS,
    ),
    ErrorRule(
        Action.BOARD_FULL,
        "takes no further item on the board",
        codes=("itemslimitationexception",),
        ran=Ran.OTHERS,
    ),
    ErrorRule(Action.FATAL_BUG, "does not understand the request", codes=("invalidargumentexception",), ran=Ran.OTHERS),
    ErrorRule(
        Action.FATAL_BUG,
        "does not understand the request",
        codes=(
            "invalidversionexception",
            "jsonparseexception",
            "graphql_validation_failed",
            "graphql_parse_failed",
            "bad_user_input",
            "undefinedfield",
            "x-invalid-variable",
        ),
        statuses=(400,),
        message="parse error on|bad request|doesn't exist on type|cannot query field|provided invalid value",
        ran=Ran.NOTHING,
    ),
    ErrorRule(
        Action.RETRY,
        "failed inside",
        codes=("internal_server_error",),
        statuses=(500,),
        message="internal server error",
        attempts=5,
        page_attempts=3,
    ),
    ErrorRule(
        Action.RETRY,
        "answered with something that is not its API's JSON",
        codes=(BROKEN_BODY,),
        page_attempts=3,
    ),
    ErrorRule(Action.RETRY, "could not be reached or hung up", codes=(CONNECTION,), page_attempts=3),
    ErrorRule(Action.READ_BACK, "does not show whether it was written", codes=(UNREAD,)),
    ErrorRule(Action.HALVE_PAGE, "answered with more than 64 MB", codes=(TOO_LARGE,), page_attempts=1),
    ErrorRule(
        Action.FATAL_ADDRESS,
        "does not answer at that address",
        codes=(BAD_ADDRESS,),
        statuses=(301, 302, 303, 307, 308, 404, 405, 410),
        ran=Ran.NOTHING,
    ),
    ErrorRule(Action.FATAL_ADDRESS, "shows a certificate that this computer does not trust", codes=(NOT_TRUSTED,)),
)

UNKNOWN_RULE = ErrorRule(Action.UNKNOWN, "refused the request for a reason this program does not know")


@dataclass(frozen=True, slots=True)
class ApiFault:
    """One error of one answer. `message` is monday's own text and may quote a value: it is matched, not shown."""

    status: int
    code: str = ""
    message: str = ""
    path: tuple[str | int, ...] = ()
    request_id: str = ""
    told_wait_s: float | None = None
    details: Any = None
    was: str = ""
    """monday's code, where `code` is UNREAD."""

    @property
    def rule(self) -> ErrorRule:
        return rule_for(self)


class Refusal(Exception):
    """An error that the caller of the transport asked to settle itself; never reaches the user."""

    def __init__(self, action: Action, fault: ApiFault) -> None:
        super().__init__(action.name, fault.code, fault.status)
        self.action = action
        self.fault = fault


class Doubtful(Exception):
    """A mutation that cannot be tried again, and that may have run all the same.

    `error` is what to end the run with unless reading settles it; `fault` is what left it open.
    """

    def __init__(self, error: SyncError, fault: ApiFault | None) -> None:
        super().__init__(str(error))
        self.error = error
        self.fault = fault


def rule_for(fault: ApiFault) -> ErrorRule:
    """The row that decides: by code, then HTTP status, then message; UNKNOWN_RULE when none fits."""
    code = fault.code.casefold()
    for rule in RULES:
        if code in rule.codes and _narrowed(rule, fault):
            return rule
    for rule in RULES:
        if fault.status in rule.statuses and _narrowed(rule, fault):
            return rule
    for rule in RULES:
        if rule.message and re.search(rule.message, fault.message, re.IGNORECASE):
            return rule
    return UNKNOWN_RULE


def _narrowed(rule: ErrorRule, fault: ApiFault) -> bool:
    return not rule.also or re.search(rule.also, fault.message, re.IGNORECASE) is not None


_BEFORE_IT_BEGAN = frozenset({400, 403, 423})


def may_have_run(fault: ApiFault) -> bool:
    """Whether a mutation that was refused as a whole may have been carried out all the same, be it in part."""
    if fault.status >= 500 or fault.status == 408:
        return True
    ran = fault.rule.ran
    return ran is Ran.MAYBE or (ran is Ran.OTHERS and fault.status not in _BEFORE_IT_BEGAN)


def gravest(faults: list[ApiFault]) -> ApiFault:
    """The fault that decides about an answer with several; the list is not empty."""
    return max(faults, key=lambda fault: fault.rule.action.value)


def sentence(
    fault: ApiFault, now: datetime, tries: int = 1, boards: Mapping[str, int] = MappingProxyType({})
) -> SyncError:
    """The error that the user sees, of the class that says what to do about it. Never holds monday's own text.

    `boards` are those that the request was about, where that is known.
    """
    rule = fault.rule
    where = f"monday.com {rule.says}"
    facts = ", ".join(
        part
        for part in (
            f"HTTP {fault.status}" if fault.status else "",
            f"code {fault.code}" if fault.code and not fault.code.startswith("x-") else "",
            f"request {fault.request_id}" if fault.request_id else "",
        )
        if part
    )
    facts = f" ({facts})" if facts else ""
    often = f", {tries} times in a row" if tries > 1 else ""
    match rule.action:
        case Action.STOP_DAY:
            return Unavailable(f"{where} until {next_reset(now)}: state is kept, run it again after that{facts}")
        case Action.FATAL_AUTH:
            return ConfigError(f"{where}: check MONDAY_API_KEY, and the account's list of allowed addresses{facts}")
        case Action.FATAL_ADDRESS:
            return ConfigError(f"{where}: check MONDAY_API_URL{facts}")
        case Action.FATAL_ACCESS:
            named = " and ".join(f"the {name} board {board_id}" for name, board_id in boards.items()) or "the board"
            return DriftError(
                f"{where}: on monday.com, make the user of MONDAY_API_KEY a member of {named} who may see and edit its "
                f"items and columns{facts}"
            )
        case Action.FATAL_DRIFT | Action.ITEM_GONE:
            return DriftError(f"{where}: compare the board ids and the mapping with the board{facts}")
        case Action.RETRY | Action.WAIT_RETRY | Action.LOWER_RETRY | Action.RESTART_CURSOR | Action.READ_BACK:
            return Unavailable(f"{where}{often}: state is kept, run it again later{facts}")
        case Action.HALVE_PAGE:
            return Unavailable(f"{where} however few items are asked for: run it again later{facts}")
        case _:
            return SyncError(f"{where}: please report it with the log of this run{facts}")


def next_reset(now: datetime) -> str:
    """The next reset of the daily calls, which is at midnight UTC whatever the answer's own wait says (monday docs)."""
    reset = (now.astimezone(UTC) + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    minutes = int((reset - now).total_seconds() // 60)
    return f"{reset:%Y-%m-%d %H:%M} UTC, in {minutes // 60} h {minutes % 60:02d} min"
