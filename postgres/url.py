"""A database URL as connection keywords, parsed here and never by libpq, whose errors show the password.

psycopg2 puts the whole URL into its message when one bracket or percent code is wrong, so only keywords reach it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Final
from urllib.parse import unquote

from reconcile.errors import ConfigError

Keywords = dict[str, str]
"""libpq connection keywords: host, port, user, password, dbname, sslmode and the rest of `ALLOWED`."""

# fmt: off
ALLOWED = frozenset((
    "host", "hostaddr", "port", "user", "password", "dbname", "passfile", "application_name", "target_session_attrs",
    "connect_timeout", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout",
    "sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "sslnegotiation", "ssl_min_protocol_version",
    "channel_binding", "gssencmode", "require_auth",
))
# fmt: on
SSLMODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
ENCRYPTED = frozenset(("require", "verify-ca", "verify-full"))
SYSTEM: Final = "system"
"""As `sslrootcert`: the certificates of the authorities that this machine trusts."""
SCRAM: Final = "scram-sha-256"
"""The only way to log in by which a server never sees the password, and has to know it itself."""

DEFAULTS = {
    "application_name": "monday_sync",
    "client_encoding": "UTF8",
    "connect_timeout": "10",
    "keepalives": "1",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}

_SCHEME = re.compile(r"postgres(?:ql)?://", re.IGNORECASE)
_HOST_PORT = re.compile(r"(?:\[(?P<ipv6>[0-9A-Fa-f:.%\w]+)\]|(?P<host>[^:\[\]]*))(?::(?P<port>[0-9]*))?")
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ENDPOINT = re.compile(r"(?:endpoint|project)=([A-Za-z0-9][A-Za-z0-9-]*)")
"""What Neon's proxy takes instead of a host name in the TLS handshake; no server ever sees it."""
_UNREADABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
"""The last of them is what Python makes of bytes in the environment that are not UTF-8."""


def parse_database_url(url: str) -> Keywords:
    """Take `postgresql://user:password@host:port/database?sslmode=…` apart; absent parts are absent keys.

    Raises ConfigError, in words that hold no part of the URL but a parameter's name.

    >>> parse_database_url("postgres://ann:p%40ss@[::1]:5433/wra?sslmode=require")["password"]
    'p@ss'
    """
    text = url.strip()
    scheme = _SCHEME.match(text)
    if scheme is None:
        raise ConfigError("DATABASE_URL must start with postgresql:// (or be the word embedded).")
    location, _, query = text[scheme.end() :].partition("?")
    authority, _, dbname = location.partition("/")
    if "@" in dbname or "@" in query:  # what looks like host or parameter is a piece of the password
        raise ConfigError(_ENCODE)
    credentials, _, address = authority.rpartition("@")
    user, _, password = credentials.partition(":")
    parts = {"user": user, "password": password, "dbname": dbname}
    keywords = {name: _decoded(name, part) for name, part in parts.items() if part}
    return keywords | _address(address) | _parameters(query)


def connection_keywords(keywords: Mapping[str, str]) -> Keywords:
    """Complete given keywords: time-outs, keepalives, and wherever the server is not this machine, a verified
    certificate and a log-in that does not tell the password.

    Raises ConfigError for a keyword that is not allowed, and for a remote host without TLS.
    """
    given = {name: value for name, value in keywords.items() if value}
    for name, value in keywords.items():
        _check_name(name, value)
    local = is_local(given)
    roots = given.get("sslrootcert")
    sslmode = given.get("sslmode") or ("prefer" if local and roots != SYSTEM else "verify-full")
    if sslmode not in SSLMODES:
        raise ConfigError(f"The database setting sslmode must be one of {', '.join(SSLMODES)}.")
    if not local and sslmode not in ENCRYPTED:
        raise ConfigError(
            f"The database setting sslmode={sslmode} would send personal data to {given.get('host')} unencrypted: "
            "use sslmode=require or verify-full."
        )
    if roots == SYSTEM and sslmode != "verify-full":
        raise ConfigError(
            f"The database setting sslrootcert=system does not go with sslmode={sslmode}, as anyone may have a "
            "certificate of a public authority for a name of his own: use sslmode=verify-full."
        )
    return DEFAULTS | ({} if local else _SAFEGUARDS) | given | {"sslmode": sslmode}


_SAFEGUARDS: Final = {"require_auth": SCRAM, "gssencmode": "disable"}
"""For a server elsewhere. Encryption by Kerberos would take the place of TLS, and of its certificate."""


def is_verified(keywords: Mapping[str, str]) -> bool:
    """Whether nobody in between can pass for the server: by its certificate, or because the log-in is bound to the TLS
    connection. A file of authorities is heard by libpq with sslmode=require as well."""
    if keywords.get("sslmode") in ("verify-ca", "verify-full") or keywords.get("sslrootcert"):
        return True
    return keywords.get("channel_binding") == "require"


