"""One HTTP exchange with monday.com: the session, the token, and what a broken one proves.

The token is in one place, the `AuthBase` object: it beats a `.netrc` entry, and appears in no message.
"""

from __future__ import annotations

import ssl
import zlib
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

from monday.errors import BAD_ADDRESS, BROKEN_BODY, CONNECTION, NOT_TRUSTED, TOO_LARGE, ApiFault

CONNECT_TIMEOUT_S = 10
READ_TIMEOUT_S = 70  # a little over the 60 s after which monday cuts a call (monday docs)
LARGEST_BODY = 64 * 1024 * 1024

_PIECE = 64 * 1024
_BLOCK = 1024 * 1024
_MOST_MEMBERS = 16
"""Parts that a gzip body may be made of; monday sends one. Each costs as much as a small answer."""

_BAD_ADDRESS = (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, requests.exceptions.MissingSchema)
_CUT = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)


class Unanswered(Exception):
    """No whole answer came. `unsent`: it is certain that no byte of the request went out."""

    def __init__(self, fault: ApiFault, *, unsent: bool = False) -> None:
        super().__init__(fault.code, fault.status)
        self.fault = fault
        self.unsent = unsent


class Connection:
    """A pool of connections to one address. Safe for threads."""

    def __init__(self, token: str, url: str, version: str, at_once: int) -> None:
        self._url = url
        self._auth = _Token(token)
        self._session = _session(url, version, at_once)

    def close(self) -> None:
        self._session.close()

    def post(self, body: bytes, headers: dict[str, str]) -> tuple[requests.Response, bytes]:
        """The answer and its body, unzipped. Raises Unanswered, without the cause: its text may quote headers or
        addresses.
        """
        try:
            with self._session.post(
                self._url,
                data=body,
                headers=headers,
                auth=self._auth,
                timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
                allow_redirects=False,
                stream=True,
            ) as response:
                return response, _read(response, LARGEST_BODY)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            code, unsent = _code(error), _is_unsent(error)
        raise Unanswered(ApiFault(0, code), unsent=unsent)


class _Token(AuthBase):
    """The bare token, as monday's own samples send it, in place of whatever a `.netrc` holds."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._token
        return request

    def __repr__(self) -> str:
        return "_Token(***)"


def _session(url: str, version: str, at_once: int) -> requests.Session:
    """Proxies and CA bundles of the environment hold for monday, never for a server on this computer."""
    session = requests.Session()
    session.trust_env = urlsplit(url).hostname not in {"127.0.0.1", "localhost", "::1"}
    session.headers.update({"Content-Type": "application/json", "API-Version": version, "User-Agent": "monday-sync"})
    session.headers["Accept-Encoding"] = "gzip"
    adapter = HTTPAdapter(pool_connections=1, pool_maxsize=at_once)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _read(response: requests.Response, largest: int) -> bytes:
    """The body, unzipped. `Response.content` would join it from pieces of 10 kB, which costs more than parsing it.

    Raises urllib3's errors for a body shorter than announced, Unanswered for one that is too large, packed or not, or
    packed in another way than was asked for.
    """
    announced = response.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > largest:
        raise Unanswered(ApiFault(response.status_code, TOO_LARGE))
    packing = response.headers.get("content-encoding", "identity").strip().lower()
    if packing in ("gzip", "x-gzip"):
        return _unzipped(response, largest)
    if packing not in ("identity", ""):
        raise Unanswered(ApiFault(response.status_code, BROKEN_BODY))
    if announced.isdigit():
        return response.raw.read(decode_content=False)  # without a second copy
    pieces, size = [], 0
    while piece := response.raw.read(largest + 1 - size, decode_content=False):
        pieces.append(piece)
        size += len(piece)
        if size > largest:
            raise Unanswered(ApiFault(response.status_code, TOO_LARGE))
    return b"".join(pieces)


def _unzipped(response: requests.Response, largest: int) -> bytes:
    """Unzip while the bytes come in, and stop at the limit: a few kilobytes can unpack to gigabytes."""
    body, members, packed = bytearray(), 1, 0
    unpacker = zlib.decompressobj(wbits=31)
    try:
        while piece := response.raw.read(_PIECE, decode_content=False):
            packed += len(piece)
            while piece:
                if unpacker.eof:
                    members, unpacker = members + 1, zlib.decompressobj(wbits=31)
                body += unpacker.decompress(piece, min(_BLOCK, largest + 1 - len(body)))
                if max(len(body), packed) > largest or members > _MOST_MEMBERS:
                    raise Unanswered(ApiFault(response.status_code, TOO_LARGE))
                piece = unpacker.unconsumed_tail or unpacker.unused_data
    except zlib.error:
        raise Unanswered(ApiFault(response.status_code, BROKEN_BODY)) from None
    if packed and not unpacker.eof:
        raise Unanswered(ApiFault(response.status_code, BROKEN_BODY))
    return bytes(body)


def _code(error: Exception) -> str:
    if isinstance(error, _BAD_ADDRESS):
        return BAD_ADDRESS
    if isinstance(error, requests.exceptions.SSLError) and not isinstance(_tls_error(error), _CUT):
        return NOT_TRUSTED
    return CONNECTION


def _is_unsent(error: Exception) -> bool:
    """Only where the connection provably was never made; a proxy that fails may have passed the request on."""
    if isinstance(error, (*_BAD_ADDRESS, requests.ConnectTimeout)):
        return True
    if isinstance(_tls_error(error), ssl.SSLCertVerificationError):
        return True
    return isinstance(_reason(error), urllib3.exceptions.NewConnectionError)


def _reason(error: BaseException) -> BaseException | None:
    """What urllib3 gave up for; requests wraps its MaxRetryError."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return reason if isinstance(reason, BaseException) else None


def _tls_error(error: BaseException) -> BaseException | None:
    reason = _reason(error)
    first = reason.args[0] if isinstance(reason, urllib3.exceptions.SSLError) and reason.args else None
    return first if isinstance(first, BaseException) else None
