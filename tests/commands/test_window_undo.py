"""`undo RUN`: a run of either direction is taken back on both sides, and what was edited since is left and listed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.company import Company
from tests.support.pushing import CLAIM, jobs, new_project, shows


def undone(company: Company, *options: str, code: int = 0) -> dict[str, Any]:
    ended = company.window("undo", *options, "--json")
    assert ended.code == code, ended.err + ended.out
    found: dict[str, Any] = json.loads(ended.out)
    return found


def claim(company: Company, item: int) -> Any:
    return company.project(item, "claim_number")


def pulled(company: Company, item: int, text: str) -> str:
    company.sandbox.edit(item, {CLAIM: text})
    report = company.landed()
    assert claim(company, item) == text
    return str(report["run_id"])


def pushed(company: Company, item: int, text: str) -> str:
    company.sql("UPDATE projects SET claim_number = %s WHERE monday_item_id = %s", text, item)
    ended = company.push()
    assert ended.outcome == 0, ended.err
    assert shows(company, item, CLAIM) == text
    return str(ended.report["run_id"])


@pytest.mark.parametrize("by", [pulled, pushed])
def test_both_sides_are_as_before(synced: Company, by: Any) -> None:
    item = jobs(synced)[0]
    before = claim(synced, item), shows(synced, item, CLAIM)
    run = by(synced, item, "C-1")
    dry = undone(synced, run, "--test")
    assert claim(synced, item) == "C-1"
    done = undone(synced, run)
    assert (done["plan"], done["changes"]) == (dry["plan"], dry["changes"])
    assert {change["reason"] for change in done["changes"]} == {f"undo of {run}"}
    assert claim(synced, item) == before[0]
    assert synced.push().outcome == 0
    assert (claim(synced, item), shows(synced, item, CLAIM)) == before
    assert synced.sync("--full").writes == 0


@pytest.mark.parametrize("by", [pulled, pushed])
def test_an_undo_can_be_undone(synced: Company, by: Any) -> None:
    item = jobs(synced)[0]
    first = undone(synced, by(synced, item, "C-1"))
    undone(synced, first["run_id"])
    assert claim(synced, item) == "C-1"
    assert synced.push().outcome == 0
    assert shows(synced, item, CLAIM) == "C-1"


@pytest.mark.parametrize("by", [pulled, pushed])
def test_what_was_edited_since_is_left_and_listed(synced: Company, by: Any) -> None:
    one = jobs(synced)[0]
    run = by(synced, one, "C-1")
    synced.sql("UPDATE projects SET claim_number = 'C-2' WHERE monday_item_id = %s", one)
    done = undone(synced, run, code=5)
    assert (done["changes"], [(left["why"], left["now"]) for left in done["left"]]) == ([], [("edited since", "C-2")])
    assert claim(synced, one) == "C-2"
    assert "edited since" in synced.window("undo", run, "--test").out


def test_what_was_edited_on_monday_since_is_no_ones_loss(synced: Company) -> None:
    item = jobs(synced)[0]
    run = pulled(synced, item, "C-1")
    synced.sandbox.edit(item, {CLAIM: "C-2"})
    undone(synced, run)
    synced.sync()
    synced.push()
    assert claim(synced, item) == shows(synced, item, CLAIM) == "C-2"
    assert synced.value("SELECT count(*) FROM monday_sync.sync_conflict") == 1


def test_rows_that_the_run_made_stay_and_are_listed(synced: Company) -> None:
    row = new_project(synced, "Kim Roe")
    run = synced.push().report["run_id"]
    done = undone(synced, run, code=5)
    assert [left["action"] for left in done["left"]] == ["create"]
    assert synced.value("SELECT count(*) FROM projects WHERE id = %s", row) == 1


@pytest.mark.parametrize("option", ["--item", "--row", "--field"])
def test_a_part_can_be_chosen(synced: Company, option: str) -> None:
    one, other, *_ = jobs(synced)
    synced.sandbox.edit(one, {CLAIM: "C-1"})
    synced.sandbox.edit(other, {"numbers0": "4711"})
    run = synced.landed()["run_id"]
    row = synced.value("SELECT id::text FROM projects WHERE monday_item_id = %s", one)
    chosen = {"--item": str(one), "--row": f"projects/{row}", "--field": "projects.claim_number"}[option]
    done = undone(synced, run[-6:], option, chosen)
    assert {change["address"]["field"] for change in done["changes"]} == {"projects.claim_number"}
    assert synced.project(other, "estimated_value") == 4711


def test_a_run_that_there_is_not_names_the_nearest(synced: Company) -> None:
    run = synced.landed()["run_id"]
    ended = synced.window("undo", f"{run[:-1]}x")
    assert (ended.code, f"did you mean {run}?" in ended.err) == (2, True)


def test_a_part_that_there_is_not_names_what_there_is(synced: Company) -> None:
    run = pulled(synced, jobs(synced)[0], "C-1")
    ended = synced.window("undo", run, "--field", "projects.name")
    assert (ended.code, "projects.claim_number" in ended.err) == (2, True)


def test_another_run_at_work(synced: Company) -> None:
    run = pulled(synced, jobs(synced)[0], "C-1")
    synced.sql(
        "UPDATE monday_sync.sync_lease SET holder = 'somebody', fence = fence + 1, expires_at = now() + '1 hour'"
    )
    assert synced.window("undo", run).code == 6
    assert claim(synced, jobs(synced)[0]) == "C-1"
    assert synced.window("undo", run, "--test").code == 0


def test_a_row_that_the_database_refuses_is_named(synced: Company) -> None:
    item = jobs(synced)[0]
    run = pulled(synced, item, "C-1")
    synced.sql("ALTER TABLE projects ADD CHECK (claim_number IS NOT NULL) NOT VALID")
    done = undone(synced, run, code=5)
    assert len(done["refused"]) == 1
    assert claim(synced, item) == "C-1"


def test_guards_apply(synced: Company) -> None:
    run = pulled(synced, jobs(synced)[0], "C-1")
    refused = synced.window("undo", run, "--max-change", "0")
    assert refused.code == 4
    assert "1 of 6 rows of projects would lose something, the limit is 0" in refused.err
    assert claim(synced, jobs(synced)[0]) == "C-1"


def test_a_database_that_was_never_synced(company: Company) -> None:
    ended = company.window("undo", "20200101T000000-abcdef")
    assert (ended.code, "never synced" in ended.err) == (2, True)


def test_the_undo_is_on_record(synced: Company) -> None:
    run = pulled(synced, jobs(synced)[0], "C-1")
    done = undone(synced, run)
    told = synced.sql(
        "SELECT direction, exit_code, plan, options->>'undone' FROM monday_sync.sync_run WHERE run_id = %s",
        done["run_id"],
    )
    assert told == [("undo", 0, done["plan"], run)]
