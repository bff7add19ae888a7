"""Both directions on a database that was somebody else's long before: its own types, limits, columns, views, triggers
and rows. What is theirs stays as it is; what is adopted is never doubled, and nothing is sent because of first contact.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconcile.tables import TABLES
from sandbox import MASTER_BOARD_ID, STAFF_BOARD_ID
from tests.support.company import PUSH, Company, small_world
from tests.support.servers import Keywords

WITH_ITEM = 300
WITHOUT = 300
NEW = 6
"""Items that no row stands for."""
TWINS = 15
"""Customers of whom there are two rows with one e-mail."""
FROZEN = 13
"""The job whose row their trigger lets nobody change."""
LONG, LIMIT = 17, 40
"""The job whose owner's name is longer than their column takes."""

FIRST = ("--max-change", str(WITH_ITEM))
"""What a first run needs that fills in what so many rows lack."""

NAME, TEXT, CLAIM = "text65__1", "text40__1", "claim_number__1"

THEIRS = """
CREATE TYPE job_status AS ENUM ('pending', 'active', 'completed', 'cancelled', 'on hold');
CREATE DOMAIN phone AS varchar(30);
CREATE TABLE customers (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name varchar(40), email {mail}, phone phone, since integer NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE users (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name varchar(24), email {mail}, role text NOT NULL DEFAULT 'rep'
);
CREATE TABLE properties (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), customer_id uuid REFERENCES customers, address varchar(90),
    city varchar(12) CHECK (city <> 'Gotham')
);
CREATE TABLE projects (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), monday_item_id bigint, name varchar(80), description text,
    status job_status NOT NULL DEFAULT 'pending', customer_id uuid REFERENCES customers, priority integer, role text,
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX projects_by_name ON projects (lower(name));
CREATE TABLE invoices (
    id serial PRIMARY KEY, project_id uuid NOT NULL REFERENCES projects ON DELETE RESTRICT, amount numeric(10, 2)
);
CREATE VIEW open_projects AS
    SELECT p.id, p.name, p.status, c.email, count(i.id) AS invoices FROM projects p
    LEFT JOIN customers c ON c.id = p.customer_id LEFT JOIN invoices i ON i.project_id = p.id
    WHERE p.status <> 'completed' GROUP BY p.id, c.id;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN NEW.updated_at := clock_timestamp(); RETURN NEW; END $$;
CREATE TRIGGER touch BEFORE UPDATE ON projects FOR EACH ROW EXECUTE FUNCTION touch();
CREATE FUNCTION no_change() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN IF OLD.priority = -1 THEN RAISE EXCEPTION 'frozen'; END IF; RETURN NEW; END $$;
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON projects FOR EACH ROW EXECUTE FUNCTION no_change()
"""
ROWS = """
INSERT INTO customers (name, email, since, created_at)
    SELECT 'Owner ' || n, 'OWNER' || n || '@Mail.example', 1990 + n %% 30, '2020-01-01'
    FROM generate_series(1, %(all)s) n;
INSERT INTO customers (name, email, since, created_at)
    SELECT 'Twin of ' || n, 'owner' || n || '@mail.example', 2000, '2021-01-01' FROM generate_series(1, %(twins)s) n;
INSERT INTO users (name, email, role) VALUES ('Rep 1 Green', 'REP1@roofs.example', 'boss'), ('Nobody', NULL, 'rep');
INSERT INTO projects (monday_item_id, name, customer_id, priority, role)
    SELECT item, 'Job ' || n, c.id, CASE n WHEN %(frozen)s THEN -1 ELSE n END, 'their ' || n
    FROM unnest(%(items)s::bigint[]) WITH ORDINALITY AS u (item, n)
    JOIN customers c ON c.email = 'OWNER' || n || '@Mail.example';
INSERT INTO projects (name, description, status, customer_id, role)
    SELECT 'Lead ' || n, 'from the paper file', 'on hold', c.id, 'their lead ' || n FROM generate_series(1, %(leads)s) n
    JOIN customers c ON c.email = 'OWNER' || n || '@Mail.example';
INSERT INTO invoices (project_id, amount) SELECT id, 100 FROM projects WHERE name LIKE '%%1'
"""
THEIR_COLUMNS = {
    "customers": "id, since",
    "users": "id, role",
    "projects": "id, monday_item_id, priority, role",
    "invoices": "id, project_id, amount",
}
OBJECTS = """
SELECT 'column', format('%I.%I', c.relname, a.attname),
    format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull || ' ' || coalesce(pg_get_expr(d.adbin, d.adrelid), '')
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v', 'S')
UNION ALL SELECT 'view', viewname, definition FROM pg_views WHERE schemaname = 'public'
UNION ALL SELECT 'trigger', tgname, pg_get_triggerdef(oid) || tgenabled::text FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 'function', proname, pg_get_functiondef(oid) FROM pg_proc p
    WHERE pronamespace = 'public'::regnamespace AND prokind = 'f' AND prolang <> 13
    AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = p.oid AND deptype = 'e')
UNION ALL SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT 'constraint', format('%s %s', conrelid::regclass, conname), pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT 'label', enumlabel, enumtypid::regtype || ' ' || enumsortorder FROM pg_enum
UNION ALL SELECT 'comment', format('%s %s', objoid::regclass, objsubid), description FROM pg_description
    WHERE classoid = 'pg_class'::regclass AND objoid::regclass::text !~ '\\.'
UNION ALL SELECT 'owner', relname, relowner::regrole || coalesce(relacl::text, '') FROM pg_class
    WHERE relnamespace = 'public'::regnamespace
"""


