"""The environment and `.env`, read once into a frozen `Settings`; every problem is listed in one ConfigError.

The environment wins over `.env`, and `.env` never changes the environment. This is the only module that looks at
`os.environ`. No message shows the value of a secret, and neither does `repr`.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from ipaddress import ip_address
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal, get_args
from urllib.parse import urlsplit

from folders import why_shared
from monday.versions import ASKED as DEFAULT_API_VERSION
from options import OPTION_VARIABLES
from postgres.url import connection_keywords, parse_database_url
from reconcile.boards import BOARD_SPECS
from reconcile.errors import ConfigError
from terminal.signs import one_line

Attention = Literal["open", "new"]

PROGRAM_DIR: Final = Path(__file__).resolve().parent
DEFAULT_API_URL: Final = "https://api.monday.com/v2"

_PG_KEYWORDS: Final = {
    "PGHOST": "host",
    "PGPORT": "port",
    "PGDATABASE": "dbname",
    "PGUSER": "user",
    "PGPASSWORD": "password",
    "PGSSLMODE": "sslmode",
}
_PG_UNHEARD: Final = {
    "PGHOSTADDR": "put the address into PGHOST or DATABASE_URL",
    "PGSERVICE": "put what the service says into DATABASE_URL",
    "PGSERVICEFILE": "put what the service says into DATABASE_URL",
    "PGOPTIONS": "set what it sets on the role: ALTER ROLE … SET …",
    "PGPASSFILE": "add passfile=… to DATABASE_URL",
    "PGTARGETSESSIONATTRS": "add target_session_attrs=… to DATABASE_URL",
    "PGCHANNELBINDING": "add channel_binding=… to DATABASE_URL",
    "PGSSLROOTCERT": "add sslrootcert=… to DATABASE_URL",
    "PGSSLCERT": "add sslcert=… to DATABASE_URL",
    "PGSSLKEY": "add sslkey=… to DATABASE_URL",
    "PGSSLCRL": "add sslcrl=… to DATABASE_URL",
    "PGSSLNEGOTIATION": "add sslnegotiation=… to DATABASE_URL",
    "PGSSLMINPROTOCOLVERSION": "add ssl_min_protocol_version=… to DATABASE_URL",
    "PGGSSENCMODE": "add gssencmode=… to DATABASE_URL",
    "PGREQUIREAUTH": "add require_auth=… to DATABASE_URL",
    **dict.fromkeys(
        (
            "PGSSLMAXPROTOCOLVERSION", "PGSSLCERTMODE", "PGSSLCRLDIR", "PGSSLSNI", "PGREQUIRESSL", "PGREQUIREPEER",
            "PGLOADBALANCEHOSTS", "PGKRBSRVNAME", "PGGSSDELEGATION", "PGMINPROTOCOLVERSION", "PGMAXPROTOCOLVERSION",
        ),
        "there is no such setting here",
    ),
}  # fmt: skip
"""Variables by which other programs of PostgreSQL are led elsewhere, or log in otherwise: no run is led by them."""
_PG_REQUIRED: Final = ("PGHOST", "PGDATABASE", "PGUSER")
SETTING_NAMES: Final = frozenset(
    (
        "MONDAY_API_KEY", "MONDAY_API_URL", "MONDAY_API_VERSION", *(spec.setting for spec in BOARD_SPECS.values()),
        "DATABASE_URL", "PG_BIN", "SYNC_CACHE_DIR", "SYNC_LOG_DIR", "SYNC_STATE_DIR",
        "SYNC_DAILY_CALLS", "SYNC_PLAN_HOURS", "SYNC_PING_URL", "SYNC_EXIT_ATTENTION", *_PG_KEYWORDS, *_PG_UNHEARD,
    )
)  # fmt: skip
"""Every name that is looked at, here or in the environment."""
_NEARLY: Final = 0.88
"""As like as two words that differ by two letters exchanged, or one left out."""


class SettingsRefused(ConfigError):
    """All that is wrong with the settings."""

    listed = True


@dataclass(frozen=True, slots=True, repr=False)
class DatabaseTarget:
    """Where the database is, as libpq keywords: never a URL, which the driver prints whole in its errors."""

    keywords: Mapping[str, str]

    def __repr__(self) -> str:
        shown = {key: "***" if key == "password" else value for key, value in self.keywords.items()}
        return f"DatabaseTarget({shown!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a run needs from outside. `monday_api_key` and `database` are None only where they were not needed."""

    monday_api_key: str | None = field(repr=False)
    monday_api_url: str
    monday_api_version: str
    board_ids: Mapping[str, int]
    """Board name → the board's id."""
    database: Literal["embedded"] | DatabaseTarget | None
    cache_dir: Path
    log_dir: Path
    state_dir: Path
    pg_bin: Path | None = None
    daily_calls: int | None = None
    """Calls of the API that both commands may use in a day together; None for no limit."""
    plan_hours: int = 72
    """How old a saved plan may be that is carried out."""
    attention: Attention = "open"
    """What ends a run with exit code 5: anything that is open, or only what is new."""
    ping_url: str | None = field(default=None, repr=False)
    """Who is told that a run begins and how it ended; its address may be all that protects it."""
    warnings: tuple[str, ...] = ()
    """What is no reason to stop, and said by each run."""

    def secrets(self) -> tuple[str, ...]:
        """Every string that must not appear in any output."""
        password = self.database.keywords.get("password") if isinstance(self.database, DatabaseTarget) else None
        return tuple(secret for secret in (self.monday_api_key, password, self.ping_url) if secret)


