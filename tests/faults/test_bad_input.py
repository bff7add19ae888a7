"""Whatever comes in wrong: its exit code, a message that says what to do, and nothing half done."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import tenacity

from data_cache import FORMAT, CacheWriter, Header
from reconcile.items import RawItem
from sandbox import MASTER_BOARD_ID, STAFF_BOARD_ID, Sandbox, seed_world
from tests.support.company import TOKEN, Company, job_cells, small_world
from tests.support.kit import raw_json
from tests.support.servers import Keywords, free_port

PRICE = "numbers0"
TEXT = "text40__1"
OVERFLOW = "1000000000000000"


@pytest.fixture
def crowd(company: Company) -> Company:
    """A synced company with thirty more jobs."""
    for number in range(7, 37):
        company.sandbox.create(MASTER_BOARD_ID, f"Job {number}", job_cells(number))
    company.landed()
    company.sandbox.advance(60)
    company.sandbox.reset_counters()
    return company


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """All tries, without the seconds between them."""
    monkeypatch.setattr("monday.transport._backoff", tenacity.wait_none())
    monkeypatch.setattr("postgres.connection.CONNECT_TRIES", 2)


def jobs(company: Company) -> list[int]:
    return company.sandbox.item_ids(MASTER_BOARD_ID)


def refuses(company: Company, code: int, *words: str, arguments: tuple[str, ...] = ()) -> str:
    """The run ends with this code, says these words and writes no row, dry or not; gives what it said."""
    before = company.contents(only="public")
    said = ""
    for extra in (("--test",), ()):
        ended = company.run(*arguments, *extra)
        assert ended.code == code, ended.err or ended.out
        said = ended.err
        assert [word for word in words if word not in said] == []
        assert "Traceback" not in said
    after = company.contents(only="public")
    assert after == before or not any((*before.values(), *after.values()))  # a first run may have made the tables
    return said


# Cells ----------------------------------------------------------------------------------------------------------------


def test_a_bad_cell_is_quarantined_and_keeps_its_last_good_value(synced: Company) -> None:
    item_id = jobs(synced)[2]
    synced.sandbox.edit(item_id, {PRICE: OVERFLOW, TEXT: "still taken"}, force=True)
    text = synced.run("--test").out
    assert "Needs a person" in text
    assert f"master  {item_id}  numbers0" in text
    ended = synced.sync()
    assert ended.code == 5
    (cell,) = ended.report["details"]["quarantined"]
    assert (cell["board"], cell["item"], cell["column"]) == ("master", item_id, 'numbers0 ("Total price")')
    assert cell["reason"]
    assert OVERFLOW not in ended.out
    assert (synced.project(item_id, "estimated_value"), synced.project(item_id, "description")) == (1003, "still taken")
    again = synced.sync()
    assert (again.code, again.report["quarantined"], again.writes) == (5, 1, 0)
    synced.sandbox.edit(item_id, {PRICE: "12"})
    assert synced.sync().code == 0
    assert synced.project(item_id, "estimated_value") == 12


@pytest.mark.parametrize(
    ("text", "lands"),
    [
        pytest.param("cut\x00off", False, id="NUL"),
        pytest.param("half an emoji \ud83d", False, id="lone surrogate"),
        pytest.param("word " * 1000, True, id="five thousand characters"),
        pytest.param("Robert'); DROP TABLE projects;-- %s %(x)s {0} \\N \\.", True, id="SQL and COPY"),
        pytest.param('"}) { id } } mutation { delete_item(item_id: 1) { id } } #\\', True, id="GraphQL"),
        pytest.param("\u202eיוסי\u202c 屋根 👍🏽 =cmd|'/c calc'!A1\r\n\ttab", True, id="RTL, emoji, formula, tab"),
    ],
)
def test_a_hostile_cell(company: Company, text: str, lands: bool) -> None:
    item_id = jobs(company)[0]
    company.sandbox.edit(item_id, {TEXT: text}, force=True)
    ended = company.sync()
    assert ended.code == (0 if lands else 5), ended.err
    assert company.project(item_id, "description") == (text.strip() if lands else None)
    assert ended.report["quarantined"] == (not lands)
    assert company.counts()["projects"] == 6
    assert company.sandbox.counters()["mutations"] == 0
    assert company.run("--use-cache", "-v").code == ended.code
    assert company.sync("--full").writes == 0


# Settings -------------------------------------------------------------------------------------------------------------


def test_all_wrong_settings_are_listed_at_once(company: Company) -> None:
    company.overrides = {
        "MONDAY_API_KEY": "", "DATABASE_URL": " ", "MONDAY_BOARD_ID_DATA": "abc", "MONDAY_API_VERSION": "newest",
        "MONDAY_API_URL": "http://api.monday.com/v2",
    }  # fmt: skip
    said = refuses(company, 2, *company.overrides)
    assert "5 settings" in said


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:PASSWORD@[::1/wra",
        "postgresql://ann:PASSWORD%zz@host/wra",
        "postgresql://ann:PASSWORD@host:99999/wra",
        "postgresql://ann:PASSWORD@host:5432:1/wra?sslmode=require",
        "postgresql://ann:PASSWORD@db.example/wra?sslmode=disable",
        "postgresql://ann:PASSWORD@127.0.0.1/wra?options=-csearch_path%3Dx",
        "mysql://ann:PASSWORD@host/wra",
        "host=127.0.0.1 password=PASSWORD",
    ],
)
def test_a_malformed_database_url_never_shows_the_password(company: Company, url: str) -> None:
    company.overrides = {"DATABASE_URL": url.replace("PASSWORD", "hunter2-canary")}
    said = refuses(company, 2, "1 setting")
    assert "hunter2-canary" not in said
    assert "DATABASE_URL" in said or "database setting" in said


def test_a_key_with_blanks_around_it_works(company: Company) -> None:
    company.sandbox.set_token(TOKEN)
    company.overrides = {"MONDAY_API_KEY": f' "{TOKEN}"\r\n'}
    assert company.sync().code == 0


@pytest.mark.parametrize("key", [f"Bearer {TOKEN}", f"{TOKEN}\n{TOKEN}", f"{TOKEN}\u2026"])
def test_a_key_that_cannot_be_one_is_not_sent_and_not_shown(company: Company, key: str) -> None:
    company.overrides = {"MONDAY_API_KEY": key}
    refuses(company, 2, "MONDAY_API_KEY")
    assert company.sandbox.counters()["requests"] == 0


def test_a_netrc_entry_does_not_replace_the_token(company: Company) -> None:
    company.sandbox.set_token(TOKEN)
    netrc = company.folder / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\ndefault login somebody password else\n")
    company.overrides = {"NETRC": str(netrc), "HOME": str(company.folder)}
    assert company.sync().code == 0


def test_a_refused_token(company: Company) -> None:
    company.sandbox.set_token("another")
    refuses(company, 2, "MONDAY_API_KEY", "401")
    assert company.sandbox.counters()["requests"] <= 2  # no second try


# Caches ---------------------------------------------------------------------------------------------------------------


def _newest(company: Company) -> Path:
    return sorted((company.folder / "cache").glob("master-*.jsonl"))[-1]


def _flip(path: Path) -> Path:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return path


def _cut(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:-200])
    return path


def _world_readable(path: Path) -> Path:
    path.chmod(0o644)
    return path


def _link(path: Path) -> Path:
    link = path.with_name("master-link.jsonl")
    link.symlink_to(path)
    return link


def _absent(path: Path) -> Path:
    return path.with_name("master-absent.jsonl")


def _not_a_cache(path: Path) -> Path:
    path.write_text("hello\n")
    return path


def _folder(path: Path) -> Path:
    return path.parent


def _written(path: Path, **facts: Any) -> Path:
    header = Header(
        **{
            "format": FORMAT, "board": "master", "board_id": MASTER_BOARD_ID, "account_id": "", "query_hash": "",
            "fetched_at": datetime.now(UTC), "mode": "full", "api_version": "2026-10", **facts,
        }
    )  # fmt: skip
    with CacheWriter(path.parent, header, "made") as writer:
        writer.add([RawItem(1, "2026-05-01T08:00:00Z", raw_json("master", 1))])
        written = writer.finish(complete=True, items_count=1)
    assert written is not None
    return written


def _old(path: Path) -> Path:
    return _written(path, fetched_at=datetime.now(UTC) - timedelta(days=8))


def _of_another_board(path: Path) -> Path:
    return _written(path, board_id=4711)


def _of_another_account(path: Path) -> Path:
    return _written(path, account_id="4711")


def _of_a_later_format(path: Path) -> Path:
    return _written(path, format=FORMAT + 1)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_flip, ""),
        (_cut, "cut short"),
        (_not_a_cache, "not"),
        (_world_readable, "chmod 600"),
        (_link, "symbolic link"),
        (_absent, "--list-cache"),
        (_old, "8 days ago"),
        (_of_another_board, "of board 4711"),
        (_of_another_account, "account 4711"),
        (_of_a_later_format, "format"),
    ],
)
def test_a_bad_cache_is_refused_and_never_replaced_by_a_read(
    synced: Company, spoil: Callable[[Path], Path], says: str
) -> None:
    path = spoil(_newest(synced))
    refuses(synced, 2, str(path), says, arguments=("--cache-file", str(path)))
    assert synced.sandbox.counters()["requests"] == 0
    assert synced.run("--list-cache").code == 0


def test_no_cache_at_all(company: Company) -> None:
    refuses(company, 2, "There is no cache", arguments=("--use-cache",))
    assert company.run("--list-cache").code == 0


# Boards ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [{"visible": False}, {"state": "archived"}, {"state": "deleted"}])
@pytest.mark.parametrize("later", [False, True])
def test_a_board_that_is_not_there(company: Company, change: dict[str, Any], later: bool) -> None:
    if later:
        company.landed()
    company.sandbox.set_board(STAFF_BOARD_ID, **change)
    said = refuses(company, 3, "board")
    assert f"staff board {STAFF_BOARD_ID}" in said or "InvalidBoardIdException" in said


def test_an_empty_board_on_the_first_run(blank: Keywords, tmp_path: Path) -> None:
    with small_world(items=0) as sandbox:
        company = Company(sandbox, blank, tmp_path)
        refuses(company, 4, "master board shows 0 items", "--accept-shrink")
        assert company.sync("--accept-shrink").code == 0
        assert company.counts()["users"] == 2


def test_an_empty_board_later(crowd: Company) -> None:
    for item_id in jobs(crowd):
        crowd.sandbox.archive(item_id)
    refuses(crowd, 4, "master board shows 0 items, and 36 were known", "--accept-shrink")
    assert refuses(crowd, 4, "36 items", "--max-delete 36", arguments=("--accept-shrink",))
    assert crowd.sync("--accept-shrink", "--max-delete", "36").code == 0
    assert crowd.value("SELECT count(*) FROM projects WHERE archived_at IS NOT NULL") == 36


def test_a_board_of_half_its_size(crowd: Company) -> None:
    for item_id in jobs(crowd)[:20]:
        crowd.sandbox.purge(item_id)
    refuses(crowd, 4, "master board shows 16 items", "--accept-shrink")
    assert crowd.sync("--accept-shrink").code == 0
    assert crowd.value("SELECT count(*) FROM projects WHERE archived_at IS NOT NULL") == 0  # silent once only


def test_many_archived_items(crowd: Company) -> None:
    for item_id in jobs(crowd)[:6]:
        crowd.sandbox.archive(item_id)
    refuses(crowd, 4, "6 items of the master board", "--max-delete 6")
    assert crowd.sync("--max-delete", "6").code == 0


def test_many_changed_rows(blank: Keywords, tmp_path: Path) -> None:
    with small_world(items=70) as sandbox:
        company = Company(sandbox, blank, tmp_path)
        company.landed()
        for item_id in jobs(company)[:51]:
            sandbox.edit(item_id, {PRICE: "3"})
        refuses(company, 4, "51 of 70 rows of projects", "--max-change 51")
        assert company.sync("--max-change", "51").code == 0


def test_a_cleared_column(crowd: Company) -> None:
    for item_id in jobs(crowd)[:30]:
        crowd.sandbox.clear(item_id, "email57__1", TEXT)
    refuses(crowd, 4, "projects.description", "30 of 36 rows", "--max-change 30")
    assert crowd.sync("--max-change", "30").code == 0
    assert crowd.value("SELECT count(*) FROM projects WHERE description IS NULL") == 30


def test_every_item_changed(crowd: Company) -> None:
    for item_id in jobs(crowd):
        crowd.sandbox.rename(item_id, f"{crowd.sandbox.item(item_id)['name']} (new)")
    for item_id in crowd.sandbox.item_ids(STAFF_BOARD_ID):
        crowd.sandbox.edit(item_id, {"text1": "Blue"})
    refuses(crowd, 4, "every one of the 38 known items", "--resync", arguments=("--max-change", "100"))
    assert crowd.sync("--resync", "--adopt", "monday", "--max-change", "100").code == 0
    assert crowd.value("SELECT count(*) FROM projects WHERE item_name LIKE '%(new)'") == 36


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda sandbox: sandbox.remove_column(MASTER_BOARD_ID, TEXT), "missing"),
        (lambda sandbox: sandbox.archive_column(MASTER_BOARD_ID, TEXT), "missing"),
        (lambda sandbox: sandbox.retype_column(MASTER_BOARD_ID, TEXT, "numbers"), "numbers"),
    ],
)
def test_a_mapped_column_that_is_not_what_it_was(
    company: Company, change: Callable[[Sandbox], None], says: str, later: bool
) -> None:
    if later:
        company.landed()
    change(company.sandbox)
    refuses(company, 3, TEXT, says, f"--skip-column {TEXT}")
    assert company.sync("--skip-column", TEXT).code == 0
    assert company.project(jobs(company)[0], "description") == ("Roof 1" if later else None)
    assert company.counts()["projects"] == 6


def test_another_title_is_only_told(synced: Company) -> None:
    synced.sandbox.retitle_column(MASTER_BOARD_ID, TEXT, "What is to be done")
    ended = synced.sync("--full")
    assert (ended.code, ended.writes) == (0, 0)
    assert any(TEXT in note and "What is to be done" in note for note in ended.report["notes"])


def test_a_first_run_that_was_refused_can_be_repeated(synced: Company) -> None:
    synced.sql("DROP SCHEMA monday_sync CASCADE")
    synced.sql("UPDATE projects SET description = 'x', item_name = 'x', name = 'x', claim_number = 'x', link = 'x'")
    synced.sql("UPDATE customers SET name = 'x', phone = 'x', notes = 'x'")
    assert synced.sync().code == 4
    assert synced.sync("--yes").code in (0, 5), "its database is known by now"


def test_another_account(synced: Company) -> None:
    synced.sandbox.world.account.id = 4711
    refuses(synced, 3, "account 4711", "--rebind-board")
    refuses(synced, 3, "account 4711", arguments=("--limit", "2"))
    assert synced.sync("--rebind-board").code == 0
    assert synced.sync().code == 0


def test_a_column_removed_while_the_board_is_read(synced: Company) -> None:
    before = synced.contents(only="public")
    synced.sandbox.fault("latency", match="FirstPage", times=2, delay_s=0.7)
    with synced.start("--full") as process:
        while "Preflight" not in synced.sandbox.counters()["by_operation"]:
            assert process.poll() is None
        synced.sandbox.remove_column(MASTER_BOARD_ID, TEXT)
        _out, err = process.communicate(timeout=30)
    assert process.returncode == 3
    assert TEXT in err
    assert synced.contents(only="public") == before


# The outside world ----------------------------------------------------------------------------------------------------


def test_no_daily_calls_left(synced: Company) -> None:
    synced.sandbox.edit(jobs(synced)[0], {PRICE: "8"})
    synced.sandbox.fault("daily_limit", times=0)
    refuses(synced, 7, "daily calls", "UTC")
    synced.sandbox.clear_faults()
    assert synced.sync().writes == 1


@pytest.mark.usefixtures("impatient")
def test_monday_does_not_answer(synced: Company) -> None:
    synced.sandbox.stop()
    refuses(synced, 7, "monday.com could not be reached", "run it again")


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", ["unavailable", "html_200", "truncated_json", "internal_error_200", "reset_mid_body"])
def test_monday_fails_whatever_is_asked(synced: Company, fault: str) -> None:
    synced.sandbox.fault(fault, times=0)
    refuses(synced, 7, "monday.com", "run it again")
    synced.sandbox.clear_faults()
    assert synced.sync().code == 0


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", ["unavailable", "html_200", "field_limit", "too_many_requests", "cursor_expired"])
def test_monday_fails_once(company: Company, fault: str) -> None:
    company.sandbox.fault(fault, match="FirstPage", retry_after=0)
    assert company.landed()["tables"]["projects"]["insert"] == 6
    assert company.value("SELECT count(*) FROM projects WHERE description LIKE 'Roof%'") == 6


@pytest.mark.parametrize("fault", ["forbidden", "user_unauthorized"])
def test_a_token_without_rights(company: Company, fault: str) -> None:
    company.sandbox.fault(fault, times=0)
    refuses(company, 3, "no right")


@pytest.mark.usefixtures("impatient")
def test_the_database_does_not_answer(company: Company) -> None:
    company.overrides = {"DATABASE_URL": f"postgresql://ann:secret-4711@127.0.0.1:{free_port()}/wra"}
    for arguments in ((), ("--test",)):
        ended = company.run(*arguments)
        assert (ended.code, "cannot be reached" in ended.err) == (7, True)
    assert company.sandbox.counters()["requests"] == 0


@pytest.mark.parametrize("part", ["password", "dbname"])
def test_the_database_refuses(company: Company, part: str) -> None:
    broken = Company(company.sandbox, {**company.database, part: "wrong-4711"}, company.folder)
    ended = broken.run()
    assert (ended.code, "DATABASE_URL" in ended.err) == (2, True)
    assert "wrong-4711" not in ended.err


def test_a_database_of_a_newer_program(synced: Company) -> None:
    synced.sql("UPDATE monday_sync.sync_schema SET version = 99")
    refuses(synced, 2, "newer program", "update")


def test_folders_that_cannot_be_made_cost_a_warning(company: Company) -> None:
    (company.folder / "file").write_text("")
    company.overrides = dict.fromkeys(("SYNC_LOG_DIR", "SYNC_CACHE_DIR"), str(company.folder / "file"))
    ended = company.run()
    assert ended.code == 0
    assert ended.err.count("goes on without") == 3
    assert company.counts()["projects"] == 6


def test_a_count_that_does_not_add_up(synced: Company) -> None:
    synced.sandbox.set_items_count(MASTER_BOARD_ID, 9)
    refuses(synced, 7, "counts 9 items on the master board", "let 6 of them be read")


def test_contradicting_options(company: Company) -> None:
    for arguments in (("--use-cache", "--full"), ("--limit", "0"), ("-q", "-v"), ("--board", "sales"), ("--nonsense",)):
        assert company.run(*arguments).code == 2
    assert company.sandbox.counters()["requests"] == 0


def test_the_seeded_dirt_lands_or_is_named(blank: Keywords, tmp_path: Path) -> None:
    with Sandbox(seed_world(items=400, staff=12, seed=3)) as sandbox:
        company = Company(sandbox, blank, tmp_path)
        report = company.landed()
        assert report["tables"]["projects"]["insert"] == 400
        assert company.landed("--full")["plan"] == ""