def objects(company: Company) -> set[tuple[str, str, str]]:
    """What a dump of their schema would say."""
    return set(company.sql(OBJECTS))


def theirs(company: Company) -> dict[str, list[Any]]:
    """The values of columns that are none of ours."""
    return {
        table: company.sql(f"SELECT {columns} FROM {table} WHERE id::text = ANY(%s) ORDER BY id", _kept(company, table))
        for table, columns in THEIR_COLUMNS.items()
    }


def _kept(company: Company, table: str) -> list[str]:
    ids = company.sql("SELECT id FROM kept.before WHERE name = %s", table)
    return [row for (row,) in ids]


def jobs(company: Company) -> list[int]:
    """By their number, from 1."""
    return sorted(company.sandbox.item_ids(MASTER_BOARD_ID))


def logged(company: Company) -> str:
    return "\n".join(path.read_text() for path in Path(company.folder / "logs").iterdir())


@pytest.fixture
def older(blank: Keywords, tmp_path: Path) -> Iterator[Company]:
    """Their database and our boards, before any run."""
    with small_world(items=WITH_ITEM + NEW) as sandbox:
        company = Company(sandbox, blank, tmp_path)
        has_citext = company.sql("SELECT FROM pg_available_extensions WHERE name = 'citext'")
        if has_citext:
            company.sql("CREATE EXTENSION citext")
        company.sql(THEIRS.format(mail="citext" if has_citext else "varchar(60)"))
        sandbox.edit(jobs(company)[LONG - 1], {NAME: "Dr. " + "Long " * 10})
        numbers = {"all": WITH_ITEM, "twins": TWINS, "frozen": FROZEN, "leads": WITHOUT}
        with company.connected() as connection, connection, connection.cursor() as cursor:
            cursor.execute(ROWS, {**numbers, "items": jobs(company)[:WITH_ITEM]})
        company.sql("CREATE SCHEMA kept; CREATE TABLE kept.before (name text, id text)")
        for table in THEIR_COLUMNS:
            company.sql(f"INSERT INTO kept.before SELECT '{table}', id::text FROM {table}")
        sandbox.advance(60)
        yield company
        assert company.told_secrets() == []


@pytest.fixture
def fitting(older: Company) -> Company:
    """After its owner has done what the first run asked for."""
    older.sql("ALTER TABLE customers ALTER since SET DEFAULT 2026")
    return older


@pytest.fixture
def adopted(fitting: Company) -> Company:
    """After a first run; what stayed open is the owner's business."""
    ended = fitting.sync(*FIRST)
    assert ended.code == 5, ended.err
    fitting.sandbox.reset_counters()
    return fitting


def test_a_column_of_theirs_that_stops_us_is_named_and_nothing_is_touched(older: Company) -> None:
    before, rows = objects(older), older.contents()
    for arguments in (("--test",), (), ("--json", "--full")):
        ended = older.run(*arguments)
        assert ended.code == 3, ended.err
        assert "customers.since is NOT NULL without a default" in ended.err
    assert (objects(older), older.contents()) == (before, rows)
    pushed = older.run(program=PUSH)
    assert (pushed.code, older.sandbox.counters()["mutations"]) == (3, 0), pushed.err
    assert objects(older) == before


