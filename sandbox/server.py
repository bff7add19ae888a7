"""The HTTP side: a small threaded HTTP/1.1 server with keep-alive, on loopback only.

Written by hand on sockets because faults need the wire itself: resets, half bodies, lengths that do not fit.
"""

from __future__ import annotations

import json
import logging
import re
import socket
import struct
import threading
import zlib
from collections.abc import Callable
from typing import Any

import msgspec

from sandbox.errors import ApiError
from sandbox.faults import Reply, json_reply
from sandbox.service import Service

logger = logging.getLogger(__name__)

_HEAD_AT_MOST = 64 * 1024
_GZIP_FROM_BYTES = 1024
_REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 409: "Conflict"}
_REASONS |= {
    405: "Method Not Allowed",
    411: "Length Required",
    423: "Locked",
    429: "Too Many Requests",
    500: "Internal Server Error",
}
_REASONS |= {502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout"}

_THIS_MACHINE = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE)

Command = Callable[[str, dict[str, Any]], Any]


class Request:
    """One request; header names in lower case."""

    __slots__ = ("body", "headers", "method", "path")

    def __init__(self, method: str, path: str, headers: dict[str, str], body: bytes) -> None:
        self.method = method
        self.path = path
        self.headers = headers
        self.body = body


class Server:
    """Listens on a port of 127.0.0.1 and answers each connection in a thread of its own."""

    def __init__(self, service: Service, command: Command, port: int = 0, gzip: bool = False) -> None:
        self._service = service
        self._command = command
        self._gzip = gzip
        self._listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self._open: dict[threading.Thread, socket.socket] = {}
        self._lock = threading.Lock()
        self._stopping = False
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        service.base_url = self.url
        self._acceptor = threading.Thread(target=self._accept, name="sandbox-accept", daemon=True)

    def start(self) -> None:
        self._acceptor.start()

    def stop(self) -> None:
        """Close the port and every connection, and wait for their threads."""
        self._stopping = True
        self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join()
        self._listener.close()
        with self._lock:
            threads = list(self._open.items())
        for _thread, connection in threads:
            _shut(connection)
        for thread, _connection in threads:
            thread.join(timeout=5)

    def _accept(self) -> None:
        while not self._stopping:
            try:
                connection, _address = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(target=self._serve, args=(connection,), name="sandbox-connection", daemon=True)
            with self._lock:
                self._open[thread] = connection
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            reader = _Reader(connection)
            while (request := reader.request()) is not None and self._answer(connection, request):
                pass
        except OSError:
            logger.debug("connection lost")
        finally:
            connection.close()
            with self._lock:
                self._open.pop(threading.current_thread(), None)

    def _answer(self, connection: socket.socket, request: Request) -> bool:
        """Answer; False when the connection is to be closed."""
        reply = self._route(request)
        keep = request.headers.get("connection", "").lower() != "close"
        if self._gzip and len(reply.body) > _GZIP_FROM_BYTES and "gzip" in request.headers.get("accept-encoding", ""):
            packer = zlib.compressobj(1, wbits=31)
            reply.body = packer.compress(reply.body) + packer.flush()
            reply.headers["Content-Encoding"] = "gzip"
        return _send(connection, reply, keep)

    def _route(self, request: Request) -> Reply:
        if refusal := _stranger(request.headers):
            return json_reply(403, {"error": refusal})
        path = request.path.partition("?")[0]
        if path.startswith("/_sandbox/"):
            return self._control(path.removeprefix("/_sandbox/"), request)
        if path.startswith("/_upload/") and request.method == "PUT":
            status, tag = self._service.jobs.upload(path.removeprefix("/_upload/"), request.body, request.headers)
            return Reply(status, b"", {"ETag": f'"{tag}"'} if tag else {})
        if path.startswith("/_report/") and request.method == "GET":
            report = self._service.jobs.report(path.removeprefix("/_report/"))
            return Reply(403, b"") if report is None else Reply(200, report, {"Content-Type": "text/csv"})
        if request.method == "POST" and path in ("/", "/v2"):
            return self._service.answer(request.headers, request.body)
        return Reply(404, b"", {})

    def _control(self, name: str, request: Request) -> Reply:
        """A command of the control interface with its arguments as a JSON object; the answer is its result as JSON."""
        if request.method != "POST":
            return json_reply(405, {"error": "a command is sent with POST"})
        if not self._service.takes(request.headers):
            return json_reply(401, {"error": "the sandbox has a token: send it as Authorization"})
        try:
            arguments = json.loads(request.body) if request.body else {}
            result = self._command(name, arguments)
        except ApiError as error:
            return json_reply(400, {"error": error.message, "code": error.code})
        except (TypeError, ValueError, KeyError, msgspec.ValidationError) as error:
            return json_reply(400, {"error": str(error)})
        return json_reply(200, {"result": result})


