"""Requests to monday.com: version, limits, waiting and retries.

A document goes in with its variables, typed data comes out, or an error that says what to do. Of a mutation that fails
it is known whether it may have run all the same: an error promises that nothing did, `Doubtful` promises nothing.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Generic, Protocol, TypeVar

import msgspec
import requests
import tenacity

from monday import versions
from monday.connection import Connection, Unanswered
from monday.errors import (
    BROKEN_BODY,
    LONGEST_WAIT_S,
    RETRIED,
    SHARED,
    Action,
    ApiFault,
    Doubtful,
    Refusal,
    gravest,
    may_have_run,
    sentence,
)
from monday.faults import faults_in, retry_after
from monday.rate_limit import REFUSED_CALL, ApiStats, Pace, RateLimit
from monday.responses import Complexity, Document, Envelope, complexity_of, decode_answer
from monday.versions import Answered
from reconcile.errors import ConfigError, SyncError

logger = logging.getLogger(__name__)

T = TypeVar("T")

API_URL = "https://api.monday.com/v2"
MOST_AT_ONCE = 10

_PRINTABLE = re.compile(r"[!-~]+")
_MUTATION = re.compile(r"\bmutation\b")
_backoff = tenacity.wait_exponential_jitter(initial=1, max=60, jitter=1)
_jitter = tenacity.wait_random(0, 0.5)


class Listener(Protocol):
    """Hears what happens, for progress and logs; may be called from a worker's thread."""

    def __call__(self, event: str, /, **facts: Any) -> None: ...


def deaf(_event: str, /, **_facts: Any) -> None:
    """The listener of who does not care."""


def ungated() -> None:
    """The gate that lets every try pass."""


class Budget(Protocol):
    """Who counts the calls of the day."""

    def take(self) -> None:
        """A call is about to be made. Raises SyncError when it must not."""

    def give_back(self, calls: float) -> None:
        """It cost less by so much."""


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """Data of one request; `faults` are the refused aliases of a mutation, always empty for a read."""

    data: T
    faults: tuple[ApiFault, ...] = ()
    replayed: bool = False
    """Whether monday repeated a stored answer instead of running the mutation again."""
    request_id: str = ""
    took_s: float = 0.0
    """Of the try that was answered, waits not counted."""
    price: Complexity | None = None
    """What the answer says that it cost."""


class _Refused(Exception):
    """One try failed with this fault. `may_have_run`: it was a mutation, which may have been carried out all the same.

    `is_final`: it is a stored answer, which comes again however often it is asked for.
    """

    def __init__(self, fault: ApiFault, sent_at: float, *, may_have_run: bool, is_final: bool = False) -> None:
        super().__init__(fault.code, fault.status)
        self.fault = fault
        self.sent_at = sent_at
        self.may_have_run = may_have_run
        self.is_final = is_final


@dataclass(frozen=True, slots=True)
class _Asked(Generic[T]):
    """A request as every try of it is made."""

    document: Document[T]
    body: bytes
    headers: dict[str, str]
    is_mutation: bool
    settle: Collection[Action]


@dataclass(slots=True)
class _Tries:
    """How often a request was sent, and the last fault that left open whether it ran."""

    count: int = 0
    doubt: ApiFault | None = None


