"""Logs and redaction: what a run leaves behind, and that no byte of a secret is in it."""

from __future__ import annotations

import json
import logging
import os
import re
import stat
import subprocess
import sys
import textwrap
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from run.context import new_run_id
from run.logs import LOG_FILE, RUNS_KEPT, Logs, configure, current_redactor, event, log_shown
from run.redact import HIDDEN, SHORTEST, Redactor
from terminal.signs import printable

PROGRAM = Path(__file__).parents[2]
TOKEN = "canary-tok/en+7Q=="
PASSWORD = "canary p'ä\"s\\s%word"
RUN = "20261101T100000-0a1b2c"

logger = logging.getLogger("monday_api")


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[Logs]:
    with configure([TOKEN, PASSWORD], RUN, log_dir=tmp_path / "logs") as installed:
        yield installed


def events(tmp_path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (tmp_path / "logs" / f"{RUN}.jsonl").read_text().splitlines()]


def text_log(tmp_path: Path) -> str:
    return (tmp_path / "logs" / LOG_FILE).read_text(encoding="utf-8")


# What is logged -------------------------------------------------------------------------------------------------------


def test_an_event_is_a_line_for_people_and_fields_for_programs(tmp_path: Path, logs: Logs) -> None:
    event("batch", table="users", rows=200, took_s=0.21, last=False, cursor=None)
    (fields,) = events(tmp_path)
    assert fields.pop("at").endswith("+00:00")
    assert fields == {
        "run_id": RUN, "event": "batch", "level": "INFO",
        "table": "users", "rows": 200, "took_s": 0.21, "last": False, "cursor": None,
    }  # fmt: skip
    assert f" INFO {RUN} run.logs batch table=users rows=200 took_s=0.21" in text_log(tmp_path)


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("page board=master items=500 wait_s=1.5", {"event": "page", "board": "master", "items": 500, "wait_s": 1.5}),
        ("row refused row=7f01 reason=too long: cut it", {"event": "row refused", "reason": "too long: cut it"}),
        ("batch id=007 big=99999999999999999999", {"event": "batch", "id": "007", "big": "99999999999999999999"}),
        ("page level=high run_id=x items=1", {"event": "page", "level": "WARNING", "run_id": RUN, "items": 1}),
        ("something else", {"event": "log", "message": "something else"}),
        ("a=1", {"event": "log", "message": "a=1"}),
    ],
)
def test_a_plain_log_line_becomes_fields_too(tmp_path: Path, logs: Logs, line: str, fields: dict[str, Any]) -> None:
    logger.warning("%s", line)
    (found,) = events(tmp_path)
    assert found.items() >= fields.items()


@pytest.mark.parametrize(("verbosity", "levels"), [(-1, "E"), (0, "WE"), (1, "IWE"), (2, "DIWE")])
def test_the_screen_shows_what_was_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], verbosity: int, levels: str
) -> None:
    with configure([], RUN, log_dir=tmp_path / "logs", verbosity=verbosity):
        for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
            logger.log(level, "page")
        logging.getLogger("urllib3.connectionpool").debug("what was sent")
        log_shown("told already")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "".join(line[0] for line in captured.err.splitlines()) == levels
    in_file = "".join(entry["level"][0] for entry in events(tmp_path) if entry.get("message") == "page")
    assert in_file == ("DIWE" if verbosity == 2 else "IWE")
    assert "told already" in text_log(tmp_path)


def test_nothing_logged_can_forge_a_line_or_move_the_cursor(
    tmp_path: Path, logs: Logs, capsys: pytest.CaptureFixture[str]
) -> None:
    logger.warning("page name=%s", "a\nERROR forged\x1b[2J\u202egnp.")
    shown = capsys.readouterr().err
    assert shown.splitlines() == ["WARNING page name=a\\nERROR forged\\u001b[2J\\u202egnp."]
    assert len(text_log(tmp_path).splitlines()) == len(events(tmp_path)) == 1
    assert printable("half \ud800 a\tsign\n") == "half \\ud800 a\tsign\n"


