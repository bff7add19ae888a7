"""Values that PostgreSQL can hold and this program cannot: set aside by table, row and column, in both directions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db_connector import Database
from models import UNREADABLE
from postgres.readable import unreadable_in
from postgres.state import read_column
from sandbox import MASTER_BOARD_ID, STAFF_BOARD_ID
from tests.support.company import Company, small_world
from tests.support.pushing import shows
from tests.support.servers import Keywords

DAY, PRICE, TEXT = "date_19__1", "numbers0", "text40__1"


def jobs(company: Company) -> list[int]:
    return company.sandbox.item_ids(MASTER_BOARD_ID)


VALUES = [
    ("storms", "date_of_loss", "20311-02-03"),
    ("storms", "date_of_loss", "0044-03-15 BC"),
    ("storms", "date_of_loss", "infinity"),
    ("storms", "date_of_loss", "-infinity"),
    ("projects", "estimated_value", "NaN"),
    ("projects", "archived_at", "infinity"),
    ("projects", "archived_at", "294000-01-01"),
    ("users", "archived_at", "-infinity"),
    ("users", "roles", "{Estimator,NULL}"),
    ("users", "roles", "{{Estimator,Partner},{a,b}}"),
]


@pytest.fixture
def stormy(company: Company) -> Company:
    """Two jobs share a storm; nobody is needed."""
    for item_id in jobs(company)[:2]:
        company.sandbox.edit(item_id, {DAY: {"date": "2023-05-01"}})
    company.sandbox.advance(60)
    assert company.sync().code == 0
    company.sandbox.reset_counters()
    return company


def listed(report: dict[str, Any]) -> list[str]:
    return [cell["column"] for cell in report["details"]["quarantined"]]


@pytest.mark.parametrize(("table", "column", "value"), VALUES)
@pytest.mark.sampled(2)
def test_it_is_set_aside_alone_in_both_directions(stormy: Company, table: str, column: str, value: str) -> None:
    first = jobs(stormy)[0]
    row = stormy.value(
        "SELECT {} FROM projects p WHERE p.monday_item_id = %s".format("p.storm_id" if table == "storms" else "p.id"),
        first,
    )
    if table == "users":
        row = stormy.value("SELECT id FROM users ORDER BY monday_item_id LIMIT 1")
    before = stormy.value(f"SELECT {column}::text FROM {table} WHERE id = %s", row)
    stormy.sql(f"UPDATE {table} SET {column} = %s WHERE id = %s", value, row)
    held = stormy.value(f"SELECT {column}::text FROM {table} WHERE id = %s", row)
    stormy.sql("UPDATE projects SET description = 'typed in SQL' WHERE monday_item_id = %s", first)
    stormy.sandbox.edit(jobs(stormy)[1], {TEXT: "typed on the board"})
    stormy.sandbox.edit(stormy.sandbox.item_ids(STAFF_BOARD_ID)[0], {"text6": "XL"})
    shown = stormy.sandbox.digest()
    place = f"{table}.{row}.{column}"
    for command in (stormy.sync, stormy.push):
        dry = command("--test")
        assert (dry.code, listed(dry.report)) == (5, [place]), dry.err
    assert stormy.sandbox.digest() == shown
    for command in (stormy.sync, stormy.push, stormy.sync, stormy.push):
        ended = command()
        assert (ended.code, ended.report["quarantined"], listed(ended.report)) == (5, 1, [place]), ended.err
        assert stormy.value(f"SELECT {column}::text FROM {table} WHERE id = %s", row) == held
    assert stormy.project(jobs(stormy)[1], "description") == "typed on the board"
    assert shows(stormy, first, TEXT) == "typed in SQL"
    assert stormy.sync("--full").code == 5
    doctor = stormy.run(program="test_sync.py")
    assert f"{table}.{column}" in doctor.out
    stormy.sql(f"UPDATE {table} SET {column} = %s WHERE id = %s", before, row)
    ends = [stormy.push(), stormy.sync(), stormy.push()]
    assert [ended.code for ended in ends] == [0, 0, 0]
    assert ends[-1].report["items"]["update"] == 0


# What meets such a value ----------------------------------------------------------------------------------------------


def spoil(company: Company, item_id: int) -> str:
    """Give a job a price that is no number; where that is listed."""
    company.sql("UPDATE projects SET estimated_value = 'NaN' WHERE monday_item_id = %s", item_id)
    return f"projects.{company.project(item_id, 'id')}.estimated_value"


@pytest.mark.parametrize(
    ("corrected", "lands"), [("1001", 77), ("5000", 77)], ids=["to what it was", "to something else"]
)
def test_an_edit_of_its_cell_waits_until_it_is_corrected(synced: Company, corrected: str, lands: int) -> None:
    item_id = jobs(synced)[0]
    place = spoil(synced, item_id)
    synced.sandbox.edit(item_id, {PRICE: "77", TEXT: "typed beside it"})
    for _ in range(2):
        assert listed(synced.landed()) == [place]
        assert listed(synced.push().report) == [place]
    assert synced.project(item_id, "description") == "typed beside it"
    assert shows(synced, item_id, PRICE) == "77"
    assert str(synced.project(item_id, "estimated_value")) == "NaN"
    synced.sql("UPDATE projects SET estimated_value = %s WHERE monday_item_id = %s", corrected, item_id)
    assert synced.sync().code == (0 if corrected == "1001" else 5)  # where both sides edited it, one of them lost
    assert synced.push().code == 0
    assert (synced.project(item_id, "estimated_value"), shows(synced, item_id, PRICE)) == (lands, "77")


def test_a_correction_is_sent(synced: Company) -> None:
    item_id = jobs(synced)[0]
    spoil(synced, item_id)
    assert [synced.sync().code, synced.push().code] == [5, 5]
    synced.sql("UPDATE projects SET estimated_value = 4711 WHERE monday_item_id = %s", item_id)
    assert [synced.sync().code, synced.push().code] == [0, 0]
    assert shows(synced, item_id, PRICE) == "4711"


def test_a_storm_keeps_its_items_and_its_key_and_gains_more(stormy: Company) -> None:
    first, second, third, *_ = jobs(stormy)
    storm = stormy.project(first, "storm_id")
    stormy.sql("UPDATE storms SET date_of_loss = 'infinity' WHERE id = %s", storm)
    stormy.sandbox.edit(third, {DAY: {"date": "2023-05-01"}})
    stormy.sandbox.edit(second, {DAY: {"date": "2024-06-01"}})
    assert stormy.sync().code == 5
    assert [stormy.project(item_id, "storm_id") == storm for item_id in (first, second, third)] == [True, False, True]
    assert stormy.push().code == 5
    assert [shows(stormy, item_id, DAY) for item_id in (first, third)] == ["2023-05-01"] * 2
    assert stormy.value("SELECT count(*) FROM storms") == 2
    stormy.sql("UPDATE storms SET date_of_loss = '2023-05-02' WHERE id = %s", storm)
    assert [stormy.push().code, stormy.sync().code, stormy.push().code] == [0, 0, 0]
    assert shows(stormy, first, DAY) == "2023-05-02"
    assert shows(stormy, second, DAY) == "2024-06-01"


def test_a_project_moved_to_such_a_storm_waits(stormy: Company) -> None:
    first = jobs(stormy)[0]
    stormy.sql(
        "WITH new AS (INSERT INTO storms (date_of_loss) VALUES ('-infinity') RETURNING id)"
        " UPDATE projects SET storm_id = new.id, description = 'moved' FROM new WHERE monday_item_id = %s",
        first,
    )
    for _ in range(2):
        assert stormy.push().code == 5
        assert (shows(stormy, first, DAY), shows(stormy, first, TEXT)) == ("2023-05-01", "moved")
        assert stormy.sync().code == 5
    stormy.sql("UPDATE storms SET date_of_loss = '2021-01-01' WHERE date_of_loss = '-infinity'")
    assert [stormy.push().code, stormy.sync().code] == [0, 0]
    assert shows(stormy, first, DAY) == "2021-01-01"


def test_a_new_row_becomes_an_item_without_it_and_is_told_once_it_is_corrected(synced: Company) -> None:
    synced.sql("INSERT INTO projects (name, item_name, estimated_value) VALUES ('New', 'New', 'NaN')")
    made = synced.push()
    assert (made.code, made.report["items"]["create"]) == (5, 1)
    item_id = synced.value("SELECT monday_item_id FROM projects WHERE name = 'New'")
    for command in (synced.sync, synced.push):
        ended = command()
        assert (ended.code, ended.report["quarantined"], ended.writes) == (5, 1, 0)
    assert shows(synced, item_id, PRICE) in (None, "")
    synced.sql("UPDATE projects SET estimated_value = 12 WHERE name = 'New'")
    assert [synced.sync().code, synced.push().code, synced.sync().code] == [0, 0, 0]
    assert shows(synced, item_id, PRICE) == "12"
    assert synced.project(item_id, "estimated_value") == 12


@pytest.mark.parametrize("by", ["the board", "SQL"])
def test_such_roles_stay_when_their_person_gains_one(synced: Company, by: str) -> None:
    item_id, other = jobs(synced)[:2]
    synced.sandbox.edit(item_id, {"job_est_1_name__1": "Eve Estimator"})
    assert synced.sync().code == 0
    person = synced.project(item_id, "estimator_id")
    synced.sql("UPDATE users SET roles = '{Estimator,NULL,boss}' WHERE id = %s", person)
    if by == "SQL":
        synced.sql("UPDATE projects SET superintendent_id = %s WHERE monday_item_id = %s", person, other)
    else:
        synced.sandbox.edit(other, {"job_est_1_name__1": "Eve Estimator"})
        synced.sandbox.edit(item_id, {"job_est_1_name__1": None})
    for command in (synced.sync, synced.push):
        assert listed(command().report) == [f"users.{person}.roles"]
    if by == "SQL":
        assert shows(synced, other, "dup__of_text6__1") == "Eve Estimator"
    assert synced.value("SELECT roles::text FROM users WHERE id = %s", person) == "{Estimator,NULL,boss}"


@pytest.mark.parametrize("value", ["{}", "7", "null", '"text"', '[[1], {"a": "b"}]', '{"url": "x"}'])
def test_files_that_are_no_list_stay_as_they_are(synced: Company, value: str) -> None:
    """Files are never sent, and what a person typed there is nobody's edit."""
    item_id = jobs(synced)[0]
    synced.sql(
        "UPDATE properties SET measurements = %s, city = 'Elko' WHERE id ="
        " (SELECT property_id FROM projects WHERE monday_item_id = %s)",
        value,
        item_id,
    )
    codes = [synced.sync("--full").code, synced.push().code, synced.sync("--full").code, synced.push().code]
    assert codes == [0, 0, 0, 0]
    kept = "SELECT measurements FROM properties h JOIN projects p ON p.property_id = h.id WHERE monday_item_id = %s"
    assert synced.value(kept, item_id) == json.loads(value)


