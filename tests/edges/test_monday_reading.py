"""Reading both boards from the sandbox over real HTTP: what arrives, what it costs, and what a broken answer does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import monday_api
from monday.boards import SchemaMoved
from monday.completeness import Gone, Read
from monday_api import BOARDS, MondayClient
from reconcile.errors import ConfigError, DriftError, SyncError, Unavailable
from reconcile.items import RawItem, decode_item
from sandbox import MASTER_BOARD_ID, STAFF_BOARD_ID, Limits, Sandbox, seed_world

BOARD_IDS = {"master": MASTER_BOARD_ID, "staff": STAFF_BOARD_ID}
TOKEN = "canary-token-77b1"
PROJECTS, STAFF, GROUPS = 620, 20, 3


def client_of(sandbox: Sandbox, **options: Any) -> MondayClient:
    """A client that moves the sandbox's clock when it waits."""
    options = {"sleep": sandbox.advance, "clock": sandbox.clock.now} | options
    return MondayClient(TOKEN, BOARD_IDS, url=sandbox.api_url, **options)


def known(sandbox: Sandbox) -> dict[str, set[int]]:
    return {board: set(sandbox.item_ids(board_id)) for board, board_id in BOARD_IDS.items()}


def asked(sandbox: Sandbox) -> dict[str, int]:
    """Requests by the name of their operation."""
    counted: dict[str, int] = sandbox.counters()["by_operation"]
    return counted


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A master board of two pages."""
    with Sandbox(seed_world(items=PROJECTS, staff=STAFF, groups=GROUPS), token=TOKEN) as sandbox:
        yield sandbox


@pytest.fixture
def small() -> Iterator[Sandbox]:
    """One page a board."""
    with Sandbox(seed_world(items=40, staff=5, groups=GROUPS), token=TOKEN) as sandbox:
        yield sandbox


def newest(read: Read) -> dict[str, dict[int, RawItem]]:
    """Board → id → item, the last one that came."""
    found: dict[str, dict[int, RawItem]] = {board: {} for board in BOARD_IDS}
    for page in read.pages():
        found[page.board].update({item.id: item for item in page.items})
    return found


def watermarks(found: dict[str, dict[int, RawItem]]) -> dict[str, datetime]:
    return {
        board: max(datetime.fromisoformat(item.updated_at) for item in items.values()) for board, items in found.items()
    }


# A full read


@pytest.mark.parametrize("gzip", [False, True])
def test_a_full_read_brings_every_item_once_for_few_requests(gzip: bool) -> None:
    world = seed_world(items=PROJECTS, staff=STAFF, groups=GROUPS)
    with Sandbox(world, token=TOKEN, gzip=gzip) as sandbox, client_of(sandbox) as client:
        read = client.full(client.preflight(), known(sandbox))
        came = [(page.board, item.id) for page in read.pages() for item in page.items]
        assert sorted(came) == sorted((board, item_id) for board, ids in known(sandbox).items() for item_id in ids)
        for board, outcome in read.outcome.items():
            assert (outcome.mode, outcome.complete, outcome.gone) == ("full", True, {})
            assert outcome.seen == outcome.items_count == len(known(sandbox)[board])
        assert client.stats.requests <= -(-PROJECTS // 500) + GROUPS + 3
        assert client.stats.complexity == sandbox.counters()["complexity"]


def test_items_decode_to_what_the_board_holds(sandbox: Sandbox) -> None:
    item_id = sandbox.item_ids()[0]
    sandbox.edit(item_id, {"claim_number__1": "a\ud800b"}, force=True)
    sandbox.rename(item_id, "Half a pair")
    with client_of(sandbox) as client:
        found = newest(client.full(client.preflight()))["master"]
    decoded = decode_item(found[item_id].raw)
    assert decoded.name == "Half a pair"
    assert [cell.text for cell in decoded.column_values if cell.id == "claim_number__1"] == ["a\0b"]
    assert {cell.id for cell in decoded.column_values} == set(BOARDS["master"]) - {"name"}
    assert len(found) == PROJECTS


def test_the_preflight_tells_groups_and_drift(sandbox: Sandbox) -> None:
    sandbox.remove_column(MASTER_BOARD_ID, "numbers0")
    sandbox.archive_column(MASTER_BOARD_ID, "link__1")
    sandbox.retype_column(MASTER_BOARD_ID, "text95__1", "long_text")
    sandbox.retitle_column(MASTER_BOARD_ID, "text01__1", "Another title")
    with client_of(sandbox) as client:
        schemas = client.preflight()
    assert asked(sandbox) == {"Preflight": 1}
    assert sum(group.items or 0 for group in schemas["master"].groups) == schemas["master"].items_count == PROJECTS
    assert [
        (drift.column_id, drift.difference, drift.fatal) for drift in schemas["master"].drift(BOARDS["master"])
    ] == [
        ("text95__1", "retyped", True),
        ("link__1", "missing", True),
        ("text01__1", "retitled", False),
        ("numbers0", "missing", True),
    ]
    assert schemas["staff"].drift(BOARDS["staff"]) == ()


def test_without_group_counts_one_chain_reads_the_board(small: Sandbox) -> None:
    small.fault("too_many_requests", match="aggregate", times=0)
    with client_of(small) as client:
        read = client.full(client.preflight())
        assert {board: len(items) for board, items in newest(read).items()} == {"master": 40, "staff": 5}
    assert asked(small)["FirstPage"] == 2


# Trouble that a read survives


@pytest.mark.parametrize(
    "kind",
    [
        "rate_limited", "rate_limited_date", "complexity_exhausted", "complexity_exhausted_200", "complexity_legacy",
        "complexity_in_text", "minute_limit", "concurrency_limit", "ip_limit", "too_many_requests",
        "field_limit", "locked", "internal_error", "internal_error_200", "bad_gateway", "unavailable",
        "gateway_timeout", "temporarily_blocked", "empty_body", "html_200", "truncated_json", "wrong_content_type",
        "reset_before", "timeout_before", "reset_after", "timeout_after", "reset_mid_body", "short_body",
        "short_content_length", "wrong_version",
    ],
)  # fmt: skip
@pytest.mark.parametrize("match", ["Preflight", "FirstPage", "Recheck"])
def test_one_broken_answer_changes_nothing(small: Sandbox, kind: str, match: str) -> None:
    small.fault(kind, match=match)
    with client_of(small) as client:
        read = client.full(client.preflight(), known(small))
        assert {board: items.keys() for board, items in newest(read).items()} == known(small)
    assert small.counters()["faults"] == 1
    assert all(outcome.complete and not outcome.gone for outcome in read.outcome.values())


def test_an_expired_cursor_begins_that_chain_again(sandbox: Sandbox) -> None:
    sandbox.fault("cursor_expired", match="NextPage", times=2)
    with client_of(sandbox, at_once=1) as client:
        read = client.full(client.preflight())
        came = [item.id for page in read.pages() for item in page.items if page.board == "master"]
    assert len(came) == len(set(came)) == PROJECTS
    assert read.outcome["master"].complete


@pytest.mark.parametrize("kind", ["gateway_timeout", "too_complex", "field_limit"])
def test_pages_shrink_when_too_heavy(sandbox: Sandbox, kind: str) -> None:
    sandbox.fault(kind, match="NextPage", times=2)
    with client_of(sandbox, at_once=1) as client:
        read = client.limited(client.preflight(), PROJECTS)
        assert len(newest(read)["master"]) == PROJECTS
    sizes = [entry["variables"]["limit"] for entry in sandbox.requests() if entry["operation"] == "NextPage"]
    assert sizes == [120, 100, 50, 50, 20]


def test_a_page_that_never_works_is_given_up_at_the_smallest_size(small: Sandbox) -> None:
    small.fault("gateway_timeout", match="Page", times=0)
    with client_of(small) as client:
        read = client.full(client.preflight())
        with pytest.raises(Unavailable):
            newest(read)
    assert min(entry["variables"].get("limit", 500) for entry in small.requests()) == 25
    assert read.outcome == {}


@pytest.mark.parametrize(
    ("kind", "match", "error"),
    [
        ("daily_limit", "FirstPage", Unavailable),
        ("unauthorized", "FirstPage", ConfigError),
        ("ip_restricted", "Preflight", ConfigError),
        ("forbidden", "Preflight", DriftError),
        ("user_unauthorized", "FirstPage", DriftError),
        ("repeated_cursor", "NextPage", DriftError),
        ("endless_pages", "NextPage", DriftError),
        ("cursor_expired", "NextPage", Unavailable),
        ("html_200", "FirstPage", Unavailable),
        ("reset_before", "Recheck", Unavailable),
    ],
)
def test_what_stays_broken_ends_the_read_and_proves_nothing(
    sandbox: Sandbox, kind: str, match: str, error: type[SyncError]
) -> None:
    sandbox.fault(kind, match=match, times=0)
    sandbox.fault("too_many_requests", match="aggregate", times=0)  # no group counts: one chain of two pages
    with client_of(sandbox, at_once=2) as client, pytest.raises(SyncError) as raised:
        newest(client.full(client.preflight(), known(sandbox)))
    assert type(raised.value) is error
    assert TOKEN not in str(raised.value)
    assert len(sandbox.requests()) < 60


def test_a_board_out_of_sight_is_drift_not_emptiness(small: Sandbox) -> None:
    with client_of(small) as client:
        schemas = client.preflight()
        small.set_board(MASTER_BOARD_ID, visible=False)
        with pytest.raises(DriftError, match="master board"):
            client.preflight()
        with pytest.raises(DriftError, match="master board"):
            newest(client.full(schemas, known(small)))
        small.set_board(MASTER_BOARD_ID, visible=True, state="archived")
        with pytest.raises(DriftError, match="is archived"):
            client.preflight()


# The board moves while it is read


def at(event: str, act: Callable[[], object], **wanted: Any) -> Callable[..., None]:
    """A listener that acts once, at the first such event."""
    done = threading.Event()

    def listen(heard: str, /, **facts: Any) -> None:
        if heard == event and not done.is_set() and wanted.items() <= facts.items():
            done.set()
            act()

    return listen


def test_a_column_changed_meanwhile_voids_the_read(small: Sandbox) -> None:
    def retype() -> None:
        small.retype_column(STAFF_BOARD_ID, "text6", "long_text")

    with client_of(small, on_event=at("page", retype)) as client:
        read = client.full(client.preflight())
        with pytest.raises(SchemaMoved):
            newest(read)
        assert read.outcome == {}
        newest(client.full(client.preflight()))


def test_an_item_that_slid_between_pages_is_fetched_by_id(small: Sandbox) -> None:
    before, item_id = known(small), small.item_ids()[0]
    small.archive(item_id)

    with client_of(small, on_event=at("request", lambda: small.restore(item_id), name="Recheck")) as client:
        read = client.full(client.preflight(), before)
        assert newest(read)["master"].keys() == before["master"]
    assert read.outcome["master"].complete
    assert read.outcome["master"].gone == {}


def test_gone_items_say_where_they_went(small: Sandbox) -> None:
    before, [archived, deleted, moved, purged, *_] = known(small), small.item_ids()
    small.archive(archived)
    small.delete(deleted)
    small.move_to_board(moved, STAFF_BOARD_ID)
    small.purge(purged)
    with client_of(small) as client:
        read = client.full(client.preflight(), before)
        newest(read)
    assert read.outcome["master"].complete
    assert read.outcome["master"].gone == {
        archived: Gone.ARCHIVED,
        deleted: Gone.DELETED,
        moved: Gone.MOVED,
        purged: Gone.SILENT,
    }
    assert asked(small)["ItemsById"] == 1


def test_a_count_that_does_not_add_up_is_read_twice_and_then_said(sandbox: Sandbox) -> None:
    sandbox.set_items_count(MASTER_BOARD_ID, PROJECTS + 1)
    with client_of(sandbox) as client:
        read = client.full(client.preflight())
        assert len(newest(read)["master"]) == PROJECTS
    outcome = read.outcome["master"]
    assert not outcome.complete
    assert f"counts {PROJECTS + 1} items on the master board but let {PROJECTS}" in outcome.why
    assert read.outcome["staff"].complete
    assert asked(sandbox)["Recheck"] == 2


def test_a_caller_that_stops_stops_the_chains(sandbox: Sandbox) -> None:
    with client_of(sandbox, at_once=1) as client:
        pages = client.full(client.preflight()).pages()
        next(pages)
        pages.close()  # type: ignore[attr-defined]  # it is a generator
    for thread in threading.enumerate():
        if thread.name == "chain":
            thread.join(5)
    assert not [thread for thread in threading.enumerate() if thread.name == "chain"]
    assert "Recheck" not in asked(sandbox)


# Limits


def test_half_of_the_quota_is_the_most_in_flight() -> None:
    world = seed_world(items=1500, staff=5, groups=10)
    with Sandbox(world, token=TOKEN, limits=Limits(concurrency=6)) as sandbox, client_of(sandbox) as client:
        assert len(newest(client.full(client.preflight()))["master"]) == 1500
        assert client.stats.retries == 0
        assert sandbox.counters()["max_in_flight"] <= 3


def test_the_minutes_points_are_paced_before_they_run_out(sandbox: Sandbox) -> None:
    with client_of(sandbox, at_once=1) as client:
        schemas = client.preflight()
        newest(client.full(schemas))
        page_points = max(entry["points"] for entry in sandbox.requests())
        sandbox.advance(120)
        sandbox.set_limits(complexity_minute=int(page_points * 1.5))
        assert len(newest(client.full(schemas))["master"]) == PROJECTS
        assert client.stats.retries == 0
        assert client.stats.waited_s > 30


# An incremental read


@pytest.fixture
def synced(sandbox: Sandbox) -> tuple[Sandbox, dict[str, datetime], dict[str, set[int]]]:
    """A board that was read in full; then a day passes."""
    with client_of(sandbox) as client:
        marks = watermarks(newest(client.full(client.preflight())))
    sandbox.advance(86_400)
    sandbox.reset_counters()
    return sandbox, marks, known(sandbox)


Synced = tuple[Sandbox, dict[str, datetime], dict[str, set[int]]]


def test_nothing_changed_is_one_request(synced: Synced) -> None:
    sandbox, marks, before = synced
    with client_of(sandbox) as client:
        read = client.changed(marks, before)
        assert list(read.pages()) == [] or all(page.items for page in read.pages())
        assert read.schemas["master"].items_count == PROJECTS
        assert read.schemas["master"].account_id
    assert all(outcome.complete and outcome.mode == "incremental" for outcome in read.outcome.values())
    assert asked(sandbox) == {"Changed": 1}


@pytest.mark.parametrize(("count", "requests"), [(1, 1), (90, 1), (101, 2), (550, 2)])
def test_changes_cost_a_request_for_each_page_of_them(synced: Synced, count: int, requests: int) -> None:
    sandbox, marks, before = synced
    changed = sandbox.item_ids()[:count]
    for item_id in changed:
        sandbox.rename(item_id, "Changed")
    with client_of(sandbox) as client:
        read = client.changed(marks, before)
        found = newest(read)["master"]
        assert set(changed) <= found.keys()
        assert client.stats.requests == requests <= 2 + -(-count // 500)
    assert all(outcome.complete for outcome in read.outcome.values())


def test_a_new_item_adds_up_and_a_lost_one_does_not(synced: Synced) -> None:
    sandbox, marks, before = synced
    created = sandbox.create(MASTER_BOARD_ID, "New")
    with client_of(sandbox) as client:
        read = client.changed(marks, before)
        assert created in newest(read)["master"]
        assert read.outcome["master"].complete
        sandbox.archive(sandbox.item_ids()[0])
        read = client.changed(marks, before)
        newest(read)
        assert not read.outcome["master"].complete
        assert read.outcome["staff"].complete
        assert (
            f"counts {PROJECTS} items on the master board, and {PROJECTS + 1} are known" in read.outcome["master"].why
        )


def test_extra_ids_come_whether_they_changed_or_not(synced: Synced) -> None:
    sandbox, marks, before = synced
    wanted = sandbox.item_ids()[:150]
    sandbox.archive(wanted[0])
    with client_of(sandbox) as client:
        read = client.changed(marks, before, {"master": wanted})
        found = newest(read)["master"]
    assert set(wanted[1:]) <= found.keys()
    assert read.outcome["master"].gone == {wanted[0]: Gone.ARCHIVED}
    assert read.outcome["master"].complete
    assert asked(sandbox) == {"Changed": 1, "ItemsById": 1}


@pytest.mark.parametrize("kind", ["gateway_timeout", "too_complex", "too_many_requests", "truncated_json"])
def test_a_broken_answer_about_changes_is_asked_for_again(synced: Synced, kind: str) -> None:
    sandbox, marks, before = synced
    sandbox.fault(kind, match="Changed")
    with client_of(sandbox) as client:
        read = client.changed(marks, before)
        newest(read)
    assert all(outcome.complete for outcome in read.outcome.values())


def test_a_watermark_in_another_zone_means_the_same_instant(synced: Synced) -> None:
    sandbox, marks, before = synced
    item_id = sandbox.item_ids()[0]
    sandbox.rename(item_id, "Changed")
    far = datetime.now(UTC).astimezone().tzinfo
    with client_of(sandbox) as client:
        read = client.changed({board: mark.astimezone(far) for board, mark in marks.items()}, before)
        assert item_id in newest(read)["master"]


# Parts of a board


@pytest.mark.parametrize(("limit", "requests"), [(1, 2), (7, 2), (500, 2), (501, 3), (5000, 3)])
def test_a_limit_is_what_is_fetched(sandbox: Sandbox, limit: int, requests: int) -> None:
    with client_of(sandbox) as client:
        schemas = client.preflight()
        sandbox.reset_counters()
        read = client.limited(schemas, limit)
        found = newest(read)
    assert {board: len(items) for board, items in found.items()} == {
        "master": min(limit, PROJECTS),
        "staff": min(limit, STAFF),
    }
    assert sandbox.counters()["items"] == sum(map(len, found.values()))
    assert sandbox.counters()["requests"] == requests
    assert not any(outcome.complete or outcome.gone for outcome in read.outcome.values())


def test_items_by_id_come_five_hundred_a_request(sandbox: Sandbox) -> None:
    ids = sorted(sandbox.item_ids())[:600]
    sandbox.fault("gateway_timeout", match="ItemsById")
    with client_of(sandbox) as client:
        answers = list(client.items_by_id("master", [*ids, ids[0], 1]))
    assert sorted(item.id for answer in answers for item in answer.alive) == ids
    assert {item_id: gone for answer in answers for item_id, gone in answer.gone.items()} == {1: Gone.SILENT}
    assert asked(sandbox) == {"ItemsById": 4}


def test_one_board_alone(small: Sandbox) -> None:
    with MondayClient(TOKEN, {"staff": STAFF_BOARD_ID}, url=small.api_url) as client:
        read = client.full(client.preflight())
        assert sum(len(page.items) for page in read.pages()) == 5
        assert set(read.outcome) == {"staff"}
        again = client.changed({"staff": datetime.fromisoformat(small.now()) - timedelta(days=1)}, known(small))
        list(again.pages())
        assert again.outcome["staff"].complete


# The connection test


@pytest.mark.parametrize(("token", "code"), [(TOKEN, 0), ("another-token-8c2e", 2)])
def test_the_connection_test_says_what_it_found(
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    token: str,
    code: int,
) -> None:
    monkeypatch.setenv("MONDAY_API_KEY", token)
    monkeypatch.setenv("MONDAY_API_URL", sandbox.api_url)
    monkeypatch.setenv("MONDAY_BOARD_ID_DATA", str(MASTER_BOARD_ID))
    monkeypatch.setenv("MONDAY_BOARD_ID_USERS", str(STAFF_BOARD_ID))
    assert monday_api.main() == code
    out, err = capsys.readouterr()
    assert token not in out + err
    if code == 0:
        assert f"{PROJECTS:,} items, all mapped columns there" in out
        assert "calls a day" in out
    else:
        assert "refused the token" in err
