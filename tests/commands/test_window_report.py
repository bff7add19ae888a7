"""`sync_status.py report`: one file with everything in it, of which nothing is taken for markup, and nobody else's."""

from __future__ import annotations

import json
import os
import resource
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from sandbox import MASTER_BOARD_ID, STAFF_BOARD_ID
from status.report.days import SIDES
from status.report.facts import day_edges
from tests.support.company import STATUS, Company, Ended, job_cells
from tests.support.month import fill_tables, make_past
from tests.support.pushing import jobs

NOTE = "text43__1"
HOSTILE = (
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(2)>",
    "{{ 7 * 7 }}{% include '/etc/passwd' %}",
    '=HYPERLINK("https://evil.example")',
    "\u202eexe.gpj \x1b[31mred\x07",
    "</style></svg><a href='javascript:alert(3)'>",
    "&lt;b&gt; &amp;amp;",
    "x" * 5_000,
)


class Parsed(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> Iterator[dict[str, str | None]]:
        return (attributes for name, attributes in self.tags if name == tag)


def report(company: Company, *arguments: str) -> Parsed:
    path = company.folder / "report.html"
    ended = company.window("report", "-o", str(path), *arguments)
    assert (ended.code, ended.err) == (0, ""), ended
    assert "is written (" in ended.out
    return Parsed(path.read_text(encoding="utf-8"))


def refused(company: Company, path: Path) -> Ended:
    ended = company.window("report", "-o", str(path))
    assert (ended.code, ended.out) == (2, "")
    return ended


def test_it_shows_both_boards_their_items_and_what_is_not_mapped(company: Company) -> None:
    company.sandbox.add_column(MASTER_BOARD_ID, "color_x", "Colour of <roof>", "text")
    assert company.sync().code == 0
    item = jobs(company)[0]
    company.sandbox.edit(item, {NOTE: "on the board"})
    company.sql("UPDATE customers SET notes = 'in SQL' WHERE name = 'Owner 1'")
    assert company.sync("--on-conflict", "manual").code == 5
    assert company.push("--test").code == 5
    page = report(company)
    assert "The sync works, and 1 thing waits for a person" in page.text
    links = [attributes["href"] for attributes in page.all("a")]
    assert f"https://roofing.monday.com/boards/{MASTER_BOARD_ID}/pulses/{item}" in links
    for said in ("on the board", "in SQL", "customers.notes", "agreed before"):
        assert said in page.text
    assert "Colour of <roof>" in page.text
    listed = company.value("SELECT jsonb_array_length(others) FROM monday_sync.sync_board WHERE board = 'master'")
    assert f"; {listed} {'is' if listed == 1 else 'are'} not" in " ".join(page.text.split())
    assert "Job 1" in page.text
    for table in ("projects", "customers", "properties", "users", "insurances", "storms", "pa_law", "policies"):
        assert table in page.text


def test_a_board_is_described_once_and_again_where_it_differs(company: Company) -> None:
    company.sync()
    known = company.sql("SELECT board_id, account_slug, title <> '', jsonb_typeof(others) FROM monday_sync.sync_board")
    assert sorted(known) == sorted((board, "roofing", True, "array") for board in (MASTER_BOARD_ID, STAFF_BOARD_ID))
    written = "SELECT count(*) FROM monday_sync.sync_board WHERE tolerated = 99"
    company.sql(
        "CREATE FUNCTION seen() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.tolerated := 99; RETURN NEW; END $$;"
        "CREATE TRIGGER seen BEFORE UPDATE OF others ON monday_sync.sync_board FOR EACH ROW EXECUTE FUNCTION seen()"
    )
    assert company.sync("--full").code == 0
    assert company.value(written) == 0
    company.sandbox.add_column(STAFF_BOARD_ID, "extra", "Extra", "text")
    assert company.sync("--full").code == 0
    assert company.value(written) == 1
    others = company.value("SELECT others FROM monday_sync.sync_board WHERE board_id = %s", STAFF_BOARD_ID)
    assert ["extra", "Extra", "text"] in others


def test_nothing_in_it_is_markup(company: Company) -> None:
    """Names, values, titles and reasons that would be something else in a page, a spreadsheet or a terminal."""
    sandbox = company.sandbox
    for number, name in enumerate(HOSTILE):
        sandbox.create(MASTER_BOARD_ID, name[:250], job_cells(100 + number))
        sandbox.add_column(MASTER_BOARD_ID, f"odd_{number}", name[:250], "text")
    company.sync()
    for item, value in zip(jobs(company), HOSTILE, strict=False):
        sandbox.edit(item, {NOTE: f"monday {value}"[:5_000]})
    company.sql("UPDATE customers SET notes = 'SQL ' || %s WHERE name LIKE 'Owner %%'", HOSTILE[1])
    company.sync("--on-conflict", "manual")
    company.sql("UPDATE monday_sync.sync_run SET exit_code = 7, reason = %s", HOSTILE[0])
    path = company.folder / "report.html"
    page = report(company)
    written = path.read_text(encoding="utf-8")
    assert {name for name, _attributes in page.tags} <= {
        "html", "head", "meta", "title", "style", "body", "header", "main", "footer", "section", "nav", "div", "p",
        "span", "h1", "h2", "h3", "h4", "ul", "ol", "li", "dl", "dt", "dd", "table", "thead", "tbody", "tr", "th", "td",
        "figure", "figcaption", "details", "summary", "small", "b", "i", "em", "code", "time", "a", "svg", "g", "path",
        "rect", "circle", "text",
    }  # fmt: skip
    assert not [name for _tag, attributes in page.tags for name in attributes if name.startswith("on")]
    assert {attributes["href"].partition(":")[0] for attributes in page.all("a") if attributes["href"]} <= {
        "https", "#runs", "#changes", "#cost", "#open", "#conflicts", "#tables", "#mapping",
    }  # fmt: skip
    shown = HOSTILE[0], "{{ 7 * 7 }}", "\\u202eexe.gpj \\u001b[31mred\\u0007", "&lt;b&gt; &amp;amp;"
    assert [said for said in shown if said not in page.text] == []
    assert "signs)" in page.text
    assert not any(ord(sign) < 32 and sign != "\n" for sign in written)
    assert "\u202e" not in written


def test_the_page_asks_nobody_for_anything(synced: Company) -> None:
    page = report(synced)
    policy = [attributes["content"] for attributes in page.all("meta") if "http-equiv" in attributes]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]
    assert not any("src" in attributes or "srcset" in attributes for _tag, attributes in page.tags)
    written = (synced.folder / "report.html").read_text(encoding="utf-8")
    assert "url(" not in written
    assert "@import" not in written


