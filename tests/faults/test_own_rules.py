"""Databases with rules of their owner's: constraints, triggers and rewrite rules that refuse, change or skip what is
written. A refusal costs one value or one row; what is remembered is what is stored; nothing of it bounces to the board.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox import STAFF_BOARD_ID
from tests.edges.test_inbound_world import (
    EMAIL,
    NAME,
    NOTE,
    PHONE,
    TEXT,
    create,
    customer_of,
    edit,
    email,
    jobs,
    phone,
    settled,
)
from tests.support.company import PUSH, Company, job_cells, small_world
from tests.support.servers import Keywords

CLAIM, STORM = "claim_number__1", "date_19__1"
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
        "ALTER TABLE customers ADD CONSTRAINT digits CHECK (phone ~ '^[0-9+]*$' OR coalesce(notes, '') = 'checked')",
        "ALTER TABLE customers DROP CONSTRAINT digits",
    ),
    "domain": (
        (f"CREATE DOMAIN digits AS text {DIGITS.replace('phone', 'VALUE')};"
        " ALTER TABLE customers ALTER phone TYPE digits, ADD fax digits, ALTER notes TYPE digits"),
        "ALTER DOMAIN digits DROP CONSTRAINT digits_check",
    ),
    "unique": (
        "INSERT INTO customers (phone) VALUES ('(303) 555-0142'); CREATE UNIQUE INDEX one_phone ON customers (phone)",
        "DROP INDEX one_phone",
    ),
    "unique expression": (
        ("INSERT INTO customers (phone) VALUES ('(303) 555-0142');"
        "CREATE UNIQUE INDEX one_phone ON customers ((btrim(phone)))"),
        "DROP INDEX one_phone",
    ),
    "exclusion": (
        ("INSERT INTO customers (phone) VALUES ('(303) 555-0142');"
        "ALTER TABLE customers ADD CONSTRAINT one_phone EXCLUDE USING btree (phone WITH =)"),
        "ALTER TABLE customers DROP CONSTRAINT one_phone",
    ),
    "foreign key": (
        ("CREATE TABLE known (phone text PRIMARY KEY); INSERT INTO known VALUES ('3035550100'), ('3035550101');"
        "ALTER TABLE customers ADD CONSTRAINT known FOREIGN KEY (phone) REFERENCES known"),
        "ALTER TABLE customers DROP CONSTRAINT known",
    ),
    "deferred foreign key": (
        ("CREATE TABLE known (phone text PRIMARY KEY); INSERT INTO known VALUES ('3035550100'), ('3035550101');"
        "ALTER TABLE customers ADD CONSTRAINT known FOREIGN KEY (phone) REFERENCES known"
        " DEFERRABLE INITIALLY DEFERRED"),
        "ALTER TABLE customers DROP CONSTRAINT known",
    ),
    "trigger": (
        trigger("customers", "IF NEW.phone LIKE '(%' THEN RAISE EXCEPTION 'no %', NEW.phone; END IF;"),
        "DROP TRIGGER owners ON customers",
    ),
    "deferred trigger": (
        ("CREATE FUNCTION owners() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.phone LIKE '(%' THEN"
        " RAISE EXCEPTION 'no %', NEW.phone USING ERRCODE = 'AB123'; END IF; RETURN NULL; END $$;"
        "CREATE CONSTRAINT TRIGGER owners AFTER INSERT OR UPDATE ON customers DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION owners()"),
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
@pytest.mark.sampled(2)
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


@pytest.mark.parametrize("manner", ["check", "trigger"])
def test_a_first_run_on_tables_that_refuse_much_lands_everything_else(blank_company: Company, manner: str) -> None:
    """Many rows at once, and their projects with them."""
    company = blank_company
    bad = "phone ~ '[^0-9+]'"
    company.sql("CREATE TABLE customers (id uuid PRIMARY KEY, phone text); CREATE TABLE users (LIKE customers)")
    company.sql("ALTER TABLE users ADD PRIMARY KEY (id)")
    for table in ("customers", "users"):
        company.sql(
            f"ALTER TABLE {table} ADD CONSTRAINT digits CHECK (NOT {bad})"
            if manner == "check"
            else trigger(table, f"IF NEW.{bad} THEN RAISE EXCEPTION 'no'; END IF;").replace("owners", f"of_{table}")
        )
    items = jobs(company)
    for number, item in enumerate(items):
        company.sandbox.edit(item, {PHONE: phone(f"(303) 555-01{number:02}")} if number % 4 else {})
    ended = company.sync()
    assert ended.code == 5, ended.err
    refused = sum(number % 4 > 0 for number in range(len(items)))
    assert ended.report["quarantined"] == refused
    assert company.counts()["projects"] == len(items)
    assert company.value("SELECT count(*) FROM projects WHERE customer_id IS NULL") == 0
    assert company.value("SELECT count(*) FROM customers WHERE name IS NULL") == 0
    again = company.sync()
    assert (again.code, again.writes, again.report["quarantined"]) == (5, 0, refused)
    nothing_is_sent(company)


@pytest.fixture
def blank_company(blank: Keywords, tmp_path: Path) -> Iterator[Company]:
    with small_world(items=40) as sandbox:
        yield Company(sandbox, blank, tmp_path)


def test_what_is_tried_again_is_no_news_to_the_guards(blank_company: Company) -> None:
    """Neither where every item has something refused, nor where known rows refuse most of an edit that was let pass."""
    company = blank_company
    for item in jobs(company):
        company.sandbox.edit(item, {PHONE: phone("3035550100")})
    assert company.sync().code == 0
    company.sql("ALTER TABLE customers ADD CONSTRAINT no CHECK (phone LIKE '303%')")
    for item in jobs(company):
        edit(company, item, {PHONE: phone("(303) 555-0199")})
    assert company.sync().code == 4
    assert company.sync("--max-change", "40").code == 5
    for arguments in ((), ("--full",), ()):
        again = company.sync(*arguments)
        assert (again.code, again.writes, again.report["quarantined"]) == (5, 0, 40), again.err
    for item in jobs(company):
        edit(company, item, {PHONE: None})
    assert company.sync().code == 4


def test_beyond_a_hundred_refused_values_wait_for_the_next_whole_read(blank: Keywords, tmp_path: Path) -> None:
    """A run in which nothing changed does not ask for all of them again."""
    with small_world(items=130) as sandbox:
        company = Company(sandbox, blank, tmp_path)
        company.sql("CREATE TABLE customers (id uuid PRIMARY KEY, name text CONSTRAINT none_of_them CHECK (name = ''))")
        assert company.sync().report["quarantined"] == 130
        sandbox.reset_counters()
        again = company.sync()
        assert (again.code, again.report["quarantined"]) == (5, 130)
        assert sandbox.counters()["requests"] <= 2
        company.sql("ALTER TABLE customers DROP CONSTRAINT none_of_them")
        assert company.sync("--full").code == 0
        assert company.value("SELECT count(*) FROM customers WHERE name LIKE 'Owner %%'") == 130


def test_a_project_lands_without_a_parent_that_is_refused_and_is_given_it_later(synced: Company) -> None:
    """Whatever of the parent was refused, nothing of that is an edit in PostgreSQL, and nothing is sent."""
    synced.sql(
        "ALTER TABLE storms ADD CONSTRAINT no CHECK (date_of_loss > '2026-06-01');"
        "ALTER TABLE customers ADD CONSTRAINT no CHECK (coalesce(email, 'owner41') NOT LIKE 'owner41%' IS TRUE)"
    )
    new = create(synced, "Job 41", job_cells(41) | {STORM: {"date": "2026-05-01"}})
    known = jobs(synced)[0]
    edit(synced, known, {STORM: {"date": "2026-05-02"}, TEXT: "lands"})
    for _ in range(2):
        ended = synced.sync()
        assert ended.code == 5, ended.err
        assert ended.report["quarantined"] == 3
        assert [synced.project(new, column) for column in ("description", "customer_id", "storm_id")] == [
            "Roof 41", None, None
        ]  # fmt: skip
        assert synced.project(new, "property_id") is not None
        assert (synced.project(known, "description"), synced.project(known, "storm_id")) == ("lands", None)
        nothing_is_sent(synced)
    assert ended.writes == 0
    synced.sql("ALTER TABLE storms DROP CONSTRAINT no; ALTER TABLE customers DROP CONSTRAINT no")
    assert synced.sync().code == 0
    assert customer_of(synced, new)["email"] == "owner41@mail.example"
    assert synced.value("SELECT count(*) FROM storms s JOIN projects p ON p.storm_id = s.id") == 2
    assert synced.value("SELECT count(*) FROM properties WHERE customer_id IS NULL") == 0
    settled(synced)
    nothing_is_sent(synced)


def test_a_project_keeps_its_customer_while_the_next_one_is_refused(synced: Company) -> None:
    item = jobs(synced)[0]
    synced.sql("ALTER TABLE customers ADD CONSTRAINT no CHECK (coalesce(email, 'no@') NOT LIKE 'no@%' IS TRUE)")
    edit(synced, item, {EMAIL: email("no@mail.example"), NAME: "Somebody Else", PHONE: phone("2025550100")})
    for _ in range(2):
        assert synced.sync().code == 5
        assert customer_of(synced, item)["email"] == "owner1@mail.example"
        nothing_is_sent(synced)
    synced.sql("ALTER TABLE customers DROP CONSTRAINT no")
    assert synced.sync().code == 0
    assert customer_of(synced, item)["email"] == "no@mail.example"
    settled(synced)


def test_a_pointer_that_is_refused_is_set_as_soon_as_it_may_be(synced: Company) -> None:
    synced.sql("ALTER TABLE projects ADD CONSTRAINT no CHECK (customer_id IS NULL) NOT VALID")
    item = create(synced, "Job 42", job_cells(42))
    for _ in range(2):
        ended = synced.sync()
        assert ended.code == 5
        (told,) = ended.report["details"]["quarantined"]
        assert told["column"].endswith(".customer_id")
        assert (synced.project(item, "description"), synced.project(item, "customer_id")) == ("Roof 42", None)
        nothing_is_sent(synced)
    synced.sql("ALTER TABLE projects DROP CONSTRAINT no")
    assert synced.sync().code == 0
    assert customer_of(synced, item)["email"] == "owner42@mail.example"
    settled(synced)


def test_a_default_stands_for_an_empty_cell_where_the_column_may_not_be_empty(blank_company: Company) -> None:
    blank_company.sql("CREATE TABLE customers (id uuid PRIMARY KEY, notes text NOT NULL DEFAULT 'none', phone text)")
    item = jobs(blank_company)[0]
    blank_company.sandbox.edit(item, {NOTE: "ring twice"})
    assert blank_company.sync().code == 0
    assert blank_company.sql("SELECT notes, count(*) FROM customers GROUP BY 1 ORDER BY 2") == [
        ("ring twice", 1), ("none", 39)
    ]  # fmt: skip
    nothing_is_sent(blank_company)
    blank_company.sql("UPDATE customers SET phone = '+13035550199' WHERE name = 'Owner 7'")
    assert blank_company.push().report["items"]["update"] == 1
    assert NOTE not in blank_company.sandbox.item(jobs(blank_company)[6])["cells"]
    settled(blank_company)


# What is stored otherwise ---------------------------------------------------------------------------------------------

LOUD = "NEW.name := upper(NEW.name);"
WRITERS = {
    "before": trigger("customers", LOUD),
    "after": trigger(
        "customers", "UPDATE customers SET name = upper(name) WHERE id = NEW.id AND name <> upper(name);",
        "AFTER INSERT OR UPDATE",
    ),
    "deferred": trigger(
        "customers", "UPDATE customers SET name = upper(name) WHERE id = NEW.id AND name <> upper(name);",
        "AFTER INSERT OR UPDATE",
    ).replace("CREATE TRIGGER", "CREATE CONSTRAINT TRIGGER").replace(" FOR", " DEFERRABLE INITIALLY DEFERRED FOR"),
    "by another table's": trigger(
        "projects", "UPDATE customers SET name = upper(name) WHERE id = NEW.customer_id;", "AFTER INSERT OR UPDATE"
    ),
    "a rule": "CREATE RULE owners AS ON INSERT TO customers DO ALSO"
    " UPDATE customers SET name = upper(name) WHERE email = NEW.email",
}  # fmt: skip


@pytest.mark.parametrize("writer", WRITERS)
def test_what_a_trigger_made_of_a_value_never_goes_to_the_board(synced: Company, writer: str) -> None:
    """Neither by itself nor beside an edit of another field; a new word of the board's goes on landing."""
    synced.sql(WRITERS[writer])
    item = create(synced, "Job 43", job_cells(43))
    report = synced.landed()
    assert customer_of(synced, item)["name"] == "OWNER 43"
    assert report["tolerated"] == 1
    nothing_is_sent(synced)
    synced.sql("UPDATE customers SET notes = 'ring twice' WHERE name = 'OWNER 43'")
    assert synced.push().report["items"]["update"] == 1
    assert (cell(synced, item, NAME), cell(synced, item, NOTE)) == ("Owner 43", "ring twice")
    settled(synced)
    if writer == "by another table's":  # which has to be written for it
        return
    edit(synced, item, {NAME: "Owner Fourty-Three", NOTE: None})
    synced.landed()
    assert customer_of(synced, item)["name"].upper() == "OWNER FOURTY-THREE"
    nothing_is_sent(synced)
    synced.sql("UPDATE customers SET name = 'THEODORE', notes = 'x' WHERE email LIKE 'owner43@%%'")
    assert synced.push().report["items"]["update"] == 1
    assert cell(synced, item, NAME) == "THEODORE"
    settled(synced)


