"""Nothing that another user of the database has made is ever called, and the owner's own triggers find what is theirs.

Whoever may create something in a schema of the role's search_path can put a function, an operator or a type there that
fits better than PostgreSQL's own. Called by the sync, it would act with the rights of the sync's role.
"""

from __future__ import annotations

import ast
import io
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2 import extensions

from db_connector import Database, Transaction, describe
from models import RowId
from postgres.schema import fields_of
from postgres.state import row_hash, tracked_columns
from reconcile.tables import TABLES
from sandbox import MASTER_BOARD_ID
from tests.support.company import PUSH, ROOT, Company, job_cells, small_world
from tests.support.copies import EDITS, PULLED, PUSHED, boards_of, tables_of
from tests.support.servers import Keywords

pytestmark = pytest.mark.own_role

NOTE, EMAIL, POLICY, INSURANCE = "text43__1", "email4__1", "dup__of_text0__1", "text31__1"

PASSWORD = "an-entirely-plain-one"
PACKAGES = ("postgres", "inbound", "outbound", "opening", "cli")

# Another user's traps -------------------------------------------------------------------------------------------------

# A trap is a function of the caller's rights, as a real one would be. That it was called is counted outside of the
# transaction, since an error of a trigger or function may be taken for a row's fault.
SPRUNG = """
CREATE SEQUENCE public.sprung_traps;
GRANT ALL ON SEQUENCE public.sprung_traps TO PUBLIC;
CREATE FUNCTION public.sprung(what text) RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog AS $$ BEGIN
    IF current_setting('transaction_read_only') = 'off' THEN PERFORM nextval('public.sprung_traps'); END IF;
    RAISE EXCEPTION 'sprung: %', what;
END $$;
"""
PLANT = """
CREATE FUNCTION public.plant(traps text[]) RETURNS integer LANGUAGE plpgsql SET search_path = pg_catalog AS $$ DECLARE
    planted integer := 0;
    trap text;
BEGIN
    FOREACH trap IN ARRAY traps LOOP BEGIN
        EXECUTE trap;
        planted := planted + 1;
    EXCEPTION WHEN OTHERS THEN NULL; END; END LOOP;  -- such as a type that no function of a language may take
    RETURN planted;
END $$
"""
FUNCTIONS = """
SELECT proname, ARRAY(SELECT format_type(t, NULL) FROM unnest(proargtypes) WITH ORDINALITY AS u (t, n) ORDER BY n),
    format_type(prorettype, NULL)
FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace
"""
OPERATORS = """
SELECT oprname, array_remove(ARRAY[CASE WHEN oprleft <> 0 THEN format_type(oprleft, NULL) END,
    format_type(oprright, NULL)], NULL), format_type(oprresult, NULL)
FROM pg_operator WHERE oprnamespace = 'pg_catalog'::regnamespace AND oprright <> 0
"""
TYPES = """
SELECT typname FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype = 'b' AND typelem = 0
"""
ELEMENTS = (
    "text",
    "uuid",
    "bigint",
    "integer",
    "name",
    "jsonb",
    "varchar",
    "numeric",
    "timestamptz",
    "date",
    "boolean",
)


def traps(cursor: extensions.cursor) -> Iterator[str]:
    """Everything that PostgreSQL has, once more, in the order in which it can be made."""
    cursor.execute(FUNCTIONS)
    for name, types, result in cursor.fetchall():
        for some, one in _signatures(types, result):
            yield _function(f'"{name}"', some, one, f"function {name}")
    cursor.execute(OPERATORS)
    for number, (name, types, result) in enumerate(cursor.fetchall()):
        for again, (some, one) in enumerate(_signatures(types, result)):
            behind = f"behind_{number}_{again}"
            yield _function(behind, some, one, f"operator {name}")
            left = f"LEFTARG = {some[0]}, " if len(some) == 2 else ""
            yield f"CREATE OPERATOR public.{name} ({left}RIGHTARG = {some[-1]}, FUNCTION = public.{behind})"
    yield from (_function(*trap) for trap in _of_any_number())
    cursor.execute(TYPES)
    for (name,) in cursor.fetchall():
        yield f"""CREATE DOMAIN public."{name}" AS pg_catalog."{name}" CHECK (public.sprung('type {name}'))"""


