"""A loopback port in front of PostgreSQL that counts how often the client waits for the server.

Counted by the wire, not by the program: each simple query, extended Sync and end of COPY, as
https://www.postgresql.org/docs/current/protocol-message-formats.html names them. Opening a connection is not counted.
"""

from __future__ import annotations

import socket
import struct
import threading
from types import TracebackType
from typing import Self

_WAITS = frozenset(b"QSc")
_COPY_DATA = ord("d")


class TripCounter:
    """Listens while inside a `with`; `port` stands for the server's, `trips` grows as the client asks."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self.port: int = self._listener.getsockname()[1]
        self.trips = 0
        self.connections = 0
        self.copied_bytes = 0

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._server_port))
            self.connections += 1
            threading.Thread(target=_forward, args=(server, client), daemon=True).start()
            threading.Thread(target=self._count, args=(client, server), daemon=True).start()

    def _count(self, client: socket.socket, server: socket.socket) -> None:
        pending, started = b"", False
        while data := _received(client):
            server.sendall(data)
            pending += data
            while message := _head(pending, started):
                kind, length = message
                if len(pending) < length:
                    break
                pending, started = pending[length:], True
                with self._lock:
                    self.trips += kind in _WAITS
                    self.copied_bytes += length if kind == _COPY_DATA else 0
        _close(server)


def _head(data: bytes, started: bool) -> tuple[int, int] | None:
    """Kind and whole length of the first message; the one that opens a connection has no kind, hence 0."""
    if not started:
        return (0, struct.unpack_from(">I", data)[0]) if len(data) >= 4 else None
    return (data[0], 1 + struct.unpack_from(">I", data, 1)[0]) if len(data) >= 5 else None


def _forward(source: socket.socket, target: socket.socket) -> None:
    while data := _received(source):
        target.sendall(data)
    _close(target)


def _received(source: socket.socket) -> bytes:
    try:
        return source.recv(1 << 18)
    except OSError:
        return b""


def _close(end: socket.socket) -> None:
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
