"""Printing is not the work: what becomes of stdout and stderr changes neither what a command does nor how it ends."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import MASTER_BOARD_ID
from tests.support.company import PUSH, ROOT, Company
from tests.support.pushing import TEXT, jobs, project, shows

PULL = "sync_monday_to_pg.py"
FULL = Path("/dev/full")

CLOSED = {
    "stdout closed": ">&-",
    "stderr closed": "2>&-",
    "both closed": ">&- 2>&-",
    "all closed": "<&- >&- 2>&-",
    "read-only": "1</dev/null 2</dev/null",
    "nobody reads": "| true",
    "nobody reads anything": "2>&1 | true",
    "one line is read": "| head -1",
}
if FULL.exists():
    CLOSED |= {"full disk": ">/dev/full", "full disk for both": ">/dev/full 2>/dev/full"}
WORST = CLOSED["both closed"]
FEW = (WORST, CLOSED.get("full disk", "2>&-"), CLOSED["nobody reads"])
ENCODINGS = ("ascii", "latin-1")


def shell(company: Company, line: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """A line of bash, `@` standing for this Python; its exit code is that of the first command of a pipe."""
    done = subprocess.run(
        ["/bin/bash", "-c", line.replace("@", shlex.quote(sys.executable)) + "; exit ${PIPESTATUS[0]}"],
        cwd=ROOT, env=company.environment | environment, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    company.said += [done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")]
    return done


def quiet(done: subprocess.CompletedProcess[bytes]) -> bool:
    return b"Traceback" not in done.stderr and b"Exception ignored" not in done.stderr


@pytest.mark.parametrize(
    ("where", "how"), [*((where, "-v") for where in CLOSED.values()), (WORST, ""), (WORST, "-vv"), (WORST, "--json")]
)
@pytest.mark.sampled(2)
def test_streams_that_take_nothing(synced: Company, where: str, how: str) -> None:
    pulled, pushed = jobs(synced)[:2]
    synced.sandbox.edit(pulled, {TEXT: "from → the × board"})
    done = shell(synced, f"@ {PULL} {how} {where}")
    assert (done.returncode, quiet(done)) == (0, True), done.stderr
    assert synced.project(pulled, "description") == "from → the × board"
    project(synced, pushed, description="from → SQL ×")
    done = shell(synced, f"@ {PUSH} {how} {where}")
    assert (done.returncode, quiet(done)) == (0, True), done.stderr
    assert shows(synced, pushed, TEXT) == "from → SQL ×"


@pytest.mark.parametrize("where", CLOSED.values(), ids=CLOSED)
@pytest.mark.sampled(2)
def test_how_it_ends_is_told_by_the_exit_code_alone(synced: Company, where: str) -> None:
    synced.sandbox.edit(jobs(synced)[0], {"numbers0": "99999999999999"})
    assert shell(synced, f"@ {PULL} {where}").returncode == 5
    assert shell(synced, f"@ {PULL} {where}", MONDAY_API_KEY="").returncode == 2
    synced.sandbox.remove_column(MASTER_BOARD_ID, TEXT)
    assert shell(synced, f"@ {PULL} -q {where}").returncode == 3


@pytest.mark.parametrize(("arguments", "code"), [("--no-such-option", 2), ("--help", 0), ("--list-cache", 0)])
def test_what_is_said_before_a_run_begins(synced: Company, arguments: str, code: int) -> None:
    for where in FEW:
        assert shell(synced, f"@ {PULL} {arguments} {where}").returncode == code


@pytest.mark.parametrize("where", FEW)
@pytest.mark.parametrize("program", ["test_sync.py", "test_sync.py --json", "monday_api.py", "db_connector.py"])
@pytest.mark.sampled(2)
def test_what_only_looks_ends_with_its_code_too(synced: Company, program: str, where: str) -> None:
    done = shell(synced, f"@ {program} {where}")
    assert (done.returncode, quiet(done)) == (0, True), done.stderr


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("program", [f"{PULL} --test -v", f"{PUSH} --test -v", "test_sync.py -v", "db_connector.py"])
def test_an_encoding_that_lacks_a_sign_escapes_it(synced: Company, program: str, encoding: str) -> None:
    item, other = jobs(synced)[:2]
    synced.sandbox.edit(item, {TEXT: "Dach → 🏠 × Łódź"})
    project(synced, other, description="Dach → 🏠 × Łódź")
    done = shell(synced, f"@ {program}", PYTHONIOENCODING=encoding)
    assert (done.returncode, quiet(done)) == (0, True), done.stderr
    shown = done.stdout.decode(encoding)
    if program.startswith("sync"):
        assert "\\u2192" in shown
        assert "\\U0001f3e0" in shown


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("program", [f"{PULL} --json --test", f"{PUSH} --json --test", "test_sync.py --json"])
def test_json_is_json_in_every_encoding(synced: Company, program: str, encoding: str) -> None:
    item, other = jobs(synced)[:2]
    synced.sandbox.edit(item, {TEXT: "Dach → 🏠 × Łódź"})
    project(synced, other, description="Dach → 🏠 × Łódź")
    done = shell(synced, f"@ {program}", PYTHONIOENCODING=encoding)
    assert json.loads(done.stdout.decode(encoding))["exit_code"] == done.returncode == 0


def test_no_file_gets_the_number_of_a_closed_stream(synced: Company) -> None:
    """Else what a library prints to stderr would land in a log, or in the database's connection."""
    script = (
        "import os; from terminal.streams import make_streams_safe; make_streams_safe(); "
        "made = os.open('/dev/zero', os.O_RDONLY); assert made > 2; os.write(1, b'x'); os.write(2, b'x')"
    )
    assert shell(synced, f'@ -c "{script}" <&- >&- 2>&-').returncode == 0


def test_a_reader_that_is_slow_gets_everything(tmp_path: Path) -> None:
    """A pipe that does not block, as some job runners give."""
    script = (
        "import os, sys; from terminal.streams import make_streams_safe; os.set_blocking(1, False);"
        "make_streams_safe(); print('x' * 1_000_000)"
    )
    line = f"{shlex.quote(sys.executable)} -c {shlex.quote(script)} | (sleep 0.5; wc -c)"
    done = subprocess.run(["/bin/bash", "-c", line], cwd=ROOT, env=os.environ, capture_output=True, check=True)
    assert int(done.stdout) == 1_000_001