def color_refused() -> bool:
    """Whether the person asked for plain output (https://no-color.org: any value that is not empty)."""
    return bool(os.environ.get("NO_COLOR"))  # noqa: TID251  the one place that reads the environment


def load_settings(
    env: Mapping[str, str] | None = None,
    *,
    need_monday: bool = True,
    need_database: bool = True,
    root: Path | None = None,
) -> Settings:
    """Read and check every setting; `env` stands for the process's environment, `root` for the program's folder.

    A part that is not needed (`need_monday` for a replay from the cache, `need_database` for the demo) is neither
    asked for nor checked. Raises ConfigError naming every missing or refused setting at once.
    """
    root = root or PROGRAM_DIR
    environ = os.environ if env is None else env  # noqa: TID251  the one place that reads the environment
    dotenv, exposed = _read_dotenv(root / ".env")
    sheet = _Sheet({**{name: value for name, value in dotenv.items() if value is not None}, **environ})
    _refuse_unknown(sheet, dotenv, environ)
    settings = Settings(
        monday_api_key=_api_key(sheet) if need_monday else None,
        monday_api_url=_api_url(sheet) if need_monday else DEFAULT_API_URL,
        monday_api_version=_api_version(sheet),
        board_ids=_board_ids(sheet),
        database=_database(sheet) if need_database else None,
        cache_dir=_own_folder(sheet, "SYNC_CACHE_DIR", "cache", root),
        log_dir=_own_folder(sheet, "SYNC_LOG_DIR", "logs", root),
        state_dir=_own_folder(sheet, "SYNC_STATE_DIR", ".state", root),
        pg_bin=_folder(sheet, "PG_BIN", "", root) if sheet.text("PG_BIN") else None,
        daily_calls=_daily_calls(sheet),
        plan_hours=_plan_hours(sheet),
        attention=_attention(sheet),
        ping_url=_ping_url(sheet),
        warnings=exposed,
    )
    if sheet.problems:
        raise SettingsRefused(_listing(sheet.problems, root / ".env"))
    return settings


@dataclass(slots=True)
class _Sheet:
    """The settings as given and the problems found so far."""

    values: Mapping[str, str]
    problems: list[str] = field(default_factory=list)

    def text(self, name: str, default: str = "") -> str:
        """The value without blanks, line breaks or quotes around it; a blank value counts as not set."""
        return _unwrapped(self.values.get(name, "")) or default

    def refuse(self, name: str, wrong: str, todo: str) -> None:
        self.problems.append(f"{name} {wrong}: {todo}")


