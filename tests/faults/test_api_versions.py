"""Whatever version of the API answers: one that was asked for, another that is known, or one that nobody tried."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import msgspec
import pytest
import tenacity
from graphql.utilities import find_breaking_changes

from cli.doctor.boards import examine_life
from monday import logs, versions
from monday.current import _NO_LOG
from monday.logs import LogPages
from monday.responses import Aliases, ApiVersion, Document
from monday.transport import Transport
from sandbox import MASTER_BOARD_ID, Sandbox, seed_world
from sandbox.schema import edition, schema
from tests.faults.test_overwritten import in_the_last_moment, lost
from tests.support.company import TOKEN, Company
from tests.support.pushing import jobs, letters, new_project, project, shows

TEXT = "text40__1"
PRICE = "numbers0"
STRANGE = "2027-04"

WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "2026-10": ("", {}),
    "2027-01 as asked": ("2027-01", {"current": "2027-01"}),
    "2027-01 instead": ("", {"answers": "2027-01"}),
    "2027-01 instead, and no header": ("", {"answers": "2027-01", "told": False}),
    "2026-10 instead": ("2027-01", {"answers": "2026-10"}),
}
"""What is asked for (the default, or a setting) and which version answers."""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """All tries, without the seconds between them."""
    monkeypatch.setattr("monday.transport._backoff", tenacity.wait_none())
    monkeypatch.setattr("monday.transport._jitter", tenacity.wait_none())


@pytest.fixture(params=WAYS)
def anyway(request: pytest.FixtureRequest, company: Company) -> Company:
    """A company, before its first run, by each way that a known version answers."""
    asked, answers = WAYS[request.param]
    if asked:
        company.overrides["MONDAY_API_VERSION"] = asked
    company.sandbox.set_versions(**answers)
    return company


def told(report: dict[str, Any]) -> list[str]:
    return [note for note in report["notes"] if "of its API" in note]


# Known versions


def test_both_directions_from_the_first_run_on(anyway: Company) -> None:
    sandbox = anyway.sandbox
    first = anyway.sync()
    assert (first.code, first.report["tables"]["projects"]["insert"]) == (0, 6), first.err
    sandbox.reset_counters()
    quiet = anyway.sync()
    assert (quiet.code, quiet.writes, sandbox.counters()["requests"]) == (0, 0, 1)
    sandbox.advance(60)
    edited, pushed, *_ = jobs(anyway)
    sandbox.edit(edited, {PRICE: "70"})
    sandbox.reset_counters()
    changed = anyway.sync()
    assert (changed.code, changed.report["boards"]["master"]["mode"]) == (0, "incremental")
    assert (anyway.project(edited, "estimated_value"), sandbox.counters()["requests"]) == (70, 1)
    project(anyway, pushed, description="from SQL")
    new_project(anyway, "New job", description="new")
    ended = anyway.push()
    assert (ended.code, ended.report["items"]["update"], ended.report["items"]["create"]) == (0, 1, 1), ended.err
    assert shows(anyway, pushed, TEXT) == "from SQL"
    assert anyway.sync().code == anyway.push().code == 0


@pytest.mark.parametrize("form", ["object", "silent"])
def test_what_a_write_replaced_is_kept(anyway: Company, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    """The activity log is another field from 2027-01 on."""
    assert anyway.sync().code == 0
    item = jobs(anyway)[0]
    anyway.sandbox.set_log(form)
    anyway.sandbox.advance(120)
    project(anyway, item, description="sql")
    in_the_last_moment(monkeypatch, lambda: anyway.sandbox.edit(item, {TEXT: "theirs"}))
    anyway.sandbox.reset_counters()
    ended = anyway.push()
    assert ended.code in (0, 5), ended.err
    assert lost(anyway) == [
        "theirs" if form == "object" else "(unknown: monday.com's activity log does not say what it was)"
    ]
    assert not any("could not be read" in note for note in ended.report["notes"])
    asked = [request for request in anyway.sandbox.requests() if request["operation"] == "Activity"]
    assert [request["status"] for request in asked] == [200] * (1 if form == "object" else 2), "none was refused first"


def test_a_conflict_and_items_that_are_gone(anyway: Company) -> None:
    assert anyway.sync().code == 0
    both, archived, deleted, moved, *_ = jobs(anyway)
    sandbox = anyway.sandbox
    sandbox.advance(120)
    project(anyway, both, description="sql")
    sandbox.edit(both, {TEXT: "board"})
    assert anyway.push().code == 0
    assert shows(anyway, both, TEXT) == "board", "monday wins"
    sandbox.archive(archived)
    sandbox.delete(deleted)
    sandbox.move_to_subitem(moved, both)
    assert anyway.sync().code in (0, 5)
    assert anyway.project(both, "description") == "board"
    gone = {item: anyway.project(item, "archived_at") is not None for item in (archived, deleted, moved)}
    assert gone == {archived: True, deleted: True, moved: False}
    assert anyway.sync().writes == 0


def test_another_known_version_is_noted_once_and_goes_on(synced: Company) -> None:
    synced.sandbox.set_versions(answers="2027-01")
    project(synced, jobs(synced)[0], description="sql")
    for ended in (synced.sync(), synced.sync("--full"), synced.sync("--test"), synced.push("--test"), synced.push()):
        assert (ended.code, ended.err) == (0, ""), ended.err
        (note,) = told(ended.report)
        assert "by version 2027-01" in note
        assert "MONDAY_API_VERSION=2027-01" in note
    synced.overrides["MONDAY_API_VERSION"] = "2027-01"
    assert told(synced.sync().report) == []


# The activity log in both forms


@pytest.fixture
def talkative(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Sandbox, int]]:
    """A board whose log has ten lines, in pages of two."""
    monkeypatch.setattr(logs, "_PAGE", 2)
    with Sandbox(seed_world(items=1, staff=0)) as sandbox:
        (item,) = sandbox.item_ids()
        for number in range(10):
            sandbox.edit(item, {TEXT: str(number)})
        yield sandbox, item


@pytest.mark.parametrize("asked", versions.KNOWN)
@pytest.mark.parametrize("answers", versions.KNOWN)
@pytest.mark.parametrize("header", [True, False])
def test_every_page_of_a_log_comes_in_the_form_of_whoever_answers(
    talkative: tuple[Sandbox, int], asked: str, answers: str, header: bool
) -> None:
    sandbox, item = talkative
    sandbox.set_versions(answers=answers, told=header)
    transport = Transport(TOKEN, url=sandbox.api_url, version=asked)
    pages = LogPages(transport, _NO_LOG)
    for requests in (1 + (asked != answers), 0):  # the first request is refused where nothing told of the version
        sandbox.reset_counters()
        found = [entry for page in pages.read(MASTER_BOARD_ID, {"items": [str(item)]}) for entry in page if entry]
        values = [json.loads(entry.data)["value"]["value"] for entry in found if entry.event == "update_column_value"]
        assert values == [str(number) for number in reversed(range(10))]
        refused = [request for request in sandbox.requests() if request["status"] != 200]
        assert len(refused) <= max(0, requests - 1)
    transport.close()


def test_a_cursor_leads_on_where_numbers_end(talkative: tuple[Sandbox, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages may be smaller than was asked for."""
    sandbox, item = talkative
    sandbox.edit(item, {TEXT: "the last"})
    monkeypatch.setattr(logs, "_PAGE", 1)
    found = {}
    for version in versions.KNOWN:
        transport = Transport(TOKEN, url=sandbox.api_url, version=version)
        pages = LogPages(transport, _NO_LOG).read(MASTER_BOARD_ID, {"items": [str(item)]})
        found[version] = sum(len(page) for page in pages)
        transport.close()
    assert found == {"2026-10": 10, "2027-01": 11}


