"""What was read from monday, kept for `--use-cache`: one file per board and read, written as the read goes.

JSON Lines: a header, one raw item a line, a trailer with the count and the sha256 of everything before it. A file
appears under its name only when it is whole. It holds personal data, so only its owner may read it; its content is
not trusted and passes the same validators as monday's own answers.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BufferedReader, BufferedWriter, FileIO
from pathlib import Path
from typing import Final, Literal, Self

import msgspec

from folders import make_private
from reconcile.errors import ConfigError
from reconcile.items import RawItem, raw_item

if sys.platform != "win32":
    import fcntl

FORMAT: Final = 1
PAGE_ITEMS: Final = 500
KEPT: Final = 10
MAX_AGE: Final = timedelta(days=7)
MAX_BYTES: Final = 4 << 30
MAX_LINE_BYTES: Final = 8 << 20

_BLOCK_BYTES: Final = 1 << 17
_BLOCK_ITEMS: Final = 50
_TAIL: Final = 1024
_SKEW: Final = timedelta(minutes=10)
_STAMP: Final = "%Y%m%dT%H%M%S%fZ"
_NAME: Final = re.compile(
    r"(?P<board>[a-z][a-z0-9_]*)-(?P<stamp>[0-9]{8}T[0-9]{12}Z)-[A-Za-z0-9_-]+\.jsonl(?P<part>\.part)?"
)
_UNREADABLE: Final = (msgspec.DecodeError, ValueError, RecursionError)
_AGAIN: Final = "run once without the cache to read monday anew"

logger = logging.getLogger(__name__)

Mode = Literal["full", "incremental", "limited"]


class Header(msgspec.Struct, frozen=True):
    """What a cache is about. `fetched_at` is when its read began; `query_hash` tells which columns were mapped,
    `columns` those that were read, each with the revision of its settings.
    """

    format: int
    board: str
    board_id: int
    account_id: str
    fetched_at: datetime
    query_hash: str
    mode: Mode
    api_version: str
    columns: list[str] = []


class Trailer(msgspec.Struct, frozen=True):
    """How the read ended. `items_count` is the board's own count; `complete` says whether all of it is here."""

    items: int
    complete: bool
    items_count: int | None
    sha256: str


class _Format(msgspec.Struct):
    format: int


@dataclass(frozen=True, slots=True)
class CacheInfo:
    """One line of `--list-cache`; what is None is unknown, because of `problem`."""

    path: Path
    board: str
    fetched_at: datetime
    size_bytes: int | None = None
    items: int | None = None
    complete: bool | None = None
    problem: str | None = None


