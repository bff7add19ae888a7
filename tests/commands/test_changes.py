"""`monday_sync.sync_change`: each write of a run is there once, with what was there before and why; nothing that was
refused, lost or only planned is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from models import TABLES
from monday_api import BOARDS
from postgres.changes import COLUMNS, PRUNED_AT_ONCE, change_of_row
from postgres.encoding import Encoding
from reconcile.changes import Change
from sandbox import MASTER_BOARD_ID
from tests.faults.test_encodings import foreign as foreign  # a fixture
from tests.support.company import BOARD_IDS, PUSH, Company, Ended
from tests.support.pushing import in_step, jobs, new_project, project

TEXT, NAME, PRICE, STAGE, EMAIL = "text40__1", "text65__1", "numbers0", "text95__1", "email4__1"
POLICY = "dup__of_text0__1"
PULL = "sync_monday_to_pg.py"


class Line(NamedTuple):
    """A line of the history, in short."""

    wrote: str
    action: str
    item: int | None
    field: str | None
    before: Any
    after: Any
    reason: str


def history(company: Company, run_id: str | None = None) -> list[Change]:
    """The history, or that of one run, as it comes back."""
    rows = company.sql(
        f"SELECT {COLUMNS} FROM monday_sync.sync_change WHERE run_id = coalesce(%s, run_id) ORDER BY id", run_id
    )
    boards = {board_id: board for board, board_id in BOARD_IDS.items()}
    encoding = Encoding(company.value("SHOW server_encoding"))
    return [change_of_row(row, boards, BOARDS, encoding) for row in rows]


def lines(company: Company, ended: Ended) -> list[Line]:
    """What a run has written, with the rows checked to be those that it names."""
    found = []
    for change in history(company, ended.report["run_id"]):
        at = change.address
        assert at.table in TABLES
        assert (at.row is None) == (change.action == "archive" and at.wrote == "monday")
        found.append(Line(at.wrote, change.action, at.item, at.field, change.before, change.after, change.reason))
    return found


def on_board(company: Company, item: int, **cells: Any) -> None:
    company.sandbox.advance(60)
    company.sandbox.edit(item, cells)


def pulled(company: Company, *arguments: str) -> list[Line]:
    ended = company.sync(*arguments)
    assert ended.outcome == 0, (ended.out, ended.err)
    return lines(company, ended)


def pushed(company: Company, *arguments: str) -> list[Line]:
    ended = company.push(*arguments)
    assert ended.outcome == 0, (ended.out, ended.err)
    return lines(company, ended)


# monday → PostgreSQL --------------------------------------------------------------------------------------------------


def test_a_first_load_is_a_line_for_each_row(company: Company) -> None:
    ended = company.sync()
    changes = history(company, ended.report["run_id"])
    assert len(changes) == ended.writes == sum(company.counts().values())
    assert {(change.action, change.before, change.after, change.reason) for change in changes} == {
        ("insert", None, None, "first contact")
    }
    assert {change.address.row for change in changes if change.address.table == "projects"} == {
        row for (row,) in company.sql("SELECT id::text FROM projects")
    }
    assert {change.address.item for change in changes if change.address.table == "projects"} == set(jobs(company))
    stray = "SELECT count(*) FROM monday_sync.sync_change WHERE before IS NOT NULL OR after IS NOT NULL"
    assert company.value(stray) == 0


def test_what_a_pull_changes(synced: Company) -> None:
    first, second, third = jobs(synced)[:3]
    on_board(synced, first, **{TEXT: "call → first", PRICE: "77.5", STAGE: "Completed"})
    on_board(synced, second, **{NAME: "Ann"})
    synced.sql("UPDATE customers SET name = 'Anne' WHERE name = 'Owner 2'")
    synced.sandbox.archive(third)
    synced.sandbox.create(MASTER_BOARD_ID, "Job 9", {NAME: "Owner 9", EMAIL: {"email": "o9@mail.example", "text": ""}})
    (new,) = synced.sandbox.find(MASTER_BOARD_ID, "Job 9")
    told = pulled(synced, "--full")
    gone_at = synced.project(third, "archived_at")
    assert told == [
        Line("postgres", "update", second, "customers.name", "Anne", "Ann", "conflict, monday won"),
        *sorted(
            (
                Line("postgres", "update", first, "projects.description", "Roof 1", "call → first", "edited on monday"),
                Line(
                    "postgres", "update", first, "projects.current_stage",
                    "Approved", "Completed", "edited on monday",
                ),
                Line("postgres", "update", first, "projects.status", "active", "completed", "derived"),
                Line(
                    "postgres", "update", first, "projects.estimated_value",
                    Decimal("1001.00"), Decimal("77.50"), "edited on monday",
                ),
                Line("postgres", "archive", third, "projects.archived_at", None, gone_at, "edited on monday"),
            ),
            key=told.index,
        ),
        Line("postgres", "insert", new, None, None, None, "first contact"),
        Line("postgres", "insert", new, None, None, None, "first contact"),
    ]  # fmt: skip
    assert gone_at == synced.value("SELECT at FROM monday_sync.sync_change WHERE action = 'archive'")
    synced.sandbox.restore(third)
    assert pulled(synced, "--full") == [
        Line("postgres", "restore", third, "projects.archived_at", gone_at, None, "edited on monday")
    ]


def test_first_contact_with_rows_that_were_there(company: Company) -> None:
    assert company.sync().code == 0
    company.sql(
        "DROP SCHEMA monday_sync CASCADE; UPDATE customers SET phone = NULL, name = NULL WHERE name = 'Owner 1'"
    )
    (line,) = pulled(company, "--yes")
    assert line == Line("postgres", "update", jobs(company)[0], "customers.name", None, "Owner 1", "first contact")


def test_the_list_of_a_report_is_what_is_written_down(synced: Company) -> None:
    first, second = jobs(synced)[:2]
    on_board(synced, first, **{TEXT: "from the board", PRICE: "77.5"})
    project(synced, second, description="in SQL", estimated_value="88")
    for ended in (synced.sync(), synced.push()):
        kept = history(synced, ended.report["run_id"])
        listed = [change | {"before": str(change["before"])} for change in ended.report["changes"]]
        assert len(listed) == 2
        assert listed == [
            {
                "action": change.action, "board": change.address.board, "item": change.address.item,
                "table": change.address.table, "row": change.address.row, "field": change.address.field,
                "column": change.address.column, "before": str(change.before),
                "after": str(change.after), "reason": change.reason,
            }
            for change in kept
        ]  # fmt: skip


# PostgreSQL → monday --------------------------------------------------------------------------------------------------


def test_what_a_push_changes(synced: Company) -> None:
    first, second, third, fourth = jobs(synced)[:4]
    on_board(synced, second, **{TEXT: "on the board"})
    project(synced, first, claim_number="C-1", current_stage="Completed")
    project(synced, second, description="in SQL")
    synced.sql("DELETE FROM projects WHERE monday_item_id = %s", third)
    rows = dict(synced.sql("SELECT monday_item_id, customer_id::text FROM projects"))
    synced.sql("UPDATE projects SET customer_id = %s WHERE monday_item_id = %s", rows[first], fourth)
    new_project(synced, "New job", status="pending", description="from SQL")
    told = pushed(synced, "--on-conflict", "pg", "--propagate-deletes")
    (new,) = synced.sandbox.find(MASTER_BOARD_ID, "New job")
    assert told == [
        Line("postgres", "update", None, "projects.name", None, "New job", "derived"),
        Line("postgres", "update", first, "projects.status", "active", "completed", "derived"),
        Line("monday", "update", first, "projects.claim_number", None, "C-1", "edited in PostgreSQL"),
        Line("monday", "update", first, "projects.current_stage", "Approved", "Completed", "edited in PostgreSQL"),
        Line("monday", "update", second, "projects.description", "on the board", "in SQL", "conflict, PostgreSQL won"),
        Line("monday", "update", fourth, "projects.customer_id", rows[fourth], rows[first], "edited in PostgreSQL"),
        Line(
            "monday", "update", fourth, "customers.email",
            "owner4@mail.example", "owner1@mail.example", "edited in PostgreSQL",
        ),
        Line("monday", "update", fourth, "customers.name", "Owner 4", "Owner 1", "edited in PostgreSQL"),
        Line("monday", "create", new, None, None, None, "edited in PostgreSQL"),
        Line("monday", "archive", third, None, None, None, "edited in PostgreSQL"),
    ]  # fmt: skip
    moved = [change for change in history(synced) if change.address.field == "customers.name"]
    assert [change.address.row for change in moved] == [rows[first]], "the row whose values the item shows"
    assert synced.value("SELECT row_id::text FROM monday_sync.sync_change WHERE action = 'create'") == synced.project(
        new, "id::text"
    )


def test_whose_policy_it_is_follows(synced: Company) -> None:
    first, second = jobs(synced)[:2]
    on_board(synced, first, **{POLICY: "P-1"})
    assert synced.sync().code == 0
    was, owner = (synced.project(item, "customer_id::text") for item in (first, second))
    project(synced, first, customer_id=owner)
    told = pushed(synced)
    assert told[-1] == Line("postgres", "update", first, "policies.customer_id", was, owner, "derived")
    assert synced.value("SELECT customer_id::text FROM policies") == owner


def test_a_person_who_gets_a_job_gets_its_role(synced: Company) -> None:
    item = jobs(synced)[0]
    person = synced.value("SELECT id::text FROM users ORDER BY monday_item_id LIMIT 1")
    project(synced, item, estimator_id=person)
    told = pushed(synced)
    assert told[0] == Line("monday", "update", item, "projects.estimator_id", None, person, "edited in PostgreSQL")
    assert told[-1] == Line(
        "postgres", "update", item, "users.roles", ["Sales Staff"], ["Estimator", "Sales Staff"], "derived"
    )
    assert synced.value("SELECT roles FROM users WHERE id = %s", person) == ["Estimator", "Sales Staff"]


# What did not happen --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["pull", "push"])
def test_nothing_is_written_where_nothing_changed(synced: Company, command: str) -> None:
    in_step(synced)
    before = synced.contents()
    ended = synced.sync("--full") if command == "pull" else synced.push()
    assert ended.code == 0
    after = synced.contents()
    assert after["monday_sync.sync_change"] == before["monday_sync.sync_change"]
    assert {table for table in after if after[table] != before[table]} <= {
        f"monday_sync.sync_{name}" for name in ("run", "lease", "calls", "board")
    }


@pytest.mark.parametrize("command", ["pull", "push"])
def test_a_dry_run_writes_no_line(synced: Company, command: str) -> None:
    item = jobs(synced)[0]
    on_board(synced, item, **{TEXT: "from the board"})
    project(synced, item, claim_number="C-1")
    before = synced.contents()
    (synced.sync if command == "pull" else synced.push)("--test")
    assert synced.contents() == before


OWNERS = """
CREATE FUNCTION owners() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NEW; END $$;
CREATE TRIGGER owners BEFORE INSERT OR UPDATE ON projects FOR EACH ROW EXECUTE FUNCTION owners()
"""
RULES: dict[str, tuple[str, list[tuple[str, Any, Any]]]] = {
    "a check of one column": (
        "ALTER TABLE projects ADD CHECK (claim_number <> 'C-1')",
        [("projects.description", "Roof 1", "from the board")],
    ),
    "a trigger that refuses the row": (
        OWNERS.format(body="IF NEW.claim_number = 'C-1' AND TG_OP = 'UPDATE' THEN RAISE EXCEPTION 'no'; END IF;"),
        [("projects.description", "Roof 1", "from the board")],
    ),
    "a trigger that leaves it out": (OWNERS.format(body="IF NEW.claim_number = 'C-1' THEN RETURN NULL; END IF;"), []),
    "a trigger that stores more": (
        OWNERS.format(body="NEW.claim_number := lower(NEW.claim_number); NEW.link := 'https://own.example';"),
        [
            ("projects.description", "Roof 1", "from the board"),
            ("projects.link", None, "https://own.example"),
            ("projects.claim_number", None, "c-1"),
        ],
    ),
    "a rule that does nothing instead": (
        "CREATE RULE owners AS ON UPDATE TO projects WHERE NEW.claim_number = 'C-1' DO INSTEAD NOTHING",
        [],
    ),
}


@pytest.mark.parametrize("rule", RULES)
def test_what_the_database_really_holds_counts(synced: Company, rule: str) -> None:
    statement, expected = RULES[rule]
    item = jobs(synced)[0]
    synced.sql(statement)
    on_board(synced, item, **{TEXT: "from the board", "claim_number__1": "C-1"})
    ended = synced.sync()
    assert ended.code in (0, 5), ended.err
    told = lines(synced, ended)
    assert [(line.field, line.before, line.after) for line in told] == expected
    for line in told:
        assert line.field is not None
        assert synced.project(item, line.field.partition(".")[2]) == line.after


def test_a_row_that_was_refused_is_in_no_line(synced: Company) -> None:
    synced.sql("ALTER TABLE projects ADD CHECK (item_name <> 'Job 9')")
    synced.sandbox.create(MASTER_BOARD_ID, "Job 9", {TEXT: "Roof 9"})
    ended = synced.sync()
    assert ended.code == 5
    left = {change.address.table for change in history(synced, ended.report["run_id"])}
    assert "projects" not in left or synced.value("SELECT count(*) FROM projects") == 7


def test_a_completed_row_is_told_as_its_trigger_left_it(synced: Company) -> None:
    item = jobs(synced)[0]
    project(synced, item, current_stage="Completed")
    synced.sql(
        "CREATE FUNCTION owners() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.status := 'pending'; RETURN NEW; END"
        " $$; CREATE TRIGGER owners BEFORE UPDATE ON projects FOR EACH ROW EXECUTE FUNCTION owners()"
    )
    told = [line for line in pushed(synced) if line.wrote == "postgres"]
    assert told == [Line("postgres", "update", item, "projects.status", "active", "pending", "derived")]


REFUSED: dict[str, tuple[Callable[[Company], object], dict[str, Any], int]] = {
    "a value that no cell takes": (lambda company: None, {"adjuster_phone": "12345"}, 5),
    "an item that went away": (lambda company: company.sandbox.fault("item_deleted", match="mutation"), {}, 0),
    "an item that fails": (lambda company: company.sandbox.fault("internal_error_200", match="Change", times=0), {}, 5),
}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("kind", REFUSED)
def test_what_monday_did_not_take_is_in_no_line(synced: Company, kind: str) -> None:
    prepare, more, code = REFUSED[kind]
    first, second = jobs(synced)[:2]
    values = more or {"claim_number": "C-1"}
    project(synced, first, **values)
    if more:
        project(synced, second, claim_number="C-2")
    prepare(synced)
    ended = synced.push()
    assert ended.code == code, ended.err
    told = [(line.item, line.field) for line in lines(synced, ended)]
    assert told == ([(second, "projects.claim_number")] if more else [])


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("first", ["push", "pull"])
@pytest.mark.parametrize("made", [True, False], ids=["made", "not made"])
def test_a_lost_answer_is_written_down_once(synced: Company, first: str, made: bool) -> None:
    item, other = jobs(synced)[:2]
    on_board(synced, item, **{TEXT: "on the board"})
    project(synced, item, description="in SQL")
    row = new_project(synced, "New job")
    person = synced.value("SELECT id::text FROM users ORDER BY monday_item_id LIMIT 1")
    project(synced, other, partner_id=person)
    for match in ("Change", "Create"):
        synced.sandbox.fault("reset_after" if made else "reset_before", match=match, times=0)
    assert synced.push("--on-conflict", "pg").code == 7
    assert [change for change in history(synced) if change.address.wrote == "monday"] == []
    assert synced.push("--on-conflict", "pg").code == 7  # where cells were written, it comes to the new item
    assert [change for change in history(synced) if change.action == "create"] == []
    synced.sandbox.clear_faults()
    for command in (synced.push, synced.sync) if first == "push" else (synced.sync, synced.push):
        assert command("--on-conflict", "pg").outcome == 0
    told = [change for change in history(synced) if change.address.wrote == "monday"]
    (new,) = synced.sandbox.find(MASTER_BOARD_ID, "New job")
    assert sorted((change.address.item, change.address.field or change.action, change.reason) for change in told) == [
        (item, "projects.description", "conflict, PostgreSQL won"),
        (other, "projects.partner_id", "edited in PostgreSQL"),
        *((other, f"users.{name}", "edited in PostgreSQL") for name in ("email", "name")),
        (new, "create", "edited in PostgreSQL"),
    ]
    (created,) = (change.address.row for change in told if change.action == "create")
    assert created == row
    (settled,) = (change for change in told if change.reason.startswith("conflict"))
    assert (settled.before, settled.after) == ("on the board", "in SQL")
    assert {change.address.row for change in told if change.address.table == "users"} == {person}


# What is kept ---------------------------------------------------------------------------------------------------------


def test_values_come_back_from_a_database_that_lacks_signs(foreign: Company) -> None:
    assert foreign.sync().code == 0
    item = jobs(foreign)[0]
    for value in ("plain <U+2192>", 'a "quoted" \\ text\nof two lines'):
        on_board(foreign, item, **{TEXT: value})
        assert pulled(foreign)[0].after == value
    assert pulled(foreign) == []
    foreign.sql("UPDATE projects SET description = 'in SQL' WHERE monday_item_id = %s", item)
    on_board(foreign, item, **{TEXT: "a sign → that may not be there"})
    ended = foreign.push("--on-conflict", "pg")
    assert ended.code in (0, 5)
    for line in lines(foreign, ended):
        assert (line.before, line.after) == ("a sign → that may not be there", "in SQL")


def age(company: Company, days: int, *tables: str) -> None:
    for table, columns in {
        "sync_change": ["at"],
        "sync_conflict": ["at", "settled_at"],
        "sync_run": ["started_at", "finished_at"],
    }.items():
        if not tables or table in tables:
            moved = ", ".join(f"{column} = {column} - make_interval(days => {days})" for column in columns)
            company.sql(f"UPDATE monday_sync.{table} SET {moved}")


def counted(company: Company) -> dict[str, int]:
    tables = ("sync_change", "sync_conflict", "sync_run")
    return {table: company.value(f"SELECT count(*) FROM monday_sync.{table}") for table in tables}


@pytest.mark.parametrize("program", [PULL, PUSH])
def test_what_is_old_goes_and_nothing_that_is_open(synced: Company, program: str) -> None:
    first, second = jobs(synced)[:2]
    for item, policy in ((first, "monday"), (second, "manual")):
        on_board(synced, item, **{TEXT: "on the board"})
        project(synced, item, description="in SQL")
        assert synced.sync("--on-conflict", policy).code == 5
    assert synced.push("--on-conflict", "manual").code == 5
    synced.sql(
        "INSERT INTO monday_sync.sync_run (run_id, direction, reason) VALUES ('killed', 'monday_to_pg', 'killed')"
    )
    kept = counted(synced)
    assert synced.run("--on-conflict", "manual", program=program).code == 5
    assert counted(synced) == kept | {"sync_run": kept["sync_run"] + 1}, "nothing is due"
    age(synced, 89)
    assert synced.run("--on-conflict", "manual", program=program).code == 5
    assert counted(synced)["sync_change"] == kept["sync_change"]
    age(synced, 2)
    assert synced.run("--on-conflict", "manual", "--test", program=program).code == 5
    assert counted(synced)["sync_change"] == kept["sync_change"], "a dry run writes nothing"
    assert synced.run("--on-conflict", "manual", program=program).code == 5
    assert counted(synced) | {"sync_run": 0} == {"sync_change": 0, "sync_conflict": 1, "sync_run": 0}
    assert synced.sql("SELECT state, item_id FROM monday_sync.sync_conflict") == [("open", second)]
    old = "SELECT direction, options, count(*) FROM monday_sync.sync_run WHERE started_at < now() - interval '90 days'"
    left = synced.sql(f"{old} GROUP BY 1, 2 ORDER BY 1")
    assert {count for *_, count in left} == {1}, "the last good run of each kind stays known"
    assert {direction for direction, *_ in left} == {"monday_to_pg", "pg_to_monday"}
    assert "killed" not in {run for (run,) in synced.sql("SELECT run_id FROM monday_sync.sync_run")}


def test_how_long_is_a_setting(synced: Company) -> None:
    age(synced, 8)
    synced.overrides["SYNC_KEEP_DAYS"] = "9"
    assert synced.sync().code == 0
    assert counted(synced)["sync_change"]
    synced.overrides["SYNC_KEEP_DAYS"] = "7"
    assert synced.sync().code == 0
    assert not counted(synced)["sync_change"]


@pytest.mark.parametrize("wrong", ["0", "-1", "many", "1.5", "100000000"])
def test_a_number_of_days_that_is_none(synced: Company, wrong: str) -> None:
    synced.overrides["SYNC_KEEP_DAYS"] = wrong
    ended = synced.run()
    assert (ended.code, "SYNC_KEEP_DAYS is not a number of days" in ended.err) == (2, True)


def test_a_run_takes_away_so_many_at_most(synced: Company) -> None:
    synced.sql(
        "INSERT INTO monday_sync.sync_change (run_id, at, wrote, action, reason)"
        " SELECT 'long ago', now(), 'postgres', 'insert', 'first contact' FROM generate_series(1, %s)",
        PRUNED_AT_ONCE + 5,
    )
    age(synced, 100)
    every = counted(synced)["sync_change"]
    left: Sequence[int] = (every - PRUNED_AT_ONCE, 0, 0)
    for expected in left:
        assert synced.sync().code == 0
        assert counted(synced)["sync_change"] == expected


def test_a_loss_that_nobody_was_told_of_stays(synced: Company) -> None:
    item = jobs(synced)[0]
    on_board(synced, item, **{TEXT: "on the board"})
    project(synced, item, description="in SQL")
    assert synced.sync("--on-conflict", "monday").code == 5
    synced.sql("UPDATE monday_sync.sync_conflict SET told_by = NULL")
    age(synced, 100)
    ended = synced.sync()
    assert (ended.code, ended.report["settled"]) == (5, 1)
    assert synced.sync().code == 0
    assert counted(synced)["sync_conflict"] == 0
