"""`explain ITEM` says of each cell what both sides say, what they agreed on, what the next runs will do, and why; and
then the next runs do it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox import MASTER_BOARD_ID
from tests.support.company import PUSH, Company, job_cells
from tests.support.forging import forge_value, row_of
from tests.support.pushing import jobs, person, project

NOTE, PRICE, EMAIL = "text43__1", "numbers0", "email4__1"
TAKES, SENDS = "writes it to PostgreSQL", "sends it to monday"


def explain(company: Company, item: int, *arguments: str) -> dict[str, Any]:
    ended = company.window("explain", str(item), "--json", *arguments)
    assert ended.code == 0, ended.err
    return ended.report


def differing(report: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Field → what the next pull and the next push do, where the sides differ."""
    return {cell["field"]: (cell["pull"], cell["push"]) for cell in report["rows"] if cell["differs"]}


def test_an_item_in_step(synced: Company) -> None:
    item = jobs(synced)[0]
    synced.sandbox.reset_counters()
    before = synced.contents()
    report = explain(synced, item)
    assert (report["board"], report["item"], report["name"], report["state"]) == ("master", item, "Job 1", "active")
    assert (report["total"], report["looked_at"], differing(report)) == (42, False, {})
    slots = {slot["role"]: slot for slot in report["slots"]}
    customer = row_of(synced, item, "customers")
    assert slots["customer"]["row"] == f"customers/{customer}"
    assert slots["customer"]["keys"] == ["email:owner1@mail.example"]
    assert (slots["property"]["shown_by"], slots["Partner"]["row"]) == (1, None)
    assert len(synced.sandbox.requests()) == 1
    assert synced.contents() == before


def taken(company: Company, item: int) -> None:
    company.sandbox.edit(item, {NOTE: "from the board"})


def sent(company: Company, item: int) -> None:
    company.sql("UPDATE customers SET notes = 'from SQL' WHERE id = %s", row_of(company, item, "customers"))


def both(company: Company, item: int) -> None:
    taken(company, item)
    sent(company, item)


def moved(company: Company, item: int) -> None:
    project(company, item, customer_id=row_of(company, jobs(company)[-1], "customers"))


def unstorable(company: Company, item: int) -> None:
    company.sandbox.edit(item, {PRICE: "9" * 20}, force=True)
    company.landed()


def refused(company: Company, item: int) -> None:
    company.sql("UPDATE customers SET email = 'no address' WHERE id = %s", row_of(company, item, "customers"))
    assert company.push().code == 5


def forged(company: Company, item: int) -> None:
    forge_value(company, item, "customers.notes", "forged")


def emptied(company: Company, item: int) -> None:
    project(company, item, customer_id=None)
    company.sql("UPDATE properties SET customer_id = NULL; DELETE FROM customers WHERE name = 'Owner 1'")


@pytest.mark.parametrize(
    ("act", "field", "pull", "push", "why"),
    [
        (taken, "customers.notes", TAKES, "nothing", "edited on monday"),
        (sent, "customers.notes", "nothing", SENDS, "edited in PostgreSQL"),
        (both, "customers.notes", "writes monday's value", "leaves it to the pull", "monday wins"),
        (moved, "customers.email", "nothing", SENDS, "projects.customer_id was changed"),
        (unstorable, "projects.estimated_value", "keeps what PostgreSQL holds", "nothing", "is not an amount below"),
        (refused, "customers.email", "nothing", "tries again once the value is another", "monday refused it"),
        (forged, "customers.notes", "nothing", "nothing", "verify tells of it"),
        (emptied, "customers.email", "nothing", "nothing", "was deleted in PostgreSQL"),
    ],
    ids=lambda part: getattr(part, "__name__", None),
)
def test_why_a_value_is_not_there(
    synced: Company, act: Callable[[Company, int], None], field: str, pull: str, push: str, why: str
) -> None:
    item = jobs(synced)[0]
    act(synced, item)
    report = explain(synced, item)
    told = next(cell for cell in report["rows"] if cell["field"] == field)
    assert told["pull"] == pull
    assert told["push"].startswith(push)
    assert why in told["why"]
    shown = synced.window("explain", str(item)).out
    assert f"Next pull: {pull}. Next push: {push}" in " ".join(shown.split())


@pytest.mark.parametrize("act", [taken, sent, both, moved])
def test_the_next_runs_do_what_was_said(synced: Company, act: Callable[[Company, int], None]) -> None:
    item = jobs(synced)[0]
    act(synced, item)
    said = differing(explain(synced, item))
    pulled = synced.sync().report
    assert any(table["update"] for table in pulled["tables"].values()) == any(
        pull.startswith("writes") for pull, _push in said.values()
    )
    pushed = synced.push().report["items"]["update"]
    assert bool(pushed) == any(push.startswith("sends") for _pull, push in said.values())
    assert differing(explain(synced, item)) == {}


def test_what_differed_at_first_contact(company: Company) -> None:
    item = jobs(company)[0]
    company.landed()
    company.sql("DROP SCHEMA monday_sync CASCADE")
    project(company, item, description="typed long ago")
    company.landed()
    (told,) = [cell for cell in explain(company, item)["rows"] if cell["differs"]]
    assert (told["field"], told["monday"], told["postgres"], told["ever_agreed"]) == (
        "projects.description", "Roof 1", "typed long ago", False,
    )  # fmt: skip
    assert "--adopt monday or pg" in told["why"]


