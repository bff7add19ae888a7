"""Bulk jobs: `ingest_items` (start, upload, poll, report) and the bulk archive and delete."""

from __future__ import annotations

import csv
import hashlib
import io
import secrets
from typing import Any

import msgspec

from sandbox.cells import Cell, display
from sandbox.clock import MINUTE_S, iso
from sandbox.errors import ApiError
from sandbox.validations import failures
from sandbox.world import API_USER, Board, Item, World
from sandbox.writes import Target, item_name, read_value

UPLOAD_LIFE_S = REPORT_LIFE_S = 10 * MINUTE_S
ROWS_AT_MOST = 10_000
BYTES_AT_MOST = 150_000_000
_CLEARED = "<NULL>"
_MATCHABLE = ("text", "long_text", "numbers", "email", "phone", "link", "date", "status")
_LOADABLE = (*_MATCHABLE, "dropdown", "people", "checkbox")


class Import(msgspec.Struct):
    """One ingest job; `polls` counts the looks at it since the upload."""

    id: str
    board_id: int
    group_id: str
    match_column_id: str | None
    skip_matches: bool
    started: float
    status: str = "UPLOAD_PENDING"
    failure: tuple[str, str] | None = None
    counts: dict[str, int] = {}
    report: bytes = b""
    finished: float = 0.0
    polls: int = 0


class Bulk(msgspec.Struct):
    id: str
    created: int
    succeeded: int
    failed: int
    details: list[dict[str, str]]


