"""Settings: where they come from, what is refused, and that nothing shows a secret."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from reconcile.errors import ConfigError
from settings import PROGRAM_DIR, DatabaseTarget, Settings, load_settings

TOKEN = "eyJhbGciOiJIUzI1NiJ9.canary-token.c2lnbmF0dXJl"
PASSWORD = "canary p'ss%word"
GOOD = {"MONDAY_API_KEY": TOKEN, "DATABASE_URL": "embedded"}
PG = {"PGHOST": "db.example.com", "PGDATABASE": "wra", "PGUSER": "ann", "PGPASSWORD": PASSWORD}


def load(tmp_path: Path, **env: str) -> Settings:
    return load_settings({**GOOD, **env}, root=tmp_path)


def problems(tmp_path: Path, env: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        load_settings(env, root=tmp_path)
    assert "canary" not in str(refused.value)
    assert refused.value.__cause__ is None
    return str(refused.value).splitlines()[1:]


def test_what_is_not_set_has_its_default(tmp_path: Path) -> None:
    assert load(tmp_path) == Settings(
        monday_api_key=TOKEN,
        monday_api_url="https://api.monday.com/v2",
        monday_api_version="2026-10",
        board_ids={"master": 6727219152, "staff": 5764059860},
        database="embedded",
        cache_dir=tmp_path / "cache",
        log_dir=tmp_path / "logs",
        state_dir=tmp_path / ".state",
    )


def test_the_environment_wins_over_dotenv_and_stays_as_it_was(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        f"\ufeffMONDAY_API_KEY='{TOKEN}'\nexport MONDAY_BOARD_ID_DATA=11\nMONDAY_BOARD_ID_USERS=22\n"
        "DATABASE_URL=\nPGHOST=localhost\nPGDATABASE=wra\nPGUSER=ann\nPGPASSWORD=a${HOME}b\nUNFINISHED\n",
        encoding="utf-8",
    )
    before = dict(os.environ)
    settings = load_settings({"MONDAY_BOARD_ID_DATA": "33"}, root=tmp_path)
    assert dict(os.environ) == before
    assert (settings.monday_api_key, dict(settings.board_ids)) == (TOKEN, {"master": 33, "staff": 22})
    assert isinstance(settings.database, DatabaseTarget)
    assert settings.database.keywords["password"] == "a${HOME}b"


def test_a_setting_emptied_in_the_environment_is_not_taken_from_dotenv(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DATABASE_URL=postgresql://ann@db.example.com/live\n")
    (problem,) = problems(tmp_path, {"MONDAY_API_KEY": TOKEN, "DATABASE_URL": ""})
    assert problem.startswith("  - DATABASE_URL is not set")


@pytest.mark.parametrize("given", [f" {TOKEN}\n", f'"{TOKEN}"', f"'{TOKEN}\r\n'", f"\t' {TOKEN} ' "])
def test_what_is_stray_around_a_token_is_taken_off(tmp_path: Path, given: str) -> None:
    assert load(tmp_path, MONDAY_API_KEY=given).monday_api_key == TOKEN


@pytest.mark.parametrize("inside", [" ", "\n", "\r\n", "\x00", "\x7f", "é", "–", "\u200b", "\U0001f511"])
def test_a_token_that_no_header_can_carry_is_refused_unseen(tmp_path: Path, inside: str) -> None:
    (problem,) = problems(tmp_path, {**GOOD, "MONDAY_API_KEY": f"canary{inside}token"})
    assert problem.startswith("  - MONDAY_API_KEY has a blank, a line break or a sign inside")


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("MONDAY_API_URL", "http://api.monday.com/v2", "unencrypted"),
        ("MONDAY_API_URL", "http://127.0.0.1.example.com/v2", "unencrypted"),
        ("MONDAY_API_URL", "http://localhost@evil.example.com/", "a user or a password"),
        ("MONDAY_API_URL", "ftp://api.monday.com", "not an https URL"),
        ("MONDAY_API_URL", "https://", "not an https URL"),
        ("MONDAY_API_URL", "https://[::1", "not a URL"),
        ("MONDAY_API_URL", "https://h:99999/", "not a URL"),
        ("MONDAY_API_URL", "https://api.monday.com/v 2", "not an https URL"),
        ("MONDAY_API_VERSION", "2026-13", "not a version"),
        ("MONDAY_API_VERSION", "current", "not a version"),
        ("MONDAY_BOARD_ID_USERS", "0", "not a board id"),
        ("MONDAY_BOARD_ID_USERS", "-5", "not a board id"),
        ("MONDAY_BOARD_ID_DATA", "١٢٣", "not a board id"),
        ("MONDAY_BOARD_ID_DATA", "9" * 19, "not a board id"),
        ("MONDAY_BOARD_ID_DATA", "5764059860", "same board as MONDAY_BOARD_ID_USERS"),
        ("DATABASE_URL", "mysql://ann:canary@h/d", "must start with postgresql://"),
        ("DATABASE_URL", "postgresql://ann:canary%4@h/d", "broken percent code"),
        ("DATABASE_URL", "postgresql://ann:canary@db.example.com/d?sslmode=disable", "unencrypted"),
        ("SYNC_CACHE_DIR", "~nobody-of-that-name/cache", "home folder that does not exist"),
    ],
)
def test_what_is_refused_is_named_once(tmp_path: Path, name: str, value: str, reason: str) -> None:
    (problem,) = problems(tmp_path, {**GOOD, name: value})
    assert reason in problem


@pytest.mark.parametrize(
    "url", ["http://localhost:8080/v2", "http://127.0.0.9/v2", "http://[::1]:1/", "https://x.test/"]
)
def test_http_is_for_this_machine(tmp_path: Path, url: str) -> None:
    assert load(tmp_path, MONDAY_API_URL=url).monday_api_url == url


def test_every_problem_is_listed_at_once(tmp_path: Path) -> None:
    env = {
        "MONDAY_BOARD_ID_DATA": "x",
        "MONDAY_API_VERSION": "x",
        "PGPORT": "0",
        "PGSSLMODE": "maybe",
        "PGUSER": "a\tb",
    }
    listed = problems(tmp_path, env)
    assert [re.split(r"[ ]+", line)[2] for line in listed[:-1]] == [
        "MONDAY_API_KEY",
        "MONDAY_API_VERSION",
        "MONDAY_BOARD_ID_DATA",
        "PGHOST",
        "PGDATABASE",
        "PGUSER",
        "PGPORT",
    ]
    assert "sslmode must be one of" in listed[-1]


def test_what_is_not_needed_is_not_asked_for(tmp_path: Path) -> None:
    settings = load_settings({"MONDAY_API_URL": "x"}, need_monday=False, need_database=False, root=tmp_path)
    assert (settings.monday_api_key, settings.database) == (None, None)
    assert settings.secrets() == ()


@pytest.mark.parametrize(
    "env",
    [PG, {"DATABASE_URL": "postgresql://ann:canary%20p%27ss%25word@db.example.com:5432/wra", "PGHOST": "ignored"}],
)
def test_secrets_are_known_and_never_shown(tmp_path: Path, env: dict[str, str]) -> None:
    settings = load_settings({"MONDAY_API_KEY": TOKEN, **env}, root=tmp_path)
    assert settings.secrets() == (TOKEN, PASSWORD)
    assert "canary" not in f"{settings!r} {settings} {settings.database!r} {settings.database}"
    assert "db.example.com" in repr(settings)


def test_a_password_keeps_its_own_blanks_and_quotes(tmp_path: Path) -> None:
    settings = load_settings({"MONDAY_API_KEY": TOKEN, **PG, "PGPASSWORD": "' x '\r\n"}, root=tmp_path)
    assert isinstance(settings.database, DatabaseTarget)
    assert settings.database.keywords["password"] == "' x '"


def test_folders_are_the_programs_not_the_callers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    settings = load(tmp_path, SYNC_CACHE_DIR="kept/reads", SYNC_LOG_DIR="/var/log/sync")
    assert settings.cache_dir == tmp_path / "kept" / "reads"
    assert settings.log_dir == Path("/var/log/sync")


def test_an_unreadable_dotenv_is_said(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"MONDAY_API_KEY=canary\xff\n")
    with pytest.raises(ConfigError, match="not UTF-8") as refused:
        load_settings({}, root=tmp_path)
    assert refused.value.__suppress_context__
    (tmp_path / ".env").unlink()
    (tmp_path / ".env").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        load_settings({}, root=tmp_path)


def test_the_example_file_works_once_filled_in_and_names_every_setting(tmp_path: Path) -> None:
    example = (Path(__file__).parents[2] / ".env.example").read_text(encoding="utf-8")
    filled = re.sub(r"^#(?=[A-Z_]+=.)", "", example, flags=re.MULTILINE)
    filled = filled.replace("MONDAY_API_KEY=\n", f"MONDAY_API_KEY={TOKEN}\n").replace(
        "DATABASE_URL=\n", "DATABASE_URL=embedded\n"
    )
    (tmp_path / ".env").write_text(filled, encoding="utf-8")
    assert load_settings({}, root=tmp_path) == load(tmp_path)
    named = set(re.findall(r"^#?([A-Z_]+)=", example, flags=re.MULTILINE))
    assert named == {
        "MONDAY_API_KEY", "MONDAY_API_URL", "MONDAY_API_VERSION", "MONDAY_BOARD_ID_USERS", "MONDAY_BOARD_ID_DATA",
        "DATABASE_URL", "PGHOST", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD", "PGSSLMODE",
        "SYNC_CACHE_DIR", "SYNC_LOG_DIR", "SYNC_STATE_DIR", "SYNC_DAILY_CALLS", "SYNC_PLAN_HOURS",
        "SYNC_EXIT_ATTENTION", "SYNC_PING_URL", "PG_BIN",
    }  # fmt: skip


def test_the_programs_folder_is_where_its_commands_are() -> None:
    assert (PROGRAM_DIR / "sync_monday_to_pg.py").is_file()
    assert (PROGRAM_DIR / ".env.example").is_file()
