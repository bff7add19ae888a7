"""Bulk jobs against the sandbox over real HTTP, and single shapes of the file store."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import responses
from graphql import build_schema, parse, validate
from hypothesis import given
from hypothesis import strategies as st

from monday import jobs
from monday.jobs import CSV_ROWS, NOT_FOUND, Jobs, JobStatus, ReportLine, as_csv, csv_text, read_report
from monday.transport import Transport
from monday_api import BOARDS
from reconcile.columns import DATE, EMAIL, FILES, LINK, MONEY, NAME, PHONE, STATUS, TEXT, Codec, Value
from reconcile.errors import DriftError, LeaseHeld, SyncError, Unavailable
from reconcile.items import decode_item
from sandbox import MASTER_BOARD_ID, Sandbox, seed_world

TOKEN = "canary-token-91ab"
SDL = Path(__file__).parents[3] / "shared" / "monday" / "schema.graphql"
STORE = "https://store.example.com/file"
SIGNED = STORE + "?signature=canary-signature-77d0"
MARKER = "sync_id"
GROUP = "claim_filed"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed_world(items=5, staff=2, groups=3), token=TOKEN) as sandbox:
        sandbox.add_column(MASTER_BOARD_ID, MARKER, "Sync ID", "text")
        yield sandbox


@pytest.fixture
def http() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


def transport_to(sandbox: Sandbox, **options: Any) -> Transport:
    options = {"mutations": True} | options
    return Transport(TOKEN, url=sandbox.api_url, sleep=sandbox.advance, clock=sandbox.clock.now, **options)


def jobs_of(sandbox: Sandbox, **options: Any) -> Jobs:
    """Jobs that move the sandbox's clock when they wait."""
    return Jobs(transport_to(sandbox, **options), sleep=sandbox.advance)


def alone(slept: list[float] | None = None) -> Jobs:
    """Jobs for the file store only."""
    transport = Transport(TOKEN, url="http://127.0.0.1:9/v2", mutations=True)
    return Jobs(transport, sleep=([] if slept is None else slept).append)


def no_gate() -> None:
    """Lets every look pass."""


def run(sandbox: Sandbox, file: bytes) -> tuple[JobStatus, list[ReportLine]]:
    bulk = jobs_of(sandbox)
    started = bulk.start(MASTER_BOARD_ID, GROUP, MARKER)
    bulk.upload(started.upload_url, file)
    status = bulk.wait(started.job_id, gate=no_gate)
    return status, bulk.report(status.report_url or "")


def test_every_document_is_valid_for_monday() -> None:
    if not SDL.exists():
        pytest.skip("monday's own schema is not beside this project")
    schema = build_schema(SDL.read_text(encoding="utf-8"), assume_valid=True)
    for text in (jobs.START.text, jobs.STATUS.text):
        assert validate(schema, parse(text)) == []


# A whole job


def test_a_job_creates_items_and_a_repeated_one_none(sandbox: Sandbox) -> None:
    rows = [(f'Smith, "J" {n}', {MARKER: f"m-{n}", "claim_number__1": f" C\n{n}"}) for n in range(300)]
    file = as_csv([MARKER, "claim_number__1"], rows)
    status, report = run(sandbox, file)
    assert (status.state, status.failure) == ("COMPLETED", "")
    assert (status.submitted, status.invalid, status.failed) == (300, 0, 0)
    assert [(line.serial, line.status, line.errors) for line in report] == [(n, "created", {}) for n in range(1, 301)]
    for line, (name, cells) in zip(report, rows, strict=True):
        item = sandbox.item(line.item_id or 0)
        assert (item["name"], item["group_id"]) == (name, GROUP)
        assert {column: cell["text"] for column, cell in item["cells"].items()} == cells
    count = len(sandbox.item_ids())
    again, second = run(sandbox, file)
    assert [(line.status, line.item_id) for line in second] == [("updated", line.item_id) for line in report]
    assert again.state == "COMPLETED"
    assert len(sandbox.item_ids()) == count
    assert sandbox.counters()["by_operation"] == {"StartIngest": 2, "JobStatus": 4}