def test_only_its_owner_may_read_it_whatever_the_umask(synced: Company) -> None:
    before = os.umask(0)
    try:
        report(synced)
    finally:
        os.umask(before)
    path = synced.folder / "report.html"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first = path.stat().st_ino
    report(synced)
    assert path.stat().st_ino != first  # another file took its place at once
    assert sorted(entry.name for entry in synced.folder.iterdir() if "report" in entry.name) == ["report.html"]


def test_what_cannot_be_written_ends_with_its_reason(synced: Company, tmp_path: Path) -> None:
    foreign, folder = tmp_path / "letter.html", tmp_path / "folder.html"
    foreign.write_text("<!doctype html>\n<p>Dear Ann")
    folder.mkdir()
    pipe = tmp_path / "pipe.html"
    os.mkfifo(pipe)
    assert "holds something else than a report: name another file" in refused(synced, foreign).err
    assert "is no file" in refused(synced, folder).err
    assert "is no file" in refused(synced, pipe).err
    assert "No such file or directory" in refused(synced, tmp_path / "absent" / "r.html").err
    assert "Not a directory" in refused(synced, foreign / "r.html").err
    assert "too long" in refused(synced, tmp_path / ("r" * 300)).err
    assert foreign.read_text() == "<!doctype html>\n<p>Dear Ann"
    assert not list(tmp_path.glob(".*.tmp"))
    told = synced.window("report", "-o", str(folder), "--json")
    assert (told.code, told.report["exit_code"]) == (2, 2)


def test_a_link_is_replaced_and_not_followed(synced: Company, tmp_path: Path) -> None:
    target, link = tmp_path / "other", tmp_path / "report.html"
    target.write_bytes(b"")
    link.symlink_to(target)
    report(synced)
    assert not link.is_symlink()
    assert target.read_bytes() == b""


@pytest.mark.parametrize("since", ["soon", "0d", "-3d", "99999d", ""])
def test_a_time_that_is_none_is_a_mistake_of_usage(synced: Company, since: str) -> None:
    ended = synced.window("report", "-o", str(synced.folder / "r.html"), "--since", since)
    assert ended.code == 2
    assert "no length of time that a report can have" in ended.err
    assert not (synced.folder / "r.html").exists()


