"""A plan that is saved by a dry run and carried out exactly, or refused with what has moved; in both directions."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from run.saved_plan import load_plan, save_plan
from sandbox import MASTER_BOARD_ID
from tests.support.company import PUSH, Company, Ended
from tests.support.pushing import CLAIM, TEXT, jobs, new_project, shows

PROGRAMS = ["sync_monday_to_pg.py", PUSH]


def run(company: Company, program: str, *options: str) -> Ended:
    return company.run("--json", *options, program=program)


def edit(company: Company, program: str, item: int, text: str) -> None:
    """On the side that this direction reads."""
    if program == PUSH:
        company.sql("UPDATE projects SET claim_number = %s WHERE monday_item_id = %s", text, item)
    else:
        company.sandbox.edit(item, {CLAIM: text})


def landed(company: Company, program: str, item: int) -> Any:
    """What the other side says by now."""
    if program == PUSH:
        return shows(company, item, CLAIM)
    return company.project(item, "claim_number")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "plan.json"


@pytest.fixture(params=PROGRAMS)
def program(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def planned(company: Company, program: str, path: Path) -> Ended:
    ended = run(company, program, "--test", "--plan", str(path))
    assert ended.code == 0, ended.err
    return ended


def test_a_plan_is_carried_out_as_it_was_approved(synced: Company, program: str, path: Path) -> None:
    one, other, *_ = jobs(synced)
    edit(synced, program, one, "C-1")
    edit(synced, program, other, "C-2")
    dry = planned(synced, program, path)
    assert path.stat().st_mode & 0o777 == 0o600
    saved = load_plan(path)
    assert (saved.plan, saved.run_id) == (dry.report["plan"], dry.report["run_id"])
    assert {change.after for change in saved.changes} >= {"C-1", "C-2"}
    assert {change.reason for change in saved.changes} <= {"edited on monday", "edited in PostgreSQL", "derived"}
    done = run(synced, program, "--apply", str(path))
    assert (done.code, done.report["plan"]) == (0, saved.plan)
    assert [landed(synced, program, item) for item in (one, other)] == ["C-1", "C-2"]


@pytest.mark.parametrize("kind", ["new", "gone", "different"])
def test_what_has_moved_is_said_and_nothing_is_written(synced: Company, program: str, path: Path, kind: str) -> None:
    one, other, *_ = jobs(synced)
    was = landed(synced, program, one)
    edit(synced, program, one, "C-1")
    planned(synced, program, path)
    edit(synced, program, *{"new": (other, "C-2"), "gone": (one, was), "different": (one, "C-3")}[kind])
    before = landed(synced, program, one)
    refused = run(synced, program, "--apply", str(path))
    assert refused.code == 4
    words = {"new": "new, not approved: ", "gone": "approved, and gone: ", "different": "different: approved "}
    assert words[kind] in refused.err
    assert ("C-3" in refused.err) == (kind == "different")
    assert kind in {entry["moved"] for entry in refused.report["moved"]}
    assert landed(synced, program, one) == before
    assert run(synced, program).code == 0


def test_the_rest_is_carried_out_where_that_is_wanted(synced: Company, program: str, path: Path) -> None:
    one, other, third, *_ = jobs(synced)
    edit(synced, program, one, "C-1")
    edit(synced, program, other, "C-2")
    planned(synced, program, path)
    edit(synced, program, other, "C-3")
    edit(synced, program, third, "C-4")
    before = landed(synced, program, other), landed(synced, program, third)
    done = run(synced, program, "--apply", str(path), "--skip-moved")
    assert done.code == 5, done.err
    assert landed(synced, program, one) == "C-1"
    assert (landed(synced, program, other), landed(synced, program, third)) == before
    assert {(entry["moved"], entry["after"]) for entry in done.report["moved"]} == {
        ("different", "C-3"),
        ("new", "C-4"),
    }
    assert any("left for the next run" in note for note in done.report["notes"])
    assert run(synced, program).code == 0
    assert [landed(synced, program, item) for item in (other, third)] == ["C-3", "C-4"]


def test_new_rows_and_items_are_approved_with_what_they_hold(synced: Company, program: str, path: Path) -> None:
    if program == PUSH:
        row = new_project(synced, "Kim Roe", claim_number="C-9")
        change = ("UPDATE projects SET claim_number = 'C-8' WHERE id = %s", row)
    else:
        item = synced.sandbox.create(MASTER_BOARD_ID, "Kim Roe", {CLAIM: "C-9"})
    planned(synced, program, path)
    if program == PUSH:
        synced.sql(*change)
    else:
        synced.sandbox.edit(item, {CLAIM: "C-8"})
    assert run(synced, program, "--apply", str(path)).code == 4
    planned(synced, program, path)
    assert run(synced, program, "--apply", str(path)).code == 0


# Files that are no plan of this place


def changed(path: Path, **fields: Any) -> None:
    raw = json.loads(path.read_bytes())
    path.write_text(json.dumps(raw | fields))


def belongs_to(path: Path, **fields: Any) -> None:
    """The plan with its checksum, made for another place."""
    plan = load_plan(path)
    from msgspec.structs import replace

    save_plan(path, replace(plan, belongs=replace(plan.belongs, **fields)))


def older(path: Path, hours: float) -> None:
    from msgspec.structs import replace

    save_plan(path, replace(load_plan(path), made_at=datetime.now(UTC) - timedelta(hours=hours)))


def linked(path: Path) -> None:
    path.rename(path.with_suffix(".real"))
    path.symlink_to(path.with_suffix(".real"))


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda path: path.unlink(), "cannot be read (No such file or directory)"),
        (lambda path: path.write_text("{"), "is no saved plan, or a part of one"),
        (lambda path: path.write_text('{"kind": "a letter"}'), "is no saved plan"),
        (lambda path: path.write_bytes(path.read_bytes()[:-20]), "is no saved plan, or a part of one"),
        (lambda path: changed(path, plan="other"), "was changed since it was saved"),
        (lambda path: changed(path, version=2), "is a plan of another version of this program"),
        (linked, "is a symbolic link"),
        (lambda path: path.chmod(0o644), "can be read or changed by others (mode 644)"),
        (lambda path: path.chmod(0o620), "can be read or changed by others (mode 620)"),
        (lambda path: older(path, 73), "SYNC_PLAN_HOURS"),
        (lambda path: older(path, -2), "SYNC_PLAN_HOURS"),
        (lambda path: belongs_to(path, database="staging"), "is a plan of another database, staging"),
        (lambda path: belongs_to(path, oid=7), "is a plan of another database"),
        (lambda path: belongs_to(path, system="4711"), "is a plan of another database"),
        (lambda path: belongs_to(path, boards={"master": 1}), "is a plan of other boards, master 1"),
        (lambda path: belongs_to(path, accounts={"master": "77"}), "is a plan of another account"),
        (lambda path: belongs_to(path, mapping={"master": "00"}), "was made by another mapping"),
        (lambda path: belongs_to(path, options={"limit": 5}), "was made with --limit 5, and this run has no such"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_plan_for_this_run(synced: Company, path: Path, spoil: Any, why: str) -> None:
    edit(synced, PROGRAMS[0], jobs(synced)[0], "C-1")
    planned(synced, PROGRAMS[0], path)
    spoil(path)
    refused = run(synced, PROGRAMS[0], "--apply", str(path))
    assert refused.code == 2
    assert why in refused.err
    assert landed(synced, PROGRAMS[0], jobs(synced)[0]) != "C-1"


def test_a_plan_of_the_other_direction(synced: Company, path: Path) -> None:
    planned(synced, PROGRAMS[0], path)
    refused = run(synced, PUSH, "--apply", str(path))
    assert (refused.code, "is a plan of sync_monday_to_pg.py" in refused.err) == (2, True)


def test_hours_can_be_chosen(synced: Company, path: Path) -> None:
    planned(synced, PROGRAMS[0], path)
    older(path, 80)
    synced.overrides["SYNC_PLAN_HOURS"] = "100"
    assert run(synced, PROGRAMS[0], "--apply", str(path)).code == 0


@pytest.mark.parametrize("there", ["a letter", "a folder", "a link"])
def test_nothing_else_is_overwritten(synced: Company, path: Path, there: str) -> None:
    if there == "a letter":
        path.write_text("dear")
    elif there == "a folder":
        path.mkdir()
    else:
        path.symlink_to(path.with_name("elsewhere"))
    refused = run(synced, PROGRAMS[0], "--test", "--plan", str(path))
    assert refused.code == 2
    assert "it is left as it is" in refused.err
    assert not path.with_name("elsewhere").exists()


def test_an_own_plan_is_replaced(synced: Company, path: Path) -> None:
    planned(synced, PROGRAMS[0], path)
    first = load_plan(path).run_id
    planned(synced, PROGRAMS[0], path)
    assert load_plan(path).run_id != first
    assert [entry.name for entry in path.parent.glob("*plan*")] == [path.name]


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_cannot_be_written(synced: Company, tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    refused = run(synced, PROGRAMS[0], "--test", "--plan", str(folder / "plan.json"))
    assert (refused.code, "cannot be saved" in refused.err) == (2, True)


def test_a_folder_that_is_not_there(synced: Company, tmp_path: Path) -> None:
    refused = run(synced, PROGRAMS[0], "--test", "--plan", str(tmp_path / "none" / "plan.json"))
    assert (refused.code, "cannot be saved" in refused.err) == (2, True)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--plan", "x"), "add --test"),
        (("--test", "--apply", "x"), "leave --test out"),
        (("--skip-moved",), "add --apply FILE"),
    ],
)
def test_options_that_contradict_each_other(company: Company, options: tuple[str, ...], why: str) -> None:
    ended = company.run(*options)
    assert (ended.code, why in ended.err) == (2, True)


def test_long_and_odd_values_are_shown_on_their_line(synced: Company, path: Path) -> None:
    item = jobs(synced)[0]
    synced.sandbox.edit(item, {TEXT: "\x1b[31m<b>=1+1 " + "x" * 5_000})
    planned(synced, PROGRAMS[0], path)
    synced.sandbox.edit(item, {TEXT: "y"})
    refused = synced.run("--apply", str(path))
    assert refused.code == 4
    assert "\x1b" not in refused.err
    assert max(map(len, refused.err.splitlines())) < 400