def test_an_invalid_row_says_what_is_wrong_with_it(sandbox: Sandbox) -> None:
    rows: list[tuple[str, Mapping[str, str]]] = [
        ("One", {MARKER: "m-1", "numbers0": "many", "email4__1": "nobody"}),
        ("Two", {MARKER: "m-2"}),
        ("", {MARKER: "m-3"}),
    ]
    status, (wrong, right, nameless) = run(sandbox, as_csv([MARKER, "numbers0", "email4__1"], rows))
    assert (status.state, status.submitted, status.invalid) == ("COMPLETED", 3, 2)
    assert (wrong.serial, wrong.status, wrong.item_id) == (1, "invalid", None)
    assert wrong.errors.keys() == {"numbers0", "email4__1"}
    assert (right.status, right.errors) == ("created", {})
    assert nameless.errors.keys() == {""}


def test_every_mapped_column_arrives_as_it_was_sent(sandbox: Sandbox) -> None:
    """Or follows as an update: what the file carries is decoded to what was put into it."""
    wanted: dict[str, Value] = {}
    for column_id, column in BOARDS["master"].items():
        examples = [value for _cell, value in column.codec.examples if value is not None]
        wanted[column_id] = "Storm Team" if column.codec is STATUS else examples[0]
    wanted["phone_13__1"], wanted["phone_10__1"] = "(202) 555-0172", "+442079460000"
    texts = {column_id: csv_text(BOARDS["master"][column_id].codec, value) for column_id, value in wanted.items()}
    assert {column_id for column_id, text in texts.items() if text is None} == {"files9__1", "files66__1"}
    cells = {column_id: text for column_id, text in texts.items() if text is not None and column_id != "name"}
    rows = [(texts["name"] or "", {MARKER: "m-1", **cells})]
    _status, (line,) = run(sandbox, as_csv([MARKER, *cells], rows))
    assert line.errors == {}

    from monday.current import CurrentReader

    looker = CurrentReader(transport_to(sandbox), {"master": MASTER_BOARD_ID}, BOARDS)
    item = decode_item(looker.look({"master": [line.item_id or 0]}).items["master", line.item_id or 0].raw)
    assert item.name == wanted["name"]
    for cell in item.column_values:
        codec = BOARDS["master"][cell.id].codec
        if cell.id in cells:
            assert codec.compare_key(codec.decode(cell)) == codec.compare_key(wanted[cell.id]), cell.id


# Start


def test_a_start_whose_answer_was_lost_starts_one_job(sandbox: Sandbox) -> None:
    sandbox.fault("reset_after", match="ingest_items")
    started = jobs_of(sandbox).start(MASTER_BOARD_ID, GROUP, MARKER)
    assert jobs_of(sandbox).status(started.job_id).state == "UPLOAD_PENDING"
    assert sandbox.counters()["mutations"] == 1


def test_a_start_that_is_refused(sandbox: Sandbox) -> None:
    with pytest.raises(SyncError, match="read-only client"):
        jobs_of(sandbox, mutations=False).start(MASTER_BOARD_ID, GROUP, MARKER)
    with pytest.raises(DriftError):
        jobs_of(sandbox).start(MASTER_BOARD_ID, "no_such_group", MARKER)
    with pytest.raises(DriftError):
        jobs_of(sandbox).start(MASTER_BOARD_ID, GROUP, "no_such_column")
    sandbox.fault("rate_limited", match="ingest_items", times=0)
    with pytest.raises(Unavailable):
        jobs_of(sandbox).start(MASTER_BOARD_ID, GROUP, MARKER)
    sandbox.clear_faults()
    sandbox.fault("reset_after", match="ingest_items", times=0)
    with pytest.raises(Unavailable):
        jobs_of(sandbox).start(MASTER_BOARD_ID, GROUP, MARKER)


# Upload


