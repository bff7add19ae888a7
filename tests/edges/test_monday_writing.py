"""Writing to the sandbox over real HTTP: what one request does, what a broken one may have done, and never twice."""

from __future__ import annotations

import json
import logging
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
import requests
import responses
import urllib3
from graphql import build_schema, parse, validate
from hypothesis import given
from hypothesis import strategies as st

from monday.errors import UNREAD, Action, ApiFault, may_have_run
from monday.responses import Aliases, Document
from monday.transport import Transport
from monday.writing import (
    AIM_S,
    MOST_POINTS,
    Answered,
    ArchiveItem,
    Batch,
    BatchSize,
    ChangeItem,
    CreateItem,
    Doubtful,
    Op,
    TooLarge,
    Writer,
)
from monday_api import BOARDS, MondayClient
from reconcile.errors import ConfigError, DriftError, LeaseHeld, SyncError, Unavailable
from reconcile.items import RawItem, decode_item
from sandbox import MASTER_BOARD_ID, STAFF_BOARD_ID, Sandbox, seed_world
from sandbox.faults import FAULTS

BOARD_IDS = {"master": MASTER_BOARD_ID, "staff": STAFF_BOARD_ID}
TOKEN = "canary-token-90c3"
SDL = Path(__file__).parents[3] / "shared" / "monday" / "schema.graphql"
URL = "http://127.0.0.1:9/v2"
SECRET = "canary-value-22d7"


def gate_open() -> None:
    """The lease is held."""


def gate_shut() -> None:
    raise LeaseHeld("another run took over")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed_world(items=30, staff=5, groups=2), token=TOKEN) as sandbox:
        yield sandbox


def writer_of(sandbox: Sandbox, **options: Any) -> Writer:
    """A writer that moves the sandbox's clock when it waits."""
    chosen: dict[str, Any] = {"sleep": sandbox.advance, "mutations": True} | options
    return Writer(Transport(TOKEN, url=sandbox.api_url, clock=sandbox.clock.now, **chosen), BOARD_IDS, BOARDS)


@pytest.fixture
def writer(sandbox: Sandbox) -> Writer:
    return writer_of(sandbox)


def changes(sandbox: Sandbox, count: int = 3) -> list[Op]:
    return [ChangeItem(item, {"text43__1": f"note {item}"}) for item in sandbox.item_ids()[:count]]


def creates(count: int = 3) -> list[Op]:
    return [CreateItem(f"New {n}", {"text43__1": f"note {n}"}) for n in range(count)]


def items_of(answered: Answered) -> list[RawItem]:
    assert [result.fault for result in answered.results] == [None] * len(answered.results)
    return [result.item for result in answered.results if result.item is not None]


def codes_of(answered: Answered) -> list[str | None]:
    assert all((result.item is None) != (result.fault is None) for result in answered.results)
    return [None if result.fault is None else result.fault.code for result in answered.results]


def executed(sandbox: Sandbox) -> int:
    """Mutation fields that ran, whatever was answered."""
    count: int = sandbox.counters()["mutations"]
    return count


def page_of(sandbox: Sandbox) -> dict[int, RawItem]:
    with MondayClient(TOKEN, BOARD_IDS, url=sandbox.api_url) as client:
        return {item.id: item for page in client.full(client.preflight()).pages() for item in page.items}


# What one request does

CELLS: dict[str, Any] = {
    "name": "Renamed – Ünïcode 😀",
    "text43__1": f'{SECRET} "quoted"\nsecond line',
    "numbers0": "18250.5",
    "phone_1__1": {"phone": "+13035550188", "countryShortName": "US"},
    "email4__1": {"email": "ann@mail.example", "text": "Ann"},
    "link__1": {"url": "https://jobs.example/9", "text": "Job 9"},
    "date_19__1": {"date": "2026-03-21"},
    "text95__1": None,
}


