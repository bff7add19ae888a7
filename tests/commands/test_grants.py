"""The statements of docs/security.md, as they stand there, are all that a role needs."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator

import pytest
from psycopg2 import extensions

from reconcile.tables import TABLES
from sandbox import MASTER_BOARD_ID
from tests.support.company import PUSH, ROOT, Company, job_cells
from tests.support.servers import Keywords

STATEMENTS = dict(
    re.findall(
        r"```sql\n-- grants: (.+?)\n(.+?)```", (ROOT / "docs/security.md").read_text(encoding="utf-8"), re.DOTALL
    )
)
NOTE = "text43__1"


class Owner:
    """A superuser who pastes the statements, for roles and a database of other names."""

    def __init__(self, admin: extensions.connection, company: Company, database: Keywords) -> None:
        self.admin, self.company, self.database = admin, company, database
        tail = uuid.uuid4().hex[:8]
        self.names = {"sync": f"sync_{tail}", "daily": f"daily_{tail}", "wra": database["dbname"]}
        company.sql("REVOKE ALL ON SCHEMA public FROM PUBLIC")  # nothing that every role has anyway is at work
        self._run(f"REVOKE ALL ON DATABASE {database['dbname']} FROM PUBLIC")

    def pastes(self, title: str) -> None:
        assert STATEMENTS[title].count(";") >= 1
        text = re.sub(r"\b(sync|daily|wra)\b", lambda found: self.names[found[0]], STATEMENTS[title])
        self.company.sql(text.replace("%", "%%"))

    def lets_work(self, role: str, password: str) -> None:
        self.company.database = {**self.database, "user": self.names[role], "password": password}

    def leave(self) -> None:
        for role in ("sync", "daily"):
            name = self.names[role]
            with self.admin.cursor() as cursor:
                cursor.execute("SELECT FROM pg_roles WHERE rolname = %s", (name,))
                if cursor.rowcount:
                    self.company.sql(f"DROP OWNED BY {name} CASCADE")
                    cursor.execute(f"DROP ROLE {name}")

    def _run(self, statement: str) -> None:
        with self.admin.cursor() as cursor:
            cursor.execute(statement)


@pytest.fixture
def owner(admin: extensions.connection, company: Company, blank: Keywords) -> Iterator[Owner]:
    owner = Owner(admin, company, blank)
    yield owner
    owner.leave()


def a_day(company: Company) -> None:
    """Both commands, with edits, new rows and new items, something set aside, and the doctor."""
    sandbox = company.sandbox
    item, other, *_ = [number for (number,) in company.sql("SELECT monday_item_id FROM projects ORDER BY 1")]
    company.sql("UPDATE customers SET notes = 'from SQL' WHERE name = 'Owner 1'")
    company.sql("UPDATE projects SET description = 'typed in SQL' WHERE monday_item_id = %s", item)
    company.sql("INSERT INTO projects (item_name, name) VALUES ('A job from SQL', 'A job from SQL')")
    sandbox.edit(other, {NOTE: "from the board"})
    sandbox.create(MASTER_BOARD_ID, "A new job", job_cells(77))
    for arguments in ([], ["--full"], ["--test"]):
        pull = company.run(*arguments)
        assert pull.code in (0, 5), pull.err
        push = company.run(*[word for word in arguments if word != "--full"], program=PUSH)
        assert push.code in (0, 5), push.err
    assert company.value("SELECT count(*) FROM projects WHERE monday_item_id IS NULL") == 0
    doctor = company.run(program="test_sync.py")
    assert doctor.code == 0, doctor.out


def started(company: Company) -> None:
    for arguments in (["--test"], []):
        first = company.run(*arguments)
        assert first.code == 0, first.err
    assert company.run("--setup-marker", program=PUSH).code == 0


@pytest.mark.own_role
def test_one_role(owner: Owner) -> None:
    owner.pastes("the first run")
    owner.lets_work("sync", "a long random one")
    started(owner.company)
    a_day(owner.company)
    owner.pastes("from then on")
    owner.company.sql("UPDATE customers SET notes = 'again' WHERE name = 'Owner 2'")
    for program in ("sync_monday_to_pg.py", PUSH, "test_sync.py"):
        assert owner.company.run(program=program).code == 0


@pytest.mark.own_role
def test_tables_of_another_owner(owner: Owner) -> None:
    started(owner.company)
    owner.company.sql("DROP SCHEMA monday_sync CASCADE")
    for table in TABLES:
        owner.company.sql(f"TRUNCATE {table} CASCADE")
    owner.pastes("the first run")
    owner.company.sql(f"REVOKE CREATE ON SCHEMA public FROM {owner.names['sync']}")
    owner.pastes("tables of another owner")
    owner.lets_work("sync", "a long random one")
    assert owner.company.run("--rebind-db").code == 0
    a_day(owner.company)


@pytest.mark.own_role
def test_a_role_that_owns_nothing(owner: Owner) -> None:
    owner.pastes("the first run")
    owner.lets_work("sync", "a long random one")
    started(owner.company)
    owner.pastes("a role that owns nothing")
    owner.lets_work("daily", "another long random one")
    a_day(owner.company)