class Transport:
    """Sends documents and waits as told. Made without `mutations`, it cannot send one.

    `sleep` and `clock` (monotonic seconds) are injectable; without `sleep`, `close` ends every wait at once. `boards`
    are named where monday refuses access to them. `budget` is asked before every try.
    """

    def __init__(
        self,
        token: str,
        *,
        url: str = API_URL,
        version: str = versions.ASKED,
        mutations: bool = False,
        at_once: int = MOST_AT_ONCE,
        on_event: Listener = deaf,
        sleep: Callable[[float], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
        boards: Mapping[str, int] = MappingProxyType({}),
        budget: Budget | None = None,
    ) -> None:
        if not _PRINTABLE.fullmatch(token):
            raise ConfigError("MONDAY_API_KEY holds a blank, a line break or a sign that no token has: copy it again")
        self.stats = ApiStats()
        self.version = version
        self.answered_version: str | None = None
        self._told_by_header = False
        self._others: set[str] = set()
        self.told_date: str | None = None
        """The Date header of the last answer."""
        self._mutations = mutations
        self._boards = boards
        self._budget = budget
        self._on_event = on_event
        self._clock = clock
        self._closed = threading.Event()
        self._sleep = sleep or self._closed.wait
        self.pace = Pace(at_once, self.stats, self._sleep, clock)
        self._connection = Connection(token, url, version, at_once)

    def close(self) -> None:
        """End every wait and drop the connections; what is still in flight fails in its own thread."""
        self._closed.set()
        self._connection.close()

    def execute(
        self,
        document: Document[T],
        variables: Mapping[str, Any],
        *,
        settle: Collection[Action] = (),
        idempotency_key: str | None = None,
        gate: Callable[[], object] = ungated,
    ) -> Answer[T]:
        """Send until it is answered, refused for good, or tried often enough.

        `settle` names the actions that the caller carries out itself: they come as Refusal. `gate` is asked before
        every try, right before the bytes go out, and raises SyncError when they must not. A read with any error is
        rejected whole; a mutation of which only some aliases failed is returned with their faults. Every try sends the
        same bytes and the same key. Raises SyncError of the class that fits; where a mutation may have run although no
        answer can be had any more, Doubtful, and only then.
        """
        body = msgspec.json.encode({"query": document.text, "variables": variables})
        return self.send(document, body, settle=settle, idempotency_key=idempotency_key, gate=gate)

    def send(
        self,
        document: Document[T],
        body: bytes,
        *,
        settle: Collection[Action] = (),
        idempotency_key: str | None = None,
        gate: Callable[[], object] = ungated,
    ) -> Answer[T]:
        """`execute` for a body that was made before, with this document in it."""
        is_mutation = _MUTATION.search(document.text) is not None
        if is_mutation and not (self._mutations and idempotency_key):
            lack = "by a read-only client" if not self._mutations else "without a key that makes it safe to repeat"
            raise SyncError(f"the mutation {document.name} was about to be sent {lack}: this is a bug")
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        asked = _Asked(document, body, headers, is_mutation, settle)
        tries = _Tries()
        try:
            return self._retried(asked, gate, tries)
        except _Refused as refused:
            fault = refused.fault
        except SyncError as refused:  # by the gate
            if tries.doubt is None:
                raise
            raise Doubtful(refused, tries.doubt) from refused
        if fault.rule.action in SHARED:
            self.pace.pause(_told_s(fault) or 1)  # for whoever goes on, a smaller page for one
        if tries.doubt is not None:
            raise Doubtful(sentence(fault, datetime.now(UTC), tries.count, self._named(asked)), tries.doubt)
        by = self.answered_version or self.version
        if fault.rule.action is Action.FATAL_BUG and fault.rule.action not in settle and by not in versions.KNOWN:
            raise versions.misunderstood(by, fault.request_id)
        raise _verdict(asked, fault, tries.count, self._named(asked))

    def _named(self, asked: _Asked[Any]) -> Mapping[str, int]:
        """The boards that a request names; all of them where it names none."""
        named = {name: board_id for name, board_id in self._boards.items() if str(board_id).encode() in asked.body}
        return named or self._boards

    def _retried(self, asked: _Asked[T], gate: Callable[[], object], tries: _Tries) -> Answer[T]:
        """Raises the _Refused of the last try, or what the gate raises."""

        def attempt() -> Answer[T]:
            with self.pace.turn():
                gate()
                if asked.is_mutation and self._is_strange(self.answered_version):
                    raise versions.refusal(self.version, str(self.answered_version))
                if self._budget is not None:
                    self._budget.take()
                tries.count += 1
                try:
                    return self._attempt(asked)
                except _Refused as refused:
                    if refused.may_have_run:
                        tries.doubt = refused.fault
                    raise

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_Refused),
            stop=lambda state: self._give_up(state, asked),
            wait=_wait_s,
            before_sleep=self._announce,
            sleep=self._rest,
            reraise=True,
        )
        return retrying(attempt)

    def _give_up(self, state: tenacity.RetryCallState, asked: _Asked[Any]) -> bool:
        refused = _refusal_of(state)
        rule = refused.fault.rule
        if self._closed.is_set() or refused.is_final or rule.action not in RETRIED:
            return True
        if _is_page_too_heavy(asked, refused.fault):
            return state.attempt_number >= (rule.page_attempts or 1)
        return state.attempt_number >= rule.attempts

    def _rest(self, wait_s: float) -> None:
        self._sleep(wait_s)

    def _announce(self, state: tenacity.RetryCallState) -> None:
        """Before this worker sleeps: a limit makes all others wait as long."""
        refused = _refusal_of(state)
        fault, rule = refused.fault, refused.fault.rule
        wait_s = state.next_action.sleep if state.next_action else 0.0
        if rule.action in SHARED:
            self.pace.pause(wait_s)
        else:
            self.stats.add(waited_s=wait_s)
        at_once = self.pace.lower(refused.sent_at) if rule.action is Action.LOWER_RETRY else self.pace.at_once
        logger.warning(
            "monday says=%r status=%d code=%s request=%s wait_s=%.1f attempt=%d at_once=%d",
            rule.says, fault.status, fault.code, fault.request_id, wait_s, state.attempt_number, at_once,
        )  # fmt: skip
        self.stats.add(retries=1)
        self._on_event("wait", reason=rule.says, wait_s=wait_s, attempt=state.attempt_number)

    def _attempt(self, asked: _Asked[T]) -> Answer[T]:
        """Raises _Refused when the answer is not usable."""
        document, sent_at = asked.document, self._clock()
        try:
            response, content = self._connection.post(asked.body, asked.headers)
        except Unanswered as unanswered:
            self.stats.add(requests=1, mutations=int(asked.is_mutation))
            fault, ran = unanswered.fault, asked.is_mutation and not unanswered.unsent
            raise _Refused(fault, sent_at, may_have_run=ran) from None
        took_s = self._clock() - sent_at
        faults, envelope = _examine(document, response, content)
        data = envelope.data if envelope is not None else None
        price = _price_of(data)
        limits = RateLimit.read(response.headers)
        self._account(document, len(content), asked.is_mutation, faults, price, limits, took_s)
        self._check_version(response)
        request_id = response.headers.get("x-request-id", "")
        replayed = response.headers.get("idempotency-replayed", "").lower() == "true"
        if not faults and data is None:
            faults = [ApiFault(response.status_code, BROKEN_BODY, request_id=request_id)]
        if faults and not (asked.is_mutation and _per_alias(response.status_code, faults, data)):
            fault = gravest(faults)
            _log_refusal(document, fault, asked.is_mutation)
            is_final = asked.is_mutation and replayed and envelope is not None
            ran = asked.is_mutation and (is_final or data is not None or any(map(may_have_run, faults)))
            raise _Refused(fault, sent_at, may_have_run=ran, is_final=is_final)
        assert data is not None
        return Answer(data, tuple(faults), replayed, request_id, took_s, price)

    def _account(
        self,
        document: Document[T],
        size: int,
        is_mutation: bool,
        faults: list[ApiFault],
        price: Complexity | None,
        limits: RateLimit,
        took_s: float,
    ) -> None:
        cost = price.query if price else None
        points_left = limits.points_left if limits.points_left is not None else (price.after if price else None)
        refused = any(fault.rule.action in SHARED or fault.rule.action is Action.STOP_DAY for fault in faults)
        if refused and self._budget is not None:
            self._budget.give_back(1 - REFUSED_CALL)
        self.stats.add(
            requests=1,
            mutations=int(is_mutation),
            complexity=cost or 0,
            received_bytes=size,
            refused=refused,
            points_left=points_left,
        )
        if price and limits.points_left is None:
            limits = _with_price(limits, price.after, price.reset_in_x_seconds)
        pause_s = self.pace.heed(limits, cost)
        logger.debug("request=%s took_s=%.3f bytes=%d points=%s", document.name, took_s, size, cost)
        self._on_event(
            "request", name=document.name, took_s=round(took_s, 3), size=size, points=cost, points_left=points_left
        )
        if pause_s:
            logger.info("slowing pause_s=%.1f points_left=%s calls_left=%s", pause_s, points_left, limits.minute_left)
            self._on_event("wait", reason="nears a limit of the minute", wait_s=pause_s, attempt=0)

    def _check_version(self, response: requests.Response) -> None:
        self.told_date = response.headers.get("date", self.told_date)
        answered = versions.told(response.headers.get("api-version"))
        if answered is not None:
            self._told_by_header = True
            self._answered_by(answered)

    def hear_version(self, version: str) -> None:
        """The version as an answer's body tells it, which counts where no header did."""
        if not self._told_by_header and (answered := versions.told(version)) is not None:
            self._answered_by(answered)

    def _answered_by(self, answered: str) -> None:
        self.answered_version = answered
        if answered != self.version and answered not in self._others:
            self._others.add(answered)
            level = logging.WARNING if self._is_strange(answered) else logging.INFO
            text = "api_version asked=%s answered=%s: check MONDAY_API_VERSION"
            logger.log(level, text, self.version, answered)

    def _is_strange(self, answered: str | None) -> bool:
        return versions.answered_by(self.version, answered) is Answered.UNKNOWN


