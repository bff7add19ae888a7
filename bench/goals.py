"""The figures to reach: what fails a release (`must`) and what is aimed at, each an upper or a lower bound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


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
    return {goal.name: goal for goal in table}
