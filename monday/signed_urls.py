"""Files at signed addresses: what a bulk job is fed with and what it reports, kept by another host than monday's API.

The address itself is the right to it, so neither our token nor any header but the content type goes there, and its
query is never shown. It dies within minutes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import urlsplit

import requests
import urllib3

from monday.connection import CONNECT_TIMEOUT_S, LARGEST_BODY, READ_TIMEOUT_S
from monday.errors import LONGEST_WAIT_S
from monday.faults import retry_after
from reconcile.errors import Unavailable

logger = logging.getLogger(__name__)

TRIES = 5
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_DROPPED = 0  # in place of a status: the connection broke
_TRANSIENT = frozenset({_DROPPED, 408, 425, 429, 500, 502, 503, 504})


class SignedFiles:
    """Puts and gets whole files, with retries. `rest` waits so many seconds."""

    def __init__(self, rest: Callable[[float], object]) -> None:
        self._rest = rest

    def put(self, url: str, body: bytes, content_type: str) -> None:
        """The same bytes may be put twice. Raises Unavailable."""
        self._exchange("PUT", url, body, {"Content-Type": content_type})

    def get(self, url: str) -> bytes:
        """Raises Unavailable."""
        return self._exchange("GET", url, None, {})

    def _exchange(self, method: str, url: str, body: bytes | None, headers: dict[str, str]) -> bytes:
        host = _host(url)
        for tried in range(1, TRIES + 1):
            started = time.monotonic()
            status, told_s, content = _send(method, url, host, body, headers)
            took_s = time.monotonic() - started
            logger.info("file method=%s host=%s status=%d took_s=%.3f try=%d", method, host, status, took_s, tried)
            if 200 <= status < 300:
                return content
            if status not in _TRANSIENT:
                break
            if tried < TRIES:
                self._rest(min(float(2**tried) if told_s is None else told_s, LONGEST_WAIT_S))
        facts = f"HTTP {status}" if status else "no answer"
        raise Unavailable(
            f"the file store that monday.com names for bulk jobs refused a {method} ({facts}): run it again later"
        )


def _host(url: str) -> str:
    """Raises Unavailable for an address that is not encrypted, unless it is on this computer."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        host = ""
    if host and (parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)):
        return host
    raise Unavailable("monday.com named no https address for the file of a bulk job: nothing was sent, run it again")


def _send(
    method: str, url: str, host: str, body: bytes | None, headers: dict[str, str]
) -> tuple[int, float | None, bytes]:
    """Status, the wait that was told, and the body of one try; errors are dropped, their texts quote the address."""
    try:
        with requests.Session() as session:
            session.trust_env = host not in _LOOPBACK
            session.headers.clear()
            with session.request(
                method,
                url,
                data=body,
                headers=headers,
                auth=_unsigned,
                timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
                allow_redirects=False,
                stream=True,
            ) as response:
                content = response.raw.read(LARGEST_BODY + 1, decode_content=True)
                told_s = retry_after(response.headers.get("retry-after"), datetime.now(UTC))
                return (response.status_code if len(content) <= LARGEST_BODY else 413), told_s, content
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError):
        return _DROPPED, None, b""


def _unsigned(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """In place of a `.netrc` entry, whose header would break the signature."""
    return request
