"""What the database refuses by a rule of its owner's: the value that is to blame waits, or the row; the rest lands."""

from __future__ import annotations

import pytest

from tests.edges.test_inbound_world import EMAIL, NAME, NOTE, TEXT, create, customer_of, edit, email, jobs, settled
from tests.support.company import Company, job_cells

_RAISE = """
CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN IF {when} THEN RAISE EXCEPTION 'not this one'; END IF; RETURN NEW; END $$;
CREATE TRIGGER no BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION no()
"""
POISON = {
    "check on a parent": (
        "ALTER TABLE customers ADD CONSTRAINT no CHECK (name <> 'Owner 13')",
        "ALTER TABLE customers DROP CONSTRAINT no",
        set(),
    ),
    "check on all that a parent says": (
        "ALTER TABLE customers ADD CONSTRAINT no CHECK (coalesce(name, 'Owner 13') <> 'Owner 13')",
        "ALTER TABLE customers DROP CONSTRAINT no",
        {"customers"},
    ),
    "check on a child": (
        "ALTER TABLE projects ADD CONSTRAINT no CHECK (estimated_value <> 1013)",
        "ALTER TABLE projects DROP CONSTRAINT no",
        set(),
    ),
    "trigger": (
        _RAISE.format(table="properties", when="NEW.address LIKE '113 %'"),
        "DROP TRIGGER no ON properties",
        {"properties"},
    ),
    "unique": (
        "INSERT INTO projects (description) VALUES ('Roof 13');CREATE UNIQUE INDEX no ON projects (description)",
        "DROP INDEX no",
        set(),
    ),
}


@pytest.mark.parametrize("poison", POISON)
def test_a_refusal_costs_the_value_or_else_the_row_alone(synced: Company, poison: str) -> None:
    """What points at a row that is not there lands with an empty pointer, which is filled as soon as the row is."""
    refuse, allow, tables = POISON[poison]
    synced.sql(refuse)
    before = synced.counts()
    ids = {number: create(synced, f"Job {number}", job_cells(number)) for number in range(11, 16)}
    ended = synced.sync()
    assert ended.code == 5
    assert ended.report["quarantined"] == 1
    for table in ("customers", "properties", "projects"):
        assert synced.counts()[table] - before[table] == 5 - (table in tables), table
    again = synced.sync()
    assert (again.code, again.writes) == (5, 0)
    synced.sql(allow)
    assert synced.sync().code == 0
    assert synced.project(ids[13], "description") == "Roof 13"
    assert customer_of(synced, ids[13])["email"] == "owner13@mail.example"
    assert {table: count - before[table] for table, count in synced.counts().items() if count != before[table]} == {
        "customers": 5, "properties": 5, "projects": 5
    }  # fmt: skip
    settled(synced)


def test_a_refused_edit_is_tried_again_until_it_lands(synced: Company) -> None:
    """Of a row that has something in that field, too: what was refused is an edit still, and no first sight."""
    item, other = jobs(synced)[:2]
    edit(synced, item, {NOTE: "good"})
    assert synced.sync().code == 0
    synced.sql("ALTER TABLE customers ADD CONSTRAINT no CHECK (notes <> 'forbidden')")
    edit(synced, item, {NOTE: "forbidden", TEXT: "lands"})
    edit(synced, other, {NOTE: "fine"})
    ended = synced.sync()
    assert ended.code == 5
    assert [entry["item"] for entry in ended.report["details"]["quarantined"]] == [item]
    assert (customer_of(synced, item)["notes"], customer_of(synced, other)["notes"]) == ("good", "fine")
    assert synced.project(item, "description") == "lands"
    again = synced.sync()
    assert (again.code, again.writes, again.report["tolerated"]) == (5, 0, 0)
    synced.sql("ALTER TABLE customers DROP CONSTRAINT no")
    assert synced.sync().code == 0
    assert customer_of(synced, item)["notes"] == "forbidden"
    settled(synced)


def test_a_project_that_was_refused_follows_its_customer_afterwards(synced: Company) -> None:
    """The customer of the new address is there at once; the project, refused for another reason, points at it later."""
    item, other = jobs(synced)[:2]
    synced.sql("ALTER TABLE projects ADD CONSTRAINT no CHECK (description <> 'forbidden')")
    edit(synced, item, {EMAIL: email("owner2@mail.example"), NAME: "Owner 2", TEXT: "forbidden"})
    assert synced.sync().code == 5
    synced.sql("ALTER TABLE projects DROP CONSTRAINT no")
    assert synced.sync().code == 0
    assert synced.project(item, "description") == "forbidden"
    assert customer_of(synced, item) == customer_of(synced, other)
    settled(synced)


def test_a_refused_rename_keeps_the_key_that_the_row_still_has(synced: Company) -> None:
    item = jobs(synced)[0]
    synced.sql("ALTER TABLE customers ADD CONSTRAINT no CHECK (email <> 'new@mail.example')")
    edit(synced, item, {EMAIL: email("new@mail.example")})
    next_item = create(synced, "Next", {EMAIL: email("owner1@mail.example")})
    assert synced.sync().code == 5
    assert customer_of(synced, item)["email"] == "owner1@mail.example"
    synced.sql("ALTER TABLE customers DROP CONSTRAINT no")
    assert synced.sync().code == 0
    assert (customer_of(synced, item)["email"], customer_of(synced, next_item)["email"]) == (
        "new@mail.example",
        "owner1@mail.example",
    )
    settled(synced)


def test_a_column_that_may_not_be_empty_keeps_its_last_value(synced: Company) -> None:
    item = jobs(synced)[0]
    synced.sql("ALTER TABLE customers ALTER COLUMN name SET NOT NULL")
    edit(synced, item, {NAME: None, TEXT: "lands"})
    assert synced.sync().code == 5
    assert (customer_of(synced, item)["name"], synced.project(item, "description")) == ("Owner 1", "lands")
    synced.sql("ALTER TABLE customers ALTER COLUMN name DROP NOT NULL")
    assert synced.sync().code == 0
    assert customer_of(synced, item)["name"] is None
