"""New items of which no answer came, on boards without the marker: whatever the clocks say and people do meanwhile,
none is made twice; what cannot be told is a person's to decide."""

from __future__ import annotations

import pytest
import tenacity

from sandbox import MASTER_BOARD_ID
from sandbox.world import API_USER
from tests.support.company import PUSH, Company
from tests.support.pushing import letters, new_project, shows


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """All tries, without the seconds between them."""
    monkeypatch.setattr("monday.transport._backoff", tenacity.wait_none())
    monkeypatch.setattr("monday.transport._jitter", tenacity.wait_none())


def lose_the_answer(company: Company, *, made: bool, name: str = "New job") -> str:
    """A push that makes one item, and never hears of it; the row. Its database keeps the journal."""
    row = new_project(company, name, description="from SQL")
    company.sandbox.fault("reset_after" if made else "reset_before", match="Create", times=0)
    ended = company.push()
    company.sandbox.clear_faults()
    assert ended.code == 7, (ended.code, ended.err)
    assert company.value("SELECT count(*) FROM monday_sync.sync_batch") == 1
    return row


def passes(company: Company, minutes: float) -> None:
    company.sandbox.advance(60 * minutes)
    company.sql("UPDATE monday_sync.sync_batch SET sent_at = sent_at - make_interval(secs => %s)", minutes * 60)


def named(company: Company, *names: str) -> list[int]:
    return [item for name in names for item in company.sandbox.find(MASTER_BOARD_ID, name)]


def ours(company: Company, name: str) -> int:
    """Made by the user of the token."""
    world = company.sandbox.world
    with world.lock:
        board = world.boards[MASTER_BOARD_ID]
        return world.create_item(board, board.first_group, name, {}, API_USER).id


def twice(company: Company) -> bool:
    found = company.sql("SELECT count(*) FROM projects WHERE description = 'from SQL'")
    return found != [(1,)] or len(named(company, "New job", "Another name")) > 1


CLOCKS = [0, 7 * 60, -7 * 60, 86_400, -86_400]


@pytest.mark.parametrize("apart_s", CLOCKS)
@pytest.mark.parametrize("made", [True, False], ids=["made", "not made"])
@pytest.mark.parametrize("first", ["push", "pull"])
def test_clocks_that_disagree_double_nothing(synced: Company, apart_s: int, made: bool, first: str) -> None:
    synced.sandbox.advance(apart_s)
    lose_the_answer(synced, made=made)
    passes(synced, 40)
    if first == "pull":
        assert synced.sync("--full").code == 0
    assert synced.push().code == 0
    (item,) = named(synced, "New job")
    assert shows(synced, item, "text40__1") == "from SQL"
    assert synced.sync("--full").code == 0
    assert synced.project(item, "description") == "from SQL"
    assert not twice(synced)


@pytest.mark.parametrize("first", ["push", "pull"])
@pytest.mark.parametrize("decision", ["write", "archive", "none of them"])
def test_a_lost_item_that_somebody_renamed_is_a_persons_to_decide(synced: Company, first: str, decision: str) -> None:
    row = lose_the_answer(synced, made=True)
    (item,) = named(synced, "New job")
    passes(synced, 20)
    synced.sandbox.rename(item, "Another name")
    passes(synced, 20)
    for command in (synced.push, synced.sync) if first == "push" else (synced.sync, synced.push):
        ended = command("--full") if command == synced.sync else command()
        assert ended.code == 5, ended.out
        (cell,) = ended.report["details"]["quarantined"]
        assert cell["column"] == f"projects.{row}"
        assert str(item) in cell["reason"]
        assert not twice(synced)
    assert synced.value("SELECT monday_item_id IS NULL FROM projects WHERE id = %s", row)
    if decision == "write":
        synced.sql("UPDATE projects SET monday_item_id = %s WHERE id = %s", item, row)
    elif decision == "archive":
        synced.sandbox.archive(item)
    else:
        (statement,) = (part for part in cell["reason"].split(": ") if part.startswith("DELETE"))
        synced.sql(statement)
    assert synced.push().code == 0
    assert synced.sync("--full").code == 0
    assert letters(synced) == []
    assert synced.value("SELECT count(*) FROM monday_sync.sync_batch") == 0
    now = synced.value("SELECT monday_item_id FROM projects WHERE id = %s", row)
    assert (now == item) is (decision == "write")
    assert synced.counts()["projects"] == len(synced.sandbox.item_ids(MASTER_BOARD_ID))


