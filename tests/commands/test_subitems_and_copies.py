"""Items that became subitems are gone and not deleted, copies are twins, and boards of several levels are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from monday_api import MARKER
from sandbox import MASTER_BOARD_ID, STAFF_BOARD_ID
from tests.support.company import BOARD_IDS, PUSH, Company
from tests.support.pushing import jobs, new_project, person, project, shows

TEXT = "text40__1"
PLACES = pytest.mark.parametrize("at_home", [False, True], ids=["on its own board", "on the parent's"])


def state(company: Company, item: int) -> str:
    return str(company.value("SELECT state FROM monday_sync.sync_item WHERE item_id = %s", item))


def rows(company: Company) -> dict[str, list[str]]:
    return company.contents(versions=False, only="public")


# Subitems


@PLACES
@pytest.mark.parametrize("full", [(), ("--full",)], ids=["changes", "full"])
@pytest.mark.parametrize("board", BOARD_IDS)
def test_an_item_that_became_a_subitem_is_gone_and_not_deleted(
    synced: Company, at_home: bool, full: tuple[str, ...], board: str
) -> None:
    for number in range(4):
        synced.sandbox.create(STAFF_BOARD_ID, f"Helper {number}", {"text25": f"Helper {number}"})
    assert synced.sync().code == 0
    parent, item, *_ = sorted(synced.sandbox.item_ids(BOARD_IDS[board]))
    synced.sandbox.move_to_subitem(item, parent, at_home)
    before = rows(synced)
    for arguments in (("--test", *full), full, full):
        ended = synced.sync(*arguments)
        assert (ended.code, ended.writes) == (0, 0), ended.err
        assert ended.report["boards"][board]["complete"]
    assert rows(synced) == before
    assert state(synced, item) == "moved"
    assert synced.push().report["plan"] == ""


@PLACES
@pytest.mark.parametrize("first", ["push", "pull"])
def test_nothing_is_sent_to_a_subitem_nor_is_another_item_made(synced: Company, at_home: bool, first: str) -> None:
    parent, item, *_ = jobs(synced)
    synced.sandbox.move_to_subitem(item, parent, at_home)
    if first == "pull":
        assert synced.sync().code == 0
    project(synced, item, description="from SQL")
    shown = synced.sandbox.digest()
    for arguments in (("--test",), (), ("--propagate-deletes",)):
        ended = synced.push(*arguments)
        assert ended.code == 0, ended.err
        assert not any("--limit" in note for note in ended.report["notes"])
    assert synced.sync().code == 0
    assert synced.push("--retry-dead").code == 0
    assert synced.sandbox.digest() == shown
    assert synced.project(item, "description") == "from SQL"
    assert synced.project(item, "archived_at") is None


@PLACES
def test_a_subitem_that_becomes_an_item_again_is_taken_up_where_it_was(synced: Company, at_home: bool) -> None:
    parent, item, *_ = jobs(synced)
    row = synced.project(item, "id")
    synced.sandbox.move_to_subitem(item, parent, at_home)
    assert synced.sync().code == 0
    synced.sandbox.move_to_board(item, MASTER_BOARD_ID)
    synced.sandbox.edit(item, {TEXT: "again"})
    assert synced.sync().code in (0, 5)
    assert (synced.project(item, "id"), synced.project(item, "description")) == (row, "again")
    assert (state(synced, item), synced.counts()["projects"]) == ("active", 6)
    project(synced, item, description="from SQL")
    assert synced.push().code == 0
    assert shows(synced, item, TEXT) == "from SQL"


def test_an_archived_subitem_is_gone_too(synced: Company) -> None:
    """It is nobody's job that was archived: on the board it was before, nothing says so."""
    parent, item, *_ = jobs(synced)
    synced.sandbox.move_to_subitem(item, parent, at_home=True)
    synced.sandbox.archive(item)
    assert synced.sync().code == 0
    assert (state(synced, item), synced.project(item, "archived_at")) == ("moved", None)


