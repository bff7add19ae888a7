"""A server on another machine: who gets the password, and what is said of a certificate that nobody vouches for.

The other machine is this one by another name: `db.example` stands in the URL, and `hostaddr` says where it is.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

import psycopg2
import pytest

from postgres.connection import system_roots
from postgres.embedded import LocalPostgres
from postgres.url import connection_keywords, parse_database_url
from reconcile.errors import ConfigError
from tests.support.company import PUSH, Company, Ended
from tests.support.servers import Keywords

OPENSSL = shutil.which("openssl")
DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
"""A server that can speak TLS; the embedded one is built without."""
NAME = "db.example"
PASSWORD = "canary-password-of-the-database"
DOCTOR = "test_sync.py"
BOTH = ("sync_monday_to_pg.py", PUSH)

pytestmark = pytest.mark.skipif(OPENSSL is None, reason="openssl makes the certificates")


def certificate(folder: Path, name: str = NAME) -> tuple[Path, Path]:
    """A certificate that its own key has signed, and the key."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(
        [
            str(OPENSSL), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
            "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-out", paths[0], "-keyout", paths[1],
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    return paths


# Somebody who passes for the server -----------------------------------------------------------------------------------

ASKING: dict[str, bytes] = {
    "clear text": struct.pack("!ciI", b"R", 8, 3),
    "md5": struct.pack("!ciI", b"R", 12, 5) + b"salt",
    "nothing": struct.pack("!ciI", b"R", 8, 0) + struct.pack("!cic", b"Z", 5, b"I"),
    "Kerberos": struct.pack("!ciI", b"R", 8, 7),
}


class FakeServer:
    """Takes every client, with a certificate of its own, and asks for the log-in in its way."""

    def __init__(self, paths: tuple[Path, Path], asks: str, *, tls: bool = True) -> None:
        self.got: list[bytes] = []
        self.clients = 0
        self._asks, self._tls = ASKING[asks], tls
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*paths)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def url(self, parameters: str = "") -> str:
        return f"postgresql://ann:{PASSWORD}@{NAME}:{self.port}/wra?hostaddr=127.0.0.1{parameters}"

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.clients += 1
                with client, suppress(OSError):
                    client.settimeout(3)
                    self._talk(client)

    def _talk(self, client: socket.socket) -> None:
        first = client.recv(8)
        if first[4:] != struct.pack("!I", 80877103):  # it did not ask for TLS
            self.got.append(first + client.recv(1 << 12))
            return
        client.sendall(b"S" if self._tls else b"N")
        line = self._context.wrap_socket(client, server_side=True) if self._tls else client
        with line:
            if line.recv(1 << 12):  # the start-up message: who it is and which database
                line.sendall(self._asks)
                self.got.append(line.recv(1 << 12))


def told(fake: FakeServer) -> bool:
    return any(PASSWORD.encode() in message or message[:1] == b"p" for message in fake.got)


def everything_said(company: Company, ended: Ended) -> str:
    return ended.out + ended.err + "".join(path.read_text() for path in (company.folder / "logs").rglob("*.*"))


@pytest.mark.parametrize("asks", ASKING)
@pytest.mark.parametrize("parameters", ["", "&sslmode=verify-full", "&sslmode=require", "&sslmode="])
def test_no_server_without_a_name_gets_the_password(
    company: Company, tmp_path: Path, parameters: str, asks: str
) -> None:
    with FakeServer(certificate(tmp_path), asks) as fake:
        company.overrides["DATABASE_URL"] = fake.url(parameters)
        for program in (*BOTH, DOCTOR):
            ended = company.run(program=program)
            assert ended.code == 2, ended.err
            assert PASSWORD not in everything_said(company, ended)
        assert fake.clients == 3  # it was asked once by each: what is refused for good is not tried again
        assert not told(fake)


def test_a_server_without_tls_gets_nothing(company: Company, tmp_path: Path) -> None:
    with FakeServer(certificate(tmp_path), "clear text", tls=False) as fake:
        for parameters in ("", "&sslmode=require", "&gssencmode=prefer"):
            company.overrides["DATABASE_URL"] = fake.url(parameters)
            assert company.run().code == 2
        assert fake.got == []


