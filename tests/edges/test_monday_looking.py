"""Looking at the boards before and after a write, against the sandbox over real HTTP."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import responses
from graphql import build_schema, parse, validate
from msgspec import UNSET

from monday import current, queries
from monday.activity import logged_at, logged_writes
from monday.completeness import Gone
from monday.current import CurrentBoards, CurrentReader
from monday.labels import by_text, spelled
from monday.responses import Document, LogEntry
from monday.transport import Transport
from monday_api import BOARDS
from reconcile.errors import DriftError, SyncError, Unavailable
from reconcile.items import Cell, decode_item
from sandbox import MASTER_BOARD_ID, STAFF_BOARD_ID, Sandbox, seed_world
from sandbox.world import API_USER, HUMAN

BOARD_IDS = {"master": MASTER_BOARD_ID, "staff": STAFF_BOARD_ID}
TOKEN = "canary-token-3c90"
SDL = Path(__file__).parents[3] / "shared" / "monday" / "schema.graphql"
ME = str(API_USER)
MARKER = "claim_number__1"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed_world(items=40, staff=5, groups=3), token=TOKEN) as sandbox:
        yield sandbox


@pytest.fixture
def large() -> Iterator[Sandbox]:
    with Sandbox(seed_world(items=620, staff=30, groups=3), token=TOKEN) as sandbox:
        yield sandbox


def transport_to(sandbox: Sandbox, **options: Any) -> Transport:
    """A transport that moves the sandbox's clock when it waits."""
    return Transport(TOKEN, url=sandbox.api_url, sleep=sandbox.advance, clock=sandbox.clock.now, **options)


def looker(sandbox: Sandbox, **options: Any) -> CurrentReader:
    return CurrentReader(transport_to(sandbox, **options), BOARD_IDS, BOARDS)


def asked(sandbox: Sandbox) -> dict[str, int]:
    counted: dict[str, int] = sandbox.counters()["by_operation"]
    return counted


def ids_asked(sandbox: Sandbox) -> list[list[int]]:
    """The ids of each request, root by root."""
    return [
        [len(ids) for name, ids in sorted(entry["variables"].items()) if name.startswith("ids")]
        for entry in sandbox.requests()
    ]


def create(sandbox: Sandbox, name: str, user: int = API_USER) -> int:
    board = sandbox.world.boards[MASTER_BOARD_ID]
    with sandbox.world.lock:
        return sandbox.world.create_item(board, board.first_group, name, {}, user).id


def now(sandbox: Sandbox) -> datetime:
    return datetime.fromisoformat(sandbox.now())


def test_every_document_is_valid_for_monday() -> None:
    if not SDL.exists():
        pytest.skip("monday's own schema is not beside this project")
    schema = build_schema(SDL.read_text(encoding="utf-8"), assume_valid=True)
    columns = list(BOARDS.values())
    documents: list[Document[Any]] = [
        queries.by_values(1),
        queries.by_values(5),
        queries.ACTIVITY,
        current.CREATE_COLUMN,
        *(queries.look(columns, roots, boards=True) for roots in ([], [0], [0, 0, 1], [1])),
        queries.look(columns, [0, 1], boards=False),
    ]
    for column_ids in ((), ("text1",)):
        made = queries.created_queries("master", 1, column_ids)
        documents += [made.first_page, made.next_page, *made.by_id]
    for document in documents:
        assert validate(schema, parse(document.text)) == [], document.name


# The items that are about to be written


def test_boards_and_items_come_in_one_request(large: Sandbox) -> None:
    wanted = {"staff": large.item_ids(STAFF_BOARD_ID)[:30], "master": large.item_ids()[:470]}
    shown = looker(large).look(wanted)
    assert shown.items.keys() == {(board, item_id) for board, ids in wanted.items() for item_id in ids}
    assert shown.gone == {}
    assert shown.user_id == ME
    assert shown.schemas["master"].groups[0].id == "new_lead"
    assert {name: schema.items_count for name, schema in shown.schemas.items()} == {"master": 620, "staff": 30}
    assert asked(large) == {"Look": 1}
    assert ids_asked(large) == [[100, 100, 100, 100, 70, 30]]


def test_a_look_without_ids_shows_the_boards(sandbox: Sandbox) -> None:
    nothings: list[dict[str, list[int]]] = [{}, {"master": []}]
    for nothing in nothings:
        shown = looker(sandbox).look(nothing)
        assert shown.schemas["staff"].drift(BOARDS["staff"]) == ()
        assert (shown.items, shown.gone) == ({}, {})
    assert asked(sandbox) == {"Look": 2}