def test_a_changed_item_comes_back_as_a_page_shows_it(sandbox: Sandbox, writer: Writer) -> None:
    master, staff = sandbox.item_ids()[:2], sandbox.item_ids(STAFF_BOARD_ID)[:1]
    sandbox.advance(60)
    answers = [
        writer.send(writer.batch("master", [ChangeItem(item, CELLS) for item in master], salt="s"), gate=gate_open),
        writer.send(writer.batch("staff", [ChangeItem(staff[0], {"text6": "XL"})], salt="s"), gate=gate_open),
    ]
    written = [item for answered in answers for item in items_of(answered)]
    page = page_of(sandbox)
    assert written == [page[item] for item in [*master, *staff]]
    assert decode_item(written[0].raw).name == CELLS["name"]
    assert sandbox.item(master[1])["cells"]["text43__1"]["text"] == CELLS["text43__1"]
    assert "text95__1" not in sandbox.item(master[0])["cells"]
    assert sandbox.counters()["mutation_requests"] == 2
    assert [answered.points for answered in answers] == [10_001, 5_001]


def test_creates_land_in_the_first_group_and_archives_are_harmless_twice(sandbox: Sandbox, writer: Writer) -> None:
    made = items_of(writer.send(writer.batch("master", creates(), salt="s"), gate=gate_open))
    shown = [sandbox.item(item.id) for item in made]
    assert [item["name"] for item in shown] == ["New 0", "New 1", "New 2"]
    assert [item["cells"]["text43__1"]["text"] for item in shown] == ["note 0", "note 1", "note 2"]
    assert {item["group_id"] for item in shown} == {sandbox.world.boards[MASTER_BOARD_ID].first_group.id}
    assert all(len(item.raw) < 100 for item in made)
    for salt in "ab":
        batch = writer.batch("master", [ArchiveItem(item.id) for item in made], salt=salt)
        assert [item.id for item in items_of(writer.send(batch, gate=gate_open))] == [item.id for item in made]
    assert {sandbox.item(item.id)["state"] for item in made} == {"archived"}


def test_a_label_is_made_only_where_the_op_says_so(sandbox: Sandbox, writer: Writer) -> None:
    first, second = sandbox.item_ids()[:2]
    label = {"job_division___1__1": {"label": "Unheard of"}}
    answered = writer.send(
        writer.batch("master", [ChangeItem(first, label), ChangeItem(second, label, create_labels=True)], salt="s"),
        gate=gate_open,
    )
    assert codes_of(answered) == ["ColumnValueException", None]


@pytest.mark.parametrize("kind", ["change", "create", "archive"])
def test_documents_are_constant_and_valid_for_monday(kind: str) -> None:
    if not SDL.exists():
        pytest.skip("monday's own schema is not beside this project")
    schema = build_schema(SDL.read_text(encoding="utf-8"), assume_valid=True)
    writer = Writer(Transport(TOKEN), BOARD_IDS, BOARDS)
    texts = set()
    for board in BOARDS:
        for name in ("one", "two"):
            ops: dict[str, Op] = {
                "change": ChangeItem(1, {"name": name}),
                "create": CreateItem(name, {}),
                "archive": ArchiveItem(1),
            }
            body = json.loads(writer.batch(board, [ops[kind]] * 3, salt="s").body)
            texts.add(body["query"])
            assert validate(schema, parse(body["query"])) == []
    assert len(texts) == (2 if kind == "change" else 1)  # the rows of two boards differ


@pytest.mark.parametrize("ops", [[], [ArchiveItem(1), ChangeItem(1, {})]])
def test_a_batch_is_of_one_kind(writer: Writer, ops: list[Op]) -> None:
    with pytest.raises(ValueError, match="all of one kind"):
        writer.batch("master", ops, salt="s")


def test_the_key_stands_for_salt_board_and_body(writer: Writer) -> None:
    made = [
        writer.batch(board, ops, salt=salt).key
        for board in BOARDS
        for salt in "ab"
        for ops in ([ArchiveItem(1)], [ArchiveItem(2)], [ArchiveItem(1)])
    ]
    assert len(set(made)) == 8
    assert all(len(key) == 64 for key in made)


# Some of it refused


