"""The first run on a database with thousands of rows that no item id leads to: whom each cell means is found by e-mail,
name, address, number or day in somebody else's spelling, among twins, namesakes and rows that no item names.

What is expected stands here as the world is made: which row of the old ones each slot of each item means. Nothing of
it is asked of the program's own keys.
"""

from __future__ import annotations

import itertools
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg2
import pytest
from psycopg2 import extensions
from psycopg2.extras import execute_values

from reconcile.tables import TABLES
from sandbox import MASTER_BOARD_ID, STAFF_BOARD_ID, Sandbox, seed_world
from sandbox.boards import TEAMS
from sandbox.state import load, save
from tests.support.company import Company, job_cells
from tests.support.servers import Keywords

ITEMS = 600
STAFF = 40
LEADS = 600
FIRST = ("--max-change", "2000")

THEIRS = """
CREATE TYPE job_status AS ENUM ('pending', 'active', 'completed', 'cancelled', 'on hold');
CREATE TABLE insurances (id uuid PRIMARY KEY, company_name varchar(60), company_phone varchar(20), rating integer);
CREATE TABLE sales_teams (id uuid PRIMARY KEY, name text, created_at timestamptz NOT NULL DEFAULT '2019-01-01');
CREATE TABLE storms (id uuid PRIMARY KEY, date_of_loss date, hail numeric);
CREATE TABLE pa_law (id uuid PRIMARY KEY, name text, email varchar(80), phone text);
CREATE TABLE users (
    id uuid PRIMARY KEY, name varchar(60), email text, rm_email text, phone text, role text NOT NULL DEFAULT 'rep',
    created_at timestamptz NOT NULL DEFAULT '2019-01-01', updated_at timestamptz NOT NULL DEFAULT '2019-01-01'
);
CREATE TABLE customers (
    id uuid PRIMARY KEY, name varchar(60), email text, phone varchar(30), since integer NOT NULL DEFAULT 2000,
    created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT '2019-01-01'
);
CREATE TABLE properties (
    id uuid PRIMARY KEY, customer_id uuid REFERENCES customers, address varchar(90), roof text,
    updated_at timestamptz NOT NULL DEFAULT '2019-01-01'
);
CREATE TABLE policies (
    id uuid PRIMARY KEY, policy_number varchar(20), insurance_id uuid REFERENCES insurances, excess numeric
);
CREATE TABLE projects (
    id uuid PRIMARY KEY, name varchar(80), status job_status NOT NULL DEFAULT 'on hold', claim_number text,
    customer_id uuid REFERENCES customers, property_id uuid REFERENCES properties, estimator_id uuid REFERENCES users,
    superintendent_id uuid REFERENCES users, insurance_id uuid REFERENCES insurances, storm_id uuid REFERENCES storms,
    policy_id uuid REFERENCES policies, pa_law_id uuid REFERENCES pa_law, sales_team_id uuid REFERENCES sales_teams,
    updated_at timestamptz NOT NULL DEFAULT '2019-01-01'
);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN NEW.updated_at := clock_timestamp(); RETURN NEW; END $$;
CREATE TRIGGER touch BEFORE UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TRIGGER touch BEFORE UPDATE ON projects FOR EACH ROW EXECUTE FUNCTION touch()
"""
CELLS = {
    "stage": "text95__1", "customer": "text65__1", "email": "email4__1", "phone": "phone_1__1",
    "house": "dup__of_job_address0__1", "policy": "dup__of_text0__1", "insurance": "text31__1", "storm": "date_19__1",
    "estimator": "job_est_1_name__1", "estimator_email": "email0__1", "superintendent": "dup__of_text6__1",
    "firm": "jp_pa_law_name__1", "firm_email": "jp_pa_law_email__1", "team": "job_division___1__1",
    "claim": "claim_number__1",
}  # fmt: skip
LINKS = {
    "customers": "customer_id", "properties": "property_id", "policies": "policy_id", "insurances": "insurance_id",
    "storms": "storm_id", "users": "estimator_id", "foremen": "superintendent_id", "pa_law": "pa_law_id",
    "sales_teams": "sales_team_id",
}  # fmt: skip
"""What a slot means → the foreign key that says so."""


def spelled(text: str, n: int) -> str:
    """The same name as other people write it."""
    return (text, text.upper(), f"  {text.replace(' ', '  ')} ", text.lower(), f"{text.swapcase()} ")[n % 5]


