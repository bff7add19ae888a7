"""A tenth table and a third board, typed into a copy of the checkout as docs/extending.md says, sync both ways."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sandbox import MASTER_BOARD_ID
from tests.support.company import ROOT, Company
from tests.support.pushing import jobs, project, shows

PULL, PUSH = "sync_monday_to_pg.py", "sync_pg_to_monday.py"
GUIDE = ROOT / "docs/extending.md"
VEHICLES = 1234567890
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "tests", "bench", "sandbox", "logs", "cache")
CHAPTER = re.compile(r"^## (.+)\n", re.MULTILINE)
BLOCK = re.compile(
    r"^ +(?:In `(?P<file>[^`]+)`, (?P<where>above|below) `(?P<line>[^`]+)`|A new file `(?P<new>[^`]+)`)\n"
    r"\n(?P<indent> +)```\n(?P<typed>.*?)^ +```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Block:
    """What is typed: lines above or below one of a file, or a new file (`line` is None)."""

    file: str
    line: str | None
    above: bool
    typed: str

    def into(self, folder: Path) -> None:
        path = folder / self.file
        if self.line is None:
            assert not path.exists(), f"{self.file} is there already: the guide has to take the next number"
            path.write_text(self.typed, encoding="utf-8")
            return
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        assert lines.count(f"{self.line}\n") == 1, f"{self.file} has to hold this line once: {self.line}"
        at = lines.index(f"{self.line}\n") + (not self.above)
        path.write_text("".join([*lines[:at], self.typed, *lines[at:]]), encoding="utf-8")


def blocks(chapter: str) -> list[Block]:
    """What a chapter of the guide has typed, in order."""
    parts = CHAPTER.split(GUIDE.read_text(encoding="utf-8"))
    text = dict(zip(parts[1::2], parts[2::2], strict=True))[chapter]
    found = []
    for block in BLOCK.finditer(text):
        typed = re.sub(f"^{block['indent']}", "", block["typed"], flags=re.MULTILINE)
        found.append(Block(block["file"] or block["new"], block["line"], block["where"] == "above", typed))
    assert len(found) == text.count("```") // 2, "every block says where it goes"
    return found


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of the checkout, and the company that its commands work for."""

    folder: Path
    company: Company

    def run(self, program: str, *arguments: str, code: int = 0) -> Any:
        """The object of `--json`."""
        ended = subprocess.run(
            [sys.executable, program, "--json", *arguments],
            cwd=self.folder, env=self.company.environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert ended.returncode == code, ended.stderr + ended.stdout
        return json.loads(ended.stdout)

    def in_step(self) -> None:
        for program in (PUSH, PULL):
            report = self.run(program)
            assert (report["plan"], report["waiting"], report["monday"]["mutations"]) == ("", 0, 0)


@pytest.fixture
def extended(synced: Company, tmp_path: Path) -> Callable[..., Copy]:
    """A copy with the blocks of a chapter but for those of one file. Its database was filled without them."""

    def typed(chapter: str, without: str = "") -> Copy:
        folder = tmp_path / "copy"
        shutil.copytree(ROOT, folder, ignore=LEFT_OUT)
        shutil.copy(ROOT / ".env.example", folder)
        for block in blocks(chapter):
            if block.file != without:
                block.into(folder)
        return Copy(folder, synced)

    return typed


def test_a_tenth_table(extended: Callable[..., Copy]) -> None:
    copy = extended("A table")
    company, sandbox = copy.company, copy.company.sandbox
    sandbox.add_column(MASTER_BOARD_ID, "text_crew", "Crew", "text")
    sandbox.add_column(MASTER_BOARD_ID, "phone_crew", "Crew phone", "phone")
    first, second, third = jobs(company)[:3]
    for item, name in ((first, "Night Crew"), (second, "night crew"), (third, "Day Crew")):
        sandbox.edit(item, {"text_crew": name})
    report = copy.run(PULL)
    assert (report["tables"]["crews"]["insert"], report["tables"]["projects"]["update"]) == (2, 3)
    crew = company.project(first, "crew_id")
    assert company.project(second, "crew_id") == crew != company.project(third, "crew_id")
    assert company.sql("SELECT confrelid::regclass::text FROM pg_constraint WHERE conname ~ 'crew_id'") == [("crews",)]
    copy.in_step()

    company.sql("UPDATE crews SET phone = '13035550101' WHERE id = %s", crew)
    project(company, third, crew_id=company.value("INSERT INTO crews (name) VALUES ('Roof Crew') RETURNING id"))
    company.sql("INSERT INTO projects (item_name, crew_id) VALUES ('Job 7', %s)", crew)
    assert copy.run(PUSH)["items"] == {"create": 1, "update": 3, "archive": 0, "unchanged": 5}
    assert [shows(company, item, "phone_crew") for item in (first, second)] == ["13035550101"] * 2
    assert shows(company, third, "text_crew") == "Roof Crew"
    assert shows(company, company.sandbox.find(MASTER_BOARD_ID, "Job 7")[0], "text_crew").casefold() == "night crew"
    copy.in_step()

    sandbox.edit(first, {"text_crew": "Roof Crew"})
    copy.run(PULL)
    assert company.project(first, "crew_id") == company.project(third, "crew_id")
    document = copy.folder / "monday_to_database_mapping.md"
    subprocess.run([sys.executable, "-m", "cli.mapping_doc"], cwd=copy.folder, capture_output=True, check=True)
    assert "| `crews` | `name` | chooses a row | `id` |" in document.read_text(encoding="utf-8")


def test_a_third_board(extended: Callable[..., Copy]) -> None:
    copy = extended("A board")
    company, sandbox = copy.company, copy.company.sandbox
    sandbox.add_board(VEHICLES, "VEHICLE BOARD")
    sandbox.add_column(VEHICLES, "text_plate", "Plate", "text")
    sandbox.add_column(VEHICLES, "numbers_value", "Value", "numbers")
    truck = sandbox.create(VEHICLES, "Truck", {"text_plate": "R-1", "numbers_value": "9000"})
    report = copy.run(PULL)
    assert (report["boards"]["vehicles"]["mode"], report["tables"]["vehicles"]["insert"]) == ("full", 1)
    row = "SELECT name, plate, value::text, archived_at IS NULL FROM vehicles WHERE monday_item_id = %s"
    assert company.sql(row, truck) == [("Truck", "R-1", "9000.00", True)]
    copy.in_step()

    company.sql("UPDATE vehicles SET plate = 'R-2'")
    company.sql("INSERT INTO vehicles (name, value) VALUES ('Van', 5000)")
    assert copy.run(PUSH, "--board", "vehicles")["items"] == {"create": 1, "update": 1, "archive": 0, "unchanged": 0}
    (van,) = sandbox.find(VEHICLES, "Van")
    assert (shows(company, truck, "text_plate"), shows(company, van, "numbers_value")) == ("R-2", "5000")
    copy.in_step()

    sandbox.rename(van, "White van")
    sandbox.archive(truck)
    copy.run(PULL, "--full")
    assert company.sql(row, van) == [("White van", None, "5000.00", True)]
    assert company.sql(row, truck) == [("Truck", "R-2", "9000.00", False)]


CREWS = 987654321
CREWS_BOARD = (
    Block("models.py", "class Crew(Row):", False, """    monday_item_id: int | None = None
    archived_at: datetime | None = None
"""),
    Block("reconcile/boards.py", '    "staff": BoardSpec(', True, """    "crews": BoardSpec(
        title="Crew board", setting="MONDAY_BOARD_ID_CREWS", default_id=987654321, table="crews", named_by=("name",)
    ),
"""),
    Block("monday_api.py", "BOARDS: dict[str, ColumnMap] = {", False, """    "crews": {
        "name": Column("Name", NAME, "crews.name"),
        "phone": Column("Phone", PHONE, "crews.phone"),
    },
"""),
    Block("migrations/014_crew_board.sql", None, True, """ALTER TABLE {schema}.crews
    ADD COLUMN IF NOT EXISTS monday_item_id bigint,
    ADD COLUMN IF NOT EXISTS archived_at pg_catalog.timestamptz;
"""),
)  # fmt: skip


def test_a_board_whose_records_another_board_chooses(extended: Callable[..., Copy]) -> None:
    """The crews of the tenth table get a board: what it says of a crew decides, and jobs find crews by name."""
    copy = extended("A table")
    for block in CREWS_BOARD:
        block.into(copy.folder)
    company, sandbox = copy.company, copy.company.sandbox
    sandbox.add_column(MASTER_BOARD_ID, "text_crew", "Crew", "text")
    sandbox.add_column(MASTER_BOARD_ID, "phone_crew", "Crew phone", "phone")
    sandbox.add_board(CREWS, "CREW BOARD")
    sandbox.add_column(CREWS, "phone", "Phone", "phone")
    first, second = jobs(company)[:2]
    night = sandbox.create(CREWS, "Night Crew", {"phone": {"phone": "13035550101", "countryShortName": "US"}})
    sandbox.edit(first, {"text_crew": "night crew"})
    assert copy.run(PULL)["tables"]["crews"]["insert"] == 1
    crew = "SELECT name, phone FROM crews WHERE monday_item_id = %s"
    assert company.sql(crew, night) == [("Night Crew", "13035550101")]
    assert company.project(first, "crew_id") == company.value("SELECT id FROM crews")

    sandbox.edit(first, {"phone_crew": {"phone": "13035559999", "countryShortName": "US"}})
    copy.run(PULL)
    assert company.sql(crew, night) == [("Night Crew", "13035550101")], "a job only chooses its crew"
    project(company, second, crew_id=company.value("INSERT INTO crews (name) VALUES ('Day Crew') RETURNING id"))
    assert copy.run(PUSH)["items"] == {"create": 1, "update": 1, "archive": 0, "unchanged": 8}
    assert (len(sandbox.find(CREWS, "Day Crew")), shows(company, second, "text_crew")) == (1, "Day Crew")
    copy.in_step()


@pytest.mark.parametrize(
    ("without", "says"),
    [
        ("monday_api.py", "reconcile/boards.py declares the vehicles board, and monday_api.py maps no column of it"),
        ("reconcile/boards.py", "monday_api.py maps the board vehicles, of which reconcile/boards.py declares nothing"),
    ],
)
def test_a_step_that_was_left_out_is_named_before_anything_is_read(
    extended: Callable[..., Copy], without: str, says: str
) -> None:
    copy = extended("A board", without)
    copy.company.sandbox.reset_counters()
    assert says in copy.run(PULL, code=2)["reason"]
    assert copy.company.sandbox.counters()["requests"] == 0