def _signatures(types: list[str], result: str) -> Iterator[tuple[list[str], str]]:
    """The same one, which wins where pg_catalog comes later in the path. And others, which fit better wherever they
    stand in it: for one type where that one is for any, for another kind of text where it is for text."""
    yield types, result
    for element in ELEMENTS if any(kind.startswith("any") for kind in types) else ():
        yield [_made_of(kind, element) for kind in types], _made_of(result, element)
    for kind in ("varchar", "name") if "text" in types else ():
        yield [kind if known == "text" else known for known in types], result


def _made_of(kind: str, element: str) -> str:
    if kind in ("anyarray", "anycompatiblearray"):
        return f"{element}[]"
    return element if kind in ("anyelement", "anynonarray", "anycompatible", "anycompatiblenonarray") else kind


def _function(name: str, types: list[str], result: str, what: str) -> str:
    return (
        f"CREATE FUNCTION public.{name} ({', '.join(types)}) RETURNS {result} LANGUAGE plpgsql"
        f" AS $f$ BEGIN PERFORM public.sprung('{what}'); END $f$"
    )


def _type_of(table: str, column: str) -> str:
    return {RowId: "uuid", Decimal: "numeric", date: "date"}.get(fields_of(table)[column], "text")


def _of_any_number() -> Iterator[tuple[str, list[str], str, str]]:
    """Those that take any number of any types, as the sync calls them: rows' contents, and lists of texts."""
    contents = [[_type_of(table, column) for column in tracked_columns(table)] for table in TABLES]
    texts = [["text"] * count for count in range(1, 25)]
    others = [["uuid", "boolean", "bigint", "boolean", "boolean", "uuid", "boolean"], ["bigint"] * 2, ["unknown"]]
    for function in ("jsonb_build_array", "json_build_array", "jsonb_build_object", "json_build_object"):
        for types in (*contents, *texts, *others):
            yield function, types, function.partition("_")[0], f"function {function}"
    for kind in ELEMENTS:
        yield "count", [kind], "bigint", "function count"


@dataclass(slots=True)
class Shared:
    """A database that the sync's role shares with another user, who may create what he likes in schema public."""

    company: Company
    role: str
    stranger: str

    def searches(self, path: str) -> None:
        self._run(f"ALTER ROLE {self.role} SET search_path = {path}")

    def plants(self) -> int:
        """The number of traps."""
        with self.company.connected() as connection, connection, connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL ROLE {self.stranger}; SET LOCAL search_path = pg_catalog")
            cursor.execute(SPRUNG + PLANT)
            cursor.execute("SELECT public.plant(%s)", (list(traps(cursor)),))
            ((planted,),) = cursor.fetchall()
        return int(planted)

    def falls_for(self, statement: str) -> bool:
        """Whether whoever runs a statement carelessly springs a trap."""
        careless = psycopg2.connect(**self.company.database)  # type: ignore[call-overload]  # the stubs want a DSN
        try:
            with careless, careless.cursor() as cursor:
                cursor.execute(statement)
        except psycopg2.errors.RaiseException as error:
            return "sprung" in str(error)
        finally:
            careless.close()
        return False

    def sprung(self) -> bool:
        return bool(self.company.value("SELECT is_called FROM public.sprung_traps"))

    def _run(self, statement: str) -> None:
        self.company.sql(statement)


@pytest.fixture
def shared(admin: extensions.connection, company: Company, blank: Keywords) -> Iterator[Shared]:
    tail = uuid.uuid4().hex[:8]
    shared = Shared(company, f"sync_{tail}", f"stranger_{tail}")
    company.sql(
        f"CREATE ROLE {shared.role} LOGIN PASSWORD '{PASSWORD}'; CREATE ROLE {shared.stranger};"
        f"GRANT CREATE ON DATABASE {blank['dbname']} TO {shared.role};"
        f"CREATE SCHEMA company AUTHORIZATION {shared.role};"
        f"GRANT USAGE, CREATE ON SCHEMA public TO {shared.stranger};"
        f"ALTER ROLE CURRENT_USER IN DATABASE {blank['dbname']} SET search_path = company"  # people are in no danger
    )
    company.direct = blank
    company.database = {**blank, "user": shared.role, "password": PASSWORD}
    yield shared
    company.sql(f"DROP OWNED BY {shared.role}, {shared.stranger} CASCADE; DROP ROLE {shared.role}, {shared.stranger}")


