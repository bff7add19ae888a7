"""The transport and the error table against single HTTP answers, and every document against monday's schema."""

from __future__ import annotations

import gzip
import json
import logging
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
import responses
from graphql import GraphQLSchema, build_schema, parse, validate
from hypothesis import given
from hypothesis import strategies as st

from monday import queries
from monday.boards import BoardGroup
from monday.errors import LONGEST_WAIT_S, RULES, Action, ApiFault, Refusal, rule_for, sentence
from monday.faults import faults_in, retry_after
from monday.pagination import group_chains
from monday.rate_limit import RateLimit
from monday.responses import Aliases, Document
from monday.transport import Transport
from monday_api import BOARDS, MARKER, MondayClient
from reconcile.errors import ConfigError, DriftError, SyncError, Unavailable
from reconcile.items import decode_item, raw_item, without_lone_surrogates

URL = "http://127.0.0.1:9/v2"
TOKEN = "canary-token-5f3a"
ASK: Document[Aliases] = Document("Ask", "query Ask { me { account { id } } }", Aliases)
SEND: Document[Aliases] = Document("Send", "mutation Send { a0: archive_item(item_id: 1) { id } }", Aliases)
GOOD = {"data": {"me": {"account": {"id": "1"}}}}
NOW = datetime(2026, 11, 23, 17, 30, tzinfo=UTC)
SDL = Path(__file__).parents[3] / "shared" / "monday" / "schema.graphql"


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.slept: list[float] = []

    def sleep(self, wait_s: float) -> None:
        self.slept.append(wait_s)
        self.now_s += wait_s

    def clock(self) -> float:
        return self.now_s


@pytest.fixture
def http() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def time() -> Time:
    return Time()


def transport(time: Time, **options: Any) -> Transport:
    return Transport(TOKEN, url=URL, sleep=time.sleep, clock=time.clock, **options)


def error(code: str | None = None, message: str = "refused", **extensions: Any) -> dict[str, Any]:
    if code is not None:
        extensions["code"] = code
    return {"errors": [{"message": message, "extensions": extensions}], "data": None}


# Documents


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    if not SDL.exists():
        pytest.skip("monday's own schema is not beside this project")
    return build_schema(SDL.read_text(encoding="utf-8"), assume_valid=True)


def test_every_document_is_valid_for_monday(schema: GraphQLSchema) -> None:
    documents: list[Document[Any]] = [queries.RECHECK, queries.DAILY_LIMIT]
    documents += [queries.preflight(count, counts=counts) for count in (1, 2) for counts in (True, False)]
    documents += [queries.changed(BOARDS, [first, second]) for first in (True, False) for second in (True, False)]
    for board, mapping in BOARDS.items():
        asked = queries.board_queries(board, 1, mapping)
        documents += [asked.first_page, asked.next_page, *asked.by_id]
    for document in documents:
        assert validate(schema, parse(document.text)) == [], document.name


def test_a_row_asks_for_each_fragment_once_and_for_no_unmapped_column() -> None:
    for board, mapping in BOARDS.items():
        asked = queries.board_queries(board, 1, mapping)
        fragments = {column.codec.fragment for column in mapping.values()} - {""}
        assert all(asked.first_page.text.count(fragment) == 1 for fragment in fragments)
        assert set(asked.column_ids) == set(mapping) - {"name"} | {MARKER}


# The table of errors

