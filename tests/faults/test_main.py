"""How a command ends, as a process: its exit code, its one sentence, and what signals do to it."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from run.command import Interrupted, StopSignal

PROGRAM = Path(__file__).parents[2]
HEAD = """
import os, signal, sys, time
from pathlib import Path
from run.logs import configure
from run.command import run_command
from reconcile import errors
from reconcile.errors import Exit

def main(stop):
    configure(["canary-secret"], "run", log_dir=Path(sys.argv[1]))
"""


def script(body: str) -> str:
    return HEAD + textwrap.indent(textwrap.dedent(body), "    ") + "\nrun_command(main)\n"


def run(tmp_path: Path, body: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script(body), str(tmp_path)],
        capture_output=True, text=True, cwd=PROGRAM, timeout=30, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ("return Exit.DONE", 0, ""),
        ("return Exit.PERSON_NEEDED", 5, ""),
        ("raise errors.ConfigError('MONDAY_API_KEY is not set')", 2, "error: MONDAY_API_KEY is not set\n"),
        ("raise errors.DriftError('no column')", 3, "error: no column\n"),
        ("raise errors.Unavailable('the token canary-secret\\x1b[2J')", 7, "error: the token ***\\u001b[2J\n"),
        ("raise errors.LeaseHeld('busy')", 6, "error: busy\n"),
        ("os.kill(os.getpid(), signal.SIGTERM); time.sleep(9)", 130, "interrupted: "),
        ("os.kill(os.getpid(), signal.SIGINT); time.sleep(9)", 130, "interrupted: "),
    ],
)
def test_a_command_ends_with_its_code_and_one_sentence(tmp_path: Path, body: str, code: int, said: str) -> None:
    done = run(tmp_path, body)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == bool(said)
    logged = (tmp_path / "monday_sync.log").read_text()
    assert logged.count("\n") == bool(said)
    assert said.strip() in logged


def test_a_bug_keeps_its_traceback_without_the_secret(tmp_path: Path) -> None:
    done = run(tmp_path, "raise KeyError('canary-secret')")
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith("KeyError: '***'")
    assert "Traceback" in (tmp_path / "monday_sync.log").read_text()


def test_a_batch_in_flight_is_finished_first(tmp_path: Path) -> None:
    body = """
    with stop.finishing():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.01)
        print("batch recorded", flush=True)
    print("next batch")
    """
    done = run(tmp_path, body)
    assert (done.returncode, done.stdout) == (130, "batch recorded\n")


def test_a_second_signal_does_not_wait(tmp_path: Path) -> None:
    body = """
    with stop.finishing():
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(9)
        print("batch recorded")
    """
    done = run(tmp_path, body)
    assert (done.returncode, done.stdout) == (130, "")


FADING = """
    class Fading:
        def __del__(self):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.01)
"""


def test_a_signal_while_an_object_is_finalized_is_not_lost(tmp_path: Path) -> None:
    done = run(tmp_path, FADING + "    Fading()\n    time.sleep(9)\n    print('went on')")
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.startswith("interrupted: ")
    assert done.stderr.count("\n") == 1


def test_such_a_signal_begins_no_batch_and_disturbs_no_cleaning_up(tmp_path: Path) -> None:
    body = """
    try:
        Fading()
        with stop.finishing():
            print("a batch began")
    finally:
        time.sleep(0.2)
        print("cleaned up", flush=True)
    """
    done = run(tmp_path, FADING + body)
    assert (done.returncode, done.stdout) == (130, "cleaned up\n")


def test_a_thread_sees_the_request_and_no_new_batch_begins() -> None:
    stop = StopSignal()
    with stop.installed(), pytest.raises(Interrupted), stop.finishing(), stop.finishing():
        signal.raise_signal(signal.SIGTERM)
    assert stop.requested
    with pytest.raises(Interrupted), stop.finishing():
        pytest.fail("a batch began")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_reader_that_leaves_is_no_news(tmp_path: Path) -> None:
    body = "print('x' * 100_000, flush=True); return Exit.DONE"
    with subprocess.Popen(
        [sys.executable, "-c", script(body), str(tmp_path)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=PROGRAM,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 0


def test_a_broken_pipe_of_something_else_is_a_bug(tmp_path: Path) -> None:
    done = run(tmp_path, "raise BrokenPipeError('to the server')")
    assert done.returncode == 1
    assert "BrokenPipeError: to the server" in done.stderr


@pytest.mark.parametrize(("plain", "red"), [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True)])
def test_an_error_is_red_on_a_terminal_that_wants_it(tmp_path: Path, plain: dict[str, str], red: bool) -> None:
    ours, theirs = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | plain
    body = "raise errors.ConfigError('no key')"
    done = subprocess.run(
        [sys.executable, "-c", script(body), str(tmp_path)],
        stderr=theirs, cwd=PROGRAM, timeout=30, check=False, env=environment,
    )  # fmt: skip
    os.close(theirs)
    shown = os.read(ours, 1000).decode()
    os.close(ours)
    assert done.returncode == 2
    assert "error: no key" in shown
    assert ("\x1b[31m" in shown) is red