def test_a_cell_comes_with_what_a_write_puts_back(sandbox: Sandbox) -> None:
    item = sandbox.item_ids()[0]
    sandbox.edit(
        item,
        {
            "email4__1": {"email": "ann@x.co", "text": "Ann"},
            "phone_1__1": {"phone": "2025550172", "countryShortName": "CA"},
            "link__1": {"url": "https://x.co/1", "text": "Job"},
        },
    )
    shown = looker(sandbox).look({"master": [item]})
    cells = {cell.id: cell for cell in decode_item(shown.items["master", item].raw).column_values}
    assert cells.keys() == BOARDS["master"].keys() - {"name"}
    assert cells["email4__1"] == Cell("email4__1", email="ann@x.co", label="Ann")
    assert cells["phone_1__1"] == Cell("phone_1__1", phone="2025550172", country_short_name="CA")
    assert cells["link__1"] == Cell("link__1", url="https://x.co/1", url_text="Job")


def test_what_is_no_active_item_of_the_board_is_gone(sandbox: Sandbox) -> None:
    alive, archived, deleted, moved, purged, *_ = sandbox.item_ids()
    sandbox.archive(archived)
    sandbox.delete(deleted)
    sandbox.move_to_board(moved, STAFF_BOARD_ID)
    sandbox.purge(purged)
    shown = looker(sandbox).look({"master": [alive, archived, deleted, moved, purged], "staff": [alive, moved]})
    assert shown.items.keys() == {("master", alive), ("staff", moved)}
    assert shown.gone == {
        ("master", archived): Gone.ARCHIVED,
        ("master", deleted): Gone.DELETED,
        ("master", moved): Gone.MOVED,
        ("master", purged): Gone.SILENT,
        ("staff", alive): Gone.MOVED,
    }


def test_equal_input_gives_equal_requests_whatever_its_order(large: Sandbox) -> None:
    master, staff = large.item_ids(), large.item_ids(STAFF_BOARD_ID)
    shown = looker(large).look({"master": master, "staff": staff})
    again = looker(large).look({"staff": staff[::-1] * 2, "master": set(master)})
    assert shown == again
    first, second, *rest = large.requests()
    assert [entry["variables"] for entry in rest] == [first["variables"], second["variables"]]
    assert ids_asked(large)[:2] == [[100] * 5, [100, 20, 30]]
    assert "boards" not in second["variables"]


@pytest.mark.parametrize("kind", ["too_complex", "gateway_timeout"])
def test_a_look_that_is_too_heavy_asks_for_fewer_items(large: Sandbox, kind: str) -> None:
    large.fault(kind, match="Look", times=2)
    wanted = large.item_ids()[:180]
    shown = looker(large).look({"master": wanted})
    assert shown.items.keys() == {("master", item_id) for item_id in wanted}
    assert ids_asked(large) == [[100, 80], [100], [50], [50], [50], [30]]
    assert [("boards" in entry["variables"]) for entry in large.requests()] == [True, True, True, False, False, False]


def test_a_look_that_never_works_is_given_up(sandbox: Sandbox) -> None:
    sandbox.fault("gateway_timeout", match="Look", times=0)
    with pytest.raises(Unavailable):
        looker(sandbox).look({"master": sandbox.item_ids()})
    assert ids_asked(sandbox)[-1] == [25]
    assert len(sandbox.requests()) == 6


@pytest.mark.parametrize("kind", ["too_many_requests", "truncated_json", "reset_mid_body", "minute_limit"])
def test_one_broken_answer_changes_nothing(sandbox: Sandbox, kind: str) -> None:
    wanted = {"master": sandbox.item_ids(), "staff": sandbox.item_ids(STAFF_BOARD_ID)}
    whole: CurrentBoards = looker(sandbox).look(wanted)
    sandbox.fault(kind, match="Look")
    assert looker(sandbox).look(wanted) == whole


def test_a_board_out_of_sight_or_archived_is_drift(sandbox: Sandbox) -> None:
    sandbox.set_board(STAFF_BOARD_ID, visible=False)
    with pytest.raises(DriftError, match="staff board"):
        looker(sandbox).look({"master": sandbox.item_ids()})
    sandbox.set_board(STAFF_BOARD_ID, visible=True, state="archived")
    with pytest.raises(DriftError, match="is archived"):
        looker(sandbox).look({})


