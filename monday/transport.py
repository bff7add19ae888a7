"""One HTTP connection pool to monday.com: token, version, limits, waiting and retries.

A document goes in with its variables, typed data comes out, or an error that says what to do. The token is in one
place, the `AuthBase` object: it beats a `.netrc` entry, and appears in no message.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import urlsplit

import msgspec
import requests
import tenacity
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

from monday.errors import (
    BAD_ADDRESS,
    BROKEN_BODY,
    CONNECTION,
    LONGEST_WAIT_S,
    NOT_TRUSTED,
    RETRIED,
    SHARED,
    TOO_LARGE,
    Action,
    Fault,
    Refusal,
    gravest,
    sentence,
)
from monday.faults import faults_in, retry_after
from monday.pace import Pace, RateLimit, Stats
from monday.wire import Document, Envelope, complexity_of, decode_answer
from reconcile.errors import ConfigError, SyncError

logger = logging.getLogger(__name__)

T = TypeVar("T")

API_URL = "https://api.monday.com/v2"
API_VERSION = "2026-10"
CONNECT_TIMEOUT_S = 10
READ_TIMEOUT_S = 70  # a little over the 60 s after which monday cuts a call (monday docs)
LARGEST_BODY = 64 * 1024 * 1024
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


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """Data of one request; `faults` are the refused aliases of a mutation, always empty for a read."""

    data: T
    faults: tuple[Fault, ...] = ()
    replayed: bool = False
    """Whether monday repeated a stored answer instead of running the mutation again."""
    request_id: str = ""
    took_s: float = 0.0


class _Token(AuthBase):
    """The bare token, as monday's own samples send it, in place of whatever a `.netrc` holds."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._token
        return request

    def __repr__(self) -> str:
        return "_Token(***)"


class _Refused(Exception):
    """One attempt failed with this fault."""

    def __init__(self, fault: Fault, sent_at: float) -> None:
        super().__init__(fault.code, fault.status)
        self.fault = fault
        self.sent_at = sent_at


class Transport:
    """Sends documents and waits as told. Made without `mutations`, it cannot send one.

    `sleep` and `clock` (monotonic seconds) are injectable; without `sleep`, `close` ends every wait at once.
    """

    def __init__(
        self,
        token: str,
        *,
        url: str = API_URL,
        version: str = API_VERSION,
        mutations: bool = False,
        at_once: int = MOST_AT_ONCE,
        on_event: Listener = deaf,
        sleep: Callable[[float], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not _PRINTABLE.fullmatch(token):
            raise ConfigError("MONDAY_API_KEY holds a blank, a line break or a sign that no token has: copy it again")
        self.stats = Stats()
        self.version = version
        self.answered_version: str | None = None
        self.told_date: str | None = None
        """The Date header of the last answer."""
        self._url = url
        self._mutations = mutations
        self._on_event = on_event
        self._clock = clock
        self._closed = threading.Event()
        self._sleep = sleep or self._closed.wait
        self.pace = Pace(at_once, self.stats, self._sleep, clock)
        self._auth = _Token(token)
        self._session = _session(url, version, at_once)

    def close(self) -> None:
        """End every wait and drop the connections; what is still in flight fails in its own thread."""
        self._closed.set()
        self._session.close()

    def execute(
        self,
        document: Document[T],
        variables: Mapping[str, Any],
        *,
        settle: Collection[Action] = (),
        idempotency_key: str | None = None,
    ) -> Answer[T]:
        """Send until it is answered, refused for good, or tried often enough.

        `settle` names the actions that the caller carries out itself: they come as Refusal. A read with any error
        is rejected whole; a mutation of which only some aliases failed is returned with their faults. Every try
        sends the same bytes and the same key. Raises SyncError of the class that fits.
        """
        is_mutation = _MUTATION.search(document.text) is not None
        if is_mutation and not self._mutations:
            raise SyncError(f"the mutation {document.name} was about to be sent by a read-only client: this is a bug")
        body = msgspec.json.encode({"query": document.text, "variables": variables})
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}

        def attempt() -> Answer[T]:
            with self.pace.turn() as sent_at:
                return self._attempt(document, body, headers, is_mutation, sent_at)

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_Refused),
            stop=lambda state: self._give_up(state, settle),
            wait=_wait_s,
            before_sleep=self._announce,
            sleep=self._rest,
            reraise=True,
        )
        try:
            return retrying(attempt)
        except _Refused as refused:
            fault = refused.fault
        if fault.rule.action in SHARED:
            self.pace.pause(_told_s(fault) or 1)  # for whoever goes on, a smaller page for one
        raise _verdict(fault, settle)

    def _give_up(self, state: tenacity.RetryCallState, settle: Collection[Action]) -> bool:
        rule = _refusal_of(state).fault.rule
        if self._closed.is_set() or rule.action not in RETRIED:
            return True
        if rule.page_attempts is not None and Action.HALVE_PAGE in settle:
            return state.attempt_number >= rule.page_attempts
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

    def _attempt(
        self, document: Document[T], body: bytes, headers: dict[str, str], is_mutation: bool, sent_at: float
    ) -> Answer[T]:
        """Raises _Refused when the answer is not usable."""
        try:
            response, content = self._post(body, headers)
        except _Refused as refused:
            self.stats.add(requests=1, mutations=int(is_mutation))
            raise _Refused(refused.fault, sent_at) from None
        took_s = self._clock() - sent_at
        faults, envelope = _examine(document, response, content)
        data = envelope.data if envelope is not None else None
        price = complexity_of(data) if data is not None else None
        limits = RateLimit.read(response.headers)
        self._account(document, len(content), is_mutation, faults, price, limits, took_s)
        self._check_version(response)
        request_id = response.headers.get("x-request-id", "")
        if not faults and data is None:
            faults = [Fault(response.status_code, BROKEN_BODY, request_id=request_id)]
        if faults and not (is_mutation and data is not None and _per_alias(response.status_code, faults)):
            fault = gravest(faults)
            _log_refusal(document, fault, is_mutation)
            raise _Refused(fault, sent_at)
        assert data is not None
        replayed = response.headers.get("idempotency-replayed", "").lower() == "true"
        return Answer(data, tuple(faults), replayed, request_id, took_s)

    def _account(
        self,
        document: Document[T],
        size: int,
        is_mutation: bool,
        faults: list[Fault],
        price: Any,
        limits: RateLimit,
        took_s: float,
    ) -> None:
        cost = price.query if price else None
        points_left = limits.points_left if limits.points_left is not None else (price.after if price else None)
        self.stats.add(
            requests=1,
            mutations=int(is_mutation),
            complexity=cost or 0,
            received_bytes=size,
            refused=any(fault.rule.action in SHARED or fault.rule.action is Action.STOP_DAY for fault in faults),
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
        answered = response.headers.get("api-version")
        if not answered or answered == self.answered_version:
            return
        self.answered_version = answered
        if answered != self.version:
            # monday replaces a version that it does not know, silently (monday docs, "API versioning").
            logger.warning("api_version asked=%s answered=%s: check MONDAY_API_VERSION", self.version, answered)

    def _post(self, body: bytes, headers: dict[str, str]) -> tuple[requests.Response, bytes]:
        """One HTTP exchange. Raises _Refused; the causes are dropped, their texts may quote headers or addresses."""
        try:
            with self._session.post(
                self._url,
                data=body,
                headers=headers,
                auth=self._auth,
                timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
                allow_redirects=False,
                stream=True,
            ) as response:
                return response, _read(response, LARGEST_BODY)
        except requests.exceptions.SSLError:
            code = NOT_TRUSTED
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, requests.exceptions.MissingSchema):
            code = BAD_ADDRESS
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError):
            code = CONNECTION
        raise _Refused(Fault(0, code), 0.0)