def test_a_subitem_was_looked_at_again_for_what_is_open(synced: Company) -> None:
    """Items with something set aside come along with the changes: those that became subitems do not."""
    parent, item, *_ = jobs(synced)
    synced.sandbox.edit(item, {"numbers0": "9999999999999999"}, force=True)
    assert synced.sync().code == 5
    synced.sandbox.move_to_subitem(item, parent, at_home=True)
    before = rows(synced)
    for _ in range(2):
        assert synced.sync().code in (0, 5)
    assert (rows(synced), state(synced, item)) == (before, "moved")


# Copies


@pytest.fixture
def marked(synced: Company) -> Company:
    """A company whose items carry the ids of their rows, as far as a push made them."""
    assert synced.run("--setup-marker", program=PUSH).code == 0
    assert synced.sync("--full").code == 0
    return synced


@pytest.fixture
def made(marked: Company) -> tuple[Company, int, str]:
    """With a new item, and the row that it was made of."""
    row = new_project(marked, "New job", description="from SQL")
    assert marked.push().code == 0
    assert marked.sync().code == 0
    (item,) = marked.sandbox.find(MASTER_BOARD_ID, "New job")
    marked.sandbox.reset_counters()
    return marked, item, row


def twins(report: dict[str, Any], row: str) -> list[int]:
    found = [*report["details"]["would_merge"], *report["details"]["quarantined"]]
    return sorted({pair["item"] for pair in found if row in pair["reason"]})


@pytest.mark.parametrize("first", ["push", "pull"])
@pytest.mark.parametrize("copies", [1, 2])
def test_a_copy_is_listed_and_has_a_row_of_its_own(made: tuple[Company, int, str], first: str, copies: int) -> None:
    company, item, row = made
    found = [item]
    for _ in range(copies):
        found.append(company.sandbox.duplicate(found[-1]))  # also one of a copy
    assert all(company.sandbox.item(copy)["cells"][MARKER]["text"] == row for copy in found)
    if first == "push":
        assert company.push().code == 0
    assert twins(company.sync("--test").report, row) == found[1:]
    for ended in (company.sync(), company.sync("--full"), company.push("--test"), company.push()):
        assert (ended.code, twins(ended.report, row)) == (5, found[1:]), ended.out
    assert company.project(item, "id") == row
    assert len({company.project(copy, "id") for copy in found}) == copies + 1
    assert company.sandbox.counters()["mutations"] == 0


def test_what_is_typed_into_a_copy_stays_there(made: tuple[Company, int, str]) -> None:
    company, item, _row = made
    twin = company.sandbox.duplicate(item)
    assert company.sync().code == 5
    company.sandbox.advance(60)
    company.sandbox.edit(twin, {TEXT: "typed into the copy"})
    assert company.sync().code == 5
    assert (company.project(item, "description"), company.project(twin, "description")) == (
        "from SQL", "typed into the copy",
    )  # fmt: skip
    project(company, item, description="typed into the row")
    assert company.push().code == 5
    assert (shows(company, item, TEXT), shows(company, twin, TEXT)) == ("typed into the row", "typed into the copy")
    project(company, twin, description="and into the other")
    assert company.push().code == 5
    assert (shows(company, item, TEXT), shows(company, twin, TEXT)) == ("typed into the row", "and into the other")
    company.sandbox.clear(twin, MARKER)
    assert company.sync().code == 0
    assert company.push().report["plan"] == ""


@pytest.mark.parametrize("how", ["archive", "delete", "purge", "subitem"])
def test_a_copy_does_not_take_the_place_of_an_item_that_went(made: tuple[Company, int, str], how: str) -> None:
    company, item, row = made
    twin = company.sandbox.duplicate(item, "Another name")
    if how == "subitem":
        company.sandbox.move_to_subitem(item, jobs(company)[0], at_home=True)
    else:
        getattr(company.sandbox, how)(item)
    for ended in (company.sync(), company.sync("--full"), company.push()):
        assert (ended.code, twins(ended.report, row)) == (5, [twin]), ended.out
    assert company.value("SELECT monday_item_id FROM projects WHERE id = %s", row) == item
    assert company.project(twin, "id") != row
    assert company.sandbox.counters()["mutations"] == 0