@pytest.mark.soak
def test_the_fake_server_gets_what_it_is_given(company: Company, tmp_path: Path) -> None:
    """Else the tests above would prove nothing: who writes that the password may be shown, shows it."""
    with FakeServer(certificate(tmp_path), "clear text") as fake:
        company.overrides["DATABASE_URL"] = fake.url("&sslmode=require&require_auth=password")
        company.run()
        assert told(fake)


def test_a_refused_certificate_names_both_ways_to_go_on(company: Company, tmp_path: Path) -> None:
    with FakeServer(certificate(tmp_path), "clear text") as fake:
        company.overrides["DATABASE_URL"] = fake.url()
        for program in (*BOTH, DOCTOR):
            ended = company.run(program=program)
            assert ended.code == 2
            for way in ("sslrootcert=/path/ca.pem", "sslmode=require", f"{NAME}:{fake.port}"):
                assert way in ended.out + ended.err
        company.overrides["DATABASE_URL"] = fake.url("&sslmode=require")
        ended = company.run()
        assert (ended.code, "require_auth" in ended.err, "certificate" in ended.err) == (2, True, False)


# A real server that speaks TLS ----------------------------------------------------------------------------------------


class Remote:
    """A PostgreSQL with TLS, its certificate signed by nobody else."""

    def __init__(self, folder: Path) -> None:
        self.pem, key = certificate(folder)
        self.server = LocalPostgres(folder / "server", bin_dir=DEBIAN[-1].parent, settings={"fsync": "off"})
        self.keywords = self.server.start()
        data = folder / "server" / "data"
        for source, name in ((self.pem, "server.crt"), (key, "server.key")):  # where the server looks by itself
            shutil.copy(source, data / name)
            (data / name).chmod(0o600)
            os.chown(data / name, data.stat().st_uid, data.stat().st_gid)
        rules = data / "pg_hba.conf"
        rules.write_text("host all old_style 127.0.0.1/32 md5\n" + rules.read_text())
        self.admin(
            "ALTER SYSTEM SET ssl = on",
            "SELECT pg_reload_conf()",
            "SET password_encryption = md5; CREATE ROLE old_style SUPERUSER LOGIN PASSWORD 'old'",
        )

    def url(self, parameters: str = "", **changed: str) -> str:
        at = {**self.keywords, "host": NAME, **changed}
        return (
            f"postgresql://{at['user']}:{at['password']}@{at['host']}:{at['port']}/{at['dbname']}?hostaddr=127.0.0.1"
            f"{parameters.format(pem=self.pem)}"
        )

    def admin(self, *statements: str) -> None:
        connection = psycopg2.connect(**self.keywords)  # type: ignore[call-overload]  # the stubs want a DSN
        connection.autocommit = True
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        connection.close()


@pytest.fixture(scope="module")
def remote() -> Iterator[Remote]:
    if not DEBIAN:
        pytest.skip("no PostgreSQL that speaks TLS is installed")
    folder = Path(tempfile.mkdtemp(prefix="remote-"))
    folder.chmod(0o711)
    remote = Remote(folder)
    yield remote
    remote.server.stop()
    shutil.rmtree(folder)


GOOD = {
    "&sslrootcert={pem}": "the server has proved who it is",
    "&sslrootcert={pem}&sslmode=verify-ca": "the server has proved who it is",
    "&sslrootcert={pem}&channel_binding=require": "the server has proved who it is",
    "&sslmode=require&channel_binding=require": "the server has proved who it is",
    "&sslmode=require": "nobody has looked who answers",
    "&sslmode=require&require_auth=password,scram-sha-256": "is given the password if it asks",
}


@pytest.mark.parametrize("parameters", GOOD)
def test_what_leads_to_a_real_server_works_and_the_doctor_says_what_it_is_worth(
    company: Company, remote: Remote, parameters: str
) -> None:
    company.overrides["DATABASE_URL"] = remote.url(parameters)
    ended = company.sync("--test")
    assert ended.code == 0, ended.err
    told = json.loads(company.run("--json", program=DOCTOR).out)
    (line,) = [check for check in told["checks"] if check["check"] == "TLS"]
    assert GOOD[parameters] in line["says"]
    assert (line["state"] == "warning") == ("nobody has looked" in line["says"])


