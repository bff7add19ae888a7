"""Bulk jobs: up to 10,000 items from one CSV file, for a handful of calls.

start → upload within 10 minutes → wait → report, which says what became of each row. A job matches rows by our marker
and updates what it finds, so a file that is uploaded twice makes no item twice.
"""

from __future__ import annotations

import csv
import io
import itertools
import logging
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Literal, get_args

import msgspec

from monday.errors import Action, Doubtful, Refusal, gravest, sentence
from monday.items_by_id import part
from monday.responses import Aliases, Complexity, Document
from monday.signed_urls import SignedFiles
from monday.transport import Transport
from reconcile.columns import Codec, Value, plain_link
from reconcile.errors import Unavailable
from reconcile.phones import HOME_COUNTRY

logger = logging.getLogger(__name__)

CSV_ROWS = 10_000
"""Rows of one file at most (monday docs)."""
UPLOAD_LIFE_S = 600.0  # of the address that a started job names (monday docs)
LONGEST_JOB_S = 3600.0
NOT_FOUND = "JOB_NOT_FOUND"
"""The failure of a job that monday no longer knows, in the manner of its own reasons."""
_CLEARS = "<NULL>"  # what clears a cell, and so cannot be a text (monday docs)

JobState = Literal["UPLOAD_PENDING", "PROCESSING", "COMPLETED", "FAILED", "REJECTED"]
_AT_WORK: tuple[JobState, ...] = ("UPLOAD_PENDING", "PROCESSING")

START: Document[Aliases] = Document(
    "StartIngest",
    "mutation StartIngest($board: ID!, $group: ID!, $match: OnMatchInput) "
    "{ ingest_items(board_id: $board, group_id: $group, on_match: $match) { job_id upload_url } }",
    Aliases,
)


class _Started(msgspec.Struct):
    job_id: str
    upload_url: str


class _Counts(msgspec.Struct):
    submitted: int | None = None
    invalid: int | None = None
    failed: int | None = None


class _Job(msgspec.Struct):
    status: str | None = None
    failure_reason: str | None = None
    counts: _Counts | None = None
    report_url: str | None = None


class _JobAnswer(msgspec.Struct):
    fetch_job_status: _Job
    complexity: Complexity | None = None


STATUS: Document[_JobAnswer] = Document(
    "JobStatus",
    "query JobStatus($job: ID!) { fetch_job_status(job_id: $job) { ... on ItemsJobStatus "
    "{ status failure_reason counts { submitted invalid failed } report_url } } }",
    _JobAnswer,
)


@dataclass(frozen=True, slots=True)
class Started:
    """A job that waits for its file."""

    job_id: str
    upload_url: str


@dataclass(frozen=True, slots=True)
class JobStatus:
    """How far a job is. `failure` is monday's reason or "", the counts are 0 until it is done.

    A completed job may hold rows that were invalid or failed: the report tells which. Its address lives 10 minutes.
    """

    state: JobState
    failure: str
    submitted: int
    invalid: int
    failed: int
    report_url: str | None


@dataclass(frozen=True, slots=True)
class ReportLine:
    """What became of one row of the file, the first being 1.

    `status` is casefolded: created, updated, skipped, invalid, failed. `errors`: column id → monday's words, "" for
    the row as a whole.
    """

    serial: int
    status: str
    item_id: int | None
    errors: dict[str, str]


class Jobs:
    """Starts and follows bulk jobs. Without `sleep`, `close` ends every wait at once."""

    def __init__(self, transport: Transport, *, sleep: Callable[[float], object] | None = None) -> None:
        self._transport = transport
        self._closed = threading.Event()
        self._sleep = sleep or self._closed.wait
        self._files = SignedFiles(self._rest)

    def close(self) -> None:
        self._closed.set()

    def start(self, board_id: int, group_id: str, marker_column: str) -> Started:
        """A job whose new items go into that group. One that is started and never fed runs never.

        Raises SyncError; nothing was written then.
        """
        variables = {
            "board": str(board_id),
            "group": group_id,
            "match": {"behaviour": "UPSERT", "match_column_id": marker_column},
        }
        try:
            answer = self._transport.execute(START, variables, idempotency_key=uuid.uuid4().hex)
        except Doubtful as doubtful:
            raise doubtful.error from None
        if answer.faults:
            raise sentence(gravest(list(answer.faults)), datetime.now(UTC))
        started: _Started = part(answer.data, "ingest_items", _Started)
        logger.info("job=%s started board=%d", started.job_id, board_id)
        return Started(started.job_id, started.upload_url)

    def upload(self, started_url: str, csv: bytes) -> None:
        """Feed a started job, within 10 minutes of its start. Raises Unavailable; the file may have arrived then."""
        self._files.put(started_url, csv, "text/csv")

    def status(self, job_id: str) -> JobStatus:
        """A job that monday no longer knows is told as FAILED with JOB_NOT_FOUND; its items may be there."""
        try:
            job = self._transport.execute(STATUS, {"job": job_id}, settle=(Action.ITEM_GONE,)).data.fetch_job_status
        except Refusal:
            return JobStatus("FAILED", NOT_FOUND, 0, 0, 0, None)
        counts = job.counts or _Counts()
        return JobStatus(
            _state(job.status),
            job.failure_reason or "",
            counts.submitted or 0,
            counts.invalid or 0,
            counts.failed or 0,
            job.report_url,
        )

    def wait(self, job_id: str, *, gate: Callable[[], object]) -> JobStatus:
        """Look after 10 s, then 20, then every 30 until the job has ended; `gate` is called before each look.

        UPLOAD_PENDING is the last word once no upload can arrive any more. Raises Unavailable after an hour.
        """
        waited_s, waits = 0.0, itertools.chain((10.0, 20.0), itertools.repeat(30.0))  # each look is a daily call
        while waited_s < LONGEST_JOB_S:
            wait_s = next(waits)
            self._rest(wait_s)
            waited_s += wait_s
            gate()
            status = self.status(job_id)
            logger.info("job=%s state=%s waited_s=%.0f", job_id, status.state, waited_s)
            if status.state not in _AT_WORK or (status.state == "UPLOAD_PENDING" and waited_s > UPLOAD_LIFE_S):
                return status
        raise Unavailable(f"the bulk job {job_id} is still at work after an hour: run it again later")

    def report(self, url: str) -> list[ReportLine]:
        """What became of each row, in the order of the file. Raises Unavailable, also for a file of another form."""
        return read_report(self._files.get(url))

    def _rest(self, wait_s: float) -> None:
        self._sleep(wait_s)
        if self._closed.is_set():
            raise Unavailable("the run was ended while a bulk job was under way: run it again, it goes on from there")