def test_a_call_whose_arguments_do_not_fit_is_still_logged(tmp_path: Path, logs: Logs) -> None:
    logger.warning("page %d of %d", *[TOKEN])
    assert "page %d of %d (its arguments do not fit)" in text_log(tmp_path)


# Files ----------------------------------------------------------------------------------------------------------------


def test_log_files_are_the_owners(tmp_path: Path) -> None:
    old_mask = os.umask(0)
    try:
        with configure([], RUN, log_dir=tmp_path / "logs"):
            event("page")
    finally:
        os.umask(old_mask)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "logs").iterdir()}
    assert modes == {LOG_FILE: 0o600, f"{RUN}.jsonl": 0o600}


def test_all_runs_share_one_log_and_keep_their_own(tmp_path: Path) -> None:
    for run_id in ("first", "second"):
        with configure([], run_id, log_dir=tmp_path / "logs"):
            event("page")
    assert [line.split()[2] for line in text_log(tmp_path).splitlines()] == ["first", "second"]
    assert (tmp_path / "logs" / "first.jsonl").read_text().count("\n") == 1


def test_the_oldest_runs_files_go_and_what_is_not_ours_stays(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    old = [folder / f"20261001T{number:06}-abcdef.jsonl" for number in range(RUNS_KEPT + 4)]
    foreign = folder / "audit.jsonl"
    for path in [*old, foreign]:
        path.touch()
    run_id = new_run_id()
    with configure([], run_id, log_dir=folder):
        pass
    assert set(folder.glob("*.jsonl")) == {*old[5:], foreign, folder / f"{run_id}.jsonl"}


@pytest.mark.parametrize("obstacle", ["file", "link", "directory"])
def test_a_folder_that_takes_no_log_costs_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], obstacle: str
) -> None:
    folder = tmp_path / "logs"
    if obstacle == "file":
        folder.touch()
    else:
        folder.mkdir()
        blocked = folder / f"{RUN}.jsonl"
        blocked.symlink_to(tmp_path / "target") if obstacle == "link" else blocked.mkdir()
    with configure([], RUN, log_dir=folder):
        logger.warning("page")
    assert [line.split(" folder=")[0] for line in capsys.readouterr().err.splitlines()] == [
        "WARNING no log files",
        "WARNING page",
    ]
    assert not (tmp_path / "target").exists()


def test_a_disk_that_fills_up_costs_one_warning_a_file() -> None:
    script = """
    import logging, resource, sys
    from pathlib import Path
    from run.logs import configure, event
    configure([], "run", log_dir=Path(sys.argv[1]), verbosity=0)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
    for number in range(100):
        event("page", number=number)
    logging.getLogger("sync").warning("still here")
    """
    done = run_script(script)
    assert done.returncode == 0
    assert [line.split(" file=")[0] for line in done.stderr.splitlines()] == [
        "WARNING log file given up",
        "WARNING log file given up",
        "WARNING still here",
    ]


# Secrets --------------------------------------------------------------------------------------------------------------


def run_script(script: str) -> subprocess.CompletedProcess[str]:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script), f"{folder}/logs", TOKEN, PASSWORD],
            capture_output=True, text=True, cwd=PROGRAM, timeout=30, check=False,
        )  # fmt: skip
        done.stdout += "".join(path.read_text(encoding="utf-8") for path in sorted(Path(folder).rglob("*.*")))
        return done


def forms(secret: str) -> list[str]:
    raw = secret.encode()
    return [
        secret, quote(secret), quote(secret, safe=""), re.sub("%..", lambda code: code[0].lower(), quote(secret)),
        quote_plus(secret), repr(secret), ascii(secret), json.dumps(secret), json.dumps(secret, ensure_ascii=False),
        *(b64encode(b"user:"[:cut] + raw + b"|tail").decode() for cut in range(6)),
        *(urlsafe_b64encode(b"user:"[:cut] + raw + b"|tail").decode() for cut in range(6)),
    ]  # fmt: skip


@given(st.text(min_size=SHORTEST, max_size=40), st.text(max_size=5), st.text(max_size=5))
def test_no_secret_survives_whatever_is_around_it(secret: str, before: str, after: str) -> None:
    assume(secret not in HIDDEN * 20)
    cleaned = Redactor([secret]).text(f"{before}{secret}{after}")
    assert HIDDEN in cleaned
    assert secret not in cleaned.split(HIDDEN)