def test_a_dry_run_tells_what_the_first_run_then_does(fitting: Company) -> None:
    fitting.sql("ALTER TABLE projects DISABLE TRIGGER no_change")  # which only the database knows of
    before, rows = objects(fitting), fitting.contents()
    dry = fitting.sync("--test", *FIRST)
    assert (objects(fitting), fitting.contents()) == (before, rows)
    real = fitting.sync(*FIRST)
    assert (dry.code, real.code) == (5, 5), dry.err + real.err
    for part in ("tables", "plan", "tolerated", "quarantined"):
        assert dry.report[part] == real.report[part], part
    cells = [[(cell["item"], cell["column"]) for cell in run.report["details"]["quarantined"]] for run in (dry, real)]
    assert cells[0] == cells[1]


def test_rows_are_adopted_and_never_doubled(fitting: Company) -> None:
    before = theirs(fitting)
    report = fitting.landed(*FIRST)
    inserted = {table: numbers["insert"] for table, numbers in report["tables"].items()}
    assert (inserted["projects"], inserted["customers"], inserted["users"]) == (NEW, NEW, 1)
    counts = fitting.counts()
    assert counts["projects"] == WITH_ITEM + WITHOUT + NEW
    assert counts["customers"] == WITH_ITEM + TWINS + NEW
    assert counts["users"] == 3
    assert fitting.value("SELECT count(DISTINCT monday_item_id) FROM projects") == WITH_ITEM + NEW
    assert theirs(fitting) == before
    for number in (1, TWINS, 200):
        item = jobs(fitting)[number - 1]
        assert fitting.project(item, "description") == f"Roof {number}"
        assert fitting.project(item, "status::text") == "active"
        assert fitting.value(f"SELECT name FROM customers WHERE id = {_customer(item)}") == f"Owner {number}"
    assert fitting.sql("SELECT DISTINCT updated_at = created_at FROM customers WHERE name LIKE 'Twin%%'") == [(False,)]
    leads = "SELECT count(*) FROM projects WHERE name LIKE 'Lead %%' AND status = 'on hold' AND monday_item_id IS NULL"
    assert fitting.value(leads) == WITHOUT
    for arguments in ((), ("--full",), ("--resync", *FIRST)):
        again = fitting.sync(*arguments)
        assert (again.code, again.writes) == (5, 0), arguments


def _customer(item: int) -> str:
    return f"(SELECT customer_id FROM projects WHERE monday_item_id = {item})"


def test_what_does_not_fit_is_named_and_the_rest_lands(fitting: Company) -> None:
    item, frozen = jobs(fitting)[LONG - 1], jobs(fitting)[FROZEN - 1]
    details = fitting.landed(*FIRST)["details"]["quarantined"]
    told = {cell["item"]: (cell["column"], cell["reason"]) for cell in details}
    assert set(told) == {item, frozen}
    assert told[item][0].startswith(NAME)
    assert f"does not fit customers.name: it is longer than {LIMIT} characters" in told[item][1]
    assert told[frozen][0] == f"projects.{fitting.project(frozen, 'id')}"
    assert "P0001" in told[frozen][1]
    assert fitting.project(item, "description") == f"Roof {LONG}"
    assert fitting.value(f"SELECT name FROM customers WHERE id = {_customer(item)}") == f"Owner {LONG}"
    assert fitting.project(frozen, "description") is None
    text = fitting.run("-v").out
    assert f"longer than {LIMIT} characters" in text
    assert str(frozen) in text
    assert fitting.value("SELECT count(*) FROM projects WHERE monday_item_id = %s", frozen) == 1


def test_a_row_that_refused_its_first_change_is_taken_as_soon_as_it_lets_us(adopted: Company) -> None:
    frozen = jobs(adopted)[FROZEN - 1]
    adopted.sql("ALTER TABLE projects DISABLE TRIGGER no_change")
    assert adopted.sync().code == 5
    assert adopted.project(frozen, "description") == f"Roof {FROZEN}"
    adopted.sandbox.edit(jobs(adopted)[LONG - 1], {NAME: "Dr. Short"})
    assert adopted.sync().code == 0


