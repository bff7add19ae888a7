"""A slot that a person emptied in SQL stays empty until one of its own cells changes, also where the cells cannot be
cleared on the board."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox import MASTER_BOARD_ID, STAFF_BOARD_ID
from tests.support.company import Company
from tests.support.pushing import CLAIM, jobs, letters, shows

ADDRESS, FILES = "dup__of_job_address0__1", "files9__1"
ROOF = {"id": 11, "name": "roof.pdf", "kind": "asset"}
WALL = {"id": 12, "name": "wall.pdf", "kind": "asset"}


def with_files(company: Company) -> int:
    """An item whose house has files, which nobody can clear through the API."""
    item = jobs(company)[0]
    company.sandbox.edit(item, {FILES: {"files": [ROOF]}})
    company.sandbox.advance(60)
    assert company.sync().code == 0
    assert company.value("SELECT count(*) FROM properties WHERE measurements IS NOT NULL") == 1
    company.sandbox.reset_counters()
    return item


def edit(company: Company, item: int, cells: dict[str, Any]) -> None:
    company.sandbox.edit(item, cells)
    company.sandbox.advance(60)


@pytest.mark.parametrize("first", ["push", "pull"])
def test_a_house_with_files_that_a_person_took_away(synced: Company, first: str) -> None:
    item = with_files(synced)
    synced.sql("UPDATE projects SET property_id = NULL WHERE monday_item_id = %s", item)
    houses = synced.counts()["properties"]
    if first == "push":
        assert synced.push().code == 0
        assert not shows(synced, item, ADDRESS)
    for value in ("C-1", "C-2", "C-3"):  # three times, since what is remembered is written anew each time
        edit(synced, item, {CLAIM: value})
        assert synced.sync().code == 0
        assert (synced.project(item, "property_id"), synced.counts()["properties"]) == (None, houses)
        assert synced.push().code == 0
    assert synced.sync("--full").writes == 0
    assert not shows(synced, item, ADDRESS)
    edit(synced, item, {ADDRESS: "7 Elm St, Reno, NV 89501"})
    assert synced.sync().code == 0
    house = synced.project(item, "property_id")
    assert synced.value("SELECT address FROM properties WHERE id = %s", house) == "7 Elm St, Reno, NV 89501"
    assert synced.value("SELECT measurements->0->>'name' FROM properties WHERE id = %s", house) == "roof.pdf"


def test_new_files_are_something_new_to_say(synced: Company) -> None:
    item = with_files(synced)
    synced.sql("UPDATE projects SET property_id = NULL WHERE monday_item_id = %s", item)
    assert synced.push().code == 0
    edit(synced, item, {FILES: {"files": [ROOF, WALL]}})
    assert synced.sync().code == 0
    assert synced.project(item, "property_id") is not None


def test_the_house_can_be_given_back(synced: Company) -> None:
    item = with_files(synced)
    house = synced.project(item, "property_id")
    synced.sql("UPDATE projects SET property_id = NULL WHERE monday_item_id = %s", item)
    assert synced.push().code == 0
    edit(synced, item, {CLAIM: "C-1"})
    assert synced.sync().code == 0
    synced.sql("UPDATE projects SET property_id = %s WHERE monday_item_id = %s", house, item)
    assert synced.push().code == 0
    assert shows(synced, item, ADDRESS) == "101 Main St, Denver, CO 80202"
    edit(synced, item, {CLAIM: "C-2"})
    assert synced.sync().code == 0
    assert synced.project(item, "property_id") == house


PHONE = {"phone": "2025550101", "countryShortName": "US"}
EMAIL = {"email": "ann@roofs.example", "text": ""}
SLOTS: dict[str, tuple[str, dict[str, Any]]] = {
    "customer": ("customer_id", {}),
    "property": ("property_id", {}),
    "policy": ("policy_id", {"dup__of_text0__1": "P-1", "text31__1": "Allstate"}),
    "insurance": ("insurance_id", {"dup__of_text0__1": "P-1", "text31__1": "Allstate"}),
    "pa law": ("pa_law_id", {"jp_pa_law_name__1": "Firm One", "jp_pa_law_phone__1": PHONE}),
    "person": ("estimator_id", {"job_est_1_name__1": "Ann Lee", "email0__1": EMAIL}),
    "team": ("sales_team_id", {"job_division___1__1": {"label": "Retail"}}),
    "storm": ("storm_id", {"date_19__1": {"date": "2026-04-30"}}),
}  # fmt: skip


@pytest.mark.parametrize("first", ["push", "pull"])
@pytest.mark.parametrize("slot", SLOTS)
@pytest.mark.sampled(2)
def test_any_slot_stays_empty(synced: Company, slot: str, first: str) -> None:
    item, (column, cells) = jobs(synced)[0], SLOTS[slot]
    edit(synced, item, cells)
    assert synced.sync().code == 0
    assert synced.project(item, column) is not None
    synced.sql(f"UPDATE projects SET {column} = NULL WHERE monday_item_id = %s", item)
    rows = synced.counts()
    if first == "push":
        assert synced.push().code == 0
    for value in ("C-1", "C-2"):
        edit(synced, item, {CLAIM: value})
        assert synced.sync().code == 0
        assert (synced.project(item, column), synced.counts()) == (None, rows)
    assert synced.push().code == 0
    assert not any(shows(synced, item, cell) for cell in cells if slot not in ("policy", "insurance"))
    assert synced.sync("--full").writes == 0


@pytest.mark.parametrize("slot", ["customer", "pa law", "person", "team"])
def test_a_cell_that_monday_does_not_clear_keeps_the_slot_waiting(synced: Company, slot: str) -> None:
    """All cells of the slot or none: it waits as a whole, is listed, and nothing is made of what it still says."""
    item, (column, cells) = jobs(synced)[0], SLOTS[slot]
    edit(synced, item, cells)
    assert synced.sync().code == 0
    stubborn = next(iter(cells), "text65__1")
    shown = {cell: shows(synced, item, cell) for cell in (*cells, stubborn)}
    synced.sql(f"UPDATE projects SET {column} = NULL WHERE monday_item_id = %s", item)
    rows = synced.counts()
    synced.sandbox.set_rule(MASTER_BOARD_ID, stubborn, "")
    assert synced.push().code == 5
    assert letters(synced) == [(item, stubborn)]
    for value in ("C-1", "C-2"):
        edit(synced, item, {CLAIM: value})
        assert synced.sync().code == 5
        assert (synced.project(item, column), synced.counts()) == (None, rows)
        assert synced.push().code == 5
    assert {cell: shows(synced, item, cell) for cell in shown} == shown
    synced.sandbox.set_rule(MASTER_BOARD_ID, stubborn, None)
    assert synced.push("--retry-dead").code == 0
    assert not any(shows(synced, item, cell) for cell in shown)
    assert synced.sync("--full").writes == 0


def test_a_column_that_is_left_alone_keeps_the_slot_waiting(synced: Company) -> None:
    item = jobs(synced)[0]
    synced.sql("UPDATE projects SET customer_id = NULL WHERE monday_item_id = %s", item)
    rows = synced.counts()
    skip = ("--skip-column", "phone_1__1")
    assert synced.push(*skip).code == 0
    edit(synced, item, {CLAIM: "C-1"})
    assert synced.sync(*skip).code == 0
    assert (synced.project(item, "customer_id"), synced.counts()) == (None, rows)
    assert synced.push().code == 0
    assert not shows(synced, item, "text65__1")
    edit(synced, item, {CLAIM: "C-2"})
    assert synced.sync().code == 0
    assert (synced.project(item, "customer_id"), synced.counts()) == (None, rows)


def test_a_default_label_of_a_new_item_is_something_that_it_says(synced: Company) -> None:
    """The row had no team; the board gave the new item one: the next read brings it, since nobody emptied anything."""
    synced.sql("INSERT INTO projects (item_name) VALUES ('New')")
    assert synced.push("--max-create", "1").report["items"]["create"] == 1
    item = synced.value("SELECT monday_item_id FROM projects WHERE item_name = 'New'")
    edit(synced, item, {"job_division___1__1": {"label": "Retail"}})
    assert synced.sync().code == 0
    assert synced.project(item, "sales_team_id") is not None


def test_the_team_of_a_staff_member(synced: Company) -> None:
    """Its label is the person's own field too, so that clearing one of them is told for both."""
    item = sorted(synced.sandbox.item_ids(STAFF_BOARD_ID))[0]
    edit(synced, item, {"status_13": {"label": "Retail"}})
    assert synced.sync().code == 0
    synced.sql("UPDATE users SET sales_team_id = NULL, monday_team = NULL WHERE monday_item_id = %s", item)
    assert synced.push().code == 0
    for size in ("S", "M"):
        edit(synced, item, {"text6": size})
        assert synced.sync().code == 0
        assert synced.value("SELECT sales_team_id FROM users WHERE monday_item_id = %s", item) is None
    assert not shows(synced, item, "status_13")