def _unwrapped(value: str) -> str:
    value = value.strip()
    while len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1].strip()
    return value


def _read_dotenv(path: Path) -> tuple[dict[str, str | None], tuple[str, ...]]:
    """The settings in `.env`, nothing expanded (a `$` in a password stays one), None for a name without a value; empty
    without the file. And what there is to say about who else can get at the file."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            exposed = _exposed(path, os.fstat(file.fileno()))
            text = file.read()
    except FileNotFoundError:
        return {}, ()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}): give this user the right to read it") from error
    except UnicodeDecodeError:
        # Without `from`: the original error carries the file's bytes.
        raise ConfigError(f"{path} is not UTF-8 text: save it again as UTF-8") from None
    from io import StringIO

    from dotenv.parser import parse_stream

    lines = list(parse_stream(StringIO(text)))
    wrong = [str(line.original.line) for line in lines if line.error]
    if wrong:
        which = f"Line {wrong[0]} of {path} is" if len(wrong) == 1 else f"Lines {', '.join(wrong)} of {path} are"
        raise ConfigError(f"{which} not read as a setting: write NAME=value, or # before a comment")
    return {line.key: line.value for line in lines if line.key is not None}, exposed


def _exposed(path: Path, status: os.stat_result) -> tuple[str, ...]:
    """A sentence where others can read the token and the password, or lead the program elsewhere."""
    if sys.platform == "win32":
        return ()
    own = status.st_uid == os.geteuid()
    if not own and status.st_uid != 0:
        return (f"{path} belongs to another user, who can read and change it: make it your own, with mode 600",)
    # An administrator's file reaches the program's account by its group: there is no other way.
    others = status.st_mode & (0o066 if own else 0o026)
    if not others:
        return ()
    verbs = " and ".join(word for word, bits in (("read", 0o044), ("changed", 0o022)) if others & bits)
    mode = stat.S_IMODE(status.st_mode)
    return (f"{path} can be {verbs} by others (mode {mode:o}): chmod {'600' if own else '640'} {path}",)


def _refuse_unknown(sheet: _Sheet, dotenv: Mapping[str, str | None], environ: Mapping[str, str]) -> None:
    """Refuse each name that looks like ours and is none: a mistyped one would leave the default in force, a dry run
    real. In `.env` also what is an option, and what is nearly a name; in the environment a blank one is not set."""
    for name in sorted(dotenv.keys() - SETTING_NAMES):
        if _looks_ours(name) or _nearest(name, cutoff=_NEARLY):
            sheet.refuse(_shown(name), "in .env is no setting", _meant(name, SETTING_NAMES))
    for name in sorted(environ.keys() - SETTING_NAMES - OPTION_VARIABLES):
        if _looks_ours(name) and environ[name].strip():
            known = SETTING_NAMES | OPTION_VARIABLES
            sheet.refuse(_shown(name), "in the environment is neither a setting nor an option", _meant(name, known))


def _looks_ours(name: str) -> bool:
    return name.upper().startswith(("SYNC_", "MONDAY_"))


def _nearest(
    name: str, known: Collection[str] = SETTING_NAMES | OPTION_VARIABLES, *, cutoff: float = 0.75
) -> str | None:
    return next(iter(get_close_matches(name.upper(), sorted(known), n=1, cutoff=cutoff)), None)


def _meant(name: str, preferred: Collection[str]) -> str:
    nearest = _nearest(name)
    if nearest is None:
        return "remove it"
    if nearest in preferred:
        return f"write {nearest} if that is meant, or remove it"
    flag = "--" + nearest.removeprefix("SYNC_").lower().replace("_", "-")
    return f"give {flag} to the command, or {nearest} in the environment, if that is meant, or remove it"


def _shown(name: str) -> str:
    """A name from a file, which may be anything: a secret that stands in the place of a name is not shown."""
    return name if re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]{0,40}", name) else f"{name[:5]}… (unreadable)"


def _listing(problems: list[str], dotenv: Path) -> str:
    head = "1 setting needs" if len(problems) == 1 else f"{len(problems)} settings need"
    return f"{head} attention, in the environment or in {dotenv}:\n" + "\n".join(
        f"  - {one_line(line)}" for line in problems
    )


def _api_key(sheet: _Sheet) -> str:
    """A token travels in a header: anything but printable ASCII would end in an error that quotes it."""
    key = sheet.text("MONDAY_API_KEY")
    if not key:
        sheet.refuse(
            "MONDAY_API_KEY", "is not set", "create a token in monday (your picture, Developers, API access tokens)"
        )
    elif not all("!" <= char <= "~" for char in key):
        sheet.refuse(
            "MONDAY_API_KEY",
            "has a blank, a line break or a sign inside that no token has",
            "copy the token again, alone, without the word Bearer",
        )
    return key


def _api_url(sheet: _Sheet) -> str:
    url = sheet.text("MONDAY_API_URL", DEFAULT_API_URL)
    wrong = _url_problem(url)
    if wrong:
        sheet.refuse("MONDAY_API_URL", wrong, f"use {DEFAULT_API_URL}, or remove the setting")
    return url


def _url_problem(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is not a URL"
    if parts.scheme not in ("https", "http") or not host or not all("!" <= char <= "~" for char in url):
        return "is not an https URL"
    if "@" in parts.netloc:
        return "holds a user or a password"
    if parts.scheme == "http" and not is_loopback(host):
        return "would send the token unencrypted; http is for this machine only"
    return None


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _api_version(sheet: _Sheet) -> str:
    version = sheet.text("MONDAY_API_VERSION", DEFAULT_API_VERSION)
    if not re.fullmatch(r"20[0-9]{2}-(0[1-9]|1[0-2])", version):
        sheet.refuse("MONDAY_API_VERSION", "is not a version such as 2026-10", f"use {DEFAULT_API_VERSION}")
    return version


def _board_ids(sheet: _Sheet) -> Mapping[str, int]:
    """Board name → the board's number, or 0 where it was refused. No two boards are one."""
    found: dict[str, int] = {}
    setting_of: dict[int, str] = {}
    for name, spec in BOARD_SPECS.items():
        board_id = found[name] = _board_id(sheet, spec.setting, spec.default_id)
        if board_id and (other := setting_of.setdefault(board_id, spec.setting)) != spec.setting:
            wrong, right = (spec.setting, other) if sheet.text(spec.setting) else (other, spec.setting)
            sheet.refuse(wrong, f"names the same board as {right}", "give each its own id")
    return MappingProxyType(found)