@pytest.mark.parametrize("table", ["customers", "users"])
def test_a_row_that_refused_its_first_change_gets_no_double(fitting: Company, table: str) -> None:
    """Neither one that is known by its item nor one that is known by its e-mail."""
    rep = min(fitting.sandbox.item_ids(STAFF_BOARD_ID))
    fitting.sql("ALTER TABLE users ADD monday_item_id bigint")
    fitting.sql("UPDATE users SET monday_item_id = %s, name = 'Owner 1', email = NULL WHERE role = 'boss'", rep)
    fitting.sandbox.edit(jobs(fitting)[0], {"phone_1__1": {"phone": "2025550101", "countryShortName": "US"}})
    fitting.sql(
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN IF OLD.name = 'Owner 1' THEN RAISE EXCEPTION 'no'; END IF; RETURN NEW; END $$;"
        f"CREATE TRIGGER no BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION no()"
    )
    before = None
    for _ in range(3):
        assert fitting.sync(*FIRST).code == 5
        before = before or fitting.counts()
        assert fitting.counts() == before


@pytest.mark.parametrize("edited", ["", "customers"])
def test_an_item_whose_row_was_refused_is_no_deleted_row(quiet: Company, edited: str) -> None:
    """Not even while another row that it shows has something to tell."""
    frozen = jobs(quiet)[FROZEN - 1]
    if edited:
        quiet.sql(f"UPDATE customers SET notes = 'ring twice' WHERE id = {_customer(frozen)}")
    ended = quiet.push("--propagate-deletes")
    assert (ended.report["items"]["archive"], quiet.sandbox.item(frozen)["state"]) == (0, "active")


def test_what_differs_is_tolerated_counted_and_listed(fitting: Company) -> None:
    items = jobs(fitting)
    fitting.sql("UPDATE projects SET description = 'theirs' WHERE monday_item_id = ANY(%s)", items[:5])
    fitting.sql("UPDATE customers SET phone = '2025550101' WHERE name = 'Owner 1'")
    report = fitting.landed(*FIRST)
    assert report["tolerated"] == 5 + 1
    assert any("6 cells have said" in note for note in report["notes"])
    assert [fitting.project(item, "description") for item in items[:6]] == ["theirs"] * 5 + ["Roof 6"]
    listed = fitting.run("--test", "--resync", "--yes", "-v").out
    assert listed.count("| theirs") == 5
    assert "| 2025550101" in listed
    fitting.sandbox.reset_counters()
    assert fitting.push("--max-create", str(WITHOUT), "--test").report["items"]["update"] == 0


def test_their_schema_is_only_added_to(fitting: Company) -> None:
    before = objects(fitting)
    fitting.landed(*FIRST)
    fitting.sql("UPDATE projects SET archived_at = now() WHERE monday_item_id IS NULL")
    fitting.sql("UPDATE projects SET description = 'New' WHERE monday_item_id = %s", jobs(fitting)[0])
    assert fitting.push().code in (0, 5)
    assert fitting.landed("--full")
    after = objects(fitting)
    assert before - after == set()
    added = {(kind, name.split(".")[0].split(" ")[0]) for kind, name, _what in after - before}
    assert {name for kind, name in added if kind == "column"} <= {*TABLES, *(f"{table}_pkey" for table in TABLES)}
    assert {kind for kind, _name in added} <= {"column", "index", "constraint", "owner"}
    assert fitting.value("SELECT count(*) FROM open_projects") == WITH_ITEM + WITHOUT + NEW


def test_the_first_contact_sends_nothing_and_old_rows_become_no_items_unasked(adopted: Company) -> None:
    boards, rows = adopted.sandbox.digest(), adopted.contents(only="public")
    for arguments in (("--test",), (), ("-v",)):
        ended = adopted.run(*arguments, program=PUSH)
        assert ended.code == 4, ended.err
        assert f"{WITHOUT} items of the master board ({WITH_ITEM + NEW} known) would be created" in ended.err
        assert f"run with --max-create {WITHOUT}" in ended.err
    assert adopted.sandbox.counters()["mutations"] == 0
    assert (adopted.sandbox.digest(), adopted.contents(only="public")) == (boards, rows)
    items = adopted.push("--test", "--max-create", str(WITHOUT)).report["items"]
    assert (items["create"], items["update"], items["archive"]) == (WITHOUT, 0, 0)


def test_rows_of_which_no_item_is_made_stay_as_they_are(adopted: Company) -> None:
    """A name that stands in one column of two is completed once the row becomes an item, not before."""
    before = adopted.contents(only="public")
    assert adopted.push("--max-create", "0").code in (0, 5)
    assert adopted.contents(only="public") == before
    ended = adopted.push("--limit", "5")
    assert ended.report["items"]["create"] == 5, ended.err
    assert adopted.value("SELECT count(*) FROM projects WHERE name LIKE 'Lead %%' AND item_name IS NOT NULL") == 5


