"""Progress: live on a terminal, rare plain lines elsewhere, nothing when quiet; stdout is never touched."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from run.progress import PLAIN_EVERY_S, Progress

PROGRAM = Path(__file__).parents[2]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_long_read_shows_a_line_a_board_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with Progress(clock=clock) as progress:
        progress.board_total("master", 20_000)
        for _ in range(30):
            clock.now += PLAIN_EVERY_S / 10
            progress.advance("master", 500, budget_left=4_999_000)
        progress.advance("staff", 120, requests=2)
        progress.note("waiting 30 s: the minute's budget is used up")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "master: 5,000 of 20,000 items, 10 requests, 4,999,000 points left",
        "master: 10,000 of 20,000 items, 20 requests, 4,999,000 points left",
        "master: 15,000 of 20,000 items, 30 requests, 4,999,000 points left",
        "staff: 120 items, 2 requests",
        "waiting 30 s: the minute's budget is used up",
    ]


def test_a_short_read_and_a_quiet_one_show_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with Progress(clock=clock) as progress:
        progress.advance("master", 500)
    with Progress(quiet=True, clock=clock) as progress:
        clock.now += 100
        progress.advance("master", 500)
        progress.note("waiting")
    assert capsys.readouterr() == ("", "")


def test_pages_of_several_threads_add_up(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with Progress(clock=clock) as progress:

        def read() -> None:
            for _ in range(500):
                progress.advance("master", 1)

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        clock.now += PLAIN_EVERY_S
        progress.advance("master", 0, requests=0)
    assert capsys.readouterr().err == "master: 2,000 items, 2,000 requests\n"


@pytest.mark.parametrize("plain", [False, True])
def test_a_terminal_shows_a_live_line_and_logs_stay_readable(tmp_path: Path, plain: bool) -> None:
    script = f"""
import logging, sys
from pathlib import Path
from run.logs import configure
from run.progress import Progress
configure([], "run", log_dir=Path(sys.argv[1]))
with Progress(plain={plain}) as progress:
    progress.board_total("master", 20_000)
    progress.advance("master", 500)
    progress.note("waiting [30 s]")
    logging.getLogger("x").warning("page [slow] too heavy")
print("the report")
"""
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        stdout=subprocess.PIPE, stderr=theirs, cwd=PROGRAM, timeout=30, check=False,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    )  # fmt: skip
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert done.stdout == b"the report\n"
    assert "waiting [30 s]" in shown
    assert "WARNING page [slow] too heavy" in shown
    assert ("500 of 20,000 items, 1 request" in shown) is not plain
    assert ("\x1b[" in shown) is not plain
