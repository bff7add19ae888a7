"""What the ledger of the random histories takes for an edit, or for deleted, and that the program does too."""

from __future__ import annotations

import pytest

from sandbox import MASTER_BOARD_ID, STAFF_BOARD_ID
from tests.support.both_oracle import Ledger, Seen
from tests.support.company import Company

# An item that comes back to its board says again what a run met there before: that is nobody's edit


@pytest.mark.parametrize(
    ("renamed", "shown", "code"),
    [(None, "In SQL", 0), ("On the board", "On the board", 5)],
    ids=["as it was", "edited"],
)
def test_a_row_that_was_edited_while_its_item_was_away(
    synced: Company, renamed: str | None, shown: str, code: int
) -> None:
    item = synced.sandbox.item_ids()[0]
    synced.sandbox.move_to_board(item, STAFF_BOARD_ID)
    synced.sandbox.advance(60)
    assert synced.sync("--full").code == 0
    synced.sql("UPDATE projects SET item_name = 'In SQL' WHERE monday_item_id = %s", item)
    synced.sandbox.move_to_board(item, MASTER_BOARD_ID)
    if renamed:
        synced.sandbox.rename(item, renamed)
    synced.sandbox.advance(60)
    ended = synced.sync("--full", "--max-change", "100", "--yes")
    assert ended.code == code, "an edit that lost is told"
    assert synced.push("--max-change", "100").code == 0
    assert synced.sandbox.item(item)["name"] == shown
    assert (
        synced.value("SELECT item_name FROM projects WHERE monday_item_id = %s AND archived_at IS NULL", item) == shown
    )


@pytest.mark.parametrize(("name", "edits"), [("Job 1", set()), ("Job 2", {"Job 2"})])
def test_the_ledger_of_the_random_histories_knows_it(name: str, edits: set[str]) -> None:
    there, away, back = (
        Seen(board, "active", called, "", {})
        for board, called in (("master", "Job 1"), ("staff", name), ("master", name))
    )
    ledger = Ledger()
    ledger.moved(1, there, away)
    ledger.moved(1, away, back)
    assert {
        value for (_item, role, column), edit in ledger.said.items() if column == "item_name" for value in edit.value
    } == edits


def test_an_edit_that_no_run_met_before_the_item_left_is_one_when_it_is_back() -> None:
    was, there, away = (
        Seen(board, "active", called, "", {})
        for board, called in (("master", "Job 1"), ("master", "Job 2"), ("staff", "Job 2"))
    )
    ledger = Ledger()
    ledger.on_board(1, was, there)
    ledger.moved(1, there, away)
    ledger.moved(1, away, there)
    assert {column for _item, _role, column in ledger.said} == {"item_name", "name"}


# A row that was loaded anew and deleted before a run met it is deleted, by whatever id an item knows it


def test_a_row_that_was_loaded_anew_twice_and_deleted(synced: Company) -> None:
    item = synced.sandbox.item_ids()[0]
    names = [row := synced.value("SELECT id::text FROM projects WHERE monday_item_id = %s", item)]
    ledger = Ledger()
    for new in ("6d6f6e64-0000-5000-8000-000000000001", "6d6f6e64-0000-5000-8000-000000000002"):
        synced.sql("UPDATE projects SET id = %s WHERE id = %s", new, row)
        ledger.renew("projects", row, new)
        names.append(row := new)
    synced.sql("DELETE FROM projects WHERE id = %s", row)
    ledger.delete(row)
    assert ledger.deleted == {*names}
    assert synced.sync("--full").code == 0
    assert synced.sql("SELECT id FROM projects WHERE monday_item_id = %s", item) == [], "it stays deleted"
    assert synced.push("--propagate-deletes", "--max-delete", "1").report["items"]["archive"] == 1
    assert synced.sandbox.item(item)["state"] == "archived"