def test_each_op_is_settled_by_itself(sandbox: Sandbox, writer: Writer) -> None:
    fine, bad, vanished, forbidden, archived, last = sandbox.item_ids()[:6]
    sandbox.delete(vanished)
    sandbox.protect(forbidden)
    sandbox.archive(archived)
    before = sandbox.item(bad)
    values = {"text43__1": "fine"}
    ops = [ChangeItem(item, values) for item in (fine, bad, vanished, forbidden, archived, last)]
    ops[1] = ChangeItem(bad, {"text43__1": "half of it", "numbers0": SECRET})
    answered = writer.send(writer.batch("master", ops, salt="s"), gate=gate_open)
    actions = [result.fault and result.fault.rule.action for result in answered.results]
    assert actions == [None, Action.VALUE_REFUSED, Action.ITEM_GONE, Action.FATAL_ACCESS, Action.ITEM_GONE, None]
    refused = answered.results[1].fault
    assert refused is not None
    assert refused.details["column_id"] == "numbers0"
    assert sandbox.item(bad) == before
    assert sandbox.item(last)["cells"]["text43__1"]["text"] == "fine"


ROW = '"id":"5","updated_at":"2026-11-20T10:00:00Z","name":"n"'


@pytest.mark.parametrize(
    ("alias", "errors", "code"),
    [
        (f"{{{ROW}}}", [], None),
        ("null", [], UNREAD),
        (None, [], UNREAD),
        ('{"name":"n"}', [], UNREAD),
        ("null", [("ColumnValueException", ["a0"])], "ColumnValueException"),
        ("null", [("UserUnauthorizedException", ["a0"])], "UserUnauthorizedException"),
        ("null", [("ItemsLimitationException", ["a0"])], "ItemsLimitationException"),
        ("null", [("COMPLEXITY_BUDGET_EXHAUSTED", ["a0"])], "COMPLEXITY_BUDGET_EXHAUSTED"),
        ("null", [("tooManyRequests", ["a0"])], UNREAD),
        ("null", [("INTERNAL_SERVER_ERROR", ["a0"])], UNREAD),
        ("null", [("SomethingNew", ["a0"])], UNREAD),
        ("null", [("ColumnValueException", ["a0", "name"])], UNREAD),  # refused while answering, so it ran
        ("null", [("ColumnValueException", ["a0"]), ("tooManyRequests", ["a0"])], UNREAD),
        (
            f'{{{ROW},"column_values":[{{"id":"x","text":"t"}},null]}}',
            [("tooMany", ["a0", "column_values", 1])],
            UNREAD,
        ),
        (f'{{{ROW},"column_values":[{{"id":"x","text":null}}]}}', [("tooMany", ["a0", "column_values"])], UNREAD),
        (f'{{{ROW},"column_values":[{{"id":"x","text":"t"}}]}}', [("tooMany", ["a0", "column_values", 0])], None),
        (f"{{{ROW}}}", [("tooMany", ["a0", "column_values", 0])], UNREAD),
        (f"{{{ROW}}}", [("tooMany", ["complexity"])], None),
    ],
)
def test_written_is_what_came_back_whole_and_refused_what_is_refused_for_sure(
    alias: str | None, errors: list[tuple[str, list[str | int]]], code: str | None
) -> None:
    told = [{"message": SECRET, "path": path, "extensions": {"code": code}} for code, path in errors]
    shown = f',"a0":{alias}' if alias else ""
    body = f'{{"data":{{"complexity":null{shown}}},"errors":{json.dumps(told)}}}'
    if not errors:
        body = f'{{"data":{{"complexity":null{shown}}}}}'
    with responses.RequestsMock() as http:
        http.post(URL, body=body)
        writer = Writer(Transport(TOKEN, url=URL, mutations=True), BOARD_IDS, BOARDS)
        answered = writer.send(writer.batch("master", [ArchiveItem(5)], salt="s"), gate=gate_open)
    assert codes_of(answered) == [code]
    assert answered.points is None
    fault = answered.results[0].fault
    if fault is not None and fault.code == UNREAD:
        assert fault.rule.action is Action.READ_BACK
        assert fault.was in {"", *(told_code for told_code, _path in errors)}


@pytest.mark.parametrize("price", ['{"query":"many"}', '{"query":null}', "7", "null"])
def test_what_was_written_is_not_lost_over_a_strange_price(price: str) -> None:
    with responses.RequestsMock() as http:
        http.post(URL, body=f'{{"data":{{"complexity":{price},"a0":{{{ROW}}}}}}}')
        writer = Writer(Transport(TOKEN, url=URL, mutations=True), BOARD_IDS, BOARDS)
        answered = writer.send(writer.batch("master", [ArchiveItem(5)], salt="s"), gate=gate_open)
    assert codes_of(answered) == [None]
    assert answered.points is None


