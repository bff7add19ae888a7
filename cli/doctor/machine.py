"""This machine: the settings, the folders, and the clock."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cli.doctor.finding import Finding, ok, problem, warning
from reconcile.errors import ConfigError, Exit
from settings import DatabaseTarget, Settings, load_settings

LEAST_FREE: Final = 1 << 30
"""Bytes: a full read of 100,000 items saves about 300 MB."""
LARGEST_SKEW_S: Final = 120


def read_settings(found: list[Finding]) -> tuple[Settings | None, Settings | None]:
    """The settings as far as monday.com, and as far as the database, needs them; None where they are wrong.

    What is wrong goes to `found`, a line each.
    """
    try:
        settings = load_settings()
    except ConfigError as error:
        found += _listed(error)
        return _without(database=True), _without(monday=True)
    found.append(ok("settings", "all there and well-formed"))
    return settings, settings


def _listed(error: ConfigError) -> Iterator[Finding]:
    lines = [line.removeprefix("  - ") for line in str(error).splitlines() if line.startswith("  - ")]
    for line in lines or [str(error)]:
        says, _, fix = line.rpartition(": ")
        yield problem("settings", says or line, fix if says else "", Exit.USAGE)


def _without(*, monday: bool = False, database: bool = False) -> Settings | None:
    try:
        return load_settings(need_monday=not monday, need_database=not database)
    except ConfigError:
        return None


def examine_settings(settings: Settings) -> Iterator[Finding]:
    """Where the settings lead, without a secret."""
    yield ok("settings", f"monday.com at {settings.monday_api_url}, version {settings.monday_api_version}", detail=True)
    for sentence in settings.warnings:
        says, _, fix = sentence.rpartition(": ")
        yield warning("settings", says, fix)
    target = settings.database
    if isinstance(target, DatabaseTarget):
        place = target.keywords.get("host", "the local socket")
        yield ok("settings", f"database {target.keywords.get('dbname', '')} at {place}", detail=True)


def examine_folders(settings: Settings) -> Iterator[Finding]:
    """Whether cache, logs and state can be written, are private, and have room."""
    yield from _folder("cache", settings.cache_dir, "SYNC_CACHE_DIR")
    yield from _folder("logs", settings.log_dir, "SYNC_LOG_DIR")
    yield from _folder("state", settings.state_dir, "SYNC_STATE_DIR")


def _folder(check: str, folder: Path, setting: str) -> Iterator[Finding]:
    there = _nearest(folder)
    if not there.is_dir():
        yield problem(check, f"{there} is no folder", f"move it away, or set {setting}", Exit.USAGE)
        return
    if not os.access(there, os.W_OK | os.X_OK):
        yield problem(
            check, f"{there} cannot be written by this user", f"give it the right, or set {setting}", Exit.USAGE
        )
        return
    free = shutil.disk_usage(there).free
    if free < LEAST_FREE:
        yield warning(check, f"{folder} has {free >> 20:,} MB left", f"make room, or set {setting} to another disk")
    mode = stat.S_IMODE(there.stat().st_mode)
    if folder != there:
        yield ok(check, f"{folder} is not there yet: the first run makes it")
    elif mode & 0o077 and sys.platform != "win32":
        yield warning(check, f"{folder} can be entered by others (mode {mode:o})", f"chmod 700 {folder}")
    else:
        yield ok(check, f"{folder}: private, writable, {free >> 30:,} GB free")


def _nearest(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    return next(path for path in (folder, *folder.parents) if path.exists() or path.is_symlink())


def compare_clocks(check: str, whose: str, told: datetime | None) -> Iterator[Finding]:
    """This machine's clock against one that was just read elsewhere; nothing when it was not told."""
    if told is None:
        return
    skew_s = (datetime.now(UTC) - told).total_seconds()
    if abs(skew_s) > LARGEST_SKEW_S:
        way = "ahead of" if skew_s > 0 else "behind"
        yield warning(
            check,
            f"this machine's clock is {abs(skew_s):,.0f} s {way} {whose}",
            "set it by the network's time (NTP): logs and the age of caches go by it, the sync itself does not",
        )
    else:
        yield ok(check, f"within {abs(skew_s) + 1:.0f} s of {whose}")
