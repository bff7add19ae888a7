"""`sync_status.py metrics`: well-formed gauges, of which the file is always whole and nobody's but ours is touched."""

from __future__ import annotations

import os
import re
import stat
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from postgres.window_open import KINDS
from status.metrics import HELP, PREFIX
from tests.support.company import Company
from tests.support.past import ran
from tests.support.pushing import jobs, project

SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\.)*",?)+)\})? (-?[0-9.]+(?:e[+-]?[0-9]+)?)')


def parsed(text: str) -> dict[str, float]:
    """Name and labels → value, of Prometheus's text format; every line is looked at."""
    found: dict[str, float] = {}
    typed: set[str] = set()
    for line in text.removesuffix("\n").split("\n"):
        if line.startswith("# HELP "):
            assert line.split(" ", 3)[3]
        elif line.startswith("# TYPE "):
            name, kind = line.removeprefix("# TYPE ").split(" ")
            assert (kind, name in typed) == ("gauge", False)
            typed.add(name)
        else:
            sample = SAMPLE.fullmatch(line)
            assert sample is not None, line
            assert sample[1] in typed
            key = sample[1].removeprefix(f"{PREFIX}_") + (f"{{{sample[2]}}}" if sample[2] else "")
            assert key not in found
            found[key] = float(sample[3])
    assert text.endswith("\n")
    return found


def gauges(company: Company) -> dict[str, float]:
    ended = company.window("metrics")
    assert (ended.code, ended.err) == (0, "")
    return parsed(ended.out)


def test_they_say_how_things_stand(synced: Company) -> None:
    synced.overrides = {"SYNC_DAILY_CALLS": "500"}
    synced.sandbox.edit(jobs(synced)[0], {"text40__1": "on the board"})
    project(synced, jobs(synced)[0], description="in SQL")
    assert synced.sync("--on-conflict", "manual").code == 5
    ran(synced, timedelta(0), direction="pg_to_monday", code=7, summary={"items": {"update": 3}})
    found = gauges(synced)
    assert found['open{kind="conflict"}'] == 1
    assert 0 <= found['open_oldest_age_seconds{kind="conflict"}'] < 60
    assert {key for key in found if key.startswith("open{")} == {f'open{{kind="{kind}"}}' for kind in KINDS}
    assert 0 <= found['last_success_age_seconds{direction="monday_to_pg"}'] < 60
    assert 'last_success_age_seconds{direction="pg_to_monday"}' not in found
    assert found['last_run_exit_code{direction="monday_to_pg"}'] == 5
    assert found['last_run_exit_code{direction="pg_to_monday"}'] == 7
    assert found['failed_runs{direction="pg_to_monday"}'] == 1
    assert found['last_run_changes{direction="pg_to_monday",side="monday"}'] == 3
    assert (found['edits_waiting{side="monday"}'], found['edits_waiting{side="postgres"}']) == (1, 1)
    assert 0 <= found['complete_read_age_seconds{board="staff"}'] < 60
    assert (found["calls_limit"], found["lease_held"]) == (500, 0)
    assert found["calls_today"] > 0
    assert {key.partition("{")[0] for key in found} <= HELP.keys()


def test_a_run_at_work(synced: Company) -> None:
    synced.sql(
        "UPDATE monday_sync.sync_lease SET holder = 'elsewhere:1:a.b.c', expires_at = now() + interval '1 minute'"
    )
    assert gauges(synced)["lease_held"] == 1


def test_a_killed_run(synced: Company) -> None:
    ran(synced, timedelta(0), code=None)
    assert gauges(synced)['last_run_exit_code{direction="monday_to_pg"}'] == -1


def test_the_file_is_for_all_to_read_whatever_the_umask(synced: Company, tmp_path: Path) -> None:
    path = tmp_path / "sync.prom"
    before = os.umask(0o077)
    try:
        for _time in range(2):
            ended = synced.window("metrics", "-o", str(path))
            assert (ended.code, ended.out, ended.err) == (0, "", "")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert parsed(path.read_text(encoding="utf-8")).keys() == gauges(synced).keys()
    assert [entry.name for entry in tmp_path.iterdir() if "prom" in entry.name] == ["sync.prom"]


def test_there_is_nothing_of_a_person_in_it(synced: Company) -> None:
    for name in ("Owner 1", "Job 1", "mail.example", "Main St"):
        assert name not in synced.window("metrics").out


def test_a_reader_never_finds_half_of_it(synced: Company, tmp_path: Path) -> None:
    path, ended, torn = tmp_path / "sync.prom", threading.Event(), []
    assert synced.window("metrics", "-o", str(path)).code == 0

    def read() -> None:
        while not ended.is_set():
            text = path.read_text(encoding="utf-8")
            if not text.endswith(f"{PREFIX}_lease_held 0.0\n"):
                torn.append(text)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for _time in range(5):
            assert synced.window("metrics", "-o", str(path)).code == 0
    finally:
        ended.set()
        reader.join()
    assert torn == []


@pytest.mark.parametrize("what", ["a file of another's", "a folder", "a pipe", "no folder"])
def test_what_cannot_be_written_is_left_alone(synced: Company, tmp_path: Path, what: str) -> None:
    path = tmp_path / "there" / "x"
    if what != "no folder":
        path.parent.mkdir()
    if what == "a file of another's":
        path.write_text("DATABASE_URL=secret")
    elif what == "a folder":
        path.mkdir()
    elif what == "a pipe":
        os.mkfifo(path)
    ended = synced.window("metrics", "-o", str(path))
    assert (ended.code, ended.out) == (2, "")
    assert str(path) in ended.err
    if what == "a file of another's":
        assert path.read_text() == "DATABASE_URL=secret"
    assert [entry.name for entry in tmp_path.rglob("*.tmp")] == []


def test_where_the_database_is_gone_the_file_stays_as_it_was(synced: Company, tmp_path: Path) -> None:
    """Its own time stamp tells that it is old."""
    path = tmp_path / "sync.prom"
    assert synced.window("metrics", "-o", str(path)).code == 0
    before = path.read_bytes()
    synced.forget_everything()
    assert synced.window("metrics", "-o", str(path)).code == 2
    assert path.read_bytes() == before


def test_the_same_in_json(synced: Company) -> None:
    told = synced.window("metrics", "--json").report
    assert (told["version"], told["exit_code"], told["file"]) == (1, 0, None)
    assert {"name": f"{PREFIX}_lease_held", "labels": {}, "value": 0.0} in told["gauges"]
