"""Logging of a run: stderr for the person, `monday_sync.log` for all runs, `<run_id>.jsonl` for this one.

Every handler, uncaught exception and warning passes one `Redactor`. A log file that cannot be written costs a
warning and never the run.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import stat
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self, TextIO

from folders import make_private
from run.redact import Redactor
from terminal.say import current_signature
from terminal.signs import one_line, printable

LOG_FILE: Final = "monday_sync.log"
LOG_BYTES: Final = 5 * 1024 * 1024
LOG_COPIES: Final = 5
RUNS_KEPT: Final = 200

_LEVELS: Final = {-1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO}
_HTTP_LOGGERS: Final = ("urllib3", "requests", "charset_normalizer")  # at DEBUG they show what is sent
_RUN_ID: Final = re.compile(r"[0-9]{8}T[0-9]{6}-[0-9a-f]{6}")
_FACT: Final = re.compile(r"(?:^|\s)(\w+)=")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(\.[0-9]{1,9})?")
_ON_SCREEN: Final = "on_screen"

logger = logging.getLogger(__name__)


def event(name: str, /, *, level: int = logging.INFO, **facts: Any) -> None:
    """Log that something happened: `name key=value …` as text, the facts as fields in the run's own file.

    A fact is a number, a short text, true, false or None; never a cell's value or a secret.
    """
    if logger.isEnabledFor(level):
        text = " ".join([name, *(f"{key}={value}" for key, value in facts.items())])
        logger.log(level, "%s", text, extra={"event": name, "facts": facts})


def log_shown(message: str, level: int = logging.ERROR) -> None:
    """Put into the log files what the person has been told in another way."""
    logger.log(level, "%s", message, extra={_ON_SCREEN: True})


class Logs:
    """The logging of one run; `close` puts everything back as it was.

    Leaving a `with` by an exception closes nothing: what shows that exception still needs the redactor and the files,
    and the process ends anyway.
    """

    def __init__(self, redactor: Redactor, handlers: list[logging.Handler], trouble: str = "") -> None:
        self.redactor = redactor
        self._trouble = trouble
        self._handlers = handlers
        self._hooks = (sys.excepthook, threading.excepthook, sys.unraisablehook)
        self._root_level = logging.getLogger().level

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_exc: object) -> None:
        if kind is None:
            self.close()

    @property
    def trouble(self) -> str:
        """Why there are no log files, or one of them ends before the run; empty where all is well."""
        given_up = (handler.given_up for handler in self._handlers if isinstance(handler, _Private))
        return self._trouble or next(filter(None, given_up), "")

    def install(self) -> None:
        """Attach the handlers to the root logger and take over the hooks for what nobody caught."""
        _detach(_installed())
        root = logging.getLogger()
        for handler in self._handlers:
            root.addHandler(handler)
        root.setLevel(min(handler.level for handler in self._handlers))
        for name in _HTTP_LOGGERS:
            logging.getLogger(name).setLevel(logging.WARNING)
        logging.captureWarnings(True)
        sys.excepthook = _uncaught
        threading.excepthook = lambda args: _uncaught(args.exc_type, args.exc_value, args.exc_traceback)
        sys.unraisablehook = self._unraisable

    def close(self) -> None:
        """Take the handlers and hooks away and close the files."""
        sys.excepthook, threading.excepthook, sys.unraisablehook = self._hooks
        logging.captureWarnings(False)
        logging.getLogger().setLevel(self._root_level)
        _detach(self._handlers)

    def _unraisable(self, what: sys.UnraisableHookArgs) -> None:
        if isinstance(what.exc_value, KeyboardInterrupt):  # no failure: whoever answers signals has to know of it
            self._hooks[2](what)
        else:
            _uncaught(what.exc_type, what.exc_value, what.exc_traceback)


def _installed() -> list[logging.Handler]:
    """The handlers of the logging that is set up; of a run that failed before, where one process makes several."""
    return [handler for handler in logging.getLogger().handlers if _redactor_of(handler)]


def _detach(handlers: Iterable[logging.Handler]) -> None:
    for handler in handlers:
        logging.getLogger().removeHandler(handler)
        handler.close()


def _redactor_of(handler: logging.Handler) -> Redactor | None:
    return next((entry for entry in handler.filters if isinstance(entry, Redactor)), None)


def configure(secret_texts: Iterable[str], run_id: str, *, log_dir: Path, verbosity: int = 0) -> Logs:
    """Set logging up for a run. `verbosity` is that of the options: -1 errors, 0 warnings, 1 (-v) info, 2 debug.

    The files hold INFO and above, or DEBUG where the screen does. stdout is never written to.
    """
    redactor = Redactor(secret_texts)
    screen_level = _LEVELS.get(verbosity, logging.DEBUG)
    handlers: list[logging.Handler] = [_Screen(screen_level)]
    trouble: OSError | None = None
    try:
        make_private(log_dir)
        handlers += _file_handlers(log_dir, run_id, min(screen_level, logging.INFO))
    except OSError as error:
        trouble = error
    for handler in handlers:
        handler.addFilter(redactor)
    logs = Logs(redactor, handlers, "" if trouble is None else trouble.strerror or str(trouble))
    logs.install()
    with suppress(OSError):  # another run may be clearing up as well
        _forget_old_runs(log_dir)
    if trouble is not None:
        logger.warning("no log files folder=%s reason=%s: the run goes on without them", log_dir, trouble.strerror)
    return logs


def current_redactor() -> Redactor:
    """The redactor of the logging that is set up, or one that knows no secret."""
    return next(filter(None, map(_redactor_of, _installed())), Redactor())


def _file_handlers(log_dir: Path, run_id: str, level: int) -> list[logging.Handler]:
    all_runs = _RotatingLog(log_dir / LOG_FILE)
    all_runs.setFormatter(_TextFormatter(f"%(asctime)s %(levelname)s {run_id} %(name)s %(message)s"))
    try:
        this_run = _RunLog(log_dir / f"{run_id}.jsonl")
    except OSError:
        all_runs.close()
        raise
    this_run.setFormatter(_JsonFormatter(run_id))
    for handler in (all_runs, this_run):
        handler.setLevel(level)
    return [all_runs, this_run]


def _forget_old_runs(log_dir: Path) -> None:
    """Keep the newest runs' own files; what is not named for a run is not ours."""
    names = sorted(path.name for path in log_dir.glob("*.jsonl") if _RUN_ID.fullmatch(path.stem))
    for name in names[:-RUNS_KEPT]:
        (log_dir / name).unlink(missing_ok=True)


