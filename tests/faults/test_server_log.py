"""What the database server writes into its log when a statement fails, and that no message here repeats it."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from postgres.embedded import LocalPostgres
from sandbox import MASTER_BOARD_ID
from tests.faults.test_secrets import ADDRESS, CLAIM, CUSTOMER, EMAIL, OWNER, OWNER_CELL, TEXT
from tests.support.company import PUSH, Company

SET_BY_HAND = {"log_min_error_statement": "error", "log_error_verbosity": "default", "fsync": "off"}
"""As a server comes; the embedded one is started with better."""
_RAISE = """
CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {how}; RETURN NEW; END $$;
CREATE TRIGGER no BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION no()
"""
TROUBLES = {
    "check": "ALTER TABLE projects ADD CONSTRAINT no CHECK (claim_number NOT LIKE 'C-%') NOT VALID",
    "unique": f"CREATE UNIQUE INDEX no ON projects (description);INSERT INTO projects (description) VALUES ('{OWNER}')",
    "not null": "ALTER TABLE customers ALTER phone SET NOT NULL",
    "cast": _RAISE.format(how="PERFORM NEW.name::int", table="customers"),
    "statement": _RAISE.format(how="EXECUTE 'nonsense ' || NEW::text", table="customers"),
    "detail": _RAISE.format(how="RAISE EXCEPTION 'no' USING DETAIL = NEW::text, HINT = NEW::text", table="projects"),
    "message": _RAISE.format(how="RAISE EXCEPTION 'no: %', NEW", table="projects"),
    "names": _RAISE.format(
        how="RAISE check_violation USING CONSTRAINT = NEW.description, TABLE = NEW.description, COLUMN ="
        " NEW.description, SCHEMA = NEW.description, DATATYPE = NEW.description",
        table="projects",
    ),
}
ITS_OWN_WORDS = {"cast", "message"}
"""Where the first line of the error itself holds a value: no setting but silence keeps it out of the server's log."""


@pytest.fixture(scope="module")
def usual() -> Iterator[LocalPostgres]:
    folder = Path(tempfile.mkdtemp(prefix="usual-"))
    folder.chmod(0o711)
    server = LocalPostgres(folder / "server", settings=SET_BY_HAND)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture
def logging_company(company: Company, usual: LocalPostgres) -> Iterator[Company]:
    """A company whose database is on a server that logs as servers do, by a role of its own."""
    keywords = usual.keywords()
    company.direct = keywords
    company.sql("CREATE ROLE teller SUPERUSER LOGIN PASSWORD 'its-own-password'")
    company.database = {**keywords, "user": "teller", "password": "its-own-password"}
    assert company.sync().code == 0
    yield company
    company.forget_everything()
    company.sql("DROP ROLE teller")


def spoil(company: Company, trouble: str) -> None:
    company.sql("UPDATE customers SET phone = '2025550100'")
    company.sql(TROUBLES[trouble])


def edited(company: Company, number: int) -> None:
    item, other, *_ = company.sandbox.item_ids(MASTER_BOARD_ID)
    email = {"email": f"n{number}.{ADDRESS}", "text": OWNER}
    company.sandbox.edit(item, {EMAIL: email, OWNER_CELL: OWNER, TEXT: OWNER})
    company.sandbox.edit(other, {OWNER_CELL: f"{OWNER} junior", CLAIM: f"C-{number}"})
    company.sandbox.advance(60)


def holding(text: str) -> list[str]:
    return [line for line in text.splitlines() if any(word in line.lower() for word in CUSTOMER)]


@pytest.mark.own_role
@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.sampled(3)
def test_what_the_doctor_asks_for_keeps_the_servers_log_clean(
    logging_company: Company, usual: LocalPostgres, trouble: str
) -> None:
    company = logging_company
    spoil(company, trouble)

    def logged(number: int) -> list[str]:
        size = usual.log.stat().st_size
        edited(company, number)
        for program in ("sync_monday_to_pg.py", PUSH):
            company.run(program=program)
        return holding(usual.log.read_bytes()[size:].decode())

    told = _server_log(company)
    assert [state for state, _says, _fix in told] == ["warning"]
    before = logged(1)
    for statement in re.findall(r"ALTER ROLE [^;]+;", told[0][2]):
        company.sql(statement)
    assert [state for state, _says, _fix in _server_log(company)] == ["ok"]
    after = logged(2)
    assert [line for line in after if "ERROR: " not in line] == []
    if trouble in ITS_OWN_WORDS:
        assert after
    else:
        assert after == []
    if trouble not in ("check", "names"):
        assert before  # else the assertion above would hold of anything


def _server_log(company: Company) -> list[tuple[str, str, str]]:
    checks = json.loads(company.run("--json", program="test_sync.py").out)["checks"]
    return [(each["state"], each["says"], each["fix"]) for each in checks if each["check"] == "server's log"]


@pytest.mark.own_role
@pytest.mark.parametrize(
    "setting",
    [
        "log_statement = 'all'", "log_statement = 'mod'", "log_min_duration_statement = 0",
        "log_transaction_sample_rate = 0.5",
    ],
)  # fmt: skip
def test_a_server_that_logs_what_works_is_told_of(company: Company, setting: str) -> None:
    assert [state for state, _says, _fix in _server_log(company)] == ["ok"]
    name = setting.partition(" ")[0]
    company.sql(f'ALTER DATABASE "{company.database["dbname"]}" SET {setting}')
    ((state, says, fix),) = _server_log(company)
    assert (state, name in says, f"SET {name} = " in fix) == ("warning", True, True)


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.sampled(2)
def test_no_message_repeats_a_value_that_was_refused(synced: Company, trouble: str) -> None:
    spoil(synced, trouble)
    edited(synced, 1)
    refused, kept = False, set[str]()
    for arguments in (["--json"], ["--json", "--full"], ["--json", "-vv"]):
        for program in ("sync_monday_to_pg.py", PUSH, "test_sync.py"):
            given = [word for word in arguments if program == "sync_monday_to_pg.py" or word != "--full"]
            ended = synced.run(*(["--json"] if program == "test_sync.py" else given), program=program)
            refused = refused or ended.code == 5
            assert ended.code in (0, 5), ended.err
            kept |= {text for (text,) in synced.sql("SELECT place || reason FROM monday_sync.sync_dead")}
            assert holding(ended.err) == []
            assert [text for text in _sentences(json.loads(ended.out)) if holding(text)] == []
    assert refused
    assert holding("\n".join(path.read_text() for path in (synced.folder / "logs").iterdir())) == []
    assert kept
    assert holding("\n".join(kept)) == []
    assert holding(str(synced.sql("SELECT summary::text FROM monday_sync.sync_run"))) == []


def _sentences(told: Any) -> Iterator[str]:
    """Every text of a JSON object, but for the changes, which show people what becomes of their values."""
    if isinstance(told, dict):
        for name, value in told.items():
            if name == "changes":
                continue
            yield name
            yield from _sentences(value)
    elif isinstance(told, list):
        for value in told:
            yield from _sentences(value)
    elif isinstance(told, str):
        yield told