def test_the_old_rows_become_items_once_when_that_is_meant(adopted: Company) -> None:
    before = theirs(adopted)["invoices"]
    ended = adopted.push("--max-create", str(WITHOUT))
    assert ended.code in (0, 5), ended.err
    assert ended.report["items"]["create"] == WITHOUT
    assert len(jobs(adopted)) == WITH_ITEM + NEW + WITHOUT
    assert adopted.value("SELECT count(*) FROM projects WHERE monday_item_id IS NULL") == 0
    assert adopted.value("SELECT count(*) FROM projects WHERE status = 'on hold'") == WITHOUT
    (lead,) = adopted.sandbox.find(MASTER_BOARD_ID, "Lead 7")
    assert adopted.sandbox.item(lead)["cells"][TEXT]["text"] == "from the paper file"
    assert theirs(adopted)["invoices"] == before
    adopted.sandbox.reset_counters()
    assert adopted.push().report["items"]["create"] == 0
    assert adopted.sandbox.counters()["mutations"] == 0
    assert adopted.sync("--full").writes == 0


@pytest.fixture
def quiet(adopted: Company) -> Company:
    """The paper files are put away: no item is to be made of them."""
    adopted.sql("UPDATE projects SET archived_at = now() WHERE monday_item_id IS NULL")
    return adopted


def test_an_edit_of_one_adopted_row_goes_out_alone(quiet: Company) -> None:
    item, *others = jobs(quiet)
    before = [quiet.sandbox.item(other) for other in others]
    quiet.sql("UPDATE projects SET claim_number = 'C-1' WHERE monday_item_id = %s", item)
    ended = quiet.push()
    assert ended.report["items"]["update"] == 1, ended.err
    assert quiet.sandbox.item(item)["cells"][CLAIM]["text"] == "C-1"
    assert [quiet.sandbox.item(other) for other in others] == before
    mutations = [call for call in quiet.sandbox.requests() if call["mutation"]]
    assert [list(call["variables"]) for call in mutations if "values1" in call["variables"]] == []
    assert len(mutations) == 1


def test_what_is_theirs_is_no_edit(quiet: Company) -> None:
    quiet.sql("UPDATE projects SET priority = 5, role = 'other' WHERE priority > 0")  # their trigger moves updated_at
    quiet.sql("UPDATE customers SET since = since + 1, updated_at = now(); UPDATE users SET role = 'x'")
    quiet.sql("UPDATE customers SET name = name || ' jr', email = 'second.' || email WHERE name LIKE 'Twin%%'")
    quiet.sql("CREATE OR REPLACE VIEW open_projects AS SELECT id, name, status, NULL::text::{} AS email, 0::bigint AS"
              " invoices FROM projects".format(quiet.value("SELECT format_type(atttypid, atttypmod) FROM pg_attribute"
              " WHERE attrelid = 'open_projects'::regclass AND attname = 'email'")))  # fmt: skip
    quiet.sql("CREATE TRIGGER again BEFORE UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION touch()")
    before, values = objects(quiet), theirs(quiet)
    for _ in range(2):
        pushed, pulled = quiet.push(), quiet.sync("--full")
        assert (pushed.report["items"]["update"], pushed.report["plan"]) == (0, "")
        assert pulled.writes == 0
    assert quiet.sandbox.counters()["mutations"] == 0
    assert (objects(quiet), theirs(quiet)) == (before, values)


def test_a_status_of_theirs_stays_until_somebody_moves_the_stage(quiet: Company) -> None:
    item, other = jobs(quiet)[:2]
    quiet.sql("UPDATE projects SET status = 'on hold' WHERE monday_item_id = ANY(%s)", [item, other])
    quiet.sandbox.edit(item, {TEXT: "Roof"})
    quiet.sql("UPDATE projects SET current_stage = 'Completed' WHERE monday_item_id = %s", other)
    assert quiet.sync().code in (0, 5)
    assert quiet.push().report["items"]["update"] == 1
    assert quiet.project(other, "status::text") == "completed"