def _stranger(headers: dict[str, str]) -> str:
    """Why a request is not from a program of this machine, or nothing. A browser names the page that sends it, and by
    `Host` the name by which that page found the way here; neither is in the hands of the page.
    """
    if not _THIS_MACHINE.fullmatch(headers.get("host", "")):
        return "the sandbox is asked at 127.0.0.1, localhost or [::1] alone"
    if "origin" in headers or headers.get("sec-fetch-site", "none").lower() != "none":
        return "the sandbox takes nothing from a web page"
    return ""


class _Reader:
    """Requests off one connection, one after the other."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = b""

    def request(self) -> Request | None:
        """The next request, or None when the client has gone or does not speak HTTP."""
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            if len(self._buffer) > _HEAD_AT_MOST or not self._more():
                return None
        lines = self._buffer[:end].decode("latin-1").split("\r\n")
        self._buffer = self._buffer[end + 4 :]
        method, _, rest = lines[0].partition(" ")
        headers: dict[str, str] = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            name, value = name.strip().lower(), value.strip()
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        if headers.get("expect", "").lower() == "100-continue":
            self._connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = self._body(headers)
        return None if body is None else Request(method, rest.partition(" ")[0], headers, body)

    def _body(self, headers: dict[str, str]) -> bytes | None:
        if "transfer-encoding" in headers:
            self._connection.sendall(b"HTTP/1.1 411 Length Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return None
        length = headers.get("content-length", "0")
        size = int(length) if length.isdigit() else 0
        chunks, have = [self._buffer], len(self._buffer)
        while have < size:
            chunk = self._connection.recv(min(1 << 18, size - have))
            if not chunk:
                return None
            chunks.append(chunk)
            have += len(chunk)
        whole = b"".join(chunks)
        self._buffer = whole[size:]
        return whole[:size]

    def _more(self) -> bool:
        chunk = self._connection.recv(1 << 16)
        self._buffer += chunk
        return bool(chunk)


def _send(connection: socket.socket, reply: Reply, keep: bool) -> bool:
    """Put a reply on the wire, broken as it says; whether the connection can go on."""
    half = len(reply.body) // 2
    length = half if reply.transport == "short_content_length" else len(reply.body)
    keep = keep and reply.transport == "whole"
    head = _head(reply, length, keep)
    match reply.transport:
        case "reset":
            _reset(connection)
        case "close":
            _shut(connection)
        case "reset_mid_body":
            connection.sendall(head + reply.body[:half])
            _reset(connection)
        case "short_body":
            connection.sendall(head + reply.body[:half])
        case _:
            connection.sendall(head + reply.body)
    return keep


def _head(reply: Reply, length: int, keep: bool) -> bytes:
    lines = [f"HTTP/1.1 {reply.status} {_REASONS.get(reply.status, 'Unknown')}", f"Content-Length: {length}"]
    lines += [f"{name}: {value}" for name, value in reply.headers.items()]
    if not keep:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _reset(connection: socket.socket) -> None:
    """Make the close that follows a reset (RST) instead of an orderly end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        logger.debug("connection was closed already")
