"""Who may ask the sandbox: programs of this machine, and no web page; and what it writes: its own state file."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from sandbox import MASTER_BOARD_ID, Sandbox
from sandbox.control import Remote
from sandbox.seed import seed_world

DOORS = ("/_sandbox/digest", "/_sandbox/shuffle", "/v2", "/", "/_upload/x", "/_report/x", "/elsewhere")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed_world(items=3, staff=1)) as sandbox:
        yield sandbox


def ask(sandbox: Sandbox, path: str, body: str = "{}", method: str = "POST", **headers: str) -> tuple[int, bytes]:
    """`headers` by name with `_` for `-`; Host is that of the server unless it is given."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    sent.setdefault("Host", urlsplit(sandbox.url).netloc)
    connection = http.client.HTTPConnection(urlsplit(sandbox.url).netloc, timeout=10)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in {**sent, "Content-Length": str(len(body))}.items():
        if value:
            connection.putheader(name, value)
    connection.endheaders(body.encode())
    answer = connection.getresponse()
    told = answer.status, answer.read()
    connection.close()
    return told


@pytest.mark.parametrize("path", DOORS)
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "same-origin"},
        {"Host": "evil.example"},
        {"Host": "evil.example:80"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "127.0.0.1@evil.example"},
        {"Host": "localhost.evil.example:1234"},
        {"Host": "127.0.0.1:80:80"},
        {"Host": "[::2]"},
        {"Host": "0.0.0.0"},
        {"Host": "::1"},
        {"Host": ""},
    ],
    ids=str,
)
def test_a_web_page_gets_nothing_and_changes_nothing(sandbox: Sandbox, path: str, headers: dict[str, str]) -> None:
    before = sandbox.digest(), sandbox.item_ids()
    status, body = ask(sandbox, path, json.dumps({"board_id": MASTER_BOARD_ID}), Authorization="t", **headers)
    assert status == 403
    assert b"result" not in body
    assert b"data" not in body
    assert (sandbox.digest(), sandbox.item_ids()) == before


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "OPTIONS", "DELETE"])
def test_a_command_is_sent_with_post(sandbox: Sandbox, method: str) -> None:
    assert ask(sandbox, "/_sandbox/freeze", method=method)[0] == 405


@pytest.mark.parametrize("host", ["127.0.0.1", "LOCALHOST", "localhost:8080", "[::1]", "[::1]:81"])
def test_a_program_of_this_machine_is_answered(sandbox: Sandbox, host: str) -> None:
    assert ask(sandbox, "/_sandbox/digest", Host=host, Sec_Fetch_Site="none")[0] == 200


@pytest.mark.parametrize("body", ["[]", "1", '"x"', "null", "{", '{"self": 1}'])
def test_arguments_that_are_none(sandbox: Sandbox, body: str) -> None:
    assert ask(sandbox, "/_sandbox/digest", body)[0] == 400


def test_where_a_token_is_set_a_command_needs_it() -> None:
    with Sandbox(seed_world(items=3, staff=1), token="the-token") as sandbox:
        for told in ({}, {"Authorization": "another"}, {"Authorization": "the-token2"}):
            assert ask(sandbox, "/_sandbox/digest", **told)[0] == 401
        with pytest.raises(ValueError, match="token"):
            Remote(sandbox.url)("set_token", token=None)
        assert Remote(sandbox.url, "the-token")("digest") == sandbox.digest()


def test_what_is_saved_goes_to_the_state_file_alone(tmp_path: Path) -> None:
    state, other = tmp_path / "state.json", tmp_path / "other"
    with Sandbox(seed_world(items=3, staff=1), state_file=state) as sandbox:
        remote = Remote(sandbox.url)
        for path in (str(other), str(state), "../other"):
            with pytest.raises(ValueError, match="argument"):
                remote("save", path=path)
        assert not list(tmp_path.iterdir())
        remote("save")
        assert [path.name for path in tmp_path.iterdir()] == ["state.json"]
    with Sandbox(seed_world(items=3, staff=1)) as sandbox, pytest.raises(ValueError, match="--state"):
        Remote(sandbox.url)("save")