# Every fault, with and without effect

NOT_FOR_WRITES = {"cursor_expired", "repeated_cursor", "endless_pages", "page_drift", "stale_read"}
SURE: dict[str, tuple[type[Exception] | None, type[Exception] | None]] = {
    "rate_limited": (None, Unavailable),
    "rate_limited_date": (None, Unavailable),
    "complexity_exhausted": (None, Unavailable),
    "complexity_exhausted_200": (None, Unavailable),
    "complexity_legacy": (None, Unavailable),
    "complexity_in_text": (None, Unavailable),
    "minute_limit": (None, Unavailable),
    "concurrency_limit": (None, Unavailable),
    "ip_limit": (None, Unavailable),
    "locked": (None, Unavailable),
    "daily_limit": (Unavailable, Unavailable),
    "too_complex": (TooLarge, TooLarge),
    "unauthorized": (ConfigError, ConfigError),
    "ip_restricted": (ConfigError, ConfigError),
    "forbidden": (DriftError, DriftError),
    "wrong_content_type": (None, None),
    "latency": (None, None),
}
"""Fault → the verdict when it happens once, and when always; None: answered. Nothing ran where one is raised."""
DOUBT: dict[str, type[Exception] | None] = {
    "conflict": None,
    "internal_error": None,
    "internal_error_200": None,
    "bad_gateway": None,
    "unavailable": None,
    "gateway_timeout": None,
    "temporarily_blocked": None,
    "empty_body": None,
    "html_200": None,
    "truncated_json": None,
    "reset_before": None,
    "timeout_before": None,
    "reset_after": None,
    "timeout_after": None,
    "reset_mid_body": None,
    "short_body": None,
    "short_content_length": None,
    "error_beside_data": None,
    "user_unauthorized": Doubtful,  # with HTTP 200 it may be about one of the items only
}
"""Fault → the verdict when it happens once; when it always happens it is Doubtful."""
PARTIAL = {
    "too_many_requests": UNREAD,
    "field_limit": UNREAD,
    "null_unexplained": UNREAD,
    "cell_unread": UNREAD,
    "item_deleted": "ResourceNotFoundException",
}
"""Fault → the code of the one op it hits; the others are written."""


def test_every_fault_is_tried_here() -> None:
    assert {*SURE, *DOUBT, *PARTIAL, *NOT_FOR_WRITES, "wrong_version"} == set(FAULTS)


def verdict(writer: Writer, batch: Batch) -> Exception | None:
    try:
        items_of(writer.send(batch, gate=gate_open))
    except (SyncError, TooLarge, Doubtful) as raised:
        return raised
    return None


CASES = [
    *((kind, once, always, False) for kind, (once, always) in SURE.items()),
    *((kind, once, Doubtful, effect) for kind, once in DOUBT.items() for effect in (False, True)),
]


@pytest.mark.parametrize("make", [changes, lambda _sandbox: creates()], ids=["change", "create"])
@pytest.mark.parametrize(("kind", "once", "always", "effect"), CASES)
def test_whatever_goes_wrong_it_runs_once(
    sandbox: Sandbox,
    writer: Writer,
    make: Callable[[Sandbox], list[Op]],
    kind: str,
    once: type[Exception] | None,
    always: type[Exception] | None,
    effect: bool,
) -> None:
    for times, expected in ((1, once), (0, always)):
        sandbox.reset_counters()
        before = len(sandbox.item_ids())
        ops = make(sandbox)
        batch = writer.batch("master", ops, salt=f"{times}")
        sandbox.fault(kind, match="mutation", times=times, effect=effect)
        raised = verdict(writer, batch)
        assert type(raised) is (type(None) if expected is None else expected)
        if raised is not None and not isinstance(raised, Doubtful):
            assert executed(sandbox) == 0
        if isinstance(raised, TooLarge):
            assert isinstance(raised.error, Unavailable)
        assert executed(sandbox) in (0, len(ops))
        sandbox.clear_faults()
        assert verdict(writer, batch) is None
        assert executed(sandbox) == len(ops)
        assert len(sandbox.item_ids()) - before == sum(isinstance(op, CreateItem) for op in ops)


