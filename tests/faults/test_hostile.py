"""Hostile content: whatever a cell, a cache, a log or a board's settings hold, it is read, refused by name or carried
unchanged; it never stops a run in another way, and never does anything.
"""

from __future__ import annotations

import json
import os
import string
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from data_cache import FORMAT, CacheWriter, Header, list_caches, open_cache
from models import TABLES
from monday.activity import logged_writes
from monday.faults import faults_in, retry_after
from monday.labels import by_text, spelled
from monday.rate_limit import RateLimit
from monday.responses import LogEntry
from monday_api import BOARDS
from postgres.url import connection_keywords, parse_database_url
from push.record import state_of
from reconcile.activity_values import logged_value
from reconcile.address import UNPARSED, composed, parse
from reconcile.change_filter import ChangeFilter
from reconcile.columns import CODECS, NAME, Codec, Column
from reconcile.decode import decode
from reconcile.encode import write_form
from reconcile.errors import CellError, ConfigError, DriftError
from reconcile.items import Cell, RawItem, decode_item, raw_item
from reconcile.types import ItemState
from run.report import IssueList, Report, as_text
from sandbox import MASTER_BOARD_ID, STAFF_BOARD_ID
from settings import load_settings
from terminal.signs import printable
from tests.support.company import PUSH, Company
from tests.support.kit import LAYOUTS, raw_json

SEED = 20261125

# Values ---------------------------------------------------------------------------------------------------------------

SIGNS = "\0\x01\x07\x08\x1b\x7f\x85\ud800\udfff\u200b\u200e\u202e\u2066\u2069\ufeff\ufffe\U0001f3e0é\"'\\%{}$;\n\r\t "
HUGE = ["x" * (1 << 20), "\0" * (1 << 16), "9" * 5_000, "é\u0301" * 100_000, "[" * 20_000, '{"a":' * 9_000]
NUMBERS = [
    "1e999999999",
    "9e337203675808",
    "-1e-999999999",
    "NaN",
    "sNaN",
    "Infinity",
    "1_000",
    "١٢٣",
    "0x10",
    "--1",
    "1e11",
    "٣.٥",
    "+.5e1",
]
DAYS = [
    "2026-02-30",
    "0000-00-00",
    "10000-01-01",
    "2026-W01-1",
    "20260501",
    "9999-12-31T23:59:60Z",
    "-1-1-1",
    "１-１-１",
]
nasty_text = (
    st.text(st.sampled_from(SIGNS + string.ascii_letters), max_size=30)
    | st.text(max_size=30)
    | st.sampled_from([*NUMBERS, *DAYS])
)
text = nasty_text | st.sampled_from(HUGE)
whole = st.integers() | st.sampled_from([10**400, -(10**400), 2**63, 2**64, -(2**63) - 1])
scalar = st.none() | st.booleans() | whole | st.floats() | nasty_text
anything = st.recursive(
    scalar, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(nasty_text, inner, max_size=3), max_leaves=8
)
number_text = st.from_regex(r"[0-9+\-.eE_]{1,12}", fullmatch=True)

CELL_TEXTS = ("text", "value", "email", "label", "phone", "country_short_name", "url", "url_text", "date", "time")
file_ref = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("asset_id", "file_id", "name", "invalid_name", "url"), st.none() | text),
        "asset": st.none() | st.fixed_dictionaries({}, optional={"url": st.none() | text}),
    },
)


