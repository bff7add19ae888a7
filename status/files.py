"""Files that a command of the window makes: whole or not at all, and never in the place of somebody else's."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from reconcile.errors import ConfigError


@dataclass(frozen=True, slots=True)
class OwnFile:
    """A kind of file: what it is called, what it begins with, and who may read it. `instead` ends the advice."""

    what: str
    begins: bytes
    mode: int = 0o600
    instead: str = "name another file"

    def write(self, path: Path, text: str) -> int:
        """Put it in place at once, so that nobody ever reads half of it; how many bytes it has. Raises ConfigError
        where that cannot be done, and for a file that is there and is none of these."""
        self._refuse_foreign(path)
        content = text.encode("utf-8", "backslashreplace")
        part = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.tmp")
        try:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), self.mode)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    if hasattr(os, "fchmod"):
                        os.fchmod(file.fileno(), self.mode)  # whatever the umask of cron is
                    file.write(content)
                part.replace(path)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise ConfigError(
                f"{path} cannot be written ({error.strerror}): name a file in a folder that this user may write to."
            ) from None
        return len(content)

    def _refuse_foreign(self, path: Path) -> None:
        try:
            if path.is_dir() or (path.exists() and not path.is_file()):  # reading a pipe would wait for its writer
                raise ConfigError(f"{path} is no file: {self.instead}.")
            with path.open("rb") as file:
                begins = file.read(len(self.begins))
        except FileNotFoundError:
            return
        except OSError as error:
            raise ConfigError(f"{path} cannot be written ({error.strerror}): name another file.") from None
        if begins and begins != self.begins:
            raise ConfigError(f"{path} is there and holds something else than {self.what}: name another file.")
