"""Guards count what is destroyed, never what is filled; a plan that is refused is shown, and how to go on."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from models import RowId
from reconcile.errors import UnsafePlan
from reconcile.guards import Thresholds, guard_plan, lost_columns
from reconcile.plan_pull import Plan, Update
from tests.support.company import PUSH, Company, small_world
from tests.support.pushing import jobs, project, shows
from tests.support.servers import Keywords

ROW = RowId("0e0e0e0e-0000-4000-8000-000000000001")
MANY = 60
PRICE = "numbers0"
TEXT = "text40__1"


@pytest.fixture
def many(keywords: Keywords, tmp_path: Any) -> Iterator[Company]:
    """Sixty jobs in step."""
    with small_world(items=MANY, staff=2) as sandbox:
        company = Company(sandbox, keywords, tmp_path)
        assert company.sync().code == 0
        yield company


@pytest.mark.parametrize(
    ("table", "changes", "lost"),
    [
        ("projects", {"estimated_value": (None, Decimal(5))}, []),
        ("projects", {"estimated_value": (Decimal(5), None)}, ["filled → empty"]),
        ("projects", {"estimated_value": (Decimal(5), Decimal(6))}, ["filled → something else"]),
        ("projects", {"description": ("", "text")}, []),
        ("projects", {"description": ("  ", "text")}, []),
        ("projects", {"description": ("text", "")}, ["filled → empty"]),
        ("projects", {"customer_id": (None, ROW)}, []),
        ("projects", {"customer_id": (ROW, None)}, ["filled → empty"]),
        ("projects", {"archived_at": (None, "now"), "monday_item_id": (1, 2)}, []),
        ("projects", {"current_stage": (None, "Approved"), "status": ("pending", "active")}, []),
        ("projects", {"current_stage": (None, "Approved"), "status": (None, "active")}, []),
        ("projects", {"current_stage": (None, "Approved"), "status": ("completed", "active")},
         ["filled → something else"]),
        ("projects", {"current_stage": ("Lead", "Approved"), "status": ("pending", "active")},
         ["filled → something else"]),
        ("users", {"roles": (["Estimator"], ["Estimator", "Partner"])}, []),
        ("users", {"roles": (None, ["Estimator"])}, []),
        ("users", {"roles": (["Estimator"], None)}, ["filled → empty"]),
        ("properties", {"measurements": ("[]", '[{"url": "u"}]')}, []),
        ("properties", {"measurements": ('[{"url": "u"}]', "[]")}, ["filled → empty"]),
    ],
)  # fmt: skip
def test_what_a_row_loses(table: str, changes: dict[str, tuple[Any, Any]], lost: list[str]) -> None:
    assert [kind for _field, kind in lost_columns(table, Update(ROW, changes))] == lost


@pytest.mark.parametrize(
    ("filled", "emptied", "known", "refused"),
    [(500, 0, 500, False), (500, 50, 500, False), (500, 151, 500, True), (0, 21, 30, True), (30, 20, 30, False)],
)
def test_rows_that_are_only_filled_count_for_no_limit(filled: int, emptied: int, known: int, refused: bool) -> None:
    plan = Plan(known_rows={"projects": known})
    plan.updates["projects"] = [
        Update(RowId(f"f{number}"), {"estimated_value": (None, Decimal(1))}) for number in range(filled)
    ] + [Update(RowId(f"e{number}"), {"estimated_value": (Decimal(1), None)}) for number in range(emptied)]
    if not refused:
        guard_plan(plan, {}, Thresholds())
        return
    with pytest.raises(UnsafePlan, match=f"{emptied} × projects.estimated_value: filled → empty"):
        guard_plan(plan, {}, Thresholds())


def test_a_first_run_that_fills_an_existing_database_needs_no_flag(many: Company) -> None:
    many.sql(
        "UPDATE projects SET estimated_value = NULL, current_stage = NULL, status = NULL,"
        " customer_id = NULL, property_id = NULL; DROP SCHEMA monday_sync CASCADE"
    )
    for arguments in (("--test",), ()):
        ended = many.sync(*arguments)
        assert ended.code == 0, ended.err
        assert ended.report["tables"]["projects"]["update"] == MANY
    assert many.value("SELECT count(*) FROM projects WHERE estimated_value IS NULL OR customer_id IS NULL") == 0


def test_a_column_that_is_filled_on_the_board_needs_no_flag(many: Company) -> None:
    """All items change, and nothing is lost: in both directions."""
    for number, item in enumerate(jobs(many)):
        many.sandbox.edit(item, {"claim_number__1": f"C-{number}"})
    ended = many.sync()
    assert (ended.code, ended.report["tables"]["projects"]["update"]) == (0, MANY), ended.err


def test_a_column_that_is_filled_in_sql_needs_no_flag(many: Company) -> None:
    many.sql("UPDATE projects SET claim_number = 'C-' || monday_item_id")
    ended = many.push()
    assert (ended.code, ended.report["items"]["update"]) == (0, MANY), ended.err
    item = jobs(many)[0]
    assert shows(many, item, "claim_number__1") == f"C-{item}"


def empty_the_prices(company: Company) -> None:
    for item in jobs(company):
        company.sandbox.edit(item, {PRICE: None})


def overwrite_the_texts(company: Company) -> None:
    for item in jobs(company)[:-1]:
        company.sandbox.edit(item, {TEXT: "the same everywhere"})


def empty_in_sql(company: Company) -> None:
    company.sql("UPDATE projects SET estimated_value = NULL")


REFUSED = {
    "cleared on the board": ("sync_monday_to_pg.py", empty_the_prices, MANY, "projects.estimated_value",
                             "filled → empty", "on the board by mistake, undo it there"),
    "overwritten on the board": ("sync_monday_to_pg.py", overwrite_the_texts, MANY - 1, "projects.description",
                                 "filled → something else", "on the board by mistake, undo it there"),
    "cleared in SQL": (PUSH, empty_in_sql, MANY, "projects.estimated_value", "filled → empty",
                       "in PostgreSQL by mistake, put it right there"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("dry", [True, False])
def test_a_refusal_names_field_and_kind_and_shows_the_plan(many: Company, case: str, dry: bool) -> None:
    program, do, count, field, kind, advice = REFUSED[case]
    do(many)
    test = ("--test",) if dry else ()
    reason = f"{count} × {field}: {kind}"
    before = many.contents(only="public")
    ended = many.run(*test, program=str(program))
    assert ended.code == 4
    shown = " ".join(ended.out.split())
    assert reason in " ".join(ended.err.split())
    assert reason in shown
    assert advice in shown
    assert "if it is right, run with --" in shown
    assert "What it would have changed" in shown
    assert "would update" in shown
    quiet = many.run("-q", *test, program=str(program))
    assert quiet.code == 4
    assert reason in " ".join(" ".join(line.split(": ", 1)[1] for line in quiet.out.splitlines()).split())
    assert all(f" {program} run 20" in line for line in quiet.out.splitlines())
    assert sum("→" in line for line in quiet.out.splitlines()) > 5
    told = many.run("--json", *test, program=str(program))
    report = told.report
    assert (told.code, report["exit_code"], reason in report["reason"]) == (4, 4, True)
    assert report["changes_count"] >= count
    assert {change["field"] for change in report["changes"]} >= {field}
    if program == PUSH:
        assert report["items"]["update"] == count
        assert shows(many, jobs(many)[0], PRICE) == "1001"
    else:
        assert report["tables"]["projects"]["update"] >= count
    assert many.contents(only="public") == before
    allowed = many.run("--json", "--max-change", "1000", program=str(program))
    assert allowed.code in (0, 4), allowed.err


def test_put_right_it_goes_on(many: Company) -> None:
    empty_in_sql(many)
    assert many.push().code == 4
    many.sql("UPDATE projects SET estimated_value = 1000 + right(item_name, -4)::int")
    assert many.push().code == 0
    assert many.sync("--full").writes == 0


def test_items_that_only_gain_count_for_no_limit_of_a_push(many: Company) -> None:
    """Sixty items gain a claim number, twenty of them lose their price: only these count."""
    many.sql("UPDATE projects SET claim_number = 'C'")
    many.sql("UPDATE projects SET estimated_value = NULL WHERE right(item_name, -4)::int <= 20")
    assert many.push("--max-change", "19").code == 4
    assert many.push("--max-change", "20").code == 0


@pytest.mark.parametrize("quiet", [(), ("-q",), ("--json",)])
def test_too_many_archived(many: Company, quiet: tuple[str, ...]) -> None:
    for item in jobs(many)[:10]:
        many.sandbox.archive(item)
    ended = many.run(*quiet)
    assert ended.code == 4
    assert "10 × projects.archived_at: item → archived" in ended.err
    assert "restore them on the board" in ended.err
    assert "archived" in ended.out


def test_a_board_that_shrank_shows_the_plan(many: Company) -> None:
    for item in jobs(many)[:40]:
        many.sandbox.delete(item)
    ended = many.run("--full")
    assert ended.code == 4
    assert "40 × projects: item → not there" in " ".join(ended.out.split())
    assert "would update" in ended.out
    project(many, jobs(many)[0], description="in SQL")
    pushed = many.run(program=PUSH)
    assert pushed.code == 4
    assert "in SQL" in pushed.out