def test_a_copy_of_a_member_of_staff(marked: Company) -> None:
    marked.sql(
        "INSERT INTO users (name, first_name, last_name, email, roles) "
        "VALUES ('Zoe Lee', 'Zoe', 'Lee', 'zoe@roofs.example', '{Sales Staff}')"
    )
    assert marked.push().code == 0
    assert marked.sync().code == 0
    (item,) = marked.sandbox.find(STAFF_BOARD_ID, "Zoe Lee")
    row = str(marked.value("SELECT id::text FROM users WHERE monday_item_id = %s", item))
    twin = marked.sandbox.duplicate(item)
    for ended in (marked.sync(), marked.sync("--full")):
        assert ended.code == 5
        assert twin in {pair["item"] for pair in ended.report["details"]["would_merge"]}
    assert str(marked.value("SELECT id::text FROM users WHERE monday_item_id = %s", item)) == row
    person(marked, item, shirt_size="XL")
    assert marked.push().code == 5
    assert (shows(marked, item, "text6"), shows(marked, twin, "text6") or None) == ("XL", None)


def test_a_copy_of_an_item_that_people_made_is_an_item_like_any(marked: Company) -> None:
    twin = marked.sandbox.duplicate(jobs(marked)[0])
    assert marked.sync().code == 0
    assert marked.project(twin, "description") == "Roof 1"
    assert marked.counts()["customers"] == 6, "it has the same customer"


# Boards of several levels


@pytest.mark.parametrize("board", BOARD_IDS)
def test_a_board_of_several_levels_is_refused_by_name(synced: Company, board: str) -> None:
    other = next(name for name in BOARD_IDS if name != board)
    edited = sorted(synced.sandbox.item_ids(BOARD_IDS[board]))[0]
    (project if board == "master" else person)(
        synced, edited, **{"description" if board == "master" else "shirt_size": "edited"}
    )
    synced.sandbox.set_board(BOARD_IDS[board], hierarchy="multi_level")
    before, shown = rows(synced), synced.sandbox.digest()
    pulls = [synced.sync(*arguments) for arguments in ((), ("--full",), ("--test",), ("--limit", "1"))]
    pushes = [synced.push(*arguments) for arguments in ((), ("--test",), ("--setup-marker",))]
    for ended in (*pulls, *pushes):
        assert ended.code == 3, ended.out
        assert f"the {board} board {BOARD_IDS[board]} is a multi-level board" in ended.err
        assert "a classic board" in ended.err
    checks = json.loads(synced.run("--json", program="test_sync.py").out)["checks"]
    (found,) = [check for check in checks if check["check"] == f"{board} board"]
    assert (found["state"], "multi-level" in found["says"], bool(found["fix"])) == ("problem", True, True)
    assert (rows(synced), synced.sandbox.digest()) == (before, shown)
    assert synced.sync("--board", other).code == 0
    synced.sandbox.set_board(BOARD_IDS[board], hierarchy="classic")
    assert synced.push().code == synced.sync().code == 0


def test_a_board_that_changes_while_it_is_read(synced: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked at once more before anything of it is believed."""
    from monday.reading import Reader

    recheck = Reader._recheck

    def after_a_change(self: Reader, *args: Any) -> Any:
        synced.sandbox.set_board(MASTER_BOARD_ID, hierarchy="multi_level")
        return recheck(self, *args)

    monkeypatch.setattr(Reader, "_recheck", after_a_change)
    synced.sandbox.edit(jobs(synced)[0], {TEXT: "edited"})
    before = rows(synced)
    ended = synced.sync("--full")
    assert (ended.code, "multi-level" in ended.err) == (3, True)
    assert rows(synced) == before