@pytest.mark.parametrize("requests", ["one", "two"])
def test_a_lost_item_that_got_the_name_of_another_row_is_a_persons_to_decide(synced: Company, requests: str) -> None:
    """It is no other row's, and its own row is not made into a second one. Of two requests the younger made nothing."""
    if requests == "one":
        other = new_project(synced, "Other job")
    row = lose_the_answer(synced, made=True)
    (item,) = named(synced, "New job")
    passes(synced, 1)
    if requests == "two":
        other = new_project(synced, "Other job")
        synced.sandbox.fault("reset_before", match="Create", times=0)
        synced.push()
        synced.sandbox.clear_faults()
        assert synced.value("SELECT count(*) FROM monday_sync.sync_batch") == 2
    synced.sandbox.rename(item, "Other job")
    passes(synced, 40)
    items = named(synced, "Other job")
    for command in (synced.push, synced.sync):
        ended = command()
        assert ended.code == 5, ended.out
        assert {cell["column"] for cell in ended.report["details"]["quarantined"]} == {
            f"projects.{row}", f"projects.{other}",
        }  # fmt: skip
        assert named(synced, "New job") == []
        assert named(synced, "Other job") == items
    synced.sql("UPDATE projects SET monday_item_id = %s WHERE id = %s", item, row)
    assert synced.push().code == 0
    (second,) = set(named(synced, "Other job")) - {item}
    assert synced.sync("--full").code == 0
    assert synced.value("SELECT monday_item_id FROM projects WHERE id = %s", other) == second
    assert synced.counts()["projects"] == len(synced.sandbox.item_ids(MASTER_BOARD_ID))


def test_a_renamed_item_of_ours_is_left_alone_by_a_pull_while_its_request_is_in_doubt(synced: Company) -> None:
    lose_the_answer(synced, made=True)
    (item,) = named(synced, "New job")
    synced.sandbox.rename(item, "Another name")
    theirs = synced.sandbox.create(MASTER_BOARD_ID, "By hand")
    passes(synced, 30)
    ended = synced.sync("--full")
    assert ended.code == 0, ended.out
    assert any("left for a later run" in note for note in ended.report["notes"])
    assert synced.project(theirs, "item_name") == "By hand", "a person's own item lands"
    assert synced.value("SELECT count(*) FROM projects WHERE monday_item_id = %s", item) == 0
    replayed = synced.sync("--use-cache")
    assert replayed.code == 0, replayed.out
    assert synced.value("SELECT count(*) FROM projects WHERE monday_item_id = %s", item) == 0


def test_an_item_of_ours_that_is_somebodys_makes_nothing_ambiguous(synced: Company) -> None:
    lose_the_answer(synced, made=False)
    other = ours(synced, "Made meanwhile")
    synced.sql("INSERT INTO projects (item_name, monday_item_id) VALUES ('Made meanwhile', %s)", other)
    passes(synced, 40)
    assert synced.push().code == 0
    assert len(named(synced, "New job")) == 1


def test_an_item_of_ours_under_any_name_makes_a_create_ambiguous(synced: Company) -> None:
    lose_the_answer(synced, made=False)
    ours(synced, "Something else")
    passes(synced, 40)
    assert synced.push().code == 5
    assert named(synced, "New job") == []


def test_the_marker_that_came_later_does_not_hide_what_was_made_without_it(synced: Company) -> None:
    lose_the_answer(synced, made=True)
    passes(synced, 40)
    synced.run("--setup-marker", program=PUSH)
    assert synced.push().code == 0
    assert len(named(synced, "New job")) == 1
    assert not twice(synced)


def test_another_token_finds_what_the_first_one_made(synced: Company) -> None:
    """Who sent it is in the journal."""
    lose_the_answer(synced, made=True)
    (item,) = named(synced, "New job")
    passes(synced, 40)
    with synced.sandbox.world.lock:
        synced.sandbox.world.items[item].creator_id = 777
    synced.sql("UPDATE monday_sync.sync_batch SET user_id = '777'")
    assert synced.push().code == 0
    assert named(synced, "New job") == [item]


def test_a_journal_of_an_older_program_is_settled(synced: Company) -> None:
    """It tells neither monday's time nor the user: how long ago it was does."""
    synced.sandbox.advance(3 * 3600)
    lose_the_answer(synced, made=True)
    (item,) = named(synced, "New job")
    synced.sql("ALTER TABLE monday_sync.sync_batch DROP COLUMN monday_at, DROP COLUMN user_id")
    synced.sql("UPDATE monday_sync.sync_schema SET version = 5")
    passes(synced, 40)
    rehearsed = synced.push("--test")
    assert rehearsed.code in (0, 5), rehearsed.err
    assert synced.push().code == 0
    assert named(synced, "New job") == [item]
    assert synced.value("SELECT monday_item_id FROM projects WHERE description = 'from SQL'") == item


@pytest.mark.parametrize(
    ("back", "minutes"), [(True, 20), (False, 20), (True, 40)], ids=["set back", "set ahead", "set back, later"]
)
def test_a_database_whose_clock_is_set_sends_nothing_again_that_monday_has_forgotten(
    synced: Company, back: bool, minutes: int
) -> None:
    """monday keeps an answer for half an hour of its own time."""
    lose_the_answer(synced, made=True)
    synced.sandbox.advance(60 * 45)
    hours = 1 if back else -1
    synced.sql("UPDATE monday_sync.sync_batch SET sent_at = sent_at + make_interval(hours => %s)", hours)
    ended = synced.push()
    assert ended.code == 0, ended.out
    assert len(named(synced, "New job")) == 1