def a_life(company: Company) -> Any:
    """Both directions, dry and real, with everything that they ever write; how it went, and how all is in the end."""
    sandbox, codes = company.sandbox, []

    def run(*arguments: str, program: str = "sync_monday_to_pg.py") -> None:
        ended = company.run(*arguments, program=program)
        assert ended.code in (0, 4, 5), (arguments, ended.err, ended.out)
        codes.append((program, *arguments, ended.code))

    items = [sandbox.find(MASTER_BOARD_ID, f"Job {number}")[0] for number in range(1, 7)]
    for number, item in enumerate(items):
        sandbox.edit(item, {POLICY: f"POL {number}", INSURANCE: "Acme Mutual"})
    run("--test")
    run()
    company.sql(OWNERS)
    for item, number in zip(items[:2], (2, 1), strict=True):  # they exchange their e-mails
        sandbox.edit(item, {EMAIL: {"email": f"owner{number}@mail.example", "text": f"owner{number}@mail.example"}})
    sandbox.edit(items[2], {NOTE: "refused"})
    sandbox.create(MASTER_BOARD_ID, "Job 9", job_cells(9) | {NOTE: "refused"})
    run("--test", "-v", "--max-change", "100")
    run("--max-change", "100")
    company.sql(EDITS + MORE_EDITS)
    sandbox.advance(60)
    sandbox.edit(items[4], {"text40__1": "from monday"})
    for arguments in (["--test", "-v"], [], PUSHED, []):
        run(*arguments, program=PUSH)
    for arguments in (["--test"], [], ["--full", *PULLED], []):
        run(*arguments)
    run(program="test_sync.py")
    described = describe(Database(company.database))
    assert "tables      9 of 9" in "\n".join(described)
    dead = company.sql("SELECT kind, count(*) FROM monday_sync.sync_dead GROUP BY 1 ORDER BY 1")
    counts = company.sql("SELECT state, winner, count(*) FROM monday_sync.sync_conflict GROUP BY 1, 2 ORDER BY 1, 2")
    return codes, dead, counts, boards_of(company), tables_of(company)


# What makes the sync write in other ways: values that rows exchange, a deferred constraint, a rewrite rule, a check.
OWNERS = """
CREATE UNIQUE INDEX one_email ON customers (email);
ALTER TABLE policies ADD CONSTRAINT one_number UNIQUE (policy_number, customer_id) DEFERRABLE INITIALLY DEFERRED;
CREATE RULE nobody AS ON INSERT TO customers WHERE NEW.email = 'nobody@mail.example' DO INSTEAD NOTHING;
ALTER TABLE customers ADD CONSTRAINT no_refusal CHECK (notes <> 'refused');
"""
MORE_EDITS = """
UPDATE users SET first_name = 'Ada' WHERE name = 'Rep 1 Green';
UPDATE projects SET estimator_id = (SELECT id FROM users WHERE name = 'Rep 2 Green') WHERE item_name = 'Job 3';
"""


PATHS = {
    "pg_catalog last": "company, public, pg_catalog",
    "as usual": '"$user", company, public',
}


@pytest.mark.parametrize("path", PATHS)
def test_no_trap_of_another_user_is_ever_sprung(shared: Shared, keywords: Keywords, tmp_path: Path, path: str) -> None:
    shared.searches(PATHS[path])
    assert shared.plants() > 4000
    lived = a_life(shared.company)
    assert not shared.sprung()
    with small_world() as sandbox:
        assert lived == a_life(Company(sandbox, keywords, tmp_path.parent / "undisturbed"))
    made = shared.company.sql(
        "SELECT a.attrelid::regclass, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
        " LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum JOIN pg_type t ON t.oid = a.atttypid"
        " WHERE c.relnamespace IN ('company'::regnamespace, 'monday_sync'::regnamespace)"
        " AND (t.typnamespace = 'public'::regnamespace OR pg_get_expr(d.adbin, d.adrelid) LIKE '%public%')"
    )
    assert made == []


CARELESS = {
    "pg_catalog last": (
        "SELECT now()",
        "SELECT max(relname::pg_catalog.text) FROM pg_class",
        "SELECT 1 WHERE 'a'::pg_catalog.text IN ('a', 'b')",
        "SELECT 1 WHERE 'a'::pg_catalog.text IS DISTINCT FROM 'b'",
        "SELECT 'a'::text",
        "SELECT '{00000000-0000-0000-0000-000000000000}'::uuid[]",
        "SELECT FROM pg_class a JOIN pg_class b USING (oid)",
    ),
    "as usual": (
        "SELECT array_remove(current_schemas(false), 'monday_sync')",
        "SELECT md5(jsonb_build_array('a'::text, 'b'::text)::text)",
        "SELECT split_part('a.b'::varchar, '.'::varchar, 1)",
        "SELECT ARRAY['a'::text] || 'b'::text",
    ),
}