TABLE: list[tuple[int, str, str, Action]] = [
    (429, "COMPLEXITY_BUDGET_EXHAUSTED", "", Action.WAIT_RETRY),
    (429, "ComplexityException", "Complexity budget exhausted, reset in 16 seconds", Action.WAIT_RETRY),
    (200, "complexityBudgetExhausted", "", Action.WAIT_RETRY),
    (200, "", "Query has complexity of 6000000, which exceeds max complexity of 5000000", Action.HALVE_PAGE),
    (400, "", "Query has complexity of 6000000, which exceeds max complexity", Action.HALVE_PAGE),
    (400, "ComplexityException", "Query has complexity of 9, which exceeds max complexity", Action.HALVE_PAGE),
    (429, "MINUTE_RATE_LIMIT_EXCEEDED", "", Action.WAIT_RETRY),
    (429, "RATE_LIMIT_EXCEEDED", "", Action.WAIT_RETRY),
    (200, "RateLimitedException", "", Action.WAIT_RETRY),
    (200, "MutationCallsExceeded", "", Action.WAIT_RETRY),
    (200, "", "Rate Limit Exceeded", Action.WAIT_RETRY),
    (200, "", "Minute limit rate exceeded", Action.WAIT_RETRY),
    (429, "a code of tomorrow", "", Action.WAIT_RETRY),
    (429, "MAX_CONCURRENCY_EXCEEDED", "", Action.LOWER_RETRY),
    (200, "maxConcurrencyExceeded", "", Action.LOWER_RETRY),
    (429, "DAILY_LIMIT_EXCEEDED", "", Action.STOP_DAY),
    (429, "IP_RATE_LIMIT_EXCEEDED", "", Action.WAIT_RETRY),
    (200, "FIELD_MINUTE_RATE_LIMIT_EXCEEDED", "", Action.WAIT_RETRY),
    (200, "FIELD_LIMIT_EXCEEDED", "", Action.WAIT_RETRY),
    (200, "tooManyRequests", "", Action.RETRY),
    (409, "IDEMPOTENCY_CONFLICT", "", Action.RETRY),
    (423, "", "Resource is currently locked, please try again later", Action.RETRY),
    (200, "", "Resource is currently locked, please try again later", Action.RETRY),
    (500, "INTERNAL_SERVER_ERROR", "", Action.RETRY),
    (200, "INTERNAL_SERVER_ERROR", "", Action.RETRY),
    (500, "", "Internal Server Error", Action.RETRY),
    (502, "", "", Action.RETRY),
    (503, "TIMEOUT_EXCEEDED", "", Action.RETRY),
    (504, "", "", Action.RETRY),
    (200, "API_TEMPORARILY_BLOCKED", "", Action.RETRY),
    (200, "CursorException", "", Action.RESTART_CURSOR),
    (200, "CursorExpiredError", "", Action.RESTART_CURSOR),
    (200, "", "CursorExpiredError: the cursor is gone", Action.RESTART_CURSOR),
    (200, "", "CursorException: The cursor provided for pagination has expired", Action.RESTART_CURSOR),
    (401, "NOT_AUTHENTICATED", "", Action.FATAL_AUTH),
    (200, "", "Not Authenticated", Action.FATAL_AUTH),
    (401, "", "Unauthorized", Action.FATAL_AUTH),
    (200, "", "Your ip is restricted", Action.FATAL_AUTH),
    (403, "UserUnauthorizedException", "", Action.FATAL_ACCESS),
    (200, "UserUnauthorizedException", "User unauthorized to perform action", Action.FATAL_ACCESS),
    (200, "USER_ACCESS_DENIED", "", Action.FATAL_ACCESS),
    (200, "missingRequiredPermissions", "", Action.FATAL_ACCESS),
    (404, "ResourceNotFoundException", "", Action.ITEM_GONE),
    (200, "InvalidItemIdException", "", Action.ITEM_GONE),
    (200, "InvalidItemId", "", Action.ITEM_GONE),
    (200, "InvalidBoardIdException", "", Action.FATAL_DRIFT),
    (200, "InvalidColumnIdException", "", Action.FATAL_DRIFT),
    (200, "InvalidGroupIdException", "", Action.FATAL_DRIFT),
    (200, "InvalidUserIdException", "", Action.FATAL_DRIFT),
    (200, "ColumnValueException", "", Action.VALUE_REFUSED),
    (200, "CorrectedValueException", "", Action.VALUE_REFUSED),
    (422, "DATA_VALIDATIONS_ERROR", "", Action.VALUE_REFUSED),
    (422, "RecordInvalidException", "", Action.VALUE_REFUSED),
    (200, "ItemNameTooLongException", "", Action.VALUE_REFUSED),
    (200, "ItemsLimitationException", "", Action.BOARD_FULL),
    (200, "InvalidArgumentException", "", Action.FATAL_BUG),
    (200, "InvalidVersionException", "", Action.FATAL_BUG),
    (400, "JsonParseException", "", Action.FATAL_BUG),
    (400, "", "Bad request", Action.FATAL_BUG),
    (200, "", "Parse error on \"}\" (RCURLY)", Action.FATAL_BUG),
    (400, "GRAPHQL_VALIDATION_FAILED", "", Action.FATAL_BUG),
    (200, "undefinedField", "", Action.FATAL_BUG),
    (200, "", "Field 'kind' doesn't exist on type 'User'", Action.FATAL_BUG),
    (200, "SomethingNew", "nobody knows", Action.UNKNOWN),
]  # fmt: skip