def cells(board: str, content: st.SearchStrategy[Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Some cells of a board, each with some of the fields that any cell has; one may come twice."""
    one = st.fixed_dictionaries(
        {"id": st.sampled_from(sorted(BOARDS[board])) | nasty_text},
        optional={
            "type": nasty_text,
            **dict.fromkeys(CELL_TEXTS, st.none() | content | number_text),
            "index": st.none() | st.integers(-(2**63), 2**63 - 1),
            "files": st.none() | st.lists(file_ref, max_size=3),
        },
    )
    return st.lists(one, max_size=8)


def as_json(item: Any) -> bytes:
    """As a server would send it: with lone surrogates as \\u…, which no strict parser takes."""
    return json.dumps(item, separators=(",", ":")).encode()


def storable(value: Any) -> bool:
    """Whether PostgreSQL takes it: no NUL, no lone surrogate."""
    if isinstance(value, tuple):
        return all(map(storable, value))
    return not isinstance(value, str) or not ("\0" in value or any("\ud800" <= sign <= "\udfff" for sign in value))


# Items ----------------------------------------------------------------------------------------------------------------


@seed(SEED)
@settings(max_examples=60, deadline=None, database=None)
@given(data=st.data(), board=st.sampled_from(sorted(LAYOUTS)), name=text)
def test_an_item_of_the_right_outline_is_always_read(data: st.DataObject, board: str, name: str) -> None:
    values = data.draw(cells(board, text))
    raw = as_json({"id": "7", "updated_at": "2026-05-01T08:00:00Z", "name": name, "column_values": values})
    assert raw_item(raw).id == 7
    state = decode(LAYOUTS[board], decode_item(raw))
    assert isinstance(state, ItemState)
    assert all(map(storable, state.values))
    for _column, reason in state.bad:
        assert storable(reason)
        assert len(reason) < 300
    for field, value in zip(LAYOUTS[board].fields, state.values, strict=True):
        if value is not msgspec.UNSET:
            hash(field.compare_key(value))
            assert field.compare_key(value) == field.compare_key(value)


@seed(SEED)
@settings(max_examples=200, deadline=None, database=None)
@given(data=st.data(), board=st.sampled_from(sorted(LAYOUTS)))
def test_an_item_of_another_outline_is_refused_whole(data: st.DataObject, board: str) -> None:
    item = json.loads(raw_json(board, 1))
    for _ in range(data.draw(st.integers(1, 3))):
        place: Any = data.draw(st.sampled_from([item, *item["column_values"]] if item.get("column_values") else [item]))
        if isinstance(place, dict) and place:
            place[data.draw(st.sampled_from(sorted(place)) | nasty_text)] = data.draw(anything)
        if not isinstance(item.get("column_values"), list):
            break
    raw = as_json(item)
    try:
        state = decode(LAYOUTS[board], decode_item(raw))
    except msgspec.DecodeError:
        return
    assert all(map(storable, state.values))


@seed(SEED)
@settings(max_examples=150, deadline=None, database=None)
@given(st.binary(max_size=200) | anything.map(as_json))
def test_what_is_no_item_is_refused(raw: bytes) -> None:
    for read in (raw_item, decode_item):
        with suppress(msgspec.DecodeError):
            read(raw)


BEGINS = b'{"id":"7","updated_at":"2026-05-01T08:00:00Z",'
EMPTY = b'"name":"x","column_values":[]}'


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(BEGINS + b'"name":' + b"[" * 2_000, id="deep"),
        pytest.param(BEGINS + b'"x":' + b"[" * 2_000, id="deep where nobody looks"),
        pytest.param(b'{"id":' + b"[" * 2_000, id="deep from the start"),
        pytest.param(BEGINS + EMPTY.replace(b"x", b"\xc2x"), id="no UTF-8"),
        pytest.param(BEGINS + EMPTY[:-1], id="cut short"),
        pytest.param((BEGINS + EMPTY).decode().encode("utf-16"), id="UTF-16"),
        pytest.param((BEGINS + EMPTY).replace(b'"7"', b'"%s"' % (b"9" * 19)), id="no bigint"),
        pytest.param((BEGINS + EMPTY).replace(b'"7"', b'"-7"'), id="negative"),
        pytest.param((BEGINS + EMPTY).replace(b"2026-05-01", b"2026-02-30"), id="no day"),
        pytest.param((BEGINS + EMPTY).replace(b"2026-05-01T08:00:00Z", b"9999-12-31T23:00:00-05:00"), id="year 10000"),
        pytest.param((BEGINS + EMPTY).replace(b"2026-05-01T08:00:00Z", b"0001-01-01T00:00:00+05:00"), id="year 0"),
    ],
)
def test_an_item_is_refused_by_one_error(raw: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(LAYOUTS["master"], decode_item(raw_item(raw).raw))


def test_a_push_that_is_shown_no_item_says_so() -> None:
    raw = raw_item(BEGINS + EMPTY.replace(b'"x"', b"5"))
    run: Any = SimpleNamespace(layouts=LAYOUTS)
    start: Any = None
    with pytest.raises(DriftError, match="no item"):
        state_of(run, start, "master", raw, as_page=False)


def test_a_time_without_a_zone_is_utc_and_comes_before_or_after_others() -> None:
    told = (b"2026-05-01T08:00:00Z", b"2026-05-01T08:00:01", b"2026-05-01T08:00:02Z")
    intake = ChangeFilter(LAYOUTS["master"], b"key", {})
    intake.take([raw_item((BEGINS + EMPTY).replace(told[0], moment)) for moment in told])
    assert intake.newest == datetime(2026, 5, 1, 8, 0, 2, tzinfo=UTC)


def test_a_name_that_cannot_be_stored_costs_no_other_cell(synced: Company) -> None:
    item = jobs(synced)[0]
    held = "SELECT name, item_name, description FROM projects WHERE monday_item_id = %s"
    ((name, item_name, _),) = synced.sql(held, item)
    synced.sandbox.edit(item, {"text01__1": "", TEXT: "new"})  # the item's name stands in for the empty one
    synced.sandbox.rename(item, "half a sign \ud800")
    ended = synced.sync()
    assert ended.code == 5, ended.err
    assert synced.sql(held, item) == [(name, item_name, "new")]


# Addresses ------------------------------------------------------------------------------------------------------------

# fmt: off
_WORDS = ["12", "1 1/2", "N", "Main", "St", "Ave", "Apt", "#4", ",", ", ", "\n", "PO Box 7", "Denver", "St. Paul",
          "CO", "80202", "80202-1234", "USA", "&", "and", "(rear)", "c/o", "attn:", "é", "1st", "Hwy", "County Road"]
# fmt: on
addresses = st.lists(st.sampled_from(_WORDS) | nasty_text, max_size=9).map(" ".join)


@seed(SEED)
@settings(max_examples=300, deadline=None, database=None)
@given((addresses | text).filter(storable))
def test_no_address_breaks_the_parser(address: str) -> None:
    parts = parse(address)
    assert parse(address) == parts
    for part in parts:
        assert part is None or part.strip()
    if parts != UNPARSED:
        assert parts.street
        assert parts.city


@seed(SEED)
@settings(max_examples=300, deadline=None, database=None)
@given(
    st.builds(
        "{} {} {}{}{}, {} {}".format,
        st.integers(1, 99_999), st.sampled_from(["Main", "N Oak", "Elm", "1st", "County", "St. Mary"]),
        st.sampled_from(["St", "Ave", "Blvd", "Road", "Ln"]), st.sampled_from(["", ", Apt 4", " Unit 2", ", # 7"]),
        st.sampled_from([", Denver", ", Fort Collins", ", St. Paul", " Aurora", ", Winston-Salem", ", O'Fallon"]),
        st.sampled_from(["CO", "MN", "NC", "MO"]), st.sampled_from(["80202", "80202-1234", ""]),
    )
)  # fmt: skip
def test_what_is_composed_of_parts_has_those_parts(address: str) -> None:
    parts = parse(address.strip())
    if parts != UNPARSED:
        assert parse(composed(parts)) == parts


# Caches ---------------------------------------------------------------------------------------------------------------

BOARD_ID = 77


def write_cache(folder: Path, count: int = 3) -> Path:
    header = Header(FORMAT, "master", BOARD_ID, "12", datetime.now(UTC), "abc", "full", "2026-10")
    with CacheWriter(folder, header, "run") as writer:
        writer.add(
            [RawItem(n, "2026-05-01T08:00:00Z", raw_json("master", n, name="x" * n)) for n in range(1, count + 1)]
        )
        path = writer.finish(complete=True, items_count=count)
    assert path is not None
    return path


def read_cache(path: Path) -> list[RawItem]:
    return [item for page in open_cache(path, board_id=BOARD_ID).pages() for item in page]


Spoiled = Callable[[st.DataObject, bytes], bytes]


def _flipped(data: st.DataObject, good: bytes) -> bytes:
    bad = bytearray(good)
    for at in data.draw(st.lists(st.integers(0, len(good) - 1), min_size=1, max_size=4)):
        bad[at] ^= data.draw(st.integers(1, 255))
    return bytes(bad)


def _cut(data: st.DataObject, good: bytes) -> bytes:
    return good[: data.draw(st.integers(0, len(good) - 1))]


def _lines(data: st.DataObject, good: bytes) -> bytes:
    """Lines in another order, twice, or not at all."""
    lines = good.splitlines(keepends=True)
    return b"".join(data.draw(st.lists(st.sampled_from(lines), max_size=7)))


def _huge_line(data: st.DataObject, good: bytes) -> bytes:
    lines = good.splitlines(keepends=True)
    at = data.draw(st.integers(0, len(lines)))
    return b"".join([*lines[:at], b'{"id":"1","x":"' + b"x" * (9 << 20) + b'"}\n', *lines[at:]])


def _grown(data: st.DataObject, good: bytes) -> bytes:
    more = data.draw(st.binary(min_size=1, max_size=2000) | st.sampled_from([b"\n", b"\0", good]))
    return good + more if data.draw(st.booleans()) else more + good


def _facts(data: st.DataObject, good: bytes) -> bytes:
    """Another value in the header or the trailer, in good JSON."""
    lines = good.splitlines()
    at = data.draw(st.sampled_from([0, len(lines) - 1]))
    facts = json.loads(lines[at])
    facts[data.draw(st.sampled_from(sorted(facts)))] = data.draw(anything)
    lines[at] = as_json(facts)
    return b"\n".join([*lines, b""])


@pytest.mark.parametrize("spoil", [_flipped, _cut, _lines, _huge_line, _grown, _facts])
def test_a_spoiled_cache_is_refused_and_never_half_read(tmp_path: Path, spoil: Spoiled) -> None:
    path = write_cache(tmp_path / "cache")
    good = path.read_bytes()
    items = read_cache(path)

    @seed(SEED)
    @settings(max_examples=6 if spoil is _huge_line else 60, deadline=None, database=None)
    @given(st.data())
    def refused(data: st.DataObject) -> None:
        path.write_bytes(spoil(data, good))
        assert len(list_caches(path.parent)) == 1
        try:
            read = read_cache(path)
        except ConfigError:
            return
        assert read == items
        assert path.read_bytes() == good

    refused()


def _linked(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def _in_a_loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def _anothers(path: Path) -> None:
    os.chown(path, 65534, -1)


@pytest.mark.parametrize(
    "spoil",
    [
        _linked,
        _in_a_loop,
        pytest.param(_anothers, marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a file away")),
        *[lambda path, mode=mode: path.chmod(mode) for mode in (0o644, 0o660, 0o602, 0o601)],
    ],
)
@pytest.mark.parametrize("program", ["--use-cache", "--cache-file"])
def test_a_cache_that_others_could_have_written_is_refused(
    synced: Company, spoil: Callable[[Path], None], program: str
) -> None:
    path = max((synced.folder / "cache").glob("master-*.jsonl"))
    spoil(path)
    rows = synced.contents(only="public")
    for arguments in ((), ("--test",)):
        chosen = (program,) if program == "--use-cache" else (program, str(path))
        ended = synced.run(*chosen, *arguments)
        assert (ended.code, str(path) in ended.err) == (2, True), ended.err
    assert synced.contents(only="public") == rows
    assert synced.sandbox.counters()["requests"] == 0


# What monday tells beside items ---------------------------------------------------------------------------------------

moment = number_text | nasty_text | st.sampled_from(["9" * 4_000, "17955144005000000", "", "٣٣", "²"])
log_text = text.filter(lambda raw: len(raw) < 4_300)
events = st.sampled_from(["update_column_value", "batch_change_pulses_column_value", "update_name", "create_pulse"])
log_data = st.fixed_dictionaries(
    {},
    optional={
        "pulse_id": anything | moment,
        "pulse_ids": anything | st.lists(moment, max_size=3),
        "column_id": anything,
        "previous_value": anything,
        "value": anything,
    },
)


@seed(SEED)
@settings(max_examples=200, deadline=None, database=None)
@given(events | nasty_text, moment, log_data | log_data.map(json.dumps) | anything | log_text)
def test_no_activity_log_breaks_its_reader(event: str, at: str, data: Any) -> None:
    for write in logged_writes(LogEntry(event, at, "1", data)):
        assert isinstance(write.item_id, int)
        for codec in (*CODECS, NAME):
            value = logged_value(codec, write.previous)
            if value is not msgspec.UNSET:
                codec.compare_key(value)


label = st.fixed_dictionaries({}, optional={"id": anything | moment, "label": anything, "is_deactivated": anything})
labels = st.lists(label | anything, max_size=4) | st.dictionaries(moment | nasty_text, anything, max_size=4)
board_settings = anything | st.fixed_dictionaries({"labels": labels | anything})


@seed(SEED)
@settings(max_examples=200, deadline=None, database=None)
@given(board_settings | board_settings.map(json.dumps) | nasty_text.filter(storable))
def test_no_settings_of_a_column_break_their_reader(found: Any) -> None:
    texts = spelled(found)
    assert all(isinstance(number, int) and text.strip() for number, text in texts.items())
    assert set(by_text(texts).values()) <= set(texts)


@pytest.mark.parametrize(
    ("at", "data"),
    [
        ("9" * 5_000, {"pulse_id": 1, "column_id": "c", "previous_value": "x"}),
        ("17955144005000000", {"pulse_id": "9" * 5_000, "column_id": "c", "previous_value": "x"}),
        ("17955144005000000", {"pulse_ids": [10**5_000], "column_id": "c", "previous_value": "x"}),
    ],
)
def test_a_number_without_end_in_a_log_is_left_out(at: str, data: dict[str, Any]) -> None:
    assert list(logged_writes(LogEntry("update_column_value", at, "1", data))) == []


@pytest.mark.parametrize(
    ("found", "texts"),
    [
        pytest.param("[" * 20_000, {}, id="deep"),
        pytest.param({"labels": {"9" * 5_000: "x", "2": "Done"}}, {2: "Done"}, id="endless number"),
        pytest.param(r'{"labels": {"1": "\ud800", "2": "Done"}}', {1: "\0", 2: "Done"}, id="half a sign"),
    ],
)
def test_odd_settings_are_no_settings(found: Any, texts: dict[int, str]) -> None:
    assert spelled(found) == texts


WITHOUT_END = 10**400


@pytest.mark.parametrize("told", [{"retryAfterMs": WITHOUT_END}, {"retry_in_seconds": WITHOUT_END}])
def test_a_wait_without_end_is_none(told: dict[str, int]) -> None:
    (fault,) = faults_in(200, [{"extensions": told}], (None, None, None), None, "")
    assert fault.told_wait_s is None


@pytest.mark.parametrize(
    "header", ["Fri, 31 Dec 9999 23:59:59 -1200", "1 Jan 2026 00:00:00 +9999999999999", "Mon, 01 Jan 0001 00:00 +1200"]
)
def test_a_date_outside_of_the_calendar_is_no_wait(header: str) -> None:
    assert not retry_after(header, datetime.now(UTC))


def test_a_quota_without_end_is_none() -> None:
    header = f'"minuteRate";r={WITHOUT_END};t=1, "concurrency";q={WITHOUT_END}'
    assert RateLimit.read({"ratelimit": header, "ratelimit-policy": header}).minute_left is None


def test_half_a_sign_is_no_address() -> None:
    assert parse("A\ud800") == UNPARSED


def test_the_arabic_letter_mark_is_shown() -> None:
    assert printable("a\u061cb") == "a\\u061cb"


# What the operator's environment holds --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("postgresql://h:" + "9" * 5_000 + "/d", id="a port without end"),
        pytest.param("postgresql://h:٣/d", id="a port in other digits"),
        pytest.param("postgresql://h/d\udcf3", id="no UTF-8"),
        pytest.param("postgresql:///d?host=/tmp,db.example.com&sslmode=disable", id="a socket and another machine"),
        pytest.param("postgresql://%2Ftmp%2Cdb.example.com/d?sslmode=prefer", id="the same, encoded"),
    ],
)
def test_an_odd_url_is_refused_by_name(url: str) -> None:
    with pytest.raises(ConfigError):
        connection_keywords(parse_database_url(url))


@pytest.mark.parametrize("folder", ["~\0x", "a\0b"])
def test_a_folder_that_no_file_system_has_is_refused(tmp_path: Path, folder: str) -> None:
    (tmp_path / ".env").write_text(f"SYNC_CACHE_DIR={folder}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="SYNC_CACHE_DIR has a sign"):
        load_settings({}, need_monday=False, need_database=False, root=tmp_path)


# Writing --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", [codec for codec in (*CODECS, NAME) if codec.monday_type in {
    "text", "email", "phone", "link", "status", "name"}], ids=lambda codec: codec.monday_type)  # fmt: skip
def test_any_text_of_a_row_has_a_form_or_a_reason(codec: Codec) -> None:
    was = st.none() | st.builds(
        Cell,
        st.just("c"),
        **dict.fromkeys(("email", "label", "phone", "country_short_name", "url", "url_text"), st.none() | nasty_text),
    )

    @seed(SEED)
    @settings(max_examples=60, deadline=None, database=None)
    @given(
        text.filter(storable) | number_text, was, st.none() | st.dictionaries(nasty_text, st.integers(0), max_size=3)
    )
    def law(value: str, was: Cell | None, labels: dict[str, int] | None) -> None:
        column = Column("c", codec, "t.c")
        for create in (False, True):
            try:
                form = write_form(column, value, was, labels, create_labels=create)
            except CellError:
                continue
            json.dumps(form)

    law()


# End to end -----------------------------------------------------------------------------------------------------------

NASTY = [
    "O'Brien \"the roofer\" `x`",
    "'; DROP TABLE projects; --",
    "Robert'); DELETE FROM customers WHERE ('1'='1",
    "$1 $2 $$body$$ $tag$ %s %(x)s %% {} {0} {{x}} :name ?",
    "\\ \\\\ \\N \\. \\x41 \\u0041 \\' \\\"",
    "=cmd|' /C calc'!A0",
    "@SUM(1+1) +1 -1 \t=1",
    "🏠👩‍👩‍👧‍👦🇺🇸 é e\u0301 ﷽ 屋根 ½",
    "\u202eabc\u202c \u2066x\u2069 \u200f שלום \u200e مرحبا",
    "\x01\x07\x08\x1b[31mred\x1b[0m\x7f\x85 bell",
    "line one\nline two\r\nline three\ttab",
    '"}) { id } } mutation { delete_item(item_id: 1) { id } } #',
    '{"text": "x", "label": {"index": 1}, "__proto__": []}',
    "<script>alert(1)</script> &amp; <b> ]]>",
    "null", "NULL", "None", "undefined", "true", "[]", "{}", "0", "''", '""', "NaN",
    "../../etc/passwd %00 %2e%2e/ file:///etc/passwd",
    "a\u00a0b\u2028c\u2029d\u3000e\ufefff",
]  # fmt: skip
TEXT, CLAIM = "text40__1", "claim_number__1"


def jobs(company: Company) -> list[int]:
    return sorted(company.sandbox.item_ids(MASTER_BOARD_ID))


def test_nasty_texts_travel_unchanged_both_ways(synced: Company) -> None:
    sandbox = synced.sandbox
    items = [sandbox.create(MASTER_BOARD_ID, f"Nasty {number}", {TEXT: nasty}) for number, nasty in enumerate(NASTY)]
    for item, nasty in zip(items, NASTY, strict=True):
        sandbox.edit(item, {"text65__1": nasty, "text43__1": nasty})
        sandbox.rename(item, nasty)
    before = synced.counts()
    ended = synced.sync()
    assert ended.code == 0, ended.out
    assert synced.counts()["projects"] == before["projects"] + len(NASTY)
    held = "SELECT description, item_name, (SELECT name FROM customers c WHERE c.id = customer_id), (SELECT notes FROM"
    held += " customers c WHERE c.id = customer_id) FROM projects WHERE monday_item_id = %s"
    for item, nasty in zip(items, NASTY, strict=True):
        assert synced.sql(held, item) == [(nasty.strip(),) * 4]
    assert synced.sync("--full").writes == 0
    for item, nasty in zip(items, reversed(NASTY), strict=True):
        synced.sql(
            "UPDATE projects SET claim_number = %s, description = %s WHERE monday_item_id = %s", nasty, nasty, item
        )
        synced.sql("UPDATE customers SET notes = %s WHERE id = (SELECT customer_id FROM projects WHERE monday_item_id ="
                   " %s)", nasty, item)  # fmt: skip
        synced.sql("INSERT INTO projects (item_name, description) VALUES (%s, %s)", f"New {nasty}", nasty)
    pushed = synced.push("--allow-fanout")
    assert pushed.code == 0, pushed.out + pushed.err
    for item, nasty in zip(items, reversed(NASTY), strict=True):
        shown = sandbox.item(item)["cells"]
        assert [shown[column]["text"] for column in (CLAIM, TEXT, "text43__1")] == [nasty.strip()] * 3
        (new,) = sandbox.find(MASTER_BOARD_ID, f"New {nasty.strip()}")
        assert sandbox.item(new)["cells"][TEXT]["text"] == nasty.strip()
    assert len(jobs(synced)) == 6 + 2 * len(NASTY)
    assert len(sandbox.item_ids(STAFF_BOARD_ID)) == 2
    sandbox.reset_counters()
    assert (synced.push().report["plan"], synced.sync("--full").writes) == ("", 0)
    assert sandbox.counters()["mutations"] == 0
    assert set(synced.counts()) == set(TABLES)


HOUSES = [
    ("1 1/2 USA 1st", "St. Paul St.", None, None),
    ("9 Elm, Denver, CO 80202", "Reno", "NV", "89501"),
    ("'; DROP TABLE x;--", "$1", "%s", "\\N"),
    ("9 Elm St", "Reno\nNevada", "Nv.", "no zip"),
    ("9 Elm St", "Reno", None, "89501"),
    ("\u202e9 Elm St", "{}", "''", "0"),
]
"""Parts of an address that a parser would take apart in another way."""


def test_parts_of_an_address_stay_as_they_were_typed(synced: Company) -> None:
    items = jobs(synced)
    for item, parts in zip(items, HOUSES, strict=True):
        synced.sql(
            "UPDATE properties SET street = %s, city = %s, state = %s, zip = %s WHERE id ="
            " (SELECT property_id FROM projects WHERE monday_item_id = %s)", *parts, item,
        )  # fmt: skip
    assert synced.push().report["items"]["update"] == len(HOUSES)
    held = (
        "SELECT street, city, state, zip, address FROM properties t JOIN projects p ON p.property_id = t.id"
        " WHERE monday_item_id = %s"
    )
    for item, parts in zip(items, HOUSES, strict=True):
        ((*now, address),) = synced.sql(held, item)
        assert tuple(now) == parts
        assert synced.sandbox.item(item)["cells"]["dup__of_job_address0__1"]["text"] == address
        assert all(part in address for part in parts if part)
    for arguments in ((), ("--full",), ("--resync",)):
        assert synced.sync(*arguments).writes == 0
    assert synced.push().report["items"]["update"] == 0


def test_nasty_texts_travel_through_the_cache(synced: Company) -> None:
    for number, nasty in enumerate(NASTY):
        synced.sandbox.create(MASTER_BOARD_ID, f"Nasty {number}", {TEXT: nasty})
    synced.landed("--full")
    rows = [row[0] for row in synced.sql("SELECT description FROM projects ORDER BY monday_item_id")]
    synced.forget_everything()
    ended = synced.sync("--use-cache", "--rebind-db")
    assert ended.code == 0, ended.err
    assert [row[0] for row in synced.sql("SELECT description FROM projects ORDER BY monday_item_id")] == rows


# The terminal ---------------------------------------------------------------------------------------------------------

_RANGES = ((0, 8), (11, 31), (127, 159), (0x200E, 0x200F), (0x202A, 0x202E), (0x2066, 0x2069))
_RAW = [chr(sign) for first, last in _RANGES for sign in range(first, last + 1)]
"""Signs that move the cursor, forge a line, or turn the text round."""


@pytest.mark.parametrize("arguments", [("-v",), ("--test", "-v"), ("--test", "--resync", "-v", "--yes")])
def test_the_report_shows_no_sign_that_a_terminal_obeys(synced: Company, arguments: tuple[str, ...]) -> None:
    hostile = "".join(_RAW).replace("\0", "")
    item, other = jobs(synced)[:2]
    for number, job in enumerate(jobs(synced)):  # a report shows the first 24 signs of a value
        synced.sandbox.edit(job, {TEXT: f"a{hostile[number * 12 : number * 12 + 12]}b", CLAIM: f"{hostile[number]}b"})
    for told in (arguments, ()):
        ended = synced.run(*told)
        assert ended.code in (0, 5), ended.err
        assert [f"{sign!r}" for sign in _RAW if sign in ended.out + ended.err] == []
    assert arguments == ("--test", "--resync", "-v", "--yes") or "\\u202e" in synced.said[2]
    synced.sql("UPDATE projects SET description = claim_number || description || 'x'")
    synced.sandbox.edit(item, {"text95__1": "stage\u202e"}, force=True)
    synced.sql("UPDATE projects SET adjuster_email = %s WHERE monday_item_id = %s", "a\x1b[2J\u202e", other)
    for program in ("sync_monday_to_pg.py", PUSH):
        ended = synced.run("-v", program=program)
        assert [f"{sign!r}" for sign in _RAW if sign in ended.out + ended.err] == []


@seed(SEED)
@settings(max_examples=60, deadline=None, database=None)
@given(st.lists(nasty_text | st.just("x" * 100_000), min_size=1, max_size=4))
def test_a_report_of_anything_is_plain(texts: list[str]) -> None:
    report = Report("run", "monday_to_pg", True, notes=list(texts), samples=list(texts), differences=list(texts))
    report.quarantined = IssueList(1, 1, tuple({"board": "master", "reason": entry} for entry in texts))
    shown = printable(as_text(report, 1))
    assert [f"{sign!r}" for sign in _RAW if sign in shown] == []
    assert storable(shown)