def _board_id(sheet: _Sheet, name: str, default: int) -> int:
    text = sheet.text(name, str(default))
    if not re.fullmatch(r"[1-9][0-9]{0,17}", text):
        sheet.refuse(name, "is not a board id", "use the number at the end of the board's address in the browser")
        return 0
    return int(text)


def _daily_calls(sheet: _Sheet) -> int | None:
    text = sheet.text("SYNC_DAILY_CALLS")
    if text and not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        sheet.refuse("SYNC_DAILY_CALLS", "is not a number of calls, 1 or more", "write digits alone, or remove it")
        return None
    return int(text) if text else None


def _plan_hours(sheet: _Sheet) -> int:
    text = sheet.text("SYNC_PLAN_HOURS", "72")
    if not re.fullmatch(r"[1-9][0-9]{0,4}", text):
        sheet.refuse("SYNC_PLAN_HOURS", "is not a number of hours, 1 or more", "write digits alone, or remove it")
        return 72
    return int(text)


def _attention(sheet: _Sheet) -> Attention:
    text = sheet.text("SYNC_EXIT_ATTENTION", "open").lower()
    for known in get_args(Attention):
        if text == known:
            return known  # type: ignore[no-any-return]  # typeshed knows nothing of what get_args gives
    sheet.refuse("SYNC_EXIT_ATTENTION", "is neither open nor new", "write one of these words, or remove it")
    return "open"