@pytest.mark.parametrize("arrives", [False, True])
def test_an_upload_is_repeated(sandbox: Sandbox, arrives: bool) -> None:
    sandbox.set_jobs(uploads_failing=3, uploads_arrive=arrives)
    status, report = run(sandbox, as_csv([MARKER], [("One", {MARKER: "m-1"})]))
    assert status.state == "COMPLETED"
    assert [line.status for line in report] == ["created"]
    assert len(sandbox.find(MASTER_BOARD_ID, "One")) == 1


def test_an_upload_that_never_works_or_comes_too_late(sandbox: Sandbox) -> None:
    sandbox.set_jobs(uploads_failing=100)
    bulk = jobs_of(sandbox)
    started = bulk.start(MASTER_BOARD_ID, GROUP, MARKER)
    with pytest.raises(Unavailable, match="HTTP 503"):
        bulk.upload(started.upload_url, b"name\r\n")
    sandbox.set_jobs()
    sandbox.advance(601)
    with pytest.raises(Unavailable, match="HTTP 403"):
        bulk.upload(started.upload_url, b"name\r\n")
    assert bulk.status(started.job_id).state == "UPLOAD_PENDING"


def test_the_store_gets_the_file_and_nothing_of_ours(
    http: responses.RequestsMock,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine store.example.com login someone password canary-netrc")
    monkeypatch.setenv("NETRC", str(netrc))
    caplog.set_level(logging.DEBUG)
    http.put(SIGNED, status=200)
    alone().upload(SIGNED, b"name\r\nOne\r\n")
    request = http.calls[0].request
    assert (request.method, request.url, request.body) == ("PUT", SIGNED, b"name\r\nOne\r\n")
    assert {name.lower() for name in request.headers} == {"content-type", "content-length"}
    assert request.headers["Content-Type"] == "text/csv"
    assert "store.example.com" in caplog.text
    assert "canary" not in caplog.text


def test_a_broken_connection_is_tried_again_and_its_address_not_shown(
    http: responses.RequestsMock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    broken = [http.put(SIGNED, body=ConnectionError(SIGNED)) for _ in range(5)]
    slept: list[float] = []
    with pytest.raises(Unavailable, match="no answer") as raised:
        alone(slept).upload(SIGNED, b"name\r\n")
    assert [answer.call_count for answer in broken] == [1] * 5
    assert slept == [2, 4, 8, 16]
    assert "canary" not in str(raised.value) + caplog.text


@pytest.mark.parametrize(("status", "tries"), [(302, 1), (400, 1), (403, 1), (404, 1), (500, 5), (503, 5), (429, 5)])
def test_only_what_may_pass_is_tried_again(http: responses.RequestsMock, status: int, tries: int) -> None:
    http.put(SIGNED, status=status, headers={"Location": STORE, "Retry-After": "3"})
    slept: list[float] = []
    with pytest.raises(Unavailable, match=f"HTTP {status}"):
        alone(slept).upload(SIGNED, b"name\r\n")
    assert slept == [3] * (tries - 1)


@pytest.mark.parametrize(
    "url",
    [
        "http://store.example.com/x", "ftp://127.0.0.1/x", "https:///x", "//store/x", "", "https://[x", "file:///etc/passwd",
        "http://127.0.0.1.example.com/x",
    ],
)  # fmt: skip
def test_an_address_that_is_not_encrypted_is_not_used(url: str) -> None:
    with pytest.raises(Unavailable, match="no https address"):
        alone().upload(url, b"name\r\n")
    with pytest.raises(Unavailable, match="no https address"):
        alone().report(url)


# Waiting


def test_looks_grow_rarer_and_each_asks_the_gate(sandbox: Sandbox) -> None:
    sandbox.set_jobs(polls_processing=4)
    slept: list[float] = []
    bulk = Jobs(transport_to(sandbox), sleep=slept.append)
    started = bulk.start(MASTER_BOARD_ID, GROUP, MARKER)
    bulk.upload(started.upload_url, as_csv([MARKER], [("One", {MARKER: "m-1"})]))
    looks: list[int] = []
    status = bulk.wait(started.job_id, gate=lambda: looks.append(len(slept)))
    assert status.state == "COMPLETED"
    assert slept == [10, 20, 30, 30, 30]
    assert looks == [1, 2, 3, 4, 5]


def test_a_gate_that_closes_ends_the_wait(sandbox: Sandbox) -> None:
    bulk = jobs_of(sandbox)
    started = bulk.start(MASTER_BOARD_ID, GROUP, MARKER)

    def closed() -> None:
        raise LeaseHeld("another run is at work")

    with pytest.raises(LeaseHeld):
        bulk.wait(started.job_id, gate=closed)
    assert "JobStatus" not in sandbox.counters()["by_operation"]


def test_a_job_that_never_ends_is_left_after_an_hour(sandbox: Sandbox) -> None:
    sandbox.set_jobs(polls_processing=10_000)
    bulk = jobs_of(sandbox)
    started = bulk.start(MASTER_BOARD_ID, GROUP, MARKER)
    bulk.upload(started.upload_url, as_csv([MARKER], [("One", {MARKER: "m-1"})]))
    with pytest.raises(Unavailable, match="after an hour"):
        bulk.wait(started.job_id, gate=no_gate)
    assert sandbox.counters()["by_operation"]["JobStatus"] == 121


def test_a_job_that_got_no_file_is_not_waited_for_beyond_its_address(sandbox: Sandbox) -> None:
    bulk = jobs_of(sandbox)
    started = bulk.start(MASTER_BOARD_ID, GROUP, MARKER)
    assert bulk.wait(started.job_id, gate=no_gate).state == "UPLOAD_PENDING"
    assert sandbox.counters()["by_operation"]["JobStatus"] == 22


def test_closing_ends_a_wait_at_once(sandbox: Sandbox) -> None:
    bulk = Jobs(transport_to(sandbox))
    bulk.close()
    with pytest.raises(Unavailable, match="was ended"):
        bulk.wait("1", gate=no_gate)


# How jobs end


def test_a_file_that_is_none_is_rejected(sandbox: Sandbox) -> None:
    bulk = jobs_of(sandbox)
    started = bulk.start(MASTER_BOARD_ID, GROUP, MARKER)
    bulk.upload(started.upload_url, b"title\r\nOne\r\n")
    assert bulk.wait(started.job_id, gate=no_gate) == JobStatus("REJECTED", "INVALID_UPLOAD", 0, 0, 0, None)


def test_a_job_that_failed_half_way_is_completed_by_the_next(sandbox: Sandbox) -> None:
    sandbox.set_jobs(fails_with="INTERNAL_ERROR", fails_after=2)
    file = as_csv([MARKER], [(f"Bulk {n}", {MARKER: f"m-{n}"}) for n in range(3)])
    bulk = jobs_of(sandbox)
    started = bulk.start(MASTER_BOARD_ID, GROUP, MARKER)
    bulk.upload(started.upload_url, file)
    assert bulk.wait(started.job_id, gate=no_gate) == JobStatus("FAILED", "INTERNAL_ERROR", 0, 0, 0, None)
    sandbox.set_jobs()
    _status, report = run(sandbox, file)
    assert [line.status for line in report] == ["updated", "updated", "created"]


def test_a_job_that_nobody_knows(sandbox: Sandbox) -> None:
    assert jobs_of(sandbox).status("0000") == JobStatus("FAILED", NOT_FOUND, 0, 0, 0, None)


def test_a_state_that_nobody_knows(http: responses.RequestsMock) -> None:
    http.post("http://127.0.0.1:9/v2", json={"data": {"fetch_job_status": {"status": "PAUSED"}}})
    with pytest.raises(Unavailable, match="state of a bulk job"):
        alone().status("1")


# The report


def report_of(*lines: str) -> list[ReportLine]:
    return read_report("\r\n".join(lines).encode())


def test_a_report_goes_by_the_names_of_its_columns() -> None:
    assert report_of(
        "STATUS,ItemId,serialno,Error,status,numbers0", "Created,11,1,,,", "INVALID,,2, no name ,bad label,x", ""
    ) == [
        ReportLine(1, "created", 11, {}),
        ReportLine(2, "invalid", None, {"": "no name", "status": "bad label", "numbers0": "x"}),
    ]
    assert report_of("\ufeffserialNo,status", '1,"created"') == [ReportLine(1, "created", None, {})]
    assert report_of("serialNo,status,itemId,error") == []
    assert report_of('serialNo,status,itemId,error,c', '1,invalid,,,"a,\r\nb"') == [
        ReportLine(1, "invalid", None, {"c": "a,\r\nb"})
    ]  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        b"status,itemId\r\ncreated,1",
        b"serialNo\r\n1",
        b"serialNo,status\r\none,created",
        b"\xff\xfe",
        b'a\r\n"' + b"b" * 200_000,
    ],
    ids=["no number", "no status", "no digits", "no text", "no end"],
)
def test_a_report_of_another_form_is_not_guessed_at(body: bytes) -> None:
    with pytest.raises(Unavailable, match="not the form"):
        read_report(body)


