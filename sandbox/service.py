"""One request from its bytes to a reply: token, version, faults, limits, idempotency, execution, latency."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections import deque
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

from sandbox.clock import Clock
from sandbox.cost import only_complexity, points
from sandbox.errors import Refused, refusal
from sandbox.execute import Context, Renderers, execute
from sandbox.faults import FAULTS, FaultRule, Faults, Reply, refused_reply
from sandbox.idempotency import Idempotency
from sandbox.jobs import Jobs
from sandbox.limits import Limits, Meter
from sandbox.mutations import RESOLVERS
from sandbox.pages import Pager
from sandbox.render import dumps, encode
from sandbox.schema import Document, Documents, variables_of
from sandbox.selection import Selection, flat, resolve
from sandbox.versions import Versions
from sandbox.world import World

_JSON = "application/json; charset=utf-8"
_LOG_KEPT = 20_000


@dataclass(slots=True)
class Logged:
    """One request of the log."""

    operation: str
    mutation: bool
    variables: dict[str, Any]
    root_fields: list[str]
    status: int = 0
    points: int = 0
    items: int = 0
    fault: str | None = None
    replayed: bool = False


@dataclass(slots=True)
class Counters:
    """What was asked since the last reset; `mutations` counts mutation fields that ran, aliases one by one."""

    requests: int = 0
    reads: int = 0
    mutation_requests: int = 0
    mutations: int = 0
    items: int = 0
    bytes: int = 0
    complexity: int = 0
    faults: int = 0
    by_operation: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Latency:
    """Real time that each answer takes on top of the work: fixed, and per item or mutation in it."""

    fixed_ms: float = 0.0
    per_item_ms: float = 0.0


class Service:
    """The API of one account. Safe for threads."""

    def __init__(self, world: World, clock: Clock, limits: Limits | None = None, token: str | None = None) -> None:
        self.world = world
        self.faults = Faults()
        self.meter = Meter(clock, limits)
        self.latency = Latency()
        self.counters = Counters()
        self.log: deque[Logged] = deque(maxlen=_LOG_KEPT)
        self.jobs = Jobs(world)
        self.idempotency = Idempotency(clock)
        self.token = token
        self.versions = Versions()
        self.base_url = ""
        self._documents = Documents()
        self._pager = Pager(world)
        self._renderers = Renderers(world)
        self._lock = threading.Lock()

    def answer(self, headers: dict[str, str], body: bytes) -> Reply:
        """Header names in lower case."""
        self.meter.enter()
        try:
            reply = self._answer(headers, body)
        except Refused as refused:
            reply = refused_reply(refused)
        finally:
            self.meter.leave()
        versions = self.versions
        version = versions.answering(headers.get("api-version")) or versions.current
        date = formatdate(self.world.clock.now(), usegmt=True)
        common = {"x-request-id": str(uuid.uuid4()), "date": date, **self.meter.headers()}
        common |= {"api-version": version} if versions.told else {}
        reply.headers = {**common, **reply.headers}
        with self._lock:
            self.counters.requests += 1
            self.counters.bytes += len(reply.body)
        return reply

    def reset_counters(self) -> None:
        with self._lock:
            self.counters = Counters()
            self.log.clear()
        self.meter.reset()

    def _answer(self, headers: dict[str, str], body: bytes) -> Reply:
        self._authenticate(headers)
        version = self.versions.answering(headers.get("api-version"))
        if version is None:
            raise refusal(200, "InvalidVersionException", "The API-Version header must be YYYY-MM")
        text, given, name = _request(body)
        document = self._documents.get(text, name, version)
        selections = resolve(document, variables_of(document, given))
        logged = Logged(document.name, document.is_mutation, given, [asked.name for asked in flat(selections)])
        written = {str(asked.args.get("item_id") or asked.args.get("item_name")) for asked in flat(selections)}
        rule = self.faults.take([document.name, *logged.root_fields], document.is_mutation, written)
        self._note(logged, rule)
        reply = self._with_fault(rule, _Asked(document, selections, headers, version), logged)
        logged.status = reply.status
        return reply

    def _with_fault(self, rule: FaultRule | None, asked: _Asked, logged: Logged) -> Reply:
        if rule is None:
            return self._run(asked, logged, None)
        fault = FAULTS[rule.kind]
        if fault.instead is not None:
            if rule.effect:
                self._run(asked, logged, None)
            time.sleep(rule.delay_s)
            reply = fault.instead(rule)
            if rule.stored and asked.key is not None:
                self.idempotency.keep(asked.key, reply)
            return reply
        reply = self._run(asked, logged, rule)
        if fault.data is not None:
            answer = json.loads(reply.body)
            fault.data(answer)
            reply.body = encode(dumps(answer))
        if fault.transport is not None:
            fault.transport(reply)
        time.sleep(rule.delay_s)
        return reply

    def _run(self, asked: _Asked, logged: Logged, rule: FaultRule | None) -> Reply:
        """The true answer, or the stored one of the same Idempotency-Key."""
        key = asked.key
        if key is None:
            return self._execute(asked, logged, rule)[0]
        stored = self.idempotency.begin(key)
        if stored is not None:
            logged.replayed = True
            return stored
        reply, has_errors = None, False
        try:
            reply, has_errors = self._execute(asked, logged, rule)
        finally:
            self.idempotency.finish(key, reply, has_errors)
        return reply

    def _execute(self, asked: _Asked, logged: Logged, rule: FaultRule | None) -> tuple[Reply, bool]:
        cost = points(asked.selections)
        complexity = self.meter.admit(cost, only_complexity(asked.selections))
        flags = frozenset({rule.kind}) if rule is not None and FAULTS[rule.kind].flag else frozenset()
        context = Context(
            self.world,
            self._pager,
            self.jobs,
            self._renderers,
            complexity,
            self.meter.limits.daily_calls,
            asked.document.schema,
            asked.version,
            self.versions,
            self.base_url,
            flags,
        )
        root = "Mutation" if asked.document.is_mutation else "Query"
        with self.world.lock:
            if "item_deleted" in flags:
                self._delete_first(asked.selections)
            if "page_drift" in flags:
                self._drift(rule.seen if rule is not None else 0)
            data = execute(context, asked.selections, root, RESOLVERS)
        logged.points, logged.items = cost, context.items
        self._count(logged)
        self._sleep(context.items)
        request_id = str(uuid.uuid4())
        body = _envelope(data, context.errors, request_id, self.world.account.id)
        return Reply(200, body, {"Content-Type": _JSON, "x-request-id": request_id}), bool(context.errors)

    def _delete_first(self, selections: tuple[Selection, ...]) -> None:
        for asked in flat(selections):
            raw = asked.args.get("item_id")
            if raw is not None and (item := self.world.items.get(int(raw))) is not None:
                self.world.set_state(item, "deleted")
                return

    def _drift(self, seed: int) -> None:
        for board in self.world.boards.values():
            self.world.shuffle(board, seed)

    def _sleep(self, items: int) -> None:
        delay_ms = self.latency.fixed_ms + self.latency.per_item_ms * items
        if delay_ms > 0:
            time.sleep(delay_ms / 1000)

    def takes(self, headers: dict[str, str]) -> bool:
        """Whether a request shows the token; any request does where none is set."""
        return self.token is None or headers.get("authorization", "").removeprefix("Bearer ") == self.token

    def _authenticate(self, headers: dict[str, str]) -> None:
        if not headers.get("authorization", "").removeprefix("Bearer ") or not self.takes(headers):
            raise Refused(401, {"errors": ["Not Authenticated"]})

    def _note(self, logged: Logged, rule: FaultRule | None) -> None:
        logged.fault = rule.kind if rule else None
        with self._lock:
            counters = self.counters
            counters.reads += not logged.mutation
            counters.mutation_requests += logged.mutation
            counters.faults += rule is not None
            counters.by_operation[logged.operation] = counters.by_operation.get(logged.operation, 0) + 1
            self.log.append(logged)

    def _count(self, logged: Logged) -> None:
        with self._lock:
            self.counters.items += logged.items
            self.counters.complexity += logged.points
            if logged.mutation:
                self.counters.mutations += sum(name != "complexity" for name in logged.root_fields)


@dataclass(frozen=True, slots=True)
class _Asked:
    document: Document
    selections: tuple[Selection, ...]
    headers: dict[str, str]
    version: str

    @property
    def key(self) -> str | None:
        """The Idempotency-Key; monday ignores one on a query."""
        return self.headers.get("idempotency-key") if self.document.is_mutation else None


def _request(body: bytes) -> tuple[str, dict[str, Any], str | None]:
    """Query text, variables and operation name. Lone surrogates in the JSON pass, as they do on monday."""
    try:
        request = json.loads(body)
    except ValueError:
        raise refusal(400, "JsonParseException", "The request body is not JSON") from None
    if not isinstance(request, dict) or not isinstance(request.get("query"), str):
        raise refusal(400, None, "Bad request: the body needs a query")
    variables = request.get("variables") or {}
    if not isinstance(variables, dict):
        raise refusal(400, None, "Bad request: variables must be an object")
    return request["query"], variables, request.get("operationName")


def _envelope(data: bytes, errors: list[dict[str, Any]], request_id: str, account_id: int) -> bytes:
    failed = b',"errors":' + encode(dumps(errors)) if errors else b""
    tail = f',"extensions":{{"request_id":"{request_id}"}},"account_id":{account_id}}}'.encode()
    return b'{"data":' + data + failed + tail