REFUSED: dict[str, tuple[dict[str, str], str, str]] = {
    "nobody vouches for it": ({}, "", "sslrootcert=/path/ca.pem"),
    "written out": ({}, "&sslmode=verify-full&sslrootcert=system", "sslrootcert=/path/ca.pem"),
    "another name": ({"host": "other.example"}, "&sslrootcert={pem}", "another name"),
    "no such file": ({}, "&sslrootcert=/nowhere/ca.pem", "check sslrootcert"),
    "an old password": ({"user": "old_style", "password": "old"}, "&sslrootcert={pem}", "password_encryption"),
    "a wrong password": ({"password": "wrong"}, "&sslrootcert={pem}", "user or password"),
    "another way to log in": ({}, "&sslrootcert={pem}&require_auth=md5", "require_auth"),
    "no such value": ({}, "&sslrootcert={pem}&require_auth=blind-trust", "behind the ?"),
    "no such value of another": ({}, "&sslrootcert={pem}&channel_binding=maybe", "behind the ?"),
    "public roots, any name": ({}, "&sslmode=require&sslrootcert=system", "sslmode=verify-full"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_refused_is_said_at_once(company: Company, remote: Remote, kind: str) -> None:
    changed, parameters, says = REFUSED[kind]
    company.overrides["DATABASE_URL"] = remote.url(parameters, **changed)
    for program in (*BOTH, DOCTOR):
        ended = company.run(program=program)
        assert (ended.code, says in ended.out + ended.err) == (2, True), ended.out + ended.err


def test_a_way_to_log_in_that_the_url_allows_is_taken(company: Company, remote: Remote) -> None:
    company.overrides["DATABASE_URL"] = remote.url(
        "&sslrootcert={pem}&require_auth=md5", user="old_style", password="old"
    )
    assert company.sync("--test").code == 0


def test_what_this_machine_trusts_is_enough(company: Company, remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    """An administrator adds an authority to the machine, here through the variable that OpenSSL hears."""
    company.overrides |= {"DATABASE_URL": remote.url(), "SSL_CERT_FILE": str(remote.pem)}
    assert company.sync().code == 0
    assert company.push().code == 0


# The keywords alone ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"host": NAME}, {"sslmode": "verify-full", "require_auth": "scram-sha-256", "gssencmode": "disable"}),
        ({"host": NAME, "sslmode": "require"}, {"sslmode": "require", "require_auth": "scram-sha-256"}),
        ({"host": NAME, "require_auth": "password"}, {"sslmode": "verify-full", "require_auth": "password"}),
        (
            {"host": NAME, "require_auth": "", "sslmode": ""},
            {"sslmode": "verify-full", "require_auth": "scram-sha-256"},
        ),
        ({"host": f"/tmp,{NAME}"}, {"sslmode": "verify-full", "require_auth": "scram-sha-256"}),
        ({"hostaddr": "192.0.2.1"}, {"sslmode": "verify-full", "require_auth": "scram-sha-256"}),
        ({"host": "localhost"}, {"sslmode": "prefer"}),
        ({"host": "localhost", "sslrootcert": "system"}, {"sslmode": "verify-full"}),
    ],
)
def test_every_server_elsewhere_is_verified(given: Keywords, expected: dict[str, str]) -> None:
    completed = connection_keywords(given)
    assert {name: completed[name] for name in expected} == expected
    assert ("require_auth" in completed) == ("require_auth" in expected)
    assert connection_keywords(completed) == completed


def test_the_roots_are_a_file_that_is_there() -> None:
    assert "BEGIN CERTIFICATE" in Path(system_roots()).read_text(encoding="utf-8", errors="replace")


def test_public_roots_need_a_name() -> None:
    with pytest.raises(ConfigError, match="verify-full"):
        connection_keywords(parse_database_url(f"postgresql://{NAME}/d?sslmode=verify-ca&sslrootcert=system"))