def _state(told: str | None) -> JobState:
    for state in get_args(JobState):
        if told == state:
            return state  # type: ignore[no-any-return]  # an argument of the very type
    raise Unavailable("monday.com tells a state of a bulk job that this program does not know: run it again later")


def as_csv(columns: Sequence[str], rows: Sequence[tuple[str, Mapping[str, str]]]) -> bytes:
    r"""The file of a job: items' names, and texts of their cells by column id; a cell that is left out stays as it is.

    >>> as_csv(["text1"], [("Smith, J", {"text1": "a"}), ("Lee", {})])
    b'name,text1\r\n"Smith, J",a\r\nLee,\r\n'
    """
    if len(rows) > CSV_ROWS:
        raise ValueError(f"{len(rows)} rows in a file that takes {CSV_ROWS}")
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["name", *columns])
    writer.writerows([name, *(cells.get(column_id, "") for column_id in columns)] for name, cells in rows)
    return text.getvalue().encode()


def csv_text(codec: Codec, value: Value, was: None = None) -> str | None:
    """A value as the file takes it, "" for an empty one; None where it cannot carry it, so that an update has to.

    A status must be spelled as the board spells the label. A phone number of the company's own country gets its code,
    since the form of the file's country hint is documented nowhere.

    >>> from reconcile.columns import PHONE, TEXT
    >>> csv_text(PHONE, "(202) 555-0172"), csv_text(TEXT, "<NULL>")
    ('+12025550172', None)
    """
    if value is None:
        return ""
    match codec.monday_type, value:
        case (("name" | "text" | "long_text"), str()):
            return None if value.strip().casefold() == _CLEARS.casefold() else value
        case "numbers", Decimal():
            return f"{value:f}"
        case "date", date():
            return value.isoformat()
        case "email", str():
            return _without(value, "<", ">", ",")  # `Name <a@b.co>` is a form of its own
        case "link", str():
            return _without(plain_link(value), "](")  # so is `[text](https://…)`
        case "status", str():
            return None if value.isdecimal() else _without(value, ",")  # an id, and several labels
        case "phone", str():
            return _international(value)
    return None


def _without(text: str, *signs: str) -> str | None:
    return None if any(sign in text for sign in signs) else text


def _international(number: str) -> str | None:
    if number.startswith("+"):
        return number
    import phonenumbers  # late: nothing but a push needs its tables

    try:
        parsed = phonenumbers.parse(number, HOME_COUNTRY)
    except phonenumbers.NumberParseException:
        return None
    if parsed.extension or not phonenumbers.is_valid_number(parsed):
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def read_report(body: bytes) -> list[ReportLine]:
    """The columns go by their names: serialNo, status, itemId, error, and after them one per column with an error.

    Raises Unavailable for a file without the first two, or a row without a number.
    """
    try:
        rows = [row for row in csv.reader(io.StringIO(body.decode("utf-8-sig"), newline="")) if row]
        heads = _heads(rows[0] if rows else [])
        return [_line(dict(zip(heads, row, strict=False))) for row in rows[1:]]
    except (UnicodeDecodeError, csv.Error, KeyError, ValueError):
        raise Unavailable("the report of a bulk job has not the form that monday.com documents: report it") from None


_FACTS = ("serialno", "status", "itemid", "error")


def _heads(names: Sequence[str]) -> list[tuple[str, bool]]:
    """Each name, and whether it is one of the four facts: a board may have a column `status`, which comes after."""
    heads: list[tuple[str, bool]] = []
    for name in map(str.strip, names):
        fact = (name.casefold(), True)
        heads.append(fact if name.casefold() in _FACTS and fact not in heads else (name, False))
    return heads


def _line(row: Mapping[tuple[str, bool], str]) -> ReportLine:
    facts = {name: text.strip() for (name, is_fact), text in row.items() if is_fact}
    errors = {name: text for (name, is_fact), text in row.items() if text and not is_fact}
    if facts.get("error"):
        errors[""] = facts["error"]
    item_id = facts.get("itemid", "")
    return ReportLine(
        int(facts["serialno"]), facts["status"].casefold(), int(item_id) if item_id.isdecimal() else None, errors
    )