@pytest.mark.parametrize(("before", "after"), [versions.KNOWN, versions.KNOWN[::-1]])
def test_a_version_that_is_exchanged_under_a_push(
    synced: Company, monkeypatch: pytest.MonkeyPatch, before: str, after: str
) -> None:
    """Between the look and the write; no header tells, so that the log is asked for in the form of before, first."""
    synced.sandbox.set_versions(answers=before, told=False)
    item = jobs(synced)[0]
    synced.sandbox.advance(120)
    project(synced, item, description="sql")

    def exchange() -> None:
        synced.sandbox.set_versions(answers=after, told=False)
        synced.sandbox.edit(item, {TEXT: "theirs"})

    in_the_last_moment(monkeypatch, exchange)
    ended = synced.push()
    assert ended.code in (0, 5), ended.err
    assert lost(synced) == ["theirs"]


# Versions that nobody tried


@pytest.mark.parametrize("header", [True, False])
def test_to_a_strange_version_nothing_is_sent(synced: Company, header: bool) -> None:
    item = jobs(synced)[0]
    project(synced, item, description="sql")
    new_project(synced, "New job")
    before = synced.sandbox.digest()
    synced.sandbox.set_versions(answers=STRANGE, told=header)
    for arguments in (("--test",), (), ("--setup-marker",)):
        ended = synced.push(*arguments)
        assert ended.code == 3, ended.out
        assert f"by version {STRANGE} of its API, not by 2026-10" in ended.err
        assert "nothing is sent" in ended.err
        assert "MONDAY_API_VERSION" in ended.err
        assert ended.report["reason"]
    assert synced.sandbox.digest() == before
    assert synced.sandbox.counters()["mutation_requests"] == 0
    assert synced.value("SELECT count(*) FROM monday_sync.sync_batch") == 0
    assert letters(synced) == []
    synced.sandbox.set_versions()
    ended = synced.push()
    assert (ended.code, shows(synced, item, TEXT)) == (0, "sql"), ended.err