class CacheWriter:
    """Writes one board's read as it goes. A disk that is full or broken costs the cache and a warning, not the run.

    Ends with `finish` or `abandon`, whichever comes first; after that, and after trouble, nothing more is written.
    Leaving a `with` without `finish` abandons it. `trouble` says what the disk had against it.
    """

    def __init__(self, folder: Path, header: Header, run_id: str) -> None:
        name = f"{header.board}-{header.fetched_at.astimezone(UTC):{_STAMP}}-{run_id}.jsonl"
        if not _NAME.fullmatch(name):
            raise ValueError("a board and a run are named in letters, digits, - and _")
        self.path: Path = folder / name
        self._part = folder / f"{name}.part"
        self._file: BufferedWriter | None = None
        self._hash = hashlib.sha256()
        self._items = 0
        self.trouble = ""
        try:
            make_private(folder)
            _forget_unfinished(folder)
            self._file = _create_private(self._part)
            self._write(msgspec.json.encode(header) + b"\n")
        except OSError as error:
            self._give_up(error)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.abandon()

    def add(self, items: Iterable[RawItem]) -> None:
        """Append a page."""
        if self._file is None:
            return
        # In JSON a raw line break is only ever a blank between two tokens.
        lines = [item.raw.replace(b"\n", b" ") for item in items]
        self._items += len(lines)
        try:
            for first in range(0, len(lines), _BLOCK_ITEMS):
                self._write(b"\n".join([*lines[first : first + _BLOCK_ITEMS], b""]))
        except OSError as error:
            self._give_up(error)

    def finish(self, *, complete: bool, items_count: int | None) -> Path | None:
        """Make the file appear under its name and forget old ones; its path, or None when it was given up."""
        if self._file is None:
            return None
        unsigned = Trailer(self._items, complete, items_count, "")
        try:
            self._file.write(msgspec.json.encode(_signed(unsigned, self._hash)) + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._part.replace(self.path)
            _sync_folder(self.path.parent)
        except OSError as error:
            self._give_up(error)
            return None
        self._file = None
        _forget_old(self.path)
        logger.info("cache written file=%s items=%d complete=%s", self.path.name, self._items, complete)
        return self.path

    def abandon(self) -> None:
        """Leave nothing behind: the read did not come to its end."""
        if self._file is not None:
            file, self._file = self._file, None
            with suppress(OSError):  # closing writes what is buffered
                file.close()
            with suppress(OSError):
                self._part.unlink(missing_ok=True)

    def _write(self, block: bytes) -> None:
        assert self._file is not None
        self._hash.update(block)
        self._file.write(block)

    def _give_up(self, error: OSError) -> None:
        self.abandon()
        self.trouble = error.strerror or str(error)
        logger.warning("cache given up file=%s reason=%s: the run goes on without it", self.path.name, error.strerror)


@dataclass(frozen=True, slots=True)
class CachedBoard:
    """A cache that was verified whole when it was opened."""

    path: Path
    header: Header
    trailer: Trailer
    _seen: tuple[int, ...]

    @property
    def complete(self) -> bool:
        """Whether every item of the board is here."""
        return self.trailer.complete

    def age(self, now: datetime | None = None) -> timedelta:
        """Time since the read began, never negative."""
        return max((now or datetime.now(UTC)) - self.header.fetched_at, timedelta(0))

    def pages(self) -> Iterator[list[RawItem]]:
        """The items as monday sent them, 500 at a time; nothing for an empty board. May be read more than once.

        Raises ConfigError when the file is not the one that was verified, or holds something that is no item.
        """
        with _open_private(self.path) as file:
            if _identity(file) != self._seen:
                raise _refused(self.path, "changed after it was checked", "run it again")
            _line(file, self.path)
            for first in range(0, self.trailer.items, PAGE_ITEMS):
                count = min(PAGE_ITEMS, self.trailer.items - first)
                yield [_item(file, self.path, first + number) for number in range(1, count + 1)]
            if file.tell() != _body_bytes(file, self.trailer):
                raise _refused(self.path, "holds another number of items than it says", _AGAIN)


def open_cache(path: Path, *, board_id: int, max_age: timedelta = MAX_AGE, now: datetime | None = None) -> CachedBoard:
    """Verify a cache whole: owner and mode, format, board, age, length and checksum.

    Raises ConfigError, saying what is wrong with the file and what to do.
    """
    with _open_private(path) as file:
        header, trailer = _header(file, path), _trailer(file, path)
        if header.board_id != board_id:
            raise _refused(path, f"is of board {header.board_id}, not of {board_id}", "choose a cache of that board")
        age = (now or datetime.now(UTC)) - header.fetched_at
        if not -_SKEW <= age <= max_age:
            raise _refused(path, f"was read {'in the future' if age < -_SKEW else f'{age.days} days ago'}", _AGAIN)
        _verify(file, path, trailer)
        return CachedBoard(path, header, trailer, _identity(file))


def newest_cache(folder: Path, board: str) -> Path:
    """The newest cache of a board. Raises ConfigError when there is none."""
    found = _caches(folder, board)
    if not found:
        raise ConfigError(f"There is no cache of the {board} board in {folder}: {_AGAIN}.")
    return found[0]


def list_caches(folder: Path) -> list[CacheInfo]:
    """Every cache in the folder, by board, the newest first; empty without the folder. Checksums are not checked."""
    boards = sorted({match["board"] for match in map(_NAME.fullmatch, _names(folder)) if match})
    return [_info(path) for board in boards for path in _caches(folder, board)]


def _info(path: Path) -> CacheInfo:
    try:
        with _open_private(path) as file:
            header, trailer, size = _header(file, path), _trailer(file, path), _identity(file)[2]
    except ConfigError as error:
        return CacheInfo(path, path.name.partition("-")[0], _fetched_at(path.name), problem=str(error))
    return CacheInfo(path, header.board, header.fetched_at, size, trailer.items, trailer.complete)


def _names(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ConfigError(
            f"The cache folder {folder} cannot be read ({error.strerror}): check SYNC_CACHE_DIR and its rights."
        ) from error


def _caches(folder: Path, board: str) -> list[Path]:
    """A board's caches by name, the newest first."""
    matches = (_NAME.fullmatch(name) for name in _names(folder))
    names = [match[0] for match in matches if match and match["board"] == board and not match["part"]]
    return [folder / name for name in sorted(names, key=lambda name: (_fetched_at(name), name), reverse=True)]


def _fetched_at(name: str) -> datetime:
    """The time in a cache's name; the beginning of time when no calendar knows it."""
    match = _NAME.fullmatch(name)
    assert match is not None
    try:
        return datetime.strptime(match["stamp"], _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)


def _forget_old(newest: Path) -> None:
    """Keep a board's newest ten that are not older than seven days, and the newest complete one whatever its rank."""
    folder, board = newest.parent, newest.name.partition("-")[0]
    oldest = datetime.now(UTC) - MAX_AGE
    complete_kept = False
    with suppress(OSError, ConfigError):
        for rank, path in enumerate(_caches(folder, board)):
            fresh = _fetched_at(path.name) >= oldest
            first_complete = fresh and not complete_kept and _info(path).complete is True
            complete_kept = complete_kept or first_complete
            if path != newest and not (fresh and (rank < KEPT or first_complete)):
                path.unlink(missing_ok=True)


def _forget_unfinished(folder: Path) -> None:
    """Clear what killed runs left. A living run has its file locked; where there are no locks, the age tells."""
    oldest = datetime.now(UTC) - MAX_AGE
    with suppress(OSError, ConfigError):
        for name in _names(folder):
            match = _NAME.fullmatch(name)
            if match and match["part"] and (_fetched_at(name) < oldest or _is_abandoned(folder / name)):
                (folder / name).unlink(missing_ok=True)


def _is_abandoned(part: Path) -> bool:
    """Whether no process has it locked; False where that cannot be known."""
    if sys.platform == "win32":
        return False
    with suppress(OSError):
        handle = os.open(part, os.O_RDONLY | _o_flags())
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.close(handle)
        return True
    return False


def _create_private(path: Path) -> BufferedWriter:
    """A new file of this user alone, locked while it is open: the lock goes with the process, however that ends."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    file = os.fdopen(os.open(path, flags | _o_flags(), 0o600), "wb")
    if sys.platform != "win32":
        with suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return file


def _open_private(path: Path) -> BufferedReader:
    """Open for reading what belongs to this user alone. Raises ConfigError for anything else."""
    try:
        handle = os.open(path, os.O_RDONLY | _o_flags())
    except OSError as error:
        if path.is_symlink():
            raise _refused(path, "is a symbolic link", "name the file itself") from error
        raise _refused(path, f"cannot be opened ({error.strerror})", "see --list-cache for those there are") from error
    try:
        _check_owner(os.fstat(handle), path)
    except ConfigError:
        os.close(handle)
        raise
    return BufferedReader(FileIO(handle), _BLOCK_BYTES)


def _check_owner(status: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise _refused(path, "is not a file", "see --list-cache for those there are")
    if status.st_size > MAX_BYTES:
        raise _refused(path, f"is larger than {MAX_BYTES >> 30} GB", _AGAIN)
    if sys.platform != "win32":
        if status.st_uid != os.geteuid():
            raise _refused(path, "belongs to another user", _AGAIN)
        if status.st_mode & 0o077:
            raise _refused(path, "can be read by other users", f"chmod 600 {path}, if you trust what is in it")


def _o_flags() -> int:
    """O_NONBLOCK: opening a pipe that somebody put there must not hang."""
    names = ("O_NOFOLLOW", "O_CLOEXEC", "O_NONBLOCK", "O_BINARY")
    return sum(getattr(os, name, 0) for name in names)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut; Windows and some file systems have no such call."""
    if sys.platform != "win32":
        handle = os.open(folder, os.O_RDONLY)
        with suppress(OSError):
            os.fsync(handle)
        os.close(handle)


def _identity(file: BufferedReader) -> tuple[int, ...]:
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _line(file: BufferedReader, path: Path) -> bytes:
    line = file.readline(MAX_LINE_BYTES)
    if not line.endswith(b"\n"):
        raise _refused(path, "holds a line that is cut short or too long", _AGAIN)
    return line


def _header(file: BufferedReader, path: Path) -> Header:
    file.seek(0)
    line = _line(file, path)
    try:
        found = msgspec.json.decode(line, type=_Format).format
        if found != FORMAT:
            raise _refused(path, f"has format {found}, this program reads {FORMAT}", _AGAIN)
        header = msgspec.json.decode(line, type=Header)
    except _UNREADABLE as error:
        raise _refused(path, "does not begin as a cache does", _AGAIN) from error
    if header.fetched_at.tzinfo is None:
        raise _refused(path, "has a time without its zone", _AGAIN)
    return header


def _trailer(file: BufferedReader, path: Path) -> Trailer:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _TAIL))
    tail = file.read()
    line = tail[tail.rfind(b"\n", 0, -1) + 1 :]
    try:
        trailer = msgspec.json.decode(line, type=Trailer)
    except _UNREADABLE as error:
        raise _refused(path, "is cut short or not a cache", _AGAIN) from error
    if msgspec.json.encode(trailer) + b"\n" != line or trailer.items < 0:
        raise _refused(path, "does not end as a cache does", _AGAIN)
    return trailer