def _examine(
    document: Document[T], response: requests.Response, content: bytes
) -> tuple[list[ApiFault], Envelope[T] | None]:
    """Every fault of one answer, and its envelope unless the body is not monday's JSON."""
    status, headers = response.status_code, response.headers
    request_id = headers.get("x-request-id", "")
    told_s = retry_after(headers.get("retry-after"), datetime.now(UTC))
    if told_s is None:
        told_s = RateLimit.read(headers).exhausted_reset_s
    try:
        envelope = decode_answer(document, content)
    except (ValueError, RecursionError):
        logger.warning(
            "unreadable answer=%s status=%d type=%s bytes=%d request=%s",
            document.name, status, headers.get("content-type"), len(content), request_id,
        )  # fmt: skip
        code = BROKEN_BODY if status < 300 else ""
        return [ApiFault(status, code, request_id=request_id, told_wait_s=told_s)], None
    legacy = (envelope.error_code, envelope.error_message, envelope.status_code)
    faults = faults_in(status, envelope.errors, legacy, told_s, request_id)
    if not faults and status >= 300:
        faults = [ApiFault(status, request_id=request_id, told_wait_s=told_s)]
    return faults, envelope


def _price_of(data: Any) -> Complexity | None:
    """None too for a price of another shape: what was carried out must not be lost over it."""
    try:
        return complexity_of(data)
    except msgspec.DecodeError:
        return None


