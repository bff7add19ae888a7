"""What is measured of the way from PostgreSQL to monday.com, beside a writer of one mutation a request."""

from __future__ import annotations

from typing import Final

from bench.figures import Bench
from bench.goals import CREATED, IMPORTED, PUSHED, SLOW_MS, SLOW_SINGLES, pushed_sizes, round_trip_size
from bench.measure import Sample
from bench.trips import TripCounter

_ANY_NUMBER: Final = ("--max-change", "100000", "--max-create", "100000")
_LEAST, _MEASURED = PUSHED[0], SLOW_SINGLES


def push(bench: Bench) -> None:
    """Nothing to tell, then edits of 1 to 5,000 rows, from a fast and from a slow API.

    The yardstick writes the items at the other end of the board; a sync takes them over, so that nothing meets twice.
    """
    rig = bench.rig
    _loaded(bench)
    wrong = 0
    for run in range(bench.runs):
        for _ in range(3 if bench.runs < 3 else 1):  # the first after a load is slower than those that follow
            _nothing(bench)
        wrong += _sizes(bench, f"{run} fast")
        rig.latency(SLOW_MS)
        try:
            wrong += _sizes(bench, f"{run} slow", slow=True)
        finally:
            rig.latency()
    bench.note("push_wrong", wrong)
    rig.sync("--max-change", "100000")
    bench.note("quiet_requests", bench.took("quiet", rig.sync()).requests)
    with TripCounter(int(rig.keywords["port"])) as counter:
        rig.push(port=counter.port)
        bench.note("push_none_trips", counter.trips)


def _loaded(bench: Bench) -> None:
    bench.rig.fresh_database()
    bench.rig.sync("--full")
    bench.rig.analyze()


def _nothing(bench: Bench) -> None:
    none = bench.took("push_none", bench.rig.push())
    bench.note("push_none_requests", none.requests)
    bench.note("push_none_mutations", none.mutations)
    bench.note("push_none_peak_mb", none.peak_mb)
    bench.note("push_none_cpu_s", none.cpu_s)


def _sizes(bench: Bench, mark: str, *, slow: bool = False) -> int:
    """One push of each size; how many writes were missing or too many."""
    rig = bench.rig
    kind = "_slow" if slow else ""
    projects = rig.projects()
    sizes = pushed_sizes(rig.items)
    singles: dict[int, float] = {}
    wrong = 0
    for k in sizes:
        if slow and k > SLOW_SINGLES:  # would take k × 150 ms: what it costs grows by the same with each item
            each_s = (singles[_MEASURED] - singles[_LEAST]) / (_MEASURED - _LEAST)
            singles[k] = singles[_LEAST] + each_s * (k - _LEAST)
            bench.note(f"single_{k}{kind}_s", singles[k])
        else:
            singles[k] = bench.took(f"single_{k}{kind}", rig.one_by_one(projects[-k:], f"{mark} single {k}")).wall_s
    rig.sync("--max-change", "100000")
    for k in sizes:
        rig.edit_rows(projects[:k], f"{mark} {k}")
        sample = bench.took(f"push_{k}{kind}", rig.push(*_ANY_NUMBER))
        bench.note(f"push_{k}{kind}_requests", sample.requests)
        wrong += abs(sample.items_written - k) + abs(sample.mutations - k)
        if slow:
            bench.note(f"push_{k}{kind}_gain", singles[k] / sample.wall_s)
        elif k == sizes[-1]:
            _largest(bench, sample, k)
    return wrong


def _largest(bench: Bench, sample: Sample, k: int) -> None:
    idle_s = bench.figures["push_none_cpu_s"][-1]
    bench.note("push_cpu_us", (sample.cpu_s - idle_s) / k * 1e6)
    bench.note("push_pg_us", sample.postgres_cpu_s / k * 1e6)
    bench.note("push_sandbox_us", sample.sandbox_cpu_s / k * 1e6)
    bench.note("push_peak_mb", sample.peak_mb)


def roundtrip(bench: Bench) -> None:
    """One percent edited on the boards and another percent in PostgreSQL, each way once, and then once more each."""
    rig = bench.rig
    k = round_trip_size(rig.items)
    for run in range(bench.runs):
        rig.an_hour_later()
        _loaded(bench)
        projects, mark = rig.projects(), f"round {run}"
        rig.edit_items(projects[:k], mark)
        rig.edit_rows(projects[k : 2 * k], mark)
        inward = _requests(bench, "trip_in", rig.sync())
        outward = _requests(bench, "trip_out", rig.push(*_ANY_NUMBER))
        again = _requests(bench, "trip_in_again", rig.sync())
        out_again = _requests(bench, "trip_out_again", rig.push(*_ANY_NUMBER))
        bench.note("trip_wrong", abs(inward.rows_written - k) + abs(outward.items_written - k))
        bench.note("trip_written_again", again.rows_written + out_again.rows_written + out_again.mutations)


def creates(bench: Bench) -> None:
    """New projects by requests of many aliases, and more of them by a bulk job, which waits before each look."""
    rig = bench.rig
    _loaded(bench)
    for run in range(bench.runs):
        _create(bench, "create", CREATED, f"by aliases {run}")
    rig.set_up_marker()
    for run in range(bench.runs):
        _create(bench, "import", IMPORTED, f"by a job {run}")


def _create(bench: Bench, name: str, count: int, mark: str) -> None:
    rig = bench.rig
    before = rig.board_length()
    rig.add_projects(count, mark)
    sample = _requests(bench, name, rig.push(*_ANY_NUMBER))
    bench.note("create_wrong", abs(sample.items_written - count) + abs(rig.board_length() - before - count))
    again = rig.push(*_ANY_NUMBER)
    bench.note("create_again", again.mutations + again.items_written)


def _requests(bench: Bench, name: str, sample: Sample) -> Sample:
    bench.note(f"{name}_requests", sample.requests)
    return bench.took(name, sample)
