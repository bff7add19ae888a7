"""Whose a board is: by what the database remembers, where it is, and what the folder knows."""

from __future__ import annotations

import msgspec
import pytest

from reconcile.place import BOARD, FOLDER, ITSELF, Bound, Local, Place, bind, is_endpoint, judge

HERE = Place("db.x.co", "5432", "wra", 16384, "7300")
BOUND = bind(HERE)


@pytest.mark.parametrize(
    ("change", "is_there"),
    [
        ({}, True),
        ({"port": "6543"}, True),
        ({"host": "other.x.co"}, False),
        ({"oid": 2}, False),
        ({"database": "copy"}, False),
        ({"system": "7301"}, False),
        ({"system": None}, True),
        ({"system": None, "port": "6543"}, False),
    ],
    ids=["as it was", "a pooler's port", "another address", "a copy", "another name", "another server",
         "a server that does not tell", "which tells nothing, at another port"],
)  # fmt: skip
def test_whether_a_database_is_where_it_was(change: dict[str, object], is_there: bool) -> None:
    assert BOUND.is_at(msgspec.structs.replace(HERE, **change)) is is_there


COPY = msgspec.structs.replace(HERE, oid=99, database="copy")
MOVED = msgspec.structs.replace(HERE, host="new.x.co")


@pytest.mark.parametrize(
    ("place", "remembered", "local", "says"),
    [
        (HERE, None, None, []),
        (HERE, BOUND, None, []),
        (HERE, BOUND, Local(HERE.claim, "wra"), []),
        (HERE, None, Local("other", "x"), [FOLDER]),
        (COPY, BOUND, None, [ITSELF]),
        (COPY, BOUND, Local(HERE.claim, "wra"), [ITSELF]),
        (COPY, BOUND, Local("third", "x"), [ITSELF, FOLDER]),
        (MOVED, BOUND, None, [ITSELF]),
    ],
    ids=["a new one", "the same", "the same, from the same folder", "a folder of another one", "a copy",
         "a copy, from its folder", "a copy, from a third one's folder", "at a new address"],
)  # fmt: skip
def test_who_objects(place: Place, remembered: Bound | None, local: Local | None, says: list[str]) -> None:
    verdict = judge(place, remembered, local)
    assert [rival.says for rival in verdict.rivals] == says
    assert verdict.bound.claim == (place.claim if remembered is None or says else remembered.claim)
    assert {rival.claim for rival in verdict.rivals} <= set(verdict.bound.replaced)
    assert verdict.bound.is_at(place)


def test_a_board_that_was_taken_over_remembers_from_whom() -> None:
    copied = BOUND.moved_to(COPY, ["third"])
    assert copied.replaced == sorted([BOUND.claim, "third"])
    assert copied.hosts == [COPY.host]
    moved = BOUND.moved_to(MOVED)
    assert list(moved.hosts) == [HERE.host, MOVED.host], "the same database at two addresses"


def test_a_branch_of_a_managed_server_is_no_second_address() -> None:
    branch = bind(msgspec.structs.replace(HERE, host="ep-cool-1.x.co"))
    assert is_endpoint("ep-cool-1.x.co")
    assert list(branch.moved_to(HERE).hosts) == [HERE.host]


def test_a_claim_names_nobody() -> None:
    assert len(HERE.claim) == 12
    assert HERE.claim != COPY.claim
    assert HERE.database not in HERE.claim
    assert HERE.shown == f"wra at db.x.co ({HERE.claim})"
    assert BOARD not in (ITSELF, FOLDER)