def test_an_answer_without_what_was_asked_is_no_answer() -> None:
    url = "http://127.0.0.1:9/v2"
    with responses.RequestsMock() as http:
        http.post(url, json={"data": {"boards": []}})
        with pytest.raises(Unavailable, match="left me out"):
            CurrentReader(Transport(TOKEN, url=url), BOARD_IDS, BOARDS).look({})


# Labels


def test_the_labels_of_mapped_status_columns(sandbox: Sandbox) -> None:
    column_id = "job_division___1__1"
    sandbox.rename_label(MASTER_BOARD_ID, column_id, "Storm Team", " Storm TEAM ")
    sandbox.deactivate_label(MASTER_BOARD_ID, column_id, "Retail")
    shown = looker(sandbox).look({})
    assert {board: list(columns) for board, columns in shown.labels.items()} == {
        "master": [column_id],
        "staff": ["status_13"],
    }
    assert shown.labels["master"][column_id]["Storm TEAM"] == 1
    assert shown.spelled["master"][column_id][1] == " Storm TEAM "
    assert "Retail" in shown.labels["staff"]["status_13"]
    assert "Retail" not in shown.labels["master"][column_id]
    assert len(shown.labels["master"][column_id]) == 7


def test_a_status_column_that_is_gone_has_no_labels(sandbox: Sandbox) -> None:
    sandbox.remove_column(STAFF_BOARD_ID, "status_13")
    shown = looker(sandbox).look({})
    assert shown.labels["staff"] == {"status_13": {}}
    assert [drift.column_id for drift in shown.schemas["staff"].drift(BOARDS["staff"])] == ["status_13"]


@pytest.mark.parametrize(
    ("settings", "labels"),
    [
        ({"labels": [{"id": 1, "label": "Done", "index": 7}, {"id": 0, "label": "Stuck"}]}, {1: "Done", 0: "Stuck"}),
        ({"labels": [{"id": 1, "label": "Done", "is_deactivated": True}, {"id": 2, "label": "X"}]}, {2: "X"}),
        ({"labels": [{"id": 5, "label": ""}, {"id": 6, "label": None}, {"id": None, "label": "x"}, "y"]}, {}),
        ({"labels": {"1": "Done", "5": "", "14": "2023"}, "labels_colors": {}}, {1: "Done", 14: "2023"}),
        ('{"labels": {"1": "Done"}}', {1: "Done"}),
        ('{"labels": [{"id": "3", "label": "Done"}]}', {3: "Done"}),
        ("no json", {}),
        ("[]", {}),
        (None, {}),
        ({}, {}),
        ({"labels": 1}, {}),
    ],
)
def test_settings_of_every_version(settings: Any, labels: dict[int, str]) -> None:
    assert spelled(settings) == labels


def test_of_labels_alike_the_first_counts() -> None:
    assert by_text({3: "Done", 1: " Done", 4: "DONE", 2: "Straße"}) == {"Done": 3, "DONE": 4, "Straße": 2}


# Plain rows


def test_items_come_as_a_sync_reads_them(large: Sandbox) -> None:
    ids = sorted(large.item_ids())[:600]
    large.fault("gateway_timeout", match="ItemsById")
    answers = list(looker(large).items("master", [*ids, 1]))
    assert sorted(item.id for answer in answers for item in answer.alive) == ids
    assert {item_id: gone for answer in answers for item_id, gone in answer.gone.items()} == {1: Gone.SILENT}
    assert asked(large) == {"ItemsById": 4}


def test_few_items_that_are_too_heavy_end_in_an_error(sandbox: Sandbox) -> None:
    sandbox.fault("gateway_timeout", match="ItemsById", times=0)
    with pytest.raises(Unavailable):
        list(looker(sandbox).items("master", sandbox.item_ids()[:30]))
    assert ids_asked(sandbox) == [[30]] + [[25]] * 5


def test_no_items_are_no_request(sandbox: Sandbox) -> None:
    assert list(looker(sandbox).items("master", [])) == []
    assert sandbox.requests() == []


# By marker