def punctuated(text: str, n: int) -> str:
    """The same firm as other people write it."""
    return spelled((text, text.replace(" ", ", ", 1), f"{text}.", f"'{text}'")[n % 4], n)


def street(number: int, n: int) -> str:
    """The same house as other people write it."""
    forms = (
        "{} North Oak Street, Apartment {}, Denver, CO 80202",
        "{} N Oak St Apt {}, Denver, CO 80202",
        "{} n. oak st., apt. {}, denver, co 80202",
        "{}  NORTH OAK ST, APT {}, DENVER CO 80202, USA",
    )
    return forms[n % 4].format(100 + number, number % 7)


def numbered(number: int, n: int) -> str:
    """The same policy as other people write it."""
    return (f"HO-{number:05}-A", f"ho {number:05} a", f"HO{number:05}A", f"Ho–{number:05}–a")[n % 4]


def address(email: str) -> dict[str, str]:
    return {"email": email, "text": email}


# The world ------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Old:
    """Their rows. `meant`: (slot, which of its things) → the row that stands for it by the rule for twins."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    meant: dict[tuple[str, int], str] = field(default_factory=dict)
    twins: Counter[str] = field(default_factory=Counter)
    pointed: list[tuple[str, str]] = field(default_factory=list)
    """Foreign keys that leads shall hold: the column, the row."""
    chance: random.Random = field(default_factory=lambda: random.Random(7))

    def add(self, table: str, start: str = "5", **values: Any) -> str:
        """A row whose id begins with a digit of ours; its id."""
        row = str(UUID(start + f"{self.chance.getrandbits(124):031x}"))
        self.rows[table].append({"id": row, **values})
        return row

    def thing(self, slot: str, number: int, table: str, values: Sequence[dict[str, Any]], why: str = "") -> str:
        """A thing that one row stands for, or several, of which the rule takes the first that is given here: it is the
        one with more references, the older one, or the one with the smaller id, and in nothing else ahead."""
        starts, ages = {"id": ("1", "e"), "age": ("e", "1")}.get(why, ("e", "1")), ("2015-01-01", "2018-01-01")
        if why == "references":
            ages = ages[::-1]
        known = [
            self.add(table, start, **told, **({"created_at": age} if table in ("customers", "users") else {}))
            for told, start, age in zip(values, starts, ages if why != "id" else ages[:1] * 2, strict=False)
        ]
        if why == "references":
            self.pointed += [(LINKS[slot], known[0])] * 2
        self.meant[slot, number] = known[0]
        self.twins[table] += len(known) - 1
        return known[0]


WHY = ("references", "age", "id")
TIMELESS = ("references", "id")


def twin(number: int, whys: Sequence[str]) -> str:
    """Why one of two rows is meant; empty for a thing with one row."""
    return whys[number // 5 % len(whys)] if number % 5 == 0 else ""


def old_rows() -> Old:
    """Some 5,800 rows: what the items mean, twins of that, and a crowd that no item names."""
    old = Old()
    for n in (*range(20), *range(25, 65)):
        names = [{"company_name": punctuated(f"Mutual {n} Inc", n + k), "rating": k} for k in (1, 2)]
        why = twin(n, TIMELESS) if n < 20 else ""
        old.thing("insurances", n, "insurances", names if why else names[:1], why)
    for n, name in enumerate(TEAMS[:6]):
        old.thing("sales_teams", n, "sales_teams", [{"name": spelled(name, n + 1)}])
    for n in range(120):
        why = twin(n, TIMELESS) if n < 30 else ""
        old.thing("storms", n, "storms", [{"date_of_loss": day(n), "hail": k} for k in range(2 if why else 1)], why)
    for n in range(100):
        old.thing("pa_law", n, "pa_law", [firm(n, n + 1)])
    for n in range(250):
        why = twin(n, WHY) if n < 25 else ""
        people = [{"name": f"Estimator {n}", "email": spelled(f"est{n}@Roofs.example", n + k)} for k in (1, 2)]
        old.thing("users", n, "users", people if why else people[:1], why)
    for n in range(40):
        old.thing("foremen", n, "users", [{"name": punctuated(f"Foreman {n} Lee", n + 2)}])
    for n in range(STAFF - 10):
        mail = ("email", "rm_email")[n % 2]
        told = {"name": f"Rep {n}"} if n % 3 == 2 else {"name": f"Rep {n} Gray", mail: spelled(f"rep{n}@x.example", n)}
        old.thing("staff", n, "users", [told])
    _customers(old)
    for n in range(LEADS):
        old.add("projects", name=f"Lead {n}", claim_number=f"L-{n}")
    for lead, pointed in zip(itertools.cycle(old.rows["projects"]), old.pointed, strict=False):
        _point(old, lead, *pointed)
    return old


def _point(old: Old, lead: dict[str, Any], column: str, row: str) -> None:
    while column in lead:
        lead = old.chance.choice(old.rows["projects"])
    lead[column] = row


def _customers(old: Old) -> None:
    """300 whom items name, and 1,600 others, with houses and policies."""
    for n in range(300):
        why = twin(n, WHY)
        people = [{"name": f"Owner {n}", "email": spelled(f"Owner{n}@Mail.example", n + k)} for k in (1, 3)]
        customer = old.thing("customers", n, "customers", people if why else people[:1], why)
        if n < 200 and n % 5:
            house = twin(n - 2, TIMELESS)
            told = [{"customer_id": customer, "address": street(n, n + k * (n % 3))} for k in (1, 2)]
            old.thing("properties", n, "properties", told if house else told[:1], house)
        elif n >= 250:
            old.thing("properties", n, "properties", [{"address": street(n, n + 1)}])  # of nobody
        company = n % 25
        if n < 150 and company < 20 and twin(company, TIMELESS) != "id":
            insured = {"policy_number": numbered(n, n + 1), "insurance_id": old.meant["insurances", company]}
            old.thing("policies", n, "policies", [insured])
        elif n >= 270:
            old.thing("policies", n, "policies", [{"policy_number": numbered(n, n + 1)}])
    for n in range(1600):
        placeholder = ("none@none.com", "N/A@x.example", "test@test.com", None)[n // 8 % 4]
        name, email = f"Owner {n % 350}", placeholder if n % 8 == 0 else f"other{n}@mail.example"
        other = old.add("customers", name=name, email=email, created_at="2014-01-01", phone="+1 303 555 0100")
        old.add("properties", customer_id=other, address=street(n % 350, n))
        if n % 2:
            old.add("policies", policy_number=numbered(n % 400, n), insurance_id=old.meant["insurances", 25 + n % 30])


def day(number: int) -> date:
    return date(2025, 1, 1) + timedelta(days=number)


def firm(number: int, n: int) -> dict[str, str]:
    """A law firm: every other one is known by its name alone."""
    if number % 2:
        return {"name": punctuated(f"Law {number} LLP", n)}
    return {"name": f"Law {number}", "email": spelled(f"office{number}@law.example", n)}


def things(item: int) -> dict[str, int]:
    """Which thing each slot of the item with this number means; new ones are among them."""
    customer = item % 400
    return {
        "customers": customer, "properties": customer, "policies": customer, "insurances": customer % 25,
        "storms": item % 130, "users": item % 30, "foremen": item % 50, "pa_law": item % 110, "sales_teams": item % 8,
    }  # fmt: skip


def cells(item: int) -> dict[str, Any]:
    """What the item with this number says, in its own spelling."""
    n = things(item)
    customer, lawyer = n["customers"], firm(n["pa_law"], item)
    email = "none@none.com" if customer >= 380 else spelled(f"owner{customer}@mail.example", item).strip()
    said = {
        "stage": "Approved", "customer": f"Owner {customer}", "email": address(email),
        "house": street(customer, item), "policy": numbered(customer, item),
        "insurance": punctuated(f"Mutual {n['insurances']} Inc", item), "storm": {"date": str(day(n["storms"]))},
        "estimator": f"Estimator {n['users']}", "estimator_email": address(f"EST{n['users']}@roofs.example"),
        "superintendent": punctuated(f"Foreman {n['foremen']} Lee", item), "firm": lawyer["name"],
        "team": {"label": TEAMS[n["sales_teams"]]}, "claim": f"C-{item}",
    }  # fmt: skip
    if "email" in lawyer:
        said["firm_email"] = address(lawyer["email"].strip())
    return {CELLS[name]: value for name, value in said.items()}


def staff_cells(number: int) -> dict[str, Any]:
    told: dict[str, Any] = {"text25": "Rep", "text1": str(number) if number % 3 == 2 else f"{number} Gray"}
    if number % 3 != 2:
        told[("email__1", "email7")[number % 2]] = address(f"Rep{number}@X.example")
    return told


class Worlds:
    """Copies of that database and of both boards, before any run."""

    def __init__(self, admin: extensions.connection, server: Keywords, template: str, folder: Path) -> None:
        self._admin, self._server, self._template, self._folder = admin, server, template, folder
        self._numbers = itertools.count(1)
        self.old = old_rows()
        sandbox = Sandbox(seed_world(items=0, staff=0, groups=2))
        self.items = [sandbox.create(MASTER_BOARD_ID, f"Job {n}", cells(n)) for n in range(ITEMS)]
        self.staff = [sandbox.create(STAFF_BOARD_ID, f"Rep {n}", staff_cells(n)) for n in range(STAFF)]
        sandbox.advance(60)
        save(sandbox.world, folder / "world.json")
        with psycopg2.connect(**{**server, "dbname": template}) as connection, connection.cursor() as cursor:  # type: ignore[call-overload]  # wants a DSN
            cursor.execute(THEIRS)
            for table in TABLES:
                for columns, rows in itertools.groupby(sorted(self.old.rows[table], key=sorted), sorted):
                    statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES %s"
                    execute_values(cursor, statement, [[row[column] for column in columns] for row in rows])
        connection.close()

    @contextmanager
    def another(self) -> Iterator[Company]:
        number = next(self._numbers)
        name, folder = f"{self._template}_{number}", self._folder / str(number)
        folder.mkdir()
        with self._admin.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name} TEMPLATE {self._template} STRATEGY file_copy")
        try:
            with Sandbox(load(self._folder / "world.json")) as sandbox:
                sandbox.advance(120)
                company = Company(sandbox, {**self._server, "dbname": name}, folder)
                yield company
                assert company.told_secrets() == []
        finally:
            with self._admin.cursor() as cursor:
                cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def worlds(
    admin: extensions.connection, server: Keywords, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Worlds]:
    name = f"old_{uuid4().hex}"
    with admin.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE blank STRATEGY file_copy")
        yield Worlds(admin, server, name, tmp_path_factory.mktemp("old"))
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def older(worlds: Worlds) -> Iterator[Company]:
    with worlds.another() as company:
        yield company


# What a first run makes of it -----------------------------------------------------------------------------------------


def linked(company: Company, worlds: Worlds) -> dict[tuple[str, int], set[str]]:
    """(slot, which of its things) → the rows that items with that thing point at."""
    found: dict[tuple[str, int], set[str]] = defaultdict(set)
    place = {item: number for number, item in enumerate(worlds.items)}
    columns = ", ".join(LINKS.values())
    for item, *rows in company.sql(f"SELECT monday_item_id, {columns} FROM projects WHERE monday_item_id IS NOT NULL"):
        for slot, row in zip(LINKS, rows, strict=True):
            thing = things(place[item])[slot]
            found[slot, thing if thing < 380 else place[item]].add(row)  # a placeholder says a new one each time
    for number, item in enumerate(worlds.staff):
        found["staff", number].add(company.value("SELECT id FROM users WHERE monday_item_id = %s", item))
    return found


def versions(company: Company) -> dict[str, dict[str, str]]:
    """Every row of the nine tables with its version and its place on the disk, one of which any write moves."""
    return {
        table: dict(company.sql(f"SELECT id::text, xmin::text || ctid::text FROM {table}"))
        for table in TABLES
        if company.value("SELECT to_regclass(%s) IS NOT NULL", table)
    }


def contents(company: Company) -> dict[str, dict[str, Any]]:
    """Every row of the nine tables, column by column."""
    return {
        row["id"]: {**row, "table": table}
        for table in TABLES
        for (row,) in company.sql(f"SELECT to_jsonb(t) FROM {table} t")
    }


def differences(worlds: Worlds, rows: dict[str, dict[str, Any]], links: dict[str, dict[str, str]]) -> int:
    """Cells that say something else than the row behind them, an empty one included; of an e-mail the case is none."""
    told = {
        "customers": {"customer": "name", "email": "email", "phone": "phone"}, "properties": {"house": "address"},
        "policies": {"policy": "policy_number"}, "insurances": {"insurance": "company_name"},
        "users": {"estimator": "name", "estimator_email": "email"}, "foremen": {"superintendent": "name"},
        "pa_law": {"firm": "name", "firm_email": "email"}, "sales_teams": {"team": "name"},
    }  # fmt: skip
    count = 0
    for number, item in enumerate(worlds.items):
        said = cells(number)
        for slot, columns in told.items():
            row = rows[links[str(item)][LINKS[slot]]]
            for cell, column in columns.items():
                shows = said.get(CELLS[cell])
                shows = shows and (shows if isinstance(shows, str) else shows.get("email") or shows["label"])
                count += _plain(shows and shows.strip(), column) != _plain(row[column], column)
    for number, item in enumerate(worlds.staff):
        row, said = rows[links[str(item)]["id"]], staff_cells(number)
        count += row["name"] != f"Rep {said['text1']}"
        for cell, column in (("email__1", "email"), ("email7", "rm_email")):
            count += _plain(said.get(cell, {}).get("email"), column) != _plain(row[column], column)
    return count


def _plain(text: str | None, column: str) -> str:
    return (text or "").casefold() if "email" in column else text or ""


@pytest.fixture
def adopted(older: Company) -> Company:
    """After the first run."""
    older.landed("--yes", *FIRST)
    older.sandbox.reset_counters()
    return older


def test_each_slot_finds_the_row_that_was_meant_and_nothing_is_there_twice(older: Company, worlds: Worlds) -> None:
    assert sum(map(len, worlds.old.rows.values())) >= 5_000
    report = older.landed("--yes", *FIRST)
    found, meant, new = linked(older, worlds), worlds.old.meant, Counter[str]()
    for (slot, thing), rows in found.items():
        assert len(rows) == 1, f"{slot} {thing} is there twice: {rows}"
        if (slot, thing) in meant:
            assert rows == {meant[slot, thing]}, f"{slot} {thing}"
        else:
            new[{"foremen": "users", "staff": "users"}.get(slot, slot)] += 1
    assert {"customers": 100, "users": 20, "insurances": 5, "pa_law": 10, "storms": 10, "sales_teams": 2}.items() <= (
        new.items()
    )
    new["projects"] = ITEMS
    for table, count in older.counts().items():
        assert report["tables"][table]["insert"] == new[table], table
        assert count == len(worlds.old.rows[table]) + new[table], table
    assert report["would_merge"] == 0
    (note,) = [note for note in report["notes"] if note.startswith("Rows with the key of another row")]
    for table in ("customers", "insurances", "properties", "storms", "users"):
        assert f"{worlds.old.twins[table]} of {table}" in note


def test_only_what_a_row_lacks_is_filled_and_rows_that_no_item_means_are_as_they_were(
    older: Company, worlds: Worlds
) -> None:
    before, held = versions(older), contents(older)
    report = older.landed("--yes", *FIRST)
    after, holds = versions(older), contents(older)
    named = set.union(*linked(older, worlds).values())
    for table, rows in before.items():
        changed = {row for row, version in rows.items() if after[table][row] != version}
        assert changed <= named, f"{table}: {len(changed - named)} rows that no item means were written"
        assert report["tables"][table]["update"] == len(changed), table
        assert report["tables"][table]["unchanged"] == len(rows) - len(changed), table
    for row, values in held.items():
        filled = {name: value for name, value in values.items() if value is not None and name != "updated_at"}
        assert filled.items() <= holds[row].items(), row
    assert {row["updated_at"][:10] for row in holds.values() if row["id"] in held and row["table"] == "projects"} == {
        "2019-01-01"
    }
    for slot, column in (("properties", "customer_id"), ("policies", "insurance_id")):
        orphans = [row for (what, _), row in worlds.old.meant.items() if what == slot and row in named]
        assert any(held[row][column] is None for row in orphans), "a house of nobody, a policy of no company"
        assert all(holds[row][column] is not None for row in orphans)
    houses = [row for row in named if row in held and held[row]["table"] == "properties" and holds[row]["zip"]]
    assert houses, "an address that was spelled alike has got its parts"
    assert all(holds[row]["zip"] == "80202" for row in houses)


def test_what_is_spelled_otherwise_is_counted_and_needs_a_yes(older: Company, worlds: Worlds) -> None:
    before = contents(older)
    for arguments in (("--test",), ("--test", "-v")):
        ended = older.run(*arguments, *FIRST)
        assert (ended.code, contents(older)) == (4, before)
        told = re.search(r"differ from the boards in ([\d,]+) of ([\d,]+) fields", ended.err)
        assert told, ended.err
    assert ended.out.count(" | ") > 1_000, "the differences are listed before anybody says yes"
    dry = older.sync("--test", "--yes", *FIRST)
    report = older.landed("--yes", *FIRST)
    rows = contents(older)
    links = {str(row["monday_item_id"]): row for row in rows.values() if row.get("monday_item_id")}
    assert report["tolerated"] == dry.report["tolerated"] == differences(worlds, rows, links)
    assert (report["tables"], report["plan"]) == (dry.report["tables"], dry.report["plan"])
    assert any(f"{report['tolerated']:,} cells have said" in note for note in report["notes"])


def test_after_that_nothing_is_written_and_nothing_is_sent(adopted: Company) -> None:
    before, boards = versions(adopted), adopted.sandbox.digest()
    for arguments in ((), ("--full",), ("--resync", "--yes", *FIRST), ()):
        again = adopted.sync(*arguments)
        assert (again.code, again.writes) == (0, 0), again.err
    pushed = adopted.push("--max-create", "0")
    assert pushed.code == 0, pushed.err
    assert (adopted.sandbox.counters()["mutations"], adopted.sandbox.digest()) == (0, boards)
    assert versions(adopted) == before


def test_an_edit_of_an_old_row_sends_that_field_alone(adopted: Company) -> None:
    """And not the name, whose outer blanks the boards do not have."""
    ((firm,),) = adopted.sql("SELECT id FROM pa_law WHERE name ~ '^ | $' ORDER BY id LIMIT 1")
    before = adopted.value("SELECT name FROM pa_law WHERE id = %s", firm)
    names = {item: adopted.sandbox.item(item)["cells"].get(CELLS["firm"]) for item in adopted.sandbox.item_ids()}
    adopted.sql("UPDATE pa_law SET phone = '+12025550199' WHERE id = %s", firm)
    pushed = adopted.push("--max-create", "0")
    assert pushed.code == 0, pushed.err
    assert pushed.report["items"]["update"] > 0
    assert adopted.value("SELECT name FROM pa_law WHERE id = %s", firm) == before
    assert {item: adopted.sandbox.item(item)["cells"].get(CELLS["firm"]) for item in names} == names


@pytest.mark.parametrize("way", ["a whole read", "changes only", "a push"])
def test_rows_that_an_earlier_version_adopted_are_found_by_what_they_say(
    adopted: Company, worlds: Worlds, way: str
) -> None:
    """It remembered them without their keys."""
    forgotten = [row["id"] for rows in worlds.old.rows.values() for row in rows]
    adopted.sql("DELETE FROM monday_sync.sync_key WHERE row_id = ANY(%s::uuid[])", forgotten)
    adopted.sql("UPDATE monday_sync.sync_schema SET version = 4")
    counts = adopted.counts()
    if way == "a push":
        pushed = adopted.push("--max-create", "0")
        assert (pushed.code, adopted.sandbox.counters()["mutations"]) == (0, 0), pushed.err
    elif way == "a whole read":
        assert adopted.landed("--full")["plan"] == ""
    adopted.sandbox.create(MASTER_BOARD_ID, "One more", cells(0))
    adopted.sandbox.advance(60)
    report = adopted.landed(*FIRST)
    assert {table: of["insert"] for table, of in report["tables"].items() if of["insert"]} == {"projects": 1}
    assert adopted.counts() == {**counts, "projects": counts["projects"] + 1}
    assert adopted.landed("--full")["plan"] == ""
    left = "SELECT count(*) FROM monday_sync.sync_row WHERE p_hash IS NULL"
    assert adopted.value(left) == 0, "each of them is in step again"
    assert (adopted.push("--max-create", "0").code, adopted.sandbox.counters()["mutations"]) == (0, 0)


# Jobs whose rows have no item id --------------------------------------------------------------------------------------


@pytest.fixture
def unlinked(older: Company) -> Company:
    """Leads that are called like items: the same jobs, but nobody ever wrote the items' ids into the rows."""
    older.sql("UPDATE projects SET name = replace(name, 'Lead ', 'JOB  '), customer_id = NULL WHERE id::text > '58'")
    older.sql("UPDATE projects SET claim_number = 'c ' || split_part(name, ' ', 2) WHERE id::text < '54'")
    return older