def test_as_json_it_says_what_it_wrote(synced: Company) -> None:
    path = synced.folder / "r.html"
    told = synced.window("report", "-o", str(path), "--json", "--since", "7d").report
    assert (told["version"], told["exit_code"], told["file"]) == (1, 0, str(path))
    assert (told["verdict"], told["open"], told["bytes"]) == ("good", 0, path.stat().st_size)
    assert told["sentence"].startswith("Everything is all right: ")


def test_a_month_is_counted_as_it_was(synced: Company) -> None:
    make_past(synced, days=30, changes=900)
    page = report(synced)
    since = day_edges(datetime.now(UTC), timedelta(days=30))[0]
    for side in ("monday", "postgres"):
        count = synced.value("SELECT count(*) FROM monday_sync.sync_change WHERE wrote = %s AND at >= %s", side, since)
        assert f"changes on {SIDES[side]}{count:,}" in page.text
    runs = synced.value("SELECT count(*) FROM monday_sync.sync_run WHERE started_at >= %s", since)
    assert f"runs{runs:,}" in page.text
    failed = "SELECT count(*) FROM monday_sync.sync_run WHERE coalesce(exit_code, 1) NOT IN (0, 5) AND started_at >= %s"
    assert f"{synced.value(failed, since)} runs did not end well" in page.text
    assert "values that monday refused" in page.text
    assert "4 open, 2 settled" in page.text
    for stage in ("fetch", "plan", "apply", "push"):
        assert stage in page.text
    assert (synced.folder / "report.html").stat().st_size < 200_000


def test_everything_long_and_hostile_stays_under_its_limit(synced: Company) -> None:
    """As much as there can be of everything, all of it in signs that grow when they are escaped."""
    long = "<&\"'>" * 1_000
    make_past(synced, days=92, changes=4_000, hourly=2)
    item = jobs(synced)[0]
    synced.sql("UPDATE projects SET item_name = %s", long)
    synced.sql(
        "UPDATE monday_sync.sync_conflict SET monday = %s, postgres = %s, agreed = %s, ever_agreed = true", *[long] * 3
    )
    synced.sql(
        "INSERT INTO monday_sync.sync_conflict (run_id, state, board_id, item_id, role, field, table_name, kept_from,"
        " lost_from, monday, postgres, agreed, ever_agreed) SELECT 'r', 'open', %s, %s, 'project', 'projects.f' || n,"
        " 'projects', 'nobody', 'monday', %s, %s, %s, true FROM generate_series(1, 500) n",
        MASTER_BOARD_ID, item, long, long, long,
    )  # fmt: skip
    synced.sql(
        "INSERT INTO monday_sync.sync_dead (kind, board_id, item_id, place, reason, run_id)"
        " SELECT 'cell', %s, %s, 'text' || n, %s, 'r' FROM generate_series(1, 500) n",
        MASTER_BOARD_ID, item, long,
    )  # fmt: skip
    synced.sql("UPDATE monday_sync.sync_run SET reason = %s || run_id WHERE exit_code NOT IN (0, 5)", long)
    others = [[f"c{n}", long[:255], "text"] for n in range(500)]
    synced.sql("UPDATE monday_sync.sync_board SET title = %s, others = %s", long, json.dumps(others))
    report(synced, "--since", "92d")
    assert (synced.folder / "report.html").stat().st_size < 400_000


def test_a_board_that_nobody_described_yet_is_told_of(synced: Company) -> None:
    synced.sql("UPDATE monday_sync.sync_board SET title = NULL, others = NULL, account_slug = NULL")
    page = report(synced)
    assert "Which other columns it has is written down by the next complete read" in page.text
    assert "roofing.monday.com" not in page.text


def test_an_account_whose_name_leads_elsewhere_makes_no_links(company: Company) -> None:
    company.sandbox.world.account.slug = "evil.example/x?"
    company.sync()
    assert company.sql("SELECT account_slug FROM monday_sync.sync_board") == [(None,), (None,)]
    assert "Everything is all right" in report(company).text


@pytest.mark.soak
def test_three_months_of_a_large_company_cost_little(synced: Company) -> None:
    """20,000 items with 100,000 changes in 90 days: by the processor's time, since others use the machine too."""
    fill_tables(synced, 20_000)
    make_past(synced, days=90, changes=100_000, hourly=2)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = synced.process("report", "-o", str(synced.folder / "r.html"), "--since", "90d", program=STATUS)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert ended.code == 0, ended.err
    assert after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime < 3
    assert (synced.folder / "r.html").stat().st_size < 400_000
