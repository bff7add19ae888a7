"""Many new items at once: one file and a handful of requests, whatever becomes of the job, and none of them twice."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable

import pytest

from monday_api import MARKER
from sandbox import MASTER_BOARD_ID
from tests.support.company import PUSH, Company
from tests.support.pushing import CLAIM, EMAIL, ODD_EMAIL, TEXT, in_step, letters, new_project, sent, shows

TEAM = "job_division___1__1"
LEAVE = ("--max-create", "1000")


@pytest.fixture
def marked(synced: Company, monkeypatch: pytest.MonkeyPatch) -> Company:
    """With the marker on both boards, and no seconds between two looks at a job."""
    monkeypatch.setattr("monday.jobs.Jobs._rest", lambda _jobs, _wait_s: None)
    assert synced.run("--setup-marker", program=PUSH).code == 0
    synced.sandbox.reset_counters()
    return synced


@pytest.fixture
def few(marked: Company, monkeypatch: pytest.MonkeyPatch) -> Company:
    """The same, and five new items are many."""
    monkeypatch.setattr("push.send.BULK_FROM", 5)
    return marked


def new_projects(company: Company, count: int) -> None:
    company.sql(
        "INSERT INTO projects (item_name, description, claim_number, estimated_value)"
        " SELECT 'New ' || n, 'Roof of ' || n, 'C-' || n, n + 0.5 FROM generate_series(1, %s) n",
        count,
    )


def all_there_once(company: Company, count: int) -> None:
    """Every new project has one item, which says what it says, and nothing is left to do."""
    in_step(company)
    names = Counter(company.sandbox.item(item)["name"] for item in company.sandbox.item_ids(MASTER_BOARD_ID))
    assert {name: n for name, n in names.items() if n > 1} == {}
    assert sum(name.startswith("New ") for name in names) == count
    rows = company.sql("SELECT id::text, monday_item_id, claim_number FROM projects WHERE item_name LIKE 'New %%'", 0)
    assert len(rows) == count
    for row, item, claim in rows:
        assert shows(company, item, CLAIM) == claim
        assert not company.sandbox.item(item)["cells"].get(MARKER) or shows(company, item, MARKER) == row


def test_six_hundred_new_projects(marked: Company) -> None:
    new_projects(marked, 600)
    ended = marked.push(*LEAVE)
    assert ended.code == 0, ended.err
    assert (ended.report["items"]["create"], ended.report["waiting"]) == (600, 0)
    assert marked.sandbox.counters()["requests"] <= 12
    assert "Create" not in marked.sandbox.counters()["by_operation"]
    (item,) = marked.sandbox.find(MASTER_BOARD_ID, "New 7")
    assert [shows(marked, item, column) for column in (TEXT, CLAIM, "numbers0")] == ["Roof of 7", "C-7", "7.5"]
    all_there_once(marked, 600)


def test_without_the_marker_many_go_by_requests_of_many(synced: Company) -> None:
    new_projects(synced, 120)
    ended = synced.push(*LEAVE)
    assert (ended.code, ended.report["items"]["create"]) == (0, 120), ended.err
    assert synced.sandbox.counters()["by_operation"]["Create"] <= 5
    all_there_once(synced, 120)


def test_what_a_file_cannot_carry_follows_as_an_update(few: Company) -> None:
    board = few.sandbox.world.boards[MASTER_BOARD_ID]
    few.sandbox.world.add_label(board, board.column(TEAM), "Roof, Ltd")
    new_projects(few, 6)
    few.sql("INSERT INTO sales_teams (name) VALUES ('Roof, Ltd')")
    few.sql("UPDATE projects SET description = '<NULL>', claim_number = 'C,\"1\"\n2' WHERE item_name = 'New 1'")
    few.sql("UPDATE projects SET link = 'https://x.example/a](b' WHERE item_name = 'New 2'")
    few.sql("UPDATE projects SET sales_team_id = (SELECT id FROM sales_teams) WHERE item_name = 'New 3'")
    few.sql("UPDATE projects SET adjuster_phone = '(202) 555-0133' WHERE item_name = 'New 4'")
    for _ in range(2):
        ended = few.push()
        assert ended.code == 0, ended.err
    ids = {name: few.sandbox.find(MASTER_BOARD_ID, name)[0] for name in ("New 1", "New 2", "New 3", "New 4")}
    assert [shows(few, ids["New 1"], column) for column in (TEXT, CLAIM)] == ["<NULL>", 'C,"1"\n2']
    assert shows(few, ids["New 2"], "link__1") == "https://x.example/a](b"
    assert shows(few, ids["New 3"], TEAM) == "Roof, Ltd"
    assert shows(few, ids["New 4"], "phone_17__1") == "+12025550133"
    assert few.sandbox.counters()["by_operation"].get("Create", 0) == 0
    all_there_once(few, 6)


def test_a_row_that_the_job_refuses_is_made_without_its_bad_cell(few: Company) -> None:
    new_projects(few, 7)
    row = new_project(few, "Odd", adjuster_email=ODD_EMAIL, claim_number="C-8")
    ended = few.push()
    assert (ended.code, ended.report["items"]["create"]) == (5, 8), ended.err
    (item,) = few.sandbox.find(MASTER_BOARD_ID, "Odd")
    assert letters(few) == [(item, EMAIL)]
    assert [shows(few, item, column) for column in (CLAIM, EMAIL, MARKER)] == ["C-8", None, row]
    assert few.sandbox.counters()["by_operation"]["Create"] == 2, "refused once, then without that cell"
    few.sandbox.reset_counters()
    assert (few.push().code, few.sandbox.counters()["requests"]) == (5, 0)
    few.sql("UPDATE projects SET adjuster_email = NULL WHERE id = %s", row)
    all_there_once(few, 7)


def test_a_file_that_is_rejected(few: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it was taken in: the items go by requests of many."""
    monkeypatch.setattr("sandbox.jobs.ROWS_AT_MOST", 5)
    new_projects(few, 8)
    ended = few.push()
    assert (ended.code, ended.report["items"]["create"]) == (0, 8), ended.err
    assert few.sandbox.counters()["by_operation"]["Create"] == 1
    all_there_once(few, 8)