def _verify(file: BufferedReader, path: Path, trailer: Trailer) -> None:
    """Check the checksum of everything before the trailer, in blocks that stay in the processor's cache."""
    digest, block = hashlib.sha256(), memoryview(bytearray(_BLOCK_BYTES))
    left = _body_bytes(file, trailer)
    file.seek(0)
    while left > 0 and (size := file.readinto(block[:left])):
        digest.update(block[:size])
        left -= size
    if _signed(trailer, digest) != trailer:
        raise _refused(path, "is damaged: its checksum does not match", _AGAIN)


def _body_bytes(file: BufferedReader, trailer: Trailer) -> int:
    return os.fstat(file.fileno()).st_size - len(msgspec.json.encode(trailer)) - 1


def _signed(trailer: Trailer, digest: hashlib._Hash) -> Trailer:
    """The trailer with the checksum of the body and of the trailer's own facts."""
    whole = digest.copy()
    whole.update(msgspec.json.encode(msgspec.structs.replace(trailer, sha256="")))
    return msgspec.structs.replace(trailer, sha256=whole.hexdigest())


def _item(file: BufferedReader, path: Path, number: int) -> RawItem:
    line = _line(file, path)
    try:
        return raw_item(line[:-1])
    except _UNREADABLE as error:
        raise _refused(path, f"holds something else than an item in line {number + 1}", _AGAIN) from error


def _refused(path: Path, wrong: str, todo: str) -> ConfigError:
    return ConfigError(f"The cache {path} {wrong}: {todo}.")
