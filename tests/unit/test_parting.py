"""What an older rule of keys had joined is parted, once, from what is remembered of every item."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from models import RowId
from reconcile.base import ItemBase
from reconcile.database_state import DatabaseState
from reconcile.parting import Parting, part, take_back
from reconcile.tables import TABLES
from reconcile.working_rows import POSITION, WorkingRows
from tests.support.kit import LAYOUTS, view

ROW, TEAM = RowId("row"), RowId("team")
MASTER = [slot.role for slot in LAYOUTS["master"].slots]
INSURANCE = MASTER.index("insurance")


def item(board: str, item_id: int, cells: Mapping[str, Any], role: str, row: RowId = ROW, held: Any = ...) -> ItemBase:
    """An item of which one slot is linked; `held` is what its row held when they last met, where that differs."""
    shows, layout = view(board, item_id, cells), LAYOUTS[board]
    links = [row if slot.role == role else None for slot in layout.slots]
    stored = ItemBase(board, item_id, shows.updated_at, links, shows.values, shows.values)
    if held is not ...:
        slot = next(slot for slot in layout.slots if slot.role == role)
        stored.set_pair(slot.first, stored.monday[slot.first], held)
    return stored


def firm(item_id: int, name: str, held: Any = ...) -> ItemBase:
    return item("master", item_id, {"insurances.company_name": name}, "insurance", held=held)


def parted(
    items: list[ItemBase], keys: dict[str, dict[str, RowId]], rows: dict[str, dict[RowId, Any]] | None = None
) -> Parting:
    return part(items, LAYOUTS, keys, rows or {})


def strangers(parting: Parting) -> list[int]:
    return sorted(item_id for (_board, item_id), _slot in parting.strangers)


OLD_KEY = {"insurances": {"name:b mutual": ROW}}


@pytest.mark.parametrize(
    ("items", "content", "key", "apart"),
    [
        ([firm(1, "B Mutual"), firm(2, "B. Mutual")], "B Mutual", "name:b mutual", []),
        ([firm(1, "B+ Mutual"), firm(2, "B+ mutual")], "B+ Mutual", "name:b+ mutual", []),
        ([firm(1, "B Mutual"), firm(2, "B+ Mutual", "B Mutual")], "B Mutual", "name:b mutual", [2]),
        ([firm(1, "B Mutual", "B+ Mutual"), firm(2, "B+ Mutual")], "B+ Mutual", "name:b+ mutual", [1]),
        ([firm(1, "B Mutual", None), firm(2, "B+ Mutual", None)], "B+ Mutual", "name:b+ mutual", [1]),
        (
            [firm(1, "B Mutual", None), firm(2, "B+ Mutual", None), firm(3, "B+ Mutual", None)],
            "Other",
            "name:b+ mutual",
            [1],
        ),
        ([firm(1, "B Mutual", None), firm(2, "B+ Mutual", None)], "Other", "name:b mutual", [2]),
        ([], "B Mutual", "name:b mutual", []),
        ([], "B+ Mutual", "name:b+ mutual", []),
    ],
    ids=[
        "one thing",
        "one thing, with a sign that the older rule dropped",
        "what the row held when they last met it",
        "also where that is the one with the sign",
        "else what it holds",
        "else what most of them say",
        "else the first",
        "nobody shows it",
        "nobody shows it, and it has a sign",
    ],
)
def test_who_stays(items: list[ItemBase], content: str, key: str, apart: list[int]) -> None:
    parting = parted(items, OLD_KEY, {"insurances": {ROW: (ROW, content, None, None)}})
    assert parting.keys["insurances"] == {key: ROW}
    assert strangers(parting) == apart
    assert parting.rows == ({ROW: "insurances"} if apart else {})


@pytest.mark.parametrize(
    ("table", "old", "now"),
    [
        ("customers", "email:ann@x.co", "email:ann@x.co"),
        ("customers", "email:noemail@x.co", None),
        ("users", "slot:master:1:user:Estimator", "slot:master:1:user:Estimator"),
        ("users", "item:staff:901", "item:staff:901"),
        ("policies", "i1|a12", "i1|A12"),
        ("policies", "i1|", None),
    ],
)
def test_keys_that_can_be_told_from_themselves(table: str, old: str, now: str | None) -> None:
    assert parted([], {table: {old: ROW}}).keys[table] == ({now: ROW} if now else {})


def test_a_name_of_signs_alone_had_no_key_and_has_one_now() -> None:
    keys = {"insurances": {"slot:master:1:insurance": ROW}}
    assert parted([firm(1, "**")], keys).keys["insurances"] == {"slot:master:1:insurance": ROW, "name:**": ROW}


STAFF = {"users.first_name": "Ann", "users.email": "ann@wra.co"}


@pytest.mark.parametrize(("holds", "apart"), [(902, [901, 903]), (None, [902, 903]), (77, [902, 903])])
def test_a_person_is_at_home_in_one_item(holds: int | None, apart: list[int]) -> None:
    row: list[Any] = [ROW, *[None] * (len(TABLES["users"].__struct_fields__) - 1)]
    row[POSITION["users"]["monday_item_id"]] = holds
    items = [item("staff", n, STAFF, "user:Sales Staff") for n in (903, 901, 902)]
    parting = parted(items, {"users": {"email:ann@wra.co": ROW}}, {"users": {ROW: tuple(row)}})
    assert strangers(parting) == apart


@pytest.mark.parametrize(
    ("holds", "says", "after"),
    [
        ("+12025550172", "+13035550199", "+13035550199"),
        ("(202) 555-0172", "+13035550199", "+13035550199"),
        ("+14045550111", "+13035550199", "+14045550111"),
        ("+12025550172", "+12025550172", "+12025550172"),
        ("+12025550172", None, None),
        (None, "+13035550199", None),
    ],
    ids=[
        "the stranger's value",
        "spelled otherwise",
        "somebody else's",
        "both say it",
        "whoever stays says none",
        "none",
    ],
)
def test_what_a_stranger_wrote_is_taken_back(holds: str | None, says: str | None, after: str | None) -> None:
    stays = item("master", 1, {"insurances.company_name": "B", "insurances.company_phone": says or ""}, "insurance")
    goes = item("master", 2, {"insurances.company_name": "B+", "insurances.company_phone": "+12025550172"}, "insurance")
    world = DatabaseState(bases={("master", 1): stays, ("master", 2): goes}, strangers={(("master", 2), INSURANCE)})
    world.rows["insurances"][ROW] = (ROW, "B", holds, None)
    hub = WorkingRows(world, {})
    take_back(world, LAYOUTS, hub)
    row = hub.row("insurances", ROW)
    assert row is not None
    assert row[1:3] == ["B", after]


def test_a_row_that_nobody_stays_with_keeps_what_it_holds() -> None:
    world = DatabaseState(bases={("master", 2): firm(2, "B+")}, strangers={(("master", 2), INSURANCE)})
    world.rows["insurances"][ROW] = (ROW, "B+", None, None)
    hub = WorkingRows(world, {})
    take_back(world, LAYOUTS, hub)
    assert hub.row("insurances", ROW) == [ROW, "B+", None, None]