@pytest.mark.parametrize("make", [changes, lambda _sandbox: creates()], ids=["change", "create"])
@pytest.mark.parametrize(("kind", "code"), [case for case in PARTIAL.items() if case[0] != "item_deleted"])
def test_an_outcome_that_is_not_shown_is_to_be_read(
    sandbox: Sandbox, writer: Writer, make: Callable[[Sandbox], list[Op]], kind: str, code: str
) -> None:
    sandbox.fault(kind, match="mutation")
    answered = writer.send(writer.batch("master", make(sandbox), salt="s"), gate=gate_open)
    assert codes_of(answered) == [None, None, code]
    assert executed(sandbox) == 3


def test_after_an_answer_by_a_version_that_nobody_tried_no_other_write_goes(sandbox: Sandbox, writer: Writer) -> None:
    """What was sent is done and known; the same request again would be one write more than the version is trusted."""
    sandbox.fault("wrong_version", match="mutation")
    batch = writer.batch("master", changes(sandbox), salt="s")
    assert verdict(writer, batch) is None
    for again in (batch, writer.batch("master", changes(sandbox), salt="t")):
        assert isinstance(verdict(writer, again), DriftError)
    assert executed(sandbox) == 3


def test_an_item_that_vanished_meanwhile_costs_only_itself(sandbox: Sandbox, writer: Writer) -> None:
    sandbox.fault("item_deleted", match="mutation")
    answered = writer.send(writer.batch("master", changes(sandbox), salt="s"), gate=gate_open)
    assert codes_of(answered) == [PARTIAL["item_deleted"], None, None]


@pytest.mark.parametrize(
    ("later", "error"),
    [
        ("daily_limit", Unavailable),
        ("unauthorized", ConfigError),
        ("forbidden", DriftError),
        ("too_complex", Unavailable),
        ("rate_limited", Unavailable),
    ],
)
@pytest.mark.parametrize("effect", [False, True])
def test_a_refusal_does_not_clear_up_an_earlier_doubt(
    sandbox: Sandbox, writer: Writer, later: str, error: type[SyncError], effect: bool
) -> None:
    sandbox.fault("gateway_timeout", match="mutation", effect=effect)
    sandbox.fault(later, match="mutation", nth=2, times=0)
    with pytest.raises(Doubtful) as raised:
        writer.send(writer.batch("master", creates(), salt="s"), gate=gate_open)
    assert type(raised.value.error) is error
    assert raised.value.fault is not None
    assert raised.value.fault.status == 504
    assert executed(sandbox) == 3 * effect


@pytest.mark.parametrize("effect", [False, True])
def test_a_stored_failure_is_not_asked_for_again(sandbox: Sandbox, writer: Writer, effect: bool) -> None:
    sandbox.fault("internal_error_200", match="mutation", effect=effect, stored=True)
    with pytest.raises(Doubtful) as raised:
        writer.send(writer.batch("master", creates(), salt="s"), gate=gate_open)
    assert isinstance(raised.value.error, Unavailable)
    assert sandbox.counters()["mutation_requests"] == 2
    assert executed(sandbox) == 3 * effect


def test_nothing_is_in_doubt_while_nobody_answers_the_port(sandbox: Sandbox, writer: Writer) -> None:
    batch = writer.batch("master", creates(), salt="s")
    sandbox.stop()
    with pytest.raises(Unavailable, match="5 times in a row"):
        writer.send(batch, gate=gate_open)


def wrapped(reason: Exception) -> urllib3.exceptions.MaxRetryError:
    """As requests gets it from urllib3."""
    return urllib3.exceptions.MaxRetryError(None, "/v2", reason)  # type: ignore[arg-type]  # the pool is only shown


def tls(error: ssl.SSLError) -> requests.exceptions.SSLError:
    return requests.exceptions.SSLError(wrapped(urllib3.exceptions.SSLError(error)))


