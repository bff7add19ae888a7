"""Saved plans that are looked at again, and compared: without monday.com and without the database."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.company import Company
from tests.support.pushing import CLAIM, TEXT, jobs


@pytest.fixture
def plans(synced: Company, tmp_path: Path) -> tuple[Path, Path]:
    """Two plans: the second has one change more, and another one is otherwise."""
    one, other, *_ = jobs(synced)
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    synced.sandbox.edit(one, {CLAIM: "C-1"})
    assert synced.sync("--test", "--plan", str(first)).code == 0
    synced.sandbox.edit(one, {CLAIM: "C-2"})
    synced.sandbox.edit(other, {CLAIM: "=HYPERLINK(1)", TEXT: "\x1b[31m<b>" + "x" * 5_000})
    assert synced.sync("--test", "--plan", str(second)).code == 0
    synced.overrides.update(DATABASE_URL="postgresql://nobody:nothing@127.0.0.1:9/none", MONDAY_API_KEY="none")
    return first, second


def test_a_plan_is_shown_as_the_dry_run_printed_it(synced: Company, plans: tuple[Path, Path]) -> None:
    shown = synced.window("show", str(plans[0]))
    assert shown.code == 0, shown.err
    assert "sync_monday_to_pg.py · plan " in shown.out
    assert "projects.claim_number" in shown.out
    assert "→ C-1" in shown.out
    assert f"item {jobs(synced)[0]}" in shown.out


def test_a_plan_for_a_ticket_names_nobody(synced: Company, plans: tuple[Path, Path]) -> None:
    for path in plans:
        told = (
            synced.window("show", str(path), "--redact").out
            + synced.window("show", str(path), "--redact", "--json").out
        )
        assert "C-1" not in told
        assert "HYPERLINK" not in told
        assert "text of 3" in told or "text of 13" in told


def test_nothing_of_a_value_moves_the_cursor_or_fills_the_page(synced: Company, plans: tuple[Path, Path]) -> None:
    shown = synced.window("show", str(plans[1]))
    assert "\x1b" not in shown.out
    assert max(map(len, shown.out.splitlines())) < 300
    whole = json.loads(synced.window("show", str(plans[1]), "--json").out)
    assert any(isinstance(change["after"], str) and len(change["after"]) > 5_000 for change in whole["changes"])


def test_two_plans_are_compared(synced: Company, plans: tuple[Path, Path]) -> None:
    differ = synced.window("diff", *map(str, plans))
    assert differ.code == 5
    assert "different: approved" in differ.out
    assert "now" in differ.out
    found = json.loads(synced.window("diff", *map(str, plans), "--json").out)
    assert (len(found["new"]), len(found["gone"]), len(found["different"])) == (2, 0, 1)
    same = synced.window("diff", str(plans[0]), str(plans[0]))
    assert (same.code, "are the same, change by change" in same.out) == (0, True)


@pytest.mark.parametrize("command", ["show", "diff"])
def test_a_file_that_is_no_plan(synced: Company, tmp_path: Path, command: str) -> None:
    path = tmp_path / "letter.json"
    path.write_text("{}")
    path.chmod(0o600)
    ended = synced.window(command, *[str(path)] * (2 if command == "diff" else 1), "--json")
    assert (ended.code, ended.report["exit_code"]) == (2, 2)
    assert "is no saved plan" in ended.err


def test_a_command_that_there_is_not(company: Company) -> None:
    ended = company.window("shwo")
    assert (ended.code, "did you mean show?" in ended.err) == (2, True)