@pytest.mark.parametrize("path", PATHS)
def test_the_traps_are_sprung_by_whoever_is_careless(shared: Shared, path: str) -> None:
    shared.searches(PATHS[path])
    shared.plants()
    assert [statement for statement in CARELESS[path] if not shared.falls_for(statement)] == []
    assert shared.sprung()


# What is the owner's own ----------------------------------------------------------------------------------------------

# Functions and tables of schema `company`, which is on the path, without their schema: in triggers of each kind (the
# deferred ones run at COMMIT), a check, a default, a generated column and an event trigger.
UNQUALIFIED = """
CREATE TABLE seen (what text, PRIMARY KEY (what));
CREATE TABLE banned (stage text);
INSERT INTO banned VALUES ('Never');
CREATE FUNCTION see(what text) RETURNS void LANGUAGE sql VOLATILE AS $$ INSERT INTO seen VALUES ($1) ON CONFLICT DO NOTHING $$;
CREATE FUNCTION allowed(stage text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
    PERFORM see('check');
    RETURN NOT EXISTS (SELECT FROM banned b WHERE b.stage = $1);
END $$;
CREATE FUNCTION doubled(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN twice($1); END $$;
CREATE FUNCTION twice(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT $1 || $1 $$;
CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM see(concat_ws(' ', TG_ARGV[0], TG_OP, TG_TABLE_NAME));
    RETURN NEW;
END $$;
CREATE TABLE ended (what text);
CREATE FUNCTION conclude() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO ended VALUES (NEW.what);
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON seen DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION conclude();
CREATE FUNCTION of_today() RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM see('default'); RETURN 'today'; END $$;
ALTER TABLE projects ADD CONSTRAINT allowed CHECK (allowed(current_stage));
ALTER TABLE customers ADD made text DEFAULT of_today();
ALTER TABLE customers ADD twice text GENERATED ALWAYS AS (doubled(name)) STORED;
"""  # noqa: E501  a statement a line
WATCHED = """
CREATE TRIGGER before_all BEFORE INSERT OR UPDATE ON {0} FOR EACH STATEMENT EXECUTE FUNCTION watch('before all');
CREATE TRIGGER before_each BEFORE INSERT OR UPDATE ON {0} FOR EACH ROW EXECUTE FUNCTION watch('before each');
CREATE TRIGGER after_all AFTER INSERT OR UPDATE ON {0} FOR EACH STATEMENT EXECUTE FUNCTION watch('after all');
CREATE CONSTRAINT TRIGGER deferred AFTER INSERT OR UPDATE ON {0} DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION watch('deferred');
"""
KINDS = ("before all", "before each", "after all", "deferred")
EVENTS = """
CREATE TABLE company.made (tag text);
GRANT INSERT ON company.made TO PUBLIC;
CREATE FUNCTION company.note_event() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO made VALUES (TG_TAG);
END $$;
CREATE EVENT TRIGGER note_event ON ddl_command_end EXECUTE FUNCTION company.note_event();
"""


