"""`SYNC_PING_URL`: who is told of a run, what he is told, and that nothing he does changes the run."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from sandbox import MASTER_BOARD_ID
from tests.support.company import PUSH, TOKEN, Company
from tests.support.pushing import jobs

BAD = {"numbers0": "a lot"}


class Ear(BaseHTTPRequestHandler):
    """Takes down what is posted, and answers as it is told to."""

    heard: ClassVar[list[tuple[str, str]]] = []
    status: ClassVar[int] = 200

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.heard.append((self.path, text))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""


@pytest.fixture
def ear(company: Company) -> Iterator[type[Ear]]:
    class Mine(Ear):
        heard: ClassVar[list[tuple[str, str]]] = []

    with ThreadingHTTPServer(("127.0.0.1", 0), Mine) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        company.overrides["SYNC_PING_URL"] = f"http://127.0.0.1:{server.server_address[1]}/check/uuid-of-mine"
        yield Mine
        server.shutdown()


def paths(ear: type[Ear]) -> list[str]:
    return [path.removeprefix("/check/uuid-of-mine") for path, _ in ear.heard]


@pytest.mark.parametrize("program", ["sync_monday_to_pg.py", PUSH])
def test_a_real_run_says_that_it_begins_and_how_it_ended(synced: Company, ear: type[Ear], program: str) -> None:
    ended = synced.run("--json", program=program)
    assert ended.code == 0
    assert paths(ear)[-2:] == ["/start", ""]
    lines = ear.heard[-1][1].splitlines()
    assert len(lines) == 5
    assert lines[0] == f"{program} run {ended.report['run_id']}"
    assert lines[1].startswith("exit 0 after ")


def test_a_dry_run_says_nothing(company: Company, ear: type[Ear]) -> None:
    assert company.sync("--test").code == 0
    assert ear.heard == []


def test_what_is_new_and_open_is_a_failure_once(company: Company, ear: type[Ear]) -> None:
    company.sandbox.edit(jobs(company)[0], BAD, force=True)
    assert company.sync().code == 5
    assert company.sync().code == 5
    assert paths(ear) == ["/start", "/fail", "/start", ""]
    assert "1 thing open, 1 of them new" in ear.heard[1][1]
    assert "1 thing open, 0 of them new" in ear.heard[3][1]


def test_a_run_that_fails_says_so_and_no_secret(company: Company, ear: type[Ear]) -> None:
    company.overrides["MONDAY_BOARD_ID_DATA"] = "4711"
    assert company.sync().code != 0
    assert paths(ear) == ["/start", "/fail"]
    assert TOKEN not in ear.heard[-1][1]


def test_another_run_at_work_is_no_failure(synced: Company, ear: type[Ear]) -> None:
    synced.sql(
        "UPDATE monday_sync.sync_lease SET holder = 'somebody', fence = fence + 1, expires_at = now() + '1 hour'"
    )
    assert synced.sync().code == 6
    assert paths(ear) == ["/start", ""]


@pytest.mark.parametrize("status", [404, 500, None])
def test_a_ping_that_fails_changes_nothing_but_a_line_of_the_log(
    company: Company, ear: type[Ear], status: int | None
) -> None:
    if status is None:
        company.overrides["SYNC_PING_URL"] = "http://127.0.0.1:9/check/uuid-of-mine"
    else:
        ear.status = status
    assert company.sync().code == 0
    logged = "".join(path.read_text() for path in (company.folder / "logs").glob("*.log"))
    assert "ping.failed" in logged
    assert "uuid-of-mine" not in logged


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://ping.example/1", "would tell everybody on the way; http is for this machine only"),
        ("ping.example/1", "is not a URL"),
        ("https://ping.example/1?rid=2", "has a ? inside"),
        ("https://user:word@ping.example/1", "holds a user or a password"),
    ],
)
def test_an_address_that_is_none_is_refused(company: Company, url: str, why: str) -> None:
    company.overrides["SYNC_PING_URL"] = url
    ended = company.run()
    assert ended.code == 2
    assert f"SYNC_PING_URL {why}" in ended.err.replace("an https URL", "a URL")
    assert url not in ended.err


# What ends with 5, and with 10


def test_only_what_is_new_ends_with_5_where_that_is_wanted(company: Company) -> None:
    company.overrides["SYNC_EXIT_ATTENTION"] = "new"
    company.sandbox.edit(jobs(company)[0], BAD, force=True)
    assert [company.sync().code, company.sync().code, company.push().code] == [5, 0, 0]
    company.overrides["SYNC_EXIT_ATTENTION"] = "open"
    assert company.sync().code == 5


def test_a_word_that_is_neither_is_refused(company: Company) -> None:
    company.overrides["SYNC_EXIT_ATTENTION"] = "loud"
    ended = company.run()
    assert ended.code == 2
    assert "SYNC_EXIT_ATTENTION is neither open nor new" in ended.err


@pytest.mark.parametrize("push", [False, True])
def test_a_dry_run_ends_with_10_where_it_would_write(synced: Company, *, push: bool) -> None:
    dry = ("--test", "--detailed-exitcode")
    run = synced.push if push else synced.sync
    assert run(*dry).code == 0
    if push:
        synced.sql("UPDATE projects SET claim_number = 'C-1' WHERE monday_item_id = %s", jobs(synced)[0])
    else:
        synced.sandbox.edit(jobs(synced)[0], {"claim_number__1": "C-1"})
    ended = run(*dry)
    assert (ended.code, ended.report["exit_code"]) == (10, 10)
    assert run("--test").code == 0
    out = synced.run(*dry, program=PUSH if push else "sync_monday_to_pg.py").out
    assert "exit 10 (something would be written)" in " ".join(out.split())  # however the page breaks it
    assert run().code == 0
    assert run(*dry).code == 0


def test_something_for_a_person_counts_more_than_something_to_write(company: Company) -> None:
    company.sandbox.edit(jobs(company)[0], BAD, force=True)
    assert company.sync("--test", "--detailed-exitcode").code == 5


def test_a_real_run_has_no_such_code(company: Company) -> None:
    ended = company.run("--detailed-exitcode")
    assert ended.code == 2
    assert "--detailed-exitcode is for a dry run: add --test" in ended.err
    assert company.sandbox.item_ids(MASTER_BOARD_ID)