def test_a_report_is_fetched_again_until_its_address_is_dead(sandbox: Sandbox, http: responses.RequestsMock) -> None:
    http.get(SIGNED, status=502)
    http.get(SIGNED, body=b"serialNo,status,itemId,error\r\n1,created,7,\r\n")
    assert alone().report(SIGNED) == [ReportLine(1, "created", 7, {})]
    http.add_passthru(sandbox.url)
    status, _report = run(sandbox, as_csv([MARKER], [("One", {MARKER: "m-1"})]))
    sandbox.advance(601)
    with pytest.raises(Unavailable, match="HTTP 403"):
        jobs_of(sandbox).report(status.report_url or "")


# The file

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(st.lists(st.tuples(ANY_TEXT, st.dictionaries(st.sampled_from(["a", "b"]), ANY_TEXT)), max_size=5))
def test_any_text_survives_the_file(rows: list[tuple[str, dict[str, str]]]) -> None:
    file = as_csv(["a", "b"], rows).decode()
    assert list(csv.reader(io.StringIO(file, newline=""))) == [
        ["name", "a", "b"],
        *([name, cells.get("a", ""), cells.get("b", "")] for name, cells in rows),
    ]


def test_a_file_has_an_end() -> None:
    rows: list[tuple[str, Mapping[str, str]]] = [("One", {})] * CSV_ROWS
    assert as_csv([], rows).count(b"\r\n") == CSV_ROWS + 1
    with pytest.raises(ValueError, match="10001 rows"):
        as_csv([], [*rows, ("One too many", {})])


