"""Faults on purpose. A rule says which requests it hits and what goes wrong; the table below says what that means.

Four kinds of trouble: an answer *instead* of the true one (nothing runs, unless the rule says `effect`); *data* bent
after a true run; the *transport* broken after a true run; a *flag* that changes how the request runs.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any, Literal

import msgspec

from sandbox.errors import Refused, refusal

Match = str
"""`any`, `read`, `mutation`, or a part of the operation's name or of one of its root fields."""

Transport = Literal["whole", "reset", "reset_mid_body", "short_body", "short_content_length", "close"]


class FaultRule(msgspec.Struct):
    """From the `nth` matching request on, `times` of them (0: all) go wrong.

    `effect`: whether a mutation takes effect before an answer that stands instead of the true one. `stored`: whether
    such an answer is kept for the replay of its Idempotency-Key. `retry_after` is the wait that limits tell, in
    seconds; `delay_s` is real time slept before the trouble shows. With `item` only writes of the item of that id are
    hit, or of a new one of that name.
    """

    kind: str
    match: Match = "any"
    nth: int = 1
    times: int = 1
    effect: bool = False
    stored: bool = False
    retry_after: int = 1
    delay_s: float = 0.0
    item: str | int | None = None
    seen: int = 0

    def hits(self, names: list[str], is_mutation: bool, written: Collection[str] = ()) -> bool:
        """Count a request that it matches; whether this one goes wrong. `written`: ids and names of its items."""
        matched = {"any": True, "read": not is_mutation, "mutation": is_mutation}.get(
            self.match, any(self.match in name for name in names)
        )
        if not matched or (self.item is not None and str(self.item) not in written):
            return False
        self.seen += 1
        return self.seen >= self.nth and (self.times == 0 or self.seen < self.nth + self.times)


class Reply(msgspec.Struct):
    """What goes over the wire, and how it breaks."""

    status: int
    body: bytes
    headers: dict[str, str] = {}
    transport: Transport = "whole"


@dataclass(frozen=True, slots=True)
class Fault:
    """One line of the table; exactly one of the four is set."""

    says: str
    instead: Callable[[FaultRule], Reply] | None = None
    data: Callable[[dict[str, Any]], None] | None = None
    transport: Callable[[Reply], None] | None = None
    flag: bool = False


class Faults:
    """The rules in force; the first that hits wins."""

    def __init__(self) -> None:
        self._rules: list[FaultRule] = []
        self._lock = threading.Lock()

    def add(self, rule: FaultRule) -> None:
        """Raises ValueError for a kind that the table does not have."""
        if rule.kind not in FAULTS:
            raise ValueError(f"unknown fault {rule.kind}: one of {', '.join(FAULTS)}")
        with self._lock:
            self._rules.append(rule)

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()

    def take(self, names: list[str], is_mutation: bool, written: Collection[str] = ()) -> FaultRule | None:
        with self._lock:
            hit = [rule for rule in self._rules if rule.hits(names, is_mutation, written)]
            return hit[0] if hit else None