@pytest.mark.parametrize(
    ("broken", "verdict", "tries"),
    [
        (requests.ConnectTimeout("slow"), Unavailable, 5),
        (requests.ReadTimeout("slow"), Doubtful, 5),
        (requests.ConnectionError("reset"), Doubtful, 5),
        (requests.exceptions.ProxyError("refused"), Doubtful, 5),
        (tls(ssl.SSLCertVerificationError("self-signed")), ConfigError, 1),
        (tls(ssl.SSLEOFError("cut")), Doubtful, 5),
        (tls(ssl.SSLError("bad record mac")), Doubtful, 1),
    ],
)
def test_only_a_connection_that_was_never_made_proves_that_nothing_ran(
    broken: Exception, verdict: type[Exception], tries: int
) -> None:
    with responses.RequestsMock() as http:
        http.post(URL, body=broken)
        transport = Transport(TOKEN, url=URL, mutations=True, sleep=lambda _s: None)
        writer = Writer(transport, BOARD_IDS, BOARDS)
        with pytest.raises(verdict):
            writer.send(writer.batch("master", creates(), salt="s"), gate=gate_open)
        assert len(http.calls) == tries


@pytest.mark.parametrize(
    ("status", "code", "doubt"),
    [
        (400, "", False),
        (400, "InvalidArgumentException", False),
        (200, "InvalidArgumentException", True),
        (200, "x-invalid-variable", False),
        (200, "GRAPHQL_VALIDATION_FAILED", False),
        (401, "", False),
        (403, "UserUnauthorizedException", False),
        (404, "", False),
        (408, "", True),
        (413, "", False),
        (422, "DATA_VALIDATIONS_ERROR", True),
        (423, "", False),
        (429, "a code of tomorrow", False),
        (500, "ColumnValueException", True),
        (503, "RATE_LIMIT_EXCEEDED", True),
        (520, "", True),
        (200, "SomethingNew", True),
        (418, "SomethingNew", True),
    ],
)
def test_what_a_refused_mutation_may_have_done(status: int, code: str, doubt: bool) -> None:
    assert may_have_run(ApiFault(status, code)) is doubt


# The same batch again


def test_a_batch_from_the_journal_gets_the_stored_answer(sandbox: Sandbox, writer: Writer) -> None:
    batch = writer.batch("master", [*creates(), CreateItem("Bad", {"numbers0": "bad"})], salt="s")
    stored = json.loads(json.dumps(msgspec.to_builtins(batch)))
    first = writer.send(batch, gate=gate_open)
    assert codes_of(first) == [None, None, None, "ColumnValueException"]
    sandbox.advance(29 * 60)
    again = writer_of(sandbox).send(Batch(**stored), gate=gate_open)
    assert (again.replayed, first.replayed) == (True, False)
    assert [result.item for result in again.results] == [result.item for result in first.results]
    assert codes_of(again) == codes_of(first)
    assert executed(sandbox) == 4


@given(
    board=st.sampled_from(sorted(BOARDS)),
    text=st.text(st.characters(exclude_categories=["Cs"])),
    count=st.integers(1, 3),
)
def test_a_batch_round_trips_through_json(board: str, text: str, count: int) -> None:
    writer = Writer(Transport(TOKEN), BOARD_IDS, BOARDS)
    batch = writer.batch(board, [CreateItem(text, {"text43__1": text})] * count, salt=text)
    assert msgspec.json.decode(msgspec.json.encode(batch), type=Batch) == batch
    sent = json.loads(batch.body)["variables"]
    assert [json.loads(sent[f"values{n}"]) for n in range(count)] == [{"text43__1": text}] * count


def test_every_try_sends_the_same_bytes_and_key() -> None:
    with responses.RequestsMock() as http:
        http.post(URL, body=b"", status=504)
        http.post(URL, body=requests.ConnectionError("reset"))
        http.post(URL, json={"data": {"a0": {"id": "5", "updated_at": "u"}}})
        transport = Transport(TOKEN, url=URL, mutations=True, sleep=lambda _s: None)
        writer = Writer(transport, BOARD_IDS, BOARDS)
        batch = writer.batch("master", [ChangeItem(5, CELLS)], salt="s")
        writer.send(batch, gate=gate_open)
        assert {call.request.body for call in http.calls} == {batch.body.encode()}
        assert {call.request.headers["Idempotency-Key"] for call in http.calls} == {batch.key}
        assert len(http.calls) == 3


