"""Stages: what they add up to, across nesting, threads, generators and errors."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from timing import Timings, collected, count, in_context, stage, timed


class FakeClock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def test_nested_and_repeated_stages_add_up(clock: FakeClock) -> None:
    with collected(Timings(clock)) as timings:
        for _ in range(2):
            with stage("fetch"):
                clock.sleep(1)
                with stage("decode"):
                    clock.sleep(0.25)
        with stage("apply"):
            clock.sleep(3)
        with stage("fetch"), stage("retry"):
            clock.sleep(0.5)
    assert timings.as_dict() == {"fetch": 3.0, "fetch/decode": 0.5, "fetch/retry": 0.5, "apply": 3.0}
    assert timings.elapsed_s() == 6.0


def test_a_stage_that_fails_is_timed_and_left(clock: FakeClock) -> None:
    def fail() -> None:
        with stage("fetch"):
            clock.sleep(2)
            raise KeyError

    with collected(Timings(clock)) as timings:
        with pytest.raises(KeyError):
            fail()
        with stage("apply"):
            clock.sleep(1)
    assert timings.as_dict() == {"fetch": 2.0, "apply": 1.0}


def test_the_same_stage_in_two_threads_counts_its_wall_time_once(clock: FakeClock) -> None:
    inside, leave = threading.Barrier(3), threading.Event()

    def fetch() -> None:
        with stage("fetch"):
            count(rows=500, requests=1)
            inside.wait()
            leave.wait()

    with collected(Timings(clock)) as timings, ThreadPoolExecutor(2) as pool:
        done = [pool.submit(in_context(fetch)) for _ in range(2)]
        inside.wait()
        clock.sleep(4)
        leave.set()
        for future in done:
            future.result()
    assert timings.as_dict() == {"fetch": 4.0}
    assert "1,000" in timings.table()


def test_decorated_functions_keep_their_result_and_name(clock: FakeClock) -> None:
    @timed("plan")
    def plan(rows: int) -> int:
        """Plans."""
        clock.sleep(rows)
        return rows + 1

    with collected(Timings(clock)) as timings:
        assert plan(2) == 3
    assert (plan.__name__, plan.__doc__) == ("plan", "Plans.")
    assert timings.as_dict() == {"plan": 2.0}


def test_a_generator_is_timed_without_its_reader(clock: FakeClock) -> None:
    closed = []

    @timed("fetch")
    def pages() -> Iterator[int]:
        try:
            for page in range(3):
                clock.sleep(1)
                count(rows=10)
                yield page
        finally:
            closed.append(True)

    with collected(Timings(clock)) as timings:
        for _page in pages():
            with stage("apply"):
                clock.sleep(5)
        steps = pages()
        next(iter(steps))
        del steps
    assert timings.as_dict() == {"fetch": 4.0, "apply": 15.0}
    assert closed == [True, True]


def test_the_table_shows_shares_and_rates(clock: FakeClock) -> None:
    with collected(Timings(clock)) as timings:
        with stage("fetch"):
            count(rows=20_000, requests=42)
            clock.sleep(6)
            with stage("decode"):
                clock.sleep(2)
        with stage("apply"):
            clock.sleep(2)
    assert timings.table().splitlines() == [
        "stage                      seconds     share      rows    rows/s  requests",
        "fetch                         8.00      80 %    20,000     2,500        42",
        "  decode                      2.00      20 %",
        "apply                         2.00      20 %",
        "whole run                    10.00     100 %",
    ]


def test_without_a_collector_stages_change_nothing() -> None:
    with stage("fetch"):
        count(rows=1)
    with collected() as timings:
        count(rows=1)
    assert timings.as_dict() == {}
    assert "whole run" in timings.table()