def logs_in_unseen(keywords: Mapping[str, str]) -> bool:
    """Whether no server is told the password, whatever it asks for."""
    return keywords.get("require_auth") == SCRAM or keywords.get("channel_binding") == "require"


def is_local(keywords: Mapping[str, str]) -> bool:
    """Say whether the server is on this machine: a loopback address, a Unix socket, or no host at all.

    Of several hosts, which libpq takes with commas between, all are to be.
    """
    hosts = [host for name in ("hostaddr", "host") for host in keywords.get(name, "").split(",") if host]
    return all(host.startswith(("/", "@")) or host == "localhost" or _is_loopback(host) for host in hosts)


def host_of(keywords: Mapping[str, str]) -> str:
    """The address of the server, the same for all ways to it: `localhost` for every way to this machine, the endpoint
    of a Neon branch or Supabase project for its pooled and its direct address. Several hosts count as one address.

    >>> host_of({"host": "ep-cool-name-123456-pooler.us-east-2.aws.neon.tech"})
    'ep-cool-name-123456'
    """
    if is_local(keywords):
        return "localhost"
    if endpoint := _ENDPOINT.fullmatch(keywords.get("options", "")):
        return _direct(endpoint[1].casefold())
    hosts = (keywords.get("host") or keywords.get("hostaddr", "")).split(",")
    host = ",".join(sorted({_plain(host) for host in hosts if host}))
    return _supabase(host, keywords.get("user", "")) or host


def _plain(host: str) -> str:
    """The host in one spelling; of a Neon address the endpoint alone, which no other address has."""
    host = host.strip().casefold().rstrip(".")
    first, _, domain = host.partition(".")
    if first.startswith("ep-") and domain.endswith(("neon.tech", "neon.build")):
        return _direct(first)
    try:
        return str(ip_address(host))
    except ValueError:
        return host


def _direct(endpoint: str) -> str:
    return endpoint.removesuffix("-pooler")


def _supabase(host: str, user: str) -> str | None:
    """The project behind its own address, or behind the pooler of its region, which is told by the user's name."""
    if host.endswith(".pooler.supabase.com") and "." in user:
        return f"{user.rpartition('.')[2].casefold()}.supabase.co"
    return host.removeprefix("db.") if host.endswith(".supabase.co") else None


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:  # a name, whatever it starts with
        return False


_ENCODE: Final = (
    "DATABASE_URL has no readable host and port: percent-encode special characters in the password "
    "(/ is %2F, @ is %40, ? is %3F) and put an IPv6 address in brackets."
)


def _address(address: str) -> Keywords:
    if "," in address:
        raise ConfigError("DATABASE_URL names several hosts: name one.")
    match = _HOST_PORT.fullmatch(address)
    if match is None:
        raise ConfigError(_ENCODE)
    host, port = match["ipv6"] or _decoded("host", match["host"] or ""), match["port"]
    if port and (len(port) > 5 or not 0 < int(port) < 65536):
        raise ConfigError("DATABASE_URL has a port outside 1 to 65535.")
    return {name: value for name, value in (("host", host), ("port", port)) if value}


def _parameters(query: str) -> Keywords:
    keywords: Keywords = {}
    for pair in filter(None, query.split("&")):
        name, equals, value = pair.partition("=")
        if name != "options":
            _check_name(name)
        if not equals:
            raise ConfigError(f"DATABASE_URL has the parameter {name} without a value.")
        keywords[name] = _decoded(name, value)
        _check_name(name, keywords[name])
    return keywords


def _check_name(name: str, value: str = "") -> None:
    if name == "options":
        if _ENDPOINT.fullmatch(value):
            return
        raise ConfigError(
            "The database setting options is refused, as a connection pooler refuses it: remove it, and set what it "
            "sets on the role instead (ALTER ROLE … SET …). Only Neon's options=endpoint%3DNAME, alone, is passed on."
        )
    if name not in ALLOWED and name not in DEFAULTS:
        shown = name if re.fullmatch(r"[a-z_]{1,40}", name) else "(unreadable)"
        raise ConfigError(f"The database setting {shown} is not one this program passes on: remove it.")


def _decoded(name: str, text: str) -> str:
    if _BAD_PERCENT.search(text):
        raise ConfigError(f"DATABASE_URL has a broken percent code in its {name}: a percent sign is written %25.")
    try:
        value = unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ConfigError(f"DATABASE_URL has a percent code in its {name} that is not UTF-8.") from None
    if _UNREADABLE.search(value):
        raise ConfigError(f"DATABASE_URL has a control character or line break, or no UTF-8, in its {name}.")
    return value
