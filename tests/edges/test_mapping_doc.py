"""The mapping document says what the mapping says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.mapping_doc import DOCUMENT, SECTIONS, main, render
from monday_api import BOARDS, STAGE_STATUS
from reconcile.boards import BOARD_SPECS
from reconcile.errors import ConfigError
from reconcile.tables import TABLES


def fresh() -> str:
    return DOCUMENT.read_text(encoding="utf-8")


def test_the_document_is_up_to_date() -> None:
    ended = CliRunner().invoke(main, ["--check"])
    assert ended.exit_code == 0, ended.output


def test_each_column_of_each_board_has_one_line() -> None:
    parts = re.split(r"^## (.+)$", SECTIONS["boards"](), flags=re.MULTILINE)[1:]
    named = {
        title: re.findall(r"^\| `([^`]+)` \|", part, re.MULTILINE)
        for title, part in zip(parts[::2], parts[1::2], strict=True)
    }
    assert named == {spec.title: list(BOARDS[board]) for board, spec in BOARD_SPECS.items()}


def test_each_target_is_a_column_of_a_model() -> None:
    for table, column in re.findall(r"`(\w+)\.(\w+)`", SECTIONS["boards"]()):
        assert column in TABLES[table].__struct_fields__


def test_each_stage_is_listed_once() -> None:
    listed = re.findall(r"^\| `\w+` \| (.+) \|$", SECTIONS["status"](), re.MULTILINE)
    assert sorted(", ".join(listed).split(", ")) == sorted(STAGE_STATUS)


def test_a_stale_document_fails_the_check_and_is_then_written(tmp_path: Path) -> None:
    stale = tmp_path / "mapping.md"
    stale.write_text(fresh().replace("| Total price |", "| Price |"), encoding="utf-8")
    assert CliRunner().invoke(main, ["--check", str(stale)]).exit_code == 1
    assert "| Price |" in stale.read_text(encoding="utf-8"), "a check writes nothing"
    assert CliRunner().invoke(main, [str(stale)]).exit_code == 0
    assert stale.read_text(encoding="utf-8") == fresh()


def test_prose_is_left_alone() -> None:
    assert render("By hand.\n" + fresh() + "The end.\n") == "By hand.\n" + fresh() + "The end.\n"


@pytest.mark.parametrize(
    "broken",
    [
        fresh().replace("<!-- generated: boards -->", ""),
        fresh().replace("<!-- generated: boards -->", "<!-- generated: nobody -->"),
        fresh().replace("<!-- generated: boards -->", "<!-- generated: slots -->"),
    ],
    ids=["absent", "unknown", "another twice"],
)
def test_each_part_has_to_be_there_once(broken: str) -> None:
    with pytest.raises(ConfigError, match="it needs each of tables, slots, boards, status once"):
        render(broken)