def _session(url: str, version: str, at_once: int) -> requests.Session:
    """Proxies and CA bundles of the environment hold for monday, never for a server on this computer."""
    session = requests.Session()
    session.trust_env = urlsplit(url).hostname not in {"127.0.0.1", "localhost", "::1"}
    session.headers.update({"Content-Type": "application/json", "API-Version": version, "User-Agent": "monday-sync"})
    adapter = HTTPAdapter(pool_connections=1, pool_maxsize=at_once)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _read(response: requests.Response, largest: int) -> bytes:
    """The body, unzipped. `Response.content` would join it from pieces of 10 kB, which costs more than parsing it.

    Raises urllib3's errors for a body shorter than announced, _Refused for one that is too large.
    """
    announced = response.headers.get("content-length", "")
    if announced.isdigit() and int(announced) <= largest and "content-encoding" not in response.headers:
        return response.raw.read()  # without a second copy
    pieces = []
    size = 0
    while piece := response.raw.read(largest + 1 - size, decode_content=True):
        pieces.append(piece)
        size += len(piece)
        if size > largest:
            raise _Refused(Fault(response.status_code, TOO_LARGE), 0.0)
    return b"".join(pieces)


def _examine(
    document: Document[T], response: requests.Response, content: bytes
) -> tuple[list[Fault], Envelope[T] | None]:
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
        return [Fault(status, code, request_id=request_id, told_wait_s=told_s)], None
    legacy = (envelope.error_code, envelope.error_message, envelope.status_code)
    faults = faults_in(status, envelope.errors, legacy, told_s, request_id)
    if not faults and status >= 300:
        faults = [Fault(status, request_id=request_id, told_wait_s=told_s)]
    return faults, envelope


def _per_alias(status: int, faults: list[Fault]) -> bool:
    """Whether a mutation ran and only some of its aliases were refused: then each is settled by itself."""
    return status == 200 and all(fault.path for fault in faults)


def _wait_s(state: tenacity.RetryCallState) -> float:
    """Seconds until the next try: as the server told, else as its kind of error needs, else a growing backoff."""
    told_s = _told_s(_refusal_of(state).fault)
    return min(_backoff(state) if told_s is None else told_s + _jitter(state), LONGEST_WAIT_S)


def _told_s(fault: Fault) -> float | None:
    return fault.told_wait_s if fault.told_wait_s is not None else fault.rule.wait_s


def _refusal_of(state: tenacity.RetryCallState) -> _Refused:
    assert state.outcome is not None
    refused = state.outcome.exception()
    assert isinstance(refused, _Refused)
    return refused


def _verdict(fault: Fault, settle: Collection[Action]) -> Exception:
    """What the caller of `execute` gets once the tries are over."""
    rule = fault.rule
    if rule.page_attempts is not None and Action.HALVE_PAGE in settle:
        return Refusal(Action.HALVE_PAGE, fault)
    if rule.action in settle:
        return Refusal(rule.action, fault)
    return sentence(fault, datetime.now(UTC))


def _with_price(limits: RateLimit, points_left: int | None, reset_s: float | None) -> RateLimit:
    return RateLimit(
        limits.minute_left, limits.minute_reset_s, points_left, reset_s, limits.at_once, limits.exhausted_reset_s
    )


def _log_refusal(document: Document[T], fault: Fault, is_mutation: bool) -> None:
    """monday's own text goes to the log of a read, which quotes no cell; of a mutation it might."""
    if fault.rule.action not in RETRIED:
        logger.warning(
            "refused=%s status=%d code=%s path=%s request=%s text=%r",
            document.name, fault.status, fault.code, fault.path, fault.request_id,
            "" if is_mutation else fault.message[:300],
        )  # fmt: skip