@pytest.mark.parametrize("secret", [TOKEN, PASSWORD])
def test_every_form_of_a_secret_is_found(secret: str) -> None:
    redactor = Redactor([secret])
    for form in forms(secret):
        cleaned = redactor.text(f"header {form} end")
        assert HIDDEN in cleaned, form
        assert len(cleaned) < len(f"header {HIDDEN} end") + 20, cleaned  # what is around the secret may stay


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Authorization: eyJhbGciOiJIUzI1NiJ9.eyJ0aWQiOjF9.c2ln-_ end", "Authorization: *** end"),
        ("postgresql://ann:p@ss:w@db/wra failed", "postgresql://***@db/wra failed"),
        ("https://api.monday.com/v2?x=a@b", "https://api.monday.com/v2?x=a@b"),
        ("a note of ann@example.com about eyJunk", "a note of ann@example.com about eyJunk"),
        ("abc", "abc"),
    ],
)
def test_what_looks_like_a_credential_is_taken_out_too(text: str, cleaned: str) -> None:
    assert Redactor(["abc", ""]).text(text) == cleaned


def test_the_longer_of_two_secrets_goes_first() -> None:
    assert Redactor(["secret", "secret-and-more"]).text("secret-and-more") == HIDDEN


def test_no_secret_reaches_any_output(tmp_path: Path, logs: Logs, capsys: pytest.CaptureFixture[str]) -> None:
    logger.warning("header %s %s", TOKEN, {"password": PASSWORD})
    logger.warning("url=%s", f"postgresql://ann:{quote(PASSWORD, safe='')}@h/d")
    event("page", token=TOKEN, path=Path(f"/{TOKEN}"), level=logging.WARNING)
    try:
        try:
            raise ValueError(f"Invalid header value {TOKEN!r}")
        except ValueError as error:
            raise RuntimeError(PASSWORD) from error
    except RuntimeError:
        logger.exception("failed")
    logger.warning("stack", stack_info=True)
    assert current_redactor().text(TOKEN) == HIDDEN
    everything = capsys.readouterr().err + text_log(tmp_path) + json.dumps(events(tmp_path))
    assert "canary" not in everything
    assert everything.count("Traceback") >= 3
    assert everything.count(HIDDEN) > 10


@pytest.mark.parametrize(
    ("failure", "shown"),
    [
        ("raise ValueError(token)", "ValueError: ***"),
        ("import threading; t = threading.Thread(target=int, args=(token,)); t.start(); t.join()", "invalid literal"),
        ("import warnings; warnings.warn(token)", "UserWarning: ***"),
        ("class Bad:\n    def __del__(self): raise ValueError(token)\nbad = Bad(); del bad", "ValueError: ***"),
    ],
)
def test_what_nobody_caught_is_shown_and_logged_without_secrets(failure: str, shown: str) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom run.logs import configure\n"
        "token, password = sys.argv[2:]\n"
        "logs = configure([token, password], 'run', log_dir=Path(sys.argv[1]))\n"
        f"with logs:\n{textwrap.indent(failure, '    ')}\n"
    )
    done = run_script(script)
    assert done.returncode == (1 if failure.startswith("raise") else 0)
    assert shown in done.stderr
    assert done.stdout.count(shown) == 2, "in both log files"
    assert "canary" not in done.stderr + done.stdout
    assert "token =" not in done.stderr + done.stdout


def test_a_second_run_in_one_process_replaces_what_a_failed_one_left(tmp_path: Path) -> None:
    handlers = list(logging.getLogger().handlers)
    with pytest.raises(KeyError), configure([TOKEN], "first", log_dir=tmp_path):
        raise KeyError
    assert current_redactor().text(TOKEN) == HIDDEN
    with configure([PASSWORD], "second", log_dir=tmp_path):
        event("page")
    assert logging.getLogger().handlers == handlers
    assert (tmp_path / "first.jsonl").read_text() == ""
