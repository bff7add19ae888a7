"""The cache: what is written comes back byte for byte, and nothing else is ever taken for a cache."""

from __future__ import annotations

import errno
import json
import logging
import os
import resource
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_cache import (
    FORMAT,
    KEPT,
    MAX_AGE,
    CachedBoard,
    CacheWriter,
    Header,
    Mode,
    list_caches,
    newest_cache,
    open_cache,
)
from reconcile.errors import ConfigError
from reconcile.items import RawItem, raw_item

BOARD_ID = 77


def make_header(fetched_at: datetime | None = None, board: str = "master", mode: Mode = "full") -> Header:
    return Header(
        format=FORMAT,
        board=board,
        board_id=BOARD_ID,
        account_id="12",
        fetched_at=fetched_at or datetime.now(UTC),
        query_hash="abc",
        mode=mode,
        api_version="2026-10",
    )


def make_item(number: int, text: str = "x") -> RawItem:
    fields = {"id": str(number), "name": text, "updated_at": "2026-11-01T10:00:00Z", "column_values": []}
    return raw_item(json.dumps(fields).encode())


def write_cache(
    folder: Path, items: list[RawItem], *, head: Header | None = None, run_id: str = "run", complete: bool = True
) -> Path:
    writer = CacheWriter(folder, head or make_header(), run_id)
    writer.add(items)
    path = writer.finish(complete=complete, items_count=len(items))
    assert path is not None
    return path


def read_all(cached: CachedBoard) -> list[RawItem]:
    return [item for page in cached.pages() for item in page]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.mark.parametrize(("count", "pages"), [(0, []), (1, [1]), (500, [500]), (1203, [500, 500, 203])])
def test_what_was_read_comes_back_in_pages(folder: Path, count: int, pages: list[int]) -> None:
    items = [make_item(number, "naïve — ✓") for number in range(1, count + 1)]
    head = make_header()
    cached = open_cache(write_cache(folder, items, head=head), board_id=BOARD_ID)
    assert [len(page) for page in cached.pages()] == pages
    assert read_all(cached) == items
    assert cached.header == head
    assert cached.complete
    assert cached.trailer.items_count == count


def test_items_with_line_breaks_between_tokens_stay_one_line_each(folder: Path) -> None:
    pretty = raw_item(
        json.dumps({"id": "5", "name": "a\nb", "updated_at": "x", "column_values": []}, indent=1).encode()
    )
    (again,) = read_all(open_cache(write_cache(folder, [pretty]), board_id=BOARD_ID))
    assert json.loads(again.raw) == json.loads(pretty.raw)
    assert (again.id, again.updated_at) == (5, "x")


def test_only_the_owner_may_look(folder: Path) -> None:
    old_mask = os.umask(0)
    try:
        path = write_cache(folder, [make_item(1)])
    finally:
        os.umask(old_mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_nothing_appears_before_the_end_and_an_abandoned_read_leaves_nothing(folder: Path) -> None:
    with CacheWriter(folder, make_header(), "run") as writer:
        writer.add([make_item(1)])
        assert list_caches(folder) == []
        with pytest.raises(ConfigError, match="no cache of the master board"):
            newest_cache(folder, "master")
    assert list(folder.iterdir()) == []
    assert writer.finish(complete=True, items_count=1) is None


def test_a_full_disk_costs_the_cache_and_not_the_run(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    kept = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, kept[1]))  # what a full disk looks like: OSError in write
    try:
        with caplog.at_level(logging.WARNING):
            writer = CacheWriter(folder, make_header(), "run")
            for number in range(1, 100):
                writer.add([make_item(number, "x" * 5000)])
            assert writer.finish(complete=True, items_count=99) is None
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, kept)
    assert list(folder.iterdir()) == []
    assert [record.message.split(" file=")[0] for record in caplog.records] == ["cache given up"]