def test_a_first_run_with_triggers_everywhere_ends_in_step(blank_company: Company) -> None:
    blank_company.sql(
        "CREATE TABLE customers (id uuid PRIMARY KEY, name text); CREATE TABLE projects (id uuid PRIMARY KEY);"
        "ALTER TABLE projects ADD description text"
    )
    blank_company.sql(trigger("customers", LOUD))
    blank_company.sql(trigger("projects", "NEW.description := btrim(lower(NEW.description));").replace("owners", "too"))
    report = blank_company.landed()
    assert report["tolerated"] == 80
    settled(blank_company)
    nothing_is_sent(blank_company)
    blank_company.sql("UPDATE projects SET claim_number = 'C-' || substr(description, 6)")
    pushed = blank_company.push()
    assert pushed.report["items"]["update"] == 40
    assert {cell(blank_company, item, TEXT)[:5] for item in jobs(blank_company)} == {"Roof "}
    settled(blank_company)


# What is left out -----------------------------------------------------------------------------------------------------

SKIPPERS = {
    "trigger on insert": (
        trigger("customers", "IF NEW.email LIKE 'owner44%' THEN RETURN NULL; END IF;"),
        "DROP TRIGGER owners ON customers",
    ),
    "rule on insert": (
        "CREATE RULE owners AS ON INSERT TO customers WHERE NEW.email LIKE 'owner44%%' DO INSTEAD NOTHING",
        "DROP RULE owners ON customers",
    ),
    "trigger on update": (
        trigger("customers", "IF NEW.notes = 'x' THEN RETURN NULL; END IF;"), "DROP TRIGGER owners ON customers",
    ),
    "rule on update": (
        "CREATE RULE owners AS ON UPDATE TO customers WHERE NEW.notes = 'x' DO INSTEAD NOTHING",
        "DROP RULE owners ON customers",
    ),
    "rule on every update": (
        "CREATE RULE owners AS ON UPDATE TO customers DO INSTEAD NOTHING", "DROP RULE owners ON customers",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", SKIPPERS)
def test_a_row_that_is_left_out_is_named_and_tried_again(synced: Company, kind: str) -> None:
    skip, allow = SKIPPERS[kind]
    synced.sql(skip)
    other = jobs(synced)[1]
    if "insert" in kind:
        item = create(synced, "Job 44", job_cells(44) | {NOTE: "x"})
    else:
        item = jobs(synced)[0]
        edit(synced, item, {NOTE: "x"})
    edit(synced, item, {TEXT: "lands"})
    edit(synced, other, {TEXT: "lands too"})
    for _ in range(2):
        ended = synced.sync()
        assert ended.code == 5, ended.err
        (told,) = ended.report["details"]["quarantined"]
        assert told["item"] == item
        assert "left it out" in told["reason"]
        assert (synced.project(item, "description"), synced.project(other, "description")) == ("lands", "lands too")
        nothing_is_sent(synced)
    assert ended.writes == 0
    synced.sql(allow)
    assert synced.sync().code == 0
    assert customer_of(synced, item)["notes"] == "x"
    settled(synced)


# Errors of any kind ---------------------------------------------------------------------------------------------------

CODES = {
    "one of its own": "RAISE EXCEPTION 'no %', NEW.phone USING ERRCODE = 'AB123'",
    "no data found": "RAISE no_data_found USING MESSAGE = NEW.phone",
    "a right": "RAISE insufficient_privilege USING MESSAGE = NEW.phone",
    "an undefined table": "RAISE undefined_table USING MESSAGE = NEW.phone",
    "a table that is not there": "PERFORM 1 FROM not_there WHERE phone = NEW.phone",
    "a function that is not there": "PERFORM not_there(NEW.phone)",
    "a table without a right": "SET LOCAL ROLE pg_monitor; PERFORM 1 FROM customers",
    "division by zero": "PERFORM 1 / (length(NEW.phone) - length(NEW.phone))",
    "a value that is none": "PERFORM NEW.phone::integer",
    "an assertion": "ASSERT false, NEW.phone",
    "an internal error": "RAISE EXCEPTION USING ERRCODE = 'XX000', MESSAGE = NEW.phone",
    "an authorization": "RAISE EXCEPTION USING ERRCODE = '28000', MESSAGE = NEW.phone",
    "not supported": "RAISE feature_not_supported USING MESSAGE = NEW.phone",
}


@pytest.mark.parametrize("code", CODES)
@pytest.mark.sampled(2)
def test_whatever_a_trigger_raises_it_is_one_rows_and_its_words_are_shown_to_nobody(synced: Company, code: str) -> None:
    synced.sql(trigger("customers", f"IF NEW.phone = '{SECRET}' THEN {CODES[code]}; END IF;"))
    item, other = jobs(synced)[:2]
    edit(synced, item, {PHONE: phone(SECRET), TEXT: "lands"})
    edit(synced, other, {PHONE: phone("3035550101")})
    new = create(synced, "Job 45", job_cells(45) | {PHONE: phone(SECRET)})
    for arguments in (("-v",), ()):
        ended = synced.run(*arguments)
        assert ended.code == 5, ended.err
        assert SECRET not in ended.err
    assert all(SECRET not in path.read_text() for path in Path(synced.folder / "logs").iterdir())
    assert not synced.sql("SELECT FROM monday_sync.sync_dead WHERE reason LIKE %s", f"%{SECRET}%")
    assert synced.project(item, "description") == "lands"
    assert customer_of(synced, other)["phone"] == "3035550101"
    assert (synced.project(new, "description"), customer_of(synced, new)["phone"]) == ("Roof 45", None)
    nothing_is_sent(synced)
    synced.sql("DROP TRIGGER owners ON customers")
    assert synced.sync().code == 0
    assert customer_of(synced, new)["phone"] == customer_of(synced, item)["phone"] == SECRET


@pytest.mark.parametrize("code", ["a right", "one of its own", "a table that is not there"])
def test_a_trigger_that_refuses_every_row_is_no_fault_of_the_role(synced: Company, code: str) -> None:
    synced.sql(trigger("customers", f"{CODES[code]};".replace("NEW.phone", "NEW.name")))
    for item in jobs(synced):
        edit(synced, item, {PHONE: phone("3035550101"), TEXT: "lands"})
    ended = synced.sync()
    assert ended.code == 5, ended.err
    assert {synced.project(item, "description") for item in jobs(synced)} == {"lands"}


@pytest.mark.own_role
def test_a_right_that_the_role_lacks_is_the_owners_business(synced: Company) -> None:
    """Not one row's, and said as it was."""
    synced.sql("CREATE ROLE clerk LOGIN PASSWORD 'clerk' IN ROLE pg_read_all_data")
    synced.sql("GRANT ALL ON ALL TABLES IN SCHEMA monday_sync TO clerk; GRANT USAGE ON SCHEMA monday_sync TO clerk")
    synced.sql("GRANT UPDATE ON ALL TABLES IN SCHEMA public TO clerk")
    edit(synced, jobs(synced)[0], {TEXT: "new"})
    create(synced, "Job 46", job_cells(46))
    synced.database = {**synced.database, "user": "clerk", "password": "clerk"}
    ended = synced.run()
    assert ended.code == 2, ended.err
    assert "permission denied" in ended.err


# Foretold as far as can be --------------------------------------------------------------------------------------------


def test_a_dry_run_and_the_doctor_name_what_nobody_can_foretell(synced: Company) -> None:
    edit(synced, jobs(synced)[0], {TEXT: "new"})
    assert not any("foretell" in note for note in synced.sync("--test").report["notes"])
    for kind in ("unique", "trigger"):
        synced.sql(REFUSALS[kind][0].replace("TRIGGER owners", "TRIGGER tidy"))
    synced.sql(f"ALTER TABLE customers ADD CONSTRAINT digits {DIGITS} NOT VALID")
    synced.sql("CREATE RULE keep AS ON UPDATE TO storms DO INSTEAD NOTHING")
    (note,) = (note for note in synced.sync("--test").report["notes"] if "foretell" in note)
    for name in ("customers (", "check digits", "unique one_phone", "trigger tidy", "storms (update rule keep)"):
        assert name in note, name
    told = synced.run(program="test_sync.py").out
    assert "trigger tidy" in told


# The other direction --------------------------------------------------------------------------------------------------

STUBBORN = {
    "a right": (trigger("users", "RAISE insufficient_privilege USING MESSAGE = NEW.name;", "BEFORE UPDATE"), "42501"),
    "its own code": (trigger("users", "RAISE 'no' USING ERRCODE = 'AB123';", "BEFORE UPDATE"), "AB123"),
    "left out": (trigger("users", "RETURN NULL;", "BEFORE UPDATE"), "left it out"),
    "changed": (trigger("users", "NEW.name := 'always';", "BEFORE UPDATE"), "stored something else"),
    "rule": ("CREATE RULE owners AS ON UPDATE TO users DO INSTEAD NOTHING", "left it out"),
    "rule for some": (
        "CREATE RULE owners AS ON UPDATE TO users WHERE NEW.name LIKE 'Ada%%' DO INSTEAD NOTHING", "left it out",
    ),
    "deferred": (
        trigger("users", "RAISE 'no' USING ERRCODE = 'AB123';", "AFTER UPDATE")
        .replace("CREATE TRIGGER", "CREATE CONSTRAINT TRIGGER")
        .replace(" FOR EACH", " DEFERRABLE INITIALLY DEFERRED FOR EACH"),
        "AB123",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", STUBBORN)
def test_a_row_that_cannot_be_made_whole_stops_no_push(synced: Company, kind: str) -> None:
    rule, told = STUBBORN[kind]
    rep, other = sorted(synced.sandbox.item_ids(STAFF_BOARD_ID))
    synced.sql("UPDATE users SET first_name = 'Ada' WHERE monday_item_id = %s", rep)
    synced.sql("UPDATE users SET shirt_size = 'XL' WHERE monday_item_id = %s", other)
    synced.sql(rule)
    for _ in range(2):
        ended = synced.run("--json", program=PUSH)
        assert ended.code == 5, ended.err
        assert told in {found["item"]: found["reason"] for found in ended.report["details"]["quarantined"]}[rep]
        assert cell(synced, other, "text6") == "XL"
        assert cell(synced, rep, "text25") == "Rep 1"
    drop = "DROP RULE owners ON users" if "RULE" in rule else "DROP TRIGGER owners ON users"
    synced.sql(drop)
    assert synced.push("--retry-dead").code == 0
    assert cell(synced, rep, "text25") == "Ada"


# Values that rows hand on ---------------------------------------------------------------------------------------------

ONE_EMAIL = {
    "index": "CREATE UNIQUE INDEX one_email ON customers (lower(email))",
    "constraint": "ALTER TABLE customers ADD CONSTRAINT one_email UNIQUE (email)",
    "deferred": "ALTER TABLE customers ADD CONSTRAINT one_email UNIQUE (email) DEFERRABLE INITIALLY DEFERRED",
}


@pytest.mark.parametrize("kind", ONE_EMAIL)
def test_e_mails_that_are_exchanged_or_handed_on_land_under_a_unique_index(synced: Company, kind: str) -> None:
    synced.sql(ONE_EMAIL[kind])
    items = jobs(synced)
    told = {0: 2, 1: 1, 2: 4, 3: 5, 4: 40}  # the first two exchange theirs, the others hand theirs on
    for place, number in told.items():
        edit(synced, items[place], {EMAIL: email(f"owner{number}@mail.example")})
    ended = synced.sync("--max-change", "100")
    assert ended.code in (0, 5), ended.err
    assert ended.report["quarantined"] == 0
    assert [customer_of(synced, items[place])["email"] for place in told] == [
        f"owner{number}@mail.example" for number in told.values()
    ]
    settled(synced)


@pytest.mark.parametrize("how", ["BEFORE UPDATE", "AFTER UPDATE"])
def test_a_row_that_will_not_take_its_items_id_stops_no_push_and_makes_no_second_item(
    synced: Company, how: str
) -> None:
    rule = trigger(
        "projects",
        "IF NEW.description = 'stubborn' AND NEW.monday_item_id IS NOT NULL"
        " THEN RAISE 'no' USING ERRCODE = 'AB123'; END IF;",
        how,
    )
    if how.startswith("AFTER"):
        rule = rule.replace("CREATE TRIGGER", "CREATE CONSTRAINT TRIGGER")
        rule = rule.replace(" FOR EACH", " DEFERRABLE INITIALLY DEFERRED FOR EACH")
    synced.sql(rule)
    for word in ("stubborn", "willing"):
        synced.sql("INSERT INTO projects (name, description, status) VALUES (%s, %s, 'pending')", f"New {word}", word)
    before = len(jobs(synced))
    for _ in range(2):
        ended = synced.run("--json", program=PUSH)
        assert ended.code == 5, ended.err
        assert "AB123" in ended.report["details"]["quarantined"][0]["reason"]
        assert len(jobs(synced)) == before + 2
        assert synced.value("SELECT monday_item_id IS NOT NULL FROM projects WHERE description = 'willing'")
    synced.sql("DROP TRIGGER owners ON projects")
    assert synced.sync("--full").writes >= 0
    assert synced.value("SELECT count(*) FROM projects WHERE description IN ('stubborn', 'willing')") == 2


def test_roles_that_are_refused_stop_no_push(synced: Company) -> None:
    item = jobs(synced)[0]
    synced.sql("ALTER TABLE users ADD CONSTRAINT no CHECK (NOT roles && '{Estimator}')")
    rep = synced.value("SELECT id::text FROM users ORDER BY id LIMIT 1")
    synced.sql("UPDATE projects SET estimator_id = %s WHERE monday_item_id = %s", rep, item)
    ended = synced.run("--json", program=PUSH)
    assert ended.code == 5, ended.err
    (told,) = ended.report["details"]["quarantined"]
    assert "constraint=no" in told["reason"]


def test_a_new_row_that_cannot_be_made_whole_is_named(synced: Company) -> None:
    synced.sql(trigger("projects", "RAISE 'no' USING ERRCODE = 'AB123';", "BEFORE UPDATE"))
    synced.sql("INSERT INTO projects (name, description) VALUES ('New', 'no status yet')")
    before = len(jobs(synced))
    ended = synced.run("--json", program=PUSH)
    assert (ended.code, len(jobs(synced))) == (5, before), ended.err
    assert "AB123" in ended.report["details"]["quarantined"][0]["reason"]
    synced.sql("DROP TRIGGER owners ON projects")
    assert synced.push().code == 0
    assert len(jobs(synced)) == before + 1


def test_what_a_trigger_says_where_no_row_is_written_is_shown_to_nobody(synced: Company) -> None:
    """Not one on the sync's own tables either, which stops the run."""
    synced.sql(
        f"CREATE FUNCTION owners() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" RAISE insufficient_privilege USING MESSAGE = '{SECRET}', DETAIL = '{SECRET}'; END $$;"
        "CREATE TRIGGER owners BEFORE INSERT ON monday_sync.sync_item FOR EACH ROW EXECUTE FUNCTION owners()"
    )
    edit(synced, jobs(synced)[0], {TEXT: "new"})
    ended = synced.run()
    assert ended.code == 2, ended.err
    assert "42501" in ended.err
    assert SECRET not in ended.err
    assert all(SECRET not in path.read_text() for path in Path(synced.folder / "logs").iterdir())


@pytest.mark.parametrize("what", ["customer_id", "property_id"])
def test_a_foreign_key_that_a_trigger_would_not_have_clears_no_cell(synced: Company, what: str) -> None:
    """On the board the item goes on showing what it shows; a person who sets the key is heard."""
    synced.sql(trigger("projects", f"IF NEW.description = 'Roof 47' THEN NEW.{what} := NULL; END IF;", "BEFORE INSERT"))
    item = create(synced, "Job 47", job_cells(47))
    synced.landed()
    assert synced.project(item, what) is None
    nothing_is_sent(synced)
    synced.sql("UPDATE projects SET claim_number = 'C-47' WHERE monday_item_id = %s", item)
    assert synced.push().report["items"]["update"] == 1
    assert (cell(synced, item, NAME), cell(synced, item, CLAIM)) == ("Owner 47", "C-47")
    settled(synced)
    table = "customers" if what == "customer_id" else "properties"
    other = f"(SELECT {what} FROM projects WHERE monday_item_id = {jobs(synced)[0]})"
    synced.sql(f"UPDATE projects SET {what} = {other} WHERE monday_item_id = {item}")
    assert synced.push().code == 0
    shown = {"customers": (NAME, "Owner 1"), "properties": ("dup__of_job_address0__1", "101 Main St, Denver, CO 80202")}
    assert cell(synced, item, shown[table][0]) == shown[table][1]


def test_rows_that_a_trigger_gives_ids_of_its_own_are_found_again(synced: Company) -> None:
    synced.sql(trigger("customers", "NEW.id := gen_random_uuid();", "BEFORE INSERT"))
    item = create(synced, "Job 48", job_cells(48))
    assert synced.sync().code == 5
    assert synced.sync().code == 0
    assert customer_of(synced, item)["email"] == "owner48@mail.example"
    assert synced.value("SELECT count(*) FROM customers WHERE email LIKE 'owner48@%%'") == 1
    settled(synced)
    nothing_is_sent(synced)
