"""What is declared of each board: whole, and refused by name where it is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from monday_api import BOARDS
from reconcile.boards import BOARD_SPECS, BoardSpec
from reconcile.columns import DATE, NAME, TEXT, Column, ColumnMap
from reconcile.errors import ConfigError
from reconcile.tables import HOMES, PEOPLE, RECORDS, home_roles, record_role, refuse_incomplete_boards

STAFF = BOARD_SPECS["staff"]


def test_both_boards_are_declared_whole() -> None:
    refuse_incomplete_boards(BOARDS)


def test_which_rows_stand_for_items() -> None:
    assert {board: record_role(spec) for board, spec in BOARD_SPECS.items()} == {
        "master": "project",
        "staff": "user:Sales Staff",
    }
    found = [sorted(names) for names in (RECORDS, HOMES, PEOPLE)]
    assert found == [["projects", "users"], ["users"], ["Sales Staff"]]
    assert home_roles() == ["user:Sales Staff"]


THIRD = BoardSpec(
    title="Storm board", setting="MONDAY_BOARD_ID_STORMS", default_id=3, table="storms", named_by=("date_of_loss",)
)
LACKING: dict[str, tuple[dict[str, BoardSpec | None], dict[str, ColumnMap | None], str]] = {
    "a board without a declaration": ({}, {"third": {}}, "maps the board third, of which reconcile/boards.py"),
    "one without columns": ({"third": STAFF}, {}, "declares the third board, and monday_api.py maps no column"),
    "two with records in one table": (
        {"third": replace(STAFF, setting="THIRD")},
        {"third": BOARDS["staff"]},
        "staff and third both have their records in users",
    ),
    "a record without an item's id": (
        {"third": THIRD},
        {"third": {"name": Column("Name", NAME, "storms.date_of_loss")}},
        "its records are in storms, of which the model in models.py has no archived_at",
    ),
    "a name that is not there": ({"staff": replace(STAFF, named_by=("title",))}, {}, "has no title"),
    "people in a table without roles": (
        {"master": replace(BOARD_SPECS["master"], person="Roofer")},
        {},
        "projects has no derived column roles",
    ),
    "items of several levels": ({"staff": replace(STAFF, levels=2)}, {}, "items of 2 levels are asked for"),
    "columns without a name": (
        {},
        {"staff": {column_id: column for column_id, column in BOARDS["staff"].items() if column_id != "name"}},
        "its columns lack name",
    ),
    "columns that tell nothing of the record": (
        {"staff": replace(STAFF, person="Roofer")},
        {},
        "none of its columns tells a user:Roofer",
    ),
    "a column that the model lacks": (
        {},
        {"staff": BOARDS["staff"] | {"date4": Column("Hired", DATE, "users.hired", role="Sales Staff")}},
        "date4 tells users.hired, which the model",
    ),
    "a row that nothing points at": (
        {},
        {"staff": BOARDS["staff"] | {"text9": Column("Law", TEXT, "pa_law.name")}},
        "text9 tells pa_law.name of a pa_law, and nothing points at that: give users the foreign key pa_law_id",
    ),
    "a row that is another board's item": (
        {},
        {"staff": BOARDS["staff"] | {"text9": Column("Job", TEXT, "projects.name")}},
        "text9 tells projects.name, whose rows are found as items of their own board alone",
    ),
    "a table that nobody declared": (
        {},
        {"staff": BOARDS["staff"] | {"text9": Column("Crew", TEXT, "crews.name")}},
        "the mapping names the table crews",
    ),
    "one setting for two boards": (
        {"staff": replace(STAFF, setting="MONDAY_BOARD_ID_DATA")},
        {},
        "master and staff both have their id in MONDAY_BOARD_ID_DATA",
    ),
}


@pytest.mark.parametrize("case", LACKING)
def test_what_a_board_lacks_is_named(case: str) -> None:
    changed, columns, says = LACKING[case]
    boards: Any = {**BOARD_SPECS, **changed}
    mappings: Any = {**BOARDS, **columns}
    with pytest.raises(ConfigError, match=says):
        refuse_incomplete_boards(mappings, boards)
