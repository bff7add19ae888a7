"""Where the time goes inside: the command's own `sync` under cProfile, its reading threads profiled beside it."""

from __future__ import annotations

import contextlib
import cProfile
import io
import os
import pstats
import sys
import threading
from collections.abc import Iterator
from typing import Any

from bench.rig import Rig, rig


def profile(items: int, *, top: int, sort: str) -> None:
    """Print the top functions of a first load and of a full read in which nothing changed."""
    from cli.options import Options

    with rig(items) as made:
        made.fresh_database()
        for title, options in (("first load", Options(full=True)), ("full, unchanged", Options(full=True))):
            main, threads = _profiled(made, options)
            print(f"\n== {items:,} items, {title}: main thread\n{_table(main, top, sort)}")
            print(f"== {items:,} items, {title}: reading threads, together\n{_table(threads, top // 2, sort)}")


def _profiled(made: Rig, options: Any) -> tuple[pstats.Stats | None, pstats.Stats | None]:
    from sync_monday_to_pg import sync

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
