"""libpq takes from the environment what it was not given. A run goes by its settings alone, or says what it refuses."""

from __future__ import annotations

import os
import re

import pytest

from db_connector import Database
from postgres.url import connection_keywords, parse_database_url
from reconcile.errors import ConfigError
from tests.support.company import PUSH, Company
from tests.support.servers import Keywords

REFUSED = {
    "PGHOSTADDR": "127.0.0.9",
    "PGSERVICE": "other_service",
    "PGSERVICEFILE": "/nowhere",
    "PGOPTIONS": "-c search_path=other",
    "PGPASSFILE": "/nowhere",
    "PGTARGETSESSIONATTRS": "standby",
    "PGSSLROOTCERT": "/nowhere",
    "PGREQUIREAUTH": "none",
    "PGGSSENCMODE": "require",
    "PGSSLMINPROTOCOLVERSION": "TLSv1.3",
    "PGLOADBALANCEHOSTS": "random",
}
UNHEARD = {
    "PGPORT": "1",
    "PGHOST": "127.0.0.9",
    "PGUSER": "nobody",
    "PGPASSWORD": "wrong",
    "PGDATABASE": "none",
    "PGSSLMODE": "verify-full",
    "PGCLIENTENCODING": "LATIN1",
    "PGDATESTYLE": "German",
    "PGTZ": "Nowhere/Never",
    "PGGEQO": "perhaps",
    "PGAPPNAME": "somebody else",
    "PGCONNECT_TIMEOUT": "never",
    "PGDATA": "/nowhere",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_lead_a_run_elsewhere_is_refused_by_name(company: Company, name: str) -> None:
    company.overrides[name] = REFUSED[name]
    for program in ("sync_monday_to_pg.py", PUSH, "test_sync.py"):
        ended = company.run(program=program)
        assert (ended.code, name in ended.out + ended.err) == (2, True)
        assert not re.search(rf"\b{re.escape(REFUSED[name])}\b", ended.out + ended.err)
    assert company.contents() == {}


def test_what_is_said_by_the_url_already_changes_nothing(company: Company) -> None:
    company.overrides |= UNHEARD
    assert company.sync().code == 0
    assert company.process("--test").code == 0


@pytest.mark.parametrize("name", REFUSED | UNHEARD)
def test_no_connection_hears_the_environment(keywords: Keywords, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, (REFUSED | UNHEARD)[name])
    with Database(keywords) as database:
        found = database.transact(
            lambda tx: tx.one("SELECT current_database(), current_setting('application_name')"),
            read_only=True,
            label="looking",
        )
    assert found == (keywords["dbname"], "monday_sync")
    assert os.environ[name] == (REFUSED | UNHEARD)[name]


NEON = "postgresql://ann:secret@ep-cool-rain-123456.eu-central-1.aws.neon.tech/wra?sslmode=require&options="


@pytest.mark.parametrize(
    "options", ["endpoint%3Dep-cool-rain-123456", "endpoint=ep-cool-rain-123456", "project%3Dcool-123"]
)
def test_neons_endpoint_is_passed_on(options: str) -> None:
    keywords = connection_keywords(parse_database_url(NEON + options))
    assert keywords["options"].partition("=")[0] in ("endpoint", "project")


@pytest.mark.parametrize(
    "options", ["-c%20search_path%3Dother", "endpoint%3Dep-1%20-c%20x%3D1", "endpoint%3D", "endpoint%3D-c", ""]
)
def test_other_options_are_refused_with_what_to_do(options: str) -> None:
    with pytest.raises(ConfigError, match="options"):
        connection_keywords(parse_database_url(NEON + options))