@pytest.fixture
def older(blank: Keywords, tmp_path: Path) -> Iterator[Company]:
    """Somebody else's tables, with a wider type for money, before any run."""
    with small_world() as sandbox:
        company = Company(sandbox, blank, tmp_path)
        first, second, *_ = jobs(company)
        company.sandbox.edit(first, {DAY: {"date": "2023-05-01"}})
        company.sql(
            "CREATE TABLE storms (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), date_of_loss date);"
            "CREATE TABLE projects (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), monday_item_id bigint,"
            " estimated_value numeric, total_payment numeric(30, 4), storm_id uuid REFERENCES storms);"
            "INSERT INTO storms (date_of_loss) VALUES ('infinity'), ('99999-01-01');"
            "INSERT INTO projects (monday_item_id, estimated_value, total_payment, storm_id)"
            " SELECT %s, 'Infinity', 1e20, id FROM storms WHERE date_of_loss = 'infinity';"
            "INSERT INTO projects (monday_item_id, estimated_value) VALUES (%s, 999999999999.995)",
            first,
            second,
        )
        yield company


def test_at_first_contact_it_stays_as_it_is(older: Company) -> None:
    first, second, *_ = jobs(older)
    dry = older.sync("--test")
    real = older.sync()
    for ended in (dry, real):
        assert (ended.code, ended.report["quarantined"]) == (5, 5), ended.err
    assert dry.report["plan"] == real.report["plan"]
    kept = "SELECT estimated_value::text, total_payment::text FROM projects WHERE monday_item_id = %s"
    assert older.sql(kept, first) == [("Infinity", "100000000000000000000.0000")]
    assert older.sql(kept, second) == [("999999999999.995", None)]
    assert (older.push().code, shows(older, first, PRICE), shows(older, second, PRICE)) == (5, "1001", "1002")
    older.sql("UPDATE projects SET estimated_value = NULL WHERE monday_item_id = %s", first)
    older.sql("UPDATE projects SET estimated_value = 5 WHERE monday_item_id = %s", second)
    assert [older.sync().code, older.push().code] == [5, 5]
    assert [older.project(item_id, "estimated_value") for item_id in (first, second)] == [1001, 5]
    assert shows(older, second, PRICE) == "1002"  # at first contact both stay