@pytest.mark.parametrize(
    ("codec", "value", "text"),
    [
        (TEXT, "a, b", "a, b"),
        (TEXT, "<NULL>", None),
        (TEXT, " <null> ", None),
        (NAME, "Smith", "Smith"),
        (NAME, "<NULL>", None),
        (MONEY, Decimal("18250.50"), "18250.50"),
        (MONEY, Decimal("1E+3"), "1000"),
        (MONEY, Decimal("-0.01"), "-0.01"),
        (DATE, date(2026, 4, 30), "2026-04-30"),
        (EMAIL, "ann@x.co", "ann@x.co"),
        (EMAIL, "<ann@x.co>", None),
        (LINK, "https://x.co/(a)[1]", "https://x.co/(a)[1]"),
        (LINK, "https://x.co/](https://y.co", None),
        (STATUS, "Storm Team", "Storm Team"),
        (STATUS, "Storm, Team", None),
        (STATUS, "2023", None),
        (PHONE, "+12025550172", "+12025550172"),
        (PHONE, "2025550172", "+12025550172"),
        (PHONE, "1 (202) 555-0172", "+12025550172"),
        (PHONE, "202-555-0172 x12", None),
        (PHONE, "555-0100", None),
        (PHONE, "call me", None),
        (FILES, '[{"url": "https://f.co/7"}]', None),
    ],
)
def test_what_the_file_can_carry(codec: Codec, value: Value, text: str | None) -> None:
    assert csv_text(codec, value) == text
    assert csv_text(codec, None) == ""
