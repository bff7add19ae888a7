"""The figures of one rig, by the names of `bench.goals`: one value a run."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable

from bench.measure import Sample
from bench.rig import STAFF, Rig
from monday.queries import LARGEST_PAGE

Figures = dict[str, list[float]]


class Bench:
    """Figures of one rig; every scenario runs `runs` times and leaves no latency behind."""

    def __init__(self, rig: Rig, runs: int, say: Callable[[str], None]) -> None:
        self.rig = rig
        self.runs = runs
        self.figures: Figures = defaultdict(list)
        self.stages: dict[str, dict[str, float]] = {}
        self._say = say

    @property
    def pages(self) -> int:
        return pages(self.rig.items) + pages(STAFF)

    def note(self, name: str, value: float) -> None:
        self.figures[name].append(round(value, 4))

    def took(self, name: str, sample: Sample) -> Sample:
        """Note a sample's wall time, and say it so that a person sees the progress."""
        self.note(f"{name}_s", sample.wall_s)
        self.stages[name] = sample.stages
        self._say(
            f"{self.rig.items:>7,} {name:<20} {sample.wall_s:6.2f} s  cpu {sample.cpu_s:5.2f} s  "
            f"{sample.peak_mb:4.0f} MB  {sample.requests} requests  postgres {sample.postgres_cpu_s:.2f} s  "
            f"sandbox {sample.sandbox_cpu_s:.2f} s"
        )
        return sample

    def per_item_us(self, name: str, seconds: float) -> None:
        self.note(name, seconds / self.rig.all_items * 1e6)


def pages(items: int) -> int:
    """Pages of one chain over so many items."""
    return math.ceil(items / LARGEST_PAGE)