def test_a_folder_that_cannot_be_made_costs_the_cache_and_not_the_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    writer = CacheWriter(tmp_path / "file", make_header(), "run")
    writer.add([make_item(1)])
    assert writer.finish(complete=True, items_count=1) is None
    assert os.strerror(errno.EEXIST) in caplog.text


@pytest.mark.parametrize(
    ("board", "run_id"), [("../x", "run"), ("master", "../run"), ("master", "a b"), ("Mas-ter", "r")]
)
def test_a_name_cannot_leave_the_folder(folder: Path, board: str, run_id: str) -> None:
    with pytest.raises(ValueError, match="named in letters"):
        CacheWriter(folder, make_header(board=board), run_id)


def chmod_group(path: Path) -> None:
    path.chmod(0o640)


def chmod_world(path: Path) -> None:
    path.chmod(0o604)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def cut_items(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:-2], lines[-1]]))


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"name":', b'"nome":', 1).replace(b'"name": ', b'"nome": ', 1))


def claim_complete(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"complete":false', b'"complete":true'))


def other_format(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'{"format":1', b'{"format":9', 1))


def link(path: Path) -> None:
    target = path.rename(path.with_name("elsewhere"))
    path.symlink_to(target)


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def missing(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (chmod_group, "chmod 600"),
        (chmod_world, "chmod 600"),
        (cut, "cut short"),
        (cut_items, "checksum"),
        (empty, "cut short"),
        (flip, "checksum"),
        (claim_complete, "checksum"),
        (other_format, "format 9, this program reads 1"),
        (link, "symbolic link"),
        (pipe, "is not a file"),
        (directory, "is not a file"),
        (missing, "cannot be opened"),
    ],
)
def test_a_bad_cache_is_refused_and_left_alone(folder: Path, spoil: Callable[[Path], None], reason: str) -> None:
    path = write_cache(folder, [make_item(1), make_item(2)], complete=False)
    spoil(path)
    before = sorted(folder.iterdir())
    with pytest.raises(ConfigError, match=reason) as refused:
        open_cache(path, board_id=BOARD_ID)
    assert str(path) in str(refused.value)
    assert sorted(folder.iterdir()) == before


def test_another_users_cache_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_cache(folder, [])
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    with pytest.raises(ConfigError, match="another user"):
        open_cache(path, board_id=BOARD_ID)


@pytest.mark.parametrize(
    ("board_id", "passed", "reason"),
    [
        (BOARD_ID + 1, timedelta(0), "is of board 77, not of 78"),
        (BOARD_ID, MAX_AGE + timedelta(hours=1), "7 days ago"),
        (BOARD_ID, -timedelta(days=2), "in the future"),
    ],
)
def test_another_boards_or_an_old_cache_is_refused(folder: Path, board_id: int, passed: timedelta, reason: str) -> None:
    head = make_header()
    path = write_cache(folder, [make_item(1)], head=head)
    with pytest.raises(ConfigError, match=reason):
        open_cache(path, board_id=board_id, now=head.fetched_at + passed)


def test_a_cache_that_changes_after_the_check_is_refused(folder: Path) -> None:
    path = write_cache(folder, [make_item(1)])
    cached = open_cache(path, board_id=BOARD_ID)
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(ConfigError, match="changed after it was checked"):
        read_all(cached)


