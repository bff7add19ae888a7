"""Folders of files that others must not see: made for their owner alone, and never changed where they are there."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import Final

_COMMON: Final = """
/ /bin /boot /dev /dev/shm /etc /home /lib /media /mnt /opt /root /run /sbin /srv /tmp /usr /usr/local /usr/share /var
/var/cache /var/lib /var/lock /var/log /var/run /var/spool /var/tmp /Users /Library /Applications ~
"""


def make_private(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for their owner alone; one that is there stays as it is."""
    for missing in reversed([path for path in (folder, *folder.parents) if not path.is_dir()]):
        missing.mkdir(mode=0o700, exist_ok=True)


def why_unwritable(folder: Path) -> str:
    """Why nothing can be written into a folder that is there or to be made, or nothing."""
    there = next((path for path in (folder, *folder.parents) if path.exists() or path.is_symlink()), folder)
    if not there.is_dir():
        return f"{there} is no folder"
    return "" if os.access(there, os.W_OK | os.X_OK) else "no right to write there"


def why_shared(folder: Path) -> str:
    """Why others have a say in a folder, or nothing. One that is not there yet will be ours."""
    if sys.platform == "win32":
        return ""
    try:
        path, status, link = folder.resolve(), folder.stat(), folder.lstat()
        around = path.parent.stat()
    except OSError:
        return ""
    if any(path == Path(common) or _same(status, common) for common in _COMMON.split()):
        return "is a folder that other programs use too"
    if status.st_mode & stat.S_IWOTH:
        return "can be written to by anybody"
    strangers = {status.st_uid, link.st_uid} - {os.geteuid(), 0}
    if strangers and (os.geteuid() != 0 or around.st_mode & stat.S_IWOTH):  # root works in the folders of others too
        return "belongs to another user"
    return ""


def _same(status: os.stat_result, common: str) -> bool:
    try:
        return os.path.samestat(status, Path(common).expanduser().stat())
    except (OSError, RuntimeError):
        return False