def test_a_strange_version_is_read_with_a_warning(synced: Company) -> None:
    item = jobs(synced)[0]
    synced.sandbox.set_versions(answers=STRANGE)
    synced.sandbox.advance(60)
    synced.sandbox.edit(item, {TEXT: "edited"})
    for arguments in (("--test",), (), ("--full",)):
        ended = synced.sync(*arguments)
        assert ended.code == 0, ended.err
        (note,) = told(ended.report)
        assert f"by version {STRANGE}" in note
        assert ended.err.count(STRANGE) == 1
    assert synced.project(item, "description") == "edited"
    assert synced.push().code == 0, "nothing to send, and nobody asked"


def test_a_strange_version_that_was_asked_for_is_the_users_choice(synced: Company) -> None:
    synced.overrides["MONDAY_API_VERSION"] = "2026-07"
    project(synced, jobs(synced)[0], description="sql")
    ended = synced.push()
    assert (ended.code, told(ended.report)) == (0, [])


def test_a_version_that_becomes_strange_in_the_middle_of_a_push(
    synced: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first write tells of it: it is remembered, and it is the last."""
    item = jobs(synced)[0]
    project(synced, item, description="sql")
    new_project(synced, "New job")
    in_the_last_moment(monkeypatch, lambda: synced.sandbox.set_versions(answers=STRANGE))
    ended = synced.push()
    assert (ended.code, "nothing is sent" in ended.err) == (3, True), ended.err
    assert shows(synced, item, TEXT) == "sql"
    assert synced.sandbox.find(MASTER_BOARD_ID, "New job") == []
    assert synced.value("SELECT count(*) FROM monday_sync.sync_batch") == 0
    synced.sandbox.set_versions()
    assert synced.push().report["items"] == {**ended.report["items"], "update": 0, "create": 1, "unchanged": 8}


@pytest.mark.parametrize("minutes", [0, 10])
@pytest.mark.parametrize("program", ["pull", "push"])
def test_what_a_push_left_unfinished_waits_for_a_known_version(synced: Company, program: str, minutes: int) -> None:
    """Neither is it sent again, nor does anybody believe what the items show by that version."""
    item = jobs(synced)[0]
    project(synced, item, description="sql")
    synced.sandbox.fault("reset_before", match="Change", times=0)
    assert synced.push().code == 7
    synced.sandbox.clear_faults()
    synced.sql("UPDATE monday_sync.sync_batch SET sent_at = sent_at - make_interval(mins => %s)", minutes)
    synced.sandbox.set_versions(answers=STRANGE)
    synced.sandbox.reset_counters()
    ended = synced.sync() if program == "pull" else synced.push()
    assert ended.code == (0 if program == "pull" else 3), ended.err
    assert synced.sandbox.counters()["mutation_requests"] == 0
    assert synced.value("SELECT count(*) FROM monday_sync.sync_batch") == 1
    synced.sandbox.set_versions()
    assert synced.sync().code == 0
    assert (shows(synced, item, TEXT), synced.value("SELECT count(*) FROM monday_sync.sync_batch")) == ("sql", 0)


def test_a_request_that_a_strange_version_does_not_understand(synced: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monday.queries._BOARD", "id name state hierarchy_type items_count no_more")
    broken = synced.sync("--full")
    assert (broken.code, "please report it" in broken.err) == (1, True), "our own mistake, where the version is known"
    synced.sandbox.set_versions(answers=STRANGE)
    ended = synced.sync("--full")
    assert (ended.code, f"in version {STRANGE} of its API" in ended.err) == (3, True), ended.err
    assert "MONDAY_API_VERSION" in ended.err


def test_without_a_header_both_go_on_as_asked(synced: Company) -> None:
    synced.sandbox.set_versions(told=False)
    item = jobs(synced)[0]
    project(synced, item, description="sql")
    pushed, pulled = synced.push(), synced.sync("--full")
    assert (pushed.code, pulled.code, told(pushed.report), told(pulled.report)) == (0, 0, [], [])
    assert shows(synced, item, TEXT) == "sql"


@pytest.mark.parametrize(
    ("header", "answered"),
    [
        (None, None), ("", None), (" 2026-10 ", "2026-10"), ("2026-10, 2026-10", "2026-10"), ("dev", "dev"),
        ("\x1b[31m2027", "unreadable"), ("x" * 99, "unreadable"),
    ],
)  # fmt: skip
def test_a_header_is_never_more_than_a_version(header: str | None, answered: str | None) -> None:
    assert versions.told(header) == answered


# How long a version lives

LISTED = [
    ApiVersion("2027-01", "release_candidate"),
    ApiVersion("2026-10", "current"),
    ApiVersion("2026-07", "maintenance"),
]
LATER = [
    ApiVersion("2027-04", "release_candidate"),
    ApiVersion("2027-01", "current"),
    ApiVersion("2026-10", "maintenance"),
]


@pytest.mark.parametrize(
    ("version", "kind", "listed", "today", "state", "says", "fix"),
    [
        ("2026-10", "current", LISTED, date(2026, 11, 28), "ok", "until 1 April 2027 at least, 124 more days", ""),
        ("2026-10", "current", LISTED, date(2027, 3, 1), "ok", "until 1 June 2027", ""),
        ("2026-10", "maintenance", LATER, date(2027, 1, 20), "warning", "1 April 2027 at least, 71 more", "to 2027-01"),
        ("2026-10", "maintenance", LATER, date(2027, 4, 1), "warning", "any day", "to 2027-01"),
        ("2027-01", "maintenance", [], date(2027, 5, 1), "warning", "until 1 July 2027", "newer version of this"),
        ("2026-10", "previous_maintenance", LATER, date(2027, 4, 20), "warning", "supported by monday.com no", "01"),
        ("2025-04", "deprecated", LISTED, date(2026, 11, 28), "warning", "any day", "MONDAY_API_VERSION to 2026-10"),
        ("2027-01", "release_candidate", LISTED, date(2026, 11, 28), "warning", "not released yet", "leave"),
        ("2026-10", "", [], date(2026, 11, 28), "ok", "does not tell its age; it answers until 1 April 2027", ""),
        ("2026-10", "", [], date(2027, 1, 2), "warning", "89 more days", "newer version"),
        ("2026-10", "", [], date(2029, 1, 2), "warning", "any day", "newer version"),
        ("9999-10", "", [], date(2029, 1, 2), "warning", "any day", "newer version"),
        ("dev", "dev", LISTED, date(2026, 11, 28), "warning", "any day", "newer version"),
    ],
)  # fmt: skip
def test_how_long_a_version_lives(
    version: str, kind: str, listed: list[ApiVersion], today: date, state: str, says: str, fix: str
) -> None:
    found = examine_life(version, kind, listed, today)
    assert (found.check, found.state) == ("API support", state)
    assert says in found.says
    assert fix in found.fix
    assert bool(found.fix) is (state != "ok")


@pytest.mark.parametrize(
    ("answers", "code", "version", "support"),
    [
        ({}, 0, "ok", "ok"),
        ({"told": False}, 0, "ok", "ok"),
        ({"current": "2027-01"}, 0, "ok", "warning"),
        ({"current": "2027-07", "oldest": "2027-04"}, 3, "problem", "warning"),
        ({"current": "2027-01", "answers": "2027-01"}, 0, "warning", "ok"),
        ({"answers": STRANGE, "told": False}, 3, "problem", "warning"),
    ],
)
def test_the_doctor_says_which_version_answers_and_until_when(
    synced: Company, answers: dict[str, Any], code: int, version: str, support: str
) -> None:
    synced.sandbox.set_versions(**answers)
    ended = synced.run("--json", program="test_sync.py")
    found = {line["check"]: line for line in json.loads(ended.out)["checks"]}
    assert (ended.code, found["API version"]["state"], found["API support"]["state"]) == (code, version, support)
    assert "of its API" not in synced.run(program="test_sync.py").err


# The sandbox itself


def test_the_newer_schema_differs_in_what_it_says_and_in_nothing_else() -> None:
    old, new = schema("2026-10"), schema("2027-01")
    assert old is schema("2025-04")
    assert new is schema("2027-10")
    assert (edition("2026-10"), edition("2027-04")) == ("", "2027-01")
    broken = [change.description for change in find_breaking_changes(old, new)]
    assert broken, "monday's own changelog says so"
    assert all("Board.activity_logs" in description for description in broken)
    assert new.type_map.keys() - old.type_map.keys() == {"ItemsPageInput", "BoardActivityLogsPage", "ActivityLog"}


@pytest.mark.parametrize(
    ("versions_", "asked", "answered"),
    [
        ({}, None, "2026-10"), ({}, "2027-01", "2027-01"), ({}, "2027-04", "2026-10"), ({}, "2026-11", "2026-10"),
        ({}, "2024-11", "2026-10"), ({}, "2024-10", "2026-07"), ({"current": "2027-01"}, None, "2027-01"),
        ({"current": "2027-07", "oldest": "2027-01"}, "2026-10", "2027-04"),
        ({"answers": "2027-04"}, "2026-10", "2027-04"),
    ],
)  # fmt: skip
def test_which_version_the_sandbox_answers_by(versions_: dict[str, Any], asked: str | None, answered: str) -> None:
    with Sandbox(seed_world(items=0, staff=0)) as sandbox:
        sandbox.set_versions(**versions_)
        assert sandbox.service.versions.answering(asked) == answered
        assert sandbox.service.versions.answering("newest") is None
    with pytest.raises(ValueError, match="no version"):
        Sandbox(seed_world(items=0, staff=0)).set_versions(current="2026-11")


def test_the_sandbox_knows_the_fields_of_the_newer_version() -> None:
    with Sandbox(seed_world(items=3, staff=0)) as sandbox:
        first, second, _third = sandbox.item_ids()
        transport = Transport(TOKEN, url=sandbox.api_url, version="2027-01", mutations=True)
        ask = _asker(transport)
        board = f"board_id: {MASTER_BOARD_ID}"
        page = ask(f"items_page(input: {{{board}, limit: 2}}) {{ cursor items {{ id creator {{ id }} }} }}")
        assert [item["id"] for item in page["items"]] == [str(first), str(second)]
        following = ask(f'next_items_page(cursor: "{page["cursor"]}", limit: 2) {{ items {{ id }} }}')
        assert len(following["items"]) == 1
        copy = ask(f'duplicate_item({board}, item_id: {first}, item_name: "Again") {{ id name }}', "mutation")
        assert copy["name"] == "Again"
        assert sandbox.item(int(copy["id"]))["cells"] == sandbox.item(first)["cells"]
        (logged,) = ask(
            f"boards(ids: [{MASTER_BOARD_ID}]) {{ activity_logs("
            'event_types: ["create_pulse"], search: "Aga", limit: 5) { cursor logs { event correlation_id } } }'
        )
        entry = {"event": "create_pulse", "correlation_id": None}
        assert logged == {"activity_logs": {"cursor": None, "logs": [entry]}}
        moved = ask(
            f'move_item_to_board({board}, group_id: "ignored", item_id: {first}, parent_item_id: {second})'
            " { board { type } parent_item { id name } }",
            "mutation",
        )
        parent = {"id": str(second), "name": sandbox.item(second)["name"]}
        assert moved == {"board": {"type": "sub_items_board"}, "parent_item": parent}
        assert first not in sandbox.item_ids()
        transport.close()


def _asker(transport: Transport) -> Any:
    def ask(field: str, kind: str = "query") -> Any:
        text = f"{kind} Ask {{ found: {field} }}"
        key = field if kind == "mutation" else None
        return msgspec.json.decode(
            transport.execute(Document("Ask", text, Aliases), {}, idempotency_key=key).data["found"]
        )

    return ask
