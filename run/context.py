"""One run of a command: what it works with, from the settings to the lease, opened and closed in one place."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import timing
from db_connector import Database
from folders import why_unwritable
from monday_api import BOARDS, MondayClient
from options import Options
from postgres.lease import Lease
from postgres.migrate import NEWS, state
from postgres.told import FOLDER, SETTING, Judged, Notice
from postgres.transaction import Transaction
from reconcile.columns import ColumnMap
from reconcile.errors import ConfigError, Exit, SyncError
from reconcile.layout import Layout
from reconcile.tables import refuse_incomplete_boards
from run.calls import DailyCalls
from run.logs import configure, current_redactor, event
from run.memory import tune_allocator
from run.ping import Monitor
from run.progress import Progress
from run.record import run_record
from run.report import ItemsReport, Report, as_quiet_lines, as_text
from run.runner import Runner
from settings import PROGRAM_DIR, Settings, color_refused, load_settings
from terminal.page import page_width
from terminal.say import current_signature, say, say_json

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
    timings: timing.Timings = field(default_factory=timing.Timings)
    log_trouble: Callable[[], str] = str
    """What is wrong with the log folder, as far as it was met; empty when nothing is."""
    cache_trouble: str | None = None
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
        return self.settings.board_ids

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

    def environment(self) -> Judged:
        """What of this machine gets in a run's way without ending it. `cache_trouble` is None where no cache was
        written, which says nothing of its folder."""
        here = f"{Runner.myself().host} "
        folders = {
            "log": (self.settings.log_dir, self.log_trouble(), "SYNC_LOG_DIR"),
            "cache": (self.settings.cache_dir, self.cache_trouble, "SYNC_CACHE_DIR"),
            "state": (self.settings.state_dir, why_unwritable(self.settings.state_dir), "SYNC_STATE_DIR"),
        }
        notices = [Notice(SETTING, here + sentence, f"warning: {sentence}") for sentence in self.settings.warnings]
        notices += [
            Notice(
                f"{name} {FOLDER}",
                f"{here}{folder}",
                f"warning: the {name} folder {folder} cannot be written ({trouble}), and the run goes on without: give "
                f"it the right or room, or set {setting}",
            )
            for name, (folder, trouble, setting) in folders.items()
            if trouble
        ]
        known = [f"{name} {FOLDER}" for name, (_folder, trouble, _setting) in folders.items() if trouble is not None]
        return Judged(notices, (SETTING, *known), here)

    def judge(self) -> None:
        """Put into the report how a run ends that did what it was to do."""
        code = Exit.DONE
        if self.report.moved or self.report.attention(new=self.settings.attention == "new"):
            code = Exit.PERSON_NEEDED
        elif self.dry and self.options.detailed_exitcode and self.report.digest:
            code = Exit.WOULD_WRITE
        self.report.exit_code = code

    def keep_lease(self) -> None:
        """Renew the lease in the background from now on; a dry run has none."""
        if not self.dry:
            self.lease.keep(self.database.sibling())

    def elapsed_s(self) -> float:
        """Seconds since the run began."""
        return self.timings.elapsed_s()

    def measure(self) -> None:
        """Put into the report what the run took so far, and what monday.com was asked for."""
        if not self.report.recorded:
            self.report.duration_s, self.report.stages = self.elapsed_s(), self.timings.as_dict()
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
    tune_allocator()
    report = Report(new_run_id(), direction, options.test, items=ItemsReport() if direction == PUSH else None)
    if (signature := current_signature()) is not None:
        signature.run_id = report.run_id
    with ExitStack() as stack:
        timings = stack.enter_context(timing.collected())
        monitor: Monitor | None = None
        try:
            with _reasons(report):
                refuse_incomplete_boards(BOARDS)
                settings = _settings(options, stack)
                logs = stack.enter_context(
                    configure(settings.secrets(), report.run_id, log_dir=settings.log_dir, verbosity=options.verbosity)
                )
                for sentence in settings.warnings:
                    logger.warning("%s", sentence)
                event("run.started", direction=direction, dry_run=options.test)
                if settings.ping_url and not options.test:
                    monitor = Monitor(settings.ping_url)
                    monitor.begun(report)
                with Progress(quiet=options.verbosity < 0, plain=color_refused()) as progress:
                    yield from _working(options, settings, report, progress, timings, lambda: logs.trouble)
        finally:
            if not report.recorded:
                report.duration_s, report.stages = timings.elapsed_s(), timings.as_dict()
            event("run.ended", exit_code=int(report.exit_code), written=report.written, seconds=report.duration_s)
            _show(report, options, timings)
            if monitor is not None:
                monitor.ended(report)


@contextmanager
def _reasons(report: Report) -> Iterator[None]:
    """Put into the report how the run failed, and why, once: never a value, a token or a password."""
    try:
        yield
    except (Exception, KeyboardInterrupt) as error:
        if not report.reason:
            report.fail(*_judged(error))
        raise


def _judged(error: BaseException) -> tuple[Exit, str]:
    if isinstance(error, SyncError):
        return Exit(error.exit_code), current_redactor().text(str(error))
    if isinstance(error, KeyboardInterrupt):
        return Exit.INTERRUPTED, "interrupted"
    return Exit.BUG, f"{type(error).__name__}: this is a bug; the traceback is on stderr and in the logs"


def _working(
    options: Options,
    settings: Settings,
    report: Report,
    progress: Progress,
    timings: timing.Timings,
    log_trouble: Callable[[], str],
) -> Iterator[Run]:
    board_ids = {name: board_id for name, board_id in settings.board_ids.items() if name in options.boards}
    run = Run(report.run_id, options, settings, board_ids, _database(settings), report, progress, timings, log_trouble)
    try:
        with _reasons(report):
            yield run
    except BaseException:
        if report.reason:  # else nothing failed: somebody closed the generator
            _give_up(run)
        raise
    finally:
        run.close()


def _settings(options: Options, stack: ExitStack) -> Settings:
    if options.demo:
        from run.demo import demo_settings

        return stack.enter_context(demo_settings(offline=options.replays))
    return load_settings(need_monday=not options.replays)


def _database(settings: Settings) -> Database:
    if settings.database == "embedded":
        from postgres.embedded import LocalPostgres

        return Database(LocalPostgres(PROGRAM_DIR / ".postgres", bin_dir=settings.pg_bin).start())
    if settings.database is None:
        raise ConfigError("No database is set: give DATABASE_URL in .env.")
    return Database(settings.database.keywords)


def _give_up(run: Run) -> None:
    """Record a run that failed, and let its lease go; what cannot be recorded is logged only."""
    report = run.report
    event("run.failed", exit_code=int(report.exit_code), reason=report.reason)
    if run.dry or not run.database.stats.connects:
        return
    if run.lease.fence is None and report.exit_code is Exit.UNAVAILABLE:  # the database itself, at the first look
        return

    def record(tx: Transaction) -> None:
        installed = state(tx)
        if installed is not None and installed.version >= NEWS:
            run.lease.let_go(tx, [*run.calls.statements(), run_record(run, tx.encoding)])

    try:
        run.database.transact(record, read_only=False, label="recording the run")
    except SyncError as error:
        event("run.unrecorded", reason=str(error))


def _show(report: Report, options: Options, timings: timing.Timings) -> None:
    if options.json:
        say_json(report.as_json())
    elif options.verbosity < 0:
        say(*as_quiet_lines(report))
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