def json_reply(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> Reply:
    return Reply(
        status, json.dumps(body).encode(), {"Content-Type": "application/json; charset=utf-8", **(headers or {})}
    )


def refused_reply(refused: Refused) -> Reply:
    return json_reply(refused.status, refused.body, refused.headers)


def _limit(status: int, code: str | None, message: str, *, tells: bool = True) -> Callable[[FaultRule], Reply]:
    """An error of the present shape; `tells` the wait in header and extensions."""

    def build(rule: FaultRule) -> Reply:
        return refused_reply(refusal(status, code, message, retry_in_s=rule.retry_after if tells else None))

    return build


def _date_header(rule: FaultRule) -> Reply:
    """Retry-After as an HTTP date, which is told in real time, as a proxy would."""
    reply = json_reply(429, {"errors": [{"message": "Rate Limit Exceeded", "extensions": {}}]})
    reply.headers["Retry-After"] = formatdate(time.time() + rule.retry_after, usegmt=True)
    return reply


def _legacy_complexity(rule: FaultRule) -> Reply:
    text = (
        "Complexity budget exhausted, query cost 222080 budget remaining 747 out of 10000000 "
        f"reset in {rule.retry_after} seconds"
    )
    body = {"error_code": "ComplexityException", "status_code": 429, "error_message": text, "errors": [text]}
    return json_reply(429, body)


def _complexity_in_text(rule: FaultRule) -> Reply:
    message = f"Complexity budget exhausted, reset in {rule.retry_after} seconds"
    return json_reply(200, {"errors": [{"message": message, "extensions": {"code": "ComplexityException"}}]})


def _strings(status: int, *messages: str) -> Callable[[FaultRule], Reply]:
    return lambda _rule: json_reply(status, {"errors": list(messages)})


def _html(status: int, title: str) -> Callable[[FaultRule], Reply]:
    page = f"<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>".encode()
    return lambda _rule: Reply(status, page, {"Content-Type": "text/html; charset=utf-8"})


def _broken(transport: Transport) -> Callable[[FaultRule], Reply]:
    return lambda _rule: Reply(200, b"", {}, transport)


def _bend(transport: Transport) -> Callable[[Reply], None]:
    def bend(reply: Reply) -> None:
        reply.transport = transport

    return bend


def _truncate(reply: Reply) -> None:
    reply.body = reply.body[: len(reply.body) // 2]


def _plain_type(reply: Reply) -> None:
    reply.headers["Content-Type"] = "text/plain; charset=utf-8"


def _other_version(reply: Reply) -> None:
    reply.headers["api-version"] = "2026-07"


def _error(answer: dict[str, Any], code: str, message: str, path: list[str | int], **extensions: Any) -> None:
    entry = {"message": message, "path": path, "extensions": {"code": code, "status_code": 200, **extensions}}
    answer.setdefault("errors", []).append(entry)


def _last_field(answer: dict[str, Any]) -> str | None:
    return next((key for key in reversed(answer.get("data") or {}) if key != "complexity"), None)


def _null_under_path(answer: dict[str, Any]) -> None:
    """An inner service protects itself: the last field that was asked is null, and must not be taken for empty."""
    key = _last_field(answer)
    if key is not None:
        answer["data"][key] = None
        _too_many(answer, [key])


def _too_many(answer: dict[str, Any], path: list[str | int]) -> None:
    _error(answer, "tooManyRequests", "Too many requests", path, service="monolith")
    answer["errors"][-1]["extensions"]["status_code"] = 400


def _null_unexplained(answer: dict[str, Any]) -> None:
    key = _last_field(answer)
    if key is not None:
        answer["data"][key] = None


def _null_within(answer: dict[str, Any]) -> None:
    """The last field that was asked ran, and a part of what it shows could not be read."""
    key = _last_field(answer)
    shown = answer["data"][key] if key is not None else None
    if not isinstance(shown, dict):
        _null_under_path(answer)
    elif shown.get("column_values"):
        shown["column_values"][0] = None
        _too_many(answer, [str(key), "column_values", 0])
    else:
        part = next(reversed(shown))
        shown[part] = None
        _too_many(answer, [str(key), part])


def _beside_data(answer: dict[str, Any]) -> None:
    entry = {"message": "Internal server error", "extensions": {"code": "INTERNAL_SERVER_ERROR", "status_code": 500}}
    answer.setdefault("errors", []).append(entry)


def _half_page(answer: dict[str, Any]) -> None:
    """A field's own limit: cells of the second half of the page come without their contents."""
    for path, items in _pages(answer.get("data"), []):
        for position in range(len(items) // 2, len(items)):
            for cell in items[position].get("column_values") or []:
                for name in cell.keys() - {"id", "type", "__typename"}:
                    cell[name] = None
        _error(
            answer,
            "FIELD_MINUTE_RATE_LIMIT_EXCEEDED",
            "Field rate limit exceeded",
            [*path, len(items) // 2, "column_values"],
            retry_in_seconds=1,
        )
        return
    _null_under_path(answer)


def _pages(data: Any, path: list[str | int]) -> list[tuple[list[str | int], list[Any]]]:
    """Every list under a key `items`, with its path."""
    found: list[tuple[list[str | int], list[Any]]] = []
    entries = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in entries:
        if key == "items" and isinstance(value, list):
            found.append(([*path, key], value))
        else:
            found += _pages(value, [*path, key])
    return found


_TOO_COMPLEX = "Query has complexity of 6100000, which exceeds max complexity of 5000000"

FAULTS: dict[str, Fault] = {
    # limits
    "rate_limited": Fault("429 with Retry-After", _limit(429, "RATE_LIMIT_EXCEEDED", "Rate Limit Exceeded")),
    "rate_limited_date": Fault("429 with Retry-After as a date, no code", _date_header),
    "complexity_exhausted": Fault(
        "the minute's points are spent", _limit(429, "COMPLEXITY_BUDGET_EXHAUSTED", "Complexity budget exhausted")
    ),
    "complexity_exhausted_200": Fault(
        "the same with HTTP 200", _limit(200, "COMPLEXITY_BUDGET_EXHAUSTED", "Complexity budget exhausted")
    ),
    "complexity_legacy": Fault("the shape of old versions, the wait in the text alone", _legacy_complexity),
    "complexity_in_text": Fault("HTTP 200, the wait in the text alone", _complexity_in_text),
    "too_complex": Fault(
        "one request over 5 million points: waiting does not help", _limit(200, None, _TOO_COMPLEX, tells=False)
    ),
    "minute_limit": Fault("calls a minute", _limit(429, "MINUTE_RATE_LIMIT_EXCEEDED", "Minute limit rate exceeded")),
    "concurrency_limit": Fault("calls at once", _limit(429, "MAX_CONCURRENCY_EXCEEDED", "Max concurrency exceeded")),
    "daily_limit": Fault("calls a day", _limit(429, "DAILY_LIMIT_EXCEEDED", "Daily limit exceeded")),
    "ip_limit": Fault("calls from one address", _limit(429, "IP_RATE_LIMIT_EXCEEDED", "IP rate limit exceeded")),
    "too_many_requests": Fault("HTTP 200, null under the error's path", data=_null_under_path),
    "cell_unread": Fault("HTTP 200, a cell or the end of an item null under the error's path", data=_null_within),
    "null_unexplained": Fault("HTTP 200, the last field null and no error", data=_null_unexplained),
    "field_limit": Fault("HTTP 200, half the page's cells without contents", data=_half_page),
    # locks
    "locked": Fault(
        "the board is being written", _limit(423, None, "Resource is currently locked, please try again later")
    ),
    "conflict": Fault(
        "the same Idempotency-Key still runs", _limit(409, "IDEMPOTENCY_CONFLICT", "A request with this key is running")
    ),
    # the server or the edge fails
    "internal_error": Fault("500", _limit(500, "INTERNAL_SERVER_ERROR", "Internal server error", tells=False)),
    "internal_error_200": Fault(
        "the same with HTTP 200", _limit(200, "INTERNAL_SERVER_ERROR", "Internal server error", tells=False)
    ),
    "error_beside_data": Fault("200, the true data and a 500 without a path", data=_beside_data),
    "bad_gateway": Fault("502, a page of HTML", _html(502, "502 Bad Gateway")),
    "unavailable": Fault("503 TIMEOUT_EXCEEDED", _limit(503, "TIMEOUT_EXCEEDED", "Service unavailable", tells=False)),
    "gateway_timeout": Fault("504, a page of HTML", _html(504, "504 Gateway Time-out")),
    "temporarily_blocked": Fault(
        "HTTP 200, an incident", _limit(200, "API_TEMPORARILY_BLOCKED", "API is temporarily blocked", tells=False)
    ),
    # bodies that are no answer
    "empty_body": Fault("200 and nothing", lambda _rule: Reply(200, b"", {"Content-Type": "application/json"})),
    "html_200": Fault("200 and a page of HTML", _html(200, "Scheduled maintenance")),
    "truncated_json": Fault("half of the JSON, with a fitting length", transport=_truncate),
    "wrong_content_type": Fault("the answer as text/plain", transport=_plain_type),
    # the connection breaks
    "reset_before": Fault("reset before any byte, nothing done", _broken("reset")),
    "timeout_before": Fault("closed without an answer after delay_s, nothing done", _broken("close")),
    "reset_after": Fault("done, then reset before any byte", transport=_bend("reset")),
    "timeout_after": Fault("done, then closed without an answer after delay_s", transport=_bend("close")),
    "reset_mid_body": Fault("done, reset in the middle of the body", transport=_bend("reset_mid_body")),
    "short_body": Fault("done, closed before Content-Length is reached", transport=_bend("short_body")),
    "short_content_length": Fault("done, Content-Length says half", transport=_bend("short_content_length")),
    "latency": Fault("the true answer, delay_s later", transport=lambda _reply: None),
    # paging
    "cursor_expired": Fault(
        "the cursor is too old", _limit(200, "CursorException", "CursorExpiredError: cursor has expired", tells=False)
    ),
    "repeated_cursor": Fault("the answer gives the cursor that was sent", flag=True),
    "endless_pages": Fault("the last page has a cursor to the first", flag=True),
    "page_drift": Fault("the items lie in another order from this request on", flag=True),
    "stale_read": Fault("items as they were before their last change of the past hour", flag=True),
    # rights, versions, things gone
    "unauthorized": Fault("401, errors as strings", _strings(401, "Not Authenticated")),
    "ip_restricted": Fault("401, the address is not allowed", _strings(401, "Your ip is restricted")),
    "forbidden": Fault(
        "403", _limit(403, "UserUnauthorizedException", "User unauthorized to perform action", tells=False)
    ),
    "user_unauthorized": Fault(
        "the same with HTTP 200",
        _limit(200, "UserUnauthorizedException", "User unauthorized to perform action", tells=False),
    ),
    "wrong_version": Fault("another version answers than was asked", transport=_other_version),
    "item_deleted": Fault("somebody deletes the first item of the mutation just before it runs", flag=True),
}
"""Name → what happens."""
