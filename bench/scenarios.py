"""What is measured, each as a function of a rig that adds figures under the names of `bench.goals`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from bench.figures import Bench
from bench.pushing import creates, push, roundtrip
from bench.trips import TripCounter

CHANGED: Final = 100


def reading(bench: Bench) -> None:
    """First load, full read and changes with nothing changed, each beside the yardstick of the same minute."""
    rig = bench.rig
    for _ in range(bench.runs):
        rig.fresh_database()
        light = bench.took("light", rig.light())
        light_again = bench.took("light_again", rig.light())
        bench.per_item_us("light_cpu_us", light.cpu_s)
        rig.fresh_database()
        first = bench.took("first", rig.sync("--full"))
        bench.note("first_lm", first.wall_s / light.wall_s)
        bench.note("fetch_requests", first.requests)
        bench.note("peak_mb", first.peak_mb)
        bench.per_item_us("first_cpu_us", first.cpu_s)
        bench.per_item_us("first_pg_us", first.postgres_cpu_s)
        unchanged = bench.took("unchanged", rig.sync("--full"))
        bench.note("unchanged_lm", unchanged.wall_s / light_again.wall_s)
        bench.note("unchanged_peak_mb", unchanged.peak_mb)
        bench.per_item_us("unchanged_cpu_us", unchanged.cpu_s)
        incremental = bench.took("incremental", rig.sync())
        bench.note("incremental_beside_s", incremental.wall_s - incremental.sandbox_cpu_s)
        bench.note("incremental_requests", incremental.requests)
        bench.note("rows_written", unchanged.rows_written + incremental.rows_written)


def cache(bench: Bench) -> None:
    """The newest saved read, replayed into a fresh database."""
    rig = bench.rig
    for _ in range(bench.runs):
        rig.fresh_database()
        light = rig.light()
        rig.fresh_database()
        replayed = bench.took("cache", rig.sync("--use-cache"))
        bench.note("cache_lm", replayed.wall_s / light.wall_s)


def trips(bench: Bench) -> None:
    """Database round trips, counted on the wire in runs of their own: the counting port is not free."""
    rig = bench.rig
    rig.fresh_database()
    for name, options in (("first", ("--full",)), ("unchanged", ("--full",)), ("incremental", ())):
        with TripCounter(int(rig.keywords["port"])) as counter:
            rig.sync(*options, port=counter.port)
            bench.note(f"{name}_trips", counter.trips)


def changed(bench: Bench) -> None:
    """The same hundred projects edited again and again, so that no run finds more than those."""
    rig = bench.rig
    rig.fresh_database()
    rig.sync("--full")
    for run in range(bench.runs):
        rig.edit(CHANGED, str(run))
        bench.note("changed_requests", bench.took("changed", rig.sync()).requests)


def slow(bench: Bench) -> None:
    """A first load from a slow API and a full read after it.

    Both beside what one chain needs at best, its pages one after the other, and beside the same reader without work.
    """
    for name, fixed_ms, per_item_ms in (("slow", 400.0, 0.0), ("heavy", 150.0, 1.5)):
        _slow(bench, name, fixed_ms, per_item_ms)


def _slow(bench: Bench, name: str, fixed_ms: float, per_item_ms: float) -> None:
    rig = bench.rig
    one_chain_s = (bench.pages * fixed_ms + rig.all_items * per_item_ms) / 1000
    rig.latency(fixed_ms, per_item_ms)
    try:
        for _ in range(bench.runs):
            rig.fresh_database()
            alone = bench.took(f"{name}_fetch", rig.fetch())
            synced = bench.took(name, rig.sync("--full"))
            bench.note(f"{name}_gain", one_chain_s / synced.wall_s)
            bench.note(f"{name}_hidden", synced.wall_s / alone.wall_s)
            again = bench.took(f"{name}_again", rig.sync("--full"))
            bench.note(f"{name}_again_gain", one_chain_s / again.wall_s)
            bench.note(f"{name}_again_hidden", again.wall_s / alone.wall_s)
    finally:
        rig.latency()


def start(bench: Bench) -> None:
    for _ in range(max(3, bench.runs)):
        bench.note("help_s", bench.rig.help().wall_s)


SCENARIOS: Final[Mapping[str, Callable[[Bench], None]]] = {
    "reading": reading,
    "cache": cache,
    "trips": trips,
    "changed": changed,  # from here on the boards are not the ones that were read before
    "slow": slow,
    "start": start,
    "push": push,
    "roundtrip": roundtrip,
    "creates": creates,  # last: the board is longer from here on
}
