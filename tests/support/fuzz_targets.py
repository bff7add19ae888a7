"""What reads bytes from outside, each as a function of bytes that raises where a promise is broken.

Refusing an input by a documented error is no failure. `tests.fuzz` feeds these functions, and `test_hostile.py` keeps
what was found.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec
from psycopg2.extensions import make_dsn, parse_dsn

from data_cache import FORMAT, CacheWriter, Header, Trailer, list_caches, open_cache
from monday.errors import gravest, may_have_run, sentence
from monday.faults import faults_in, retry_after
from monday.jobs import read_report
from monday.queries import RECHECK
from monday.rate_limit import RateLimit
from monday.responses import complexity_of, decode_answer, raw_items
from monday_api import MondayClient
from postgres.state import Known
from postgres.url import ENCRYPTED, connection_keywords, is_local, parse_database_url
from reconcile.address import UNPARSED, parse
from reconcile.base import from_json, to_json
from reconcile.change_filter import ChangeFilter
from reconcile.errors import ConfigError, Unavailable
from reconcile.items import RawItem, raw_item
from reconcile.layout import Layout
from reconcile.types import ItemBase, ItemState, Links
from sandbox import MASTER_BOARD_ID, STAFF_BOARD_ID, Sandbox, seed_world
from settings import load_settings
from tests.faults import test_hostile as laws
from tests.support.kit import LAYOUTS

NOW: Final = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
CANARY: Final = "Canary7"
Take = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class Target:
    """`take` raises for what must not happen. `is_json`: change values inside the JSON of a line, not bytes alone.

    `longest` bounds an input in bytes.
    """

    take: Take
    seeds: Callable[[], Iterable[bytes]]
    is_json: bool = False
    longest: int = 4000


# Items ----------------------------------------------------------------------------------------------------------------


@cache
def sandbox_items() -> dict[str, list[RawItem]]:
    """Items of both boards, some of them dirty, as they come over the wire."""
    boards = {"master": MASTER_BOARD_ID, "staff": STAFF_BOARD_ID}
    found: dict[str, list[RawItem]] = {board: [] for board in boards}
    with Sandbox(seed_world(items=200, staff=10)) as sandbox, MondayClient("x", boards, url=sandbox.api_url) as client:
        for page in client.full(client.preflight(), {board: set() for board in boards}).pages():
            found[page.board] += page.items
    return found


def _item_seeds() -> Iterable[bytes]:
    for items in sandbox_items().values():
        yield from (item.raw for item in items[:40])
        yield b"\n".join(item.raw for item in items[:3])


def take_items(data: bytes) -> None:
    """One item a line, from the wire to the values of both boards."""
    items = []
    for line in data.split(b"\n"):
        with suppress(msgspec.DecodeError):
            items.append(raw_item(line))
    known = {item.id: Known("another", 0, "active") for item in items[:1]}
    for layout in LAYOUTS.values():
        change_filter = ChangeFilter(layout, b"key", known)
        with suppress(msgspec.DecodeError):
            change_filter.take(items)
        for state in change_filter.states.values():
            _check_state(layout, state)


def _check_state(layout: Layout, state: ItemState) -> None:
    assert 0 <= state.id < 2**63
    assert state.updated_at.tzinfo is not None
    assert all(map(laws.storable, state.values))
    for _column, reason in state.bad:
        assert laws.storable(reason)
        assert len(reason) < 300
    for field, value in zip(layout.fields, state.values, strict=True):
        if value is not msgspec.UNSET:
            hash(field.compare_key(value))
            assert field.codec.monday_type != "file" or value is None or json.loads(str(value))
    base = ItemBase(state.board, state.id, state.updated_at, Links(()), state.values, state.values)
    assert from_json(to_json(base, layout), layout.field_ids, (), layout).monday == state.values


# Caches ---------------------------------------------------------------------------------------------------------------


@cache
def _cache_path() -> Path:
    return Path(tempfile.mkdtemp(prefix="fuzz-cache-")) / "master-20261125T080000000000Z-run.jsonl"


def _cache_seeds() -> Iterable[bytes]:
    items = sandbox_items()["master"]
    shortest = sorted(items, key=lambda item: len(item.raw))
    header = Header(FORMAT, "master", laws.BOARD_ID, "12", NOW, "abc", "full", "2026-10")
    for some in ([], shortest[:1], shortest[:3]):
        with tempfile.TemporaryDirectory() as folder, CacheWriter(Path(folder), header, "run") as writer:
            writer.add(some)
            path = writer.finish(complete=True, items_count=len(some))
            assert path is not None
            yield path.read_bytes()


def take_cache(data: bytes) -> None:
    """A file of a cache's name: refused with ConfigError, or exactly what it says."""
    path = _cache_path()
    path.touch(0o600)
    path.write_bytes(data)
    assert [entry.path for entry in list_caches(path.parent)] == [path]
    try:
        items = [item for page in open_cache(path, board_id=laws.BOARD_ID, now=NOW).pages() for item in page]
    except ConfigError:
        return
    head, *lines, tail, after = data.split(b"\n")
    told = json.loads(tail)["sha256"]
    unsigned = data[: -len(tail) - 1] + tail.replace(told.encode(), b"")
    assert (after, told) == (b"", hashlib.sha256(unsigned).hexdigest())
    assert json.loads(head.decode(errors="replace"))["board_id"] == laws.BOARD_ID  # a name we do not know says nothing
    assert [item.raw for item in items] == lines
    assert json.loads(tail)["items"] == len(lines)