EDGES = {
    ("storms", "date_of_loss"): st.sampled_from(
        ["0001-01-01", "9999-12-31", "10000-01-01", "0001-12-31 BC", "infinity", "-infinity", "5874897-12-31", None]
    ),
    ("projects", "archived_at"): st.sampled_from(
        ["0001-01-01 00:00:00+00", "0001-01-01 00:00:00+14", "9999-12-31 23:59:59.999999+00", "9999-12-31 23:59:59-14",
         "4713-01-01 BC", "infinity", "-infinity", "2023-05-01", None]
    ),
    ("projects", "estimated_value"): st.one_of(
        st.sampled_from(["NaN", "999999999999.99", "-999999999999.99", "0", None]),
        st.decimals(allow_nan=False, allow_infinity=False, places=2, max_value=10**12 - 1, min_value=-(10**12) + 1),
    ),
    ("users", "roles"): st.sampled_from(
        ["{}", "{a}", "{NULL}", '{"NULL"}', "{{a}}", "{{a,b},{c,NULL}}", "[0:1]={a,b}", None]
    ),
}  # fmt: skip


@pytest.mark.parametrize("place", EDGES, ids=".".join)
def test_what_is_listed_is_what_cannot_be_loaded(database: Database, place: tuple[str, str]) -> None:
    """The database's own judgement and the driver's agree on every value, and no value raises."""
    table, column = place

    @given(EDGES[place])
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def agree(value: Any) -> None:
        def work(tx: Any) -> tuple[Any, list[Any]]:
            tx.execute(f"DELETE FROM public.{table}")
            tx.execute(f"INSERT INTO public.{table} ({column}) VALUES (%s)", (value,))
            query = f"SELECT {read_column(table, column).as_string(tx.connection)} FROM public.{table} t"
            return tx.one(query)[0], unreadable_in(tx, {table: [column]})

        loaded, found = database.transact(work, read_only=False, label="trying a value")
        assert (loaded is UNREADABLE) == bool(found)

    agree()
