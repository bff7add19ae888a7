"""Names that are none, options in the wrong place, and a `.env` that is not its owner's alone."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

import settings
from options import OPTION_VARIABLES
from reconcile.errors import ConfigError
from settings import SETTING_NAMES, load_settings
from tests.support.company import PUSH, Company

GOOD = "MONDAY_API_KEY=token\nDATABASE_URL=embedded\n"
DOCTOR = "test_sync.py"
ALL = ("sync_monday_to_pg.py", PUSH, DOCTOR)


@pytest.fixture
def at_home(company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Company:
    """The commands find `.env` in a folder of this test."""
    monkeypatch.setattr(settings, "PROGRAM_DIR", tmp_path)
    return company


def private(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / ".env"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def problems(folder: Path, text: str, **environment: str) -> list[str]:
    private(folder, GOOD + text)
    with pytest.raises(ConfigError) as refused:
        load_settings(environment, root=folder)
    return [line.removeprefix("  - ") for line in str(refused.value).splitlines() if line.startswith("  - ")]


IN_DOTENV = {
    "SYNC_TEST=1": ("SYNC_TEST", "--test"),
    "SYNC_TEST=": ("SYNC_TEST", "--test"),
    "SYNC_TEST": ("SYNC_TEST", "--test"),
    "export SYNC_MAX_DELETE=0": ("SYNC_MAX_DELETE", "--max-delete"),
    "SYNC_LIMTI=3": ("SYNC_LIMTI", "--limit"),
    "sync_test=1": ("sync_test", "--test"),
    "SNYC_TEST=1": ("SNYC_TEST", "--test"),
    "SYNC-TEST=1": ("SYNC-TEST", "--test"),
    "SYNC_DRYRUN=1": ("SYNC_DRYRUN", "remove it"),
    "SYNC_CACHEDIR=x": ("SYNC_CACHEDIR", "SYNC_CACHE_DIR"),
    "MONDAY_API_TOKEN=x": ("MONDAY_API_TOKEN", "MONDAY_API_KEY"),
    "MONDAY_BOARD_ID_MASTER=1": ("MONDAY_BOARD_ID_MASTER", "MONDAY_BOARD_ID_"),
    "monday_api_url=x": ("monday_api_url", "MONDAY_API_URL"),
    "DATABSE_URL=postgresql://h/d": ("DATABSE_URL", "DATABASE_URL"),
    "PGPASSWRD=x": ("PGPASSWRD", "PGPASSWORD"),
}


@pytest.mark.parametrize("line", IN_DOTENV)
def test_a_name_in_dotenv_that_would_do_nothing_is_refused(tmp_path: Path, line: str) -> None:
    (problem,) = problems(tmp_path, line)
    name, todo = IN_DOTENV[line]
    assert problem.startswith(f"{name} in .env ")
    assert todo in problem


def test_all_of_them_are_listed_at_once(tmp_path: Path) -> None:
    listed = problems(
        tmp_path, "SYNC_TEST=1\nSYNC_LIMTI=3\nMONDAY_BOARD_ID_DATA=x\n", SYNC_LIMTI="3", MONDAY_KEY="k", SYNC_QUEIT="1"
    )
    assert [line.split()[0] for line in listed] == [
        "SYNC_LIMTI", "SYNC_TEST", "MONDAY_KEY", "SYNC_LIMTI", "SYNC_QUEIT", "MONDAY_BOARD_ID_DATA",
    ]  # fmt: skip
    assert "SYNC_QUIET" in listed[4]


def test_what_is_known_or_somebody_elses_is_no_problem(tmp_path: Path) -> None:
    private(tmp_path, f"{GOOD}COMPOSE_PROJECT_NAME=x\nPOSTGRES_PASSWORD=x\nTEST=1\nLIMIT=1\nUNFINISHED\n")
    options = dict.fromkeys(OPTION_VARIABLES, "1")
    assert load_settings({**options, "SYNC_LIMTI": "", "SYNCTHING": "1", "MONDAY": "1"}, root=tmp_path).warnings == ()


def test_a_line_that_is_none_is_named_by_its_number(tmp_path: Path) -> None:
    private(tmp_path, f"{GOOD}SYNC_TEST: canary\nMONDAY_API_KEY canary\n")
    with pytest.raises(ConfigError, match="Lines 3, 4 of") as refused:
        load_settings({}, root=tmp_path)
    assert "canary" not in str(refused.value)


def test_every_option_has_its_variable() -> None:
    assert {"SYNC_TEST", "SYNC_LIMIT", "SYNC_FULL", "SYNC_MAX_CREATE", "SYNC_QUIET"} <= OPTION_VARIABLES
    assert not OPTION_VARIABLES & SETTING_NAMES


@pytest.mark.parametrize("program", ALL)
@pytest.mark.parametrize("where", [".env", "environment"])
def test_no_run_goes_on_without_what_was_meant(at_home: Company, tmp_path: Path, program: str, where: str) -> None:
    if where == ".env":
        private(tmp_path, "SYNC_TEST=1\nSYNC_LIMTI=3\n")
    else:
        at_home.overrides |= {"SYNC_TSET": "1", "SYNC_LIMTI": "3"}
    ended = at_home.run(program=program)
    assert ended.code == 2
    assert all(name in ended.out + ended.err for name in ("SYNC_LIMTI", "--limit" if where == ".env" else "SYNC_LIMIT"))
    assert at_home.contents() == {}
    assert at_home.sandbox.counters()["requests"] == 0


def test_an_option_of_the_other_command_in_the_environment_is_left_to_it(at_home: Company) -> None:
    at_home.overrides |= {"SYNC_FULL": "1", "SYNC_MAX_CREATE": "3"}
    for program in ALL:
        assert at_home.run(program=program).code == 0


# Who can get at .env --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "verbs"),
    [
        (0o600, None), (0o400, None), (0o700, None), (0o611, None),
        (0o640, "read"), (0o604, "read"), (0o644, "read"), (0o620, "changed"), (0o602, "changed"),
        (0o666, "read and changed"), (0o660, "read and changed"),
    ],
)  # fmt: skip
@pytest.mark.sampled(3)
def test_an_open_dotenv_is_said_by_each_run_and_the_doctor(
    at_home: Company, tmp_path: Path, mode: int, verbs: str | None
) -> None:
    path = private(tmp_path, "# nothing\n", mode)
    for program in ALL[:2]:
        ended = at_home.run("--json", program=program)
        assert ended.code == 0
        assert (f"can be {verbs} by others (mode {mode:o}): chmod 600 {path}" in ended.err) == (verbs is not None)
        assert json.loads(ended.out)
    told = at_home.run(program=DOCTOR)
    assert told.code == 0
    assert (f"can be {verbs} by others" in told.out) == (verbs is not None)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a file away")
def test_whose_dotenv_it_is_counts_too(at_home: Company, tmp_path: Path) -> None:
    path = private(tmp_path, "")
    os.chown(path, 65534, 65534)
    assert "belongs to another user" in at_home.run().err


def test_a_link_is_as_open_as_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    shutil.move(private(tmp_path, GOOD, 0o644), tmp_path / "elsewhere" / ".env")
    (tmp_path / ".env").symlink_to(tmp_path / "elsewhere" / ".env")
    assert load_settings({}, root=tmp_path).warnings