_NO = """
CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN IF NEW.city = 'Reno' THEN RAISE EXCEPTION 'no'; END IF; RETURN NEW; END $$;
CREATE TRIGGER no BEFORE UPDATE ON properties FOR EACH ROW EXECUTE FUNCTION no()
"""
INCOMPLETE = {
    "a column too short for a part": (
        "SELECT", "9 Elm St, San Bernardino, CA 92401", "ALTER TABLE properties ALTER city TYPE varchar(40)", "22001",
    ),
    "a check on a part": (
        "SELECT", "9 Elm St, Gotham, NJ 07001", "ALTER TABLE properties DROP CONSTRAINT properties_city_check", "23514",
    ),
    "a trigger": (_NO, "9 Elm St, Reno, NV 89501", "DROP TRIGGER no ON properties", "P0001"),
}  # fmt: skip
HOUSE = "dup__of_job_address0__1"


@pytest.mark.parametrize("kind", INCOMPLETE)
def test_a_house_that_cannot_be_made_whole_does_not_stop_the_others(quiet: Company, kind: str) -> None:
    refuse, address, allow, _code = INCOMPLETE[kind]
    item, other = jobs(quiet)[20:22]
    house = f"(SELECT property_id FROM projects WHERE monday_item_id = {item})"
    quiet.sql(refuse)
    quiet.sql(f"UPDATE properties SET address = %s WHERE id = {house}", address)
    quiet.sql("UPDATE projects SET claim_number = 'C-1' WHERE monday_item_id = %s", other)
    for _ in range(2):
        ended = quiet.push()
        assert ended.code == 5, ended.err
        assert quiet.sandbox.item(other)["cells"][CLAIM]["text"] == "C-1"
        assert quiet.sandbox.item(item)["cells"][HOUSE]["text"] == "121 Main St, Denver, CO 80202"
        assert quiet.sync("--full").writes == 0
    quiet.sql(allow)
    assert quiet.push("--retry-dead").report["items"]["update"] == 1
    assert quiet.sandbox.item(item)["cells"][HOUSE]["text"] == address
    assert quiet.value(f"SELECT zip FROM properties WHERE id = {house}") == address[-5:]


@pytest.mark.parametrize("kind", INCOMPLETE)
def test_a_house_that_cannot_be_made_whole_is_named(quiet: Company, kind: str) -> None:
    refuse, address, _allow, code = INCOMPLETE[kind]
    item = jobs(quiet)[20]
    quiet.sql(refuse)
    quiet.sql("UPDATE properties SET address = %s WHERE id = (SELECT property_id FROM projects"
              " WHERE monday_item_id = %s)", address, item)  # fmt: skip
    told = {cell["item"]: cell["reason"] for cell in quiet.push().report["details"]["quarantined"]}
    assert code in told[item]


def test_a_name_that_cannot_be_made_whole_does_not_stop_the_others(quiet: Company) -> None:
    rep, other = sorted(quiet.sandbox.item_ids(STAFF_BOARD_ID))
    quiet.sql(
        "UPDATE users SET first_name = 'Maximilian', last_name = 'von Hohenstaufen' WHERE monday_item_id = %s", rep
    )
    quiet.sql("UPDATE users SET shirt_size = 'XL' WHERE monday_item_id = %s", other)
    ended = quiet.push()
    assert ended.code == 5, ended.err
    assert quiet.sandbox.item(other)["cells"]["text6"]["text"] == "XL"
    assert quiet.sandbox.item(rep)["cells"]["text25"]["text"] == "Rep 1"
    assert quiet.sync("--full").writes == 0
    quiet.sql("ALTER TABLE users ALTER name TYPE text")
    assert quiet.push("--retry-dead").report["items"]["update"] == 1
    assert quiet.sandbox.item(rep)["cells"]["text1"]["text"] == "von Hohenstaufen"


@pytest.mark.parametrize("gone", ["ALTER TABLE customers DROP notes", "DROP TABLE storms CASCADE"])
def test_what_was_dropped_later_is_named_by_every_run(adopted: Company, gone: str) -> None:
    """A dry run says what the real one does, and neither says that all is well."""
    adopted.sql(gone)
    adopted.sandbox.edit(jobs(adopted)[1], {"text43__1": "ring twice", "date_19__1": {"date": "2026-05-01"}})
    for program in ("sync_monday_to_pg.py", PUSH):
        for arguments in (("--test",), ()):
            ended = adopted.run(*arguments, program=program)
            assert ended.code == 3, f"{program} {arguments}: {ended.code}"
            assert "is missing" in ended.err