@pytest.mark.parametrize(("status", "code", "message", "action"), TABLE)
def test_an_error_is_told_by_code_then_status_then_message(
    status: int, code: str, message: str, action: Action
) -> None:
    assert rule_for(ApiFault(status, code, message)).action is action
    assert rule_for(ApiFault(status, code.upper(), message.upper())).action is action


def test_each_row_ends_in_a_sentence_of_the_class_that_says_what_to_do() -> None:
    exits = {
        Action.STOP_DAY: Unavailable,
        Action.FATAL_AUTH: ConfigError,
        Action.FATAL_ADDRESS: ConfigError,
        Action.FATAL_ACCESS: DriftError,
        Action.FATAL_DRIFT: DriftError,
        Action.ITEM_GONE: DriftError,
        Action.FATAL_BUG: SyncError,
        Action.VALUE_REFUSED: SyncError,
        Action.BOARD_FULL: SyncError,
    }
    for rule in RULES:
        code, status = next(iter(rule.codes), ""), next(iter(rule.statuses), 0)
        said = sentence(ApiFault(status, code, rule.also or rule.message, request_id="r-1"), NOW)
        assert type(said) is exits.get(rule.action, Unavailable), rule
        assert "request r-1" in str(said)


def test_spent_daily_calls_say_when_they_come_back() -> None:
    said = sentence(ApiFault(429, "DAILY_LIMIT_EXCEEDED", told_wait_s=3599), NOW)
    assert "2026-11-24 00:00 UTC, in 6 h 30 min" in str(said)


@pytest.mark.parametrize(
    ("extensions", "header_s", "message", "wait_s"),
    [
        ({"retry_in_seconds": 7, "retryAfterMs": 9000}, 11, "reset in 13 seconds", 7),
        ({"retryAfterMs": 9000}, 11, "reset in 13 seconds", 9),
        ({"retry_in_seconds": True}, 11, "reset in 13 seconds", 11),
        ({"retry_in_seconds": 0}, 11, "", 0),
        ({}, None, "Complexity budget exhausted, budget remaining 7 out of 10 reset in 13 seconds", 13),
        ({}, None, "", None),
    ],
)
def test_the_wait_is_the_first_that_is_told(
    extensions: dict[str, Any], header_s: float | None, message: str, wait_s: float | None
) -> None:
    [object_fault] = faults_in(429, [{"message": message, "extensions": extensions}], (None, None, None), header_s, "")
    assert object_fault.told_wait_s == wait_s


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        ("16", 16),
        ("Mon, 23 Nov 2026 17:30:20 GMT", 20),
        ("Mon, 23 Nov 2026 17:00:00 GMT", 0),
        ("soon", None),
        (None, None),
    ],
)
def test_retry_after_is_a_number_or_a_date(header: str | None, wait_s: float | None) -> None:
    assert retry_after(header, NOW) == wait_s


# Requests and retries


