"""A folder that is worked in by its descriptor: nothing that another account puts in its way is followed.

Root keeps the embedded server's folder and hands parts of it to the account that runs the server. A path would be
looked up again at every step; a link that the account puts there in between would make root give away any file.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from reconcile.errors import ConfigError, Unavailable

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

Owner = tuple[int, int]
"""User and group."""

_LARGEST = 1 << 20
_AGAIN_S = 0.05


class OwnFolder:
    """A folder that belongs to whoever runs this, or is taken back from the account that an older version gave it to.

    `made_of`: the names by which a folder of another owner is recognised as this program's. `shown` is only shown and
    handed to other programs. Raises ConfigError for a folder of somebody else.
    """

    def __init__(self, path: Path, made_of: frozenset[str]) -> None:
        self.shown = path
        self.former: os.stat_result | None = None
        """What the folder was when it was opened."""
        self._descriptor: int | None = None
        if sys.platform == "win32":
            return
        self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            self._own(self._descriptor, made_of)
        except BaseException:
            os.close(self._descriptor)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)

    def _own(self, descriptor: int, made_of: frozenset[str]) -> None:
        status = self.former = os.fstat(descriptor)
        if status.st_uid != os.geteuid():
            found = set(os.listdir(descriptor))
            if os.geteuid() != 0 or not (found & made_of or not found):
                raise ConfigError(
                    f"The embedded database in {self.shown} belongs to another user: run as the user who started it, "
                    "or remove the folder."
                )
            os.fchown(descriptor, os.geteuid(), os.getegid())
        mode = stat.S_IMODE(status.st_mode) & ~0o022
        mode |= 0o011 if os.geteuid() == 0 else 0  # the other account must be able to reach its part
        if mode != stat.S_IMODE(status.st_mode):
            os.fchmod(descriptor, mode)

    def _at(self, name: str) -> str | Path:
        return name if self._descriptor is not None else self.shown / name

    def stat(self, name: str) -> os.stat_result | None:
        """What stands there, a link as a link; None where nothing does."""
        try:
            return os.stat(self._at(name), dir_fd=self._descriptor, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def read(self, name: str, after: int = 0) -> bytes | None:
        """The start of a plain file, at most 1 MB; None where there is none. Raises ConfigError for anything else, such
        as a link to a file that is not for everybody's eyes."""
        flags = os.O_RDONLY | _flag("O_NOFOLLOW") | _flag("O_NONBLOCK") | _flag("O_CLOEXEC") | _flag("O_BINARY")
        try:
            descriptor = os.open(self._at(name), flags, dir_fd=self._descriptor)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._odd(name) from error
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
                raise self._odd(name)
            file.seek(after)
            return file.read(_LARGEST)

    def create(self, name: str, content: bytes = b"", owner: Owner | None = None) -> None:
        """A new file, in the place of whatever stands there, for its owner alone."""
        self.remove(name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _flag("O_NOFOLLOW") | _flag("O_CLOEXEC")
        with os.fdopen(os.open(self._at(name), flags, 0o600, dir_fd=self._descriptor), "wb") as file:
            file.write(content)
            _give(file.fileno(), owner)

    def give(self, name: str, owner: Owner | None) -> None:
        """Hand a plain file over."""
        if sys.platform != "win32":
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(name, flags, dir_fd=self._descriptor)
            try:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise self._odd(name)
                _give(descriptor, owner)
            finally:
                os.close(descriptor)

    def make_folder(self, name: str, owner: Owner | None = None) -> None:
        """A new, empty folder for its owner alone, in the place of whatever stands there."""
        self.remove(name)
        os.mkdir(self._at(name), 0o700, dir_fd=self._descriptor)
        if sys.platform != "win32" and owner is not None:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            made = os.open(name, flags, dir_fd=self._descriptor)
            _give(made, owner)
            os.close(made)

    def open_up(self, name: str) -> None:
        """Let other accounts look into a folder."""
        if sys.platform != "win32":
            found = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._descriptor)
            os.fchmod(found, 0o755)
            os.close(found)

    def remove(self, name: str) -> None:
        """A file, a link, or a folder with all that is in it."""
        found = self.stat(name)
        if found is None:
            return
        if stat.S_ISDIR(found.st_mode):
            shutil.rmtree(self._at(name), dir_fd=self._descriptor)
        else:
            os.unlink(self._at(name), dir_fd=self._descriptor)

    def rename(self, old: str, new: str) -> None:
        os.rename(self._at(old), self._at(new), src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)

    def copy(self, source: Path, name: str) -> None:
        """A copy of a folder, in the place of whatever stands there."""
        self.remove(name)
        here = Path(f"/proc/self/fd/{self._descriptor}")  # the folder itself, wherever it is moved
        target = here if self._descriptor is not None and here.is_dir() else self.shown
        shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("include"))

    @contextmanager
    def locked(self, name: str, patience_s: float) -> Iterator[None]:
        """Let one in at a time (cron and a person may meet); the system frees the lock after a crash.

        Raises Unavailable when somebody holds it for longer than `patience_s`.
        """
        until = time.monotonic() + patience_s
        while True:
            descriptor = self._lock_file(name)
            try:
                self._wait(descriptor, name, patience_s, until)
                held, there = os.fstat(descriptor), self.stat(name)
                if there is not None and os.path.samestat(held, there):
                    yield
                    return
            finally:
                os.close(descriptor)

    def _wait(self, descriptor: int, name: str, patience_s: float, until: float) -> None:
        while not _try_lock(descriptor):
            if time.monotonic() > until:
                raise Unavailable(
                    f"Another program has held {self.shown / name} for {patience_s:.0f} s: it starts the embedded "
                    f"database, or hangs. `fuser -v {self.shown / name}` names it: end it if it hangs, and run again."
                )
            time.sleep(_AGAIN_S)

    def _lock_file(self, name: str) -> int:
        """The lock file, which nobody else can open: whoever can, can hold it."""
        flags = os.O_RDWR | os.O_CREAT | _flag("O_NOFOLLOW") | _flag("O_NONBLOCK") | _flag("O_CLOEXEC")
        found = self.stat(name)
        if found is not None and sys.platform != "win32":
            plain = stat.S_ISREG(found.st_mode) and found.st_nlink == 1
            if not plain or found.st_uid != os.geteuid():
                with suppress(FileNotFoundError):
                    self.remove(name)
        descriptor = os.open(self._at(name), flags, 0o600, dir_fd=self._descriptor)
        if sys.platform != "win32" and stat.S_IMODE(os.fstat(descriptor).st_mode) != 0o600:
            os.fchmod(descriptor, 0o600)
        return descriptor

    def _odd(self, name: str) -> ConfigError:
        return ConfigError(
            f"{self.shown / name} is not the plain file that this program made: look who put it there, and remove it, "
            "or the whole folder to start afresh."
        )


def _give(descriptor: int, owner: Owner | None) -> None:
    if owner is not None and sys.platform != "win32":
        os.fchown(descriptor, *owner)


def _try_lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _flag(name: str) -> int:
    return getattr(os, name, 0)