def test_jobs_that_would_be_there_twice_are_refused_and_can_be_linked(unlinked: Company) -> None:
    before = unlinked.counts()["projects"]
    for arguments in (("--test",), ()):
        ended = unlinked.run(*arguments, "--adopt", "pg", *FIRST)
        assert ended.code == 4, ended.err
        (count,) = map(int, re.findall(r"without monday_item_id, (\d+) of them", ended.err))
        assert "UPDATE projects SET monday_item_id" in ended.out
    assert unlinked.counts()["projects"] == before
    listed = unlinked.run("--test", "-v", *FIRST).out
    statements = [line for line in listed.splitlines() if re.match(r" +(ALTER TABLE|UPDATE) projects ", line)]
    assert len(statements) == count + 1 > 300
    unlinked.sql("".join(statements))
    report = unlinked.landed("--yes", *FIRST)
    assert report["tables"]["projects"]["insert"] == ITEMS - count
    number = "regexp_replace({}, '[^0-9]', '', 'g')"
    wrong = f"SELECT count(*) FROM projects WHERE {number.format('name')} <> {number.format('item_name')}"
    assert unlinked.value(wrong) == 0
    assert not any("looked like an item" in note for note in report["notes"])


def test_other_jobs_of_the_same_name_need_a_yes(unlinked: Company) -> None:
    report = unlinked.landed("--yes", *FIRST)
    assert report["tables"]["projects"]["insert"] == ITEMS
    assert report["would_merge"] == 0
    assert any("looked like an item and stayed as they are" in note for note in report["notes"])
    assert unlinked.sync("--full").code == 0