def test_a_read_asks_as_monday_wants_it(http: responses.RequestsMock, time: Time) -> None:
    http.post(URL, json=GOOD, headers={"x-request-id": "r-9", "api-version": "2026-10"})
    answer = transport(time).execute(ASK, {"ids": ["1"]})
    sent = http.calls[0].request
    assert sent.headers["Authorization"] == TOKEN
    assert sent.headers["API-Version"] == "2026-10"
    assert sent.headers["Content-Type"] == "application/json"
    assert "gzip" in sent.headers["Accept-Encoding"]
    assert json.loads(sent.body or b"") == {"query": ASK.text, "variables": {"ids": ["1"]}}
    assert (answer.request_id, answer.faults) == ("r-9", ())


UNUSABLE: list[dict[str, Any]] = [
    {"body": requests.ConnectionError("reset")},
    {"body": requests.ReadTimeout("slow")},
    {"body": b"<html>maintenance</html>", "content_type": "text/html"},
    {"body": b""},
    {"body": b'{"data": {"me": {"acc'},
    {"body": b'{"data": {"me": "\xff"}}'},
    {"body": b'{"data": ' + b"[" * 100_000},
    {"json": {"data": None}},
    {"json": []},
    {"json": {"data": {"me": None}, "errors": [{"message": "Internal server error", "path": ["me"]}]}},
    {"json": GOOD | {"errors": [{"message": "x", "extensions": {"code": "tooManyRequests"}}]}},
    {"body": b"<html>bad gateway</html>", "status": 502},
    {"body": b"", "status": 503},
    {"json": {}, "status": 504},
    {"json": error("INTERNAL_SERVER_ERROR"), "status": 500},
]


@pytest.mark.parametrize("first", UNUSABLE)
def test_an_unusable_answer_is_asked_for_again_with_the_same_bytes(
    http: responses.RequestsMock, time: Time, first: dict[str, Any]
) -> None:
    http.post(URL, **first)
    http.post(URL, json=GOOD)
    client = transport(time, mutations=True)
    assert client.execute(ASK, {"n": 1}, idempotency_key="k-1").data.keys() == {"me"}
    one, two = (call.request for call in http.calls)
    assert one.body == two.body
    assert one.headers["Idempotency-Key"] == two.headers["Idempotency-Key"] == "k-1"
    assert client.stats.summary() == {
        "requests": 2, "mutations": 0, "complexity": 0, "retries": 1, "waited_s": round(sum(time.slept), 3),
    }  # fmt: skip
    assert 1 <= sum(time.slept) <= 60


@pytest.mark.parametrize("always", UNUSABLE[:3] + UNUSABLE[-4:])
def test_after_five_tries_monday_is_unavailable(
    http: responses.RequestsMock, time: Time, always: dict[str, Any]
) -> None:
    http.post(URL, **always)
    with pytest.raises(Unavailable, match="5 times in a row"):
        transport(time).execute(ASK, {})
    assert len(http.calls) == 5
    assert time.slept == sorted(time.slept)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"json": {"errors": ["Not Authenticated"]}, "status": 401}, ConfigError),
        ({"json": {"errors": ["Not Authenticated"]}}, ConfigError),
        ({"body": b"<html>403</html>", "status": 403}, DriftError),
        ({"json": error("UserUnauthorizedException")}, DriftError),
        ({"json": error("DAILY_LIMIT_EXCEEDED", retry_in_seconds=3599), "status": 429}, Unavailable),
        ({"json": error("InvalidBoardIdException")}, DriftError),
        ({"json": error("undefinedField")}, SyncError),
        ({"json": error(None, "x", problems=[{"explanation": "Expected value to be an Int"}])}, SyncError),
        ({"json": {"error_code": "UserUnauthorizedException", "status_code": 403, "error_message": "no"}}, DriftError),
        ({"json": error("SomethingNew")}, SyncError),
        ({"body": b"", "status": 302, "headers": {"Location": "http://127.0.0.1:8/"}}, ConfigError),
        ({"body": b"<html>not here</html>", "status": 404}, ConfigError),
        ({"body": requests.exceptions.SSLError("self-signed")}, ConfigError),
    ],
)  # fmt: skip
def test_what_waiting_cannot_cure_is_tried_once(
    http: responses.RequestsMock, time: Time, answer: dict[str, Any], kind: type[SyncError]
) -> None:
    http.post(URL, **answer)
    with pytest.raises(SyncError) as raised:
        transport(time).execute(ASK, {})
    assert type(raised.value) is kind
    assert len(http.calls) == 1
    assert time.slept == []


