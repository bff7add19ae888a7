"""A token, a password and a customer go through everything that can go wrong; then every byte that was written anywhere
is searched for them.
"""

from __future__ import annotations

import json
import stat
import subprocess
import sys
import uuid
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from monday.rate_limit import Pace
from sandbox import MASTER_BOARD_ID
from sandbox.faults import FAULTS, Fault, FaultRule, Reply, json_reply
from sandbox.jobs import Jobs
from tests.support.company import COMMANDS, PUSH, ROOT, Company, Ended

pytestmark = pytest.mark.own_role

PULL = "sync_monday_to_pg.py"
DOCTOR = "test_sync.py"
BOTH = (PULL, PUSH)

TOKEN_CORE, PASSWORD_CORE, WRONG_CORE = "Kanarie4711", "Wellens0815", "girlitzvogel"
"""The part of each secret that no encoding of text changes: no piece of a secret may be left over either."""
CORES = (TOKEN_CORE, PASSWORD_CORE, WRONG_CORE)
TOKEN = f"+/{TOKEN_CORE}=%41~&?#"
PASSWORD = f" /{PASSWORD_CORE} wörd+%\"'\\=?#@:[ "
WRONG = f"{WRONG_CORE} +/%"

OWNER = "Quendolin Zwiebelfisch"
ADDRESS = "zwiebelfisch.unikat@mail.example"
CUSTOMER = ("quendolin", "zwiebelfisch")
"""What is in no other cell, and in nothing that the program says by itself; searched without regard to case."""

TALKS = (("-v",), ("-vv",), ("--json",), ("-q",))
TEXT, CLAIM = "text40__1", "claim_number__1"
OWNER_CELL, EMAIL, NOTE = "text65__1", "email4__1", "text43__1"


