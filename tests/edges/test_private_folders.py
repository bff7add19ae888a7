"""The folders of cache, logs and state: made private, left alone where they are there, refused if shared."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from folders import why_shared
from run.logs import LOG_FILE
from tests.support.company import PUSH, Company

PULL = "sync_monday_to_pg.py"
SETTINGS = ("SYNC_CACHE_DIR", "SYNC_LOG_DIR", "SYNC_STATE_DIR")
STRANGER = 65534


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("permissions", [0o755, 0o775, 0o750, 0o700])
def test_a_folder_that_is_there_stays_as_it_is_and_files_are_private(
    company: Company, tmp_path: Path, permissions: int
) -> None:
    there = {name: tmp_path / f"there {name}" for name in SETTINGS}
    for folder in there.values():
        folder.mkdir()
        folder.chmod(permissions)
        (folder / "notes.txt").write_text("mine")
        (folder / "notes.txt").chmod(0o644)
    log = there["SYNC_LOG_DIR"] / LOG_FILE
    log.write_text("from another day\n")
    log.chmod(0o644)
    old_mask = os.umask(0)
    try:
        company.overrides |= {name: str(folder) for name, folder in there.items()}
        assert company.run().code == 0
        assert company.run(program=PUSH).code == 0
    finally:
        os.umask(old_mask)
    for folder in there.values():
        assert mode(folder) == permissions
        assert len(files(folder)) > 1
        assert {path.name: mode(path) for path in files(folder) if path.name != "notes.txt"} == {
            path.name: 0o600 for path in files(folder) if path.name != "notes.txt"
        }
        assert mode(folder / "notes.txt") == 0o644


def test_folders_that_are_made_are_for_their_owner_alone(company: Company, tmp_path: Path) -> None:
    made = {name: tmp_path / "deep" / "down" / name for name in SETTINGS}
    old_mask = os.umask(0)
    try:
        company.overrides |= {name: str(folder) for name, folder in made.items()}
        assert company.run().code == 0
    finally:
        os.umask(old_mask)
    assert {mode(path) for path in (tmp_path / "deep", tmp_path / "deep" / "down", *made.values())} == {0o700}
    assert {mode(path) for path in files(tmp_path / "deep")} == {0o600}


def test_a_link_that_was_set_on_purpose_works_and_changes_nothing_behind_it(company: Company, tmp_path: Path) -> None:
    for name in SETTINGS:
        behind = tmp_path / f"behind {name}"
        behind.mkdir()
        behind.chmod(0o755)
        (tmp_path / name).symlink_to(behind)
        company.overrides[name] = str(tmp_path / name)
    assert company.run().code == 0
    for name in SETTINGS:
        behind = tmp_path / f"behind {name}"
        assert mode(behind) == 0o755
        assert {mode(path) for path in files(behind)} == {0o600}


def world_writable(path: Path) -> Path:
    path.mkdir()
    path.chmod(0o777)
    return path


def sticky(path: Path) -> Path:
    path.mkdir()
    path.chmod(0o1777)
    return path


def planted(path: Path) -> Path:
    """Made by another user in a folder where anybody may."""
    (path / "in").mkdir(parents=True)
    path.chmod(0o1777)
    os.chown(path / "in", STRANGER, STRANGER)
    return path / "in"


def linked(path: Path) -> Path:
    path.symlink_to("/tmp")
    return path


def home(path: Path) -> Path:
    path.mkdir()
    return path


SHARED: list[Callable[[Path], Path]] = [
    world_writable,
    sticky,
    linked,
    home,
    lambda _: Path("/tmp"),
    lambda _: Path("/tmp/../tmp/."),
    lambda _: Path("/var/log"),
    lambda _: Path("/"),
    lambda _: Path("/etc"),
    pytest.param(planted, marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root can")),  # type: ignore[list-item]
]


@pytest.mark.parametrize("make", SHARED)
@pytest.mark.parametrize("name", SETTINGS)
def test_a_folder_that_others_share_is_refused(
    company: Company, tmp_path: Path, name: str, make: Callable[[Path], Path]
) -> None:
    folder = make(tmp_path / "shared")
    before, inside = folder.stat(), names(folder)
    company.overrides |= {name: str(folder), "HOME": str(tmp_path / "shared")}
    for program in (PULL, PUSH):
        ended = company.run(program=program)
        assert ended.code == 2
        assert name in ended.err
        assert "name a folder of its own" in ended.err
    after = folder.stat()
    assert (after.st_mode, after.st_uid) == (before.st_mode, before.st_uid)
    assert not {entry for entry in names(folder) - inside if "sync" in entry or entry.startswith("master-")}
    company.overrides[name] = str(tmp_path / "own" / "folder")
    assert company.run().code == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_root_works_in_the_folder_of_another_and_leaves_it_to_him(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    os.chown(theirs, STRANGER, STRANGER)
    assert why_shared(theirs) == ""


def test_a_log_that_is_no_file_costs_a_warning(synced: Company) -> None:
    log = Path(synced.settings["SYNC_LOG_DIR"]) / LOG_FILE
    log.unlink()
    os.mkfifo(log)
    ended = synced.run()
    assert ended.code == 0
    assert "no log files" in ended.err