@pytest.mark.parametrize(
    ("answer", "wait_s"),
    [
        ({"json": error("COMPLEXITY_BUDGET_EXHAUSTED", retry_in_seconds=16), "status": 429}, 16),
        ({"json": error("COMPLEXITY_BUDGET_EXHAUSTED", retry_in_seconds=16)}, 16),
        ({"json": error("MINUTE_RATE_LIMIT_EXCEEDED"), "status": 429, "headers": {"Retry-After": "21"}}, 21),
        ({"json": error("RATE_LIMIT_EXCEEDED", retryAfterMs=2500), "status": 429}, 2.5),
        ({"json": error("IP_RATE_LIMIT_EXCEEDED"), "headers": {"RateLimit": '"minuteRate";r=0;t=33'}}, 33),
        ({"json": error("MINUTE_RATE_LIMIT_EXCEEDED"), "status": 429}, 58),
        ({"json": {"error_code": "ComplexityException", "status_code": 429,
                   "error_message": "Complexity budget exhausted, query cost 9 reset in 44 seconds"}}, 44),
        ({"json": error("COMPLEXITY_BUDGET_EXHAUSTED", retry_in_seconds=100_000)}, LONGEST_WAIT_S),
    ],
)  # fmt: skip
def test_a_limit_waits_as_long_as_it_says(
    http: responses.RequestsMock, time: Time, answer: dict[str, Any], wait_s: float
) -> None:
    http.post(URL, **answer)
    http.post(URL, json=GOOD)
    client = transport(time)
    client.execute(ASK, {})
    assert wait_s <= sum(time.slept) <= wait_s + 0.6
    assert client.stats.daily_calls == 1.1


def test_a_limit_pauses_whoever_comes_next(http: responses.RequestsMock, time: Time) -> None:
    http.post(URL, json=error("MINUTE_RATE_LIMIT_EXCEEDED", retry_in_seconds=30), status=429)
    http.post(URL, json=GOOD)
    client = transport(time)
    client.pace.pause(30)
    client.execute(ASK, {})
    assert time.slept[0] == 30  # at the gate, before anything was sent
    assert len(http.calls) == 2


def test_too_many_at_once_halves_them_once_for_a_burst(http: responses.RequestsMock, time: Time) -> None:
    http.post(URL, json=error("MAX_CONCURRENCY_EXCEEDED", retry_in_seconds=5), status=429)
    http.post(URL, json=GOOD)
    client = transport(time, at_once=10)
    sent_at = time.clock()
    client.execute(ASK, {})
    assert client.pace.at_once == 5
    assert client.pace.lower(sent_at) == 5
    assert client.pace.lower(time.clock()) == 2


@pytest.mark.parametrize(
    ("headers", "price", "paused_s"),
    [
        ({"RateLimit": '"complexityMinute";r=900;t=45'}, {"query": 1000}, 45),
        ({"RateLimit": '"complexityMinute";r=1000;t=45'}, {"query": 1000}, 0),
        ({}, {"query": 1000, "after": 10, "reset_in_x_seconds": 12}, 12),
        ({"RateLimit": '"minuteRate";r=0;t=50, "complexityMinute";r=9800000;t=45'}, {"query": 1000}, 50),
        ({"RateLimit": '"minuteRate";r=0'}, {"query": 1}, 5),
        ({"RateLimit": "nonsense;;r=", "RateLimit-Policy": '"x'}, {"query": 1}, 0),
    ],
)
def test_it_slows_down_before_a_limit_is_hit(
    http: responses.RequestsMock, time: Time, headers: dict[str, str], price: dict[str, int], paused_s: float
) -> None:
    http.post(URL, json={"data": {"complexity": price}}, headers=headers)
    client = transport(time)
    client.execute(ASK, {})
    assert time.slept == []
    assert client.stats.complexity == price["query"]
    client.execute(ASK, {})
    assert sum(time.slept) == paused_s


