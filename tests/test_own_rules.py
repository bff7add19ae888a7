"""Databases with rules of their owner's: constraints, triggers and rewrite rules that refuse, change or skip what is
written. A refusal costs one value or one row; what is remembered is what is stored; nothing of it bounces to the board.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.company import PUSH, Company, job_cells
from tests.test_inbound_world import ADDRESS, EMAIL, NAME, NOTE, PHONE, TEXT
from tests.test_inbound_world import create, customer_of, edit, email, jobs, phone, settled

STAGE, PRICE, CLAIM = "text95__1", "numbers0", "claim_number__1"
SECRET = "+1 303 555 0142"
"""A value that must be in no log."""

FUNCTION = """
CREATE FUNCTION owners() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NEW; END $$;
CREATE TRIGGER owners {when} ON {table} FOR EACH ROW EXECUTE FUNCTION owners()
"""


def trigger(table: str, body: str, when: str = "BEFORE INSERT OR UPDATE") -> str:
    return FUNCTION.format(table=table, body=body, when=when)


def cell(company: Company, item: int, column: str) -> Any:
    return company.sandbox.item(item)["cells"][column]["text"]


def nothing_is_sent(company: Company) -> None:
    """By a push, after which nothing waits either."""
    before = company.sandbox.counters()["mutations"]
    ended = company.push()
    assert ended.code in (0, 5), ended.err
    assert (ended.report["items"]["update"], company.sandbox.counters()["mutations"]) == (0, before)


# One column that is refused -------------------------------------------------------------------------------------------

DIGITS = "CHECK (phone ~ '^[0-9+]*$')"
REFUSALS = {
    "check": (f"ALTER TABLE customers ADD CONSTRAINT digits {DIGITS}", "ALTER TABLE customers DROP CONSTRAINT digits"),
    "check of two columns": (
        "ALTER TABLE customers ADD CONSTRAINT digits CHECK (phone ~ '^[0-9+]*$' OR notes = 'checked')",
        "ALTER TABLE customers DROP CONSTRAINT digits",
    ),
    "domain": (
        f"CREATE DOMAIN digits AS text {DIGITS.replace('phone', 'VALUE')};"
        " ALTER TABLE customers ALTER phone TYPE digits, ADD fax digits, ALTER notes TYPE digits",
        "ALTER DOMAIN digits DROP CONSTRAINT digits_check",
    ),
    "unique": (
        "INSERT INTO customers (phone) VALUES ('(303) 555-0142'); CREATE UNIQUE INDEX one_phone ON customers (phone)",
        "DROP INDEX one_phone",
    ),
    "unique expression": (
        "INSERT INTO customers (phone) VALUES ('(303) 555-0142');"
        "CREATE UNIQUE INDEX one_phone ON customers ((btrim(phone)))",
        "DROP INDEX one_phone",
    ),
    "exclusion": (
        "INSERT INTO customers (phone) VALUES ('(303) 555-0142');"
        "ALTER TABLE customers ADD CONSTRAINT one_phone EXCLUDE USING btree (phone WITH =)",
        "ALTER TABLE customers DROP CONSTRAINT one_phone",
    ),
    "foreign key": (
        "CREATE TABLE known (phone text PRIMARY KEY); INSERT INTO known VALUES ('3035550100'), ('3035550101');"
        "ALTER TABLE customers ADD CONSTRAINT known FOREIGN KEY (phone) REFERENCES known",
        "ALTER TABLE customers DROP CONSTRAINT known",
    ),
    "deferred foreign key": (
        "CREATE TABLE known (phone text PRIMARY KEY); INSERT INTO known VALUES ('3035550100'), ('3035550101');"
        "ALTER TABLE customers ADD CONSTRAINT known FOREIGN KEY (phone) REFERENCES known DEFERRABLE INITIALLY DEFERRED",
        "ALTER TABLE customers DROP CONSTRAINT known",
    ),
    "trigger": (
        trigger("customers", "IF NEW.phone LIKE '(%' THEN RAISE EXCEPTION 'no %', NEW.phone; END IF;"),
        "DROP TRIGGER owners ON customers",
    ),
    "deferred trigger": (
        "CREATE FUNCTION owners() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.phone LIKE '(%' THEN"
        " RAISE EXCEPTION 'no %', NEW.phone USING ERRCODE = 'AB123'; END IF; RETURN NULL; END $$;"
        "CREATE CONSTRAINT TRIGGER owners AFTER INSERT OR UPDATE ON customers DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION owners()",
        "DROP TRIGGER owners ON customers",
    ),
    "generated column": (
        "ALTER TABLE customers ADD area integer GENERATED ALWAYS AS (substr(phone, 1, 3)::integer) STORED",
        "ALTER TABLE customers DROP area",
    ),
    "raised with values for names": (
        trigger(
            "customers",
            "IF NEW.phone LIKE '(%' THEN RAISE EXCEPTION USING ERRCODE = '23514', MESSAGE = NEW.phone,"
            " CONSTRAINT = NEW.phone, COLUMN = NEW.phone, TABLE = NEW.phone, DETAIL = NEW.phone; END IF;",
        ),
        "DROP TRIGGER owners ON customers",
    ),
}  # fmt: skip
BAD = "(303) 555-0142"


@pytest.mark.parametrize("kind", REFUSALS)
@pytest.mark.parametrize("new", [True, False], ids=["new", "known"])
def test_a_refused_value_costs_its_column_alone(synced: Company, kind: str, new: bool) -> None:
    refuse, allow = REFUSALS[kind]
    other = jobs(synced)[1]
    if new:
        item = create(synced, "Job 40", job_cells(40) | {PHONE: phone(BAD), CLAIM: "C-40"})
    else:
        item = jobs(synced)[0]
        edit(synced, item, {PHONE: phone("3035550100")})
        assert synced.sync().code == 0
        edit(synced, item, {PHONE: phone(BAD), NOTE: None, CLAIM: "C-40"})
    edit(synced, other, {PHONE: phone("3035550101")})
    synced.sql(refuse)
    before = None if new else "3035550100"
    for _ in range(2):
        ended = synced.sync()
        assert ended.code == 5, ended.err
        told = ended.report["details"]["quarantined"]
        assert [(found["item"], found["column"].split()[0]) for found in told] == [(item, PHONE)]
        assert "customers.phone" in told[0]["reason"]
        assert BAD not in ended.err
        assert (customer_of(synced, item)["phone"], synced.project(item, "claim_number")) == (before, "C-40")
        assert customer_of(synced, other)["phone"] == "3035550101"
        nothing_is_sent(synced)
        assert cell(synced, item, PHONE) == BAD
    assert ended.writes == 0
    assert all(BAD not in path.read_text() for path in Path(synced.folder / "logs").iterdir())
    synced.sql("UPDATE customers SET name = 'Owner Forty' WHERE id = %s::uuid", customer_of(synced, item)["id"])
    assert synced.push().report["items"]["update"] == 1
    assert (cell(synced, item, PHONE), cell(synced, item, NAME)) == (BAD, "Owner Forty")
    synced.sql(allow)
    assert synced.sync().code == 0
    assert customer_of(synced, item)["phone"] == BAD
    settled(synced)
    nothing_is_sent(synced)


@pytest.mark.parametrize("new", [True, False], ids=["new", "known"])
def test_a_correction_on_the_board_lands_and_closes_what_was_open(synced: Company, new: bool) -> None:
    synced.sql(REFUSALS["check"][0])
    item = create(synced, "Job 40", job_cells(40) | {PHONE: phone(BAD)}) if new else jobs(synced)[0]
    edit(synced, item, {PHONE: phone(BAD)})
    assert synced.sync().code == 5
    nothing_is_sent(synced)
    edit(synced, item, {PHONE: phone("+13035550142")})
    assert synced.sync().code == 0
    assert customer_of(synced, item)["phone"] == "+13035550142"
    synced.sql("UPDATE customers SET phone = '+13035550199' WHERE phone = '+13035550142'")
    assert synced.push().report["items"]["update"] == 1
    assert "0199" in cell(synced, item, PHONE)
    settled(synced)
