"""Every module of the core has a test of its own, and the examples in its docstrings are true."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
CORE = sorted(path.stem for path in (HERE.parents[1] / "reconcile").glob("*.py") if path.stem != "__init__")


@pytest.mark.parametrize("name", CORE)
def test_a_module_of_the_core_has_a_test_of_its_own(name: str) -> None:
    test = HERE / f"test_{name}.py"
    assert test.is_file(), f"write tests/unit/test_{name}.py for reconcile/{name}.py"
    text = test.read_text(encoding="utf-8")
    named = f"reconcile.{name}" in text or f"reconcile import {name}" in text or "tests.unit.script" in text
    assert named, f"tests/unit/test_{name}.py never mentions what it is for"


@pytest.mark.parametrize("name", CORE)
def test_the_examples_of_a_module_are_true(name: str) -> None:
    module = importlib.import_module(f"reconcile.{name}")
    assert doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE).failed == 0


@pytest.mark.parametrize("name", sorted(path.stem for path in HERE.glob("test_*.py")))
def test_a_test_of_the_core_needs_neither_database_nor_sandbox(name: str) -> None:
    text = (HERE / f"{name}.py").read_text(encoding="utf-8")
    imports = [line for line in text.splitlines() if line.startswith(("import ", "from "))]
    for module in ("psycopg2", "requests", "sandbox", "postgres", "monday.", "cli", "outbound", "inbound", "opening",
                   "tests.support.company", "tests.support.pushing", "tests.support.servers"):  # fmt: skip
        found = [
            line
            for line in imports
            if line.split()[1] == module or line.split()[1].startswith(f"{module.rstrip('.')}.")
        ]
        assert found == [], f"{name} belongs into tests/"