def test_no_more_than_half_of_the_quota_is_in_flight(http: responses.RequestsMock, time: Time) -> None:
    http.post(URL, json=GOOD, headers={"RateLimit-Policy": '"minuteRate";q=1000;w=60, "concurrency";q=8;qu="requests"'})
    client = transport(time, at_once=10)
    client.execute(ASK, {})
    assert client.pace.at_once == 4


def test_rate_limit_headers_read_as_documented() -> None:
    headers = {
        "ratelimit-policy": '"minuteRate";q=1000;w=60, "concurrency";q=40;qu="concurrent-requests"',
        "ratelimit": '"minuteRate";r=990, "concurrency";r=39, "complexityMinute";r=9800000;t=45',
    }
    assert RateLimit.read(headers) == RateLimit(990, None, 9_800_000, 45, 40, None)


@pytest.mark.parametrize(
    ("answer", "tries"),
    [
        ({"body": b"", "status": 504}, 1),
        ({"json": error("INTERNAL_SERVER_ERROR"), "status": 500}, 3),
        ({"json": error("FIELD_LIMIT_EXCEEDED")}, 1),
        ({"json": error(None, "Query has complexity of 9, which exceeds max complexity")}, 1),
        ({"body": gzip.compress(b"0" * (65 * 1024 * 1024)), "headers": {"Content-Encoding": "gzip"}}, 1),
    ],
)
def test_a_page_too_heavy_comes_back_to_be_made_smaller(
    http: responses.RequestsMock, time: Time, answer: dict[str, Any], tries: int
) -> None:
    http.post(URL, **answer)
    with pytest.raises(Refusal) as raised:
        transport(time).execute(ASK, {}, settle=[Action.HALVE_PAGE])
    assert raised.value.action is Action.HALVE_PAGE
    assert len(http.calls) == tries


def test_a_mutation_keeps_the_aliases_that_ran(http: responses.RequestsMock, time: Time) -> None:
    refused = {"message": "bad", "path": ["a1"], "extensions": {"code": "ColumnValueException", "error_data": {"x": 1}}}
    body = {"data": {"a0": {"id": "11"}, "a1": None}, "errors": [refused]}
    http.post(URL, json=body, headers={"Idempotency-Replayed": "true"})
    client = transport(time, mutations=True)
    answer = client.execute(SEND, {}, idempotency_key="k")
    assert json.loads(bytes(answer.data["a0"])) == {"id": "11"}
    [fault] = answer.faults
    assert (fault.path, fault.rule.action, fault.details) == (("a1",), Action.VALUE_REFUSED, {"x": 1})
    assert answer.replayed
    assert client.stats.summary()["mutations"] == 1


def test_a_mutation_refused_as_a_whole_is_sent_again(http: responses.RequestsMock, time: Time) -> None:
    http.post(URL, json=error("IDEMPOTENCY_CONFLICT"), status=409, headers={"Retry-After": "3"})
    http.post(URL, json={"data": {"a0": {"id": "11"}}})
    transport(time, mutations=True).execute(SEND, {}, idempotency_key="k")
    assert [call.request.headers["Idempotency-Key"] for call in http.calls] == ["k", "k"]


def test_a_read_only_transport_cannot_send_a_mutation(http: responses.RequestsMock, time: Time) -> None:
    with pytest.raises(SyncError, match="read-only"):
        transport(time).execute(SEND, {})
    assert len(http.calls) == 0


@pytest.mark.parametrize(("answered", "level"), [("2027-01", "INFO"), ("2027-04", "WARNING")])
def test_another_version_answering_is_said_once(
    http: responses.RequestsMock, time: Time, caplog: pytest.LogCaptureFixture, answered: str, level: str
) -> None:
    caplog.set_level("INFO")
    for version in (answered, "2026-10", answered):
        http.post(URL, json=GOOD, headers={"api-version": version})
    client = transport(time)
    for _ in range(3):
        client.execute(ASK, {})
    assert [(record.levelname, record.message) for record in caplog.records if "api_version" in record.message] == [
        (level, f"api_version asked=2026-10 answered={answered}: check MONDAY_API_VERSION")
    ]


