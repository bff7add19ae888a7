"""`python -m tests.safeguards` can be run: the lines that it takes out are there, and so are the tests it names."""

from __future__ import annotations

import ast

import pytest

from tests.safeguards import ROOT, SAFEGUARDS, Safeguard, without


@pytest.mark.parametrize("guard", SAFEGUARDS, ids=lambda guard: guard.name)
def test_a_safeguard_is_still_where_it_was(guard: Safeguard) -> None:
    changed = without(guard)
    ast.parse(changed)
    for test in guard.tests:
        path, _, name = test.partition("::")
        text = (ROOT / path).read_text(encoding="utf-8")
        assert not name or f"def {name.partition('[')[0]}(" in text