def take_signed_cache(data: bytes) -> None:
    """As `take_cache`, with the right checksum put into whatever ends as a cache does: what somebody could write who
    knows the format, and the only way for changed bytes to the code behind the checksum."""
    body, line_break, tail = data.removesuffix(b"\n").rpartition(b"\n")
    with suppress(ValueError, RecursionError):
        unsigned = msgspec.json.encode(msgspec.structs.replace(msgspec.json.decode(tail, type=Trailer), sha256=""))
        told = hashlib.sha256(body + line_break + unsigned).hexdigest().encode()
        data = body + line_break + unsigned.replace(b'"sha256":""', b'"sha256":"%s"' % told) + b"\n"
    take_cache(data)


# Answers, logs, labels, reports ---------------------------------------------------------------------------------------


def _answer_seeds() -> Iterable[bytes]:
    item = sandbox_items()["staff"][0].raw.decode()
    column, group = '{"id":"a","title":"A","type":"text"}', '{"id":"g","title":"G"}'
    page = f'"items_page":{{"cursor":"c","items":[{item},null]}}'
    board = f'{{"id":"1","name":"B","items_count":1,"columns":[{column}],"groups":[{group}],{page}}}'
    yield f'3\n{{"data":{{"boards":[{board}],"complexity":{{"query":3,"after":9}}}}}}'.encode()
    for extensions in ('"code":"X","retry_in_seconds":3', '"problems":[1],"retryAfterMs":5,"error_data":{"a":1}'):
        error = f'{{"message":"reset in 5 seconds","path":["a",1],"extensions":{{{extensions}}}}}'
        yield f'\n{{"data":{{"boards":[null]}},"errors":[{error},"cursor is invalid"]}}'.encode()
    yield b'"minuteRate";r=0;t=7.5, "complexityMinute";r=9;t=1, "concurrency";q=40\n{"data":{"boards":[]}}'
    yield b'Wed, 21 Oct 2026 07:28:00 GMT\n{"error_code":"c","error_message":"rate limit exceeded","status_code":429}'
    yield rb'{"errors":"plain \ud800 \\ud800 \ud83d\ude00"}'


def take_answer(data: bytes) -> None:
    """What a header says of limits in the first line, the body in the others."""
    line, _, body = data.partition(b"\n")
    header = line.decode("latin-1")
    RateLimit.read({"ratelimit": header, "ratelimit-policy": header})
    told_s = retry_after(header, NOW)
    assert told_s is None or told_s >= 0
    try:
        answer = decode_answer(RECHECK, body)
    except (ValueError, RecursionError):  # as the transport does
        return
    legacy = (answer.error_code, answer.error_message, answer.status_code)
    faults = faults_in(200, answer.errors, legacy, told_s, "r")
    if faults:
        may_have_run(gravest(faults))
        assert str(sentence(gravest(faults), NOW))
        assert all(fault.told_wait_s is None or fault.told_wait_s >= 0 for fault in faults)
    complexity_of(answer.data)
    for board in (answer.data.boards or []) if answer.data else []:
        if board is not None and board.items_page is not None:
            with suppress(ValueError):  # as `monday.pagination.items_of` does
                raw_items(board.items_page.items)


def _log_seeds() -> Iterable[bytes]:
    for event in ("update_column_value", "batch_change_pulses_column_value", "update_name"):
        for value in ({"value": "1.5"}, {"email": "a@b.co"}, {"date": "2026-05-01"}, {"label": {"text": "x"}}, ""):
            data = {"pulse_id": 7, "pulse_ids": ["8"], "column_id": "c", "previous_value": value, "value": value}
            yield json.dumps([event, "17955144005000000", data]).encode()
            yield json.dumps([event, "17955144005000000", json.dumps(data)]).encode()


def _label_seeds() -> Iterable[bytes]:
    for labels in ([{"id": 1, "label": "Done", "is_deactivated": False}, {"id": "2", "label": ""}], {"0": "Stuck"}):
        yield json.dumps([{"labels": labels}]).encode()
        yield json.dumps([json.dumps({"labels": labels})]).encode()