def test_triggers_of_the_owner_find_what_they_name_without_a_schema(shared: Shared) -> None:
    company = shared.company
    shared.searches("company, public")
    company.sql(EVENTS)
    first = company.run()
    assert first.code == 0, first.err
    made = dict(company.sql("SELECT tag, count(*) FROM made GROUP BY 1"))
    assert made["CREATE TABLE"] > len(TABLES)
    assert made["ALTER TABLE"] > len(TABLES)
    company.sql("DROP EVENT TRIGGER note_event")
    company.sql(f"SET ROLE {shared.role};" + UNQUALIFIED + "".join(map(WATCHED.format, TABLES)))
    company.sql("TRUNCATE seen")

    sandbox = company.sandbox
    item, other, third, *_ = sorted(sandbox.item_ids(MASTER_BOARD_ID))
    sandbox.edit(item, {NOTE: "from the board"})
    sandbox.create(MASTER_BOARD_ID, "Job 77", job_cells(77) | {POLICY: "POL 77", INSURANCE: "Acme Mutual"})
    pulled = company.sync()
    assert (pulled.code, pulled.report["quarantined"]) == (0, 0), pulled.err
    assert _seen(company, "customers") == {f"{kind} {event}" for kind in KINDS for event in ("INSERT", "UPDATE")}
    assert _seen(company, "projects") == {f"{kind} INSERT" for kind in KINDS}
    assert (
        company.value("SELECT made || ' ' || twice FROM customers WHERE name = 'Owner 77'") == "today Owner 77Owner 77"
    )
    assert company.value("SELECT count(*) FROM seen WHERE what IN ('check', 'default')") == 2

    for each in (item, other, third):
        sandbox.edit(each, {"text95__1": "Never", "text40__1": "lands"})
    refused = company.sync()
    assert (refused.code, refused.report["quarantined"]) == (5, 3), refused.err
    assert company.value("SELECT count(*) FROM projects WHERE description = 'lands'") == 3
    for each in (item, other, third):
        sandbox.edit(each, {"text95__1": "Approved"})
    assert company.sync().code == 0

    company.sql("INSERT INTO projects (item_name, name) VALUES ('A job from SQL', 'A job from SQL')")
    company.sql(
        "UPDATE projects SET current_stage = 'Completed', estimator_id = (SELECT id FROM users ORDER BY id LIMIT 1)"
        " WHERE monday_item_id = %s",
        third,
    )
    company.sql("UPDATE users SET first_name = 'Ada' WHERE name = 'Rep 1 Green'")
    company.sql(
        "UPDATE projects SET customer_id = (SELECT id FROM customers WHERE name = 'Owner 1') WHERE name = 'Job 77'"
    )
    company.sql("TRUNCATE seen")
    pushed = company.push()
    assert (pushed.code, pushed.report["details"]["quarantined"]) == (0, []), pushed.err
    assert company.value("SELECT count(*) FROM ended") > company.value("SELECT count(*) FROM seen")
    for table in ("projects", "users", "policies"):
        assert _seen(company, table) == {f"{kind} UPDATE" for kind in KINDS}, table
    assert company.value("SELECT count(*) FROM projects WHERE monday_item_id IS NULL") == 0
    assert (company.push().report["plan"], company.sync("--full").writes) == ("", 0)


def _seen(company: Company, table: str) -> set[str]:
    """Kinds of triggers that were at work on a table, with what they were called for."""
    rows = company.sql("SELECT what FROM seen WHERE what LIKE %s", f"% {table}")
    return {what.removesuffix(f" {table}") for (what,) in rows}


# The change of the path -----------------------------------------------------------------------------------------------


def test_the_path_is_changed_where_it_must_be_and_costs_no_round_trip(any_database: Database) -> None:
    def path(tx: Transaction) -> str:
        return str((tx.one("SELECT current_setting('search_path')") or ("",))[0])

    def roles(tx: Transaction) -> str:
        with tx.role_path():
            return path(tx)

    def fail(tx: Transaction) -> None:
        with tx.savepoint(), tx.role_path():
            assert path(tx) == USUAL
            tx.execute("SELECT %s / 0", (1,))

    def work(tx: Transaction) -> int:
        before = any_database.stats.round_trips
        assert (path(tx), roles(tx), path(tx)) == (SAFE, USUAL, SAFE)
        with tx.savepoint():
            assert roles(tx) == USUAL
        assert path(tx) == SAFE
        with tx.role_path(), tx.savepoint() as part:
            part.kept = False
            assert path(tx) == USUAL
        assert (path(tx), roles(tx)) == (SAFE, USUAL)
        with tx.savepoint() as part:
            part.kept = False
            assert path(tx) == SAFE
        assert (roles(tx), path(tx)) == (USUAL, SAFE)
        with pytest.raises(psycopg2.DataError):
            fail(tx)
        assert (roles(tx), path(tx)) == (USUAL, SAFE)
        with pytest.raises(psycopg2.DataError), tx.role_path(), tx.savepoint():
            tx.copy_in("COPY public.storms (date_of_loss) FROM STDIN", io.StringIO("no day\n"))
        assert path(tx) == SAFE
        with tx.role_path():
            assert tx.copy_in("COPY public.storms (date_of_loss) FROM STDIN", io.StringIO("2026-01-02\n")) == 1
            assert tx.batch([("UPDATE public.storms SET date_of_loss = %s", ("2026-01-03",))]) == 1
        assert tx.execute("UPDATE public.storms SET date_of_loss = %(day)s WHERE '100%%' <> ''", {"day": None}) == 1
        return any_database.stats.round_trips - before

    statements, copies = 28, 2  # a COPY takes two
    assert any_database.transact(work, read_only=False, label="testing") == statements + 2 * copies


SAFE, USUAL = "pg_catalog, pg_temp", '"$user", public'


