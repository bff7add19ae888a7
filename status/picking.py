"""What a person picks by: a run, an item, a row, a field, a time. What there is not ends with the nearest that there
is."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any, Final

import click

from reconcile.errors import ConfigError
from reconcile.tables import TABLES
from terminal.times import parse_span

_ITEM: Final = re.compile(r"(?:.*/pulses/)?([1-9][0-9]{0,18})")


class Since(click.ParamType[datetime]):
    """A length of time ago (`7d`), or a day or an instant (`2026-11-01`, `2026-11-01T08:00`), in this machine's zone
    where it names none."""

    name = "since"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        if (length := parse_span(value)) is not None:
            return datetime.now(UTC) - length
        try:
            return datetime.fromisoformat(value).astimezone()
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is neither a length of time (7d, 12h) nor a day (2026-11-01).", param, ctx)


class ItemId(click.ParamType[int]):
    """The number of an item, or its address in the browser."""

    name = "item"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = _ITEM.fullmatch(str(value))
        if found is None:
            self.fail(f"{value!r} is no number of an item, nor its address in the browser.", param, ctx)
        return int(found[1])


def field_name(text: str) -> str:
    """A `table.column` of the nine tables. Raises ConfigError with the nearest for one that there is not."""
    known = [f"{table}.{column}" for table, model in TABLES.items() for column in model.__struct_fields__]
    if text in known:
        return text
    raise ConfigError(f"There is no field {text}: {_meant(text, known, 'it is written as projects.description')}")


def row_place(text: str) -> tuple[str, str]:
    """(table, id or how it begins) of `TABLE/ID`. Raises ConfigError."""
    table, _, row = text.partition("/")
    if table not in TABLES:
        raise ConfigError(f"There is no table {table}: {_meant(table, TABLES, 'a row is written as projects/ID')}")
    if not row:
        raise ConfigError(f"--row {text} names no row: a row is written as {table}/ID, or as much of it as tells it.")
    return table, row.lower()


def one_of(what: str, text: str, known: Collection[str], *, ends: bool = False) -> str:
    """The one that a person means by it, or by its beginning (or, with `ends`, its end), as long as that is one alone.
    Raises ConfigError with the nearest."""
    if text in known:
        return text
    alike = [name for name in known if text and (name.startswith(text) or (ends and name.endswith(text)))]
    if len(alike) == 1:
        return alike[0]
    if alike:
        raise ConfigError(f"{len(alike):,} {what}s are meant by {text}, such as {min(alike)} and {max(alike)}.")
    raise ConfigError(f"There is no {what} {text}: {_meant(text, known, f'no {what} is known yet')}")


def known_item(item_id: int, known: Collection[int]) -> int:
    """Raises ConfigError with the nearest for an item that nothing is remembered of."""
    if item_id in known:
        return item_id
    nearest = _meant(str(item_id), [str(item) for item in known], "no item is known yet")
    raise ConfigError(f"Nothing is remembered of item {item_id}: {nearest}")


def _meant(text: str, known: Collection[str], otherwise: str) -> str:
    nearest = _nearest(text, known)
    return f"{otherwise}." if nearest is None else f"did you mean {nearest}?"


def _nearest(text: str, known: Collection[str]) -> str | None:
    """Of many, those that begin alike are looked at closely."""
    if not known:
        return None
    length = max(_common(text, name) for name in known)
    alike = sorted(name for name in known if name.startswith(text[:length]))[:1_000]
    return next(iter(get_close_matches(text, alike, 1, 0.0)), None)


def _common(one: str, other: str) -> int:
    """How many signs two texts begin with alike."""
    return next(
        (n for n, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), min(len(one), len(other))
    )