def _ping_url(sheet: _Sheet) -> str | None:
    """An address such as those of a monitor of cron jobs: nothing but whether and how a run ended is sent there."""
    url = sheet.text("SYNC_PING_URL").rstrip("/")
    if url and (wrong := _url_problem(url)):
        wrong = wrong.replace("would send the token unencrypted", "would tell everybody on the way")
        sheet.refuse("SYNC_PING_URL", wrong, "use the https address that your monitor gives, or remove it")
        return None
    if url and urlsplit(url).query:
        sheet.refuse("SYNC_PING_URL", "has a ? inside", "/start and /fail are added to it: give it without")
        return None
    return url or None


def _folder(sheet: _Sheet, name: str, default: str, root: Path) -> Path:
    path = sheet.text(name, default)
    if "\0" in path:
        sheet.refuse(name, "has a sign inside that no path has", "type it again")
        return root / default
    try:
        return root / Path(path).expanduser()
    except RuntimeError:
        sheet.refuse(name, "starts with a home folder that does not exist", "give the whole path")
        return root / default


def _own_folder(sheet: _Sheet, name: str, default: str, root: Path) -> Path:
    """A folder of private files: one that the setting names must not be shared with others."""
    path = _folder(sheet, name, default, root)
    if sheet.text(name) and (why := why_shared(path)):
        sheet.refuse(name, f"names {path}, which {why}", f"name a folder of its own, such as {path / 'monday-pg-sync'}")
    return path


def _database(sheet: _Sheet) -> Literal["embedded"] | DatabaseTarget | None:
    for name, todo in _PG_UNHEARD.items():
        if sheet.text(name):
            sheet.refuse(name, "is not a setting of this program, and would lead it elsewhere", f"unset it; {todo}")
    url = sheet.text("DATABASE_URL")
    if url.casefold() == "embedded":
        return "embedded"
    if url:
        return _target_of_url(sheet, url)
    if any(sheet.text(name) for name in _PG_KEYWORDS):
        return _target_of_keywords(sheet)
    sheet.refuse(
        "DATABASE_URL",
        "is not set",
        "use postgresql://HOST/DATABASE with USER:PASSWORD@ before the host, or PGHOST, PGDATABASE, PGUSER and "
        "PGPASSWORD, or the word embedded for a database of the tool's own",
    )
    return None


def _target_of_url(sheet: _Sheet, url: str) -> DatabaseTarget | None:
    try:
        keywords = parse_database_url(url)
    except ConfigError as error:
        sheet.problems.append(str(error))
        return None
    return _checked_target(sheet, keywords)


def _target_of_keywords(sheet: _Sheet) -> DatabaseTarget:
    given = {name: sheet.text(name) for name in _PG_KEYWORDS if sheet.text(name)}
    for name in _PG_REQUIRED:
        if name not in given:
            sheet.refuse(name, "is not set", "the PG… settings need at least PGHOST, PGDATABASE and PGUSER")
    if "PGPASSWORD" in given:
        given["PGPASSWORD"] = sheet.values["PGPASSWORD"].strip("\r\n")  # blanks and quotes may belong to a password
    for name, value in given.items():
        if not value.isprintable():
            sheet.refuse(name, "has a sign inside that cannot be printed", "type it again")
    if not re.fullmatch(r"[0-9]{1,5}", given.get("PGPORT", "5432")) or not 0 < int(given.get("PGPORT", "5432")) < 65536:
        sheet.refuse("PGPORT", "is not a port", "use a number such as 5432")
    return _checked_target(sheet, {_PG_KEYWORDS[name]: value for name, value in given.items()})


def _checked_target(sheet: _Sheet, keywords: Mapping[str, str]) -> DatabaseTarget:
    """The target as given; what the connection would refuse (no TLS to another machine) is refused here already."""
    try:
        connection_keywords(keywords)
    except ConfigError as error:
        sheet.problems.append(str(error))
    return DatabaseTarget(MappingProxyType(dict(keywords)))
