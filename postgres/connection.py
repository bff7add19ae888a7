"""Opening a connection: patient with a server that wakes up, immediate with one that refuses."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Lock

import psycopg2
from psycopg2 import extensions
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, stop_after_delay
from tenacity.wait import wait_random_exponential

from postgres import readable
from postgres.errors import refused_connection, server_name, unreachable
from postgres.url import SYSTEM, Keywords
from reconcile.errors import ConfigError

logger = logging.getLogger(__name__)

OLDEST_SERVER = 130000
"""PostgreSQL 13: the first with pg_current_xact_id() and a built-in gen_random_uuid()."""
OLDEST_LIBPQ = 160000
"""The first that can be told which ways to log in are good enough."""

_ROOTS = (
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/cert.pem",
)  # fmt: skip
"""Where systems keep the certificates of the authorities they trust, for a Python that was built elsewhere."""
_OWN_ROOTS = Path("~/.postgresql/root.crt")
"""What libpq itself looks at where it is told to verify and not by what."""

CONNECT_TRIES = 10
CONNECT_BUDGET_S = 45

Sleep = Callable[[float], None]

# https://www.postgresql.org/docs/current/catalog-pg-type.html: json, jsonb and uuid[] by their fixed type ids.
_JSON_TEXT = extensions.new_type((114, 3802), "JSON_TEXT", lambda value, _cursor: value)
_UUID_ARRAY = extensions.new_array_type((2951,), "UUID_ARRAY", extensions.UNICODE)


def connect(keywords: Keywords, *, sleep: Sleep) -> extensions.connection:
    """Connect, waiting up to 45 s for a server that is starting or full.

    Raises ConfigError when the server refuses for good, Unavailable when it cannot be reached.
    """
    attempts = Retrying(
        stop=stop_after_attempt(CONNECT_TRIES) | stop_after_delay(CONNECT_BUDGET_S),
        wait=wait_random_exponential(multiplier=0.2, max=10),
        retry=retry_if_exception(partial(_may_come_up, keywords)),
        before_sleep=partial(_log_wait, keywords),
        sleep=sleep,
        reraise=True,
    )
    keywords = _with_roots(keywords)
    try:
        connection = attempts(_open, keywords)
    except psycopg2.OperationalError as error:
        raise refused_connection(error, keywords) or unreachable(error, keywords) from None
    _prepare(connection)
    return connection


def _with_roots(keywords: Keywords) -> Keywords:
    """The keywords with a file in the place of `sslrootcert=system`, which the driver's own OpenSSL seeks where it was
    built. Raises ConfigError where the driver is too old to refuse a way to log in."""
    if "require_auth" in keywords and extensions.libpq_version() < OLDEST_LIBPQ:
        raise ConfigError(
            f"This psycopg2 has libpq {extensions.libpq_version() // 10000}, which gives the password to any server "
            f"that asks: install requirements.txt, or build it with libpq {OLDEST_LIBPQ // 10000} or newer."
        )
    roots = keywords.get("sslrootcert")
    silent = not roots and keywords["sslmode"] == "verify-full" and not _OWN_ROOTS.expanduser().exists()
    return keywords | {"sslrootcert": system_roots()} if silent or roots == SYSTEM else keywords


def system_roots() -> str:
    """The file of certificates that programs of this machine trust; where there is none, the one that comes with
    `requests`, by which monday.com is verified as well."""
    import ssl

    import certifi

    usual = ssl.get_default_verify_paths().cafile
    found = (path for path in (usual, *_ROOTS) if path and Path(path).is_file())
    return next(found, certifi.where())


def _open(keywords: Keywords) -> extensions.connection:
    with _ENVIRONMENT, _without_settings_of_libpq():
        return psycopg2.connect(**keywords)  # type: ignore[call-overload,no-any-return]  # the stubs want a DSN


_ENVIRONMENT = Lock()  # the lease is renewed from a thread, with a connection of its own


@contextmanager
def _without_settings_of_libpq() -> Iterator[None]:
    """libpq fills in from the environment what it was not given: another address, options, a service. What a run goes
    by are its settings alone."""
    hidden = {name: value for name, value in os.environ.items() if name.startswith("PG")}  # noqa: TID251  libpq reads it
    for name in hidden:
        del os.environ[name]  # noqa: TID251
    try:
        yield
    finally:
        os.environ.update(hidden)  # noqa: TID251


def _prepare(connection: extensions.connection) -> None:
    """Set what psycopg2 keeps on its own side; nothing here reaches a session that a pooler shares."""
    if connection.server_version < OLDEST_SERVER:
        version = connection.server_version // 10000
        connection.close()
        raise ConfigError(f"The database is PostgreSQL {version}: version {OLDEST_SERVER // 10000} or newer is needed.")
    connection.autocommit = True  # `Transaction` sends its own BEGIN; nothing is ever executed outside of one
    extensions.register_type(_JSON_TEXT, connection)
    extensions.register_type(_UUID_ARRAY, connection)
    readable.register(connection)


def _may_come_up(keywords: Keywords, error: BaseException) -> bool:
    return isinstance(error, psycopg2.OperationalError) and refused_connection(error, keywords) is None


def _log_wait(keywords: Keywords, state: RetryCallState) -> None:
    logger.info("database connect retry server=%s try=%d", server_name(keywords), state.attempt_number)
