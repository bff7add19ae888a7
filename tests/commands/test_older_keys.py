"""A database that an older rule of keys has filled: what it joined is parted by the first pull, and not sent before."""

from __future__ import annotations

import pytest

from sandbox import MASTER_BOARD_ID, STAFF_BOARD_ID
from tests.commands.test_rows_apart import FIRM, INSURER, MUTUALS, PM, email, hire, say
from tests.support.company import Company, job_cells
from tests.support.older_keys import by_the_older_rule, join
from tests.support.pushing import jobs, shows

PLACES = {
    "insurances": (INSURER, "company_name", "insurance_id"),
    "pa_law": (FIRM, "name", "pa_law_id"),
    "users": (PM, "name", "project_manager_id"),
}


def joined(company: Company, table: str = "insurances") -> tuple[list[int], str]:
    """Items that say three names, and the one row that they have."""
    items = say(company, PLACES[table][0], *MUTUALS)
    company.landed()
    row = join(company, table, "name:b mutual", items)
    by_the_older_rule(company)
    return items, row


def named(company: Company, items: list[int], table: str = "insurances") -> list[str]:
    """What the row of each item is called."""
    _cell, name, link = PLACES[table]
    query = f"SELECT t.{name} FROM projects p JOIN {table} t ON t.id = p.{link} WHERE p.monday_item_id = %s"
    return [company.value(query, item) for item in items]


def settled(company: Company, items: list[int], table: str = "insurances") -> None:
    """Each item has its row, and nothing is left to do in either direction."""
    assert named(company, items, table) == list(MUTUALS)
    assert company.sync("--full").writes == 0
    pushed = company.push()
    assert (pushed.code, pushed.report["plan"]) == (5, ""), pushed.err
    assert [shows(company, item, PLACES[table][0]) for item in items] == list(MUTUALS)


@pytest.mark.parametrize("table", list(PLACES))
@pytest.mark.parametrize("how", [(), ("--full",), ("--use-cache",), ("--board", "master"), ("--board", "staff")])
@pytest.mark.sampled(2)
def test_a_row_of_three_is_parted_by_the_first_pull(synced: Company, table: str, how: tuple[str, ...]) -> None:
    synced.landed("--full")
    items, row = joined(synced, table)
    others = synced.counts()
    dry = synced.sync("--test", *how)
    landed = synced.sync(*how)
    assert (dry.code, landed.code) == (5, 5), landed.err
    assert dry.report["plan"] == landed.report["plan"]
    assert dry.report["would_merge"] == landed.report["would_merge"] == 2
    assert any("stood for several things" in note for note in landed.report["notes"])
    _cell, _name, link = PLACES[table]
    assert str(synced.project(items[0], link)) == row, "whose text it held"
    assert synced.counts() == others | {table: others[table] + 2}
    settled(synced, items, table)


def test_an_edit_in_sql_is_sent_to_whom_it_was_meant_for(synced: Company) -> None:
    items, row = joined(synced)
    synced.sql("UPDATE insurances SET company_name = 'Bee Mutual' WHERE id = %s", row)
    synced.landed()
    assert named(synced, items) == ["Bee Mutual", *MUTUALS[1:]]
    assert synced.push().code in (0, 5)
    assert [shows(synced, item, INSURER) for item in items] == ["Bee Mutual", *MUTUALS[1:]]


def test_a_push_that_comes_first_leaves_those_items_alone(synced: Company) -> None:
    items, row = joined(synced)
    other = jobs(synced)[5]
    synced.sql("UPDATE insurances SET company_name = 'Bee Mutual' WHERE id = %s", row)
    synced.sql("UPDATE projects SET description = 'new' WHERE monday_item_id = ANY(%s)", [items[0], other])
    pushed = synced.push()
    assert pushed.code == 0, pushed.err
    assert any("nothing was sent" in note for note in pushed.report["notes"])
    assert [shows(synced, item, INSURER) for item in items] == list(MUTUALS)
    assert [shows(synced, item, "text40__1") for item in (items[0], other)] == ["Roof 1", "new"]
    synced.landed()
    assert synced.push().code in (0, 5)
    assert [shows(synced, item, INSURER) for item in items] == ["Bee Mutual", *MUTUALS[1:]]
    assert shows(synced, items[0], "text40__1") == "new"