def test_a_batch_of_an_older_version_can_still_be_sent(sandbox: Sandbox, writer: Writer) -> None:
    items = sandbox.item_ids()[:2]
    query = (
        "mutation Old($x: ID!, $y: ID!) { a1: archive_item(item_id: $y) { updated_at id name } "
        "a0: archive_item(item_id: $x) { updated_at id name } }"
    )
    body = json.dumps({"variables": {"x": items[0], "y": items[1]}, "query": query})
    answered = writer.send(Batch("a board of old", "archive", 2, "k", body), gate=gate_open)
    assert [item.id for item in items_of(answered)] == items
    assert answered.points is None


def test_a_batch_that_still_runs_is_waited_for(sandbox: Sandbox) -> None:
    """The program was killed in mid-request and resumes while monday is still at it."""
    batch = writer_of(sandbox).batch("master", creates(), salt="s")
    first: list[Answered] = []
    thread = threading.Thread(target=lambda: first.append(writer_of(sandbox).send(batch, gate=gate_open)))
    waits: list[float] = []

    def sleep(wait_s: float) -> None:
        waits.append(wait_s)
        sandbox.advance(wait_s)
        if thread.is_alive():
            sandbox.world.lock.release()
            thread.join()

    sandbox.world.lock.acquire()  # what the first request has to wait for
    thread.start()
    while not sandbox.counters()["daily_calls"]:
        time.sleep(0.001)
    again = writer_of(sandbox, sleep=sleep).send(batch, gate=gate_open)
    assert again.replayed
    assert [result.item for result in again.results] == [result.item for result in first[0].results]
    assert executed(sandbox) == 3
    assert len(waits) == 1
    assert 1 <= waits[0] <= 1.5  # as its Retry-After says


# Waiting, and the gate


@pytest.mark.parametrize(("headers", "least", "most"), [({}, 2, 10), ({"Retry-After": "20"}, 20, 20.5)])
def test_a_locked_board_is_waited_for(headers: dict[str, str], least: float, most: float) -> None:
    waits: list[float] = []
    with responses.RequestsMock() as http:
        locked = {"errors": [{"message": "Resource is currently locked, please try again later"}]}
        http.post(URL, json=locked, status=423, headers=headers)
        transport = Transport(TOKEN, url=URL, mutations=True, sleep=waits.append)
        writer = Writer(transport, BOARD_IDS, BOARDS)
        with pytest.raises(Unavailable):
            writer.send(writer.batch("master", creates(), salt="s"), gate=gate_open)
    assert len(waits) == 4
    assert len(set(waits)) == 4
    assert all(least <= wait_s <= most for wait_s in waits)


def test_the_gate_is_asked_right_before_each_try(sandbox: Sandbox) -> None:
    seen: list[str] = []

    def sleep(wait_s: float) -> None:
        seen.append("wait")
        sandbox.advance(wait_s)

    def gate() -> None:
        seen.append(f"gate before request {sandbox.counters()['requests']}")

    sandbox.fault("gateway_timeout", match="mutation")
    sandbox.fault("rate_limited", match="mutation", nth=2)
    writer = writer_of(sandbox, sleep=sleep)
    writer.send(writer.batch("master", creates(), salt="s"), gate=gate)
    asked = [f"gate before request {n}" for n in range(3)]
    assert list(dict.fromkeys(seen)) == [asked[0], "wait", asked[1], asked[2]]
    assert [entry for entry in seen if entry != "wait"] == asked
    assert seen[-2:] == ["wait", asked[2]]


def shut_after(tries: int) -> Callable[[], None]:
    left = iter([gate_open] * tries)

    def gate() -> None:
        next(left, gate_shut)()

    return gate


@pytest.mark.parametrize(
    ("kind", "tries", "verdict", "ran"),
    [
        ("gateway_timeout", 0, LeaseHeld, 0),
        ("gateway_timeout", 1, Doubtful, 3),
        ("rate_limited", 1, LeaseHeld, 0),
        ("locked", 2, LeaseHeld, 0),
    ],
)
def test_a_gate_that_shuts_ends_it(
    sandbox: Sandbox, writer: Writer, kind: str, tries: int, verdict: type[Exception], ran: int
) -> None:
    sandbox.fault(kind, match="mutation", times=0, effect=ran > 0)
    with pytest.raises(verdict) as raised:
        writer.send(writer.batch("master", creates(), salt="s"), gate=shut_after(tries))
    assert sandbox.counters()["mutation_requests"] == tries
    assert executed(sandbox) == ran
    if isinstance(raised.value, Doubtful):
        assert isinstance(raised.value.error, LeaseHeld)