# What is written in the program ---------------------------------------------------------------------------------------

WRITES = re.compile(r"\b(UPDATE|INSERT INTO|DELETE FROM|MERGE INTO|COPY|ALTER TABLE)\s+(ONLY\s+)?\{")
"""A statement for a table of the owner's: those of the sync's own are named where they stand."""
IN_FULL = re.compile(r"OPERATOR\(pg_catalog\.[^\s)]+\)|pg_catalog\.\w+|\{\w*\}|%s")
ASSIGNMENT = re.compile(r"(\bSET|,)\s*\w+\s*=\s")
LOOKED_UP = re.compile(
    r"[-+*/<>=~!@#%^&|?]+|::\s*(?!numeric\b|varchar\b|_\b)\w+"
    r"|\b(?:IN|NOT IN|USING|NULLIF)\s*\(|\bN?I?LIKE\b|\bBETWEEN\b|\bSIMILAR\b|\bDISTINCT FROM\b|\bNATURAL\b"
    r"|\bCASE\s+(?!WHEN\b)\w+",
    re.IGNORECASE,
)
"""Operators, types, and what the grammar makes operators of, as they are looked up in the path."""


COLUMN = re.compile(
    r"\w+\s+(text|uuid|jsonb?|date|time|timestamptz|bytea|bool|int[248]|float[48]|name|xid8|inet)(?:\[\])?\s*"
    r"(?:[,;)]|NOT\b|NULL\b|DEFAULT\b|PRIMARY\b|UNIQUE\b|CHECK\b|REFERENCES\b|GENERATED\b|$)",
    re.MULTILINE,
)
"""A column that is made with a type that is no word of the grammar, as `integer` is."""


def looked_up(statement: str, functions: frozenset[str]) -> list[str]:
    """What a statement leaves to the search_path."""
    text = re.sub(r"--[^\n]*", "", statement)
    text = re.sub(r"'(?:[^']|'')*'", "", text)
    text = ASSIGNMENT.sub(" ", IN_FULL.sub(" _ ", text))
    called = [name for name in re.findall(r"(?<![.\w])(\w+)\s*\(", text) if name.lower() in functions]
    return LOOKED_UP.findall(text) + COLUMN.findall(text) + called


def _texts(path: Path) -> Iterator[str]:
    """Every string of a module, whole, with {} for what is put into an f-string."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _functions(cursor: extensions.cursor) -> frozenset[str]:
    cursor.execute("SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace")
    return frozenset(name for (name,) in cursor.fetchall()) - {"numeric", "varchar"}  # these are words of the grammar


def test_whatever_writes_or_makes_the_owners_tables_names_everything_in_full(admin: extensions.connection) -> None:
    with admin.cursor() as cursor:
        functions = _functions(cursor)
    sources = [*ROOT.glob("*.py"), *(path for name in PACKAGES for path in (ROOT / name).glob("*.py"))]
    written = [text for path in sources for text in _texts(path) if WRITES.search(text)]
    assert len(written) >= 6
    migrations = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "migrations").glob("*.sql"))]
    hashes = [row_hash(table).as_string(admin) for table in TABLES]
    careless = {text: found for text in (*written, *migrations, *hashes) if (found := looked_up(text, functions))}
    assert careless == {}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {} SET updated_at = now()",
        "UPDATE {} t SET a = 1 WHERE t.id = %s",
        "UPDATE {} t SET a = 1 WHERE t.id OPERATOR(pg_catalog.=) ANY (%s::uuid[])",
        "UPDATE {} t SET a = 1, b = t.c || 'x'",
        "UPDATE {} t SET a = 1 WHERE t.b IN (1, 2)",
        "UPDATE {} t SET a = 1 WHERE t.b IS NOT DISTINCT FROM t.c",
        "UPDATE {} t SET a = 1 FROM x JOIN y USING (id)",
        "UPDATE {} t SET a = CASE t.b WHEN 1 THEN 2 END",
        "UPDATE {} t SET a = nullif(t.b, '')",
        "INSERT INTO {} SELECT max(a) FROM x",
        "ALTER TABLE {} ADD CHECK (a LIKE 'x')",
        "ALTER TABLE {} ADD a text",
        "ALTER TABLE {} ADD a uuid[] NOT NULL, ADD b bigint",
    ],
)
def test_what_is_left_to_the_path_is_found(admin: extensions.connection, statement: str) -> None:
    with admin.cursor() as cursor:
        assert WRITES.search(statement)
        assert looked_up(statement, _functions(cursor))
