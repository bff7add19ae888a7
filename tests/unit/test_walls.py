"""Data flows one way: each package imports only what stands below it, two libraries stay behind their wall, and so does
SQL."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FLOORS = (
    "models", "timing", "reconcile", "folders", "terminal", "monday", "postgres", "options", "settings", "monday_api",
    "db_connector", "data_cache", "run", "push", "pull", "status", "cli", "sync_pg_to_monday", "sync_monday_to_pg",
    "sync_status", "test_sync",
)  # fmt: skip
"""From the ground up. A pull stands above a push: it settles what a push left unfinished."""
WALLS = {
    "psycopg2": ("postgres", "db_connector"),
    "requests": ("monday",),
    "click": ("options", "terminal", "run", "status", "cli", "db_connector", "monday_api", *FLOORS[-4:]),
}
"""A library, and the only places that may know it."""
BELOW_MAIN = {"terminal", "settings", "cli"}
"""What a module may import inside a function, since it is also a command of its own: `python monday_api.py`."""


STATEMENT = re.compile(
    r"^\s*\(?(SELECT|INSERT INTO|UPDATE [\w.{}]+ SET|DELETE FROM|WITH \w+ AS|VALUES|TRUNCATE|COPY|BEGIN|COMMIT|ROLLBACK"
    r"|SAVEPOINT|SET (LOCAL|SESSION|\w+ =)|LOCK|LISTEN|NOTIFY|(CREATE|ALTER|DROP|GRANT|REVOKE) [A-Z]{2,})\b",
    re.MULTILINE,
)
"""How a statement begins. One in the middle of a sentence is for a person to run."""
RUNS = {"execute", "rows", "one", "batch", "batch_one", "copy_in"}
"""Methods of a transaction that run a statement."""


def modules() -> Iterator[tuple[str, Path]]:
    """(floor, file) of the product."""
    for floor in FLOORS:
        folder = ROOT / floor
        files = sorted(folder.rglob("*.py")) if folder.is_dir() else [ROOT / f"{floor}.py"]
        yield from ((floor, path) for path in files)


def imported(source: str) -> Iterator[tuple[str, bool]]:
    """(first name of an imported module, whether it is imported inside a function)."""

    def walk(node: ast.AST, inside: bool) -> Iterator[tuple[str, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from ((name.name.partition(".")[0], inside) for name in child.names)
            elif isinstance(child, ast.ImportFrom) and child.module and not child.level:
                yield child.module.partition(".")[0], inside
            yield from walk(child, inside or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef))

    yield from walk(ast.parse(source), False)


def wrong(floor: str, source: str) -> list[str]:
    """What a file of this floor imports and may not."""
    found = []
    for name, inside in imported(source):
        if name in FLOORS and FLOORS.index(name) > FLOORS.index(floor) and not (inside and name in BELOW_MAIN):
            found.append(name)
        if name in WALLS and floor not in WALLS[name]:
            found.append(name)
    return found


def sql_in(source: str) -> list[str]:
    """Statements that a file holds in its strings, docstrings aside, and its calls that run one."""
    tree = ast.parse(source)
    seen = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
            found += [text] if STATEMENT.search(text) else []
            seen |= {id(part) for part in node.values}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in seen:
            found += [node.value] if STATEMENT.search(node.value) else []
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found += [f"{node.value.id}.{node.attr}"] if node.value.id == "tx" and node.attr in RUNS else []
    return found


@pytest.mark.parametrize(
    ("floor", "path"), list(modules()), ids=lambda part: str(part.name if isinstance(part, Path) else part)
)
def test_a_file_imports_only_what_stands_below_it(floor: str, path: Path) -> None:
    assert wrong(floor, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "path",
    [path for floor, path in modules() if floor not in ("postgres", "test_sync")],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_sql_stands_in_its_own_package(path: Path) -> None:
    assert sql_in(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("x = 'SELECT 1'", ["SELECT 1"]),
        ("x = f'\\n  UPDATE {t} SET a = 1'", ["\n  UPDATE {} SET a = 1"]),
        ("x = 'UPDATE projects SET a = 1'", ["UPDATE projects SET a = 1"]),
        ("x = '(SELECT id FROM t)'", ["(SELECT id FROM t)"]),
        ("x = 'WITH l AS (TABLE t) INSERT'", ["WITH l AS (TABLE t) INSERT"]),
        ("x = 'CREATE TABLE t ()'", ["CREATE TABLE t ()"]),
        ("tx.rows(QUERY)", ["tx.rows"]),
        ("tx.execute(QUERY)", ["tx.execute"]),
        ("transport.execute(QUERY)", []),
        ("x = 'see the reasons: SELECT * FROM monday_sync.sync_dead'", []),
        ("x = 'CREATE on the database'", []),
        ("def f():\n    'SELECT 1'", []),
    ],
)
def test_sql_is_known_where_it_stands(source: str, found: list[str]) -> None:
    assert sql_in(source) == found


@pytest.mark.parametrize(
    ("floor", "source", "found"),
    [
        ("reconcile", "from postgres.bases import places", ["postgres"]),
        ("push", "import pull.apply", ["pull"]),
        ("pull", "from psycopg2 import sql", ["psycopg2"]),
        ("run", "def late():\n    import requests", ["requests"]),
        ("monday_api", "def main():\n    from cli.doctor.command import main", []),
        ("monday_api", "from cli.doctor.command import main", ["cli"]),
        ("pull", "from push.recover import recover", []),
    ],
)
def test_what_climbs_a_wall_is_found(floor: str, source: str, found: list[str]) -> None:
    assert wrong(floor, source) == found


def test_every_package_has_its_floor() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "bench", "sandbox"}
    assert packages <= set(FLOORS)