def _given(law: Any, *kinds: Any) -> Take:
    """The function under a Hypothesis test, called with the values of a JSON list that are of these kinds."""

    def take(data: bytes) -> None:
        try:
            values = json.loads(data)
        except (ValueError, RecursionError):
            return
        if isinstance(values, list) and len(values) == len(kinds) and all(map(isinstance, values, kinds)):
            law.hypothesis.inner_test(*values)

    return take


def take_report(data: bytes) -> None:
    with suppress(Unavailable):
        read_report(data)


def _report_seeds() -> Iterable[bytes]:
    yield b'serialNo,status,itemId,error,Phone\n1,SUCCESS,17,,\n2,FAILED,,name is too long,"not, a phone"\n'


# Text from people and from the operator -------------------------------------------------------------------------------


def _address_seeds() -> Iterable[bytes]:
    for item in sandbox_items()["master"]:
        yield from (text.encode() for text in re.findall(r'"text":"(\d[^"]{8,80})"', item.raw.decode()))
    yield from (word.encode() for word in (*laws._WORDS, "1 Main St Denver CO 80202", "PO Box 7, Reno, NV"))


def take_address(data: bytes) -> None:
    address = data.decode(errors="surrogateescape")
    parts = parse(address)
    assert laws.storable(address) is False or all(map(laws.storable, parts))
    assert parts == UNPARSED or (parts.street and parts.city)
    assert all(part is None or part.strip() for part in parts)


def take_url(data: bytes) -> None:
    """What the environment may hold: libpq has to understand the keywords, and no message may hold the password."""
    url = data.decode(errors="surrogateescape")
    try:
        keywords = connection_keywords(parse_database_url(url))
    except ConfigError as error:
        refusal = str(error)
    else:
        refusal = ""
        assert _filled(parse_dsn(make_dsn(**keywords))) == _filled(keywords)
        assert keywords["sslmode"] in ENCRYPTED or is_local(keywords)
        assert keywords["sslmode"] in ENCRYPTED or not re.search(r",\s*[a-z]+\.", keywords.get("host", ""))
    assert CANARY not in refusal or CANARY in url.rpartition("@")[2]


def _filled(keywords: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in keywords.items() if value}


def _url_seeds() -> Iterable[bytes]:
    yield f"postgresql://ann:{CANARY}@db.example.com:5433/wra?sslmode=require&connect_timeout=5".encode()
    yield f"postgres://ann:p%40{CANARY}@[::1]:5432/wra".encode()
    yield b"postgresql:///wra?host=/tmp&sslmode=disable"
    yield b"postgresql:///wra?host=/tmp,db.example.com&sslmode=require"


@cache
def _env_path() -> Path:
    return Path(tempfile.mkdtemp(prefix="fuzz-env-")) / ".env"


def take_env(data: bytes) -> None:
    """A `.env` file."""
    logging.getLogger("dotenv").setLevel(logging.CRITICAL)  # it warns of each line that is none
    path = _env_path()
    path.write_bytes(data)
    try:
        settings = load_settings({}, root=path.parent)
    except ConfigError:
        return
    for folder in filter(None, (settings.cache_dir, settings.log_dir, settings.pg_bin)):
        assert "\0" not in str(folder)
    assert all(secret.isprintable() for secret in settings.secrets())


def _env_seeds() -> Iterable[bytes]:
    yield b"MONDAY_API_KEY=abc\nDATABASE_URL=postgresql://a:b@localhost/c\nMONDAY_BOARD_ID_DATA=1\nSYNC_CACHE_DIR=~/x\n"
    yield b"export MONDAY_API_KEY='abc'\nPGHOST=db\nPGPORT=5432\nPGDATABASE=d\nPGUSER=u\nPGPASSWORD=\"p\\n$x\" # no\n"
    yield b"MONDAY_API_KEY=a\nDATABASE_URL=embedded\nMONDAY_API_URL=http://127.0.0.1:80/v2\nPG_BIN=/usr\nSYNC_LOG_DIR=l\n"


TARGETS: Final[dict[str, Target]] = {
    "items": Target(take_items, _item_seeds, is_json=True, longest=20_000),
    "cache": Target(take_cache, _cache_seeds, longest=20_000),
    "signed-cache": Target(take_signed_cache, _cache_seeds, is_json=True, longest=20_000),
    "address": Target(take_address, _address_seeds),
    "answer": Target(take_answer, _answer_seeds, is_json=True),
    "log": Target(_given(laws.test_no_activity_log_breaks_its_reader, str, str, object), _log_seeds, is_json=True),
    "labels": Target(_given(laws.test_no_settings_of_a_column_break_their_reader, object), _label_seeds, is_json=True),
    "report": Target(take_report, _report_seeds),
    "url": Target(take_url, _url_seeds, longest=6000),
    "env": Target(take_env, _env_seeds),
}
"""By name, in the order in which they run."""
