"""Where the time goes inside: the command's own `sync` under cProfile, its reading threads profiled beside it."""

from __future__ import annotations

import contextlib
import cProfile
import io
import os
import pstats
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

from bench.goals import pushed_sizes
from bench.rig import Rig, rig


def profile(items: int, *, top: int, sort: str) -> None:
    """Print the top functions of a first load, a full read in which nothing changed, and the largest push."""
    import sync_monday_to_pg
    import sync_pg_to_monday
    from run.command import StopSignal
    from run.options import Options

    def push(options: Options) -> object:
        return sync_pg_to_monday.sync(options, StopSignal())

    with rig(items) as made:
        made.fresh_database()
        for title in ("first load", "full, unchanged"):
            _print(f"{items:,} items, {title}", _profiled(made, sync_monday_to_pg.sync, Options(full=True)), top, sort)
        for k in pushed_sizes(items)[-1:]:
            made.edit_rows(made.projects()[:k], "profiled")
            _print(f"{items:,} items, push {k:,}", _profiled(made, push, Options(max_change=k)), top, sort)


def _print(title: str, stats: tuple[pstats.Stats | None, pstats.Stats | None], top: int, sort: str) -> None:
    main, threads = stats
    print(f"\n== {title}: main thread\n{_table(main, top, sort)}")
    print(f"== {title}: other threads, together\n{_table(threads, top // 2, sort)}")


def _profiled(
    made: Rig, sync: Callable[[Any], object], options: Any
) -> tuple[pstats.Stats | None, pstats.Stats | None]:
    os.environ.update(made.environment())
    profiles: list[cProfile.Profile] = []

    def begin(*_event: Any) -> None:
        """The first event of a thread puts a profiler of its own in place of this hook."""
        sys.setprofile(None)
        profiles.append(cProfile.Profile())
        profiles[-1].enable()

    profiler = cProfile.Profile()
    threading.setprofile(begin)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            profiler.runcall(sync, options)
    finally:
        threading.setprofile(None)
    return _stats([profiler]), _stats(profiles)


def _stats(profiles: list[cProfile.Profile]) -> pstats.Stats | None:
    filled = list(_filled(profiles))
    return pstats.Stats(*filled, stream=io.StringIO()) if filled else None


def _filled(profiles: list[cProfile.Profile]) -> Iterator[cProfile.Profile]:
    for profile in profiles:
        profile.create_stats()
        if profile.stats:
            yield profile


def _table(stats: pstats.Stats | None, top: int, sort: str) -> str:
    if stats is None:
        return "(none)"
    stats.strip_dirs().sort_stats(sort).print_stats(top)
    text: str = stats.stream.getvalue()  # type: ignore[attr-defined]  # the stream given above
    return "\n".join(line for line in text.splitlines() if line.strip())