@pytest.mark.parametrize("done", [0, 3, 8])
def test_a_job_that_fails_half_way(few: Company, done: int) -> None:
    """Nobody says which rows it made: that is looked up, once the new items are sure to be found."""
    few.sandbox.set_jobs(fails_with="INTERNAL_ERROR", fails_after=done)
    new_projects(few, 8)
    few.push()
    assert few.sandbox.counters()["by_operation"].get("Create", 0) == 0
    again = few.push()
    assert again.code == 7, again.err
    assert few.sync("--full").code == 0
    assert few.counts()["projects"] == 6 + 8
    few.sandbox.set_jobs()
    few.sql("UPDATE monday_sync.sync_batch SET sent_at = sent_at - interval '3 minutes'")
    assert few.push().code == 0
    all_there_once(few, 8)


@pytest.mark.parametrize("arrives", [False, True])
def test_an_upload_without_an_answer(few: Company, arrives: bool) -> None:
    few.sandbox.set_jobs(uploads_failing=5, uploads_arrive=arrives)
    new_projects(few, 8)
    ended = few.run(program=PUSH)
    assert (ended.code, "run it again" in ended.err) == (7, True)
    few.sandbox.set_jobs()
    few.sql("UPDATE monday_sync.sync_batch SET sent_at = sent_at - interval '3 minutes'")
    assert few.push().code == 0
    all_there_once(few, 8)


def _at_the_start(company: Company) -> bool:
    return "StartIngest" in company.sandbox.counters()["by_operation"]


def _uploaded(company: Company) -> bool:
    return len(company.sandbox.item_ids(MASTER_BOARD_ID)) == 6 + 510


@pytest.mark.parametrize(
    ("there", "minutes"),
    [
        pytest.param(_at_the_start, 0, id="at the start"),
        pytest.param(_uploaded, 0, id="after the upload, found by the report"),
        pytest.param(_uploaded, 40, id="after the upload, found by the marker"),
    ],
)
def test_killed_in_the_middle(marked: Company, there: Callable[[Company], bool], minutes: int) -> None:
    new_projects(marked, 510)
    if there is _at_the_start:
        marked.sandbox.fault("latency", match="StartIngest", delay_s=1)
    with marked.start(*LEAVE, program=PUSH) as process:
        while not there(marked):
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        process.kill()
        process.communicate()
    while marked.sandbox.counters()["requests"] < len(marked.sandbox.requests()):
        time.sleep(0.01)  # the one that was cut off comes to its end
    marked.sandbox.advance(60 * minutes)
    marked.sql("UPDATE monday_sync.sync_batch SET sent_at = sent_at - make_interval(mins => %s)", minutes)
    marked.sandbox.reset_counters()
    pulled = marked.sync()
    assert pulled.code == 0, pulled.err
    assert marked.counts()["projects"] == 6 + 510
    ended = marked.push(*LEAVE)
    assert ended.code == 0, ended.err
    assert marked.sandbox.counters()["by_operation"].get("StartIngest", 0) == (there is _at_the_start)
    assert sent(marked) == []
    all_there_once(marked, 510)


def test_a_signal_while_a_job_is_waited_for(marked: Company) -> None:
    new_projects(marked, 510)
    with marked.start(*LEAVE, program=PUSH) as process:
        while not _uploaded(marked):
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _out, err = process.communicate(timeout=30)
    assert (process.returncode, "run it again" in err) == (130, True)
    assert marked.push(*LEAVE).code == 0
    assert marked.sandbox.counters()["by_operation"]["StartIngest"] == 1
    all_there_once(marked, 510)