def test_a_mutation_needs_a_writer_and_a_key(sandbox: Sandbox) -> None:
    writer = writer_of(sandbox, mutations=False)
    with pytest.raises(SyncError, match="read-only"):
        writer.send(writer.batch("master", creates(), salt="s"), gate=gate_open)
    document: Document[Aliases] = Document("Bare", "mutation Bare { archive_item(item_id: 1) { id } }", Aliases)
    with pytest.raises(SyncError, match="without a key"):
        Transport(TOKEN, url=sandbox.api_url, mutations=True).execute(document, {})
    assert sandbox.counters()["requests"] == 0


# Telling


def test_a_batch_is_told_without_its_values(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    heard: list[tuple[str, dict[str, Any]]] = []

    def hear(event: str, /, **facts: Any) -> None:
        heard.append((event, facts))

    transport = Transport(TOKEN, url=sandbox.api_url, sleep=sandbox.advance, clock=sandbox.clock.now, mutations=True)
    writer = Writer(transport, BOARD_IDS, BOARDS, on_event=hear)
    ops = [CreateItem(SECRET, {"text43__1": SECRET}), CreateItem("x", {"numbers0": SECRET})]
    sandbox.fault("gateway_timeout", match="mutation")
    writer.send(writer.batch("master", ops, salt="s"), gate=gate_open)
    [line] = [record.message for record in caplog.records if record.levelno == logging.INFO]
    [(event, facts)] = heard
    facts["took_s"] = 0
    assert event == "batch"
    assert facts == {
        "board": "master", "kind": "create", "ops": 2, "failed": 1, "took_s": 0, "points": 20_001, "replayed": False,
    }  # fmt: skip
    assert line.startswith("batch board=master kind=create ops=2 failed=1 took_s=")
    assert line.endswith(" points=20001 replayed=False")
    assert SECRET not in caplog.text
    assert transport.stats.summary()["mutations"] == 2  # requests


# The size of a batch

Step = tuple[str, float, int | None]


@given(
    st.integers(1, 200),
    st.integers(1, 100),
    st.lists(st.tuples(st.sampled_from(["took", "large"]), st.floats(0, 60), st.none() | st.integers(0, 4_000_000))),
)
def test_a_batch_size_grows_slowly_shrinks_at_once_and_keeps_within_bounds(
    start: int, most: int, steps: Sequence[Step]
) -> None:
    size = BatchSize(start, most)
    assert size.now == min(start, most)
    for what, seconds, points in steps:
        before = size.now
        if what == "large":
            size.too_large(before)
            assert size.now == max(1, before // 2)
            most = min(most, size.now)
        else:
            size.took(before, seconds, points)
            assert size.now <= 2 * before
            if seconds > AIM_S:
                assert size.now <= max(1, before * AIM_S / seconds)
            if points:
                assert size.now == 1 or size.now * points <= before * MOST_POINTS / 2
        assert 1 <= size.now <= most


@pytest.mark.parametrize(
    ("took", "then"),
    [
        ([(25, 5.0, None)], 50),
        ([(25, 5.0, None), (50, 12.0, None), (62, 15.0, None)], 62),
        ([(25, 10.0, None)], 37),
        ([(25, 30.0, None)], 12),
        ([(3, 14.0, None)], 25),
        ([(3, 45.0, None)], 1),
        ([(25, 1.0, 500_000)], 50),
        ([(25, 1.0, 1_000_000)], 50),
        ([(25, 1.0, 2_000_000)], 31),
        ([(25, 1.0, 5_000_000)], 12),
        ([(25, 0.0, None)] * 9, 50),
        ([(25, 0.5, None), (50, 0.5, None), (100, 0.5, None)], 100),
    ],
)
def test_a_batch_takes_about_15_s(took: Sequence[tuple[int, float, int | None]], then: int) -> None:
    size = BatchSize(25, 100)
    for step in took:
        size.took(*step)
    assert size.now == then
