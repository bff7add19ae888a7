"""Answers that come packed: unzipped while they come in, and cut at the limit, whatever they would unpack to."""

from __future__ import annotations

import gzip
import socket
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from monday.connection import LARGEST_BODY, Connection, Unanswered
from monday.errors import BROKEN_BODY, CONNECTION, TOO_LARGE


def bomb(megabytes: int) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    block = bytes(1 << 20)
    return b"".join(packer.compress(block) for _ in range(megabytes)) + packer.flush()


@contextmanager
def answering(encoding: str, body: bytes, *, chunked: bool = False, told: int | None = None) -> Iterator[list[bytes]]:
    """A server that answers one request so; yields its port and, afterwards, the head that it was sent."""
    listener = socket.create_server(("127.0.0.1", 0))
    heard: list[bytes] = [str(listener.getsockname()[1]).encode()]

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            asked = b""
            while not asked.endswith(b"\r\n\r\n{}"):
                asked += connection.recv(1 << 16)
            heard.append(asked)
            head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\n" if encoding else "HTTP/1.1 200 OK\r\n"
            with suppress(OSError):  # it was cut
                if chunked:
                    connection.sendall(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n")
                    for start in range(0, len(body), 9999):
                        piece = body[start : start + 9999]
                        connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
                    connection.sendall(b"0\r\n\r\n")
                else:
                    size = len(body) if told is None else told
                    connection.sendall(head.encode() + b"Content-Length: %d\r\n\r\n" % size + body)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield heard
    finally:
        thread.join(10)
        listener.close()


def ask(port: bytes) -> bytes:
    connection = Connection("token", f"http://127.0.0.1:{port.decode()}/v2", "2026-10", 1)
    try:
        return connection.post(b"{}", {})[1]
    finally:
        connection.close()


TEXT = b'{"data": {"name": "' + b"x" * 200_000 + b'"}}'


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("", TEXT),
        ("identity", TEXT),
        ("gzip", gzip.compress(TEXT)),
        ("X-GZip", gzip.compress(TEXT)),
        ("gzip", b"".join(gzip.compress(TEXT[start : start + 50_000]) for start in range(0, len(TEXT), 50_000))),
    ],
)
def test_what_was_asked_for_is_taken(encoding: str, body: bytes, chunked: bool) -> None:
    with answering(encoding, body, chunked=chunked) as heard:
        assert ask(heard[0]) == TEXT
    assert b"\r\nAccept-Encoding: gzip\r\n" in heard[1]


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(
    ("encoding", "body", "code"),
    [
        pytest.param("gzip", lambda: bomb(512), TOO_LARGE, id="one bomb"),
        pytest.param("gzip", lambda: gzip.compress(TEXT) + bomb(256), TOO_LARGE, id="a bomb behind an answer"),
        pytest.param("gzip", lambda: bomb(30) * 10, TOO_LARGE, id="bombs that are small each"),
        pytest.param("gzip", lambda: gzip.compress(b"") * 100_000, TOO_LARGE, id="very many empty members"),
        pytest.param("gzip, gzip", lambda: gzip.compress(bomb(256)), BROKEN_BODY, id="packed twice"),
        pytest.param("gzip,gzip,gzip,gzip", lambda: gzip.compress(TEXT), BROKEN_BODY, id="said to be packed often"),
        pytest.param("deflate", lambda: zlib.compress(bytes(1 << 20)), BROKEN_BODY, id="not asked for"),
        pytest.param("br", lambda: b"\x00" * 10_000, BROKEN_BODY, id="not asked for either"),
        pytest.param("gzip", lambda: TEXT, BROKEN_BODY, id="not packed at all"),
        pytest.param("gzip", lambda: gzip.compress(TEXT)[:-20], BROKEN_BODY, id="cut short"),
        pytest.param("gzip", lambda: gzip.compress(TEXT) + b"more", BROKEN_BODY, id="with something behind it"),
    ],
)
@pytest.mark.sampled(2)
def test_a_bomb_is_cut_while_it_unpacks(encoding: str, body: Callable[[], bytes], code: str, chunked: bool) -> None:
    packed = body()
    with answering(encoding, packed, chunked=chunked) as heard:
        tracemalloc.start()
        begun = time.process_time()
        with pytest.raises(Unanswered) as refused:
            ask(heard[0])
        took_s, (_now, most) = time.process_time() - begun, tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert refused.value.fault.code == code
    assert not refused.value.unsent
    assert took_s < 10
    assert most < LARGEST_BODY * 1.5 + len(packed)


@pytest.mark.parametrize("told", [LARGEST_BODY + 1, 10**15])
def test_a_body_that_is_announced_too_large_is_not_read(told: int) -> None:
    with answering("", b"x", told=told) as heard, pytest.raises(Unanswered) as refused:
        ask(heard[0])
    assert refused.value.fault.code == TOO_LARGE


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_a_body_shorter_than_announced_is_a_lost_connection(encoding: str) -> None:
    body = gzip.compress(TEXT) if encoding else TEXT
    with answering(encoding, body, told=len(body) + 10) as heard, pytest.raises(Unanswered) as refused:
        ask(heard[0])
    assert refused.value.fault.code == CONNECTION