def test_items_are_found_by_their_marker(sandbox: Sandbox) -> None:
    one, two, other, shouted, archived, *_ = sandbox.item_ids()
    for item_id, text in ((one, "m-1"), (two, "m-1"), (other, "m-2"), (shouted, "M-3"), (archived, "m-4")):
        sandbox.edit(item_id, {MARKER: text})
    sandbox.archive(archived)
    created = create(sandbox, "Ours")
    sandbox.edit(created, {MARKER: "m-5"})
    found = looker(sandbox).by_marker("master", MARKER, ["m-5", "m-2", "m-1", "m-3", "m-4", "m-1"])
    assert {value: [item.id for item in items] for value, items in found.items()} == {
        "m-1": [one, two],
        "m-2": [other],
        "m-3": [],
        "m-4": [],
        "m-5": [created],
    }
    item = decode_item(found["m-5"][0].raw)
    assert (item.name, item.created_at) == ("Ours", sandbox.item(created)["created_at"])
    assert f'"creator_id":"{ME}"'.encode() in found["m-5"][0].raw
    assert asked(sandbox) == {"ByValues": 1}


def test_many_markers_are_five_hundred_a_request(large: Sandbox) -> None:
    ids = large.item_ids()[:550]
    for item_id in ids:
        large.edit(item_id, {MARKER: f"m-{item_id}"})
    found = looker(large).by_marker("master", MARKER, [f"m-{item_id}" for item_id in ids])
    assert {value: [item.id for item in items] for value, items in found.items()} == {f"m-{i}": [i] for i in ids}
    assert asked(large) == {"ByValues": 2}


def test_a_marker_on_more_items_than_a_page_holds(large: Sandbox) -> None:
    for item_id in large.item_ids():
        large.edit(item_id, {MARKER: "same"})
    large.fault("cursor_expired", match="NextPage")
    found = looker(large).by_marker("master", MARKER, ["same"])["same"]
    assert sorted(item.id for item in found) == sorted(large.item_ids())


def test_no_markers_are_no_request_and_an_unknown_column_is_drift(sandbox: Sandbox) -> None:
    assert looker(sandbox).by_marker("master", MARKER, []) == {}
    assert sandbox.requests() == []
    with pytest.raises(DriftError):
        looker(sandbox).by_marker("master", "no_such_column", ["m-1"])


# By creator and time


def test_only_what_we_created_since_then_may_be_ours(sandbox: Sandbox) -> None:
    """Whatever it is called: somebody may have renamed it since."""
    sandbox.freeze("2026-11-24T09:59:59Z")
    create(sandbox, "Smith")
    sandbox.freeze("2026-11-24T10:00:00.9Z")
    ours, twin = create(sandbox, "Smith"), create(sandbox, " Smith ")
    sandbox.advance(60)
    late = create(sandbox, "Smith")
    create(sandbox, "Smith", HUMAN)
    other = create(sandbox, "Lee")
    sandbox.archive(create(sandbox, "Smith"))
    since = datetime(2026, 11, 24, 10, 0, 0, 500_000, tzinfo=UTC)
    for asked_since in (since, since.astimezone()):
        found = looker(sandbox).made_since("master", ME, asked_since)
        assert [candidate.id for candidate in found] == [ours, twin, late, other]
    assert found[0].created_at == since.replace(microsecond=0)
    assert (found[0].creator_id, found[0].name) == (ME, "Smith")


def test_new_items_are_read_back_to_that_time_only(large: Sandbox) -> None:
    large.advance(3600)
    since = now(large)
    ours = [create(large, "Smith") for _ in range(3)]
    assert [candidate.id for candidate in looker(large).made_since("master", ME, since)] == ours
    assert asked(large) == {"FirstPage": 1}
    assert len(looker(large).made_since("master", str(HUMAN), since - timedelta(days=3650))) == 620


# What the log says of our writes


def write(sandbox: Sandbox, item_id: int, text: str, user: int = API_USER) -> None:
    with sandbox.world.lock:
        item = sandbox.world.items[item_id]
        board = sandbox.world.boards[item.board_id]
        cells = sandbox._read(board, {MARKER: text}, False)
        sandbox.world.write(item, cells, user=user)


