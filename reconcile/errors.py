"""The exception tree: each class is named for what the caller does about it and carries the exit code.

A message is one sentence: what, where (board, item, column), what to do. It never holds a cell's value or a secret.
"""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """The exit codes of every command."""

    DONE = 0
    BUG = 1
    USAGE = 2
    DRIFT = 3
    REFUSED = 4
    PERSON_NEEDED = 5
    LEASE_HELD = 6
    UNAVAILABLE = 7
    WOULD_WRITE = 10
    INTERRUPTED = 130


class SyncError(Exception):
    """What a command prints as one sentence, and ends with `exit_code`."""

    exit_code = Exit.BUG
    listed = False
    """Whether the message is a list, a line each, instead of one sentence."""


class ConfigError(SyncError):
    """A missing, malformed or refused setting, option, token or cache file."""

    exit_code = Exit.USAGE


class DriftError(SyncError):
    """A board or a table is not what the mapping says."""

    exit_code = Exit.DRIFT


class UnsafePlan(SyncError):
    """A guard said no; the message names the count, the limit and the option that overrides it."""

    exit_code = Exit.REFUSED


class LeaseHeld(SyncError):
    """Another run is at work, or took over while this one slept."""

    exit_code = Exit.LEASE_HELD


class Unavailable(SyncError):
    """Temporary outside trouble with retries exhausted: state is kept, run it again."""

    exit_code = Exit.UNAVAILABLE


class CellError(SyncError):
    """One value that cannot be decoded, stored or written: that cell is quarantined and the item goes on."""

    exit_code = Exit.PERSON_NEEDED