@pytest.fixture
def lookalike(synced: Company) -> tuple[Company, int]:
    """Long after the first run: a row that waits to become an item, and an item for the same job."""
    synced.sql("INSERT INTO projects (name, company_cam_link) VALUES ('job 9', 'https://cam.example/9')")
    item = synced.sandbox.create(MASTER_BOARD_ID, "Job 9", job_cells(9))
    synced.sandbox.advance(60)
    for arguments in (("--test",), (), ()):
        ended = synced.sync(*arguments)
        assert (ended.code, ended.report["would_merge"]) == (5, 1), ended.err
    synced.sandbox.reset_counters()
    return synced, item


def test_a_later_one_is_told_of_and_becomes_no_second_item(lookalike: tuple[Company, int]) -> None:
    company, item = lookalike
    company.sandbox.edit(item, {CELLS["claim"]: "C-9"})
    assert company.sync().report["would_merge"] == 1
    pushed = company.push()
    assert (pushed.code, pushed.report["items"]["create"], pushed.report["would_merge"]) == (5, 0, 1)
    assert company.sandbox.counters()["mutations"] == 0
    company.sql("DELETE FROM monday_sync.sync_dead")
    assert company.sync().code == 0
    assert company.push("--test").report["items"]["create"] == 1


def test_its_row_can_take_the_place_of_the_new_one(lookalike: tuple[Company, int]) -> None:
    company, item = lookalike
    company.sql("DELETE FROM projects WHERE monday_item_id = %s", item)
    company.sql("UPDATE projects SET monday_item_id = %s WHERE name = 'job 9'", item)
    assert company.sync().code == 0
    assert company.push("--propagate-deletes").report["items"] == {
        "create": 0,
        "update": 0,
        "archive": 0,
        "unchanged": 9,
    }
    company.sandbox.edit(item, {CELLS["claim"]: "C-9"})
    assert company.sync().code == 0
    assert company.project(item, "claim_number") == "C-9"
    assert company.project(item, "company_cam_link") == "https://cam.example/9"
    company.sql("UPDATE projects SET claim_number = 'C-10' WHERE monday_item_id = %s", item)
    assert company.push().report["items"]["update"] == 1
    assert company.sandbox.item(item)["cells"][CELLS["claim"]]["text"] == "C-10"
    assert company.sync("--full").writes == 0