def test_a_cell_that_only_selects(synced: Company) -> None:
    rep = "rep1@roofs.example"
    staff = synced.value("SELECT monday_item_id FROM users WHERE first_name = 'Rep 1'")
    synced.sandbox.edit(staff, {"phone": {"phone": "+12025550111", "countryShortName": "US"}})
    item = synced.sandbox.create(
        MASTER_BOARD_ID, "A job", {"job_est_1_name__1": "Rep 1 Green", "email0__1": {"email": rep, "text": rep}}
    )
    synced.landed()
    synced.sandbox.advance(60)
    synced.sandbox.edit(item, {"phone_10__1": {"phone": "+12025550172", "countryShortName": "US"}})
    told = next(cell for cell in explain(synced, item)["rows"] if cell["field"] == "users.phone (Estimator)")
    assert (told["pull"], "whose own item edits him" in told["why"]) == ("nothing", True)
    assert synced.sync().writes == 0


def test_a_row_that_too_many_items_show(synced: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconcile.explain.FAN_OUT", 1)
    one, other = jobs(synced)[:2]
    synced.sandbox.edit(other, {EMAIL: {"email": "owner1@mail.example", "text": "owner1@mail.example"}})
    synced.landed()
    sent(synced, one)
    told = next(cell for cell in explain(synced, one)["rows"] if cell["field"] == "customers.notes")
    assert (told["push"], "2 items show the row" in told["why"]) == ("waits", True)


def test_what_was_set_aside_is_listed(synced: Company) -> None:
    item = jobs(synced)[0]
    unstorable(synced, item)
    (letter,) = explain(synced, item)["set_aside"]
    assert (letter["kind"], letter["place"]) == ("cell", PRICE)
    assert "set aside" in synced.window("explain", str(item)).out


def test_without_monday(synced: Company) -> None:
    item = jobs(synced)[0]
    both(synced, item)
    synced.sandbox.reset_counters()
    report = explain(synced, item, "--offline")
    assert differing(report) == {"customers.notes": ("nothing", SENDS)}
    assert (report["offline"], synced.sandbox.requests()) == (True, [])
    assert "monday was not asked" in synced.window("explain", str(item), "--offline").out


def test_an_item_that_was_never_synced(synced: Company) -> None:
    new = synced.sandbox.create(MASTER_BOARD_ID, "A new job", job_cells(77))
    report = explain(synced, new)
    assert (report["state"], report["name"]) == (None, "A new job")
    assert {cell["pull"] for cell in report["rows"]} == {"lands the item"}
    assert "was never synced" in synced.window("explain", str(new)).out


def test_an_item_that_is_gone(synced: Company) -> None:
    item = jobs(synced)[0]
    synced.sandbox.archive(item)
    report = explain(synced, item)
    assert (report["gone"], report["name"]) == ("archived", "Job 1")
    assert "not on the master board any more (archived)" in synced.window("explain", str(item)).out


def test_the_address_in_the_browser_is_a_name(synced: Company) -> None:
    item = jobs(synced)[0]
    assert explain(synced, f"https://acme.monday.com/boards/1/pulses/{item}")["item"] == item  # type: ignore[arg-type]


def test_a_person_of_the_staff_board(synced: Company) -> None:
    item = synced.value("SELECT monday_item_id FROM users WHERE first_name = 'Rep 1'")
    person(synced, item, shirt_size="XL")
    report = explain(synced, item)
    assert (report["board"], differing(report)) == ("staff", {"users.shirt_size (Sales Staff)": ("nothing", SENDS)})


@pytest.mark.parametrize("how", [(), ("--offline",)])
def test_an_item_that_neither_side_knows(synced: Company, how: tuple[str, ...]) -> None:
    item = jobs(synced)[0]
    ended = synced.window("explain", str(item) + "7", *how)
    assert ended.code == 2
    assert "Nothing is remembered of item" in ended.err
    assert f"did you mean {str(item)[:6]}" in ended.err


def test_no_cell_is_obeyed(synced: Company) -> None:
    item = jobs(synced)[0]
    synced.sandbox.edit(item, {NOTE: "\x1b[31m" + "long " * 1000})
    shown = synced.window("explain", str(item)).out
    assert "\x1b" not in shown
    assert max(map(len, shown.splitlines())) <= 100
    assert len(next(cell for cell in explain(synced, item)["rows"] if cell["column"] == NOTE)["monday"]) > 4_000
    csv = synced.window("explain", str(item), "--format", "csv").out
    assert len(csv.splitlines()) == 43


@pytest.mark.usefixtures("impatient")
def test_a_push_that_was_cut_short(synced: Company) -> None:
    item = jobs(synced)[0]
    sent(synced, item)
    synced.sandbox.fault("gateway_timeout", match="mutation", times=0)
    assert synced.run(program=PUSH).code == 7
    synced.sandbox.clear_faults()
    told = next(cell for cell in explain(synced, item)["rows"] if cell["field"] == "customers.notes")
    assert told["push"] == "settles first what an earlier push left unfinished"
