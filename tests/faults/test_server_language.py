"""Why a server refuses a connection, in whatever language it says so: final after one log-in, or worth another try."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from postgres.connection import connect
from postgres.embedded import LocalPostgres
from postgres.errors import refused_connection
from reconcile.errors import ConfigError, Unavailable
from tests.support.servers import Keywords

ANN = {"host": "127.0.0.1", "port": "5432", "user": "ann", "dbname": "wra"}
AT = 'connection to server at "127.0.0.1", port 5432 failed: '

FINAL = [
    'FATAL:  password authentication failed for user "ann"',
    "FATAL:  Passwort-Authentifizierung für Benutzer »ann« fehlgeschlagen",
    "FATAL:  authentification par mot de passe échouée pour l'utilisateur « ann »",
    "FATAL:  authentification par mot de passe échouée pour l'utilisateur «\u00a0ann\u00a0»",
    "FATAL:  la autentificación password falló para el usuario «ann»",
    'ВАЖНО:  пользователь "ann" не прошёл проверку подлинности (по паролю)',
    'FATAL:  ユーザー"ann"のパスワード認証に失敗しました',
    "FATAL:  Datenbank »wra« existiert nicht",
    "FATAL:  keine Berechtigung für Datenbank »wra«\nDETAIL:  Benutzer hat das CONNECT-Privileg nicht.",
    "FATAL:  Rolle »ann« hat keine Berechtigung zum Einloggen",
    "FATAL:  kein pg_hba.conf-Eintrag für Host »127.0.0.1«, Benutzer »ann«, Datenbank »wra«, keine Verschlüsselung",
    "fe_sendauth: no password supplied",
]
AGAIN = [
    "FATAL:  tut mir leid, schon zu viele Verbindungen",
    "FATAL:  die verbleibenden Verbindungen sind für Superuser auf Nicht-Replikationsverbindungen reserviert",
    "FATAL:  das Datenbanksystem startet",
    "FATAL:  le système de base de données se lance",
    "ВАЖНО:  система баз данных останавливается",
    'FATAL:  too many connections for role "ann"',
    "Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?",
    "server closed the connection unexpectedly",
    "FATAL:  planned maintenance of cann-wra",
]


@pytest.mark.parametrize("text", FINAL)
def test_who_is_quoted_is_refused(text: str) -> None:
    refused = refused_connection(psycopg2.OperationalError(AT + text), ANN)
    assert isinstance(refused, ConfigError)
    assert "DATABASE_URL" in str(refused)
    assert text not in str(refused)


@pytest.mark.parametrize("text", AGAIN)
def test_a_server_that_speaks_of_itself_is_asked_again(text: str) -> None:
    assert refused_connection(psycopg2.OperationalError(AT + text), ANN) is None
    assert refused_connection(psycopg2.OperationalError(AT + text), {"host": "127.0.0.1"}) is None


@pytest.fixture(scope="module")
def german() -> Iterator[Keywords]:
    """A server that speaks German, where this machine has one and can make the locale."""
    system = next(Path("/usr/lib/postgresql").glob("*/bin"), None)
    if system is None or shutil.which("localedef") is None:
        pytest.skip("no PostgreSQL of the system with translations")
    folder = Path(tempfile.mkdtemp(prefix="german-"))
    folder.chmod(0o711)  # for the account that replaces root
    made = subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", str(folder / "de_DE.UTF-8")], check=False)
    if made.returncode > 1 or not (folder / "de_DE.UTF-8").exists():
        pytest.skip("the locale de_DE cannot be made here")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCPATH", str(folder))
        patch.delenv("LANGUAGE", raising=False)
        settings = {"lc_messages": "de_DE.UTF-8", "max_connections": "6", "log_connections": "on", "fsync": "off"}
        server = LocalPostgres(folder / "server", bin_dir=system, settings=settings)
        keywords = server.start()
    yield keywords | {"log": str(server.log)}
    server.stop()
    shutil.rmtree(folder)


def in_german(keywords: Keywords) -> None:
    refused = ""
    try:
        psycopg2.connect(**{**keywords, "password": "wrong"})  # type: ignore[call-overload]  # wants a DSN
    except psycopg2.OperationalError as error:
        refused = str(error)
    if "fehlgeschlagen" not in refused:
        pytest.skip("the server has no German messages")


def test_a_wrong_password_in_german_costs_one_log_in(german: Keywords) -> None:
    log = Path(german.pop("log"))
    in_german(german)
    before = log.read_text(errors="replace").count("fehlgeschlagen")
    waits: list[float] = []
    with pytest.raises(ConfigError, match="user or password"):
        connect({**german, "password": "wrong", "user": "ann"}, sleep=waits.append)
    assert (waits, log.read_text(errors="replace").count("fehlgeschlagen") - before) == ([], 1)
    with pytest.raises(ConfigError, match="database"):
        connect({**german, "dbname": "none"}, sleep=waits.append)
    held = []
    try:
        while True:
            held.append(psycopg2.connect(**german))  # type: ignore[call-overload]  # wants a DSN
    except psycopg2.OperationalError:
        pass
    with pytest.raises(Unavailable):
        connect(german, sleep=waits.append)
    assert len(waits) > 5
    for connection in held:
        connection.close()
