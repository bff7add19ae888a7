"""Which version of the API answers. A new one becomes current with each quarter, and the others age by it."""

from __future__ import annotations

import re

import msgspec

CURRENT = "2026-10"
OLDEST = "2025-04"
_FORM = re.compile(r"[0-9]{4}-[0-9]{2}")
_VERSION = re.compile(r"[0-9]{4}-(01|04|07|10)")
_AGES = {-1: "release_candidate", 0: "current", 1: "maintenance"}


class Versions(msgspec.Struct, frozen=True):
    """The versions of a day. `answers` is one that answers whatever is asked; where not `told`, no header says which
    did. Raises ValueError for what is no version.
    """

    current: str = CURRENT
    oldest: str = OLDEST
    answers: str | None = None
    told: bool = True

    def __post_init__(self) -> None:
        for version in filter(None, (self.current, self.oldest, self.answers)):
            if not _VERSION.fullmatch(version):
                raise ValueError(f"{version} is no version such as {CURRENT}")

    def answering(self, asked: str | None) -> str | None:
        """The version that answers a request for `asked`; None when that is malformed.

        Without a header, and for a version that there never was, the current one; for one of the past the one that is
        in maintenance, silently (monday docs, "API versioning").
        """
        if asked is not None and not _FORM.fullmatch(asked):
            return None
        if self.answers is not None:
            return self.answers
        if asked is None or not _VERSION.fullmatch(asked) or asked > _quarters_after(self.current, 1):
            return self.current
        return asked if asked >= self.oldest else _quarters_after(self.current, -1)

    def kind(self, version: str) -> str:
        """As `Version.kind` tells it."""
        return _AGES.get(_quarter(self.current) - _quarter(version), "deprecated")

    def shown(self) -> list[dict[str, str]]:
        """As `versions` lists them, the newest first."""
        return [self.one(_quarters_after(self.current, -age)) for age in _AGES]

    def one(self, version: str) -> dict[str, str]:
        return {"value": version, "kind": self.kind(version), "display_name": version}


def _quarter(version: str) -> int:
    year, month = version.split("-")
    return 4 * int(year) + (int(month) - 1) // 3


def _quarters_after(version: str, count: int) -> str:
    year, quarter = divmod(_quarter(version) + count, 4)
    return f"{year:04d}-{3 * quarter + 1:02d}"
