"""Databases in an encoding that lacks signs: a value that does not fit is set aside alone, in a key too, and all else
works in both directions as it does in UTF8.
"""

from __future__ import annotations

import ast
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg2 import extensions, sql

from postgres.encoding import Encoding
from postgres.migrate import FOLDER
from sandbox import MASTER_BOARD_ID
from tests.support.company import ROOT, Company, small_world
from tests.support.pushing import shows
from tests.support.servers import Keywords

INSURER, NAME, TEXT, MAIL, STAGE = "text31__1", "text65__1", "text40__1", "email4__1", "text95__1"
LACKING = {"LATIN1": "→", "WIN1252": "→", "LATIN9": "日", "EUC_JP": "😀", "WIN1251": "ü", "EUC_TW": "ü"}


def jobs(company: Company) -> list[int]:
    return sorted(company.sandbox.item_ids(MASTER_BOARD_ID))


def listed(report: dict[str, Any]) -> set[tuple[int, str]]:
    return {(cell["item"], cell["column"].partition(" ")[0]) for cell in report["details"]["quarantined"]}


@pytest.fixture(params=["LATIN1", "WIN1252", "EUC_JP", "WIN1251", "SQL_ASCII", "EUC_TW"])
def foreign(
    request: pytest.FixtureRequest, admin: extensions.connection, server: Keywords, tmp_path: Path
) -> Iterator[Company]:
    """A company whose database has another encoding, before any run."""
    name = f"test_{uuid.uuid4().hex}"
    with admin.cursor() as cursor:
        cursor.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING {} LOCALE 'C'").format(
                sql.Identifier(name), sql.Literal(request.param)
            )
        )
        with small_world() as sandbox:
            keywords = {**server, "dbname": name}
            yield Company(sandbox, keywords, tmp_path, direct={**keywords, "client_encoding": "UTF8"})
        cursor.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def encoding_of(company: Company) -> str:
    return str(company.value("SHOW server_encoding"))


def test_a_value_that_does_not_fit_is_set_aside_alone(foreign: Company) -> None:
    sign = LACKING.get(encoding_of(foreign), "")
    first, second, third, *_ = jobs(foreign)
    sandbox = foreign.sandbox
    sandbox.edit(first, {INSURER: f"Mutual {sign}", TEXT: f"roof {sign}"})
    sandbox.edit(second, {MAIL: {"email": f"o{sign}2@mail.example", "text": "x"}, NAME: f"Owner {sign}"})
    sandbox.edit(third, {INSURER: "Plain Mutual", STAGE: f"Stage {sign}"})
    expected = {(first, INSURER), (first, TEXT), (second, MAIL), (second, NAME), (third, STAGE)} if sign else set()
    for arguments in (("--test",), (), ("--full",), ("--test", "--resync")):
        ended = foreign.sync(*arguments)
        assert (ended.code, listed(ended.report)) == (5 if sign else 0, expected), ended.err
    assert foreign.project(first, "estimated_value") == 1001
    assert foreign.value("SELECT count(*) FROM projects") == 6
    foreign.sql("UPDATE projects SET description = 'typed in SQL' WHERE monday_item_id = %s", third)
    assert foreign.push().report["items"]["update"] == 1
    assert shows(foreign, third, TEXT) == "typed in SQL"
    if sign:
        assert shows(foreign, first, TEXT) == f"roof {sign}"
        sandbox.edit(first, {INSURER: "Mutual", TEXT: "roof"})
        sandbox.edit(second, {MAIL: {"email": "o2@mail.example", "text": "x"}, NAME: "Owner 2"})
        sandbox.edit(third, {STAGE: "Approved"})
    assert [foreign.sync().code, foreign.push().code, foreign.sync().code] == [0, 0, 0]
    assert foreign.value("SELECT count(*) FROM insurances WHERE company_name IN ('Mutual', 'Plain Mutual')") == 2