# Secrets


@pytest.mark.parametrize("token", ["kgq7\nb", " kgq7", "kgq7 ", "", "kgq7\r", "kgq7ä", "kgq7\0"])
def test_a_token_that_cannot_be_one_is_refused_unseen(token: str) -> None:
    with pytest.raises(ConfigError) as raised:
        Transport(token, url=URL)
    assert str(raised.value).startswith("MONDAY_API_KEY holds")
    assert "kgq7" not in str(raised.value)


def test_the_token_beats_a_netrc_entry(
    http: responses.RequestsMock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine api.monday.com login somebody password else\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(netrc))
    http.post("https://api.monday.com/v2", json=GOOD)
    Transport(TOKEN).execute(ASK, {})
    assert http.calls[0].request.headers["Authorization"] == TOKEN


def test_no_failure_shows_the_token(http: responses.RequestsMock, time: Time, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for answer in (*UNUSABLE, {"json": error("NOT_AUTHENTICATED"), "status": 401}, {"body": b"", "status": 301}):
        http.reset()
        http.post(URL, **answer)
        client = transport(time)
        with pytest.raises(SyncError) as raised:
            client.execute(ASK, {})
        shown: BaseException | None = raised.value
        while shown is not None:
            assert TOKEN not in repr(shown)
            shown = shown.__context__
    assert TOKEN not in caplog.text
    assert TOKEN not in repr(vars(client))


# Hostile JSON


@pytest.mark.parametrize(
    ("escaped", "decoded"),
    [
        (r"a\ud800b", "a\0b"),
        (r"\udc00", "\0"),
        (r"\ud83d\ude00", "😀"),
        (r"\ud800\ud83d\ude00", "\0😀"),
        (r"\\ud800", r"\ud800"),
        (r"\\\ud800", "\\\0"),
        (r"\uD8AB\u0041", "\0A"),
        (r"\\ud83d\ude00", "\\ud83d\0"),
        (r"\\ud800\ud83d\ude00", "\\ud800😀"),
    ],
)
def test_half_a_surrogate_pair_never_costs_the_page(escaped: str, decoded: str) -> None:
    item = f'{{"id":"1","updated_at":"u","name":"{escaped}","column_values":[]}}'.encode()
    repaired = without_lone_surrogates(item)
    assert decode_item(raw_item(repaired).raw).name == decoded
    assert decode_item(item).name == decoded


@given(st.lists(st.sampled_from(["\\", "\\ud8", "\ud800", "\udc00", "ud83d", "\U0001f600", '"', "a", "é"]), max_size=8))
def test_only_halves_are_mended(parts: list[str]) -> None:
    body = json.dumps("".join(parts)).encode()
    read = json.loads(body)
    whole = "".join("\0" if "\ud800" <= char <= "\udfff" else char for char in read)
    assert json.loads(without_lone_surrogates(body)) == whole
    if whole == read:
        assert without_lone_surrogates(body) == body


# Chains


@given(st.dictionaries(st.text("abc", min_size=1), st.integers(0, 3000), max_size=12), st.integers(1, 10))
def test_chains_hold_every_group_once_and_cost_few_requests(sizes: Mapping[str, int], width: int) -> None:
    total = sum(sizes.values())
    chains = group_chains([BoardGroup(group, group, size) for group, size in sizes.items()], total, width)
    assert len(chains) <= width
    if chains == [()]:
        return
    assert sorted(group for chain in chains for group in chain) == sorted(sizes)
    requests_sent = sum(max(1, -(-sum(sizes[group] for group in chain) // 500)) for chain in chains)
    assert requests_sent <= -(-total // 500) + len(sizes)


@pytest.mark.parametrize(
    ("sizes", "pages"),
    [
        ([2000] * 10, [4] * 10),
        ([200] * 10, [1] * 5),
        ([16_000] + [400] * 10, [8, 32]),
        ([50] * 20, [1, 1]),
        ([0, 600, 0], [2]),
        ([499], [1]),
    ],
)
def test_the_longest_chain_is_as_short_as_can_be(sizes: list[int], pages: list[int]) -> None:
    groups = [BoardGroup(str(n), str(n), size) for n, size in enumerate(sizes)]
    chains = group_chains(groups, sum(sizes), 10)
    held = [sum(sizes[int(group)] for group in chain) for chain in chains] if chains != [()] else [sum(sizes)]
    assert sorted(max(1, -(-size // 500)) for size in held) == pages


def test_unknown_group_sizes_make_one_chain() -> None:
    assert group_chains([BoardGroup("a", "A"), BoardGroup("b", "B")], 20_000, 10) == [()]


# A board that does not end


def board_server(http: responses.RequestsMock, cursors: Iterator[str | None], items_count: int) -> None:
    """A board of one item that comes again on each page, with the cursors given."""
    item = {"id": "5", "updated_at": "2026-11-20T10:00:00Z", "name": "n", "column_values": []}
    columns = [{"id": key, "title": key, "type": "text"} for key in BOARDS["staff"]]

    def answer(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        query = json.loads(request.body or b"")["query"]
        page: dict[str, Any] = {"cursor": None, "items": [item]}
        if "FirstPage" in query or "NextPage" in query:
            cursor = next(cursors)
            if cursor == "expired":
                return 200, {}, json.dumps(error("CursorException"))
            page["cursor"] = cursor
        board = {"id": "9", "name": "Staff", "state": "active", "items_count": items_count, "columns": columns,
                 "groups": [], "items_page": page}  # fmt: skip
        data = {"boards": [board], "next_items_page": page, "me": {"account": {"id": "1"}}}
        return 200, {}, json.dumps({"data": data})

    http.add_callback(responses.POST, URL, callback=answer)


def client_of(time: Time, boards: Mapping[str, int] | None = None) -> MondayClient:
    return MondayClient(TOKEN, boards or {"staff": 9}, url=URL, sleep=time.sleep, clock=time.clock)


@pytest.mark.parametrize(
    "cursors",
    [
        pytest.param(lambda: iter(["a", "b", "a"]), id="repeated"),
        pytest.param(lambda: (str(n) for n in range(10_000)), id="endless"),
    ],
)
def test_a_walk_that_never_ends_is_drift(http: responses.RequestsMock, time: Time, cursors: Any) -> None:
    board_server(http, cursors(), items_count=600)
    client = client_of(time)
    read = client.full(client.preflight())
    with pytest.raises(DriftError, match="no last page"):
        list(read.pages())
    assert len(http.calls) < 20


def test_a_cursor_that_keeps_expiring_is_given_up(http: responses.RequestsMock, time: Time) -> None:
    board_server(http, iter(["a", "expired"] * 10), items_count=600)
    client = client_of(time)
    read = client.full(client.preflight())
    with pytest.raises(Unavailable, match="expired 4 times"):
        list(read.pages())
    assert sum("FirstPage" in str(call.request.body) for call in http.calls) == 4


def test_items_that_came_twice_are_handed_out_once(http: responses.RequestsMock, time: Time) -> None:
    board_server(http, iter(["a", "expired", "a", None]), items_count=1)
    client = client_of(time)
    read = client.full(client.preflight())
    assert [item.id for page in read.pages() for item in page.items] == [5]
    assert read.outcome["staff"].complete


def test_a_board_that_the_token_may_not_see_is_no_empty_board(http: responses.RequestsMock, time: Time) -> None:
    http.post(URL, json={"data": {"boards": [], "me": {"account": {"id": "1"}}}})
    with pytest.raises(DriftError, match="staff board 9 is not among those that the token may see"):
        client_of(time).preflight()


def test_closing_ends_a_wait(http: responses.RequestsMock) -> None:
    http.post(URL, json=error("MINUTE_RATE_LIMIT_EXCEEDED", retry_in_seconds=100), status=429)
    client = Transport(TOKEN, url=URL)
    client.close()
    with pytest.raises(Unavailable):
        client.execute(ASK, {})
