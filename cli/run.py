"""One run of a command: what it works with, from the settings to the lease, opened and closed in one place."""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import timing
from cli.calls import DailyCalls
from cli.logs import configure, current_redactor, event
from cli.memory import keep_small
from cli.options import Options
from cli.page import page_width
from cli.progress import Progress
from cli.report import ItemsReport, Report, as_quiet_lines, as_text
from cli.say import say, say_json
from cli.settings import PROGRAM_DIR, Settings, color_refused, load_settings
from db_connector import Database
from monday_api import BOARDS, MondayClient
from postgres.encoding import Encoding
from postgres.lease import Lease
from postgres.transaction import Params, Transaction
from reconcile.columns import ColumnMap
from reconcile.errors import ConfigError, Exit, SyncError
from reconcile.rows import Layout

logger = logging.getLogger(__name__)

PUSH = "pg_to_monday"
PULL = "monday_to_pg"
"""Directions of a run."""


@dataclass(slots=True)
class Run:
    """Everything that one run holds. `layouts` are compiled once the tables were looked at."""

    run_id: str
    options: Options
    settings: Settings
    board_ids: dict[str, int]
    database: Database
    report: Report
    progress: Progress
    lease: Lease = field(default_factory=Lease)
    layouts: dict[str, Layout] = field(default_factory=dict)
    calls: DailyCalls = field(init=False)
    _client: MondayClient | None = None
    _settled: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        limit = None if self.options.replays else self.settings.daily_calls
        self.calls = DailyCalls(self.run_id, limit, self.database.sibling, counts=False)

    @property
    def dry(self) -> bool:
        return self.options.test

    @property
    def every_board(self) -> Mapping[str, int]:
        """The ids of all boards, whether this run is about them or not."""
        return _ids(self.settings)

    @property
    def client(self) -> MondayClient:
        """The connection to monday.com, made when it is first needed: a replay never does. It can write in a push that
        is no dry run, and in nothing else."""
        if self._client is None:
            self._client = self._connect(read_only=self.dry or self.report.direction != PUSH)
        return self._client

    @contextmanager
    def writing_client(self) -> Iterator[MondayClient]:
        """A connection that can write, to settle what an earlier run left unfinished."""
        if self.dry:
            raise SyncError("A dry run was about to write to monday.com: this is a bug, report it.")
        with self._connect(read_only=False) as client:
            try:
                yield client
            finally:
                self._count(client)

    def _connect(self, *, read_only: bool) -> MondayClient:
        return MondayClient(
            self.settings.monday_api_key or "",
            self.board_ids,
            url=self.settings.monday_api_url,
            version=self.settings.monday_api_version,
            read_only=read_only,
            mappings=self.mappings,
            on_event=self._on_event,
            budget=self.calls,
        )

    @property
    def mappings(self) -> dict[str, ColumnMap]:
        """The columns of each board that this run reads and writes."""
        skipped = frozenset(self.options.skip_columns)
        return {
            name: {column_id: column for column_id, column in columns.items() if column_id not in skipped}
            for name, columns in BOARDS.items()
        }

    def _on_event(self, name: str, /, **facts: Any) -> None:
        if name not in ("page", "batch"):  # they are logged where they happen
            event(f"monday.{name}", **facts)

    def keep_lease(self) -> None:
        """Renew the lease in the background from now on; a dry run has none."""
        if not self.dry:
            self.lease.keep(self.database.sibling())

    def measure(self) -> None:
        """Put into the report what monday.com was asked for so far."""
        self.report.calls = self.calls.summary()
        if self._client is not None:
            self._count(self._client, self._settled)

    def _count(self, client: MondayClient, before: Mapping[str, float] | None = None) -> None:
        stats = client.stats
        told = {**stats.summary(), "daily_calls": round(stats.daily_calls, 1)}
        self.report.monday = {name: round(value + (before or {}).get(name, 0), 3) for name, value in told.items()}
        if before is None:
            self._settled = self.report.monday

    def close(self) -> None:
        self.measure()
        if self._client is not None:
            self._client.close()
            self._client = None
        self.lease.stop()
        self.database.close()