def test_edits_of_signs_that_fit_go_both_ways(foreign: Company) -> None:
    """Keys, bases, conflicts and the journal hold them, whatever they are folded to."""
    word = {
        "LATIN1": "µ Zürich ß",
        "WIN1252": "µ Ÿ €",
        "EUC_JP": "日本",
        "WIN1251": "Страхование №",
        "SQL_ASCII": "日 ü",
    }
    text = word.get(encoding_of(foreign), "plain")  # fmt: skip
    first, second, third, *_ = jobs(foreign)
    for item_id in (first, second):
        foreign.sandbox.edit(item_id, {INSURER: text, NAME: text})
    assert foreign.sync().code == 0
    assert foreign.sql("SELECT company_name FROM insurances") == [(text,)]
    foreign.sandbox.edit(third, {INSURER: text})
    assert foreign.sync().code == 0
    assert foreign.sql("SELECT company_name FROM insurances") == [(text,)]
    foreign.sql("UPDATE projects SET description = %s WHERE monday_item_id = %s", f"{text} in SQL", first)
    foreign.sql("UPDATE insurances SET company_name = %s", f"{text} & Co")
    foreign.sql("INSERT INTO users (name, email, roles) VALUES (%s, 'new@roofs.example', '{Sales Staff}')", text)
    assert foreign.push().code == 0
    assert [shows(foreign, first, TEXT), shows(foreign, second, INSURER)] == [f"{text} in SQL", f"{text} & Co"]
    foreign.sandbox.edit(
        first, {TEXT: f"{text} on the board →"} if encoding_of(foreign) == "SQL_ASCII" else {TEXT: text}
    )
    foreign.sql("UPDATE projects SET description = %s WHERE monday_item_id = %s", f"{text} lost", first)
    ended = foreign.sync()
    assert ended.code == 5  # which is news
    assert [lost["lost_value"] for lost in ended.report["details"]["settled"]] == [f"{text} lost"]
    assert foreign.value("SELECT lost FROM monday_sync.sync_conflict") == f"{text} lost"
    assert [foreign.sync("--full").writes, foreign.push().report["items"]["update"]] == [0, 0]


@pytest.mark.parametrize("foreign", ["SQL_ASCII", "WIN1252"], indirect=True)
def test_bytes_that_are_no_text_are_named(foreign: Company) -> None:
    """A database that takes any byte may hold some that no client can read."""
    assert foreign.sync().code == 0
    foreign.sql("UPDATE customers SET notes = convert_from('\\x4281'::bytea, current_setting('server_encoding'))")
    foreign.sandbox.edit(jobs(foreign)[0], {TEXT: "an edit"})
    for command in (foreign.sync, foreign.push):
        ended = command()
        assert ended.code == 3, ended.err
        assert "holds text that is no " in ended.err


@given(st.text(), st.sampled_from(["UTF8", "LATIN1", "WIN1251", "EUC_JP", "EUC_TW", "SQL_ASCII"]))
def test_what_the_sync_keeps_is_read_back_whole(text: str, name: str) -> None:
    encoding = Encoding(name)
    kept = encoding.kept(text)
    assert encoding.said(kept) == text
    assert encoding.fits(kept)


@pytest.mark.parametrize(
    "name", ["LATIN1", "LATIN2", "WIN1252", "WIN1251", "EUC_JP", "EUC_KR", "EUC_CN", "EUC_JIS_2004"]
)
def test_no_sign_is_believed_to_fit_that_the_server_refuses(admin: extensions.connection, name: str) -> None:
    encoding = Encoding(name)
    fitting = "".join(sign for sign in map(chr, range(0xA0, 0x10000)) if not sign.isspace() and encoding.fits(sign))
    with admin.cursor() as cursor:
        cursor.execute("SELECT length(convert_to(%s, %s))", (fitting, name))


def test_sql_is_plain_ascii() -> None:
    """A comment in another script is text to a server like any other."""
    for path in FOLDER.glob("*.sql"):
        assert path.read_bytes().isascii(), path.name
    statement = re.compile(r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE|COPY) ")
    for path in [
        *(ROOT / "postgres").glob("*.py"),
        *(ROOT / "pull").glob("*.py"),
        *(ROOT / "push").glob("*.py"),
    ]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and statement.match(node.value.strip()):
                assert node.value.isascii(), f"{path.name}:{node.lineno}"
