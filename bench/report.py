"""The table a person reads: each figure's median and range beside what it has to be and what is aimed at."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping

from bench.goals import Goal

_SIGNS = {"aim": "aim met", "must": "must met", "missed": "MISSED", "": ""}


def as_table(items: int, figures: Mapping[str, list[float]], goals: Mapping[str, Goal]) -> str:
    """One line per measured goal; those not measured in this run are left out."""
    return "\n".join(_lines(items, figures, goals))


def _lines(items: int, figures: Mapping[str, list[float]], goals: Mapping[str, Goal]) -> Iterator[str]:
    yield f"\n{items:,} items + staff{'' if items >= 20_000 else '   (the goals are set for 20,000 and more)'}"
    yield f"  {'measure':<42}{'median':>9} {'unit':<11}{'min':>8}{'max':>9}{'must':>9}{'aim':>8}"
    for name, goal in goals.items():
        if values := figures.get(name):
            middle = statistics.median(values)
            low, high = _number(min(values)), _number(max(values))
            yield (
                f"  {goal.label:<42}{_number(middle):>9} {goal.unit:<11}{low:>8}{high:>9}"
                f"{_bound(goal, goal.must):>9}{_bound(goal, goal.aim):>8}  {_SIGNS[goal.verdict(middle)]}"
            ).rstrip()


def summary(figures: Mapping[str, list[float]], goals: Mapping[str, Goal]) -> dict[str, dict[str, object]]:
    """The same for the result file, every run's value included."""
    return {name: _entry(values, goals.get(name)) for name, values in figures.items()}


def _entry(values: list[float], goal: Goal | None) -> dict[str, object]:
    middle = statistics.median(values)
    entry: dict[str, object] = {"median": middle, "runs": values}
    if goal is not None and goal.must is not None:
        entry |= {"must": goal.must, "aim": goal.aim, "verdict": goal.verdict(middle)}
    return entry


def _bound(goal: Goal, bound: float | None) -> str:
    return "" if bound is None else f"{'≥' if goal.at_least else '≤'} {_number(bound)}"


def _number(value: float) -> str:
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:.2f}" if value < 20 else f"{value:,.0f}"