def test_our_write_tells_what_it_overwrote(sandbox: Sandbox) -> None:
    item, other, *_ = sandbox.item_ids()
    sandbox.clear(item, MARKER)
    sandbox.freeze("2026-11-24T10:00:00.25Z")
    write(sandbox, item, "before our time")
    sandbox.advance(10)
    since = now(sandbox)
    write(sandbox, item, "a person's", HUMAN)
    sandbox.advance(1)
    write(sandbox, item, "ours")
    sandbox.clear(other, MARKER)
    write(sandbox, other, "ours")
    with sandbox.world.lock:
        sandbox.world.write(sandbox.world.items[other], {}, "Another name", API_USER)
    found = looker(sandbox).writes("master", [other, item], since, ME)
    assert [(entry.item_id, entry.column_id, entry.at) for entry in found] == [
        (item, MARKER, datetime(2026, 11, 24, 10, 0, 11, 250_000, tzinfo=UTC)),
        (other, MARKER, datetime(2026, 11, 24, 10, 0, 11, 250_000, tzinfo=UTC)),
        (other, "name", datetime(2026, 11, 24, 10, 0, 11, 250_000, tzinfo=UTC)),
    ]
    assert [entry.previous for entry in found][:2] == [{"value": "a person's"}, None]
    assert looker(sandbox).writes("master", [sandbox.item_ids()[5]], since, ME) == []
    assert looker(sandbox).writes("master", [], since, ME) == []


def test_the_log_is_read_to_its_end(large: Sandbox) -> None:
    since = now(large)
    ids = large.item_ids()[:110]
    for round_ in range(10):
        for item_id in ids:
            write(large, item_id, str(round_))
    found = looker(large).writes("master", ids, since, ME)
    assert len(found) == 1100
    assert [entry.at for entry in found] == sorted(entry.at for entry in found)
    assert asked(large) == {"Activity": 2}, "1,000 entries fill a page; who wrote is asked for, not what"