def _uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    """Show an exception that nobody caught, redacted, on stderr and in the log files."""
    error = error or kind()
    if isinstance(error, SystemExit | KeyboardInterrupt):
        return
    logger.critical("unexpected failure", exc_info=(type(error), error, trace))


class _Screen(logging.StreamHandler[TextIO]):
    """Plain lines on whatever stderr is at the time: a live progress display replaces it for a while."""

    def __init__(self, level: int) -> None:
        logging.Handler.__init__(self, level)
        self.setFormatter(_ScreenFormatter("%(levelname)s %(message)s"))
        self.addFilter(lambda record: not getattr(record, _ON_SCREEN, False))

    @property
    def stream(self) -> TextIO:  # type: ignore[override]  # the base class keeps the stream of the moment it was made
        return sys.stderr


class _Private(logging.FileHandler):
    """A log file that only its owner reads. Its first failure to write is told once and ends its part."""

    given_up = ""

    def filter(self, record: logging.LogRecord) -> bool:
        return not self.given_up and bool(super().filter(record))

    def _open(self) -> Any:
        return _open_private(self.baseFilename)

    def close(self) -> None:
        with suppress(OSError):  # what the buffer still held does not fit on the disk either: that was told before
            super().close()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  the name is logging's
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
            return
        self.given_up = error.strerror or str(error)
        logger.warning("log file given up file=%s reason=%s", self.baseFilename, error.strerror)


class _RunLog(_Private):
    def __init__(self, path: Path) -> None:
        super().__init__(path, encoding="utf-8")


class _RotatingLog(RotatingFileHandler, _Private):
    def __init__(self, path: Path) -> None:
        super().__init__(path, maxBytes=LOG_BYTES, backupCount=LOG_COPIES, encoding="utf-8")


def _open_private(path: str) -> IO[str]:
    """Append to a file of mode 0600, never through a symbolic link; a sign that is no UTF-8 is written escaped.

    Raises OSError for what is no file, or a file of somebody who has no other part in the folder.
    """
    flags = sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_CLOEXEC", "O_NONBLOCK"))
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | flags, 0o600)
    try:
        _make_ours(descriptor, Path(path).parent)
    except OSError:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "a", encoding="utf-8", errors="backslashreplace")


def _make_ours(descriptor: int, folder: Path) -> None:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is not a file")
    if sys.platform != "win32":
        if status.st_uid not in (os.geteuid(), folder.stat().st_uid):
            raise PermissionError(errno.EPERM, "it belongs to another user")
        if status.st_mode & 0o077:
            os.fchmod(descriptor, 0o600)


class _TextFormatter(logging.Formatter):
    """One line a record in UTC, an exception's traceback below it, moved in; nothing in it can move the cursor, or look
    like another record."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802  logging's name
        return _at(record)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's name
        return one_line(super().formatMessage(record).replace("\n", "\\n"))

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record)).replace("\n", "\n  ")


class _ScreenFormatter(_TextFormatter):
    """The same, each line signed where the command is quiet; by whoever set logging up, for every thread of his."""

    def __init__(self, form: str) -> None:
        super().__init__(form)
        self._signature = current_signature()

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return text if self._signature is None else "\n".join(map(self._signature.before, text.split("\n")))


class _JsonFormatter(logging.Formatter):
    """One JSON object a record: at, run_id, event, level, and its facts beside them."""

    def __init__(self, run_id: str) -> None:
        super().__init__()
        self.run_id = run_id

    def format(self, record: logging.LogRecord) -> str:
        name, facts = _event_of(record)
        fields = {"at": _at(record), "run_id": self.run_id, "event": name, "level": record.levelname}
        if record.exc_text:
            fields["exception"] = record.exc_text
        return json.dumps({**fields, **{key: value for key, value in facts.items() if key not in fields}})


def _event_of(record: logging.LogRecord) -> tuple[str, dict[str, Any]]:
    """The event and its facts: as logged by `event`, else read from a line such as `page board=master items=500`."""
    named = getattr(record, "event", None)
    if named is not None:
        return named, getattr(record, "facts", {})
    message = record.getMessage()
    found = list(_FACT.finditer(message))
    if not found or not message[: found[0].start()].strip():
        return "log", {"message": message}
    ends = [*(fact.start() for fact in found[1:]), len(message)]
    facts = {fact[1]: _number(message[fact.end() : end]) for fact, end in zip(found, ends, strict=True)}
    return message[: found[0].start()].strip(), facts


def _number(text: str) -> int | float | str:
    match = _NUMBER.fullmatch(text)
    if not match:
        return text
    return float(text) if match[1] else int(text)


def _at(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