def traces(core: str) -> list[str]:
    """A piece of a secret in base64, at each of the three places where it can start, and in hexadecimal digits."""
    raw = core.encode()
    inside = [
        b64encode(bytes(start) + raw).decode()[(start * 8 + 5) // 6 :][: len(raw) * 8 // 6 - 1] for start in range(3)
    ]
    return [core, *inside, raw.hex(), raw.hex().upper()]


def everything(company: Company) -> dict[str, str]:
    """Every byte that was printed, written to a file or put into a table, by where it is."""
    found = {f"output {number}": text for number, text in enumerate(company.said)}
    for path in company.folder.rglob("*"):
        if path.is_file():
            found[str(path)] = path.read_bytes().decode("latin-1")
    return found | {table: "\n".join(rows) for table, rows in company.contents(versions=False).items()}


def leaks(company: Company) -> list[str]:
    """Where a secret stands, with what is around it."""
    signs = [trace for core in CORES for trace in traces(core)]
    return [
        f"{place}: …{text[max(0, text.index(sign) - 80) : text.index(sign) + 40]}…"
        for place, text in everything(company).items()
        for sign in signs
        if sign in text
    ]


def logged(company: Company) -> dict[str, str]:
    folder = company.folder / "logs"
    return {path.name: path.read_text("utf-8") for path in folder.iterdir() if path.suffix in (".log", ".jsonl")}


@pytest.fixture
def guarded(company: Company) -> Iterator[Company]:
    """A company whose token and password are canaries. Both are the true ones: the server checks them."""
    role, owner = f"canary_{uuid.uuid4().hex[:12]}", company.database
    company.sql(f"CREATE ROLE {role} LOGIN SUPERUSER PASSWORD %s", PASSWORD)
    company.database = {**owner, "user": role, "password": PASSWORD}
    company.overrides = {"MONDAY_API_KEY": TOKEN}
    company.sandbox.set_token(TOKEN)
    assert company.run().code == 0, company.said[-1]
    yield company
    found = leaks(company)
    company.database = owner
    company.sql(f"REASSIGN OWNED BY {role} TO CURRENT_USER; DROP ROLE {role}")
    assert found == []


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """All tries, without the seconds between them."""
    monkeypatch.setattr("monday.transport._wait_s", lambda _state: 0.0)
    monkeypatch.setattr(Pace, "pause", lambda _self, _wait_s: None)
    monkeypatch.setattr("postgres.connection.CONNECT_TRIES", 2)


def jobs(company: Company) -> list[int]:
    return sorted(company.sandbox.item_ids(MASTER_BOARD_ID))


def test_the_search_finds_what_it_looks_for(guarded: Company) -> None:
    """Else all other tests here would pass for nothing."""
    for place in (f"a{TOKEN}", quote(PASSWORD), json.dumps(TOKEN), TOKEN.encode().hex(), repr(PASSWORD)):
        guarded.said = [place]
        assert leaks(guarded), place
    for start in range(6):
        for encode in (b64encode, urlsafe_b64encode):
            guarded.said = [encode(b"monday"[:start] + PASSWORD.encode() + b"!").decode()]
            assert leaks(guarded), start
    guarded.said = []
    (guarded.folder / "note").write_text(WRONG)
    assert leaks(guarded)
    (guarded.folder / "note").unlink()
    guarded.sql("UPDATE projects SET description = %s", TOKEN)
    assert leaks(guarded)
    guarded.sql("UPDATE projects SET description = NULL")


# monday.com -----------------------------------------------------------------------------------------------------------


def troubled(company: Company, kind: str, number: int, program: str, match: str) -> None:
    """A run in which this goes wrong as long as it lasts, at some verbosity, and one afterwards."""
    talk = TALKS[number % len(TALKS)]
    arguments = ("--full", *talk) if program == PULL else talk
    if program == PUSH:
        company.sql("UPDATE projects SET claim_number = %s", f"C-{match}-{number}")
    before = company.sandbox.counters()["requests"]
    company.sandbox.fault(kind, match=match, times=0, retry_after=0)
    ended = company.run(*arguments, program=program)
    assert ended.code in range(8), f"{kind}: {ended.err}"
    assert company.sandbox.counters()["requests"] > before, kind
    company.sandbox.clear_faults()


@pytest.mark.parametrize(("program", "match"), [(PULL, "read"), (PUSH, "read"), (PUSH, "mutation")])
@pytest.mark.sampled(2)
def test_no_fault_of_monday_tells_a_secret(guarded: Company, program: str, match: str) -> None:
    for number, kind in enumerate(FAULTS):
        troubled(guarded, kind, number, program, match)
        if match == "mutation":
            guarded.run(*TALKS[(number + 1) % len(TALKS)], program=PUSH)  # what is left in doubt is settled
    assert guarded.value("SELECT count(*) FROM monday_sync.sync_run") > len(FAULTS) // 2


def _echoes(secret: str) -> dict[str, str]:
    inside = f"monday:{secret}".encode()
    return {
        "plain": secret,
        "in a URL": f"https://monday.example/?token={quote(secret, safe='')}",
        "in a form": quote_plus(secret),
        "in a literal": repr(secret),
        "in JSON": json.dumps(secret),
        **{f"in base64, {start}": b64encode(inside[start:]).decode() for start in range(3)},
    }


def _answers(text: str) -> list[Callable[[FaultRule], Reply]]:
    """Servers that say what they were sent."""
    error = {"message": f"Bad header: {text}", "path": [text], "extensions": {"code": text, "service": text}}
    headers = {"x-request-id": text, "api-version": text}
    return [
        lambda _rule: json_reply(401, {"errors": [text]}),
        lambda _rule: json_reply(400, {"errors": [error]}, headers),
        lambda _rule: json_reply(200, {"errors": [error], "data": None}),
        lambda _rule: json_reply(200, {"error_code": text, "error_message": text, "status_code": text}),
        lambda _rule: json_reply(200, {"data": {"boards": text, "me": text}}),
        lambda _rule: Reply(502, f"<html>{text}</html>".encode(), {"Content-Type": f"text/html; {text}"}),
    ]


@pytest.mark.parametrize(("program", "match"), [(PULL, "read"), (PUSH, "read"), (PUSH, "mutation")])
@pytest.mark.sampled(2)
def test_a_server_that_repeats_the_token_is_not_quoted(
    guarded: Company, monkeypatch: pytest.MonkeyPatch, program: str, match: str
) -> None:
    number = 0
    for how, text in _echoes(TOKEN).items():
        for answer in _answers(text):
            monkeypatch.setitem(FAULTS, "echo", Fault(f"says what it was sent, {how}", answer))
            troubled(guarded, "echo", number, program, match)
            number += 1
        assert leaks(guarded) == [], how


@pytest.mark.parametrize("trouble", [{}, {"uploads_failing": 9}, {"fails_with": "INTERNAL_ERROR", "fails_after": 3}])
def test_the_signature_of_a_file_of_new_items_is_shown_nowhere(
    guarded: Company, monkeypatch: pytest.MonkeyPatch, trouble: dict[str, Any]
) -> None:
    """Whoever has such an address may write or read the file: it is a secret as long as it holds."""
    start, status, signature = Jobs.start_import, Jobs.import_status, f"?X-Signature={WRONG_CORE}"

    def started(jobs: Jobs, *arguments: Any) -> dict[str, Any]:
        answer = start(jobs, *arguments)
        return {**answer, "upload_url": answer["upload_url"] + signature}

    def shown(jobs: Jobs, *arguments: Any) -> dict[str, Any]:
        answer = status(jobs, *arguments)
        return {**answer, "report_url": answer["report_url"] and answer["report_url"] + signature}

    monkeypatch.setattr(Jobs, "start_import", started)
    monkeypatch.setattr(Jobs, "import_status", shown)
    monkeypatch.setattr("monday.jobs.Jobs._rest", lambda _jobs, _wait_s: None)
    monkeypatch.setattr("push.send.BULK_FROM", 5)
    assert guarded.run("--setup-marker", program=PUSH).code == 0
    guarded.sandbox.set_jobs(**trouble)
    for number, talk in enumerate(TALKS):
        guarded.sql(
            "INSERT INTO projects (item_name, description) SELECT %s || n, %s FROM generate_series(1, 6) n",
            f"New {number}-", f"for {OWNER}",
        )  # fmt: skip
        guarded.run(*talk, program=PUSH)
    assert guarded.sandbox.counters()["by_operation"]["StartIngest"] > 1
    assert [place for place, text in logged(guarded).items() if any(word in text.lower() for word in CUSTOMER)] == []


# The database ---------------------------------------------------------------------------------------------------------

_MALFORMED = {
    "an open bracket": "postgresql://ann:{quoted}@[::1/wra",
    "a broken percent code": "postgresql://ann:{quoted}%zz@127.0.0.1/wra",
    "another broken percent code": "postgresql://ann:%F{quoted}@127.0.0.1/wra",
    "no UTF-8": "postgresql://ann:%FF{quoted}@127.0.0.1/wra",
    "a port too far": "postgresql://ann:{quoted}@127.0.0.1:99999/wra",
    "a port of words": "postgresql://ann:{quoted}@127.0.0.1:{core}/wra",
    "two hosts": "postgresql://ann:{quoted}@127.0.0.1,127.0.0.2/wra",
    "no TLS": "postgresql://ann:{quoted}@db.example/wra?sslmode=disable",
    "no such TLS": "postgresql://ann:{quoted}@127.0.0.1/wra?sslmode={core}",
    "options": "postgresql://ann:{quoted}@127.0.0.1/wra?options={core}",
    "an unknown parameter": "postgresql://ann@127.0.0.1/wra?passwort={quoted}",
    "a parameter without a value": "postgresql://ann:{quoted}@127.0.0.1/wra?password",
    "another scheme": "mysql://ann:{quoted}@127.0.0.1/wra",
    "no scheme": "ann:{quoted}@127.0.0.1/wra",
    "keywords": "host=127.0.0.1 user=ann password='{core}'",
    "a line break": "postgresql://ann:{core}%0a@127.0.0.1/wra",
    "the password as it is": "postgresql://ann:{raw}@127.0.0.1/wra",
    "a slash in it": "postgresql://ann:{core}/1@127.0.0.1/wra",
    "a question mark in it": "postgresql://ann:{core}?1@127.0.0.1/wra",
    "a number sign in it": "postgresql://ann:{core}#1@127.0.0.1:1/wra",
}


def test_a_malformed_database_url_shows_nothing_of_itself(guarded: Company) -> None:
    for kind, template in _MALFORMED.items():
        url = template.format(quoted=quote(WRONG, safe=""), raw=PASSWORD, core=WRONG_CORE)
        guarded.overrides["DATABASE_URL"] = url
        for program, talk in ((PULL, "-vv"), (PULL, "--json"), (PUSH, "-vv"), (PUSH, "-q"), (DOCTOR, "-v")):
            ended = guarded.run(talk, program=program)
            # A number sign may stand in a password, so that this is an address where nobody answers.
            assert ended.code == (7 if kind == "a number sign in it" else 2), (kind, ended.err)
    del guarded.overrides["DATABASE_URL"]


@pytest.mark.parametrize(
    "url", ["postgresql://ann:4711?{core}=1@127.0.0.1/wra", "postgresql://{core}/1:x@127.0.0.1:1/wra"]
)
def test_a_password_with_signs_of_an_address_is_no_address(guarded: Company, url: str) -> None:
    guarded.overrides["DATABASE_URL"] = url.format(core=WRONG_CORE)
    ended = guarded.run("-v")
    said, guarded.said = guarded.said, []
    for path in (guarded.folder / "logs").iterdir():
        path.unlink()
    del guarded.overrides["DATABASE_URL"]
    assert ended.code == 2
    assert not any(WRONG_CORE in text for text in said)


@pytest.mark.parametrize("part", ["password", "user", "dbname"])
def test_a_database_that_refuses(guarded: Company, part: str) -> None:
    right = guarded.database
    guarded.database = {**right, part: WRONG}
    for program in BOTH:
        for talk in TALKS:
            ended = guarded.run(*talk, program=program)
            assert (ended.code, "DATABASE_URL" in ended.err) == (2, True), ended.err
    guarded.database = right


_PG = {"DATABASE_URL": "", "PGHOST": "127.0.0.1", "PGDATABASE": "a", "PGUSER": "b"}
_SETTINGS: dict[str, dict[str, str]] = {
    "a line break in the token": {"MONDAY_API_KEY": f"{TOKEN}\n{TOKEN}"},
    "a header in the token": {"MONDAY_API_KEY": f"{TOKEN}\r\nX-Other: {TOKEN}"},
    "Bearer": {"MONDAY_API_KEY": f"Bearer {TOKEN}"},
    "a token that was shortened": {"MONDAY_API_KEY": f"{TOKEN}\u2026"},
    "another token": {"MONDAY_API_KEY": f"{TOKEN}x"},
    "a token in the place of the version": {"MONDAY_API_KEY": "", "MONDAY_API_VERSION": TOKEN},
    "a token in the place of the boards": {"MONDAY_BOARD_ID_DATA": TOKEN, "MONDAY_BOARD_ID_USERS": TOKEN},
    "a token in the API's address": {"MONDAY_API_URL": f"http://ann:{quote(TOKEN)}@127.0.0.1/v2"},
    "no address": {"MONDAY_API_URL": f"http://127.0.0.1/{TOKEN_CORE}\x7f"},
    "a sign in the password": {**_PG, "PGPASSWORD": f"{WRONG}\x1b"},
    "a password in the place of the port": {**_PG, "PGPORT": WRONG},
    "a password in the place of TLS": {**_PG, "PGHOST": "db.example", "PGPASSWORD": WRONG, "PGSSLMODE": WRONG},
}


def test_bad_settings_are_named_and_not_shown(guarded: Company) -> None:
    right = dict(guarded.overrides)
    guarded.sql("UPDATE projects SET claim_number = 'C-1'")  # else a push would not ask monday.com at all
    for kind, settings in _SETTINGS.items():
        guarded.overrides = right | settings
        for program in BOTH:
            for talk in TALKS:
                ended = guarded.run(*talk, program=program)
                assert ended.code == 2, f"{kind}: {ended.err}"
    guarded.overrides = right


_RAISE = """
CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {how}; RETURN NEW; END $$;
CREATE TRIGGER no BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION no()
"""
_KILL = "PERFORM pg_terminate_backend(pg_backend_pid())"
_TELL = "RAISE EXCEPTION 'no: %, {secret}', NEW USING DETAIL = '{secret}', HINT = NEW::text, ERRCODE = '{code}'"


def _told(code: str) -> str:
    return _TELL.format(code=code, secret=PASSWORD.replace("'", "''").replace("%", "%%"))


DATABASES = {
    "killed": _RAISE.format(how=_KILL, table="projects"),
    "raises": _RAISE.format(how=_told("P0001"), table="projects"),
    "unlisted": _RAISE.format(how=_told("XX000"), table="projects"),
    "check": "ALTER TABLE projects ADD CONSTRAINT no CHECK (claim_number NOT LIKE 'C-%%') NOT VALID",
    "unique": f"CREATE UNIQUE INDEX no ON projects (description);INSERT INTO projects (description) VALUES ('{OWNER}')",
    "not null": "ALTER TABLE customers ALTER phone SET NOT NULL",
    "syntax": _RAISE.format(how=f"EXECUTE {PASSWORD_CORE!r} || NEW::text", table="customers"),
    "gone": "DROP TABLE customers CASCADE",
    "retyped": "ALTER TABLE projects ALTER claim_number TYPE int USING 1",
    "read-only": _RAISE.format(how=_told("25006"), table="projects"),
    "full": _RAISE.format(how=_told("53100"), table="projects"),
    "slow": _RAISE.format(how=_told("57014"), table="projects"),
    "forbidden": _RAISE.format(how=_told("42501"), table="projects"),
    "no column": _RAISE.format(how=_told("42703"), table="projects"),
}


@pytest.mark.parametrize("trouble", DATABASES)
@pytest.mark.sampled(2)
def test_no_fault_of_the_database_tells_a_secret_or_a_customer(guarded: Company, trouble: str) -> None:
    guarded.sql("UPDATE customers SET phone = '2025550100'")
    item, other = jobs(guarded)[:2]
    guarded.sandbox.edit(item, {EMAIL: {"email": f"new.{ADDRESS}", "text": OWNER}, OWNER_CELL: OWNER, TEXT: OWNER})
    guarded.sandbox.edit(other, {OWNER_CELL: f"{OWNER} junior", CLAIM: "C-2"})
    guarded.sql(DATABASES[trouble])
    said: list[Ended] = []
    for talk in TALKS:
        said.append(guarded.run("--full", *talk))
        guarded.sql("UPDATE properties SET city = city || 'x'")
        said.append(guarded.run(*talk, program=PUSH))
    assert any(ended.code for ended in said)
    assert [place for place, text in logged(guarded).items() if any(word in text.lower() for word in CUSTOMER)] == []
    assert [ended.err for ended in said if any(word in ended.err.lower() for word in CUSTOMER)] == []


# Bugs -----------------------------------------------------------------------------------------------------------------

_BROKEN = """
import sys
sys.path.insert(0, {root!r})
import psycopg2, requests
import run.command, {module}
token, password, customer = {secrets!r}
def broken(*arguments, **keywords):
    header, url, row = {{"Authorization": token}}, f"postgresql://ann:{{password}}@db/x", (customer, password)
    try:
        raise ValueError(f"Invalid header value {{header!r}} {{arguments!r}} {{keywords!r}}")
    except ValueError as error:
        raise {error}(f"{{url}} {{keywords!r}}", *arguments, *map(repr, keywords.values())) from error
{patch}
import {command} as program
program.command.main({arguments!r})
"""
_BEFORE = """
import run.context
connect = run.context._database
def also(settings):
    {how}
    return connect(settings)
run.context._database = also
"""
BUGS = {
    "in the request": ("monday.connection", "{module}.Connection.post = broken", "KeyError"),
    "in the answer": ("monday.transport", "{module}.decode_answer = broken", "RuntimeError"),
    "in the driver": ("postgres.connection", "psycopg2.connect = broken", "psycopg2.ProgrammingError"),
    "in a statement": ("postgres.transaction", "{module}.Transaction.rows = broken", "psycopg2.InternalError"),
    "in the report": ("run.context", "{module}.as_text = broken", "RuntimeError"),
    "in the record": ("run.record", "{module}.run_record = broken", "UnicodeError.__mro__[1]"),
    "in a thread": (
        "threading",
        _BEFORE.format(how="one = threading.Thread(target=broken, args=[token]); one.start(); one.join()"),
        "OSError",
    ),
    "in a warning": (
        "warnings",
        _BEFORE.format(how="warnings.warn(token + password)"),
        "OSError",
    ),
}


@pytest.mark.parametrize("program", BOTH)
@pytest.mark.parametrize("bug", BUGS)
@pytest.mark.sampled(3)
def test_a_bug_shows_its_traceback_and_no_secret(guarded: Company, program: str, bug: str) -> None:
    module, patch, error = BUGS[bug]
    guarded.sql("UPDATE projects SET claim_number = 'C-1'")
    script = _BROKEN.format(
        root=str(ROOT), module=module, secrets=(TOKEN, PASSWORD, OWNER), error=error, command=program[:-3],
        patch=patch.format(module=module), arguments=["-vv"],
    )  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", script], env=guarded.environment, cwd=guarded.folder, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    guarded.said += [done.stdout, done.stderr]
    assert done.returncode == (0 if bug in ("in a thread", "in a warning") else 1), done.stderr
    traced = "psycopg2" not in error and bug != "in a warning"
    assert ("Traceback" in done.stderr) == traced
    assert any("Traceback" in text for text in logged(guarded).values()) == traced


# A customer -----------------------------------------------------------------------------------------------------------


def test_a_customer_is_in_no_log_and_where_else_he_is_only_the_owner_looks(guarded: Company) -> None:
    """Whatever is edited, refused, in conflict or alike, in both directions and at every verbosity."""
    sandbox, (item, other, third, *_) = guarded.sandbox, jobs(guarded)
    contact = {OWNER_CELL: OWNER, EMAIL: {"email": ADDRESS, "text": OWNER}, NOTE: f"call {OWNER}"}
    for number, talk in enumerate(TALKS):
        sandbox.edit(item, {**contact, NOTE: f"call {OWNER} {number}", TEXT: f"for {OWNER}"})
        sandbox.edit(other, {OWNER_CELL: f"{OWNER} {number}", CLAIM: f"{OWNER}\0"}, force=True)  # quarantined
        sandbox.edit(third, {EMAIL: {"email": f"other{number}.{ADDRESS}", "text": OWNER}})
        sandbox.rename(third, f"Roof of {OWNER} {number}")
        guarded.run("--test", *talk)
        guarded.run(*talk)
        guarded.run("--test", "--use-cache", *talk)
        guarded.sql("UPDATE customers SET notes = %s", f"{OWNER} {number}")
        guarded.sql("UPDATE projects SET adjuster_email = %s, description = %s", OWNER, f"{OWNER} {number}")  # refused
        guarded.sql("INSERT INTO projects (item_name) VALUES (%s)", f"New roof of {OWNER} {number}")
        sandbox.edit(item, {NOTE: f"{OWNER} says no {number}"})  # a conflict
        sandbox.set_rule(MASTER_BOARD_ID, TEXT, OWNER if number % 2 else None)
        sandbox.fault("internal_error_200", match="mutation", times=1)
        for policy in ("manual", "pg", "monday"):
            guarded.run("--on-conflict", policy, *talk, program=PUSH)
            guarded.run("--on-conflict", policy, "--full", *talk)
        guarded.run("--retry-dead", *talk, program=PUSH)
        sandbox.clear_faults()
    texts = logged(guarded)
    assert [place for place, text in texts.items() if any(word in text.lower() for word in CUSTOMER)] == []
    assert {"monday_sync.log"} < set(texts)
    assert "batch" in texts["monday_sync.log"]
    assert [sandbox.item(one)["name"] for one in jobs(guarded) if OWNER in sandbox.item(one)["name"]]
    assert guarded.value("SELECT count(*) FROM monday_sync.sync_batch") == 0
    assert guarded.value("SELECT count(*) FROM monday_sync.sync_op") == 0
    holders = _holders(guarded.folder)
    assert {path.parent.name for path in holders} == {"cache"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in holders} == {0o600}
    assert {stat.S_IMODE(path.parent.stat().st_mode) for path in holders} == {0o700}


def _holders(folder: Path) -> list[Path]:
    """Files that hold the customer."""
    return [
        path
        for path in folder.rglob("*")
        if path.is_file() and any(word.encode() in path.read_bytes().lower() for word in CUSTOMER)
    ]


def test_every_file_is_its_owners_alone(guarded: Company) -> None:
    guarded.sql("UPDATE projects SET claim_number = 'C-1'")
    for program in COMMANDS:
        guarded.run("-v", program=program)
    modes: dict[str, Any] = {
        str(path.relative_to(guarded.folder)): oct(stat.S_IMODE(path.stat().st_mode))
        for path in guarded.folder.rglob("*")
        if path.name != "database"  # holds a random id and nothing else
    }
    assert {place: mode for place, mode in modes.items() if mode not in ("0o600", "0o700")} == {}