def test_a_log_too_long_is_cut_and_said(large: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    since, item = now(large), large.item_ids()[0]
    for _ in range(10_001):
        write(large, item, "x")
    assert len(looker(large).writes("master", [item], since, ME)) == 10_000
    assert "activity log cut" in caplog.text


@pytest.mark.parametrize("kind", ["user_unauthorized", "forbidden"])
def test_a_log_that_may_not_be_read_is_an_error(large: Sandbox, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    large.fault(kind, match="Activity", times=0)
    with caplog.at_level(logging.WARNING, "monday.current"), pytest.raises(SyncError):
        looker(large).writes("master", large.item_ids()[:150], now(large), ME)
    assert [record.name for record in caplog.records].count("monday.current") == 1


def test_the_log_of_a_board_out_of_sight(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    sandbox.set_board(MASTER_BOARD_ID, visible=False)
    with pytest.raises(SyncError):
        looker(sandbox).writes("master", [1], now(sandbox), ME)
    assert "no activity log" in caplog.text


@pytest.mark.parametrize("kind", ["internal_error", "gateway_timeout", "daily_limit", "reset_before"])
def test_a_log_that_fails_otherwise_is_an_error(sandbox: Sandbox, kind: str) -> None:
    sandbox.fault(kind, match="Activity", times=0)
    with pytest.raises(Unavailable):
        looker(sandbox).writes("master", [1], now(sandbox), ME)


CHANGE = '{"pulse_id": 7, "column_id": "c", "previous_value": {"value": "a"}}'


@pytest.mark.parametrize(
    ("event", "created_at", "data", "found"),
    [
        ("update_column_value", "17955144005000000", CHANGE, [(7, "c", {"value": "a"})]),
        ("update_column_value", "17955144005000000", CHANGE.replace('{"value": "a"}', "null"), [(7, "c", None)]),
        ("update_column_value", "17955144005000000", CHANGE.replace('{"value": "a"}', '""'), [(7, "c", None)]),
        ("update_column_value", "17955144005000000", CHANGE.replace('{"value": "a"}', "0"), [(7, "c", 0)]),
        ("update_column_value", "17955144005000000", CHANGE.replace("a", r"\ud800", 1), [(7, "c", UNSET)]),
        ("update_column_value", "17955144005000000", CHANGE.replace('"a"', r'"\ud800"'), [(7, "c", {"value": "\0"})]),
        ("update_column_value", "17955144005000000", CHANGE.replace("7", '"7"'), [(7, "c", {"value": "a"})]),
        ("update_column_value", "17955144005000000", '{"pulse_id": 7, "column_id": "c"}', [(7, "c", UNSET)]),
        ("update_column_value", "17955144005000000", '{"column_id": "c", "previous_value": 1}', []),
        ("update_column_value", "17955144005000000", "[1]", []),
        ("update_column_value", "17955144005000000", "{", []),
        ("update_column_value", "17955144005000000", "[" * 100_000, []),
        ("update_column_value", "17955144005000000", None, []),
        ("update_column_value", "not a time", CHANGE, []),
        ("update_column_value", "9" * 40, CHANGE, []),
        ("create_pulse", "17955144005000000", CHANGE, []),
        ("update_name", "17955144005000000", '{"pulse_id": 7, "previous_value": "A"}', [(7, "name", "A")]),
        (
            "batch_change_pulses_column_value",
            "17955144005000000",
            '{"pulse_ids": [7, 8, "x"], "column_id": "c", "previous_value": "a"}',
            [(7, "c", "a"), (8, "c", "a")],
        ),
        ("batch_change_pulses_column_value", "17955144005000000", '{"pulse_ids": 7, "column_id": "c"}', []),
    ],
)  # fmt: skip
def test_a_log_entry_of_any_shape(event: str, created_at: str, data: Any, found: list[tuple[Any, ...]]) -> None:
    entries = list(logged_writes(LogEntry(event, created_at, ME, data)))
    assert [(entry.item_id, entry.column_id, entry.previous) for entry in entries] == found


def test_the_time_of_an_entry_keeps_its_last_digits() -> None:
    assert logged_at("17912906296483254") == datetime(2026, 10, 6, 12, 43, 49, 648_325, tzinfo=UTC)


# The column of our marker


def test_the_marker_column_is_created_once(sandbox: Sandbox) -> None:
    writing = looker(sandbox, mutations=True)
    assert writing.create_marker("master", "sync_id", "Sync ID") is True
    assert writing.create_marker("master", "sync_id", "Sync ID") is False
    assert looker(sandbox).create_marker("master", "sync_id", "Another title") is False
    shown = writing.look({})
    column = shown.schemas["master"].columns["sync_id"]
    assert (column.title, column.type) == ("Sync ID", "text")
    assert sandbox.counters()["mutations"] == 1


@pytest.mark.parametrize("kind", ["reset_after", "internal_error"])
def test_a_marker_column_of_which_no_answer_came(sandbox: Sandbox, kind: str) -> None:
    sandbox.fault(kind, match="create_column", effect=True)
    assert looker(sandbox, mutations=True).create_marker("staff", "sync_id", "Sync ID") is True
    assert "sync_id" in looker(sandbox).look({}).schemas["staff"].columns


def test_a_marker_column_that_never_answers_is_looked_for(sandbox: Sandbox) -> None:
    sandbox.fault("reset_after", match="create_column", times=0)
    assert looker(sandbox, mutations=True).create_marker("staff", "sync_id", "Sync ID") is True
    sandbox.clear_faults()
    sandbox.fault("timeout_before", match="create_column", times=0)
    with pytest.raises(Unavailable):
        looker(sandbox, mutations=True).create_marker("master", "sync_id", "Sync ID")


def test_a_marker_column_that_cannot_be(sandbox: Sandbox) -> None:
    with pytest.raises(SyncError, match="read-only client"):
        looker(sandbox).create_marker("master", "sync_id", "Sync ID")
    with pytest.raises(DriftError, match="of type numbers"):
        looker(sandbox, mutations=True).create_marker("master", "numbers0", "Sync ID")
    sandbox.add_column(MASTER_BOARD_ID, "old_id", "Sync ID", "text")
    sandbox.archive_column(MASTER_BOARD_ID, "old_id")
    with pytest.raises(DriftError, match="does not know a board, column"):
        looker(sandbox, mutations=True).create_marker("master", "old_id", "Sync ID")
    sandbox.fault("user_unauthorized", match="create_column", times=0)
    with pytest.raises(DriftError, match="no right"):
        looker(sandbox, mutations=True).create_marker("master", "sync_id", "Sync ID")
    assert "sync_id" not in looker(sandbox).look({}).schemas["master"].columns


def test_a_marker_column_that_monday_names_otherwise() -> None:
    url = "http://127.0.0.1:9/v2"
    board = {"id": "1", "name": "B", "state": "active", "items_count": 0}
    board |= {"columns": [{"id": "name", "title": "Name", "type": "name"}]}
    with responses.RequestsMock() as http:
        http.post(url, json={"data": {"boards": [board]}})
        http.post(url, json={"data": {"create_column": {"id": "sync_id_1"}}})
        looking_at = CurrentReader(Transport(TOKEN, url=url, mutations=True), {"master": 1}, BOARDS)
        with pytest.raises(DriftError, match="not as sync_id"):
            looking_at.create_marker("master", "sync_id", "Sync ID")