def _per_alias(status: int, faults: list[ApiFault], data: Any) -> bool:
    """Whether a mutation ran and only some of its aliases were refused: then each is settled by itself."""
    own = isinstance(data, dict) and all(fault.path and str(fault.path[0]) in data for fault in faults)
    return status == 200 and own


def _wait_s(state: tenacity.RetryCallState) -> float:
    """Seconds until the next try: as the server told, else as its kind of error needs, else a growing backoff."""
    fault = _refusal_of(state).fault
    told_s = _told_s(fault)
    if told_s is None:
        return min(_backoff(state), LONGEST_WAIT_S)
    spread_s = fault.rule.spread_s if fault.told_wait_s is None else 0.0
    return min(told_s + (tenacity.wait_random(0, spread_s) if spread_s else _jitter)(state), LONGEST_WAIT_S)


def _told_s(fault: ApiFault) -> float | None:
    return fault.told_wait_s if fault.told_wait_s is not None else fault.rule.wait_s


def _refusal_of(state: tenacity.RetryCallState) -> _Refused:
    assert state.outcome is not None
    refused = state.outcome.exception()
    assert isinstance(refused, _Refused)
    return refused


def _is_page_too_heavy(asked: _Asked[Any], fault: ApiFault) -> bool:
    """Whether the caller is to ask for a smaller page. A mutation that failed is repeated as it was instead."""
    return not asked.is_mutation and fault.rule.page_attempts is not None and Action.HALVE_PAGE in asked.settle


def _verdict(asked: _Asked[Any], fault: ApiFault, tries: int, boards: Mapping[str, int]) -> Exception:
    """What the caller of `execute` gets once the tries are over."""
    if _is_page_too_heavy(asked, fault):
        return Refusal(Action.HALVE_PAGE, fault)
    if fault.rule.action in asked.settle:
        return Refusal(fault.rule.action, fault)
    return sentence(fault, datetime.now(UTC), tries, boards)


def _with_price(limits: RateLimit, points_left: int | None, reset_s: float | None) -> RateLimit:
    return RateLimit(
        limits.minute_left, limits.minute_reset_s, points_left, reset_s, limits.at_once, limits.exhausted_reset_s
    )


def _log_refusal(document: Document[T], fault: ApiFault, is_mutation: bool) -> None:
    """monday's own text goes to the log of a read, which quotes no cell; of a mutation it might."""
    if fault.rule.action not in RETRIED:
        logger.warning(
            "refused=%s status=%d code=%s path=%s request=%s text=%r",
            document.name, fault.status, fault.code, fault.path, fault.request_id,
            "" if is_mutation else fault.message[:300],
        )  # fmt: skip