def test_what_one_wrote_into_the_row_of_another_is_taken_back(synced: Company) -> None:
    """It waited to be sent to the others."""
    phone = "phone_132__1"
    first, second = jobs(synced)[:2]
    for item, digits in ((first, "+13035550101"), (second, "+13035550202")):
        synced.sandbox.edit(item, {phone: {"phone": digits, "countryShortName": "US"}})
    items, row = joined(synced)
    synced.sql("UPDATE insurances SET company_phone = '+13035550202' WHERE id = %s", row)
    synced.sql("UPDATE monday_sync.sync_row SET p_hash = NULL WHERE row_id = %s", row)
    synced.landed()
    query = (
        "SELECT i.company_phone FROM insurances i JOIN projects p ON p.insurance_id = i.id WHERE p.monday_item_id = %s"
    )
    assert [synced.value(query, item)[-4:] for item in items[:2]] == ["0101", "0202"]
    settled(synced, items)
    assert [shows(synced, item, phone)[-4:] for item in items[:2]] == ["0101", "0202"]


def test_a_foreign_key_that_a_person_moved_decides(synced: Company) -> None:
    items, _row = joined(synced)
    synced.sql("INSERT INTO insurances (company_name) VALUES ('Acme')")
    synced.sql(
        "UPDATE projects SET insurance_id = (SELECT id FROM insurances WHERE company_name = 'Acme')"
        " WHERE monday_item_id = %s",
        items[1],
    )
    synced.landed()
    assert named(synced, items) == [MUTUALS[0], "Acme", MUTUALS[2]]
    synced.push()
    assert [shows(synced, item, INSURER) for item in items] == [MUTUALS[0], "Acme", MUTUALS[2]]


def test_an_item_that_is_edited_meanwhile_says_what_it_says_now(synced: Company) -> None:
    items, _row = joined(synced)
    synced.sandbox.edit(items[1], {INSURER: "B Mutual"})
    synced.sandbox.edit(items[2], {INSURER: "Acme"})
    synced.landed()
    assert named(synced, items) == ["B Mutual", "B Mutual", "Acme"]
    assert synced.sync("--full").writes == 0
    assert synced.push().report["plan"] == ""


def test_two_staff_items_with_one_row_get_one_each(synced: Company) -> None:
    one = synced.sandbox.item_ids(STAFF_BOARD_ID)[0]
    other = hire(synced, "Ann", email__1=email("rep1@roofs.example"), text6="XL")
    synced.landed()
    row = join(synced, "users", "email:rep1@roofs.example", [one, other], "user:Sales Staff")
    synced.sql("UPDATE users SET shirt_size = 'XL' WHERE id = %s", row)
    synced.sql("UPDATE monday_sync.sync_row SET p_hash = NULL WHERE row_id = %s", row)
    by_the_older_rule(synced)
    assert synced.push().report["items"]["update"] == 0
    assert synced.landed()["would_merge"] == 1
    found = synced.sql(
        "SELECT monday_item_id, name, shirt_size FROM users WHERE email = 'rep1@roofs.example' ORDER BY 1"
    )
    assert found == [(one, "Rep 1 Green", None), (other, "Ann Lee", "XL")]
    assert synced.sync("--full").writes == 0
    assert synced.push().report["plan"] == ""
    assert [shows(synced, item, "text6") or None for item in (one, other)] == [None, "XL"]


def test_keys_that_only_changed_their_form_find_their_rows(synced: Company) -> None:
    first, second = jobs(synced)[:2]
    say(synced, INSURER, "A & B Insurance")
    synced.sandbox.edit(first, {"dup__of_job_address0__1": "12 1/2 Elm St, Denver, CO 80202"})
    synced.landed()
    synced.sql("UPDATE monday_sync.sync_key SET key = 'name:a b insurance' WHERE key = 'name:a & b insurance'")
    synced.sql("UPDATE monday_sync.sync_key SET key = replace(key, '1/2', '1 2') WHERE table_name = 'properties'")
    by_the_older_rule(synced)
    synced.sandbox.edit(second, {INSURER: "A & B INSURANCE"})
    assert synced.sync().code == 0
    assert synced.value("SELECT count(*) FROM insurances") == 1
    assert synced.value("SELECT count(*) FROM monday_sync.sync_key WHERE key ~ '12 1/2 elm'") == 1
    assert synced.sync("--full").writes == 0


def test_parting_many_needs_no_flag(company: Company) -> None:
    for number in range(7, 81):
        company.sandbox.create(MASTER_BOARD_ID, f"Job {number}", job_cells(number))
    items = say(company, INSURER, "B Mutual", *["B+ Mutual"] * 79)
    company.landed()
    join(company, "insurances", "name:b mutual", items)
    by_the_older_rule(company)
    assert company.sync().code == 5
    assert named(company, [items[0], items[79]]) == ["B Mutual", "B+ Mutual"]
    assert company.sync("--full").writes == 0
