"""The core is pure, values in and values out: neither it nor what it imports does I/O, or asks for the time."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PURE = frozenset(
    {
        "__future__", "collections", "collections.abc", "dataclasses", "datetime", "decimal", "enum", "functools",
        "hashlib", "json", "json.encoder", "msgspec", "operator", "phonenumbers", "re", "sys.intern", "typing",
        "unicodedata", "usaddress", "uuid",
    }
)  # fmt: skip
"""Modules, and of `sys` the one name, that give the same answer whenever and wherever they are asked."""
CLOCKS_AND_CHANCE = frozenset({"now", "utcnow", "today", "uuid1", "uuid4", "fromtimestamp", "urandom", "getrandom"})
DOORS = frozenset({"open", "print", "input", "exec", "eval", "__import__", "breakpoint"})
OURS = ("models", "reconcile")


@cache
def modules() -> dict[str, Path]:
    """The core and what it is made of, by name."""
    found = {f"reconcile.{path.stem}": path for path in sorted((ROOT / "reconcile").glob("*.py"))}
    assert len(found) > 20
    waiting = list(found.values())
    while waiting:
        for name in imported(ast.parse(waiting.pop().read_text(encoding="utf-8"))):
            path = ROOT / f"{name.replace('.', '/')}.py"
            if name not in found and path.is_file():
                found[name] = path
                waiting.append(path)
    return found


def imported(tree: ast.AST) -> Iterator[str]:
    """Names of modules, wherever in the file they are imported; of `sys` what is taken from it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, "no relative imports"
            is_package = (ROOT / node.module.replace(".", "/")).is_dir()
            if is_package or node.module == "sys":
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
            else:
                yield node.module


def impure(source: str) -> list[str]:
    """What a module does that a pure one may not."""
    tree = ast.parse(source)
    found = [name for name in imported(tree) if name not in PURE and name.partition(".")[0] not in OURS]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in CLOCKS_AND_CHANCE:
            found.append(node.attr)
        elif (
            isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in DOORS | CLOCKS_AND_CHANCE
        ):
            found.append(node.func.id)
        elif isinstance(node, ast.Global):
            found.append("global")
    return found


@pytest.mark.parametrize("name", modules())
def test_a_module_of_the_core_is_pure(name: str) -> None:
    assert impure(modules()[name].read_text(encoding="utf-8")) == []


def test_the_core_is_made_of_itself_and_the_models() -> None:
    assert {name.partition(".")[0] for name in modules()} == set(OURS)


@pytest.mark.parametrize(
    "source",
    [
        "import psycopg2",
        "from psycopg2 import sql",
        "import requests",
        "import os",
        "import time",
        "import random",
        "import pathlib",
        "import logging",
        "import sys",
        "from sys import argv",
        "def f():\n    import socket",
        "from postgres.state import Known",
        "from cli import settings",
        "import monday_api",
        "from datetime import datetime\nx = datetime.now()",
        "from datetime import date\nx = date.today()",
        "import uuid\nx = uuid.uuid4()",
        "from uuid import uuid4\nx = uuid4()",
        "x = open('f')",
        "def f():\n    global x",
    ],
)
def test_what_is_not_pure_is_seen(source: str) -> None:
    assert impure(source)


@pytest.mark.parametrize(
    "source",
    ["import msgspec", "from sys import intern", "from reconcile import amounts, phones", "from models import RowId"],
)
def test_what_is_pure_is_let_through(source: str) -> None:
    assert impure(source) == []
