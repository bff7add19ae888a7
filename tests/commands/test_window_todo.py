"""`sync_status.py todo`: one thing of each kind, with an ID that stays, and what settles it does."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from typing import Any

import pytest

from status import ids
from tests.support.company import PUSH, Company
from tests.support.pushing import jobs, project

PULL = "sync_monday_to_pg.py"
MASTER = 6727219152


def rows(company: Company) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = company.window("todo", "--json").report["rows"]
    return found


def one(company: Company) -> dict[str, Any]:
    (found,) = rows(company)
    return found


def test_nothing_is_open(synced: Company) -> None:
    assert synced.push().code == 0
    ended = synced.window("todo")
    assert (ended.code, ended.out.strip()) == (0, "nothing is open")
    assert synced.window("todo", "--json").report["rows"] == []


def conflict(company: Company) -> None:
    company.sandbox.edit(jobs(company)[0], {"text40__1": "on the board"})
    project(company, jobs(company)[0], description="in SQL")
    assert company.sync("--on-conflict", "manual").code == 5


def cell(company: Company) -> None:
    company.sandbox.edit(jobs(company)[0], {"numbers0": "9999999999999999"})
    assert company.sync().code == 5


def refused(company: Company) -> None:
    project(company, jobs(company)[0], adjuster_email="no address")
    assert company.push().code == 5


def unreadable(company: Company) -> None:
    project(company, jobs(company)[0], total_payment="NaN")
    assert company.sync().code == 5


def deleted(company: Company) -> None:
    company.sql("DELETE FROM projects WHERE monday_item_id = %s", jobs(company)[0])


def nobodys_id(company: Company) -> None:
    company.sql("INSERT INTO projects (item_name, monday_item_id) VALUES ('A job', 4711)")
    assert company.sync("--full").code == 5


def in_doubt(company: Company) -> None:
    company.sql(
        "INSERT INTO monday_sync.sync_batch (run_id, board_id, kind, idem_key, body)"
        " VALUES ('20260101T000000-abcdef', %s, 'change', 'key', '')",
        MASTER,
    )
    company.sql(
        "INSERT INTO monday_sync.sync_op (batch_id, place, board_id, item_id, content)"
        " SELECT batch_id, 0, board_id, %s, '{}' FROM monday_sync.sync_batch",
        jobs(company)[0],
    )


KINDS: dict[str, tuple[Callable[[Company], None], str, str, str, str]] = {
    "conflict": (conflict, "c", "projects.description", 'monday: "on the board", PostgreSQL: "in SQL"',
                 f"python {PULL} --on-conflict monday, or python {PUSH} --on-conflict pg"),
    "value that PostgreSQL cannot store": (cell, "d", '"Total price" (numbers0, projects.estimated_value)', "",
                                           f"correct the cell on monday, then python {PULL}"),
    "value that monday refused": (refused, "d", "(email57__1, projects.adjuster_email)", "no e-mail address",
                                  f"correct the value in PostgreSQL, then python {PUSH}"),
    "value that cannot be read": (unreadable, "v", ".total_payment", "no number",
                                  "SELECT * FROM projects WHERE id = '"),
    "deleted row": (deleted, "r", "projects.", "still on the board", f"python {PUSH} --propagate-deletes --test"),
    "row with nobody's item id": (nobodys_id, "d", "projects.", "no item of the board has this monday_item_id",
                                  "SELECT * FROM projects WHERE id = '"),
    "item whose outcome is in doubt": (in_doubt, "o", "batch ", "its answer never came", f"python {PUSH}"),
}  # fmt: skip
"""What it is called → how it comes about, the first letter of its ID, its place, what it says, what settles it."""


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_says_what_it_is_and_what_settles_it(synced: Company, kind: str) -> None:
    make, letter, place, says, settle = KINDS[kind]
    synced.overrides = {"COLUMNS": "200"}
    make(synced)
    found = one(synced)
    assert found["kind"] == kind
    assert ids.is_id(found["id"])
    assert found["id"].startswith(letter)
    for part, key in ((place, "place"), (says, "says"), (settle, "settle")):
        assert part in found[key], key
    assert one(synced)["id"] == found["id"]
    ended = synced.window("todo")
    assert ended.code == 5
    text = " ".join(ended.out.split())
    for part in (found["id"], kind, settle):
        assert part in text
    assert f"1 {kind}" in " ".join(synced.window().out.split())


def test_an_id_stays_and_comes_back(synced: Company) -> None:
    """Through another run, another reason, and after it was settled and came again."""
    refused(synced)
    found = one(synced)
    project(synced, jobs(synced)[0], adjuster_email="still none")
    assert synced.push().code == 5
    assert one(synced)["id"] == found["id"]
    project(synced, jobs(synced)[0], adjuster_email="adjuster@mail.example")
    assert synced.push().code == 0
    assert rows(synced) == []
    refused(synced)
    assert one(synced)["id"] == found["id"]


def test_what_the_statement_settles_is_settled(synced: Company) -> None:
    """Pasted as it stands: a pair that is not one."""
    row = synced.value("INSERT INTO projects (item_name) VALUES ('Job 1') RETURNING id::text")
    synced.sql(
        "INSERT INTO monday_sync.sync_dead (kind, board_id, item_id, place, reason, run_id)"
        " VALUES ('would-merge', %s, %s, %s, 'looks like the item', 'r')",
        MASTER, jobs(synced)[0], f"projects.{row}",
    )  # fmt: skip
    found = one(synced)
    assert found["kind"] == "pair that may be one"
    statement = re.match(r"(DELETE FROM monday_sync.sync_dead .*;)", found["settle"])
    assert statement is not None
    synced.sql(statement[1].replace("%", "%%"))
    assert rows(synced) == []


def test_a_pair_is_over_when_its_row_is_gone(synced: Company) -> None:
    synced.sql(
        "INSERT INTO monday_sync.sync_dead (kind, board_id, item_id, place, reason, run_id) VALUES ('would-merge', %s,"
        " %s, 'projects.00000000-0000-0000-0000-000000000001', 'looks like the item', 'r')",
        MASTER, jobs(synced)[0],
    )  # fmt: skip
    assert rows(synced) == []


def test_a_request_that_is_under_way_is_no_doubt(synced: Company) -> None:
    in_doubt(synced)
    newest = "SELECT run_id FROM monday_sync.sync_run ORDER BY started_at DESC LIMIT 1"
    synced.sql(f"UPDATE monday_sync.sync_batch SET run_id = ({newest})")
    synced.sql("UPDATE monday_sync.sync_run SET finished_at = NULL, exit_code = NULL, pid = 4711, host = 'elsewhere'")
    synced.sql("UPDATE monday_sync.sync_lease SET holder = 'elsewhere:4711:a.b.c', expires_at = now() + interval '1 h'")
    assert rows(synced) == []
    synced.sql("UPDATE monday_sync.sync_lease SET holder = ''")
    assert one(synced)["kind"] == "item whose outcome is in doubt"


def test_all_of_them_are_counted_and_shown_on_request(synced: Company) -> None:
    synced.sql(
        "INSERT INTO monday_sync.sync_dead (kind, board_id, item_id, place, reason, run_id, first_seen)"
        " SELECT 'cell', %s, n, 'numbers0', E'=cmd \\x1b[31m' || repeat('x', 5000), 'r', now() - n * interval '1 hour'"
        " FROM generate_series(1, 120) AS n",
        MASTER,
    )
    ended = synced.window("todo")
    assert "… 70 more of 120: python sync_status.py todo --limit 0" in ended.out
    assert "\x1b" not in ended.out
    every = rows(synced)
    assert len({row["id"] for row in every}) == 120
    assert [row["item_id"] for row in every] == list(range(120, 0, -1))  # the oldest first
    assert len(every[0]["says"]) > 5_000
    table = list(csv.DictReader(io.StringIO(synced.window("todo", "--format", "csv").out)))
    assert len(table) == 120
    assert table[0]["says"].startswith("'=cmd")


def test_a_foreign_key_is_shown_by_name(synced: Company) -> None:
    item, other = jobs(synced)[:2]
    synced.sandbox.edit(item, {"email4__1": {"email": "new@mail.example", "text": "x"}, "text65__1": "New Owner"})
    project(synced, item, customer_id=synced.project(other, "customer_id"))
    assert synced.sync().code == 5
    synced.sql("UPDATE monday_sync.sync_conflict SET state = 'open' WHERE field = 'customer_id'")
    says = next(row["says"] for row in rows(synced) if row["place"] == "projects.customer_id")
    assert 'PostgreSQL: "Owner 2", agreed before: "Owner 1"' in says


def test_the_window_lists_what_a_run_counts(synced: Company) -> None:
    """Of everything at once: nothing more and nothing less."""
    conflict(synced)
    project(synced, jobs(synced)[1], adjuster_email="no address")
    synced.sandbox.edit(jobs(synced)[2], {"numbers0": "9999999999999999"})
    assert synced.sync("--on-conflict", "manual").code == 5
    assert synced.push("--on-conflict", "manual").code == 5
    report = synced.sync("--on-conflict", "manual").report
    kinds = [row["kind"] for row in rows(synced)]
    assert kinds.count("conflict") == report["conflicts"] == 1
    assert len(kinds) == report["conflicts"] + report["quarantined"] + report["would_merge"] == 3
