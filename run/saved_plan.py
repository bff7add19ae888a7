"""A plan as a file: saved by a dry run, looked at and approved by a person, carried out by a real run.

It holds personal data, for its owner's eyes only (mode 0600), and tells where it belongs: to which database, account
and boards, by which mapping and options it was made, and when.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec

from reconcile.changes import Change
from reconcile.errors import ConfigError
from run.report import PROGRAMS

VERSION: Final = 1
KIND: Final = "monday-pg-sync plan"
_LARGEST: Final = 1 << 30
_CLOCKS: Final = timedelta(minutes=5)
"""So much may two machines' clocks differ."""
HOW_TO_MAKE: Final = "make it anew: the same command with --test --plan FILE"


class Belongs(msgspec.Struct, frozen=True):
    """Where a plan is at home. `system` and `accounts` are empty where they were not told."""

    direction: str
    database: str
    oid: int
    system: str
    accounts: dict[str, str]
    """Board → the account that it belongs to."""
    boards: dict[str, int]
    mapping: dict[str, str]
    """Board → the hash of its mapping."""
    options: dict[str, Any]
    """Those that decide what is planned, as far as they differ from the usual ones."""


class SavedPlan(msgspec.Struct, frozen=True):
    """One plan. `plan` is its number, `items` and `rows` are the names that a person knows them by: `board/id` and the
    row's id. Of new rows and items a change says in `after` what they hold."""

    kind: str
    version: int
    run_id: str
    made_at: datetime
    plan: str
    belongs: Belongs
    items: dict[str, str]
    rows: dict[str, str]
    changes: list[Change]
    checksum: str = ""


def save_plan(path: Path, plan: SavedPlan) -> None:
    """Write a plan for its owner's eyes only, whole or not at all. Another plan of one's own is replaced, nothing else.

    Raises ConfigError for a place where it cannot stand.
    """
    if (path.exists() or path.is_symlink()) and not _is_ours(path):
        raise ConfigError(f"{path} is there and no saved plan of yours: it is left as it is, choose another name.")
    half = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(_encoded(msgspec.structs.replace(plan, checksum=_checksum(plan))))
        half.replace(path)
    except OSError as error:
        with suppress(OSError):
            half.unlink(missing_ok=True)
        raise ConfigError(f"The plan cannot be saved in {path} ({error.strerror}): choose another place.") from error


def load_plan(path: Path) -> SavedPlan:
    """Read a plan back. Raises ConfigError for a file that is none, that others can get at, or that was changed."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ConfigError(f"{path} is a symbolic link: name the plan itself.") from error
        raise ConfigError(f"{path} cannot be read ({error.strerror}): name a plan that --plan has saved.") from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise ConfigError(f"{path} is no file: name a plan that --plan has saved.")
    with os.fdopen(descriptor, "rb") as file:
        if sys.platform != "win32" and status.st_uid not in (os.geteuid(), 0):
            raise ConfigError(f"{path} belongs to another user, who can change it: {HOW_TO_MAKE}.")
        if sys.platform != "win32" and stat.S_IMODE(status.st_mode) & 0o077:
            raise ConfigError(
                f"{path} can be read or changed by others (mode {stat.S_IMODE(status.st_mode):o}): if it says "
                f"what you have approved, chmod 600 {path}."
            )
        raw = file.read(_LARGEST)
    return _decoded(path, raw)


def _decoded(path: Path, raw: bytes) -> SavedPlan:
    try:
        version = msgspec.json.decode(raw, type=_Head)
        if version.kind != KIND:
            raise ConfigError(f"{path} is no saved plan: name one that --plan has saved.")
        if version.version != VERSION:
            raise ConfigError(f"{path} is a plan of another version of this program: {HOW_TO_MAKE}.")
        plan = msgspec.json.decode(raw, type=SavedPlan)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no saved plan, or a part of one: {HOW_TO_MAKE}.") from error
    if plan.checksum != _checksum(plan):
        raise ConfigError(f"{path} was changed since it was saved: {HOW_TO_MAKE}.")
    return plan


class _Head(msgspec.Struct):
    kind: str = ""
    version: int = 0


def _is_ours(path: Path) -> bool:
    try:
        load_plan(path)
    except ConfigError:
        return False
    return True


def _encoded(plan: SavedPlan) -> bytes:
    return msgspec.json.format(msgspec.json.encode(plan), indent=1)


def _checksum(plan: SavedPlan) -> str:
    return hashlib.sha256(msgspec.json.encode(msgspec.structs.replace(plan, checksum=""))).hexdigest()


def refuse_foreign(path: Path, plan: SavedPlan, here: Belongs, hours: int, now: datetime | None = None) -> None:
    """Raises ConfigError for a plan that is not of this place, or too old; it says of what it is."""
    there = plan.belongs
    wrong = [
        (there.direction != here.direction, f"is a plan of {PROGRAMS.get(there.direction, 'another command')}"),
        (
            (there.database, there.oid) != (here.database, here.oid) or _differ(there.system, here.system),
            f"is a plan of another database, {there.database}",
        ),
        (there.boards != here.boards, f"is a plan of other boards, {_listed(there.boards)}"),
        (
            any(_differ(there.accounts.get(board, ""), account) for board, account in here.accounts.items()),
            "is a plan of another account of monday.com",
        ),
        (there.mapping != here.mapping, "was made by another mapping, or for tables of another shape"),
        (
            there.options != here.options,
            f"was made with {_given(there.options)}, and this run has {_given(here.options)}",
        ),
    ]
    if reason := next((reason for is_wrong, reason in wrong if is_wrong), None):
        raise ConfigError(f"{path} {reason}: {HOW_TO_MAKE}.")
    age = (now or datetime.now(UTC)) - plan.made_at
    if age > timedelta(hours=hours) or age < -_CLOCKS:
        raise ConfigError(
            f"{path} was made at {plan.made_at.astimezone():%Y-%m-%d %H:%M %Z}, and a plan is carried out for {hours} "
            f"hours (SYNC_PLAN_HOURS): {HOW_TO_MAKE}."
        )


def _differ(one: str, other: str) -> bool:
    """Whether both are known, and not the same."""
    return bool(one and other and one != other)


def _listed(boards: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {board_id}" for name, board_id in boards.items())


def _given(options: Mapping[str, Any]) -> str:
    told = [
        f"--{name.replace('_', '-')}" + ("" if value is True else f" {_value(value)}")
        for name, value in sorted(options.items())
    ]
    return " ".join(told) or "no such option"


def _value(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else str(value)
