"""An edit between the look and the write is never lost in silence, whatever form the activity log has."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import tenacity
from msgspec import UNSET

from monday.writing import Writer
from push.overwritten import UNKNOWN
from reconcile.activity_values import logged_value
from reconcile.columns import DATE, EMAIL, LINK, MONEY, NAME, PHONE, STATUS, TEXT, Codec
from sandbox import MASTER_BOARD_ID
from tests.support.company import Company
from tests.support.pushing import jobs, project, shows

FORMS = ["object", "bare", "index", "label", "json", "shown"]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """All tries, without the seconds between them."""
    monkeypatch.setattr("monday.transport._backoff", tenacity.wait_none())


def in_the_last_moment(monkeypatch: pytest.MonkeyPatch, edit: Callable[[], object]) -> None:
    """Somebody does this right before the first write."""
    send, todo = Writer.send, [edit]

    def edited_first(self: Writer, *args: Any, **kwargs: Any) -> Any:
        while todo:
            todo.pop()()
        return send(self, *args, **kwargs)

    monkeypatch.setattr(Writer, "send", edited_first)


def lost(company: Company) -> list[str]:
    return [text.strip('"') for (text,) in company.sql("SELECT lost FROM monday_sync.sync_conflict ORDER BY field")]


CELLS: dict[str, tuple[str, dict[str, Any], str]] = {
    "text40__1": ("UPDATE projects SET description = 'sql'", {"text40__1": "theirs"}, "theirs"),
    "numbers0": ("UPDATE projects SET estimated_value = 7", {"numbers0": "31.5"}, "31.50"),
    "email57__1": (
        "UPDATE projects SET adjuster_email = 'sql@x.example'",
        {"email57__1": {"email": "theirs@x.example", "text": "theirs@x.example"}},
        "theirs@x.example",
    ),
    "name": ("UPDATE projects SET item_name = 'sql'", {}, "Theirs"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("cell", CELLS)
def test_what_was_overwritten_is_kept_in_any_form(
    synced: Company, monkeypatch: pytest.MonkeyPatch, form: str, cell: str
) -> None:
    item = jobs(synced)[0]
    statement, theirs, kept = CELLS[cell]
    synced.sandbox.edit(item, theirs and {cell: {"numbers0": "12", "text40__1": "was"}.get(cell)})
    synced.sandbox.set_log(form)
    synced.sandbox.advance(120)
    assert synced.sync().code == 0
    synced.sql(f"{statement} WHERE monday_item_id = %s", item)

    def edit() -> None:
        if cell == "name":
            synced.sandbox.rename(item, "Theirs")
        else:
            synced.sandbox.edit(item, theirs)

    in_the_last_moment(monkeypatch, edit)
    ended = synced.push()
    assert ended.code in (0, 5), ended.err
    assert lost(synced) == [kept]
    assert any("overwritten" in note for note in ended.report["notes"])


@pytest.mark.parametrize("form", [*FORMS, "unreadable", "silent"])
def test_a_label_in_any_form(synced: Company, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    column = next(
        column for column in synced.sandbox.world.boards[MASTER_BOARD_ID].columns if column.type == "status"
    ).id
    item = jobs(synced)[0]
    labels = [label.label for label in synced.sandbox.world.boards[MASTER_BOARD_ID].column(column).labels][:3]
    synced.sandbox.edit(item, {column: {"label": labels[0]}})
    synced.sandbox.set_log(form)
    synced.sandbox.advance(120)
    assert synced.sync().code == 0
    ((team,),) = synced.sql("SELECT sales_team_id::text FROM projects WHERE monday_item_id = %s", item)
    synced.sql("UPDATE sales_teams SET name = %s WHERE id = %s", labels[1], team)
    in_the_last_moment(monkeypatch, lambda: synced.sandbox.edit(item, {column: {"label": labels[2]}}))
    assert synced.push().code in (0, 5)
    assert lost(synced) == [UNKNOWN if form in ("unreadable", "silent") else labels[2]]


@pytest.mark.parametrize("form", ["unreadable", "silent"])
def test_an_edit_that_cannot_be_read_is_one_for_all_that(
    synced: Company, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    item = jobs(synced)[0]
    synced.sandbox.advance(120)
    project(synced, item, description="sql")
    synced.sandbox.set_log(form)
    in_the_last_moment(monkeypatch, lambda: synced.sandbox.edit(item, {"text40__1": "theirs"}))
    ended = synced.push()
    assert lost(synced) == [UNKNOWN]
    assert ended.report["details"]["settled"][0]["field"].startswith("projects.description")
    assert shows(synced, item, "text40__1") == "sql"


@pytest.mark.parametrize("form", [*FORMS, "unreadable", "silent"])
def test_where_nobody_edited_nothing_is_lost(synced: Company, form: str) -> None:
    """Our own entry may be unreadable: the log shows no other."""
    item = jobs(synced)[0]
    synced.sandbox.set_log(form)
    synced.sandbox.edit(item, {"text40__1": "seen by the look", "numbers0": "12.5"})
    assert synced.sync().code == 0
    project(synced, item, description="sql", estimated_value=7, item_name="Another")
    ended = synced.push()
    assert (ended.code, lost(synced)) == (0, []), ended.out
    told = any("does not say" in note for note in ended.report["notes"])
    assert told is (form in ("unreadable", "silent"))


@pytest.mark.parametrize("kind", ["user_unauthorized", "internal_error", "gateway_timeout", "daily_limit"])
def test_a_log_that_cannot_be_read_is_said_and_costs_nothing_else(synced: Company, kind: str) -> None:
    """The writes are done and remembered."""
    item = jobs(synced)[0]
    synced.sandbox.advance(120)
    project(synced, item, description="sql")
    synced.sandbox.fault(kind, match="Activity", times=0)
    ended = synced.push()
    synced.sandbox.clear_faults()
    assert ended.code == 0, ended.err
    (note,) = (note for note in ended.report["notes"] if "could not be read" in note)
    assert "1 cell" in note
    assert shows(synced, item, "text40__1") == "sql"
    synced.sandbox.reset_counters()
    assert synced.push().code == 0
    assert synced.sandbox.counters()["requests"] == 0


def test_a_log_that_does_not_show_our_write_is_said(synced: Company) -> None:
    """It was cut, or keeps less than a moment: nothing is known of what was there before."""
    item = jobs(synced)[0]
    project(synced, item, description="sql")
    world = synced.sandbox.world
    kept, world.log_form = world._log, "object"
    world._log = lambda *_args, **_data: None  # type: ignore[method-assign]
    ended = synced.push()
    world._log = kept  # type: ignore[method-assign]
    assert ended.code == 0
    assert any("does not show 1 cell" in note for note in ended.report["notes"])


LABELS = {1: "Done", 5: "Blank"}


@pytest.mark.parametrize(
    ("codec", "raw", "value"),
    [
        (TEXT, {"value": "a"}, "a"), (TEXT, "a", "a"), (TEXT, 7, "7"), (TEXT, {"value": 7}, "7"), (TEXT, "", None),
        (TEXT, {"value": None}, None), (TEXT, {"text": "a"}, "a"), (TEXT, '{"value": "a"}', "a"),
        (TEXT, '{"a": 1}', '{"a": 1}'),
        (TEXT, {"v2": "a"}, UNSET), (TEXT, [1], UNSET), (TEXT, True, UNSET), (TEXT, {}, None),
        (NAME, {"name": "A"}, "A"), (NAME, "A", "A"), (NAME, {"value": {"name": "A"}}, "A"),
        (MONEY, 12.5, Decimal("12.50")), (MONEY, "12.5", Decimal("12.50")), (MONEY, {"value": 12}, Decimal("12.00")),
        (MONEY, {"value": "12.5", "unit": {"symbol": "$"}}, Decimal("12.50")), (MONEY, "twelve", UNSET),
        (MONEY, 0, Decimal("0.00")), (MONEY, float("nan"), UNSET),
        (EMAIL, {"email": "a@b.co", "text": "Ann"}, "a@b.co"), (EMAIL, "a@b.co", "a@b.co"),
        (EMAIL, "Ann - a@b.co", UNSET), (EMAIL, json.dumps({"email": "a@b.co"}), "a@b.co"),
        (PHONE, {"phone": "12025550172", "countryShortName": "US"}, "12025550172"), (PHONE, 12025550172, "12025550172"),
        (LINK, {"url": "https://x.co", "text": "X"}, "https://x.co"), (LINK, "https://x.co", "https://x.co"),
        (LINK, "X - https://x.co", UNSET),
        (STATUS, {"label": {"text": "Done", "index": 1}}, "Done"), (STATUS, {"label": "Done"}, "Done"),
        (STATUS, {"index": 1}, "Done"), (STATUS, 1, "Done"), (STATUS, "Done", "Done"), (STATUS, {"label": None}, None),
        (STATUS, {"label": {"index": 1}}, "Done"), (STATUS, {"index": 99}, UNSET), (STATUS, {"index": None}, None),
        (STATUS, {"index": 5}, "Blank"), (STATUS, {"value": {"index": 1}}, "Done"),
        (DATE, {"date": "2026-01-02"}, date(2026, 1, 2)), (DATE, "2026-01-02", date(2026, 1, 2)),
        (DATE, {"date": "2026-01-02", "time": "10:00:00"}, date(2026, 1, 2)), (DATE, "2026-01-02 10:00", UNSET),
        (DATE, {"date": ""}, None), (DATE, '{"date": "2026-01-02"}', date(2026, 1, 2)), (DATE, "soon", UNSET),
    ],
)  # fmt: skip
def test_the_forms_of_a_value(codec: Codec, raw: Any, value: Any) -> None:
    assert logged_value(codec, raw, labels=LABELS) == value


def test_the_text_beside_a_value_helps_where_that_cannot_be_read() -> None:
    assert logged_value(TEXT, {"v2": 1}, "a") == "a"
    assert logged_value(TEXT, {"v2": 1}, "") is None
    assert logged_value(TEXT, UNSET, "a") == "a"
    assert logged_value(TEXT, {"value": "b"}, "a") == "b"
    assert logged_value(EMAIL, {"v2": 1}, "Ann") is UNSET
    assert logged_value(STATUS, {"index": 5}) is None, "the grey label is none unless it is named"