class JobTrouble(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`polls_processing` looks at an uploaded job find it still at work; `uploads_failing` uploads are answered 503,
    although with `uploads_arrive` the file is taken; with `fails_with` a job fails for that reason after `fails_after`
    rows.
    """

    polls_processing: int = 1
    uploads_failing: int = 0
    uploads_arrive: bool = False
    fails_with: str | None = None
    fails_after: int = 0


class Jobs:
    """All jobs of the account."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._imports: dict[str, Import] = {}
        self._bulks: dict[str, Bulk] = {}
        self._failed_uploads = 0
        self._trouble = JobTrouble()

    def trouble(self, trouble: JobTrouble) -> None:
        self._trouble = trouble
        self._failed_uploads = 0

    def start_import(
        self, board_id: str, group_id: str, on_match: dict[str, Any] | None, base_url: str
    ) -> dict[str, Any]:
        board = self._world.board(board_id)
        board.group(group_id)
        match_column = on_match["match_column_id"] if on_match else None
        if match_column is not None and match_column != "name" and board.column(match_column).type not in _MATCHABLE:
            raise ApiError("InvalidArgumentException", "This column cannot be matched by")
        skip = bool(on_match) and (on_match or {})["behaviour"] == "SKIP"
        job = Import(secrets.token_hex(12), board.id, group_id, match_column, skip, self._world.clock.now())
        self._imports[job.id] = job
        return {"job_id": job.id, "upload_url": f"{base_url}/_upload/{job.id}"}

    def upload(self, job_id: str, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
        """Take the file as a store with signed addresses does: HTTP status and ETag.

        Any header of the client's own breaks the signature (403); after 10 minutes the address is dead (403).
        """
        job = self._imports.get(job_id)
        signed = not any(name == "authorization" or name.startswith("x-amz-") for name in headers)
        late = job is None or self._world.clock.now() - job.started > UPLOAD_LIFE_S
        if job is None or late or not signed or headers.get("content-type") != "text/csv":
            return 403, ""
        failing = self._failed_uploads < self._trouble.uploads_failing
        self._failed_uploads += failing
        if job.status == "UPLOAD_PENDING" and (not failing or self._trouble.uploads_arrive):
            with self._world.lock:
                self._load(job, body)
        if failing:
            return 503, ""
        return 200, hashlib.md5(body, usedforsecurity=False).hexdigest()

    def import_status(self, job_id: str, base_url: str) -> dict[str, Any]:
        job = self._imports.get(job_id)
        if job is None:
            raise ApiError("ResourceNotFoundException", "Job not found")
        job.polls += job.status != "UPLOAD_PENDING"
        working = job.status != "UPLOAD_PENDING" and job.polls <= self._trouble.polls_processing
        failure = (None, None) if job.failure is None or working else job.failure
        done = job.status == "COMPLETED" and not working
        return {
            "__typename": "ItemsJobStatus",
            "status": "PROCESSING" if working else job.status,
            "progress_percentage": 50 if working else 100 if done else 0,
            "failure_reason": failure[0],
            "failure_message": failure[1],
            "fully_imported": done and job.counts["failed"] == 0,
            "counts": job.counts if done else None,
            "report_created": done,
            "report_url": f"{base_url}/_report/{job.id}" if done else None,
        }

    def report(self, job_id: str) -> bytes | None:
        """The report as CSV, or None when there is none or its 10 minutes are over."""
        job = self._imports.get(job_id)
        if job is None or not job.report or self._world.clock.now() - job.finished > REPORT_LIFE_S:
            return None
        return job.report

    def run_bulk(self, board_id: str, item_ids: list[str], state: Any) -> str:
        board = self._world.board(board_id)
        done, details = 0, []
        for item_id in item_ids:
            item = self._world.items.get(int(item_id)) if item_id.isdigit() else None
            if item is None or item.board_id != board.id or item.state == "deleted":
                details.append({"itemId": item_id, "error": "not found"})
                continue
            self._world.set_state(item, state, API_USER)
            done += 1
        job = Bulk(secrets.token_hex(12), self._world.clock.seconds(), done, len(details), details)
        self._bulks[job.id] = job
        return job.id

    def bulk_status(self, job_id: str) -> dict[str, Any]:
        job = self._bulks.get(job_id)
        if job is None:
            raise ApiError("ResourceNotFoundException", "Job not found")
        total = job.succeeded + job.failed
        result = {"total": total, "succeeded": job.succeeded, "failed": job.failed, "details": job.details}
        at = iso(job.created)
        return {
            "id": job.id,
            "status": "COMPLETED",
            "created_at": at,
            "updated_at": at,
            "error": None,
            "result": result,
        }

    def _load(self, job: Import, body: bytes) -> None:
        job.finished = self._world.clock.now()
        try:
            rows = list(csv.reader(io.StringIO(body.decode("utf-8"), newline="")))
        except (UnicodeDecodeError, csv.Error):
            rows = []
        if not rows or rows[0][:1] != ["name"] or len(rows) - 1 > ROWS_AT_MOST or len(body) > BYTES_AT_MOST:
            too_big = len(body) > BYTES_AT_MOST or len(rows) - 1 > ROWS_AT_MOST
            reason = "FILE_TOO_LARGE" if too_big else "INVALID_UPLOAD"
            job.status, job.failure = "REJECTED", (reason, "The file is not a CSV of at most 10,000 rows")
            return
        loading = _Loading(self._world, job, rows[0][1:])
        if self._trouble.fails_with is None:
            loading.run(rows[1:])
            return
        loading.run(rows[1 : 1 + self._trouble.fails_after])
        job.status, job.failure = "FAILED", (self._trouble.fails_with, "The job failed")


class _Loading:
    """One file on its way onto the board, row by row."""

    def __init__(self, world: World, job: Import, column_ids: list[str]) -> None:
        self._world = world
        self._job = job
        self._board: Board = world.board(job.board_id)
        self._column_ids = column_ids
        self._matches = self._existing()

    def run(self, rows: list[list[str]]) -> None:
        names = ("submitted", "invalid", "skipped", "created", "updated", "failed")
        counts = dict.fromkeys(names, 0)
        report = io.StringIO(newline="")
        writer = csv.writer(report)
        writer.writerow(["serialNo", "status", "itemId", "error", *self._column_ids])
        for serial, row in enumerate(rows, 1):
            counts["submitted"] += 1
            outcome, item, errors = self._row(row)
            counts[outcome] += 1
            error = errors.pop("", "")
            per_column = [errors.get(column_id, "") for column_id in self._column_ids]
            writer.writerow([serial, outcome.upper(), "" if item is None else item.id, error, *per_column])
        self._job.counts, self._job.status = counts, "COMPLETED"
        self._job.report = report.getvalue().encode()

    def _row(self, row: list[str]) -> tuple[str, Item | None, dict[str, str]]:
        errors: dict[str, str] = {}
        cells: dict[int, Cell | None] = {}
        if len(row) != len(self._column_ids) + 1:
            return "invalid", None, {"": "wrong number of cells"}
        for column_id, text in zip(self._column_ids, row[1:], strict=True):
            try:
                self._cell(column_id, text, cells)
            except ApiError as error:
                errors[column_id] = error.message
        match = self._matches.get(self._match_value(row))
        try:
            name = item_name(row[0]) if row[0] or match is None else None
        except ApiError as error:
            errors[""] = error.message
        if not errors:
            before = match.cells if match is not None else None
            errors = dict(failures(self._world, self._board, before, cells))
        if errors:
            return "invalid", None, errors
        if match is not None and self._job.skip_matches:
            return "skipped", match, {}
        if match is not None:
            self._world.write(match, cells, name, API_USER)
            return "updated", match, {}
        group = self._board.group(self._job.group_id)
        item = self._world.create_item(self._board, group, name or "", cells, API_USER)
        if value := self._match_value(row):
            self._matches[value] = item
        return "created", item, {}

    def _cell(self, column_id: str, text: str, cells: dict[int, Cell | None]) -> None:
        """Set what the text says; an empty text keeps the old value, `<NULL>` clears it."""
        slot = self._board.slot(column_id)
        column = self._board.columns[slot]
        if column.type not in _LOADABLE:
            raise ApiError("ColumnValueException", f"Column type {column.type} cannot be imported")
        if text == "":
            return
        target = Target(self._world, self._board, column, False, self._world.clock.seconds())
        cells[slot] = None if text == _CLEARED else read_value(target, _written(column.type, text))

    def _match_value(self, row: list[str]) -> str:
        """The row's value in the match column; "" (which matches nothing) when it has none."""
        by = self._job.match_column_id
        if by is None:
            return ""
        position = 0 if by == "name" else self._column_ids.index(by) + 1 if by in self._column_ids else -1
        return row[position] if position >= 0 else ""

    def _existing(self) -> dict[str, Item]:
        """Match value → item; of several items with one value the most recently created."""
        by = self._job.match_column_id
        if by is None:
            return {}
        items = sorted(self._world.active(self._board), key=lambda item: (item.created_at, item.id))
        if by == "name":
            return {item.name: item for item in items}
        slot = self._board.slot(by)
        column = self._board.columns[slot]
        zone, people = self._world.zone, self._world.account.people
        found = {display(item.cells[slot], column, zone, people) or "": item for item in items}
        found.pop("", None)
        return found


def _written(column_type: str, text: str) -> Any:
    """A cell of the CSV in the form a mutation takes."""
    label, _, rest = text.partition(" <")
    match column_type:
        case "email":
            return {"email": rest.rstrip(">"), "text": label} if rest else {"email": text, "text": text}
        case "phone":
            return {"phone": text, "countryShortName": _country(text)}
        case "link":
            shown, _, url = text.removeprefix("[").partition("](")
            return {"url": url.rstrip(")"), "text": shown} if url else {"url": text, "text": ""}
        case "status":
            return {"label": text}
        case "date":
            return {"date": text}
        case "dropdown":
            return {"labels": [part.strip() for part in text.split(",")]}
        case "checkbox":
            return {"checked": text.lower()}
        case "people":
            people = [part.strip().removeprefix("user:") for part in text.split(",")]
            return {"personsAndTeams": [{"id": person, "kind": "person"} for person in people]}
    return text


def _country(phone: str) -> str:
    """The country whose code the number begins with; the account's own for a number without one."""
    if not phone.startswith("+") or phone.startswith("+1"):
        return "US"
    import phonenumbers  # late: hardly any file has a number from abroad

    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(phone, None)) or "US"
    except phonenumbers.NumberParseException:
        return "US"
