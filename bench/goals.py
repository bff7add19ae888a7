"""The figures to reach: what fails a release (`must`) and what is aimed at, each an upper or a lower bound."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Final

PUSHED: Final = (1, 100, 1_000, 5_000)
"""Rows edited before a push."""
SLOW_MS: Final = 150.0
"""A request's delay in the second half of the pushes."""
SLOW_SINGLES: Final = 100
"""Items that the yardstick is really sent at that delay; for more its time is computed."""
CREATED: Final = 100
IMPORTED: Final = 600
"""New rows, and new rows enough for a bulk job."""


@dataclass(frozen=True, slots=True)
class Goal:
    """A measure and its bounds; without bounds it is shown only. `at_least` turns the bounds into lower ones."""

    name: str
    label: str
    unit: str = ""
    must: float | None = None
    aim: float | None = None
    at_least: bool = False

    def verdict(self, value: float) -> str:
        """`aim`, `must` or `missed`; "" where there is no bound."""
        if self.must is None:
            return ""
        if self.aim is not None and self._reaches(value, self.aim):
            return "aim"
        return "must" if self._reaches(value, self.must) else "missed"

    def _reaches(self, value: float, bound: float) -> bool:
        return value >= bound if self.at_least else value <= bound


def goals(items: int, changed: int, pages: int, groups: int) -> Mapping[str, Goal]:
    """The goals for a board of `items`, by name, in the order they are printed; set for 20,000 items and above."""
    large = items > 20_000
    changed_pages = -(-changed // 500)
    table: tuple[Goal, ...] = (
        Goal("light_s", "yardstick LM, first load", "s"),
        Goal("light_again_s", "yardstick LM, again", "s"),
        Goal("first_s", "first full sync", "s"),
        Goal("first_lm", "first full sync", "× LM", 3, 1.7),
        Goal("unchanged_s", "full sync, nothing changed", "s"),
        Goal("unchanged_lm", "full sync, nothing changed", "× LM again", 2, 1.3),
        Goal("cache_s", "--use-cache into a fresh database", "s"),
        Goal("cache_lm", "--use-cache into a fresh database", "× LM", 3, 1.5),
        Goal("incremental_s", "incremental, nothing changed", "s"),
        Goal("incremental_beside_s", "… beside the API's own time", "s", 0.5, 0.3),
        Goal("changed_s", f"incremental, {changed} changed", "s"),
        Goal("help_s", "--help", "s", 0.3, 0.15),
        Goal("fetch_requests", "requests, full read", "", pages + groups + 3, pages + groups + 2),
        Goal("incremental_requests", "requests, nothing changed", "", 2, 1),
        Goal("changed_requests", f"requests, {changed} changed", "", 2 + changed_pages, 1 + changed_pages),
        Goal("rows_written", "rows written, nothing changed", "", 0, 0),
        Goal("incremental_trips", "database round trips, nothing changed", "", 10, 6),
        Goal("unchanged_trips", "database round trips, --full unchanged", ""),
        Goal("first_trips", "database round trips, first load", ""),
        Goal("first_cpu_us", "own CPU per item, first load", "µs", 110, 75),
        Goal("unchanged_cpu_us", "own CPU per item, --full unchanged", "µs", 50, 30),
        Goal("light_cpu_us", "LM's CPU per item, first load", "µs"),
        Goal("first_pg_us", "PostgreSQL CPU per item, first load", "µs"),
        Goal("peak_mb", "peak memory, first load", "MB", 600 if large else 160, 300 if large else 110),
        Goal("unchanged_peak_mb", "peak memory, --full unchanged", "MB"),
        Goal("slow_s", "first full sync, 400 ms a request", "s"),
        Goal("slow_gain", "… than one chain can be", "× faster", 3.5, 5, at_least=True),
        Goal("slow_hidden", "… beside its own fetch alone", "×", 1.1, 1.03),
        Goal("slow_again_s", "--full unchanged, 400 ms a request", "s"),
        Goal("slow_again_gain", "… than one chain can be", "× faster", 3.5, 5, at_least=True),
        Goal("slow_again_hidden", "… beside its own fetch alone", "×", 1.1, 1.03),
        Goal("heavy_s", "first full sync, 150 ms + 1.5 ms an item", "s"),
        Goal("heavy_gain", "… than one chain can be", "× faster", 3.5, 5, at_least=True),
        Goal("heavy_hidden", "… beside its own fetch alone", "×", 1.1, 1.03),
        Goal("heavy_again_s", "--full unchanged, 150 ms + 1.5 ms an item", "s"),
        Goal("heavy_again_gain", "… than one chain can be", "× faster", 3.5, 5, at_least=True),
        Goal("heavy_again_hidden", "… beside its own fetch alone", "×", 1.1, 1.03),
    )
    return {goal.name: goal for goal in (*table, *_push_goals(items))}


def pushed_sizes(items: int) -> list[int]:
    """As many of `PUSHED` as leave the other half of the board to the yardstick."""
    return [k for k in PUSHED if k <= items // 2]


def round_trip_size(items: int) -> int:
    """One percent of the board."""
    return max(1, items // 100)


def push_requests(k: int) -> tuple[int, int]:
    """Requests for k edited items, must and aim: writes, what has to be read for them, and two."""
    return ceil(k / 25) + ceil(k / 100) + 2, ceil(k / 50) + ceil(k / 500) + 2


def _push_goals(items: int) -> Iterator[Goal]:
    yield Goal("push_none_s", "push, nothing changed", "s", 0.8, 0.5)
    yield Goal("push_none_requests", "push, nothing changed: requests", "", 2, 0)
    yield Goal("push_none_mutations", "push, nothing changed: mutations", "", 0, 0)
    yield Goal("push_none_trips", "push, nothing changed: database trips", "")
    yield Goal("push_none_peak_mb", "push, nothing changed: peak memory", "MB")
    sizes = pushed_sizes(items)
    for k in sizes:
        must, aim = push_requests(k)
        yield Goal(f"push_{k}_s", f"push {k:,} changed", "s")
        yield Goal(f"single_{k}_s", "… one mutation a request", "s")
        yield Goal(f"push_{k}_requests", "… requests", "", must, aim)
    for k in sizes:
        must, aim = push_requests(k)
        computed = " (computed)" if k > SLOW_SINGLES else ""
        gain = _gains(k)
        yield Goal(f"push_{k}_slow_s", f"push {k:,} changed, {SLOW_MS:.0f} ms a request", "s")
        yield Goal(f"single_{k}_slow_s", f"… one mutation a request{computed}", "s")
        yield Goal(f"push_{k}_slow_gain", f"… than that{computed}", "× faster", *gain, at_least=True)
        yield Goal(f"push_{k}_slow_requests", "… requests", "", must, aim)
    largest = f"push {sizes[-1]:,}" if sizes else "push"
    yield Goal("push_cpu_us", f"own CPU per item beyond start, {largest}", "µs")
    yield Goal("push_pg_us", f"PostgreSQL CPU per item, {largest}", "µs")
    yield Goal("push_sandbox_us", f"the sandbox's CPU per item, {largest}", "µs")
    yield Goal("push_peak_mb", f"peak memory, {largest}", "MB", 160, 110)
    yield Goal("quiet_s", "monday → PostgreSQL right after all this", "s")
    yield Goal("quiet_requests", "… requests: the last five minutes are read again", "")
    yield Goal("push_wrong", "items not written, or more than once", "", 0, 0)
    yield from _round_trip_goals(round_trip_size(items))
    yield from _create_goals()


def _gains(k: int) -> tuple[float | None, float | None]:
    """How many times faster than one mutation a request, whole process, must and aim (performance.md, 4 and P10)."""
    if k < 100:
        return None, None
    return (10, 12) if k < 1_000 else (10, 20)


def _round_trip_goals(k: int) -> Iterator[Goal]:
    must, aim = push_requests(k)
    pages = ceil(k / 500)
    yield Goal("trip_in_s", f"{k} edits a side: monday → PostgreSQL", "s")
    yield Goal("trip_in_requests", "… requests", "", 2 + pages, 1 + pages)
    yield Goal("trip_out_s", f"{k} edits a side: PostgreSQL → monday", "s")
    yield Goal("trip_out_requests", "… requests", "", must, aim)
    yield Goal("trip_in_again_s", "monday → PostgreSQL again", "s")
    yield Goal("trip_in_again_requests", "… requests", "", 2 + pages, 1 + pages)
    yield Goal("trip_out_again_s", "PostgreSQL → monday again", "s")
    yield Goal("trip_out_again_requests", "… requests", "", 2, 0)
    yield Goal("trip_wrong", "edits not carried over, or more than once", "", 0, 0)
    yield Goal("trip_written_again", "written by the two runs after", "", 0, 0)


def _create_goals() -> Iterator[Goal]:
    must, aim = push_requests(CREATED)
    yield Goal("create_s", f"push {CREATED} new", "s")
    yield Goal("create_requests", "… requests", "", must, aim)
    yield Goal("import_s", f"push {IMPORTED} new by a job, 10 + 20 s of it waits", "s")
    yield Goal("import_requests", "… API requests, beside two of its files", "")
    yield Goal("create_wrong", "new items missing, or made twice", "", 0, 0)
    yield Goal("create_again", "written by a push after", "", 0, 0)