def new_run_id() -> str:
    """Sorts by time, and two runs of one second differ."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


@contextmanager
def opened(options: Options, direction: str) -> Iterator[Run]:
    """Settings, logs, database and clock of one run; prints its report at the end, whatever the end is."""
    keep_small()
    report = Report(new_run_id(), direction, options.test, items=ItemsReport() if direction == PUSH else None)
    started = time.monotonic()
    with ExitStack() as stack:
        timings = stack.enter_context(timing.collected())
        try:
            with _reasons(report):
                settings = _settings(options, stack)
                stack.enter_context(
                    configure(settings.secrets(), report.run_id, log_dir=settings.log_dir, verbosity=options.verbosity)
                )
                for sentence in settings.warnings:
                    logger.warning("%s", sentence)
                event("run.started", direction=direction, dry_run=options.test)
                with Progress(quiet=options.verbosity < 0, plain=color_refused()) as progress:
                    yield from _working(options, settings, report, progress)
        finally:
            report.duration_s = time.monotonic() - started
            report.stages = timings.as_dict()
            event("run.ended", exit_code=int(report.exit_code), written=report.written, seconds=report.duration_s)
            _show(report, options, timings)


@contextmanager
def _reasons(report: Report) -> Iterator[None]:
    """Put into the report how the run failed, and why: never a value, a token or a password."""
    try:
        yield
    except SyncError as error:
        report.fail(Exit(error.exit_code), current_redactor().text(str(error)))
        raise
    except KeyboardInterrupt:
        report.fail(Exit.INTERRUPTED, "interrupted")
        raise
    except Exception as error:
        report.fail(Exit.BUG, f"{type(error).__name__}: this is a bug; the traceback is on stderr and in the logs")
        raise


def _working(options: Options, settings: Settings, report: Report, progress: Progress) -> Iterator[Run]:
    board_ids: dict[str, int] = {name: board_id for name, board_id in _ids(settings).items() if name in options.boards}
    run = Run(report.run_id, options, settings, board_ids, _database(settings), report, progress)
    try:
        yield run
    except SyncError as error:
        report.fail(Exit(error.exit_code), current_redactor().text(str(error)))
        _give_up(run, str(error))
        raise
    except KeyboardInterrupt:
        report.fail(Exit.INTERRUPTED, "interrupted")
        _give_up(run, "interrupted")
        raise
    finally:
        run.close()


def _ids(settings: Settings) -> dict[str, int]:
    return {"master": settings.board_id_data, "staff": settings.board_id_users}


def _settings(options: Options, stack: ExitStack) -> Settings:
    if options.demo:
        from cli.demo import demo_settings

        return stack.enter_context(demo_settings(offline=options.replays))
    return load_settings(need_monday=not options.replays)


def _database(settings: Settings) -> Database:
    if settings.database == "embedded":
        from postgres.embedded import LocalPostgres

        return Database(LocalPostgres(PROGRAM_DIR / ".postgres", bin_dir=settings.pg_bin).start())
    if settings.database is None:
        raise ConfigError("No database is set: give DATABASE_URL in .env.")
    return Database(settings.database.keywords)


def _give_up(run: Run, reason: str) -> None:
    """Record a run that failed after it had the lease, and let the lease go; what cannot be recorded is logged only."""
    event("run.failed", exit_code=int(run.report.exit_code), reason=reason)
    if run.lease.fence is None:
        return

    def record(tx: Transaction) -> None:
        run.lease.release(tx, [*run.calls.statements(), run_record(run, tx.encoding)])

    try:
        run.database.transact(record, read_only=False, label="recording the run")
    except SyncError as error:
        event("run.unrecorded", reason=str(error))


def run_record(run: Run, encoding: Encoding) -> tuple[str, Params]:
    """The statement that writes the run's row in `monday_sync.sync_run`."""
    run.measure()
    report = run.report
    summary = report.as_json() | {"details": {}, "changes": []}
    text = json.dumps(summary) if encoding.is_whole else encoding.kept(json.dumps(summary, ensure_ascii=False))
    return _RECORD, (report.run_id, report.direction, report.duration_s, int(report.exit_code), text)


_RECORD = """
INSERT INTO monday_sync.sync_run (run_id, direction, started_at, finished_at, exit_code, summary)
VALUES (%s, %s, clock_timestamp() - make_interval(secs => %s), clock_timestamp(), %s, %s)
ON CONFLICT (run_id) DO UPDATE
SET finished_at = EXCLUDED.finished_at, exit_code = EXCLUDED.exit_code, summary = EXCLUDED.summary
"""


def _show(report: Report, options: Options, timings: timing.Timings) -> None:
    if options.json:
        say_json(report.as_json())
    elif options.verbosity < 0:
        say(*as_quiet_lines(report, datetime.now().astimezone()))
    elif report.boards:
        _say_report(as_text(report, options.verbosity, page_width()).split("\n"), report.exit_code)
        if options.verbosity > 0:
            say("", *timings.table().split("\n"))


def _say_report(lines: Sequence[str], code: Exit) -> None:
    """The end of a report in colour, where a person is needed; click takes it out again where there is no terminal."""
    color = {Exit.REFUSED: "red", Exit.PERSON_NEEDED: "yellow"}.get(code)
    end = next((at for at, line in enumerate(lines) if f"exit {int(code)} (" in line), len(lines))
    if color is None or color_refused():
        end = len(lines)
    say(*lines[:end])
    if end < len(lines):
        say(*lines[end:], color=color)