@pytest.mark.parametrize(
    "raw", [b"{}", b"7", b"", b"[" * 100_000, b'{"id":"x","updated_at":""}', b'{"id":7,"updated_at":""}', b"\xff"]
)
def test_a_signed_line_that_is_no_item_is_refused(folder: Path, raw: bytes) -> None:
    path = write_cache(folder, [make_item(1), RawItem(2, "", raw)])
    cached = open_cache(path, board_id=BOARD_ID)
    with pytest.raises(ConfigError, match="something else than an item in line 3"):
        read_all(cached)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_changed_byte_goes_unnoticed(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    items = [make_item(1), make_item(2)]
    path = write_cache(folder, items)
    good = path.read_bytes()
    start = data.draw(st.integers(0, len(good)))
    stop = data.draw(st.integers(start, min(len(good), start + 60)))
    bad = good[:start] + data.draw(st.binary(max_size=60) | st.just(b"\n")) + good[stop:]
    path.write_bytes(bad)
    if bad == good:
        assert read_all(open_cache(path, board_id=BOARD_ID)) == items
    else:
        with pytest.raises(ConfigError):
            open_cache(path, board_id=BOARD_ID)
        assert [info.path for info in list_caches(folder)] == [path]


@settings(max_examples=150, deadline=None)
@given(
    content=st.binary(max_size=3000) | st.lists(st.sampled_from([b"{", b"}", b"[", b'"format":1', b"\n"])).map(b"".join)
)
def test_no_foreign_file_is_taken_for_a_cache(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "master-20261101T100000000000Z-run.jsonl"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ConfigError):
        open_cache(path, board_id=BOARD_ID)
    (info,) = list_caches(path.parent)
    assert info.problem is not None


def test_the_newest_ten_and_the_newest_complete_one_are_kept(folder: Path) -> None:
    now = datetime.now(UTC)
    old = write_cache(folder, [], head=make_header(now - MAX_AGE - timedelta(days=1)), run_id="old")
    full = write_cache(folder, [], head=make_header(now - timedelta(days=2)), run_id="full")
    parts = [
        write_cache(folder, [], head=make_header(now - timedelta(hours=20 - number)), run_id="part", complete=False)
        for number in range(KEPT + 3)
    ]
    other_board = write_cache(folder, [], head=make_header(now, board="staff"))
    foreign = folder / "notes.jsonl"
    foreign.write_text("mine")
    last = write_cache(folder, [], head=make_header(now), complete=False)
    assert not old.exists()
    assert set(folder.iterdir()) == {last, *parts[-KEPT + 1 :], full, other_board, foreign}
    assert newest_cache(folder, "master") == last


def test_what_a_killed_run_left_is_cleared_by_the_next_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, whatever becomes of that read; but never the file of a run that is still at work."""
    running = CacheWriter(folder, make_header(), "running")
    running.add([make_item(1)])
    killed = folder / f"master-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}-killed.jsonl.part"
    killed.touch()
    with CacheWriter(folder, make_header(), "next"):
        assert not killed.exists()
    path = running.finish(complete=True, items_count=1)
    assert path is not None
    assert open_cache(path, board_id=BOARD_ID).complete

    def no_locks(*_arguments: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", no_locks)
    old = folder / "master-20200101T000000000000Z-killed.jsonl.part"
    for left in (killed, old):
        left.touch()
    with CacheWriter(folder, make_header(), "next"):
        assert killed.exists(), "where files cannot be locked it may be somebody's for a week"
        assert not old.exists()


def test_the_list_shows_both_boards_newest_first_and_what_is_wrong(folder: Path) -> None:
    now = datetime.now(UTC)
    first = write_cache(folder, [make_item(1)], head=make_header(now - timedelta(hours=3)), complete=False)
    second = write_cache(folder, [make_item(1), make_item(2)], head=make_header(now - timedelta(hours=1)))
    staff = write_cache(folder, [], head=make_header(now, board="staff"))
    staff.write_bytes(b"rubbish")
    shown: list[tuple[Any, ...]] = [
        (info.board, info.path, info.items, info.complete, info.problem is None) for info in list_caches(folder)
    ]
    assert shown == [
        ("master", second, 2, True, True),
        ("master", first, 1, False, True),
        ("staff", staff, None, None, False),
    ]
    assert list_caches(folder / "nowhere") == []


def test_the_age_counts_from_the_start_of_the_read(folder: Path) -> None:
    head = make_header(datetime.now(UTC) - timedelta(hours=5))
    cached = open_cache(write_cache(folder, [], head=head), board_id=BOARD_ID)
    assert cached.age(head.fetched_at + timedelta(hours=6)) == timedelta(hours=6)
    assert cached.age(head.fetched_at - timedelta(hours=6)) == timedelta(0)
