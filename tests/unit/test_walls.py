"""Data flows one way: each package imports only what stands below it, and two libraries stay behind their wall."""

from __future__ import annotations

import ast
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


@pytest.mark.parametrize(
    ("floor", "path"), list(modules()), ids=lambda part: str(part.name if isinstance(part, Path) else part)
)
def test_a_file_imports_only_what_stands_below_it(floor: str, path: Path) -> None:
    assert wrong(floor, path.read_text(encoding="utf-8")) == []


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
